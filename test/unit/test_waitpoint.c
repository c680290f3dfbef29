/*
 * What a waitpoint costs an execution at most: 1,024 wait at a time (03 §2.7), and all of them close
 * in one step, by time or with the execution.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/base.h"
#include "flowfabric/flowfabric.h"

enum { PENDING_MAX = 1024 };

static struct ff_engine *engine;
static struct ff_error error;
static _Atomic int64_t now_ms;

static int64_t read_clock(void *user) {
  (void)user;
  return now_ms;
}

static int setup(void **state) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  (void)state;
  now_ms = 1700000000000;
  options.no_scanners = true;
  options.clock_ms = read_clock;
  options.dev_mode = true;
  options.seed = 7;
  return ff_open("memory:test_waitpoint", &options, &engine, &error) == FF_OK ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  ff_close(engine);
  return 0;
}

#define CALL(op, a, r) assert_int_equal(ff_##op(engine, &(a), &(r), &error), FF_OK)

static struct ff_task leased(void) {
  struct ff_str lane = ff_text("default");
  struct ff_submit_args submit = FF_ARGS(submit);
  struct ff_submit_result made;
  struct ff_claim_task_args claim = FF_ARGS(claim_task);
  struct ff_claim_task_result held;
  CALL(submit, submit, made);
  claim.lane_ids = (struct ff_strs){&lane, 1};
  claim.worker_id = claim.worker_instance_id = ff_text("w");
  claim.lease_ttl_ms = 100000;
  CALL(claim_task, claim, held);
  struct ff_task task = held.task;
  ff_clear(&held);
  ff_clear(&made);
  return task;
}

static void fill(const struct ff_task *task) {
  struct ff_create_waitpoint_args a = FF_ARGS(create_waitpoint);
  struct ff_create_waitpoint_result r;
  a.handle = task->handle;
  a.waitpoint_key = ff_text("k");
  for (int i = 0; i < PENDING_MAX; i++) {
    a.expires_in_ms = 1000 + (uint64_t)(i % 2);
    CALL(create_waitpoint, a, r);
    ff_clear(&r);
  }
  assert_int_equal(ff_create_waitpoint(engine, &a, &r, &error), FF_VALIDATION);
  assert_string_equal(error.field, "waitpoint_key");
  assert_non_null(strstr(error.detail, "too_many_waitpoints"));
}

/* Listed page by page. */
static size_t count_pending(const struct ff_task *task) {
  struct ff_list_pending_waitpoints_args a = FF_ARGS(list_pending_waitpoints);
  struct ff_list_pending_waitpoints_result r;
  char cursor[40];
  size_t count = 0;
  a.execution_id = ff_text(task->execution_id.text);
  a.limit = 1000;
  for (bool more = true; more;) {
    CALL(list_pending_waitpoints, a, r);
    count += r.entries.count;
    more = text_present(r.next_cursor);
    snprintf(cursor, sizeof cursor, TEXT_FMT, TEXT_ARG(r.next_cursor));
    a.after = ff_text(cursor);
    ff_clear(&r);
  }
  return count;
}

static void scan(void) {
  struct ff_run_scanner_args a = FF_ARGS(run_scanner);
  struct ff_run_scanner_result r;
  a.name = ff_text("pending_wp_expiry");
  CALL(run_scanner, a, r);
  assert_int_equal(r.errors, 0);
  ff_clear(&r);
}

static void time_closes_them(void **state) {
  (void)state;
  struct ff_task task = leased();
  fill(&task);
  assert_int_equal(count_pending(&task), PENDING_MAX);
  now_ms += 999;
  scan();
  assert_int_equal(count_pending(&task), PENDING_MAX);
  now_ms += 1;
  scan();
  assert_int_equal(count_pending(&task), PENDING_MAX / 2);
  now_ms += 1;
  scan();
  assert_int_equal(count_pending(&task), 0);
  fill(&task);
}

static void the_end_closes_them(void **state) {
  (void)state;
  struct ff_task task = leased();
  struct ff_complete_args complete = FF_ARGS(complete);
  struct ff_complete_result completed;
  fill(&task);
  complete.handle = task.handle;
  CALL(complete, complete, completed);
  ff_clear(&completed);
  assert_int_equal(count_pending(&task), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {TEST(time_closes_them), TEST(the_end_closes_them)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
