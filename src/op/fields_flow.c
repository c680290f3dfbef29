/*
 * How the arguments and results of the operations of flow.h are laid out, in its order.
 *
 * Every member but `size` and `memory` has its row; test/unit/test_fields.c finds a forgotten one.
 */
#include "op/fields.h"

#define S struct ff_create_flow_args
STRUCT_TABLE(op_args_create_flow, ff_create_flow_args,
             FIELD(S, TEXT, flow_id), FIELD(S, TEXT, flow_kind),
             FIELD_AS(S, TEXT, namespace_, "namespace"));
#undef S

#define S struct ff_create_flow_result
STRUCT_TABLE(op_result_create_flow, ff_create_flow_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, flow_id));
#undef S

#define S struct ff_add_execution_to_flow_args
STRUCT_TABLE(op_args_add_execution_to_flow, ff_add_execution_to_flow_args,
             FIELD(S, TEXT, flow_id), FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_add_execution_to_flow_result
STRUCT_TABLE(op_result_add_execution_to_flow, ff_add_execution_to_flow_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id),
             FIELD(S, U32, node_count));
#undef S

#define S struct ff_stage_dependency_edge_args
STRUCT_TABLE(op_args_stage_dependency_edge, ff_stage_dependency_edge_args,
             FIELD(S, TEXT, flow_id), FIELD(S, TEXT, edge_id),
             FIELD(S, TEXT, upstream_execution_id), FIELD(S, TEXT, downstream_execution_id),
             FIELD(S, TEXT, dependency_kind), FIELD(S, TEXT, data_passing_ref),
             FIELD(S, U64, expected_graph_revision));
#undef S

#define S struct ff_stage_dependency_edge_result
STRUCT_TABLE(op_result_stage_dependency_edge, ff_stage_dependency_edge_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, edge_id),
             FIELD(S, U64, new_graph_revision));
#undef S

#define S struct ff_set_edge_group_policy_args
STRUCT_TABLE(op_args_set_edge_group_policy, ff_set_edge_group_policy_args,
             FIELD(S, TEXT, flow_id), FIELD(S, TEXT, downstream_execution_id),
             FIELD(S, TEXT, policy));
#undef S

#define S struct ff_set_edge_group_policy_result
STRUCT_TABLE(op_result_set_edge_group_policy, ff_set_edge_group_policy_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

#define S struct ff_apply_dependency_to_child_args
STRUCT_TABLE(op_args_apply_dependency_to_child, ff_apply_dependency_to_child_args,
             FIELD(S, TEXT, flow_id), FIELD(S, TEXT, edge_id),
             FIELD(S, TEXT, downstream_execution_id), FIELD(S, TEXT, upstream_execution_id),
             FIELD(S, U64, graph_revision), FIELD(S, TEXT, dependency_kind),
             FIELD(S, TEXT, data_passing_ref));
#undef S

#define S struct ff_apply_dependency_to_child_result
STRUCT_TABLE(op_result_apply_dependency_to_child, ff_apply_dependency_to_child_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, U32, unsatisfied_count));
#undef S

#define S struct ff_resolve_dependency_args
STRUCT_TABLE(op_args_resolve_dependency, ff_resolve_dependency_args,
             FIELD(S, TEXT, flow_id), FIELD(S, TEXT, edge_id),
             FIELD(S, TEXT, downstream_execution_id), FIELD(S, TEXT, upstream_execution_id),
             FIELD(S, TEXT, upstream_outcome));
#undef S

#define S struct ff_resolve_dependency_result
STRUCT_TABLE(op_result_resolve_dependency, ff_resolve_dependency_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

#define S struct ff_evaluate_flow_eligibility_args
STRUCT_TABLE(op_args_evaluate_flow_eligibility, ff_evaluate_flow_eligibility_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_evaluate_flow_eligibility_result
STRUCT_TABLE(op_result_evaluate_flow_eligibility, ff_evaluate_flow_eligibility_result,
             FIELD_WORD(S, status, flow_eligibility));
#undef S

#define S struct ff_promote_blocked_to_eligible_args
STRUCT_TABLE(op_args_promote_blocked_to_eligible, ff_promote_blocked_to_eligible_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_promote_blocked_to_eligible_result
STRUCT_TABLE(op_result_promote_blocked_to_eligible, ff_promote_blocked_to_eligible_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

extern const struct ff_struct op_struct_graph_member, op_struct_graph_edge, op_struct_graph_id;
#define S struct ff_graph_member
STRUCT_TABLE(op_struct_graph_member, ff_graph_member,
             FIELD(S, TEXT, name), FIELD(S, TEXT, lane_id), FIELD(S, TEXT, execution_kind),
             FIELD(S, BYTES, input_payload), FIELD(S, TEXT, payload_encoding),
             FIELD(S, I32, priority), FIELD(S, PAIRS, tags), FIELD(S, TEXT, policy),
             FIELD(S, I64, delay_until), FIELD(S, I64, deadline_at), FIELD(S, TEXT, edge_policy));
#undef S

#define S struct ff_graph_edge
STRUCT_TABLE(op_struct_graph_edge, ff_graph_edge,
             FIELD(S, TEXT, upstream), FIELD(S, TEXT, downstream),
             FIELD(S, TEXT, data_passing_ref));
#undef S

#define S struct ff_create_flow_graph_args
STRUCT_TABLE(op_args_create_flow_graph, ff_create_flow_graph_args,
             FIELD(S, TEXT, flow_id), FIELD(S, TEXT, flow_kind),
             FIELD_AS(S, TEXT, namespace_, "namespace"), FIELD(S, TEXT, creator_identity),
             FIELD_OF(S, LIST, members, op_struct_graph_member),
             FIELD_OF(S, LIST, edges, op_struct_graph_edge));
#undef S

#define S struct ff_graph_id
STRUCT_TABLE(op_struct_graph_id, ff_graph_id, FIELD(S, ID, id));
#undef S

#define S struct ff_create_flow_graph_result
STRUCT_TABLE(op_result_create_flow_graph, ff_create_flow_graph_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, flow_id),
             FIELD_OF(S, LIST, execution_ids, op_struct_graph_id),
             FIELD_OF(S, LIST, edge_ids, op_struct_graph_id), FIELD(S, U64, graph_revision));
#undef S
