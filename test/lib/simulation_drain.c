/*
 * The end of a history: the weather clears, every call is answered, operators lift what they have
 * put, and from there hooks and claims alone must drive every execution to its end (L-196). Then
 * retention must leave nothing behind (L-181).
 */
#include "test/lib/simulation_impl.h"

#include "op/execution.h"

#include <stdio.h>

#define ROUNDS_MAX 400
#define IDLE_STEPS_MAX 5000

static bool run_idle(struct simulation *s) {
  for (uint32_t i = 0; i < s->rival_count; i++) {
    struct rival *r = &s->rivals[i];
    uint32_t steps = 0;
    while (rival_step(r) && !s->stopped)
      if (++steps > IDLE_STEPS_MAX) return sim_fail(s, "engine %u never comes to rest", i);
  }
  return !s->stopped;
}

static bool all_idle(struct simulation *s) {
  /* what one engine does may wake another */
  return run_idle(s) && run_idle(s);
}

static bool call(struct simulation *s, struct rival *r, enum op_id op, const void *args,
                 void *result) {
  struct ff_error error;
  if (engine_call(r->engine, op, args, result, &error) == FF_OK) return sim_follow(s);
  return sim_fail(s, "%s: %s: %s", op_infos[op].name, ff_code_name(error.code), error.detail);
}

/* Clients stop; every call that an engine still has is answered within its own time. */
static bool answer_all(struct simulation *s) {
  for (int i = 0; i < CLIENTS; i++) {
    struct client *c = &s->clients[i];
    if (c->copy) c->copy->client = NULL;
    if (c->call) history_call_release(c->call);
    *c = (struct client){0};
  }
  if (!all_idle(s)) return false;
  s->now += 5000;
  if (!all_idle(s)) return false;
  if (s->copies) return sim_fail(s, "%u calls were never answered", s->copies);
  return true;
}

/* The same for the end of a lease: what was done before may have cancelled or skipped who holds it. */
static bool call_end(struct simulation *s, struct rival *r, enum op_id op, const void *args,
                     void *result) {
  struct ff_error error;
  memset(result, 0, op_infos[op].result_size);
  if (engine_call(r->engine, op, args, result, &error) == FF_OK ||
      error.code == FF_CODE_execution_not_active)
    return sim_follow(s);
  return sim_fail(s, "%s: %s: %s", op_infos[op].name, ff_code_name(error.code), error.detail);
}

static bool open_lanes(struct simulation *s) {
  for (uint32_t i = 0; i < HISTORY_LANES; i++) {
    struct ff_register_lane_args lane = {.size = sizeof lane, .lane_id = ff_text(history_lane(i))};
    struct ff_register_lane_result registered;
    struct ff_set_lane_state_args state = {
        .size = sizeof state, .lane_id = ff_text(history_lane(i)), .state = TEXT_LIT("active")};
    struct ff_set_lane_state_result set;
    if (!call(s, rival_any(s), OP_register_lane, &lane, &registered)) return false;
    values_free(registered.memory);
    if (!call(s, rival_any(s), OP_set_lane_state, &state, &set)) return false;
    values_free(set.memory);
  }
  return true;
}

/* What an operator has blocked, an operator lifts. */
static bool lift(struct simulation *s, const struct execution *x) {
  struct ff_id id;
  exec_id_format(execution_id_of(x), &id);
  if (x->blocking_reason == FF_blocking_reason_paused_by_operator ||
      x->blocking_reason == FF_blocking_reason_paused_by_policy) {
    struct ff_release_hold_args args = {.size = sizeof args, .execution_id = ff_text(id.text)};
    struct ff_release_hold_result result;
    if (!call(s, rival_any(s), OP_release_hold, &args, &result)) return false;
    values_free(result.memory);
    return true;
  }
  struct ff_unblock_execution_args args = {
      .size = sizeof args,
      .execution_id = ff_text(id.text),
      .expected_blocking_reason = ff_text(ff_word(FF_WORD_blocking_reason, x->blocking_reason))};
  struct ff_unblock_execution_result result;
  if (!call(s, rival_any(s), OP_unblock_execution, &args, &result)) return false;
  values_free(result.memory);
  return true;
}

