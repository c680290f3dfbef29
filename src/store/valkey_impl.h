/*
 * The insides of the Valkey store, shared by src/store/valkey*.c only.
 *
 * A row is one string: a header of 16 bytes that no other write ever carries (the version, then a
 * random stamp) and the fields. Indexes are sorted sets whose members compare as bytes. All keys of
 * a deployment share one hash tag, so that one function call is one transaction, on a server of its
 * own as in a cluster. Every session has a connection of its own; a session belongs to one thread
 * at a time.
 */
#ifndef STORE_VALKEY_IMPL_H
#define STORE_VALKEY_IMPL_H

#include "base/base.h"
#include "base/error.h"
#include "store/hints.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

#define VALKEY_SCHEMA_GENERATION 1
#define VALKEY_HEADER 16u
#define VALKEY_PREFIX_MAX 64

/* ---- what the URL said (valkey_url.c) ---- */
struct valkey_target {
  char host[256], user[128], password[512];
  uint16_t port;
  uint32_t database;
  bool tls, tls_insecure;
  char ca_file[512], cert_file[512], key_file[512];
  char prefix[VALKEY_PREFIX_MAX + 1]; /* the hash tag */
  char shown[400];                    /* host:port/database, for messages; no secret in it */
  uint32_t writers;
  int64_t timeout_ms;
  bool read_only;
  bool wait_aof;
  uint32_t wait_replicas;
};
/* A server's address. */
struct valkey_node {
  char host[256];
  uint16_t port;
};
/* Connects to nothing. */
enum ff_rc valkey_target_parse(struct ff_str url, struct valkey_target *out,
                               struct ff_error *e) MUST_USE;

/* ---- replies (valkey_reply.c) ---- */
enum valkey_reply_type {
  VALKEY_STRING,
  VALKEY_STATUS,
  VALKEY_ERROR,
  VALKEY_INTEGER,
  VALKEY_NIL,
  VALKEY_ARRAY
};
struct valkey_reply {
  enum valkey_reply_type type;
  int64_t integer;
  struct ff_str text; /* of strings, statuses and errors */
  struct valkey_reply **items;
  uint32_t count;
};
struct valkey_reader;
struct valkey_reader *valkey_reader_new(void);
void valkey_reader_free(struct valkey_reader *);
/* False: not the protocol. */
bool valkey_reader_feed(struct valkey_reader *, const void *ptr, size_t len) MUST_USE;
/* The next whole reply in the arena; NULL = more is to come. False: not the protocol. The arena
 * must stay the same and untouched while a reply is under way. */
bool valkey_reader_next(struct valkey_reader *, struct arena *,
                        const struct valkey_reply **out) MUST_USE;
bool valkey_is(const struct valkey_reply *r, enum valkey_reply_type type, uint32_t count);
/* Is it an error whose text begins so? */
bool valkey_error_is(const struct valkey_reply *r, const char *begin);
/* NULL when there is no such item. */
const struct valkey_reply *valkey_item(const struct valkey_reply *r, uint32_t i);

/* ---- requests ---- */
/* The words of a command while their number is not known yet. */
struct valkey_words {
  struct buffer text;
  uint32_t count;
};
void valkey_word(struct valkey_words *w, const void *ptr, size_t len);
void valkey_word_c(struct valkey_words *w, const char *text);
void valkey_word_number(struct valkey_words *w, int64_t n);
/* Appends the command to a request and empties the words. */
void valkey_words_flush(struct valkey_words *w, struct buffer *request);
/* A command of C strings, NULL behind the last. */
void valkey_command(struct buffer *request, ...) __attribute__((sentinel));

/* ---- the transport (valkey_wire.c) ---- */
struct valkey_wire;
/* TCP, TLS, nothing said yet. */
enum ff_rc valkey_wire_open(const struct valkey_target *t, const struct valkey_node *node,
                            struct valkey_wire **out, struct ff_error *e) MUST_USE;
void valkey_wire_close(struct valkey_wire *w); /* NULL is fine */
/* False: the connection is lost; `problem` says why. */
bool valkey_wire_send(struct valkey_wire *w, const void *ptr, size_t len) MUST_USE;
/* NULL: lost. */
const struct valkey_reply *valkey_wire_receive(struct valkey_wire *w, struct arena *arena) MUST_USE;
/* The next reply when it is there already, without waiting; false: lost. Until there is one, every
 * call takes the same arena. */
