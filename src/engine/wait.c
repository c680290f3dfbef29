/*
 * Calls that wait: claims for eligible work, wait_execution for a state, tail_stream for frames,
 * subscriptions for events. A parked call costs no thread of ours and no polling: the batch that
 * makes its work eligible pulls it in and answers it with the same commit; what is watched is looked
 * at again after the commit that touched it.
 */
#include "engine/impl.h"
#include "op/feed.h"

void park_claim(struct engine *e, struct call *call) {
  for (uint32_t i = 0; i < call->request_count; i++) {
    struct request *r = &call->requests[i];
    r->done = r->refused;
    r->settled = false;
    r->tries = 0;
  }
  call->state = CALL_PARKED;
  if (call->polled) /* it keeps its place: nobody has waited longer */
    list_push_first(&e->parked_claims, call);
  else
    list_push(&e->parked_claims, call);
  call->polled = false;
  service_look_by(e, call);
}

bool claim_suits(const struct call *call, const struct execution *x) {
  const struct acquire_args *args = call->requests[0].args;
  for (size_t i = 0; i < args->lane_ids.count; i++)
    if (text_equal(args->lane_ids.items[i], x->lane_id))
      return capabilities_cover(args->capabilities, x->required_capabilities);
  return false;
}

struct call *parked_claim_for(struct engine *e, const struct execution *x) {
  pthread_mutex_lock(&e->lock);
  struct call *c = e->parked_claims.first;
  while (c && !claim_suits(c, x)) c = c->next;
  if (c) {
    list_remove(&e->parked_claims, c);
    c->state = CALL_TAKEN;
  }
  pthread_mutex_unlock(&e->lock);
  return c;
}

void parked_try(struct engine *e, struct call *c) {
  list_remove(&e->parked_claims, c);
  inbox_push(e, c);
}

void parked_wake_all(struct engine *e) {
  while (e->parked_claims.first) parked_try(e, e->parked_claims.first);
}

static const struct acquire_args *claim_args(const struct call *call) {
  return call->requests[0].args;
}

/* Whoever finds nothing for the one finds nothing for the other. */
static bool same_kind(const struct call *a, const struct call *b) {
  struct ff_strs p = claim_args(a)->lane_ids, q = claim_args(b)->lane_ids;
  if (p.count != q.count || !text_equal(claim_args(a)->capabilities, claim_args(b)->capabilities))
    return false;
  for (size_t i = 0; i < p.count; i++)
    if (!text_equal(p.items[i], q.items[i])) return false;
  return true;
}

static void poll_with(struct engine *e, struct call *call) {
  call->polled = true;
  parked_try(e, call);
}

#define POLL_KINDS 64

/* More kinds than that: the others try themselves. */
void parked_poll(struct engine *e) {
  const struct call *kinds[POLL_KINDS];
  uint32_t count = 0;
  for (struct call *c = e->parked_claims.first, *next; c; c = next) {
    next = c->next;
    uint32_t k = 0;
    while (k < count && !same_kind(kinds[k], c)) k++;
    if (k < count) continue;
    if (count < POLL_KINDS) kinds[count++] = c;
    poll_with(e, c);
  }
}

/* Two, so that n finds take log n batches. */
void parked_poll_next(struct engine *e, const struct call *found) {
  uint32_t more = 2;
  for (struct call *c = e->parked_claims.first, *next; c && more; c = next) {
    next = c->next;
    if (!same_kind(found, c)) continue;
    poll_with(e, c);
    more--;
  }
}

static void expire_list(struct engine *e, struct call_list *list, int64_t now) {
  for (struct call *c = list->first, *next; c; c = next) {
    next = c->next;
    if (c->blocking || c->deadline > now) continue; /* a sleeping caller watches its own clock */
    list_remove(list, c);
    call_answered(e, c);
  }
}

static void watches_expire(struct engine *e, struct call_list *list, int64_t now) {
  uint32_t before = list->count;
  expire_list(e, list, now);
  e->watch_count -= before - list->count;
}

void parked_expire(struct engine *e, int64_t now) {
  expire_list(e, &e->parked_claims, now);
  for (uint32_t i = 0; i < WATCH_BUCKETS && e->watch_count; i++)
    if (e->watches[i].count) watches_expire(e, &e->watches[i], now);
}

