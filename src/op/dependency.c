/*
 * What dependencies do to the execution that waits for them: blocking, releasing, skipping, handing
 * over data (04 §6, §8.2).
 *
 * Changes staged records; who is released or skipped, and when, is decided in cascade.c.
 */
#include "op/cascade.h"

static const struct ff_str absent;

static void move_runnable(struct tx *tx, struct execution *x, enum ff_eligibility_state eligibility,
                          enum ff_blocking_reason blocking, struct ff_str detail) {
  enum ff_attempt_state attempt = (enum ff_attempt_state)x->attempt_state;
  if (attempt == FF_attempt_state_none) attempt = FF_attempt_state_pending_first_attempt;
  execution_move(tx, x,
                 (struct execution_vector){.phase = FF_lifecycle_phase_runnable,
                                           .eligibility = eligibility,
                                           .blocking = blocking,
                                           .attempt = attempt},
                 detail);
}

static bool is_held(const struct execution *x) {
  return x->eligibility_state == FF_eligibility_state_blocked_by_operator ||
         x->eligibility_state == FF_eligibility_state_blocked_by_lane_state;
}

/* held_reason is the reason of the hold, behind a blank what its operator said. */
static struct ff_str remember_hold(struct tx *tx, const struct execution *x) {
  const char *reason = ff_word(FF_WORD_blocking_reason, x->blocking_reason);
  if (!text_nonempty(x->blocking_detail)) return ff_text(reason);
  return arena_printf(tx_arena(tx), "%s " TEXT_FMT, reason, TEXT_ARG(x->blocking_detail));
}

void dependency_block(struct tx *tx, struct execution *x, struct ff_str detail) {
  if (is_held(x)) x->held_reason = remember_hold(tx, x);
  move_runnable(tx, x, FF_eligibility_state_blocked_by_dependencies,
                FF_blocking_reason_waiting_for_children, detail);
}

/* Back under the hold that was there before. */
static void restore_hold(struct tx *tx, struct execution *x) {
  const char *operators = ff_word(FF_WORD_blocking_reason, FF_blocking_reason_paused_by_operator);
  struct ff_str held = x->held_reason, detail = absent;
  size_t n = strlen(operators);
  const char *blank = memchr(held.ptr, ' ', held.len);
  size_t reason = blank ? (size_t)(blank - held.ptr) : held.len;
  bool by_operator = reason == n && memcmp(held.ptr, operators, n) == 0;
  if (blank) detail = text_of(blank + 1, held.len - reason - 1);
  x->held_reason = absent;
  move_runnable(tx, x,
                by_operator ? FF_eligibility_state_blocked_by_operator
                            : FF_eligibility_state_blocked_by_lane_state,
                by_operator ? FF_blocking_reason_paused_by_operator
                            : FF_blocking_reason_paused_by_policy,
                detail);
}

void dependency_release(struct tx *tx, struct execution *x) {
  if (x->lifecycle_phase != FF_lifecycle_phase_runnable ||
      x->eligibility_state != FF_eligibility_state_blocked_by_dependencies)
    return;
  if (x->delay_until > tx_now(tx)) {
    move_runnable(tx, x, FF_eligibility_state_not_eligible_until_time,
                  FF_blocking_reason_waiting_for_delay,
                  arena_printf(tx_arena(tx), "delayed until %lld", (long long)x->delay_until));
  } else if (text_nonempty(x->held_reason)) {
    restore_hold(tx, x);
  } else {
    x->delay_until = 0;
    move_runnable(tx, x, FF_eligibility_state_eligible_now,
                  FF_blocking_reason_waiting_for_worker, absent);
  }
}

/* The attempt and the lease of a member that is skipped. The receipt stays: a worker that repeats the
 * call that gave its lease back is answered the same. */
static struct event *skip_attempt(struct tx *tx, struct execution *x) {
  const struct ff_str reason = TEXT_LIT("dependency_impossible");
  struct event *event = NULL;
  if (attempt_is_open(x)) {
    attempt_end(tx, x, FF_attempt_lifecycle_ended_cancelled, reason, absent);
    if (!x->attempt_close) x->attempt_close = FF_stream_close_dependency_impossible;
  }
  if (x->lifecycle_phase == FF_lifecycle_phase_active)
    event = lease_release(tx, x, reason, FF_revoked_by_reconciler);
  return event;
}

enum ff_rc dependency_skip(struct tx *tx, struct execution *x) {
  struct event *event = skip_attempt(tx, x);
  return execution_terminate_alone(tx, x, FF_terminal_outcome_skipped,
                                   FF_attempt_lifecycle_ended_cancelled, event);
}

enum ff_rc dependency_skip_member(struct tx *tx, struct execution *x) {
  struct event *event = skip_attempt(tx, x);
  return execution_terminate(tx, x, FF_terminal_outcome_skipped,
                             FF_attempt_lifecycle_ended_cancelled, event);
}

/* ---- data ---- */

static enum ff_rc stored_result(struct tx *tx, const struct execution *from, struct ff_bytes *out) {
  const struct result *record = NULL;
  *out = from->result;
  if (!from->result_external) return FF_OK;
  TRY(tx_get_result(tx, EXECUTION_KEY(result, execution_id_of(from)), &record));
  if (record) *out = record->data;
  return FF_OK;
}

static enum ff_rc payload_record(struct tx *tx, const struct execution *x,
                                 const struct payload **out) {
  *out = NULL;
  if (!execution_has_payload_record(x)) return FF_OK;
  return tx_get_payload(tx, EXECUTION_KEY(payload, execution_id_of(x)), out);
}

enum ff_rc dependency_want_data(struct tx *tx, const struct execution *from,
                                const struct execution *x) {
  const struct payload *record;
  struct ff_bytes bytes;
  enum ff_rc first = from ? stored_result(tx, from, &bytes) : FF_OK;
  TRY(payload_record(tx, x, &record));
  return first;
}

enum ff_rc dependency_pass_data(struct tx *tx, const struct execution *from, struct execution *x) {
  const struct payload *read = NULL;
  struct ff_bytes bytes;
  TRY(stored_result(tx, from, &bytes));
  if (!bytes.ptr) return FF_OK;
  TRY(payload_record(tx, x, &read));
  struct payload *record =
      read ? tx_edit_payload(tx, read)
           : tx_insert_new_payload(tx, EXECUTION_KEY(payload, execution_id_of(x)));
  record->data = bytes;
  x->payload_replaced = 1;
  execution_touch(tx, x);
  return FF_OK;
}
