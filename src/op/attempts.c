/*
 * list_attempts: every attempt of an execution in index order (01 RC-2).
 *
 * Attempts that a later one has replaced are rows; the latest lives in the execution record.
 */
#include "op/read.h"

READ_TAKES_ID(list_attempts);

static void view_previous(struct ff_attempt *out, int64_t previous) {
  out->has_previous = previous >= 0;
  out->previous_attempt_index = previous >= 0 ? (uint32_t)previous : 0;
}

static struct ff_attempt view_row(const struct attempt *a) {
  struct ff_attempt out = {
      .attempt_index = a->attempt_index,
      .attempt_type = a->attempt_type,
      .attempt_state = a->attempt_lifecycle,
      .created_at = a->started_at, /* an attempt is created by the claim that starts it */
      .started_at = a->started_at,
      .ended_at = a->ended_at,
      .suspended_at = a->suspended_at,
      .resumed_at = a->resumed_at,
      .suspension_id = a->suspension_id,
      .lease_epoch = a->lease_epoch,
      .worker_id = a->worker_id,
      .worker_instance_id = a->worker_instance_id,
      .retry_reason = a->retry_reason,
      .reclaim_reason = a->reclaim_reason,
      .replay_reason = a->replay_reason,
      .replay_requested_by = a->replay_requested_by,
      .failure_reason = a->failure_reason,
      .failure_category = a->failure_category,
  };
  uuid_format_id(a->attempt_id, &out.attempt_id);
  uuid_format_id(a->lease_id, &out.lease_id);
  view_previous(&out, a->previous_attempt_index);
  return out;
}

static struct ff_attempt view_latest(const struct execution *x) {
  struct ff_attempt out = {
      .attempt_index = x->attempt_index,
      .attempt_type = x->attempt_type,
      .attempt_state = x->attempt_lifecycle,
      .created_at = x->attempt_started_at,
      .started_at = x->attempt_started_at,
      .ended_at = x->attempt_ended_at,
      .suspended_at = x->attempt_suspended_at,
      .resumed_at = x->attempt_resumed_at,
      .suspension_id = x->attempt_suspension_id,
      .lease_epoch = x->current_lease_epoch,
      .worker_id = x->worker_id,
      .worker_instance_id = x->worker_instance_id,
      .retry_reason = x->attempt_retry_reason,
      .reclaim_reason = x->attempt_reclaim_reason,
      .replay_reason = x->attempt_replay_reason,
      .replay_requested_by = x->attempt_replay_requested_by,
      .failure_reason = x->attempt_failure_reason,
      .failure_category = x->attempt_failure_category,
  };
  uuid_format_id(x->attempt_id, &out.attempt_id);
  uuid_format_id(x->lease_id, &out.lease_id);
  view_previous(&out, x->attempt_previous_index);
  return out;
}

/* Rows from the latest on are passed over: they were written after the execution was read. */
static enum ff_rc read_rows(struct tx *tx, const struct execution *x, struct ff_attempt *out,
                            size_t *count) {
  struct attempt from = {.partition = x->partition, .execution_id = x->id};
  struct tx_scan scan;
  TRY(tx_scan_open(tx, INDEX_attempt_by_execution, &from, false, x->attempt_index + 1, &scan));
  for (;;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    const struct attempt *row = record;
    if (!row || row->attempt_index >= x->attempt_index) return FF_OK;
    out[(*count)++] = view_row(row);
  }
}

/* The scan is opened only when the record says that there are rows: most executions have one
 * attempt. */
static enum ff_rc list_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  struct ff_list_attempts_result *r = result;
  const struct execution *x = NULL;
  size_t count = 0;
  (void)args, (void)e;
  TRY(read_execution(tx, prep, &x));
  if (!x) return FF_OK;
  r->outcome = FF_outcome_ok;
  if (x->total_attempt_count == 0) return FF_OK;
  struct ff_attempt *items =
      ARENA_ARRAY(tx_arena(tx), struct ff_attempt, (size_t)x->attempt_index + 1);
  if (x->attempt_index > 0) TRY(read_rows(tx, x, items, &count));
  items[count++] = view_latest(x);
  r->attempts = (struct ff_attempts){items, count};
  return FF_OK;
}

const struct op_code op_code_list_attempts = {sizeof(struct exec_id), read_prepare_id,
                                              declare_prepared_execution, list_run};
