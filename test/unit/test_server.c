/*
 * The HTTP server over a socket: routes, tokens, hosts, limits, slow clients, drain; and a corpus of
 * requests that are none.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/lib/server_world.h"

static void fixed_routes(void **state) {
  (void)state;
  assert_ask("GET /healthz", "", NULL, 200, "{\"status\":\"ok\"}");
  assert_ask("GET /healthz?x=y", "", NULL, 200, "{\"status\":\"ok\"}");
  assert_ask("HEAD /healthz", "", NULL, 200, "Content-Length: 15\r\n");
  assert_string_equal(reply.body, "");
  assert_ask("GET /readyz", "", NULL, 200, "{\"status\":\"ready\",\"backend\":\"memory\"}");
  assert_ask("POST /healthz", JSON, "{}", 405, "Allow: GET, HEAD\r\n");
  assert_ask("GET /v1/ops/ping", "", NULL, 405, "Allow: POST\r\n");
  assert_ask("GET /", "", NULL, 404, "no such route");
  assert_ask("GET /healthz/", "", NULL, 404, NULL);
  assert_ask("GET /Healthz", "", NULL, 404, NULL);
  assert_ask("POST /v1/ops/no_such", JSON, "{}", 404, NULL);
  assert_ask("POST /v1/ops/", JSON, "{}", 404, NULL);
}

/* 07 §4.1: M-1, M-2; the metrics do not count themselves. */
static void metrics(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) assert_ask("GET /healthz", "", NULL, 200, NULL);
  assert_ask("POST /v1/ops/ping", JSON, "{}", 200, NULL);
  assert_ask("FOO /nowhere/{x}", "", NULL, 404, NULL);
  for (int i = 0; i < 2; i++)
    assert_ask("GET /metrics", "", NULL, 200,
               "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
  static const char *const lines[] = {
      "\nff_http_requests_total{method=\"GET\",path=\"/healthz\",status=\"200\"} 3\n",
      "\nff_http_requests_total{method=\"POST\",path=\"/v1/ops/{operation}\",status=\"200\"} 1\n",
      "\nff_http_requests_total{method=\"OTHER\",path=\"unknown\",status=\"404\"} 1\n",
      "\nff_http_request_duration_seconds_bucket{method=\"GET\",path=\"/healthz\",status=\"200\","
      "le=\"+Inf\"} 3\n",
      "\nff_http_request_duration_seconds_count{method=\"GET\",path=\"/healthz\","
      "status=\"200\"} 3\n",
      "\nff_build_info{version=\"0.1.0\",backend=\"memory\"} 1\n"};
  for (size_t i = 0; i < ARRAY_LEN(lines); i++)
    if (!strstr(reply.body, lines[i])) fail_msg("%s is not in\n%s", lines[i], reply.body);
  assert_null(strstr(reply.body, "/metrics"));
  assert_null(strstr(reply.body, "nowhere"));
}

static void metrics_off(void **state) {
  (void)state;
  struct server_options o = SERVER_OPTIONS_INIT;
  o.no_metrics = true;
  world_start(false, &o);
  assert_ask("GET /metrics", "", NULL, 404, NULL);
  world_stop();
}

/* 07 H-16 */
static void request_ids(void **state) {
  (void)state;
  assert_ask("GET /healthz", "X-Request-Id: mine-7\r\n", NULL, 200, "X-Request-Id: mine-7\r\n");
  assert_ask("GET /healthz", "X-Request-Id: a b\r\n", NULL, 200, "X-Request-Id: ");
  assert_null(strstr(reply.text, "a b"));
  assert_ask("GET /nowhere", "", NULL, 404, "X-Request-Id: ");
}

