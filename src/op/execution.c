/*
 * The execution record: what is derived from it, when it falls due, changing its vector, loading.
 *
 * Nothing here decides what an operation may do; what a vector may be is in vector.c.
 */
#include "op/execution.h"

/* ---- derivation ---- */

enum ff_public_state execution_public_state(const struct execution *x) {
  switch (x->lifecycle_phase) {
    case FF_lifecycle_phase_active: return FF_public_state_active;
    case FF_lifecycle_phase_suspended: return FF_public_state_suspended;
    case FF_lifecycle_phase_terminal:
      switch (x->terminal_outcome) {
        case FF_terminal_outcome_success: return FF_public_state_completed;
        case FF_terminal_outcome_cancelled: return FF_public_state_cancelled;
        case FF_terminal_outcome_expired: return FF_public_state_expired;
        case FF_terminal_outcome_skipped: return FF_public_state_skipped;
        default: return FF_public_state_failed;
      }
    case FF_lifecycle_phase_runnable:
      switch (x->eligibility_state) {
        case FF_eligibility_state_not_eligible_until_time: return FF_public_state_delayed;
        case FF_eligibility_state_blocked_by_dependencies: return FF_public_state_waiting_children;
        case FF_eligibility_state_blocked_by_budget:
        case FF_eligibility_state_blocked_by_quota: return FF_public_state_rate_limited;
        default: return FF_public_state_waiting;
      }
    default: return FF_public_state_waiting;
  }
}

bool execution_has_current_attempt(const struct execution *x) {
  switch (x->attempt_state) {
    case FF_attempt_state_running_attempt:
    case FF_attempt_state_attempt_interrupted:
    case FF_attempt_state_attempt_terminal: return true;
    default: return false;
  }
}

/* ---- due times ---- */

/* When a block of somebody else's is looked at first: the interval of the unblock scanner (06 F.2). */
enum { CALLERS_BLOCK_MS = 5000 };

static const struct uuid nobody_said = {{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                         255, 255, 255, 255}};

struct uuid execution_blocked_on(enum ff_blocking_reason reason) {
  bool judged = reason == FF_blocking_reason_waiting_for_budget;
  return judged ? nobody_said : (struct uuid){{0}};
}

bool execution_blocked_by_caller(const struct execution *x) {
  return uuid_equal(x->blocked_on, nobody_said);
}

static void due_consider(enum due_kind *kind, int64_t *due_at, enum due_kind candidate,
                         int64_t at) {
  if (at >= *due_at) return;
  *kind = candidate;
  *due_at = at;
}

int64_t execution_auto_reclaim_at(const struct execution *x, const struct op_config *config) {
  int64_t delay_ms = x->policy_auto_reclaim_delay_ms >= 0 ? x->policy_auto_reclaim_delay_ms
                                                          : config->auto_reclaim_delay_ms;
  if (delay_ms == INT64_MAX) return INT64_MAX;
  int64_t lost_at = x->ownership_state == FF_ownership_state_lease_revoked ? x->lease_revoked_at
                                                                           : x->lease_expired_at;
  int64_t at = add_saturating(lost_at, delay_ms);
  return at < x->grant_expires_at ? x->grant_expires_at : at;
}

int64_t execution_purge_at(const struct execution *x, const struct op_config *config) {
  if (x->policy_retention_ms >= 0) return x->purge_at;
  return add_saturating(x->completed_at, config->retention_ms);
}

