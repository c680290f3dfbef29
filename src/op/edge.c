/*
 * stage_dependency_edge and apply_dependency_to_child (04 §5, §6).
 *
 * Staging never touches an execution; applying makes the downstream wait, or resolves the edge at
 * once when its upstream has ended.
 */
#include "op/edge.h"

#include "flowfabric/flow.h"

/* ---- what both take ---- */

struct edge_prep {
  struct flow_id flow;
  struct uuid edge_id;
  struct exec_id up, down;
};

static enum ff_rc parse_ends(const struct op_config *config, struct ff_str flow_id,
                             struct ff_str edge_id, struct ff_str up, struct ff_str down,
                             struct edge_prep *p, struct ff_error *e) {
  TRY(flow_id_parse(flow_id, config, &p->flow, e));
  TRY(own_uuid_parse(edge_id, "edge_id", &p->edge_id, e));
  TRY(exec_id_parse(up, "upstream_execution_id", config->flow_partitions, &p->up, e));
  return exec_id_parse(down, "downstream_execution_id", config->flow_partitions, &p->down, e);
}

static bool is_success_only(struct ff_str kind) {
  return !text_nonempty(kind) || text_equal_c(kind, "success_only");
}

enum ff_rc edge_check_terms(struct ff_str kind, struct ff_str ref, struct ff_error *e) {
  TRY(text_check(kind, "dependency_kind", NAME_MAX_BYTES, e));
  TRY(text_check(ref, "data_passing_ref", DATA_PASSING_REF_MAX_BYTES, e));
  if (is_success_only(kind)) return FF_OK;
  return error_field(e, FF_CODE_invalid_input, "dependency_kind",
                     "unsupported dependency_kind: " TEXT_FMT, TEXT_ARG(kind));
}

static struct edge key_of(const struct edge_prep *p) {
  return (struct edge){
      .partition = p->flow.partition, .flow_id = p->flow.uuid, .edge_id = p->edge_id};
}

/* An edge of the pair is the first behind these keys. */
static struct edge pair_of(const struct edge_prep *p) {
  return (struct edge){.partition = p->flow.partition,
                       .flow_id = p->flow.uuid,
                       .downstream_execution_id = p->down.uuid,
                       .upstream_execution_id = p->up.uuid};
}

static void declare_edge(struct declare *d, const struct edge_prep *p) {
  struct edge key = key_of(p);
  declare_get(d, RECORD_KIND_edge, &key);
}

/* ---- stage_dependency_edge ---- */

static enum ff_rc stage_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_stage_dependency_edge_args *a = args;
  struct edge_prep *p = prep;
  (void)arena;
  TRY(parse_ends(config, a->flow_id, a->edge_id, a->upstream_execution_id,
                 a->downstream_execution_id, p, e));
  if (exec_id_equal(p->up, p->down))
    return error_field(e, FF_CODE_self_referencing_edge, "downstream_execution_id",
                       "an execution cannot wait for itself");
  return edge_check_terms(a->dependency_kind, a->data_passing_ref, e);
}

static void stage_declare(struct declare *d, const void *args, const void *prep) {
  const struct edge_prep *p = prep;
  struct edge pair = pair_of(p);
  (void)args;
  declare_flow(d, p->flow);
  declare_flow_member(d, p->flow, p->up.uuid);
  declare_flow_member(d, p->flow, p->down.uuid);
  declare_edge_group(d, p->flow, p->down.uuid);
  declare_edge(d, p);
  declare_scan(d, INDEX_edge_in, &pair, true, 1);
}

static enum ff_rc get_member(struct tx *tx, struct flow_id flow, struct exec_id id,
                             const char *field, const struct flow_member **out,
                             struct ff_error *e) {
  *out = NULL;
  if (id.partition == flow.partition) TRY(flow_member_get(tx, flow, id.uuid, out));
  if (*out) return FF_OK;
  return error_field(e, FF_CODE_execution_not_in_flow, field, "is no member of the flow");
}

enum {
  WALK_NODES_MAX = 10000, /* FE-8 */
  WALK_EDGES_MAX = 65536  /* what is loaded for it */
};

static enum ff_rc too_large(struct ff_error *e) {
  return error_field(e, FF_CODE_invalid_input, "flow_id", "graph_too_large_to_verify");
}

