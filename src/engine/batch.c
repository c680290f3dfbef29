/*
 * The batch executor: groups whatever waits into one store transaction. Leader and followers, no
 * timer, no hidden thread.
 *
 * The first caller who finds no batch running runs it; while one batch commits the next one fills.
 * Replies leave only after apply returned. Never holds the lock during a store call, never retries
 * a conflict more than three times, never grows beyond the inbox.
 */
#include "engine/impl.h"
#include "store/calls.h"

#include <sched.h>

#define TRIES_MAX 3
#define ROUNDS_MAX 24

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

/* After an answer to many the next batch would hold only the first of those woken: give the others
 * a moment to come back. */
static void let_callers_gather(struct engine *e) {
  uint32_t expected = e->last_batch;
  if (expected < 4 || e->options.manual) return;
  uint32_t before = 0;
  for (int i = 0; i < 64; i++) {
    pthread_mutex_lock(&e->lock);
    uint32_t count = e->inbox_requests;
    pthread_mutex_unlock(&e->lock);
    if (count >= expected - expected / 8 || (i > 3 && count == before)) return;
    before = count;
    sched_yield();
  }
}

static uint32_t take_calls(struct engine *e) {
  struct batch *b = &e->batch;
  uint32_t requests = 0, limit = e->options.open.batch_limit;
  pthread_mutex_lock(&e->lock);
  bool alone = false;
  while (e->inbox.first && !alone &&
         (requests == 0 || requests + e->inbox.first->request_count <= limit)) {
    struct call *call = e->inbox.first;
    alone = call->alone;
    if (alone && requests) break;
    list_remove(&e->inbox, call);
    list_push(&b->calls, call);
    requests += call->request_count;
  }
  e->inbox_requests -= requests;
  pthread_mutex_unlock(&e->lock);
  return requests;
}

/* ---- running ---- */

static void changed(void *user, const struct execution *before, const struct execution *after);

static void fail_pending(struct batch *b, const struct ff_error *error) {
  for (uint32_t i = 0; i < b->pending_count; i++) {
    struct request *r = b->pending[i];
    r->rc = error->rc;
    r->error = *error;
    r->done = true;
  }
  b->pending_count = 0;
}

/* A row that cannot be read must not fail those who did not ask for it: nothing of this batch is
 * applied, everybody runs again, each in a batch of its own. */
static void run_apart(struct engine *e) {
  struct batch *b = &e->batch;
  for (struct call *c = b->calls.first; c; c = c->next) {
    c->alone = true;
    for (uint32_t i = 0; i < c->request_count; i++) c->requests[i].done = c->requests[i].refused;
  }
  b->pending_count = 0;
  b->lanes_changed = false;
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

static void run_request(struct engine *e, struct call *call, struct request *r) {
  struct batch *b = &e->batch;
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
                            .read_only = info->how == OP_HOW_READER};
  r->rc = overlay_run(b->overlay, &run, info->result_size, &r->tag, &r->wrote, &r->error);
  if (r->rc == FF_MISS) {
    call->missed = true;
    e->reruns++;
    return;
  }
  r->done = true;
  e->operations++;
  if (r->op == OP_set_lane_state && r->wrote) b->lanes_changed = true;
}

/* One pass over what is pending. A call pulled in during the pass is appended and run in the same
 * pass. */
static void run_pass(struct engine *e) {
  struct batch *b = &e->batch;
  for (uint32_t i = 0; i < b->pending_count; i++)
    if (!b->pending_calls[i]->missed) run_request(e, b->pending_calls[i], b->pending[i]);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < b->pending_count; i++) {
    b->pending_calls[i]->missed = false;
    if (b->pending[i]->done) continue;
    b->pending[kept] = b->pending[i];
    b->pending_calls[kept++] = b->pending_calls[i];
  }
  b->pending_count = kept;
}

