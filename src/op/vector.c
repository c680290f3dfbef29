/*
 * Which state vectors exist and which steps between them are legal: 01 SV-3 and SV-10 … SV-36 as
 * data, checked when an operation's edits are taken over.
 *
 * Decides nothing for an operation; it stops the process when one stores what no rule allows.
 */
#include "op/execution.h"

#define WORKER_MAX_BYTES 256 /* 01 LM-5: what a handle has room for */

/* ---- legality: 01 SV-3 ---- */

#define PHASE(word) (1u << FF_lifecycle_phase_##word)
#define OWNER(word) (1u << FF_ownership_state_##word)
#define ELIGIBLE(word) (1u << FF_eligibility_state_##word)
#define BLOCKED(word) (1u << FF_blocking_reason_##word)
#define OUTCOME(word) (1u << FF_terminal_outcome_##word)
#define ATTEMPT(word) (1u << FF_attempt_state_##word)

#define ATTEMPT_PENDING                                              \
  (ATTEMPT(pending_first_attempt) | ATTEMPT(pending_retry_attempt) | \
   ATTEMPT(pending_replay_attempt))
#define ATTEMPT_WAITING (ATTEMPT_PENDING | ATTEMPT(attempt_interrupted))
#define BLOCKED_SUSPENDED /* EN-2 */                                                             \
  (BLOCKED(waiting_for_signal) | BLOCKED(waiting_for_approval) | BLOCKED(waiting_for_callback) | \
   BLOCKED(waiting_for_tool_result) | BLOCKED(paused_by_policy) | BLOCKED(paused_by_operator) |  \
   BLOCKED(waiting_for_budget))
#define OUTCOME_ENDED \
  (OUTCOME(success) | OUTCOME(failed) | OUTCOME(cancelled) | OUTCOME(expired) | OUTCOME(skipped))

/* One set of words per dimension; a vector is in it when each of its words is in its set. */
struct vector_set {
  uint8_t phase, ownership;
  uint16_t eligibility;
  uint32_t blocking;
  uint8_t outcome, attempt;
};

#define RUNNABLE(eligibility_, blocking_)                                                \
  {                                                                                      \
    PHASE(runnable), OWNER(unowned), ELIGIBLE(eligibility_), (blocking_), OUTCOME(none), \
        ATTEMPT_WAITING                                                                  \
  }

static const struct vector_set legal_vectors[] = {
    {PHASE(active), OWNER(leased), ELIGIBLE(not_applicable), BLOCKED(none), OUTCOME(none),
     ATTEMPT(running_attempt)},
    {PHASE(terminal), OWNER(unowned), ELIGIBLE(not_applicable), BLOCKED(none), OUTCOME_ENDED,
     ATTEMPT(attempt_terminal) | ATTEMPT(none)},
    RUNNABLE(eligible_now, BLOCKED(waiting_for_worker)),
    RUNNABLE(not_eligible_until_time, BLOCKED(waiting_for_delay) |
                                          BLOCKED(waiting_for_retry_backoff) |
                                          BLOCKED(waiting_for_resume_delay)),
    {PHASE(active), OWNER(lease_expired_reclaimable) | OWNER(lease_revoked),
     ELIGIBLE(not_applicable), BLOCKED(waiting_for_worker), OUTCOME(none),
     ATTEMPT(attempt_interrupted)},
    RUNNABLE(blocked_by_dependencies, BLOCKED(waiting_for_children)),
    RUNNABLE(blocked_by_budget, BLOCKED(waiting_for_budget)),
    RUNNABLE(blocked_by_quota, BLOCKED(waiting_for_quota)),
    RUNNABLE(blocked_by_route, BLOCKED(waiting_for_capable_worker)),
    RUNNABLE(blocked_by_lane_state, BLOCKED(paused_by_policy)),
    RUNNABLE(blocked_by_operator, BLOCKED(paused_by_operator)),
    {PHASE(suspended), OWNER(unowned), ELIGIBLE(not_applicable), BLOCKED_SUSPENDED, OUTCOME(none),
     ATTEMPT(attempt_interrupted)},
};

static bool in_set(const struct vector_set *set, const struct execution *x) {
  return (set->phase >> x->lifecycle_phase & 1) && (set->ownership >> x->ownership_state & 1) &&
         (set->eligibility >> x->eligibility_state & 1) &&
         (set->blocking >> x->blocking_reason & 1) && (set->outcome >> x->terminal_outcome & 1) &&
         (set->attempt >> x->attempt_state & 1);
}

