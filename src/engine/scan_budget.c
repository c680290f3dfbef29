/*
 * Budgets as time goes by: resets that are due, dedup keys and ledgers that are over (06 F.3
 * budget_reset, dedup_sweep), and who may be claimed again because of it (unblock).
 *
 * Like scan.c: every item is an operation of its own that re-checks its condition.
 */
#include "engine/impl.h"

#define PAGE 256
#define DUE_ROUNDS 20
#define UNBLOCK_PAGES 40
#define SWEEP_PAGES 20
#define PAUSE_MS 1000 /* before what failed is tried again */

/* Runs the requests of the engine's own call; answers how many went well. */
static uint32_t run_all(struct engine *e, struct call *call, enum scanner_id scanner,
                        uint32_t *errors) {
  struct ff_error error;
  uint32_t done = 0;
  if (!call->request_count) return 0;
  enum ff_rc rc = internal_run(e, call, &error);
  if (rc != FF_OK) scan_log_failure(e, scanner, &error);
  for (uint32_t i = 0; i < call->request_count; i++) {
    const struct request *r = &call->requests[i];
    bool failed = rc != FF_OK || r->rc != FF_OK;
    bool told = r->error.code == FF_CODE_corruption && !unreadable_first(e, &r->error, 0);
    if (failed && rc == FF_OK && !told) scan_log_failure(e, scanner, &r->error);
    done += !failed;
    *errors += failed;
  }
  return done;
}

/* ---- unblocking ---- */

/* One page of who is blocked; answers whether more may lie behind it. */
static bool unblock_page(struct engine *e, struct list_blocked_args *args, uint32_t *processed,
                         uint32_t *errors) {
  struct arena arena;
  struct ff_error error;
  struct list_blocked_result blocked;
  struct call call = {.op = OP_run_scanner};
  bool more = false;
  arena_init(&arena);
  arena_init(&call.arena);
  if (read_step(e, OP_list_blocked, args, &blocked, &arena, &error) != FF_OK) {
    ++*errors;
    scan_log_failure(e, SCANNER_UNBLOCK, &error);
  } else {
    more = blocked.more;
    args->after = true;
    args->cursor = blocked.last;
    call_reserve(&call, blocked.count + 1);
    for (uint32_t i = 0; i < blocked.count; i++) {
      struct recheck_blocked_args *recheck = ARENA_NEW(&call.arena, struct recheck_blocked_args);
      *recheck =
          (struct recheck_blocked_args){sizeof *recheck, execution_id_of(blocked.items[i])};
      call_request(e, &call, OP_recheck_blocked, recheck);
    }
    *processed += run_all(e, &call, SCANNER_UNBLOCK, errors);
  }
  arena_fini(&call.arena);
  arena_fini(&arena);
  return more;
}

/* Everybody a budget has held back, in claim order (BG-65). What is left over when the pages run out
 * is found again: the budget stays due. */
static uint32_t unblock_budget(struct engine *e, const struct budget *b, uint32_t *errors) {
  struct list_blocked_args args = {.size = sizeof args, .limit = PAGE, .on = b->budget_id};
  struct end_unblocking_args end = {sizeof end, b->budget_id, b->unblock_at};
  struct call call = {.op = OP_run_scanner};
  uint32_t processed = 0, failed = 0;
  bool more = true;
  for (int page = 0; page < UNBLOCK_PAGES && more; page++)
    more = unblock_page(e, &args, &processed, &failed);
  if (!more && !failed) {
    arena_init(&call.arena);
    call_reserve(&call, 1);
    call_request(e, &call, OP_end_unblocking, &end);
    (void)!run_all(e, &call, SCANNER_UNBLOCK, &failed);
    arena_fini(&call.arena);
  }
  *errors += failed;
  return processed;
}

/* What no budget tells: blocks that others decided on, and those another process left behind. It goes
 * round (BG-67). */
