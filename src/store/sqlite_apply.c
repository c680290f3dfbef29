/*
 * Applying groups of writes: version checks, event appends, and the end of the writer's
 * transaction.
 *
 * The one place that decides whether a write took effect. A commit that failed after the medium may
 * have been written is unknown, and the store refuses all further work, because nothing read or
 * written after a failed fsync can be trusted.
 */
#include "store/sqlite_impl.h"

static const struct record_head *head_of(const void *record) {
  return record;
}

/* The cold column, from parameter `at` on; answers the next free parameter. */
static int bind_cold(struct sqlite_session *c, struct sqlite_prepared *p, int at,
                     enum record_kind kind, const void *record) {
  const struct sqlite_layout *layout = sqlite_layout(kind);
  const struct record_info *info = &record_infos[kind];
  if (!info->has_cold) return at;
  struct ff_str cold = {NULL, 0};
  if (memcmp((const uint8_t *)record + layout->hot_size,
             (const uint8_t *)layout->blank + layout->hot_size, info->size - layout->hot_size))
    cold = record_cold_encode(kind, record, &c->scratch);
  if (cold.ptr) {
    sqlite3_bind_text(p->st, at, cold.ptr, (int)cold.len, SQLITE_STATIC);
    p->bound[at] = SQLITE_BOUND_OTHER;
  } else if (p->bound[at] != SQLITE_BOUND_NULL) {
    sqlite3_bind_null(p->st, at);
    p->bound[at] = SQLITE_BOUND_NULL;
  }
  return at + 1;
}

static enum sqlite_statement statement_of(const struct store_write *w) {
  bool by_row = head_of(w->record)->store_row != 0;
  if (w->kind == STORE_UPDATE) return by_row ? SQLITE_ST_UPDATE_ROW : SQLITE_ST_UPDATE_KEY;
  return by_row ? SQLITE_ST_DELETE_ROW : SQLITE_ST_DELETE_KEY;
}

static void bind_where(struct sqlite_prepared *p, int at, const struct store_write *w) {
  const struct record_info *info = &record_infos[w->record_kind];
  uint64_t row = head_of(w->record)->store_row;
  if (row) sqlite3_bind_int64(p->st, at++, (int64_t)row);
  for (unsigned i = 0; i < info->key_count; i++)
    sqlite_bind_field(p, at++, &info->fields[i], w->record);
  sqlite3_bind_int64(p->st, at, (int64_t)w->base_version);
}

/* An UPDATE or DELETE. *code is SQLITE_DONE, SQLITE_CONSTRAINT for a conflict, or the failure. */
static enum ff_rc change_one(struct sqlite_session *c, const struct store_write *w, int *code,
                             struct ff_error *e) {
  const struct sqlite_layout *layout = sqlite_layout(w->record_kind);
  struct sqlite_prepared *p;
  enum ff_rc rc = sqlite_prepare_kind(c, w->record_kind, statement_of(w), &p, e);
  if (rc) return rc;
  int at = 1;
  if (w->kind == STORE_UPDATE) {
    for (unsigned i = 0; i < layout->hot_count; i++)
      if (!(layout->hot[i]->flags & FIELD_FIXED))
        sqlite_bind_field(p, at++, layout->hot[i], w->record);
    at = bind_cold(c, p, at, w->record_kind, w->record);
    sqlite3_bind_int64(p->st, at++, (int64_t)head_of(w->record)->version);
  }
  bind_where(p, at, w);
  *code = sqlite3_step(p->st);
  if (*code == SQLITE_DONE && sqlite3_changes(c->db) == 0) *code = SQLITE_CONSTRAINT;
  sqlite3_reset(p->st);
  c->cache_ahead = true;
  if (w->kind == STORE_UPDATE)
    sqlite_cache_put(c->cache, w->record_kind, w->record, head_of(w->record)->store_row);
  else sqlite_cache_drop(c->cache, w->record_kind, w->record);
  return FF_OK;
}

/* Records of one kind to be inserted: several rows a statement, which saves opening its indexes for
 * each. */
struct insert_queue {
  unsigned count;
  const void *records[SQLITE_MANY_ROWS];
};

static int bind_row(struct sqlite_session *c, struct sqlite_prepared *p, int at,
                    enum record_kind kind, const void *record) {
  const struct sqlite_layout *layout = sqlite_layout(kind);
  for (unsigned i = layout->log; i < layout->hot_count; i++)
    sqlite_bind_field(p, at + (int)i, layout->hot[i], record);
  if (layout->log && c->event_next) sqlite3_bind_int64(p->st, at, (int64_t)c->event_next);
  else if (layout->log) sqlite3_bind_null(p->st, at);
  if (layout->log) c->event_next = 0;
  at += layout->hot_count;
  if (!layout->log) sqlite3_bind_int64(p->st, at++, (int64_t)head_of(record)->version);
  return bind_cold(c, p, at, kind, record);
}

