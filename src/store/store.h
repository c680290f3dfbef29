/*
 * What a store is: keyed loads, index scans, atomic groups of versioned writes, one ordered log,
 * hints. Nothing else.
 *
 * A store knows records, indexes and logs (src/record); it knows nothing of leases, lanes or any
 * operation. It never retries, never sleeps on a caller's behalf except for the medium itself, and
 * never invents a time but its own clock's. Every entry of the vtable is mandatory. test/store
 * states this contract as tests; every store passes all of them.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/base.h"
#include "flowfabric/error.h"
#include "record/record.h"

struct store;
struct store_session; /* its first member is the pointer to its store (calls.h relies on it) */

enum store_session_kind {
  STORE_WRITER, /* at most store_traits.writers at a time */
  STORE_READER  /* pure reads; never waits for a writer */
};

/* Constants of an open store. */
struct store_traits {
  enum ff_backend backend;
  uint32_t writers;    /* writer sessions that make sense (SQLite and memory: 1) */
  bool one_domain;     /* true: a whole batch is one group; false (Valkey): one group per tag */
  bool shared;            /* others may write it behind this engine's back: what falls due must be looked for */
  bool durable;        /* apply returned = survives power loss (as far as the store states) */
  char durability[64]; /* in words, for doctor and bench: "fsync", "none (memory)" … */
  char version[64];    /* of the software behind it */
};

/* A stored row that does not parse fails nobody but who asked for it: the answer of a get, or a row
 * a scan stepped over, is then validation/corruption with detail `<kind>: <field>: <problem>`, field
 * set, and the context key `row` naming the row as an operator finds it. A scan steps over no more
 * rows than this: one more fails the fetch with its error. */
#define STORE_UNREADABLE_MAX 1000

/* One keyed load. `key` is a record with its KEY fields set. The answer is a record in the arena,
 * or NULL when absent or unreadable. */
struct store_get {
  enum record_kind kind;
  const void *key;
  const void *record;                /* out */
  const struct ff_error *unreadable; /* out: why the row cannot be read, NULL = it can, or is absent */
};

/* One range of an index, ascending in index order, at most `limit` records. `from` is a record
 * whose prefix fields are set; with after = true its order fields are set too and the range starts
 * strictly behind it. */
struct store_scan {
  enum index_id index;
  const void *from;
  bool after;
  uint32_t limit;
  const void **records; /* out, in the arena */
  uint32_t count;       /* out */
  bool complete;        /* out: nothing lies behind the last record of this range */
  const struct ff_error **unreadable; /* out: rows stepped over; they count for nothing above */
  uint32_t unreadable_count;
};

enum store_write_kind { STORE_INSERT, STORE_UPDATE, STORE_DELETE };

/* One row's change. INSERT requires that the key is absent, UPDATE and DELETE that the stored
 * version is base_version; anything else is a conflict of the whole group. record carries the new
 * version in its head (for DELETE only the key matters) and store_row as it was loaded. */
struct store_write {
  enum store_write_kind kind;
  enum record_kind record_kind;
  const void *record;
  uint64_t base_version;
};

enum store_outcome { STORE_APPLIED, STORE_CONFLICT, STORE_UNKNOWN };

/* Writes and log appends that take effect together or not at all. A group of a store with
 * one_domain may span tags. */
struct store_group {
  const struct store_write *writes;
  uint32_t write_count;
  const struct event *const
      *events; /* appended in this order; event_id is ignored and given by the store */
  uint32_t event_count;
  int64_t valid_until; /* store time from which on applying must answer STORE_CONFLICT; INT64_MAX =
                          no bound */
  enum store_outcome outcome; /* out */
};

/* A hint that something changed, for other engines on the same store. Lossy by contract. */
struct store_hint {
  uint16_t partition;
  struct ff_str lane_id; /* a lane that got eligible work; absent = something else changed */
};
typedef void (*store_hint_fn)(
    void *user, const struct store_hint *hint); /* any thread; must only set flags and return */

struct store_vtable {
  void (*close)(struct store *);

  /* Brings the schema up to date: *applied false when nothing was to do. Refuses a newer schema
   * (schema_too_new). */
  enum ff_rc (*migrate)(struct store *, bool *applied, struct ff_error *);

  enum ff_rc (*session_open)(struct store *, enum store_session_kind, struct store_session **,
                             struct ff_error *);
  void (*session_close)(struct store_session *);

  /* Loads keys and ranges in one go and reads the store's clock. On a writer session the first
   * fetch after an apply opens the session's transaction and apply (possibly of zero groups) ends
   * it: what was loaded cannot change under a one-domain store that locks, and is version-checked
   * by every store. On a reader session one fetch is one consistent snapshot. Records, their texts
   * and the errors of unreadable rows live in `arena`. Fails when the medium does, never for what
   * one row holds (STORE_UNREADABLE_MAX). */
  enum ff_rc (*fetch)(struct store_session *, struct arena *, struct store_get *gets,
                      uint32_t get_count, struct store_scan *scans, uint32_t scan_count,
                      int64_t *now, struct ff_error *);

  /* Applies each group by itself and says how each went. Returns an error only when nothing at all
   * was applied and that is certain; STORE_UNKNOWN marks a group whose commit may or may not have
   * happened. Zero groups: ends the transaction. */
  enum ff_rc (*apply)(struct store_session *, struct store_group *groups, uint32_t group_count,
                      struct ff_error *);

