/*
 * One batch: what waits is loaded, run and applied in one store transaction, and answered.
 *
 * Replies leave only after apply returned. Never holds a lock during a store call, never retries a
 * conflict more than three times. Who runs batches is lead.c's.
 */
#include "engine/impl.h"
#include "op/feed.h"
#include "store/calls.h"

#include <stdlib.h>

#define TRIES_MAX 3
#define ROUNDS_MAX 8

/* ---- filling ---- */

static void pend(struct batch *b, struct call *call) {
  for (uint32_t i = 0; i < call->request_count; i++) {
    struct request *r = &call->requests[i];
    if (r->done) continue;
    r->result = arena_alloc(&b->arena, op_infos[r->op].result_size);
    r->wrote = false;
    const struct op_info *info = &op_infos[r->op];
    overlay_declare(b->overlay, info->code, r->args, r->prep);
    b->pending[b->pending_count] = r;
    b->pending_calls[b->pending_count++] = call;
  }
}

/* ---- running ---- */

static void changed(void *user, const struct execution *before, const struct execution *after);
static void left(void *user) { ((struct batch *)user)->left_work = true; }
static void falls_due(void *user, int64_t at);

static void fail_pending(struct batch *b, const struct ff_error *error) {
  for (uint32_t i = 0; i < b->pending_count; i++) {
    struct request *r = b->pending[i];
    r->rc = error->rc;
    r->error = *error;
    r->done = true;
  }
  b->pending_count = 0;
}

/* Its answer stands whatever becomes of this batch. */
static bool stands(const struct request *r) { return r->refused || r->settled; }

/* A row that cannot be read must not fail those who did not ask for it: nothing of this batch is
 * applied, everybody runs again, each in a batch of its own. */
static void run_apart(struct batch *b) {
  struct engine *e = b->engine;
  for (struct call *c = b->calls.first; c; c = c->next) {
    c->alone = true;
    for (uint32_t i = 0; i < c->request_count; i++) c->requests[i].done = stands(&c->requests[i]);
  }
  b->pending_count = 0;
  b->wakes_all = false;
  b->overlay = overlay_new(&b->arena, &e->config, e->store->traits.one_domain);
}

/* The earlier request of the call that has failed and without which this one must not happen. An
 * unknown commit may leave a registration failed while its create, which wrote nothing, runs again.
 */
static const struct request *broken_link(const struct call *call, const struct request *r) {
  const struct request *before = r->needs;
  if (call->chained && r > call->requests) before = r - 1;
  return before && before->done && before->rc != FF_OK ? before : NULL;
}

static void run_request(struct batch *b, struct call *call, struct request *r) {
  struct engine *e = b->engine;
  const struct op_info *info = &op_infos[r->op];
  const struct request *broken = broken_link(call, r);
  if (broken) {
    r->rc = broken->rc;
    r->error = broken->error;
    r->done = true;
    return;
  }
  struct overlay_run run = {.code = info->code,
                            .args = r->args,
                            .prep = r->prep,
                            .result = r->result,
                            .seed = r->seed,
                            .sequence = r->sequence,
                            .dry = call->missed,
                            .read_only = info->how == OP_HOW_READER};
  r->rc = overlay_run(b->overlay, &run, info->result_size, &r->tag, &r->wrote, &r->error);
  if (r->rc == FF_MISS) {
    call->missed = true;
    e->reruns++;
    return;
  }
  r->done = b->progress = true;
  e->operations++;
  if (r->op == OP_set_lane_state && r->wrote) b->wakes_all = true;
  if (r->op == OP_register_worker && r->wrote) b->registered = true;
}

/* One pass over what is pending. A call pulled in during the pass is appended and run in the same
 * pass. Requests behind one that missed only ask for what they need: they take effect in their
 * order, and the rounds do not grow with their number. */
static void run_pass(struct batch *b) {
  for (uint32_t i = 0; i < b->pending_count; i++)
    run_request(b, b->pending_calls[i], b->pending[i]);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < b->pending_count; i++) {
    b->pending_calls[i]->missed = false;
    if (b->pending[i]->done) continue;
    b->pending[kept] = b->pending[i];
    b->pending_calls[kept++] = b->pending_calls[i];
  }
  b->pending_count = kept;
}

