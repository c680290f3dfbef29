/*
 * SQLite store: the writer's cache answers what the file holds, whatever was applied, refused,
 * undone or edited behind its back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test/lib/sqlite_fixture.h"

#include <stdlib.h>

enum { NUMBERS = 60 };

static struct fixture f;
static uint64_t seed;

static int setup(void **state) {
  (void)state;
  fixture_init(&f);
  return fixture_open(&f, "?synchronous=off") == FF_OK ? 0 : -1;
}
static int teardown(void **state) {
  (void)state;
  fixture_fini(&f);
  return 0;
}

static uint32_t dice(uint32_t sides) {
  seed = hash_mix64(seed);
  return (uint32_t)(seed % sides);
}

static struct execution *key_of(uint32_t number) {
  return fixture_execution(&f, number, 1000 + number / 2);
}

/* A record that differs from call to call in what is cached in different ways: texts, cold fields,
 * size. */
static struct execution *changed(uint32_t number, uint64_t version, uint64_t row) {
  static const uint32_t sizes[] = {0, 5, 300, 20000};
  struct execution *x = key_of(number);
  x->head = (struct record_head){version, row};
  size_t size = sizes[dice(4)];
  x->result = size || dice(2) ? (struct ff_bytes){arena_zalloc(&f.arena, size + 1), size}
                              : (struct ff_bytes){NULL, 0};
  x->idempotency_key = dice(2) ? TEXT_LIT("key") : (struct ff_str){NULL, 0};
  x->retry_count = dice(3);
  x->worker_id =
      dice(2) ? arena_printf(&f.arena, "worker %u", dice(1000)) : (struct ff_str){NULL, 0};
  x->next_due_at = dice(3) * 1000;
  x->priority = (int32_t)dice(4);
  x->eligibility_state = (uint8_t)dice(3);
  return x;
}

static const struct execution *fetched(struct store_session *session, uint32_t number) {
  struct store_get get = {RECORD_KIND_execution, key_of(number), NULL};
  int64_t now;
  assert_int_equal(f.store->vtable->fetch(session, &f.arena, &get, 1, NULL, 0, &now, &f.error),
                   FF_OK);
  return get.record;
}

static void scan(struct store_session *session, enum index_id index, uint32_t limit,
                 struct store_scan *out) {
  static const struct execution from = {.lane_id = {"lane", 4}, .required_capabilities = {"", 0}};
  int64_t now;
  *out = (struct store_scan){.index = index, .from = &from, .limit = limit};
  assert_int_equal(f.store->vtable->fetch(session, &f.arena, NULL, 0, out, 1, &now, &f.error),
                   FF_OK);
}

static void expect_same(const struct execution *a, const struct execution *b) {
  assert_true((a == NULL) == (b == NULL));
  if (!a) return;
  assert_true(record_equal(RECORD_KIND_execution, a, b));
  assert_int_equal(a->head.version, b->head.version);
}

static void expect_same_scan(enum index_id index) {
  struct store_scan a, b;
  uint32_t limit = 1 + dice(NUMBERS + 5);
  scan(f.writer, index, limit, &a);
  scan(f.reader, index, limit, &b);
  assert_int_equal(a.count, b.count);
  assert_int_equal(a.complete, b.complete);
  for (uint32_t i = 0; i < a.count; i++) expect_same(a.records[i], b.records[i]);
}

static void expect_same_views(void) {
  for (uint32_t i = 0; i < NUMBERS; i++) expect_same(fetched(f.writer, i), fetched(f.reader, i));
  expect_same_scan(INDEX_execution_eligible);
  expect_same_scan(INDEX_execution_due);
  expect_same_scan(INDEX_execution_created);
}

/* One write of a random kind; wrong on purpose now and then, so that the group is refused. */
static struct store_write random_write(uint32_t number) {
  const struct execution *old = fetched(f.writer, number);
  if (dice(40) == 0) old = NULL;
  if (!old)
    return (struct store_write){STORE_INSERT, RECORD_KIND_execution, changed(number, 1, 0), 0};
  uint64_t version = old->head.version, row = dice(8) ? old->head.store_row : 0;
  if (dice(40) == 0) version++;
  if (dice(4) == 0)
    return (struct store_write){STORE_DELETE, RECORD_KIND_execution, changed(number, version, row),
                                version};
  return (struct store_write){STORE_UPDATE, RECORD_KIND_execution,
                              changed(number, version + 1, row), version};
}

