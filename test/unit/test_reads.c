/*
 * Reads and tags through the public API on the memory store: 02 §15-§17, 01 RC-35, 00 §2.9.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/base.h"
#include "flowfabric/flowfabric.h"

static struct ff_engine *engine;
static struct ff_error error;
static _Atomic int64_t clock_now = 1000000;

static int64_t read_clock(void *user) {
  (void)user;
  return clock_now;
}

static int setup(void **state) {
  (void)state;
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  options.no_scanners = true;
  options.clock_ms = read_clock;
  options.seed = 7;
  return ff_open("memory:test_reads", &options, &engine, &error) == FF_OK ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  ff_close(engine);
  return 0;
}

#define ID(n) "{fp:7}:00000000-0000-4000-8000-0000000000" n
#define CALL(op, a, r) assert_int_equal(ff_##op(engine, &(a), &(r), &error), FF_OK)
#define REFUSED(op, a, r, code_, text)                                          \
  do {                                                                          \
    assert_int_not_equal(ff_##op(engine, &(a), &(r), &error), FF_OK);           \
    assert_string_equal(ff_code_name(error.code), #code_);                      \
    if (!strstr(error.detail, text)) fail_msg("detail is: %s", error.detail);   \
  } while (0)

static void create(const char *id, const char *lane, struct ff_pairs tags) {
  struct ff_create_execution_args a = FF_ARGS(create_execution);
  struct ff_create_execution_result r;
  a.execution_id = ff_text(id);
  a.lane_id = ff_text(lane);
  a.namespace_ = TEXT_LIT("shop");
  a.execution_kind = TEXT_LIT("mail");
  a.input_payload = (struct ff_bytes){"\0in", 3};
  a.priority = 5;
  a.tags = tags;
  CALL(create_execution, a, r);
  assert_int_equal(r.outcome, FF_outcome_created);
  ff_clear(&r);
}

static struct ff_handle claim(const char *lane) {
  struct ff_claim_args a = FF_ARGS(claim);
  struct ff_claim_result r;
  a.lane_id = ff_text(lane);
  a.worker_id = TEXT_LIT("w");
  a.worker_instance_id = TEXT_LIT("w-1");
  a.lease_ttl_ms = 3000;
  CALL(claim, a, r);
  assert_int_equal(r.outcome, FF_outcome_claimed);
  struct ff_handle handle = r.handle;
  ff_clear(&r);
  return handle;
}

static void missing_is_none_or_named(void **state) {
  (void)state;
  struct ff_describe_execution_args a = FF_ARGS(describe_execution);
  struct ff_describe_execution_result r;
  a.execution_id = TEXT_LIT(ID("99"));
  CALL(describe_execution, a, r);
  assert_int_equal(r.outcome, FF_outcome_none);
  struct ff_read_execution_context_args c = FF_ARGS(read_execution_context);
  struct ff_read_execution_context_result cr;
  c.execution_id = a.execution_id;
  REFUSED(read_execution_context, c, cr, invalid_input,
          "read_execution_context: execution not found: " ID("99"));
  struct ff_read_total_attempt_count_args t = FF_ARGS(read_total_attempt_count);
  struct ff_read_total_attempt_count_result tr;
  t.execution_id = a.execution_id;
  REFUSED(read_total_attempt_count, t, tr, invalid_input, "read_total_attempt_count: ");
  struct ff_list_events_args e = FF_ARGS(list_events);
  struct ff_list_events_result er;
  e.execution_id = a.execution_id;
  CALL(list_events, e, er);
  assert_int_equal(er.outcome, FF_outcome_none);
  a.execution_id = TEXT_LIT("00000000-0000-4000-8000-000000000099");
  REFUSED(describe_execution, a, r, invalid_input, "MissingTag");
  a.execution_id = TEXT_LIT("{fp:256}:00000000-0000-4000-8000-000000000099");
  REFUSED(describe_execution, a, r, invalid_input, "out of range (num_flow_partitions=256)");
}

static void one_life(void **state) {
  (void)state;
  create(ID("01"), "life", (struct ff_pairs){NULL, 0});
  struct ff_read_execution_info_args i = FF_ARGS(read_execution_info);
  struct ff_read_execution_info_result ir;
  i.execution_id = TEXT_LIT(ID("01"));
  CALL(read_execution_info, i, ir);
  assert_true(text_equal_c(ir.created_at, "1000000"));
  assert_null(ir.started_at.ptr);
  assert_true(ir.blocking_detail.ptr && ir.blocking_detail.len == 0);
  assert_int_equal(ir.public_state, FF_public_state_waiting);
  ff_clear(&ir);

  struct ff_read_execution_context_args c = FF_ARGS(read_execution_context);
  struct ff_read_execution_context_result cr;
  c.execution_id = i.execution_id;
  CALL(read_execution_context, c, cr);
  assert_int_equal(cr.input_payload.len, 3);
  assert_memory_equal(cr.input_payload.ptr, "\0in", 3);
  ff_clear(&cr);

  struct ff_handle handle = claim("life");
  struct ff_describe_execution_args d = FF_ARGS(describe_execution);
  struct ff_describe_execution_result dr;
  d.execution_id = i.execution_id;
  CALL(describe_execution, d, dr);
  assert_true(dr.execution.leased);
  assert_int_equal(dr.execution.lease_expires_at, clock_now + 3000);
  assert_int_equal(dr.execution.lease_last_renewed_at, clock_now);
  assert_int_equal(dr.execution.total_attempt_count, 1);
  ff_clear(&dr);

  struct ff_complete_args done = FF_ARGS(complete);
  struct ff_complete_result done_r;
  done.handle = handle;
  done.result_payload = (struct ff_bytes){"", 0};
  done.result_encoding = TEXT_LIT("text");
  struct ff_get_execution_result_args g = FF_ARGS(get_execution_result);
  struct ff_get_execution_result_result gr;
  g.execution_id = i.execution_id;
  CALL(get_execution_result, g, gr);
  assert_int_equal(gr.outcome, FF_outcome_none);
  CALL(complete, done, done_r);
  CALL(get_execution_result, g, gr);
  assert_int_equal(gr.outcome, FF_outcome_ok);
  assert_true(gr.payload.ptr && gr.payload.len == 0);
  assert_true(text_equal_c(gr.encoding, "text"));
  ff_clear(&gr);

  struct ff_list_attempts_args la = FF_ARGS(list_attempts);
  struct ff_list_attempts_result lr;
  la.execution_id = i.execution_id;
  CALL(list_attempts, la, lr);
  assert_int_equal(lr.attempts.count, 1);
  assert_int_equal(lr.attempts.items[0].attempt_state, FF_attempt_lifecycle_ended_success);
  assert_true(text_equal_c(lr.attempts.items[0].worker_id, "w"));
  assert_false(lr.attempts.items[0].has_previous);
  ff_clear(&lr);
}

/* Of the execution one_life left behind. */
static void events_in_pages(void **state) {
  (void)state;
  struct ff_list_events_args e = FF_ARGS(list_events);
  struct ff_list_events_result er;
  e.execution_id = TEXT_LIT(ID("01"));
  e.limit = 1;
  CALL(list_events, e, er);
  assert_int_equal(er.events.count, 1);
  assert_true(er.more);
  assert_int_equal(er.events.items[0].lease_event, FF_lease_event_acquired);
  e.after = er.events.items[0].event_id;
  ff_clear(&er);
  CALL(list_events, e, er);
  assert_int_equal(er.events.count, 1);
  assert_false(er.more);
  assert_int_equal(er.events.items[0].completion, FF_terminal_outcome_success);
  ff_clear(&er);
}

