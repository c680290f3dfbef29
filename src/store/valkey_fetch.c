/*
 * Loading keys and ranges: one round trip whatever is asked for.
 *
 * Keys alone are one MGET, which is one instant; with ranges a function in the server reads
 * everything at one instant. The clock is read behind the rows, so that time never lies before what
 * was loaded. What a writer loads it remembers until its apply (valkey_rows.c). Nothing is locked:
 * headers decide.
 */
#include "store/valkey_impl.h"

struct fetch {
  struct valkey_session *c;
  struct arena *arena;
  struct arena *replies;
  struct store_get *gets;
  struct store_scan *scans;
  uint32_t get_count, scan_count;
  uint32_t row_count, event_count;   /* of the gets */
  uint32_t range_count, log_count;   /* of the scans: of indexes, of events by their ids */
  struct ff_str *keys;               /* of the gets of rows, in their order */
  uint32_t *extra; /* per scan: asked for beyond its limit, in place of unreadable ones */
  const struct valkey_reply **answers;
};

static bool is_event(const struct store_get *g) { return g->kind == RECORD_KIND_event; }
/* Events have no index of their ids: they are the log. */
static bool is_log(const struct store_scan *s) {
  const struct index_info *info = &index_infos[s->index];
  return info->kind == RECORD_KIND_event && info->when == INDEX_PRIMARY;
}

static void put_name(struct valkey_words *w, struct ff_str name) {
  valkey_word(w, name.ptr, name.len);
}

/* ---- the request ---- */

static void count_kinds(struct fetch *f) {
  struct arena *scratch = &f->c->scratch;
  f->keys = ARENA_ARRAY(scratch, struct ff_str, f->get_count + 1);
  for (uint32_t i = 0; i < f->get_count; i++) {
    const struct store_get *g = &f->gets[i];
    if (is_event(g)) f->event_count++;
    else
      f->keys[f->row_count++] = valkey_row_key(&f->c->store->names, g->kind, g->key, scratch);
  }
  for (uint32_t i = 0; i < f->scan_count; i++)
    if (is_log(&f->scans[i])) f->log_count++;
    else f->range_count++;
  f->extra = ARENA_ARRAY(scratch, uint32_t, f->scan_count + 1);
  f->answers = arena_alloc(scratch, (f->log_count + 3) * sizeof *f->answers);
}

static void put_range(struct fetch *f, const struct store_scan *s, uint32_t extra) {
  struct valkey_session *c = f->c;
  enum record_kind kind = index_infos[s->index].kind;
  buffer_clear(&c->low);
  buffer_clear(&c->high);
  valkey_range(s->index, s->from, s->after, &c->low, &c->high);
  valkey_word(&c->words, c->low.ptr, c->low.len);
  valkey_word(&c->words, c->high.ptr, c->high.len);
  valkey_word_number(&c->words, (int64_t)s->limit + extra);
  if (kind == RECORD_KIND_event) valkey_word(&c->words, "", 0);
  else put_name(&c->words, c->store->names.kinds[kind]);
}

static void put_ranges(struct fetch *f) {
  struct valkey_session *c = f->c;
  struct valkey_words *w = &c->words;
  valkey_call(c->store, VALKEY_FETCH, f->row_count + f->range_count + 1, w);
  for (uint32_t i = 0; i < f->row_count; i++) put_name(w, f->keys[i]);
  for (uint32_t i = 0; i < f->scan_count; i++)
    if (!is_log(&f->scans[i])) put_name(w, c->store->names.indexes[f->scans[i].index]);
  put_name(w, c->store->names.fixed[VALKEY_EVENTS]);
  valkey_word_number(w, f->row_count);
  for (uint32_t i = 0; i < f->scan_count; i++)
    if (!is_log(&f->scans[i])) put_range(f, &f->scans[i], f->extra[i]);
  valkey_words_flush(w, &c->request);
}

