/*
 * Text, bytes, ids and status: the small value types every other public header uses.
 *
 * Nothing here allocates, and nothing here depends on a store. All values are plain structs that
 * may be copied.
 */
#ifndef FLOWFABRIC_BASE_H
#define FLOWFABRIC_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FF_API __attribute__((visibility("default")))
#define FF_MUST_USE __attribute__((warn_unused_result))
#else
#define FF_API
#define FF_MUST_USE
#endif

/* Text: UTF-8 without NUL bytes, not necessarily NUL-terminated. ptr NULL means absent; len 0 with
 * a ptr means empty. */
struct ff_str {
  const char *ptr;
  size_t len;
};

/* Any octets. ptr NULL means absent; len 0 with a non-NULL ptr means empty (01 CV-1). */
struct ff_bytes {
  const void *ptr;
  size_t len;
};

/* A list of texts. */
struct ff_strs {
  const struct ff_str *items;
  size_t count;
};

/* A map of text to text. The engine returns maps in ascending byte order of the key. */
struct ff_pair {
  struct ff_str key, value;
};
struct ff_pairs {
  const struct ff_pair *items;
  size_t count;
};

/* A C string as text; NULL gives absent text. */
static inline struct ff_str ff_text(const char *s) {
  struct ff_str text = {s, s ? strlen(s) : 0};
  return text;
}

/* The text of an id the engine hands out: an execution id `{fp:N}:<uuid>` or a uuid, always
 * NUL-terminated. "" means absent. */
#define FF_ID_MAX 64
struct ff_id {
  char text[FF_ID_MAX];
};

/* What a call answers. 0 is success; everything else is an error whose details are in struct
 * ff_error. The values are the error families of 01 ER-1 and never change. */
enum ff_rc {
  FF_OK = 0,
  FF_NOT_FOUND = -1,          /* the subject does not exist */
  FF_VALIDATION = -2,         /* an argument or a stored value is wrong */
  FF_CONTENTION = -3,         /* lost a race; the code says whether to retry */
  FF_CONFLICT = -4,           /* contradicts something that exists */
  FF_STATE = -5,              /* the subject is in a state that forbids it */
  FF_BUG = -6,                /* a broken invariant of this library */
  FF_TRANSPORT = -7,          /* the store failed; the outcome of a write is unknown */
  FF_UNAVAILABLE = -8,        /* not offered by this instance, or it is shutting down */
  FF_RESOURCE_EXHAUSTED = -9, /* a bounded queue or pool is full; retry later */
  FF_TIMEOUT = -10,           /* a deadline passed */
  FF_DISCONNECTED = -11,      /* a subscription ended */
  FF_BACKPRESSURE = -12,      /* events before this point were dropped */
  FF_CONFIG = -20,            /* a URL, option or environment variable is wrong */
  FF_NO_MEMORY = -23
};

#ifdef __cplusplus
}
#endif
#endif
