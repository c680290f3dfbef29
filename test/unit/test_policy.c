/*
 * Policies: what parses to what, which refusal names which member, and what a retry policy decides
 * (01 PO-1 … PO-8, 02 L-112, L-113).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "op/execution.h"
#include "op/overlay.h"

static int setup(void **state) {
  struct arena *arena = heap_zalloc(sizeof *arena);
  arena_init(arena);
  *state = arena;
  return 0;
}

static int teardown(void **state) {
  arena_fini(*state);
  free(*state);
  return 0;
}

static struct policy_facts parsed(struct arena *arena, const char *json) {
  struct policy_facts facts;
  struct ff_error e;
  memset(&facts, 0xa5, sizeof facts);
  if (policy_parse(ff_text(json), arena, &facts, &e) != FF_OK) fail_msg("%s: %s", json, e.detail);
  return facts;
}

/* ---- what is accepted ---- */

static void nothing_is_no_policy(void **state) {
  static const char *const texts[] = {NULL, "", "{}", " { } ", "{\"retry_policy\":null}"};
  for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
    struct policy_facts f = parsed(*state, texts[i]);
    assert_false(f.present);
    assert_false(f.retry.present);
    assert_int_equal(f.delay_until, 0);
    assert_int_equal(f.attempt_timeout_ms, 0);
    assert_int_equal(f.execution_deadline_ms, 0);
    assert_int_equal(f.auto_reclaim_delay_ms, -1);
    assert_int_equal(f.retention_ms, -1);
    assert_int_equal(f.max_reclaim_count, -1);
    assert_int_equal(f.max_replay_count, -1);
    assert_int_equal(f.dedup_window_ms, 0);
    assert_int_equal(f.required_capabilities.len, 0);
    assert_null(f.budget_ids.ptr);
    assert_true(uuid_is_nil(f.quota_policy_id));
  }
}

static void unknown_members_are_ignored(void **state) {
  struct policy_facts f = parsed(*state, "{\"colour\":[1,{\"x\":null}]}");
  assert_true(f.present);
  assert_false(f.retry.present);
}

static void every_member(void **state) {
  struct policy_facts f = parsed(
      *state,
      "{\"priority\":-5,\"delay_until\":1700000000000,\"max_reclaim_count\":0,\"auto_reclaim_delay_"
      "ms\":0,"
      "\"max_replay_count\":7,\"dedup_window_ms\":60000,\"max_signals_per_execution\":4294967295,"
      "\"timeout_policy\":{\"attempt_timeout_ms\":1500,\"execution_deadline_ms\":90000,\"max_"
      "reclaim_count\":3},"
      "\"suspension_policy\":{\"default_timeout_ms\":1,\"timeout_behavior\":\"fail\"},"
      "\"fallback_policy\":{\"tiers\":[{\"provider\":\"p\",\"model\":\"m\",\"timeout_ms\":1},{}]},"
      "\"stream_policy\":{\"durability_mode\":\"buffered\",\"retention_maxlen\":0,\"retention_ttl_"
      "ms\":42},"
      "\"routing_requirements\":{\"required_capabilities\":[\"gpu\",\"cuda\",\"gpu\"],"
      "\"preferred_locality\":\"eu\",\"isolation_level\":null},"
      "\"quota_policy_id\":\"550E8400-E29B-41D4-A716-446655440000\"}");
  assert_true(f.present);
  assert_int_equal(f.delay_until, 1700000000000);
  assert_int_equal(f.max_reclaim_count, 0);
  assert_int_equal(f.auto_reclaim_delay_ms, 0);
  assert_int_equal(f.max_replay_count, 7);
  assert_int_equal(f.dedup_window_ms, 60000);
  assert_int_equal(f.attempt_timeout_ms, 1500);
  assert_int_equal(f.execution_deadline_ms, 90000);
  assert_int_equal(f.retention_ms, 42);
  assert_true(text_equal_c(f.required_capabilities, "cuda,gpu"));
  assert_int_equal(f.quota_policy_id.b[0], 0x55);
}

