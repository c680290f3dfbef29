/*
 * Execution ids, partitions, lanes, worker ids, free text, tag keys and capability sets (01 §1,
 * §2, PO-8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/ids.h"

#define UUID "550e8400-e29b-41d4-a716-446655440000"

static struct ff_error error;

/* The refusal is validation/invalid_input of this field whose detail starts with the cause. */
static void assert_refused(enum ff_rc rc, const char *field, const char *cause) {
  assert_int_equal(rc, FF_VALIDATION);
  assert_int_equal(error.rc, FF_VALIDATION);
  assert_int_equal(error.code, FF_CODE_invalid_input);
  assert_string_equal(error.field, field);
  if (strncmp(error.detail, cause, strlen(cause)) != 0)
    fail_msg("`%s` is not `%s`", error.detail, cause);
}

/* ---- execution ids ---- */

static void execution_id_round_trips_id4_id5(void **state) {
  (void)state;
  static const char *const same[] = {"{fp:0}:" UUID, "{fp:7}:" UUID, "{fp:42}:" UUID,
                                     "{fp:255}:" UUID,
                                     "{fp:9999}:" UUID, "{fp:65535}:" UUID};
  for (size_t i = 0; i < ARRAY_LEN(same); i++) {
    struct exec_id id;
    struct ff_id text;
    assert_int_equal(exec_id_parse(ff_text(same[i]), "execution_id", 65536, &id, &error), FF_OK);
    exec_id_format(id, &text);
    assert_string_equal(text.text, same[i]);
  }
}

static void execution_id_is_normalised_id5(void **state) {
  (void)state;
  struct exec_id a, b, c;
  struct ff_id text;
  assert_int_equal(exec_id_parse(TEXT_LIT("{fp:7}:550E8400-E29B-41D4-A716-446655440000"), "e", 256,
                                 &a, NULL), 0);
  assert_int_equal(exec_id_parse(TEXT_LIT("{fp:7}:" UUID), "e", 256, &b, NULL), 0);
  assert_int_equal(exec_id_parse(TEXT_LIT("{fp:8}:" UUID), "e", 256, &c, NULL), 0);
  assert_true(exec_id_equal(a, b));
  assert_false(exec_id_equal(a, c));
  exec_id_format(a, &text);
  assert_string_equal(text.text, "{fp:7}:" UUID);
}

static void execution_id_causes_in_order_id4(void **state) {
  (void)state;
  static const char *const vectors[][2] = {
      {"", "MissingTag"}, {UUID, "MissingTag"}, {"fp:7:" UUID, "MissingTag"},
      {"{fp:7}" UUID, "MissingTag"},
      {"{b:7}:" UUID, "MissingTag"}, {"{FP:7}:" UUID, "MissingTag"},
      {" {fp:7}:" UUID, "MissingTag"},
      {"{fp:", "MissingTag"}, {"{fp:7}", "MissingTag"}, {"{fp:7", "MissingTag"},
      {"{fp:}:" UUID, "InvalidPartitionIndex"}, {"{fp:+7}:" UUID, "InvalidPartitionIndex"},
      {"{fp:-7}:" UUID, "InvalidPartitionIndex"}, {"{fp:07}:" UUID, "InvalidPartitionIndex"},
      {"{fp:00}:" UUID, "InvalidPartitionIndex"}, {"{fp: 7}:" UUID, "InvalidPartitionIndex"},
      {"{fp:65536}:" UUID, "InvalidPartitionIndex"}, {"{fp:100000}:" UUID, "InvalidPartitionIndex"},
      {"{fp:7x}:" UUID, "InvalidPartitionIndex"}, {"{fp:1}2}:" UUID, "InvalidPartitionIndex"},
      {"{fp:x}:bad", "InvalidPartitionIndex"}, {"{fp:7}:", "InvalidUuid"},
      {"{fp:7}:bad", "InvalidUuid"},
      {"{fp:7}:" UUID " ", "InvalidUuid"}, {"{fp:7}: " UUID, "InvalidUuid"},
      {"{fp:7}:550e8400e29b41d4a716446655440000", "InvalidUuid"}, {"{fp:999}:bad", "InvalidUuid"}};
  for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
    struct exec_id id;
    enum ff_rc rc = exec_id_parse(ff_text(vectors[i][0]), "execution_id", 256, &id, &error);
    assert_refused(rc, "execution_id", vectors[i][1]);
  }
  struct exec_id id;
  assert_refused(exec_id_parse((struct ff_str){0}, "x", 256, &id, &error), "x", "MissingTag");
}

