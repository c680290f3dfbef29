/*
 * change_priority (02 L-154, 06 S-3, S-4): only eligible work has a place in a queue to move.
 *
 * The index entry moves by itself with the record; created_at, the tie-breaker, never changes.
 */
#include "op/execution.h"

#include "flowfabric/lifecycle.h"

enum { PRIORITY_MAX = 9000 }; /* 01 PO-9 */

/* lane_id is informational: the execution knows its lane. */
static enum ff_rc priority_prepare(const struct op_config *config, const void *args, void *prep,
                                   struct arena *arena, struct ff_error *e) {
  const struct ff_change_priority_args *a = args;
  (void)arena;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, prep, e));
  return text_nonempty(a->lane_id) ? lane_check(a->lane_id, "lane_id", e) : FF_OK;
}

static enum ff_rc priority_run(struct tx *tx, const void *args, const void *prep, void *result,
                               struct ff_error *e) {
  const struct ff_change_priority_args *a = args;
  struct exec_id id = *(const struct exec_id *)prep;
  struct ff_change_priority_result *r = result;
  const struct execution *read = NULL;
  TRY(execution_load(tx, id, &read, e));
  if (read->lifecycle_phase != FF_lifecycle_phase_runnable ||
      read->eligibility_state != FF_eligibility_state_eligible_now)
    return error_set(e, FF_CODE_execution_not_eligible, NULL);

  int32_t wanted = a->new_priority;
  struct execution *x = tx_edit_execution(tx, read);
  x->priority = wanted < 0 ? 0 : wanted > PRIORITY_MAX ? PRIORITY_MAX : wanted;
  execution_touch(tx, x);
  struct event *event = execution_event(tx, x);
  event->operator_event = FF_operator_event_priority_changed;
  event->details = arena_printf(tx_arena(tx), "{\"old_priority\":%d,\"new_priority\":%d}",
                                read->priority, x->priority);
  r->outcome = FF_outcome_changed;
  exec_id_format(id, &r->execution_id);
  return FF_OK;
}

const struct op_code op_code_change_priority = {sizeof(struct exec_id), priority_prepare,
                                                declare_prepared_execution, priority_run};
