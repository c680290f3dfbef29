/*
 * Server and client around a hand-driven engine: the server's thread calls it, while the script
 * waits for the answer.
 */
#include "test/lib/script_http.h"

#include "client/client.h"
#include "server/server.h"

#include <stdlib.h>

struct script_http {
  struct engine *const *engine;
  struct server *server;
  struct client *client;
  struct auth auth;
  struct log log;
};

static enum ff_rc call(void *user, const struct ff_operation *op, const void *args,
                       void (*done)(void *, enum ff_rc, void *, const struct ff_error *),
                       void *done_user, struct ff_error *e) {
  struct script_http *h = user;
  size_t count;
  (void)e;
  enum op_id id = (enum op_id)(op - ff_operations(&count));
  void *result = heap_zalloc(op->result->size);
  struct ff_error error = {.retry_after_ms = -1};
  enum ff_rc rc = engine_call(*h->engine, id, args, result, &error);
  done(done_user, rc, result, &error);
  ff_clear(result);
  free(result);
  return FF_OK;
}

struct script_http *script_http_open(struct engine *const *engine) {
  struct script_http *h = heap_zalloc(sizeof *h);
  struct server_options o = SERVER_OPTIONS_INIT;
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct sockaddr_in *address = (struct sockaddr_in *)&o.address;
  struct ff_error e = {0};
  char url[64];
  h->engine = engine;
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  o.address_size = sizeof *address;
  o.backend = (struct backend){h, call};
  o.label = "memory";
  o.auth = &h->auth;
  o.log = &h->log;
  o.threads = 1;
  o.body_max = o.many_max = 64u << 20; /* the limits of the engine are the script's affair */
  h->server = httpd_start(&o, &e);
  snprintf(url, sizeof url, "http://127.0.0.1:%u", h->server ? httpd_port(h->server) : 0);
  if (h->server && client_open(ff_text(url), &options, &h->client, &e) == FF_OK) {
    client_mints_no_ids(h->client);
    return h;
  }
  fprintf(stderr, "no server for a script: %s: %s\n", ff_code_name(e.code), e.detail);
  script_http_close(h);
  return NULL;
}

void script_http_close(struct script_http *h) {
  if (!h) return;
  if (h->client) client_close(h->client);
  if (h->server) httpd_stop(h->server, 10000);
  auth_fini(&h->auth);
  free(h);
}

enum ff_rc script_http_call(struct script_http *h, enum op_id op, const void *args, void *result,
                            struct ff_error *e) {
  return client_call(h->client, op, args, result, e);
}
