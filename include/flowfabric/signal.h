/*
 * Waiting for the outside world: waitpoints, suspensions, signals, and the keys their tokens are
 * made with (spec 03).
 *
 * A waitpoint token is a bearer credential: whoever has it may signal that waitpoint. It is answered
 * where it is minted and by read_waitpoint_token, and shown nowhere else.
 */
#ifndef FLOWFABRIC_SIGNAL_H
#define FLOWFABRIC_SIGNAL_H

#include "flowfabric/lifecycle.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- waitpoints */

/* Makes a waitpoint ahead of the suspension that will use it, so that its token can be handed out
 * first (03 §3). It accepts signals at once and keeps them; it closes by itself when it has not been
 * used within expires_in_ms. Only a request_id makes a repeat safe: without one a repeat makes
 * another waitpoint (W-9). Errors, first one first: handle_from_other_backend, already_suspended
 * (a suspended handle), invalid_input (also too_many_waitpoints: 1,024 wait already), corruption,
 * execution_not_found, execution_not_active, lease_revoked, lease_expired, stale_lease,
 * hmac_secret_not_initialized, invalid_secret. */
struct ff_create_waitpoint_args {
  uint32_t size;
  struct ff_handle handle;
  struct ff_str waitpoint_key; /* 1..256 bytes without control characters; need not be unique */
  uint64_t expires_in_ms;      /* at least 1; beyond the end of time means never */
  struct ff_str request_id;    /* at most 128 bytes; the same one again: the first answer */
};
struct ff_create_waitpoint_result {
  struct ff_memory *memory;
  struct ff_id waitpoint_id;
  struct ff_str waitpoint_key;
  struct ff_str waitpoint_token; /* secret */
};
FF_OPERATION(create_waitpoint);

/* Closes a waitpoint that no suspension uses; signals to it are refused from then on (03 T-14).
 * outcome: closed, already_closed. Errors: invalid_input, waitpoint_not_found,
 * invalid_waitpoint_for_execution (another's), waitpoint_not_pending (a suspension waits on it). */
struct ff_close_waitpoint_args {
  uint32_t size;
  struct ff_str execution_id, waitpoint_id;
  struct ff_str reason; /* at most 256 bytes; absent = proactive_close */
};
struct ff_close_waitpoint_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(close_waitpoint);

/* What time does to a waitpoint nobody has used (03 T-10 … T-13); engines apply it by themselves.
 * outcome: expired (closed as never_committed), not_yet_due, cleaned (missing, active or closed:
 * nothing to do). Errors: invalid_input. */
struct ff_expire_pending_waitpoint_args {
  uint32_t size;
  struct ff_str execution_id, waitpoint_id;
};
struct ff_expire_pending_waitpoint_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(expire_pending_waitpoint);

/* A waitpoint that accepts signals (01 RC-7). Never its token. */
struct ff_pending_waitpoint {
  struct ff_id waitpoint_id;
  struct ff_str waitpoint_key;
  uint8_t state;                         /* enum ff_waitpoint_state: pending or active */
  struct ff_strs required_signal_names;  /* empty = any; __operator_only__, __timeout_only__ (L-4) */
  int64_t created_at;
  int64_t activated_at; /* 0 while pending */
  int64_t expires_at;   /* 0 = never */
  struct ff_id execution_id;
  struct ff_str token_kid, token_fingerprint;
};
struct ff_pending_waitpoints {
  const struct ff_pending_waitpoint *items;
  size_t count;
};
/* The waitpoints of an execution that accept signals, by id (03 §7.2). Errors: invalid_input,
 * execution_not_found. */
struct ff_list_pending_waitpoints_args {
  uint32_t size;
  struct ff_str execution_id;
  struct ff_str after; /* exclusive: the next_cursor of the page before */
  uint32_t limit;      /* 0 = 100; at most 1,000 */
};
struct ff_list_pending_waitpoints_result {
  struct ff_memory *memory;
  struct ff_pending_waitpoints entries;
  struct ff_str next_cursor; /* absent on the last page */
};
FF_OPERATION(list_pending_waitpoints);

