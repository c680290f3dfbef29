/*
 * Budgets under threads (06 Part H 1-3), at their bounds, and with spoiled rows, on every store that
 * needs no server.
 */
#include "flowfabric/flowfabric.h"

#include "base/base.h"
#include "test/lib/stores.h"

#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

#define THREADS 8
#define EACH 10
#define BUDGET_NAMES 257
#define LIMIT 33
#define BUDGET TEXT_LIT("11111111-1111-4111-8111-111111111111")

static void quiet(void *user, enum ff_log_level level, const char *message) {
  (void)user, (void)level, (void)message;
}

static struct ff_engine *open_engine(const char *url) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct ff_engine *engine;
  struct ff_error error;
  options.dev_mode = true;
  options.log = quiet;
  if (ff_open(url, &options, &engine, &error) != FF_OK) fail_msg("%s: %s", url, error.detail);
  return engine;
}

static void each_store(void (*run)(struct ff_engine *)) {
  int missing = 0;
  for (size_t i = 0; i < TEST_STORES; i++) {
    char url[600];
    if (!test_store_available(i, &missing)) continue;
    test_store_place(i, "budget", "?synchronous=off", url, sizeof url);
    struct ff_engine *engine = open_engine(url);
    run(engine);
    ff_close(engine);
    test_store_remove(i, "budget");
  }
}

static void create(struct ff_engine *engine, const struct ff_budget_limit *limits, size_t count) {
  struct ff_create_budget_args args = FF_ARGS(create_budget);
  struct ff_create_budget_result result;
  struct ff_error error;
  args.budget_id = BUDGET;
  args.limits = (struct ff_budget_limits){limits, count};
  if (ff_create_budget(engine, &args, &result, &error) != FF_OK) fail_msg("%s", error.detail);
  ff_clear(&result);
}

static uint64_t usage_of(struct ff_engine *engine, struct ff_str dimension) {
  struct ff_get_budget_status_args args = FF_ARGS(get_budget_status);
  struct ff_get_budget_status_result status;
  uint64_t amount = 0;
  args.budget_id = BUDGET;
  assert_int_equal(ff_get_budget_status(engine, &args, &status, NULL), FF_OK);
  for (size_t i = 0; i < status.usage.count; i++)
    if (text_equal(status.usage.items[i].dimension, dimension))
      amount = status.usage.items[i].amount;
  ff_clear(&status);
  return amount;
}

struct reporters {
  struct ff_engine *engine;
  struct ff_str key;
  atomic_int ok, breached, applied;
};

static enum ff_rc charge(struct ff_engine *engine, const struct ff_budget_amount *items,
                         size_t count, struct ff_str key, uint8_t *outcome,
                         struct ff_error *error) {
  struct ff_report_usage_admin_args args = FF_ARGS(report_usage_admin);
  struct ff_report_usage_admin_result result;
  args.budget_id = BUDGET;
  args.deltas = (struct ff_budget_amounts){items, count};
  args.dedup_key = key;
  enum ff_rc rc = ff_report_usage_admin(engine, &args, &result, error);
  *outcome = result.outcome;
  if (rc == FF_OK) ff_clear(&result);
  return rc;
}

static void *report(void *user) {
  struct reporters *r = user;
  const struct ff_budget_amount one = {TEXT_LIT("t"), 1};
  for (int i = 0; i < EACH; i++) {
    uint8_t outcome;
    struct ff_error error;
    enum ff_rc rc;
    do rc = charge(r->engine, &one, 1, r->key, &outcome, &error);
    while (rc != FF_OK && error.code == FF_CODE_retry_exhausted);
    if (rc != FF_OK) continue; /* the sums below tell */
    r->ok += outcome == FF_outcome_ok;
    r->breached += outcome == FF_outcome_hard_breach;
    r->applied += outcome == FF_outcome_already_applied;
  }
  return NULL;
}

static void run_reporters(struct reporters *r) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, report, r), 0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

/* H 1, BU-35 */
static void limit_holds(struct ff_engine *engine) {
  const struct ff_budget_limit limit = {TEXT_LIT("t"), LIMIT, 0};
  struct reporters r = {.engine = engine};
  create(engine, &limit, 1);
  run_reporters(&r);
  assert_int_equal(r.ok, LIMIT);
  assert_int_equal(r.breached, THREADS * EACH - LIMIT);
  assert_int_equal(usage_of(engine, TEXT_LIT("t")), LIMIT);
}

/* H 2, BU-35 */
static void key_counts_once(struct ff_engine *engine) {
  struct reporters r = {.engine = engine, .key = TEXT_LIT("key")};
  create(engine, NULL, 0);
  run_reporters(&r);
  assert_int_equal(r.ok, 1);
  assert_int_equal(r.applied, THREADS * EACH - 1);
  assert_int_equal(usage_of(engine, TEXT_LIT("t")), 1);
}

static void *reset_often(void *user) {
  struct ff_engine *engine = user;
  for (int i = 0; i < EACH; i++) {
    struct ff_reset_budget_args args = FF_ARGS(reset_budget);
    struct ff_reset_budget_result result;
    args.budget_id = BUDGET;
    if (ff_reset_budget(engine, &args, &result, NULL) == FF_OK) ff_clear(&result);
  }
  return NULL;
}

/* H 3: a report of two dimensions takes effect in both or in none */
static void resets_tear_nothing(struct ff_engine *engine) {
  const struct ff_budget_amount two[] = {{TEXT_LIT("a"), 3}, {TEXT_LIT("b"), 4}};
  pthread_t thread;
  uint8_t outcome;
  create(engine, NULL, 0);
  assert_int_equal(pthread_create(&thread, NULL, reset_often, engine), 0);
  for (int i = 0; i < EACH; i++)
    (void)!charge(engine, two, 2, (struct ff_str){0}, &outcome, NULL);
  pthread_join(thread, NULL);
  uint64_t a = usage_of(engine, TEXT_LIT("a")), b = usage_of(engine, TEXT_LIT("b"));
  assert_int_equal(a % 3, 0);
  assert_int_equal(a / 3 * 4, b);
}

