/*
 * Views for operators: `v_<kind>` shows a record with words for numbers and times as timestamps, cold
 * fields as columns.
 *
 * Generated from the record tables; the engine itself never reads a view. Secret fields are left
 * out.
 */
#include "store/postgres_impl.h"
#include "store/sql.h"

static void append_field(const struct field *f, struct buffer *out) {
  char column[160];
  bool cold = (f->flags & FIELD_COLD) != 0;
  bool time = sql_is_time(f);
  if (cold)
    snprintf(column, sizeof column, "(cold::jsonb->>'%s')%s", f->name, time ? "::int8" : "");
  else
    snprintf(column, sizeof column, "\"%s\"", f->name);
  if (f->type == FIELD_ENUM && !cold) sql_append_words(column, f->words, out);
  else if (time) buffer_printf(out, "to_timestamp(nullif(%s,0)/1000.0)", column);
  else buffer_append_c(out, column);
  buffer_printf(out, " AS \"%s\"", f->name);
}

/* The execution a record belongs to, as the product spells it: `{fp:N}:uuid`. */
static void append_execution_id(const struct field *f, struct buffer *out) {
  buffer_printf(out, "'{fp:'||\"partition\"||'}:'||\"%s\" AS \"%s\"", f->name, f->name);
}

void postgres_view_ddl(const char *schema, enum record_kind kind, struct buffer *out) {
  const struct record_info *info = &record_infos[kind];
  const struct field *partition = record_field(kind, TEXT_LIT("partition"));
  buffer_append_c(out, "CREATE VIEW ");
  postgres_name(out, schema);
  buffer_printf(out, ".\"v_%s\" AS SELECT ", info->name);
  const char *glue = "";
  for (unsigned i = 0; i < info->field_count; i++) {
    const struct field *f = &info->fields[i];
    if (f == partition || (f->flags & FIELD_SECRET)) continue;
    buffer_append_c(out, glue);
    glue = ",\n  ";
    bool execution =
        f->type == FIELD_UUID && (strcmp(f->name, "execution_id") == 0 ||
                                  (kind == RECORD_KIND_execution && strcmp(f->name, "id") == 0));
    if (execution && partition) append_execution_id(f, out);
    else append_field(f, out);
    if (execution && kind == RECORD_KIND_execution) {
      buffer_append_c(out, glue);
      sql_append_public_state(out);
    }
  }
  if (info->tag != RECORD_TAG_LOG) buffer_append_c(out, ",\n  \"version\"");
  buffer_append_c(out, " FROM ");
  postgres_table(out, schema, info->name, "");
  buffer_append_c(out, ";\n");
}