/* Fails and retries: earlier attempts are rows, the latest rides in the execution. */
static void attempts_in_order(void **state) {
  (void)state;
  struct ff_create_execution_args a = FF_ARGS(create_execution);
  struct ff_create_execution_result r;
  a.execution_id = TEXT_LIT(ID("02"));
  a.lane_id = TEXT_LIT("retry");
  a.policy = TEXT_LIT("{\"retry_policy\":{\"max_retries\":5,"
                      "\"backoff\":{\"type\":\"fixed\",\"delay_ms\":1}}}");
  CALL(create_execution, a, r);
  struct ff_list_attempts_args la = FF_ARGS(list_attempts);
  struct ff_list_attempts_result lr;
  la.execution_id = a.execution_id;
  CALL(list_attempts, la, lr);
  assert_int_equal(lr.outcome, FF_outcome_ok);
  assert_int_equal(lr.attempts.count, 0);
  for (int n = 0; n < 3; n++) {
    struct ff_fail_args f = FF_ARGS(fail);
    struct ff_fail_result fr;
    f.handle = claim("retry");
    f.reason = TEXT_LIT("boom");
    CALL(fail, f, fr);
    assert_int_equal(fr.outcome, FF_outcome_retry_scheduled);
    clock_now += 10;
    struct ff_promote_delayed_args p = FF_ARGS(promote_delayed);
    struct ff_promote_delayed_result pr;
    p.execution_id = a.execution_id;
    CALL(promote_delayed, p, pr);
    assert_int_equal(pr.outcome, FF_outcome_promoted);
    ff_clear(&pr);
  }
  claim("retry");
  CALL(list_attempts, la, lr);
  assert_int_equal(lr.attempts.count, 4);
  for (uint32_t n = 0; n < 4; n++) {
    assert_int_equal(lr.attempts.items[n].attempt_index, n);
    assert_int_equal(lr.attempts.items[n].has_previous, n > 0);
    assert_int_equal(lr.attempts.items[n].lease_epoch, n + 1);
    assert_int_equal(lr.attempts.items[n].attempt_state, n < 3
                         ? FF_attempt_lifecycle_ended_failure
                         : FF_attempt_lifecycle_started);
  }
  ff_clear(&lr);
}

