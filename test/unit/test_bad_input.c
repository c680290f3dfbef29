/*
 * Every argument of every operation outside its limits, through the public API: a typed validation
 * error that names the argument, and a store that has not changed (issue 2, Bad input).
 *
 * The attacks are made from reflection: a rule per member name says what its limits are, and a
 * member without a rule fails the test. Only the dump of the store looks behind the public headers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/unit/bad_rules.h"
#include "test/unit/bad_world.h"

#define MANY 1001
#define UUID(n) BAD_UUID(n)
#define ID(n) BAD_ID(n)
#define LEASED BAD_LEASED

static struct bad_world world;

/* ---- one operation under attack ---- */

/* Arguments as an attack changes them; `good` is what they go back to. */
struct target {
  const struct ff_operation *op;
  uint8_t args[1024], good[1024];
  struct buffer before; /* the dump */
};

/* One member of it. */
struct attack {
  struct target *target;
  const struct rule *rule;
  const struct ff_field *field;
  void *at; /* in target->args */
};

static void aim(struct target *t, const struct ff_operation *op) {
  assert_true(op->args->size <= sizeof t->args && op->result->size <= 1024);
  memset(t, 0, sizeof *t);
  t->op = op;
  bad_good_arguments(&world, op, t->good);
  memcpy(t->args, t->good, sizeof t->args);
  buffer_init(&t->before);
  bad_dump(world.engine, &t->before);
}

static void check_unchanged(const struct target *t, const char *what) {
  struct buffer now;
  buffer_init(&now);
  bad_dump(world.engine, &now);
  if (!text_equal(buffer_text(&t->before), buffer_text(&now)))
    fail_msg("%s: %s changed the store:\n%s", t->op->name, what, buffer_text(&now).ptr);
  buffer_fini(&now);
}

static const uint8_t nothing[1024];

/* Calls it, also without a place for the error. */
static enum ff_rc call(const struct target *t, struct ff_error *error) {
  union {
    struct ff_memory *memory;
    uint8_t bytes[1024];
  } result;
  memset(error, 0, sizeof *error);
  memset(&result, 0xa5, sizeof result);
  enum ff_rc rc = ff_call(world.engine, t->op, t->args, &result, error);
  if (rc != FF_OK) {
    assert_memory_equal(&result, nothing, t->op->result->size);
    assert_int_equal(error->rc, rc);
    assert_int_equal(ff_code_family(error->code), rc);
    assert_int_not_equal(rc, FF_BUG);
    assert_int_not_equal(rc, FF_TRANSPORT);
    assert_true(text_is_utf8(ff_text(error->detail)) && text_is_utf8(ff_text(error->field)));
    assert_int_equal(ff_call(world.engine, t->op, t->args, &result, NULL), rc);
  }
  ff_clear(&result);
  ff_clear(&result);
  assert_null(result.memory);
  return rc;
}

/* The member as it stands must be refused by name; afterwards it is good again. */
static void refused(const struct attack *a, const char *what, enum ff_code code,
                    const char *cause) {
  struct target *t = a->target;
  struct ff_error e;
  enum ff_rc rc = call(t, &e);
  const char *name = a->field->name;
  if (rc != FF_VALIDATION)
    fail_msg("%s: %s %s answers %s", t->op->name, name, what, rc ? ff_code_name(e.code) : "ok");
  if (code != FF_CODE_none && e.code != code)
    fail_msg("%s: %s %s answers %s", t->op->name, name, what, ff_code_name(e.code));
  if (cause && !strstr(e.detail, cause))
    fail_msg("%s: %s %s says %s", t->op->name, name, what, e.detail);
  /* Capabilities are named by their prefix, the one lane of a list as it is alone. */
  bool named = strcmp(e.field, name) == 0 || e.code == FF_CODE_invalid_capabilities ||
               (strcmp(name, "lane_ids") == 0 && strcmp(e.field, "lane_id") == 0);
  if (!named) fail_msg("%s: %s %s blames \"%s\"", t->op->name, name, what, e.field);
  if (!e.detail[0]) fail_msg("%s: %s %s says nothing", t->op->name, name, what);
  check_unchanged(t, name);
  memcpy(t->args, t->good, sizeof t->args);
}