static void execution_id_out_of_range_pt5(void **state) {
  (void)state;
  struct exec_id id;
  assert_int_equal(exec_id_parse(TEXT_LIT("{fp:255}:" UUID), "execution_id", 256, &id, &error),
                   FF_OK);
  enum ff_rc rc = exec_id_parse(TEXT_LIT("{fp:256}:" UUID), "execution_id", 256, &id, &error);
  assert_refused(rc, "execution_id", "partition index 256 out of range (num_flow_partitions=256)");
  assert_int_equal(id.partition, 255); /* a refusal leaves the result alone */
}

static void uuid_fields_id1_id2(void **state) {
  (void)state;
  struct uuid u;
  struct ff_id text;
  assert_int_equal(uuid_parse_field(TEXT_LIT(UUID), "flow_id", &u, &error), FF_OK);
  uuid_format_id(u, &text);
  assert_string_equal(text.text, UUID);
  uuid_format_id((struct uuid){{0}}, &text);
  assert_string_equal(text.text, "");
  assert_refused(uuid_parse_field(TEXT_LIT("{" UUID "}"), "flow_id", &u, &error), "flow_id",
                 "InvalidUuid");
}

/* ---- partitions ---- */

static void partition_vectors_pt2_id8(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint16_t mod256, mod32;
  } lanes[] = {{"123456789", 195, 3}, {"default", 86, 22}, {"lane-a", 88, 24}},
    uuids[] = {{"00000000-0000-0000-0000-000000000000", 0, 0},
               {"11111111-1111-1111-1111-111111111111", 6, 6},
               {UUID, 24, 24}};
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(partition_of_lane(ff_text(lanes[i].text), 256), lanes[i].mod256);
    assert_int_equal(partition_of_lane(ff_text(lanes[i].text), 32), lanes[i].mod32);
    struct uuid u;
    assert_true(uuid_parse(ff_text(uuids[i].text), &u));
    assert_int_equal(partition_of_uuid(u, 256), uuids[i].mod256);
    assert_int_equal(partition_of_uuid(u, 32), uuids[i].mod32);
  }
  assert_int_equal(partition_of_lane(TEXT_LIT("default"), 1), 0);
  assert_int_equal(partition_of_lane(TEXT_LIT("default"), 65535), 54870);
}

static void partition_keys_pt9(void **state) {
  (void)state;
  uint16_t n = 0;
  assert_int_equal(partition_parse(TEXT_LIT("{fp:42}"), "partition", 256, &n, &error), FF_OK);
  assert_int_equal(n, 42);
  assert_int_equal(partition_parse(TEXT_LIT("{fp:0}"), "partition", 256, &n, &error), FF_OK);
  static const char *const vectors[][2] = {
      {"", "MissingBraces"}, {"{", "MissingBraces"}, {"}", "MissingBraces"},
      {"fp:42", "MissingBraces"},
      {"{fp:42", "MissingBraces"}, {"fp:42}", "MissingBraces"}, {" {fp:42}", "MissingBraces"},
      {"{}", "MalformedBody"}, {"{fp42}", "MalformedBody"}, {"{fp:4:2}", "MalformedBody"},
      {"{zz:1:2}", "MalformedBody"}, {"{zz:42}", "UnknownFamilyPrefix(zz)"},
      {"{:42}", "UnknownFamilyPrefix()"}, {"{FP:42}", "UnknownFamilyPrefix(FP)"},
      {"{zz:bad}", "UnknownFamilyPrefix(zz)"}, {"{fp:}", "InvalidIndex()"},
      {"{fp:x}", "InvalidIndex(x)"},
      {"{fp:-1}", "InvalidIndex(-1)"}, {"{fp:042}", "InvalidIndex(042)"},
      {"{fp:65536}", "InvalidIndex(65536)"},
      {"{b:x}", "InvalidIndex(x)"}, {"{b:3}", "UnexpectedFamily(b)"},
      {"{q:3}", "UnexpectedFamily(q)"},
      {"{fp:256}", "partition index 256 out of range (num_flow_partitions=256)"}};
  for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
    assert_refused(partition_parse(ff_text(vectors[i][0]), "partition", 256, &n, &error),
                   "partition",
                   vectors[i][1]);
  assert_int_equal(n, 0);
}

