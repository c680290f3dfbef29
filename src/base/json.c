/*
 * Strict JSON (RFC 8259, and stricter: 01 CV-1, LM-24): a reader into an arena, a compact writer.
 *
 * The reader never looks past the text, never recurses deeper than JSON_DEPTH_MAX and takes time
 * in proportion to the text (times its logarithm for the duplicate check), whatever an adversary
 * sends. It interprets no number: callers ask for the type.
 */
#include "base/json.h"

#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>

struct reader {
  const char *text;
  size_t len, pos;
  char *store; /* the rest of one arena block that takes the text of all strings and numbers */
  struct arena *arena;
  const char *problem; /* static text; with problem_at */
  size_t problem_at;
  bool too_deep;
  struct ff_str twice; /* the key that stands twice; with problem */
  bool last_wins; /* duplicate keys are the caller's affair */
};

static bool fail_at(struct reader *r, size_t at, const char *problem) {
  r->problem = problem;
  r->problem_at = at;
  return false;
}

static bool fail(struct reader *r, const char *problem) { return fail_at(r, r->pos, problem); }

/* The next byte, -1 at the end. */
static int peek(const struct reader *r) {
  return r->pos < r->len ? (unsigned char)r->text[r->pos] : -1;
}

static void skip_space(struct reader *r) {
  while (r->pos < r->len) {
    char c = r->text[r->pos];
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return;
    r->pos++;
  }
}

/* ---- numbers ---- */

static bool skip_digits(struct reader *r) {
  size_t from = r->pos;
  while (r->pos < r->len && r->text[r->pos] >= '0' && r->text[r->pos] <= '9') r->pos++;
  return r->pos > from;
}

static bool read_number(struct reader *r, struct json *value) {
  size_t from = r->pos;
  if (peek(r) == '-') r->pos++;
  if (peek(r) == '0')
    r->pos++;
  else if (!skip_digits(r))
    return fail(r, "a digit is missing");
  if (peek(r) >= '0' && peek(r) <= '9') return fail(r, "a number must not start with 0");
  if (peek(r) == '.') {
    r->pos++;
    if (!skip_digits(r)) return fail(r, "a digit is missing after the point");
  }
  if (peek(r) == 'e' || peek(r) == 'E') {
    r->pos++;
    if (peek(r) == '+' || peek(r) == '-') r->pos++;
    if (!skip_digits(r)) return fail(r, "a digit is missing in the exponent");
  }
  size_t len = r->pos - from;
  memcpy(r->store, r->text + from, len);
  r->store[len] = '\0';
  value->type = JSON_NUMBER;
  value->text = text_of(r->store, len);
  r->store += len + 1;
  return true;
}

/* ---- strings ---- */

