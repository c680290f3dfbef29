/*
 * Arguments of grants, blocks, holds, lanes, tags, administration and of everything that only
 * reads.
 */
#include "test/lib/history_impl.h"

/* ---- grants ---- */

DRAW(issue_claim_grant) {
  UNUSED;
  const struct history_worker *w = &history_workers[pick_worker(h)];
  const struct known *known = pick_known(h, dice(h, 2) ? BELIEF_INTERRUPTED : BELIEF_WAITING);
  x->execution_id = arena_text(a, ff_text(known->id));
  x->lane_id = known->lane[0] && chance(h, 92) ? arena_text(a, ff_text(known->lane)) : pick_lane(h);
  x->worker_id = ff_text(w->id);
  x->worker_instance_id = ff_text(w->instance);
  x->worker_capabilities = chance(h, 60) ? history_all_capabilities() : w->capabilities;
  x->grant_ttl_ms = 1 + dice(h, 5000);
  if (chance(h, 20)) x->route_snapshot_json = TEXT_LIT("{}");
}

DRAW(claim_for_worker) {
  UNUSED;
  const struct history_worker *w = &history_workers[pick_worker(h)];
  x->lane_id = pick_lane(h);
  x->worker_id = ff_text(w->id);
  x->worker_instance_id = ff_text(w->instance);
  x->worker_capabilities = w->capabilities;
  x->grant_ttl_ms = 1 + dice(h, 5000);
}

/* ---- blocks and holds ---- */

static const char *const reasons[] = {"waiting_for_budget",         "waiting_for_quota",
                                      "waiting_for_capable_worker", "paused_by_operator",
                                      "paused_by_policy",           "waiting_for_signal"};
static struct ff_str pick_block(struct history *h) { return ff_text(reasons[dice(h, 6)]); }
static struct ff_str pick_hold(struct history *h) {
  return chance(h, 40) ? (struct ff_str){NULL, 0} : ff_text(reasons[3 + dice(h, 2)]);
}

DRAW(block_execution_for_admission) {
  UNUSED;
  x->execution_id = arena_text(a, ff_text(pick_known(h, BELIEF_WAITING)->id));
  x->lane_id = pick_lane(h);
  x->reason = pick_block(h);
  x->reason_detail = pick_reason(h, a);
}

DRAW(block_route) {
  UNUSED;
  x->execution_id = arena_text(a, ff_text(pick_known(h, BELIEF_WAITING)->id));
  x->lane_id = pick_lane(h);
  x->reason_code = pick_block(h);
  x->reason_detail = pick_reason(h, a);
}

DRAW(unblock_execution) {
  UNUSED;
  const struct known *known = pick_known(h, BELIEF_BLOCKED);
  x->execution_id = arena_text(a, ff_text(known->id));
  x->expected_blocking_reason = ff_text(reasons[dice(h, 3)]);
  if (known->reason[0] && chance(h, 85))
    x->expected_blocking_reason = arena_text(a, ff_text(known->reason));
}

DRAW(place_hold) {
  UNUSED;
  x->execution_id = arena_text(a, ff_text(pick_known(h, BELIEF_WAITING)->id));
  x->reason = pick_hold(h);
  x->reason_detail = pick_reason(h, a);
}

DRAW(release_hold) {
  UNUSED;
  const struct known *known = pick_known(h, BELIEF_BLOCKED);
  x->execution_id = arena_text(a, ff_text(known->id));
  x->expected_blocking_reason = pick_hold(h);
  if (known->reason[0] && chance(h, 60))
    x->expected_blocking_reason = arena_text(a, ff_text(known->reason));
}

/* ---- lanes, administration ---- */

DRAW(set_lane_state) {
  static const char *const states[] = {"active", "active",   "active",
                                       "paused", "draining", "disabled"};
  UNUSED;
  x->lane_id = pick_lane(h);
  x->state = ff_text(states[dice(h, ARRAY_LEN(states))]);
}

DRAW(register_lane) {
  static const char *const sets[] = {"", "gpu", "linux,gpu"};
  UNUSED;
  x->lane_id = pick_lane(h);
  x->registered_by = chance(h, 50) ? TEXT_LIT("tester") : (struct ff_str){NULL, 0};
  x->required_capabilities = ff_text(sets[dice(h, ARRAY_LEN(sets))]);
}

