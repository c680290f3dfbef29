/*
 * How a suspension ends without a signal: resume_execution by an operator, expire_suspension by time
 * (03 §8, §9.1).
 *
 * The due time always comes from the suspension itself; doing it twice or late is harmless.
 */
#include "flowfabric/signal.h"
#include "op/suspend.h"

static const struct ff_str absent;

/* ---- resume_execution ---- */

struct resume_prep {
  struct exec_id id; /* first: declare_prepared_execution */
  enum ff_resume_trigger trigger;
};

static void suspension_declare(struct declare *d, const void *args, const void *prep) {
  declare_prepared_execution(d, args, prep);
  declare_suspension(d, *(const struct exec_id *)prep);
}

static enum ff_rc resume_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_resume_execution_args *a = args;
  struct resume_prep *p = prep;
  (void)arena;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  p->trigger = FF_resume_trigger_operator; /* no signal has satisfied anything */
  if (!text_present(a->trigger_type) || text_equal_c(a->trigger_type, "signal") ||
      text_equal_c(a->trigger_type, "operator"))
    return FF_OK;
  p->trigger = FF_resume_trigger_auto_resume;
  if (text_equal_c(a->trigger_type, "auto_resume")) return FF_OK;
  return error_field(e, FF_CODE_invalid_input, "trigger_type",
                     "must be signal, operator or auto_resume");
}

static enum ff_rc resume_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct ff_resume_execution_args *a = args;
  const struct resume_prep *p = prep;
  struct ff_resume_execution_result *r = result;
  const struct execution *read = NULL;
  const struct suspension *s = NULL;
  struct suspension_end end = {TEXT_LIT("resumed"), p->trigger,
                               p->trigger == FF_resume_trigger_operator};
  TRY(execution_load(tx, p->id, &read, e));
  TRY(suspension_get(tx, p->id, &s));
  if (read->lifecycle_phase != FF_lifecycle_phase_suspended || !suspension_is_open(s))
    return error_set(e, FF_CODE_execution_not_suspended, NULL);
  struct execution *x = tx_edit_execution(tx, read);
  TRY(suspension_resume(tx, x, s, &end, a->resume_delay_ms, absent, e));
  r->outcome = FF_outcome_resumed;
  r->public_state = (uint8_t)execution_public_state(x);
  return FF_OK;
}

const struct op_code op_code_resume_execution = {sizeof(struct resume_prep), resume_prepare,
                                                 suspension_declare, resume_run};

/* ---- expire_suspension: terminal behaviours (T-6) ---- */

static enum ff_rc end_execution(struct tx *tx, struct execution *x, const struct suspension *s,
                                struct ff_str behavior, struct ff_error *e) {
  bool cancels = text_equal_c(behavior, "cancel"), expires = text_equal_c(behavior, "expire");
  enum ff_attempt_lifecycle attempt = cancels ? FF_attempt_lifecycle_ended_cancelled
                                              : FF_attempt_lifecycle_ended_failure;
  struct arena *arena = tx_arena(tx);
  struct suspension_end end = {.reason = arena_printf(arena, "timed_out_" TEXT_FMT,
                                                      TEXT_ARG(behavior))};
  TRY(suspension_close(tx, x, s, &end, e));
  struct ff_str reason = arena_printf(arena, "suspension_timeout:" TEXT_FMT, TEXT_ARG(behavior));
  if (attempt_is_open(x)) attempt_end(tx, x, attempt, reason, absent);
  x->attempt_suspended_at = 0;
  x->attempt_suspension_id = absent;
  x->attempt_close = FF_stream_close_suspension_timeout;
  x->failure_reason = reason;
  x->failure_category = absent;
  receipt_erase(x);
  return execution_terminate(tx, x,
                             cancels   ? FF_terminal_outcome_cancelled
                             : expires ? FF_terminal_outcome_expired
                                       : FF_terminal_outcome_failed,
                             attempt, NULL);
}

/* ---- expire_suspension: the others ---- */

/* T-8: tells a resumed worker that it was time. */
static enum ff_rc record_timeout(struct tx *tx, struct execution *x, const struct suspension *s,
                                 struct ff_error *e) {
  struct bindings bindings;
  TRY(bindings_decode(tx_arena(tx), s, &bindings, e));
  struct signal key = {.partition = x->partition,
                       .execution_id = x->id,
                       .waitpoint_id = bindings.items[0].waitpoint_id,
                       .signal_id = tx_mint_uuid(tx)};
  struct signal *sent = tx_insert_new_signal(tx, &key);
  sent->seq = ++x->signal_seq;
  sent->target_scope = TEXT_LIT("waitpoint");
  sent->signal_name = sent->signal_category = TEXT_LIT("timeout");
  sent->source_type = TEXT_LIT("system");
  sent->source_identity = TEXT_LIT("suspension_timeout");
  sent->created_at = sent->accepted_at = tx_now(tx);
  sent->payload_encoding = TEXT_LIT("json");
  sent->observed_effect = FF_signal_effect_timeout_auto_resume;
  return FF_OK;
}

