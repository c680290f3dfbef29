/*
 * Arguments of the operations that create, claim, hold and end executions, and how often each is
 * drawn.
 */
#include "test/lib/history_impl.h"

/* ---- creating ---- */

static struct ff_pairs pick_tags(struct history *h, struct arena *a) {
  static const char *const keys[] = {"app.colour", "app.size", "team.name"};
  static const char *const values[] = {"red", "", "Ünïcode", "42"};
  size_t count = chance(h, 60) ? 0 : 1 + dice(h, 2);
  struct ff_pair *pairs = ARENA_ARRAY(a, struct ff_pair, count + 1);
  for (size_t i = 0; i < count; i++)
    pairs[i] = (struct ff_pair){ff_text(keys[dice(h, ARRAY_LEN(keys))]),
                                ff_text(values[dice(h, ARRAY_LEN(values))])};
  return (struct ff_pairs){pairs, count};
}

DRAW(create_execution) {
  static const char *const namespaces[] = {"", "ns", "other"};
  x->execution_id = pick_execution(h, a);
  x->namespace_ = ff_text(namespaces[dice(h, ARRAY_LEN(namespaces))]);
  x->lane_id = pick_lane(h);
  x->execution_kind = chance(h, 50) ? TEXT_LIT("kind") : (struct ff_str){NULL, 0};
  x->input_payload = pick_payload(h, a);
  x->payload_encoding = chance(h, 20) ? TEXT_LIT("json") : (struct ff_str){NULL, 0};
  x->priority = (int32_t)dice(h, 4) * 10 - 10;
  x->creator_identity = chance(h, 30) ? TEXT_LIT("tester") : (struct ff_str){NULL, 0};
  x->idempotency_key = pick_idempotency_key(h);
  x->tags = pick_tags(h, a);
  x->policy = pick_policy(h, a, now);
  if (chance(h, 15)) x->delay_until = pick_time(h, now);
  if (chance(h, 10)) x->deadline_at = pick_time(h, now) + 4000;
}

DRAW(submit) {
  struct ff_create_execution_args c = {.size = sizeof c};
  create_execution_fill(h, a, &c, now);
  x->namespace_ = c.namespace_;
  x->lane_id = c.lane_id;
  x->execution_kind = c.execution_kind;
  x->input_payload = c.input_payload;
  x->payload_encoding = c.payload_encoding;
  x->priority = c.priority;
  x->creator_identity = c.creator_identity;
  x->idempotency_key = c.idempotency_key;
  x->tags = c.tags;
  x->policy = c.policy;
  x->delay_until = c.delay_until;
  x->deadline_at = c.deadline_at;
}

DRAW(create_executions) {
  size_t count = 1 + dice(h, 4);
  struct ff_create_execution_args *items = ARENA_ARRAY(a, struct ff_create_execution_args, count);
  for (size_t i = 0; i < count; i++) {
    items[i].size = sizeof items[i];
    create_execution_fill(h, a, &items[i], now);
    if (chance(h, 30)) items[i].execution_id = (struct ff_str){NULL, 0};
  }
  x->items = (struct ff_create_list){items, count};
}

/* ---- claiming eligible work ---- */

static struct ff_strs pick_lanes(struct history *h, struct arena *a) {
  size_t count = 1 + dice(h, 3);
  struct ff_str *list = ARENA_ARRAY(a, struct ff_str, count);
  for (size_t i = 0; i < count; i++) list[i] = pick_lane(h);
  return (struct ff_strs){list, count};
}

static uint64_t pick_wait(struct history *h) {
  return h->options.waits && chance(h, 35) ? dice(h, 4000) : 0;
}

#define FILL_CLAIMER(h, x)                                      \
  do {                                                          \
    const struct history_worker *w_ = &history_workers[pick_worker(h)]; \
    (x)->worker_id = ff_text(w_->id);                           \
    (x)->worker_instance_id = ff_text(w_->instance);            \
    (x)->capabilities = w_->capabilities;                       \
    (x)->lease_ttl_ms = pick_ttl(h);                            \
    (x)->request_id = pick_request_id(h);                       \
  } while (0)