/* One signal that the condition wants, from somebody else each time; *sent: it was accepted. */
static bool send_wanted(struct simulation *s, struct ff_str id, const struct oracle_wanted *wanted,
                        uint32_t round, bool *sent) {
  struct uuid signal_id = {{[0] = 0x51, [6] = 0x70, [8] = 0x80}};
  char waitpoint[37], signal[37], who[16];
  struct ff_error error;
  for (int i = 9; i < 16; i++) signal_id.b[i] = (uint8_t)sim_dice(s, 256);
  uuid_format(wanted->waitpoint_id, waitpoint);
  uuid_format(signal_id, signal);
  snprintf(who, sizeof who, "helper-%u", round);
  struct ff_deliver_signal_args args = {.size = sizeof args,
                                        .execution_id = id,
                                        .waitpoint_id = ff_text(waitpoint),
                                        .signal_id = ff_text(signal),
                                        .signal_name = ff_text(wanted->name),
                                        .correlation_id = ff_text(wanted->correlation_id),
                                        .source_identity = ff_text(who)};
  struct ff_read_waitpoint_token_args ask = {
      .size = sizeof ask,
      .partition = text_of(id.ptr, (size_t)(strchr(id.ptr, '}') + 1 - id.ptr)),
      .waitpoint_id = args.waitpoint_id};
  struct ff_read_waitpoint_token_result token;
  struct ff_deliver_signal_result delivered;
  struct rival *r = rival_any(s);
  *sent = false;
  if (!call(s, r, OP_read_waitpoint_token, &ask, &token)) return false;
  args.waitpoint_token = token.token;
  enum ff_rc rc = engine_call(r->engine, OP_deliver_signal, &args, &delivered, &error);
  values_free(token.memory);
  if (rc == FF_OK) values_free(delivered.memory);
  if (rc != FF_OK && error.code != FF_CODE_signal_limit_exceeded)
    return sim_fail(s, "a wanted signal: %s: %s", ff_code_name(error.code), error.detail);
  *sent = rc == FF_OK;
  return sim_follow(s);
}

/* Sends what the condition wants until it resumes; *resumed false: no signal can. */
static bool satisfy(struct simulation *s, struct exec_id execution, bool *resumed) {
  struct oracle_wanted wanted;
  struct ff_id id;
  bool sent = true;
  exec_id_format(execution, &id);
  *resumed = false;
  for (uint32_t round = 0; oracle_wants(s->oracle, execution, &wanted); round++) {
    if (round == 20) return sim_fail(s, "20 signals that %s waits for do not resume it", id.text);
    if (!send_wanted(s, ff_text(id.text), &wanted, round, &sent)) return false;
    if (!sent) return true;
  }
  for (uint32_t n = 0;; n++) {
    const struct execution *x = oracle_alive(s->oracle, n);
    if (!x) return true;
    if (exec_id_equal(execution_id_of(x), execution))
      *resumed = x->lifecycle_phase != FF_lifecycle_phase_suspended;
  }
}

/* What waits for the outside world: the signals come, or time, or an operator. */
static bool resume(struct simulation *s, const struct execution *x) {
  struct ff_id id;
  bool resumed = false;
  struct exec_id execution = execution_id_of(x);
  if (x->suspension_timeout_at && sim_dice(s, 2)) return true; /* time will */
  if (sim_dice(s, 3) && !satisfy(s, execution, &resumed)) return false;
  if (resumed) return true;
  exec_id_format(execution, &id);
  struct ff_resume_execution_args args = {.size = sizeof args, .execution_id = ff_text(id.text)};
  struct ff_resume_execution_result result;
  if (!call(s, rival_any(s), OP_resume_execution, &args, &result)) return false;
  values_free(result.memory);
  return true;
}

static bool lift_all(struct simulation *s) {
  for (uint32_t n = 0;; n++) {
    const struct execution *x = oracle_alive(s->oracle, n);
    if (!x) return true;
    if (x->eligibility_state >= FF_eligibility_state_blocked_by_budget && !lift(s, x)) return false;
    if (x->lifecycle_phase == FF_lifecycle_phase_suspended && !resume(s, x)) return false;
  }
}

