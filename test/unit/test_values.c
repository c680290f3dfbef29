/*
 * Copying, showing and reading argument and result structs through their descriptions.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "op/op.h"
#include "op/values.h"

#define T(literal) TEXT_LIT(literal)

/* ---- deep copies ---- */

static void copy_without_dynamic_parts(void **state) {
  (void)state;
  struct ff_delay_result src = {.outcome = FF_outcome_delayed, .public_state = 1}, dst;
  struct ff_memory *memory = (struct ff_memory *)&src;
  values_deep_copy(&op_result_delay, &src, &dst, &memory);
  assert_null(memory);
  assert_int_equal(dst.outcome, FF_outcome_delayed);
  assert_int_equal(dst.public_state, 1);
}

static void assert_text(struct ff_str got, struct ff_str source) {
  assert_true(text_equal(got, source));
  assert_ptr_not_equal(got.ptr, source.ptr);
  assert_int_equal(got.ptr[got.len], '\0');
}

static void copy_of_a_task(void **state) {
  (void)state;
  static const struct ff_pair tags[] = {{T("app.a"), T("1")}, {T("app.b"), T("")}};
  struct ff_claim_task_result src = {.outcome = FF_outcome_claimed}, dst;
  src.task.lane_id = T("default");
  src.task.input_payload = (struct ff_bytes){"\0\xff", 2};
  src.task.payload_encoding = T("");
  src.task.tags = (struct ff_pairs){tags, 2};
  src.task.lease_epoch = 7;
  values_deep_copy(&op_result_claim_task, &src, &dst, &dst.memory);
  assert_non_null(dst.memory);
  assert_int_equal(dst.task.lease_epoch, 7);
  assert_text(dst.task.lane_id, src.task.lane_id);
  assert_memory_equal(dst.task.input_payload.ptr, "\0\xff", 2);
  assert_text(dst.task.payload_encoding, src.task.payload_encoding);
  assert_null(dst.task.namespace_.ptr);
  assert_int_equal(dst.task.tags.count, 2);
  assert_ptr_not_equal(dst.task.tags.items, tags);
  assert_text(dst.task.tags.items[0].key, tags[0].key);
  assert_text(dst.task.tags.items[1].value, tags[1].value);
  values_free(dst.memory);
}

static void copy_of_lists_in_lists(void **state) {
  (void)state;
  static const struct ff_pair tags[] = {{T("k"), T("v")}};
  static const struct ff_create_execution_args items[] = {
      {.execution_id = T("one"), .priority = 3},
      {.execution_id = T("two"), .tags = {tags, 1}, .input_payload = {"x", 1}}};
  struct ff_create_executions_args src = {.size = sizeof src, .items = {items, 2}}, dst;
  struct ff_memory *memory = NULL;
  values_deep_copy(&op_args_create_executions, &src, &dst, &memory);
  assert_int_equal(dst.size, sizeof src);
  assert_int_equal(dst.items.count, 2);
  assert_ptr_not_equal(dst.items.items, items);
  assert_int_equal(dst.items.items[0].priority, 3);
  assert_text(dst.items.items[1].execution_id, items[1].execution_id);
  assert_text(dst.items.items[1].tags.items[0].value, tags[0].value);
  assert_int_equal((uintptr_t)dst.items.items % _Alignof(max_align_t), 0);
  values_free(memory);
}

static void copy_in_place_of_texts(void **state) {
  (void)state;
  static const struct ff_str lanes[] = {T("a"), T("bb")};
  struct ff_claim_task_args args = {.size = sizeof args, .lane_ids = {lanes, 2}};
  struct ff_memory *memory = NULL;
  values_deep_copy(&op_args_claim_task, &args, &args, &memory);
  assert_ptr_not_equal(args.lane_ids.items, lanes);
  assert_text(args.lane_ids.items[1], lanes[1]);
  values_free(memory);
  values_free(NULL);
}

/* ---- showing ---- */

static void assert_printed(const struct ff_struct *s, const void *values, const char *line,
                           const char *json) {
  struct buffer out;
  buffer_init(&out);
  values_print(s, values, &out);
  assert_string_equal(buffer_text(&out).ptr, line);
  buffer_clear(&out);
  values_json(s, values, &out);
  assert_string_equal(buffer_text(&out).ptr, json);
  buffer_fini(&out);
}

