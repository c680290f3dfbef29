/*
 * ff call: any operation by its name, its arguments as name=value or as one JSON object.
 *
 * Arguments are written into the struct the operation describes; nothing here knows an operation.
 */
#include "args.h"
#include "json.h"
#include "out.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct call {
  struct cli *cli;
  struct cli_arena arena;
};

static int wrong(const struct call *call, const struct ff_field *field, const char *expected) {
  return cli_usage(call->cli, "%s expects %s", field->name, expected);
}

static const struct ff_field *find_field(const struct ff_struct *description, const char *name,
                                         size_t len) {
  for (uint32_t i = 0; i < description->field_count; i++)
    if (strlen(description->fields[i].name) == len &&
        memcmp(description->fields[i].name, name, len) == 0)
      return &description->fields[i];
  return NULL;
}

/* A number as text into an integer member. */
static int set_number(struct call *call, const struct ff_field *field, void *at,
                      struct ff_str text) {
  char digits[40];
  char *end;
  if (!text.len || text.len >= sizeof(digits)) return wrong(call, field, "a whole number");
  cli_str(text, digits, sizeof(digits));
  if (field->type == FF_FIELD_U64) {
    errno = 0;
    unsigned long long value = strtoull(digits, &end, 10);
    if (errno || *end || digits[0] < '0' || digits[0] > '9')
      return wrong(call, field, "a whole number from 0 to 2^64-1");
    *(uint64_t *)at = value;
    return CLI_OK;
  }
  int64_t low = field->type == FF_FIELD_I64   ? INT64_MIN
                : field->type == FF_FIELD_I32 ? INT32_MIN
                                              : 0;
  int64_t high = field->type == FF_FIELD_I64   ? INT64_MAX
                 : field->type == FF_FIELD_I32 ? INT32_MAX
                                               : UINT32_MAX;
  int64_t value;
  if (!cli_parse_number(digits, low, high, &value))
    return wrong(call, field, "a whole number in the range of its type");
  if (field->type == FF_FIELD_I64) *(int64_t *)at = value;
  else if (field->type == FF_FIELD_I32) *(int32_t *)at = (int32_t)value;
  else *(uint32_t *)at = (uint32_t)value;
  return CLI_OK;
}

static int set_word(struct call *call, const struct ff_field *field, void *at, struct ff_str text) {
  int value = ff_word_parse((enum ff_word_enum)field->words, text);
  if (value < 0) return wrong(call, field, "one of its words; see ff ops");
  *(uint8_t *)at = (uint8_t)value;
  return CLI_OK;
}

static int set_bytes(struct call *call, const struct ff_field *field, void *at, struct ff_str text,
                     bool base64) {
  struct ff_bytes bytes = {text.ptr, text.len};
  if (base64) {
    unsigned char *decoded;
    size_t size;
    if (!cli_base64_decode(text.ptr, text.len, &decoded, &size))
      return wrong(call, field, "base64");
    void *copy = cli_arena_alloc(&call->arena, size + 1);
    memcpy(copy, decoded, size);
    free(decoded);
    bytes = (struct ff_bytes){copy, size};
  }
  memcpy(at, &bytes, sizeof(bytes));
  return CLI_OK;
}

/* "a,b,c" */
static void set_list_of_texts(struct call *call, void *at, struct ff_str text) {
  size_t count = text.len ? 1 : 0, used = 0;
  for (size_t i = 0; i < text.len; i++) count += text.ptr[i] == ',';
  struct ff_str *items = cli_arena_alloc(&call->arena, (count + 1) * sizeof(*items));
  for (size_t start = 0; used < count; used++) {
    const char *comma = memchr(text.ptr + start, ',', text.len - start);
    size_t len = comma ? (size_t)(comma - text.ptr) - start : text.len - start;
    items[used] = (struct ff_str){text.ptr + start, len};
    start += len + 1;
  }
  struct ff_strs list = {items, count};
  memcpy(at, &list, sizeof(list));
}

static int set_double(struct call *call, const struct ff_field *field, void *at,
                      struct ff_str text) {
  char digits[64];
  char *end;
  if (!text.len || text.len >= sizeof(digits)) return wrong(call, field, "a number");
  cli_str(text, digits, sizeof(digits));
  double value = strtod(digits, &end);
  if (*end || !isfinite(value)) return wrong(call, field, "a number");
  *(double *)at = value;
  return CLI_OK;
}

/* name=value of the command line. */
static int set_text(struct call *call, const struct ff_field *field, void *at, struct ff_str text) {
  switch (field->type) {
  case FF_FIELD_BOOL:
    if (text.len == 4 && memcmp(text.ptr, "true", 4) == 0) *(bool *)at = true;
    else if (text.len == 5 && memcmp(text.ptr, "false", 5) == 0) *(bool *)at = false;
    else return wrong(call, field, "true or false");
    return CLI_OK;
  case FF_FIELD_I32:
  case FF_FIELD_U32:
  case FF_FIELD_I64:
  case FF_FIELD_U64: return set_number(call, field, at, text);
  case FF_FIELD_F64: return set_double(call, field, at, text);
  case FF_FIELD_TEXT: memcpy(at, &text, sizeof(text)); return CLI_OK;
  case FF_FIELD_BYTES: return set_bytes(call, field, at, text, false);
  case FF_FIELD_WORD: return set_word(call, field, at, text);
  case FF_FIELD_STRS: set_list_of_texts(call, at, text); return CLI_OK;
  default: return wrong(call, field, "JSON: give the arguments as one JSON object");
  }
}