/* Breadth first from the downstream; finding the upstream closes a cycle. */
static enum ff_rc check_acyclic(struct tx *tx, const struct flow *flow, const struct edge_prep *p,
                                struct ff_error *e) {
  struct graph g;
  uint32_t count = 0;
  if (flow->edge_count > WALK_EDGES_MAX) return too_large(e);
  TRY(graph_load(tx, flow, &g));
  struct graph_node **queue = ARENA_ARRAY(tx_arena(tx), struct graph_node *, g.node_count + 1);
  struct graph_node *start = graph_find(&g, p->down.uuid);
  if (start) queue[count++] = start, start->reached = true;
  for (uint32_t i = 0; i < count; i++) {
    if (uuid_equal(queue[i]->id, p->up.uuid))
      return error_field(e, FF_CODE_cycle_detected, "upstream_execution_id",
                         "already depends on the downstream");
    if (i == WALK_NODES_MAX) return too_large(e);
    for (uint32_t k = 0; k < queue[i]->out_count; k++) {
      struct uuid next = g.out[queue[i]->out + k]->downstream_execution_id;
      struct graph_node *node = graph_find(&g, next);
      if (node->reached) continue;
      node->reached = true;
      queue[count++] = node;
    }
  }
  return FF_OK;
}

static const char *state_word(const struct edge *edge) {
  static const uint8_t states[] = {FF_edge_state_pending, FF_edge_state_applied,
                                   FF_edge_state_satisfied, FF_edge_state_impossible};
  return ff_word(FF_WORD_edge_state, states[edge->resolution]);
}

static enum ff_rc refuse_existing(const struct edge *edge, struct ff_error *e) {
  struct ff_id id, up, down;
  enum ff_rc rc = error_field(e, FF_CODE_dependency_already_exists, "edge_id",
                              edge->data_passing_ref.len ? "existing, data_passing_ref " TEXT_FMT
                                                         : "existing",
                              TEXT_ARG(edge->data_passing_ref));
  uuid_format_id(edge->edge_id, &id);
  exec_id_format((struct exec_id){edge->partition, edge->upstream_execution_id}, &up);
  exec_id_format((struct exec_id){edge->partition, edge->downstream_execution_id}, &down);
  error_context(e, "edge_id", "%s", id.text);
  error_context(e, "upstream_execution_id", "%s", up.text);
  error_context(e, "downstream_execution_id", "%s", down.text);
  error_context(e, "edge_state", "%s", state_word(edge));
  return rc;
}

/* Row 8: by its id, or by its two ends (FE-6). */
static enum ff_rc check_new(struct tx *tx, const struct edge_prep *p, struct ff_error *e) {
  struct edge key = key_of(p), pair = pair_of(p);
  const struct edge *existing = NULL;
  const void *record = NULL;
  struct tx_scan scan;
  TRY(tx_get_edge(tx, &key, &existing));
  if (existing) return refuse_existing(existing, e);
  TRY(tx_scan_open(tx, INDEX_edge_in, &pair, true, 1, &scan));
  TRY(tx_scan_next(&scan, &record));
  existing = record;
  if (!existing || !uuid_equal(existing->upstream_execution_id, p->up.uuid) ||
      !uuid_equal(existing->downstream_execution_id, p->down.uuid))
    return FF_OK;
  return refuse_existing(existing, e);
}

struct edge_group *edge_group_insert(struct tx *tx, struct flow *flow, struct uuid downstream) {
  struct edge_group key = {.partition = flow->partition,
                           .flow_id = flow->flow_id,
                           .downstream_execution_id = downstream};
  flow->group_count++;
  return tx_insert_edge_group(tx, &key);
}

void edge_stage(struct tx *tx, struct flow *flow, const struct edge_terms *terms,
                const struct edge_group *group) {
  struct edge key = {
      .partition = flow->partition, .flow_id = flow->flow_id, .edge_id = terms->edge_id};
  struct edge *edge = tx_insert_edge(tx, &key);
  edge->upstream_execution_id = terms->upstream;
  edge->downstream_execution_id = terms->downstream;
  edge->created_at = tx_now(tx);
  if (text_nonempty(terms->data_passing_ref)) edge->data_passing_ref = terms->data_passing_ref;
  struct edge_group *g = group ? tx_edit_edge_group(tx, group)
                               : edge_group_insert(tx, flow, terms->downstream);
  g->n++;
  flow->edge_count++;
  flow->graph_revision++;
  flow->last_mutation_at = tx_now(tx);
}

