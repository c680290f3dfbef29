/*
 * The insides of the SQLite store, shared by src/store/sqlite*.c only.
 *
 * One connection, the store's own, writes and checkpoints; every reader session has its own
 * query-only connection. A store is shared by threads, a session belongs to one thread at a time.
 */
#ifndef STORE_SQLITE_IMPL_H
#define STORE_SQLITE_IMPL_H

#include "base/base.h"
#include "base/error.h"
#include "store/store.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#define SQLITE_SCHEMA_GENERATION 1
#define SQLITE_APPLICATION_ID 0x46664462 /* "FfDb" */
/* The meta table's row of the highest event id that trimming removed. */
#define SQLITE_META_EVENT_MARK "event_mark"

/* Frames (pages) in the write-ahead log at which a checkpoint runs: when nothing waits, and
 * whatever waits. A step of 1,000 takes about 2 ms; 500 cost a lifecycle 3% more (two syncs
 * a step), 2,000 no less. */
#define SQLITE_WAL_IDLE_FRAMES 128
#define SQLITE_WAL_HARD_FRAMES 1000
/* Calls of idle() without an apply in between after which a writer needs no caches. */
#define SQLITE_RELEASE_AFTER_RESTS 100
#define SQLITE_BUSY_TIMEOUT_MS 1000

/* ---- what the URL said (sqlite_url.c) ---- */
struct sqlite_target {
  char *path; /* heap; the file as given, without `file:`; ":memory:" for memory */
  bool memory, read_only;
  int synchronous; /* 0 off, 1 normal, 2 full */
  uint32_t pool;
};
/* Parses, and demands consent for what can lose acknowledged work; touches no file. */
enum ff_rc sqlite_target_parse(struct ff_str url, bool dev_mode, struct sqlite_target *out,
                               struct ff_error *e) MUST_USE;
void sqlite_target_fini(struct sqlite_target *t);

/* ---- columns of a kind ---- */
#define SQLITE_HOT_MAX 64
struct sqlite_layout {
  uint16_t hot_count;
  uint16_t hot_size; /* of the struct: where its cold fields begin */
  bool log;          /* append-only: its key is the rowid, and it has no version */
  const struct field *hot[SQLITE_HOT_MAX]; /* keys first */
  uint16_t text_count, hot_text_count;
  const struct field **texts; /* TEXT and BYTES fields, hot ones first */
  const void *blank;          /* a record with every field at its default */
};
const struct sqlite_layout *sqlite_layout(enum record_kind kind);

struct sqlite_listener {
  struct sqlite_listener *next;
  store_hint_fn fn;
  void *user;
};

struct sqlite_session;
struct sqlite_store {
  struct store base; /* first: the vtable casts back */
  struct sqlite_target target;
  char *name;  /* heap; canonical path, or the memdb name of a memory store */
  int lock_fd; /* -1 when none */
  int64_t (*clock_ms)(void *user);
  void *clock_user;
  _Atomic int64_t last_now;
  sqlite3 *db;                       /* the connection that writes; NULL when read-only */
  _Atomic bool writing;              /* somebody uses db: a writer session, or a migration */
  uint32_t idle_frames, hard_frames; /* log lengths at which to checkpoint; tests lower them */
  bool immutable;                    /* read-only medium without a log: nobody can be writing */
  /* Memory databases have no write-ahead log: apply and reader fetches exclude each other for their
   * duration. */
  pthread_mutex_t memory_lock;
  atomic_int failed; /* the SQLite code after which nothing more is trusted, 0 = none */
  struct sqlite_listener *listeners; /* under the registry lock of sqlite_hint.c */
  struct sqlite_store *next_open;
};

/* A prepared statement and what its parameters hold: most fields of most records are at their
 * default, and a parameter that holds NULL or 0 already need not be bound again. */