static void operations(void **state) {
  (void)state;
  assert_ask("POST /v1/ops/create_execution", JSON,
             "{\"execution_id\":\"" EID "\",\"lane_id\":\"a\",\"input_payload\":\"aGk=\"}", 200,
             "{\"Created\":{\"execution_id\":\"" EID "\",\"public_state\":\"waiting\"}}");
  assert_ask("POST /v1/ops/create_execution", JSON, "{\"execution_id\":\"" EID "\"}", 200,
             "{\"Duplicate\":{");
  assert_ask("POST /v1/ops/read_execution_context", JSON, "{\"execution_id\":\"" EID "\"}", 200,
             "\"input_payload\":\"aGk=\"");
  assert_ask("POST /v1/ops/ping", "Content-Type: Application/X+JSON ; charset=utf-8\r\n", "{}", 200,
             NULL);
  assert_ask("POST /v1/ops/claim_task", JSON,
             "{\"lane_ids\":[\"a\"],\"worker_id\":\"w\",\"worker_instance_id\":\"i\","
             "\"lease_ttl_ms\":30000}",
             200, "Cache-Control: no-store\r\n");
  assert_non_null(strstr(reply.body, "\"opaque\""));
  assert_ask("POST /v1/ops/claim_task", JSON,
             "{\"lane_ids\":[\"a\"],\"worker_id\":\"w\",\"worker_instance_id\":\"i\","
             "\"lease_ttl_ms\":30000}",
             200, "\"None\"");
}

/* 07 H-4 … H-8, §1.5 */
static void bad_bodies(void **state) {
  (void)state;
  assert_ask("POST /v1/ops/ping", "", "{}", 415, "invalid JSON: Unsupported Media Type");
  assert_ask("POST /v1/ops/ping", "Content-Type: text/plain\r\n", "{}", 415, NULL);
  assert_ask("POST /v1/ops/ping", "Content-Type: application/jsonx\r\n", "{}", 415, NULL);
  assert_ask("POST /v1/ops/ping", JSON JSON, "{}", 415, NULL);
  assert_ask("POST /v1/ops/ping", JSON, NULL, 400, "invalid JSON: Bad Request");
  assert_ask("POST /v1/ops/ping", JSON, "", 400, "invalid JSON: Bad Request");
  assert_ask("POST /v1/ops/ping", JSON, "{", 400, "invalid JSON: Bad Request");
  assert_ask("POST /v1/ops/ping", JSON, "{}{}", 400, "invalid JSON: Bad Request");
  assert_ask("POST /v1/ops/ping", JSON, "[]", 422, "invalid JSON: Unprocessable Entity");
  assert_ask("POST /v1/ops/change_priority", JSON, "{\"new_priority\":\"1\"}", 422,
             "\"context\":{\"field\":\"new_priority\"}");
  assert_ask("POST /v1/ops/change_priority", JSON, "{\"execution_id\":\"x\"}", 400,
             "\"code\":\"invalid_input\"");
  assert_ask("POST /v1/ops/change_priority", JSON,
             "{\"execution_id\":\"" EID "\",\"new_priority\":1}", 404,
             "{\"error\":\"not found: execution\",\"code\":\"execution_not_found\"");
}

/* 07 H-9 … H-11 */
static void bodies_too_large(void **state) {
  (void)state;
  struct buffer headers;
  assert_ask("POST /v1/ops/ping", JSON "Content-Length: 1048577\r\n", NULL, 413,
             "{\"error\":\"payload_too_large\",\"limit_bytes\":1048576,"
             "\"route\":\"/v1/ops/{operation}\"}");
  assert_non_null(strstr(reply.text, "Connection: close\r\n"));
  assert_ask("POST /v1/ops/ping", JSON "Transfer-Encoding: chunked\r\n\r\n100001\r\n", NULL, 413,
             NULL);
  assert_ask("GET /healthz", "Content-Length: 65537\r\n", NULL, 413, "\"limit_bytes\":65536");
  buffer_init(&headers);
  for (int i = 0; i < 2000; i++) buffer_append_c(&headers, "X-Filler: 0123456789\r\n");
  assert_ask("GET /healthz", buffer_text(&headers).ptr, NULL, 431, NULL);
  buffer_fini(&headers);
}

static void chunked_bodies(void **state) {
  (void)state;
  assert_ask("POST /v1/ops/ping",
             JSON "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n", NULL, 200, NULL);
  assert_ask("POST /v1/ops/ping", JSON "Transfer-Encoding: chunked\r\n\r\nzz\r\n", NULL, 400,
             "Connection: close\r\n");
}

