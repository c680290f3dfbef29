/*
 * How often a call goes to the store (DESIGN §4: rounds are bounded; a test pins the usual number).
 *
 * The items of a many-form take effect in order, but what they miss is loaded together: a call of
 * many costs as many rounds as a call of one.
 */
#include "flowfabric/flowfabric.h"

#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANY 60
#define LARGE 400 /* bytes: a row of its own */

static struct ff_engine *engine;
static struct ff_error error;
static char large[LARGE];

static _Atomic int64_t now = 1700000000000;

static int64_t clock_ms(void *user) {
  (void)user;
  return now;
}

static int open_it(void **state) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  (void)state;
  options.no_scanners = options.dev_mode = true;
  options.clock_ms = clock_ms;
  options.retention_ms = 1000;
  memset(large, 'x', sizeof large);
  if (ff_open("memory:rounds", &options, &engine, &error) != FF_OK) fail_msg("%s", error.detail);
  return 0;
}

static int close_it(void **state) {
  (void)state;
  ff_close(engine);
  return 0;
}

static uint64_t rounds(void) {
  struct ff_engine_stats_args args = FF_ARGS(engine_stats);
  struct ff_engine_stats_result result;
  uint64_t count = 0;
  assert_int_equal(ff_engine_stats(engine, &args, &result, &error), FF_OK);
  for (size_t i = 0; i < result.stats.count; i++)
    if (text_equal_c(result.stats.items[i].key, "rounds"))
      assert_true(parse_u64(result.stats.items[i].value, &count));
  ff_clear(&result);
  return count;
}

/* The call, and that it took no more than `most` rounds. */
#define WITHIN(most, name, args, result)                                                    \
  do {                                                                                      \
    uint64_t before_ = rounds();                                                            \
    if (ff_##name(engine, (args), (result), &error) != FF_OK)                               \
      fail_msg("%s: %s", #name, error.detail);                                              \
    uint64_t took_ = rounds() - before_;                                                    \
    if (took_ > (most)) fail_msg("%s took %llu rounds", #name, (unsigned long long)took_);  \
  } while (0)

/* Retried twice at once, by a policy that is a row of its own; a payload that is one too. */
static void create(void) {
  static const char policy[] =
      "{\"retry_policy\":{\"max_retries\":2,\"backoff\":{\"type\":\"fixed\",\"delay_ms\":0}}}";
  struct ff_create_execution_args items[MANY];
  struct ff_create_executions_args args = FF_ARGS(create_executions);
  struct ff_create_executions_result result;
  for (int i = 0; i < MANY; i++) {
    items[i] = (struct ff_create_execution_args)FF_ARGS(create_execution);
    items[i].lane_id = ff_text("l");
    items[i].input_payload = (struct ff_bytes){large, sizeof large};
    items[i].policy = ff_text(policy);
  }
  args.items = (struct ff_create_list){items, MANY};
  WITHIN(3, create_executions, &args, &result);
  for (size_t i = 0; i < result.slots.count; i++)
    assert_int_equal(result.slots.items[i].error.rc, FF_OK);
  ff_clear(&result);
}

static void claim(struct ff_claim_tasks_result *result) {
  struct ff_str lane = ff_text("l");
  struct ff_claim_tasks_args args = FF_ARGS(claim_tasks);
  args.lane_ids = (struct ff_strs){&lane, 1};
  args.worker_id = args.worker_instance_id = ff_text("w");
  args.lease_ttl_ms = 30000;
  args.max = MANY;
  WITHIN(3, claim_tasks, &args, result);
  assert_int_equal(result->tasks.count, MANY);
}

static void items_of_a_call_load_together(void **state) {
  (void)state;
  struct ff_claim_tasks_result claimed;
  create();
  claim(&claimed);
  struct ff_fail_item failures[MANY];
  struct ff_fail_many_args fail_args = FF_ARGS(fail_many);
  struct ff_fail_many_result failed;
  for (int i = 0; i < MANY; i++)
    failures[i] = (struct ff_fail_item){.handle = claimed.tasks.items[i].handle,
                                        .reason = ff_text("r")};
  fail_args.items = (struct ff_fail_items){failures, MANY};
  WITHIN(3, fail_many, &fail_args, &failed);
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(failed.slots.items[i].error.rc, FF_OK);
    assert_int_equal(failed.slots.items[i].next_attempt_index, 1);
  }
  ff_clear(&failed);
  ff_clear(&claimed);
}

/* In order all the same: the second of two completions of one handle meets the first. */
static void items_of_a_call_take_effect_in_order(void **state) {
  (void)state;
  struct ff_claim_tasks_result claimed;
  create();
  claim(&claimed);
  struct ff_fail_item failures[MANY];
  struct ff_fail_many_args args = FF_ARGS(fail_many);
  struct ff_fail_many_result failed;
  for (int i = 0; i < MANY; i++)
    failures[i] = (struct ff_fail_item){.handle = claimed.tasks.items[i / 2].handle,
                                        .reason = ff_text(i % 2 ? "second" : "first")};
  args.items = (struct ff_fail_items){failures, MANY};
  WITHIN(3, fail_many, &args, &failed);
  for (int i = 0; i < MANY; i += 2) assert_int_equal(failed.slots.items[i].error.rc, FF_OK);
  ff_clear(&failed);
  for (int i = 0; i < MANY; i += 2) {
    struct ff_list_attempts_args list = FF_ARGS(list_attempts);
    struct ff_list_attempts_result attempts;
    list.execution_id = ff_text(claimed.tasks.items[i / 2].execution_id.text);
    assert_int_equal(ff_list_attempts(engine, &list, &attempts, &error), FF_OK);
    assert_true(attempts.attempts.count >= 1);
    assert_true(text_equal_c(attempts.attempts.items[0].failure_reason, "first"));
    ff_clear(&attempts);
  }
  ff_clear(&claimed);
}

/* What the purge of an execution deletes besides is known only once the execution is read. */
static void due_items_load_together(void **state) {
  (void)state;
  struct ff_claim_tasks_result claimed;
  create();
  claim(&claimed);
  struct ff_complete_item items[MANY];
  struct ff_complete_many_args args = FF_ARGS(complete_many);
  struct ff_complete_many_result completed;
  for (int i = 0; i < MANY; i++)
    items[i] = (struct ff_complete_item){.handle = claimed.tasks.items[i].handle,
                                         .result_payload = {large, sizeof large}};
  args.items = (struct ff_complete_items){items, MANY};
  WITHIN(3, complete_many, &args, &completed);
  ff_clear(&completed);
  ff_clear(&claimed);
  now += 2000;
  struct ff_run_scanner_args scan = FF_ARGS(run_scanner);
  struct ff_run_scanner_result scanned;
  WITHIN(4, run_scanner, &scan, &scanned);
  assert_int_equal(scanned.processed, MANY);
  assert_int_equal(scanned.errors, 0);
  ff_clear(&scanned);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(items_of_a_call_load_together, open_it, close_it),
      cmocka_unit_test_setup_teardown(items_of_a_call_take_effect_in_order, open_it, close_it),
      cmocka_unit_test_setup_teardown(due_items_load_together, open_it, close_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