static void put_keys(struct fetch *f) {
  struct valkey_words *w = &f->c->words;
  if (f->row_count) {
    valkey_word_c(w, "MGET");
    for (uint32_t i = 0; i < f->row_count; i++) put_name(w, f->keys[i]);
    valkey_words_flush(w, &f->c->request);
  }
  valkey_command(&f->c->request, "TIME", NULL);
}

static void put_events(struct fetch *f) {
  struct valkey_words *w = &f->c->words;
  valkey_word_c(w, "HMGET");
  put_name(w, f->c->store->names.fixed[VALKEY_EVENTS]);
  for (uint32_t i = 0; i < f->get_count; i++)
    if (is_event(&f->gets[i])) valkey_word_id(w, ((const struct event *)f->gets[i].key)->event_id);
  valkey_words_flush(w, &f->c->request);
}

static void put_log(struct fetch *f, const struct store_scan *s, uint32_t extra) {
  struct valkey_session *c = f->c;
  const struct valkey_names *n = &c->store->names;
  uint64_t from = s->after ? ((const struct event *)s->from)->event_id : 0;
  valkey_call(c->store, VALKEY_READ_LOG, 4, &c->words);
  put_name(&c->words, n->fixed[VALKEY_LAST]);
  put_name(&c->words, n->fixed[VALKEY_EVENTS]);
  put_name(&c->words, n->fixed[VALKEY_TRIMMED]);
  put_name(&c->words, n->fixed[VALKEY_GAPS]);
  valkey_word_number(&c->words, from > INT64_MAX ? INT64_MAX : (int64_t)from);
  valkey_word_number(&c->words, (int64_t)s->limit + extra);
  valkey_words_flush(&c->words, &c->request);
}

/* Answers how many replies there will be. */
static uint32_t put_all(struct fetch *f) {
  uint32_t count = f->log_count + (f->event_count > 0) + 1;
  buffer_clear(&f->c->request);
  if (f->range_count) {
    put_ranges(f);
  } else {
    put_keys(f);
    count += f->row_count > 0;
  }
  if (f->event_count) put_events(f);
  for (uint32_t i = 0; i < f->scan_count; i++)
    if (is_log(&f->scans[i])) put_log(f, &f->scans[i], f->extra[i]);
  return count;
}

/* ---- the answer ---- */

static uint64_t version_of(struct ff_str value) {
  uint64_t version = 0;
  for (unsigned i = 0; i < 8; i++) version = version << 8 | (uint8_t)value.ptr[i];
  return version;
}

static enum ff_rc load_row(struct fetch *f, enum record_kind kind, struct ff_str value,
                           const void **record, struct ff_error *why) {
  if (value.len < VALKEY_HEADER) {
    void *blank = arena_alloc(f->arena, record_infos[kind].size);
    record_init(kind, blank);
    return store_corrupt(kind, blank, "row", "too short", why);
  }
  struct ff_str body = text_of(value.ptr + VALKEY_HEADER, value.len - VALKEY_HEADER);
  return valkey_row_decode(&f->c->store->layouts, kind, version_of(value), body, f->arena, record,
                           why);
}

static void remember(struct fetch *f, enum record_kind kind, struct ff_str key,
                     struct ff_str value) {
  if (!f->c->writer) return;
  struct valkey_row *row = valkey_rows_at(&f->c->rows, kind, key);
  row->known = true;
  row->value = value;
}

static struct ff_str value_of(const struct valkey_reply *r) {
  return valkey_is(r, VALKEY_STRING, 0) ? r->text : text_of(NULL, 0);
}

static bool read_rows(struct fetch *f, const struct valkey_reply *rows) {
  if (!valkey_is(rows, VALKEY_ARRAY, f->row_count)) return false;
  uint32_t n = 0;
  for (uint32_t i = 0; i < f->get_count; i++) {
    struct store_get *g = &f->gets[i];
    struct ff_error why;
    g->record = NULL;
    g->unreadable = NULL;
    if (is_event(g)) continue;
    struct ff_str value = value_of(rows->items[n]);
    remember(f, g->kind, f->keys[n++], value);
    if (value.ptr && load_row(f, g->kind, value, &g->record, &why))
      g->unreadable = store_error_keep(&why, f->arena);
  }
  return true;
}

