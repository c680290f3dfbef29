/*
 * Backup, restore and move: what a random history left behind goes from each store to each other and
 * stays the same, record by record, cut off anywhere and begun again (issue 3.5).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crc.h"
#include "engine/engine.h"
#include "engine/transfer.h"
#include "flowfabric/flowfabric.h"
#include "op/values.h"
#include "store/calls.h"
#include "store/dump.h"
#include "test/lib/history.h"
#include "test/lib/stores.h"

#define STEPS 400

static struct ff_error error;
static size_t stores[TEST_STORES];
static size_t store_count;
static int64_t clock_at;

static void assert_fine(enum ff_rc rc) {
  if (rc != FF_OK) fail_msg("%s: %s", ff_code_name(error.code), error.detail);
}

static void assert_refused(enum ff_rc rc, enum ff_code code, const char *cause) {
  if (rc == FF_OK || error.code != code || !strstr(error.detail, cause))
    fail_msg("wanted %s ~ %s, got %s: %s", ff_code_name(code), cause,
             rc ? ff_code_name(error.code) : "success", error.detail);
}

/* ---- places, and what is in them ---- */

/* The label of a place is fixed, so that it can be removed. A memory store lives as long as somebody
 * has it open: a visitor does. */
struct place {
  char url[640];
  size_t store;
  const char *label;
  struct store *visitor;
};

static void place_make(struct place *p, size_t store, const char *label) {
  struct store_options options = {.dev_mode = true, .visitor = true};
  *p = (struct place){.store = store, .label = label};
  test_store_place(store, label, "", p->url, sizeof p->url);
  if (strncmp(p->url, "memory:", 7) == 0)
    assert_fine(store_open(ff_text(p->url), &options, &p->visitor, &error));
}

static void place_remove(struct place *p) {
  store_close(p->visitor);
  test_store_remove(p->store, p->label);
}

static int64_t clock_now(void *user) {
  (void)user;
  return clock_at;
}
static void quiet(void *user, enum ff_log_level level, const char *message) {
  (void)user, (void)level, (void)message;
}

static enum ff_rc try_engine(const char *url, struct engine **out) {
  struct engine_options options = {.open = {.size = sizeof options.open,
                                            .dev_mode = true,
                                            .log = quiet,
                                            .clock_ms = clock_now,
                                            .seed = 7},
                                   .manual = true};
  return engine_open(ff_text(url), &options, out, &error);
}

/* Leaves behind what a random history does. */
static void fill(const char *url, uint64_t seed) {
  struct engine *engine;
  struct history_options options = {.seed = seed, .strands = true};
  struct history *history = history_new(&options);
  clock_at = HISTORY_START;
  assert_fine(try_engine(url, &engine));
  for (int i = 0; i < STEPS; i++) {
    struct history_call *call = history_next(history, clock_at);
    struct ff_error ignored = {.retry_after_ms = -1};
    void *result = heap_zalloc(op_infos[call->op].result_size);
    enum ff_rc rc = engine_call(engine, call->op, call->args, result, &ignored);
    history_learn(history, call, rc == FF_OK ? result : NULL);
    values_free(*(struct ff_memory **)result);
    free(result);
    history_call_release(call);
    if (i % 6 == 0) clock_at = history_later(history, clock_at);
    if (i % 30 == 0) {
      for (int n = 0; n < 50 && engine_step(engine, clock_at); n++) {
      }
    }
  }
  engine_close(engine);
  history_free(history);
}

static void dump_walk(struct store_session *reader, struct buffer *out) {
  struct copy_walk walk;
  uint64_t end;
  copy_walk_init(&walk, reader);
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
    const void *record;
    copy_walk_begin(&walk, (enum record_kind)kind);
    for (;;) {
      assert_fine(copy_walk_step(&walk, &record, &error));
      if (!record) break;
      record_dump((enum record_kind)kind, record, out);
      buffer_append_char(out, '\n');
    }
  }
  copy_walk_fini(&walk);
  assert_fine(copy_log_end(reader, &end, &error));
  buffer_printf(out, "end %llu\n", (unsigned long long)end);
}

