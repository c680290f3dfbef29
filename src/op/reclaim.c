/*
 * issue_reclaim_grant and reclaim_execution: work whose lease was lost goes on in a new attempt of
 * a granted worker, or fails when that has happened too often (02 §12.1-§12.3). auto_reclaim has
 * its own file.
 */
#include "op/flow_cancel.h"
#include "op/reclaim.h"

#include "flowfabric/lifecycle.h"
#include "op/grant.h"

#define POLICY_JSON_MAX_BYTES 65536 /* what one HTTP body carries, 01 LM-1 */
#define ADVICE_MAX_BYTES 256        /* 01 LM-5 */

static const struct ff_str absent;

bool lease_is_lost(const struct execution *x) {
  return x->ownership_state == FF_ownership_state_lease_expired_reclaimable ||
         x->ownership_state == FF_ownership_state_lease_revoked;
}

bool lease_is_due(const struct tx *tx, const struct execution *x) {
  return x->ownership_state == FF_ownership_state_leased && tx_now(tx) >= x->lease_expires_at;
}

/* What an execution that cannot be reclaimed is instead. */
struct ff_str unreclaimable_state(const struct execution *x) {
  if (x->ownership_state == FF_ownership_state_leased) return TEXT_LIT("leased");
  return ff_text(ff_word(FF_WORD_public_state, execution_public_state(x)));
}

/* L-146: the execution has lost its lease too often and fails. */
enum ff_rc reclaim_fail_at_cap(struct tx *tx, struct execution *x) {
  const struct ff_str reason = TEXT_LIT("max_reclaims_exceeded");
  attempt_end(tx, x, FF_attempt_lifecycle_interrupted_reclaimed, reason, absent);
  x->failure_reason = reason;
  x->failure_category = absent;
  receipt_erase(x);
  struct event *event = lease_release(tx, x, reason, FF_revoked_by_reconciler);
  return execution_terminate(tx, x, FF_terminal_outcome_failed,
                             FF_attempt_lifecycle_interrupted_reclaimed, event);
}

/* ---- issue_reclaim_grant ---- */

struct issue_prep {
  struct exec_id id;
  struct grant_terms terms;
};

static enum ff_rc issue_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_issue_reclaim_grant_args *a = args;
  struct issue_prep *p = prep;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  p->terms = (struct grant_terms){.kind = FF_grant_kind_reclaim,
                                  .worker_id = a->worker_id,
                                  .worker_instance_id = a->worker_instance_id,
                                  .lane_id = a->lane_id,
                                  .capability_hash = a->capability_hash,
                                  .route_snapshot_json = a->route_snapshot_json,
                                  .admission_summary = a->admission_summary,
                                  .ttl_ms = a->grant_ttl_ms};
  TRY(grant_check_terms(&p->terms, e));
  return capabilities_csv(a->worker_capabilities, "worker", arena, &p->terms.worker_capabilities,
                          e);
}

/* Behind the checks for lane and state: x is lost and staged when it had to be marked. */
static enum ff_rc issue_lost(struct tx *tx, const struct ff_issue_reclaim_grant_args *a,
                             const struct issue_prep *p, const struct execution *read,
                             struct ff_issue_reclaim_grant_result *result, struct ff_error *e) {
  uint32_t cap = reclaim_cap(read, a->has_max_reclaim_count, a->max_reclaim_count);
  struct ff_str offered = p->terms.worker_capabilities;
  if (read->lease_reclaim_count >= cap) {
    result->outcome = FF_outcome_reclaim_cap_exceeded;
    result->reclaim_count = cap;
    return reclaim_fail_at_cap(tx, tx_edit_execution(tx, read));
  }
  if (grant_is_live(read, tx_now(tx))) return error_set(e, FF_CODE_grant_already_exists, NULL);
  struct execution *x = tx_edit_execution(tx, read);
  if (!capabilities_cover(offered, x->required_capabilities)) {
    struct ff_str missing = capabilities_missing(offered, x->required_capabilities, tx_arena(tx));
    x->last_capability_mismatch_at = tx_now(tx);
    result->outcome = FF_outcome_not_reclaimable;
    result->detail =
        arena_printf(tx_arena(tx), "capability_mismatch: " TEXT_FMT, TEXT_ARG(missing));
    return FF_OK;
  }
  TRY(grant_store(tx, x, &p->terms));
  result->outcome = FF_outcome_granted;
  result->partition_key = grant_partition_key(tx_arena(tx), p->id);
  result->grant_key = grant_key(tx_arena(tx), p->id, FF_grant_kind_reclaim);
  result->lane_id = x->lane_id;
  result->expires_at_ms = x->grant_expires_at;
  return FF_OK;
}