static int set_struct(struct call *call, const struct ff_struct *description, void *at,
                      const struct cli_json *object);

static int set_handle(struct call *call, const struct ff_field *field, void *at,
                      const struct cli_json *value) {
  struct ff_handle *handle = at;
  unsigned char *bytes;
  size_t size;
  for (const struct cli_json *member = value->first; member; member = member->next) {
    if (member->type != CLI_JSON_STRING)
      return wrong(call, field, "a handle as an operation answered it");
    if (member->key.len == 7 && memcmp(member->key.ptr, "backend", 7) == 0) {
      handle->backend = (uint8_t)ff_word_parse(FF_WORD_backend, member->text);
    } else if (member->key.len == 4 && memcmp(member->key.ptr, "kind", 4) == 0) {
      handle->kind = (uint8_t)ff_word_parse(FF_WORD_handle_kind, member->text);
    } else if (member->key.len == 6 && memcmp(member->key.ptr, "opaque", 6) == 0) {
      if (!cli_base64_decode(member->text.ptr, member->text.len, &bytes, &size))
        return wrong(call, field, "base64 in opaque");
      bool fits = size <= sizeof(handle->opaque);
      if (fits) memcpy(handle->opaque, bytes, size);
      handle->len = fits ? (uint16_t)size : 0;
      free(bytes);
    }
  }
  return handle->len ? CLI_OK : wrong(call, field, "a handle as an operation answered it");
}

static int set_pairs(struct call *call, const struct ff_field *field, void *at,
                     const struct cli_json *value) {
  struct ff_pair *items = cli_arena_alloc(&call->arena, (value->count + 1) * sizeof(*items));
  struct ff_pairs pairs = {items, value->count};
  for (const struct cli_json *member = value->first; member; member = member->next, items++) {
    if (member->type != CLI_JSON_STRING) return wrong(call, field, "an object of strings");
    *items = (struct ff_pair){member->key, member->text};
  }
  memcpy(at, &pairs, sizeof(pairs));
  return CLI_OK;
}

static int set_strings(struct call *call, const struct ff_field *field, void *at,
                       const struct cli_json *value) {
  struct ff_str *items = cli_arena_alloc(&call->arena, (value->count + 1) * sizeof(*items));
  struct ff_strs list = {items, value->count};
  for (const struct cli_json *item = value->first; item; item = item->next) {
    if (item->type != CLI_JSON_STRING) return wrong(call, field, "an array of strings");
    *items++ = item->text;
  }
  memcpy(at, &list, sizeof(list));
  return CLI_OK;
}

static int set_list(struct call *call, const struct ff_field *field, void *at,
                    const struct cli_json *value) {
  unsigned char *items = cli_arena_alloc(&call->arena, (value->count + 1) * field->fields->size);
  struct any_list {
    const void *items;
    size_t count;
  } list = {items, value->count};
  for (const struct cli_json *item = value->first; item;
       item = item->next, items += field->fields->size) {
    if (item->type != CLI_JSON_OBJECT) return wrong(call, field, "an array of objects");
    int code = set_struct(call, field->fields, items, item);
    if (code != CLI_OK) return code;
  }
  memcpy(at, &list, sizeof(list));
  return CLI_OK;
}

static int set_json(struct call *call, const struct ff_field *field, void *at,
                    const struct cli_json *value) {
  if (value->type == CLI_JSON_NULL) return CLI_OK;
  switch (field->type) {
  case FF_FIELD_BOOL:
    if (value->type != CLI_JSON_TRUE && value->type != CLI_JSON_FALSE)
      return wrong(call, field, "true or false");
    *(bool *)at = value->type == CLI_JSON_TRUE;
    return CLI_OK;
  case FF_FIELD_I32:
  case FF_FIELD_U32:
  case FF_FIELD_I64:
  case FF_FIELD_U64:
    return value->type == CLI_JSON_NUMBER ? set_number(call, field, at, value->text)
                                          : wrong(call, field, "a number");
  case FF_FIELD_F64:
    return value->type == CLI_JSON_NUMBER ? set_double(call, field, at, value->text)
                                          : wrong(call, field, "a number");
  case FF_FIELD_TEXT:
  case FF_FIELD_WORD:
    return value->type == CLI_JSON_STRING ? set_text(call, field, at, value->text)
                                          : wrong(call, field, "a string");
  case FF_FIELD_BYTES:
    return value->type == CLI_JSON_STRING ? set_bytes(call, field, at, value->text, true)
                                          : wrong(call, field, "base64 in a string");
  case FF_FIELD_STRS:
    return value->type == CLI_JSON_ARRAY ? set_strings(call, field, at, value)
                                         : wrong(call, field, "an array");
  case FF_FIELD_PAIRS:
    return value->type == CLI_JSON_OBJECT ? set_pairs(call, field, at, value)
                                          : wrong(call, field, "an object");
  case FF_FIELD_HANDLE:
    return value->type == CLI_JSON_OBJECT ? set_handle(call, field, at, value)
                                          : wrong(call, field, "an object");
  case FF_FIELD_LIST:
    return value->type == CLI_JSON_ARRAY ? set_list(call, field, at, value)
                                         : wrong(call, field, "an array");
  case FF_FIELD_STRUCT:
    return value->type == CLI_JSON_OBJECT ? set_struct(call, field->fields, at, value)
                                          : wrong(call, field, "an object");
  default: return wrong(call, field, "nothing: it cannot be given");
  }
}

