/*
 * What all operations on an execution share: derivation, legality, due times, and the effects of 02
 * §3 written once.
 *
 * These functions change a staged execution record and append events; they decide nothing about
 * whether they may.
 */
#ifndef OP_EXECUTION_H
#define OP_EXECUTION_H

#include "op/op.h"

/* Limits of 01 LM-34. */
#define NAME_MAX_BYTES 256
#define REQUEST_ID_MAX_BYTES 128 /* 00 OP-8 */
#define TAG_VALUE_MAX_BYTES 4096

/* ---- derivation (execution.c), legality and sealing (vector.c) ---- */
/* 01 SV-1: total. */
enum ff_public_state execution_public_state(const struct execution *);
/* RC-1 current_attempt_id: absent before the first claim, after a scheduled retry, auto-reclaim and
 * replay (SV-4). */
bool execution_has_current_attempt(const struct execution *);
/* The one due time an execution waits for next, and what is due then (DESIGN §10, time). DUE_NONE
 * gives INT64_MAX. The earliest of the clocks that run in its state: delay_until; lease_expires_at
 * while leased; lost lease + auto-reclaim delay (a live grant defers it to grant_expires_at);
 * attempt_timeout_at while active; execution_deadline_at while not terminal; purge_at while
 * terminal; the first pending waitpoint. */
enum due_kind execution_due(const struct execution *, const struct op_config *, int64_t *due_at);
/* When a lost lease goes back to the queue: after the delay of PO-16, not before a grant on it dies
 * (L-147a); INT64_MAX = never. */
int64_t execution_auto_reclaim_at(const struct execution *, const struct op_config *);
/* When an ended execution may go: what its policy says, else by the retention configured now, which
 * purge_at as stored need not be any more (L-151). */
int64_t execution_purge_at(const struct execution *, const struct op_config *);
/* Runs when an operation's edits are taken over: checks the vector against SV-3 and the step
 * against SV-10 … SV-36, sets next_due_at. before is NULL for a new one. A breach stops the
 * process: no operation can store an illegal vector. */
void execution_seal(const struct execution *before, struct execution *after,
                    const struct op_config *);
/* What no operation of ours can have stored is corruption that names the field (01 CV-8); asked of
 * every execution a store hands out, so that a spoiled row never reaches execution_seal. */
enum ff_rc execution_check_stored(const struct execution *, struct ff_error *) MUST_USE;
/* True when the vector is one of SV-3 (tests and verify use it too). */
bool execution_vector_legal(const struct execution *);
/* Sets the six dimensions and blocking_detail; last_transition_at moves when a dimension changed,
 * last_mutation_at always (L-7). */
struct execution_vector {
  enum ff_lifecycle_phase phase;
  enum ff_ownership_state ownership;
  enum ff_eligibility_state eligibility;
  enum ff_blocking_reason blocking;
  enum ff_terminal_outcome outcome;
  enum ff_attempt_state attempt;
};
void execution_move(struct tx *, struct execution *, struct execution_vector,
                    struct ff_str blocking_detail);
void execution_touch(struct tx *, struct execution *); /* last_mutation_at only */

/* block.c: eligible work out of sight (06 D.3), and back. `on` is what it waits for, nil when no
 * scanner lifts the block. FF_MISS until a grant is loaded. */
enum ff_rc execution_block(struct tx *, const struct execution *, enum ff_blocking_reason reason,
                           struct uuid on, struct ff_str detail) MUST_USE;
void execution_unblock(struct tx *, const struct execution *);
/* What is written down for a block that a caller decided on, and whether it is one. It is judged once
 * a while has passed, and then lifted or waits for what holds it back (06 BG-60). */
struct uuid execution_blocked_on(enum ff_blocking_reason);
bool execution_blocked_by_caller(const struct execution *);

/* Reads the execution an id names: FF_MISS, execution_not_found, or FF_OK. */
enum ff_rc execution_load(struct tx *, struct exec_id, const struct execution **,
                          struct ff_error *) MUST_USE;
static inline struct exec_id execution_id_of(const struct execution *x) {
  return (struct exec_id){x->partition, x->id};
}
void declare_execution(struct declare *, struct exec_id);
/* The whole declare phase of an operation whose prep begins with the execution's id, as an exec_id
 * and a handle_body do. */
void declare_prepared_execution(struct declare *, const void *args, const void *prep);
void declare_by_execution(struct declare *, enum record_kind kind,
                          struct exec_id); /* payload, result, policy, grant */
