/*
 * The engine under threads: group commit, waiting claims, asynchronous calls, waits and closing, on every store.
 *
 * Run under ThreadSanitizer by `./dev tsan`. Counts are small: what matters is that every path meets every other.
 */
#include "flowfabric/flowfabric.h"

#include "base/base.h"
#include "base/park.h"
#include "test/lib/stores.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define WORKERS 8
#define JOBS 200

static struct ff_engine *open_engine(const char *url) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct ff_engine *engine;
  struct ff_error error;
  options.dev_mode = true;
  if (ff_open(url, &options, &engine, &error) != FF_OK) fail_msg("%s: %s", url, error.detail);
  return engine;
}

static void remove_store(const char *path) {
  static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
  for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
    char name[256];
    snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
    unlink(name);
  }
}

static void each_store(void (*run)(struct ff_engine *)) {
  int missing = 0; /* a server that must be there fails test/store */
  for (size_t i = 0; i < TEST_STORES; i++) {
    char url[600];
    if (!test_store_available(i, &missing)) continue;
    test_store_place(i, "threads", "?synchronous=off", url, sizeof url);
    struct ff_engine *engine = open_engine(url);
    run(engine);
    ff_close(engine);
    test_store_remove(i, "threads");
  }
}

struct work {
  struct ff_engine *engine;
  atomic_int claimed, completed;
};

static void submit_one(struct ff_engine *engine, const char *lane, struct ff_id *id) {
  struct ff_submit_args args = FF_ARGS(submit);
  struct ff_submit_result result;
  struct ff_error error;
  args.lane_id = ff_text(lane);
  args.input_payload = (struct ff_bytes){"payload", 7};
  if (ff_submit(engine, &args, &result, &error) != FF_OK) fail_msg("submit: %s", error.detail);
  if (id) *id = result.execution_id;
  ff_clear(&result);
}

static void *worker(void *user) {
  struct work *w = user;
  char instance[32];
  snprintf(instance, sizeof instance, "w-%p", (void *)&instance);
  while (atomic_load(&w->completed) < JOBS) {
    struct ff_str lane = ff_text("threads");
    struct ff_claim_task_args args = FF_ARGS(claim_task);
    struct ff_claim_task_result task;
    struct ff_error error;
    args.lane_ids = (struct ff_strs){&lane, 1};
    args.worker_id = ff_text("w");
    args.worker_instance_id = ff_text(instance);
    args.lease_ttl_ms = 30000;
    args.max_wait_ms = 50;
    assert_int_equal(ff_claim_task(w->engine, &args, &task, &error), FF_OK);
    if (task.outcome == FF_outcome_claimed) {
      struct ff_complete_args done = FF_ARGS(complete);
      struct ff_complete_result completed;
      atomic_fetch_add(&w->claimed, 1);
      done.handle = task.task.handle;
      assert_int_equal(ff_complete(w->engine, &done, &completed, &error), FF_OK);
      ff_clear(&completed);
      atomic_fetch_add(&w->completed, 1);
    }
    ff_clear(&task);
  }
  return NULL;
}

/* L-84: concurrent claims never return the same execution; a waiting claim is woken by the commit that makes work. */
static void run_work(struct ff_engine *engine) {
  struct work w = {.engine = engine};
  pthread_t threads[WORKERS];
  for (int i = 0; i < WORKERS; i++) pthread_create(&threads[i], NULL, worker, &w);
  for (int i = 0; i < JOBS; i++) submit_one(engine, "threads", NULL);
  for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
  assert_int_equal(w.claimed, JOBS);
  assert_int_equal(w.completed, JOBS);
}

static void claims_are_exclusive(void **state) {
  (void)state;
  each_store(run_work);
}

static void count_done(void *user, enum ff_rc rc, struct ff_submit_result *result,
                       const struct ff_error *error) {
  (void)result, (void)error;
  if (rc == FF_OK) atomic_fetch_add((atomic_int *)user, 1);
}

/* The async form calls back exactly once, and ff_close waits for what is under way. */
static void run_async(struct ff_engine *engine) {
  atomic_int done = 0;
  struct ff_error error;
  for (int i = 0; i < JOBS; i++) {
    char lane[16] = "async"; /* the arguments are copied: this buffer may go at once */
    struct ff_submit_args args = FF_ARGS(submit);
    args.lane_id = ff_text(lane);
    assert_int_equal(ff_submit_async(engine, &args, count_done, &done, &error), FF_OK);
    memset(lane, 'x', sizeof lane - 1);
  }
  assert_int_equal(ff_shutdown_prepare(engine, 10000, &error), FF_OK);
  struct park pause = {0};
  for (int i = 0; i < 2000 && atomic_load(&done) < JOBS; i++) (void)park_wait(&pause, 1000);
  assert_int_equal(done, JOBS);
  struct ff_submit_args late = FF_ARGS(submit);
  struct ff_submit_result result;
  assert_int_equal(ff_submit(engine, &late, &result, &error), FF_UNAVAILABLE);
}

