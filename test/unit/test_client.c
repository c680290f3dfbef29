/*
 * The remote client: URLs, a server that is not there, answers that are none, connections that die
 * between calls, tokens, asynchronous calls.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "flowfabric/flowfabric.h"
#include "server/server.h"

static struct ff_error error;

static enum ff_rc open_url(const char *url, struct ff_engine **engine) {
  memset(&error, 0, sizeof error);
  return ff_open(url, NULL, engine, &error);
}

/* ---- URLs ---- */

static void bad_urls(void **state) {
  (void)state;
  static const char *const urls[] = {"http:",
                                     "http:/",
                                     "http://",
                                     "http:///",
                                     "http://?timeout_ms=1",
                                     "http://:9090",
                                     "http://a:0",
                                     "http://a:65536",
                                     "http://a:x",
                                     "http://a:",
                                     "http://a:1:2",
                                     "http://a/path",
                                     "http://user@a",
                                     "http://user:secret@a:1",
                                     "http://a b",
                                     "http://a\nb",
                                     "http://\xc3\xa9",
                                     "http://a?x=y",
                                     "http://a?timeout_ms=0",
                                     "http://a?timeout_ms=",
                                     "http://a?timeout_ms=3600001",
                                     "https://a"};
  for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
    struct ff_engine *engine = (struct ff_engine *)&error;
    if (open_url(urls[i], &engine) != FF_CONFIG || error.code != FF_CODE_config)
      fail_msg("%s: %s: %s", urls[i], ff_code_name(error.code), error.detail);
    assert_null(engine);
    assert_null(strstr(error.detail, "secret"));
  }
}

static void nobody_there(void **state) {
  (void)state;
  struct ff_engine *engine;
  assert_int_equal(open_url("http://127.0.0.1:1", &engine), FF_TRANSPORT);
  assert_int_equal(error.code, FF_CODE_transport);
  assert_non_null(strstr(error.detail, "127.0.0.1:1"));
  assert_int_equal(open_url("http://no-such-host.invalid", &engine), FF_TRANSPORT);
  assert_null(engine);
}

/* ---- a server of canned answers ---- */

#define WHO "{\"family\":\"memory\",\"version\":\"0\",\"stage\":\"x\",\"supports\":{}}"

struct canned {
  int listener;
  pthread_t thread;
  char url[64];
  const char *answers[8]; /* of one connection each; NULL ends it without one */
  int count, served;
};

static void serve_one(struct canned *c, int fd, const char *answer) {
  char octets[8192];
  ssize_t n = recv(fd, octets, sizeof octets, 0);
  if (n > 0 && answer) (void)!send(fd, answer, strlen(answer), MSG_NOSIGNAL);
  c->served++;
}

static void *serve(void *user) {
  struct canned *c = user;
  for (int i = 0; i < c->count; i++) {
    int fd = accept(c->listener, NULL, NULL);
    if (fd < 0) break;
    serve_one(c, fd, c->answers[i]);
    close(fd);
  }
  return NULL;
}

static void canned_start(struct canned *c) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t size = sizeof at;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  c->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(c->listener, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(c->listener, 16), 0);
  assert_int_equal(getsockname(c->listener, (struct sockaddr *)&at, &size), 0);
  snprintf(c->url, sizeof c->url, "http://127.0.0.1:%u?timeout_ms=2000", ntohs(at.sin_port));
  assert_int_equal(pthread_create(&c->thread, NULL, serve, c), 0);
}

static void canned_stop(struct canned *c) {
  shutdown(c->listener, SHUT_RDWR);
  pthread_join(c->thread, NULL);
  close(c->listener);
}

#define ANSWER(status, body, len) \
  "HTTP/1.1 " status "\r\nContent-Length: " len "\r\nConnection: close\r\n\r\n" body

/* What a first answer makes of ff_open. */
static void assert_open(const char *answer, enum ff_code wanted) {
  struct canned c = {.answers = {answer}, .count = 1};
  struct ff_engine *engine;
  canned_start(&c);
  enum ff_rc rc = open_url(c.url, &engine);
  canned_stop(&c);
  if (rc == FF_OK || error.code != wanted)
    fail_msg("%s -> %s: %s", answer, ff_code_name(error.code), error.detail);
  assert_null(engine);
}

static void answers_that_are_none(void **state) {
  (void)state;
  static const char *const broken[] = {
      NULL, "", "\r\n\r\n", "hello\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n" WHO,
      "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{}",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{}",
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
      ANSWER("200 OK", "[]", "2"), ANSWER("200 OK", "{\"supports\":7}", "14"),
      ANSWER("204 No Content", "", "0"), ANSWER("502 Bad Gateway", "<html>", "6")};
  for (size_t i = 0; i < ARRAY_LEN(broken); i++) assert_open(broken[i], FF_CODE_transport);
  assert_open(ANSWER("401 Unauthorized", "{}", "2"), FF_CODE_unauthorized);
  assert_open(ANSWER("503 Service Unavailable", "", "0"), FF_CODE_unavailable);
}