/* grant, policy, payload, result share this key shape. */
#define EXECUTION_KEY(type, id) \
  (&(struct type){.partition = (id).partition, .execution_id = (id).uuid})

/* ---- events (event.c) ---- */
/* A new event of this execution: at, ids, namespace and tags are set; the rest is for the caller.
 */
struct event *execution_event(struct tx *, const struct execution *);
/* The lease part of the latest lease: ids, epoch, attempt, worker, expires_at for acquired and
 * renewed. */
struct event *execution_lease_event(struct tx *, const struct execution *, enum ff_lease_event,
                                    struct ff_str reason, enum ff_revoked_by);

/* ---- the effects of 02 §3.4 (lease.c) ---- */
struct lease_grant {
  struct uuid lease_id;
  struct ff_str worker_id, worker_instance_id, request_id;
  uint64_t ttl_ms;
};
/* acquire(): epoch + 1, lease fields, active vector, started_at, delay cleared, a receipt of the
 * former lease moved aside so that it still answers repeats. Touches no attempt field and writes no
 * event. */
void lease_acquire(struct tx *, struct execution *, const struct lease_grant *);
/* Fresh claim body L-70 … L-72 (stores the replaced attempt's row, next index, type by
 * attempt_state, timeout armed) + acquire + event. */
struct fresh_claim {
  struct lease_grant lease;
  struct uuid attempt_id;
  struct ff_str attempt_policy_json; /* absent = pending_attempt_policy_json */
  uint64_t attempt_timeout_ms;       /* 0 = the policy's */
  struct ff_str event_reason;        /* absent for a plain claim */
};
void lease_claim_fresh(struct tx *, struct execution *, const struct fresh_claim *);
/* Resumed body L-86: same attempt, timer restored (L-25), + acquire + event with reason
 * claim_resumed or the given one. */
struct resumed_claim {
  struct lease_grant lease;
  uint64_t remaining_timeout_ms; /* 0 = what was saved */
  struct ff_str event_reason;
};
void lease_claim_resumed(struct tx *, struct execution *, const struct resumed_claim *);
/* Reclaim body L-145: ends and stores the old attempt, begins one of type reclaim, + acquire +
 * event reclaimed. The grant is not touched. */
void lease_reclaim(struct tx *, struct execution *, const struct fresh_claim *);
/* 02 §12.3 from the checks of L-143 (behind NotFound and the replay rule) to the effects of L-145
 * and L-146; in reclaim.c, also used by claim_from_reclaim. Reads the lane record and the grant.
 * The words are reclaim_execution's outcomes. */
struct reclaim_request {
  struct fresh_claim claim;
  bool has_max_reclaim_count;
  uint32_t max_reclaim_count;
};
struct reclaim_answer {
  uint8_t outcome; /* claimed, not_reclaimable, reclaim_cap_exceeded, grant_not_found */
  const struct execution *claimed; /* the staged record, only when claimed */
  struct ff_str detail;
  uint32_t reclaim_count;
};
enum ff_rc lease_reclaim_body(struct tx *, const struct execution *read,
                              const struct reclaim_request *, struct reclaim_answer *) MUST_USE;
/* release(): clears what SV-4 clears (claim_request_id too), event released with the reason, which
 * is handed to execution_terminate. Does not move the vector and leaves the attempt and its timer
 * to attempt_end or attempt_pause. */
struct event *lease_release(struct tx *, struct execution *, struct ff_str reason,
                            enum ff_revoked_by);
/* terminate(): terminal vector, completed_at, purge_at, delay and timers cleared, grant deleted,
 * completion part put on `event` (the released event of the same step) or on an event of its own
 * when NULL. The grant must have been loaded when grant_expires_at is set: answers FF_MISS
 * otherwise. Ends an open attempt with `attempt_end` unless it is ended already. */
enum ff_rc execution_terminate(struct tx *, struct execution *, enum ff_terminal_outcome,
                               enum ff_attempt_lifecycle attempt_end, struct event *event) MUST_USE;
/* The same without what follows for the flow of a member: for cascades, which do that themselves. */
enum ff_rc execution_terminate_alone(struct tx *, struct execution *, enum ff_terminal_outcome,
                                     enum ff_attempt_lifecycle attempt_end,
                                     struct event *event) MUST_USE;