static struct ff_str field(struct ff_pairs fields, const char *name) {
  for (size_t i = 0; i < fields.count; i++)
    if (text_equal_c(fields.items[i].key, name)) return fields.items[i].value;
  return (struct ff_str){NULL, 0};
}

static void core_fields(void **state) {
  (void)state;
  create(ID("03"), "fields", (struct ff_pairs){NULL, 0});
  static const struct ff_str names[] = {
      {"public_state", 12}, {"attempt_index", 13},          {"namespace", 9}, {"retry_count", 11},
      {"nonsense", 8},      {"lease_renewal_deadline", 22}, {"priority", 8},
          {"current_worker_id", 17},
      {"priority", 8},      {"receipt_op", 10},             {NULL, 0},
          {"created_at_ms", 13}};
  struct ff_read_exec_core_fields_args a = FF_ARGS(read_exec_core_fields);
  struct ff_read_exec_core_fields_result r;
  a.partition = TEXT_LIT("{fp:7}");
  a.execution_id = TEXT_LIT(ID("03"));
  CALL(read_exec_core_fields, a, r);
  assert_int_equal(r.fields.count, 0);
  a.names = (struct ff_strs){names, ARRAY_LEN(names)};
  CALL(read_exec_core_fields, a, r);
  assert_int_equal(r.fields.count, 5);
  assert_true(text_equal_c(field(r.fields, "public_state"), "waiting"));
  assert_true(text_equal_c(field(r.fields, "retry_count"), "0"));
  assert_true(text_equal_c(field(r.fields, "priority"), "5"));
  ff_clear(&r);
  claim("fields");
  CALL(read_exec_core_fields, a, r);
  assert_int_equal(r.fields.count, 8);
  for (size_t i = 1; i < r.fields.count; i++)
    assert_true(text_compare(r.fields.items[i - 1].key, r.fields.items[i].key) < 0);
  char deadline[32];
  snprintf(deadline, sizeof deadline, "%lld", (long long)clock_now + 2000);
  assert_true(text_equal_c(field(r.fields, "lease_renewal_deadline"), deadline));
  assert_true(text_equal_c(field(r.fields, "current_worker_id"), "w"));
  assert_true(text_equal_c(field(r.fields, "attempt_index"), "0"));
  ff_clear(&r);
  a.partition = TEXT_LIT("{fp:8}");
  REFUSED(read_exec_core_fields, a, r, invalid_input, "partition mismatch");
}

