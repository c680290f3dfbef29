/*
 * tail_stream under threads: writers against slow readers, a thousand that wait, closing, a second engine on the same
 * store.
 *
 * Run under ThreadSanitizer by `./dev tsan`. What one tail answers is test/script/tail.ff.
 */
#include "flowfabric/flowfabric.h"

#include "base/base.h"
#include "base/park.h"
#include "engine/engine.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define FRAMES 300
#define READERS 6
#define CROWD 1000

static struct ff_error error;

static struct ff_engine *open_with(const char *url, bool scanners) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct ff_engine *engine;
  options.dev_mode = true;
  options.no_scanners = !scanners;
  options.max_stream_ops = CROWD + READERS;
  if (ff_open(url, &options, &engine, &error) != FF_OK) fail_msg("%s: %s", url, error.detail);
  return engine;
}

static struct ff_engine *open_engine(const char *url) { return open_with(url, true); }

static void remove_store(const char *path) {
  static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
  for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
    char name[256];
    snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
    unlink(name);
  }
}

static void each_store(void (*run)(struct ff_engine *)) {
  char path[128], url[160];
  struct ff_engine *engine = open_engine("memory:tails");
  run(engine);
  ff_close(engine);
  snprintf(path, sizeof path, "/tmp/ff-tail-%d.db", (int)getpid());
  snprintf(url, sizeof url, "sqlite:%s?synchronous=off", path);
  remove_store(path);
  engine = open_engine(url);
  run(engine);
  ff_close(engine);
  remove_store(path);
}

/* A leased execution: who holds it and its id. */
static struct ff_handle begin(struct ff_engine *engine, struct ff_id *id) {
  struct ff_submit_args submit = FF_ARGS(submit);
  struct ff_submit_result submitted;
  struct ff_claim_args claim = FF_ARGS(claim);
  struct ff_claim_result claimed;
  submit.lane_id = claim.lane_id = ff_text("tails");
  assert_int_equal(ff_submit(engine, &submit, &submitted, &error), FF_OK);
  *id = submitted.execution_id;
  ff_clear(&submitted);
  claim.worker_id = claim.worker_instance_id = ff_text("w");
  claim.lease_ttl_ms = 600000;
  assert_int_equal(ff_claim(engine, &claim, &claimed, &error), FF_OK);
  struct ff_handle handle = claimed.handle;
  ff_clear(&claimed);
  return handle;
}

static void append(struct ff_engine *engine, const struct ff_handle *handle, int number) {
  char text[16];
  struct ff_append_frame_args args = FF_ARGS(append_frame);
  struct ff_append_frame_result result;
  struct ff_error e;
  snprintf(text, sizeof text, "%d", number);
  args.handle = *handle;
  args.bytes = (struct ff_bytes){text, strlen(text)};
  assert_int_equal(ff_append_frame(engine, &args, &result, &e), FF_OK);
  ff_clear(&result);
}

static void finish(struct ff_engine *engine, const struct ff_handle *handle) {
  struct ff_complete_args args = FF_ARGS(complete);
  struct ff_complete_result result;
  args.handle = *handle;
  assert_int_equal(ff_complete(engine, &args, &result, &error), FF_OK);
  ff_clear(&result);
}

static void rest(int64_t ms) {
  struct park pause = {0};
  (void)park_wait(&pause, ms * 1000);
}

/* ---- slow and fast readers ---- */

struct reader {
  struct ff_engine *engine;
  struct ff_id id;
  int slow_ms, seen;
  uint64_t count_limit;
  bool closed;
};

/* The loop of ST-110. */
static void *follow(void *user) {
  struct reader *r = user;
  char after[64] = "0-0";
  while (!r->closed) {
    struct ff_tail_stream_args args = FF_ARGS(tail_stream);
    struct ff_tail_stream_result result;
    struct ff_error e;
    args.execution_id = ff_text(r->id.text);
    args.after = ff_text(after);
    args.block_ms = 20000;
    args.count_limit = r->count_limit;
    assert_int_equal(ff_tail_stream(r->engine, &args, &result, &e), FF_OK);
    for (size_t i = 0; i < result.frames.count; i++) {
      const struct ff_frame *f = &result.frames.items[i];
      char wanted[16];
      snprintf(wanted, sizeof wanted, "%d", r->seen++);
      assert_int_equal(f->payload.len, strlen(wanted));
      assert_memory_equal(f->payload.ptr, wanted, f->payload.len);
      snprintf(after, sizeof after, "%.*s", (int)f->id.len, f->id.ptr);
    }
    r->closed = result.closed_at && result.frames.count < r->count_limit;
    ff_clear(&result);
    if (r->slow_ms) rest(r->slow_ms);
  }
  return NULL;
}