/* The token of a waitpoint that accepts signals, for operators: do not keep or log it (03 §7.3).
 * When the grace of its kid is over, one under the current kid. Absent: no such waitpoint in that
 * partition, closed, or expired. Errors: invalid_input, invalid_secret. */
struct ff_read_waitpoint_token_args {
  uint32_t size;
  struct ff_str partition; /* `{fp:N}` of the execution's id */
  struct ff_str waitpoint_id;
};
struct ff_read_waitpoint_token_result {
  struct ff_memory *memory;
  struct ff_str token; /* secret; absent = none */
};
FF_OPERATION(read_waitpoint_token);

/* ---------------------------------------------------------------- suspending */

/* Where a suspension waits: a new waitpoint, or (pending) one of create_waitpoint. */
struct ff_waitpoint_binding {
  struct ff_str waitpoint_id;  /* a uuid of the caller's; not nil */
  struct ff_str waitpoint_key; /* of a new one: 1..256 bytes; ignored for a pending one */
  bool pending;
};
struct ff_waitpoint_bindings {
  const struct ff_waitpoint_binding *items;
  size_t count;
};
/* A waitpoint a suspension waits on. */
struct ff_bound_waitpoint {
  struct ff_id waitpoint_id;
  struct ff_str waitpoint_key;
  struct ff_str waitpoint_token; /* secret */
};
struct ff_bound_waitpoints {
  const struct ff_bound_waitpoint *items;
  size_t count;
};
struct ff_suspend_details {
  struct ff_id suspension_id, waitpoint_id; /* the primary waitpoint: the first binding */
  struct ff_str waitpoint_key;
  struct ff_str waitpoint_token; /* secret */
  struct ff_bound_waitpoints additional_waitpoints; /* the other bindings, in order */
};

/* Gives the lease back and waits until signals meet a condition, an operator resumes, or time ends
 * it; the same attempt then goes on (03 §4). outcome: suspended (handle is of kind suspended), or
 * already_satisfied: signals kept by pending waitpoints met the condition at once, nothing was
 * released and the caller's handle stays good. With an idempotency_key a repeat gives the first
 * answer for up to a week, whatever else it says.
 *
 * resume_condition is JSON: {"Single":{"waitpoint_key":K,"matcher":M}}, "OperatorOnly",
 * "TimeoutOnly", {"Composite":{"kind":"AllOf"|"AnyOf","members":[…]}} or
 * {"Composite":{"kind":"Count","n":N,"count_kind":"DistinctWaitpoints"|"DistinctSignals"|
 * "DistinctSources","matcher":M?,"waitpoints":[K…]}}; a matcher M is "Wildcard", {"ByName":T} or
 * {"ByCorrelationId":T}. At most 256 KiB, 1,024 nodes, composites 4 deep.
 *
 * Errors, first one first: handle_from_other_backend, already_suspended (a suspended handle),
 * invalid_input (details of 03 §4.3), corruption, execution_not_found, already_suspended,
 * execution_not_active, lease_revoked, lease_expired, stale_lease, waitpoint_not_found,
 * waitpoint_not_pending, invalid_waitpoint_for_execution, pending_waitpoint_expired,
 * waitpoint_not_token_bound, waitpoint_already_exists, hmac_secret_not_initialized,
 * invalid_secret. */
struct ff_suspend_args {
  uint32_t size;
  struct ff_handle handle;
  struct ff_str suspension_id;             /* a uuid of the caller's; not nil */
  struct ff_waitpoint_bindings waitpoints; /* 1..256; the first is primary */
  struct ff_str resume_condition;
  struct ff_str resume_policy; /* JSON of 03 §4.1; absent = normal; resume_delay_ms acts */
  struct ff_str reason_code;   /* waiting_for_signal, WaitingForApproval, … (03 §4.1) */
  struct ff_str requested_by;  /* absent = worker; operator, policy, system_timeout_policy */
  int64_t timeout_at;          /* 0 = the policy's default, else none */
  struct ff_str timeout_behavior; /* absent = fail; cancel, expire, auto_resume,
                                     auto_resume_with_timeout_signal, escalate */
  struct ff_str continuation_metadata_pointer; /* at most 4,096 bytes, for operators */
  struct ff_str idempotency_key;               /* at most 512 bytes; empty = none */
};
struct ff_suspend_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_suspend_details details;
  struct ff_handle handle; /* of a suspended one */
};
FF_OPERATION(suspend);

