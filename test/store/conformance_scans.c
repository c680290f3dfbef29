/*
 * Index scans: order, prefixes, paging, membership, completeness, snapshots (store.h, struct
 * store_scan; DESIGN §3, §5.1).
 *
 * The oracle is a sorted array of the memory-comparable encodings; a few orders are spelled out by
 * hand besides.
 */
#include "test/store/conformance.h"

#include <stdlib.h>

/* ---- the oracle ---- */

struct entry {
  const void *record;
  uint8_t key[256];
  size_t len;
};
struct oracle {
  struct entry *entries;
  uint32_t count;
};

static int compare_entries(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  int c = memcmp(x->key, y->key, x->len < y->len ? x->len : y->len);
  return c ? c : (x->len > y->len) - (x->len < y->len);
}

/* The members of the index among `records` that share the prefix of `from`, in order. */
static struct oracle expect(struct world *w, enum index_id index, const void *const *records,
                            uint32_t count, const void *from) {
  const struct index_info *info = &index_infos[index];
  struct oracle o = {arena_alloc(&w->arena, (count + 1) * sizeof *o.entries), 0};
  uint8_t prefix[256];
  size_t prefix_len = index_key_encode(index, from, info->prefix_count, prefix);
  for (uint32_t i = 0; i < count; i++) {
    struct entry *e = &o.entries[o.count];
    if (!records[i] || !index_matches(index, records[i])) continue;
    assert_true(index_key_size(index, records[i], info->part_count) <= sizeof e->key);
    e->record = records[i];
    e->len = index_key_encode(index, records[i], info->part_count, e->key);
    if (e->len >= prefix_len && memcmp(e->key, prefix, prefix_len) == 0) o.count++;
  }
  qsort(o.entries, o.count, sizeof *o.entries, compare_entries);
  return o;
}

static void assert_page(enum index_id index, const struct store_scan *s, const struct oracle *o,
                        uint32_t from) {
  uint32_t left = o->count - from;
  assert_int_equal(s->count, left < s->limit ? left : s->limit);
  for (uint32_t i = 0; i < s->count; i++)
    assert_same(index_infos[index].kind, s->records[i], o->entries[from + i].record,
                ((const struct record_head *)o->entries[from + i].record)->version);
  /* complete only when nothing lies behind; a page that is not full is the last one */
  if (s->complete) assert_int_equal(from + s->count, o->count);
  if (s->count < s->limit) assert_true(s->complete);
}

/* Whole, and in pages behind the last record of the page before. */
static void check_range(struct world *w, enum index_id index, const void *const *records,
                        uint32_t count, const void *from) {
  struct oracle o = expect(w, index, records, count, from);
  const uint32_t limits[] = {1, 3, o.count ? o.count : 1, o.count + 1, 100000};
  for (size_t l = 0; l < ARRAY_LEN(limits); l++) {
    if (limits[l] == 1 && o.count > 40) continue;
    struct store_scan s = scan(w, index, from, false, limits[l]);
    assert_page(index, &s, &o, 0);
    for (uint32_t at = s.count; !s.complete; at += s.count) {
      s = scan(w, index, s.records[s.count - 1], true, limits[l]);
      assert_page(index, &s, &o, at);
    }
  }
}

static void check_index(struct world *w, enum index_id index, const void *const *records,
                        uint32_t count) {
  uint32_t step = index_infos[index].prefix_count == 0 ? count : count > 60 ? count / 30 : 1;
  for (uint32_t i = 0; i < count; i += step) check_range(w, index, records, count, records[i]);
}

/* ---- random records with few values per field, so that every part decides somewhere ---- */

static uint64_t seed = 1;
static uint32_t draw(uint32_t below) { return (uint32_t)((seed = hash_mix64(seed)) % below); }

