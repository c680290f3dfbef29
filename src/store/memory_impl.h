/*
 * The insides of the memory store, shared by src/store/memory*.c only.
 *
 * Lock: memory_data.lock (shared for fetch and read_log, exclusive for apply and trim_log) guards
 * everything below it; the listeners have a lock of their own. No lock is held between two calls:
 * what a fetch saw is version-checked by apply.
 */
#ifndef STORE_MEMORY_IMPL_H
#define STORE_MEMORY_IMPL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* pthread_rwlock_t under -std=c17; include this header first */
#endif

#include "store/btree.h"
#include "store/pack.h"
#include "store/slab.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

#define MEMORY_KIND_INDEXES_MAX 8
#define MEMORY_SLOTS_PER_CHUNK 1024u
#define MEMORY_EVENTS_PER_CHUNK 512u

/* One stored record. Its keys live in the items of the trees, so that leaving an index needs no
 * encoding. */
struct memory_row {
  uint64_t version; /* 0 = absent: just being inserted, or deleted by the group under way */
  uint32_t number;  /* what record_head.store_row says; 0 for events */
  uint32_t stage;   /* the last write of the group under way that touches it */
  enum record_kind kind;
  struct packed *data; /* NULL while absent */
  struct btree_item *primary;
  struct btree_item *entries[]; /* per index of the kind, NULL = not a member */
};

/* One event of the log. The events of an execution form a ring: the newest points at the oldest. */
struct memory_event {
  struct memory_event *next;
  uint64_t event_id;
  int64_t at;
  struct packed packed;
};

/* The indexes a kind has besides its primary key. */
struct memory_kind {
  uint32_t index_count;
  enum index_id indexes[MEMORY_KIND_INDEXES_MAX];
  bool
      can_change[MEMORY_KIND_INDEXES_MAX]; /* some field of the index may change after the insert */
};

/* One write of the group under way, checked and not yet carried out. */
struct memory_stage {
  struct memory_row *row;
  const struct store_write *write;
  uint64_t former_version;
  bool created;
};

struct memory_listener {
  const struct store *store;
  store_hint_fn fn;
  void *user;
};

/* What all openers of one name share. */
struct memory_data {
  struct memory_data *next; /* under the registry lock, with openers */
  uint32_t openers, engines; /* engines: openers that are no visitors */
  char *name;
  size_t name_len;
  _Atomic int64_t last_now;

  pthread_rwlock_t lock;
  struct slab slab;
  struct memory_kind kinds[RECORD_KIND_COUNT];
  struct btree primaries[RECORD_KIND_COUNT];
  struct btree indexes[INDEX_COUNT];
  struct memory_row ***slots; /* by row number - 1 */
  uint32_t slot_count, slot_chunks;
  uint32_t *free_numbers;
  uint32_t free_count, free_capacity;
  struct memory_event ***event_chunks; /* the retained events by id */
  uint32_t event_chunk_count, event_chunk_capacity;
  uint64_t event_chunk_first;       /* events in chunks already given back */
  uint64_t event_first, event_next; /* ids: the oldest retained, the next to be given */
  struct btree event_rings;         /* the newest event by the prefix of event_by_execution */
  struct memory_stage *stages;
  uint32_t stage_capacity;

  pthread_mutex_t listener_lock;
  struct memory_listener *listeners;
  uint32_t listener_count;
};

struct memory_store {
  struct store store;
  struct memory_data *data;
  int64_t (*clock_ms)(void *user);
  void *clock_user;
  struct store_faults faults;
  atomic_uint sessions;
  bool visitor;
};

struct memory_session {
  struct memory_store *store; /* first: calls.h */
  enum store_session_kind kind;
};

/* An encoded key: usually on the stack. */
struct memory_key {
  uint8_t *ptr;
  size_t len;
  uint8_t small[192];
};
void memory_key_record(struct memory_key *k, enum record_kind kind, const void *record);
void memory_key_index(struct memory_key *k, enum index_id index, const void *record,
                      unsigned parts);
void memory_key_fini(struct memory_key *k);

/* ---- memory_rows.c: rows and their indexes; exclusive lock unless said otherwise ---- */
void memory_rows_init(struct memory_data *d);
void memory_rows_fini(struct memory_data *d);
/* The row of a record that was read before, or of a key alone. */
struct memory_row *memory_row_locate(struct memory_data *d, enum record_kind kind,
                                     const void *record);
/* All or nothing; false = conflict. */
bool memory_group_apply(struct memory_data *d, const struct store_group *group);

/* ---- memory_read.c: fetch under the shared lock ---- */
void memory_get(const struct memory_store *m, struct store_get *get, struct arena *arena);
enum ff_rc memory_scan(const struct memory_store *m, struct store_scan *scan, struct arena *arena,
                       struct ff_error *e);

/* ---- memory_log.c: the event log ---- */
void memory_log_init(struct memory_data *d);
void memory_log_fini(struct memory_data *d);
void memory_log_append(struct memory_data *d, const struct event *event);
/* Reads, under the shared lock. */
const void *memory_log_get(const struct memory_data *d, uint64_t event_id, struct arena *arena);
void memory_log_scan(const struct memory_data *d, struct store_scan *scan, struct arena *arena);
enum ff_rc memory_read_log(struct store_session *, struct arena *, struct ff_bytes cursor,
                           uint32_t limit, const struct event ***events, uint32_t *count,
                           struct ff_bytes *next, bool *dropped, struct ff_error *);
enum ff_rc memory_restore_log(struct store_session *, const struct event *const *events,
                              uint32_t count, uint64_t end, struct ff_error *);
enum ff_rc memory_trim_log(struct store_session *, int64_t before, uint64_t keep, uint32_t limit,
                           uint32_t *removed, struct ff_error *);

#endif