/* The first kind considered wins a tie: what ends the execution comes before what only moves it. */
enum due_kind execution_due(const struct execution *x, const struct op_config *config,
                            int64_t *due_at) {
  enum due_kind kind = DUE_NONE;
  *due_at = INT64_MAX;
  if (x->lifecycle_phase == FF_lifecycle_phase_terminal) {
    if (x->purge_at) due_consider(&kind, due_at, DUE_PURGE, execution_purge_at(x, config));
    return kind;
  }
  if (x->execution_deadline_at) due_consider(&kind, due_at, DUE_DEADLINE, x->execution_deadline_at);
  if (x->pending_waitpoints) due_consider(&kind, due_at, DUE_WAITPOINT, x->waitpoint_due_at);
  if (x->lifecycle_phase == FF_lifecycle_phase_active) {
    if (x->attempt_timeout_at)
      due_consider(&kind, due_at, DUE_ATTEMPT_TIMEOUT, x->attempt_timeout_at);
    if (x->ownership_state == FF_ownership_state_leased)
      due_consider(&kind, due_at, DUE_LEASE_EXPIRY, x->lease_expires_at);
    else
      due_consider(&kind, due_at, DUE_AUTO_RECLAIM, execution_auto_reclaim_at(x, config));
  } else if (x->lifecycle_phase == FF_lifecycle_phase_suspended) {
    if (x->suspension_timeout_at)
      due_consider(&kind, due_at, DUE_SUSPENSION, x->suspension_timeout_at);
  } else if (x->eligibility_state == FF_eligibility_state_not_eligible_until_time) {
    due_consider(&kind, due_at, DUE_PROMOTE, x->delay_until);
  } else if (execution_blocked_by_caller(x)) {
    due_consider(&kind, due_at, DUE_RECHECK,
                 add_saturating(x->last_transition_at, CALLERS_BLOCK_MS));
  }
  return kind;
}

/* ---- changing the vector ---- */

void execution_touch(struct tx *tx, struct execution *x) { x->last_mutation_at = tx_now(tx); }

void execution_move(struct tx *tx, struct execution *x, struct execution_vector to,
                    struct ff_str blocking_detail) {
  bool moved = x->lifecycle_phase != to.phase || x->ownership_state != to.ownership ||
               x->eligibility_state != to.eligibility || x->blocking_reason != to.blocking ||
               x->terminal_outcome != to.outcome || x->attempt_state != to.attempt;
  x->lifecycle_phase = (uint8_t)to.phase;
  x->ownership_state = (uint8_t)to.ownership;
  x->eligibility_state = (uint8_t)to.eligibility;
  x->blocking_reason = (uint8_t)to.blocking;
  x->terminal_outcome = (uint8_t)to.outcome;
  x->attempt_state = (uint8_t)to.attempt;
  x->blocked_on = (struct uuid){{0}}; /* execution_block says it again */
  x->blocking_detail = blocking_detail.len ? blocking_detail : (struct ff_str){NULL, 0};
  if (moved) x->last_transition_at = tx_now(tx);
  execution_touch(tx, x);
}

/* ---- loading ---- */

enum ff_rc execution_load(struct tx *tx, struct exec_id id, const struct execution **out,
                          struct ff_error *e) {
  struct execution key = {.partition = id.partition, .id = id.uuid};
  TRY(tx_get_execution(tx, &key, out));
  if (*out) return FF_OK;
  return error_set(e, FF_CODE_execution_not_found, "not found: execution");
}

void declare_execution(struct declare *d, struct exec_id id) {
  struct execution key = {.partition = id.partition, .id = id.uuid};
  declare_get(d, RECORD_KIND_execution, &key);
}

static_assert(offsetof(struct handle_body, execution) == 0, "a handle begins with its execution");

void declare_prepared_execution(struct declare *d, const void *args, const void *prep) {
  (void)args;
  declare_execution(d, *(const struct exec_id *)prep);
}

/* All kinds keyed by (partition, execution_id) begin alike: */
static_assert(offsetof(struct policy, partition) == offsetof(struct grant, partition) &&
                  offsetof(struct payload, partition) == offsetof(struct grant, partition) &&
                  offsetof(struct result, partition) == offsetof(struct grant, partition) &&
                  offsetof(struct policy, execution_id) == offsetof(struct grant, execution_id) &&
                  offsetof(struct payload, execution_id) == offsetof(struct grant, execution_id) &&
                  offsetof(struct result, execution_id) == offsetof(struct grant, execution_id),
              "one key shape");

void declare_by_execution(struct declare *d, enum record_kind kind, struct exec_id id) {
  INVARIANT(kind == RECORD_KIND_grant || kind == RECORD_KIND_policy ||
            kind == RECORD_KIND_payload || kind == RECORD_KIND_result);
  struct grant key = {.partition = id.partition, .execution_id = id.uuid};
  declare_get(d, kind, &key);
}