static enum ff_rc issue_run(struct tx *tx, const void *args, const void *prep, void *result_,
                            struct ff_error *e) {
  const struct issue_prep *p = prep;
  struct ff_issue_reclaim_grant_result *result = result_;
  const struct execution *x;
  TRY(execution_load(tx, p->id, &x, e));
  exec_id_format(p->id, &result->execution_id);
  if (!lease_is_lost(x) && !lease_is_due(tx, x)) {
    result->outcome = FF_outcome_not_reclaimable;
    result->detail = unreclaimable_state(x);
    return FF_OK;
  }
  if (!text_equal(p->terms.lane_id, x->lane_id))
    return error_field(e, FF_CODE_invalid_input, "lane_id", "lane_mismatch");
  if (!lease_is_lost(x)) {
    struct execution *marked = tx_edit_execution(tx, x);
    lease_mark_expired(tx, marked);
    x = marked;
  }
  return issue_lost(tx, args, p, x, result, e);
}

const struct op_code op_code_issue_reclaim_grant = {sizeof(struct issue_prep), issue_prepare,
                                                    declare_prepared_execution, issue_run};

/* ---- reclaim_execution ---- */

static enum ff_rc not_reclaimable(struct reclaim_answer *answer, struct ff_str detail) {
  answer->outcome = FF_outcome_not_reclaimable;
  answer->detail = detail;
  return FF_OK;
}

/* 06 LN-12: running work is reclaimed in every lane but a disabled one. */
static enum ff_rc lane_is_disabled(struct tx *tx, const struct execution *x, bool *disabled) {
  struct lane key = {.lane_id = x->lane_id};
  const struct lane *lane;
  TRY(tx_get_lane(tx, &key, &lane));
  *disabled = lane && lane->lane_state == FF_lane_state_disabled;
  return FF_OK;
}

/* *found when the grant allows this worker to reclaim; a dead one is deleted, another's is kept
 * (L-143). */
static enum ff_rc check_grant(struct tx *tx, const struct execution *x, struct ff_str worker_id,
                              bool *found) {
  const struct grant *grant = NULL;
  *found = false;
  if (x->grant_expires_at) TRY(tx_get_grant(tx, EXECUTION_KEY(grant, execution_id_of(x)), &grant));
  if (!grant) return FF_OK;
  if (tx_now(tx) >= grant->expires_at) {
    struct execution *edited = tx_edit_execution(tx, x);
    execution_touch(tx, edited);
    return grant_drop(tx, edited);
  }
  *found = grant->grant_kind == FF_grant_kind_reclaim && text_equal(grant->worker_id, worker_id);
  if (*found) tx_valid_before(tx, grant->expires_at);
  return FF_OK;
}

enum ff_rc lease_reclaim_body(struct tx *tx, const struct execution *read,
                              const struct reclaim_request *request,
                              struct reclaim_answer *answer) {
  bool disabled, granted;
  if (!lease_is_lost(read)) return not_reclaimable(answer, unreclaimable_state(read));
  TRY(lane_is_disabled(tx, read, &disabled));
  if (disabled) return not_reclaimable(answer, TEXT_LIT("lane_disabled"));
  bool refused = false;
  TRY(flow_refuses(tx, read, false, &refused)); /* 04 FX-15 */
  if (refused) return not_reclaimable(answer, TEXT_LIT("flow_cancelled"));
  TRY(check_grant(tx, read, request->claim.lease.worker_id, &granted));
  answer->outcome = FF_outcome_grant_not_found;
  if (!granted) return FF_OK;
  uint32_t cap = reclaim_cap(read, request->has_max_reclaim_count, request->max_reclaim_count);
  struct execution *x = tx_edit_execution(tx, read);
  if (x->lease_reclaim_count >= cap) {
    answer->outcome = FF_outcome_reclaim_cap_exceeded;
    answer->reclaim_count = cap;
    return reclaim_fail_at_cap(tx, x);
  }
  TRY(grant_drop(tx, x));
  lease_reclaim(tx, x, &request->claim);
  answer->outcome = FF_outcome_claimed;
  answer->claimed = x;
  return FF_OK;
}

