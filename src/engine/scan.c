/*
 * Due-time work: one index, one loop (DESIGN §10, time). The names of the spec's scanners are
 * labels on what falls due.
 *
 * Every item is an operation of its own that re-checks its condition, so doing it twice or late is
 * harmless (06 BG-2, BG-3).
 */
#include "engine/impl.h"

#define SCAN_BATCH 256
#define SCAN_ROUNDS 20
#define PAUSE_MS 1000 /* before what failed is tried again */

const char *const scanner_names[SCANNER_COUNT] = {
    "delayed_promoter",   "lease_expiry",      "attempt_timeout",   "execution_deadline",
    "auto_reclaim",       "suspension_timeout", "pending_wp_expiry", "retention_trimmer",
    "dependency_reconciler", "edge_cancel_dispatcher",
    "dedup_sweep",        "outbox_trimmer",    "worker_registry_ttl_sweep", "unblock",
    "budget_reset",       "cancel_reconciler"};
/* Fallbacks (00 §4): due work is applied when it falls due, whatever these say. */
const uint32_t scanner_intervals_ms[SCANNER_COUNT] = {750,  1500,  2000,  5000, 1000,  2000, 5000,
                                                      60000, 15000, 1000, 60000, 60000, 60000,
                                                      5000,  15000, 15000};
static_assert(SCANNER_COUNT <= SCANNERS_MAX, "each has its figures");

static enum scanner_id scanner_of(enum due_kind kind) {
  switch (kind) {
    case DUE_PROMOTE: return SCANNER_PROMOTE;
    case DUE_LEASE_EXPIRY: return SCANNER_LEASE;
    case DUE_ATTEMPT_TIMEOUT: return SCANNER_TIMEOUT;
    case DUE_DEADLINE: return SCANNER_DEADLINE;
    case DUE_AUTO_RECLAIM: return SCANNER_RECLAIM;
    case DUE_SUSPENSION: return SCANNER_SUSPENSION;
    case DUE_WAITPOINT: return SCANNER_WAITPOINT;
    case DUE_RECHECK: return SCANNER_UNBLOCK;
    case DUE_PURGE:
    case DUE_STALE:
    case DUE_NONE: break;
  }
  return SCANNER_PURGE;
}

void scan_hint(struct engine *e, int64_t due_at) {
  int64_t seen = atomic_load(&e->next_due);
  while (due_at < seen && !atomic_compare_exchange_weak(&e->next_due, &seen, due_at)) {
  }
  if (due_at < seen && e->service_started) park_wake(&e->service_park, WAKE_LEAD);
}

int64_t scan_next(const struct engine *e) { return atomic_load(&e->next_due); }