/* ---- names ---- */

static void lanes_id9(void **state) {
  (void)state;
  char long_lane[66];
  memset(long_lane, 'l', sizeof(long_lane));
  assert_int_equal(lane_check(TEXT_LIT("default"), "lane_id", &error), FF_OK);
  assert_int_equal(lane_check(TEXT_LIT(" with space ~"), "lane_id", &error), FF_OK);
  assert_int_equal(lane_check(text_of(long_lane, 64), "lane_id", &error), FF_OK);
  assert_refused(lane_check(TEXT_LIT(""), "lane_id", &error), "lane_id", "Empty");
  assert_refused(lane_check((struct ff_str){0}, "lane_id", &error), "lane_id", "Empty");
  assert_refused(lane_check(text_of(long_lane, 65), "lane_id", &error), "lane_id", "TooLong(65)");
  assert_refused(lane_check(TEXT_LIT("ab\tc"), "lane_id", &error), "lane_id", "NonPrintable(2)");
  assert_refused(lane_check(TEXT_LIT("\x7f"), "lane_id", &error), "lane_id", "NonPrintable(0)");
  assert_refused(lane_check(TEXT_LIT("a\xc3\xa9"), "lane_id", &error), "lane_id",
                 "NonPrintable(1)");
  assert_refused(lane_check(TEXT_LIT("a\0"), "lane_id", &error), "lane_id", "NonPrintable(1)");
  long_lane[3] = '\n'; /* the length is looked at first */
  assert_refused(lane_check(text_of(long_lane, 66), "lane_id", &error), "lane_id", "TooLong(66)");
}

static void worker_ids_id11(void **state) {
  (void)state;
  char long_id[257];
  memset(long_id, 'w', sizeof(long_id));
  assert_int_equal(worker_id_check(TEXT_LIT("w1-i1"), "worker_id", &error), FF_OK);
  assert_int_equal(worker_id_check(TEXT_LIT("caf\xc3\xa9/\xf0\x9f\x98\x80"), "worker_id", &error),
                   FF_OK);
  assert_int_equal(worker_id_check(text_of(long_id, 256), "worker_id", &error), FF_OK);
  static const struct {
    struct ff_str id;
    const char *cause;
  } bad[] = {{{"", 0}, "Empty"}, {{NULL, 0}, "Empty"}, {{"a b", 3}, "WhiteSpace(1)"},
             {{"a\n", 2}, "WhiteSpace(1)"}, {{"\t", 1}, "WhiteSpace(0)"},
             {{"a\0", 2}, "ControlCharacter(1)"},
             {{"\x1b[", 2}, "ControlCharacter(0)"}, {{"a\x7f", 2}, "ControlCharacter(1)"},
             {{"a\xc2\x85", 3}, "WhiteSpace(1)"}, {{"\xc2\xa0", 2}, "WhiteSpace(0)"},
             {{"a\xe2\x80\xa8", 4}, "WhiteSpace(1)"}, {{"\xe3\x80\x80", 3}, "WhiteSpace(0)"},
             {{"\xc2\x9f", 2}, "ControlCharacter(0)"}, {{"ab\xff", 3}, "InvalidUtf8(2)"}};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    assert_refused(worker_id_check(bad[i].id, "worker_id", &error), "worker_id", bad[i].cause);
  assert_refused(worker_id_check(text_of(long_id, 257), "worker_id", &error), "worker_id",
                 "TooLong(257)");
}

