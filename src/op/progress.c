/*
 * progress: the holder of a live lease says how far it is (02 §6.2). Neither renews nor appends an
 * event.
 */
#include "op/execution.h"

#include "flowfabric/lifecycle.h"

#define MESSAGE_MAX_BYTES 65536 /* what one HTTP body carries, 01 LM-1 */

static enum ff_rc progress_prepare(const struct op_config *config, const void *args, void *prep,
                                   struct arena *arena, struct ff_error *e) {
  const struct ff_progress_args *a = args;
  (void)arena;
  TRY(handle_check_tag(config, &a->handle, e));
  if (a->has_percent && a->percent > 100)
    return error_field(e, FF_CODE_invalid_input, "percent", "%u is above 100", a->percent);
  TRY(text_check(a->message, "message", MESSAGE_MAX_BYTES, e));
  return handle_decode(&a->handle, config->backend, config->flow_partitions, prep, e);
}

static enum ff_rc progress_run(struct tx *tx, const void *args, const void *prep, void *result_,
                               struct ff_error *e) {
  const struct ff_progress_args *a = args;
  const struct handle_body *handle = prep;
  struct ff_progress_result *result = result_;
  const struct execution *read;
  struct fence fence = fence_of_handle(handle);
  TRY(execution_load(tx, handle->execution, &read, e));
  TRY(fence_check(tx, read, &fence, FENCE_LIGHT, e));
  result->outcome = FF_outcome_updated;
  if (!a->has_percent && !text_present(a->message)) return FF_OK;
  struct execution *x = tx_edit_execution(tx, read);
  if (a->has_percent) x->progress_pct = a->percent;
  if (text_present(a->message)) x->progress_message = a->message;
  x->progress_updated_at = tx_now(tx);
  execution_touch(tx, x);
  return FF_OK;
}

const struct op_code op_code_progress = {sizeof(struct handle_body), progress_prepare,
                                         declare_prepared_execution, progress_run};
