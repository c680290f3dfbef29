/*
 * The shared effects of 02 §3.4 and §5.1: taking, losing and giving back a lease, beginning and
 * ending attempts, ending executions.
 *
 * Every function changes a staged execution and appends events; none decides whether it may. A time
 * that is stopped is set to 0 and a text that no longer holds to absent, so that the cold part of
 * an idle execution stays empty.
 */
#include "op/cascade.h"
#include "op/suspension.h"

static const struct ff_str absent;

static int64_t after_ms(int64_t now, uint64_t ms) {
  return add_saturating(now, ms > INT64_MAX ? INT64_MAX : (int64_t)ms);
}

/* ---- attempts ---- */

/* ST-70: an attempt that had lost its lease was closed then; only a reclaim says another reason. Not
 * stored where the way the attempt ended says it all. */
static void close_lost(struct execution *x, enum ff_attempt_lifecycle how) {
  bool revoked = x->lease_expired_at == 0;
  x->attempt_closed_at = revoked ? x->lease_revoked_at : x->lease_expired_at;
  if (!x->attempt_closed_at || how == FF_attempt_lifecycle_interrupted_reclaimed) return;
  x->attempt_close = revoked ? FF_stream_close_lease_revoked : FF_stream_close_lease_expired;
}

void attempt_end(struct tx *tx, struct execution *x, enum ff_attempt_lifecycle how,
                 struct ff_str failure_reason, struct ff_str failure_category) {
  x->attempt_lifecycle = (uint8_t)how;
  x->attempt_ended_at = tx_now(tx);
  close_lost(x, how);
  x->attempt_failure_reason = failure_reason;
  x->attempt_failure_category = failure_category;
  x->attempt_timeout_at = 0;
  x->attempt_timeout_remaining_ms = 0;
}

void attempt_pause(struct tx *tx, struct execution *x, struct ff_str suspension_id) {
  int64_t now = tx_now(tx);
  x->attempt_lifecycle = FF_attempt_lifecycle_suspended;
  x->attempt_suspended_at = now;
  x->attempt_suspension_id = suspension_id;
  if (!x->attempt_timeout_at) return;
  int64_t remaining_ms = x->attempt_timeout_at - now;
  x->attempt_timeout_remaining_ms = remaining_ms > 1 ? remaining_ms : 1;
  x->attempt_timeout_at = 0;
}

bool attempt_is_open(const struct execution *x) {
  return x->attempt_lifecycle == FF_attempt_lifecycle_created ||
         x->attempt_lifecycle == FF_attempt_lifecycle_started ||
         x->attempt_lifecycle == FF_attempt_lifecycle_suspended;
}

/* The row cannot exist yet: indexes are dense and an attempt is replaced once (02 L-191). */
void attempt_archive(struct tx *tx, const struct execution *x) {
  struct attempt key = {
      .partition = x->partition, .execution_id = x->id, .attempt_index = x->attempt_index};
  struct attempt *row = tx_insert_new_attempt(tx, &key);
  row->attempt_id = x->attempt_id;
  row->attempt_type = x->attempt_type;
  row->attempt_lifecycle = x->attempt_lifecycle;
  row->started_at = x->attempt_started_at;
  row->ended_at = x->attempt_ended_at;
  row->suspended_at = x->attempt_suspended_at;
  row->suspension_id = x->attempt_suspension_id;
  row->resumed_at = x->attempt_resumed_at;
  row->lease_id = x->lease_id;
  row->lease_epoch = x->current_lease_epoch;
  row->worker_id = x->worker_id;
  row->worker_instance_id = x->worker_instance_id;
  row->retry_reason = x->attempt_retry_reason;
  row->reclaim_reason = x->attempt_reclaim_reason;
  row->replay_reason = x->attempt_replay_reason;
  row->replay_requested_by = x->attempt_replay_requested_by;
  row->previous_attempt_index = x->attempt_previous_index;
  row->failure_reason = x->attempt_failure_reason;
  row->failure_category = x->attempt_failure_category;
  row->policy_json = x->attempt_policy_json;
  row->closed_at = x->attempt_closed_at;
  row->close = x->attempt_close;
}

