/*
 * What a subscription shows of the event log: which events belong to it, whom a filter lets pass,
 * and how they look (05 B.4-B.8). Knows no store and no cursor format.
 */
#ifndef OP_FEED_H
#define OP_FEED_H

#include "op/op.h"

/* The arguments and answers of all subscriptions are laid out alike. */
struct feed_args {
  uint32_t size;
  struct ff_bytes cursor;
  bool from_start;
  struct ff_event_filter filter;
  uint32_t limit;
  uint64_t max_wait_ms;
};
struct feed_result {
  struct ff_memory *memory;
  struct {
    const void *items;
    size_t count;
  } events;
  struct ff_bytes next_cursor;
  bool dropped;
};

/* Whether the operation is a subscription. */
bool op_is_feed(enum op_id);
size_t feed_item_size(enum op_id);

/* Bounds and combinations of the arguments; limit 0 becomes its default. */
enum ff_rc feed_args_check(struct feed_args *, struct ff_error *) MUST_USE;

/* Fills the item and answers true when the event is part of this subscription and the filter lets it
 * pass. The item points into the event; its cursor is left to the caller. */
bool feed_view(enum op_id, const struct ff_event_filter *, const struct event *, struct arena *,
               void *item);

/* Whether the event is part of any subscription: who waits for one must look. */
bool feed_wakes(const struct event *);

#endif
