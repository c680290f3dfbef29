/*
 * Sleeping until another thread says so: one 32-bit word per sleeper.
 *
 * Cheaper than a condition variable per call: no lock is held around the sleep, and a wake without
 * a sleeper costs no system call.
 */
#ifndef BASE_PARK_H
#define BASE_PARK_H

#include "base/base.h"

/* 0 = asleep or about to be; anything else is what the waker said. */
struct park {
  uint32_t word;
};

/* Waits until the word is not 0 or timeout_us has passed (-1 = for ever); answers the word and
 * resets it to 0. */
uint32_t park_wait(struct park *p, int64_t timeout_us);
/* Says `word` (not 0) to the sleeper; the last word said wins. After this call the park may be
 * gone. */
void park_wake(struct park *p, uint32_t word);

#endif
