/*
 * The event log of the memory store: events by id in chunks, ids ascending by one and never given
 * twice.
 *
 * A cursor is the tag byte of the memory store and the big-endian id of the last event seen (05
 * B.2).
 */
#include "store/memory_impl.h"

#include "base/error.h"

#include <stdlib.h>

#define CURSOR_SIZE 9u

void memory_log_init(struct memory_data *d) { d->event_first = d->event_next = 1; }

void memory_log_fini(struct memory_data *d) {
  for (uint32_t i = 0; i < d->event_chunk_count; i++) free(d->event_chunks[i]);
  free(d->event_chunks);
}

static struct memory_row **place(const struct memory_data *d, uint64_t event_id) {
  uint64_t at = event_id - 1 - d->event_chunk_first;
  return &d->event_chunks[at / MEMORY_EVENTS_PER_CHUNK][at % MEMORY_EVENTS_PER_CHUNK];
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

void memory_log_append(struct memory_data *d, const struct event *event) {
  struct event copy = *event;
  copy.head = (struct record_head){0};
  copy.event_id = d->event_next;
  uint64_t room = d->event_chunk_first + (uint64_t)d->event_chunk_count * MEMORY_EVENTS_PER_CHUNK;
  if (d->event_next - 1 == room) chunk_add(d);
  struct memory_row *row = memory_row_new(d, RECORD_KIND_event);
  memory_row_store(d, row, &copy);
  *place(d, d->event_next++) = row;
}

struct memory_row *memory_log_row(const struct memory_data *d, uint64_t event_id) {
  return event_id >= d->event_first && event_id < d->event_next ? *place(d, event_id) : NULL;
}

static struct ff_bytes cursor_mint(struct arena *arena, uint64_t position) {
  uint8_t *out = arena_alloc(arena, CURSOR_SIZE);
  out[0] = FF_backend_memory;
  for (unsigned i = 0; i < 8; i++) out[1 + i] = (uint8_t)(position >> (56 - 8 * i));
  return (struct ff_bytes){out, CURSOR_SIZE};
}

/* False when this store never mints such bytes (SU-13). */
static bool cursor_read(struct ff_bytes cursor, uint64_t *position, bool *beginning) {
  const uint8_t *p = cursor.ptr;
  if (p[0] != FF_backend_memory) return false;
  *beginning = cursor.len == 1;
  *position = 0;
  if (*beginning) return true;
  if (cursor.len != CURSOR_SIZE) return false;
  for (unsigned i = 0; i < 8; i++) *position = *position << 8 | p[1 + i];
  return *position <= INT64_MAX;
}

static void read_events(struct memory_data *d, struct arena *arena, uint64_t position,
                        uint32_t limit, const struct event ***events, uint32_t *count) {
  if (position >= d->event_next - 1) return;
  uint64_t there = d->event_next - 1 - position;
  uint32_t n = there < limit ? (uint32_t)there : limit;
  *events = arena_alloc(arena, n * sizeof **events);
  for (; *count < n; ++*count)
    (*events)[*count] = memory_row_read(memory_log_row(d, position + 1 + *count), arena);
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
  if (!end && !cursor_read(cursor, &position, &beginning))
    return error_field(e, FF_CODE_invalid_input, "cursor",
                       "cursor does not belong to this backend");
  pthread_rwlock_rdlock(&d->lock);
  if (end) position = d->event_next - 1;
  if (position < d->event_first - 1) {
    *dropped = !beginning;
    position = d->event_first - 1;
  }
  read_events(d, arena, position, limit, events, count);
  pthread_rwlock_unlock(&d->lock);
  *next = cursor_mint(arena, position + *count);
  return FF_OK;
}

static int64_t event_at(const struct memory_data *d, uint64_t id, struct arena *arena) {
  return ((const struct event *)memory_row_read(memory_log_row(d, id), arena))->at;
}

/* Ids and times ascend together: the first event that is young enough ends the search. */
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
         event_at(d, d->event_first, &arena) < before) {
    struct memory_row *row = memory_log_row(d, d->event_first++);
    memory_row_clear(d, row);
    memory_row_free(d, row);
    ++*removed;
    arena_reset(&arena);
  }
  chunks_drop(d);
  pthread_rwlock_unlock(&d->lock);
  arena_fini(&arena);
  return FF_OK;
}
