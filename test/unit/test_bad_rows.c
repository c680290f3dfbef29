/*
 * Rows somebody else has spoiled: whatever a column holds, every operation answers with a typed
 * error or with what can still be read, names the record and the field, and never stops the process
 * (01 CV-8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "record/record.h"
#include "test/unit/bad_files.h"
#include "test/unit/bad_rules.h"

#include <signal.h>
#include <sqlite3.h>

#define ENDED BAD_ID("03")

static struct bad_files files;
static struct bad_world world;
static struct ff_error error;
static char *template;
static size_t template_size;
static char spoiled[512]; /* the statement under test */

static void say_what(int number) {
  fprintf(stderr, "stopped by: %s\n", spoiled);
  signal(number, SIG_DFL);
  raise(number);
}

/* ---- the store that is spoiled: a row of every kind ---- */

static enum ff_rc call(const char *name, const void *args, void *result) {
  memset(&error, 0, sizeof error);
  return ff_call(world.engine, ff_operation_find(ff_text(name)), args, result, &error);
}

#define MUST(name, args)                                                         \
  do {                                                                           \
    struct ff_##name##_result result_;                                           \
    if (call(#name, &(args), &result_)) fail_msg("%s: %s", #name, error.detail); \
    ff_clear(&result_);                                                          \
  } while (0)

static void create(const char *id, const char *lane, const char *policy) {
  static const struct ff_pair tags[] = {{{"app.k", 5}, {"v", 1}}};
  struct ff_create_execution_args args = FF_ARGS(create_execution);
  args.execution_id = ff_text(id);
  args.lane_id = ff_text(lane);
  args.namespace_ = ff_text("n");
  args.execution_kind = ff_text("k");
  args.idempotency_key = ff_text(id);
  args.input_payload = (struct ff_bytes){bad_long_text(), 400}; /* a row of its own */
  args.tags = (struct ff_pairs){tags, 1};
  args.policy = ff_text(policy);
  MUST(create_execution, args);
}

/* A suspension that signals have not ended: of an execution of its own. */
static void suspend_one(void) {
  static const struct ff_waitpoint_binding binding = {{BAD_UUID("ca"), 36}, {"k", 1}, false};
  struct ff_suspend_args args = FF_ARGS(suspend);
  create(BAD_ID("04"), "suspended", "");
  struct ff_claim_args claim = FF_ARGS(claim);
  struct ff_claim_result held;
  claim.lane_id = ff_text("suspended");
  claim.worker_id = claim.worker_instance_id = ff_text("w");
  claim.lease_ttl_ms = 1000;
  if (call("claim", &claim, &held)) fail_msg("claim: %s", error.detail);
  args.handle = held.handle;
  args.suspension_id = ff_text(BAD_UUID("da"));
  args.waitpoints = (struct ff_waitpoint_bindings){&binding, 1};
  args.resume_condition =
      ff_text("{\"Single\":{\"waitpoint_key\":\"k\",\"matcher\":\"Wildcard\"}}");
  args.reason_code = ff_text("manual_pause");
  args.idempotency_key = ff_text("i");
  MUST(suspend, args);
  ff_clear(&held);
}

static void join_flow(void) {
  struct ff_create_flow_args flow = FF_ARGS(create_flow);
  flow.flow_id = ff_text(BAD_FLOW);
  flow.flow_kind = flow.namespace_ = ff_text("f");
  MUST(create_flow, flow);
  struct ff_add_execution_to_flow_args member = FF_ARGS(add_execution_to_flow);
  member.flow_id = ff_text(BAD_FLOW);
  member.execution_id = ff_text(ENDED);
  MUST(add_execution_to_flow, member);
  member.execution_id = ff_text(BAD_LEASED);
  MUST(add_execution_to_flow, member);
  struct ff_stage_dependency_edge_args edge = FF_ARGS(stage_dependency_edge);
  edge.flow_id = ff_text(BAD_FLOW);
  edge.edge_id = ff_text(BAD_UUID("ed"));
  edge.upstream_execution_id = ff_text(BAD_LEASED);
  edge.downstream_execution_id = ff_text(ENDED);
  edge.expected_graph_revision = 2;
  MUST(stage_dependency_edge, edge);
  struct ff_apply_dependency_to_child_args apply = FF_ARGS(apply_dependency_to_child);
  apply.flow_id = edge.flow_id;
  apply.edge_id = edge.edge_id;
  apply.upstream_execution_id = edge.upstream_execution_id;
  apply.downstream_execution_id = edge.downstream_execution_id;
  MUST(apply_dependency_to_child, apply);
}

static void spend(void) {
  static const struct ff_budget_limit limit = {{"tokens", 6}, 100, 50};
  static const struct ff_budget_amount amount = {{"tokens", 6}, 1};
  struct ff_create_budget_args budget = FF_ARGS(create_budget);
  budget.budget_id = ff_text(BAD_BUDGET);
  budget.scope_id = budget.scope_type = ff_text("s");
  budget.reset_interval_ms = 1000;
  budget.limits = (struct ff_budget_limits){&limit, 1};
  MUST(create_budget, budget);
  struct ff_record_spend_args spent = FF_ARGS(record_spend);
  spent.budget_id = ff_text(BAD_BUDGET);
  spent.execution_id = ff_text(BAD_LEASED);
  spent.deltas = (struct ff_budget_amounts){&amount, 1};
  spent.idempotency_key = ff_text("k");
  MUST(record_spend, spent);
}

static void fill(void) {
  static const char retry[] =
      "{\"retry_policy\":{\"max_retries\":9,\"backoff\":{\"type\":\"fixed\",\"delay_ms\":0}}}";
  static const char gpu[] = "{\"routing_requirements\":{\"required_capabilities\":[\"gpu\"]}}";
  create(ENDED, "default", "");
  struct ff_complete_args complete = FF_ARGS(complete);
  complete.handle = bad_claim(world.engine).handle;
  complete.result_payload = (struct ff_bytes){bad_long_text(), 400};
  MUST(complete, complete);
  create(BAD_LEASED, "default", retry);
  struct ff_fail_args fails = FF_ARGS(fail);
  fails.handle = bad_claim(world.engine).handle;
  fails.reason = ff_text("r");
  MUST(fail, fails);
  struct ff_promote_delayed_args promote = FF_ARGS(promote_delayed);
  promote.execution_id = ff_text(BAD_LEASED);
  MUST(promote_delayed, promote);
  world.task = bad_claim(world.engine);
  for (int mode = 0; mode < FF_frame_mode_COUNT; mode++) {
    struct ff_append_frame_args append = FF_ARGS(append_frame);
    append.handle = world.task.handle;
    append.bytes = (struct ff_bytes){"{\"a\":1}", 7};
    append.mode = (uint8_t)mode;
    MUST(append_frame, append);
  }
  bad_waitpoint(&world);
  struct ff_deliver_signal_args sent = FF_ARGS(deliver_signal);
  sent.execution_id = ff_text(BAD_LEASED);
  sent.waitpoint_id = ff_text(world.waitpoint_id);
  sent.waitpoint_token = ff_text(world.waitpoint_token);
  sent.signal_id = ff_text(BAD_UUID("fe"));
  sent.signal_name = ff_text("no");
  sent.idempotency_key = ff_text("i");
  MUST(deliver_signal, sent);
  suspend_one();
  join_flow();
  spend();
  create(BAD_WAITING, "default", gpu);
  static const struct ff_str capabilities[] = {{"gpu", 3}};
  struct ff_issue_claim_grant_args grant = FF_ARGS(issue_claim_grant);
  grant.execution_id = ff_text(BAD_WAITING);
  grant.lane_id = ff_text("default");
  grant.worker_id = grant.worker_instance_id = ff_text("w");
  grant.worker_capabilities = (struct ff_strs){capabilities, 1};
  grant.grant_ttl_ms = 60000;
  MUST(issue_claim_grant, grant);
}

static int group_setup(void **state) {
  (void)state;
  bad_files_init(&files);
  signal(SIGABRT, say_what);
  world.engine = bad_engine_open(bad_url(&files, "whole.db", "?synchronous=off"), 0);
  fill();
  ff_close(world.engine);
  template = bad_read(&files, "whole.db", &template_size);
  return 0;
}

static int group_teardown(void **state) {
  (void)state;
  free(template);
  bad_files_fini(&files);
  return 0;
}

/* ---- every operation on a spoiled store ---- */

static void check_answer(const struct ff_operation *op, enum ff_rc rc) {
  if (rc == FF_OK) return;
  bool typed = error.rc == rc && ff_code_family(error.code) == rc && rc != FF_BUG;
  bool named = error.code != FF_CODE_corruption || error.detail[0];
  if (!typed || !named || rc == FF_TRANSPORT || !text_is_utf8(ff_text(error.detail)))
    fail_msg("%s: %s: %s %s", spoiled, op->name, ff_code_name(error.code), error.detail);
}

/* A missing schema or another partition count refuses the store as a whole. */
static bool open_spoiled(void) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  options.no_scanners = options.dev_mode = true;
  options.clock_ms = bad_clock;
  options.log = bad_quiet;
  enum ff_rc rc =
      ff_open(bad_url(&files, "spoiled.db", "?synchronous=off"), &options, &world.engine, &error);
  if (rc != FF_OK && (rc == FF_BUG || ff_code_family(error.code) != rc || !error.detail[0]))
    fail_msg("%s: ff_open: %s", spoiled, error.detail);
  return rc == FF_OK;
}

static void spoil(const char *sql) {
  snprintf(spoiled, sizeof spoiled, "%s", sql);
  bad_remove(&files, "spoiled.db");
  bad_write(&files, "spoiled.db", template, template_size);
  bad_sql(&files, "spoiled.db", sql);
}

/* While the lease lives: it is ended by what comes first in the table. */
static void append_everything(void) {
  struct ff_append_frame_args args = FF_ARGS(append_frame);
  struct ff_append_frame_result result;
  args.handle = world.task.handle;
  args.bytes = (struct ff_bytes){"{}", 2};
  for (int mode = 0; mode < FF_frame_mode_COUNT; mode++) {
    args.mode = (uint8_t)mode;
    enum ff_rc rc = call("append_frame", &args, &result);
    check_answer(ff_operation_find(ff_text("append_frame")), rc);
    ff_clear(&result);
  }
}

static void call_everything(void) {
  static uint8_t args[2048], result[2048];
  size_t count;
  const struct ff_operation *ops = ff_operations(&count);
  if (!open_spoiled()) return;
  append_everything();
  for (size_t i = 0; i < count; i++) {
    bad_good_arguments(&world, &ops[i], args);
    memset(&error, 0, sizeof error);
    enum ff_rc rc = ff_call(world.engine, &ops[i], args, result, &error);
    check_answer(&ops[i], rc);
    ff_clear(result);
  }
  struct ff_run_scanner_args all = FF_ARGS(run_scanner);
  enum ff_rc rc = call("run_scanner", &all, result);
  check_answer(ff_operation_find(ff_text("run_scanner")), rc);
  ff_close(world.engine);
}

/* ---- columns ---- */

static void spoil_column(const char *table, const char *column, const char *value) {
  char sql[400];
  snprintf(sql, sizeof sql, "UPDATE OR IGNORE %s SET %s=%s", table, column, value);
  spoil(sql);
  call_everything();
}

/* name, type: one answer row a column. */
static void each_column(const char *table, void (*visit)(const char *, const char *)) {
  sqlite3 *db;
  sqlite3_stmt *st;
  char sql[128];
  snprintf(sql, sizeof sql, "SELECT name FROM pragma_table_info('%s')", table);
  assert_int_equal(sqlite3_open(bad_path(&files, "whole.db"), &db), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
  int columns = 0;
  for (; sqlite3_step(st) == SQLITE_ROW; columns++)
    visit(table, (const char *)sqlite3_column_text(st, 0));
  assert_true(columns > 0);
  sqlite3_finalize(st);
  sqlite3_close(db);
}

/* How many of a list are tried in the short run. */
static size_t some(size_t few, size_t all) { return getenv("FF_SOAK") ? all : few; }

static void wrong_values(const char *table, const char *column) {
  static const char *const values[] = {"NULL",
                                       "'text'",
                                       "-1",
                                       "x'00ff'",
                                       "9223372036854775807",
                                       "1.5",
                                       "''",
                                       "'a' || char(0) || 'b'",
                                       "CAST(x'ff' AS TEXT)"};
  bool number_of_row = strcmp(column, "row") == 0 || strcmp(column, "event_id") == 0;
  if (number_of_row) return; /* SQLite lets nothing else in */
  size_t few = strcmp(table, "execution") == 0 ? 4 : 3;
  for (size_t i = 0; i < some(few, ARRAY_LEN(values)); i++) spoil_column(table, column, values[i]);
}

static void columns_of_executions(void **state) {
  (void)state;
  each_column("execution", wrong_values);
}

static void columns_of_other_tables(void **state) {
  (void)state;
  for (int kind = 0; kind < RECORD_KIND_COUNT; kind++)
    if (kind != RECORD_KIND_execution) each_column(record_infos[kind].name, wrong_values);
  each_column("meta", wrong_values);
}

/* Words that exist, in combinations that do not. */
static void illegal_vectors(void **state) {
  (void)state;
  const struct record_info *info = &record_infos[RECORD_KIND_execution];
  for (unsigned i = 0; i < info->field_count; i++) {
    char value[16];
    const struct field *f = &info->fields[i];
    if (f->flags & FIELD_COLD) continue; /* no column of its own, and no part of the vector */
    for (int n = 0; f->type == FIELD_ENUM && ff_word((enum ff_word_enum)f->words, n); n++) {
      snprintf(value, sizeof value, "%d", n);
      spoil_column("execution", f->name, value);
    }
  }
}

static void values_of_the_cold_column(void **state) {
  (void)state;
  static const char *const values[] = {"-9223372036854775808", "'text'", "9223372036854775807",
                                       "7"};
  const struct record_info *info = &record_infos[RECORD_KIND_execution];
  for (unsigned i = 0; i < info->field_count; i++) {
    const struct field *f = &info->fields[i];
    if (!(f->flags & FIELD_COLD)) continue;
    for (size_t k = 0; k < some(2, ARRAY_LEN(values)); k++) {
      char sql[400];
      snprintf(sql, sizeof sql, "UPDATE execution SET cold=json_set(coalesce(cold,'{}'),'$.%s',%s)",
               f->name, values[k]);
      spoil(sql);
      call_everything();
    }
  }
}

/* Lengths within the type and beyond what the contract allows. */
static void texts_too_long(void **state) {
  (void)state;
  static const char *const columns[] = {
      "lane_id", "worker_id", "worker_instance_id", "namespace", "required_capabilities", "tags"};
  for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
    spoil_column("execution", columns[i], "printf('%.70c','x')");
    spoil_column("execution", columns[i], "printf('%.700c','x')");
  }
}

/* ---- what the error says ---- */

static void names_what_is_wrong(void **state) {
  (void)state;
  static const struct {
    const char *sql, *field, *detail;
  } bad[] = {
      {"UPDATE execution SET priority='high'", "priority", "execution: priority: not an integer"},
      {"UPDATE execution SET lane_id=x'00'", "lane_id", "execution: lane_id: not a text"},
      {"UPDATE execution SET lease_id=x'00'", "lease_id", "execution: lease_id: not 16 bytes"},
      {"UPDATE execution SET lifecycle_phase=99", "lifecycle_phase",
       "execution: lifecycle_phase: unknown value"},
      {"UPDATE execution SET attempt_index=-1", "attempt_index",
       "execution: attempt_index: out of range"},
      {"UPDATE execution SET version=0", "version", "execution: version: out of range"},
      {"UPDATE execution SET cold='{'", "cold", "execution: cold: does not parse"},
      {"UPDATE execution SET cold='{\"retry_count\":-1}'", "retry_count",
       "execution: retry_count: does not parse"},
      {"UPDATE execution SET tags='[]'", "tags", "tags"}};
  struct ff_describe_execution_args args = FF_ARGS(describe_execution);
  struct ff_describe_execution_result result;
  args.execution_id = ff_text(BAD_LEASED);
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    spoil(bad[i].sql);
    assert_true(open_spoiled());
    if (call("describe_execution", &args, &result) == FF_OK) fail_msg("%s: read", bad[i].sql);
    assert_int_equal(error.code, FF_CODE_corruption);
    assert_string_equal(error.field, bad[i].field);
    if (i + 1 < ARRAY_LEN(bad)) assert_non_null(ff_error_context_get(&error, "row"));
    if (!strstr(error.detail, bad[i].detail)) fail_msg("%s: %s", bad[i].sql, error.detail);
    ff_close(world.engine);
  }
}

