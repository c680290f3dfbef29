/*
 * What the parts of the crash test share: the notes a child sends before it is killed, and what the
 * parent knows from them.
 */
#ifndef TEST_CRASH_CRASH_H
#define TEST_CRASH_CRASH_H

#include "base/base.h"
#include "flowfabric/flowfabric.h"

#define LANE "crash"
#define THREADS 4
#define LEASE_MS 400

/* Sent by the child: NOTE_ABOUT before a call, NOTE_DONE after it was acknowledged. One write(2) of
 * less than PIPE_BUF bytes: whole or not there. */
enum note_kind { NOTE_OPEN = 1, NOTE_ABOUT, NOTE_DONE };
enum note_op { NOTE_SUBMIT = 1, NOTE_CLAIM, NOTE_COMPLETE, NOTE_FAIL, NOTE_DELAY };
struct note {
  uint32_t kind, op;
  uint32_t thread, serial; /* pairs ABOUT with DONE */
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
  uint32_t retries, delays;               /* acknowledged */
  bool created, ended;                    /* acknowledged; seen ended by an audit */
  uint32_t round;
};

struct ledger {
  struct known *items;
  uint32_t count, capacity;
  uint32_t *buckets;
  uint32_t bucket_count;
  struct note open[THREADS]; /* calls under way when the child died; kind 0 = none */
  uint64_t acknowledged[8];  /* by note_op */
  uint64_t repeated;         /* calls under way that were sent again */
};

void ledger_init(struct ledger *);
void ledger_fini(struct ledger *);
struct known *ledger_find(struct ledger *, const char *id); /* made when new */
void ledger_note(struct ledger *, const struct note *, uint32_t round);

/* The child: opens the file, works with several threads until it is killed. */
int crash_child(const char *url, int pipe, uint64_t seed, uint32_t round);

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