static void vary_field(const struct field *f, void *record) {
  static const char *const texts[] = {
      "", "a", "ab", "b", "Z", "a\x01", "a b", "\xc3\xa9", "\xf0\x9f\x98\x80", "lane"};
  static const int64_t numbers[] = {0,   1,           -1,           2,         255,
                                    256, CLOCK_START, -CLOCK_START, INT64_MAX, INT64_MIN};
  static const int32_t small[] = {0, 1, -1, 5, 100, -100, INT32_MAX, INT32_MIN};
  void *at = (uint8_t *)record + f->offset;
  switch (f->type) {
    case FIELD_U8: return;
    case FIELD_U16: *(uint16_t *)at = (uint16_t)(draw(3) * 255); return;
    case FIELD_U32: *(uint32_t *)at = draw(4) * 200; return;
    case FIELD_U64: *(uint64_t *)at = draw(2) ? INT64_MAX : 1; return; /* stores sort no further */
    case FIELD_I32: *(int32_t *)at = small[draw(ARRAY_LEN(small))]; return;
    case FIELD_I64:
    case FIELD_IDX: *(int64_t *)at = numbers[draw(ARRAY_LEN(numbers))]; return;
    case FIELD_UUID:
      *(struct uuid *)at = uuid_of(1 + draw(40) * 25),
                    ((uint8_t *)at)[0] = (uint8_t)(1 + draw(2) * 200);
      return;
    case FIELD_TEXT: *(struct ff_str *)at = ff_text(texts[draw(ARRAY_LEN(texts))]); return;
    case FIELD_ENUM:
      *(uint8_t *)at = ff_word((enum ff_word_enum)f->words, 1) ? (uint8_t)draw(2) : 0;
      return;
    case FIELD_BYTES: return;
  }
}

static void vary(enum record_kind kind, void *record, bool fixed_too) {
  for (unsigned i = 0; i < record_infos[kind].field_count; i++) {
    const struct field *f = &record_infos[kind].fields[i];
    if (fixed_too || !(f->flags & (FIELD_KEY | FIELD_FIXED))) vary_field(f, record);
  }
}

/* A quarter of every field's chances leaves it default, so that SET predicates go both ways. */
static void *varied(struct world *w, enum record_kind kind) {
  void *record = record_new(w, kind);
  vary(kind, record, true);
  return record;
}

static bool key_taken(enum record_kind kind, const void *const *records, uint32_t count,
                      const void *record) {
  uint8_t a[256], b[256];
  size_t a_len = record_key_encode(kind, record, a);
  for (uint32_t i = 0; i < count; i++)
    if (records[i] && record_key_encode(kind, records[i], b) == a_len && memcmp(a, b, a_len) == 0)
      return true;
  return false;
}

static uint32_t insert_varied(struct world *w, enum record_kind kind, const void **records,
                              uint32_t count) {
  struct store_write *writes = ARENA_ARRAY(&w->arena, struct store_write, count);
  uint32_t made = 0;
  for (uint32_t i = 0; i < count; i++) {
    const void *record = varied(w, kind);
    if (key_taken(kind, records, made, record)) continue;
    writes[made] = write_of(STORE_INSERT, kind, record, 0);
    records[made++] = record;
  }
  assert_int_equal(commit(w, writes, made, NULL, 0), STORE_APPLIED);
  return made;
}

static void check_kind(struct world *w, enum record_kind kind, const void *const *records,
                       uint32_t count) {
  for (unsigned i = 0; i < INDEX_COUNT; i++)
    if (index_infos[i].kind == kind) check_index(w, (enum index_id)i, records, count);
}

/* Changes a third of the records and deletes some; the indexes follow (membership is a function of
 * the record, DESIGN §1). */
static void churn(struct world *w, enum record_kind kind, const void **records, uint32_t count) {
  struct store_write *writes = ARENA_ARRAY(&w->arena, struct store_write, count);
  uint32_t n = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t what = draw(9);
    if (!records[i] || what > 3) continue;
    uint64_t version = ((const struct record_head *)records[i])->version;
    if (what == 0) {
      writes[n++] = write_of(STORE_DELETE, kind, records[i], version);
      records[i] = NULL;
      continue;
    }
    struct record_head *changed = record_next(w, kind, records[i]);
    vary(kind, changed, false);
    writes[n++] = write_of(STORE_UPDATE, kind, changed, version);
    records[i] = changed;
  }
  assert_int_equal(commit(w, writes, n, NULL, 0), STORE_APPLIED);
}

