/*
 * What an execution record looks like from outside: summaries, handles, claims and tasks.
 *
 * Reads records, never changes one. Texts of an answer point into the record or the arena.
 */
#include "op/execution.h"

static void view_lease(const struct execution *x, struct ff_execution *out) {
  out->leased = x->ownership_state == FF_ownership_state_leased;
  if (!out->leased) return;
  uuid_format_id(x->lease_id, &out->lease_id);
  out->worker_id = x->worker_id;
  out->worker_instance_id = x->worker_instance_id;
  out->lease_expires_at = x->lease_expires_at;
  out->lease_last_renewed_at = x->lease_last_renewed_at;
}

static void view_state(const struct execution *x, struct ff_execution *out) {
  out->lifecycle_phase = x->lifecycle_phase;
  out->ownership_state = x->ownership_state;
  out->eligibility_state = x->eligibility_state;
  out->blocking_reason = x->blocking_reason;
  out->terminal_outcome = x->terminal_outcome;
  out->attempt_state = x->attempt_state;
  out->public_state = (uint8_t)execution_public_state(x);
  out->blocking_detail = x->blocking_detail;
}

static void view_accounting(const struct execution *x, struct ff_execution *out) {
  if (execution_has_current_attempt(x)) uuid_format_id(x->attempt_id, &out->current_attempt_id);
  out->current_attempt_index = x->attempt_index;
  out->total_attempt_count = x->total_attempt_count;
  out->retry_count = x->retry_count;
  out->replay_count = x->replay_count;
  out->lease_reclaim_count = x->lease_reclaim_count;
  out->current_lease_epoch = x->current_lease_epoch;
  out->failure_reason = x->failure_reason;
  out->failure_category = x->failure_category;
  out->cancellation_reason = x->cancellation_reason;
  out->cancelled_by = x->cancelled_by;
  out->has_progress = x->progress_pct >= 0;
  out->progress_percent = out->has_progress ? (uint32_t)x->progress_pct : 0;
  out->progress_message = x->progress_message;
  out->progress_updated_at = x->progress_updated_at;
}

static void view_times(const struct execution *x, struct ff_execution *out) {
  out->created_at = x->created_at;
  out->started_at = x->started_at;
  out->completed_at = x->completed_at;
  out->last_transition_at = x->last_transition_at;
  out->last_mutation_at = x->last_mutation_at;
  out->delay_until = x->delay_until;
  out->execution_deadline_at = x->execution_deadline_at;
}

void view_execution(const struct execution *x, struct arena *arena, struct ff_execution *out) {
  *out = (struct ff_execution){.version = x->head.version};
  exec_id_format(execution_id_of(x), &out->execution_id);
  out->namespace_ = x->namespace_;
  out->lane_id = x->lane_id;
  out->execution_kind = x->execution_kind;
  out->creator_identity = x->creator_identity;
  out->priority = x->priority;
  out->required_capabilities = x->required_capabilities;
  uuid_format_id(x->flow_id, &out->flow_id);
  uuid_format_id(x->current_suspension_id, &out->current_suspension_id);
  uuid_format_id(x->current_waitpoint_id, &out->current_waitpoint_id);
  view_state(x, out);
  view_accounting(x, out);
  view_lease(x, out);
  view_times(x, out);
  if (text_present(x->tags)) out->tags = tags_decode(arena, x->tags);
}

void view_handle(const struct execution *x, enum ff_backend backend, enum ff_handle_kind kind,
                 uint64_t ttl_ms, struct ff_handle *out) {
  struct handle_body body = {
      .execution = execution_id_of(x),
      .attempt_index = x->attempt_index,
      .attempt_id = x->attempt_id,
      .lease_id = x->lease_id,
      .lease_epoch = x->current_lease_epoch,
      .lease_ttl_ms = ttl_ms,
      .lane_id = x->lane_id,
      .worker_instance_id = x->worker_instance_id,
  };
  handle_encode(&body, backend, kind, out);
}

void view_claimed(const struct execution *x, enum ff_backend backend, enum ff_handle_kind kind,
                  uint64_t ttl_ms, struct ff_claimed *out) {
  exec_id_format(execution_id_of(x), &out->execution_id);
  uuid_format_id(x->lease_id, &out->lease_id);
  out->lease_epoch = x->current_lease_epoch;
  out->attempt_index = x->attempt_index;
  uuid_format_id(x->attempt_id, &out->attempt_id);
  out->attempt_type = x->attempt_type;
  out->lease_expires_at = x->lease_expires_at;
  view_handle(x, backend, kind, ttl_ms, &out->handle);
}

enum ff_rc view_payload(struct tx *tx, const struct execution *x, struct ff_bytes *out) {
  if (!execution_has_payload_record(x)) {
    *out = x->payload;
    return FF_OK;
  }
  const struct payload *stored = NULL;
  TRY(tx_get_payload(tx, EXECUTION_KEY(payload, execution_id_of(x)), &stored));
  *out = stored ? stored->data : (struct ff_bytes){0};
  return FF_OK;
}

enum ff_rc view_task(struct tx *tx, const struct execution *x, enum ff_handle_kind kind,
                     uint64_t ttl_ms, struct ff_task *out) {
  struct ff_bytes payload;
  TRY(view_payload(tx, x, &payload));
  *out = (struct ff_task){
      .lane_id = x->lane_id,
      .lease_epoch = x->current_lease_epoch,
      .attempt_index = x->attempt_index,
      .attempt_type = x->attempt_type,
      .lease_expires_at = x->lease_expires_at,
      .namespace_ = x->namespace_,
      .execution_kind = x->execution_kind,
      .input_payload = payload,
      .payload_encoding = x->payload_encoding,
  };
  exec_id_format(execution_id_of(x), &out->execution_id);
  uuid_format_id(x->lease_id, &out->lease_id);
  uuid_format_id(x->attempt_id, &out->attempt_id);
  view_handle(x, tx_config(tx)->backend, kind, ttl_ms, &out->handle);
  if (text_present(x->tags)) out->tags = tags_decode(tx_arena(tx), x->tags);
  return FF_OK;
}
