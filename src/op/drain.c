/*
 * What a commit has left for later transactions: finding it and going on with it (04 §8.4, §9).
 *
 * Steps of the engine, harmless at any time and in any process: what is done already is not done
 * twice.
 */
#include "op/cascade.h"

static enum ff_rc nothing_to_prepare(const struct op_config *config, const void *args, void *prep,
                                     struct arena *arena, struct ff_error *e) {
  (void)config, (void)args, (void)prep, (void)arena, (void)e;
  return FF_OK;
}

/* ---- list_flow_work ---- */

static void list_declare(struct declare *d, const void *args, const void *prep) {
  const struct list_flow_work_args *a = args;
  (void)prep;
  declare_scan(d, INDEX_cascade_backlog_due, &(struct cascade_backlog){0}, false, a->limit + 1);
  declare_scan(d, INDEX_pending_cancel_group_due, &(struct pending_cancel_group){0}, false,
               a->limit + 1);
}

static struct flow_work_item item_of(enum flow_work_kind kind, const void *record) {
  if (kind == FLOW_WORK_CASCADE) {
    const struct cascade_backlog *b = record;
    return (struct flow_work_item){
        kind, {b->partition, b->execution_id}, b->flow_id, b->due_at};
  }
  const struct pending_cancel_group *g = record;
  return (struct flow_work_item){
      kind, {g->partition, g->downstream_execution_id}, g->flow_id, g->due_at};
}

/* Those of one kind that are due, until the page is full. */
static enum ff_rc list_kind(struct tx *tx, enum index_id index, const void *from,
                            enum flow_work_kind kind, uint32_t limit,
                            struct list_flow_work_result *r, struct flow_work_item *items) {
  struct tx_scan scan;
  TRY(tx_scan_open(tx, index, from, false, limit + 1, &scan));
  for (;;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) return FF_OK;
    struct flow_work_item item = item_of(kind, record);
    if (item.due_at > r->now || r->count == limit) {
      if (item.due_at < r->next_due_at) r->next_due_at = item.due_at;
      return FF_OK;
    }
    items[r->count++] = item;
  }
}

static enum ff_rc list_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  const struct list_flow_work_args *a = args;
  struct list_flow_work_result *r = result;
  struct flow_work_item *items = ARENA_ARRAY(tx_arena(tx), struct flow_work_item, a->limit + 1);
  (void)prep, (void)e;
  r->now = tx_now(tx);
  r->next_due_at = INT64_MAX;
  r->items = items;
  TRY(list_kind(tx, INDEX_cascade_backlog_due, &(struct cascade_backlog){0}, FLOW_WORK_CASCADE,
                a->limit, r, items));
  return list_kind(tx, INDEX_pending_cancel_group_due, &(struct pending_cancel_group){0},
                   FLOW_WORK_SIBLINGS, a->limit, r, items);
}

const struct op_code op_code_list_flow_work = {0, nothing_to_prepare, list_declare, list_run};

/* ---- drain_flow_work ---- */

static struct flow_id flow_of(const struct flow_work_item *item) {
  return (struct flow_id){item->member.partition, item->flow_id};
}

static struct cascade_backlog backlog_key(const struct flow_work_item *item) {
  return (struct cascade_backlog){.partition = item->member.partition,
                                  .flow_id = item->flow_id,
                                  .execution_id = item->member.uuid};
}

static struct pending_cancel_group pending_key(const struct flow_work_item *item) {
  return (struct pending_cancel_group){.partition = item->member.partition,
                                       .flow_id = item->flow_id,
                                       .downstream_execution_id = item->member.uuid};
}

static void drain_declare(struct declare *d, const void *args, const void *prep) {
  const struct flow_work_item *item = &((const struct drain_flow_work_args *)args)->item;
  (void)prep;
  declare_flow(d, flow_of(item));
  if (item->kind == FLOW_WORK_CASCADE) {
    struct cascade_backlog key = backlog_key(item);
    declare_get(d, RECORD_KIND_cascade_backlog, &key);
    declare_execution(d, item->member);
    declare_flow_member(d, flow_of(item), item->member.uuid);
    return;
  }
  struct pending_cancel_group key = pending_key(item);
  declare_get(d, RECORD_KIND_pending_cancel_group, &key);
  declare_edge_group(d, flow_of(item), item->member.uuid);
}

