/*
 * delay and wait_children: the worker gives its lease back, and the same attempt goes on later (02
 * §9).
 */
#include "op/execution.h"

#include "flowfabric/lifecycle.h"

static enum ff_rc handle_prepare(const struct op_config *config, const struct ff_handle *handle,
                                 void *prep, struct ff_error *e) {
  return handle_decode(handle, config->backend, config->flow_partitions, prep, e);
}

/* ---- delay ---- */

static enum ff_rc delay_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_delay_args *a = args;
  (void)arena;
  TRY(handle_check_tag(config, &a->handle, e));
  if (a->delay_until <= 0)
    return error_field(e, FF_CODE_invalid_input, "delay_until", "must be a time in ms");
  return handle_prepare(config, &a->handle, prep, e);
}

/* L-121 */
static void delay_now(struct tx *tx, const struct execution *read, int64_t delay_until) {
  static const struct execution_vector delayed = {FF_lifecycle_phase_runnable,
                                                  FF_ownership_state_unowned,
                                                  FF_eligibility_state_not_eligible_until_time,
                                                  FF_blocking_reason_waiting_for_delay,
                                                  FF_terminal_outcome_none,
                                                  FF_attempt_state_attempt_interrupted};
  struct execution *x = tx_edit_execution(tx, read);
  attempt_pause(tx, x, TEXT_LIT("worker_delay"));
  lease_release(tx, x, TEXT_LIT("worker_delay"), FF_revoked_by_backend);
  x->delay_until = delay_until;
  execution_move(tx, x, delayed,
                 arena_printf(tx_arena(tx), "delayed until %lld", (long long)delay_until));
  receipt_store(x, FF_receipt_op_delay, delay_until, -1);
}

static enum ff_rc delay_run(struct tx *tx, const void *args, const void *prep, void *result_,
                            struct ff_error *e) {
  const struct ff_delay_args *a = args;
  const struct handle_body *handle = prep;
  struct ff_delay_result *result = result_;
  const struct execution *x;
  struct receipt_answer repeated;
  struct fence fence = fence_of_handle(handle);
  TRY(execution_load(tx, handle->execution, &x, e));
  if (!receipt_match(x, &fence, FF_receipt_op_delay, &repeated)) {
    TRY(fence_check(tx, x, &fence, FENCE_FULL, e));
    delay_now(tx, x, a->delay_until);
  }
  result->outcome = FF_outcome_delayed;
  result->public_state = FF_public_state_delayed;
  return FF_OK;
}

const struct op_code op_code_delay = {sizeof(struct handle_body), delay_prepare,
                                      declare_prepared_execution, delay_run};

/* ---- wait_children ---- */

static enum ff_rc wait_children_prepare(const struct op_config *config, const void *args,
                                        void *prep, struct arena *arena, struct ff_error *e) {
  const struct ff_wait_children_args *a = args;
  (void)arena;
  return handle_prepare(config, &a->handle, prep, e);
}

/* L-122. Outside a flow there are no children to wait for, and the join is judged satisfied at once
 * (04 FW-2). */
static void wait_children_now(struct tx *tx, const struct execution *read) {
  static const struct execution_vector released = {
      FF_lifecycle_phase_runnable,       FF_ownership_state_unowned,
      FF_eligibility_state_eligible_now, FF_blocking_reason_waiting_for_worker,
      FF_terminal_outcome_none,          FF_attempt_state_attempt_interrupted};
  struct execution *x = tx_edit_execution(tx, read);
  attempt_pause(tx, x, TEXT_LIT("waiting_children"));
  lease_release(tx, x, TEXT_LIT("waiting_children"), FF_revoked_by_backend);
  execution_move(tx, x, released, (struct ff_str){NULL, 0});
  receipt_store(x, FF_receipt_op_wait_children, 0, -1);
}

static enum ff_rc wait_children_run(struct tx *tx, const void *args, const void *prep,
                                    void *result_, struct ff_error *e) {
  const struct handle_body *handle = prep;
  struct ff_wait_children_result *result = result_;
  const struct execution *x;
  struct receipt_answer repeated;
  struct fence fence = fence_of_handle(handle);
  (void)args;
  TRY(execution_load(tx, handle->execution, &x, e));
  if (!receipt_match(x, &fence, FF_receipt_op_wait_children, &repeated)) {
    TRY(fence_check(tx, x, &fence, FENCE_FULL, e));
    wait_children_now(tx, x);
  }
  result->outcome = FF_outcome_moved;
  result->public_state = FF_public_state_waiting;
  return FF_OK;
}

const struct op_code op_code_wait_children = {sizeof(struct handle_body), wait_children_prepare,
                                              declare_prepared_execution, wait_children_run};
