/*
 * A server over a memory store for tests, with tokens or without, and questions to it.
 */
#ifndef TEST_LIB_SERVER_WORLD_H
#define TEST_LIB_SERVER_WORLD_H

#include "flowfabric/flowfabric.h"
#include "server/server.h"
#include "test/lib/wire_client.h"

#define TOKEN "secret-token-of-all-scopes"
#define READER "reader-token"
#define WORKER "worker-token"
#define JSON "Content-Type: application/json\r\n"
#define EID "{fp:7}:01234567-89ab-7cde-8f00-000000000001"

#define AS(token) JSON "Authorization: Bearer " token "\r\n"

/* The tests run one at a time. */
struct world {
  struct ff_engine *engine;
  struct server *server;
  struct auth auth;
  struct ff_strs origins;
  struct ff_str origin_items[2];
  struct log log;
  uint16_t port;
};
extern struct world world;
extern struct wire_reply reply; /* the last answer */

void world_start(bool tokens, const struct server_options *);
/* Drains and closes all. */
void world_stop(void);
/* For cmocka. */
int world_open(void **state);
int world_open_guarded(void **state);
int world_close(void **state);
/* `method target` with header lines and a body on a connection of its own; the status. */
int ask(const char *line, const char *headers, const char *body);
/* The same; fails the test unless the status is that and the answer has the part (NULL: any). */
void assert_ask(const char *line, const char *headers, const char *body, int status,
                const char *part);

#endif
