/*
 * Arguments of every operation from any text, then the operation itself on a fresh engine: typed
 * errors only, a refusal changes nothing, answers read back as they were written.
 *
 * Input: lines of `operation{JSON}` or `operation` TAB `member=value` TAB …; `at N` moves the clock
 * to N ms behind the start, `tick` does what is due. Absent handles become the last one answered;
 * the text `$` becomes the last id of the member's name.
 */
#include "fuzz.h"

#include "engine/engine.h"
#include "op/values.h"
#include "test/lib/script.h"

#define START INT64_C(1700000000000)
#define LINES_MAX 16
#define ID "{fp:7}:00000000-0000-7000-8000-000000000001"
#define ID_2 "{fp:9}:00000000-0000-7000-8000-000000000002"
#define X "\"execution_id\":\"" ID "\""
#define LEASE_ID "00000000-0000-4000-8000-0000000000aa"
#define ATTEMPT_ID "00000000-0000-4000-8000-0000000000bb"
#define WORKER "\"worker_id\":\"w\",\"worker_instance_id\":\"w-1\""
#define CREATE                                                                                  \
  "create_execution{" X                                                                         \
  ",\"lane_id\":\"a\",\"namespace\":\"n\",\"execution_kind\":\"k\","                            \
  "\"input_payload\":\"aGVsbG8=\",\"tags\":{\"app.k\":\"v\",\"x\":\"\\u00e9\"},\"priority\":7," \
  "\"idempotency_key\":\"once\",\"policy\":\"{\\\"retry_policy\\\":{\\\"max_retries\\\":1}}\"}\n"
#define CLAIM "claim_task{\"lane_ids\":[\"a\"]," WORKER ",\"lease_ttl_ms\":1000}\n"
#define GRANT "issue_claim_grant{" X ",\"lane_id\":\"a\"," WORKER ",\"grant_ttl_ms\":5000}\n"
#define FENCE "\"fence\":{\"lease_id\":\"$\",\"attempt_id\":\"$\"}"

