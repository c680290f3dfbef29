/*
 * `tail`: S1 at half of the measured rate, open loop, checkpoints included: p99, p99.9 and the
 * longest stall.
 *
 * Every lifecycle has an intended start on a fixed schedule; a create counts from it, so that a
 * stall counts for everybody it delayed. The floor commits the same steps on the same schedule,
 * bare: all that is due in one transaction after the other.
 */
#include "args.h"
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_MS 30000
#define PATIENCE_MS 1000
#define RATE_LOAD \
  20000 /* lifecycles that find out the full rate when throughput did not run before */

struct tail {
  struct bench *b;
  struct ff_engine *engine;
  const char *lane;
  const unsigned char *payload;
  unsigned callers;
  uint64_t n; /* lifecycles on the schedule */
  double rate_per_s;
  int64_t start_ns;
  char durability[64];
  struct member *members;
  _Atomic bool failed;
  pthread_mutex_t lock; /* of error */
  struct ff_error error;
  /* results */
  int64_t wall_ns;
  double group; /* steps per commit */
  double cpu_us;
  struct bench_times calls, lifecycles, floor;
};
struct member {
  struct bench_times calls, lifecycles;
};
/* What the floor has begun: claims and completes are due at once, since the commit before ended. */
struct pending_steps {
  uint64_t created;
  unsigned claims, completes;
  int64_t before_ns;
};

static bool give_up(struct tail *t, const struct ff_error *error) {
  pthread_mutex_lock(&t->lock);
  if (!t->failed) t->error = *error;
  t->failed = true;
  pthread_mutex_unlock(&t->lock);
  return false;
}

/* ---- ours ---- */

static bool create(struct tail *t) {
  struct ff_submit_args args = FF_ARGS(submit);
  struct ff_submit_result result;
  struct ff_error error;
  args.lane_id = ff_text(t->lane);
  args.execution_kind = ff_text("bench");
  args.input_payload = (struct ff_bytes){t->payload, (size_t)t->b->payload_bytes};
  if (ff_submit(t->engine, &args, &result, &error) != FF_OK) return give_up(t, &error);
  ff_clear(&result);
  return true;
}

static bool claim(struct tail *t, const struct ff_claim_task_args *args, struct ff_handle *handle) {
  struct ff_claim_task_result result;
  struct ff_error error = {
      .rc = FF_STATE, .code = FF_CODE_execution_not_found, .retry_after_ms = -1};
  if (ff_claim_task(t->engine, args, &result, &error) != FF_OK) return give_up(t, &error);
  bool found = result.outcome == FF_outcome_claimed;
  *handle = result.task.handle;
  ff_clear(&result);
  if (found) return true;
  snprintf(error.detail, sizeof(error.detail),
           "a claim found nothing although executions were left");
  return give_up(t, &error);
}

static bool complete(struct tail *t, const struct ff_handle *handle) {
  struct ff_complete_args args = FF_ARGS(complete);
  struct ff_complete_result result;
  struct ff_error error;
  args.handle = *handle;
  if (ff_complete(t->engine, &args, &result, &error) != FF_OK) return give_up(t, &error);
  ff_clear(&result);
  return true;
}

static bool lifecycle(struct tail *t, const struct ff_claim_task_args *args, int64_t due,
                      struct member *m) {
  struct ff_handle handle;
  if (!create(t)) return false;
  int64_t created = bench_now_ns();
  if (!claim(t, args, &handle)) return false;
  int64_t claimed = bench_now_ns();
  if (!complete(t, &handle)) return false;
  int64_t completed = bench_now_ns();
  bench_times_add(&m->calls, created - due);
  bench_times_add(&m->calls, claimed - created);
  bench_times_add(&m->calls, completed - claimed);
  bench_times_add(&m->lifecycles, completed - due);
  return true;
}

static int64_t due_at(const struct tail *t, uint64_t index) {
  return t->start_ns + (int64_t)((double)index * 1e9 / t->rate_per_s);
}

static void call(void *shared, unsigned index) {
  struct tail *t = shared;
  char worker[32];
  struct ff_str lane = ff_text(t->lane);
  struct ff_claim_task_args args = FF_ARGS(claim_task);
  snprintf(worker, sizeof(worker), "bench-%u", index);
  args.lane_ids = (struct ff_strs){&lane, 1};
  args.worker_id = args.worker_instance_id = ff_text(worker);
  args.lease_ttl_ms = LEASE_MS;
  args.max_wait_ms = PATIENCE_MS;
  for (uint64_t i = index; i < t->n && !t->failed && !bench_stopped(); i += t->callers) {
    int64_t due = due_at(t, i);
    bench_sleep_until_ns(due);
    if (!lifecycle(t, &args, due, &t->members[index])) return;
  }
}

static void keep(struct tail *t, const struct bench_usage *used, uint64_t batches) {
  for (unsigned i = 0; i < t->callers; i++) {
    bench_times_merge(&t->calls, &t->members[i].calls);
    bench_times_merge(&t->lifecycles, &t->members[i].lifecycles);
  }
  t->wall_ns = used->wall_ns;
  t->group = 3 * (double)t->n / (double)batches;
  t->cpu_us = (double)used->cpu_ns / 1e3 / (double)t->n;
}

static int run_ours(struct tail *t) {
  t->members = cli_alloc(t->callers * sizeof(*t->members));
  memset(t->members, 0, t->callers * sizeof(*t->members));
  struct bench_counters before = bench_counters_of(t->engine);
  struct bench_usage start = bench_usage_now();
  t->start_ns = start.wall_ns + 20000000;
  int64_t taken = bench_crew_run(t->callers, call, t);
  struct bench_usage used = bench_usage_since(&start);
  struct bench_counters after = bench_counters_of(t->engine);
  if (taken >= 0) keep(t, &used, after.batches - before.batches);
  free(t->members);
  if (taken < 0) return CLI_UNREACHABLE;
  if (t->failed) return cli_fail(t->b->cli, &t->error);
  return bench_stopped() ? CLI_INTERRUPTED : CLI_OK;
}

