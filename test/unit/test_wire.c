/*
 * Every operation's arguments and answers through their JSON and back, every error through its body,
 * and the statuses and texts of 07 §1.5.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "op/op.h"
#include "op/values.h"
#include "wire/wire.h"

#define T(literal) TEXT_LIT(literal)

static struct arena arena;

/* ---- any struct, filled with something ---- */

static void fill(const struct ff_struct *s, void *values, uint64_t *seed);

static uint64_t next(uint64_t *seed) { return *seed = hash_mix64(*seed); }

static struct ff_str any_text(uint64_t *seed) {
  static const char *const texts[] = {"", "x", "with \"quotes\" and \\", "\xc3\xa9\n\t\x01",
                                      "/a b"};
  return ff_text(texts[next(seed) % ARRAY_LEN(texts)]);
}

static void fill_list(const struct ff_struct *s, void *at, uint64_t *seed) {
  size_t count = next(seed) % 3;
  char *items = arena_zalloc(&arena, s->size * (count + 1));
  for (size_t i = 0; i < count; i++) fill(s, items + i * s->size, seed);
  memcpy(at, &items, sizeof items);
  memcpy((char *)at + sizeof items, &count, sizeof count);
}

static void fill_texts(void *at, size_t each, uint64_t *seed) {
  size_t count = next(seed) % 3;
  struct ff_str *items = ARENA_ARRAY(&arena, struct ff_str, count * each + 1);
  for (size_t i = 0; i < count * each; i++)
    items[i] = each == 2 && i % 2 == 0 ? arena_printf(&arena, "k%zu", i) : any_text(seed);
  memcpy(at, &items, sizeof(void *));
  memcpy((char *)at + sizeof(void *), &count, sizeof count);
}

static void fill_error(struct ff_error *e, uint64_t *seed) {
  enum ff_code code = (enum ff_code)(1 + next(seed) % (FF_CODE_COUNT - 1));
  (void)error_field(e, code, "items[2].x", "detail of %s", ff_code_name(code));
  error_context(e, "pool", "inbox");
  if (next(seed) % 2) e->retry_after_ms = 1500;
}

static void fill_field(const struct ff_field *f, void *at, uint64_t *seed) {
  uint64_t number = next(seed);
  struct ff_handle handle = {.backend = 3, .kind = 1, .len = 4, .opaque = "\x01\xff\x00z"};
  switch (f->type) {
    case FF_FIELD_BOOL: *(bool *)at = number & 1; break;
    case FF_FIELD_I32: *(int32_t *)at = (int32_t)number; break;
    case FF_FIELD_U32: *(uint32_t *)at = (uint32_t)number; break;
    case FF_FIELD_I64: *(int64_t *)at = (int64_t)number; break;
    case FF_FIELD_U64: *(uint64_t *)at = number; break;
    case FF_FIELD_F64: *(double *)at = (double)number / 7; break;
    case FF_FIELD_TEXT: *(struct ff_str *)at = any_text(seed); break;
    case FF_FIELD_BYTES:
      *(struct ff_bytes *)at = (struct ff_bytes){"\0\xff\x80 b", number % 6};
      break;
    case FF_FIELD_WORD:
      *(uint8_t *)at = ff_word((enum ff_word_enum)f->words, (int)(number % 5)) ? number % 5 : 0;
      break;
    case FF_FIELD_ID: snprintf(at, FF_ID_MAX, "{fp:7}:%llx", (unsigned long long)number); break;
    case FF_FIELD_HANDLE: memcpy(at, &handle, sizeof handle); break;
    case FF_FIELD_STRS: fill_texts(at, 1, seed); break;
    case FF_FIELD_PAIRS: fill_texts(at, 2, seed); break;
    case FF_FIELD_STRUCT: fill(f->fields, at, seed); break;
    case FF_FIELD_LIST: fill_list(f->fields, at, seed); break;
    case FF_FIELD_ERROR: fill_error(at, seed); break;
  }
}

/* Some stay absent. */
static void fill(const struct ff_struct *s, void *values, uint64_t *seed) {
  for (uint32_t i = 0; i < s->field_count; i++)
    if (next(seed) % 4) fill_field(&s->fields[i], (char *)values + s->fields[i].offset, seed);
}

/* The JSON of two structs, which says all there is. */
static void assert_same(const struct ff_struct *s, const void *a, const void *b) {
  struct buffer first, second;
  buffer_init(&first);
  buffer_init(&second);
  values_json(s, a, &first);
  values_json(s, b, &second);
  assert_string_equal(buffer_text(&first).ptr, buffer_text(&second).ptr);
  buffer_fini(&first);
  buffer_fini(&second);
}

