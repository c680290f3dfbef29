/*
 * Applying groups of writes: one pipeline that ends in COMMIT.
 *
 * The one place that decides whether a write took effect. A statement that changes fewer rows than
 * it names fails, and the server skips everything behind it, the COMMIT too: that is a conflict. A
 * connection that broke when COMMIT may have arrived leaves the outcome unknown.
 */
#include "store/postgres_impl.h"

/* A statement carries at most so many rows, and about so many bytes. */
#define ROWS_MAX 4096
#define BYTES_MAX ((size_t)64 << 20)

void postgres_rollback(struct postgres_session *c) {
  if (!c->in_transaction) return;
  c->in_transaction = false;
  if (!c->conn) return;
  postgres_pipe_begin(c);
  (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_ROLLBACK), NULL, 0);
  bool ok = postgres_pipe_run(c);
  postgres_pipe_clear(c);
  if (!ok) postgres_session_drop(c);
}

/* ---- statements of a group ---- */

static void add_rows(struct postgres_session *c, unsigned statement, Oid type, uint32_t rows,
                     bool counted) {
  struct buffer head, count;
  buffer_init(&head);
  buffer_init(&count);
  postgres_put_array(&head, type, rows);
  postgres_put_i64(&count, rows);
  /* The rows were put behind a place kept for the head. */
  struct buffer *b = &c->out[0];
  memcpy(b->ptr, head.ptr, head.len);
  struct postgres_param params[] = {{b->ptr, b->len}, {count.ptr, count.len}};
  (void)postgres_pipe_add(c, statement, params, counted ? 2 : 1);
  buffer_fini(&head);
  buffer_fini(&count);
}

static void keep_head(struct buffer *b) {
  static const uint8_t place[20];
  buffer_clear(b);
  buffer_append(b, place, sizeof place);
}

/* All INSERTs or UPDATEs of one kind. */
static void add_writes(struct postgres_session *c, const struct store_group *g,
                       enum store_write_kind how, enum record_kind kind) {
  struct buffer *b = &c->out[0];
  bool insert = how == STORE_INSERT;
  Oid type = insert ? c->row_types[kind] : c->change_types[kind];
  unsigned statement = POSTGRES_ST_KIND(kind, insert ? POSTGRES_INSERT : POSTGRES_UPDATE);
  uint32_t rows = 0;
  keep_head(b);
  for (uint32_t i = 0; i < g->write_count; i++) {
    const struct store_write *w = &g->writes[i];
    if (w->kind != how || w->record_kind != kind) continue;
    if (insert) postgres_put_row(c, b, kind, w->record);
    else postgres_put_change(c, b, kind, w->record, w->base_version);
    if (++rows < ROWS_MAX && b->len < BYTES_MAX) continue;
    add_rows(c, statement, type, rows, !insert);
    keep_head(b);
    rows = 0;
  }
  if (rows) add_rows(c, statement, type, rows, !insert);
}

/* Arrays of the key columns, of the versions, and how many there are. */
static void add_deletes(struct postgres_session *c, const struct store_group *g,
                        enum record_kind kind, uint32_t rows) {
  const struct record_info *info = &record_infos[kind];
  struct postgres_param params[ARRAY_LEN(c->out)];
  unsigned keys = info->key_count;
  INVARIANT(keys + 2 <= ARRAY_LEN(params));
  for (unsigned k = 0; k <= keys; k++) {
    struct buffer *b = &c->out[k];
    buffer_clear(b);
    postgres_put_array(b, k < keys ? postgres_type_oid(&info->fields[k]) : 20 /* int8 */, rows);
    for (uint32_t i = 0; i < g->write_count; i++) {
      const struct store_write *w = &g->writes[i];
      if (w->kind != STORE_DELETE || w->record_kind != kind) continue;
      if (k < keys) {
        postgres_put_field(b, &info->fields[k], w->record);
      } else {
        postgres_put_i32(b, 8);
        postgres_put_i64(b, (int64_t)w->base_version);
      }
    }
    params[k] = (struct postgres_param){b->ptr, b->len};
  }
  struct buffer *count = &c->out[keys + 1];
  buffer_clear(count);
  postgres_put_i64(count, rows);
  params[keys + 1] = (struct postgres_param){count->ptr, count->len};
  (void)postgres_pipe_add(c, POSTGRES_ST_KIND(kind, POSTGRES_DELETE), params, (int)keys + 2);
}

