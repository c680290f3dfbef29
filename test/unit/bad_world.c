/*
 * The world of the bad-input tests. Only the dump looks behind the public headers.
 */
#include "test/unit/bad_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/api.h"
#include "test/lib/script.h"

const struct ff_str bad_texts[BAD_TEXT_COUNT] = {
    {"a\xc3", 2}, {"\xc0\xaf", 2}, {"\xed\xa0\x80", 3}, {"\xff", 1}, {"a\0b", 3}};

const char *bad_long_text(void) {
  static char text[BAD_LONG + 1];
  if (!text[0]) memset(text, 'x', BAD_LONG);
  return text;
}

int64_t bad_clock(void *user) {
  (void)user;
  return 1700000000000;
}

void bad_quiet(void *user, enum ff_log_level level, const char *message) {
  (void)user, (void)level, (void)message;
}

struct ff_engine *bad_engine_open(const char *url, uint32_t partitions) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct ff_engine *engine;
  struct ff_error error;
  options.no_scanners = true;
  options.dev_mode = true;
  options.max_payload_bytes = BAD_PAYLOAD_MAX;
  options.clock_ms = bad_clock;
  options.flow_partitions = partitions;
  options.seed = 7;
  options.log = bad_quiet;
  if (ff_open(url, &options, &engine, &error) != FF_OK) fail_msg("%s: %s", url, error.detail);
  return engine;
}

void bad_create(struct ff_engine *engine, const char *id) {
  struct ff_create_execution_args args = FF_ARGS(create_execution);
  struct ff_create_execution_result result;
  args.execution_id = ff_text(id);
  assert_int_equal(ff_create_execution(engine, &args, &result, NULL), FF_OK);
  ff_clear(&result);
}

struct ff_task bad_claim(struct ff_engine *engine) {
  struct ff_str lane = ff_text("default");
  struct ff_claim_task_args args = FF_ARGS(claim_task);
  struct ff_claim_task_result result;
  args.lane_ids = (struct ff_strs){&lane, 1};
  args.worker_id = ff_text("w");
  args.worker_instance_id = ff_text("w-1");
  args.lease_ttl_ms = 30000;
  assert_int_equal(ff_claim_task(engine, &args, &result, NULL), FF_OK);
  assert_int_equal(result.outcome, FF_outcome_claimed);
  struct ff_task task = result.task;
  ff_clear(&result);
  return task;
}

void bad_waitpoint(struct bad_world *w) {
  struct ff_create_waitpoint_args args = FF_ARGS(create_waitpoint);
  struct ff_create_waitpoint_result result;
  args.handle = w->task.handle;
  args.waitpoint_key = ff_text("k");
  args.expires_in_ms = 1000;
  assert_int_equal(ff_create_waitpoint(w->engine, &args, &result, NULL), FF_OK);
  snprintf(w->waitpoint_id, sizeof w->waitpoint_id, "%.36s", result.waitpoint_id.text);
  snprintf(w->waitpoint_token, sizeof w->waitpoint_token, TEXT_FMT,
           TEXT_ARG(result.waitpoint_token));
  ff_clear(&result);
}

void bad_world_open(struct bad_world *w) {
  w->engine = bad_engine_open("memory:bad_world", 0);
  bad_create(w->engine, BAD_LEASED);
  w->task = bad_claim(w->engine);
  bad_waitpoint(w);
  bad_create(w->engine, BAD_WAITING);
}

void bad_world_close(struct bad_world *w) {
  ff_close(w->engine);
  w->engine = NULL;
}

void bad_dump(struct ff_engine *engine, struct buffer *out) {
  buffer_clear(out);
  engine_dump(engine->engine, out);
}