static struct ff_engine *open_canned(struct canned *c) {
  struct ff_engine *engine;
  canned_start(c);
  if (open_url(c->url, &engine) != FF_OK) fail_msg("%s", error.detail);
  return engine;
}

/* A kept connection that dies while a write is under way: the outcome is unknown, and said to be; a
 * read is asked again by itself. */
static void a_connection_that_dies(void **state) {
  (void)state;
  static const char keeps[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "3b\r\n" WHO "\r\n0\r\n\r\n";
  assert_int_equal(sizeof WHO - 1, 0x3b);
  struct canned c = {.answers = {keeps, ANSWER("200 OK", "{\"now_ms\":7}", "12")}, .count = 3};
  struct ff_engine *engine = open_canned(&c);
  assert_string_equal(ff_backend_label(engine), "memory");
  struct ff_server_time_ms_args time = FF_ARGS(server_time_ms);
  struct ff_server_time_ms_result now;
  assert_int_equal(ff_server_time_ms(engine, &time, &now, &error), FF_OK);
  assert_int_equal(now.now_ms, 7);
  struct ff_change_priority_args change = FF_ARGS(change_priority);
  struct ff_change_priority_result changed;
  change.execution_id = ff_text("{fp:7}:01234567-89ab-7cde-8f00-000000000001");
  assert_int_equal(ff_change_priority(engine, &change, &changed, &error), FF_TRANSPORT);
  ff_close(engine);
  canned_stop(&c);
  assert_int_equal(c.served, 3);
}

static void an_answer_that_does_not_come(void **state) {
  (void)state;
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t size = sizeof at;
  struct ff_engine *engine;
  char url[64];
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(fd, 16), 0); /* connects, and nobody accepts */
  assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
  snprintf(url, sizeof url, "http://127.0.0.1:%u?timeout_ms=200", ntohs(at.sin_port));
  assert_int_equal(open_url(url, &engine), FF_TIMEOUT);
  assert_string_equal(ff_error_context_get(&error, "op"), "http");
  close(fd);
}

/* ---- a real server ---- */

struct world {
  struct ff_engine *engine, *remote;
  struct server *server;
  struct auth auth;
  struct log log;
  char url[64];
};
static struct world world;

static enum ff_rc call_engine(void *user, const struct ff_operation *op, const void *args,
                              void (*done)(void *, enum ff_rc, void *, const struct ff_error *),
                              void *done_user, struct ff_error *e) {
  return ff_call_async(user, op, args, done, done_user, e);
}

static void start_server(void) {
  struct server_options o = SERVER_OPTIONS_INIT;
  struct sockaddr_in *address = (struct sockaddr_in *)&o.address;
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  o.address_size = sizeof *address;
  o.backend = (struct backend){world.engine, call_engine};
  o.label = "memory";
  o.auth = &world.auth;
  o.log = &world.log;
  o.idle_ms = 1000;
  world.server = httpd_start(&o, &error);
  assert_non_null(world.server);
  snprintf(world.url, sizeof world.url, "http://localhost:%u", httpd_port(world.server));
}

static int open_world(void **state) {
  (void)state;
  memset(&world, 0, sizeof world);
  assert_int_equal(open_url("memory:test-client", &world.engine), FF_OK);
  start_server();
  assert_int_equal(open_url(world.url, &world.remote), FF_OK);
  return 0;
}

static int close_world(void **state) {
  (void)state;
  ff_close(world.remote);
  assert_int_equal(ff_shutdown_prepare(world.engine, 10000, NULL), FF_OK);
  httpd_stop(world.server, 10000);
  ff_close(world.engine);
  auth_fini(&world.auth);
  return 0;
}

static void one_handle_per_url(void **state) {
  (void)state;
  struct ff_engine *again;
  assert_int_equal(open_url(world.url, &again), FF_OK);
  assert_ptr_equal(again, world.remote);
  ff_close(again);
  assert_string_equal(ff_backend_label(world.remote), "memory");
}

/* The server closes what lies idle; the next call does not notice. */
static void idle_connections(void **state) {
  (void)state;
  struct ff_ping_args args = FF_ARGS(ping);
  struct ff_ping_result result;
  for (int i = 0; i < 3; i++) {
    assert_int_equal(ff_ping(world.remote, &args, &result, &error), FF_OK);
    sleep(i == 0 ? 3 : 0);
  }
}

static void refusals_arrive_whole(void **state) {
  (void)state;
  struct ff_renew_args renewal = FF_ARGS(renew);
  struct ff_renew_result result;
  struct ff_error near, far;
  enum ff_rc rc = ff_renew(world.engine, &renewal, &result, &near);
  assert_int_equal(ff_renew(world.remote, &renewal, &result, &far), rc);
  assert_int_equal(far.code, near.code);
  assert_string_equal(far.field, near.field);
  assert_string_equal(far.detail, near.detail);
  assert_null(result.memory);
  struct ff_submit_args bad = FF_ARGS(submit);
  struct ff_submit_result submitted;
  bad.lane_id = text_of("\xff", 1);
  assert_int_equal(ff_submit(world.remote, &bad, &submitted, &error), FF_VALIDATION);
}

