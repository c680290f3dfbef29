/*
 * The event log of the memory store: events by id in chunks, ids ascending and never given twice.
 * Only a log that was copied from another store has ids without an event.
 */
#include "store/log_cursor.h"
#include "store/memory_impl.h"

#include <stdlib.h>

void memory_log_init(struct memory_data *d) {
  const struct index_info *rings = &index_infos[INDEX_event_by_execution];
  INVARIANT(rings->part_count == rings->prefix_count + 1); /* the event id alone orders a ring */
  d->event_first = d->event_next = 1;
  btree_init(&d->event_rings, &d->slab);
}

void memory_log_fini(struct memory_data *d) {
  for (uint32_t i = 0; i < d->event_chunk_count; i++) free(d->event_chunks[i]);
  free(d->event_chunks);
}

/* ---- by id ---- */

static struct memory_event **place(const struct memory_data *d, uint64_t event_id) {
  uint64_t at = event_id - 1 - d->event_chunk_first;
  return &d->event_chunks[at / MEMORY_EVENTS_PER_CHUNK][at % MEMORY_EVENTS_PER_CHUNK];
}

/* NULL when trimmed, never there, or not there yet. */
static struct memory_event *event_of(const struct memory_data *d, uint64_t event_id) {
  return event_id >= d->event_first && event_id < d->event_next ? *place(d, event_id) : NULL;
}

static void chunk_add(struct memory_data *d) {
  if (d->event_chunk_count == d->event_chunk_capacity) {
    d->event_chunk_capacity = d->event_chunk_capacity ? 2 * d->event_chunk_capacity : 8;
    d->event_chunks =
        heap_realloc(d->event_chunks, d->event_chunk_capacity * sizeof *d->event_chunks);
  }
  d->event_chunks[d->event_chunk_count++] =
      heap_alloc(MEMORY_EVENTS_PER_CHUNK * sizeof **d->event_chunks);
}

/* Gives back the chunks in front of the oldest retained event. */
static void chunks_drop(struct memory_data *d) {
  uint32_t gone = (uint32_t)((d->event_first - 1 - d->event_chunk_first) / MEMORY_EVENTS_PER_CHUNK);
  if (gone == 0) return;
  for (uint32_t i = 0; i < gone; i++) free(d->event_chunks[i]);
  d->event_chunk_count -= gone;
  memmove(d->event_chunks, d->event_chunks + gone, d->event_chunk_count * sizeof *d->event_chunks);
  d->event_chunk_first += (uint64_t)gone * MEMORY_EVENTS_PER_CHUNK;
}

/* ---- appending and trimming ---- */

#define EVENT_OVERHEAD offsetof(struct memory_event, packed)

static void ring_key(struct memory_key *key, const void *event) {
  memory_key_index(key, INDEX_event_by_execution, event,
                   index_infos[INDEX_event_by_execution].prefix_count);
}

static void ring_enter(struct memory_data *d, struct memory_event *e, const struct event *event) {
  struct memory_key key;
  bool created;
  ring_key(&key, event);
  struct btree_item *ring = btree_put(&d->event_rings, key.ptr, key.len, &created);
  memory_key_fini(&key);
  struct memory_event *newest = ring->value;
  e->next = created ? e : newest->next;
  if (!created) newest->next = e;
  ring->value = e;
}

/* e is the oldest event of all, hence of its ring. */
static void ring_leave(struct memory_data *d, struct memory_event *e, const struct event *event) {
  struct memory_key key;
  ring_key(&key, event);
  struct btree_item *ring = btree_find(&d->event_rings, key.ptr, key.len);
  memory_key_fini(&key);
  struct memory_event *newest = ring->value;
  INVARIANT(newest->next == e);
  newest->next = e->next;
  if (newest == e) btree_remove(&d->event_rings, ring);
}

/* The next id, without an event as yet. */
static void id_add(struct memory_data *d) {
  uint64_t room = d->event_chunk_first + (uint64_t)d->event_chunk_count * MEMORY_EVENTS_PER_CHUNK;
  if (d->event_next - 1 == room) chunk_add(d);
  *place(d, d->event_next++) = NULL;
}

void memory_log_append(struct memory_data *d, const struct event *event) {
  struct event copy = *event;
  struct pack_plan plan;
  copy.head = (struct record_head){0};
  copy.event_id = d->event_next;
  id_add(d);
  pack_measure(RECORD_KIND_event, &copy, &plan);
  struct memory_event *e = slab_alloc(&d->slab, EVENT_OVERHEAD + plan.size);
  e->event_id = copy.event_id;
  e->at = copy.at;
  pack_write(RECORD_KIND_event, &copy, &plan, &e->packed);
  ring_enter(d, e, &copy);
  *place(d, copy.event_id) = e;
}

/* An empty log goes on behind `id`. */
static void start_behind(struct memory_data *d, uint64_t id) {
  memory_log_fini(d);
  d->event_chunks = NULL;
  d->event_chunk_count = d->event_chunk_capacity = 0;
  d->event_chunk_first = id;
  d->event_first = d->event_next = id + 1;
}

