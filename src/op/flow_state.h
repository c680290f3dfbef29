/*
 * What a flow shows of itself (04 §13), and reading flows without an error when they are absent.
 */
#ifndef OP_FLOW_STATE_H
#define OP_FLOW_STATE_H

#include "op/flow.h"

/* Members without an outcome; 0 when the counters say more than there are. */
uint32_t flow_alive(const struct flow *);
/* Rows 1 to 3 of §13, from the counters alone; none when the members that are alive decide. */
enum ff_flow_public_state flow_settled_state(const struct flow *);
/* Rows 4 to 6 are a running maximum over the members that are alive; starts as open. */
enum ff_flow_public_state flow_state_with(enum ff_flow_public_state, const struct execution *);
/* `<op>: <record>: <field>: <problem>` (FQ-4). */
enum ff_rc flow_corrupt(const char *op, const char *record, const char *field, const char *problem,
                        struct ff_error *);
enum ff_rc flow_tags(const char *op, const struct flow *, struct arena *, struct ff_pairs *,
                     struct ff_error *) MUST_USE;

#endif