static void arguments_there_and_back(void **state) {
  (void)state;
  for (int op = 0; op < OP_COUNT; op++)
    for (uint64_t seed = 1; seed < 40; seed++) {
      uint64_t at = seed * 1000 + (uint64_t)op;
      const struct ff_struct *s = op_infos[op].args;
      struct buffer body;
      struct ff_error e;
      void *values = arena_zalloc(&arena, s->size), *back;
      buffer_init(&body);
      fill(s, values, &at);
      assert_true(wire_args_write(s, values, &body, &e));
      assert_int_equal(wire_args_read(s, buffer_text(&body), &arena, &back, &e), WIRE_FINE);
      assert_int_equal(*(uint32_t *)back, s->size);
      assert_same(s, values, back);
      buffer_fini(&body);
      arena_reset(&arena);
    }
}

static void answers_there_and_back(void **state) {
  (void)state;
  for (int op = 0; op < OP_COUNT; op++)
    for (uint64_t seed = 1; seed < 40; seed++) {
      uint64_t at = seed * 1000 + (uint64_t)op;
      const struct ff_struct *s = op_infos[op].result;
      struct buffer body;
      void *values = arena_zalloc(&arena, s->size), *back = arena_zalloc(&arena, s->size);
      buffer_init(&body);
      fill(s, values, &at);
      wire_result_write(s, values, &body);
      assert_true(wire_result_read(s, buffer_text(&body), &arena, back));
      assert_same(s, values, back);
      buffer_fini(&body);
      arena_reset(&arena);
    }
}

static void assert_answer(const struct ff_struct *s, const void *result, const char *wanted) {
  struct buffer body;
  buffer_init(&body);
  wire_result_write(s, result, &body);
  assert_string_equal(buffer_text(&body).ptr, wanted);
  buffer_fini(&body);
}

/* 07 T-10 */
static void outcomes_are_tags(void **state) {
  (void)state;
  struct ff_create_execution_result created = {.outcome = FF_outcome_created,
                                               .execution_id = {"{fp:7}:x"}};
  assert_answer(&op_result_create_execution, &created,
                "{\"Created\":{\"execution_id\":\"{fp:7}:x\",\"public_state\":\"waiting\"}}");
  struct ff_claim_result none = {.outcome = FF_outcome_none};
  assert_answer(&op_result_claim, &none, "\"None\"");
  struct ff_get_execution_tag_result tag = {.outcome = FF_outcome_ok, .value = T("v")};
  assert_answer(&op_result_get_execution_tag, &tag, "{\"value\":\"v\"}");
}

static void answers_that_are_none(void **state) {
  (void)state;
  static const char *const bodies[] = {"",   "null",           "7",      "[]",
                                       "\"created\"", "\"NoSuchThing\"", "{\"Created\":7}", "{",
                                       "\"\\u0000\"", "{\"Created\":{\"public_state\":\"x\"}}"};
  struct ff_create_execution_result back;
  for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
    memset(&back, 0, sizeof back);
    assert_false(
        wire_result_read(&op_result_create_execution, ff_text(bodies[i]), &arena, &back));
  }
}

/* ---- bad arguments ---- */

static void assert_fault(const char *body, enum wire_fault wanted, const char *field) {
  void *args;
  struct ff_error e = {0};
  enum wire_fault fault =
      wire_args_read(&op_args_create_executions, ff_text(body), &arena, &args, &e);
  assert_int_equal(fault, wanted);
  if (wanted == WIRE_FINE) return;
  assert_int_equal(e.code, FF_CODE_invalid_input);
  assert_string_equal(e.field, field);
  assert_null(args);
}

