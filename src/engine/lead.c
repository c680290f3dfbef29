/*
 * Who runs batches, and how everybody else waits.
 *
 * A caller puts its call on the arrivals stack, one compare-and-swap, and takes a seat if one is
 * free: then it leads. Otherwise it sleeps on a word of its own until a leader has answered it or
 * hands it a seat. Whoever gives a seat up looks at the arrivals afterwards, and whoever arrives
 * looks at the seats afterwards: one of the two sees the other, so nothing is left lying. Never
 * holds a lock during a batch; a leader hands its seat on before it wakes the others, so that the
 * next batch begins meanwhile.
 */
#include "engine/impl.h"

#include <sched.h>

/* Below this many requests a batch is not divided: its commit costs more than it gains. */
#define SHARE_MIN 8
/* Above this many the commit is a small part of the batch. */
#define SHARE_MAX 256
#define GATHER_YIELDS 64

/* ---- the inbox ---- */

static void push(struct engine *e, struct call *call) {
  struct call *head = atomic_load(&e->arrivals);
  call->state = CALL_QUEUED;
  do call->next = head;
  while (!atomic_compare_exchange_weak(&e->arrivals, &head, call));
}

void inbox_push(struct engine *e, struct call *call) {
  e->inbox_requests += call->request_count;
  push(e, call);
}

void inbox_settle(struct engine *e) {
  struct call *first = NULL;
  for (struct call *c = atomic_exchange(&e->arrivals, NULL), *next; c; c = next) {
    next = c->next;
    c->next = first;
    first = c;
  }
  for (struct call *next; first; first = next) {
    next = first->next;
    list_push(&e->inbox, first);
  }
}

static void take(struct batch *b, struct call *call) {
  struct engine *e = b->engine;
  list_remove(&e->inbox, call);
  call->state = CALL_TAKEN;
  list_push(&b->calls, call);
  e->inbox_requests -= call->request_count;
}

/* How many requests to take. With one writer all that wait: running a part of them while another
 * part commits gains less than the further commits cost (doc/bench.md). Else three quarters of the
 * callers that seem to be at work; while their batch commits the others come back to the next writer.
 */
static uint32_t share(const struct batch *b) {
  const struct engine *e = b->engine;
  uint32_t limit = e->options.open.batch_limit, callers = e->inbox_requests + b->last_size;
  if (e->options.manual || callers > SHARE_MAX || e->store->traits.writers == 1) return limit;
  uint32_t most = callers - callers / 4;
  if (most < SHARE_MIN) most = SHARE_MIN;
  return most < limit ? most : limit;
}

/* After an answer to many the next batch would hold only the first of those woken: give the others
 * a moment to come back. */
static void gather(const struct batch *b, uint32_t wanted) {
  const struct engine *e = b->engine;
  if (b->last_size < SHARE_MIN / 2 || e->options.manual) return;
  if (wanted > b->last_size) wanted = b->last_size;
  for (uint32_t i = 0, before = 0; i < GATHER_YIELDS; i++) {
    uint32_t count = e->inbox_requests;
    if (count >= wanted - wanted / 8 || (i > 3 && count == before)) return;
    before = count;
    sched_yield();
  }
}

uint32_t inbox_take(struct batch *b) {
  struct engine *e = b->engine;
  uint32_t limit = share(b), requests = 0;
  gather(b, limit);
  struct call *handed = b->calls.first;
  if (handed) requests = handed->request_count;
  bool alone = handed && handed->alone;
  pthread_mutex_lock(&e->inbox_lock);
  inbox_settle(e);
  for (struct call *c; (c = e->inbox.first) && !alone;) {
    if (requests && (c->alone || requests + c->request_count > limit)) break;
    alone = c->alone;
    requests += c->request_count;
    take(b, c);
  }
  pthread_mutex_unlock(&e->inbox_lock);
  return requests;
}

/* ---- seats ---- */

struct batch *seat_take(struct engine *e) {
  uint32_t free = atomic_load(&e->free_seats);
  while (free) {
    uint32_t bit = free & -free;
    if (atomic_compare_exchange_weak(&e->free_seats, &free, free & ~bit))
      return &e->seats[__builtin_ctz(bit)];
  }
  return NULL;
}

/* The first sleeper that waits, taken into the batch it is going to lead. */
static struct call *hand_on(struct batch *b) {
  struct engine *e = b->engine;
  pthread_mutex_lock(&e->inbox_lock);
  inbox_settle(e);
  struct call *c = e->inbox.first;
  while (c && !c->blocking) c = c->next;
  if (c) take(b, c);
  pthread_mutex_unlock(&e->inbox_lock);
  return c;
}

void seat_give(struct batch *b) {
  struct engine *e = b->engine;
  do {
    struct turn *turn = atomic_exchange(&e->turn, NULL);
    if (turn) {
      turn->seat = b;
      park_wake(&turn->park, WAKE_LEAD);
      return;
    }
    struct call *next = hand_on(b);
    if (next) {
      next->seat = b;
      park_wake(&next->park, WAKE_LEAD);
      return;
    }
    atomic_fetch_or(&e->free_seats, 1u << (b - e->seats));
    if (!atomic_load(&e->arrivals) && !atomic_load(&e->turn)) break;
    b = seat_take(e);
  } while (b);
  /* Async calls have nobody who sleeps for them. */
  if (e->inbox.count) park_wake(&e->service_park, WAKE_LEAD);
}

