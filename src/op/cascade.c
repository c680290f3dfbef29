/*
 * The cascade itself: what is done when a member ends, in order, within the step budget (04 §8.2,
 * §8.4, §9).
 *
 * What acting reads has been asked for by cascade_plan.c. Iterative: depth costs nothing.
 */
#include "op/cascade_impl.h"
#include "op/flow_cancel.h"

enum ff_rc cascade_open(struct cascade *c, struct tx *tx, struct flow_id id) {
  *c = (struct cascade){.tx = tx, .id = id, .steps = tx_config(tx)->cascade_steps};
  return tx_get_flow(tx, FLOW_KEY(flow, id), &c->flow);
}

/* ---- what is queued ---- */

static struct cascade_work *push(struct cascade *c) {
  if (c->work_count == c->work_capacity) {
    uint32_t capacity = c->work_capacity ? 2 * c->work_capacity : 16;
    struct cascade_work *more = ARENA_ARRAY(tx_arena(c->tx), struct cascade_work, capacity);
    if (c->work_count) memcpy(more, c->work, c->work_count * sizeof *more);
    c->work = more;
    c->work_capacity = capacity;
  }
  c->work[c->work_count] = (struct cascade_work){0};
  return &c->work[c->work_count++];
}

void cascade_add_edges(struct cascade *c, struct uuid member, enum ff_terminal_outcome outcome,
                       const struct edge *const *edges, uint32_t count) {
  struct cascade_work *w = push(c);
  w->kind = WORK_EDGES;
  w->id = member;
  w->outcome = (uint8_t)outcome;
  w->edges = edges;
  w->count = count;
}

void cascade_add_siblings(struct cascade *c, struct uuid downstream,
                          enum ff_sibling_cancel_reason reason, const struct uuid *ids,
                          uint32_t count) {
  struct cascade_work *w = push(c);
  w->kind = WORK_SIBLINGS;
  w->id = downstream;
  w->reason = (uint8_t)reason;
  w->siblings = ids;
  w->count = count;
}

/* The out-edges of a member that was forced to end. Without the graph nobody knows them. */
static void push_out_edges(struct cascade *c, const struct execution *x) {
  struct graph_node *node = c->graph ? graph_find(c->graph, x->id) : NULL;
  enum ff_terminal_outcome outcome = (enum ff_terminal_outcome)x->terminal_outcome;
  if (c->graph && !node) return;
  cascade_add_edges(c, x->id, outcome, node ? c->graph->out + node->out : NULL,
                    node ? node->out_count : 0);
  if (!node) c->work[c->work_count - 1].unknown = true;
}

static enum ff_rc get_execution(struct cascade *c, struct uuid id, const struct execution **out) {
  struct execution key = {.partition = c->id.partition, .id = id};
  return tx_get_execution(c->tx, &key, out);
}

/* ---- a member has ended ---- */

/* 04 §8.1 steps 2 and 3. */
enum ff_rc cascade_note_end(struct cascade *c, const struct execution *x, bool lost_quorum) {
  const struct flow_member *member = NULL;
  const struct edge_group *own = NULL;
  TRY(flow_member_get(c->tx, c->id, x->id, &member));
  TRY(edge_group_get(c->tx, c->id, x->id, &own));
  if (member)
    flow_member_count(c->tx, tx_edit_flow(c->tx, c->flow), tx_edit_flow_member(c->tx, member),
                      (enum ff_terminal_outcome)x->terminal_outcome, lost_quorum);
  if (own && own->group_state == FF_edge_group_state_pending)
    tx_edit_edge_group(c->tx, own)->group_state = FF_edge_group_state_cancelled;
  return FF_OK;
}

enum ff_rc cascade_end(struct cascade *c, const struct execution *x) {
  if (!c->flow) return FF_OK;
  TRY(cascade_note_end(c, x, false));
  if (c->edge_count)
    cascade_add_edges(c, x->id, (enum ff_terminal_outcome)x->terminal_outcome, c->edges,
                      c->edge_count);
  return cascade_act(c);
}

