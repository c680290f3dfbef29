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

#include "flowfabric/flowfabric.h"
#include "server/server.h"
#include "test/lib/wire_client.h"

#define TOKEN "secret-token-of-all-scopes"
#define READER "reader-token"
#define WORKER "worker-token"
#define JSON "Content-Type: application/json\r\n"
#define EID "{fp:7}:01234567-89ab-7cde-8f00-000000000001"

struct world {
  struct ff_engine *engine;
  struct server *server;
  struct auth auth;
  struct ff_strs origins;
  struct ff_str origin_items[2];
  struct log log;
  uint16_t port;
};
static struct world world;

static enum ff_rc call_engine(void *user, const struct ff_operation *op, const void *args,
                              void (*done)(void *, enum ff_rc, void *, const struct ff_error *),
                              void *done_user, struct ff_error *e) {
  return ff_call_async(user, op, args, done, done_user, e);
}

static void add_scoped(struct auth *auth, const char *scopes, const char *token) {
  char line[128], hex[65];
  uint8_t digest[32];
  token_digest(ff_text(token), digest);
  hex_encode(digest, 32, hex);
  snprintf(line, sizeof line, "%s:%s", scopes, hex);
  assert_true(auth_add_digest(auth, ff_text(line)));
}

static void start_with(bool tokens, const struct server_options *wanted) {
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
  o.backend = (struct backend){world.engine, call_engine};
  o.label = "memory";
  o.auth = &world.auth;
  o.log = &world.log;
  o.cors_origins = &world.origins;
  world.server = httpd_start(&o, &e);
  assert_non_null(world.server);
  world.port = httpd_port(world.server);
}

static void stop(void) {
  httpd_drain(world.server);
  assert_int_equal(ff_shutdown_prepare(world.engine, 10000, NULL), FF_OK);
  httpd_stop(world.server, 5000);
  ff_close(world.engine);
  auth_fini(&world.auth);
}

static int open_world(void **state) {
  (void)state;
  start_with(false, &(struct server_options)SERVER_OPTIONS_INIT);
  return 0;
}

static int guarded_world(void **state) {
  (void)state;
  start_with(true, &(struct server_options)SERVER_OPTIONS_INIT);
  return 0;
}

static int close_world(void **state) {
  (void)state;
  stop();
  return 0;
}

/* ---- asking ---- */

static struct wire_reply reply;

/* `method target` with header lines and a body on a connection of its own. */
static int ask(const char *line, const char *headers, const char *body) {
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

static void assert_ask(const char *line, const char *headers, const char *body, int status,
                       const char *part) {
  int got = ask(line, headers, body);
  if (got != status || (part && !strstr(reply.text, part)))
    fail_msg("%s\n%s\n%s\n-> wanted %d with `%s`, got %d:\n%s", line, headers, body ? body : "",
             status, part ? part : "", got, reply.text);
}

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
  /* 401 before 413 before 415 (07 H-12) */
  assert_ask("POST /v1/ops/ping", "Content-Length: 9999999\r\n", NULL, 401, NULL);
  assert_ask("POST /v1/ops/ping", "Content-Length: 9999999\r\nAuthorization: Bearer " TOKEN "\r\n",
             NULL, 413, NULL);
}

#define AS(token) JSON "Authorization: Bearer " token "\r\n"

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

/* ---- named routes (07 §1.3, §2) ---- */

#define AT "/v1/executions/" EID