/* 07 H-5 … H-8 */
static void bad_arguments(void **state) {
  (void)state;
  assert_fault("", WIRE_SYNTAX, "");
  assert_fault("{\"items\":[]}x", WIRE_SYNTAX, "");
  assert_fault("\xef\xbb\xbf{}", WIRE_SYNTAX, "");
  assert_fault("{\"items\":\"\xff\"}", WIRE_SYNTAX, "");
  assert_fault("[]", WIRE_SHAPE, "");
  assert_fault("{\"items\":7}", WIRE_SHAPE, "items");
  assert_fault("{\"items\":null}", WIRE_SHAPE, "items");
  assert_fault("{\"items\":[],\"items\":[]}", WIRE_SHAPE, "items");
  assert_fault("{\"items\":[{},{\"priority\":1.0}]}", WIRE_SHAPE, "items[1].priority");
  assert_fault("{\"items\":[{\"priority\":\"1\"}]}", WIRE_SHAPE, "items[0].priority");
  assert_fault("{\"items\":[{\"priority\":2147483648}]}", WIRE_SHAPE, "items[0].priority");
  assert_fault("{\"items\":[{\"input_payload\":\"*\"}]}", WIRE_SHAPE, "items[0].input_payload");
  assert_fault("{\"items\":[{\"input_payload\":[1,256]}]}", WIRE_SHAPE, "items[0].input_payload");
  assert_fault("{\"items\":[{\"tags\":null}]}", WIRE_SHAPE, "items[0].tags");
  assert_fault("{\"items\":[7]}", WIRE_SHAPE, "items[0]");
  assert_fault("{\"unknown\":1,\"items\":[{\"policy_json\":[],\"lane_id\":null}]}", WIRE_FINE, "");
}

static void a_text_that_json_cannot_say(void **state) {
  (void)state;
  struct ff_ping_args fine = FF_ARGS(ping);
  struct ff_set_execution_tag_args bad = FF_ARGS(set_execution_tag);
  struct ff_error e;
  struct buffer body;
  buffer_init(&body);
  bad.value = T("\xff");
  assert_true(wire_args_write(&op_args_ping, &fine, &body, &e));
  assert_false(wire_args_write(&op_args_set_execution_tag, &bad, &body, &e));
  assert_int_equal(e.code, FF_CODE_invalid_input);
  buffer_fini(&body);
}

/* ---- errors ---- */

static void errors_there_and_back(void **state) {
  (void)state;
  for (int code = 1; code < FF_CODE_COUNT; code++) {
    struct ff_error e, back;
    struct buffer body;
    (void)error_field(&e, (enum ff_code)code, "a.field", "the \"detail\" of %d", code);
    error_context(&e, "lease_epoch", "7");
    e.retry_after_ms = code % 2 ? -1 : 250;
    buffer_init(&body);
    wire_error_write(&e, &body);
    int status = wire_error_status(&e);
    assert_in_range(status, 400, 504);
    wire_error_read(status, buffer_text(&body), &arena, &back);
    assert_int_equal(back.code, code);
    assert_int_equal(back.rc, e.rc);
    assert_string_equal(back.field, "a.field");
    assert_string_equal(ff_error_context_get(&back, "lease_epoch"), "7");
    assert_int_equal(back.retry_after_ms, e.retry_after_ms);
    bool told = e.rc != FF_TRANSPORT && e.rc != FF_CONFIG;
    assert_string_equal(back.detail, told ? e.detail : "");
    buffer_fini(&body);
  }
}

static void assert_body(enum ff_code code, const char *detail, int status, const char *wanted) {
  struct ff_error e;
  struct buffer body;
  (void)error_set(&e, code, "%s", detail);
  if (e.rc == FF_RESOURCE_EXHAUSTED) {
    error_context(&e, "pool", "stream_ops");
    error_context(&e, "max", "64");
  }
  buffer_init(&body);
  wire_error_write(&e, &body);
  assert_string_equal(buffer_text(&body).ptr, wanted);
  assert_int_equal(wire_error_status(&e), status);
  buffer_fini(&body);
}