static void free_text_lm34(void **state) {
  (void)state;
  char text[257];
  memset(text, 'x', sizeof(text));
  assert_int_equal(text_check((struct ff_str){0}, "namespace", 256, &error), FF_OK);
  assert_int_equal(text_check(TEXT_LIT(""), "namespace", 256, &error), FF_OK);
  assert_int_equal(text_check(TEXT_LIT("a b\n\xc3\xa9"), "namespace", 256, &error), FF_OK);
  assert_int_equal(text_check(text_of(text, 256), "namespace", 256, &error), FF_OK);
  assert_refused(text_check(text_of(text, 257), "namespace", 256, &error), "namespace",
                 "TooLong(257)");
  assert_refused(text_check(TEXT_LIT("a\0b"), "namespace", 256, &error), "namespace",
                 "InvalidUtf8");
  assert_refused(text_check(TEXT_LIT("\xed\xa0\x80"), "namespace", 256, &error), "namespace",
                 "InvalidUtf8");
}

static void tag_keys_rc35(void **state) {
  (void)state;
  static const char *const good[] = {"a.b", "cairn.session_id", "a1_.x", "a._", "a.0", "a.b.c",
                                     "a.b.", "a.b..c"};
  static const char *const bad[] = {"", "a", "a.", ".a", "a..b", "A.b", "a.B", "1a.b", "_a.b",
                                    "a b.c", "a-b.c",
                                    "a.b c", "a.b-", "a.\xc3\xa9", "a.b\n", ".", "a.-"};
  for (size_t i = 0; i < ARRAY_LEN(good); i++) assert_true(tag_key_valid(ff_text(good[i])));
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(tag_key_valid(ff_text(bad[i])));
  assert_false(tag_key_valid((struct ff_str){0}));
  assert_false(tag_key_valid(TEXT_LIT("a.b\0")));
}

/* ---- capability sets ---- */

static void assert_csv(const char *const *tokens, size_t count, const char *wanted) {
  struct arena arena;
  struct ff_str items[8], csv;
  arena_init(&arena);
  for (size_t i = 0; i < count; i++) items[i] = ff_text(tokens[i]);
  struct ff_strs set = {items, count};
  assert_int_equal(capabilities_csv(set, "required", &arena, &csv, &error), FF_OK);
  assert_true(text_equal_c(csv, wanted));
  assert_true(text_present(csv));
  arena_fini(&arena);
}

static void capabilities_are_sorted_and_unique_ca1(void **state) {
  (void)state;
  assert_csv(NULL, 0, "");
  assert_csv((const char *const[]){"gpu"}, 1, "gpu");
  assert_csv((const char *const[]){"gpu", "cuda", "gpu"}, 3, "cuda,gpu");
  assert_csv((const char *const[]){"b", "B", "ab", "a", "\xc3\xa9", "!"}, 6, "!,B,a,ab,b,\xc3\xa9");
}

static void assert_capability_error(struct ff_strs set, const char *prefix, const char *detail) {
  struct arena arena;
  struct ff_str csv;
  arena_init(&arena);
  assert_int_equal(capabilities_csv(set, prefix, &arena, &csv, &error), FF_VALIDATION);
  assert_int_equal(error.code, FF_CODE_invalid_capabilities);
  assert_string_equal(error.detail, detail);
  arena_fini(&arena);
}

static void capability_token_rules_po8(void **state) {
  (void)state;
  static const struct {
    struct ff_str token;
    const char *required, *worker;
  } bad[] = {{{"", 0}, "required:empty_token", "worker:empty_token"},
             {{"a,b", 3}, "required:comma_in_token", "worker:comma_in_token"},
             {{" ,", 2}, "required:comma_in_token", "worker:comma_in_token"},
             {{"a b", 3}, "required:control_or_whitespace", "worker:control_or_whitespace"},
             {{"a\0", 2}, "required:control_or_whitespace", "worker:control_or_whitespace"},
             {{"\x7f", 1}, "required:control_or_whitespace", "worker:control_or_whitespace"},
             {{"\xff", 1}, "required:non_string_token", "worker:non_string_token"}};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    struct ff_str items[2] = {TEXT_LIT("ok"), bad[i].token};
    struct ff_strs set = {items, 2};
    assert_capability_error(set, "required", bad[i].required);
    assert_capability_error(set, "worker", bad[i].worker);
  }
}

