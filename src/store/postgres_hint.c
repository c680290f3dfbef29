/*
 * Hints (hints.h) by NOTIFY.
 */
#include "store/postgres_impl.h"

static void *connect_hints(struct store *store, const char *channel) {
  struct postgres_store *s = postgres_store_of(store);
  struct buffer sql;
  struct ff_error ignored;
  PGconn *conn;
  if (postgres_connect(s, &conn, &ignored) != FF_OK) return NULL;
  buffer_init(&sql);
  buffer_printf(&sql, "LISTEN %s", channel);
  bool ok = postgres_run(s, conn, sql.ptr, "listen", NULL, &ignored) == FF_OK;
  buffer_fini(&sql);
  if (ok) return conn;
  PQfinish(conn);
  return NULL;
}

static bool tell(void *connection, const char *channel, const char *payload) {
  const char *params[] = {channel, payload};
  PGresult *r =
      PQexecParams(connection, "SELECT pg_notify($1,$2)", 2, NULL, params, NULL, NULL, 0);
  bool ok = PQresultStatus(r) == PGRES_TUPLES_OK;
  PQclear(r);
  return ok;
}

static bool receive(void *connection, void (*take)(void *user, const char *payload), void *user) {
  bool ok = PQconsumeInput(connection);
  for (PGnotify *n; (n = PQnotifies(connection)); PQfreemem(n)) take(user, n->extra);
  return ok;
}

static int socket_of(void *connection) { return PQsocket(connection); }
static void disconnect(void *connection) { PQfinish(connection); }

const struct hints_link postgres_hints_link = {connect_hints, tell, receive, socket_of, disconnect};

enum ff_rc postgres_listen(struct store *store, store_hint_fn fn, void *user, struct ff_error *e) {
  (void)e;
  hints_listen(postgres_store_of(store)->hints, fn, user);
  return FF_OK;
}

void postgres_unlisten(struct store *store, void *user) {
  hints_unlisten(postgres_store_of(store)->hints, user);
}

void postgres_notify(struct store *store, const void *sender_user, const struct store_hint *hints,
                     uint32_t count) {
  hints_notify(postgres_store_of(store)->hints, sender_user, hints, count);
}
