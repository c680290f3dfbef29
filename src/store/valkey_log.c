/*
 * The event log: a hash by ids that ascend by one, in the order of the applies.
 *
 * A group's events get their ids inside its function call, so no reader can pass an id that comes
 * later, and a refused group leaves no gap.
 */
#include "store/log_cursor.h"
#include "store/valkey_impl.h"

#define EVENT_HEAD 10u /* when, and the length of what the index entry begins with */

static void put_log_names(struct valkey_session *c) {
  static const enum valkey_name names[] = {VALKEY_LAST, VALKEY_EVENTS, VALKEY_TRIMMED, VALKEY_GAPS};
  for (size_t i = 0; i < ARRAY_LEN(names); i++) {
    struct ff_str name = c->store->names.fixed[names[i]];
    valkey_word(&c->words, name.ptr, name.len);
  }
}

/* When, what its index entry begins with, its fields. */
static void event_put(const struct valkey_store *s, const struct event *event,
                      const struct buffer *prefix, struct buffer *out) {
  uint8_t head[EVENT_HEAD];
  for (unsigned i = 0; i < 8; i++) head[i] = (uint8_t)((uint64_t)event->at >> (56 - 8 * i));
  head[8] = (uint8_t)(prefix->len >> 8);
  head[9] = (uint8_t)prefix->len;
  buffer_append(out, head, sizeof head);
  buffer_append(out, prefix->ptr, prefix->len);
  struct event kept = *event;
  kept.event_id = 0; /* its key in the log */
  valkey_row_encode(&s->layouts, RECORD_KIND_event, &kept, out);
}

void valkey_word_id(struct valkey_words *w, uint64_t event_id) {
  uint8_t bytes[8];
  for (unsigned i = 0; i < 8; i++) bytes[i] = (uint8_t)(event_id >> (56 - 8 * i));
  valkey_word(w, bytes, sizeof bytes);
}

void valkey_put_event(struct valkey_session *c, const struct event *event) {
  buffer_clear(&c->low);
  buffer_clear(&c->body);
  valkey_member(INDEX_event_by_execution, event, &c->low);
  event_put(c->store, event, &c->low, &c->body);
  valkey_word(&c->words, c->low.ptr, c->low.len);
  valkey_word(&c->words, c->body.ptr, c->body.len);
}

uint64_t valkey_event_id(const struct valkey_reply *r) {
  uint64_t id = 0;
  if (!valkey_is(r, VALKEY_STRING, 0) || r->text.len != 8) return 0;
  for (unsigned i = 0; i < 8; i++) id = id << 8 | (uint8_t)r->text.ptr[i];
  return id;
}

enum ff_rc valkey_event_load(const struct valkey_store *s, uint64_t event_id,
                             const struct valkey_reply *row, struct arena *arena,
                             struct event **out, struct ff_error *e) {
  struct event blank = {.event_id = event_id};
  struct ff_str value = valkey_is(row, VALKEY_STRING, 0) ? row->text : text_of("", 0);
  size_t prefix = 0;
  const void *record;
  *out = NULL;
  if (value.len >= EVENT_HEAD)
    prefix = EVENT_HEAD + ((size_t)(uint8_t)value.ptr[8] << 8 | (uint8_t)value.ptr[9]);
  if (!prefix || value.len < prefix || !event_id)
    return store_corrupt(RECORD_KIND_event, &blank, "row", "too short", e);
  struct ff_str body = text_of(value.ptr + prefix, value.len - prefix);
  enum ff_rc rc = valkey_row_decode(&s->layouts, RECORD_KIND_event, 0, body, arena, &record, e);
  if (rc) return rc;
  *out = (struct event *)(uintptr_t)record; /* made just now */
  (*out)->event_id = event_id;
  return FF_OK;
}

/* ---- reading ---- */

struct log_read {
  struct arena *arena;
  uint64_t after;
  bool from_end, from_start, dropped;
  uint32_t limit;
  const struct event **events;
  uint32_t count;
};

static enum ff_rc take(struct valkey_session *c, struct log_read *r,
                       const struct valkey_reply *answer, struct ff_error *e) {
  const struct valkey_reply *last = valkey_item(answer, 0), *trimmed = valkey_item(answer, 1);
  if (valkey_is(answer, VALKEY_ERROR, 0))
    return valkey_error(c->store, answer, "read the event log", e);
  if (!valkey_is(last, VALKEY_INTEGER, 0) || !valkey_is(trimmed, VALKEY_INTEGER, 0))
    return valkey_strange(c->store, "read the event log", e);
  if (r->from_end) {
    r->after = (uint64_t)last->integer;
    return FF_OK;
  }
  if (r->after < (uint64_t)trimmed->integer) {
    r->dropped = !r->from_start;
    r->after = (uint64_t)trimmed->integer;
  }
  r->events = ARENA_ARRAY(r->arena, const struct event *, answer->count / 2 + 1);
  for (uint32_t i = 2; i + 1 < answer->count; i += 2) {
    struct event *event;
    enum ff_rc rc = valkey_event_load(c->store, valkey_event_id(answer->items[i]),
                                      answer->items[i + 1], r->arena, &event, e);
    if (rc) return rc;
    r->events[r->count++] = event;
    r->after = event->event_id;
  }
  return FF_OK;
}

