/*
 * The batch executor driven by hand on the memory store: bounds of asynchronous calls, the poll of
 * waiting claims, batches that take effect in part (DESIGN §5).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "flowfabric/flowfabric.h"
#include "op/op.h"
#include "op/values.h"
#include "store/store.h"

#define URL "memory:test_executor"

/* ---- the world ---- */

static int64_t now;

static struct {
  uint32_t answered, claimed, completed, conflicts_left;
} seen;

static int64_t clock_ms(void *user) {
  (void)user;
  return now;
}

static void quiet(void *user, enum ff_log_level level, const char *message) {
  (void)user, (void)level, (void)message;
}

static struct engine *open_engine(const struct ff_open_options *open,
                                  const struct store_faults *faults) {
  struct engine_options options = {.open = *open, .manual = true, .faults = faults};
  struct engine *engine;
  struct ff_error error;
  options.open.size = sizeof options.open;
  options.open.clock_ms = clock_ms;
  options.open.log = quiet;
  options.open.no_scanners = true;
  options.open.seed = 7;
  now = 1700000000000;
  seen.answered = seen.claimed = seen.completed = 0;
  if (engine_open(TEXT_LIT(URL), &options, &engine, &error) != FF_OK) fail_msg("%s", error.detail);
  (void)engine_step(engine, now); /* it knows the time from its steps */
  return engine;
}

static uint32_t steps(struct engine *engine) {
  uint32_t n = 0;
  while (engine_step(engine, now)) n++;
  return n;
}

static void complete(struct engine *engine, const struct ff_handle *handle) {
  struct ff_complete_args args = FF_ARGS(complete);
  struct ff_complete_result result;
  struct ff_error error;
  args.handle = *handle;
  if (engine_call(engine, OP_complete, &args, &result, &error) != FF_OK)
    fail_msg("%s", error.detail);
  values_free(result.memory);
  seen.completed++;
}

/* What is claimed is completed at once. */
static void take_claim(void *user, enum ff_rc rc, void *result, const struct ff_error *error) {
  struct ff_claim_task_result *claim = result;
  (void)error;
  seen.answered++;
  if (rc != FF_OK || claim->outcome != FF_outcome_claimed) return;
  seen.claimed++;
  complete(user, &claim->task.handle);
}

static void done(void *user, enum ff_rc rc, void *result, const struct ff_error *error) {
  (void)user, (void)rc, (void)result, (void)error;
  seen.answered++;
}

static enum ff_rc wait_for_work(struct engine *engine, struct ff_str lane,
                                struct ff_error *error) {
  struct ff_claim_task_args args = FF_ARGS(claim_task);
  args.lane_ids = (struct ff_strs){&lane, 1};
  args.worker_id = args.worker_instance_id = TEXT_LIT("w");
  args.lease_ttl_ms = 30000;
  args.max_wait_ms = 10000;
  return engine_call_async(engine, OP_claim_task, &args, take_claim, engine, error);
}

/* The payload is a record of its own. */
static void submit(struct engine *engine, struct ff_str lane) {
  static char payload[1000];
  struct ff_submit_args args = FF_ARGS(submit);
  struct ff_submit_result result;
  struct ff_error error;
  args.lane_id = lane;
  args.input_payload = (struct ff_bytes){payload, sizeof payload};
  if (engine_call(engine, OP_submit, &args, &result, &error) != FF_OK) fail_msg("%s", error.detail);
  values_free(result.memory);
}

static void assert_context(const struct ff_error *error, const char *key, const char *value) {
  for (uint32_t i = 0; i < error->context_count; i++)
    if (strcmp(error->context[i].key, key) == 0) {
      assert_string_equal(error->context[i].value, value);
      return;
    }
  fail_msg("no %s in the context of: %s", key, error->detail);
}

/* ---- bounds of asynchronous calls (DESIGN §5.7) ---- */