static bool read_events(struct fetch *f, const struct valkey_reply *events) {
  if (!valkey_is(events, VALKEY_ARRAY, f->event_count)) return false;
  uint32_t n = 0;
  for (uint32_t i = 0; i < f->get_count; i++) {
    struct store_get *g = &f->gets[i];
    struct ff_error why;
    if (!is_event(g)) continue;
    const struct valkey_reply *row = events->items[n++];
    if (row->type == VALKEY_NIL) continue;
    struct event *event;
    uint64_t id = ((const struct event *)g->key)->event_id;
    if (valkey_event_load(f->c->store, id, row, f->arena, &event, &why))
      g->unreadable = store_error_keep(&why, f->arena);
    else g->record = event;
  }
  return true;
}

/* One more row of a range, good or not. */
static enum ff_rc push(struct fetch *f, struct store_scan *s, const void *record,
                       const struct ff_error *why, struct ff_error *e) {
  if (!record) return store_scan_step_over(s, why, f->arena, e);
  if (s->count < s->limit) store_scan_push(s, record, f->arena);
  return FF_OK;
}

static enum ff_rc read_range(struct fetch *f, struct store_scan *s, uint32_t asked,
                             const struct valkey_reply *rows, struct ff_error *e) {
  enum record_kind kind = index_infos[s->index].kind;
  enum ff_rc rc = FF_OK;
  store_scan_reset(s);
  for (uint32_t i = 0; i < rows->count && !rc && s->count < s->limit; i++) {
    struct ff_error why;
    const void *record = NULL;
    struct ff_str value = value_of(rows->items[i]);
    if (!value.ptr) value = text_of("", 0); /* an entry without its row: somebody deleted keys */
    if (load_row(f, kind, value, &record, &why) == FF_OK)
      remember(f, kind, valkey_row_key(&f->c->store->names, kind, record, &f->c->scratch), value);
    rc = push(f, s, record, &why, e);
    s->complete = i + 1 == rows->count && rows->count < asked;
  }
  if (!rows->count) s->complete = true;
  return rc;
}

/* Ids and rows in turn, from the item `at` on. */
static enum ff_rc read_pairs(struct fetch *f, struct store_scan *s, uint32_t asked, uint32_t at,
                             const struct valkey_reply *pairs, struct ff_error *e) {
  enum ff_rc rc = FF_OK;
  uint32_t rows = (pairs->count - at) / 2;
  store_scan_reset(s);
  for (; at + 1 < pairs->count && !rc && s->count < s->limit; at += 2) {
    struct ff_error why;
    struct event *event = NULL;
    uint64_t id = valkey_event_id(pairs->items[at]);
    (void)!valkey_event_load(f->c->store, id, pairs->items[at + 1], f->arena, &event, &why);
    rc = push(f, s, event, &why, e);
  }
  s->complete = rows < asked && at + 1 >= pairs->count;
  return rc;
}

static enum ff_rc read_scans(struct fetch *f, const struct valkey_reply *ranges,
                             const struct valkey_reply *const *logs, struct ff_error *e) {
  uint32_t next = 2;
  enum ff_rc rc = FF_OK;
  for (uint32_t i = 0; i < f->scan_count && !rc; i++) {
    struct store_scan *s = &f->scans[i];
    uint32_t asked = s->limit + f->extra[i] < s->limit ? UINT32_MAX : s->limit + f->extra[i];
    const struct valkey_reply *r = is_log(s) ? *logs++ : valkey_item(ranges, next++);
    if (!valkey_is(r, VALKEY_ARRAY, is_log(s) ? 2 : 0))
      rc = valkey_strange(f->c->store, "read", e);
    else if (index_infos[s->index].kind == RECORD_KIND_event)
      rc = read_pairs(f, s, asked, is_log(s) ? 2 : 0, r, e);
    else rc = read_range(f, s, asked, r, e);
  }
  return rc;
}

