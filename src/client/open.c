/*
 * Opening a remote engine: the URL, the token, the first question.
 */
#include "client/impl.h"

#include "op/values.h"

#include <stdlib.h>

#define TIMEOUT_MS 30000
#define ASYNC_THREADS_MAX 256

const char *client_label(const struct client *c) { return c->label; }
void client_mints_no_ids(struct client *c) { c->mints_ids = false; }

/* ---- opening ---- */

bool client_takes(struct ff_str url) {
  return (url.len >= 5 && memcmp(url.ptr, "http:", 5) == 0) ||
         (url.len >= 6 && memcmp(url.ptr, "https:", 6) == 0);
}

static enum ff_rc bad_url(struct ff_error *e, const char *why) {
  return error_set(e, FF_CODE_config, "%s: expected http://HOST[:PORT][?timeout_ms=N]", why);
}

static enum ff_rc read_query(struct client *c, struct ff_str query, struct ff_error *e) {
  static const char name[] = "timeout_ms=";
  size_t skip = sizeof name - 1;
  if (!query.len) return FF_OK;
  bool ours = query.len > skip && memcmp(query.ptr, name, skip) == 0;
  if (!ours)
    return error_set(e, FF_CODE_config, "unknown parameter `" TEXT_FMT "`", TEXT_ARG(query));
  bool fine = parse_i64(text_of(query.ptr + skip, query.len - skip), &c->timeout_ms) &&
              c->timeout_ms >= 1 && c->timeout_ms <= 3600000;
  return fine ? FF_OK : error_set(e, FF_CODE_config, "timeout_ms is no number from 1 to 3600000");
}

/* HOST[:PORT], HOST perhaps in brackets. */
static enum ff_rc read_authority(struct client *c, struct ff_str a, struct ff_error *e) {
  struct ff_str host = a, port = TEXT_LIT("9090");
  uint64_t number;
  if (a.len && memchr(a.ptr, '@', a.len))
    return bad_url(e, "no user or password in a URL: set FF_API_TOKEN");
  const char *bracket = a.len && a.ptr[0] == '[' ? memchr(a.ptr, ']', a.len) : NULL;
  size_t after = bracket ? (size_t)(bracket - a.ptr) + 1 : 0;
  const char *colon = after < a.len ? memchr(a.ptr + after, ':', a.len - after) : NULL;
  if (colon) {
    host.len = (size_t)(colon - a.ptr);
    port = text_of(colon + 1, a.len - host.len - 1);
  }
  if (bracket) host = text_of(host.ptr + 1, host.len - 2);
  for (size_t i = 0; i < host.len; i++)
    if ((unsigned char)host.ptr[i] <= ' ' || (unsigned char)host.ptr[i] > '~')
      return bad_url(e, "the host is no name");
  if (!host.len || host.len >= sizeof c->host) return bad_url(e, "the host is missing or too long");
  if (!parse_u64(port, &number) || number < 1 || number > 65535)
    return bad_url(e, "the port is no number from 1 to 65535");
  snprintf(c->host, sizeof c->host, TEXT_FMT, TEXT_ARG(host));
  snprintf(c->port, sizeof c->port, "%u", (unsigned)number);
  return FF_OK;
}

static enum ff_rc read_url(struct client *c, struct ff_str url, struct ff_error *e) {
  if (url.len >= 6 && memcmp(url.ptr, "https:", 6) == 0)
    return error_set(e, FF_CODE_config, "https is not offered: reach the server over http");
  if (url.len < 7 || memcmp(url.ptr, "http://", 7) != 0) return bad_url(e, "no host");
  struct ff_str rest = text_of(url.ptr + 7, url.len - 7), query = {NULL, 0};
  const char *mark = memchr(rest.ptr, '?', rest.len);
  if (mark) {
    size_t len = (size_t)(mark - rest.ptr);
    query = text_of(mark + 1, rest.len - len - 1);
    rest.len = len;
  }
  if (rest.len && rest.ptr[rest.len - 1] == '/') rest.len--;
  if (rest.len && memchr(rest.ptr, '/', rest.len)) return bad_url(e, "a URL with a path");
  enum ff_rc rc = read_authority(c, rest, e);
  return rc == FF_OK ? read_query(c, query, e) : rc;
}

static enum ff_rc read_token(struct client *c, struct ff_error *e) {
  const char *token = getenv("FF_API_TOKEN");
  if (!token || !*token) return FF_OK;
  for (const char *p = token; *p; p++)
    if (*p <= ' ' || *p > '~')
      return error_set(e, FF_CODE_config, "FF_API_TOKEN: not visible ASCII characters alone");
  c->token = heap_alloc(strlen(token) + 1);
  memcpy(c->token, token, strlen(token) + 1);
  return FF_OK;
}

static enum ff_rc ask_who(struct client *c, struct ff_error *e) {
  struct ff_capabilities_args args = FF_ARGS(capabilities);
  struct ff_capabilities_result who;
  enum ff_rc rc = client_call(c, OP_capabilities, &args, &who, e);
  if (rc != FF_OK) return rc;
  snprintf(c->label, sizeof c->label, TEXT_FMT, TEXT_ARG(who.family));
  values_free(who.memory);
  return FF_OK;
}

enum ff_rc client_open(struct ff_str url, const struct ff_open_options *options,
                       struct client **out, struct ff_error *e) {
  struct client *c = heap_zalloc(sizeof *c);
  c->timeout_ms = TIMEOUT_MS;
  c->mints_ids = true;
  c->id_seed = random_u64();
  c->async_limit = options->async_limit && options->async_limit < ASYNC_THREADS_MAX
                       ? options->async_limit
                       : ASYNC_THREADS_MAX;
  pthread_mutex_init(&c->lock, NULL);
  pthread_cond_init(&c->quiet, NULL);
  enum ff_rc rc = read_url(c, url, e);
  if (rc == FF_OK) rc = read_token(c, e);
  if (rc == FF_OK) rc = ask_who(c, e);
  if (rc != FF_OK) client_close(c);
  *out = rc == FF_OK ? c : NULL;
  return rc;
}
