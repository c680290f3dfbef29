/*
 * What a SQLite URL asks for: file or memory, read-only or not, how durable.
 *
 * Decides from the text alone; never touches a file, so that a refused configuration leaves no
 * trace.
 */
#include "store/sqlite_impl.h"

#include <stdlib.h>

static bool starts_with(struct ff_str t, const char *prefix) {
  size_t n = strlen(prefix);
  return t.len >= n && memcmp(t.ptr, prefix, n) == 0;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that `%XX` at p stands for; -1 when it is no such escape, and for NUL, which no path
 * holds. */
static int escaped_byte(struct ff_str text, size_t at) {
  if (text.ptr[at] != '%' || at + 2 >= text.len) return -1;
  int high = hex_digit(text.ptr[at + 1]), low = hex_digit(text.ptr[at + 2]);
  return high < 0 || low < 0 || high + low == 0 ? -1 : high * 16 + low;
}

static char *copy_path(struct ff_str path, bool percent) {
  char *out = heap_alloc(path.len + 1), *p = out;
  for (size_t i = 0; i < path.len; i++) {
    int byte = percent ? escaped_byte(path, i) : -1;
    *p++ = byte < 0 ? path.ptr[i] : (char)byte;
    if (byte >= 0) i += 2;
  }
  *p = 0;
  return out;
}

struct url_state {
  struct sqlite_target *out;
  bool uri; /* `file:` form: SQLite's own parameters are understood */
};

static enum ff_rc bad_value(struct ff_str key, struct ff_str value, const char *allowed,
                            struct ff_error *e) {
  char name[48];
  snprintf(name, sizeof name, TEXT_FMT, TEXT_ARG(key));
  return error_field(e, FF_CODE_config, name, "sqlite: %s=" TEXT_FMT ": must be %s", name,
                     TEXT_ARG(value), allowed);
}

static enum ff_rc take_parameter(struct url_state *s, struct ff_str key, struct ff_str value,
                                 struct ff_error *e) {
  struct sqlite_target *out = s->out;
  uint64_t n = 0;
  if (text_equal_c(key, "mode")) {
    if (text_equal_c(value, "ro")) out->read_only = true;
    else if (s->uri && text_equal_c(value, "memory")) out->memory = true;
    else if (!text_equal_c(value, "rw") && !text_equal_c(value, "rwc"))
      return bad_value(key, value, "ro, rw or rwc", e);
  } else if (text_equal_c(key, "synchronous")) {
    static const char *const words[] = {"off", "normal", "full"};
    for (int i = 0; i < 3; i++)
      if (text_equal_c(value, words[i])) {
        out->synchronous = i;
        return FF_OK;
      }
    return bad_value(key, value, "full, normal or off", e);
  } else if (text_equal_c(key, "pool")) {
    if (!parse_u64(value, &n) || n > 64) return bad_value(key, value, "a number from 0 to 64", e);
    out->pool = n ? (uint32_t)n : 1;
  } else if (!(s->uri && text_equal_c(key, "cache"))) {
    return error_field(e, FF_CODE_config, "url", "sqlite: unknown parameter `" TEXT_FMT "`",
                       TEXT_ARG(key));
  }
  return FF_OK;
}

static enum ff_rc take_query(struct url_state *s, struct ff_str query, struct ff_error *e) {
  for (size_t at = 0; at < query.len;) {
    const char *start = query.ptr + at;
    const char *amp = memchr(start, '&', query.len - at);
    struct ff_str pair = {start, amp ? (size_t)(amp - start) : query.len - at};
    at += pair.len + 1;
    const char *equals = memchr(pair.ptr, '=', pair.len);
    struct ff_str key = {pair.ptr, equals ? (size_t)(equals - pair.ptr) : pair.len};
    struct ff_str value = {pair.ptr + pair.len, 0};
    if (equals) value = text_of(equals + 1, pair.len - key.len - 1);
    enum ff_rc rc = take_parameter(s, key, value, e);
    if (rc) return rc;
  }
  return FF_OK;
}

static enum ff_rc demand_consent(const struct sqlite_target *t, bool dev_mode, struct ff_error *e) {
  const char *environment = getenv("FF_DEV_MODE");
  if (dev_mode || (environment && strcmp(environment, "1") == 0)) return FF_OK;
  if (t->memory)
    return error_set(e, FF_CODE_requires_dev_mode,
                     "an in-memory SQLite store is dev-only and requires FF_DEV_MODE=1: everything "
                     "is gone at exit");
  if (t->synchronous < 2)
    return error_set(e, FF_CODE_requires_dev_mode,
                     "synchronous=%s is dev-only and requires FF_DEV_MODE=1: a power cut can lose "
                     "acknowledged work",
                     t->synchronous ? "normal" : "off");
  return FF_OK;
}

enum ff_rc sqlite_target_parse(struct ff_str url, bool dev_mode, struct sqlite_target *out,
                               struct ff_error *e) {
  *out = (struct sqlite_target){.synchronous = 2, .pool = 4};
  struct url_state state = {.out = out, .uri = starts_with(url, "file:")};
  const char *mark = url.len ? memchr(url.ptr, '?', url.len) : NULL;
  struct ff_str path = {url.ptr, mark ? (size_t)(mark - url.ptr) : url.len};
  if (mark) {
    enum ff_rc rc = take_query(&state, text_of(mark + 1, url.len - path.len - 1), e);
    if (rc) return rc;
  }
  if (text_equal_c(path, ":memory:") || starts_with(url, "file::memory:")) out->memory = true;
  if (state.uri) {
    path = text_of(path.ptr + 5, path.len - 5);
    if (starts_with(path, "///")) path = text_of(path.ptr + 2, path.len - 2);
  }
  if (!out->memory && path.len == 0)
    return error_field(e, FF_CODE_config, "url", "sqlite: the path is empty");
  if (memchr(path.ptr, 0, path.len))
    return error_field(e, FF_CODE_config, "url", "sqlite: the path holds a NUL byte");
  enum ff_rc rc = demand_consent(out, dev_mode, e);
  if (rc) return rc;
  out->path = out->memory ? copy_path(TEXT_LIT(":memory:"), false) : copy_path(path, state.uri);
  return FF_OK;
}

void sqlite_target_fini(struct sqlite_target *t) {
  free(t->path);
  t->path = NULL;
}
