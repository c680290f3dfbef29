/*
 * `latency`: one idle worker waits in claim_task; from the enqueue call to the worker's handler,
 * one execution at a time.
 *
 * The start travels in the payload, so that both ends need nothing in common but the clock. The
 * floor is the same rows in the same number of commits, bare, at the same distance.
 */
#include "args.h"
#include "bench.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define APART_NS 5000000
#define SETTLE_NS 500000000 /* housekeeping after the warm-up */
#define IDLE_NS 1000000000
#define LEASE_MS 30000
#define WAIT_MS 30000

/* What the enqueuer and the worker of one run share. */
struct watch {
  struct bench *b;
  struct ff_engine *engine;
  const char *lane;
  unsigned char *payload;
  size_t payload_bytes;
  uint64_t n;
  struct bench_times entries; /* the worker's */
  int64_t worker_cpu_ns;
  double idle_percent; /* of one core, the whole process, while the worker only waits */
  _Atomic uint64_t completed;
  _Atomic bool failed;
  struct ff_error error;
};
struct figures {
  struct bench_series p50, p99, p999, max, worker_us, idle, batches, floor_p50, floor_p99,
      floor_max;
};

static void give_up(struct watch *w, const struct ff_error *error) {
  if (!atomic_exchange(&w->failed, true)) w->error = *error;
}

/* ---- the worker ---- */

static bool handle(struct watch *w, const struct ff_claim_task_args *claim) {
  struct ff_claim_task_result claimed;
  struct ff_complete_args complete = FF_ARGS(complete);
  struct ff_complete_result completed;
  struct ff_error error;
  int64_t start = 0;
  if (ff_claim_task(w->engine, claim, &claimed, &error) != FF_OK) return give_up(w, &error), false;
  int64_t entry = bench_now_ns();
  bool found =
      claimed.outcome == FF_outcome_claimed && claimed.task.input_payload.len >= sizeof(start);
  if (found) {
    memcpy(&start, claimed.task.input_payload.ptr, sizeof(start));
    complete.handle = claimed.task.handle;
  }
  ff_clear(&claimed);
  if (!found) return true;
  bench_times_add(&w->entries, entry - start);
  if (ff_complete(w->engine, &complete, &completed, &error) != FF_OK)
    return give_up(w, &error), false;
  ff_clear(&completed);
  atomic_fetch_add(&w->completed, 1);
  return true;
}

static void work(struct watch *w) {
  struct ff_str lane = ff_text(w->lane);
  struct ff_claim_task_args claim = FF_ARGS(claim_task);
  claim.lane_ids = (struct ff_strs){&lane, 1};
  claim.worker_id = claim.worker_instance_id = ff_text("bench-latency");
  claim.lease_ttl_ms = LEASE_MS;
  claim.max_wait_ms = WAIT_MS;
  int64_t cpu = bench_thread_cpu_ns();
  while (!w->failed && w->completed < w->n && handle(w, &claim)) {
  }
  w->worker_cpu_ns = bench_thread_cpu_ns() - cpu;
}

/* ---- the enqueuer ---- */

static bool enqueue(struct watch *w) {
  struct ff_submit_args args = FF_ARGS(submit);
  struct ff_submit_result result;
  struct ff_error error;
  args.lane_id = ff_text(w->lane);
  args.execution_kind = ff_text("bench");
  args.input_payload = (struct ff_bytes){w->payload, w->payload_bytes};
  int64_t start = bench_now_ns();
  memcpy(w->payload, &start, sizeof(start));
  if (ff_submit(w->engine, &args, &result, &error) != FF_OK) return give_up(w, &error), false;
  ff_clear(&result);
  return true;
}

/* Sleeps, then until the worker is through with the first `count`. */
static void wait_for(struct watch *w, uint64_t count) {
  bench_sleep_until_ns(bench_now_ns() + APART_NS);
  while (!w->failed && w->completed < count) bench_sleep_until_ns(bench_now_ns() + APART_NS / 10);
}

static void feed(struct watch *w) {
  bench_sleep_until_ns(bench_now_ns() + SETTLE_NS);
  struct bench_usage start = bench_usage_now();
  bench_sleep_until_ns(start.wall_ns + IDLE_NS);
  struct bench_usage idle = bench_usage_since(&start);
  w->idle_percent = 100 * (double)idle.cpu_ns / (double)idle.wall_ns;
  for (uint64_t i = 0; i < w->n && !w->failed; i++) {
    if (bench_stopped()) w->n = i + 1; /* the worker needs one more to come home */
    if (!enqueue(w)) break;
    wait_for(w, i + 1);
  }
}

static void both(void *shared, unsigned index) {
  if (index == 0)
    work(shared);
  else
    feed(shared);
}

/* ---- runs ---- */

