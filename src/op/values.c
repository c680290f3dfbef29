/*
 * Deep copies of argument and result structs: one walk that measures, one that copies, one block.
 *
 * Runs once per call and direction: a struct without dynamic parts costs a memcpy and a look at its
 * fields.
 */
#include "op/values.h"

#include <stdlib.h>

/* Space handed out in order; base NULL while measuring. */
struct block {
  char *base;
  size_t used;
};

static void *take(struct block *b, size_t size, size_t align) {
  size_t at = (b->used + align - 1) / align * align;
  b->used = at + size;
  return b->base ? b->base + at : NULL;
}

/* A NUL-terminated copy, NULL while measuring. */
static char *own_octets(struct block *b, const void *ptr, size_t len) {
  char *copy = take(b, len + 1, 1);
  if (!copy) return NULL;
  if (len) memcpy(copy, ptr, len);
  copy[len] = '\0';
  return copy;
}

static void own_text(struct block *b, struct ff_str *t) {
  if (!t->ptr) return;
  char *copy = own_octets(b, t->ptr, t->len);
  if (copy) t->ptr = copy;
}

static void own_bytes(struct block *b, struct ff_bytes *bytes) {
  if (!bytes->ptr) return;
  char *copy = own_octets(b, bytes->ptr, bytes->len);
  if (copy) bytes->ptr = copy;
}

/* An array as the block has it; the source array itself while measuring, when nothing may be
 * stored through it. */
static void *own_array(struct block *b, const void *items, size_t count, size_t item_size) {
  if (count == 0) return NULL;
  void *copy = take(b, count * item_size, _Alignof(max_align_t));
  return copy ? memcpy(copy, items, count * item_size) : (void *)(uintptr_t)items;
}

static void own_fields(const struct ff_struct *s, void *values, struct block *b);

/* Lists differ in the type their pointer has, so the pointer is moved as bytes. */
static void own_list(const struct ff_struct *s, void *at, struct block *b) {
  const void *items;
  size_t count;
  memcpy(&items, at, sizeof items);
  memcpy(&count, (char *)at + sizeof items, sizeof count);
  char *copy = own_array(b, items, count, s->size);
  for (size_t i = 0; i < count; i++) own_fields(s, copy + i * s->size, b);
  if (b->base) memcpy(at, &copy, sizeof copy);
}

static void own_strs(struct block *b, struct ff_strs *list) {
  struct ff_str *copy = own_array(b, list->items, list->count, sizeof *copy);
  for (size_t i = 0; i < list->count; i++) own_text(b, &copy[i]);
  if (b->base) list->items = copy;
}

static void own_pairs(struct block *b, struct ff_pairs *list) {
  struct ff_pair *copy = own_array(b, list->items, list->count, sizeof *copy);
  for (size_t i = 0; i < list->count; i++) {
    own_text(b, &copy[i].key);
    own_text(b, &copy[i].value);
  }
  if (b->base) list->items = copy;
}

/* Stores nothing while measuring: what a caller's lists point to may be constant. */
static void own_fields(const struct ff_struct *s, void *values, struct block *b) {
  for (uint32_t i = 0; i < s->field_count; i++) {
    const struct ff_field *f = &s->fields[i];
    void *at = (char *)values + f->offset;
    switch (f->type) {
      case FF_FIELD_TEXT: own_text(b, at); break;
      case FF_FIELD_BYTES: own_bytes(b, at); break;
      case FF_FIELD_STRS: own_strs(b, at); break;
      case FF_FIELD_PAIRS: own_pairs(b, at); break;
      case FF_FIELD_STRUCT: own_fields(f->fields, at, b); break;
      case FF_FIELD_LIST: own_list(f->fields, at, b); break;
      default: break;
    }
  }
}

size_t values_dynamic_size(const struct ff_struct *s, const void *values) {
  struct block b = {NULL, 0};
  own_fields(s, (void *)(uintptr_t)values, &b);
  return b.used;
}

void values_deep_copy(const struct ff_struct *s, const void *src, void *dst,
                      struct ff_memory **memory) {
  if (dst != src) memcpy(dst, src, s->size);
  struct block b = {NULL, 0};
  own_fields(s, dst, &b);
  struct ff_memory *owned = NULL;
  if (b.used) {
    owned = heap_alloc(b.used);
    b = (struct block){(char *)owned, 0};
    own_fields(s, dst, &b);
  }
  *memory = owned;
}

void values_free(struct ff_memory *memory) { free(memory); }
