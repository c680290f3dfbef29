/*
 * The schema: DDL from the record tables, its generation and fingerprint, and bringing an older one
 * up to date.
 *
 * One program at a time migrates, under an advisory lock and in one transaction that waits for the
 * writers under way. A schema of a newer generation, or with columns this program does not know, is
 * refused before anything is changed. Every transaction of a writer reads the generation and the
 * fingerprint: who is older than the schema stops writing.
 */
#include "store/postgres_impl.h"

#include <stdlib.h>

/* Rows come and go: dead ones are cleared away early, or the heads of the indexes fill with them. */
#define STORAGE                                                                          \
  " WITH (autovacuum_vacuum_scale_factor=0.02,autovacuum_vacuum_threshold=2000,"         \
  "autovacuum_vacuum_insert_scale_factor=0.2,autovacuum_analyze_scale_factor=0.1)"

/* ---- declarations ---- */

static void append_column(const struct field *f, bool in_type, struct buffer *out) {
  buffer_printf(out, "\"%s\" %s", f->name, postgres_type(f));
  if (f->type == FIELD_TEXT) buffer_append_c(out, " COLLATE \"C\"");
  if (in_type || (f->flags & FIELD_OPT)) return;
  /* A default is what a row reads as when the column was added after it was written. */
  if (f->flags & FIELD_KEY)
    buffer_append_c(out, " NOT NULL");
  else if (f->type == FIELD_UUID)
    buffer_append_c(out, " NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'");
  else if (f->type != FIELD_TEXT && f->type != FIELD_BYTES)
    buffer_printf(out, " NOT NULL DEFAULT %d", f->type == FIELD_IDX ? -1 : 0);
}

static void table_ddl(const char *schema, enum record_kind kind, struct buffer *out) {
  const struct record_info *info = &record_infos[kind];
  const struct postgres_layout *l = postgres_layout(kind);
  buffer_append_c(out, "CREATE TABLE IF NOT EXISTS ");
  postgres_table(out, schema, info->name, "");
  buffer_append_char(out, '(');
  for (unsigned i = 0; i < l->hot_count; i++) {
    if (i) buffer_append_c(out, ",\n  ");
    append_column(l->hot[i], false, out);
  }
  if (!l->log) buffer_append_c(out, ",\n  \"version\" int8 NOT NULL");
  if (info->has_cold) buffer_append_c(out, ",\n  \"cold\" text");
  buffer_printf(out, ",\n  CONSTRAINT \"%s_key\" PRIMARY KEY (", info->name);
  for (unsigned i = 0; i < info->key_count; i++)
    buffer_printf(out, "%s\"%s\"", i ? "," : "", info->fields[i].name);
  buffer_append_c(out, "))" STORAGE ";\n");
  if (!l->log) return;
  buffer_append_c(out, "CREATE SEQUENCE IF NOT EXISTS ");
  postgres_table(out, schema, info->name, "_id");
  buffer_append_c(out, ";\n");
}

/* The composite types that rows travel in. */
static void type_ddl(const char *schema, enum record_kind kind, struct buffer *out) {
  const struct record_info *info = &record_infos[kind];
  const struct postgres_layout *l = postgres_layout(kind);
  for (int change = 0; change <= !l->log; change++) {
    buffer_append_c(out, "CREATE TYPE ");
    postgres_table(out, schema, info->name, change ? "_change" : "_row");
    buffer_append_c(out, " AS (");
    unsigned first = l->log ? 1 : 0, count = change ? l->change_count : l->hot_count;
    for (unsigned i = first; i < count; i++) {
      if (i > first) buffer_append_char(out, ',');
      append_column(change ? l->change[i] : l->hot[i], true, out);
    }
    if (!l->log) buffer_append_c(out, ",\"version\" int8");
    if (info->has_cold) buffer_append_c(out, ",\"cold\" text");
    if (change) buffer_append_c(out, ",\"base_version\" int8");
    buffer_append_c(out, ");\n");
  }
}

