/*
 * SQLite store, durability: a scripted run cut at every write and sync by a simulated power loss,
 * and failing writes and syncs.
 *
 * Promise P1: what apply acknowledged is there completely after any cut; what it did not is there
 * completely or not at all. FF_SMOKE=1 samples the cut points.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test/lib/sqlite_fixture.h"
#include "test/lib/vfs_fault.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEPS = 40, REOPEN_AT = 23 };

/* What the store must hold after each number of applies, as text hashes. */
static uint64_t expected[STEPS + 1];

static uint64_t dump_hash(struct fixture *f) {
  struct buffer dump;
  buffer_init(&dump);
  enum ff_rc rc = fixture_dump(f, &dump);
  if (rc) fail_msg("dump: %s", f->error.detail);
  uint64_t hash = hash_fnv1a64(dump.ptr ? dump.ptr : "", dump.len);
  buffer_fini(&dump);
  return hash;
}

static bool smoke(void) {
  return getenv("FF_SMOKE") != NULL;
}

/* Short logs, so that the run has checkpoints and a log that starts over. */
static void shorten_log(struct fixture *f) {
  sqlite_store_of(f->store)->idle_frames = 20;
  sqlite_store_of(f->store)->hard_frames = 60;
}

/* Step i (from 0): inserts execution i, moves i-1 on, deletes i-6, counts in a setting, large
 * payloads now and then. */
static enum store_outcome run_step(struct fixture *f, uint32_t i, enum ff_rc *rc) {
  struct store_write writes[5];
  const struct event *events[2];
  uint32_t n = 0, events_count = 1;
  struct execution *x = fixture_execution(f, i, 1000 + i);
  writes[n++] = (struct store_write){STORE_INSERT, RECORD_KIND_execution, x, 0};
  events[0] = fixture_event(f, x, 1000 + i);
  if (i > 0) {
    struct execution *before = fixture_execution(f, i - 1, 999 + i);
    before->head.version = 2;
    before->eligibility_state = FF_eligibility_state_not_applicable;
    before->next_due_at = 5000 + i;
    before->claim_request_id = TEXT_LIT("again");
    writes[n++] = (struct store_write){STORE_UPDATE, RECORD_KIND_execution, before, 1};
    events[events_count++] = fixture_event(f, before, 1000 + i);
  }
  if (i >= 6) {
    struct execution *old = fixture_execution(f, i - 6, 994 + i);
    writes[n++] = (struct store_write){STORE_DELETE, RECORD_KIND_execution, old, 2};
  }
  if (i % 3 == 1) {
    struct payload *p = ARENA_NEW(&f->arena, struct payload);
    *p = (struct payload){{1, 0}, x->partition, x->id, {arena_zalloc(&f->arena, 9000), 9000}};
    writes[n++] = (struct store_write){STORE_INSERT, RECORD_KIND_payload, p, 0};
  }
  struct setting *count = ARENA_NEW(&f->arena, struct setting);
  *count = (struct setting){{i + 1, 0}, TEXT_LIT("counter"), arena_printf(&f->arena, "%u", i)};
  writes[n++] =
      (struct store_write){i ? STORE_UPDATE : STORE_INSERT, RECORD_KIND_setting, count, i};
  return fixture_apply(f, writes, n, events, events_count, rc);
}

static void idle(struct fixture *f) {
  bool more;
  f->store->vtable->idle(f->writer, &more);
}

static int record_expected(void **state) {
  (void)state;
  struct fixture f;
  fixture_init(&f);
  if (fixture_open(&f, "?synchronous=off")) return -1;
  expected[0] = dump_hash(&f);
  for (uint32_t i = 0; i < STEPS; i++) {
    enum ff_rc rc;
    if (run_step(&f, i, &rc) != STORE_APPLIED) return -1;
    expected[i + 1] = dump_hash(&f);
    arena_reset(&f.arena);
  }
  fixture_fini(&f);
  return 0;
}

/* Every cut of a run: which applies were under way or done. */
struct run {
  uint64_t started[STEPS], done[STEPS];
};

