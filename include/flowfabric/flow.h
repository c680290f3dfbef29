/*
 * Flows: graphs of executions that wait for one another (spec 04).
 *
 * A flow has members (executions) and edges between them. An edge is staged first, which changes no
 * execution, and applied then, which makes its downstream wait. When members end, the engine releases
 * or skips what waited for them in the same transaction. Recommended order: create the executions,
 * add them, set policies, stage all edges, apply all edges. A member's id carries the partition of
 * its flow.
 */
#ifndef FLOWFABRIC_FLOW_H
#define FLOWFABRIC_FLOW_H

#include "flowfabric/lifecycle.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes a flow (04 §3). outcome: created; already_satisfied (it exists: nothing changes, whatever the
 * other arguments say). Errors: invalid_input. */
struct ff_create_flow_args {
  uint32_t size;
  struct ff_str flow_id;    /* a uuid of the caller's choice, not nil */
  struct ff_str flow_kind;  /* 1..256 bytes, never interpreted */
  struct ff_str namespace_; /* 1..256 bytes */
};
struct ff_create_flow_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id flow_id;
};
FF_OPERATION(create_flow);

/* Makes an execution a member of a flow, for life (04 §4). Joining alone changes nothing for the
 * execution: it is claimable as before. outcome: added, already_member. Errors, first one first:
 * invalid_input (also: the execution's partition is not the flow's), flow_not_found,
 * flow_already_terminal (cancelled), execution_not_found, execution_already_in_flow (of another flow;
 * context flow_id). */
struct ff_add_execution_to_flow_args {
  uint32_t size;
  struct ff_str flow_id, execution_id;
};
struct ff_add_execution_to_flow_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
  uint32_t node_count; /* members of the flow after the call */
};
FF_OPERATION(add_execution_to_flow);

/* Draws an edge: the downstream needs the upstream (04 §5). No execution changes before the edge is
 * applied. A repeat after a lost reply gives stale_graph_revision, and with the right revision
 * dependency_already_exists naming the same edge: it was staged. outcome staged. Errors, first one
 * first: invalid_input; self_referencing_edge; flow_not_found; flow_already_terminal;
 * stale_graph_revision; execution_not_in_flow; cycle_detected, or invalid_input
 * graph_too_large_to_verify; dependency_already_exists (context edge_id, upstream_execution_id,
 * downstream_execution_id, edge_state of the one there is). */
struct ff_stage_dependency_edge_args {
  uint32_t size;
  struct ff_str flow_id;
  struct ff_str edge_id; /* a uuid of the caller's choice, not nil */
  struct ff_str upstream_execution_id, downstream_execution_id;
  struct ff_str dependency_kind;  /* absent = success_only, the only one */
  struct ff_str data_passing_ref; /* any text of at most 4,096 bytes: the upstream's result becomes the
                                     downstream's input when the edge is satisfied; absent = no */
  uint64_t expected_graph_revision;
};
struct ff_stage_dependency_edge_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id edge_id;
  uint64_t new_graph_revision;
};
FF_OPERATION(stage_dependency_edge);

/* Says when the edges towards a downstream are enough (04 §7): all of them (the default), any, or k.
 * Only before the first of them is staged. policy: {"kind":"all_of"},
 * {"kind":"any_of","on_satisfied":"cancel_remaining"|"let_run"},
 * {"kind":"quorum","k":N,"on_satisfied":...}; cancel_remaining cancels the upstreams that are still
 * alive once the group is decided. The downstream need not exist yet. outcome: set, already_set.
 * Errors, first one first: invalid_input (also: of another partition), flow_not_found,
 * flow_already_terminal, edge_group_policy_fixed (context downstream). */
struct ff_set_edge_group_policy_args {
  uint32_t size;
  struct ff_str flow_id, downstream_execution_id;
  struct ff_str policy; /* JSON of at most 4,096 bytes */
};
struct ff_set_edge_group_policy_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(set_edge_group_policy);

/* Arms a staged edge: a downstream that waits for work waits for the upstream from now on (04 §6); one
 * that runs only remembers, until it calls wait_children. An upstream that has ended already resolves
 * the edge at once, which may release or skip the downstream. outcome: applied (unsatisfied_count),
 * already_applied. Errors, first one first: invalid_input, execution_not_found,
 * execution_already_in_flow (context flow_id), execution_not_in_flow, invalid_dependency
 * (edge_not_found, edge_endpoint_mismatch), flow_already_terminal, invalid_dependency
 * (data_passing_ref_mismatch, dependency_kind_mismatch). */