/* One connection, many requests, also before the answers are read; octet by octet too. */
static void keep_alive(void **state) {
  (void)state;
  static const char two[] =
      "POST /v1/ops/ping HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 2\r\n\r\n{}"
      "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  int fd = wire_connect(world.port);
  for (int round = 0; round < 3; round++) {
    if (round < 2) wire_send(fd, two, sizeof two - 1);
    else
      for (size_t i = 0; i < sizeof two - 1; i++) wire_send(fd, two + i, 1);
    wire_read(fd, &reply);
    assert_int_equal(reply.status, 200);
    wire_read(fd, &reply);
    assert_string_equal(reply.body, "{\"status\":\"ok\"}");
  }
  static const char last[] = "GET /healthz HTTP/1.0\r\n\r\n";
  wire_send(fd, last, sizeof last - 1);
  wire_read(fd, &reply);
  assert_true(wire_is_closed(fd));
  wire_close(fd);
}

/* A refused request whose body is here does not cost the connection; one whose body is not does. */
static void refusals_keep_the_order(void **state) {
  (void)state;
  static const char here[] =
      "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nGET /"
      "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  static const char not_here[] =
      "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nGET /";
  int fd = wire_connect(world.port);
  wire_send(fd, here, sizeof here - 1);
  wire_read(fd, &reply);
  assert_int_equal(reply.status, 404);
  wire_read(fd, &reply);
  assert_int_equal(reply.status, 200);
  wire_send(fd, not_here, sizeof not_here - 1);
  wire_read(fd, &reply);
  assert_int_equal(reply.status, 404);
  assert_true(wire_is_closed(fd));
  wire_close(fd);
}

static void expect_continue(void **state) {
  (void)state;
  static const char head[] = "POST /v1/ops/ping HTTP/1.1\r\nHost: localhost\r\n" JSON
                             "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  int fd = wire_connect(world.port);
  wire_send(fd, head, sizeof head - 1);
  wire_read(fd, &reply);
  assert_int_equal(reply.status, 100);
  wire_send(fd, "{}", 2);
  wire_read(fd, &reply);
  assert_int_equal(reply.status, 200);
  wire_close(fd);
}

/* ---- who may (DESIGN §10, closed by default; 07 §1.6) ---- */

static void hosts_and_origins(void **state) {
  (void)state;
  static const char *const near[] = {"localhost", "LOCALHOST:9090", "127.0.0.1", "127.1.2.3:80",
                                     "[::1]", "[::1]:9090"};
  static const char *const far[] = {"example.com", "localhost.example.com", "10.0.0.1",
                                    "127.0.0.1.example.com", "1270.0.0.1", "[::2]", "128.0.0.1"};
  char request[300];
  for (size_t i = 0; i < ARRAY_LEN(near) + ARRAY_LEN(far); i++) {
    bool is_near = i < ARRAY_LEN(near);
    const char *host = is_near ? near[i] : far[i - ARRAY_LEN(near)];
    int n = snprintf(request, sizeof request, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", host);
    int fd = wire_connect(world.port);
    wire_send(fd, request, (size_t)n);
    wire_read(fd, &reply);
    wire_close(fd);
    if (reply.status != (is_near ? 200 : 403)) fail_msg("%s: %d", host, reply.status);
  }
  assert_ask("GET /healthz", "Origin: http://localhost\r\n", NULL, 200, NULL);
  assert_ask("GET /healthz", "Origin: http://localhost:3000\r\n", NULL, 403, NULL);
  assert_ask("GET /healthz", "Origin: http://evil.example\r\n", NULL, 403, NULL);
  assert_ask("GET /healthz", "Origin: null\r\n", NULL, 403, NULL);
  assert_ask("GET /healthz", "Origin: https://app.example\r\n", NULL, 200,
             "Access-Control-Allow-Origin: https://app.example\r\n");
  assert_ask("GET /healthz", "Forwarded: for=127.0.0.1\r\n", NULL, 403, NULL);
  assert_ask("GET /healthz", "X-Forwarded-For: 127.0.0.1\r\n", NULL, 403, NULL);
}

static void tokens(void **state) {
  (void)state;
  static const char *const bad[] = {"",
                                    "Authorization: Basic " TOKEN "\r\n",
                                    "Authorization: Bearer\r\n",
                                    "Authorization: Bearer \r\n",
                                    "Authorization: Bearer x\r\n",
                                    "Authorization: Bearer " TOKEN "x\r\n",
                                    "Authorization: Bearer  " TOKEN "\r\n",
                                    "Authorization: Bearer " TOKEN "\r\n"
                                    "Authorization: Bearer " TOKEN "\r\n",
                                    "Authorization: " TOKEN "\r\n"};
  char headers[400];
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    snprintf(headers, sizeof headers, "%s%s", JSON, bad[i]);
    assert_ask("POST /v1/ops/ping", headers, "{}", 401,
               "{\"error\":\"missing or invalid Authorization header\"}");
    assert_non_null(strstr(reply.text, "WWW-Authenticate: Bearer\r\n"));
    assert_ask("GET /nowhere", bad[i], NULL, 401, NULL);
  }
  assert_ask("POST /v1/ops/ping", JSON "Authorization: bEARER " TOKEN "\r\n", "{}", 200, NULL);
  assert_ask("GET /nowhere", "Authorization: Bearer " TOKEN "\r\n", NULL, 404, NULL);
  assert_ask("GET /healthz", "", NULL, 200, NULL);
  assert_ask("GET /readyz", "", NULL, 200, NULL);
  assert_ask("GET /metrics", "", NULL, 200, NULL);
  /* 401 before 413 before 415 (07 H-12) */
  assert_ask("POST /v1/ops/ping", "Content-Length: 9999999\r\n", NULL, 401, NULL);
  assert_ask("POST /v1/ops/ping", "Content-Length: 9999999\r\nAuthorization: Bearer " TOKEN "\r\n",
             NULL, 413, NULL);
}

