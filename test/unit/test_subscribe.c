/*
 * Subscriptions under threads, on memory and SQLite: writers commit while readers go on from kept
 * cursors, also from random old ones and after the store was reopened (05 B.13).
 *
 * Run under ThreadSanitizer by `./dev tsan`.
 */
#include "flowfabric/flowfabric.h"

#include "base/base.h"
#include "base/park.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { WRITERS = 4, READERS = 3, JOBS = 60, EVENTS = WRITERS * JOBS };

/* ---- the stores ---- */

static char path[128];

static void remove_file(void) {
  static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
  for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
    char name[160];
    snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
    unlink(name);
  }
}

static struct ff_engine *open_url(const char *url) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct ff_engine *engine;
  struct ff_error error;
  options.dev_mode = true;
  if (ff_open(url, &options, &engine, &error) != FF_OK) fail_msg("%s: %s", url, error.detail);
  return engine;
}

static const char *file_url(void) {
  static char url[160];
  snprintf(path, sizeof path, "/tmp/ff-subscribe-%d.db", (int)getpid());
  snprintf(url, sizeof url, "sqlite:%s?synchronous=off", path);
  return url;
}

static void each_store(void (*run)(const char *url)) {
  run("memory:subscribe");
  (void)file_url();
  remove_file();
  run(file_url());
  remove_file();
}

/* ---- calls ---- */

static void end_one(struct ff_engine *engine, int writer, int job) {
  char id[FF_ID_MAX];
  struct ff_create_execution_args create = FF_ARGS(create_execution);
  struct ff_create_execution_result created;
  struct ff_cancel_execution_args cancel = FF_ARGS(cancel_execution);
  struct ff_cancel_execution_result cancelled;
  struct ff_error error;
  snprintf(id, sizeof id, "{fp:%d}:00000000-0000-4000-8000-%06d%06d", job % 7, writer, job);
  create.execution_id = cancel.execution_id = ff_text(id);
  create.lane_id = ff_text("subscribe");
  cancel.reason = ff_text("r");
  if (ff_create_execution(engine, &create, &created, &error) != FF_OK) fail_msg("%s", error.detail);
  ff_clear(&created);
  if (ff_cancel_execution(engine, &cancel, &cancelled, &error) != FF_OK)
    fail_msg("%s", error.detail);
  ff_clear(&cancelled);
}

struct cursor {
  uint8_t bytes[64];
  size_t len;
};

static void keep(struct cursor *c, struct ff_bytes from) {
  assert_true(from.len <= sizeof c->bytes);
  memcpy(c->bytes, from.ptr, from.len);
  c->len = from.len;
}

/* ---- an audit (SU-22): every completion is seen, in the order of its writer ---- */

struct audit {
  struct ff_engine *engine;
  int number;
  uint8_t seen[EVENTS]; /* by writer and job */
  uint32_t seen_count, rewinds;
  int newest[WRITERS]; /* since the last rewind */
};

static void see(struct audit *a, const struct ff_completion_event *event) {
  int writer, job;
  const char *tail = strrchr(event->execution_id.text, '-') + 1;
  assert_int_equal(sscanf(tail, "%6d%6d", &writer, &job), 2);
  assert_int_equal(event->outcome, FF_terminal_outcome_cancelled);
  assert_true(job == a->newest[writer] + 1 || a->newest[writer] < 0); /* nothing left out */
  a->newest[writer] = job;
  if (!a->seen[writer * JOBS + job]) a->seen_count++;
  a->seen[writer * JOBS + job] = 1;
}

