/*
 * The JSON reader and writer: a corpus of what is JSON and what is not (01 CV-1, LM-24; DESIGN §10
 * Libraries).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <locale.h>

#include "base/json.h"

static struct arena arena;

static const struct json *parse(struct ff_str text) {
  const struct json *value = NULL;
  struct json_error error;
  return json_parse(text, &arena, &value, &error) ? value : NULL;
}

static const struct json *parse_c(const char *text) { return parse(ff_text(text)); }

/* The error of a text that must be refused. */
static struct json_error refusal(struct ff_str text) {
  const struct json *value = NULL;
  struct json_error error = {0};
  assert_false(json_parse(text, &arena, &value, &error));
  assert_null(value);
  assert_non_null(error.message);
  assert_true(error.offset <= text.len);
  return error;
}

static void assert_compact(const char *text, const char *wanted) {
  const struct json *value = parse_c(text);
  assert_non_null(value);
  struct buffer out;
  buffer_init(&out);
  json_write(&out, value);
  assert_string_equal(buffer_text(&out).ptr, wanted);
  buffer_fini(&out);
}

static void valid_documents_are_read(void **state) {
  (void)state;
  static const char *const same[] = {
      "null", "true", "false", "0", "-0", "1", "-1", "10", "1.5", "0.0", "-0.5", "1e3", "1E+3",
      "1e-3", "1.25e10", "1e400", "123456789012345678901234567890", "\"\"", "\"a\"", "\"/\"",
      "[]", "{}", "[[]]", "[1,2,3]", "{\"a\":1}", "{\"\":{}}", "{\"a\":{\"a\":{\"a\":[]}}}",
      "\"\x7f\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "{\"b\":1,\"a\":2,\"B\":3}"};
  for (size_t i = 0; i < ARRAY_LEN(same); i++) assert_compact(same[i], same[i]);
  assert_compact(" \t\r\n{ \"a\" : [ 1 , true ] , \"b\" : null } \n",
                 "{\"a\":[1,true],\"b\":null}");
}

static void escapes_are_resolved(void **state) {
  (void)state;
  const struct json *v = parse_c("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"");
  assert_non_null(v);
  assert_true(text_equal_c(v->text, "\"\\/\b\f\n\r\t"));
  assert_int_equal(v->text.ptr[v->text.len], '\0');
  v = parse_c("\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\\ud800\\udc00\\udbff\\udfff\\uffff\"");
  assert_non_null(v);
  assert_true(text_equal_c(v->text, "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf0\x90\x80\x80"
                                    "\xf4\x8f\xbf\xbf\xef\xbf\xbf"));
}

static void invalid_documents_are_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      "", " ", "nul", "nulll", "True", "NaN", "Infinity", "-Infinity", "undefined", "+1", "01",
      "-01",
      "00", "-", ".5", "1.", "1.e3", "1e", "1e+", "0x10", "1_000", "--1", "1 2", "null null", "'a'",
      "a", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", "{", "}", "{\"a\"", "{\"a\":",
      "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{a:1}", "{1:1}", "{\"a\" 1}",
      "{\"a\":1 \"b\":2}",
      "{\"a\":}", "{\"a\",1}", "{null:1}", "// c\n1", "/* c */1", "1 // c", "\xef\xbb\xbf{}",
      "\xa0 1",
      "\"", "\"a", "\"\\\"", "\"\\", "\"\\x41\"", "\"\\'\"", "\"\\U0041\"", "\"\\a\"", "\"\n\"",
      "\"\t\"",
      "\"\x1f\"", "\"\\u\"", "\"\\u12\"", "\"\\u123\"", "\"\\u123g\"", "\"\\u12", "\"\\u{41}\"",
      "\f1"};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) refusal(ff_text(bad[i]));
  refusal((struct ff_str){0});
}

/* CV-1: text has no NUL, written out or escaped. */
static void nul_is_refused(void **state) {
  (void)state;
  assert_string_equal(refusal(ff_text("\"a\\u0000b\"")).message, "text must not contain NUL");
  refusal(ff_text("{\"\\u0000\":1}"));
  refusal(text_of("\"a\0b\"", 5));
  refusal(text_of("1\0", 2));
  refusal(text_of("\0", 1));
}

static void lone_surrogates_are_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"\"\\ud800\"", "\"\\udbff\"", "\"\\udc00\"", "\"\\udfff\"",
                                    "\"\\ud800\\ud800\"", "\"\\ud800x\"", "\"\\ud800\\n\"",
                                    "\"\\ud800\\u0041\"", "\"\\udc00\\ud800\""};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    assert_string_equal(refusal(ff_text(bad[i])).message, "lone surrogate");
  refusal(ff_text("\"\\ud800\\u\""));
  refusal(ff_text("\"\\ud800\\udc0\""));
}

