/*
 * Every closed enumeration of the contract, once: X(word) in stored order. Values are positions and
 * never change: append only.
 * `FF_<ENUM>_<word>` are the constants; ff_word() gives the text, ff_word_parse() the value (01 §3).
 */
#ifndef FLOWFABRIC_WORDS_H
#define FLOWFABRIC_WORDS_H

#include "flowfabric/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FF_WORDS_lifecycle_phase(X) X(submitted) X(runnable) X(active) X(suspended) X(terminal)
#define FF_WORDS_ownership_state(X) X(unowned) X(leased) X(lease_expired_reclaimable) X(lease_revoked)
#define FF_WORDS_eligibility_state(X)                                                                              \
  X(not_applicable) X(eligible_now) X(not_eligible_until_time) X(blocked_by_dependencies) X(blocked_by_budget)     \
  X(blocked_by_quota) X(blocked_by_route) X(blocked_by_lane_state) X(blocked_by_operator)
#define FF_WORDS_blocking_reason(X)                                                                                \
  X(none) X(waiting_for_worker) X(waiting_for_retry_backoff) X(waiting_for_resume_delay) X(waiting_for_delay)      \
  X(waiting_for_signal) X(waiting_for_approval) X(waiting_for_callback) X(waiting_for_tool_result)                 \
  X(waiting_for_children) X(waiting_for_budget) X(waiting_for_quota) X(waiting_for_capable_worker)                 \
  X(waiting_for_locality_match) X(paused_by_operator) X(paused_by_policy) X(paused_by_flow_cancel)
#define FF_WORDS_terminal_outcome(X) X(none) X(success) X(failed) X(cancelled) X(expired) X(skipped)
#define FF_WORDS_attempt_state(X)                                                                                  \
  X(none) X(pending_first_attempt) X(running_attempt) X(attempt_interrupted) X(pending_retry_attempt)              \
  X(pending_replay_attempt) X(attempt_terminal)
#define FF_WORDS_public_state(X)                                                                                   \
  X(waiting) X(delayed) X(rate_limited) X(waiting_children) X(active) X(suspended) X(resumable) X(completed)       \
  X(failed) X(cancelled) X(expired) X(skipped)
#define FF_WORDS_attempt_lifecycle(X)                                                                              \
  X(none) X(created) X(started) X(suspended) X(ended_success) X(ended_failure) X(ended_cancelled)                  \
  X(interrupted_reclaimed)
#define FF_WORDS_attempt_type(X) X(none) X(initial) X(retry) X(reclaim) X(replay) X(fallback)
#define FF_WORDS_lane_state(X) X(active) X(paused) X(draining) X(disabled)
#define FF_WORDS_failure_class(X) X(transient) X(permanent) X(infra_crash) X(timeout) X(cancelled)
#define FF_WORDS_handle_kind(X) X(none) X(fresh) X(resumed) X(suspended) X(reclaimed)
#define FF_WORDS_backend(X) X(none) X(valkey) X(postgres) X(sqlite) X(memory)
#define FF_WORDS_grant_kind(X) X(none) X(claim) X(reclaim)
#define FF_WORDS_expire_phase(X) X(attempt_timeout) X(execution_deadline)
/* What one event says about a lease (01 RC-4); none when the event has no lease part. */
#define FF_WORDS_lease_event(X)                                                                                    \
  X(none) X(acquired) X(renewed) X(released) X(expired) X(revoked) X(reclaimed) X(replay_initiated)
#define FF_WORDS_operator_event(X) X(none) X(priority_changed) X(replayed) X(flow_cancel_requested)
#define FF_WORDS_revoked_by(X) X(none) X(backend) X(operator) X(reconciler)
/* The operation that released a lease, remembered to answer its repeat (02 L-40). */
#define FF_WORDS_receipt_op(X) X(none) X(complete) X(fail) X(cancel) X(delay) X(wait_children)
/* Why an attempt's stream ended (05 A.7); what a frame is, and how it is kept (05 A.2). */
#define FF_WORDS_stream_close(X)                                                                                   \
  X(none) X(attempt_success) X(attempt_failure) X(attempt_cancelled) X(expired) X(lease_expired) X(lease_revoked)  \
  X(reclaimed) X(suspension_timeout) X(dependency_impossible)
