/*
 * SQLite store: the schema, what an operator sees of it, query plans, and rows that somebody else
 * has damaged (01 CV-8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test/lib/sqlite_fixture.h"

#include <stdlib.h>

static struct fixture f;

static int setup(void **state) {
  (void)state;
  fixture_init(&f);
  return fixture_open(&f, "") == FF_OK ? 0 : -1;
}
static int teardown(void **state) {
  (void)state;
  fixture_fini(&f);
  return 0;
}

/* ---- plans ---- */

/* One SEARCH or SCAN through the named index, and no sorting. */
static void check_plan(sqlite3 *db, const char *sql, const char *expected) {
  struct buffer explain, plan;
  buffer_init(&explain);
  buffer_init(&plan);
  buffer_printf(&explain, "EXPLAIN QUERY PLAN %s", sql);
  sqlite3_stmt *st;
  if (sqlite3_prepare_v2(db, explain.ptr, -1, &st, NULL))
    fail_msg("%s: %s", sql, sqlite3_errmsg(db));
  while (sqlite3_step(st) == SQLITE_ROW)
    buffer_printf(&plan, "%s; ", (const char *)sqlite3_column_text(st, 3));
  sqlite3_finalize(st);
  if (expected && (!plan.len || !strstr(plan.ptr, expected)))
    fail_msg("%s\nplan: %s\nexpected: %s", sql, plan.ptr, expected);
  if (plan.len && (strstr(plan.ptr, "B-TREE") || strstr(plan.ptr, "MULTI-INDEX")))
    fail_msg("%s\nplan: %s", sql, plan.ptr);
  buffer_fini(&plan);
  buffer_fini(&explain);
}

static void test_every_key_statement_seeks(void **state) {
  (void)state;
  sqlite3 *db = sqlite_store_of(f.store)->db;
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
    bool log = record_infos[kind].tag == RECORD_TAG_LOG;
    for (unsigned which = 0; which < SQLITE_ST_COUNT; which++) {
      if ((which >= SQLITE_ST_INSERT && which <= SQLITE_ST_INSERT_MANY) ||
          (log && which != SQLITE_ST_GET))
        continue;
      bool by_row = which == SQLITE_ST_GET_ROW || which == SQLITE_ST_UPDATE_ROW ||
                    which == SQLITE_ST_DELETE_ROW;
      struct buffer sql, expected;
      buffer_init(&sql);
      buffer_init(&expected);
      sqlite_kind_sql((enum record_kind)kind, (enum sqlite_statement)which, &sql);
      if (log || by_row) buffer_append_c(&expected, "USING INTEGER PRIMARY KEY");
      else buffer_printf(&expected, "USING INDEX %s_key (", record_infos[kind].name);
      check_plan(db, sql.ptr, expected.ptr);
      buffer_fini(&expected);
      buffer_fini(&sql);
    }
  }
}

static void check_scan_plans(sqlite3 *db, enum index_id index) {
  const struct index_info *info = &index_infos[index];
  bool log_key = info->when == INDEX_PRIMARY && record_infos[info->kind].tag == RECORD_TAG_LOG;
  for (unsigned at = 0; at < 2 * (1 + sqlite_scan_levels(index)); at++) {
    unsigned level = at / 2;
    struct buffer sql, expected;
    buffer_init(&sql);
    buffer_init(&expected);
    sqlite_scan_sql(index, level, at % 2, &sql);
    const char *verb = level || info->prefix_count || info->when == INDEX_SET ? "SEARCH" : "SCAN";
    /* SQLite never says so of a partial index that is bound to one word; its program touches no
     * table either. */
    const char *covering = at % 2 && info->when != INDEX_EQ ? "COVERING " : "";
    if (log_key && !level) buffer_append_c(&expected, "SCAN event");
    else if (log_key)
      buffer_append_c(&expected, "SEARCH event USING INTEGER PRIMARY KEY (rowid>?)");
    else {
      buffer_printf(&expected, "%s %s USING %sINDEX ", verb, record_infos[info->kind].name,
                    covering);
      sqlite_index_name(index, &expected);
    }
    check_plan(db, sql.ptr, expected.ptr);
    buffer_fini(&expected);
    buffer_fini(&sql);
  }
}

static void test_every_scan_follows_its_index(void **state) {
  (void)state;
  sqlite3 *db = sqlite_store_of(f.store)->db;
  for (unsigned index = 0; index < INDEX_COUNT; index++) check_scan_plans(db, (enum index_id)index);
  /* Statistics that lie must not change a plan. */
  assert_int_equal(sqlite3_exec(db,
                                "ANALYZE;DELETE FROM sqlite_stat1;INSERT INTO sqlite_stat1 "
                                "SELECT tbl_name,name,'9000000 9000000 9000000 9000000 9000000' "
                                "FROM sqlite_schema WHERE type='index';ANALYZE sqlite_schema",
                                NULL, NULL, NULL),
                   SQLITE_OK);
  for (unsigned index = 0; index < INDEX_COUNT; index++) check_scan_plans(db, (enum index_id)index);
}