static int hex_value(int c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static bool read_hex4(struct reader *r, uint32_t *unit) {
  uint32_t value = 0;
  for (int i = 0; i < 4; i++, r->pos++) {
    int digit = hex_value(peek(r));
    if (digit < 0) return fail(r, "\\u wants four hex digits");
    value = value << 4 | (uint32_t)digit;
  }
  *unit = value;
  return true;
}

static char *put_utf8(char *out, uint32_t c) {
  if (c < 0x80) {
    *out++ = (char)c;
  } else if (c < 0x800) {
    *out++ = (char)(0xc0 | c >> 6);
    *out++ = (char)(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    *out++ = (char)(0xe0 | c >> 12);
    *out++ = (char)(0x80 | (c >> 6 & 0x3f));
    *out++ = (char)(0x80 | (c & 0x3f));
  } else {
    *out++ = (char)(0xf0 | c >> 18);
    *out++ = (char)(0x80 | (c >> 12 & 0x3f));
    *out++ = (char)(0x80 | (c >> 6 & 0x3f));
    *out++ = (char)(0x80 | (c & 0x3f));
  }
  return out;
}

/* Behind `\u`. */
static bool read_unicode_escape(struct reader *r, char **out) {
  size_t from = r->pos - 2;
  uint32_t c = 0, low = 0;
  if (!read_hex4(r, &c)) return false;
  if (c == 0) return fail_at(r, from, "text must not contain NUL");
  if (c >= 0xdc00 && c <= 0xdfff) return fail_at(r, from, "lone surrogate");
  if (c >= 0xd800 && c <= 0xdbff) {
    if (r->len - r->pos < 2 || memcmp(r->text + r->pos, "\\u", 2) != 0)
      return fail_at(r, from, "lone surrogate");
    r->pos += 2;
    if (!read_hex4(r, &low)) return false;
    if (low < 0xdc00 || low > 0xdfff) return fail_at(r, from, "lone surrogate");
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
  }
  *out = put_utf8(*out, c);
  return true;
}

/* Behind the backslash. */
static bool read_escape(struct reader *r, char **out) {
  int c = peek(r);
  r->pos++;
  switch (c) {
  case '"':
  case '\\':
  case '/': break;
  case 'b': c = '\b'; break;
  case 'f': c = '\f'; break;
  case 'n': c = '\n'; break;
  case 'r': c = '\r'; break;
  case 't': c = '\t'; break;
  case 'u': return read_unicode_escape(r, out);
  default: return fail_at(r, r->pos - 2, "unknown escape");
  }
  *(*out)++ = (char)c;
  return true;
}

/* The unescaped form is never longer than the source and its closing quote pays for the NUL: the
 * block always suffices. */
static bool read_string(struct reader *r, struct ff_str *text) {
  if (peek(r) != '"') return fail(r, "a string is missing");
  size_t from = r->pos++;
  char *start = r->store, *out = start;
  for (;;) {
    size_t plain = r->pos;
    while (plain < r->len) {
      unsigned char b = (unsigned char)r->text[plain];
      if (b < 0x20 || b >= 0x80 || b == '"' || b == '\\') break;
      plain++;
    }
    memcpy(out, r->text + r->pos, plain - r->pos);
    out += plain - r->pos;
    r->pos = plain;
    int c = peek(r);
    if (c < 0) return fail_at(r, from, "the string does not end");
    if (c < 0x20) return fail(r, "control character in a string");
    if (c == '"') break;
    if (c == '\\') {
      r->pos++;
      if (!read_escape(r, &out)) return false;
      continue;
    }
    uint32_t code_point = 0;
    size_t step = utf8_step(r->text + r->pos, r->len - r->pos, &code_point);
    if (step == 0) return fail(r, "ill-formed UTF-8");
    memcpy(out, r->text + r->pos, step);
    out += step;
    r->pos += step;
  }
  r->pos++;
  *out = '\0';
  *text = text_of(start, (size_t)(out - start));
  r->store = out + 1;
  return true;
}

/* ---- duplicate keys ---- */

#define PAIRWISE_MAX 16

static bool fail_twice(struct reader *r, const struct json *member) {
  r->twice = member->key;
  return fail_at(r, member->offset, "duplicate key");
}

static bool duplicate_pairwise(struct reader *r, const struct json *object) {
  for (const struct json *m = object->first; m != NULL; m = m->next)
    for (const struct json *before = object->first; before != m; before = before->next)
      if (text_equal(before->key, m->key)) return fail_twice(r, m);
  return true;
}

static int compare_members(const void *a, const void *b) {
  const struct json *left = *(const struct json *const *)a, *right = *(const struct json *const *)b;
  int order = text_compare(left->key, right->key);
  if (order != 0) return order;
  return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/* Sorting, not hashing: no choice of keys makes it quadratic. */
static bool duplicate_sorted(struct reader *r, const struct json *object) {
  const struct json **members = arena_alloc(r->arena, sizeof(*members) * object->count);
  const struct json *first = NULL;
  size_t count = 0;
  for (const struct json *m = object->first; m != NULL; m = m->next) members[count++] = m;
  qsort(members, count, sizeof(*members), compare_members);
  for (size_t i = 1; i < count; i++) {
    bool same = text_equal(members[i - 1]->key, members[i]->key);
    if (same && (!first || members[i]->offset < first->offset)) first = members[i];
  }
  return first ? fail_twice(r, first) : true;
}

/* ---- values ---- */

static struct json *read_value(struct reader *r, unsigned depth);

static bool read_array(struct reader *r, struct json *array, unsigned depth) {
  const struct json **link = &array->first;
  r->pos++;
  skip_space(r);
  if (peek(r) == ']') {
    r->pos++;
    return true;
  }
  for (;;) {
    struct json *element = read_value(r, depth);
    if (element == NULL) return false;
    *link = element;
    link = &element->next;
    array->count++;
    skip_space(r);
    int c = peek(r);
    if (c != ',' && c != ']') return fail(r, "`,` or `]` is missing");
    r->pos++;
    if (c == ']') return true;
    skip_space(r);
  }
}

static bool read_object(struct reader *r, struct json *object, unsigned depth) {
  const struct json **link = &object->first;
  r->pos++;
  skip_space(r);
  if (peek(r) == '}') {
    r->pos++;
    return true;
  }
  for (;;) {
    struct ff_str key;
    if (!read_string(r, &key)) return false;
    skip_space(r);
    if (peek(r) != ':') return fail(r, "`:` is missing");
    r->pos++;
    skip_space(r);
    struct json *member = read_value(r, depth);
    if (member == NULL) return false;
    member->key = key;
    *link = member;
    link = &member->next;
    object->count++;
    skip_space(r);
    int c = peek(r);
    if (c != ',' && c != '}') return fail(r, "`,` or `}` is missing");
    r->pos++;
    if (c == '}') break;
    skip_space(r);
  }
  if (r->last_wins) return true;
  if (object->count <= PAIRWISE_MAX) return duplicate_pairwise(r, object);
  return duplicate_sorted(r, object);
}

static bool read_word(struct reader *r, struct ff_str word) {
  if (r->len - r->pos < word.len || memcmp(r->text + r->pos, word.ptr, word.len) != 0)
    return fail(r, "a value is missing");
  r->pos += word.len;
  return true;
}

/* depth = how many arrays and objects are open around the value. NULL after a failure. */
static struct json *read_value(struct reader *r, unsigned depth) {
  struct json *value = ARENA_NEW(r->arena, struct json);
  value->offset = r->pos;
  bool ok;
  int c = peek(r);
  if (c == '"') {
    value->type = JSON_STRING;
    ok = read_string(r, &value->text);
  } else if (c == '{' || c == '[') {
    if (depth == JSON_DEPTH_MAX) {
      r->too_deep = true;
      fail(r, "nested too deeply");
      return NULL;
    }
    value->type = c == '{' ? JSON_OBJECT : JSON_ARRAY;
    ok = c == '{' ? read_object(r, value, depth + 1) : read_array(r, value, depth + 1);
  } else if (c == '-' || (c >= '0' && c <= '9')) {
    ok = read_number(r, value);
  } else {
    static const char *const words[] = {"null", "false", "true"};
    value->type = c == 't' ? JSON_TRUE : c == 'f' ? JSON_FALSE : JSON_NULL;
    ok = read_word(r, ff_text(words[value->type]));
  }
  return ok ? value : NULL;
}

/* Columns count characters: what an editor shows. */
static void locate(struct ff_str text, size_t offset, const char *message,
                   struct json_error *error) {
  *error = (struct json_error){.offset = offset, .line = 1, .column = 1, .message = message};
  for (size_t i = 0; i < offset && i < text.len; i++) {
    unsigned char b = (unsigned char)text.ptr[i];
    if (b == '\n') {
      error->line++;
      error->column = 1;
    } else if ((b & 0xc0) != 0x80) {
      error->column++;
    }
  }
}

static bool parse(struct reader *r, struct ff_str text, const struct json **out,
                  struct json_error *error) {
  r->text = text.ptr ? text.ptr : "";
  r->len = text.len;
  r->store = arena_alloc(r->arena, text.len + 1);
  *out = NULL;
  skip_space(r);
  const struct json *value = read_value(r, 0);
  if (value != NULL) {
    skip_space(r);
    if (r->pos == r->len) {
      *out = value;
      return true;
    }
    fail(r, "bytes after the end of the document");
  }
  if (error != NULL) {
    locate(text, r->problem_at, r->problem, error);
    error->too_deep = r->too_deep;
    error->twice = r->twice;
  }
  return false;
}

bool json_parse(struct ff_str text, struct arena *arena, const struct json **out,
                struct json_error *error) {
  struct reader r = {.arena = arena};
  return parse(&r, text, out, error);
}

bool json_parse_last_wins(struct ff_str text, struct arena *arena, const struct json **out,
                          struct json_error *error) {
  struct reader r = {.arena = arena, .last_wins = true};
  return parse(&r, text, out, error);
}

/* ---- access ---- */

const struct json *json_member(const struct json *object, const char *name) {
  if (object == NULL || object->type != JSON_OBJECT) return NULL;
  struct ff_str wanted = ff_text(name);
  for (const struct json *m = object->first; m != NULL; m = m->next)
    if (text_equal(m->key, wanted)) return m;
  return NULL;
}

bool json_u64(const struct json *value, uint64_t *out) {
  return value != NULL && value->type == JSON_NUMBER && parse_u64(value->text, out);
}

bool json_i64(const struct json *value, int64_t *out) {
  return value != NULL && value->type == JSON_NUMBER && parse_i64(value->text, out);
}

/* The exponent written behind 'e', held near ±10^9: beyond every text's number of digits, far from
 * overflow. */
static int64_t read_exponent(struct ff_str t) {
  int64_t value = 0;
  bool negative = t.len > 0 && t.ptr[0] == '-';
  for (size_t i = t.len > 0 && (t.ptr[0] == '-' || t.ptr[0] == '+') ? 1 : 0; i < t.len; i++)
    if (value < 1000000000) value = value * 10 + (t.ptr[i] - '0');
  return negative ? -value : value;
}

/* strtod follows the locale of the embedding program; without a point in the text ("1.5" as
 * "15e-1") it cannot. */
bool json_double(const struct json *value, double *out) {
  if (value == NULL || value->type != JSON_NUMBER) return false;
  struct buffer plain;
  buffer_init(&plain);
  int64_t exponent = 0, fraction = 0;
  bool behind_point = false;
  for (size_t i = 0; i < value->text.len; i++) {
    char c = value->text.ptr[i];
    if (c == 'e' || c == 'E') {
      exponent = read_exponent(text_of(value->text.ptr + i + 1, value->text.len - i - 1));
      break;
    }
    if (c == '.') {
      behind_point = true;
      continue;
    }
    buffer_append_char(&plain, c);
    if (behind_point) fraction++;
  }
  buffer_printf(&plain, "e%lld", (long long)(exponent - fraction));
  double number = strtod(plain.ptr, NULL);
  buffer_fini(&plain);
  if (!isfinite(number)) return false;
  *out = number;
  return true;
}

/* ---- writing ---- */

void json_write_text(struct buffer *out, struct ff_str text) {
  static const char digits[] = "0123456789abcdef";
  buffer_append_char(out, '"');
  size_t from = 0;
  for (size_t i = 0; i < text.len; i++) {
    unsigned char b = (unsigned char)text.ptr[i];
    if (b >= 0x20 && b != '"' && b != '\\') continue;
    buffer_append(out, text.ptr + from, i - from);
    from = i + 1;
    if (b < 0x20) {
      char escape[6] = {'\\', 'u', '0', '0', digits[b >> 4], digits[b & 15]};
      buffer_append(out, escape, sizeof(escape));
    } else {
      char escape[2] = {'\\', (char)b};
      buffer_append(out, escape, sizeof(escape));
    }
  }
  if (from < text.len) buffer_append(out, text.ptr + from, text.len - from);
  buffer_append_char(out, '"');
}

static void write_children(struct buffer *out, const struct json *value) {
  bool object = value->type == JSON_OBJECT;
  buffer_append_char(out, object ? '{' : '[');
  for (const struct json *child = value->first; child != NULL; child = child->next) {
    if (child != value->first) buffer_append_char(out, ',');
    if (object) {
      json_write_text(out, child->key);
      buffer_append_char(out, ':');
    }
    json_write(out, child);
  }
  buffer_append_char(out, object ? '}' : ']');
}

/* Recurses no deeper than json_parse did. */
void json_write(struct buffer *out, const struct json *value) {
  switch (value->type) {
  case JSON_NULL: buffer_append_c(out, "null"); break;
  case JSON_FALSE: buffer_append_c(out, "false"); break;
  case JSON_TRUE: buffer_append_c(out, "true"); break;
  case JSON_NUMBER: buffer_append_text(out, value->text); break;
  case JSON_STRING: json_write_text(out, value->text); break;
  case JSON_ARRAY:
  case JSON_OBJECT: write_children(out, value); break;
  }
}
