/*
 * Arguments of the operations on waitpoints, suspensions, signals and their keys.
 */
#include "test/lib/history_impl.h"

#include <stdio.h>

static const char *const keys[] = {"wpk:a", "wpk:b", "approval"};

static struct ff_str pick_key(struct history *h) { return ff_text(keys[dice(h, ARRAY_LEN(keys))]); }

static struct ff_handle pick_handle(struct history *h) {
  const struct held *held = pick_held(h);
  return held ? held->handle : (struct ff_handle){0};
}

/* Sets execution_id and waitpoint_id of x: mostly of one waitpoint. */
#define FILL_WAITPOINT(h, x)                                                                    \
  do {                                                                                          \
    const struct point *p_ = pick_point(h);                                                     \
    (x)->execution_id =                                                                         \
        p_ && chance(h, 92) ? arena_text(a, ff_text(p_->execution)) : pick_execution(h, a);     \
    (x)->waitpoint_id = p_ && chance(h, 95) ? arena_text(a, ff_text(p_->id)) : pick_uuid(h, a); \
  } while (0)

/* ---- waitpoints ---- */

DRAW(create_waitpoint) {
  UNUSED;
  x->handle = pick_handle(h);
  x->waitpoint_key = pick_key(h);
  x->expires_in_ms = 1 + dice(h, 6000);
  if (chance(h, 25)) x->request_id = pick_request_id(h);
}

DRAW(close_waitpoint) {
  UNUSED;
  FILL_WAITPOINT(h, x);
  if (chance(h, 30)) x->reason = pick_reason(h, a);
}

DRAW(expire_pending_waitpoint) {
  UNUSED;
  FILL_WAITPOINT(h, x);
}

DRAW(list_pending_waitpoints) {
  UNUSED;
  const struct point *p = pick_point(h);
  x->execution_id =
      p && chance(h, 80) ? arena_text(a, ff_text(p->execution)) : pick_execution(h, a);
  if (p && chance(h, 20)) x->after = arena_text(a, ff_text(p->id));
  x->limit = dice(h, 4);
}

DRAW(read_waitpoint_token) {
  UNUSED;
  static const char *const partitions[] = {"{fp:7}", "{fp:0}", "{fp:255}"};
  const struct point *p = pick_point(h);
  x->partition = ff_text(partitions[dice(h, ARRAY_LEN(partitions))]);
  if (p && chance(h, 90)) {
    const char *end = strchr(p->execution, '}');
    if (end) x->partition = arena_text(a, text_of(p->execution, (size_t)(end + 1 - p->execution)));
  }
  x->waitpoint_id = p ? arena_text(a, ff_text(p->id)) : pick_uuid(h, a);
}

/* ---- suspending ---- */

static struct ff_str pick_condition(struct history *h, struct arena *a, struct ff_str key) {
  static const char *const forms[] = {
      "{\"Single\":{\"waitpoint_key\":\"%s\",\"matcher\":\"Wildcard\"}}",
      "{\"Single\":{\"waitpoint_key\":\"%s\",\"matcher\":{\"ByName\":\"go\"}}}",
      "{\"Composite\":{\"kind\":\"Count\",\"n\":2,\"count_kind\":\"DistinctSignals\","
      "\"waitpoints\":[\"%s\"]}}",
      "{\"Composite\":{\"kind\":\"Count\",\"n\":2,\"count_kind\":\"DistinctSources\",\"matcher\":"
      "{\"ByName\":\"approved\"},\"waitpoints\":[\"%s\"]}}",
      "{\"Composite\":{\"kind\":\"AnyOf\",\"members\":[\"TimeoutOnly\",{\"Single\":"
      "{\"waitpoint_key\":\"%s\",\"matcher\":{\"ByCorrelationId\":\"c\"}}}]}}"};
  char name[64], text[400];
  snprintf(name, sizeof name, TEXT_FMT, TEXT_ARG(key));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  snprintf(text, sizeof text, forms[dice(h, ARRAY_LEN(forms))], name);
#pragma GCC diagnostic pop
  return chance(h, 5) ? TEXT_LIT("\"OperatorOnly\"") : arena_text(a, ff_text(text));
}

/* A new waitpoint, or one that was made before, of the same key as the condition's. */
static struct ff_waitpoint_bindings pick_binding(struct history *h, struct arena *a,
                                                 const struct held *held, struct ff_str *key) {
  struct ff_waitpoint_binding *b = ARENA_NEW(a, struct ff_waitpoint_binding);
  const struct point *p = pick_point(h);
  b->pending = p && held && strcmp(p->execution, held->execution) == 0 && chance(h, 80);
  b->waitpoint_id = b->pending ? arena_text(a, ff_text(p->id)) : pick_uuid(h, a);
  *key = b->pending ? arena_text(a, ff_text(p->key)) : pick_key(h);
  b->waitpoint_key = *key;
  return (struct ff_waitpoint_bindings){b, 1};
}

