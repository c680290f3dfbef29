/*
 * trim_retention: removing ended executions on demand (02 §18). The background purge is due work
 * like any other (scan.c).
 *
 * Walks by creation through the public query in pages; each purge is an operation of its own that
 * re-checks its condition.
 */
#include "engine/impl.h"

struct trim {
  const struct ff_trim_retention_args *args;
  int64_t retention_ms;
  uint32_t limit, purged;
  uint16_t partition;
  bool one_partition;
};

static enum ff_rc trim_arguments(struct engine *e, const struct ff_trim_retention_args *a,
                                 struct trim *t, struct ff_error *error) {
  *t = (struct trim){.args = a, .retention_ms = a->retention_ms ? a->retention_ms : -1};
  t->limit = a->batch_size ? a->batch_size : 20;
  if (t->limit > 1000)
    return error_field(error, FF_CODE_invalid_input, "batch_size", "must be at most 1000, got %u",
                       t->limit);
  if (a->retention_ms < 0)
    return error_field(error, FF_CODE_invalid_input, "retention_ms", "must not be negative");
  t->one_partition = text_nonempty(a->partition);
  if (t->one_partition)
    TRY(partition_parse(a->partition, "partition", e->config.flow_partitions, &t->partition,
                        error));
  return FF_OK;
}

static enum ff_rc purge_page(struct engine *e, struct trim *t, const struct ff_executions *page,
                             struct ff_error *error) {
  struct call call = {.op = OP_run_scanner};
  arena_init(&call.arena);
  call.requests = ARENA_ARRAY(&call.arena, struct request, page->count + 1);
  enum ff_rc rc = FF_OK;
  for (size_t i = 0; i < page->count && call.request_count + t->purged < t->limit && rc == FF_OK;
       i++) {
    const struct ff_execution *x = &page->items[i];
    struct purge_execution_args *args = ARENA_NEW(&call.arena, struct purge_execution_args);
    args->size = sizeof *args;
    args->retention_ms = t->retention_ms;
    rc = exec_id_parse(ff_text(x->execution_id.text), "execution_id", e->config.flow_partitions,
                       &args->execution, error);
    if (rc == FF_OK && (!t->one_partition || args->execution.partition == t->partition))
      call_request(e, &call, OP_purge_execution, args);
  }
  /* The answers live in the batch; what was purged is seen by which requests wrote. */
  if (rc == FF_OK && call.request_count) rc = internal_run(e, &call, error);
  for (uint32_t i = 0; i < call.request_count && rc == FF_OK; i++)
    t->purged += call.requests[i].wrote;
  arena_fini(&call.arena);
  return rc;
}

enum ff_rc trim_retention_run(struct engine *e, const void *args, void *result,
                              struct ff_error *error) {
  struct ff_trim_retention_result *out = result;
  struct trim t;
  struct arena cursors;
  if (!e->seat_count)
    return error_set(error, FF_CODE_store_read_only, "the store was opened with mode=ro");
  TRY(trim_arguments(e, args, &t, error));
  struct ff_query_executions_args q = {
      .size = sizeof q,
      .namespace_ = t.args->namespace_,
      .lane_id = text_nonempty(t.args->lane_id) ? t.args->lane_id : (struct ff_str){NULL, 0},
      .public_state = TEXT_LIT("completed,failed,cancelled,expired,skipped"),
      .limit = 1000};
  enum ff_rc rc = FF_OK;
  arena_init(&cursors);
  for (bool more = true; more && rc == FF_OK && t.purged < t.limit;) {
    struct ff_query_executions_result page;
    rc = read_call(e, OP_query_executions, &q, &page, error);
    if (rc != FF_OK) break;
    rc = purge_page(e, &t, &page.executions, error);
    q.cursor = arena_text(&cursors, page.next_cursor);
    more = text_nonempty(page.next_cursor);
    values_free(page.memory);
  }
  arena_fini(&cursors);
  out->outcome = FF_outcome_ok;
  out->count = t.purged;
  return rc;
}
