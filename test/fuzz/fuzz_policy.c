/*
 * Policies and retry policies on any bytes: what is accepted keeps its limits and parses to the
 * same facts again, also when written anew; refusals name the argument.
 *
 * Input: the JSON text of either.
 */
#include "fuzz.h"

#include "base/json.h"
#include "op/execution.h"

#define UUID_A "550e8400-e29b-41d4-a716-446655440000"
#define UUID_B "550e8400-e29b-41d4-a716-446655440001"

const struct ff_str fuzz_seeds[] = {
    SEED("{\"max_retries\":5,\"backoff\":{\"type\":\"exponential\",\"initial_delay_ms\":250,"
         "\"max_delay_ms\":30000,\"multiplier\":1.5,\"jitter\":true},"
         "\"retryable_categories\":[\"provider_error\",\"timeout\"]}"),
    SEED("{\"backoff\":{\"type\":\"fixed\",\"delay_ms\":1000}}"),
    SEED("{\"retry_policy\":{\"max_retries\":2,\"backoff\":{\"type\":\"fixed\",\"delay_ms\":10}},"
         "\"timeout_policy\":{\"attempt_timeout_ms\":60000,\"execution_deadline_ms\":3600000,"
         "\"max_reclaim_count\":7},\"max_reclaim_count\":3,\"max_replay_count\":0,"
         "\"dedup_window_ms\":86400000,\"delay_until\":1700000000000,\"priority\":-5}"),
    SEED("{\"routing_requirements\":{\"required_capabilities\":[\"gpu\",\"cuda\",\"gpu\"],"
         "\"preferred_locality\":\"eu\",\"isolation_level\":null}}"),
    SEED("{\"budget_ids\":[\"" UUID_A "\",\"" UUID_B "\",\"550E8400-E29B-41D4-A716-446655440000\"],"
         "\"quota_policy_id\":\"" UUID_B "\",\"auto_reclaim_delay_ms\":\"off\"}"),
    SEED("{\"stream_policy\":{\"durability_mode\":\"durable\",\"retention_maxlen\":10,"
         "\"retention_ttl_ms\":5},\"suspension_policy\":{\"default_timeout_ms\":1,"
         "\"timeout_behavior\":\"fail\"},\"fallback_policy\":{\"tiers\":[{\"provider\":\"a\","
         "\"model\":\"b\",\"timeout_ms\":18446744073709551615}]},"
         "\"auto_reclaim_delay_ms\":18446744073709551615,\"max_signals_per_execution\":1}"),
    SEED("{\"priority\":null,\"retry_policy\":null}"),
    SEED("[4294967295,4294967296,2147483648,1e308,1e309,0.0,-1,9223372036854775807]"),
    SEED("{}"),
    {NULL, 0}};

/* ---- the same facts twice ---- */

static bool same_retry(const struct retry_policy *a, const struct retry_policy *b) {
  if (a->present != b->present || a->max_retries != b->max_retries ||
      a->exponential != b->exponential || a->jitter != b->jitter || a->delay_ms != b->delay_ms ||
      a->initial_delay_ms != b->initial_delay_ms || a->max_delay_ms != b->max_delay_ms ||
      a->retryable_category_count != b->retryable_category_count ||
      memcmp(&a->multiplier, &b->multiplier, sizeof a->multiplier) != 0)
    return false;
  for (size_t i = 0; i < a->retryable_category_count; i++)
    if (!text_equal(a->retryable_categories[i], b->retryable_categories[i])) return false;
  return true;
}

static bool same_facts(const struct policy_facts *a, const struct policy_facts *b) {
  return a->present == b->present && a->delay_until == b->delay_until &&
         a->attempt_timeout_ms == b->attempt_timeout_ms &&
         a->execution_deadline_ms == b->execution_deadline_ms &&
         a->auto_reclaim_delay_ms == b->auto_reclaim_delay_ms &&
         a->retention_ms == b->retention_ms && a->max_reclaim_count == b->max_reclaim_count &&
         a->max_replay_count == b->max_replay_count && a->dedup_window_ms == b->dedup_window_ms &&
         text_equal(a->required_capabilities, b->required_capabilities) &&
         text_present(a->budget_ids) == text_present(b->budget_ids) &&
         text_equal(a->budget_ids, b->budget_ids) &&
         uuid_equal(a->quota_policy_id, b->quota_policy_id) && same_retry(&a->retry, &b->retry);
}

/* ---- limits ---- */

static void check_count(int64_t count) { INVARIANT(count >= -1 && count <= UINT32_MAX); }

/* Without jitter no transaction is asked for dice. */
static void check_retry(const struct retry_policy *p) {
  if (!p->present) return;
  INVARIANT(p->delay_ms >= 0 && p->initial_delay_ms >= 0 && p->max_delay_ms >= 0);
  if (p->exponential) INVARIANT(p->multiplier > 0 && p->multiplier <= 1.7976931348623157e308);
  if (p->jitter) return;
  for (uint32_t n = 0; n < 70; n++) {
    int64_t delay_ms = retry_backoff_ms(NULL, p, n);
    INVARIANT(delay_ms >= 0 && delay_ms <= (p->exponential ? p->max_delay_ms : p->delay_ms));
  }
}