/* L-70, L-72: the next index, a clean attempt, no progress. Lineage is the caller's. */
static void attempt_begin(struct tx *tx, struct execution *x, const struct fresh_claim *claim,
                          enum ff_attempt_type type) {
  int64_t now = tx_now(tx);
  x->attempt_index = x->total_attempt_count++;
  x->attempt_id = claim->attempt_id;
  x->attempt_type = (uint8_t)type;
  x->attempt_lifecycle = FF_attempt_lifecycle_started;
  x->attempt_started_at = now;
  x->attempt_ended_at = 0;
  x->attempt_closed_at = 0;
  x->attempt_close = FF_stream_close_none;
  x->attempt_suspended_at = 0;
  x->attempt_suspension_id = absent;
  x->attempt_resumed_at = 0;
  x->attempt_failure_reason = absent;
  x->attempt_failure_category = absent;
  x->attempt_policy_json =
      claim->attempt_policy_json.len ? claim->attempt_policy_json : x->pending_attempt_policy_json;
  x->progress_pct = -1;
  x->progress_message = absent;
  x->progress_updated_at = 0;
  uint64_t timeout_ms = claim->attempt_timeout_ms ? claim->attempt_timeout_ms
                                                  : (uint64_t)x->policy_attempt_timeout_ms;
  x->attempt_timeout_at = timeout_ms ? after_ms(now, timeout_ms) : 0;
  x->attempt_timeout_remaining_ms = 0;
}

/* L-71: what the pending fields say becomes the lineage of the attempt that begins. */
static void attempt_take_lineage(struct execution *x) {
  x->attempt_retry_reason = x->pending_retry_reason;
  x->attempt_reclaim_reason = x->pending_reclaim_reason;
  x->attempt_replay_reason = x->pending_replay_reason;
  x->attempt_replay_requested_by = x->pending_replay_requested_by;
  x->attempt_previous_index = x->pending_previous_attempt_index;
  x->pending_retry_reason = absent;
  x->pending_reclaim_reason = absent;
  x->pending_replay_reason = absent;
  x->pending_replay_requested_by = absent;
  x->pending_previous_attempt_index = -1;
  x->pending_attempt_policy_json = absent;
}

static enum ff_attempt_type pending_type(const struct execution *x) {
  switch (x->attempt_state) {
    case FF_attempt_state_pending_first_attempt: return FF_attempt_type_initial;
    case FF_attempt_state_pending_replay_attempt: return FF_attempt_type_replay;
    default:
      return text_present(x->pending_reclaim_reason) ? FF_attempt_type_reclaim
                                                     : FF_attempt_type_retry;
  }
}

/* ---- leases ---- */

static void clear_loss(struct execution *x) {
  x->lease_expired_at = 0;
  x->lease_revoked_at = 0;
  x->lease_revoke_reason = absent;
}

/* A receipt that speaks of the latest lease without naming it needs the name once another lease
 * comes. */
static void receipt_set_aside(struct execution *x) {
  if (x->receipt_op == FF_receipt_op_none || !uuid_is_nil(x->receipt_lease_id)) return;
  x->receipt_lease_id = x->lease_id;
  x->receipt_lease_epoch = x->current_lease_epoch;
  x->receipt_attempt_id = x->attempt_id;
}

void lease_acquire(struct tx *tx, struct execution *x, const struct lease_grant *grant) {
  static const struct execution_vector running = {
      FF_lifecycle_phase_active, FF_ownership_state_leased, FF_eligibility_state_not_applicable,
      FF_blocking_reason_none,   FF_terminal_outcome_none,  FF_attempt_state_running_attempt};
  int64_t now = tx_now(tx);
  receipt_set_aside(x);
  x->current_lease_epoch++;
  x->lease_id = grant->lease_id;
  x->worker_id = grant->worker_id;
  x->worker_instance_id = grant->worker_instance_id;
  x->claim_request_id = grant->request_id.len ? grant->request_id : absent;
  x->lease_acquired_at = now;
  x->lease_last_renewed_at = now;
  x->lease_expires_at = after_ms(now, grant->ttl_ms);
  clear_loss(x);
  if (!x->started_at) x->started_at = now;
  x->delay_until = 0;
  execution_move(tx, x, running, absent);
}

void lease_claim_fresh(struct tx *tx, struct execution *x, const struct fresh_claim *claim) {
  enum ff_attempt_type type = pending_type(x);
  if (x->total_attempt_count) attempt_archive(tx, x);
  lease_acquire(tx, x, &claim->lease);
  attempt_begin(tx, x, claim, type);
  attempt_take_lineage(x);
  execution_lease_event(tx, x, FF_lease_event_acquired, claim->event_reason, FF_revoked_by_none);
}

