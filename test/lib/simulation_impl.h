/*
 * The insides of a simulation, shared by test/lib/simulation*.c only.
 */
#ifndef TEST_LIB_SIMULATION_IMPL_H
#define TEST_LIB_SIMULATION_IMPL_H

#include "engine/engine.h"
#include "op/values.h"
#include "test/lib/history.h"
#include "test/lib/oracle.h"
#include "test/lib/simulation.h"

#define RIVALS_MAX 3
#define CLIENTS 6

struct simulation;
struct client;

/* One sending of a call. It ends with an answer or with its engine. */
struct copy {
  struct copy *next, **link;
  struct simulation *sim;
  struct client *client; /* who waits for it; NULL = nobody any more */
  struct history_call *call;
};

struct rival {
  struct simulation *sim;
  struct engine *engine; /* NULL = crashed */
  int64_t skew_ms;       /* its clock runs ahead of the world's; only jumps forward */
  struct copy *copies;   /* under way in it */
  uint32_t incarnation;
};

struct client {
  struct history_call *call; /* NULL = idle */
  struct copy *copy;         /* NULL = to be sent (again) */
  uint32_t tries;
};

/* In percent of the store calls. */
struct weather {
  uint8_t fetch, apply, conflict, unknown;
};

struct simulation {
  struct simulation_options options;
  struct simulation_result *result;
  uint64_t state; /* dice */
  int64_t now;
  char url[96];
  struct rival rivals[RIVALS_MAX];
  uint32_t rival_count;
  struct client clients[CLIENTS];
  struct weather weather;
  struct history *history;
  struct store *store; /* the oracle's own way in */
  struct oracle *oracle;
  uint32_t talk; /* steps in a thousand that are a client's */
  uint32_t copies;
  bool stopped; /* something is wrong */
  bool draining;
};

uint64_t sim_bits(struct simulation *);
uint32_t sim_dice(struct simulation *, uint32_t bound);
/* In a thousand. */
static inline bool sim_chance(struct simulation *s, uint32_t permille) {
  return sim_dice(s, 1000) < permille;
}
void sim_mix(struct simulation *, uint64_t value);
void sim_trace(struct simulation *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Records what went wrong, the oracle's complaint when format is NULL; answers false. */
bool sim_fail(struct simulation *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What the oracle says of the last step. */
bool sim_follow(struct simulation *);

/* ---- simulation_rivals.c ---- */
void rival_open(struct rival *);
void rival_count(struct rival *);
/* Dies where it is: what it holds is lost, what it applied stays. */
void rival_crash(struct rival *);
/* One step, then the oracle; false when there was nothing to do. */
bool rival_step(struct rival *);
struct rival *rival_any(struct simulation *); /* one that lives */
void weather_change(struct simulation *);

/* ---- simulation_clients.c ---- */
/* Sends what a client has to send, or draws it something new; false when nobody has anything to do.
 */
bool client_act(struct simulation *);
/* The engine of these copies is gone: their clients notice some day. */
void copies_lose(struct rival *);

/* ---- simulation_drain.c ---- */
/* Faults have stopped: hooks and claims alone must end everything (L-196), and retention remove it.
 */
bool sim_drain(struct simulation *);

#endif
