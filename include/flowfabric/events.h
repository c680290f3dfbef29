/*
 * Subscriptions: what happens to all executions of a deployment, as resumable sequences of events
 * in the order of their commits (spec 05 part B).
 *
 * A subscription is a cursor and nothing else: each call answers the events behind it and the
 * cursor to go on with. Keep the cursor where you keep your own data and no event is missed,
 * whatever dies in between; after a crash the events behind the kept cursor come again (SU-4). Any
 * number of readers in any process may follow; none holds anything, none slows a writer (SU-6).
 */
#ifndef FLOWFABRIC_EVENTS_H
#define FLOWFABRIC_EVENTS_H

#include "flowfabric/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whose events are wanted: every part that is present equals exactly, byte by byte, what the
 * execution had when the event was committed (05 B.8). ptr NULL = absent; an empty text is a value
 * like any other. tag_key and tag_value only together. */
struct ff_event_filter {
  struct ff_str namespace_;
  struct ff_str tag_key, tag_value;
};

/*
 * All subscriptions take the same arguments:
 *
 *   cursor       of an earlier answer or event: goes on strictly behind it. Absent = from now on: what
 *                commits after the call began is delivered (SU-10). At most 16,384 bytes. Belongs to
 *                this deployment's store; another's is invalid_input (SU-13). It serves all
 *                subscriptions alike.
 *   from_start   without a cursor: from the oldest event that is kept
 *   filter       may be another one from call to call (SU-78)
 *   limit        events in the answer at most; 0 = 256, at most 1,024
 *   max_wait_ms  how long the call waits for the first event; 0 = not at all, at most 3,600,000
 *
 * and answer besides the events:
 *
 *   next_cursor  behind everything that was looked at, also what the filter left out: the cursor of
 *                the next call. Each event has its own as well.
 *   dropped      retention has removed events between `cursor` and the first one here: what was
 *                derived from events must be read anew (SU-17). Does not end anything.
 *
 * No events = none came in time. Errors: invalid_input (cursor, from_start, filter, limit,
 * max_wait_ms), transport (the store failed: call again with the same cursor), unavailable (the
 * engine is closing). Thread rule as of every operation; a call that waits in its _async form costs
 * no thread.
 */

/* What became of leases. Kinds: acquired, renewed, expired, reclaimed, revoked (05 B.4). */
struct ff_lease_history_event {
  struct ff_bytes cursor; /* goes on behind this event */
  struct ff_id execution_id;
  int64_t at;
  uint8_t kind;                      /* enum ff_lease_event */
  struct ff_id lease_id;             /* not of reclaimed */
  struct ff_str worker_instance_id;  /* of acquired, renewed */
  struct ff_str prev_owner;          /* of expired: the worker instance that lost it */
  struct ff_id new_lease_id;         /* of reclaimed */
  struct ff_str new_owner;           /* of reclaimed: a worker instance */
  uint8_t revoked_by;                /* of revoked: enum ff_revoked_by; backend = by its own holder's call */
  struct ff_str reason;              /* of revoked */
};
struct ff_lease_history_events {
  const struct ff_lease_history_event *items;
  size_t count;
};
struct ff_subscribe_lease_history_args {
  uint32_t size;
  struct ff_bytes cursor;
  bool from_start;
  struct ff_event_filter filter;
  uint32_t limit;
  uint64_t max_wait_ms;
};
struct ff_subscribe_lease_history_result {
  struct ff_memory *memory;
  struct ff_lease_history_events events;
  struct ff_bytes next_cursor;
  bool dropped;
};
FF_OPERATION(subscribe_lease_history);

/* An execution entered its terminal phase: one event each time, also after a replay (05 B.5). */
struct ff_completion_event {
  struct ff_bytes cursor;
  struct ff_id execution_id;
  int64_t at;            /* completed_at */
  uint8_t outcome;       /* enum ff_terminal_outcome: success, failed, cancelled, expired, skipped */
  struct ff_id flow_id;  /* "" = none */
};
struct ff_completion_events {
  const struct ff_completion_event *items;
  size_t count;
};
struct ff_subscribe_completion_args {
  uint32_t size;
  struct ff_bytes cursor;
  bool from_start;
  struct ff_event_filter filter;
  uint32_t limit;
  uint64_t max_wait_ms;
};
struct ff_subscribe_completion_result {
  struct ff_memory *memory;
  struct ff_completion_events events;
  struct ff_bytes next_cursor;
  bool dropped;
};
FF_OPERATION(subscribe_completion);

/* A signal was delivered: accepted, or seen before (05 B.6). */
struct ff_signal_delivery_event {
  struct ff_bytes cursor;
  struct ff_id execution_id;
  int64_t at;
  struct ff_id signal_id;        /* of the first delivery when it is a repeat */
  struct ff_id waitpoint_id;     /* "" = none */
  struct ff_str source_identity; /* as its sender declared it; absent when it did not */
  uint8_t effect;                /* enum ff_signal_delivery: satisfied, buffered, deduped */
  uint8_t observed_effect;       /* enum ff_signal_effect: the precise word */
};
struct ff_signal_delivery_events {
  const struct ff_signal_delivery_event *items;
  size_t count;
};
struct ff_subscribe_signal_delivery_args {
  uint32_t size;
  struct ff_bytes cursor;
  bool from_start;
  struct ff_event_filter filter;
  uint32_t limit;
  uint64_t max_wait_ms;
};
struct ff_subscribe_signal_delivery_result {
  struct ff_memory *memory;
  struct ff_signal_delivery_events events;
  struct ff_bytes next_cursor;
  bool dropped;
};
FF_OPERATION(subscribe_signal_delivery);

/* A tag of an execution was set or took another value (05 B.7). */
struct ff_instance_tag_event {
  struct ff_bytes cursor;
  struct ff_id execution_id;
  int64_t at;
  struct ff_str tag, value;
};
struct ff_instance_tag_events {
  const struct ff_instance_tag_event *items;
  size_t count;
};
struct ff_subscribe_instance_tags_args {
  uint32_t size;
  struct ff_bytes cursor;
  bool from_start;
  struct ff_event_filter filter;
  uint32_t limit;
  uint64_t max_wait_ms;
};
struct ff_subscribe_instance_tags_result {
  struct ff_memory *memory;
  struct ff_instance_tag_events events;
  struct ff_bytes next_cursor;
  bool dropped;
};
FF_OPERATION(subscribe_instance_tags);

#ifdef __cplusplus
}
#endif
#endif
