/*
 * Policies: parsing and checking the JSON of 01 §6.
 *
 * The text is stored as supplied; here it is only read. Every refusal names the member by its path.
 * What follows from a retry policy is in retry.c.
 */
#include "op/execution.h"

#include "base/json.h"

#define BUDGETS_MAX 64 /* 01 LM-33 */

/* One object of the policy being read: where it is (its path with a dot behind) and where refusals
 * go. */
struct scope {
  const struct json *object;
  const char *path;
  const char *argument; /* the argument the text came in */
  struct arena *arena;
  struct ff_error *e;
};

static enum ff_rc bad(const struct scope *s, const char *member, const char *problem) {
  return error_field(s->e, FF_CODE_invalid_policy_json, s->argument, "%s%s:%s", s->path, member,
                     problem);
}

/* A null member counts as absent (02 L-51). */
static const struct json *member(const struct scope *s, const char *name) {
  const struct json *value = json_member(s->object, name);
  return value && value->type != JSON_NULL ? value : NULL;
}

static bool is_integer_text(struct ff_str text) {
  size_t i = text.len && text.ptr[0] == '-' ? 1 : 0;
  if (i == text.len) return false;
  for (; i < text.len; i++)
    if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
  return true;
}

static const char *integer_problem(const struct json *value) {
  return value->type == JSON_NUMBER && is_integer_text(value->text) ? "out_of_range"
                                                                    : "not_integer";
}

/* Leaves *out alone when the member is absent. */
static enum ff_rc read_u64(const struct scope *s, const char *name, uint64_t max, uint64_t *out) {
  const struct json *value = member(s, name);
  uint64_t number;
  if (!value) return FF_OK;
  if (!json_u64(value, &number)) return bad(s, name, integer_problem(value));
  if (number > max) return bad(s, name, "out_of_range");
  *out = number;
  return FF_OK;
}

/* A count of u32, kept in an i64 whose absent value the caller has set. */
static enum ff_rc read_count(const struct scope *s, const char *name, int64_t *out) {
  uint64_t number = 0;
  TRY(read_u64(s, name, UINT32_MAX, &number));
  if (member(s, name)) *out = (int64_t)number;
  return FF_OK;
}

/* A duration of u64 ms; what i64 cannot hold is for ever. */
static enum ff_rc read_ms(const struct scope *s, const char *name, int64_t *out) {
  uint64_t number = 0;
  TRY(read_u64(s, name, UINT64_MAX, &number));
  if (member(s, name)) *out = number > INT64_MAX ? INT64_MAX : (int64_t)number;
  return FF_OK;
}

static enum ff_rc read_i64(const struct scope *s, const char *name, int64_t min, int64_t max,
                           int64_t *out) {
  const struct json *value = member(s, name);
  int64_t number;
  if (!value) return FF_OK;
  if (!json_i64(value, &number)) return bad(s, name, integer_problem(value));
  if (number < min || number > max) return bad(s, name, "out_of_range");
  *out = number;
  return FF_OK;
}

static enum ff_rc check_text(const struct scope *s, const char *name) {
  const struct json *value = member(s, name);
  return !value || value->type == JSON_STRING ? FF_OK : bad(s, name, "not_text");
}

/* *out NULL when absent. */
static enum ff_rc read_array(const struct scope *s, const char *name, const struct json **out) {
  *out = member(s, name);
  return !*out || (*out)->type == JSON_ARRAY ? FF_OK : bad(s, name, "not_array");
}

/* inner->object is NULL when absent; path is the member's own with a dot behind. */
static enum ff_rc read_object(const struct scope *s, const char *name, const char *path,
                              struct scope *inner) {
  *inner = *s;
  inner->object = member(s, name);
  inner->path = path;
  return !inner->object || inner->object->type == JSON_OBJECT ? FF_OK : bad(s, name, "not_object");
}

/* ---- retry policy: 01 PO-2 ---- */

static const struct retry_policy retry_defaults = {.present = true,
                                                   .max_retries = 3,
                                                   .exponential = true,
                                                   .initial_delay_ms = 1000,
                                                   .max_delay_ms = 60000,
                                                   .multiplier = 2.0};

