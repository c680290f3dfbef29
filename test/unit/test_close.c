/*
 * Opening and closing engines while callbacks, other opens and other closes are under way: nobody
 * waits for a lock held by who waits for him.
 *
 * Run under ThreadSanitizer by `./dev tsan`. A deadlock ends the program by its alarm.
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

#define OPENERS 6
#define OPENS 15

static struct ff_engine *open_engine(const char *url) {
  struct ff_engine *engine;
  struct ff_error error;
  if (ff_open(url, NULL, &engine, &error) != FF_OK) fail_msg("%s: %s", url, error.detail);
  return engine;
}

static void open_and_close(const char *url) { ff_close(open_engine(url)); }

static void file_url(char *url, size_t size, const char *name) {
  unlink(name);
  snprintf(url, size, "sqlite:%s", name);
}

static enum ff_rc submit(struct ff_engine *engine, struct ff_error *error) {
  struct ff_submit_args args = FF_ARGS(submit);
  struct ff_submit_result result;
  args.lane_id = ff_text("close");
  enum ff_rc rc = ff_submit(engine, &args, &result, error);
  ff_clear(&result);
  return rc;
}

struct scene {
  struct ff_engine *engine, *other; /* the one that calls back, one more */
  const char *url;                  /* of `engine` */
  enum ff_code reopened;            /* what opening `engine` again answered */
  atomic_int called;
};

static void pause_us(int64_t us) {
  struct park pause = {0};
  (void)park_wait(&pause, us);
}

/* Until somebody closes the engine: from then on it takes no calls. */
static void await_closing(struct ff_engine *engine) {
  struct ff_error error;
  while (submit(engine, &error) == FF_OK) pause_us(1000);
  assert_int_equal(error.code, FF_CODE_unavailable);
}

static void call_back(struct scene *s,
                      void (*done)(void *, enum ff_rc, struct ff_ping_result *,
                                   const struct ff_error *)) {
  struct ff_ping_args args = FF_ARGS(ping);
  struct ff_error error;
  assert_int_equal(ff_ping_async(s->engine, &args, done, s, &error), FF_OK);
}

static void uses_others(void *user, enum ff_rc rc, struct ff_ping_result *result,
                        const struct ff_error *error) {
  struct scene *s = user;
  struct ff_engine *again;
  struct ff_error refused;
  (void)result, (void)error;
  assert_int_equal(rc, FF_OK);
  await_closing(s->engine);
  open_and_close("memory:third");
  ff_close(s->other);
  assert_int_equal(ff_open(s->url, NULL, &again, &refused), FF_TRANSPORT);
  s->reopened = refused.code;
  atomic_fetch_add(&s->called, 1);
}

static void a_callback_may_use_others_while_its_engine_closes(void **state) {
  (void)state;
  struct scene s = {.engine = open_engine("memory:closing"),
                    .other = open_engine("memory:other"),
                    .url = "memory:closing"};
  call_back(&s, uses_others);
  ff_close(s.engine);
  assert_int_equal(atomic_load(&s.called), 1);
  assert_int_equal(s.reopened, FF_CODE_store_busy);
  open_and_close("memory:other");
}

static void closes_its_own(void *user, enum ff_rc rc, struct ff_ping_result *result,
                           const struct ff_error *error) {
  struct scene *s = user;
  (void)rc, (void)result, (void)error;
  ff_close(s->engine);
  atomic_fetch_add(&s->called, 1);
}

static void await_called(const struct scene *s) {
  while (atomic_load(&s->called) == 0) pause_us(1000);
}

static void a_callback_may_close_its_own_engine(void **state) {
  (void)state;
  char url[64];
  file_url(url, sizeof url, "own.db");
  for (int i = 0; i < 10; i++) {
    struct scene s = {.engine = open_engine(url)};
    struct ff_error error;
    assert_int_equal(submit(s.engine, &error), FF_OK);
    call_back(&s, closes_its_own);
    if (i % 2) await_called(&s);
    /* Waits for the close behind the callback, or shares the engine that is not closed yet. */
    struct ff_engine *again = open_engine(url);
    assert_int_equal(submit(again, &error), FF_OK);
    await_called(&s);
    ff_close(again);
  }
}

