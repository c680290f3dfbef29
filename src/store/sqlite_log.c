/*
 * The event log: reading behind a cursor, trimming, and where ids go on.
 *
 * SQLite gives the next id itself (one more than the highest row) as long as the newest event is
 * there; when trimming took it away, the highest id removed stands in the meta table, written in
 * the same transaction.
 */
#include "store/log_cursor.h"
#include "store/sqlite_impl.h"

/* The one number a statement without parameters answers; 0 for NULL and for no row. */
static enum ff_rc number(struct sqlite_session *c, enum sqlite_fixed_statement which, int64_t *out,
                         struct ff_error *e) {
  sqlite3_stmt *st;
  enum ff_rc rc = sqlite_prepare_fixed(c, which, &st, e);
  if (rc) return rc;
  int code = sqlite3_step(st);
  *out = code == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
  if (code != SQLITE_ROW && code != SQLITE_DONE)
    rc = sqlite_error(c->store, c->db, code, "read the event log", e);
  sqlite3_reset(st);
  return rc;
}

/* The highest id ever given, trimmed or not. */
static enum ff_rc log_end(struct sqlite_session *c, int64_t *newest, int64_t *end,
                          struct ff_error *e) {
  int64_t mark = 0;
  enum ff_rc rc = number(c, SQLITE_FIXED_LOG_END, newest, e);
  if (!rc && *newest == 0) rc = number(c, SQLITE_FIXED_LOG_MARK, &mark, e);
  *end = *newest > mark ? *newest : mark;
  return rc;
}

enum ff_rc sqlite_log_resume(struct sqlite_session *c, struct ff_error *e) {
  int64_t newest, end;
  enum ff_rc rc = log_end(c, &newest, &end, e);
  if (!rc) c->event_next = end > newest ? (uint64_t)end + 1 : 0;
  return rc;
}

static enum ff_rc read_events(struct sqlite_session *c, struct arena *arena, uint64_t after,
                              uint32_t limit, const struct event **events, uint32_t *count,
                              struct ff_error *e) {
  sqlite3_stmt *st;
  enum ff_rc rc = sqlite_prepare_fixed(c, SQLITE_FIXED_LOG_READ, &st, e);
  if (rc) return rc;
  sqlite3_bind_int64(st, 1, (int64_t)after);
  sqlite3_bind_int64(st, 2, limit);
  int code = SQLITE_DONE;
  while (!rc && (code = sqlite3_step(st)) == SQLITE_ROW) {
    const void *record;
    rc = sqlite_row_load(st, RECORD_KIND_event, arena, &record, e);
    if (!rc) events[(*count)++] = record;
  }
  if (!rc && code != SQLITE_DONE) rc = sqlite_error(c->store, c->db, code, "read the event log", e);
  sqlite3_reset(st);
  return rc;
}

struct log_read {
  struct arena *arena;
  uint64_t after;
  bool from_end, from_start;
  uint32_t limit;
  const struct event **events;
  uint32_t count;
  bool dropped;
};

/* Inside one snapshot. Leaves r->after at the position behind the last event. */
static enum ff_rc read_snapshot(struct sqlite_session *c, struct log_read *r, struct ff_error *e) {
  int64_t newest = 0, end = 0, oldest = 0;
  if (r->from_end) {
    enum ff_rc rc = log_end(c, &newest, &end, e);
    r->after = (uint64_t)end;
    return rc;
  }
  enum ff_rc rc = read_events(c, r->arena, r->after, r->limit, r->events, &r->count, e);
  if (rc || r->from_start) goto out;
  if (r->count && r->events[0]->event_id == r->after + 1) goto out;
  rc = number(c, SQLITE_FIXED_LOG_OLDEST, &oldest, e);
  if (!rc && oldest == 0) {
    rc = log_end(c, &newest, &end, e);
    oldest = end + 1;
  }
  r->dropped = !rc && r->after + 1 < (uint64_t)oldest;
out:
  if (r->count) r->after = r->events[r->count - 1]->event_id;
  return rc;
}

enum ff_rc sqlite_read_log(struct store_session *session, struct arena *arena,
                           struct ff_bytes cursor, uint32_t limit, const struct event ***events,
                           uint32_t *count, struct ff_bytes *next, bool *dropped,
                           struct ff_error *e) {
  struct sqlite_session *c = sqlite_session_of(session);
  struct sqlite_store *s = c->store;
  struct log_read r = {.arena = arena, .limit = limit, .from_end = cursor.len == 0};
  enum ff_rc rc = sqlite_usable(s, e);
  if (!rc && cursor.len)
    rc = log_cursor_read(cursor, FF_backend_sqlite, &r.after, &r.from_start, e);
  if (rc) return rc;
  r.events = ARENA_ARRAY(arena, const struct event *, limit ? limit : 1);
  if (s->target.memory) pthread_mutex_lock(&s->memory_lock);
  int code = sqlite_run_fixed(c, SQLITE_FIXED_BEGIN);
  rc = code ? sqlite_error(s, c->db, code, "begin", e) : read_snapshot(c, &r, e);
  if (!sqlite3_get_autocommit(c->db)) sqlite_run_fixed(c, SQLITE_FIXED_COMMIT);
  if (s->target.memory) pthread_mutex_unlock(&s->memory_lock);
  if (rc) return rc;
  *next = log_cursor_mint(arena, FF_backend_sqlite, r.after);
  *events = r.events;
  *count = r.count;
  *dropped = r.dropped;
  return FF_OK;
}

