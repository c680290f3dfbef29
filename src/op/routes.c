/*
 * list_routable: which of the executions blocked for want of a capable worker some live worker could
 * take (06 BG-63).
 *
 * Only looks; unblock_execution re-checks and moves them. One worker must offer everything, not the
 * union of several. A registry that cannot be read lets everything go (fail open): claims compare
 * capabilities by themselves.
 */
#include "op/execution.h"
#include "op/worker.h"

enum { WORKERS_EXPECTED = 1000 };

static enum ff_rc accept(const struct op_config *config, const void *args, void *prep,
                         struct arena *arena, struct ff_error *e) {
  (void)config, (void)args, (void)prep, (void)arena, (void)e;
  return FF_OK;
}

static struct execution scan_from(const struct list_routable_args *a) {
  return a->after ? *a->after : (struct execution){.lane_id = TEXT_LIT("")};
}

static void routable_declare(struct declare *d, const void *args, const void *prep) {
  const struct list_routable_args *a = args;
  struct execution from = scan_from(a);
  (void)prep;
  declare_scan(d, INDEX_execution_blocked_by_route, &from, a->after != NULL, a->limit);
}

/* The live workers. FF_UNREADABLE when not all of them can be known. */
static enum ff_rc load_workers(struct tx *tx, const struct worker ***out, uint32_t *count) {
  struct tx_scan scan;
  uint32_t capacity = WORKERS_EXPECTED;
  TRY(tx_scan_open(tx, INDEX_worker_by_key, &(struct worker){0}, false, WORKERS_EXPECTED, &scan));
  const struct worker **workers = ARENA_ARRAY(tx_arena(tx), const struct worker *, capacity);
  *count = 0;
  for (uint32_t seen = 0; seen < WORKERS_EXAMINED_MAX; seen++) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    if (!worker_is_live(record, tx_now(tx))) continue;
    if (*count == capacity) {
      const struct worker **grown =
          ARENA_ARRAY(tx_arena(tx), const struct worker *, capacity * 2);
      memcpy(grown, workers, sizeof *workers * capacity);
      workers = grown;
      capacity *= 2;
    }
    workers[(*count)++] = record;
  }
  *out = workers;
  return FF_OK;
}

static bool anybody_can(const struct worker **workers, uint32_t count, const struct execution *x) {
  for (uint32_t i = 0; i < count; i++)
    if (worker_can_take(workers[i], x)) return true;
  return false;
}

static enum ff_rc routable_run(struct tx *tx, const void *args, const void *prep, void *result,
                               struct ff_error *e) {
  const struct list_routable_args *a = args;
  struct list_routable_result *r = result;
  struct execution from = scan_from(a);
  const struct worker **workers = NULL;
  uint32_t worker_count = 0;
  bool everything = false;
  struct tx_scan scan;
  (void)prep, (void)e;
  TRY(tx_scan_open(tx, INDEX_execution_blocked_by_route, &from, a->after != NULL, a->limit, &scan));
  struct exec_id *items = ARENA_ARRAY(tx_arena(tx), struct exec_id, a->limit);
  while (r->seen < a->limit) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    if (!r->last) {
      enum ff_rc rc = load_workers(tx, &workers, &worker_count);
      everything = rc == FF_UNREADABLE;
      if (rc != FF_OK && !everything) return rc;
    }
    r->last = record;
    r->seen++;
    if (everything || anybody_can(workers, worker_count, record))
      items[r->count++] = execution_id_of(record);
  }
  r->items = items;
  return FF_OK;
}

const struct op_code op_code_list_routable = {0, accept, routable_declare, routable_run};