static void run_rounds(struct batch *b) {
  struct engine *e = b->engine;
  struct ff_error error;
  for (int round = 0; b->pending_count; round++) {
    if (round == ROUNDS_MAX && b->progress) {
      b->pending_count = 0; /* what the others did made them need more: they run in a batch to come */
      return;
    }
    if (round == ROUNDS_MAX) {
      (void)error_set(&error, FF_CODE_resource_exhausted, "the operation needed more than %d loads",
                      ROUNDS_MAX);
      fail_pending(b, &error);
      return;
    }
    e->rounds++;
    if (overlay_fetch(e, b->writer, b->overlay, &b->arena, &error) != FF_OK) {
      if (error.code == FF_CODE_corruption && b->calls.count > 1)
        run_apart(b);
      else
        fail_pending(b, &error);
      return;
    }
    run_pass(b);
  }
}

bool batch_begin(struct batch *b) {
  struct engine *e = b->engine;
  INVARIANT(b->phase == BATCH_NONE);
  uint32_t requests = inbox_take(b);
  if (requests == 0) return false;
  b->last_size = requests;
  arena_reset(&b->arena);
  e->batches++;
  b->overlay = overlay_new(&b->arena, &e->config, e->store->traits.one_domain);
  b->watch = (struct overlay_watch){
      .user = b, .changed = changed, .left = left, .falls_due = falls_due};
  overlay_watch(b->overlay, &b->watch);
  b->wakes_all = b->blocked = b->registered = b->left_work = false;
  b->progress = false;
  b->made_eligible = NULL;
  b->next_due_at = INT64_MAX;
  b->pending_count = 0;
  /* Every parked claim may be pulled in, each with one request. */
  uint32_t room = requests + e->parked_claims.count;
  b->pending_room = room;
  b->pending = arena_alloc(&b->arena, room * sizeof *b->pending);
  b->pending_calls = arena_alloc(&b->arena, room * sizeof *b->pending_calls);
  for (struct call *c = b->calls.first; c; c = c->next) pend(b, c);
  run_rounds(b);
  b->phase = BATCH_LOADED;
  return true;
}

/* ---- what a change wakes ---- */

static void falls_due(void *user, int64_t at) {
  struct batch *b = user;
  if (at && at < b->next_due_at) b->next_due_at = at;
}

static void changed(void *user, const struct execution *before, const struct execution *after) {
  struct batch *b = user;
  struct engine *e = b->engine;
  if (!after) return;
  if (after->next_due_at && after->next_due_at < b->next_due_at)
    b->next_due_at = after->next_due_at;
  b->blocked |= after->eligibility_state == FF_eligibility_state_blocked_by_route ||
                !uuid_is_nil(after->blocked_on);
  bool was = before && before->eligibility_state == FF_eligibility_state_eligible_now;
  if (was || after->eligibility_state != FF_eligibility_state_eligible_now) return;
  bool room = b->pending_count < b->pending_room;
  if (!room) b->wakes_all = true; /* another seat has parked more since: all try afterwards */
  struct call *claim = room && e->parked_claims.count ? parked_claim_for(e, after) : NULL;
  if (claim) {
    list_push(&b->calls, claim);
    pend(b, claim);
    return;
  }
  struct made_eligible *made = ARENA_NEW(&b->arena, struct made_eligible);
  *made = (struct made_eligible){b->made_eligible, after};
  b->made_eligible = made;
}

/* The batch itself made work for a claim that ran before it and is about to wait. */
static bool made_for(const struct batch *b, const struct call *claim) {
  for (const struct made_eligible *m = b->made_eligible; m; m = m->next)
    if (claim_suits(claim, m->execution)) return true;
  return false;
}

/* ---- applying ---- */

static struct store_group *groups_make(struct batch *b, struct overlay_writes **tags,
                                       uint32_t *count) {
  overlay_collect(b->overlay, tags, count);
  const struct overlay_writes *w = *tags;
  struct store_group *groups = ARENA_ARRAY(&b->arena, struct store_group, *count + 1);
  for (uint32_t g = 0; g < *count; g++) {
    struct store_write *writes = arena_alloc(&b->arena, (w[g].write_count + 1) * sizeof *writes);
    for (uint32_t i = 0; i < w[g].write_count; i++)
      writes[i] = (struct store_write){.kind = (enum store_write_kind)w[g].writes[i].kind,
                                       .record_kind = w[g].writes[i].record_kind,
                                       .record = w[g].writes[i].record,
                                       .base_version = w[g].writes[i].base_version};
    groups[g] = (struct store_group){.writes = writes,
                                     .write_count = w[g].write_count,
                                     .events = w[g].events,
                                     .event_count = w[g].event_count,
                                     .valid_until = w[g].valid_until,
                                     .outcome = STORE_APPLIED};
  }
  return groups;
}

