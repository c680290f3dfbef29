/*
 * Connections: made with every setting the store rests on, looked at once, made again when lost.
 *
 * Plans are pinned: rows are found by the index that was declared for it, whatever the statistics
 * say about dead rows. A stopped process is thrown out by the server (idle in transaction), so that
 * it holds neither rows nor the order of events.
 */
#include "store/postgres_impl.h"

#include <stdlib.h>
#include <unistd.h>

#define BACKOFF_MAX_MS 1000

static void silence(void *user, const PGresult *r) { (void)user, (void)r; }

enum ff_rc postgres_run(struct postgres_store *s, PGconn *conn, const char *sql, const char *doing,
                        PGresult **out, struct ff_error *e) {
  PGresult *r = PQexec(conn, sql);
  ExecStatusType status = PQresultStatus(r);
  enum ff_rc rc = FF_OK;
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
    rc = postgres_error(s, conn, PQresultErrorField(r, PG_DIAG_SQLSTATE) ? r : NULL, doing, e);
  if (!rc && out) *out = r;
  else PQclear(r);
  return rc;
}

static enum ff_rc configure(struct postgres_store *s, PGconn *conn, struct ff_error *e) {
  struct buffer sql;
  buffer_init(&sql);
  buffer_printf(&sql,
                "SET search_path=pg_catalog;SET statement_timeout=%lld;SET lock_timeout=0;"
                "SET idle_in_transaction_session_timeout=%lld;"
                "SET plan_cache_mode=force_generic_plan;SET jit=off;SET enable_seqscan=off;"
                "SET enable_hashjoin=off;SET enable_mergejoin=off;SET enable_bitmapscan=off;"
                "SET enable_sort=off;SET max_parallel_workers_per_gather=0%s",
                (long long)s->target.statement_timeout_ms, (long long)s->target.idle_timeout_ms,
                s->target.read_only ? ";SET default_transaction_read_only=on" : "");
  enum ff_rc rc = postgres_run(s, conn, sql.ptr, "configure the connection", NULL, e);
  buffer_fini(&sql);
  return rc;
}

enum ff_rc postgres_connect(struct postgres_store *s, PGconn **out, struct ff_error *e) {
  *out = NULL;
  PGconn *conn = PQconnectdbParams((const char *const *)s->target.keywords,
                                   (const char *const *)s->target.values, 0);
  if (!conn) return error_set(e, FF_CODE_no_memory, "%s: connect", s->target.shown);
  enum ff_rc rc = FF_OK;
  if (PQstatus(conn) != CONNECTION_OK) rc = postgres_error(s, conn, NULL, "connect", e);
  if (!rc && PQserverVersion(conn) < POSTGRES_SERVER_MIN)
    rc = error_set(e, FF_CODE_config, "%s: the server is PostgreSQL %s; at least 14 is needed",
                   s->target.shown, PQparameterStatus(conn, "server_version"));
  if (!rc) {
    PQsetNoticeReceiver(conn, silence, NULL);
    rc = configure(s, conn, e);
  }
  if (!rc && PQsetnonblocking(conn, 1) != 0) rc = postgres_error(s, conn, NULL, "connect", e);
  if (rc) PQfinish(conn);
  else *out = conn;
  return rc;
}

/* ---- what the server promises ---- */

static enum ff_rc demand_consent(struct postgres_store *s, const char *what, struct ff_error *e) {
  const char *environment = getenv("FF_DEV_MODE");
  if (s->dev_mode || (environment && strcmp(environment, "1") == 0)) return FF_OK;
  return error_set(e, FF_CODE_requires_dev_mode,
                   "%s: %s is dev-only and requires FF_DEV_MODE=1: a crash of the server can lose "
                   "acknowledged work",
                   s->target.shown, what);
}

static enum ff_rc look_at_durability(struct postgres_store *s, const PGresult *r,
                                     struct ff_error *e) {
  struct store_traits *t = &s->base.traits;
  const char *commit = PQgetvalue(r, 0, 0), *sync = PQgetvalue(r, 0, 1);
  const char *pages = PQgetvalue(r, 0, 2);
  const char *missing = strcmp(sync, "on") != 0      ? "fsync=off"
                        : strcmp(commit, "off") == 0 ? "synchronous_commit=off"
                        : strcmp(pages, "on") != 0   ? "full_page_writes=off"
                                                     : NULL;
  t->durable = !missing;
  if (missing) snprintf(t->durability, sizeof t->durability, "none (%s)", missing);
  else snprintf(t->durability, sizeof t->durability, "fsync"); /* on this server, at the least */
  return missing ? demand_consent(s, missing, e) : FF_OK;
}

static enum ff_rc backend_of(struct postgres_store *s, PGconn *conn, int64_t *pid,
                             struct ff_error *e) {
  PGresult *r;
  enum ff_rc rc = postgres_run(s, conn, "SELECT pg_backend_pid()", "look at the server", &r, e);
  if (rc) return rc;
  if (!parse_i64(ff_text(PQgetvalue(r, 0, 0)), pid)) *pid = 0;
  PQclear(r);
  return FF_OK;
}

/* A pooler in between answers with a process number of its own. Two connections that are served by
 * one process share it by transactions: nothing that belongs to a connection would hold. */
