/*
 * Who may still act under a lease: the check of 02 §3.1, the argument forms of the fence, and
 * release receipts (§3.3).
 *
 * The check is the only place where an error also commits a fact: a due lease is marked expired
 * (L-64).
 */
#include "op/execution.h"

struct fence fence_of_handle(const struct handle_body *handle) {
  return (struct fence){.lease_id = handle->lease_id,
                        .attempt_id = handle->attempt_id,
                        .lease_epoch = handle->lease_epoch};
}

/* HD-5: the outer tag is judged before the other arguments, what is inside after them. */
enum ff_rc handle_check_tag(const struct op_config *config, const struct ff_handle *handle,
                            struct ff_error *e) {
  if (handle->backend == config->backend) return FF_OK;
  struct handle_body unused;
  return handle_decode(handle, config->backend, config->flow_partitions, &unused, e);
}

/* ---- the check ---- */

/* L-30, with the facts of L-44 as text. */
enum ff_rc execution_not_active(const struct execution *x, struct ff_error *e) {
  char attempt_id[37] = "";
  if (execution_has_current_attempt(x)) uuid_format(x->attempt_id, attempt_id);
  enum ff_rc rc = error_set(e, FF_CODE_execution_not_active, NULL);
  error_context(e, "terminal_outcome", "%s",
                ff_word(FF_WORD_terminal_outcome, x->terminal_outcome));
  error_context(e, "lease_epoch", "%llu", (unsigned long long)x->current_lease_epoch);
  error_context(e, "lifecycle_phase", "%s", ff_word(FF_WORD_lifecycle_phase, x->lifecycle_phase));
  error_context(e, "attempt_id", "%s", attempt_id);
  return rc;
}

enum ff_rc fence_check(struct tx *tx, const struct execution *x, const struct fence *fence,
                       enum fence_mode mode, struct ff_error *e) {
  if (x->lifecycle_phase != FF_lifecycle_phase_active) return execution_not_active(x, e);
  if (x->ownership_state == FF_ownership_state_lease_revoked)
    return error_set(e, FF_CODE_lease_revoked, NULL);
  bool marked = x->ownership_state == FF_ownership_state_lease_expired_reclaimable;
  if (marked || tx_now(tx) >= x->lease_expires_at) {
    if (!marked && mode == FENCE_FULL) {
      lease_mark_expired(tx, tx_edit_execution(tx, x));
      tx_commit_on_error(tx);
    }
    return error_set(e, FF_CODE_lease_expired, NULL);
  }
  if (x->current_lease_epoch != fence->lease_epoch || !uuid_equal(x->lease_id, fence->lease_id) ||
      !uuid_equal(x->attempt_id, fence->attempt_id) ||
      (fence->has_attempt_index && fence->attempt_index != x->attempt_index))
    return error_set(e, FF_CODE_stale_lease, NULL);
  tx_valid_before(tx, x->lease_expires_at);
  return FF_OK;
}

struct fence fence_stored(const struct execution *x) {
  return (struct fence){
      .lease_id = x->lease_id, .attempt_id = x->attempt_id, .lease_epoch = x->current_lease_epoch};
}

/* ---- argument forms ---- */

enum ff_rc fence_check_syntax(const struct ff_fence *arguments, struct ff_error *e) {
  struct uuid unused;
  if (arguments->lease_id.len) TRY(uuid_parse_field(arguments->lease_id, "lease_id", &unused, e));
  if (arguments->attempt_id.len)
    TRY(uuid_parse_field(arguments->attempt_id, "attempt_id", &unused, e));
  return FF_OK;
}

bool fence_is_absent(const struct ff_fence *arguments) {
  return !arguments->lease_id.len && !arguments->attempt_id.len && !arguments->lease_epoch;
}

enum ff_rc fence_from_arguments(const struct ff_fence *arguments, bool override_allowed,
                                struct ff_str source, bool *is_absent, struct fence *fence,
                                struct ff_error *e) {
  *fence = (struct fence){.lease_epoch = arguments->lease_epoch};
  *is_absent = fence_is_absent(arguments);
  if (*is_absent) {
    if (override_allowed && text_equal_c(source, "operator_override")) return FF_OK;
    return error_field(e, FF_CODE_invalid_input, "fence", "fence_required");
  }
  if (!arguments->lease_id.len || !arguments->attempt_id.len || !arguments->lease_epoch)
    return error_field(e, FF_CODE_invalid_input, "fence", "partial_fence_triple");
  TRY(uuid_parse_field(arguments->lease_id, "lease_id", &fence->lease_id, e));
  return uuid_parse_field(arguments->attempt_id, "attempt_id", &fence->attempt_id, e);
}

enum ff_revoked_by released_by(struct ff_str source) {
  return text_equal_c(source, "operator_override") ? FF_revoked_by_operator : FF_revoked_by_backend;
}

/* ---- receipts ---- */

void receipt_erase(struct execution *x) {
  x->receipt_op = FF_receipt_op_none;
  x->receipt_lease_id = (struct uuid){{0}};
  x->receipt_lease_epoch = 0;
  x->receipt_attempt_id = (struct uuid){{0}};
  x->receipt_delay_until = 0;
  x->receipt_next_attempt_index = -1;
}

void receipt_store(struct execution *x, enum ff_receipt_op op, int64_t delay_until,
                   int64_t next_attempt_index) {
  receipt_erase(x);
  x->receipt_op = (uint8_t)op;
  x->receipt_delay_until = delay_until;
  x->receipt_next_attempt_index = next_attempt_index;
}

static bool receipt_names(const struct execution *x, const struct fence *fence) {
  bool latest = uuid_is_nil(x->receipt_lease_id);
  const struct uuid *lease_id = latest ? &x->lease_id : &x->receipt_lease_id;
  const struct uuid *attempt_id = latest ? &x->attempt_id : &x->receipt_attempt_id;
  uint64_t epoch = latest ? x->current_lease_epoch : x->receipt_lease_epoch;
  return epoch == fence->lease_epoch && uuid_equal(*lease_id, fence->lease_id) &&
         uuid_equal(*attempt_id, fence->attempt_id);
}

/* L-42: the outcome a release of this kind leaves behind, none when it ends nothing. */
static enum ff_terminal_outcome outcome_of(enum ff_receipt_op op) {
  switch (op) {
    case FF_receipt_op_complete: return FF_terminal_outcome_success;
    case FF_receipt_op_fail: return FF_terminal_outcome_failed;
    case FF_receipt_op_cancel: return FF_terminal_outcome_cancelled;
    default: return FF_terminal_outcome_none;
  }
}

/* Epochs only grow, so a fence that a receipt names cannot pass the check any more: callers ask
 * here first and a repeat never marks the lease of a successor. */
bool receipt_match(const struct execution *x, const struct fence *fence, enum ff_receipt_op op,
                   struct receipt_answer *answer) {
  *answer = (struct receipt_answer){0, -1};
  if (x->receipt_op == op && receipt_names(x, fence)) {
    *answer = (struct receipt_answer){x->receipt_delay_until, x->receipt_next_attempt_index};
    return true;
  }
  return x->lifecycle_phase == FF_lifecycle_phase_terminal &&
         outcome_of(op) != FF_terminal_outcome_none && x->terminal_outcome == outcome_of(op) &&
         execution_has_current_attempt(x) && x->current_lease_epoch == fence->lease_epoch &&
         uuid_equal(x->attempt_id, fence->attempt_id);
}
