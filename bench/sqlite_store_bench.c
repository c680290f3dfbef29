/*
 * What the SQLite store alone costs per lifecycle: create, claim, complete, with their events,
 * grouped as the engine groups them.
 *
 *   sqlite_store_bench FILE [lifecycles] [group] [partitions]
 *
 * BENCH_PRELOAD=N stores N finished executions first, BENCH_RANDOM=1 uses random ids,
 * BENCH_CACHE_KIB=N sets SQLite's page cache, BENCH_FRAMES=N checkpoints at N frames, BENCH_IDLE=1
 * rests after every transaction, BENCH_REQUEST_IDS=1 claims with request ids. Prints CPU
 * microseconds and log frames per lifecycle, the split by step, and the longest apply. The engine
 * is not involved.
 */
#define _GNU_SOURCE /* getrusage, clock_gettime */
#include "store/sqlite_impl.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

static double cpu_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double wall_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const struct ff_error *e) {
  fprintf(stderr, "error %d: %s\n", (int)e->code, e->detail);
  exit(1);
}

struct bench {
  struct store *store;
  struct store_session *session;
  struct arena arena;
  uint32_t group, partitions;
  uint64_t seed;
  bool random;
  double fetch_cpu[3], apply_cpu[3], apply_wall_max, apply_wall[4096];
  unsigned applies;
};
enum { CREATE, CLAIM, COMPLETE };

static struct event *event_of(struct bench *b, const struct execution *x, uint8_t lease_event,
                              int64_t now) {
  struct event *v = ARENA_NEW(&b->arena, struct event);
  v->at = now;
  v->partition = x->partition;
  v->execution_id = x->id;
  v->execution_created_at = x->created_at;
  v->namespace_ = x->namespace_;
  v->lease_event = lease_event;
  v->lease_id = x->lease_id;
  v->lease_epoch = x->current_lease_epoch;
  v->attempt_id = x->attempt_id;
  v->worker_id = x->worker_id;
  v->worker_instance_id = x->worker_instance_id;
  v->expires_at = x->lease_expires_at;
  return v;
}

static struct uuid fresh(struct bench *b, int64_t now) {
  uint64_t r = hash_mix64(b->seed++);
  return uuid_v7(now, (uint16_t)(b->seed & 0xfff), r);
}

static struct execution *created(struct bench *b, int64_t now) {
  struct execution *x = ARENA_NEW(&b->arena, struct execution);
  record_init(RECORD_KIND_execution, x);
  x->head.version = 1;
  x->id = fresh(b, now);
  if (b->random) memcpy(x->id.b, (uint64_t[2]){hash_mix64(b->seed++), hash_mix64(b->seed)}, 16);
  x->partition = (uint16_t)(hash_mix64(b->seed) % b->partitions);
  x->namespace_ = TEXT_LIT("default");
  x->lane_id = TEXT_LIT("lane-one");
  x->execution_kind = TEXT_LIT("job");
  x->creator_identity = TEXT_LIT("bench");
  x->required_capabilities = TEXT_LIT("");
  x->created_at = now;
  x->payload = (struct ff_bytes){arena_zalloc(&b->arena, 100), 100};
  x->lifecycle_phase = FF_lifecycle_phase_runnable;
  x->eligibility_state = FF_eligibility_state_eligible_now;
  x->blocking_reason = FF_blocking_reason_waiting_for_worker;
  x->attempt_state = FF_attempt_state_pending_first_attempt;
  x->last_transition_at = x->last_mutation_at = now;
  return x;
}

static struct execution *claimed(struct bench *b, const struct execution *old, int64_t now) {
  struct execution *x = record_clone(RECORD_KIND_execution, old, &b->arena);
  x->head.version++;
  x->lifecycle_phase = FF_lifecycle_phase_active;
  x->ownership_state = FF_ownership_state_leased;
  x->eligibility_state = FF_eligibility_state_not_applicable;
  x->blocking_reason = FF_blocking_reason_none;
  x->attempt_state = FF_attempt_state_running_attempt;
  x->current_lease_epoch++;
  x->total_attempt_count = 1;
  x->attempt_id = fresh(b, now);
  x->attempt_type = FF_attempt_type_initial;
  x->attempt_lifecycle = FF_attempt_lifecycle_started;
  x->attempt_started_at = x->started_at = now;
  x->lease_id = fresh(b, now);
  x->worker_id = TEXT_LIT("worker-1");
  x->worker_instance_id = TEXT_LIT("worker-1-instance");
  if (getenv("BENCH_REQUEST_IDS"))
    x->claim_request_id =
        arena_printf(&b->arena, "r%016llx", (unsigned long long)hash_mix64(b->seed++));
  x->lease_acquired_at = x->lease_last_renewed_at = now;
  x->lease_expires_at = x->next_due_at = now + 30000;
  x->last_transition_at = x->last_mutation_at = now;
  return x;
}

