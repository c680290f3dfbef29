/*
 * Frees work that was blocked for want of a capable worker once one has registered (06 BG-60 … BG-67,
 * WR-13); who waits for a budget is looked at in the same cycle (scan_budget.c).
 *
 * Looks when a worker registers, and every few seconds while something is blocked; what it frees
 * passes every check of a claim again (BG-64). Nothing here lifts an operator's hold.
 */
#include "engine/impl.h"

#define PAGE 1000
#define PAGES_MAX 20

/* Where a cycle that could not look at everything goes on (BG-67). */
static const struct execution *resume_at(const struct unblock_position *p, struct execution *key) {
  if (!p->set) return NULL;
  *key = (struct execution){.lane_id = ff_text(p->lane_id),
                            .created_at = p->created_at,
                            .partition = p->execution.partition,
                            .id = p->execution.uuid};
  return key;
}

static void remember(struct unblock_position *p, const struct execution *x) {
  p->set = x && x->lane_id.len < sizeof p->lane_id;
  if (!p->set) return;
  memcpy(p->lane_id, x->lane_id.ptr, x->lane_id.len);
  p->lane_id[x->lane_id.len] = '\0';
  p->created_at = x->created_at;
  p->execution = execution_id_of(x);
}

void unblock_hint(struct engine *e, int64_t at) {
  int64_t seen = atomic_load(&e->next_unblock);
  while (at < seen && !atomic_compare_exchange_weak(&e->next_unblock, &seen, at)) {
  }
  if (at < seen && e->service_started) park_wake(&e->service_park, WAKE_LEAD);
}

static void request_unblock(struct engine *e, struct call *call, struct exec_id execution) {
  struct ff_unblock_execution_args *args =
      ARENA_NEW(&call->arena, struct ff_unblock_execution_args);
  struct ff_id id;
  exec_id_format(execution, &id);
  *args = (struct ff_unblock_execution_args){sizeof *args,
                                             arena_text(&call->arena, ff_text(id.text)),
                                             TEXT_LIT("waiting_for_capable_worker")};
  call_request(e, call, OP_unblock_execution, args);
}

/* A lost race counts as done (BG-66). */
static bool settled(const struct request *r) {
  return r->rc == FF_OK || r->error.code == FF_CODE_execution_not_eligible ||
         r->error.code == FF_CODE_execution_not_found;
}

static uint32_t free_items(struct engine *e, const struct list_routable_result *found,
                           uint32_t *errors) {
  struct call call = {.op = OP_run_scanner};
  struct ff_error error;
  uint32_t done = 0;
  if (!found->count) return 0;
  arena_init(&call.arena);
  call.requests = ARENA_ARRAY(&call.arena, struct request, found->count);
  for (uint32_t i = 0; i < found->count; i++) request_unblock(e, &call, found->items[i]);
  enum ff_rc rc = internal_run(e, &call, &error);
  if (rc != FF_OK) scan_log_failure(e, SCANNER_UNBLOCK, &error);
  for (uint32_t i = 0; i < found->count && rc == FF_OK; i++) {
    if (settled(&call.requests[i])) done++;
    else scan_log_failure(e, SCANNER_UNBLOCK, &call.requests[i].error);
  }
  *errors += found->count - done;
  arena_fini(&call.arena);
  return done;
}

/* One page; false when it was the last. */
static bool unblock_page(struct engine *e, uint32_t *processed, uint32_t *left, uint32_t *errors) {
  struct arena arena;
  struct ff_error error;
  struct execution key;
  pthread_mutex_lock(&e->lock); /* run_scanner may look at the same time */
  struct unblock_position at = e->unblock_at;
  pthread_mutex_unlock(&e->lock);
  struct list_routable_args args = {sizeof args, PAGE, resume_at(&at, &key)};
  struct list_routable_result found;
  arena_init(&arena);
  if (read_step(e, OP_list_routable, &args, &found, &arena, &error) != FF_OK) {
    ++*errors;
    scan_log_failure(e, SCANNER_UNBLOCK, &error);
    found = (struct list_routable_result){0};
  }
  *processed += free_items(e, &found, errors);
  *left += found.seen - found.count;
  bool more = found.seen == PAGE;
  remember(&at, more ? found.last : NULL);
  pthread_mutex_lock(&e->lock);
  e->unblock_at = at;
  pthread_mutex_unlock(&e->lock);
  arena_fini(&arena);
  return more;
}

uint32_t scan_unblock(struct engine *e, int64_t now, uint32_t *errors) {
  struct scanner_stats *stats = &e->scanners[SCANNER_UNBLOCK];
  uint32_t processed = 0, left = 0, before = *errors;
  bool more = true, waiting = false;
  /* Before it looks: what is registered meanwhile asks for another look. */
  atomic_store(&e->next_unblock, INT64_MAX);
  for (int page = 0; more && page < PAGES_MAX; page++)
    more = unblock_page(e, &processed, &left, errors);
  processed += scan_blocked(e, &waiting, errors);
  if (more || left || waiting || *errors > before || e->store->traits.shared)
    unblock_hint(e, now + scanner_intervals_ms[SCANNER_UNBLOCK]);
  stats->cycles++;
  stats->last_started_at = now;
  stats->processed += processed;
  stats->errors += *errors - before;
  return processed;
}
