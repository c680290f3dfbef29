/*
 * The machine's clocks.
 *
 * Decisions of the engine must never read these: they use the store's clock, once per operation
 * (01 CV-3).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "base/base.h"

#include <time.h>

int64_t clock_wall_ms(void) {
  struct timespec now;
  INVARIANT(clock_gettime(CLOCK_REALTIME, &now) == 0);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_us(void) {
  struct timespec now;
  INVARIANT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
