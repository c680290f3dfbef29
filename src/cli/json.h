/*
 * Strict JSON in: one document with the place of every value, so that an error can name a column.
 *
 * Numbers keep their text; duplicate members, broken UTF-8, NUL, depth beyond 32, more
 * than 256 members in an object, and anything after the document are errors.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "cli.h"

enum cli_json_type {
  CLI_JSON_NULL,
  CLI_JSON_FALSE,
  CLI_JSON_TRUE,
  CLI_JSON_NUMBER,
  CLI_JSON_STRING,
  CLI_JSON_ARRAY,
  CLI_JSON_OBJECT
};

struct cli_json {
  enum cli_json_type type;
  struct ff_str key; /* of a member of an object */
  size_t key_offset;
  struct ff_str text; /* a string's value without escapes; a number as written */
  size_t offset;      /* of the value in the document, in bytes */
  struct cli_json *first, *next;
  size_t count;
};

struct cli_json_error {
  size_t offset;
  const char *message; /* what was expected or is wrong; static */
};

/* Memory of one or several documents. Zero it; fini it. */
struct cli_arena_chunk;
struct cli_arena {
  struct cli_arena_chunk *chunks;
};
void *cli_arena_alloc(struct cli_arena *arena, size_t size);
void cli_arena_fini(struct cli_arena *arena);

/* Everything of the document lives in the arena. NULL after an error. */
struct cli_json *cli_json_parse(struct cli_arena *arena, const char *text, size_t len,
                                struct cli_json_error *error);
/* "a string", "an object" …, for messages. */
const char *cli_json_type_name(enum cli_json_type type);
/* A whole number without fraction or exponent, within int64. */
bool cli_json_integer(const struct cli_json *value, int64_t *out);

#endif
