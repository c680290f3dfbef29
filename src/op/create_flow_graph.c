/*
 * create_flow_graph: a flow with its members and their edges in one transaction (00 §2.8).
 *
 * The whole graph is in the arguments, so everything but lanes and existence is judged before
 * anything is loaded. What comes out is what the single operations would have made one by one.
 */
#include "op/create.h"
#include "op/edge.h"

#include "flowfabric/flow.h"

#include <stdlib.h>

enum { MEMBERS_MAX = 1000, EDGES_MAX = 5000 };

struct graph_member {
  struct ff_create_execution_args args;
  struct create_prep create;
  struct edge_policy policy;
  uint32_t in_count;
};
struct graph_edge {
  uint32_t up, down;
};
struct graph_prep {
  struct flow_id flow;
  struct graph_member *members;
  struct graph_edge *edges;
};

/* ---- ids ---- */

/* The flow's first half, which is a time when it is a version-7 uuid, then the place, then a digest:
 * rows of a graph lie together. */
static struct uuid derive_id(struct uuid flow, const char *what, uint32_t place) {
  struct uuid id = flow;
  uint64_t digest = hash_mix64(hash_fnv1a64(flow.b, sizeof flow.b) ^ hash_fnv1a64(what, 4));
  id.b[8] = (uint8_t)(0x80 | (place >> 8 & 0x3f));
  id.b[9] = (uint8_t)place;
  memcpy(id.b + 10, &digest, 6);
  return id;
}
static struct uuid member_id(struct uuid flow, uint32_t place) {
  return derive_id(flow, "node", place);
}
static struct uuid edge_id(struct uuid flow, uint32_t place) {
  return derive_id(flow, "edge", place);
}

/* ---- names ---- */

struct name {
  struct ff_str text;
  uint32_t place;
};

static int by_text(const void *a, const void *b) {
  const struct name *x = a, *y = b;
  return text_compare(x->text, y->text);
}

static enum ff_rc at_member(enum ff_rc rc, uint32_t i, struct ff_error *e) {
  if (rc != FF_OK) error_context(e, "member", "%u", i);
  return rc;
}
static enum ff_rc at_edge(enum ff_rc rc, uint32_t i, struct ff_error *e) {
  if (rc != FF_OK) error_context(e, "edge", "%u", i);
  return rc;
}

static enum ff_rc sort_names(const struct ff_graph_members *members, struct name *names,
                             struct ff_error *e) {
  for (uint32_t i = 0; i < members->count; i++) {
    struct ff_str name = members->items[i].name;
    if (!text_nonempty(name))
      return at_member(error_field(e, FF_CODE_invalid_input, "members", "name is empty"), i, e);
    TRY(at_member(text_check(name, "members", NAME_MAX_BYTES, e), i, e));
    names[i] = (struct name){name, i};
  }
  qsort(names, members->count, sizeof *names, by_text);
  for (uint32_t i = 1; i < members->count; i++)
    if (text_equal(names[i].text, names[i - 1].text))
      return at_member(error_field(e, FF_CODE_invalid_input, "members", "name stands twice"),
                       names[i].place, e);
  return FF_OK;
}

static enum ff_rc find_name(const struct name *names, size_t count, struct ff_str text,
                            uint32_t *place, struct ff_error *e) {
  struct name key = {text, 0};
  const struct name *found = bsearch(&key, names, count, sizeof key, by_text);
  if (!found) return error_field(e, FF_CODE_invalid_input, "edges", "no member of that name");
  *place = found->place;
  return FF_OK;
}

/* ---- checking the graph ---- */

