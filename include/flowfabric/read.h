/*
 * Reading executions, their attempts, events and tags; waiting for one to end (spec 02 §15-§18, 00
 * §2.2, §2.9).
 *
 * Reads never write and never mark anything. A missing execution is outcome none unless the
 * operation says otherwise.
 */
#ifndef FLOWFABRIC_READ_H
#define FLOWFABRIC_READ_H

#include "flowfabric/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A summary of one execution, as listings and describe give it (01 RC-31, RC-32). */
struct ff_execution {
  struct ff_id execution_id;
  uint64_t version; /* counts the operations on it; wait_execution takes it */
  struct ff_str namespace_, lane_id, execution_kind, creator_identity;
  int32_t priority;
  uint8_t lifecycle_phase, ownership_state, eligibility_state, blocking_reason, terminal_outcome,
      attempt_state, public_state;
  struct ff_str blocking_detail;
  struct ff_str required_capabilities; /* sorted CSV */
  struct ff_id flow_id;
  struct ff_id current_attempt_id; /* "" = none */
  uint32_t current_attempt_index;  /* 0 before the first claim */
  uint32_t total_attempt_count, retry_count, replay_count, lease_reclaim_count;
  uint64_t current_lease_epoch;
  bool leased; /* the next four count only then (02 L-161) */
  struct ff_id lease_id;
  struct ff_str worker_id, worker_instance_id;
  int64_t lease_expires_at, lease_last_renewed_at;
  int64_t created_at, started_at, completed_at, last_transition_at, last_mutation_at, delay_until,
      execution_deadline_at;
  struct ff_str failure_reason, failure_category, cancellation_reason, cancelled_by;
  bool has_progress;
  uint32_t progress_percent;
  struct ff_str progress_message;
  int64_t progress_updated_at;
  struct ff_pairs tags; /* sorted */
  struct ff_id current_suspension_id, current_waitpoint_id; /* "" unless suspended */
};
struct ff_executions {
  const struct ff_execution *items;
  size_t count;
};

/* 02 L-160, L-161. outcome: ok, none. */
struct ff_describe_execution_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_describe_execution_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_execution execution;
};
FF_OPERATION(describe_execution);

/* 02 L-162. outcome: ok, none. */
struct ff_read_execution_state_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_read_execution_state_result {
  struct ff_memory *memory;
  uint8_t outcome;
  uint8_t public_state;
};
FF_OPERATION(read_execution_state);

/* 02 L-162, 01 RC-31: the three times are decimal text. outcome: ok, none. */
struct ff_read_execution_info_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_read_execution_info_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
  struct ff_str namespace_, lane_id, execution_kind;
  int32_t priority;
  uint8_t lifecycle_phase, ownership_state, eligibility_state, blocking_reason, terminal_outcome,
      attempt_state, public_state;
  struct ff_str created_at, started_at, completed_at;
  uint32_t current_attempt_index;
  struct ff_id flow_id;
  struct ff_str blocking_detail;
};
FF_OPERATION(read_execution_info);

/* 02 L-164. Missing: invalid_input `read_execution_context: execution not found: <id>`. */
struct ff_read_execution_context_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_read_execution_context_result {
  struct ff_memory *memory;
  struct ff_bytes input_payload;
  struct ff_str payload_encoding, execution_kind;
  struct ff_pairs tags;
};
FF_OPERATION(read_execution_context);

/* 02 L-165. Missing: invalid_input naming the operation. */
struct ff_read_current_attempt_index_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_read_current_attempt_index_result {
  struct ff_memory *memory;
  uint32_t index;
};
FF_OPERATION(read_current_attempt_index);

/* 02 L-165. Missing: invalid_input naming the operation. */
struct ff_read_total_attempt_count_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_read_total_attempt_count_result {
  struct ff_memory *memory;
  uint32_t count;
};
FF_OPERATION(read_total_attempt_count);

/* One attempt (01 RC-2). previous_attempt_index counts only with has_previous. */
struct ff_attempt {
  uint32_t attempt_index;
  struct ff_id attempt_id;
  uint8_t attempt_type;
  uint8_t attempt_state; /* enum ff_attempt_lifecycle */
  int64_t created_at, started_at, ended_at, suspended_at, resumed_at;
  struct ff_str suspension_id;
  struct ff_id lease_id;
  uint64_t lease_epoch;
  struct ff_str worker_id, worker_instance_id;
  struct ff_str retry_reason, reclaim_reason, replay_reason, replay_requested_by;
  bool has_previous;
  uint32_t previous_attempt_index;
  struct ff_str failure_reason, failure_category;
};
struct ff_attempts {
  const struct ff_attempt *items;
  size_t count;
};
/* Every attempt in index order (01 RC-2). outcome: ok, none. */
struct ff_list_attempts_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_list_attempts_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_attempts attempts;
};
FF_OPERATION(list_attempts);

/* 02 L-166. outcome: ok (payload, possibly empty), none. */
struct ff_get_execution_result_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_get_execution_result_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_bytes payload;
  struct ff_str encoding;
};
FF_OPERATION(get_execution_result);

/* 02 L-167: the named scalar fields as text; a name without a value is left out. Errors:
 * invalid_input `partition mismatch`. */
