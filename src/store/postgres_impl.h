/*
 * The insides of the PostgreSQL store, shared by src/store/postgres*.c only.
 *
 * Every session has a connection of its own; a store is shared by threads, a session belongs to one
 * thread at a time. Everything a call needs is sent as one pipeline: the number of round trips does
 * not depend on the size of a batch.
 */
#ifndef STORE_POSTGRES_IMPL_H
#define STORE_POSTGRES_IMPL_H

#include "base/base.h"
#include "base/error.h"
#include "store/hints.h"
#include "store/store.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

#define POSTGRES_SCHEMA_GENERATION 1
#define POSTGRES_SERVER_MIN 140000
#define POSTGRES_NAME_MAX 63 /* bytes of an identifier */

/* ---- what the URL said (postgres_url.c) ---- */
struct postgres_target {
  char **keywords, **values; /* heap, for PQconnectdbParams; NULL behind the last */
  char schema[POSTGRES_NAME_MAX + 1];
  char shown[256]; /* host:port/database, for messages; no secret in it */
  uint32_t writers;
  int64_t statement_timeout_ms, idle_timeout_ms;
  bool read_only;
};
/* Takes our own parameters out of the URL and hands the rest to libpq. Connects to nothing. */
enum ff_rc postgres_target_parse(struct ff_str url, struct postgres_target *out,
                                 struct ff_error *e) MUST_USE;
void postgres_target_fini(struct postgres_target *t);

/* ---- columns of a kind (postgres_row.c) ---- */
#define POSTGRES_HOT_MAX 64
struct postgres_layout {
  uint16_t hot_count, change_count;
  bool log;                                /* append-only: no version, its key is the store's */
  bool locks;                              /* rows of this kind change: writers lock what they load */
  const struct field *hot[POSTGRES_HOT_MAX]; /* keys first */
  const struct field *change[POSTGRES_HOT_MAX]; /* what an update carries: keys, and what may change */
  const void *blank; /* a record with every field at its default */
};
const struct postgres_layout *postgres_layout(enum record_kind kind);

/* ---- statements (postgres_sql.c) ---- */
enum postgres_kind_statement {
  POSTGRES_GET,
  POSTGRES_GET_LOCK,
  POSTGRES_INSERT,
  POSTGRES_UPDATE,
  POSTGRES_DELETE,
  POSTGRES_KIND_STATEMENTS
};
enum postgres_scan_statement { /* bits */
  POSTGRES_SCAN_AFTER = 1,
  POSTGRES_SCAN_LOCK = 2,
  POSTGRES_SCAN_STATEMENTS = 4
};
enum postgres_fixed_statement {
  POSTGRES_BEGIN,
  POSTGRES_BEGIN_READ,
  POSTGRES_COMMIT,
  POSTGRES_ROLLBACK,
  POSTGRES_SAVEPOINT,
  POSTGRES_ROLLBACK_TO,
  POSTGRES_CLOCK,
  POSTGRES_CLOCK_CHECK, /* the clock and which schema this is */
  POSTGRES_VALID_UNTIL,
  POSTGRES_LOG_READ,
  POSTGRES_LOG_STATE,
  POSTGRES_LOG_TRIM,
  POSTGRES_LOG_RESTORE,
  POSTGRES_LOG_RESUME, /* ids go on behind those that were restored */
  POSTGRES_FIXED_STATEMENTS
};
/* A statement's number. */
#define POSTGRES_ST_KIND(kind, which) ((unsigned)(kind) * POSTGRES_KIND_STATEMENTS + (which))
#define POSTGRES_ST_SCANS (RECORD_KIND_COUNT * POSTGRES_KIND_STATEMENTS)
#define POSTGRES_ST_SCAN(index, bits) \
  (POSTGRES_ST_SCANS + (unsigned)(index) * POSTGRES_SCAN_STATEMENTS + (bits))
#define POSTGRES_ST_FIXED0 (POSTGRES_ST_SCANS + INDEX_COUNT * POSTGRES_SCAN_STATEMENTS)
#define POSTGRES_ST_FIXED(which) (POSTGRES_ST_FIXED0 + (which))
#define POSTGRES_ST_COUNT (POSTGRES_ST_FIXED0 + POSTGRES_FIXED_STATEMENTS)
void postgres_sql(const char *schema, unsigned statement, struct buffer *out);
/* A quoted identifier. */
void postgres_name(struct buffer *out, const char *name);
/* "schema"."name" followed by `suffix` inside the second quotes. */
void postgres_table(struct buffer *out, const char *schema, const char *name, const char *suffix);
const char *postgres_type(const struct field *f);
Oid postgres_type_oid(const struct field *f);
/* Keys of advisory locks: one for the order of events, one for migrations. */
int64_t postgres_lock_key(const char *schema, const char *what);