static enum ff_rc read_multiplier(const struct scope *s, double *out) {
  const struct json *value = member(s, "multiplier");
  double number;
  if (!value) return FF_OK;
  if (value->type != JSON_NUMBER) return bad(s, "multiplier", "not_number");
  if (!json_double(value, &number)) return bad(s, "multiplier", "not_finite");
  if (!(number > 0)) return bad(s, "multiplier", "not_positive");
  *out = number;
  return FF_OK;
}

static enum ff_rc read_jitter(const struct scope *s, bool *out) {
  const struct json *value = member(s, "jitter");
  if (!value) return FF_OK;
  if (value->type != JSON_TRUE && value->type != JSON_FALSE) return bad(s, "jitter", "not_boolean");
  *out = value->type == JSON_TRUE;
  return FF_OK;
}

static enum ff_rc read_backoff(const struct scope *s, struct retry_policy *out) {
  const struct json *type = member(s, "type");
  if (!type) return bad(s, "type", "missing");
  if (type->type != JSON_STRING) return bad(s, "type", "not_text");
  if (text_equal_c(type->text, "fixed")) {
    out->exponential = false;
    if (!member(s, "delay_ms")) return bad(s, "delay_ms", "missing");
    return read_ms(s, "delay_ms", &out->delay_ms);
  }
  if (!text_equal_c(type->text, "exponential")) return bad(s, "type", "unknown");
  TRY(read_ms(s, "initial_delay_ms", &out->initial_delay_ms));
  TRY(read_ms(s, "max_delay_ms", &out->max_delay_ms));
  TRY(read_multiplier(s, &out->multiplier));
  return read_jitter(s, &out->jitter);
}

static enum ff_rc read_categories(const struct scope *s, struct retry_policy *out) {
  const struct json *array;
  TRY(read_array(s, "retryable_categories", &array));
  if (!array || array->count == 0) return FF_OK;
  struct ff_str *categories = ARENA_ARRAY(s->arena, struct ff_str, array->count);
  size_t n = 0;
  for (const struct json *item = array->first; item; item = item->next) {
    if (item->type != JSON_STRING) return bad(s, "retryable_categories", "non_string_element");
    categories[n++] = item->text;
  }
  out->retryable_categories = categories;
  out->retryable_category_count = n;
  return FF_OK;
}

static enum ff_rc read_retry_policy(const struct scope *s, const char *backoff_path,
                                    struct retry_policy *out) {
  struct scope backoff;
  uint64_t max_retries = retry_defaults.max_retries;
  *out = retry_defaults;
  TRY(read_u64(s, "max_retries", UINT32_MAX, &max_retries));
  out->max_retries = (uint32_t)max_retries;
  TRY(read_object(s, "backoff", backoff_path, &backoff));
  if (backoff.object) TRY(read_backoff(&backoff, out));
  return read_categories(s, out);
}

/* ---- the other members ---- */

static enum ff_rc read_timeout_policy(const struct scope *s, struct policy_facts *out,
                                      int64_t *max_reclaim_count) {
  struct scope inner;
  TRY(read_object(s, "timeout_policy", "timeout_policy.", &inner));
  if (!inner.object) return FF_OK;
  TRY(read_ms(&inner, "attempt_timeout_ms", &out->attempt_timeout_ms));
  TRY(read_ms(&inner, "execution_deadline_ms", &out->execution_deadline_ms));
  return read_count(&inner, "max_reclaim_count", max_reclaim_count);
}

static enum ff_rc read_auto_reclaim(const struct scope *s, int64_t *out) {
  const struct json *value = member(s, "auto_reclaim_delay_ms");
  if (value && value->type == JSON_STRING) {
    if (!text_equal_c(value->text, "off"))
      return bad(s, "auto_reclaim_delay_ms", "not_integer_or_off");
    *out = INT64_MAX;
    return FF_OK;
  }
  return read_ms(s, "auto_reclaim_delay_ms", out);
}

static enum ff_rc read_stream_policy(const struct scope *s, int64_t *retention_ms,
                                     int64_t *maxlen) {
  struct scope inner;
  TRY(read_object(s, "stream_policy", "stream_policy.", &inner));
  if (!inner.object) return FF_OK;
  TRY(check_text(&inner, "durability_mode"));
  TRY(read_ms(&inner, "retention_maxlen", maxlen));
  return read_ms(&inner, "retention_ttl_ms", retention_ms);
}

