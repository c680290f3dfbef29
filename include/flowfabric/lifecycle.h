/*
 * Creating, claiming, holding and ending an execution (spec 02).
 *
 * Ids are text: an execution id is `{fp:N}:<uuid>`, the others are uuids. Times are ms since the
 * Unix epoch, 0 = absent; durations are ms.
 */
#ifndef FLOWFABRIC_LIFECYCLE_H
#define FLOWFABRIC_LIFECYCLE_H

#include "flowfabric/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- creating */

/*
 * Creates an execution (02 L-50 … L-60). Repeating it with the same id or a live idempotency key
 * answers duplicate and changes nothing. The lane is registered on first sight. outcome: created,
 * duplicate (execution_id is the first one's). Errors: invalid_input, payload_too_large,
 * invalid_policy_json, invalid_capabilities, lane_not_accepting.
 */
struct ff_create_execution_args {
  uint32_t size;
  struct ff_str execution_id;     /* required */
  struct ff_str namespace_;       /* at most 256 bytes */
  struct ff_str lane_id;          /* 1..64 bytes of 0x20..0x7e; absent = "default" */
  struct ff_str execution_kind;   /* at most 256 bytes */
  struct ff_bytes input_payload;  /* at most max_payload_bytes, kept byte for byte */
  struct ff_str payload_encoding; /* free text, returned as given */
  int32_t priority;               /* clamped to 0..9000, larger runs first */
  struct ff_str creator_identity; /* at most 256 bytes */
  struct ff_str idempotency_key;  /* at most 256 bytes; empty = none */
  struct ff_pairs tags;           /* keys <= 256 bytes, values <= 4,096, together <= 16 KiB */
  struct ff_str policy;           /* JSON of 01 PO-1; empty or {} = none */
  int64_t delay_until;            /* not before this time */
  int64_t deadline_at;            /* ends expired when still alive then */
};
struct ff_create_execution_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
  uint8_t public_state; /* of a created one: waiting or delayed */
};
FF_OPERATION(create_execution);

/* create_execution with an id minted for the lane (07 U-10). The execution id is in the result.
 * Same outcomes and errors. */
struct ff_submit_args {
  uint32_t size;
  struct ff_str namespace_, lane_id, execution_kind;
  struct ff_bytes input_payload;
  struct ff_str payload_encoding;
  int32_t priority;
  struct ff_str creator_identity, idempotency_key;
  struct ff_pairs tags;
  struct ff_str policy;
  int64_t delay_until, deadline_at;
};
struct ff_submit_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
  uint8_t public_state;
};
FF_OPERATION(submit);

/* One slot of a many-form's answer: error.rc FF_OK means the item succeeded and the other members
 * count. */
struct ff_create_slot {
  struct ff_error error;
  uint8_t outcome;
  struct ff_id execution_id;
  uint8_t public_state;
};
struct ff_create_slots {
  const struct ff_create_slot *items;
  size_t count;
};
struct ff_create_list {
  const struct ff_create_execution_args *items;
  size_t count;
};
/* Creates up to 1,000 executions in one transaction; each succeeds or is refused by itself, answers
 * in the same order (00 §2.8). An item with an absent execution_id gets one minted for its lane.
 * Errors of the whole call: invalid_input (more than 1,000 items or 8 MiB). */
struct ff_create_executions_args {
  uint32_t size;
  struct ff_create_list items;
};
struct ff_create_executions_result {
  struct ff_memory *memory;
  struct ff_create_slots slots;
};
FF_OPERATION(create_executions);

/* ---------------------------------------------------------------- claiming */

/* What a claim hands to a worker. */
struct ff_task {
  struct ff_id execution_id;
  struct ff_str lane_id;
  struct ff_id lease_id;
  uint64_t lease_epoch;
  uint32_t attempt_index; /* 0 = first */
  struct ff_id attempt_id;
  uint8_t attempt_type;
  int64_t lease_expires_at;
  struct ff_handle handle;
  struct ff_str namespace_;
  struct ff_str execution_kind;
  struct ff_bytes input_payload;
  struct ff_str payload_encoding;
  struct ff_pairs tags;
};
struct ff_tasks {
  const struct ff_task *items;
  size_t count;
};

