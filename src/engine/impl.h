/*
 * The insides of the engine, shared by the files of src/engine only.
 *
 * Locks: engine.lock guards the parked calls and the calls of the service thread; it is never held
 * during store calls. Calls arrive on a lock-free stack; inbox_lock guards the queue behind it and is
 * taken by leaders only. A seat (arena, overlay, writer session) belongs to the leader who took it; a
 * reader session belongs to the thread that took it.
 */
#ifndef ENGINE_IMPL_H
#define ENGINE_IMPL_H

#include "base/park.h"
#include "engine/engine.h"
#include "op/execution.h"
#include "op/overlay.h"
#include "op/values.h"

#include <pthread.h>
#include <stdatomic.h>

/* One operation on its way through the executor. */
struct request {
  enum op_id op;
  const void *args;
  void *prep;
  void *result; /* in the batch arena, until the call is finished */
  struct ff_error error;
  enum ff_rc rc;
  uint64_t seed;
  uint32_t sequence;
  uint8_t tries;
  bool done, wrote;
  /* an earlier one of the call without which this one fails too (OC-1: lane, then create) */
  const struct request *needs;
  bool refused;  /* by its argument checks: it never runs */
  bool settled;  /* by an earlier batch of a call that runs again in part */
  bool optional; /* its error does not end the call (slots of many-forms, lane registration) */
  struct overlay_tag tag;
};

/* Queued in the inbox, taken by a batch, parked until there is work, answered. */
enum call_state { CALL_QUEUED, CALL_TAKEN, CALL_PARKED, CALL_DONE };
/* What a sleeping caller is told: it is answered; it leads (call.seat); it has been parked and must
 * watch its own clock. */
enum { WAKE_DONE = 1, WAKE_LEAD = 2, WAKE_PARKED = 3 };
/* How often is looked for what nobody tells (DESIGN P5: 2 s), and in a store opened for reading,
 * which is told nothing. */
#define POLL_MS 1000
#define POLL_READING_MS 250

struct engine;
struct call;

/* How a public operation becomes requests and its answer is made from theirs. NULL members: one
 * request, its result copied. */
struct composite {
  enum ff_rc (*build)(struct engine *, struct call *, struct ff_error *);
  /* Fills *view (a result struct of the public operation in the batch arena). */
  enum ff_rc (*finish)(struct engine *, struct call *, void *view, struct arena *,
                       struct ff_error *);
  /* Runs the whole call itself instead, without the executor. */
  enum ff_rc (*direct)(struct engine *, const void *args, void *result, struct ff_error *);
};

/* One API call: its requests take effect in order. */
struct call {
  struct call *next, *previous; /* arrivals, inbox, batch or parked list */
  enum op_id op;
  const void *args;
  size_t async_bytes;            /* counted in engine.async_bytes */
  struct ff_memory *args_memory; /* what the copied arguments of an async call point to */
  void *out;                     /* the caller's result, or one of ours for async calls */
  struct ff_error error;
  enum ff_rc rc;
  struct request *requests;
  uint32_t request_count, done_count;
  struct request one;          /* the usual single request */
  uint64_t one_prep[48];       /* its prep when it fits */
  struct acquire_args acquire; /* of the claim forms */
  bool blocking;               /* a thread sleeps in `park` */
  bool missed;                 /* in the pass under way: its later requests run dry */
  bool polled;                 /* tries for all parked claims like it */
  bool parks;                  /* concluded: it found nothing and goes on waiting */
  bool internal; /* of the engine's own: not refused while closing, no answer is made but the last
                    request's result at `out`, if set, whose texts are gone */
  bool chained;  /* a failed request fails the following ones */
  bool alone;    /* its batch met a row that cannot be read: shares the next one with nobody */
  _Atomic enum call_state state;
  struct park park;
  struct batch *seat; /* WAKE_LEAD: the seat it is handed */
  engine_done_fn *done;
  void *user;
  struct kept_link *kept; /* what holds the answers of batches that took effect in part */
  struct arena arena;     /* preps, composite arguments, copies of async arguments */
  /* parking */
  int64_t deadline; /* engine time; 0 = the call never waits */
  struct exec_id watched;
  struct feed_wait *feed; /* of subscriptions */
  bool look_again;        /* it looked at much and found nothing: there is more */
};

struct made_eligible {
  struct made_eligible *next;
  const struct execution *execution;
};