static void scopes(void **state) {
  (void)state;
  assert_ask("POST /v1/ops/server_time_ms", AS(READER), "{}", 200, NULL);
  assert_ask("POST /v1/ops/capabilities", AS(READER), "{}", 200, NULL);
  assert_ask("POST /v1/ops/submit", AS(READER), "{}", 403, "lacks the scope submit");
  assert_ask("POST /v1/ops/claim_task", AS(READER), "{}", 403, "lacks the scope work");
  assert_ask("POST /v1/ops/read_waitpoint_token", AS(READER), "{}", 403, "lacks the scope work");
  assert_ask("POST /v1/ops/run_scanner", AS(WORKER), "{}", 403, "lacks the scope admin");
  assert_ask("POST /v1/ops/submit", AS(WORKER), "{\"lane_id\":\"s\"}", 200, "{\"Created\":");
  assert_ask("POST /v1/ops/list_scanners", AS(TOKEN), "{}", 200, NULL);
}

/* Fence credentials are for the work scope. */
static void credentials(void **state) {
  (void)state;
  static const char claim[] =
      "{\"lane_ids\":[\"c\"],\"worker_id\":\"w\",\"worker_instance_id\":\"i\","
      "\"lease_ttl_ms\":30000}";
  assert_ask("POST /v1/ops/create_execution", AS(WORKER),
             "{\"execution_id\":\"" EID "\",\"lane_id\":\"c\"}", 200, NULL);
  assert_ask("POST /v1/ops/claim_task", AS(WORKER), claim, 200, "\"lease_id\"");
  assert_ask("POST /v1/ops/describe_execution", AS(WORKER), "{\"execution_id\":\"" EID "\"}", 200,
             "\"lease_id\"");
  assert_ask("POST /v1/ops/describe_execution", AS(READER), "{\"execution_id\":\"" EID "\"}", 200,
             "\"active\"");
  assert_null(strstr(reply.text, "\"lease_id\""));
}

/* 07 §1.6: the waitpoint token is the credential; what it is worth the engine says. */
static void signals_need_no_bearer(void **state) {
  (void)state;
  assert_ask("POST /v1/ops/deliver_signal", JSON, "{}", 401, NULL);
  assert_ask("POST /v1/ops/deliver_signal", JSON, "{\"waitpoint_token\":\"\"}", 401, NULL);
  assert_ask("POST /v1/ops/deliver_signal", JSON, "{\"waitpoint_token\":\"k1:00\"}", 400, NULL);
  assert_ask("POST /v1/ops/deliver_signal", AS("wrong"), "{\"waitpoint_token\":\"k1:00\"}", 401,
             NULL);
}

static void preflight(void **state) {
  (void)state;
  assert_ask("OPTIONS /v1/ops/ping",
             "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n", NULL, 200,
             "Access-Control-Allow-Headers: content-type,authorization\r\n");
  assert_ask("OPTIONS /v1/ops/ping",
             "Origin: https://other.example\r\nAccess-Control-Request-Method: POST\r\n", NULL, 401,
             NULL);
  assert_null(strstr(reply.text, "Access-Control"));
}

/* ---- time ---- */

