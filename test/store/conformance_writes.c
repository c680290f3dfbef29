/*
 * Versioned writes and atomic groups (store.h, struct store_write and struct store_group).
 */
#include "test/store/conformance.h"

static void insert_update_delete(struct world *w) {
  struct execution *x = execution_new(w, 1);
  assert_null(get(w, RECORD_KIND_execution, x));
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, x), x, 1);

  struct execution *y = record_next(w, RECORD_KIND_execution, get(w, RECORD_KIND_execution, x));
  y->priority = 7;
  y->worker_id = TEXT_LIT("worker");
  y->failure_reason = TEXT_LIT("cold");
  assert_int_equal(update(w, RECORD_KIND_execution, y, 1), STORE_APPLIED);
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, x), y, 2);

  /* a full-row update: what is default again is gone */
  struct execution *z = record_next(w, RECORD_KIND_execution, y);
  z->priority = 0;
  z->worker_id = z->failure_reason = (struct ff_str){NULL, 0};
  assert_int_equal(update(w, RECORD_KIND_execution, z, 2), STORE_APPLIED);
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, x), z, 3);

  assert_int_equal(erase(w, RECORD_KIND_execution, z, 3), STORE_APPLIED);
  assert_null(get(w, RECORD_KIND_execution, x));
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, x), x, 1);
}

/* A version counts operations, a write is a batch's net change: versions may jump (DESIGN §3). */
static void versions_may_jump(struct world *w) {
  struct execution *x = execution_new(w, 1);
  x->head.version = 5;
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  struct execution *y = record_next(w, RECORD_KIND_execution, x);
  y->head.version = 9;
  assert_int_equal(update(w, RECORD_KIND_execution, y, 5), STORE_APPLIED);
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, x), y, 9);
}

static void conflicts_change_nothing(struct world *w) {
  struct execution *x = execution_new(w, 1), *absent = execution_new(w, 2);
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  struct execution *y = record_next(w, RECORD_KIND_execution, x);
  y->priority = 1;
  assert_int_equal(update(w, RECORD_KIND_execution, y, 1), STORE_APPLIED);

  struct execution *stale = record_next(w, RECORD_KIND_execution, x);
  stale->priority = 99;
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_CONFLICT);
  assert_int_equal(update(w, RECORD_KIND_execution, stale, 1), STORE_CONFLICT);
  assert_int_equal(erase(w, RECORD_KIND_execution, x, 1), STORE_CONFLICT);
  stale->head.version = 8;
  assert_int_equal(update(w, RECORD_KIND_execution, stale, 7),
                   STORE_CONFLICT); /* from the future */
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, x), y, 2);

  absent->head.version = 2;
  assert_int_equal(update(w, RECORD_KIND_execution, absent, 1), STORE_CONFLICT);
  assert_int_equal(erase(w, RECORD_KIND_execution, absent, 1), STORE_CONFLICT);
  assert_null(get(w, RECORD_KIND_execution, absent));
}

/* Four good writes of all kinds and two events; a fifth write that conflicts is put in place `bad`.
 */
