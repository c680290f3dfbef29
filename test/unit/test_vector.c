/*
 * The state vector: which combinations exist, what is derived from them, what falls due when (01
 * SV-1, SV-3, 02 L-8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "op/execution.h"

/* Visits every combination of the six dimensions. */
static unsigned visit(uint32_t attempts, void (*visitor)(const struct execution *, unsigned *),
                      unsigned counts[FF_public_state_COUNT]) {
  struct execution x;
  unsigned legal = 0;
  record_init(RECORD_KIND_execution, &x);
  x.total_attempt_count = attempts;
  uint32_t all = FF_lifecycle_phase_COUNT * FF_ownership_state_COUNT * FF_eligibility_state_COUNT *
                 FF_blocking_reason_COUNT * FF_terminal_outcome_COUNT * FF_attempt_state_COUNT;
  for (uint32_t i = 0; i < all; i++) {
    uint32_t n = i;
    x.lifecycle_phase = (uint8_t)(n % FF_lifecycle_phase_COUNT), n /= FF_lifecycle_phase_COUNT;
    x.ownership_state = (uint8_t)(n % FF_ownership_state_COUNT), n /= FF_ownership_state_COUNT;
    x.eligibility_state = (uint8_t)(n % FF_eligibility_state_COUNT);
    n /= FF_eligibility_state_COUNT;
    x.blocking_reason = (uint8_t)(n % FF_blocking_reason_COUNT), n /= FF_blocking_reason_COUNT;
    x.terminal_outcome = (uint8_t)(n % FF_terminal_outcome_COUNT), n /= FF_terminal_outcome_COUNT;
    x.attempt_state = (uint8_t)n;
    if (!execution_vector_legal(&x)) continue;
    legal++;
    visitor(&x, counts);
  }
  return legal;
}

static void count_state(const struct execution *x, unsigned *counts) {
  counts[execution_public_state(x)]++;
}

/* SV-3 counted by hand: ten waits of a runnable one with four attempt states, three active, seven
 * suspended, five ends. */
static void legal_vectors(void **state) {
  (void)state;
  for (uint32_t attempts = 0; attempts < 2; attempts++) {
    unsigned counts[FF_public_state_COUNT] = {0};
    assert_int_equal(visit(attempts, count_state, counts), 10 * 4 + 3 + 7 + 5);
    assert_int_equal(counts[FF_public_state_waiting], 4 * 4);
    assert_int_equal(counts[FF_public_state_delayed], 3 * 4);
    assert_int_equal(counts[FF_public_state_rate_limited], 2 * 4);
    assert_int_equal(counts[FF_public_state_waiting_children], 4);
    assert_int_equal(counts[FF_public_state_active], 3);
    assert_int_equal(counts[FF_public_state_suspended], 7);
    for (int ended = FF_public_state_completed; ended <= FF_public_state_skipped; ended++)
      assert_int_equal(counts[ended], 1);
  }
}

static void check_attempt(const struct execution *x, unsigned *counts) {
  (void)counts;
  bool has = execution_has_current_attempt(x);
  if (x->lifecycle_phase == FF_lifecycle_phase_active) assert_true(has);
  if (x->lifecycle_phase == FF_lifecycle_phase_terminal)
    assert_int_equal(has, x->total_attempt_count > 0);
  if (x->attempt_state == FF_attempt_state_pending_retry_attempt) assert_false(has);
}

static void current_attempt(void **state) {
  (void)state;
  (void)visit(0, check_attempt, NULL);
  (void)visit(1, check_attempt, NULL);
}

/* SV-1 is total: the combinations SV-3 forbids have an answer too. */
static void derivation_is_total(void **state) {
  (void)state;
  struct execution x;
  record_init(RECORD_KIND_execution, &x);
  assert_int_equal(execution_public_state(&x), FF_public_state_waiting);
  x.lifecycle_phase = FF_lifecycle_phase_runnable;
  assert_int_equal(execution_public_state(&x), FF_public_state_waiting);
  x.lifecycle_phase = FF_lifecycle_phase_terminal;
  assert_int_equal(execution_public_state(&x), FF_public_state_failed);
}