static enum ff_rc look_for_pooler(struct postgres_store *s, PGconn *conn, struct ff_error *e) {
  int64_t first, second = -1;
  PGconn *other;
  enum ff_rc rc = backend_of(s, conn, &first, e);
  if (rc || first == PQbackendPID(conn)) return rc;
  rc = postgres_connect(s, &other, e);
  if (rc) return rc;
  rc = backend_of(s, other, &second, e);
  PQfinish(other);
  if (rc || first != second) return rc;
  return error_set(e, FF_CODE_config,
                   "%s: a connection pooler shares connections by transactions; let it pool by "
                   "sessions (PgBouncer: pool_mode=session), or connect to the server itself",
                   s->target.shown);
}

enum ff_rc postgres_look(struct postgres_store *s, PGconn *conn, struct ff_error *e) {
  const char *encoding = PQparameterStatus(conn, "server_encoding");
  if (!encoding || strcmp(encoding, "UTF8") != 0)
    return error_set(e, FF_CODE_config,
                     "%s: the database's encoding is %s; create it with ENCODING 'UTF8'",
                     s->target.shown, encoding ? encoding : "unknown");
  snprintf(s->base.traits.version, sizeof s->base.traits.version, "PostgreSQL %.40s",
           PQparameterStatus(conn, "server_version"));
  PGresult *r;
  enum ff_rc rc = postgres_run(
      s, conn,
      "SELECT current_setting('synchronous_commit'),current_setting('fsync'),"
      "current_setting('full_page_writes'),pg_is_in_recovery()",
      "look at the server", &r, e);
  if (rc) return rc;
  if (PQgetvalue(r, 0, 3)[0] == 't' && !s->target.read_only)
    rc = error_set(e, FF_CODE_store_read_only,
                   "%s: the server is a read-only replica; connect to the primary "
                   "(target_session_attrs=read-write), or read with mode=ro",
                   s->target.shown);
  if (!rc) rc = look_at_durability(s, r, e);
  if (!rc) rc = look_for_pooler(s, conn, e);
  PQclear(r);
  return rc;
}

/* ---- who is here: engines share an advisory lock, who wants none here takes it alone ---- */

static enum ff_rc try_presence(struct postgres_store *s, PGconn *conn, const char *how, bool *got,
                               struct ff_error *e) {
  char sql[96];
  PGresult *r;
  snprintf(sql, sizeof sql, "SELECT pg_try_advisory_lock%s(%lld)", how,
           (long long)postgres_lock_key(s->target.schema, "engines"));
  enum ff_rc rc = postgres_run(s, conn, sql, "look for other engines", &r, e);
  if (rc) return rc;
  *got = PQgetvalue(r, 0, 0)[0] == 't';
  PQclear(r);
  return FF_OK;
}

enum ff_rc postgres_enter(struct postgres_store *s, PGconn *conn, struct ff_error *e) {
  bool got = s->visitor;
  enum ff_rc rc = got ? FF_OK : try_presence(s, conn, "_shared", &got, e);
  if (rc || got) return rc;
  return error_set(e, FF_CODE_store_busy,
                   "%s: the store is being moved, saved or restored; wait until that has ended",
                   s->target.shown);
}

/* A connection that was just closed may still be there for a moment. */
enum ff_rc postgres_others(struct store *store, bool *any, struct ff_error *e) {
  struct postgres_store *s = postgres_store_of(store);
  enum ff_rc rc = FF_OK;
  bool got = false;
  if (!s->guard) rc = postgres_connect(s, &s->guard, e);
  for (int i = 0; i < 20 && !rc && !got; i++) {
    if (i) usleep(25000);
    rc = try_presence(s, s->guard, "", &got, e);
  }
  *any = !got;
  return rc;
}

/* ---- sessions ---- */

void postgres_session_drop(struct postgres_session *c) {
  postgres_pipe_clear(c);
  PQfinish(c->conn);
  c->conn = NULL;
  c->in_transaction = false;
  memset(c->prepared, 0, sizeof c->prepared);
}

static PGconn *take_spare(struct postgres_store *s) {
  pthread_mutex_lock(&s->spare_lock);
  PGconn *conn = s->spare;
  s->spare = NULL;
  pthread_mutex_unlock(&s->spare_lock);
  if (conn && postgres_alive(conn)) return conn;
  PQfinish(conn);
  return NULL;
}

static enum ff_rc connect_session(struct postgres_session *c, struct ff_error *e) {
  enum ff_rc rc = FF_OK;
  c->conn = take_spare(c->store);
  if (!c->conn) rc = postgres_connect(c->store, &c->conn, e);
  if (!rc) rc = postgres_schema_check(c->store, c->conn, e);
  if (!rc && c->writer) rc = postgres_enter(c->store, c->conn, e);
  if (!rc && c->writer) rc = postgres_types_load(c, e);
  if (rc) postgres_session_drop(c);
  return rc;
}

enum ff_rc postgres_session_ready(struct postgres_session *c, struct ff_error *e) {
  if (c->conn && PQstatus(c->conn) == CONNECTION_OK) return FF_OK;
  if (c->conn) postgres_session_drop(c);
  int64_t wait = c->retry_at_us - clock_monotonic_us();
  if (wait > 0) usleep((useconds_t)wait);
  enum ff_rc rc = connect_session(c, e);
  if (!rc) {
    c->failures = 0;
    return rc;
  }
  int64_t pause = c->failures < 7 ? 10 << c->failures : BACKOFF_MAX_MS;
  c->failures++;
  c->retry_at_us = clock_monotonic_us() + pause * 1000;
  return rc;
}