DRAW(claim) {
  UNUSED;
  FILL_CLAIMER(h, x);
  x->lane_id = pick_lane(h);
  x->max_wait_ms = pick_wait(h);
}

DRAW(claim_task) {
  UNUSED;
  FILL_CLAIMER(h, x);
  x->lane_ids = pick_lanes(h, a);
  x->max_wait_ms = pick_wait(h);
}

DRAW(claim_tasks) {
  UNUSED;
  FILL_CLAIMER(h, x);
  x->lane_ids = pick_lanes(h, a);
  x->max_wait_ms = pick_wait(h);
  x->max = 1 + dice(h, 4);
}

/* ---- claiming one known execution ---- */

#define FILL_FROM_TOKEN(h, x, kind_)                                                               \
  do {                                                                                             \
    struct token *t_ = pick_token(h, kind_);                                                       \
    const struct history_worker *w_ =                                                              \
        &history_workers[t_ && chance(h, 85) ? t_->worker : pick_worker(h)];                       \
    (x)->execution_id =                                                                            \
        t_ && chance(h, 90) ? arena_text(a, ff_text(t_->execution)) : pick_execution(h, a);        \
    (x)->lane_id = t_ && chance(h, 92) ? arena_text(a, ff_text(t_->lane)) : pick_lane(h);          \
    (x)->worker_id = ff_text(w_->id);                                                              \
    (x)->worker_instance_id = ff_text(w_->instance);                                               \
    (x)->lease_ttl_ms = pick_ttl(h);                                                               \
  } while (0)

DRAW(claim_execution) {
  FILL_FROM_TOKEN(h, x, TOKEN_FRESH);
  x->lease_id = pick_uuid(h, a);
  x->attempt_id = pick_uuid(h, a);
  if (chance(h, 20)) x->attempt_timeout_ms = 500 + dice(h, 4000);
  if (chance(h, 8)) x->execution_deadline_at = pick_time(h, now) + 5000;
  if (chance(h, 10)) x->attempt_policy_json = TEXT_LIT("{\"note\":1}");
}

DRAW(claim_resumed_execution) {
  UNUSED;
  FILL_FROM_TOKEN(h, x, TOKEN_RESUME);
  x->lease_id = pick_uuid(h, a);
  if (chance(h, 20)) x->remaining_attempt_timeout_ms = 500 + dice(h, 4000);
}

DRAW(claim_from_resume_grant) {
  UNUSED;
  FILL_FROM_TOKEN(h, x, TOKEN_RESUME);
  x->grant_key = TEXT_LIT("whatever");
}

DRAW(claim_from_reclaim) {
  UNUSED;
  FILL_FROM_TOKEN(h, x, TOKEN_ANY);
  x->grant_key = TEXT_LIT("whatever");
}

DRAW(issue_grant_and_claim) {
  UNUSED;
  const struct known *known = pick_known(h, BELIEF_WAITING);
  x->execution_id = arena_text(a, ff_text(known->id));
  x->lane_id = known->lane[0] && chance(h, 90) ? arena_text(a, ff_text(known->lane)) : pick_lane(h);
  x->lease_duration_ms = pick_ttl(h);
}

DRAW(reclaim_execution) {
  UNUSED;
  FILL_FROM_TOKEN(h, x, TOKEN_RECLAIM);
  x->lease_id = pick_uuid(h, a);
  x->attempt_id = pick_uuid(h, a);
  if (chance(h, 15)) {
    x->has_max_reclaim_count = true;
    x->max_reclaim_count = dice(h, 3);
  }
}

/* ---- holding and ending with a handle ---- */

static struct ff_handle pick_handle(struct history *h) {
  const struct held *held = pick_held(h);
  return held ? held->handle : (struct ff_handle){0};
}

DRAW(renew) {
  UNUSED;
  x->handle = pick_handle(h);
}