/* ST-62; and an append does not go on from there (05 A.4, 15). */
static void documents(void **state) {
  (void)state;
  struct ff_append_frame_args append = FF_ARGS(append_frame);
  struct ff_append_frame_result appended;
  struct ff_read_summary_args args = FF_ARGS(read_summary);
  struct ff_read_summary_result result;
  append.handle = world.task.handle;
  append.bytes = (struct ff_bytes){"{}", 2};
  append.mode = FF_frame_mode_summary;
  args.execution_id = ff_text(BAD_LEASED);
  args.attempt_index = world.task.attempt_index;
  static const char *const bad[] = {"UPDATE summary SET document='{'",
                                    "UPDATE summary SET document='[]'",
                                    "UPDATE summary SET document=''"};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    spoil(bad[i]);
    assert_true(open_spoiled());
    assert_int_equal(call("read_summary", &args, &result), FF_VALIDATION);
    assert_int_equal(error.code, FF_CODE_corruption);
    assert_string_equal(error.field, "document");
    assert_int_equal(call("append_frame", &append, &appended), FF_VALIDATION);
    assert_int_equal(error.code, FF_CODE_corruption);
    ff_close(world.engine);
  }
}

/* One bad row does not keep the others from being read and worked on. */
static void others_go_on(void **state) {
  (void)state;
  char sql[200];
  snprintf(sql, sizeof sql, "UPDATE execution SET priority='high' WHERE id=x'%s'",
           "00000000000040008000000000000002");
  spoil(sql);
  assert_true(open_spoiled());
  struct ff_describe_execution_args args = FF_ARGS(describe_execution);
  struct ff_describe_execution_result result;
  args.execution_id = ff_text(BAD_WAITING);
  assert_int_equal(call("describe_execution", &args, &result), FF_VALIDATION);
  args.execution_id = ff_text(BAD_LEASED);
  assert_int_equal(call("describe_execution", &args, &result), FF_OK);
  ff_clear(&result);
  struct ff_complete_args complete = FF_ARGS(complete);
  complete.handle = world.task.handle;
  MUST(complete, complete);
  ff_close(world.engine);
}

