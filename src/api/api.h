/*
 * What the public API adds to the engine: the handle callers hold, sized argument structs, one
 * function per operation.
 */
#ifndef API_API_H
#define API_API_H

#include "base/error.h"
#include "client/client.h"
#include "engine/engine.h"

#include <limits.h>

/* The registry lock guards all but `engine` or `client`, one of which is set once open. */
struct ff_engine {
  struct engine *engine;
  struct client *client; /* the engine is in a server */
  struct ff_engine *next; /* registry */
  enum { API_OPENING, API_OPEN, API_CLOSING } state;
  uint32_t holders;       /* opens not closed yet */
  char key[PATH_MAX + 16];
};

/* Reads the first `size` bytes of a caller's struct into ours; the missing tail stays as it is in
 * `full`. A larger struct is fine as long as what this library does not know is zero (07 K-5). */
enum ff_rc api_sized_copy(void *full, size_t full_size, const void *given, uint32_t size,
                          const char *field, struct ff_error *error) MUST_USE;

/* The durable default file (DESIGN 10); its directory is made when it is missing. */
enum ff_rc api_default_url(char *url, size_t size, struct ff_error *error) MUST_USE;

#endif
