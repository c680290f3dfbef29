/*
 * cancel and cancel_execution: an execution ends cancelled, by its worker or from outside, in any
 * phase (02 §10).
 */
#include "op/execution.h"

#include "flowfabric/lifecycle.h"

#define REASON_MAX_BYTES 65536 /* what one HTTP body carries, 01 LM-1 */
#define SOURCE_MAX_BYTES 256

/* L-128 from any non-terminal phase, but for the end itself. Only an active execution has a lease to
 * release, and only that leaves a receipt (L-40). */
static struct event *cancel_attempt(struct tx *tx, struct execution *x, struct ff_str reason,
                                    struct ff_str cancelled_by, enum ff_revoked_by by) {
  struct event *event = NULL;
  if (attempt_is_open(x))
    attempt_end(tx, x, FF_attempt_lifecycle_ended_cancelled,
                arena_printf(tx_arena(tx), "cancelled: " TEXT_FMT, TEXT_ARG(reason)),
                (struct ff_str){NULL, 0});
  if (x->lifecycle_phase == FF_lifecycle_phase_active) {
    event = lease_release(tx, x, TEXT_LIT("cancelled"), by);
    receipt_store(x, FF_receipt_op_cancel, 0, -1);
  }
  x->cancellation_reason = reason;
  x->cancelled_by = cancelled_by;
  return event;
}

enum ff_rc execution_cancel(struct tx *tx, const struct execution *read, struct ff_str reason,
                            struct ff_str cancelled_by, enum ff_revoked_by by) {
  struct execution *x = tx_edit_execution(tx, read);
  struct event *event = cancel_attempt(tx, x, reason, cancelled_by, by);
  return execution_terminate(tx, x, FF_terminal_outcome_cancelled,
                             FF_attempt_lifecycle_ended_cancelled, event);
}

enum ff_rc execution_cancel_alone(struct tx *tx, struct execution *x, struct ff_str reason,
                                  struct ff_str cancelled_by, enum ff_revoked_by by) {
  struct event *event = cancel_attempt(tx, x, reason, cancelled_by, by);
  return execution_terminate_alone(tx, x, FF_terminal_outcome_cancelled,
                                   FF_attempt_lifecycle_ended_cancelled, event);
}

/* ---- cancel ---- */

static enum ff_rc cancel_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_cancel_args *a = args;
  (void)arena;
  TRY(handle_check_tag(config, &a->handle, e));
  TRY(text_check(a->reason, "reason", REASON_MAX_BYTES, e));
  return handle_decode(&a->handle, config->backend, config->flow_partitions, prep, e);
}

static enum ff_rc cancel_run(struct tx *tx, const void *args, const void *prep, void *result_,
                             struct ff_error *e) {
  const struct ff_cancel_args *a = args;
  const struct handle_body *handle = prep;
  struct ff_cancel_result *result = result_;
  const struct execution *x;
  struct receipt_answer repeated;
  struct fence fence = fence_of_handle(handle);
  TRY(execution_load(tx, handle->execution, &x, e));
  if (!receipt_match(x, &fence, FF_receipt_op_cancel, &repeated)) {
    TRY(fence_check(tx, x, &fence, FENCE_FULL, e));
    TRY(execution_cancel(tx, x, a->reason, TEXT_LIT("worker"), FF_revoked_by_backend));
  }
  result->outcome = FF_outcome_cancelled;
  return FF_OK;
}

const struct op_code op_code_cancel = {sizeof(struct handle_body), cancel_prepare,
                                       declare_prepared_execution, cancel_run};

/* ---- cancel_execution ---- */

static struct ff_str source_of(const struct ff_cancel_execution_args *a) {
  return a->source.len ? a->source : TEXT_LIT("operator_override");
}

/* 01 ID-18: any other source carries no privilege. */
static bool is_privileged(struct ff_str source) {
  return text_equal_c(source, "operator_override") || text_equal_c(source, "flow_cascade") ||
         text_equal_c(source, "system_timeout");
}

static enum ff_rc cancel_execution_prepare(const struct op_config *config, const void *args,
                                           void *prep, struct arena *arena, struct ff_error *e) {
  const struct ff_cancel_execution_args *a = args;
  (void)arena;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, prep, e));
  TRY(text_check(a->reason, "reason", REASON_MAX_BYTES, e));
  TRY(text_check(a->source, "source", SOURCE_MAX_BYTES, e));
  return fence_check_syntax(&a->fence, e);
}

/* L-127: what a source without privilege must show. */
static enum ff_rc check_holder(struct tx *tx, const struct ff_cancel_execution_args *a,
                               const struct execution *x, struct ff_error *e) {
  struct fence fence;
  bool absent;
  if (x->lifecycle_phase != FF_lifecycle_phase_active)
    return fence_is_absent(&a->fence) ? FF_OK : execution_not_active(x, e);
  TRY(fence_from_arguments(&a->fence, false, a->source, &absent, &fence, e));
  return fence_check(tx, x, &fence, FENCE_FULL, e);
}

static enum ff_rc cancel_execution_run(struct tx *tx, const void *args, const void *prep,
                                       void *result_, struct ff_error *e) {
  const struct ff_cancel_execution_args *a = args;
  struct exec_id id = *(const struct exec_id *)prep;
  struct ff_cancel_execution_result *result = result_;
  const struct execution *x;
  struct ff_str source = source_of(a);
  bool privileged = is_privileged(source);
  TRY(execution_load(tx, id, &x, e));
  if (x->lifecycle_phase != FF_lifecycle_phase_terminal) {
    if (!privileged) TRY(check_holder(tx, a, x, e));
    TRY(execution_cancel(tx, x, a->reason, source,
                   privileged ? FF_revoked_by_operator : FF_revoked_by_backend));
  } else if (x->terminal_outcome != FF_terminal_outcome_cancelled) {
    return execution_not_active(x, e);
  }
  exec_id_format(id, &result->execution_id);
  result->outcome = FF_outcome_cancelled;
  result->public_state = FF_public_state_cancelled;
  return FF_OK;
}

const struct op_code op_code_cancel_execution = {sizeof(struct exec_id), cancel_execution_prepare,
                                                 declare_prepared_execution, cancel_execution_run};