static void scan_page(const struct execution *from, bool after, uint32_t limit,
                      struct store_scan *out) {
  *out = (struct store_scan){
      .index = INDEX_execution_eligible, .from = from, .after = after, .limit = limit};
  int64_t now;
  assert_int_equal(f.store->vtable->fetch(f.reader, &f.arena, NULL, 0, out, 1, &now, &f.error),
                   FF_OK);
}

/* Pages of every size give the same order: priority down, then creation and key up. */
static void test_pages_follow_mixed_directions(void **state) {
  (void)state;
  for (uint32_t i = 0; i < 60; i++) {
    struct execution *x = fixture_execution(&f, i, 1000 + i % 7);
    x->priority = (int32_t)(i * 7 % 5) - 2;
    fixture_insert(&f, RECORD_KIND_execution, x);
  }
  struct store_scan all, page;
  struct execution start = {.lane_id = TEXT_LIT("lane"), .required_capabilities = TEXT_LIT("")};
  scan_page(&start, false, 100, &all);
  assert_int_equal(all.count, 60);
  assert_true(all.complete);
  for (uint32_t limit = 1; limit < 70; limit += limit < 9 ? 1 : 13) {
    const struct execution *from = &start;
    uint32_t at = 0;
    do {
      scan_page(from, at > 0, limit, &page);
      for (uint32_t i = 0; i < page.count; i++, at++)
        assert_true(record_equal(RECORD_KIND_execution, page.records[i], all.records[at]));
      if (page.count) from = page.records[page.count - 1];
    } while (!page.complete);
    assert_int_equal(at, 60);
  }
}

/* ---- operators ---- */

static void expect_sql(const char *sql, const char *expected) {
  char got[256];
  fixture_sql(&f, sql, got, sizeof got);
  if (strcmp(got, expected) != 0) fail_msg("%s\nanswers `%s`, expected `%s`", sql, got, expected);
}

static void test_views_speak_words(void **state) {
  (void)state;
  struct execution *x = fixture_execution(&f, 1, 1700000000123);
  x->lease_expires_at = 1700000030000;
  x->attempt_id = x->id;
  fixture_insert(&f, RECORD_KIND_execution, x);
  const struct event *v = fixture_event(&f, x, 5);
  enum ff_rc rc;
  fixture_apply(&f, NULL, 0, &v, 1, &rc);
  char uuid[37], id[64];
  uuid_format(x->id, uuid);
  snprintf(id, sizeof id, "{fp:1}:%s", uuid);
  expect_sql("SELECT id FROM v_execution", id);
  expect_sql("SELECT execution_id FROM v_event", id);
  expect_sql("SELECT attempt_id FROM v_execution", uuid);
  expect_sql("SELECT lease_id IS NULL FROM v_execution", "1");
  expect_sql("SELECT public_state FROM v_execution", "waiting");
  expect_sql("SELECT blocking_reason FROM v_execution", "waiting_for_worker");
  expect_sql("SELECT created_at FROM v_execution", "2023-11-14T22:13:20.123Z");
  expect_sql("SELECT completed_at IS NULL FROM v_execution", "1");
  expect_sql("SELECT idempotency_key FROM v_execution", "cold \"text\"");
  expect_sql("SELECT lease_event FROM v_event", "acquired");
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM (SELECT * FROM v_%s)", record_infos[kind].name);
    expect_sql(sql, kind == RECORD_KIND_execution || kind == RECORD_KIND_event ? "1" : "0");
  }
}

