/*
 * revoke_lease: somebody other than the holder takes the lease away (02 L-131, L-132). State faults
 * are answers, not errors.
 */
#include "op/execution.h"
#include "op/flow_cancel.h"

#include "flowfabric/lifecycle.h"

#define REASON_MAX_BYTES 4096
#define WORKER_MAX_BYTES 256 /* 01 LM-5 */

struct revoke_prep {
  struct exec_id id;
  bool has_expected;
  struct uuid expected_lease_id;
};

static enum ff_rc revoke_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_revoke_lease_args *a = args;
  struct revoke_prep *p = prep;
  (void)arena;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  TRY(text_check(a->worker_instance_id, "worker_instance_id", WORKER_MAX_BYTES, e));
  TRY(text_check(a->reason, "reason", REASON_MAX_BYTES, e));
  p->has_expected = a->expected_lease_id.len > 0;
  if (!p->has_expected) return FF_OK;
  return uuid_parse_field(a->expected_lease_id, "expected_lease_id", &p->expected_lease_id, e);
}

static enum ff_rc already(struct ff_revoke_lease_result *result, struct ff_str reason) {
  result->outcome = FF_outcome_already_satisfied;
  result->reason = reason;
  return FF_OK;
}

static enum ff_rc revoke_run(struct tx *tx, const void *args, const void *prep, void *result_,
                             struct ff_error *e) {
  const struct ff_revoke_lease_args *a = args;
  const struct revoke_prep *p = prep;
  struct ff_revoke_lease_result *result = result_;
  const struct execution *x;
  TRY(execution_load(tx, p->id, &x, e));
  if (x->lifecycle_phase != FF_lifecycle_phase_active)
    return already(result, TEXT_LIT("no_active_lease"));
  if (x->ownership_state == FF_ownership_state_lease_revoked)
    return already(result, TEXT_LIT("already_revoked"));
  if (x->ownership_state == FF_ownership_state_lease_expired_reclaimable)
    return already(result, TEXT_LIT("already_expired"));
  if (a->worker_instance_id.len && !text_equal(a->worker_instance_id, x->worker_instance_id))
    return already(result, TEXT_LIT("different_worker_instance_id"));
  if (p->has_expected && !uuid_equal(p->expected_lease_id, x->lease_id))
    return error_set(e, FF_CODE_stale_lease, NULL);
  struct ff_str reason = a->reason.len ? a->reason : TEXT_LIT("operator");
  struct execution *marked = tx_edit_execution(tx, x);
  bool cancelled;
  lease_mark_revoked(tx, marked, reason);
  uuid_format_id(x->lease_id, &result->lease_id);
  result->lease_epoch = x->current_lease_epoch;
  result->outcome = FF_outcome_revoked;
  return flow_cancel_deserted(tx, marked, &cancelled); /* 04 FX-16 */
}

const struct op_code op_code_revoke_lease = {sizeof(struct revoke_prep), revoke_prepare,
                                             declare_prepared_execution, revoke_run};