struct batch *seat_await(struct engine *e) {
  struct turn turn = {{0}, NULL}, *nobody = NULL, *mine = &turn;
  struct batch *b = seat_take(e);
  if (b) return b;
  if (!atomic_compare_exchange_strong(&e->turn, &nobody, &turn)) return NULL;
  /* Given up in between? Then nobody may come to hand one on. */
  b = seat_take(e);
  if (b && atomic_compare_exchange_strong(&e->turn, &mine, NULL)) return b;
  while (park_wait(&turn.park, -1) != WAKE_LEAD) {
  }
  if (b) seat_give(b);
  return turn.seat;
}

/* ---- leading ---- */

static void wake_chain(struct call *chain) {
  for (struct call *next; chain; chain = next) {
    next = chain->next;
    park_wake(&chain->park, WAKE_DONE);
  }
}

static struct call *answered_chain(struct batch *b) {
  struct call *chain = b->answered;
  b->answered = NULL;
  return chain;
}

void wake_answered(struct batch *b) { wake_chain(answered_chain(b)); }

/* Leads until `mine` is answered, parked or in another's batch; the service thread (mine NULL) for
 * one batch, because callbacks and due work wait for it meanwhile. True when this leader answered
 * `mine`; an answer by anybody else comes with a wake-up, which must be awaited. */
static bool lead(struct batch *b, struct call *mine) {
  b->mine = mine;
  b->mine_answered = false;
  for (;;) {
    if (batch_begin(b)) batch_end(b);
    if (!mine || b->mine_answered || mine->state != CALL_QUEUED) break;
    wake_answered(b);
  }
  bool answered = b->mine_answered;
  struct call *others = answered_chain(b);
  b->mine = NULL;
  seat_give(b);
  wake_chain(others);
  return answered;
}

void executor_drain(struct engine *e) {
  if (!e->inbox_requests) return;
  struct batch *b = seat_take(e);
  if (b) (void)lead(b, NULL);
}

/* ---- calling ---- */

/* An empty inbox takes any call: a larger one than the limit would be refused for ever. The
 * engine's own work comes in batches of bounded size and must not starve behind callers. */
static enum ff_rc take_in(struct engine *e, struct call *call, struct ff_error *error) {
  uint32_t limit = e->options.open.inbox_limit;
  e->under_way++;
  if (e->closing && !call->internal) {
    e->under_way--;
    return error_set(error, FF_CODE_unavailable, "the engine is closing");
  }
  uint32_t waiting = atomic_fetch_add(&e->inbox_requests, call->request_count);
  if (!call->internal && waiting && waiting + call->request_count > limit) {
    e->inbox_requests -= call->request_count;
    e->under_way--;
    (void)error_set(error, FF_CODE_resource_exhausted, "%u operations are waiting already",
                    waiting);
    error_context(error, "pool", "inbox");
    error_context(error, "max", "%u", limit);
    return FF_RESOURCE_EXHAUSTED;
  }
  push(e, call);
  return FF_OK;
}

enum ff_rc executor_submit(struct engine *e, struct call *call, struct ff_error *error) {
  enum ff_rc rc = take_in(e, call, error);
  if (rc == FF_OK && !e->options.manual && e->free_seats) park_wake(&e->service_park, WAKE_LEAD);
  return rc;
}

/* True when the call is over. A parked one watches its own clock. */
static bool sleep_once(struct engine *e, struct call *call) {
  int64_t left = -1;
  if (call->state == CALL_PARKED) {
    pthread_mutex_lock(&e->lock);
    bool parked = call->state == CALL_PARKED;
    if (parked) left = call->deadline - engine_now(e);
    bool timed_out = parked && left <= 0;
    if (timed_out) list_remove(&e->parked_claims, call);
    pthread_mutex_unlock(&e->lock);
    if (timed_out) return true;
  }
  uint32_t said = park_wait(&call->park, left < 0 ? -1 : left * 1000);
  return said == WAKE_LEAD ? lead(call->seat, call) : said == WAKE_DONE;
}

enum ff_rc executor_run(struct engine *e, struct call *call, struct ff_error *error) {
  enum ff_rc rc = take_in(e, call, error);
  if (rc != FF_OK) return rc;
  struct batch *b = seat_take(e);
  bool done = b && lead(b, call);
  while (!done) done = sleep_once(e, call);
  rc = call->rc;
  e->under_way--; /* the last touch: the engine may be gone now */
  return rc;
}

enum ff_rc internal_run(struct engine *e, struct call *call, struct ff_error *error) {
  call->blocking = true;
  call->internal = true;
  if (!e->options.manual) return executor_run(e, call, error);
  struct batch *b = &e->seats[0];
  enum ff_rc rc = executor_submit(e, call, error);
  if (rc != FF_OK) return rc;
  while (call->state != CALL_DONE && batch_begin(b)) batch_end(b);
  wake_answered(b);
  e->under_way--;
  return FF_OK;
}