struct ff_apply_dependency_to_child_args {
  uint32_t size;
  struct ff_str flow_id, edge_id, downstream_execution_id, upstream_execution_id;
  uint64_t graph_revision;        /* not looked at */
  struct ff_str dependency_kind;  /* absent = as staged */
  struct ff_str data_passing_ref; /* absent = as staged; given, it fills an empty one */
};
struct ff_apply_dependency_to_child_result {
  struct ff_memory *memory;
  uint8_t outcome;
  uint32_t unsatisfied_count; /* applied edges of the downstream that are not resolved */
};
FF_OPERATION(apply_dependency_to_child);

/* ---------------------------------------------------------------- looking and repairing */

/* Resolves one applied edge whose upstream has ended, with all that follows (04 FR-14 … FR-16). The
 * engine does it by itself: the usual answer is already_resolved. outcome, of the edge: satisfied,
 * impossible, already_resolved. Errors, first one first: invalid_input, invalid_dependency
 * (edge_not_found, edge_not_applied, edge_endpoint_mismatch), execution_not_terminal, invalid_input
 * upstream_outcome_mismatch. */
struct ff_resolve_dependency_args {
  uint32_t size;
  struct ff_str flow_id, edge_id, downstream_execution_id, upstream_execution_id;
  struct ff_str upstream_outcome; /* success, failed, cancelled, expired, skipped */
};
struct ff_resolve_dependency_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(resolve_dependency);

/* What the dependencies of an execution say of it, and nothing else (04 FR-19): one that is delayed can
 * be eligible here. Errors: invalid_input. */
struct ff_evaluate_flow_eligibility_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_evaluate_flow_eligibility_result {
  struct ff_memory *memory;
  uint8_t status; /* enum ff_flow_eligibility */
};
FF_OPERATION(evaluate_flow_eligibility);

/* Releases an execution whose dependencies are satisfied and that is blocked all the same, which only
 * a record changed by hand can be (04 §8.3). outcome promoted. Errors, first one first: invalid_input,
 * execution_not_found, not_runnable, not_blocked_by_deps, deps_not_satisfied (context unsatisfied,
 * unapplied). */
struct ff_promote_blocked_to_eligible_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_promote_blocked_to_eligible_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(promote_blocked_to_eligible);

/* ---------------------------------------------------------------- a whole graph */

/* An execution of the graph. What is not said is as in ff_create_execution_args. */
struct ff_graph_member {
  struct ff_str name; /* 1..256 bytes, unlike all others: what edges name it by */
  struct ff_str lane_id, execution_kind;
  struct ff_bytes input_payload;
  struct ff_str payload_encoding;
  int32_t priority;
  struct ff_pairs tags;
  struct ff_str policy;      /* of the execution: retries, timeouts, capabilities */
  int64_t delay_until, deadline_at;
  struct ff_str edge_policy; /* of the edges towards it, as in set_edge_group_policy; absent = all_of */
};
struct ff_graph_members {
  const struct ff_graph_member *items;
  size_t count;
};
struct ff_graph_edge {
  struct ff_str upstream, downstream; /* names */
  struct ff_str data_passing_ref;     /* at most 4,096 bytes; absent = no data */
};
struct ff_graph_edges {
  const struct ff_graph_edge *items;
  size_t count;
};
/* Makes a flow with all its members and edges, applied, in one transaction: all of it or nothing (00
 * §2.8). Ids of executions and edges follow from flow_id and the place in the list, so that a repeat
 * answers the same. outcome: created; already_satisfied (a flow of this id exists: nothing changes,
 * the ids are those a first call would have given). Errors, first one first: invalid_input
 * (an argument of the flow; no or more than 1,000 members, more than 5,000 edges, more than 8 MiB;
 * anything of a member or an edge: context member or edge says which place, from 0; an unknown or
 * repeated name; a policy that needs more edges than there are), invalid_policy_json,
 * invalid_capabilities, payload_too_large, self_referencing_edge, dependency_already_exists,
 * cycle_detected, lane_not_accepting. */
struct ff_create_flow_graph_args {
  uint32_t size;
  struct ff_str flow_id, flow_kind, namespace_; /* as in create_flow; the namespace is the members' too */
  struct ff_str creator_identity;
  struct ff_graph_members members;
  struct ff_graph_edges edges;
};
struct ff_graph_id {
  struct ff_id id;
};
struct ff_graph_ids {
  const struct ff_graph_id *items;
  size_t count;
};
struct ff_create_flow_graph_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id flow_id;
  struct ff_graph_ids execution_ids, edge_ids; /* in the order of members and edges */
  uint64_t graph_revision;
};
FF_OPERATION(create_flow_graph);

#ifdef __cplusplus
}
#endif
#endif
