/*
 * The oracle's look at flows: their records against a recount and against the models of their
 * members (04 §2.1).
 */
#include "test/lib/oracle_impl.h"

#include <stdio.h>

struct seen_flow {
  const struct flow *flow;
  const struct flow_member *const *members;
  uint32_t member_count;
};

static struct store_scan scan(struct oracle *o, enum index_id index, const void *from) {
  struct store_scan found = {.index = index, .from = from, .limit = 100000};
  struct ff_error error;
  int64_t now;
  INVARIANT(store_fetch(o->session, &o->arena, NULL, 0, &found, 1, &now, &error) == FF_OK);
  return found;
}

static bool complain_flow(struct oracle *o, const struct flow *flow, const char *rule,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));
static bool complain_flow(struct oracle *o, const struct flow *flow, const char *rule,
                          const char *format, ...) {
  char id[37], text[400];
  va_list args;
  uuid_format(flow->flow_id, id);
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return complain(o, NULL, "flow %s: %s: %s", id, rule, text);
}

/* FI-7: members and how they ended against the counters; an end is the one the log tells. */
static bool members_fit(struct oracle *o, const struct seen_flow *f) {
  uint32_t ended[FF_terminal_outcome_COUNT] = {0}, lost = 0;
  for (uint32_t i = 0; i < f->member_count; i++) {
    const struct flow_member *member = f->members[i];
    struct model *m = model_find(o, (struct exec_id){member->partition, member->execution_id});
    ended[member->last_outcome]++;
    lost += member->lost_quorum;
    if (!m || !m->exists) continue;
    if (m->generation) continue; /* purged, and the id used again: the member may be of either life */
    uint8_t expected = m->ended ? m->outcome : FF_terminal_outcome_none;
    MUST(o, m, member->last_outcome == expected, "its member says it ended %s, the log %s",
         ff_word(FF_WORD_terminal_outcome, member->last_outcome),
         ff_word(FF_WORD_terminal_outcome, expected));
    MUST(o, m, uuid_equal(m->seen.flow_id, member->flow_id), "a member without a way back");
  }
  const struct flow *w = f->flow;
  if (w->node_count != f->member_count)
    return complain_flow(o, w, "FI-7", "node_count %u, %u members", w->node_count,
                         f->member_count);
  if (w->t_completed != ended[FF_terminal_outcome_success] ||
      w->t_failed != ended[FF_terminal_outcome_failed] ||
      w->t_cancelled != ended[FF_terminal_outcome_cancelled] ||
      w->t_expired != ended[FF_terminal_outcome_expired] ||
      w->t_skipped != ended[FF_terminal_outcome_skipped] || w->t_cancelled_quorum != lost)
    return complain_flow(o, w, "FI-7", "counters differ from a recount of the members");
  return true;
}

/* ---- edges, groups and what is left of cascades ---- */

static bool member_ended(const struct seen_flow *f, struct uuid id, bool *known) {
  for (uint32_t i = 0; i < f->member_count; i++)
    if (uuid_equal(f->members[i]->execution_id, id)) {
      *known = true;
      return f->members[i]->last_outcome != FF_terminal_outcome_none;
    }
  *known = false;
  return false;
}

static bool has_backlog(struct oracle *o, const struct flow *flow, struct uuid id) {
  struct cascade_backlog key = {
      .partition = flow->partition, .flow_id = flow->flow_id, .execution_id = id};
  struct store_get get = {RECORD_KIND_cascade_backlog, &key, NULL};
  struct ff_error error;
  int64_t now;
  INVARIANT(store_fetch(o->session, &o->arena, &get, 1, NULL, 0, &now, &error) == FF_OK);
  return get.record != NULL;
}

/* FI-1, FI-2, FI-5: a group against its edges and its downstream. */
static bool group_fits(struct oracle *o, const struct seen_flow *f, const struct edge_group *g,
                       const struct store_scan *edges) {
  uint32_t n = 0, applied = 0, satisfied = 0, impossible = 0;
  for (uint32_t i = 0; i < edges->count; i++) {
    const struct edge *edge = edges->records[i];
    if (!uuid_equal(edge->downstream_execution_id, g->downstream_execution_id)) continue;
    n++;
    applied += edge->applied_at != 0;
    satisfied += edge->resolution == FF_edge_resolution_satisfied;
    impossible += edge->resolution == FF_edge_resolution_impossible;
  }
  if (g->n != n || g->applied != applied || g->succeeded != satisfied ||
      g->failed + g->skipped != impossible)
    return complain_flow(o, f->flow, "FI-2",
                         "group %u/%u edges, %u satisfied, %u+%u impossible; counted %u/%u, %u, %u",
                         g->applied, g->n, g->succeeded, g->failed, g->skipped, applied, n,
                         satisfied, impossible);
  bool known, ended = member_ended(f, g->downstream_execution_id, &known);
  bool alone = f->flow->state == FF_flow_state_cancelled; /* 04 FX-14: what runs may end by itself */
  if (g->group_state == FF_edge_group_state_impossible && known && !ended && !alone)
    return complain_flow(o, f->flow, "FI-5", "a group is impossible, its downstream goes on");
  if (g->group_state == FF_edge_group_state_cancelled && known && !ended)
    return complain_flow(o, f->flow, "FP-11", "a group is cancelled, its downstream goes on");
  return true;
}

