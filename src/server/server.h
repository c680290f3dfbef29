/*
 * The HTTP server: what its parts hand to each other. It is a program above the public API: it calls
 * operations by their descriptions and knows none by itself.
 *
 *   main.c, config.c  environment and flags, boot, signals, drain
 *   server.c          listening, threads, the life of connections
 *   connection.c      one connection: head, body, call, answer
 *   request.c         what a request asks for and whether it may
 *   auth.c, scope.c   tokens; what an operation needs
 *   answer.c, log.c   answers; structured lines
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/base.h"
#include "base/error.h"
#include "flowfabric/engine.h"

#include <netinet/in.h>

/* ---- log lines ---- */

struct log {
  enum ff_log_level level; /* what is less urgent is left out */
  bool json;
  FILE *out; /* NULL: nothing is written */
};
struct log_field {
  const char *name;
  struct ff_str value;
};
/* One line. Any thread. Secrets never come here. */
void log_write(const struct log *, enum ff_log_level, const char *target, const char *message,
               const struct log_field *fields, size_t count);

/* ---- tokens ---- */

enum scope { SCOPE_READ = 1, SCOPE_SUBMIT = 2, SCOPE_WORK = 4, SCOPE_ADMIN = 8, SCOPE_ALL = 15 };
struct token {
  uint8_t digest[32]; /* SHA-256 of the token */
  unsigned scopes;
};
struct auth {
  struct token *tokens;
  size_t count; /* 0: authentication is off */
};
/* Adds the token itself, of all scopes. */
void auth_add_token(struct auth *, struct ff_str token);
/* Adds `scope[+scope…]:<64 hex digits>`; false when it is not of that form. */
bool auth_add_digest(struct auth *, struct ff_str line) MUST_USE;
/* The scopes of an Authorization header, 0 when no token is that one. */
unsigned auth_scopes(const struct auth *, struct ff_str header);
void auth_fini(struct auth *);
/* The name of one scope; the scope of a name, 0 for none. */
const char *scope_name(enum scope);
unsigned scope_named(struct ff_str name);
/* What a caller needs for an operation. */
enum scope scope_of(const struct ff_operation *);
void token_digest(struct ff_str token, uint8_t out[32]);

/* ---- options ---- */

/* How operations are called; ff_call_async but in tests. */
struct backend {
  void *user;
  enum ff_rc (*call)(void *user, const struct ff_operation *, const void *args,
                     void (*done)(void *, enum ff_rc, void *, const struct ff_error *),
                     void *done_user, struct ff_error *);
  /* Ends the wait of that call, if it waits: ff_end_wait. NULL: it waits on. */
  bool (*end_wait)(void *user, const void *done_user);
};
struct server_options {
  struct backend backend;
  const char *label; /* of the store */
  struct sockaddr_storage address;
  socklen_t address_size;
  const struct auth *auth;
  const struct log *log;
  const struct ff_strs *cors_origins; /* NULL or empty: none; "*": any */
  bool no_metrics; /* /metrics answers 404 */
  uint32_t threads, connections;
  size_t body_max, many_max; /* of a request's body; of a many-form's */
  int head_ms, body_ms, idle_ms, write_ms; /* a head; between octets of a body; keep-alive; stalls */
};
/* 07 H-9, H-13, G-28. */
#define SERVER_OPTIONS_INIT                                                          \
  {                                                                                  \
    .threads = 2, .connections = 20000, .body_max = 1048576, .many_max = 8388608,    \
    .head_ms = 10000, .body_ms = 30000, .idle_ms = 75000, .write_ms = 60000          \
  }

struct server;
/* Binds, listens, starts the threads. NULL: the error says why. What options point to stays until
 * httpd_stop. */
struct server *httpd_start(const struct server_options *, struct ff_error *) MUST_USE;
uint16_t httpd_port(const struct server *);
/* No new connections; idle ones are closed, the others after their answer; /readyz says 503. */
void httpd_drain(struct server *);
/* Waits until all connections are closed, at most so long; then ends the threads. The backend must
 * have answered every call (ff_shutdown_prepare). */
void httpd_stop(struct server *, int64_t grace_ms);

#endif
