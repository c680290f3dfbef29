/*
 * Rows that do not parse (store.h, STORE_UNREADABLE_MAX; 01 CV-8): a get says why, a scan steps over
 * them, nobody else's answer changes.
 *
 * How a row is spoiled differs by store: the memory store by its fault hook, others behind their
 * back (test_store_spoil).
 */
#include "test/store/conformance.h"

#include "test/lib/stores.h"

#define FIELD "lifecycle_phase"
#define MANY (STORE_UNREADABLE_MAX + 1)

struct spoiler {
  struct world *world;
  bool bad[2 * MANY]; /* by number of the execution */
};

static uint32_t number_of(const struct execution *x) {
  uint32_t n = 0;
  for (unsigned i = 0; i < 4; i++) n = n << 8 | x->id.b[12 + i];
  return n;
}

static const char *hook(void *user, enum record_kind kind, const void *record) {
  const struct spoiler *s = user;
  bool bad = kind == RECORD_KIND_execution && s->bad[number_of(record)];
  return bad ? FIELD : NULL;
}

static struct spoiler *spoiler_new(struct world *w) {
  struct spoiler *s = arena_zalloc(&w->arena, sizeof *s);
  s->world = w;
  if (!world_is(w, "memory")) return s;
  world_close(w);
  w->faults = (struct store_faults){.user = s, .spoiled = hook};
  world_open(w);
  w->faults = (struct store_faults){0}; /* the store keeps a copy */
  return s;
}

static size_t store_index(const struct world *w) {
  size_t i = 0;
  while (strcmp(test_store(i), w->scheme) != 0) i++;
  return i;
}

/* The rows with numbers first … end - 1. */
static void spoil(struct spoiler *s, uint32_t first, uint32_t end) {
  for (uint32_t n = first; n < end; n++) s->bad[n] = true;
  if (world_is(s->world, "memory")) return;
  test_store_spoil(store_index(s->world), WORLD_LABEL, CLOCK_START + first, CLOCK_START + end);
  /* A writer may remember rows as it wrote them. */
  world_close(s->world);
  world_open(s->world);
}

/* Rows 1 … count, in every index, in the order of their numbers. */
static void fill(struct world *w, uint32_t count) {
  struct store_write *writes = arena_alloc(&w->arena, count * sizeof *writes);
  for (uint32_t n = 1; n <= count; n++) {
    struct execution *x = execution_new(w, n);
    x->eligibility_state = FF_eligibility_state_eligible_now;
    x->priority = (int32_t)(count - n);
    x->next_due_at = CLOCK_START + n;
    writes[n - 1] = write_of(STORE_INSERT, RECORD_KIND_execution, x, 0);
  }
  assert_int_equal(commit(w, writes, count, NULL, 0), STORE_APPLIED);
}

static void assert_says_why(const struct ff_error *why) {
  assert_non_null(why);
  assert_int_equal(why->rc, FF_VALIDATION);
  assert_int_equal(why->code, FF_CODE_corruption);
  assert_string_equal(why->field, FIELD);
  assert_non_null(strstr(why->detail, "execution: " FIELD ": "));
  assert_non_null(ff_error_context_get(why, "row"));
}

/* ---- gets ---- */

static void check_gets(struct world *w, struct store_session *session) {
  struct store_get gets[4];
  int64_t now;
  for (uint32_t i = 0; i < 4; i++)
    gets[i] = (struct store_get){.kind = RECORD_KIND_execution,
                                 .key = execution_new(w, 1 + i),
                                 .record = &gets,
                                 .unreadable = &w->error};
  OK(store_fetch(session, &w->arena, gets, 4, NULL, 0, &now, &w->error));
  assert_non_null(gets[0].record);
  assert_null(gets[1].record);
  assert_says_why(gets[1].unreadable);
  assert_non_null(gets[2].record);
  assert_null(gets[3].record); /* absent */
  for (uint32_t i = 0; i < 4; i++)
    if (i != 1) assert_null(gets[i].unreadable);
}

static void gets_say_why(struct world *w) {
  struct spoiler *s = spoiler_new(w);
  fill(w, 3);
  spoil(s, 2, 3);
  check_gets(w, w->reader);
  check_gets(w, w->writer);
  OK(store_apply(w->writer, NULL, 0, &w->error));
}

/* ---- scans ---- */

static const enum index_id walked[] = {INDEX_execution_created, INDEX_execution_by_lane,
                                       INDEX_execution_eligible, INDEX_execution_due};

