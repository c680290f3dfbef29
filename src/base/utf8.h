/*
 * One decoding step of UTF-8, shared by the text check, the JSON reader, worker ids and error text.
 *
 * Private to src/base. It never reads past `left` and never accepts what the standard calls
 * ill-formed.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/base.h"

/* The length of the sequence at text, 1..4, and its code point; 0 when ill-formed or cut short. */
static inline size_t utf8_step(const char *text, size_t left, uint32_t *code_point) {
  const unsigned char *p = (const unsigned char *)text;
  if (left == 0) return 0;
  if (p[0] < 0x80) {
    *code_point = p[0];
    return 1;
  }
  size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
  if (p[0] < 0xc2 || p[0] > 0xf4 || left < len) return 0;
  uint32_t value = p[0] & (0x7fu >> len);
  for (size_t i = 1; i < len; i++) {
    if ((p[i] & 0xc0) != 0x80) return 0;
    value = value << 6 | (p[i] & 0x3fu);
  }
  /* The first byte rules out overlong two-byte forms; here the other ill-formed ones. */
  if (len == 3 && (value < 0x800 || (value >= 0xd800 && value <= 0xdfff))) return 0;
  if (len == 4 && (value < 0x10000 || value > 0x10ffff)) return 0;
  *code_point = value;
  return len;
}

/* The largest length <= limit at which t may be cut without splitting a well-formed sequence. */
static inline size_t utf8_cut(const char *t, size_t len, size_t limit) {
  if (len <= limit) return len;
  size_t cut = limit;
  while (cut > 0 && limit - cut < 3 && ((unsigned char)t[cut] & 0xc0) == 0x80) cut--;
  return cut;
}

#endif
