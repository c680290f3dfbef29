/*
 * A process that gets killed: threads that submit, claim, complete, fail and delay on a real
 * store, each telling the parent through a pipe what it is about to do and what was acknowledged.
 */
#include "test/crash/crash.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct hand {
  struct ff_engine *engine;
  int pipe;
  uint64_t dice;
  uint32_t thread, round, serial, work_ms;
  char worker[24];
};

static uint32_t dice(struct hand *h, uint32_t bound) {
  h->dice = hash_mix64(h->dice);
  return (uint32_t)((h->dice >> 32) * bound >> 32);
}

static void tell(struct hand *h, struct note *n, enum note_kind kind) {
  n->kind = kind;
  n->thread = h->thread;
  n->serial = h->serial;
  if (write(h->pipe, n, sizeof *n) != (ssize_t)sizeof *n) _exit(3);
}

/* An end that was refused because the lease is another's by now; other failures tell nothing. */
static void tell_refused(struct hand *h, struct note *n, const struct ff_error *error) {
  if (error->code == FF_CODE_lease_expired || error->code == FF_CODE_stale_lease ||
      error->code == FF_CODE_execution_not_active)
    tell(h, n, NOTE_REFUSED);
}

static void about(struct hand *h, struct note *n, enum note_op op, const char *execution,
                  const struct ff_handle *handle, uint64_t epoch) {
  h->serial++;
  *n = (struct note){.op = op, .epoch = epoch};
  if (execution) snprintf(n->execution, sizeof n->execution, "%s", execution);
  if (handle) n->handle = *handle;
  snprintf(n->key, sizeof n->key, "%u-%u-%u", h->round, h->thread, h->serial);
}

/* The payload says which request made it: two executions with one payload would be a request that
 * happened twice. */
static void do_submit(struct hand *h) {
  static const char *const policies[] = {
      "", "{\"retry_policy\":{\"max_retries\":2,\"backoff\":{\"type\":\"fixed\",\"delay_ms\":10}}}",
      "{\"max_reclaim_count\":1000,\"timeout_policy\":{\"attempt_timeout_ms\":60000}}"};
  char payload[700];
  struct note n;
  about(h, &n, NOTE_SUBMIT, NULL, NULL, 0);
  memset(payload, 'x', sizeof payload);
  int len = snprintf(payload, sizeof payload, "%s", n.key);
  struct ff_submit_args args = FF_ARGS(submit);
  args.lane_id = TEXT_LIT(LANE);
  args.idempotency_key = ff_text(n.key);
  args.input_payload = (struct ff_bytes){payload, dice(h, 8) ? (size_t)len : sizeof payload};
  args.policy = ff_text(policies[dice(h, 3)]);
  args.priority = (int32_t)dice(h, 10);
  struct ff_submit_result result;
  struct ff_error error;
  tell(h, &n, NOTE_ABOUT);
  if (ff_submit(h->engine, &args, &result, &error) != FF_OK) return;
  snprintf(n.execution, sizeof n.execution, "%s", result.execution_id.text);
  n.outcome = result.outcome;
  tell(h, &n, NOTE_DONE);
  ff_clear(&result);
}

static void do_complete(struct hand *h, const struct ff_task *task) {
  char payload[120];
  struct note n;
  about(h, &n, NOTE_COMPLETE, task->execution_id.text, &task->handle, task->lease_epoch);
  int len = snprintf(payload, sizeof payload, "%s#%llu", task->execution_id.text,
                     (unsigned long long)task->lease_epoch);
  struct ff_complete_args args = FF_ARGS(complete);
  args.handle = task->handle;
  args.result_payload = (struct ff_bytes){payload, (size_t)len};
  struct ff_complete_result result;
  struct ff_error error;
  tell(h, &n, NOTE_ABOUT);
  if (ff_complete(h->engine, &args, &result, &error) != FF_OK) {
    tell_refused(h, &n, &error);
    return;
  }
  tell(h, &n, NOTE_DONE);
  ff_clear(&result);
}