/* Runs again (at most three tries) or ends with `error`. */
static void retry_request(struct engine *e, struct request *r, const struct ff_error *error) {
  r->done = false;
  if (!error && ++r->tries < TRIES_MAX) {
    e->conflicts++;
    return;
  }
  r->done = true;
  if (error)
    r->error = *error;
  else
    (void)error_set(&r->error, FF_CODE_retry_exhausted, "lost %d races in a row", TRIES_MAX);
  r->rc = r->error.rc;
}

/* What a batch answered rests on everything in it: unless all of it took effect, the requests that
 * only read it run again. */
static void settle(struct batch *b, const struct store_group *groups,
                   const struct overlay_writes *tags, uint32_t count) {
  struct engine *e = b->engine;
  struct ff_error unknown;
  bool any_conflict = false, any_unknown = false;
  for (uint32_t g = 0; g < count; g++) {
    any_conflict |= groups[g].outcome == STORE_CONFLICT;
    any_unknown |= groups[g].outcome == STORE_UNKNOWN;
  }
  if (!any_conflict && !any_unknown) return;
  if (any_unknown) e->unknowns++;
  (void)error_set(&unknown, FF_CODE_transport,
                  "the outcome of the commit is unknown; repeat the call");
  for (struct call *c = b->calls.first; c; c = c->next)
    for (uint32_t i = 0; i < c->request_count; i++) {
      struct request *r = &c->requests[i];
      if (stands(r)) continue;
      if (!r->wrote) {
        retry_request(e, r, NULL);
        continue;
      }
      uint32_t g = 0;
      while (!e->store->traits.one_domain && g + 1 < count &&
             (tags[g].tag.family != r->tag.family || tags[g].tag.partition != r->tag.partition))
        g++;
      if (groups[g].outcome == STORE_UNKNOWN) retry_request(e, r, &unknown);
      if (groups[g].outcome == STORE_CONFLICT) retry_request(e, r, NULL);
    }
}

/* Nothing was applied: who wrote is told so, who read what they had staged runs again. */
static void fail_written(struct batch *b, const struct ff_error *error) {
  for (struct call *c = b->calls.first; c; c = c->next)
    for (uint32_t i = 0; i < c->request_count; i++) {
      struct request *r = &c->requests[i];
      if (!stands(r)) retry_request(b->engine, r, r->wrote ? error : NULL);
    }
}

static bool call_done(const struct call *c) {
  for (uint32_t i = 0; i < c->request_count; i++)
    if (!c->requests[i].done) return false;
  return true;
}

static void collect_watchers(struct batch *b, const struct store_write *w) {
  struct engine *e = b->engine;
  if (w->record_kind == RECORD_KIND_execution) {
    watches_take(e, execution_id_of(w->record), WATCH_STATE, &b->watchers);
  } else if (w->record_kind == RECORD_KIND_stream) {
    const struct stream *s = w->record;
    struct exec_id id = {s->partition, s->execution_id};
    watches_take(e, id, WATCH_STREAM, &b->watchers);
  } else if (w->record_kind == RECORD_KIND_flow) {
    const struct flow *f = w->record;
    watches_take(e, (struct exec_id){f->partition, f->flow_id}, WATCH_STATE, &b->watchers);
  } else if (w->record_kind == RECORD_KIND_cancel_backlog) {
    const struct cancel_backlog *f = w->record;
    watches_take(e, (struct exec_id){f->partition, f->flow_id}, WATCH_STATE, &b->watchers);
  }
}

static bool wakes_feeds(const struct store_group *group) {
  for (uint32_t i = 0; i < group->event_count; i++)
    if (feed_wakes(group->events[i])) return true;
  return false;
}

/* Whoever watches what was written looks again. Collected after the commit and not while the batch
 * runs: who parks in between has looked too early to see it. */
static void wake_watchers(struct batch *b, const struct store_group *groups, uint32_t count) {
  if (!b->engine->watch_count) return;
  pthread_mutex_lock(&b->engine->lock);
  for (uint32_t g = 0; g < count; g++) {
    for (uint32_t i = 0; i < groups[g].write_count; i++)
      collect_watchers(b, &groups[g].writes[i]);
    if (wakes_feeds(&groups[g]))
      watches_take(b->engine, (struct exec_id){0}, WATCH_EVENTS, &b->watchers);
  }
  pthread_mutex_unlock(&b->engine->lock);
  for (struct call *c = b->watchers.first, *next; c; c = next) {
    next = c->next;
    list_remove(&b->watchers, c);
    if (c->blocking)
      park_wake(&c->park, WAKE_DONE);
    else
      call_defer(b->engine, c);
  }
}