static enum ff_rc check_members(const struct op_config *config,
                                const struct ff_create_flow_graph_args *a, struct graph_prep *p,
                                struct arena *arena, struct ff_error *e) {
  p->members = ARENA_ARRAY(arena, struct graph_member, a->members.count);
  for (uint32_t i = 0; i < a->members.count; i++) {
    const struct ff_graph_member *from = &a->members.items[i];
    struct graph_member *m = &p->members[i];
    m->args = (struct ff_create_execution_args){.size = sizeof m->args,
                                                .namespace_ = a->namespace_,
                                                .lane_id = from->lane_id,
                                                .execution_kind = from->execution_kind,
                                                .input_payload = from->input_payload,
                                                .payload_encoding = from->payload_encoding,
                                                .priority = from->priority,
                                                .creator_identity = a->creator_identity,
                                                .tags = from->tags,
                                                .policy = from->policy,
                                                .delay_until = from->delay_until,
                                                .deadline_at = from->deadline_at};
    TRY(at_member(create_check(config, &m->args, &m->create, arena, e), i, e));
    m->create.id = (struct exec_id){p->flow.partition, member_id(p->flow.uuid, i)};
    TRY(at_member(edge_policy_parse(from->edge_policy, arena, &m->policy, e), i, e));
  }
  return FF_OK;
}

static int by_ends(const void *a, const void *b) {
  const struct graph_edge *x = *(const struct graph_edge *const *)a;
  const struct graph_edge *y = *(const struct graph_edge *const *)b;
  if (x->up != y->up) return x->up < y->up ? -1 : 1;
  return (x->down > y->down) - (x->down < y->down);
}

static enum ff_rc check_edges(const struct ff_create_flow_graph_args *a, struct graph_prep *p,
                              const struct name *names, struct arena *arena, struct ff_error *e) {
  size_t count = a->edges.count;
  const struct graph_edge **order = ARENA_ARRAY(arena, const struct graph_edge *, count + 1);
  p->edges = ARENA_ARRAY(arena, struct graph_edge, count + 1);
  for (uint32_t i = 0; i < count; i++) {
    const struct ff_graph_edge *from = &a->edges.items[i];
    struct graph_edge *edge = &p->edges[i];
    TRY(at_edge(find_name(names, a->members.count, from->upstream, &edge->up, e), i, e));
    TRY(at_edge(find_name(names, a->members.count, from->downstream, &edge->down, e), i, e));
    if (edge->up == edge->down)
      return at_edge(error_field(e, FF_CODE_self_referencing_edge, "edges",
                                 "an execution cannot wait for itself"), i, e);
    TRY(at_edge(edge_check_terms((struct ff_str){0}, from->data_passing_ref, e), i, e));
    p->members[edge->down].in_count++;
    order[i] = edge;
  }
  qsort(order, count, sizeof *order, by_ends);
  for (uint32_t i = 1; i < count; i++)
    if (by_ends(&order[i], &order[i - 1]) == 0)
      return at_edge(error_field(e, FF_CODE_dependency_already_exists, "edges",
                                 "two edges of one pair"),
                     (uint32_t)(order[i] - p->edges), e);
  return FF_OK;
}

/* Takes away what waits for nothing, again and again: what is left waits for itself. */
static enum ff_rc check_acyclic(const struct ff_create_flow_graph_args *a,
                                const struct graph_prep *p, struct arena *arena,
                                struct ff_error *e) {
  uint32_t n = (uint32_t)a->members.count, taken = 0;
  uint32_t *waits = ARENA_ARRAY(arena, uint32_t, n), *queue = ARENA_ARRAY(arena, uint32_t, n);
  uint32_t *first = ARENA_ARRAY(arena, uint32_t, n + 1);
  uint32_t *next = ARENA_ARRAY(arena, uint32_t, a->edges.count + 1);
  for (uint32_t i = 0; i < a->edges.count; i++) { /* lists of out-edges, ends are 0 */
    next[i] = first[p->edges[i].up];
    first[p->edges[i].up] = i + 1;
    waits[p->edges[i].down]++;
  }
  for (uint32_t i = 0; i < n; i++)
    if (!waits[i]) queue[taken++] = i;
  for (uint32_t i = 0; i < taken; i++)
    for (uint32_t k = first[queue[i]]; k; k = next[k - 1])
      if (--waits[p->edges[k - 1].down] == 0) queue[taken++] = p->edges[k - 1].down;
  for (uint32_t i = 0; i < n; i++)
    if (waits[i])
      return at_member(error_field(e, FF_CODE_cycle_detected, "edges",
                                   "the member waits for itself"), i, e);
  return FF_OK;
}