/* A read is repeated once when the connection had gone. */
static enum ff_rc read_once(struct valkey_session *c, struct log_read *r, bool *lost,
                            struct ff_error *e) {
  const struct valkey_reply *answer;
  bool sent;
  *lost = false;
  enum ff_rc rc = valkey_session_ready(c, e);
  if (rc) return rc;
  arena_reset(&c->scratch);
  valkey_call(c->store, VALKEY_READ_LOG, 4, &c->words);
  put_log_names(c);
  if (r->from_end) valkey_word(&c->words, "", 0);
  else valkey_word_number(&c->words, (int64_t)r->after);
  valkey_word_number(&c->words, r->limit);
  buffer_clear(&c->request);
  valkey_words_flush(&c->words, &c->request);
  rc = valkey_session_call(c, &c->scratch, &answer, 1, &sent, lost, e);
  if (!rc && *lost) rc = valkey_lost(c->store, c->wire, "read the event log", e);
  else if (!rc) rc = take(c, r, answer, e);
  if (*lost) valkey_session_drop(c);
  return rc;
}

enum ff_rc valkey_read_log(struct store_session *session, struct arena *arena,
                           struct ff_bytes cursor, uint32_t limit, const struct event ***events,
                           uint32_t *count, struct ff_bytes *next, bool *dropped,
                           struct ff_error *e) {
  struct valkey_session *c = valkey_session_of(session);
  struct log_read r = {.arena = arena, .limit = limit, .from_end = cursor.len == 0};
  enum ff_rc rc = FF_OK;
  bool lost = false;
  if (cursor.len) rc = log_cursor_read(cursor, FF_backend_valkey, &r.after, &r.from_start, e);
  if (!rc) rc = read_once(c, &r, &lost, e);
  if (rc && lost) rc = read_once(c, &r, &lost, e);
  if (rc) return rc;
  *next = log_cursor_mint(arena, FF_backend_valkey, r.after);
  *events = r.events;
  *count = r.count;
  *dropped = r.dropped;
  return FF_OK;
}

/* ---- trimming and restoring ---- */

static void put_change(struct valkey_session *c, enum valkey_function f) {
  valkey_call(c->store, f, 5, &c->words);
  put_log_names(c);
  struct ff_str index = c->store->names.indexes[INDEX_event_by_execution];
  valkey_word(&c->words, index.ptr, index.len);
}

/* Calls what was put into the words; its answer is a number. */
static enum ff_rc change_log(struct valkey_session *c, const char *doing, int64_t *out,
                             struct ff_error *e) {
  const struct valkey_reply *answer;
  bool sent, lost = false;
  buffer_clear(&c->request);
  valkey_words_flush(&c->words, &c->request);
  enum ff_rc rc = valkey_session_call(c, &c->scratch, &answer, 1, &sent, &lost, e);
  if (!rc && lost) rc = valkey_lost(c->store, c->wire, doing, e);
  else if (!rc && answer->type == VALKEY_ERROR) rc = valkey_error(c->store, answer, doing, e);
  else if (!rc && !valkey_is(answer, VALKEY_INTEGER, 0)) rc = valkey_strange(c->store, doing, e);
  else if (!rc) *out = answer->integer;
  if (lost) valkey_session_drop(c);
  return rc;
}

enum ff_rc valkey_trim_log(struct store_session *session, int64_t before, uint64_t keep,
                           uint32_t limit, uint32_t *removed, struct ff_error *e) {
  struct valkey_session *c = valkey_session_of(session);
  int64_t count = 0;
  INVARIANT(c->writer);
  *removed = 0;
  enum ff_rc rc = valkey_session_ready(c, e);
  if (rc) return rc;
  arena_reset(&c->scratch);
  put_change(c, VALKEY_TRIM_LOG);
  valkey_word_number(&c->words, before);
  valkey_word_number(&c->words, keep > INT64_MAX ? INT64_MAX : (int64_t)keep);
  valkey_word_number(&c->words, limit);
  rc = change_log(c, "trim the event log", &count, e);
  *removed = (uint32_t)count;
  return rc;
}

enum ff_rc valkey_restore_log(struct store_session *session, const struct event *const *events,
                              uint32_t count, uint64_t end, struct ff_error *e) {
  struct valkey_session *c = valkey_session_of(session);
  int64_t done = 0;
  INVARIANT(c->writer);
  enum ff_rc rc = valkey_session_ready(c, e);
  if (rc) return rc;
  arena_reset(&c->scratch);
  put_change(c, VALKEY_RESTORE_LOG);
  valkey_word_number(&c->words, (int64_t)end);
  valkey_word_number(&c->words, count);
  for (uint32_t i = 0; i < count; i++) {
    valkey_word_id(&c->words, events[i]->event_id);
    valkey_put_event(c, events[i]);
  }
  rc = change_log(c, "restore the event log", &done, e);
  if (rc || done == 1) return rc;
  return error_set(e, FF_CODE_invalid_input,
                   "%s: the event log has ids above %llu already; restore into an empty store",
                   c->store->target.shown, (unsigned long long)(count ? events[0]->event_id : end));
}
