/*
 * How the arguments and results of the operations of signal.h are laid out, in its order.
 *
 * Every member but `size` and `memory` has its row; test/unit/test_fields.c finds a forgotten one.
 */
#include "op/fields.h"

#define S struct ff_create_waitpoint_args
STRUCT_TABLE(op_args_create_waitpoint, ff_create_waitpoint_args,
             FIELD(S, HANDLE, handle), FIELD(S, TEXT, waitpoint_key), FIELD(S, U64, expires_in_ms),
             FIELD(S, TEXT, request_id));
#undef S

#define S struct ff_create_waitpoint_result
STRUCT_TABLE(op_result_create_waitpoint, ff_create_waitpoint_result,
             FIELD(S, ID, waitpoint_id), FIELD(S, TEXT, waitpoint_key),
             FIELD_SECRET(S, waitpoint_token));
#undef S

#define S struct ff_close_waitpoint_args
STRUCT_TABLE(op_args_close_waitpoint, ff_close_waitpoint_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, waitpoint_id), FIELD(S, TEXT, reason));
#undef S

#define S struct ff_close_waitpoint_result
STRUCT_TABLE(op_result_close_waitpoint, ff_close_waitpoint_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

#define S struct ff_expire_pending_waitpoint_args
STRUCT_TABLE(op_args_expire_pending_waitpoint, ff_expire_pending_waitpoint_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, waitpoint_id));
#undef S

#define S struct ff_expire_pending_waitpoint_result
STRUCT_TABLE(op_result_expire_pending_waitpoint, ff_expire_pending_waitpoint_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

extern const struct ff_struct op_struct_pending_waitpoint;
#define S struct ff_pending_waitpoint
STRUCT_TABLE(op_struct_pending_waitpoint, ff_pending_waitpoint,
             FIELD(S, ID, waitpoint_id), FIELD(S, TEXT, waitpoint_key),
             FIELD_WORD(S, state, waitpoint_state), FIELD(S, STRS, required_signal_names),
             FIELD(S, I64, created_at), FIELD(S, I64, activated_at), FIELD(S, I64, expires_at),
             FIELD(S, ID, execution_id), FIELD(S, TEXT, token_kid),
             FIELD(S, TEXT, token_fingerprint));
#undef S

#define S struct ff_list_pending_waitpoints_args
STRUCT_TABLE(op_args_list_pending_waitpoints, ff_list_pending_waitpoints_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, after), FIELD(S, U32, limit));
#undef S

#define S struct ff_list_pending_waitpoints_result
STRUCT_TABLE(op_result_list_pending_waitpoints, ff_list_pending_waitpoints_result,
             FIELD_OF(S, LIST, entries, op_struct_pending_waitpoint), FIELD(S, TEXT, next_cursor));
#undef S

#define S struct ff_read_waitpoint_token_args
STRUCT_TABLE(op_args_read_waitpoint_token, ff_read_waitpoint_token_args,
             FIELD(S, TEXT, partition), FIELD(S, TEXT, waitpoint_id));
#undef S

#define S struct ff_read_waitpoint_token_result
STRUCT_TABLE(op_result_read_waitpoint_token, ff_read_waitpoint_token_result,
             FIELD_SECRET(S, token));
#undef S

/* ---- suspending ---- */

extern const struct ff_struct op_struct_waitpoint_binding, op_struct_bound_waitpoint,
    op_struct_suspend_details;
#define S struct ff_waitpoint_binding
STRUCT_TABLE(op_struct_waitpoint_binding, ff_waitpoint_binding,
             FIELD(S, TEXT, waitpoint_id), FIELD(S, TEXT, waitpoint_key), FIELD(S, BOOL, pending));
#undef S

#define S struct ff_bound_waitpoint
STRUCT_TABLE(op_struct_bound_waitpoint, ff_bound_waitpoint,
             FIELD(S, ID, waitpoint_id), FIELD(S, TEXT, waitpoint_key),
             FIELD_SECRET(S, waitpoint_token));
#undef S

#define S struct ff_suspend_details
STRUCT_TABLE(op_struct_suspend_details, ff_suspend_details,
             FIELD(S, ID, suspension_id), FIELD(S, ID, waitpoint_id), FIELD(S, TEXT, waitpoint_key),
             FIELD_SECRET(S, waitpoint_token),
             FIELD_OF(S, LIST, additional_waitpoints, op_struct_bound_waitpoint));
#undef S

#define SUSPENSION_FIELDS(S)                                                                   \
  FIELD(S, TEXT, suspension_id), FIELD_OF(S, LIST, waitpoints, op_struct_waitpoint_binding),   \
      FIELD(S, TEXT, resume_condition), FIELD(S, TEXT, resume_policy),                         \
      FIELD(S, TEXT, reason_code), FIELD(S, TEXT, requested_by), FIELD(S, I64, timeout_at),    \
      FIELD(S, TEXT, timeout_behavior), FIELD(S, TEXT, continuation_metadata_pointer),         \
      FIELD(S, TEXT, idempotency_key)

