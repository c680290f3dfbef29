/*
 * cancel_flow and cancel_flow_header, and the draining of flows that owe members a cancel (04 §14.3 …
 * §14.5).
 *
 * The flip is one transaction, each stretch of members one more; between them others are served. What
 * this engine has begun it drains at once, what a dead process left when its grace is over.
 */
#include "engine/impl.h"
#include "op/values.h"

#define WAIT_MAX_MS 300000 /* of both kinds (FX-19) */
#define IDS_OF_A_REPEAT 1000
#define PAGE 1000
#define FAILED_MAX 10000
#define OWING_PAGE 50
#define TRANSACTIONS_A_CYCLE 8 /* then others get their turn on the service thread */

/* ---- transactions ---- */

/* *out: the result, without its texts. */
static enum ff_rc run_step(struct engine *e, enum op_id op, const void *args, void *out,
                           struct ff_error *error) {
  struct call call = {.op = OP_run_scanner, .out = out};
  memset(out, 0, op_infos[op].result_size);
  arena_init(&call.arena);
  call_reserve(&call, 1);
  struct request *r = call_request(e, &call, op, args);
  enum ff_rc rc = r->refused ? FF_OK : internal_run(e, &call, error);
  if (rc == FF_OK && r->rc != FF_OK) {
    rc = r->rc;
    if (error) *error = r->error;
  }
  arena_fini(&call.arena);
  return rc;
}

/* The next stretch of a flow's members; moves `at` on. */
static enum ff_rc drain_once(struct engine *e, struct own_cancel *at, bool unreadable_too,
                             struct drain_flow_result *out, struct ff_error *error) {
  struct drain_flow_args args = {sizeof args, at->partition, at->flow_id, at->after,
                                 unreadable_too};
  TRY(run_step(e, OP_drain_flow, &args, out, error));
  at->after = out->last;
  return FF_OK;
}

/* ---- in the background ---- */

void cancels_hint(struct engine *e, int64_t at) {
  int64_t seen = atomic_load(&e->next_cancel);
  while (at < seen && !atomic_compare_exchange_weak(&e->next_cancel, &seen, at)) {
  }
  if (at < seen && e->service_started) park_wake(&e->service_park, WAKE_LEAD);
}

/* One more to be drained at once; when there are too many, their due time will do. */
static void drain_later(struct engine *e, struct own_cancel c) {
  pthread_mutex_lock(&e->lock);
  bool room = e->own_cancel_count < OWN_CANCELS;
  if (room) e->own_cancels[e->own_cancel_count++] = c;
  pthread_mutex_unlock(&e->lock);
  cancels_hint(e, store_now(e) + (room ? 0 : scanner_intervals_ms[SCANNER_CANCELS] * 2));
}

static bool take_own(struct engine *e, struct own_cancel *out) {
  pthread_mutex_lock(&e->lock);
  bool any = e->own_cancel_count > 0;
  if (any) *out = e->own_cancels[--e->own_cancel_count];
  pthread_mutex_unlock(&e->lock);
  return any;
}

static void fail_drain(struct engine *e, int64_t now, const struct ff_error *error,
                       uint32_t *errors) {
  ++*errors;
  scan_log_failure(e, SCANNER_CANCELS, error);
  cancels_hint(e, now + scanner_intervals_ms[SCANNER_CANCELS]);
}

/* Up to so many transactions of one flow; *more when it is not done. */
static uint32_t drain_some(struct engine *e, struct own_cancel *at, uint32_t transactions,
                           bool unreadable_too, int64_t now, bool *more, uint32_t *errors) {
  uint32_t ended = 0;
  struct drain_flow_result step = {.more = true};
  struct ff_error error;
  for (uint32_t i = 0; i < transactions && step.more; i++) {
    if (drain_once(e, at, unreadable_too, &step, &error) != FF_OK) {
      fail_drain(e, now, &error, errors);
      step.more = false;
      break;
    }
    ended += step.count;
  }
  *more = step.more;
  return ended;
}

/* What others have left (FB-3). Members that cannot be read are tried once per start. */
static uint32_t reconcile(struct engine *e, int64_t now, uint32_t *errors) {
  struct arena arena;
  struct ff_error error;
  struct owing_flow last;
  struct list_owing_flows_args args = {.size = sizeof args, .limit = OWING_PAGE};
  struct list_owing_flows_result page = {.count = OWING_PAGE};
  bool first = !atomic_load(&e->cancels_started);
  uint32_t ended = 0;
  while (page.count == OWING_PAGE) {
    arena_init(&arena);
    enum ff_rc rc = read_step(e, OP_list_owing_flows, &args, &page, &arena, &error);
    if (rc != FF_OK) {
      fail_drain(e, now, &error, errors);
      page.count = 0;
    }
    for (uint32_t i = 0; i < page.count; i++) {
      last = page.items[i];
      args.after = &last;
      if (last.only_unreadable && !first) continue;
      if (last.due_at > now && !last.only_unreadable) {
        cancels_hint(e, last.due_at);
        continue;
      }
      struct own_cancel at = {.partition = last.partition, .flow_id = last.flow_id};
      bool more;
      ended += drain_some(e, &at, 2, first, now, &more, errors);
      if (more) drain_later(e, at);
    }
    arena_fini(&arena);
  }
  atomic_store(&e->cancels_started, true);
  return ended;
}