static struct execution *completed(struct bench *b, const struct execution *old, int64_t now) {
  struct execution *x = record_clone(RECORD_KIND_execution, old, &b->arena);
  x->head.version++;
  x->lifecycle_phase = FF_lifecycle_phase_terminal;
  x->ownership_state = FF_ownership_state_unowned;
  x->terminal_outcome = FF_terminal_outcome_success;
  x->attempt_state = FF_attempt_state_attempt_terminal;
  x->attempt_lifecycle = FF_attempt_lifecycle_ended_success;
  x->attempt_ended_at = x->completed_at = now;
  x->claim_request_id = (struct ff_str){NULL, 0};
  x->lease_acquired_at = x->lease_last_renewed_at = x->lease_expires_at = 0;
  x->receipt_op = FF_receipt_op_complete;
  x->purge_at = x->next_due_at = now + 2592000000;
  x->last_transition_at = x->last_mutation_at = now;
  return x;
}

static void apply(struct bench *b, int step, struct store_write *writes,
                  const struct event **events, uint32_t writes_n, uint32_t events_n) {
  struct ff_error e = {0};
  struct store_group g = {.writes = writes,
                          .write_count = writes_n,
                          .events = events,
                          .event_count = events_n,
                          .valid_until = INT64_MAX};
  double cpu = cpu_us(), wall = wall_us();
  if (b->store->vtable->apply(b->session, &g, 1, &e) || g.outcome != STORE_APPLIED) die(&e);
  b->apply_cpu[step] += cpu_us() - cpu;
  wall = wall_us() - wall;
  if (wall > b->apply_wall_max) b->apply_wall_max = wall;
  b->apply_wall[b->applies++ % ARRAY_LEN(b->apply_wall)] = wall;
}

/* group creations, claims and completions in one transaction, as 64 busy callers give. */
static void round_mixed(struct bench *b, const struct execution **active, uint32_t n) {
  struct ff_error e = {0};
  struct store_get *gets = ARENA_ARRAY(&b->arena, struct store_get, n + 1);
  struct store_write *writes = ARENA_ARRAY(&b->arena, struct store_write, 3 * n);
  const struct event **events = ARENA_ARRAY(&b->arena, const struct event *, 2 * n);
  struct execution from = {.lane_id = TEXT_LIT("lane-one"), .required_capabilities = TEXT_LIT("")};
  struct store_scan scan = {.index = INDEX_execution_eligible, .from = &from, .limit = n};
  uint32_t w = 0, v = 0;
  int64_t now = 0;
  for (uint32_t i = 0; i < n; i++)
    gets[i] = (struct store_get){RECORD_KIND_execution, active[i], NULL};
  double cpu = cpu_us();
  if (b->store->vtable->fetch(b->session, &b->arena, gets, n, NULL, 0, &now, &e)) die(&e);
  b->fetch_cpu[COMPLETE] += cpu_us() - cpu;
  cpu = cpu_us();
  if (b->store->vtable->fetch(b->session, &b->arena, NULL, 0, &scan, 1, &now, &e)) die(&e);
  b->fetch_cpu[CLAIM] += cpu_us() - cpu;
  for (uint32_t i = 0; i < n; i++) {
    if (!gets[i].record) abort();
    struct execution *x = completed(b, gets[i].record, now);
    writes[w++] = (struct store_write){STORE_UPDATE, RECORD_KIND_execution, x, x->head.version - 1};
    events[v++] = event_of(b, gets[i].record, FF_lease_event_released, now);
  }
  for (uint32_t i = 0; i < n; i++) {
    struct execution *x = created(b, now);
    writes[w++] = (struct store_write){STORE_INSERT, RECORD_KIND_execution, x, 0};
  }
  for (uint32_t i = 0; i < scan.count; i++) {
    struct execution *x = claimed(b, scan.records[i], now);
    writes[w++] = (struct store_write){STORE_UPDATE, RECORD_KIND_execution, x, x->head.version - 1};
    events[v++] = event_of(b, x, FF_lease_event_acquired, now);
  }
  apply(b, 0, writes, events, w, v);
  for (uint32_t i = 0; i < scan.count; i++) {
    struct execution *key = (struct execution *)(uintptr_t)active[i];
    record_copy_key(RECORD_KIND_execution, scan.records[i], key);
  }
}

/* Finished executions in the way of the measured ones. */
static void preload(struct bench *b, uint64_t count) {
  struct ff_error e = {0};
  int64_t now = clock_wall_ms() - 86400000;
  for (uint64_t i = 0; i < count; i += 1000, now++) {
    arena_reset(&b->arena);
    struct store_write *writes = ARENA_ARRAY(&b->arena, struct store_write, 1000);
    const struct event **events = ARENA_ARRAY(&b->arena, const struct event *, 2000);
    for (uint32_t k = 0; k < 1000; k++) {
      struct execution *x = completed(b, claimed(b, created(b, now), now), now);
      x->head.version = 1;
      writes[k] = (struct store_write){STORE_INSERT, RECORD_KIND_execution, x, 0};
      events[2 * k] = event_of(b, x, FF_lease_event_acquired, now);
      events[2 * k + 1] = event_of(b, x, FF_lease_event_released, now);
    }
    struct store_group g = {.writes = writes,
                            .write_count = 1000,
                            .events = events,
                            .event_count = 2000,
                            .valid_until = INT64_MAX};
    if (b->store->vtable->apply(b->session, &g, 1, &e) || g.outcome != STORE_APPLIED) die(&e);
  }
}