  /* Events strictly behind `cursor` (01 ID-20, 05 B.2), oldest first, at most limit. *next is the
   * cursor behind the last one (or behind `cursor` when there are none), minted in the arena.
   * *dropped is set when trimming removed events in between. An empty cursor answers no events and
   * the current end. A foreign cursor: validation/invalid_input `cursor does not belong to this
   * backend`. Reader session. */
  enum ff_rc (*read_log)(struct store_session *, struct arena *, struct ff_bytes cursor,
                         uint32_t limit, const struct event ***events, uint32_t *count,
                         struct ff_bytes *next, bool *dropped, struct ff_error *);

  /* Removes at most `limit` of the oldest events whose `at` < before, keeping the newest `keep`
   * whatever their age. Ids are never reused afterwards. Writer session, outside a transaction. */
  enum ff_rc (*trim_log)(struct store_session *, int64_t before, uint64_t keep, uint32_t limit,
                         uint32_t *removed, struct ff_error *);

  /* For copies of whole stores: appends events with the ids they carry, ascending and above every id
   * given before; later ones get higher ids still. In an empty log what lies below the first counts
   * as trimmed. No events, in an empty log: all ids up to `end` were given and trimmed. All or
   * nothing. Writer session, outside a transaction. */
  enum ff_rc (*restore_log)(struct store_session *, const struct event *const *events,
                            uint32_t count, uint64_t end, struct ff_error *);

  /* Is an engine (an open store that is no visitor) at work here, in this process or another? When
   * there is none, a store in a server keeps engines out from now on until this one is closed. */
  enum ff_rc (*others)(struct store *, bool *any, struct ff_error *);

  /* Housekeeping on the writer session while nothing waits (SQLite: a bounded checkpoint step).
   * *more: call again soon. */
  void (*idle)(struct store_session *, bool *more);

  /* Hints from other users of the store in this or other processes; also once a store that was deaf
   * for a while (connecting, connection lost) hears again. notify is called after apply, off the
   * write path. */
  enum ff_rc (*listen)(struct store *, store_hint_fn, void *user, struct ff_error *);
  void (*unlisten)(struct store *, void *user);
  void (*notify)(struct store *, const void *sender_user, const struct store_hint *hints,
                 uint32_t count);
};

struct store {
  const struct store_vtable *vtable;
  struct store_traits traits;
};

/* The faults a memory store can inject, for simulation and conformance tests. Each hook may be
 * NULL. */
struct store_faults {
  void *user;
  int64_t (*now_ms)(void *user);
  /* Called before each fetch/apply; FF_OK lets it run, anything else fails it with that error. */
  enum ff_rc (*before_fetch)(void *user, struct ff_error *);
  enum ff_rc (*before_apply)(void *user, struct ff_error *);
  /* Per group: APPLIED = run normally; CONFLICT = refuse; UNKNOWN = answer unknown, having applied
   * iff *really_apply. */
  enum store_outcome (*group)(void *user, const struct store_group *, bool *really_apply);
  bool tag_groups; /* not a fault: one_domain is false, as on a store spread over machines */
  bool one_owner;  /* not a fault: shared is false, as of a file; nobody else may have it open */
  /* Per loaded row: the field that does not parse, NULL = all do. Not asked about events. */
  const char *(*spoiled)(void *user, enum record_kind, const void *record);
};

struct store_options {
  int64_t (*clock_ms)(void *user); /* NULL = the store's own clock */
  void *clock_user;
  const struct store_faults *faults; /* memory only; copied */
  bool dev_mode;    /* consent to configurations that can lose acknowledged work (01 CP-8) */
  uint32_t readers; /* reader sessions, 0 = 4 */
  bool visitor;     /* no engine: copies the store and goes; others() does not count it */
  /* What an operator must know and no call answers; any thread. NULL = nobody listens. */
  void (*warn)(void *user, const char *text);
  void *warn_user;
};

/* url: "memory:", "memory:<name>", "sqlite:<path>[?mode=ro&synchronous=full|normal|off&pool=N]",
 * "sqlite::memory:", "postgres://…", "valkey://…" (modules: module.h). Unknown schemes and parameters: config
 * errors naming them. Does not migrate. */
enum ff_rc store_open(struct ff_str url, const struct store_options *, struct store **,
                      struct ff_error *) MUST_USE;
enum ff_rc store_memory_open(struct ff_str name, const struct store_options *, struct store **,
                             struct ff_error *) MUST_USE;
enum ff_rc store_sqlite_open(struct ff_str path_and_query, const struct store_options *,
                             struct store **, struct ff_error *) MUST_USE;

/* Writes a copy of one instant over the empty file `file`, while others work. Only of a store that
 * store_sqlite_open opened. progress NULL, or answers false: stop (unavailable). */
typedef bool store_backup_progress_fn(void *user, uint64_t pages_done, uint64_t pages);
enum ff_rc store_sqlite_backup(struct store *, const char *file, store_backup_progress_fn *progress,
                               void *user, struct ff_error *) MUST_USE;

/* For stores: the answer of a scan so far, empty; one more record; one more row stepped over, which
 * fails with `why` when there are too many. */
void store_scan_reset(struct store_scan *);
void store_scan_push(struct store_scan *, const void *record, struct arena *);
enum ff_rc store_scan_step_over(struct store_scan *, const struct ff_error *why, struct arena *,
                                struct ff_error *) MUST_USE;
/* A copy in the arena, NULL of NULL. */
const struct ff_error *store_error_keep(const struct ff_error *, struct arena *);

/* The error of a row that does not parse; its key, as far as it was read, tells an operator where it
 * is. */
enum ff_rc store_corrupt(enum record_kind, const void *record, const char *field,
                         const char *problem, struct ff_error *);

/* Checked calls: in debug builds they verify the arguments against the contract (keys set, limits >
 * 0, versions step up). */
void store_close(struct store *); /* NULL is fine */

#endif