static enum ff_rc read_suspension_policy(const struct scope *s, struct policy_facts *out) {
  struct scope inner;
  TRY(read_object(s, "suspension_policy", "suspension_policy.", &inner));
  if (!inner.object) return FF_OK;
  TRY(read_ms(&inner, "default_timeout_ms", &out->suspension_timeout_ms));
  TRY(check_text(&inner, "timeout_behavior"));
  const struct json *behavior = member(&inner, "timeout_behavior");
  if (behavior) out->suspension_behavior = behavior->text;
  return FF_OK;
}

static enum ff_rc check_fallback_policy(const struct scope *s) {
  struct scope inner, tier;
  const struct json *tiers;
  int64_t unused;
  TRY(read_object(s, "fallback_policy", "fallback_policy.", &inner));
  if (!inner.object) return FF_OK;
  TRY(read_array(&inner, "tiers", &tiers));
  if (!tiers) return FF_OK;
  for (const struct json *item = tiers->first; item; item = item->next) {
    if (item->type != JSON_OBJECT) return bad(&inner, "tiers", "non_object_element");
    tier = inner;
    tier.object = item;
    tier.path = "fallback_policy.tiers.";
    TRY(check_text(&tier, "provider"));
    TRY(check_text(&tier, "model"));
    TRY(read_ms(&tier, "timeout_ms", &unused));
  }
  return FF_OK;
}

/* Deduplicated, order kept, as CSV of lower-case uuids (01 PO-10). */
static enum ff_rc read_budget_ids(const struct scope *s, struct ff_str *csv) {
  const struct json *array;
  TRY(read_array(s, "budget_ids", &array));
  if (!array || array->count == 0) return FF_OK;
  struct uuid ids[BUDGETS_MAX];
  size_t n = 0;
  for (const struct json *item = array->first; item; item = item->next) {
    struct uuid id;
    if (item->type != JSON_STRING) return bad(s, "budget_ids", "non_string_element");
    if (!uuid_parse(item->text, &id)) return bad(s, "budget_ids", "not_uuid");
    size_t i = 0;
    while (i < n && !uuid_equal(ids[i], id)) i++;
    if (i < n) continue;
    if (n == BUDGETS_MAX) return bad(s, "budget_ids", "too_many");
    ids[n++] = id;
  }
  char *text = arena_alloc(s->arena, n * 37);
  for (size_t i = 0; i < n; i++) {
    uuid_format(ids[i], text + i * 37);
    text[i * 37 + 36] = ',';
  }
  *csv = text_of(text, n * 37 - 1);
  return FF_OK;
}

static enum ff_rc read_quota_policy_id(const struct scope *s, struct uuid *out) {
  TRY(check_text(s, "quota_policy_id"));
  const struct json *value = member(s, "quota_policy_id");
  return !value || uuid_parse(value->text, out) ? FF_OK : bad(s, "quota_policy_id", "not_uuid");
}

/* ---- routing: 01 PO-8 ---- */

/* capabilities_csv, naming the argument. */
static enum ff_rc join_tokens(const struct scope *s, const struct ff_str *tokens, size_t count,
                              struct ff_str *csv) {
  struct ff_error problem;
  struct ff_strs set = {tokens, count};
  if (capabilities_csv(set, "required", s->arena, csv, &problem) == FF_OK) return FF_OK;
  return error_field(s->e, problem.code, s->argument, "%s", problem.detail);
}

/* An element that is not text is only reported when none before it offends. */
static enum ff_rc refuse_non_string(const struct scope *s, const struct ff_str *tokens,
                                    size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct ff_str unused;
    if (tokens[i].len > 4096) continue; /* a matter of the whole set, judged after its elements */
    TRY(join_tokens(s, &tokens[i], 1, &unused));
  }
  return error_field(s->e, FF_CODE_invalid_capabilities, s->argument, "required:non_string_token");
}

