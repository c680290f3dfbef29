/*
 * resolve_dependency, evaluate_flow_eligibility, promote_blocked_to_eligible (04 §8.3): entries for
 * operators and drivers. What they do the engine has done already, unless somebody changed records by
 * hand.
 */
#include "op/cascade.h"

#include "flowfabric/flow.h"

/* ---- resolve_dependency ---- */

struct resolve_prep {
  struct flow_id flow;
  struct uuid edge_id;
  struct exec_id up, down;
  enum ff_terminal_outcome outcome;
};

static enum ff_rc resolve_prepare(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  const struct ff_resolve_dependency_args *a = args;
  struct resolve_prep *p = prep;
  (void)arena;
  TRY(flow_id_parse(a->flow_id, config, &p->flow, e));
  TRY(own_uuid_parse(a->edge_id, "edge_id", &p->edge_id, e));
  TRY(exec_id_parse(a->upstream_execution_id, "upstream_execution_id", config->flow_partitions,
                    &p->up, e));
  TRY(exec_id_parse(a->downstream_execution_id, "downstream_execution_id",
                    config->flow_partitions, &p->down, e));
  int outcome = ff_word_parse(FF_WORD_terminal_outcome, a->upstream_outcome);
  if (outcome <= FF_terminal_outcome_none)
    return error_field(e, FF_CODE_invalid_input, "upstream_outcome",
                       "must be success, failed, cancelled, expired or skipped");
  p->outcome = (enum ff_terminal_outcome)outcome;
  return FF_OK;
}

static struct edge key_of(const struct resolve_prep *p) {
  return (struct edge){
      .partition = p->flow.partition, .flow_id = p->flow.uuid, .edge_id = p->edge_id};
}

static void resolve_declare(struct declare *d, const void *args, const void *prep) {
  const struct resolve_prep *p = prep;
  struct edge key = key_of(p);
  (void)args;
  declare_flow(d, p->flow);
  declare_get(d, RECORD_KIND_edge, &key);
  declare_flow_member(d, p->flow, p->up.uuid);
  if (p->up.partition == p->flow.partition) declare_execution(d, p->up);
}

static enum ff_rc check_edge(const struct resolve_prep *p, const struct edge *edge,
                             struct ff_error *e) {
  if (!edge || !edge->applied_at)
    return error_field(e, FF_CODE_invalid_dependency, "edge_id",
                       edge ? "edge_not_applied" : "edge_not_found");
  bool same = p->up.partition == p->flow.partition && p->down.partition == p->flow.partition &&
              uuid_equal(edge->upstream_execution_id, p->up.uuid) &&
              uuid_equal(edge->downstream_execution_id, p->down.uuid);
  if (same) return FF_OK;
  return error_field(e, FF_CODE_invalid_dependency, "edge_id", "edge_endpoint_mismatch");
}

/* FR-14 */
static enum ff_rc resolve_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  const struct resolve_prep *p = prep;
  struct ff_resolve_dependency_result *r = result;
  struct edge key = key_of(p);
  struct execution up_key = {.partition = p->up.partition, .id = p->up.uuid};
  const struct edge *edge = NULL;
  const struct execution *source = NULL;
  const struct flow_member *member = NULL;
  struct cascade c;
  (void)args;
  TRY(tx_get_edge(tx, &key, &edge));
  TRY(check_edge(p, edge, e));
  r->outcome = FF_outcome_already_resolved;
  if (!edge_is_open(edge)) return FF_OK; /* also one that waits for the next end (FL-5) */
  TRY(cascade_open(&c, tx, p->flow));
  TRY(tx_get_execution(tx, &up_key, &source));
  TRY(flow_member_get(tx, p->flow, p->up.uuid, &member));
  if (!c.flow || !member || !member->last_outcome)
    return error_set(e, FF_CODE_execution_not_terminal, NULL);
  if (member->last_outcome != p->outcome)
    return error_field(e, FF_CODE_invalid_input, "upstream_outcome", "upstream_outcome_mismatch");
  TRY(cascade_plan_edges(&c, &edge, 1, p->outcome, source));
  tx_edit_flow(tx, c.flow);
  const struct edge **one = ARENA_NEW(tx_arena(tx), const struct edge *);
  *one = edge;
  cascade_add_edges(&c, p->up.uuid, p->outcome, one, 1);
  r->outcome = p->outcome == FF_terminal_outcome_success ? FF_outcome_satisfied
                                                         : FF_outcome_impossible;
  return cascade_act(&c);
}

