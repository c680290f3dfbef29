/*
 * Budgets: amounts per named dimension with hard and soft limits, charged by workers and operators,
 * given back, and reset (spec 06 part A).
 *
 * A budget stops new claims of the executions bound to it (policy.budget_ids) while it is exhausted:
 * marked so by a hard breach, or with some dimension at its hard limit (06 BU-82). Running work goes
 * on; whoever charges learns of a breach from the answer. Amounts and limits are 0 to 2^63-1; sums
 * stop there (BU-4). A dimension's name is 1 to 128 bytes without control characters, case-sensitive
 * (BU-3); at most 64 in one call (BU-5: invalid_input `too_many_dimensions: limit=64, got=N`) and
 * 256 tracked by one budget. Budget ids are uuids the client chooses, not nil.
 */
#ifndef FLOWFABRIC_BUDGET_H
#define FLOWFABRIC_BUDGET_H

#include "flowfabric/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The limits of a dimension; 0 = none. */
struct ff_budget_limit {
  struct ff_str dimension;
  uint64_t hard_limit, soft_limit;
};
struct ff_budget_limits {
  const struct ff_budget_limit *items;
  size_t count;
};
struct ff_budget_amount {
  struct ff_str dimension;
  uint64_t amount;
};
struct ff_budget_amounts {
  const struct ff_budget_amount *items;
  size_t count;
};

/* Defines a budget (BU-10 … BU-13). outcome: created, already_satisfied (the first definition stays).
 * What was charged before counts. The texts are at most 256 bytes and returned as they are; the
 * engine acts on three words of on_hard_limit (BU-83): `reject`, also by default: a charge that would
 * breach is refused; `block`: it is recorded all the same; `cancel_flow`: likewise. A budget of
 * scope_type `flow` and scope_id a flow id binds all members of that flow (BU-81). Errors:
 * invalid_input (`duplicate dimension: NAME` too). */
struct ff_create_budget_args {
  uint32_t size;
  struct ff_str budget_id;
  struct ff_str scope_type, scope_id, enforcement_mode, on_hard_limit, on_soft_limit;
  uint64_t reset_interval_ms; /* 0 = only by hand */
  struct ff_budget_limits limits;
};
struct ff_create_budget_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id budget_id;
};
FF_OPERATION(create_budget);

/* Replaces the limits of the listed dimensions, at least one, adds new ones (at most 64 limited in
 * all), leaves the others (BU-14 … BU-16). A raised or lifted limit of the dimension that breached
 * last ends the exhaustion by that breach. outcome updated. Errors: invalid_input,
 * budget_not_found. */
struct ff_update_budget_limits_args {
  uint32_t size;
  struct ff_str budget_id;
  struct ff_budget_limits limits;
};
struct ff_update_budget_limits_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id budget_id;
};
FF_OPERATION(update_budget_limits);

/* Sets all usage to 0, ends exhaustion, begins a new epoch of ledgers (BU-60 … BU-65). outcome
 * reset. next_reset_at: ms, 0 = never by itself. Errors: budget_not_found. */
struct ff_reset_budget_args {
  uint32_t size;
  struct ff_str budget_id;
};
struct ff_reset_budget_result {
  struct ff_memory *memory;
  uint8_t outcome;
  int64_t next_reset_at;
};
FF_OPERATION(reset_budget);

/* The definition and what has happened to it (BU-70). usage lists the dimensions something was
 * reported of, limits those that are listed, both in byte order. Times are ms, 0 = never. exhausted:
 * claims stop (BU-82). Errors: budget_not_found. */
struct ff_get_budget_status_args {
  uint32_t size;
  struct ff_str budget_id;
};
struct ff_get_budget_status_result {
  struct ff_memory *memory;
  struct ff_id budget_id;
  struct ff_str scope_type, scope_id, enforcement_mode, on_hard_limit, on_soft_limit;
  uint64_t reset_interval_ms;
  bool exhausted;
  struct ff_budget_amounts usage;
  struct ff_budget_limits limits;
  uint64_t breach_count, soft_breach_count, reset_count;
  int64_t last_breach_at;
  struct ff_str last_breach_dim;
  int64_t breached_at, last_reset_at, next_reset_at, created_at;
};
FF_OPERATION(get_budget_status);

