/*
 * Sessions, transactions, rivals, the clock, sharing by name, hints, URLs (store.h; 01 CP-9, CV-3,
 * CV-5).
 */
#include "test/store/conformance.h"

#include "test/lib/stores.h"

static void traits_are_stated(struct world *w) {
  const struct store_traits *t = &w->store->traits;
  size_t index = 0;
  while (strcmp(test_store(index), w->scheme) != 0) index++;
  assert_string_equal(ff_word(FF_WORD_backend, t->backend), test_store_backend(index));
  assert_true(t->writers >= 1);
  assert_true(t->durability[0] && t->version[0]);
  /* the test servers do not sync, and say so */
  assert_int_equal(t->durable, world_is(w, "sqlite"));
  assert_int_equal(!t->durable, strstr(t->durability, "fsync") != t->durability);
  assert_true(t->one_domain);
}

/* CP-7: idempotent. */
static void migrating_twice_does_nothing(struct world *w) {
  bool applied = true;
  store_session_close(w->writer);
  OK(store_migrate(w->store, &applied, &w->error));
  assert_false(applied);
  OK(store_session_open(w->store, STORE_WRITER, &w->writer, &w->error));
}

/* A writer in the middle of its transaction does not hold up readers, who see the state before it.
 */
static void readers_never_wait_for_a_writer(struct world *w) {
  struct execution *x = execution_new(w, 1), *y = record_next(w, RECORD_KIND_execution, x);
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  struct store_get one = {.kind = RECORD_KIND_execution, .key = x};
  struct store_write write = write_of(STORE_UPDATE, RECORD_KIND_execution, y, 1);
  struct store_group group = {.writes = &write, .write_count = 1, .valid_until = INT64_MAX};
  int64_t now;
  OK(store_fetch(w->writer, &w->arena, &one, 1, NULL, 0, &now, &w->error));
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, x), x, 1);
  (void)log_end(w);
  OK(store_apply(w->writer, &group, 1, &w->error));
  assert_int_equal(group.outcome, STORE_APPLIED);
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, x), y,
              2); /* what was acknowledged is seen */
}

/* Several fetches make up one transaction (rounds of misses), one apply ends it. */
static void rounds_of_one_transaction(struct world *w) {
  struct execution *x = execution_new(w, 1), *y = execution_new(w, 2);
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  for (int round = 0; round < 8; round++) {
    struct store_get one = {.kind = RECORD_KIND_execution, .key = round % 2 ? x : y};
    int64_t now;
    OK(store_fetch(w->writer, &w->arena, &one, 1, NULL, 0, &now, &w->error));
    assert_int_equal(one.record != NULL, round % 2);
  }
  struct store_write write = write_of(STORE_INSERT, RECORD_KIND_execution, y, 0);
  struct store_group group = {.writes = &write, .write_count = 1, .valid_until = INT64_MAX};
  OK(store_apply(w->writer, &group, 1, &w->error));
  assert_int_equal(group.outcome, STORE_APPLIED);
}

/* Zero groups end a transaction; so does closing the session. Afterwards the writer is free. */
static void ending_without_writing(struct world *w) {
  struct execution *x = execution_new(w, 1);
  for (int i = 0; i < 3; i++) {
    (void)store_time(w, w->writer);
    OK(store_apply(w->writer, NULL, 0, &w->error));
  }
  uint32_t removed;
  OK(store_trim_log(w->writer, INT64_MAX, 0, 1, &removed, &w->error)); /* outside a transaction */
  (void)store_time(w, w->writer);
  store_session_close(w->writer); /* in the middle */
  OK(store_session_open(w->store, STORE_WRITER, &w->writer, &w->error));
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  bool more = true;
  for (int i = 0; more; i++) {
    store_idle(w->writer, &more);
    assert_true(i < 10000);
  }
  assert_non_null(get(w, RECORD_KIND_execution, x));
}