static int run_ours(struct bench *b, uint64_t n, struct figures *f, char durability[64]) {
  struct bench_store store;
  char lane[64];
  int code = bench_store_open(b, false, &store);
  if (code != CLI_OK) return code;
  snprintf(durability, 64, "%s", ff_durability(store.engine));
  bench_lane_name(b, lane);
  size_t payload_bytes = b->payload_bytes < 8 ? 8 : (size_t)b->payload_bytes;
  struct bench_load warm = {.engine = store.engine,
                            .lane = lane,
                            .callers = 1,
                            .bulk = 1,
                            .payload_bytes = payload_bytes};
  code = bench_load_quietly(b, &warm, n / 10, true);
  struct watch *w = cli_alloc(sizeof(*w));
  memset(w, 0, sizeof(*w));
  w->b = b, w->engine = store.engine, w->lane = lane, w->n = n;
  w->payload = bench_payload_new(payload_bytes);
  w->payload_bytes = payload_bytes;
  struct bench_counters before = bench_counters_of(store.engine);
  if (code == CLI_OK && bench_crew_run(2, both, w) < 0) code = CLI_UNREACHABLE;
  struct bench_counters after = bench_counters_of(store.engine);
  if (code == CLI_OK && w->failed) code = cli_fail(b->cli, &w->error);
  if (code == CLI_OK && bench_stopped()) code = CLI_INTERRUPTED;
  bench_store_close(&store);
  bench_series_add(&f->p50, bench_times_ms(&w->entries, 0.5));
  bench_series_add(&f->p99, bench_times_ms(&w->entries, 0.99));
  bench_series_add(&f->p999, bench_times_ms(&w->entries, 0.999));
  bench_series_add(&f->max, bench_times_max_ms(&w->entries));
  bench_series_add(&f->worker_us, (double)w->worker_cpu_ns / 1e3 / (double)n);
  bench_series_add(&f->idle, w->idle_percent);
  bench_series_add(&f->batches, (double)(after.batches - before.batches) / (double)n);
  free(w->payload);
  free(w);
  return code;
}

/* Created and claimed in one commit where our run did so, else in two; completed, untimed, in one
 * more. Two batches of each of ours are beside the way: the completion, and the worker's look that
 * found nothing. */
static int run_floor(struct bench *b, uint64_t n, const char *durability, struct figures *f) {
  bool together = f->batches.values[f->batches.count - 1] < 3.5;
  struct bench_floor *floor = bench_floor_open(b, durability);
  struct bench_times *times = cli_alloc(sizeof(*times));
  memset(times, 0, sizeof(*times));
  bool ok = floor != NULL;
  for (uint64_t i = 0; ok && i < n && !bench_stopped(); i++) {
    int64_t start = bench_now_ns();
    ok = together ? bench_floor_commit(floor, 1, 1, 0)
                  : bench_floor_commit(floor, 1, 0, 0) && bench_floor_commit(floor, 0, 1, 0);
    bench_times_add(times, bench_now_ns() - start);
    ok = ok && bench_floor_commit(floor, 0, 0, 1);
    bench_sleep_until_ns(bench_now_ns() + APART_NS);
  }
  bench_series_add(&f->floor_p50, bench_times_ms(times, 0.5));
  bench_series_add(&f->floor_p99, bench_times_ms(times, 0.99));
  bench_series_add(&f->floor_max, bench_times_max_ms(times));
  free(times);
  bench_floor_close(floor);
  return ok ? CLI_OK : CLI_UNREACHABLE;
}

static void print(struct bench *b, uint64_t n, const char *durability, unsigned runs,
                  const struct figures *f) {
  struct bench_line line;
  bench_line_init(&line, "latency", durability, n);
  line.p50_ms = bench_series_median(&f->p50);
  line.p99_ms = bench_series_median(&f->p99);
  line.p999_ms = bench_series_median(&f->p999);
  bench_line_note(&line, "enqueue call to handler entry, 5 ms apart, one idle worker; max %.3f ms",
                  bench_series_median(&f->max));
  if (f->floor_p50.count)
    bench_line_note(&line, "the same commits bare: p50 %.3f p99 %.3f max %.3f ms",
                    bench_series_median(&f->floor_p50), bench_series_median(&f->floor_p99),
                    bench_series_median(&f->floor_max));
  bench_line_note(&line, "%.1f batches each", bench_series_median(&f->batches));
  bench_line_note(&line, "worker %.1f us CPU each; process %.3f%% of a core while it waits",
                  bench_series_median(&f->worker_us), bench_series_median(&f->idle));
  bench_line_note(&line, "payload %lld B; median of %u run%s", (long long)b->payload_bytes, runs,
                  runs == 1 ? "" : "s");
  bench_print(b, &line);
}

int bench_latency(struct bench *b) {
  struct figures *f = cli_alloc(sizeof(*f));
  memset(f, 0, sizeof(*f));
  uint64_t n = b->n ? (uint64_t)b->n : 1000;
  unsigned runs = b->runs ? (unsigned)b->runs : 5;
  char durability[64] = "";
  int code = CLI_OK;
  if (n > 10000) n = 10000; /* 5 ms each: more is a matter of minutes */
  for (unsigned run = 0; run < runs && code == CLI_OK; run++) {
    code = run_ours(b, n, f, durability);
    if (code == CLI_OK && bench_floor_wanted(b, durability)) code = run_floor(b, n, durability, f);
  }
  if (code == CLI_OK && bench_stopped()) code = CLI_INTERRUPTED;
  if (code == CLI_OK) print(b, n, durability, runs, f);
  free(f);
  return code;
}
