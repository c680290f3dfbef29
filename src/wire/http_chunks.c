/*
 * Bodies in chunks: sizes in hexadecimal, CR LF where it belongs, extensions and trailers read over
 * and bounded.
 */
#include "wire/http.h"

#define SIZE_DIGITS_MAX 8
#define LINE_OCTETS_MAX 1024   /* of the extensions of one chunk */
#define TRAILER_OCTETS_MAX 8192

enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, TRAILER_LF, END_LF, OVER };

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_plain(char c) { return (unsigned char)c >= ' ' ? c != 0x7f : c == '\t'; }

/* One octet outside of the data; false when it does not belong there. */
static bool take(struct http_chunks *c, char octet) {
  int digit = hex(octet);
  switch (c->state) {
    case SIZE:
      if (digit >= 0 && c->digits < SIZE_DIGITS_MAX) {
        c->left = c->left << 4 | (unsigned)digit;
        c->digits++;
        return true;
      }
      c->state = octet == ';' ? EXTENSION : SIZE_LF;
      c->line = 0;
      return c->digits && (octet == ';' || octet == '\r');
    case EXTENSION:
      if (octet == '\r') c->state = SIZE_LF;
      return octet == '\r' || (is_plain(octet) && ++c->line <= LINE_OCTETS_MAX);
    case SIZE_LF:
      c->state = c->left ? DATA : TRAILER;
      c->line = 0;
      c->digits = 0; /* of the trailer: octets of the line */
      return octet == '\n';
    case DATA_CR: c->state = DATA_LF; return octet == '\r';
    case DATA_LF: c->state = SIZE; return octet == '\n';
    case TRAILER:
      if (octet == '\r') c->state = c->digits ? TRAILER_LF : END_LF;
      c->digits = octet != '\r';
      return octet == '\r' || (is_plain(octet) && ++c->line <= TRAILER_OCTETS_MAX);
    case TRAILER_LF: c->state = TRAILER; return octet == '\n';
    case END_LF: c->state = OVER; return octet == '\n';
    default: return false;
  }
}

int http_chunks_read(struct http_chunks *c, const char *octets, size_t len, size_t max,
                     struct buffer *out, size_t *used, bool *too_long) {
  *too_long = false;
  for (*used = 0; *used < len && c->state != OVER;) {
    if (c->state != DATA) {
      if (!take(c, octets[*used])) return -1;
      ++*used;
      *too_long = c->left > max - out->len;
      if (*too_long) return -1;
      continue;
    }
    size_t piece = len - *used < c->left ? len - *used : (size_t)c->left;
    buffer_append(out, octets + *used, piece);
    *used += piece;
    c->left -= piece;
    if (c->left) continue;
    c->state = DATA_CR;
    c->digits = 0;
  }
  return c->state == OVER;
}
