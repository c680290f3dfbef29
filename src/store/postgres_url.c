/*
 * What a PostgreSQL URL says: our own parameters are taken out of it, everything else is libpq's.
 *
 * Messages never show a URL: it may hold a password.
 */
#include "store/postgres_impl.h"
#include "store/url.h"

#include <stdlib.h>

#define PARAMETERS_ACCEPTED \
  "schema, mode, writers, statement_timeout_ms, idle_in_transaction_timeout_ms and those of libpq"

static bool is_libpq_parameter(struct ff_str key) {
  PQconninfoOption *all = PQconndefaults();
  bool found = text_equal_c(key, "ssl"); /* JDBC's spelling, which libpq takes in URLs */
  for (PQconninfoOption *o = all; o && o->keyword && !found; o++)
    found = text_equal_c(key, o->keyword);
  PQconninfoFree(all);
  return found;
}

static enum ff_rc take_number(struct ff_str key, struct ff_str value, int64_t min, int64_t max,
                              int64_t *out, struct ff_error *e) {
  uint64_t n;
  if (parse_u64(value, &n) && n >= (uint64_t)min && n <= (uint64_t)max) {
    *out = (int64_t)n;
    return FF_OK;
  }
  return error_field(e, FF_CODE_config, "url",
                     "postgres: " TEXT_FMT " must be %lld..%lld, got \"%.32s\"", TEXT_ARG(key),
                     (long long)min, (long long)max, value.len ? value.ptr : "");
}

static enum ff_rc take_schema(struct ff_str value, struct postgres_target *out,
                              struct ff_error *e) {
  if (url_decode(value, out->schema, sizeof out->schema) && out->schema[0] &&
      text_is_utf8(ff_text(out->schema)) && strncmp(out->schema, "pg_", 3) != 0)
    return FF_OK;
  return error_field(e, FF_CODE_config, "url",
                     "postgres: schema must be a name of 1..%d bytes that does not begin with pg_",
                     POSTGRES_NAME_MAX);
}

/* *ours: the parameter is not for libpq. */
static enum ff_rc take_parameter(struct ff_str key, struct ff_str value, struct postgres_target *t,
                                 bool *ours, struct ff_error *e) {
  int64_t n;
  *ours = true;
  if (text_equal_c(key, "schema")) return take_schema(value, t, e);
  if (text_equal_c(key, "mode")) {
    if (text_equal_c(value, "ro") || text_equal_c(value, "rw")) {
      t->read_only = text_equal_c(value, "ro");
      return FF_OK;
    }
    return error_field(e, FF_CODE_config, "url", "postgres: mode must be ro or rw");
  }
  if (text_equal_c(key, "writers")) {
    enum ff_rc rc = take_number(key, value, 1, 8, &n, e);
    if (!rc) t->writers = (uint32_t)n;
    return rc;
  }
  if (text_equal_c(key, "statement_timeout_ms"))
    return take_number(key, value, 100, 3600000, &t->statement_timeout_ms, e);
  if (text_equal_c(key, "idle_in_transaction_timeout_ms"))
    return take_number(key, value, 100, 3600000, &t->idle_timeout_ms, e);
  *ours = false;
  if (is_libpq_parameter(key)) return FF_OK;
  return error_field(e, FF_CODE_config, "url",
                     "postgres: unknown parameter `%.*s`; accepted are " PARAMETERS_ACCEPTED,
                     key.len < 64 ? (int)key.len : 64, key.ptr);
}

/* Copies the URL without our parameters. */
static enum ff_rc take_query(struct ff_str url, struct postgres_target *t, struct buffer *rest,
                             struct ff_error *e) {
  const char *mark = url.len ? memchr(url.ptr, '?', url.len) : NULL;
  size_t base = mark ? (size_t)(mark - url.ptr) : url.len;
  buffer_append(rest, url.ptr, base);
  char glue = '?';
  struct ff_str query = mark ? text_of(mark + 1, url.len - base - 1) : text_of(NULL, 0);
  struct ff_str pair, key, value;
  while (url_parameter(&query, &pair, &key, &value)) {
    bool ours;
    enum ff_rc rc = take_parameter(key, value, t, &ours, e);
    if (rc) return rc;
    if (ours) continue;
    buffer_append_char(rest, glue);
    buffer_append_text(rest, pair);
    glue = '&';
  }
  return FF_OK;
}

/* ---- what libpq makes of it ---- */

