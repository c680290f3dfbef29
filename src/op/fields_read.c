/*
 * How the arguments and results of the operations of read.h are laid out, in its order.
 *
 * Every member but `size` and `memory` has its row; test/unit/test_fields.c finds a forgotten one.
 */
#include "op/fields.h"

#define S struct ff_describe_execution_args
STRUCT_TABLE(op_args_describe_execution, ff_describe_execution_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_describe_execution_result
STRUCT_TABLE(op_result_describe_execution, ff_describe_execution_result,
             FIELD_WORD(S, outcome, outcome), FIELD_OF(S, STRUCT, execution, op_struct_execution));
#undef S

#define S struct ff_read_execution_state_args
STRUCT_TABLE(op_args_read_execution_state, ff_read_execution_state_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_read_execution_state_result
STRUCT_TABLE(op_result_read_execution_state, ff_read_execution_state_result,
             FIELD_WORD(S, outcome, outcome), FIELD_WORD(S, public_state, public_state));
#undef S

#define S struct ff_read_execution_info_args
STRUCT_TABLE(op_args_read_execution_info, ff_read_execution_info_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_read_execution_info_result
STRUCT_TABLE(op_result_read_execution_info, ff_read_execution_info_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id),
             FIELD_AS(S, TEXT, namespace_, "namespace"), FIELD(S, TEXT, lane_id),
             FIELD(S, TEXT, execution_kind), FIELD(S, I32, priority),
             FIELD_WORD(S, lifecycle_phase, lifecycle_phase),
             FIELD_WORD(S, ownership_state, ownership_state),
             FIELD_WORD(S, eligibility_state, eligibility_state),
             FIELD_WORD(S, blocking_reason, blocking_reason),
             FIELD_WORD(S, terminal_outcome, terminal_outcome),
             FIELD_WORD(S, attempt_state, attempt_state), FIELD_WORD(S, public_state, public_state),
             FIELD(S, TEXT, created_at), FIELD(S, TEXT, started_at), FIELD(S, TEXT, completed_at),
             FIELD(S, U32, current_attempt_index), FIELD(S, ID, flow_id),
             FIELD(S, TEXT, blocking_detail));
#undef S

#define S struct ff_read_execution_context_args
STRUCT_TABLE(op_args_read_execution_context, ff_read_execution_context_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_read_execution_context_result
STRUCT_TABLE(op_result_read_execution_context, ff_read_execution_context_result,
             FIELD(S, BYTES, input_payload), FIELD(S, TEXT, payload_encoding),
             FIELD(S, TEXT, execution_kind), FIELD(S, PAIRS, tags));
#undef S

#define S struct ff_read_current_attempt_index_args
STRUCT_TABLE(op_args_read_current_attempt_index, ff_read_current_attempt_index_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_read_current_attempt_index_result
STRUCT_TABLE(op_result_read_current_attempt_index, ff_read_current_attempt_index_result,
             FIELD(S, U32, index));
#undef S

#define S struct ff_read_total_attempt_count_args
STRUCT_TABLE(op_args_read_total_attempt_count, ff_read_total_attempt_count_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_read_total_attempt_count_result
STRUCT_TABLE(op_result_read_total_attempt_count, ff_read_total_attempt_count_result,
             FIELD(S, U32, count));
#undef S

#define S struct ff_list_attempts_args
STRUCT_TABLE(op_args_list_attempts, ff_list_attempts_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_list_attempts_result
STRUCT_TABLE(op_result_list_attempts, ff_list_attempts_result,
             FIELD_WORD(S, outcome, outcome), FIELD_OF(S, LIST, attempts, op_struct_attempt));
#undef S

#define S struct ff_get_execution_result_args
STRUCT_TABLE(op_args_get_execution_result, ff_get_execution_result_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_get_execution_result_result
STRUCT_TABLE(op_result_get_execution_result, ff_get_execution_result_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, BYTES, payload), FIELD(S, TEXT, encoding));
#undef S

#define S struct ff_read_exec_core_fields_args
STRUCT_TABLE(op_args_read_exec_core_fields, ff_read_exec_core_fields_args,
             FIELD(S, TEXT, partition), FIELD(S, TEXT, execution_id), FIELD(S, STRS, names));
#undef S

#define S struct ff_read_exec_core_fields_result
STRUCT_TABLE(op_result_read_exec_core_fields, ff_read_exec_core_fields_result,
             FIELD(S, PAIRS, fields));
#undef S

#define S struct ff_get_execution_namespace_args
STRUCT_TABLE(op_args_get_execution_namespace, ff_get_execution_namespace_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_get_execution_namespace_result
STRUCT_TABLE(op_result_get_execution_namespace, ff_get_execution_namespace_result,
             FIELD_WORD(S, outcome, outcome), FIELD_AS(S, TEXT, namespace_, "namespace"));
#undef S

#define S struct ff_list_executions_args
STRUCT_TABLE(op_args_list_executions, ff_list_executions_args,
             FIELD(S, TEXT, partition), FIELD(S, TEXT, cursor), FIELD(S, U32, limit));
#undef S

#define S struct ff_list_executions_result
STRUCT_TABLE(op_result_list_executions, ff_list_executions_result,
             FIELD_OF(S, LIST, executions, op_struct_execution), FIELD(S, TEXT, next_cursor));
#undef S

#define S struct ff_query_executions_args
STRUCT_TABLE(op_args_query_executions, ff_query_executions_args,
             FIELD_AS(S, TEXT, namespace_, "namespace"), FIELD(S, TEXT, lane_id),
             FIELD(S, TEXT, execution_kind), FIELD(S, TEXT, public_state), FIELD(S, TEXT, tag_key),
             FIELD(S, TEXT, tag_value), FIELD(S, TEXT, flow_id), FIELD(S, I64, created_from),
             FIELD(S, I64, created_to), FIELD(S, I64, ended_from), FIELD(S, I64, ended_to),
             FIELD(S, TEXT, cursor), FIELD(S, U32, limit));
#undef S

#define S struct ff_query_executions_result
STRUCT_TABLE(op_result_query_executions, ff_query_executions_result,
             FIELD_OF(S, LIST, executions, op_struct_execution), FIELD(S, TEXT, next_cursor));
#undef S

#define S struct ff_wait_execution_args
STRUCT_TABLE(op_args_wait_execution, ff_wait_execution_args,
             FIELD(S, TEXT, execution_id), FIELD(S, U64, timeout_ms), FIELD(S, BOOL, until_change),
             FIELD(S, U64, after_version));
#undef S

#define S struct ff_wait_execution_result
STRUCT_TABLE(op_result_wait_execution, ff_wait_execution_result,
             FIELD_WORD(S, outcome, outcome), FIELD_OF(S, STRUCT, execution, op_struct_execution));
#undef S

#define S struct ff_list_events_args
STRUCT_TABLE(op_args_list_events, ff_list_events_args,
             FIELD(S, TEXT, execution_id), FIELD(S, U64, after), FIELD(S, U32, limit));
#undef S

#define S struct ff_list_events_result
STRUCT_TABLE(op_result_list_events, ff_list_events_result,
             FIELD_WORD(S, outcome, outcome), FIELD_OF(S, LIST, events, op_struct_event),
             FIELD(S, BOOL, more));
#undef S

#define S struct ff_set_execution_tag_args
STRUCT_TABLE(op_args_set_execution_tag, ff_set_execution_tag_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, key), FIELD(S, TEXT, value));
#undef S

#define S struct ff_set_execution_tag_result
STRUCT_TABLE(op_result_set_execution_tag, ff_set_execution_tag_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

#define S struct ff_set_execution_tags_args
STRUCT_TABLE(op_args_set_execution_tags, ff_set_execution_tags_args,
             FIELD(S, TEXT, execution_id), FIELD(S, PAIRS, tags));
#undef S

#define S struct ff_set_execution_tags_result
STRUCT_TABLE(op_result_set_execution_tags, ff_set_execution_tags_result,
             FIELD(S, U32, count));
#undef S

#define S struct ff_get_execution_tag_args
STRUCT_TABLE(op_args_get_execution_tag, ff_get_execution_tag_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, key));
#undef S

#define S struct ff_get_execution_tag_result
STRUCT_TABLE(op_result_get_execution_tag, ff_get_execution_tag_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, TEXT, value));
#undef S

#define S struct ff_get_execution_tags_args
STRUCT_TABLE(op_args_get_execution_tags, ff_get_execution_tags_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_get_execution_tags_result
STRUCT_TABLE(op_result_get_execution_tags, ff_get_execution_tags_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, PAIRS, tags));
#undef S
