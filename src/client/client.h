/*
 * An engine in another process, reached over HTTP: the same calls through POST /v1/ops/{operation}.
 *
 * Free-threaded. A blocking call uses one connection of a pool; an asynchronous one a thread.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "op/op.h"

struct client;

/* Does a URL name a server? */
bool client_takes(struct ff_str url);
/* http://HOST[:PORT][?timeout_ms=N]. The token is $FF_API_TOKEN. Asks the server once who it is.
 * Errors: config, transport (nobody answers there), unauthorized. */
enum ff_rc client_open(struct ff_str url, const struct ff_open_options *, struct client **,
                       struct ff_error *) MUST_USE;
/* Waits for the calls under way. */
void client_close(struct client *);
/* Is this a thread that calls back, in a callback? */
bool client_in_callback(void);
/* Refuses new calls; false when calls are still under way after grace_ms. */
bool client_quiesce(struct client *, int64_t grace_ms);

enum ff_rc client_call(struct client *, enum op_id, const void *args, void *result,
                       struct ff_error *) MUST_USE;
typedef void client_done_fn(void *user, enum ff_rc, void *result, const struct ff_error *);
enum ff_rc client_call_async(struct client *, enum op_id, const void *args, client_done_fn *,
                             void *user, struct ff_error *) MUST_USE;
/* The store behind the server: its backend label. */
const char *client_label(const struct client *);
/* Tests that compare stores to the last octet: mints no request ids. */
void client_mints_no_ids(struct client *);

#endif
