/*
 * Reading flows and their members; tags of flows (spec 04 §15, §16).
 *
 * A flow that is unknown, or was purged, is an answer here and no error.
 */
#ifndef FLOWFABRIC_FLOW_READ_H
#define FLOWFABRIC_FLOW_READ_H

#include "flowfabric/flow.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a member waits for: its inbound edges (04 FQ-1). */
struct ff_edge_group {
  struct ff_id downstream_execution_id;
  uint8_t policy;       /* enum ff_edge_policy */
  uint32_t k;           /* of a quorum */
  uint8_t on_satisfied; /* enum ff_on_satisfied; none for all_of */
  uint32_t total_deps, satisfied_count, failed_count, skipped_count, running_count;
  uint8_t group_state; /* enum ff_edge_group_state */
};
struct ff_edge_groups {
  const struct ff_edge_group *items;
  size_t count;
};

/* A flow with its groups, all of one moment (04 FQ-1 … FQ-4). outcome: ok, none. public_flow_state
 * is made from the counters and the states of the members that are alive (§13); of a flow with more
 * than 10,000 of these, the first 10,000 decide between open, running and blocked. Errors:
 * invalid_input, corruption (a stored record breaks its own rules: never a partial answer). */
struct ff_flow {
  struct ff_id flow_id;
  struct ff_str flow_kind, namespace_;
  uint8_t public_flow_state; /* enum ff_flow_public_state */
  uint64_t graph_revision;
  uint32_t node_count, edge_count;
  int64_t created_at, last_mutation_at;
  int64_t cancelled_at; /* 0 = never, as the next two are absent */
  struct ff_str cancel_reason;
  uint8_t cancellation_policy; /* enum ff_flow_cancel_policy */
  struct ff_pairs tags;        /* sorted */
  struct ff_edge_groups edge_groups; /* by downstream id; those with an edge */
  /* How members ended; members_cancelled_quorum is the part of members_cancelled that lost a race
   * somebody won. */
  uint32_t members_alive, members_completed, members_failed, members_cancelled, members_expired,
      members_skipped, members_cancelled_quorum;
};
struct ff_describe_flow_args {
  uint32_t size;
  struct ff_str flow_id;
};
struct ff_describe_flow_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_flow flow;
};
FF_OPERATION(describe_flow);

/* The flows of a partition in id order; of all partitions, one after the other, when it is absent
 * (04 FQ-5 … FQ-9). cursor: the last flow id of the page before, which need not exist any more.
 * limit 0 = empty page, at most 1,000. Errors: invalid_input. */
struct ff_flow_entry {
  struct ff_id flow_id;
  int64_t created_at;
  uint8_t status; /* enum ff_flow_status */
};
struct ff_flow_entries {
  const struct ff_flow_entry *items;
  size_t count;
};
struct ff_list_flows_args {
  uint32_t size;
  struct ff_str partition, cursor;
  uint32_t limit;
};
struct ff_list_flows_result {
  struct ff_memory *memory;
  struct ff_flow_entries flows;
  struct ff_str next_cursor;
};
FF_OPERATION(list_flows);

/* The members of a flow in the order of their ids (07 U-52). last_outcome: how the member ended last,
 * also when its execution has been purged; none = alive. cursor: an execution id, exclusive. limit 0
 * = empty page, at most 1,000. Errors: invalid_input. */
struct ff_flow_member {
  struct ff_id execution_id;
  uint32_t seq;         /* in the order of joining, from 1 */
  uint8_t last_outcome; /* enum ff_terminal_outcome */
};
struct ff_flow_members {
  const struct ff_flow_member *items;
  size_t count;
};
struct ff_list_flow_members_args {
  uint32_t size;
  struct ff_str flow_id, cursor;
  uint32_t limit;
};
struct ff_list_flow_members_result {
  struct ff_memory *memory;
  struct ff_flow_members members;
  struct ff_str next_cursor;
};
FF_OPERATION(list_flow_members);

/* The flow an execution is a member of (04 §15). outcome: ok, none (unknown execution, or of no flow).
 * Errors: invalid_input. */
struct ff_resolve_execution_flow_id_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_resolve_execution_flow_id_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id flow_id;
};
FF_OPERATION(resolve_execution_flow_id);

/* ---------------------------------------------------------------- tags (04 §16)
 * Keys and limits are those of execution tags. The last write wins, also on a cancelled flow. */

/* outcome ok. Errors: invalid_input (key, value, more than 16 KiB together), flow_not_found. */
struct ff_set_flow_tag_args {
  uint32_t size;
  struct ff_str flow_id, key, value;
};
struct ff_set_flow_tag_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(set_flow_tag);

/* All or nothing (04 FT-5). count = how many tags were given. Errors: as above, and no tags. */
struct ff_set_flow_tags_args {
  uint32_t size;
  struct ff_str flow_id;
  struct ff_pairs tags;
};
struct ff_set_flow_tags_result {
  struct ff_memory *memory;
  uint32_t count;
};
FF_OPERATION(set_flow_tags);

/* outcome: ok, none (no such tag or flow). Errors: invalid_input. */
struct ff_get_flow_tag_args {
  uint32_t size;
  struct ff_str flow_id, key;
};
struct ff_get_flow_tag_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_str value;
};
FF_OPERATION(get_flow_tag);

/* outcome: ok, none (no such flow). Errors: invalid_input. */
struct ff_get_flow_tags_args {
  uint32_t size;
  struct ff_str flow_id;
};
struct ff_get_flow_tags_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_pairs tags; /* sorted */
};
FF_OPERATION(get_flow_tags);

#ifdef __cplusplus
}
#endif
#endif
