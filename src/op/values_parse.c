/*
 * Argument structs from text: single members as scripts and the command line write them, whole
 * structs from JSON.
 *
 * Checks only what the type of a member demands; limits and grammar are the operation's business.
 */
#include "op/values.h"

struct reader {
  struct arena *arena;
  struct ff_error *error;
};

static enum ff_rc bad(const struct reader *r, const struct ff_field *f, const char *problem) {
  return error_field(r->error, FF_CODE_invalid_input, f->name, "%s: %s", f->name, problem);
}

static enum ff_rc bad_unless(bool good, const struct reader *r, const struct ff_field *f,
                             const char *problem) {
  return good ? FF_OK : bad(r, f, problem);
}

/* Names the holder of the member an error is about: `name.field` or `name[index].field`. */
static enum ff_rc inside(const struct reader *r, enum ff_rc rc, const char *name, size_t index) {
  char path[128], number[24] = "", *field = r->error ? r->error->field : NULL;
  if (rc == FF_OK || !field) return rc;
  if (index != SIZE_MAX) snprintf(number, sizeof number, "[%zu]", index);
  snprintf(path, sizeof path, "%.48s%s%s%.48s", name, number, *field ? "." : "", field);
  path[sizeof r->error->field - 1] = '\0';
  memcpy(field, path, sizeof r->error->field);
  return rc;
}

const struct ff_field *values_field(const struct ff_struct *s, struct ff_str name) {
  for (uint32_t i = 0; i < s->field_count; i++)
    if (text_equal_c(name, s->fields[i].name)) return &s->fields[i];
  return NULL;
}

/* ---- octets ---- */

