/*
 * Bad calls that no single argument tells: argument structs of other sizes, texts without their
 * bytes, half a fence, handles of other stores, bad items among good ones, refusals of the async
 * form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/unit/bad_world.h"

static struct bad_world world;
static struct buffer before;
static union {
  struct ff_memory *memory;
  uint8_t bytes[1024];
} result;
static struct ff_error error;

static int setup(void **state) {
  (void)state;
  bad_world_open(&world);
  buffer_init(&before);
  bad_dump(world.engine, &before);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  buffer_fini(&before);
  bad_world_close(&world);
  return 0;
}

static void restart(void) {
  bad_world_close(&world);
  bad_world_open(&world);
}

static void assert_unchanged(const char *what) {
  struct buffer now;
  buffer_init(&now);
  bad_dump(world.engine, &now);
  if (!text_equal(buffer_text(&before), buffer_text(&now)))
    fail_msg("%s changed the store:\n%s", what, buffer_text(&now).ptr);
  buffer_fini(&now);
}

static enum ff_rc call(const struct ff_operation *op, const void *args) {
  memset(&result, 0xa5, sizeof result);
  memset(&error, 0, sizeof error);
  enum ff_rc rc = ff_call(world.engine, op, args, &result, &error);
  if (rc == FF_OK) ff_clear(&result);
  for (size_t i = 0; rc != FF_OK && i < op->result->size; i++) assert_int_equal(result.bytes[i], 0);
  return rc;
}

/* ---- structs of other sizes (07 K-5) ---- */

/* Memory ends where the struct does. */
static uint8_t *new_args(uint32_t size) {
  uint8_t *args = calloc(1, size < sizeof size ? sizeof size : size);
  memcpy(args, &size, sizeof size);
  return args;
}

static void assert_args_refused(const struct ff_operation *op, uint32_t size, uint8_t *args) {
  memcpy(args, &size, sizeof size);
  if (call(op, args) != FF_VALIDATION || error.code != FF_CODE_invalid_input ||
      strcmp(error.field, "args") != 0)
    fail_msg("%s takes a struct of %u bytes: %s", op->name, size, error.detail);
  assert_unchanged(op->name);
}

static void structs_from_the_future(void **state) {
  (void)state;
  size_t count;
  const struct ff_operation *ops = ff_operations(&count);
  for (size_t i = 0; i < count; i++) {
    uint32_t own = ops[i].args->size;
    uint8_t *args = new_args(own + 64), *exact = new_args(own);
    enum ff_rc rc = call(&ops[i], exact);
    enum ff_code code = error.code;
    /* What we do not know is zero: the same answer. */
    assert_int_equal(call(&ops[i], args), rc);
    assert_int_equal(error.code, code);
    bad_dump(world.engine, &before); /* nothing was asked for, some have done that */
    for (uint32_t at = own; at < own + 64; at += 21) {
      args[at] = 1;
      assert_args_refused(&ops[i], own + 64, args);
      args[at] = 0;
    }
    assert_args_refused(&ops[i], UINT32_MAX, args); /* no such struct: not even looked at */
    free(args);
    free(exact);
  }
}

/* Members behind the size count as zero; whatever is cut through is taken as it is. */
static void structs_from_the_past(void **state) {
  (void)state;
  size_t count;
  const struct ff_operation *ops = ff_operations(&count);
  for (size_t i = 0; i < count; i++) {
    uint8_t *none = new_args(4);
    for (uint32_t size = 0; size < 4; size++) assert_args_refused(&ops[i], size, none);
    free(none);
    for (uint32_t size = 4; size < ops[i].args->size; size += size < 64 ? 4 : 28) {
      uint8_t *args = new_args(size);
      enum ff_rc rc = call(&ops[i], args);
      if (rc != FF_OK && ff_code_family(error.code) != rc) fail_msg("%s: %d", ops[i].name, rc);
      if (rc == FF_BUG || rc == FF_TRANSPORT) fail_msg("%s: %s", ops[i].name, error.detail);
      free(args);
    }
    bad_dump(world.engine, &before);
  }
}

