/*
 * Error values: the table of codes (01 §8.2), how errors are filled, cut and rendered (ER-8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"

static void every_code_round_trips(void **state) {
  (void)state;
  for (int c = 1; c < FF_CODE_COUNT; c++) {
    enum ff_code code = (enum ff_code)c;
    assert_int_equal(ff_code_parse(ff_text(ff_code_name(code))), code);
    assert_true(ff_code_family(code) < 0);
    assert_true(ff_code_class(code) >= FF_CLASS_TERMINAL && ff_code_class(code) <= FF_CLASS_BUG);
  }
  assert_string_equal(ff_code_name(FF_CODE_lease_expired), "lease_expired");
  assert_string_equal(ff_code_name(FF_CODE_none), "none");
  assert_string_equal(ff_code_name(FF_CODE_COUNT), "none");
  assert_int_equal(ff_code_family(FF_CODE_none), FF_OK);
  assert_int_equal(ff_code_parse(TEXT_LIT("no_such_code")), FF_CODE_none);
  assert_int_equal(ff_code_parse((struct ff_str){0}), FF_CODE_none);
}

static void families_and_classes_of_8_2(void **state) {
  (void)state;
  assert_int_equal(ff_code_family(FF_CODE_execution_not_found), FF_NOT_FOUND);
  assert_int_equal(ff_code_class(FF_CODE_capability_mismatch), FF_CLASS_RETRYABLE);
  assert_int_equal(ff_code_class(FF_CODE_execution_not_eligible), FF_CLASS_INFORMATIONAL);
  assert_int_equal(ff_code_family(FF_CODE_execution_not_active), FF_CONTENTION);
  assert_int_equal(ff_code_class(FF_CODE_execution_not_active), FF_CLASS_TERMINAL);
  assert_int_equal(ff_code_class(FF_CODE_active_attempt_exists), FF_CLASS_BUG);
}

static void makers_fill_everything(void **state) {
  (void)state;
  struct ff_error e;
  memset(&e, 0xaa, sizeof(e));
  assert_int_equal(error_set(&e, FF_CODE_stale_lease, NULL), FF_STATE);
  assert_int_equal(e.rc, FF_STATE);
  assert_int_equal(e.code, FF_CODE_stale_lease);
  assert_int_equal(e.retry_after_ms, -1);
  assert_string_equal(e.field, "");
  assert_string_equal(e.detail, "");
  assert_int_equal(e.context_count, 0);
  assert_int_equal(error_field(&e, FF_CODE_invalid_input, "lane_id", "TooLong(%d)", 65),
                   FF_VALIDATION);
  assert_string_equal(e.field, "lane_id");
  assert_string_equal(e.detail, "TooLong(65)");
  error_field(&e, FF_CODE_invalid_input, NULL, NULL);
  assert_string_equal(e.field, "");
}

static void null_error_is_fine(void **state) {
  (void)state;
  assert_int_equal(error_set(NULL, FF_CODE_lease_expired, "%d", 1), FF_STATE);
  assert_int_equal(error_field(NULL, FF_CODE_invalid_input, "x", NULL), FF_VALIDATION);
  error_context(NULL, "k", "v");
  assert_null(ff_error_context_get(NULL, "k"));
}

static void the_old_detail_may_be_an_argument(void **state) {
  (void)state;
  struct ff_error e;
  error_field(&e, FF_CODE_invalid_input, "lane_id", "Empty");
  error_field(&e, FF_CODE_corruption, e.field, "claim: %s", e.detail);
  assert_string_equal(e.detail, "claim: Empty");
  assert_string_equal(e.field, "lane_id");
}

/* 85 euro signs are 255 bytes; any shift by plain bytes moves the cut into a character. */
static void long_texts_are_cut_at_a_character(void **state) {
  (void)state;
  char euros[3 * 120 + 1] = "";
  for (int i = 0; i < 120; i++) memcpy(euros + 3 * i, "\xe2\x82\xac", 4);
  static const char *const shifts[] = {"", "x", "xy", "xyz"};
  static const size_t lengths[] = {255, 253, 254, 255};
  for (size_t i = 0; i < 4; i++) {
    struct ff_error e;
    error_field(&e, FF_CODE_invalid_input, euros, "%s%s", shifts[i], euros);
    assert_int_equal(strlen(e.detail), lengths[i]);
    assert_true(text_is_utf8(ff_text(e.detail)));
    assert_int_equal(strlen(e.field), 45);
    error_context(&e, "key", "%s%s", shifts[i], euros);
    assert_true(text_is_utf8(ff_text(e.context[0].value)));
    assert_true(strlen(e.context[0].value) > 67);
  }
  struct ff_error e;
  error_set(&e, FF_CODE_invalid_input, "%254s\xf0\x9f\x98\x80", "x");
  assert_int_equal(strlen(e.detail), 254);
}

