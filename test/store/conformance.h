/*
 * The store conformance suite: what every store must do, as checks against store.h (DESIGN §6, last
 * paragraph).
 *
 * A check gets a fresh store behind a world; it calls stores only through the checked calls.
 * Nothing here may know which store it is talking to, but for checks that say so.
 */
#ifndef TEST_STORE_CONFORMANCE_H
#define TEST_STORE_CONFORMANCE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/calls.h"

#define WORLD_LABEL "conformance"
#define CLOCK_START INT64_C(1700000000000)

/* One fresh store: migrated, with a writer and a reader session. */
struct world {
  const char *scheme;
  char url[320];
  _Atomic int64_t clock;      /* the store's clock reads this */
  struct store_faults faults; /* taken at the next world_open; memory only */
  struct store *store;
  struct store_session *writer, *reader;
  struct arena arena; /* until the end of the check */
  struct ff_error error;
};

enum {
  ON_MEMORY = 1,
  ON_SQLITE = 2,
  ON_POSTGRES = 4,
  ON_VALKEY = 8,
  ON_ALL = 255,
  ON_LASTING = ON_ALL & ~ON_MEMORY /* keeps what it holds when nobody has it open */
};
struct conformance_check {
  const char *name; /* with the rules it stands for */
  void (*run)(struct world *);
  int where; /* bits */
};
extern const struct conformance_check checks_writes[], checks_fields[], checks_scans[],
    checks_log[], checks_sessions[], checks_faults[], checks_spoiled[]; /* each ends in {0} */

/* ---- conformance.c ---- */
void world_open(struct world *w);  /* store and sessions */
void world_close(struct world *w); /* what was stored in a file stays */
struct store_options world_options(struct world *w);
/* A further holder of the same data, NULL where a second one is refused as busy (files). */
struct store *world_second(struct world *w);
/* A writer of one's own, for a thread: of a further holder where there may be one, else the
 * world's, under a lock. */
struct turn {
  struct store *store; /* NULL: the world's session, shared */
  struct store_session *session;
  pthread_mutex_t *lock;
};
struct turn turn_open(struct world *w, pthread_mutex_t *lock);
void turn_close(struct turn *t);
bool world_is(const struct world *w, const char *scheme);

/* ---- conformance_tools.c ---- */
#define OK(call) assert_ok((call), &w->error, #call, __FILE__, __LINE__)
void assert_ok(enum ff_rc rc, const struct ff_error *e, const char *what, const char *file,
               int line);
void assert_code(enum ff_rc rc, const struct ff_error *e, enum ff_code code);
void assert_same(enum record_kind kind, const void *stored, const void *expected, uint64_t version);

/* A record with defaults and version 1, in the world's arena. */
void *record_new(struct world *w, enum record_kind kind);
/* The n-th execution: its key, lane and creation follow from n, all else is default. */
struct execution *execution_new(struct world *w, uint32_t n);
struct event *event_new(struct world *w, const struct execution *of, int64_t at);
struct uuid uuid_of(uint32_t n);
/* A copy that carries the next version. */
void *record_next(struct world *w, enum record_kind kind, const void *record);

/* One transaction of one group on the writer session. */
enum store_outcome commit(struct world *w, const struct store_write *writes, uint32_t write_count,
                          const struct event *const *events, uint32_t event_count);
enum store_outcome commit_on(struct world *w, struct store_session *writer,
                             const struct store_write *writes, uint32_t write_count,
                             const struct event *const *events, uint32_t event_count);
struct store_write write_of(enum store_write_kind how, enum record_kind kind, const void *record,
                            uint64_t base_version);
enum store_outcome insert(struct world *w, enum record_kind kind, const void *record);
enum store_outcome update(struct world *w, enum record_kind kind, const void *record,
                          uint64_t base_version);
enum store_outcome erase(struct world *w, enum record_kind kind, const void *record,
                         uint64_t base_version);
enum store_outcome append(struct world *w, const struct event *event);

/* On the reader session. */
const void *get(struct world *w, enum record_kind kind, const void *key);
struct store_scan scan(struct world *w, enum index_id index, const void *from, bool after,
                       uint32_t limit);
int64_t store_time(struct world *w, struct store_session *session);

struct log_page {
  const struct event **events;
  uint32_t count;
  struct ff_bytes next;
  bool dropped;
};
struct log_page read_log(struct world *w, struct ff_bytes cursor, uint32_t limit);
struct ff_bytes log_beginning(struct world *w); /* the tag byte alone (05 SU-12) */
struct ff_bytes log_end(struct world *w);

#endif