static void bad_write_in_place(struct world *w, uint32_t bad, uint32_t base) {
  struct execution *present = execution_new(w, base), *doomed = execution_new(w, base + 1);
  struct execution *fresh = execution_new(w, base + 2), *fresh_too = execution_new(w, base + 3);
  struct grant *grant = record_new(w, RECORD_KIND_grant);
  grant->execution_id = uuid_of(base);
  grant->worker_id = grant->worker_instance_id = grant->lane_id = TEXT_LIT("g");
  assert_int_equal(insert(w, RECORD_KIND_execution, present), STORE_APPLIED);
  assert_int_equal(insert(w, RECORD_KIND_execution, doomed), STORE_APPLIED);
  struct execution *changed = record_next(w, RECORD_KIND_execution, present);
  changed->priority = 3;
  struct store_write writes[5] = {write_of(STORE_INSERT, RECORD_KIND_execution, fresh, 0),
                                  write_of(STORE_UPDATE, RECORD_KIND_execution, changed, 1),
                                  write_of(STORE_DELETE, RECORD_KIND_execution, doomed, 1),
                                  write_of(STORE_INSERT, RECORD_KIND_grant, grant, 0)};
  for (uint32_t i = 4; i > bad; i--) writes[i] = writes[i - 1];
  fresh_too->head.version = 2;
  writes[bad] = write_of(STORE_UPDATE, RECORD_KIND_execution, fresh_too, 1);
  const struct event *events[] = {event_new(w, present, CLOCK_START),
                                  event_new(w, fresh, CLOCK_START)};
  struct ff_bytes end = log_end(w);
  assert_int_equal(commit(w, writes, 5, events, 2), STORE_CONFLICT);

  assert_null(get(w, RECORD_KIND_execution, fresh));
  assert_null(get(w, RECORD_KIND_execution, fresh_too));
  assert_null(get(w, RECORD_KIND_grant, grant));
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, present), present, 1);
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, doomed), doomed, 1);
  assert_int_equal(read_log(w, end, 10).count, 0);
  struct execution *lane = execution_new(w, 0);
  assert_int_equal(scan(w, INDEX_execution_by_lane, lane, false, 100).count, 2 * (bad + 1));

  /* and without it everything takes effect */
  for (uint32_t i = bad; i < 4; i++) writes[i] = writes[i + 1];
  assert_int_equal(commit(w, writes, 4, events, 2), STORE_APPLIED);
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, present), changed, 2);
  assert_null(get(w, RECORD_KIND_execution, doomed));
  assert_same(RECORD_KIND_grant, get(w, RECORD_KIND_grant, grant), grant, 1);
  assert_int_equal(read_log(w, end, 10).count, 2);
}

/* CV-4 */
static void a_group_is_whole_or_nothing(struct world *w) {
  for (uint32_t bad = 0; bad < 5; bad++) bad_write_in_place(w, bad, 10 * bad);
}

/* A record deleted and made anew in one batch arrives as two writes of one key. */
static void delete_and_insert_in_one_group(struct world *w) {
  struct execution *x = execution_new(w, 1);
  x->priority = 5;
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  const struct execution *read = get(w, RECORD_KIND_execution, x);
  struct execution *anew = execution_new(w, 1);
  anew->lane_id = TEXT_LIT("other"); /* even what never changes is new */
  struct store_write writes[] = {write_of(STORE_DELETE, RECORD_KIND_execution, read, 1),
                                 write_of(STORE_INSERT, RECORD_KIND_execution, anew, 0)};
  assert_int_equal(commit(w, writes, 2, NULL, 0), STORE_APPLIED);
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, x), anew, 1);
  assert_int_equal(scan(w, INDEX_execution_by_lane, x, false, 9).count, 0);
  assert_int_equal(scan(w, INDEX_execution_by_lane, anew, false, 9).count, 1);
  /* and undone when a later write conflicts */
  struct execution *third = execution_new(w, 1),
                   *absent = record_next(w, RECORD_KIND_execution, execution_new(w, 2));
  struct store_write undone[] = {write_of(STORE_DELETE, RECORD_KIND_execution, anew, 1),
                                 write_of(STORE_INSERT, RECORD_KIND_execution, third, 0),
                                 write_of(STORE_UPDATE, RECORD_KIND_execution, absent, 1)};
  assert_int_equal(commit(w, undone, 3, NULL, 0), STORE_CONFLICT);
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, x), anew, 1);
}

/* Each group by itself: a refused one does not fail its neighbours (DESIGN §5, 1). */
static void groups_of_one_apply_are_independent(struct world *w) {
  struct execution *a = execution_new(w, 1), *b = execution_new(w, 2);
  struct execution *a2 = record_next(w, RECORD_KIND_execution, a);
  a2->priority = 2;
  struct store_write first = write_of(STORE_INSERT, RECORD_KIND_execution, a, 0);
  struct store_write clash[] = {write_of(STORE_INSERT, RECORD_KIND_execution, b, 0), first};
  struct store_write second = write_of(STORE_UPDATE, RECORD_KIND_execution, a2, 1);
  const struct event *lost = event_new(w, b, CLOCK_START), *kept = event_new(w, a, CLOCK_START);
  struct store_group groups[] = {
      {.writes = &first, .write_count = 1, .valid_until = INT64_MAX, .outcome = STORE_UNKNOWN},
      {.writes = clash,
       .write_count = 2,
       .events = &lost,
       .event_count = 1,
       .valid_until = INT64_MAX},
      {.writes = &second,
       .write_count = 1,
       .events = &kept,
       .event_count = 1,
       .valid_until = INT64_MAX}};
  (void)store_time(w, w->writer);
  OK(store_apply(w->writer, groups, 3, &w->error));
  assert_int_equal(groups[0].outcome, STORE_APPLIED);
  assert_int_equal(groups[1].outcome, STORE_CONFLICT);
  assert_int_equal(groups[2].outcome, STORE_APPLIED);
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, a), a2, 2);
  assert_null(get(w, RECORD_KIND_execution, b));
  struct log_page page = read_log(w, log_beginning(w), 10);
  assert_int_equal(page.count, 1);
  assert_true(uuid_equal(page.events[0]->execution_id, a->id));
}

