/*
 * The strict JSON reader: recursive descent over a bounded depth, strings copied without their escapes.
 */
#include "json.h"

#include "args.h"
#include "out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32, MEMBERS_MAX = 256, CHUNK_SIZE = 16 * 1024 };

struct cli_arena_chunk {
  struct cli_arena_chunk *next;
  size_t used, size;
  max_align_t data[];
};

void *cli_arena_alloc(struct cli_arena *arena, size_t size) {
  size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
  struct cli_arena_chunk *chunk = arena->chunks;
  if (!chunk || chunk->size - chunk->used < size) {
    size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
    chunk = cli_alloc(sizeof(*chunk) + room);
    *chunk = (struct cli_arena_chunk){.next = arena->chunks, .size = room};
    arena->chunks = chunk;
  }
  void *out = (unsigned char *)chunk->data + chunk->used;
  chunk->used += size;
  return memset(out, 0, size);
}

void cli_arena_fini(struct cli_arena *arena) {
  for (struct cli_arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
    next = chunk->next;
    free(chunk);
  }
  arena->chunks = NULL;
}

struct reader {
  const char *text;
  size_t len, at;
  struct cli_arena *arena;
  struct cli_json_error *error;
};

static bool refuse(struct reader *r, size_t offset, const char *message) {
  *r->error = (struct cli_json_error){offset, message};
  return false;
}

static char peek(const struct reader *r) {
  return r->at < r->len ? r->text[r->at] : '\0';
}

