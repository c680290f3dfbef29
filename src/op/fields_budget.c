/*
 * How the arguments and results of the operations of budget.h are laid out, in its order.
 *
 * Every member but `size` and `memory` has its row; test/unit/test_fields.c finds a forgotten one.
 */
#include "op/fields.h"

/* Elements of the lists below. */
extern const struct ff_struct op_struct_budget_limit, op_struct_budget_amount;

#define S struct ff_budget_limit
STRUCT_TABLE(op_struct_budget_limit, ff_budget_limit,
             FIELD(S, TEXT, dimension), FIELD(S, U64, hard_limit), FIELD(S, U64, soft_limit));
#undef S

#define S struct ff_budget_amount
STRUCT_TABLE(op_struct_budget_amount, ff_budget_amount,
             FIELD(S, TEXT, dimension), FIELD(S, U64, amount));
#undef S

#define S struct ff_create_budget_args
STRUCT_TABLE(op_args_create_budget, ff_create_budget_args,
             FIELD(S, TEXT, budget_id), FIELD(S, TEXT, scope_type), FIELD(S, TEXT, scope_id),
             FIELD(S, TEXT, enforcement_mode), FIELD(S, TEXT, on_hard_limit),
             FIELD(S, TEXT, on_soft_limit), FIELD(S, U64, reset_interval_ms),
             FIELD_OF(S, LIST, limits, op_struct_budget_limit));
#undef S

#define S struct ff_create_budget_result
STRUCT_TABLE(op_result_create_budget, ff_create_budget_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, budget_id));
#undef S

#define S struct ff_update_budget_limits_args
STRUCT_TABLE(op_args_update_budget_limits, ff_update_budget_limits_args,
             FIELD(S, TEXT, budget_id), FIELD_OF(S, LIST, limits, op_struct_budget_limit));
#undef S

#define S struct ff_update_budget_limits_result
STRUCT_TABLE(op_result_update_budget_limits, ff_update_budget_limits_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, ID, budget_id));
#undef S

#define S struct ff_reset_budget_args
STRUCT_TABLE(op_args_reset_budget, ff_reset_budget_args,
             FIELD(S, TEXT, budget_id));
#undef S

#define S struct ff_reset_budget_result
STRUCT_TABLE(op_result_reset_budget, ff_reset_budget_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, I64, next_reset_at));
#undef S

#define S struct ff_get_budget_status_args
STRUCT_TABLE(op_args_get_budget_status, ff_get_budget_status_args,
             FIELD(S, TEXT, budget_id));
#undef S

#define S struct ff_get_budget_status_result
STRUCT_TABLE(op_result_get_budget_status, ff_get_budget_status_result,
             FIELD(S, ID, budget_id), FIELD(S, TEXT, scope_type), FIELD(S, TEXT, scope_id),
             FIELD(S, TEXT, enforcement_mode), FIELD(S, TEXT, on_hard_limit),
             FIELD(S, TEXT, on_soft_limit), FIELD(S, U64, reset_interval_ms),
             FIELD(S, BOOL, exhausted), FIELD_OF(S, LIST, usage, op_struct_budget_amount),
             FIELD_OF(S, LIST, limits, op_struct_budget_limit), FIELD(S, U64, breach_count),
             FIELD(S, U64, soft_breach_count), FIELD(S, U64, reset_count),
             FIELD(S, I64, last_breach_at), FIELD(S, TEXT, last_breach_dim),
             FIELD(S, I64, breached_at), FIELD(S, I64, last_reset_at), FIELD(S, I64, next_reset_at),
             FIELD(S, I64, created_at));
#undef S

#define S struct ff_read_budget_usage_and_limits_args
STRUCT_TABLE(op_args_read_budget_usage_and_limits, ff_read_budget_usage_and_limits_args,
             FIELD(S, TEXT, budget_id));
#undef S

#define S struct ff_read_budget_usage_and_limits_result
STRUCT_TABLE(op_result_read_budget_usage_and_limits, ff_read_budget_usage_and_limits_result,
             FIELD(S, PAIRS, limits), FIELD(S, PAIRS, usage));
#undef S

#define S struct ff_report_usage_args
STRUCT_TABLE(op_args_report_usage, ff_report_usage_args,
             FIELD(S, HANDLE, handle), FIELD(S, TEXT, budget_id), FIELD(S, U64, input_tokens),
             FIELD(S, U64, output_tokens), FIELD(S, U64, wall_ms),
             FIELD_OF(S, LIST, custom, op_struct_budget_amount), FIELD(S, TEXT, dedup_key));
#undef S

#define S struct ff_report_usage_result
STRUCT_TABLE(op_result_report_usage, ff_report_usage_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, TEXT, dimension),
             FIELD(S, U64, current_usage), FIELD(S, U64, hard_limit), FIELD(S, U64, soft_limit));
#undef S

#define S struct ff_report_usage_admin_args
STRUCT_TABLE(op_args_report_usage_admin, ff_report_usage_admin_args,
             FIELD(S, TEXT, budget_id), FIELD_OF(S, LIST, deltas, op_struct_budget_amount),
             FIELD(S, TEXT, dedup_key));
#undef S

#define S struct ff_report_usage_admin_result
STRUCT_TABLE(op_result_report_usage_admin, ff_report_usage_admin_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, TEXT, dimension),
             FIELD(S, U64, current_usage), FIELD(S, U64, hard_limit), FIELD(S, U64, soft_limit));
#undef S

#define S struct ff_record_spend_args
STRUCT_TABLE(op_args_record_spend, ff_record_spend_args,
             FIELD(S, TEXT, budget_id), FIELD(S, TEXT, execution_id),
             FIELD_OF(S, LIST, deltas, op_struct_budget_amount), FIELD(S, TEXT, idempotency_key));
#undef S

#define S struct ff_record_spend_result
STRUCT_TABLE(op_result_record_spend, ff_record_spend_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, TEXT, dimension),
             FIELD(S, U64, current_usage), FIELD(S, U64, hard_limit), FIELD(S, U64, soft_limit));
#undef S

#define S struct ff_release_budget_args
STRUCT_TABLE(op_args_release_budget, ff_release_budget_args,
             FIELD(S, TEXT, budget_id), FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_release_budget_result
STRUCT_TABLE(op_result_release_budget, ff_release_budget_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

#define S struct ff_reconcile_budget_counters_args
STRUCT_TABLE(op_args_reconcile_budget_counters, ff_reconcile_budget_counters_args,
             FIELD(S, TEXT, partition), FIELD(S, TEXT, cursor));
#undef S

#define S struct ff_reconcile_budget_counters_result
STRUCT_TABLE(op_result_reconcile_budget_counters, ff_reconcile_budget_counters_result,
             FIELD(S, U32, processed), FIELD(S, U32, errors), FIELD(S, ID, next_cursor));
#undef S
