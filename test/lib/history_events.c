/*
 * Arguments of subscriptions: cursors of earlier answers, beginnings, filters that fit some.
 */
#include "test/lib/history_impl.h"

static void fill(struct history *h, struct arena *a, struct ff_bytes *cursor, bool *from_start,
                 struct ff_event_filter *filter, uint32_t *limit) {
  uint32_t known = h->cursor_count < CURSORS ? h->cursor_count : CURSORS;
  uint32_t n = dice(h, 10);
  if (n < 3)
    *from_start = true;
  else if (n < 8 && known)
    *cursor = arena_bytes(a, (struct ff_bytes){h->cursors[dice(h, known)], CURSOR_BYTES});
  if (chance(h, 20)) filter->namespace_ = dice(h, 2) ? TEXT_LIT("other") : TEXT_LIT("");
  if (chance(h, 10)) filter->tag_key = TEXT_LIT("app.k"), filter->tag_value = TEXT_LIT("1");
  *limit = dice(h, 2) ? 1 + dice(h, 20) : 0;
}

#define DRAW_SUBSCRIPTION(name)                                                \
  DRAW(name) {                                                                 \
    (void)now;                                                                 \
    fill(h, a, &x->cursor, &x->from_start, &x->filter, &x->limit);             \
  }
DRAW_SUBSCRIPTION(subscribe_lease_history)
DRAW_SUBSCRIPTION(subscribe_completion)
DRAW_SUBSCRIPTION(subscribe_signal_delivery)
DRAW_SUBSCRIPTION(subscribe_instance_tags)

static const struct draw draws[] = {
    {OP_subscribe_lease_history, 2, DRAW_READ, draw_subscribe_lease_history},
    {OP_subscribe_completion, 2, DRAW_READ, draw_subscribe_completion},
    {OP_subscribe_signal_delivery, 1, DRAW_READ, draw_subscribe_signal_delivery},
    {OP_subscribe_instance_tags, 1, DRAW_READ, draw_subscribe_instance_tags},
};
const struct draw_table history_event_draws = {draws, ARRAY_LEN(draws)};