static bool read_time(const struct valkey_reply *r, int64_t *ms) {
  int64_t seconds, micros;
  if (valkey_is(r, VALKEY_INTEGER, 0)) {
    *ms = r->integer;
    return true;
  }
  const struct valkey_reply *a = valkey_item(r, 0), *b = valkey_item(r, 1);
  bool ok = valkey_is(a, VALKEY_STRING, 0) && valkey_is(b, VALKEY_STRING, 0) &&
            parse_i64(a->text, &seconds) && parse_i64(b->text, &micros);
  if (ok) *ms = seconds * 1000 + micros / 1000;
  return ok;
}

static enum ff_rc read_all(struct fetch *f, uint32_t count, int64_t *now, struct ff_error *e) {
  const struct valkey_reply *const *r = f->answers, *rows, *time;
  static const struct valkey_reply none = {.type = VALKEY_ARRAY};
  for (uint32_t i = 0; i < count; i++)
    if (r[i]->type == VALKEY_ERROR) return valkey_error(f->c->store, r[i], "read", e);
  const struct valkey_reply *ranges = NULL;
  if (f->range_count) {
    ranges = *r++;
    time = valkey_item(ranges, 0);
    rows = valkey_item(ranges, 1);
  } else {
    rows = f->row_count ? *r++ : &none;
    time = *r++;
  }
  int64_t server;
  bool ok = read_rows(f, rows) && read_time(time, &server);
  if (ok && f->event_count) ok = read_events(f, *r++);
  if (!ok) return valkey_strange(f->c->store, "read", e);
  *now = valkey_now(f->c->store, server);
  return read_scans(f, ranges, r, e);
}

/* ---- */

/* A range that unreadable rows left short of its limit: everything is read again with a larger one,
 * so that it stays one instant. */
static bool widen(struct fetch *f) {
  bool any = false;
  for (uint32_t i = 0; i < f->scan_count; i++) {
    const struct store_scan *s = &f->scans[i];
    if (s->complete || s->count == s->limit) continue;
    f->extra[i] = 2 * s->unreadable_count;
    any = true;
  }
  return any;
}

static enum ff_rc run_once(struct fetch *f, int64_t *now, bool *lost, struct ff_error *e) {
  struct valkey_session *c = f->c;
  bool sent;
  enum ff_rc rc = valkey_session_ready(c, e);
  *lost = false;
  if (rc) return rc;
  uint32_t count = put_all(f);
  rc = valkey_session_call(c, f->replies, f->answers, count, &sent, lost, e);
  if (!rc && *lost) rc = valkey_lost(c->store, c->wire, "read", e);
  else if (!rc) rc = read_all(f, count, now, e);
  if (*lost) valkey_session_drop(c);
  return rc;
}

enum ff_rc valkey_fetch(struct store_session *session, struct arena *arena, struct store_get *gets,
                        uint32_t get_count, struct store_scan *scans, uint32_t scan_count,
                        int64_t *now, struct ff_error *e) {
  struct valkey_session *c = valkey_session_of(session);
  struct fetch f = {.c = c, .arena = arena, .gets = gets, .get_count = get_count,
                    .scans = scans, .scan_count = scan_count};
  if (get_count + scan_count == 0 && c->store->clock_ms) {
    *now = valkey_now(c->store, 0);
    return FF_OK;
  }
  arena_reset(&c->scratch);
  /* A writer's answers are what its apply compares with. */
  f.replies = c->writer ? &c->replies : &c->scratch;
  count_kinds(&f);
  bool lost;
  enum ff_rc rc = run_once(&f, now, &lost, e);
  if (lost) rc = run_once(&f, now, &lost, e); /* the connection had gone */
  while (!rc && widen(&f)) rc = run_once(&f, now, &lost, e);
  return rc;
}
