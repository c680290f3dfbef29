/*
 * Text, uuids, arena, buffer, hashes, numbers, words and the machine's clocks: the vectors of 01
 * §1.
 *
 * Pure but for the clock and random smoke tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"
#include "flowfabric/words.h"

/* ---- text ---- */

static void text_compares_by_byte_shorter_first(void **state) {
  (void)state;
  assert_true(text_compare(TEXT_LIT("a"), TEXT_LIT("b")) < 0);
  assert_true(text_compare(TEXT_LIT("ab"), TEXT_LIT("a")) > 0);
  assert_true(text_compare(TEXT_LIT("a"), TEXT_LIT("\xff")) < 0);
  assert_int_equal(text_compare(TEXT_LIT("abc"), TEXT_LIT("abc")), 0);
  assert_int_equal(text_compare((struct ff_str){0}, TEXT_LIT("")), 0);
  assert_true(text_compare((struct ff_str){0}, TEXT_LIT("a")) < 0);
  assert_true(text_equal_c(TEXT_LIT("abc"), "abc"));
  assert_false(text_equal_c(TEXT_LIT("abc"), "abcd"));
  assert_true(text_equal((struct ff_str){0}, TEXT_LIT("")));
}

static void text_is_utf8_without_nul_cv1(void **state) {
  (void)state;
  static const struct ff_str good[] = {
      {NULL, 0}, {"", 0}, {"plain text of sixteen", 21}, {"\xc2\x80", 2}, {"\xdf\xbf", 2},
      {"\xe0\xa0\x80", 3}, {"\xed\x9f\xbf", 3}, {"\xee\x80\x80", 3}, {"\xef\xbf\xbf", 3},
      {"\xf0\x90\x80\x80", 4}, {"\xf4\x8f\xbf\xbf", 4}, {"12345678\xe2\x82\xac", 11}, {"\x7f", 1},
  };
  static const struct ff_str bad[] = {
      {"\0", 1}, {"12345678\0", 9}, {"\x80", 1}, {"\xbf", 1}, {"\xc0\x80", 2},
      {"\xc1\xbf", 2}, {"\xc2", 1}, {"\xc2\x41", 2}, {"\xe0\x9f\xbf", 3}, {"\xe2\x82", 2},
      {"\xed\xa0\x80", 3}, {"\xed\xbf\xbf", 3}, {"\xf0\x8f\xbf\xbf", 4}, {"\xf4\x90\x80\x80", 4},
      {"\xf5\x80\x80\x80", 4}, {"\xff", 1}, {"\xfe", 1}, {"\xf0\x90\x80", 3}, {"12345678\xff", 9},
      {"1234567\xff", 8},
  };
  for (size_t i = 0; i < ARRAY_LEN(good); i++) assert_true(text_is_utf8(good[i]));
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(text_is_utf8(bad[i]));
  char with_nul[17] = "0123456789abcdef";
  for (size_t i = 0; i < 16; i++) {
    char kept = with_nul[i];
    with_nul[i] = '\0';
    assert_false(text_is_utf8(text_of(with_nul, 16)));
    with_nul[i] = kept;
  }
}

/* ---- numbers ---- */

static void u64_has_one_spelling(void **state) {
  (void)state;
  uint64_t v = 7;
  assert_true(parse_u64(TEXT_LIT("0"), &v) && v == 0);
  assert_true(parse_u64(TEXT_LIT("18446744073709551615"), &v) && v == UINT64_MAX);
  assert_true(parse_u64(TEXT_LIT("18446744073709551609"), &v));
  v = 42;
  static const char *const bad[] = {"", "00", "01", "+1", "-1", " 1", "1 ", "1.0", "0x1", "1e3",
                                    "a",
                                    "18446744073709551616", "18446744073709551620",
                                    "99999999999999999999", "100000000000000000000"};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(parse_u64(ff_text(bad[i]), &v));
  assert_false(parse_u64((struct ff_str){0}, &v));
  assert_int_equal(v, 42);
}