static void ill_formed_utf8_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"\"\x80\"", "\"\xc0\x80\"", "\"\xc3\"", "\"\xe2\x82\"",
                                    "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xff\"",
                                    "{\"\xfe\":1}", "\"\xf0\x9f\x98\""};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    assert_string_equal(refusal(ff_text(bad[i])).message, "ill-formed UTF-8");
  refusal(text_of("\"\xe2\x82", 3)); /* cut off at the end of the text */
}

static struct ff_str nested(struct buffer *b, int depth, const char *open, const char *close) {
  buffer_clear(b);
  for (int i = 0; i < depth; i++) buffer_append_c(b, open);
  buffer_append_c(b, "1");
  for (int i = 0; i < depth; i++) buffer_append_c(b, close);
  return buffer_text(b);
}

static void depth_64_is_read_65_refused_lm24(void **state) {
  (void)state;
  struct buffer b;
  buffer_init(&b);
  assert_non_null(parse(nested(&b, 64, "[", "]")));
  assert_non_null(parse(nested(&b, 64, "{\"a\":", "}")));
  assert_string_equal(refusal(nested(&b, 65, "[", "]")).message, "nested too deeply");
  assert_string_equal(refusal(nested(&b, 65, "{\"a\":", "}")).message, "nested too deeply");
  buffer_clear(&b);
  for (int i = 0; i < 1000000; i++) buffer_append_char(&b, '[');
  assert_int_equal(refusal(buffer_text(&b)).offset, 64);
  buffer_fini(&b);
}

static void duplicate_keys_are_refused(void **state) {
  (void)state;
  assert_string_equal(refusal(ff_text("{\"a\":1,\"a\":1}")).message, "duplicate key");
  assert_int_equal(refusal(ff_text("{\"a\":1,\"b\":2,\"a\":3}")).offset, 17);
  refusal(ff_text("{\"a\":1,\"\\u0061\":2}"));
  refusal(ff_text("{\"\":1,\"\":2}"));
  refusal(ff_text("[{\"x\":{\"a\":1,\"a\":1}}]"));
  assert_non_null(parse_c("{\"a\":1,\"b\":{\"a\":1}}"));
  assert_non_null(parse_c("{\"a\":1,\"A\":2}"));
}

/* Above 16 members the check sorts; at 200,000 a quadratic one would not come back. */
static void duplicate_keys_are_found_in_large_objects(void **state) {
  (void)state;
  struct buffer b;
  buffer_init(&b);
  static const int sizes[] = {16, 17, 18, 200000};
  for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
    buffer_clear(&b);
    for (int i = 0; i < sizes[k]; i++) buffer_printf(&b, "%s\"key-%d\":%d", i ? "," : "{", i, i);
    size_t end = b.len;
    buffer_append_char(&b, '}');
    const struct json *v = parse(buffer_text(&b));
    assert_non_null(v);
    assert_int_equal(v->count, sizes[k]);
    b.len = end;
    buffer_append_c(&b, ",\"key-3\":0,\"key-5\":0}");
    assert_int_equal(refusal(buffer_text(&b)).offset, end + 9);
    arena_reset(&arena);
  }
  buffer_fini(&b);
}

static void errors_say_where(void **state) {
  (void)state;
  struct json_error e = refusal(ff_text("{\n  \"a\": 1,\n  \"\xc3\xa9\": x\n}"));
  assert_int_equal(e.offset, 20);
  assert_int_equal(e.line, 3);
  assert_int_equal(e.column, 8); /* characters, not bytes */
  e = refusal(ff_text("1 x"));
  assert_int_equal(e.line, 1);
  assert_int_equal(e.column, 3);
  const struct json *v = NULL;
  assert_false(json_parse(TEXT_LIT("x"), &arena, &v, NULL));
}

static void the_tree_has_keys_counts_and_offsets(void **state) {
  (void)state;
  const struct json *v = parse_c(" {\"a\":[10,\"x\"],\"b\":null}");
  assert_int_equal(v->type, JSON_OBJECT);
  assert_int_equal(v->count, 2);
  assert_int_equal(v->offset, 1);
  assert_false(text_present(v->key));
  const struct json *a = json_member(v, "a");
  assert_true(a == v->first && text_equal_c(a->key, "a") && a->count == 2 && a->offset == 6);
  assert_false(text_present(a->first->key));
  assert_true(a->first->next->next == NULL);
  assert_int_equal(json_member(v, "b")->type, JSON_NULL);
  assert_null(json_member(v, "c"));
  assert_null(json_member(a, "a"));
  assert_null(json_member(NULL, "a"));
}

