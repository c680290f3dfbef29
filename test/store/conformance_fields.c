/*
 * Every field of every kind comes back exactly as it was stored (CV-1, CV-2, RC-*).
 */
#include "test/store/conformance.h"

enum filling { FILL_DEFAULT, FILL_TYPICAL, FILL_LARGEST, FILL_SMALLEST, FILL_EMPTY, FILL_COUNT };

static uint8_t last_word(const struct field *f) {
  int word = 0;
  while (ff_word((enum ff_word_enum)f->words, word + 1)) word++;
  return (uint8_t)word;
}

static void fill_octets(struct world *w, const struct field *f, void *at, enum filling how) {
  static const uint8_t binary[] = {0, 1, 0xff, 0xc0, 0x80, 0, '\'', '"', 0xed, 0xa0, 0x80, '\n', 0};
  if (how == FILL_EMPTY || how == FILL_SMALLEST) {
    if (f->type == FIELD_TEXT)
      *(struct ff_str *)at = TEXT_LIT("");
    else
      *(struct ff_bytes *)at = (struct ff_bytes){"", 0};
  } else if (f->type == FIELD_TEXT) {
    *(struct ff_str *)at =
        how == FILL_TYPICAL
            ? arena_printf(&w->arena, "the %s", f->name)
            : arena_printf(&w->arena,
                           "\x01 '\"\\%%\t\n\x7f \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 %s",
                           f->name);
  } else {
    *(struct ff_bytes *)at = (struct ff_bytes){binary, sizeof binary};
  }
}

static void fill_field(struct world *w, const struct field *f, void *record, enum filling how) {
  void *at = (uint8_t *)record + f->offset;
  bool typical = how == FILL_TYPICAL, large = how == FILL_LARGEST, small = how == FILL_SMALLEST;
  switch (f->type) {
    case FIELD_U8: *(uint8_t *)at = typical ? 1 : large ? UINT8_MAX : 0; return;
    case FIELD_U16: *(uint16_t *)at = typical ? 300 : large ? UINT16_MAX : 0; return;
    case FIELD_U32: *(uint32_t *)at = typical ? 70000 : large ? UINT32_MAX : 0; return;
    case FIELD_U64: *(uint64_t *)at = typical ? 7000000000 : large ? UINT64_MAX : 0; return;
    case FIELD_I32:
      *(int32_t *)at = typical ? -7 : large ? INT32_MAX : small ? INT32_MIN : 0;
      return;
    case FIELD_I64:
      *(int64_t *)at = typical ? CLOCK_START : large ? INT64_MAX : small ? INT64_MIN : 0;
      return;
    case FIELD_IDX:
      *(int64_t *)at = typical ? 3 : large ? INT64_MAX : small ? INT64_MIN : 0;
      return;
    case FIELD_UUID: memset(at, typical ? 0x5a : large ? 0xff : small ? 0x01 : 0, 16); return;
    case FIELD_ENUM: *(uint8_t *)at = typical ? last_word(f) > 0 : large ? last_word(f) : 0; return;
    case FIELD_TEXT:
    case FIELD_BYTES: fill_octets(w, f, at, how); return;
  }
}

/* Keys differ by filling; a nil uuid is no key. */
static void *filled(struct world *w, enum record_kind kind, enum filling how) {
  void *record = record_new(w, kind);
  const struct record_info *info = &record_infos[kind];
  for (unsigned i = 0; i < info->field_count; i++) {
    const struct field *f = &info->fields[i];
    if (how != FILL_DEFAULT) fill_field(w, f, record, how);
    if (!(f->flags & FIELD_KEY)) continue;
    void *at = (uint8_t *)record + f->offset;
    if (f->type == FIELD_UUID) *(struct uuid *)at = uuid_of((uint32_t)how);
    if (f->type == FIELD_TEXT && how != FILL_LARGEST)
      *(struct ff_str *)at = arena_printf(&w->arena, "k%d", (int)how);
  }
  return record;
}

