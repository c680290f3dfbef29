/*
 * The renewal thread of `ff run`: one call renews what every worker holds, each third of the lease's time.
 *
 * It runs apart from the workers so that no command, however busy, can cost its own lease. A lease that is refused,
 * or that could not be renewed in time, marks its worker, which kills the command.
 */
#include "run.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* What was held when the round began. */
struct round {
  struct ff_renew_item items[RUN_WORKERS_MAX];
  struct {
    unsigned worker;
    uint64_t generation;
  } of[RUN_WORKERS_MAX];
  size_t count;
};

static void collect(struct run *run, struct round *round) {
  round->count = 0;
  for (unsigned i = 0; i < run->worker_count; i++) {
    const struct run_held *held = &run->workers[i].held;
    if (!held->active || held->lost) continue;
    round->items[round->count].handle = held->handle;
    round->of[round->count].worker = i;
    round->of[round->count++].generation = held->generation;
  }
}

static void mark_lost(struct run_worker *worker) {
  uint64_t one = 1;
  worker->held.lost = true;
  if (write(worker->wake_fd, &one, sizeof(one)) < 0) return; /* full: it will look anyway */
}

/* The answers of a round that began at `since`; slots NULL = the call failed. */
static void apply(struct run *run, const struct round *round, const struct ff_renew_slots *slots,
                  int64_t since) {
  int64_t now = cli_monotonic_ms();
  for (size_t i = 0; i < round->count; i++) {
    struct run_worker *worker = &run->workers[round->of[i].worker];
    if (!worker->held.active || worker->held.generation != round->of[i].generation) continue;
    bool renewed = slots && i < slots->count && slots->items[i].error.rc == FF_OK;
    bool refused =
        slots && i < slots->count && !renewed &&
        (slots->items[i].error.rc == FF_STATE || slots->items[i].error.rc == FF_CONTENTION ||
         slots->items[i].error.rc == FF_NOT_FOUND);
    if (renewed) worker->held.until = since + run->lease_ms;
    if (refused || now >= worker->held.until) mark_lost(worker);
  }
}

/* Answers how long to wait for the next round, in ms. */
static int64_t renew(struct run *run, struct round *round) {
  struct ff_renew_many_args args = FF_ARGS(renew_many);
  struct ff_renew_many_result result = {0};
  struct ff_error error = {0};
  int64_t since = cli_monotonic_ms();
  args.items = (struct ff_renew_items){round->items, round->count};
  enum ff_rc rc = ff_renew_many(run->cli->engine, &args, &result, &error);
  pthread_mutex_lock(&run->lock);
  apply(run, round, rc == FF_OK ? &result.slots : NULL, since);
  pthread_mutex_unlock(&run->lock);
  if (rc == FF_OK) ff_clear(&result);
  return rc == FF_OK ? run->lease_ms / 3 : run->lease_ms / 20 + 1;
}

static void wait_for(struct run *run, int64_t ms) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += ms / 1000;
  until.tv_nsec += ms % 1000 * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  while (!run->renewer_over && pthread_cond_timedwait(&run->renewer, &run->lock, &until) == 0) {}
}

void *run_renewer_main(void *user) {
  struct run *run = user;
  struct round *round = cli_alloc(sizeof(*round));
  pthread_mutex_lock(&run->lock);
  int64_t pause = run->lease_ms / 3;
  for (;;) {
    wait_for(run, pause);
    if (run->renewer_over) break;
    collect(run, round);
    if (!round->count) continue;
    pthread_mutex_unlock(&run->lock);
    pause = renew(run, round);
    pthread_mutex_lock(&run->lock);
  }
  pthread_mutex_unlock(&run->lock);
  free(round);
  return NULL;
}