/* ---- stores and sessions ---- */
struct postgres_store {
  struct store base; /* first: the vtable casts back */
  struct postgres_target target;
  int64_t (*clock_ms)(void *user);
  void *clock_user;
  _Atomic int64_t last_now;
  bool dev_mode;
  uint64_t fingerprint;         /* of the schema this program declares */
  pthread_mutex_t spare_lock;
  PGconn *spare;                /* the connection that opening made, for the first session */
  PGconn *guard;                /* keeps engines out (others) */
  bool visitor;
  struct hints *hints;
};

#define POSTGRES_PIPE_MAX 512
#define POSTGRES_VALUE_MAX (((size_t)1 << 30) - ((size_t)1 << 20)) /* a message is below 1 GiB */
struct postgres_entry {
  uint16_t statement;
  bool prepare;
  PGresult *result; /* NULL: none came */
};
/* Statements sent together, and their results. */
struct postgres_pipe {
  struct postgres_entry entries[POSTGRES_PIPE_MAX];
  uint32_t count;
  uint32_t failed; /* the entry that failed; count when none did */
  bool sent;       /* something may have reached the server */
  bool lost;       /* the connection broke meanwhile */
  bool too_large;  /* a parameter no server takes; nothing of it was sent */
};

struct postgres_session {
  struct postgres_store *store; /* first (store.h) */
  bool writer;
  PGconn *conn; /* NULL: lost, made again by the next fetch */
  bool in_transaction;
  bool doomed; /* locks of this transaction were lost on the way: its apply is a conflict */
  uint32_t failures;      /* attempts to connect in a row that failed */
  int64_t retry_at_us;    /* not before then, monotonic */
  bool prepared[POSTGRES_ST_COUNT];
  Oid row_types[RECORD_KIND_COUNT], change_types[RECORD_KIND_COUNT];
  struct postgres_pipe pipe;
  struct buffer out[8];   /* parameters being encoded */
  struct arena scratch;   /* cold texts and sorted keys of one call */
};

static inline struct postgres_store *postgres_store_of(struct store *s) {
  return (struct postgres_store *)s;
}
static inline struct postgres_session *postgres_session_of(struct store_session *s) {
  return (struct postgres_session *)s;
}
int64_t postgres_now(struct postgres_store *s, int64_t server_ms);

/* ---- postgres_error.c ---- */
bool postgres_state_is(const PGresult *r, const char *sqlstate);
/* The typed error of a failed result, or of the connection when r is NULL. */
enum ff_rc postgres_error(const struct postgres_store *s, const PGconn *conn, const PGresult *r,
                          const char *doing, struct ff_error *e);
/* A race was lost, not a fault: a version that moved, a key that exists, a deadlock. */
bool postgres_is_conflict(const PGresult *r);

/* ---- postgres_connect.c ---- */
/* A connection with every setting made; *out is NULL on errors. */
enum ff_rc postgres_connect(struct postgres_store *s, PGconn **out, struct ff_error *e) MUST_USE;
/* What the server is and promises: version, encoding, durability. Fills the traits. */
enum ff_rc postgres_look(struct postgres_store *s, PGconn *conn, struct ff_error *e) MUST_USE;
/* Connects the session again when it is not; waits for its turn after failures (at most a second). */
enum ff_rc postgres_session_ready(struct postgres_session *c, struct ff_error *e) MUST_USE;
void postgres_session_drop(struct postgres_session *c);
/* Tells others that an engine writes here, as long as the connection lasts. */
enum ff_rc postgres_enter(struct postgres_store *s, PGconn *conn, struct ff_error *e) MUST_USE;
enum ff_rc postgres_others(struct store *store, bool *any, struct ff_error *e);
/* One statement, its text answered or an error; simple protocol, outside pipelines. */
enum ff_rc postgres_run(struct postgres_store *s, PGconn *conn, const char *sql, const char *doing,
                        PGresult **out, struct ff_error *e) MUST_USE;