static void run_rounds(struct engine *e) {
  struct batch *b = &e->batch;
  struct ff_error error;
  for (int round = 0; b->pending_count; round++) {
    if (round == ROUNDS_MAX) {
      (void)error_set(&error, FF_CODE_resource_exhausted, "the operation needed more than %d loads",
                      ROUNDS_MAX);
      fail_pending(b, &error);
      return;
    }
    e->rounds++;
    if (overlay_fetch(e->writer, b->overlay, &b->arena, &error) != FF_OK) {
      if (error.code == FF_CODE_corruption && b->calls.count > 1)
        run_apart(e);
      else
        fail_pending(b, &error);
      return;
    }
    run_pass(e);
  }
}

bool batch_begin(struct engine *e) {
  struct batch *b = &e->batch;
  INVARIANT(b->phase == BATCH_NONE);
  let_callers_gather(e);
  arena_reset(&b->arena);
  b->calls = b->watchers = (struct call_list){NULL, NULL, 0};
  uint32_t requests = take_calls(e);
  if (requests == 0) return false;
  e->last_batch = requests;
  e->batches++;
  b->overlay = overlay_new(&b->arena, &e->config, e->store->traits.one_domain);
  b->watch = (struct overlay_watch){.user = e, .changed = changed};
  overlay_watch(b->overlay, &b->watch);
  b->lanes_changed = false;
  b->next_due_at = INT64_MAX;
  b->pending_count = 0;
  /* Every parked claim may be pulled in, each with one request. */
  pthread_mutex_lock(&e->lock);
  uint32_t room = requests + e->parked_claims.count;
  pthread_mutex_unlock(&e->lock);
  b->pending = arena_alloc(&b->arena, room * sizeof *b->pending);
  b->pending_calls = arena_alloc(&b->arena, room * sizeof *b->pending_calls);
  for (struct call *c = b->calls.first; c; c = c->next) pend(b, c);
  run_rounds(e);
  b->phase = BATCH_LOADED;
  return true;
}

/* ---- what a change wakes ---- */

/* Whoever watches this execution looks again after the commit. */
static void collect_watchers(struct engine *e, const struct execution *after) {
  pthread_mutex_lock(&e->lock);
  for (struct call *c = e->parked_watches.first, *next; c; c = next) {
    next = c->next;
    if (after->partition != c->watched.partition || !uuid_equal(after->id, c->watched.uuid))
      continue;
    list_remove(&e->parked_watches, c);
    c->state = CALL_QUEUED;
    list_push(&e->batch.watchers, c);
  }
  pthread_mutex_unlock(&e->lock);
}