static void index_ddl(const char *schema, enum index_id index, struct buffer *out) {
  const struct index_info *info = &index_infos[index];
  if (info->when == INDEX_PRIMARY) return;
  buffer_printf(out, "CREATE INDEX IF NOT EXISTS \"%s\" ON ", info->name);
  postgres_table(out, schema, record_infos[info->kind].name, "");
  buffer_append_char(out, '(');
  for (unsigned i = 0; i < info->part_count; i++)
    buffer_printf(out, "%s\"%s\"%s", i ? "," : "", info->parts[i].field->name,
                  info->parts[i].descending ? " DESC" : "");
  buffer_append_char(out, ')');
  if (info->when == INDEX_SET)
    buffer_printf(out, " WHERE \"%s\" IS NOT NULL", info->when_field->name);
  if (info->when == INDEX_EQ)
    buffer_printf(out, " WHERE \"%s\"=%u", info->when_field->name, info->when_value);
  buffer_append_c(out, ";\n");
}

/* Everything a new schema gets: what stays, then what is derived and made anew. */
static void schema_ddl(const char *schema, struct buffer *tables, struct buffer *derived) {
  buffer_append_c(tables, "CREATE TABLE IF NOT EXISTS ");
  postgres_table(tables, schema, "meta", "");
  buffer_append_c(tables, "(generation int8 NOT NULL,fingerprint int8 NOT NULL);\n"
                          "CREATE TABLE IF NOT EXISTS ");
  postgres_table(tables, schema, "event_mark", "");
  buffer_append_c(tables, "(trimmed int8 NOT NULL);\n");
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
    table_ddl(schema, (enum record_kind)kind, tables);
    type_ddl(schema, (enum record_kind)kind, derived);
    postgres_view_ddl(schema, (enum record_kind)kind, derived);
  }
  for (unsigned index = 0; index < INDEX_COUNT; index++)
    index_ddl(schema, (enum index_id)index, derived);
}

uint64_t postgres_schema_fingerprint(const char *schema) {
  struct buffer tables, derived;
  buffer_init(&tables);
  buffer_init(&derived);
  schema_ddl(schema, &tables, &derived);
  uint64_t hash = hash_fnv1a64(tables.ptr, tables.len);
  hash = hash_mix64(hash ^ hash_fnv1a64(derived.ptr, derived.len));
  buffer_fini(&tables);
  buffer_fini(&derived);
  return hash;
}

/* ---- what is stored ---- */

static enum ff_rc query(struct postgres_store *s, PGconn *conn, const char *sql, const char *param,
                        PGresult **out, struct ff_error *e) {
  const char *params[] = {param};
  PGresult *r = PQexecParams(conn, sql, 1, NULL, params, NULL, NULL, 0);
  *out = r;
  if (PQresultStatus(r) == PGRES_TUPLES_OK) return FF_OK;
  *out = NULL;
  enum ff_rc rc = postgres_error(s, conn, PQresultErrorField(r, PG_DIAG_SQLSTATE) ? r : NULL,
                                 "read the schema", e);
  PQclear(r);
  return rc;
}

/* The generation stored, 0 when there is no schema of ours. */
static enum ff_rc schema_read(struct postgres_store *s, PGconn *conn, int64_t *generation,
                              uint64_t *fingerprint, struct ff_error *e) {
  PGresult *r;
  *generation = 0;
  *fingerprint = 0;
  enum ff_rc rc = query(s, conn,
                        "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace "
                        "WHERE n.nspname=$1 AND c.relname='meta'",
                        s->target.schema, &r, e);
  if (rc) return rc;
  bool exists = PQntuples(r) == 1;
  PQclear(r);
  if (!exists) return FF_OK;
  struct buffer sql;
  buffer_init(&sql);
  buffer_append_c(&sql, "SELECT generation,fingerprint FROM ");
  postgres_table(&sql, s->target.schema, "meta", "");
  rc = postgres_run(s, conn, sql.ptr, "read the schema", &r, e);
  buffer_fini(&sql);
  if (rc) return rc;
  int64_t print = 0;
  if (PQntuples(r) != 1 || !parse_i64(ff_text(PQgetvalue(r, 0, 0)), generation) ||
      !parse_i64(ff_text(PQgetvalue(r, 0, 1)), &print))
    rc = error_set(e, FF_CODE_corruption, "%s: the table meta of schema %s has not one row",
                   s->target.shown, s->target.schema);
  *fingerprint = (uint64_t)print;
  PQclear(r);
  return rc;
}