/* ---- postgres_pipe.c ---- */
struct postgres_param {
  const void *data;
  size_t len;
};
void postgres_pipe_begin(struct postgres_session *c);
/* Queues a statement, prepared on the way when it is not; answers its entry. */
uint32_t postgres_pipe_add(struct postgres_session *c, unsigned statement,
                           const struct postgres_param *params, int param_count);
/* Sends everything and gathers the results. False: look at pipe.failed and pipe.lost. */
bool postgres_pipe_run(struct postgres_session *c);
void postgres_pipe_clear(struct postgres_session *c);
const PGresult *postgres_pipe_result(const struct postgres_session *c, uint32_t entry);
/* Is the connection still there, as far as can be told without sending? */
bool postgres_alive(PGconn *conn);

/* ---- postgres_row.c: the binary protocol ---- */
void postgres_put_i16(struct buffer *b, int16_t n);
void postgres_put_i32(struct buffer *b, int32_t n);
void postgres_put_i64(struct buffer *b, int64_t n);
int64_t postgres_get_i64(const char *at);
/* A length word and the value. */
void postgres_put_field(struct buffer *b, const struct field *f, const void *record);
/* The value alone, as a statement's parameter; data is NULL for NULL. */
struct postgres_param postgres_param_of(struct buffer *b, const struct field *f,
                                        const void *record);
/* The head of an array of `count` elements. */
void postgres_put_array(struct buffer *b, Oid element, uint32_t count);
/* One element of an array of kind_row or kind_change. */
void postgres_put_row(struct postgres_session *c, struct buffer *b, enum record_kind kind,
                      const void *record);
void postgres_put_change(struct postgres_session *c, struct buffer *b, enum record_kind kind,
                         const void *record, uint64_t base_version);
/* Row `row` of a result whose columns from `column` on are the kind's (postgres_columns). */
enum ff_rc postgres_row_load(const PGresult *r, int row, int column, enum record_kind kind,
                             struct arena *arena, const void **record,
                             struct ff_error *e) MUST_USE;
/* The columns of a SELECT, each with `alias`. */
void postgres_columns(struct buffer *out, enum record_kind kind, const char *alias);

/* ---- postgres_schema.c ---- */
uint64_t postgres_schema_fingerprint(const char *schema);
enum ff_rc postgres_schema_migrate(struct postgres_store *s, PGconn *conn, bool *applied,
                                   struct ff_error *e) MUST_USE;
/* Refuses to go on unless the stored schema is the one this program declares. */
enum ff_rc postgres_schema_check(struct postgres_store *s, PGconn *conn,
                                 struct ff_error *e) MUST_USE;
/* What a transaction read of the schema: the error when it is not this program's. */
enum ff_rc postgres_schema_compare(struct postgres_store *s, int64_t generation,
                                   uint64_t fingerprint, struct ff_error *e) MUST_USE;
enum ff_rc postgres_types_load(struct postgres_session *c, struct ff_error *e) MUST_USE;
void postgres_view_ddl(const char *schema, enum record_kind kind, struct buffer *out);

/* ---- the vtable entries ---- */
enum ff_rc postgres_fetch(struct store_session *, struct arena *, struct store_get *gets,
                          uint32_t get_count, struct store_scan *scans, uint32_t scan_count,
                          int64_t *now, struct ff_error *);
enum ff_rc postgres_apply(struct store_session *, struct store_group *groups, uint32_t group_count,
                          struct ff_error *);
enum ff_rc postgres_read_log(struct store_session *, struct arena *, struct ff_bytes cursor,
                             uint32_t limit, const struct event ***events, uint32_t *count,
                             struct ff_bytes *next, bool *dropped, struct ff_error *);
enum ff_rc postgres_trim_log(struct store_session *, int64_t before, uint64_t keep, uint32_t limit,
                             uint32_t *removed, struct ff_error *);
enum ff_rc postgres_restore_log(struct store_session *, const struct event *const *events,
                                uint32_t count, uint64_t end, struct ff_error *);
/* Ends the transaction, if any, without writing. */
void postgres_rollback(struct postgres_session *c);
enum ff_rc postgres_listen(struct store *, store_hint_fn, void *user, struct ff_error *);
void postgres_unlisten(struct store *, void *user);
void postgres_notify(struct store *, const void *sender_user, const struct store_hint *hints,
                     uint32_t count);
extern const struct hints_link postgres_hints_link;

#endif