static void run_readers(struct ff_engine *engine) {
  struct reader readers[READERS];
  pthread_t threads[READERS];
  struct ff_id id;
  struct ff_handle handle = begin(engine, &id);
  for (int i = 0; i < READERS; i++) {
    readers[i] = (struct reader){.engine = engine, .id = id, .slow_ms = i % 3 * 5};
    readers[i].count_limit = i % 2 ? 7 : 1000;
    pthread_create(&threads[i], NULL, follow, &readers[i]);
  }
  for (int i = 0; i < FRAMES; i++) append(engine, &handle, i);
  finish(engine, &handle);
  for (int i = 0; i < READERS; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(readers[i].seen, FRAMES);
  }
}

/* ST-102, ST-107, ST-110: every frame once, in order, whoever is slow; more readers than sessions. */
static void readers_miss_nothing(void **state) {
  (void)state;
  each_store(run_readers);
}

/* ---- a crowd that waits ---- */

struct crowd {
  atomic_int answers, frames, closed, failed;
};

static void take_tail(void *user, enum ff_rc rc, struct ff_tail_stream_result *result,
                      const struct ff_error *e) {
  struct crowd *c = user;
  (void)e;
  if (rc != FF_OK) atomic_fetch_add(&c->failed, 1);
  if (rc == FF_OK) atomic_fetch_add(&c->frames, (int)result->frames.count);
  if (rc == FF_OK && result->closed_at) atomic_fetch_add(&c->closed, 1);
  atomic_fetch_add(&c->answers, 1);
}

static void gather_crowd(struct ff_engine *engine, const struct ff_id *id, const char *after,
                         struct crowd *c) {
  *c = (struct crowd){0};
  for (int i = 0; i < CROWD; i++) {
    struct ff_tail_stream_args args = FF_ARGS(tail_stream);
    args.execution_id = ff_text(id->text);
    args.after = ff_text(after);
    args.block_ms = 30000;
    args.count_limit = 10;
    assert_int_equal(ff_tail_stream_async(engine, &args, take_tail, c, &error), FF_OK);
  }
}

static void await_crowd(struct crowd *c) {
  for (int i = 0; i < 20000 && atomic_load(&c->answers) < CROWD; i++) rest(1);
  assert_int_equal(atomic_load(&c->answers), CROWD);
  assert_int_equal(atomic_load(&c->failed), 0);
}

static uint64_t reads_of(struct ff_engine *engine) {
  struct ff_engine_stats_args args = FF_ARGS(engine_stats);
  struct ff_engine_stats_result result;
  uint64_t reads = 0;
  assert_int_equal(ff_engine_stats(engine, &args, &result, &error), FF_OK);
  for (size_t i = 0; i < result.stats.count; i++)
    if (text_equal_c(result.stats.items[i].key, "reads"))
      assert_true(parse_u64(result.stats.items[i].value, &reads));
  ff_clear(&result);
  return reads;
}

static void await_reads(struct ff_engine *engine, uint64_t count) {
  for (int i = 0; i < 20000 && reads_of(engine) < count; i++) rest(1);
  assert_true(reads_of(engine) >= count);
}