static void record_run(struct fixture *f, struct run *run) {
  vfs_power_record();
  assert_int_equal(fixture_open(f, ""), FF_OK);
  shorten_log(f);
  for (uint32_t i = 0; i < STEPS; i++) {
    enum ff_rc rc;
    run->started[i] = vfs_power_now();
    assert_int_equal(run_step(f, i, &rc), STORE_APPLIED);
    run->done[i] = vfs_power_now();
    if (i % 4 == 3) idle(f);
    if (i == REOPEN_AT) {
      fixture_close(f);
      assert_int_equal(fixture_open(f, ""), FF_OK);
      shorten_log(f);
    }
  }
  fixture_close(f);
}

/* Opens an image and compares it with what may be there: `least` applies, or any number up to
 * `most`. */
static void check_image(struct fixture *image, uint32_t least, uint32_t most, const char *what) {
  enum ff_rc rc = fixture_open(image, "?synchronous=off");
  if (rc) fail_msg("%s: cannot open: %s", what, image->error.detail);
  uint64_t hash = dump_hash(image);
  bool known = false;
  for (uint32_t i = least; i <= most; i++) known |= hash == expected[i];
  if (!known) {
    for (uint32_t i = 0; i <= STEPS; i++)
      if (hash == expected[i]) fail_msg("%s: holds %u applies, not %u to %u", what, i, least, most);
    fail_msg("%s: holds something that never was (expected %u to %u)", what, least, most);
  }
  fixture_close(image);
  char answer[256];
  fixture_sql(image, "PRAGMA integrity_check", answer, sizeof answer);
  if (strcmp(answer, "ok") != 0) fail_msg("%s: integrity: %s", what, answer);
  arena_reset(&image->arena);
}

static void check_cut(struct fixture *image, const struct run *run, uint64_t cut,
                      enum vfs_loss loss, uint64_t seed) {
  uint32_t done = 0, started = 0;
  while (done < STEPS && run->done[done] <= cut) done++;
  while (started < STEPS && run->started[started] < cut) started++;
  char what[96];
  snprintf(what, sizeof what, "cut %llu loss %d seed %llu", (unsigned long long)cut, (int)loss,
           (unsigned long long)seed);
  vfs_power_image(cut, loss, seed, image->directory);
  vfs_fault_bypass(true); /* images are read with the system's VFS */
  check_image(image, done, started > done ? started : done, what);
  vfs_fault_bypass(false);
}

static void test_every_cut_keeps_what_was_acknowledged(void **state) {
  (void)state;
  struct fixture f, image;
  struct run run;
  fixture_init(&f);
  fixture_init(&image);
  vfs_fault_install();
  record_run(&f, &run);
  uint64_t end = vfs_power_now(), step = smoke() ? 1 + end / 60 : 1, images = 0;
  for (uint64_t cut = 0; cut <= end; cut += step)
    for (int loss = 0; loss < VFS_LOSS_COUNT; loss++)
      for (uint64_t seed = 1; seed <= (loss < VFS_LOSS_TORN || smoke() ? 1 : 6); seed++, images++)
        check_cut(&image, &run, cut, (enum vfs_loss)loss, seed * 1000003 + cut);
  print_message("power loss: %llu operations, %llu images\n", (unsigned long long)end,
                (unsigned long long)images);
  vfs_fault_remove();
  fixture_fini(&image);
  fixture_fini(&f);
}

/* ---- failing operations ---- */

struct fault_run {
  enum vfs_op op;
  int code;
  bool forever;
  uint64_t nth;
};

/* Applies steps from *acknowledged on until one is not acknowledged; answers whether that one may
 * be there. */
static bool run_until_fault(struct fixture *f, uint32_t *acknowledged) {
  while (*acknowledged < STEPS) {
    enum ff_rc rc;
    enum store_outcome outcome = run_step(f, *acknowledged, &rc);
    bool hit = vfs_fault_hit();
    if (rc == FF_OK && outcome == STORE_APPLIED) {
      assert_true(!hit || vfs_fault_count(VFS_SYNC) > 0);
      ++*acknowledged;
      idle(f);
      continue;
    }
    assert_true(hit || rc != FF_OK);
    if (rc != FF_OK) return false;
    assert_int_equal(outcome, STORE_UNKNOWN);
    /* Nothing is acknowledged any more, whatever the medium does now. */
    assert_int_equal(run_step(f, *acknowledged, &rc), STORE_CONFLICT);
    assert_int_equal(rc, FF_TRANSPORT);
    return true;
  }
  return false;
}

