/*
 * The configuration of ff-server: environment variables, nothing else (07 §3).
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "server/server.h"

struct config {
  char url[4200]; /* of the store, "" = the default file */
  const char *backend;
  char listen[300]; /* as given */
  struct server_options server;
  struct auth auth;
  struct log log;
  struct ff_strs origins;
  bool dev_mode, open_to_all; /* FF_ALLOW_UNAUTHENTICATED */
  int64_t grace_ms;
  struct buffer problems; /* one line each */
  struct arena arena;
};
/* Reads everything, does no I/O but looking up the name to listen on. False: `problems` lists all
 * that is wrong. */
bool config_read(struct config *) MUST_USE;
void config_fini(struct config *);
/* One warning for FF_ variables nobody knows. */
void config_warn_unknown(const struct config *, char **environment);
/* Sets the variables a file lists, one NAME=VALUE a line, that are not set already; false when it
 * cannot be read or has another line. */
bool config_env_file(const char *path, char *problem, size_t size) MUST_USE;

#endif
