/*
 * Event rows: what one operation did to one execution, one row carrying all its parts (01 RC-20, 05
 * B.1).
 *
 * Only appends; nothing here changes a record.
 */
#include "op/execution.h"

struct event *execution_event(struct tx *tx, const struct execution *x) {
  struct event *event = tx_append_event(tx);
  event->at = tx_now(tx);
  event->partition = x->partition;
  event->execution_id = x->id;
  event->execution_created_at = x->created_at;
  event->namespace_ = x->namespace_;
  event->tags = x->tags;
  event->flow_id = x->flow_id;
  return event;
}

struct event *execution_lease_event(struct tx *tx, const struct execution *x,
                                    enum ff_lease_event kind, struct ff_str reason,
                                    enum ff_revoked_by revoked_by) {
  struct event *event = execution_event(tx, x);
  event->lease_event = (uint8_t)kind;
  event->revoked_by = (uint8_t)revoked_by;
  event->reason = reason;
  event->lease_id = x->lease_id;
  event->lease_epoch = x->current_lease_epoch;
  event->attempt_id = x->attempt_id;
  event->attempt_index = x->attempt_index;
  event->worker_id = x->worker_id;
  event->worker_instance_id = x->worker_instance_id;
  if (kind == FF_lease_event_acquired || kind == FF_lease_event_renewed)
    event->expires_at = x->lease_expires_at;
  return event;
}
