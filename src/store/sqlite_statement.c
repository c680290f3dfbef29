/*
 * The SQL of every prepared statement, generated from the record tables, and its cache per session.
 *
 * Statements name their columns and their index (INDEXED BY), so that no planner statistics and no
 * added column can change what they do. Nothing here runs SQL except the statements without
 * parameters.
 */
#include "store/sqlite_impl.h"

#include <stdlib.h>

/* ---- one row by key or by row ---- */

static const char *row_column(const struct sqlite_layout *layout) {
  return layout->log ? layout->hot[0]->name : "row";
}

static void append_select(enum record_kind kind, struct buffer *out) {
  const struct sqlite_layout *layout = sqlite_layout(kind);
  buffer_printf(out, "SELECT %s,%s", row_column(layout), layout->log ? "0" : "version");
  for (unsigned i = 0; i < layout->hot_count; i++) buffer_printf(out, ",%s", layout->hot[i]->name);
  if (record_infos[kind].has_cold) buffer_append_c(out, ",cold");
  buffer_printf(out, " FROM %s", record_infos[kind].name);
}

static void append_key(enum record_kind kind, struct buffer *out) {
  const struct record_info *info = &record_infos[kind];
  for (unsigned i = 0; i < info->key_count; i++)
    buffer_printf(out, "%s%s=?", i ? " AND " : "", info->fields[i].name);
}

static void append_insert(enum record_kind kind, unsigned rows, struct buffer *out) {
  const struct sqlite_layout *layout = sqlite_layout(kind);
  /* FAIL: a conflict undoes the whole group anyway, so no statement needs to be able to undo
   * itself. */
  buffer_printf(out, "INSERT OR FAIL INTO %s(", record_infos[kind].name);
  unsigned columns = layout->hot_count;
  for (unsigned i = 0; i < layout->hot_count; i++)
    buffer_printf(out, "%s%s", i ? "," : "", layout->hot[i]->name);
  if (!layout->log) buffer_append_c(out, ",version"), columns++;
  if (record_infos[kind].has_cold) buffer_append_c(out, ",cold"), columns++;
  buffer_append_c(out, ")VALUES");
  for (unsigned row = 0; row < rows; row++) {
    buffer_append_c(out, row ? ",(" : "(");
    for (unsigned i = 0; i < columns; i++) buffer_append_c(out, i ? ",?" : "?");
    buffer_append_char(out, ')');
  }
}

static void append_update(enum record_kind kind, struct buffer *out) {
  const struct sqlite_layout *layout = sqlite_layout(kind);
  buffer_printf(out, "UPDATE %s SET ", record_infos[kind].name);
  for (unsigned i = 0; i < layout->hot_count; i++)
    if (!(layout->hot[i]->flags & FIELD_FIXED)) buffer_printf(out, "%s=?,", layout->hot[i]->name);
  if (record_infos[kind].has_cold) buffer_append_c(out, "cold=?,");
  buffer_append_c(out, "version=? WHERE ");
}

void sqlite_kind_sql(enum record_kind kind, enum sqlite_statement which, struct buffer *out) {
  const struct sqlite_layout *layout = sqlite_layout(kind);
  const char *name = record_infos[kind].name;
  switch (which) {
    case SQLITE_ST_GET:
      append_select(kind, out);
      if (!layout->log) buffer_printf(out, " INDEXED BY %s_key", name);
      buffer_append_c(out, " WHERE ");
      append_key(kind, out);
      return;
    case SQLITE_ST_GET_ROW:
      append_select(kind, out);
      buffer_printf(out, " WHERE %s=?", row_column(layout));
      return;
    case SQLITE_ST_INSERT: append_insert(kind, 1, out); return;
    case SQLITE_ST_INSERT_SOME: append_insert(kind, SQLITE_SOME_ROWS, out); return;
    case SQLITE_ST_INSERT_MANY: append_insert(kind, SQLITE_MANY_ROWS, out); return;
    case SQLITE_ST_UPDATE_ROW:
    case SQLITE_ST_UPDATE_KEY: append_update(kind, out); break;
    case SQLITE_ST_DELETE_ROW:
    case SQLITE_ST_DELETE_KEY: buffer_printf(out, "DELETE FROM %s WHERE ", name); break;
    case SQLITE_ST_COUNT: return;
  }
  /* A row number may be given to another record after a delete, so the key is compared even where
   * the row leads. */
  if (which == SQLITE_ST_UPDATE_ROW || which == SQLITE_ST_DELETE_ROW)
    buffer_append_c(out, "row=? AND ");
  append_key(kind, out);
  buffer_append_c(out, " AND version=?");
}

/* ---- index ranges ---- */

