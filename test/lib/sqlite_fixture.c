/*
 * What the tests of the SQLite store share. Goes through the vtable like anybody else, except
 * fixture_sql.
 */
#include "test/lib/sqlite_fixture.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void fixture_init(struct fixture *f) {
  memset(f, 0, sizeof *f);
  const char *parent = getenv("TMPDIR");
  snprintf(f->directory, sizeof f->directory, "%s/ff-sqlite-XXXXXX", parent ? parent : "/tmp");
  INVARIANT(mkdtemp(f->directory));
  snprintf(f->path, sizeof f->path, "%s/test.db", f->directory);
  arena_init(&f->arena);
}

void fixture_fini(struct fixture *f) {
  fixture_close(f);
  arena_fini(&f->arena);
  DIR *directory = opendir(f->directory);
  struct dirent *entry;
  while (directory && (entry = readdir(directory)))
    if (entry->d_name[0] != '.') unlinkat(dirfd(directory), entry->d_name, 0);
  if (directory) closedir(directory);
  rmdir(f->directory);
}

enum ff_rc fixture_open(struct fixture *f, const char *query) {
  struct buffer url;
  buffer_init(&url);
  buffer_printf(&url, "%s%s", f->path, query);
  struct store_options options = {.dev_mode = true};
  memset(&f->error, 0, sizeof f->error);
  enum ff_rc rc = store_sqlite_open(buffer_text(&url), &options, &f->store, &f->error);
  buffer_fini(&url);
  if (rc) {
    f->store = NULL;
    return rc;
  }
  bool applied;
  const struct store_vtable *v = f->store->vtable;
  rc = v->migrate(f->store, &applied, &f->error);
  if (!rc && !strstr(query, "mode=ro"))
    rc = v->session_open(f->store, STORE_WRITER, &f->writer, &f->error);
  if (!rc) rc = v->session_open(f->store, STORE_READER, &f->reader, &f->error);
  if (rc) fixture_close(f);
  return rc;
}

void fixture_close(struct fixture *f) {
  if (!f->store) return;
  if (f->reader) f->store->vtable->session_close(f->reader);
  if (f->writer) f->store->vtable->session_close(f->writer);
  f->store->vtable->close(f->store);
  f->store = NULL;
  f->reader = f->writer = NULL;
}

void fixture_sql(const struct fixture *f, const char *sql, char *out, size_t out_size) {
  sqlite3 *db;
  sqlite3_stmt *st = NULL;
  if (out_size) out[0] = 0;
  INVARIANT(sqlite3_open(f->path, &db) == SQLITE_OK);
  for (const char *rest = sql; *rest;) {
    if (sqlite3_prepare_v2(db, rest, -1, &st, &rest) != SQLITE_OK) {
      fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
      INVARIANT(!"bad SQL in a test");
    }
    if (sqlite3_step(st) == SQLITE_ROW && out_size)
      snprintf(out, out_size, "%s", (const char *)sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
  }
  sqlite3_close(db);
}

struct execution *fixture_execution(struct fixture *f, uint32_t number, int64_t at) {
  struct execution *x = ARENA_NEW(&f->arena, struct execution);
  record_init(RECORD_KIND_execution, x);
  x->head.version = 1;
  x->partition = (uint16_t)(number % 3);
  x->id = uuid_v7(at, (uint16_t)(number & 0xfff), hash_mix64(number));
  x->namespace_ = TEXT_LIT("default");
  x->lane_id = TEXT_LIT("lane");
  x->execution_kind = TEXT_LIT("job");
  x->required_capabilities = TEXT_LIT("");
  x->created_at = at;
  x->payload = (struct ff_bytes){"pay\0load", 8};
  x->lifecycle_phase = FF_lifecycle_phase_runnable;
  x->eligibility_state = FF_eligibility_state_eligible_now;
  x->blocking_reason = FF_blocking_reason_waiting_for_worker;
  x->attempt_state = FF_attempt_state_pending_first_attempt;
  x->last_transition_at = x->last_mutation_at = at;
  x->idempotency_key = TEXT_LIT("cold \"text\"");
  return x;
}

struct event *fixture_event(struct fixture *f, const struct execution *x, int64_t at) {
  struct event *v = ARENA_NEW(&f->arena, struct event);
  record_init(RECORD_KIND_event, v);
  v->at = at;
  v->partition = x->partition;
  v->execution_id = x->id;
  v->execution_created_at = x->created_at;
  v->lease_event = FF_lease_event_acquired;
  return v;
}

enum store_outcome fixture_apply(struct fixture *f, const struct store_write *writes,
                                 uint32_t write_count, const struct event *const *events,
                                 uint32_t event_count, enum ff_rc *rc) {
  struct store_group group = {.writes = writes,
                              .write_count = write_count,
                              .events = events,
                              .event_count = event_count,
                              .valid_until = INT64_MAX,
                              .outcome = STORE_CONFLICT};
  *rc = f->store->vtable->apply(f->writer, &group, 1, &f->error);
  return group.outcome;
}

void fixture_insert(struct fixture *f, enum record_kind kind, const void *record) {
  struct store_write write = {STORE_INSERT, kind, record, 0};
  enum ff_rc rc;
  INVARIANT(fixture_apply(f, &write, 1, NULL, 0, &rc) == STORE_APPLIED && !rc);
}

const void *fixture_get(struct fixture *f, enum record_kind kind, const void *key) {
  struct store_get get = {kind, key, NULL};
  int64_t now;
  if (f->store->vtable->fetch(f->reader, &f->arena, &get, 1, NULL, 0, &now, &f->error)) return NULL;
  return get.record;
}

static void print(enum record_kind kind, const void *record, struct buffer *out) {
  if (!record) return;
  record_dump(kind, record, out);
  buffer_append_char(out, '\n');
}

enum ff_rc fixture_dump(struct fixture *f, struct buffer *out) {
  struct execution from;
  struct event first;
  record_init(RECORD_KIND_execution, &from);
  record_init(RECORD_KIND_event, &first);
  struct setting setting = {.name = TEXT_LIT("counter")};
  struct store_get get = {RECORD_KIND_setting, &setting, NULL};
  struct store_scan scans[] = {{.index = INDEX_execution_created, .from = &from, .limit = 100000},
                               {.index = INDEX_event_by_id, .from = &first, .limit = 100000}};
  int64_t now;
  const struct store_vtable *v = f->store->vtable;
  enum ff_rc rc = v->fetch(f->reader, &f->arena, &get, 1, scans, 2, &now, &f->error);
  if (rc) return rc;
  print(RECORD_KIND_setting, get.record, out);
  for (uint32_t i = 0; i < scans[0].count && !rc; i++) {
    const struct execution *x = scans[0].records[i];
    struct payload key = {.partition = x->partition, .execution_id = x->id};
    struct store_get payload = {RECORD_KIND_payload, &key, NULL};
    rc = v->fetch(f->reader, &f->arena, &payload, 1, NULL, 0, &now, &f->error);
    print(RECORD_KIND_execution, x, out);
    print(RECORD_KIND_payload, payload.record, out);
  }
  for (uint32_t i = 0; i < scans[1].count; i++) print(RECORD_KIND_event, scans[1].records[i], out);
  return rc;
}