static void indexes_against_an_oracle(struct world *w) {
  enum { N = 150 };
  for (unsigned k = 0; k < RECORD_KIND_COUNT; k++) {
    enum record_kind kind = (enum record_kind)k;
    if (record_infos[k].tag == RECORD_TAG_LOG) continue;
    const void *records[N] = {0};
    uint32_t count = insert_varied(w, kind, records, N);
    check_kind(w, kind, records, count);
    for (int round = 0; round < 3; round++) churn(w, kind, records, count);
    for (uint32_t i = 0; i < count;) /* prefixes are taken from live records */
      if (records[i])
        i++;
      else
        records[i] = records[--count];
    check_kind(w, kind, records, count);
  }
}

static void event_indexes_against_an_oracle(struct world *w) {
  enum { N = 90 };
  const void *records[N];
  const struct event *events[N];
  for (uint32_t i = 0; i < N; i++) {
    struct event *e = event_new(w, execution_new(w, 1 + draw(6)), CLOCK_START);
    e->lease_epoch = i;
    events[i] = e;
  }
  assert_int_equal(commit(w, NULL, 0, events, N), STORE_APPLIED);
  struct log_page page = read_log(w, log_beginning(w), N); /* their ids are the store's */
  assert_int_equal(page.count, N);
  for (uint32_t i = 0; i < N; i++) {
    assert_true(page.events[i]->lease_epoch == i);
    records[i] = page.events[i];
  }
  check_kind(w, RECORD_KIND_event, records, N);
}

/* ---- orders by hand ---- */

static void add_eligible(struct world *w, uint32_t n, const char *lane, int32_t priority,
                         int64_t created_at) {
  struct execution *x = execution_new(w, n);
  x->lane_id = ff_text(lane);
  x->priority = priority;
  x->created_at = created_at;
  x->eligibility_state = FF_eligibility_state_eligible_now;
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
}

static void assert_ids(const struct store_scan *s, const uint32_t *ids, uint32_t count) {
  assert_int_equal(s->count, count);
  for (uint32_t i = 0; i < count; i++)
    assert_true(uuid_equal(((const struct execution *)s->records[i])->id, uuid_of(ids[i])));
}

/* 06 S-2: priority descending, then age, then the id. */
static void eligible_order(struct world *w) {
  add_eligible(w, 10, "lane", 0, 500);
  add_eligible(w, 11, "lane", 0, 400);
  add_eligible(w, 12, "lane", -5, 1);
  add_eligible(w, 13, "lane", 5, 900);
  add_eligible(w, 14, "lane", INT32_MAX, 999);
  add_eligible(w, 15, "lane", INT32_MIN, 0);
  add_eligible(w, 17, "lane", 5, 900); /* partition 3 < 6 of execution 13 */
  add_eligible(w, 24, "lane", 5, 900); /* partition 3 too: id decides */
  add_eligible(w, 30, "lan", 9, 1);
  add_eligible(w, 31, "lanes", 9, 1);
  struct execution *from = execution_new(w, 0);
  struct store_scan s = scan(w, INDEX_execution_eligible, from, false, 100);
  assert_ids(&s, (const uint32_t[]){14, 17, 24, 13, 11, 10, 12, 15}, 8);
  from->required_capabilities = TEXT_LIT("gpu");
  assert_int_equal(scan(w, INDEX_execution_eligible, from, false, 100).count, 0);
}

/* Text compares as bytes in every store (DESIGN §5.1): upper before lower case, a prefix first,
 * UTF-8 by code point. */