/* suspend for callers without a handle (03 §4.8). The same outcomes and errors; a partial or absent
 * fence is invalid_input. */
struct ff_suspend_by_triple_args {
  uint32_t size;
  struct ff_str execution_id;
  struct ff_fence fence;
  struct ff_str suspension_id;
  struct ff_waitpoint_bindings waitpoints;
  struct ff_str resume_condition, resume_policy, reason_code, requested_by;
  int64_t timeout_at;
  struct ff_str timeout_behavior, continuation_metadata_pointer, idempotency_key;
};
struct ff_suspend_by_triple_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_suspend_details details;
  struct ff_handle handle;
};
FF_OPERATION(suspend_by_triple);

/* One waitpoint of the older form. */
struct ff_waitpoint_spec {
  uint8_t kind;            /* enum ff_waitpoint_kind */
  struct ff_bytes matcher; /* the name or correlation id wanted, UTF-8; of external: ignored */
  struct ff_str waitpoint_token; /* secret; of a pending waitpoint of this execution; absent = a new one */
};
struct ff_waitpoint_specs {
  const struct ff_waitpoint_spec *items;
  size_t count;
};
/* The older form of suspend (03 S-29 … S-33): any of the waitpoints resumes. outcome: suspended.
 * Errors: those of suspend, invalid_token (no pending waitpoint has that token), already_satisfied
 * (signals kept by one of them: nothing was released and the handle stays good). */
struct ff_suspend_waitpoints_args {
  uint32_t size;
  struct ff_handle handle;
  struct ff_waitpoint_specs waitpoints; /* 1..256 */
  uint64_t timeout_ms;                  /* 0 = the policy's default, else none */
};
struct ff_suspend_waitpoints_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_handle handle;
};
FF_OPERATION(suspend_waitpoints);

/* ---------------------------------------------------------------- signals */

/* Delivers a signal to a waitpoint; whoever has its token may (03 §6). outcome: accepted (effect
 * says what it did), duplicate (the key or the signal_id was accepted before: existing_signal_id).
 * Errors, first one first: invalid_input, payload_too_large, missing_token, invalid_token,
 * hmac_secret_not_initialized, token_expired, invalid_secret (all before anything is looked at:
 * who has no token learns nothing), execution_not_found, waitpoint_closed, target_not_signalable,
 * pending_waitpoint_expired, signal_limit_exceeded. */
struct ff_deliver_signal_args {
  uint32_t size;
  struct ff_str execution_id, waitpoint_id;
  struct ff_str signal_id;   /* a uuid of the caller's; not nil */
  struct ff_str signal_name; /* 1..256 bytes */
  struct ff_str signal_category, source_type;     /* at most 256 bytes each */
  struct ff_str source_identity, correlation_id;  /* at most 512 bytes each */
  struct ff_str idempotency_key;                  /* at most 512 bytes; empty = none */
  struct ff_bytes payload;                        /* at most 65,536 bytes */
  struct ff_str payload_encoding;                 /* absent = json */
  struct ff_str target_scope;                     /* absent = waitpoint; kept, not interpreted */
  int64_t created_at;                             /* 0 = now */
  bool has_dedup_ttl;                             /* without it 86,400,000 */
  uint64_t dedup_ttl_ms;                          /* 0 = no dedup */
  bool has_resume_delay;                          /* without it the suspension's policy */
  uint64_t resume_delay_ms;                       /* how long the resumed execution waits */
  uint64_t max_signals_per_execution;             /* can only tighten; 0 = the policy's */
  uint64_t signal_maxlen;                         /* kept per waitpoint; 0 = 1,000, at most 10,000 */
  struct ff_str waitpoint_token;                  /* secret */
};
struct ff_deliver_signal_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id signal_id; /* of an accepted one */
  uint8_t effect;         /* enum ff_signal_effect, of an accepted one */
  struct ff_id existing_signal_id;
};
FF_OPERATION(deliver_signal);

