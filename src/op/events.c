/*
 * list_events: what operations did to one execution, in order (00 §2.9; the lease history of 01
 * RC-4).
 */
#include "op/read.h"

READ_TAKES_ID(list_events);

enum { EVENTS_PAGE_DEFAULT = 100, EVENTS_PAGE_MAX = 1000 };

static struct ff_event view_event(const struct event *v) {
  struct ff_event out = {
      .event_id = v->event_id,
      .at = v->at,
      .namespace_ = v->namespace_,
      .lease_event = v->lease_event,
      .completion = v->completion,
      .operator_event = v->operator_event,
      .revoked_by = v->revoked_by,
      .lease_epoch = v->lease_epoch,
      .attempt_index = v->attempt_index,
      .worker_id = v->worker_id,
      .worker_instance_id = v->worker_instance_id,
      .reason = v->reason,
      .expires_at = v->expires_at,
      .tag_key = v->tag_key,
      .tag_value = v->tag_value,
      .details = v->details,
      .signal_delivery = v->signal_delivery,
      .observed_effect = v->observed_effect,
      .source_identity = v->source_identity,
  };
  exec_id_format((struct exec_id){v->partition, v->execution_id}, &out.execution_id);
  uuid_format_id(v->lease_id, &out.lease_id);
  uuid_format_id(v->attempt_id, &out.attempt_id);
  uuid_format_id(v->signal_id, &out.signal_id);
  uuid_format_id(v->waitpoint_id, &out.waitpoint_id);
  return out;
}

static uint32_t page_limit(uint32_t limit) {
  if (limit == 0) return EVENTS_PAGE_DEFAULT;
  return limit < EVENTS_PAGE_MAX ? limit : EVENTS_PAGE_MAX;
}

/* Stores keep ids as signed numbers: none lies behind this one, whatever the caller says. */
#define EVENT_ID_MAX ((uint64_t)INT64_MAX)

/* The index is ordered by the execution's creation time, so the record comes first. */
static enum ff_rc list_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  const struct ff_list_events_args *a = args;
  struct ff_list_events_result *r = result;
  uint32_t limit = page_limit(a->limit), count = 0;
  const struct execution *x = NULL;
  (void)e;
  TRY(read_execution(tx, prep, &x));
  if (!x) return FF_OK;
  r->outcome = FF_outcome_ok;
  if (a->after >= INT64_MAX) return FF_OK; /* no store counts that far, SQLite cannot compare it */
  struct event from = {.execution_created_at = x->created_at,
                       .partition = x->partition,
                       .execution_id = x->id,
                       .event_id = a->after < EVENT_ID_MAX ? a->after : EVENT_ID_MAX};
  struct tx_scan scan;
  TRY(tx_scan_open(tx, INDEX_event_by_execution, &from, a->after > 0, limit + 1, &scan));
  struct ff_event *items = ARENA_ARRAY(tx_arena(tx), struct ff_event, limit);
  while (!r->more) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    if (count == limit)
      r->more = true;
    else
      items[count++] = view_event(record);
  }
  r->events = (struct ff_events){items, count};
  return FF_OK;
}

const struct op_code op_code_list_events = {sizeof(struct exec_id), read_prepare_id,
                                            declare_prepared_execution, list_run};