const struct ff_str fuzz_seeds[] = {
    SEED(CREATE CLAIM "renew{}\nprogress{\"has_percent\":true,\"percent\":50,\"message\":\"m\"}\n"
                      "complete{\"result_payload\":[1,2,255],\"result_encoding\":\"e\"}\n"
                      "get_execution_result{" X "}\nlist_attempts{" X "}\nlist_events{" X "}\n"
                      "describe_execution{" X "}\nreplay_execution{" X "}\n"),
    SEED(CREATE CLAIM "fail\treason=it broke\tdetail=provider_error\tfailure_class=timeout\n"
                      "at 60000\ntick\n" CLAIM "fail_execution{" X "," FENCE
                      ",\"failure_reason\":\"r\","
                      "\"retry_policy_json\":\"{}\"}\nread_execution_info{" X "}\n"),
    SEED(CREATE CLAIM "complete_execution{" X "," FENCE ",\"source\":\"lease_holder\"}\n"
                      "complete_execution{" X ",\"source\":\"operator_override\"}\n"
                      "set_execution_tags{" X ",\"tags\":{\"app.a\":\"1\",\"app.b\":\"2\"}}\n"
                      "get_execution_tags{" X "}\nget_execution_tag{" X ",\"key\":\"app.a\"}\n"
                      "query_executions{\"lane_id\":\"a\",\"public_state\":\"completed,waiting\","
                      "\"tag_key\":\"app.a\",\"limit\":2}\n"),
    SEED("submit\tlane_id=b\tnamespace=n\tinput_payload=hex:00ff\ttags=app.k=v,app.l=\"a,b\"\t"
         "policy={\"routing_requirements\":{\"required_capabilities\":[\"gpu\",\"cuda\"]}}\n"
         "claim\tlane_id=b\tcapabilities=cuda,gpu\tworker_id=w\tworker_instance_id=i\t"
         "lease_ttl_ms=30000\trequest_id=r1\n"
         "delay\tdelay_until=1700000005000\nat 6000\ntick\nread_execution_state\texecution_id=$\n"),
    SEED("create_executions{\"items\":[{\"execution_id\":\"" ID "\",\"lane_id\":\"a\"},"
         "{\"lane_id\":\"b\",\"delay_until\":1700000001000},{\"lane_id\":\"\"}]}\n"
         "claim_tasks{\"lane_ids\":[\"b\",\"a\"]," WORKER ",\"lease_ttl_ms\":1,\"max\":3}\n"
         "complete_many{\"items\":[{\"result_payload\":\"\"},{}]}\nrenew_many{\"items\":[{}]}\n"
         "fail_many{\"items\":[{\"reason\":\"x\"}]}\nat 5\ntick\n"),
    SEED(CREATE "issue_claim_grant{" X ",\"lane_id\":\"a\"," WORKER ",\"grant_ttl_ms\":5000,"
                "\"worker_capabilities\":[\"gpu\"]}\nclaim_execution{" X
                ",\"lane_id\":\"a\"," WORKER ",\"lease_id\":\"" LEASE_ID
                "\",\"attempt_id\":\"" ATTEMPT_ID
                "\",\"lease_ttl_ms\":18446744073709551615}\nread_exec_core_fields{\"partition\":"
                "\"{fp:7}\"," X ",\"names\":[\"lease_renewal_deadline\",\"public_state\"]}\n"
                "revoke_lease{" X ",\"expected_lease_id\":\"" LEASE_ID "\"}\n"
                "issue_reclaim_grant{" X ",\"lane_id\":\"a\"," WORKER ",\"grant_ttl_ms\":60000}\n"
                "reclaim_execution{" X ",\"lane_id\":\"a\"," WORKER ",\"lease_id\":\"" ATTEMPT_ID
                "\",\"attempt_id\":\"" LEASE_ID "\",\"lease_ttl_ms\":1000}\n"),
    SEED(CREATE
         "place_hold{" X ",\"reason_detail\":\"d\"}\nrelease_hold{" X "}\n"
         "block_route{" X ",\"lane_id\":\"a\",\"reason_code\":\"waiting_for_capable_worker\"}\n"
         "unblock_execution{" X ",\"expected_blocking_reason\":\"waiting_for_capable_worker\"}\n"
         "change_priority{" X ",\"new_priority\":9001}\nclaim_for_worker{\"lane_id\":\"a\"," WORKER
         ",\"grant_ttl_ms\":10}\nscan_eligible_executions{\"lane_id\":\"a\",\"limit\":5}\n"
         "block_execution_for_admission{" X ",\"reason\":\"waiting_for_quota\"}\n"),
    SEED("register_lane{\"lane_id\":\"a\",\"required_capabilities\":\"cuda,gpu\"}\n"
         "set_lane_state\tlane_id=a\tstate=paused\ndescribe_lane{\"lane_id\":\"a\"}\n"
         "list_lanes{\"limit\":3,\"cursor\":\"A\"}\nrun_scanner{\"name\":\"dedup_sweep\"}\n"
         "list_scanners{}\nread_config{}\nengine_stats{}\ncapabilities{}\nprepare{}\nping{}\n"
         "server_time_ms{}\ntrim_retention{\"partition\":\"{fp:7}\",\"retention_ms\":1}\n"),
    SEED(CREATE CLAIM
         "complete_and_claim{\"result_payload\":\"\",\"lane_ids\":[\"a\",\"b\"]," WORKER
         ",\"lease_ttl_ms\":50}\nwait_execution{" X ",\"timeout_ms\":3600000}\n"
         "at 99999999\ntick\nlist_executions{\"partition\":\"{fp:7}\",\"limit\":1}\n"
         "trim_retention{\"lane_id\":\"a\",\"batch_size\":1000}\n"),
    SEED(CREATE "issue_grant_and_claim{" X ",\"lane_id\":\"a\",\"lease_duration_ms\":10}\n"
                "wait_children{}\n" GRANT "claim_resumed_execution{" X ",\"lane_id\":\"a\"," WORKER
                ",\"lease_id\":\"" LEASE_ID "\",\"lease_ttl_ms\":9}\ndelay{\"delay_until\":1}\n"
                "promote_delayed{" X "}\n" GRANT "claim_from_resume_grant{" X
                ",\"lane_id\":\"a\"," WORKER ",\"grant_key\":\"$\",\"lease_ttl_ms\":9}\nat 9\n"
                "mark_lease_expired_if_due{" X "}\nissue_reclaim_grant{" X
                ",\"lane_id\":\"a\"," WORKER ",\"grant_ttl_ms\":9}\nclaim_from_reclaim{" X
                ",\"lane_id\":\"a\"," WORKER ",\"lease_ttl_ms\":9}\nat 99\nauto_reclaim{" X "}\n"
                "expire_execution\texecution_id=" ID "\tphase=execution_deadline\n"),
    SEED(CREATE CLAIM "renew_lease{" X "," FENCE ",\"lease_ttl_ms\":1}\ncancel{\"reason\":\"r\"}\n"
                      "cancel_execution{" X ",\"reason\":\"r\",\"source\":\"custom\"}\n"
                      "get_execution_namespace{\"execution_id\":\"" ID_2 "\"}\n"
                      "read_execution_context{" X "}\nread_current_attempt_index{" X "}\n"
                      "read_total_attempt_count{" X "}\nset_execution_tag{" X
                      ",\"key\":\"a.b\",\"value\":\"\"}\n"),
    SEED("renew{\"handle\":{\"backend\":\"memory\",\"kind\":\"fresh\",\"opaque\":\"AgEE\"}}\n"),
    {NULL, 0}};