#define FILL_SUSPENSION(h, x, held)                                                              \
  do {                                                                                           \
    static const char *const reasons_[] = {"WaitingForSignal", "waiting_for_approval",           \
                                           "ManualPause", "PausedByBudget"};                     \
    static const char *const behaviors_[] = {"Fail",        "Cancel",                            \
                                             "Expire",      "auto_resume",                       \
                                             "Escalate",    "AutoResumeWithTimeoutSignal"};      \
    struct ff_str key_;                                                                          \
    (x)->waitpoints = pick_binding(h, a, held, &key_);                                           \
    (x)->suspension_id = pick_uuid(h, a);                                                        \
    (x)->resume_condition = pick_condition(h, a, key_);                                          \
    (x)->reason_code = ff_text(reasons_[dice(h, ARRAY_LEN(reasons_))]);                          \
    if (chance(h, 60)) (x)->timeout_at = pick_time(h, now) + 500;                                \
    if (chance(h, 70)) (x)->timeout_behavior = ff_text(behaviors_[dice(h, 6)]);                  \
    if (chance(h, 30)) (x)->resume_policy = TEXT_LIT("{\"resume_delay_ms\":300}");               \
    if (chance(h, 30)) (x)->idempotency_key = pick_request_id(h);                                \
    note_time(h, (x)->timeout_at);                                                               \
  } while (0)

DRAW(suspend) {
  UNUSED;
  const struct held *held = pick_held(h);
  x->handle = held ? held->handle : (struct ff_handle){0};
  FILL_SUSPENSION(h, x, held);
}

DRAW(suspend_by_triple) {
  UNUSED;
  const struct held *held = pick_held(h);
  x->execution_id = held ? arena_text(a, ff_text(held->execution)) : pick_execution(h, a);
  if (held)
    x->fence = (struct ff_fence){arena_text(a, ff_text(held->lease_id)), held->epoch,
                                 arena_text(a, ff_text(held->attempt_id))};
  FILL_SUSPENSION(h, x, held);
}

DRAW(suspend_waitpoints) {
  UNUSED;
  const struct held *held = pick_held(h);
  const struct point *p = pick_point(h);
  size_t count = 1 + dice(h, 2);
  struct ff_waitpoint_spec *specs = ARENA_ARRAY(a, struct ff_waitpoint_spec, count);
  for (size_t i = 0; i < count; i++) {
    specs[i].kind = (uint8_t)dice(h, 3);
    specs[i].matcher = (struct ff_bytes){"go", 2};
  }
  if (p && held && strcmp(p->execution, held->execution) == 0)
    specs[0].waitpoint_token = arena_text(a, ff_text(p->token));
  x->handle = held ? held->handle : (struct ff_handle){0};
  x->waitpoints = (struct ff_waitpoint_specs){specs, count};
  x->timeout_ms = dice(h, 3) * 1500;
}

/* ---- signals ---- */

static struct ff_str pick_signal_name(struct history *h) {
  static const char *const names[] = {"go", "go", "approved", "rejected", "stop"};
  return ff_text(names[dice(h, ARRAY_LEN(names))]);
}

static void fill_signal(struct history *h, struct arena *a, struct ff_deliver_signal_args *x) {
  static const char *const people[] = {"ann", "bob", ""};
  const struct point *p = pick_point(h);
  x->execution_id = p ? arena_text(a, ff_text(p->execution)) : pick_execution(h, a);
  x->waitpoint_id = p ? arena_text(a, ff_text(p->id)) : pick_uuid(h, a);
  x->waitpoint_token = p && chance(h, 95) ? arena_text(a, ff_text(p->token)) : TEXT_LIT("k1:no");
  x->signal_id = pick_uuid(h, a);
  x->signal_name = pick_signal_name(h);
  x->source_type = chance(h, 50) ? TEXT_LIT("user") : (struct ff_str){NULL, 0};
  x->source_identity = ff_text(people[dice(h, ARRAY_LEN(people))]);
  if (chance(h, 30)) x->correlation_id = TEXT_LIT("c");
  if (chance(h, 40)) x->idempotency_key = pick_request_id(h);
  if (chance(h, 30)) x->payload = pick_payload(h, a);
  x->has_dedup_ttl = chance(h, 40);
  x->dedup_ttl_ms = dice(h, 3) * 2000;
  x->has_resume_delay = chance(h, 20);
  x->resume_delay_ms = dice(h, 3) * 400;
  if (chance(h, 10)) x->max_signals_per_execution = 1 + dice(h, 4);
  if (chance(h, 30)) x->signal_maxlen = 1 + dice(h, 3);
}

DRAW(deliver_signal) {
  UNUSED;
  fill_signal(h, a, x);
}

DRAW(deliver_signals) {
  UNUSED;
  size_t count = dice(h, 5);
  struct ff_deliver_signal_args *items = ARENA_ARRAY(a, struct ff_deliver_signal_args, count + 1);
  for (size_t i = 0; i < count; i++) {
    items[i].size = sizeof items[i];
    fill_signal(h, a, &items[i]);
    if (i && chance(h, 20)) items[i] = items[i - 1];
  }
  x->items = (struct ff_signal_list){items, count};
}

