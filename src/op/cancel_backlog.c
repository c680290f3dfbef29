/*
 * Reading what cancelled flows owe: list_owing_flows, list_failed_members, and the look of
 * wait_for_flow_cancellation (04 FX-20, FB-3).
 */
#include "op/flow.h"

#include "flowfabric/flow_cancel.h"

static enum ff_rc accept(const struct op_config *config, const void *args, void *prep,
                         struct arena *arena, struct ff_error *e) {
  (void)config, (void)args, (void)prep, (void)arena, (void)e;
  return FF_OK;
}

/* ---- list_owing_flows ---- */

static struct cancel_backlog owing_from(const struct list_owing_flows_args *a) {
  if (!a->after) return (struct cancel_backlog){0};
  return (struct cancel_backlog){
      .due_at = a->after->due_at, .partition = a->after->partition, .flow_id = a->after->flow_id};
}

static void owing_declare(struct declare *d, const void *args, const void *prep) {
  const struct list_owing_flows_args *a = args;
  struct cancel_backlog from = owing_from(a);
  (void)prep;
  declare_scan(d, INDEX_cancel_backlog_due, &from, a->after != NULL, a->limit);
}

/* All of them, due or not: who looks decides. */
static enum ff_rc owing_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct list_owing_flows_args *a = args;
  struct list_owing_flows_result *r = result;
  struct owing_flow *items = ARENA_ARRAY(tx_arena(tx), struct owing_flow, a->limit);
  struct cancel_backlog from = owing_from(a);
  struct tx_scan scan;
  (void)prep, (void)e;
  TRY(tx_scan_open(tx, INDEX_cancel_backlog_due, &from, a->after != NULL, a->limit, &scan));
  while (r->count < a->limit) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    const struct cancel_backlog *b = record;
    items[r->count++] =
        (struct owing_flow){b->partition, b->flow_id, b->due_at, b->only_unreadable};
  }
  r->items = items;
  return FF_OK;
}

const struct op_code op_code_list_owing_flows = {0, accept, owing_declare, owing_run};

/* ---- list_failed_members ---- */

static struct pending_cancel failed_from(const struct list_failed_members_args *a) {
  return (struct pending_cancel){.partition = a->partition, .flow_id = a->flow_id};
}

static void failed_declare(struct declare *d, const void *args, const void *prep) {
  const struct list_failed_members_args *a = args;
  struct pending_cancel from = failed_from(a);
  (void)prep;
  declare_scan(d, INDEX_pending_cancel_by_flow, &from, false, a->limit);
}

static enum ff_rc failed_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct list_failed_members_args *a = args;
  struct list_failed_members_result *r = result;
  struct ff_execution_ref *refs = ARENA_ARRAY(tx_arena(tx), struct ff_execution_ref, a->limit);
  struct pending_cancel from = failed_from(a);
  size_t count = 0;
  struct tx_scan scan;
  (void)prep, (void)e;
  TRY(tx_scan_open(tx, INDEX_pending_cancel_by_flow, &from, false, a->limit, &scan));
  while (count < a->limit) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    const struct pending_cancel *p = record;
    exec_id_format((struct exec_id){p->partition, p->execution_id}, &refs[count++].execution_id);
  }
  r->members = (struct ff_execution_refs){refs, count};
  return FF_OK;
}

const struct op_code op_code_list_failed_members = {0, accept, failed_declare, failed_run};

/* ---- wait_for_flow_cancellation: one look ---- */

static enum ff_rc wait_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_wait_for_flow_cancellation_args *a = args;
  (void)arena;
  return flow_id_parse(a->flow_id, config, prep, e);
}

static void wait_declare(struct declare *d, const void *args, const void *prep) {
  struct flow_id id = *(const struct flow_id *)prep;
  (void)args;
  declare_flow(d, id);
  declare_get(d, RECORD_KIND_cancel_backlog, FLOW_KEY(cancel_backlog, id));
}

static enum ff_rc wait_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  struct ff_wait_for_flow_cancellation_result *r = result;
  struct flow_id id = *(const struct flow_id *)prep;
  const struct cancel_backlog *backlog = NULL;
  const struct flow *f = NULL;
  (void)args, (void)e;
  TRY(tx_get_flow(tx, FLOW_KEY(flow, id), &f));
  TRY(tx_get_cancel_backlog(tx, FLOW_KEY(cancel_backlog, id), &backlog));
  bool done = !f || (f->state == FF_flow_state_cancelled && !backlog);
  r->outcome = done ? FF_outcome_ok : FF_outcome_timed_out;
  return FF_OK;
}

const struct op_code op_code_wait_for_flow_cancellation = {sizeof(struct flow_id), wait_prepare,
                                                           wait_declare, wait_run};
