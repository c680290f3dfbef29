/*
 * The key store of waitpoint tokens at boot and when somebody has damaged it: 03 H-10, H-13, H-15,
 * K-3, K-10, K-11; what the log says, and that it never says a secret (03 §12.7).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "op/keystore.h"
#include "op/values.h"
#include "store/calls.h"
#include "test/lib/script.h"

#define SECRET "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90"
#define OTHER "00b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90"
#define ENVIRONMENT "FF_WAITPOINT_HMAC_SECRET"
#define URL "memory:test_keystore"

static struct engine *engine;
static struct store *keeper; /* a memory store lives while somebody has it open */
static struct ff_error error;
static struct buffer logged;

static int64_t fixed_clock(void *user) {
  (void)user;
  return 1700000000000;
}

static void take_log(void *user, enum ff_log_level level, const char *message) {
  (void)user;
  buffer_printf(&logged, "%d %s\n", (int)level, message);
}

static enum ff_rc boot(uint64_t seed) {
  struct engine_options options = {.manual = true, .open = FF_OPEN_OPTIONS_INIT};
  options.open.clock_ms = fixed_clock;
  options.open.log = take_log;
  options.open.seed = seed;
  options.open.dev_mode = true;
  buffer_clear(&logged);
  return engine_open(ff_text(URL), &options, &engine, &error);
}

static int setup(void **state) {
  struct store_options options = {.clock_ms = fixed_clock, .dev_mode = true};
  (void)state;
  buffer_init(&logged);
  unsetenv(ENVIRONMENT);
  return store_open(ff_text(URL), &options, &keeper, &error) == FF_OK ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  engine_close(engine);
  engine = NULL;
  store_close(keeper);
  unsetenv(ENVIRONMENT);
  buffer_fini(&logged);
  return 0;
}

#define CALL(op, a, r) engine_call(engine, OP_##op, &(a), &(r), &error)

static void assert_logged(const char *text) {
  if (!strstr(buffer_text(&logged).ptr, text)) fail_msg("logged: %s", buffer_text(&logged).ptr);
}

static enum ff_rc seed(const char *kid, const char *hex, uint8_t *outcome) {
  struct ff_seed_waitpoint_hmac_secret_args a = FF_ARGS(seed_waitpoint_hmac_secret);
  struct ff_seed_waitpoint_hmac_secret_result r = {0};
  a.kid = ff_text(kid);
  a.secret_hex = ff_text(hex);
  enum ff_rc rc = CALL(seed_waitpoint_hmac_secret, a, r);
  if (outcome) *outcome = r.outcome;
  values_free(r.memory);
  return rc;
}

/* ---- boot ---- */

static void random_unless_configured(void **state) {
  (void)state;
  assert_int_equal(boot(0), FF_OK);
  assert_logged("random secret is now kid k1");
  engine_close(engine);
  assert_int_equal(boot(0), FF_OK);
  assert_string_equal(buffer_text(&logged).ptr, "");
}

static void configured(void **state) {
  uint8_t outcome;
  (void)state;
  setenv(ENVIRONMENT, SECRET, 1);
  assert_int_equal(boot(0), FF_OK);
  assert_logged("the configured secret is now kid k1");
  assert_int_equal(seed("k1", SECRET, &outcome), FF_OK);
  assert_int_equal(outcome, FF_outcome_already_seeded);
  engine_close(engine);
  assert_int_equal(boot(0), FF_OK);
  assert_string_equal(buffer_text(&logged).ptr, "");
  engine_close(engine);
  setenv(ENVIRONMENT, OTHER, 1);
  assert_int_equal(boot(0), FF_OK);
  assert_logged(ENVIRONMENT " differs from the stored secret");
  assert_null(strstr(buffer_text(&logged).ptr, OTHER));
  assert_null(strstr(buffer_text(&logged).ptr, SECRET));
}

static void malformed(void **state) {
  static const char *const bad[] = {"x", "abc", "0g", " 00"};
  (void)state;
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    setenv(ENVIRONMENT, bad[i], 1);
    assert_int_equal(boot(0), FF_CONFIG);
    assert_string_equal(error.field, ENVIRONMENT);
    assert_null(engine);
  }
  setenv(ENVIRONMENT, "", 1);
  assert_int_equal(boot(0), FF_OK);
}

/* ---- behind the engine's back ---- */

enum damage { EMPTY_STORE, NO_SECRET, NO_KEY };

static void damage(enum damage how) {
  struct token_key key = {.kid = ff_text("k1")}, spoiled;
  struct store_get gets[] = {{RECORD_KIND_setting, &keystore_current, NULL},
                             {RECORD_KIND_token_key, &key, NULL}};
  struct store_write writes[2];
  struct store_group group = {.writes = writes, .valid_until = INT64_MAX};
  struct store_session *session;
  struct arena arena;
  int64_t now;
  arena_init(&arena);
  assert_int_equal(store_session_open(keeper, STORE_WRITER, &session, &error), FF_OK);
  assert_int_equal(store_fetch(session, &arena, gets, 2, NULL, 0, &now, &error), FF_OK);
  spoiled = *(const struct token_key *)gets[1].record;
  spoiled.secret = (struct ff_bytes){NULL, 0};
  uint64_t version = spoiled.head.version++;
  writes[0] = (struct store_write){STORE_DELETE, RECORD_KIND_token_key, gets[1].record, version};
  if (how == NO_SECRET)
    writes[0] = (struct store_write){STORE_UPDATE, RECORD_KIND_token_key, &spoiled, version};
  writes[1] = (struct store_write){STORE_DELETE, RECORD_KIND_setting, gets[0].record,
                                   ((const struct record_head *)gets[0].record)->version};
  group.write_count = how == EMPTY_STORE ? 2 : 1;
  assert_int_equal(store_apply(session, &group, 1, &error), FF_OK);
  assert_int_equal(group.outcome, STORE_APPLIED);
  store_session_close(session);
  arena_fini(&arena);
}