static bool end_in(struct engine *e, struct call_list *list, const void *user) {
  struct call *c = list->first;
  while (c && (c->blocking || c->user != user)) c = c->next;
  if (!c) return false;
  list_remove(list, c);
  call_answered(e, c);
  return true;
}

bool engine_end_wait(struct engine *e, const void *user) {
  pthread_mutex_lock(&e->lock);
  bool found = end_in(e, &e->parked_claims, user);
  for (uint32_t i = 0; i < WATCH_BUCKETS && e->watch_count && !found; i++) {
    found = end_in(e, &e->watches[i], user);
    e->watch_count -= found;
  }
  pthread_mutex_unlock(&e->lock);
  return found;
}

static int64_t list_deadline(const struct call_list *list, int64_t earliest) {
  for (const struct call *c = list->first; c; c = c->next)
    if (!c->blocking && c->deadline < earliest) earliest = c->deadline;
  return earliest;
}

int64_t parked_deadline(const struct engine *e) {
  int64_t earliest = list_deadline(&e->parked_claims, INT64_MAX);
  for (uint32_t i = 0; i < WATCH_BUCKETS && e->watch_count; i++)
    earliest = list_deadline(&e->watches[i], earliest);
  return earliest;
}

/* ---- wait_execution, tail_stream, subscriptions: arguments, one look ---- */

#define WAIT_MAX_MS 3600000
#define TAIL_MAX_MS 30000
#define CANCEL_WAIT_MAX_MS 300000

bool op_watches(enum op_id op) {
  return op == OP_wait_execution || op == OP_tail_stream ||
         op == OP_wait_for_flow_cancellation || op_is_feed(op);
}

static enum ff_rc wait_time(struct engine *e, struct call *call, const char *field, uint64_t ms,
                            uint32_t max_ms, struct ff_error *error) {
  if (ms > max_ms)
    return error_field(error, FF_CODE_invalid_input, field, "must be at most %u, got %llu", max_ms,
                       (unsigned long long)ms);
  call->deadline = engine_now(e) + (int64_t)ms;
  return FF_OK;
}

enum ff_rc wait_arguments(struct engine *e, struct call *call, struct ff_error *error) {
  struct ff_str id;
  if (op_is_feed(call->op)) return subscribe_begin(e, call, error);
  if (call->op == OP_wait_for_flow_cancellation) {
    const struct ff_wait_for_flow_cancellation_args *args = call->args;
    TRY(wait_time(e, call, "timeout_ms", args->timeout_ms, CANCEL_WAIT_MAX_MS, error));
    TRY(own_uuid_parse(args->flow_id, "flow_id", &call->watched.uuid, error));
    call->watched.partition =
        partition_of_uuid(call->watched.uuid, e->config.flow_partitions);
    return FF_OK;
  }
  if (call->op == OP_tail_stream) {
    const struct ff_tail_stream_args *args = call->args;
    id = args->execution_id;
    TRY(wait_time(e, call, "block_ms", args->block_ms, TAIL_MAX_MS, error));
  } else {
    const struct ff_wait_execution_args *args = call->args;
    id = args->execution_id;
    TRY(wait_time(e, call, "timeout_ms", args->timeout_ms, WAIT_MAX_MS, error));
  }
  return exec_id_parse(id, "execution_id", e->config.flow_partitions, &call->watched, error);
}

static enum ff_rc look_at_state(struct engine *e, struct call *call, bool *over,
                                struct ff_error *error) {
  const struct ff_wait_execution_args *args = call->args;
  struct ff_describe_execution_args describe = {.size = sizeof describe,
                                                .execution_id = args->execution_id};
  struct ff_describe_execution_result found;
  struct ff_wait_execution_result *out = call->out;
  TRY(read_call(e, OP_describe_execution, &describe, &found, error));
  *over = found.outcome == FF_outcome_none ||
          found.execution.lifecycle_phase == FF_lifecycle_phase_terminal ||
          (args->until_change && found.execution.version != args->after_version);
  out->memory = found.memory;
  out->outcome = *over ? found.outcome : FF_outcome_timed_out;
  out->execution = found.execution;
  return FF_OK;
}

/* ST-100, ST-101 */
static enum ff_rc look_at_stream(struct engine *e, struct call *call, bool *over,
                                 struct ff_error *error) {
  struct ff_tail_stream_result *out = call->out;
  TRY(read_call(e, OP_tail_stream, call->args, out, error));
  *over = out->frames.count || out->closed_at;
  return FF_OK;
}

