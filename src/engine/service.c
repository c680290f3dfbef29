/*
 * The one background thread: callbacks of async calls, due work, time-outs of parked async calls,
 * housekeeping of the store.
 *
 * It sleeps until the earliest of these; an idle engine wakes once a minute and writes nothing.
 */
#include "engine/impl.h"

#define SWEEP_MS 60000
#define SWEEP_AGAIN_MS 10 /* while the last one found all it may take: events come faster */
#define QUIET_MS 2 /* of no commits: then the store may tidy up */

int64_t store_now(const struct engine *e) {
  if (e->options.open.clock_ms) return e->options.open.clock_ms(e->options.open.clock_user);
  return e->options.manual ? e->step_now : clock_wall_ms();
}

static struct call *take_first(struct engine *e, struct call_list *list) {
  pthread_mutex_lock(&e->lock);
  struct call *c = list->first;
  if (c) list_remove(list, c);
  pthread_mutex_unlock(&e->lock);
  return c;
}

static _Thread_local bool calling_back;

bool engine_in_callback(void) { return calling_back; }

static void answer(struct engine *e, struct call *c) {
  call_leave_async(e, c);
  calling_back = true;
  c->done(c->user, c->rc, c->rc == FF_OK ? c->out : NULL, c->rc == FF_OK ? NULL : &c->error);
  calling_back = false;
  call_free_async(c);
}

bool service_answer(struct engine *e) {
  bool any = false;
  for (struct call *c; (c = take_first(e, &e->deferred)); any = true) call_run_deferred(e, c);
  for (struct call *c; (c = take_first(e, &e->answered)); any = true) answer(e, c);
  return any;
}

static void housekeep(struct engine *e, uint64_t *seen) {
  uint64_t batches = atomic_load(&e->batches);
  if (!atomic_load(&e->housekeeping)) return;
  bool quiet = batches == *seen;
  *seen = batches;
  struct batch *seat = quiet ? seat_take(e) : NULL;
  if (!seat) return;
  bool more = false;
  e->store->vtable->idle(seat->writer, &more);
  atomic_store(&e->housekeeping, more);
  seat_give(seat);
}

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t poll_ms(const struct engine *e) { return e->seat_count ? POLL_MS : POLL_READING_MS; }

/* How long to sleep, in ms; -1 = until woken. */
static int64_t sleep_ms(struct engine *e, int64_t now) {
  int64_t left = INT64_MAX;
  if (!e->options.open.no_scanners) {
    if (scan_next(e) != INT64_MAX) left = min64(left, scan_next(e) - now);
    left = min64(left, e->next_sweep - now);
    int64_t others = min64(atomic_load(&e->next_unblock), atomic_load(&e->next_cancel));
    if (others != INT64_MAX) left = min64(left, others - now);
  } else if (atomic_load(&e->flow_work)) {
    left = 0;
  }
  if (atomic_load(&e->housekeeping)) left = min64(left, QUIET_MS);
  pthread_mutex_lock(&e->lock);
  int64_t deadline = parked_deadline(e);
  if (deadline != INT64_MAX) left = min64(left, deadline - engine_now(e));
  if (e->parked_claims.first || (watches_blind(e) && e->watch_count))
    left = min64(left, e->last_poll + poll_ms(e) - engine_now(e));
  if (left < 0) left = 0;
  e->service_until = left == INT64_MAX ? INT64_MAX : engine_now(e) + left;
  pthread_mutex_unlock(&e->lock);
  return left == INT64_MAX ? -1 : left;
}

void service_look_by(struct engine *e, const struct call *parked) {
  /* What was told before it waited may be for it. */
  int64_t by = engine_now(e) + (atomic_load(&e->hinted) ? 0 : poll_ms(e));
  if (!parked->blocking) by = min64(by, parked->deadline);
  if (!e->service_started || e->service_until <= by) return;
  e->service_until = by;
  park_wake(&e->service_park, WAKE_LEAD);
}

static void due_work(struct engine *e) {
  uint32_t errors = 0;
  int64_t now = store_now(e);
  if (e->options.open.no_scanners) { /* what its own commits have left all the same (04 FK-3) */
    if (atomic_load(&e->flow_work)) (void)scan_flow_work(e, now, &errors);
    if (errors) atomic_store(&e->flow_work, false);
    return;
  }
  if (scan_next(e) <= now) scan_due(e, now, &errors);
  if (atomic_load(&e->next_cancel) <= now) scan_cancels(e, now, &errors);
  if (atomic_load(&e->next_unblock) <= now) scan_unblock(e, now, &errors);
  if (e->next_sweep <= now) {
    bool more = scan_sweep(e, now, &errors) >= SWEEP_BATCH && !errors;
    e->next_sweep = now + (more ? SWEEP_AGAIN_MS : SWEEP_MS);
  }
}

/* Grants that die and lanes other processes change wake nobody: once a second one claim of each kind
 * tries for all that wait (02 L-83). */
static void poll_parked(struct engine *e) {
  int64_t now = engine_now(e);
  if (!atomic_exchange(&e->hinted, false) && now - e->last_poll < poll_ms(e)) return;
  e->last_poll = now;
  pthread_mutex_lock(&e->lock);
  parked_poll(e);
  if (watches_blind(e)) watches_look_again(e);
  pthread_mutex_unlock(&e->lock);
}

static void *service_main(void *user) {
  struct engine *e = user;
  uint64_t seen = 0;
  e->last_poll = engine_now(e);
  for (;;) {
    pthread_mutex_lock(&e->lock);
    parked_expire(e, engine_now(e));
    bool stop = e->service_stopping;
    pthread_mutex_unlock(&e->lock);
    due_work(e);
    poll_parked(e);
    executor_drain(e);
    bool any = service_answer(e);
    housekeep(e, &seen);
    if (stop && !any) return NULL;
    int64_t ms = sleep_ms(e, store_now(e));
    if (!stop) (void)park_wait(&e->service_park, ms < 0 ? -1 : ms * 1000);
  }
}

enum ff_rc service_start(struct engine *e, struct ff_error *error) {
  if (pthread_create(&e->service, NULL, service_main, e) != 0)
    return error_set(error, FF_CODE_resource_exhausted, "cannot start the service thread");
  e->service_started = true;
  return FF_OK;
}

void service_stop(struct engine *e) {
  if (!e->service_started) return;
  pthread_mutex_lock(&e->lock);
  e->service_stopping = true;
  pthread_mutex_unlock(&e->lock);
  park_wake(&e->service_park, WAKE_LEAD);
  pthread_join(e->service, NULL);
  e->service_started = false;
}
