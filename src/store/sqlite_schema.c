/*
 * The schema of a SQLite file: DDL from the record tables, its generation, and bringing an older
 * file up to date.
 *
 * A file of a newer generation or of another program is refused before anything is changed. Only
 * sqlite_schema_migrate writes.
 */
#include "store/sqlite_impl.h"

const char *sqlite_column_type(const struct field *f) {
  if (f->type == FIELD_TEXT) return "TEXT";
  return f->type == FIELD_UUID || f->type == FIELD_BYTES ? "BLOB" : "INTEGER";
}

static void append_column(const struct field *f, struct buffer *out) {
  buffer_printf(out, "%s %s", f->name, sqlite_column_type(f));
  /* What a row reads as when the column was added after it was written. */
  if (!(f->flags & (FIELD_OPT | FIELD_KEY)) && strcmp(sqlite_column_type(f), "INTEGER") == 0)
    buffer_printf(out, " DEFAULT %d", f->type == FIELD_IDX ? -1 : 0);
}

static void table_ddl(enum record_kind kind, struct buffer *out) {
  const struct record_info *info = &record_infos[kind];
  const struct sqlite_layout *layout = sqlite_layout(kind);
  buffer_printf(out, "CREATE TABLE IF NOT EXISTS %s(\n", info->name);
  if (layout->log) buffer_printf(out, "  %s INTEGER PRIMARY KEY", layout->hot[0]->name);
  else buffer_append_c(out, "  row INTEGER PRIMARY KEY");
  for (unsigned i = layout->log ? 1 : 0; i < layout->hot_count; i++) {
    buffer_append_c(out, ",\n  ");
    append_column(layout->hot[i], out);
  }
  if (!layout->log) buffer_append_c(out, ",\n  version INTEGER");
  if (info->has_cold) buffer_append_c(out, ",\n  cold TEXT");
  buffer_append_c(out, ");\n");
  if (layout->log) return;
  buffer_printf(out, "CREATE UNIQUE INDEX IF NOT EXISTS %s_key ON %s(", info->name, info->name);
  for (unsigned i = 0; i < info->key_count; i++)
    buffer_printf(out, "%s%s", i ? "," : "", info->fields[i].name);
  buffer_append_c(out, ");\n");
}

static void index_ddl(enum index_id index, struct buffer *out) {
  const struct index_info *info = &index_infos[index];
  if (info->when == INDEX_PRIMARY) return;
  unsigned parts = info->part_count;
  /* A log's key is the rowid, which SQLite puts behind every index entry anyway. */
  if (sqlite_layout(info->kind)->log && info->parts[parts - 1].field->flags & FIELD_KEY) parts--;
  buffer_printf(out, "CREATE INDEX IF NOT EXISTS %s ON %s(", info->name,
                record_infos[info->kind].name);
  for (unsigned i = 0; i < parts; i++)
    buffer_printf(out, "%s%s%s", i ? "," : "", info->parts[i].field->name,
                  info->parts[i].descending ? " DESC" : "");
  buffer_append_char(out, ')');
  if (info->when == INDEX_SET) buffer_printf(out, " WHERE %s IS NOT NULL", info->when_field->name);
  if (info->when == INDEX_EQ)
    buffer_printf(out, " WHERE %s=%u", info->when_field->name, info->when_value);
  buffer_append_c(out, ";\n");
}

/* Everything a new file gets, and what tells one declaration of the records from another. */
static uint64_t schema_ddl(struct buffer *tables, struct buffer *indexes, struct buffer *views) {
  buffer_append_c(tables,
                  "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY,value)WITHOUT ROWID;\n");
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
    table_ddl((enum record_kind)kind, tables);
  for (unsigned index = 0; index < INDEX_COUNT; index++) index_ddl((enum index_id)index, indexes);
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
    sqlite_view_ddl((enum record_kind)kind, views);
  uint64_t hash = hash_fnv1a64(tables->ptr, tables->len);
  hash = hash_mix64(hash ^ hash_fnv1a64(indexes->ptr, indexes->len));
  return hash_mix64(hash ^ hash_fnv1a64(views->ptr, views->len));
}

