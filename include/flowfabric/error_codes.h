/*
 * Every error code of the engine: X(name, family, class). The code text that APIs, scripts and metrics show is `name`.
 * One table; nothing else in the project spells a code. Values are positions and never change: append only (01 §8.2).
 */
#ifndef FLOWFABRIC_ERROR_CODES_H
#define FLOWFABRIC_ERROR_CODES_H

#define FF_ERROR_CODES(X)                                                      \
  X(execution_not_found, FF_NOT_FOUND, FF_CLASS_TERMINAL)                      \
  X(flow_not_found, FF_NOT_FOUND, FF_CLASS_TERMINAL)                           \
  X(attempt_not_found, FF_NOT_FOUND, FF_CLASS_TERMINAL)                        \
  X(budget_not_found, FF_NOT_FOUND, FF_CLASS_TERMINAL)                         \
  X(quota_policy_not_found, FF_NOT_FOUND, FF_CLASS_TERMINAL)                   \
  X(lane_not_found, FF_NOT_FOUND, FF_CLASS_TERMINAL)                           \
  X(invalid_input, FF_VALIDATION, FF_CLASS_TERMINAL)                           \
  X(invalid_capabilities, FF_VALIDATION, FF_CLASS_TERMINAL)                    \
  X(invalid_policy_json, FF_VALIDATION, FF_CLASS_TERMINAL)                     \
  X(payload_too_large, FF_VALIDATION, FF_CLASS_TERMINAL)                       \
  X(invalid_blocking_reason, FF_VALIDATION, FF_CLASS_TERMINAL)                 \
  X(invalid_tag_key, FF_VALIDATION, FF_CLASS_TERMINAL)                         \
  X(corruption, FF_VALIDATION, FF_CLASS_TERMINAL)                              \
  X(handle_from_other_backend, FF_VALIDATION, FF_CLASS_TERMINAL)               \
  X(capability_mismatch, FF_VALIDATION, FF_CLASS_RETRYABLE)                    \
  X(use_claim_resumed_execution, FF_CONTENTION, FF_CLASS_RETRYABLE)            \
  X(not_a_resumed_execution, FF_CONTENTION, FF_CLASS_RETRYABLE)                \
  X(execution_not_leaseable, FF_CONTENTION, FF_CLASS_RETRYABLE)                \
  X(lease_conflict, FF_CONTENTION, FF_CLASS_RETRYABLE)                         \
  X(invalid_claim_grant, FF_CONTENTION, FF_CLASS_RETRYABLE)                    \
  X(claim_grant_expired, FF_CONTENTION, FF_CLASS_RETRYABLE)                    \
  X(retry_exhausted, FF_CONTENTION, FF_CLASS_RETRYABLE)                        \
  X(execution_not_eligible, FF_CONTENTION, FF_CLASS_INFORMATIONAL)             \
  X(execution_not_in_eligible_set, FF_CONTENTION, FF_CLASS_INFORMATIONAL)      \
  X(execution_not_active, FF_CONTENTION, FF_CLASS_TERMINAL)                    \
  X(active_attempt_exists, FF_CONFLICT, FF_CLASS_BUG)                          \
  X(stale_lease, FF_STATE, FF_CLASS_TERMINAL)                                  \
  X(lease_expired, FF_STATE, FF_CLASS_TERMINAL)                                \
  X(lease_revoked, FF_STATE, FF_CLASS_TERMINAL)                                \
  X(execution_not_terminal, FF_STATE, FF_CLASS_TERMINAL)                       \
  X(max_replays_exhausted, FF_STATE, FF_CLASS_TERMINAL)                        \
  X(flow_already_terminal, FF_STATE, FF_CLASS_TERMINAL)                        \
  X(lane_not_accepting, FF_STATE, FF_CLASS_TERMINAL)                           \
  X(grant_already_exists, FF_STATE, FF_CLASS_INFORMATIONAL)                    \
  X(invariant_violation, FF_BUG, FF_CLASS_BUG)                                 \
  X(unavailable, FF_UNAVAILABLE, FF_CLASS_TERMINAL)                            \
  X(timeout, FF_TIMEOUT, FF_CLASS_TERMINAL)                                    \
  X(resource_exhausted, FF_RESOURCE_EXHAUSTED, FF_CLASS_RETRYABLE)             \
  X(transport, FF_TRANSPORT, FF_CLASS_RETRYABLE)                               \
  X(store_busy, FF_TRANSPORT, FF_CLASS_RETRYABLE)                              \
  X(store_full, FF_TRANSPORT, FF_CLASS_TERMINAL)                               \
  X(store_read_only, FF_TRANSPORT, FF_CLASS_TERMINAL)                          \
  X(schema_too_new, FF_TRANSPORT, FF_CLASS_TERMINAL)                           \
  X(requires_dev_mode, FF_CONFIG, FF_CLASS_TERMINAL)                           \
  X(config, FF_CONFIG, FF_CLASS_TERMINAL)                                      \
  X(no_memory, FF_NO_MEMORY, FF_CLASS_RETRYABLE)                               \
  X(stream_closed, FF_STATE, FF_CLASS_TERMINAL)                                \
  X(stale_owner_cannot_append, FF_STATE, FF_CLASS_TERMINAL)                    \
  X(retention_limit_exceeded, FF_VALIDATION, FF_CLASS_TERMINAL)                \
  X(waitpoint_not_found, FF_NOT_FOUND, FF_CLASS_TERMINAL)                      \
  X(signal_limit_exceeded, FF_VALIDATION, FF_CLASS_TERMINAL)                   \
  X(missing_token, FF_VALIDATION, FF_CLASS_TERMINAL)                           \
  X(invalid_token, FF_VALIDATION, FF_CLASS_TERMINAL)                           \
  X(token_expired, FF_VALIDATION, FF_CLASS_TERMINAL)                           \
  X(hmac_secret_not_initialized, FF_VALIDATION, FF_CLASS_TERMINAL)             \
  X(invalid_secret, FF_VALIDATION, FF_CLASS_TERMINAL)                          \
  X(waitpoint_not_token_bound, FF_VALIDATION, FF_CLASS_TERMINAL)               \
  X(invalid_waitpoint_for_execution, FF_VALIDATION, FF_CLASS_TERMINAL)         \
  X(invalid_kid, FF_VALIDATION, FF_CLASS_TERMINAL)                             \
  X(invalid_secret_hex, FF_VALIDATION, FF_CLASS_TERMINAL)                      \
  X(invalid_grace_ms, FF_VALIDATION, FF_CLASS_TERMINAL)                        \
  X(waitpoint_already_exists, FF_CONFLICT, FF_CLASS_INFORMATIONAL)             \
  X(rotation_conflict, FF_CONFLICT, FF_CLASS_TERMINAL)                         \
  X(already_suspended, FF_STATE, FF_CLASS_INFORMATIONAL)                       \
  X(execution_not_suspended, FF_STATE, FF_CLASS_INFORMATIONAL)                 \
  X(already_satisfied, FF_STATE, FF_CLASS_INFORMATIONAL)                       \
  X(waitpoint_closed, FF_STATE, FF_CLASS_INFORMATIONAL)                        \
  X(waitpoint_not_pending, FF_STATE, FF_CLASS_INFORMATIONAL)                   \
  X(pending_waitpoint_expired, FF_STATE, FF_CLASS_INFORMATIONAL)               \
  X(target_not_signalable, FF_STATE, FF_CLASS_TERMINAL)                        \
  X(unauthorized, FF_VALIDATION, FF_CLASS_TERMINAL)                            \
  X(execution_already_in_flow, FF_CONFLICT, FF_CLASS_TERMINAL)                 \
  X(execution_not_in_flow, FF_STATE, FF_CLASS_TERMINAL)                        \
  X(self_referencing_edge, FF_CONFLICT, FF_CLASS_TERMINAL)                     \
  X(stale_graph_revision, FF_CONTENTION, FF_CLASS_RETRYABLE)                   \
  X(cycle_detected, FF_CONFLICT, FF_CLASS_TERMINAL)                            \
  X(dependency_already_exists, FF_CONFLICT, FF_CLASS_TERMINAL)                 \
  X(edge_group_policy_fixed, FF_CONFLICT, FF_CLASS_TERMINAL)                   \
  X(invalid_dependency, FF_VALIDATION, FF_CLASS_TERMINAL)                      \
  X(not_runnable, FF_STATE, FF_CLASS_TERMINAL)                                 \
  X(terminal, FF_STATE, FF_CLASS_TERMINAL)                                     \
  X(not_blocked_by_deps, FF_STATE, FF_CLASS_INFORMATIONAL)                     \
  X(deps_not_satisfied, FF_STATE, FF_CLASS_INFORMATIONAL)

#endif