/* One statement gives its rows consecutive numbers. */
static void remember_inserted(struct sqlite_session *c, enum record_kind kind,
                              const void *const *records, unsigned rows) {
  if (sqlite_layout(kind)->log) return;
  uint64_t row = (uint64_t)sqlite3_last_insert_rowid(c->db) - rows + 1;
  c->cache_ahead = true;
  for (unsigned i = 0; i < rows; i++) sqlite_cache_put(c->cache, kind, records[i], row + i);
}

static enum ff_rc insert_queued(struct sqlite_session *c, enum record_kind kind,
                                struct insert_queue *q, int *code, struct ff_error *e) {
  for (unsigned done = 0; done < q->count && *code == SQLITE_DONE;) {
    unsigned left = q->count - done;
    unsigned rows = left >= SQLITE_MANY_ROWS   ? SQLITE_MANY_ROWS
                    : left >= SQLITE_SOME_ROWS ? SQLITE_SOME_ROWS
                                               : 1;
    struct sqlite_prepared *p;
    enum ff_rc rc = sqlite_prepare_kind(c, kind,
                                        rows == SQLITE_MANY_ROWS   ? SQLITE_ST_INSERT_MANY
                                        : rows == SQLITE_SOME_ROWS ? SQLITE_ST_INSERT_SOME
                                                                   : SQLITE_ST_INSERT,
                                        &p, e);
    if (rc) return rc;
    int at = 1;
    for (unsigned i = 0; i < rows; i++) at = bind_row(c, p, at, kind, q->records[done + i]);
    *code = sqlite3_step(p->st);
    sqlite3_reset(p->st);
    if (*code == SQLITE_DONE) remember_inserted(c, kind, &q->records[done], rows);
    done += rows;
  }
  q->count = 0;
  return FF_OK;
}

static enum ff_rc insert_later(struct sqlite_session *c, enum record_kind kind, const void *record,
                               struct insert_queue *q, int *code, struct ff_error *e) {
  q->records[q->count++] = record;
  return q->count == SQLITE_MANY_ROWS ? insert_queued(c, kind, q, code, e) : FF_OK;
}

/* Deletions and changes first, so that no insertion meets a key that this group gives up. */
static enum ff_rc write_records(struct sqlite_session *c, const struct store_group *g, int *code,
                                struct ff_error *e) {
  static const enum store_write_kind changes[] = {STORE_DELETE, STORE_UPDATE};
  enum ff_rc rc = FF_OK;
  for (unsigned pass = 0; pass < ARRAY_LEN(changes); pass++)
    for (uint32_t i = 0; i < g->write_count && !rc && *code == SQLITE_DONE; i++)
      if (g->writes[i].kind == changes[pass]) rc = change_one(c, &g->writes[i], code, e);
  struct insert_queue queues[RECORD_KIND_COUNT];
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) queues[kind].count = 0;
  for (uint32_t i = 0; i < g->write_count && !rc && *code == SQLITE_DONE; i++) {
    const struct store_write *w = &g->writes[i];
    if (w->kind == STORE_INSERT)
      rc = insert_later(c, w->record_kind, w->record, &queues[w->record_kind], code, e);
  }
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT && !rc && *code == SQLITE_DONE; kind++)
    rc = insert_queued(c, (enum record_kind)kind, &queues[kind], code, e);
  return rc;
}

/* One group inside the transaction. *code is SQLITE_DONE, SQLITE_CONSTRAINT for a conflict, or the
 * failure. */
static enum ff_rc write_group(struct sqlite_session *c, const struct store_group *g, int *code,
                              struct ff_error *e) {
  *code = SQLITE_DONE;
  if (g->valid_until != INT64_MAX && sqlite_now(c->store) >= g->valid_until) {
    *code = SQLITE_CONSTRAINT;
    return FF_OK;
  }
  enum ff_rc rc = write_records(c, g, code, e);
  struct insert_queue queue = {.count = 0};
  for (uint32_t i = 0; i < g->event_count && !rc && *code == SQLITE_DONE; i++)
    rc = insert_later(c, RECORD_KIND_event, g->events[i], &queue, code, e);
  if (!rc && *code == SQLITE_DONE) rc = insert_queued(c, RECORD_KIND_event, &queue, code, e);
  if (!rc && *code != SQLITE_DONE && (*code & 0xff) != SQLITE_CONSTRAINT)
    rc = sqlite_error(c->store, c->db, *code, "write", e);
  return rc;
}