static int query_int(sqlite3 *db, const char *sql, int64_t *out) {
  sqlite3_stmt *st;
  int code = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
  if (code) return code;
  code = sqlite3_step(st);
  if (code == SQLITE_ROW) *out = sqlite3_column_int64(st, 0);
  int last = sqlite3_finalize(st);
  return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : last;
}

enum ff_rc sqlite_schema_read(struct sqlite_store *s, sqlite3 *db, int64_t *generation,
                              uint64_t *fingerprint, struct ff_error *e) {
  int64_t application = 0, objects = 0, print = 0;
  *generation = 0;
  *fingerprint = 0;
  int code = query_int(db, "PRAGMA application_id", &application);
  if (!code) code = query_int(db, "SELECT count(*) FROM sqlite_schema", &objects);
  if (code) return sqlite_error(s, db, code, "read the schema", e);
  if (application == 0 && objects == 0) return FF_OK;
  if (application != SQLITE_APPLICATION_ID)
    return error_set(e, FF_CODE_config,
                     "%s is a SQLite database of another program (application_id 0x%llx)",
                     s->target.path, (unsigned long long)application);
  code = query_int(db, "SELECT value FROM meta WHERE name='schema_generation'", generation);
  if (!code) code = query_int(db, "SELECT value FROM meta WHERE name='schema_fingerprint'", &print);
  if (code) return sqlite_error(s, db, code, "read the schema generation", e);
  *fingerprint = (uint64_t)print;
  return FF_OK;
}

static enum ff_rc too_new(struct sqlite_store *s, int64_t generation, struct ff_error *e) {
  enum ff_rc rc =
      error_set(e, FF_CODE_schema_too_new,
                "%s has schema generation %lld; this program knows generations up to %d",
                s->target.path, (long long)generation, SQLITE_SCHEMA_GENERATION);
  error_context(e, "stored", "%lld", (long long)generation);
  error_context(e, "known", "%d", SQLITE_SCHEMA_GENERATION);
  return rc;
}

enum ff_rc sqlite_schema_check(struct sqlite_store *s, sqlite3 *db, struct ff_error *e) {
  int64_t generation;
  uint64_t fingerprint;
  enum ff_rc rc = sqlite_schema_read(s, db, &generation, &fingerprint, e);
  if (rc) return rc;
  if (generation > SQLITE_SCHEMA_GENERATION) return too_new(s, generation, e);
  if (generation < SQLITE_SCHEMA_GENERATION)
    return error_set(e, FF_CODE_unavailable,
                     "%s has schema generation %lld and needs %d: open it for writing once",
                     s->target.path, (long long)generation, SQLITE_SCHEMA_GENERATION);
  return FF_OK;
}

static bool has_column(sqlite3 *db, const char *table, const char *column) {
  return sqlite3_table_column_metadata(db, NULL, table, column, NULL, NULL, NULL, NULL, NULL) ==
         SQLITE_OK;
}

/* Columns that tables of an older file lack. New tables have them all. */
static int add_columns(sqlite3 *db) {
  int code = SQLITE_OK;
  struct buffer sql;
  buffer_init(&sql);
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT && !code; kind++) {
    const struct sqlite_layout *layout = sqlite_layout((enum record_kind)kind);
    const char *table = record_infos[kind].name;
    for (unsigned i = 0; i < layout->hot_count && !code; i++) {
      if (has_column(db, table, layout->hot[i]->name)) continue;
      buffer_clear(&sql);
      buffer_printf(&sql, "ALTER TABLE %s ADD COLUMN ", table);
      append_column(layout->hot[i], &sql);
      code = sqlite3_exec(db, sql.ptr, NULL, NULL, NULL);
    }
    if (!code && record_infos[kind].has_cold && !has_column(db, table, "cold")) {
      buffer_clear(&sql);
      buffer_printf(&sql, "ALTER TABLE %s ADD COLUMN cold TEXT", table);
      code = sqlite3_exec(db, sql.ptr, NULL, NULL, NULL);
    }
  }
  buffer_fini(&sql);
  return code;
}

