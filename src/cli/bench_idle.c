/*
 * `idle`: what an opened engine costs that has nothing to do, without workers and with ten that
 * wait.
 *
 * Runs before every other workload: the resident size is of a process that did nothing else.
 */
#include "args.h"
#include "bench.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#define WORKERS 10
#define SETTLE_NS 1500000000 /* opening and its first housekeeping are not idling */
#define CLAIM_WAIT_MS 30000

struct idle {
  struct bench *b;
  struct bench_store store;
  const char *lane;
  int64_t start_ns, end_ns; /* of the measurement */
  struct bench_usage used;
  struct bench_counters calls;
  uint64_t resident;
  bool touched; /* the file or its log changed */
  _Atomic bool failed;
  struct ff_error error;
};

/* Size and time of the file and its log. */
static void stamp(const struct idle *idle, struct stat about[2]) {
  char log[PATH_MAX + 8];
  memset(about, 0, 2 * sizeof(*about));
  if (!idle->store.path[0]) return;
  snprintf(log, sizeof(log), "%s-wal", idle->store.path);
  if (stat(idle->store.path, &about[0]) != 0) about[0].st_size = -1;
  if (stat(log, &about[1]) != 0) about[1].st_size = -1;
}

static bool differ(const struct stat a[2], const struct stat b[2]) {
  for (int i = 0; i < 2; i++)
    if (a[i].st_size != b[i].st_size || a[i].st_mtim.tv_sec != b[i].st_mtim.tv_sec ||
        a[i].st_mtim.tv_nsec != b[i].st_mtim.tv_nsec)
      return true;
  return false;
}

static void watch(struct idle *idle) {
  struct stat before[2], after[2];
  bench_sleep_until_ns(idle->start_ns);
  stamp(idle, before);
  struct bench_counters calls = bench_counters_of(idle->store.engine);
  struct bench_usage start = bench_usage_now();
  while (bench_now_ns() < idle->end_ns && !bench_stopped()) bench_sleep_until_ns(idle->end_ns);
  idle->used = bench_usage_since(&start);
  struct bench_counters now = bench_counters_of(idle->store.engine);
  stamp(idle, after);
  idle->resident = bench_resident_bytes();
  idle->touched = differ(before, after);
  idle->calls = (struct bench_counters){.batches = now.batches - calls.batches,
                                        .operations = now.operations - calls.operations,
                                        .rounds = now.rounds - calls.rounds,
                                        .reads = now.reads - calls.reads};
  /* After an interruption nobody waits for the claims to end by themselves. */
  struct ff_error error;
  if (bench_stopped()) (void)!ff_shutdown_prepare(idle->store.engine, 1000, &error);
}

/* Waits in claims until the measurement is over. */
static void wait_for_work(struct idle *idle, unsigned index) {
  struct ff_str lane = ff_text(idle->lane);
  struct ff_claim_task_args args = FF_ARGS(claim_task);
  struct ff_claim_task_result result;
  struct ff_error error;
  char worker[32];
  snprintf(worker, sizeof(worker), "bench-idle-%u", index);
  args.lane_ids = (struct ff_strs){&lane, 1};
  args.worker_id = args.worker_instance_id = ff_text(worker);
  args.lease_ttl_ms = CLAIM_WAIT_MS;
  for (int64_t left_ms;
       (left_ms = (idle->end_ns - bench_now_ns()) / 1000000) > 0 && !bench_stopped();) {
    args.max_wait_ms = (uint64_t)(left_ms < CLAIM_WAIT_MS ? left_ms + 100 : CLAIM_WAIT_MS);
    if (args.max_wait_ms > CLAIM_WAIT_MS) args.max_wait_ms = CLAIM_WAIT_MS;
    if (ff_claim_task(idle->store.engine, &args, &result, &error) != FF_OK) {
      if (!bench_stopped() && !atomic_exchange(&idle->failed, true)) idle->error = error;
      return;
    }
    ff_clear(&result);
  }
}

static void take_part(void *shared, unsigned index) {
  if (index == 0)
    watch(shared);
  else
    wait_for_work(shared, index);
}

static void print(const struct idle *idle, unsigned workers, const char *durability) {
  struct bench_line line;
  double seconds = (double)idle->used.wall_ns / 1e9,
         cpu = 100 * (double)idle->used.cpu_ns / (double)idle->used.wall_ns;
  bench_line_init(&line, workers ? "idle.workers" : "idle", durability, workers);
  bench_line_note(&line, "%.0f s, %u idle workers", seconds, workers);
  bench_line_note(&line, "%llu B written in %llu write calls; files %s",
                  (unsigned long long)idle->used.written_bytes,
                  (unsigned long long)idle->used.write_calls,
                  idle->touched ? "CHANGED" : "untouched");
  bench_line_note(&line, "%.4f%% of a core", cpu);
  bench_line_note(&line, "RSS %.1f MiB", (double)idle->resident / 1048576);
  bench_line_note(&line, "%llu batches, %llu store reads", (unsigned long long)idle->calls.batches,
                  (unsigned long long)(idle->calls.rounds + idle->calls.reads));
  bench_print(idle->b, &line);
}

static int run(struct bench *b, unsigned workers) {
  struct idle idle = {.b = b};
  char lane[64], durability[64];
  int code = bench_store_open(b, false, &idle.store);
  if (code != CLI_OK) return code;
  snprintf(durability, sizeof(durability), "%s", ff_durability(idle.store.engine));
  bench_lane_name(b, lane);
  idle.lane = lane;
  idle.start_ns = bench_now_ns() + SETTLE_NS;
  idle.end_ns = idle.start_ns + (b->seconds ? b->seconds : 60) * 1000000000;
  if (bench_crew_run(workers + 1, take_part, &idle) < 0) code = CLI_UNREACHABLE;
  if (code == CLI_OK && idle.failed) code = cli_fail(b->cli, &idle.error);
  if (code == CLI_OK && bench_stopped()) code = CLI_INTERRUPTED;
  if (code == CLI_OK) print(&idle, workers, durability);
  bench_store_close(&idle.store);
  return code;
}

int bench_idle(struct bench *b) {
  int code = run(b, 0);
  return code == CLI_OK ? run(b, WORKERS) : code;
}