static enum ff_rc read_routing(const struct scope *s, struct ff_str *csv) {
  struct scope inner;
  TRY(read_object(s, "routing_requirements", "routing_requirements.", &inner));
  if (!inner.object) return FF_OK;
  TRY(check_text(&inner, "preferred_locality"));
  TRY(check_text(&inner, "isolation_level"));
  const struct json *array = member(&inner, "required_capabilities");
  if (!array) return FF_OK;
  if (array->type != JSON_ARRAY)
    return error_field(s->e, FF_CODE_invalid_capabilities, s->argument, "required:not_array");
  struct ff_str *tokens = ARENA_ARRAY(s->arena, struct ff_str, array->count + 1);
  size_t n = 0;
  for (const struct json *item = array->first; item; item = item->next) {
    if (item->type != JSON_STRING) return refuse_non_string(s, tokens, n);
    tokens[n++] = item->text;
  }
  return join_tokens(s, tokens, n, csv);
}

/* ---- the whole ---- */

/* *object NULL when the text is empty. */
static enum ff_rc read_text(struct ff_str json, struct scope *s) {
  struct json_error where;
  s->object = NULL;
  if (json.len == 0) return FF_OK;
  if (!json_parse(json, s->arena, &s->object, &where))
    return error_field(s->e, FF_CODE_invalid_policy_json, s->argument, "malformed");
  if (s->object->type == JSON_OBJECT) return FF_OK;
  return error_field(s->e, FF_CODE_invalid_policy_json, s->argument, "not_object");
}

static bool has_members(const struct json *object) {
  for (const struct json *m = object->first; m; m = m->next)
    if (m->type != JSON_NULL) return true;
  return false;
}

static enum ff_rc read_plain_members(const struct scope *s, struct policy_facts *out) {
  int64_t unused, signals = -1;
  TRY(read_i64(s, "priority", INT32_MIN, INT32_MAX, &unused));
  TRY(read_i64(s, "delay_until", INT64_MIN, INT64_MAX, &out->delay_until));
  if (out->delay_until < 0) out->delay_until = 0; /* long past: no delay */
  TRY(read_auto_reclaim(s, &out->auto_reclaim_delay_ms));
  TRY(read_count(s, "max_replay_count", &out->max_replay_count));
  TRY(read_count(s, "max_signals_per_execution", &signals));
  if (signals >= 0) out->max_signals = signals ? signals : INT64_MAX;
  TRY(read_ms(s, "dedup_window_ms", &out->dedup_window_ms));
  TRY(read_budget_ids(s, &out->budget_ids));
  return read_quota_policy_id(s, &out->quota_policy_id);
}

static enum ff_rc read_members(const struct scope *s, struct policy_facts *out) {
  struct scope retry;
  int64_t timeout_reclaim_count = -1;
  TRY(read_plain_members(s, out));
  TRY(read_object(s, "retry_policy", "retry_policy.", &retry));
  if (retry.object) TRY(read_retry_policy(&retry, "retry_policy.backoff.", &out->retry));
  TRY(read_timeout_policy(s, out, &timeout_reclaim_count));
  TRY(read_count(s, "max_reclaim_count", &out->max_reclaim_count));
  if (out->max_reclaim_count < 0) out->max_reclaim_count = timeout_reclaim_count;
  TRY(read_suspension_policy(s, out));
  TRY(check_fallback_policy(s));
  TRY(read_stream_policy(s, &out->retention_ms, &out->stream_maxlen));
  return read_routing(s, &out->required_capabilities);
}

enum ff_rc policy_parse(struct ff_str json, struct arena *arena, struct policy_facts *out,
                        struct ff_error *e) {
  struct scope s = {.path = "", .argument = "policy", .arena = arena, .e = e};
  *out = (struct policy_facts){.auto_reclaim_delay_ms = -1,
                               .retention_ms = -1,
                               .max_reclaim_count = -1,
                               .max_replay_count = -1,
                               .required_capabilities = TEXT_LIT("")};
  TRY(read_text(json, &s));
  if (!s.object || !has_members(s.object)) return FF_OK;
  out->present = true;
  return read_members(&s, out);
}

enum ff_rc retry_policy_parse(struct ff_str json, struct arena *arena, struct retry_policy *out,
                              struct ff_error *e) {
  struct scope s = {.path = "", .argument = "retry_policy_json", .arena = arena, .e = e};
  *out = (struct retry_policy){0};
  TRY(read_text(json, &s));
  return s.object ? read_retry_policy(&s, "backoff.", out) : FF_OK;
}
