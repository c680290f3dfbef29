/*
 * Finding the route of a request.
 */
#include "wire/route.h"

static const struct route routes[] = {
#define ROUTE(method, path, limit, op, params, query, body, fixed, replies) \
  {method, path, ROUTE_LIMIT_##limit, #op, params, query, body, fixed, replies},
#include "wire/routes.def"
#undef ROUTE
};

const struct route *route_all(size_t *count) {
  *count = ARRAY_LEN(routes);
  return routes;
}

/* Takes what stands before the next slash. */
static struct ff_str take_segment(struct ff_str *rest) {
  const char *slash = rest->len ? memchr(rest->ptr, '/', rest->len) : NULL;
  size_t len = slash ? (size_t)(slash - rest->ptr) : rest->len;
  struct ff_str segment = text_of(rest->ptr, len);
  *rest = text_of(rest->ptr + len + (slash != NULL), rest->len - len - (slash != NULL));
  return segment;
}

static bool matches(const char *template, struct ff_str path) {
  struct ff_str wanted = ff_text(template + 1);
  if (!path.len || path.ptr[0] != '/') return false;
  struct ff_str rest = text_of(path.ptr + 1, path.len - 1);
  size_t slashes = 0;
  for (size_t i = 0; i < path.len; i++) slashes += path.ptr[i] == '/';
  for (const char *p = template; *p; p++) slashes -= *p == '/';
  while (slashes == 0 && (wanted.len || rest.len)) {
    struct ff_str w = take_segment(&wanted), got = take_segment(&rest);
    if (w.len && w.ptr[0] == '{' ? got.len == 0 : !text_equal(w, got)) return false;
  }
  return slashes == 0;
}

/* A path without parameters is meant before one with. */
static bool is_plainer(const struct route *r, const struct route *than) {
  return !than || (strchr(than->path, '{') && !strchr(r->path, '{'));
}

const struct route *route_find(struct ff_str method, struct ff_str path, char *allow, size_t size) {
  const struct route *found = NULL;
  bool head = text_equal_c(method, "HEAD");
  size_t len = 0;
  allow[0] = '\0';
  for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
    const struct route *r = &routes[i];
    if (!matches(r->path, path)) continue;
    bool same = text_equal_c(method, r->method) || (head && strcmp(r->method, "GET") == 0);
    if (same && is_plainer(r, found)) found = r; /* of a pair: the first */
    bool get = strcmp(r->method, "GET") == 0;
    if (!strstr(allow, r->method))
      len += (size_t)snprintf(allow + len, size - len, "%s%s%s", len ? ", " : "", r->method,
                              get ? ", HEAD" : "");
  }
  return found;
}