void lease_claim_resumed(struct tx *tx, struct execution *x, const struct resumed_claim *claim) {
  int64_t now = tx_now(tx);
  lease_acquire(tx, x, &claim->lease);
  x->attempt_lifecycle = FF_attempt_lifecycle_started;
  x->attempt_resumed_at = now;
  x->attempt_suspended_at = 0;
  x->attempt_suspension_id = absent;
  uint64_t remaining_ms = claim->remaining_timeout_ms ? claim->remaining_timeout_ms
                                                      : (uint64_t)x->attempt_timeout_remaining_ms;
  x->attempt_timeout_at = remaining_ms ? after_ms(now, remaining_ms) : 0;
  x->attempt_timeout_remaining_ms = 0;
  struct ff_str reason = claim->event_reason.len ? claim->event_reason : TEXT_LIT("claim_resumed");
  execution_lease_event(tx, x, FF_lease_event_acquired, reason, FF_revoked_by_none);
}

struct ff_str ownership_word(const struct execution *x) {
  return ff_text(ff_word(FF_WORD_ownership_state, x->ownership_state));
}

void lease_reclaim(struct tx *tx, struct execution *x, const struct fresh_claim *claim) {
  struct ff_str found = ownership_word(x);
  int64_t old_index = x->attempt_index;
  uint64_t old_epoch = x->current_lease_epoch;
  attempt_end(tx, x, FF_attempt_lifecycle_interrupted_reclaimed, found, absent);
  attempt_archive(tx, x);
  lease_acquire(tx, x, &claim->lease);
  attempt_begin(tx, x, claim, FF_attempt_type_reclaim);
  attempt_take_lineage(x);
  x->attempt_reclaim_reason = found;
  x->attempt_previous_index = old_index;
  x->lease_reclaim_count++;
  struct event *event =
      execution_lease_event(tx, x, FF_lease_event_reclaimed, absent, FF_revoked_by_none);
  event->details =
      arena_printf(tx_arena(tx), "{\"old_lease_epoch\":%llu}", (unsigned long long)old_epoch);
}

struct event *lease_release(struct tx *tx, struct execution *x, struct ff_str reason,
                            enum ff_revoked_by revoked_by) {
  struct event *event = execution_lease_event(tx, x, FF_lease_event_released, reason, revoked_by);
  x->claim_request_id = absent;
  x->lease_acquired_at = 0;
  x->lease_last_renewed_at = 0;
  x->lease_expires_at = 0;
  clear_loss(x);
  return event;
}

static const struct execution_vector lost = {FF_lifecycle_phase_active,
                                             FF_ownership_state_lease_expired_reclaimable,
                                             FF_eligibility_state_not_applicable,
                                             FF_blocking_reason_waiting_for_worker,
                                             FF_terminal_outcome_none,
                                             FF_attempt_state_attempt_interrupted};

void lease_mark_expired(struct tx *tx, struct execution *x) {
  x->lease_expired_at = tx_now(tx);
  execution_move(tx, x, lost, TEXT_LIT("lease expired, awaiting reclaim"));
  execution_lease_event(tx, x, FF_lease_event_expired, absent, FF_revoked_by_none);
}

void lease_mark_revoked(struct tx *tx, struct execution *x, struct ff_str reason) {
  struct execution_vector vector = lost;
  vector.ownership = FF_ownership_state_lease_revoked;
  x->lease_revoked_at = tx_now(tx);
  x->lease_revoke_reason = reason;
  execution_move(tx, x, vector,
                 arena_printf(tx_arena(tx), "lease revoked: " TEXT_FMT, TEXT_ARG(reason)));
  execution_lease_event(tx, x, FF_lease_event_revoked, reason, FF_revoked_by_operator);
}

/* ---- grants ---- */

/* Only execution.grant_expires_at says whether there is a grant to load at all. */
enum ff_rc grant_drop(struct tx *tx, struct execution *x) {
  if (!x->grant_expires_at) return FF_OK;
  const struct grant *grant = NULL;
  TRY(tx_get_grant(tx, EXECUTION_KEY(grant, execution_id_of(x)), &grant));
  if (grant) tx_delete_grant(tx, grant);
  x->grant_expires_at = 0;
  return FF_OK;
}

/* ---- ending ---- */

static int64_t purge_time(struct tx *tx, const struct execution *x) {
  int64_t retention_ms =
      x->policy_retention_ms >= 0 ? x->policy_retention_ms : tx_config(tx)->retention_ms;
  return add_saturating(tx_now(tx), retention_ms);
}

/* T-15, T-16 */
static struct ff_str abandon_reason(enum ff_terminal_outcome outcome) {
  if (outcome == FF_terminal_outcome_cancelled) return TEXT_LIT("cancelled");
  if (outcome == FF_terminal_outcome_expired) return TEXT_LIT("expired:execution_deadline");
  return TEXT_LIT("execution_terminal");
}