static enum ff_rc stage_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct ff_stage_dependency_edge_args *a = args;
  const struct edge_prep *p = prep;
  struct ff_stage_dependency_edge_result *r = result;
  const struct flow *read = NULL;
  const struct flow_member *up = NULL, *down = NULL;
  const struct edge_group *group = NULL;
  TRY(flow_load_open(tx, p->flow, &read, e));
  if (a->expected_graph_revision != read->graph_revision)
    return error_field(e, FF_CODE_stale_graph_revision, "expected_graph_revision",
                       "is %llu, the graph has %llu",
                       (unsigned long long)a->expected_graph_revision,
                       (unsigned long long)read->graph_revision);
  TRY(get_member(tx, p->flow, p->up, "upstream_execution_id", &up, e));
  TRY(get_member(tx, p->flow, p->down, "downstream_execution_id", &down, e));
  bool forward = up->seq < down->seq;
  if (!read->forward_only || !forward) TRY(check_acyclic(tx, read, p, e));
  TRY(check_new(tx, p, e));
  TRY(edge_group_get(tx, p->flow, p->down.uuid, &group));
  struct flow *flow = tx_edit_flow(tx, read);
  if (!forward) flow->forward_only = 0;
  struct edge_terms terms = {p->edge_id, p->up.uuid, p->down.uuid, a->data_passing_ref};
  edge_stage(tx, flow, &terms, group);
  r->outcome = FF_outcome_staged;
  uuid_format_id(p->edge_id, &r->edge_id);
  r->new_graph_revision = flow->graph_revision;
  return FF_OK;
}

const struct op_code op_code_stage_dependency_edge = {sizeof(struct edge_prep), stage_prepare,
                                                      stage_declare, stage_run};

/* ---- apply_dependency_to_child ---- */

static enum ff_rc apply_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_apply_dependency_to_child_args *a = args;
  struct edge_prep *p = prep;
  (void)arena;
  TRY(parse_ends(config, a->flow_id, a->edge_id, a->upstream_execution_id,
                 a->downstream_execution_id, p, e));
  TRY(text_check(a->dependency_kind, "dependency_kind", NAME_MAX_BYTES, e));
  return text_check(a->data_passing_ref, "data_passing_ref", DATA_PASSING_REF_MAX_BYTES, e);
}

static void apply_declare(struct declare *d, const void *args, const void *prep) {
  const struct edge_prep *p = prep;
  (void)args;
  declare_execution(d, p->down);
  declare_flow(d, p->flow);
  declare_edge(d, p);
  declare_edge_group(d, p->flow, p->down.uuid);
  declare_flow_member(d, p->flow, p->up.uuid);
  if (p->up.partition == p->flow.partition) declare_execution(d, p->up);
}

static enum ff_rc invalid(const char *detail, const char *field, struct ff_error *e) {
  return error_field(e, FF_CODE_invalid_dependency, field, "%s", detail);
}

/* Rows 1 … 5. */
static enum ff_rc load_staged(struct tx *tx, const struct edge_prep *p,
                              const struct execution **down, const struct edge **edge,
                              struct ff_error *e) {
  struct edge key = key_of(p);
  struct ff_id id;
  TRY(execution_load(tx, p->down, down, e));
  if (uuid_is_nil((*down)->flow_id))
    return error_field(e, FF_CODE_execution_not_in_flow, "downstream_execution_id",
                       "is no member of a flow");
  if (!uuid_equal((*down)->flow_id, p->flow.uuid)) {
    uuid_format_id((*down)->flow_id, &id);
    enum ff_rc rc = error_field(e, FF_CODE_execution_already_in_flow, "downstream_execution_id",
                                "already_member_of_different_flow:%s", id.text);
    error_context(e, "flow_id", "%s", id.text);
    return rc;
  }
  TRY(tx_get_edge(tx, &key, edge));
  uuid_format_id(p->edge_id, &id);
  if (!*edge)
    return error_field(e, FF_CODE_invalid_dependency, "edge_id", "edge_not_found: %s", id.text);
  bool same = p->up.partition == p->flow.partition &&
              uuid_equal((*edge)->upstream_execution_id, p->up.uuid) &&
              uuid_equal((*edge)->downstream_execution_id, p->down.uuid);
  return same ? FF_OK : invalid("edge_endpoint_mismatch", "edge_id", e);
}

/* Row 8. */
static enum ff_rc check_terms(const struct ff_apply_dependency_to_child_args *a,
                              const struct edge *edge, struct ff_error *e) {
  if (text_nonempty(a->data_passing_ref) && text_nonempty(edge->data_passing_ref) &&
      !text_equal(a->data_passing_ref, edge->data_passing_ref))
    return invalid("data_passing_ref_mismatch", "data_passing_ref", e);
  if (!is_success_only(a->dependency_kind))
    return invalid("dependency_kind_mismatch", "dependency_kind", e);
  return FF_OK;
}

