/*
 * Resume conditions as text: the client's JSON, the stored form, its progress; and the checks of
 * their structure (03 §4.1, §4.3, §4.4).
 *
 * Input is bounded in bytes, nodes and depth before anything is built from it.
 */
#include "op/condition.h"

#include "op/tx.h"

#define PATH_MAX_BYTES 512

/* ---- reading ---- */

struct reader {
  struct arena *arena;
  struct ff_error *e;
  bool stored; /* what is unknown is kept */
  size_t nodes;
};

static enum ff_rc bad(struct reader *r, const char *problem) {
  if (r->stored)
    return error_field(r->e, FF_CODE_corruption, "resume_condition",
                       "suspension: resume_condition: %s", problem);
  return error_field(r->e, FF_CODE_invalid_input, "resume_condition", "resume_condition: %s",
                     problem);
}

static enum ff_rc read_text(struct reader *r, const struct json *object, const char *name,
                            struct ff_str *out) {
  const struct json *value = json_member(object, name);
  if (!value || value->type != JSON_STRING) return bad(r, "a text is missing");
  *out = value->text;
  return FF_OK;
}

static enum ff_rc read_matcher(struct reader *r, const struct json *value, struct condition *c) {
  c->matcher = MATCH_ANYTHING;
  if (value->type == JSON_STRING && text_equal_c(value->text, "Wildcard")) return FF_OK;
  const struct json *name = json_member(value, "ByName");
  const struct json *correlation = json_member(value, "ByCorrelationId");
  const struct json *wanted = name ? name : correlation;
  if (wanted && wanted->type == JSON_STRING && !(name && correlation)) {
    c->matcher = name ? MATCH_NAME : MATCH_CORRELATION;
    c->matched = wanted->text;
    return FF_OK;
  }
  if (!r->stored) return bad(r, "a matcher is Wildcard, {ByName} or {ByCorrelationId}");
  c->matcher = MATCH_NOTHING;
  return FF_OK;
}

static enum ff_rc read_single(struct reader *r, const struct json *body, struct condition *c) {
  struct ff_str *key = ARENA_NEW(r->arena, struct ff_str);
  const struct json *matcher = json_member(body, "matcher");
  c->kind = CONDITION_SINGLE;
  TRY(read_text(r, body, "waitpoint_key", key));
  c->keys = key;
  c->key_count = 1;
  if (!matcher) return bad(r, "a Single needs a matcher");
  return read_matcher(r, matcher, c);
}

static enum ff_rc read_keys(struct reader *r, const struct json *array, struct condition *c) {
  if (!array || array->type != JSON_ARRAY) return bad(r, "a Count needs waitpoints");
  struct ff_str *keys = ARENA_ARRAY(r->arena, struct ff_str, array->count + 1);
  for (const struct json *item = array->first; item; item = item->next) {
    if (item->type != JSON_STRING) return bad(r, "waitpoints are texts");
    keys[c->key_count++] = item->text;
  }
  c->keys = keys;
  return FF_OK;
}

static enum ff_rc read_count(struct reader *r, const struct json *body, struct condition *c) {
  static const char *const kinds[] = {"DistinctWaitpoints", "DistinctSignals", "DistinctSources"};
  const struct json *matcher = json_member(body, "matcher"), *n = json_member(body, "n");
  struct ff_str kind;
  c->kind = CONDITION_COUNT;
  if (!n || !json_u64(n, &c->n)) return bad(r, "a Count needs a number n");
  TRY(read_text(r, body, "count_kind", &kind));
  c->count_kind = COUNT_NOTHING;
  for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
    if (text_equal_c(kind, kinds[i])) c->count_kind = (enum count_kind)i;
  if (c->count_kind == COUNT_NOTHING && !r->stored) return bad(r, "unknown count_kind");
  TRY(read_keys(r, json_member(body, "waitpoints"), c));
  if (!matcher || matcher->type == JSON_NULL) return FF_OK;
  return read_matcher(r, matcher, c);
}

static enum ff_rc read_node(struct reader *r, const struct json *value, struct condition *c);

static enum ff_rc read_members(struct reader *r, const struct json *body, struct condition *c) {
  const struct json *array = json_member(body, "members");
  if (!array || array->type != JSON_ARRAY) return bad(r, "members is missing");
  if (array->count > CONDITION_NODES_MAX) return bad(r, "too many nodes, at most 1024");
  c->members = ARENA_ARRAY(r->arena, struct condition, array->count + 1);
  for (const struct json *item = array->first; item; item = item->next)
    TRY(read_node(r, item, &c->members[c->member_count++]));
  return FF_OK;
}

static enum ff_rc read_composite(struct reader *r, const struct json *body, struct condition *c) {
  struct ff_str kind;
  TRY(read_text(r, body, "kind", &kind));
  if (text_equal_c(kind, "Count")) return read_count(r, body, c);
  c->kind = CONDITION_UNKNOWN;
  if (text_equal_c(kind, "AllOf")) c->kind = CONDITION_ALL_OF;
  if (text_equal_c(kind, "AnyOf")) c->kind = CONDITION_ANY_OF;
  if (c->kind != CONDITION_UNKNOWN) return read_members(r, body, c);
  return r->stored ? FF_OK : bad(r, "a composite is AllOf, AnyOf or Count");
}

