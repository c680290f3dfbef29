/*
 * Clocks, distributions, what the process used, and threads that start together.
 *
 * Knows nothing of executions. Reads clocks and /proc only; never writes.
 */
#include "args.h"
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t bench_now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
int64_t bench_thread_cpu_ns(void) { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

void bench_sleep_until_ns(int64_t at_ns) {
  struct timespec at = {at_ns / 1000000000, at_ns % 1000000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR && !bench_stopped()) {
  }
}

/* ---- distributions: buckets of equal relative width ---- */

static unsigned bucket_of(uint64_t ns) {
  if (ns < (1u << BENCH_SUB_BITS)) return (unsigned)ns;
  unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - BENCH_SUB_BITS;
  uint64_t index = ((uint64_t)shift << BENCH_SUB_BITS) + (ns >> shift);
  return index < BENCH_BUCKETS ? (unsigned)index : BENCH_BUCKETS - 1;
}

/* The middle of a bucket. */
static double bucket_ns(unsigned index) {
  if (index < (2u << BENCH_SUB_BITS)) return index;
  unsigned shift = (index >> BENCH_SUB_BITS) - 1;
  uint64_t low = (uint64_t)(index - (shift << BENCH_SUB_BITS)) << shift;
  return (double)low + (double)(1ull << shift) / 2;
}

void bench_times_add(struct bench_times *times, int64_t ns) {
  if (ns < 0) ns = 0;
  times->count++;
  times->buckets[bucket_of((uint64_t)ns)]++;
  if (ns > times->max_ns) times->max_ns = ns;
}

void bench_times_merge(struct bench_times *into, const struct bench_times *from) {
  into->count += from->count;
  if (from->max_ns > into->max_ns) into->max_ns = from->max_ns;
  for (unsigned i = 0; i < BENCH_BUCKETS; i++) into->buckets[i] += from->buckets[i];
}

double bench_times_ms(const struct bench_times *times, double share) {
  if (!times->count) return NAN;
  uint64_t rank = (uint64_t)(share * (double)times->count), seen = 0;
  if (rank >= times->count) rank = times->count - 1;
  for (unsigned i = 0; i < BENCH_BUCKETS; i++) {
    seen += times->buckets[i];
    if (seen > rank) return fmin(bucket_ns(i), (double)times->max_ns) / 1e6;
  }
  return bench_times_max_ms(times);
}

double bench_times_max_ms(const struct bench_times *times) {
  return times->count ? (double)times->max_ns / 1e6 : NAN;
}

/* ---- usage ---- */

static uint64_t proc_number(const char *file, const char *name) {
  char line[256];
  unsigned long long number = 0;
  FILE *in = fopen(file, "re");
  if (!in) return 0;
  size_t len = strlen(name);
  while (fgets(line, sizeof(line), in))
    if (strncmp(line, name, len) == 0) number = strtoull(line + len, NULL, 10);
  fclose(in);
  return number;
}

struct bench_usage bench_usage_now(void) {
  return (struct bench_usage){.wall_ns = bench_now_ns(),
                              .cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
                              .written_bytes = proc_number("/proc/self/io", "wchar:"),
                              .write_calls = proc_number("/proc/self/io", "syscw:")};
}

struct bench_usage bench_usage_since(const struct bench_usage *start) {
  struct bench_usage now = bench_usage_now();
  return (struct bench_usage){.wall_ns = now.wall_ns - start->wall_ns,
                              .cpu_ns = now.cpu_ns - start->cpu_ns,
                              .written_bytes = now.written_bytes - start->written_bytes,
                              .write_calls = now.write_calls - start->write_calls};
}

uint64_t bench_resident_bytes(void) { return proc_number("/proc/self/status", "VmRSS:") * 1024; }

/* ---- crews ---- */

struct crew {
  void (*work)(void *shared, unsigned index);
  void *shared;
  pthread_mutex_t lock;
  pthread_cond_t said;
  enum { CREW_WAIT, CREW_GO, CREW_GO_HOME } word;
};
struct crew_member {
  struct crew *crew;
  unsigned index;
  pthread_t thread;
};

static void *crew_main(void *user) {
  struct crew_member *member = user;
  struct crew *crew = member->crew;
  prctl(PR_SET_TIMERSLACK, 1000ul, 0ul, 0ul, 0ul); /* pacing to the microsecond */
  pthread_mutex_lock(&crew->lock);
  while (crew->word == CREW_WAIT) pthread_cond_wait(&crew->said, &crew->lock);
  bool go = crew->word == CREW_GO;
  pthread_mutex_unlock(&crew->lock);
  if (go) crew->work(crew->shared, member->index);
  return NULL;
}

int64_t bench_crew_run(unsigned count, void (*work)(void *shared, unsigned index), void *shared) {
  struct crew crew = {work, shared, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, CREW_WAIT};
  struct crew_member *members = cli_alloc(count * sizeof(*members));
  unsigned started = 0;
  int code = 0;
  while (started < count && code == 0) {
    struct crew_member *member = &members[started];
    *member = (struct crew_member){.crew = &crew, .index = started};
    code = pthread_create(&member->thread, NULL, crew_main, member);
    if (code == 0) started++;
  }
  int64_t start = bench_now_ns();
  pthread_mutex_lock(&crew.lock);
  crew.word = code == 0 ? CREW_GO : CREW_GO_HOME;
  pthread_cond_broadcast(&crew.said);
  pthread_mutex_unlock(&crew.lock);
  for (unsigned i = 0; i < started; i++) pthread_join(members[i].thread, NULL);
  int64_t taken = bench_now_ns() - start;
  free(members);
  if (code == 0) return taken;
  cli_error(CLI_UNREACHABLE, "cannot start %u threads: %s", count, strerror(code));
  return -1;
}

/* ---- medians ---- */

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double bench_median(double *numbers, size_t count) {
  size_t kept = 0;
  for (size_t i = 0; i < count; i++)
    if (!isnan(numbers[i])) numbers[kept++] = numbers[i];
  if (!kept) return NAN;
  qsort(numbers, kept, sizeof(*numbers), by_value);
  return kept % 2 ? numbers[kept / 2] : (numbers[kept / 2 - 1] + numbers[kept / 2]) / 2;
}

void bench_series_add(struct bench_series *series, double value) {
  if (series->count < BENCH_RUNS_MAX) series->values[series->count++] = value;
}

double bench_series_median(const struct bench_series *series) {
  struct bench_series copy = *series;
  return bench_median(copy.values, copy.count);
}