static void skip_space(struct reader *r) {
  while (r->at < r->len && strchr(" \t\r\n", r->text[r->at]) && r->text[r->at]) r->at++;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static bool read_hex4(struct reader *r, uint32_t *out) {
  *out = 0;
  for (int i = 0; i < 4; i++, r->at++) {
    int digit = hex_digit(peek(r));
    if (digit < 0) return refuse(r, r->at, "expected four hexadecimal digits after \\u");
    *out = *out << 4 | (uint32_t)digit;
  }
  return true;
}

static char *put_utf8(char *to, uint32_t c) {
  if (c < 0x80) {
    *to++ = (char)c;
  } else if (c < 0x800) {
    *to++ = (char)(0xc0 | c >> 6);
    *to++ = (char)(0x80 | (c & 63));
  } else if (c < 0x10000) {
    *to++ = (char)(0xe0 | c >> 12);
    *to++ = (char)(0x80 | (c >> 6 & 63));
    *to++ = (char)(0x80 | (c & 63));
  } else {
    *to++ = (char)(0xf0 | c >> 18);
    *to++ = (char)(0x80 | (c >> 12 & 63));
    *to++ = (char)(0x80 | (c >> 6 & 63));
    *to++ = (char)(0x80 | (c & 63));
  }
  return to;
}

/* After "\u": one code point, a surrogate pair taken together. */
static bool read_unicode(struct reader *r, size_t start, char **to) {
  uint32_t c, low;
  if (!read_hex4(r, &c)) return false;
  if (c == 0) return refuse(r, start, "a NUL character is not allowed");
  if (c >= 0xd800 && c < 0xdc00 && r->len - r->at >= 2 && r->text[r->at] == '\\' &&
      r->text[r->at + 1] == 'u') {
    r->at += 2;
    if (!read_hex4(r, &low)) return false;
    if (low < 0xdc00 || low > 0xdfff) return refuse(r, start, "half of a surrogate pair");
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
  } else if (c >= 0xd800 && c < 0xe000) {
    return refuse(r, start, "half of a surrogate pair");
  }
  *to = put_utf8(*to, c);
  return true;
}

static bool read_escape(struct reader *r, char **to) {
  static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  size_t start = r->at++;
  char c = peek(r);
  r->at++;
  if (c == 'u') return read_unicode(r, start, to);
  const char *found = c ? strchr(letters, c) : NULL;
  if (!found) return refuse(r, start, "unknown escape in a string");
  *(*to)++ = values[found - letters];
  return true;
}

static bool read_string(struct reader *r, struct ff_str *out) {
  size_t start = r->at++;
  const char *end = memchr(r->text + r->at, '"', r->len - r->at);
  if (!end) return refuse(r, start, "the string has no end");
  /* Escapes only shrink; the closing quote may be further on than the first one found. */
  size_t room = 0;
  for (size_t i = r->at; i < r->len && r->text[i] != '"'; i++, room++)
    if (r->text[i] == '\\') i++, room++;
  char *text = cli_arena_alloc(r->arena, room + 1), *to = text;
  for (;;) {
    if (r->at >= r->len) return refuse(r, start, "the string has no end");
    unsigned char c = (unsigned char)r->text[r->at];
    if (c == '"') break;
    if (c == '\\') {
      if (!read_escape(r, &to)) return false;
      continue;
    }
    if (c < 0x20) return refuse(r, r->at, "a control character must be escaped in a string");
    size_t step = cli_utf8_length(r->text + r->at, r->len - r->at);
    if (!step) return refuse(r, r->at, "broken UTF-8");
    memcpy(to, r->text + r->at, step);
    to += step;
    r->at += step;
  }
  r->at++;
  *out = (struct ff_str){text, (size_t)(to - text)};
  return true;
}

static bool read_digits(struct reader *r) {
  if (peek(r) < '0' || peek(r) > '9') return refuse(r, r->at, "expected a digit");
  while (peek(r) >= '0' && peek(r) <= '9') r->at++;
  return true;
}

static bool read_number(struct reader *r, struct ff_str *out) {
  size_t start = r->at;
  if (peek(r) == '-') r->at++;
  if (peek(r) == '0') r->at++;
  else if (!read_digits(r)) return false;
  if (peek(r) >= '0' && peek(r) <= '9') return refuse(r, start, "a number must not begin with 0");
  if (peek(r) == '.') {
    r->at++;
    if (!read_digits(r)) return false;
  }
  if (peek(r) == 'e' || peek(r) == 'E') {
    r->at++;
    if (peek(r) == '+' || peek(r) == '-') r->at++;
    if (!read_digits(r)) return false;
  }
  *out = (struct ff_str){r->text + start, r->at - start};
  return true;
}

static bool read_value(struct reader *r, struct cli_json *value, int depth);

static bool is_duplicate(const struct cli_json *object, struct ff_str key) {
  for (const struct cli_json *member = object->first; member; member = member->next)
    if (member->key.len == key.len && memcmp(member->key.ptr, key.ptr, key.len) == 0) return true;
  return false;
}

static bool read_member(struct reader *r, const struct cli_json *object, struct cli_json *member,
                        int depth) {
  skip_space(r);
  member->key_offset = r->at;
  if (object->count >= MEMBERS_MAX) return refuse(r, r->at, "more than 256 members");
  if (peek(r) != '"') return refuse(r, r->at, "expected a member name in double quotes");
  if (!read_string(r, &member->key)) return false;
  if (is_duplicate(object, member->key))
    return refuse(r, member->key_offset, "the member is there twice");
  skip_space(r);
  if (peek(r) != ':') return refuse(r, r->at, "expected ':' after the member name");
  r->at++;
  return read_value(r, member, depth);
}

/* The elements of an array or the members of an object, after its opening bracket. */
static bool read_children(struct reader *r, struct cli_json *parent, int depth) {
  bool object = parent->type == CLI_JSON_OBJECT;
  char close = object ? '}' : ']';
  struct cli_json **tail = &parent->first;
  r->at++;
  skip_space(r);
  if (peek(r) == close) {
    r->at++;
    return true;
  }
  for (;;) {
    struct cli_json *child = cli_arena_alloc(r->arena, sizeof(*child));
    if (object ? !read_member(r, parent, child, depth) : !read_value(r, child, depth)) return false;
    *tail = child;
    tail = &child->next;
    parent->count++;
    skip_space(r);
    char c = peek(r);
    if (c != ',' && c != close)
      return refuse(r, r->at, object ? "expected ',' or '}'" : "expected ',' or ']'");
    r->at++;
    if (c == close) return true;
  }
}

static bool read_word(struct reader *r, struct cli_json *value) {
  static const struct {
    const char *text;
    enum cli_json_type type;
  } words[] = {{"null", CLI_JSON_NULL}, {"true", CLI_JSON_TRUE}, {"false", CLI_JSON_FALSE}};
  for (size_t i = 0; i < CLI_COUNT(words); i++) {
    size_t len = strlen(words[i].text);
    if (r->len - r->at < len || memcmp(r->text + r->at, words[i].text, len) != 0) continue;
    r->at += len;
    value->type = words[i].type;
    return true;
  }
  return refuse(r, r->at, r->at < r->len ? "expected a JSON value" : "the document ends too early");
}

static bool read_value(struct reader *r, struct cli_json *value, int depth) {
  skip_space(r);
  value->offset = r->at;
  if (depth >= DEPTH_MAX) return refuse(r, r->at, "nested deeper than 32 levels");
  switch (peek(r)) {
  case '{': value->type = CLI_JSON_OBJECT; return read_children(r, value, depth + 1);
  case '[': value->type = CLI_JSON_ARRAY; return read_children(r, value, depth + 1);
  case '"': value->type = CLI_JSON_STRING; return read_string(r, &value->text);
  case '-':
  case '0':
  case '1':
  case '2':
  case '3':
  case '4':
  case '5':
  case '6':
  case '7':
  case '8':
  case '9': value->type = CLI_JSON_NUMBER; return read_number(r, &value->text);
  default: return read_word(r, value);
  }
}

struct cli_json *cli_json_parse(struct cli_arena *arena, const char *text, size_t len,
                                struct cli_json_error *error) {
  struct reader r = {.text = text, .len = len, .arena = arena, .error = error};
  struct cli_json *value = cli_arena_alloc(arena, sizeof(*value));
  if (!read_value(&r, value, 0)) return NULL;
  skip_space(&r);
  if (r.at == len) return value;
  refuse(&r, r.at, "unexpected text after the end of the JSON value");
  return NULL;
}

const char *cli_json_type_name(enum cli_json_type type) {
  static const char *const names[] = {"null",     "false",    "true",     "a number",
                                      "a string", "an array", "an object"};
  return names[type];
}

bool cli_json_integer(const struct cli_json *value, int64_t *out) {
  char digits[32];
  if (value->type != CLI_JSON_NUMBER || value->text.len >= sizeof(digits)) return false;
  memcpy(digits, value->text.ptr, value->text.len);
  digits[value->text.len] = '\0';
  return cli_parse_number(digits, INT64_MIN, INT64_MAX, out);
}
