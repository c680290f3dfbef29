/*
 * How the arguments and results of the operations of flow_read.h are laid out, in its order.
 *
 * Every member but `size` and `memory` has its row; test/unit/test_fields.c finds a forgotten one.
 */
#include "op/fields.h"

#define S struct ff_edge_group
STRUCT_TABLE(op_struct_edge_group, ff_edge_group,
             FIELD(S, ID, downstream_execution_id), FIELD_WORD(S, policy, edge_policy),
             FIELD(S, U32, k), FIELD_WORD(S, on_satisfied, on_satisfied),
             FIELD(S, U32, total_deps), FIELD(S, U32, satisfied_count),
             FIELD(S, U32, failed_count), FIELD(S, U32, skipped_count),
             FIELD(S, U32, running_count), FIELD_WORD(S, group_state, edge_group_state));
#undef S

#define S struct ff_flow
STRUCT_TABLE(op_struct_flow, ff_flow,
             FIELD(S, ID, flow_id), FIELD(S, TEXT, flow_kind),
             FIELD_AS(S, TEXT, namespace_, "namespace"),
             FIELD_WORD(S, public_flow_state, flow_public_state), FIELD(S, U64, graph_revision),
             FIELD(S, U32, node_count), FIELD(S, U32, edge_count), FIELD(S, I64, created_at),
             FIELD(S, I64, last_mutation_at), FIELD(S, I64, cancelled_at),
             FIELD(S, TEXT, cancel_reason),
             FIELD_WORD(S, cancellation_policy, flow_cancel_policy), FIELD(S, PAIRS, tags),
             FIELD_OF(S, LIST, edge_groups, op_struct_edge_group), FIELD(S, U32, members_alive),
             FIELD(S, U32, members_completed), FIELD(S, U32, members_failed),
             FIELD(S, U32, members_cancelled), FIELD(S, U32, members_expired),
             FIELD(S, U32, members_skipped), FIELD(S, U32, members_cancelled_quorum));
#undef S

#define S struct ff_describe_flow_args
STRUCT_TABLE(op_args_describe_flow, ff_describe_flow_args,
             FIELD(S, TEXT, flow_id));
#undef S

#define S struct ff_describe_flow_result
STRUCT_TABLE(op_result_describe_flow, ff_describe_flow_result,
             FIELD_WORD(S, outcome, outcome), FIELD_OF(S, STRUCT, flow, op_struct_flow));
#undef S

#define S struct ff_flow_entry
STRUCT_TABLE(op_struct_flow_entry, ff_flow_entry,
             FIELD(S, ID, flow_id), FIELD(S, I64, created_at), FIELD_WORD(S, status, flow_status));
#undef S

#define S struct ff_list_flows_args
STRUCT_TABLE(op_args_list_flows, ff_list_flows_args,
             FIELD(S, TEXT, partition), FIELD(S, TEXT, cursor), FIELD(S, U32, limit));
#undef S

#define S struct ff_list_flows_result
STRUCT_TABLE(op_result_list_flows, ff_list_flows_result,
             FIELD_OF(S, LIST, flows, op_struct_flow_entry), FIELD(S, TEXT, next_cursor));
#undef S

#define S struct ff_flow_member
STRUCT_TABLE(op_struct_flow_member, ff_flow_member,
             FIELD(S, ID, execution_id), FIELD(S, U32, seq),
             FIELD_WORD(S, last_outcome, terminal_outcome));
#undef S

#define S struct ff_list_flow_members_args
STRUCT_TABLE(op_args_list_flow_members, ff_list_flow_members_args,
             FIELD(S, TEXT, flow_id), FIELD(S, TEXT, cursor), FIELD(S, U32, limit));
#undef S

#define S struct ff_list_flow_members_result
STRUCT_TABLE(op_result_list_flow_members, ff_list_flow_members_result,
             FIELD_OF(S, LIST, members, op_struct_flow_member), FIELD(S, TEXT, next_cursor));
#undef S

#define S struct ff_resolve_execution_flow_id_args
STRUCT_TABLE(op_args_resolve_execution_flow_id, ff_resolve_execution_flow_id_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_resolve_execution_flow_id_result
STRUCT_TABLE(op_result_resolve_execution_flow_id, ff_resolve_execution_flow_id_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, flow_id));
#undef S

#define S struct ff_set_flow_tag_args
STRUCT_TABLE(op_args_set_flow_tag, ff_set_flow_tag_args,
             FIELD(S, TEXT, flow_id), FIELD(S, TEXT, key), FIELD(S, TEXT, value));
#undef S

#define S struct ff_set_flow_tag_result
STRUCT_TABLE(op_result_set_flow_tag, ff_set_flow_tag_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

#define S struct ff_set_flow_tags_args
STRUCT_TABLE(op_args_set_flow_tags, ff_set_flow_tags_args,
             FIELD(S, TEXT, flow_id), FIELD(S, PAIRS, tags));
#undef S

#define S struct ff_set_flow_tags_result
STRUCT_TABLE(op_result_set_flow_tags, ff_set_flow_tags_result,
             FIELD(S, U32, count));
#undef S

#define S struct ff_get_flow_tag_args
STRUCT_TABLE(op_args_get_flow_tag, ff_get_flow_tag_args,
             FIELD(S, TEXT, flow_id), FIELD(S, TEXT, key));
#undef S

#define S struct ff_get_flow_tag_result
STRUCT_TABLE(op_result_get_flow_tag, ff_get_flow_tag_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, TEXT, value));
#undef S

#define S struct ff_get_flow_tags_args
STRUCT_TABLE(op_args_get_flow_tags, ff_get_flow_tags_args,
             FIELD(S, TEXT, flow_id));
#undef S

#define S struct ff_get_flow_tags_result
STRUCT_TABLE(op_result_get_flow_tags, ff_get_flow_tags_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, PAIRS, tags));
#undef S