/*
 * Claims the first eligible execution of a lane that the worker's capabilities cover (02 §5.3):
 * highest priority, then oldest. outcome: claimed, none (nothing eligible within max_wait_ms; also
 * for a paused or disabled lane). Errors: invalid_input, invalid_capabilities.
 */
struct ff_claim_args {
  uint32_t size;
  struct ff_str lane_id;            /* required */
  struct ff_strs capabilities;      /* at most 256 tokens */
  struct ff_str worker_id;          /* 1..256 bytes, no white space */
  struct ff_str worker_instance_id; /* likewise */
  uint64_t lease_ttl_ms;            /* 1..2^32-1 */
  uint64_t max_wait_ms;             /* 0 = answer at once; at most 30,000 */
  struct ff_str request_id; /* optional, <= 128 bytes: a repeat while the lease lives returns the
                               same claim (00 OP-8) */
};
struct ff_claim_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_handle handle;
};
FF_OPERATION(claim);

/* claim over several lanes in the given order, answering the task with its payload and tags (07
 * U-30). Same outcomes and errors. */
struct ff_claim_task_args {
  uint32_t size;
  struct ff_strs lane_ids; /* 1..64 lanes */
  struct ff_strs capabilities;
  struct ff_str worker_id, worker_instance_id;
  uint64_t lease_ttl_ms, max_wait_ms;
  struct ff_str request_id;
};
struct ff_claim_task_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_task task;
};
FF_OPERATION(claim_task);

/* claim_task for up to `max` tasks at once: fewer when fewer are eligible, never an error for none
 * (00 §2.8). With max_wait_ms it waits for the first one. outcome: claimed, none. */
struct ff_claim_tasks_args {
  uint32_t size;
  struct ff_strs lane_ids;
  struct ff_strs capabilities;
  struct ff_str worker_id, worker_instance_id;
  uint64_t lease_ttl_ms, max_wait_ms;
  struct ff_str request_id;
  uint32_t max; /* 1..1,000 */
};
struct ff_claim_tasks_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_tasks tasks;
};
FF_OPERATION(claim_tasks);

/* What the claims of one known execution answer. */
struct ff_claimed {
  struct ff_id execution_id, lease_id;
  uint64_t lease_epoch;
  uint32_t attempt_index;
  struct ff_id attempt_id;
  uint8_t attempt_type;
  int64_t lease_expires_at;
  struct ff_handle handle;
};

/*
 * Consumes a claim grant (02 §5.2, L-73 … L-79). Repeating a won claim with the same ids while its
 * lease lives answers the same. Errors: execution_not_found, execution_not_leaseable,
 * lease_conflict, active_attempt_exists, use_claim_resumed_execution, invalid_input
 * (`lane_mismatch`, nil lease_id or attempt_id), invalid_claim_grant, claim_grant_expired.
 */
struct ff_claim_execution_args {
  uint32_t size;
  struct ff_str execution_id, worker_id, worker_instance_id, lane_id;
  struct ff_str lease_id; /* a uuid of the caller's */
  uint64_t lease_ttl_ms;
  struct ff_str attempt_id;        /* a uuid of the caller's */
  uint32_t expected_attempt_index; /* advisory, ignored */
  struct ff_str attempt_policy_json;
  uint64_t attempt_timeout_ms;   /* 0 = the policy's */
  int64_t execution_deadline_at; /* > 0 replaces the deadline */
};
struct ff_claim_execution_result {
  struct ff_memory *memory;
  uint8_t outcome; /* claimed */
  struct ff_claimed claimed;
};
FF_OPERATION(claim_execution);

/* Continues an interrupted attempt under a claim grant (02 §5.4, 03 G-1 … G-12). Errors as
 * claim_execution and not_a_resumed_execution. */
struct ff_claim_resumed_execution_args {
  uint32_t size;
  struct ff_str execution_id, worker_id, worker_instance_id, lane_id, lease_id;
  uint64_t lease_ttl_ms;
  uint32_t current_attempt_index;        /* advisory, ignored */
  uint64_t remaining_attempt_timeout_ms; /* 0 = what was left when it paused */
};
struct ff_claim_resumed_execution_result {
  struct ff_memory *memory;
  uint8_t outcome; /* claimed */
  struct ff_claimed claimed;
};
FF_OPERATION(claim_resumed_execution);

