/*
 * SQLite store: the write-ahead log stays short and only the writer moves it; full disks; where
 * event ids go on; hints.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test/lib/sqlite_fixture.h"
#include "test/lib/vfs_fault.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fixture f;

static int setup(void **state) {
  (void)state;
  fixture_init(&f);
  vfs_fault_install();
  return fixture_open(&f, "") == FF_OK ? 0 : -1;
}
static int teardown(void **state) {
  (void)state;
  fixture_fini(&f);
  vfs_fault_remove();
  return 0;
}

static uint64_t file_size(const char *suffix) {
  char path[256];
  struct stat st;
  snprintf(path, sizeof path, "%s%s", f.path, suffix);
  return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void insert_many(uint32_t from, uint32_t count) {
  struct store_write *writes = ARENA_ARRAY(&f.arena, struct store_write, count);
  for (uint32_t i = 0; i < count; i++)
    writes[i] = (struct store_write){STORE_INSERT, RECORD_KIND_execution,
                                     fixture_execution(&f, from + i, 1000 + from + i), 0};
  enum ff_rc rc;
  assert_int_equal(fixture_apply(&f, writes, count, NULL, 0, &rc), STORE_APPLIED);
  arena_reset(&f.arena);
}

static uint64_t all_operations(void) {
  uint64_t n = 0;
  for (int op = 0; op < VFS_OP_COUNT; op++) n += vfs_fault_count((enum vfs_op)op);
  return n;
}

/* ---- the log ---- */

/* 40,000 pages of changes go through a log of some 1,000, whether or not the writer ever rests. */
static void run_load(bool rest) {
  uint64_t most = 0;
  for (uint32_t i = 0; i < 120; i++) {
    bool more;
    insert_many(i * 300, 300);
    if (rest) f.store->vtable->idle(f.writer, &more);
    if (file_size("-wal") > most) most = file_size("-wal");
  }
  assert_true(file_size("") > 8000000);
  if (most > 1600 * 4120) fail_msg("the log grew to %llu bytes", (unsigned long long)most);
}

static void test_log_is_bounded_under_load(void **state) {
  (void)state;
  run_load(false);
}

static void test_log_is_bounded_with_rests(void **state) {
  (void)state;
  run_load(true);
}

static void test_idle_writes_nothing(void **state) {
  (void)state;
  insert_many(0, 500);
  bool more;
  for (int i = 0; i < 10; i++) f.store->vtable->idle(f.writer, &more);
  uint64_t before = all_operations();
  for (int i = 0; i < 1000; i++) f.store->vtable->idle(f.writer, &more);
  assert_int_equal(all_operations(), before);
}

/* Readers read, close and even outlive each other without a single write. */
static void test_readers_never_checkpoint(void **state) {
  (void)state;
  sqlite_store_of(f.store)->hard_frames = UINT32_MAX;
  for (uint32_t i = 0; i < 30; i++) insert_many(i * 300, 300);
  uint64_t before = all_operations(), size = file_size("");
  assert_true(file_size("-wal") > 1000 * 4120);
  struct execution from = {.partition = 0};
  for (int i = 0; i < 20; i++) {
    struct store_session *reader;
    struct store_scan scan = {.index = INDEX_execution_created, .from = &from, .limit = 20000};
    int64_t now;
    assert_int_equal(f.store->vtable->session_open(f.store, STORE_READER, &reader, &f.error),
                     FF_OK);
    assert_int_equal(f.store->vtable->fetch(reader, &f.arena, NULL, 0, &scan, 1, &now, &f.error),
                     FF_OK);
    assert_int_equal(scan.count, 9000);
    f.store->vtable->session_close(reader);
    arena_reset(&f.arena);
  }
  assert_int_equal(all_operations(), before);
  assert_int_equal(file_size(""), size);
}

