/*
 * The event log: order, ids, cursors, trimming (01 RC-20, ID-20; 05 B.1 and B.2).
 */
#include "test/store/conformance.h"

static void append_many(struct world *w, uint32_t count, int64_t at) {
  for (uint32_t i = 0; i < count; i++)
    assert_int_equal(append(w, event_new(w, execution_new(w, i), at + i)), STORE_APPLIED);
}

static uint32_t trim(struct world *w, int64_t before, uint64_t keep, uint32_t limit) {
  uint32_t removed = UINT32_MAX;
  OK(store_trim_log(w->writer, before, keep, limit, &removed, &w->error));
  return removed;
}

static bool same_cursor(struct ff_bytes a, struct ff_bytes b) { return bytes_equal(a, b); }

/* SU-1, SU-3: the order of the groups, and within a group of its events. */
static void order_of_appending(struct world *w) {
  struct execution *x = execution_new(w, 1);
  for (uint32_t g = 0; g < 5; g++) {
    const struct event *events[3];
    for (uint32_t i = 0; i < 3; i++) {
      struct event *e = event_new(w, x, CLOCK_START);
      e->lease_epoch = 3 * g + i;
      events[i] = e;
    }
    assert_int_equal(commit(w, NULL, 0, events, 3), STORE_APPLIED);
  }
  struct log_page page = read_log(w, log_beginning(w), 100);
  assert_int_equal(page.count, 15);
  for (uint32_t i = 0; i < 15; i++) {
    assert_int_equal(page.events[i]->lease_epoch, i);
    assert_true(page.events[i]->event_id >= 1);
    if (i) assert_true(page.events[i]->event_id > page.events[i - 1]->event_id);
  }
}

/* SU-5, SU-11: the cursor of a page gives exactly what follows; the last one waits. */
static void pages_by_cursor(struct world *w) {
  append_many(w, 10, CLOCK_START);
  struct log_page page = read_log(w, log_beginning(w), 4);
  assert_int_equal(page.count, 4);
  uint64_t last = page.events[3]->event_id;
  struct ff_bytes again = page.next;
  page = read_log(w, page.next, 4);
  assert_int_equal(page.count, 4);
  assert_true(page.events[0]->event_id > last);
  struct log_page repeated =
      read_log(w, again, 4); /* SU-4: a resume from an older cursor repeats */
  assert_true(repeated.events[0]->event_id == page.events[0]->event_id);
  assert_true(same_cursor(repeated.next, page.next));
  page = read_log(w, page.next, 4);
  assert_int_equal(page.count, 2);
  assert_true(same_cursor(page.next, log_end(w)));
  struct log_page none = read_log(w, page.next, 4);
  assert_int_equal(none.count, 0);
  assert_false(none.dropped);
  assert_true(same_cursor(none.next, page.next));
  append_many(w, 1, CLOCK_START + 50);
  page = read_log(w, none.next, 4);
  assert_int_equal(page.count, 1);
  assert_false(page.dropped);
}

/* SU-10: the end is fixed when asked; on a log without events too. */
static void the_end_of_an_empty_log(struct world *w) {
  struct ff_bytes end = log_end(w);
  assert_true(end.len > 0);
  struct log_page begin = read_log(w, log_beginning(w), 4);
  assert_int_equal(begin.count, 0);
  assert_false(begin.dropped);
  append_many(w, 2, CLOCK_START);
  assert_int_equal(read_log(w, end, 4).count, 2);
  assert_int_equal(read_log(w, begin.next, 4).count, 2);
}

static void refuse_cursor(struct world *w, const uint8_t *bytes, size_t len) {
  struct log_page p;
  struct ff_error e = {0};
  enum ff_rc rc = store_read_log(w->reader, &w->arena, (struct ff_bytes){bytes, len}, 4, &p.events,
                                 &p.count, &p.next, &p.dropped, &e);
  assert_code(rc, &e, FF_CODE_invalid_input);
  assert_string_equal(e.detail, "cursor does not belong to this backend");
}

