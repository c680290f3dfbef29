/*
 * The inside of the remote client: connections and their pool.
 */
#ifndef CLIENT_IMPL_H
#define CLIENT_IMPL_H

#include "client/client.h"
#include "wire/http.h"
#include "wire/wire.h"

#include <pthread.h>
#include <stdatomic.h>

#define POOL_MAX 64 /* idle connections kept */

/* A connection lies idle at most so long: less than the server keeps it. */
#define POOL_IDLE_MS 30000

struct idle {
  int fd;
  int64_t since_ms;
};

struct client {
  char host[256], port[8];
  char *token; /* NULL: none */
  char label[32];
  int64_t timeout_ms;
  uint32_t async_limit;
  bool mints_ids;
  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t quiet; /* the last call has ended */
  struct idle idle[POOL_MAX];
  uint32_t idle_count, under_way, threads;
  bool closing;
  _Atomic uint64_t id_seed;
};

/* ---- transport.c ---- */
/* What one exchange brought back. */
struct answer {
  int status;
  struct buffer body;
};
/* Sends a request and reads its answer. `again`: the request may be sent a second time when a pooled
 * connection turns out to be dead. 0, or transport or timeout. */
enum ff_rc transport_post(struct client *, const char *path, struct ff_str body, int64_t timeout_ms,
                          bool again, struct answer *, struct ff_error *) MUST_USE;
/* Closes the idle connections. Lock held. */
void transport_drop_idle(struct client *);

#endif
