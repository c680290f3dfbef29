/*
 * Loading keys and ranges in one consistent view.
 *
 * A writer session's first fetch opens the transaction that apply ends; a reader session's view
 * lives only inside one fetch, so that no idle reader ever keeps the write-ahead log from being
 * used again.
 */
#include "store/sqlite_impl.h"

/* A row that does not parse is an answer like another, not a failed fetch. */
static void load(sqlite3_stmt *st, enum record_kind kind, struct arena *arena, const void **record,
                 const struct ff_error **unreadable) {
  struct ff_error why;
  *record = NULL;
  *unreadable = NULL;
  if (sqlite_row_load(st, kind, arena, record, &why)) *unreadable = store_error_keep(&why, arena);
}

static enum ff_rc fetch_key(struct sqlite_session *c, struct arena *arena, struct store_get *g,
                            struct ff_error *e) {
  g->record = NULL;
  g->unreadable = NULL;
  if (c->cache && (g->record = sqlite_cache_get(c->cache, g->kind, g->key, arena))) return FF_OK;
  struct sqlite_prepared *p;
  enum ff_rc rc = sqlite_prepare_kind(c, g->kind, SQLITE_ST_GET, &p, e);
  if (rc) return rc;
  const struct record_info *info = &record_infos[g->kind];
  for (int i = 0; i < info->key_count; i++) sqlite_bind_field(p, i + 1, &info->fields[i], g->key);
  int code = sqlite3_step(p->st);
  if (code == SQLITE_ROW) load(p->st, g->kind, arena, &g->record, &g->unreadable);
  else if (code != SQLITE_DONE) rc = sqlite_error(c->store, c->db, code, "read", e);
  sqlite3_reset(p->st);
  /* Few and asked for by every batch: lanes, their requirement sets, settings. */
  if (c->cache && !rc && g->record && info->tag == RECORD_TAG_G)
    sqlite_cache_put(c->cache, g->kind, g->record,
                     ((const struct record_head *)g->record)->store_row);
  return rc;
}

/* One record by its row; the index that named the row is in the same snapshot, so it is there. */
static enum ff_rc load_row(struct sqlite_session *c, struct arena *arena, enum record_kind kind,
                           int64_t row, const void **record, const struct ff_error **unreadable,
                           struct ff_error *e) {
  struct sqlite_prepared *p;
  enum ff_rc rc = sqlite_prepare_kind(c, kind, SQLITE_ST_GET_ROW, &p, e);
  if (rc) return rc;
  sqlite3_bind_int64(p->st, 1, row);
  int code = sqlite3_step(p->st);
  if (code == SQLITE_ROW) load(p->st, kind, arena, record, unreadable);
  else rc = sqlite_error(c->store, c->db, code == SQLITE_DONE ? SQLITE_CORRUPT : code, "read", e);
  sqlite3_reset(p->st);
  return rc;
}

/* The record of the scan's current row: out of the cache when it is there. */
static enum ff_rc current_record(struct sqlite_session *c, struct arena *arena, sqlite3_stmt *st,
                                 enum record_kind kind, bool rows_only, uint32_t *known,
                                 const void **record, const struct ff_error **unreadable,
                                 struct ff_error *e) {
  int64_t row = sqlite3_column_int64(st, 0);
  *record = c->cache ? sqlite_cache_get_row(c->cache, kind, (uint64_t)row, arena) : NULL;
  if (*record) {
    ++*known;
    return FF_OK;
  }
  if (rows_only) return load_row(c, arena, kind, row, record, unreadable, e);
  load(st, kind, arena, record, unreadable);
  return FF_OK;
}

static enum ff_rc take_row(struct sqlite_session *c, struct arena *arena, sqlite3_stmt *st,
                           struct store_scan *s, bool rows_only, uint32_t *known,
                           struct ff_error *e) {
  const void *record = NULL;
  const struct ff_error *unreadable = NULL;
  enum ff_rc rc = current_record(c, arena, st, index_infos[s->index].kind, rows_only, known,
                                 &record, &unreadable, e);
  if (rc) return rc;
  if (unreadable) return store_scan_step_over(s, unreadable, arena, e);
  store_scan_push(s, record, arena);
  return FF_OK;
}

