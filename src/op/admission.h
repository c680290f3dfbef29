/*
 * Who may be claimed: the budgets an execution is bound to (06 D.4 steps b and c).
 *
 * One predicate for every claim form, for unblocking and for whoever asks why something waits.
 * Reads only; blocking is the caller's.
 */
#ifndef OP_ADMISSION_H
#define OP_ADMISSION_H

#include "op/execution.h"

/* What one operation has found out about budgets so far: each is looked at once (06 S-41). */
struct admission_budget {
  struct uuid id;
  bool exhausted;
  struct ff_str detail; /* of an exhausted one */
};
struct admission {
  struct tx *tx;
  struct admission_budget *budgets;
  uint32_t count, capacity;
};

struct verdict {
  bool admitted;
  enum ff_blocking_reason reason; /* else: why, on account of what, in words */
  struct uuid on;
  struct ff_str detail;
};

/* True for work that nothing can hold back: asked of every candidate, so it must cost nothing. */
static inline bool admission_is_free(const struct execution *x) {
  return !text_present(x->budget_ids) && uuid_is_nil(x->flow_id);
}
/* FF_MISS after everything it needs has been asked for; corruption: nothing may be granted (06
 * S-45). */
enum ff_rc admission_judge(struct admission *, const struct execution *, struct verdict *,
                           struct ff_error *) MUST_USE;
/* Asks for what a judgement of this one would read. */
void admission_want(struct admission *, const struct execution *);

/* Set when the first budget of a flow is defined: until then members of flows look for none. */
#define ADMISSION_FLOW_SETTING "flow_budgets"

#endif
