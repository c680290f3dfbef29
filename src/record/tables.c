/*
 * The const tables made from records.def: fields per kind, kinds, indexes.
 *
 * Data only. Never add a row here: declare it in records.def.
 */
#include "record/record.h"

#include <stddef.h>

#define KEY FIELD_KEY
#define FIXED FIELD_FIXED
#define OPT FIELD_OPT
#define COLD FIELD_COLD
#define SECRET FIELD_SECRET

/* `namespace_` is spelled so only because C++ reserves the word; columns and dumps say `namespace`. */
#define COLUMN(name) (sizeof(#name) == 11 && (#name "          ")[9] == '_' ? "namespace" : #name)

#define WORDS_OF(words) WORDS_##words
#define WORDS_0 -1
#define WORDS_lifecycle_phase FF_WORD_lifecycle_phase
#define WORDS_ownership_state FF_WORD_ownership_state
#define WORDS_eligibility_state FF_WORD_eligibility_state
#define WORDS_blocking_reason FF_WORD_blocking_reason
#define WORDS_terminal_outcome FF_WORD_terminal_outcome
#define WORDS_attempt_state FF_WORD_attempt_state
#define WORDS_attempt_lifecycle FF_WORD_attempt_lifecycle
#define WORDS_attempt_type FF_WORD_attempt_type
#define WORDS_lane_state FF_WORD_lane_state
#define WORDS_grant_kind FF_WORD_grant_kind
#define WORDS_lease_event FF_WORD_lease_event
#define WORDS_operator_event FF_WORD_operator_event
#define WORDS_revoked_by FF_WORD_revoked_by
#define WORDS_receipt_op FF_WORD_receipt_op
#define WORDS_stream_close FF_WORD_stream_close
#define WORDS_frame_mode FF_WORD_frame_mode
#define WORDS_waitpoint_state FF_WORD_waitpoint_state
#define WORDS_resume_trigger FF_WORD_resume_trigger
#define WORDS_signal_effect FF_WORD_signal_effect
#define WORDS_signal_delivery FF_WORD_signal_delivery
#define WORDS_worker_event FF_WORD_worker_event
#define WORDS_flow_state FF_WORD_flow_state
#define WORDS_flow_cancel_policy FF_WORD_flow_cancel_policy
#define WORDS_flow_public_state FF_WORD_flow_public_state
#define WORDS_dependency_kind FF_WORD_dependency_kind
#define WORDS_satisfaction_condition FF_WORD_satisfaction_condition
#define WORDS_edge_resolution FF_WORD_edge_resolution
#define WORDS_edge_policy FF_WORD_edge_policy
#define WORDS_on_satisfied FF_WORD_on_satisfied
#define WORDS_edge_group_state FF_WORD_edge_group_state
#define WORDS_sibling_cancel_reason FF_WORD_sibling_cancel_reason
#define WORDS_outcome FF_WORD_outcome

/* The position of each field in its table: what index declarations point at. */
#define POSITION(kind, name) FIELD_AT_##kind##_##name
#define F_execution(type, name, flags, words) POSITION(execution, name),
#define F_attempt(type, name, flags, words) POSITION(attempt, name),
#define F_payload(type, name, flags, words) POSITION(payload, name),
#define F_result(type, name, flags, words) POSITION(result, name),
#define F_policy(type, name, flags, words) POSITION(policy, name),
#define F_grant(type, name, flags, words) POSITION(grant, name),
#define F_idempotency(type, name, flags, words) POSITION(idempotency, name),
#define F_lane(type, name, flags, words) POSITION(lane, name),
#define F_requirement_set(type, name, flags, words) POSITION(requirement_set, name),
#define F_setting(type, name, flags, words) POSITION(setting, name),
#define F_stream(type, name, flags, words) POSITION(stream, name),
#define F_frame(type, name, flags, words) POSITION(frame, name),
#define F_summary(type, name, flags, words) POSITION(summary, name),
#define F_suspension(type, name, flags, words) POSITION(suspension, name),
#define F_waitpoint(type, name, flags, words) POSITION(waitpoint, name),
#define F_signal(type, name, flags, words) POSITION(signal, name),
#define F_signal_dedup(type, name, flags, words) POSITION(signal_dedup, name),
#define F_suspend_replay(type, name, flags, words) POSITION(suspend_replay, name),
#define F_token_key(type, name, flags, words) POSITION(token_key, name),
#define F_worker(type, name, flags, words) POSITION(worker, name),
#define F_flow(type, name, flags, words) POSITION(flow, name),
#define F_flow_member(type, name, flags, words) POSITION(flow_member, name),
#define F_edge(type, name, flags, words) POSITION(edge, name),
#define F_edge_group(type, name, flags, words) POSITION(edge_group, name),
#define F_cascade_backlog(type, name, flags, words) POSITION(cascade_backlog, name),
#define F_pending_cancel_group(type, name, flags, words) POSITION(pending_cancel_group, name),
#define F_cancel_backlog(type, name, flags, words) POSITION(cancel_backlog, name),
#define F_pending_cancel(type, name, flags, words) POSITION(pending_cancel, name),
#define F_budget(type, name, flags, words) POSITION(budget, name),
#define F_budget_dedup(type, name, flags, words) POSITION(budget_dedup, name),
#define F_budget_ledger(type, name, flags, words) POSITION(budget_ledger, name),
#define F_event(type, name, flags, words) POSITION(event, name),
#define X(kind, tag) enum { RECORD_##kind(F_##kind) FIELD_COUNT_##kind };
RECORD_KINDS(X)
#undef X

