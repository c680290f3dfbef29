/*
 * Every public operation, generated from the operation table; reflection; results.
 *
 * Nothing here knows what an operation does.
 */
#include "api/api.h"
#include "op/values.h"

#include <stdlib.h>

/* A struct so much larger than ours is no later version of it but memory nobody has initialised. */
#define UNKNOWN_MEMBERS_MAX 4096

enum ff_rc api_sized_copy(void *full, size_t full_size, const void *given, uint32_t size,
                          const char *field, struct ff_error *error) {
  if (size < sizeof size || size > full_size + UNKNOWN_MEMBERS_MAX)
    return error_field(error, FF_CODE_invalid_input, field,
                       "size is %u: initialise the struct with its INIT macro", size);
  for (size_t i = full_size; i < size; i++)
    if (((const uint8_t *)given)[i] != 0)
      return error_field(error, FF_CODE_invalid_input, field,
                         "the struct has members this library does not know");
  memcpy(full, given, size < full_size ? size : full_size);
  return FF_OK;
}

/* What texts, bytes and lists of every kind begin with. */
struct span {
  const uint8_t *ptr;
  size_t len;
};

_Static_assert(sizeof(struct ff_pair) == 2 * sizeof(struct span), "a pair is two texts");

static struct span span_at(const void *at) {
  struct span span;
  memcpy(&span, at, sizeof span);
  return span;
}

static bool is_hollow(struct span span) { return !span.ptr && span.len; }

static bool any_hollow(const uint8_t *spans, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (is_hollow(span_at(spans + i * sizeof(struct span)))) return true;
  return false;
}

/* The first member that has a length but no memory, NULL when there is none. */
static const struct ff_field *hollow_member(const struct ff_struct *s, const void *values) {
  for (uint32_t i = 0; i < s->field_count; i++) {
    const struct ff_field *f = &s->fields[i], *inner = NULL;
    const uint8_t *at = (const uint8_t *)values + f->offset;
    bool list = f->type == FF_FIELD_STRS || f->type == FF_FIELD_PAIRS || f->type == FF_FIELD_LIST;
    struct span span = {NULL, 0};
    if (list || f->type == FF_FIELD_TEXT || f->type == FF_FIELD_BYTES) span = span_at(at);
    if (is_hollow(span)) return f;
    if (f->type == FF_FIELD_STRS && any_hollow(span.ptr, span.len)) return f;
    if (f->type == FF_FIELD_PAIRS && any_hollow(span.ptr, 2 * span.len)) return f;
    if (f->type == FF_FIELD_STRUCT) inner = hollow_member(f->fields, at);
    if (f->type == FF_FIELD_LIST)
      for (size_t k = 0; k < span.len && !inner; k++)
        inner = hollow_member(f->fields, span.ptr + k * f->fields->size);
    if (inner) return inner;
  }
  return NULL;
}

static enum ff_rc check_spans(const struct ff_struct *s, const void *args, struct ff_error *error) {
  const struct ff_field *f = hollow_member(s, args);
  if (!f) return FF_OK;
  return error_field(error, FF_CODE_invalid_input, f->name, "has a length but no memory");
}

/* In this process, or over HTTP. */
static enum ff_rc dispatch(struct ff_engine *e, enum op_id op, const void *args, void *result,
                           engine_done_fn *done, void *user, struct ff_error *error) {
  if (e->client)
    return done ? client_call_async(e->client, op, args, done, user, error)
                : client_call(e->client, op, args, result, error);
  return done ? engine_call_async(e->engine, op, args, done, user, error)
              : engine_call(e->engine, op, args, result, error);
}

/* A struct of this library's own size is used where it lies; any other is brought to it first. */
static enum ff_rc call_sized(struct ff_engine *engine, enum op_id op, const void *args,
                             void *result, engine_done_fn *done, void *user,
                             struct ff_error *error) {
  const struct op_info *info = &op_infos[op];
  uint32_t size;
  memcpy(&size, args, sizeof size);
  void *full = NULL;
  enum ff_rc rc = FF_OK;
  if (size != info->args_size) {
    full = heap_zalloc(info->args_size);
    rc = api_sized_copy(full, info->args_size, args, size, "args", error);
    args = full;
  }
  if (rc == FF_OK) rc = check_spans(info->args, args, error);
  if (rc == FF_OK)
    rc = dispatch(engine, op, args, result, done, user, error);
  else if (result)
    memset(result, 0, info->result_size);
  free(full);
  return rc;
}

/* Carries a typed callback through the untyped engine. */
struct async {
  void (*done)(void);
  void *user;
};

#define X(op, class_, how)                                                                       \
  enum ff_rc ff_##op(struct ff_engine *engine, const struct ff_##op##_args *args,                \
                     struct ff_##op##_result *result, struct ff_error *error) {                  \
    return call_sized(engine, OP_##op, args, result, NULL, NULL, error);                         \
  }                                                                                              \
  static void done_##op(void *user, enum ff_rc rc, void *result, const struct ff_error *error) { \
    struct async async = *(struct async *)user;                                                  \
    free(user);                                                                                  \
    ((void (*)(void *, enum ff_rc, struct ff_##op##_result *,                                    \
               const struct ff_error *))async.done)(async.user, rc, result, error);              \
  }                                                                                              \
  enum ff_rc ff_##op##_async(                                                                    \
      struct ff_engine *engine, const struct ff_##op##_args *args,                               \
      void (*done)(void *, enum ff_rc, struct ff_##op##_result *, const struct ff_error *),      \
      void *user, struct ff_error *error) {                                                      \
    struct async *async = heap_alloc(sizeof *async);                                             \
    *async = (struct async){(void (*)(void))done, user};                                         \
    enum ff_rc rc = call_sized(engine, OP_##op, args, NULL, done_##op, async, error);            \
    if (rc != FF_OK) free(async);                                                                \
    return rc;                                                                                   \
  }
OP_TABLE(X)
#undef X

/* The public description is a view of the table, in the same order. */
static struct ff_operation operations[OP_COUNT];

static void __attribute__((constructor)) describe_operations(void) {
  for (int i = 0; i < OP_COUNT; i++)
    operations[i] = (struct ff_operation){op_infos[i].name, op_infos[i].class_, op_infos[i].args,
                                          op_infos[i].result};
}

const struct ff_operation *ff_operations(size_t *count) {
  *count = OP_COUNT;
  return operations;
}

const struct ff_operation *ff_operation_find(struct ff_str name) {
  for (int i = 0; i < OP_COUNT; i++)
    if (text_equal_c(name, operations[i].name)) return &operations[i];
  return NULL;
}

enum ff_rc ff_call(struct ff_engine *engine, const struct ff_operation *op, const void *args,
                   void *result, struct ff_error *error) {
  return call_sized(engine, (enum op_id)(op - operations), args, result, NULL, NULL, error);
}

enum ff_rc ff_call_async(struct ff_engine *engine, const struct ff_operation *op, const void *args,
                         void (*done)(void *, enum ff_rc, void *, const struct ff_error *),
                         void *user, struct ff_error *error) {
  return call_sized(engine, (enum op_id)(op - operations), args, NULL, done, user, error);
}

bool ff_end_wait(struct ff_engine *engine, const void *user) {
  return engine->engine && engine_end_wait(engine->engine, user);
}

void ff_clear(void *result) {
  if (!result) return;
  values_free(*(struct ff_memory **)result);
  *(struct ff_memory **)result = NULL;
}