/* Two engines whose callbacks close each other. */
static void closes_the_other(void *user, enum ff_rc rc, struct ff_ping_result *result,
                             const struct ff_error *error) {
  struct scene *s = user;
  (void)rc, (void)result, (void)error;
  ff_close(s->other);
  atomic_fetch_add(&s->called, 1);
}

static void callbacks_may_close_each_other(void **state) {
  (void)state;
  for (int i = 0; i < 10; i++) {
    struct ff_engine *a = open_engine("memory:a"), *b = open_engine("memory:b");
    struct scene first = {.engine = a, .other = b}, second = {.engine = b, .other = a};
    /* Held once more until both calls are made. */
    assert_ptr_equal(open_engine("memory:a"), a);
    assert_ptr_equal(open_engine("memory:b"), b);
    call_back(&first, closes_the_other);
    call_back(&second, closes_the_other);
    ff_close(a);
    ff_close(b);
    await_called(&first);
    await_called(&second);
  }
}

struct slow {
  atomic_bool entered, go;
};

static int64_t slow_clock(void *user) {
  struct slow *s = user;
  atomic_store(&s->entered, true);
  while (!atomic_load(&s->go)) pause_us(1000);
  return 1000;
}

static void *open_slowly(void *user) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct ff_engine *engine;
  struct ff_error error;
  options.clock_ms = slow_clock;
  options.clock_user = user;
  assert_int_equal(ff_open("memory:slow", &options, &engine, &error), FF_OK);
  return engine;
}

static void *share_it(void *user) {
  (void)user;
  return open_engine("memory:slow");
}

static void a_slow_open_holds_up_only_its_own_store(void **state) {
  (void)state;
  struct slow slow = {false, false};
  pthread_t first, second;
  void *opened, *shared;
  pthread_create(&first, NULL, open_slowly, &slow);
  while (!atomic_load(&slow.entered)) pause_us(1000);
  pthread_create(&second, NULL, share_it, NULL);
  open_and_close("memory:meanwhile");
  atomic_store(&slow.go, true);
  pthread_join(first, &opened);
  pthread_join(second, &shared);
  assert_ptr_equal(opened, shared);
  ff_close(opened);
  ff_close(shared);
}

static void *open_and_close_often(void *user) {
  for (int i = 0; i < OPENS; i++) {
    struct ff_engine *engine = open_engine(user);
    struct ff_error error;
    assert_int_equal(submit(engine, &error), FF_OK);
    ff_close(engine);
  }
  return NULL;
}

/* CP-9 also while the last holder closes, and whatever the file is called. */
static void opens_race_closes(void **state) {
  (void)state;
  char plain[64], dotted[64];
  file_url(plain, sizeof plain, "race.db?synchronous=off");
  file_url(dotted, sizeof dotted, "./race.db?synchronous=off");
  unlink("race.db");
  pthread_t threads[OPENERS];
  for (int i = 0; i < OPENERS; i++)
    pthread_create(&threads[i], NULL, open_and_close_often, i % 2 ? plain : dotted);
  for (int i = 0; i < OPENERS; i++) pthread_join(threads[i], NULL);
}

static void a_failed_open_leaves_nothing(void **state) {
  (void)state;
  struct ff_engine *engine;
  struct ff_error error;
  for (int i = 0; i < 2; i++)
    assert_int_equal(ff_open("sqlite:no/such/directory/x.db", NULL, &engine, &error),
                     FF_TRANSPORT);
  assert_null(engine);
}

int main(void) {
  setenv("FF_DEV_MODE", "1", 1);
  alarm(120);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_callback_may_use_others_while_its_engine_closes),
      cmocka_unit_test(a_callback_may_close_its_own_engine),
      cmocka_unit_test(callbacks_may_close_each_other),
      cmocka_unit_test(a_slow_open_holds_up_only_its_own_store),
      cmocka_unit_test(opens_race_closes),
      cmocka_unit_test(a_failed_open_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
