/*
 * What a request asks for and whether it may: identity, hosts and origins, scopes, routes, limits;
 * then the call (07 H-12 is the order).
 */
#include "flowfabric/schedule.h"
#include "op/values.h"
#include "server/impl.h"

#include <stdlib.h>

#define OPS "/v1/ops/"
#define OPS_PATH "/v1/ops/{operation}"
#define BODY_OTHER_MAX 65536 /* 07 H-9, C */

/* ---- names ---- */

static void mint_id(struct loop *loop, char *out) {
  loop->id_seed = hash_mix64(loop->id_seed);
  uuid_format(uuid_v7(clock_wall_ms(), (uint16_t)(loop->id_seed >> 52), loop->id_seed), out);
}

/* 07 H-16 */
static void take_id(struct connection *c, const struct http_head *h) {
  struct ff_str given = http_header(h, "x-request-id", NULL);
  bool fine = given.len >= 1 && given.len <= 128;
  for (size_t i = 0; fine && i < given.len; i++) fine = given.ptr[i] > ' ' && given.ptr[i] <= '~';
  if (fine) snprintf(c->request.id, sizeof c->request.id, TEXT_FMT, TEXT_ARG(given));
  else mint_id(c->loop, c->request.id);
}

static bool refuse(struct connection *c, int status, const char *text, const char *extra) {
  connection_skip_or_close(c);
  answer_refuse(c, status, text, extra);
  return false;
}

/* ---- hosts and origins (DESIGN §10, closed by default) ---- */

/* Without its port. */
static struct ff_str host_name(struct ff_str host) {
  size_t len = host.len;
  if (len && host.ptr[0] == '[') {
    const char *end = memchr(host.ptr, ']', len);
    return end ? text_of(host.ptr, (size_t)(end - host.ptr) + 1) : host;
  }
  const char *colon = len ? memchr(host.ptr, ':', len) : NULL;
  return colon ? text_of(host.ptr, (size_t)(colon - host.ptr)) : host;
}

static bool is_loopback(struct ff_str name) {
  if (http_same(name, "localhost") || http_same(name, "[::1]")) return true;
  unsigned a, b, cc, d;
  char text[20], rest;
  if (name.len >= sizeof text) return false;
  snprintf(text, sizeof text, TEXT_FMT, TEXT_ARG(name));
  return sscanf(text, "%3u.%3u.%3u.%3u%c", &a, &b, &cc, &d, &rest) == 4 && a == 127 && b < 256 &&
         cc < 256 && d < 256;
}

static bool is_listed(const struct ff_strs *origins, struct ff_str origin, bool *any) {
  *any = false;
  for (size_t i = 0; origins && i < origins->count; i++) {
    if (text_equal_c(origins->items[i], "*")) return *any = true;
    if (text_equal(origins->items[i], origin)) return true;
  }
  return false;
}

static bool is_forwarded(const struct http_head *h) {
  static const char *const names[] = {"forwarded", "x-forwarded-for", "x-forwarded-host",
                                      "x-forwarded-proto", "x-real-ip", "via"};
  for (size_t i = 0; i < ARRAY_LEN(names); i++)
    if (http_header(h, names[i], NULL).ptr) return true;
  return false;
}

/* The page comes from the very host it talks to. */
static bool same_host(struct ff_str origin, struct ff_str host) {
  size_t skip = 7;
  if (origin.len > 7 && memcmp(origin.ptr, "https:/", 7) == 0) skip = 8;
  else if (origin.len < 7 || memcmp(origin.ptr, "http://", 7) != 0) return false;
  return text_equal(text_of(origin.ptr + skip, origin.len - skip), host);
}