static void text_order(struct world *w) {
  static const char *const sorted[] = {
      "\x01", " ",  "A",  "Z", "Za",   "_",        "a",        "a\x01",        "a ",
      "a-b",  "aa", "ab", "b", "\x7f", "\xc2\x80", "\xc3\xa9", "\xef\xbf\xbd", "\xf0\x9f\x98\x80"};
  for (size_t i = 0; i < ARRAY_LEN(sorted); i++) {
    struct lane *lane = record_new(w, RECORD_KIND_lane);
    lane->lane_id = ff_text(sorted[(i * 7 + 3) % ARRAY_LEN(sorted)]);
    assert_int_equal(insert(w, RECORD_KIND_lane, lane), STORE_APPLIED);
  }
  struct lane *from = record_new(w, RECORD_KIND_lane);
  struct store_scan s = scan(w, INDEX_lane_by_id, from, false, 100);
  assert_int_equal(s.count, ARRAY_LEN(sorted));
  for (size_t i = 0; i < ARRAY_LEN(sorted); i++)
    assert_true(text_equal_c(((const struct lane *)s.records[i])->lane_id, sorted[i]));
  from->lane_id = TEXT_LIT("a"); /* behind a text that is the prefix of others */
  s = scan(w, INDEX_lane_by_id, from, true, 1);
  assert_true(text_equal_c(((const struct lane *)s.records[0])->lane_id, "a\x01"));
}

static void number_order(struct world *w) {
  static const uint32_t indexes[] = {300, 2, 10, 0, 65536, 255, 256, UINT32_MAX, 1};
  struct attempt *a = NULL;
  for (size_t i = 0; i < ARRAY_LEN(indexes); i++) {
    a = record_new(w, RECORD_KIND_attempt);
    a->execution_id = uuid_of(1);
    a->attempt_index = indexes[i];
    assert_int_equal(insert(w, RECORD_KIND_attempt, a), STORE_APPLIED);
  }
  struct store_scan s = scan(w, INDEX_attempt_by_execution, a, false, 100);
  static const uint32_t sorted[] = {0, 1, 2, 10, 255, 256, 300, 65536, UINT32_MAX};
  assert_int_equal(s.count, ARRAY_LEN(sorted));
  for (size_t i = 0; i < ARRAY_LEN(sorted); i++)
    assert_int_equal(((const struct attempt *)s.records[i])->attempt_index, sorted[i]);
}

/* ---- membership ---- */

static struct execution *change(struct world *w, struct execution *x) {
  struct execution *next = record_next(w, RECORD_KIND_execution, x);
  *x = *next;
  return x;
}

static void assert_member(struct world *w, enum index_id index, const struct execution *x,
                          bool member) {
  struct store_scan s = scan(w, index, x, false, 10);
  assert_int_equal(s.count, member);
  assert_true(s.complete);
  if (member) assert_same(RECORD_KIND_execution, s.records[0], x, x->head.version);
}

/* EQ and SET predicates: what becomes true enters, what becomes false leaves, what stays moves. */
static void membership_follows_the_record(struct world *w) {
  struct execution *x = execution_new(w, 1);
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  assert_member(w, INDEX_execution_eligible, x, false);
  assert_member(w, INDEX_execution_due, x, false);
  static const uint8_t states[] = {
      FF_eligibility_state_eligible_now, FF_eligibility_state_not_eligible_until_time,
      FF_eligibility_state_eligible_now, FF_eligibility_state_blocked_by_operator};
  static const int64_t due[] = {5, 9, -7, 0};
  for (size_t i = 0; i < ARRAY_LEN(states); i++) {
    change(w, x);
    x->eligibility_state = states[i];
    x->next_due_at = due[i];
    x->priority = (int32_t)i;
    x->claim_request_id = i % 2 ? TEXT_LIT("request") : (struct ff_str){NULL, 0};
    assert_int_equal(update(w, RECORD_KIND_execution, x, x->head.version - 1), STORE_APPLIED);
    assert_member(w, INDEX_execution_eligible, x, states[i] == FF_eligibility_state_eligible_now);
    assert_member(w, INDEX_execution_due, x, due[i] != 0);
    if (i % 2) assert_member(w, INDEX_execution_claim_request, x, true);
    assert_member(w, INDEX_execution_created, x, true);
    assert_member(w, INDEX_execution_by_lane, x, true);
  }
  assert_int_equal(erase(w, RECORD_KIND_execution, x, x->head.version), STORE_APPLIED);
  for (unsigned i = 0; i < INDEX_COUNT; i++)
    if (index_infos[i].kind == RECORD_KIND_execution) assert_member(w, (enum index_id)i, x, false);
}