static void old_options_mean_defaults(void **state) {
  (void)state;
  struct ff_open_options options = {.size = 8, .flow_partitions = 0, .dev_mode = true};
  struct ff_engine *engine = NULL;
  /* dev_mode lies behind the 8 bytes: no consent. */
  assert_int_equal(ff_open("sqlite::memory:", &options, &engine, &error), FF_CONFIG);
  assert_int_equal(error.code, FF_CODE_requires_dev_mode);
  assert_null(engine);
  struct {
    struct ff_open_options known;
    uint64_t later;
  } future = {.known = {.size = sizeof future, .no_scanners = true}};
  assert_int_equal(ff_open("memory:bad_calls", &future.known, &engine, &error), FF_OK);
  ff_close(engine);
  future.later = 1;
  assert_int_equal(ff_open("memory:bad_calls", &future.known, &engine, &error), FF_VALIDATION);
  assert_string_equal(error.field, "options");
  future.known.size = 3;
  assert_int_equal(ff_open("memory:bad_calls", &future.known, &engine, &error), FF_VALIDATION);
  future.known.size = UINT32_MAX;
  assert_int_equal(ff_open("memory:bad_calls", &future.known, &engine, NULL), FF_VALIDATION);
  assert_null(engine);
}

/* ---- a length without bytes ---- */

static void hollow_members(const struct ff_operation *op, const struct ff_struct *s, uint8_t *args,
                           uint8_t *values) {
  const size_t length = 40;
  for (uint32_t i = 0; i < s->field_count; i++) {
    const struct ff_field *f = &s->fields[i];
    uint8_t *at = values + f->offset;
    if (f->type == FF_FIELD_STRUCT) hollow_members(op, f->fields, args, at);
    if (f->type != FF_FIELD_TEXT && f->type != FF_FIELD_BYTES && f->type != FF_FIELD_STRS &&
        f->type != FF_FIELD_PAIRS && f->type != FF_FIELD_LIST)
      continue;
    memcpy(at + offsetof(struct ff_str, len), &length, sizeof length);
    if (call(op, args) != FF_VALIDATION || strcmp(error.field, f->name) != 0)
      fail_msg("%s: %s without bytes: %s %s", op->name, f->name, error.field, error.detail);
    assert_unchanged(op->name);
    memset(at, 0, sizeof(struct ff_str));
  }
}

static void texts_without_bytes(void **state) {
  (void)state;
  size_t count;
  const struct ff_operation *ops = ff_operations(&count);
  for (size_t i = 0; i < count; i++) {
    uint8_t *args = new_args(ops[i].args->size);
    hollow_members(&ops[i], ops[i].args, args, args);
    free(args);
  }
}

static void texts_without_bytes_in_lists(void **state) {
  (void)state;
  const struct ff_str lanes[] = {{"default", 7}, {NULL, 3}};
  struct ff_claim_task_args claim = FF_ARGS(claim_task);
  claim.lane_ids = (struct ff_strs){lanes, 2};
  assert_int_equal(call(ff_operation_find(ff_text("claim_task")), &claim), FF_VALIDATION);
  assert_string_equal(error.field, "lane_ids");
  const struct ff_pair tags[] = {{{"app.k", 5}, {NULL, 1}}};
  struct ff_create_execution_args items[] = {FF_ARGS(create_execution)};
  struct ff_create_executions_args create = FF_ARGS(create_executions);
  items[0].tags = (struct ff_pairs){tags, 1};
  create.items = (struct ff_create_list){items, 1};
  assert_int_equal(call(ff_operation_find(ff_text("create_executions")), &create), FF_VALIDATION);
  assert_string_equal(error.field, "tags");
  assert_unchanged("a hollow text");
}

/* ---- half a fence (01 ID-14) ---- */

static void assert_fence(struct ff_fence fence, const char *cause) {
  struct ff_renew_lease_args args = FF_ARGS(renew_lease);
  args.execution_id = ff_text(BAD_LEASED);
  args.fence = fence;
  args.lease_ttl_ms = 1000;
  assert_int_equal(call(ff_operation_find(ff_text("renew_lease")), &args), FF_VALIDATION);
  assert_int_equal(error.code, FF_CODE_invalid_input);
  assert_string_equal(error.field, "fence");
  assert_non_null(strstr(error.detail, cause));
  struct ff_cancel_execution_args cancel = FF_ARGS(cancel_execution);
  cancel.execution_id = args.execution_id;
  cancel.source = ff_text("lease_holder");
  cancel.fence = fence;
  assert_int_equal(call(ff_operation_find(ff_text("cancel_execution")), &cancel), FF_VALIDATION);
  assert_non_null(strstr(error.detail, cause));
  assert_unchanged(cause);
}

