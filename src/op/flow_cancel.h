/*
 * What a cancelled flow means for its members (04 §14): whom it cancels, and what they may not begin.
 */
#ifndef OP_FLOW_CANCEL_H
#define OP_FLOW_CANCEL_H

#include "op/flow.h"

/* Members one transaction looks at (§8.4). */
#define FLOW_STEPS_MAX 256

/* §14.1: whether the stored policy cancels a member that is in this state. */
bool flow_cancels(const struct flow *, const struct execution *);
/* What members are told: the flow's reason, or `flow_cancelled`. */
struct ff_str flow_cancel_reason(const struct flow *);
/* FX-5: ends a member as cancelled by its flow; whatever it holds is let go. FF_MISS. */
enum ff_rc flow_cancel_member(struct tx *, const struct flow *, const struct execution *) MUST_USE;
/* FX-15, by the stored policy: whether an attempt of x may not begin, or (resumes) not go on. No load
 * for an execution of no flow. */
enum ff_rc flow_refuses(struct tx *, const struct execution *x, bool resumes,
                        bool *refused) MUST_USE;
/* FX-16: a member that was left to finish and has lost its lease: nobody is left, it is cancelled.
 * *cancelled says whether. x is staged and marked. */
enum ff_rc flow_cancel_deserted(struct tx *, struct execution *x, bool *cancelled) MUST_USE;

#endif
