/*
 * The event log: reading behind a cursor and trimming.
 *
 * Ids come from a sequence under a lock held to the commit (postgres_sql.c), so a snapshot that
 * holds an id holds every lower one that will ever be; rolled-back transactions leave gaps. What was
 * lost to a reader is told by the highest id ever trimmed.
 */
#include "store/log_cursor.h"
#include "store/postgres_impl.h"

struct log_read {
  struct arena *arena;
  uint64_t after;
  bool from_end, from_start, dropped;
  uint32_t limit;
  const struct event **events;
  uint32_t count;
};

static void fill(struct postgres_session *c, const struct log_read *r, uint32_t *events,
                 uint32_t *state) {
  postgres_pipe_begin(c);
  (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_BEGIN_READ), NULL, 0);
  if (!r->from_end) {
    buffer_clear(&c->out[0]);
    postgres_put_i64(&c->out[0], (int64_t)r->after);
    postgres_put_i64(&c->out[0], r->limit);
    struct postgres_param params[] = {{c->out[0].ptr, 8}, {c->out[0].ptr + 8, 8}};
    *events = postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_LOG_READ), params, 2);
  }
  *state = postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_LOG_STATE), NULL, 0);
  (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_COMMIT), NULL, 0);
}

static enum ff_rc take(struct postgres_session *c, struct log_read *r, uint32_t events,
                       uint32_t state, struct ff_error *e) {
  const PGresult *s = postgres_pipe_result(c, state);
  if (PQntuples(s) != 1)
    return error_set(e, FF_CODE_corruption, "%s: the table event_mark has not one row",
                     c->store->target.shown);
  uint64_t newest = (uint64_t)postgres_get_i64(PQgetvalue(s, 0, 0)),
           trimmed = (uint64_t)postgres_get_i64(PQgetvalue(s, 0, 1));
  if (r->from_end) {
    r->after = newest > trimmed ? newest : trimmed;
    return FF_OK;
  }
  r->dropped = !r->from_start && r->after < trimmed;
  const PGresult *rows = postgres_pipe_result(c, events);
  r->events = ARENA_ARRAY(r->arena, const struct event *, PQntuples(rows) + 1);
  for (int i = 0; i < PQntuples(rows); i++) {
    const void *record;
    enum ff_rc rc = postgres_row_load(rows, i, 0, RECORD_KIND_event, r->arena, &record, e);
    if (rc) return rc;
    r->events[r->count++] = record;
  }
  if (r->count) r->after = r->events[r->count - 1]->event_id;
  return FF_OK;
}

/* A read is repeated once when the connection had gone. */
static enum ff_rc read_snapshot(struct postgres_session *c, struct log_read *r,
                                struct ff_error *e) {
  enum ff_rc rc = FF_OK;
  bool again = true;
  for (int i = 0; i < 2 && again; i++) {
    uint32_t events = 0, state;
    rc = postgres_session_ready(c, e);
    if (rc) return rc;
    fill(c, r, &events, &state);
    bool ok = postgres_pipe_run(c);
    if (ok) rc = take(c, r, events, state, e);
    else
      rc = postgres_error(c->store, c->conn,
                          c->pipe.failed < c->pipe.count
                              ? postgres_pipe_result(c, c->pipe.failed)
                              : NULL,
                          "read the event log", e);
    again = c->pipe.lost;
    postgres_pipe_clear(c);
    if (!ok) postgres_session_drop(c);
  }
  return rc;
}

enum ff_rc postgres_read_log(struct store_session *session, struct arena *arena,
                             struct ff_bytes cursor, uint32_t limit, const struct event ***events,
                             uint32_t *count, struct ff_bytes *next, bool *dropped,
                             struct ff_error *e) {
  struct postgres_session *c = postgres_session_of(session);
  struct log_read r = {.arena = arena, .limit = limit, .from_end = cursor.len == 0};
  enum ff_rc rc = FF_OK;
  if (cursor.len) rc = log_cursor_read(cursor, FF_backend_postgres, &r.after, &r.from_start, e);
  if (!rc) rc = read_snapshot(c, &r, e);
  if (rc) return rc;
  *next = log_cursor_mint(arena, FF_backend_postgres, r.after);
  *events = r.events;
  *count = r.count;
  *dropped = r.dropped;
  return FF_OK;
}