static int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct ff_str text, struct arena *arena, struct ff_bytes *out) {
  size_t len = text.len;
  for (int i = 0; i < 2 && len && text.ptr[len - 1] == '='; i++) len--;
  if (len % 4 == 1 || (len != text.len && text.len % 4 != 0)) return false;
  uint8_t *octets = arena_alloc(arena, len / 4 * 3 + 3);
  size_t count = 0;
  uint32_t bits = 0;
  for (size_t i = 0; i < len; i++) {
    int digit = base64_digit(text.ptr[i]);
    if (digit < 0) return false;
    bits = bits << 6 | (uint32_t)digit;
    if (i % 4 != 0) octets[count++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
  }
  *out = (struct ff_bytes){octets, count};
  return true;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool hex_decode(struct ff_str text, struct arena *arena, struct ff_bytes *out) {
  if (text.len % 2) return false;
  uint8_t *octets = arena_alloc(arena, text.len / 2 + 1);
  for (size_t i = 0; i < text.len; i += 2) {
    int high = hex_digit(text.ptr[i]), low = hex_digit(text.ptr[i + 1]);
    if (high < 0 || low < 0) return false;
    octets[i / 2] = (uint8_t)(high << 4 | low);
  }
  *out = (struct ff_bytes){octets, text.len / 2};
  return true;
}

/* ---- scalars, the same in both forms ---- */

static bool set_number(enum ff_field_type type, void *at, struct ff_str text) {
  uint64_t u = 0;
  int64_t i = 0;
  switch (type) {
    case FF_FIELD_I32:
      if (!parse_i64(text, &i) || i < INT32_MIN || i > INT32_MAX) return false;
      *(int32_t *)at = (int32_t)i;
      return true;
    case FF_FIELD_U32:
      if (!parse_u64(text, &u) || u > UINT32_MAX) return false;
      *(uint32_t *)at = (uint32_t)u;
      return true;
    case FF_FIELD_I64: return parse_i64(text, at);
    default: return parse_u64(text, at);
  }
}

static bool set_word(int words, void *at, struct ff_str text) {
  int value = ff_word_parse((enum ff_word_enum)words, text);
  if (value >= 0) *(uint8_t *)at = (uint8_t)value;
  return value >= 0;
}

static bool set_id(struct ff_id *at, struct ff_str text) {
  if (text.len >= FF_ID_MAX) return false;
  *at = (struct ff_id){{0}};
  if (text.len) memcpy(at->text, text.ptr, text.len);
  return true;
}

/* ---- JSON ---- */

static enum ff_rc set_json(const struct reader *, const struct ff_field *, void *at,
                           const struct json *);

static const struct json *parsed(const struct reader *r, struct ff_str text) {
  const struct json *value = NULL;
  struct json_error problem;
  return json_parse(text, r->arena, &value, &problem) ? value : NULL;
}

/* What has a default of its own, a set, a map or a word, is not absent when null (07 H-7). */
static bool may_be_null(enum ff_field_type type) {
  return type != FF_FIELD_STRS && type != FF_FIELD_PAIRS && type != FF_FIELD_LIST &&
         type != FF_FIELD_WORD;
}

static enum ff_rc json_object(const struct reader *r, const struct ff_struct *s, void *dst,
                              const struct json *object) {
  if (object->type != JSON_OBJECT)
    return error_set(r->error, FF_CODE_invalid_input, "%s: not an object", s->name);
  for (const struct json *member = object->first; member; member = member->next) {
    const struct ff_field *f = values_field(s, member->key);
    if (!f || (member->type == JSON_NULL && may_be_null(f->type))) continue;
    enum ff_rc rc = set_json(r, f, (char *)dst + f->offset, member);
    if (rc != FF_OK) return rc;
  }
  return FF_OK;
}

static enum ff_rc json_octets(const struct reader *r, const struct ff_field *f,
                              struct ff_bytes *at, const struct json *value) {
  if (value->type == JSON_STRING)
    return bad_unless(base64_decode(value->text, r->arena, at), r, f, "bad base64");
  if (value->type != JSON_ARRAY) return bad(r, f, "neither base64 text nor an array of octets");
  uint8_t *octets = arena_alloc(r->arena, value->count + 1);
  size_t count = 0;
  for (const struct json *item = value->first; item; item = item->next) {
    uint64_t octet;
    if (!json_u64(item, &octet) || octet > UINT8_MAX) return bad(r, f, "not an octet");
    octets[count++] = (uint8_t)octet;
  }
  *at = (struct ff_bytes){octets, count};
  return FF_OK;
}

/* The value of a word member of an object, -1 when it is missing or no such word. */
static int member_word(const struct json *object, const char *name, enum ff_word_enum words) {
  const struct json *member = json_member(object, name);
  return member && member->type == JSON_STRING ? ff_word_parse(words, member->text) : -1;
}

static enum ff_rc json_handle(const struct reader *r, const struct ff_field *f,
                              struct ff_handle *at, const struct json *value) {
  int backend = member_word(value, "backend", FF_WORD_backend);
  int kind = member_word(value, "kind", FF_WORD_handle_kind);
  const struct json *opaque = json_member(value, "opaque");
  struct ff_bytes octets;
  if (backend < 0 || kind < 0 || !opaque) return bad(r, f, "not {backend, kind, opaque}");
  enum ff_rc rc = json_octets(r, f, &octets, opaque);
  if (rc != FF_OK) return rc;
  if (octets.len > FF_HANDLE_OPAQUE_MAX) return bad(r, f, "opaque is too long");
  *at = (struct ff_handle){
      .backend = (uint8_t)backend, .kind = (uint8_t)kind, .len = (uint16_t)octets.len};
  memcpy(at->opaque, octets.ptr, octets.len);
  return FF_OK;
}

static enum ff_rc json_strs(const struct reader *r, const struct ff_field *f, struct ff_strs *at,
                            const struct json *value) {
  if (value->type != JSON_ARRAY) return bad(r, f, "not an array");
  struct ff_str *items = ARENA_ARRAY(r->arena, struct ff_str, value->count + 1);
  size_t count = 0;
  for (const struct json *item = value->first; item; item = item->next) {
    if (item->type != JSON_STRING) return bad(r, f, "an item is not text");
    items[count++] = item->text;
  }
  *at = (struct ff_strs){items, count};
  return FF_OK;
}

static enum ff_rc json_pairs(const struct reader *r, const struct ff_field *f, struct ff_pairs *at,
                             const struct json *value) {
  if (value->type != JSON_OBJECT) return bad(r, f, "not an object");
  struct ff_pair *items = ARENA_ARRAY(r->arena, struct ff_pair, value->count + 1);
  size_t count = 0;
  for (const struct json *item = value->first; item; item = item->next) {
    if (item->type != JSON_STRING) return bad(r, f, "a value is not text");
    items[count++] = (struct ff_pair){item->key, item->text};
  }
  *at = (struct ff_pairs){items, count};
  return FF_OK;
}

static enum ff_rc json_list(const struct reader *r, const struct ff_field *f, void *at,
                            const struct json *value) {
  if (value->type != JSON_ARRAY) return bad(r, f, "not an array");
  char *items = arena_zalloc(r->arena, f->fields->size * (value->count + 1));
  size_t count = 0;
  for (const struct json *item = value->first; item; item = item->next) {
    enum ff_rc rc = json_object(r, f->fields, items + f->fields->size * count, item);
    if (rc != FF_OK) return inside(r, rc, f->name, count);
    count++;
  }
  memcpy(at, &items, sizeof items); /* a list is a pointer of its own type, then a count */
  memcpy((char *)at + sizeof items, &count, sizeof count);
  return FF_OK;
}

/* The error of an item, as values_json writes it. */
static enum ff_rc json_error_item(const struct reader *r, const struct ff_field *f,
                                  struct ff_error *at, const struct json *value) {
  const struct json *code = json_member(value, "code"), *detail = json_member(value, "detail"),
                    *field = json_member(value, "field"), *after;
  enum ff_code known = code && code->type == JSON_STRING ? ff_code_parse(code->text) : FF_CODE_none;
  if (known == FF_CODE_none) return bad(r, f, "no error code");
  (void)error_field(at, known, field ? arena_text(r->arena, field->text).ptr : NULL, TEXT_FMT,
                    TEXT_ARG(detail ? detail->text : TEXT_LIT("")));
  values_parse_context(json_member(value, "context"), NULL, r->arena, at);
  after = json_member(value, "retry_after_ms");
  if (after && !json_i64(after, &at->retry_after_ms)) return bad(r, f, "bad retry_after_ms");
  return FF_OK;
}

void values_parse_context(const struct json *object, const char *but, struct arena *arena,
                          struct ff_error *e) {
  if (!object || object->type != JSON_OBJECT) return;
  for (const struct json *m = object->first; m && e->context_count < FF_ERROR_CONTEXT_MAX;
       m = m->next)
    if (m->type == JSON_STRING && !(but && text_equal_c(m->key, but)))
      error_context(e, arena_text(arena, m->key).ptr, TEXT_FMT, TEXT_ARG(m->text));
}

static enum ff_rc set_json(const struct reader *r, const struct ff_field *f, void *at,
                           const struct json *value) {
  bool text = value->type == JSON_STRING;
  switch (f->type) {
    case FF_FIELD_BOOL:
      *(bool *)at = value->type == JSON_TRUE;
      return bad_unless(value->type == JSON_TRUE || value->type == JSON_FALSE, r, f,
                        "neither true nor false");
    case FF_FIELD_I32:
    case FF_FIELD_U32:
    case FF_FIELD_I64:
    case FF_FIELD_U64:
      return bad_unless(value->type == JSON_NUMBER && set_number(f->type, at, value->text), r, f,
                        "not an integer in range");
    case FF_FIELD_F64: return bad_unless(json_double(value, at), r, f, "not a number in range");
    case FF_FIELD_TEXT:
      *(struct ff_str *)at = value->text;
      return bad_unless(text, r, f, "not text");
    case FF_FIELD_WORD:
      return bad_unless(text && set_word(f->words, at, value->text), r, f, "unknown word");
    case FF_FIELD_ID: return bad_unless(text && set_id(at, value->text), r, f, "not an id");
    case FF_FIELD_BYTES: return json_octets(r, f, at, value);
    case FF_FIELD_HANDLE: return json_handle(r, f, at, value);
    case FF_FIELD_STRS: return json_strs(r, f, at, value);
    case FF_FIELD_PAIRS: return json_pairs(r, f, at, value);
    case FF_FIELD_STRUCT:
      return inside(r, json_object(r, f->fields, at, value), f->name, SIZE_MAX);
    case FF_FIELD_LIST: return json_list(r, f, at, value);
    case FF_FIELD_ERROR: return json_error_item(r, f, at, value);
  }
  return bad(r, f, "cannot be set");
}

enum ff_rc values_parse_json(const struct ff_struct *s, void *dst, const struct json *object,
                             struct arena *arena, struct ff_error *e) {
  return json_object(&(struct reader){arena, e}, s, dst, object);
}

/* ---- text ---- */

static bool stops_at(const char *stops, char c) { return memchr(stops, c, strlen(stops)) != NULL; }

/* The length of a JSON string at the start of text, 0 when it is not closed. */
static size_t quoted_length(struct ff_str text) {
  for (size_t i = 1; i < text.len; i++) {
    if (text.ptr[i] == '"') return i + 1;
    if (text.ptr[i] == '\\') i++;
  }
  return 0;
}

/* Takes one item off *rest, up to a stop character or the end. A quoted one is unescaped. */
static bool take_item(const struct reader *r, struct ff_str *rest, const char *stops,
                      struct ff_str *item) {
  bool quoted = rest->len && rest->ptr[0] == '"';
  size_t end = quoted ? quoted_length(*rest) : 0;
  if (quoted && end == 0) return false;
  while (!quoted && end < rest->len && !stops_at(stops, rest->ptr[end])) end++;
  *item = text_of(rest->ptr, end);
  *rest = text_of(rest->ptr + end, rest->len - end);
  if (rest->len && !stops_at(stops, rest->ptr[0])) return false; /* behind a closing quote */
  if (!quoted) return true;
  const struct json *value = parsed(r, *item);
  if (value) *item = value->text;
  return value != NULL;
}

static bool take_char(struct ff_str *rest, char c) {
  if (!rest->len || rest->ptr[0] != c) return false;
  *rest = text_of(rest->ptr + 1, rest->len - 1);
  return true;
}

/* At most one item per comma, and one more. */
static size_t items_max(struct ff_str text) {
  size_t max = 1;
  for (size_t i = 0; i < text.len; i++) max += text.ptr[i] == ',';
  return max;
}

static enum ff_rc set_strs(const struct reader *r, const struct ff_field *f, struct ff_strs *at,
                           struct ff_str text) {
  struct ff_str *items = ARENA_ARRAY(r->arena, struct ff_str, items_max(text));
  size_t count = 0;
  bool more = text.len > 0;
  while (more) {
    if (!take_item(r, &text, ",", &items[count++])) return bad(r, f, "malformed list");
    more = take_char(&text, ',');
  }
  *at = (struct ff_strs){items, count};
  return FF_OK;
}

static enum ff_rc set_pairs(const struct reader *r, const struct ff_field *f, struct ff_pairs *at,
                            struct ff_str text) {
  struct ff_pair *items = ARENA_ARRAY(r->arena, struct ff_pair, items_max(text));
  size_t count = 0;
  bool more = text.len > 0;
  while (more) {
    struct ff_pair *pair = &items[count++];
    if (!take_item(r, &text, "=,", &pair->key) || !take_char(&text, '=') ||
        !take_item(r, &text, ",", &pair->value))
      return bad(r, f, "not key=value,key=value");
    more = take_char(&text, ',');
  }
  *at = (struct ff_pairs){items, count};
  return FF_OK;
}

static enum ff_rc set_struct(const struct reader *r, const struct ff_field *f, void *at,
                             struct ff_str text) {
  struct ff_pairs pairs;
  enum ff_rc rc = set_pairs(r, f, &pairs, text);
  for (size_t i = 0; rc == FF_OK && i < pairs.count; i++) {
    const struct ff_field *member = values_field(f->fields, pairs.items[i].key);
    rc = member ? values_parse_field(f->fields, member, at, pairs.items[i].value, r->arena,
                                     r->error)
                : bad(r, f, "unknown member");
  }
  return rc;
}

static bool set_text(const struct reader *r, struct ff_str *at, struct ff_str text) {
  if (!text.len || text.ptr[0] != '"') {
    *at = arena_text(r->arena, text_of(text.ptr ? text.ptr : "", text.len));
    return true;
  }
  const struct json *value = parsed(r, text);
  if (value) *at = value->text;
  return value != NULL;
}

static enum ff_rc set_bytes(const struct reader *r, const struct ff_field *f, struct ff_bytes *at,
                            struct ff_str text) {
  struct ff_str plain = text;
  if (text.len >= 4 && memcmp(text.ptr, "hex:", 4) == 0) {
    plain = text_of(text.ptr + 4, text.len - 4);
    return bad_unless(hex_decode(plain, r->arena, at), r, f, "bad hex digits");
  }
  if (!set_text(r, &plain, text)) return bad(r, f, "malformed quoted text");
  *at = (struct ff_bytes){plain.ptr, plain.len};
  return FF_OK;
}

static enum ff_rc set_from_json(const struct reader *r, const struct ff_field *f, void *at,
                                struct ff_str text) {
  const struct json *value = parsed(r, text);
  return value ? set_json(r, f, at, value) : bad(r, f, "not JSON");
}

enum ff_rc values_parse_field(const struct ff_struct *s, const struct ff_field *f, void *dst,
                              struct ff_str text, struct arena *arena, struct ff_error *e) {
  const struct reader *r = &(struct reader){arena, e};
  void *at = (char *)dst + f->offset;
  INVARIANT(f >= s->fields && f < s->fields + s->field_count);
  switch (f->type) {
    case FF_FIELD_BOOL:
      *(bool *)at = text_equal_c(text, "true");
      return bad_unless(*(bool *)at || text_equal_c(text, "false"), r, f, "neither true nor false");
    case FF_FIELD_I32:
    case FF_FIELD_U32:
    case FF_FIELD_I64:
    case FF_FIELD_U64:
      return bad_unless(set_number(f->type, at, text), r, f, "not an integer in range");
    case FF_FIELD_F64: return set_from_json(r, f, at, text);
    case FF_FIELD_TEXT: return bad_unless(set_text(r, at, text), r, f, "malformed quoted text");
    case FF_FIELD_BYTES: return set_bytes(r, f, at, text);
    case FF_FIELD_WORD: return bad_unless(set_word(f->words, at, text), r, f, "unknown word");
    case FF_FIELD_ID: return bad_unless(set_id(at, text), r, f, "too long for an id");
    case FF_FIELD_STRS: return set_strs(r, f, at, text);
    case FF_FIELD_PAIRS: return set_pairs(r, f, at, text);
    case FF_FIELD_STRUCT:
      if (text.len && text.ptr[0] == '{') return set_from_json(r, f, at, text);
      return set_struct(r, f, at, text);
    case FF_FIELD_HANDLE:
    case FF_FIELD_LIST: return set_from_json(r, f, at, text);
    case FF_FIELD_ERROR: break;
  }
  return bad(r, f, "cannot be set");
}
