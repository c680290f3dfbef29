/*
 * Applying groups of writes: each is one call of one function, that compares the headers of the rows
 * with those that were loaded and then carries out the commands made here.
 *
 * The one place that decides whether a write took effect. A connection that broke when the call may
 * have arrived leaves the outcome unknown. What becomes of the indexes follows from the row as it
 * was loaded, which the header proves to be still there, and the row as it will be.
 */
#include "store/valkey_impl.h"

#define COMMAND_WORDS_MAX 4000 /* what the server's Lua may unpack */

struct apply {
  struct valkey_session *c;
  const struct store_group *group;
  struct valkey_row *touched, **last;
  uint32_t count;
  bool conflict;
};

void valkey_forget(struct valkey_session *c) {
  valkey_rows_reset(&c->rows);
  arena_reset(&c->replies);
}

/* ---- what the group makes of each row ---- */

static bool same_version(const struct valkey_row *row, uint64_t version) {
  uint64_t stored = 0;
  if (row->value.len < VALKEY_HEADER) return false;
  for (unsigned i = 0; i < 8; i++) stored = stored << 8 | (uint8_t)row->value.ptr[i];
  return stored == version;
}

static void touch(struct apply *a, struct valkey_row *row, const struct store_write *w) {
  row->group = a->c->group;
  row->base = w->base_version;
  row->next_touched = NULL;
  *a->last = row;
  a->last = &row->next_touched;
  a->count++;
}

static void add_write(struct apply *a, const struct store_write *w) {
  struct valkey_session *c = a->c;
  struct ff_str key =
      valkey_row_key(&c->store->names, w->record_kind, w->record, &c->scratch);
  struct valkey_row *row = valkey_rows_at(&c->rows, w->record_kind, key);
  if (row->group != c->group) {
    touch(a, row, w);
    if (w->kind == STORE_INSERT) {
      row->known = true;
      row->value = text_of(NULL, 0);
    } else if (row->known && !same_version(row, w->base_version)) {
      row->known = false; /* not as the write saw it: looked at once more */
    }
  } else if (row->present != (w->kind != STORE_INSERT) ||
             (row->present && row->version != w->base_version)) {
    a->conflict = true;
  }
  row->present = w->kind != STORE_DELETE;
  row->version = ((const struct record_head *)w->record)->version;
  row->record = row->present ? w->record : NULL;
}

/* Rows that were changed without having been loaded, or at another version. */
static enum ff_rc load_unknown(struct apply *a, struct ff_error *e) {
  struct valkey_session *c = a->c;
  const struct valkey_reply *r;
  uint32_t n = 0;
  bool sent, lost;
  for (struct valkey_row *row = a->touched; row; row = row->next_touched) n += !row->known;
  if (!n) return FF_OK;
  valkey_word_c(&c->words, "MGET");
  for (struct valkey_row *row = a->touched; row; row = row->next_touched)
    if (!row->known) valkey_word(&c->words, row->key.ptr, row->key.len);
  buffer_clear(&c->request);
  valkey_words_flush(&c->words, &c->request);
  enum ff_rc rc = valkey_session_call(c, &c->replies, &r, 1, &sent, &lost, e);
  if (!rc && lost) rc = valkey_lost(c->store, c->wire, "write", e);
  if (!rc && r->type == VALKEY_ERROR) rc = valkey_error(c->store, r, "write", e);
  if (!rc && !valkey_is(r, VALKEY_ARRAY, n)) rc = valkey_strange(c->store, "write", e);
  n = 0;
  for (struct valkey_row *row = a->touched; row && !rc; row = row->next_touched) {
    if (row->known) continue;
    const struct valkey_reply *value = r->items[n++];
    row->known = true;
    row->value = valkey_is(value, VALKEY_STRING, 0) ? value->text : text_of(NULL, 0);
    a->conflict |= !same_version(row, row->base);
  }
  return rc;
}

/* ---- commands ---- */

/* Takes the words gathered for a key into the call. */
static void put_command(struct valkey_session *c, const char *command, struct ff_str key,
                        struct valkey_words *list) {
  if (!list->count) return;
  valkey_word_number(&c->words, 1 + (key.ptr != NULL) + list->count);
  valkey_word_c(&c->words, command);
  if (key.ptr) valkey_word(&c->words, key.ptr, key.len);
  buffer_append(&c->words.text, list->text.ptr, list->text.len);
  c->words.count += list->count;
  buffer_clear(&list->text);
  list->count = 0;
}

static void put_member(struct valkey_session *c, enum index_id index, const struct buffer *member,
                       bool add) {
  struct valkey_words *list = add ? &c->adds[index] : &c->removes[index];
  if (list->count + 4 > COMMAND_WORDS_MAX)
    put_command(c, add ? "ZADD" : "ZREM", c->store->names.indexes[index], list);
  if (add) valkey_word(list, "0", 1);
  valkey_word(list, member->ptr, member->len);
}