/* The last id that may go: the newest `keep` stay. 0 when nothing may. */
static enum ff_rc trim_bound(struct sqlite_session *c, uint64_t keep, int64_t *bound,
                             struct ff_error *e) {
  sqlite3_stmt *st;
  enum ff_rc rc = sqlite_prepare_fixed(c, SQLITE_FIXED_TRIM_BOUND, &st, e);
  if (rc) return rc;
  sqlite3_bind_int64(st, 1, keep > INT64_MAX ? INT64_MAX : (int64_t)keep);
  int code = sqlite3_step(st);
  *bound = code == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
  if (code != SQLITE_ROW && code != SQLITE_DONE)
    rc = sqlite_error(c->store, c->db, code, "trim the event log", e);
  sqlite3_reset(st);
  return rc;
}

/* How many of the oldest events up to `bound` are older than `before`, and the last of them. */
static enum ff_rc trim_candidates(struct sqlite_session *c, int64_t bound, int64_t before,
                                  uint32_t limit, int64_t *last, uint32_t *count,
                                  struct ff_error *e) {
  sqlite3_stmt *st;
  enum ff_rc rc = sqlite_prepare_fixed(c, SQLITE_FIXED_TRIM, &st, e);
  if (rc) return rc;
  sqlite3_bind_int64(st, 1, bound);
  sqlite3_bind_int64(st, 2, limit);
  int code;
  while ((code = sqlite3_step(st)) == SQLITE_ROW && sqlite3_column_int64(st, 1) < before) {
    *last = sqlite3_column_int64(st, 0);
    ++*count;
  }
  if (code != SQLITE_ROW && code != SQLITE_DONE)
    rc = sqlite_error(c->store, c->db, code, "trim the event log", e);
  sqlite3_reset(st);
  return rc;
}

static enum ff_rc run_with_number(struct sqlite_session *c, enum sqlite_fixed_statement which,
                                  int64_t n, struct ff_error *e) {
  sqlite3_stmt *st;
  enum ff_rc rc = sqlite_prepare_fixed(c, which, &st, e);
  if (rc) return rc;
  sqlite3_bind_int64(st, 1, n);
  int code = sqlite3_step(st);
  if (code != SQLITE_DONE) rc = sqlite_error(c->store, c->db, code, "trim the event log", e);
  sqlite3_reset(st);
  return rc;
}

static enum ff_rc trim(struct sqlite_session *c, int64_t before, uint64_t keep, uint32_t limit,
                       uint32_t *removed, bool *emptied, struct ff_error *e) {
  int64_t bound = 0, last = 0, newest = 0, end = 0;
  enum ff_rc rc = trim_bound(c, keep, &bound, e);
  if (!rc) rc = trim_candidates(c, bound, before, limit, &last, removed, e);
  if (rc || !*removed) return rc;
  rc = log_end(c, &newest, &end, e);
  if (rc) return rc;
  *emptied = last == newest;
  if (*emptied) rc = run_with_number(c, SQLITE_FIXED_MARK_SET, newest, e);
  if (!rc) rc = run_with_number(c, SQLITE_FIXED_TRIM_DELETE, last, e);
  if (!rc && *emptied) c->event_next = (uint64_t)newest + 1;
  return rc;
}

enum ff_rc sqlite_trim_log(struct store_session *session, int64_t before, uint64_t keep,
                           uint32_t limit, uint32_t *removed, struct ff_error *e) {
  struct sqlite_session *c = sqlite_session_of(session);
  struct sqlite_store *s = c->store;
  INVARIANT(c->writer && !c->in_transaction);
  *removed = 0;
  enum ff_rc rc = sqlite_usable(s, e);
  if (rc) return rc;
  bool emptied = false;
  uint64_t event_next = c->event_next;
  if (s->target.memory) pthread_mutex_lock(&s->memory_lock);
  rc = sqlite_begin_write(c, e);
  if (!rc) rc = trim(c, before, keep, limit, removed, &emptied, e);
  if (!rc && *removed) rc = sqlite_commit(c, e);
  sqlite_rollback(c);
  if (s->target.memory) pthread_mutex_unlock(&s->memory_lock);
  if (rc) *removed = 0, c->event_next = event_next;
  return rc;
}

enum ff_rc sqlite_restore_log(struct store_session *session, const struct event *const *events,
                              uint32_t count, uint64_t end, struct ff_error *e) {
  struct sqlite_session *c = sqlite_session_of(session);
  struct sqlite_store *s = c->store;
  INVARIANT(c->writer && !c->in_transaction);
  uint64_t event_next = c->event_next;
  if (s->target.memory) pthread_mutex_lock(&s->memory_lock);
  enum ff_rc rc = sqlite_begin_write(c, e);
  for (uint32_t i = 0; i < count && !rc; i++) rc = sqlite_insert_event(c, events[i], e);
  if (!rc && !count) rc = run_with_number(c, SQLITE_FIXED_MARK_SET, (int64_t)end, e);
  if (!rc && !count) c->event_next = end + 1;
  if (!rc) rc = sqlite_commit(c, e);
  sqlite_rollback(c);
  if (s->target.memory) pthread_mutex_unlock(&s->memory_lock);
  if (rc) c->event_next = event_next;
  return rc;
}