enum ff_rc sqlite_insert_event(struct sqlite_session *c, const struct event *event,
                               struct ff_error *e) {
  struct insert_queue queue = {.count = 1, .records = {event}};
  int code = SQLITE_DONE;
  c->event_next = event->event_id;
  enum ff_rc rc = insert_queued(c, RECORD_KIND_event, &queue, &code, e);
  if (!rc && code != SQLITE_DONE) rc = sqlite_error(c->store, c->db, code, "write", e);
  c->wrote = true;
  return rc;
}

static enum ff_rc savepoint(struct sqlite_session *c, enum sqlite_fixed_statement which,
                            struct ff_error *e) {
  int code = sqlite_run_fixed(c, which);
  return code ? sqlite_error(c->store, c->db, code, "savepoint", e) : FF_OK;
}

/* All groups; each is undone by itself when it conflicts. */
static enum ff_rc write_groups(struct sqlite_session *c, struct store_group *groups, uint32_t count,
                               struct ff_error *e) {
  for (uint32_t i = 0; i < count; i++) {
    uint64_t event_next = c->event_next;
    enum ff_rc rc = savepoint(c, SQLITE_FIXED_SAVEPOINT, e);
    int code = SQLITE_DONE;
    if (!rc) rc = write_group(c, &groups[i], &code, e);
    groups[i].outcome = code == SQLITE_DONE ? STORE_APPLIED : STORE_CONFLICT;
    if (!rc && code != SQLITE_DONE) {
      c->event_next = event_next;
      sqlite_cache_clear(c->cache);
      rc = savepoint(c, SQLITE_FIXED_ROLLBACK_TO, e);
    }
    if (!rc) rc = savepoint(c, SQLITE_FIXED_RELEASE, e);
    if (rc) return rc;
    c->wrote |= groups[i].outcome == STORE_APPLIED;
  }
  return FF_OK;
}

/* The usual case: one group, whose conflict undoes the whole transaction. */
static enum ff_rc write_only_group(struct sqlite_session *c, struct store_group *g,
                                   struct ff_error *e) {
  int code;
  enum ff_rc rc = write_group(c, g, &code, e);
  g->outcome = code == SQLITE_DONE ? STORE_APPLIED : STORE_CONFLICT;
  c->wrote = !rc && g->outcome == STORE_APPLIED;
  return rc;
}

static enum ff_rc commit_groups(struct sqlite_session *c, struct store_group *groups,
                                uint32_t count, struct ff_error *e) {
  int code = sqlite_commit_or_poison(c);
  enum ff_rc rc = FF_OK;
  if (code && sqlite_surely_not_committed(code))
    rc = sqlite_error(c->store, c->db, code, "commit", e);
  for (uint32_t i = 0; code && !rc && i < count; i++)
    if (groups[i].outcome == STORE_APPLIED) groups[i].outcome = STORE_UNKNOWN;
  sqlite_rollback(c);
  return rc;
}

static enum ff_rc apply_groups(struct sqlite_session *c, struct store_group *groups, uint32_t count,
                               struct ff_error *e) {
  enum ff_rc rc = sqlite_begin_write(c, e);
  if (rc) return rc;
  uint64_t event_next = c->event_next;
  if (count == 1) rc = write_only_group(c, &groups[0], e);
  else rc = write_groups(c, groups, count, e);
  if (!rc && c->wrote) rc = commit_groups(c, groups, count, e);
  if (c->in_transaction) {
    sqlite_rollback(c);
    c->wrote = false;
  }
  if (rc || !c->wrote) c->event_next = event_next;
  return rc;
}

enum ff_rc sqlite_apply(struct store_session *session, struct store_group *groups,
                        uint32_t group_count, struct ff_error *e) {
  struct sqlite_session *c = sqlite_session_of(session);
  struct sqlite_store *s = c->store;
  INVARIANT(c->writer);
  if (group_count == 0) {
    sqlite_rollback(c);
    return FF_OK;
  }
  enum ff_rc rc = sqlite_usable(s, e);
  if (rc) return rc;
  if (s->target.memory) pthread_mutex_lock(&s->memory_lock);
  rc = apply_groups(c, groups, group_count, e);
  if (s->target.memory) pthread_mutex_unlock(&s->memory_lock);
  arena_reset(&c->scratch);
  c->rests = 0;
  return rc;
}
