/*
 * One simulated history: clients, rival engines and a failing store in one thread under one virtual
 * clock, decided by one seed.
 *
 * Engines are the real ones, hand-driven (engine_step), all on one memory store; a batch takes a
 * step to load and a step to apply, so rivals, clock jumps and crashes fall in between. After every
 * step the oracle looks at what was touched.
 */
#ifndef TEST_LIB_SIMULATION_H
#define TEST_LIB_SIMULATION_H

#include "base/base.h"

struct simulation_options {
  uint64_t seed;
  uint32_t operations; /* how many calls clients make before faults stop */
  bool trace;          /* tell on standard output what happens */
};

struct simulation_result {
  bool ok;
  char complaint[1200];
  uint32_t step;                        /* where it went wrong */
  uint64_t operations, copies, answers; /* calls made, times they were sent, answers that arrived */
  uint64_t steps, events, crashes, faults, lost, conflicts, batches;
  uint64_t suspensions, signals, met; /* signals accepted, conditions met by one */
  uint64_t hash; /* of everything that happened */
};

void simulation_run(const struct simulation_options *, struct simulation_result *);

#endif