static void round_trip(struct world *w, enum record_kind kind) {
  for (int how = 0; how < FILL_COUNT; how++) {
    struct record_head *record = filled(w, kind, (enum filling)how);
    if (how == FILL_LARGEST) record->version = INT64_MAX - 1;
    assert_int_equal(insert(w, kind, record), STORE_APPLIED);
    assert_same(kind, get(w, kind, record), record, record->version);
  }
  /* and by updates, each filling over each other one; FIXED fields never change */
  for (int from = 0; from < FILL_COUNT; from++)
    for (int to = 0; to < FILL_COUNT; to++) {
      struct record_head *old =
          record_copy(kind, get(w, kind, filled(w, kind, (enum filling)from)), &w->arena);
      struct record_head *new = record_copy(kind, old, &w->arena);
      const uint8_t *source = filled(w, kind, (enum filling)to);
      const struct record_info *info = &record_infos[kind];
      for (unsigned i = 0; i < info->field_count; i++) {
        const struct field *f = &info->fields[i];
        size_t end = i + 1 < info->field_count ? f[1].offset : info->size;
        if (!(f->flags & (FIELD_KEY | FIELD_FIXED)))
          memcpy((uint8_t *)new + f->offset, source + f->offset, end - f->offset);
      }
      if (old->version > INT64_MAX / 2) continue;
      new->version++;
      assert_int_equal(update(w, kind, new, old->version), STORE_APPLIED);
      assert_same(kind, get(w, kind, new), new, new->version);
    }
}

static void every_field_of_every_kind(struct world *w) {
  for (unsigned k = 0; k < RECORD_KIND_COUNT; k++)
    if (record_infos[k].tag != RECORD_TAG_LOG) round_trip(w, (enum record_kind)k);
}

static void every_field_of_an_event(struct world *w) {
  for (int how = 0; how < FILL_COUNT; how++) {
    struct event *e = filled(w, RECORD_KIND_event, (enum filling)how);
    e->execution_id = uuid_of(1);
    e->head.version = 0;
    struct ff_bytes end = log_end(w);
    e->event_id = 77; /* ignored */
    assert_int_equal(append(w, e), STORE_APPLIED);
    struct log_page page = read_log(w, end, 10);
    assert_int_equal(page.count, 1);
    e->event_id = (uint64_t)how + 1;
    assert_same(RECORD_KIND_event, page.events[0], e, 0);
    assert_same(RECORD_KIND_event, get(w, RECORD_KIND_event, e), e, 0);
  }
}

/* A writer session reads its records as well as a reader does. */
static void writer_sessions_read_alike(struct world *w) {
  struct execution *x = filled(w, RECORD_KIND_execution, FILL_LARGEST);
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  struct store_get one = {.kind = RECORD_KIND_execution, .key = x};
  struct store_scan created = {.index = INDEX_execution_created, .from = x, .limit = 5};
  int64_t now;
  OK(store_fetch(w->writer, &w->arena, &one, 1, &created, 1, &now, &w->error));
  OK(store_apply(w->writer, NULL, 0, &w->error));
  assert_same(RECORD_KIND_execution, one.record, x, 1);
  assert_int_equal(created.count, 1);
  assert_same(RECORD_KIND_execution, created.records[0], x, 1);
}

/* CV-1: absent and empty are two values, of texts and of bytes, hot and cold. */
static void empty_is_not_absent(struct world *w) {
  struct execution *x = execution_new(w, 1), *y = execution_new(w, 2);
  x->payload = (struct ff_bytes){"", 0};
  x->worker_id = x->tags = x->progress_message = TEXT_LIT("");
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  assert_int_equal(insert(w, RECORD_KIND_execution, y), STORE_APPLIED);
  const struct execution *a = get(w, RECORD_KIND_execution, x),
                         *b = get(w, RECORD_KIND_execution, y);
  assert_true(a->payload.ptr && a->worker_id.ptr && a->tags.ptr && a->progress_message.ptr);
  assert_true(a->payload.len + a->worker_id.len + a->tags.len + a->progress_message.len == 0);
  assert_true(!b->payload.ptr && !b->worker_id.ptr && !b->tags.ptr && !b->progress_message.ptr);
  assert_true(!a->result.ptr && !a->claim_request_id.ptr && !a->failure_reason.ptr);
}