static void async_calls_answer_once(void **state) {
  (void)state;
  each_store(run_async);
}

struct waiter {
  struct ff_engine *engine;
  struct ff_id id;
  uint8_t outcome, public_state;
};

static void *wait_for_end(void *user) {
  struct waiter *w = user;
  struct ff_wait_execution_args args = FF_ARGS(wait_execution);
  struct ff_wait_execution_result result;
  struct ff_error error;
  args.execution_id = ff_text(w->id.text);
  args.timeout_ms = 20000;
  assert_int_equal(ff_wait_execution(w->engine, &args, &result, &error), FF_OK);
  w->outcome = result.outcome;
  w->public_state = result.execution.public_state;
  ff_clear(&result);
  return NULL;
}

static void run_wait(struct ff_engine *engine) {
  struct waiter waiters[WORKERS];
  pthread_t threads[WORKERS];
  for (int i = 0; i < WORKERS; i++) {
    waiters[i] = (struct waiter){.engine = engine};
    submit_one(engine, "wait", &waiters[i].id);
    pthread_create(&threads[i], NULL, wait_for_end, &waiters[i]);
  }
  for (int i = 0; i < WORKERS; i++) {
    struct ff_cancel_execution_args args = FF_ARGS(cancel_execution);
    struct ff_cancel_execution_result result;
    struct ff_error error;
    args.execution_id = ff_text(waiters[i].id.text);
    args.reason = ff_text("enough");
    assert_int_equal(ff_cancel_execution(engine, &args, &result, &error), FF_OK);
    ff_clear(&result);
  }
  for (int i = 0; i < WORKERS; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(waiters[i].outcome, FF_outcome_ok);
    assert_int_equal(waiters[i].public_state, FF_public_state_cancelled);
  }
}

static void waits_end_with_the_execution(void **state) {
  (void)state;
  each_store(run_wait);
}

/* A wait that nothing ends times out and shows the state; a claim that finds nothing answers none in time. */
static void run_timeouts(struct ff_engine *engine) {
  struct waiter w = {.engine = engine};
  submit_one(engine, "slow", &w.id);
  struct ff_wait_execution_args args = FF_ARGS(wait_execution);
  struct ff_wait_execution_result result;
  struct ff_error error;
  args.execution_id = ff_text(w.id.text);
  args.timeout_ms = 20;
  assert_int_equal(ff_wait_execution(engine, &args, &result, &error), FF_OK);
  assert_int_equal(result.outcome, FF_outcome_timed_out);
  assert_int_equal(result.execution.public_state, FF_public_state_waiting);
  ff_clear(&result);
  struct ff_claim_args claim = FF_ARGS(claim);
  struct ff_claim_result none;
  claim.lane_id = ff_text("nothing here");
  claim.worker_id = claim.worker_instance_id = ff_text("w");
  claim.lease_ttl_ms = 1000;
  claim.max_wait_ms = 20;
  assert_int_equal(ff_claim(engine, &claim, &none, &error), FF_OK);
  assert_int_equal(none.outcome, FF_outcome_none);
  ff_clear(&none);
}

static void waits_time_out(void **state) {
  (void)state;
  each_store(run_timeouts);
}

/* P5: a lease that dies comes back by itself, without anybody's help. */
static void run_recovery(struct ff_engine *engine) {
  struct ff_id id;
  struct ff_error error;
  submit_one(engine, "dies", &id);
  for (int attempt = 0; attempt < 2; attempt++) {
    struct ff_claim_args claim = FF_ARGS(claim);
    struct ff_claim_result claimed;
    claim.lane_id = ff_text("dies");
    claim.worker_id = claim.worker_instance_id = ff_text("w");
    claim.lease_ttl_ms = 50;
    claim.max_wait_ms = 10000;
    assert_int_equal(ff_claim(engine, &claim, &claimed, &error), FF_OK);
    assert_int_equal(claimed.outcome, FF_outcome_claimed);
    ff_clear(&claimed);
  }
}

static void lost_leases_come_back(void **state) {
  (void)state;
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct ff_engine *engine;
  struct ff_error error;
  options.auto_reclaim_delay_ms = 100;
  assert_int_equal(ff_open("memory:dies", &options, &engine, &error), FF_OK);
  run_recovery(engine);
  ff_close(engine);
}