bool execution_vector_legal(const struct execution *x) {
  for (size_t i = 0; i < ARRAY_LEN(legal_vectors); i++) {
    if (!in_set(&legal_vectors[i], x)) continue;
    if (x->lifecycle_phase != FF_lifecycle_phase_terminal) return true;
    return x->attempt_state ==
           (x->total_attempt_count ? FF_attempt_state_attempt_terminal : FF_attempt_state_none);
  }
  return false;
}

/* ---- steps: 01 SV-10 … SV-36 ---- */

/* The phases, owners, eligibilities and attempt words of a side of a step; SV-3 fixes the rest. */
struct side {
  uint8_t phase, ownership;
  uint16_t eligibility;
  uint8_t attempt;
};
#define ANY_OWNER 0xff
#define ANY_ELIGIBLE 0xffff
#define ANY_ATTEMPT 0xff

#define LEASED \
  { PHASE(active), OWNER(leased), ELIGIBLE(not_applicable), ATTEMPT(running_attempt) }
#define LOST                                                                \
  {                                                                         \
    PHASE(active), OWNER(lease_expired_reclaimable) | OWNER(lease_revoked), \
        ELIGIBLE(not_applicable), ATTEMPT(attempt_interrupted)              \
  }
#define ACTIVE \
  { PHASE(active), ANY_OWNER, ELIGIBLE(not_applicable), ANY_ATTEMPT }
#define SUSPENDED \
  { PHASE(suspended), ANY_OWNER, ANY_ELIGIBLE, ATTEMPT(attempt_interrupted) }
#define ENDED \
  { PHASE(terminal), ANY_OWNER, ANY_ELIGIBLE, ANY_ATTEMPT }
#define ALIVE \
  { PHASE(runnable) | PHASE(active) | PHASE(suspended), ANY_OWNER, ANY_ELIGIBLE, ANY_ATTEMPT }
#define WAITING(eligibility_, attempt_) \
  { PHASE(runnable), OWNER(unowned), (eligibility_), (attempt_) }
#define ADMISSION_BLOCKS                                                                   \
  (ELIGIBLE(blocked_by_budget) | ELIGIBLE(blocked_by_quota) | ELIGIBLE(blocked_by_route) | \
   ELIGIBLE(blocked_by_lane_state) | ELIGIBLE(blocked_by_operator))

enum step_flag {
  STEP_KEEP_ATTEMPT = 1, /* attempt_state stays as it was */
  STEP_NEW_LEASE = 2,    /* epoch + 1; without it the epoch stays */
  STEP_NEW_ATTEMPT = 4,  /* total_attempt_count + 1; without it the count stays */
  STEP_RETRY = 8,        /* retry_count + 1 */
  STEP_RECLAIM = 16,     /* lease_reclaim_count + 1 */
  STEP_REPLAY = 32,      /* replay_count + 1, the other two reset */
};

struct step {
  const char *rule;
  struct side from, to;
  uint32_t blocking; /* the reasons the step may leave behind, 0 = whatever SV-3 says */
  uint8_t outcomes;  /* of a step that ends the execution */
  uint8_t flags;
};

