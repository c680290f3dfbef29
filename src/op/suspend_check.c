/*
 * The argument checks of suspend, in the order of 03 §4.3, and the words and policies it takes.
 *
 * Needs no store. V-10 wants the time and is left to the operation.
 */
#include "op/suspend.h"

enum { POINTER_MAX_BYTES = 4096, KEY_MAX_BYTES = 512, POLICY_MAX_BYTES = 4096 };

/* ---- words ---- */

struct word {
  const char *camel, *stored;
};

static const struct word reasons[] = {{"WaitingForSignal", "waiting_for_signal"},
                                      {"WaitingForApproval", "waiting_for_approval"},
                                      {"WaitingForCallback", "waiting_for_callback"},
                                      {"WaitingForToolResult", "waiting_for_tool_result"},
                                      {"WaitingForOperatorReview", "waiting_for_operator_review"},
                                      {"PausedByPolicy", "paused_by_policy"},
                                      {"PausedByBudget", "paused_by_budget"},
                                      {"StepBoundary", "step_boundary"},
                                      {"ManualPause", "manual_pause"}};
static const struct word behaviors[] = {
    {"Fail", "fail"},
    {"Cancel", "cancel"},
    {"Expire", "expire"},
    {"AutoResume", "auto_resume"},
    {"AutoResumeWithTimeoutSignal", "auto_resume_with_timeout_signal"},
    {"Escalate", "escalate"}};
static const struct word requesters[] = {{"Worker", "worker"},
                                         {"Operator", "operator"},
                                         {"Policy", "policy"},
                                         {"SystemTimeoutPolicy", "system_timeout_policy"}};

static struct ff_str stored_word(const struct word *words, size_t count, struct ff_str text) {
  for (size_t i = 0; i < count; i++)
    if (text_equal_c(text, words[i].camel) || text_equal_c(text, words[i].stored))
      return ff_text(words[i].stored);
  return (struct ff_str){NULL, 0};
}

struct ff_str suspend_behavior_word(struct ff_str text) {
  return stored_word(behaviors, ARRAY_LEN(behaviors), text);
}

static enum ff_rc check_words(const struct ff_suspend_args *a, struct suspend_request *r,
                              struct ff_error *e) {
  struct ff_str requester = text_present(a->requested_by) ? a->requested_by : TEXT_LIT("worker");
  r->reason_code = stored_word(reasons, ARRAY_LEN(reasons), a->reason_code);
  if (!text_present(r->reason_code))
    return error_field(e, FF_CODE_invalid_input, "reason_code", "no reason to suspend");
  r->requested_by = stored_word(requesters, ARRAY_LEN(requesters), requester);
  if (!text_present(r->requested_by))
    return error_field(e, FF_CODE_invalid_input, "requested_by", "no requester");
  if (!text_present(a->timeout_behavior)) return FF_OK;
  r->timeout_behavior = suspend_behavior_word(a->timeout_behavior);
  if (text_present(r->timeout_behavior)) return FF_OK;
  return error_field(e, FF_CODE_invalid_input, "timeout_behavior", "no timeout behaviour");
}

/* ---- the resume policy ---- */

#define POLICY_FLAGS 3
static const char *const flag_names[POLICY_FLAGS] = {
    "consume_matched_signals", "retain_signal_buffer_until_closed", "close_waitpoint_on_resume"};

static enum ff_rc bad_policy(struct ff_error *e, const char *problem) {
  return error_field(e, FF_CODE_invalid_input, "resume_policy", "resume_policy: %s", problem);
}

