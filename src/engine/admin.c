/*
 * Process-local operations: what this instance is, how it is set, what its scanners and its
 * executor did.
 */
#include "engine/impl.h"

#include <stdio.h>

#define VERSION "0.1.0"

static struct ff_str number(struct arena *a, uint64_t n) {
  return arena_printf(a, "%llu", (unsigned long long)n);
}

static enum ff_rc give(enum op_id op, const void *view, void *result, struct arena *arena) {
  values_deep_copy(op_infos[op].result, view, result, (struct ff_memory **)result);
  arena_fini(arena);
  return FF_OK;
}

/* 01 CP-3: the flags in their order, true iff this build offers the operation of that name. */
static const char *const flags[] = {"cancel_execution",
                                    "change_priority",
                                    "replay_execution",
                                    "revoke_lease",
                                    "read_execution_state",
                                    "read_execution_info",
                                    "get_execution_result",
                                    "budget_admin",
                                    "quota_admin",
                                    "rotate_waitpoint_hmac_secret_all",
                                    "seed_waitpoint_hmac_secret",
                                    "list_pending_waitpoints",
                                    "cancel_flow_header",
                                    "cancel_flow_wait_timeout",
                                    "cancel_flow_wait_indefinite",
                                    "ack_cancel_member",
                                    "claim_for_worker",
                                    "issue_reclaim_grant",
                                    "prepare",
                                    "subscribe_lease_history",
                                    "subscribe_completion",
                                    "subscribe_signal_delivery",
                                    "subscribe_instance_tags",
                                    "stream_durable_summary",
                                    "stream_best_effort_live",
                                    "register_worker",
                                    "heartbeat_worker",
                                    "mark_worker_dead",
                                    "list_expired_leases",
                                    "list_workers",
                                    "release_admission",
                                    "read_quota_policy_limits",
                                    "block_execution_for_admission",
                                    "read_budget_usage_and_limits"};

/* Flags that are no operation are offered with one. */
static bool offered(const char *flag) {
  if (strncmp(flag, "stream_", 7) == 0) flag = "append_frame"; /* the modes it takes */
  for (int i = 0; i < OP_COUNT; i++)
    if (strcmp(op_infos[i].name, flag) == 0) return true;
  return false;
}

enum ff_rc capabilities_run(struct engine *e, const void *args, void *result,
                            struct ff_error *error) {
  (void)args, (void)error;
  struct ff_pair pairs[ARRAY_LEN(flags)];
  struct arena arena;
  arena_init(&arena);
  for (size_t i = 0; i < ARRAY_LEN(flags); i++)
    pairs[i] = (struct ff_pair){ff_text(flags[i]),
                                offered(flags[i]) ? TEXT_LIT("true") : TEXT_LIT("false")};
  struct ff_capabilities_result view = {
      .family = ff_text(ff_word(FF_WORD_backend, (int)e->config.backend)),
      .version = TEXT_LIT(VERSION),
      .stage = TEXT_LIT("E-shipped"),
      .supports = {pairs, ARRAY_LEN(flags)}};
  return give(OP_capabilities, &view, result, &arena);
}

enum ff_rc prepare_run(struct engine *e, const void *args, void *result, struct ff_error *error) {
  bool applied = false;
  (void)args;
  if (!e->seat_count)
    return error_set(error, FF_CODE_store_read_only, "the store was opened with mode=ro");
  TRY(e->store->vtable->migrate(e->store, &applied, error));
  struct arena arena;
  arena_init(&arena);
  struct ff_prepare_result view = {.outcome = applied ? FF_outcome_applied : FF_outcome_none};
  if (applied) view.description = TEXT_LIT("schema brought up to date");
  return give(OP_prepare, &view, result, &arena);
}