uint32_t scan_cancels(struct engine *e, int64_t now, uint32_t *errors) {
  struct scanner_stats *stats = &e->scanners[SCANNER_CANCELS];
  struct own_cancel own;
  uint32_t ended = 0, before = *errors;
  atomic_store(&e->next_cancel, INT64_MAX);
  if (take_own(e, &own)) {
    bool more;
    ended = drain_some(e, &own, TRANSACTIONS_A_CYCLE, false, now, &more, errors);
    if (more) drain_later(e, own);
    else cancels_hint(e, now); /* there may be others */
  } else {
    ended = reconcile(e, now, errors);
    if (e->store->traits.shared)
      cancels_hint(e, now + scanner_intervals_ms[SCANNER_CANCELS]);
  }
  stats->cycles++;
  stats->last_started_at = now;
  stats->processed += ended;
  stats->errors += *errors - before;
  return ended;
}

/* ---- what the calls answer ---- */

struct refs {
  struct ff_execution_ref *items;
  size_t count, capacity;
};

static void refs_add(struct refs *refs, struct arena *arena, const struct ff_id *id) {
  if (refs->count == refs->capacity) {
    size_t capacity = refs->capacity ? refs->capacity * 2 : 256;
    struct ff_execution_ref *grown = ARENA_ARRAY(arena, struct ff_execution_ref, capacity);
    if (refs->count) memcpy(grown, refs->items, refs->count * sizeof *grown);
    refs->items = grown;
    refs->capacity = capacity;
  }
  refs->items[refs->count++].execution_id = *id;
}

/* FX-8: nobody joins a cancelled flow, so what is read now is what there was at the flip. */
static enum ff_rc read_members(struct engine *e, struct ff_str flow_id, size_t most,
                               struct arena *arena, struct ff_execution_refs *out,
                               struct ff_error *error) {
  struct ff_list_flow_members_args args = {.size = sizeof args, .flow_id = flow_id, .limit = PAGE};
  struct refs refs = {0};
  do {
    struct ff_list_flow_members_result page;
    TRY(read_step(e, OP_list_flow_members, &args, &page, arena, error));
    for (size_t i = 0; i < page.members.count && refs.count < most; i++)
      refs_add(&refs, arena, &page.members.items[i].execution_id);
    args.cursor = page.next_cursor;
  } while (text_nonempty(args.cursor) && refs.count < most);
  *out = (struct ff_execution_refs){refs.items, refs.count};
  return FF_OK;
}

static enum ff_rc flip(struct engine *e, struct ff_str flow_id, struct ff_str reason,
                       struct ff_str policy, struct flip_flow_result *out,
                       struct ff_error *error) {
  struct flip_flow_args args = {sizeof args, flow_id, reason, policy};
  if (!e->seat_count)
    return error_set(error, FF_CODE_store_read_only, "the store was opened with mode=ro");
  return run_step(e, OP_flip_flow, &args, out, error);
}

static struct own_cancel owing(const struct engine *e, struct ff_str flow_id) {
  struct own_cancel c = {.partition = 0};
  if (!uuid_parse(flow_id, &c.flow_id)) return c; /* the flip has judged it */
  c.partition = partition_of_uuid(c.flow_id, e->config.flow_partitions);
  return c;
}

/* ---- cancel_flow_header ---- */

enum ff_rc cancel_flow_header_run(struct engine *e, const void *args, void *result,
                                  struct ff_error *error) {
  const struct ff_cancel_flow_header_args *a = args;
  struct ff_cancel_flow_header_result view = {0};
  struct flip_flow_result flipped;
  struct arena arena;
  TRY(flip(e, a->flow_id, a->reason, a->cancellation_policy, &flipped, error));
  if (flipped.owes && flipped.outcome == FF_outcome_cancelled)
    drain_later(e, owing(e, a->flow_id));
  arena_init(&arena);
  view.outcome = flipped.outcome;
  view.cancellation_policy = flipped.cancellation_policy;
  enum ff_rc rc =
      read_members(e, a->flow_id, SIZE_MAX, &arena, &view.member_execution_ids, error);
  if (rc == FF_OK && flipped.outcome == FF_outcome_already_terminal) {
    struct ff_describe_flow_args describe = {sizeof describe, a->flow_id};
    struct ff_describe_flow_result found;
    rc = read_step(e, OP_describe_flow, &describe, &found, &arena, error);
    if (rc == FF_OK) view.cancel_reason = found.flow.cancel_reason;
  }
  if (rc == FF_OK)
    values_deep_copy(op_infos[OP_cancel_flow_header].result, &view, result,
                     (struct ff_memory **)result);
  arena_fini(&arena);
  return rc;
}