/* An empty text is set, an absent one is not. */
static void an_empty_text_is_set(struct world *w) {
  struct execution *x = execution_new(w, 1);
  x->claim_request_id = TEXT_LIT("");
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  assert_member(w, INDEX_execution_claim_request, x, true);
}

/* A refused group leaves the indexes alone too. */
static void conflicts_leave_indexes_alone(struct world *w) {
  struct execution *x = execution_new(w, 1), *missing = execution_new(w, 2);
  x->next_due_at = 5;
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  struct execution *moved = record_next(w, RECORD_KIND_execution, x), *fresh = execution_new(w, 3);
  moved->next_due_at = 6;
  fresh->next_due_at = 7;
  missing->head.version = 2;
  struct store_write writes[] = {write_of(STORE_UPDATE, RECORD_KIND_execution, moved, 1),
                                 write_of(STORE_INSERT, RECORD_KIND_execution, fresh, 0),
                                 write_of(STORE_UPDATE, RECORD_KIND_execution, missing, 1)};
  assert_int_equal(commit(w, writes, 3, NULL, 0), STORE_CONFLICT);
  assert_member(w, INDEX_execution_due, x, true);
}

/* ---- ranges ---- */

static void completeness(struct world *w) {
  struct execution *from = execution_new(w, 0);
  struct store_scan s = scan(w, INDEX_execution_by_lane, from, false, 1);
  assert_int_equal(s.count, 0);
  assert_true(s.complete);
  for (uint32_t n = 1; n <= 4; n++)
    assert_int_equal(insert(w, RECORD_KIND_execution, execution_new(w, n)), STORE_APPLIED);
  struct execution *other = execution_new(w, 5); /* lies behind the range, not in it */
  other->lane_id = TEXT_LIT("lane2");
  assert_int_equal(insert(w, RECORD_KIND_execution, other), STORE_APPLIED);
  assert_false(scan(w, INDEX_execution_by_lane, from, false, 3).complete);
  assert_true(scan(w, INDEX_execution_by_lane, from, false, 5).complete);
  assert_true(scan(w, INDEX_execution_by_lane, from, false, UINT32_MAX).complete);
  s = scan(w, INDEX_execution_by_lane, from, false,
           4); /* exactly all: either answer, when the next page is honest */
  assert_int_equal(s.count, 4);
  s = scan(w, INDEX_execution_by_lane, s.records[3], true, 4);
  assert_int_equal(s.count, 0);
  assert_true(s.complete);
}

/* The record to go on behind need not exist: not any more, or never. */
static void behind_what_is_gone(struct world *w) {
  for (uint32_t n = 1; n <= 5; n++)
    assert_int_equal(insert(w, RECORD_KIND_execution, execution_new(w, n)), STORE_APPLIED);
  struct execution *gone = execution_new(w, 3), *never = execution_new(w, 3);
  assert_int_equal(erase(w, RECORD_KIND_execution, gone, 1), STORE_APPLIED);
  struct store_scan s = scan(w, INDEX_execution_created, gone, true, 10);
  assert_ids(&s, (const uint32_t[]){4, 5}, 2);
  never->created_at--;
  never->partition = UINT16_MAX;
  s = scan(w, INDEX_execution_created, never, true, 10);
  assert_ids(&s, (const uint32_t[]){4, 5}, 2);
  never->created_at = 0;
  assert_int_equal(scan(w, INDEX_execution_created, never, true, 10).count, 4);
  never->created_at = INT64_MAX;
  assert_int_equal(scan(w, INDEX_execution_created, never, true, 10).count, 0);
}