static void many_readers(struct world *w) {
  struct store_session *readers[6];
  assert_int_equal(insert(w, RECORD_KIND_execution, execution_new(w, 1)), STORE_APPLIED);
  for (size_t i = 0; i < ARRAY_LEN(readers); i++)
    OK(store_session_open(w->store, STORE_READER, &readers[i], &w->error));
  for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
    struct store_get one = {.kind = RECORD_KIND_execution, .key = execution_new(w, 1)};
    int64_t now;
    OK(store_fetch(readers[i], &w->arena, &one, 1, NULL, 0, &now, &w->error));
    assert_non_null(one.record);
  }
  for (size_t i = 0; i < ARRAY_LEN(readers); i++) store_session_close(readers[i]);
}

/* ---- two racing writers ---- */

enum { RACE_STEPS = 60 };
struct racer {
  struct turn turn;
  bool failed;
};

/* Adds one; false on a conflict, which is tried again (CV-5). */
static bool race_step(struct racer *r, struct arena *arena) {
  struct execution key;
  int64_t now;
  struct ff_error e;
  record_init(RECORD_KIND_execution, &key);
  key.id = uuid_of(1);
  key.partition = 1;
  struct store_get one = {.kind = RECORD_KIND_execution, .key = &key};
  enum ff_rc rc = store_fetch(r->turn.session, arena, &one, 1, NULL, 0, &now, &e);
  r->failed = rc != FF_OK || !one.record;
  if (r->failed) return false;
  struct execution *x = record_copy(RECORD_KIND_execution, one.record, arena);
  uint64_t base = x->head.version++;
  x->current_lease_epoch++;
  struct store_write write = write_of(STORE_UPDATE, RECORD_KIND_execution, x, base);
  struct store_group group = {.writes = &write, .write_count = 1, .valid_until = INT64_MAX};
  r->failed = store_apply(r->turn.session, &group, 1, &e) != FF_OK;
  return !r->failed && group.outcome == STORE_APPLIED;
}

static void *race(void *user) {
  struct racer *r = user;
  struct arena arena;
  arena_init(&arena);
  for (uint32_t done = 0; done < RACE_STEPS && !r->failed; arena_reset(&arena)) {
    if (!r->turn.store) pthread_mutex_lock(r->turn.lock);
    done += race_step(r, &arena);
    if (!r->turn.store) pthread_mutex_unlock(r->turn.lock);
  }
  arena_fini(&arena);
  return NULL;
}

/* No update is lost, whether the store keeps rivals out or lets versions decide. */
static void racing_writers_lose_nothing(struct world *w) {
  enum { N = 3 };
  struct execution *x = execution_new(w, 1);
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  struct racer racers[N];
  pthread_t threads[N];
  for (int i = 0; i < N; i++) {
    racers[i] = (struct racer){.turn = turn_open(w, &lock)};
    assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
  }
  for (int i = 0; i < N; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_false(racers[i].failed);
    turn_close(&racers[i].turn);
  }
  const struct execution *end = get(w, RECORD_KIND_execution, x);
  assert_int_equal(end->current_lease_epoch, N * RACE_STEPS);
  assert_int_equal(end->head.version, N * RACE_STEPS + 1);
}

/* Where rivals may act between a fetch and its apply, the version decides and leaves nothing of the
 * loser. */
static void the_loser_of_a_race_conflicts(struct world *w) {
  struct execution *x = execution_new(w, 1), *mine = record_next(w, RECORD_KIND_execution, x);
  struct execution *theirs = record_next(w, RECORD_KIND_execution, x), *fresh = execution_new(w, 2);
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  mine->priority = 1;
  theirs->priority = 2;
  (void)store_time(w, w->writer);
  struct store *second = world_second(w);
  if (!second) {
    OK(store_apply(w->writer, NULL, 0, &w->error));
    return; /* the store keeps rivals out by itself */
  }
  struct store_session *rival;
  OK(store_session_open(second, STORE_WRITER, &rival, &w->error));
  struct store_write write = write_of(STORE_UPDATE, RECORD_KIND_execution, theirs, 1);
  assert_int_equal(commit_on(w, rival, &write, 1, NULL, 0), STORE_APPLIED);
  struct store_write writes[] = {write_of(STORE_INSERT, RECORD_KIND_execution, fresh, 0),
                                 write_of(STORE_UPDATE, RECORD_KIND_execution, mine, 1)};
  struct store_group group = {.writes = writes, .write_count = 2, .valid_until = INT64_MAX};
  OK(store_apply(w->writer, &group, 1, &w->error));
  assert_int_equal(group.outcome, STORE_CONFLICT);
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, x), theirs, 2);
  assert_null(get(w, RECORD_KIND_execution, fresh));
  store_session_close(rival);
  store_close(second);
}

