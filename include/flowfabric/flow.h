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

#ifdef __cplusplus
}
#endif
#endif
