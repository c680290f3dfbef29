/*
 * PostgreSQL when things break: connections cut at every request, a killed and restarted server, a
 * stopped process, rivals, messages for what is set up wrongly, plans beside dead rows.
 */
#include "test/store/faults.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- helpers ---- */

static void url_on(uint16_t port, const char *schema, const char *more, char *out, size_t size) {
  snprintf(out, size, "postgres://ff:%s@127.0.0.1:%u/postgres?sslmode=disable&schema=%s%s",
           server.password, port, schema, more);
}

static void sql(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char answer[256];
static void sql(const char *format, ...) {
  char text[1024], url[256];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  url_on(server.port[0], "x", "", url, sizeof url);
  *strstr(url, "&schema") = '\0';
  PGconn *conn = PQconnectdb(url);
  PGresult *r = PQexec(conn, text);
  if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
    fail_msg("%s: %s", text, PQerrorMessage(conn));
  answer[0] = '\0';
  if (PQntuples(r)) snprintf(answer, sizeof answer, "%s", PQgetvalue(r, 0, 0));
  PQclear(r);
  PQfinish(conn);
}

static void open_on(struct place *p, uint16_t port, const char *schema, const char *more) {
  char url[256];
  url_on(port, schema, more, url, sizeof url);
  place_open(p, url, NULL);
}

/* ---- lost connections ---- */

static void cuts_at_every_request(void **state) {
  (void)state;
  char direct[256], through[256];
  uint16_t port;
  struct cut_proxy *proxy = cut_proxy_start(server.port[0], &port);
  assert_non_null(proxy);
  url_on(server.port[0], "cuts", "", direct, sizeof direct);
  url_on(port, "cuts", "", through, sizeof through);
  check_cuts(direct, through, proxy);
  cut_proxy_stop(proxy);
}

static void readers_survive_lost_connections(void **state) {
  (void)state;
  char url[256];
  uint16_t port;
  struct cut_proxy *proxy = cut_proxy_start(server.port[0], &port);
  url_on(port, "readers", "", url, sizeof url);
  check_lost_readers(url, proxy);
  cut_proxy_stop(proxy);
}

static void a_restarted_server_is_found_again(void **state) {
  (void)state;
  char url[256];
  url_on(server.port[0], "restart", "", url, sizeof url);
  check_restart(url);
}

static void hints_reach_other_processes(void **state) {
  (void)state;
  char url[256];
  url_on(server.port[0], "hints", "", url, sizeof url);
  check_hints(url);
}

/* A stopped process holds nothing for longer than it is allowed, and its late write is refused. */
static void a_stopped_writer_is_thrown_out(void **state) {
  (void)state;
  struct place stopped, rival;
  const void *read, *theirs;
  enum store_outcome outcome;
  open_on(&stopped, server.port[0], "stopped", "&idle_in_transaction_timeout_ms=300");
  open_on(&rival, server.port[0], "stopped", "");
  insert_one(&rival, 1);
  assert_fine(load(stopped.writer, numbered(1), &read));
  assert_fine(load(rival.writer, numbered(1), &theirs)); /* waits for the lock */
  struct execution *next = record_copy(RECORD_KIND_execution, theirs, &arena);
  next->head.version = 2;
  assert_fine(write_one(rival.writer, STORE_UPDATE, next, 1, &outcome));
  assert_int_equal(outcome, STORE_APPLIED);
  struct execution *late = record_copy(RECORD_KIND_execution, read, &arena);
  late->head.version = 2;
  assert_fine(write_one(stopped.writer, STORE_UPDATE, late, 1, &outcome));
  assert_int_not_equal(outcome, STORE_APPLIED);
  insert_one(&stopped, 2);
  place_close(&stopped);
  place_close(&rival);
}

/* ---- rivals ---- */

static struct store_scan heads(struct store_session *session, uint32_t limit) {
  struct store_scan s = {
      .index = INDEX_execution_eligible, .from = numbered(0), .limit = limit};
  int64_t now;
  assert_fine(store_fetch(session, &arena, NULL, 0, &s, 1, &now, &error));
  return s;
}

/* DESIGN 6: what a rival is about to claim is left to it; nobody waits, nobody takes it twice. */
static void rivals_take_different_heads(void **state) {
  (void)state;
  struct place a, b;
  open_on(&a, server.port[0], "heads", "");
  open_on(&b, server.port[0], "heads", "");
  for (uint32_t n = 1; n <= 6; n++) insert_one(&a, n);
  struct store_scan first = heads(a.writer, 3), second = heads(b.writer, 5);
  assert_int_equal(first.count, 3);
  assert_int_equal(second.count, 3);
  assert_true(second.complete);
  for (uint32_t i = 0; i < 3; i++) {
    assert_int_equal(number_of(first.records[i]), 1 + i);
    assert_int_equal(number_of(second.records[i]), 4 + i);
  }
  assert_fine(store_apply(a.writer, NULL, 0, &error));
  assert_fine(store_apply(b.writer, NULL, 0, &error));
  assert_int_equal(heads(b.writer, 9).count, 6); /* what was not claimed is offered again */
  assert_fine(store_apply(b.writer, NULL, 0, &error));
  place_close(&a);
  place_close(&b);
}

/* Loads that meet crosswise: the server breaks the tie, nobody fails, one of them runs again. */
static void deadlocks_are_conflicts(void **state) {
  (void)state;
  struct place a, b;
  const void *record;
  enum store_outcome outcome;
  open_on(&a, server.port[0], "deadlock", "");
  open_on(&b, server.port[0], "deadlock", "");
  insert_one(&a, 1);
  insert_one(&a, 2);
  assert_fine(load(a.writer, numbered(1), &record));
  pid_t child = fork();
  if (child == 0) { /* holds 2 and wants 1 */
    struct place c;
    open_on(&c, server.port[0], "deadlock", "");
    bool ok = load(c.writer, numbered(2), &record) == FF_OK;
    usleep(300000);
    ok = ok && load(c.writer, numbered(1), &record) == FF_OK;
    _exit(ok ? 0 : 1);
  }
  usleep(200000);
  assert_fine(load(a.writer, numbered(2), &record));
  struct execution *next = record_copy(RECORD_KIND_execution, record, &arena);
  next->head.version = 2;
  assert_fine(write_one(a.writer, STORE_UPDATE, next, 1, &outcome));
  assert_int_not_equal(outcome, STORE_UNKNOWN);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  place_close(&a);
  place_close(&b);
}

/* ---- what is set up wrongly ---- */

static void wrong_settings_say_what_to_do(void **state) {
  (void)state;
  char url[320];
  uint16_t port = server.port[0];
  snprintf(url, sizeof url, "postgres://ff:wrong-%s@127.0.0.1:%u/postgres", server.password, port);
  assert_refused(try_open(url), FF_CODE_config, "check user and password");
  snprintf(url, sizeof url, "postgres://ff:%s@127.0.0.1:%u/nowhere", server.password, port);
  assert_refused(try_open(url), FF_CODE_config, "create the database");
  snprintf(url, sizeof url, "postgres://ff:%s@127.0.0.1:1/postgres", server.password);
  assert_refused(try_open(url), FF_CODE_transport, "refused");
  snprintf(url, sizeof url, "postgres://ff:%s@host.invalid/postgres", server.password);
  assert_refused(try_open(url), FF_CODE_config, "check the host name");
  snprintf(url, sizeof url, "postgres://ff:%s@127.0.0.1:%u/postgres?sslmode=require",
           server.password, port);
  assert_refused(try_open(url), FF_CODE_config, "TLS");
  sql("CREATE ROLE guest LOGIN PASSWORD 'guest'");
  snprintf(url, sizeof url, "postgres://guest:guest@127.0.0.1:%u/postgres?schema=closed", port);
  assert_refused(try_open(url), FF_CODE_config, "privilege");
  sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  snprintf(url, sizeof url, "postgres://ff:%s@127.0.0.1:%u/latin", server.password, port);
  assert_refused(try_open(url), FF_CODE_config, "ENCODING 'UTF8'");
  url_on(port, "wrong", "", url, sizeof url);
  unsetenv("FF_DEV_MODE");
  assert_refused(try_open(url), FF_CODE_requires_dev_mode, "fsync=off");
  setenv("FF_DEV_MODE", "1", 1);
  url_on(port, "wrong", "&mode=ro", url, sizeof url);
  assert_refused(try_open(url), FF_CODE_unavailable, "not there yet");
}

static void wrong_urls_say_what_is_wrong(void **state) {
  (void)state;
  static const struct {
    const char *url, *cause;
  } wrong[] = {
      {"postgres:db", "reads postgres://"},
      {"postgres://h/d?colour=blue", "unknown parameter `colour`"},
      {"postgres://h/d?writers=0", "writers must be 1..8"},
      {"postgres://h/d?writers=9", "writers must be 1..8"},
      {"postgres://h/d?statement_timeout_ms=x", "statement_timeout_ms must be"},
      {"postgres://h/d?idle_in_transaction_timeout_ms=5", "idle_in_transaction_timeout_ms must be"},
      {"postgres://h/d?mode=rx", "mode must be ro or rw"},
      {"postgres://h/d?schema=", "schema must be a name"},
      {"postgres://h/d?schema=pg_x", "schema must be a name"},
      {"postgres://h/d?schema=%zz", "schema must be a name"},
      {"postgres://u:secret%zz@h/d", "not valid"},
      {"postgres://[::1/d", "not valid"},
  };
  for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
    assert_refused(try_open(wrong[i].url), FF_CODE_config, wrong[i].cause);
    assert_null(strstr(error.detail, "secret"));
  }
}