/* ---- forcing members to end ---- */

static enum ff_rc forced(struct cascade *c, const struct execution *x, bool lost_quorum) {
  c->ended++;
  TRY(cascade_note_end(c, x, lost_quorum));
  push_out_edges(c, x);
  return FF_OK;
}

/* Of a flow that was cancelled, pending members only, those at work are left alone (FX-14). */
static bool left_alone(const struct cascade *c, const struct execution *x) {
  return c->flow->state == FF_flow_state_cancelled &&
         c->flow->cancellation_policy == FF_flow_cancel_policy_cancel_pending &&
         (x->lifecycle_phase == FF_lifecycle_phase_active ||
          x->lifecycle_phase == FF_lifecycle_phase_suspended);
}

static enum ff_rc skip(struct cascade *c, const struct execution *read) {
  if (read->lifecycle_phase == FF_lifecycle_phase_terminal || left_alone(c, read)) return FF_OK;
  struct execution *x = tx_edit_execution(c->tx, read);
  if (c->steps) c->steps--;
  if (flow_cancels(c->flow, read)) /* 04 FX-6 */
    return cascade_cancel(c, x, flow_cancel_reason(c->flow), TEXT_LIT("cancel_flow"), false);
  TRY(dependency_skip(c->tx, x));
  return forced(c, x, false);
}

enum ff_rc cascade_cancel(struct cascade *c, struct execution *x, struct ff_str reason,
                          struct ff_str cancelled_by, bool lost_quorum) {
  TRY(execution_cancel_alone(c->tx, x, reason, cancelled_by, FF_revoked_by_operator));
  return forced(c, x, lost_quorum);
}

/* FS-2, FS-8 */
static enum ff_rc cancel_sibling(struct cascade *c, struct uuid id, uint8_t reason) {
  const struct execution *x = NULL;
  TRY(get_execution(c, id, &x));
  if (!x || x->lifecycle_phase == FF_lifecycle_phase_terminal) return FF_OK;
  return cascade_cancel(c, tx_edit_execution(c->tx, x),
                        ff_text(ff_word(FF_WORD_sibling_cancel_reason, reason)),
                        TEXT_LIT("flow_cascade"),
                        reason == FF_sibling_cancel_reason_sibling_quorum_satisfied);
}

/* ---- groups ---- */

/* FS-1: the upstreams of all staged edges that are alive, in order of their ids. */
static enum ff_rc push_siblings(struct cascade *c, const struct edge_group *g) {
  enum ff_sibling_cancel_reason reason =
      g->group_state == FF_edge_group_state_satisfied
          ? FF_sibling_cancel_reason_sibling_quorum_satisfied
          : FF_sibling_cancel_reason_sibling_quorum_impossible;
  const struct edge *const *in = NULL;
  uint32_t count = 0, alive = 0;
  cascade_in_edges(c, g->downstream_execution_id, &in, &count);
  struct uuid *ids = ARENA_ARRAY(tx_arena(c->tx), struct uuid, count + 1);
  for (uint32_t i = 0; i < count; i++) {
    const struct flow_member *member = NULL;
    TRY(flow_member_get(c->tx, c->id, in[i]->upstream_execution_id, &member));
    if (member && !member->last_outcome) ids[alive++] = in[i]->upstream_execution_id;
  }
  if (!alive) return FF_OK;
  tx_edit_edge_group(c->tx, g)->sibling_cancel_reason = (uint8_t)reason;
  cascade_add_siblings(c, g->downstream_execution_id, reason, ids, alive);
  c->work[c->work_count - 1].unknown = !c->graph;
  return FF_OK;
}

