/*
 * How the arguments and results of the operations of lifecycle.h are laid out, in its order.
 *
 * Every member but `size` and `memory` has its row; test/unit/test_fields.c finds a forgotten one.
 */
#include "op/fields.h"

/* Elements of the lists below. */
extern const struct ff_struct op_struct_create_slot, op_struct_renew_slot, op_struct_renew_item,
    op_struct_complete_item, op_struct_complete_slot, op_struct_fail_item, op_struct_fail_slot;

#define S struct ff_create_execution_args
STRUCT_TABLE(op_args_create_execution, ff_create_execution_args,
             FIELD(S, TEXT, execution_id), FIELD_AS(S, TEXT, namespace_, "namespace"),
             FIELD(S, TEXT, lane_id), FIELD(S, TEXT, execution_kind),
             FIELD(S, BYTES, input_payload), FIELD(S, TEXT, payload_encoding),
             FIELD(S, I32, priority), FIELD(S, TEXT, creator_identity),
             FIELD(S, TEXT, idempotency_key), FIELD(S, PAIRS, tags), FIELD(S, TEXT, policy),
             FIELD(S, I64, delay_until), FIELD(S, I64, deadline_at));
#undef S

#define S struct ff_create_execution_result
STRUCT_TABLE(op_result_create_execution, ff_create_execution_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id),
             FIELD_WORD(S, public_state, public_state));
#undef S

#define S struct ff_submit_args
STRUCT_TABLE(op_args_submit, ff_submit_args,
             FIELD_AS(S, TEXT, namespace_, "namespace"), FIELD(S, TEXT, lane_id),
             FIELD(S, TEXT, execution_kind), FIELD(S, BYTES, input_payload),
             FIELD(S, TEXT, payload_encoding), FIELD(S, I32, priority),
             FIELD(S, TEXT, creator_identity), FIELD(S, TEXT, idempotency_key),
             FIELD(S, PAIRS, tags), FIELD(S, TEXT, policy), FIELD(S, I64, delay_until),
             FIELD(S, I64, deadline_at));
#undef S

#define S struct ff_submit_result
STRUCT_TABLE(op_result_submit, ff_submit_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id),
             FIELD_WORD(S, public_state, public_state));
#undef S

#define S struct ff_create_slot
STRUCT_TABLE(op_struct_create_slot, ff_create_slot,
             FIELD(S, ERROR, error), FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id),
             FIELD_WORD(S, public_state, public_state));
#undef S

#define S struct ff_create_executions_args
STRUCT_TABLE(op_args_create_executions, ff_create_executions_args,
             FIELD_OF(S, LIST, items, op_args_create_execution));
#undef S

#define S struct ff_create_executions_result
STRUCT_TABLE(op_result_create_executions, ff_create_executions_result,
             FIELD_OF(S, LIST, slots, op_struct_create_slot));
#undef S

#define S struct ff_claim_args
STRUCT_TABLE(op_args_claim, ff_claim_args,
             FIELD(S, TEXT, lane_id), FIELD(S, STRS, capabilities), FIELD(S, TEXT, worker_id),
             FIELD(S, TEXT, worker_instance_id), FIELD(S, U64, lease_ttl_ms),
             FIELD(S, U64, max_wait_ms), FIELD(S, TEXT, request_id));
#undef S

#define S struct ff_claim_result
STRUCT_TABLE(op_result_claim, ff_claim_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, HANDLE, handle));
#undef S

#define S struct ff_claim_task_args
STRUCT_TABLE(op_args_claim_task, ff_claim_task_args,
             FIELD(S, STRS, lane_ids), FIELD(S, STRS, capabilities), FIELD(S, TEXT, worker_id),
             FIELD(S, TEXT, worker_instance_id), FIELD(S, U64, lease_ttl_ms),
             FIELD(S, U64, max_wait_ms), FIELD(S, TEXT, request_id));
#undef S

#define S struct ff_claim_task_result
STRUCT_TABLE(op_result_claim_task, ff_claim_task_result,
             FIELD_WORD(S, outcome, outcome), FIELD_OF(S, STRUCT, task, op_struct_task));
#undef S

#define S struct ff_claim_tasks_args
STRUCT_TABLE(op_args_claim_tasks, ff_claim_tasks_args,
             FIELD(S, STRS, lane_ids), FIELD(S, STRS, capabilities), FIELD(S, TEXT, worker_id),
             FIELD(S, TEXT, worker_instance_id), FIELD(S, U64, lease_ttl_ms),
             FIELD(S, U64, max_wait_ms), FIELD(S, TEXT, request_id), FIELD(S, U32, max));