/* CV-2, LM: the largest payload, every octet value; the record of the smallest beside it. */
static void sixteen_mebibytes(struct world *w) {
  enum { SIZE = 16 << 20 };
  struct payload *p = record_new(w, RECORD_KIND_payload);
  uint8_t *data = arena_alloc(&w->arena, SIZE);
  for (size_t i = 0; i < SIZE; i++) data[i] = (uint8_t)(i * 2654435761u >> 13);
  p->execution_id = uuid_of(1);
  p->data = (struct ff_bytes){data, SIZE};
  assert_int_equal(insert(w, RECORD_KIND_payload, p), STORE_APPLIED);
  assert_same(RECORD_KIND_payload, get(w, RECORD_KIND_payload, p), p, 1);
  struct result *r = record_new(w, RECORD_KIND_result);
  r->execution_id = uuid_of(1);
  r->data = (struct ff_bytes){"\0", 1};
  assert_int_equal(insert(w, RECORD_KIND_result, r), STORE_APPLIED);
  struct result *larger = record_next(w, RECORD_KIND_result, r);
  larger->data = p->data;
  assert_int_equal(update(w, RECORD_KIND_result, larger, 1), STORE_APPLIED);
  assert_same(RECORD_KIND_result, get(w, RECORD_KIND_result, r), larger, 2);
  struct result *smaller = record_next(w, RECORD_KIND_result, larger);
  smaller->data = r->data;
  assert_int_equal(update(w, RECORD_KIND_result, smaller, 2), STORE_APPLIED);
  assert_same(RECORD_KIND_result, get(w, RECORD_KIND_result, r), smaller, 3);
}

/* What was handed out stays as it was, whatever happens to the stored record (DESIGN §4). */
static void records_are_snapshots(struct world *w) {
  struct execution *x = execution_new(w, 1);
  x->tags = TEXT_LIT("first");
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  const struct execution *before = get(w, RECORD_KIND_execution, x);
  struct execution *y = record_next(w, RECORD_KIND_execution, x);
  y->tags = TEXT_LIT("other");
  assert_int_equal(update(w, RECORD_KIND_execution, y, 1), STORE_APPLIED);
  assert_int_equal(erase(w, RECORD_KIND_execution, y, 2), STORE_APPLIED);
  assert_same(RECORD_KIND_execution, before, x, 1);
}

/* The store keeps its own copy: the caller's memory may change after apply. */
static void the_store_keeps_its_own_copy(struct world *w) {
  char text[] = "original";
  struct execution *x = execution_new(w, 1);
  x->tags = text_of(text, 8);
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  memset(text, 'X', 8);
  x->priority = 9;
  const struct execution *read = get(w, RECORD_KIND_execution, x);
  assert_true(text_equal_c(read->tags, "original"));
  assert_int_equal(read->priority, 0);
}

const struct conformance_check checks_fields[] = {
    {"every field of every kind (CV-1, CV-2)", every_field_of_every_kind, ON_ALL},
    {"every field of an event (RC-20)", every_field_of_an_event, ON_ALL},
    {"writer sessions read alike", writer_sessions_read_alike, ON_ALL},
    {"empty is not absent (CV-1)", empty_is_not_absent, ON_ALL},
    {"sixteen mebibytes (CV-2)", sixteen_mebibytes, ON_ALL},
    {"records are snapshots (DESIGN 4)", records_are_snapshots, ON_ALL},
    {"the store keeps its own copy", the_store_keeps_its_own_copy, ON_ALL},
    {0},
};
