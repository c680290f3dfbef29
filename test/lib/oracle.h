/*
 * The oracle of the simulator: what must be true of a store after every step, whatever clients,
 * engines and faults have done.
 *
 * It keeps a model of each execution that is driven by the event log alone and knows the rules of
 * 02 by heart, not by calling the engine: a lease is taken, kept, lost, given back; an execution
 * ends and is replayed. Records must agree with the model, indexes with a recount of the records,
 * and answers with what the log says has happened. Reads through a store of its own.
 */
#ifndef TEST_LIB_ORACLE_H
#define TEST_LIB_ORACLE_H

#include "store/store.h"
#include "test/lib/history.h"

struct oracle;

/* On an empty store; the store stays the caller's. rivals: more than one engine decides. */
struct oracle *oracle_new(struct store *, const struct op_config *, bool rivals);
void oracle_free(struct oracle *);

/* A client sends this call, now or again. */
void oracle_sent(struct oracle *, const struct history_call *);
/* Somebody tried to write this execution: looked at by the next oracle_follow. */
void oracle_touch(struct oracle *, struct exec_id);
/* Reads what the log got since last time, and checks every execution it names or that was touched.
 */
bool oracle_follow(struct oracle *) MUST_USE;
/* Everything: all executions, all that hangs on them, every index against a recount. */
bool oracle_check_all(struct oracle *) MUST_USE;
/* A successful answer that reached a client: its effect must be there, and agree with what others
 * were told. */
bool oracle_answer(struct oracle *, const struct history_call *, const void *result) MUST_USE;
/* An error that reached a client: it must not deny what has happened. */
bool oracle_refused(struct oracle *, const struct history_call *, const struct ff_error *) MUST_USE;
/* The first thing that was wrong, "" when nothing. */
const char *oracle_complaint(const struct oracle *);
/* Sums up the history so far: same seed, same hash. */
uint64_t oracle_hash(const struct oracle *);

/* ---- for driving everything to its end ---- */
struct oracle_left {
  uint32_t alive, held, lost; /* not ended; of these blocked or held; with a lost lease */
  int64_t next_due_at;        /* of those alive; INT64_MAX = nothing falls due */
};
struct oracle_left oracle_left(const struct oracle *);
/* The n-th execution that is not ended, its record as last seen; NULL behind the last. */
const struct execution *oracle_alive(const struct oracle *, uint32_t n);
/* Whether one that is blocked by dependencies waits for what nobody will ever do by itself: an edge
 * that was staged only, or a member that has ended or is no more to end again. */
bool oracle_is_stuck(struct oracle *, const struct execution *);
uint64_t oracle_events(const struct oracle *);
/* A signal that brings the condition of a suspended execution nearer; false when none would. */
struct oracle_wanted {
  struct uuid waitpoint_id;
  char name[64], correlation_id[64];
};
bool oracle_wants(struct oracle *, struct exec_id, struct oracle_wanted *);
/* How much waiting the history has seen: suspensions, signals accepted, conditions met by one. */
struct oracle_waits {
  uint64_t suspensions, signals, met;
};
struct oracle_waits oracle_waits(const struct oracle *);

#endif
