/*
 * Lost leases: what issue_reclaim_grant, reclaim_execution and auto_reclaim share (02 §12).
 * lease_reclaim_body is in execution.h.
 */
#ifndef OP_RECLAIM_H
#define OP_RECLAIM_H

#include "op/execution.h"

bool lease_is_lost(const struct execution *);                   /* marked expired, or revoked */
bool lease_is_due(const struct tx *, const struct execution *); /* leased, but its time is over */
/* The detail of NotReclaimable: what the execution is instead. */
struct ff_str unreclaimable_state(const struct execution *);
/* L-146: the cap is reached and the execution fails. */
enum ff_rc reclaim_fail_at_cap(struct tx *, struct execution *) MUST_USE;

#endif
