/*
 * Where errors meet HTTP: the one table of statuses, kinds and texts (07 §1.5), both ways.
 */
#include "op/values.h"
#include "wire/wire.h"

#define SELF "" /* the code is the kind */

/* How errors of a family, or of one code of it, are told. retryable: 1, 0, -1 = not said. */
struct row {
  int status;
  const char *kind;
  signed char retryable;
};

static const struct {
  const char *code;
  struct row row;
} special[] = {
    {"corruption", {500, SELF, 0}},
    {"unauthorized", {401, NULL, -1}},
    {"retry_exhausted", {500, SELF, 0}},
    {"rate_limit_exceeded", {429, SELF, 1}},
    {"concurrency_limit_exceeded", {429, SELF, 1}},
    {"execution_not_active", {409, "contention", 0}},
    {"execution_not_terminal", {409, SELF, 0}},
    {"max_replays_exhausted", {409, SELF, 0}},
    {"replay_not_allowed", {409, SELF, 0}},
    {"not_runnable", {409, SELF, 0}},
    {"terminal", {409, SELF, 0}},
    {"flow_already_terminal", {409, SELF, 0}},
    {"budget_exceeded", {409, SELF, 0}},
    {"budget_soft_exceeded", {409, SELF, 0}},
    {"already_satisfied", {409, "already_satisfied", 0}},
    {"duplicate_signal", {409, "already_satisfied", 0}},
    {"ok_already_applied", {409, "already_satisfied", 0}},
    {"attempt_already_terminal", {409, "already_satisfied", 0}},
    {"stream_already_closed", {409, "already_satisfied", 0}},
    {"lease_expired", {409, "already_satisfied", 0}},
    {"lease_revoked", {409, "already_satisfied", 0}},
    {"store_full", {500, "other", 0}},
    {"store_read_only", {500, "other", 0}},
    {"schema_too_new", {500, "other", 0}},
    {"timeout", {504, "timeout", 1}},
};

static const struct {
  enum ff_rc family;
  struct row row;
} families[] = {
    {FF_NOT_FOUND, {404, NULL, -1}},
    {FF_VALIDATION, {400, NULL, -1}},
    {FF_CONFLICT, {409, SELF, 0}},
    {FF_CONTENTION, {409, "contention", 1}},
    {FF_STATE, {409, "state_conflict", 0}},
    {FF_RESOURCE_EXHAUSTED, {429, "resource_exhausted", 1}},
    {FF_UNAVAILABLE, {503, "unavailable", 0}},
    {FF_TRANSPORT, {500, "transport", 1}},
};

static struct row row_of(const struct ff_error *e) {
  const char *code = ff_code_name(e->code);
  for (size_t i = 0; i < ARRAY_LEN(special); i++)
    if (strcmp(special[i].code, code) == 0) return special[i].row;
  for (size_t i = 0; i < ARRAY_LEN(families); i++)
    if (families[i].family == e->rc) return families[i].row;
  return (struct row){500, NULL, 0};
}

int wire_error_status(const struct ff_error *e) { return row_of(e).status; }

/* ---- the text of 07 §1.5 ---- */

static const char *fact(const struct ff_error *e, const char *key, const char *otherwise) {
  const char *value = ff_error_context_get(e, key);
  return value ? value : otherwise;
}

static bool is_of_token(enum ff_code code) {
  return code == FF_CODE_missing_token || code == FF_CODE_token_expired ||
         code == FF_CODE_hmac_secret_not_initialized || code == FF_CODE_invalid_secret;
}

static void write_text(const struct ff_error *e, const char *kind, char *out, size_t size) {
  char pascal[64] = "";
  const char *code = ff_code_name(e->code);
  (void)wire_pascal(code, pascal, sizeof pascal);
  switch (e->rc) {
    case FF_CONFLICT:
    case FF_CONTENTION:
    case FF_STATE: snprintf(out, size, "%s: %s", kind, pascal); return;
    case FF_RESOURCE_EXHAUSTED:
      snprintf(out, size, "too many concurrent %s calls (server max: %s); retry with backoff",
               fact(e, "pool", "?"), fact(e, "max", "?"));
      return;
    case FF_UNAVAILABLE:
      snprintf(out, size, "backend op unavailable: %s", fact(e, "op", e->detail));
      return;
    case FF_TIMEOUT: snprintf(out, size, "timeout: %s", fact(e, "op", e->detail)); return;
    case FF_NOT_FOUND:
      if (strstr(e->detail, "not found")) snprintf(out, size, "%s", e->detail);
      else ff_error_format(e, out, size);
      return;
    case FF_VALIDATION: break;
    default: snprintf(out, size, "%s", code); return;
  }
  if (e->code == FF_CODE_handle_from_other_backend) code = "validation_error";
  if (is_of_token(e->code)) { /* the older word, which old clients look for */
    snprintf(out, size, "invalid_token: %s", code);
    return;
  }
  snprintf(out, size, "%s%s%s", code, e->detail[0] ? ": " : "", e->detail);
}