struct reclaim_prep {
  struct exec_id id;
  struct uuid lease_id, attempt_id;
};

static enum ff_rc parse_own_id(struct ff_str text, const char *field, struct uuid *out,
                               struct ff_error *e) {
  TRY(uuid_parse_field(text, field, out, e));
  if (!uuid_is_nil(*out)) return FF_OK;
  return error_field(e, FF_CODE_invalid_input, field, "must not be nil");
}

static enum ff_rc reclaim_prepare(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  const struct ff_reclaim_execution_args *a = args;
  struct reclaim_prep *p = prep;
  (void)arena;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  TRY(worker_id_check(a->worker_id, "worker_id", e));
  TRY(worker_id_check(a->worker_instance_id, "worker_instance_id", e));
  TRY(lane_check(a->lane_id, "lane_id", e));
  TRY(parse_own_id(a->lease_id, "lease_id", &p->lease_id, e));
  TRY(parse_own_id(a->attempt_id, "attempt_id", &p->attempt_id, e));
  TRY(text_check(a->attempt_policy_json, "attempt_policy_json", POLICY_JSON_MAX_BYTES, e));
  /* Advice that nothing follows, but text all the same. */
  TRY(text_check(a->capability_hash, "capability_hash", ADVICE_MAX_BYTES, e));
  TRY(text_check(a->old_worker_instance_id, "old_worker_instance_id", ADVICE_MAX_BYTES, e));
  if (a->lease_ttl_ms == 0)
    return error_field(e, FF_CODE_invalid_input, "lease_ttl_ms", "must be greater than 0");
  return FF_OK;
}

static void reclaim_declare(struct declare *d, const void *args, const void *prep) {
  const struct ff_reclaim_execution_args *a = args;
  struct exec_id id = ((const struct reclaim_prep *)prep)->id;
  struct lane lane = {.lane_id = a->lane_id};
  declare_execution(d, id);
  declare_by_execution(d, RECORD_KIND_grant, id);
  declare_get(d, RECORD_KIND_lane, &lane);
}

/* L-73 for this form: the lease this very call has made still lives. */
static bool is_repeat(const struct tx *tx, const struct execution *x,
                      const struct ff_reclaim_execution_args *a, const struct reclaim_prep *p) {
  return x->ownership_state == FF_ownership_state_leased && tx_now(tx) < x->lease_expires_at &&
         uuid_equal(x->lease_id, p->lease_id) && uuid_equal(x->attempt_id, p->attempt_id) &&
         text_equal(x->worker_id, a->worker_id);
}

static enum ff_rc reclaim_run(struct tx *tx, const void *args, const void *prep, void *result_,
                              struct ff_error *e) {
  const struct ff_reclaim_execution_args *a = args;
  const struct reclaim_prep *p = prep;
  struct ff_reclaim_execution_result *result = result_;
  const struct execution *x;
  struct reclaim_request request = {.claim = {.lease = {.lease_id = p->lease_id,
                                                        .worker_id = a->worker_id,
                                                        .worker_instance_id = a->worker_instance_id,
                                                        .ttl_ms = a->lease_ttl_ms},
                                              .attempt_id = p->attempt_id,
                                              .attempt_policy_json = a->attempt_policy_json},
                                    .has_max_reclaim_count = a->has_max_reclaim_count,
                                    .max_reclaim_count = a->max_reclaim_count};
  struct reclaim_answer answer = {.outcome = FF_outcome_claimed};
  TRY(execution_load(tx, p->id, &x, e));
  if (is_repeat(tx, x, a, p)) {
    answer.claimed = x;
  } else {
    if (lease_is_lost(x) && !text_equal(a->lane_id, x->lane_id))
      return error_field(e, FF_CODE_invalid_input, "lane_id", "lane_mismatch");
    TRY(lease_reclaim_body(tx, x, &request, &answer));
  }
  exec_id_format(p->id, &result->execution_id);
  result->outcome = answer.outcome;
  result->detail = answer.detail;
  result->reclaim_count = answer.reclaim_count;
  if (answer.claimed)
    view_claimed(answer.claimed, tx_config(tx)->backend, FF_handle_kind_reclaimed, a->lease_ttl_ms,
                 &result->claimed);
  return FF_OK;
}

const struct op_code op_code_reclaim_execution = {sizeof(struct reclaim_prep), reclaim_prepare,
                                                  reclaim_declare, reclaim_run};
