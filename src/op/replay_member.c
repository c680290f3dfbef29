/*
 * Replaying a member of a flow: its own group is judged anew and armed again, and so are its edges
 * into groups that are not decided (04 FL-1 … FL-9).
 */
#include "op/replay_member.h"

struct replay {
  struct tx *tx;
  struct flow_id id;
  const struct flow *flow;
  const struct flow_member *member;
  const struct edge_group *group;
  const struct cascade_backlog *backlog;
  const struct pending_cancel_group *pending;
  const struct edge **in, **out;
  uint32_t in_count, out_count;
};

static void note(enum ff_rc rc, enum ff_rc *worst) {
  if (rc != FF_OK && *worst != FF_UNREADABLE) *worst = rc;
}

/* However many: no member has more edges than its flow. */
static enum ff_rc load_edges(struct replay *r, enum index_id index, const struct edge *from,
                             const struct edge ***out, uint32_t *count) {
  uint32_t capacity = 64;
  struct tx *tx = r->tx;
  struct tx_scan scan;
  TRY(tx_scan_open(tx, index, from, false, r->flow->edge_count + 1, &scan));
  *out = ARENA_ARRAY(tx_arena(tx), const struct edge *, capacity);
  for (*count = 0;; ++*count) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) return FF_OK;
    if (*count == capacity) {
      const struct edge **more = ARENA_ARRAY(tx_arena(tx), const struct edge *, 2 * capacity);
      memcpy(more, *out, capacity * sizeof(const struct edge *));
      *out = more;
      capacity *= 2;
    }
    (*out)[*count] = record;
  }
}

static enum ff_rc load(struct replay *r, const struct execution *x) {
  struct edge in = {.partition = x->partition,
                    .flow_id = x->flow_id,
                    .downstream_execution_id = x->id};
  struct edge out = {.partition = x->partition,
                     .flow_id = x->flow_id,
                     .upstream_execution_id = x->id};
  struct cascade_backlog backlog = {
      .partition = x->partition, .flow_id = x->flow_id, .execution_id = x->id};
  struct pending_cancel_group pending = {
      .partition = x->partition, .flow_id = x->flow_id, .downstream_execution_id = x->id};
  enum ff_rc worst = FF_OK;
  TRY(tx_get_flow(r->tx, FLOW_KEY(flow, r->id), &r->flow));
  if (!r->flow) return FF_OK;
  note(flow_member_get(r->tx, r->id, x->id, &r->member), &worst);
  note(edge_group_get(r->tx, r->id, x->id, &r->group), &worst);
  note(tx_get_cascade_backlog(r->tx, &backlog, &r->backlog), &worst);
  note(tx_get_pending_cancel_group(r->tx, &pending, &r->pending), &worst);
  note(load_edges(r, INDEX_edge_in, &in, &r->in, &r->in_count), &worst);
  note(load_edges(r, INDEX_edge_out, &out, &r->out, &r->out_count), &worst);
  return worst;
}

/* What the edges lead to, all at once. */
static enum ff_rc load_ends(struct replay *r) {
  enum ff_rc worst = FF_OK;
  for (uint32_t i = 0; i < r->in_count; i++) {
    const struct flow_member *up;
    note(flow_member_get(r->tx, r->id, r->in[i]->upstream_execution_id, &up), &worst);
  }
  for (uint32_t i = 0; i < r->out_count; i++) {
    const struct edge_group *g;
    note(edge_group_get(r->tx, r->id, r->out[i]->downstream_execution_id, &g), &worst);
  }
  return worst;
}

/* FL-2: an edge that was impossible is satisfied when its upstream has succeeded since, else it
 * waits, of an upstream that has ended for its next end. */