/* Everything that is stored, as text. */
static void dump_of(const char *url, struct buffer *out) {
  struct ff_transfer_options options = FF_TRANSFER_OPTIONS_INIT;
  struct transfer_side side;
  options.dev_mode = true;
  buffer_clear(out);
  assert_fine(transfer_open(&side, url, false, &options, &error));
  dump_walk(side.reader, out);
  transfer_close(&side);
}

static void assert_same(const struct buffer *a, const struct buffer *b) {
  const char *p = a->ptr, *q = b->ptr;
  while (*p && *p == *q) p++, q++;
  while (p > a->ptr && p[-1] != '\n') p--, q--;
  if (*p || *q)
    fail_msg("they differ:\n%.*s\n%.*s", (int)strcspn(p, "\n"), p, (int)strcspn(q, "\n"), q);
}

/* ---- moving ---- */

struct stops {
  int calls; /* of progress, until it acts */
  bool kills;
  const char *phase; /* counted in this phase only, NULL = in all */
};

static bool stop(void *user, const struct ff_transfer_progress *p) {
  struct stops *s = user;
  if (s->phase && strcmp(s->phase, p->phase) != 0) return true;
  if (s->calls-- > 0) return true;
  if (s->kills) raise(SIGKILL);
  return false;
}

static enum ff_rc move(const char *from, const char *to, struct stops *stops,
                       struct ff_transfer_report *report) {
  struct ff_transfer_options options = FF_TRANSFER_OPTIONS_INIT;
  options.dev_mode = true;
  options.progress = stops ? stop : NULL;
  options.progress_user = stops;
  return ff_move(from, to, &options, report, &error);
}

static void assert_no_engine(const char *url, enum ff_code code, const char *cause) {
  struct engine *engine;
  assert_refused(try_engine(url, &engine), code, cause);
}

/* From every store to every other. */
static void every_pair(void **state) {
  (void)state;
  struct buffer before, after;
  buffer_init(&before);
  buffer_init(&after);
  for (size_t i = 0; i < store_count; i++)
    for (size_t j = 0; j < store_count; j++) {
      struct place from, to;
      struct engine *engine;
      struct ff_transfer_report report = {.size = sizeof report};
      place_make(&from, stores[i], "transfer_from");
      place_make(&to, stores[j], "transfer_to");
      if (strcmp(from.url, to.url) == 0) fail_msg("one place");
      fill(from.url, 11 + i);
      dump_of(from.url, &before);
      assert_fine(move(from.url, to.url, NULL, &report));
      dump_of(to.url, &after);
      assert_same(&before, &after);
      assert_true(report.records > 100 && report.events > 20);
      assert_no_engine(from.url, FF_CODE_config, "this deployment has moved");
      assert_refused(move(from.url, to.url, NULL, NULL), FF_CODE_config, "has moved to");
      assert_fine(try_engine(to.url, &engine));
      engine_close(engine);
      place_remove(&from);
      place_remove(&to);
    }
  buffer_fini(&before);
  buffer_fini(&after);
}

/* Stopped, and killed, at every progress report there is; then the same call goes on. */
static void a_move_goes_on(void **state) {
  (void)state;
  struct buffer before, after;
  buffer_init(&before);
  buffer_init(&after);
  for (size_t j = 1; j < store_count; j++) {
    struct place from, to;
    int kills = 0;
    bool over = false;
    place_make(&from, stores[1], "goes_on_from");
    place_make(&to, stores[j], "goes_on_to");
    fill(from.url, 5);
    dump_of(from.url, &before);
    for (int calls = 1; !over && calls < 100; calls += 3) {
      struct stops stops = {.calls = calls, .kills = true};
      pid_t child = fork();
      if (child == 0) _exit(move(from.url, to.url, &stops, NULL) == FF_OK ? 0 : 1);
      int status;
      assert_int_equal(waitpid(child, &status, 0), child);
      over = WIFEXITED(status);
      if (over) assert_int_equal(WEXITSTATUS(status), 0);
      if (over) break;
      kills++;
      assert_no_engine(from.url, FF_CODE_unavailable, "is being moved to");
      assert_no_engine(to.url, FF_CODE_unavailable, "has not ended");
      stops = (struct stops){.calls = calls + 1};
      enum ff_rc rc = move(from.url, to.url, &stops, NULL);
      over = rc == FF_OK;
      if (!over) assert_refused(rc, FF_CODE_unavailable, "interrupted");
    }
    assert_true(over && kills > 3);
    dump_of(to.url, &after);
    assert_same(&before, &after);
    place_remove(&from);
    place_remove(&to);
  }
  buffer_fini(&before);
  buffer_fini(&after);
}

