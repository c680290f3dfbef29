/*
 * `frames`: appending frames to the output streams of leased executions, one a call from many callers and in calls of
 * a hundred, with a thousand tails waiting elsewhere, and from the append to the tail that waits for it.
 *
 * The floor inserts the same rows bare: a frame each, the row of its stream once a commit.
 */
#include "args.h"
#include "bench.h"
#include "out.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES 200
#define LEASE_MS 3600000
#define CROWD 1000
#define WAKES 1000
#define APART_NS 5000000
#define BULK_MAX 1000

enum work { SINGLE, BULK, CROWDED, WORKS };
static const char *const names[WORKS] = {"frames", "frames.bulk", "frames.crowd"};

struct stream {
  struct ff_id id;
  struct ff_handle handle;
};

struct frames {
  struct bench *b;
  struct bench_store store;
  char lane[64];
  struct stream *streams; /* one for each caller */
  unsigned callers, bulk;
  uint64_t n;
  unsigned char *payload;
  _Atomic uint64_t next;
  _Atomic bool failed;
  pthread_mutex_t lock; /* of error and times */
  struct ff_error error;
  struct bench_times times;
};

static bool give_up(struct frames *f, const struct ff_error *error) {
  pthread_mutex_lock(&f->lock);
  if (!f->failed) f->error = *error;
  f->failed = true;
  pthread_mutex_unlock(&f->lock);
  return false;
}

/* ---- leased executions to append to ---- */

static bool begin(struct frames *f, struct stream *s) {
  struct ff_submit_args submit = FF_ARGS(submit);
  struct ff_submit_result submitted;
  struct ff_claim_args claim = FF_ARGS(claim);
  struct ff_claim_result claimed;
  struct ff_error error;
  submit.lane_id = claim.lane_id = ff_text(f->lane);
  if (ff_submit(f->store.engine, &submit, &submitted, &error) != FF_OK) return give_up(f, &error);
  s->id = submitted.execution_id;
  ff_clear(&submitted);
  claim.worker_id = claim.worker_instance_id = ff_text("bench-frames");
  claim.lease_ttl_ms = LEASE_MS;
  if (ff_claim(f->store.engine, &claim, &claimed, &error) != FF_OK) return give_up(f, &error);
  s->handle = claimed.handle;
  ff_clear(&claimed);
  return true;
}

static int begin_all(struct frames *f, unsigned count) {
  bench_lane_name(f->b, f->lane);
  f->streams = cli_alloc(count * sizeof(*f->streams));
  for (unsigned i = 0; i < count; i++)
    if (!begin(f, &f->streams[i])) return cli_fail(f->b->cli, &f->error);
  return CLI_OK;
}

/* ---- appending ---- */

static bool append_one(struct frames *f, const struct stream *s) {
  struct ff_append_frame_args args = FF_ARGS(append_frame);
  struct ff_append_frame_result result;
  struct ff_error error;
  args.handle = s->handle;
  args.bytes = (struct ff_bytes){f->payload, FRAME_BYTES};
  if (ff_append_frame(f->store.engine, &args, &result, &error) != FF_OK)
    return give_up(f, &error);
  ff_clear(&result);
  return true;
}

static bool append_many(struct frames *f, const struct stream *s) {
  static struct ff_frame_input items[BULK_MAX]; /* all the same */
  struct ff_append_frames_args args = FF_ARGS(append_frames);
  struct ff_append_frames_result result;
  struct ff_error error;
  for (unsigned i = 0; i < f->bulk; i++)
    items[i].bytes = (struct ff_bytes){f->payload, FRAME_BYTES};
  args.handle = s->handle;
  args.frames = (struct ff_frame_inputs){items, f->bulk};
  if (ff_append_frames(f->store.engine, &args, &result, &error) != FF_OK)
    return give_up(f, &error);
  ff_clear(&result);
  return true;
}

static void caller(void *shared, unsigned index) {
  struct frames *f = shared;
  const struct stream *s = &f->streams[index];
  struct bench_times *times = cli_alloc(sizeof(*times));
  memset(times, 0, sizeof(*times));
  while (!f->failed && !bench_stopped() && atomic_fetch_add(&f->next, f->bulk) < f->n) {
    int64_t start = bench_now_ns();
    if (!(f->bulk > 1 ? append_many(f, s) : append_one(f, s))) break;
    bench_times_add(times, bench_now_ns() - start);
  }
  pthread_mutex_lock(&f->lock);
  bench_times_merge(&f->times, times);
  pthread_mutex_unlock(&f->lock);
  free(times);
}

static int append_all(struct frames *f, uint64_t n, struct bench_phase *phase) {
  f->n = n;
  f->next = 0;
  memset(&f->times, 0, sizeof(f->times));
  struct bench_counters before = bench_counters_of(f->store.engine);
  struct bench_usage start = bench_usage_now();
  int64_t taken = bench_crew_run(f->callers, caller, f);
  phase->used = bench_usage_since(&start);
  phase->used.wall_ns = taken;
  phase->batches = bench_counters_of(f->store.engine).batches - before.batches;
  if (taken < 0) return CLI_UNREACHABLE;
  if (f->failed) return cli_fail(f->b->cli, &f->error);
  return bench_stopped() ? CLI_INTERRUPTED : CLI_OK;
}