/* Goes on after the fault on a healthy medium. What the reopened store shows is there for good. */
static uint32_t go_on(struct fixture *f, struct run *run, uint32_t acknowledged, bool maybe,
                      const char *what) {
  enum ff_rc rc = fixture_open(f, "");
  if (rc) fail_msg("%s: cannot reopen: %s", what, f->error.detail);
  shorten_log(f);
  uint64_t hash = dump_hash(f);
  if (maybe && hash == expected[acknowledged + 1]) run->done[acknowledged++] = vfs_power_now();
  else if (hash != expected[acknowledged]) fail_msg("%s: lost step %u", what, acknowledged);
  uint32_t end = acknowledged + 3 < STEPS ? acknowledged + 3 : STEPS;
  for (uint32_t i = acknowledged; i < end; i++) {
    run->started[i] = vfs_power_now();
    assert_int_equal(run_step(f, i, &rc), STORE_APPLIED);
    run->done[i] = vfs_power_now();
  }
  for (uint32_t i = end; i < STEPS; i++) run->started[i] = run->done[i] = UINT64_MAX;
  fixture_close(f);
  return end;
}

/* Fails the nth operation, closes, reopens and goes on; then cuts the power at points of that
 * second life. */
static bool run_with_fault(struct fixture *f, struct fixture *image, const struct fault_run *r) {
  uint32_t acknowledged = 0;
  struct run run = {{0}, {0}};
  char what[96];
  snprintf(what, sizeof what, "fault op %d nth %llu", (int)r->op, (unsigned long long)r->nth);
  vfs_fault_reset();
  vfs_power_record();
  assert_int_equal(fixture_open(f, ""), FF_OK);
  shorten_log(f);
  vfs_fault_fail(r->op, r->nth, r->forever, r->code);
  bool maybe = run_until_fault(f, &acknowledged);
  bool hit = vfs_fault_hit();
  fixture_close(f);
  vfs_fault_disarm();
  uint64_t reopen = vfs_power_now();
  go_on(f, &run, acknowledged, maybe, what);
  uint64_t step = 1 + (vfs_power_now() - reopen) / (smoke() ? 6 : 12);
  for (uint64_t cut = reopen + r->nth % step; cut <= vfs_power_now(); cut += step) {
    check_cut(image, &run, cut, VFS_LOSS_ALL, r->nth);
    check_cut(image, &run, cut, VFS_LOSS_TORN, r->nth);
  }
  return hit;
}

static void sweep_faults(enum vfs_op op, int code, bool forever) {
  uint64_t nth = 1, step = smoke() ? 5 : 1;
  unsigned runs = 0;
  for (bool hit = true; hit; nth += step, runs++) {
    struct fixture f, image;
    fixture_init(&f);
    fixture_init(&image);
    struct fault_run r = {op, code, forever, nth};
    hit = run_with_fault(&f, &image, &r);
    fixture_fini(&image);
    fixture_fini(&f);
  }
  assert_true(runs > 3);
  print_message("faults: op %d forever %d: %u runs\n", (int)op, forever, runs);
}

static void test_nothing_is_acknowledged_after_a_failed_sync(void **state) {
  (void)state;
  vfs_fault_install();
  sweep_faults(VFS_SYNC, SQLITE_IOERR_FSYNC, false);
  sweep_faults(VFS_SYNC, SQLITE_IOERR_FSYNC, true);
  vfs_fault_remove();
}

static void test_failed_writes_lose_nothing(void **state) {
  (void)state;
  vfs_fault_install();
  sweep_faults(VFS_WRITE, SQLITE_IOERR_WRITE, false);
  sweep_faults(VFS_WRITE, SQLITE_FULL, true);
  vfs_fault_remove();
}

int main(void) {
  /* Syncs are simulated here; in memory the images cost nothing but time. */
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_cut_keeps_what_was_acknowledged),
      cmocka_unit_test(test_nothing_is_acknowledged_after_a_failed_sync),
      cmocka_unit_test(test_failed_writes_lose_nothing),
  };
  return cmocka_run_group_tests_name("power loss", tests, record_expected, NULL);
}
