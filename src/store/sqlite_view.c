/*
 * Views for operators: `v_<kind>` shows a record with words for numbers, ids and times as text,
 * cold fields as columns.
 *
 * Generated from the record tables; the engine itself never reads a view. Secret fields are left
 * out.
 */
#include "store/sql.h"
#include "store/sqlite_impl.h"

static const char *source(const struct field *f, char out[128]) {
  if (f->flags & FIELD_COLD) snprintf(out, 128, "json_extract(cold,'$.%s')", f->name);
  else snprintf(out, 128, "%s", f->name);
  return out;
}

static void append_uuid(const char *column, struct buffer *out) {
  /* 8-4-4-4-12 from the 32 hex digits */
  static const int starts[] = {1, 9, 13, 17, 21}, lengths[] = {8, 4, 4, 4, 12};
  buffer_printf(out, "CASE WHEN %s IS NOT NULL THEN lower(", column);
  for (int i = 0; i < 5; i++)
    buffer_printf(out, "%ssubstr(hex(%s),%d,%d)", i ? "||'-'||" : "", column, starts[i],
                  lengths[i]);
  buffer_append_c(out, ") END");
}

static void append_field(const struct field *f, struct buffer *out) {
  char column[128];
  source(f, column);
  bool cold = (f->flags & FIELD_COLD) != 0;
  if (f->type == FIELD_UUID && !cold) append_uuid(column, out);
  else if (f->type == FIELD_ENUM && !cold) sql_append_words(column, f->words, out);
  else if (sql_is_time(f))
    buffer_printf(out, "strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ',nullif(%s,0)/1000.0,'unixepoch')",
                  column);
  else buffer_append_c(out, column);
  buffer_printf(out, " AS %s", f->name);
}

/* The execution a record belongs to, as the product spells it: `{fp:N}:uuid`. */
static void append_execution_id(const char *partition, const struct field *f, struct buffer *out) {
  buffer_printf(out, "'{fp:'||%s||'}:'||", partition);
  append_uuid(f->name, out);
  buffer_printf(out, " AS %s", f->name);
}

void sqlite_view_ddl(enum record_kind kind, struct buffer *out) {
  const struct record_info *info = &record_infos[kind];
  const struct field *partition = record_field(kind, TEXT_LIT("partition"));
  buffer_printf(out, "CREATE VIEW v_%s AS SELECT ", info->name);
  const char *glue = "";
  for (unsigned i = 0; i < info->field_count; i++) {
    const struct field *f = &info->fields[i];
    if (f == partition || (f->flags & FIELD_SECRET)) continue;
    buffer_append_c(out, glue);
    glue = ",\n  ";
    bool execution =
        f->type == FIELD_UUID && (strcmp(f->name, "execution_id") == 0 ||
                                  (kind == RECORD_KIND_execution && strcmp(f->name, "id") == 0));
    if (execution && partition) append_execution_id(partition->name, f, out);
    else append_field(f, out);
    if (execution && kind == RECORD_KIND_execution) {
      buffer_append_c(out, glue);
      sql_append_public_state(out);
    }
  }
  if (info->tag != RECORD_TAG_LOG) buffer_append_c(out, ",\n  version");
  buffer_printf(out, " FROM %s;\n", info->name);
}