static void half_a_fence(void **state) {
  (void)state;
  struct ff_str lease = ff_text(world.task.lease_id.text);
  struct ff_str attempt = ff_text(world.task.attempt_id.text), absent = {NULL, 0};
  uint64_t epoch = world.task.lease_epoch;
  assert_fence((struct ff_fence){absent, 0, absent}, "fence_required");
  assert_fence((struct ff_fence){lease, 0, absent}, "partial_fence_triple");
  assert_fence((struct ff_fence){lease, epoch, absent}, "partial_fence_triple");
  assert_fence((struct ff_fence){lease, 0, attempt}, "partial_fence_triple");
  assert_fence((struct ff_fence){absent, epoch, attempt}, "partial_fence_triple");
  assert_fence((struct ff_fence){absent, epoch, absent}, "partial_fence_triple");
  assert_fence((struct ff_fence){absent, 0, attempt}, "partial_fence_triple");
}

/* ---- handles of other stores ---- */

static enum ff_rc renew(struct ff_handle handle) {
  struct ff_renew_args args = FF_ARGS(renew);
  args.handle = handle;
  return call(ff_operation_find(ff_text("renew")), &args);
}

static struct ff_handle handle_from(const char *url, const char *id, uint32_t partitions) {
  struct ff_engine *other = bad_engine_open(url, partitions);
  bad_create(other, id);
  struct ff_handle handle = bad_claim(other).handle;
  ff_close(other);
  return handle;
}

static void handles_of_other_stores(void **state) {
  (void)state;
  assert_int_equal(renew(handle_from("sqlite::memory:", BAD_LEASED, 0)), FF_VALIDATION);
  assert_int_equal(error.code, FF_CODE_handle_from_other_backend);
  assert_string_equal(error.detail, "expected=memory actual=sqlite");
  assert_int_equal(renew(handle_from("memory:other", BAD_ID("55"), 0)), FF_NOT_FOUND);
  assert_int_equal(error.code, FF_CODE_execution_not_found);
  const char *far = "{fp:300}:" BAD_UUID("01");
  assert_int_equal(renew(handle_from("memory:other", far, 512)), FF_VALIDATION);
  assert_int_equal(error.code, FF_CODE_invalid_input);
  assert_string_equal(error.field, "handle");
  assert_non_null(strstr(error.detail, "partition index 300 out of range"));
  assert_unchanged("a foreign handle");
}

/* Every byte of a handle set to every of a few values: typed, and never more than the lease it
 * names allows. */
static void garbled_handles(void **state) {
  (void)state;
  static const uint8_t values[] = {0x00, 0x01, 0x20, 0x7f, 0x80, 0xff};
  for (uint16_t at = 0; at < world.task.handle.len; at++)
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
      struct ff_handle handle = world.task.handle;
      handle.opaque[at] = values[i];
      enum ff_rc rc = renew(handle);
      bool typed = rc == FF_OK || rc == FF_VALIDATION || rc == FF_STATE || rc == FF_NOT_FOUND;
      if (!typed) fail_msg("byte %u = %02x: %s", at, values[i], ff_code_name(error.code));
      if (rc == FF_OK)
        restart();
      else
        assert_unchanged("a garbled handle");
    }
}

/* ---- many-forms: each item by itself ---- */

static void bad_items_among_good_ones(void **state) {
  (void)state;
  struct ff_create_execution_args items[] = {FF_ARGS(create_execution), FF_ARGS(create_execution),
                                             FF_ARGS(create_execution), FF_ARGS(create_execution),
                                             FF_ARGS(create_execution), FF_ARGS(create_execution)};
  struct ff_create_executions_args args = FF_ARGS(create_executions);
  struct ff_create_executions_result made;
  items[0].execution_id = ff_text(BAD_ID("60"));
  items[1].execution_id = ff_text("nonsense");
  items[2].lane_id = ff_text("");
  items[3].policy = ff_text("{");
  items[4].namespace_ = text_of(bad_long_text(), 257);
  items[5].idempotency_key = ff_text("k");
  args.items = (struct ff_create_list){items, ARRAY_LEN(items)};
  assert_int_equal(ff_create_executions(world.engine, &args, &made, &error), FF_OK);
  static const char *const fields[] = {"", "execution_id", "lane_id", "policy", "namespace", ""};
  assert_int_equal(made.slots.count, ARRAY_LEN(items));
  for (size_t i = 0; i < ARRAY_LEN(items); i++) {
    const struct ff_create_slot *slot = &made.slots.items[i];
    assert_int_equal(slot->error.rc, fields[i][0] ? FF_VALIDATION : FF_OK);
    assert_string_equal(slot->error.field, fields[i]);
    assert_int_equal(slot->outcome, fields[i][0] ? FF_outcome_none : FF_outcome_created);
  }
  ff_clear(&made);
}

