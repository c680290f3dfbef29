/*
 * The JSON reader on any bytes: what it accepts is UTF-8, is written back, and reads the same
 * again.
 */
#include "fuzz.h"

#include "base/json.h"

#define OPEN_16 "[[[[[[[[[[[[[[[["
#define CLOSE_16 "]]]]]]]]]]]]]]]]"

const struct ff_str fuzz_seeds[] = {
    SEED("{\"a\":[1,-2.5e+3,true,false,null],\"b\":{\"c\":\"x\"}}"),
    SEED("[\"\\u0041\\ud83d\\ude00\\n\\\\\\\"\\/\",\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"]"),
    SEED(OPEN_16 OPEN_16 OPEN_16 OPEN_16 "1" CLOSE_16 CLOSE_16 CLOSE_16 CLOSE_16),
    SEED("{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":0,"
         "\"k\":1,\"l\":2,\"m\":3,\"n\":4,\"o\":5,\"p\":6,\"q\":7,\"r\":8}"),
    SEED("18446744073709551615"),
    SEED(" \t\r\n{} "),
    {NULL, 0}};

static bool same(const struct json *a, const struct json *b) {
  if (a->type != b->type || a->count != b->count) return false;
  if (!text_equal(a->key, b->key) || !text_equal(a->text, b->text)) return false;
  const struct json *x = a->first, *y = b->first;
  size_t count = 0;
  for (; x != NULL && y != NULL; x = x->next, y = y->next, count++)
    if (!same(x, y)) return false;
  return x == NULL && y == NULL && count == a->count;
}

static void check_value(const struct json *v, size_t size) {
  uint64_t u = 0;
  int64_t i = 0;
  double d = 0;
  INVARIANT(v->offset < size);
  INVARIANT(text_is_utf8(v->text) && text_is_utf8(v->key));
  if (json_u64(v, &u) && json_i64(v, &i)) INVARIANT((uint64_t)i == u);
  if (json_i64(v, &i)) INVARIANT(json_double(v, &d) && d >= -9.3e18 && d <= 9.3e18);
  for (const struct json *child = v->first; child != NULL; child = child->next) check_value(child,
                                                                                            size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct arena arena;
  struct ff_str text = text_of((const char *)data, size);
  const struct json *first = NULL, *second = NULL;
  struct json_error error = {0};
  arena_init(&arena);
  if (!json_parse(text, &arena, &first, &error)) {
    INVARIANT(first == NULL && error.message != NULL && error.offset <= size);
    INVARIANT(error.line >= 1 && error.column >= 1);
  } else {
    struct buffer out;
    buffer_init(&out);
    INVARIANT(text_is_utf8(text));
    check_value(first, size);
    json_write(&out, first);
    INVARIANT(json_parse(buffer_text(&out), &arena, &second, &error));
    INVARIANT(same(first, second));
    buffer_fini(&out);
  }
  arena_fini(&arena);
  return 0;
}