static void add_events(struct postgres_session *c, const struct store_group *g) {
  struct buffer *b = &c->out[0];
  unsigned statement = POSTGRES_ST_KIND(RECORD_KIND_event, POSTGRES_INSERT);
  uint32_t rows = 0;
  keep_head(b);
  for (uint32_t i = 0; i < g->event_count; i++) {
    postgres_put_row(c, b, RECORD_KIND_event, g->events[i]);
    if (++rows < ROWS_MAX && b->len < BYTES_MAX) continue;
    add_rows(c, statement, c->row_types[RECORD_KIND_event], rows, false);
    keep_head(b);
    rows = 0;
  }
  if (rows) add_rows(c, statement, c->row_types[RECORD_KIND_event], rows, false);
}

/* Deletions and changes first, so that no insertion meets a key that this group gives up; events
 * last, so that the lock on their order is held as briefly as can be. */
static void add_group(struct postgres_session *c, const struct store_group *g) {
  uint32_t counts[STORE_DELETE + 1][RECORD_KIND_COUNT] = {0};
  for (uint32_t i = 0; i < g->write_count; i++)
    counts[g->writes[i].kind][g->writes[i].record_kind]++;
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
    if (counts[STORE_DELETE][kind])
      add_deletes(c, g, (enum record_kind)kind, counts[STORE_DELETE][kind]);
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
    if (counts[STORE_UPDATE][kind]) add_writes(c, g, STORE_UPDATE, (enum record_kind)kind);
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
    if (counts[STORE_INSERT][kind]) add_writes(c, g, STORE_INSERT, (enum record_kind)kind);
  if (g->event_count) add_events(c, g);
  if (g->valid_until == INT64_MAX || c->store->clock_ms) return;
  struct buffer *b = &c->out[0];
  buffer_clear(b);
  postgres_put_i64(b, g->valid_until);
  struct postgres_param until = {b->ptr, b->len};
  (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_VALID_UNTIL), &until, 1);
}

static bool too_late(const struct postgres_session *c, const struct store_group *g) {
  struct postgres_store *s = c->store;
  return s->clock_ms && g->valid_until != INT64_MAX && postgres_now(s, 0) >= g->valid_until;
}

/* ---- outcomes ---- */

static void all(struct store_group *groups, uint32_t count, enum store_outcome outcome) {
  for (uint32_t i = 0; i < count; i++)
    if (outcome == STORE_CONFLICT || groups[i].outcome == STORE_APPLIED)
      groups[i].outcome = outcome;
}

static const PGresult *failure(const struct postgres_session *c) {
  return c->pipe.failed < c->pipe.count ? postgres_pipe_result(c, c->pipe.failed) : NULL;
}

/* The pipeline that ended in COMMIT. */
static enum ff_rc conclude(struct postgres_session *c, struct store_group *groups, uint32_t count,
                           bool ok, struct ff_error *e) {
  const PGresult *bad = failure(c), *commit = postgres_pipe_result(c, c->pipe.count - 1);
  bool answered = commit && PQresultStatus(commit) == PGRES_COMMAND_OK;
  /* The server answers in order: what it said of an earlier statement it said instead of COMMIT. A
   * farewell in place of COMMIT's own answer may have come behind the commit. */
  bool said = postgres_state_is(bad, "") && !(c->pipe.lost && bad == commit);
  enum ff_rc rc = FF_OK;
  if (answered && strcmp(PQcmdStatus((PGresult *)commit), "COMMIT") == 0) {
    ok = true;
  } else if (answered || postgres_is_conflict(bad) || (said && c->pipe.lost)) {
    all(groups, count, STORE_CONFLICT); /* thrown out before the COMMIT: the batch runs again */
  } else if (c->pipe.too_large) {
    rc = error_set(e, FF_CODE_payload_too_large,
                   "%s: PostgreSQL takes rows of at most %zu bytes", c->store->target.shown,
                   POSTGRES_VALUE_MAX);
  } else if (said) {
    rc = postgres_error(c->store, c->conn, bad, "write", e);
  } else if (!ok && c->pipe.sent) {
    all(groups, count, STORE_UNKNOWN);
  } else {
    all(groups, count, STORE_CONFLICT); /* nothing left this process */
  }
  if (c->pipe.lost) {
    postgres_session_drop(c);
  } else {
    postgres_pipe_clear(c);
    if (ok) c->in_transaction = false;
  }
  return rc;
}

