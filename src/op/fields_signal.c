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