static enum ff_rc rejudge(struct replay *r, const struct edge *edge, struct edge_group *g) {
  const struct flow_member *up = NULL;
  TRY(flow_member_get(r->tx, r->id, edge->upstream_execution_id, &up));
  if (edge->resolution == FF_edge_resolution_impossible) {
    struct edge *x = tx_edit_edge(r->tx, edge);
    bool success = up && up->last_outcome == FF_terminal_outcome_success;
    x->resolution = success ? FF_edge_resolution_satisfied : FF_edge_resolution_unsatisfied;
    x->rearmed = !success && up && up->last_outcome;
    edge = x;
  }
  g->succeeded += edge->resolution == FF_edge_resolution_satisfied;
  return FF_OK;
}

static enum ff_rc reset_group(struct replay *r, struct member_replay *out) {
  struct edge_group *g = tx_edit_edge_group(r->tx, r->group);
  g->succeeded = g->failed = g->skipped = 0;
  g->satisfied_at = 0;
  g->sibling_cancel_pending = 0;
  g->sibling_cancel_reason = FF_sibling_cancel_reason_none;
  g->sibling_cancel_members = (struct ff_str){NULL, 0};
  if (r->pending) tx_delete_pending_cancel_group(r->tx, r->pending);
  for (uint32_t i = 0; i < r->in_count; i++) TRY(rejudge(r, r->in[i], g));
  g->group_state = (uint8_t)edge_group_judge(g);
  if (g->group_state == FF_edge_group_state_satisfied) g->satisfied_at = tx_now(r->tx);
  out->unsatisfied = g->applied - edge_group_resolved(g);
  out->groups_reset = 1;
  out->blocked = out->skipped_branch && g->group_state != FF_edge_group_state_satisfied;
  return FF_OK;
}

static void uncount(struct edge_group *g, uint8_t outcome) {
  uint32_t *counter = outcome == FF_terminal_outcome_skipped ? &g->skipped : &g->failed;
  if (*counter) --*counter;
}

/* FL-7, FL-5: edges into groups that are not decided take the next end. */
static enum ff_rc rearm_out(struct replay *r, uint8_t outcome) {
  for (uint32_t i = 0; i < r->out_count; i++) {
    const struct edge *edge = r->out[i];
    const struct edge_group *g = NULL;
    TRY(edge_group_get(r->tx, r->id, edge->downstream_execution_id, &g));
    if (edge->rearmed) tx_edit_edge(r->tx, edge)->rearmed = 0;
    if (edge->resolution != FF_edge_resolution_impossible || !g ||
        g->group_state != FF_edge_group_state_pending)
      continue;
    tx_edit_edge(r->tx, edge)->resolution = FF_edge_resolution_unsatisfied;
    uncount(tx_edit_edge_group(r->tx, g), outcome);
  }
  return FF_OK;
}

static bool is_sealed(const struct flow *flow) {
  return flow->state == FF_flow_state_cancelled &&
         flow->cancellation_policy >= FF_flow_cancel_policy_cancel_pending;
}

enum ff_rc replay_member(struct tx *tx, const struct execution *x, struct member_replay *out,
                         struct ff_error *e) {
  struct replay r = {.tx = tx, .id = flow_of_member(x)};
  *out = (struct member_replay){0};
  TRY(load(&r, x));
  if (!r.flow || !r.member) return FF_OK;
  if (is_sealed(r.flow))
    return error_set(e, FF_CODE_flow_already_terminal, "the flow is cancelled");
  TRY(load_ends(&r));
  uint8_t outcome = r.member->last_outcome;
  bool decided = !r.group || r.group->group_state == FF_edge_group_state_satisfied;
  out->skipped_branch = !decided && r.group->applied &&
                        (outcome == FF_terminal_outcome_skipped || !x->total_attempt_count);
  flow_member_count(tx, tx_edit_flow(tx, r.flow), tx_edit_flow_member(tx, r.member),
                    FF_terminal_outcome_none, false);
  if (r.backlog) tx_delete_cascade_backlog(tx, r.backlog); /* FK-8 */
  if (!decided) TRY(reset_group(&r, out));
  return rearm_out(&r, outcome);
}