/* SU-13, SU-14 */
static void foreign_cursors(struct world *w) {
  append_many(w, 2, CLOCK_START);
  uint8_t tag = (uint8_t)w->store->traits.backend;
  uint8_t other = tag == FF_backend_memory ? FF_backend_sqlite : FF_backend_memory;
  uint8_t beyond[9] = {tag, 0, 0, 1}, foreign[9] = {other, 0, 0, 0, 0, 0, 0, 0, 1},
          huge[9] = {tag, 0x80};
  uint8_t long_one[10] = {tag}, zero[1] = {0},
          highest[9] = {tag, 0x7f, 255, 255, 255, 255, 255, 255, 255};
  refuse_cursor(w, foreign, 9);
  refuse_cursor(w, foreign, 1);
  refuse_cursor(w, zero, 1);
  refuse_cursor(w, (const uint8_t *)"\xff", 1);
  if (log_end(w).len != sizeof beyond) return; /* what follows is for cursors of one position */
  for (size_t len = 2; len < 9; len++) refuse_cursor(w, beyond, len);
  refuse_cursor(w, huge, 9);
  refuse_cursor(w, long_one, 10);
  struct log_page page =
      read_log(w, (struct ff_bytes){beyond, 9}, 4); /* beyond the end: accepted, waits */
  assert_int_equal(page.count, 0);
  assert_false(page.dropped);
  assert_true(same_cursor(page.next, (struct ff_bytes){beyond, 9}));
  assert_int_equal(read_log(w, (struct ff_bytes){highest, 9}, 4).count, 0);
}

/* Trimming takes the oldest, of those old enough, and never the newest `keep`. */
/* SU-80, SU-82 */
static void trimming_takes_the_oldest(struct world *w) {
  append_many(w, 10, CLOCK_START);
  assert_int_equal(trim(w, CLOCK_START, 0, 100), 0);   /* none is older */
  assert_int_equal(trim(w, CLOCK_START + 4, 0, 3), 3); /* bounded */
  assert_int_equal(trim(w, CLOCK_START + 4, 0, 100), 1);
  assert_int_equal(trim(w, CLOCK_START + 4, 0, 100), 0);
  assert_int_equal(trim(w, INT64_MAX, 4, 100), 2); /* six are left, four stay */
  assert_int_equal(trim(w, INT64_MAX, 4, 100), 0);
  assert_int_equal(trim(w, INT64_MAX, UINT64_MAX, 100), 0);
  struct log_page page = read_log(w, log_beginning(w), 100);
  assert_int_equal(page.count, 4);
  assert_int_equal(page.events[0]->at, CLOCK_START + 6);
  assert_null(get(w, RECORD_KIND_event, &(struct event){.event_id = page.events[0]->event_id - 1}));
  assert_int_equal(
      scan(w, INDEX_event_by_id, event_new(w, execution_new(w, 0), 0), false, 100).count, 4);
}

static void trimmed_events_leave_their_execution(struct world *w) {
  struct execution *x = execution_new(w, 1), *y = execution_new(w, 2);
  for (int i = 0; i < 6; i++)
    assert_int_equal(append(w, event_new(w, i % 3 ? x : y, CLOCK_START + i)), STORE_APPLIED);
  struct event *of_x = event_new(w, x, 0), *of_y = event_new(w, y, 0);
  assert_int_equal(scan(w, INDEX_event_by_execution, of_x, false, 100).count, 4);
  assert_int_equal(trim(w, INT64_MAX, 2, 100), 4);
  assert_int_equal(scan(w, INDEX_event_by_execution, of_x, false, 100).count, 2);
  assert_int_equal(scan(w, INDEX_event_by_execution, of_y, false, 100).count, 0);
  assert_int_equal(append(w, event_new(w, y, CLOCK_START)), STORE_APPLIED);
  assert_int_equal(scan(w, INDEX_event_by_execution, of_y, false, 100).count, 1);
  assert_int_equal(scan(w, INDEX_event_by_execution, of_x, true, 1).count, 1);
}

/* SU-17: a gap is reported once, where trimming made it; the beginning never reports one (SU-12).
 */
static void dropped_events_are_reported(struct world *w) {
  append_many(w, 6, CLOCK_START);
  struct ff_bytes second = read_log(w, log_beginning(w), 2).next,
                  fourth = read_log(w, log_beginning(w), 4).next;
  assert_int_equal(trim(w, INT64_MAX, 2, 100), 4);
  struct log_page page = read_log(w, second, 1);
  assert_true(page.dropped);
  assert_int_equal(page.count, 1);
  assert_int_equal(page.events[0]->at, CLOCK_START + 4);
  page = read_log(w, page.next, 10);
  assert_false(page.dropped);
  assert_int_equal(page.count, 1);
  page = read_log(w, fourth, 10); /* exactly at the oldest retained: nothing is missing */
  assert_false(page.dropped);
  assert_int_equal(page.count, 2);
  page = read_log(w, log_beginning(w), 10);
  assert_false(page.dropped);
  assert_int_equal(page.count, 2);
}

static void dropped_when_nothing_is_left(struct world *w) {
  append_many(w, 3, CLOCK_START);
  struct ff_bytes first = read_log(w, log_beginning(w), 1).next, end = log_end(w);
  assert_int_equal(trim(w, INT64_MAX, 0, 100), 3);
  struct log_page page = read_log(w, first, 10);
  assert_true(page.dropped);
  assert_int_equal(page.count, 0);
  assert_true(same_cursor(log_end(w), end)); /* the end does not go back */
  page = read_log(w, end, 10);
  assert_false(page.dropped);
  page = read_log(w, log_beginning(w), 10);
  assert_false(page.dropped);
  append_many(w, 1, CLOCK_START);
  assert_int_equal(read_log(w, end, 10).count, 1);
  assert_false(read_log(w, end, 10).dropped);
}