/* 07 A-5 … A-7; without a token: G-20. */
static bool judge_origin(struct connection *c, const struct http_head *h) {
  const struct server_options *o = &c->loop->server->options;
  bool many, any, open = o->auth->count == 0;
  struct ff_str host = http_header(h, "host", NULL), origin = http_header(h, "origin", &many);
  if (many) return refuse(c, 400, "more than one Origin", "");
  bool listed = origin.ptr && is_listed(o->cors_origins, origin, &any);
  if (listed && origin.len < sizeof c->request.origin)
    snprintf(c->request.origin, sizeof c->request.origin, TEXT_FMT,
             TEXT_ARG(any ? TEXT_LIT("*") : origin));
  if (!open) return true;
  if (host.ptr && !is_loopback(host_name(host)))
    return refuse(c, 403, "without a token only loopback hosts are served", "");
  if (origin.ptr && !listed && !same_host(origin, host))
    return refuse(c, 403, "this origin is not allowed", "");
  if (is_forwarded(h)) return refuse(c, 403, "a forwarded request needs a token", "");
  return true;
}

/* 07 A-4: answered before anybody is asked for a token. */
static bool is_preflight(struct connection *c, const struct http_head *h) {
  char extra[600];
  struct ff_str asked = http_header(h, "access-control-request-headers", NULL);
  bool auth = c->loop->server->options.auth->count > 0, any = c->request.origin[0] == '*';
  if (!c->request.origin[0] || !http_same(h->method, "options")) return false;
  if (!http_header(h, "access-control-request-method", NULL).ptr) return false;
  const char *usual = auth ? "content-type,authorization" : "content-type";
  if (!any || !asked.ptr || asked.len > 400) asked = ff_text(usual);
  snprintf(extra, sizeof extra,
           "Access-Control-Allow-Methods: GET,POST,PUT,PATCH\r\n"
           "Access-Control-Allow-Headers: " TEXT_FMT "\r\n",
           TEXT_ARG(asked));
  c->request.route = ROUTE_PREFLIGHT;
  c->request.path = "preflight";
  connection_skip_or_close(c);
  answer_begin(c, 200, TEXT_LIT(""), extra);
  return true;
}

/* ---- routes ---- */

static const struct {
  const char *path;
  enum route_kind kind;
} fixed[] = {{"/healthz", ROUTE_HEALTH}, {"/readyz", ROUTE_READY}, {"/metrics", ROUTE_METRICS}};

static bool takes_waitpoint_token(const struct ff_operation *op) {
  return values_field(op->args, TEXT_LIT("waitpoint_token")) != NULL;
}

/* A many-form: its arguments are a list. */
static bool takes_list(const struct ff_operation *op) {
  for (uint32_t i = 0; i < op->args->field_count; i++)
    if (op->args->fields[i].type == FF_FIELD_LIST) return true;
  return false;
}

/* A path of the table with another method is a route too: the wrong one. */
static void find_named(struct connection *c, struct ff_str method, struct ff_str path) {
  struct request *r = &c->request;
  r->named = route_find(method, path, r->allow, sizeof r->allow);
  if (!r->named) return;
  static const size_t limits[] = {
      [ROUTE_LIMIT_C] = BODY_OTHER_MAX, [ROUTE_LIMIT_M] = 262144, [ROUTE_LIMIT_L] = 1048576};
  r->route = ROUTE_NAMED;
  r->op = ff_operation_find(ff_text(r->named->op));
  r->path = r->named->path;
  r->takes_body = r->named->body != NULL;
  r->body_max = limits[r->named->limit];
}

static void find_route(struct connection *c, struct ff_str method, struct ff_str path) {
  const struct server_options *o = &c->loop->server->options;
  struct request *r = &c->request;
  r->body_max = BODY_OTHER_MAX;
  for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
    if (text_equal_c(path, fixed[i].path)) {
      r->route = fixed[i].kind;
      r->path = fixed[i].path;
      if (r->route == ROUTE_READY) r->op = ff_operation_find(TEXT_LIT("ping"));
      return;
    }
  size_t skip = sizeof OPS - 1;
  if (path.len < skip || memcmp(path.ptr, OPS, skip) != 0) {
    find_named(c, method, path);
    return;
  }
  r->op = ff_operation_find(text_of(path.ptr + skip, path.len - skip));
  if (!r->op) return;
  r->route = ROUTE_OPERATION;
  r->path = OPS_PATH;
  r->takes_body = true;
  r->body_max = takes_list(r->op) ? o->many_max : o->body_max;
}

/* ---- judging ---- */