DRAW(run_scanner) {
  static const char *const names[] = {
      "",                          "delayed_promoter",  "lease_expiry", "dedup_sweep",
      "outbox_trimmer",            "retention_trimmer", "unblock",
      "worker_registry_ttl_sweep", "cancel_reconciler"};
  UNUSED;
  x->name = ff_text(names[dice(h, ARRAY_LEN(names))]);
}

DRAW(prepare) { UNUSED; }

/* ---- tags ---- */

static struct ff_str pick_tag_key(struct history *h, struct arena *a) {
  if (h->options.spoils && chance(h, 5)) return TEXT_LIT("Bad.key");
  return arena_printf(a, "app.tag%u", dice(h, 6));
}

DRAW(set_execution_tag) {
  UNUSED;
  x->execution_id = pick_execution(h, a);
  x->key = pick_tag_key(h, a);
  x->value = chance(h, 20) ? TEXT_LIT("") : arena_printf(a, "v%u", dice(h, 4));
}

DRAW(set_execution_tags) {
  UNUSED;
  size_t count = dice(h, 4);
  struct ff_pair *pairs = ARENA_ARRAY(a, struct ff_pair, count + 1);
  for (size_t i = 0; i < count; i++)
    pairs[i] = (struct ff_pair){pick_tag_key(h, a), arena_printf(a, "v%u", dice(h, 4))};
  x->execution_id = pick_execution(h, a);
  x->tags = (struct ff_pairs){pairs, count};
}

/* ---- reads ---- */

DRAW_BY_ID(describe_execution, BELIEF_NONE)
DRAW_BY_ID(why, BELIEF_NONE)
DRAW_BY_ID(read_execution_state, BELIEF_NONE)
DRAW_BY_ID(read_execution_info, BELIEF_NONE)
DRAW_BY_ID(read_execution_context, BELIEF_NONE)
DRAW_BY_ID(read_current_attempt_index, BELIEF_NONE)
DRAW_BY_ID(read_total_attempt_count, BELIEF_NONE)
DRAW_BY_ID(list_attempts, BELIEF_NONE)
DRAW_BY_ID(get_execution_result, BELIEF_NONE)
DRAW_BY_ID(get_execution_namespace, BELIEF_NONE)
DRAW_BY_ID(get_execution_tags, BELIEF_NONE)

DRAW(get_execution_tag) {
  UNUSED;
  x->execution_id = pick_execution(h, a);
  x->key = pick_tag_key(h, a);
}

DRAW(read_exec_core_fields) {
  static const struct ff_str names[] = {
      TEXT_LIT("public_state"),         TEXT_LIT("current_lease_epoch"),
      TEXT_LIT("blocking_detail"),      TEXT_LIT("deadline_at_ms"),
      TEXT_LIT("failure_reason"),       TEXT_LIT("no_such_field"),
      TEXT_LIT("cancelled_by"),         TEXT_LIT("delay_until"),
      TEXT_LIT("required_capabilities")};
  UNUSED;
  x->execution_id = pick_execution(h, a);
  const char *end = memchr(x->execution_id.ptr, '}', x->execution_id.len);
  x->partition = text_of(x->execution_id.ptr, (size_t)(end - x->execution_id.ptr) + 1);
  x->names = (struct ff_strs){names, ARRAY_LEN(names)};
}

DRAW(wait_execution) {
  UNUSED;
  x->execution_id = pick_execution(h, a);
  x->timeout_ms = h->options.waits ? dice(h, 4000) : 0;
  x->until_change = dice(h, 2);
  x->after_version = dice(h, 20);
}

DRAW(list_events) {
  UNUSED;
  x->execution_id = pick_execution(h, a);
  x->after = dice(h, 2) ? 0 : dice(h, 60);
  x->limit = dice(h, 20);
}

DRAW(list_executions) {
  UNUSED;
  x->partition = TEXT_LIT("{fp:7}");
  x->cursor = dice(h, 2) ? pick_execution(h, a) : (struct ff_str){NULL, 0};
  x->limit = dice(h, 5);
}

