/*
 * The descriptions of structs that several operations share.
 *
 * Every member has its row; test/unit/test_fields.c finds a forgotten one.
 */
#include "op/fields.h"

#define S struct ff_task
STRUCT_TABLE(op_struct_task, ff_task,
             FIELD(S, ID, execution_id), FIELD(S, TEXT, lane_id), FIELD(S, ID, lease_id),
             FIELD(S, U64, lease_epoch), FIELD(S, U32, attempt_index), FIELD(S, ID, attempt_id),
             FIELD_WORD(S, attempt_type, attempt_type), FIELD(S, I64, lease_expires_at),
             FIELD(S, HANDLE, handle), FIELD_AS(S, TEXT, namespace_, "namespace"),
             FIELD(S, TEXT, execution_kind), FIELD(S, BYTES, input_payload),
             FIELD(S, TEXT, payload_encoding), FIELD(S, PAIRS, tags));
#undef S

#define S struct ff_claimed
STRUCT_TABLE(op_struct_claimed, ff_claimed,
             FIELD(S, ID, execution_id), FIELD(S, ID, lease_id), FIELD(S, U64, lease_epoch),
             FIELD(S, U32, attempt_index), FIELD(S, ID, attempt_id),
             FIELD_WORD(S, attempt_type, attempt_type), FIELD(S, I64, lease_expires_at),
             FIELD(S, HANDLE, handle));
#undef S

#define S struct ff_fence
STRUCT_TABLE(op_struct_fence, ff_fence,
             FIELD(S, TEXT, lease_id), FIELD(S, U64, lease_epoch), FIELD(S, TEXT, attempt_id));
#undef S

#define S struct ff_execution
STRUCT_TABLE(op_struct_execution, ff_execution,
             FIELD(S, ID, execution_id), FIELD(S, U64, version),
             FIELD_AS(S, TEXT, namespace_, "namespace"), FIELD(S, TEXT, lane_id),
             FIELD(S, TEXT, execution_kind), FIELD(S, TEXT, creator_identity),
             FIELD(S, I32, priority), FIELD_WORD(S, lifecycle_phase, lifecycle_phase),
             FIELD_WORD(S, ownership_state, ownership_state),
             FIELD_WORD(S, eligibility_state, eligibility_state),
             FIELD_WORD(S, blocking_reason, blocking_reason),
             FIELD_WORD(S, terminal_outcome, terminal_outcome),
             FIELD_WORD(S, attempt_state, attempt_state), FIELD_WORD(S, public_state, public_state),
             FIELD(S, TEXT, blocking_detail), FIELD(S, TEXT, required_capabilities),
             FIELD(S, ID, flow_id), FIELD(S, ID, current_attempt_id),
             FIELD(S, U32, current_attempt_index), FIELD(S, U32, total_attempt_count),
             FIELD(S, U32, retry_count), FIELD(S, U32, replay_count),
             FIELD(S, U32, lease_reclaim_count), FIELD(S, U64, current_lease_epoch),
             FIELD(S, BOOL, leased), FIELD(S, ID, lease_id), FIELD(S, TEXT, worker_id),
             FIELD(S, TEXT, worker_instance_id), FIELD(S, I64, lease_expires_at),
             FIELD(S, I64, lease_last_renewed_at), FIELD(S, I64, created_at),
             FIELD(S, I64, started_at), FIELD(S, I64, completed_at),
             FIELD(S, I64, last_transition_at), FIELD(S, I64, last_mutation_at),
             FIELD(S, I64, delay_until), FIELD(S, I64, execution_deadline_at),
             FIELD(S, TEXT, failure_reason), FIELD(S, TEXT, failure_category),
             FIELD(S, TEXT, cancellation_reason), FIELD(S, TEXT, cancelled_by),
             FIELD(S, BOOL, has_progress), FIELD(S, U32, progress_percent),
             FIELD(S, TEXT, progress_message), FIELD(S, I64, progress_updated_at),
             FIELD(S, PAIRS, tags), FIELD(S, ID, current_suspension_id),
             FIELD(S, ID, current_waitpoint_id));
#undef S

#define S struct ff_attempt
STRUCT_TABLE(op_struct_attempt, ff_attempt,
             FIELD(S, U32, attempt_index), FIELD(S, ID, attempt_id),
             FIELD_WORD(S, attempt_type, attempt_type),
             FIELD_WORD(S, attempt_state, attempt_lifecycle), FIELD(S, I64, created_at),
             FIELD(S, I64, started_at), FIELD(S, I64, ended_at), FIELD(S, I64, suspended_at),
             FIELD(S, I64, resumed_at), FIELD(S, TEXT, suspension_id), FIELD(S, ID, lease_id),
             FIELD(S, U64, lease_epoch), FIELD(S, TEXT, worker_id),
             FIELD(S, TEXT, worker_instance_id), FIELD(S, TEXT, retry_reason),
             FIELD(S, TEXT, reclaim_reason), FIELD(S, TEXT, replay_reason),
             FIELD(S, TEXT, replay_requested_by), FIELD(S, BOOL, has_previous),
             FIELD(S, U32, previous_attempt_index), FIELD(S, TEXT, failure_reason),
             FIELD(S, TEXT, failure_category));
#undef S

#define S struct ff_event
STRUCT_TABLE(op_struct_event, ff_event,
             FIELD(S, U64, event_id), FIELD(S, I64, at), FIELD(S, ID, execution_id),
             FIELD_AS(S, TEXT, namespace_, "namespace"), FIELD_WORD(S, lease_event, lease_event),
             FIELD_WORD(S, completion, terminal_outcome),
             FIELD_WORD(S, operator_event, operator_event), FIELD_WORD(S, revoked_by, revoked_by),
             FIELD(S, ID, lease_id), FIELD(S, U64, lease_epoch), FIELD(S, ID, attempt_id),
             FIELD(S, U32, attempt_index), FIELD(S, TEXT, worker_id),
             FIELD(S, TEXT, worker_instance_id), FIELD(S, TEXT, reason), FIELD(S, I64, expires_at),
             FIELD(S, TEXT, tag_key), FIELD(S, TEXT, tag_value), FIELD(S, TEXT, details),
             FIELD_WORD(S, signal_delivery, signal_delivery),
             FIELD_WORD(S, observed_effect, signal_effect), FIELD(S, ID, signal_id),
             FIELD(S, ID, waitpoint_id), FIELD(S, TEXT, source_identity));
#undef S

#define S struct ff_execution_ref
STRUCT_TABLE(op_struct_execution_ref, ff_execution_ref,
             FIELD(S, ID, execution_id));
#undef S

#define S struct ff_lane
STRUCT_TABLE(op_struct_lane, ff_lane,
             FIELD(S, TEXT, lane_id), FIELD_WORD(S, state, lane_state),
             FIELD(S, I64, registered_at_ms), FIELD(S, TEXT, registered_by));
#undef S

#define S struct ff_scanner
STRUCT_TABLE(op_struct_scanner, ff_scanner,
             FIELD(S, TEXT, name), FIELD(S, U64, interval_ms), FIELD(S, U64, cycles),
             FIELD(S, U64, processed), FIELD(S, U64, errors), FIELD(S, I64, last_started_at));
#undef S