#undef S

#define S struct ff_claim_tasks_result
STRUCT_TABLE(op_result_claim_tasks, ff_claim_tasks_result,
             FIELD_WORD(S, outcome, outcome), FIELD_OF(S, LIST, tasks, op_struct_task));
#undef S

#define S struct ff_claim_execution_args
STRUCT_TABLE(op_args_claim_execution, ff_claim_execution_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, worker_id),
             FIELD(S, TEXT, worker_instance_id), FIELD(S, TEXT, lane_id), FIELD(S, TEXT, lease_id),
             FIELD(S, U64, lease_ttl_ms), FIELD(S, TEXT, attempt_id),
             FIELD(S, U32, expected_attempt_index), FIELD(S, TEXT, attempt_policy_json),
             FIELD(S, U64, attempt_timeout_ms), FIELD(S, I64, execution_deadline_at));
#undef S

#define S struct ff_claim_execution_result
STRUCT_TABLE(op_result_claim_execution, ff_claim_execution_result,
             FIELD_WORD(S, outcome, outcome), FIELD_OF(S, STRUCT, claimed, op_struct_claimed));
#undef S

#define S struct ff_claim_resumed_execution_args
STRUCT_TABLE(op_args_claim_resumed_execution, ff_claim_resumed_execution_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, worker_id),
             FIELD(S, TEXT, worker_instance_id), FIELD(S, TEXT, lane_id), FIELD(S, TEXT, lease_id),
             FIELD(S, U64, lease_ttl_ms), FIELD(S, U32, current_attempt_index),
             FIELD(S, U64, remaining_attempt_timeout_ms));
#undef S

#define S struct ff_claim_resumed_execution_result
STRUCT_TABLE(op_result_claim_resumed_execution, ff_claim_resumed_execution_result,
             FIELD_WORD(S, outcome, outcome), FIELD_OF(S, STRUCT, claimed, op_struct_claimed));
#undef S

#define S struct ff_claim_from_resume_grant_args
STRUCT_TABLE(op_args_claim_from_resume_grant, ff_claim_from_resume_grant_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, lane_id), FIELD(S, TEXT, grant_key),
             FIELD(S, TEXT, worker_id), FIELD(S, TEXT, worker_instance_id),
             FIELD(S, U64, lease_ttl_ms));
#undef S

#define S struct ff_claim_from_resume_grant_result
STRUCT_TABLE(op_result_claim_from_resume_grant, ff_claim_from_resume_grant_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, HANDLE, handle));
#undef S

#define S struct ff_claim_from_reclaim_args
STRUCT_TABLE(op_args_claim_from_reclaim, ff_claim_from_reclaim_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, lane_id), FIELD(S, TEXT, grant_key),
             FIELD(S, TEXT, worker_id), FIELD(S, TEXT, worker_instance_id),
             FIELD(S, U64, lease_ttl_ms));
#undef S

#define S struct ff_claim_from_reclaim_result
STRUCT_TABLE(op_result_claim_from_reclaim, ff_claim_from_reclaim_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, HANDLE, handle));
#undef S

#define S struct ff_issue_grant_and_claim_args
STRUCT_TABLE(op_args_issue_grant_and_claim, ff_issue_grant_and_claim_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, lane_id),
             FIELD(S, U64, lease_duration_ms));
#undef S

#define S struct ff_issue_grant_and_claim_result
STRUCT_TABLE(op_result_issue_grant_and_claim, ff_issue_grant_and_claim_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, lease_id), FIELD(S, U64, lease_epoch),
             FIELD(S, U32, attempt_index), FIELD(S, HANDLE, handle));
#undef S

#define S struct ff_renew_args
STRUCT_TABLE(op_args_renew, ff_renew_args,
             FIELD(S, HANDLE, handle));
#undef S

#define S struct ff_renew_result
STRUCT_TABLE(op_result_renew, ff_renew_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, I64, expires_at_ms),
             FIELD(S, U64, lease_epoch));
#undef S

#define S struct ff_renew_lease_args
STRUCT_TABLE(op_args_renew_lease, ff_renew_lease_args,
             FIELD(S, TEXT, execution_id), FIELD(S, BOOL, has_attempt_index),
             FIELD(S, U32, attempt_index), FIELD_OF(S, STRUCT, fence, op_struct_fence),
             FIELD(S, U64, lease_ttl_ms));
#undef S