static void tags(void **state) {
  (void)state;
  create(ID("04"), "tags", (struct ff_pairs){NULL, 0});
  struct ff_set_execution_tag_args s = FF_ARGS(set_execution_tag);
  struct ff_set_execution_tag_result sr;
  static const char *const bad[] = {"cairn.", "cairn..x", "Cairn.x", "cairn", "1cairn.x", ""};
  s.execution_id = TEXT_LIT(ID("98"));
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    s.key = ff_text(bad[i]);
    REFUSED(set_execution_tag, s, sr, invalid_input, "invalid tag key: \"");
  }
  s.key = TEXT_LIT("app.sub.field");
  REFUSED(set_execution_tag, s, sr, execution_not_found, "");
  s.execution_id = TEXT_LIT(ID("04"));
  s.value = TEXT_LIT("1");
  CALL(set_execution_tag, s, sr);
  CALL(set_execution_tag, s, sr); /* nothing new: no event */
  s.value = TEXT_LIT("");
  CALL(set_execution_tag, s, sr);

  static const struct ff_pair many[] = {
      {{"z.z", 3}, {"1", 1}}, {{"a.0", 3}, {"2", 1}}, {{"z.z", 3}, {"3", 1}}};
  static const struct ff_pair one_bad[] = {{{"b.b", 3}, {"1", 1}}, {{"Bad", 3}, {"2", 1}}};
  struct ff_set_execution_tags_args m = FF_ARGS(set_execution_tags);
  struct ff_set_execution_tags_result mr;
  m.execution_id = TEXT_LIT(ID("98"));
  REFUSED(set_execution_tags, m, mr, invalid_input, "no tags");
  m.tags = (struct ff_pairs){one_bad, 2};
  REFUSED(set_execution_tags, m, mr, execution_not_found, "");
  m.execution_id = s.execution_id;
  REFUSED(set_execution_tags, m, mr, invalid_tag_key, "Bad");
  m.tags = (struct ff_pairs){many, 3};
  CALL(set_execution_tags, m, mr);
  assert_int_equal(mr.count, 3);

  struct ff_get_execution_tags_args g = FF_ARGS(get_execution_tags);
  struct ff_get_execution_tags_result gr;
  g.execution_id = s.execution_id;
  CALL(get_execution_tags, g, gr);
  assert_int_equal(gr.tags.count, 3);
  assert_true(text_equal_c(gr.tags.items[0].key, "a.0"));
  assert_true(text_equal_c(gr.tags.items[2].value, "3"));
  ff_clear(&gr);
  struct ff_get_execution_tag_args o = FF_ARGS(get_execution_tag);
  struct ff_get_execution_tag_result or_;
  o.execution_id = s.execution_id;
  o.key = s.key;
  CALL(get_execution_tag, o, or_);
  assert_int_equal(or_.outcome, FF_outcome_ok);
  assert_true(or_.value.ptr && or_.value.len == 0);
  ff_clear(&or_);
  o.key = TEXT_LIT("b.b");
  CALL(get_execution_tag, o, or_);
  assert_int_equal(or_.outcome, FF_outcome_none);

  struct ff_list_events_args e = FF_ARGS(list_events);
  struct ff_list_events_result er;
  static const char *const attached[] = {"app.sub.field", "app.sub.field", "a.0", "z.z"};
  e.execution_id = s.execution_id;
  CALL(list_events, e, er);
  assert_int_equal(er.events.count, ARRAY_LEN(attached));
  for (size_t i = 0; i < er.events.count; i++)
    assert_true(text_equal_c(er.events.items[i].tag_key, attached[i]));
  assert_true(text_equal_c(er.events.items[3].tag_value, "3"));
  ff_clear(&er);
}

/* ---- pages ---- */

enum { MANY = 10030 };

/* MANY executions of partition 9, lanes bulk-0 and bulk-1 in turn, one ms apart in pairs; each
 * 5,000th is tagged. */
static void create_many(void) {
  static struct ff_create_execution_args items[1000];
  static struct ff_pair tag = {{"k.k", 3}, {"v", 1}};
  static char ids[1000][64];
  for (int made = 0; made < MANY;) {
    int n = MANY - made < 1000 ? MANY - made : 1000;
    for (int i = 0; i < n; i++) {
      snprintf(ids[i], sizeof ids[i], "{fp:9}:00000000-0000-4000-8000-%012d", made + i);
      items[i] = (struct ff_create_execution_args)FF_ARGS(create_execution);
      items[i].execution_id = ff_text(ids[i]);
      items[i].lane_id = i % 2 ? TEXT_LIT("bulk-1") : TEXT_LIT("bulk-0");
      if ((made + i) % 5000 == 4999) items[i].tags = (struct ff_pairs){&tag, 1};
    }
    struct ff_create_executions_args a = FF_ARGS(create_executions);
    struct ff_create_executions_result r;
    a.items = (struct ff_create_list){items, (size_t)n};
    CALL(create_executions, a, r);
    for (int i = 0; i < n; i++) assert_int_equal(r.slots.items[i].error.rc, FF_OK);
    ff_clear(&r);
    made += n;
    clock_now += 1;
  }
}