static struct request *request_for(struct engine *e, struct call *call,
                                   const struct due_item *item) {
  struct arena *a = &call->arena;
  struct ff_id id;
  exec_id_format(item->execution, &id);
  struct ff_str text = arena_text(a, ff_text(id.text));
  if (item->kind == DUE_PROMOTE) {
    struct ff_promote_delayed_args *args = ARENA_NEW(a, struct ff_promote_delayed_args);
    *args = (struct ff_promote_delayed_args){sizeof *args, text};
    return call_request(e, call, OP_promote_delayed, args);
  }
  if (item->kind == DUE_LEASE_EXPIRY) {
    struct ff_mark_lease_expired_if_due_args *args =
        ARENA_NEW(a, struct ff_mark_lease_expired_if_due_args);
    *args = (struct ff_mark_lease_expired_if_due_args){sizeof *args, text};
    return call_request(e, call, OP_mark_lease_expired_if_due, args);
  }
  if (item->kind == DUE_AUTO_RECLAIM) {
    struct ff_auto_reclaim_args *args = ARENA_NEW(a, struct ff_auto_reclaim_args);
    *args = (struct ff_auto_reclaim_args){sizeof *args, text};
    return call_request(e, call, OP_auto_reclaim, args);
  }
  if (item->kind == DUE_PURGE) {
    struct purge_execution_args *args = ARENA_NEW(a, struct purge_execution_args);
    *args = (struct purge_execution_args){sizeof *args, item->execution, -1};
    return call_request(e, call, OP_purge_execution, args);
  }
  if (item->kind == DUE_SUSPENSION) {
    struct ff_expire_suspension_args *args = ARENA_NEW(a, struct ff_expire_suspension_args);
    *args = (struct ff_expire_suspension_args){sizeof *args, text};
    return call_request(e, call, OP_expire_suspension, args);
  }
  if (item->kind == DUE_WAITPOINT) {
    struct expire_waitpoints_args *args = ARENA_NEW(a, struct expire_waitpoints_args);
    *args = (struct expire_waitpoints_args){sizeof *args, item->execution};
    return call_request(e, call, OP_expire_waitpoints, args);
  }
  if (item->kind == DUE_RECHECK) {
    struct recheck_blocked_args *args = ARENA_NEW(a, struct recheck_blocked_args);
    *args = (struct recheck_blocked_args){sizeof *args, item->execution};
    return call_request(e, call, OP_recheck_blocked, args);
  }
  if (item->kind == DUE_STALE) {
    struct refresh_due_args *args = ARENA_NEW(a, struct refresh_due_args);
    *args = (struct refresh_due_args){sizeof *args, item->execution};
    return call_request(e, call, OP_refresh_due, args);
  }
  struct ff_expire_execution_args *args = ARENA_NEW(a, struct ff_expire_execution_args);
  *args = (struct ff_expire_execution_args){sizeof *args, text,
                                            item->kind == DUE_DEADLINE
                                                ? FF_expire_phase_execution_deadline
                                                : FF_expire_phase_attempt_timeout};
  return call_request(e, call, OP_expire_execution, args);
}

void scan_log_failure(const struct engine *e, enum scanner_id scanner,
                      const struct ff_error *error) {
  engine_log(e, FF_LOG_WARN, "%s: %s: %s", scanner_names[scanner], ff_code_name(error->code),
             error->detail);
}

/* A row that is spoiled stays so: it is said once, not every second. */
static void log_item(struct engine *e, const struct due_item *item, const struct ff_error *error) {
  struct ff_id id;
  uint64_t salt = hash_fnv1a64(item->execution.uuid.b, sizeof item->execution.uuid.b);
  if (error->code == FF_CODE_corruption && !unreadable_first(e, error, salt)) return;
  exec_id_format(item->execution, &id);
  engine_log(e, FF_LOG_WARN, "%s: %s: %s: %s", scanner_names[scanner_of(item->kind)], id.text,
             ff_code_name(error->code), error->detail);
}

static void apply_items(struct engine *e, const struct due_item *items, uint32_t count,
                        uint32_t *processed, uint32_t *errors) {
  struct call call = {.op = OP_run_scanner};
  struct ff_error error;
  arena_init(&call.arena);
  call.requests = ARENA_ARRAY(&call.arena, struct request, count);
  for (uint32_t i = 0; i < count; i++) request_for(e, &call, &items[i]);
  enum ff_rc rc = internal_run(e, &call, &error);
  for (uint32_t i = 0; i < count; i++) {
    struct scanner_stats *stats = &e->scanners[scanner_of(items[i].kind)];
    bool failed = rc != FF_OK || call.requests[i].rc != FF_OK;
    stats->processed += !failed;
    stats->errors += failed;
    *processed += !failed;
    *errors += failed;
    if (failed && rc == FF_OK) log_item(e, &items[i], &call.requests[i].error);
  }
  arena_fini(&call.arena);
}

/* One page of what is due, behind *last. */
static uint32_t scan_page(struct engine *e, int64_t now, struct due_item *last, bool *behind,
                          uint32_t *processed, uint32_t *errors) {
  struct arena arena;
  struct ff_error error;
  struct list_due_args args = {sizeof args, SCAN_BATCH, *behind ? last : NULL};
  struct list_due_result due;
  arena_init(&arena);
  enum ff_rc rc = read_step(e, OP_list_due, &args, &due, &arena, &error);
  uint32_t count = rc == FF_OK ? due.count : 0;
  if (rc != FF_OK) {
    ++*errors;
    engine_log(e, FF_LOG_WARN, "scanner: %s: %s", ff_code_name(error.code), error.detail);
    scan_hint(e, now + PAUSE_MS);
  } else if (count) {
    apply_items(e, due.items, count, processed, errors);
    *last = due.items[count - 1];
    *behind = true;
  }
  if (rc == FF_OK && count < SCAN_BATCH && due.next_due_at != INT64_MAX)
    scan_hint(e, due.next_due_at);
  arena_fini(&arena);
  return count;
}

