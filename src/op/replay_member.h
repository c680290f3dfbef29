/*
 * What the replay of a flow's member does to its flow (04 §12).
 */
#ifndef OP_REPLAY_MEMBER_H
#define OP_REPLAY_MEMBER_H

#include "op/cascade.h"

struct member_replay {
  bool skipped_branch;   /* it waits for its dependencies again, or would have */
  bool blocked;          /* it does wait */
  uint32_t unsatisfied;  /* edges it waits for */
  uint32_t groups_reset; /* 0, 1 */
};
/* x is the record as it ended. Refuses members of cancelled flows: flow_already_terminal. Stages
 * everything but the execution. FF_MISS. */
enum ff_rc replay_member(struct tx *, const struct execution *x, struct member_replay *,
                         struct ff_error *) MUST_USE;

#endif
