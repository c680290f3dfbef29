/*
 * What time alone does to an execution: a due lease, a due timeout or deadline, a due delay (02
 * §11, §13).
 *
 * Applied by the due loop; each re-checks that it is due and is harmless when called for anything
 * at any time.
 */
#include "op/execution.h"
#include "op/flow_cancel.h"

#include "flowfabric/lifecycle.h"

static const struct ff_str absent;

/* The execution of a hook: missing is an answer, not an error. */
static enum ff_rc find(struct tx *tx, const void *prep, const struct execution **out) {
  const struct exec_id *id = prep;
  struct execution key = {.partition = id->partition, .id = id->uuid};
  return tx_get_execution(tx, &key, out);
}

/* ---- mark_lease_expired_if_due ---- */

static enum ff_rc mark_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_mark_lease_expired_if_due_args *a = args;
  (void)arena;
  return exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, prep, e);
}

/* L-130: why there is nothing to mark, absent when there is. */
static struct ff_str unmarkable(const struct tx *tx, const struct execution *x) {
  if (!x) return TEXT_LIT("execution_not_found");
  if (x->lifecycle_phase != FF_lifecycle_phase_active) return TEXT_LIT("not_active");
  switch (x->ownership_state) {
    case FF_ownership_state_lease_expired_reclaimable: return TEXT_LIT("already_expired");
    case FF_ownership_state_lease_revoked: return TEXT_LIT("already_revoked");
    case FF_ownership_state_leased: break;
    default: return TEXT_LIT("unowned");
  }
  return tx_now(tx) < x->lease_expires_at ? TEXT_LIT("not_yet_expired") : absent;
}

static enum ff_rc mark_run(struct tx *tx, const void *args, const void *prep, void *result_,
                           struct ff_error *e) {
  struct ff_mark_lease_expired_if_due_result *result = result_;
  const struct execution *x;
  (void)args, (void)e;
  TRY(find(tx, prep, &x));
  result->reason = unmarkable(tx, x);
  result->outcome = FF_outcome_already_satisfied;
  if (text_present(result->reason)) return FF_OK;
  struct execution *marked = tx_edit_execution(tx, x);
  bool cancelled;
  lease_mark_expired(tx, marked);
  result->outcome = FF_outcome_marked_expired;
  return flow_cancel_deserted(tx, marked, &cancelled); /* 04 FX-16 */
}

const struct op_code op_code_mark_lease_expired_if_due = {sizeof(struct exec_id), mark_prepare,
                                                          declare_prepared_execution, mark_run};

/* ---- expire_execution ---- */

static enum ff_rc expire_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_expire_execution_args *a = args;
  (void)arena;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, prep, e));
  if (a->phase >= FF_expire_phase_COUNT)
    return error_field(e, FF_CODE_invalid_input, "phase", "%u is no phase to expire", a->phase);
  return FF_OK;
}

static bool is_due(const struct tx *tx, const struct execution *x, uint8_t phase) {
  if (phase == FF_expire_phase_execution_deadline)
    return x->execution_deadline_at && tx_now(tx) >= x->execution_deadline_at;
  return x->lifecycle_phase == FF_lifecycle_phase_active && x->attempt_timeout_at &&
         tx_now(tx) >= x->attempt_timeout_at;
}

/* 05 A.7: the stream says so too, unless the lost lease has closed it (ST-70). */
static void end_expired(struct tx *tx, struct execution *x, struct ff_str reason,
                        struct ff_str category) {
  attempt_end(tx, x, FF_attempt_lifecycle_ended_failure, reason, category);
  if (!x->attempt_close) x->attempt_close = FF_stream_close_expired;
}

/* Ends it as expired; `reason` is released as `expired:<reason>`. A category is known of a timeout
 * only. */
static enum ff_rc expire_now(struct tx *tx, struct execution *x, struct ff_str reason,
                             struct ff_str released, struct ff_str category) {
  struct event *event = NULL;
  if (attempt_is_open(x)) end_expired(tx, x, reason, category);
  if (x->lifecycle_phase == FF_lifecycle_phase_active)
    event = lease_release(tx, x, released, FF_revoked_by_reconciler);
  x->failure_reason = reason;
  x->failure_category = category;
  receipt_erase(x);
  return execution_terminate(tx, x, FF_terminal_outcome_expired, FF_attempt_lifecycle_ended_failure,
                             event);
}