static void async_calls_are_counted(void **state) {
  (void)state;
  struct ff_open_options options = {.async_limit = 2};
  struct engine *engine = open_engine(&options, NULL);
  struct ff_error error;
  for (int i = 0; i < 2; i++)
    assert_int_equal(wait_for_work(engine, TEXT_LIT("a"), &error), FF_OK);
  steps(engine);
  assert_int_equal(seen.answered, 0);
  assert_int_equal(wait_for_work(engine, TEXT_LIT("a"), &error), FF_RESOURCE_EXHAUSTED);
  assert_string_equal(error.detail, "2 asynchronous calls wait for their end already");
  assert_context(&error, "pool", "async");
  assert_context(&error, "max", "2");

  submit(engine, TEXT_LIT("a")); /* one is answered: there is room for one more */
  steps(engine);
  assert_int_equal(seen.claimed, 1);
  assert_int_equal(wait_for_work(engine, TEXT_LIT("a"), &error), FF_OK);
  assert_int_equal(wait_for_work(engine, TEXT_LIT("a"), &error), FF_RESOURCE_EXHAUSTED);
  engine_close(engine);
}

static enum ff_rc submit_large(struct engine *engine, size_t bytes, struct ff_error *error) {
  static char payload[4000];
  struct ff_submit_args args = FF_ARGS(submit);
  args.lane_id = TEXT_LIT("a");
  args.input_payload = (struct ff_bytes){payload, bytes};
  return engine_call_async(engine, OP_submit, &args, done, NULL, error);
}

static void async_bytes_are_counted(void **state) {
  (void)state;
  struct ff_open_options options = {.async_bytes_limit = 3000};
  struct engine *engine = open_engine(&options, NULL);
  struct ff_error error;
  assert_int_equal(submit_large(engine, 4000, &error), FF_OK); /* alone, whatever its size */
  assert_int_equal(submit_large(engine, 1, &error), FF_RESOURCE_EXHAUSTED);
  assert_context(&error, "pool", "async_bytes");
  assert_context(&error, "max", "3000");
  steps(engine);
  assert_int_equal(submit_large(engine, 1000, &error), FF_OK);
  assert_int_equal(submit_large(engine, 1000, &error), FF_OK);
  assert_int_equal(submit_large(engine, 1000, &error), FF_RESOURCE_EXHAUSTED);
  steps(engine);
  assert_int_equal(seen.answered, 3);
  engine_close(engine);
}

/* ---- the poll of waiting claims ---- */

static uint64_t batches(struct engine *engine) {
  struct ff_engine_stats_args args = FF_ARGS(engine_stats);
  struct ff_engine_stats_result result;
  struct ff_error error;
  uint64_t n = 0;
  assert_int_equal(engine_call(engine, OP_engine_stats, &args, &result, &error), FF_OK);
  for (size_t i = 0; i < result.stats.count; i++)
    if (text_equal_c(result.stats.items[i].key, "batches"))
      assert_true(parse_u64(result.stats.items[i].value, &n));
  values_free(result.memory);
  return n;
}

/* One call a batch: as many batches as calls that try. */
static void a_poll_tries_once_for_each_kind(void **state) {
  (void)state;
  struct ff_open_options options = {.batch_limit = 1};
  struct engine *engine = open_engine(&options, NULL), *other = open_engine(&options, NULL);
  struct ff_error error;
  for (int i = 0; i < 9; i++)
    assert_int_equal(wait_for_work(engine, i < 6 ? TEXT_LIT("a") : TEXT_LIT("b"), &error), FF_OK);
  steps(engine);
  assert_int_equal(seen.answered, 0);

  uint64_t before = batches(engine);
  submit(other, TEXT_LIT("elsewhere")); /* a hint, and nothing for us */
  steps(engine);
  assert_int_equal(batches(engine) - before, 2);

  for (int i = 0; i < 5; i++) submit(other, TEXT_LIT("a"));
  steps(engine);
  assert_int_equal(seen.claimed, 5);
  assert_int_equal(seen.answered, 5);
  engine_close(engine);
  engine_close(other);
}