/* Drops what is derived and declared differently now: all views, and indexes whose text has
 * changed. */
static int drop_derived(sqlite3 *db) {
  struct buffer sql;
  buffer_init(&sql);
  sqlite3_stmt *st;
  int code = sqlite3_prepare_v2(
      db,
      "SELECT type,name FROM sqlite_schema WHERE type='view' OR "
      "(type='index' AND sql IS NOT NULL AND name NOT LIKE '%\\_key' ESCAPE '\\')",
      -1, &st, NULL);
  while (!code && sqlite3_step(st) == SQLITE_ROW)
    buffer_printf(&sql, "DROP %s %s;", (const char *)sqlite3_column_text(st, 0),
                  (const char *)sqlite3_column_text(st, 1));
  if (!code) code = sqlite3_finalize(st);
  if (!code && sql.len) code = sqlite3_exec(db, sql.ptr, NULL, NULL, NULL);
  buffer_fini(&sql);
  return code;
}

static int record_generation(sqlite3 *db, uint64_t fingerprint) {
  struct buffer sql;
  buffer_init(&sql);
  buffer_printf(
      &sql,
      "PRAGMA application_id=%d;"
      "INSERT OR REPLACE INTO meta VALUES('schema_generation',%d),('schema_fingerprint',%lld)",
      SQLITE_APPLICATION_ID, SQLITE_SCHEMA_GENERATION, (long long)fingerprint);
  int code = sqlite3_exec(db, sql.ptr, NULL, NULL, NULL);
  buffer_fini(&sql);
  return code;
}

static int migrate_statements(sqlite3 *db, const struct buffer *tables,
                              const struct buffer *indexes, const struct buffer *views,
                              uint64_t fingerprint) {
  int code = drop_derived(db);
  if (!code) code = sqlite3_exec(db, tables->ptr, NULL, NULL, NULL);
  if (!code) code = add_columns(db);
  if (!code) code = sqlite3_exec(db, indexes->ptr, NULL, NULL, NULL);
  if (!code) code = sqlite3_exec(db, views->ptr, NULL, NULL, NULL);
  if (!code) code = record_generation(db, fingerprint);
  return code;
}

static enum ff_rc bring_up(struct sqlite_store *s, bool *applied, struct ff_error *e) {
  struct buffer tables, indexes, views;
  buffer_init(&tables);
  buffer_init(&indexes);
  buffer_init(&views);
  uint64_t wanted = schema_ddl(&tables, &indexes, &views), stored;
  int64_t generation;
  enum ff_rc rc = sqlite_schema_read(s, s->db, &generation, &stored, e);
  if (!rc && generation > SQLITE_SCHEMA_GENERATION) rc = too_new(s, generation, e);
  if (!rc && (generation < SQLITE_SCHEMA_GENERATION || stored != wanted)) {
    int code = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (!code) code = migrate_statements(s->db, &tables, &indexes, &views, wanted);
    if (!code) code = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
    if (code) rc = sqlite_error(s, s->db, code, "create the schema", e);
    if (!sqlite3_get_autocommit(s->db)) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    *applied = rc == FF_OK;
  }
  buffer_fini(&tables);
  buffer_fini(&indexes);
  buffer_fini(&views);
  return rc;
}

enum ff_rc sqlite_schema_migrate(struct sqlite_store *s, bool *applied, struct ff_error *e) {
  *applied = false;
  enum ff_rc rc = sqlite_usable(s, e);
  if (rc) return rc;
  if (s->db) {
    /* The connection is the writer session's while there is one, and that one's schema was checked
     * when it opened. */
    if (atomic_exchange(&s->writing, true)) return FF_OK;
    rc = bring_up(s, applied, e);
    atomic_store(&s->writing, false);
    return rc;
  }
  sqlite3 *db;
  rc = sqlite_connect(s, false, &db, e);
  if (rc) return rc;
  rc = sqlite_schema_check(s, db, e);
  sqlite3_close(db);
  return rc;
}