static void queue_commit(struct postgres_session *c) {
  (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_COMMIT), NULL, 0);
}

/* The usual case: one group, whose conflict undoes the whole transaction. */
static enum ff_rc apply_one(struct postgres_session *c, struct store_group *g, struct ff_error *e) {
  if (too_late(c, g)) {
    g->outcome = STORE_CONFLICT;
    return FF_OK;
  }
  postgres_pipe_begin(c);
  add_group(c, g);
  queue_commit(c);
  g->outcome = STORE_APPLIED;
  bool ok = postgres_pipe_run(c);
  return conclude(c, g, 1, ok, e);
}

/* One of several groups, between savepoints. */
static enum ff_rc apply_group(struct postgres_session *c, struct store_group *g,
                              struct ff_error *e) {
  g->outcome = STORE_CONFLICT;
  if (too_late(c, g)) return FF_OK;
  postgres_pipe_begin(c);
  (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_SAVEPOINT), NULL, 0);
  add_group(c, g);
  bool ok = postgres_pipe_run(c), conflict = postgres_is_conflict(failure(c));
  if (ok) g->outcome = STORE_APPLIED;
  enum ff_rc rc = FF_OK;
  if (!ok && (c->pipe.lost || !conflict))
    rc = postgres_error(c->store, c->conn, failure(c), "write", e);
  if (!rc && conflict) {
    postgres_pipe_begin(c);
    (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_ROLLBACK_TO), NULL, 0);
    if (!postgres_pipe_run(c)) rc = postgres_error(c->store, c->conn, failure(c), "write", e);
  }
  bool lost = c->pipe.lost;
  postgres_pipe_clear(c);
  if (lost) postgres_session_drop(c);
  return rc;
}

static enum ff_rc apply_many(struct postgres_session *c, struct store_group *groups,
                             uint32_t count, struct ff_error *e) {
  for (uint32_t i = 0; i < count; i++) {
    enum ff_rc rc = apply_group(c, &groups[i], e);
    if (rc) return rc;
  }
  postgres_pipe_begin(c);
  queue_commit(c);
  bool ok = postgres_pipe_run(c);
  return conclude(c, groups, count, ok, e);
}

enum ff_rc postgres_apply(struct store_session *session, struct store_group *groups,
                          uint32_t group_count, struct ff_error *e) {
  struct postgres_session *c = postgres_session_of(session);
  INVARIANT(c->writer);
  if (group_count == 0) {
    postgres_rollback(c);
    return FF_OK;
  }
  arena_reset(&c->scratch);
  enum ff_rc rc = FF_OK;
  int64_t now;
  if (!c->in_transaction) {
    struct arena none;
    arena_init(&none);
    rc = postgres_fetch(session, &none, NULL, 0, NULL, 0, &now, e);
    arena_fini(&none);
  }
  if (rc) return rc;
  /* Before anything is sent it is certain that nothing was applied: the batch runs again. */
  if (c->doomed || !postgres_alive(c->conn)) {
    all(groups, group_count, STORE_CONFLICT);
    if (!c->doomed) postgres_session_drop(c);
  } else {
    rc = group_count == 1 ? apply_one(c, groups, e) : apply_many(c, groups, group_count, e);
  }
  postgres_rollback(c);
  return rc;
}
