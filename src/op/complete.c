/*
 * complete and complete_execution: the attempt ends with success and an optional result (02 §7).
 *
 * One hot row and one event; a result too large to ride in the row is a record of its own.
 */
#include "op/execution.h"

#include "flowfabric/lifecycle.h"

#define ENCODING_MAX_BYTES 256 /* 01 LM-34 */
#define SOURCE_MAX_BYTES 256

static enum ff_rc check_result(const struct op_config *config, struct ff_bytes payload,
                               struct ff_str encoding, struct ff_error *e) {
  if (payload.len > config->max_result_payload_bytes) {
    unsigned long long limit = config->max_result_payload_bytes;
    enum ff_rc rc = error_field(e, FF_CODE_payload_too_large, "result_payload",
                                "%zu bytes, limit %llu", payload.len, limit);
    error_context(e, "limit_bytes", "%llu", limit);
    return rc;
  }
  return text_check(encoding, "result_encoding", ENCODING_MAX_BYTES, e);
}

/* The result record cannot exist yet: a replay deletes the former one (L-157). */
static void store_result(struct tx *tx, struct execution *x, struct ff_bytes payload,
                         struct ff_str encoding) {
  if (encoding.len) x->result_encoding = encoding;
  if (payload.len <= tx_config(tx)->inline_bytes) {
    x->result = payload;
    return;
  }
  x->result_external = 1;
  tx_insert_new_result(tx, EXECUTION_KEY(result, execution_id_of(x)))->data = payload;
}

/* L-106, behind the checks. */
static enum ff_rc complete_now(struct tx *tx, const struct execution *read, struct ff_bytes payload,
                               struct ff_str encoding, enum ff_revoked_by by) {
  static const struct ff_str none;
  struct execution *x = tx_edit_execution(tx, read);
  attempt_end(tx, x, FF_attempt_lifecycle_ended_success, none, none);
  x->failure_reason = none;
  x->failure_category = none;
  store_result(tx, x, payload, encoding);
  struct event *event = lease_release(tx, x, TEXT_LIT("completed"), by);
  receipt_store(x, FF_receipt_op_complete, 0, -1);
  return execution_terminate(tx, x, FF_terminal_outcome_success, FF_attempt_lifecycle_ended_success,
                             event);
}

/* ---- complete ---- */

static enum ff_rc complete_prepare(const struct op_config *config, const void *args, void *prep,
                                   struct arena *arena, struct ff_error *e) {
  const struct ff_complete_args *a = args;
  (void)arena;
  TRY(handle_check_tag(config, &a->handle, e));
  TRY(check_result(config, a->result_payload, a->result_encoding, e));
  return handle_decode(&a->handle, config->backend, config->flow_partitions, prep, e);
}

static enum ff_rc complete_run(struct tx *tx, const void *args, const void *prep, void *result_,
                               struct ff_error *e) {
  const struct ff_complete_args *a = args;
  const struct handle_body *handle = prep;
  struct ff_complete_result *result = result_;
  const struct execution *x;
  struct receipt_answer repeated;
  struct fence fence = fence_of_handle(handle);
  TRY(execution_load(tx, handle->execution, &x, e));
  if (!receipt_match(x, &fence, FF_receipt_op_complete, &repeated)) {
    TRY(fence_check(tx, x, &fence, FENCE_FULL, e));
    TRY(complete_now(tx, x, a->result_payload, a->result_encoding, FF_revoked_by_backend));
  }
  exec_id_format(handle->execution, &result->execution_id);
  result->outcome = FF_outcome_completed;
  result->public_state = FF_public_state_completed;
  return FF_OK;
}

const struct op_code op_code_complete = {sizeof(struct handle_body), complete_prepare,
                                         declare_prepared_execution, complete_run};

/* ---- complete_execution ---- */

static enum ff_rc complete_execution_prepare(const struct op_config *config, const void *args,
                                             void *prep, struct arena *arena, struct ff_error *e) {
  const struct ff_complete_execution_args *a = args;
  (void)arena;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, prep, e));
  TRY(fence_check_syntax(&a->fence, e));
  TRY(text_check(a->source, "source", SOURCE_MAX_BYTES, e));
  return check_result(config, a->result_payload, a->result_encoding, e);
}

static enum ff_rc complete_execution_run(struct tx *tx, const void *args, const void *prep,
                                         void *result_, struct ff_error *e) {
  const struct ff_complete_execution_args *a = args;
  struct exec_id id = *(const struct exec_id *)prep;
  struct ff_complete_execution_result *result = result_;
  const struct execution *x;
  struct receipt_answer repeated;
  struct fence fence;
  bool override;
  TRY(execution_load(tx, id, &x, e));
  TRY(fence_from_arguments(&a->fence, true, a->source, &override, &fence, e));
  if (override) fence = fence_stored(x);
  fence.has_attempt_index = a->has_attempt_index;
  fence.attempt_index = a->attempt_index;
  if (override || !receipt_match(x, &fence, FF_receipt_op_complete, &repeated)) {
    TRY(fence_check(tx, x, &fence, FENCE_FULL, e));
    TRY(complete_now(tx, x, a->result_payload, a->result_encoding, released_by(a->source)));
  }
  exec_id_format(id, &result->execution_id);
  result->outcome = FF_outcome_completed;
  result->public_state = FF_public_state_completed;
  return FF_OK;
}

const struct op_code op_code_complete_execution = {
    sizeof(struct exec_id), complete_execution_prepare, declare_prepared_execution,
    complete_execution_run};