/* 01 CP-7: an engine older than the schema stops writing, also in the middle of its work. */
static void a_newer_schema_stops_writers(void **state) {
  (void)state;
  struct place p;
  const void *record;
  char url[256];
  url_on(server.port[0], "newer", "", url, sizeof url);
  open_on(&p, server.port[0], "newer", "");
  insert_one(&p, 1);
  sql("UPDATE newer.meta SET generation=99");
  assert_refused(load(p.writer, numbered(1), &record), FF_CODE_schema_too_new, "newer");
  assert_refused(try_open(url), FF_CODE_schema_too_new, "newer");
  sql("UPDATE newer.meta SET generation=1,fingerprint=0;"
      "ALTER TABLE newer.lane ADD COLUMN extra int");
  assert_refused(load(p.writer, numbered(1), &record), FF_CODE_unavailable, "another version");
  assert_refused(try_open(url), FF_CODE_schema_too_new, "extra");
  sql("ALTER TABLE newer.lane DROP COLUMN extra;ALTER TABLE newer.execution DROP COLUMN worker_id "
      "CASCADE");
  assert_fine(try_open(url)); /* an older schema is brought up to date, data and all */
  place_close(&p);
  open_on(&p, server.port[0], "newer", "");
  assert_true(is_there(&p, numbered(1)));
  insert_one(&p, 2);
  place_close(&p);
}

