/*
 * Positions in a stream as text (05 A.8). Pure text: knows no stream.
 */
#include "op/stream.h"

/* Decimal digits, as many as there are; false without one and beyond 64 bits. */
static bool take_number(struct ff_str *text, uint64_t *out) {
  size_t i = 0;
  *out = 0;
  for (; i < text->len && text->ptr[i] >= '0' && text->ptr[i] <= '9'; i++) {
    uint64_t digit = (uint64_t)(text->ptr[i] - '0');
    if (*out > (UINT64_MAX - digit) / 10) return false;
    *out = *out * 10 + digit;
  }
  *text = text_of(text->ptr + i, text->len - i);
  return i > 0;
}

enum ff_rc stream_position_parse(struct ff_str text, const char *field, bool upper,
                                 struct stream_position *out, struct ff_error *e) {
  struct ff_str rest = text;
  *out = (struct stream_position){0, 0};
  if (text_equal_c(text, "start")) return FF_OK;
  if (text_equal_c(text, "end")) {
    *out = (struct stream_position){UINT64_MAX, UINT64_MAX};
    return FF_OK;
  }
  if (text_equal_c(text, "-") || text_equal_c(text, "+"))
    return error_field(e, FF_CODE_invalid_input, field, "write start or end, not - or +");
  if (text.len && take_number(&rest, &out->ms)) {
    out->n = upper ? UINT64_MAX : 0;
    if (rest.len == 0) return FF_OK;
    if (rest.ptr[0] == '-') {
      rest = text_of(rest.ptr + 1, rest.len - 1);
      if (take_number(&rest, &out->n) && rest.len == 0) return FF_OK;
    }
  }
  return error_field(e, FF_CODE_invalid_input, field,
                     "a position is start, end, <ms> or <ms>-<n> of 64-bit numbers");
}

struct ff_str stream_position_print(struct arena *arena, uint64_t ms, uint64_t n) {
  return arena_printf(arena, "%llu-%llu", (unsigned long long)ms, (unsigned long long)n);
}