struct answer {
  atomic_int count;
  atomic_int rc, outcome;
};

static void take_wait(void *user, enum ff_rc rc, struct ff_wait_execution_result *result,
                      const struct ff_error *error) {
  struct answer *a = user;
  (void)error;
  atomic_store(&a->rc, rc);
  if (rc == FF_OK) atomic_store(&a->outcome, result->outcome);
  atomic_fetch_add(&a->count, 1);
}

static void await(const struct answer *a) {
  struct park pause = {0};
  for (int i = 0; i < 8000 && atomic_load(&a->count) == 0; i++) (void)park_wait(&pause, 1000);
  assert_int_equal(atomic_load(&a->count), 1);
  assert_int_equal(atomic_load(&a->rc), FF_OK);
}

static void wait_async(struct ff_engine *engine, const struct ff_id *id, struct answer *a) {
  struct ff_wait_execution_args args = FF_ARGS(wait_execution);
  struct ff_error error;
  args.execution_id = ff_text(id->text);
  args.timeout_ms = 600000;
  assert_int_equal(ff_wait_execution_async(engine, &args, take_wait, a, &error), FF_OK);
}

/* Closing answers what waits: nobody sits out a time-out. */
static void run_close(struct ff_engine *engine) {
  struct answer a = {0};
  struct ff_error error;
  struct ff_id id;
  submit_one(engine, "close", &id);
  wait_async(engine, &id, &a);
  struct park pause = {0};
  (void)park_wait(&pause, 20000);
  assert_int_equal(ff_shutdown_prepare(engine, 5000, &error), FF_OK);
  await(&a);
  assert_int_equal(atomic_load(&a.outcome), FF_outcome_timed_out);
}

static void closing_ends_async_waits(void **state) {
  (void)state;
  each_store(run_close);
}

/* An engine that only reads answers async calls too, and sees what the owner commits. */
static void a_reader_sees_the_owner(void **state) {
  (void)state;
  char path[128], url[160], reader_url[192];
  snprintf(path, sizeof path, "/tmp/ff-reader-%d.db", (int)getpid());
  snprintf(url, sizeof url, "sqlite:%s?synchronous=off", path);
  snprintf(reader_url, sizeof reader_url, "sqlite:%s?mode=ro", path);
  remove_store(path);
  struct ff_engine *owner = open_engine(url), *reader = open_engine(reader_url);
  struct waiter w = {.engine = reader};
  struct answer a = {0};
  submit_one(owner, "reader", &w.id);
  pthread_t thread;
  pthread_create(&thread, NULL, wait_for_end, &w);
  wait_async(reader, &w.id, &a);
  struct ff_cancel_execution_args args = FF_ARGS(cancel_execution);
  struct ff_cancel_execution_result result;
  struct ff_error error;
  args.execution_id = ff_text(w.id.text);
  args.reason = ff_text("enough");
  assert_int_equal(ff_cancel_execution(owner, &args, &result, &error), FF_OK);
  ff_clear(&result);
  pthread_join(thread, NULL);
  assert_int_equal(w.outcome, FF_outcome_ok);
  await(&a);
  assert_int_equal(atomic_load(&a.outcome), FF_outcome_ok);
  ff_close(reader);
  ff_close(owner);
  remove_store(path);
}

static void take_claim(void *user, enum ff_rc rc, struct ff_claim_result *result,
                       const struct ff_error *error) {
  struct answer *a = user;
  (void)error;
  atomic_store(&a->rc, rc);
  if (rc == FF_OK) atomic_store(&a->outcome, result->outcome);
  atomic_fetch_add(&a->count, 1);
}

/* An async claim ends in time whoever led the batch that parked it. */
static void run_async_claims(struct ff_engine *engine) {
  struct work w = {.engine = engine};
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, worker, &w);
  struct answer answers[100];
  for (int i = 0; i < 100; i++) {
    struct ff_claim_args claim = FF_ARGS(claim);
    struct ff_error error;
    answers[i] = (struct answer){0};
    claim.lane_id = ff_text("nothing here");
    claim.worker_id = claim.worker_instance_id = ff_text("w");
    claim.lease_ttl_ms = 1000;
    claim.max_wait_ms = 30;
    assert_int_equal(ff_claim_async(engine, &claim, take_claim, &answers[i], &error), FF_OK);
    submit_one(engine, "threads", NULL);
    submit_one(engine, "threads", NULL);
  }
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < 100; i++) await(&answers[i]);
}

static void async_claims_time_out(void **state) {
  (void)state;
  each_store(run_async_claims);
}

