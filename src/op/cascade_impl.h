/*
 * The insides of a cascade, shared by cascade.c, cascade_plan.c and cascade_left.c only.
 */
#ifndef OP_CASCADE_IMPL_H
#define OP_CASCADE_IMPL_H

#include "op/cascade.h"

/* One thing that was begun: edges of a member that has ended, or siblings of a group that fired. */
struct cascade_work {
  enum { WORK_EDGES, WORK_SIBLINGS } kind;
  struct uuid id;  /* the member; the downstream of the group */
  uint8_t outcome; /* of the member */
  uint8_t reason;  /* enum ff_sibling_cancel_reason */
  bool unknown;    /* what it leads to was not loaded: for another transaction */
  const struct edge *const *edges;
  const struct uuid *siblings;
  uint32_t next, count;
};

/* The in-edges of a downstream, by upstream: of the graph, or as planned. */
void cascade_in_edges(const struct cascade *, struct uuid downstream,
                      const struct edge *const **edges, uint32_t *count);
/* Whether what an act on this member leads to was asked for. */
bool cascade_reaches(const struct cascade *, struct uuid member);
/* Writes what is not done to the backlog, and removes what was there and is done now. */
enum ff_rc cascade_leave(struct cascade *) MUST_USE;
/* Counts the end of a member and closes its own group. */
enum ff_rc cascade_note_end(struct cascade *, const struct execution *, bool lost_quorum) MUST_USE;

#endif