/* Walks all pages; returns how many executions they held, and how many pages. */
static size_t query_all(struct ff_query_executions_args a, size_t *pages) {
  size_t total = 0;
  char cursor[128] = "", last[64] = "";
  *pages = 0;
  for (;;) {
    struct ff_query_executions_result r;
    a.cursor = ff_text(cursor);
    CALL(query_executions, a, r);
    ++*pages;
    total += r.executions.count;
    for (size_t i = 0; i < r.executions.count; i++) {
      assert_true(strcmp(last, r.executions.items[i].execution_id.text) < 0);
      memcpy(last, r.executions.items[i].execution_id.text, sizeof last);
    }
    bool more = r.next_cursor.len > 0;
    snprintf(cursor, sizeof cursor, "%.*s", TEXT_ARG(r.next_cursor));
    ff_clear(&r);
    if (!more) return total;
  }
}

static void pages(void **state) {
  (void)state;
  int64_t begin = ++clock_now;
  create_many();
  struct ff_query_executions_args q = FF_ARGS(query_executions);
  struct ff_query_executions_result r;
  size_t count = 0;
  q.created_from = begin;
  q.limit = 5000;
  assert_int_equal(query_all(q, &count), MANY);
  assert_int_equal(count, 11);
  q.lane_id = TEXT_LIT("bulk-1");
  assert_int_equal(query_all(q, &count), MANY / 2);
  q.created_from = begin + 1;
  q.created_to = begin + 3;
  q.limit = 0;
  assert_int_equal(query_all(q, &count), 1000);
  assert_int_equal(count, 20);

  q = (struct ff_query_executions_args)FF_ARGS(query_executions);
  q.created_from = begin;
  q.tag_key = TEXT_LIT("k.k");
  assert_int_equal(query_all(q, &count), 2);
  assert_int_equal(count, 2); /* 10,000 rows looked at, then the rest */
  q.tag_value = TEXT_LIT("w");
  assert_int_equal(query_all(q, &count), 0);
  q.tag_value = TEXT_LIT("v");
  q.limit = 1;
  CALL(query_executions, q, r);
  assert_true(text_equal_c(r.executions.items[0].tags.items[0].value, "v"));
  ff_clear(&r);
  q = (struct ff_query_executions_args)FF_ARGS(query_executions);
  q.public_state = TEXT_LIT("completed,active");
  assert_int_equal(query_all(q, &count), 3);

  static const char *const foreign[] = {"x", ":", "5", "5:x", "05:" ID("01"), "5:" ID("01") " ",
                                        "-5:{fp:300}:00000000-0000-4000-8000-000000000001"};
  for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
    q.cursor = ff_text(foreign[i]);
    REFUSED(query_executions, q, r, invalid_input, "not a cursor");
  }
  q.cursor = TEXT_LIT("");
  q.public_state = TEXT_LIT("completed,");
  REFUSED(query_executions, q, r, invalid_input, "unknown state");

  struct ff_list_executions_args l = FF_ARGS(list_executions);
  struct ff_list_executions_result lr;
  char cursor[64] = "";
  size_t listed = 0;
  l.partition = TEXT_LIT("{fp:9}");
  CALL(list_executions, l, lr);
  assert_int_equal(lr.executions.count, 0);
  l.limit = UINT32_MAX;
  do {
    l.cursor = ff_text(cursor);
    CALL(list_executions, l, lr);
    listed += lr.executions.count;
    snprintf(cursor, sizeof cursor, "%.*s", TEXT_ARG(lr.next_cursor));
    ff_clear(&lr);
  } while (cursor[0]);
  assert_int_equal(listed, MANY);
  l.cursor = TEXT_LIT(ID("01"));
  REFUSED(list_executions, l, lr, invalid_input, "partition mismatch");
  l.partition = TEXT_LIT("fp:9");
  REFUSED(list_executions, l, lr, invalid_input, "MissingBraces");
}

static void round_trip(void **state) {
  (void)state;
  struct ff_ping_args p = FF_ARGS(ping);
  struct ff_ping_result pr;
  CALL(ping, p, pr);
  assert_int_equal(pr.outcome, FF_outcome_ok);
  struct ff_server_time_ms_args t = FF_ARGS(server_time_ms);
  struct ff_server_time_ms_result tr;
  CALL(server_time_ms, t, tr);
  assert_int_equal(tr.now_ms, clock_now);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(missing_is_none_or_named), cmocka_unit_test(one_life),
      cmocka_unit_test(events_in_pages),
      cmocka_unit_test(attempts_in_order),        cmocka_unit_test(core_fields),
      cmocka_unit_test(tags),                     cmocka_unit_test(pages),
      cmocka_unit_test(round_trip),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