/* Structs that begin with their size are the argument structs. */
static void set_size(const struct ff_struct *description, void *at) {
  size_t len = strlen(description->name);
  if (len > 5 && strcmp(description->name + len - 5, "_args") == 0)
    *(uint32_t *)at = description->size;
}

static int set_struct(struct call *call, const struct ff_struct *description, void *at,
                      const struct cli_json *object) {
  set_size(description, at);
  for (const struct cli_json *member = object->first; member; member = member->next) {
    const struct ff_field *field = find_field(description, member->key.ptr, member->key.len);
    if (!field)
      return cli_usage(call->cli, "%s has no argument '%.*s'", description->name,
                       (int)member->key.len, member->key.ptr);
    int code = set_json(call, field, (unsigned char *)at + field->offset, member);
    if (code != CLI_OK) return code;
  }
  return CLI_OK;
}

static int set_argument(struct call *call, const struct ff_operation *op, void *values,
                        const char *word) {
  if (word[0] == '{') {
    struct cli_json_error error;
    struct cli_json *object = cli_json_parse(&call->arena, word, strlen(word), &error);
    if (!object)
      return cli_usage(call->cli, "the JSON object, column %zu: %s", error.offset + 1,
                       error.message);
    return set_struct(call, op->args, values, object);
  }
  const char *equals = strchr(word, '=');
  if (!equals)
    return cli_usage(call->cli, "call expects name=value or a JSON object, got '%s'", word);
  const struct ff_field *field = find_field(op->args, word, (size_t)(equals - word));
  if (!field)
    return cli_usage(call->cli, "%s has no argument '%.*s'; see ff ops %s", op->name,
                     (int)(equals - word), word, op->name);
  return set_text(call, field, (unsigned char *)values + field->offset, ff_text(equals + 1));
}

static int call_operation(struct call *call, const struct ff_operation *op, struct cli_args *args) {
  void *values = cli_arena_alloc(&call->arena, op->args->size);
  void *result = cli_arena_alloc(&call->arena, op->result->size);
  set_size(op->args, values);
  int code = CLI_OK;
  for (int i = 1; i < args->word_count && code == CLI_OK; i++)
    code = set_argument(call, op, values, args->words[i]);
  if (code != CLI_OK) return code;
  bool reads = op->class_ == FF_OPERATION_READ;
  code = cli_open(call->cli, op->class_ == FF_OPERATION_WAIT ? CLI_WATCH
                             : reads                         ? CLI_READ
                                                             : CLI_WRITE);
  if (code != CLI_OK) return code;
  struct ff_error error = {0};
  if (ff_call(call->cli->engine, op, values, result, &error) != FF_OK)
    return cli_fail(call->cli, &error);
  cli_json_struct(stdout, op->result, result);
  putchar('\n');
  ff_clear(result);
  return CLI_OK;
}

static int run_call(struct cli *cli, int argc, char **argv) {
  struct call call = {.cli = cli};
  struct cli_args args;
  cli_args_init(&args, cli, argc, argv);
  int code = cli_args_next(&args);
  if (code != CLI_ARGS_END) return cli_args_stop(code);
  if (!args.word_count) return cli_usage(cli, "call expects an operation; ff ops lists them");
  const struct ff_operation *op = ff_operation_find(ff_text(args.words[0]));
  if (!op) return cli_usage(cli, "there is no operation '%s'; ff ops lists them", args.words[0]);
  code = call_operation(&call, op, &args);
  cli_arena_fini(&call.arena);
  return code;
}

const struct cli_verb cli_verb_call = {
    .name = "call",
    .summary = "call any operation by its name; prints its result as JSON",
    .usage = "call OPERATION [NAME=VALUE... | JSON]",
    .examples =
        "ff call change_priority execution_id={fp:7}:550e8400-e29b-41d4-a716-446655440000 "
        "new_priority=100\n"
        "ff call place_hold execution_id=EID\n"
        "ff call set_execution_tags '{\"execution_id\":\"EID\",\"tags\":{\"app.stage\":\"2\"}}'",
    .notes = "Lists of texts are a,b,c. Bytes are taken as they are in NAME=VALUE, as base64\n"
             "in JSON. ff ops OPERATION shows the arguments.",
    .run = run_call,
};
