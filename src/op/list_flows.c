/*
 * list_flows, list_flow_members (04 §15; 07 U-52): ranges of primary keys, page by page.
 *
 * A cursor is the last id of the page before and need not exist any more.
 */
#include "op/flow_state.h"

#include "flowfabric/flow_read.h"
#include "op/read.h"

static uint32_t page_size(uint32_t limit) { return limit < READ_PAGE_MAX ? limit : READ_PAGE_MAX; }

static struct ff_str id_text(struct arena *arena, const struct ff_id *id) {
  return arena_text(arena, ff_text(id->text));
}

/* ---- list_flows ---- */

struct flows_prep {
  enum index_id index;
  struct flow from;
  bool after;
  uint32_t limit;
};

static enum ff_rc flows_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_list_flows_args *a = args;
  struct flows_prep *p = prep;
  bool all = !text_nonempty(a->partition);
  (void)arena;
  p->index = all ? INDEX_flow_all : INDEX_flow_by_id;
  p->limit = page_size(a->limit);
  if (!all)
    TRY(partition_parse(a->partition, "partition", config->flow_partitions, &p->from.partition,
                        e));
  p->after = text_nonempty(a->cursor);
  if (!p->after) return FF_OK;
  TRY(uuid_parse_field(a->cursor, "cursor", &p->from.flow_id, e));
  uint16_t partition = partition_of_uuid(p->from.flow_id, config->flow_partitions);
  if (!all && partition != p->from.partition)
    return error_field(e, FF_CODE_invalid_input, "cursor", "partition mismatch");
  p->from.partition = partition;
  return FF_OK;
}

static void flows_declare(struct declare *d, const void *args, const void *prep) {
  const struct flows_prep *p = prep;
  (void)args;
  if (p->limit) declare_scan(d, p->index, &p->from, p->after, p->limit + 1);
}

/* FQ-8. Members that are alive make a flow active, whatever they do. */
static enum ff_flow_status status_of(const struct flow *f) {
  switch (flow_settled_state(f)) {
    case FF_flow_public_state_completed: return FF_flow_status_completed;
    case FF_flow_public_state_failed: return FF_flow_status_failed;
    case FF_flow_public_state_cancelled: return FF_flow_status_cancelled;
    default: return FF_flow_status_active;
  }
}

static enum ff_rc flows_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  struct ff_list_flows_result *r = result;
  const struct flows_prep *p = prep;
  struct tx_scan scan;
  (void)args, (void)e;
  if (!p->limit) return FF_OK;
  TRY(tx_scan_open(tx, p->index, &p->from, p->after, p->limit + 1, &scan));
  struct ff_flow_entry *page = ARENA_ARRAY(tx_arena(tx), struct ff_flow_entry, p->limit);
  size_t count = 0;
  for (;;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    if (count == p->limit) {
      r->next_cursor = id_text(tx_arena(tx), &page[count - 1].flow_id);
      break;
    }
    const struct flow *f = record;
    page[count].created_at = f->created_at;
    page[count].status = (uint8_t)status_of(f);
    uuid_format_id(f->flow_id, &page[count++].flow_id);
  }
  r->flows = (struct ff_flow_entries){page, count};
  return FF_OK;
}

const struct op_code op_code_list_flows = {sizeof(struct flows_prep), flows_prepare, flows_declare,
                                           flows_run};

/* ---- list_flow_members ---- */

struct members_prep {
  struct flow_id flow;
  struct exec_id cursor;
  bool after;
  uint32_t limit;
};

static enum ff_rc members_prepare(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  const struct ff_list_flow_members_args *a = args;
  struct members_prep *p = prep;
  (void)arena;
  TRY(flow_id_parse(a->flow_id, config, &p->flow, e));
  p->limit = page_size(a->limit);
  p->after = text_nonempty(a->cursor);
  if (!p->after) return FF_OK;
  TRY(exec_id_parse(a->cursor, "cursor", config->flow_partitions, &p->cursor, e));
  return flow_check_partition(p->flow, p->cursor, "cursor", e);
}

static struct flow_member members_from(const struct members_prep *p) {
  return (struct flow_member){.partition = p->flow.partition,
                              .flow_id = p->flow.uuid,
                              .execution_id = p->cursor.uuid};
}

static void members_declare(struct declare *d, const void *args, const void *prep) {
  const struct members_prep *p = prep;
  struct flow_member from = members_from(p);
  (void)args;
  if (p->limit) declare_scan(d, INDEX_flow_member_by_flow, &from, p->after, p->limit + 1);
}

static enum ff_rc members_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  struct ff_list_flow_members_result *r = result;
  const struct members_prep *p = prep;
  struct flow_member from = members_from(p);
  struct tx_scan scan;
  (void)args, (void)e;
  if (!p->limit) return FF_OK;
  TRY(tx_scan_open(tx, INDEX_flow_member_by_flow, &from, p->after, p->limit + 1, &scan));
  struct ff_flow_member *page = ARENA_ARRAY(tx_arena(tx), struct ff_flow_member, p->limit);
  size_t count = 0;
  for (;;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    if (count == p->limit) {
      r->next_cursor = id_text(tx_arena(tx), &page[count - 1].execution_id);
      break;
    }
    const struct flow_member *m = record;
    page[count].seq = m->seq;
    page[count].last_outcome = m->last_outcome;
    exec_id_format((struct exec_id){m->partition, m->execution_id}, &page[count++].execution_id);
  }
  r->members = (struct ff_flow_members){page, count};
  return FF_OK;
}

const struct op_code op_code_list_flow_members = {sizeof(struct members_prep), members_prepare,
                                                  members_declare, members_run};
