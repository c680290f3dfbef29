/*
 * The reads of one execution: describe_execution, read_execution_state, read_execution_info,
 * read_execution_context, read_current_attempt_index, read_total_attempt_count,
 * get_execution_result, get_execution_namespace (02 §15).
 *
 * They never write and never mark an expiry: what is due but unmarked reads as it is stored.
 */
#include "op/read.h"

READ_TAKES_ID(read_execution_state);
READ_TAKES_ID(read_execution_info);
READ_TAKES_ID(read_execution_context);
READ_TAKES_ID(read_current_attempt_index);
READ_TAKES_ID(read_total_attempt_count);
READ_TAKES_ID(get_execution_result);
READ_TAKES_ID(get_execution_namespace);

/* L-164, L-165: these reads have no way to say "absent". */
static enum ff_rc missing(const char *op, const void *prep, struct ff_error *e) {
  struct ff_id id;
  exec_id_format(*(const struct exec_id *)prep, &id);
  return error_field(e, FF_CODE_invalid_input, "execution_id", "%s: execution not found: %s", op,
                     id.text);
}

/* ---- describe_execution ---- */

static enum ff_rc describe_run(struct tx *tx, const void *args, const void *prep, void *result,
                               struct ff_error *e) {
  struct ff_describe_execution_result *r = result;
  const struct execution *x = NULL;
  (void)args;
  TRY(read_execution(tx, prep, &x));
  if (!x) return FF_OK;
  r->outcome = FF_outcome_ok;
  return read_view("describe_execution", x, tx_arena(tx), &r->execution, e);
}

const struct op_code op_code_describe_execution = {sizeof(struct exec_id), read_prepare_id,
                                                   declare_prepared_execution, describe_run};

/* ---- read_execution_state ---- */

static enum ff_rc state_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  struct ff_read_execution_state_result *r = result;
  const struct execution *x = NULL;
  (void)args, (void)e;
  TRY(read_execution(tx, prep, &x));
  if (!x) return FF_OK;
  r->outcome = FF_outcome_ok;
  r->public_state = (uint8_t)execution_public_state(x);
  return FF_OK;
}

const struct op_code op_code_read_execution_state = {sizeof(struct exec_id), read_prepare_id,
                                                     declare_prepared_execution, state_run};

/* ---- read_execution_info ---- */

static struct ff_str decimal_time(struct arena *arena, int64_t at) {
  return at == 0 ? (struct ff_str){NULL, 0} : arena_printf(arena, "%lld", (long long)at);
}

static enum ff_rc info_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  struct ff_read_execution_info_result *r = result;
  const struct execution *x = NULL;
  (void)args, (void)e;
  TRY(read_execution(tx, prep, &x));
  if (!x) return FF_OK;
  r->outcome = FF_outcome_ok;
  exec_id_format(execution_id_of(x), &r->execution_id);
  r->namespace_ = x->namespace_;
  r->lane_id = x->lane_id;
  r->execution_kind = x->execution_kind;
  r->priority = x->priority;
  r->lifecycle_phase = x->lifecycle_phase;
  r->ownership_state = x->ownership_state;
  r->eligibility_state = x->eligibility_state;
  r->blocking_reason = x->blocking_reason;
  r->terminal_outcome = x->terminal_outcome;
  r->attempt_state = x->attempt_state;
  r->public_state = (uint8_t)execution_public_state(x);
  r->created_at = decimal_time(tx_arena(tx), x->created_at);
  r->started_at = decimal_time(tx_arena(tx), x->started_at);
  r->completed_at = decimal_time(tx_arena(tx), x->completed_at);
  r->current_attempt_index = x->attempt_index;
  uuid_format_id(x->flow_id, &r->flow_id);
  r->blocking_detail = text_present(x->blocking_detail) ? x->blocking_detail : TEXT_LIT("");
  return FF_OK;
}

const struct op_code op_code_read_execution_info = {sizeof(struct exec_id), read_prepare_id,
                                                    declare_prepared_execution, info_run};