static const struct step steps[] = {
    {"SV-15, SV-17", LEASED, ENDED, 0, OUTCOME(success) | OUTCOME(failed), 0},
    {"SV-12", WAITING(ELIGIBLE(eligible_now), ATTEMPT_PENDING), LEASED, 0, 0,
     STEP_NEW_LEASE | STEP_NEW_ATTEMPT},
    {"SV-13", WAITING(ELIGIBLE(eligible_now), ATTEMPT(attempt_interrupted)), LEASED, 0, 0,
     STEP_NEW_LEASE},
    {"SV-16, SV-29a", ACTIVE,
     WAITING(ELIGIBLE(not_eligible_until_time), ATTEMPT(pending_retry_attempt)),
     BLOCKED(waiting_for_retry_backoff), 0, STEP_RETRY},
    {"SV-18", LEASED, WAITING(ELIGIBLE(not_eligible_until_time), ATTEMPT(attempt_interrupted)),
     BLOCKED(waiting_for_delay), 0, 0},
    {"SV-19, also with SV-32", LEASED,
     WAITING(ELIGIBLE(blocked_by_dependencies) | ELIGIBLE(eligible_now),
             ATTEMPT(attempt_interrupted)),
     0, 0, 0},
    {"SV-20", LEASED, SUSPENDED, 0, 0, 0},
    {"SV-21", SUSPENDED,
     WAITING(ELIGIBLE(eligible_now) | ELIGIBLE(not_eligible_until_time),
             ATTEMPT(attempt_interrupted)),
     BLOCKED(waiting_for_worker) | BLOCKED(waiting_for_resume_delay), 0, 0},
    {"SV-22", SUSPENDED, ENDED, 0, OUTCOME(failed) | OUTCOME(cancelled) | OUTCOME(expired), 0},
    {"SV-23", SUSPENDED, SUSPENDED, BLOCKED(paused_by_operator), 0, 0},
    {"SV-24, SV-25", LEASED, LOST, 0, 0, 0},
    {"SV-26", LOST, LEASED, 0, 0, STEP_NEW_LEASE | STEP_NEW_ATTEMPT | STEP_RECLAIM},
    {"SV-27", LOST, ENDED, 0, OUTCOME(failed), 0},
    {"SV-27a, also with SV-24", ACTIVE,
     WAITING(ELIGIBLE(eligible_now), ATTEMPT(pending_retry_attempt)), 0, 0, STEP_RECLAIM},
    {"SV-28, SV-29, SV-33", ALIVE, ENDED, 0,
     OUTCOME(cancelled) | OUTCOME(expired) | OUTCOME(skipped), 0},
    {"SV-30", WAITING(ELIGIBLE(not_eligible_until_time), ATTEMPT_WAITING),
     WAITING(ELIGIBLE(eligible_now), ATTEMPT_WAITING), 0, 0, STEP_KEEP_ATTEMPT},
    {"SV-31", WAITING(ANY_ELIGIBLE, ATTEMPT_WAITING),
     WAITING(ELIGIBLE(blocked_by_dependencies), ATTEMPT_WAITING), 0, 0, STEP_KEEP_ATTEMPT},
    /* a remembered delay or hold comes back with the release (04 FR-9) */
    {"SV-32", WAITING(ELIGIBLE(blocked_by_dependencies), ATTEMPT_WAITING),
     WAITING(ELIGIBLE(eligible_now) | ELIGIBLE(not_eligible_until_time) |
                 ELIGIBLE(blocked_by_operator) | ELIGIBLE(blocked_by_lane_state),
             ATTEMPT_WAITING),
     0, 0, STEP_KEEP_ATTEMPT},
    {"SV-34", WAITING(ELIGIBLE(eligible_now), ATTEMPT_WAITING),
     WAITING(ADMISSION_BLOCKS, ATTEMPT_WAITING), 0, 0, STEP_KEEP_ATTEMPT},
    {"SV-35", WAITING(ADMISSION_BLOCKS, ATTEMPT_WAITING),
     WAITING(ELIGIBLE(eligible_now), ATTEMPT_WAITING), 0, 0, STEP_KEEP_ATTEMPT},
    {"SV-36", ENDED,
     WAITING(ELIGIBLE(eligible_now) | ELIGIBLE(blocked_by_dependencies),
             ATTEMPT(pending_replay_attempt)),
     0, 0, STEP_REPLAY},
};

static bool on_side(const struct side *side, const struct execution *x) {
  return (side->phase >> x->lifecycle_phase & 1) && (side->ownership >> x->ownership_state & 1) &&
         (side->eligibility >> x->eligibility_state & 1) && (side->attempt >> x->attempt_state & 1);
}

/* The counters say which step was taken as much as the vector does. */
static bool counters_fit(const struct step *s, const struct execution *before,
                         const struct execution *after) {
  bool replay = s->flags & STEP_REPLAY;
  return after->current_lease_epoch ==
             before->current_lease_epoch + (s->flags & STEP_NEW_LEASE ? 1 : 0) &&
         after->total_attempt_count ==
             before->total_attempt_count + (s->flags & STEP_NEW_ATTEMPT ? 1 : 0) &&
         after->retry_count ==
             (replay ? 0 : before->retry_count + (s->flags & STEP_RETRY ? 1 : 0)) &&
         after->lease_reclaim_count ==
             (replay ? 0 : before->lease_reclaim_count + (s->flags & STEP_RECLAIM ? 1 : 0)) &&
         after->replay_count == before->replay_count + (replay ? 1 : 0);
}

static bool step_fits(const struct step *s, const struct execution *before,
                      const struct execution *after) {
  if (!on_side(&s->from, before) || !on_side(&s->to, after)) return false;
  if (s->blocking && !(s->blocking >> after->blocking_reason & 1)) return false;
  if (s->outcomes && !(s->outcomes >> after->terminal_outcome & 1)) return false;
  if ((s->flags & STEP_KEEP_ATTEMPT) && before->attempt_state != after->attempt_state) return false;
  return counters_fit(s, before, after);
}