static void bad_bytes_become_question_marks(void **state) {
  (void)state;
  struct ff_error e;
  error_set(&e, FF_CODE_invalid_input, "%s", "a\n\x1b\x7f\xff\xc3(\xc2\x85z\xc3\xa9");
  assert_string_equal(e.detail, "a????" "?(" "??" "z\xc3\xa9");
  char junk[300];
  memset(junk, 0x80, sizeof(junk) - 1);
  junk[299] = '\0';
  error_set(&e, FF_CODE_invalid_input, "%s", junk);
  assert_true(text_is_utf8(ff_text(e.detail)));
}

/* H-18: details quote what they refuse, and that may be a token or a secret. */
static void long_hex_is_not_stored(void **state) {
  (void)state;
  static const char hex[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
  struct ff_error e;
  char long_text[600];
  error_field(&e, FF_CODE_invalid_input, "execution_id", "not an id (k1:%s) at 3", hex);
  assert_string_equal(e.detail, "not an id (k1:<REDACTED:len=64>) at 3");
  error_context(&e, "value", "%s.%s", hex + 1, "AB");
  assert_string_equal(e.context[0].value, "<REDACTED:len=63>.AB");
  error_set(&e, FF_CODE_invalid_input, "00000000-0000-4000-8000-0000000000b3 %.32s", hex);
  assert_string_equal(e.detail,
                      "00000000-0000-4000-8000-0000000000b3 00112233445566778899aabbccddeeff");
  /* cut short by the room there is */
  for (size_t before = 0; before + 1 < sizeof long_text; before++) {
    memset(long_text, 'x', before);
    long_text[before] = '\0';
    error_set(&e, FF_CODE_invalid_input, "%s%s", long_text, hex);
    assert_null(strstr(e.detail, "00112233445566"));
  }
}

static void context_is_kept_in_order(void **state) {
  (void)state;
  struct ff_error e;
  error_set(&e, FF_CODE_execution_not_active, NULL);
  error_context(&e, "terminal_outcome", "%s", "success");
  error_context(&e, "lease_epoch", "%llu", 18446744073709551615ull);
  error_context(&e, "lifecycle_phase", "terminal");
  error_context(&e, "attempt_id", "%s", "");
  assert_int_equal(e.context_count, 4);
  assert_string_equal(ff_error_context_get(&e, "lease_epoch"), "18446744073709551615");
  assert_string_equal(ff_error_context_get(&e, "attempt_id"), "");
  assert_null(ff_error_context_get(&e, "nothing"));
  error_set(&e, FF_CODE_stale_lease, NULL);
  assert_null(ff_error_context_get(&e, "lease_epoch"));
}

static void text_form_er8(void **state) {
  (void)state;
  struct ff_error e;
  char out[400];
  error_set(&e, FF_CODE_invalid_input, "fence_required");
  ff_error_format(&e, out, sizeof(out));
  assert_string_equal(out, "invalid_input: fence_required");
  error_set(&e, FF_CODE_capability_mismatch, "cuda,gpu");
  ff_error_format(&e, out, sizeof(out));
  assert_string_equal(out, "capability_mismatch: cuda,gpu");
  error_set(&e, FF_CODE_stale_lease, NULL);
  ff_error_format(&e, out, sizeof(out));
  assert_string_equal(out, "stale_lease");
  error_set(&e, FF_CODE_quota_policy_not_found, NULL);
  ff_error_format(&e, out, sizeof(out));
  assert_string_equal(out, "not found: quota_policy");
  error_set(&e, FF_CODE_invalid_input, "%255s", "x");
  ff_error_format(&e, out, sizeof(out));
  assert_int_equal(strlen(out), 15 + 255);
}

static void text_form_fits_any_room(void **state) {
  (void)state;
  struct ff_error e;
  char out[64];
  error_set(&e, FF_CODE_config, "\xe2\x82\xac");
  for (size_t size = 1; size <= 12; size++) {
    memset(out, 'x', sizeof(out));
    ff_error_format(&e, out, size);
    assert_true(strlen(out) < size);
    assert_true(text_is_utf8(ff_text(out)));
  }
  assert_string_equal(out, "config: \xe2\x82\xac");
  out[0] = 'x';
  ff_error_format(&e, out, 0);
  assert_int_equal(out[0], 'x');
  ff_error_format(NULL, out, sizeof(out));
  assert_string_equal(out, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_code_round_trips),
      cmocka_unit_test(families_and_classes_of_8_2),
      cmocka_unit_test(makers_fill_everything),
      cmocka_unit_test(null_error_is_fine),
      cmocka_unit_test(the_old_detail_may_be_an_argument),
      cmocka_unit_test(long_texts_are_cut_at_a_character),
      cmocka_unit_test(bad_bytes_become_question_marks),
      cmocka_unit_test(long_hex_is_not_stored),
      cmocka_unit_test(context_is_kept_in_order),
      cmocka_unit_test(text_form_er8),
      cmocka_unit_test(text_form_fits_any_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