/* ---- bodies ---- */

static void member(struct buffer *out, const char *name, const char *text) {
  buffer_printf(out, "%s\"%s\":", out->ptr[out->len - 1] == '{' ? "" : ",", name);
  json_write_text(out, ff_text(text));
}

/* The facts of the error, the field among them. */
static void write_context(const struct ff_error *e, struct buffer *out) {
  if (!e->context_count && !e->field[0] && e->retry_after_ms <= 0) return;
  buffer_append_c(out, ",\"context\":");
  values_json_context(e, out);
  out->len--; /* } */
  if (e->field[0]) member(out, "field", e->field);
  if (e->retry_after_ms > 0 && !ff_error_context_get(e, "retry_after_ms"))
    buffer_printf(out, "%s\"retry_after_ms\":%lld", out->ptr[out->len - 1] == '{' ? "" : ",",
                  (long long)e->retry_after_ms);
  buffer_append_char(out, '}');
}

void wire_error_write(const struct ff_error *e, struct buffer *out) {
  struct row row = row_of(e);
  const char *code = ff_code_name(e->code);
  const char *kind = row.kind && !*row.kind ? code : row.kind;
  char text[sizeof e->detail + 128];
  write_text(e, kind ? kind : code, text, sizeof text);
  buffer_append_char(out, '{');
  member(out, "error", text);
  if (kind) member(out, "kind", kind);
  if (row.retryable >= 0) buffer_printf(out, ",\"retryable\":%s", row.retryable ? "true" : "false");
  member(out, "code", code);
  if (e->detail[0] && e->rc != FF_TRANSPORT && e->rc != FF_CONFIG)
    member(out, "detail", e->detail);
  write_context(e, out);
  buffer_append_char(out, '}');
}

void wire_fault_write(enum wire_fault fault, const struct ff_error *e, struct buffer *out) {
  buffer_append_char(out, '{');
  member(out, "error",
         fault == WIRE_SYNTAX ? "invalid JSON: Bad Request" : "invalid JSON: Unprocessable Entity");
  member(out, "code", ff_code_name(e->code));
  member(out, "detail", e->detail);
  write_context(e, out);
  buffer_append_char(out, '}');
}

/* ---- reading them ---- */

/* What a status means when its body says no code. */
static enum ff_code code_of_status(int status) {
  switch (status) {
    case 401:
    case 403: return FF_CODE_unauthorized;
    case 408:
    case 504: return FF_CODE_timeout;
    case 413: return FF_CODE_payload_too_large;
    case 429: return FF_CODE_resource_exhausted;
    case 503: return FF_CODE_unavailable;
    default:
      return status >= 400 && status < 500 ? FF_CODE_invalid_input : FF_CODE_transport;
  }
}

static struct ff_str text_member(const struct json *object, const char *name) {
  const struct json *m = json_member(object, name);
  return m && m->type == JSON_STRING ? m->text : (struct ff_str){NULL, 0};
}

void wire_error_read(int status, struct ff_str body, struct arena *arena, struct ff_error *e) {
  const struct json *object = NULL;
  struct json_error problem;
  if (!json_parse(body, arena, &object, &problem)) object = NULL;
  const struct json *context = json_member(object, "context");
  enum ff_code code = ff_code_parse(text_member(object, "code"));
  struct ff_str detail = text_member(object, "detail");
  if (code == FF_CODE_none) {
    code = code_of_status(status);
    detail = text_member(object, "error");
    if (!detail.ptr) detail = arena_printf(arena, "the server answered %d", status);
  }
  (void)error_field(e, code, arena_text(arena, text_member(context, "field")).ptr, TEXT_FMT,
                    TEXT_ARG(detail));
  values_parse_context(context, "field", arena, e);
  const struct json *after = json_member(context, "retry_after_ms");
  if (after && !json_i64(after, &e->retry_after_ms)) e->retry_after_ms = -1;
}