bool valkey_wire_poll(struct valkey_wire *w, struct arena *arena,
                      const struct valkey_reply **out) MUST_USE;
/* Has the other side hung up while nothing was asked, as far as can be told without sending? */
bool valkey_wire_alive(const struct valkey_wire *w);
int valkey_wire_socket(const struct valkey_wire *w);
const char *valkey_wire_problem(const struct valkey_wire *w);

/* ---- rows (valkey_row.c) ---- */
#define VALKEY_FIELDS_MAX 160
/* Which number of a stored row is which field. Numbers are given once and never change: the schema
 * in the store lists the names of each kind in their order. */
struct valkey_layout {
  uint16_t field_count;                 /* numbers given */
  uint8_t field_of[VALKEY_FIELDS_MAX];  /* by number: position in the table of fields */
  uint8_t number_of[VALKEY_FIELDS_MAX]; /* by position */
};
struct valkey_layouts {
  struct valkey_layout kinds[RECORD_KIND_COUNT];
};
/* The fields of a record behind whatever is in `out`. */
void valkey_row_encode(const struct valkey_layouts *, enum record_kind, const void *record,
                       struct buffer *out);
/* A record in the arena with that version; corruption naming field and row. */
enum ff_rc valkey_row_decode(const struct valkey_layouts *, enum record_kind, uint64_t version,
                             struct ff_str body, struct arena *arena, const void **out,
                             struct ff_error *e) MUST_USE;

/* ---- names of keys (valkey_key.c) ---- */
enum valkey_name {
  VALKEY_SCHEMA,
  VALKEY_MARK,
  VALKEY_LAST,
  VALKEY_EVENTS,
  VALKEY_TRIMMED,
  VALKEY_GAPS,
  VALKEY_NAMES
};
struct valkey_names {
  struct ff_str fixed[VALKEY_NAMES];
  struct ff_str kinds[RECORD_KIND_COUNT]; /* what goes before the key of a row */
  struct ff_str indexes[INDEX_COUNT];     /* a kind's PRIMARY indexes share one */
  struct arena arena;
};
void valkey_names_init(struct valkey_names *, const char *prefix);
void valkey_names_fini(struct valkey_names *);
/* The key of a row, in the arena. */
struct ff_str valkey_row_key(const struct valkey_names *, enum record_kind, const void *record,
                             struct arena *);
/* The member of an index that stands for a record, appended; events without their id and tail. */
void valkey_member(enum index_id, const void *record, struct buffer *out);
/* The bounds of a range, each appended to its buffer. */
void valkey_range(enum index_id, const void *from, bool after, struct buffer *low,
                  struct buffer *high);
/* The indexes kept for a kind: PRIMARY ones once. Returns how many. */
#define VALKEY_KIND_INDEXES_MAX 16
uint32_t valkey_indexes_of(enum record_kind, enum index_id out[VALKEY_KIND_INDEXES_MAX]);

/* ---- functions in the server (valkey_script.c) ---- */
enum valkey_function {
  VALKEY_FETCH,
  VALKEY_APPLY,
  VALKEY_READ_LOG,
  VALKEY_TRIM_LOG,
  VALKEY_RESTORE_LOG,
  VALKEY_MIGRATE,
  VALKEY_FUNCTIONS
};
struct valkey_library {
  char name[40];
  char functions[VALKEY_FUNCTIONS][56]; /* FCALL: their names; EVALSHA: the digests */
  bool scripts;                         /* the server has no functions for us: EVALSHA */
};
struct valkey_store;
/* Loads what is not there yet. */
enum ff_rc valkey_library_load(struct valkey_store *s, struct valkey_wire *w,
                               struct ff_error *e) MUST_USE;
/* The words in front of a call's keys. */
void valkey_call(const struct valkey_store *s, enum valkey_function f, uint32_t keys,
                 struct valkey_words *w);
/* Does the answer say that the function is not there (any more)? */
bool valkey_is_unloaded(const struct valkey_reply *r);

