/*
 * why: what an execution is waiting for, in one sentence and as facts (doc/operations.md, WY rules).
 *
 * The answer is computed by the code that decides claims, at one moment of the store: it is what a
 * claim of that moment would have met.
 */
#ifndef FLOWFABRIC_WHY_H
#define FLOWFABRIC_WHY_H

#include "flowfabric/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One thing that must change, or that was looked at. What a member means depends on the kind; an
 * absent one is empty or 0.
 *   capability   id: a required token
 *   worker       id: the instance of a live worker that has all of them, 16 at most; until: when its
 *                registration ends unless it is heard of
 *   lease        id: the worker instance that holds it; until: when it expires
 *   grant        id: the worker it was given to; until: when it expires
 *   waitpoint    id: the waitpoint; detail: its key; current: the signals it holds
 *   attempt      current: how many attempts there were; detail: why the latest one failed */
struct ff_blocker {
  struct ff_str kind, id, detail;
  uint64_t current, limit;
  int64_t until; /* ms since the epoch */
};
struct ff_blockers {
  const struct ff_blocker *items;
  size_t count;
};

/* WY-1 … WY-9. Writes nothing, marks nothing. outcome: ok; none = no such execution (WY-1).
 * Errors: invalid_input (execution_id); corruption when what is stored does not parse. Any thread. */
struct ff_why_args {
  uint32_t size;
  struct ff_str execution_id;
};
struct ff_why_result {
  struct ff_memory *memory;
  uint8_t outcome;
  uint8_t reason; /* enum ff_why_reason; none when there is no such execution */
  struct ff_str sentence;
  uint8_t public_state;
  struct ff_str lane_id;
  uint8_t lane_state; /* a lane without a record is active */
  uint32_t ahead;     /* work of the lane that is offered first, at most 1,000 counted (WY-3) */
  bool ahead_or_more; /* there is more than was counted */
  int64_t until;      /* when time alone changes the answer, ms since the epoch; 0 = it does not */
  struct ff_blockers blockers;
};
FF_OPERATION(why);

#ifdef __cplusplus
}
#endif
#endif