/* ---- texts ---- */

static void text_refused(const struct attack *a, struct ff_str text, enum ff_code code,
                         const char *cause) {
  char what[80];
  snprintf(what, sizeof what, "= \"%.48s\" (%zu)", text.ptr ? text.ptr : "absent", text.len);
  *(struct ff_str *)a->at = text;
  refused(a, what, code, cause);
}

static void literal_refused(const struct attack *a, const char *text, enum ff_code code,
                            const char *cause) {
  text_refused(a, ff_text(text), code, cause);
}

static void attack_bytes_of_text(const struct attack *a, enum ff_code code) {
  for (size_t i = 0; i < BAD_TEXT_COUNT; i++) text_refused(a, bad_texts[i], code, NULL);
}

static void attack_text(const struct attack *a) {
  attack_bytes_of_text(a, FF_CODE_invalid_input);
  text_refused(a, text_of(bad_long_text(), a->rule->max + 1), FF_CODE_invalid_input, "TooLong");
  text_refused(a, text_of(bad_long_text(), BAD_LONG), FF_CODE_invalid_input, "TooLong");
}

static void attack_execution_id(const struct attack *a) {
  static const struct {
    const char *text, *cause;
  } bad[] = {{"x", "MissingTag"},
             {UUID("01"), "MissingTag"},
             {"{fp:7}", "MissingTag"},
             {"{b:7}:" UUID("01"), "MissingTag"},
             {"{fp:}:" UUID("01"), "InvalidPartitionIndex"},
             {"{fp:x}:" UUID("01"), "InvalidPartitionIndex"},
             {"{fp:07}:" UUID("01"), "InvalidPartitionIndex"},
             {"{fp:-1}:" UUID("01"), "InvalidPartitionIndex"},
             {"{fp:65536}:" UUID("01"), "InvalidPartitionIndex"},
             {"{fp:99999999999999999999}:" UUID("01"), "InvalidPartitionIndex"},
             {"{fp:7}:", "InvalidUuid"},
             {"{fp:7}:" UUID("0"), "InvalidUuid"},
             {"{fp:7}:" UUID("01") " ", "InvalidUuid"},
             {"{fp:7}:{" UUID("01") "}", "InvalidUuid"},
             {"{fp:256}:" UUID("01"), "partition index 256 out of range"},
             {"{fp:65535}:" UUID("01"), "(num_flow_partitions=256)"}};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    literal_refused(a, bad[i].text, FF_CODE_invalid_input, bad[i].cause);
  if (strcmp(a->field->name, "cursor") == 0) return; /* absent and empty: from the start */
  literal_refused(a, NULL, FF_CODE_invalid_input, "MissingTag");
  literal_refused(a, "", FF_CODE_invalid_input, "MissingTag");
  attack_bytes_of_text(a, FF_CODE_invalid_input);
  text_refused(a, text_of(bad_long_text(), BAD_LONG), FF_CODE_invalid_input, "MissingTag");
}

static void attack_uuid(const struct attack *a) {
  static const char *const bad[] = {"x",
                                    UUID("0"),
                                    UUID("011"),
                                    "{" UUID("01") "}",
                                    "0000000000004000800000000000000001",
                                    "00000000-0000-4000-8000-00000000000g"};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    literal_refused(a, bad[i], FF_CODE_invalid_input, "InvalidUuid");
  attack_bytes_of_text(a, FF_CODE_invalid_input);
  text_refused(a, text_of(bad_long_text(), BAD_LONG), FF_CODE_invalid_input, "InvalidUuid");
  if (a->rule->kind != OWN_UUID) return;
  literal_refused(a, NULL, FF_CODE_invalid_input, "InvalidUuid");
  literal_refused(a, "", FF_CODE_invalid_input, "InvalidUuid");
  literal_refused(a, "00000000-0000-0000-0000-000000000000", FF_CODE_invalid_input, "nil");
}