static bool is_word(const struct json *value, const char *word) {
  return (value->type == JSON_STRING && text_equal_c(value->text, word)) ||
         json_member(value, word);
}

static enum ff_rc read_node(struct reader *r, const struct json *value, struct condition *c) {
  const struct json *single = json_member(value, "Single");
  const struct json *composite = json_member(value, "Composite");
  if (++r->nodes > CONDITION_NODES_MAX) return bad(r, "too many nodes, at most 1024");
  if (single && !composite) return read_single(r, single, c);
  if (composite && !single) return read_composite(r, composite, c);
  c->kind = CONDITION_UNKNOWN;
  if (is_word(value, "OperatorOnly")) c->kind = CONDITION_OPERATOR_ONLY;
  if (is_word(value, "TimeoutOnly")) c->kind = CONDITION_TIMEOUT_ONLY;
  if (c->kind != CONDITION_UNKNOWN || r->stored) return FF_OK;
  return bad(r, "a node is Single, Composite, OperatorOnly or TimeoutOnly");
}

enum ff_rc condition_parse(struct ff_str json, struct arena *arena, struct condition **out,
                           struct ff_error *e) {
  struct reader r = {.arena = arena, .e = e};
  struct json_error where;
  const struct json *root;
  if (json.len > CONDITION_BYTES_MAX)
    return error_field(e, FF_CODE_invalid_input, "resume_condition", "TooLong: at most %d bytes",
                       CONDITION_BYTES_MAX);
  if (!json_parse(json, arena, &root, &where)) {
    if (!where.too_deep) return bad(&r, "no JSON");
    return error_field(e, FF_CODE_invalid_input, "resume_condition",
                       "condition_depth_exceeded: nested beyond %d", JSON_DEPTH_MAX);
  }
  const struct json *version = json_member(root, "v");
  uint64_t number;
  if (version && !(json_u64(version, &number) && number == 1))
    return error_field(e, FF_CODE_invalid_input, "resume_condition", "invalid_resume_condition");
  *out = ARENA_NEW(arena, struct condition);
  return read_node(&r, root, *out);
}

/* ---- storing ---- */

struct ff_str condition_store(struct ff_str json, struct arena *arena) {
  struct json_error where;
  const struct json *root;
  struct buffer out;
  if (!json_parse(json, arena, &root, &where)) return (struct ff_str){NULL, 0};
  buffer_init(&out);
  buffer_append_c(&out, "{\"v\":1");
  if (root->type == JSON_STRING) {
    buffer_append_char(&out, ',');
    json_write_text(&out, root->text);
    buffer_append_c(&out, ":{}");
  }
  for (const struct json *m = root->type == JSON_OBJECT ? root->first : NULL; m; m = m->next) {
    if (text_equal_c(m->key, "v")) continue;
    buffer_append_char(&out, ',');
    json_write_text(&out, m->key);
    buffer_append_char(&out, ':');
    json_write(&out, m);
  }
  buffer_append_char(&out, '}');
  struct ff_str text = arena_text(arena, buffer_text(&out));
  buffer_fini(&out);
  return text;
}

static void write_uuid(struct buffer *out, struct uuid id) {
  char text[37];
  uuid_format(id, text);
  buffer_printf(out, "\"%s\"", text);
}

static void write_element(struct buffer *out, const struct condition *c,
                          const struct condition_element *element) {
  if (c->count_kind != COUNT_SOURCES) {
    write_uuid(out, element->id);
    return;
  }
  buffer_append_char(out, '[');
  json_write_text(out, element->source_type);
  buffer_append_char(out, ',');
  json_write_text(out, element->source_identity);
  buffer_append_char(out, ']');
}

/* Leaves and Counts in depth-first order. */
static void write_progress(struct buffer *out, const struct condition *c) {
  for (size_t i = 0; i < c->member_count; i++) write_progress(out, &c->members[i]);
  if (c->kind != CONDITION_SINGLE && c->kind != CONDITION_COUNT) return;
  if (out->len > 1) buffer_append_char(out, ',');
  if (c->kind == CONDITION_SINGLE) {
    if (uuid_is_nil(c->hit))
      buffer_append_c(out, "null");
    else
      write_uuid(out, c->hit);
    return;
  }
  buffer_append_char(out, '[');
  for (size_t i = 0; i < c->element_count; i++) {
    if (i) buffer_append_char(out, ',');
    write_element(out, c, &c->elements[i]);
  }
  buffer_append_char(out, ']');
}

struct ff_str condition_progress(const struct condition *c, struct arena *arena) {
  struct buffer out;
  buffer_init(&out);
  buffer_append_char(&out, '[');
  write_progress(&out, c);
  buffer_append_char(&out, ']');
  struct ff_str text = arena_text(arena, buffer_text(&out));
  buffer_fini(&out);
  return text;
}

/* ---- loading ---- */

