/*
 * What a cancelled flow means for its members: see flow_cancel.h.
 *
 * Executions of no flow pay nothing here.
 */
#include "op/flow_cancel.h"

static bool lease_lost(const struct execution *x) {
  return x->ownership_state == FF_ownership_state_lease_expired_reclaimable ||
         x->ownership_state == FF_ownership_state_lease_revoked;
}

bool flow_cancels(const struct flow *f, const struct execution *x) {
  if (f->state != FF_flow_state_cancelled || x->lifecycle_phase == FF_lifecycle_phase_terminal)
    return false;
  switch ((enum ff_flow_cancel_policy)f->cancellation_policy) {
    case FF_flow_cancel_policy_cancel_all: return true;
    case FF_flow_cancel_policy_cancel_pending:
      return x->lifecycle_phase == FF_lifecycle_phase_submitted ||
             x->lifecycle_phase == FF_lifecycle_phase_runnable || lease_lost(x);
    default: return false;
  }
}

struct ff_str flow_cancel_reason(const struct flow *f) {
  return text_nonempty(f->cancel_reason) ? f->cancel_reason : TEXT_LIT("flow_cancelled");
}

enum ff_rc flow_cancel_member(struct tx *tx, const struct flow *f, const struct execution *x) {
  return execution_cancel(tx, x, flow_cancel_reason(f), TEXT_LIT("cancel_flow"),
                          FF_revoked_by_operator);
}

/* The flow of a member when it is cancelled with more than a seal; else NULL. */
static enum ff_rc cancelling_flow(struct tx *tx, const struct execution *x,
                                  const struct flow **out) {
  const struct flow *f = NULL;
  *out = NULL;
  if (uuid_is_nil(x->flow_id)) return FF_OK;
  TRY(tx_get_flow(tx, FLOW_KEY(flow, flow_of_member(x)), &f));
  if (f && f->state == FF_flow_state_cancelled &&
      f->cancellation_policy >= FF_flow_cancel_policy_cancel_pending)
    *out = f;
  return FF_OK;
}

enum ff_rc flow_refuses(struct tx *tx, const struct execution *x, bool resumes, bool *refused) {
  const struct flow *f = NULL;
  TRY(cancelling_flow(tx, x, &f));
  *refused = f && (!resumes || f->cancellation_policy == FF_flow_cancel_policy_cancel_all);
  return FF_OK;
}

enum ff_rc flow_cancel_deserted(struct tx *tx, struct execution *x, bool *cancelled) {
  const struct flow *f = NULL;
  TRY(cancelling_flow(tx, x, &f));
  *cancelled = f != NULL;
  if (!f) return FF_OK;
  return execution_cancel(tx, x, flow_cancel_reason(f), TEXT_LIT("cancel_flow"),
                          FF_revoked_by_reconciler);
}
