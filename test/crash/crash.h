/*
 * What the parts of the crash test share: the notes a child sends before it is killed, and what the
 * parent knows from them.
 */
#ifndef TEST_CRASH_CRASH_H
#define TEST_CRASH_CRASH_H

#include "base/base.h"
#include "flowfabric/flowfabric.h"

#define LANE "crash"
#define PROCESSES 4 /* at most, at the same time */
#define THREADS 4   /* of each */
#define LEASE_MS 400

/* Sent by a child: NOTE_ABOUT before a call, NOTE_DONE after it was acknowledged, NOTE_REFUSED when
 * the lease was no longer its. One write(2) of less than PIPE_BUF bytes: whole or not there. */
enum note_kind { NOTE_OPEN = 1, NOTE_ABOUT, NOTE_DONE, NOTE_REFUSED };
enum note_op { NOTE_SUBMIT = 1, NOTE_CLAIM, NOTE_COMPLETE, NOTE_FAIL, NOTE_DELAY };
struct note {
  uint32_t kind, op;
  uint32_t thread, serial; /* pair ABOUT with DONE; the threads of process p begin at p * THREADS */
  char key[40];            /* idempotency key of a submit, request id of a claim */
  char execution[FF_ID_MAX];
  uint64_t epoch;
  uint32_t outcome; /* of the answer */
  struct ff_handle handle;
};
_Static_assert(sizeof(struct note) <= 1024, "written at once");

/* What is known of one execution; found by its id. */
struct known {
  char id[FF_ID_MAX], key[40];
  uint64_t completed_epoch, failed_epoch; /* acknowledged ends */
  uint64_t held_epoch;                    /* of the newest acknowledged claim */
  uint32_t holder;                        /* the process that made it */
  uint32_t retries, delays;               /* acknowledged */
  bool created, ended;                    /* acknowledged; seen ended by an audit */
  uint32_t round;
};

struct ledger {
  struct known *items;
  uint32_t count, capacity;
  uint32_t *buckets;
  uint32_t bucket_count;
  /* calls under way when their process died; kind 0 = none */
  struct note open[PROCESSES * THREADS];
  uint64_t acknowledged[8]; /* by note_op */
  uint64_t repeated;        /* calls under way that were sent again */
  uint64_t *claims;         /* hashes of (execution, epoch) acknowledged; 0 = free */
  bool killed[PROCESSES];   /* in the round under way */
  uint64_t claimed_twice, refused, taken_over; /* taken over: from a process that was killed */
};

void ledger_init(struct ledger *);
void ledger_fini(struct ledger *);
struct known *ledger_find(struct ledger *, const char *id); /* made when new */
void ledger_note(struct ledger *, const struct note *, uint32_t round);

/* A process that works until it is killed. */
struct crash_child {
  const char *url;
  int pipe;
  uint64_t seed;
  uint32_t round, process;
  uint32_t work_ms; /* at most, between a claim and its end */
};
int crash_child(const struct crash_child *);

struct ff_engine *crash_open(const char *url, bool scanners);

/* Everything acknowledged is there, nothing ended twice. full: every execution of the store, else
 * those of recent rounds and those not ended. Prints what is wrong and answers false. */
bool audit(struct ledger *, const char *url, uint32_t round, bool full);
/* Sends again what was under way at the kill: the answer must be the first one's. */
bool audit_repeat(struct ledger *, const char *url, uint32_t round);
/* Claims and completes until nothing is left: leases of the dead come back by themselves. */
bool audit_drain(struct ledger *, const char *url);
bool audit_file(const char *path);

#endif