struct ff_signal_list {
  const struct ff_deliver_signal_args *items;
  size_t count;
};
/* What became of one signal of several; error.rc FF_OK: the other members count. */
struct ff_signal_slot {
  struct ff_error error;
  uint8_t outcome;
  struct ff_id signal_id;
  uint8_t effect;
  struct ff_id existing_signal_id;
};
struct ff_signal_slots {
  const struct ff_signal_slot *items;
  size_t count;
};
/* Delivers up to 1,000 signals, to any waitpoints, in one transaction and in their order; each is
 * accepted or refused by itself as by deliver_signal, answers in the same order (00 §2.8). Errors of
 * the whole call: invalid_input (more than 1,000 items, or payloads of more than 8 MiB). */
struct ff_deliver_signals_args {
  uint32_t size;
  struct ff_signal_list items;
};
struct ff_deliver_signals_result {
  struct ff_memory *memory;
  struct ff_signal_slots slots;
};
FF_OPERATION(deliver_signals);

/* An operator's approval or rejection, without a token (03 §6.6). The same outcomes; a repeat with
 * the same name and suffix is a duplicate. Errors: invalid_input (also lane_mismatch),
 * execution_not_found, waitpoint_not_found, hmac_secret_not_initialized, invalid_token (the stored
 * fingerprint does not fit the secret), invalid_secret, and those of deliver_signal behind them. */
struct ff_deliver_approval_signal_args {
  uint32_t size;
  struct ff_str execution_id, lane_id, waitpoint_id;
  struct ff_str signal_name;         /* by convention approved or rejected */
  struct ff_str idempotency_suffix;  /* with the name at most 480 bytes */
  struct ff_str source_identity;     /* who; counts for DistinctSources */
  uint64_t signal_dedup_ttl_ms;      /* 0 = no dedup */
  uint64_t max_signals_per_execution, signal_maxlen;
};
struct ff_deliver_approval_signal_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id signal_id;
  uint8_t effect;
  struct ff_id existing_signal_id;
};
FF_OPERATION(deliver_approval_signal);

/* A signal that helped to resume (03 §7.1). */
struct ff_resume_signal {
  struct ff_id signal_id;
  struct ff_str signal_name, signal_category, source_type, source_identity, correlation_id;
  int64_t accepted_at;
  struct ff_bytes payload; /* absent when none was delivered */
};
struct ff_resume_signals {
  const struct ff_resume_signal *items;
  size_t count;
};
/* What ended the last suspension of this attempt, in order of arrival; empty while it is open, and
 * when no signal ended it (03 §7.1). Any handle of the attempt. Errors: handle_from_other_backend,
 * corruption. */
struct ff_observe_signals_args {
  uint32_t size;
  struct ff_handle handle;
};
struct ff_observe_signals_result {
  struct ff_memory *memory;
  struct ff_resume_signals signals;
};
FF_OPERATION(observe_signals);

/* ---------------------------------------------------------------- ends of suspensions */

/* Makes a suspended execution runnable again without looking at its condition, for operators (03
 * §8). outcome: resumed. Errors: invalid_input, execution_not_found, execution_not_suspended. */
struct ff_resume_execution_args {
  uint32_t size;
  struct ff_str execution_id;
  struct ff_str trigger_type; /* absent = signal; operator, auto_resume */
  uint64_t resume_delay_ms;
};
struct ff_resume_execution_result {
  struct ff_memory *memory;
  uint8_t outcome;
  uint8_t public_state; /* waiting, or delayed */
};
FF_OPERATION(resume_execution);

/* What time does to a suspension (03 §9.1); engines apply it by themselves. outcome: expired
 * (behavior_applied), already_satisfied (reason says why there is nothing to do). Errors:
 * invalid_input. */
