/*
 * What an operation sees of the world: const reads, staged edits, one time, seeded randomness.
 *
 * An operation is a pure function over a transaction: no I/O, no clock, no static state. It may be
 * run several times (a read answers FF_MISS until the executor has loaded the key; debug builds run
 * everything twice) and must do the same each time.
 */
#ifndef OP_TX_H
#define OP_TX_H

#include "base/base.h"
#include "base/error.h"
#include "base/ids.h"
#include "record/record.h"

/* Internal answer of a read: not loaded yet. Return it up at once; the executor loads the key and
 * runs the operation again. */
#define FF_MISS ((enum ff_rc)1)
/* Internal answer of a read: what is stored there does not parse (01 CV-8). Return it up: the caller
 * gets the error of the row. Who walks over work of many goes on without that row instead. */
#define FF_UNREADABLE ((enum ff_rc)2)

/* What the deployment fixes for every operation. */
struct op_config {
  enum ff_backend backend;
  uint32_t flow_partitions;                                   /* 256 */
  uint32_t budget_partitions, quota_partitions;               /* 32 */
  uint64_t max_input_payload_bytes, max_result_payload_bytes; /* 16 MiB */
  uint32_t inline_bytes;         /* payloads and results up to this ride in the hot record (256) */
  int64_t retention_ms;          /* default retention (86,400,000) */
  int64_t auto_reclaim_delay_ms; /* INT64_MAX = off (5,000) */
  bool lease_renewed_events;     /* FF_LEASE_RENEWED_EVENTS */
  uint32_t cascade_steps;        /* of one transaction, 16..4,096 (256) */
};

struct tx;

int64_t tx_now(const struct tx *);
const struct op_config *tx_config(const struct tx *);
/* Whether one operation may write several tags (a composite's steps in one, 00 §3). */
bool tx_one_domain(const struct tx *);
/* Memory that lives until the reply has been copied out: results and everything staged records
 * point to. */
struct arena *tx_arena(struct tx *);
/* Deterministic per operation: the n-th call of a run gives the same value in every run. */
struct uuid tx_mint_uuid(struct tx *); /* version 7, ordered by minting within a process */
uint64_t tx_random(struct tx *);

/* ---- reading ---- */
/* key is a record with its KEY fields set. FF_OK with *out (NULL = absent), FF_MISS or FF_UNREADABLE.
 * What *out points to never changes: after tx_edit it is still the record as it was before this operation. An
 * earlier edit of this operation is what a later tx_get sees. */
enum ff_rc tx_get(struct tx *, enum record_kind, const void *key, const void **out) MUST_USE;

/* ---- writing: staged, taken over when the operation succeeds, dropped when it refuses ---- */
/* The staged copy of a record that was read; the same pointer when called again in this run. */
void *tx_edit(struct tx *, enum record_kind, const void *read);
/* A new record with defaults and key's KEY fields. The key must have been read as absent in this
 * run. */
void *tx_insert(struct tx *, enum record_kind, const void *key);
/* The same where the parent's state proves that the key is absent (no read needed). */
void *tx_insert_new(struct tx *, enum record_kind, const void *key);
void tx_delete(struct tx *, enum record_kind, const void *read);
/* A new event with defaults, appended behind those of this operation so far. */
struct event *tx_append_event(struct tx *);
/* The staged edits stand even though the operation returns an error (02 L-2; 01 CV-4). Call before
 * returning it. */
void tx_commit_on_error(struct tx *);
/* The decision rests on a time that has not come yet, e.g. a live lease: applying at or after
 * `time` must be refused. */
void tx_valid_before(struct tx *, int64_t time);

/* ---- scanning: store rows merged with what this batch has changed, in index order ---- */
struct tx_scan {
  struct tx *tx;
  void *range;
  uint32_t position;
  uint32_t served;
};
/* from: a record with the prefix fields set; after: its order fields too, start strictly behind it.
 * expect: how many records this operation will probably look at (the executor loads at least that
 * many). */
enum ff_rc tx_scan_open(struct tx *, enum index_id, const void *from, bool after, uint32_t expect,
                        struct tx_scan *) MUST_USE;
/* The next record, or NULL at the end. FF_MISS: more must be loaded first. FF_UNREADABLE: the range
 * holds a row that cannot be read; never of an index that is a queue of work (index_is_queue), where
 * such rows are passed over. */
enum ff_rc tx_scan_next(struct tx_scan *, const void **record) MUST_USE;
/* The next one that is loaded already, NULL when there is none: looks ahead without asking for
 * more. An operation about to hand up FF_MISS uses it to ask at once for what the others of its
 * batch will want next. */
const void *tx_scan_next_loaded(struct tx_scan *);

/* Asks for `more` beyond what is loaded: an operation about to hand up FF_MISS knows it will pass over
 * many. */
void tx_scan_want(struct tx_scan *, uint32_t more);

/* ---- declaring: what can be read off the arguments, loaded before the first run ---- */
struct declare;
void declare_get(struct declare *, enum record_kind, const void *key);
void declare_scan(struct declare *, enum index_id, const void *from, bool after, uint32_t expect);

/* ---- typed shorthand ---- */
#define TX_KIND(kind)                                                                      \
  static inline enum ff_rc tx_get_##kind(struct tx *tx, const struct kind *key,            \
                                         const struct kind **out) {                        \
    const void *found = NULL;                                                              \
    enum ff_rc rc = tx_get(tx, RECORD_KIND_##kind, key, &found);                           \
    *out = (const struct kind *)found;                                                     \
    return rc;                                                                             \
  }                                                                                        \
  static inline struct kind *tx_edit_##kind(struct tx *tx, const struct kind *read) {      \
    return (struct kind *)tx_edit(tx, RECORD_KIND_##kind, read);                           \
  }                                                                                        \
  static inline struct kind *tx_insert_##kind(struct tx *tx, const struct kind *key) {     \
    return (struct kind *)tx_insert(tx, RECORD_KIND_##kind, key);                          \
  }                                                                                        \
  static inline struct kind *tx_insert_new_##kind(struct tx *tx, const struct kind *key) { \
    return (struct kind *)tx_insert_new(tx, RECORD_KIND_##kind, key);                      \
  }                                                                                        \
  static inline void tx_delete_##kind(struct tx *tx, const struct kind *read) {            \
    tx_delete(tx, RECORD_KIND_##kind, read);                                               \
  }
TX_KIND(execution)
TX_KIND(attempt)
TX_KIND(payload)
TX_KIND(result)
TX_KIND(policy)
TX_KIND(grant)
TX_KIND(idempotency)
TX_KIND(lane)
TX_KIND(requirement_set)
TX_KIND(setting)
TX_KIND(stream)
TX_KIND(frame)
TX_KIND(summary)
TX_KIND(suspension)
TX_KIND(waitpoint)
TX_KIND(signal)
TX_KIND(signal_dedup)
TX_KIND(suspend_replay)
TX_KIND(token_key)
TX_KIND(worker)
TX_KIND(flow)
TX_KIND(flow_member)
TX_KIND(edge)
TX_KIND(edge_group)
TX_KIND(cascade_backlog)
TX_KIND(pending_cancel_group)
TX_KIND(cancel_backlog)
TX_KIND(pending_cancel)
TX_KIND(budget)
TX_KIND(budget_dedup)
TX_KIND(budget_ledger)
#undef TX_KIND

#endif