/* How the upstream has ended, none while it lives; its record, if it is still there. */
static enum ff_rc find_upstream(struct tx *tx, const struct edge_prep *p,
                                const struct execution **record,
                                enum ff_terminal_outcome *outcome) {
  struct execution key = {.partition = p->up.partition, .id = p->up.uuid};
  const struct flow_member *member = NULL;
  TRY(tx_get_execution(tx, &key, record));
  TRY(flow_member_get(tx, p->flow, p->up.uuid, &member));
  *outcome = member ? (enum ff_terminal_outcome)member->last_outcome : FF_terminal_outcome_none;
  return FF_OK;
}

/* Last of all: who is released or skipped by this very edge was never blocked by it. */
static enum ff_rc block(struct tx *tx, const struct edge_prep *p, const struct edge_group *g) {
  const struct execution *read = NULL;
  struct ff_id id;
  TRY(execution_load(tx, p->down, &read, NULL));
  bool waits = g->group_state != FF_edge_group_state_satisfied; /* FP-8 */
  if (read->lifecycle_phase != FF_lifecycle_phase_runnable || !waits) return FF_OK;
  uuid_format_id(p->edge_id, &id);
  dependency_block(tx, tx_edit_execution(tx, read),
                   arena_printf(tx_arena(tx), "%u dep(s) unresolved incl %s",
                                g->applied - edge_group_resolved(g), id.text));
  return FF_OK;
}

/* The edge is armed and its group counts it. */
static void arm(struct tx *tx, const struct edge *edge, struct edge_group *g,
                const struct execution *down, struct ff_str data_passing_ref) {
  struct edge *x = tx_edit_edge(tx, edge);
  bool ended = down->lifecycle_phase == FF_lifecycle_phase_terminal;
  x->applied_at = tx_now(tx);
  x->resolution = FF_edge_resolution_unsatisfied;
  if (!text_nonempty(x->data_passing_ref) && text_nonempty(data_passing_ref))
    x->data_passing_ref = data_passing_ref;
  g->applied++;
  if (ended && g->group_state == FF_edge_group_state_pending)
    g->group_state = FF_edge_group_state_cancelled;
  if (!ended && g->group_state == FF_edge_group_state_satisfied &&
      g->policy == FF_edge_policy_all_of) { /* FA-3 */
    g->group_state = FF_edge_group_state_pending;
    g->satisfied_at = 0;
  }
}

static enum ff_rc apply_now(struct tx *tx, const struct edge_prep *p, const struct edge *edge,
                            const struct execution *down, struct ff_str data_passing_ref,
                            uint32_t *unsatisfied, struct ff_error *e) {
  const struct edge_group *group = NULL;
  const struct execution *source = NULL;
  enum ff_terminal_outcome outcome = FF_terminal_outcome_none;
  struct cascade c;
  TRY(cascade_open(&c, tx, p->flow));
  TRY(find_upstream(tx, p, &source, &outcome));
  TRY(edge_group_get(tx, p->flow, p->down.uuid, &group));
  if (!group) return error_field(e, FF_CODE_corruption, "n", "edge_group: n: missing");
  TRY(cascade_plan_edges(&c, &edge, 1, outcome, source));
  tx_edit_flow(tx, c.flow); /* whoever ends the upstream meanwhile writes it too (FA-7) */
  struct edge_group *g = tx_edit_edge_group(tx, group);
  arm(tx, edge, g, down, data_passing_ref);
  if (outcome) {
    const struct edge **armed = ARENA_NEW(tx_arena(tx), const struct edge *);
    TRY(tx_get_edge(tx, edge, armed));
    cascade_add_edges(&c, p->up.uuid, outcome, armed, 1);
  } else {
    TRY(cascade_judge_group(&c, g)); /* a quorum that can no longer be reached (FP-10) */
  }
  TRY(cascade_act(&c));
  *unsatisfied = g->applied - edge_group_resolved(g);
  return block(tx, p, g);
}

static enum ff_rc apply_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct ff_apply_dependency_to_child_args *a = args;
  const struct edge_prep *p = prep;
  struct ff_apply_dependency_to_child_result *r = result;
  const struct execution *down = NULL;
  const struct edge *edge = NULL;
  const struct flow *flow = NULL;
  TRY(load_staged(tx, p, &down, &edge, e));
  r->outcome = FF_outcome_already_applied;
  if (edge->applied_at) return FF_OK;
  TRY(flow_load_open(tx, p->flow, &flow, e));
  TRY(check_terms(a, edge, e));
  r->outcome = FF_outcome_applied;
  return apply_now(tx, p, edge, down, a->data_passing_ref, &r->unsatisfied_count, e);
}

const struct op_code op_code_apply_dependency_to_child = {sizeof(struct edge_prep), apply_prepare,
                                                          apply_declare, apply_run};