struct world {
  struct engine *engine;
  int64_t clock;
  struct arena arena;
  /* what the last answers named */
  struct ff_handle handle;
  struct ff_str execution_id, lease_id, attempt_id, grant_key;
  uint64_t lease_epoch;
};

static int64_t read_clock(void *user) { return ((const struct world *)user)->clock; }

static void quiet(void *user, enum ff_log_level level, const char *message) {
  (void)user, (void)level, (void)message;
}

/* ---- every member, in nested structs and lists too ---- */

struct list {
  uint8_t *items;
  size_t count;
};

static void walk(struct world *w, const struct ff_struct *s, void *values,
                 void (*visit)(struct world *, const struct ff_field *, void *at)) {
  for (uint32_t i = 0; i < s->field_count; i++) {
    const struct ff_field *f = &s->fields[i];
    uint8_t *at = (uint8_t *)values + f->offset;
    struct list list;
    visit(w, f, at);
    if (f->type == FF_FIELD_STRUCT) walk(w, f->fields, at, visit);
    if (f->type != FF_FIELD_LIST) continue;
    memcpy(&list, at, sizeof list);
    for (size_t k = 0; k < list.count; k++)
      walk(w, f->fields, list.items + k * f->fields->size, visit);
  }
}

static struct ff_str *named(struct world *w, const char *name) {
  if (strcmp(name, "execution_id") == 0) return &w->execution_id;
  if (strcmp(name, "lease_id") == 0 || strcmp(name, "expected_lease_id") == 0) return &w->lease_id;
  if (strcmp(name, "attempt_id") == 0) return &w->attempt_id;
  return strcmp(name, "grant_key") == 0 ? &w->grant_key : NULL;
}

static void learn(struct world *w, const struct ff_field *f, void *at) {
  struct ff_str *known = named(w, f->name);
  struct ff_str text = {NULL, 0};
  if (f->type == FF_FIELD_HANDLE && ((struct ff_handle *)at)->len)
    w->handle = *(struct ff_handle *)at;
  if (f->type == FF_FIELD_U64 && strcmp(f->name, "lease_epoch") == 0)
    w->lease_epoch = *(uint64_t *)at;
  if (f->type == FF_FIELD_TEXT) text = *(struct ff_str *)at;
  if (f->type == FF_FIELD_ID) text = ff_text(((struct ff_id *)at)->text);
  if (known && text.len) *known = arena_text(&w->arena, text);
}

static void fill_in(struct world *w, const struct ff_field *f, void *at) {
  struct ff_str *known = named(w, f->name);
  if (f->type == FF_FIELD_HANDLE && !((struct ff_handle *)at)->len)
    *(struct ff_handle *)at = w->handle;
  if (f->type == FF_FIELD_TEXT && known && text_equal_c(*(struct ff_str *)at, "$"))
    *(struct ff_str *)at = *known;
  if (f->type == FF_FIELD_STRUCT && strcmp(f->name, "fence") == 0) {
    struct ff_fence *fence = at;
    if (text_equal_c(fence->lease_id, "$")) fence->lease_epoch = w->lease_epoch;
  }
  /* Nobody is there to end a wait. */
  bool waits = strcmp(f->name, "max_wait_ms") == 0 || strcmp(f->name, "timeout_ms") == 0;
  if (waits && *(uint64_t *)at <= 3600000) *(uint64_t *)at = 0;
}