#define S struct ff_renew_lease_result
STRUCT_TABLE(op_result_renew_lease, ff_renew_lease_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, I64, expires_at_ms),
             FIELD(S, U64, lease_epoch));
#undef S

#define S struct ff_renew_slot
STRUCT_TABLE(op_struct_renew_slot, ff_renew_slot,
             FIELD(S, ERROR, error), FIELD_WORD(S, outcome, outcome), FIELD(S, I64, expires_at_ms),
             FIELD(S, U64, lease_epoch));
#undef S

#define S struct ff_renew_item
STRUCT_TABLE(op_struct_renew_item, ff_renew_item,
             FIELD(S, HANDLE, handle));
#undef S

#define S struct ff_renew_many_args
STRUCT_TABLE(op_args_renew_many, ff_renew_many_args,
             FIELD_OF(S, LIST, items, op_struct_renew_item));
#undef S

#define S struct ff_renew_many_result
STRUCT_TABLE(op_result_renew_many, ff_renew_many_result,
             FIELD_OF(S, LIST, slots, op_struct_renew_slot));
#undef S

#define S struct ff_progress_args
STRUCT_TABLE(op_args_progress, ff_progress_args,
             FIELD(S, HANDLE, handle), FIELD(S, BOOL, has_percent), FIELD(S, U32, percent),
             FIELD(S, TEXT, message));
#undef S

#define S struct ff_progress_result
STRUCT_TABLE(op_result_progress, ff_progress_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

#define S struct ff_complete_args
STRUCT_TABLE(op_args_complete, ff_complete_args,
             FIELD(S, HANDLE, handle), FIELD(S, BYTES, result_payload),
             FIELD(S, TEXT, result_encoding));
#undef S

#define S struct ff_complete_result
STRUCT_TABLE(op_result_complete, ff_complete_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id),
             FIELD_WORD(S, public_state, public_state));
#undef S

#define S struct ff_complete_execution_args
STRUCT_TABLE(op_args_complete_execution, ff_complete_execution_args,
             FIELD(S, TEXT, execution_id), FIELD_OF(S, STRUCT, fence, op_struct_fence),
             FIELD(S, BOOL, has_attempt_index), FIELD(S, U32, attempt_index),
             FIELD(S, BYTES, result_payload), FIELD(S, TEXT, result_encoding),
             FIELD(S, TEXT, source));
#undef S

#define S struct ff_complete_execution_result
STRUCT_TABLE(op_result_complete_execution, ff_complete_execution_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id),
             FIELD_WORD(S, public_state, public_state));
#undef S

#define S struct ff_complete_item
STRUCT_TABLE(op_struct_complete_item, ff_complete_item,
             FIELD(S, HANDLE, handle), FIELD(S, BYTES, result_payload),
             FIELD(S, TEXT, result_encoding));
#undef S

#define S struct ff_complete_slot
STRUCT_TABLE(op_struct_complete_slot, ff_complete_slot,
             FIELD(S, ERROR, error), FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id));
#undef S

#define S struct ff_complete_many_args
STRUCT_TABLE(op_args_complete_many, ff_complete_many_args,
             FIELD_OF(S, LIST, items, op_struct_complete_item));
#undef S

#define S struct ff_complete_many_result
STRUCT_TABLE(op_result_complete_many, ff_complete_many_result,
             FIELD_OF(S, LIST, slots, op_struct_complete_slot));
#undef S

#define S struct ff_complete_and_claim_args
STRUCT_TABLE(op_args_complete_and_claim, ff_complete_and_claim_args,
             FIELD(S, HANDLE, handle), FIELD(S, BYTES, result_payload),
             FIELD(S, TEXT, result_encoding), FIELD(S, STRS, lane_ids),
             FIELD(S, STRS, capabilities), FIELD(S, TEXT, worker_id),
             FIELD(S, TEXT, worker_instance_id), FIELD(S, U64, lease_ttl_ms),
             FIELD(S, TEXT, request_id));
#undef S

#define S struct ff_complete_and_claim_result
STRUCT_TABLE(op_result_complete_and_claim, ff_complete_and_claim_result,
             FIELD_WORD(S, outcome, outcome), FIELD_OF(S, STRUCT, task, op_struct_task));
#undef S

#define S struct ff_fail_args
STRUCT_TABLE(op_args_fail, ff_fail_args,
             FIELD(S, HANDLE, handle), FIELD(S, TEXT, reason), FIELD(S, TEXT, detail),
             FIELD_WORD(S, failure_class, failure_class));
#undef S

