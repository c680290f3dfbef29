/*
 * What checks are written in: records by number, one-group transactions, reads that fail the check
 * themselves.
 */
#include "test/store/conformance.h"

void assert_ok(enum ff_rc rc, const struct ff_error *e, const char *what, const char *file,
               int line) {
  if (rc == FF_OK) return;
  char text[400];
  ff_error_format(e, text, sizeof text);
  print_error("%s: %s\n", what, text);
  _fail(file, line);
}

void assert_code(enum ff_rc rc, const struct ff_error *e, enum ff_code code) {
  if (rc == FF_OK || e->code != code)
    print_error("expected %s, got %s (%s)\n", ff_code_name(code),
                rc ? ff_code_name(e->code) : "success", rc ? e->detail : "");
  assert_int_not_equal(rc, FF_OK);
  assert_int_equal(e->code, code);
  assert_int_equal(rc, ff_code_family(code));
}

void assert_same(enum record_kind kind, const void *stored, const void *expected,
                 uint64_t version) {
  assert_non_null(stored);
  if (!record_equal(kind, stored, expected)) {
    struct buffer a, b;
    buffer_init(&a);
    buffer_init(&b);
    record_dump(kind, stored, &a);
    record_dump(kind, expected, &b);
    print_error("stored   %.2000s\nexpected %.2000s\n", buffer_text(&a).ptr, buffer_text(&b).ptr);
    buffer_fini(&a);
    buffer_fini(&b);
    fail();
  }
  if (kind != RECORD_KIND_event)
    assert_int_equal(((const struct record_head *)stored)->version, version);
}

/* ---- records ---- */

void *record_new(struct world *w, enum record_kind kind) {
  struct record_head *record = arena_alloc(&w->arena, record_infos[kind].size);
  record_init(kind, record);
  record->version = 1;
  return record;
}

struct uuid uuid_of(uint32_t n) {
  struct uuid u = {{0}};
  for (unsigned i = 0; i < 4; i++) u.b[12 + i] = (uint8_t)(n >> (24 - 8 * i));
  u.b[0] = 1;
  return u;
}

struct execution *execution_new(struct world *w, uint32_t n) {
  struct execution *x = record_new(w, RECORD_KIND_execution);
  x->partition = (uint16_t)(n % 7);
  x->id = uuid_of(n);
  x->lane_id = TEXT_LIT("lane");
  x->required_capabilities = TEXT_LIT("");
  x->created_at = CLOCK_START + n;
  return x;
}

struct event *event_new(struct world *w, const struct execution *of, int64_t at) {
  struct event *e = record_new(w, RECORD_KIND_event);
  e->head.version = 0;
  e->at = at;
  e->partition = of->partition;
  e->execution_id = of->id;
  e->execution_created_at = of->created_at;
  return e;
}

void *record_next(struct world *w, enum record_kind kind, const void *record) {
  struct record_head *next = record_copy(kind, record, &w->arena);
  next->version++;
  return next;
}

/* ---- writing ---- */

enum store_outcome commit_on(struct world *w, struct store_session *writer,
                             const struct store_write *writes, uint32_t write_count,
                             const struct event *const *events, uint32_t event_count) {
  struct store_group group = {.writes = writes,
                              .write_count = write_count,
                              .events = events,
                              .event_count = event_count,
                              .valid_until = INT64_MAX};
  (void)store_time(w, writer);
  OK(store_apply(writer, &group, 1, &w->error));
  return group.outcome;
}

enum store_outcome commit(struct world *w, const struct store_write *writes, uint32_t write_count,
                          const struct event *const *events, uint32_t event_count) {
  return commit_on(w, w->writer, writes, write_count, events, event_count);
}

struct store_write write_of(enum store_write_kind how, enum record_kind kind, const void *record,
                            uint64_t base_version) {
  return (struct store_write){
      .kind = how, .record_kind = kind, .record = record, .base_version = base_version};
}

enum store_outcome insert(struct world *w, enum record_kind kind, const void *record) {
  struct store_write one = write_of(STORE_INSERT, kind, record, 0);
  return commit(w, &one, 1, NULL, 0);
}

enum store_outcome update(struct world *w, enum record_kind kind, const void *record,
                          uint64_t base_version) {
  struct store_write one = write_of(STORE_UPDATE, kind, record, base_version);
  return commit(w, &one, 1, NULL, 0);
}

enum store_outcome erase(struct world *w, enum record_kind kind, const void *record,
                         uint64_t base_version) {
  struct store_write one = write_of(STORE_DELETE, kind, record, base_version);
  return commit(w, &one, 1, NULL, 0);
}

enum store_outcome append(struct world *w, const struct event *event) {
  return commit(w, NULL, 0, &event, 1);
}

/* ---- reading ---- */

const void *get(struct world *w, enum record_kind kind, const void *key) {
  struct store_get one = {.kind = kind, .key = key, .record = key};
  int64_t now;
  OK(store_fetch(w->reader, &w->arena, &one, 1, NULL, 0, &now, &w->error));
  return one.record;
}

struct store_scan scan(struct world *w, enum index_id index, const void *from, bool after,
                       uint32_t limit) {
  struct store_scan one = {.index = index, .from = from, .after = after, .limit = limit};
  int64_t now;
  OK(store_fetch(w->reader, &w->arena, NULL, 0, &one, 1, &now, &w->error));
  return one;
}

int64_t store_time(struct world *w, struct store_session *session) {
  int64_t now = INT64_MIN;
  OK(store_fetch(session, &w->arena, NULL, 0, NULL, 0, &now, &w->error));
  return now;
}

struct log_page read_log(struct world *w, struct ff_bytes cursor, uint32_t limit) {
  struct log_page p = {.dropped = true};
  OK(store_read_log(w->reader, &w->arena, cursor, limit, &p.events, &p.count, &p.next, &p.dropped,
                    &w->error));
  return p;
}

struct ff_bytes log_beginning(struct world *w) {
  uint8_t *tag = arena_alloc(&w->arena, 1);
  *tag = (uint8_t)w->store->traits.backend;
  return (struct ff_bytes){tag, 1};
}

struct ff_bytes log_end(struct world *w) {
  struct log_page p = read_log(w, (struct ff_bytes){NULL, 0}, 1);
  assert_int_equal(p.count, 0);
  assert_false(p.dropped);
  return p.next;
}