/* L-150: a failure of category attempt_timeout under the stored retry policy. */
static enum ff_rc time_out(struct tx *tx, const struct execution *read,
                           struct ff_expire_execution_result *result, struct ff_error *e) {
  const struct ff_str reason = TEXT_LIT("attempt_timeout");
  const struct ff_str released = TEXT_LIT("expired:attempt_timeout");
  struct retry_policy retry;
  TRY(execution_retry_policy(tx, read, &retry, e));
  struct execution *x = tx_edit_execution(tx, read);
  bool ends = !retry_decide(&retry, FF_failure_class_timeout, reason, x->retry_count);
  if (!ends) TRY(flow_refuses(tx, x, false, &ends)); /* 04 FX-16 */
  if (ends)
    return expire_now(tx, x, reason, released, reason);
  TRY(grant_drop(tx, x));
  end_expired(tx, x, reason, reason);
  x->failure_reason = reason;
  x->failure_category = reason;
  receipt_erase(x);
  int64_t delay_ms = retry_backoff_ms(tx, &retry, x->retry_count);
  execution_schedule_retry(tx, x, reason, delay_ms, absent, released, FF_revoked_by_reconciler);
  result->outcome = FF_outcome_retry_scheduled;
  result->delay_until = x->delay_until;
  result->next_attempt_index = x->total_attempt_count;
  return FF_OK;
}

static enum ff_rc expire_run(struct tx *tx, const void *args, const void *prep, void *result_,
                             struct ff_error *e) {
  const struct ff_expire_execution_args *a = args;
  struct ff_expire_execution_result *result = result_;
  const struct execution *x;
  TRY(find(tx, prep, &x));
  if (!x || x->lifecycle_phase == FF_lifecycle_phase_terminal) {
    result->outcome = x ? FF_outcome_already_terminal : FF_outcome_not_found;
    return FF_OK;
  }
  if (!is_due(tx, x, a->phase)) {
    result->outcome = FF_outcome_not_due;
    return FF_OK;
  }
  result->outcome = FF_outcome_expired;
  result->from_phase = x->lifecycle_phase;
  if (a->phase == FF_expire_phase_attempt_timeout) return time_out(tx, x, result, e);
  return expire_now(tx, tx_edit_execution(tx, x), TEXT_LIT("execution_deadline"),
                    TEXT_LIT("expired:execution_deadline"), absent);
}

const struct op_code op_code_expire_execution = {sizeof(struct exec_id), expire_prepare,
                                                 declare_prepared_execution, expire_run};

/* ---- promote_delayed ---- */

static enum ff_rc promote_prepare(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  const struct ff_promote_delayed_args *a = args;
  (void)arena;
  return exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, prep, e);
}

/* L-148: why a stale due entry has nothing to promote, absent when it has. */
static struct ff_str unpromotable(const struct execution *x) {
  if (!x) return TEXT_LIT("not_found");
  if (x->lifecycle_phase != FF_lifecycle_phase_runnable) return TEXT_LIT("not_runnable");
  if (x->eligibility_state != FF_eligibility_state_not_eligible_until_time)
    return TEXT_LIT("not_delayed");
  return absent;
}

static enum ff_rc promote_run(struct tx *tx, const void *args, const void *prep, void *result_,
                              struct ff_error *e) {
  struct ff_promote_delayed_result *result = result_;
  const struct execution *read;
  (void)args, (void)e;
  TRY(find(tx, prep, &read));
  result->reason = unpromotable(read);
  result->outcome = FF_outcome_cleaned;
  if (text_present(result->reason)) return FF_OK;
  result->outcome = FF_outcome_not_yet_due;
  if (tx_now(tx) < read->delay_until) return FF_OK;
  struct execution *x = tx_edit_execution(tx, read);
  struct execution_vector eligible = {
      FF_lifecycle_phase_runnable,       FF_ownership_state_unowned,
      FF_eligibility_state_eligible_now, FF_blocking_reason_waiting_for_worker,
      FF_terminal_outcome_none,          (enum ff_attempt_state)x->attempt_state};
  x->delay_until = 0;
  execution_move(tx, x, eligible, absent);
  result->outcome = FF_outcome_promoted;
  return FF_OK;
}

const struct op_code op_code_promote_delayed = {sizeof(struct exec_id), promote_prepare,
                                                declare_prepared_execution, promote_run};
