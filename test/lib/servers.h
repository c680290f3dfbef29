/*
 * Private servers for tests: PostgreSQL, Valkey, Redis and a Valkey cluster of three masters and
 * three replicas, on free loopback ports with a password of their own, data below the working
 * directory. They die with the process that started them, however it dies. Start them from the
 * main thread: Linux ties them to the thread that forked.
 */
#ifndef TEST_LIB_SERVERS_H
#define TEST_LIB_SERVERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a test program answers that could not run: ctest's SKIP_RETURN_CODE. */
#define SERVER_SKIP 77
#define SERVER_NODES 6

enum server_kind { SERVER_POSTGRES, SERVER_VALKEY, SERVER_REDIS, SERVER_CLUSTER, SERVER_KINDS };

struct server {
  enum server_kind kind;
  uint32_t node_count;
  uint16_t port[SERVER_NODES], bus_port[SERVER_NODES];
  pid_t pid[SERVER_NODES]; /* 0: not running */
  char password[33];
  char directory[512];
  char url[256];    /* of the first node, with user and password */
  char reason[512]; /* why it did not start */
};

const char *server_name(enum server_kind kind);
/* Is the program of that kind installed on this machine? */
bool server_installed(enum server_kind kind);
/* Starts it with empty data and waits until it answers. False: `reason` says why, and nothing is left behind. */
bool server_start(struct server *s, enum server_kind kind);
/* The same for a standby that follows a PostgreSQL server, and for a PgBouncer in front of one (pool_mode
 * "session" or "transaction"). Both take user and password of that server. */
bool server_start_standby(struct server *s, const struct server *primary);
bool server_start_pooler(struct server *s, const struct server *behind, const char *pool_mode);
bool server_pooler_installed(void);
/* Kills every node and removes the data. Also right for one that did not start. */
void server_stop(struct server *s);
/* A signal to a node as it is; SIGKILL also waits for its end. */
void server_signal(struct server *s, uint32_t node, int signal);
/* Starts a killed node again on its data and its port. */
bool server_restart(struct server *s, uint32_t node);
/* Sends inline commands (each ended by \r\n) to a Valkey or Redis node and waits until `want` is part of the answer. */
bool server_ask(const struct server *s, uint32_t node, const char *commands, const char *want);
/* The exit code of a test whose server is not installed: SERVER_SKIP, said loudly; a failure under CI=true. */
int server_missing(enum server_kind kind);

#endif
