/*
 * Randomness from the kernel.
 *
 * Nothing is buffered: a pool in the process would repeat itself in the child of a fork.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "base/base.h"

#include <errno.h>
#include <sys/random.h>

uint64_t random_u64(void) {
  uint64_t value;
  ssize_t got;
  /* At most 256 bytes are never cut short; only the wait for the first entropy is interrupted. */
  do {
    got = getrandom(&value, sizeof(value), 0);
  } while (got < 0 && errno == EINTR);
  INVARIANT(got == (ssize_t)sizeof(value));
  return value;
}
