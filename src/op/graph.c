/*
 * Loading and ordering the edges of a flow.
 */
#include "op/graph.h"

#include <stdlib.h>

static int by_id(const void *a, const void *b) {
  return uuid_compare(((const struct graph_node *)a)->id, ((const struct graph_node *)b)->id);
}

struct graph_node *graph_find(const struct graph *g, struct uuid id) {
  struct graph_node key = {.id = id};
  if (!g->node_count) return NULL;
  return bsearch(&key, g->nodes, g->node_count, sizeof key, by_id);
}

/* All edges in the order of their ids, which is that of the scan. */
static enum ff_rc load_edges(struct tx *tx, const struct flow *flow, const struct edge ***out,
                             uint32_t *count) {
  struct edge from = {.partition = flow->partition, .flow_id = flow->flow_id};
  uint32_t capacity = flow->edge_count + 1;
  struct tx_scan scan;
  TRY(tx_scan_open(tx, INDEX_edge_by_flow, &from, false, capacity, &scan));
  const struct edge **edges = ARENA_ARRAY(tx_arena(tx), const struct edge *, capacity);
  for (*count = 0;; ++*count) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    if (*count == capacity) { /* edge_count as stored says less than there is */
      const struct edge **more = ARENA_ARRAY(tx_arena(tx), const struct edge *, 2 * capacity);
      memcpy(more, edges, capacity * sizeof(const struct edge *));
      edges = more;
      capacity *= 2;
    }
    edges[*count] = record;
  }
  *out = edges;
  return FF_OK;
}

static void make_nodes(struct tx *tx, struct graph *g, const struct edge **edges) {
  g->nodes = ARENA_ARRAY(tx_arena(tx), struct graph_node, 2 * (size_t)g->edge_count + 1);
  for (uint32_t i = 0; i < g->edge_count; i++) {
    g->nodes[2 * i].id = edges[i]->upstream_execution_id;
    g->nodes[2 * i + 1].id = edges[i]->downstream_execution_id;
  }
  if (g->edge_count) qsort(g->nodes, 2 * (size_t)g->edge_count, sizeof *g->nodes, by_id);
  for (uint32_t i = 0; i < 2 * g->edge_count; i++)
    if (i == 0 || !uuid_equal(g->nodes[i].id, g->nodes[g->node_count - 1].id))
      g->nodes[g->node_count++].id = g->nodes[i].id;
}

/* Two stable passes: by upstream, then that order by downstream. */
static void sort_edges(struct tx *tx, struct graph *g, const struct edge **edges) {
  uint32_t n = g->edge_count, at = 0;
  g->out = ARENA_ARRAY(tx_arena(tx), const struct edge *, n + 1);
  g->in = ARENA_ARRAY(tx_arena(tx), const struct edge *, n + 1);
  for (uint32_t i = 0; i < n; i++) {
    graph_find(g, edges[i]->upstream_execution_id)->out_count++;
    graph_find(g, edges[i]->downstream_execution_id)->in_count++;
  }
  for (uint32_t i = 0; i < g->node_count; at += g->nodes[i++].out_count) g->nodes[i].out = at;
  at = 0;
  for (uint32_t i = 0; i < g->node_count; at += g->nodes[i++].in_count) g->nodes[i].in = at;
  for (uint32_t i = 0; i < n; i++)
    g->out[graph_find(g, edges[i]->upstream_execution_id)->out++] = edges[i];
  for (uint32_t i = 0; i < n; i++)
    g->in[graph_find(g, g->out[i]->downstream_execution_id)->in++] = g->out[i];
  for (uint32_t i = 0; i < g->node_count; i++) {
    g->nodes[i].out -= g->nodes[i].out_count;
    g->nodes[i].in -= g->nodes[i].in_count;
  }
}

enum ff_rc graph_load(struct tx *tx, const struct flow *flow, struct graph *g) {
  const struct edge **edges = NULL;
  *g = (struct graph){0};
  TRY(load_edges(tx, flow, &edges, &g->edge_count));
  make_nodes(tx, g, edges);
  sort_edges(tx, g, edges);
  return FF_OK;
}
