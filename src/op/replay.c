/*
 * replay_execution (02 §14.2, L-155 … L-158): an ended execution runs again with fresh retry and
 * reclaim budgets.
 *
 * Keeps attempts, epoch and counters of the past; the next claim begins an attempt of type replay.
 * What that means for the flow of a member is in replay_member.c.
 */
#include "op/replay_member.h"

#include "flowfabric/lifecycle.h"

enum { REPLAYS_DEFAULT = 10 }; /* 01 PO-1, also without a policy */

static enum ff_rc replay_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_replay_execution_args *a = args;
  (void)arena;
  return exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, prep, e);
}

static enum ff_rc check_replayable(const struct execution *x, struct ff_error *e) {
  if (x->lifecycle_phase != FF_lifecycle_phase_terminal)
    return error_set(e, FF_CODE_execution_not_terminal, NULL);
  int64_t most = x->policy_max_replay_count >= 0 ? x->policy_max_replay_count : REPLAYS_DEFAULT;
  if (x->replay_count >= most)
    return error_set(e, FF_CODE_max_replays_exhausted, "%u of %lld replays used", x->replay_count,
                     (long long)most);
  return FF_OK;
}

static enum ff_rc drop_result(struct tx *tx, struct execution *x) {
  if (x->result_external) {
    const struct result *stored = NULL;
    TRY(tx_get_result(tx, EXECUTION_KEY(result, execution_id_of(x)), &stored));
    if (stored) tx_delete_result(tx, stored);
  }
  x->result_external = 0;
  x->result = (struct ff_bytes){0};
  x->result_encoding = (struct ff_str){0};
  return FF_OK;
}

/* L-157. The replaced attempt itself stays in the record until the next claim archives it. */
static void forget_outcome(struct tx *tx, struct execution *x) {
  static const struct ff_str absent;
  x->completed_at = 0;
  x->purge_at = 0;
  x->failure_reason = absent;
  x->failure_category = absent;
  x->cancellation_reason = absent;
  x->cancelled_by = absent;
  x->progress_pct = -1;
  x->progress_message = absent;
  x->progress_updated_at = 0;
  x->retry_count = 0;
  x->lease_reclaim_count = 0;
  x->pending_retry_reason = absent;
  x->pending_reclaim_reason = absent;
  x->pending_attempt_policy_json = absent;
  x->pending_previous_attempt_index = x->total_attempt_count ? (int64_t)x->attempt_index : -1;
  if (x->execution_deadline_at <= tx_now(tx)) x->execution_deadline_at = 0;
  receipt_erase(x);
}

static struct ff_str details(struct tx *tx, const struct execution *x,
                             const struct member_replay *m) {
  if (!m->skipped_branch)
    return arena_printf(tx_arena(tx),
                        "{\"branch\":\"normal\",\"replay_count\":%u,\"replay_type\":\"normal\"}",
                        x->replay_count);
  return arena_printf(tx_arena(tx),
                      "{\"branch\":\"skipped_flow_member\",\"groups_reset\":%u,"
                      "\"replay_count\":%u,\"replay_type\":\"skipped_flow_member\"}",
                      m->groups_reset, x->replay_count);
}

/* One row for both parts: the lease history's and the operator's (L-15, L-158). */
static void append_events(struct tx *tx, const struct execution *x, const struct member_replay *m) {
  struct event *event = execution_lease_event(tx, x, FF_lease_event_replay_initiated,
                                              (struct ff_str){0}, FF_revoked_by_none);
  event->operator_event = FF_operator_event_replayed;
  event->details = details(tx, x, m);
}

static void move_back(struct tx *tx, struct execution *x, const struct member_replay *m) {
  struct execution_vector to = {.phase = FF_lifecycle_phase_runnable,
                                .eligibility = FF_eligibility_state_eligible_now,
                                .blocking = FF_blocking_reason_waiting_for_worker,
                                .attempt = FF_attempt_state_pending_replay_attempt};
  if (!m->blocked) {
    execution_move(tx, x, to, (struct ff_str){0});
    return;
  }
  to.eligibility = FF_eligibility_state_blocked_by_dependencies;
  to.blocking = FF_blocking_reason_waiting_for_children;
  execution_move(tx, x, to,
                 arena_printf(tx_arena(tx), "%u dep(s) unsatisfied after replay", m->unsatisfied));
}

static enum ff_rc replay_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  struct ff_replay_execution_result *r = result;
  const struct execution *read = NULL;
  struct member_replay member = {0};
  (void)args;
  TRY(execution_load(tx, *(const struct exec_id *)prep, &read, e));
  TRY(check_replayable(read, e));
  if (!uuid_is_nil(read->flow_id)) TRY(replay_member(tx, read, &member, e));
  struct execution *x = tx_edit_execution(tx, read);
  TRY(drop_result(tx, x));
  forget_outcome(tx, x);
  x->replay_count++;
  move_back(tx, x, &member);
  append_events(tx, x, &member);
  r->outcome = FF_outcome_replayed;
  r->public_state = (uint8_t)execution_public_state(x);
  return FF_OK;
}

const struct op_code op_code_replay_execution = {sizeof(struct exec_id), replay_prepare,
                                                 declare_prepared_execution, replay_run};
