/*
 * How the arguments and results of the operations of flow_cancel.h are laid out, in its order.
 *
 * Every member but `size` and `memory` has its row; test/unit/test_fields.c finds a forgotten one.
 */
#include "op/fields.h"

#define S struct ff_cancel_flow_args
STRUCT_TABLE(op_args_cancel_flow, ff_cancel_flow_args,
             FIELD(S, TEXT, flow_id), FIELD(S, TEXT, cancellation_policy), FIELD(S, TEXT, reason),
             FIELD_WORD(S, wait, flow_wait), FIELD(S, U64, timeout_ms));
#undef S

#define S struct ff_cancel_flow_result
STRUCT_TABLE(op_result_cancel_flow, ff_cancel_flow_result,
             FIELD_WORD(S, outcome, outcome),
             FIELD_WORD(S, cancellation_policy, flow_cancel_policy), FIELD(S, U32, member_count),
             FIELD_OF(S, LIST, member_execution_ids, op_struct_execution_ref),
             FIELD_OF(S, LIST, failed_member_execution_ids, op_struct_execution_ref));
#undef S

#define S struct ff_cancel_flow_header_args
STRUCT_TABLE(op_args_cancel_flow_header, ff_cancel_flow_header_args,
             FIELD(S, TEXT, flow_id), FIELD(S, TEXT, reason),
             FIELD(S, TEXT, cancellation_policy));
#undef S

#define S struct ff_cancel_flow_header_result
STRUCT_TABLE(op_result_cancel_flow_header, ff_cancel_flow_header_result,
             FIELD_WORD(S, outcome, outcome),
             FIELD_WORD(S, cancellation_policy, flow_cancel_policy), FIELD(S, TEXT, cancel_reason),
             FIELD_OF(S, LIST, member_execution_ids, op_struct_execution_ref));
#undef S

#define S struct ff_ack_cancel_member_args
STRUCT_TABLE(op_args_ack_cancel_member, ff_ack_cancel_member_args,
             FIELD(S, TEXT, flow_id), FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_ack_cancel_member_result
STRUCT_TABLE(op_result_ack_cancel_member, ff_ack_cancel_member_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

#define S struct ff_wait_for_flow_cancellation_args
STRUCT_TABLE(op_args_wait_for_flow_cancellation, ff_wait_for_flow_cancellation_args,
             FIELD(S, TEXT, flow_id), FIELD(S, U64, timeout_ms));
#undef S

#define S struct ff_wait_for_flow_cancellation_result
STRUCT_TABLE(op_result_wait_for_flow_cancellation, ff_wait_for_flow_cancellation_result,
             FIELD_WORD(S, outcome, outcome));
#undef S