static bool same_vector(const struct execution *a, const struct execution *b) {
  return a->lifecycle_phase == b->lifecycle_phase && a->ownership_state == b->ownership_state &&
         a->eligibility_state == b->eligibility_state && a->blocking_reason == b->blocking_reason &&
         a->terminal_outcome == b->terminal_outcome && a->attempt_state == b->attempt_state;
}

/* SV-14 and everything that leaves the vector alone: holder and counters stay what they are. */
static bool stays(const struct execution *before, const struct execution *after) {
  static const struct step none = {"SV-14", ALIVE, ALIVE, 0, 0, 0};
  return counters_fit(&none, before, after) && uuid_equal(before->lease_id, after->lease_id) &&
         uuid_equal(before->attempt_id, after->attempt_id) &&
         before->attempt_index == after->attempt_index;
}

static bool step_legal(const struct execution *before, const struct execution *after) {
  if (!before) /* SV-10, SV-11 */
    return after->attempt_state == FF_attempt_state_pending_first_attempt &&
           (after->eligibility_state == FF_eligibility_state_eligible_now ||
            after->blocking_reason == FF_blocking_reason_waiting_for_delay ||
            (!uuid_is_nil(after->flow_id) && /* created with its flow: SV-10 and SV-31 in one */
             after->blocking_reason == FF_blocking_reason_waiting_for_children)) &&
           after->current_lease_epoch == 0 && after->total_attempt_count == 0;
  if (same_vector(before, after)) return stays(before, after);
  for (size_t i = 0; i < ARRAY_LEN(steps); i++)
    if (step_fits(&steps[i], before, after)) return true;
  return false;
}

/* 01 SV-4, 02 L-192: the first field that does not go with the vector, NULL when all do. */
static const char *misfit(const struct execution *x) {
  bool active = x->lifecycle_phase == FF_lifecycle_phase_active;
  bool ended = x->lifecycle_phase == FF_lifecycle_phase_terminal;
  bool delayed = x->eligibility_state == FF_eligibility_state_not_eligible_until_time;
  bool waits = x->eligibility_state == FF_eligibility_state_blocked_by_budget;
  if (!waits && !uuid_is_nil(x->blocked_on)) return "blocked_on";
  if (active && uuid_is_nil(x->lease_id)) return "lease_id";
  if (active != (x->lease_expires_at != 0)) return "lease_expires_at";
  if (active != (x->lease_acquired_at != 0)) return "lease_acquired_at";
  if (!active && x->lease_last_renewed_at) return "lease_last_renewed_at";
  if (!active && x->attempt_timeout_at) return "attempt_timeout_at";
  if (ended != (x->completed_at != 0)) return "completed_at";
  if ((ended && x->delay_until) || (delayed && !x->delay_until)) return "delay_until";
  return NULL;
}

static const char *broken_field(const struct execution *x) {
  if (!execution_vector_legal(x)) return "lifecycle_phase";
  if (lane_check(x->lane_id, "lane_id", NULL) != FF_OK) return "lane_id";
  if (x->worker_instance_id.len > WORKER_MAX_BYTES) return "worker_instance_id";
  return misfit(x);
}

enum ff_rc execution_check_stored(const struct execution *x, struct ff_error *e) {
  const char *field = broken_field(x);
  if (!field) return FF_OK;
  bool vector = strcmp(field, "lifecycle_phase") == 0;
  enum ff_rc rc =
      error_field(e, FF_CODE_corruption, field, "execution: %s: %s", field,
                  vector ? "no state vector of 01 SV-3" : "does not go with the rest of it");
  struct ff_id id;
  exec_id_format(execution_id_of(x), &id);
  error_context(e, "execution_id", "%s", id.text);
  return rc;
}

void execution_seal(const struct execution *before, struct execution *after,
                    const struct op_config *config) {
  INVARIANT(execution_vector_legal(after));
  INVARIANT(step_legal(before, after));
  INVARIANT(misfit(after) == NULL);
  int64_t due_at;
  enum due_kind kind = execution_due(after, config, &due_at);
  /* 0 means absent in the record, and a time before 1970 is as due as 1 */
  after->next_due_at = kind == DUE_NONE ? 0 : due_at < 1 ? 1 : due_at;
}