static void send_waiting_claim(int fd) {
  static const char body[] =
      "{\"lane_ids\":[\"w\"],\"worker_id\":\"w\",\"worker_instance_id\":\"i\","
      "\"lease_ttl_ms\":30000,\"max_wait_ms\":30000}";
  char request[400];
  int n = snprintf(request, sizeof request,
                   "POST /v1/ops/claim_task HTTP/1.1\r\nHost: localhost\r\n" JSON
                   "Content-Length: %zu\r\n\r\n%s",
                   sizeof body - 1, body);
  wire_send(fd, request, (size_t)n);
}

/* A waiting call costs no thread and ends with the work that comes. */
static void waiting_calls(void **state) {
  (void)state;
  enum { WAITERS = 50 };
  int fds[WAITERS];
  for (int i = 0; i < WAITERS; i++) {
    fds[i] = wire_connect(world.port);
    send_waiting_claim(fds[i]);
  }
  for (int i = 0; i < WAITERS; i++)
    assert_ask("POST /v1/ops/submit", JSON, "{\"lane_id\":\"w\"}", 200, NULL);
  for (int i = 0; i < WAITERS; i++) {
    wire_read(fds[i], &reply);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.body, "{\"Claimed\":"));
    wire_close(fds[i]);
  }
}

/* 07 H-17: nobody waits for a client that has gone, and no work is claimed for it. The client closes
 * its sending side alone, so that it sees the answer. */
static void clients_that_go(void **state) {
  (void)state;
  static const char wait[] = "POST /v1/ops/wait_execution HTTP/1.1\r\nHost: localhost\r\n" JSON
                             "Content-Length: 83\r\n\r\n"
                             "{\"execution_id\":\"" EID "\",\"timeout_ms\":3600000}";
  assert_ask("POST /v1/ops/create_execution", JSON,
             "{\"execution_id\":\"" EID "\",\"lane_id\":\"g\"}", 200, NULL);
  int waiting = wire_connect(world.port), claiming = wire_connect(world.port);
  wire_send(waiting, wait, sizeof wait - 1);
  send_waiting_claim(claiming);
  wire_end(waiting);
  wire_end(claiming);
  wire_read(waiting, &reply);
  assert_int_equal(reply.status, 200);
  assert_non_null(strstr(reply.body, "{\"TimedOut\":"));
  wire_read(claiming, &reply);
  assert_string_equal(reply.body, "\"None\"");
  wire_close(waiting);
  wire_close(claiming);
  assert_ask("POST /v1/ops/submit", JSON, "{\"lane_id\":\"w\"}", 200, NULL);
  assert_ask("POST /v1/workers/w/claim-task", JSON,
             "{\"lane_ids\":[\"w\"],\"worker_instance_id\":\"i\",\"lease_ttl_ms\":1000}", 200,
             NULL);
}

static void slow_clients(void **state) {
  (void)state;
  struct server_options o = SERVER_OPTIONS_INIT;
  o.head_ms = 1000;
  o.body_ms = 1000;
  o.idle_ms = 1000;
  world_start(false, &o);
  static const char head[] = "GET /healthz HTTP/1.1\r\nHost: localh";
  static const char body[] = "POST /v1/ops/ping HTTP/1.1\r\nHost: localhost\r\n" JSON
                             "Content-Length: 10\r\n\r\n{";
  int silent = wire_connect(world.port), slow = wire_connect(world.port),
      stuck = wire_connect(world.port);
  wire_send(slow, head, sizeof head - 1);
  wire_send(stuck, body, sizeof body - 1);
  assert_ask("GET /healthz", "", NULL, 200, NULL);
  wire_read(slow, &reply);
  assert_int_equal(reply.status, 408);
  assert_true(wire_is_closed(slow));
  wire_read(stuck, &reply);
  assert_int_equal(reply.status, 408);
  assert_true(wire_is_closed(stuck));
  assert_true(wire_is_closed(silent));
  wire_close(slow);
  wire_close(stuck);
  wire_close(silent);
  world_stop();
}