DRAW(renew_many) {
  UNUSED;
  size_t count = 1 + dice(h, 4);
  struct ff_renew_item *items = ARENA_ARRAY(a, struct ff_renew_item, count);
  for (size_t i = 0; i < count; i++) items[i].handle = pick_handle(h);
  x->items = (struct ff_renew_items){items, count};
}

DRAW(progress) {
  UNUSED;
  x->handle = pick_handle(h);
  x->has_percent = dice(h, 2);
  x->percent = dice(h, h->options.spoils ? 102 : 101);
  x->message = chance(h, 40) ? pick_reason(h, a) : (struct ff_str){NULL, 0};
}

DRAW(complete) {
  UNUSED;
  const struct held *held = pick_held(h);
  x->handle = held ? held->handle : (struct ff_handle){0};
  x->result_payload = pick_result(h, a, held, TEXT_LIT("?"));
  x->result_encoding = chance(h, 20) ? TEXT_LIT("text") : (struct ff_str){NULL, 0};
}

DRAW(complete_many) {
  UNUSED;
  size_t count = 1 + dice(h, 4);
  struct ff_complete_item *items = ARENA_ARRAY(a, struct ff_complete_item, count);
  for (size_t i = 0; i < count; i++) {
    const struct held *held = pick_held(h);
    if (held) items[i].handle = held->handle;
    items[i].result_payload = pick_result(h, a, held, TEXT_LIT("?"));
  }
  x->items = (struct ff_complete_items){items, count};
}

DRAW(complete_and_claim) {
  UNUSED;
  const struct held *held = pick_held(h);
  FILL_CLAIMER(h, x);
  x->handle = held ? held->handle : (struct ff_handle){0};
  x->result_payload = pick_result(h, a, held, TEXT_LIT("?"));
  x->lane_ids = pick_lanes(h, a);
}

DRAW(fail) {
  static const char *const details[] = {"", "provider_error", "transient", "Ünïcode"};
  UNUSED;
  x->handle = pick_handle(h);
  x->reason = pick_reason(h, a);
  x->detail = ff_text(details[dice(h, ARRAY_LEN(details))]);
  x->failure_class = (uint8_t)(chance(h, 60) ? FF_failure_class_transient : dice(h, 5));
}

DRAW(fail_many) {
  UNUSED;
  size_t count = 1 + dice(h, 3);
  struct ff_fail_item *items = ARENA_ARRAY(a, struct ff_fail_item, count);
  for (size_t i = 0; i < count; i++)
    items[i] = (struct ff_fail_item){.handle = pick_handle(h),
                                     .reason = pick_reason(h, a),
                                     .failure_class = (uint8_t)dice(h, 5)};
  x->items = (struct ff_fail_items){items, count};
}

DRAW(cancel) {
  UNUSED;
  x->handle = pick_handle(h);
  x->reason = pick_reason(h, a);
}

DRAW(delay) {
  x->handle = pick_handle(h);
  x->delay_until = pick_time(h, now);
  (void)a;
}

DRAW(wait_children) {
  UNUSED;
  x->handle = pick_handle(h);
}

/* ---- the same by fence ---- */

static struct ff_fence fence_of(struct history *h, struct arena *a, const struct held *held) {
  struct ff_fence fence = {0};
  if (!held || chance(h, 8)) return fence;
  fence = (struct ff_fence){arena_text(a, ff_text(held->lease_id)), held->epoch,
                            arena_text(a, ff_text(held->attempt_id))};
  uint32_t n = dice(h, 40);
  if (n == 0) fence.lease_epoch++;
  if (n == 1) fence.attempt_id = (struct ff_str){NULL, 0};
  if (n == 2) fence.lease_id = fence.attempt_id;
  return fence;
}