static enum ff_rc too_new(struct postgres_store *s, int64_t generation, const char *why,
                          struct ff_error *e) {
  enum ff_rc rc = error_set(e, FF_CODE_schema_too_new,
                            "%s: schema %s is of a newer program (%s); this one writes no more: "
                            "update it",
                            s->target.shown, s->target.schema, why);
  error_context(e, "stored", "%lld", (long long)generation);
  error_context(e, "known", "%d", POSTGRES_SCHEMA_GENERATION);
  return rc;
}

enum ff_rc postgres_schema_compare(struct postgres_store *s, int64_t generation,
                                   uint64_t fingerprint, struct ff_error *e) {
  if (generation > POSTGRES_SCHEMA_GENERATION) return too_new(s, generation, "generation", e);
  if (generation == POSTGRES_SCHEMA_GENERATION && fingerprint == s->fingerprint) return FF_OK;
  if (generation == 0)
    return error_set(e, FF_CODE_unavailable,
                     "%s: schema %s is not there yet: open it for writing once, with a role that "
                     "may create it",
                     s->target.shown, s->target.schema);
  return error_set(e, FF_CODE_unavailable,
                   "%s: schema %s is of another version of this program: open it for writing once "
                   "with this one, or update this one",
                   s->target.shown, s->target.schema);
}

enum ff_rc postgres_schema_check(struct postgres_store *s, PGconn *conn, struct ff_error *e) {
  int64_t generation;
  uint64_t fingerprint;
  enum ff_rc rc = schema_read(s, conn, &generation, &fingerprint, e);
  return rc ? rc : postgres_schema_compare(s, generation, fingerprint, e);
}

enum ff_rc postgres_types_load(struct postgres_session *c, struct ff_error *e) {
  PGresult *r;
  enum ff_rc rc = query(c->store, c->conn,
                        "SELECT t.typname,t.oid FROM pg_type t JOIN pg_namespace n ON "
                        "n.oid=t.typnamespace WHERE n.nspname=$1 AND t.typtype='c'",
                        c->store->target.schema, &r, e);
  if (rc) return rc;
  memset(c->row_types, 0, sizeof c->row_types);
  memset(c->change_types, 0, sizeof c->change_types);
  for (int i = 0; i < PQntuples(r); i++) {
    const char *name = PQgetvalue(r, i, 0);
    Oid oid = (Oid)strtoul(PQgetvalue(r, i, 1), NULL, 10);
    for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
      size_t n = strlen(record_infos[kind].name);
      if (strncmp(name, record_infos[kind].name, n) != 0) continue;
      if (strcmp(name + n, "_row") == 0) c->row_types[kind] = oid;
      if (strcmp(name + n, "_change") == 0) c->change_types[kind] = oid;
    }
  }
  PQclear(r);
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT && !rc; kind++)
    if (!c->row_types[kind])
      rc = error_set(e, FF_CODE_corruption, "%s: schema %s lacks the type %s_row",
                     c->store->target.shown, c->store->target.schema, record_infos[kind].name);
  return rc;
}

/* ---- migrating; inside its transaction ---- */