uint32_t scan_blocked(struct engine *e, bool *left, uint32_t *errors) {
  struct list_blocked_args args = {.size = sizeof args, .limit = PAGE, .all = true};
  uint32_t processed = 0;
  bool more = true;
  pthread_mutex_lock(&e->lock); /* run_scanner may look at the same time */
  args.cursor = e->unblock_cursor;
  pthread_mutex_unlock(&e->lock);
  bool from_start = uuid_is_nil(args.cursor.blocked_on);
  args.after = !from_start;
  for (int page = 0; page < SWEEP_PAGES && more; page++)
    more = unblock_page(e, &args, &processed, errors);
  pthread_mutex_lock(&e->lock);
  e->unblock_cursor = more ? args.cursor : (struct execution){0};
  pthread_mutex_unlock(&e->lock);
  *left = !from_start || more || !uuid_is_nil(args.cursor.blocked_on);
  return processed;
}

/* ---- budgets that are due ---- */

static void add_reset(struct engine *e, struct call *call, const struct budget *b) {
  struct reset_budget_due_args *reset = ARENA_NEW(&call->arena, struct reset_budget_due_args);
  *reset = (struct reset_budget_due_args){sizeof *reset, b->budget_id};
  call_request(e, call, OP_reset_budget_due, reset);
}

/* *count is how many were due. */
static uint32_t due_round(struct engine *e, int64_t now, uint32_t *count, uint32_t *errors) {
  struct arena arena;
  struct ff_error error;
  struct list_budgets_due_args args = {sizeof args, PAGE};
  struct list_budgets_due_result due;
  struct call call = {.op = OP_run_scanner};
  uint32_t done = 0;
  arena_init(&arena);
  arena_init(&call.arena);
  *count = 0;
  if (read_step(e, OP_list_budgets_due, &args, &due, &arena, &error) != FF_OK) {
    ++*errors;
    scan_log_failure(e, SCANNER_BUDGET_RESET, &error);
  } else {
    *count = due.count;
    if (due.count < PAGE && due.next_due_at != INT64_MAX) scan_hint(e, due.next_due_at);
    call_reserve(&call, *count + 1);
    for (uint32_t i = 0; i < *count; i++) {
      const struct budget *b = due.items[i];
      if (b->next_reset_at && b->next_reset_at <= now) add_reset(e, &call, b);
      else if (b->unblock_at) done += unblock_budget(e, b, errors);
    }
    done += run_all(e, &call, SCANNER_BUDGET_RESET, errors);
  }
  arena_fini(&call.arena);
  arena_fini(&arena);
  return done;
}

uint32_t scan_budgets(struct engine *e, int64_t now, uint32_t *errors) {
  struct scanner_stats *stats = &e->scanners[SCANNER_BUDGET_RESET];
  uint32_t processed = 0, failed = 0, count = 1;
  int round = 0;
  for (; round < DUE_ROUNDS && count && !failed; round++)
    processed += due_round(e, now, &count, &failed);
  if (failed) scan_hint(e, now + PAUSE_MS);
  else if (count) scan_hint(e, now);
  stats->cycles++;
  stats->last_started_at = now;
  stats->processed += processed;
  stats->errors += failed;
  *errors += failed;
  return processed;
}

/* ---- dedup_sweep ---- */

static void add_ledger_drop(struct engine *e, struct call *call, const struct budget_ledger *l) {
  struct drop_budget_ledger_args *drop = ARENA_NEW(&call->arena, struct drop_budget_ledger_args);
  *drop = (struct drop_budget_ledger_args){
      sizeof *drop, l->budget_id, {l->execution_partition, l->execution_id}};
  call_request(e, call, OP_drop_budget_ledger, drop);
}

void ask_budgets(struct engine *e, struct call *call, const void *listed) {
  const struct list_stale_budget_result *stale = listed;
  for (uint32_t i = 0; i < stale->dedup_count; i++) {
    struct drop_budget_dedup_args *drop = ARENA_NEW(&call->arena, struct drop_budget_dedup_args);
    *drop = (struct drop_budget_dedup_args){sizeof *drop, stale->dedups[i]->budget_id,
                                            stale->dedups[i]->dedup_key};
    call_request(e, call, OP_drop_budget_dedup, drop);
  }
  for (uint32_t i = 0; i < stale->ledger_count; i++) add_ledger_drop(e, call, stale->ledgers[i]);
}