static void reclaim_count_of_the_timeout_policy(void **state) {
  assert_int_equal(
      parsed(*state, "{\"timeout_policy\":{\"max_reclaim_count\":3}}").max_reclaim_count, 3);
  assert_int_equal(
      parsed(*state, "{\"max_reclaim_count\":9,\"timeout_policy\":{\"max_reclaim_count\":3}}")
          .max_reclaim_count,
      9);
  assert_int_equal(parsed(*state, "{\"timeout_policy\":{}}").max_reclaim_count, -1);
}

static void auto_reclaim_off(void **state) {
  assert_int_equal(parsed(*state, "{\"auto_reclaim_delay_ms\":\"off\"}").auto_reclaim_delay_ms,
                   INT64_MAX);
  assert_int_equal(parsed(*state, "{\"auto_reclaim_delay_ms\":250}").auto_reclaim_delay_ms, 250);
}

/* Durations are u64: what an i64 cannot hold lasts for ever, and times add up saturating. */
static void durations_saturate(void **state) {
  struct policy_facts f =
      parsed(*state, "{\"dedup_window_ms\":18446744073709551615,\"delay_until\":-1}");
  assert_int_equal(f.dedup_window_ms, INT64_MAX);
  assert_int_equal(f.delay_until, 0);
}

static void budgets_keep_their_order(void **state) {
  struct policy_facts f =
      parsed(*state,
             "{\"budget_ids\":[\"22222222-2222-4222-8222-22222222222A\","
             "\"11111111-1111-4111-8111-111111111111\",\"22222222-2222-4222-8222-22222222222a\"]}");
  assert_true(text_equal_c(
      f.budget_ids, "22222222-2222-4222-8222-22222222222a,11111111-1111-4111-8111-111111111111"));
  assert_null(parsed(*state, "{\"budget_ids\":[]}").budget_ids.ptr);
}

/* 01 LM-33: 64 different ones, however often each is named. */
static void at_most_64_budgets(void **state) {
  struct buffer json;
  struct policy_facts f;
  struct ff_error e;
  buffer_init(&json);
  buffer_append_c(&json, "{\"budget_ids\":[");
  for (int i = 0; i < 128; i++)
    buffer_printf(&json, "%s\"00000000-0000-4000-8000-0000000000%02x\"", i ? "," : "", i % 64);
  size_t full = json.len;
  buffer_append_c(&json, "]}");
  assert_int_equal(policy_parse(buffer_text(&json), *state, &f, &e), FF_OK);
  assert_int_equal(f.budget_ids.len, 64 * 37 - 1);
  json.len = full;
  buffer_append_c(&json, ",\"00000000-0000-4000-8000-0000000000ff\"]}");
  assert_int_equal(policy_parse(buffer_text(&json), *state, &f, &e), FF_VALIDATION);
  assert_string_equal(e.detail, "budget_ids:too_many");
  buffer_fini(&json);
}

/* ---- what is refused: 02 L-51, L-52, 01 PO-8 ---- */

struct refusal {
  const char *json, *detail;
};

static void assert_refused(struct arena *arena, const struct refusal *r, enum ff_code code) {
  struct policy_facts facts;
  struct ff_error e = {0};
  if (policy_parse(ff_text(r->json), arena, &facts, &e) != FF_VALIDATION)
    fail_msg("accepted: %s", r->json);
  assert_string_equal(e.detail, r->detail);
  assert_int_equal(e.code, code);
  assert_string_equal(e.field, "policy");
  assert_int_equal(policy_parse(ff_text(r->json), arena, &facts, NULL), FF_VALIDATION);
}