static void compatible_routes(void **state) {
  (void)state;
  static const char create[] =
      "{\"execution_id\":\"" EID "\",\"lane_id\":\"a\",\"namespace\":\"n\","
      "\"execution_kind\":\"k\",\"input_payload\":[104,105],\"priority\":3,"
      "\"policy\":{\"max_replay_count\":2},\"now\":1,\"partition_id\":9}";
  assert_ask("POST /v1/executions", JSON, create, 201,
             "\r\n\r\n{\"Created\":{\"execution_id\":\"" EID "\",\"public_state\":\"waiting\"}}");
  assert_ask("POST /v1/executions", JSON, create, 200,
             "\r\n\r\n{\"Duplicate\":{\"execution_id\":\"" EID "\"}}");
  assert_ask("GET " AT, "", NULL, 200,
             "\"priority\":3,\"execution_kind\":\"k\",\"state_vector\":{\"lifecycle_phase\":"
             "\"runnable\",\"ownership_state\":\"unowned\",\"eligibility_state\":\"eligible_now\"");
  assert_non_null(strstr(reply.body, "\"created_at\":\"1"));
  assert_non_null(strstr(reply.body, "\"flow_id\":null,\"blocking_detail\":\""));
  assert_null(strstr(reply.body, "started_at"));
  assert_ask("GET /v1/executions/%7Bfp%3a7%7d%3A01234567-89AB-7CDE-8f00-000000000001/state", "",
             NULL, 200, "\r\n\r\n\"waiting\"");
  assert_ask("GET /v1/executions?partition=7", "", NULL, 200,
             "\r\n\r\n{\"executions\":[\"" EID "\"],\"next_cursor\":null}");
  assert_ask("GET /v1/executions?partition=7&limit=0", "", NULL, 200,
             "{\"executions\":[],\"next_cursor\":null}");
  assert_ask("GET /v1/executions", "", NULL, 400, NULL);
  assert_ask("GET /v1/executions?partition=x", "", NULL, 400, "\"field\":\"partition\"");
  assert_ask("PUT " AT "/priority", JSON, "{\"new_priority\":5}", 200,
             "\r\n\r\n{\"Changed\":{\"execution_id\":\"" EID "\"}}");
  assert_ask("GET " AT "/result", "", NULL, 404, "{\"error\":\"execution result not found");
  assert_ask("GET " AT "/pending-waitpoints", "", NULL, 200, "\r\n\r\n[]");
  assert_ask("GET " AT "/waitpoints/01234567-89ab-7cde-8f00-0000000000aa/token", "", NULL, 404,
             "Cache-Control: no-store\r\n");
  assert_non_null(
      strstr(reply.body, "waitpoint token not found (consumed, expired, or unknown id)"));
  assert_ask("POST " AT "/revoke-lease", "", "any bytes", 200,
             "\r\n\r\n{\"AlreadySatisfied\":{\"reason\":\"no_active_lease\"}}");
  assert_ask("POST " AT "/cancel", JSON, "{\"execution_id\":\"{fp:7}:x\",\"reason\":\"r\"}", 400,
             "{\"error\":\"path execution_id does not match body execution_id\"");
  assert_ask("POST " AT "/cancel", JSON, "{\"execution_id\":\"" EID "\",\"reason\":\"r\"}", 200,
             "\r\n\r\n{\"Cancelled\":{\"execution_id\":\"" EID
             "\",\"public_state\":\"cancelled\"}}");
  assert_ask("POST " AT "/replay", "", NULL, 200,
             "\r\n\r\n{\"Replayed\":{\"public_state\":\"waiting\"}}");
  assert_ask("HEAD " AT "/state", "", NULL, 200, "Content-Length: 9\r\n");
  assert_string_equal(reply.body, "");
}

static void claiming_routes(void **state) {
  (void)state;
  static const char task[] = "{\"lane_ids\":[\"c\"],\"worker_instance_id\":\"i\","
                             "\"lease_ttl_ms\":30000}";
  static const char claim[] = "{\"lane_id\":\"c\",\"worker_instance_id\":\"i\",\"capabilities\":[],"
                              "\"grant_ttl_ms\":5000}";
  assert_ask("POST /v1/workers/w/claim", JSON, claim, 204, NULL);
  assert_string_equal(reply.body, "");
  assert_ask("POST /v1/workers/w/claim-task", JSON, task, 204, NULL);
  assert_ask("POST /v1/submit", JSON, "{\"lane_id\":\"c\"}", 201, "{\"Created\":");
  assert_ask("POST /v1/workers/w/claim", JSON, claim, 200, "\r\n\r\n{\"execution_id\":\"{fp:");
  assert_non_null(strstr(reply.body, "\"partition_key\":\"{fp:"));
  assert_ask("POST /v1/workers/a%20b/claim", JSON, claim, 400, "worker_id");
  assert_ask("POST /v1/submit", JSON, "{\"lane_id\":\"c\"}", 201, NULL);
  assert_ask("POST /v1/workers/w/claim-task", JSON, task, 200, "\r\n\r\n{\"execution_id\":\"{fp:");
  assert_non_null(strstr(reply.body, "\"handle\":{\"backend\":\"memory\""));
}