static bool knows_column(const char *table, const char *column) {
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
    const struct postgres_layout *l = postgres_layout((enum record_kind)kind);
    if (strcmp(table, record_infos[kind].name) != 0) continue;
    if (strcmp(column, "version") == 0 || strcmp(column, "cold") == 0) return true;
    for (unsigned i = 0; i < l->hot_count; i++)
      if (strcmp(l->hot[i]->name, column) == 0) return true;
    return false;
  }
  return true; /* no table of records */
}

static bool has_column(const PGresult *r, const char *table, const char *column) {
  for (int i = 0; i < PQntuples(r); i++)
    if (strcmp(PQgetvalue(r, i, 0), table) == 0 && strcmp(PQgetvalue(r, i, 1), column) == 0)
      return true;
  return false;
}

/* Columns that an older schema lacks. Refuses one that has more than this program knows. */
static enum ff_rc columns_sql(struct postgres_store *s, PGconn *conn, struct buffer *sql,
                              struct ff_error *e) {
  PGresult *r;
  enum ff_rc rc = query(s, conn,
                        "SELECT c.relname,a.attname FROM pg_attribute a JOIN pg_class c ON "
                        "c.oid=a.attrelid JOIN pg_namespace n ON n.oid=c.relnamespace WHERE "
                        "n.nspname=$1 AND c.relkind='r' AND a.attnum>0 AND NOT a.attisdropped",
                        s->target.schema, &r, e);
  if (rc) return rc;
  for (int i = 0; i < PQntuples(r) && !rc; i++)
    if (!knows_column(PQgetvalue(r, i, 0), PQgetvalue(r, i, 1)))
      rc = too_new(s, POSTGRES_SCHEMA_GENERATION, PQgetvalue(r, i, 1), e);
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT && !rc; kind++) {
    const struct postgres_layout *l = postgres_layout((enum record_kind)kind);
    const char *table = record_infos[kind].name;
    for (unsigned i = 0; i < l->hot_count; i++) {
      if (has_column(r, table, l->hot[i]->name)) continue;
      buffer_append_c(sql, "ALTER TABLE ");
      postgres_table(sql, s->target.schema, table, "");
      buffer_append_c(sql, " ADD COLUMN ");
      append_column(l->hot[i], false, sql);
      buffer_append_c(sql, ";\n");
    }
    if (!record_infos[kind].has_cold || has_column(r, table, "cold")) continue;
    buffer_append_c(sql, "ALTER TABLE ");
    postgres_table(sql, s->target.schema, table, "");
    buffer_append_c(sql, " ADD COLUMN \"cold\" text;\n");
  }
  PQclear(r);
  return rc;
}

/* Drops what is derived: views, the types rows travel in, and indexes that are not keys. */
static enum ff_rc drop_sql(struct postgres_store *s, PGconn *conn, struct buffer *sql,
                           struct ff_error *e) {
  PGresult *r;
  enum ff_rc rc = query(
      s, conn,
      "SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'c' THEN 'TYPE' ELSE 'INDEX' END,c.relname "
      "FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace WHERE n.nspname=$1 AND "
      "(c.relkind='v' OR c.relkind='c' OR (c.relkind='i' AND NOT EXISTS "
      "(SELECT 1 FROM pg_constraint k WHERE k.conindid=c.oid)))",
      s->target.schema, &r, e);
  if (rc) return rc;
  for (int i = 0; i < PQntuples(r); i++) {
    buffer_printf(sql, "DROP %s ", PQgetvalue(r, i, 0));
    postgres_table(sql, s->target.schema, PQgetvalue(r, i, 1), "");
    buffer_append_c(sql, ";\n");
  }
  PQclear(r);
  return rc;
}

static void rows_sql(struct postgres_store *s, struct buffer *sql) {
  const char *schema = s->target.schema;
  buffer_append_c(sql, "DELETE FROM ");
  postgres_table(sql, schema, "meta", "");
  buffer_append_c(sql, ";INSERT INTO ");
  postgres_table(sql, schema, "meta", "");
  buffer_printf(sql, " VALUES(%d,%lld);INSERT INTO ", POSTGRES_SCHEMA_GENERATION,
                (long long)s->fingerprint);
  postgres_table(sql, schema, "event_mark", "");
  buffer_append_c(sql, " SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM ");
  postgres_table(sql, schema, "event_mark", "");
  buffer_append_c(sql, ")");
}