/* Goes on from its cursor, and now and then from an older one of its own: what follows comes again. */
static void *read_all(void *user) {
  struct audit *a = user;
  struct cursor at = {{0}, 0}, old = {{0}, 0};
  unsigned dice = (unsigned)a->number * 7919u + 1;
  for (int i = 0; i < WRITERS; i++) a->newest[i] = -1;
  while (a->seen_count < EVENTS) {
    struct ff_subscribe_completion_args args = FF_ARGS(subscribe_completion);
    struct ff_subscribe_completion_result page;
    struct ff_error error;
    args.cursor = (struct ff_bytes){at.bytes, at.len};
    args.from_start = at.len == 0;
    args.limit = 1 + (uint32_t)rand_r(&dice) % 40;
    args.max_wait_ms = 2000;
    if (ff_subscribe_completion(a->engine, &args, &page, &error) != FF_OK)
      fail_msg("%s", error.detail);
    assert_false(page.dropped);
    for (size_t i = 0; i < page.events.count; i++) see(a, &page.events.items[i]);
    keep(&at, page.next_cursor);
    ff_clear(&page);
    if (rand_r(&dice) % 16 == 0) old = at;
    if (old.len && a->rewinds < 5 && rand_r(&dice) % 16 == 0) {
      at = old;
      a->rewinds++;
      for (int i = 0; i < WRITERS; i++) a->newest[i] = -1;
    }
  }
  return NULL;
}

struct writer {
  struct ff_engine *engine;
  int number;
};

static void *write_all(void *user) {
  struct writer *w = user;
  for (int job = 0; job < JOBS; job++) end_one(w->engine, w->number, job);
  return NULL;
}

static void audit(const char *url) {
  pthread_t threads[WRITERS + READERS];
  struct writer writers[WRITERS];
  static struct audit audits[READERS];
  struct ff_engine *engine = open_url(url);
  memset(audits, 0, sizeof audits);
  for (int i = 0; i < READERS; i++) {
    audits[i].engine = engine;
    audits[i].number = i;
    assert_int_equal(pthread_create(&threads[i], NULL, read_all, &audits[i]), 0);
  }
  for (int i = 0; i < WRITERS; i++) {
    writers[i] = (struct writer){engine, i};
    assert_int_equal(pthread_create(&threads[READERS + i], NULL, write_all, &writers[i]), 0);
  }
  for (int i = 0; i < WRITERS + READERS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < READERS; i++) assert_int_equal(audits[i].seen_count, EVENTS);
  ff_close(engine);
}

static void nothing_is_missed(void **state) {
  (void)state;
  each_store(audit);
}

/* ---- a cursor outlives the engine (SU-16) ---- */

static void take_completions(struct ff_engine *engine, struct cursor *at, size_t wanted) {
  struct ff_subscribe_completion_args args = FF_ARGS(subscribe_completion);
  struct ff_subscribe_completion_result page;
  struct ff_error error;
  args.cursor = (struct ff_bytes){at->bytes, at->len};
  if (ff_subscribe_completion(engine, &args, &page, &error) != FF_OK) fail_msg("%s", error.detail);
  assert_int_equal(page.events.count, wanted);
  keep(at, page.next_cursor);
  ff_clear(&page);
}

static void a_cursor_survives_a_restart(void **state) {
  (void)state;
  const char *url = file_url();
  struct cursor at = {{0}, 0};
  remove_file();
  struct ff_engine *engine = open_url(url);
  take_completions(engine, &at, 0);
  end_one(engine, 0, 0);
  take_completions(engine, &at, 1);
  end_one(engine, 0, 1);
  ff_close(engine);
  engine = open_url(url);
  end_one(engine, 0, 2);
  take_completions(engine, &at, 2);
  ff_close(engine);
  remove_file();
}

/* ---- waiting ---- */

struct answer {
  struct park park;
  enum ff_rc rc;
  size_t events;
  enum ff_code code;
};

static void take(void *user, enum ff_rc rc, struct ff_subscribe_completion_result *result,
                 const struct ff_error *error) {
  struct answer *a = user;
  a->rc = rc;
  a->events = rc == FF_OK ? result->events.count : 0;
  a->code = rc == FF_OK ? FF_CODE_none : error->code;
  park_wake(&a->park, 1);
}

static void wait_async(struct ff_engine *engine, struct answer *a, uint64_t max_wait_ms) {
  struct ff_subscribe_completion_args args = FF_ARGS(subscribe_completion);
  struct ff_error error;
  *a = (struct answer){.rc = FF_BUG};
  args.max_wait_ms = max_wait_ms;
  if (ff_subscribe_completion_async(engine, &args, take, a, &error) != FF_OK)
    fail_msg("%s", error.detail);
}

