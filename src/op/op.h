/*
 * The operation table as data, the shape of an operation's code, and the arguments of internal
 * steps.
 *
 * An operation's file defines op_code_<name>; nothing outside src/op knows what an operation does,
 * only what the table says.
 */
#ifndef OP_OP_H
#define OP_OP_H

#include "flowfabric/flowfabric.h"
#include "op/op.def"
#include "op/tx.h"

/*
 * The three phases, all pure. prep is prep_size zeroed bytes of the operation's own, the same for
 * all phases of one call. prepare  checks the arguments (before anything is loaded, 00 OP-4) and
 * parses what the later phases need into prep. Texts in prep may point into args or the arena.
 * declare  names the keys and ranges that can be read off the arguments. NULL = none.
 * run      reads, checks, stages, fills *result (zeroed before each run). FF_MISS is handed up as
 * it is.
 */
struct op_code {
  uint32_t prep_size;
  enum ff_rc (*prepare)(const struct op_config *, const void *args, void *prep, struct arena *,
                        struct ff_error *);
  void (*declare)(struct declare *, const void *args, const void *prep);
  enum ff_rc (*run)(struct tx *, const void *args, const void *prep, void *result,
                    struct ff_error *);
};

enum op_id {
#define X(name, class_, how) OP_##name,
  OP_TABLE(X)
#undef X
      OP_COUNT,
  OP_STEP_BASE = OP_COUNT - 1,
#define X(name, how) OP_##name,
  OP_STEPS(X)
#undef X
      OP_ALL_COUNT
};

enum op_how { OP_HOW_TX, OP_HOW_READER, OP_HOW_ENGINE };
struct op_info {
  const char *name;
  enum ff_operation_class class_;
  enum op_how how;
  const struct op_code *code;   /* NULL for OP_HOW_ENGINE */
  const struct ff_struct *args; /* NULL for steps */
  const struct ff_struct *result;
  uint32_t args_size, result_size;
};
extern const struct op_info op_infos[OP_ALL_COUNT];

/* Every operation's argument and result description: op_args_<name>, op_result_<name>
 * (src/op/fields_*.c). */
#define X(name, class_, how) extern const struct ff_struct op_args_##name, op_result_##name;
OP_TABLE(X)
#undef X
/* The descriptions of shared structs: op_struct_task, op_struct_execution … are private to the
 * fields_*.c files. */