enum ff_rc postgres_trim_log(struct store_session *session, int64_t before, uint64_t keep,
                             uint32_t limit, uint32_t *removed, struct ff_error *e) {
  struct postgres_session *c = postgres_session_of(session);
  INVARIANT(c->writer && !c->in_transaction);
  *removed = 0;
  enum ff_rc rc = postgres_session_ready(c, e);
  if (rc) return rc;
  struct buffer *b = &c->out[0];
  buffer_clear(b);
  postgres_put_i64(b, before);
  postgres_put_i64(b, keep > INT64_MAX ? INT64_MAX : (int64_t)keep);
  postgres_put_i64(b, limit);
  struct postgres_param params[] = {{b->ptr, 8}, {b->ptr + 8, 8}, {b->ptr + 16, 8}};
  postgres_pipe_begin(c);
  uint32_t trim = postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_LOG_TRIM), params, 3);
  bool ok = postgres_pipe_run(c);
  const PGresult *r = postgres_pipe_result(c, trim);
  if (ok) *removed = (uint32_t)postgres_get_i64(PQgetvalue(r, 0, 0));
  else
    rc = postgres_error(c->store, c->conn,
                        c->pipe.failed < c->pipe.count ? postgres_pipe_result(c, c->pipe.failed)
                                                       : NULL,
                        "trim the event log", e);
  bool lost = c->pipe.lost;
  postgres_pipe_clear(c);
  if (lost) postgres_session_drop(c);
  return rc;
}

static void fill_restore(struct postgres_session *c, const struct event *const *events,
                         uint32_t count, uint64_t end) {
  struct buffer *rows = &c->out[0], *ids = &c->out[1], *last = &c->out[2];
  buffer_clear(rows);
  buffer_clear(ids);
  buffer_clear(last);
  postgres_put_array(rows, c->row_types[RECORD_KIND_event], count);
  postgres_put_array(ids, 20 /* int8 */, count);
  for (uint32_t i = 0; i < count; i++) {
    postgres_put_row(c, rows, RECORD_KIND_event, events[i]);
    postgres_put_i32(ids, 8);
    postgres_put_i64(ids, (int64_t)events[i]->event_id);
  }
  postgres_put_i64(last, (int64_t)(count ? events[count - 1]->event_id : end));
  struct postgres_param params[] = {{rows->ptr, rows->len}, {ids->ptr, ids->len}};
  struct postgres_param resume = {last->ptr, last->len};
  postgres_pipe_begin(c);
  (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_BEGIN), NULL, 0);
  if (count) (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_LOG_RESTORE), params, 2);
  (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_LOG_RESUME), &resume, 1);
  (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_COMMIT), NULL, 0);
}

enum ff_rc postgres_restore_log(struct store_session *session, const struct event *const *events,
                                uint32_t count, uint64_t end, struct ff_error *e) {
  struct postgres_session *c = postgres_session_of(session);
  INVARIANT(c->writer && !c->in_transaction);
  if (!count && !end) return FF_OK; /* a sequence begins at 1 */
  enum ff_rc rc = postgres_session_ready(c, e);
  if (rc) return rc;
  arena_reset(&c->scratch);
  fill_restore(c, events, count, end);
  bool ok = postgres_pipe_run(c);
  if (!ok)
    rc = postgres_error(c->store, c->conn,
                        c->pipe.failed < c->pipe.count ? postgres_pipe_result(c, c->pipe.failed)
                                                       : NULL,
                        "restore the event log", e);
  bool lost = c->pipe.lost;
  postgres_pipe_clear(c);
  c->in_transaction = !ok && !lost;
  if (lost) postgres_session_drop(c);
  postgres_rollback(c);
  return rc;
}