#define FF_WORDS_frame_kind(X) X(event) X(stdout) X(stderr) X(blob)
#define FF_WORDS_frame_mode(X) X(durable) X(summary) X(best_effort)
#define FF_WORDS_tail_visibility(X) X(all) X(exclude_best_effort)
/* Waitpoints and signals (03 §2): what ended a suspension; what a signal did; what its event says in short. */
#define FF_WORDS_waitpoint_state(X) X(pending) X(active) X(closed)
#define FF_WORDS_resume_trigger(X) X(none) X(signal) X(operator) X(auto_resume) X(timeout)
#define FF_WORDS_signal_effect(X)                                                                                  \
  X(none) X(resume_condition_satisfied) X(appended_to_waitpoint) X(appended_to_waitpoint_duplicate) X(no_op)       \
  X(signal_ignored_not_in_condition) X(signal_ignored_matcher_failed) X(buffered_for_pending_waitpoint)            \
  X(timeout_auto_resume) X(duplicate)
/* What a waitpoint of the older suspend form waits for. */
#define FF_WORDS_waitpoint_kind(X) X(signal_name) X(correlation_id) X(external)
#define FF_WORDS_signal_delivery(X) X(none) X(satisfied) X(buffered) X(deduped)
/* What happened to the registration of a worker (06 WR-12). */
#define FF_WORDS_worker_event(X) X(none) X(registered) X(heartbeat) X(marked_dead) X(ttl_swept)
/* Flows (04): the stored state of a flow and the one it shows; how it was cancelled, weakest first. */
#define FF_WORDS_flow_state(X) X(open) X(cancelled)
#define FF_WORDS_flow_public_state(X) X(none) X(open) X(running) X(blocked) X(completed) X(failed) X(cancelled)
#define FF_WORDS_flow_status(X) X(unknown) X(active) X(completed) X(failed) X(cancelled)
#define FF_WORDS_flow_wait(X) X(no_wait) X(wait_timeout) X(wait_indefinite)
#define FF_WORDS_flow_cancel_policy(X) X(none) X(flow_only) X(cancel_pending) X(cancel_all)
/* Dependencies: what an edge needs and how it ended; when a group of edges is satisfied, what becomes of the upstreams
 * it no longer needs, and how the group stands. */
#define FF_WORDS_dependency_kind(X) X(success_only)
#define FF_WORDS_satisfaction_condition(X) X(all_required)
#define FF_WORDS_edge_resolution(X) X(none) X(unsatisfied) X(satisfied) X(impossible)
#define FF_WORDS_edge_state(X) X(pending) X(applied) X(satisfied) X(impossible)
#define FF_WORDS_edge_policy(X) X(all_of) X(any_of) X(quorum)
#define FF_WORDS_on_satisfied(X) X(none) X(cancel_remaining) X(let_run)
#define FF_WORDS_edge_group_state(X) X(pending) X(satisfied) X(impossible) X(cancelled)
/* What evaluate_flow_eligibility says of an execution. */
#define FF_WORDS_flow_eligibility(X)                                                                               \
  X(not_found) X(not_runnable) X(owned) X(terminal) X(eligible) X(impossible) X(blocked_by_dependencies)
#define FF_WORDS_sibling_cancel_reason(X) X(none) X(sibling_quorum_satisfied) X(sibling_quorum_impossible)
/* What why answers: who or what an execution waits for. */
#define FF_WORDS_why_reason(X)                                                                                     \
  X(none) X(ended) X(running) X(lease_lost) X(granted) X(claimable) X(behind_others) X(lane_closed) X(delayed)     \
  X(retry_backoff) X(suspended) X(dependencies) X(budget) X(quota) X(capability) X(held)