#define S struct ff_suspend_args
STRUCT_TABLE(op_args_suspend, ff_suspend_args, FIELD(S, HANDLE, handle), SUSPENSION_FIELDS(S));
#undef S

#define S struct ff_suspend_result
STRUCT_TABLE(op_result_suspend, ff_suspend_result,
             FIELD_WORD(S, outcome, outcome),
             FIELD_OF(S, STRUCT, details, op_struct_suspend_details), FIELD(S, HANDLE, handle));
#undef S

#define S struct ff_suspend_by_triple_args
STRUCT_TABLE(op_args_suspend_by_triple, ff_suspend_by_triple_args,
             FIELD(S, TEXT, execution_id), FIELD_OF(S, STRUCT, fence, op_struct_fence),
             SUSPENSION_FIELDS(S));
#undef S

#define S struct ff_suspend_by_triple_result
STRUCT_TABLE(op_result_suspend_by_triple, ff_suspend_by_triple_result,
             FIELD_WORD(S, outcome, outcome),
             FIELD_OF(S, STRUCT, details, op_struct_suspend_details), FIELD(S, HANDLE, handle));
#undef S

extern const struct ff_struct op_struct_waitpoint_spec;
#define S struct ff_waitpoint_spec
STRUCT_TABLE(op_struct_waitpoint_spec, ff_waitpoint_spec,
             FIELD_WORD(S, kind, waitpoint_kind), FIELD(S, BYTES, matcher),
             FIELD_SECRET(S, waitpoint_token));
#undef S

#define S struct ff_suspend_waitpoints_args
STRUCT_TABLE(op_args_suspend_waitpoints, ff_suspend_waitpoints_args,
             FIELD(S, HANDLE, handle), FIELD_OF(S, LIST, waitpoints, op_struct_waitpoint_spec),
             FIELD(S, U64, timeout_ms));
#undef S

#define S struct ff_suspend_waitpoints_result
STRUCT_TABLE(op_result_suspend_waitpoints, ff_suspend_waitpoints_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, HANDLE, handle));
#undef S

/* ---- signals ---- */

#define S struct ff_deliver_signal_args
STRUCT_TABLE(op_args_deliver_signal, ff_deliver_signal_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, waitpoint_id), FIELD(S, TEXT, signal_id),
             FIELD(S, TEXT, signal_name), FIELD(S, TEXT, signal_category),
             FIELD(S, TEXT, source_type), FIELD(S, TEXT, source_identity),
             FIELD(S, TEXT, correlation_id), FIELD(S, TEXT, idempotency_key),
             FIELD(S, BYTES, payload), FIELD(S, TEXT, payload_encoding),
             FIELD(S, TEXT, target_scope), FIELD(S, I64, created_at), FIELD(S, BOOL, has_dedup_ttl),
             FIELD(S, U64, dedup_ttl_ms), FIELD(S, BOOL, has_resume_delay),
             FIELD(S, U64, resume_delay_ms), FIELD(S, U64, max_signals_per_execution),
             FIELD(S, U64, signal_maxlen), FIELD_SECRET(S, waitpoint_token));
#undef S

#define S struct ff_deliver_signal_result
STRUCT_TABLE(op_result_deliver_signal, ff_deliver_signal_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, signal_id),
             FIELD_WORD(S, effect, signal_effect), FIELD(S, ID, existing_signal_id));
#undef S

extern const struct ff_struct op_struct_signal_slot;
#define S struct ff_signal_slot
STRUCT_TABLE(op_struct_signal_slot, ff_signal_slot,
             FIELD(S, ERROR, error), FIELD_WORD(S, outcome, outcome), FIELD(S, ID, signal_id),
             FIELD_WORD(S, effect, signal_effect), FIELD(S, ID, existing_signal_id));
#undef S

#define S struct ff_deliver_signals_args
STRUCT_TABLE(op_args_deliver_signals, ff_deliver_signals_args,
             FIELD_OF(S, LIST, items, op_args_deliver_signal));
#undef S

#define S struct ff_deliver_signals_result
STRUCT_TABLE(op_result_deliver_signals, ff_deliver_signals_result,
             FIELD_OF(S, LIST, slots, op_struct_signal_slot));
#undef S

#define S struct ff_deliver_approval_signal_args
STRUCT_TABLE(op_args_deliver_approval_signal, ff_deliver_approval_signal_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, lane_id), FIELD(S, TEXT, waitpoint_id),
             FIELD(S, TEXT, signal_name), FIELD(S, TEXT, idempotency_suffix),
             FIELD(S, TEXT, source_identity), FIELD(S, U64, signal_dedup_ttl_ms),
             FIELD(S, U64, max_signals_per_execution), FIELD(S, U64, signal_maxlen));
#undef S

#define S struct ff_deliver_approval_signal_result
STRUCT_TABLE(op_result_deliver_approval_signal, ff_deliver_approval_signal_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, signal_id),
             FIELD_WORD(S, effect, signal_effect), FIELD(S, ID, existing_signal_id));
#undef S