/* ---- tails that wait ---- */

static void crowd_answered(void *user, enum ff_rc rc, struct ff_tail_stream_result *result,
                           const struct ff_error *error) {
  (void)user, (void)rc, (void)result, (void)error;
}

/* A thousand on an execution that nobody appends to; they are let go when the store closes. */
static int gather(struct frames *f) {
  struct stream quiet;
  if (!begin(f, &quiet)) return cli_fail(f->b->cli, &f->error);
  for (int i = 0; i < CROWD; i++) {
    struct ff_tail_stream_args args = FF_ARGS(tail_stream);
    struct ff_error error;
    args.execution_id = ff_text(quiet.id.text);
    args.after = ff_text("0-0");
    args.block_ms = 30000;
    args.count_limit = 100;
    if (ff_tail_stream_async(f->store.engine, &args, crowd_answered, NULL, &error) != FF_OK)
      return cli_fail(f->b->cli, &error);
  }
  return CLI_OK;
}

/* ---- rates ---- */

struct figures {
  struct bench_series per_s, p50, p99, p999, cpu, group, floor, ratio;
};

static int run_floor(struct frames *f, uint64_t n, unsigned group, struct figures *g) {
  struct bench_floor *floor = bench_floor_open(f->b, ff_durability(f->store.engine));
  if (!floor) return CLI_UNREACHABLE;
  unsigned streams = f->bulk > 1 ? 1 : group;
  bool ok = true;
  for (uint64_t done = 0; ok && done < n / 10; done += group)
    ok = bench_floor_frames(floor, streams, group, FRAME_BYTES);
  int64_t start = bench_now_ns();
  for (uint64_t done = 0; ok && done < n && !bench_stopped(); done += group)
    ok = bench_floor_frames(floor, streams, group, FRAME_BYTES);
  double per_s = (double)n * 1e9 / (double)(bench_now_ns() - start);
  bench_floor_close(floor);
  bench_series_add(&g->floor, per_s);
  bench_series_add(&g->ratio, g->per_s.values[g->per_s.count - 1] / per_s);
  return ok ? CLI_OK : CLI_UNREACHABLE;
}

static int run_once(struct frames *f, enum work work, uint64_t n, struct figures *g) {
  struct bench_phase phase;
  int code = begin_all(f, f->callers);
  if (code == CLI_OK && work == CROWDED) code = gather(f);
  if (code == CLI_OK) code = append_all(f, n / 10 + 1, &phase);
  if (code == CLI_OK) code = append_all(f, n, &phase);
  if (code != CLI_OK) return code;
  bench_series_add(&g->per_s, (double)n * 1e9 / (double)phase.used.wall_ns);
  bench_series_add(&g->p50, bench_times_ms(&f->times, 0.5));
  bench_series_add(&g->p99, bench_times_ms(&f->times, 0.99));
  bench_series_add(&g->p999, bench_times_ms(&f->times, 0.999));
  bench_series_add(&g->cpu, (double)phase.used.cpu_ns / 1e3 / (double)n);
  double group = (double)n / (double)(phase.batches ? phase.batches : 1);
  bench_series_add(&g->group, group);
  if (!bench_floor_wanted(f->b, ff_durability(f->store.engine))) return CLI_OK;
  return run_floor(f, n, group < 1 ? 1 : (unsigned)lround(group), g);
}

static void print_rate(struct bench *b, const char *durability, enum work work, uint64_t n,
                       const struct frames *f, const struct figures *g, unsigned runs) {
  struct bench_line line;
  bench_line_init(&line, names[work], durability, n);
  line.per_s = bench_series_median(&g->per_s);
  line.p50_ms = bench_series_median(&g->p50);
  line.p99_ms = bench_series_median(&g->p99);
  line.p999_ms = bench_series_median(&g->p999);
  line.floor_per_s = bench_series_median(&g->floor);
  bench_line_note(&line, "frames of %d B, %u caller%s, %u a call", FRAME_BYTES, f->callers,
                  f->callers == 1 ? "" : "s", f->bulk);
  if (work == CROWDED) bench_line_note(&line, "%d tails waiting elsewhere", CROWD);
  bench_line_note(&line, "%.1f frames a commit, %.1f us CPU each", bench_series_median(&g->group),
                  bench_series_median(&g->cpu));
  if (g->floor.count) bench_line_note(&line, "%.2f of the floor", bench_series_median(&g->ratio));
  bench_line_note(&line, "median of %u run%s", runs, runs == 1 ? "" : "s");
  bench_print(b, &line);
}

static struct frames *frames_new(struct bench *b, unsigned callers, unsigned bulk) {
  struct frames *f = cli_alloc(sizeof(*f));
  memset(f, 0, sizeof(*f));
  f->b = b;
  f->callers = callers;
  f->bulk = bulk;
  f->payload = bench_payload_new(FRAME_BYTES);
  pthread_mutex_init(&f->lock, NULL);
  return f;
}