static void bad_policy_json(void **state) {
  static const struct refusal refusals[] = {
      {"{", "malformed"},
      {" ", "malformed"},
      {"{}x", "malformed"},
      {"{\"a\":1,\"a\":2}", "malformed"},
      {"[]", "not_object"},
      {"null", "not_object"},
      {"\"{}\"", "not_object"},
      {"{\"priority\":\"1\"}", "priority:not_integer"},
      {"{\"priority\":2147483648}", "priority:out_of_range"},
      {"{\"delay_until\":1.5}", "delay_until:not_integer"},
      {"{\"delay_until\":9223372036854775808}", "delay_until:out_of_range"},
      {"{\"max_reclaim_count\":-1}", "max_reclaim_count:out_of_range"},
      {"{\"max_reclaim_count\":1e2}", "max_reclaim_count:not_integer"},
      {"{\"max_replay_count\":4294967296}", "max_replay_count:out_of_range"},
      {"{\"max_signals_per_execution\":true}", "max_signals_per_execution:not_integer"},
      {"{\"dedup_window_ms\":{}}", "dedup_window_ms:not_integer"},
      {"{\"auto_reclaim_delay_ms\":\"never\"}", "auto_reclaim_delay_ms:not_integer_or_off"},
      {"{\"auto_reclaim_delay_ms\":-1}", "auto_reclaim_delay_ms:out_of_range"},
      {"{\"timeout_policy\":[]}", "timeout_policy:not_object"},
      {"{\"timeout_policy\":{\"attempt_timeout_ms\":-1}}",
       "timeout_policy.attempt_timeout_ms:out_of_range"},
      {"{\"timeout_policy\":{\"execution_deadline_ms\":\"1s\"}}",
       "timeout_policy.execution_deadline_ms:not_integer"},
      {"{\"suspension_policy\":{\"timeout_behavior\":1}}",
       "suspension_policy.timeout_behavior:not_text"},
      {"{\"fallback_policy\":{\"tiers\":{}}}", "fallback_policy.tiers:not_array"},
      {"{\"fallback_policy\":{\"tiers\":[1]}}", "fallback_policy.tiers:non_object_element"},
      {"{\"fallback_policy\":{\"tiers\":[{\"model\":1}]}}", "fallback_policy.tiers.model:not_text"},
      {"{\"stream_policy\":{\"retention_ttl_ms\":-5}}",
       "stream_policy.retention_ttl_ms:out_of_range"},
      {"{\"budget_ids\":{}}", "budget_ids:not_array"},
      {"{\"budget_ids\":[1]}", "budget_ids:non_string_element"},
      {"{\"budget_ids\":[\"b1\"]}", "budget_ids:not_uuid"},
      {"{\"quota_policy_id\":7}", "quota_policy_id:not_text"},
      {"{\"quota_policy_id\":\"\"}", "quota_policy_id:not_uuid"},
      {"{\"routing_requirements\":[]}", "routing_requirements:not_object"},
      {"{\"routing_requirements\":{\"isolation_level\":1}}",
       "routing_requirements.isolation_level:not_text"},
      {"{\"retry_policy\":3}", "retry_policy:not_object"},
      {"{\"retry_policy\":{\"max_retries\":-1}}", "retry_policy.max_retries:out_of_range"},
      {"{\"retry_policy\":{\"backoff\":\"fixed\"}}", "retry_policy.backoff:not_object"},
      {"{\"retry_policy\":{\"backoff\":{}}}", "retry_policy.backoff.type:missing"},
      {"{\"retry_policy\":{\"backoff\":{\"type\":1}}}", "retry_policy.backoff.type:not_text"},
      {"{\"retry_policy\":{\"backoff\":{\"type\":\"linear\"}}}",
       "retry_policy.backoff.type:unknown"},
      {"{\"retry_policy\":{\"backoff\":{\"type\":\"fixed\"}}}",
       "retry_policy.backoff.delay_ms:missing"},
      {"{\"retry_policy\":{\"backoff\":{\"type\":\"exponential\",\"multiplier\":0}}}",
       "retry_policy.backoff.multiplier:not_positive"},
      {"{\"retry_policy\":{\"backoff\":{\"type\":\"exponential\",\"multiplier\":-2.5}}}",
       "retry_policy.backoff.multiplier:not_positive"},
      {"{\"retry_policy\":{\"backoff\":{\"type\":\"exponential\",\"multiplier\":1e999}}}",
       "retry_policy.backoff.multiplier:not_finite"},
      {"{\"retry_policy\":{\"backoff\":{\"type\":\"exponential\",\"multiplier\":\"2\"}}}",
       "retry_policy.backoff.multiplier:not_number"},
      {"{\"retry_policy\":{\"backoff\":{\"type\":\"exponential\",\"jitter\":1}}}",
       "retry_policy.backoff.jitter:not_boolean"},
      {"{\"retry_policy\":{\"retryable_categories\":\"x\"}}",
       "retry_policy.retryable_categories:not_array"},
      {"{\"retry_policy\":{\"retryable_categories\":[null]}}",
       "retry_policy.retryable_categories:non_string_element"},
  };
  for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
    assert_refused(*state, &refusals[i], FF_CODE_invalid_policy_json);
}

