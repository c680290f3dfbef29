/*
 * The table of named routes: every row names what exists, and arguments come from where it says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flowfabric/flowfabric.h"
#include "op/op.h"
#include "op/values.h"
#include "wire/route.h"

static struct arena arena;
static char allow[64];

static const struct route *find(const char *method, const char *path) {
  return route_find(ff_text(method), ff_text(path), allow, sizeof allow);
}

/* The template with every parameter filled with something. */
static void path_of(const struct route *r, struct buffer *path) {
  for (const char *p = r->path; *p; p++) {
    buffer_append_char(path, *p == '{' ? '1' : *p);
    if (*p == '{') p = strchr(p, '}');
  }
}

/* Every name of the query with a value. */
static void query_of(const struct route *r, struct buffer *query) {
  for (const char *p = r->query; p && *p; p += strcspn(p, " "), p += strspn(p, " "))
    buffer_printf(query, "%s%.*s=1", query->len ? "&" : "", (int)strcspn(p, ": ="), p);
}

/* Every alternative is of an outcome there is. */
static void assert_outcomes(const struct route *r) {
  for (const char *at = r->replies; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
    struct ff_str word = text_of(at, strcspn(at, " "));
    if (!text_equal_c(word, "*") && ff_word_parse(FF_WORD_outcome, word) < 0)
      fail_msg("%s: no outcome " TEXT_FMT, r->path, TEXT_ARG(word));
  }
}

/* An unknown argument or member stops the program in route_args or route_reply. */
static void every_row_names_what_exists(void **state) {
  (void)state;
  size_t count;
  const struct route *routes = route_all(&count);
  assert_true(count >= 35);
  for (size_t i = 0; i < count; i++) {
    const struct route *r = &routes[i];
    struct buffer path, query, body;
    struct route_problem problem;
    void *args;
    buffer_init(&path);
    buffer_init(&query);
    buffer_init(&body);
    const struct ff_operation *op = ff_operation_find(ff_text(r->op));
    if (!op) fail_msg("%s: no operation %s", r->path, r->op);
    path_of(r, &path);
    query_of(r, &query);
    bool second = i && strcmp(r->path, r[-1].path) == 0 && strcmp(r->method, r[-1].method) == 0;
    const struct route *row = find(r->method, buffer_text(&path).ptr);
    assert_ptr_equal(row, second ? r - 1 : r);
    assert_outcomes(r);
    row = r;
    bool fine = route_args(&row, buffer_text(&path), buffer_text(&query), ff_text("{}"), &arena,
                           &args, &problem);
    if (!fine) assert_int_equal(problem.status, 400); /* `1` is no word, no id */
    struct route_answer a = {.body = &body};
    uint8_t *result = arena_zalloc(&arena, op->result->size);
    const struct ff_field *outcome = values_field(op->result, TEXT_LIT("outcome"));
    for (int word = 0; ff_word(FF_WORD_outcome, word); word++) {
      if (outcome) result[outcome->offset] = (uint8_t)word;
      buffer_clear(&body);
      route_reply(r, op->result, result, &a);
      assert_in_range(a.status, 200, 404);
    }
    buffer_fini(&path);
    buffer_fini(&query);
    buffer_fini(&body);
    arena_reset(&arena);
  }
}

static void finding(void **state) {
  (void)state;
  assert_string_equal(find("GET", "/v1/executions/x")->op, "read_execution_info");
  assert_string_equal(find("HEAD", "/v1/executions/x")->op, "read_execution_info");
  assert_string_equal(find("POST", "/v1/executions/query")->op, "query_executions");
  assert_null(find("DELETE", "/v1/executions/x"));
  assert_string_equal(allow, "GET, HEAD");
  assert_null(find("DELETE", "/v1/executions"));
  assert_string_equal(allow, "GET, HEAD, POST");
  static const char *const none[] = {"", "/", "/v1", "/v1/executions/", "/v1/executions//state",
                                     "/v1/executions/x/", "v1/executions", "/v1/executions/x/y/z"};
  for (size_t i = 0; i < ARRAY_LEN(none); i++) {
    assert_null(find("GET", none[i]));
    assert_string_equal(allow, "");
  }
}

static struct route_problem problem;

static void *gather(const char *method, const char *path, const char *query, const char *body) {
  void *args;
  const struct route *r = find(method, path);
  assert_non_null(r);
  bool fine = route_args(&r, ff_text(path), ff_text(query), ff_text(body), &arena, &args, &problem);
  return fine ? args : NULL;
}

#define EID "%7Bfp:7%7d:01234567-89AB-7cde-8f00-000000000001"
#define PLAIN "{fp:7}:01234567-89AB-7cde-8f00-000000000001"

