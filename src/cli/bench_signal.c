/*
 * `signal` (S2): suspend, signal with the token, resumed claim, complete, one execution at a time;
 * then the same with many other executions suspended in the same store.
 *
 * The worker waits in claim while the signal is delivered, as workers do: what a signal resumes is
 * handed out with the signal's own commit.
 */
#include "args.h"
#include "bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_MS 600000
#define WAIT_MS 30000
#define SETTLE_NS 2000000

static const char condition[] = "{\"Single\":{\"waitpoint_key\":\"k\",\"matcher\":\"Wildcard\"}}";

/* One run; the claim under way is answered by another thread. */
struct round_trip {
  struct bench *b;
  struct ff_engine *engine;
  const char *lane;
  struct ff_error error;
  struct bench_times windows, claims, resumes; /* all of it, up to the claim, from the signal to it */
  uint64_t serial;
  pthread_mutex_t lock;
  pthread_cond_t said;
  bool answered;
  enum ff_rc rc;
  int64_t claimed_ns;
  struct ff_handle handle;
};
struct figures {
  struct bench_series p50, p99, claim_p50, resume_p50, resume_p99;
  double bytes_each; /* of memory, of those that wait */
};

static void number_uuid(uint64_t number, char out[37]) {
  snprintf(out, 37, "00000000-0000-4000-8000-%012llx", (unsigned long long)number);
}

static bool submit(struct round_trip *t, const char *lane) {
  struct ff_submit_args args = FF_ARGS(submit);
  struct ff_submit_result result;
  args.lane_id = ff_text(lane);
  if (ff_submit(t->engine, &args, &result, &t->error) != FF_OK) return false;
  ff_clear(&result);
  return true;
}

static struct ff_claim_args claim_args(const char *lane) {
  struct ff_claim_args args = FF_ARGS(claim);
  args.lane_id = ff_text(lane);
  args.worker_id = args.worker_instance_id = ff_text("bench-signal");
  args.lease_ttl_ms = LEASE_MS;
  return args;
}

static bool suspend(struct round_trip *t, const struct ff_handle *handle, char point[37],
                    char token[256]) {
  char id[37];
  struct ff_waitpoint_binding binding = {.waitpoint_key = ff_text("k")};
  struct ff_suspend_args args = FF_ARGS(suspend);
  struct ff_suspend_result result;
  number_uuid(++t->serial, point);
  number_uuid(t->serial, id);
  binding.waitpoint_id = ff_text(point);
  args.handle = *handle;
  args.suspension_id = ff_text(id);
  args.waitpoints = (struct ff_waitpoint_bindings){&binding, 1};
  args.resume_condition = ff_text(condition);
  args.reason_code = ff_text("waiting_for_signal");
  if (ff_suspend(t->engine, &args, &result, &t->error) != FF_OK) return false;
  struct ff_str minted = result.details.waitpoint_token;
  snprintf(token, 256, "%.*s", (int)minted.len, minted.ptr);
  ff_clear(&result);
  return true;
}

static void claimed(void *user, enum ff_rc rc, struct ff_claim_result *result,
                    const struct ff_error *error) {
  struct round_trip *t = user;
  pthread_mutex_lock(&t->lock);
  t->claimed_ns = bench_now_ns();
  t->rc = rc;
  if (rc == FF_OK) t->handle = result->handle;
  else t->error = *error;
  t->answered = true;
  pthread_cond_signal(&t->said);
  pthread_mutex_unlock(&t->lock);
}

static bool deliver(struct round_trip *t, const char *execution, const char *point,
                    const char *token) {
  struct ff_deliver_signal_args args = FF_ARGS(deliver_signal);
  struct ff_deliver_signal_result result;
  args.execution_id = ff_text(execution);
  args.waitpoint_id = args.signal_id = ff_text(point);
  args.waitpoint_token = ff_text(token);
  args.signal_name = ff_text("go");
  if (ff_deliver_signal(t->engine, &args, &result, &t->error) != FF_OK) return false;
  ff_clear(&result);
  return true;
}

static bool await_claim(struct round_trip *t) {
  pthread_mutex_lock(&t->lock);
  while (!t->answered) pthread_cond_wait(&t->said, &t->lock);
  pthread_mutex_unlock(&t->lock);
  return t->rc == FF_OK && t->handle.len > 0;
}

static bool one_round(struct round_trip *t) {
  struct ff_claim_task_args first = FF_ARGS(claim_task);
  struct ff_claim_task_result task;
  struct ff_str lane = ff_text(t->lane);
  struct ff_claim_args waits = claim_args(t->lane);
  struct ff_complete_args complete = FF_ARGS(complete);
  struct ff_complete_result completed;
  char point[37], token[256], execution[FF_ID_MAX];
  if (!submit(t, t->lane)) return false;
  first.lane_ids = (struct ff_strs){&lane, 1};
  first.worker_id = first.worker_instance_id = ff_text("bench-signal");
  first.lease_ttl_ms = LEASE_MS;
  if (ff_claim_task(t->engine, &first, &task, &t->error) != FF_OK) return false;
  struct ff_handle handle = task.task.handle;
  snprintf(execution, sizeof(execution), "%s", task.task.execution_id.text);
  ff_clear(&task);
  int64_t start = bench_now_ns();
  if (!suspend(t, &handle, point, token)) return false;
  t->answered = false;
  waits.max_wait_ms = WAIT_MS;
  if (ff_claim_async(t->engine, &waits, claimed, t, &t->error) != FF_OK) return false;
  int64_t pause = bench_now_ns();
  bench_sleep_until_ns(pause + SETTLE_NS); /* the claim waits by then */
  int64_t sent = bench_now_ns();
  pause = sent - pause;
  if (!deliver(t, execution, point, token) || !await_claim(t)) return false;
  complete.handle = t->handle;
  if (ff_complete(t->engine, &complete, &completed, &t->error) != FF_OK) return false;
  ff_clear(&completed);
  bench_times_add(&t->windows, bench_now_ns() - start - pause);
  bench_times_add(&t->claims, t->claimed_ns - start - pause);
  bench_times_add(&t->resumes, t->claimed_ns - sent);
  return true;
}

