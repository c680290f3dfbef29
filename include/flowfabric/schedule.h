/*
 * Grants, blocks, holds, lanes, and the engine's own administration (spec 06 parts C-E, 00
 * §2.6-§2.7).
 */
#ifndef FLOWFABRIC_SCHEDULE_H
#define FLOWFABRIC_SCHEDULE_H

#include "flowfabric/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ff_execution_ref {
  struct ff_id execution_id;
};
struct ff_execution_refs {
  const struct ff_execution_ref *items;
  size_t count;
};

/* Eligible, ungranted executions of a lane in a partition, in claim order (06 S-1, S-2, S-6). limit
 * 0 = empty, at most 1,000. */
struct ff_scan_eligible_executions_args {
  uint32_t size;
  struct ff_str lane_id;
  struct ff_str partition; /* `{fp:N}`; absent = all */
  uint32_t limit;
};
struct ff_scan_eligible_executions_result {
  struct ff_memory *memory;
  struct ff_execution_refs executions;
};
FF_OPERATION(scan_eligible_executions);

/* 06 D.2, S-10 … S-19. outcome granted. Errors: execution_not_found, execution_not_eligible,
 * grant_already_exists, execution_not_in_eligible_set, invalid_capabilities, capability_mismatch
 * (detail: missing CSV; stamps the diagnostic). */
struct ff_issue_claim_grant_args {
  uint32_t size;
  struct ff_str execution_id, lane_id, worker_id, worker_instance_id, capability_hash,
      route_snapshot_json, admission_summary;
  struct ff_strs worker_capabilities;
  uint64_t grant_ttl_ms; /* 1..60,000 */
};
struct ff_issue_claim_grant_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
  struct ff_str partition_key, grant_key;
  int64_t expires_at_ms;
};
FF_OPERATION(issue_claim_grant);

/* The claim cycle of a scheduler (06 D.4): grants the first eligible execution the worker covers.
 * outcome: granted, no_work. */
struct ff_claim_for_worker_args {
  uint32_t size;
  struct ff_str lane_id, worker_id, worker_instance_id;
  struct ff_strs worker_capabilities;
  uint64_t grant_ttl_ms;
};
struct ff_claim_for_worker_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
  struct ff_str partition_key, grant_key;
  int64_t expires_at_ms;
};
FF_OPERATION(claim_for_worker);

/* 06 D.3, S-20 … S-22. outcome: blocked, rejected (message: invalid_blocking_reason,
 * execution_not_found, execution_not_active, execution_not_eligible). */
struct ff_block_execution_for_admission_args {
  uint32_t size;
  struct ff_str execution_id, lane_id, reason, reason_detail; /* detail at most 1,024 bytes */
};
struct ff_block_execution_for_admission_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
  struct ff_str reason, message;
};
FF_OPERATION(block_execution_for_admission);

/* 02 L-152, L-153. outcome: blocked, rejected (message). */
struct ff_block_route_args {
  uint32_t size;
  struct ff_str execution_id, lane_id, reason_code, reason_detail;
};
struct ff_block_route_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
  struct ff_str message;
};
FF_OPERATION(block_route);

/* Lifts a budget, quota or route block (04 FU-1 … FU-5). outcome unblocked. Errors:
 * invalid_blocking_reason, execution_not_found, execution_not_eligible. */
struct ff_unblock_execution_args {
  uint32_t size;
  struct ff_str execution_id, expected_blocking_reason;
};
struct ff_unblock_execution_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(unblock_execution);

/* 06 S-26. reason absent = paused_by_operator. outcome: held, already_held. Errors:
 * invalid_blocking_reason, execution_not_found, execution_not_eligible. */
struct ff_place_hold_args {
  uint32_t size;
  struct ff_str execution_id, reason, reason_detail;
};
struct ff_place_hold_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
  struct ff_str reason;
};
FF_OPERATION(place_hold);

/* 06 S-25. outcome released. Errors: invalid_blocking_reason, execution_not_found,
 * execution_not_eligible. */
struct ff_release_hold_args {
  uint32_t size;
  struct ff_str execution_id, expected_blocking_reason; /* absent = whichever of the two is set */
};
struct ff_release_hold_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_id execution_id;
};
FF_OPERATION(release_hold);