static void i64_reaches_both_ends(void **state) {
  (void)state;
  int64_t v = 7;
  assert_true(parse_i64(TEXT_LIT("9223372036854775807"), &v) && v == INT64_MAX);
  assert_true(parse_i64(TEXT_LIT("-9223372036854775808"), &v) && v == INT64_MIN);
  assert_true(parse_i64(TEXT_LIT("-1"), &v) && v == -1);
  assert_true(parse_i64(TEXT_LIT("-0"), &v) && v == 0);
  assert_false(parse_i64(TEXT_LIT("9223372036854775808"), &v));
  assert_false(parse_i64(TEXT_LIT("-9223372036854775809"), &v));
  assert_false(parse_i64(TEXT_LIT("-"), &v));
  assert_false(parse_i64(TEXT_LIT("--1"), &v));
  assert_false(parse_i64(TEXT_LIT("-01"), &v));
  assert_false(parse_i64(TEXT_LIT(""), &v));
}

static void sums_saturate(void **state) {
  (void)state;
  assert_true(add_saturating(1, 2) == 3);
  assert_true(add_saturating(INT64_MAX, 1) == INT64_MAX);
  assert_true(add_saturating(INT64_MIN, -1) == INT64_MIN);
  assert_true(add_saturating(INT64_MAX, INT64_MIN) == -1);
}

/* ---- hashes ---- */

static void fnv_vectors_of_01_1(void **state) {
  (void)state;
  assert_true(hash_fnv1a64("", 0) == 0xcbf29ce484222325u);
  assert_true(hash_fnv1a64(NULL, 0) == 0xcbf29ce484222325u);
  assert_true(hash_fnv1a64("a", 1) == 0xaf63dc4c8601ec8cu);
  assert_true(hash_fnv1a64("foobar", 6) == 0x85944171f73967e8u);
}

static void xor8hex_vectors_of_01_1(void **state) {
  (void)state;
  static const char *const vectors[][2] = {
      {"", "4fd0bfc1"}, {"a", "296230c0"}, {"cuda,gpu", "c952a6c4"}, {"gpu", "2fc2accd"}};
  for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
    char out[9];
    hash_xor8hex(vectors[i][0], strlen(vectors[i][0]), out);
    assert_string_equal(out, vectors[i][1]);
  }
}

static void crc16_vectors_of_pt2(void **state) {
  (void)state;
  struct uuid u;
  assert_int_equal(hash_crc16_xmodem("123456789", 9), 0x31c3);
  assert_int_equal(hash_crc16_xmodem("default", 7), 54870);
  assert_int_equal(hash_crc16_xmodem("lane-a", 6), 24664);
  assert_true(uuid_parse(TEXT_LIT("00000000-0000-0000-0000-000000000000"), &u));
  assert_int_equal(hash_crc16_xmodem(u.b, 16), 0);
  assert_true(uuid_parse(TEXT_LIT("11111111-1111-1111-1111-111111111111"), &u));
  assert_int_equal(hash_crc16_xmodem(u.b, 16), 20486);
  assert_true(uuid_parse(TEXT_LIT("550e8400-e29b-41d4-a716-446655440000"), &u));
  assert_int_equal(hash_crc16_xmodem(u.b, 16), 36888);
}

static void mix_and_hex(void **state) {
  (void)state;
  /* The first output of splitmix64 seeded with 0. */
  assert_true(hash_mix64(0) == 0xe220a8397b1dcdafu);
  char out[9];
  hex_encode("\x00\xff\x10\x9a", 4, out);
  assert_string_equal(out, "00ff109a");
  hex_encode(NULL, 0, out);
  assert_string_equal(out, "");
}

/* ---- uuid (ID-1) ---- */

static void uuid_either_case_in_lower_case_out_id1(void **state) {
  (void)state;
  struct uuid u;
  char text[37];
  assert_true(uuid_parse(TEXT_LIT("550E8400-e29b-41D4-A716-44665544FFff"), &u));
  uuid_format(u, text);
  assert_string_equal(text, "550e8400-e29b-41d4-a716-44665544ffff");
  assert_false(uuid_is_nil(u));
  assert_true(uuid_parse(TEXT_LIT("00000000-0000-0000-0000-000000000000"), &u));
  assert_true(uuid_is_nil(u));
  assert_true(uuid_parse(TEXT_LIT("ffffffff-ffff-ffff-ffff-ffffffffffff"), &u));
}

