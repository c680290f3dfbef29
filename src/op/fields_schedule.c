/*
 * How the arguments and results of the operations of schedule.h are laid out, in its order.
 *
 * Every member but `size` and `memory` has its row; test/unit/test_fields.c finds a forgotten one.
 */
#include "op/fields.h"

#define S struct ff_scan_eligible_executions_args
STRUCT_TABLE(op_args_scan_eligible_executions, ff_scan_eligible_executions_args,
             FIELD(S, TEXT, lane_id), FIELD(S, TEXT, partition), FIELD(S, U32, limit));
#undef S

#define S struct ff_scan_eligible_executions_result
STRUCT_TABLE(op_result_scan_eligible_executions, ff_scan_eligible_executions_result,
             FIELD_OF(S, LIST, executions, op_struct_execution_ref));
#undef S

#define S struct ff_issue_claim_grant_args
STRUCT_TABLE(op_args_issue_claim_grant, ff_issue_claim_grant_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, lane_id), FIELD(S, TEXT, worker_id),
             FIELD(S, TEXT, worker_instance_id), FIELD(S, TEXT, capability_hash),
             FIELD(S, TEXT, route_snapshot_json), FIELD(S, TEXT, admission_summary),
             FIELD(S, STRS, worker_capabilities), FIELD(S, U64, grant_ttl_ms));
#undef S

#define S struct ff_issue_claim_grant_result
STRUCT_TABLE(op_result_issue_claim_grant, ff_issue_claim_grant_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id),
             FIELD(S, TEXT, partition_key), FIELD(S, TEXT, grant_key),
             FIELD(S, I64, expires_at_ms));
#undef S

#define S struct ff_claim_for_worker_args
STRUCT_TABLE(op_args_claim_for_worker, ff_claim_for_worker_args,
             FIELD(S, TEXT, lane_id), FIELD(S, TEXT, worker_id), FIELD(S, TEXT, worker_instance_id),
             FIELD(S, STRS, worker_capabilities), FIELD(S, U64, grant_ttl_ms));
#undef S

#define S struct ff_claim_for_worker_result
STRUCT_TABLE(op_result_claim_for_worker, ff_claim_for_worker_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id),
             FIELD(S, TEXT, partition_key), FIELD(S, TEXT, grant_key),
             FIELD(S, I64, expires_at_ms));
#undef S

#define S struct ff_block_execution_for_admission_args
STRUCT_TABLE(op_args_block_execution_for_admission, ff_block_execution_for_admission_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, lane_id), FIELD(S, TEXT, reason),
             FIELD(S, TEXT, reason_detail));
#undef S

#define S struct ff_block_execution_for_admission_result
STRUCT_TABLE(op_result_block_execution_for_admission, ff_block_execution_for_admission_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id), FIELD(S, TEXT, reason),
             FIELD(S, TEXT, message));
#undef S

#define S struct ff_block_route_args
STRUCT_TABLE(op_args_block_route, ff_block_route_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, lane_id), FIELD(S, TEXT, reason_code),
             FIELD(S, TEXT, reason_detail));
#undef S

#define S struct ff_block_route_result
STRUCT_TABLE(op_result_block_route, ff_block_route_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id), FIELD(S, TEXT, message));
#undef S

#define S struct ff_unblock_execution_args
STRUCT_TABLE(op_args_unblock_execution, ff_unblock_execution_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, expected_blocking_reason));
#undef S

#define S struct ff_unblock_execution_result
STRUCT_TABLE(op_result_unblock_execution, ff_unblock_execution_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

#define S struct ff_place_hold_args
STRUCT_TABLE(op_args_place_hold, ff_place_hold_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, reason), FIELD(S, TEXT, reason_detail));
#undef S

#define S struct ff_place_hold_result
STRUCT_TABLE(op_result_place_hold, ff_place_hold_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id), FIELD(S, TEXT, reason));
#undef S

#define S struct ff_release_hold_args
STRUCT_TABLE(op_args_release_hold, ff_release_hold_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, expected_blocking_reason));
#undef S