/* Executions of another lane that go on waiting. What each costs in memory is what the second half
 * adds: by then every cache is as full as it gets. */
static bool fill(struct round_trip *t, uint64_t count, double *bytes_each) {
  uint64_t serial = t->serial & 0xffffff0000, half = count / 2;
  if (!half) return true;
  if (!bench_fill_suspended(t->engine, half, &serial, &t->error)) return false;
  uint64_t before = bench_trimmed_bytes();
  if (!bench_fill_suspended(t->engine, half, &serial, &t->error)) return false;
  *bytes_each = ((double)bench_trimmed_bytes() - (double)before) / (double)half;
  return true;
}

static bool one_run(struct round_trip *t, uint64_t n, struct figures *f) {
  bool ok = true;
  for (uint64_t i = 0; ok && i < n + n / 10 && !bench_stopped(); i++) {
    if (i == n / 10) { /* warm now */
      memset(&t->windows, 0, sizeof(t->windows));
      memset(&t->claims, 0, sizeof(t->claims));
      memset(&t->resumes, 0, sizeof(t->resumes));
    }
    ok = one_round(t);
  }
  bench_series_add(&f->p50, bench_times_ms(&t->windows, 0.5));
  bench_series_add(&f->p99, bench_times_ms(&t->windows, 0.99));
  bench_series_add(&f->claim_p50, bench_times_ms(&t->claims, 0.5));
  bench_series_add(&f->resume_p50, bench_times_ms(&t->resumes, 0.5));
  bench_series_add(&f->resume_p99, bench_times_ms(&t->resumes, 0.99));
  return ok;
}

static int run(struct bench *b, uint64_t n, unsigned runs, uint64_t others, struct figures *f,
               char durability[64]) {
  struct bench_store store;
  char lane[64];
  int code = bench_store_open(b, false, &store);
  if (code != CLI_OK) return code;
  snprintf(durability, 64, "%s", ff_durability(store.engine));
  bench_lane_name(b, lane);
  struct round_trip *t = cli_alloc(sizeof(*t));
  memset(t, 0, sizeof(*t));
  t->b = b, t->engine = store.engine, t->lane = lane;
  t->serial = (uint64_t)bench_now_ns() & 0xffffffffff; /* new ids in a store that is kept */
  pthread_mutex_init(&t->lock, NULL);
  pthread_cond_init(&t->said, NULL);
  bool ok = fill(t, others, &f->bytes_each);
  for (unsigned i = 0; ok && i < runs && !bench_stopped(); i++) ok = one_run(t, n, f);
  if (!ok) code = cli_fail(b->cli, &t->error);
  else if (bench_stopped()) code = CLI_INTERRUPTED;
  bench_store_close(&store);
  pthread_mutex_destroy(&t->lock);
  pthread_cond_destroy(&t->said);
  free(t);
  return code;
}

static int measure(struct bench *b, const char *name, uint64_t n, unsigned runs, uint64_t others) {
  struct figures *f = cli_alloc(sizeof(*f));
  struct bench_line line;
  char durability[64] = "";
  int code;
  memset(f, 0, sizeof(*f));
  code = run(b, n, runs, others, f, durability);
  if (code == CLI_OK) {
    bench_line_init(&line, name, durability, n);
    line.p50_ms = bench_series_median(&f->p50);
    line.p99_ms = bench_series_median(&f->p99);
    bench_line_note(&line, "suspend, signal, resumed claim, complete");
    bench_line_note(&line, "up to the resumed claim p50 %.3f ms",
                    bench_series_median(&f->claim_p50));
    bench_line_note(&line, "signal to resumed claim p50 %.3f p99 %.3f ms",
                    bench_series_median(&f->resume_p50), bench_series_median(&f->resume_p99));
    bench_line_note(&line, "%llu others suspended; median of %u run%s", (unsigned long long)others,
                    runs, runs == 1 ? "" : "s");
    if (others) bench_line_note(&line, "%.1f B of memory for each of them", f->bytes_each);
    bench_print(b, &line);
  }
  free(f);
  return code;
}

int bench_signal(struct bench *b) {
  uint64_t n = b->n ? (uint64_t)b->n : 1000;
  unsigned runs = b->runs ? (unsigned)b->runs : 5;
  int code = measure(b, "signal", n, runs, 0);
  uint64_t others = b->stored < 100000 ? (uint64_t)b->stored : 100000;
  return code == CLI_OK ? measure(b, "signal.suspended", n, runs, others) : code;
}