enum sqlite_bound { SQLITE_BOUND_NULL, SQLITE_BOUND_ZERO, SQLITE_BOUND_OTHER };
struct sqlite_prepared {
  sqlite3_stmt *st;
  uint8_t *bound; /* heap; enum sqlite_bound of each parameter, from 1 */
};

enum sqlite_statement {
  SQLITE_ST_GET,
  SQLITE_ST_GET_ROW,
  SQLITE_ST_INSERT,      /* one row */
  SQLITE_ST_INSERT_SOME, /* SQLITE_SOME_ROWS rows */
  SQLITE_ST_INSERT_MANY, /* SQLITE_MANY_ROWS rows */
  SQLITE_ST_UPDATE_ROW,
  SQLITE_ST_UPDATE_KEY,
  SQLITE_ST_DELETE_ROW,
  SQLITE_ST_DELETE_KEY,
  SQLITE_ST_COUNT
};
#define SQLITE_SOME_ROWS 4
#define SQLITE_MANY_ROWS 16
enum sqlite_fixed_statement {
  SQLITE_FIXED_BEGIN,
  SQLITE_FIXED_BEGIN_WRITE,
  SQLITE_FIXED_COMMIT,
  SQLITE_FIXED_ROLLBACK,
  SQLITE_FIXED_SAVEPOINT,
  SQLITE_FIXED_RELEASE,
  SQLITE_FIXED_ROLLBACK_TO,
  SQLITE_FIXED_LOG_READ,
  SQLITE_FIXED_LOG_END,
  SQLITE_FIXED_LOG_MARK,
  SQLITE_FIXED_LOG_OLDEST,
  SQLITE_FIXED_TRIM_BOUND,
  SQLITE_FIXED_TRIM,
  SQLITE_FIXED_TRIM_DELETE,
  SQLITE_FIXED_MARK_SET,
  SQLITE_FIXED_COUNT
};
/* Level 0 reads a range from its start; levels 1 … n continue behind a record, deepest run of equal
 * direction first. */
#define SQLITE_SCAN_LEVELS 4

struct sqlite_session {
  struct sqlite_store *store;
  sqlite3 *db;
  bool writer, in_transaction;
  bool wrote;          /* the open transaction has changed something */
  uint64_t event_next; /* id the next event must be given explicitly, 0 = SQLite's own next one is
                          right */
  uint32_t wal_frames; /* in the log, as of the last commit */
  uint32_t wal_checkpointed;  /* of those, already in the database file */
  uint32_t wal_tried;         /* wal_frames when the last checkpoint was tried */
  uint32_t rests;             /* calls of idle() since the last apply */
  struct sqlite_cache *cache; /* NULL on readers */
  bool cache_ahead;           /* it holds changes of the open transaction */
  unsigned data_version;      /* SQLite's, as of the end of our last transaction */
  struct arena scratch;       /* cold texts of the group being applied */
  sqlite3_stmt *fixed[SQLITE_FIXED_COUNT];
  struct sqlite_prepared kinds[RECORD_KIND_COUNT][SQLITE_ST_COUNT];
  struct sqlite_prepared scans[INDEX_COUNT][SQLITE_SCAN_LEVELS]
                              [2]; /* [1]: only the rows' numbers */
  bool scan_rows[INDEX_COUNT];     /* the last scan found all its records in the cache */
};

static inline struct sqlite_store *sqlite_store_of(struct store *s) {
  return (struct sqlite_store *)s;
}
static inline struct sqlite_session *sqlite_session_of(struct store_session *s) {
  return (struct sqlite_session *)s;
}

/* ---- sqlite_lock.c: one process owns a file ---- */
/* Canonical path of the file, created empty (0600) when it is missing and `create` says so. */
enum ff_rc sqlite_file_locate(const char *path, bool create, char **canonical,
                              struct ff_error *e) MUST_USE;
enum ff_rc sqlite_lock_take(const char *canonical, int *fd, struct ff_error *e) MUST_USE;
void sqlite_lock_drop(int fd);

