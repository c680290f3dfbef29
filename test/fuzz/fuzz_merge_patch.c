/*
 * Merge patches of any bytes: the first line is a patch that makes a document, the rest a patch
 * upon it. What results is bounded, sorted, free of the word for null, and the same on every way.
 */
#include "fuzz.h"

#include "base/merge_patch.h"

const struct ff_str fuzz_seeds[] = {
    SEED("{\"a\":\"b\",\"c\":{\"d\":1}}\n{\"a\":null,\"c\":{\"e\":[1,null]}}"),
    SEED("{\"a\":1}\n{\"a\":{\"b\":{\"c\":null}}}"),
    SEED("{\"a\":{\"b\":1}}\n{\"a\":[\"__ff_null__\",{\"x\":\"__ff_null__\",\"x\":2}]}"),
    SEED("{}\n{\"z\":1,\"a\":2,\"z\":{\"y\":-0.50e1}}"),
    {NULL, 0}};

static bool word_for_null(const struct json *v) {
  return v->type == JSON_STRING && text_equal_c(v->text, MERGE_PATCH_NULL);
}

static void check_document(const struct json *v, unsigned objects, unsigned levels) {
  INVARIANT(!word_for_null(v));
  if (v->type == JSON_OBJECT) objects++;
  if (v->type == JSON_OBJECT || v->type == JSON_ARRAY) levels++;
  INVARIANT(objects <= MERGE_PATCH_OBJECTS_MAX && levels <= MERGE_PATCH_NESTING_MAX);
  size_t count = 0;
  for (const struct json *child = v->first; child != NULL; child = child->next, count++) {
    if (v->type == JSON_OBJECT && child->next != NULL)
      INVARIANT(text_compare(child->key, child->next->key) < 0);
    check_document(child, objects, levels);
  }
  INVARIANT(count == v->count);
}

static void write_document(struct buffer *out, const struct json *document) {
  buffer_clear(out);
  json_write(out, document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *text = (const char *)data, *line = size > 0 ? memchr(text, '\n', size) : NULL;
  size_t first = line != NULL ? (size_t)(line - text) : 0;
  size_t rest = line != NULL ? first + 1 : 0;
  const struct json *patch = NULL, *document = NULL, *stored = NULL, *again = NULL;
  struct json_error error;
  struct arena arena;
  struct buffer before, after;
  arena_init(&arena);
  buffer_init(&before);
  buffer_init(&after);
  if (merge_patch_read(text_of(text, first), &arena, &patch) == MERGE_PATCH_OK)
    document = merge_patch_apply(NULL, patch, &arena);
  if (merge_patch_read(text_of(text + rest, size - rest), &arena, &patch) == MERGE_PATCH_OK) {
    if (document != NULL) {
      write_document(&before, document);
      INVARIANT(json_parse(buffer_text(&before), &arena, &stored, &error));
    }
    again = merge_patch_apply(stored, patch, &arena);
    document = merge_patch_apply(document, patch, &arena);
    check_document(document, 0, 0);
    write_document(&before, document);
    write_document(&after, again);
    INVARIANT(text_equal(buffer_text(&before), buffer_text(&after)));
    /* A patch upon its own result changes nothing. */
    write_document(&after, merge_patch_apply(again, patch, &arena));
    INVARIANT(text_equal(buffer_text(&before), buffer_text(&after)));
  }
  buffer_fini(&before);
  buffer_fini(&after);
  arena_fini(&arena);
  return 0;
}