/* claim_resumed_execution with a minted lease id (02 L-88): outcome claimed, or none when the
 * target is not resumable any more. Errors: invalid_claim_grant, claim_grant_expired,
 * invalid_input. */
struct ff_claim_from_resume_grant_args {
  uint32_t size;
  struct ff_str execution_id, lane_id, grant_key, worker_id, worker_instance_id;
  uint64_t lease_ttl_ms;
};
struct ff_claim_from_resume_grant_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_handle handle;
};
FF_OPERATION(claim_from_resume_grant);

/* The older shape: reclaims when the stored grant is a reclaim grant, else as
 * claim_from_resume_grant (02 L-89, L-90). */
struct ff_claim_from_reclaim_args {
  uint32_t size;
  struct ff_str execution_id, lane_id, grant_key, worker_id, worker_instance_id;
  uint64_t lease_ttl_ms;
};
struct ff_claim_from_reclaim_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_handle handle;
};
FF_OPERATION(claim_from_reclaim);

/* The operator's claim of one eligible execution, no admission (02 L-92, L-93). outcome claimed.
 * Errors: execution_not_found, execution_not_eligible, lease_conflict, active_attempt_exists,
 * grant_already_exists, execution_not_in_eligible_set. */
struct ff_issue_grant_and_claim_args {
  uint32_t size;
  struct ff_str execution_id, lane_id;
  uint64_t lease_duration_ms;
};
struct ff_issue_grant_and_claim_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id lease_id;
  uint64_t lease_epoch;
  uint32_t attempt_index;
  struct ff_handle handle;
};
FF_OPERATION(issue_grant_and_claim);

/* ---------------------------------------------------------------- holding
 * Errors of every call with a handle (02 §3): handle_from_other_backend, corruption (`handle_codec:
 * …`), execution_not_found, execution_not_active (context terminal_outcome, lease_epoch,
 * lifecycle_phase, attempt_id), lease_revoked, lease_expired, stale_lease. */

/* Extends the lease by the ttl in the handle (02 L-100, L-101). outcome renewed. */
struct ff_renew_args {
  uint32_t size;
  struct ff_handle handle;
};
struct ff_renew_result {
  struct ff_memory *memory;
  uint8_t outcome;
  int64_t expires_at_ms;
  uint64_t lease_epoch;
};
FF_OPERATION(renew);

/* The proof of ownership as single values: all three or none (01 ID-14, HD-7). lease_epoch 0 =
 * absent. */
struct ff_fence {
  struct ff_str lease_id;
  uint64_t lease_epoch;
  struct ff_str attempt_id;
};

/* renew by fence (02 L-35). Errors also invalid_input `fence_required`, `partial_fence_triple`. */
struct ff_renew_lease_args {
  uint32_t size;
  struct ff_str execution_id;
  bool has_attempt_index;
  uint32_t attempt_index;
  struct ff_fence fence;
  uint64_t lease_ttl_ms;
};
struct ff_renew_lease_result {
  struct ff_memory *memory;
  uint8_t outcome; /* renewed */
  int64_t expires_at_ms;
  uint64_t lease_epoch;
};
FF_OPERATION(renew_lease);

struct ff_handles {
  const struct ff_handle *items;
  size_t count;
};
struct ff_renew_slot {
  struct ff_error error;
  uint8_t outcome;
  int64_t expires_at_ms;
  uint64_t lease_epoch;
};
struct ff_renew_slots {
  const struct ff_renew_slot *items;
  size_t count;
};
struct ff_renew_item {
  struct ff_handle handle;
};
struct ff_renew_items {
  const struct ff_renew_item *items;
  size_t count;
};
/* renew for up to 1,000 handles in one transaction, each by itself (00 §2.8). */
struct ff_renew_many_args {
  uint32_t size;
  struct ff_renew_items items;
};
struct ff_renew_many_result {
  struct ff_memory *memory;
  struct ff_renew_slots slots;
};
FF_OPERATION(renew_many);