/* The full rate, when nobody measured it in this call. */
static int find_rate(struct tail *t) {
  struct bench *b = t->b;
  if (b->rate_per_s)
    t->rate_per_s = (double)b->rate_per_s;
  else if (b->measured_per_s > 0)
    t->rate_per_s = b->measured_per_s / 2;
  if (t->rate_per_s > 0) return CLI_OK;
  struct bench_load load = {.engine = t->engine,
                            .lane = t->lane,
                            .n = RATE_LOAD,
                            .callers = t->callers,
                            .bulk = 1,
                            .payload_bytes = (size_t)b->payload_bytes};
  int code = bench_load_quietly(b, &load, load.n / 10, true);
  if (code == CLI_OK) code = bench_load_create(b, &load);
  if (code == CLI_OK) code = bench_load_drain(b, &load);
  int64_t taken = load.create.used.wall_ns + load.drain.used.wall_ns;
  if (code == CLI_OK) t->rate_per_s = (double)load.n * 1e9 / (double)taken / 2;
  return code;
}

/* ---- the floor ---- */

/* One bare commit of all that is due: creates on the schedule, and the next step of what the commit
 * before has done. */
static bool commit_due(struct tail *t, struct bench_floor *floor, struct pending_steps *p) {
  int64_t now = bench_now_ns();
  uint64_t due = p->created;
  while (due < t->n && due_at(t, due) <= now) due++;
  unsigned creates = (unsigned)(due - p->created), claims = p->claims, completes = p->completes;
  if (!creates && !claims && !completes) {
    bench_sleep_until_ns(due_at(t, due));
    return true;
  }
  if (!bench_floor_commit(floor, creates, claims, completes)) return false;
  int64_t end = bench_now_ns();
  for (uint64_t i = p->created; i < due; i++) bench_times_add(&t->floor, end - due_at(t, i));
  for (unsigned i = 0; i < claims + completes; i++) bench_times_add(&t->floor, end - p->before_ns);
  *p = (struct pending_steps){due, creates, claims, end};
  return true;
}

static int run_floor(struct tail *t) {
  struct bench_floor *floor = bench_floor_open(t->b, t->durability);
  struct pending_steps pending = {0};
  bool ok = floor != NULL;
  pending.before_ns = t->start_ns = bench_now_ns();
  while (ok && !bench_stopped() && (pending.created < t->n || pending.claims || pending.completes))
    ok = commit_due(t, floor, &pending);
  bench_floor_close(floor);
  if (!ok) return CLI_UNREACHABLE;
  return bench_stopped() ? CLI_INTERRUPTED : CLI_OK;
}

/* ---- the workload ---- */

static void print(const struct tail *t) {
  struct bench_line line;
  bench_line_init(&line, "tail", t->durability, t->n);
  line.per_s = (double)t->n * 1e9 / (double)t->wall_ns;
  line.p50_ms = bench_times_ms(&t->calls, 0.5);
  line.p99_ms = bench_times_ms(&t->calls, 0.99);
  line.p999_ms = bench_times_ms(&t->calls, 0.999);
  bench_line_note(&line, "per call, from the intended start; longest stall %.2f ms",
                  bench_times_max_ms(&t->calls));
  if (t->floor.count)
    bench_line_note(&line, "the same steps bare: p50 %.3f p99 %.3f p99.9 %.3f, longest %.2f ms",
                    bench_times_ms(&t->floor, 0.5), bench_times_ms(&t->floor, 0.99),
                    bench_times_ms(&t->floor, 0.999), bench_times_max_ms(&t->floor));
  bench_line_note(&line, "whole lifecycles p50 %.3f p99 %.3f p99.9 %.3f ms",
                  bench_times_ms(&t->lifecycles, 0.5), bench_times_ms(&t->lifecycles, 0.99),
                  bench_times_ms(&t->lifecycles, 0.999));
  bench_line_note(&line, "%u callers at %.0f lifecycles/s for %.0f s, payload %lld B", t->callers,
                  t->rate_per_s, (double)t->wall_ns / 1e9, (long long)t->b->payload_bytes);
  bench_line_note(&line, "%.1f steps a commit, %.1f us CPU a lifecycle", t->group, t->cpu_us);
  bench_print(t->b, &line);
}

static int run_open(struct tail *t) {
  int code = find_rate(t);
  t->n = (uint64_t)(t->rate_per_s * (double)(t->b->seconds ? t->b->seconds : 60));
  if (code == CLI_OK && t->n == 0) t->n = 1;
  return code == CLI_OK ? run_ours(t) : code;
}

int bench_tail(struct bench *b) {
  struct bench_store store;
  char lane[64];
  int code = bench_store_open(b, false, &store);
  if (code != CLI_OK) return code;
  bench_lane_name(b, lane);
  struct tail *t = cli_alloc(sizeof(*t));
  memset(t, 0, sizeof(*t));
  unsigned char *payload = bench_payload_new((size_t)b->payload_bytes);
  t->b = b, t->engine = store.engine, t->lane = lane, t->payload = payload;
  t->callers = b->callers ? (unsigned)b->callers : 64;
  pthread_mutex_init(&t->lock, NULL);
  snprintf(t->durability, sizeof(t->durability), "%s", ff_durability(store.engine));
  code = run_open(t);
  bench_store_close(&store);
  if (code == CLI_OK && bench_floor_wanted(b, t->durability)) code = run_floor(t);
  if (code == CLI_OK) print(t);
  free(payload);
  free(t);
  return code;
}