/* Absent members are those of the normal policy; only the delay acts. */
static enum ff_rc check_policy(struct ff_str text, struct arena *arena, struct ff_str *stored,
                               struct ff_error *e) {
  bool flags[POLICY_FLAGS] = {true, false, true};
  struct json_error where;
  const struct json *object = NULL;
  uint64_t delay_ms = 0;
  TRY(text_check(text, "resume_policy", POLICY_MAX_BYTES, e));
  if (text.len && (!json_parse(text, arena, &object, &where) || object->type != JSON_OBJECT))
    return bad_policy(e, "no JSON object");
  const struct json *target = json_member(object, "resume_target");
  if (target && !(target->type == JSON_STRING && text_equal_c(target->text, "Runnable")))
    return bad_policy(e, "resume_target is Runnable");
  for (size_t i = 0; i < POLICY_FLAGS; i++) {
    const struct json *flag = json_member(object, flag_names[i]);
    if (flag && flag->type != JSON_TRUE && flag->type != JSON_FALSE)
      return bad_policy(e, "a flag is true or false");
    if (flag) flags[i] = flag->type == JSON_TRUE;
  }
  const struct json *delay = json_member(object, "resume_delay_ms");
  if (delay && delay->type == JSON_NULL) delay = NULL;
  if (delay && !json_u64(delay, &delay_ms)) return bad_policy(e, "resume_delay_ms is a number");
  *stored = arena_printf(
      arena, "{\"resume_target\":\"Runnable\",\"%s\":%s,\"%s\":%s,\"%s\":%s", flag_names[0],
      flags[0] ? "true" : "false", flag_names[1], flags[1] ? "true" : "false", flag_names[2],
      flags[2] ? "true" : "false");
  *stored = delay ? arena_printf(arena, TEXT_FMT ",\"resume_delay_ms\":%llu}", TEXT_ARG(*stored),
                                 (unsigned long long)delay_ms)
                  : arena_printf(arena, TEXT_FMT "}", TEXT_ARG(*stored));
  return FF_OK;
}

uint64_t suspend_policy_delay(struct ff_str policy, struct arena *arena) {
  struct json_error where;
  const struct json *object;
  uint64_t delay_ms;
  if (!json_parse(policy, arena, &object, &where)) return 0;
  const struct json *delay = json_member(object, "resume_delay_ms");
  return delay && json_u64(delay, &delay_ms) ? delay_ms : 0;
}

/* ---- bindings ---- */

static enum ff_rc bad_binding(struct ff_error *e, const char *token, size_t i) {
  return error_field(e, FF_CODE_invalid_input, "waitpoints", "%s at waitpoints[%zu]", token, i);
}

/* V-2, V-3 */
static enum ff_rc check_bindings(const struct suspend_request *r, struct ff_error *e) {
  for (size_t i = 0; i < r->binding_count; i++)
    if (!r->bindings[i].pending && r->bindings[i].key.len == 0)
      return bad_binding(e, i ? "additional_waitpoint_binding_empty_key"
                              : "waitpoint_binding_empty_key", i);
  for (size_t i = 0; i < r->binding_count; i++)
    for (size_t k = 0; k < i; k++) {
      const struct suspend_binding *a = &r->bindings[i], *b = &r->bindings[k];
      if (uuid_equal(a->id, b->id) ||
          (!a->pending && !b->pending && text_equal(a->key, b->key)))
        return bad_binding(e, "duplicate_waitpoint_binding", i);
    }
  return FF_OK;
}

static enum ff_rc take_bindings(const struct ff_suspend_args *a, struct arena *arena,
                                struct suspend_request *r, struct ff_error *e) {
  if (a->waitpoints.count == 0)
    return error_field(e, FF_CODE_invalid_input, "waitpoints", "waitpoints_empty");
  if (a->waitpoints.count > BINDINGS_MAX)
    return error_field(e, FF_CODE_invalid_input, "waitpoints", "at most %d bindings, got %zu",
                       BINDINGS_MAX, a->waitpoints.count);
  r->bindings = ARENA_ARRAY(arena, struct suspend_binding, a->waitpoints.count);
  for (size_t i = 0; i < a->waitpoints.count; i++) {
    const struct ff_waitpoint_binding *given = &a->waitpoints.items[i];
    struct suspend_binding *b = &r->bindings[r->binding_count++];
    b->pending = given->pending;
    TRY(own_uuid_parse(given->waitpoint_id, "waitpoints", &b->id, e));
    if (b->pending) continue;
    b->key = given->waitpoint_key;
    if (b->key.len) TRY(waitpoint_key_check(b->key, "waitpoints", e));
  }
  return FF_OK;
}