/* One worker that can do everything claims and completes; early on it sometimes fails, or dies with
 * what it holds. */
static bool work(struct simulation *s, uint32_t round, size_t *claimed) {
  struct ff_str lanes[HISTORY_LANES];
  for (uint32_t i = 0; i < HISTORY_LANES; i++) lanes[i] = ff_text(history_lane(i));
  struct ff_claim_tasks_args args = {.size = sizeof args,
                                     .lane_ids = {lanes, HISTORY_LANES},
                                     .capabilities = history_all_capabilities(),
                                     .worker_id = TEXT_LIT("last"),
                                     .worker_instance_id = TEXT_LIT("last-1"),
                                     .lease_ttl_ms = 60000,
                                     .max = 50};
  struct ff_claim_tasks_result found;
  struct rival *r = rival_any(s);
  if (!call(s, r, OP_claim_tasks, &args, &found)) return false;
  *claimed = found.tasks.count;
  bool ok = true;
  for (size_t i = 0; i < found.tasks.count && ok; i++) {
    uint32_t n = round < 30 ? sim_dice(s, 10) : 9;
    if (n == 0) continue;
    if (n == 1) {
      struct ff_fail_args fail = {.size = sizeof fail, .handle = found.tasks.items[i].handle};
      struct ff_fail_result failed;
      ok = call_end(s, r, OP_fail, &fail, &failed);
      if (ok) values_free(failed.memory);
      continue;
    }
    struct ff_complete_args complete = {.size = sizeof complete,
                                        .handle = found.tasks.items[i].handle};
    struct ff_complete_result completed;
    ok = call_end(s, r, OP_complete, &complete, &completed);
    if (ok) values_free(completed.memory);
  }
  values_free(found.memory);
  return ok;
}

/* Who waits for edges that clients have staged and never applied, an operator ends. True when there was
 * anybody. */
static bool release_stuck(struct simulation *s) {
  const struct execution *x = NULL;
  for (uint32_t n = 0; (x = oracle_alive(s->oracle, n)) != NULL; n++) {
    if (x->eligibility_state != FF_eligibility_state_blocked_by_dependencies ||
        !oracle_is_stuck(s->oracle, x))
      continue;
    struct ff_id id;
    exec_id_format(execution_id_of(x), &id);
    struct ff_cancel_execution_args args = {.size = sizeof args,
                                            .execution_id = ff_text(id.text)};
    struct ff_cancel_execution_result result;
    if (!call(s, rival_any(s), OP_cancel_execution, &args, &result)) return false;
    values_free(result.memory);
    return true;
  }
  return false;
}

static bool end_all(struct simulation *s) {
  for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
    size_t claimed = 0;
    if (!all_idle(s) || !work(s, round, &claimed)) return false;
    struct oracle_left left = oracle_left(s->oracle);
    if (!left.alive) return true;
    if (claimed || release_stuck(s)) continue;
    if (!lift_all(s)) return false; /* a release brings back the hold there was before (04 FR-9) */
    /* a grant may hide work for a while; else nothing happens before something falls due */
    int64_t later = s->now + 20000;
    s->now = left.next_due_at > s->now && left.next_due_at < later ? left.next_due_at : later;
  }
  const struct execution *x = oracle_alive(s->oracle, 0);
  struct ff_id id = {""};
  if (x) exec_id_format(execution_id_of(x), &id);
  return sim_fail(s, "%u executions never end, the first is %s: %s, %s",
                  oracle_left(s->oracle).alive, id.text,
                  x ? ff_word(FF_WORD_lifecycle_phase, x->lifecycle_phase) : "",
                  x ? ff_word(FF_WORD_eligibility_state, x->eligibility_state) : "");
}

/* ---- who waits is woken, by no clock ---- */

struct waiting {
  bool answered, expected;
  uint8_t outcome;
};

static void waited(void *user, enum ff_rc rc, void *result, const struct ff_error *error) {
  struct waiting *w = user;
  const struct ff_claim_task_result *found =
      result; /* wait_execution's outcome stands at the same place */
  (void)error;
  w->answered = true;
  w->outcome = rc == FF_OK ? found->outcome : 0;
}
static_assert(offsetof(struct ff_claim_task_result, outcome) ==
                  offsetof(struct ff_wait_execution_result, outcome),
              "one place");