static void apply_random_groups(void) {
  struct store_write writes[2][20];
  struct store_group groups[2];
  uint32_t count = 1 + dice(2), number = dice(NUMBERS);
  for (uint32_t g = 0; g < count; g++) {
    uint32_t n = 1 + dice(20);
    for (uint32_t i = 0; i < n; i++, number++) writes[g][i] = random_write(number % NUMBERS);
    groups[g] = (struct store_group){
        .writes = writes[g], .write_count = n, .valid_until = dice(30) ? INT64_MAX : 0};
  }
  assert_int_equal(f.store->vtable->apply(f.writer, groups, dice(30) ? count : 0, &f.error), FF_OK);
}

static void test_the_cache_is_the_file(void **state) {
  (void)state;
  for (uint64_t run = 0; run < 20; run++) {
    seed = run;
    for (int i = 0; i < 40; i++) {
      apply_random_groups();
      expect_same_views();
      struct store_group none = {.valid_until = INT64_MAX};
      assert_int_equal(f.store->vtable->apply(f.writer, &none, 0, &f.error), FF_OK);
      if (dice(10) == 0)
        fixture_sql(&f,
                    "UPDATE execution SET priority=priority+1 WHERE row%3=0;DELETE FROM execution "
                    "WHERE row%7=0",
                    NULL, 0);
      arena_reset(&f.arena);
    }
  }
}

/* More than both generations hold: everything is forgotten in time, and nothing is answered wrong.
 */
static void test_more_than_fits(void **state) {
  (void)state;
  for (uint32_t round = 0; round < 2; round++)
    for (uint32_t i = 0; i < 9000; i += 100) {
      struct store_write writes[100];
      for (uint32_t k = 0; k < 100; k++) {
        struct execution *x = changed(i + k, round + 1, 0);
        x->result.len = x->result.len > 300 ? 300 : x->result.len;
        writes[k] = (struct store_write){round ? STORE_UPDATE : STORE_INSERT, RECORD_KIND_execution,
                                         x, round};
      }
      enum ff_rc rc;
      assert_int_equal(fixture_apply(&f, writes, 100, NULL, 0, &rc), STORE_APPLIED);
      uint32_t any = dice(i + 100);
      expect_same(fetched(f.writer, any), fetched(f.reader, any));
      arena_reset(&f.arena);
    }
}

static struct ff_str setting_value(void) {
  struct setting key = {.name = TEXT_LIT("name")};
  struct store_get get = {RECORD_KIND_setting, &key, NULL};
  int64_t now;
  assert_int_equal(f.store->vtable->fetch(f.writer, &f.arena, &get, 1, NULL, 0, &now, &f.error),
                   FF_OK);
  struct store_group none = {.valid_until = INT64_MAX};
  assert_int_equal(f.store->vtable->apply(f.writer, &none, 0, &f.error), FF_OK);
  return get.record ? ((const struct setting *)get.record)->value : (struct ff_str){NULL, 0};
}

/* Lanes, requirement sets and settings are remembered when they are read, too. */
static void test_what_was_read_is_forgotten_when_it_changes(void **state) {
  (void)state;
  assert_null(setting_value().ptr);
  struct setting s = {{1, 0}, TEXT_LIT("name"), TEXT_LIT("one")};
  fixture_insert(&f, RECORD_KIND_setting, &s);
  assert_true(text_equal_c(setting_value(), "one"));
  for (int i = 0; i < 2; i++) {
    fixture_sql(&f, i ? "UPDATE setting SET value='three'" : "UPDATE setting SET value='two'", NULL,
                0);
    assert_true(text_equal_c(setting_value(), i ? "three" : "two")); /* read from the file */
    assert_true(text_equal_c(setting_value(), i ? "three" : "two")); /* remembered */
  }
  s.head.version = 2;
  s.value = TEXT_LIT("four");
  struct store_write write = {STORE_UPDATE, RECORD_KIND_setting, &s, 1};
  enum ff_rc rc;
  assert_int_equal(fixture_apply(&f, &write, 1, NULL, 0, &rc), STORE_APPLIED);
  assert_true(text_equal_c(setting_value(), "four"));
  write = (struct store_write){STORE_DELETE, RECORD_KIND_setting, &s, 2};
  assert_int_equal(fixture_apply(&f, &write, 1, NULL, 0, &rc), STORE_APPLIED);
  assert_null(setting_value().ptr);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {TEST(test_the_cache_is_the_file), TEST(test_more_than_fits),
                                     TEST(test_what_was_read_is_forgotten_when_it_changes)};
  return cmocka_run_group_tests_name("sqlite cache", tests, NULL, NULL);
}
