/*
 * issue_claim_grant, claim_for_worker, scan_eligible_executions (06 D.1, D.2, D.4), and the grant
 * record itself.
 *
 * A grant changes no state vector and no lease: the execution stays eligible, unseen by other
 * claims while the grant lives (S-6). Consuming it is claim_execution's.
 */
#include "op/grant.h"

#include "flowfabric/schedule.h"
#include "op/candidates.h"
#include "op/flow_cancel.h"

enum {
  HASH_MAX_BYTES = 256,
  SNAPSHOT_MAX_BYTES = 64 * 1024, /* route_snapshot_json, admission_summary: stored, never read */
  SCAN_MAX = 1000,
  SCAN_EXAMINED_MAX = 10000, /* candidates of other partitions a partition scan looks at */
  SCAN_EXAMINED_STEP = 2500  /* how many it expects to: keeps the loading rounds few */
};

/* ---- the record ---- */

enum ff_rc grant_check_terms(const struct grant_terms *t, struct ff_error *e) {
  TRY(lane_check(t->lane_id, "lane_id", e));
  TRY(worker_id_check(t->worker_id, "worker_id", e));
  TRY(worker_id_check(t->worker_instance_id, "worker_instance_id", e));
  TRY(text_check(t->capability_hash, "capability_hash", HASH_MAX_BYTES, e));
  TRY(text_check(t->route_snapshot_json, "route_snapshot_json", SNAPSHOT_MAX_BYTES, e));
  TRY(text_check(t->admission_summary, "admission_summary", SNAPSHOT_MAX_BYTES, e));
  if (t->ttl_ms < 1 || t->ttl_ms > GRANT_TTL_MAX_MS)
    return error_field(e, FF_CODE_invalid_input, "grant_ttl_ms", "must be 1 to %d",
                       GRANT_TTL_MAX_MS);
  return FF_OK;
}

static struct ff_str hash_of(struct arena *arena, struct ff_str capabilities) {
  char hex[9];
  hash_xor8hex(capabilities.ptr ? capabilities.ptr : "", capabilities.len, hex);
  return arena_text(arena, text_of(hex, 8));
}

enum ff_rc grant_store(struct tx *tx, struct execution *x, const struct grant_terms *t) {
  const struct grant *dead = NULL;
  struct grant *g = NULL;
  struct exec_id id = execution_id_of(x);
  if (x->grant_expires_at) TRY(tx_get_grant(tx, EXECUTION_KEY(grant, id), &dead));
  if (dead)
    g = tx_edit_grant(tx, dead);
  else
    g = tx_insert_new_grant(tx, EXECUTION_KEY(grant, id));
  g->grant_kind = (uint8_t)t->kind;
  g->worker_id = t->worker_id;
  g->worker_instance_id = t->worker_instance_id;
  g->lane_id = t->lane_id;
  g->capability_hash = text_nonempty(t->capability_hash)
                           ? t->capability_hash
                           : hash_of(tx_arena(tx), t->worker_capabilities);
  g->worker_capabilities = t->worker_capabilities;
  g->route_snapshot_json = t->route_snapshot_json;
  g->admission_summary = t->admission_summary;
  g->created_at = tx_now(tx);
  g->expires_at = add_saturating(tx_now(tx), (int64_t)t->ttl_ms);
  x->grant_expires_at = g->expires_at;
  execution_touch(tx, x);
  return FF_OK;
}

struct ff_str grant_partition_key(struct arena *arena, struct exec_id id) {
  return arena_printf(arena, "{fp:%u}", id.partition);
}

struct ff_str grant_key(struct arena *arena, struct exec_id id, enum ff_grant_kind kind) {
  struct ff_id text;
  exec_id_format(id, &text);
  return arena_printf(arena, "ff:exec:{fp:%u}:%s:%s", id.partition, text.text,
                      kind == FF_grant_kind_reclaim ? "reclaim_grant" : "claim_grant");
}

/* ---- issue_claim_grant ---- */

struct issue_prep {
  struct exec_id id; /* first: declare_prepared_execution */
  struct grant_terms terms;
};

static enum ff_rc issue_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_issue_claim_grant_args *a = args;
  struct issue_prep *p = prep;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  p->terms = (struct grant_terms){.kind = FF_grant_kind_claim,
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

/* Rows 2 … 5 of the table in 06 D.2. */
static enum ff_rc check_grantable(struct tx *tx, const struct execution *x, struct ff_str lane_id,
                                  struct ff_error *e) {
  if (x->lifecycle_phase != FF_lifecycle_phase_runnable ||
      x->eligibility_state != FF_eligibility_state_eligible_now)
    return error_set(e, FF_CODE_execution_not_eligible, NULL);
  bool resumes = x->attempt_state == FF_attempt_state_attempt_interrupted, refused = false;
  TRY(flow_refuses(tx, x, resumes, &refused)); /* 04 FX-15 */
  if (refused) return error_set(e, FF_CODE_execution_not_eligible, "its flow is cancelled");
  if (grant_is_live(x, tx_now(tx))) return error_set(e, FF_CODE_grant_already_exists, NULL);
  if (!text_equal(x->lane_id, lane_id))
    return error_field(e, FF_CODE_execution_not_in_eligible_set, "lane_id", NULL);
  return FF_OK;
}

/* S-11: the diagnostic is stored although the call fails. */
static enum ff_rc refuse_mismatch(struct tx *tx, const struct execution *x, struct ff_str missing,
                                  struct ff_error *e) {
  tx_edit_execution(tx, x)->last_capability_mismatch_at = tx_now(tx);
  tx_commit_on_error(tx);
  return error_set(e, FF_CODE_capability_mismatch, TEXT_FMT, TEXT_ARG(missing));
}

static enum ff_rc issue_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct issue_prep *p = prep;
  struct ff_issue_claim_grant_result *r = result;
  struct ff_str offered = p->terms.worker_capabilities;
  const struct execution *read = NULL;
  (void)args;
  TRY(execution_load(tx, p->id, &read, e));
  TRY(check_grantable(tx, read, p->terms.lane_id, e));
  if (!capabilities_cover(offered, read->required_capabilities))
    return refuse_mismatch(
        tx, read, capabilities_missing(offered, read->required_capabilities, tx_arena(tx)), e);
  struct execution *x = tx_edit_execution(tx, read);
  TRY(grant_store(tx, x, &p->terms));
  r->outcome = FF_outcome_granted;
  exec_id_format(p->id, &r->execution_id);
  r->partition_key = grant_partition_key(tx_arena(tx), p->id);
  r->grant_key = grant_key(tx_arena(tx), p->id, FF_grant_kind_claim);
  r->expires_at_ms = x->grant_expires_at;
  return FF_OK;
}

