/*
 * set_edge_group_policy (04 §7.1): when the edges towards a downstream are enough.
 */
#include "op/edge.h"

#include "base/json.h"
#include "flowfabric/flow.h"

/* ---- the policy as JSON (01 PO-13) ---- */

static enum ff_rc bad(struct ff_error *e, const char *detail) {
  return error_field(e, FF_CODE_invalid_input, "policy", "%s", detail);
}

static enum ff_rc parse_k(const struct json *object, uint32_t *out, struct ff_error *e) {
  const struct json *value = json_member(object, "k");
  uint64_t k = 0;
  if (!value || value->type != JSON_NUMBER) return bad(e, "quorum needs a number k");
  if (!json_u64(value, &k)) return bad(e, "quorum k must be a whole number, not negative");
  if (k == 0) return bad(e, "quorum k must be >= 1");
  if (k > INT32_MAX) return bad(e, "quorum k exceeds supported maximum");
  *out = (uint32_t)k;
  return FF_OK;
}

static int word_member(const struct json *object, const char *name, enum ff_word_enum words) {
  const struct json *value = json_member(object, name);
  return value && value->type == JSON_STRING ? ff_word_parse(words, value->text) : -1;
}

enum ff_rc edge_policy_parse(struct ff_str text, struct arena *arena, struct edge_policy *out,
                             struct ff_error *e) {
  const struct json *object = NULL;
  struct json_error where;
  *out = (struct edge_policy){.kind = FF_edge_policy_all_of};
  if (!text_nonempty(text)) return FF_OK;
  TRY(text_check(text, "policy", EDGE_POLICY_MAX_BYTES, e));
  if (!json_parse(text, arena, &object, &where))
    return error_field(e, FF_CODE_invalid_input, "policy", "no JSON at %zu: %s", where.offset,
                       where.message);
  int kind = word_member(object, "kind", FF_WORD_edge_policy);
  if (kind < 0) return bad(e, "kind must be all_of, any_of or quorum");
  out->kind = (enum ff_edge_policy)kind;
  if (kind == FF_edge_policy_all_of) return FF_OK;
  if (kind == FF_edge_policy_quorum) TRY(parse_k(object, &out->k, e));
  int then = word_member(object, "on_satisfied", FF_WORD_on_satisfied);
  if (then <= FF_on_satisfied_none)
    return bad(e, "on_satisfied must be cancel_remaining or let_run");
  out->on_satisfied = (enum ff_on_satisfied)then;
  return FF_OK;
}

void edge_policy_set(struct edge_group *g, const struct edge_policy *policy) {
  g->policy = (uint8_t)policy->kind;
  g->k = policy->k;
  g->on_satisfied = (uint8_t)policy->on_satisfied;
}

static bool is_set(const struct edge_group *g, const struct edge_policy *policy) {
  return g->policy == policy->kind && g->k == policy->k && g->on_satisfied == policy->on_satisfied;
}

/* ---- set_edge_group_policy ---- */

struct policy_prep {
  struct flow_id flow;
  struct exec_id down;
  struct edge_policy policy;
};

static enum ff_rc policy_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_set_edge_group_policy_args *a = args;
  struct policy_prep *p = prep;
  TRY(flow_id_parse(a->flow_id, config, &p->flow, e));
  TRY(exec_id_parse(a->downstream_execution_id, "downstream_execution_id", config->flow_partitions,
                    &p->down, e));
  if (!text_nonempty(a->policy)) return bad(e, "kind must be all_of, any_of or quorum");
  TRY(edge_policy_parse(a->policy, arena, &p->policy, e));
  return flow_check_partition(p->flow, p->down, "downstream_execution_id", e);
}

static void policy_declare(struct declare *d, const void *args, const void *prep) {
  const struct policy_prep *p = prep;
  (void)args;
  declare_flow(d, p->flow);
  declare_edge_group(d, p->flow, p->down.uuid);
}

static enum ff_rc policy_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct ff_set_edge_group_policy_args *a = args;
  const struct policy_prep *p = prep;
  struct ff_set_edge_group_policy_result *r = result;
  const struct flow *flow = NULL;
  const struct edge_group *group = NULL;
  TRY(flow_load_open(tx, p->flow, &flow, e));
  TRY(edge_group_get(tx, p->flow, p->down.uuid, &group));
  if (group && group->n) {
    enum ff_rc rc = error_field(e, FF_CODE_edge_group_policy_fixed, "downstream_execution_id",
                                "dependencies already staged");
    error_context(e, "downstream", TEXT_FMT, TEXT_ARG(a->downstream_execution_id));
    return rc;
  }
  r->outcome = group && is_set(group, &p->policy) ? FF_outcome_already_set : FF_outcome_set;
  if (r->outcome == FF_outcome_already_set) return FF_OK;
  struct edge_group *g = group ? tx_edit_edge_group(tx, group)
                               : edge_group_insert(tx, tx_edit_flow(tx, flow), p->down.uuid);
  edge_policy_set(g, &p->policy);
  g->group_state = FF_edge_group_state_pending;
  return FF_OK;
}

const struct op_code op_code_set_edge_group_policy = {sizeof(struct policy_prep), policy_prepare,
                                                      policy_declare, policy_run};