/* Between fetches a reader holds no view that would keep the log from starting over. */
static void test_an_idle_reader_is_not_in_the_way(void **state) {
  (void)state;
  for (uint32_t i = 0; i < 120; i++) {
    insert_many(i * 300, 300);
    struct execution *x = fixture_execution(&f, i * 300, 1000 + i * 300);
    assert_non_null(fixture_get(&f, RECORD_KIND_execution, x));
  }
  assert_true(file_size("-wal") < 1600 * 4120);
}

static void test_a_clean_close_leaves_one_file(void **state) {
  (void)state;
  insert_many(0, 300);
  fixture_close(&f);
  assert_int_equal(file_size("-wal"), 0);
  assert_int_equal(fixture_open(&f, "?mode=ro"), FF_OK);
  assert_non_null(fixture_get(&f, RECORD_KIND_execution, fixture_execution(&f, 299, 1299)));
}

/* ---- no space ---- */

static void test_a_full_disk_is_named_and_harmless(void **state) {
  (void)state;
  insert_many(0, 10);
  sqlite3 *db = sqlite_store_of(f.store)->db;
  struct buffer before, after;
  buffer_init(&before);
  buffer_init(&after);
  assert_int_equal(fixture_dump(&f, &before), FF_OK);
  assert_int_equal(sqlite3_exec(db, "PRAGMA max_page_count=1", NULL, NULL, NULL), SQLITE_OK);
  struct execution *x = fixture_execution(&f, 77, 5000);
  x->payload = (struct ff_bytes){arena_zalloc(&f.arena, 200000), 200000};
  struct store_write write = {STORE_INSERT, RECORD_KIND_execution, x, 0};
  const struct event *v = fixture_event(&f, x, 1);
  enum ff_rc rc;
  fixture_apply(&f, &write, 1, &v, 1, &rc);
  assert_int_equal(rc, FF_TRANSPORT);
  assert_int_equal(f.error.code, FF_CODE_store_full);
  assert_non_null(strstr(f.error.detail, f.path));
  assert_int_equal(fixture_dump(&f, &after), FF_OK);
  assert_true(text_equal(buffer_text(&before), buffer_text(&after)));
  assert_int_equal(sqlite3_exec(db, "PRAGMA max_page_count=100000", NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal(fixture_apply(&f, &write, 1, &v, 1, &rc), STORE_APPLIED);
  buffer_fini(&before);
  buffer_fini(&after);
}

static void test_no_space_for_the_log_is_certain(void **state) {
  (void)state;
  enum ff_rc rc;
  struct store_write write = {STORE_INSERT, RECORD_KIND_execution, fixture_execution(&f, 1, 1), 0};
  vfs_fault_fail(VFS_WRITE, 1, true, SQLITE_FULL);
  fixture_apply(&f, &write, 1, NULL, 0, &rc);
  assert_int_equal(f.error.code, FF_CODE_store_full);
  assert_null(fixture_get(&f, RECORD_KIND_execution, write.record));
  vfs_fault_disarm();
  assert_int_equal(fixture_apply(&f, &write, 1, NULL, 0, &rc), STORE_APPLIED);
}

/* A checkpoint that cannot write costs nothing that was acknowledged, but ends the trust in the
 * medium. */
static void test_a_failed_checkpoint_stops_the_store(void **state) {
  (void)state;
  sqlite_store_of(f.store)->idle_frames = 1;
  insert_many(0, 300);
  bool more;
  vfs_fault_fail(VFS_SYNC, 1, false, SQLITE_IOERR_FSYNC);
  f.store->vtable->idle(f.writer, &more);
  assert_true(vfs_fault_hit());
  enum ff_rc rc;
  struct execution *x = fixture_execution(&f, 0, 1000);
  fixture_apply(&f, NULL, 0, NULL, 0, &rc);
  assert_int_equal(rc, FF_TRANSPORT);
  assert_int_equal(f.error.code, FF_CODE_transport);
  assert_null(fixture_get(&f, RECORD_KIND_execution, x));
  fixture_close(&f);
  assert_int_equal(fixture_open(&f, ""), FF_OK);
  assert_non_null(fixture_get(&f, RECORD_KIND_execution, x));
}

/* ---- the event log ---- */

static uint64_t append_event(void) {
  const struct event *v = fixture_event(&f, fixture_execution(&f, 1, 1), 100);
  enum ff_rc rc;
  assert_int_equal(fixture_apply(&f, NULL, 0, &v, 1, &rc), STORE_APPLIED);
  char id[32];
  fixture_sql(&f, "SELECT max(event_id) FROM event", id, sizeof id);
  return strtoull(id, NULL, 10);
}

static void trim_all(uint32_t expected) {
  uint32_t removed;
  assert_int_equal(f.store->vtable->trim_log(f.writer, INT64_MAX, 0, 1000, &removed, &f.error),
                   FF_OK);
  assert_int_equal(removed, expected);
}

static void test_event_ids_are_never_reused(void **state) {
  (void)state;
  for (uint64_t i = 1; i <= 5; i++) assert_int_equal(append_event(), i);
  trim_all(5);
  assert_int_equal(append_event(), 6);
  trim_all(1);
  trim_all(0);
  fixture_close(&f);
  assert_int_equal(fixture_open(&f, ""), FF_OK);
  assert_int_equal(append_event(), 7);
  /* A refused group gives its ids back: nothing was there for anybody to see. */
  trim_all(1);
  struct execution *x = fixture_execution(&f, 9, 9);
  fixture_insert(&f, RECORD_KIND_execution, x);
  struct store_write write = {STORE_INSERT, RECORD_KIND_execution, x, 0};
  const struct event *v = fixture_event(&f, x, 100);
  enum ff_rc rc;
  assert_int_equal(fixture_apply(&f, &write, 1, &v, 1, &rc), STORE_CONFLICT);
  assert_int_equal(append_event(), 8);
}

static void test_cursors_know_what_was_dropped(void **state) {
  (void)state;
  const struct event **events;
  uint32_t count;
  struct ff_bytes end, next, start = {"\x03", 1};
  bool dropped;
  const struct store_vtable *v = f.store->vtable;
#define READ(cursor, limit)                                                                        \
  assert_int_equal(                                                                                \
      v->read_log(f.reader, &f.arena, cursor, limit, &events, &count, &next, &dropped, &f.error),  \
      FF_OK)
  READ(((struct ff_bytes){NULL, 0}), 10);
  assert_int_equal(count, 0);
  end = next;
  for (int i = 0; i < 6; i++) append_event();
  READ(end, 4);
  assert_int_equal(count, 4);
  assert_false(dropped);
  struct ff_bytes fourth = next;
  uint32_t removed;
  assert_int_equal(v->trim_log(f.writer, INT64_MAX, 1, 1000, &removed, &f.error), FF_OK);
  assert_int_equal(removed, 5);
  READ(fourth, 10);
  assert_true(dropped && count == 1 && events[0]->event_id == 6);
  READ(next, 10);
  assert_true(!dropped && count == 0);
  READ(start, 10); /* from the beginning of what is retained: nothing is missing */
  assert_true(!dropped && count == 1);
  trim_all(1);
  READ(fourth, 10);
  assert_true(dropped && count == 0);
  static const char *const foreign[] = {"\x04", "\x03\x01", "\x03\xff\xff\xff\xff\xff\xff\xff\xff"};
  static const size_t sizes[] = {1, 2, 9};
  for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
    struct ff_bytes cursor = {foreign[i], sizes[i]};
    assert_int_equal(
        v->read_log(f.reader, &f.arena, cursor, 5, &events, &count, &next, &dropped, &f.error),
        FF_VALIDATION);
    assert_string_equal(f.error.detail, "cursor does not belong to this backend");
  }
}

/* ---- hints ---- */

static void count_hint(void *user, const struct store_hint *hint) {
  *(int *)user += hint->partition;
}

static void test_hints_reach_other_openers_of_the_file(void **state) {
  (void)state;
  int here = 0, there = 0;
  struct fixture other = f;
  other.reader = other.writer = NULL;
  assert_int_equal(fixture_open(&other, "?mode=ro"), FF_OK);
  struct store_hint hint = {.partition = 5};
  assert_int_equal(f.store->vtable->listen(f.store, count_hint, &here, &f.error), FF_OK);
  assert_int_equal(other.store->vtable->listen(other.store, count_hint, &there, &f.error), FF_OK);
  f.store->vtable->notify(f.store, &here, &hint, 1);
  assert_true(here == 0 && there == 5);
  f.store->vtable->notify(f.store, NULL, &hint, 1);
  assert_true(here == 5 && there == 10);
  other.store->vtable->unlisten(other.store, &there);
  f.store->vtable->notify(f.store, NULL, &hint, 1);
  assert_true(here == 10 && there == 10);
  fixture_close(&other);
}

/* ---- a checkpoint that a reader keeps from its end ---- */

static void sql(sqlite3 *db, const char *text) {
  char *problem = NULL;
  if (sqlite3_exec(db, text, NULL, NULL, &problem) != SQLITE_OK) fail_msg("%s: %s", text, problem);
}

static sqlite3 *raw(const char *path, const char *vfs) {
  sqlite3 *db;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  assert_int_equal(sqlite3_open_v2(path, &db, flags, vfs), SQLITE_OK);
  return db;
}

static void answers(sqlite3 *db, const char *question, const char *want) {
  sqlite3_stmt *st;
  assert_int_equal(sqlite3_prepare_v2(db, question, -1, &st, NULL), SQLITE_OK);
  int code = sqlite3_step(st);
  if (code != SQLITE_ROW) fail_msg("%s: %s", question, sqlite3_errmsg(db));
  assert_string_equal((const char *)sqlite3_column_text(st, 0), want);
  sqlite3_finalize(st);
}

/* What it has moved is in the database file when it says so: a later reader looks for it there, on
 * any connection and in any process. */
static void test_a_checkpoint_half_done_can_be_read(void **state) {
  (void)state;
  char path[300], file[320];
  int frames, done;
  snprintf(path, sizeof path, "%s-half", f.path);
  sqlite3 *writer = raw(path, sqlite_gathering_vfs());
  sql(writer, "PRAGMA journal_mode=wal; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
              "CREATE TABLE t(i INTEGER PRIMARY KEY, x BLOB);"
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<40)"
              "INSERT INTO t SELECT i, zeroblob(3000) FROM n");
  sqlite3 *old = raw(path, NULL), *fresh = raw(path, NULL);
  sql(old, "BEGIN");
  answers(old, "SELECT count(*) FROM t", "40");
  sql(writer, "INSERT INTO t VALUES(41, zeroblob(3000))");
  assert_int_equal(sqlite3_wal_checkpoint_v2(writer, "main", SQLITE_CHECKPOINT_PASSIVE, &frames,
                                             &done),
                   SQLITE_OK);
  assert_true(done > 0 && done < frames);
  answers(fresh, "SELECT count(*) || ',' || sum(length(x)) FROM t", "41,123000");
  answers(fresh, "PRAGMA integrity_check", "ok");
  answers(old, "SELECT count(*) FROM t", "40");
  sqlite3_close(old);
  sqlite3_close(fresh);
  sqlite3_close(writer);
  static const char *const suffixes[] = {"", "-wal", "-shm"};
  for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
    snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
    (void)unlink(file);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_log_is_bounded_under_load),
      TEST(test_log_is_bounded_with_rests),
      TEST(test_idle_writes_nothing),
      TEST(test_readers_never_checkpoint),
      TEST(test_an_idle_reader_is_not_in_the_way),
      TEST(test_a_clean_close_leaves_one_file),
      TEST(test_a_full_disk_is_named_and_harmless),
      TEST(test_no_space_for_the_log_is_certain),
      TEST(test_a_failed_checkpoint_stops_the_store),
      TEST(test_event_ids_are_never_reused),
      TEST(test_cursors_know_what_was_dropped),
      TEST(test_a_checkpoint_half_done_can_be_read),
      TEST(test_hints_reach_other_openers_of_the_file),
  };
  return cmocka_run_group_tests_name("sqlite log", tests, NULL, NULL);
}