/* A claim without a request id gets one: repeating it by hand with another claims another. */
static void claims_carry_request_ids(void **state) {
  (void)state;
  struct ff_submit_args submit = FF_ARGS(submit);
  struct ff_submit_result submitted;
  struct ff_claim_args claim = FF_ARGS(claim);
  struct ff_claim_result first, second;
  submit.lane_id = claim.lane_id = ff_text("l");
  claim.worker_id = claim.worker_instance_id = ff_text("w");
  claim.lease_ttl_ms = 30000;
  for (int i = 0; i < 2; i++) {
    assert_int_equal(ff_submit(world.remote, &submit, &submitted, &error), FF_OK);
    ff_clear(&submitted);
  }
  assert_int_equal(ff_claim(world.remote, &claim, &first, &error), FF_OK);
  assert_int_equal(ff_claim(world.remote, &claim, &second, &error), FF_OK);
  assert_int_equal(first.outcome, FF_outcome_claimed);
  assert_int_equal(second.outcome, FF_outcome_claimed);
  assert_memory_not_equal(first.handle.opaque, second.handle.opaque, first.handle.len);
  ff_clear(&first);
  ff_clear(&second);
}

struct counted {
  _Atomic int done, fine;
};

static void count_submit(void *user, enum ff_rc rc, struct ff_submit_result *result,
                         const struct ff_error *e) {
  struct counted *c = user;
  (void)e;
  if (rc == FF_OK && result->outcome == FF_outcome_created) c->fine++;
  c->done++;
}

static void asynchronous_calls(void **state) {
  (void)state;
  struct counted c = {0};
  int taken = 0;
  for (int i = 0; i < 100; i++) {
    struct ff_submit_args args = FF_ARGS(submit);
    args.lane_id = ff_text("async");
    enum ff_rc rc = ff_submit_async(world.remote, &args, count_submit, &c, &error);
    assert_true(rc == FF_OK || error.code == FF_CODE_resource_exhausted);
    taken += rc == FF_OK;
  }
  assert_int_equal(ff_shutdown_prepare(world.remote, 60000, &error), FF_OK);
  assert_int_equal(c.done, taken);
  assert_int_equal(c.fine, taken);
  assert_true(taken > 0);
  struct ff_ping_args args = FF_ARGS(ping);
  struct ff_ping_result result;
  assert_int_equal(ff_ping(world.remote, &args, &result, &error), FF_UNAVAILABLE);
}

static void close_in_callback(void *user, enum ff_rc rc, struct ff_submit_result *result,
                              const struct ff_error *e) {
  struct counted *c = user;
  (void)result, (void)e;
  c->fine += rc == FF_OK;
  ff_close(world.remote);
  world.remote = NULL;
  c->done++;
}

static void a_callback_may_close(void **state) {
  (void)state;
  struct counted c = {0};
  struct ff_submit_args args = FF_ARGS(submit);
  args.lane_id = ff_text("close");
  assert_int_equal(ff_submit_async(world.remote, &args, close_in_callback, &c, &error), FF_OK);
  while (!c.done) usleep(1000);
  assert_int_equal(c.fine, 1);
}

/* The token comes from the environment; without it the server says who may not. */
static void tokens(void **state) {
  (void)state;
  struct ff_engine *engine;
  auth_add_token(&world.auth, ff_text("canary-token"));
  ff_close(world.remote);
  world.remote = NULL;
  unsetenv("FF_API_TOKEN");
  assert_int_equal(open_url(world.url, &engine), FF_VALIDATION);
  assert_int_equal(error.code, FF_CODE_unauthorized);
  setenv("FF_API_TOKEN", "wrong token", 1);
  assert_int_equal(open_url(world.url, &engine), FF_CONFIG);
  assert_null(strstr(error.detail, "wrong"));
  setenv("FF_API_TOKEN", "canary-token", 1);
  assert_int_equal(open_url(world.url, &engine), FF_OK);
  unsetenv("FF_API_TOKEN");
  ff_close(engine);
}

int main(void) {
#define WITH_SERVER(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
  const struct CMUnitTest tests[] = {cmocka_unit_test(bad_urls),
                                     cmocka_unit_test(nobody_there),
                                     cmocka_unit_test(answers_that_are_none),
                                     cmocka_unit_test(a_connection_that_dies),
                                     cmocka_unit_test(an_answer_that_does_not_come),
                                     WITH_SERVER(one_handle_per_url),
                                     WITH_SERVER(idle_connections),
                                     WITH_SERVER(refusals_arrive_whole),
                                     WITH_SERVER(claims_carry_request_ids),
                                     WITH_SERVER(asynchronous_calls),
                                     WITH_SERVER(a_callback_may_close),
                                     WITH_SERVER(tokens)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
