/*
 * Arguments of the worker registry. Few instances in two namespaces, so that they meet again.
 */
#include "test/lib/history_impl.h"

static struct ff_str pick_namespace(struct history *h) {
  return chance(h, 70) ? (struct ff_str){NULL, 0} : TEXT_LIT("ns");
}

static struct ff_strs pick_lanes(struct history *h, struct arena *a) {
  size_t count = dice(h, HISTORY_LANES + 1);
  struct ff_str *lanes = ARENA_ARRAY(a, struct ff_str, count + 1);
  for (size_t i = 0; i < count; i++) lanes[i] = pick_lane(h);
  return (struct ff_strs){lanes, count};
}

DRAW(register_worker) {
  UNUSED;
  const struct history_worker *w = &history_workers[pick_worker(h)];
  x->worker_id = ff_text(chance(h, 90) ? w->id : "other");
  x->worker_instance_id = ff_text(w->instance);
  x->lanes = pick_lanes(h, a);
  x->capabilities = chance(h, 50) ? history_all_capabilities() : w->capabilities;
  x->liveness_ttl_ms = 1 + dice(h, 6000);
  x->namespace_ = pick_namespace(h);
  note_time(h, now + (int64_t)x->liveness_ttl_ms);
}

DRAW(heartbeat_worker) {
  UNUSED;
  x->worker_instance_id = ff_text(history_workers[pick_worker(h)].instance);
  x->namespace_ = pick_namespace(h);
}

DRAW(mark_worker_dead) {
  UNUSED;
  x->worker_instance_id = ff_text(history_workers[pick_worker(h)].instance);
  x->namespace_ = pick_namespace(h);
  x->reason = pick_reason(h, a);
}

DRAW(list_workers) {
  UNUSED;
  const char *instance = history_workers[pick_worker(h)].instance;
  x->namespace_ = chance(h, 50) ? (struct ff_str){NULL, 0} : TEXT_LIT("ns");
  if (chance(h, 40))
    x->after = x->namespace_.ptr ? ff_text(instance) : arena_printf(a, "%s ns", instance);
  x->limit = dice(h, 5);
}

static const struct draw draws[] = {
    {OP_register_worker, 3, DRAW_ANY, draw_register_worker},
    {OP_heartbeat_worker, 2, DRAW_ANY, draw_heartbeat_worker},
    {OP_mark_worker_dead, 1, DRAW_ANY, draw_mark_worker_dead},
    {OP_list_workers, 2, DRAW_READ, draw_list_workers},
};
const struct draw_table history_worker_draws = {draws, ARRAY_LEN(draws)};