/* Every state vector shows the public state that 01 SV-1 derives. */
static void test_public_state_is_derived(void **state) {
  (void)state;
  static const struct {
    uint8_t phase, eligibility, outcome;
    const char *state;
  } rows[] = {
#define ROW(p, e, o, s)                                                                            \
  {FF_lifecycle_phase_##p, FF_eligibility_state_##e, FF_terminal_outcome_##o, #s}
      ROW(submitted, not_applicable, none, waiting),
      ROW(runnable, not_eligible_until_time, none, delayed),
      ROW(runnable, blocked_by_dependencies, none, waiting_children),
      ROW(runnable, blocked_by_budget, none, rate_limited),
      ROW(runnable, blocked_by_quota, none, rate_limited),
      ROW(runnable, blocked_by_operator, none, waiting),
      ROW(active, not_applicable, none, active),
      ROW(suspended, not_applicable, none, suspended),
      ROW(terminal, not_applicable, success, completed),
      ROW(terminal, not_applicable, failed, failed),
      ROW(terminal, not_applicable, cancelled, cancelled),
      ROW(terminal, not_applicable, expired, expired),
      ROW(terminal, not_applicable, skipped, skipped),
      ROW(terminal, not_applicable, none, failed),
  };
  for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
    struct execution *x = fixture_execution(&f, i, 1000 + i);
    x->lifecycle_phase = rows[i].phase;
    x->eligibility_state = rows[i].eligibility;
    x->terminal_outcome = rows[i].outcome;
    fixture_insert(&f, RECORD_KIND_execution, x);
    char sql[128];
    snprintf(sql, sizeof sql,
             "SELECT public_state FROM v_execution ORDER BY created_at DESC LIMIT 1");
    expect_sql(sql, rows[i].state);
  }
}

/* ---- migration ---- */

static void test_a_newer_schema_is_refused(void **state) {
  (void)state;
  fixture_close(&f);
  fixture_sql(&f, "UPDATE meta SET value=99 WHERE name='schema_generation'", NULL, 0);
  assert_int_equal(fixture_open(&f, ""), FF_TRANSPORT);
  assert_int_equal(f.error.code, FF_CODE_schema_too_new);
  char known[32];
  snprintf(known, sizeof known, "up to %d", SQLITE_SCHEMA_GENERATION);
  assert_non_null(strstr(f.error.detail, "generation 99"));
  assert_non_null(strstr(f.error.detail, known));
  assert_int_equal(fixture_open(&f, "?mode=ro"), FF_TRANSPORT);
  assert_int_equal(f.error.code, FF_CODE_schema_too_new);
  expect_sql("SELECT value FROM meta WHERE name='schema_generation'", "99");
}

static void test_migrating_twice_does_nothing(void **state) {
  (void)state;
  bool applied = true;
  assert_int_equal(f.store->vtable->migrate(f.store, &applied, &f.error), FF_OK);
  assert_false(applied);
}

/* A file written before a column and an index existed gets them; its rows read the default. */
static void test_an_older_file_is_brought_up(void **state) {
  (void)state;
  struct execution *x = fixture_execution(&f, 1, 1000);
  fixture_insert(&f, RECORD_KIND_execution, x);
  fixture_close(&f);
  fixture_sql(&f,
              "DROP VIEW v_execution;DROP INDEX execution_due;DROP INDEX execution_by_lane;"
              "ALTER TABLE execution DROP COLUMN receipt_op;"
              "ALTER TABLE execution DROP COLUMN next_due_at;"
              "DROP TABLE grant;"
              "UPDATE meta SET value=0 WHERE name='schema_fingerprint'",
              NULL, 0);
  assert_int_equal(fixture_open(&f, ""), FF_OK);
  const struct execution *read = fixture_get(&f, RECORD_KIND_execution, x);
  assert_non_null(read);
  assert_true(record_equal(RECORD_KIND_execution, read, x));
  test_every_scan_follows_its_index(state);
  expect_sql("SELECT receipt_op FROM v_execution", "none");
}

/* ---- damage ---- */

static void expect_corrupt(const char *damage, const char *field, const char *detail) {
  struct execution *x = fixture_execution(&f, 1, 1000);
  fixture_insert(&f, RECORD_KIND_execution, x);
  fixture_sql(&f, damage, NULL, 0);
  struct store_get get = {RECORD_KIND_execution, x, NULL};
  int64_t now;
  for (int i = 0; i < 2; i++) { /* the writer's view and a reader's; it stays an error */
    enum ff_rc rc =
        f.store->vtable->fetch(i ? f.reader : f.writer, &f.arena, &get, 1, NULL, 0, &now, &f.error);
    assert_int_equal(rc, FF_OK);
    if (!get.unreadable) fail_msg("%s: was read", damage);
    assert_null(get.record);
    assert_int_equal(get.unreadable->code, FF_CODE_corruption);
    assert_string_equal(get.unreadable->field, field);
    assert_non_null(ff_error_context_get(get.unreadable, "row"));
    if (strncmp(get.unreadable->detail, detail, strlen(detail)) != 0)
      fail_msg("detail is `%s`", get.unreadable->detail);
  }
  assert_int_equal(f.store->vtable->apply(f.writer, NULL, 0, &f.error), FF_OK);
  fixture_sql(&f, "DELETE FROM execution", NULL, 0);
}