/* Sets execution_id, fence and sometimes attempt_index of x from a lease; answers the lease. */
#define FILL_FENCE(h, x, held_)                                                                 \
  const struct held *held_ = pick_held(h);                                                      \
  (x)->execution_id =                                                                           \
      held_ && chance(h, 95) ? arena_text(a, ff_text(held_->execution)) : pick_execution(h, a); \
  (x)->fence = fence_of(h, a, held_)

static struct ff_str pick_source(struct history *h) {
  static const char *const sources[] = {"lease_holder", "operator_override", "system_timeout",
                                        "custom"};
  return chance(h, 50) ? (struct ff_str){NULL, 0} : ff_text(sources[dice(h, ARRAY_LEN(sources))]);
}

DRAW(renew_lease) {
  UNUSED;
  FILL_FENCE(h, x, held);
  x->lease_ttl_ms = pick_ttl(h);
  x->has_attempt_index = held && chance(h, 40);
  if (x->has_attempt_index) x->attempt_index = held->attempt_index + (dice(h, 8) == 0);
}

DRAW(complete_execution) {
  UNUSED;
  FILL_FENCE(h, x, held);
  x->source = pick_source(h);
  x->has_attempt_index = held && chance(h, 40);
  if (x->has_attempt_index) x->attempt_index = held->attempt_index + (dice(h, 8) == 0);
  if (chance(h, 30)) x->fence = (struct ff_fence){0};
  x->result_payload = pick_result(h, a, x->fence.lease_epoch ? held : NULL, x->execution_id);
}

DRAW(fail_execution) {
  static const char *const categories[] = {"", "permanent", "transient", "timeout", "odd"};
  UNUSED;
  FILL_FENCE(h, x, held);
  x->source = pick_source(h);
  if (chance(h, 30)) x->fence = (struct ff_fence){0};
  x->failure_reason = pick_reason(h, a);
  x->failure_category = ff_text(categories[dice(h, ARRAY_LEN(categories))]);
  x->retry_policy_json = pick_retry_policy(h, a);
  x->next_attempt_policy_json = chance(h, 20) ? TEXT_LIT("{\"n\":2}") : (struct ff_str){NULL, 0};
}

DRAW(cancel_execution) {
  UNUSED;
  FILL_FENCE(h, x, held);
  if (chance(h, 75)) x->fence = (struct ff_fence){0};
  x->source = pick_source(h);
  x->reason = pick_reason(h, a);
}

/* ---- losing the lease, reclaim, hooks ---- */

DRAW(revoke_lease) {
  UNUSED;
  const struct held *held = pick_held(h);
  x->execution_id =
      held && chance(h, 80) ? arena_text(a, ff_text(held->execution)) : pick_execution(h, a);
  if (held && chance(h, 25)) x->expected_lease_id = arena_text(a, ff_text(held->lease_id));
  if (held && chance(h, 15)) x->worker_instance_id = arena_text(a, ff_text(held->instance));
  x->reason = pick_reason(h, a);
}

DRAW(issue_reclaim_grant) {
  UNUSED;
  const struct known *known = pick_known(h, chance(h, 70) ? BELIEF_LOST : BELIEF_LEASED);
  const struct history_worker *w = &history_workers[pick_worker(h)];
  x->execution_id = arena_text(a, ff_text(known->id));
  x->lane_id = known->lane[0] && chance(h, 92) ? arena_text(a, ff_text(known->lane)) : pick_lane(h);
  x->worker_id = ff_text(w->id);
  x->worker_instance_id = ff_text(w->instance);
  x->worker_capabilities = chance(h, 70) ? history_all_capabilities() : w->capabilities;
  x->grant_ttl_ms = 1 + dice(h, 4000);
  if (chance(h, 15)) {
    x->has_max_reclaim_count = true;
    x->max_reclaim_count = dice(h, 3);
  }
}

DRAW_BY_ID(mark_lease_expired_if_due, BELIEF_LEASED)
DRAW_BY_ID(auto_reclaim, BELIEF_LOST)
DRAW_BY_ID(promote_delayed, BELIEF_NONE)
DRAW_BY_ID(replay_execution, BELIEF_ENDED)

