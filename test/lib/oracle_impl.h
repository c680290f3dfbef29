/*
 * The insides of the oracle, shared by test/lib/oracle*.c only.
 */
#ifndef TEST_LIB_ORACLE_IMPL_H
#define TEST_LIB_ORACLE_IMPL_H

#include "op/execution.h"
#include "store/calls.h"
#include "test/lib/oracle.h"

/* One lease as the log tells it. */
struct fact {
  uint64_t epoch;
  struct uuid lease_id, attempt_id;
  uint32_t attempt_index;
  uint64_t acquired_event, ended_event; /* 0 = not ended */
  int64_t acquired_at, applied_at;      /* decided, committed */
  int64_t expires_at;                   /* the latest */
  char instance[24], reason[28];        /* why it was released */
  bool expired, revoked;
  uint32_t handed; /* answers without a request id that gave it to somebody */
  uint32_t renewals;
  int64_t renewed_until[8];
};

struct completion {
  uint64_t epoch;
  uint8_t outcome;
};

struct accepted { /* a signal, as the log tells it */
  struct uuid waitpoint_id, signal_id;
  uint8_t effect;
  int64_t at;
};

enum model_lease { LEASE_NONE, LEASE_HELD, LEASE_EXPIRED, LEASE_REVOKED };
struct model {
  struct exec_id id;
  uint32_t generation; /* how often it was purged */
  bool exists, dirty, regenerated;
  int64_t created_at;
  /* driven by events */
  uint64_t epoch;
  bool ended, lease_unknown;
  uint8_t outcome;
  enum model_lease lease;
  uint8_t receipt; /* enum ff_receipt_op: the latest release, whose repeat must succeed (L-40) */
  uint64_t receipt_epoch;
  int64_t expires_at;
  uint32_t attempts, retries, reclaims, replays, auto_reclaims, priority_changes;
  struct fact *facts; /* facts[epoch - 1] */
  uint32_t fact_count, fact_capacity;
  struct completion *completions;
  uint32_t completion_count, completion_capacity;
  bool waiting, resumed; /* has suspended and not been claimed since; a signal has met its condition */
  struct accepted *accepted;
  uint32_t accepted_count, accepted_capacity;
  /* as last seen in the store */
  struct execution seen;           /* its texts and bytes are gone, but for the lane */
  char lane[72], grant_worker[24]; /* of the grant that was last seen */
  uint32_t rows_checked;           /* attempts when its rows were last looked at */
  uint64_t result_of;              /* the epoch the hash belongs to */
  uint64_t result_hash;
  int64_t judged_at;              /* the suspension made then: its signals have been judged */
  uint64_t judged_seq;            /* up to this one */
  const struct execution *record; /* of the follow under way; NULL = absent */
};

struct asked { /* a request id and the lease it was answered */
  char request_id[16], instance[24];
  uint32_t model;
  uint32_t generation;
  uint64_t epoch;
};

struct sent { /* an accepted signal and the key that keeps others out for a while (D-9) */
  char key[48];
  uint32_t model;
  uint32_t generation;
  struct accepted accepted;
  int64_t ttl_ms;
};

struct keyed { /* an idempotency key and what it created */
  uint16_t partition;
  char namespace_[16], key[16];
  uint32_t model;
  uint32_t generation;
  int64_t created_at, window_ms;
};

#define MODELS_MAX 512
struct oracle {
  struct store *store;
  const struct op_config *config;
  struct store_session *session;
  struct arena arena;
  struct model models[MODELS_MAX];
  uint32_t model_count;
  uint16_t buckets[1024]; /* model index + 1 */
  uint32_t dirty[MODELS_MAX];
  uint32_t dirty_count;
  uint8_t cursor[32];
  size_t cursor_len;
  bool rivals;  /* engines may decide side by side */
  bool trimmed; /* trim_retention was called: retention is what it says */
  int64_t now;
  uint64_t events, hash;
  struct asked *asked;
  uint32_t asked_count, asked_capacity;
  struct keyed *keyed;
  uint32_t keyed_count, keyed_capacity;
  struct sent *sent;
  uint32_t sent_count, sent_capacity;
  struct oracle_waits waits;
  char complaint[1024];
};

bool complain(struct oracle *, const struct model *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define MUST(o, m, condition, ...)                            \
  do {                                                        \
    if (!(condition)) return complain((o), (m), __VA_ARGS__); \
  } while (0)

struct model *model_of(struct oracle *, struct exec_id);   /* made when new */
struct model *model_find(struct oracle *, struct exec_id); /* NULL = never seen */
struct fact *fact_of(struct model *, uint64_t epoch);      /* NULL = no such lease */
void model_dirty(struct oracle *, struct model *);
void model_restart(struct model *,
                   int64_t created_at); /* purged: what comes is another execution */
bool model_event(struct oracle *, struct model *, const struct event *) MUST_USE;
/* The record (NULL = absent) against the model. */
bool model_check(struct oracle *, struct model *, const struct execution *) MUST_USE;
/* An event of the signal family. */
bool model_signal(struct oracle *, struct model *, const struct event *) MUST_USE;
/* The latest acceptance of that signal, NULL when there is none. */
const struct accepted *model_accepted(const struct model *, struct uuid waitpoint,
                                      struct uuid signal);
/* signal_maxlen, at least 1, keeps the newest of a waitpoint: what it has dropped is a new signal when it comes
 * again (03 §6). */
bool model_may_forget(const struct model *, const struct accepted *);
/* Suspension, waitpoints and signals against the log, the condition and each other. */
bool waits_fit(struct oracle *, struct model *, const struct execution *) MUST_USE;
/* Nothing of it is left behind. */
bool waits_gone(struct oracle *, struct model *) MUST_USE;
bool signal_answer(struct oracle *, const struct history_call *, const void *result) MUST_USE;
bool signal_refused(struct oracle *, const struct history_call *,
                    const struct ff_error *) MUST_USE;
struct model *model_by_text(struct oracle *, struct ff_str); /* NULL = never seen */
/* All flows against a recount and the models. */
bool flows_fit(struct oracle *);
bool model_has_completion(const struct model *, uint64_t epoch /* 0 = any */, uint8_t outcome);
void *grown(void *items, uint32_t count, uint32_t *capacity, size_t size);

#endif