/* A store that nobody else writes: they look once when they come and once when they are woken. */
static void a_crowd_costs_nothing(void **state) {
  (void)state;
  char path[128], url[160];
  struct ff_id id, other;
  struct crowd c;
  snprintf(path, sizeof path, "/tmp/ff-crowd-%d.db", (int)getpid());
  snprintf(url, sizeof url, "sqlite:%s?synchronous=off", path);
  remove_store(path);
  struct ff_engine *engine = open_with(url, false); /* whose reads would be counted too */
  struct ff_handle handle = begin(engine, &id), elsewhere = begin(engine, &other);
  rest(1000); /* the first look for due work is behind it */
  uint64_t before = reads_of(engine);
  gather_crowd(engine, &id, "0-0", &c);
  await_reads(engine, before + CROWD);
  for (int i = 0; i < 20; i++) append(engine, &elsewhere, i);
  rest(1500); /* longer than any poll */
  assert_int_equal(reads_of(engine), before + CROWD);
  assert_int_equal(atomic_load(&c.answers), 0);
  append(engine, &handle, 0);
  await_crowd(&c);
  assert_int_equal(atomic_load(&c.frames), CROWD);
  assert_int_equal(reads_of(engine), before + 2 * CROWD);
  ff_close(engine);
  remove_store(path);
}

static void run_crowd(struct ff_engine *engine) {
  struct ff_id id;
  struct crowd c;
  struct ff_handle handle = begin(engine, &id);
  gather_crowd(engine, &id, "0-0", &c);
  finish(engine, &handle);
  await_crowd(&c);
  assert_int_equal(atomic_load(&c.closed), CROWD);
}

/* ST-74 */
static void the_end_wakes_everybody(void **state) {
  (void)state;
  each_store(run_crowd);
}

struct ending {
  struct ff_engine *engine;
  struct ff_handle handle;
};

static void *end_it(void *user) {
  const struct ending *e = user;
  finish(e->engine, &e->handle);
  return NULL;
}

#define RACES 300

static void run_races(struct ff_engine *engine) {
  for (int i = 0; i < RACES; i++) {
    struct reader r = {.engine = engine, .count_limit = 10};
    struct ending ending = {.engine = engine, .handle = begin(engine, &r.id)};
    pthread_t thread;
    int64_t began = clock_monotonic_us();
    pthread_create(&thread, NULL, end_it, &ending);
    (void)follow(&r);
    pthread_join(thread, NULL);
    assert_true(clock_monotonic_us() - began < 15000000); /* woken, not timed out */
  }
}

/* Who looks just before the commit is woken by it. */
static void racing_ends_are_seen(void **state) {
  (void)state;
  each_store(run_races);
}

/* ---- closing ---- */

static void *close_soon(void *user) {
  struct ff_error e;
  rest(50);
  assert_int_equal(ff_shutdown_prepare(user, 10000, &e), FF_OK);
  assert_int_equal(ff_shutdown_prepare(user, 10000, &e), FF_OK);
  return NULL;
}

/* ST-122: who waits is let go, who comes is refused. */
static void run_closing(struct ff_engine *engine) {
  struct ff_id id;
  pthread_t thread;
  struct ff_tail_stream_args args = FF_ARGS(tail_stream);
  struct ff_tail_stream_result result;
  (void)begin(engine, &id);
  args.execution_id = ff_text(id.text);
  args.after = ff_text("0-0");
  args.block_ms = 30000;
  args.count_limit = 1;
  pthread_create(&thread, NULL, close_soon, engine);
  int64_t began = clock_monotonic_us();
  assert_int_equal(ff_tail_stream(engine, &args, &result, &error), FF_OK);
  assert_int_equal(result.frames.count, 0);
  ff_clear(&result);
  assert_true(clock_monotonic_us() - began < 20000000);
  pthread_join(thread, NULL);
  assert_int_equal(ff_tail_stream(engine, &args, &result, &error), FF_UNAVAILABLE);
  assert_string_equal(ff_error_context_get(&error, "op"), "stream_ops");
  struct ff_read_stream_args read = FF_ARGS(read_stream);
  struct ff_read_stream_result page;
  read.execution_id = args.execution_id;
  read.from = ff_text("start");
  read.to = ff_text("end");
  read.count_limit = 1;
  assert_int_equal(ff_read_stream(engine, &read, &page, &error), FF_UNAVAILABLE);
}

static void closing_lets_tails_go(void **state) {
  (void)state;
  each_store(run_closing);
}

/* ---- two engines on one store ---- */

static struct engine *second_engine(const char *url) {
  struct engine_options options = {.open = FF_OPEN_OPTIONS_INIT};
  struct engine *engine;
  options.open.no_scanners = true;
  if (engine_open(ff_text(url), &options, &engine, &error) != FF_OK) fail_msg("%s", error.detail);
  return engine;
}