/* ---- one batch ---- */

struct answer {
  int calls;
  enum ff_code code;
};

static void answered(void *user, enum ff_rc rc, void *result, const struct ff_error *e) {
  struct answer *answer = user;
  (void)result;
  answer->calls++;
  answer->code = rc ? e->code : FF_CODE_none;
}

/* Who shares a batch with somebody who asks for the bad row is not refused with him. */
static void neighbours_in_one_batch(void **state) {
  (void)state;
  struct engine *engine;
  struct engine_options options = {.manual = true, .open = FF_OPEN_OPTIONS_INIT};
  struct answer answers[4] = {{0}};
  options.open.dev_mode = true;
  options.open.clock_ms = bad_clock;
  options.open.log = bad_quiet;
  spoil("UPDATE execution SET priority='high' WHERE id=x'00000000000040008000000000000002'");
  struct ff_str url = ff_text(bad_url(&files, "spoiled.db", "?synchronous=off"));
  assert_int_equal(engine_open(url, &options, &engine, &error), FF_OK);
  struct ff_complete_args complete = FF_ARGS(complete);
  complete.handle = world.task.handle;
  struct ff_change_priority_args change = FF_ARGS(change_priority);
  change.execution_id = ff_text(BAD_WAITING);
  struct ff_set_execution_tag_args tag = FF_ARGS(set_execution_tag);
  tag.execution_id = ff_text(ENDED);
  tag.key = tag.value = ff_text("app.k");
  struct ff_renew_many_args renew = FF_ARGS(renew_many);
  struct ff_renew_item renewals[] = {{world.task.handle}, {{0}}};
  renew.items = (struct ff_renew_items){renewals, 2};
  const struct {
    enum op_id op;
    const void *args;
  } calls[] = {{OP_renew_many, &renew},
               {OP_change_priority, &change},
               {OP_set_execution_tag, &tag},
               {OP_complete, &complete}};
  for (int i = 0; i < 4; i++)
    assert_int_equal(
        engine_call_async(engine, calls[i].op, calls[i].args, answered, &answers[i], NULL), FF_OK);
  for (int i = 0; i < 100 && engine_step(engine, bad_clock(NULL)); i++) {
  }
  for (int i = 0; i < 4; i++) {
    assert_int_equal(answers[i].calls, 1);
    assert_int_equal(answers[i].code, i == 1 ? FF_CODE_corruption : FF_CODE_none);
  }
  engine_close(engine);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_what_is_wrong),
      cmocka_unit_test(documents),     cmocka_unit_test(others_go_on),
      cmocka_unit_test(neighbours_in_one_batch), cmocka_unit_test(illegal_vectors),
      cmocka_unit_test(texts_too_long),          cmocka_unit_test(columns_of_executions),
      cmocka_unit_test(columns_of_other_tables), cmocka_unit_test(values_of_the_cold_column)};
  return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
