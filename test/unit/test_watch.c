/*
 * A wait that begins while a commit of what it waits for is under way.
 *
 * The memory store holds that commit up until the wait has looked: too early to see it, so it must
 * be woken by it. Run under ThreadSanitizer by `./dev tsan`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/park.h"
#include "engine/engine.h"

#include <pthread.h>
#include <stdatomic.h>

struct scene {
  struct engine *engine;
  struct ff_id id;
  struct ff_handle handle;
  atomic_bool held, applying; /* the next commit stops while held */
  atomic_int answers;
  _Atomic enum ff_rc rc;
};

static void rest(void) {
  struct park pause = {0};
  (void)park_wait(&pause, 1000);
}

static enum ff_rc before_apply(void *user, struct ff_error *error) {
  struct scene *s = user;
  (void)error;
  if (!atomic_load(&s->held)) return FF_OK;
  atomic_store(&s->applying, true);
  while (atomic_load(&s->held)) rest();
  return FF_OK;
}

static void must(struct scene *s, enum op_id op, const void *args, void *result) {
  struct ff_error error;
  if (engine_call(s->engine, op, args, result, &error) != FF_OK)
    fail_msg("%s: %s", op_infos[op].name, error.detail);
}

static void scene_open(struct scene *s) {
  struct ff_error error;
  *s = (struct scene){.engine = NULL};
  /* As a file: what waits is not polled. */
  struct store_faults faults = {.user = s, .before_apply = before_apply, .one_owner = true};
  struct engine_options options = {.faults = &faults, .open = FF_OPEN_OPTIONS_INIT};
  options.open.dev_mode = options.open.no_scanners = true;
  if (engine_open(TEXT_LIT("memory:watch"), &options, &s->engine, &error) != FF_OK)
    fail_msg("%s", error.detail);
  struct ff_submit_args submit = FF_ARGS(submit);
  struct ff_submit_result submitted;
  must(s, OP_submit, &submit, &submitted);
  s->id = submitted.execution_id;
  ff_clear(&submitted);
  struct ff_claim_args claim = FF_ARGS(claim);
  struct ff_claim_result claimed;
  claim.lane_id = TEXT_LIT("default");
  claim.worker_id = claim.worker_instance_id = TEXT_LIT("w");
  claim.lease_ttl_ms = 600000;
  must(s, OP_claim, &claim, &claimed);
  s->handle = claimed.handle;
  ff_clear(&claimed);
}

static void *complete(void *user) {
  struct scene *s = user;
  struct ff_complete_args args = FF_ARGS(complete);
  struct ff_complete_result result;
  args.handle = s->handle;
  must(s, OP_complete, &args, &result);
  ff_clear(&result);
  return NULL;
}

static void *append(void *user) {
  struct scene *s = user;
  struct ff_append_frame_args args = FF_ARGS(append_frame);
  struct ff_append_frame_result result;
  args.handle = s->handle;
  args.bytes = (struct ff_bytes){"x", 1};
  must(s, OP_append_frame, &args, &result);
  ff_clear(&result);
  return NULL;
}

static void answered(void *user, enum ff_rc rc, void *result, const struct ff_error *error) {
  struct scene *s = user;
  (void)result, (void)error;
  atomic_store(&s->rc, rc);
  atomic_fetch_add(&s->answers, 1);
}

static uint64_t reads(struct scene *s) {
  struct ff_engine_stats_args args = FF_ARGS(engine_stats);
  struct ff_engine_stats_result result;
  uint64_t count = 0;
  must(s, OP_engine_stats, &args, &result);
  for (size_t i = 0; i < result.stats.count; i++)
    if (text_equal_c(result.stats.items[i].key, "reads"))
      assert_true(parse_u64(result.stats.items[i].value, &count));
  ff_clear(&result);
  return count;
}

/* `change` is held in its commit, the wait looks, the commit goes on: the wait must end. */
static void wait_across(struct scene *s, void *(*change)(void *), enum op_id op,
                        const void *args) {
  pthread_t thread;
  struct ff_error error;
  uint64_t before = reads(s);
  atomic_store(&s->held, true);
  pthread_create(&thread, NULL, change, s);
  while (!atomic_load(&s->applying)) rest();
  assert_int_equal(engine_call_async(s->engine, op, args, answered, s, &error), FF_OK);
  while (reads(s) == before) rest();
  assert_int_equal(atomic_load(&s->answers), 0);
  atomic_store(&s->held, false);
  pthread_join(thread, NULL);
  for (int i = 0; i < 10000 && !atomic_load(&s->answers); i++) rest();
  assert_int_equal(atomic_load(&s->answers), 1);
  assert_int_equal(atomic_load(&s->rc), FF_OK);
}

static void the_end_is_not_missed(void **state) {
  (void)state;
  struct scene s;
  scene_open(&s);
  struct ff_wait_execution_args args = FF_ARGS(wait_execution);
  args.execution_id = ff_text(s.id.text);
  args.timeout_ms = 600000;
  wait_across(&s, complete, OP_wait_execution, &args);
  engine_close(s.engine);
}

static struct ff_tail_stream_args tail_of(const struct scene *s) {
  struct ff_tail_stream_args args = FF_ARGS(tail_stream);
  args.execution_id = ff_text(s->id.text);
  args.after = TEXT_LIT("0-0");
  args.block_ms = 30000;
  args.count_limit = 1;
  return args;
}

static void a_frame_is_not_missed(void **state) {
  (void)state;
  struct scene s;
  scene_open(&s);
  struct ff_tail_stream_args args = tail_of(&s);
  wait_across(&s, append, OP_tail_stream, &args);
  engine_close(s.engine);
}

static void the_end_of_a_stream_is_not_missed(void **state) {
  (void)state;
  struct scene s;
  scene_open(&s);
  struct ff_tail_stream_args args = tail_of(&s);
  wait_across(&s, complete, OP_tail_stream, &args);
  engine_close(s.engine);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_end_is_not_missed),
      cmocka_unit_test(a_frame_is_not_missed),
      cmocka_unit_test(the_end_of_a_stream_is_not_missed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
