/*
 * The arguments of a named route, from its path, its query, its body, in this order (07 H-12).
 *
 * Path and query become JSON members, so that one reader judges everything; what is wrong with them
 * is 400, with the body 422. Beside the renames of the table: an object may stand where an argument
 * is JSON text (policy), the three members of a fence may stand alone, a word may be the tag of an
 * object ({"best_effort":{"ttl_ms":1}}), and what is there sets its has_ member.
 */
#include "base/ids.h"
#include "base/json.h"
#include "op/values.h"
#include "wire/route.h"

struct gathering {
  const struct route *route;
  const struct ff_struct *args;
  void *values;
  struct arena *arena;
  struct route_problem *problem;
  struct ff_str held; /* the execution a handle must be of */
};

static bool refuse(struct gathering *g, int status, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static bool refuse(struct gathering *g, int status, const char *field, const char *format, ...) {
  va_list list;
  va_start(list, format);
  struct ff_str detail = arena_vprintf(g->arena, format, list);
  va_end(list);
  (void)error_field(&g->problem->error, FF_CODE_invalid_input, field, TEXT_FMT, TEXT_ARG(detail));
  g->problem->status = status;
  return false;
}

/* ---- words of the table ---- */

/* Takes the next blank-separated word. */
static bool take_word(const char **at, struct ff_str *word) {
  if (!*at) return false;
  *at += strspn(*at, " ");
  *word = text_of(*at, strcspn(*at, " "));
  *at += word->len;
  return word->len > 0;
}

/* `name:argument=default`, both tails optional. */
struct source {
  struct ff_str name, argument, otherwise;
};

static struct source read_source(struct ff_str word) {
  struct source s = {word, word, {NULL, 0}};
  const char *equals = memchr(word.ptr, '=', word.len);
  if (equals) {
    size_t len = (size_t)(equals - word.ptr);
    s.otherwise = text_of(equals + 1, word.len - len - 1);
    s.name = s.argument = text_of(word.ptr, len);
  }
  const char *colon = memchr(s.name.ptr, ':', s.name.len);
  if (colon) {
    size_t len = (size_t)(colon - s.name.ptr);
    s.argument = text_of(colon + 1, s.name.len - len - 1);
    s.name = text_of(s.name.ptr, len);
  }
  return s;
}

/* ---- octets of a URL ---- */

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes once; false for a broken escape, or what is no UTF-8 then. */
static bool decode(struct ff_str raw, bool plus, struct arena *arena, struct ff_str *out) {
  char *text = arena_alloc(arena, raw.len + 1);
  size_t len = 0;
  for (size_t i = 0; i < raw.len; i++) {
    char c = raw.ptr[i];
    if (c == '%') {
      int high = i + 2 < raw.len ? hex(raw.ptr[i + 1]) : -1;
      int low = i + 2 < raw.len ? hex(raw.ptr[i + 2]) : -1;
      if (high < 0 || low < 0) return false;
      c = (char)(high << 4 | low);
      i += 2;
    } else if (c == '+' && plus) {
      c = ' ';
    }
    text[len++] = c;
  }
  text[len] = '\0';
  *out = text_of(text, len);
  return text_is_utf8(*out);
}

/* ---- members from texts ---- */

static bool is_number(enum ff_field_type type) {
  return type == FF_FIELD_I32 || type == FF_FIELD_U32 || type == FF_FIELD_I64 ||
         type == FF_FIELD_U64;
}

/* `*partition`: a number becomes the partition's text. `*fp`: the partition of an execution id. */
static bool computed(struct gathering *g, struct ff_str *argument, struct ff_str *text) {
  uint64_t n;
  if (text_equal_c(*argument, "*partition")) {
    *argument = TEXT_LIT("partition");
    if (!parse_u64(*text, &n) || n > UINT16_MAX)
      return refuse(g, 400, "partition", "partition: not a number from 0 to 65535");
    *text = arena_printf(g->arena, "{fp:%u}", (unsigned)n);
  }
  if (text_equal_c(*argument, "*fp")) {
    const char *end = memchr(text->ptr, '}', text->len);
    *argument = TEXT_LIT("partition");
    if (!end) return refuse(g, 400, "execution_id", "invalid execution_id: no `{fp:N}:` before it");
    text->len = (size_t)(end - text->ptr) + 1;
  }
  return true;
}

static bool set_text(struct gathering *g, struct ff_str argument, struct ff_str text) {
  if (text_equal_c(argument, "*handle")) {
    g->held = text;
    return true;
  }
  if (!computed(g, &argument, &text)) return false;
  const struct ff_field *f = values_field(g->args, argument);
  INVARIANT(f);
  struct json member = {.type = is_number(f->type) ? JSON_NUMBER : JSON_STRING,
                        .key = argument,
                        .text = text};
  struct json object = {.type = JSON_OBJECT, .first = &member, .count = 1};
  if (values_parse_json(g->args, g->values, &object, g->arena, &g->problem->error) == FF_OK)
    return true;
  g->problem->status = 400;
  return false;
}

/* ---- the path ---- */

static bool take_params(struct gathering *g, struct ff_str path) {
  const char *template = g->route->path, *names = g->route->params;
  size_t at = 0;
  for (; *template; template++) {
    if (*template != '{') {
      at++;
      continue;
    }
    const char *slash = memchr(path.ptr + at, '/', path.len - at);
    size_t len = slash ? (size_t)(slash - path.ptr) - at : path.len - at;
    struct ff_str raw = text_of(path.ptr + at, len), text, name;
    at += len;
    template = strchr(template, '}');
    INVARIANT(take_word(&names, &name));
    if (!decode(raw, false, g->arena, &text))
      return refuse(g, 400, NULL, "the path has a broken escape, or is not UTF-8");
    if (!set_text(g, name, text)) return false;
  }
  return true;
}

/* ---- the query ---- */

/* The raw value of a name, absent when it is not there; *twice when it is there again. */
static struct ff_str query_value(struct ff_str query, struct ff_str name, bool *twice) {
  struct ff_str found = {NULL, 0};
  *twice = false;
  while (query.len) {
    const char *end = memchr(query.ptr, '&', query.len);
    size_t len = end ? (size_t)(end - query.ptr) : query.len;
    const char *equals = memchr(query.ptr, '=', len);
    size_t name_len = equals ? (size_t)(equals - query.ptr) : len;
    if (text_equal(text_of(query.ptr, name_len), name)) {
      *twice |= found.ptr != NULL;
      found = equals ? text_of(equals + 1, len - name_len - 1) : text_of(query.ptr + len, 0);
    }
    query = text_of(query.ptr + len + (end != NULL), query.len - len - (end != NULL));
  }
  return found;
}

static bool take_query(struct gathering *g, struct ff_str query) {
  const char *words = g->route->query;
  struct ff_str word, text;
  bool twice;
  while (take_word(&words, &word)) {
    struct source s = read_source(word);
    struct ff_str raw = query_value(query, s.name, &twice);
    const char *name = arena_text(g->arena, s.name).ptr;
    if (twice) return refuse(g, 400, name, "%s: more than once in the query", name);
    if (!raw.len && s.otherwise.ptr) raw = s.otherwise;
    if (!raw.len) continue;
    if (!decode(raw, true, g->arena, &text))
      return refuse(g, 400, name, "%s: a broken escape, or not UTF-8", name);
    if (!set_text(g, s.argument, text)) return false;
  }
  return true;
}

/* ---- the body ---- */

/* An object where JSON text is meant. */
static const struct json *as_text(struct gathering *g, const struct ff_field *f,
                                  struct json *member) {
  struct buffer text;
  if (!f || f->type != FF_FIELD_TEXT || member->type != JSON_OBJECT) return member;
  buffer_init(&text);
  json_write(&text, member);
  member->text = arena_text(g->arena, buffer_text(&text));
  member->type = JSON_STRING;
  buffer_fini(&text);
  return member;
}

static struct ff_str renamed(const struct gathering *g, struct ff_str key) {
  const char *words = g->route->body;
  struct ff_str word;
  while (take_word(&words, &word)) {
    struct source s = read_source(word);
    if (text_equal(s.name, key)) return s.argument;
  }
  return key;
}

/* `{"tag":{members}}` where a word is meant: the word, and the members beside it. */
static const struct json *untagged(const struct gathering *g, struct json *member) {
  const struct ff_field *f = values_field(g->args, member->key);
  const struct json *tag = member->first;
  if (!f || f->type != FF_FIELD_WORD || member->type != JSON_OBJECT || member->count != 1 ||
      tag->type != JSON_OBJECT)
    return NULL;
  member->type = JSON_STRING;
  member->text = tag->key;
  return tag->first;
}

/* The body with its members as the operation calls them. */
static struct json adapted(struct gathering *g, const struct json *body) {
  struct json object = *body;
  const struct json **link = &object.first;
  for (const struct json *m = body->first; m; m = m->next) {
    struct json *copy = arena_copy(g->arena, m, sizeof *m);
    copy->key = renamed(g, m->key);
    const struct json *inner = untagged(g, copy);
    *link = as_text(g, values_field(g->args, copy->key), copy);
    link = &copy->next;
    for (; inner; inner = inner->next) {
      copy = arena_copy(g->arena, inner, sizeof *inner);
      *link = copy;
      link = &copy->next;
      copy->next = NULL;
    }
    *link = NULL;
  }
  return object;
}

/* What the path has filled must not say otherwise in the body (07 §1.3, idm). */
static bool check_params(struct gathering *g, const struct json *body) {
  const char *names = g->route->params;
  struct ff_str name, text;
  while (take_word(&names, &name)) {
    const struct ff_field *f = values_field(g->args, name);
    const struct json *m = f ? json_member(body, f->name) : NULL;
    if (!m || m->type != JSON_STRING || f->type != FF_FIELD_TEXT) continue;
    memcpy(&text, (const char *)g->values + f->offset, sizeof text);
    if (!text_equal(m->text, text))
      return refuse(g, 400, f->name, "path %s does not match body %s", f->name, f->name);
  }
  return true;
}

/* has_x is true when x or x_ms is there. */
static void set_presence(struct gathering *g, const struct json *body) {
  char name[80];
  for (uint32_t i = 0; i < g->args->field_count; i++) {
    const struct ff_field *f = &g->args->fields[i];
    if (f->type != FF_FIELD_BOOL || strncmp(f->name, "has_", 4) != 0) continue;
    snprintf(name, sizeof name, "%.70s_ms", f->name + 4);
    const struct json *m = json_member(body, f->name + 4);
    if (!m) m = json_member(body, name);
    if (m && m->type != JSON_NULL) *(bool *)((char *)g->values + f->offset) = true;
  }
}

static bool body_refused(struct gathering *g, enum wire_fault fault) {
  g->problem->fault = fault;
  g->problem->status = fault == WIRE_SYNTAX ? 400 : 422;
  return false;
}

/* A handle of another execution than the path's. What is no handle the operation refuses. */
static bool check_handle(struct gathering *g) {
  const struct ff_field *f = values_field(g->args, TEXT_LIT("handle"));
  struct handle_body held;
  struct exec_id id;
  struct ff_error e;
  if (!g->held.ptr) return true;
  if (exec_id_parse(g->held, "execution_id", 65536, &id, &e) != FF_OK) {
    g->problem->error = e;
    g->problem->status = 400;
    return false;
  }
  const struct ff_handle *handle = (const void *)((const char *)g->values + f->offset);
  if (handle_decode(handle, (enum ff_backend)handle->backend, 65536, &held, &e) != FF_OK)
    return true;
  if (exec_id_equal(held.execution, id)) return true;
  return refuse(g, 400, "handle", "path execution_id does not match the handle");
}

static bool take_body(struct gathering *g, const struct json *body) {
  struct ff_error *e = &g->problem->error;
  if (!body) return true;
  struct json object = adapted(g, body);
  if (!check_params(g, &object)) return false;
  if (values_parse_json(g->args, g->values, &object, g->arena, e) != FF_OK)
    return body_refused(g, WIRE_SHAPE);
  const struct ff_field *fence = values_field(g->args, TEXT_LIT("fence"));
  if (fence && fence->type == FF_FIELD_STRUCT && !json_member(&object, "fence") &&
      values_parse_json(fence->fields, (char *)g->values + fence->offset, &object, g->arena, e) !=
          FF_OK)
    return body_refused(g, WIRE_SHAPE);
  set_presence(g, &object);
  return check_handle(g);
}

static bool take_fixed(struct gathering *g) {
  const char *words = g->route->fixed;
  struct ff_str word;
  while (take_word(&words, &word)) {
    struct source s = read_source(word);
    if (!set_text(g, s.argument, s.otherwise)) return false;
  }
  return true;
}

/* The second row of a pair is for bodies without a handle. */
static const struct route *row_for(const struct route *r, const struct json *body) {
  size_t count;
  const struct route *end = route_all(&count) + count, *second = r + 1;
  bool pair = second < end && strcmp(r->method, second->method) == 0 &&
              strcmp(r->path, second->path) == 0;
  return pair && !json_member(body, "handle") ? second : r;
}

bool route_args(const struct route **route, struct ff_str path, struct ff_str query,
                struct ff_str text, struct arena *arena, void **args,
                struct route_problem *problem) {
  struct gathering g = {.arena = arena, .problem = problem};
  const struct json *body = NULL;
  enum wire_fault fault = WIRE_FINE;
  memset(problem, 0, sizeof *problem);
  if ((*route)->body) fault = wire_object_read(text, arena, &body, &problem->error);
  if (fault == WIRE_FINE && body) *route = row_for(*route, body);
  g.route = *route;
  g.args = ff_operation_find(ff_text(g.route->op))->args;
  g.values = *args = arena_zalloc(arena, g.args->size);
  memcpy(g.values, &g.args->size, sizeof g.args->size);
  struct ff_error of_body = problem->error; /* the path comes first (07 H-12) */
  if (!take_params(&g, path) || !take_query(&g, query)) return false;
  problem->error = of_body;
  if (fault != WIRE_FINE) return body_refused(&g, fault);
  return take_body(&g, body) && take_fixed(&g);
}
