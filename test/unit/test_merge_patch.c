/*
 * Merge patches: the vectors of RFC 7396 with object roots, and the rules of 05 A.6 for depth, the
 * word for null, number text and order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/merge_patch.h"

static struct arena arena;

static enum merge_patch_fault fault_of(const char *text) {
  const struct json *patch = NULL;
  enum merge_patch_fault fault = merge_patch_read(ff_text(text), &arena, &patch);
  assert_true((patch != NULL) == (fault == MERGE_PATCH_OK));
  return fault;
}

static void assert_merged(const char *target, const char *patch, const char *wanted) {
  const struct json *document = NULL, *change = NULL;
  struct json_error error;
  if (target != NULL) assert_true(json_parse(ff_text(target), &arena, &document, &error));
  assert_int_equal(merge_patch_read(ff_text(patch), &arena, &change), MERGE_PATCH_OK);
  struct buffer out;
  buffer_init(&out);
  json_write(&out, merge_patch_apply(document, change, &arena));
  assert_string_equal(buffer_text(&out).ptr, wanted);
  buffer_fini(&out);
}

/* RFC 7396, appendix A: every row whose patch is an object. */
static void vectors_of_the_rfc(void **state) {
  (void)state;
  assert_merged("{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
  assert_merged("{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}");
  assert_merged("{\"a\":\"b\"}", "{\"a\":null}", "{}");
  assert_merged("{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}");
  assert_merged("{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
  assert_merged("{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}");
  assert_merged("{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
                "{\"a\":{\"b\":\"d\"}}");
  assert_merged("{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}");
  assert_merged("{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}");
  assert_merged("[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}");
  assert_merged("{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}");
  /* Its section 3. */
  assert_merged("{\"title\":\"Goodbye!\","
                "\"author\":{\"givenName\":\"John\",\"familyName\":\"Doe\"},"
                "\"tags\":[\"example\",\"sample\"],\"content\":\"This will be unchanged\"}",
                "{\"title\":\"Hello!\",\"phoneNumber\":\"+01-123-456-7890\","
                "\"author\":{\"familyName\":null},\"tags\":[\"example\"]}",
                "{\"author\":{\"givenName\":\"John\"},\"content\":\"This will be unchanged\","
                "\"phoneNumber\":\"+01-123-456-7890\",\"tags\":[\"example\"],"
                "\"title\":\"Hello!\"}");
}

static void objects_and_nulls(void **state) {
  (void)state;
  assert_merged(NULL, "{}", "{}");
  assert_merged("{\"a\":1}", "{}", "{\"a\":1}");
  assert_merged("{}", "{\"gone\":null}", "{}");
  assert_merged("{\"a\":[1,2]}", "{\"a\":[null,{\"b\":null}]}", "{\"a\":[null,{\"b\":null}]}");
  assert_merged("{\"a\":5}", "{\"a\":{}}", "{\"a\":{}}");
  assert_merged("{\"a\":{\"b\":1}}", "{\"a\":{}}", "{\"a\":{\"b\":1}}");
  assert_merged("{\"a\":[1]}", "{\"a\":{\"b\":2}}", "{\"a\":{\"b\":2}}");
  assert_merged("{\"a\":{}}", "{\"a\":[]}", "{\"a\":[]}");
}

static void the_word_for_null(void **state) {
  (void)state;
  assert_merged(NULL, "{\"a\":\"__ff_null__\"}", "{\"a\":null}");
  assert_merged(NULL, "{\"a\":[\"__ff_null__\",{\"b\":[\"__ff_null__\"]}]}",
                "{\"a\":[null,{\"b\":[null]}]}");
  assert_merged(NULL, "{\"a\":{\"b\":\"__ff_null__\"}}", "{\"a\":{\"b\":null}}");
  assert_merged(NULL, "{\"__ff_null__\":1,\"b\":\"__ff_null__ \",\"c\":\"__FF_NULL__\"}",
                "{\"__ff_null__\":1,\"b\":\"__ff_null__ \",\"c\":\"__FF_NULL__\"}");
}

static void types_numbers_and_order(void **state) {
  (void)state;
  assert_merged(NULL, "{\"b\":18446744073709551615,\"a\":-9223372036854775808,\"c\":1.10,"
                "\"d\":1e2}",
                "{\"a\":-9223372036854775808,\"b\":18446744073709551615,\"c\":1.10,\"d\":1e2}");
  assert_merged("{\"n\":1.50}", "{\"m\":2}", "{\"m\":2,\"n\":1.50}");
  assert_merged(NULL, "{\"z\":[{\"b\":1,\"a\":2}],\"B\":1,\"ab\":2,\"a\":3}",
                "{\"B\":1,\"a\":3,\"ab\":2,\"z\":[{\"a\":2,\"b\":1}]}");
  /* The last of equal keys counts, alone. */
  assert_merged(NULL, "{\"a\":{\"x\":1},\"b\":1,\"a\":{\"y\":2}}", "{\"a\":{\"y\":2},\"b\":1}");
  assert_merged("{\"a\":1}", "{\"a\":2,\"a\":null}", "{}");
  assert_merged(NULL, "{\"l\":[{\"a\":1,\"a\":2}]}", "{\"l\":[{\"a\":2}]}");
}

static void faults_are_told_apart(void **state) {
  (void)state;
  assert_int_equal(fault_of("{}"), MERGE_PATCH_OK);
  static const char *const broken[] = {"", "{", "{\"a\":}", "{}x", "{\"a\":\"\xff\"}", "nul"};
  for (size_t i = 0; i < ARRAY_LEN(broken); i++)
    assert_int_equal(fault_of(broken[i]), MERGE_PATCH_NOT_JSON);
  static const char *const other[] = {"[]", "null", "1", "\"a\"", "true", "[{}]"};
  for (size_t i = 0; i < ARRAY_LEN(other); i++)
    assert_int_equal(fault_of(other[i]), MERGE_PATCH_NOT_OBJECT);
}

/* {"a":{"a": ... }} of so many objects around so many arrays. */
static enum merge_patch_fault fault_at_depth(int objects, int arrays) {
  struct buffer text;
  buffer_init(&text);
  for (int i = 0; i < objects; i++) buffer_append_c(&text, "{\"a\":");
  for (int i = 0; i < arrays; i++) buffer_append_char(&text, '[');
  buffer_append_char(&text, '1');
  for (int i = 0; i < arrays; i++) buffer_append_char(&text, ']');
  for (int i = 0; i < objects; i++) buffer_append_char(&text, '}');
  enum merge_patch_fault fault = fault_of(buffer_text(&text).ptr);
  buffer_fini(&text);
  return fault;
}

static void depth_is_bounded(void **state) {
  (void)state;
  assert_int_equal(fault_at_depth(16, 0), MERGE_PATCH_OK);
  assert_int_equal(fault_at_depth(17, 0), MERGE_PATCH_TOO_DEEP);
  assert_int_equal(fault_at_depth(1, 31), MERGE_PATCH_OK);
  assert_int_equal(fault_at_depth(1, 32), MERGE_PATCH_TOO_DEEP);
  assert_int_equal(fault_at_depth(16, 16), MERGE_PATCH_OK);
  assert_int_equal(fault_at_depth(16, 17), MERGE_PATCH_TOO_DEEP);
  assert_int_equal(fault_at_depth(20000, 0), MERGE_PATCH_TOO_DEEP);
  assert_int_equal(fault_at_depth(1, 60000), MERGE_PATCH_TOO_DEEP);
}

static int set_up(void **state) {
  (void)state;
  arena_init(&arena);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  arena_fini(&arena);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(vectors_of_the_rfc, set_up, tear_down),
      cmocka_unit_test_setup_teardown(objects_and_nulls, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_word_for_null, set_up, tear_down),
      cmocka_unit_test_setup_teardown(types_numbers_and_order, set_up, tear_down),
      cmocka_unit_test_setup_teardown(faults_are_told_apart, set_up, tear_down),
      cmocka_unit_test_setup_teardown(depth_is_bounded, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