/* A group of a one-domain store may span tags: flow partitions, global records, the log. */
static void a_group_may_span_tags(struct world *w) {
  if (!w->store->traits.one_domain) return;
  struct lane *lane = record_new(w, RECORD_KIND_lane);
  lane->lane_id = TEXT_LIT("lane");
  struct execution *a = execution_new(w, 1), *b = execution_new(w, 2);
  struct store_write writes[] = {write_of(STORE_INSERT, RECORD_KIND_execution, a, 0),
                                 write_of(STORE_INSERT, RECORD_KIND_execution, b, 0),
                                 write_of(STORE_INSERT, RECORD_KIND_lane, lane, 0)};
  assert_int_equal(commit(w, writes, 3, NULL, 0), STORE_APPLIED);
  assert_non_null(get(w, RECORD_KIND_lane, lane));
}

/* The same payload under the same key of different kinds and partitions is different rows. */
static void keys_are_the_whole_key(struct world *w) {
  struct execution *a = execution_new(w, 7), *b = execution_new(w, 7);
  b->partition = 3;
  assert_int_equal(insert(w, RECORD_KIND_execution, a), STORE_APPLIED);
  assert_null(get(w, RECORD_KIND_execution, b));
  assert_int_equal(insert(w, RECORD_KIND_execution, b), STORE_APPLIED);
  struct idempotency *i = record_new(w, RECORD_KIND_idempotency),
                     *j = record_new(w, RECORD_KIND_idempotency);
  i->namespace_ = TEXT_LIT("a");
  i->idempotency_key = TEXT_LIT("bc");
  j->namespace_ = TEXT_LIT("ab");
  j->idempotency_key = TEXT_LIT("c");
  assert_int_equal(insert(w, RECORD_KIND_idempotency, i), STORE_APPLIED);
  assert_null(get(w, RECORD_KIND_idempotency, j));
  assert_int_equal(insert(w, RECORD_KIND_idempotency, j), STORE_APPLIED);
  /* an absent text of a key is an empty one */
  struct idempotency *none = record_new(w, RECORD_KIND_idempotency),
                     *empty = record_new(w, RECORD_KIND_idempotency);
  none->idempotency_key = empty->idempotency_key = TEXT_LIT("k");
  empty->namespace_ = TEXT_LIT("");
  assert_int_equal(insert(w, RECORD_KIND_idempotency, none), STORE_APPLIED);
  assert_same(RECORD_KIND_idempotency, get(w, RECORD_KIND_idempotency, none), empty, 1);
  assert_int_equal(insert(w, RECORD_KIND_idempotency, empty), STORE_CONFLICT);
}

/* store_row is a shortcut, never the identity: a row that took a deleted one's place is not it. */
static void a_stale_row_locator_finds_nothing_else(struct world *w) {
  struct execution *a = execution_new(w, 1);
  assert_int_equal(insert(w, RECORD_KIND_execution, a), STORE_APPLIED);
  struct execution *read = record_next(w, RECORD_KIND_execution, get(w, RECORD_KIND_execution, a));
  assert_int_equal(erase(w, RECORD_KIND_execution, a, 1), STORE_APPLIED);
  for (uint32_t n = 2; n < 6; n++)
    assert_int_equal(insert(w, RECORD_KIND_execution, execution_new(w, n)), STORE_APPLIED);
  assert_int_equal(update(w, RECORD_KIND_execution, read, 1), STORE_CONFLICT);
  assert_int_equal(erase(w, RECORD_KIND_execution, read, 1), STORE_CONFLICT);
  for (uint32_t n = 2; n < 6; n++) {
    struct execution *other = execution_new(w, n);
    assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, other), other, 1);
  }
}