/* Reports progress; does not renew (02 L-102). outcome updated. */
struct ff_progress_args {
  uint32_t size;
  struct ff_handle handle;
  bool has_percent;
  uint32_t percent;      /* 0..100 */
  struct ff_str message; /* absent leaves the stored one */
};
struct ff_progress_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(progress);

/* ---------------------------------------------------------------- ending */

/* Ends it with success and an optional result (02 §7). Repeating it with the same handle answers
 * the same (L-41). outcome completed. */
struct ff_complete_args {
  uint32_t size;
  struct ff_handle handle;
  struct ff_bytes result_payload; /* absent = no result; at most max_payload_bytes */
  struct ff_str result_encoding;
};
struct ff_complete_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
  uint8_t public_state; /* completed */
};
FF_OPERATION(complete);

/* complete by fence, or without one by source `operator_override` (02 L-34). source absent =
 * lease_holder. */
struct ff_complete_execution_args {
  uint32_t size;
  struct ff_str execution_id;
  struct ff_fence fence;
  bool has_attempt_index;
  uint32_t attempt_index;
  struct ff_bytes result_payload;
  struct ff_str result_encoding;
  struct ff_str source;
};
struct ff_complete_execution_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
  uint8_t public_state;
};
FF_OPERATION(complete_execution);

struct ff_complete_item {
  struct ff_handle handle;
  struct ff_bytes result_payload;
  struct ff_str result_encoding;
};
struct ff_complete_items {
  const struct ff_complete_item *items;
  size_t count;
};
struct ff_complete_slot {
  struct ff_error error;
  uint8_t outcome;
  struct ff_id execution_id;
};
struct ff_complete_slots {
  const struct ff_complete_slot *items;
  size_t count;
};
/* complete for up to 1,000 handles and 8 MiB in one transaction, each by itself (00 §2.8). */
struct ff_complete_many_args {
  uint32_t size;
  struct ff_complete_items items;
};
struct ff_complete_many_result {
  struct ff_memory *memory;
  struct ff_complete_slots slots;
};
FF_OPERATION(complete_many);

/* complete, then claim_task in the same transaction (00 §2.8). The completion stands even when
 * nothing is found; an error of the completion is the call's error and nothing is claimed. outcome:
 * claimed, none. Does not wait. */
struct ff_complete_and_claim_args {
  uint32_t size;
  struct ff_handle handle;
  struct ff_bytes result_payload;
  struct ff_str result_encoding;
  struct ff_strs lane_ids;
  struct ff_strs capabilities;
  struct ff_str worker_id, worker_instance_id;
  uint64_t lease_ttl_ms;
  struct ff_str request_id;
};
struct ff_complete_and_claim_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_task task;
};
FF_OPERATION(complete_and_claim);

/* Ends the attempt with a failure; the stored retry policy decides (02 §8). outcome:
 * retry_scheduled, terminal_failed. */
struct ff_fail_args {
  uint32_t size;
  struct ff_handle handle;
  struct ff_str reason; /* for people; at most 64 KiB */
  struct ff_str
      detail; /* the failure category, for example provider_error; empty = the class word */
  uint8_t failure_class; /* enum ff_failure_class; 0 = transient */
};
struct ff_fail_result {
  struct ff_memory *memory;
  uint8_t outcome;
  int64_t delay_until;         /* of retry_scheduled */
  uint32_t next_attempt_index; /* of retry_scheduled */
};
FF_OPERATION(fail);

/* fail by fence with an explicit retry policy (02 L-110, L-111): retry_policy_json is 01 PO-2,
 * empty = no retries. */
struct ff_fail_execution_args {
  uint32_t size;
  struct ff_str execution_id;
  struct ff_fence fence;
  bool has_attempt_index;
  uint32_t attempt_index;
  struct ff_str failure_reason, failure_category, retry_policy_json, next_attempt_policy_json,
      source;
};
struct ff_fail_execution_result {
  struct ff_memory *memory;
  uint8_t outcome;
  int64_t delay_until;
  uint32_t next_attempt_index;
};
FF_OPERATION(fail_execution);

