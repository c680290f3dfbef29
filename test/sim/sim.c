/*
 * The simulator: thousands of seeded histories in parallel worker processes (DESIGN §7).
 *
 * usage: sim [--seed N] [--count N] [--operations N] [--workers N] [--trace]
 *   --seed alone runs that one history and tells its hash; a failing seed fails the same way every
 * time. FF_SOAK=1 runs ten times as many.
 *
 * Workers are processes, so that a broken invariant of the library ends one of them and its seed is
 * known.
 */
#include "test/lib/simulation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS_MAX 64
#define FAILURES_MAX 3 /* of one worker: then it gives up */

struct totals {
  uint64_t suspensions, signals, met;
  uint64_t histories, operations, copies, answers, steps, events, crashes, faults, lost, conflicts,
      batches;
};

/* Shared with the parent; each worker writes its own. */
struct sim_worker {
  uint64_t seed;   /* under way */
  uint64_t failed; /* how many */
  uint64_t hash;   /* of all its histories */
  struct totals totals;
  struct failure {
    uint64_t seed;
    uint32_t step;
    char complaint[1200];
  } failures[FAILURES_MAX];
};

struct plan {
  uint64_t first, count;
  uint32_t operations, workers;
  bool trace;
};

static void add(struct totals *t, const struct simulation_result *r) {
  t->histories++;
  t->operations += r->operations;
  t->copies += r->copies;
  t->answers += r->answers;
  t->steps += r->steps;
  t->events += r->events;
  t->suspensions += r->suspensions;
  t->signals += r->signals;
  t->met += r->met;
  t->crashes += r->crashes;
  t->faults += r->faults;
  t->lost += r->lost;
  t->conflicts += r->conflicts;
  t->batches += r->batches;
}

static void run_one(const struct plan *p, uint64_t seed, struct sim_worker *w) {
  struct simulation_options options = {
      .seed = seed, .operations = p->operations, .trace = p->trace};
  struct simulation_result r;
  w->seed = seed;
  simulation_run(&options, &r);
  add(&w->totals, &r);
  w->hash = hash_mix64(w->hash ^ r.hash);
  if (r.ok) return;
  struct failure *f = &w->failures[w->failed++];
  f->seed = seed;
  f->step = r.step;
  memcpy(f->complaint, r.complaint, sizeof f->complaint);
}

static void work(const struct plan *p, uint32_t index, struct sim_worker *w) {
  for (uint64_t i = index; i < p->count && w->failed < FAILURES_MAX; i += p->workers)
    run_one(p, p->first + i, w);
}

static void tell(const struct sim_worker *w) {
  for (uint64_t i = 0; i < w->failed; i++)
    printf("VIOLATION seed %llu step %u: %s\n  again: sim --seed %llu --trace\n",
           (unsigned long long)w->failures[i].seed, w->failures[i].step, w->failures[i].complaint,
           (unsigned long long)w->failures[i].seed);
}

/* Same seed, same trace: without that a failing seed could not be found again. */
static uint64_t run_twice(const struct plan *p) {
  struct simulation_options options = {.seed = p->first, .operations = p->operations};
  struct simulation_result first, second;
  simulation_run(&options, &first);
  simulation_run(&options, &second);
  if (first.hash == second.hash && first.hash) return 0;
  printf("VIOLATION seed %llu: two runs differ, %016llx and %016llx\n",
         (unsigned long long)p->first, (unsigned long long)first.hash,
         (unsigned long long)second.hash);
  return 1;
}

static uint64_t run_workers(const struct plan *p, struct sim_worker *workers) {
  pid_t pids[WORKERS_MAX];
  uint64_t violations = 0;
  fflush(stdout);
  for (uint32_t i = 0; i < p->workers; i++) {
    pids[i] = fork();
    if (pids[i] == 0) {
      work(p, i, &workers[i]);
      exit(0); /* not _exit: leaks are looked for */
    }
  }
  for (uint32_t i = 0; i < p->workers; i++) {
    int status = 0;
    waitpid(pids[i], &status, 0);
    tell(&workers[i]);
    violations += workers[i].failed;
    if (status == 0) continue;
    printf("VIOLATION seed %llu: the process died (status %x)\n  again: sim --seed %llu --trace\n",
           (unsigned long long)workers[i].seed, (unsigned)status,
           (unsigned long long)workers[i].seed);
    violations++;
  }
  return violations;
}

static int report(const struct plan *p, const struct sim_worker *workers, uint64_t violations) {
  struct totals t = {0};
  for (uint32_t i = 0; i < p->workers; i++) {
    const struct totals *w = &workers[i].totals;
    t.histories += w->histories;
    t.operations += w->operations;
    t.copies += w->copies;
    t.answers += w->answers;
    t.steps += w->steps;
    t.events += w->events;
    t.suspensions += w->suspensions;
    t.signals += w->signals;
    t.met += w->met;
    t.crashes += w->crashes;
    t.faults += w->faults;
    t.lost += w->lost;
    t.conflicts += w->conflicts;
    t.batches += w->batches;
  }
  printf(
      "calls sent %llu, answered %llu, answers lost %llu; engine steps %llu, batches %llu, "
      "operations run again %llu\n",
      (unsigned long long)t.copies, (unsigned long long)t.answers, (unsigned long long)t.lost,
      (unsigned long long)t.steps, (unsigned long long)t.batches, (unsigned long long)t.conflicts);
  printf("events %llu, crashes %llu, store faults %llu\n", (unsigned long long)t.events,
         (unsigned long long)t.crashes, (unsigned long long)t.faults);
  printf("suspensions %llu, signals accepted %llu, conditions met by one %llu\n",
         (unsigned long long)t.suspensions, (unsigned long long)t.signals,
         (unsigned long long)t.met);
  if (p->count == 1) printf("hash %016llx\n", (unsigned long long)workers[0].hash);
  printf("%llu histories, %llu operations, %llu violations\n", (unsigned long long)t.histories,
         (unsigned long long)t.operations, (unsigned long long)violations);
  return violations != 0;
}

static uint64_t number(const char *text) { return text ? strtoull(text, NULL, 10) : 0; }

int main(int argc, char **argv) {
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  struct plan p = {.first = 1, .operations = 300, .workers = cores > 0 ? (uint32_t)cores : 1};
  bool one = false;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--seed") == 0)
      p.first = number(argv[++i]), one = true;
    else if (strcmp(argv[i], "--count") == 0)
      p.count = number(argv[++i]);
    else if (strcmp(argv[i], "--operations") == 0)
      p.operations = (uint32_t)number(argv[++i]);
    else if (strcmp(argv[i], "--workers") == 0)
      p.workers = (uint32_t)number(argv[++i]);
    else if (strcmp(argv[i], "--trace") == 0)
      p.trace = true;
    else
      return fprintf(
                 stderr,
                 "usage: sim [--seed N] [--count N] [--operations N] [--workers N] [--trace]\n"),
             2;
  }
  if (!p.count) p.count = one ? 1 : getenv("FF_SOAK") ? 50000 : 5000;
  if (p.workers < 1 || p.workers > WORKERS_MAX) p.workers = 1;
  size_t size = sizeof(struct sim_worker) * p.workers;
  struct sim_worker *workers =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (workers == MAP_FAILED) return 2;
  uint64_t violations = 0;
  if (p.count == 1) {
    p.workers = 1;
    work(&p, 0, &workers[0]);
    violations = workers[0].failed;
    tell(&workers[0]);
  } else {
    violations = run_twice(&p) + run_workers(&p, workers);
  }
  int status = report(&p, workers, violations);
  munmap(workers, size);
  return status;
}