/* The arena of a batch that took effect in part lives until the calls that run again are over. */
struct kept_arena {
  struct arena arena;
  _Atomic uint32_t users;
};
struct kept_link {
  struct kept_link *next;
  struct kept_arena *kept;
};

struct call_list {
  struct call *first, *last;
  _Atomic uint32_t count; /* read without the lock to skip what nobody waits for */
};

/* Written by whoever scans, read by whoever asks. */
struct scanner_stats {
  _Atomic uint64_t cycles, processed, errors;
  _Atomic int64_t last_started_at;
};

/* A writer session and the batch under way on it. */
enum batch_phase { BATCH_NONE, BATCH_LOADED };
struct batch {
  struct engine *engine;
  struct store_session *writer;
  struct call *mine;    /* the leader's own call: its answer needs no wake-up */
  bool mine_answered;   /* by the batch just over */
  uint32_t last_size;   /* requests in the batch before: how many callers may come back */
  struct call *answered; /* a chain (next) of sleeping callers to be woken */
  enum batch_phase phase;
  struct arena arena;
  struct overlay *overlay;
  struct overlay_watch watch;
  struct call_list calls;
  struct request **pending;
  struct call **pending_calls;
  uint32_t pending_count, pending_room;
  int64_t next_due_at; /* the earliest of what the batch changed */
  struct made_eligible *made_eligible; /* and no waiting claim took it */
  bool wakes_all;
  bool blocked;    /* something for want of a capable worker */
  bool registered; /* a worker */
  bool left_work; /* a cascade goes on after the commit */
  bool progress;  /* a request has come to its end */
  struct kept_arena *kept;   /* reply has given the arena away */
  struct call_list watchers; /* wait_execution calls that look again after apply */
};

/* Waiting for a seat outside the inbox. */
struct turn {
  struct park park;
  struct batch *seat;
};

/* How far a cycle of unblocking came; execution_blocked_by_route's order. */
struct unblock_position {
  bool set;
  char lane_id[72];
  int64_t created_at;
  struct exec_id execution;
};

/* Flows this engine has cancelled itself and drains at once, whatever their due time (04 FB-4). */
#define OWN_CANCELS 64
struct own_cancel {
  uint16_t partition;
  struct uuid flow_id, after;
};

struct lane_key;
#define LANE_BUCKETS 256
#define WATCH_BUCKETS 256
#define UNREADABLE_SEEN 2048
#define SEATS_MAX 8
#define SCANNERS_MAX 32
struct engine {
  struct store *store;
  struct op_config config;
  struct engine_options options;
  pthread_mutex_t lock;
  /* Calls arrive by one compare-and-swap, newest first; leaders move them to the inbox in order. */
  _Atomic(struct call *) arrivals;
  pthread_mutex_t inbox_lock;
  struct call_list inbox;
  _Atomic uint32_t inbox_requests; /* of both */
  struct batch seats[SEATS_MAX];
  uint32_t seat_count; /* 0: the store is read-only */
  _Atomic uint32_t free_seats; /* a bit each */
  _Atomic bool closing;
  /* Calls inside the engine: taken and not answered, and threads not yet out of it. */
  _Atomic uint32_t under_way;
  /* Calls of the _async forms whose callback has not begun, and what their arguments occupy. */
  _Atomic uint32_t async_calls;
  _Atomic uint64_t async_bytes;
  struct call_list parked_claims;
  struct call_list watches[WATCH_BUCKETS]; /* by watched execution */
  _Atomic uint32_t watch_count;
  pthread_mutex_t lane_lock;
  struct lane_key *lanes[LANE_BUCKETS]; /* registered for sure */
  uint64_t seed, seed_count;
  uint32_t sequence;
  _Atomic(struct turn *) turn; /* who is handed the next free seat, ahead of the inbox */
  _Atomic uint32_t stream_ops; /* inside the gate of 05 A.11 */
  /* readers */
  pthread_mutex_t reader_lock;
  pthread_cond_t reader_free;
  struct store_session *readers[8];
  uint32_t reader_count, reader_idle;
  /* the service thread: scanners, async calls, time-outs, idle housekeeping */
  pthread_t service;
  _Atomic bool service_started;
  bool service_stopping; /* lock */
  struct park service_park;
  int64_t service_until; /* lock; engine time at which it wakes by itself */
  int64_t last_poll;     /* of the service thread; engine time */
  struct call_list answered; /* async calls whose callback is due */
  _Atomic int64_t next_due;
  bool listening;
  _Atomic bool hinted; /* another engine changed the store */
  _Atomic bool housekeeping;
  int64_t step_now;
  int64_t next_sweep;
  _Atomic int64_t next_unblock;
  struct unblock_position unblock_at;
  _Atomic bool flow_work; /* a commit has left some, or may have before this engine was opened */
  struct execution unblock_cursor; /* the same among those who wait for a budget; blocked_on nil = start */
  _Atomic int64_t next_cancel;
  struct own_cancel own_cancels[OWN_CANCELS]; /* lock */
  uint32_t own_cancel_count;
  _Atomic bool cancels_started; /* what could not be read was tried since the start */
  struct scanner_stats scanners[SCANNERS_MAX]; /* by enum scanner_id */
  /* counters (engine_stats) */
  struct call_list deferred; /* async calls the service thread runs itself */
  _Atomic uint64_t unreadable[UNREADABLE_SEEN]; /* rows reported, by hash; 0 = free */
  _Atomic uint64_t unreadable_rows;
  _Atomic uint64_t batches, operations, rounds, reruns, conflicts, reads, unknowns;
};