static bool read_element(const struct condition *c, const struct json *value,
                         struct condition_element *out) {
  if (c->count_kind != COUNT_SOURCES)
    return value->type == JSON_STRING && uuid_parse(value->text, &out->id);
  const struct json *type = value->type == JSON_ARRAY && value->count == 2 ? value->first : NULL;
  if (!type || type->type != JSON_STRING || type->next->type != JSON_STRING) return false;
  out->source_type = type->text;
  out->source_identity = type->next->text;
  return true;
}

static bool read_progress(struct condition *c, const struct json **at, struct arena *arena) {
  for (size_t i = 0; i < c->member_count; i++)
    if (!read_progress(&c->members[i], at, arena)) return false;
  if (c->kind != CONDITION_SINGLE && c->kind != CONDITION_COUNT) return true;
  const struct json *value = *at;
  if (!value) return false;
  *at = value->next;
  if (c->kind == CONDITION_SINGLE)
    return value->type == JSON_NULL ||
           (value->type == JSON_STRING && uuid_parse(value->text, &c->hit));
  if (value->type != JSON_ARRAY) return false;
  c->element_capacity = value->count;
  c->elements = ARENA_ARRAY(arena, struct condition_element, value->count + 1);
  for (const struct json *item = value->first; item; item = item->next)
    if (!read_element(c, item, &c->elements[c->element_count++])) return false;
  return true;
}

enum ff_rc condition_load(struct ff_str stored, struct ff_str progress, struct arena *arena,
                          struct condition **out, struct ff_error *e) {
  struct reader r = {.arena = arena, .e = e, .stored = true};
  struct json_error where;
  const struct json *root, *done;
  uint64_t version;
  if (!json_parse(stored, arena, &root, &where)) return bad(&r, "does not parse");
  const struct json *v = json_member(root, "v");
  if (!v || !json_u64(v, &version) || version != 1)
    return error_field(e, FF_CODE_invalid_input, "resume_condition", "invalid_resume_condition");
  *out = ARENA_NEW(arena, struct condition);
  TRY(read_node(&r, root, *out));
  if (!text_nonempty(progress)) return FF_OK;
  if (!json_parse(progress, arena, &done, &where) || done->type != JSON_ARRAY)
    return bad(&r, "its progress does not parse");
  const struct json *at = done->first;
  return read_progress(*out, &at, arena) ? FF_OK : bad(&r, "its progress does not fit");
}

/* ---- V-4: structure ---- */

struct walk {
  struct ff_error *e;
  char path[PATH_MAX_BYTES];
};

static enum ff_rc refuse(struct walk *w, const char *token) {
  return error_field(w->e, FF_CODE_invalid_input, "resume_condition", "%s at path %s", token,
                     w->path[0] ? w->path : "<root>");
}

static size_t distinct_keys(const struct condition *c) {
  size_t count = 0;
  for (size_t i = 0; i < c->key_count; i++) {
    size_t k = 0;
    while (k < i && !text_equal(c->keys[k], c->keys[i])) k++;
    count += k == i;
  }
  return count;
}

static enum ff_rc check_count(struct walk *w, const struct condition *c) {
  if (c->n == 0) return refuse(w, "count_n_zero");
  if (c->key_count == 0) return refuse(w, "count_waitpoints_empty");
  size_t keys = distinct_keys(c);
  if (c->count_kind != COUNT_WAITPOINTS || c->n <= keys) return FF_OK;
  return error_field(w->e, FF_CODE_invalid_input, "resume_condition",
                     "count_exceeds_waitpoint_set: n=%llu > %zu at path %s",
                     (unsigned long long)c->n, keys, w->path[0] ? w->path : "<root>");
}

static enum ff_rc check_node(struct walk *w, const struct condition *c, int depth) {
  size_t len = strlen(w->path);
  if (!condition_is_composite(c)) return FF_OK;
  if (depth > CONDITION_DEPTH_MAX)
    return error_field(w->e, FF_CODE_invalid_input, "resume_condition",
                       "condition_depth_exceeded: depth %d exceeds cap %d at path %s", depth,
                       CONDITION_DEPTH_MAX, w->path);
  if (c->kind == CONDITION_COUNT) return check_count(w, c);
  if (c->member_count == 0)
    return refuse(w, c->kind == CONDITION_ALL_OF ? "allof_empty_members" : "anyof_empty_members");
  for (size_t i = 0; i < c->member_count; i++) {
    snprintf(w->path + len, sizeof w->path - len, "%smembers[%zu]", len ? "." : "", i);
    TRY(check_node(w, &c->members[i], depth + 1));
    w->path[len] = '\0';
  }
  return FF_OK;
}

enum ff_rc condition_check_structure(const struct condition *c, struct ff_error *e) {
  struct walk w = {.e = e};
  return check_node(&w, c, 1);
}

enum ff_rc condition_check_names(const struct condition *c, struct ff_error *e) {
  if ((c->matcher == MATCH_NAME || c->matcher == MATCH_CORRELATION) && c->matched.len == 0)
    return error_field(e, FF_CODE_invalid_input, "resume_condition",
                       "resume_condition: empty signal name (use Wildcard)");
  for (size_t i = 0; i < c->member_count; i++) TRY(condition_check_names(&c->members[i], e));
  return FF_OK;
}