/* 04 FX-20 */
static enum ff_rc look_at_cancel(struct engine *e, struct call *call, bool *over,
                                 struct ff_error *error) {
  struct ff_wait_for_flow_cancellation_result *out = call->out;
  TRY(read_call(e, OP_wait_for_flow_cancellation, call->args, out, error));
  *over = out->outcome == FF_outcome_ok;
  return FF_OK;
}

/* Reads what is there into the call's result, which stands as long as the wait is not over. */
enum ff_rc wait_look(struct engine *e, struct call *call, bool *over, struct ff_error *error) {
  values_free(*(struct ff_memory **)call->out);
  memset(call->out, 0, op_infos[call->op].result_size);
  if (op_is_feed(call->op)) return subscribe_look(e, call, over, error);
  if (call->op == OP_wait_for_flow_cancellation) return look_at_cancel(e, call, over, error);
  return call->op == OP_tail_stream ? look_at_stream(e, call, over, error)
                                    : look_at_state(e, call, over, error);
}

/* ---- parked watches ---- */

bool watches_blind(const struct engine *e) { return !e->seat_count || e->store->traits.shared; }

static struct call_list *watch_bucket(struct engine *e, struct exec_id id) {
  return &e->watches[hash_fnv1a64(&id.uuid, sizeof id.uuid) % WATCH_BUCKETS];
}

void watch_park(struct engine *e, struct call *call) {
  call->state = CALL_PARKED;
  list_push(watch_bucket(e, call->watched), call);
  e->watch_count++;
  if (watches_blind(e)) service_look_by(e, call);
}

void watch_leave(struct engine *e, struct call *call) {
  list_remove(watch_bucket(e, call->watched), call);
  e->watch_count--;
}

/* A stream may end with a change of the state; a state does not change with a frame. */
void watches_take(struct engine *e, struct exec_id id, enum watch_change change,
                  struct call_list *taken) {
  for (struct call *c = watch_bucket(e, id)->first, *next; c; c = next) {
    next = c->next;
    if (c->watched.partition != id.partition || !uuid_equal(c->watched.uuid, id.uuid)) continue;
    if (change == WATCH_STREAM && c->op != OP_tail_stream) continue;
    if (change == WATCH_EVENTS && !op_is_feed(c->op)) continue;
    watch_leave(e, c);
    c->state = CALL_QUEUED;
    list_push(taken, c);
  }
}

void watches_look_again(struct engine *e) {
  for (uint32_t i = 0; i < WATCH_BUCKETS && e->watch_count; i++)
    for (struct call *c = e->watches[i].first, *next; c; c = next) {
      next = c->next;
      watch_leave(e, c);
      c->state = CALL_QUEUED;
      if (c->blocking)
        park_wake(&c->park, WAKE_DONE);
      else
        list_push(&e->deferred, c);
    }
}

void watches_drop(struct engine *e, void (*drop)(struct call_list *)) {
  for (uint32_t i = 0; i < WATCH_BUCKETS; i++) drop(&e->watches[i]);
}

/* Leaves the list. A batch that has taken the call out meanwhile still holds it: its wake-up must
 * be awaited. */
static void stop_watching(struct engine *e, struct call *call) {
  pthread_mutex_lock(&e->lock);
  bool parked = call->state == CALL_PARKED;
  if (parked) watch_leave(e, call);
  pthread_mutex_unlock(&e->lock);
  while (!parked && park_wait(&call->park, -1) != WAKE_DONE) {
  }
}

/* Parks first and looks afterwards: a change between the two finds the call parked. */
enum ff_rc wait_blocking(struct engine *e, struct call *call, struct ff_error *error) {
  bool over = false;
  TRY(wait_arguments(e, call, error));
  for (;;) {
    pthread_mutex_lock(&e->lock);
    bool closing = e->closing;
    watch_park(e, call);
    pthread_mutex_unlock(&e->lock);
    enum ff_rc rc = wait_look(e, call, &over, error);
    int64_t left = call->deadline - engine_now(e);
    bool again = rc == FF_OK && !over && call->look_again;
    if (again || rc != FF_OK || over || left <= 0 || closing) stop_watching(e, call);
    if (again) continue;
    if (rc != FF_OK || over || left <= 0 || closing) return rc;
    if (park_wait(&call->park, left * 1000) != WAKE_DONE) stop_watching(e, call);
  }
}