/* ---- read_execution_context ---- */

static void context_declare(struct declare *d, const void *args, const void *prep) {
  declare_prepared_execution(d, args, prep);
  declare_by_execution(d, RECORD_KIND_payload, *(const struct exec_id *)prep);
}

static enum ff_rc context_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  struct ff_read_execution_context_result *r = result;
  const struct execution *x = NULL;
  (void)args;
  TRY(read_execution(tx, prep, &x));
  if (!x) return missing("read_execution_context", prep, e);
  TRY(view_payload(tx, x, &r->input_payload));
  if (execution_has_payload_record(x) && !r->input_payload.ptr)
    return read_corrupt("read_execution_context", "input_payload", "missing", e);
  r->payload_encoding = x->payload_encoding;
  r->execution_kind = x->execution_kind;
  return read_tags("read_execution_context", x, tx_arena(tx), &r->tags, e);
}

const struct op_code op_code_read_execution_context = {sizeof(struct exec_id), read_prepare_id,
                                                       context_declare, context_run};

/* ---- read_current_attempt_index, read_total_attempt_count ---- */

static enum ff_rc index_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  struct ff_read_current_attempt_index_result *r = result;
  const struct execution *x = NULL;
  (void)args;
  TRY(read_execution(tx, prep, &x));
  if (!x) return missing("read_current_attempt_index", prep, e);
  r->index = x->attempt_index;
  return FF_OK;
}

const struct op_code op_code_read_current_attempt_index = {sizeof(struct exec_id), read_prepare_id,
                                                           declare_prepared_execution, index_run};

static enum ff_rc count_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  struct ff_read_total_attempt_count_result *r = result;
  const struct execution *x = NULL;
  (void)args;
  TRY(read_execution(tx, prep, &x));
  if (!x) return missing("read_total_attempt_count", prep, e);
  r->count = x->total_attempt_count;
  return FF_OK;
}

const struct op_code op_code_read_total_attempt_count = {sizeof(struct exec_id), read_prepare_id,
                                                         declare_prepared_execution, count_run};

/* ---- get_execution_result ---- */

static void result_declare(struct declare *d, const void *args, const void *prep) {
  declare_prepared_execution(d, args, prep);
  declare_by_execution(d, RECORD_KIND_result, *(const struct exec_id *)prep);
}

/* L-166: none unless it completed with a payload; an empty payload is a payload. */
static enum ff_rc result_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  struct ff_get_execution_result_result *r = result;
  const struct execution *x = NULL;
  const struct result *stored = NULL;
  (void)args;
  TRY(read_execution(tx, prep, &x));
  if (!x || x->terminal_outcome != FF_terminal_outcome_success) return FF_OK;
  r->payload = x->result;
  if (x->result_external) {
    TRY(tx_get_result(tx, EXECUTION_KEY(result, execution_id_of(x)), &stored));
    if (!stored) return read_corrupt("get_execution_result", "result", "missing", e);
    r->payload = stored->data;
  }
  if (!r->payload.ptr) return FF_OK;
  r->outcome = FF_outcome_ok;
  r->encoding = x->result_encoding;
  return FF_OK;
}

const struct op_code op_code_get_execution_result = {sizeof(struct exec_id), read_prepare_id,
                                                     result_declare, result_run};

/* ---- get_execution_namespace ---- */

static enum ff_rc namespace_run(struct tx *tx, const void *args, const void *prep, void *result,
                                struct ff_error *e) {
  struct ff_get_execution_namespace_result *r = result;
  const struct execution *x = NULL;
  (void)args, (void)e;
  TRY(read_execution(tx, prep, &x));
  if (!x) return FF_OK;
  r->outcome = FF_outcome_ok;
  r->namespace_ = text_present(x->namespace_) ? x->namespace_ : TEXT_LIT("");
  return FF_OK;
}

const struct op_code op_code_get_execution_namespace = {sizeof(struct exec_id), read_prepare_id,
                                                        declare_prepared_execution, namespace_run};