static void count_cycle(struct engine *e, int64_t now) {
  for (int i = SCANNER_PROMOTE; i <= SCANNER_SIBLINGS; i++) {
    e->scanners[i].cycles++;
    e->scanners[i].last_started_at = now;
  }
}

/* Page by page, behind what it has seen: items that fail stay where they are, and what comes later
 * must not wait for them. At the end again from the start, as long as that gets something done: what
 * was applied may have made more due. Only rounds that got something done are counted, so that any
 * number of failing items is passed. */
static uint32_t scan_rounds(struct engine *e, int64_t now, uint32_t *errors) {
  uint32_t processed = 0, before = *errors, at_start = 0;
  struct due_item last;
  bool behind = false;
  count_cycle(e, now);
  for (int round = 0; round < SCAN_ROUNDS;) {
    uint32_t done = processed;
    /* Before it looks: a commit that lowers it meanwhile must not be overwritten. */
    if (!behind) atomic_store(&e->next_due, INT64_MAX);
    uint32_t count = scan_page(e, now, &last, &behind, &processed, errors);
    round += processed > done;
    if (count == SCAN_BATCH) continue;
    if (*errors > before) scan_hint(e, now + PAUSE_MS);
    if (*errors > before || processed == at_start) return processed;
    at_start = processed;
    behind = false;
  }
  scan_hint(e, now);
  return processed;
}

/* The shortest interval of 00 §4. Nobody tells an engine what falls due by the commits of others: one
 * that died may have been the only one to know of its leases. */
#define LOOK_MS 750

uint32_t scan_due(struct engine *e, int64_t now, uint32_t *errors) {
  uint32_t processed = scan_rounds(e, now, errors);
  processed += scan_flow_work(e, now, errors);
  processed += scan_budgets(e, now, errors);
  if (e->store->traits.shared) scan_hint(e, now + LOOK_MS);
  return processed;
}

/* Runs the requests a sweep has made, one for each thing to be removed; answers how many went well. */
static uint32_t drop_listed(struct engine *e, enum scanner_id scanner, struct call *call,
                            uint32_t *errors) {
  struct ff_error error;
  uint32_t processed = 0;
  if (!call->request_count) return 0;
  enum ff_rc rc = internal_run(e, call, &error);
  if (rc != FF_OK) scan_log_failure(e, scanner, &error);
  for (uint32_t i = 0; i < call->request_count && rc == FF_OK; i++) {
    const struct request *r = &call->requests[i];
    if (r->rc != FF_OK) scan_log_failure(e, scanner, &r->error);
    processed += r->rc == FF_OK;
  }
  *errors += call->request_count - processed;
  return processed;
}

static void ask_idempotency(struct engine *e, struct call *call, const void *listed) {
  const struct list_stale_idempotency_result *stale = listed;
  for (uint32_t i = 0; i < stale->count; i++) {
    struct drop_idempotency_args *drop = ARENA_NEW(&call->arena, struct drop_idempotency_args);
    *drop = (struct drop_idempotency_args){sizeof *drop, stale->items[i]->partition,
                                           stale->items[i]->namespace_,
                                           stale->items[i]->idempotency_key};
    call_request(e, call, OP_drop_idempotency, drop);
  }
}

/* Streams of best-effort frames whose time is over: a part of the retention trimmer (05 ST-49). */
static void ask_streams(struct engine *e, struct call *call, const void *listed) {
  const struct list_expired_streams_result *found = listed;
  for (uint32_t i = 0; i < found->count; i++) {
    struct expire_stream_args *drop = ARENA_NEW(&call->arena, struct expire_stream_args);
    const struct stream *s = found->items[i];
    *drop = (struct expire_stream_args){
        sizeof *drop, {s->partition, s->execution_id}, s->attempt_index};
    call_request(e, call, OP_expire_stream, drop);
  }
}