/* Whatever octets a result has. */
static void results_are_raw(void **state) {
  (void)state;
  char body[2048], *handle, *end;
  assert_ask("POST /v1/executions", JSON, "{\"execution_id\":\"" EID "\",\"lane_id\":\"r\"}", 201,
             NULL);
  assert_ask("POST /v1/ops/claim", JSON,
             "{\"lane_id\":\"r\",\"worker_id\":\"w\",\"worker_instance_id\":\"i\","
             "\"lease_ttl_ms\":30000}",
             200, "{\"Claimed\":{\"handle\":");
  handle = strstr(reply.text, "{\"backend\"");
  end = strchr(handle, '}');
  end[1] = '\0';
  snprintf(body, sizeof body, "{\"handle\":%s,\"bytes\":\"aGkA/w==\",\"frame_type\":\"delta\"}",
           handle);
  char complete[2048];
  snprintf(complete, sizeof complete, "{\"handle\":%s,\"result_payload\":\"aGkA/w==\"}", handle);
  assert_ask("POST /v1/ops/append_frame", JSON, body, 200, "\"frame_count\":1");
  assert_ask("GET " AT "/attempts/0/stream", "", NULL, 200,
             "\"fields\":{\"encoding\":\"base64\",\"frame_type\":\"delta\"");
  assert_non_null(strstr(reply.body, "\"payload\":\"aGkA/w==\""));
  assert_non_null(strstr(reply.body, "}],\"count\":1}"));
  assert_ask("GET " AT "/attempts/0/stream/tail?after=start", "", NULL, 400, NULL);
  assert_ask("POST /v1/ops/complete", JSON, complete, 200, "{\"Completed\":");
  assert_ask("GET " AT "/attempts/0/stream/tail?block_ms=1000", "", NULL, 200,
             "\"closed_reason\":\"attempt_success\"");
  assert_ask("GET " AT "/result", "", NULL, 200, "Content-Type: application/octet-stream\r\n");
  assert_memory_equal(reply.body, "hi\0\xff", 4);
}

static void other_routes(void **state) {
  (void)state;
  assert_ask("POST /v1/executions", JSON, "{\"execution_id\":\"" EID "\",\"lane_id\":\"o\"}", 201,
             NULL);
  assert_ask("PUT " AT "/tags", JSON, "{\"tags\":{\"app.a\":\"1\"}}", 200, "\r\n\r\n{\"count\":1}");
  assert_ask("PUT " AT "/tags/app.b", JSON, "{\"value\":\"2\"}", 200, "\r\n\r\n{\"ok\":true}");
  assert_ask("GET " AT "/tags", "", NULL, 200,
             "\r\n\r\n{\"tags\":{\"app.a\":\"1\",\"app.b\":\"2\"}}");
  assert_ask("GET " AT "/tags/app.b", "", NULL, 200, "\r\n\r\n{\"value\":\"2\"}");
  assert_ask("GET " AT "/tags/app.c", "", NULL, 200, "\r\n\r\n{\"value\":null}");
  assert_ask("GET " AT "/tags/bad%20key", "", NULL, 400, "invalid tag key");
  assert_ask("POST " AT "/hold", JSON, "{}", 200, "{\"Held\":{\"execution_id\":\"" EID "\"");
  assert_ask("POST " AT "/release-hold", JSON, "{}", 200,
             "\r\n\r\n{\"Released\":{\"execution_id\":\"" EID "\"}}");
  assert_ask("POST " AT "/expire", JSON, "{\"phase\":\"execution_deadline\"}", 200,
             "\r\n\r\n\"NotDue\"");
  assert_ask("POST " AT "/expire", JSON, "{\"phase\":\"x\"}", 422, "\"field\":\"phase\"");
  assert_ask("GET /v1/lanes/o", "", NULL, 200,
             "\r\n\r\n{\"lane_id\":\"o\",\"state\":\"active\",\"registered_at_ms\":");
  assert_ask("GET /v1/lanes/nope", "", NULL, 404, "\"code\":\"lane_not_found\"");
  assert_ask("PUT /v1/lanes/o/state", JSON, "{\"state\":\"paused\"}", 200,
             "{\"Set\":{\"lane_id\":\"o\",\"state\":\"paused\",\"previous_state\":\"active\"}}");
  assert_ask("GET /v1/lanes", "", NULL, 200, "\"next_cursor\":null}");
  assert_ask("GET /v1/capabilities", "", NULL, 200,
             "\r\n\r\n{\"identity\":{\"family\":\"memory\",\"version\":{\"major\":0,\"minor\":1,");
  assert_non_null(strstr(reply.body, "\"cancel_execution\":true"));
  assert_ask("GET /v1/time", "", NULL, 200, "\r\n\r\n{\"now_ms\":1");
  assert_ask("POST /v1/executions/query", JSON, "{\"lane_id\":\"o\"}", 200, "{\"executions\":[{");
  assert_ask("POST /v1/admin/prepare", "", NULL, 200, "\r\n\r\n\"NoOp\"");
  assert_ask("POST " AT "/signal", JSON,
             "{\"waitpoint_id\":\"01234567-89ab-7cde-8f00-0000000000aa\",\"signal_id\":"
             "\"01234567-89ab-7cde-8f00-0000000000bb\",\"signal_name\":\"s\"}",
             400, "{\"error\":\"invalid_token: missing_token\",\"code\":\"missing_token\"");
}

