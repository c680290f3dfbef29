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