static bool judge_token(struct connection *c, const struct http_head *h) {
  const struct auth *auth = c->loop->server->options.auth;
  struct request *r = &c->request;
  bool many;
  struct ff_str header = http_header(h, "authorization", &many);
  if (auth->count == 0) {
    r->scopes = SCOPE_ALL;
    return true;
  }
  if (r->route == ROUTE_HEALTH || r->route == ROUTE_READY || r->route == ROUTE_METRICS) return true;
  r->scopes = many ? 0 : auth_scopes(auth, header);
  r->by_token = !header.ptr && r->op && takes_waitpoint_token(r->op);
  if (r->scopes || r->by_token) return true;
  return refuse(c, 401, "missing or invalid Authorization header",
                "WWW-Authenticate: Bearer\r\n");
}

static bool judge_scope(struct connection *c) {
  const struct request *r = &c->request;
  char text[80];
  if ((r->route != ROUTE_OPERATION && r->route != ROUTE_NAMED) || r->by_token) return true;
  enum scope needed = scope_of(r->op);
  bool open = c->loop->server->options.auth->count == 0;
  if (open && needed == SCOPE_ADMIN && !c->local)
    return refuse(c, 403, "maintenance needs a token, or a peer on this machine", "");
  if (r->scopes & needed) return true;
  snprintf(text, sizeof text, "this token lacks the scope %s", scope_name(needed));
  return refuse(c, 403, text, "");
}

static bool judge_method(struct connection *c, const struct http_head *h) {
  struct request *r = &c->request;
  bool get = text_equal_c(h->method, "GET"), head = text_equal_c(h->method, "HEAD");
  bool post = text_equal_c(h->method, "POST");
  if (r->route == ROUTE_NAMED) return true;
  if (r->allow[0]) {
    char extra[80];
    snprintf(extra, sizeof extra, "Allow: %s\r\n", r->allow);
    return refuse(c, 405, "method not allowed", extra);
  }
  if (r->route == ROUTE_NONE) return refuse(c, 404, "no such route", "");
  if (r->route == ROUTE_OPERATION)
    return post ? true : refuse(c, 405, "method not allowed", "Allow: POST\r\n");
  return get || head ? true : refuse(c, 405, "method not allowed", "Allow: GET, HEAD\r\n");
}

/* application/json or application/…+json, with parameters or without (07 H-4). */
static bool is_json(struct ff_str type) {
  const char *semicolon = type.len ? memchr(type.ptr, ';', type.len) : NULL;
  size_t len = semicolon ? (size_t)(semicolon - type.ptr) : type.len;
  while (len && (type.ptr[len - 1] == ' ' || type.ptr[len - 1] == '\t')) len--;
  if (http_same(text_of(type.ptr, len), "application/json")) return true;
  return len > 17 && http_same(text_of(type.ptr, 12), "application/") &&
         http_same(text_of(type.ptr + len - 5, 5), "+json");
}

static bool judge_body(struct connection *c, const struct http_head *h) {
  bool many;
  struct ff_str type = http_header(h, "content-type", &many);
  if (h->has_length && h->content_length > c->request.body_max) {
    answer_too_large(c);
    return false;
  }
  if (!c->request.takes_body || (type.ptr && !many && is_json(type))) return true;
  return refuse(c, 415, "invalid JSON: Unsupported Media Type", "");
}

bool request_judge(struct connection *c, const struct http_head *h) {
  struct request *r = &c->request;
  const char *query = memchr(h->target.ptr, '?', h->target.len);
  size_t len = query ? (size_t)(query - h->target.ptr) : h->target.len;
  take_id(c, h);
  snprintf(r->method, sizeof r->method, "%.11s",
           h->method.len < sizeof r->method ? arena_text(&c->loop->arena, h->method).ptr : "OTHER");
  r->head_only = text_equal_c(h->method, "HEAD");
  find_route(c, h->method, text_of(h->target.ptr, len));
  if (r->route == ROUTE_NAMED) {
    buffer_clear(&c->target);
    buffer_append_text(&c->target, h->target);
    r->path_len = len;
  }
  return judge_origin(c, h) && !is_preflight(c, h) && judge_token(c, h) && judge_method(c, h) &&
         judge_scope(c) && judge_body(c, h);
}