struct opener {
  const char *url;
  struct ff_engine *engine;
};

static void *open_it(void *user) {
  struct opener *o = user;
  o->engine = open_engine(o->url);
  return NULL;
}

/* CP-9: who opens at the same time a file that is not there yet gets the same engine. */
static void racing_opens_share_the_engine(void **state) {
  (void)state;
  char path[128], url[160];
  snprintf(path, sizeof path, "/tmp/ff-opens-%d.db", (int)getpid());
  snprintf(url, sizeof url, "sqlite:%s?synchronous=off", path);
  remove_store(path);
  struct opener openers[WORKERS];
  pthread_t threads[WORKERS];
  for (int i = 0; i < WORKERS; i++) {
    openers[i] = (struct opener){.url = url};
    pthread_create(&threads[i], NULL, open_it, &openers[i]);
  }
  for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < WORKERS; i++) {
    assert_ptr_equal(openers[i].engine, openers[0].engine);
    ff_close(openers[i].engine);
  }
  remove_store(path);
}

struct hammer {
  struct ff_engine *engine;
  atomic_bool stop;
};

/* One event, for its tag. */
static void hammer_once(struct ff_engine *engine) {
  const struct ff_pair tag = {ff_text("k"), ff_text("v")};
  struct ff_submit_args args = FF_ARGS(submit);
  struct ff_submit_result result;
  struct ff_error error;
  args.lane_id = ff_text("hammer");
  args.tags = (struct ff_pairs){&tag, 1};
  assert_int_equal(ff_submit(engine, &args, &result, &error), FF_OK);
  ff_clear(&result);
}

static void *hammer_on(void *user) {
  struct hammer *h = user;
  while (!atomic_load(&h->stop)) hammer_once(h->engine);
  return NULL;
}

/* Old events go also while somebody always leads. */
static void trimming_gets_its_turn(void **state) {
  (void)state;
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct hammer h = {.engine = NULL};
  struct ff_error error;
  pthread_t threads[3];
  options.event_retention_ms = 1;
  assert_int_equal(ff_open("memory:trim", &options, &h.engine, &error), FF_OK);
  for (int i = 0; i < 1200; i++) hammer_once(h.engine);
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, hammer_on, &h);
  for (int i = 0; i < 20; i++) {
    struct ff_run_scanner_args args = FF_ARGS(run_scanner);
    struct ff_run_scanner_result result;
    args.name = ff_text("outbox_trimmer");
    for (int k = 0; k < 20; k++) hammer_once(h.engine);
    assert_int_equal(ff_run_scanner(h.engine, &args, &result, &error), FF_OK);
    assert_true(result.processed > 0);
    ff_clear(&result);
  }
  atomic_store(&h.stop, true);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  ff_close(h.engine);
}

/* What the scanners did is asked for while they work. */
static void *scan_on(void *user) {
  struct hammer *h = user;
  while (!atomic_load(&h->stop)) {
    struct ff_run_scanner_args args = FF_ARGS(run_scanner);
    struct ff_run_scanner_result result;
    struct ff_error error;
    assert_int_equal(ff_run_scanner(h->engine, &args, &result, &error), FF_OK);
    ff_clear(&result);
  }
  return NULL;
}

static uint64_t cycles_seen(struct ff_engine *engine) {
  struct ff_list_scanners_args args = FF_ARGS(list_scanners);
  struct ff_list_scanners_result result;
  struct ff_error error;
  uint64_t least = UINT64_MAX;
  assert_int_equal(ff_list_scanners(engine, &args, &result, &error), FF_OK);
  for (size_t i = 0; i < result.scanners.count; i++)
    if (result.scanners.items[i].cycles < least) least = result.scanners.items[i].cycles;
  ff_clear(&result);
  return least;
}

static void scanners_are_watched_at_work(void **state) {
  (void)state;
  struct hammer h = {.engine = open_engine("memory:watched")};
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, scan_on, &h);
  while (cycles_seen(h.engine) < 200) hammer_once(h.engine);
  atomic_store(&h.stop, true);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  ff_close(h.engine);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(claims_are_exclusive), cmocka_unit_test(async_calls_answer_once),
      cmocka_unit_test(waits_end_with_the_execution), cmocka_unit_test(waits_time_out),
      cmocka_unit_test(lost_leases_come_back), cmocka_unit_test(closing_ends_async_waits),
      cmocka_unit_test(a_reader_sees_the_owner), cmocka_unit_test(async_claims_time_out),
      cmocka_unit_test(trimming_gets_its_turn),
      cmocka_unit_test(racing_opens_share_the_engine),
      cmocka_unit_test(scanners_are_watched_at_work),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