/* CV-6: integers keep all 64 bits and are nothing but integers. */
static void integers_are_exact(void **state) {
  (void)state;
  uint64_t u = 0;
  int64_t i = 0;
  assert_true(json_u64(parse_c("18446744073709551615"), &u) && u == UINT64_MAX);
  assert_true(json_u64(parse_c("9007199254740993"), &u) && u == 9007199254740993u);
  assert_true(json_i64(parse_c("-9223372036854775808"), &i) && i == INT64_MIN);
  static const char *const not_u64[] = {"18446744073709551616", "-1", "-0", "1.0", "1e3", "\"1\"",
                                        "null",
                                        "true", "[]"};
  for (size_t k = 0; k < ARRAY_LEN(not_u64); k++) assert_false(json_u64(parse_c(not_u64[k]), &u));
  static const char *const not_i64[] = {"9223372036854775808", "-9223372036854775809", "1.0",
                                        "1e0"};
  for (size_t k = 0; k < ARRAY_LEN(not_i64); k++) assert_false(json_i64(parse_c(not_i64[k]), &i));
  assert_false(json_u64(NULL, &u) || json_i64(NULL, &i));
}

static void assert_double(const char *text, double wanted) {
  double d = -77;
  assert_true(json_double(parse_c(text), &d));
  assert_memory_equal(&d, &wanted, sizeof(d));
}

static void doubles_are_those_of_strtod_in_any_locale(void **state) {
  (void)state;
  /* When the machine has such a locale the decimal comma is tried too. */
  const char *locale = setlocale(LC_NUMERIC, "de_DE.UTF-8");
  assert_double("1.5", 1.5);
  assert_double("0.1", 0.1);
  assert_double("-123.456e-7", -123.456e-7);
  assert_double("2.2250738585072014e-308", 2.2250738585072014e-308);
  assert_double("1.7976931348623157E+308", 1.7976931348623157e308);
  assert_double("9007199254740993", 9007199254740992.0);
  assert_double("1e-400", 0.0);
  assert_double("0e999999999999999999999999", 0.0);
  assert_double("1e-999999999999999999999999", 0.0);
  double d = 0;
  assert_false(json_double(parse_c("1e400"), &d));
  assert_false(json_double(parse_c("1e999999999999999999999999"), &d));
  assert_false(json_double(parse_c("\"1\""), &d));
  assert_false(json_double(NULL, &d));
  if (locale != NULL) setlocale(LC_NUMERIC, "C");
}

static void text_is_escaped(void **state) {
  (void)state;
  struct buffer out;
  buffer_init(&out);
  json_write_text(&out, TEXT_LIT("a\"b\\c\n\x01\x1f\x7f/\xe2\x82\xac"));
  assert_string_equal(out.ptr, "\"a\\\"b\\\\c\\u000a\\u0001\\u001f\x7f/\xe2\x82\xac\"");
  buffer_clear(&out);
  json_write_text(&out, TEXT_LIT(""));
  json_write_text(&out, (struct ff_str){0});
  assert_string_equal(out.ptr, "\"\"\"\"");
  buffer_fini(&out);
}

static int open_arena(void **state) {
  (void)state;
  arena_init(&arena);
  return 0;
}

static int close_arena(void **state) {
  (void)state;
  arena_fini(&arena);
  return 0;
}

#define JSON_TEST(f) cmocka_unit_test_setup_teardown(f, open_arena, close_arena)

int main(void) {
  const struct CMUnitTest tests[] = {
      JSON_TEST(valid_documents_are_read),
      JSON_TEST(escapes_are_resolved),
      JSON_TEST(invalid_documents_are_refused),
      JSON_TEST(nul_is_refused),
      JSON_TEST(lone_surrogates_are_refused),
      JSON_TEST(ill_formed_utf8_is_refused),
      JSON_TEST(depth_64_is_read_65_refused_lm24),
      JSON_TEST(duplicate_keys_are_refused),
      JSON_TEST(duplicate_keys_are_found_in_large_objects),
      JSON_TEST(errors_say_where),
      JSON_TEST(the_tree_has_keys_counts_and_offsets),
      JSON_TEST(integers_are_exact),
      JSON_TEST(doubles_are_those_of_strtod_in_any_locale),
      JSON_TEST(text_is_escaped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