struct ff_read_exec_core_fields_args {
  uint32_t size;
  struct ff_str partition, execution_id;
  struct ff_strs names;
};
struct ff_read_exec_core_fields_result {
  struct ff_memory *memory;
  struct ff_pairs fields;
};
FF_OPERATION(read_exec_core_fields);

/* 02 L-168. outcome: ok, none. */
struct ff_get_execution_namespace_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_get_execution_namespace_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_str namespace_;
};
FF_OPERATION(get_execution_namespace);

/* The executions of one partition in id order (02 L-175). limit 0 gives an empty page, above 1,000
 * acts as 1,000; next_cursor "" = last page. */
struct ff_list_executions_args {
  uint32_t size;
  struct ff_str partition; /* `{fp:N}` */
  struct ff_str cursor;    /* the last id of the page before; absent = from the start */
  uint32_t limit;
};
struct ff_list_executions_result {
  struct ff_memory *memory;
  struct ff_executions executions;
  struct ff_str next_cursor;
};
FF_OPERATION(list_executions);

/* Executions by filter, in creation order (00 §2.9). Absent members do not filter. Examines at most
 * 10,000 executions a call, so a page may be short or empty although next_cursor is set. limit 0 =
 * 50, above 1,000 acts as 1,000. Errors: invalid_input (foreign cursor). */
struct ff_query_executions_args {
  uint32_t size;
  struct ff_str namespace_, lane_id, execution_kind;
  struct ff_str public_state; /* a word; comma-separated for several */
  struct ff_str tag_key, tag_value;
  struct ff_str flow_id;
  int64_t created_from, created_to; /* [from, to) */
  int64_t ended_from, ended_to;
  struct ff_str cursor;
  uint32_t limit;
};
struct ff_query_executions_result {
  struct ff_memory *memory;
  struct ff_executions executions;
  struct ff_str next_cursor;
};
FF_OPERATION(query_executions);

/* Waits until the execution is terminal, or (until_change) its version differs from after_version
 * (00 §2.9). Answers at once when it already is. timeout_ms at most 3,600,000. outcome: ok, none
 * (does not exist), timed_out (execution as it is). */
struct ff_wait_execution_args {
  uint32_t size;
  struct ff_str execution_id;
  uint64_t timeout_ms;
  bool until_change;
  uint64_t after_version;
};
struct ff_wait_execution_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_execution execution;
};
FF_OPERATION(wait_execution);

/* One event of an execution: what one operation did to it (01 RC-4, RC-20). */
struct ff_event {
  uint64_t event_id;
  int64_t at;
  struct ff_id execution_id;
  struct ff_str namespace_;
  uint8_t lease_event;    /* enum ff_lease_event, none = no lease part */
  uint8_t completion;     /* enum ff_terminal_outcome, none = no completion part */
  uint8_t operator_event; /* enum ff_operator_event */
  uint8_t revoked_by;
  struct ff_id lease_id;
  uint64_t lease_epoch;
  struct ff_id attempt_id;
  uint32_t attempt_index;
  struct ff_str worker_id, worker_instance_id, reason;
  int64_t expires_at;
  struct ff_str tag_key, tag_value; /* tag attached */
  struct ff_str details;            /* JSON */
  uint8_t signal_delivery;          /* enum ff_signal_delivery, none = no signal part (05 B.6) */
  uint8_t observed_effect;          /* enum ff_signal_effect: what exactly the signal did */
  struct ff_id signal_id, waitpoint_id;
  struct ff_str source_identity; /* of the signal; absent when empty */
};
struct ff_events {
  const struct ff_event *items;
  size_t count;
};
/* The events of an execution in order, strictly after event id `after` (00 §2.9). limit 0 = 100, at
 * most 1,000. outcome: ok, none. */
struct ff_list_events_args {
  uint32_t size;
  struct ff_str execution_id;
  uint64_t after;
  uint32_t limit;
};
struct ff_list_events_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_events events;
  bool more;
};
FF_OPERATION(list_events);

/* ---------------------------------------------------------------- tags (02 §16)
 * Keys match ^[a-z][a-z0-9_]*\.[a-z0-9_][a-z0-9_.]*$ , also for get: invalid_input `invalid tag
 * key: …`. */

/* outcome ok. Errors: execution_not_found, invalid_input. */
struct ff_set_execution_tag_args {
  uint32_t size;
  struct ff_str execution_id, key, value;
};
struct ff_set_execution_tag_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(set_execution_tag);

/* All or nothing (02 L-173). count = how many tags were given. Errors: invalid_input (empty),
 * execution_not_found, invalid_tag_key. */
struct ff_set_execution_tags_args {
  uint32_t size;
  struct ff_str execution_id;
  struct ff_pairs tags;
};
struct ff_set_execution_tags_result {
  struct ff_memory *memory;
  uint32_t count;
};
FF_OPERATION(set_execution_tags);

/* outcome: ok, none (no such tag or execution). */
struct ff_get_execution_tag_args {
  uint32_t size;
  struct ff_str execution_id, key;
};
struct ff_get_execution_tag_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_str value;
};
FF_OPERATION(get_execution_tag);

/* outcome: ok, none. */
struct ff_get_execution_tags_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_get_execution_tags_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_pairs tags;
};
FF_OPERATION(get_execution_tags);

#ifdef __cplusplus
}
#endif
#endif