static void attack_partition(const struct attack *a) {
  static const struct {
    const char *text, *cause;
  } bad[] = {{"fp:7", "MissingBraces"},        {"{fp:7", "MissingBraces"},
             {"{fp}", "MalformedBody"},        {"{fp:7:7}", "MalformedBody"},
             {"{x:7}", "UnknownFamilyPrefix"}, {"{fp:}", "InvalidIndex"},
             {"{fp:07}", "InvalidIndex"},      {"{fp:65536}", "InvalidIndex"},
             {"{b:7}", "UnexpectedFamily"},    {"{q:7}", "UnexpectedFamily"},
             {"{fp:256}", "out of range"}};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    literal_refused(a, bad[i].text, FF_CODE_invalid_input, bad[i].cause);
  attack_bytes_of_text(a, FF_CODE_invalid_input);
  text_refused(a, text_of(bad_long_text(), BAD_LONG), FF_CODE_invalid_input, "MissingBraces");
}

/* Some operations look the lane up when none is given. */
static bool lane_is_optional(const struct target *t) {
  static const char *const operations[] = {
      "create_execution", "submit",         "change_priority", "block_execution_for_admission",
      "block_route",      "trim_retention", "query_executions"};
  for (size_t i = 0; i < ARRAY_LEN(operations); i++)
    if (strcmp(t->op->name, operations[i]) == 0) return true;
  return false;
}

static void attack_lane(const struct attack *a) {
  text_refused(a, text_of(bad_long_text(), 65), FF_CODE_invalid_input, "TooLong(65)");
  text_refused(a, text_of(bad_long_text(), BAD_LONG), FF_CODE_invalid_input, "TooLong");
  literal_refused(a, "a\nb", FF_CODE_invalid_input, "NonPrintable(1)");
  literal_refused(a, "\x7f", FF_CODE_invalid_input, "NonPrintable(0)");
  literal_refused(a, "l\xc3\xa4ne", FF_CODE_invalid_input, "NonPrintable(1)");
  attack_bytes_of_text(a, FF_CODE_invalid_input);
  if (lane_is_optional(a->target)) return;
  literal_refused(a, NULL, FF_CODE_invalid_input, "Empty");
  literal_refused(a, "", FF_CODE_invalid_input, "Empty");
}

static void attack_worker(const struct attack *a) {
  literal_refused(a, NULL, FF_CODE_invalid_input, "Empty");
  literal_refused(a, "", FF_CODE_invalid_input, "Empty");
  literal_refused(a, "a b", FF_CODE_invalid_input, "WhiteSpace(1)");
  literal_refused(a, "a\n", FF_CODE_invalid_input, "WhiteSpace(1)");
  literal_refused(a, "a\xe2\x80\x83", FF_CODE_invalid_input, "WhiteSpace(1)");
  literal_refused(a, "\x1b[0m", FF_CODE_invalid_input, "ControlCharacter(0)");
  text_refused(a, text_of(bad_long_text(), 257), FF_CODE_invalid_input, "TooLong(257)");
  attack_bytes_of_text(a, FF_CODE_invalid_input);
}

static void attack_choice(const struct attack *a) {
  literal_refused(a, "nonsense", FF_CODE_none, NULL);
  literal_refused(a, "ACTIVE", FF_CODE_none, NULL);
  literal_refused(a, "none", FF_CODE_none, NULL);
  attack_bytes_of_text(a, FF_CODE_none);
  text_refused(a, text_of(bad_long_text(), BAD_LONG), FF_CODE_none, NULL);
}

static void attack_states(const struct attack *a) {
  static const char *const bad[] = {"", ",", "waiting,", ",waiting", "waiting waiting", "Waiting"};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    literal_refused(a, bad[i], FF_CODE_invalid_input, "unknown state");
  attack_bytes_of_text(a, FF_CODE_invalid_input);
}