/* ---- keys and conditions ---- */

static enum ff_rc extra_binding(struct ff_error *e, struct ff_str key) {
  return error_field(e, FF_CODE_invalid_input, "waitpoints",
                     "extra_binding_not_referenced_by_condition: " TEXT_FMT, TEXT_ARG(key));
}

/* V-5 … V-7. Keys that are not known yet are absent and not judged; all_known: none is. */
static enum ff_rc check_keys(const struct suspend_request *r, const struct ff_str *keys,
                             bool all_known, struct ff_error *e) {
  const struct condition *c = r->condition;
  if (c->kind == CONDITION_SINGLE && text_present(keys[0]) && !condition_names_key(c, keys[0]))
    return error_field(e, FF_CODE_invalid_input, "resume_condition", "waitpoint_key_mismatch");
  if (condition_is_composite(c)) {
    struct ff_str missing = condition_missing_key(c, keys, r->binding_count);
    if (all_known && text_present(missing))
      return error_field(e, FF_CODE_invalid_input, "resume_condition",
                         "referenced_waitpoint_key_missing_binding: " TEXT_FMT, TEXT_ARG(missing));
    for (size_t i = 0; i < r->binding_count; i++)
      if (text_present(keys[i]) && !condition_names_key(c, keys[i]))
        return extra_binding(e, keys[i]);
    return FF_OK;
  }
  if (r->binding_count == 1) return FF_OK;
  if (text_present(keys[1])) return extra_binding(e, keys[1]);
  struct ff_id id;
  uuid_format_id(r->bindings[1].id, &id);
  return extra_binding(e, ff_text(id.text));
}

enum ff_rc suspend_check_keys(const struct suspend_request *r, const struct ff_str *keys,
                              struct ff_error *e) {
  for (size_t i = 0; i < r->binding_count; i++)
    for (size_t k = 0; k < i; k++)
      if (text_equal(keys[i], keys[k])) return bad_binding(e, "duplicate_waitpoint_binding", i);
  return check_keys(r, keys, true, e);
}

static enum ff_rc check_condition(const struct ff_suspend_args *a, const struct suspend_request *r,
                                  struct arena *arena, struct ff_error *e) {
  bool all_known = true;
  struct ff_str *keys = ARENA_ARRAY(arena, struct ff_str, r->binding_count);
  for (size_t i = 0; i < r->binding_count; i++) {
    keys[i] = r->bindings[i].key;
    all_known &= !r->bindings[i].pending;
  }
  TRY(condition_check_structure(r->condition, e));
  TRY(check_keys(r, keys, all_known, e));
  if (!a->timeout_at && condition_waits_for_time(r->condition))
    return error_field(e, FF_CODE_invalid_input, "timeout_at", "timeout_only_without_deadline");
  return condition_check_names(r->condition, e);
}

enum ff_rc suspend_check(const struct ff_suspend_args *a, struct arena *arena,
                         struct suspend_request *r, struct ff_error *e) {
  TRY(own_uuid_parse(a->suspension_id, "suspension_id", &r->suspension_id, e));
  TRY(condition_parse(a->resume_condition, arena, &r->condition, e));
  TRY(check_policy(a->resume_policy, arena, &r->resume_policy, e));
  TRY(check_words(a, r, e));
  TRY(take_bindings(a, arena, r, e));
  TRY(check_bindings(r, e));
  TRY(check_condition(a, r, arena, e));
  if (a->timeout_at < 0)
    return error_field(e, FF_CODE_invalid_input, "timeout_at", "timeout_at_in_past");
  TRY(text_check(a->continuation_metadata_pointer, "continuation_metadata_pointer",
                 POINTER_MAX_BYTES, e));
  TRY(text_check(a->idempotency_key, "idempotency_key", KEY_MAX_BYTES, e));
  r->resume_condition = condition_store(a->resume_condition, arena);
  r->timeout_at = a->timeout_at;
  r->continuation_metadata_pointer = a->continuation_metadata_pointer;
  r->idempotency_key = a->idempotency_key;
  return FF_OK;
}