/* ---- what is written reads back ---- */

static void show(const struct ff_struct *s, const void *values, struct buffer *out) {
  buffer_clear(out);
  values_print(s, values, out);
}

static void check_copy(const struct ff_struct *s, const void *values, const struct buffer *shown) {
  uint8_t copy[2048];
  struct ff_memory *memory;
  struct buffer again;
  INVARIANT(s->size <= sizeof copy);
  buffer_init(&again);
  values_deep_copy(s, values, copy, &memory);
  show(s, copy, &again);
  INVARIANT(text_equal(buffer_text(shown), buffer_text(&again)));
  values_free(memory);
  buffer_fini(&again);
}

/* Errors in slots are written and never read. */
static void check_json(struct world *w, const struct ff_struct *s, const void *values,
                       const struct buffer *shown) {
  uint8_t copy[2048] = {0};
  struct buffer text;
  const struct json *object = NULL;
  struct json_error where;
  struct ff_error e;
  buffer_init(&text);
  values_json(s, values, &text);
  INVARIANT(json_parse(buffer_text(&text), &w->arena, &object, &where));
  if (values_parse_json(s, copy, object, &w->arena, &e) == FF_OK) {
    show(s, copy, &text);
    INVARIANT(text_equal(buffer_text(shown), buffer_text(&text)));
  } else {
    INVARIANT(strstr(e.detail, "cannot be set"));
  }
  buffer_fini(&text);
}

static void check_written(struct world *w, const struct ff_struct *s, const void *values,
                          bool json) {
  struct buffer shown;
  buffer_init(&shown);
  show(s, values, &shown);
  check_copy(s, values, &shown);
  if (json) check_json(w, s, values, &shown);
  buffer_fini(&shown);
}

/* ---- reading a call ---- */

static void check_bad_text(const struct ff_error *e) {
  INVARIANT(e->rc == FF_VALIDATION && e->code == FF_CODE_invalid_input);
  INVARIANT(e->detail[0] && text_is_utf8(ff_text(e->detail)));
}

/* False when the text does not fit the members. Texts set by hand may be any bytes. */
static bool read_members(struct world *w, const struct ff_struct *s, void *args,
                         struct ff_str rest) {
  struct ff_error e;
  while (rest.len) {
    const char *tab = memchr(rest.ptr, '\t', rest.len);
    struct ff_str word = text_of(rest.ptr, tab ? (size_t)(tab - rest.ptr) : rest.len);
    rest = text_of(rest.ptr + word.len, rest.len - word.len);
    if (rest.len) rest = text_of(rest.ptr + 1, rest.len - 1);
    const char *equals = word.len ? memchr(word.ptr, '=', word.len) : NULL;
    if (!equals) continue;
    size_t at = (size_t)(equals - word.ptr);
    const struct ff_field *f = values_field(s, text_of(word.ptr, at));
    if (!f) return false;
    struct ff_str value = text_of(equals + 1, word.len - at - 1);
    if (values_parse_field(s, f, args, value, &w->arena, &e) == FF_OK) continue;
    check_bad_text(&e);
    return false;
  }
  return true;
}

static bool read_json(struct world *w, const struct ff_struct *s, void *args, struct ff_str text) {
  const struct json *object = NULL;
  struct json_error where;
  struct ff_error e;
  if (!json_parse(text, &w->arena, &object, &where)) return false;
  if (values_parse_json(s, args, object, &w->arena, &e) == FF_OK) return true;
  check_bad_text(&e);
  return false;
}

/* ---- calling ---- */

/* The only refusals that record a fact (02 L-64, 06 S-13). */
static bool records_a_fact(const struct ff_error *e) {
  return e->code == FF_CODE_lease_expired || e->code == FF_CODE_capability_mismatch;
}