DRAW(deliver_approval_signal) {
  static const char *const people[] = {"ann", "bob"};
  static const char *const suffixes[] = {"1", "2", "3"};
  UNUSED;
  const struct point *p = pick_point(h);
  const struct known *known = p ? find_known(h, p->execution) : NULL;
  x->execution_id = p ? arena_text(a, ff_text(p->execution)) : pick_execution(h, a);
  x->waitpoint_id = p ? arena_text(a, ff_text(p->id)) : pick_uuid(h, a);
  x->lane_id = known && known->lane[0] ? arena_text(a, ff_text(known->lane)) : pick_lane(h);
  x->signal_name = pick_signal_name(h);
  x->idempotency_suffix = ff_text(suffixes[dice(h, ARRAY_LEN(suffixes))]);
  x->source_identity = ff_text(people[dice(h, ARRAY_LEN(people))]);
  x->signal_dedup_ttl_ms = dice(h, 3) * 3000;
}

DRAW(observe_signals) {
  UNUSED;
  x->handle = pick_handle(h);
}

DRAW(resume_execution) {
  static const char *const triggers[] = {"signal", "operator", "auto_resume"};
  UNUSED;
  const struct point *p = pick_point(h);
  x->execution_id =
      p && chance(h, 80) ? arena_text(a, ff_text(p->execution)) : pick_execution(h, a);
  if (chance(h, 60)) x->trigger_type = ff_text(triggers[dice(h, ARRAY_LEN(triggers))]);
  if (chance(h, 30)) x->resume_delay_ms = dice(h, 1000);
}

DRAW(expire_suspension) {
  UNUSED;
  const struct point *p = pick_point(h);
  x->execution_id =
      p && chance(h, 80) ? arena_text(a, ff_text(p->execution)) : pick_execution(h, a);
}

DRAW(list_suspended) {
  UNUSED;
  static const char *const partitions[] = {"{fp:7}", "{fp:0}", "{fp:255}"};
  x->partition = ff_text(partitions[dice(h, ARRAY_LEN(partitions))]);
  if (chance(h, 20)) x->cursor = pick_execution(h, a);
  x->limit = dice(h, 4);
}

/* ---- keys ---- */

static struct ff_str pick_secret(struct history *h, struct arena *a) {
  char hex[65];
  for (int i = 0; i < 64; i++) hex[i] = "0123456789abcdefABCDEF"[dice(h, 22)];
  hex[64] = '\0';
  return chance(h, 70) ? TEXT_LIT("000102030405060708090a0b0c0d0e0f"
                                  "101112131415161718191a1b1c1d1e1f")
                       : arena_text(a, ff_text(hex));
}

static struct ff_str pick_kid(struct history *h) {
  static const char *const kids[] = {"k1", "k2", "k3", "k4", "2026-11", "~"};
  return ff_text(kids[dice(h, ARRAY_LEN(kids))]);
}

DRAW(seed_waitpoint_hmac_secret) {
  UNUSED;
  x->kid = pick_kid(h);
  x->secret_hex = pick_secret(h, a);
}

DRAW(rotate_waitpoint_hmac_secret_all) {
  UNUSED;
  x->new_kid = pick_kid(h);
  x->new_secret_hex = pick_secret(h, a);
  x->grace_ms = dice(h, 4) * 4000;
}

DRAW(list_waitpoint_hmac_kids) { UNUSED; }

static const struct draw draws[] = {
    {OP_suspend, 9, DRAW_LEASE, draw_suspend},
    {OP_suspend_by_triple, 3, DRAW_LEASE, draw_suspend_by_triple},
    {OP_suspend_waitpoints, 3, DRAW_LEASE, draw_suspend_waitpoints},
    {OP_deliver_signal, 12, DRAW_ANY, draw_deliver_signal},
    {OP_deliver_signals, 4, DRAW_ANY, draw_deliver_signals},
    {OP_deliver_approval_signal, 4, DRAW_ANY, draw_deliver_approval_signal},
    {OP_observe_signals, 3, DRAW_LEASE, draw_observe_signals},
    {OP_resume_execution, 3, DRAW_ANY, draw_resume_execution},
    {OP_expire_suspension, 2, DRAW_ANY, draw_expire_suspension},
    {OP_list_suspended, 2, DRAW_READ, draw_list_suspended},
    {OP_create_waitpoint, 5, DRAW_LEASE, draw_create_waitpoint},
    {OP_close_waitpoint, 2, DRAW_ANY, draw_close_waitpoint},
    {OP_expire_pending_waitpoint, 2, DRAW_ANY, draw_expire_pending_waitpoint},
    {OP_list_pending_waitpoints, 2, DRAW_READ, draw_list_pending_waitpoints},
    {OP_read_waitpoint_token, 2, DRAW_READ, draw_read_waitpoint_token},
    {OP_seed_waitpoint_hmac_secret, 1, DRAW_ANY, draw_seed_waitpoint_hmac_secret},
    {OP_rotate_waitpoint_hmac_secret_all, 1, DRAW_ANY, draw_rotate_waitpoint_hmac_secret_all},
    {OP_list_waitpoint_hmac_kids, 1, DRAW_READ, draw_list_waitpoint_hmac_kids},
};
const struct draw_table history_signal_draws = {draws, ARRAY_LEN(draws)};