#define S struct ff_fail_result
STRUCT_TABLE(op_result_fail, ff_fail_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, I64, delay_until),
             FIELD(S, U32, next_attempt_index));
#undef S

#define S struct ff_fail_execution_args
STRUCT_TABLE(op_args_fail_execution, ff_fail_execution_args,
             FIELD(S, TEXT, execution_id), FIELD_OF(S, STRUCT, fence, op_struct_fence),
             FIELD(S, BOOL, has_attempt_index), FIELD(S, U32, attempt_index),
             FIELD(S, TEXT, failure_reason), FIELD(S, TEXT, failure_category),
             FIELD(S, TEXT, retry_policy_json), FIELD(S, TEXT, next_attempt_policy_json),
             FIELD(S, TEXT, source));
#undef S

#define S struct ff_fail_execution_result
STRUCT_TABLE(op_result_fail_execution, ff_fail_execution_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, I64, delay_until),
             FIELD(S, U32, next_attempt_index));
#undef S

#define S struct ff_fail_item
STRUCT_TABLE(op_struct_fail_item, ff_fail_item,
             FIELD(S, HANDLE, handle), FIELD(S, TEXT, reason), FIELD(S, TEXT, detail),
             FIELD_WORD(S, failure_class, failure_class));
#undef S

#define S struct ff_fail_slot
STRUCT_TABLE(op_struct_fail_slot, ff_fail_slot,
             FIELD(S, ERROR, error), FIELD_WORD(S, outcome, outcome), FIELD(S, I64, delay_until),
             FIELD(S, U32, next_attempt_index));
#undef S

#define S struct ff_fail_many_args
STRUCT_TABLE(op_args_fail_many, ff_fail_many_args,
             FIELD_OF(S, LIST, items, op_struct_fail_item));
#undef S

#define S struct ff_fail_many_result
STRUCT_TABLE(op_result_fail_many, ff_fail_many_result,
             FIELD_OF(S, LIST, slots, op_struct_fail_slot));
#undef S

#define S struct ff_cancel_args
STRUCT_TABLE(op_args_cancel, ff_cancel_args,
             FIELD(S, HANDLE, handle), FIELD(S, TEXT, reason));
#undef S

#define S struct ff_cancel_result
STRUCT_TABLE(op_result_cancel, ff_cancel_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

#define S struct ff_delay_args
STRUCT_TABLE(op_args_delay, ff_delay_args,
             FIELD(S, HANDLE, handle), FIELD(S, I64, delay_until));
#undef S

#define S struct ff_delay_result
STRUCT_TABLE(op_result_delay, ff_delay_result,
             FIELD_WORD(S, outcome, outcome), FIELD_WORD(S, public_state, public_state));
#undef S

#define S struct ff_wait_children_args
STRUCT_TABLE(op_args_wait_children, ff_wait_children_args,
             FIELD(S, HANDLE, handle));
#undef S

#define S struct ff_wait_children_result
STRUCT_TABLE(op_result_wait_children, ff_wait_children_result,
             FIELD_WORD(S, outcome, outcome), FIELD_WORD(S, public_state, public_state));
#undef S

#define S struct ff_cancel_execution_args
STRUCT_TABLE(op_args_cancel_execution, ff_cancel_execution_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, reason), FIELD(S, TEXT, source),
             FIELD_OF(S, STRUCT, fence, op_struct_fence));
#undef S

#define S struct ff_cancel_execution_result
STRUCT_TABLE(op_result_cancel_execution, ff_cancel_execution_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id),
             FIELD_WORD(S, public_state, public_state));
#undef S

#define S struct ff_revoke_lease_args
STRUCT_TABLE(op_args_revoke_lease, ff_revoke_lease_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, expected_lease_id),
             FIELD(S, TEXT, worker_instance_id), FIELD(S, TEXT, reason));
#undef S

#define S struct ff_revoke_lease_result
STRUCT_TABLE(op_result_revoke_lease, ff_revoke_lease_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, lease_id), FIELD(S, U64, lease_epoch),
             FIELD(S, TEXT, reason));
#undef S

#define S struct ff_issue_reclaim_grant_args
STRUCT_TABLE(op_args_issue_reclaim_grant, ff_issue_reclaim_grant_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, worker_id),
             FIELD(S, TEXT, worker_instance_id), FIELD(S, TEXT, lane_id),
             FIELD(S, TEXT, capability_hash), FIELD(S, U64, grant_ttl_ms),
             FIELD(S, TEXT, route_snapshot_json), FIELD(S, TEXT, admission_summary),
             FIELD(S, STRS, worker_capabilities), FIELD(S, BOOL, has_max_reclaim_count),
             FIELD(S, U32, max_reclaim_count));
