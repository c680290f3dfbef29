/*
 * Making executions, shared by the operations that create one and the one that makes a whole graph.
 */
#ifndef OP_CREATE_H
#define OP_CREATE_H

#include "op/execution.h"

#include "flowfabric/lifecycle.h"

struct create_prep {
  struct exec_id id; /* submit: the partition only, the uuid is minted in run */
  struct ff_str lane;
  struct policy_facts policy;
};
/* L-50 … L-52 without the id. */
enum ff_rc create_check(const struct op_config *, const struct ff_create_execution_args *,
                        struct create_prep *, struct arena *, struct ff_error *) MUST_USE;
/* L-54: lane_not_accepting. FF_MISS. */
enum ff_rc create_check_lane(struct tx *, struct ff_str lane, struct ff_error *) MUST_USE;
/* L-55 … L-60 of a new record. */
void create_fill(struct tx *, struct execution *, const struct ff_create_execution_args *,
                 const struct create_prep *);

#endif
