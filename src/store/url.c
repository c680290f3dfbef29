/*
 * What the URLs of servers have in common: see url.h.
 */
#include "store/url.h"

bool url_decode(struct ff_str text, char *out, size_t size) {
  static const char digits[] = "0123456789abcdef";
  size_t n = 0;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == '%') {
      if (i + 2 >= text.len) return false;
      const char *high = strchr(digits, text.ptr[i + 1] | 0x20),
                 *low = strchr(digits, text.ptr[i + 2] | 0x20);
      if (!high || !low || !*high || !*low) return false;
      c = (char)((high - digits) * 16 + (low - digits));
      i += 2;
    }
    if (c == '\0' || n + 1 >= size) return false;
    out[n++] = c;
  }
  if (n >= size) return false;
  out[n] = '\0';
  return true;
}

bool url_parameter(struct ff_str *query, struct ff_str *pair, struct ff_str *key,
                   struct ff_str *value) {
  if (!query->len) return false;
  const char *amp = memchr(query->ptr, '&', query->len);
  *pair = text_of(query->ptr, amp ? (size_t)(amp - query->ptr) : query->len);
  size_t taken = pair->len + (amp != NULL);
  *query = text_of(query->ptr + taken, query->len - taken);
  const char *equals = pair->len ? memchr(pair->ptr, '=', pair->len) : NULL;
  *key = text_of(pair->ptr, equals ? (size_t)(equals - pair->ptr) : pair->len);
  *value = equals ? text_of(equals + 1, pair->len - key->len - 1) : text_of(NULL, 0);
  return true;
}