DRAW(query_executions) {
  static const char *const states[] = {"waiting", "completed,failed", "active,delayed",
                                       "cancelled"};
  UNUSED;
  if (chance(h, 40)) x->lane_id = pick_lane(h);
  if (chance(h, 30)) x->namespace_ = TEXT_LIT("ns");
  if (chance(h, 40)) x->public_state = ff_text(states[dice(h, ARRAY_LEN(states))]);
  if (chance(h, 20)) {
    x->tag_key = TEXT_LIT("app.colour");
    x->tag_value = TEXT_LIT("red");
  }
  if (chance(h, 20)) x->created_from = now - (int64_t)dice(h, 20000);
  if (chance(h, 20)) x->ended_to = now - (int64_t)dice(h, 5000);
  x->limit = dice(h, 6);
}

DRAW(scan_eligible_executions) {
  UNUSED;
  x->lane_id = pick_lane(h);
  if (chance(h, 30)) x->partition = TEXT_LIT("{fp:7}");
  x->limit = dice(h, 6);
}

DRAW(list_lanes) {
  UNUSED;
  x->cursor = dice(h, 2) ? pick_lane(h) : (struct ff_str){NULL, 0};
  x->limit = dice(h, 4);
}

DRAW(describe_lane) {
  UNUSED;
  x->lane_id = pick_lane(h);
}

DRAW(ping) { UNUSED; }
DRAW(server_time_ms) { UNUSED; }

static const struct draw draws[] = {
    {OP_issue_claim_grant, 7, DRAW_ANY, draw_issue_claim_grant},
    {OP_claim_for_worker, 4, DRAW_ANY, draw_claim_for_worker},
    {OP_block_execution_for_admission, 2, DRAW_ANY, draw_block_execution_for_admission},
    {OP_block_route, 2, DRAW_ANY, draw_block_route},
    {OP_unblock_execution, 3, DRAW_ANY, draw_unblock_execution},
    {OP_place_hold, 2, DRAW_ANY, draw_place_hold},
    {OP_release_hold, 3, DRAW_ANY, draw_release_hold},
    {OP_set_lane_state, 2, DRAW_ANY, draw_set_lane_state},
    {OP_register_lane, 1, DRAW_ANY, draw_register_lane},
    {OP_run_scanner, 3, DRAW_ANY, draw_run_scanner},
    {OP_prepare, 1, DRAW_ANY, draw_prepare},
    {OP_set_execution_tag, 2, DRAW_ANY, draw_set_execution_tag},
    {OP_set_execution_tags, 2, DRAW_ANY, draw_set_execution_tags},
    {OP_describe_execution, 3, DRAW_READ, draw_describe_execution},
    {OP_why, 2, DRAW_READ, draw_why},
    {OP_read_execution_state, 1, DRAW_READ, draw_read_execution_state},
    {OP_read_execution_info, 2, DRAW_READ, draw_read_execution_info},
    {OP_read_execution_context, 2, DRAW_READ, draw_read_execution_context},
    {OP_read_current_attempt_index, 1, DRAW_READ, draw_read_current_attempt_index},
    {OP_read_total_attempt_count, 1, DRAW_READ, draw_read_total_attempt_count},
    {OP_list_attempts, 2, DRAW_READ, draw_list_attempts},
    {OP_get_execution_result, 3, DRAW_READ, draw_get_execution_result},
    {OP_read_exec_core_fields, 2, DRAW_READ, draw_read_exec_core_fields},
    {OP_get_execution_namespace, 1, DRAW_READ, draw_get_execution_namespace},
    {OP_get_execution_tag, 1, DRAW_READ, draw_get_execution_tag},
    {OP_get_execution_tags, 1, DRAW_READ, draw_get_execution_tags},
    {OP_wait_execution, 2, DRAW_READ, draw_wait_execution},
    {OP_list_events, 3, DRAW_READ, draw_list_events},
    {OP_list_executions, 2, DRAW_READ, draw_list_executions},
    {OP_query_executions, 3, DRAW_READ, draw_query_executions},
    {OP_scan_eligible_executions, 2, DRAW_READ, draw_scan_eligible_executions},
    {OP_list_lanes, 1, DRAW_READ, draw_list_lanes},
    {OP_describe_lane, 1, DRAW_READ, draw_describe_lane},
    {OP_ping, 1, DRAW_READ, draw_ping},
    {OP_server_time_ms, 1, DRAW_READ, draw_server_time_ms},
};
const struct draw_table history_schedule_draws = {draws, ARRAY_LEN(draws)};
