/*
 * delay and wait_children: the worker gives its lease back, and the same attempt goes on later (02
 * §9).
 */
#include "op/cascade.h"

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

/* L-122, the lease goes back and the same attempt pauses. */
static struct execution *leave(struct tx *tx, const struct execution *read,
                               enum ff_eligibility_state eligibility,
                               enum ff_blocking_reason blocking, struct ff_str detail) {
  struct execution_vector to = {.phase = FF_lifecycle_phase_runnable,
                                .eligibility = eligibility,
                                .blocking = blocking,
                                .attempt = FF_attempt_state_attempt_interrupted};
  struct execution *x = tx_edit_execution(tx, read);
  attempt_pause(tx, x, TEXT_LIT("waiting_children"));
  lease_release(tx, x, TEXT_LIT("waiting_children"), FF_revoked_by_backend);
  execution_move(tx, x, to, detail);
  receipt_store(x, FF_receipt_op_wait_children, 0, -1);
  return x;
}

/* 04 FW-1 … FW-3. Outside a flow, and without an applied edge, there is nothing to wait for. */
static enum ff_rc wait_children_now(struct tx *tx, const struct execution *read,
                                    const struct execution **after) {
  const struct edge_group *group = NULL;
  if (!uuid_is_nil(read->flow_id))
    TRY(edge_group_get(tx, flow_of_member(read), read->id, &group));
  bool waits = group && group->applied && group->group_state != FF_edge_group_state_satisfied;
  if (!waits) {
    *after = leave(tx, read, FF_eligibility_state_eligible_now,
                   FF_blocking_reason_waiting_for_worker, (struct ff_str){NULL, 0});
    return FF_OK;
  }
  struct execution *x = leave(tx, read, FF_eligibility_state_blocked_by_dependencies,
                              FF_blocking_reason_waiting_for_children,
                              TEXT_LIT("waiting for child executions to complete"));
  *after = x;
  tx_edit_edge_group(tx, group); /* who decides it meanwhile writes it too (FW-7) */
  if (group->group_state != FF_edge_group_state_impossible) return FF_OK;
  return dependency_skip_member(tx, x);
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
    TRY(wait_children_now(tx, x, &x));
  }
  result->outcome = FF_outcome_moved;
  result->public_state = (uint8_t)execution_public_state(x);
  return FF_OK;
}

const struct op_code op_code_wait_children = {sizeof(struct handle_body), wait_children_prepare,
                                              declare_prepared_execution, wait_children_run};