struct ff_expire_suspension_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_expire_suspension_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_str behavior_applied;
  struct ff_str reason;
};
FF_OPERATION(expire_suspension);

/* A suspended execution (03 L-10). */
struct ff_suspended_entry {
  struct ff_id execution_id;
  int64_t suspended_at_ms; /* its place in the list: timeout_at, or 9,999,999,999,999 */
  struct ff_str reason;
  int64_t timeout_at; /* 0 = none */
  int64_t suspended_since;
};
struct ff_suspended_entries {
  const struct ff_suspended_entry *items;
  size_t count;
};
/* The suspended executions of a partition, the next to time out first (03 §7.4). Errors:
 * invalid_input. */
struct ff_list_suspended_args {
  uint32_t size;
  struct ff_str partition; /* `{fp:N}` */
  struct ff_str cursor;    /* exclusive: the next_cursor of the page before */
  uint32_t limit;          /* 0 = an empty page; at most 1,000 */
};
struct ff_list_suspended_result {
  struct ff_memory *memory;
  struct ff_suspended_entries entries;
  struct ff_str next_cursor; /* absent on the last page */
};
FF_OPERATION(list_suspended);

/* ---------------------------------------------------------------- keys of tokens */

/* Installs the first secret, or finds it installed: safe at every start (03 §12.3). A new store
 * already has one of its own, kid k1. outcome: seeded, already_seeded (the kid is known; nothing
 * changes, also when the secret differs). Errors: invalid_kid, invalid_secret_hex, invalid_input
 * (another kid is current: rotate instead). */
struct ff_seed_waitpoint_hmac_secret_args {
  uint32_t size;
  struct ff_str kid;        /* 1..128 printable ASCII characters without blanks and ':' */
  struct ff_str secret_hex; /* secret; exactly 64 hex characters */
};
struct ff_seed_waitpoint_hmac_secret_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_str kid;
  bool same_secret;
};
FF_OPERATION(seed_waitpoint_hmac_secret);

/* What one replica of the key store answered; error.rc FF_OK: outcome is rotated or noop. */
struct ff_rotation {
  struct ff_error error; /* rotation_conflict: the kid was used before, with context kid */
  uint32_t partition;
  uint8_t outcome;
  struct ff_str previous_kid; /* absent when there was none */
  struct ff_str new_kid;
  uint32_t gc_count; /* kids that were removed because their grace was over */
};
struct ff_rotations {
  const struct ff_rotation *items;
  size_t count;
};
/* Makes a new secret current; tokens of the former one verify for grace_ms more (03 §12.4). A repeat
 * answers noop. One entry per replica of the key store: one, of partition 0. Errors: invalid_kid,
 * invalid_secret_hex, invalid_grace_ms. */
struct ff_rotate_waitpoint_hmac_secret_all_args {
  uint32_t size;
  struct ff_str new_kid;
  struct ff_str new_secret_hex; /* secret; 2 to 512 hex characters, better 64 */
  uint64_t grace_ms;            /* at most 2^53-1 */
};
struct ff_rotate_waitpoint_hmac_secret_all_result {
  struct ff_memory *memory;
  struct ff_rotations entries;
  bool weak_secret; /* shorter than 64 hex characters */
};
FF_OPERATION(rotate_waitpoint_hmac_secret_all);

/* A former kid whose tokens still verify. */
struct ff_waitpoint_kid {
  struct ff_str kid;
  int64_t expires_at_ms;
};
struct ff_waitpoint_kids {
  const struct ff_waitpoint_kid *items;
  size_t count;
};
/* Which kids verify, without their secrets (03 §12.5). */
struct ff_list_waitpoint_hmac_kids_args {
  uint32_t size;
};
struct ff_list_waitpoint_hmac_kids_result {
  struct ff_memory *memory;
  struct ff_str current_kid; /* absent: none */
  struct ff_waitpoint_kids verifying; /* by expires_at_ms, then kid */
};
FF_OPERATION(list_waitpoint_hmac_kids);

#ifdef __cplusplus
}
#endif
#endif
