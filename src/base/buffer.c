/*
 * Growing byte buffers, and the allocation every other file goes through.
 *
 * It must never let a caller see NULL from malloc: a durable engine that runs out of memory stops,
 * its store is the truth.
 */
#include "base/base.h"

#include <stdlib.h>

static void *must_have(void *ptr, size_t size) {
  if (ptr == NULL) {
    fprintf(stderr, "flowfabric: out of memory (%zu bytes wanted)\n", size);
    abort();
  }
  return ptr;
}

/* malloc(0) may answer NULL: ask for one byte instead. */
void *heap_alloc(size_t size) { return must_have(malloc(size ? size : 1), size); }
void *heap_zalloc(size_t size) { return must_have(calloc(1, size ? size : 1), size); }
void *heap_realloc(void *ptr, size_t size) {
  return must_have(realloc(ptr, size ? size : 1), size);
}

void buffer_init(struct buffer *b) { *b = (struct buffer){0}; }

void buffer_fini(struct buffer *b) {
  free(b->ptr);
  buffer_init(b);
}

void buffer_clear(struct buffer *b) {
  b->len = 0;
  if (b->ptr != NULL) b->ptr[0] = '\0';
}

/* Room for `more` bytes and the NUL behind them. */
static void reserve(struct buffer *b, size_t more) {
  INVARIANT(more < SIZE_MAX / 4 && b->len < SIZE_MAX / 4);
  size_t need = b->len + more + 1;
  if (need <= b->capacity) return;
  size_t capacity = b->capacity < 64 ? 64 : b->capacity * 2;
  if (capacity < need) capacity = need;
  b->ptr = heap_realloc(b->ptr, capacity);
  b->capacity = capacity;
}

void buffer_append(struct buffer *b, const void *ptr, size_t len) {
  reserve(b, len);
  if (len > 0) memcpy(b->ptr + b->len, ptr, len);
  b->len += len;
  b->ptr[b->len] = '\0';
}

void buffer_append_text(struct buffer *b, struct ff_str t) { buffer_append(b, t.ptr, t.len); }
void buffer_append_c(struct buffer *b, const char *s) { buffer_append(b, s, strlen(s)); }

void buffer_append_char(struct buffer *b, char c) {
  reserve(b, 1);
  b->ptr[b->len++] = c;
  b->ptr[b->len] = '\0';
}

void buffer_printf(struct buffer *b, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  reserve(b, 63);
  size_t room = b->capacity - b->len;
  int len = vsnprintf(b->ptr + b->len, room, format, args);
  INVARIANT(len >= 0);
  if ((size_t)len >= room) {
    reserve(b, (size_t)len);
    vsnprintf(b->ptr + b->len, (size_t)len + 1, format, again);
  }
  b->len += (size_t)len;
  va_end(again);
  va_end(args);
}

struct ff_str buffer_text(const struct buffer *b) {
  return b->ptr == NULL ? TEXT_LIT("") : text_of(b->ptr, b->len);
}
