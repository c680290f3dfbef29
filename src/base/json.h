/*
 * Strict JSON in, JSON out. Numbers keep their text; duplicate keys, bad UTF-8, depth > 64,
 * trailing bytes and NUL are errors.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/base.h"

enum json_type {
  JSON_NULL,
  JSON_FALSE,
  JSON_TRUE,
  JSON_NUMBER,
  JSON_STRING,
  JSON_ARRAY,
  JSON_OBJECT
};

/* One value of a parsed document. Everything lives in the arena given to json_parse. */
struct json {
  enum json_type type;
  struct ff_str key;  /* of an object member, else absent */
  struct ff_str text; /* the value of a string, unescaped; the digits of a number as written */
  const struct json *first; /* first element or member */
  const struct json *next;  /* next sibling */
  size_t count;             /* elements or members */
  size_t offset;            /* where it starts in the text */
};

struct json_error {
  size_t offset, line, column; /* line and column from 1 */
  const char *message;         /* static text */
  bool too_deep;               /* nested beyond JSON_DEPTH_MAX */
  struct ff_str twice;         /* the key that stands twice in one object, else absent; in the arena */
};

#define JSON_DEPTH_MAX 64

bool json_parse(struct ff_str text, struct arena *arena, const struct json **out,
                struct json_error *error) MUST_USE;
/* The same, but a key may stand twice in an object; every member is kept, the last one counts. */
bool json_parse_last_wins(struct ff_str text, struct arena *arena, const struct json **out,
                          struct json_error *error) MUST_USE;
/* NULL when there is no such member (or value is not an object). */
const struct json *json_member(const struct json *object, const char *name);
/* Exact integers only: false for 1.0, 1e3, out of range, or when value is not a number. */
bool json_u64(const struct json *value, uint64_t *out) MUST_USE;
bool json_i64(const struct json *value, int64_t *out) MUST_USE;
/* Any JSON number that is finite as a double. */
bool json_double(const struct json *value, double *out) MUST_USE;

/* Appends a quoted, escaped string. Control characters become \u00xx; everything else is copied. */
void json_write_text(struct buffer *out, struct ff_str text);
/* Appends the compact form of a parsed value. */
void json_write(struct buffer *out, const struct json *value);

#endif