/* ---- time ---- */

static void the_clock_is_the_stores(struct world *w) {
  assert_int_equal(store_time(w, w->reader), CLOCK_START);
  atomic_store(&w->clock, CLOCK_START + 5);
  assert_int_equal(store_time(w, w->reader), CLOCK_START + 5);
  assert_int_equal(store_time(w, w->writer), CLOCK_START + 5);
  OK(store_apply(w->writer, NULL, 0, &w->error));
}

/* Whatever the clock behind it does. */
static void the_clock_never_goes_back(struct world *w) {
  atomic_store(&w->clock, CLOCK_START + 1000);
  assert_int_equal(store_time(w, w->reader), CLOCK_START + 1000);
  atomic_store(&w->clock, CLOCK_START - 60000);
  assert_int_equal(store_time(w, w->reader), CLOCK_START + 1000);
  assert_int_equal(store_time(w, w->writer), CLOCK_START + 1000);
  struct execution *x = execution_new(w, 1);
  struct store_write one = write_of(STORE_INSERT, RECORD_KIND_execution, x, 0);
  struct store_group late = {.writes = &one, .write_count = 1, .valid_until = CLOCK_START + 500};
  OK(store_apply(w->writer, &late, 1, &w->error));
  assert_int_equal(late.outcome, STORE_CONFLICT);
  atomic_store(&w->clock, CLOCK_START + 1001);
  assert_int_equal(store_time(w, w->reader), CLOCK_START + 1001);
}

/* ---- sharing and persistence ---- */

/* CP-9: opened again while a holder lives = the same data; gone with the last one; other names are
 * other stores. */
static void memory_is_shared_by_name(struct world *w) {
  struct execution *x = execution_new(w, 1);
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  struct store *second = world_second(w), *other;
  assert_non_null(second);
  OK(store_open(TEXT_LIT("memory:conformance-other"), NULL, &other, &w->error));
  struct world view = *w;
  OK(store_session_open(other, STORE_READER, &view.reader, &w->error));
  assert_null(get(&view, RECORD_KIND_execution, x));
  store_session_close(view.reader);
  store_close(other);
  OK(store_session_open(second, STORE_READER, &view.reader, &w->error));
  assert_non_null(get(&view, RECORD_KIND_execution, x));
  world_close(w); /* the first holder goes, the data stays */
  assert_non_null(get(&view, RECORD_KIND_execution, x));
  store_session_close(view.reader);
  store_close(second);
  w->arena = view.arena;
  world_open(w); /* nobody held it */
  assert_null(get(w, RECORD_KIND_execution, x));
  assert_int_equal(read_log(w, log_beginning(w), 1).count, 0);
}

static void the_unnamed_memory_is_one_store(struct world *w) {
  struct store *a, *b;
  struct world view = *w;
  OK(store_open(TEXT_LIT("memory:"), NULL, &a, &w->error));
  OK(store_open(TEXT_LIT("memory:"), NULL, &b, &w->error));
  OK(store_session_open(a, STORE_WRITER, &view.writer, &w->error));
  OK(store_session_open(b, STORE_READER, &view.reader, &w->error));
  assert_int_equal(insert(&view, RECORD_KIND_execution, execution_new(&view, 1)), STORE_APPLIED);
  assert_non_null(get(&view, RECORD_KIND_execution, execution_new(&view, 1)));
  store_session_close(view.writer);
  store_session_close(view.reader);
  store_close(a);
  store_close(b);
  w->arena = view.arena;
}