enum ff_rc execution_want_end(struct tx *tx, const struct execution *x) {
  const struct grant *grant;
  enum ff_rc worst = FF_OK, rc;
  if (x->grant_expires_at)
    worst = tx_get_grant(tx, EXECUTION_KEY(grant, execution_id_of(x)), &grant);
  if ((rc = suspension_want(tx, x)) != FF_OK) worst = rc;
  if ((rc = waitpoints_want_pending(tx, x)) != FF_OK) worst = rc;
  return worst;
}

enum ff_rc execution_terminate(struct tx *tx, struct execution *x, enum ff_terminal_outcome outcome,
                               enum ff_attempt_lifecycle open_attempt, struct event *event) {
  struct cascade cascade;
  if (uuid_is_nil(x->flow_id))
    return execution_terminate_alone(tx, x, outcome, open_attempt, event);
  enum ff_rc planned = cascade_plan_end(&cascade, tx, x, outcome);
  TRY(execution_terminate_alone(tx, x, outcome, open_attempt, event));
  TRY(planned);
  return cascade_end(&cascade, x);
}

enum ff_rc execution_terminate_alone(struct tx *tx, struct execution *x,
                                     enum ff_terminal_outcome outcome,
                                     enum ff_attempt_lifecycle open_attempt, struct event *event) {
  TRY(grant_drop(tx, x));
  TRY(suspension_abandon(tx, x, abandon_reason(outcome)));
  TRY(waitpoints_close_pending(tx, x, TEXT_LIT("execution_terminal")));
  if (attempt_is_open(x)) attempt_end(tx, x, open_attempt, absent, absent);
  struct execution_vector ended = {
      FF_lifecycle_phase_terminal,
      FF_ownership_state_unowned,
      FF_eligibility_state_not_applicable,
      FF_blocking_reason_none,
      outcome,
      x->total_attempt_count ? FF_attempt_state_attempt_terminal : FF_attempt_state_none};
  execution_move(tx, x, ended, absent);
  x->completed_at = tx_now(tx);
  x->purge_at = purge_time(tx, x);
  x->delay_until = 0;
  x->held_reason = absent;
  x->attempt_timeout_at = 0;
  x->attempt_timeout_remaining_ms = 0;
  if (!event) event = execution_event(tx, x);
  event->completion = (uint8_t)outcome;
  return FF_OK;
}

/* L-142 */
#define CAP_WITH_POLICY 100
#define CAP_WITHOUT_POLICY 1000
uint32_t reclaim_cap(const struct execution *x, bool has_argument, uint32_t argument) {
  if (x->policy_max_reclaim_count >= 0) return (uint32_t)x->policy_max_reclaim_count;
  if (x->has_policy) return CAP_WITH_POLICY;
  return has_argument ? argument : CAP_WITHOUT_POLICY;
}

/* The whole reason, up to 64 KiB, is in failure_reason; operators read its beginning here. */
#define DETAIL_REASON_MAX 512
static struct ff_str beginning(struct ff_str text) {
  if (text.len <= DETAIL_REASON_MAX) return text;
  size_t len = DETAIL_REASON_MAX;
  while (len && ((unsigned char)text.ptr[len] & 0xc0) == 0x80) len--;
  return text_of(text.ptr, len);
}

void execution_schedule_retry(struct tx *tx, struct execution *x, struct ff_str reason,
                              int64_t delay_ms, struct ff_str next_attempt_policy_json,
                              struct ff_str release_reason, enum ff_revoked_by revoked_by) {
  static const struct execution_vector backing_off = {FF_lifecycle_phase_runnable,
                                                      FF_ownership_state_unowned,
                                                      FF_eligibility_state_not_eligible_until_time,
                                                      FF_blocking_reason_waiting_for_retry_backoff,
                                                      FF_terminal_outcome_none,
                                                      FF_attempt_state_pending_retry_attempt};
  struct ff_str shown = beginning(reason);
  lease_release(tx, x, release_reason, revoked_by);
  x->delay_until = add_saturating(tx_now(tx), delay_ms);
  x->retry_count++;
  x->pending_retry_reason = reason;
  x->pending_previous_attempt_index = x->attempt_index;
  x->pending_attempt_policy_json = next_attempt_policy_json.len ? next_attempt_policy_json : absent;
  execution_move(
      tx, x, backing_off,
      arena_printf(tx_arena(tx), "retry backoff until %lld (attempt %u failed: " TEXT_FMT ")",
                   (long long)x->delay_until, x->attempt_index, TEXT_ARG(shown)));
}