/* What a successful call answers; each operation documents the few it can give. */
#define FF_WORDS_outcome(X)                                                                                        \
  X(none) X(ok) X(created) X(duplicate) X(claimed) X(completed) X(retry_scheduled) X(terminal_failed)              \
  X(cancelled) X(delayed) X(moved) X(revoked) X(already_satisfied) X(granted) X(no_work) X(not_reclaimable)        \
  X(reclaim_cap_exceeded) X(grant_not_found) X(reclaimed) X(not_due) X(marked_expired) X(expired)                  \
  X(already_terminal) X(not_found) X(promoted) X(not_yet_due) X(cleaned) X(blocked) X(rejected) X(unblocked)       \
  X(held) X(already_held) X(released) X(set) X(already_set) X(changed) X(replayed) X(renewed) X(updated)           \
  X(registered) X(already_registered) X(purged) X(applied) X(refused) X(timed_out)                                 \
  X(suspended) X(accepted) X(closed) X(already_closed) X(seeded) X(already_seeded) X(rotated) X(noop) X(resumed)   \
  X(refreshed) X(not_registered) X(marked)                                                                         \
  X(added) X(already_member) X(staged) X(already_applied) X(satisfied) X(impossible) X(already_resolved)           \
  X(sremmed_stale) X(completed_drain) X(no_op) X(soft_breach) X(hard_breach) X(reset)                               \
  X(cancellation_scheduled) X(partially_cancelled)

#define FF_WORD_ENUMS(X) \
  X(lifecycle_phase) \
  X(ownership_state) \
  X(eligibility_state) \
  X(blocking_reason) \
  X(terminal_outcome) \
  X(attempt_state) \
  X(public_state) \
  X(attempt_lifecycle) \
  X(attempt_type) \
  X(lane_state) \
  X(failure_class) \
  X(handle_kind) \
  X(backend) \
  X(grant_kind) \
  X(expire_phase) \
  X(lease_event) \
  X(operator_event) \
  X(revoked_by) \
  X(receipt_op) \
  X(stream_close) \
  X(frame_kind) \
  X(frame_mode) \
  X(tail_visibility) \
  X(waitpoint_state) \
  X(resume_trigger) \
  X(signal_effect) \
  X(signal_delivery) \
  X(waitpoint_kind) \
  X(worker_event) \
  X(flow_state) \
  X(flow_public_state) \
  X(flow_status) \
  X(flow_wait) \
  X(flow_cancel_policy) \
  X(dependency_kind) \
  X(satisfaction_condition) \
  X(edge_resolution) \
  X(edge_state) \
  X(edge_policy) \
  X(on_satisfied) \
  X(edge_group_state) \
  X(flow_eligibility) \
  X(sibling_cancel_reason) \
  X(why_reason) \
  X(outcome)