#define CAPS(tokens) "{\"routing_requirements\":{\"required_capabilities\":" tokens "}}"
static void bad_capabilities(void **state) {
  static const struct refusal refusals[] = {
      {CAPS("\"gpu\""), "required:not_array"},
      {CAPS("[1]"), "required:non_string_token"},
      {CAPS("[\"gpu\",null]"), "required:non_string_token"},
      {CAPS("[\"\"]"), "required:empty_token"},
      {CAPS("[\"a,b\"]"), "required:comma_in_token"},
      {CAPS("[\"a b\"]"), "required:control_or_whitespace"},
      {CAPS("[\"a\\u007f\"]"), "required:control_or_whitespace"},
      /* the first offending element decides */
      {CAPS("[\"a\",\"\",1]"), "required:empty_token"},
      {CAPS("[\"a\",1,\"\"]"), "required:non_string_token"},
  };
  for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
    assert_refused(*state, &refusals[i], FF_CODE_invalid_capabilities);
  assert_int_equal(parsed(*state, CAPS("[]")).required_capabilities.len, 0);
  assert_true(
      text_equal_c(parsed(*state, CAPS("[\"\xc3\xa9\"]")).required_capabilities, "\xc3\xa9"));
}

static enum ff_rc parse_tokens(struct arena *arena, int count, int width, struct ff_error *e) {
  struct buffer json;
  struct policy_facts facts;
  buffer_init(&json);
  buffer_append_c(&json, "{\"routing_requirements\":{\"required_capabilities\":[");
  for (int i = 0; i < count; i++) buffer_printf(&json, "%s\"%0*d\"", i ? "," : "", width, i);
  buffer_append_c(&json, "]}}");
  enum ff_rc rc = policy_parse(buffer_text(&json), arena, &facts, e);
  buffer_fini(&json);
  return rc;
}

/* 01 LM-7, 06 CA-8: 256 tokens and 4096 bytes, both inclusive, the count first. */
static void capability_limits(void **state) {
  struct ff_error e;
  assert_int_equal(parse_tokens(*state, 256, 3, &e), FF_OK);
  assert_int_equal(parse_tokens(*state, 257, 3, &e), FF_VALIDATION);
  assert_string_equal(e.detail, "required:too_many_tokens");
  assert_int_equal(parse_tokens(*state, 257, 200, &e), FF_VALIDATION);
  assert_string_equal(e.detail, "required:too_many_tokens");
  assert_int_equal(parse_tokens(*state, 1, 4096, &e), FF_OK);
  assert_int_equal(parse_tokens(*state, 1, 4097, &e), FF_VALIDATION);
  assert_string_equal(e.detail, "required:too_many_bytes");
  assert_int_equal(parse_tokens(*state, 32, 200, &e), FF_VALIDATION);
  assert_string_equal(e.detail, "required:too_many_bytes");
}

/* ---- retry policy: 01 PO-2 ---- */

static struct retry_policy retry_of(struct arena *arena, const char *json) {
  struct retry_policy retry;
  struct ff_error e;
  memset(&retry, 0xa5, sizeof retry);
  if (retry_policy_parse(ff_text(json), arena, &retry, &e) != FF_OK)
    fail_msg("%s: %s", json, e.detail);
  return retry;
}