#undef S

#define S struct ff_issue_reclaim_grant_result
STRUCT_TABLE(op_result_issue_reclaim_grant, ff_issue_reclaim_grant_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id),
             FIELD(S, TEXT, partition_key), FIELD(S, TEXT, grant_key), FIELD(S, TEXT, lane_id),
             FIELD(S, TEXT, detail), FIELD(S, I64, expires_at_ms), FIELD(S, U32, reclaim_count));
#undef S

#define S struct ff_reclaim_execution_args
STRUCT_TABLE(op_args_reclaim_execution, ff_reclaim_execution_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, worker_id),
             FIELD(S, TEXT, worker_instance_id), FIELD(S, TEXT, lane_id),
             FIELD(S, TEXT, capability_hash), FIELD(S, TEXT, lease_id), FIELD(S, U64, lease_ttl_ms),
             FIELD(S, TEXT, attempt_id), FIELD(S, TEXT, attempt_policy_json),
             FIELD(S, BOOL, has_max_reclaim_count), FIELD(S, U32, max_reclaim_count),
             FIELD(S, TEXT, old_worker_instance_id), FIELD(S, U32, current_attempt_index));
#undef S

#define S struct ff_reclaim_execution_result
STRUCT_TABLE(op_result_reclaim_execution, ff_reclaim_execution_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id),
             FIELD_OF(S, STRUCT, claimed, op_struct_claimed), FIELD(S, TEXT, detail),
             FIELD(S, U32, reclaim_count));
#undef S

#define S struct ff_mark_lease_expired_if_due_args
STRUCT_TABLE(op_args_mark_lease_expired_if_due, ff_mark_lease_expired_if_due_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_mark_lease_expired_if_due_result
STRUCT_TABLE(op_result_mark_lease_expired_if_due, ff_mark_lease_expired_if_due_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, TEXT, reason));
#undef S

#define S struct ff_auto_reclaim_args
STRUCT_TABLE(op_args_auto_reclaim, ff_auto_reclaim_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_auto_reclaim_result
STRUCT_TABLE(op_result_auto_reclaim, ff_auto_reclaim_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, U32, reclaim_count), FIELD(S, TEXT, detail));
#undef S

#define S struct ff_expire_execution_args
STRUCT_TABLE(op_args_expire_execution, ff_expire_execution_args,
             FIELD(S, TEXT, execution_id), FIELD_WORD(S, phase, expire_phase));
#undef S

#define S struct ff_expire_execution_result
STRUCT_TABLE(op_result_expire_execution, ff_expire_execution_result,
             FIELD_WORD(S, outcome, outcome), FIELD_WORD(S, from_phase, lifecycle_phase),
             FIELD(S, I64, delay_until), FIELD(S, U32, next_attempt_index));
#undef S

#define S struct ff_promote_delayed_args
STRUCT_TABLE(op_args_promote_delayed, ff_promote_delayed_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_promote_delayed_result
STRUCT_TABLE(op_result_promote_delayed, ff_promote_delayed_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, TEXT, reason));
#undef S

#define S struct ff_change_priority_args
STRUCT_TABLE(op_args_change_priority, ff_change_priority_args,
             FIELD(S, TEXT, execution_id), FIELD(S, I32, new_priority), FIELD(S, TEXT, lane_id));
#undef S

#define S struct ff_change_priority_result
STRUCT_TABLE(op_result_change_priority, ff_change_priority_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, execution_id));
#undef S

#define S struct ff_replay_execution_args
STRUCT_TABLE(op_args_replay_execution, ff_replay_execution_args,
             FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_replay_execution_result
STRUCT_TABLE(op_result_replay_execution, ff_replay_execution_result,
             FIELD_WORD(S, outcome, outcome), FIELD_WORD(S, public_state, public_state));
#undef S

#define S struct ff_trim_retention_args
STRUCT_TABLE(op_args_trim_retention, ff_trim_retention_args,
             FIELD(S, TEXT, partition), FIELD(S, TEXT, lane_id), FIELD(S, I64, retention_ms),
             FIELD(S, U32, batch_size), FIELD_AS(S, TEXT, namespace_, "namespace"));
#undef S

#define S struct ff_trim_retention_result
STRUCT_TABLE(op_result_trim_retention, ff_trim_retention_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, U32, count));
#undef S
