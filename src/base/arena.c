/*
 * The arena: a list of malloc'd chunks handed out from front to back, given back all at once.
 *
 * It never runs destructors and never answers NULL. One thread at a time uses an arena. Under
 * AddressSanitizer everything that is not handed out is poisoned, so a pointer kept over
 * arena_reset, or a write past an allocation, is caught.
 */
#include "base/base.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(ptr, size) ASAN_POISON_MEMORY_REGION((ptr), (size))
#define UNPOISON(ptr, size) ASAN_UNPOISON_MEMORY_REGION((ptr), (size))
#else
#define POISON(ptr, size) ((void)(ptr), (void)(size))
#define UNPOISON(ptr, size) ((void)(ptr), (void)(size))
#endif

#define CHUNK_MIN ((size_t)4096)
/* Growth stops here; a larger request gets a chunk of its own. */
#define CHUNK_MAX ((size_t)1 << 20)

struct arena_chunk {
  struct arena_chunk *next;
  size_t size; /* usable bytes behind the header */
};
_Static_assert(sizeof(struct arena_chunk) == 16, "keeps allocations 16-byte aligned");

static uint8_t *chunk_start(struct arena_chunk *c) { return (uint8_t *)(c + 1); }

static struct arena_chunk *chunk_new(size_t size) {
  struct arena_chunk *c = heap_alloc(sizeof(*c) + size);
  c->next = NULL;
  c->size = size;
  POISON(chunk_start(c), size);
  return c;
}

static void chunk_free(struct arena_chunk *c) {
  UNPOISON(chunk_start(c), c->size);
  free(c);
}

static void use_from_start(struct arena *a, struct arena_chunk *c) {
  a->next = chunk_start(c);
  a->end = a->next + c->size;
}

void arena_init(struct arena *a) { *a = (struct arena){0}; }

void arena_fini(struct arena *a) {
  for (struct arena_chunk *c = a->head; c != NULL;) {
    struct arena_chunk *next = c->next;
    chunk_free(c);
    c = next;
  }
  arena_init(a);
}

void arena_reset(struct arena *a) {
  if (a->head == NULL) return;
  struct arena_chunk *largest = a->head;
  for (struct arena_chunk *c = a->head; c != NULL; c = c->next)
    if (c->size > largest->size) largest = c;
  for (struct arena_chunk *c = a->head; c != NULL;) {
    struct arena_chunk *next = c->next;
    if (c != largest) chunk_free(c);
    c = next;
  }
  largest->next = NULL;
  a->head = largest;
  POISON(chunk_start(largest), largest->size);
  use_from_start(a, largest);
}

/* The slow path: `need` does not fit into the newest chunk. Chunks double, so that the largest,
 * which arena_reset keeps, soon holds all a steady user wants. */
static void *alloc_from_new_chunk(struct arena *a, size_t need) {
  if (need > CHUNK_MAX / 2 && a->head != NULL) {
    /* A lone large allocation goes behind the newest chunk, whose free space stays in use. */
    struct arena_chunk *own = chunk_new(need);
    own->next = a->head->next;
    a->head->next = own;
    return chunk_start(own);
  }
  size_t size = a->head == NULL ? CHUNK_MIN : a->head->size * 2;
  if (size > CHUNK_MAX) size = CHUNK_MAX;
  while (size < need) size *= 2;
  struct arena_chunk *c = chunk_new(size);
  c->next = a->head;
  a->head = c;
  use_from_start(a, c);
  void *ptr = a->next;
  a->next += need;
  return ptr;
}

void *arena_alloc(struct arena *a, size_t size) {
  INVARIANT(size <= SIZE_MAX / 4);
  size_t need = size == 0 ? 16 : (size + 15) & ~(size_t)15;
  void *ptr;
  if (need <= (size_t)(a->end - a->next)) {
    ptr = a->next;
    a->next += need;
  } else {
    ptr = alloc_from_new_chunk(a, need);
  }
  UNPOISON(ptr, size);
  return ptr;
}

void *arena_zalloc(struct arena *a, size_t size) {
  void *ptr = arena_alloc(a, size);
  memset(ptr, 0, size);
  return ptr;
}

void *arena_copy(struct arena *a, const void *ptr, size_t size) {
  void *copy = arena_alloc(a, size);
  if (size > 0) memcpy(copy, ptr, size);
  return copy;
}

struct ff_str arena_text(struct arena *a, struct ff_str t) {
  if (t.ptr == NULL) return (struct ff_str){0};
  char *copy = arena_alloc(a, t.len + 1);
  memcpy(copy, t.ptr, t.len);
  copy[t.len] = '\0';
  return text_of(copy, t.len);
}

struct ff_bytes arena_bytes(struct arena *a, struct ff_bytes b) {
  if (b.ptr == NULL) return (struct ff_bytes){0};
  return (struct ff_bytes){arena_copy(a, b.ptr, b.len), b.len};
}

struct ff_str arena_vprintf(struct arena *a, const char *format, va_list args) {
  char guess[256]; /* most texts fit: one pass of the formatter instead of two */
  va_list again;
  va_copy(again, args);
  int len = vsnprintf(guess, sizeof(guess), format, args);
  INVARIANT(len >= 0);
  char *text = arena_alloc(a, (size_t)len + 1);
  if ((size_t)len < sizeof(guess))
    memcpy(text, guess, (size_t)len + 1);
  else
    vsnprintf(text, (size_t)len + 1, format, again);
  va_end(again);
  return text_of(text, (size_t)len);
}

struct ff_str arena_printf(struct arena *a, const char *format, ...) {
  va_list args;
  va_start(args, format);
  struct ff_str text = arena_vprintf(a, format, args);
  va_end(args);
  return text;
}