static void a_file_keeps_everything(struct world *w) {
  struct execution *x = execution_new(w, 1), *gone = execution_new(w, 2);
  x->progress_message = TEXT_LIT("cold");
  for (int i = 0; i < 3; i++)
    assert_int_equal(append(w, event_new(w, x, CLOCK_START + i)), STORE_APPLIED);
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  assert_int_equal(insert(w, RECORD_KIND_execution, gone), STORE_APPLIED);
  assert_int_equal(erase(w, RECORD_KIND_execution, gone, 1), STORE_APPLIED);
  struct ff_bytes first = read_log(w, log_beginning(w), 1).next;
  world_close(w);
  world_open(w);
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, x), x, 1);
  assert_null(get(w, RECORD_KIND_execution, gone));
  assert_int_equal(scan(w, INDEX_execution_by_lane, x, false, 9).count, 1);
  struct log_page page = read_log(w, first, 9); /* SU-16: cursors outlive the process */
  assert_int_equal(page.count, 2);
  uint64_t highest = page.events[1]->event_id;
  uint32_t removed;
  OK(store_trim_log(w->writer, INT64_MAX, 0, 100, &removed, &w->error));
  assert_int_equal(removed, 3);
  world_close(w);
  world_open(w);
  assert_true(read_log(w, first, 9).dropped);
  assert_int_equal(append(w, event_new(w, x, CLOCK_START)), STORE_APPLIED);
  page = read_log(w, page.next, 9);
  assert_int_equal(page.count, 1);
  assert_true(page.events[0]->event_id > highest);
}

/* What was not applied is not there after a reopening. */
static void an_open_transaction_dies_with_its_session(struct world *w) {
  struct execution *x = execution_new(w, 1);
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  (void)store_time(w, w->writer);
  world_close(w);
  world_open(w);
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, x), x, 1);
}

/* ---- hints ---- */

struct heard {
  uint32_t count, lanes;
  uint16_t partition;
};

static void hear(void *user, const struct store_hint *hint) {
  struct heard *h = user;
  h->count++;
  h->partition = hint->partition;
  h->lanes += text_equal_c(hint->lane_id, "lane");
}

/* Hints reach the other users of the store, not their sender; after unlisten nothing comes any
 * more. */
static void hints_reach_the_others(struct world *w) {
  struct heard me = {0}, other = {0}, second_heard = {0};
  struct store *second = world_second(w);
  OK(store_listen(w->store, hear, &me, &w->error));
  OK(store_listen(w->store, hear, &other, &w->error));
  if (second) OK(store_listen(second, hear, &second_heard, &w->error));
  const struct store_hint hints[] = {{7, TEXT_LIT("lane")}, {9, {NULL, 0}}};
  store_notify(w->store, &me, hints, 2);
  assert_int_equal(me.count, 0);
  assert_int_equal(other.count, 2);
  assert_int_equal(other.partition, 9);
  assert_int_equal(other.lanes, 1);
  if (second) assert_int_equal(second_heard.count, 2);
  store_unlisten(w->store, &other);
  store_notify(w->store, &me, hints, 1);
  assert_int_equal(other.count, 2);
  if (second) {
    assert_int_equal(second_heard.count, 3);
    store_notify(second, &second_heard, hints, 1);
    assert_int_equal(me.count, 1);
    store_close(second); /* closing takes its listeners along */
    store_notify(w->store, &me, hints, 1);
  }
  store_unlisten(w->store, &me);
  store_unlisten(w->store, &me);
}

/* ---- URLs ---- */

static void refuse_url(struct world *w, const char *url, const char *naming) {
  struct store *store = w->store;
  struct ff_error e = {0};
  enum ff_rc rc = store_open(ff_text(url), NULL, &store, &e);
  assert_code(rc, &e, FF_CODE_config);
  if (!strstr(e.detail, naming))
    print_error("%s: `%s` does not name `%s`\n", url, e.detail, naming);
  assert_non_null(strstr(e.detail, naming));
}