void sqlite_index_name(enum index_id index, struct buffer *out) {
  const struct index_info *info = &index_infos[index];
  if (info->when == INDEX_PRIMARY) buffer_printf(out, "%s_key", record_infos[info->kind].name);
  else buffer_append_c(out, info->name);
}

unsigned sqlite_scan_levels(enum index_id index) {
  const struct index_info *info = &index_infos[index];
  unsigned levels = 0;
  for (unsigned i = info->prefix_count; i < info->part_count; i++)
    if (i == info->prefix_count || info->parts[i].descending != info->parts[i - 1].descending)
      levels++;
  return levels;
}

void sqlite_scan_run(enum index_id index, unsigned level, unsigned *first, unsigned *end) {
  const struct index_info *info = &index_infos[index];
  unsigned run = sqlite_scan_levels(index) - level; /* level 1 compares the last run */
  unsigned at = info->prefix_count;
  for (unsigned skipped = 0;; skipped++) {
    *first = at;
    do at++;
    while (at < info->part_count && info->parts[at].descending == info->parts[at - 1].descending);
    *end = at;
    if (skipped == run) return;
  }
}

static void append_tuple(const struct index_info *info, unsigned first, unsigned end, bool marks,
                         struct buffer *out) {
  if (end - first > 1) buffer_append_char(out, '(');
  for (unsigned i = first; i < end; i++)
    buffer_printf(out, "%s%s", i > first ? "," : "", marks ? "?" : info->parts[i].field->name);
  if (end - first > 1) buffer_append_char(out, ')');
}

/* `IS` finds absent values too; it uses the index exactly as `=` does. */
static void append_equal(const struct field *f, const char **glue, struct buffer *out) {
  bool nullable = (f->flags & FIELD_OPT) || (f->type == FIELD_TEXT && !(f->flags & FIELD_KEY));
  buffer_printf(out, "%s%s%s?", *glue, f->name, nullable ? " IS " : "=");
  *glue = " AND ";
}

void sqlite_scan_sql(enum index_id index, unsigned level, bool rows_only, struct buffer *out) {
  const struct index_info *info = &index_infos[index];
  if (rows_only)
    buffer_printf(out, "SELECT %s FROM %s", row_column(sqlite_layout(info->kind)),
                  record_infos[info->kind].name);
  else append_select(info->kind, out);
  if (sqlite_layout(info->kind)->log && info->when == INDEX_PRIMARY) {
    buffer_append_c(out, " NOT INDEXED");
  } else {
    buffer_append_c(out, " INDEXED BY ");
    sqlite_index_name(index, out);
  }
  const char *glue = " WHERE ";
  if (info->when == INDEX_SET) {
    buffer_printf(out, "%s%s IS NOT NULL", glue, info->when_field->name);
    glue = " AND ";
  } else if (info->when == INDEX_EQ) {
    buffer_printf(out, "%s%s=%u", glue, info->when_field->name, info->when_value);
    glue = " AND ";
  }
  for (unsigned i = 0; i < info->prefix_count; i++) append_equal(info->parts[i].field, &glue, out);
  if (level > 0) {
    unsigned first, end;
    sqlite_scan_run(index, level, &first, &end);
    for (unsigned i = info->prefix_count; i < first; i++)
      append_equal(info->parts[i].field, &glue, out);
    buffer_append_c(out, glue);
    append_tuple(info, first, end, false, out);
    buffer_append_char(out, info->parts[first].descending ? '<' : '>');
    append_tuple(info, first, end, true, out);
  }
  buffer_append_c(out, " ORDER BY ");
  for (unsigned i = info->prefix_count; i < info->part_count; i++)
    buffer_printf(out, "%s%s%s", i > info->prefix_count ? "," : "", info->parts[i].field->name,
                  info->parts[i].descending ? " DESC" : "");
}

/* ---- the rest ---- */