static void retry_defaults_apply(void **state) {
  struct retry_policy r = retry_of(*state, "{}");
  assert_true(r.present);
  assert_int_equal(r.max_retries, 3);
  assert_true(r.exponential);
  assert_false(r.jitter);
  assert_int_equal(r.initial_delay_ms, 1000);
  assert_int_equal(r.max_delay_ms, 60000);
  assert_true(r.multiplier == 2.0);
  assert_int_equal(r.retryable_category_count, 0);
  r = parsed(
          *state,
          "{\"retry_policy\":{\"max_retries\":0,\"backoff\":null,\"retryable_categories\":null}}")
          .retry;
  assert_true(r.present && r.exponential);
  assert_int_equal(r.max_retries, 0);
}

/* 02 L-111: the empty text of the argument form means no retries; a bad one names the argument. */
static void retry_policy_argument(void **state) {
  struct retry_policy retry;
  struct ff_error e;
  assert_false(retry_of(*state, "").present);
  assert_false(retry_of(*state, NULL).present);
  assert_int_equal(
      retry_policy_parse(TEXT_LIT("{\"backoff\":{\"type\":\"x\"}}"), *state, &retry, &e),
      FF_VALIDATION);
  assert_int_equal(e.code, FF_CODE_invalid_policy_json);
  assert_string_equal(e.field, "retry_policy_json");
  assert_string_equal(e.detail, "backoff.type:unknown");
  assert_int_equal(retry_policy_parse(TEXT_LIT("3"), *state, &retry, &e), FF_VALIDATION);
  assert_string_equal(e.detail, "not_object");
}

/* 01 EN-1 */
static void classes_of_categories(void **state) {
  (void)state;
  assert_int_equal(failure_class_of(TEXT_LIT("permanent")), FF_failure_class_permanent);
  assert_int_equal(failure_class_of(TEXT_LIT("cancelled")), FF_failure_class_cancelled);
  assert_int_equal(failure_class_of(TEXT_LIT("infra_crash")), FF_failure_class_infra_crash);
  assert_int_equal(failure_class_of(TEXT_LIT("attempt_timeout")), FF_failure_class_timeout);
  assert_int_equal(failure_class_of(TEXT_LIT("provider_error")), FF_failure_class_transient);
  assert_int_equal(failure_class_of(TEXT_LIT("Permanent")), FF_failure_class_transient);
  assert_int_equal(failure_class_of((struct ff_str){NULL, 0}), FF_failure_class_transient);
}

/* 02 L-112: policy, class, count and category must all agree. */
static void retry_decisions(void **state) {
  static const struct ff_str error = {"provider_error", 14};
  const struct retry_policy none = {0};
  struct retry_policy r = retry_of(*state, "{\"max_retries\":2}");
  assert_false(retry_decide(&none, FF_failure_class_transient, error, 0));
  assert_true(retry_decide(&r, FF_failure_class_transient, error, 0));
  assert_true(retry_decide(&r, FF_failure_class_infra_crash, error, 1));
  assert_true(retry_decide(&r, FF_failure_class_timeout, error, 1));
  assert_false(retry_decide(&r, FF_failure_class_transient, error, 2));
  assert_false(retry_decide(&r, FF_failure_class_permanent, error, 0));
  assert_false(retry_decide(&r, FF_failure_class_cancelled, error, 0));
  r = retry_of(*state, "{\"max_retries\":0}");
  assert_false(retry_decide(&r, FF_failure_class_transient, error, 0));
  r = retry_of(*state, "{\"retryable_categories\":[\"timeout\",\"provider_error\"]}");
  assert_true(retry_decide(&r, FF_failure_class_transient, error, 0));
  assert_true(retry_decide(&r, FF_failure_class_timeout, TEXT_LIT("timeout"), 0));
  assert_false(retry_decide(&r, FF_failure_class_timeout, TEXT_LIT("attempt_timeout"), 0));
  assert_false(retry_decide(&r, FF_failure_class_transient, TEXT_LIT("provider_error "), 0));
}

/* ---- backoff: 02 L-113 ---- */

struct backoff_case {
  const char *json;
  uint32_t retry_count;
  int64_t expected_ms;
};

