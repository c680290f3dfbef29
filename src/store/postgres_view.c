/*
 * Views for operators: `v_<kind>` shows a record with words for numbers and times as timestamps, cold
 * fields as columns.
 *
 * Generated from the record tables; the engine itself never reads a view. Secret fields are left
 * out.
 */
#include "store/postgres_impl.h"

static bool ends_with(const char *name, const char *end) {
  size_t n = strlen(name), m = strlen(end);
  return n >= m && strcmp(name + n - m, end) == 0;
}

static void append_words(const char *column, int words, struct buffer *out) {
  buffer_printf(out, "CASE %s", column);
  for (int i = 0; ff_word((enum ff_word_enum)words, i); i++)
    buffer_printf(out, " WHEN %d THEN '%s'", i, ff_word((enum ff_word_enum)words, i));
  buffer_append_c(out, " END");
}

static void append_public_state(struct buffer *out) {
  static const struct {
    int eligibility;
    const char *state;
  } runnable[] = {{FF_eligibility_state_not_eligible_until_time, "delayed"},
                  {FF_eligibility_state_blocked_by_dependencies, "waiting_children"},
                  {FF_eligibility_state_blocked_by_budget, "rate_limited"},
                  {FF_eligibility_state_blocked_by_quota, "rate_limited"}};
  static const struct {
    int outcome;
    const char *state;
  } terminal[] = {{FF_terminal_outcome_success, "completed"},
                  {FF_terminal_outcome_cancelled, "cancelled"},
                  {FF_terminal_outcome_expired, "expired"},
                  {FF_terminal_outcome_skipped, "skipped"}};
  buffer_printf(
      out,
      "CASE lifecycle_phase WHEN %d THEN 'waiting' WHEN %d THEN 'active' WHEN %d THEN 'suspended' "
      "WHEN %d THEN CASE eligibility_state",
      FF_lifecycle_phase_submitted, FF_lifecycle_phase_active, FF_lifecycle_phase_suspended,
      FF_lifecycle_phase_runnable);
  for (size_t i = 0; i < ARRAY_LEN(runnable); i++)
    buffer_printf(out, " WHEN %d THEN '%s'", runnable[i].eligibility, runnable[i].state);
  buffer_printf(out, " ELSE 'waiting' END WHEN %d THEN CASE terminal_outcome",
                FF_lifecycle_phase_terminal);
  for (size_t i = 0; i < ARRAY_LEN(terminal); i++)
    buffer_printf(out, " WHEN %d THEN '%s'", terminal[i].outcome, terminal[i].state);
  buffer_append_c(out, " ELSE 'failed' END END AS public_state");
}

static void append_field(const struct field *f, struct buffer *out) {
  char column[160];
  bool cold = (f->flags & FIELD_COLD) != 0;
  bool time = f->type == FIELD_I64 && (ends_with(f->name, "_at") || ends_with(f->name, "_until") ||
                                       strcmp(f->name, "at") == 0);
  if (cold)
    snprintf(column, sizeof column, "(cold::jsonb->>'%s')%s", f->name, time ? "::int8" : "");
  else
    snprintf(column, sizeof column, "\"%s\"", f->name);
  if (f->type == FIELD_ENUM && !cold) append_words(column, f->words, out);
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
      append_public_state(out);
    }
  }
  if (info->tag != RECORD_TAG_LOG) buffer_append_c(out, ",\n  \"version\"");
  buffer_append_c(out, " FROM ");
  postgres_table(out, schema, info->name, "");
  buffer_append_c(out, ";\n");
}