/* What is stored may have been edited by hand: named, never believed, never fatal. */
static void spoiled_rows_are_corruption(void **state) {
  (void)state;
  struct place p;
  const void *record;
  open_on(&p, server.port[0], "spoiled", "");
  insert_one(&p, 1);
  static const struct {
    const char *set, *back, *cause;
  } spoiled[] = {{"lifecycle_phase=99", "lifecycle_phase=0", "execution: lifecycle_phase: unknown"},
                 {"has_policy=-1", "has_policy=0", "execution: has_policy: out of range"},
                 {"version=0", "version=1", "execution: version"},
                 {"cold='nonsense'", "cold=NULL", "cold"},
                 {"attempt_index=-5", "attempt_index=0", "execution: attempt_index"}};
  for (size_t i = 0; i < ARRAY_LEN(spoiled); i++) {
    sql("UPDATE spoiled.execution SET %s", spoiled[i].set);
    assert_refused(load(p.reader, numbered(1), &record), FF_CODE_corruption, spoiled[i].cause);
    assert_refused(load(p.writer, numbered(1), &record), FF_CODE_corruption, spoiled[i].cause);
    sql("UPDATE spoiled.execution SET %s", spoiled[i].back);
    assert_true(is_there(&p, numbered(1)));
  }
  place_close(&p);
}

/* ---- plans ---- */

