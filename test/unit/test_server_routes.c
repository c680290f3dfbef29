/*
 * Named routes over a socket: the exact JSON of 07 §1.3 and §2, and what they refuse.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/lib/server_world.h"

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

/* Attempts by their handle, by their fence, and by the handle of another execution. */
static void attempt_routes(void **state) {
  (void)state;
  static char body[3000], handle[1200], fence[400];
  char lease[64], attempt[64];
  assert_ask("POST /v1/executions", JSON, "{\"execution_id\":\"" EID "\",\"lane_id\":\"t\"}", 201,
             NULL);
  assert_ask("POST /v1/workers/w/claim-task", JSON,
             "{\"lane_ids\":[\"t\"],\"worker_instance_id\":\"i\",\"lease_ttl_ms\":30000}", 200,
             NULL);
  const char *at = strstr(reply.body, "{\"backend\"");
  assert_non_null(at);
  snprintf(handle, sizeof handle, "\"handle\":%.*s", (int)(strchr(at, '}') - at) + 1, at);
  assert_int_equal(sscanf(strstr(reply.body, "\"lease_id\":\""), "\"lease_id\":\"%36s", lease), 1);
  assert_int_equal(
      sscanf(strstr(reply.body, "\"attempt_id\":\""), "\"attempt_id\":\"%36s", attempt), 1);
  snprintf(fence, sizeof fence,
           "\"fence\":{\"lease_id\":\"%.36s\",\"lease_epoch\":1,\"attempt_id\":\"%.36s\"}", lease,
           attempt);
  snprintf(body, sizeof body, "{%s}", handle);
  assert_ask("POST " AT "/attempt/renew", JSON, body, 200, "\r\n\r\n{\"expires_at_ms\":1");
  assert_ask("POST /v1/executions/{fp:7}:01234567-89ab-7cde-8f00-000000000002/attempt/renew", JSON,
             body, 400, "path execution_id does not match the handle");
  assert_ask("POST /v1/executions/x/attempt/renew", JSON, body, 400, NULL);
  snprintf(body, sizeof body, "{%s,\"lease_ttl_ms\":30000}", fence);
  assert_ask("POST " AT "/attempt/renew", JSON, body, 200, "\"lease_epoch\":1}");
  snprintf(body, sizeof body, "{%s,\"percent\":5,\"message\":\"m\"}", handle);
  assert_ask("POST " AT "/attempt/progress", JSON, body, 200, "\r\n\r\n\"Updated\"");
  snprintf(body, sizeof body, "{%s,\"payload\":[104,105],\"kind\":\"stdout\"}", handle);
  assert_ask("POST " AT "/attempt/frames", JSON, body, 200, "\"frame_count\":1}");
  snprintf(body, sizeof body, "{%s,\"waitpoint_key\":\"k\",\"expires_in_ms\":60000}", handle);
  assert_ask("POST " AT "/attempt/waitpoints", JSON, body, 201, "Cache-Control: no-store\r\n");
  assert_non_null(strstr(reply.body, "{\"Created\":{\"waitpoint_id\":\""));
  snprintf(body, sizeof body, "{%s,\"failure_reason\":\"r\",\"class\":\"permanent\"}", handle);
  assert_ask("POST " AT "/attempt/fail", JSON, body, 200, "\r\n\r\n\"TerminalFailed\"");
  snprintf(body, sizeof body, "{%s}", fence);
  assert_ask("POST " AT "/attempt/complete", JSON, body, 409, "\"code\":\"execution_not_active\"");
  assert_ask("POST " AT "/attempt/complete", JSON, "{}", 400, "fence_required");
}

static void worker_routes(void **state) {
  (void)state;
  assert_ask("PUT /v1/worker-instances/i1", JSON,
             "{\"worker_id\":\"w\",\"lanes\":[\"a\"],\"capabilities\":[],"
             "\"liveness_ttl_ms\":60000,\"namespace\":\"n\"}",
             200, "\r\n\r\n\"Registered\"");
  assert_ask("POST /v1/worker-instances/i1/heartbeat", JSON, "{\"namespace\":\"n\"}", 200,
             "\r\n\r\n{\"Refreshed\":{\"next_expiry_ms\":1");
  assert_ask("GET /v1/worker-instances?namespace=n", "", NULL, 200,
             "\"worker_instance_id\":\"i1\"");
  assert_ask("POST /v1/worker-instances/i1/dead", JSON, "{\"namespace\":\"n\",\"reason\":\"r\"}",
             200, "\r\n\r\n\"Marked\"");
  assert_ask("POST /v1/worker-instances/i1/heartbeat", JSON, "{\"namespace\":\"n\"}", 200,
             "\r\n\r\n\"NotRegistered\"");
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

#define FLOW "11111111-1111-1111-1111-111111111111"
#define MEMBER "{fp:6}:01234567-89ab-7cde-8f00-000000000001"

static void flow_routes(void **state) {
  (void)state;
  static const char flow[] = "{\"flow_id\":\"" FLOW "\",\"flow_kind\":\"k\",\"namespace\":\"n\"}";
  assert_ask("POST /v1/flows", JSON, flow, 201,
             "\r\n\r\n{\"Created\":{\"flow_id\":\"" FLOW "\"}}");
  assert_ask("POST /v1/flows", JSON, flow, 200,
             "\r\n\r\n{\"AlreadySatisfied\":{\"flow_id\":\"" FLOW "\"}}");
  assert_ask("POST /v1/executions", JSON, "{\"execution_id\":\"" MEMBER "\",\"lane_id\":\"f\"}",
             201, NULL);
  assert_ask("POST /v1/flows/" FLOW "/members", JSON, "{\"execution_id\":\"" MEMBER "\"}", 201,
             "\r\n\r\n{\"Added\":{\"execution_id\":\"" MEMBER "\",\"new_node_count\":1}}");
  assert_ask("POST /v1/flows/" FLOW "/members", JSON, "{\"execution_id\":\"" MEMBER "\"}", 200,
             "\r\n\r\n{\"AlreadyMember\":{\"execution_id\":\"" MEMBER "\",\"node_count\":1}}");
  assert_ask("POST /v1/flows/" FLOW "/members", JSON, "{\"execution_id\":\"" EID "\"}", 400,
             "\"code\":\"invalid_input\"");
  assert_ask("POST /v1/flows/" FLOW "/members", JSON, "{\"flow_id\":\"x\"}", 400,
             "{\"error\":\"path flow_id does not match body flow_id\"");
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

int main(void) {
#define OPEN(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
#define GUARDED(name) cmocka_unit_test_setup_teardown(name, world_open_guarded, world_close)
  const struct CMUnitTest tests[] = {OPEN(compatible_routes),
                                     OPEN(claiming_routes),
                                     OPEN(results_are_raw),
                                     OPEN(attempt_routes),
                                     OPEN(worker_routes),
                                     OPEN(other_routes),
                                     OPEN(flow_routes),
                                     OPEN(misused_routes),
                                     GUARDED(scopes_of_named_routes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
