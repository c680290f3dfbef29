/*
 * Claims of one known execution: claim_execution, claim_resumed_execution, claim_from_resume_grant,
 * claim_from_reclaim and issue_grant_and_claim (02 §5.2, §5.4-§5.6).
 *
 * All but the last consume a grant; the grant record decides, never the key a client echoes. What a
 * claim does to the execution is lease.c's; here are only the checks, in the order of the rules.
 */
#include "flowfabric/lifecycle.h"
#include "op/flow_cancel.h"
#include "op/grant.h"
#include "op/reclaim.h"

enum { POLICY_JSON_MAX_BYTES = 256 * 1024, GRANT_KEY_MAX_BYTES = 256 };

struct claim_prep {
  struct exec_id id; /* first: declare_prepared_execution */
  struct uuid lease_id, attempt_id; /* the caller's; nil where the engine mints them */
};

/* ---- arguments ---- */

static enum ff_rc check_claimer(const struct op_config *config, struct ff_str execution_id,
                                struct ff_str worker_id, struct ff_str worker_instance_id,
                                struct ff_str lane_id, struct claim_prep *p, struct ff_error *e) {
  TRY(exec_id_parse(execution_id, "execution_id", config->flow_partitions, &p->id, e));
  TRY(worker_id_check(worker_id, "worker_id", e));
  TRY(worker_id_check(worker_instance_id, "worker_instance_id", e));
  return lane_check(lane_id, "lane_id", e);
}

static enum ff_rc check_ttl(uint64_t ttl_ms, const char *field, struct ff_error *e) {
  if (ttl_ms > 0) return FF_OK;
  return error_field(e, FF_CODE_invalid_input, field, "must be greater than 0");
}

static void declare_claim(struct declare *d, const void *args, const void *prep) {
  const struct claim_prep *p = prep;
  (void)args;
  declare_execution(d, p->id);
  declare_by_execution(d, RECORD_KIND_grant, p->id);
}

/* ---- checks ---- */

/* L-73: the same claim was won before and its lease lives. attempt_id nil = not compared. */
static bool won_before(const struct execution *x, int64_t now, struct uuid lease_id,
                       struct uuid attempt_id, struct ff_str worker_id) {
  return x->ownership_state == FF_ownership_state_leased && now < x->lease_expires_at &&
         uuid_equal(x->lease_id, lease_id) && text_equal(x->worker_id, worker_id) &&
         (uuid_is_nil(attempt_id) || uuid_equal(x->attempt_id, attempt_id));
}

/* L-74 … L-77. */
static enum ff_rc check_fresh(const struct execution *x, struct ff_error *e) {
  if (x->lifecycle_phase != FF_lifecycle_phase_runnable)
    return error_set(e, FF_CODE_execution_not_leaseable, NULL);
  if (x->ownership_state != FF_ownership_state_unowned)
    return error_set(e, FF_CODE_lease_conflict, NULL);
  if (x->eligibility_state != FF_eligibility_state_eligible_now ||
      x->terminal_outcome != FF_terminal_outcome_none)
    return error_set(e, FF_CODE_execution_not_leaseable, NULL);
  if (x->attempt_state == FF_attempt_state_running_attempt)
    return error_set(e, FF_CODE_active_attempt_exists, NULL);
  if (x->attempt_state == FF_attempt_state_attempt_interrupted)
    return error_set(e, FF_CODE_use_claim_resumed_execution, NULL);
  return FF_OK;
}

/* 04 FX-15: a member of a cancelled flow begins no attempt. */
static enum ff_rc check_flow(struct tx *tx, const struct execution *x, bool resumes,
                             struct ff_error *e) {
  bool refused = false;
  TRY(flow_refuses(tx, x, resumes, &refused));
  return refused ? error_set(e, FF_CODE_execution_not_leaseable, "its flow is cancelled") : FF_OK;
}

/* L-85, its middle part. */
static enum ff_rc check_resumable(const struct execution *x, struct ff_error *e) {
  if (x->lifecycle_phase != FF_lifecycle_phase_runnable)
    return error_set(e, FF_CODE_execution_not_leaseable, NULL);
  if (x->attempt_state != FF_attempt_state_attempt_interrupted)
    return error_set(e, FF_CODE_not_a_resumed_execution, NULL);
  if (x->eligibility_state != FF_eligibility_state_eligible_now)
    return error_set(e, FF_CODE_execution_not_leaseable, NULL);
  return FF_OK;
}

