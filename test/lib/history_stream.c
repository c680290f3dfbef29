/*
 * Arguments of the operations on the output of attempts: appends by leases of every age, reads of
 * any attempt.
 */
#include "test/lib/history_impl.h"

DRAW(append_frame) {
  UNUSED;
  static const char *const types[] = {"", "", "token", "log"};
  const struct held *held = pick_held(h);
  x->handle = held ? held->handle : (struct ff_handle){0};
  x->bytes = pick_payload(h, a);
  x->kind = (uint8_t)dice(h, 6);
  x->frame_type = ff_text(types[dice(h, ARRAY_LEN(types))]);
  x->correlation_id = pick_reason(h, a);
  x->has_seq = dice(h, 2);
  x->seq = dice(h, 100);
}

static struct ff_str pick_position(struct history *h, struct arena *a, int64_t now) {
  if (chance(h, 60)) return (struct ff_str){NULL, 0};
  long long ms = now - (int64_t)dice(h, 4000);
  return dice(h, 2) ? arena_printf(a, "%lld", ms) : arena_printf(a, "%lld-%u", ms, dice(h, 3));
}

DRAW(read_stream) {
  const struct held *held = pick_held(h);
  bool theirs = held && chance(h, 80);
  x->execution_id =
      theirs ? arena_text(a, ff_text(held->execution)) : pick_execution(h, a);
  x->attempt_index = theirs ? held->attempt_index : dice(h, 3);
  x->from = pick_position(h, a, now);
  x->to = pick_position(h, a, now);
  if (!x->from.len) x->from = TEXT_LIT("start");
  if (!x->to.len) x->to = TEXT_LIT("end");
  x->count_limit = 1 + dice(h, 5);
}

static const struct draw draws[] = {
    {OP_append_frame, 5, DRAW_LEASE, draw_append_frame},
    {OP_read_stream, 3, DRAW_READ, draw_read_stream},
};
const struct draw_table history_stream_draws = {draws, ARRAY_LEN(draws)};