/* libpq quotes what it does not like, which may be the password: only its own words are shown. */
static enum ff_rc refused(const char *message, struct ff_error *e) {
  int own = message ? (int)strcspn(message, "\"\n") : 0;
  return error_field(e, FF_CODE_config, "url", "postgres: the URL is not valid: %.*s", own,
                     message ? message : "");
}

static const PQconninfoOption *option(const PQconninfoOption *all, const char *keyword) {
  for (const PQconninfoOption *o = all; o->keyword; o++)
    if (strcmp(o->keyword, keyword) == 0) return o;
  return NULL;
}

static bool is_set(const PQconninfoOption *all, const char *keyword) {
  const PQconninfoOption *o = option(all, keyword);
  return o && o->val && *o->val;
}

static char *copy(const char *text) {
  size_t size = strlen(text) + 1;
  char *out = heap_alloc(size);
  memcpy(out, text, size);
  return out;
}

static void add(struct postgres_target *t, uint32_t *count, const char *keyword,
                const char *value) {
  t->keywords = heap_realloc(t->keywords, (*count + 2) * sizeof *t->keywords);
  t->values = heap_realloc(t->values, (*count + 2) * sizeof *t->values);
  t->keywords[*count] = copy(keyword);
  t->values[*count] = copy(value);
  ++*count;
  t->keywords[*count] = t->values[*count] = NULL;
}

/* What the URL says, and for what it leaves open: a dead network ends a call instead of hanging it,
 * and of several hosts the one that can be written is chosen. */
static void keep_options(struct postgres_target *t, const PQconninfoOption *all) {
  static const struct {
    const char *keyword, *value;
  } defaults[] = {{"connect_timeout", "10"},    {"keepalives_idle", "30"},
                  {"keepalives_interval", "10"}, {"keepalives_count", "3"},
                  {"tcp_user_timeout", "30000"}, {"fallback_application_name", "flowfabric"}};
  uint32_t count = 0;
  for (const PQconninfoOption *o = all; o->keyword; o++)
    if (o->val && strcmp(o->keyword, "client_encoding") != 0) add(t, &count, o->keyword, o->val);
  add(t, &count, "client_encoding", "UTF8");
  for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
    if (!is_set(all, defaults[i].keyword)) add(t, &count, defaults[i].keyword, defaults[i].value);
  const PQconninfoOption *host = option(all, "host");
  if (host && host->val && strchr(host->val, ',') && !is_set(all, "target_session_attrs") &&
      !t->read_only)
    add(t, &count, "target_session_attrs", "read-write");
}

static void show(struct postgres_target *t, const PQconninfoOption *all) {
  const PQconninfoOption *host = option(all, "host"), *port = option(all, "port"),
                         *name = option(all, "dbname");
  snprintf(t->shown, sizeof t->shown, "postgres %.100s:%.20s/%.100s",
           host && host->val ? host->val : "(default host)", port && port->val ? port->val : "5432",
           name && name->val ? name->val : "(default)");
}

enum ff_rc postgres_target_parse(struct ff_str url, struct postgres_target *out,
                                 struct ff_error *e) {
  *out = (struct postgres_target){.schema = "flowfabric",
                                  .writers = 2,
                                  .statement_timeout_ms = 30000,
                                  .idle_timeout_ms = 10000};
  struct buffer rest;
  buffer_init(&rest);
  enum ff_rc rc = take_query(url, out, &rest, e);
  struct ff_str text = buffer_text(&rest);
  if (!rc && (!strstr(text.ptr, "://") || strlen(text.ptr) != text.len))
    rc = error_field(e, FF_CODE_config, "url",
                     "a PostgreSQL URL reads "
                     "postgres://<user>:<password>@<host>:<port>/<database>");
  char *message = NULL;
  PQconninfoOption *all = rc ? NULL : PQconninfoParse(text.ptr, &message);
  if (!rc && !all) rc = refused(message, e);
  PQfreemem(message);
  if (!rc) {
    show(out, all);
    keep_options(out, all);
  }
  PQconninfoFree(all);
  buffer_fini(&rest);
  if (rc) postgres_target_fini(out);
  return rc;
}

void postgres_target_fini(struct postgres_target *t) {
  for (size_t i = 0; t->keywords && t->keywords[i]; i++) {
    free(t->keywords[i]);
    free(t->values[i]);
  }
  free(t->keywords);
  free(t->values);
  t->keywords = t->values = NULL;
}