/* ---- due times ---- */

static const struct op_config config = {.auto_reclaim_delay_ms = 5000, .retention_ms = 1000};

static void assert_due(const struct execution *x, enum due_kind kind, int64_t at) {
  int64_t due_at;
  assert_int_equal(execution_due(x, &config, &due_at), kind);
  assert_int_equal(due_at, at);
}

static void due_while_waiting(void **state) {
  (void)state;
  struct execution x;
  record_init(RECORD_KIND_execution, &x);
  x.lifecycle_phase = FF_lifecycle_phase_runnable;
  x.eligibility_state = FF_eligibility_state_eligible_now;
  assert_due(&x, DUE_NONE, INT64_MAX);
  x.eligibility_state = FF_eligibility_state_not_eligible_until_time;
  x.delay_until = 700;
  assert_due(&x, DUE_PROMOTE, 700);
  x.execution_deadline_at = 700;
  assert_due(&x, DUE_DEADLINE, 700);
  x.execution_deadline_at = 701;
  assert_due(&x, DUE_PROMOTE, 700);
  /* a remembered delay does not run while dependencies block (04 FA-4) */
  x.eligibility_state = FF_eligibility_state_blocked_by_dependencies;
  assert_due(&x, DUE_DEADLINE, 701);
}

static void due_while_active(void **state) {
  (void)state;
  struct execution x;
  record_init(RECORD_KIND_execution, &x);
  x.lifecycle_phase = FF_lifecycle_phase_active;
  x.ownership_state = FF_ownership_state_leased;
  x.lease_expires_at = 1000;
  assert_due(&x, DUE_LEASE_EXPIRY, 1000);
  x.attempt_timeout_at = 1000;
  assert_due(&x, DUE_ATTEMPT_TIMEOUT, 1000);
  x.attempt_timeout_at = 0;
  x.ownership_state = FF_ownership_state_lease_expired_reclaimable;
  x.lease_expired_at = 1100;
  assert_due(&x, DUE_AUTO_RECLAIM, 6100);
  x.ownership_state = FF_ownership_state_lease_revoked;
  x.lease_revoked_at = 1200;
  assert_due(&x, DUE_AUTO_RECLAIM, 6200);
  x.grant_expires_at = 9000; /* a live grant defers it, one that died earlier does not */
  assert_due(&x, DUE_AUTO_RECLAIM, 9000);
  x.grant_expires_at = 2000;
  assert_due(&x, DUE_AUTO_RECLAIM, 6200);
  x.policy_auto_reclaim_delay_ms = 0;
  x.grant_expires_at = 0;
  assert_due(&x, DUE_AUTO_RECLAIM, 1200);
  x.policy_auto_reclaim_delay_ms = INT64_MAX;
  assert_due(&x, DUE_NONE, INT64_MAX);
  x.attempt_timeout_at = 1300; /* L-24: an abandoned attempt still ends */
  assert_due(&x, DUE_ATTEMPT_TIMEOUT, 1300);
}

static void due_at_the_end(void **state) {
  (void)state;
  struct execution x;
  record_init(RECORD_KIND_execution, &x);
  x.lifecycle_phase = FF_lifecycle_phase_terminal;
  x.execution_deadline_at = 5; /* kept for a replay, does not run */
  assert_due(&x, DUE_NONE, INT64_MAX);
  /* L-151: without an override the retention configured now counts, not the one of the end */
  x.completed_at = 40;
  x.purge_at = 90;
  assert_due(&x, DUE_PURGE, 1040);
  x.policy_retention_ms = 50;
  assert_due(&x, DUE_PURGE, 90);
}

/* ---- sealing ---- */

