/*
 * What the SQL stores share: see sql.h.
 */
#include "store/sql.h"

const char *sql_load_number(const struct field *f, int64_t n, void *at) {
  switch (f->type) {
    case FIELD_U8:
      if (n < 0 || n > UINT8_MAX) return "out of range";
      *(uint8_t *)at = (uint8_t)n;
      return NULL;
    case FIELD_ENUM:
      if (n < 0 || n > UINT8_MAX || !ff_word((enum ff_word_enum)f->words, (int)n))
        return "unknown value";
      *(uint8_t *)at = (uint8_t)n;
      return NULL;
    case FIELD_U16:
      if (n < 0 || n > UINT16_MAX) return "out of range";
      *(uint16_t *)at = (uint16_t)n;
      return NULL;
    case FIELD_U32:
      if (n < 0 || n > UINT32_MAX) return "out of range";
      *(uint32_t *)at = (uint32_t)n;
      return NULL;
    case FIELD_I32:
      if (n < INT32_MIN || n > INT32_MAX) return "out of range";
      *(int32_t *)at = (int32_t)n;
      return NULL;
    default: *(int64_t *)at = n; return NULL;
  }
}

void sql_append_words(const char *column, int words, struct buffer *out) {
  buffer_printf(out, "CASE %s", column);
  for (int i = 0; ff_word((enum ff_word_enum)words, i); i++)
    buffer_printf(out, " WHEN %d THEN '%s'", i, ff_word((enum ff_word_enum)words, i));
  buffer_append_c(out, " END");
}

void sql_append_public_state(struct buffer *out) {
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

static bool ends_with(const char *name, const char *end) {
  size_t n = strlen(name), m = strlen(end);
  return n >= m && strcmp(name + n - m, end) == 0;
}

bool sql_is_time(const struct field *f) {
  return f->type == FIELD_I64 && (ends_with(f->name, "_at") || ends_with(f->name, "_until") ||
                                  strcmp(f->name, "at") == 0);
}
