/*
 * Applying groups of writes: version checks, event appends, and the end of the writer's
 * transaction.
 *
 * The one place that decides whether a write took effect. A commit that failed after the medium may
 * have been written is unknown, and the store refuses all further work, because nothing read or
 * written after a failed fsync can be trusted.
 */
#include "store/sqlite_impl.h"

/* Binds what UPDATE sets; answers the next free parameter. */
static int bind_changes(struct sqlite_session *c, sqlite3_stmt *st, const struct store_write *w) {
  const struct sqlite_layout *layout = sqlite_layout(w->record_kind);
  bool insert = w->kind == STORE_INSERT;
  int at = 1;
  for (unsigned i = 0; i < layout->hot_count; i++)
    if (insert || !(layout->hot[i]->flags & FIELD_FIXED))
      sqlite_bind_field(st, at++, layout->hot[i], w->record);
  if (insert)
    sqlite3_bind_int64(st, at++, (int64_t)((const struct record_head *)w->record)->version);
  if (record_infos[w->record_kind].has_cold) {
    struct ff_str cold = record_cold_encode(w->record_kind, w->record, &c->scratch);
    if (cold.ptr) sqlite3_bind_text(st, at++, cold.ptr, (int)cold.len, SQLITE_STATIC);
    else sqlite3_bind_null(st, at++);
  }
  if (!insert)
    sqlite3_bind_int64(st, at++, (int64_t)((const struct record_head *)w->record)->version);
  return at;
}

static enum sqlite_statement statement_of(const struct store_write *w) {
  bool by_row = ((const struct record_head *)w->record)->store_row != 0;
  switch (w->kind) {
    case STORE_INSERT: return SQLITE_ST_INSERT;
    case STORE_UPDATE: return by_row ? SQLITE_ST_UPDATE_ROW : SQLITE_ST_UPDATE_KEY;
    case STORE_DELETE: break;
  }
  return by_row ? SQLITE_ST_DELETE_ROW : SQLITE_ST_DELETE_KEY;
}

static void bind_where(sqlite3_stmt *st, int at, const struct store_write *w) {
  const struct record_info *info = &record_infos[w->record_kind];
  uint64_t row = ((const struct record_head *)w->record)->store_row;
  if (row) sqlite3_bind_int64(st, at++, (int64_t)row);
  for (unsigned i = 0; i < info->key_count; i++)
    sqlite_bind_field(st, at++, &info->fields[i], w->record);
  sqlite3_bind_int64(st, at, (int64_t)w->base_version);
}

/* SQLITE_DONE done, SQLITE_CONSTRAINT conflict, else the failure. */
static enum ff_rc write_one(struct sqlite_session *c, const struct store_write *w, int *code,
                            struct ff_error *e) {
  sqlite3_stmt *st;
  enum ff_rc rc = sqlite_prepare_kind(c, w->record_kind, statement_of(w), &st, e);
  if (rc) return rc;
  int at = w->kind == STORE_DELETE ? 1 : bind_changes(c, st, w);
  if (w->kind != STORE_INSERT) bind_where(st, at, w);
  *code = sqlite3_step(st);
  if (*code == SQLITE_DONE && w->kind != STORE_INSERT && sqlite3_changes(c->db) == 0)
    *code = SQLITE_CONSTRAINT;
  sqlite3_reset(st);
  return FF_OK;
}

static enum ff_rc append_one(struct sqlite_session *c, const struct event *event, int *code,
                             struct ff_error *e) {
  const struct sqlite_layout *layout = sqlite_layout(RECORD_KIND_event);
  sqlite3_stmt *st;
  enum ff_rc rc = sqlite_prepare_kind(c, RECORD_KIND_event, SQLITE_ST_INSERT, &st, e);
  if (rc) return rc;
  if (c->event_next) sqlite3_bind_int64(st, 1, (int64_t)c->event_next);
  else sqlite3_bind_null(st, 1);
  for (int i = 1; i < layout->hot_count; i++) sqlite_bind_field(st, i + 1, layout->hot[i], event);
  *code = sqlite3_step(st);
  sqlite3_reset(st);
  return FF_OK;
}

/* One group inside the transaction. *code is SQLITE_DONE, SQLITE_CONSTRAINT for a conflict, or the
 * failure. */
static enum ff_rc write_group(struct sqlite_session *c, const struct store_group *g, int *code,
                              struct ff_error *e) {
  *code = SQLITE_DONE;
  if (sqlite_now(c->store) > g->valid_until) {
    *code = SQLITE_CONSTRAINT;
    return FF_OK;
  }
  enum ff_rc rc = FF_OK;
  for (uint32_t i = 0; i < g->write_count && !rc && *code == SQLITE_DONE; i++)
    rc = write_one(c, &g->writes[i], code, e);
  for (uint32_t i = 0; i < g->event_count && !rc && *code == SQLITE_DONE; i++) {
    rc = append_one(c, g->events[i], code, e);
    c->event_next = 0;
  }
  if (!rc && *code != SQLITE_DONE && (*code & 0xff) != SQLITE_CONSTRAINT)
    rc = sqlite_error(c->store, c->db, *code, "write", e);
  return rc;
}

void sqlite_rollback(struct sqlite_session *c) {
  if (!sqlite3_get_autocommit(c->db)) sqlite_run_fixed(c, SQLITE_FIXED_ROLLBACK);
  c->in_transaction = false;
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

static bool surely_not_committed(int code) {
  return (code & 0xff) == SQLITE_FULL || (code & 0xff) == SQLITE_BUSY ||
         (code & 0xff) == SQLITE_READONLY;
}

/* Ends the transaction; a failure that may have reached the medium also ends all trust in it. */
static int commit_or_poison(struct sqlite_session *c) {
  int code = sqlite_run_fixed(c, SQLITE_FIXED_COMMIT);
  c->in_transaction = false;
  if (code && !surely_not_committed(code)) sqlite_poison(c->store, sqlite3_extended_errcode(c->db));
  return code;
}

enum ff_rc sqlite_commit(struct sqlite_session *c, struct ff_error *e) {
  int code = commit_or_poison(c);
  enum ff_rc rc = code ? sqlite_error(c->store, c->db, code, "commit", e) : FF_OK;
  sqlite_rollback(c);
  return rc;
}

static enum ff_rc commit_groups(struct sqlite_session *c, struct store_group *groups,
                                uint32_t count, struct ff_error *e) {
  int code = commit_or_poison(c);
  enum ff_rc rc = FF_OK;
  if (code && surely_not_committed(code)) rc = sqlite_error(c->store, c->db, code, "commit", e);
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
  if (!rc) sqlite_checkpoint_after_apply(c);
  return rc;
}
