/*
 * The conformance suite as one program: every check against every store, each on a fresh store
 * opened by URL.
 */
#include "test/store/conformance.h"

#include "test/lib/stores.h"

#include <pthread.h>

#include <stdlib.h>

static int64_t world_clock(void *user) { return atomic_load((_Atomic int64_t *)user); }

struct store_options world_options(struct world *w) {
  return (struct store_options){
      .clock_ms = world_clock, .clock_user = &w->clock, .faults = &w->faults};
}

bool world_is(const struct world *w, const char *scheme) { return strcmp(w->scheme, scheme) == 0; }

void world_open(struct world *w) {
  bool applied;
  struct store_options options = world_options(w);
  OK(store_open(ff_text(w->url), &options, &w->store, &w->error));
  OK(store_migrate(w->store, &applied, &w->error));
  OK(store_session_open(w->store, STORE_WRITER, &w->writer, &w->error));
  OK(store_session_open(w->store, STORE_READER, &w->reader, &w->error));
}

void world_close(struct world *w) {
  store_session_close(w->reader);
  store_session_close(w->writer);
  store_close(w->store);
  w->reader = w->writer = NULL;
  w->store = NULL;
}

struct store *world_second(struct world *w) {
  struct store *second = NULL;
  struct store_options options = world_options(w);
  enum ff_rc rc = store_open(ff_text(w->url), &options, &second, &w->error);
  if (rc == FF_OK) return second;
  assert_false(world_is(w, "memory"));
  assert_code(rc, &w->error, FF_CODE_store_busy);
  return NULL;
}

struct turn turn_open(struct world *w, pthread_mutex_t *lock) {
  struct turn t = {.store = world_second(w), .session = w->writer, .lock = lock};
  if (t.store) OK(store_session_open(t.store, STORE_WRITER, &t.session, &w->error));
  return t;
}

void turn_close(struct turn *t) {
  if (!t->store) return;
  store_session_close(t->session);
  store_close(t->store);
}

/* ---- checks ---- */

struct one {
  const struct conformance_check *check;
  size_t store;
  struct world *world;
};

static int set_up(void **state) {
  struct one *one = *state;
  struct world *w = one->world = heap_zalloc(sizeof *w);
  w->scheme = test_store(one->store);
  atomic_init(&w->clock, CLOCK_START);
  arena_init(&w->arena);
  test_store_place(one->store, WORLD_LABEL, "", w->url, sizeof w->url);
  world_open(w);
  return 0;
}

static void run(void **state) {
  struct one *one = *state;
  one->check->run(one->world);
}

static int tear_down(void **state) {
  struct one *one = *state;
  if (one->world->store) world_close(one->world);
  test_store_remove(one->store, WORLD_LABEL);
  arena_fini(&one->world->arena);
  free(one->world);
  one->world = NULL;
  return 0;
}

/* ---- the program ---- */

static const struct conformance_check *const tables[] = {
    checks_writes,   checks_fields, checks_scans,  checks_log,
    checks_sessions, checks_faults, checks_spoiled};

static int run_store(size_t store) {
  static const int where[] = {ON_MEMORY, ON_SQLITE, ON_POSTGRES, ON_VALKEY,
                              ON_VALKEY /* redis */, ON_VALKEY /* cluster */};
  struct CMUnitTest tests[256];
  static struct one ones[256];
  size_t count = 0;
  for (size_t t = 0; t < ARRAY_LEN(tables); t++)
    for (const struct conformance_check *c = tables[t]; c->name; c++) {
      if (!(c->where & where[store])) continue;
      INVARIANT(count < ARRAY_LEN(ones));
      ones[count] = (struct one){.check = c, .store = store};
      tests[count] = (struct CMUnitTest){c->name, run, set_up, tear_down, &ones[count]};
      count++;
    }
  printf("\n---- %s ----\n", test_store(store));
  return _cmocka_run_group_tests(test_store(store), tests, count, NULL, NULL);
}

/* conformance [SCHEME [NAME]]: NAME as cmocka's filter, for example *trim* */
int main(int argc, char **argv) {
  int failures = 0, missing = 0;
  if (argc > 2) cmocka_set_test_filter(argv[2]);
  for (size_t i = 0; i < TEST_STORES_ALL; i++)
    if ((argc < 2 || strcmp(argv[1], test_store(i)) == 0) && test_store_available(i, &missing))
      failures += run_store(i);
  return failures != 0 || missing == 1;
}