static void backoff_delays(void **state) {
  static const struct backoff_case cases[] = {
      {"{}", 0, 1000},
      {"{}", 1, 2000},
      {"{}", 5, 32000},
      {"{}", 6, 60000},
      {"{}", UINT32_MAX, 60000},
      {"{\"backoff\":{\"type\":\"fixed\",\"delay_ms\":0}}", 3, 0},
      {"{\"backoff\":{\"type\":\"fixed\",\"delay_ms\":250}}", 9, 250},
      {"{\"backoff\":{\"type\":\"exponential\",\"initial_delay_ms\":100,\"multiplier\":1.5}}", 1,
       150},
      {"{\"backoff\":{\"type\":\"exponential\",\"initial_delay_ms\":100,\"multiplier\":1.5}}", 3,
       337},
      {"{\"backoff\":{\"type\":\"exponential\",\"initial_delay_ms\":1000,\"multiplier\":0.5}}", 3,
       125},
      {"{\"backoff\":{\"type\":\"exponential\",\"initial_delay_ms\":1000,\"multiplier\":0.5}}",
       4000, 0},
      {"{\"backoff\":{\"type\":\"exponential\",\"initial_delay_ms\":9000,\"max_delay_ms\":50}}", 0,
       50},
      {"{\"backoff\":{\"type\":\"exponential\",\"initial_delay_ms\":1,\"max_delay_ms\":"
       "18446744073709551615,"
       "\"multiplier\":10}}",
       400, INT64_MAX},
      /* 0 times infinity is no number: the cap */
      {"{\"backoff\":{\"type\":\"exponential\",\"initial_delay_ms\":0,\"max_delay_ms\":70}}", 2, 0},
      {"{\"backoff\":{\"type\":\"exponential\",\"initial_delay_ms\":0,\"max_delay_ms\":70}}", 5000,
       70},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct retry_policy r = retry_of(*state, cases[i].json);
    assert_int_equal(retry_backoff_ms(NULL, &r, cases[i].retry_count), cases[i].expected_ms);
  }
}

/* Draws a delay inside a transaction: jitter is the only user of its randomness here. */
static enum ff_rc jitter_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  (void)prep, (void)e;
  *(int64_t *)result = retry_backoff_ms(tx, args, 3);
  return FF_OK;
}

static void jitter_stays_within_half(void **state) {
  static const struct op_code code = {.run = jitter_run};
  const struct op_config config = {.flow_partitions = 256};
  struct retry_policy r =
      retry_of(*state, "{\"backoff\":{\"type\":\"exponential\",\"jitter\":true}}");
  struct overlay *overlay = overlay_new(*state, &config, true);
  int64_t lowest = INT64_MAX, highest = 0, delay_ms, again_ms;
  overlay_loaded(overlay, 1000);
  for (uint64_t seed = 0; seed < 2000; seed++) {
    struct overlay_run run = {.code = &code, .args = &r, .result = &delay_ms, .seed = seed};
    bool wrote;
    assert_int_equal(overlay_run(overlay, &run, sizeof delay_ms, NULL, &wrote, NULL), FF_OK);
    assert_in_range(delay_ms, 4000, 8000);
    run.result = &again_ms;
    assert_int_equal(overlay_run(overlay, &run, sizeof again_ms, NULL, &wrote, NULL), FF_OK);
    assert_int_equal(delay_ms, again_ms);
    if (delay_ms < lowest) lowest = delay_ms;
    if (delay_ms > highest) highest = delay_ms;
  }
  assert_in_range(lowest, 4000, 4100);
  assert_in_range(highest, 7900, 8000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(nothing_is_no_policy),
      TEST(unknown_members_are_ignored),
      TEST(every_member),
      TEST(reclaim_count_of_the_timeout_policy),
      TEST(auto_reclaim_off),
      TEST(durations_saturate),
      TEST(budgets_keep_their_order),
      TEST(at_most_64_budgets),
      TEST(bad_policy_json),
      TEST(bad_capabilities),
      TEST(capability_limits),
      TEST(retry_defaults_apply),
      TEST(retry_policy_argument),
      TEST(classes_of_categories),
      TEST(retry_decisions),
      TEST(backoff_delays),
      TEST(jitter_stays_within_half),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