static void answer(struct drain_flow_work_result *r, const struct cascade *c, bool more) {
  r->outcome = FF_outcome_applied;
  r->resolved = c->resolved;
  r->ended = c->ended;
  r->more = more || c->work_count > 1;
}

/* FK-4 */
static enum ff_rc drain_cascade(struct tx *tx, const struct flow_work_item *item,
                                struct drain_flow_work_result *r) {
  struct execution x_key = {.partition = item->member.partition, .id = item->member.uuid};
  struct cascade_backlog key = backlog_key(item);
  const struct cascade_backlog *backlog = NULL;
  const struct flow_member *member = NULL;
  const struct execution *source = NULL;
  struct cascade c;
  TRY(cascade_open(&c, tx, flow_of(item)));
  TRY(tx_get_cascade_backlog(tx, &key, &backlog));
  TRY(flow_member_get(tx, c.id, item->member.uuid, &member));
  TRY(tx_get_execution(tx, &x_key, &source));
  r->outcome = FF_outcome_noop;
  if (!backlog) return FF_OK;
  if (!c.flow || !member || !member->last_outcome) { /* replayed since: the next end counts */
    tx_delete_cascade_backlog(tx, backlog);
    return FF_OK;
  }
  enum ff_terminal_outcome outcome = (enum ff_terminal_outcome)member->last_outcome;
  TRY(cascade_plan_out(&c, item->member.uuid, backlog->after_edge_id));
  TRY(cascade_plan_edges(&c, c.edges, c.edge_count, outcome, source));
  tx_edit_flow(tx, c.flow); /* a replay of the member writes it too */
  cascade_add_edges(&c, item->member.uuid, outcome, c.edges, c.edge_count);
  TRY(cascade_act(&c));
  bool done = cascade_done(&c, 0);
  if (done) tx_delete_cascade_backlog(tx, backlog);
  answer(r, &c, !done);
  return FF_OK;
}

static void forget_siblings(struct tx *tx, const struct edge_group *read) {
  struct edge_group *g = tx_edit_edge_group(tx, read);
  g->sibling_cancel_pending = 0;
  g->sibling_cancel_members = (struct ff_str){NULL, 0};
}

/* FS-6 */
static enum ff_rc drain_siblings(struct tx *tx, const struct flow_work_item *item,
                                 struct drain_flow_work_result *r) {
  struct pending_cancel_group key = pending_key(item);
  const struct pending_cancel_group *pending = NULL;
  const struct edge_group *group = NULL;
  const struct uuid *ids = NULL;
  uint32_t count = 0;
  struct cascade c;
  TRY(cascade_open(&c, tx, flow_of(item)));
  TRY(tx_get_pending_cancel_group(tx, &key, &pending));
  TRY(edge_group_get(tx, c.id, item->member.uuid, &group));
  r->outcome = FF_outcome_noop;
  bool owes = c.flow && group && group->sibling_cancel_pending;
  if (owes && pending &&
      siblings_decode(tx_arena(tx), group->sibling_cancel_members, &ids, &count)) {
    TRY(cascade_plan_members(&c, ids, count));
    tx_edit_flow(tx, c.flow);
    cascade_add_siblings(&c, item->member.uuid,
                         (enum ff_sibling_cancel_reason)group->sibling_cancel_reason, ids, count);
    TRY(cascade_act(&c));
    answer(r, &c, !cascade_done(&c, 0));
    if (!cascade_done(&c, 0)) return FF_OK;
  }
  if (owes) forget_siblings(tx, group);
  if (pending) tx_delete_pending_cancel_group(tx, pending);
  return FF_OK;
}

static enum ff_rc drain_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct flow_work_item *item = &((const struct drain_flow_work_args *)args)->item;
  (void)prep, (void)e;
  return item->kind == FLOW_WORK_CASCADE ? drain_cascade(tx, item, result)
                                         : drain_siblings(tx, item, result);
}

const struct op_code op_code_drain_flow_work = {0, nothing_to_prepare, drain_declare, drain_run};