enum ff_rc cascade_judge_group(struct cascade *c, struct edge_group *g) {
  const struct execution *x = NULL;
  enum ff_edge_group_state state = edge_group_judge(g);
  if (g->group_state != FF_edge_group_state_pending || state == FF_edge_group_state_pending)
    return FF_OK;
  g->group_state = (uint8_t)state;
  bool satisfied = state == FF_edge_group_state_satisfied;
  if (satisfied) g->satisfied_at = tx_now(c->tx);
  TRY(get_execution(c, g->downstream_execution_id, &x));
  if (x && satisfied && x->lifecycle_phase == FF_lifecycle_phase_runnable)
    dependency_release(c->tx, tx_edit_execution(c->tx, x));
  if (x && !satisfied) TRY(skip(c, x));
  return g->on_satisfied == FF_on_satisfied_cancel_remaining ? push_siblings(c, g) : FF_OK;
}

/* ---- one edge ---- */

static enum ff_rc pass_data(struct cascade *c, const struct edge *edge, struct uuid from) {
  const struct execution *source = NULL, *x = NULL;
  TRY(get_execution(c, from, &source));
  TRY(get_execution(c, edge->downstream_execution_id, &x));
  if (!source || !x || x->lifecycle_phase == FF_lifecycle_phase_terminal) return FF_OK;
  return dependency_pass_data(c->tx, source, tx_edit_execution(c->tx, x));
}

/* 04 §8.2. The queue holds edges as they were before this operation staged any. */
static enum ff_rc resolve(struct cascade *c, const struct edge *before, uint8_t outcome,
                          struct uuid from) {
  const struct edge_group *read = NULL;
  const struct edge *now = NULL;
  TRY(tx_get_edge(c->tx, before, &now));
  if (!now || !edge_is_open(now)) return FF_OK; /* FR-7 */
  TRY(edge_group_get(c->tx, c->id, now->downstream_execution_id, &read));
  if (!read) return FF_OK; /* removed by hand */
  bool success = outcome == FF_terminal_outcome_success;
  struct edge *edge = tx_edit_edge(c->tx, now);
  struct edge_group *g = tx_edit_edge_group(c->tx, read);
  edge->resolution = success ? FF_edge_resolution_satisfied : FF_edge_resolution_impossible;
  edge->last_resolved_at = tx_now(c->tx);
  c->resolved++;
  edge_group_count(g, (enum ff_terminal_outcome)outcome);
  bool fires = g->group_state == FF_edge_group_state_pending &&
               edge_group_judge(g) == FF_edge_group_state_satisfied;
  if (success && text_nonempty(edge->data_passing_ref) &&
      (fires || g->policy == FF_edge_policy_all_of))
    TRY(pass_data(c, edge, from));
  return cascade_judge_group(c, g);
}

/* ---- the loop ---- */

/* An edge may cost two: its resolution, and the skip of its downstream. */
enum { STEPS_OF_AN_EDGE = 2 };

static enum ff_rc act_on(struct cascade *c, uint32_t index, bool *stop) {
  while (c->work[index].next < c->work[index].count) {
    struct cascade_work *w = &c->work[index]; /* the queue moves when it grows */
    if (w->unknown) return FF_OK;
    bool edges = w->kind == WORK_EDGES;
    if (edges && !edge_is_open(w->edges[w->next])) {
      w->next++;
      continue;
    }
    struct uuid id = edges ? w->edges[w->next]->downstream_execution_id : w->siblings[w->next];
    *stop = c->steps < (edges ? STEPS_OF_AN_EDGE : 1) || !cascade_reaches(c, id);
    if (*stop) return FF_OK;
    c->steps--;
    if (edges)
      TRY(resolve(c, w->edges[w->next], w->outcome, w->id));
    else
      TRY(cancel_sibling(c, id, w->reason));
    c->work[index].next++;
  }
  return FF_OK;
}

enum ff_rc cascade_act(struct cascade *c) {
  bool stop = false;
  for (uint32_t i = 0; i < c->work_count && !stop; i++) TRY(act_on(c, i, &stop));
  return cascade_leave(c);
}