static void ask_workers(struct engine *e, struct call *call, const void *listed) {
  const struct list_expired_workers_result *found = listed;
  for (uint32_t i = 0; i < found->count; i++) {
    struct expire_worker_args *drop = ARENA_NEW(&call->arena, struct expire_worker_args);
    *drop = (struct expire_worker_args){sizeof *drop, found->items[i]->namespace_,
                                        found->items[i]->worker_instance_id};
    call_request(e, call, OP_expire_worker, drop);
  }
}

/* What is looked for by its own index of expiry: the read step that lists it (its arguments are a
 * limit), and who asks for each to be removed. */
static const struct sweep {
  enum scanner_id scanner;
  enum op_id list;
  void (*ask)(struct engine *, struct call *, const void *listed);
} sweeps[] = {{SCANNER_DEDUP, OP_list_stale_idempotency, ask_idempotency},
              {SCANNER_DEDUP, OP_list_stale_budget, ask_budgets},
              {SCANNER_PURGE, OP_list_expired_streams, ask_streams},
              {SCANNER_WORKERS, OP_list_expired_workers, ask_workers}};
union sweep_listed {
  struct list_stale_idempotency_result idempotency;
  struct list_expired_streams_result streams;
  struct list_expired_workers_result workers;
  struct list_stale_budget_result budgets;
};

static uint32_t sweep_one(struct engine *e, const struct sweep *sweep, uint32_t *errors) {
  struct arena arena;
  struct ff_error error;
  struct list_stale_idempotency_args args = {sizeof args, SWEEP_BATCH};
  union sweep_listed listed;
  uint32_t processed = 0;
  arena_init(&arena);
  if (read_step(e, sweep->list, &args, &listed, &arena, &error) != FF_OK) {
    ++*errors;
    scan_log_failure(e, sweep->scanner, &error);
  } else {
    struct call call = {.op = OP_run_scanner};
    arena_init(&call.arena);
    call.requests = ARENA_ARRAY(&call.arena, struct request, SWEEP_BATCH);
    sweep->ask(e, &call, &listed);
    processed = drop_listed(e, sweep->scanner, &call, errors);
    arena_fini(&call.arena);
  }
  arena_fini(&arena);
  return processed;
}

/* Old events are dropped by the leader: the writer session is its alone. */
static uint32_t trim_events(struct engine *e, int64_t now, uint32_t *errors) {
  uint32_t removed = 0;
  struct ff_error error;
  struct batch *seat = seat_await(e);
  if (!seat) return 0;
  enum ff_rc rc =
      e->store->vtable->trim_log(seat->writer, now - e->options.open.event_retention_ms, 1000,
                                 SWEEP_BATCH, &removed, &error);
  seat_give(seat);
  if (rc != FF_OK) {
    ++*errors;
    scan_log_failure(e, SCANNER_OUTBOX, &error);
  }
  return removed;
}

static void count_sweep(struct scanner_stats *stats, int64_t now, uint32_t processed,
                        uint32_t errors) {
  stats->cycles++;
  stats->last_started_at = now;
  stats->processed += processed;
  stats->errors += errors;
}

uint32_t scan_sweep(struct engine *e, int64_t now, uint32_t *errors) {
  uint32_t trim_errors = 0, trimmed = trim_events(e, now, &trim_errors), all = trimmed;
  count_sweep(&e->scanners[SCANNER_OUTBOX], now, trimmed, trim_errors);
  *errors += trim_errors;
  for (size_t i = 0; i < ARRAY_LEN(sweeps); i++) {
    uint32_t failed = 0, dropped = sweep_one(e, &sweeps[i], &failed);
    count_sweep(&e->scanners[sweeps[i].scanner], now, dropped, failed);
    *errors += failed;
    all += dropped;
  }
  return all;
}