static void attack_cursor(const struct attack *a) {
  static const char *const bad[] = {"x",
                                    ":",
                                    LEASED,
                                    "1700000000000:",
                                    "1700000000000:" UUID("01"),
                                    " 1:" LEASED,
                                    "01:" LEASED,
                                    "1:" LEASED " ",
                                    "9223372036854775808:" LEASED,
                                    "1:{fp:256}:" UUID("01"),
                                    "1:{fp:7}:0000000A-0000-4000-8000-000000000001"};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    literal_refused(a, bad[i], FF_CODE_invalid_input, "cursor");
  attack_bytes_of_text(a, FF_CODE_invalid_input);
}

static void attack_tag_key(const struct attack *a) {
  static const char *const bad[] = {NULL,      "",        "app",          "app.",
                                    ".k",      "App.k",   "app.K",        "1app.k",
                                    "app k.x", "app..k-", "app.k\xc3\xa4"};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    literal_refused(a, bad[i], FF_CODE_invalid_input, "invalid tag key");
  attack_bytes_of_text(a, FF_CODE_invalid_input);
}

static void attack_policy(const struct attack *a) {
  static const char *const bad[] = {"{",
                                    "[]",
                                    "null",
                                    "7",
                                    "{}{}",
                                    "{\"max_retries\":-1",
                                    "{\"backoff\":7,\"retry_policy\":7}",
                                    "{\"max_retries\":1.5,\"priority\":1.5}",
                                    "{\"a\":1,\"a\":2}",
                                    "{\"a\":\"\xff\"}"};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    literal_refused(a, bad[i], FF_CODE_invalid_policy_json, NULL);
  attack_bytes_of_text(a, FF_CODE_invalid_policy_json);
  text_refused(a, text_of(bad_long_text(), BAD_LONG), FF_CODE_none, NULL);
}

/* ---- lists ---- */

static const char *const bad_tokens[] = {"", "a,b", "a b", "a\tb", "\x7f", "\xff"};

static void tokens_refused(const struct attack *a, const struct ff_str *items, size_t count,
                           const char *cause) {
  *(struct ff_strs *)a->at = (struct ff_strs){items, count};
  refused(a, cause, FF_CODE_invalid_capabilities, cause);
}

static void attack_tokens(const struct attack *a) {
  static char names[257][8];
  static struct ff_str many[257];
  for (size_t i = 0; i < ARRAY_LEN(many); i++) {
    snprintf(names[i], sizeof names[i], "t%zu", i);
    many[i] = ff_text(names[i]);
  }
  tokens_refused(a, many, ARRAY_LEN(many), "worker:too_many_tokens");
  many[0] = text_of(bad_long_text(), 4097);
  tokens_refused(a, many, 1, "worker:too_many_bytes");
  for (size_t i = 0; i < ARRAY_LEN(bad_tokens); i++) {
    many[0] = ff_text(bad_tokens[i]);
    tokens_refused(a, many, 2, "worker:");
  }
}

static void attack_tokens_csv(const struct attack *a) {
  literal_refused(a, "a,,b", FF_CODE_invalid_capabilities, "required:empty_token");
  literal_refused(a, "a,", FF_CODE_invalid_capabilities, "required:empty_token");
  literal_refused(a, "a b", FF_CODE_invalid_capabilities, "required:control_or_whitespace");
  attack_bytes_of_text(a, FF_CODE_invalid_capabilities);
  text_refused(a, text_of(bad_long_text(), 4097), FF_CODE_invalid_capabilities, "too_many_bytes");
}