/* DESIGN: both sides are looked at; passwords are in no message. */
static void engines_are_noticed(void **state) {
  (void)state;
  for (size_t i = 0; i < store_count; i++) {
    struct place from, to;
    struct engine *engine;
    place_make(&from, stores[1], "noticed_from");
    place_make(&to, stores[i], "noticed_to");
    fill(from.url, 3);
    assert_fine(try_engine(to.url, &engine));
    enum ff_rc rc = move(from.url, to.url, NULL, NULL);
    assert_int_equal(rc, FF_TRANSPORT);
    assert_int_equal(error.code, FF_CODE_store_busy);
    engine_close(engine);
    /* that engine has left its settings there */
    assert_refused(move(from.url, to.url, NULL, NULL), FF_CODE_config, "is not empty");
    test_store_place(to.store, to.label, "", to.url, sizeof to.url);
    assert_fine(try_engine(from.url, &engine));
    assert_int_not_equal(move(from.url, to.url, NULL, NULL), FF_OK);
    assert_int_equal(error.code, FF_CODE_store_busy);
    engine_close(engine);
    place_remove(&from);
    place_remove(&to);
  }
}

static void a_move_is_taken_back(void **state) {
  (void)state;
  struct ff_transfer_options options = FF_TRANSFER_OPTIONS_INIT;
  struct stops stops = {.phase = "verify"};
  struct place from, to, other;
  struct engine *engine;
  options.cancel = true;
  place_make(&from, stores[1], "back_from");
  place_make(&to, stores[1], "back_to");
  place_make(&other, stores[1], "back_other");
  fill(from.url, 3);
  assert_refused(ff_move(from.url, to.url, &options, NULL, &error), FF_CODE_config,
                 "is not being moved");
  assert_refused(move(from.url, to.url, &stops, NULL), FF_CODE_unavailable, "interrupted");
  assert_refused(move(from.url, other.url, NULL, NULL), FF_CODE_config, "is being moved to");
  assert_refused(move(to.url, other.url, NULL, NULL), FF_CODE_config, "is not whole");
  assert_fine(ff_move(from.url, to.url, &options, NULL, &error));
  assert_fine(try_engine(from.url, &engine));
  engine_close(engine);
  assert_no_engine(to.url, FF_CODE_unavailable, "has not ended");
  assert_refused(move(from.url, to.url, NULL, NULL), FF_CODE_config, "empty it first");
  assert_fine(move(from.url, other.url, NULL, NULL));
  assert_refused(ff_move(from.url, to.url, &options, NULL, &error), FF_CODE_config, "that is over");
  place_remove(&from);
  place_remove(&to);
  place_remove(&other);
}

static void sqlite_run(const char *url, const char *sql) {
  sqlite3 *db;
  char *problem = NULL;
  assert_int_equal(sqlite3_open(url + strlen("sqlite:"), &db), SQLITE_OK);
  if (sqlite3_exec(db, sql, NULL, NULL, &problem) != SQLITE_OK) fail_msg("%s: %s", sql, problem);
  sqlite3_close(db);
}