/* A claim that found nothing, and behind it in the same batch the work it waits for. */
static void the_batch_itself_makes_the_work(void **state) {
  (void)state;
  struct ff_open_options options = {0};
  struct engine *engine = open_engine(&options, NULL);
  struct ff_error error;
  struct ff_submit_args args = FF_ARGS(submit);
  submit(engine, TEXT_LIT("b")); /* no registration of the lane comes between */
  args.lane_id = TEXT_LIT("a");
  assert_int_equal(wait_for_work(engine, TEXT_LIT("a"), &error), FF_OK);
  assert_int_equal(engine_call_async(engine, OP_submit, &args, done, NULL, &error), FF_OK);
  steps(engine);
  assert_int_equal(seen.claimed, 1);
  engine_close(engine);
}

/* ---- batches that take effect in part ---- */

static enum store_outcome refuse_some(void *user, const struct store_group *group,
                                      bool *really_apply) {
  (void)user, (void)really_apply;
  const struct execution *x = group->writes[0].record;
  if (group->writes[0].record_kind != RECORD_KIND_execution || x->partition != 9)
    return STORE_APPLIED;
  return seen.conflicts_left && seen.conflicts_left-- ? STORE_CONFLICT : STORE_APPLIED;
}

/* The answers of the items that took effect outlive the batch that made them. */
static void a_conflict_of_one_tag_runs_its_items_again(void **state) {
  (void)state;
  struct store_faults faults = {.group = refuse_some, .tag_groups = true};
  struct ff_open_options options = {0};
  struct engine *engine = open_engine(&options, &faults);
  struct ff_create_execution_args items[3] = {0};
  static const char *const ids[] = {"{fp:7}:01234567-89ab-7cde-8f00-000000000001",
                                    "{fp:9}:01234567-89ab-7cde-8f00-000000000002",
                                    "{fp:8}:01234567-89ab-7cde-8f00-000000000003"};
  for (int i = 0; i < 3; i++) items[i].execution_id = ff_text(ids[i]);
  struct ff_create_executions_args args = FF_ARGS(create_executions);
  struct ff_create_executions_result result;
  struct ff_error error;
  args.items = (struct ff_create_list){items, 3};
  seen.conflicts_left = 2;
  if (engine_call(engine, OP_create_executions, &args, &result, &error) != FF_OK)
    fail_msg("%s", error.detail);
  assert_int_equal(seen.conflicts_left, 0);
  assert_int_equal(result.slots.count, 3);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(result.slots.items[i].outcome, FF_outcome_created);
    assert_string_equal(result.slots.items[i].execution_id.text, ids[i]);
  }
  values_free(result.memory);
  engine_close(engine);
}

/* ---- rounds of loading ---- */

/* Each of a hundred due items needs more than its arguments name: their loads are shared. */
static void rounds_do_not_grow_with_the_items(void **state) {
  (void)state;
  enum { ITEMS = 100 };
  struct ff_open_options options = {.retention_ms = 1000};
  struct engine *engine = open_engine(&options, NULL);
  struct ff_error error;
  for (int i = 0; i < ITEMS; i++) {
    submit(engine, TEXT_LIT("due"));
    assert_int_equal(wait_for_work(engine, TEXT_LIT("due"), &error), FF_OK);
  }
  steps(engine);
  assert_int_equal(seen.completed, ITEMS);

  now += 1001;
  struct ff_run_scanner_args args = FF_ARGS(run_scanner);
  struct ff_run_scanner_result result;
  assert_int_equal(engine_call(engine, OP_run_scanner, &args, &result, &error), FF_OK);
  assert_int_equal(result.errors, 0);
  assert_int_equal(result.processed, ITEMS);
  engine_close(engine);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(async_calls_are_counted), cmocka_unit_test(async_bytes_are_counted),
      cmocka_unit_test(a_poll_tries_once_for_each_kind),
      cmocka_unit_test(the_batch_itself_makes_the_work),
      cmocka_unit_test(a_conflict_of_one_tag_runs_its_items_again),
      cmocka_unit_test(rounds_do_not_grow_with_the_items)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
