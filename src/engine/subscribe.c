/*
 * Subscriptions: looks at the event log behind a cursor, and waits for more (05 B.3).
 *
 * Between calls nothing of a subscription is kept here: the cursor is the caller's. While a call
 * waits it remembers how far it has looked, so that what the filter leaves out is read once.
 */
#include "engine/impl.h"
#include "op/feed.h"
#include "store/calls.h"
#include "store/log_cursor.h"

#include <stdlib.h>

/* Events read at a time (SU-20), and pages in a row before others get their turn on the service
 * thread. */
#define PAGE_EVENTS 256
#define PAGES_MAX 16

/* A waiting subscription call. */
struct feed_wait {
  struct feed_args args;
  struct buffer position; /* a cursor; empty = fixes the end at the first look */
};

enum ff_rc subscribe_begin(struct engine *e, struct call *call, struct ff_error *error) {
  struct feed_wait *w = heap_zalloc(sizeof *w);
  memcpy(&w->args, call->args, sizeof w->args);
  call->feed = w;
  TRY(feed_args_check(&w->args, error));
  call->deadline = engine_now(e) + (int64_t)w->args.max_wait_ms;
  if (w->args.cursor.len) buffer_append(&w->position, w->args.cursor.ptr, w->args.cursor.len);
  if (w->args.from_start) buffer_append_char(&w->position, (char)e->store->traits.backend);
  return FF_OK;
}

void subscribe_end(struct call *call) {
  if (!call->feed) return;
  buffer_fini(&call->feed->position);
  free(call->feed);
  call->feed = NULL;
}

struct page {
  const struct event **events;
  uint32_t count;
  struct ff_bytes next;
  bool dropped;
};

static enum ff_rc read_page(struct engine *e, const struct feed_wait *w, struct arena *arena,
                            struct page *page, struct ff_error *error) {
  struct store_session *session;
  struct ff_bytes from = {w->position.ptr, w->position.len};
  TRY(reader_take(e, &session, error));
  enum ff_rc rc = store_read_log(session, arena, from, PAGE_EVENTS, &page->events, &page->count,
                                 &page->next, &page->dropped, error);
  reader_give(e, session);
  e->reads++;
  return rc;
}

/* Every item begins with its cursor. What lies behind the last one that fits is left to the next
 * call. */
static void view_page(struct engine *e, struct call *call, const struct page *page,
                      struct arena *arena, struct feed_result *view) {
  size_t size = feed_item_size(call->op);
  char *items = arena_alloc(arena, size * (page->count + 1));
  struct ff_bytes last = page->next;
  uint32_t i = 0;
  for (; i < page->count && view->events.count < call->feed->args.limit; i++) {
    char *item = items + size * view->events.count;
    if (!feed_view(call->op, &call->feed->args.filter, page->events[i], arena, item)) continue;
    struct ff_bytes cursor =
        log_cursor_mint(arena, e->store->traits.backend, page->events[i]->event_id);
    memcpy(item, &cursor, sizeof cursor);
    view->events.count++;
    last = cursor;
  }
  view->events.items = items;
  view->next_cursor = i < page->count ? last : page->next;
  view->dropped = page->dropped;
}

static enum ff_rc look_once(struct engine *e, struct call *call, bool *over, bool *more,
                            struct ff_error *error) {
  struct feed_wait *w = call->feed;
  struct arena arena;
  struct page page;
  struct feed_result view = {0};
  arena_init(&arena);
  enum ff_rc rc = read_page(e, w, &arena, &page, error);
  if (rc == FF_OK) {
    view_page(e, call, &page, &arena, &view);
    *over = view.events.count || view.dropped;
    *more = !*over && page.count == PAGE_EVENTS;
    buffer_clear(&w->position);
    buffer_append(&w->position, view.next_cursor.ptr, view.next_cursor.len);
    values_free(*(struct ff_memory **)call->out);
    values_deep_copy(op_infos[call->op].result, &view, call->out, (struct ff_memory **)call->out);
  }
  arena_fini(&arena);
  return rc;
}

enum ff_rc subscribe_look(struct engine *e, struct call *call, bool *over,
                          struct ff_error *error) {
  bool more = true;
  *over = false;
  for (int pages = 0; more && pages < PAGES_MAX; pages++)
    TRY(look_once(e, call, over, &more, error));
  call->look_again = more;
  if (*over || !e->closing) return FF_OK;
  return error_set(error, FF_CODE_unavailable, "the engine is closing");
}