/* Changes what was copied, at the first report of the second pass. */
struct meddler {
  const char *url, *sql;
};
static bool meddle(void *user, const struct ff_transfer_progress *p) {
  struct meddler *m = user;
  if (m->sql && strcmp(p->phase, "copy") == 0 && p->done == p->total) {
    sqlite_run(m->url, m->sql);
    m->sql = NULL;
  }
  return true;
}

static void differences_are_found(void **state) {
  (void)state;
  static const struct {
    const char *sql, *cause;
  } changes[] = {{"UPDATE execution SET priority=priority+1 WHERE row=3", "is not as in"},
                 {"UPDATE execution SET version=version+1 WHERE row=2", "is not as in"},
                 {"DELETE FROM execution WHERE row=5", "no such record at this place"},
                 {"DELETE FROM setting WHERE name='num_flow_partitions'", ""}};
  for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
    struct ff_transfer_options options = FF_TRANSFER_OPTIONS_INIT;
    struct place from, to;
    place_make(&from, stores[1], "found_from");
    place_make(&to, stores[1], "found_to");
    fill(from.url, 9);
    struct meddler meddler = {to.url, changes[i].sql};
    options.progress = meddle;
    options.progress_user = &meddler;
    assert_refused(ff_move(from.url, to.url, &options, NULL, &error), FF_CODE_corruption,
                   changes[i].cause);
    assert_null(meddler.sql);
    assert_non_null(ff_error_context_get(&error, "row"));
    assert_no_engine(to.url, FF_CODE_unavailable, "has not ended");
    place_remove(&from);
    place_remove(&to);
  }
}

/* 01 HD-5, ID-20: what the old store gave out is refused by one of another kind, by its name. */
static void old_handles_and_cursors_are_refused(void **state) {
  (void)state;
  struct place from, to;
  struct ff_engine *engine;
  struct ff_str lane = TEXT_LIT("lane");
  struct ff_open_options open = FF_OPEN_OPTIONS_INIT;
  open.dev_mode = true;
  place_make(&from, stores[1], "handles_from");
  place_make(&to, stores[0], "handles_to");
  assert_fine(ff_open(from.url, &open, &engine, &error));
  struct ff_submit_args submit = FF_ARGS(submit);
  struct ff_submit_result submitted;
  submit.lane_id = lane;
  assert_fine(ff_submit(engine, &submit, &submitted, &error));
  struct ff_claim_task_args claim = FF_ARGS(claim_task);
  struct ff_claim_task_result claimed;
  claim.lane_ids = (struct ff_strs){&lane, 1};
  claim.worker_id = claim.worker_instance_id = TEXT_LIT("w");
  claim.lease_ttl_ms = 60000;
  assert_fine(ff_claim_task(engine, &claim, &claimed, &error));
  struct ff_subscribe_lease_history_args look = FF_ARGS(subscribe_lease_history);
  struct ff_subscribe_lease_history_result seen;
  assert_fine(ff_subscribe_lease_history(engine, &look, &seen, &error));
  ff_close(engine);
  assert_fine(move(from.url, to.url, NULL, NULL));
  assert_fine(ff_open(to.url, &open, &engine, &error));
  struct ff_complete_args complete = FF_ARGS(complete);
  struct ff_complete_result completed;
  complete.handle = claimed.task.handle;
  assert_refused(ff_complete(engine, &complete, &completed, &error),
                 FF_CODE_handle_from_other_backend, "expected=memory actual=sqlite");
  struct ff_subscribe_lease_history_result none;
  look.cursor = seen.next_cursor;
  assert_refused(ff_subscribe_lease_history(engine, &look, &none, &error), FF_CODE_invalid_input,
                 "cursor does not belong to this backend");
  ff_clear(&submitted);
  ff_clear(&claimed);
  ff_clear(&seen);
  ff_close(engine);
  place_remove(&from);
  place_remove(&to);
}

/* ---- backup and restore ---- */

static char file_name[64];

static enum ff_rc save(const char *url, bool portable, bool force,
                       struct ff_transfer_report *report) {
  struct ff_transfer_options options = FF_TRANSFER_OPTIONS_INIT;
  options.dev_mode = true;
  options.portable = portable;
  options.force = force;
  return ff_backup(url, file_name, &options, report, &error);
}