struct ff_lane {
  struct ff_str lane_id;
  uint8_t state; /* enum ff_lane_state */
  int64_t registered_at_ms;
  struct ff_str registered_by;
};
struct ff_lanes {
  const struct ff_lane *items;
  size_t count;
};
/* Every lane ever seen, in byte order (06 LN-3). cursor exclusive; limit 0 = empty page, at most
 * 10,000; next_cursor "" = last page. */
struct ff_list_lanes_args {
  uint32_t size;
  struct ff_str cursor;
  uint32_t limit;
};
struct ff_list_lanes_result {
  struct ff_memory *memory;
  struct ff_lanes lanes;
  struct ff_str next_cursor;
};
FF_OPERATION(list_lanes);

/* outcome: ok, none. */
struct ff_describe_lane_args {
  uint32_t size;
  struct ff_str lane_id;
};
struct ff_describe_lane_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_lane lane;
};
FF_OPERATION(describe_lane);

/* 06 E.1. outcome: set (previous_state), already_set. Errors: lane_not_found, invalid_input
 * (unknown state word). */
struct ff_set_lane_state_args {
  uint32_t size;
  struct ff_str lane_id, state;
};
struct ff_set_lane_state_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_str lane_id;
  uint8_t state, previous_state;
};
FF_OPERATION(set_lane_state);

/* Adds a lane to the registry (06 LN-2); create_execution does it by itself. outcome: registered,
 * already_registered. */
struct ff_register_lane_args {
  uint32_t size;
  struct ff_str lane_id, registered_by;
  struct ff_str required_capabilities; /* a sorted CSV to remember as a requirement set of the lane;
                                          empty = none */
};
struct ff_register_lane_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(register_lane);

/* ---------------------------------------------------------------- administration */

/* A real round trip to the store (01 CP-6). */
struct ff_ping_args {
  uint32_t size;
};
struct ff_ping_result {
  struct ff_memory *memory;
  uint8_t outcome; /* ok */
};
FF_OPERATION(ping);

/* The store's clock (02 L-168). */
struct ff_server_time_ms_args {
  uint32_t size;
};
struct ff_server_time_ms_result {
  struct ff_memory *memory;
  int64_t now_ms;
};
FF_OPERATION(server_time_ms);

/* 01 CP-2 … CP-5: what this instance is and which flagged operations it offers, as name and "true"
 * or "false". No I/O. */
struct ff_capabilities_args {
  uint32_t size;
};
struct ff_capabilities_result {
  struct ff_memory *memory;
  struct ff_str family, version, stage;
  struct ff_pairs supports;
};
FF_OPERATION(capabilities);

/* Brings the schema up to date (01 CP-7); ff_open has done it already. outcome: applied, none. */
struct ff_prepare_args {
  uint32_t size;
};
struct ff_prepare_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_str description;
};
FF_OPERATION(prepare);

/* The deployment's fixed facts and this instance's settings as name and value (07 U-72). */
struct ff_read_config_args {
  uint32_t size;
};
struct ff_read_config_result {
  struct ff_memory *memory;
  struct ff_pairs config;
};
FF_OPERATION(read_config);

struct ff_scanner {
  struct ff_str name;
  uint64_t interval_ms; /* of the fallback sweep; due work does not wait for it */
  uint64_t cycles, processed, errors;
  int64_t last_started_at;
};
struct ff_scanners {
  const struct ff_scanner *items;
  size_t count;
};
/* The background scanners of this process and what they did (07 U-75, 06 BG-11). */
struct ff_list_scanners_args {
  uint32_t size;
};
struct ff_list_scanners_result {
  struct ff_memory *memory;
  struct ff_scanners scanners;
};
FF_OPERATION(list_scanners);

/* Runs one cycle of a scanner now, also in an engine without scanners. name empty = all. Errors:
 * invalid_input (unknown name). */
struct ff_run_scanner_args {
  uint32_t size;
  struct ff_str name;
};
struct ff_run_scanner_result {
  struct ff_memory *memory;
  uint32_t processed, errors;
};
FF_OPERATION(run_scanner);

/* Executor counters since ff_open, as name and value, for doctor, bench and tests: batches,
 * operations, rounds, re-runs, conflicts, unreadable_rows (stored rows that do not parse and were
 * passed over or refused: each is logged once) … */
struct ff_engine_stats_args {
  uint32_t size;
};
struct ff_engine_stats_result {
  struct ff_memory *memory;
  struct ff_pairs stats;
};
FF_OPERATION(engine_stats);

#ifdef __cplusplus
}
#endif
#endif