static void installs_into_an_empty_store(void **state) {
  uint8_t outcome;
  (void)state;
  assert_int_equal(boot(7), FF_OK);
  damage(EMPTY_STORE);
  struct ff_list_waitpoint_hmac_kids_args list = FF_ARGS(list_waitpoint_hmac_kids);
  struct ff_list_waitpoint_hmac_kids_result kids;
  assert_int_equal(CALL(list_waitpoint_hmac_kids, list, kids), FF_OK);
  assert_null(kids.current_kid.ptr);
  assert_int_equal(kids.verifying.count, 0);
  values_free(kids.memory);
  /* H-13; of several exactly one (H-15): the second meets H-12 or H-14 */
  assert_int_equal(seed("first", SECRET, &outcome), FF_OK);
  assert_int_equal(outcome, FF_outcome_seeded);
  assert_int_equal(seed("second", OTHER, NULL), FF_VALIDATION);
  assert_int_equal(seed("first", OTHER, &outcome), FF_OK);
  assert_int_equal(outcome, FF_outcome_already_seeded);
}

static void rotates_an_empty_store(void **state) {
  struct ff_rotate_waitpoint_hmac_secret_all_args a = FF_ARGS(rotate_waitpoint_hmac_secret_all);
  struct ff_rotate_waitpoint_hmac_secret_all_result r;
  (void)state;
  assert_int_equal(boot(7), FF_OK);
  damage(EMPTY_STORE);
  a.new_kid = ff_text("k2");
  a.new_secret_hex = ff_text(SECRET);
  assert_int_equal(CALL(rotate_waitpoint_hmac_secret_all, a, r), FF_OK);
  assert_int_equal(r.entries.items[0].outcome, FF_outcome_rotated); /* K-7 */
  assert_null(r.entries.items[0].previous_kid.ptr);
  values_free(r.memory);
}

static struct ff_handle leased(void) {
  struct ff_submit_args submit = FF_ARGS(submit);
  struct ff_submit_result made;
  struct ff_claim_args claim = FF_ARGS(claim);
  struct ff_claim_result held;
  assert_int_equal(CALL(submit, submit, made), FF_OK);
  claim.lane_id = ff_text("default");
  claim.worker_id = claim.worker_instance_id = ff_text("w");
  claim.lease_ttl_ms = 1000;
  assert_int_equal(CALL(claim, claim, held), FF_OK);
  struct ff_handle handle = held.handle;
  values_free(held.memory);
  values_free(made.memory);
  return handle;
}

/* W-6 and H-10: nothing is created; K-3 repairs. */
static void damaged_secrets(void **state) {
  static const struct {
    enum damage how;
    enum ff_code code;
  } cases[] = {{NO_SECRET, FF_CODE_invalid_secret},
               {NO_KEY, FF_CODE_invalid_secret},
               {EMPTY_STORE, FF_CODE_hmac_secret_not_initialized}};
  (void)state;
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    assert_int_equal(boot(7), FF_OK);
    struct ff_create_waitpoint_args a = FF_ARGS(create_waitpoint);
    struct ff_create_waitpoint_result r = {0};
    struct buffer before, after;
    a.handle = leased();
    a.waitpoint_key = ff_text("k");
    a.expires_in_ms = 1000;
    damage(cases[i].how);
    buffer_init(&before);
    buffer_init(&after);
    engine_dump(engine, &before);
    assert_int_equal(CALL(create_waitpoint, a, r), FF_VALIDATION);
    assert_int_equal(error.code, cases[i].code);
    engine_dump(engine, &after);
    assert_string_equal(buffer_text(&before).ptr, buffer_text(&after).ptr);
    struct ff_rotate_waitpoint_hmac_secret_all_args rotate =
        FF_ARGS(rotate_waitpoint_hmac_secret_all);
    struct ff_rotate_waitpoint_hmac_secret_all_result rotated;
    rotate.new_kid = ff_text("k1");
    rotate.new_secret_hex = ff_text(SECRET);
    assert_int_equal(CALL(rotate_waitpoint_hmac_secret_all, rotate, rotated), FF_OK);
    bool repaired = cases[i].how != EMPTY_STORE; /* K-3 */
    assert_int_equal(rotated.entries.items[0].outcome,
                     repaired ? FF_outcome_noop : FF_outcome_rotated);
    values_free(rotated.memory);
    assert_int_equal(CALL(create_waitpoint, a, r), FF_OK);
    values_free(r.memory);
    buffer_fini(&before);
    buffer_fini(&after);
    teardown(NULL);
    assert_int_equal(setup(NULL), 0);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {TEST(random_unless_configured),
                                     TEST(configured),
                                     TEST(malformed),
                                     TEST(rotates_an_empty_store),
                                     TEST(installs_into_an_empty_store),
                                     TEST(damaged_secrets)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