static void uuid_other_forms_are_refused_id1(void **state) {
  (void)state;
  static const char *const bad[] = {
      "", "550e8400e29b41d4a716446655440000", "{550e8400-e29b-41d4-a716-446655440000}",
      "urn:uuid:550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-44665544000",
      "550e8400-e29b-41d4-a716-4466554400000", "550e8400-e29b-41d4-a716-44665544000g",
      "550e8400-e29b-41d4-a716+446655440000", "550e840-0e29b-41d4-a716-446655440000",
      " 550e8400-e29b-41d4-a716-44665544000", "550e8400-e29b-41d4-a716-44665544000\xc3",
      "550e8400-e29b-41d4-a716-4466554400-0"};
  struct uuid u = {{9}};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(uuid_parse(ff_text(bad[i]), &u));
  assert_false(uuid_parse((struct ff_str){0}, &u));
  assert_int_equal(u.b[0], 9);
}

static void uuid_v7_layout(void **state) {
  (void)state;
  char text[37];
  uuid_format(uuid_v7(0x0190a5c23f4e, 0xabc, UINT64_MAX), text);
  assert_string_equal(text, "0190a5c2-3f4e-7abc-bfff-ffffffffffff");
  uuid_format(uuid_v7(0x0190a5c23f4e, 0xf001, 0), text);
  assert_string_equal(text, "0190a5c2-3f4e-7001-8000-000000000000");
  /* Time first, then the sequence: the byte order is the order of minting. */
  assert_true(uuid_compare(uuid_v7(1, 4095, UINT64_MAX), uuid_v7(2, 0, 0)) < 0);
  assert_true(uuid_compare(uuid_v7(1, 1, UINT64_MAX), uuid_v7(1, 2, 0)) < 0);
  assert_true(uuid_equal(uuid_v7(-5, 0, 0), uuid_v7(0, 0, 0)));
}

/* ---- arena and buffer ---- */

static void arena_aligns_and_keeps_contents(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a);
  uint8_t *blocks[200];
  size_t total = 0;
  for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
    size_t size = i * 37 % 1500;
    blocks[i] = arena_alloc(&a, size);
    assert_non_null(blocks[i]);
    assert_int_equal((uintptr_t)blocks[i] % 16, 0);
    memset(blocks[i], (int)i, size);
    total += size;
  }
  for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
    for (size_t k = 0; k < i * 37 % 1500; k++) assert_int_equal(blocks[i][k], i & 255);
  assert_true(total > 100000);
  arena_fini(&a);
  assert_null(a.head);
}

static void arena_reset_keeps_the_largest_chunk(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a);
  arena_reset(&a);
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < 1000; i++) memset(arena_alloc(&a, 100), 1, 100);
    arena_reset(&a);
  }
  struct arena_chunk *kept = a.head;
  for (int i = 0; i < 1000; i++) memset(arena_alloc(&a, 100), 1, 100);
  assert_ptr_equal(a.head, kept); /* a steady user no longer calls malloc */
  arena_fini(&a);
}

static void arena_large_allocation_leaves_the_bump_space(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a);
  char *first = arena_alloc(&a, 16);
  memset(arena_alloc(&a, 3u << 20), 1, 3u << 20);
  char *second = arena_alloc(&a, 16);
  assert_ptr_equal(second, first + 16);
  arena_reset(&a);
  memset(arena_alloc(&a, 3u << 20), 1, 3u << 20);
  arena_fini(&a);
}

static void arena_copies_texts_and_bytes(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a);
  struct ff_str t = arena_text(&a, TEXT_LIT("hello"));
  assert_string_equal(t.ptr, "hello");
  assert_null(arena_text(&a, (struct ff_str){0}).ptr);
  struct ff_str empty = arena_text(&a, TEXT_LIT(""));
  assert_true(empty.ptr != NULL && empty.len == 0 && empty.ptr[0] == '\0');
  assert_null(arena_bytes(&a, (struct ff_bytes){0}).ptr);
  assert_non_null(arena_bytes(&a, (struct ff_bytes){"", 0}).ptr);
  assert_memory_equal(arena_bytes(&a, (struct ff_bytes){"a\0b", 3}).ptr, "a\0b", 3);
  assert_string_equal(arena_printf(&a, "%d-%s", 7, "x").ptr, "7-x");
  struct ff_str padded = arena_printf(&a, "%0300d", 1);
  assert_int_equal(padded.len, 300);
  assert_int_equal(padded.ptr[299], '1');
  uint32_t *zero = ARENA_ARRAY(&a, uint32_t, 8);
  for (int i = 0; i < 8; i++) assert_int_equal(zero[i], 0);
  arena_fini(&a);
}