/* ---- internal steps ---- */
struct acquire_args {
  uint32_t size;
  struct ff_strs lane_ids;    /* tried in this order */
  struct ff_str capabilities; /* sorted CSV of the worker's */
  struct ff_str worker_id, worker_instance_id;
  uint64_t lease_ttl_ms;
  struct ff_str request_id;
  uint32_t max;
};
struct acquire_result {
  struct ff_memory *memory;
  struct ff_tasks tasks; /* in the tx arena */
  bool more; /* it has blocked as many as it may in one go: who found nothing tries again */
};
struct purge_execution_args {
  uint32_t size;
  struct exec_id execution;
  int64_t retention_ms; /* for executions without an override; -1 = as configured */
};
struct purge_execution_result {
  struct ff_memory *memory;
  uint8_t outcome; /* purged, not_due, not_found */
};
struct refresh_due_args {
  uint32_t size;
  struct exec_id execution;
};
struct refresh_due_result {
  struct ff_memory *memory;
  uint8_t outcome; /* updated, not_found */
};
struct expire_waitpoints_args {
  uint32_t size;
  struct exec_id execution;
};
struct expire_waitpoints_result {
  struct ff_memory *memory;
  uint32_t count; /* closed */
};
struct install_secret_args {
  uint32_t size;
  struct ff_bytes secret;
  bool configured; /* by somebody who wants to know that another one is stored: invalid_secret */
};
struct install_secret_result {
  struct ff_memory *memory;
  uint8_t outcome; /* seeded, already_seeded */
};
struct drop_idempotency_args {
  uint32_t size;
  uint16_t partition;
  struct ff_str namespace_, idempotency_key;
};
struct drop_idempotency_result {
  struct ff_memory *memory;
  uint8_t outcome; /* purged, not_due, not_found */
};
struct list_expired_streams_args {
  uint32_t size;
  uint32_t limit;
};
struct list_expired_streams_result {
  struct ff_memory *memory;
  const struct stream *const *items; /* tx arena */
  uint32_t count;
};
struct expire_stream_args {
  uint32_t size;
  struct exec_id execution;
  uint32_t attempt_index;
};
struct expire_stream_result {
  struct ff_memory *memory;
  uint8_t outcome; /* purged, not_due, not_found */
};
struct list_expired_workers_args {
  uint32_t size;
  uint32_t limit;
};
struct list_expired_workers_result {
  struct ff_memory *memory;
  const struct worker *const *items; /* tx arena */
  uint32_t count;
};
struct expire_worker_args {
  uint32_t size;
  struct ff_str namespace_, worker_instance_id;
};
struct expire_worker_result {
  struct ff_memory *memory;
  uint8_t outcome; /* purged, not_due, not_found */
};
struct list_routable_args {
  uint32_t size;
  uint32_t limit;
  const struct execution *after; /* NULL = from the first */
};
struct list_routable_result {
  struct ff_memory *memory;
  const struct exec_id *items; /* somebody could take them; tx arena */
  uint32_t count;
  uint32_t seen; /* looked at; limit = there may be more */
  const struct execution *last;
};
struct flip_flow_args {
  uint32_t size;
  struct ff_str flow_id, reason, cancellation_policy;
};
struct flip_flow_result {
  struct ff_memory *memory;
  uint8_t outcome; /* cancelled, already_terminal */
  uint8_t cancellation_policy; /* as stored now */
  struct ff_str cancel_reason; /* of already_terminal */
  bool owes;
};
struct drain_flow_args {
  uint32_t size;
  uint16_t partition;
  struct uuid flow_id;
  struct uuid after;   /* where the walk is believed to be: loads less */
  bool unreadable_too; /* also when only those are left that could not be read */
};
struct drain_flow_result {
  struct ff_memory *memory;
  uint32_t count; /* cancelled */
  bool more;
  struct uuid last;
};
struct owing_flow {
  uint16_t partition;
  struct uuid flow_id;
  int64_t due_at;
  bool only_unreadable;
};
struct list_owing_flows_args {
  uint32_t size;
  uint32_t limit;
  const struct owing_flow *after; /* NULL = from the first */
};
struct list_owing_flows_result {
  struct ff_memory *memory;
  const struct owing_flow *items; /* by due time; tx arena */
  uint32_t count;
};
struct list_failed_members_args {
  uint32_t size;
  uint16_t partition;
  struct uuid flow_id;
  uint32_t limit;
};
struct list_failed_members_result {
  struct ff_memory *memory;
  struct ff_execution_refs members; /* tx arena */
};
/* What falls due at execution.next_due_at (see execution_due_kind in op/execution.h). */
enum due_kind {
  DUE_NONE,
  DUE_PROMOTE,
  DUE_LEASE_EXPIRY,
  DUE_ATTEMPT_TIMEOUT,
  DUE_DEADLINE,
  DUE_AUTO_RECLAIM,
  DUE_PURGE,
  DUE_SUSPENSION,
  DUE_WAITPOINT, /* of those no suspension uses */
  DUE_RECHECK,   /* an admission block that somebody else decided on */
  DUE_STALE /* the stored time rests on another configuration: not due after all */
};
struct due_item {
  struct exec_id execution;
  enum due_kind kind;
  int64_t due_at;    /* by the present configuration */
  int64_t stored_at; /* where the due index has it */
};
struct list_due_args {
  uint32_t size;
  uint32_t limit;
  const struct due_item *after; /* NULL = from the oldest; else what is behind this one */
};
struct list_due_result {
  struct ff_memory *memory;
  const struct due_item *items; /* due at the store's now, oldest first; tx arena */
  uint32_t count;
  int64_t now;
  int64_t
      next_due_at; /* of the first that is not due yet, INT64_MAX = none; only when count < limit */
};
struct list_stale_idempotency_args {
  uint32_t size;
  uint32_t limit;
};
struct list_stale_idempotency_result {
  struct ff_memory *memory;
  const struct idempotency *const *items;
  uint32_t count;
};
/* What a cascade has left (04 §8.4, §9). */
enum flow_work_kind { FLOW_WORK_CASCADE, FLOW_WORK_SIBLINGS };
struct flow_work_item {
  enum flow_work_kind kind;
  struct exec_id member; /* that has ended; the downstream of a group that has fired */
  struct uuid flow_id;
  int64_t due_at;
};
struct list_flow_work_args {
  uint32_t size;
  uint32_t limit;
};
struct list_flow_work_result {
  struct ff_memory *memory;
  const struct flow_work_item *items; /* due at the store's now; tx arena */
  uint32_t count;
  int64_t now;
  int64_t next_due_at; /* of the first that is not listed, INT64_MAX = none */
};
struct drain_flow_work_args {
  uint32_t size;
  struct flow_work_item item;
};
struct drain_flow_work_result {
  struct ff_memory *memory;
  uint8_t outcome;          /* applied, noop */
  uint32_t resolved, ended; /* edges; members forced to end */
  bool more;                /* something is left */
};
struct check_setting_args {
  uint32_t size;
  struct ff_str name, value;
};
struct check_setting_result {
  struct ff_memory *memory;
  uint8_t outcome; /* set (first time), already_set */
};
struct list_budgets_due_args {
  uint32_t size;
  uint32_t limit;
};
struct list_budgets_due_result {
  struct ff_memory *memory;
  const struct budget *const *items; /* due at the store's now; tx arena */
  uint32_t count;
  int64_t next_due_at; /* of the first that is not due yet, INT64_MAX = none; only when count < limit */
};
struct reset_budget_due_args {
  uint32_t size;
  struct uuid budget_id;
};
struct reset_budget_due_result {
  struct ff_memory *memory;
  uint8_t outcome; /* reset, not_due, not_found */
};
struct list_stale_budget_args {
  uint32_t size;
  uint32_t limit; /* half of it of each */
};
struct list_stale_budget_result {
  struct ff_memory *memory;
  const struct budget_dedup *const *dedups;
  const struct budget_ledger *const *ledgers;
  uint32_t dedup_count, ledger_count;
};
struct drop_budget_dedup_args {
  uint32_t size;
  struct uuid budget_id;
  struct ff_str dedup_key;
};
struct drop_budget_dedup_result {
  struct ff_memory *memory;
  uint8_t outcome; /* purged, not_due, not_found */
};
struct drop_budget_ledger_args {
  uint32_t size;
  struct uuid budget_id;
  struct exec_id execution;
};
struct drop_budget_ledger_result {
  struct ff_memory *memory;
  uint8_t outcome; /* purged, not_due, not_found */
};

