/*
 * Planning a cascade: loading what it may read, in few rounds and without staging anything.
 *
 * The direct edges come from the index of the member's out-edges. Only when one of them forces
 * somebody to end is the flow loaded as a whole, and everything that can be reached asked for at
 * once. What is beyond the limits is not reached: the cascade stops there and leaves a backlog.
 */
#include "op/cascade_impl.h"

enum { REACH_MAX = 1024 }; /* members a cascade asks for */

/* In-edges of a downstream that were loaded one by one. */
struct cascade_in {
  struct uuid downstream;
  const struct edge **edges;
  uint32_t count;
};

static void note(enum ff_rc rc, enum ff_rc *worst) {
  if (rc != FF_OK && *worst != FF_UNREADABLE) *worst = rc;
}

static enum ff_rc want_execution(struct cascade *c, struct uuid id, const struct execution **out) {
  struct execution key = {.partition = c->id.partition, .id = id};
  *out = NULL;
  return tx_get_execution(c->tx, &key, out);
}

/* All that ending this member reads. */
static enum ff_rc want_end(struct cascade *c, struct uuid id) {
  const struct execution *x = NULL;
  const struct flow_member *member = NULL;
  const struct edge_group *own = NULL;
  enum ff_rc worst = FF_OK;
  note(want_execution(c, id, &x), &worst);
  note(flow_member_get(c->tx, c->id, id, &member), &worst);
  note(edge_group_get(c->tx, c->id, id, &own), &worst);
  if (x && x->lifecycle_phase != FF_lifecycle_phase_terminal)
    note(execution_want_end(c->tx, x), &worst);
  return worst;
}

/* ---- the flow as a whole ---- */

static bool is_small(const struct flow *flow) {
  return flow->edge_count <= CASCADE_EDGES_MAX && flow->group_count <= CASCADE_GROUPS_MAX;
}

/* By one scan: a node without a group is known to have none. */
static enum ff_rc load_groups(struct cascade *c, struct graph *graph) {
  struct edge_group from = {.partition = c->id.partition, .flow_id = c->id.uuid};
  struct tx_scan scan;
  const void *record = NULL;
  TRY(tx_scan_open(c->tx, INDEX_edge_group_by_flow, &from, false, c->flow->group_count + 1, &scan));
  for (;;) {
    TRY(tx_scan_next(&scan, &record));
    const struct edge_group *g = record;
    if (!g) return FF_OK;
    struct graph_node *node = graph_find(graph, g->downstream_execution_id);
    if (node) node->group = g;
  }
}

static enum ff_rc load_flow(struct cascade *c) {
  struct graph *graph = ARENA_NEW(tx_arena(c->tx), struct graph);
  enum ff_rc worst = FF_OK;
  if (c->graph) return FF_OK;
  note(graph_load(c->tx, c->flow, graph), &worst);
  note(load_groups(c, graph), &worst);
  if (worst == FF_OK) c->graph = graph;
  return worst;
}

struct walk {
  struct graph_node **queue;
  uint32_t count;
};

static void visit(struct cascade *c, struct walk *walk, struct uuid id) {
  struct graph_node *node = graph_find(c->graph, id);
  if (!node || node->reached || c->reached == REACH_MAX) return;
  node->reached = true;
  c->reached++;
  walk->queue[walk->count++] = node;
}

static bool is_pending(const struct edge_group *g) {
  return g && g->group_state == FF_edge_group_state_pending;
}

/* Where the end of this node may lead; when its group fires, to the siblings as well. */
static void expand(struct cascade *c, struct walk *walk, const struct graph_node *node) {
  if (is_pending(node->group) && node->group->on_satisfied == FF_on_satisfied_cancel_remaining)
    for (uint32_t i = 0; i < node->in_count; i++)
      visit(c, walk, c->graph->in[node->in + i]->upstream_execution_id);
  for (uint32_t i = 0; i < node->out_count; i++) {
    const struct edge *edge = c->graph->out[node->out + i];
    if (!edge_is_open(edge)) continue;
    struct graph_node *down = graph_find(c->graph, edge->downstream_execution_id);
    if (is_pending(down->group))
      visit(c, walk, edge->downstream_execution_id);
    else /* only counted: nothing more is read */
      down->reached = true;
  }
}

static enum ff_rc reach(struct cascade *c, const struct uuid *ids, uint32_t count) {
  enum ff_rc worst = FF_OK;
  TRY(load_flow(c));
  struct walk walk = {
      ARENA_ARRAY(tx_arena(c->tx), struct graph_node *, c->graph->node_count + 1), 0};
  for (uint32_t i = 0; i < count; i++) visit(c, &walk, ids[i]);
  for (uint32_t i = 0; i < walk.count; i++) {
    expand(c, &walk, walk.queue[i]);
    note(want_end(c, walk.queue[i]->id), &worst);
  }
  return worst;
}

bool cascade_reaches(const struct cascade *c, struct uuid member) {
  const struct graph_node *node = c->graph ? graph_find(c->graph, member) : NULL;
  return !node || node->reached;
}

/* ---- a flow too large for that ---- */

static enum ff_rc load_in_edges(struct cascade *c, const struct edge_group *g) {
  struct edge from = {.partition = c->id.partition,
                      .flow_id = c->id.uuid,
                      .downstream_execution_id = g->downstream_execution_id};
  struct cascade_in *in = &c->ins[c->in_count++];
  struct tx_scan scan;
  enum ff_rc worst = FF_OK;
  *in = (struct cascade_in){g->downstream_execution_id, NULL, 0};
  TRY(tx_scan_open(c->tx, INDEX_edge_in, &from, false, g->n + 1, &scan));
  in->edges = ARENA_ARRAY(tx_arena(c->tx), const struct edge *, g->n + 1);
  while (in->count <= g->n) {
    const struct flow_member *member;
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    in->edges[in->count] = record;
    struct uuid up = in->edges[in->count++]->upstream_execution_id;
    note(flow_member_get(c->tx, c->id, up, &member), &worst);
  }
  return worst;
}