/* The batch's arena is not reset as long as calls hold it. */
static void keep_arena(struct batch *b, struct call *c) {
  if (!b->kept) {
    b->kept = heap_zalloc(sizeof *b->kept);
    b->kept->arena = b->arena;
    arena_init(&b->arena);
  }
  b->kept->users++;
  struct kept_link *link = ARENA_NEW(&c->arena, struct kept_link);
  *link = (struct kept_link){c->kept, b->kept};
  c->kept = link;
}

void call_drop_kept(struct call *c) {
  for (; c->kept; c->kept = c->kept->next) {
    struct kept_arena *kept = c->kept->kept;
    if (--kept->users) continue;
    arena_fini(&kept->arena);
    free(kept);
  }
}

/* Whether some requests of a call that runs again have their answers in the batch's arena. */
static bool settle_part(struct call *c) {
  bool any = false;
  for (uint32_t i = 0; i < c->request_count; i++) {
    struct request *r = &c->requests[i];
    any |= r->done && !stands(r) && r->rc == FF_OK;
    r->settled = r->done;
  }
  return any;
}

/* A claim that blocked as many as it may in one go and got nothing: there may be work behind. */
static bool found_more(const struct call *c) {
  const struct acquire_result *found = c->requests[0].result;
  return found->more;
}

/* Lets a concluded call go: back into the inbox, parked when it may wait, or answered. A sleeping
 * caller's memory is its own again once it is woken; the leader's own call needs no waking. Lock
 * held. */
static void release(struct batch *b, struct call *c) {
  struct engine *e = b->engine;
  if (!call_done(c)) {
    if (settle_part(c)) keep_arena(b, c);
    inbox_push(e, c);
    return;
  }
  call_drop_kept(c);
  if (c->polled && !c->parks) parked_poll_next(e, c);
  if (c->parks && !e->closing) {
    park_claim(e, c);
    if (c->blocking && c != b->mine) park_wake(&c->park, WAKE_PARKED);
    if (made_for(b, c) || found_more(c)) parked_try(e, c);
  } else if (!c->blocking) {
    call_answered(e, c);
  } else {
    c->state = CALL_DONE;
    if (c == b->mine) {
      b->mine_answered = true;
      return;
    }
    c->next = b->answered;
    b->answered = c;
  }
}

static void reply(struct batch *b) {
  struct engine *e = b->engine;
  b->kept = NULL;
  for (struct call *c = b->calls.first; c; c = c->next)
    if (call_done(c)) call_conclude(e, c, &b->arena);
  pthread_mutex_lock(&e->lock);
  for (struct call *c = b->calls.first, *next; c; c = next) {
    next = c->next;
    list_remove(&b->calls, c);
    release(b, c);
  }
  if (b->wakes_all) parked_wake_all(e);
  pthread_mutex_unlock(&e->lock);
}

static void tell_others(struct engine *e, uint32_t count) {
  struct store_hint hint = {0, {NULL, 0}};
  if (count) e->store->vtable->notify(e->store, e, &hint, 1);
}

void batch_end(struct batch *b) {
  struct engine *e = b->engine;
  struct ff_error error;
  uint32_t count;
  struct overlay_writes *tags;
  struct store_group *groups = groups_make(b, &tags, &count);
  enum ff_rc rc = store_apply(b->writer, groups, count, &error);
  /* Only now: a scanner that looks before the commit forgets what it was told and finds nothing. */
  if (rc == FF_OK && b->left_work) atomic_store(&e->flow_work, true);
  if (rc == FF_OK) scan_hint(e, b->left_work ? 0 : b->next_due_at);
  if (rc == FF_OK && b->registered) unblock_hint(e, store_now(e));
  else if (rc == FF_OK && b->blocked)
    unblock_hint(e, store_now(e) + scanner_intervals_ms[SCANNER_UNBLOCK]);
  bool applied = rc == FF_OK;
  if (rc != FF_OK) {
    if (count) fail_written(b, &error);
  } else {
    settle(b, groups, tags, count);
    for (uint32_t g = 0; g < count; g++) applied &= groups[g].outcome == STORE_APPLIED;
  }
  wake_watchers(b, groups, count);
  reply(b);
  b->phase = BATCH_NONE;
  if (count && !atomic_exchange(&e->housekeeping, true) && e->service_started)
    park_wake(&e->service_park, WAKE_LEAD);
  if (applied) tell_others(e, count);
}
