/*
 * Cancelling a large flow: a process that dies in the middle, and members that cannot be read.
 *
 * Hand-driven engines: on a file, which is opened again, and on the memory store, whose faults spoil
 * a row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "engine/engine.h"
#include "test/lib/stores.h"

#include <stdio.h>

#define START INT64_C(1700000000000)
#define FLOW "0f100000-0000-7000-8000-000000000070" /* {fp:7} */

static int64_t now;
static unsigned spoiled_member; /* 0 = none */

static int64_t clock_of(void *user) { return (void)user, now; }
static void quiet(void *user, enum ff_log_level level, const char *message) {
  (void)user, (void)level, (void)message;
}

static const char *spoiled_field(void *user, enum record_kind kind, const void *record) {
  (void)user;
  if (kind != RECORD_KIND_execution || !spoiled_member) return NULL;
  const struct execution *x = record;
  bool is = ((unsigned)x->id.b[14] << 8 | x->id.b[15]) == spoiled_member;
  return is ? "lifecycle_phase" : NULL;
}

static struct engine *open_engine(const char *url) {
  struct engine *e = NULL;
  struct ff_error error;
  struct store_faults faults = {.spoiled = spoiled_field};
  struct engine_options options = {.manual = true, .open = FF_OPEN_OPTIONS_INIT};
  if (strcmp(url, "memory:") == 0) options.faults = &faults;
  options.open.dev_mode = true;
  options.open.clock_ms = clock_of;
  options.open.log = quiet;
  enum ff_rc rc = engine_open(ff_text(url), &options, &e, &error);
  if (rc != FF_OK) fail_msg("%s", error.detail);
  return e;
}

static void call(struct engine *e, enum op_id op, const void *args, void *result) {
  struct ff_error error;
  enum ff_rc rc = engine_call(e, op, args, result, &error);
  if (rc != FF_OK) fail_msg("%s: %s", op_infos[op].name, error.detail);
}

static void settle(struct engine *e) {
  while (engine_step(e, now)) {
  }
}

/* Members are numbered from 1, in hexadecimal at the end of their ids. */
static void member_id(unsigned n, char id[FF_ID_MAX]) {
  snprintf(id, FF_ID_MAX, "{fp:7}:01234567-89ab-7cde-8f00-00000000%04x", n);
}

static void make_flow(struct engine *e, unsigned count) {
  struct ff_create_flow_args flow = FF_ARGS(create_flow);
  struct ff_create_flow_result created;
  flow.flow_id = ff_text(FLOW);
  flow.flow_kind = flow.namespace_ = ff_text("f");
  call(e, OP_create_flow, &flow, &created);
  ff_clear(&created);
  for (unsigned n = 1; n <= count; n++) {
    char id[FF_ID_MAX];
    struct ff_create_execution_args x = FF_ARGS(create_execution);
    struct ff_create_execution_result made;
    struct ff_add_execution_to_flow_args add = FF_ARGS(add_execution_to_flow);
    struct ff_add_execution_to_flow_result added;
    member_id(n, id);
    x.execution_id = add.execution_id = ff_text(id);
    x.lane_id = ff_text("l");
    add.flow_id = ff_text(FLOW);
    call(e, OP_create_execution, &x, &made);
    call(e, OP_add_execution_to_flow, &add, &added);
    ff_clear(&made);
    ff_clear(&added);
  }
}

static uint8_t cancel(struct engine *e, uint8_t wait, struct ff_cancel_flow_result *result) {
  struct ff_cancel_flow_args args = FF_ARGS(cancel_flow);
  args.flow_id = ff_text(FLOW);
  args.cancellation_policy = ff_text("cancel_all");
  args.reason = ff_text("the first reason");
  args.wait = wait;
  call(e, OP_cancel_flow, &args, result);
  return result->outcome;
}

static struct ff_flow describe(struct engine *e) {
  struct ff_describe_flow_args args = FF_ARGS(describe_flow);
  struct ff_describe_flow_result found;
  args.flow_id = ff_text(FLOW);
  call(e, OP_describe_flow, &args, &found);
  assert_int_equal(found.outcome, FF_outcome_ok);
  struct ff_flow flow = found.flow; /* its numbers */
  ff_clear(&found);
  return flow;
}

static bool nothing_owed(struct engine *e) {
  struct ff_wait_for_flow_cancellation_args args = FF_ARGS(wait_for_flow_cancellation);
  struct ff_wait_for_flow_cancellation_result look;
  args.flow_id = ff_text(FLOW);
  call(e, OP_wait_for_flow_cancellation, &args, &look);
  bool ok = look.outcome == FF_outcome_ok;
  ff_clear(&look);
  return ok;
}