#define ROW(record, type, name, flags, words) \
  {COLUMN(name), FIELD_##type, offsetof(struct record, name), (flags), WORDS_OF(words)},
#define R_execution(...) ROW(execution, __VA_ARGS__)
#define R_attempt(...) ROW(attempt, __VA_ARGS__)
#define R_payload(...) ROW(payload, __VA_ARGS__)
#define R_result(...) ROW(result, __VA_ARGS__)
#define R_policy(...) ROW(policy, __VA_ARGS__)
#define R_grant(...) ROW(grant, __VA_ARGS__)
#define R_idempotency(...) ROW(idempotency, __VA_ARGS__)
#define R_lane(...) ROW(lane, __VA_ARGS__)
#define R_requirement_set(...) ROW(requirement_set, __VA_ARGS__)
#define R_setting(...) ROW(setting, __VA_ARGS__)
#define R_stream(...) ROW(stream, __VA_ARGS__)
#define R_frame(...) ROW(frame, __VA_ARGS__)
#define R_summary(...) ROW(summary, __VA_ARGS__)
#define R_suspension(...) ROW(suspension, __VA_ARGS__)
#define R_waitpoint(...) ROW(waitpoint, __VA_ARGS__)
#define R_signal(...) ROW(signal, __VA_ARGS__)
#define R_signal_dedup(...) ROW(signal_dedup, __VA_ARGS__)
#define R_suspend_replay(...) ROW(suspend_replay, __VA_ARGS__)
#define R_token_key(...) ROW(token_key, __VA_ARGS__)
#define R_worker(...) ROW(worker, __VA_ARGS__)
#define R_flow(...) ROW(flow, __VA_ARGS__)
#define R_flow_member(...) ROW(flow_member, __VA_ARGS__)
#define R_edge(...) ROW(edge, __VA_ARGS__)
#define R_edge_group(...) ROW(edge_group, __VA_ARGS__)
#define R_cascade_backlog(...) ROW(cascade_backlog, __VA_ARGS__)
#define R_pending_cancel_group(...) ROW(pending_cancel_group, __VA_ARGS__)
#define R_cancel_backlog(...) ROW(cancel_backlog, __VA_ARGS__)
#define R_pending_cancel(...) ROW(pending_cancel, __VA_ARGS__)
#define R_budget(...) ROW(budget, __VA_ARGS__)
#define R_budget_dedup(...) ROW(budget_dedup, __VA_ARGS__)
#define R_budget_ledger(...) ROW(budget_ledger, __VA_ARGS__)
#define R_event(...) ROW(event, __VA_ARGS__)
#define X(kind, tag) static const struct field fields_##kind[] = {RECORD_##kind(R_##kind)};
RECORD_KINDS(X)
#undef X

#define KEY_BIT(type, name, flags, words) +(((flags) & FIELD_KEY) ? 1 : 0)
#define COLD_BIT(type, name, flags, words) | ((flags) & FIELD_COLD)
#define PARTITION_FP(kind) offsetof(struct kind, partition)
#define PARTITION_B(kind) offsetof(struct kind, partition)
#define PARTITION_Q(kind) offsetof(struct kind, partition)
#define PARTITION_LOG(kind) offsetof(struct kind, partition)
#define PARTITION_G(kind) 0
const struct record_info record_infos[RECORD_KIND_COUNT] = {
#define X(kind, tag_)                                                                                  \
  [RECORD_KIND_##kind] = {.name = #kind,                                                               \
                          .size = sizeof(struct kind),                                                 \
                          .field_count = FIELD_COUNT_##kind,                                           \
                          .key_count = 0 RECORD_##kind(KEY_BIT),                                       \
                          .tag = RECORD_TAG_##tag_,                                                    \
                          .has_cold = (0 RECORD_##kind(COLD_BIT)) != 0,                                \
                          .fields = fields_##kind,                                                     \
                          .partition_offset = PARTITION_##tag_(kind)},
    RECORD_KINDS(X)
#undef X
};

#define AT(kind, name) &fields_##kind[POSITION(kind, name)]
#define A(kind, name) {AT(kind, name), false}
#define D(kind, name) {AT(kind, name), true}
#define ALWAYS .when = INDEX_ALWAYS
#define PRIMARY .when = INDEX_PRIMARY
#define SET(kind, name) .when = INDEX_SET, .when_field = AT(kind, name)
#define EQ(kind, name, word) .when = INDEX_EQ, .when_field = AT(kind, name), .when_value = FF_##name##_##word
const struct index_info index_infos[INDEX_COUNT] = {
#define X(name_, kind_, when_, prefix_count_, ...)                                                     \
  [INDEX_##name_] = {.name = #name_,                                                                   \
                     .kind = RECORD_KIND_##kind_,                                                      \
                     when_,                                                                            \
                     .prefix_count = (prefix_count_),                                                  \
                     .part_count = ARRAY_LEN(((struct index_part[]){__VA_ARGS__})),                    \
                     .parts = {__VA_ARGS__}},
    RECORD_INDEXES(X)
#undef X
#define KEYS(kind) (0 RECORD_##kind(KEY_BIT))
#define WALK_PART(kind, i) {&fields_##kind[(i) < KEYS(kind) ? (i) : 0], false}
#define X(kind_, tag)                                                                                  \
  [INDEX_walk_##kind_] = {.name = "walk_" #kind_,                                                      \
                          .kind = RECORD_KIND_##kind_,                                                 \
                          PRIMARY,                                                                     \
                          .part_count = KEYS(kind_),                                                   \
                          .parts = {WALK_PART(kind_, 0), WALK_PART(kind_, 1), WALK_PART(kind_, 2),     \
                                    WALK_PART(kind_, 3), WALK_PART(kind_, 4), WALK_PART(kind_, 5),     \
                                    WALK_PART(kind_, 6)}},
    RECORD_KINDS(X)
#undef X
};