static bool must_wake(struct simulation *s, const struct waiting *w, uint8_t outcome,
                      const char *what) {
  if (!all_idle(s)) return false;
  if (!w->answered) return sim_fail(s, "%s did not wake who waits for it", what);
  if (w->outcome != outcome)
    return sim_fail(s, "%s answered %s", what, ff_word(FF_WORD_outcome, w->outcome));
  return true;
}

/* A claim waits in one engine, its work is created in another or the same; then somebody waits for
 * its end. */
static bool wake_all(struct simulation *s) {
  struct waiting claims = {0}, ends = {0};
  struct ff_str lane = ff_text(history_lane(0));
  struct rival *r = rival_any(s), *other = rival_any(s);
  struct ff_error error;
  struct ff_claim_task_args claim = {.size = sizeof claim,
                                     .lane_ids = {&lane, 1},
                                     .worker_id = TEXT_LIT("waits"),
                                     .worker_instance_id = TEXT_LIT("waits"),
                                     .lease_ttl_ms = 60000,
                                     .max_wait_ms = 20000};
  struct ff_submit_args submit = {.size = sizeof submit, .lane_id = lane};
  struct ff_submit_result made;
  if (engine_call_async(r->engine, OP_claim_task, &claim, waited, &claims, &error) != FF_OK ||
      !all_idle(s))
    return sim_fail(s, "a claim that waits: %s", error.detail);
  if (claims.answered) return sim_fail(s, "a claim with nothing to claim did not wait");
  if (!call(s, other, OP_submit, &submit, &made)) return false;
  struct ff_id id = made.execution_id;
  values_free(made.memory);
  if (!must_wake(s, &claims, FF_outcome_claimed, "new work")) return false;
  struct ff_wait_execution_args wait = {
      .size = sizeof wait, .execution_id = ff_text(id.text), .timeout_ms = 20000};
  struct ff_cancel_execution_args cancel = {.size = sizeof cancel,
                                            .execution_id = ff_text(id.text)};
  struct ff_cancel_execution_result cancelled;
  if (engine_call_async(r->engine, OP_wait_execution, &wait, waited, &ends, &error) != FF_OK ||
      !all_idle(s))
    return sim_fail(s, "a wait: %s", error.detail);
  if (ends.answered) return sim_fail(s, "a wait for an end that has not come was answered");
  if (!call(s, r, OP_cancel_execution, &cancel, &cancelled)) return false;
  values_free(cancelled.memory);
  return must_wake(s, &ends, FF_outcome_ok, "the end");
}

/* Everything is over: after the longest retention nothing may be left. */
static bool purge_all(struct simulation *s) {
  s->now += INT64_C(3) * 86400000;
  if (!all_idle(s)) return false;
  struct ff_run_scanner_args args = {.size = sizeof args};
  struct ff_run_scanner_result ran;
  struct ff_query_executions_args query = {.size = sizeof query};
  struct ff_query_executions_result left;
  if (!call(s, rival_any(s), OP_run_scanner, &args, &ran)) return false;
  values_free(ran.memory);
  if (!oracle_check_all(s->oracle)) return sim_fail(s, NULL);
  if (!call(s, rival_any(s), OP_query_executions, &query, &left)) return false;
  size_t count = left.executions.count;
  values_free(left.memory);
  return count ? sim_fail(s, "%zu executions outlive their retention", count) : true;
}

bool sim_drain(struct simulation *s) {
  s->draining = true;
  s->weather = (struct weather){0, 0, 0, 0};
  sim_trace(s, "the weather clears");
  for (uint32_t i = 0; i < s->rival_count; i++) {
    if (s->rivals[i].engine && i == 0) rival_crash(&s->rivals[i]);
    while (!s->rivals[i].engine) rival_open(&s->rivals[i]);
  }
  if (!answer_all(s) || !open_lanes(s) || !lift_all(s)) return false;
  if (!end_all(s) || !wake_all(s)) return false;
  if (!oracle_check_all(s->oracle)) return sim_fail(s, NULL);
  return purge_all(s);
}
