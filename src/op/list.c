/*
 * list_executions: the executions of one partition in id order (02 L-175).
 *
 * One range of the primary key; the cursor is the last id of the page before and need not exist any
 * more.
 */
#include "op/read.h"

enum ff_rc read_prepare_page(const struct op_config *config, struct ff_str partition,
                             struct ff_str cursor, uint32_t limit, struct page_request *p,
                             struct ff_error *e) {
  TRY(partition_parse(partition, "partition", config->flow_partitions, &p->partition, e));
  p->limit = limit < READ_PAGE_MAX ? limit : READ_PAGE_MAX;
  p->after = text_nonempty(cursor);
  if (!p->after) return FF_OK;
  TRY(exec_id_parse(cursor, "cursor", config->flow_partitions, &p->cursor, e));
  if (p->cursor.partition != p->partition)
    return error_field(e, FF_CODE_invalid_input, "cursor", "partition mismatch");
  return FF_OK;
}

static enum ff_rc list_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_list_executions_args *a = args;
  (void)arena;
  return read_prepare_page(config, a->partition, a->cursor, a->limit, prep, e);
}

static struct execution list_from(const struct page_request *p) {
  return (struct execution){.partition = p->partition, .id = p->cursor.uuid};
}

static void list_declare(struct declare *d, const void *args, const void *prep) {
  const struct page_request *p = prep;
  struct execution from = list_from(p);
  (void)args;
  if (p->limit) declare_scan(d, INDEX_execution_by_id, &from, p->after, p->limit + 1);
}

static struct ff_str id_text(const struct execution *x, struct arena *arena) {
  struct ff_id id;
  exec_id_format(execution_id_of(x), &id);
  return arena_text(arena, ff_text(id.text));
}

static enum ff_rc list_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  struct ff_list_executions_result *r = result;
  const struct page_request *p = prep;
  (void)args;
  if (p->limit == 0) return FF_OK;
  struct execution from = list_from(p);
  struct tx_scan scan;
  TRY(tx_scan_open(tx, INDEX_execution_by_id, &from, p->after, p->limit + 1, &scan));
  struct read_page page = read_page_new("list_executions", p->limit, tx_arena(tx));
  for (;;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    if (page.count == p->limit) {
      r->next_cursor = id_text(page.rows[page.count - 1], tx_arena(tx));
      break;
    }
    page.rows[page.count++] = record;
  }
  return read_page_view(&page, tx_arena(tx), &r->executions, e);
}

const struct op_code op_code_list_executions = {sizeof(struct page_request), list_prepare,
                                                list_declare, list_run};