/* 07 §1.5, E-1 … E-9 */
static void bodies_of_errors(void **state) {
  (void)state;
  assert_body(FF_CODE_execution_not_found, "", 404,
              "{\"error\":\"not found: execution\",\"code\":\"execution_not_found\"}");
  assert_body(FF_CODE_invalid_input, "lane_id: empty", 400,
              "{\"error\":\"invalid_input: lane_id: empty\",\"code\":\"invalid_input\","
              "\"detail\":\"lane_id: empty\"}");
  assert_body(FF_CODE_handle_from_other_backend, "", 400,
              "{\"error\":\"validation_error\",\"code\":\"handle_from_other_backend\"}");
  assert_body(FF_CODE_corruption, "", 500,
              "{\"error\":\"corruption\",\"kind\":\"corruption\",\"retryable\":false,"
              "\"code\":\"corruption\"}");
  assert_body(FF_CODE_rotation_conflict, "", 409,
              "{\"error\":\"rotation_conflict: RotationConflict\",\"kind\":\"rotation_conflict\","
              "\"retryable\":false,\"code\":\"rotation_conflict\"}");
  assert_body(FF_CODE_lease_conflict, "", 409,
              "{\"error\":\"contention: LeaseConflict\",\"kind\":\"contention\","
              "\"retryable\":true,\"code\":\"lease_conflict\"}");
  assert_body(FF_CODE_execution_not_active, "", 409,
              "{\"error\":\"contention: ExecutionNotActive\",\"kind\":\"contention\","
              "\"retryable\":false,\"code\":\"execution_not_active\"}");
  assert_body(FF_CODE_retry_exhausted, "", 500,
              "{\"error\":\"retry_exhausted: RetryExhausted\",\"kind\":\"retry_exhausted\","
              "\"retryable\":false,\"code\":\"retry_exhausted\"}");
  assert_body(FF_CODE_lease_expired, "", 409,
              "{\"error\":\"already_satisfied: LeaseExpired\",\"kind\":\"already_satisfied\","
              "\"retryable\":false,\"code\":\"lease_expired\"}");
  assert_body(FF_CODE_stale_lease, "", 409,
              "{\"error\":\"state_conflict: StaleLease\",\"kind\":\"state_conflict\","
              "\"retryable\":false,\"code\":\"stale_lease\"}");
  assert_body(FF_CODE_execution_not_terminal, "", 409,
              "{\"error\":\"execution_not_terminal: ExecutionNotTerminal\","
              "\"kind\":\"execution_not_terminal\",\"retryable\":false,"
              "\"code\":\"execution_not_terminal\"}");
  assert_body(FF_CODE_resource_exhausted, "", 429,
              "{\"error\":\"too many concurrent stream_ops calls (server max: 64); retry with "
              "backoff\",\"kind\":\"resource_exhausted\",\"retryable\":true,"
              "\"code\":\"resource_exhausted\",\"context\":{\"pool\":\"stream_ops\","
              "\"max\":\"64\"}}");
  assert_body(FF_CODE_transport, "password=hunter2", 500,
              "{\"error\":\"transport\",\"kind\":\"transport\",\"retryable\":true,"
              "\"code\":\"transport\"}");
  assert_body(FF_CODE_timeout, "tail", 504,
              "{\"error\":\"timeout: tail\",\"kind\":\"timeout\",\"retryable\":true,"
              "\"code\":\"timeout\",\"detail\":\"tail\"}");
}

static void bodies_without_a_code(void **state) {
  (void)state;
  static const struct {
    int status;
    const char *body;
    enum ff_code code;
    const char *detail;
  } cases[] = {
      {401, "{\"error\":\"missing or invalid Authorization header\"}", FF_CODE_unauthorized,
       "missing or invalid Authorization header"},
      {413, "{\"error\":\"payload_too_large\"}", FF_CODE_payload_too_large, "payload_too_large"},
      {502, "<html>", FF_CODE_transport, "the server answered 502"},
      {503, "", FF_CODE_unavailable, "the server answered 503"},
      {400, "{\"code\":7,\"error\":[]}", FF_CODE_invalid_input, "the server answered 400"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct ff_error e;
    wire_error_read(cases[i].status, ff_text(cases[i].body), &arena, &e);
    assert_int_equal(e.code, cases[i].code);
    assert_string_equal(e.detail, cases[i].detail);
  }
}

/* ---- credentials ---- */

static void credentials_are_hidden(void **state) {
  (void)state;
  struct ff_task tasks[] = {{.lane_id = T("l"), .lease_id = {"secret"}, .handle = {.len = 4}}};
  struct ff_claim_tasks_result claimed = {.outcome = FF_outcome_claimed, .tasks = {tasks, 1}};
  wire_hide_credentials(&op_result_claim_tasks, &claimed);
  assert_string_equal(tasks[0].lease_id.text, "");
  assert_int_equal(tasks[0].handle.len, 0);
  assert_true(text_equal(tasks[0].lane_id, T("l")));
  assert_true(wire_has_credentials(&op_result_claim_tasks));
  assert_true(wire_has_credentials(&op_result_read_waitpoint_token));
  assert_false(wire_has_credentials(&op_result_list_lanes));
}

static int start(void **state) {
  (void)state;
  arena_init(&arena);
  return 0;
}

static int stop(void **state) {
  (void)state;
  arena_fini(&arena);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(arguments_there_and_back), cmocka_unit_test(answers_there_and_back),
      cmocka_unit_test(outcomes_are_tags),        cmocka_unit_test(answers_that_are_none),
      cmocka_unit_test(bad_arguments),            cmocka_unit_test(a_text_that_json_cannot_say),
      cmocka_unit_test(errors_there_and_back),    cmocka_unit_test(bodies_of_errors),
      cmocka_unit_test(bodies_without_a_code),    cmocka_unit_test(credentials_are_hidden),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