/* enum ff_lifecycle_phase { FF_lifecycle_phase_submitted, … , FF_lifecycle_phase_COUNT } and so on for each. */
#define FF_WORD_VALUE_lifecycle_phase(w) FF_lifecycle_phase_##w,
#define FF_WORD_VALUE_ownership_state(w) FF_ownership_state_##w,
#define FF_WORD_VALUE_eligibility_state(w) FF_eligibility_state_##w,
#define FF_WORD_VALUE_blocking_reason(w) FF_blocking_reason_##w,
#define FF_WORD_VALUE_terminal_outcome(w) FF_terminal_outcome_##w,
#define FF_WORD_VALUE_attempt_state(w) FF_attempt_state_##w,
#define FF_WORD_VALUE_public_state(w) FF_public_state_##w,
#define FF_WORD_VALUE_attempt_lifecycle(w) FF_attempt_lifecycle_##w,
#define FF_WORD_VALUE_attempt_type(w) FF_attempt_type_##w,
#define FF_WORD_VALUE_lane_state(w) FF_lane_state_##w,
#define FF_WORD_VALUE_failure_class(w) FF_failure_class_##w,
#define FF_WORD_VALUE_handle_kind(w) FF_handle_kind_##w,
#define FF_WORD_VALUE_backend(w) FF_backend_##w,
#define FF_WORD_VALUE_grant_kind(w) FF_grant_kind_##w,
#define FF_WORD_VALUE_expire_phase(w) FF_expire_phase_##w,
#define FF_WORD_VALUE_lease_event(w) FF_lease_event_##w,
#define FF_WORD_VALUE_operator_event(w) FF_operator_event_##w,
#define FF_WORD_VALUE_revoked_by(w) FF_revoked_by_##w,
#define FF_WORD_VALUE_receipt_op(w) FF_receipt_op_##w,
#define FF_WORD_VALUE_stream_close(w) FF_stream_close_##w,
#define FF_WORD_VALUE_frame_kind(w) FF_frame_kind_##w,
#define FF_WORD_VALUE_frame_mode(w) FF_frame_mode_##w,
#define FF_WORD_VALUE_tail_visibility(w) FF_tail_visibility_##w,
#define FF_WORD_VALUE_waitpoint_state(w) FF_waitpoint_state_##w,
#define FF_WORD_VALUE_resume_trigger(w) FF_resume_trigger_##w,
#define FF_WORD_VALUE_signal_effect(w) FF_signal_effect_##w,
#define FF_WORD_VALUE_signal_delivery(w) FF_signal_delivery_##w,
#define FF_WORD_VALUE_waitpoint_kind(w) FF_waitpoint_kind_##w,
#define FF_WORD_VALUE_worker_event(w) FF_worker_event_##w,
#define FF_WORD_VALUE_flow_state(w) FF_flow_state_##w,
#define FF_WORD_VALUE_flow_public_state(w) FF_flow_public_state_##w,
#define FF_WORD_VALUE_flow_status(w) FF_flow_status_##w,
#define FF_WORD_VALUE_flow_wait(w) FF_flow_wait_##w,
#define FF_WORD_VALUE_flow_cancel_policy(w) FF_flow_cancel_policy_##w,
#define FF_WORD_VALUE_dependency_kind(w) FF_dependency_kind_##w,
#define FF_WORD_VALUE_satisfaction_condition(w) FF_satisfaction_condition_##w,
#define FF_WORD_VALUE_edge_resolution(w) FF_edge_resolution_##w,
#define FF_WORD_VALUE_edge_state(w) FF_edge_state_##w,
#define FF_WORD_VALUE_edge_policy(w) FF_edge_policy_##w,
#define FF_WORD_VALUE_on_satisfied(w) FF_on_satisfied_##w,
#define FF_WORD_VALUE_edge_group_state(w) FF_edge_group_state_##w,
#define FF_WORD_VALUE_flow_eligibility(w) FF_flow_eligibility_##w,
#define FF_WORD_VALUE_sibling_cancel_reason(w) FF_sibling_cancel_reason_##w,
#define FF_WORD_VALUE_why_reason(w) FF_why_reason_##w,
#define FF_WORD_VALUE_outcome(w) FF_outcome_##w,
#define FF_WORD_ENUM(e) enum ff_##e { FF_WORDS_##e(FF_WORD_VALUE_##e) FF_##e##_COUNT };
FF_WORD_ENUMS(FF_WORD_ENUM)

enum ff_word_enum {
#define FF_WORD_ENUM_ID(e) FF_WORD_##e,
  FF_WORD_ENUMS(FF_WORD_ENUM_ID)
#undef FF_WORD_ENUM_ID
  FF_WORD_ENUM_COUNT
};

/* The word of a value: ff_word(FF_WORD_public_state, FF_public_state_waiting) = "waiting"; NULL when out of range. */
FF_API const char *ff_word(enum ff_word_enum which, int value);
/* The value of a word, -1 when it is none of the enumeration. */
FF_API int ff_word_parse(enum ff_word_enum which, struct ff_str text);

#ifdef __cplusplus
}
#endif
#endif