/* Many keys and ranges in one go, some of them the same, in one answer. */
static void many_in_one_fetch(struct world *w) {
  struct store_get gets[40];
  struct store_scan scans[8];
  for (uint32_t n = 1; n <= 20; n++)
    assert_int_equal(insert(w, RECORD_KIND_execution, execution_new(w, n)), STORE_APPLIED);
  for (uint32_t i = 0; i < 40; i++)
    gets[i] =
        (struct store_get){.kind = RECORD_KIND_execution, .key = execution_new(w, 1 + i % 25)};
  for (uint32_t i = 0; i < 8; i++)
    scans[i] =
        (struct store_scan){.index = i % 2 ? INDEX_execution_created : INDEX_execution_by_lane,
                            .from = gets[0].key,
                            .limit = 1 + i};
  int64_t now;
  OK(store_fetch(w->reader, &w->arena, gets, 40, scans, 8, &now, &w->error));
  for (uint32_t i = 0; i < 40; i++) {
    assert_int_equal(gets[i].record != NULL, i % 25 < 20);
    if (gets[i].record) assert_same(RECORD_KIND_execution, gets[i].record, gets[i].key, 1);
  }
  for (uint32_t i = 0; i < 8; i++) assert_int_equal(scans[i].count, 1 + i);
}

/* ---- one fetch is one snapshot ---- */

enum { PAIRS = 6, SWAPS = 150 };
struct swapper {
  struct world *w;
  atomic_bool stop;
  bool failed;
};

/* Of each pair exactly one is eligible, at every commit; both carry the same count of swaps. */
static void *swap(void *user) {
  struct swapper *s = user;
  struct arena arena;
  arena_init(&arena);
  for (uint32_t i = 0; i < SWAPS && !s->failed; i++) {
    struct execution a, b;
    arena_reset(&arena);
    record_init(RECORD_KIND_execution, &a);
    a.id = uuid_of(1 + i % PAIRS);
    a.partition = (uint16_t)((1 + i % PAIRS) % 7);
    b = a;
    b.id = uuid_of(101 + i % PAIRS);
    b.partition = (uint16_t)((101 + i % PAIRS) % 7);
    struct store_get gets[] = {{.kind = RECORD_KIND_execution, .key = &a},
                               {.kind = RECORD_KIND_execution, .key = &b}};
    int64_t now;
    struct ff_error e;
    if (store_fetch(s->w->writer, &arena, gets, 2, NULL, 0, &now, &e) != FF_OK || !gets[0].record ||
        !gets[1].record) {
      s->failed = true;
      break;
    }
    struct store_write writes[2];
    for (int k = 0; k < 2; k++) {
      struct execution *x = record_copy(RECORD_KIND_execution, gets[k].record, &arena);
      uint64_t base = x->head.version++;
      x->eligibility_state = x->eligibility_state ? 0 : FF_eligibility_state_eligible_now;
      x->total_attempt_count++;
      writes[k] = write_of(STORE_UPDATE, RECORD_KIND_execution, x, base);
    }
    struct store_group group = {.writes = writes, .write_count = 2, .valid_until = INT64_MAX};
    if (store_apply(s->w->writer, &group, 1, &e) != FF_OK || group.outcome != STORE_APPLIED)
      s->failed = true;
  }
  arena_fini(&arena);
  atomic_store(&s->stop, true);
  return NULL;
}