static uint64_t setting(const char *name) {
  uint64_t n = 0;
  if (getenv(name) && !parse_u64(ff_text(getenv(name)), &n)) exit(2);
  return n;
}

static int compare_double(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void warm_up(struct bench *b, const struct execution **active, uint32_t n) {
  struct ff_error e = {0};
  int64_t now = clock_wall_ms();
  struct store_write *writes = ARENA_ARRAY(&b->arena, struct store_write, 2 * n);
  for (uint32_t i = 0; i < 2 * n; i++) {
    struct execution *x = created(b, now);
    if (i < n)
      x = claimed(b, x, now),
      record_copy_key(RECORD_KIND_execution, x, (void *)(uintptr_t)active[i]);
    x->head.version = 1;
    writes[i] = (struct store_write){STORE_INSERT, RECORD_KIND_execution, x, 0};
  }
  struct store_group g = {.writes = writes, .write_count = 2 * n, .valid_until = INT64_MAX};
  if (b->store->vtable->apply(b->session, &g, 1, &e)) die(&e);
}

static uint32_t argument(int argc, char **argv, int at, uint32_t otherwise) {
  uint64_t n = otherwise;
  if (argc > at && (!parse_u64(ff_text(argv[at]), &n) || n == 0 || n > UINT32_MAX)) exit(2);
  return (uint32_t)n;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  struct ff_error e = {0};
  struct bench b = {.group = argument(argc, argv, 3, 64), .partitions = argument(argc, argv, 4, 1)};
  uint32_t total = argument(argc, argv, 2, 20000);
  bool applied;
  b.seed = random_u64();
  b.random = getenv("BENCH_RANDOM") != NULL;
  arena_init(&b.arena);
  if (store_sqlite_open(ff_text(argv[1]), &(struct store_options){.dev_mode = true}, &b.store, &e))
    die(&e);
  if (b.store->vtable->migrate(b.store, &applied, &e)) die(&e);
  if (b.store->vtable->session_open(b.store, STORE_WRITER, &b.session, &e)) die(&e);
  if (setting("BENCH_FRAMES"))
    sqlite_store_of(b.store)->hard_frames = (uint32_t)setting("BENCH_FRAMES");
  if (setting("BENCH_CACHE_KIB")) {
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA cache_size=-%u", (unsigned)setting("BENCH_CACHE_KIB"));
    sqlite3_exec(sqlite_store_of(b.store)->db, sql, NULL, NULL, NULL);
  }
  preload(&b, setting("BENCH_PRELOAD"));
  const struct execution **active = heap_alloc(sizeof *active * b.group);
  for (uint32_t i = 0; i < b.group; i++) active[i] = heap_zalloc(sizeof(struct execution));
  warm_up(&b, active, b.group);
  int before, high;
  sqlite3_db_status(sqlite_store_of(b.store)->db, SQLITE_DBSTATUS_CACHE_WRITE, &before, &high, 1);
  double cpu = cpu_us(), wall = wall_us();
  uint32_t done = 0;
  bool more;
  for (; done < total; done += b.group) {
    arena_reset(&b.arena);
    round_mixed(&b, active, b.group);
    if (getenv("BENCH_IDLE")) b.store->vtable->idle(b.session, &more);
  }
  cpu = cpu_us() - cpu;
  wall = wall_us() - wall;
  int pages;
  sqlite3_db_status(sqlite_store_of(b.store)->db, SQLITE_DBSTATUS_CACHE_WRITE, &pages, &high, 0);
  unsigned samples =
      b.applies < ARRAY_LEN(b.apply_wall) ? b.applies : (unsigned)ARRAY_LEN(b.apply_wall);
  qsort(b.apply_wall, samples, sizeof(double), compare_double);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("n=%u group=%u: %.0f lifecycles/s; CPU us/lifecycle %.2f: get %.2f scan %.2f apply %.2f\n",
         done, b.group, done / wall * 1e6, cpu / done, b.fetch_cpu[COMPLETE] / done,
         b.fetch_cpu[CLAIM] / done, b.apply_cpu[0] / done);
  printf("apply wall us p50 %.0f p99 %.0f p99.9 %.0f max %.0f; rss %ld KiB; frames/lifecycle %.2f; "
         "blocks out/lifecycle %.2f\n",
         b.apply_wall[samples / 2], b.apply_wall[samples * 99 / 100],
         b.apply_wall[samples * 999 / 1000], b.apply_wall_max, usage.ru_maxrss,
         (double)pages / done, (double)usage.ru_oublock / 8 / done);
  b.store->vtable->session_close(b.session);
  b.store->vtable->close(b.store);
  arena_fini(&b.arena);
  return 0;
}