/* L-78 … L-79. A refusal writes nothing: a grant of another worker is kept, a dead one too. */
static enum ff_rc check_grant(struct tx *tx, const struct execution *x, struct ff_str lane_id,
                              struct ff_str worker_id, struct ff_error *e) {
  const struct grant *grant = NULL;
  if (!text_equal(x->lane_id, lane_id))
    return error_field(e, FF_CODE_invalid_input, "lane_id", "lane_mismatch");
  TRY(tx_get_grant(tx, EXECUTION_KEY(grant, execution_id_of(x)), &grant));
  if (!grant || !text_equal(grant->worker_id, worker_id))
    return error_set(e, FF_CODE_invalid_claim_grant, NULL);
  if (grant->expires_at <= tx_now(tx)) return error_set(e, FF_CODE_claim_grant_expired, NULL);
  if (grant->grant_kind == FF_grant_kind_reclaim)
    return error_set(e, FF_CODE_invalid_claim_grant, "a reclaim grant: use reclaim_execution");
  tx_valid_before(tx, grant->expires_at);
  return FF_OK;
}

/* ---- claim_execution ---- */

static enum ff_rc claim_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_claim_execution_args *a = args;
  struct claim_prep *p = prep;
  (void)arena;
  TRY(check_claimer(config, a->execution_id, a->worker_id, a->worker_instance_id, a->lane_id, p,
                    e));
  TRY(own_uuid_parse(a->lease_id, "lease_id", &p->lease_id, e));
  TRY(check_ttl(a->lease_ttl_ms, "lease_ttl_ms", e));
  TRY(own_uuid_parse(a->attempt_id, "attempt_id", &p->attempt_id, e));
  return text_check(a->attempt_policy_json, "attempt_policy_json", POLICY_JSON_MAX_BYTES, e);
}

static enum ff_rc claim_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct ff_claim_execution_args *a = args;
  const struct claim_prep *p = prep;
  struct ff_claim_execution_result *r = result;
  enum ff_backend backend = tx_config(tx)->backend;
  const struct execution *x = NULL;
  TRY(execution_load(tx, p->id, &x, e));
  if (!won_before(x, tx_now(tx), p->lease_id, p->attempt_id, a->worker_id)) {
    TRY(check_fresh(x, e));
    TRY(check_flow(tx, x, false, e));
    TRY(check_grant(tx, x, a->lane_id, a->worker_id, e));
    struct execution *claimed = tx_edit_execution(tx, x);
    TRY(grant_drop(tx, claimed));
    if (a->execution_deadline_at > 0) claimed->execution_deadline_at = a->execution_deadline_at;
    struct fresh_claim claim = {.lease = {.lease_id = p->lease_id,
                                          .worker_id = a->worker_id,
                                          .worker_instance_id = a->worker_instance_id,
                                          .ttl_ms = a->lease_ttl_ms},
                                .attempt_id = p->attempt_id,
                                .attempt_policy_json = a->attempt_policy_json,
                                .attempt_timeout_ms = a->attempt_timeout_ms};
    lease_claim_fresh(tx, claimed, &claim);
    x = claimed;
  }
  r->outcome = FF_outcome_claimed;
  view_claimed(x, backend, FF_handle_kind_fresh, a->lease_ttl_ms, &r->claimed);
  return FF_OK;
}

const struct op_code op_code_claim_execution = {sizeof(struct claim_prep), claim_prepare,
                                                declare_claim, claim_run};

/* ---- claim_resumed_execution ---- */

static enum ff_rc resume(struct tx *tx, const struct execution *read,
                         const struct resumed_claim *claim, const struct execution **out) {
  struct execution *x = tx_edit_execution(tx, read);
  TRY(grant_drop(tx, x));
  lease_claim_resumed(tx, x, claim);
  *out = x;
  return FF_OK;
}

static enum ff_rc resumed_prepare(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  const struct ff_claim_resumed_execution_args *a = args;
  struct claim_prep *p = prep;
  (void)arena;
  TRY(check_claimer(config, a->execution_id, a->worker_id, a->worker_instance_id, a->lane_id, p,
                    e));
  TRY(own_uuid_parse(a->lease_id, "lease_id", &p->lease_id, e));
  return check_ttl(a->lease_ttl_ms, "lease_ttl_ms", e);
}

static enum ff_rc resumed_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  const struct ff_claim_resumed_execution_args *a = args;
  const struct claim_prep *p = prep;
  struct ff_claim_resumed_execution_result *r = result;
  const struct execution *x = NULL;
  TRY(execution_load(tx, p->id, &x, e));
  if (!won_before(x, tx_now(tx), p->lease_id, p->attempt_id, a->worker_id)) {
    TRY(check_resumable(x, e));
    TRY(check_flow(tx, x, true, e));
    TRY(check_grant(tx, x, a->lane_id, a->worker_id, e));
    struct resumed_claim claim = {.lease = {.lease_id = p->lease_id,
                                            .worker_id = a->worker_id,
                                            .worker_instance_id = a->worker_instance_id,
                                            .ttl_ms = a->lease_ttl_ms},
                                  .remaining_timeout_ms = a->remaining_attempt_timeout_ms};
    TRY(resume(tx, x, &claim, &x));
  }
  r->outcome = FF_outcome_claimed;
  view_claimed(x, tx_config(tx)->backend, FF_handle_kind_resumed, a->lease_ttl_ms, &r->claimed);
  return FF_OK;
}