/* ---- engine.c ---- */
int64_t engine_now(const struct engine *);
void engine_log(const struct engine *, enum ff_log_level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void list_push(struct call_list *, struct call *);
void list_push_first(struct call_list *, struct call *);
void list_remove(struct call_list *, struct call *);

/* ---- call.c ---- */
struct request *call_request(struct engine *, struct call *, enum op_id,
                             const void *args); /* within the count set by call_reserve */
void call_reserve(struct call *, uint32_t count);
enum ff_rc call_prepare(struct engine *, struct call *, struct ff_error *) MUST_USE;
/* Makes the answer of a call whose requests are done. */
void call_conclude(struct engine *, struct call *, struct arena *);
/* The end of an async call; the service thread calls it back. Lock held. */
void call_answered(struct engine *, struct call *);
/* Hands an async call to the service thread (manual engines: to engine_step). */
void call_defer(struct engine *, struct call *);
/* Runs a deferred call: reads, direct composites, looks of wait_execution. */
void call_run_deferred(struct engine *, struct call *);
extern const struct composite composites[OP_COUNT];

/* Its callback begins: it counts no longer against the limits of async calls. */
void call_leave_async(struct engine *, const struct call *);
/* Releases an async call and what its result still owns. */
void call_free_async(struct call *);

/* ---- batch.c ---- */
/* Lets go of the arenas that hold answers of the call. */
void call_drop_kept(struct call *);
/* Takes calls from the inbox and runs them up to the apply; false when nothing waits. */
bool batch_begin(struct batch *);
/* Applies, makes the answers; sleeping callers to be woken are left in batch.answered. */
void batch_end(struct batch *);

/* ---- lead.c ---- */
/* Runs a call of the engine's own to its end, also in a manual engine. */
enum ff_rc internal_run(struct engine *, struct call *, struct ff_error *) MUST_USE;
/* Queues a prepared call and returns at once. */
enum ff_rc executor_submit(struct engine *, struct call *, struct ff_error *) MUST_USE;
/* The same, then leads or sleeps until it is answered. */
enum ff_rc executor_run(struct engine *, struct call *, struct ff_error *) MUST_USE;
/* Leads one batch when a seat is free and anything waits; for the service thread. */
void executor_drain(struct engine *);
/* Queues a call again; whoever calls it leads, or sees to it that somebody does. */
void inbox_push(struct engine *, struct call *);
/* Moves calls of up to batch_limit requests to b->calls and answers how many requests; 0 = none. */
uint32_t inbox_take(struct batch *b);
void wake_answered(struct batch *b);
/* Arrivals become the tail of the inbox, in order. inbox_lock held. */
void inbox_settle(struct engine *);
/* A seat, to use its writer session outside a batch; NULL when all are taken. */
struct batch *seat_take(struct engine *);
/* The same, but waits for one; NULL when somebody waits for that already. */
struct batch *seat_await(struct engine *);
void seat_give(struct batch *); /* hands it on like a leader */

/* ---- read.c ---- */
enum ff_rc reader_take(struct engine *, struct store_session **, struct ff_error *) MUST_USE;
void reader_give(struct engine *, struct store_session *);
enum ff_rc read_call(struct engine *, enum op_id, const void *args, void *result,
                     struct ff_error *) MUST_USE;
/* Runs a read step; its result lives in the arena. */
enum ff_rc read_step(struct engine *, enum op_id, const void *args, void *result, struct arena *,
                     struct ff_error *) MUST_USE;
/* Asks the store for what the overlay wants. */
enum ff_rc overlay_fetch(struct engine *, struct store_session *, struct overlay *, struct arena *,
                         struct ff_error *) MUST_USE;

/* ---- unreadable.c ---- */
/* Counts and logs what the last load could not read. */
void unreadable_report(struct engine *, struct overlay *);
/* True once per row; salt tells apart what the error does not. */
bool unreadable_first(struct engine *, const struct ff_error *, uint64_t salt);

/* ---- wait.c ---- */
void park_claim(struct engine *, struct call *); /* lock held */
/* An execution became eligible: pulls a parked claim that can take it into the batch. Leader only.
 */
struct call *parked_claim_for(struct engine *, const struct execution *);
bool claim_suits(const struct call *, const struct execution *);
void parked_try(struct engine *, struct call *);  /* lock held */
void parked_wake_all(struct engine *);            /* lock held */
/* One claim of each kind tries for all that wait; when it finds work the next two of its kind try.
 * Lock held. */
void parked_poll(struct engine *);
void parked_poll_next(struct engine *, const struct call *found); /* lock held */
void parked_expire(struct engine *, int64_t now); /* lock held; async ones only */
int64_t parked_deadline(const struct engine *);   /* lock held; of the async ones */
/* wait_execution, tail_stream and subscriptions: they look, and look again when what they watch has changed. */
bool op_watches(enum op_id);
enum ff_rc wait_arguments(struct engine *, struct call *, struct ff_error *) MUST_USE;
enum ff_rc wait_look(struct engine *, struct call *, bool *over, struct ff_error *) MUST_USE;
enum ff_rc wait_blocking(struct engine *, struct call *, struct ff_error *) MUST_USE;
void watch_park(struct engine *, struct call *);  /* lock held */
void watch_leave(struct engine *, struct call *); /* lock held */
/* Those who watch this execution go from the parked to `taken`. Lock held. */
enum watch_change { WATCH_STATE, WATCH_STREAM, WATCH_EVENTS /* of no execution: exec_id {0} */ };
void watches_take(struct engine *, struct exec_id, enum watch_change, struct call_list *taken);
void watches_look_again(struct engine *); /* lock held */
void watches_drop(struct engine *, void (*drop)(struct call_list *));
/* Others commit what is waited for, and nobody tells this engine: it must look by itself. */
bool watches_blind(const struct engine *);

/* ---- gate.c: how many reads and tails of streams run at the same time (05 A.11) ---- */
/* Takes a place for operations that need one. resource_exhausted, unavailable. */
enum ff_rc gate_enter(struct engine *, enum op_id, struct ff_error *) MUST_USE;
void gate_leave(struct engine *, enum op_id);
enum ff_rc gate_configure(struct engine *, struct ff_error *) MUST_USE;

/* ---- subscribe.c: what subscriptions look at ---- */
enum ff_rc subscribe_begin(struct engine *, struct call *, struct ff_error *) MUST_USE;
/* Reads on behind what it has seen; *over when there is an answer. */
enum ff_rc subscribe_look(struct engine *, struct call *, bool *over, struct ff_error *) MUST_USE;
void subscribe_end(struct call *);

/* ---- scan.c ---- */
enum scanner_id {
  SCANNER_PROMOTE,
  SCANNER_LEASE,
  SCANNER_TIMEOUT,
  SCANNER_DEADLINE,
  SCANNER_RECLAIM,
  SCANNER_SUSPENSION,
  SCANNER_WAITPOINT,
  SCANNER_PURGE,
  SCANNER_DEPENDENCIES,
  SCANNER_SIBLINGS,
  SCANNER_DEDUP,
  SCANNER_OUTBOX,
  SCANNER_WORKERS,
  SCANNER_UNBLOCK,
  SCANNER_BUDGET_RESET,
  SCANNER_CANCELS,
  SCANNER_COUNT
};
/* Applies everything that is due at now, bounded; answers how much. */
uint32_t scan_due(struct engine *, int64_t now, uint32_t *errors);
void scan_log_failure(const struct engine *, enum scanner_id, const struct ff_error *);
/* Dedup entries, old events, dead workers: at most SWEEP_BATCH of each. As many as that: there may be more. */
#define SWEEP_BATCH 1000
uint32_t scan_sweep(struct engine *, int64_t now, uint32_t *errors);
void scan_hint(struct engine *, int64_t due_at);
/* Goes on with what cascades have left, until nothing is left (scan_flow.c). */
uint32_t scan_flow_work(struct engine *, int64_t now, uint32_t *errors);
/* The earliest time anything is due, in store time; INT64_MAX when nothing is. */
int64_t scan_next(const struct engine *);
extern const char *const scanner_names[SCANNER_COUNT];
extern const uint32_t scanner_intervals_ms[SCANNER_COUNT];

/* ---- scan_budget.c ---- */
/* Resets the budgets that are due, and unblocks those who waited for one that has something again;
 * answers how many. */
uint32_t scan_budgets(struct engine *, int64_t now, uint32_t *errors);
/* Looks at everybody who waits for a budget, bounded; answers how much it freed. *left: somebody still
 * waits. */
uint32_t scan_blocked(struct engine *, bool *left, uint32_t *errors);
/* Asks for what list_stale_budget has found to be dropped. */
void ask_budgets(struct engine *, struct call *, const void *listed);

/* ---- unblock.c ---- */
/* Looks at everything that is blocked for want of a capable worker, bounded; answers how much it freed. */
uint32_t scan_unblock(struct engine *, int64_t now, uint32_t *errors);
/* There is reason to look at `at`, in store time. */
void unblock_hint(struct engine *, int64_t at);

/* ---- service.c ---- */
enum ff_rc service_start(struct engine *, struct ff_error *) MUST_USE;
void service_stop(struct engine *);
/* A call was parked: the service thread polls for it, and ends it when it is async. Lock held. */
void service_look_by(struct engine *, const struct call *);
/* Answers due callbacks, runs deferred calls; true when there was anything. */
bool service_answer(struct engine *);
int64_t store_now(const struct engine *);

/* Direct composites (admin.c, retention.c). */
enum ff_rc trim_retention_run(struct engine *, const void *args, void *result,
                              struct ff_error *) MUST_USE;
enum ff_rc capabilities_run(struct engine *, const void *args, void *result,
                            struct ff_error *) MUST_USE;
enum ff_rc prepare_run(struct engine *, const void *args, void *result, struct ff_error *) MUST_USE;
enum ff_rc read_config_run(struct engine *, const void *args, void *result,
                           struct ff_error *) MUST_USE;
enum ff_rc list_scanners_run(struct engine *, const void *args, void *result,
                             struct ff_error *) MUST_USE;
enum ff_rc run_scanner_run(struct engine *, const void *args, void *result,
                           struct ff_error *) MUST_USE;
enum ff_rc engine_stats_run(struct engine *, const void *args, void *result,
                            struct ff_error *) MUST_USE;

/* ---- cancel_flow.c ---- */
enum ff_rc cancel_flow_run(struct engine *, const void *args, void *result,
                           struct ff_error *) MUST_USE;
enum ff_rc cancel_flow_header_run(struct engine *, const void *args, void *result,
                                  struct ff_error *) MUST_USE;
/* Cancels more members of flows that owe them: a transaction each; answers how many it ended. */
uint32_t scan_cancels(struct engine *, int64_t now, uint32_t *errors);
void cancels_hint(struct engine *, int64_t at);

/* ---- secret.c ---- */
/* The key store of waitpoint tokens gets its first secret, unless it has one (03 K-10, K-11). */
enum ff_rc secret_seed(struct engine *, struct ff_error *) MUST_USE;

/* ---- lanes.c ---- */
bool lane_known(struct engine *, struct ff_str lane, struct ff_str requirement);
void lane_learn(struct engine *, struct ff_str lane, struct ff_str requirement);
/* Registers the lanes of $FF_LANES, a comma list (01 ID-10, RC-16; 06 LN-2). */
enum ff_rc lanes_seed(struct engine *, struct ff_error *) MUST_USE;
void lanes_fini(struct engine *);

#endif