static void shows_scalars(void **state) {
  (void)state;
  struct ff_create_execution_result created = {.outcome = FF_outcome_created,
                                               .execution_id = {"{fp:7}:x"}};
  assert_printed(&op_result_create_execution, &created,
                 "outcome=created execution_id={fp:7}:x public_state=waiting",
                 "{\"outcome\":\"created\",\"execution_id\":\"{fp:7}:x\","
                 "\"public_state\":\"waiting\"}");
  struct ff_fail_result failed = {.outcome = FF_outcome_retry_scheduled, .delay_until = -5};
  assert_printed(&op_result_fail, &failed, "outcome=retry_scheduled delay_until=-5",
                 "{\"outcome\":\"retry_scheduled\",\"delay_until\":-5,\"next_attempt_index\":0}");
  struct ff_ping_args nothing = {.size = sizeof nothing};
  assert_printed(&op_args_ping, &nothing, "", "{}");
}

static void shows_nothing_of_what_is_absent(void **state) {
  (void)state;
  struct ff_describe_execution_result none = {.outcome = FF_outcome_none};
  assert_printed(&op_result_describe_execution, &none, "outcome=none", "{\"outcome\":\"none\"}");
}

static void shows_texts_and_bytes(void **state) {
  (void)state;
  struct ff_get_execution_result_result r = {.outcome = FF_outcome_ok,
                                             .payload = {"hello", 5},
                                             .encoding = T("a \"b\"")};
  assert_printed(&op_result_get_execution_result, &r,
                 "outcome=ok payload=hello encoding=\"a \\\"b\\\"\"",
                 "{\"outcome\":\"ok\",\"payload\":\"aGVsbG8=\",\"encoding\":\"a \\\"b\\\"\"}");
  r = (struct ff_get_execution_result_result){.outcome = FF_outcome_ok, .payload = {"", 0}};
  assert_printed(&op_result_get_execution_result, &r, "outcome=ok payload=\"\"",
                 "{\"outcome\":\"ok\",\"payload\":\"\"}");
  r.payload = (struct ff_bytes){"\xff\0", 2};
  assert_printed(&op_result_get_execution_result, &r, "outcome=ok payload=hex:ff00",
                 "{\"outcome\":\"ok\",\"payload\":\"/wA=\"}");
  r.payload = (struct ff_bytes){"hex:00", 6};
  assert_printed(&op_result_get_execution_result, &r, "outcome=ok payload=\"hex:00\"",
                 "{\"outcome\":\"ok\",\"payload\":\"aGV4OjAw\"}");
}

static void shows_lists(void **state) {
  (void)state;
  static const struct ff_pair tags[] = {{T("app.a"), T("1 2")}, {T("x=y"), T("")}};
  struct ff_get_execution_tags_result map = {.outcome = FF_outcome_ok, .tags = {tags, 2}};
  assert_printed(&op_result_get_execution_tags, &map,
                 "outcome=ok tags={app.a=\"1 2\" \"x=y\"=\"\"}",
                 "{\"outcome\":\"ok\",\"tags\":{\"app.a\":\"1 2\",\"x=y\":\"\"}}");
  static const struct ff_str lanes[] = {T("a"), T("b]")};
  struct ff_claim_task_args claim = {.lane_ids = {lanes, 2}, .lease_ttl_ms = 5};
  struct buffer out;
  buffer_init(&out);
  values_print(&op_args_claim_task, &claim, &out);
  assert_string_equal(buffer_text(&out).ptr, "lane_ids=[a \"b]\"] lease_ttl_ms=5");
  buffer_fini(&out);
  struct ff_complete_slot slots[2] = {
      {.outcome = FF_outcome_completed, .execution_id = {"e1"}},
      {.error = {.rc = FF_STATE, .code = FF_CODE_stale_lease, .detail = "lost it"}}};
  struct ff_complete_many_result many = {.slots = {slots, 2}};
  assert_printed(&op_result_complete_many, &many,
                 "slots=[{outcome=completed execution_id=e1} "
                 "{error={code=stale_lease detail=\"lost it\"} outcome=none}]",
                 "{\"slots\":[{\"outcome\":\"completed\",\"execution_id\":\"e1\"},"
                 "{\"error\":{\"code\":\"stale_lease\",\"detail\":\"lost it\",\"field\":\"\"},"
                 "\"outcome\":\"none\"}]}");
}

static void shows_handles(void **state) {
  (void)state;
  struct ff_claim_result r = {.outcome = FF_outcome_claimed};
  r.handle = (struct ff_handle){.backend = FF_backend_sqlite, .kind = FF_handle_kind_fresh,
                                .len = 3,
                                .opaque = {2, 1, 3}};
  assert_printed(&op_result_claim, &r, "outcome=claimed handle=handle(fresh)",
                 "{\"outcome\":\"claimed\",\"handle\":"
                 "{\"backend\":\"sqlite\",\"kind\":\"fresh\",\"opaque\":\"AgED\"}}");
}

/* ---- reading ---- */

static struct arena arena;

