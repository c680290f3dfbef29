/*
 * The inner types and helpers that know nothing of this product: text, uuid, arena, hashes.
 *
 * Only src/base/clock.c and src/base/random.c call the operating system.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include "flowfabric/base.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MUST_USE FF_MUST_USE

/* Invariants of the code stay on in release builds: a broken one must stop the process before it is
 * stored. */
void invariant_failed(const char *what, const char *file, int line) __attribute__((noreturn, cold));
#define INVARIANT(condition) \
  ((condition) ? (void)0 : invariant_failed(#condition, __FILE__, __LINE__))

/* ---- text ---- */
static inline struct ff_str text_of(const char *ptr, size_t len) {
  return (struct ff_str){ptr, len};
}
static inline bool text_present(struct ff_str t) { return t.ptr != NULL; }
static inline bool text_nonempty(struct ff_str t) { return t.ptr != NULL && t.len > 0; }
static inline bool text_equal(struct ff_str a, struct ff_str b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
/* Byte order, shorter first on a common prefix; absent sorts as empty. */
int text_compare(struct ff_str a, struct ff_str b);
bool text_equal_c(struct ff_str a, const char *b);
/* True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms) without NUL. */
bool text_is_utf8(struct ff_str t);
#define TEXT_LIT(literal) ((struct ff_str){"" literal, sizeof(literal) - 1})
#define TEXT_FMT "%.*s"
#define TEXT_ARG(t) (int)(t).len, (t).ptr ? (t).ptr : ""

static inline bool bytes_equal(struct ff_bytes a, struct ff_bytes b) {
  return a.len == b.len && (a.ptr == NULL) == (b.ptr == NULL) &&
         (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ---- uuid ---- */
struct uuid {
  uint8_t b[16];
};
static inline bool uuid_equal(struct uuid a, struct uuid b) { return memcmp(a.b, b.b, 16) == 0; }
static inline int uuid_compare(struct uuid a, struct uuid b) { return memcmp(a.b, b.b, 16); }
bool uuid_is_nil(struct uuid u);
/* Strict 36-character hyphenated form, either case (01 ID-1). */
bool uuid_parse(struct ff_str text, struct uuid *out) MUST_USE;
/* Writes 36 lower-case characters and a NUL. */
void uuid_format(struct uuid u, char out[37]);
/* A version-7 uuid of a time in ms, a 12-bit sequence (order within the ms) and 62 random bits. */
struct uuid uuid_v7(int64_t ms, uint16_t sequence, uint64_t random);

/* ---- arena: many small allocations, one release ---- */
struct arena {
  struct arena_chunk *head; /* newest chunk first */
  uint8_t *next, *end;      /* free space of the newest chunk */
};
void arena_init(struct arena *a);
void arena_fini(struct arena *a);
/* Forgets every allocation but keeps the first chunk, so that a steady user stops calling malloc.
 */
void arena_reset(struct arena *a);
/* 16-byte aligned, not zeroed. Never NULL: running out of memory stops the process. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_zalloc(struct arena *a, size_t size);
void *arena_copy(struct arena *a, const void *ptr, size_t size);
/* The copy is NUL-terminated; an absent text stays absent. */
struct ff_str arena_text(struct arena *a, struct ff_str t);
struct ff_bytes arena_bytes(struct arena *a, struct ff_bytes b);
struct ff_str arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct ff_str arena_vprintf(struct arena *a, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_zalloc((a), sizeof(type) * (count)))

/* ---- buffer: growing bytes, malloc'd ---- */
struct buffer {
  char *ptr;
  size_t len, capacity;
};
void buffer_init(struct buffer *b);
void buffer_fini(struct buffer *b);
void buffer_clear(struct buffer *b);
void buffer_append(struct buffer *b, const void *ptr, size_t len);
void buffer_append_text(struct buffer *b, struct ff_str t);
void buffer_append_c(struct buffer *b, const char *s);
void buffer_append_char(struct buffer *b, char c);
void buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Always NUL-terminated behind len. */
struct ff_str buffer_text(const struct buffer *b);

/* malloc that never answers NULL; running out of memory stops the process with a message. */
void *heap_alloc(size_t size);
void *heap_zalloc(size_t size);
void *heap_realloc(void *ptr, size_t size);

/* ---- hashes (none is security relevant; vectors in 01 §1) ---- */
uint64_t hash_fnv1a64(const void *ptr, size_t len);
uint16_t hash_crc16_xmodem(const void *ptr, size_t len);
/* 8 lower-case hex digits of low32 XOR high32 of FNV-1a 64, and a NUL. */
void hash_xor8hex(const void *ptr, size_t len, char out[9]);
/* A good 64-bit mix (splitmix64 finaliser); the step of the deterministic generators. */
static inline uint64_t hash_mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}
void hex_encode(const void *ptr, size_t len, char *out); /* 2*len digits and a NUL */

/* ---- numbers in text ---- */
/* Decimal, ASCII digits only, no sign, no leading zero unless exactly "0"; false on overflow or
 * other bytes. */
bool parse_u64(struct ff_str t, uint64_t *out) MUST_USE;
/* An optional '-' before the same. */
bool parse_i64(struct ff_str t, int64_t *out) MUST_USE;
/* a + b, saturating at INT64_MAX / INT64_MIN. */
int64_t add_saturating(int64_t a, int64_t b);

/* ---- the machine (clock.c, random.c) ---- */
int64_t clock_wall_ms(void);      /* ms since the Unix epoch */
int64_t clock_monotonic_us(void); /* for durations only */
uint64_t random_u64(void);        /* from the kernel */

#endif