/* Asks for all that it will read. FF_MISS until it is there. */
enum ff_rc execution_want_end(struct tx *, const struct execution *) MUST_USE;
/* L-128 from any non-terminal phase, likewise alone (cancel.c). */
enum ff_rc execution_cancel_alone(struct tx *, struct execution *, struct ff_str reason,
                                  struct ff_str cancelled_by, enum ff_revoked_by) MUST_USE;
/* Ends an execution cancelled, in any phase but the last (L-128); in cancel.c. */
enum ff_rc execution_cancel(struct tx *, const struct execution *read, struct ff_str reason,
                            struct ff_str cancelled_by, enum ff_revoked_by) MUST_USE;
/* Marks a due lease expired (L-64): vector, lease_expired_at, event expired. */
void lease_mark_expired(struct tx *, struct execution *);
/* Takes the lease away (L-132): vector, lease_revoked_at, reason, event revoked. */
void lease_mark_revoked(struct tx *, struct execution *, struct ff_str reason);
/* The ownership word, as reclaim reasons record it. */
struct ff_str ownership_word(const struct execution *);
/* Ends the current attempt inside the execution record. failure texts may be absent. */
void attempt_end(struct tx *, struct execution *, enum ff_attempt_lifecycle,
                 struct ff_str failure_reason, struct ff_str failure_category);
bool attempt_is_open(const struct execution *); /* started or suspended: not ended */
/* Pauses the current attempt (L-25): suspended, suspension_id, timer saved. */
void attempt_pause(struct tx *, struct execution *, struct ff_str suspension_id);
/* Writes the row of the latest attempt into the attempt table: before another attempt replaces it.
 */
void attempt_archive(struct tx *, const struct execution *);
/* The delete of the grant record and of grant_expires_at, live or dead; FF_MISS until it is loaded.
 */
enum ff_rc grant_drop(struct tx *, struct execution *) MUST_USE;
/* Caps and limits copied from the policy at create (L-142, L-155). has_argument: the caller's own
 * cap. */
uint32_t reclaim_cap(const struct execution *, bool has_argument, uint32_t argument);

/* ---- the lease check and receipts (fence.c, 02 §3.1-§3.3) ---- */
struct fence {
  struct uuid lease_id, attempt_id;
  uint64_t lease_epoch;
  bool has_attempt_index;
  uint32_t attempt_index;
};
enum fence_mode { FENCE_FULL, FENCE_LIGHT }; /* light: a due lease is not marked (L-36) */
/* L-30 … L-33 in order. On a due, unmarked lease FENCE_FULL stages the mark and calls
 * tx_commit_on_error. A passed check notes tx_valid_before(lease_expires_at). */
enum ff_rc fence_check(struct tx *, const struct execution *, const struct fence *, enum fence_mode,
                       struct ff_error *) MUST_USE;
/* The L-34/HD-7 rules for argument forms: complete, absent (source decides; the stored triple is
 * substituted), partial. */
enum ff_rc fence_from_arguments(const struct ff_fence *, bool override_allowed,
                                struct ff_str source, bool *absent, struct fence *,
                                struct ff_error *) MUST_USE;
/* Before anything is loaded: the ids of the triple parse where given. */
enum ff_rc fence_check_syntax(const struct ff_fence *, struct ff_error *) MUST_USE;
bool fence_is_absent(const struct ff_fence *);
struct fence fence_of_handle(const struct handle_body *);
/* Who a release is attributed to (05 B.4): operator for source operator_override, backend for the
 * holder's own calls. */
enum ff_revoked_by released_by(struct ff_str source);
struct fence fence_stored(
    const struct execution *); /* the latest lease's own triple, for overrides */
/* HD-5 step 1, before the other arguments are looked at: handle_from_other_backend. */
enum ff_rc handle_check_tag(const struct op_config *, const struct ff_handle *,
                            struct ff_error *) MUST_USE;
/* contention/execution_not_active with the context of L-44. */
enum ff_rc execution_not_active(const struct execution *, struct ff_error *);
/* Remembers this release (L-40). delay_until and next_attempt_index (-1 = none) are what a repeat
 * must answer. */
void receipt_store(struct execution *, enum ff_receipt_op, int64_t delay_until,
                   int64_t next_attempt_index);
void receipt_erase(struct execution *);
/* L-41, L-42: true when this is a repeat of the same release; fills what the first call answered.
 * Asked before fence_check: a fence that matches can never pass the check, and a repeat must not
 * mark the lease of a successor. */
struct receipt_answer {
  int64_t delay_until;
  int64_t next_attempt_index;
};
bool receipt_match(const struct execution *, const struct fence *, enum ff_receipt_op,
                   struct receipt_answer *);