static void do_fail(struct hand *h, const struct ff_task *task) {
  struct note n;
  about(h, &n, NOTE_FAIL, task->execution_id.text, &task->handle, task->lease_epoch);
  struct ff_fail_args args = FF_ARGS(fail);
  args.handle = task->handle;
  args.reason = TEXT_LIT("by chance");
  struct ff_fail_result result;
  struct ff_error error;
  tell(h, &n, NOTE_ABOUT);
  if (ff_fail(h->engine, &args, &result, &error) != FF_OK) {
    tell_refused(h, &n, &error);
    return;
  }
  n.outcome = result.outcome;
  tell(h, &n, NOTE_DONE);
  ff_clear(&result);
}

static void do_delay(struct hand *h, const struct ff_task *task) {
  struct note n;
  about(h, &n, NOTE_DELAY, task->execution_id.text, &task->handle, task->lease_epoch);
  struct ff_delay_args args = FF_ARGS(delay);
  args.handle = task->handle;
  args.delay_until = clock_wall_ms() + 20;
  struct ff_delay_result result;
  struct ff_error error;
  tell(h, &n, NOTE_ABOUT);
  if (ff_delay(h->engine, &args, &result, &error) != FF_OK) {
    tell_refused(h, &n, &error);
    return;
  }
  tell(h, &n, NOTE_DONE);
  ff_clear(&result);
}

static void do_claim(struct hand *h) {
  struct ff_str lane = TEXT_LIT(LANE);
  struct note n;
  about(h, &n, NOTE_CLAIM, NULL, NULL, 0);
  struct ff_claim_task_args args = FF_ARGS(claim_task);
  args.lane_ids = (struct ff_strs){&lane, 1};
  args.worker_id = TEXT_LIT("hand");
  args.worker_instance_id = ff_text(h->worker);
  args.lease_ttl_ms = LEASE_MS;
  args.request_id = ff_text(n.key);
  struct ff_claim_task_result result;
  struct ff_error error;
  tell(h, &n, NOTE_ABOUT);
  if (ff_claim_task(h->engine, &args, &result, &error) != FF_OK) return;
  n.outcome = result.outcome;
  n.epoch = result.task.lease_epoch;
  snprintf(n.execution, sizeof n.execution, "%s", result.task.execution_id.text);
  tell(h, &n, NOTE_DONE);
  if (result.outcome == FF_outcome_claimed) {
    uint32_t what = dice(h, 10);
    if (h->work_ms) usleep(dice(h, h->work_ms) * 1000);
    if (what < 6)
      do_complete(h, &result.task);
    else if (what < 8)
      do_fail(h, &result.task);
    else if (what == 8)
      do_delay(h, &result.task);
    /* else it is forgotten: its lease must run out */
  }
  ff_clear(&result);
}

static void *hand_main(void *user) {
  struct hand *h = user;
  for (;;) {
    if (dice(h, 100) < 42)
      do_submit(h);
    else
      do_claim(h);
  }
  return NULL;
}

struct ff_engine *crash_open(const char *url, bool scanners) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct ff_engine *engine = NULL;
  struct ff_error error;
  options.auto_reclaim_delay_ms = 1; /* at once */
  options.no_scanners = !scanners;
  if (ff_open(url, &options, &engine, &error) == FF_OK) return engine;
  printf("cannot open %s: %s: %s\n", url, ff_code_name(error.code), error.detail);
  return NULL;
}

int crash_child(const struct crash_child *c) {
  struct hand hands[THREADS];
  struct note opened = {0};
  pthread_t threads[THREADS];
  struct ff_engine *engine = crash_open(c->url, true);
  if (!engine) return 4;
  for (uint32_t i = 0; i < THREADS; i++) {
    uint32_t number = c->process * THREADS + i;
    hands[i] = (struct hand){.engine = engine,
                             .pipe = c->pipe,
                             .dice = hash_mix64(c->seed * 64 + number),
                             .thread = number,
                             .round = c->round,
                             .work_ms = c->work_ms};
    snprintf(hands[i].worker, sizeof hands[i].worker, "hand-%u-%u", c->round, number);
  }
  tell(&hands[0], &opened, NOTE_OPEN);
  for (uint32_t i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, hand_main, &hands[i]) != 0) return 5;
  pthread_join(threads[0], NULL); /* never: they work until the process is killed */
  return 6;
}