static uint64_t count_of(const char *query) {
  uint64_t n = UINT64_MAX;
  sql("%s", query);
  assert_true(parse_u64(ff_text(answer), &n));
  return n;
}

/* With statistics that count thousands of dead rows, loads and claims still go by their own index,
 * and nothing reads a whole table. */
static void plans_do_not_change_with_dead_rows(void **state) {
  (void)state;
  struct place p;
  enum store_outcome outcome;
  const void *record;
  open_on(&p, server.port[0], "plans", "");
  for (uint32_t n = 1; n <= 40; n++) insert_one(&p, n);
  sql("ALTER TABLE plans.execution SET (autovacuum_enabled=false);"
      "INSERT INTO plans.execution SELECT r.* FROM (SELECT (jsonb_populate_record(t,"
      "jsonb_build_object('id',gen_random_uuid()))).* FROM plans.execution t,"
      "generate_series(1,200)) r;"
      "UPDATE plans.execution SET priority=priority+1;"
      "UPDATE plans.execution SET eligibility_state=2 WHERE created_at>1020;"
      "ANALYZE plans.execution");
  place_close(&p);
  sql("SELECT pg_stat_reset()");
  open_on(&p, server.port[0], "plans", "");
  for (uint32_t n = 1; n <= 20; n++) {
    assert_fine(load(p.writer, numbered(n), &record));
    assert_non_null(record);
    assert_int_equal(heads(p.writer, 5).count, 5);
    struct execution *next = record_copy(RECORD_KIND_execution, record, &arena);
    next->head.version++;
    assert_fine(write_one(p.writer, STORE_UPDATE, next, next->head.version - 1, &outcome));
    assert_int_equal(outcome, STORE_APPLIED);
  }
  place_close(&p); /* a backend hands its counters in when it ends */
  for (int i = 0; i < 100; i++) {
    if (count_of("SELECT idx_scan FROM pg_stat_user_indexes WHERE schemaname='plans' AND "
                 "indexrelname='execution_eligible'") >= 20)
      break;
    usleep(50000);
  }
  assert_true(count_of("SELECT idx_scan FROM pg_stat_user_indexes WHERE schemaname='plans' AND "
                       "indexrelname='execution_key'") >= 40);
  assert_int_equal(count_of("SELECT idx_scan FROM pg_stat_user_indexes WHERE schemaname='plans' "
                            "AND indexrelname='execution_eligible'"),
                   20);
  assert_int_equal(count_of("SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE "
                            "schemaname='plans' AND indexrelname IN ('execution_due',"
                            "'execution_created','execution_by_lane','execution_claim_request')"),
                   0);
  assert_int_equal(count_of("SELECT seq_scan FROM pg_stat_user_tables WHERE schemaname='plans' AND "
                            "relname='execution'"),
                   0);
}

static int begin(void **state) {
  (void)state;
  arena_init(&arena);
  setenv("FF_DEV_MODE", "1", 1); /* the test server runs without fsync */
  if (server_start(&server, SERVER_POSTGRES)) return 0;
  fprintf(stderr, "%s\n", server.reason);
  return 1;
}

static int end(void **state) {
  (void)state;
  server_stop(&server);
  arena_fini(&arena);
  return 0;
}

int main(void) {
  if (!server_installed(SERVER_POSTGRES)) return server_missing(SERVER_POSTGRES);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wrong_urls_say_what_is_wrong),
      cmocka_unit_test(wrong_settings_say_what_to_do),
      cmocka_unit_test(cuts_at_every_request),
      cmocka_unit_test(readers_survive_lost_connections),
      cmocka_unit_test(a_stopped_writer_is_thrown_out),
      cmocka_unit_test(rivals_take_different_heads),
      cmocka_unit_test(deadlocks_are_conflicts),
      cmocka_unit_test(hints_reach_other_processes),
      cmocka_unit_test(a_newer_schema_stops_writers),
      cmocka_unit_test(spoiled_rows_are_corruption),
      cmocka_unit_test(plans_do_not_change_with_dead_rows),
      cmocka_unit_test(a_restarted_server_is_found_again),
  };
  return cmocka_run_group_tests(tests, begin, end);
}