static void attack_lanes(const struct attack *a) {
  static struct ff_str many[65];
  struct ff_strs *list = a->at;
  for (size_t i = 0; i < ARRAY_LEN(many); i++) many[i] = ff_text("default");
  *list = (struct ff_strs){NULL, 0};
  refused(a, "empty", FF_CODE_invalid_input, "1 to 64");
  *list = (struct ff_strs){many, ARRAY_LEN(many)};
  refused(a, "of 65", FF_CODE_invalid_input, "1 to 64");
  for (size_t i = 0; i < BAD_TEXT_COUNT; i++) {
    many[1] = bad_texts[i];
    *list = (struct ff_strs){many, 2};
    refused(a, "with a bad lane", FF_CODE_invalid_input, NULL);
  }
  many[0] = ff_text("");
  *list = (struct ff_strs){many, 1};
  refused(a, "with an empty lane", FF_CODE_invalid_input, "Empty");
}

static void tags_refused(const struct attack *a, const struct ff_pair *items, size_t count,
                         const char *what) {
  *(struct ff_pairs *)a->at = (struct ff_pairs){items, count};
  refused(a, what, FF_CODE_none, NULL);
}

static void attack_tags(const struct attack *a) {
  static char keys[8][8];
  static struct ff_pair many[8];
  struct ff_pair one;
  for (size_t i = 0; i < BAD_TEXT_COUNT; i++) {
    one = (struct ff_pair){bad_texts[i], ff_text("v")};
    tags_refused(a, &one, 1, "with a bad key");
    one = (struct ff_pair){ff_text("app.k"), bad_texts[i]};
    tags_refused(a, &one, 1, "with a bad value");
  }
  one = (struct ff_pair){text_of(bad_long_text(), 257), ff_text("v")};
  tags_refused(a, &one, 1, "with a key of 257 bytes");
  one = (struct ff_pair){ff_text("app.k"), text_of(bad_long_text(), 4097)};
  tags_refused(a, &one, 1, "with a value of 4,097 bytes");
  for (size_t i = 0; i < ARRAY_LEN(many); i++) {
    snprintf(keys[i], sizeof keys[i], "app.k%zu", i);
    many[i] = (struct ff_pair){ff_text(keys[i]), text_of(bad_long_text(), 4096)};
  }
  tags_refused(a, many, ARRAY_LEN(many), "of more than 16 KiB");
  if (strcmp(a->target->op->name, "set_execution_tags") != 0) return;
  tags_refused(a, NULL, 0, "empty");
  one = (struct ff_pair){ff_text("App.k"), ff_text("v")};
  tags_refused(a, &one, 1, "with a key of another pattern");
}

/* The items themselves are judged each by itself: see many_forms_judge_each_item. */
static void attack_items(const struct attack *a) {
  size_t size = a->field->fields->size;
  uint8_t *items = calloc(MANY, size);
  struct ff_create_list list;
  for (size_t i = 0; i < MANY; i++) memcpy(items + i * size, &size, sizeof(uint32_t));
  list = (struct ff_create_list){(void *)items, MANY};
  memcpy(a->at, &list, sizeof list);
  refused(a, "of 1,001", FF_CODE_invalid_input, "at most 1000 items");
  for (uint32_t i = 0; i < a->field->fields->field_count; i++) {
    const struct ff_field *f = &a->field->fields->fields[i];
    struct ff_bytes payload = {bad_long_text(), BAD_LONG};
    if (f->type != FF_FIELD_BYTES) continue;
    for (size_t k = 0; k < 9; k++) memcpy(items + k * size + f->offset, &payload, sizeof payload);
    list.count = 9;
    memcpy(a->at, &list, sizeof list);
    refused(a, "of 9 MiB", FF_CODE_invalid_input, "bytes a call");
  }
  free(items);
}

/* ---- numbers, bytes, handles ---- */

static void number_refused(const struct attack *a, uint64_t n) {
  char what[40];
  snprintf(what, sizeof what, "= %lld", (long long)n);
  bad_set_number(a->field, a->at, n);
  refused(a, what, FF_CODE_invalid_input, NULL);
}

static uint64_t largest(const struct ff_field *f) {
  switch (f->type) {
    case FF_FIELD_BOOL: return 1;
    case FF_FIELD_WORD: return UINT8_MAX;
    case FF_FIELD_I32:
    case FF_FIELD_U32: return UINT32_MAX;
    default: return UINT64_MAX;
  }
}