/* ---- what a writer knows of rows, until its apply (valkey_rows.c) ---- */
struct valkey_row {
  struct valkey_row *next; /* of its bucket */
  uint64_t hash;
  struct ff_str key;
  enum record_kind kind;
  bool known;          /* `value` is what the store held */
  struct ff_str value; /* absent text: no such row */
  /* in the group under way */
  uint32_t group;
  uint64_t base;         /* the version its first write names; 0 = absent */
  bool present;          /* behind its writes so far */
  uint64_t version;      /* then */
  const void *record;    /* what it becomes; NULL = it goes */
  struct valkey_row *next_touched;
};
struct valkey_rows {
  struct arena arena;
  struct valkey_row **buckets;
  uint32_t bucket_count, count;
};
void valkey_rows_init(struct valkey_rows *);
void valkey_rows_fini(struct valkey_rows *);
void valkey_rows_reset(struct valkey_rows *);
struct valkey_row *valkey_rows_at(struct valkey_rows *, enum record_kind, struct ff_str key);

/* ---- stores and sessions ---- */
#define VALKEY_NODES_MAX 16
/* Where a deployment's slot is served, in a cluster. */
struct valkey_route {
  pthread_mutex_t lock;
  bool known;
  struct valkey_node node;
  struct valkey_node nodes[VALKEY_NODES_MAX]; /* whom to ask, besides the URL's */
  uint32_t count;
};

struct valkey_store {
  struct store base; /* first: the vtable casts back */
  struct valkey_target target;
  struct valkey_names names;
  bool cluster;
  struct valkey_route route;
  int64_t (*clock_ms)(void *user);
  void *clock_user;
  _Atomic int64_t last_now;
  void (*warn)(void *user, const char *text);
  void *warn_user;
  struct valkey_library library;
  _Atomic uint64_t last_event; /* the highest id this process has seen acknowledged */
  pthread_mutex_t schema_lock; /* migrating; the layouts stay as they are once a session is open */
  struct valkey_layouts layouts;
  char mark[17]; /* of the schema in the store, as this program understands it; "" = none */
  struct hints *hints;
  bool visitor;
  uint64_t token;            /* tells this store's connections from others' */
  struct valkey_wire *guard; /* keeps engines out (others) */
};

struct valkey_session {
  struct valkey_store *store; /* first (store.h) */
  bool writer;
  struct valkey_wire *wire; /* NULL: lost, made again by the next call */
  uint32_t failures;        /* attempts to connect in a row that failed */
  int64_t retry_at_us;      /* not before then, monotonic */
  struct arena replies;     /* a writer's: until its apply */
  struct valkey_rows rows;  /* a writer's */
  struct arena scratch;     /* of one call */
  struct buffer request, body, low, high;
  struct valkey_words words;
  struct valkey_words adds[INDEX_COUNT], removes[INDEX_COUNT];
  uint64_t stamp;
  uint32_t group;
};

static inline struct valkey_store *valkey_store_of(struct store *s) {
  return (struct valkey_store *)s;
}
static inline struct valkey_session *valkey_session_of(struct store_session *s) {
  return (struct valkey_session *)s;
}
int64_t valkey_now(struct valkey_store *s, int64_t server_ms);
void valkey_warn(const struct valkey_store *s, const char *text);
/* Some answer named this event as the last one. */
void valkey_saw(struct valkey_store *s, uint64_t last_event);

/* ---- valkey_error.c ---- */
/* The typed error of an answer. */
enum ff_rc valkey_error(const struct valkey_store *s, const struct valkey_reply *r,
                        const char *doing, struct ff_error *e);
enum ff_rc valkey_lost(const struct valkey_store *s, const struct valkey_wire *w, const char *doing,
                       struct ff_error *e);
/* Neither an error nor what was expected. */
enum ff_rc valkey_strange(const struct valkey_store *s, const char *doing, struct ff_error *e);

/* ---- valkey_connect.c ---- */
/* A connection that is let in and has its database. */
enum ff_rc valkey_connect(struct valkey_store *s, struct valkey_wire **out,
                          struct ff_error *e) MUST_USE;
/* Sends a request and receives so many answers; every error answer is an error. */
enum ff_rc valkey_ask(struct valkey_store *s, struct valkey_wire *w, const struct buffer *request,
                      struct arena *arena, const struct valkey_reply **replies, uint32_t count,
                      const char *doing, struct ff_error *e) MUST_USE;
/* The same to that very server, whoever serves the slot. */
enum ff_rc valkey_connect_to(struct valkey_store *s, const struct valkey_node *node,
                             struct valkey_wire **out, struct ff_error *e) MUST_USE;