static void check_refusal(enum ff_rc rc, const struct ff_error *e, const uint8_t *result,
                          size_t size) {
  INVARIANT(e->rc == rc && e->code != FF_CODE_none && ff_code_family(e->code) == rc);
  INVARIANT(text_is_utf8(ff_text(e->detail)) && text_is_utf8(ff_text(e->field)));
  INVARIANT(rc == FF_NOT_FOUND || rc == FF_VALIDATION || rc == FF_CONTENTION || rc == FF_CONFLICT ||
            rc == FF_STATE);
  INVARIANT(e->code != FF_CODE_retry_exhausted);
  if (e->code == FF_CODE_corruption) INVARIANT(strncmp(e->detail, "handle_codec: ", 14) == 0);
  for (size_t i = 0; i < size; i++) INVARIANT(result[i] == 0);
}

static void call(struct world *w, enum op_id op, const void *args, bool watch) {
  const struct op_info *info = &op_infos[op];
  struct ff_error e = {0};
  struct buffer before, after;
  uint8_t *result = arena_zalloc(&w->arena, info->result_size);
  buffer_init(&before);
  buffer_init(&after);
  if (watch) engine_dump(w->engine, &before);
  enum ff_rc rc = engine_call(w->engine, op, args, result, &e);
  if (rc == FF_OK) {
    walk(w, info->result, result, learn);
    check_written(w, info->result, result, true);
    values_free(*(struct ff_memory **)(void *)result);
  } else {
    check_refusal(rc, &e, result, info->result_size);
  }
  if (watch && rc != FF_OK && !records_a_fact(&e)) {
    engine_dump(w->engine, &after);
    INVARIANT(text_equal(buffer_text(&before), buffer_text(&after)));
  }
  buffer_fini(&before);
  buffer_fini(&after);
}

static void tick(struct world *w) {
  for (int i = 0; i < 1000 && engine_step(w->engine, w->clock); i++) {
  }
}

static void run_line(struct world *w, struct ff_str line, bool watch) {
  size_t end = 0;
  int64_t at;
  if (line.len > 3 && memcmp(line.ptr, "at ", 3) == 0) {
    bool later = parse_i64(text_of(line.ptr + 3, line.len - 3), &at) && at < INT64_C(1000000000000);
    if (later && START + at > w->clock) w->clock = START + at;
    return;
  }
  while (end < line.len && line.ptr[end] != '{' && line.ptr[end] != '\t') end++;
  struct ff_str name = text_of(line.ptr, end), rest = text_of(line.ptr + end, line.len - end);
  if (text_equal_c(name, "tick")) tick(w);
  for (int op = 0; op < OP_COUNT; op++) {
    const struct op_info *info = &op_infos[op];
    if (!text_equal_c(name, info->name)) continue;
    void *args = arena_zalloc(&w->arena, info->args_size);
    memcpy(args, &info->args_size, sizeof info->args_size);
    bool json = rest.len && rest.ptr[0] == '{';
    if (!(json ? read_json : read_members)(w, info->args, args, rest)) return;
    check_written(w, info->args, args, json);
    walk(w, info->args, args, fill_in);
    call(w, (enum op_id)op, args, watch);
  }
}

/* ---- one input ---- */

static void open_world(struct world *w) {
  struct engine_options options = {.manual = true, .open = FF_OPEN_OPTIONS_INIT};
  struct ff_error e;
  *w = (struct world){.clock = START};
  arena_init(&w->arena);
  options.open.clock_ms = read_clock;
  options.open.clock_user = w;
  options.open.seed = 7;
  options.open.log = quiet;
  INVARIANT(engine_open(TEXT_LIT("memory:fuzz_values"), &options, &w->engine, &e) == FF_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct world w;
  struct buffer end;
  const char *text = (const char *)data;
  open_world(&w);
  for (size_t at = 0, lines = 0; at < size && lines < LINES_MAX; lines++) {
    const char *newline = memchr(text + at, '\n', size - at);
    size_t len = newline ? (size_t)(newline - text) - at : size - at;
    run_line(&w, text_of(text + at, len), (size + lines) % 4 == 0);
    at += len + 1;
  }
  w.clock += 86400000;
  tick(&w);
  buffer_init(&end);
  engine_dump(w.engine, &end);
  INVARIANT(end.len == 0 || end.ptr[0] != '!'); /* all of it can be read */
  buffer_fini(&end);
  engine_close(w.engine);
  arena_fini(&w.arena);
  return 0;
}