static void bad_handles_among_good_ones(void **state) {
  (void)state;
  struct ff_renew_item renews[3] = {{{0}}, {world.task.handle}, {world.task.handle}};
  struct ff_renew_many_args args = FF_ARGS(renew_many);
  struct ff_renew_many_result renewed;
  renews[2].handle.len = 9;
  args.items = (struct ff_renew_items){renews, 3};
  assert_int_equal(ff_renew_many(world.engine, &args, &renewed, &error), FF_OK);
  assert_int_equal(renewed.slots.items[0].error.code, FF_CODE_handle_from_other_backend);
  assert_int_equal(renewed.slots.items[1].error.rc, FF_OK);
  assert_int_equal(renewed.slots.items[1].outcome, FF_outcome_renewed);
  assert_int_equal(renewed.slots.items[2].error.code, FF_CODE_corruption);
  ff_clear(&renewed);
  struct ff_fail_item fails[2] = {{.handle = world.task.handle, .failure_class = 99},
                                  {.detail = {0}}};
  struct ff_fail_many_args fail = FF_ARGS(fail_many);
  struct ff_fail_many_result failed;
  fail.items = (struct ff_fail_items){fails, 2};
  assert_int_equal(ff_fail_many(world.engine, &fail, &failed, &error), FF_OK);
  assert_string_equal(failed.slots.items[0].error.field, "failure_class");
  assert_int_equal(failed.slots.items[1].error.code, FF_CODE_handle_from_other_backend);
  ff_clear(&failed);
  struct ff_complete_item completes[2] = {{.handle = world.task.handle}, {.handle = {0}}};
  struct ff_complete_many_args complete = FF_ARGS(complete_many);
  struct ff_complete_many_result completed;
  completes[0].result_payload = (struct ff_bytes){bad_long_text(), BAD_PAYLOAD_MAX + 1};
  complete.items = (struct ff_complete_items){completes, 2};
  assert_int_equal(ff_complete_many(world.engine, &complete, &completed, &error), FF_OK);
  assert_int_equal(completed.slots.items[0].error.code, FF_CODE_payload_too_large);
  assert_int_equal(completed.slots.items[1].error.code, FF_CODE_handle_from_other_backend);
  ff_clear(&completed);
}

static void no_items(void **state) {
  (void)state;
  static const char *const names[] = {"create_executions", "renew_many", "complete_many",
                                      "fail_many",   "deliver_signals"};
  for (size_t i = 0; i < ARRAY_LEN(names); i++) {
    const struct ff_operation *op = ff_operation_find(ff_text(names[i]));
    uint8_t *args = new_args(op->args->size);
    assert_int_equal(call(op, args), FF_OK);
    free(args);
  }
  assert_unchanged("nothing");
}

/* ---- the async form ---- */

struct answer {
  _Atomic int calls;
  enum ff_rc rc;
  char field[48];
};

static void renew_done(void *user, enum ff_rc rc, struct ff_renew_result *r,
                       const struct ff_error *e) {
  struct answer *answer = user;
  (void)r;
  answer->rc = rc;
  snprintf(answer->field, sizeof answer->field, "%s", e->field);
  answer->calls++;
}

static void describe_done(void *user, enum ff_rc rc, struct ff_describe_execution_result *r,
                          const struct ff_error *e) {
  (void)r;
  renew_done(user, rc, NULL, e);
}

static void async_refusals(void **state) {
  (void)state;
  struct answer answer = {0};
  struct ff_renew_args renewal = FF_ARGS(renew);
  assert_int_equal(ff_renew_async(world.engine, &renewal, renew_done, &answer, &error),
                   FF_VALIDATION);
  assert_string_equal(error.field, "handle");
  assert_int_equal(ff_renew_async(world.engine, &renewal, renew_done, &answer, NULL),
                   FF_VALIDATION);
  renewal.size = 2;
  assert_int_equal(ff_renew_async(world.engine, &renewal, renew_done, &answer, &error),
                   FF_VALIDATION);
  assert_string_equal(error.field, "args");
  struct ff_describe_execution_args args = FF_ARGS(describe_execution);
  args.execution_id = text_of(NULL, 9);
  assert_int_equal(ff_describe_execution_async(world.engine, &args, describe_done, &answer, &error),
                   FF_VALIDATION);
  assert_string_equal(error.field, "execution_id");
  assert_int_equal(answer.calls, 0); /* what is refused at once has no answer */
  args.execution_id = ff_text("nonsense");
  enum ff_rc rc = ff_describe_execution_async(world.engine, &args, describe_done, &answer, &error);
  bad_world_close(&world); /* waits for the answer */
  assert_int_equal(answer.calls, rc == FF_OK ? 1 : 0);
  assert_int_equal(rc == FF_OK ? answer.rc : rc, FF_VALIDATION);
  assert_string_equal(rc == FF_OK ? answer.field : error.field, "execution_id");
  bad_world_open(&world);
}