static void capability_limits_ca2_ca8(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena);
  struct ff_str items[600], csv;
  for (size_t i = 0; i < 600; i++) items[i] = arena_printf(&arena, "t%03zu", i % 300);
  struct ff_strs set = {items, 256};
  assert_int_equal(capabilities_csv(set, "worker", &arena, &csv, &error), FF_OK);
  assert_int_equal(csv.len, 256 * 5 - 1);
  set.count = 257;
  assert_capability_error(set, "worker", "worker:too_many_tokens");
  /* Duplicates collapse before they count. */
  for (size_t i = 0; i < 600; i++) items[i] = items[i % 256];
  set.count = 600;
  assert_int_equal(capabilities_csv(set, "worker", &arena, &csv, &error), FF_OK);
  for (size_t i = 0; i < 32; i++) items[i] = arena_printf(&arena, "%0200zu", i);
  set.count = 32;
  assert_capability_error(set, "required", "required:too_many_bytes");
  items[0] = arena_printf(&arena, "%04095d", 0);
  items[1] = TEXT_LIT("x");
  set.count = 1;
  assert_int_equal(capabilities_csv(set, "required", &arena, &csv, &error), FF_OK);
  set.count = 2; /* 4095 + comma + 1 = 4097 */
  assert_capability_error(set, "required", "required:too_many_bytes");
  items[0].len = 4094;
  assert_int_equal(capabilities_csv(set, "required", &arena, &csv, &error), FF_OK);
  assert_int_equal(csv.len, 4096);
  arena_fini(&arena);
}

static void capability_match_ca3_ca4(void **state) {
  (void)state;
  static const char *const vectors[][3] = {
      {"", "", ""}, {"a", "", ""}, {"", "a", "a"}, {"a,b,c", "a,c", ""}, {"a,c", "a,b,c", "b"},
      {"a", "b,c", "b,c"}, {"b", "a,b,c", "a,c"}, {"gpu-large", "gpu", "gpu"},
      {"gpu", "gpu-large", "gpu-large"},
      {"GPU", "gpu", "gpu"}, {"a,b,c,d", "d", ""}, {"a,b", "a,b,b1", "b1"}, {"z", "a,b", "a,b"}};
  struct arena arena;
  arena_init(&arena);
  for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
    struct ff_str offered = ff_text(vectors[i][0]), required = ff_text(vectors[i][1]);
    assert_int_equal(capabilities_cover(offered, required), vectors[i][2][0] == '\0');
    assert_true(text_equal_c(capabilities_missing(offered, required, &arena), vectors[i][2]));
  }
  assert_true(capabilities_cover((struct ff_str){0}, (struct ff_str){0}));
  arena_fini(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(execution_id_round_trips_id4_id5),
      cmocka_unit_test(execution_id_is_normalised_id5),
      cmocka_unit_test(execution_id_causes_in_order_id4),
      cmocka_unit_test(execution_id_out_of_range_pt5),
      cmocka_unit_test(uuid_fields_id1_id2),
      cmocka_unit_test(partition_vectors_pt2_id8),
      cmocka_unit_test(partition_keys_pt9),
      cmocka_unit_test(lanes_id9),
      cmocka_unit_test(worker_ids_id11),
      cmocka_unit_test(free_text_lm34),
      cmocka_unit_test(tag_keys_rc35),
      cmocka_unit_test(capabilities_are_sorted_and_unique_ca1),
      cmocka_unit_test(capability_token_rules_po8),
      cmocka_unit_test(capability_limits_ca2_ca8),
      cmocka_unit_test(capability_match_ca3_ca4),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