static enum ff_rc create_schema(struct postgres_store *s, PGconn *conn, struct ff_error *e) {
  PGresult *r;
  enum ff_rc rc = query(s, conn, "SELECT 1 FROM pg_namespace WHERE nspname=$1", s->target.schema,
                        &r, e);
  if (rc) return rc;
  bool exists = PQntuples(r) == 1;
  PQclear(r);
  if (exists) return FF_OK;
  struct buffer sql;
  buffer_init(&sql);
  buffer_append_c(&sql, "CREATE SCHEMA ");
  postgres_name(&sql, s->target.schema);
  rc = postgres_run(s, conn, sql.ptr, "create the schema", NULL, e);
  buffer_fini(&sql);
  return rc;
}

/* The lock on meta waits for every transaction that has read it: all writers. */
static enum ff_rc lock_writers(struct postgres_store *s, PGconn *conn, int64_t generation,
                               struct ff_error *e) {
  if (!generation) return FF_OK;
  struct buffer sql;
  buffer_init(&sql);
  buffer_append_c(&sql, "LOCK TABLE ");
  postgres_table(&sql, s->target.schema, "meta", "");
  enum ff_rc rc = postgres_run(s, conn, sql.ptr, "migrate", NULL, e);
  buffer_fini(&sql);
  return rc;
}

static enum ff_rc bring_up(struct postgres_store *s, PGconn *conn, bool *applied,
                           struct ff_error *e) {
  int64_t generation;
  uint64_t fingerprint;
  enum ff_rc rc = schema_read(s, conn, &generation, &fingerprint, e);
  if (rc) return rc;
  if (generation > POSTGRES_SCHEMA_GENERATION) return too_new(s, generation, "generation", e);
  if (generation == POSTGRES_SCHEMA_GENERATION && fingerprint == s->fingerprint) return FF_OK;
  struct buffer tables, derived, steps;
  buffer_init(&tables);
  buffer_init(&derived);
  buffer_init(&steps);
  schema_ddl(s->target.schema, &tables, &derived);
  rc = lock_writers(s, conn, generation, e);
  if (!rc) rc = create_schema(s, conn, e);
  if (!rc) rc = postgres_run(s, conn, tables.ptr, "create the tables", NULL, e);
  if (!rc) rc = columns_sql(s, conn, &steps, e);
  if (!rc) rc = drop_sql(s, conn, &steps, e);
  if (!rc) {
    buffer_append_text(&steps, buffer_text(&derived));
    rows_sql(s, &steps);
    rc = postgres_run(s, conn, steps.ptr, "bring the schema up to date", NULL, e);
  }
  *applied = rc == FF_OK;
  buffer_fini(&tables);
  buffer_fini(&derived);
  buffer_fini(&steps);
  return rc;
}

enum ff_rc postgres_schema_migrate(struct postgres_store *s, PGconn *conn, bool *applied,
                                   struct ff_error *e) {
  *applied = false;
  if (s->target.read_only) return postgres_schema_check(s, conn, e);
  char begin[160];
  snprintf(begin, sizeof begin,
           "BEGIN;SET LOCAL statement_timeout=0;SELECT pg_advisory_xact_lock(%lld)",
           (long long)postgres_lock_key(s->target.schema, "migrate"));
  enum ff_rc rc = postgres_run(s, conn, begin, "migrate", NULL, e);
  if (!rc) rc = bring_up(s, conn, applied, e);
  if (!rc) rc = postgres_run(s, conn, "COMMIT", "migrate", NULL, e);
  if (rc) {
    *applied = false;
    PQclear(PQexec(conn, "ROLLBACK"));
  }
  return rc;
}