/* ---- valkey_route.c ---- */
/* The node that serves the slot, asking others when it is not known. */
enum ff_rc valkey_route_find(struct valkey_store *s, struct valkey_node *out,
                             struct ff_error *e) MUST_USE;
/* That node could not be reached: the next search asks again. */
void valkey_route_lost(struct valkey_store *s);
/* An answer that sends elsewhere. True: nothing was done, and the same is to be sent again, behind
 * a pause of *pause_ms, on a new connection when *reconnect. */
bool valkey_route_redirected(struct valkey_store *s, const struct valkey_reply *r, bool *reconnect,
                             uint32_t *pause_ms);

/* What the server is and promises. Fills the traits. */
enum ff_rc valkey_look(struct valkey_store *s, struct valkey_wire *w, struct ff_error *e) MUST_USE;
/* Connects the session again when it is not; waits for its turn after failures (at most a second). */
enum ff_rc valkey_session_ready(struct valkey_session *c, struct ff_error *e) MUST_USE;
void valkey_session_drop(struct valkey_session *c);
/* Sends c->request and receives so many answers; when a function is not there (any more), it is
 * loaded and everything sent again. *lost: the connection broke, and *sent whether the request may
 * have arrived; that is FF_OK. */
enum ff_rc valkey_session_call(struct valkey_session *c, struct arena *arena,
                               const struct valkey_reply **replies, uint32_t count, bool *sent,
                               bool *lost, struct ff_error *e) MUST_USE;

/* ---- valkey_presence.c ---- */
/* Tells others that an engine writes here, as long as the connection lasts. */
enum ff_rc valkey_enter(struct valkey_store *s, struct valkey_wire *w, struct ff_error *e) MUST_USE;

/* ---- valkey_schema.c ---- */
/* Reads what the store has; FF_OK and an empty mark when it has nothing. */
enum ff_rc valkey_schema_read(struct valkey_store *s, struct valkey_wire *w,
                              struct ff_error *e) MUST_USE;
/* Refuses to go on unless the stored schema is the one this program knows. */
enum ff_rc valkey_schema_check(struct valkey_store *s, struct valkey_wire *w,
                               struct ff_error *e) MUST_USE;
enum ff_rc valkey_schema_changed(const struct valkey_store *s, struct ff_error *e);
enum ff_rc valkey_schema_migrate(struct valkey_store *s, struct valkey_wire *w, bool *applied,
                                 struct ff_error *e) MUST_USE;

/* ---- the vtable entries ---- */
enum ff_rc valkey_fetch(struct store_session *, struct arena *, struct store_get *gets,
                        uint32_t get_count, struct store_scan *scans, uint32_t scan_count,
                        int64_t *now, struct ff_error *);
enum ff_rc valkey_apply(struct store_session *, struct store_group *groups, uint32_t group_count,
                        struct ff_error *);
enum ff_rc valkey_read_log(struct store_session *, struct arena *, struct ff_bytes cursor,
                           uint32_t limit, const struct event ***events, uint32_t *count,
                           struct ff_bytes *next, bool *dropped, struct ff_error *);
enum ff_rc valkey_trim_log(struct store_session *, int64_t before, uint64_t keep, uint32_t limit,
                           uint32_t *removed, struct ff_error *);
enum ff_rc valkey_restore_log(struct store_session *, const struct event *const *events,
                              uint32_t count, uint64_t end, struct ff_error *);
enum ff_rc valkey_others(struct store *, bool *any, struct ff_error *);
enum ff_rc valkey_listen(struct store *, store_hint_fn, void *user, struct ff_error *);
void valkey_unlisten(struct store *, void *user);
void valkey_notify(struct store *, const void *sender_user, const struct store_hint *hints,
                   uint32_t count);
extern const struct hints_link valkey_hints_link;
/* The two words of an event: what its index entry begins with, and its row. */
void valkey_put_event(struct valkey_session *c, const struct event *event);
void valkey_word_id(struct valkey_words *w, uint64_t event_id);
enum ff_rc valkey_event_load(const struct valkey_store *s, uint64_t event_id,
                             const struct valkey_reply *row, struct arena *arena,
                             struct event **out, struct ff_error *e) MUST_USE;
/* 0: not an id. */
uint64_t valkey_event_id(const struct valkey_reply *r);
/* Ends a writer's transaction: forgets what it has loaded. */
void valkey_forget(struct valkey_session *c);

#endif