static enum ff_rc set(const struct ff_struct *s, void *dst, const char *name, const char *text) {
  const struct ff_field *f = values_field(s, ff_text(name));
  assert_non_null(f);
  struct ff_error e = {0};
  enum ff_rc rc = values_parse_field(s, f, dst, ff_text(text), &arena, &e);
  if (rc != FF_OK) {
    assert_int_equal(rc, FF_VALIDATION);
    assert_string_equal(e.field, name);
  }
  return rc;
}

static void reads_scalars(void **state) {
  (void)state;
  struct ff_create_execution_args a = {0};
  const struct ff_struct *s = &op_args_create_execution;
  assert_int_equal(set(s, &a, "priority", "-12"), FF_OK);
  assert_int_equal(a.priority, -12);
  assert_int_equal(set(s, &a, "priority", "2147483648"), FF_VALIDATION);
  assert_int_equal(set(s, &a, "priority", "x"), FF_VALIDATION);
  assert_int_equal(set(s, &a, "delay_until", "1500"), FF_OK);
  assert_int_equal(a.delay_until, 1500);
  assert_int_equal(set(s, &a, "namespace", "a b"), FF_OK);
  assert_true(text_equal_c(a.namespace_, "a b"));
  assert_int_equal(set(s, &a, "namespace", "\"a\\n\""), FF_OK);
  assert_true(text_equal_c(a.namespace_, "a\n"));
  assert_int_equal(set(s, &a, "namespace", "\"a"), FF_VALIDATION);
  assert_int_equal(set(s, &a, "namespace", ""), FF_OK);
  assert_true(a.namespace_.ptr && a.namespace_.len == 0);
  assert_int_equal(set(s, &a, "input_payload", "hex:00fF"), FF_OK);
  assert_memory_equal(a.input_payload.ptr, "\0\xff", 2);
  assert_int_equal(set(s, &a, "input_payload", "hex:0"), FF_VALIDATION);
  assert_int_equal(set(s, &a, "input_payload", "plain"), FF_OK);
  assert_memory_equal(a.input_payload.ptr, "plain", 5);
  struct ff_expire_execution_args x = {0};
  assert_int_equal(set(&op_args_expire_execution, &x, "phase", "execution_deadline"), FF_OK);
  assert_int_equal(x.phase, FF_expire_phase_execution_deadline);
  assert_int_equal(set(&op_args_expire_execution, &x, "phase", "nope"), FF_VALIDATION);
  struct ff_wait_execution_args w = {0};
  assert_int_equal(set(&op_args_wait_execution, &w, "until_change", "true"), FF_OK);
  assert_true(w.until_change);
  assert_int_equal(set(&op_args_wait_execution, &w, "until_change", "yes"), FF_VALIDATION);
  assert_int_equal(set(&op_args_wait_execution, &w, "after_version", "18446744073709551615"),
                   FF_OK);
  assert_true(w.after_version == UINT64_MAX);
}

static void doubles(void **state) {
  (void)state;
  const struct ff_struct *s = &op_args_append_frame;
  static const char *const bad[] = {"", "x", "nan", "inf", "1e999", "0.1x", "\"1\"", ".5"};
  struct ff_append_frame_args a = {.ema_alpha = 0.1};
  struct buffer out;
  buffer_init(&out);
  values_print(s, &a, &out);
  assert_non_null(strstr(buffer_text(&out).ptr, "ema_alpha=0.10000000000000001"));
  assert_int_equal(set(s, &a, "ema_alpha", "-2.5e-3"), FF_OK);
  assert_true(a.ema_alpha == -0.0025);
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    assert_int_equal(set(s, &a, "ema_alpha", bad[i]), FF_VALIDATION);
  buffer_clear(&out);
  a.ema_alpha = NAN;
  values_json(s, &a, &out);
  assert_non_null(strstr(buffer_text(&out).ptr, "\"ema_alpha\":null"));
  buffer_fini(&out);
}

static void reads_lists(void **state) {
  (void)state;
  struct ff_claim_task_args c = {0};
  assert_int_equal(set(&op_args_claim_task, &c, "lane_ids", "a,\"b,c\",d"), FF_OK);
  assert_int_equal(c.lane_ids.count, 3);
  assert_true(text_equal_c(c.lane_ids.items[1], "b,c"));
  assert_int_equal(set(&op_args_claim_task, &c, "lane_ids", ""), FF_OK);
  assert_int_equal(c.lane_ids.count, 0);
  assert_int_equal(set(&op_args_claim_task, &c, "lane_ids", "\"a\"b"), FF_VALIDATION);
  assert_int_equal(set(&op_args_claim_task, &c, "lane_ids", "\"a"), FF_VALIDATION);
  assert_int_equal(set(&op_args_claim_task, &c, "lane_ids", "\"a\\"), FF_VALIDATION);
  struct ff_set_execution_tags_args t = {0};
  assert_int_equal(set(&op_args_set_execution_tags, &t, "tags", "app.a=1,app.b=\"x,=\",c="), FF_OK);
  assert_int_equal(t.tags.count, 3);
  assert_true(text_equal_c(t.tags.items[1].value, "x,="));
  assert_true(t.tags.items[2].value.len == 0);
  assert_int_equal(set(&op_args_set_execution_tags, &t, "tags", "app.a"), FF_VALIDATION);
  assert_int_equal(set(&op_args_set_execution_tags, &t, "tags", "a,b=1"), FF_VALIDATION);
}