static void check_csv(struct ff_str csv, struct arena *arena) {
  struct ff_str items[256], again;
  struct ff_strs tokens = {items, 0};
  INVARIANT(text_present(csv) && csv.len <= 4096);
  for (size_t i = 0, from = 0; csv.len && i <= csv.len; i++) {
    if (i < csv.len && csv.ptr[i] != ',') continue;
    INVARIANT(tokens.count < ARRAY_LEN(items));
    items[tokens.count++] = text_of(csv.ptr + from, i - from);
    from = i + 1;
  }
  INVARIANT(capabilities_csv(tokens, "required", arena, &again, NULL) == FF_OK);
  INVARIANT(text_equal(csv, again));
}

static void check_budgets(struct ff_str csv) {
  if (!text_present(csv)) return;
  INVARIANT(csv.len % 37 == 36 && csv.len / 37 < 64);
  for (size_t at = 0; at < csv.len; at += 37) {
    struct uuid id;
    char again[37];
    INVARIANT(uuid_parse(text_of(csv.ptr + at, 36), &id));
    uuid_format(id, again);
    INVARIANT(memcmp(again, csv.ptr + at, 36) == 0 && (at == 0 || csv.ptr[at - 1] == ','));
  }
}

static void check_facts(const struct policy_facts *f, struct arena *arena) {
  INVARIANT(f->delay_until >= 0 && f->attempt_timeout_ms >= 0 && f->execution_deadline_ms >= 0);
  INVARIANT(f->auto_reclaim_delay_ms >= -1 && f->retention_ms >= -1 && f->dedup_window_ms >= 0);
  check_count(f->max_reclaim_count);
  check_count(f->max_replay_count);
  check_csv(f->required_capabilities, arena);
  check_budgets(f->budget_ids);
  check_retry(&f->retry);
}

static void check_refusal(const struct ff_error *e, const char *argument) {
  INVARIANT(e->rc == FF_VALIDATION && strcmp(e->field, argument) == 0);
  INVARIANT(e->code == FF_CODE_invalid_policy_json || e->code == FF_CODE_invalid_capabilities);
  INVARIANT(e->detail[0] != '\0' && text_is_utf8(ff_text(e->detail)));
}

/* ---- one text ---- */

static bool is_malformed(const struct ff_error *e) { return strcmp(e->detail, "malformed") == 0; }

/* Compact, in one spelling of every text. */
static struct ff_str written_anew(struct ff_str text, struct arena *arena) {
  const struct json *value = NULL;
  struct json_error where;
  struct buffer out;
  if (text.len == 0) return text;
  INVARIANT(json_parse(text, arena, &value, &where));
  buffer_init(&out);
  json_write(&out, value);
  struct ff_str again = arena_text(arena, buffer_text(&out));
  buffer_fini(&out);
  return again;
}

static void check_policy(struct ff_str text, struct arena *arena) {
  struct policy_facts first, again;
  struct ff_error e;
  if (policy_parse(text, arena, &first, &e) != FF_OK) {
    check_refusal(&e, "policy");
    INVARIANT(policy_parse(text, arena, &again, NULL) == FF_VALIDATION);
    return;
  }
  check_facts(&first, arena);
  INVARIANT(policy_parse(text, arena, &again, &e) == FF_OK && same_facts(&first, &again));
  INVARIANT(policy_parse(written_anew(text, arena), arena, &again, &e) == FF_OK);
  INVARIANT(same_facts(&first, &again));
}

/* A retry policy alone and inside a policy is read by the same rules; inside, null is absent and
 * one level of depth is taken. */
static void check_retry_policy(struct ff_str text, struct arena *arena) {
  struct retry_policy alone, again;
  struct policy_facts facts;
  struct ff_error e, inside;
  enum ff_rc rc = retry_policy_parse(text, arena, &alone, &e);
  if (rc == FF_OK) {
    check_retry(&alone);
    INVARIANT(retry_policy_parse(written_anew(text, arena), arena, &again, &e) == FF_OK);
    INVARIANT(same_retry(&alone, &again));
  } else {
    check_refusal(&e, "retry_policy_json");
  }
  if (text.len == 0) return;
  struct ff_str whole =
      arena_printf(arena, "{\"retry_policy\":%.*s}", (int)text.len, (const char *)text.ptr);
  if (whole.len != text.len + strlen("{\"retry_policy\":}")) return; /* it holds a NUL byte */
  enum ff_rc inner = policy_parse(whole, arena, &facts, &inside);
  if (rc == FF_OK)
    INVARIANT(inner == FF_OK ? same_retry(&alone, &facts.retry) : is_malformed(&inside));
  else if (inner == FF_OK) /* null, or text that goes on behind a closing brace */
    INVARIANT(!facts.retry.present || is_malformed(&e));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ff_str text = text_of((const char *)data, size);
  struct arena arena;
  arena_init(&arena);
  check_policy(text, &arena);
  check_retry_policy(text, &arena);
  arena_fini(&arena);
  return 0;
}
