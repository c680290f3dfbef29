/*
 * The conformance suite as one program: every check against every store, each on a fresh store
 * opened by URL.
 */
#include "test/store/conformance.h"

#include "test/lib/stores.h"

#include <pthread.h>

#include <stdlib.h>
#include <unistd.h>

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

/* ---- where a check's store lives ---- */

static void file_name(struct world *w, unsigned number) {
  const char *folder = getenv("TMPDIR");
  snprintf(w->url, sizeof w->url, "sqlite:%s/conformance-%ld-%u.db",
           folder && strlen(folder) < 200 ? folder : ".", (long)getpid(), number);
}

static void remove_files(const struct world *w) {
  static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
  char path[400];
  for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
    snprintf(path, sizeof path, "%s%s", w->url + strlen("sqlite:"), suffixes[i]);
    (void)unlink(path);
  }
}

struct one {
  const struct conformance_check *check;
  const char *scheme;
  struct world *world;
};

static int set_up(void **state) {
  static unsigned number;
  struct one *one = *state;
  struct world *w = one->world = heap_zalloc(sizeof *w);
  w->scheme = one->scheme;
  atomic_init(&w->clock, CLOCK_START);
  arena_init(&w->arena);
  if (world_is(w, "memory"))
    snprintf(w->url, sizeof w->url, "memory:conformance-%u", ++number);
  else
    file_name(w, ++number);
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
  if (world_is(one->world, "sqlite")) remove_files(one->world);
  arena_fini(&one->world->arena);
  free(one->world);
  one->world = NULL;
  return 0;
}

/* ---- the program ---- */

static const struct conformance_check *const tables[] = {
    checks_writes, checks_fields, checks_scans, checks_log, checks_sessions, checks_faults};

/* A store that is not there is a failure where everything must be there, and loudly skipped
 * elsewhere (DESIGN §7). */
static bool available(const char *scheme, int *failures) {
  struct store *store;
  struct ff_error error = {0};
  char url[32];
  snprintf(url, sizeof url, "%s:probe?none=1", scheme);
  enum ff_rc rc = store_open(ff_text(url), NULL, &store, &error);
  if (rc == FF_OK) store_close(store);
  if (rc != FF_UNAVAILABLE) return true;
  const char *ci = getenv("CI");
  bool must = ci && strcmp(ci, "true") == 0;
  fprintf(stderr, "\n**** %s: the %s store is not available: %s ****\n\n",
          must ? "FAILED" : "SKIPPED", scheme, error.detail);
  *failures += must;
  return false;
}

static int run_scheme(const char *scheme) {
  int where = strcmp(scheme, "memory") == 0 ? ON_MEMORY : ON_SQLITE;
  struct CMUnitTest tests[256];
  static struct one ones[256];
  size_t count = 0;
  for (size_t t = 0; t < ARRAY_LEN(tables); t++)
    for (const struct conformance_check *c = tables[t]; c->name; c++) {
      if (c->where != ON_ALL && c->where != where) continue;
      INVARIANT(count < ARRAY_LEN(ones));
      ones[count] = (struct one){.check = c, .scheme = scheme};
      tests[count] = (struct CMUnitTest){c->name, run, set_up, tear_down, &ones[count]};
      count++;
    }
  printf("\n---- %s ----\n", scheme);
  return _cmocka_run_group_tests(scheme, tests, count, NULL, NULL);
}

/* conformance [SCHEME [NAME]]: NAME as cmocka's filter, for example *trim* */
int main(int argc, char **argv) {
  int failures = 0;
  if (argc > 2) cmocka_set_test_filter(argv[2]);
  for (size_t i = 0; i < TEST_STORES; i++)
    if ((argc < 2 || strcmp(argv[1], test_store(i)) == 0) && available(test_store(i), &failures))
      failures += run_scheme(test_store(i));
  return failures != 0;
}