DRAW(expire_execution) {
  UNUSED;
  x->execution_id = pick_execution(h, a);
  x->phase = (uint8_t)dice(h, FF_expire_phase_COUNT);
}

DRAW(change_priority) {
  UNUSED;
  x->execution_id = arena_text(a, ff_text(pick_known(h, BELIEF_WAITING)->id));
  x->new_priority = (int32_t)dice(h, 4) * 3000 - 100;
}

DRAW(trim_retention) {
  UNUSED;
  if (chance(h, 50)) x->lane_id = pick_lane(h);
  if (chance(h, 30)) x->partition = TEXT_LIT("{fp:7}");
  x->retention_ms = chance(h, 50) ? 0 : 1 + dice(h, 20000);
  x->batch_size = dice(h, 3);
}

static const struct draw draws[] = {
    {OP_create_execution, 10, DRAW_ANY, draw_create_execution},
    {OP_submit, 6, DRAW_ANY, draw_submit},
    {OP_create_executions, 2, DRAW_ANY, draw_create_executions},
    {OP_claim, 6, DRAW_ANY, draw_claim},
    {OP_claim_task, 8, DRAW_ANY, draw_claim_task},
    {OP_claim_tasks, 4, DRAW_ANY, draw_claim_tasks},
    {OP_claim_execution, 5, DRAW_ANY, draw_claim_execution},
    {OP_claim_resumed_execution, 4, DRAW_ANY, draw_claim_resumed_execution},
    {OP_claim_from_resume_grant, 3, DRAW_ANY, draw_claim_from_resume_grant},
    {OP_claim_from_reclaim, 3, DRAW_ANY, draw_claim_from_reclaim},
    {OP_issue_grant_and_claim, 2, DRAW_ANY, draw_issue_grant_and_claim},
    {OP_renew, 5, DRAW_LEASE, draw_renew},
    {OP_renew_lease, 3, DRAW_ANY, draw_renew_lease},
    {OP_renew_many, 2, DRAW_LEASE, draw_renew_many},
    {OP_progress, 3, DRAW_LEASE, draw_progress},
    {OP_complete, 6, DRAW_LEASE, draw_complete},
    {OP_complete_execution, 3, DRAW_ANY, draw_complete_execution},
    {OP_complete_many, 2, DRAW_LEASE, draw_complete_many},
    {OP_complete_and_claim, 4, DRAW_LEASE, draw_complete_and_claim},
    {OP_fail, 6, DRAW_LEASE, draw_fail},
    {OP_fail_execution, 3, DRAW_ANY, draw_fail_execution},
    {OP_fail_many, 2, DRAW_LEASE, draw_fail_many},
    {OP_cancel, 2, DRAW_LEASE, draw_cancel},
    {OP_delay, 5, DRAW_LEASE, draw_delay},
    {OP_wait_children, 4, DRAW_LEASE, draw_wait_children},
    {OP_cancel_execution, 3, DRAW_ANY, draw_cancel_execution},
    {OP_revoke_lease, 4, DRAW_ANY, draw_revoke_lease},
    {OP_issue_reclaim_grant, 5, DRAW_ANY, draw_issue_reclaim_grant},
    {OP_reclaim_execution, 5, DRAW_ANY, draw_reclaim_execution},
    {OP_mark_lease_expired_if_due, 2, DRAW_ANY, draw_mark_lease_expired_if_due},
    {OP_auto_reclaim, 3, DRAW_ANY, draw_auto_reclaim},
    {OP_expire_execution, 3, DRAW_ANY, draw_expire_execution},
    {OP_promote_delayed, 3, DRAW_ANY, draw_promote_delayed},
    {OP_change_priority, 3, DRAW_ANY, draw_change_priority},
    {OP_replay_execution, 6, DRAW_ANY, draw_replay_execution},
    {OP_trim_retention, 1, DRAW_ANY, draw_trim_retention},
};
const struct draw_table history_lifecycle_draws = {draws, ARRAY_LEN(draws)};