/* A hundred waiting calls, no thread of theirs: the commit answers all; none in time is no error. */
static void run_waits(const char *url) {
  static struct answer answers[100], late;
  struct ff_engine *engine = open_url(url);
  for (size_t i = 0; i < ARRAY_LEN(answers); i++) wait_async(engine, &answers[i], 60000);
  /* their end is fixed by the service thread, one after the other: the last one's answer tells */
  wait_async(engine, &late, 0);
  while (park_wait(&late.park, -1) != 1) {
  }
  end_one(engine, 1, 1);
  for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
    while (park_wait(&answers[i].park, -1) != 1) {
    }
    assert_int_equal(answers[i].rc, FF_OK);
    assert_int_equal(answers[i].events, 1);
  }
  wait_async(engine, &late, 20);
  while (park_wait(&late.park, -1) != 1) {
  }
  assert_int_equal(late.rc, FF_OK);
  assert_int_equal(late.events, 0);
  wait_async(engine, &late, 60000);
  ff_close(engine); /* SU-26, B.10: who still waits is told and let go */
  assert_int_equal(late.code, FF_CODE_unavailable);
}

static void commits_wake_those_who_wait(void **state) {
  (void)state;
  each_store(run_waits);
}

/* ---- another engine's commits (SU-28) ---- */

static void a_reader_beside_the_owner(void **state) {
  (void)state;
  char url[200];
  struct cursor at = {{0}, 0};
  (void)file_url();
  remove_file();
  struct ff_engine *owner = open_url(file_url());
  snprintf(url, sizeof url, "sqlite:%s?mode=ro", path);
  struct ff_engine *reader = open_url(url);
  take_completions(reader, &at, 0);
  end_one(owner, 2, 2);
  struct ff_subscribe_completion_args args = FF_ARGS(subscribe_completion);
  struct ff_subscribe_completion_result page;
  struct ff_error error;
  args.cursor = (struct ff_bytes){at.bytes, at.len};
  args.max_wait_ms = 30000;
  if (ff_subscribe_completion(reader, &args, &page, &error) != FF_OK) fail_msg("%s", error.detail);
  assert_int_equal(page.events.count, 1);
  ff_clear(&page);
  ff_close(reader);
  ff_close(owner);
  remove_file();
}

/* ---- SU-36: renewals may be left out ---- */

static void claim_and_renew(struct ff_engine *engine) {
  struct ff_str lane = ff_text("subscribe");
  struct ff_submit_args submit = FF_ARGS(submit);
  struct ff_submit_result submitted;
  struct ff_claim_task_args claim = FF_ARGS(claim_task);
  struct ff_claim_task_result claimed;
  struct ff_renew_args renew = FF_ARGS(renew);
  struct ff_renew_result renewed;
  struct ff_error error;
  submit.lane_id = lane;
  claim.lane_ids = (struct ff_strs){&lane, 1};
  claim.worker_id = claim.worker_instance_id = ff_text("w");
  claim.lease_ttl_ms = 60000;
  assert_int_equal(ff_submit(engine, &submit, &submitted, &error), FF_OK);
  ff_clear(&submitted);
  assert_int_equal(ff_claim_task(engine, &claim, &claimed, &error), FF_OK);
  renew.handle = claimed.task.handle;
  ff_clear(&claimed);
  assert_int_equal(ff_renew(engine, &renew, &renewed, &error), FF_OK);
  ff_clear(&renewed);
}

static void renewals_may_be_left_out(void **state) {
  (void)state;
  struct ff_subscribe_lease_history_args args = FF_ARGS(subscribe_lease_history);
  struct ff_subscribe_lease_history_result page;
  struct ff_error error;
  args.from_start = true;
  for (int on = 0; on < 2; on++) {
    setenv("FF_LEASE_RENEWED_EVENTS", on ? "on" : "off", 1);
    struct ff_engine *engine = open_url("memory:renewals");
    claim_and_renew(engine);
    assert_int_equal(ff_subscribe_lease_history(engine, &args, &page, &error), FF_OK);
    assert_int_equal(page.events.count, on ? 2 : 1);
    ff_clear(&page);
    ff_close(engine);
  }
  unsetenv("FF_LEASE_RENEWED_EVENTS");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_missed), cmocka_unit_test(a_cursor_survives_a_restart),
      cmocka_unit_test(commits_wake_those_who_wait), cmocka_unit_test(a_reader_beside_the_owner),
      cmocka_unit_test(renewals_may_be_left_out)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
