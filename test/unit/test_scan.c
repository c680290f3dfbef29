/*
 * Due work that fails: what is counted, what is said, and that it holds up nobody else.
 *
 * Hand-driven engines on the memory store, whose faults and clock the test moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "engine/engine.h"

#include <stdio.h>

#define START INT64_C(1700000000000)

struct scene {
  struct engine *engine;
  int64_t now;
  bool commits_fail;
  uint32_t warnings;
  char last[512];
  bool (*spoiled)(enum record_kind, const void *record);
};

static int64_t clock_of(void *user) { return ((struct scene *)user)->now; }

static void note(void *user, enum ff_log_level level, const char *message) {
  struct scene *s = user;
  s->warnings += level <= FF_LOG_WARN;
  snprintf(s->last, sizeof s->last, "%s", message);
}

static enum ff_rc before_apply(void *user, struct ff_error *error) {
  struct scene *s = user;
  return s->commits_fail ? error_set(error, FF_CODE_store_full, "no room") : FF_OK;
}

static const char *spoiled_field(void *user, enum record_kind kind, const void *record) {
  const struct scene *s = user;
  bool bad = s->spoiled && s->spoiled(kind, record);
  return bad ? record_infos[kind].fields[record_infos[kind].key_count].name : NULL;
}

static void scene_open(struct scene *s) {
  struct ff_error error;
  *s = (struct scene){.now = START};
  struct store_faults faults = {.user = s, .before_apply = before_apply, .spoiled = spoiled_field};
  struct engine_options options = {.manual = true, .faults = &faults, .open = FF_OPEN_OPTIONS_INIT};
  options.open.dev_mode = true;
  options.open.clock_ms = clock_of;
  options.open.clock_user = s;
  options.open.log = note;
  options.open.log_user = s;
  options.open.retention_ms = 1000;
  enum ff_rc rc = engine_open(TEXT_LIT("memory:"), &options, &s->engine, &error);
  if (rc != FF_OK) fail_msg("%s", error.detail);
}

static void step_until_idle(struct scene *s) {
  while (engine_step(s->engine, s->now)) {
  }
}

struct answer {
  int calls;
  enum ff_rc rc;
  struct ff_error error;
  struct ff_claim_task_result claim; /* of claim_task; its texts are gone */
  size_t listed;                     /* by query_executions */
  enum op_id op;
};

static void answered(void *user, enum ff_rc rc, void *result, const struct ff_error *error) {
  struct answer *a = user;
  a->calls++;
  a->rc = rc;
  if (rc != FF_OK) a->error = *error;
  if (rc == FF_OK && a->op == OP_claim_task) memcpy(&a->claim, result, sizeof a->claim);
  if (rc == FF_OK && a->op == OP_query_executions)
    a->listed = ((struct ff_query_executions_result *)result)->executions.count;
}

static struct answer call(struct scene *s, enum op_id op, const void *args) {
  struct answer a = {.op = op};
  struct ff_error error;
  enum ff_rc rc = engine_call_async(s->engine, op, args, answered, &a, &error);
  if (rc != FF_OK) fail_msg("%s: %s", op_infos[op].name, error.detail);
  step_until_idle(s);
  assert_int_equal(a.calls, 1);
  return a;
}

static struct answer must(struct scene *s, enum op_id op, const void *args) {
  struct answer a = call(s, op, args);
  if (a.rc != FF_OK) fail_msg("%s: %s", op_infos[op].name, a.error.detail);
  return a;
}

static struct ff_run_scanner_result scan(struct scene *s, const char *name) {
  struct ff_run_scanner_args args = FF_ARGS(run_scanner);
  struct ff_run_scanner_result result;
  struct ff_error error;
  args.name = ff_text(name);
  assert_int_equal(engine_call(s->engine, OP_run_scanner, &args, &result, &error), FF_OK);
  return result;
}

static void create(struct scene *s, const char *key, uint64_t dedup_ms) {
  struct ff_submit_args args = FF_ARGS(submit);
  char policy[96];
  snprintf(policy, sizeof policy, "{\"dedup_window_ms\":%llu}", (unsigned long long)dedup_ms);
  args.lane_id = TEXT_LIT("l");
  args.namespace_ = TEXT_LIT("n");
  args.idempotency_key = ff_text(key);
  args.policy = ff_text(policy);
  must(s, OP_submit, &args);
}

static void a_failed_sweep_is_no_success(void **state) {
  (void)state;
  struct scene s;
  scene_open(&s);
  create(&s, "a", 1000);
  create(&s, "b", 1000);
  s.now += 2000;
  s.commits_fail = true;
  struct ff_run_scanner_result result = scan(&s, "dedup_sweep");
  assert_int_equal(result.processed, 0);
  assert_int_equal(result.errors, 2);
  assert_true(s.warnings > 0);
  assert_string_equal(s.last, "dedup_sweep: store_full: no room");
  s.commits_fail = false;
  result = scan(&s, "dedup_sweep");
  assert_int_equal(result.processed, 2);
  assert_int_equal(result.errors, 0);
  engine_close(s.engine);
}

/* ---- spoiled rows ---- */

