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
  char last[256];
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

static void scene_open(struct scene *s) {
  struct ff_error error;
  *s = (struct scene){.now = START};
  struct store_faults faults = {.user = s, .before_apply = before_apply};
  struct engine_options options = {.manual = true, .faults = &faults, .open = FF_OPEN_OPTIONS_INIT};
  options.open.dev_mode = true;
  options.open.clock_ms = clock_of;
  options.open.clock_user = s;
  options.open.log = note;
  options.open.log_user = s;
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
};

static void answered(void *user, enum ff_rc rc, void *result, const struct ff_error *error) {
  struct answer *a = user;
  (void)result, (void)error;
  a->calls++;
  a->rc = rc;
}

static void must(struct scene *s, enum op_id op, const void *args) {
  struct answer a = {0};
  struct ff_error error;
  enum ff_rc rc = engine_call_async(s->engine, op, args, answered, &a, &error);
  if (rc != FF_OK) fail_msg("%s: %s", op_infos[op].name, error.detail);
  step_until_idle(s);
  assert_int_equal(a.calls, 1);
  assert_int_equal(a.rc, FF_OK);
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_failed_sweep_is_no_success),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