enum ff_rc memory_restore_log(struct store_session *session, const struct event *const *events,
                              uint32_t count, uint64_t end, struct ff_error *e) {
  (void)e;
  struct memory_session *s = (struct memory_session *)session;
  struct memory_data *d = s->store->data;
  INVARIANT(s->kind == STORE_WRITER);
  pthread_rwlock_wrlock(&d->lock);
  uint64_t behind = count ? events[0]->event_id - 1 : end;
  if (d->event_first == d->event_next && behind >= d->event_next) start_behind(d, behind);
  for (uint32_t i = 0; i < count; i++) {
    while (d->event_next < events[i]->event_id) id_add(d);
    memory_log_append(d, events[i]);
  }
  pthread_rwlock_unlock(&d->lock);
  return FF_OK;
}

static const struct event *event_read(const struct memory_event *e, struct arena *arena) {
  return pack_read(RECORD_KIND_event, &e->packed, arena);
}

/* Ids and times ascend together: the first event that is young enough ends the search. */
static bool trim_oldest(struct memory_data *d, int64_t before, struct arena *arena) {
  struct memory_event *e;
  while (!(e = event_of(d, d->event_first))) d->event_first++;
  if (e->at >= before) return false;
  ring_leave(d, e, event_read(e, arena));
  slab_free(&d->slab, e, EVENT_OVERHEAD + e->packed.size);
  d->event_first++;
  return true;
}

enum ff_rc memory_trim_log(struct store_session *session, int64_t before, uint64_t keep,
                           uint32_t limit, uint32_t *removed, struct ff_error *e) {
  (void)e;
  struct memory_session *s = (struct memory_session *)session;
  struct memory_data *d = s->store->data;
  INVARIANT(s->kind == STORE_WRITER);
  struct arena arena;
  arena_init(&arena);
  *removed = 0;
  pthread_rwlock_wrlock(&d->lock);
  while (*removed < limit && d->event_next - d->event_first > keep &&
         trim_oldest(d, before, &arena)) {
    ++*removed;
    arena_reset(&arena);
  }
  chunks_drop(d);
  pthread_rwlock_unlock(&d->lock);
  arena_fini(&arena);
  return FF_OK;
}

/* ---- reading by key and index ---- */

const void *memory_log_get(const struct memory_data *d, uint64_t event_id, struct arena *arena) {
  const struct memory_event *e = event_of(d, event_id);
  return e ? event_read(e, arena) : NULL;
}

static void scan_by_id(const struct memory_data *d, struct store_scan *s, struct arena *arena) {
  uint64_t id = d->event_first, from = ((const struct event *)s->from)->event_id;
  if (s->after && from >= id) id = from < d->event_next ? from + 1 : d->event_next;
  for (; id < d->event_next && s->count < s->limit; id++)
    if (event_of(d, id)) store_scan_push(s, event_read(event_of(d, id), arena), arena);
  s->complete = id >= d->event_next;
}

static void scan_ring(const struct memory_data *d, struct store_scan *s, struct arena *arena) {
  struct memory_key key;
  ring_key(&key, s->from);
  const struct btree_item *ring = btree_find(&d->event_rings, key.ptr, key.len);
  memory_key_fini(&key);
  s->complete = true;
  if (!ring) return;
  const struct memory_event *newest = ring->value, *e = newest->next;
  uint64_t behind = s->after ? ((const struct event *)s->from)->event_id : 0;
  for (; e->event_id <= behind; e = e->next)
    if (e == newest) return;
  for (; s->count < s->limit; e = e->next) {
    store_scan_push(s, event_read(e, arena), arena);
    if (e == newest) return;
  }
  s->complete = false;
}

void memory_log_scan(const struct memory_data *d, struct store_scan *s, struct arena *arena) {
  if (s->index == INDEX_event_by_execution)
    scan_ring(d, s, arena);
  else
    scan_by_id(d, s, arena);
}

/* ---- behind a cursor ---- */

/* Moves *position behind the last one. */
static void read_events(struct memory_data *d, struct arena *arena, uint64_t *position,
                        uint32_t limit, const struct event ***events, uint32_t *count) {
  if (*position >= d->event_next - 1) return;
  uint64_t there = d->event_next - 1 - *position;
  *events = arena_alloc(arena, (there < limit ? there : limit) * sizeof **events);
  while (*count < limit && *position < d->event_next - 1) {
    const struct memory_event *event = event_of(d, ++*position);
    if (event) (*events)[(*count)++] = event_read(event, arena);
  }
}

enum ff_rc memory_read_log(struct store_session *session, struct arena *arena,
                           struct ff_bytes cursor, uint32_t limit, const struct event ***events,
                           uint32_t *count, struct ff_bytes *next, bool *dropped,
                           struct ff_error *e) {
  struct memory_data *d = ((struct memory_session *)session)->store->data;
  uint64_t position = 0;
  bool beginning = false, end = cursor.len == 0;
  *events = NULL;
  *count = 0;
  *dropped = false;
  if (!end) {
    enum ff_rc rc = log_cursor_read(cursor, FF_backend_memory, &position, &beginning, e);
    if (rc) return rc;
  }
  pthread_rwlock_rdlock(&d->lock);
  if (end) position = d->event_next - 1;
  if (position < d->event_first - 1) {
    *dropped = !beginning;
    position = d->event_first - 1;
  }
  read_events(d, arena, &position, limit, events, count);
  pthread_rwlock_unlock(&d->lock);
  *next = log_cursor_mint(arena, FF_backend_memory, position);
  return FF_OK;
}