static enum ff_rc check_policies(const struct ff_create_flow_graph_args *a,
                                 const struct graph_prep *p, struct ff_error *e) {
  for (uint32_t i = 0; i < a->members.count; i++) {
    const struct graph_member *m = &p->members[i];
    uint32_t needs = m->policy.kind == FF_edge_policy_quorum   ? m->policy.k
                     : m->policy.kind == FF_edge_policy_any_of ? 1
                                                               : 0;
    if (needs > m->in_count)
      return at_member(error_field(e, FF_CODE_invalid_input, "members",
                                   "edge_policy needs %u edges, there are %u", needs, m->in_count),
                       i, e);
  }
  return FF_OK;
}

static enum ff_rc graph_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_create_flow_graph_args *a = args;
  struct graph_prep *p = prep;
  TRY(flow_id_parse(a->flow_id, config, &p->flow, e));
  TRY(flow_check_labels(a->flow_kind, a->namespace_, e));
  TRY(text_check(a->creator_identity, "creator_identity", NAME_MAX_BYTES, e));
  if (a->members.count < 1 || a->members.count > MEMBERS_MAX)
    return error_field(e, FF_CODE_invalid_input, "members", "must be 1..%d, got %zu", MEMBERS_MAX,
                       a->members.count);
  if (a->edges.count > EDGES_MAX)
    return error_field(e, FF_CODE_invalid_input, "edges", "at most %d, got %zu", EDGES_MAX,
                       a->edges.count);
  struct name *names = ARENA_ARRAY(arena, struct name, a->members.count);
  TRY(sort_names(&a->members, names, e));
  TRY(check_members(config, a, p, arena, e));
  TRY(check_edges(a, p, names, arena, e));
  TRY(check_acyclic(a, p, arena, e));
  return check_policies(a, p, e);
}

/* ---- making it ---- */

static void graph_declare(struct declare *d, const void *args, const void *prep) {
  const struct ff_create_flow_graph_args *a = args;
  const struct graph_prep *p = prep;
  declare_flow(d, p->flow);
  for (size_t i = 0; i < a->members.count; i++) {
    declare_execution(d, p->members[i].create.id);
    declare_get(d, RECORD_KIND_lane, &(struct lane){.lane_id = p->members[i].create.lane});
  }
}

static void answer(struct tx *tx, const struct ff_create_flow_graph_args *a,
                   const struct graph_prep *p, struct ff_create_flow_graph_result *r) {
  struct ff_graph_id *executions = ARENA_ARRAY(tx_arena(tx), struct ff_graph_id, a->members.count);
  struct ff_graph_id *edges = ARENA_ARRAY(tx_arena(tx), struct ff_graph_id, a->edges.count + 1);
  for (size_t i = 0; i < a->members.count; i++)
    exec_id_format(p->members[i].create.id, &executions[i].id);
  for (uint32_t i = 0; i < a->edges.count; i++)
    uuid_format_id(edge_id(p->flow.uuid, i), &edges[i].id);
  uuid_format_id(p->flow.uuid, &r->flow_id);
  r->execution_ids = (struct ff_graph_ids){executions, a->members.count};
  r->edge_ids = (struct ff_graph_ids){edges, a->edges.count};
}

