/*
 * Going on with what cascades have left (04 FK-3, FS-6): page by page, each piece a transaction of
 * its own.
 */
#include "engine/impl.h"

#define WORK_PAGE 256
#define WORK_ROUNDS 20
#define PAUSE_MS 1000 /* before what failed is tried again */

static enum scanner_id scanner_of(enum flow_work_kind kind) {
  return kind == FLOW_WORK_CASCADE ? SCANNER_DEPENDENCIES : SCANNER_SIBLINGS;
}

static void log_item(const struct engine *e, const struct flow_work_item *item,
                     const struct ff_error *error) {
  struct ff_id id;
  exec_id_format(item->member, &id);
  engine_log(e, FF_LOG_WARN, "%s: %s: %s: %s", scanner_names[scanner_of(item->kind)], id.text,
             ff_code_name(error->code), error->detail);
}

static uint32_t drain(struct engine *e, const struct flow_work_item *items, uint32_t count,
                      uint32_t *errors) {
  struct call call = {.op = OP_run_scanner};
  struct ff_error error;
  uint32_t done = 0;
  arena_init(&call.arena);
  call.requests = ARENA_ARRAY(&call.arena, struct request, count);
  for (uint32_t i = 0; i < count; i++) {
    struct drain_flow_work_args *args = ARENA_NEW(&call.arena, struct drain_flow_work_args);
    *args = (struct drain_flow_work_args){sizeof *args, items[i]};
    call_request(e, &call, OP_drain_flow_work, args);
  }
  enum ff_rc rc = internal_run(e, &call, &error);
  for (uint32_t i = 0; i < count; i++) {
    struct scanner_stats *stats = &e->scanners[scanner_of(items[i].kind)];
    bool failed = rc != FF_OK || call.requests[i].rc != FF_OK;
    stats->processed += !failed;
    stats->errors += failed;
    *errors += failed;
    done += !failed;
    if (failed) log_item(e, &items[i], rc == FF_OK ? &call.requests[i].error : &error);
  }
  arena_fini(&call.arena);
  return done;
}

/* One page; *full when there may be more that is due. */
static uint32_t drain_page(struct engine *e, int64_t now, bool *full, uint32_t *errors) {
  struct list_flow_work_args args = {sizeof args, WORK_PAGE};
  struct list_flow_work_result found;
  struct arena arena;
  struct ff_error error;
  uint32_t done = 0;
  arena_init(&arena);
  *full = false;
  if (read_step(e, OP_list_flow_work, &args, &found, &arena, &error) != FF_OK) {
    ++*errors;
    engine_log(e, FF_LOG_WARN, "%s: %s: %s", scanner_names[SCANNER_DEPENDENCIES],
               ff_code_name(error.code), error.detail);
    scan_hint(e, now + PAUSE_MS);
  } else {
    if (found.count) done = drain(e, found.items, found.count, errors);
    *full = found.count > 0;
    if (found.next_due_at != INT64_MAX && found.next_due_at > now) scan_hint(e, found.next_due_at);
  }
  arena_fini(&arena);
  return done;
}

/* What one round does may leave more: on until nothing is left, or nothing moves. */
uint32_t scan_flow_work(struct engine *e, int64_t now, uint32_t *errors) {
  uint32_t processed = 0;
  bool more = atomic_exchange(&e->flow_work, false) || e->store->traits.shared;
  for (int round = 0; more && round < WORK_ROUNDS; round++) {
    uint32_t before = *errors, done = drain_page(e, now, &more, errors);
    processed += done;
    if (*errors == before && (done || !more)) continue;
    atomic_store(&e->flow_work, true);
    scan_hint(e, now + PAUSE_MS);
    return processed;
  }
  if (more) {
    atomic_store(&e->flow_work, true);
    scan_hint(e, now);
  }
  return processed;
}
