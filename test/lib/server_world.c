/*
 * The server of the tests: engine, tokens and listener are opened and closed with each test.
 */
#include "test/lib/server_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct world world;
struct wire_reply reply;

static enum ff_rc call_engine(void *user, const struct ff_operation *op, const void *args,
                              void (*done)(void *, enum ff_rc, void *, const struct ff_error *),
                              void *done_user, struct ff_error *e) {
  return ff_call_async(user, op, args, done, done_user, e);
}

static bool end_wait(void *user, const void *done_user) { return ff_end_wait(user, done_user); }

static void add_scoped(struct auth *auth, const char *scopes, const char *token) {
  char line[128], hex[65];
  uint8_t digest[32];
  token_digest(ff_text(token), digest);
  hex_encode(digest, 32, hex);
  snprintf(line, sizeof line, "%s:%s", scopes, hex);
  assert_true(auth_add_digest(auth, ff_text(line)));
}

void world_start(bool tokens, const struct server_options *wanted) {
  struct ff_error e;
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct server_options o = *wanted;
  struct sockaddr_in *address = (struct sockaddr_in *)&o.address;
  memset(&world, 0, sizeof world);
  options.dev_mode = true;
  assert_int_equal(ff_open("memory:test-server", &options, &world.engine, &e), FF_OK);
  if (tokens) {
    auth_add_token(&world.auth, ff_text(TOKEN));
    add_scoped(&world.auth, "read", READER);
    add_scoped(&world.auth, "read+submit+work", WORKER);
  }
  world.origin_items[0] = ff_text("https://app.example");
  world.origins = (struct ff_strs){world.origin_items, 1};
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  o.address_size = sizeof *address;
  o.backend = (struct backend){world.engine, call_engine, end_wait};
  o.label = "memory";
  o.auth = &world.auth;
  o.log = &world.log;
  o.cors_origins = &world.origins;
  world.server = httpd_start(&o, &e);
  assert_non_null(world.server);
  world.port = httpd_port(world.server);
}

void world_stop(void) {
  httpd_drain(world.server);
  assert_int_equal(ff_shutdown_prepare(world.engine, 10000, NULL), FF_OK);
  httpd_stop(world.server, 5000);
  ff_close(world.engine);
  auth_fini(&world.auth);
}

int world_open(void **state) {
  (void)state;
  world_start(false, &(struct server_options)SERVER_OPTIONS_INIT);
  return 0;
}

int world_open_guarded(void **state) {
  (void)state;
  world_start(true, &(struct server_options)SERVER_OPTIONS_INIT);
  return 0;
}

int world_close(void **state) {
  (void)state;
  world_stop();
  return 0;
}

/* ---- asking ---- */

int ask(const char *line, const char *headers, const char *body) {
  struct buffer request;
  buffer_init(&request);
  buffer_printf(&request, "%s HTTP/1.1\r\nHost: localhost\r\n%s", line, headers);
  if (body) buffer_printf(&request, "Content-Length: %zu\r\n", strlen(body));
  buffer_printf(&request, "\r\n%s", body ? body : "");
  int fd = wire_connect(world.port);
  wire_send(fd, request.ptr, request.len);
  if (strncmp(line, "HEAD ", 5) == 0) wire_read_head(fd, &reply);
  else wire_read(fd, &reply);
  wire_close(fd);
  buffer_fini(&request);
  return reply.status;
}

void assert_ask(const char *line, const char *headers, const char *body, int status,
                       const char *part) {
  int got = ask(line, headers, body);
  if (got != status || (part && !strstr(reply.text, part)))
    fail_msg("%s\n%s\n%s\n-> wanted %d with `%s`, got %d:\n%s", line, headers, body ? body : "",
             status, part ? part : "", got, reply.text);
}