static enum ff_rc bring(const char *url, struct ff_transfer_report *report) {
  struct ff_transfer_options options = FF_TRANSFER_OPTIONS_INIT;
  options.dev_mode = true;
  return ff_restore(file_name, url, &options, report, &error);
}

static void every_format(void **state) {
  (void)state;
  struct buffer before, after;
  buffer_init(&before);
  buffer_init(&after);
  for (size_t i = 0; i < store_count; i++)
    for (int portable = 0; portable < 2; portable++) {
      struct place from;
      struct ff_transfer_report saved = {.size = sizeof saved}, brought = {.size = sizeof brought};
      struct stat st;
      place_make(&from, stores[i], "backup_from");
      fill(from.url, 21 + i);
      dump_of(from.url, &before);
      assert_fine(save(from.url, portable, false, &saved));
      assert_int_equal(stat(file_name, &st), 0);
      assert_int_equal(st.st_mode & 0777, 0600);
      assert_int_equal(saved.bytes, st.st_size);
      assert_refused(save(from.url, portable, false, NULL), FF_CODE_config, "exists already");
      assert_fine(save(from.url, portable, true, NULL));
      for (size_t j = 0; j < store_count; j++) {
        struct place to;
        place_make(&to, stores[j], "backup_to");
        assert_fine(bring(to.url, &brought));
        dump_of(to.url, &after);
        assert_same(&before, &after);
        if (!saved.by_pages) assert_int_equal(brought.records, saved.records);
        assert_refused(bring(to.url, NULL), FF_CODE_config, "is not empty");
        place_remove(&to);
      }
      place_remove(&from);
      unlink(file_name);
    }
  buffer_fini(&before);
  buffer_fini(&after);
}

struct writer {
  struct ff_engine *engine;
  _Atomic bool stop;
  _Atomic int made;
};
static void *write_on(void *user) {
  struct writer *w = user;
  while (!w->stop) {
    struct ff_submit_args submit = FF_ARGS(submit);
    struct ff_submit_result submitted;
    char payload[2000];
    memset(payload, 'p', sizeof payload);
    submit.lane_id = TEXT_LIT("lane");
    submit.input_payload = (struct ff_bytes){payload, sizeof payload};
    if (ff_submit(w->engine, &submit, &submitted, NULL) != FF_OK) break;
    ff_clear(&submitted);
    w->made++;
  }
  return NULL;
}

static int64_t number_in(const char *file, const char *sql) {
  sqlite3 *db;
  sqlite3_stmt *st;
  assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(st), SQLITE_ROW);
  const char *text = (const char *)sqlite3_column_text(st, 0);
  int64_t n = strcmp(text, "ok") == 0 ? 1 : sqlite3_column_int64(st, 0);
  if (strcmp(text, "ok") != 0 && strstr(sql, "PRAGMA")) fprintf(stderr, "%s\n", text);
  sqlite3_finalize(st);
  sqlite3_close(db);
  return n;
}

/* A reader in the way makes checkpoints stop in the middle: who begins to read then must find every
 * page, in the file or in the log. */
static void checkpoints_in_part_are_whole(void **state) {
  (void)state;
  struct place place;
  struct ff_open_options open = FF_OPEN_OPTIONS_INIT;
  struct writer w = {0};
  pthread_t thread;
  place_make(&place, stores[1], "in_part");
  const char *file = place.url + strlen("sqlite:");
  assert_fine(ff_open(place.url, &open, &w.engine, &error));
  assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
  for (int i = 0; i < 12; i++) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    int code = sqlite3_exec(db, "BEGIN;SELECT count(*) FROM lane", NULL, NULL, NULL);
    assert_int_equal(code, SQLITE_OK);
    for (int least = w.made + 60; w.made < least;) {
      usleep(500);
      assert_int_equal(number_in(file, "PRAGMA quick_check"), 1);
    }
    sqlite3_close(db);
  }
  w.stop = true;
  pthread_join(thread, NULL);
  ff_close(w.engine);
  place_remove(&place);
}

