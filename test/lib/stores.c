/*
 * The table of stores, their places and their servers. Files are below $TMPDIR or /tmp; a place in
 * PostgreSQL is a schema.
 */
#include "test/lib/stores.h"

#include "base/base.h"
#include "test/lib/servers.h"

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum place { IN_MEMORY, IN_FILE, IN_POSTGRES };
static const struct {
  const char *name;
  enum place place;
} stores[TEST_STORES] = {{"memory", IN_MEMORY}, {"sqlite", IN_FILE}, {"postgres", IN_POSTGRES}};

const char *test_store(size_t index) { return index < TEST_STORES ? stores[index].name : NULL; }
bool test_store_is_server(size_t index) { return stores[index].place == IN_POSTGRES; }

/* ---- servers ---- */

static struct server postgres;
static pid_t owner;

static void stop_postgres(void) {
  if (getpid() == owner) server_stop(&postgres);
}

/* The server runs without fsync, which the store takes with consent only. */
static const char *postgres_url(void) {
  const char *given = getenv("FF_TEST_POSTGRES");
  setenv("FF_DEV_MODE", "1", 1);
  setenv("FF_MODULE_DIR", FF_MODULES_BUILT, 0);
  if (given && *given) return given;
  if (!owner) {
    if (!server_start(&postgres, SERVER_POSTGRES)) {
      fprintf(stderr, "%s\n", postgres.reason);
      exit(1);
    }
    owner = getpid();
    atexit(stop_postgres);
  }
  return postgres.url;
}

bool test_store_available(size_t index, int *status) {
  const char *given = getenv("FF_TEST_POSTGRES");
  if (stores[index].place != IN_POSTGRES) return true;
  if (!(given && *given) && !server_installed(SERVER_POSTGRES)) {
    int missing = server_missing(SERVER_POSTGRES);
    if (*status != 1) *status = missing;
    return false;
  }
  (void)postgres_url();
  return true;
}

size_t test_stores_choose(bool servers, size_t chosen[TEST_STORES], int *status) {
  size_t count = 0;
  for (size_t i = 0; i < TEST_STORES; i++)
    if (i == 0 || (test_store_is_server(i) == servers && test_store_available(i, status)))
      chosen[count++] = i;
  return count;
}

/* ---- places ---- */

static void file_of(const char *label, const char *suffix, char *out, size_t size) {
  const char *tmp = getenv("TMPDIR");
  snprintf(out, size, "%s/ff-%s-%ld.db%s", tmp ? tmp : "/tmp", label, (long)getpid(), suffix);
}

static void remove_files(const char *label) {
  static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
  char file[512];
  for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
    file_of(label, suffixes[i], file, sizeof file);
    (void)unlink(file);
  }
}

static void schema_of(const char *label, char *out, size_t size) {
  snprintf(out, size, "ff_%.32s_%ld", label, (long)getpid());
  for (char *p = out; *p; p++)
    if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_", *p)) *p = '_';
}

static void postgres_sql(const char *sql) {
  static PGconn *conn; /* until the process ends, like the server */
  if (!conn || PQstatus(conn) != CONNECTION_OK) {
    PQfinish(conn);
    conn = PQconnectdb(postgres_url());
  }
  PGresult *r = PQexec(conn, sql);
  if (PQresultStatus(r) != PGRES_COMMAND_OK)
    fprintf(stderr, "%s: %s\n", sql, PQerrorMessage(conn));
  PQclear(r);
}

static void remove_schema(const char *label) {
  char schema[64], sql[160];
  schema_of(label, schema, sizeof schema);
  snprintf(sql, sizeof sql, "SET client_min_messages=error;DROP SCHEMA IF EXISTS %s CASCADE",
           schema);
  postgres_sql(sql);
}

static void sqlite_sql(const char *file, const char *sql) {
  sqlite3 *db;
  char *problem = NULL;
  INVARIANT(sqlite3_open(file, &db) == SQLITE_OK);
  sqlite3_busy_timeout(db, 5000);
  if (sqlite3_exec(db, sql, NULL, NULL, &problem) != SQLITE_OK)
    fprintf(stderr, "%s: %s\n", sql, problem);
  sqlite3_close(db);
}

void test_store_spoil(size_t index, const char *label, int64_t from, int64_t end) {
  char file[512], schema[64] = "", sql[300];
  bool server = stores[index].place == IN_POSTGRES;
  INVARIANT(stores[index].place != IN_MEMORY);
  if (server) schema_of(label, schema, sizeof schema);
  snprintf(sql, sizeof sql,
           "UPDATE %s%sexecution SET lifecycle_phase=77 WHERE created_at>=%lld AND created_at<%lld",
           schema, server ? "." : "", (long long)from, (long long)end);
  file_of(label, "", file, sizeof file);
  if (server) postgres_sql(sql);
  else sqlite_sql(file, sql);
}

void test_store_remove(size_t index, const char *label) {
  if (stores[index].place == IN_FILE) remove_files(label);
  if (stores[index].place == IN_POSTGRES) remove_schema(label);
}

void test_store_place(size_t index, const char *label, const char *query, char *url, size_t size) {
  char file[512], schema[64];
  test_store_remove(index, label);
  switch (stores[index].place) {
    case IN_FILE:
      file_of(label, query, file, sizeof file);
      snprintf(url, size, "%s:%s", stores[index].name, file);
      return;
    case IN_POSTGRES:
      schema_of(label, schema, sizeof schema);
      snprintf(url, size, "%s%cschema=%s", postgres_url(), strchr(postgres_url(), '?') ? '&' : '?',
               schema);
      return;
    default: snprintf(url, size, "%s:%s-%ld", stores[index].name, label, (long)getpid());
  }
}

void test_store_hide(char *text) {
  static const char shown[] = "cursor=hex:0";
  while (text && (text = strstr(text, shown)) != NULL) {
    text += sizeof shown - 1;
    if (*text) *text = '_';
  }
}
