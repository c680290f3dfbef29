/*
 * The edges of one flow as a graph in memory: nodes are members, found by id.
 *
 * Loaded by one range scan, so that a walk of any depth costs one round of loading. It shows the
 * edges as the operation found them: load it before staging any edge.
 */
#ifndef OP_GRAPH_H
#define OP_GRAPH_H

#include "op/flow.h"

struct graph_node {
  struct uuid id;
  uint32_t out, out_count; /* graph.out[out … out + out_count) */
  uint32_t in, in_count;   /* graph.in[…] */
  const struct edge_group *group; /* what it waits for; for the caller to set */
  bool reached;            /* by a walk of the caller's */
};
struct graph {
  struct graph_node *nodes; /* by id */
  uint32_t node_count;
  const struct edge **out; /* by upstream, edge id */
  const struct edge **in;  /* by downstream, upstream, edge id */
  uint32_t edge_count;
};

/* FF_MISS until all edges of the flow are loaded. */
enum ff_rc graph_load(struct tx *, const struct flow *, struct graph *) MUST_USE;
struct graph_node *graph_find(const struct graph *, struct uuid id); /* NULL = has no edge */

#endif