void cascade_in_edges(const struct cascade *c, struct uuid downstream,
                      const struct edge *const **edges, uint32_t *count) {
  const struct graph_node *node = c->graph ? graph_find(c->graph, downstream) : NULL;
  *edges = node ? c->graph->in + node->in : NULL;
  *count = node ? node->in_count : 0;
  for (uint32_t i = 0; i < c->in_count; i++)
    if (uuid_equal(c->ins[i].downstream, downstream)) {
      *edges = c->ins[i].edges;
      *count = c->ins[i].count;
    }
}

/* ---- the first steps ---- */

struct direct {
  const struct edge *edge;
  const struct edge_group *group;
  const struct execution *x;
};

/* Whether resolving the edge forces somebody to end. */
static bool forces(const struct direct *d, enum ff_terminal_outcome outcome) {
  if (!is_pending(d->group)) return false;
  struct edge_group after = *d->group;
  if (outcome) edge_group_count(&after, outcome);
  enum ff_edge_group_state state = edge_group_judge(&after);
  if (state == FF_edge_group_state_pending) return false;
  return state == FF_edge_group_state_impossible ||
         after.on_satisfied == FF_on_satisfied_cancel_remaining;
}

static enum ff_rc load_direct(struct cascade *c, const struct edge *const *edges, uint32_t count,
                              struct direct *out) {
  enum ff_rc worst = FF_OK;
  for (uint32_t i = 0; i < count; i++) {
    struct uuid down = edges[i]->downstream_execution_id;
    out[i] = (struct direct){.edge = edges[i]};
    note(edge_group_get(c->tx, c->id, down, &out[i].group), &worst);
    note(want_execution(c, down, &out[i].x), &worst);
  }
  return worst;
}

enum ff_rc cascade_plan_edges(struct cascade *c, const struct edge *const *edges, uint32_t count,
                              enum ff_terminal_outcome outcome, const struct execution *source) {
  struct arena *arena = tx_arena(c->tx);
  struct direct *direct = ARENA_ARRAY(arena, struct direct, count + 1);
  struct uuid *forced = ARENA_ARRAY(arena, struct uuid, count + 1);
  uint32_t forced_count = 0;
  enum ff_rc worst = FF_OK;
  TRY(load_direct(c, edges, count, direct));
  c->ins = ARENA_ARRAY(arena, struct cascade_in, count + 1);
  for (uint32_t i = 0; i < count; i++) {
    const struct direct *d = &direct[i];
    if (d->x && outcome == FF_terminal_outcome_success && text_nonempty(d->edge->data_passing_ref))
      note(dependency_want_data(c->tx, source, d->x), &worst);
    if (!forces(d, outcome)) continue;
    forced[forced_count++] = d->edge->downstream_execution_id;
    note(want_end(c, d->edge->downstream_execution_id), &worst);
    if (!is_small(c->flow) && d->group->on_satisfied == FF_on_satisfied_cancel_remaining)
      note(load_in_edges(c, d->group), &worst);
  }
  if (forced_count && is_small(c->flow)) {
    note(reach(c, forced, forced_count), &worst);
    for (uint32_t i = 0; c->graph && i < count; i++) { /* the others need nothing more */
      struct graph_node *node = graph_find(c->graph, edges[i]->downstream_execution_id);
      if (node) node->reached = true;
    }
  }
  return worst;
}

enum ff_rc cascade_plan_members(struct cascade *c, const struct uuid *ids, uint32_t count) {
  enum ff_rc worst = FF_OK;
  if (c->steps < count) count = c->steps;
  for (uint32_t i = 0; i < count; i++) note(want_end(c, ids[i]), &worst);
  if (is_small(c->flow)) note(reach(c, ids, count), &worst);
  return worst;
}

enum ff_rc cascade_plan_out(struct cascade *c, struct uuid member, struct uuid after) {
  struct edge from = {.partition = c->id.partition,
                      .flow_id = c->id.uuid,
                      .upstream_execution_id = member,
                      .edge_id = after};
  struct tx_scan scan;
  TRY(tx_scan_open(c->tx, INDEX_edge_out, &from, !uuid_is_nil(after), c->steps + 1, &scan));
  c->edges = ARENA_ARRAY(tx_arena(c->tx), const struct edge *, c->steps + 1);
  for (c->edge_count = 0; c->edge_count <= c->steps;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    c->edges[c->edge_count] = record;
    c->edge_count += edge_is_open(c->edges[c->edge_count]);
  }
  return FF_OK;
}

enum ff_rc cascade_plan_end(struct cascade *c, struct tx *tx, const struct execution *x,
                            enum ff_terminal_outcome outcome) {
  const struct flow_member *member;
  const struct edge_group *own;
  enum ff_rc worst = FF_OK;
  note(cascade_open(c, tx, flow_of_member(x)), &worst);
  note(flow_member_get(tx, c->id, x->id, &member), &worst);
  note(edge_group_get(tx, c->id, x->id, &own), &worst);
  note(cascade_plan_out(c, x->id, (struct uuid){{0}}), &worst);
  if (worst != FF_OK || !c->flow) return worst;
  return cascade_plan_edges(c, c->edges, c->edge_count, outcome, x);
}