static void changed(void *user, const struct execution *before, const struct execution *after) {
  struct engine *e = user;
  if (!after) return;
  if (after->next_due_at && after->next_due_at < e->batch.next_due_at)
    e->batch.next_due_at = after->next_due_at;
  if (e->parked_watches.count) collect_watchers(e, after);
  bool was = before && before->eligibility_state == FF_eligibility_state_eligible_now;
  if (was || after->eligibility_state != FF_eligibility_state_eligible_now ||
      !e->parked_claims.count)
    return;
  struct call *claim = parked_claim_for(e, after);
  if (!claim) return;
  list_push(&e->batch.calls, claim);
  pend(&e->batch, claim);
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
static void settle(struct engine *e, const struct store_group *groups,
                   const struct overlay_writes *tags, uint32_t count) {
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
  for (struct call *c = e->batch.calls.first; c; c = c->next)
    for (uint32_t i = 0; i < c->request_count; i++) {
      struct request *r = &c->requests[i];
      if (r->refused) continue;
      if (!r->wrote) {
        retry_request(e, r, NULL);
        continue;
      }
      uint32_t g = 0;
      while (!e->store->traits.one_domain && g + 1 < count &&
             (tags[g].tag.global != r->tag.global || tags[g].tag.partition != r->tag.partition))
        g++;
      if (groups[g].outcome == STORE_UNKNOWN) retry_request(e, r, &unknown);
      if (groups[g].outcome == STORE_CONFLICT) retry_request(e, r, NULL);
    }
}

/* Nothing was applied: who wrote is told so, who read what they had staged runs again. */
static void fail_written(struct engine *e, const struct ff_error *error) {
  for (struct call *c = e->batch.calls.first; c; c = c->next)
    for (uint32_t i = 0; i < c->request_count; i++) {
      struct request *r = &c->requests[i];
      if (!r->refused) retry_request(e, r, r->wrote ? error : NULL);
    }
}

static bool call_done(const struct call *c) {
  for (uint32_t i = 0; i < c->request_count; i++)
    if (!c->requests[i].done) return false;
  return true;
}

static void wake_watchers(struct engine *e) {
  struct batch *b = &e->batch;
  for (struct call *c = b->watchers.first, *next; c; c = next) {
    next = c->next;
    list_remove(&b->watchers, c);
    if (c->blocking)
      park_wake(&c->park, WAKE_DONE);
    else
      call_defer(e, c);
  }
}

static void requeue(struct engine *e, struct call *c) {
  list_push(&e->inbox, c);
  e->inbox_requests += c->request_count;
}

static void reply(struct engine *e) {
  struct batch *b = &e->batch;
  for (struct call *c = b->calls.first; c; c = c->next)
    if (call_done(c)) call_conclude(e, c, &b->arena);
  for (struct call *c = b->calls.first, *next; c; c = next) {
    next = c->next;
    list_remove(&b->calls, c);
    if (call_done(c)) {
      call_finish(e, c);
      continue;
    }
    pthread_mutex_lock(&e->lock);
    requeue(e, c);
    pthread_mutex_unlock(&e->lock);
  }
  if (b->lanes_changed) {
    pthread_mutex_lock(&e->lock);
    parked_wake_all(e);
    pthread_mutex_unlock(&e->lock);
  }
}

static void tell_others(struct engine *e, uint32_t count) {
  struct store_hint hint = {0, {NULL, 0}};
  if (count) e->store->vtable->notify(e->store, e, &hint, 1);
}

void batch_end(struct engine *e) {
  struct batch *b = &e->batch;
  struct ff_error error;
  uint32_t count;
  struct overlay_writes *tags;
  struct store_group *groups = groups_make(b, &tags, &count);
  enum ff_rc rc = store_apply(e->writer, groups, count, &error);
  /* Only now: a scanner that looks before the commit forgets what it was told and finds nothing. */
  if (rc == FF_OK) scan_hint(e, b->next_due_at);
  bool applied = rc == FF_OK;
  if (rc != FF_OK) {
    if (count) fail_written(e, &error);
  } else {
    settle(e, groups, tags, count);
    for (uint32_t g = 0; g < count; g++) applied &= groups[g].outcome == STORE_APPLIED;
  }
  wake_watchers(e);
  reply(e);
  b->phase = BATCH_NONE;
  if (count && !atomic_exchange(&e->housekeeping, true) && e->service_started)
    park_wake(&e->service_park, WAKE_LEAD);
  if (applied) tell_others(e, count);
}

/* ---- leading ---- */

static struct call *first_sleeper(const struct call_list *list) {
  for (struct call *c = list->first; c; c = c->next)
    if (c->blocking) return c;
  return NULL;
}

/* Lock held on entry, released on return. Hands the leadership to a sleeping caller, to the service
 * thread, or to nobody; then the engine may be gone as soon as the lock is released. */
static void step_down(struct engine *e) {
  struct park *turn = e->leadership_turn;
  if (turn) {
    e->leadership_turn = NULL;
    e->leader_call = NULL;
    pthread_mutex_unlock(&e->lock);
    park_wake(turn, WAKE_LEAD);
    return;
  }
  struct call *next = first_sleeper(&e->inbox);
  e->leading = next != NULL;
  e->leader_call = next;
  if (!next && e->inbox.first) park_wake(&e->service_park, WAKE_LEAD);
  pthread_mutex_unlock(&e->lock);
  if (next) park_wake(&next->park, WAKE_LEAD);
}

void leadership_give(struct engine *e) {
  pthread_mutex_lock(&e->lock);
  step_down(e);
}

/* Leads until `mine` is answered or parked; the service thread (mine NULL) for one batch, because
 * callbacks and due work wait for it meanwhile. True when the leader's own call was answered.
 * Judged before stepping down: a call that was parked instead may be answered by the next leader at
 * any moment, and that answer comes with a wake-up.
 */
static bool lead(struct engine *e, struct call *mine) {
  for (;;) {
    if (batch_begin(e)) batch_end(e);
    pthread_mutex_lock(&e->lock);
    if (!mine || mine->state != CALL_QUEUED) break;
    pthread_mutex_unlock(&e->lock);
  }
  bool answered = mine && mine->state == CALL_DONE;
  step_down(e);
  return answered;
}

void executor_drain(struct engine *e) {
  pthread_mutex_lock(&e->lock);
  bool mine = !e->leading && e->inbox.first;
  if (mine) e->leading = true;
  pthread_mutex_unlock(&e->lock);
  if (mine) (void)lead(e, NULL);
}

static enum ff_rc take_in(struct engine *e, struct call *call, struct ff_error *error) {
  if (e->closing && !call->internal)
    return error_set(error, FF_CODE_unavailable, "the engine is closing");
  uint32_t limit = e->options.open.inbox_limit;
  /* An empty inbox takes any call: a larger one than the limit would be refused for ever. The
   * engine's own work comes in batches of bounded size and must not starve behind callers. */
  bool exempt = call->internal || e->inbox_requests == 0;
  if (!exempt && e->inbox_requests + call->request_count > limit) {
    (void)error_set(error, FF_CODE_resource_exhausted, "%u operations are waiting already",
                    e->inbox_requests);
    error_context(error, "pool", "inbox");
    error_context(error, "max", "%u", limit);
    return FF_RESOURCE_EXHAUSTED;
  }
  call->state = CALL_QUEUED;
  requeue(e, call);
  e->under_way++;
  return FF_OK;
}

enum ff_rc executor_submit(struct engine *e, struct call *call, struct ff_error *error) {
  pthread_mutex_lock(&e->lock);
  enum ff_rc rc = take_in(e, call, error);
  bool wake = rc == FF_OK && !e->leading && !e->options.manual;
  pthread_mutex_unlock(&e->lock);
  if (wake) park_wake(&e->service_park, WAKE_LEAD);
  return rc;
}

/* The park may be woken by a reply only when another thread leads: a reply to the leader's own call
 * needs no wake-up. */
static bool sleep_once(struct engine *e, struct call *call) {
  pthread_mutex_lock(&e->lock);
  int64_t left = call->state == CALL_PARKED ? call->deadline - engine_now(e) : -1;
  bool timed_out = call->state == CALL_PARKED && left <= 0;
  if (timed_out) {
    list_remove(&e->parked_claims, call);
    call->state = CALL_DONE;
    e->under_way--;
  }
  pthread_mutex_unlock(&e->lock);
  if (timed_out) return true;
  uint32_t said = park_wait(&call->park, left < 0 ? -1 : left * 1000);
  return said == WAKE_LEAD ? lead(e, call) : said == WAKE_DONE;
}

enum ff_rc executor_run(struct engine *e, struct call *call, struct ff_error *error) {
  pthread_mutex_lock(&e->lock);
  enum ff_rc rc = take_in(e, call, error);
  bool leader = rc == FF_OK && !e->leading;
  if (leader) {
    e->leading = true;
    e->leader_call = call;
  }
  pthread_mutex_unlock(&e->lock);
  if (rc != FF_OK) return rc;
  bool done = leader && lead(e, call);
  while (!done) done = sleep_once(e, call);
  return call->rc;
}