/* Lanes that give no work and ids that are taken, before anything is made. */
static enum ff_rc check_world(struct tx *tx, const struct ff_create_flow_graph_args *a,
                              const struct graph_prep *p, struct ff_error *e) {
  enum ff_rc worst = FF_OK;
  for (uint32_t i = 0; i < a->members.count; i++) {
    const struct create_prep *create = &p->members[i].create;
    struct execution key = {.partition = create->id.partition, .id = create->id.uuid};
    const struct execution *taken = NULL;
    enum ff_rc rc = create_check_lane(tx, create->lane, e);
    if (rc == FF_OK) rc = tx_get_execution(tx, &key, &taken);
    if (rc == FF_MISS) worst = rc;
    else if (rc != FF_OK) return at_member(rc, i, e);
    if (taken)
      return at_member(error_field(e, FF_CODE_execution_already_in_flow, "flow_id",
                                   "its executions outlive an earlier flow of this id"), i, e);
  }
  return worst;
}

static void make_member(struct tx *tx, struct flow *flow, const struct graph_member *m) {
  struct execution key = {.partition = m->create.id.partition, .id = m->create.id.uuid};
  struct flow_member member_key = {
      .partition = flow->partition, .flow_id = flow->flow_id, .execution_id = key.id};
  struct execution *x = tx_insert_execution(tx, &key);
  x->flow_id = flow->flow_id;
  create_fill(tx, x, &m->args, &m->create);
  tx_insert_new_flow_member(tx, &member_key)->seq = flow->next_seq++;
  flow->node_count++;
  if (!m->in_count) return;
  dependency_block(tx, x, arena_printf(tx_arena(tx), "%u dep(s) unresolved", m->in_count));
  struct edge_group group_key = {.partition = flow->partition,
                                 .flow_id = flow->flow_id,
                                 .downstream_execution_id = key.id};
  struct edge_group *g = tx_insert_new_edge_group(tx, &group_key);
  edge_policy_set(g, &m->policy);
  g->n = g->applied = m->in_count;
  flow->group_count++;
}

static void make_edge(struct tx *tx, struct flow *flow, const struct graph_prep *p, uint32_t i,
                      struct ff_str data_passing_ref) {
  struct edge key = {.partition = flow->partition,
                     .flow_id = flow->flow_id,
                     .edge_id = edge_id(flow->flow_id, i)};
  struct edge *edge = tx_insert_new_edge(tx, &key);
  edge->upstream_execution_id = p->members[p->edges[i].up].create.id.uuid;
  edge->downstream_execution_id = p->members[p->edges[i].down].create.id.uuid;
  edge->created_at = edge->applied_at = tx_now(tx);
  edge->resolution = FF_edge_resolution_unsatisfied;
  if (text_nonempty(data_passing_ref)) edge->data_passing_ref = data_passing_ref;
  if (p->edges[i].up > p->edges[i].down) flow->forward_only = 0;
  flow->edge_count++;
}

static enum ff_rc graph_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct ff_create_flow_graph_args *a = args;
  const struct graph_prep *p = prep;
  struct ff_create_flow_graph_result *r = result;
  const struct flow *existing = NULL;
  TRY(tx_get_flow(tx, FLOW_KEY(flow, p->flow), &existing));
  answer(tx, a, p, r);
  r->outcome = existing ? FF_outcome_already_satisfied : FF_outcome_created;
  r->graph_revision = existing ? existing->graph_revision : a->members.count + a->edges.count;
  if (existing) return FF_OK;
  TRY(check_world(tx, a, p, e));
  struct flow *flow = flow_insert(tx, p->flow, a->flow_kind, a->namespace_);
  for (size_t i = 0; i < a->members.count; i++) make_member(tx, flow, &p->members[i]);
  for (uint32_t i = 0; i < a->edges.count; i++)
    make_edge(tx, flow, p, i, a->edges.items[i].data_passing_ref);
  flow->graph_revision = r->graph_revision;
  return FF_OK;
}

const struct op_code op_code_create_flow_graph = {sizeof(struct graph_prep), graph_prepare,
                                                  graph_declare, graph_run};
