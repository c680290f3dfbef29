/*
 * Staging edges and what groups are made with, shared by the operations that do it one by one and
 * the one that makes a whole graph.
 */
#ifndef OP_EDGE_H
#define OP_EDGE_H

#include "op/cascade.h"

enum { DATA_PASSING_REF_MAX_BYTES = 4096, EDGE_POLICY_MAX_BYTES = 4096 };

struct edge_policy {
  enum ff_edge_policy kind;
  uint32_t k;
  enum ff_on_satisfied on_satisfied;
};
/* PO-13, and the first three rows of 04 §7.1. Absent text = all_of. */
enum ff_rc edge_policy_parse(struct ff_str json, struct arena *, struct edge_policy *,
                             struct ff_error *) MUST_USE;
void edge_policy_set(struct edge_group *, const struct edge_policy *);

/* dependency_kind and data_passing_ref as arguments: invalid_input. */
enum ff_rc edge_check_terms(struct ff_str dependency_kind, struct ff_str data_passing_ref,
                            struct ff_error *) MUST_USE;
/* FE-1 without checks: the edge, its group (NULL = none yet) and the counters; all staged. */
struct edge_terms {
  struct uuid edge_id, upstream, downstream;
  struct ff_str data_passing_ref; /* empty = absent */
};
void edge_stage(struct tx *, struct flow *, const struct edge_terms *,
                const struct edge_group *group);
struct edge_group *edge_group_insert(struct tx *, struct flow *, struct uuid downstream);

#endif