static void fixed_sql(enum sqlite_fixed_statement which, struct buffer *out) {
  static const char *const texts[SQLITE_FIXED_COUNT] = {
      [SQLITE_FIXED_BEGIN] = "BEGIN",
      [SQLITE_FIXED_BEGIN_WRITE] = "BEGIN IMMEDIATE",
      [SQLITE_FIXED_COMMIT] = "COMMIT",
      [SQLITE_FIXED_ROLLBACK] = "ROLLBACK",
      [SQLITE_FIXED_SAVEPOINT] = "SAVEPOINT one_group",
      [SQLITE_FIXED_RELEASE] = "RELEASE one_group",
      [SQLITE_FIXED_ROLLBACK_TO] = "ROLLBACK TO one_group",
      [SQLITE_FIXED_LOG_END] = "SELECT max(event_id) FROM event",
      [SQLITE_FIXED_LOG_OLDEST] = "SELECT min(event_id) FROM event",
      [SQLITE_FIXED_LOG_MARK] = "SELECT value FROM meta WHERE name='" SQLITE_META_EVENT_MARK "'",
      [SQLITE_FIXED_TRIM_BOUND] =
          "SELECT event_id FROM event ORDER BY event_id DESC LIMIT 1 OFFSET ?",
      [SQLITE_FIXED_TRIM] =
          "SELECT event_id,at FROM event WHERE event_id<=? ORDER BY event_id LIMIT ?",
      [SQLITE_FIXED_MARK_SET] = "INSERT INTO meta(name,value)VALUES('" SQLITE_META_EVENT_MARK
                                "',?)ON CONFLICT(name)DO UPDATE SET value=excluded.value",
      [SQLITE_FIXED_TRIM_DELETE] = "DELETE FROM event WHERE event_id<=?",
  };
  if (which == SQLITE_FIXED_LOG_READ) {
    append_select(RECORD_KIND_event, out);
    buffer_append_c(out, " WHERE event_id>? ORDER BY event_id LIMIT ?");
  } else {
    buffer_append_c(out, texts[which]);
  }
}

static enum ff_rc prepare(struct sqlite_session *c, const struct buffer *sql, sqlite3_stmt **out,
                          struct ff_error *e) {
  int code =
      sqlite3_prepare_v3(c->db, sql->ptr, (int)sql->len, SQLITE_PREPARE_PERSISTENT, out, NULL);
  return code ? sqlite_error(c->store, c->db, code, "prepare", e) : FF_OK;
}

static enum ff_rc prepare_bound(struct sqlite_session *c, const struct buffer *sql,
                                struct sqlite_prepared *out, struct ff_error *e) {
  enum ff_rc rc = prepare(c, sql, &out->st, e);
  if (!rc) out->bound = heap_zalloc((size_t)sqlite3_bind_parameter_count(out->st) + 1);
  return rc;
}

enum ff_rc sqlite_prepare_kind(struct sqlite_session *c, enum record_kind kind,
                               enum sqlite_statement which, struct sqlite_prepared **out,
                               struct ff_error *e) {
  struct sqlite_prepared *slot = *out = &c->kinds[kind][which];
  if (slot->st) return FF_OK;
  struct buffer sql;
  buffer_init(&sql);
  sqlite_kind_sql(kind, which, &sql);
  enum ff_rc rc = prepare_bound(c, &sql, slot, e);
  buffer_fini(&sql);
  return rc;
}

enum ff_rc sqlite_prepare_scan(struct sqlite_session *c, enum index_id index, unsigned level,
                               bool rows_only, struct sqlite_prepared **out, struct ff_error *e) {
  INVARIANT(level < SQLITE_SCAN_LEVELS);
  struct sqlite_prepared *slot = *out = &c->scans[index][level][rows_only];
  if (slot->st) return FF_OK;
  struct buffer sql;
  buffer_init(&sql);
  sqlite_scan_sql(index, level, rows_only, &sql);
  enum ff_rc rc = prepare_bound(c, &sql, slot, e);
  buffer_fini(&sql);
  return rc;
}

enum ff_rc sqlite_prepare_fixed(struct sqlite_session *c, enum sqlite_fixed_statement which,
                                sqlite3_stmt **out, struct ff_error *e) {
  sqlite3_stmt **slot = &c->fixed[which];
  if (!*slot) {
    struct buffer sql;
    buffer_init(&sql);
    fixed_sql(which, &sql);
    enum ff_rc rc = prepare(c, &sql, slot, e);
    buffer_fini(&sql);
    if (rc) return rc;
  }
  *out = *slot;
  return FF_OK;
}

int sqlite_run_fixed(struct sqlite_session *c, enum sqlite_fixed_statement which) {
  sqlite3_stmt *st;
  if (sqlite_prepare_fixed(c, which, &st, NULL)) return sqlite3_errcode(c->db);
  int code = sqlite3_step(st);
  int last = sqlite3_reset(st);
  return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : (last ? last : code);
}

static void finalize(struct sqlite_prepared *p) {
  sqlite3_finalize(p->st);
  free(p->bound);
}

void sqlite_finalize_all(struct sqlite_session *c) {
  for (unsigned i = 0; i < SQLITE_FIXED_COUNT; i++) sqlite3_finalize(c->fixed[i]);
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
    for (unsigned i = 0; i < SQLITE_ST_COUNT; i++) finalize(&c->kinds[kind][i]);
  for (unsigned index = 0; index < INDEX_COUNT; index++)
    for (unsigned i = 0; i < SQLITE_SCAN_LEVELS; i++)
      for (unsigned rows = 0; rows < 2; rows++) finalize(&c->scans[index][i][rows]);
}
