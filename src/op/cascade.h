/*
 * What follows from the end of a member, within one transaction (04 §8, §9): edges are resolved,
 * groups fire, downstreams are released or skipped, siblings cancelled.
 *
 * Two phases. Planning loads whatever acting may need, asking for as much as it can at once, and
 * stages nothing: a cascade of any depth needs the same few rounds of loading. Acting takes at most
 * `steps` steps in a fixed order; what is left is written to the backlog in the same transaction
 * (FK-1), and the engine goes on with it after the commit.
 */
#ifndef OP_CASCADE_H
#define OP_CASCADE_H

#include "op/graph.h"

/* Beyond these a flow is not loaded as a whole: only what the first edges lead to is done at once. */
#define CASCADE_EDGES_MAX 4096
#define CASCADE_GROUPS_MAX 4096

struct cascade_work;
struct cascade_in;
struct cascade {
  struct tx *tx;
  struct flow_id id;
  const struct flow *flow; /* as read; NULL = gone: nothing follows */
  struct graph *graph;     /* NULL = not loaded as a whole */
  uint32_t reached;        /* nodes of it that were asked for */
  uint32_t steps;          /* left */
  struct cascade_work *work;
  uint32_t work_count, work_capacity;
  uint32_t resolved, ended; /* edges, and members forced to end, so far */
  struct cascade_in *ins;   /* in-edges of groups that will fire, of a flow that is too large */
  uint32_t in_count;
  const struct edge **edges; /* of cascade_plan_out: open ones, one more than there are steps for */
  uint32_t edge_count;
};

/* Reads the flow. FF_MISS. */
enum ff_rc cascade_open(struct cascade *, struct tx *, struct flow_id) MUST_USE;

/* ---- the terminal hook: execution_terminate calls both ---- */
/* x is about to end with that outcome. FF_MISS: asked for as much as is known yet. */
enum ff_rc cascade_plan_end(struct cascade *, struct tx *, const struct execution *x,
                            enum ff_terminal_outcome) MUST_USE;
/* x, staged, has ended. */
enum ff_rc cascade_end(struct cascade *, const struct execution *x) MUST_USE;

/* ---- the parts, for operations of their own ---- */
/* The open out-edges of a member behind one of them (nil = all), into c->edges. FF_MISS. */
enum ff_rc cascade_plan_out(struct cascade *, struct uuid member, struct uuid after) MUST_USE;
/* Plans for resolving these edges, whose upstream has ended so. `source`: its record, NULL =
 * purged. */
enum ff_rc cascade_plan_edges(struct cascade *, const struct edge *const *edges, uint32_t count,
                              enum ff_terminal_outcome, const struct execution *source) MUST_USE;
/* Plans for forcing these members to end, whatever follows. */
enum ff_rc cascade_plan_members(struct cascade *, const struct uuid *ids, uint32_t count) MUST_USE;
/* Queues the resolution of edges, in their order. */
void cascade_add_edges(struct cascade *, struct uuid member, enum ff_terminal_outcome,
                       const struct edge *const *edges, uint32_t count);
/* Queues the cancelling of the siblings of a fired group: what is not done is left in its record. */
void cascade_add_siblings(struct cascade *, struct uuid downstream,
                          enum ff_sibling_cancel_reason, const struct uuid *ids, uint32_t count);
/* Ends one member as cancelled, planned for; its out-edges are queued. x is staged. */
enum ff_rc cascade_cancel(struct cascade *, struct execution *x, struct ff_str reason,
                          struct ff_str cancelled_by, bool lost_quorum) MUST_USE;
/* Judges a staged group that is pending and does what follows when it fires. */
enum ff_rc cascade_judge_group(struct cascade *, struct edge_group *staged) MUST_USE;
/* Does what is queued, then writes what is left to the backlog. */
enum ff_rc cascade_act(struct cascade *) MUST_USE;
/* Whether nothing is left of the n-th that was queued. */
bool cascade_done(const struct cascade *, uint32_t n);
/* sibling_cancel_members of a group; false when it does not parse. */
bool siblings_decode(struct arena *, struct ff_str, const struct uuid **ids, uint32_t *count)
    MUST_USE;

/* ---- groups (edge_group.c) ---- */
enum ff_rc edge_group_get(struct tx *, struct flow_id, struct uuid downstream,
                          const struct edge_group **) MUST_USE;
void declare_edge_group(struct declare *, struct flow_id, struct uuid downstream);
/* Edges that may still succeed are those that are not counted yet (04 §7.2). */
enum ff_edge_group_state edge_group_judge(const struct edge_group *);
/* Counts the resolution of one of its edges. */
void edge_group_count(struct edge_group *, enum ff_terminal_outcome upstream);
static inline uint32_t edge_group_resolved(const struct edge_group *g) {
  return g->succeeded + g->failed + g->skipped;
}
/* FI-1 of a stored group: corruption. */
enum ff_rc edge_group_check(const struct edge_group *, struct ff_error *) MUST_USE;
/* An edge that waits for an end of its upstream that is still to come, or to be told. */
static inline bool edge_is_open(const struct edge *edge) {
  return edge->resolution == FF_edge_resolution_unsatisfied && !edge->rearmed;
}

/* ---- what a dependency does to the execution that waits (dependency.c) ---- */
/* 04 §6: blocks a runnable execution. FA-4: what it was held by is remembered. */
void dependency_block(struct tx *, struct execution *, struct ff_str detail);
/* FR-9: releases a blocked one; others stay as they are. */
void dependency_release(struct tx *, struct execution *);
/* FR-10. FF_MISS. */
enum ff_rc dependency_skip(struct tx *, struct execution *) MUST_USE;
/* The same with all that follows for its flow: outside a cascade. */
enum ff_rc dependency_skip_member(struct tx *, struct execution *) MUST_USE;
/* FR-5: the result of `from` becomes the input of x. Without a result nothing happens. FF_MISS. */
enum ff_rc dependency_pass_data(struct tx *, const struct execution *from,
                                struct execution *x) MUST_USE;
/* Asks for what dependency_pass_data will read. */
enum ff_rc dependency_want_data(struct tx *, const struct execution *from,
                                const struct execution *x) MUST_USE;

#endif