/* ---- sqlite_recover.c ---- */
enum ff_rc sqlite_harden_log(struct sqlite_store *s, struct ff_error *e) MUST_USE;

/* ---- sqlite_error.c ---- */
/* The typed error of a failed SQLite call; `doing` says what was tried. */
enum ff_rc sqlite_error(struct sqlite_store *s, sqlite3 *db, int code, const char *doing,
                        struct ff_error *e);
/* Nothing is trusted from here on: the store refuses everything until it is opened again. */
void sqlite_poison(struct sqlite_store *s, int code);
enum ff_rc sqlite_usable(struct sqlite_store *s, struct ff_error *e) MUST_USE;

/* ---- sqlite.c ---- */
enum ff_rc sqlite_connect(struct sqlite_store *s, bool writer, sqlite3 **out,
                          struct ff_error *e) MUST_USE;
int64_t sqlite_now(struct sqlite_store *s);

/* ---- sqlite_vfs.c ---- */
/* The name of the VFS that gathers writes, registered; NULL (the default one) when that failed. */
const char *sqlite_gathering_vfs(void);

/* ---- sqlite_schema.c ---- */
/* The generation stored in the file, 0 when it holds no schema of ours; refuses databases of other
 * programs. */
enum ff_rc sqlite_schema_read(struct sqlite_store *s, sqlite3 *db, int64_t *generation,
                              uint64_t *fingerprint, struct ff_error *e) MUST_USE;
enum ff_rc sqlite_schema_migrate(struct sqlite_store *s, bool *applied,
                                 struct ff_error *e) MUST_USE;
/* Refuses to go on unless the file has exactly the generation this code knows. */
enum ff_rc sqlite_schema_check(struct sqlite_store *s, sqlite3 *db, struct ff_error *e) MUST_USE;
const char *sqlite_column_type(const struct field *f);
void sqlite_index_name(enum index_id index, struct buffer *out);
/* ---- sqlite_view.c ---- */
void sqlite_view_ddl(enum record_kind kind, struct buffer *out);

/* ---- sqlite_statement.c ---- */
enum ff_rc sqlite_prepare_kind(struct sqlite_session *c, enum record_kind kind,
                               enum sqlite_statement which, struct sqlite_prepared **out,
                               struct ff_error *e) MUST_USE;
enum ff_rc sqlite_prepare_scan(struct sqlite_session *c, enum index_id index, unsigned level,
                               bool rows_only, struct sqlite_prepared **out,
                               struct ff_error *e) MUST_USE;
enum ff_rc sqlite_prepare_fixed(struct sqlite_session *c, enum sqlite_fixed_statement which,
                                sqlite3_stmt **out, struct ff_error *e) MUST_USE;
/* Runs a statement without parameters and rows; answers the SQLite code. */
int sqlite_run_fixed(struct sqlite_session *c, enum sqlite_fixed_statement which);
void sqlite_finalize_all(struct sqlite_session *c);
/* The SQL of each, for tests that look at query plans. */
void sqlite_kind_sql(enum record_kind kind, enum sqlite_statement which, struct buffer *out);
void sqlite_scan_sql(enum index_id index, unsigned level, bool rows_only, struct buffer *out);
/* Levels that continue an index scan behind a record: how many runs of equal direction its order
 * has. */
unsigned sqlite_scan_levels(enum index_id index);
/* Order parts [*first, *end) of the run a level compares; those before are compared for equality.
 */
void sqlite_scan_run(enum index_id index, unsigned level, unsigned *first, unsigned *end);

/* ---- sqlite_row.c ---- */
/* Binds one field at parameter `at`; texts and bytes must stay until the statement is reset. */
void sqlite_bind_field(struct sqlite_prepared *p, int at, const struct field *f,
                       const void *record);
/* The current row of a SELECT made by sqlite_statement.c as a record in the arena. */
enum ff_rc sqlite_row_load(sqlite3_stmt *st, enum record_kind kind, struct arena *arena,
                           const void **record, struct ff_error *e) MUST_USE;