/* From where a row was in the indexes of its kind to where it will be. */
static void move_entries(struct valkey_session *c, enum record_kind kind, const void *before,
                         const void *after) {
  enum index_id indexes[VALKEY_KIND_INDEXES_MAX];
  uint32_t count = valkey_indexes_of(kind, indexes);
  for (uint32_t i = 0; i < count; i++) {
    enum index_id index = indexes[i];
    bool was = before && index_matches(index, before), is = after && index_matches(index, after);
    buffer_clear(&c->low);
    buffer_clear(&c->high);
    if (was) valkey_member(index, before, &c->low);
    if (is) valkey_member(index, after, &c->high);
    if (was && is && text_equal(buffer_text(&c->low), buffer_text(&c->high))) continue;
    if (was) put_member(c, index, &c->low, false);
    if (is) put_member(c, index, &c->high, true);
  }
}

static void put_header(struct valkey_session *c, uint64_t version) {
  uint8_t header[VALKEY_HEADER];
  for (unsigned i = 0; i < 8; i++) {
    header[i] = (uint8_t)(version >> (56 - 8 * i));
    header[8 + i] = (uint8_t)(c->stamp >> (56 - 8 * i));
  }
  buffer_append(&c->body, header, sizeof header);
}

static void put_sets(struct apply *a, struct valkey_words *list) {
  struct valkey_session *c = a->c;
  for (struct valkey_row *row = a->touched; row; row = row->next_touched) {
    if (!row->record) continue;
    if (list->count + 4 > COMMAND_WORDS_MAX) put_command(c, "MSET", text_of(NULL, 0), list);
    buffer_clear(&c->body);
    put_header(c, row->version);
    valkey_row_encode(&c->store->layouts, row->kind, row->record, &c->body);
    valkey_word(list, row->key.ptr, row->key.len);
    valkey_word(list, c->body.ptr, c->body.len);
  }
  put_command(c, "MSET", text_of(NULL, 0), list);
}

static void put_deletions(struct apply *a, struct valkey_words *list) {
  for (struct valkey_row *row = a->touched; row; row = row->next_touched) {
    if (row->record || !row->value.ptr) continue;
    if (list->count + 4 > COMMAND_WORDS_MAX) put_command(a->c, "DEL", text_of(NULL, 0), list);
    valkey_word(list, row->key.ptr, row->key.len);
  }
  put_command(a->c, "DEL", text_of(NULL, 0), list);
}

static enum ff_rc put_entries(struct apply *a, struct ff_error *e) {
  struct valkey_session *c = a->c;
  for (struct valkey_row *row = a->touched; row; row = row->next_touched) {
    const void *before = NULL;
    if (row->value.len >= VALKEY_HEADER) {
      struct ff_str body = text_of(row->value.ptr + VALKEY_HEADER, row->value.len - VALKEY_HEADER);
      enum ff_rc rc =
          valkey_row_decode(&c->store->layouts, row->kind, 1, body, &c->scratch, &before, e);
      if (rc) return rc;
    }
    move_entries(c, row->kind, before, row->record);
  }
  for (unsigned i = 0; i < INDEX_COUNT; i++) {
    put_command(c, "ZREM", c->store->names.indexes[i], &c->removes[i]);
    put_command(c, "ZADD", c->store->names.indexes[i], &c->adds[i]);
  }
  return FF_OK;
}

static void put_call(struct apply *a) {
  static const enum valkey_name names[] = {VALKEY_MARK, VALKEY_LAST, VALKEY_EVENTS};
  struct valkey_session *c = a->c;
  struct valkey_words *w = &c->words;
  const struct store_group *g = a->group;
  uint32_t indexes = c->store->cluster ? INDEX_COUNT : 0;
  valkey_call(c->store, VALKEY_APPLY, 4 + a->count + indexes, w);
  for (size_t i = 0; i < ARRAY_LEN(names); i++)
    valkey_word(w, c->store->names.fixed[names[i]].ptr, c->store->names.fixed[names[i]].len);
  struct ff_str log = c->store->names.indexes[INDEX_event_by_execution];
  valkey_word(w, log.ptr, log.len);
  for (struct valkey_row *row = a->touched; row; row = row->next_touched)
    valkey_word(w, row->key.ptr, row->key.len);
  for (uint32_t i = 0; i < indexes; i++)
    valkey_word(w, c->store->names.indexes[i].ptr, c->store->names.indexes[i].len);
  valkey_word_c(w, c->store->mark);
  if (g->valid_until == INT64_MAX || c->store->clock_ms) valkey_word(w, "", 0);
  else valkey_word_number(w, g->valid_until);
  valkey_word_number(w, g->event_count);
  valkey_word_number(w, a->count);
  for (struct valkey_row *row = a->touched; row; row = row->next_touched)
    valkey_word(w, row->value.ptr ? row->value.ptr : "", row->value.ptr ? VALKEY_HEADER : 0);
  for (uint32_t i = 0; i < g->event_count; i++) valkey_put_event(c, g->events[i]);
}