/* The owner works on; what is saved is of one instant, and whole. */
static void a_file_in_use_is_saved(void **state) {
  (void)state;
  struct place from;
  struct ff_open_options open = FF_OPEN_OPTIONS_INIT;
  struct writer w = {0};
  pthread_t thread;
  place_make(&from, stores[1], "in_use");
  assert_fine(ff_open(from.url, &open, &w.engine, &error));
  assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
  for (int i = 0; i < 3; i++) {
    int least = w.made;
    while (w.made < least + 20) usleep(1000);
    least = w.made;
    assert_fine(save(from.url, false, true, NULL));
    int most = w.made + 1;
    assert_int_equal(number_in(file_name, "PRAGMA integrity_check"), 1);
    int64_t there = number_in(file_name, "SELECT count(*) FROM execution");
    assert_true(there >= least && there <= most);
    assert_int_equal(number_in(file_name, "SELECT count(*) FROM payload"), there);
    assert_refused(save(from.url, true, true, NULL), FF_CODE_store_busy, "an engine is at work");
  }
  w.stop = true;
  pthread_join(thread, NULL);
  ff_close(w.engine);
  struct engine *engine;
  char url[100];
  snprintf(url, sizeof url, "sqlite:%s", file_name);
  assert_fine(try_engine(url, &engine));
  engine_close(engine);
  unlink(file_name);
  snprintf(url, sizeof url, "%s.lock", file_name);
  unlink(url);
  place_remove(&from);
}

/* ---- damaged files ---- */

static char *read_all(size_t *size) {
  FILE *f = fopen(file_name, "rb");
  char *bytes = malloc(1 << 20);
  assert_non_null(f);
  *size = fread(bytes, 1, 1 << 20, f);
  fclose(f);
  return bytes;
}

/* Reads it to its end as restoring does. */
static enum ff_rc read_through(const char *bytes, size_t size) {
  FILE *f = fmemopen((void *)(uintptr_t)bytes, size, "rb");
  struct dump_reader r;
  uint32_t count = 1;
  enum ff_rc rc = dump_open(&r, f, "file", &error);
  while (rc == FF_OK && count) {
    enum record_kind kind;
    const void **records;
    rc = dump_next(&r, &kind, &records, &count, &error);
  }
  dump_reader_fini(&r);
  fclose(f);
  return rc;
}

/* A file that is cut off or changed anywhere is refused. */
static void damage_is_found(void **state) {
  (void)state;
  struct place from;
  size_t size;
  place_make(&from, stores[0], "damage");
  fill(from.url, 2);
  assert_fine(save(from.url, true, true, NULL));
  char *bytes = read_all(&size);
  assert_fine(read_through(bytes, size));
  size_t step = size / 3000 + 1;
  for (size_t at = 1; at < size; at += at < 400 ? 1 : step) {
    assert_int_not_equal(read_through(bytes, at), FF_OK);
    if (at > 8) assert_refused(FF_VALIDATION, FF_CODE_corruption, "at offset");
    bytes[at] ^= 0x20;
    assert_int_not_equal(read_through(bytes, size), FF_OK);
    if (at > 8) assert_refused(FF_VALIDATION, FF_CODE_corruption, "at offset");
    bytes[at] ^= 0x20;
  }
  free(bytes);
  place_remove(&from);
  unlink(file_name);
}

static void put_file(const char *text, size_t size) {
  FILE *f = fopen(file_name, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(text, 1, size, f), size);
  fclose(f);
}