struct ff_fail_item {
  struct ff_handle handle;
  struct ff_str reason, detail;
  uint8_t failure_class;
};
struct ff_fail_items {
  const struct ff_fail_item *items;
  size_t count;
};
struct ff_fail_slot {
  struct ff_error error;
  uint8_t outcome;
  int64_t delay_until;
  uint32_t next_attempt_index;
};
struct ff_fail_slots {
  const struct ff_fail_slot *items;
  size_t count;
};
/* fail for up to 1,000 handles in one transaction, each by itself (00 §2.8). */
struct ff_fail_many_args {
  uint32_t size;
  struct ff_fail_items items;
};
struct ff_fail_many_result {
  struct ff_memory *memory;
  struct ff_fail_slots slots;
};
FF_OPERATION(fail_many);

/* The worker gives up for good (02 L-125). outcome cancelled. */
struct ff_cancel_args {
  uint32_t size;
  struct ff_handle handle;
  struct ff_str reason;
};
struct ff_cancel_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(cancel);

/* The worker gives the execution back until a time; the same attempt goes on later (02 L-120 …
 * L-123). outcome delayed. */
struct ff_delay_args {
  uint32_t size;
  struct ff_handle handle;
  int64_t delay_until; /* may be past: promoted at the next tick */
};
struct ff_delay_result {
  struct ff_memory *memory;
  uint8_t outcome;
  uint8_t public_state;
};
FF_OPERATION(delay);

/* The worker waits for the flow's children; the same attempt goes on when they are done (02 L-122).
 * Without unfinished children it is eligible at once. outcome moved. */
struct ff_wait_children_args {
  uint32_t size;
  struct ff_handle handle;
};
struct ff_wait_children_result {
  struct ff_memory *memory;
  uint8_t outcome;
  uint8_t public_state;
};
FF_OPERATION(wait_children);

/* Cancels an execution in any non-terminal state (02 §10.2). source: operator_override (default),
 * flow_cascade, system_timeout need no fence; lease_holder and custom sources need it while it is
 * active. outcome cancelled, also when it was cancelled already. Errors: execution_not_found,
 * execution_not_active (ended otherwise), invalid_input `fence_required`/`partial_fence_triple`,
 * lease errors. */
struct ff_cancel_execution_args {
  uint32_t size;
  struct ff_str execution_id, reason, source;
  struct ff_fence fence;
};
struct ff_cancel_execution_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
  uint8_t public_state;
};
FF_OPERATION(cancel_execution);

/* ---------------------------------------------------------------- losing the lease, reclaim */

/* Takes the lease away; the attempt can then be reclaimed (02 L-131, L-132). outcome: revoked,
 * already_satisfied (reason says why: no_active_lease, already_revoked, already_expired,
 * different_worker_instance_id). Errors: execution_not_found, stale_lease. */
struct ff_revoke_lease_args {
  uint32_t size;
  struct ff_str execution_id, expected_lease_id, worker_instance_id, reason;
};
struct ff_revoke_lease_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id lease_id;
  uint64_t lease_epoch;
  struct ff_str reason;
};
FF_OPERATION(revoke_lease);

/* Grants a worker the right to reclaim a lost lease (02 §12.1). outcome: granted, not_reclaimable
 * (detail), reclaim_cap_exceeded (reclaim_count; the execution has failed). Errors:
 * execution_not_found, grant_already_exists, invalid_capabilities. */
struct ff_issue_reclaim_grant_args {
  uint32_t size;
  struct ff_str execution_id, worker_id, worker_instance_id, lane_id, capability_hash;
  uint64_t grant_ttl_ms; /* 1..60,000 */
  struct ff_str route_snapshot_json, admission_summary;
  struct ff_strs worker_capabilities;
  bool has_max_reclaim_count;
  uint32_t max_reclaim_count;
};
struct ff_issue_reclaim_grant_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
  struct ff_str partition_key, grant_key, lane_id, detail;
  int64_t expires_at_ms;
  uint32_t reclaim_count;
};
FF_OPERATION(issue_reclaim_grant);