/* The rows of one level of a scan, behind what the scan holds already. While the writer finds what
 * it looks for in its cache, it reads nothing but the index. */
static enum ff_rc scan_level(struct sqlite_session *c, struct arena *arena, struct store_scan *s,
                             unsigned level, struct ff_error *e) {
  const struct index_info *info = &index_infos[s->index];
  bool rows_only = c->scan_rows[s->index];
  struct sqlite_prepared *p;
  enum ff_rc rc = sqlite_prepare_scan(c, s->index, level, rows_only, &p, e);
  if (rc) return rc;
  sqlite3_stmt *st = p->st;
  unsigned first = 0, end = info->prefix_count;
  if (level) sqlite_scan_run(s->index, level, &first, &end);
  for (unsigned i = 0; i < end; i++)
    sqlite_bind_field(p, (int)i + 1, info->parts[i].field, s->from);
  uint32_t before = s->count, known = 0;
  int code = SQLITE_DONE;
  while (!rc && s->count < s->limit && (code = sqlite3_step(st)) == SQLITE_ROW)
    rc = take_row(c, arena, st, s, rows_only, &known, e);
  if (!rc && code != SQLITE_DONE && code != SQLITE_ROW)
    rc = sqlite_error(c->store, c->db, code, "scan", e);
  sqlite3_reset(st);
  if (c->cache && s->count > before) c->scan_rows[s->index] = known == s->count - before;
  return rc;
}

static enum ff_rc fetch_scan(struct sqlite_session *c, struct arena *arena, struct store_scan *s,
                             struct ff_error *e) {
  store_scan_reset(s);
  unsigned first = s->after ? 1 : 0, last = s->after ? sqlite_scan_levels(s->index) : 0;
  for (unsigned level = first; level <= last && s->count < s->limit; level++) {
    enum ff_rc rc = scan_level(c, arena, s, level, e);
    if (rc) return rc;
  }
  s->complete = s->count < s->limit;
  return FF_OK;
}

static enum ff_rc fetch_all(struct sqlite_session *c, struct arena *arena, struct store_get *gets,
                            uint32_t get_count, struct store_scan *scans, uint32_t scan_count,
                            struct ff_error *e) {
  enum ff_rc rc = FF_OK;
  for (uint32_t i = 0; i < get_count && !rc; i++) rc = fetch_key(c, arena, &gets[i], e);
  for (uint32_t i = 0; i < scan_count && !rc; i++) rc = fetch_scan(c, arena, &scans[i], e);
  return rc;
}

static enum ff_rc fetch_as_reader(struct sqlite_session *c, struct arena *arena,
                                  struct store_get *gets, uint32_t get_count,
                                  struct store_scan *scans, uint32_t scan_count,
                                  struct ff_error *e) {
  if (get_count + scan_count == 0) return FF_OK;
  struct sqlite_store *s = c->store;
  if (s->target.memory) pthread_mutex_lock(&s->memory_lock);
  int code = sqlite_run_fixed(c, SQLITE_FIXED_BEGIN);
  enum ff_rc rc = code ? sqlite_error(s, c->db, code, "begin", e)
                       : fetch_all(c, arena, gets, get_count, scans, scan_count, e);
  if (!sqlite3_get_autocommit(c->db)) sqlite_run_fixed(c, SQLITE_FIXED_COMMIT);
  if (s->target.memory) pthread_mutex_unlock(&s->memory_lock);
  return rc;
}

enum ff_rc sqlite_fetch(struct store_session *session, struct arena *arena, struct store_get *gets,
                        uint32_t get_count, struct store_scan *scans, uint32_t scan_count,
                        int64_t *now, struct ff_error *e) {
  struct sqlite_session *c = sqlite_session_of(session);
  enum ff_rc rc = sqlite_usable(c->store, e);
  if (rc) return rc;
  if (c->writer) {
    rc = sqlite_begin_write(c, e);
    if (!rc) rc = fetch_all(c, arena, gets, get_count, scans, scan_count, e);
    if (rc) sqlite_rollback(c);
  } else {
    rc = fetch_as_reader(c, arena, gets, get_count, scans, scan_count, e);
  }
  if (!rc) *now = sqlite_now(c->store);
  return rc;
}