static void any_done(void *user, enum ff_rc rc, void *r, const struct ff_error *e) {
  (void)r;
  struct answer *answer = user;
  answer->rc = rc;
  snprintf(answer->field, sizeof answer->field, "%s", rc == FF_OK ? "" : e->field);
  answer->calls++;
}

/* By its description, as ff_call. */
static void async_by_description(void **state) {
  (void)state;
  struct answer pinged = {0}, refused = {0};
  struct ff_ping_args ping = FF_ARGS(ping);
  struct ff_renew_args renewal = FF_ARGS(renew);
  const struct ff_operation *renew = ff_operation_find(ff_text("renew"));
  assert_int_equal(ff_call_async(world.engine, ff_operation_find(ff_text("ping")), &ping, any_done,
                                 &pinged, &error),
                   FF_OK);
  assert_int_equal(ff_call_async(world.engine, renew, &renewal, any_done, &refused, &error),
                   FF_VALIDATION);
  assert_string_equal(error.field, "handle");
  assert_false(ff_end_wait(world.engine, &refused)); /* nothing of it waits */
  bad_world_close(&world); /* waits for the answer */
  assert_int_equal(pinged.calls, 1);
  assert_int_equal(pinged.rc, FF_OK);
  assert_int_equal(refused.calls, 0);
  bad_world_open(&world);
}

/* ---- a closing engine (01 CP-7) ---- */

static void calls_after_shutdown(void **state) {
  (void)state;
  size_t count;
  const struct ff_operation *ops = ff_operations(&count);
  assert_int_equal(ff_shutdown_prepare(world.engine, -1, &error), FF_OK);
  assert_int_equal(ff_shutdown_prepare(world.engine, 0, NULL), FF_OK);
  for (size_t i = 0; i < count; i++) {
    uint8_t *args = new_args(ops[i].args->size);
    enum ff_rc rc = call(&ops[i], args);
    bool empty = strcmp(ops[i].name, "create_executions") == 0 ||
                 strcmp(ops[i].name, "deliver_signals") == 0 || strstr(ops[i].name, "_many");
    if (rc != FF_UNAVAILABLE && rc != FF_VALIDATION && !(rc == FF_OK && empty))
      fail_msg("%s answers %d", ops[i].name, rc);
    free(args);
  }
  assert_unchanged("a closing engine");
}

/* ---- everything else that takes something ---- */

static void small_functions(void **state) {
  (void)state;
  char text[8];
  ff_clear(NULL);
  ff_close(NULL);
  struct ff_ping_result ping = {0};
  ff_clear(&ping);
  ff_clear(&ping);
  assert_null(ff_operation_find(ff_text("nonsense")));
  assert_null(ff_operation_find(ff_text(NULL)));
  assert_null(ff_operation_find(text_of("pin\0g", 5)));
  assert_null(ff_word(FF_WORD_outcome, -1));
  assert_null(ff_word(FF_WORD_outcome, 9999));
  assert_null(ff_word((enum ff_word_enum)999, 0));
  assert_int_equal(ff_word_parse(FF_WORD_outcome, ff_text("nonsense")), -1);
  assert_int_equal(ff_word_parse((enum ff_word_enum)999, ff_text("none")), -1);
  assert_int_equal(ff_word_parse(FF_WORD_outcome, ff_text(NULL)), -1);
  assert_string_equal(ff_code_name((enum ff_code)9999), "none");
  assert_int_equal(ff_code_parse(ff_text(NULL)), FF_CODE_none);
  assert_null(ff_error_context_get(NULL, "key"));
  ff_error_format(NULL, text, sizeof text);
  assert_string_equal(text, "");
  ff_error_format(&error, NULL, 0);
  struct ff_error long_one = {.code = FF_CODE_invalid_input, .rc = FF_VALIDATION};
  ff_error_format(&long_one, text, sizeof text);
  assert_string_equal(text, "invalid");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {TEST(structs_from_the_future),
                                     TEST(structs_from_the_past),
                                     TEST(old_options_mean_defaults),
                                     TEST(texts_without_bytes),
                                     TEST(texts_without_bytes_in_lists),
                                     TEST(half_a_fence),
                                     TEST(handles_of_other_stores),
                                     TEST(garbled_handles),
                                     TEST(bad_items_among_good_ones),
                                     TEST(bad_handles_among_good_ones),
                                     TEST(no_items),
                                     TEST(async_by_description),
                                     TEST(async_refusals),
                                     TEST(calls_after_shutdown),
                                     TEST(small_functions)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