const struct op_code op_code_claim_resumed_execution = {
    sizeof(struct claim_prep), resumed_prepare, declare_claim, resumed_run};

/* ---- claim_from_resume_grant ---- */

static enum ff_rc token_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_claim_from_resume_grant_args *a = args;
  (void)arena;
  TRY(check_claimer(config, a->execution_id, a->worker_id, a->worker_instance_id, a->lane_id, prep,
                    e));
  TRY(text_check(a->grant_key, "grant_key", GRANT_KEY_MAX_BYTES, e));
  return check_ttl(a->lease_ttl_ms, "lease_ttl_ms", e);
}

static enum ff_rc find(struct tx *tx, struct exec_id id, const struct execution **x) {
  return tx_get_execution(tx, &(struct execution){.partition = id.partition, .id = id.uuid}, x);
}

/* L-88: a target that is gone or not resumable any more is no error; a wrong grant is. */
static enum ff_rc resume_by_token(struct tx *tx, const struct ff_claim_from_resume_grant_args *a,
                                  const struct execution *x,
                                  struct ff_claim_from_resume_grant_result *r,
                                  struct ff_error *e) {
  r->outcome = FF_outcome_none;
  bool refused = false;
  if (!x || check_resumable(x, NULL) != FF_OK) return FF_OK;
  TRY(flow_refuses(tx, x, true, &refused));
  if (refused) return FF_OK;
  TRY(check_grant(tx, x, a->lane_id, a->worker_id, e));
  struct resumed_claim claim = {.lease = {.lease_id = tx_mint_uuid(tx),
                                          .worker_id = a->worker_id,
                                          .worker_instance_id = a->worker_instance_id,
                                          .ttl_ms = a->lease_ttl_ms}};
  TRY(resume(tx, x, &claim, &x));
  r->outcome = FF_outcome_claimed;
  view_handle(x, tx_config(tx)->backend, FF_handle_kind_resumed, a->lease_ttl_ms, &r->handle);
  return FF_OK;
}

static enum ff_rc token_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct execution *x = NULL;
  TRY(find(tx, ((const struct claim_prep *)prep)->id, &x));
  return resume_by_token(tx, args, x, result, e);
}

const struct op_code op_code_claim_from_resume_grant = {sizeof(struct claim_prep), token_prepare,
                                                        declare_claim, token_run};

/* ---- claim_from_reclaim: the older token, for either kind of grant ---- */

static struct ff_claim_from_resume_grant_args as_resume_token(
    const struct ff_claim_from_reclaim_args *a) {
  return (struct ff_claim_from_resume_grant_args){.size = sizeof *a,
                                                  .execution_id = a->execution_id,
                                                  .lane_id = a->lane_id,
                                                  .grant_key = a->grant_key,
                                                  .worker_id = a->worker_id,
                                                  .worker_instance_id = a->worker_instance_id,
                                                  .lease_ttl_ms = a->lease_ttl_ms};
}

static enum ff_rc reclaim_token_prepare(const struct op_config *config, const void *args,
                                        void *prep, struct arena *arena, struct ff_error *e) {
  struct ff_claim_from_resume_grant_args a = as_resume_token(args);
  return token_prepare(config, &a, prep, arena, e);
}

/* L-89: with a reclaim grant the body of 02 §12.3, whose refusals are none here. */
static enum ff_rc reclaim_by_token(struct tx *tx, const struct ff_claim_from_reclaim_args *a,
                                   const struct execution *x,
                                   struct ff_claim_from_reclaim_result *r, struct ff_error *e) {
  if (lease_is_lost(x) && !text_equal(x->lane_id, a->lane_id))
    return error_field(e, FF_CODE_invalid_input, "lane_id", "lane_mismatch");
  struct reclaim_request request = {
      .claim = {.lease = {.lease_id = tx_mint_uuid(tx),
                          .worker_id = a->worker_id,
                          .worker_instance_id = a->worker_instance_id,
                          .ttl_ms = a->lease_ttl_ms},
                .attempt_id = tx_mint_uuid(tx)}};
  struct reclaim_answer answer = {0};
  TRY(lease_reclaim_body(tx, x, &request, &answer));
  r->outcome = FF_outcome_none;
  if (answer.outcome != FF_outcome_claimed) return FF_OK;
  r->outcome = FF_outcome_claimed;
  view_handle(answer.claimed, tx_config(tx)->backend, FF_handle_kind_reclaimed, a->lease_ttl_ms,
              &r->handle);
  return FF_OK;
}

