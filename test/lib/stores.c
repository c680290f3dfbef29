/*
 * The table of stores, their places and their servers. Files are below $TMPDIR or /tmp; a place in
 * PostgreSQL is a schema, in Valkey and Redis a prefix.
 */
#include "test/lib/stores.h"

#include "base/base.h"
#include "store/valkey_impl.h"
#include "test/lib/servers.h"

#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum place { IN_MEMORY, IN_FILE, IN_POSTGRES, IN_VALKEY };
static const struct {
  const char *name;
  enum place place;
  enum server_kind server;
  const char *given; /* the variable that names a server which runs already */
} stores[TEST_STORES_ALL] = {{"memory", IN_MEMORY, SERVER_KINDS, ""},
                         {"sqlite", IN_FILE, SERVER_KINDS, ""},
                         {"postgres", IN_POSTGRES, SERVER_POSTGRES, "FF_TEST_POSTGRES"},
                         {"valkey", IN_VALKEY, SERVER_VALKEY, "FF_TEST_VALKEY"},
                         {"redis", IN_VALKEY, SERVER_REDIS, "FF_TEST_REDIS"},
                         {"cluster", IN_VALKEY, SERVER_CLUSTER, "FF_TEST_CLUSTER"}};

const char *test_store(size_t index) { return index < TEST_STORES_ALL ? stores[index].name : NULL; }
const char *test_store_backend(size_t index) {
  return stores[index].place == IN_VALKEY ? "valkey" : stores[index].name;
}
bool test_store_is_server(size_t index) { return stores[index].server != SERVER_KINDS; }

/* ---- servers ---- */

static struct server running[SERVER_KINDS];
static pid_t owner;

static void stop_servers(void) {
  for (int kind = 0; kind < SERVER_KINDS && getpid() == owner; kind++)
    if (running[kind].url[0]) server_stop(&running[kind]);
}

static const char *given_url(size_t index) {
  const char *given = getenv(stores[index].given);
  return given && *given ? given : NULL;
}

/* What the suites compare is what calls do; thousands of small commits would only measure the disk. */
static void relax(const struct server *s) {
  for (uint32_t i = 0; i < s->node_count && s->kind != SERVER_POSTGRES; i++)
    INVARIANT(server_ask(s, i, "CONFIG SET appendfsync no\r\n", "+OK\r\n+OK"));
}

/* PostgreSQL runs without fsync, which the store takes with consent only. */
static const char *server_url(size_t index) {
  setenv("FF_DEV_MODE", "1", 1);
  setenv("FF_MODULE_DIR", FF_MODULES_BUILT, 0);
  if (given_url(index)) return given_url(index);
  struct server *s = &running[stores[index].server];
  if (s->url[0]) return s->url;
  if (!server_start(s, stores[index].server)) {
    fprintf(stderr, "%s\n", s->reason);
    exit(1);
  }
  relax(s);
  if (!owner) atexit(stop_servers);
  owner = getpid();
  return s->url;
}