/* Batches are large (DESIGN §5): a thousand writes and events in one group. */
static void a_large_group(struct world *w) {
  enum { N = 1000 };
  struct store_write *writes = ARENA_ARRAY(&w->arena, struct store_write, N);
  const struct event **events = ARENA_ARRAY(&w->arena, const struct event *, N);
  for (uint32_t n = 0; n < N; n++) {
    struct execution *x = execution_new(w, n);
    writes[n] = write_of(STORE_INSERT, RECORD_KIND_execution, x, 0);
    events[n] = event_new(w, x, CLOCK_START + n);
  }
  assert_int_equal(commit(w, writes, N, events, N), STORE_APPLIED);
  assert_int_equal(scan(w, INDEX_execution_created, writes[0].record, false, 2 * N).count, N);
  assert_int_equal(read_log(w, log_beginning(w), 2 * N).count, N);
  for (uint32_t n = 0; n < N; n++) writes[n].kind = STORE_DELETE, writes[n].base_version = 1;
  assert_int_equal(commit(w, writes, N, NULL, 0), STORE_APPLIED);
  assert_int_equal(scan(w, INDEX_execution_created, writes[0].record, false, 2 * N).count, 0);
}

/* A stopped process must not write with an old view of a lease (DESIGN §10, batches). */
static void too_late_is_a_conflict(struct world *w) {
  struct execution *x = execution_new(w, 1);
  struct store_write one = write_of(STORE_INSERT, RECORD_KIND_execution, x, 0);
  const struct event *event = event_new(w, x, CLOCK_START);
  struct store_group group = {.writes = &one,
                              .write_count = 1,
                              .events = &event,
                              .event_count = 1,
                              .valid_until = CLOCK_START + 100};
  assert_int_equal(store_time(w, w->writer), CLOCK_START);
  atomic_store(&w->clock, CLOCK_START + 100);
  OK(store_apply(w->writer, &group, 1, &w->error));
  assert_int_equal(group.outcome, STORE_CONFLICT);
  assert_null(get(w, RECORD_KIND_execution, x));
  assert_int_equal(read_log(w, log_beginning(w), 9).count, 0);

  group.valid_until = CLOCK_START + 101;
  (void)store_time(w, w->writer);
  OK(store_apply(w->writer, &group, 1, &w->error));
  assert_int_equal(group.outcome, STORE_APPLIED);
  assert_non_null(get(w, RECORD_KIND_execution, x));
}

static void events_alone_and_nothing_at_all(struct world *w) {
  struct execution *x = execution_new(w, 1);
  assert_int_equal(append(w, event_new(w, x, CLOCK_START)), STORE_APPLIED);
  assert_int_equal(commit(w, NULL, 0, NULL, 0), STORE_APPLIED);
  assert_int_equal(read_log(w, log_beginning(w), 9).count, 1);
}

const struct conformance_check checks_writes[] = {
    {"insert, update and delete by version", insert_update_delete, ON_ALL},
    {"versions may jump (DESIGN 3)", versions_may_jump, ON_ALL},
    {"conflicts change nothing (CV-4)", conflicts_change_nothing, ON_ALL},
    {"a group is whole or nothing (CV-4)", a_group_is_whole_or_nothing, ON_ALL},
    {"delete and insert in one group", delete_and_insert_in_one_group, ON_ALL},
    {"groups of one apply are independent (DESIGN 5.1)", groups_of_one_apply_are_independent,
     ON_ALL},
    {"a group may span tags (DESIGN 5.4)", a_group_may_span_tags, ON_ALL},
    {"keys are the whole key", keys_are_the_whole_key, ON_ALL},
    {"a stale row locator finds nothing else", a_stale_row_locator_finds_nothing_else, ON_ALL},
    {"a large group", a_large_group, ON_ALL},
    {"too late is a conflict (DESIGN 10, valid_until)", too_late_is_a_conflict, ON_ALL},
    {"events alone and nothing at all", events_alone_and_nothing_at_all, ON_ALL},
    {0},
};