static enum ff_rc reclaim_token_run(struct tx *tx, const void *args, const void *prep,
                                    void *result, struct ff_error *e) {
  struct exec_id id = ((const struct claim_prep *)prep)->id;
  struct ff_claim_from_reclaim_result *r = result;
  const struct execution *x = NULL;
  const struct grant *grant = NULL;
  TRY(find(tx, id, &x));
  TRY(tx_get_grant(tx, EXECUTION_KEY(grant, id), &grant));
  if (x && grant && grant->grant_kind == FF_grant_kind_reclaim)
    return reclaim_by_token(tx, args, x, r, e);
  struct ff_claim_from_resume_grant_args token = as_resume_token(args);
  struct ff_claim_from_resume_grant_result resumed = {0};
  TRY(resume_by_token(tx, &token, x, &resumed, e));
  r->outcome = resumed.outcome;
  r->handle = resumed.handle;
  return FF_OK;
}

const struct op_code op_code_claim_from_reclaim = {
    sizeof(struct claim_prep), reclaim_token_prepare, declare_claim, reclaim_token_run};

/* ---- issue_grant_and_claim ---- */

static enum ff_rc operator_prepare(const struct op_config *config, const void *args, void *prep,
                                   struct arena *arena, struct ff_error *e) {
  const struct ff_issue_grant_and_claim_args *a = args;
  struct claim_prep *p = prep;
  (void)arena;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  TRY(lane_check(a->lane_id, "lane_id", e));
  return check_ttl(a->lease_duration_ms, "lease_duration_ms", e);
}

/* L-92. */
static enum ff_rc check_operator_claim(struct tx *tx, const struct execution *x,
                                       struct ff_str lane_id, struct ff_error *e) {
  if (x->lifecycle_phase != FF_lifecycle_phase_runnable)
    return error_set(e, FF_CODE_execution_not_eligible, NULL);
  if (x->ownership_state != FF_ownership_state_unowned)
    return error_set(e, FF_CODE_lease_conflict, NULL);
  if (x->attempt_state == FF_attempt_state_running_attempt)
    return error_set(e, FF_CODE_active_attempt_exists, NULL);
  if (grant_is_live(x, tx_now(tx))) return error_set(e, FF_CODE_grant_already_exists, NULL);
  if (x->eligibility_state != FF_eligibility_state_eligible_now)
    return error_set(e, FF_CODE_execution_not_in_eligible_set, NULL);
  if (!text_equal(x->lane_id, lane_id))
    return error_field(e, FF_CODE_execution_not_in_eligible_set, "lane_id", NULL);
  return FF_OK;
}

/* L-93. No lane state, capability, budget or quota is consulted, and no grant is ever visible. */
static enum ff_rc operator_run(struct tx *tx, const void *args, const void *prep, void *result,
                               struct ff_error *e) {
  const struct ff_issue_grant_and_claim_args *a = args;
  const struct claim_prep *p = prep;
  struct ff_issue_grant_and_claim_result *r = result;
  const struct execution *read = NULL;
  TRY(execution_load(tx, p->id, &read, e));
  TRY(check_operator_claim(tx, read, a->lane_id, e));
  TRY(check_flow(tx, read, read->attempt_state == FF_attempt_state_attempt_interrupted, e));
  struct execution *x = tx_edit_execution(tx, read);
  TRY(grant_drop(tx, x));
  struct lease_grant lease = {.lease_id = tx_mint_uuid(tx),
                              .worker_id = TEXT_LIT("operator"),
                              .worker_instance_id = TEXT_LIT("operator"),
                              .ttl_ms = a->lease_duration_ms};
  bool interrupted = x->attempt_state == FF_attempt_state_attempt_interrupted;
  if (interrupted)
    lease_claim_resumed(
        tx, x,
        &(struct resumed_claim){.lease = lease,
                                .event_reason = TEXT_LIT("issue_grant_and_claim_resumed")});
  else
    lease_claim_fresh(tx, x,
                      &(struct fresh_claim){.lease = lease,
                                            .attempt_id = tx_mint_uuid(tx),
                                            .event_reason = TEXT_LIT("issue_grant_and_claim")});
  r->outcome = FF_outcome_claimed;
  uuid_format_id(x->lease_id, &r->lease_id);
  r->lease_epoch = x->current_lease_epoch;
  r->attempt_index = x->attempt_index;
  view_handle(x, tx_config(tx)->backend,
              interrupted ? FF_handle_kind_resumed : FF_handle_kind_fresh, a->lease_duration_ms,
              &r->handle);
  return FF_OK;
}

const struct op_code op_code_issue_grant_and_claim = {
    sizeof(struct claim_prep), operator_prepare, declare_prepared_execution, operator_run};