static void attack_number(const struct attack *a) {
  uint64_t max = a->rule->max;
  switch (a->rule->kind) {
    case AT_LEAST_1: number_refused(a, 0); /* fall through */
    case AT_MOST:
      if (max == UINT64_MAX) return;
      number_refused(a, max + 1);
      number_refused(a, largest(a->field));
      return;
    case POSITIVE: number_refused(a, 0); /* fall through */
    case NOT_NEGATIVE:
      number_refused(a, UINT64_MAX); /* -1 */
      number_refused(a, (uint64_t)INT64_MIN);
      return;
    default:
      for (unsigned n = 0; n <= UINT8_MAX; n++)
        if (!ff_word((enum ff_word_enum)a->field->words, (int)n)) number_refused(a, n);
  }
}

static void attack_payload(const struct attack *a) {
  *(struct ff_bytes *)a->at = (struct ff_bytes){bad_long_text(), BAD_PAYLOAD_MAX + 1};
  refused(a, "beyond the limit", FF_CODE_payload_too_large, NULL);
}

static void handle_refused(const struct attack *a, const char *what, enum ff_code code,
                           const char *cause) {
  refused(a, what, code, cause);
}

static void attack_handle(const struct attack *a) {
  struct ff_handle *h = a->at;
  for (uint16_t len = 0; len < world.task.handle.len; len++) {
    h->len = len;
    handle_refused(a, "cut short", FF_CODE_corruption, "handle_codec: Truncated");
  }
  h->len = UINT16_MAX;
  handle_refused(a, "longer than it can be", FF_CODE_corruption, "handle_codec: Truncated");
  h->len++;
  handle_refused(a, "with a byte too many", FF_CODE_corruption, "handle_codec: TrailingBytes");
  h->opaque[0] = 0x7f;
  handle_refused(a, "of no version", FF_CODE_corruption, "handle_codec: BadV1Version");
  h->opaque[1] = 9;
  handle_refused(a, "of a later version", FF_CODE_corruption, "handle_codec: BadWireVersion");
  h->opaque[2] = 99;
  handle_refused(a, "of no store", FF_CODE_corruption, "handle_codec: BadBackendTag");
  h->opaque[2] = FF_backend_sqlite;
  handle_refused(a, "of two stores", FF_CODE_corruption, "handle_codec: BackendTagMismatch");
  h->opaque[7] = 0xff; /* the first byte of the execution id */
  handle_refused(a, "of bad text", FF_CODE_corruption, "handle_codec: InvalidUtf8");
  h->opaque[7] = 'x';
  handle_refused(a, "of no execution", FF_CODE_corruption, "field=execution_id");
  *h = (struct ff_handle){0};
  handle_refused(a, "absent", FF_CODE_handle_from_other_backend, "expected=memory actual=none");
  h->backend = 250;
  handle_refused(a, "of an unknown store", FF_CODE_handle_from_other_backend, "actual=unknown");
  h->backend = FF_backend_postgres;
  handle_refused(a, "of PostgreSQL", FF_CODE_handle_from_other_backend, "actual=postgres");
  memset(h, 0xff, sizeof *h);
  h->backend = FF_backend_memory;
  handle_refused(a, "garbled", FF_CODE_corruption, "handle_codec: ");
}

/* ---- members without limits: whatever they are, the answer is typed ---- */

static void answered(const struct attack *a) {
  struct ff_error e;
  struct target *t = a->target;
  enum ff_rc rc = call(t, &e);
  if (rc != FF_OK) check_unchanged(t, a->field->name);
  if (e.code == FF_CODE_corruption) fail_msg("%s: %s", t->op->name, e.detail);
  memcpy(t->args, t->good, sizeof t->args);
  if (rc != FF_OK) return;
  bad_world_close(&world); /* the next one is the same again */
  bad_world_open(&world);
}