/* ---- sqlite_cache.c: records of the writer session ---- */
#define SQLITE_CACHE_RECORD_MAX 16384 /* bytes; larger records are not kept */
struct sqlite_cache;
struct sqlite_cache *sqlite_cache_new(void);
void sqlite_cache_free(struct sqlite_cache *c); /* NULL is fine */
void sqlite_cache_clear(struct sqlite_cache *c);
/* The same, and its memory goes back to the system. */
void sqlite_cache_trim(struct sqlite_cache *c);
/* A copy in the arena, or NULL when the cache does not know. */
const void *sqlite_cache_get(struct sqlite_cache *c, enum record_kind kind, const void *key,
                             struct arena *arena);
const void *sqlite_cache_get_row(struct sqlite_cache *c, enum record_kind kind, uint64_t row,
                                 struct arena *arena);
/* The record as it is stored now in that row (0 = unknown). */
void sqlite_cache_put(struct sqlite_cache *c, enum record_kind kind, const void *record,
                      uint64_t row);
void sqlite_cache_drop(struct sqlite_cache *c, enum record_kind kind, const void *key);

/* ---- the vtable entries ---- */
enum ff_rc sqlite_fetch(struct store_session *, struct arena *, struct store_get *gets,
                        uint32_t get_count, struct store_scan *scans, uint32_t scan_count,
                        int64_t *now, struct ff_error *);
enum ff_rc sqlite_apply(struct store_session *, struct store_group *groups, uint32_t group_count,
                        struct ff_error *);
enum ff_rc sqlite_read_log(struct store_session *, struct arena *, struct ff_bytes cursor,
                           uint32_t limit, const struct event ***events, uint32_t *count,
                           struct ff_bytes *next, bool *dropped, struct ff_error *);
enum ff_rc sqlite_trim_log(struct store_session *, int64_t before, uint64_t keep, uint32_t limit,
                           uint32_t *removed, struct ff_error *);
enum ff_rc sqlite_restore_log(struct store_session *, const struct event *const *events,
                              uint32_t count, uint64_t end, struct ff_error *);
/* Inserts one event with the id it carries, in the open transaction. */
enum ff_rc sqlite_insert_event(struct sqlite_session *c, const struct event *event,
                               struct ff_error *e) MUST_USE;
/* Learns where event ids go on; at session open. */
enum ff_rc sqlite_log_resume(struct sqlite_session *c, struct ff_error *e) MUST_USE;
void sqlite_idle(struct store_session *, bool *more);
/* Watches the size of the log behind every commit of this session. */
void sqlite_checkpoint_watch(struct sqlite_session *c);
/* A step when the log has become too long for waiting any further; outside a transaction. */
void sqlite_checkpoint_if_long(struct sqlite_session *c);
enum ff_rc sqlite_listen(struct store *, store_hint_fn, void *user, struct ff_error *);
void sqlite_unlisten(struct store *, void *user);
void sqlite_notify(struct store *, const void *sender_user, const struct store_hint *hints,
                   uint32_t count);
void sqlite_registry_add(struct sqlite_store *s);
void sqlite_registry_remove(struct sqlite_store *s);

/* ---- sqlite_transaction.c ---- */
enum ff_rc sqlite_begin_write(struct sqlite_session *c, struct ff_error *e) MUST_USE;
/* An error whose code is transport leaves the outcome unknown and the store refusing. */
enum ff_rc sqlite_commit(struct sqlite_session *c, struct ff_error *e) MUST_USE;
/* Ends the transaction unless there is none any more. */
void sqlite_rollback(struct sqlite_session *c);
/* The SQLite code; a failure that may have reached the medium ends all trust in it. Rolls back
 * nothing. */
int sqlite_commit_or_poison(struct sqlite_session *c);
bool sqlite_surely_not_committed(int code);

#endif