/* FI-3: an end that is still owed to an edge is in the backlog; without one it may not be open. */
static bool edge_fits(struct oracle *o, const struct seen_flow *f, const struct edge *edge) {
  bool known, ended = member_ended(f, edge->upstream_execution_id, &known);
  bool open = edge->resolution == FF_edge_resolution_unsatisfied && !edge->rearmed;
  if ((edge->applied_at != 0) != (edge->resolution != FF_edge_resolution_none))
    return complain_flow(o, f->flow, "FI-1", "an edge is applied and not armed, or the reverse");
  if (open && ended && !has_backlog(o, f->flow, edge->upstream_execution_id))
    return complain_flow(o, f->flow, "FI-3", "an end was never told to an edge");
  if (edge->rearmed && !ended)
    return complain_flow(o, f->flow, "FL-5", "an edge waits for another end of what is alive");
  return true;
}

static bool owes_an_edge(struct oracle *o, const struct seen_flow *f, struct uuid down,
                         const struct store_scan *edges) {
  for (uint32_t i = 0; i < edges->count; i++) {
    const struct edge *edge = edges->records[i];
    if (uuid_equal(edge->downstream_execution_id, down) &&
        has_backlog(o, f->flow, edge->upstream_execution_id))
      return true;
  }
  return false;
}

/* FI-4: who waits for dependencies has a group that is not decided, or will be told. */
static bool waits_rightly(struct oracle *o, const struct seen_flow *f,
                          const struct store_scan *groups, const struct store_scan *edges) {
  for (uint32_t i = 0; i < f->member_count; i++) {
    const struct flow_member *member = f->members[i];
    struct model *m = model_find(o, (struct exec_id){member->partition, member->execution_id});
    if (!m || !m->exists || m->ended || !uuid_equal(m->seen.flow_id, member->flow_id)) continue;
    if (m->seen.eligibility_state != FF_eligibility_state_blocked_by_dependencies) continue;
    bool pending = false;
    for (uint32_t k = 0; k < groups->count; k++) {
      const struct edge_group *g = groups->records[k];
      if (uuid_equal(g->downstream_execution_id, member->execution_id))
        pending = g->group_state == FF_edge_group_state_pending;
    }
    MUST(o, m, pending || owes_an_edge(o, f, member->execution_id, edges),
         "waits for dependencies that are decided (FI-4)");
  }
  return true;
}

static bool graph_fits(struct oracle *o, const struct seen_flow *f) {
  struct edge edge_from = {.partition = f->flow->partition, .flow_id = f->flow->flow_id};
  struct edge_group group_from = {.partition = f->flow->partition, .flow_id = f->flow->flow_id};
  struct store_scan edges = scan(o, INDEX_edge_by_flow, &edge_from);
  struct store_scan groups = scan(o, INDEX_edge_group_by_flow, &group_from);
  if (f->flow->edge_count != edges.count || f->flow->group_count != groups.count)
    return complain_flow(o, f->flow, "FE-1", "%u edges and %u groups, counted %u and %u",
                         f->flow->edge_count, f->flow->group_count, edges.count, groups.count);
  for (uint32_t i = 0; i < groups.count; i++)
    if (!group_fits(o, f, groups.records[i], &edges)) return false;
  for (uint32_t i = 0; i < edges.count; i++)
    if (!edge_fits(o, f, edges.records[i])) return false;
  return waits_rightly(o, f, &groups, &edges);
}

static bool flow_fits(struct oracle *o, const struct flow *flow) {
  struct flow_member from = {.partition = flow->partition, .flow_id = flow->flow_id};
  struct store_scan members = scan(o, INDEX_flow_member_by_flow, &from);
  struct seen_flow f = {.flow = flow,
                        .members = (const struct flow_member *const *)members.records,
                        .member_count = members.count};
  return members_fit(o, &f) && graph_fits(o, &f);
}

/* The back-pointer of an execution has its member. */
static bool member_fits(struct oracle *o, struct model *m) {
  struct flow_member key = {.partition = m->id.partition,
                            .flow_id = m->seen.flow_id,
                            .execution_id = m->id.uuid};
  struct store_get get = {RECORD_KIND_flow_member, &key, NULL};
  struct ff_error error;
  int64_t now;
  if (!m->exists || uuid_is_nil(m->seen.flow_id)) return true;
  INVARIANT(store_fetch(o->session, &o->arena, &get, 1, NULL, 0, &now, &error) == FF_OK);
  MUST(o, m, get.record, "points to a flow it is no member of");
  return true;
}

bool flows_fit(struct oracle *o) {
  struct flow from = {.partition = 0};
  struct store_scan flows = scan(o, INDEX_flow_all, &from);
  for (uint32_t i = 0; i < flows.count; i++)
    if (!flow_fits(o, flows.records[i])) return false;
  for (uint32_t i = 0; i < o->model_count; i++)
    if (!member_fits(o, &o->models[i])) return false;
  return true;
}

bool oracle_is_stuck(struct oracle *o, const struct execution *x) {
  struct edge from = {.partition = x->partition,
                      .flow_id = x->flow_id,
                      .downstream_execution_id = x->id};
  struct store_scan edges = scan(o, INDEX_edge_in, &from);
  for (uint32_t i = 0; i < edges.count; i++) {
    const struct edge *edge = edges.records[i];
    if (!edge->applied_at || edge->rearmed) return true;
    struct model *m = model_find(o, (struct exec_id){x->partition, edge->upstream_execution_id});
    bool open = edge->resolution == FF_edge_resolution_unsatisfied;
    if (open && (!m || !m->exists || !uuid_equal(m->seen.flow_id, x->flow_id))) return true;
  }
  struct edge_group key = {
      .partition = x->partition, .flow_id = x->flow_id, .downstream_execution_id = x->id};
  struct store_get get = {RECORD_KIND_edge_group, &key, NULL};
  struct ff_error error;
  int64_t now;
  INVARIANT(store_fetch(o->session, &o->arena, &get, 1, NULL, 0, &now, &error) == FF_OK);
  const struct edge_group *g = get.record;
  return g && g->policy == FF_edge_policy_quorum && g->n < g->k;
}