/* T-7, T-8 */
static enum ff_rc auto_resume(struct tx *tx, struct execution *x, const struct suspension *s,
                              bool with_signal, struct ff_error *e) {
  struct suspension_end end = {TEXT_LIT("timed_out_auto_resume"),
                               with_signal ? FF_resume_trigger_timeout
                                           : FF_resume_trigger_auto_resume,
                               false};
  if (with_signal) TRY(record_timeout(tx, x, s, e));
  return suspension_resume(tx, x, s, &end, 0, absent, e);
}

/* T-9 */
static enum ff_rc escalate(struct tx *tx, struct execution *x, const struct suspension *read,
                           struct ff_error *e) {
  struct bindings bindings;
  struct execution_vector to = {FF_lifecycle_phase_suspended,
                                FF_ownership_state_unowned,
                                FF_eligibility_state_not_applicable,
                                FF_blocking_reason_paused_by_operator,
                                FF_terminal_outcome_none,
                                FF_attempt_state_attempt_interrupted};
  TRY(bindings_decode(tx_arena(tx), read, &bindings, e));
  for (size_t i = 0; i < bindings.count; i++) {
    const struct waitpoint *w = NULL;
    TRY(waitpoint_get(tx, x->partition, bindings.items[i].waitpoint_id, &w));
    if (w) tx_edit_waitpoint(tx, w)->expires_at = 0;
  }
  struct suspension *s = tx_edit_suspension(tx, read);
  execution_move(tx, x, to,
                 arena_printf(tx_arena(tx), "suspension escalated: timeout at %lld",
                              (long long)s->timeout_at));
  x->last_transition_at = tx_now(tx);
  x->suspension_timeout_at = 0;
  s->reason_code = TEXT_LIT("waiting_for_operator_review");
  s->timeout_at = 0;
  s->timeout_behavior = TEXT_LIT("");
  s->score = SUSPENSION_NO_TIMEOUT;
  return FF_OK;
}

static enum ff_rc expire_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_expire_suspension_args *a = args;
  (void)arena;
  return exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, prep, e);
}

/* T-1 … T-4: why there is nothing to do, absent when there is. */
static struct ff_str not_due(const struct tx *tx, const struct execution *x,
                             const struct suspension *s) {
  if (!x) return TEXT_LIT("not_found_cleaned");
  if (x->lifecycle_phase != FF_lifecycle_phase_suspended) return TEXT_LIT("not_suspended_cleaned");
  if (!suspension_is_open(s)) return TEXT_LIT("no_active_suspension_cleaned");
  if (!s->timeout_at || s->timeout_at > tx_now(tx)) return TEXT_LIT("not_yet_due");
  return absent;
}

/* What the execution says falls due is what its suspension says. */
static void correct_mirror(struct tx *tx, const struct execution *x, const struct suspension *s) {
  int64_t timeout_at = suspension_is_open(s) ? s->timeout_at : 0;
  if (x && x->suspension_timeout_at != timeout_at)
    tx_edit_execution(tx, x)->suspension_timeout_at = timeout_at;
}

static enum ff_rc expire_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct exec_id *id = prep;
  struct ff_expire_suspension_result *r = result;
  struct execution key = {.partition = id->partition, .id = id->uuid};
  const struct execution *read = NULL;
  const struct suspension *s = NULL;
  (void)args;
  TRY(tx_get_execution(tx, &key, &read));
  TRY(suspension_get(tx, *id, &s));
  r->outcome = FF_outcome_already_satisfied;
  r->reason = not_due(tx, read, s);
  if (text_present(r->reason)) {
    correct_mirror(tx, read, s);
    return FF_OK;
  }
  struct ff_str behavior = suspend_behavior_word(s->timeout_behavior);
  if (!text_present(behavior)) behavior = TEXT_LIT("fail");
  struct execution *x = tx_edit_execution(tx, read);
  r->outcome = FF_outcome_expired;
  r->behavior_applied = behavior;
  if (text_equal_c(behavior, "escalate")) return escalate(tx, x, s, e);
  if (text_equal_c(behavior, "auto_resume")) return auto_resume(tx, x, s, false, e);
  if (text_equal_c(behavior, "auto_resume_with_timeout_signal"))
    return auto_resume(tx, x, s, true, e);
  return end_execution(tx, x, s, behavior, e);
}

const struct op_code op_code_expire_suspension = {sizeof(struct exec_id), expire_prepare,
                                                  suspension_declare, expire_run};