struct list_blocked_args {
  uint32_t size;
  uint32_t limit;
  bool all;       /* whatever they wait for; else `on` */
  struct uuid on; /* a budget */
  bool after;     /* behind `cursor`, an earlier answer's `last` */
  struct execution cursor;
};
struct list_blocked_result {
  struct ff_memory *memory;
  const struct execution *const *items; /* that nothing holds back any more, or something else */
  uint32_t count;
  struct execution last; /* looked at; its order fields only */
  bool more;             /* may lie behind it */
};
struct recheck_blocked_args {
  uint32_t size;
  struct exec_id execution;
};
struct recheck_blocked_result {
  struct ff_memory *memory;
  uint8_t outcome; /* unblocked, blocked, not_found */
};
struct end_unblocking_args {
  uint32_t size;
  struct uuid budget_id;
  int64_t unblock_at; /* as it was when the blocked were listed */
};
struct end_unblocking_result {
  struct ff_memory *memory;
  uint8_t outcome; /* updated, not_due */
};

/* ---- composites declare what the caller's engine needs to know before a create (OC-1) ---- */
/* The lane and requirement set that must be registered before this create_execution / submit runs.
 * Both texts point into args/arena. */
enum ff_rc op_create_needs(enum op_id op, const void *args, struct arena *arena,
                           struct ff_str *lane, struct ff_str *requirement, struct ff_error *e);

#endif