static void attack_any(const struct attack *a) {
  static const uint64_t numbers[] = {
      0, 1, 100, INT32_MAX, UINT32_MAX, INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX};
  const struct ff_str texts[] = {
      {"a\xc3", 2}, {"a\0b", 3}, {"", 0}, {NULL, 0}, {bad_long_text(), BAD_LONG}};
  if (a->field->type == FF_FIELD_STRS) {
    *(struct ff_strs *)a->at = (struct ff_strs){bad_texts, BAD_TEXT_COUNT};
    answered(a);
    return;
  }
  for (size_t i = 0; a->field->type == FF_FIELD_TEXT && i < ARRAY_LEN(texts); i++) {
    *(struct ff_str *)a->at = texts[i];
    answered(a);
  }
  for (size_t i = 0; a->field->type != FF_FIELD_TEXT && i < ARRAY_LEN(numbers); i++) {
    bad_set_number(a->field, a->at, numbers[i]);
    answered(a);
  }
}

static void attack_member(const struct attack *a) {
  switch (a->rule->kind) {
    case BINDINGS:
    case SPECS:
    case GRAPH:
    case LIMITS:
    case AMOUNTS:
    case TOKEN: break;
    case ANY: attack_any(a); break;
    case EXECUTION_ID: attack_execution_id(a); break;
    case OWN_UUID:
    case ANY_UUID: attack_uuid(a); break;
    case PARTITION: attack_partition(a); break;
    case LANE: attack_lane(a); break;
    case WORKER: attack_worker(a); break;
    case TEXT: attack_text(a); break;
    case CHOICE: attack_choice(a); break;
    case STATES: attack_states(a); break;
    case LANES: attack_lanes(a); break;
    case TOKENS: attack_tokens(a); break;
    case TOKENS_CSV: attack_tokens_csv(a); break;
    case AT_LEAST_1:
    case AT_MOST:
    case NOT_NEGATIVE:
    case POSITIVE:
    case WORD: attack_number(a); break;
    case PAYLOAD: attack_payload(a); break;
    case HANDLE: attack_handle(a); break;
    case TAG_KEY: attack_tag_key(a); break;
    case TAGS: attack_tags(a); break;
    case POLICY: attack_policy(a); break;
    case CURSOR: attack_cursor(a); break;
    case ITEMS: attack_items(a); break;
  }
}

static void attack_members(struct target *t, const char *owner, const struct ff_struct *s,
                           void *values) {
  for (uint32_t i = 0; i < s->field_count; i++) {
    const struct ff_field *f = &s->fields[i];
    void *at = (uint8_t *)values + f->offset;
    if (f->type == FF_FIELD_STRUCT)
      attack_members(t, f->name, f->fields, at);
    else
      attack_member(&(struct attack){t, rule_of(owner, f->name), f, at});
  }
}

/* ---- a test per operation ---- */

static struct target target;

static int setup(void **state) {
  bad_world_open(&world);
  aim(&target, *state);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  buffer_fini(&target.before);
  bad_world_close(&world);
  return 0;
}

static void every_argument_outside_its_limits(void **state) {
  (void)state;
  struct ff_error e;
  attack_members(&target, target.op->name, target.op->args, target.args);
  /* no edge is there to be named: that is no fault of the arguments */
  if (call(&target, &e) == FF_VALIDATION && e.code != FF_CODE_invalid_dependency)
    fail_msg("%s: the good arguments are refused: %s: %s", target.op->name, e.field, e.detail);
}

int main(void) {
  static struct CMUnitTest tests[256];
  size_t count;
  const struct ff_operation *operations = ff_operations(&count);
  if (count > ARRAY_LEN(tests)) return 1;
  for (size_t i = 0; i < count; i++)
    tests[i] = (struct CMUnitTest){operations[i].name, every_argument_outside_its_limits, setup,
                                   teardown, (void *)(uintptr_t)&operations[i]};
  return _cmocka_run_group_tests("bad input", tests, count, NULL, NULL);
}