static void seal_sets_the_due_time(void **state) {
  (void)state;
  struct execution before, after;
  record_init(RECORD_KIND_execution, &before);
  before.lifecycle_phase = FF_lifecycle_phase_runnable;
  before.eligibility_state = FF_eligibility_state_not_eligible_until_time;
  before.blocking_reason = FF_blocking_reason_waiting_for_delay;
  before.attempt_state = FF_attempt_state_pending_first_attempt;
  before.delay_until = -5; /* before 1970: due, and still not absent */
  after = before;
  execution_seal(NULL, &after, &config);
  assert_int_equal(after.next_due_at, 1);
  before = after;
  after.eligibility_state = FF_eligibility_state_eligible_now;
  after.blocking_reason = FF_blocking_reason_waiting_for_worker;
  after.delay_until = 0;
  execution_seal(&before, &after, &config);
  assert_int_equal(after.next_due_at, 0);
}

static struct execution leased(void) {
  struct execution x;
  record_init(RECORD_KIND_execution, &x);
  x.lifecycle_phase = FF_lifecycle_phase_active;
  x.ownership_state = FF_ownership_state_leased;
  x.attempt_state = FF_attempt_state_running_attempt;
  x.current_lease_epoch = 3;
  x.total_attempt_count = 2;
  x.attempt_index = 1;
  x.lease_id.b[0] = x.attempt_id.b[0] = 1;
  x.lease_acquired_at = x.lease_last_renewed_at = 10;
  x.lease_expires_at = 20;
  return x;
}

static struct execution completed(void) {
  struct execution x = leased();
  x.lifecycle_phase = FF_lifecycle_phase_terminal;
  x.ownership_state = FF_ownership_state_unowned;
  x.terminal_outcome = FF_terminal_outcome_success;
  x.attempt_state = FF_attempt_state_attempt_terminal;
  x.lease_acquired_at = x.lease_last_renewed_at = x.lease_expires_at = 0;
  x.completed_at = 15;
  return x;
}

/* Each makes of the two records a step that no rule allows. */
static void epoch_falls(struct execution *b, struct execution *a) {
  *a = *b = leased();
  a->current_lease_epoch--;
}
static void lease_changes_hands(struct execution *b, struct execution *a) {
  *a = *b = leased();
  a->lease_id.b[0]++;
}
static void end_takes_a_retry(struct execution *b, struct execution *a) {
  *b = leased();
  *a = completed();
  a->retry_count++;
}
static void end_keeps_the_lease(struct execution *b, struct execution *a) {
  *b = leased();
  *a = completed();
  a->lease_expires_at = 20;
}
static void end_has_no_time(struct execution *b, struct execution *a) {
  *b = leased();
  *a = completed();
  a->completed_at = 0;
}
static void outcome_changes(struct execution *b, struct execution *a) {
  *a = *b = completed();
  a->terminal_outcome = FF_terminal_outcome_failed;
}
static void end_goes_on(struct execution *b, struct execution *a) {
  *b = completed();
  *a = leased();
  a->current_lease_epoch++;
  a->total_attempt_count++;
}
static void born_active(struct execution *b, struct execution *a) { *b = *a = leased(); }

static bool survives(void (*make)(struct execution *, struct execution *)) {
  struct execution before, after;
  make(&before, &after);
  pid_t child = fork();
  if (child == 0) {
    if (!freopen("/dev/null", "w", stderr)) _exit(2);
    execution_seal(make == born_active ? NULL : &before, &after, &config);
    _exit(0);
  }
  int status = 0;
  (void)waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void legal_end(struct execution *b, struct execution *a) {
  *b = leased();
  *a = completed();
}

/* 01 SV-5: no other transition exists, so none can be stored. */
static void illegal_steps_stop_the_process(void **state) {
  (void)state;
  assert_true(survives(legal_end));
  assert_false(survives(epoch_falls));
  assert_false(survives(lease_changes_hands));
  assert_false(survives(end_takes_a_retry));
  assert_false(survives(end_keeps_the_lease));
  assert_false(survives(end_has_no_time));
  assert_false(survives(outcome_changes));
  assert_false(survives(end_goes_on));
  assert_false(survives(born_active));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(legal_vectors),          cmocka_unit_test(current_attempt),
      cmocka_unit_test(derivation_is_total),    cmocka_unit_test(due_while_waiting),
      cmocka_unit_test(due_while_active),       cmocka_unit_test(due_at_the_end),
      cmocka_unit_test(seal_sets_the_due_time), cmocka_unit_test(illegal_steps_stop_the_process),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
