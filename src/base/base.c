/*
 * Text comparison and checking, numbers in text, and the end of the process on a broken invariant.
 *
 * Pure functions of their arguments. It must never allocate and never depend on the locale.
 */
#include "base/base.h"

#include "base/utf8.h"

#include <stdlib.h>

void invariant_failed(const char *what, const char *file, int line) {
  fprintf(stderr, "flowfabric: invariant broken: %s (%s:%d)\n", what, file, line);
  fflush(stderr);
  abort();
}

int text_compare(struct ff_str a, struct ff_str b) {
  size_t common = a.len < b.len ? a.len : b.len;
  int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);
  if (order != 0) return order;
  return a.len < b.len ? -1 : a.len > b.len;
}

bool text_equal_c(struct ff_str a, const char *b) { return text_equal(a, ff_text(b)); }

/* How many leading bytes are in 0x01..0x7f, in steps of 8: most text is only that. */
static size_t plain_prefix(const char *p, size_t len) {
  const uint64_t high = 0x8080808080808080u, ones = 0x0101010101010101u;
  size_t i = 0;
  for (; i + 8 <= len; i += 8) {
    uint64_t word;
    memcpy(&word, p + i, 8);
    /* A zero byte borrows into its high bit; without high bits set before, nothing else does. */
    if (((word | (word - ones)) & high) != 0) break;
  }
  return i;
}

bool text_is_utf8(struct ff_str t) {
  size_t i = plain_prefix(t.ptr, t.len);
  while (i < t.len) {
    uint32_t code_point = 0;
    size_t step = utf8_step(t.ptr + i, t.len - i, &code_point);
    if (step == 0 || code_point == 0) return false;
    i += step;
  }
  return true;
}

bool parse_u64(struct ff_str t, uint64_t *out) {
  if (t.len == 0 || t.len > 20 || (t.ptr[0] == '0' && t.len > 1)) return false;
  uint64_t value = 0;
  for (size_t i = 0; i < t.len; i++) {
    unsigned digit = (unsigned)(unsigned char)t.ptr[i] - '0';
    if (digit > 9) return false;
    if (value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *out = value;
  return true;
}

bool parse_i64(struct ff_str t, int64_t *out) {
  bool negative = t.len > 0 && t.ptr[0] == '-';
  uint64_t magnitude = 0;
  struct ff_str digits = negative ? text_of(t.ptr + 1, t.len - 1) : t;
  if (!parse_u64(digits, &magnitude)) return false;
  if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0)) return false;
  if (!negative) {
    *out = (int64_t)magnitude;
  } else {
    /* -INT64_MIN does not exist: count down from -1 instead of negating. */
    *out = magnitude == 0 ? 0 : -(int64_t)(magnitude - 1) - 1;
  }
  return true;
}

int64_t add_saturating(int64_t a, int64_t b) {
  int64_t sum;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? INT64_MAX : INT64_MIN;
}