/* ---- policies (policy.c, 01 §6) and retries (retry.c) ---- */
struct retry_policy {
  bool present;
  uint32_t max_retries;
  bool exponential, jitter;
  int64_t delay_ms, initial_delay_ms, max_delay_ms;
  double multiplier;
  const struct ff_str *retryable_categories;
  size_t retryable_category_count;
};
struct policy_facts {  /* what create copies into the execution record; absent = -1 or as noted */
  bool present;        /* false for "" and {} */
  int64_t delay_until; /* 0 = absent */
  int64_t attempt_timeout_ms;    /* 0 = none */
  int64_t execution_deadline_ms; /* 0 = none */
  int64_t auto_reclaim_delay_ms; /* -1 absent, INT64_MAX off */
  int64_t retention_ms, max_reclaim_count,
      max_replay_count;                /* as given: a default is not copied into the record */
  int64_t dedup_window_ms;             /* 0 = default */
  int64_t stream_maxlen;               /* 0 = default */
  int64_t max_signals;                 /* 0 = default, INT64_MAX = any number */
  int64_t suspension_timeout_ms;       /* 0 = none */
  struct ff_str suspension_behavior;   /* absent = fail */
  struct ff_str required_capabilities; /* sorted CSV, empty = none */
  struct ff_str budget_ids;            /* CSV, absent = none */
  struct uuid quota_policy_id;
  struct retry_policy retry;
};
/* Parses and checks a whole policy text (L-51, L-52, PO-8 table). */
enum ff_rc policy_parse(struct ff_str json, struct arena *, struct policy_facts *,
                        struct ff_error *) MUST_USE;
/* Parses a retry policy object text (L-111); empty = not present. */
enum ff_rc retry_policy_parse(struct ff_str json, struct arena *, struct retry_policy *,
                              struct ff_error *) MUST_USE;
/* What the stored policy says, nothing when there is none. FF_MISS until the policy record is
 * loaded; corruption. */
enum ff_rc execution_policy(struct tx *, const struct execution *, struct policy_facts *,
                            struct ff_error *) MUST_USE;
/* The stored policy's retry_policy, not present when there is none. FF_MISS until the policy record
 * is loaded; corruption. */
enum ff_rc execution_retry_policy(struct tx *, const struct execution *, struct retry_policy *,
                                  struct ff_error *) MUST_USE;
/* EN-1: the class of a category; any text that is no class word counts as transient,
 * attempt_timeout as timeout. */
enum ff_failure_class failure_class_of(struct ff_str category);
/* L-112: category verbatim, class by EN-1. */
bool retry_decide(const struct retry_policy *, enum ff_failure_class, struct ff_str category,
                  uint32_t retry_count);
/* L-113; draws one random number only when jitter is on. */
int64_t retry_backoff_ms(struct tx *, const struct retry_policy *, uint32_t retry_count);
/* The retry branch L-115 shared by fail and the attempt timeout. revoked_by and release reason
 * differ. */
void execution_schedule_retry(struct tx *, struct execution *, struct ff_str reason,
                              int64_t delay_ms, struct ff_str next_attempt_policy_json,
                              struct ff_str release_reason, enum ff_revoked_by);

/* ---- tags (tags.c): the record keeps them as one JSON object, keys sorted ---- */
struct ff_str tags_encode(struct arena *,
                          struct ff_pairs); /* absent when empty; a later duplicate key wins */
struct ff_pairs tags_decode(struct arena *, struct ff_str);

/* ---- answers (view.c) ---- */
void view_execution(const struct execution *, struct arena *, struct ff_execution *);
void view_handle(const struct execution *, enum ff_backend, enum ff_handle_kind, uint64_t ttl_ms,
                 struct ff_handle *);
void view_claimed(const struct execution *, enum ff_backend, enum ff_handle_kind, uint64_t ttl_ms,
                  struct ff_claimed *);
/* Whether the input payload is a record of its own: too large to ride in the execution's, or put there
 * by a dependency (04 FR-5). */
static inline bool execution_has_payload_record(const struct execution *x) {
  return x->payload_external || x->payload_replaced;
}
/* The stored input payload: inline, or the payload record (FF_MISS until loaded). */
enum ff_rc view_payload(struct tx *, const struct execution *, struct ff_bytes *) MUST_USE;
enum ff_rc view_task(struct tx *, const struct execution *, enum ff_handle_kind, uint64_t ttl_ms,
                     struct ff_task *) MUST_USE;

#endif