static void buffer_grows_and_stays_terminated(void **state) {
  (void)state;
  struct buffer b;
  buffer_init(&b);
  assert_string_equal(buffer_text(&b).ptr, "");
  for (int i = 0; i < 500; i++) {
    buffer_append_char(&b, 'x');
    assert_int_equal(b.ptr[b.len], '\0');
  }
  buffer_append(&b, NULL, 0);
  buffer_append_text(&b, (struct ff_str){0});
  assert_int_equal(b.len, 500);
  buffer_clear(&b);
  buffer_append_c(&b, "ab");
  buffer_append_text(&b, TEXT_LIT("cd"));
  buffer_printf(&b, "%s%d", "-", 12);
  assert_string_equal(buffer_text(&b).ptr, "abcd-12");
  buffer_printf(&b, "%0400d", 3);
  assert_int_equal(b.len, 407);
  assert_int_equal(b.ptr[406], '3');
  buffer_fini(&b);
  assert_null(b.ptr);
}

/* ---- words (01 §3) ---- */

static void every_word_round_trips(void **state) {
  (void)state;
  for (int e = 0; e < FF_WORD_ENUM_COUNT; e++) {
    int count = 0;
    for (; ff_word((enum ff_word_enum)e, count) != NULL; count++) {
      const char *word = ff_word((enum ff_word_enum)e, count);
      assert_int_equal(ff_word_parse((enum ff_word_enum)e, ff_text(word)), count);
    }
    assert_true(count > 0);
    assert_null(ff_word((enum ff_word_enum)e, -1));
    assert_int_equal(ff_word_parse((enum ff_word_enum)e, TEXT_LIT("no such word")), -1);
    assert_int_equal(ff_word_parse((enum ff_word_enum)e, TEXT_LIT("")), -1);
    assert_int_equal(ff_word_parse((enum ff_word_enum)e, (struct ff_str){0}), -1);
  }
  assert_null(ff_word(FF_WORD_ENUM_COUNT, 0));
  assert_string_equal(ff_word(FF_WORD_public_state, FF_public_state_waiting), "waiting");
  assert_int_equal(ff_word_parse(FF_WORD_backend, TEXT_LIT("memory")), FF_backend_memory);
  assert_int_equal(ff_word_parse(FF_WORD_backend, TEXT_LIT("Memory")), -1);
}

/* HD-2 and ID-20 fix these as bytes on the wire. */
static void backend_values_are_the_wire_tags(void **state) {
  (void)state;
  assert_int_equal(FF_backend_valkey, 1);
  assert_int_equal(FF_backend_postgres, 2);
  assert_int_equal(FF_backend_sqlite, 3);
  assert_int_equal(FF_backend_memory, 4);
}

/* ---- the machine ---- */

static void clocks_move_and_random_differs(void **state) {
  (void)state;
  assert_true(clock_wall_ms() > 1700000000000);
  int64_t before = clock_monotonic_us();
  assert_true(clock_monotonic_us() >= before);
  assert_true(random_u64() != random_u64());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_compares_by_byte_shorter_first),
      cmocka_unit_test(text_is_utf8_without_nul_cv1),
      cmocka_unit_test(u64_has_one_spelling),
      cmocka_unit_test(i64_reaches_both_ends),
      cmocka_unit_test(sums_saturate),
      cmocka_unit_test(fnv_vectors_of_01_1),
      cmocka_unit_test(xor8hex_vectors_of_01_1),
      cmocka_unit_test(crc16_vectors_of_pt2),
      cmocka_unit_test(mix_and_hex),
      cmocka_unit_test(uuid_either_case_in_lower_case_out_id1),
      cmocka_unit_test(uuid_other_forms_are_refused_id1),
      cmocka_unit_test(uuid_v7_layout),
      cmocka_unit_test(arena_aligns_and_keeps_contents),
      cmocka_unit_test(arena_reset_keeps_the_largest_chunk),
      cmocka_unit_test(arena_large_allocation_leaves_the_bump_space),
      cmocka_unit_test(arena_copies_texts_and_bytes),
      cmocka_unit_test(buffer_grows_and_stays_terminated),
      cmocka_unit_test(every_word_round_trips),
      cmocka_unit_test(backend_values_are_the_wire_tags),
      cmocka_unit_test(clocks_move_and_random_differs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
