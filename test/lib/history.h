/*
 * Random histories: operations drawn by seeded dice over a small world, the same every time for the
 * same seed and answers.
 *
 * A history is what one client side knows: fixed execution ids that repeat, a few lanes and
 * workers, the handles, fences, grants, keys and times it has learned from answers, stale ones
 * included. It calls nothing itself: a driver (differential, simulator) draws a call, runs it
 * against whatever it likes and hands the answer back.
 */
#ifndef TEST_LIB_HISTORY_H
#define TEST_LIB_HISTORY_H

#include "op/op.h"

#define HISTORY_START INT64_C(1700000000000)
#define HISTORY_LANES 3
#define HISTORY_WORKERS 5

struct history;

struct history_options {
  uint64_t seed;
  bool waits;   /* claims may wait and wait_execution may time out: for drivers whose calls may stay
                   open */
  bool reads;   /* also draw operations that never write */
  bool spoils;  /* now and then spoils one argument: absent, far too long, out of range, a forged
                   handle */
  bool signals; /* every other call is one of suspension and signals */
  bool strands; /* also policies that only an operator ends: auto-reclaim off, capabilities nobody
                   offers */
};

/* One call as it would be sent, and sent again. Counted references. */
struct history_call {
  enum op_id op;
  uint32_t number; /* 1, 2 … in drawing order; a repeat keeps its first */
  uint32_t references;
  void *args; /* struct ff_<op>_args; everything lives in arena */
  struct arena arena;
};

struct history *history_new(const struct history_options *);
void history_free(struct history *);
/* The next call, or an earlier one once more; the caller has a reference. now is the client's
 * clock. */
struct history_call *history_next(struct history *, int64_t now);
/* A call of this very operation. */
struct history_call *history_draw(struct history *, enum op_id, int64_t now);
struct history_call *history_call_keep(struct history_call *);
void history_call_release(struct history_call *);
/* What came back. result is a struct ff_<op>_result, NULL on an error. */
void history_learn(struct history *, const struct history_call *, const void *result);
/* A later time: a little, a while, or around something that falls due. */
int64_t history_later(struct history *, int64_t now);
/* The worker behind the newest handles is gone: nobody will use them but by mistake. */
void history_forget_worker(struct history *);
/* 0 … bound - 1 */
uint32_t history_dice(struct history *, uint32_t bound);

const char *history_lane(uint32_t index);
/* A worker everything can be given to. */
struct ff_strs history_all_capabilities(void);

/* One answer as text, errors included: what every store must agree on. */
void history_print_answer(enum op_id, enum ff_rc, const void *result, const struct ff_error *,
                          struct buffer *out);
/* `name member=value …` */
void history_print_call(const struct history_call *, struct buffer *out);

#endif