#define S struct ff_release_hold_result
STRUCT_TABLE(op_result_release_hold, ff_release_hold_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id));
#undef S

#define S struct ff_list_lanes_args
STRUCT_TABLE(op_args_list_lanes, ff_list_lanes_args,
             FIELD(S, TEXT, cursor), FIELD(S, U32, limit));
#undef S

#define S struct ff_list_lanes_result
STRUCT_TABLE(op_result_list_lanes, ff_list_lanes_result,
             FIELD_OF(S, LIST, lanes, op_struct_lane), FIELD(S, TEXT, next_cursor));
#undef S

#define S struct ff_describe_lane_args
STRUCT_TABLE(op_args_describe_lane, ff_describe_lane_args,
             FIELD(S, TEXT, lane_id));
#undef S

#define S struct ff_describe_lane_result
STRUCT_TABLE(op_result_describe_lane, ff_describe_lane_result,
             FIELD_WORD(S, outcome, outcome), FIELD_OF(S, STRUCT, lane, op_struct_lane));
#undef S

#define S struct ff_set_lane_state_args
STRUCT_TABLE(op_args_set_lane_state, ff_set_lane_state_args,
             FIELD(S, TEXT, lane_id), FIELD(S, TEXT, state));
#undef S

#define S struct ff_set_lane_state_result
STRUCT_TABLE(op_result_set_lane_state, ff_set_lane_state_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, TEXT, lane_id),
             FIELD_WORD(S, state, lane_state), FIELD_WORD(S, previous_state, lane_state));
#undef S

#define S struct ff_register_lane_args
STRUCT_TABLE(op_args_register_lane, ff_register_lane_args,
             FIELD(S, TEXT, lane_id), FIELD(S, TEXT, registered_by),
             FIELD(S, TEXT, required_capabilities));
#undef S

#define S struct ff_register_lane_result
STRUCT_TABLE(op_result_register_lane, ff_register_lane_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

STRUCT_EMPTY(op_args_ping, ff_ping_args);

#define S struct ff_ping_result
STRUCT_TABLE(op_result_ping, ff_ping_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

STRUCT_EMPTY(op_args_server_time_ms, ff_server_time_ms_args);

#define S struct ff_server_time_ms_result
STRUCT_TABLE(op_result_server_time_ms, ff_server_time_ms_result,
             FIELD(S, I64, now_ms));
#undef S

STRUCT_EMPTY(op_args_capabilities, ff_capabilities_args);

#define S struct ff_capabilities_result
STRUCT_TABLE(op_result_capabilities, ff_capabilities_result,
             FIELD(S, TEXT, family), FIELD(S, TEXT, version), FIELD(S, TEXT, stage),
             FIELD(S, PAIRS, supports));
#undef S

STRUCT_EMPTY(op_args_prepare, ff_prepare_args);

#define S struct ff_prepare_result
STRUCT_TABLE(op_result_prepare, ff_prepare_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, TEXT, description));
#undef S

STRUCT_EMPTY(op_args_read_config, ff_read_config_args);

#define S struct ff_read_config_result
STRUCT_TABLE(op_result_read_config, ff_read_config_result,
             FIELD(S, PAIRS, config));
#undef S

STRUCT_EMPTY(op_args_list_scanners, ff_list_scanners_args);

#define S struct ff_list_scanners_result
STRUCT_TABLE(op_result_list_scanners, ff_list_scanners_result,
             FIELD_OF(S, LIST, scanners, op_struct_scanner));
#undef S

#define S struct ff_run_scanner_args
STRUCT_TABLE(op_args_run_scanner, ff_run_scanner_args,
             FIELD(S, TEXT, name));
#undef S

#define S struct ff_run_scanner_result
STRUCT_TABLE(op_result_run_scanner, ff_run_scanner_result,
             FIELD(S, U32, processed), FIELD(S, U32, errors));
#undef S

STRUCT_EMPTY(op_args_engine_stats, ff_engine_stats_args);

#define S struct ff_engine_stats_result
STRUCT_TABLE(op_result_engine_stats, ff_engine_stats_result,
             FIELD(S, PAIRS, stats));
#undef S