/* What admission looks at (BU-71 … BU-73): limits has the keys `hard:NAME` and `soft:NAME`, usage the
 * dimensions with a hard limit above 0; values in decimal digits. An unknown budget gives empty
 * maps. */
struct ff_read_budget_usage_and_limits_args {
  uint32_t size;
  struct ff_str budget_id;
};
struct ff_read_budget_usage_and_limits_result {
  struct ff_memory *memory;
  struct ff_pairs limits, usage;
};
FF_OPERATION(read_budget_usage_and_limits);

/*
 * Charges a budget in the name of a worker (A.3). The handle must be of this store; its lease is not
 * checked: usage that happened is recorded (BU-20). input_tokens, output_tokens and wall_ms count
 * under those names when they are not 0 and not in custom; a name given twice counts with its sum.
 *
 * outcome: ok; soft_breach (recorded; some dimension is above its soft limit); hard_breach (would be
 * above its hard limit: nothing recorded under `reject`, everything under `block` and `cancel_flow`);
 * already_applied (dedup_key was charged here within 24 h, BU-30). On a breach dimension names the
 * first in byte order, current_usage its usage (of a hard breach: before this charge) and the limit it
 * is about. dedup_key: at most 512 bytes, empty = none; spent only by what was recorded (BU-31,
 * BU-32). A budget nobody has defined has no limits (BU-24). Errors: handle_from_other_backend,
 * corruption (handle_codec), invalid_input.
 */
struct ff_report_usage_args {
  uint32_t size;
  struct ff_handle handle;
  struct ff_str budget_id;
  uint64_t input_tokens, output_tokens, wall_ms;
  struct ff_budget_amounts custom;
  struct ff_str dedup_key;
};
struct ff_report_usage_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_str dimension;
  uint64_t current_usage, hard_limit, soft_limit;
};
FF_OPERATION(report_usage);

/* The same without a worker (A.4). */
struct ff_report_usage_admin_args {
  uint32_t size;
  struct ff_str budget_id;
  struct ff_budget_amounts deltas;
  struct ff_str dedup_key;
};
struct ff_report_usage_admin_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_str dimension;
  uint64_t current_usage, hard_limit, soft_limit;
};
FF_OPERATION(report_usage_admin);

/* The same for an execution, which need not exist (BU-40 … BU-42): what is recorded can be given back
 * by release_budget. idempotency_key is a dedup_key. */
struct ff_record_spend_args {
  uint32_t size;
  struct ff_str budget_id, execution_id;
  struct ff_budget_amounts deltas;
  struct ff_str idempotency_key;
};
struct ff_record_spend_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_str dimension;
  uint64_t current_usage, hard_limit, soft_limit;
};
FF_OPERATION(record_spend);

/* Gives back what record_spend has recorded for this execution since the latest reset (BU-50 …
 * BU-54). outcome ok, also when there was nothing. */
struct ff_release_budget_args {
  uint32_t size;
  struct ff_str budget_id, execution_id;
};
struct ff_release_budget_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(release_budget);

/* Checks breached_at of the budgets of a partition that reset only by hand (A.10): it finds nothing to
 * mend, for every operation keeps it true. partition: `{b:N}`. At most 1,000 budgets a call, behind
 * cursor, a budget id; next_cursor absent = all seen. errors: budgets whose stored text does not
 * parse. */
struct ff_reconcile_budget_counters_args {
  uint32_t size;
  struct ff_str partition, cursor;
};
struct ff_reconcile_budget_counters_result {
  struct ff_memory *memory;
  uint32_t processed, errors;
  struct ff_id next_cursor;
};
FF_OPERATION(reconcile_budget_counters);

#ifdef __cplusplus
}
#endif
#endif