static void reads_structs(void **state) {
  (void)state;
  struct ff_complete_execution_args c = {0};
  const struct ff_struct *s = &op_args_complete_execution;
  assert_int_equal(set(s, &c, "fence", "lease_id=l,lease_epoch=7"), FF_OK);
  assert_int_equal(c.fence.lease_epoch, 7);
  assert_true(text_equal_c(c.fence.lease_id, "l"));
  assert_int_equal(set(s, &c, "fence", "{\"attempt_id\":\"a\",\"lease_epoch\":8}"), FF_OK);
  assert_int_equal(c.fence.lease_epoch, 8);
  assert_true(text_equal_c(c.fence.attempt_id, "a"));
  assert_int_equal(set(s, &c, "fence", "nope=1"), FF_VALIDATION);
  struct ff_create_executions_args many = {0};
  assert_int_equal(set(&op_args_create_executions, &many, "items",
                       "[{\"execution_id\":\"e\",\"tags\":{\"a\":\"b\"},\"input_payload\":\"aGk\","
                       "\"policy\":null,\"unknown\":1},{\"input_payload\":[0,255]}]"),
                   FF_OK);
  assert_int_equal(many.items.count, 2);
  assert_true(text_equal_c(many.items.items[0].execution_id, "e"));
  assert_true(text_equal_c(many.items.items[0].tags.items[0].value, "b"));
  assert_memory_equal(many.items.items[0].input_payload.ptr, "hi", 2);
  assert_memory_equal(many.items.items[1].input_payload.ptr, "\0\xff", 2);
  assert_int_equal(set(&op_args_create_executions, &many, "items", "{}"), FF_VALIDATION);
}

static void handles_go_there_and_back(void **state) {
  (void)state;
  struct ff_renew_args a = {0};
  a.handle = (struct ff_handle){.backend = FF_backend_memory, .kind = FF_handle_kind_reclaimed,
                                .len = 4, .opaque = {2, 1, 4, 0xfe}};
  struct buffer out;
  buffer_init(&out);
  values_json(&op_args_renew, &a, &out);
  const struct json *object = NULL;
  struct json_error problem;
  struct ff_renew_args b = {0};
  struct ff_error e;
  assert_true(json_parse(buffer_text(&out), &arena, &object, &problem));
  assert_int_equal(values_parse_json(&op_args_renew, &b, object, &arena, &e), FF_OK);
  assert_memory_equal(&a.handle, &b.handle, sizeof a.handle);
  buffer_fini(&out);
  assert_int_equal(set(&op_args_renew, &b, "handle", "fresh"), FF_VALIDATION);
  assert_int_equal(set(&op_args_renew, &b, "handle", "{\"kind\":\"fresh\"}"), FF_VALIDATION);
}

static void base64_is_strict(void **state) {
  (void)state;
  static const char *const good[] = {"", "Zg==", "Zg", "Zm8=", "Zm8", "Zm9v", "+/+/"};
  static const char *const wrong[] = {"Z", "Zg=", "Zm9v=", "Zm9vZ", "Z-==", "====", " Zg=", "Zm=8"};
  struct ff_bytes octets;
  for (size_t i = 0; i < ARRAY_LEN(good); i++)
    assert_true(base64_decode(ff_text(good[i]), &arena, &octets));
  for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
    assert_false(base64_decode(ff_text(wrong[i]), &arena, &octets));
}

static int setup(void **state) {
  (void)state;
  arena_init(&arena);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  arena_fini(&arena);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(copy_without_dynamic_parts),
      cmocka_unit_test(copy_of_a_task),
      cmocka_unit_test(copy_of_lists_in_lists),
      cmocka_unit_test(copy_in_place_of_texts),
      cmocka_unit_test(shows_scalars),
      cmocka_unit_test(shows_nothing_of_what_is_absent),
      cmocka_unit_test(shows_texts_and_bytes),
      cmocka_unit_test(shows_lists),
      cmocka_unit_test(shows_handles),
      cmocka_unit_test(reads_scalars),
      cmocka_unit_test(doubles),
      cmocka_unit_test(reads_lists),
      cmocka_unit_test(reads_structs),
      cmocka_unit_test(handles_go_there_and_back),
      cmocka_unit_test(base64_is_strict),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
