/*
 * HTTP/1.1 messages as octets: request and answer heads, bodies in chunks. Strict: what two readers
 * could understand differently is refused (07 H-13; doc/decisions.md says why it is our own).
 *
 * Knows no socket and keeps nothing: callers own the octets.
 */
#ifndef WIRE_HTTP_H
#define WIRE_HTTP_H

#include "base/base.h"

#define HTTP_HEAD_MAX 16384  /* request line and headers; beyond: 431 */
#define HTTP_TARGET_MAX 8192 /* beyond: 414 */
#define HTTP_HEADERS_MAX 64  /* beyond: 431 */

struct http_header {
  struct ff_str name, value; /* as sent; the value without the blanks around it */
};

/* A head; its texts point into the octets it was read from. */
struct http_head {
  struct ff_str method, target; /* of a request */
  int status;                   /* of an answer */
  int minor;                    /* HTTP/1.minor, 0 or 1 */
  struct http_header headers[HTTP_HEADERS_MAX];
  size_t header_count;
  uint64_t content_length;
  bool has_length, chunked;
  bool keep_alive, expects_continue;
};

/* Looks for the end of a head in octets[0, len), of which [0, seen) was looked through before.
 * 0: not there yet; its length when it is; a negative status (-400, -414, -431) when it can be no
 * head any more. */
long http_head_end(const char *octets, size_t seen, size_t len) MUST_USE;
/* Reads a whole head. 0, or the status to refuse it with and why in *problem (static text). */
int http_request_read(const char *octets, size_t len, struct http_head *, const char **problem)
    MUST_USE;
/* The same for the head of an answer; 0 or -1. */
int http_answer_read(const char *octets, size_t len, struct http_head *) MUST_USE;
/* The only header of that name, absent when there is none; more than one: *many, if given. */
struct ff_str http_header(const struct http_head *, const char *name, bool *many);
/* ASCII letters alike. */
bool http_same(struct ff_str, const char *) MUST_USE;

/* A body in chunks, read piece by piece. Zero it first. */
struct http_chunks {
  int state;
  uint64_t left; /* octets of the present chunk */
  uint32_t digits, line;
};
/* Takes octets[0, len): appends what is content to `out`, *used is how far it read. 1 at the end of
 * the body, 0 for more, -1 when it is malformed or longer than `max` (then *too_long). */
int http_chunks_read(struct http_chunks *, const char *octets, size_t len, size_t max,
                     struct buffer *out, size_t *used, bool *too_long) MUST_USE;

/* "Not Found" and so on; "" for one we never send. */
const char *http_reason(int status);

#endif