const struct op_code op_code_resolve_dependency = {sizeof(struct resolve_prep), resolve_prepare,
                                                   resolve_declare, resolve_run};

/* ---- evaluate_flow_eligibility ---- */

static enum ff_rc evaluate_prepare(const struct op_config *config, const void *args, void *prep,
                                   struct arena *arena, struct ff_error *e) {
  const struct ff_evaluate_flow_eligibility_args *a = args;
  (void)arena;
  return exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, prep, e);
}

static enum ff_rc own_group(struct tx *tx, const struct execution *x,
                            const struct edge_group **out) {
  *out = NULL;
  if (uuid_is_nil(x->flow_id)) return FF_OK;
  return edge_group_get(tx, flow_of_member(x), x->id, out);
}

/* FR-19: the first that fits. */
static enum ff_rc evaluate_run(struct tx *tx, const void *args, const void *prep, void *result,
                               struct ff_error *e) {
  struct exec_id id = *(const struct exec_id *)prep;
  struct ff_evaluate_flow_eligibility_result *r = result;
  struct execution key = {.partition = id.partition, .id = id.uuid};
  const struct execution *x = NULL;
  const struct edge_group *group = NULL;
  (void)args, (void)e;
  TRY(tx_get_execution(tx, &key, &x));
  r->status = FF_flow_eligibility_not_found;
  if (!x) return FF_OK;
  r->status = FF_flow_eligibility_not_runnable;
  if (x->lifecycle_phase != FF_lifecycle_phase_runnable) return FF_OK;
  TRY(own_group(tx, x, &group));
  r->status = FF_flow_eligibility_eligible;
  if (!group || !group->applied) return FF_OK;
  if (group->group_state == FF_edge_group_state_impossible)
    r->status = FF_flow_eligibility_impossible;
  if (group->group_state == FF_edge_group_state_pending)
    r->status = FF_flow_eligibility_blocked_by_dependencies;
  return FF_OK;
}

const struct op_code op_code_evaluate_flow_eligibility = {
    sizeof(struct exec_id), evaluate_prepare, declare_prepared_execution, evaluate_run};

/* ---- promote_blocked_to_eligible ---- */

static enum ff_rc promote_prepare(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  const struct ff_promote_blocked_to_eligible_args *a = args;
  (void)arena;
  return exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, prep, e);
}

static enum ff_rc promote_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  struct ff_promote_blocked_to_eligible_result *r = result;
  const struct execution *x = NULL;
  const struct edge_group *group = NULL;
  (void)args;
  TRY(execution_load(tx, *(const struct exec_id *)prep, &x, e));
  if (x->lifecycle_phase != FF_lifecycle_phase_runnable)
    return error_set(e, FF_CODE_not_runnable, NULL);
  if (x->eligibility_state != FF_eligibility_state_blocked_by_dependencies)
    return error_set(e, FF_CODE_not_blocked_by_deps, NULL);
  TRY(own_group(tx, x, &group));
  if (group && (group->group_state == FF_edge_group_state_pending ||
                group->group_state == FF_edge_group_state_impossible)) {
    enum ff_rc rc = error_set(e, FF_CODE_deps_not_satisfied, NULL);
    error_context(e, "unsatisfied", "%u", group->applied - edge_group_resolved(group));
    error_context(e, "unapplied", "%u", group->n - group->applied);
    return rc;
  }
  dependency_release(tx, tx_edit_execution(tx, x));
  r->outcome = FF_outcome_promoted;
  return FF_OK;
}

const struct op_code op_code_promote_blocked_to_eligible = {
    sizeof(struct exec_id), promote_prepare, declare_prepared_execution, promote_run};