/* Ids are never given twice, whatever was trimmed, also over a new session. */
static void ids_are_never_reused(struct world *w) {
  uint64_t highest = 0;
  for (int round = 0; round < 4; round++) {
    struct ff_bytes end = log_end(w);
    append_many(w, 3, CLOCK_START);
    struct log_page page = read_log(w, end, 10);
    assert_int_equal(page.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
      assert_true(page.events[i]->event_id > highest);
      highest = page.events[i]->event_id;
    }
    assert_int_equal(trim(w, INT64_MAX, round % 2, 100), 3 - (round % 2) + (round && !(round % 2)));
    store_session_close(w->writer);
    OK(store_session_open(w->store, STORE_WRITER, &w->writer, &w->error));
  }
}

/* ---- a tailing reader beside committing writers (SU-2) ---- */

enum { TAIL_EVENTS = 150 };
struct tail_writer {
  struct turn turn;
  uint32_t number;
  bool failed;
  atomic_uint *running;
};

static bool tail_append(struct tail_writer *t, uint32_t first, uint32_t count) {
  struct event events[3];
  const struct event *pointers[3];
  for (uint32_t i = 0; i < count; i++) {
    record_init(RECORD_KIND_event, &events[i]);
    events[i].execution_id = uuid_of(t->number);
    events[i].at = CLOCK_START;
    events[i].lease_epoch = first + i;
    pointers[i] = &events[i];
  }
  struct store_group group = {.events = pointers, .event_count = count, .valid_until = INT64_MAX};
  struct arena arena;
  struct ff_error e;
  int64_t now;
  arena_init(&arena);
  bool ok = store_fetch(t->turn.session, &arena, NULL, 0, NULL, 0, &now, &e) == FF_OK &&
            store_apply(t->turn.session, &group, 1, &e) == FF_OK && group.outcome == STORE_APPLIED;
  arena_fini(&arena);
  return ok;
}

static void *tail_write(void *user) {
  struct tail_writer *t = user;
  for (uint32_t sent = 0, count; sent < TAIL_EVENTS && !t->failed; sent += count) {
    count = 1 + sent % 3;
    if (!t->turn.store) pthread_mutex_lock(t->turn.lock);
    t->failed = !tail_append(t, sent, count);
    if (!t->turn.store) pthread_mutex_unlock(t->turn.lock);
  }
  atomic_fetch_sub(t->running, 1);
  return NULL;
}

/* Follows the log and checks that it never skips: per writer the epochs count up by one. */
static void tail_read(struct world *w, atomic_uint *running, uint64_t expected[3]) {
  struct arena arena, keep;
  arena_init(&arena);
  arena_init(&keep);
  struct ff_bytes cursor = log_beginning(w);
  uint64_t last_id = 0;
  for (bool last = false;;) {
    struct log_page p;
    bool stopped =
        atomic_load(running) == 0; /* before the read: what it then sees is all there is */
    OK(store_read_log(w->reader, &arena, cursor, 7, &p.events, &p.count, &p.next, &p.dropped,
                      &w->error));
    assert_false(p.dropped);
    for (uint32_t i = 0; i < p.count; i++) {
      const struct event *e = p.events[i];
      assert_true(e->event_id > last_id);
      last_id = e->event_id;
      assert_true(e->lease_epoch == expected[e->execution_id.b[15]]++);
    }
    last = stopped && p.count == 0;
    if (last) break;
    arena_reset(&keep);
    cursor = arena_bytes(&keep, p.next);
    arena_reset(&arena);
  }
  arena_fini(&arena);
  arena_fini(&keep);
}

static void a_tailing_reader_misses_nothing(struct world *w) {
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  atomic_uint running;
  atomic_init(&running, 2);
  struct tail_writer writers[2];
  pthread_t threads[2];
  uint64_t expected[3] = {0};
  for (uint32_t i = 0; i < 2; i++) {
    writers[i] =
        (struct tail_writer){.turn = turn_open(w, &lock), .number = 1 + i, .running = &running};
    assert_int_equal(pthread_create(&threads[i], NULL, tail_write, &writers[i]), 0);
  }
  tail_read(w, &running, expected);
  for (uint32_t i = 0; i < 2; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_false(writers[i].failed);
    turn_close(&writers[i].turn);
  }
  assert_true(expected[1] >= TAIL_EVENTS && expected[2] >= TAIL_EVENTS);
}