const struct op_code op_code_issue_claim_grant = {sizeof(struct issue_prep), issue_prepare,
                                                  declare_prepared_execution, issue_run};

/* ---- claim_for_worker ---- */

struct cycle_prep {
  struct grant_terms terms;
};

static enum ff_rc cycle_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_claim_for_worker_args *a = args;
  struct grant_terms *t = &((struct cycle_prep *)prep)->terms;
  (void)config;
  *t = (struct grant_terms){.kind = FF_grant_kind_claim,
                            .worker_id = a->worker_id,
                            .worker_instance_id = a->worker_instance_id,
                            .lane_id = a->lane_id,
                            .ttl_ms = a->grant_ttl_ms};
  TRY(grant_check_terms(t, e));
  return capabilities_csv(a->worker_capabilities, "worker", arena, &t->worker_capabilities, e);
}

static void cycle_declare(struct declare *d, const void *args, const void *prep) {
  const struct grant_terms *t = &((const struct cycle_prep *)prep)->terms;
  (void)args;
  candidates_declare(d, t->lane_id, &t->worker_capabilities, 1);
}

static enum ff_rc cycle_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct grant_terms *t = &((const struct cycle_prep *)prep)->terms;
  struct ff_claim_for_worker_result *r = result;
  const struct execution *read = NULL;
  struct candidates walk;
  (void)args;
  TRY(candidates_open(tx, t->lane_id, t->worker_capabilities, 1, &walk));
  TRY(candidates_next_admitted(&walk, &read, e));
  if (!read) {
    r->outcome = FF_outcome_no_work;
    return FF_OK;
  }
  enum ff_rc rc = candidate_load(tx, read, false);
  if (rc == FF_MISS) candidates_prefetch(&walk, false);
  TRY(rc);
  struct execution *x = tx_edit_execution(tx, read);
  TRY(grant_store(tx, x, t));
  struct exec_id id = execution_id_of(x);
  r->outcome = FF_outcome_granted;
  exec_id_format(id, &r->execution_id);
  r->partition_key = grant_partition_key(tx_arena(tx), id);
  r->grant_key = grant_key(tx_arena(tx), id, FF_grant_kind_claim);
  r->expires_at_ms = x->grant_expires_at;
  return FF_OK;
}

const struct op_code op_code_claim_for_worker = {sizeof(struct cycle_prep), cycle_prepare,
                                                 cycle_declare, cycle_run};

/* ---- scan_eligible_executions ---- */

struct scan_prep {
  bool one_partition;
  uint16_t partition;
  uint32_t limit;  /* of the page */
  uint32_t expect; /* of the walk */
};

static enum ff_rc scan_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_scan_eligible_executions_args *a = args;
  struct scan_prep *p = prep;
  (void)arena;
  TRY(lane_check(a->lane_id, "lane_id", e));
  p->one_partition = text_nonempty(a->partition);
  p->limit = a->limit < SCAN_MAX ? a->limit : SCAN_MAX;
  p->expect = p->one_partition ? SCAN_EXAMINED_STEP : p->limit;
  if (!p->one_partition) return FF_OK;
  return partition_parse(a->partition, "partition", config->flow_partitions, &p->partition, e);
}

static void scan_declare(struct declare *d, const void *args, const void *prep) {
  const struct ff_scan_eligible_executions_args *a = args;
  const struct scan_prep *p = prep;
  if (p->limit) candidates_declare(d, a->lane_id, NULL, p->expect);
}

static enum ff_rc scan_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  const struct ff_scan_eligible_executions_args *a = args;
  const struct scan_prep *p = prep;
  struct ff_scan_eligible_executions_result *r = result;
  (void)e;
  if (p->limit == 0) return FF_OK;
  struct candidates walk;
  TRY(candidates_open_all(tx, a->lane_id, p->expect, &walk));
  struct ff_execution_ref *refs = ARENA_ARRAY(tx_arena(tx), struct ff_execution_ref, p->limit);
  size_t count = 0;
  bool missed = false;
  for (uint32_t seen = 0; count < p->limit && seen < SCAN_EXAMINED_MAX; seen++) {
    const struct execution *x = NULL;
    TRY(candidates_next(&walk, &x));
    if (!x) break;
    if (p->one_partition && x->partition != p->partition) continue;
    if (candidate_load(tx, x, false) == FF_MISS) missed = true;
    exec_id_format(execution_id_of(x), &refs[count++].execution_id);
  }
  if (missed) return FF_MISS;
  r->executions = (struct ff_execution_refs){refs, count};
  return FF_OK;
}

const struct op_code op_code_scan_eligible_executions = {sizeof(struct scan_prep), scan_prepare,
                                                         scan_declare, scan_run};
