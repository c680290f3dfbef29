/*
 * list_workers: who is registered and live (06 WR-9, WR-10).
 *
 * One range of the primary key. A cursor names the last worker looked at, which need not exist any
 * more: `<instance>` within a namespace, `<instance> <namespace>` over all of them (an instance id
 * has no white space).
 */
#include "op/execution.h"
#include "op/worker.h"

#include "flowfabric/worker.h"

enum { CURSOR_MAX_BYTES = 256 + 1 + NAME_MAX_BYTES };

struct list_prep {
  enum index_id index;
  struct worker from;
  bool all, after;
  uint32_t limit;
};

static enum ff_rc parse_cursor(struct ff_str cursor, struct list_prep *p, struct ff_error *e) {
  TRY(text_check(cursor, "after", CURSOR_MAX_BYTES, e));
  const char *space = p->all ? memchr(cursor.ptr, ' ', cursor.len) : NULL;
  size_t len = space ? (size_t)(space - cursor.ptr) : cursor.len;
  if (p->all && !space)
    return error_field(e, FF_CODE_invalid_input, "after",
                       "expected <worker_instance_id> <namespace>");
  p->from.worker_instance_id = text_of(cursor.ptr, len);
  if (space) p->from.namespace_ = text_of(space + 1, cursor.len - len - 1);
  return worker_id_check(p->from.worker_instance_id, "after", e);
}

static enum ff_rc list_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_list_workers_args *a = args;
  struct list_prep *p = prep;
  (void)config, (void)arena;
  TRY(text_check(a->namespace_, "namespace", NAME_MAX_BYTES, e));
  p->all = !text_present(a->namespace_);
  p->index = p->all ? INDEX_worker_by_key : INDEX_worker_by_namespace;
  p->from.namespace_ = worker_namespace(a->namespace_);
  p->limit = a->limit < WORKERS_PAGE_MAX ? a->limit : WORKERS_PAGE_MAX;
  p->after = text_nonempty(a->after);
  return p->after ? parse_cursor(a->after, p, e) : FF_OK;
}

static void list_declare(struct declare *d, const void *args, const void *prep) {
  const struct list_prep *p = prep;
  (void)args;
  if (p->limit) declare_scan(d, p->index, &p->from, p->after, p->limit);
}

static struct ff_strs split(struct ff_str text, char separator, struct arena *arena) {
  size_t count = text.len > 0;
  for (size_t i = 0; i < text.len; i++) count += text.ptr[i] == separator;
  struct ff_str *items = ARENA_ARRAY(arena, struct ff_str, count + 1);
  size_t start = 0, n = 0;
  for (size_t i = 0; n < count; i++) {
    if (i < text.len && text.ptr[i] != separator) continue;
    items[n++] = text_of(text.ptr + start, i - start);
    start = i + 1;
  }
  return (struct ff_strs){items, count};
}

static struct ff_worker view_worker(const struct worker *w, struct arena *arena) {
  bool named = text_nonempty(w->namespace_);
  return (struct ff_worker){.namespace_ = named ? w->namespace_ : (struct ff_str){0},
                            .worker_instance_id = w->worker_instance_id,
                            .worker_id = w->worker_id,
                            .lanes = split(w->lanes, '\n', arena),
                            .capabilities = split(w->capabilities, ',', arena),
                            .last_heartbeat_ms = w->last_heartbeat_ms,
                            .liveness_ttl_ms = (uint64_t)w->liveness_ttl_ms,
                            .registered_at_ms = w->registered_at_ms};
}

static struct ff_str cursor_of(const struct worker *w, bool all, struct arena *arena) {
  if (!all) return w->worker_instance_id;
  return arena_printf(arena, TEXT_FMT " " TEXT_FMT, TEXT_ARG(w->worker_instance_id),
                      TEXT_ARG(w->namespace_));
}

static enum ff_rc list_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  struct ff_list_workers_result *r = result;
  const struct list_prep *p = prep;
  struct tx_scan scan;
  (void)args, (void)e;
  if (p->limit == 0) return FF_OK;
  TRY(tx_scan_open(tx, p->index, &p->from, p->after, p->limit, &scan));
  struct ff_worker *page = ARENA_ARRAY(tx_arena(tx), struct ff_worker, p->limit);
  size_t count = 0;
  for (uint32_t seen = 1;; seen++) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    if (worker_is_live(record, tx_now(tx))) page[count++] = view_worker(record, tx_arena(tx));
    if (count < p->limit && seen < WORKERS_EXAMINED_MAX) continue;
    r->cursor = cursor_of(record, p->all, tx_arena(tx));
    break;
  }
  r->workers = (struct ff_workers){page, count};
  return FF_OK;
}

const struct op_code op_code_list_workers = {sizeof(struct list_prep), list_prepare, list_declare,
                                             list_run};