static void half_a_restore_is_no_store(void **state) {
  (void)state;
  struct place from, to;
  size_t size;
  place_make(&from, stores[1], "half_from");
  place_make(&to, stores[1], "half_to");
  fill(from.url, 2);
  assert_fine(save(from.url, true, true, NULL));
  char *bytes = read_all(&size);
  put_file(bytes, size - 10);
  assert_refused(bring(to.url, NULL), FF_CODE_corruption, "at offset");
  assert_no_engine(to.url, FF_CODE_unavailable, "empty it and restore again");
  put_file("no such file at all", 19);
  assert_refused(bring(from.url, NULL), FF_CODE_config, "is no file that ff backup wrote");
  unlink(file_name);
  assert_refused(bring(from.url, NULL), FF_CODE_config, "cannot open");
  free(bytes);
  place_remove(&from);
  place_remove(&to);
}

/* Files of a later program: a later format, a field and a kind this one does not know. */
static void later_files_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *find, *put;
  } changes[] = {
      {"format=1", "format=2"}, {"lifecycle_phase", "lifecycle_phasf"}, {"lane", "lame"}};
  struct place from;
  size_t size;
  place_make(&from, stores[0], "later");
  fill(from.url, 2);
  assert_fine(save(from.url, true, true, NULL));
  char *bytes = read_all(&size);
  for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
    char *copy = malloc(size);
    memcpy(copy, bytes, size);
    size_t n = strlen(changes[i].find);
    for (size_t at = 8; at + 9 < size;) { /* block by block, sums made again */
      size_t len = (uint8_t)copy[at + 1] | (size_t)(uint8_t)copy[at + 2] << 8 |
                   (size_t)(uint8_t)copy[at + 3] << 16;
      char *content = copy + at + 5;
      for (size_t k = 0; (copy[at] == 'H' || copy[at] == 'K') && k + n <= len; k++)
        if (memcmp(content + k, changes[i].find, n) == 0 && (i != 2 || k == 0))
          memcpy(content + k, changes[i].put, n);
      uint32_t crc = crc32c(0, copy + at, len + 5);
      for (unsigned b = 0; b < 4; b++) copy[at + 5 + len + b] = (char)(crc >> (8 * b));
      at += len + 9;
    }
    assert_refused(read_through(copy, size), FF_CODE_schema_too_new, "use a newer one");
    free(copy);
  }
  free(bytes);
  place_remove(&from);
  unlink(file_name);
}

static void names_show_no_secrets(void **state) {
  (void)state;
  char shown[300];
  transfer_shown("postgres://ff:pw@db:5432/ff?sslpassword=pw&schema=x&password=y", shown, 300);
  assert_string_equal(shown, "postgres://db:5432/ff?schema=x");
  transfer_shown("postgres:///ff?host=/run", shown, 300);
  assert_string_equal(shown, "postgres:///ff");
  transfer_shown("valkey://u:p@ss@h/0?prefix=a", shown, 300);
  assert_string_equal(shown, "valkey://h/0?prefix=a");
  transfer_shown("sqlite:a@b.db?synchronous=off", shown, 300);
  assert_string_equal(shown, "sqlite:a@b.db");
  transfer_shown("memory:x", shown, 300);
  assert_string_equal(shown, "memory:x");
}

int main(int argc, char **argv) {
  int status = 0;
  snprintf(file_name, sizeof file_name, "transfer-%ld.file", (long)getpid());
  for (size_t i = 0; i < TEST_STORES; i++)
    if (test_store_available(i, &status)) stores[store_count++] = i;
  if (status == 1) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_show_no_secrets),
      cmocka_unit_test(every_pair),
      cmocka_unit_test(a_move_goes_on),
      cmocka_unit_test(engines_are_noticed),
      cmocka_unit_test(a_move_is_taken_back),
      cmocka_unit_test(differences_are_found),
      cmocka_unit_test(old_handles_and_cursors_are_refused),
      cmocka_unit_test(every_format),
      cmocka_unit_test(checkpoints_in_part_are_whole),
      cmocka_unit_test(a_file_in_use_is_saved),
      cmocka_unit_test(damage_is_found),
      cmocka_unit_test(half_a_restore_is_no_store),
      cmocka_unit_test(later_files_are_refused),
  };
  if (argc > 1) cmocka_set_test_filter(argv[1]);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