/* A rolled-back transition leaves no event (SU-1) and no hole that a reader could take for a loss.
 */
static void refused_groups_leave_no_gap(struct world *w) {
  struct execution *x = execution_new(w, 1);
  struct ff_bytes cursor = log_end(w);
  for (uint32_t i = 0; i < 5; i++) {
    const struct event *event = event_new(w, x, CLOCK_START);
    struct store_write bad =
        write_of(STORE_UPDATE, RECORD_KIND_execution, record_next(w, RECORD_KIND_execution, x), 1);
    assert_int_equal(commit(w, &bad, 1, &event, 1), STORE_CONFLICT);
    assert_int_equal(append(w, event), STORE_APPLIED);
    struct log_page page = read_log(w, cursor, 10);
    assert_int_equal(page.count, 1);
    assert_false(page.dropped);
    cursor = page.next;
  }
}

static const struct event *numbered(struct world *w, uint32_t n, uint64_t id) {
  struct event *e = event_new(w, execution_new(w, n), CLOCK_START + (int64_t)n);
  e->event_id = id;
  return e;
}

/* A copied log keeps its ids, gaps too; cursors of the original stand where they stood. */
static void restored_events_keep_their_ids(struct world *w) {
  const struct event *first[] = {numbered(w, 1, 100), numbered(w, 1, 101), numbered(w, 2, 700)};
  const struct event *second[] = {numbered(w, 2, 1501)};
  OK(store_restore_log(w->writer, first, 3, 0, &w->error));
  OK(store_restore_log(w->writer, second, 1, 0, &w->error));
  struct log_page page = read_log(w, log_beginning(w), 2);
  assert_int_equal(page.count, 2);
  assert_false(page.dropped);
  assert_int_equal(page.events[1]->event_id, 101);
  page = read_log(w, page.next, 10);
  assert_int_equal(page.count, 2);
  assert_false(page.dropped);
  assert_int_equal(page.events[0]->event_id, 700);
  assert_int_equal(page.events[1]->event_id, 1501);
  assert_true(same_cursor(page.next, log_end(w)));
  struct event from = {.event_id = 101};
  struct store_scan scan = {.index = INDEX_walk_event, .from = &from, .after = true, .limit = 10};
  int64_t now;
  OK(store_fetch(w->reader, &w->arena, NULL, 0, &scan, 1, &now, &w->error));
  assert_int_equal(scan.count, 2);
  append_many(w, 1, CLOCK_START + 10);
  page = read_log(w, page.next, 10);
  assert_int_equal(page.count, 1);
  assert_true(page.events[0]->event_id > 1501);
  assert_int_equal(trim(w, CLOCK_START + 2, 0, 100), 2);
  page = read_log(w, log_beginning(w), 10);
  assert_int_equal(page.count, 3);
}

/* Of a log that was trimmed to the last event only the end is left. */
static void a_restored_end_is_the_end(struct world *w) {
  OK(store_restore_log(w->writer, NULL, 0, 0, &w->error));
  assert_int_equal(read_log(w, log_beginning(w), 10).count, 0);
  OK(store_restore_log(w->writer, NULL, 0, 41, &w->error));
  struct ff_bytes end = log_end(w);
  append_many(w, 1, CLOCK_START);
  struct log_page page = read_log(w, end, 10);
  assert_int_equal(page.count, 1);
  assert_int_equal(page.events[0]->event_id, 42);
}

const struct conformance_check checks_log[] = {
    {"order of appending (SU-1, SU-3)", order_of_appending, ON_ALL},
    {"pages by cursor (SU-4, SU-5, SU-11)", pages_by_cursor, ON_ALL},
    {"the end of an empty log (SU-10)", the_end_of_an_empty_log, ON_ALL},
    {"foreign cursors (ID-20, SU-13, SU-14)", foreign_cursors, ON_ALL},
    {"trimming takes the oldest", trimming_takes_the_oldest, ON_ALL},
    {"trimmed events leave their execution", trimmed_events_leave_their_execution, ON_ALL},
    {"dropped events are reported (SU-12, SU-17)", dropped_events_are_reported, ON_ALL},
    {"dropped when nothing is left (SU-17)", dropped_when_nothing_is_left, ON_ALL},
    {"ids are never reused", ids_are_never_reused, ON_ALL},
    {"a tailing reader misses nothing (SU-2)", a_tailing_reader_misses_nothing, ON_ALL},
    {"restored events keep their ids", restored_events_keep_their_ids, ON_ALL},
    {"a restored end is the end", a_restored_end_is_the_end, ON_ALL},
    {"refused groups leave no gap (SU-1)", refused_groups_leave_no_gap, ON_ALL},
    {0},
};