struct stranger {
  struct engine *engine;
  struct ff_id id;
  size_t frames;
};

static void *tail_there(void *user) {
  struct stranger *s = user;
  struct ff_tail_stream_args args = FF_ARGS(tail_stream);
  struct ff_tail_stream_result result;
  struct ff_error e;
  args.execution_id = ff_text(s->id.text);
  args.after = ff_text("0-0");
  args.block_ms = 20000;
  args.count_limit = 10;
  assert_int_equal(engine_call(s->engine, OP_tail_stream, &args, &result, &e), FF_OK);
  s->frames = result.frames.count;
  ff_clear(&result);
  return NULL;
}

static void run_strangers(const char *url, const char *second_url) {
  struct ff_engine *engine = open_engine(url);
  struct engine *second = second_engine(second_url);
  pthread_t threads[2];
  struct stranger strangers[2] = {{.engine = second}, {.engine = second}};
  struct ff_handle handle = begin(engine, &strangers[0].id);
  strangers[1].id = strangers[0].id;
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, tail_there, &strangers[i]);
  rest(30);
  append(engine, &handle, 0);
  for (int i = 0; i < 2; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(strangers[i].frames, 1);
  }
  engine_close(second);
  ff_close(engine);
}

/* ST-109: by the store's hints; without any, a store opened for reading is looked at again. */
static void another_engine_sees_it(void **state) {
  (void)state;
  char path[128], url[160], reader_url[192];
  run_strangers("memory:strangers", "memory:strangers");
  snprintf(path, sizeof path, "/tmp/ff-strangers-%d.db", (int)getpid());
  snprintf(url, sizeof url, "sqlite:%s?synchronous=off", path);
  snprintf(reader_url, sizeof reader_url, "sqlite:%s?mode=ro", path);
  remove_store(path);
  run_strangers(url, reader_url);
  remove_store(path);
}

/* ---- options ---- */

/* ST-120: the newer name before the older one. */
static void the_gate_is_configured(void **state) {
  (void)state;
  static const struct {
    const char *newer, *older, *places; /* places NULL: refused, naming the variable */
  } cases[] = {{NULL, NULL, "64"}, {"7", "8", "7"}, {NULL, "8", "8"}, {"", "9", "9"},
               {"0", "8", NULL},   {"x", "8", NULL}};
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
    struct ff_engine *engine;
    options.dev_mode = true;
    unsetenv("FF_MAX_CONCURRENT_STREAM_OPS");
    unsetenv("FF_MAX_CONCURRENT_TAIL");
    if (cases[i].newer) setenv("FF_MAX_CONCURRENT_STREAM_OPS", cases[i].newer, 1);
    if (cases[i].older) setenv("FF_MAX_CONCURRENT_TAIL", cases[i].older, 1);
    enum ff_rc rc = ff_open("memory:gate", &options, &engine, &error);
    if (!cases[i].places) {
      assert_int_equal(rc, FF_CONFIG);
      assert_string_equal(error.field, "FF_MAX_CONCURRENT_STREAM_OPS");
      continue;
    }
    assert_int_equal(rc, FF_OK);
    struct ff_read_config_args args = FF_ARGS(read_config);
    struct ff_read_config_result result;
    assert_int_equal(ff_read_config(engine, &args, &result, &error), FF_OK);
    bool found = false;
    for (size_t k = 0; k < result.config.count; k++)
      found |= text_equal_c(result.config.items[k].key, "max_stream_ops") &&
               text_equal_c(result.config.items[k].value, cases[i].places);
    assert_true(found);
    ff_clear(&result);
    ff_close(engine);
  }
  unsetenv("FF_MAX_CONCURRENT_STREAM_OPS");
  unsetenv("FF_MAX_CONCURRENT_TAIL");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(readers_miss_nothing),    cmocka_unit_test(a_crowd_costs_nothing),
      cmocka_unit_test(the_end_wakes_everybody), cmocka_unit_test(racing_ends_are_seen),
      cmocka_unit_test(closing_lets_tails_go),
      cmocka_unit_test(another_engine_sees_it),  cmocka_unit_test(the_gate_is_configured)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