extern const struct ff_struct op_struct_resume_signal;
#define S struct ff_resume_signal
STRUCT_TABLE(op_struct_resume_signal, ff_resume_signal,
             FIELD(S, ID, signal_id), FIELD(S, TEXT, signal_name), FIELD(S, TEXT, signal_category),
             FIELD(S, TEXT, source_type), FIELD(S, TEXT, source_identity),
             FIELD(S, TEXT, correlation_id), FIELD(S, I64, accepted_at), FIELD(S, BYTES, payload));
#undef S

#define S struct ff_observe_signals_args
STRUCT_TABLE(op_args_observe_signals, ff_observe_signals_args, FIELD(S, HANDLE, handle));
#undef S

#define S struct ff_observe_signals_result
STRUCT_TABLE(op_result_observe_signals, ff_observe_signals_result,
             FIELD_OF(S, LIST, signals, op_struct_resume_signal));
#undef S

/* ---- ends of suspensions ---- */

#define S struct ff_resume_execution_args
STRUCT_TABLE(op_args_resume_execution, ff_resume_execution_args,
             FIELD(S, TEXT, execution_id), FIELD(S, TEXT, trigger_type),
             FIELD(S, U64, resume_delay_ms));
#undef S

#define S struct ff_resume_execution_result
STRUCT_TABLE(op_result_resume_execution, ff_resume_execution_result,
             FIELD_WORD(S, outcome, outcome), FIELD_WORD(S, public_state, public_state));
#undef S

#define S struct ff_expire_suspension_args
STRUCT_TABLE(op_args_expire_suspension, ff_expire_suspension_args, FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_expire_suspension_result
STRUCT_TABLE(op_result_expire_suspension, ff_expire_suspension_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, TEXT, behavior_applied),
             FIELD(S, TEXT, reason));
#undef S

extern const struct ff_struct op_struct_suspended_entry;
#define S struct ff_suspended_entry
STRUCT_TABLE(op_struct_suspended_entry, ff_suspended_entry,
             FIELD(S, ID, execution_id), FIELD(S, I64, suspended_at_ms), FIELD(S, TEXT, reason),
             FIELD(S, I64, timeout_at), FIELD(S, I64, suspended_since));
#undef S

#define S struct ff_list_suspended_args
STRUCT_TABLE(op_args_list_suspended, ff_list_suspended_args,
             FIELD(S, TEXT, partition), FIELD(S, TEXT, cursor), FIELD(S, U32, limit));
#undef S

#define S struct ff_list_suspended_result
STRUCT_TABLE(op_result_list_suspended, ff_list_suspended_result,
             FIELD_OF(S, LIST, entries, op_struct_suspended_entry), FIELD(S, TEXT, next_cursor));
#undef S

/* ---- keys of tokens ---- */

#define S struct ff_seed_waitpoint_hmac_secret_args
STRUCT_TABLE(op_args_seed_waitpoint_hmac_secret, ff_seed_waitpoint_hmac_secret_args,
             FIELD(S, TEXT, kid), FIELD_SECRET(S, secret_hex));
#undef S

#define S struct ff_seed_waitpoint_hmac_secret_result
STRUCT_TABLE(op_result_seed_waitpoint_hmac_secret, ff_seed_waitpoint_hmac_secret_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, TEXT, kid), FIELD(S, BOOL, same_secret));
#undef S

extern const struct ff_struct op_struct_rotation;
#define S struct ff_rotation
STRUCT_TABLE(op_struct_rotation, ff_rotation,
             FIELD(S, ERROR, error), FIELD(S, U32, partition), FIELD_WORD(S, outcome, outcome),
             FIELD(S, TEXT, previous_kid), FIELD(S, TEXT, new_kid), FIELD(S, U32, gc_count));
#undef S

#define S struct ff_rotate_waitpoint_hmac_secret_all_args
STRUCT_TABLE(op_args_rotate_waitpoint_hmac_secret_all, ff_rotate_waitpoint_hmac_secret_all_args,
             FIELD(S, TEXT, new_kid), FIELD_SECRET(S, new_secret_hex), FIELD(S, U64, grace_ms));
#undef S

#define S struct ff_rotate_waitpoint_hmac_secret_all_result
STRUCT_TABLE(op_result_rotate_waitpoint_hmac_secret_all,
             ff_rotate_waitpoint_hmac_secret_all_result,
             FIELD_OF(S, LIST, entries, op_struct_rotation), FIELD(S, BOOL, weak_secret));
#undef S

extern const struct ff_struct op_struct_waitpoint_kid;
#define S struct ff_waitpoint_kid
STRUCT_TABLE(op_struct_waitpoint_kid, ff_waitpoint_kid,
             FIELD(S, TEXT, kid), FIELD(S, I64, expires_at_ms));
#undef S

STRUCT_EMPTY(op_args_list_waitpoint_hmac_kids, ff_list_waitpoint_hmac_kids_args);

#define S struct ff_list_waitpoint_hmac_kids_result
STRUCT_TABLE(op_result_list_waitpoint_hmac_kids, ff_list_waitpoint_hmac_kids_result,
             FIELD(S, TEXT, current_kid), FIELD_OF(S, LIST, verifying, op_struct_waitpoint_kid));
#undef S
