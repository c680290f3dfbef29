/*
 * Hints of stores that live in servers: told at once to the stores this process has open on the same
 * place, and to other processes by a message. Part of every module: must need nothing but base.
 *
 * One thread for each store that listens, with a connection of its own: it sends what was noted,
 * coalesced and off the write path, and hears the others. A hint may be lost with its connection;
 * nothing rests on it.
 */
#ifndef STORE_HINTS_H
#define STORE_HINTS_H

#include "store/store.h"

/* How messages travel. All are called by the hints' own thread only. */
struct hints_link {
  /* A connection that hears the channel; NULL = not now. */
  void *(*connect)(struct store *, const char *channel);
  /* False: the connection is lost. */
  bool (*tell)(void *connection, const char *channel, const char *payload);
  /* Takes what has arrived, without waiting for more. False: the connection is lost. */
  bool (*receive)(void *connection, void (*take)(void *user, const char *payload), void *user);
  int (*socket)(void *connection);
  void (*disconnect)(void *connection);
};

struct hints;
/* `server` and `name` are equal for two stores of a process when they hold the same data. The name
 * alone makes the channel: processes may spell the address of one server differently. */
struct hints *hints_new(struct store *, const struct hints_link *, const char *server,
                        const char *name);
/* Drops its listeners, sends what is noted if it can, ends the thread. NULL is fine. */
void hints_free(struct hints *);
/* As in store.h. Listeners are called under a lock and only set flags. */
void hints_listen(struct hints *, store_hint_fn, void *user);
void hints_unlisten(struct hints *, const void *user);
void hints_notify(struct hints *, const void *sender_user, const struct store_hint *hints,
                  uint32_t count);

#endif
