/*
 * Every record of a store as text: what parity means (DESIGN P9). Goes through the vtable like
 * anybody else.
 */
#include "op/execution.h"
#include "store/calls.h"
#include "test/lib/script.h"

#include <stdio.h>
#include <stdlib.h>

struct dumper {
  struct store_session *session;
  struct arena arena;
  struct buffer *out;
};

static void print(struct dumper *d, enum record_kind kind, const void *record) {
  record_dump(kind, record, d->out);
  buffer_append_char(d->out, '\n');
}

static void dump_index(struct dumper *d, enum index_id index, const void *from);

/* What suspensions leave behind. */
static void dump_waiting(struct dumper *d, const struct execution *x) {
  struct suspension suspension = {.partition = x->partition, .execution_id = x->id};
  struct waitpoint waitpoint = {.partition = x->partition, .execution_id = x->id};
  struct signal signal = {.partition = x->partition, .execution_id = x->id};
  struct signal_dedup dedup = {.partition = x->partition, .execution_id = x->id};
  struct suspend_replay replay = {.partition = x->partition, .execution_id = x->id};
  struct store_get get = {RECORD_KIND_suspension, &suspension, NULL};
  struct ff_error error;
  int64_t now;
  if (store_fetch(d->session, &d->arena, &get, 1, NULL, 0, &now, &error) == FF_OK && get.record)
    print(d, RECORD_KIND_suspension, get.record);
  dump_index(d, INDEX_waitpoint_by_execution, &waitpoint);
  dump_index(d, INDEX_signal_by_execution, &signal);
  dump_index(d, INDEX_signal_dedup_by_execution, &dedup);
  dump_index(d, INDEX_suspend_replay_by_execution, &replay);
}

static void dump_gets(struct dumper *d, const struct execution *x) {
  struct exec_id id = execution_id_of(x);
  struct store_get gets[] = {{RECORD_KIND_payload, EXECUTION_KEY(payload, id), NULL},
                             {RECORD_KIND_result, EXECUTION_KEY(result, id), NULL},
                             {RECORD_KIND_policy, EXECUTION_KEY(policy, id), NULL},
                             {RECORD_KIND_grant, EXECUTION_KEY(grant, id), NULL}};
  struct attempt from = {.partition = id.partition, .execution_id = id.uuid};
  struct store_scan scan = {.index = INDEX_attempt_by_execution, .from = &from, .limit = 10000};
  struct ff_error error;
  int64_t now;
  if (store_fetch(d->session, &d->arena, gets, ARRAY_LEN(gets), &scan, 1, &now, &error) != FF_OK) {
    buffer_printf(d->out, "!%s %s\n", ff_code_name(error.code), error.detail);
    return;
  }
  for (size_t i = 0; i < ARRAY_LEN(gets); i++)
    if (gets[i].record) print(d, gets[i].kind, gets[i].record);
    else if (gets[i].unreadable) buffer_printf(d->out, "!%s\n", gets[i].unreadable->detail);
  for (uint32_t i = 0; i < scan.count; i++) print(d, RECORD_KIND_attempt, scan.records[i]);
  dump_waiting(d, x);
}

static void dump_flow(struct dumper *d, const struct flow *flow) {
#define OF_FLOW(type) (&(struct type){.partition = flow->partition, .flow_id = flow->flow_id})
  dump_index(d, INDEX_flow_member_by_flow, OF_FLOW(flow_member));
  dump_index(d, INDEX_edge_by_flow, OF_FLOW(edge));
  dump_index(d, INDEX_edge_group_by_flow, OF_FLOW(edge_group));
  dump_index(d, INDEX_pending_cancel_by_flow, OF_FLOW(pending_cancel));
#undef OF_FLOW
}

static void dump_flows(struct dumper *d) {
  struct flow flow = {.partition = 0};
  struct cascade_backlog cascade = {.partition = 0};
  struct pending_cancel_group group = {.partition = 0};
  struct cancel_backlog cancel = {.partition = 0};
  dump_index(d, INDEX_flow_all, &flow);
  dump_index(d, INDEX_cascade_backlog_due, &cascade);
  dump_index(d, INDEX_pending_cancel_group_due, &group);
  dump_index(d, INDEX_cancel_backlog_due, &cancel);
}

static void dump_index(struct dumper *d, enum index_id index, const void *from) {
  struct store_scan scan = {.index = index, .from = from, .limit = 100000};
  struct ff_error error;
  int64_t now;
  if (store_fetch(d->session, &d->arena, NULL, 0, &scan, 1, &now, &error) != FF_OK) {
    buffer_printf(d->out, "!%s %s\n", ff_code_name(error.code), error.detail);
    return;
  }
  enum record_kind kind = index_infos[index].kind;
  for (uint32_t i = 0; i < scan.unreadable_count; i++)
    buffer_printf(d->out, "!%s\n", scan.unreadable[i]->detail);
  for (uint32_t i = 0; i < scan.count; i++) {
    print(d, kind, scan.records[i]);
    if (kind == RECORD_KIND_execution) dump_gets(d, scan.records[i]);
    if (kind == RECORD_KIND_flow) dump_flow(d, scan.records[i]);
    if (kind == RECORD_KIND_lane) {
      struct requirement_set sets = {.lane_id = ((const struct lane *)scan.records[i])->lane_id};
      dump_index(d, INDEX_requirement_set_by_lane, &sets);
    }
  }
}

static void dump_budgets(struct dumper *d, uint32_t partitions) {
  struct budget_dedup dedups;
  record_init(RECORD_KIND_budget_dedup, &dedups);
  for (uint32_t i = 0; i < partitions; i++) {
    struct budget budgets = {.partition = (uint16_t)i};
    struct budget_ledger ledgers = {.partition = (uint16_t)i};
    dump_index(d, INDEX_budget_by_id, &budgets);
    dump_index(d, INDEX_budget_ledger_by_id, &ledgers);
  }
  dump_index(d, INDEX_budget_dedup_expiry, &dedups);
}

void engine_dump(struct engine *e, struct buffer *out) {
  struct dumper d = {.out = out};
  struct ff_error error;
  struct store *store = engine_store(e);
  arena_init(&d.arena);
  INVARIANT(store->vtable->session_open(store, STORE_READER, &d.session, &error) == FF_OK);
  struct execution executions;
  struct lane lanes;
  struct idempotency idempotency;
  struct event events;
  struct token_key keys;
  record_init(RECORD_KIND_execution, &executions);
  record_init(RECORD_KIND_lane, &lanes);
  record_init(RECORD_KIND_idempotency, &idempotency);
  record_init(RECORD_KIND_event, &events);
  record_init(RECORD_KIND_token_key, &keys);
  dump_index(&d, INDEX_token_key_by_kid, &keys);
  dump_index(&d, INDEX_lane_by_id, &lanes);
  dump_index(&d, INDEX_execution_created, &executions);
  dump_index(&d, INDEX_idempotency_expiry, &idempotency);
  dump_flows(&d);
  dump_index(&d, INDEX_event_by_id, &events);
  dump_budgets(&d, engine_config(e)->budget_partitions);
  store->vtable->session_close(d.session);
  arena_fini(&d.arena);
}

void script_dump(struct script *s, struct buffer *out) { engine_dump(script_engine(s), out); }