static void acknowledge(struct engine *e, unsigned n) {
  char id[FF_ID_MAX];
  struct ff_ack_cancel_member_args args = FF_ARGS(ack_cancel_member);
  struct ff_ack_cancel_member_result result;
  member_id(n, id);
  args.flow_id = ff_text(FLOW);
  args.execution_id = ff_text(id);
  call(e, OP_ack_cancel_member, &args, &result);
  ff_clear(&result);
}

static struct ff_execution read_member(struct engine *e, unsigned n, bool *reason_stands) {
  char id[FF_ID_MAX];
  struct ff_describe_execution_args args = FF_ARGS(describe_execution);
  struct ff_describe_execution_result found;
  member_id(n, id);
  args.execution_id = ff_text(id);
  call(e, OP_describe_execution, &args, &found);
  struct ff_execution x = found.execution; /* its numbers */
  *reason_stands = text_equal_c(found.execution.cancellation_reason, "the first reason");
  ff_clear(&found);
  return x;
}

/* FB-3, FB-9, §20 race 9: the process dies between the flip and the end of draining. */
static void dies_in_the_middle(void **state) {
  (void)state;
  enum { COUNT = 1500 };
  char url[600];
  struct ff_cancel_flow_result result;
  now = START;
  test_store_place(1, "cancel_flow", "", url, sizeof url);
  struct engine *e = open_engine(url);
  make_flow(e, COUNT);
  assert_int_equal(cancel(e, FF_flow_wait_no_wait, &result), FF_outcome_cancellation_scheduled);
  assert_int_equal(result.member_count, COUNT);
  ff_clear(&result);
  assert_int_equal(describe(e).members_cancelled, 0);
  engine_close(e);

  e = open_engine(url);
  now += 1000; /* the grace of who began it is not over */
  settle(e);
  assert_int_equal(describe(e).members_cancelled, 0);
  now = START + 30000;
  for (int i = 0; i < 4 && describe(e).members_cancelled == 0; i++) engine_step(e, now);
  assert_in_range(describe(e).members_cancelled, 1, COUNT - 1);
  engine_close(e); /* once more, in the middle */

  e = open_engine(url);
  now += 60000;
  settle(e);
  assert_true(nothing_owed(e));
  assert_int_equal(describe(e).members_cancelled, COUNT);
  for (unsigned n = 1; n <= COUNT; n += 7) {
    bool stands;
    struct ff_execution x = read_member(e, n, &stands);
    assert_true(stands);
    assert_int_equal(x.version, 3); /* created, joined, cancelled: once */
  }
  engine_close(e);
  test_store_remove(1, "cancel_flow");
}

/* FX-13, FX-21, FB-1, FB-3: a member that cannot be read stays owed and holds up nobody. */
static void cannot_be_read(unsigned count) {
  struct ff_cancel_flow_result result;
  bool stands;
  now = START;
  spoiled_member = 0;
  struct engine *e = open_engine("memory:");
  settle(e); /* what an earlier process left is tried now, once */
  make_flow(e, count);
  spoiled_member = 5;
  assert_int_equal(cancel(e, FF_flow_wait_wait_indefinite, &result),
                   FF_outcome_partially_cancelled);
  assert_int_equal(result.member_count, count);
  assert_int_equal(result.failed_member_execution_ids.count, 1);
  char id[FF_ID_MAX];
  member_id(5, id);
  assert_string_equal(result.failed_member_execution_ids.items[0].execution_id.text, id);
  ff_clear(&result);
  assert_int_equal(describe(e).members_cancelled, count - 1);
  assert_false(nothing_owed(e));
  /* Not tried again by itself before the next start; alive, an ack does not free it. */
  now += 3600000;
  spoiled_member = 0;
  settle(e);
  acknowledge(e, 5);
  assert_false(nothing_owed(e));
  assert_int_equal(read_member(e, 5, &stands).lifecycle_phase, FF_lifecycle_phase_runnable);
  spoiled_member = 5;
  acknowledge(e, 5);
  assert_true(nothing_owed(e));
  spoiled_member = 0;
  engine_close(e);
}

static void unreadable_of_a_small_flow(void **state) {
  (void)state;
  cannot_be_read(9);
}

static void unreadable_of_a_large_flow(void **state) {
  (void)state;
  cannot_be_read(300);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(dies_in_the_middle),
                                     cmocka_unit_test(unreadable_of_a_small_flow),
                                     cmocka_unit_test(unreadable_of_a_large_flow)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