static void arguments(void **state) {
  (void)state;
  struct ff_tail_stream_args *tail = gather("GET", "/v1/executions/" EID "/attempts/3/stream/tail",
                                            "block_ms=7&x=y&after=1%2D2", "");
  assert_non_null(tail);
  assert_true(text_equal_c(tail->execution_id, PLAIN));
  assert_int_equal(tail->attempt_index, 3);
  assert_int_equal(tail->block_ms, 7);
  assert_int_equal(tail->count_limit, 50);
  assert_true(text_equal_c(tail->after, "1-2"));
  struct ff_list_executions_args *list =
      gather("GET", "/v1/executions", "partition=9&cursor=&limit=2", "");
  assert_true(text_equal_c(list->partition, "{fp:9}"));
  assert_null(list->cursor.ptr);
  struct ff_read_waitpoint_token_args *token =
      gather("GET", "/v1/executions/" PLAIN "/waitpoints/w/token", NULL, "");
  assert_true(text_equal_c(token->partition, "{fp:7}"));
  assert_true(text_equal_c(token->waitpoint_id, "w"));
  struct ff_create_execution_args *create =
      gather("POST", "/v1/executions", NULL,
             "{\"policy\":{\"max_reclaim_count\":2},\"execution_deadline_at\":9,\"now\":1}");
  assert_true(text_equal_c(create->policy, "{\"max_reclaim_count\":2}"));
  assert_int_equal(create->deadline_at, 9);
  struct ff_cancel_execution_args *cancel =
      gather("POST", "/v1/executions/" EID "/cancel", NULL,
             "{\"execution_id\":\"" PLAIN "\",\"lease_id\":\"l\","
             "\"lease_epoch\":18446744073709551615,\"attempt_id\":\"a\"}");
  assert_true(text_equal_c(cancel->fence.lease_id, "l"));
  assert_true(cancel->fence.lease_epoch == UINT64_MAX);
  struct ff_deliver_signal_args *signal = gather("POST", "/v1/executions/" EID "/signal", NULL,
                                                 "{\"dedup_ttl_ms\":0,\"resume_delay_ms\":null}");
  assert_true(signal->has_dedup_ttl);
  assert_false(signal->has_resume_delay);
  struct ff_revoke_lease_args *revoke =
      gather("POST", "/v1/executions/" EID "/revoke-lease", NULL, "not JSON");
  assert_true(text_equal_c(revoke->reason, "operator_revoke"));
}

/* With the handle the operation of the handle, without it that of the fence. */
static void pairs(void **state) {
  (void)state;
  const struct route *first = find("POST", "/v1/executions/" EID "/attempt/complete"), *row = first;
  void *args;
  static const char fence[] = "{\"fence\":{\"lease_id\":\"l\",\"lease_epoch\":1,"
                              "\"attempt_id\":\"a\"},\"attempt_index\":0}";
  assert_true(route_args(&row, TEXT_LIT("/v1/executions/" EID "/attempt/complete"), ff_text(NULL),
                         ff_text(fence), &arena, &args, &problem));
  assert_string_equal(row->op, "complete_execution");
  const struct ff_complete_execution_args *fenced = args;
  assert_true(fenced->has_attempt_index);
  assert_int_equal(fenced->fence.lease_epoch, 1);
  struct ff_append_frame_args *frame =
      gather("POST", "/v1/executions/" EID "/attempt/frames", NULL,
             "{\"payload\":\"aGk=\",\"mode\":{\"best_effort\":{\"ttl_ms\":9}},\"seq\":0}");
  assert_int_equal(frame->mode, FF_frame_mode_best_effort);
  assert_int_equal(frame->ttl_ms, 9);
  assert_true(frame->has_seq);
  assert_int_equal(frame->bytes.len, 2);
}

static void assert_refused(const char *method, const char *path, const char *query,
                           const char *body, int status, const char *field) {
  if (gather(method, path, query, body)) fail_msg("%s %s?%s %s passes", method, path, query, body);
  assert_int_equal(problem.status, status);
  assert_string_equal(problem.error.field, field);
}

static void bad_arguments(void **state) {
  (void)state;
  assert_refused("GET", "/v1/executions/%7", NULL, "", 400, "");
  assert_refused("GET", "/v1/executions/%zz", NULL, "", 400, "");
  assert_refused("GET", "/v1/executions/%ff", NULL, "", 400, "");
  assert_refused("GET", "/v1/executions/%00", NULL, "", 400, "");
  assert_refused("GET", "/v1/executions", "partition=-1", "", 400, "partition");
  assert_refused("GET", "/v1/executions", "partition=65536", "", 400, "partition");
  assert_refused("GET", "/v1/executions", "partition=1&partition=1", "", 400, "partition");
  assert_refused("GET", "/v1/executions", "partition=1&limit=x", "", 400, "limit");
  assert_refused("GET", "/v1/executions", "partition=1&limit=%", "", 400, "limit");
  assert_refused("GET", "/v1/executions/x/attempts/-1/stream", NULL, "", 400, "attempt_index");
  assert_refused("GET", "/v1/executions/x/attempts/1/stream", "limit=1.0", "", 400, "count_limit");
  assert_refused("POST", "/v1/executions/x/cancel", NULL, "{\"execution_id\":\"y\"}", 400,
                 "execution_id");
  assert_refused("POST", "/v1/executions/x/cancel", NULL, "{", 400, "");
  assert_refused("POST", "/v1/executions/x/cancel", NULL, "[]", 422, "");
  assert_refused("POST", "/v1/executions/x/cancel", NULL, "{\"reason\":7}", 422, "reason");
  assert_refused("POST", "/v1/executions/x/cancel", NULL, "{\"lease_epoch\":-1}", 422,
                 "lease_epoch");
  /* the path before the body (07 H-12) */
  assert_refused("POST", "/v1/executions/%ff/cancel", NULL, "{", 400, "");
}

static int start(void **state) {
  (void)state;
  arena_init(&arena);
  return 0;
}

static int stop(void **state) {
  (void)state;
  arena_fini(&arena);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_row_names_what_exists),
                                     cmocka_unit_test(finding), cmocka_unit_test(arguments),
                                     cmocka_unit_test(pairs),
                                     cmocka_unit_test(bad_arguments)};
  return cmocka_run_group_tests(tests, start, stop);
}