bool test_store_available(size_t index, int *status) {
  if (!test_store_is_server(index)) return true;
  if (!given_url(index) && !server_installed(stores[index].server)) {
    int missing = server_missing(stores[index].server);
    if (*status != 1) *status = missing;
    return false;
  }
  (void)server_url(index);
  return true;
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

/* Of a schema, and of a prefix. */
static void name_of(const char *label, char *out, size_t size) {
  snprintf(out, size, "ff_%.32s_%ld", label, (long)getpid());
  for (char *p = out; *p; p++)
    if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_", *p)) *p = '_';
}

static void postgres_sql(size_t index, const char *sql) {
  static PGconn *conn; /* until the process ends, like the server */
  if (!conn || PQstatus(conn) != CONNECTION_OK) {
    PQfinish(conn);
    conn = PQconnectdb(server_url(index));
  }
  PGresult *r = PQexec(conn, sql);
  if (PQresultStatus(r) != PGRES_COMMAND_OK)
    fprintf(stderr, "%s: %s\n", sql, PQerrorMessage(conn));
  PQclear(r);
}

static void remove_schema(size_t index, const char *label) {
  char schema[64], sql[160];
  name_of(label, schema, sizeof schema);
  snprintf(sql, sizeof sql, "SET client_min_messages=error;DROP SCHEMA IF EXISTS %s CASCADE",
           schema);
  postgres_sql(index, sql);
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

/* ---- Valkey and Redis ---- */

/* A reply that is there and no error; freed by the caller. */
static redisReply *checked(redisReply *r) {
  if (r && r->type != REDIS_REPLY_ERROR) return r;
  fprintf(stderr, "test: Valkey: %s\n", r ? r->str : "lost");
  exit(1);
}

static redisContext *valkey_dial(const char *host, uint16_t port, const char *password) {
  redisContext *c = redisConnect(host, port);
  INVARIANT(c && !c->err);
  freeReplyObject(checked(redisCommand(c, "AUTH %s", password)));
  return c;
}

/* In a cluster, the node that serves the place. */
static redisContext *valkey_open(size_t index, const char *label) {
  struct valkey_target t;
  char name[64];
  INVARIANT(valkey_target_parse(ff_text(server_url(index)), &t, NULL) == FF_OK);
  redisContext *c = valkey_dial(t.host, t.port, t.password);
  name_of(label, name, sizeof name);
  redisReply *r = redisCommand(c, "GET {%s}/schema", name);
  const char *colon = r && r->type == REDIS_REPLY_ERROR ? strrchr(r->str, ':') : NULL;
  if (colon) { /* MOVED slot host:port */
    redisFree(c);
    c = valkey_dial(t.host, (uint16_t)strtoul(colon + 1, NULL, 10), t.password);
  }
  freeReplyObject(r);
  return c;
}

static redisReply *valkey_keys(redisContext *c, const char *label, const char *what) {
  char name[64], pattern[96];
  name_of(label, name, sizeof name);
  snprintf(pattern, sizeof pattern, "{%s}%s*", name, what);
  return checked(redisCommand(c, "KEYS %s", pattern));
}

static void remove_prefix(size_t index, const char *label) {
  redisContext *c = valkey_open(index, label);
  redisReply *keys = valkey_keys(c, label, "");
  for (size_t i = 0; i < keys->elements; i++)
    freeReplyObject(checked(
        redisCommand(c, "UNLINK %b", keys->element[i]->str, (size_t)keys->element[i]->len)));
  freeReplyObject(keys);
  redisFree(c);
}

/* The numbers of fields in a fresh place are those of the tables. */
static void fresh_layouts(struct valkey_layouts *layouts) {
  for (unsigned k = 0; k < RECORD_KIND_COUNT; k++) {
    struct valkey_layout *l = &layouts->kinds[k];
    l->field_count = record_infos[k].field_count;
    for (unsigned i = 0; i < l->field_count; i++)
      l->field_of[i] = l->number_of[i] = (uint8_t)i;
  }
}

static void spoil_row(redisContext *c, const redisReply *key, int64_t from, int64_t end) {
  struct valkey_layouts layouts;
  struct arena arena;
  struct buffer out;
  struct ff_error e;
  const void *record;
  arena_init(&arena);
  buffer_init(&out);
  fresh_layouts(&layouts);
  redisReply *row = checked(redisCommand(c, "GET %b", key->str, (size_t)key->len));
  struct ff_str body = text_of(row->str + VALKEY_HEADER, (size_t)row->len - VALKEY_HEADER);
  bool readable =
      valkey_row_decode(&layouts, RECORD_KIND_execution, 1, body, &arena, &record, &e) == FF_OK;
  struct execution *x = readable ? record_copy(RECORD_KIND_execution, record, &arena) : NULL;
  if (x && x->created_at >= from && x->created_at < end) {
    x->lifecycle_phase = 77;
    buffer_append(&out, row->str, VALKEY_HEADER);
    valkey_row_encode(&layouts, RECORD_KIND_execution, x, &out);
    freeReplyObject(checked(
        redisCommand(c, "SET %b %b", key->str, (size_t)key->len, out.ptr, out.len)));
  }
  freeReplyObject(row);
  buffer_fini(&out);
  arena_fini(&arena);
}

static void spoil_rows(size_t index, const char *label, int64_t from, int64_t end) {
  redisContext *c = valkey_open(index, label);
  redisReply *keys = valkey_keys(c, label, ":execution:");
  for (size_t i = 0; i < keys->elements; i++) spoil_row(c, keys->element[i], from, end);
  freeReplyObject(keys);
  redisFree(c);
}

/* ---- all of them ---- */

size_t test_stores_choose(bool servers, size_t chosen[TEST_STORES], int *status) {
  size_t count = 0;
  for (size_t i = 0; i < TEST_STORES; i++) {
    if (i && (test_store_is_server(i) != servers || !test_store_available(i, status))) continue;
    chosen[count++] = i;
  }
  return count;
}

void test_store_spoil(size_t index, const char *label, int64_t from, int64_t end) {
  char file[512], schema[64] = "", sql[300];
  bool server = stores[index].place == IN_POSTGRES;
  INVARIANT(stores[index].place != IN_MEMORY);
  if (stores[index].place == IN_VALKEY) {
    spoil_rows(index, label, from, end);
    return;
  }
  if (server) name_of(label, schema, sizeof schema);
  snprintf(sql, sizeof sql,
           "UPDATE %s%sexecution SET lifecycle_phase=77 WHERE created_at>=%lld AND created_at<%lld",
           schema, server ? "." : "", (long long)from, (long long)end);
  file_of(label, "", file, sizeof file);
  if (server) postgres_sql(index, sql);
  else sqlite_sql(file, sql);
}

void test_store_remove(size_t index, const char *label) {
  if (stores[index].place == IN_FILE) remove_files(label);
  if (stores[index].place == IN_POSTGRES) remove_schema(index, label);
  if (stores[index].place == IN_VALKEY) remove_prefix(index, label);
}

void test_store_place(size_t index, const char *label, const char *query, char *url, size_t size) {
  char file[512], name[64];
  test_store_remove(index, label);
  switch (stores[index].place) {
    case IN_FILE:
      file_of(label, query, file, sizeof file);
      snprintf(url, size, "%s:%s", stores[index].name, file);
      return;
    case IN_POSTGRES:
    case IN_VALKEY: {
      const char *server = server_url(index);
      name_of(label, name, sizeof name);
      snprintf(url, size, "%s%c%s=%s", server, strchr(server, '?') ? '&' : '?',
               stores[index].place == IN_POSTGRES ? "schema" : "prefix", name);
      return;
    }
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
