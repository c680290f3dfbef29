/*
 * Uuids: the strict text form of 01 ID-1 and version-7 values.
 *
 * Runs several times per claim, so it is table driven and never uses printf. It never invents time
 * or randomness.
 */
#include "base/base.h"

/* Value plus one of a hex digit; 0 = not a hex digit. */
static const uint8_t hex_digit[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* Where in the 36 characters each byte's first digit stands. */
static const uint8_t digit_at[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

bool uuid_is_nil(struct uuid u) {
  static const struct uuid nil = {{0}};
  return uuid_equal(u, nil);
}

bool uuid_parse(struct ff_str text, struct uuid *out) {
  if (text.ptr == NULL || text.len != 36) return false;
  const unsigned char *p = (const unsigned char *)text.ptr;
  if (p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-') return false;
  struct uuid u;
  for (size_t i = 0; i < 16; i++) {
    unsigned high = hex_digit[p[digit_at[i]]], low = hex_digit[p[digit_at[i] + 1]];
    if (high == 0 || low == 0) return false;
    u.b[i] = (uint8_t)((high - 1) << 4 | (low - 1));
  }
  *out = u;
  return true;
}

void uuid_format(struct uuid u, char out[37]) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < 16; i++) {
    out[digit_at[i]] = digits[u.b[i] >> 4];
    out[digit_at[i] + 1] = digits[u.b[i] & 15];
  }
  out[8] = out[13] = out[18] = out[23] = '-';
  out[36] = '\0';
}

struct uuid uuid_v7(int64_t ms, uint16_t sequence, uint64_t random) {
  struct uuid u;
  uint64_t time = ms < 0 ? 0 : (uint64_t)ms;
  for (unsigned i = 0; i < 6; i++) u.b[i] = (uint8_t)(time >> (40 - 8 * i));
  u.b[6] = (uint8_t)(0x70 | ((sequence >> 8) & 0x0f));
  u.b[7] = (uint8_t)sequence;
  for (unsigned i = 0; i < 8; i++) u.b[8 + i] = (uint8_t)(random >> (56 - 8 * i));
  u.b[8] = (uint8_t)(0x80 | (u.b[8] & 0x3f));
  return u;
}