static void put_wait(struct valkey_session *c, uint32_t *replies) {
  const struct valkey_target *t = &c->store->target;
  char replicas[12], timeout[24];
  if (!t->wait_aof && !t->wait_replicas) return;
  snprintf(replicas, sizeof replicas, "%u", t->wait_replicas);
  snprintf(timeout, sizeof timeout, "%lld", (long long)t->timeout_ms);
  if (t->wait_aof) valkey_command(&c->request, "WAITAOF", "1", "0", timeout, NULL);
  else valkey_command(&c->request, "WAIT", replicas, timeout, NULL);
  *replies = 2;
}

/* ---- outcomes ---- */

/* What is acknowledged is as safe as the URL asks for, or nobody can say what became of it. */
static bool waited(const struct valkey_session *c, const struct valkey_reply *r) {
  const struct valkey_target *t = &c->store->target;
  if (t->wait_aof) {
    const struct valkey_reply *local = valkey_item(r, 0);
    return valkey_is(local, VALKEY_INTEGER, 0) && local->integer >= 1;
  }
  return valkey_is(r, VALKEY_INTEGER, 0) && r->integer >= t->wait_replicas;
}

static enum ff_rc conclude(struct valkey_session *c, struct store_group *g,
                           const struct valkey_reply *const *r, uint32_t count,
                           struct ff_error *e) {
  if (r[0]->type == VALKEY_ERROR) {
    enum ff_rc rc = valkey_error(c->store, r[0], "write", e);
    if (valkey_error_is(r[0], "READONLY")) valkey_session_drop(c); /* the name may lead elsewhere */
    return rc;
  }
  const struct valkey_reply *said = valkey_item(r[0], 0);
  if (!valkey_is(said, VALKEY_INTEGER, 0)) {
    g->outcome = STORE_UNKNOWN;
  } else if (said->integer < 0) {
    return valkey_schema_changed(c->store, e);
  } else if (said->integer == 0) {
    g->outcome = STORE_CONFLICT;
  } else {
    const struct valkey_reply *last = valkey_item(r[0], 1);
    g->outcome = count == 1 || waited(c, r[1]) ? STORE_APPLIED : STORE_UNKNOWN;
    if (valkey_is(last, VALKEY_INTEGER, 0)) valkey_saw(c->store, (uint64_t)last->integer);
  }
  return FF_OK;
}

static enum ff_rc send_group(struct apply *a, struct store_group *g, struct ff_error *e) {
  struct valkey_session *c = a->c;
  const struct valkey_reply *r[2];
  uint32_t replies = 1;
  bool sent, lost;
  struct valkey_words list = {.count = 0};
  buffer_init(&list.text);
  c->stamp = random_u64();
  put_call(a);
  put_deletions(a, &list);
  put_sets(a, &list);
  enum ff_rc rc = put_entries(a, e);
  buffer_fini(&list.text);
  buffer_clear(&c->request);
  valkey_words_flush(&c->words, &c->request);
  if (rc) return rc;
  put_wait(c, &replies);
  rc = valkey_session_call(c, &c->scratch, r, replies, &sent, &lost, e);
  if (rc) return rc;
  if (!lost) return conclude(c, g, r, replies, e);
  valkey_session_drop(c);
  g->outcome = STORE_UNKNOWN;
  return FF_OK;
}

/* Later groups of the same call see what this one wrote. */
static void forget_touched(struct apply *a) {
  for (struct valkey_row *row = a->touched; row; row = row->next_touched) row->known = false;
}

static enum ff_rc apply_group(struct valkey_session *c, struct store_group *g,
                              struct ff_error *e) {
  struct valkey_store *s = c->store;
  struct apply a = {.c = c, .group = g};
  a.last = &a.touched;
  c->group++;
  g->outcome = STORE_CONFLICT;
  if (s->clock_ms && g->valid_until != INT64_MAX && valkey_now(s, 0) >= g->valid_until)
    return FF_OK;
  enum ff_rc rc = valkey_session_ready(c, e);
  /* The server hung up meanwhile: nothing is sent, the batch runs again. */
  if (!rc && !valkey_wire_alive(c->wire)) {
    valkey_session_drop(c);
    return FF_OK;
  }
  for (uint32_t i = 0; i < g->write_count && !rc; i++) add_write(&a, &g->writes[i]);
  if (!rc && !a.conflict) rc = load_unknown(&a, e);
  if (!rc && !a.conflict) rc = send_group(&a, g, e);
  forget_touched(&a);
  return rc;
}

enum ff_rc valkey_apply(struct store_session *session, struct store_group *groups,
                        uint32_t group_count, struct ff_error *e) {
  struct valkey_session *c = valkey_session_of(session);
  INVARIANT(c->writer);
  enum ff_rc rc = FF_OK;
  bool any = false;
  for (uint32_t i = 0; i < group_count && !rc; i++) {
    arena_reset(&c->scratch);
    rc = apply_group(c, &groups[i], e);
    any |= !rc && groups[i].outcome != STORE_CONFLICT;
    if (!rc || !any) continue;
    /* An error would mean that nothing at all was applied: the rest runs again instead. */
    for (rc = FF_OK; i < group_count; i++) groups[i].outcome = STORE_CONFLICT;
  }
  valkey_forget(c);
  return rc;
}