static void misused_routes(void **state) {
  (void)state;
  static const char *const missing[] = {"GET " AT, "GET " AT "/state", "POST " AT "/replay",
                                        "POST " AT "/revoke-lease"};
  for (size_t i = 0; i < ARRAY_LEN(missing); i++)
    assert_ask(missing[i], "", NULL, 404, "not found");
  assert_ask("DELETE " AT, "", NULL, 405, "Allow: GET, HEAD\r\n");
  assert_ask("PATCH /v1/executions", JSON, "{}", 405, "Allow: GET, HEAD, POST\r\n");
  assert_ask("GET /v1/executions/nonsense", "", NULL, 400, "execution_id");
  assert_ask("GET /v1/executions/%ff", "", NULL, 400, "not UTF-8");
  assert_ask("POST " AT "/cancel", "", "{}", 415, NULL);
  assert_ask("POST " AT "/cancel", JSON, "{", 400, "invalid JSON: Bad Request");
  assert_ask("POST " AT "/cancel", JSON, "[]", 422, "invalid JSON: Unprocessable Entity");
  assert_ask("POST " AT "/cancel", JSON "Content-Length: 65537\r\n", NULL, 413,
             "{\"error\":\"payload_too_large\",\"limit_bytes\":65536,"
             "\"route\":\"/v1/executions/{id}/cancel\"}");
}

static void scopes_of_named_routes(void **state) {
  (void)state;
  assert_ask("GET /v1/time", "", NULL, 401, NULL);
  assert_ask("GET /v1/time", AS(READER), NULL, 200, NULL);
  assert_ask("POST /v1/submit", AS(READER), "{}", 403, "submit");
  assert_ask("POST /v1/admin/prepare", AS(WORKER), NULL, 403, "admin");
  assert_ask("POST " AT "/signal", JSON, "{\"waitpoint_token\":\"k1:00\"}", 400, NULL);
  assert_ask("POST " AT "/signal", JSON, "{}", 401, NULL);
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

static void slow_clients(void **state) {
  (void)state;
  struct server_options o = SERVER_OPTIONS_INIT;
  o.head_ms = 1000;
  o.body_ms = 1000;
  o.idle_ms = 1000;
  start_with(false, &o);
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
  stop();
}

/* A head that trickles in is not read for ever: the deadline is the whole head's. */
static void a_trickling_head(void **state) {
  (void)state;
  struct server_options o = SERVER_OPTIONS_INIT;
  o.head_ms = 1500;
  start_with(false, &o);
  int fd = wire_connect(world.port);
  static const char start[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
  wire_send(fd, start, sizeof start - 1);
  int sent = 0;
  for (; sent < 200 && !wire_has_input(fd, 100); sent++) wire_send(fd, "X", 1);
  assert_in_range(sent, 5, 199);
  wire_read(fd, &reply);
  assert_int_equal(reply.status, 408);
  wire_close(fd);
  stop();
}

static void too_many_connections(void **state) {
  (void)state;
  struct server_options o = SERVER_OPTIONS_INIT;
  o.connections = 2;
  start_with(false, &o);
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
  stop();
}

/* 07 D-1: what has begun is answered, idle connections end, nobody new comes in. */
static void draining(void **state) {
  (void)state;
  start_with(false, &(struct server_options)SERVER_OPTIONS_INIT);
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
  stop();
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
#define OPEN(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
#define GUARDED(name) cmocka_unit_test_setup_teardown(name, guarded_world, close_world)
  const struct CMUnitTest tests[] = {OPEN(fixed_routes),
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
                                     OPEN(compatible_routes),
                                     OPEN(claiming_routes),
                                     OPEN(results_are_raw),
                                     OPEN(other_routes),
                                     OPEN(misused_routes),
                                     GUARDED(scopes_of_named_routes),
                                     GUARDED(preflight),
                                     OPEN(waiting_calls),
                                     cmocka_unit_test(slow_clients),
                                     cmocka_unit_test(a_trickling_head),
                                     cmocka_unit_test(too_many_connections),
                                     cmocka_unit_test(draining),
                                     OPEN(corpus)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
