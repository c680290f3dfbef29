/*
 * Arguments of the operations on the output of attempts: appends by leases of every age, reads of
 * any attempt.
 */
#include "test/lib/history_impl.h"

static struct ff_str pick_patch(struct history *h, struct arena *a) {
  static const char *const values[] = {"null", "{}", "[1,null]", "\"__ff_null__\"", "1e400",
                                       "{\"x\":null}"};
  const char *value = values[dice(h, ARRAY_LEN(values))];
  if (chance(h, 10)) return TEXT_LIT("{\"open\":");
  return arena_printf(a, "{\"%c\":%s,\"n\":%u}", 'a' + (char)dice(h, 3), value, dice(h, 1000));
}

static void fill_frame(struct history *h, struct arena *a, struct ff_frame_input *f) {
  static const char *const types[] = {"", "", "token", "log"};
  f->bytes = pick_payload(h, a);
  f->kind = (uint8_t)dice(h, 6);
  f->frame_type = ff_text(types[dice(h, ARRAY_LEN(types))]);
  f->correlation_id = pick_reason(h, a);
  f->has_seq = dice(h, 2);
  f->seq = dice(h, 100);
  f->mode = (uint8_t)dice(h, FF_frame_mode_COUNT);
  static const double alphas[] = {0, 0.5, 1, 7};
  f->ttl_ms = dice(h, 2) ? dice(h, 3000) : 0;
  f->maxlen_floor = dice(h, 3);
  f->maxlen_ceiling = dice(h, 5);
  f->ema_alpha = alphas[dice(h, ARRAY_LEN(alphas))];
  if (f->mode != FF_frame_mode_summary) return;
  struct ff_str patch = pick_patch(h, a);
  f->bytes = (struct ff_bytes){patch.ptr, patch.len};
  if (chance(h, 20)) f->patch_kind = TEXT_LIT("json-merge-patch");
}

DRAW(append_frame) {
  UNUSED;
  const struct held *held = pick_held(h);
  struct ff_frame_input f = {0};
  fill_frame(h, a, &f);
  x->handle = held ? held->handle : (struct ff_handle){0};
  x->bytes = f.bytes;
  x->kind = f.kind;
  x->frame_type = f.frame_type;
  x->correlation_id = f.correlation_id;
  x->has_seq = f.has_seq;
  x->seq = f.seq;
  x->mode = f.mode;
  x->patch_kind = f.patch_kind;
  x->ttl_ms = f.ttl_ms;
  x->maxlen_floor = f.maxlen_floor;
  x->maxlen_ceiling = f.maxlen_ceiling;
  x->ema_alpha = f.ema_alpha;
  if (chance(h, 30)) x->request_id = pick_request_id(h);
}

DRAW(append_frames) {
  UNUSED;
  const struct held *held = pick_held(h);
  size_t count = dice(h, 5);
  struct ff_frame_input *items = ARENA_ARRAY(a, struct ff_frame_input, count + 1);
  for (size_t i = 0; i < count; i++) fill_frame(h, a, &items[i]);
  x->handle = held ? held->handle : (struct ff_handle){0};
  x->frames = (struct ff_frame_inputs){items, count};
  if (chance(h, 30)) x->request_id = pick_request_id(h);
}

static struct ff_str pick_position(struct history *h, struct arena *a, int64_t now) {
  if (chance(h, 60)) return (struct ff_str){NULL, 0};
  long long ms = now - (int64_t)dice(h, 4000);
  return dice(h, 2) ? arena_printf(a, "%lld", ms) : arena_printf(a, "%lld-%u", ms, dice(h, 3));
}

static struct ff_str pick_attempt(struct history *h, struct arena *a, uint32_t *index) {
  const struct held *held = pick_held(h);
  bool theirs = held && chance(h, 80);
  *index = theirs ? held->attempt_index : dice(h, 3);
  return theirs ? arena_text(a, ff_text(held->execution)) : pick_execution(h, a);
}

DRAW(read_stream) {
  x->execution_id = pick_attempt(h, a, &x->attempt_index);
  x->from = pick_position(h, a, now);
  x->to = pick_position(h, a, now);
  if (!x->from.len) x->from = TEXT_LIT("start");
  if (!x->to.len) x->to = TEXT_LIT("end");
  x->count_limit = 1 + dice(h, 5);
}

DRAW(tail_stream) {
  x->execution_id = pick_attempt(h, a, &x->attempt_index);
  x->after = pick_position(h, a, now);
  if (!x->after.len) x->after = TEXT_LIT("0-0");
  x->count_limit = 1 + dice(h, 5);
  x->visibility = (uint8_t)dice(h, 2);
  if (h->options.waits && chance(h, 50)) x->block_ms = dice(h, 4000);
}

DRAW(read_summary) {
  UNUSED;
  x->execution_id = pick_attempt(h, a, &x->attempt_index);
}

static const struct draw draws[] = {
    {OP_append_frame, 5, DRAW_LEASE, draw_append_frame},
    {OP_append_frames, 4, DRAW_LEASE, draw_append_frames},
    {OP_read_stream, 3, DRAW_READ, draw_read_stream},
    {OP_tail_stream, 2, DRAW_READ, draw_tail_stream},
    {OP_read_summary, 2, DRAW_READ, draw_read_summary},
};
const struct draw_table history_stream_draws = {draws, ARRAY_LEN(draws)};
