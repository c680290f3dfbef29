/*
 * Blocking and unblocking eligible work: block_execution_for_admission, block_route,
 * unblock_execution, place_hold, release_hold (06 D.3, 02 L-152, L-153, 04 §11).
 *
 * One transition in each direction, five names for it. A block never overrides a delay, a
 * dependency block or another block (S-22); attempt_state is kept, so that the next claim goes on
 * as it would have.
 */
#include "op/execution.h"

#include "flowfabric/schedule.h"

enum { DETAIL_MAX_BYTES = 1024 };

struct block_prep {
  struct exec_id id; /* first: declare_prepared_execution */
  bool known; /* reason is one of the table */
  enum ff_blocking_reason reason;
};

/* ---- the table of 06 D.3 ---- */

static enum ff_eligibility_state eligibility_of(enum ff_blocking_reason reason) {
  switch (reason) {
    case FF_blocking_reason_waiting_for_budget: return FF_eligibility_state_blocked_by_budget;
    case FF_blocking_reason_waiting_for_quota: return FF_eligibility_state_blocked_by_quota;
    case FF_blocking_reason_waiting_for_capable_worker:
      return FF_eligibility_state_blocked_by_route;
    case FF_blocking_reason_paused_by_operator: return FF_eligibility_state_blocked_by_operator;
    case FF_blocking_reason_paused_by_policy: return FF_eligibility_state_blocked_by_lane_state;
    default: return FF_eligibility_state_not_applicable; /* not in the table */
  }
}

static bool is_hold(enum ff_blocking_reason reason) {
  return reason == FF_blocking_reason_paused_by_operator ||
         reason == FF_blocking_reason_paused_by_policy;
}

static void parse_reason(struct ff_str text, struct block_prep *p) {
  int word = ff_word_parse(FF_WORD_blocking_reason, text);
  p->reason = word < 0 ? FF_blocking_reason_none : (enum ff_blocking_reason)word;
  p->known = eligibility_of(p->reason) != FF_eligibility_state_not_applicable;
}

static struct ff_str reason_text(enum ff_blocking_reason reason) {
  return ff_text(ff_word(FF_WORD_blocking_reason, reason));
}

static enum ff_rc refuse_reason(const char *operation, struct ff_str reason, const char *field,
                                struct ff_error *e) {
  return error_field(e, FF_CODE_invalid_blocking_reason, field, "%s: " TEXT_FMT, operation,
                     TEXT_ARG(reason));
}

/* ---- the two transitions ---- */

static bool may_block(const struct execution *x) {
  return x->lifecycle_phase == FF_lifecycle_phase_runnable &&
         x->ownership_state == FF_ownership_state_unowned &&
         x->eligibility_state == FF_eligibility_state_eligible_now;
}

static void move_runnable(struct tx *tx, struct execution *x, enum ff_eligibility_state eligibility,
                          enum ff_blocking_reason reason, struct ff_str detail) {
  execution_move(tx, x,
                 (struct execution_vector){.phase = FF_lifecycle_phase_runnable,
                                           .eligibility = eligibility,
                                           .blocking = reason,
                                           .attempt = (enum ff_attempt_state)x->attempt_state},
                 detail);
}

enum ff_rc execution_block(struct tx *tx, const struct execution *read,
                           enum ff_blocking_reason reason, struct uuid on, struct ff_str detail) {
  struct execution *x = tx_edit_execution(tx, read);
  TRY(grant_drop(tx, x));
  move_runnable(tx, x, eligibility_of(reason), reason, detail);
  x->blocked_on = on;
  return FF_OK;
}

static enum ff_rc block(struct tx *tx, const struct execution *x, enum ff_blocking_reason reason,
                        struct ff_str detail) {
  return execution_block(tx, x, reason, execution_blocked_on(reason), detail);
}

static bool is_blocked(const struct execution *x, enum ff_blocking_reason reason) {
  return x->lifecycle_phase == FF_lifecycle_phase_runnable && x->blocking_reason == reason &&
         x->eligibility_state == eligibility_of(reason);
}

void execution_unblock(struct tx *tx, const struct execution *read) {
  move_runnable(tx, tx_edit_execution(tx, read), FF_eligibility_state_eligible_now,
                FF_blocking_reason_waiting_for_worker, (struct ff_str){0});
}

/* ---- block_execution_for_admission, block_route: refusals are outcomes (S-21) ---- */

/* lane_id is informational: the execution's own lane decides where it is listed. */
static enum ff_rc block_prepare(const struct op_config *config, struct block_prep *p,
                                struct ff_str execution_id, struct ff_str lane_id,
                                struct ff_str reason, struct ff_str detail, struct ff_error *e) {
  TRY(exec_id_parse(execution_id, "execution_id", config->flow_partitions, &p->id, e));
  if (text_nonempty(lane_id)) TRY(lane_check(lane_id, "lane_id", e));
  TRY(text_check(detail, "reason_detail", DETAIL_MAX_BYTES, e));
  parse_reason(reason, p);
  return FF_OK;
}

/* *message is left absent when the block took place. */
static enum ff_rc block_run(struct tx *tx, const struct block_prep *p, struct ff_str detail,
                            struct ff_str *message) {
  if (!p->known) {
    *message = TEXT_LIT("invalid_blocking_reason");
    return FF_OK;
  }
  struct execution key = {.partition = p->id.partition, .id = p->id.uuid};
  const struct execution *x = NULL;
  TRY(tx_get_execution(tx, &key, &x));
  if (!x)
    *message = TEXT_LIT("execution_not_found");
  else if (x->lifecycle_phase == FF_lifecycle_phase_terminal)
    *message = TEXT_LIT("execution_not_active");
  else if (!may_block(x))
    *message = TEXT_LIT("execution_not_eligible");
  else
    TRY(block(tx, x, p->reason, detail));
  return FF_OK;
}