/* ---- running ---- */

/* On a thread of the engine: only hands the exchange back. */
static void exchange_done(void *user, enum ff_rc rc, void *result, const struct ff_error *error) {
  struct exchange *x = user;
  size_t size = x->op->result->size;
  x->rc = rc;
  if (rc == FF_OK) {
    memcpy(x->result, result, size);
    memset(result, 0, size); /* its memory is ours now */
  } else {
    x->error = *error;
  }
  loop_give_back(x->connection->loop, x);
}

static void call(struct connection *c, const struct ff_operation *op, const void *args) {
  struct server *s = c->loop->server;
  struct ff_error e = {.retry_after_ms = -1};
  struct exchange *x = heap_zalloc(sizeof *x + op->result->size);
  x->connection = c;
  x->op = op;
  c->exchange = x;
  c->state = CONNECTION_CALL;
  if (s->options.backend.call(s->options.backend.user, op, args, exchange_done, x, &e) == FF_OK)
    return;
  free(x);
  c->exchange = NULL;
  answer_error(c, &e);
}

/* Every waitpoint token there is must be there (07 A-2). */
static bool shows_token(const struct connection *c, const void *args) {
  const struct ff_field *f = values_field(c->request.op->args, TEXT_LIT("waitpoint_token"));
  struct ff_str token;
  memcpy(&token, (const char *)args + f->offset, sizeof token);
  return token.len > 0;
}

static void call_allowed(struct connection *c, const void *args) {
  if (c->request.by_token && !shows_token(c, args))
    answer_refuse(c, 401, "missing or invalid Authorization header",
                  "WWW-Authenticate: Bearer\r\n");
  else call(c, c->request.op, args);
}

static void run_operation(struct connection *c, struct ff_str body) {
  void *args;
  struct ff_error e = {.retry_after_ms = -1};
  enum wire_fault fault = wire_args_read(c->request.op->args, body, &c->loop->arena, &args, &e);
  if (fault != WIRE_FINE) answer_fault(c, fault, &e);
  else call_allowed(c, args);
}

static void run_named(struct connection *c, struct ff_str body) {
  struct request *r = &c->request;
  struct route_problem problem;
  void *args;
  struct ff_str path = text_of(c->target.ptr, r->path_len), query = {NULL, 0};
  if (c->target.len > r->path_len)
    query = text_of(c->target.ptr + r->path_len + 1, c->target.len - r->path_len - 1);
  if (!route_args(&r->named, path, query, body, &c->loop->arena, &args, &problem)) {
    if (problem.fault != WIRE_FINE) answer_fault(c, problem.fault, &problem.error);
    else answer_bad_argument(c, &problem.error);
  } else {
    r->op = ff_operation_find(ff_text(r->named->op));
    call_allowed(c, args);
  }
}

static void run_ready(struct connection *c) {
  static const struct ff_ping_args args = {sizeof args};
  if (c->loop->server->draining)
    answer_begin(c, 503, TEXT_LIT("{\"status\":\"not_ready\",\"reason\":\"draining\"}"), "");
  else call(c, c->request.op, &args);
}

static void run_metrics(struct connection *c) {
  struct server *s = c->loop->server;
  struct buffer *body = &c->loop->scratch;
  if (!s->metrics) {
    answer_refuse(c, 404, "metrics are off", "");
    return;
  }
  buffer_clear(body);
  metrics_write(s->metrics, s->options.label, s->connections, body);
  c->request.content_type = "text/plain; version=0.0.4; charset=utf-8";
  answer_begin(c, 200, buffer_text(body), "");
}

void request_run(struct connection *c, struct ff_str body) {
  switch (c->request.route) {
    case ROUTE_HEALTH: answer_begin(c, 200, TEXT_LIT("{\"status\":\"ok\"}"), ""); break;
    case ROUTE_READY: run_ready(c); break;
    case ROUTE_METRICS: run_metrics(c); break;
    case ROUTE_NAMED: run_named(c, body); break;
    default: run_operation(c, body); break;
  }
}