/* Work of this priority, or whose payload begins with an X, is spoiled. */
#define BAD 9000
#define LARGE 400 /* bytes: a payload in a row of its own */

static bool bad_priority(enum record_kind kind, const void *record) {
  return kind == RECORD_KIND_execution && ((const struct execution *)record)->priority == BAD;
}

static bool bad_payload(enum record_kind kind, const void *record) {
  if (kind != RECORD_KIND_payload) return false;
  return *(const char *)((const struct payload *)record)->data.ptr == 'X';
}

static bool bad_set(enum record_kind kind, const void *record) {
  return kind == RECORD_KIND_requirement_set &&
         text_equal_c(((const struct requirement_set *)record)->required_capabilities, "bad");
}

static bool bad_lane(enum record_kind kind, const void *record) {
  return kind == RECORD_KIND_lane && text_equal_c(((const struct lane *)record)->lane_id, "bad");
}

static void submit(struct scene *s, const char *lane, int32_t priority, int64_t delay_until) {
  struct ff_submit_args args = FF_ARGS(submit);
  args.lane_id = ff_text(lane);
  args.priority = priority;
  args.delay_until = delay_until;
  must(s, OP_submit, &args);
}

static void submit_large(struct scene *s, char first, int32_t priority, const char *policy) {
  char payload[LARGE];
  struct ff_submit_args args = FF_ARGS(submit);
  memset(payload, first, sizeof payload);
  args.lane_id = TEXT_LIT("l");
  args.priority = priority;
  args.input_payload = (struct ff_bytes){payload, sizeof payload};
  args.policy = ff_text(policy);
  must(s, OP_submit, &args);
}

static struct answer claim_over(struct scene *s, struct ff_strs lanes, const char *capability) {
  struct ff_str capabilities[] = {ff_text(capability)};
  struct ff_claim_task_args args = FF_ARGS(claim_task);
  args.lane_ids = lanes;
  args.capabilities = (struct ff_strs){capabilities, capability ? 1 : 0};
  args.worker_id = args.worker_instance_id = TEXT_LIT("w");
  args.lease_ttl_ms = 30000;
  return call(s, OP_claim_task, &args);
}

static struct answer claim(struct scene *s) {
  struct ff_str lane = TEXT_LIT("l");
  struct answer a = claim_over(s, (struct ff_strs){&lane, 1}, NULL);
  assert_int_equal(a.rc, FF_OK);
  return a;
}

static size_t listed(struct scene *s, const char *state) {
  struct ff_query_executions_args args = FF_ARGS(query_executions);
  args.public_state = ff_text(state);
  args.limit = 1000;
  return must(s, OP_query_executions, &args).listed;
}

static uint64_t unreadable_rows(struct scene *s) {
  struct ff_engine_stats_args args = FF_ARGS(engine_stats);
  struct ff_engine_stats_result result;
  struct ff_error error;
  uint64_t count = UINT64_MAX;
  assert_int_equal(engine_call(s->engine, OP_engine_stats, &args, &result, &error), FF_OK);
  for (size_t i = 0; i < result.stats.count; i++)
    if (text_equal_c(result.stats.items[i].key, "unreadable_rows"))
      assert_true(parse_u64(result.stats.items[i].value, &count));
  ff_clear(&result);
  return count;
}

static void claims_pass_a_spoiled_head(void **state) {
  (void)state;
  struct scene s;
  scene_open(&s);
  for (int i = 0; i < 40; i++) submit(&s, "l", BAD, 0);
  submit(&s, "l", 5, 0);
  submit(&s, "l", 4, 0);
  s.spoiled = bad_priority;
  for (int i = 0; i < 2; i++) assert_int_equal(claim(&s).claim.outcome, FF_outcome_claimed);
  for (int i = 0; i < 3; i++) assert_int_equal(claim(&s).claim.outcome, FF_outcome_none);
  assert_int_equal(unreadable_rows(&s), 40);
  assert_int_equal(s.warnings, 40); /* each said once, however often it was met */
  /* A list that left them out would be a wrong answer. */
  struct ff_query_executions_args all = FF_ARGS(query_executions);
  all.limit = 1000;
  struct answer list = call(&s, OP_query_executions, &all);
  assert_int_equal(list.rc, FF_VALIDATION);
  assert_int_equal(list.error.code, FF_CODE_corruption);
  s.spoiled = NULL; /* repaired */
  assert_int_equal(claim(&s).claim.outcome, FF_outcome_claimed);
  engine_close(s.engine);
}

static void claims_pass_spoiled_payloads(void **state) {
  (void)state;
  struct scene s;
  scene_open(&s);
  for (int i = 0; i < 100; i++) submit_large(&s, 'X', 7, "");
  submit_large(&s, 'g', 5, "");
  s.spoiled = bad_payload;
  struct answer a = claim(&s);
  assert_int_equal(a.claim.outcome, FF_outcome_claimed);
  assert_int_equal(claim(&s).claim.outcome, FF_outcome_none);
  assert_int_equal(unreadable_rows(&s), 100);
  s.spoiled = NULL;
  assert_int_equal(claim(&s).claim.outcome, FF_outcome_claimed);
  engine_close(s.engine);
}

