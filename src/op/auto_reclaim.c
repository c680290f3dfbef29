/*
 * auto_reclaim: a lease that stays lost returns its execution to the queue, where the next claim
 * makes an attempt of type reclaim (02 §12.4, 01 PO-16).
 */
#include "op/flow_cancel.h"
#include "op/reclaim.h"

#include "flowfabric/lifecycle.h"

static enum ff_rc auto_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_auto_reclaim_args *a = args;
  (void)arena;
  return exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, prep, e);
}

/* L-147b. The epoch stays: the former holder is no longer active, and the next claim raises it. */
static enum ff_rc return_to_queue(struct tx *tx, struct execution *x) {
  static const struct execution_vector eligible = {
      FF_lifecycle_phase_runnable,       FF_ownership_state_unowned,
      FF_eligibility_state_eligible_now, FF_blocking_reason_waiting_for_worker,
      FF_terminal_outcome_none,          FF_attempt_state_pending_retry_attempt};
  static const struct ff_str absent;
  struct ff_str found = ownership_word(x);
  TRY(grant_drop(tx, x));
  attempt_end(tx, x, FF_attempt_lifecycle_interrupted_reclaimed, found, absent);
  lease_release(tx, x, TEXT_LIT("auto_reclaimed"), FF_revoked_by_reconciler);
  receipt_erase(x);
  x->lease_reclaim_count++;
  x->pending_reclaim_reason = found;
  x->pending_previous_attempt_index = x->attempt_index;
  execution_move(tx, x, eligible, absent);
  return FF_OK;
}

static enum ff_rc auto_run(struct tx *tx, const void *args, const void *prep, void *result_,
                           struct ff_error *e) {
  struct ff_auto_reclaim_result *result = result_;
  const struct execution *read;
  (void)args;
  TRY(execution_load(tx, *(const struct exec_id *)prep, &read, e));
  if (!lease_is_lost(read) && !lease_is_due(tx, read)) {
    result->outcome = FF_outcome_not_reclaimable;
    result->detail = unreclaimable_state(read);
    return FF_OK;
  }
  struct execution *x = NULL;
  if (!lease_is_lost(read)) { /* its delay begins now */
    x = tx_edit_execution(tx, read);
    lease_mark_expired(tx, x);
    read = x;
  }
  bool refused = false; /* 04 FX-16, also of one that was marked by a call of its worker */
  TRY(flow_refuses(tx, read, false, &refused));
  if (refused) {
    TRY(flow_cancel_deserted(tx, tx_edit_execution(tx, read), &refused));
    result->outcome = FF_outcome_not_reclaimable;
    result->detail = TEXT_LIT("flow_cancelled");
    return FF_OK;
  }
  int64_t due_at = execution_auto_reclaim_at(read, tx_config(tx));
  result->outcome = FF_outcome_not_due;
  if (due_at == INT64_MAX || tx_now(tx) < due_at) return FF_OK;
  x = tx_edit_execution(tx, read);
  uint32_t cap = reclaim_cap(x, false, 0);
  if (x->lease_reclaim_count >= cap) {
    result->outcome = FF_outcome_reclaim_cap_exceeded;
    result->reclaim_count = cap;
    return reclaim_fail_at_cap(tx, x);
  }
  result->outcome = FF_outcome_reclaimed;
  TRY(return_to_queue(tx, x));
  result->reclaim_count = x->lease_reclaim_count;
  return FF_OK;
}

const struct op_code op_code_auto_reclaim = {sizeof(struct exec_id), auto_prepare,
                                             declare_prepared_execution, auto_run};