/* A head that trickles in is not read for ever: the deadline is the whole head's. */
static void a_trickling_head(void **state) {
  (void)state;
  struct server_options o = SERVER_OPTIONS_INIT;
  o.head_ms = 1500;
  world_start(false, &o);
  int fd = wire_connect(world.port);
  static const char start[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
  wire_send(fd, start, sizeof start - 1);
  int sent = 0;
  for (; sent < 200 && !wire_has_input(fd, 100); sent++) wire_send(fd, "X", 1);
  assert_in_range(sent, 5, 199);
  wire_read(fd, &reply);
  assert_int_equal(reply.status, 408);
  wire_close(fd);
  world_stop();
}

static void too_many_connections(void **state) {
  (void)state;
  struct server_options o = SERVER_OPTIONS_INIT;
  o.connections = 2;
  world_start(false, &o);
  int first = wire_connect(world.port), second = wire_connect(world.port);
  static const char get[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  wire_send(first, get, sizeof get - 1);
  wire_read(first, &reply);
  wire_send(second, get, sizeof get - 1);
  wire_read(second, &reply);
  assert_int_equal(reply.status, 200);
  int third = wire_connect(world.port);
  wire_read(third, &reply);
  assert_int_equal(reply.status, 503);
  assert_true(wire_is_closed(third));
  wire_close(first);
  wire_close(second);
  wire_close(third);
  world_stop();
}

/* 07 D-1: what has begun is answered, idle connections end, nobody new comes in. */
static void draining(void **state) {
  (void)state;
  world_start(false, &(struct server_options)SERVER_OPTIONS_INIT);
  static const char get[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  int waiting = wire_connect(world.port), idle = wire_connect(world.port);
  wire_send(idle, get, sizeof get - 1);
  wire_read(idle, &reply);
  send_waiting_claim(waiting);
  assert_ask("GET /readyz", "", NULL, 200, NULL);
  httpd_drain(world.server);
  assert_true(wire_is_closed(idle));
  assert_int_equal(ff_shutdown_prepare(world.engine, 10000, NULL), FF_OK);
  wire_read(waiting, &reply);
  assert_int_equal(reply.status, 200);
  assert_string_equal(reply.body, "\"None\"");
  assert_non_null(strstr(reply.text, "Connection: close\r\n"));
  wire_close(waiting);
  wire_close(idle);
  world_stop();
}

/* ---- requests that are none ---- */

/* Every line: STATUS, a blank, the request with \r \n \t \0 \\ \xHH, and {N:text} N times the text.
 * Status 0: closed without an answer. What is refused as no message closes the connection. */
static void corpus(void **state) {
  (void)state;
  char path[600], line[4096];
  snprintf(path, sizeof path, "%s/test/unit/http_bad.txt", getenv("SOURCE_DIR"));
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  int cases = 0;
  while (fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = '\0';
    if (!*line || *line == '#') continue;
    struct buffer request;
    buffer_init(&request);
    char *end;
    long wanted = strtol(line, &end, 10);
    wire_unescape(end + 1, &request);
    int fd = wire_connect(world.port);
    wire_send(fd, request.ptr, request.len);
    wire_end(fd);
    wire_read(fd, &reply);
    if (reply.status != wanted) fail_msg("%s\n-> got %d\n%s", line, reply.status, reply.text);
    wire_close(fd);
    buffer_fini(&request);
    cases++;
  }
  fclose(f);
  assert_true(cases >= 250);
  assert_ask("GET /healthz", "", NULL, 200, NULL);
}

int main(void) {
#define OPEN(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
#define GUARDED(name) cmocka_unit_test_setup_teardown(name, world_open_guarded, world_close)
  const struct CMUnitTest tests[] = {OPEN(fixed_routes),
                                     OPEN(metrics),
                                     cmocka_unit_test(metrics_off),
                                     OPEN(request_ids),
                                     OPEN(operations),
                                     OPEN(bad_bodies),
                                     OPEN(bodies_too_large),
                                     OPEN(chunked_bodies),
                                     OPEN(keep_alive),
                                     OPEN(refusals_keep_the_order),
                                     OPEN(expect_continue),
                                     OPEN(hosts_and_origins),
                                     GUARDED(tokens),
                                     GUARDED(scopes),
                                     GUARDED(credentials),
                                     GUARDED(signals_need_no_bearer),
                                     GUARDED(preflight),
                                     OPEN(waiting_calls),
                                     OPEN(clients_that_go),
                                     cmocka_unit_test(slow_clients),
                                     cmocka_unit_test(a_trickling_head),
                                     cmocka_unit_test(too_many_connections),
                                     cmocka_unit_test(draining),
                                     OPEN(corpus)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