static enum ff_rc admission_prepare(const struct op_config *config, const void *args, void *prep,
                                    struct arena *arena, struct ff_error *e) {
  const struct ff_block_execution_for_admission_args *a = args;
  (void)arena;
  return block_prepare(config, prep, a->execution_id, a->lane_id, a->reason, a->reason_detail, e);
}

static enum ff_rc admission_run(struct tx *tx, const void *args, const void *prep, void *result,
                                struct ff_error *e) {
  const struct ff_block_execution_for_admission_args *a = args;
  const struct block_prep *p = prep;
  struct ff_block_execution_for_admission_result *r = result;
  (void)e;
  TRY(block_run(tx, p, a->reason_detail, &r->message));
  r->outcome = text_present(r->message) ? FF_outcome_rejected : FF_outcome_blocked;
  exec_id_format(p->id, &r->execution_id);
  if (p->known) r->reason = reason_text(p->reason);
  return FF_OK;
}

const struct op_code op_code_block_execution_for_admission = {
    sizeof(struct block_prep), admission_prepare, declare_prepared_execution, admission_run};

static enum ff_rc route_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_block_route_args *a = args;
  (void)arena;
  return block_prepare(config, prep, a->execution_id, a->lane_id, a->reason_code, a->reason_detail,
                       e);
}

static enum ff_rc route_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct ff_block_route_args *a = args;
  const struct block_prep *p = prep;
  struct ff_block_route_result *r = result;
  (void)e;
  TRY(block_run(tx, p, a->reason_detail, &r->message));
  r->outcome = text_present(r->message) ? FF_outcome_rejected : FF_outcome_blocked;
  exec_id_format(p->id, &r->execution_id);
  return FF_OK;
}

const struct op_code op_code_block_route = {sizeof(struct block_prep), route_prepare,
                                            declare_prepared_execution, route_run};

/* ---- unblock_execution: 04 FU-1 … FU-5 ---- */

static enum ff_rc unblock_prepare(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  const struct ff_unblock_execution_args *a = args;
  struct block_prep *p = prep;
  (void)arena;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  parse_reason(a->expected_blocking_reason, p);
  if (p->known && !is_hold(p->reason)) return FF_OK;
  return refuse_reason("unblock_execution", a->expected_blocking_reason,
                       "expected_blocking_reason", e);
}

static enum ff_rc unblock_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  const struct block_prep *p = prep;
  struct ff_unblock_execution_result *r = result;
  const struct execution *x = NULL;
  (void)args;
  TRY(execution_load(tx, p->id, &x, e));
  if (!is_blocked(x, p->reason)) return error_set(e, FF_CODE_execution_not_eligible, NULL);
  execution_unblock(tx, x);
  r->outcome = FF_outcome_unblocked;
  return FF_OK;
}

const struct op_code op_code_unblock_execution = {sizeof(struct block_prep), unblock_prepare,
                                                  declare_prepared_execution, unblock_run};

/* ---- place_hold, release_hold: 06 S-25, S-26 ---- */

static enum ff_rc hold_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_place_hold_args *a = args;
  struct block_prep *p = prep;
  (void)arena;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  TRY(text_check(a->reason_detail, "reason_detail", DETAIL_MAX_BYTES, e));
  parse_reason(text_present(a->reason) ? a->reason : TEXT_LIT("paused_by_operator"), p);
  return is_hold(p->reason) ? FF_OK : refuse_reason("place_hold", a->reason, "reason", e);
}

static enum ff_rc hold_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  const struct ff_place_hold_args *a = args;
  const struct block_prep *p = prep;
  struct ff_place_hold_result *r = result;
  const struct execution *x = NULL;
  TRY(execution_load(tx, p->id, &x, e));
  exec_id_format(p->id, &r->execution_id);
  r->reason = reason_text(p->reason);
  r->outcome = FF_outcome_already_held;
  if (is_blocked(x, p->reason)) return FF_OK;
  if (!may_block(x)) return error_set(e, FF_CODE_execution_not_eligible, NULL);
  r->outcome = FF_outcome_held;
  return block(tx, x, p->reason, a->reason_detail);
}

const struct op_code op_code_place_hold = {sizeof(struct block_prep), hold_prepare,
                                           declare_prepared_execution, hold_run};

static enum ff_rc release_prepare(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  const struct ff_release_hold_args *a = args;
  struct block_prep *p = prep;
  (void)arena;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  if (!text_present(a->expected_blocking_reason)) return FF_OK;
  parse_reason(a->expected_blocking_reason, p);
  if (is_hold(p->reason)) return FF_OK;
  return refuse_reason("release_hold", a->expected_blocking_reason, "expected_blocking_reason", e);
}

static enum ff_rc release_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  const struct block_prep *p = prep;
  struct ff_release_hold_result *r = result;
  const struct execution *x = NULL;
  (void)args;
  TRY(execution_load(tx, p->id, &x, e));
  bool held = p->known ? is_blocked(x, p->reason)
                       : is_blocked(x, FF_blocking_reason_paused_by_operator) ||
                             is_blocked(x, FF_blocking_reason_paused_by_policy);
  if (!held) return error_set(e, FF_CODE_execution_not_eligible, NULL);
  execution_unblock(tx, x);
  r->outcome = FF_outcome_released;
  exec_id_format(p->id, &r->execution_id);
  return FF_OK;
}

const struct op_code op_code_release_hold = {sizeof(struct block_prep), release_prepare,
                                             declare_prepared_execution, release_run};