/* ---- cancel_flow ---- */

static enum ff_rc check_wait(const struct ff_cancel_flow_args *a, int64_t *wait_ms,
                             struct ff_error *error) {
  if (a->wait >= FF_flow_wait_COUNT)
    return error_field(error, FF_CODE_invalid_input, "wait", "no_wait, wait_timeout or "
                                                             "wait_indefinite");
  if (a->wait == FF_flow_wait_wait_timeout && a->timeout_ms > WAIT_MAX_MS)
    return error_field(error, FF_CODE_invalid_input, "timeout_ms", "must be at most %d, got %llu",
                       WAIT_MAX_MS, (unsigned long long)a->timeout_ms);
  *wait_ms = a->wait == FF_flow_wait_no_wait        ? -1
             : a->wait == FF_flow_wait_wait_timeout ? (int64_t)a->timeout_ms
                                                    : WAIT_MAX_MS;
  return FF_OK;
}

/* FX-21: drains by itself; a race that was lost is tried again as long as there is time. */
static enum ff_rc drain_until(struct engine *e, struct own_cancel at, int64_t wait_ms,
                              struct ff_error *error) {
  int64_t deadline = engine_now(e) + wait_ms;
  struct drain_flow_result step = {.more = true};
  while (step.more) {
    enum ff_rc rc = drain_once(e, &at, false, &step, error);
    bool lost = rc != FF_OK && error->code == FF_CODE_retry_exhausted;
    if (rc != FF_OK && !lost) return rc;
    if (!step.more) break;
    if (engine_now(e) < deadline) continue;
    rc = error_set(error, FF_CODE_timeout, "cancel_flow: members are still owed after %lld ms",
                   (long long)wait_ms);
    error_context(error, "op", "cancel_flow");
    error_context(error, "elapsed_ms", "%lld", (long long)wait_ms);
    drain_later(e, at);
    return rc;
  }
  return FF_OK;
}

static enum ff_rc answer_cancel(struct engine *e, const struct ff_cancel_flow_args *a,
                                const struct flip_flow_result *flipped, bool waited,
                                struct arena *arena, struct ff_cancel_flow_result *view,
                                struct ff_error *error) {
  bool repeat = flipped->outcome == FF_outcome_already_terminal;
  struct own_cancel c = owing(e, a->flow_id);
  view->cancellation_policy = flipped->cancellation_policy;
  view->outcome = flipped->owes && !waited && !repeat ? FF_outcome_cancellation_scheduled
                                                      : FF_outcome_cancelled;
  TRY(read_members(e, a->flow_id, repeat ? IDS_OF_A_REPEAT : SIZE_MAX, arena,
                   &view->member_execution_ids, error));
  view->member_count = (uint32_t)view->member_execution_ids.count;
  if (!waited) return FF_OK;
  struct list_failed_members_args failed = {sizeof failed, c.partition, c.flow_id, FAILED_MAX};
  struct list_failed_members_result found;
  TRY(read_step(e, OP_list_failed_members, &failed, &found, arena, error));
  view->failed_member_execution_ids = found.members;
  if (found.members.count) view->outcome = FF_outcome_partially_cancelled;
  return FF_OK;
}

enum ff_rc cancel_flow_run(struct engine *e, const void *args, void *result,
                           struct ff_error *error) {
  const struct ff_cancel_flow_args *a = args;
  struct ff_cancel_flow_result view = {0};
  struct flip_flow_result flipped;
  struct arena arena;
  int64_t wait_ms = 0;
  TRY(check_wait(a, &wait_ms, error));
  TRY(flip(e, a->flow_id, a->reason, a->cancellation_policy, &flipped, error));
  if (flipped.owes && wait_ms >= 0)
    TRY(drain_until(e, owing(e, a->flow_id), wait_ms, error));
  else if (flipped.owes && flipped.outcome == FF_outcome_cancelled)
    drain_later(e, owing(e, a->flow_id));
  arena_init(&arena);
  enum ff_rc rc = answer_cancel(e, a, &flipped, wait_ms >= 0, &arena, &view, error);
  if (rc == FF_OK)
    values_deep_copy(op_infos[OP_cancel_flow].result, &view, result, (struct ff_memory **)result);
  arena_fini(&arena);
  return rc;
}