static void test_damaged_rows_name_kind_and_field(void **state) {
  (void)state;
  expect_corrupt("UPDATE execution SET lifecycle_phase=77", "lifecycle_phase",
                 "execution: lifecycle_phase: unknown value");
  expect_corrupt("UPDATE execution SET attempt_state=NULL", "attempt_state",
                 "execution: attempt_state: is NULL");
  expect_corrupt("UPDATE execution SET total_attempt_count=-1", "total_attempt_count",
                 "execution: total_attempt_count: out of range");
  expect_corrupt("UPDATE execution SET priority=1<<40", "priority",
                 "execution: priority: out of range");
  expect_corrupt("UPDATE execution SET last_mutation_at='soon'", "last_mutation_at",
                 "execution: last_mutation_at: not an integer");
  expect_corrupt("UPDATE execution SET attempt_id=x'0102'", "attempt_id",
                 "execution: attempt_id: not 16 bytes");
  expect_corrupt("UPDATE execution SET worker_id=x'0102'", "worker_id",
                 "execution: worker_id: not a text");
  expect_corrupt("UPDATE execution SET payload='text'", "payload",
                 "execution: payload: not a blob");
  expect_corrupt("UPDATE execution SET version=0", "version", "execution: version: ");
  expect_corrupt("UPDATE execution SET cold='{\"retry_count\":'", "cold", "execution: cold: ");
  expect_corrupt("UPDATE execution SET cold='{\"colour\":1}'", "cold", "execution: cold: ");
  expect_corrupt("UPDATE execution SET cold='{\"retry_count\":\"x\"}'", "retry_count",
                 "execution: retry_count: ");
  expect_corrupt("UPDATE execution SET cold=x'00'", "cold", "execution: cold: not a text");
}

static void test_rows_are_read_as_written(void **state) {
  (void)state;
  struct execution *x = fixture_execution(&f, 1, 1000);
  x->current_lease_epoch = UINT64_MAX;
  x->priority = INT32_MIN;
  x->payload = (struct ff_bytes){"", 0};
  x->worker_id = TEXT_LIT("");
  x->result = (struct ff_bytes){"\0\xff\0", 3};
  x->progress_pct = 0;
  x->receipt_lease_epoch = UINT64_MAX;
  fixture_insert(&f, RECORD_KIND_execution, x);
  const struct execution *read = fixture_get(&f, RECORD_KIND_execution, x);
  assert_true(record_equal(RECORD_KIND_execution, read, x));
  assert_int_equal(read->head.version, 1);
}

/* The number of a deleted row may be given out again: a write that remembers it must not hit the
 * newcomer. */
static void test_a_reused_row_number_is_a_conflict(void **state) {
  (void)state;
  struct execution *x = fixture_execution(&f, 1, 1000), *other = fixture_execution(&f, 2, 1000);
  fixture_insert(&f, RECORD_KIND_execution, x);
  const struct execution *stale = fixture_get(&f, RECORD_KIND_execution, x);
  struct store_write gone = {STORE_DELETE, RECORD_KIND_execution, x, 1};
  enum ff_rc rc;
  assert_int_equal(fixture_apply(&f, &gone, 1, NULL, 0, &rc), STORE_APPLIED);
  fixture_insert(&f, RECORD_KIND_execution, other);
  const struct execution *now = fixture_get(&f, RECORD_KIND_execution, other);
  assert_int_equal(now->head.store_row, stale->head.store_row);
  struct execution *changed = record_clone(RECORD_KIND_execution, stale, &f.arena);
  changed->head.version = 2;
  struct store_write write = {STORE_UPDATE, RECORD_KIND_execution, changed, 1};
  assert_int_equal(fixture_apply(&f, &write, 1, NULL, 0, &rc), STORE_CONFLICT);
  write = (struct store_write){STORE_DELETE, RECORD_KIND_execution, stale, 1};
  assert_int_equal(fixture_apply(&f, &write, 1, NULL, 0, &rc), STORE_CONFLICT);
  assert_non_null(fixture_get(&f, RECORD_KIND_execution, other));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_every_key_statement_seeks),         TEST(test_every_scan_follows_its_index),
      TEST(test_pages_follow_mixed_directions),     TEST(test_views_speak_words),
      TEST(test_public_state_is_derived),           TEST(test_a_newer_schema_is_refused),
      TEST(test_migrating_twice_does_nothing),      TEST(test_an_older_file_is_brought_up),
      TEST(test_damaged_rows_name_kind_and_field),  TEST(test_rows_are_read_as_written),
      TEST(test_a_reused_row_number_is_a_conflict),
  };
  return cmocka_run_group_tests_name("sqlite schema", tests, NULL, NULL);
}