static void frames_free(struct frames *f) {
  free(f->streams);
  free(f->payload);
  free(f);
}

static int measure_rate(struct bench *b, enum work work, unsigned runs) {
  unsigned callers = work == BULK ? 1 : b->callers ? (unsigned)b->callers : 64;
  unsigned bulk = work == BULK ? (unsigned)b->bulk : 1;
  uint64_t n = b->n ? (uint64_t)b->n : 100000;
  struct figures *g = cli_alloc(sizeof(*g));
  char durability[64] = "";
  int code = CLI_OK;
  memset(g, 0, sizeof(*g));
  if (work == BULK) n = (n + bulk - 1) / bulk * bulk;
  for (unsigned run = 0; run < runs && code == CLI_OK; run++) {
    struct frames *f = frames_new(b, callers, bulk);
    code = bench_store_open(b, false, &f->store);
    if (code == CLI_OK) {
      snprintf(durability, sizeof(durability), "%s", ff_durability(f->store.engine));
      code = run_once(f, work, n, g);
      bench_store_close(&f->store);
    }
    if (code == CLI_OK && run + 1 == runs) print_rate(b, durability, work, n, f, g, runs);
    frames_free(f);
  }
  free(g);
  return code;
}

/* ---- from the append to the tail ---- */

struct wake {
  struct frames f;
  _Atomic int64_t called, returned; /* of the append under way */
  _Atomic uint64_t seen;
  struct bench_times whole, behind; /* since the call; since the commit was known to the caller */
};

static void tail(struct wake *w) {
  char after[64] = "0-0";
  while (!w->f.failed && w->seen < WAKES && !bench_stopped()) {
    struct ff_tail_stream_args args = FF_ARGS(tail_stream);
    struct ff_tail_stream_result result;
    struct ff_error error;
    args.execution_id = ff_text(w->f.streams[0].id.text);
    args.after = ff_text(after);
    args.block_ms = 1000;
    args.count_limit = 10;
    if (ff_tail_stream(w->f.store.engine, &args, &result, &error) != FF_OK) {
      give_up(&w->f, &error);
      return;
    }
    int64_t now = bench_now_ns(), returned = w->returned;
    if (result.frames.count) {
      bench_times_add(&w->whole, now - w->called);
      bench_times_add(&w->behind, returned > w->called ? now - returned : 0);
      cli_str(result.frames.items[result.frames.count - 1].id, after, sizeof(after));
      w->seen++;
    }
    ff_clear(&result);
  }
}

static void append_apart(struct wake *w) {
  int64_t next = bench_now_ns() + 20 * APART_NS;
  for (uint64_t i = 0; i < WAKES && !w->f.failed && !bench_stopped(); i++) {
    bench_sleep_until_ns(next);
    w->called = bench_now_ns();
    if (!append_one(&w->f, &w->f.streams[0])) return;
    w->returned = bench_now_ns();
    while (w->seen <= i && !w->f.failed && !bench_stopped())
      bench_sleep_until_ns(bench_now_ns() + 50000);
    next = bench_now_ns() + APART_NS;
  }
}

static void tail_or_append(void *shared, unsigned index) {
  struct wake *w = shared;
  if (index) append_apart(w);
  else tail(w);
}

static int measure_wake(struct bench *b) {
  struct wake *w = cli_alloc(sizeof(*w));
  memset(w, 0, sizeof(*w));
  struct frames *f = frames_new(b, 2, 1);
  w->f = *f;
  free(f);
  struct bench_line line;
  int code = bench_store_open(b, false, &w->f.store);
  if (code == CLI_OK) code = begin_all(&w->f, 1);
  if (code == CLI_OK && bench_crew_run(2, tail_or_append, w) < 0) code = CLI_UNREACHABLE;
  if (code == CLI_OK && w->f.failed) code = cli_fail(b->cli, &w->f.error);
  if (code == CLI_OK) {
    bench_line_init(&line, "frames.tail", ff_durability(w->f.store.engine), w->seen);
    line.p50_ms = bench_times_ms(&w->whole, 0.5);
    line.p99_ms = bench_times_ms(&w->whole, 0.99);
    line.p999_ms = bench_times_ms(&w->whole, 0.999);
    bench_line_note(&line, "append call to the return of the tail that waits, one at a time");
    bench_line_note(&line, "behind the return of the append: p50 %.3f p99 %.3f ms",
                    bench_times_ms(&w->behind, 0.5), bench_times_ms(&w->behind, 0.99));
    bench_print(b, &line);
  }
  if (w->f.store.engine) bench_store_close(&w->f.store);
  free(w->f.streams);
  free(w->f.payload);
  free(w);
  return code == CLI_OK && bench_stopped() ? CLI_INTERRUPTED : code;
}

int bench_frames(struct bench *b) {
  unsigned runs = b->runs ? (unsigned)b->runs : 5;
  int code = CLI_OK;
  for (int work = 0; work < WORKS && code == CLI_OK; work++)
    code = measure_rate(b, (enum work)work, runs);
  return code == CLI_OK ? measure_wake(b) : code;
}