static void claims_pass_a_spoiled_requirement_set(void **state) {
  (void)state;
  static const char needs_bad[] =
      "{\"routing_requirements\":{\"required_capabilities\":[\"bad\"]}}";
  static const char needs_good[] =
      "{\"routing_requirements\":{\"required_capabilities\":[\"good\"]}}";
  struct ff_str lane = TEXT_LIT("l");
  struct ff_strs lanes = {&lane, 1};
  struct scene s;
  scene_open(&s);
  submit_large(&s, 'a', 7, needs_bad);
  submit_large(&s, 'b', 5, needs_good);
  s.spoiled = bad_set;
  assert_int_equal(claim_over(&s, lanes, "good").claim.outcome, FF_outcome_claimed);
  assert_int_equal(claim_over(&s, lanes, "bad").claim.outcome, FF_outcome_none);
  assert_int_equal(unreadable_rows(&s), 1);
  s.spoiled = NULL;
  assert_int_equal(claim_over(&s, lanes, "bad").claim.outcome, FF_outcome_claimed);
  engine_close(s.engine);
}

/* Who asks for one lane is told what is wrong with it; who asks for several gets the others' work. */
static void claims_over_lanes_pass_a_spoiled_one(void **state) {
  (void)state;
  struct ff_str lanes[] = {TEXT_LIT("bad"), TEXT_LIT("l")};
  struct scene s;
  scene_open(&s);
  submit(&s, "bad", 7, 0);
  submit(&s, "l", 5, 0);
  s.spoiled = bad_lane;
  struct answer both = claim_over(&s, (struct ff_strs){lanes, 2}, NULL);
  assert_int_equal(both.rc, FF_OK);
  assert_int_equal(both.claim.outcome, FF_outcome_claimed);
  struct answer one = claim_over(&s, (struct ff_strs){lanes, 1}, NULL);
  assert_int_equal(one.rc, FF_VALIDATION);
  assert_int_equal(one.error.code, FF_CODE_corruption);
  engine_close(s.engine);
}

static void due_work_passes_spoiled_rows(void **state) {
  (void)state;
  struct scene s;
  scene_open(&s);
  for (int i = 0; i < 3; i++) submit(&s, "l", BAD, START + 1000);
  submit(&s, "l", 5, START + 2000);
  submit(&s, "l", 5, START + 3000);
  s.spoiled = bad_priority;
  s.now = START + 2000;
  step_until_idle(&s);
  assert_int_equal(claim(&s).claim.outcome, FF_outcome_claimed);
  assert_int_equal(claim(&s).claim.outcome, FF_outcome_none);
  s.now = START + 3000; /* what falls due later is known in spite of them */
  step_until_idle(&s);
  assert_int_equal(claim(&s).claim.outcome, FF_outcome_claimed);
  assert_int_equal(s.warnings, 3);
  assert_int_equal(unreadable_rows(&s), 3);
  s.spoiled = NULL;
  assert_int_equal(scan(&s, "delayed_promoter").processed, 3);
  engine_close(s.engine);
}

/* More than a page of items that fail at the head: what is behind them is applied all the same, and
 * each failure is said once. */
static void failing_items_hold_up_nobody(void **state) {
  (void)state;
  enum { FAILING = 600 };
  struct scene s;
  scene_open(&s);
  for (int i = 0; i < FAILING; i++) submit_large(&s, 'X', 7, "");
  for (int i = 0; i < FAILING; i++) {
    struct ff_cancel_execution_args cancel = FF_ARGS(cancel_execution);
    struct answer a = claim(&s);
    assert_int_equal(a.claim.outcome, FF_outcome_claimed);
    cancel.execution_id = ff_text(a.claim.task.execution_id.text);
    cancel.reason = TEXT_LIT("enough");
    must(&s, OP_cancel_execution, &cancel);
  }
  submit(&s, "l", 5, START + 5000);
  assert_int_equal(listed(&s, "cancelled"), FAILING);
  s.spoiled = bad_payload;
  s.now = START + 5000;
  s.warnings = 0;
  struct ff_run_scanner_result result = scan(&s, "");
  assert_int_equal(result.processed, 1);
  assert_int_equal(result.errors, FAILING);
  assert_int_equal(claim(&s).claim.outcome, FF_outcome_claimed);
  uint32_t said = s.warnings;
  assert_true(said >= FAILING);
  assert_int_equal(scan(&s, "").errors, FAILING);
  assert_int_equal(s.warnings, said);
  s.spoiled = NULL;
  assert_int_equal(scan(&s, "").processed, FAILING);
  assert_int_equal(listed(&s, "cancelled"), 0);
  engine_close(s.engine);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_failed_sweep_is_no_success),
      cmocka_unit_test(claims_pass_a_spoiled_head),
      cmocka_unit_test(claims_pass_spoiled_payloads),
      cmocka_unit_test(claims_pass_a_spoiled_requirement_set),
      cmocka_unit_test(claims_over_lanes_pass_a_spoiled_one),
      cmocka_unit_test(due_work_passes_spoiled_rows),
      cmocka_unit_test(failing_items_hold_up_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
