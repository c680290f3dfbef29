/*
 * renew and renew_lease: the holder of a live lease moves its expiry (02 §6.1).
 *
 * The hottest path: reads one record, stages it, appends at most one event, allocates nothing else.
 */
#include "op/execution.h"

#include "flowfabric/lifecycle.h"

static void extend(struct tx *tx, const struct execution *read, uint64_t ttl_ms,
                   int64_t *expires_at) {
  struct execution *x = tx_edit_execution(tx, read);
  int64_t now = tx_now(tx);
  x->lease_expires_at = add_saturating(now, ttl_ms > INT64_MAX ? INT64_MAX : (int64_t)ttl_ms);
  x->lease_last_renewed_at = now;
  execution_touch(tx, x);
  if (tx_config(tx)->lease_renewed_events)
    execution_lease_event(tx, x, FF_lease_event_renewed, (struct ff_str){NULL, 0},
                          FF_revoked_by_none);
  *expires_at = x->lease_expires_at;
}

/* ---- renew ---- */

static enum ff_rc renew_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_renew_args *a = args;
  (void)arena;
  return handle_decode(&a->handle, config->backend, config->flow_partitions, prep, e);
}

static enum ff_rc renew_run(struct tx *tx, const void *args, const void *prep, void *result_,
                            struct ff_error *e) {
  const struct handle_body *handle = prep;
  struct ff_renew_result *result = result_;
  const struct execution *x;
  struct fence fence = fence_of_handle(handle);
  (void)args;
  TRY(execution_load(tx, handle->execution, &x, e));
  TRY(fence_check(tx, x, &fence, FENCE_FULL, e));
  extend(tx, x, handle->lease_ttl_ms, &result->expires_at_ms);
  result->lease_epoch = x->current_lease_epoch;
  result->outcome = FF_outcome_renewed;
  return FF_OK;
}

const struct op_code op_code_renew = {sizeof(struct handle_body), renew_prepare,
                                      declare_prepared_execution, renew_run};

/* ---- renew_lease ---- */

static enum ff_rc renew_lease_prepare(const struct op_config *config, const void *args, void *prep,
                                      struct arena *arena, struct ff_error *e) {
  const struct ff_renew_lease_args *a = args;
  (void)arena;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, prep, e));
  TRY(fence_check_syntax(&a->fence, e));
  if (a->lease_ttl_ms == 0)
    return error_field(e, FF_CODE_invalid_input, "lease_ttl_ms", "must be greater than 0");
  return FF_OK;
}

static enum ff_rc renew_lease_run(struct tx *tx, const void *args, const void *prep, void *result_,
                                  struct ff_error *e) {
  const struct ff_renew_lease_args *a = args;
  struct ff_renew_lease_result *result = result_;
  const struct execution *x;
  struct fence fence;
  bool absent;
  TRY(execution_load(tx, *(const struct exec_id *)prep, &x, e));
  TRY(fence_from_arguments(&a->fence, false, (struct ff_str){NULL, 0}, &absent, &fence, e));
  fence.has_attempt_index = a->has_attempt_index;
  fence.attempt_index = a->attempt_index;
  TRY(fence_check(tx, x, &fence, FENCE_FULL, e));
  extend(tx, x, a->lease_ttl_ms, &result->expires_at_ms);
  result->lease_epoch = x->current_lease_epoch;
  result->outcome = FF_outcome_renewed;
  return FF_OK;
}

const struct op_code op_code_renew_lease = {sizeof(struct exec_id), renew_lease_prepare,
                                            declare_prepared_execution, renew_lease_run};