static void look_once(struct world *w, struct arena *arena) {
  struct store_get gets[2 * PAIRS];
  for (uint32_t i = 0; i < 2 * PAIRS; i++) {
    struct execution *key = arena_alloc(arena, sizeof *key);
    uint32_t n = i < PAIRS ? 1 + i : 101 + i - PAIRS;
    record_init(RECORD_KIND_execution, key);
    key->id = uuid_of(n);
    key->partition = (uint16_t)(n % 7);
    gets[i] = (struct store_get){.kind = RECORD_KIND_execution, .key = key};
  }
  struct execution from;
  record_init(RECORD_KIND_execution, &from);
  from.lane_id = TEXT_LIT("lane");
  from.required_capabilities = TEXT_LIT("");
  struct store_scan eligible = {.index = INDEX_execution_eligible, .from = &from, .limit = 100};
  int64_t now;
  OK(store_fetch(w->reader, arena, gets, 2 * PAIRS, &eligible, 1, &now, &w->error));
  assert_int_equal(eligible.count, PAIRS);
  for (uint32_t i = 0; i < PAIRS; i++) {
    const struct execution *a = gets[i].record, *b = gets[PAIRS + i].record;
    assert_int_equal(a->total_attempt_count, b->total_attempt_count);
    assert_int_not_equal(a->eligibility_state, b->eligibility_state);
  }
}

static void a_fetch_is_one_snapshot(struct world *w) {
  for (uint32_t i = 0; i < PAIRS; i++) {
    struct execution *a = execution_new(w, 1 + i), *b = execution_new(w, 101 + i);
    a->eligibility_state = FF_eligibility_state_eligible_now;
    assert_int_equal(insert(w, RECORD_KIND_execution, a), STORE_APPLIED);
    assert_int_equal(insert(w, RECORD_KIND_execution, b), STORE_APPLIED);
  }
  struct swapper s = {.w = w};
  struct arena arena;
  arena_init(&arena);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, swap, &s), 0);
  do {
    arena_reset(&arena);
    look_once(w, &arena);
  } while (!atomic_load(&s.stop));
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_false(s.failed);
  arena_fini(&arena);
}

/* Paging through an index while its records come and go: order holds, what stayed all the time is
 * seen exactly once. */
static void paging_under_change(struct world *w) {
  for (uint32_t n = 1; n <= 60; n++) {
    struct execution *x = execution_new(w, n);
    x->next_due_at = 1000 + n;
    assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  }
  struct execution start;
  record_init(RECORD_KIND_execution, &start);
  const void *last = &start;
  uint32_t seen_even = 0, moved = 0;
  for (bool after = false;; after = true) {
    struct store_scan s = scan(w, INDEX_execution_due, last, after, 4);
    for (uint32_t i = 0; i < s.count; i++) {
      const struct execution *x = s.records[i];
      if (after || i) assert_true(x->next_due_at > ((const struct execution *)last)->next_due_at);
      last = x;
      if (x->head.version == 1 && x->next_due_at % 2 == 0) seen_even++;
    }
    if (s.complete) break;
    /* an odd one in front of the cursor goes far behind, and one behind it goes in front */
    for (uint32_t k = 0; k < 2 && moved < 28; k++, moved++) {
      struct execution *x = execution_new(w, 2 * moved + 1);
      x->head.version = 2;
      x->next_due_at = k ? 1 + moved : 100000 + moved;
      assert_int_equal(update(w, RECORD_KIND_execution, x, 1), STORE_APPLIED);
    }
  }
  assert_int_equal(seen_even, 30);
}

const struct conformance_check checks_scans[] = {
    {"indexes against an oracle (DESIGN 3)", indexes_against_an_oracle, ON_ALL},
    {"event indexes against an oracle (RC-20)", event_indexes_against_an_oracle, ON_ALL},
    {"eligible order (06 S-2)", eligible_order, ON_ALL},
    {"text order (DESIGN 5.1)", text_order, ON_ALL},
    {"number order", number_order, ON_ALL},
    {"membership follows the record (DESIGN 1)", membership_follows_the_record, ON_ALL},
    {"an empty text is set", an_empty_text_is_set, ON_ALL},
    {"conflicts leave indexes alone (CV-4)", conflicts_leave_indexes_alone, ON_ALL},
    {"completeness", completeness, ON_ALL},
    {"behind what is gone", behind_what_is_gone, ON_ALL},
    {"many in one fetch", many_in_one_fetch, ON_ALL},
    {"a fetch is one snapshot", a_fetch_is_one_snapshot, ON_ALL},
    {"paging under change", paging_under_change, ON_ALL},
    {0},
};
