/*
 * The worker registry and the leases that ran out (spec 06 E.2).
 *
 * Registration is not needed to claim (S-49): it says who is there, and frees work that was blocked
 * because nobody could do it.
 */
#ifndef FLOWFABRIC_WORKER_H
#define FLOWFABRIC_WORKER_H

#include "flowfabric/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A worker process (01 RC-17), live while last_heartbeat_ms + liveness_ttl_ms is ahead. */
struct ff_worker {
  struct ff_str namespace_; /* absent = the one without a name */
  struct ff_str worker_instance_id, worker_id;
  struct ff_strs lanes, capabilities; /* in byte order, each once */
  int64_t last_heartbeat_ms;
  uint64_t liveness_ttl_ms;
  int64_t registered_at_ms; /* since when it has been live without a break */
};
struct ff_workers {
  const struct ff_worker *items;
  size_t count;
};

/* Announces a worker process (WR-1 … WR-4). The same instance id in two namespaces is two workers;
 * namespace absent = the one without a name. outcome: registered (new, or it was no longer live),
 * refreshed (lanes, capabilities and ttl are replaced). Work blocked as waiting_for_capable_worker
 * that this worker can do becomes claimable within a second (WR-13). Errors: invalid_input (an id, a
 * lane, `instance_id reassigned`: live under another worker id), invalid_capabilities. */
struct ff_register_worker_args {
  uint32_t size;
  struct ff_str worker_id, worker_instance_id; /* 1..256 bytes, no white space */
  struct ff_strs lanes;                        /* at most 256 */
  struct ff_strs capabilities;
  uint64_t liveness_ttl_ms; /* 1..86,400,000 */
  struct ff_str namespace_;
};
struct ff_register_worker_result {
  struct ff_memory *memory;
  uint8_t outcome;
  int64_t next_expiry_ms; /* live until then unless it is heard of again */
};
FF_OPERATION(register_worker);

/* Says that a registered worker is still there (WR-5). outcome: refreshed (next_expiry_ms),
 * not_registered (unknown, or no longer live: register again). Errors: invalid_input. */
struct ff_heartbeat_worker_args {
  uint32_t size;
  struct ff_str worker_instance_id, namespace_;
};
struct ff_heartbeat_worker_result {
  struct ff_memory *memory;
  uint8_t outcome;
  int64_t next_expiry_ms;
};
FF_OPERATION(heartbeat_worker);

/* Removes a worker from the registry (WR-6, WR-7). Its leases and grants end by their own clocks.
 * outcome: marked, not_registered. Errors: invalid_input (reason longer than 256 bytes or with
 * control characters). */
struct ff_mark_worker_dead_args {
  uint32_t size;
  struct ff_str worker_instance_id, namespace_, reason;
};
struct ff_mark_worker_dead_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(mark_worker_dead);

/* The live workers of a namespace in the order of their instance ids; of all namespaces in the order
 * (namespace, instance id) when it is absent (WR-9). after: the cursor of the page before. limit 0 =
 * empty page, at most 1,000. cursor is set when the page is full, and when it is not because so many
 * dead ones were passed over. Errors: invalid_input. */
struct ff_list_workers_args {
  uint32_t size;
  struct ff_str namespace_, after;
  uint32_t limit;
};
struct ff_list_workers_result {
  struct ff_memory *memory;
  struct ff_workers workers;
  struct ff_str cursor;
};
FF_OPERATION(list_workers);

#ifdef __cplusplus
}
#endif
#endif