/* In pages of `limit`: exactly the good rows in order; what was stepped over is told. */
static void check_pages(struct spoiler *s, struct store_session *session, enum index_id index,
                        uint32_t count, uint32_t limit) {
  struct world *w = s->world;
  struct store_scan page = {.index = index, .from = execution_new(w, 1), .limit = limit};
  uint32_t n = 1, told = 0, bad = 0;
  do {
    int64_t now;
    page.unreadable_count = 99;
    OK(store_fetch(session, &w->arena, NULL, 0, &page, 1, &now, &w->error));
    for (uint32_t i = 0; i < page.count; i++, n++) {
      for (; s->bad[n]; n++) bad++;
      assert_int_equal(number_of(page.records[i]), n);
    }
    for (uint32_t i = 0; i < page.unreadable_count; i++) assert_says_why(page.unreadable[i]);
    told += page.unreadable_count;
    assert_true(page.complete || page.count == limit);
    if (page.count) page.from = page.records[page.count - 1];
    page.after = true;
  } while (!page.complete);
  for (; n <= count && s->bad[n]; n++) bad++;
  assert_int_equal(n, count + 1);
  /* Those at the end may be met by the last full page and again behind it. */
  assert_true(told >= bad);
  if (limit > count) assert_int_equal(told, bad);
}

static void scans_step_over(struct world *w) {
  static const uint32_t limits[] = {1, 2, 3, 100};
  struct spoiler *s = spoiler_new(w);
  fill(w, 12);
  spoil(s, 1, 4);
  spoil(s, 6, 7);
  spoil(s, 11, 13);
  for (size_t i = 0; i < ARRAY_LEN(walked); i++)
    for (size_t k = 0; k < ARRAY_LEN(limits); k++) {
      check_pages(s, w->reader, walked[i], 12, limits[k]);
      check_pages(s, w->writer, walked[i], 12, limits[k]);
    }
  OK(store_apply(w->writer, NULL, 0, &w->error));
}

static void only_bad_rows_are_an_empty_range(struct world *w) {
  struct spoiler *s = spoiler_new(w);
  fill(w, 3);
  spoil(s, 1, 4);
  for (size_t i = 0; i < ARRAY_LEN(walked); i++) {
    struct store_scan all = scan(w, walked[i], execution_new(w, 1), false, 1);
    assert_int_equal(all.count, 0);
    assert_true(all.complete);
    assert_int_equal(all.unreadable_count, 3);
  }
}

/* The transaction that met a bad row goes on. */
static void writers_go_on(struct world *w) {
  struct spoiler *s = spoiler_new(w);
  fill(w, 3);
  spoil(s, 1, 2);
  struct store_scan head = {
      .index = INDEX_execution_eligible, .from = execution_new(w, 1), .limit = 1};
  int64_t now;
  OK(store_fetch(w->writer, &w->arena, NULL, 0, &head, 1, &now, &w->error));
  assert_int_equal(head.count, 1);
  struct execution *x = record_next(w, RECORD_KIND_execution, head.records[0]);
  x->eligibility_state = FF_eligibility_state_not_applicable;
  struct store_write one = write_of(STORE_UPDATE, RECORD_KIND_execution, x, 1);
  struct store_group group = {.writes = &one, .write_count = 1, .valid_until = INT64_MAX};
  OK(store_apply(w->writer, &group, 1, &w->error));
  assert_int_equal(group.outcome, STORE_APPLIED);
  head = scan(w, INDEX_execution_eligible, execution_new(w, 1), false, 1);
  assert_int_equal(number_of(head.records[0]), 3);
}

static void too_many_fail_the_scan(struct world *w) {
  struct spoiler *s = spoiler_new(w);
  fill(w, MANY + 1);
  spoil(s, 1, MANY);
  struct store_scan one = {
      .index = INDEX_execution_due, .from = execution_new(w, 1), .limit = 1};
  int64_t now;
  OK(store_fetch(w->reader, &w->arena, NULL, 0, &one, 1, &now, &w->error));
  assert_int_equal(one.unreadable_count, STORE_UNREADABLE_MAX);
  assert_int_equal(number_of(one.records[0]), MANY);
  spoil(s, MANY, MANY + 1);
  enum ff_rc rc = store_fetch(w->reader, &w->arena, NULL, 0, &one, 1, &now, &w->error);
  assert_code(rc, &w->error, FF_CODE_corruption);
  assert_says_why(&w->error);
}

const struct conformance_check checks_spoiled[] = {
    {"gets say why (01 CV-8)", gets_say_why, ON_ALL},
    {"scans step over unreadable rows", scans_step_over, ON_ALL},
    {"only bad rows are an empty range", only_bad_rows_are_an_empty_range, ON_ALL},
    {"writers go on", writers_go_on, ON_ALL},
    {"too many fail the scan", too_many_fail_the_scan, ON_ALL},
    {0}};
