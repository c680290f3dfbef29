/*
 * What the tests of the SQLite store share: a directory of their own, records to write, and a whole
 * store as text.
 */
#ifndef TEST_LIB_SQLITE_FIXTURE_H
#define TEST_LIB_SQLITE_FIXTURE_H

#include "store/sqlite_impl.h"

struct fixture {
  char directory[128], path[192];
  struct store *store;
  struct store_session *writer, *reader;
  struct arena arena;
  struct ff_error error;
};

/* A fresh directory below $TMPDIR or /tmp; nothing is open. */
void fixture_init(struct fixture *f);
/* Closes what is open and removes the directory. */
void fixture_fini(struct fixture *f);
/* Opens path + query, migrates, opens a writer (unless read-only) and a reader session. FF_OK, or
 * the first error. */
enum ff_rc fixture_open(struct fixture *f, const char *query);
void fixture_close(struct fixture *f);
/* SQL on a connection of its own, as an operator's shell would; the first column of the first row,
 * or "". */
void fixture_sql(const struct fixture *f, const char *sql, char *out, size_t out_size);

/* The execution of a number, eligible, created at `at`; everything in the fixture's arena. */
struct execution *fixture_execution(struct fixture *f, uint32_t number, int64_t at);
struct event *fixture_event(struct fixture *f, const struct execution *x, int64_t at);
/* One group; the outcome, or the error's code through *rc. */
enum store_outcome fixture_apply(struct fixture *f, const struct store_write *writes,
                                 uint32_t write_count, const struct event *const *events,
                                 uint32_t event_count, enum ff_rc *rc);
/* Applies one insert and expects success. */
void fixture_insert(struct fixture *f, enum record_kind kind, const void *record);
/* The record of that key as the reader session sees it, or NULL. */
const void *fixture_get(struct fixture *f, enum record_kind kind, const void *key);
/* Every execution, setting `counter`, payload and event of the store, through the reader session.
 */
enum ff_rc fixture_dump(struct fixture *f, struct buffer *out);

#endif