/* BU-3, BU-5, and how many dimensions one budget tracks */
static void bounds(struct ff_engine *engine) {
  static char names[BUDGET_NAMES][16];
  struct ff_budget_amount items[65];
  struct ff_error error;
  uint8_t outcome;
  for (int i = 0; i < BUDGET_NAMES; i++) snprintf(names[i], sizeof names[i], "d%03d", i);
  for (int i = 0; i < 65; i++) items[i] = (struct ff_budget_amount){ff_text(names[i]), 1};
  assert_int_not_equal(charge(engine, items, 65, (struct ff_str){0}, &outcome, &error), FF_OK);
  assert_string_equal(error.detail, "too_many_dimensions: limit=64, got=65");
  for (int i = 0; i < 256; i += 64) {
    for (int j = 0; j < 64; j++) items[j].dimension = ff_text(names[i + j]);
    assert_int_equal(charge(engine, items, 64, (struct ff_str){0}, &outcome, &error), FF_OK);
  }
  items[0].dimension = ff_text(names[256]);
  assert_int_not_equal(charge(engine, items, 1, (struct ff_str){0}, &outcome, &error), FF_OK);
  assert_int_equal(error.code, FF_CODE_invalid_input);
  assert_string_equal(error.detail, "too_many_dimensions: limit=256 tracked by one budget");
  items[0].dimension = ff_text(names[255]);
  assert_int_equal(charge(engine, items, 1, (struct ff_str){0}, &outcome, &error), FF_OK);
}

static void test_limit_holds(void **state) { (void)state, each_store(limit_holds); }
static void test_key_counts_once(void **state) { (void)state, each_store(key_counts_once); }
static void test_resets(void **state) { (void)state, each_store(resets_tear_nothing); }
static void test_bounds(void **state) { (void)state, each_store(bounds); }

static void create_bound(struct ff_engine *engine) {
  struct ff_create_execution_args args = FF_ARGS(create_execution);
  struct ff_create_execution_result result;
  args.execution_id = TEXT_LIT("{fp:7}:00000000-0000-4000-8000-000000000001");
  args.lane_id = TEXT_LIT("l");
  args.policy = TEXT_LIT("{\"budget_ids\":[\"11111111-1111-4111-8111-111111111111\"]}");
  assert_int_equal(ff_create_execution(engine, &args, &result, NULL), FF_OK);
  ff_clear(&result);
}

/* S-45: nothing is granted and nothing is blocked */
static void claim_fails_closed(struct ff_engine *engine) {
  struct ff_claim_args args = FF_ARGS(claim);
  struct ff_claim_result result;
  struct ff_error error;
  args.lane_id = TEXT_LIT("l");
  args.worker_id = args.worker_instance_id = TEXT_LIT("w");
  args.lease_ttl_ms = 1000;
  assert_int_not_equal(ff_claim(engine, &args, &result, &error), FF_OK);
  assert_int_equal(error.code, FF_CODE_corruption);
  assert_string_equal(error.field, "dimensions");
  struct ff_read_execution_state_args state = FF_ARGS(read_execution_state);
  struct ff_read_execution_state_result read;
  state.execution_id = TEXT_LIT("{fp:7}:00000000-0000-4000-8000-000000000001");
  assert_int_equal(ff_read_execution_state(engine, &state, &read, NULL), FF_OK);
  assert_int_equal(read.public_state, FF_public_state_waiting);
  ff_clear(&read);
}

/* BU-73: every operation says so, nothing is changed */
static void test_spoiled(void **state) {
  static const char *const texts[] = {"{", "[]", "{\"t\":1}", "{\"t\":{\"usage\":-1}}",
                                      "{\"t\":{\"hard\":1}}", "{\"u\":{},\"t\":{}}",
                                      "{\"t\":{\"usage\":9223372036854775808}}"};
  const struct ff_budget_amount one = {TEXT_LIT("t"), 1};
  const struct ff_budget_limit limit = {TEXT_LIT("t"), 5, 0};
  (void)state;
  for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
    struct ff_get_budget_status_args status = FF_ARGS(get_budget_status);
    struct ff_get_budget_status_result result;
    struct ff_error error;
    sqlite3 *db;
    char sql[200];
    uint8_t outcome;
    struct ff_engine *engine = open_engine("sqlite:spoiled.db?synchronous=off");
    create(engine, &limit, 1);
    create_bound(engine);
    ff_close(engine);
    assert_int_equal(sqlite3_open("spoiled.db", &db), SQLITE_OK);
    snprintf(sql, sizeof sql, "UPDATE budget SET dimensions='%s'", texts[i]);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    engine = open_engine("sqlite:spoiled.db?synchronous=off");
    status.budget_id = BUDGET;
    assert_int_not_equal(ff_get_budget_status(engine, &status, &result, &error), FF_OK);
    assert_int_equal(error.code, FF_CODE_corruption);
    assert_string_equal(error.field, "dimensions");
    assert_int_not_equal(charge(engine, &one, 1, (struct ff_str){0}, &outcome, &error), FF_OK);
    assert_int_equal(error.code, FF_CODE_corruption);
    claim_fails_closed(engine);
    ff_close(engine);
    remove("spoiled.db");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_limit_holds), cmocka_unit_test(test_key_counts_once),
      cmocka_unit_test(test_resets), cmocka_unit_test(test_bounds), cmocka_unit_test(test_spoiled)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