enum ff_rc read_config_run(struct engine *e, const void *args, void *result,
                           struct ff_error *error) {
  (void)args, (void)error;
  struct arena arena;
  arena_init(&arena);
  bool off = e->config.auto_reclaim_delay_ms == INT64_MAX;
  const struct ff_pair pairs[] = {
      {TEXT_LIT("auto_reclaim_delay_ms"),
       off ? TEXT_LIT("off") : number(&arena, (uint64_t)e->config.auto_reclaim_delay_ms)},
      {TEXT_LIT("backend"), ff_text(ff_word(FF_WORD_backend, (int)e->config.backend))},
      {TEXT_LIT("cascade_steps"), number(&arena, e->config.cascade_steps)},
      {TEXT_LIT("durability"), ff_text(e->store->traits.durability)},
      {TEXT_LIT("event_retention_ms"),
       number(&arena, (uint64_t)e->options.open.event_retention_ms)},
      {TEXT_LIT("lease_renewed_events"),
       e->config.lease_renewed_events ? TEXT_LIT("on") : TEXT_LIT("off")},
      {TEXT_LIT("max_payload_bytes"), number(&arena, e->config.max_input_payload_bytes)},
      {TEXT_LIT("max_stream_ops"), number(&arena, e->options.open.max_stream_ops)},
      {TEXT_LIT("num_budget_partitions"), number(&arena, e->config.budget_partitions)},
      {TEXT_LIT("num_flow_partitions"), number(&arena, e->config.flow_partitions)},
      {TEXT_LIT("num_quota_partitions"), number(&arena, e->config.quota_partitions)},
      {TEXT_LIT("retention_ms"), number(&arena, (uint64_t)e->config.retention_ms)},
      {TEXT_LIT("store_version"), ff_text(e->store->traits.version)},
      {TEXT_LIT("version"), TEXT_LIT(VERSION)}};
  struct ff_read_config_result view = {.config = {pairs, ARRAY_LEN(pairs)}};
  return give(OP_read_config, &view, result, &arena);
}

enum ff_rc list_scanners_run(struct engine *e, const void *args, void *result,
                             struct ff_error *error) {
  (void)args, (void)error;
  struct ff_scanner items[SCANNER_COUNT];
  struct arena arena;
  arena_init(&arena);
  for (int i = 0; i < SCANNER_COUNT; i++) {
    struct scanner_stats *s = &e->scanners[i];
    items[i] = (struct ff_scanner){.name = ff_text(scanner_names[i]),
                                   .interval_ms = scanner_intervals_ms[i],
                                   .cycles = s->cycles,
                                   .processed = s->processed,
                                   .errors = s->errors,
                                   .last_started_at = s->last_started_at};
  }
  struct ff_list_scanners_result view = {.scanners = {items, SCANNER_COUNT}};
  return give(OP_list_scanners, &view, result, &arena);
}

enum ff_rc run_scanner_run(struct engine *e, const void *args, void *result,
                           struct ff_error *error) {
  const struct ff_run_scanner_args *a = args;
  struct ff_run_scanner_result *out = result;
  bool all = !text_nonempty(a->name);
  int which = -1;
  if (!e->seat_count)
    return error_set(error, FF_CODE_store_read_only, "the store was opened with mode=ro");
  for (int i = 0; i < SCANNER_COUNT; i++)
    if (text_equal_c(a->name, scanner_names[i])) which = i;
  if (!all && which < 0)
    return error_field(error, FF_CODE_invalid_input, "name", "unknown scanner \"" TEXT_FMT "\"",
                       TEXT_ARG(a->name));
  bool unblock = which == SCANNER_UNBLOCK, cancels = which == SCANNER_CANCELS;
  bool sweep = which >= SCANNER_DEDUP && which <= SCANNER_WORKERS;
  bool due = !unblock && !cancels && !sweep;
  if (all || due) out->processed += scan_due(e, store_now(e), &out->errors);
  if (all || cancels) out->processed += scan_cancels(e, store_now(e), &out->errors);
  if (all || unblock) out->processed += scan_unblock(e, store_now(e), &out->errors);
  if (all || sweep) out->processed += scan_sweep(e, store_now(e), &out->errors);
  return FF_OK;
}

enum ff_rc engine_stats_run(struct engine *e, const void *args, void *result,
                            struct ff_error *error) {
  (void)args, (void)error;
  struct arena arena;
  arena_init(&arena);
  const struct ff_pair pairs[] = {{TEXT_LIT("batches"), number(&arena, e->batches)},
                                  {TEXT_LIT("conflicts"), number(&arena, e->conflicts)},
                                  {TEXT_LIT("operations"), number(&arena, e->operations)},
                                  {TEXT_LIT("reads"), number(&arena, e->reads)},
                                  {TEXT_LIT("reruns"), number(&arena, e->reruns)},
                                  {TEXT_LIT("rounds"), number(&arena, e->rounds)},
                                  {TEXT_LIT("unknown_commits"), number(&arena, e->unknowns)},
                                  {TEXT_LIT("unreadable_rows"),
                                   number(&arena, e->unreadable_rows)}};
  struct ff_engine_stats_result view = {.stats = {pairs, ARRAY_LEN(pairs)}};
  return give(OP_engine_stats, &view, result, &arena);
}