/* Takes over a lost lease under a reclaim grant with a new attempt (02 §12.3). outcome: claimed,
 * not_reclaimable (detail), reclaim_cap_exceeded (reclaim_count), grant_not_found. Errors:
 * execution_not_found, invalid_input. */
struct ff_reclaim_execution_args {
  uint32_t size;
  struct ff_str execution_id, worker_id, worker_instance_id, lane_id, capability_hash, lease_id;
  uint64_t lease_ttl_ms;
  struct ff_str attempt_id, attempt_policy_json;
  bool has_max_reclaim_count;
  uint32_t max_reclaim_count;
  struct ff_str old_worker_instance_id; /* advisory */
  uint32_t current_attempt_index;       /* advisory */
};
struct ff_reclaim_execution_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
  struct ff_claimed claimed;
  struct ff_str detail;
  uint32_t reclaim_count;
};
FF_OPERATION(reclaim_execution);

/* Marks a due lease expired (02 L-130, L-64). outcome: marked_expired, already_satisfied (reason).
 * Never an error for state. */
struct ff_mark_lease_expired_if_due_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_mark_lease_expired_if_due_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_str reason;
};
FF_OPERATION(mark_lease_expired_if_due);

/* Returns a lease lost for the configured delay to the queue (02 §12.4). outcome: reclaimed
 * (reclaim_count), reclaim_cap_exceeded, not_due, not_reclaimable (detail). */
struct ff_auto_reclaim_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_auto_reclaim_result {
  struct ff_memory *memory;
  uint8_t outcome;
  uint32_t reclaim_count;
  struct ff_str detail;
};
FF_OPERATION(auto_reclaim);

/* Applies a due attempt timeout or execution deadline (02 L-149 … L-150a). outcome: expired
 * (from_phase), retry_scheduled, not_due, already_terminal, not_found. */
struct ff_expire_execution_args {
  uint32_t size;
  struct ff_str execution_id;
  uint8_t phase; /* enum ff_expire_phase */
};
struct ff_expire_execution_result {
  struct ff_memory *memory;
  uint8_t outcome;
  uint8_t from_phase; /* enum ff_lifecycle_phase */
  int64_t delay_until;
  uint32_t next_attempt_index;
};
FF_OPERATION(expire_execution);

/* Makes a due delayed execution eligible (02 L-148). outcome: promoted, not_yet_due, cleaned
 * (reason: not_found, not_runnable, not_delayed). */
struct ff_promote_delayed_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_promote_delayed_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_str reason;
};
FF_OPERATION(promote_delayed);

/* ---------------------------------------------------------------- operator changes */

/* 02 L-154. outcome changed. Errors: execution_not_found, execution_not_eligible. */
struct ff_change_priority_args {
  uint32_t size;
  struct ff_str execution_id;
  int32_t new_priority;  /* clamped to 0..9000 */
  struct ff_str lane_id; /* empty = look up */
};
struct ff_change_priority_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
};
FF_OPERATION(change_priority);

/* Runs an ended execution again with fresh retry and reclaim budgets (02 §14.2). outcome replayed.
 * Errors: execution_not_found, execution_not_terminal, max_replays_exhausted,
 * flow_already_terminal. */
struct ff_replay_execution_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_replay_execution_result {
  struct ff_memory *memory;
  uint8_t outcome;
  uint8_t public_state;
};
FF_OPERATION(replay_execution);

/* Removes ended executions whose retention is over, oldest first (02 §18). lane empty = every lane;
 * namespace absent = any. outcome ok, count = how many were removed. */
struct ff_trim_retention_args {
  uint32_t size;
  struct ff_str partition; /* `{fp:N}`; absent = all */
  struct ff_str lane_id;
  int64_t retention_ms; /* for executions without an override; 0 = the configured one */
  uint32_t batch_size;  /* 0 = 20; at most 1,000 */
  struct ff_str namespace_;
};
struct ff_trim_retention_result {
  struct ff_memory *memory;
  uint8_t outcome;
  uint32_t count;
};
FF_OPERATION(trim_retention);

#ifdef __cplusplus
}
#endif
#endif