static void wrong_urls_are_named(struct world *w) {
  refuse_url(w, "mongodb://user:secret@host/db", "mongodb:");
  refuse_url(w, "mongodb://user:secret@host/db", "memory:");
  refuse_url(w, "mongodb://user:secret@host/db", "sqlite:");
  refuse_url(w, "Memory:", "Memory:");
  refuse_url(w, "", "scheme");
  refuse_url(w, "jobs.db", "scheme");
  refuse_url(w, ":memory:", "memory:");
  struct ff_error e = {0};
  struct store *store;
  assert_int_equal(store_open(TEXT_LIT("mongodb://user:secret@host/db"), NULL, &store, &e),
                   FF_CONFIG);
  assert_null(strstr(e.detail, "secret"));
  char url[400];
  snprintf(url, sizeof url, "%s:x?colour=blue",
           world_is(w, "cluster") ? "valkey" : w->scheme);
  refuse_url(w, url, "colour");
}

/* Who copies a store asks whether anybody else is at work; one that lives in a server is then closed
 * to engines. */
static void visitors_see_engines(struct world *w) {
  struct store_options options = world_options(w);
  struct store *visitor;
  bool any = false;
  if (!w->store->traits.shared) { /* the owner of a file is alone */
    OK(store_others(w->store, &any, &w->error));
    assert_false(any);
    return;
  }
  options.visitor = true;
  OK(store_open(ff_text(w->url), &options, &visitor, &w->error));
  OK(store_others(visitor, &any, &w->error));
  assert_true(any);
  world_close(w);
  OK(store_others(visitor, &any, &w->error));
  assert_false(any);
  struct store_session *session = NULL;
  OK(store_session_open(visitor, STORE_WRITER, &session, &w->error));
  store_session_close(session);
  OK(store_others(visitor, &any, &w->error));
  assert_false(any);
  options.visitor = false;
  struct store *engine;
  OK(store_open(ff_text(w->url), &options, &engine, &w->error));
  if (engine->traits.backend != FF_backend_memory) {
    assert_int_not_equal(store_session_open(engine, STORE_WRITER, &session, &w->error), FF_OK);
    assert_int_equal(w->error.code, FF_CODE_store_busy);
  }
  store_close(engine);
  store_close(visitor);
  world_open(w);
}

const struct conformance_check checks_sessions[] = {
    {"traits are stated", traits_are_stated, ON_ALL},
    {"migrating twice does nothing (CP-7)", migrating_twice_does_nothing, ON_ALL},
    {"readers never wait for a writer (DESIGN 5.5)", readers_never_wait_for_a_writer, ON_ALL},
    {"rounds of one transaction (DESIGN 4)", rounds_of_one_transaction, ON_ALL},
    {"ending without writing", ending_without_writing, ON_ALL},
    {"many readers", many_readers, ON_ALL},
    {"racing writers lose nothing (CV-4, CV-5)", racing_writers_lose_nothing, ON_ALL},
    {"the loser of a race conflicts (DESIGN 5.3)", the_loser_of_a_race_conflicts, ON_ALL},
    {"the clock is the store's (CV-3)", the_clock_is_the_stores, ON_ALL},
    {"the clock never goes back", the_clock_never_goes_back, ON_ALL},
    {"memory is shared by name (CP-9)", memory_is_shared_by_name, ON_MEMORY},
    {"the unnamed memory is one store (CP-9)", the_unnamed_memory_is_one_store, ON_MEMORY},
    {"a file keeps everything (P1, SU-16)", a_file_keeps_everything, ON_LASTING},
    {"an open transaction dies with its session", an_open_transaction_dies_with_its_session,
     ON_LASTING},
    {"hints reach the others", hints_reach_the_others, ON_ALL},
    {"wrong URLs are named (CP-9)", wrong_urls_are_named, ON_ALL},
    {"visitors see engines", visitors_see_engines, ON_ALL},
    {0},
};
