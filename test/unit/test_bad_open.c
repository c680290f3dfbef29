/*
 * ff_open: everything that can be wrong with a URL, an option, the environment or a file is a typed
 * error that names it and leaves the file as it was; and opening twice is opening once (01 CP-8,
 * CP-9, PT-4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/unit/bad_files.h"
#include "test/unit/bad_world.h"

#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct bad_files files;
static struct ff_error error;

static int setup(void **state) {
  (void)state;
  bad_files_init(&files);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  bad_files_fini(&files);
  return 0;
}

static struct ff_open_options silent(void) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  options.no_scanners = true;
  options.log = bad_quiet;
  return options;
}

static enum ff_rc try_open(const char *url, const struct ff_open_options *options) {
  struct ff_engine *engine = (void *)&files;
  struct ff_open_options defaults = silent();
  memset(&error, 0, sizeof error);
  enum ff_rc rc = ff_open(url, options ? options : &defaults, &engine, &error);
  if (rc == FF_OK) {
    ff_close(engine);
    return rc;
  }
  assert_null(engine);
  assert_int_equal(error.rc, rc);
  assert_int_equal(ff_code_family(error.code), rc);
  assert_true(error.detail[0] && text_is_utf8(ff_text(error.detail)));
  assert_int_equal(ff_open(url, options ? options : &defaults, &engine, NULL), rc);
  return rc;
}

static void refused(const char *url, enum ff_code code, const char *cause) {
  if (try_open(url, NULL) == FF_OK) fail_msg("%s opens", url);
  if (error.code != code || !strstr(error.detail, cause))
    fail_msg("%s: %s: %s", url, ff_code_name(error.code), error.detail);
}

/* ---- URLs ---- */

static void unknown_schemes(void **state) {
  (void)state;
  static const char *const urls[] = {"nonsense",           "mysql://host",  "SQLITE:x.db",
                                     "mongodb://u:p@h/d", "ftp://h",
                                     ":memory:",           "/tmp/x.db"};
  for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
    refused(urls[i], FF_CODE_config, "accepted are memory:");
    assert_string_equal(error.field, "url");
    assert_null(strstr(error.detail, "u:p")); /* a password is never shown */
  }
  char *url = calloc(1, PATH_MAX + 100);
  memcpy(url, "sqlite:", 7);
  memset(url + 7, 'x', PATH_MAX + 50);
  refused(url, FF_CODE_config, "longer than");
  free(url);
}

static void unknown_parameters(void **state) {
  (void)state;
  static const struct {
    const char *query, *cause;
  } bad[] = {{"?nonsense=1", "unknown parameter `nonsense`"},
             {"?mode=ro&cache=shared", "unknown parameter `cache`"},
             {"?MODE=ro", "unknown parameter `MODE`"},
             {"?mode=rox", "mode=rox: must be"},
             {"?mode", "mode=: must be"},
             {"?synchronous=extra", "synchronous=extra: must be"},
             {"?pool=65", "pool=65: must be"},
             {"?pool=-1", "pool=-1: must be"},
             {"?pool=", "pool=: must be"}};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    refused(bad_url(&files, "new.db", bad[i].query), FF_CODE_config, bad[i].cause);
  assert_false(bad_exists(&files, "new.db")); /* a refused configuration leaves no trace */
  refused("sqlite:", FF_CODE_config, "the path is empty");
  refused("sqlite:?mode=ro", FF_CODE_config, "the path is empty");
  refused("memory:x?mode=ro", FF_CODE_config, "takes no parameters");
}

/* ---- files ---- */

static void missing_places(void **state) {
  (void)state;
  refused(bad_url(&files, "none/new.db", ""), FF_CODE_transport, "/none");
  refused(bad_url(&files, "none.db", "?mode=ro"), FF_CODE_transport, "none.db");
  assert_false(bad_exists(&files, "none.db"));
  bad_write(&files, "file", "x", 1);
  refused(bad_url(&files, "file/new.db", ""), FF_CODE_transport, "/file");
  refused(bad_url(&files, ".", ""), FF_CODE_transport, files.directory);
  assert_int_equal(symlink("nowhere/at/all", bad_path(&files, "dangling.db")), 0);
  assert_int_not_equal(try_open(bad_url(&files, "dangling.db", ""), NULL), FF_OK);
}

static void not_a_database(void **state) {
  (void)state;
  static char page[8192];
  memset(page, 'x', sizeof page);
  bad_write(&files, "text.db", page, sizeof page);
  refused(bad_url(&files, "text.db", ""), FF_CODE_corruption, "text.db");
  refused(bad_url(&files, "text.db", "?mode=ro"), FF_CODE_corruption, "text.db");
  bad_assert_content(&files, "text.db", page, sizeof page);
  bad_write(&files, "short.db", page, 100);
  refused(bad_url(&files, "short.db", ""), FF_CODE_corruption, "short.db");
  bad_assert_content(&files, "short.db", page, 100);
  bad_sql(&files, "other.db", "CREATE TABLE mine(x); INSERT INTO mine VALUES(7)");
  refused(bad_url(&files, "other.db", ""), FF_CODE_config, "of another program");
  bad_sql(&files, "other.db", "PRAGMA application_id=77");
  refused(bad_url(&files, "other.db", "?mode=ro"), FF_CODE_config, "of another program");
}

/* Cut anywhere: refused or read as far as it goes, never a crash. */
static void cut_files(void **state) {
  (void)state;
  bad_template(&files, "whole.db");
  size_t size;
  char *whole = bad_read(&files, "whole.db", &size);
  for (size_t keep = 0; keep < size; keep += keep < 200 ? 33 : 4000) {
    bad_write(&files, "cut.db", whole, keep);
    enum ff_rc rc = try_open(bad_url(&files, "cut.db", ""), NULL);
    if (rc == FF_OK && keep) print_message("opens when cut to %zu of %zu\n", keep, size);
    assert_true(rc == FF_OK || error.code == FF_CODE_corruption);
    bad_remove(&files, "cut.db");
  }
  free(whole);
}

static void newer_schema(void **state) {
  (void)state;
  size_t size, size_after;
  bad_template(&files, "new.db");
  bad_sql(&files, "new.db", "UPDATE meta SET value=4711 WHERE name='schema_generation'");
  char *before = bad_read(&files, "new.db", &size);
  static const char *const queries[] = {"", "?mode=ro"};
  for (int i = 0; i < 2; i++) {
    refused(bad_url(&files, "new.db", queries[i]), FF_CODE_schema_too_new, "4711");
    assert_string_equal(ff_error_context_get(&error, "stored"), "4711");
    assert_non_null(ff_error_context_get(&error, "known"));
  }
  char *after = bad_read(&files, "new.db", &size_after);
  assert_int_equal(size, size_after);
  assert_memory_equal(before, after, size);
  free(before);
  free(after);
}

/* Runs a check as a user who may not do everything. False when that cannot be done here. */
static bool as_nobody(void (*check)(void)) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(77);
    check();
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return false;
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  return true;
}

/* Exit codes tell the parent which expectation broke. */
static void read_only_places(void) {
  struct ff_engine *engine;
  struct ff_open_options options = silent();
  if (ff_open(bad_url(&files, "kept.db", ""), &options, &engine, &error) == FF_OK) _exit(1);
  if (error.code != FF_CODE_store_read_only || !strstr(error.detail, "kept.db")) _exit(2);
  if (ff_open(bad_url(&files, "new.db", ""), &options, &engine, &error) == FF_OK) _exit(3);
  if (error.code != FF_CODE_store_read_only || !strstr(error.detail, "new.db")) _exit(4);
  if (ff_open(bad_url(&files, "kept.db", "?mode=ro"), &options, &engine, &error) != FF_OK) {
    fprintf(stderr, "mode=ro: %s: %s\n", ff_code_name(error.code), error.detail);
    _exit(5);
  }
  ff_close(engine);
}

static void read_only_files(void **state) {
  (void)state;
  bad_template(&files, "kept.db");
  assert_int_equal(chmod(bad_path(&files, "kept.db"), 0444), 0);
  assert_int_equal(chmod(files.directory, 0555), 0);
  bool done = as_nobody(read_only_places);
  assert_int_equal(chmod(files.directory, 0700), 0);
  if (!done) print_message("SKIP: the user cannot be changed here\n");
}

static void writes_to_a_reader(void **state) {
  (void)state;
  size_t count;
  const struct ff_operation *operations = ff_operations(&count);
  bad_template(&files, "kept.db");
  struct ff_open_options options = silent();
  struct ff_engine *engine;
  assert_int_equal(ff_open(bad_url(&files, "kept.db", "?mode=ro"), &options, &engine, &error),
                   FF_OK);
  for (size_t i = 0; i < count; i++) {
    static uint8_t args[2048], result[2048];
    enum ff_operation_class class_ = operations[i].class_;
    memset(args, 0, sizeof args);
    memcpy(args, &operations[i].args->size, 4);
    enum ff_rc rc = ff_call(engine, &operations[i], args, result, &error);
    if (rc == FF_OK) ff_clear(result);
    if (class_ == FF_OPERATION_WRITE || class_ == FF_OPERATION_COMPOSITE)
      assert_int_equal(rc == FF_OK ? 0 : error.code, FF_CODE_store_read_only);
    else
      assert_true(rc == FF_OK || rc == FF_VALIDATION || error.code == FF_CODE_store_read_only);
  }
  ff_close(engine);
}

/* ---- owners ---- */

/* Opens the file in another process, which holds it until killed. */
static pid_t own_elsewhere(const char *url) {
  int tell[2];
  char ok = 0;
  assert_int_equal(pipe(tell), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct ff_engine *engine;
    struct ff_open_options options = silent();
    ok = ff_open(url, &options, &engine, &error) == FF_OK ? 'y' : 'n';
    if (write(tell[1], &ok, 1) != 1) _exit(1);
    for (;;) pause();
  }
  close(tell[1]);
  assert_int_equal(read(tell[0], &ok, 1), 1);
  close(tell[0]);
  assert_int_equal(ok, 'y');
  return child;
}

static void another_process_owns_it(void **state) {
  (void)state;
  bad_template(&files, "owned.db");
  char url[PATH_MAX + 32], reader[PATH_MAX + 32], pid[24];
  snprintf(url, sizeof url, "%s", bad_url(&files, "owned.db", ""));
  snprintf(reader, sizeof reader, "%s", bad_url(&files, "owned.db", "?mode=ro"));
  pid_t owner = own_elsewhere(url);
  snprintf(pid, sizeof pid, "%d", (int)owner);
  refused(url, FF_CODE_store_busy, pid);
  assert_string_equal(ff_error_context_get(&error, "owner_pid"), pid);
  assert_non_null(strstr(error.detail, "owned.db"));
  assert_int_equal(try_open(reader, NULL), FF_OK); /* reading is free */
  kill(owner, SIGKILL);
  assert_int_equal(waitpid(owner, NULL, 0), owner);
  assert_int_equal(try_open(url, NULL), FF_OK); /* a dead owner owns nothing */
}

/* ---- consent: 01 CP-8 ---- */

static void only_exactly_1_is_consent(void **state) {
  (void)state;
  static const char *const guarded[] = {"sqlite::memory:", "sqlite:file::memory:?cache=shared",
                                        "sqlite:file:x?mode=memory"};
  static const char *const no[] = {NULL, "", "0", "true", "01", " 1", "1 ", "yes"};
  char normal[PATH_MAX + 32], off[PATH_MAX + 32];
  snprintf(normal, sizeof normal, "%s", bad_url(&files, "fast.db", "?synchronous=normal"));
  snprintf(off, sizeof off, "%s", bad_url(&files, "fast.db", "?synchronous=off"));
  for (size_t i = 0; i < ARRAY_LEN(no); i++) {
    if (no[i])
      setenv("FF_DEV_MODE", no[i], 1);
    else
      unsetenv("FF_DEV_MODE");
    for (size_t k = 0; k < ARRAY_LEN(guarded); k++)
      refused(guarded[k], FF_CODE_requires_dev_mode, "requires FF_DEV_MODE=1");
    refused(normal, FF_CODE_requires_dev_mode, "synchronous=normal");
    refused(off, FF_CODE_requires_dev_mode, "synchronous=off");
  }
  assert_false(bad_exists(&files, "fast.db"));
  setenv("FF_DEV_MODE", "1", 1);
  for (size_t k = 0; k < ARRAY_LEN(guarded); k++)
    assert_int_equal(try_open(guarded[k], NULL), FF_OK);
  assert_int_equal(try_open(normal, NULL), FF_OK);
  unsetenv("FF_DEV_MODE");
  struct ff_open_options options = silent();
  options.dev_mode = true;
  assert_int_equal(try_open(off, &options), FF_OK);
  assert_int_equal(try_open(guarded[0], &options), FF_OK);
  /* A file at full durability needs no consent, whatever its name is. */
  assert_int_equal(try_open(bad_url(&files, ":memory:.db", ""), NULL), FF_OK);
  assert_int_equal(try_open(bad_file_url(&files, "my_mode=memory_db", ""), NULL), FF_OK);
  assert_true(bad_exists(&files, "my_mode=memory_db"));
}

/* ---- options and environment ---- */

static void option_refused(const struct ff_open_options *options, const char *field) {
  assert_int_equal(try_open("memory:bad_open", options), FF_CONFIG);
  assert_string_equal(error.field, field);
}

static void bad_options(void **state) {
  (void)state;
  struct ff_open_options options = silent();
  options.flow_partitions = 65536;
  option_refused(&options, "flow_partitions");
  options = silent();
  options.retention_ms = -1;
  option_refused(&options, "retention_ms");
  options = silent();
  options.event_retention_ms = INT64_MIN;
  option_refused(&options, "event_retention_ms");
  options = silent();
  options.auto_reclaim_delay_ms = -2;
  option_refused(&options, "auto_reclaim_delay_ms");
}

static void largest_options(void **state) {
  (void)state;
  struct ff_open_options options = silent();
  options.flow_partitions = 65535;
  options.retention_ms = options.event_retention_ms = options.auto_reclaim_delay_ms = INT64_MAX;
  options.max_payload_bytes = UINT64_MAX;
  options.inbox_limit = options.batch_limit = options.async_limit = UINT32_MAX;
  options.async_bytes_limit = UINT64_MAX;
  options.seed = UINT64_MAX;
  struct ff_engine *engine;
  assert_int_equal(ff_open("memory:bad_open", &options, &engine, &error), FF_OK);
  bad_create(engine, BAD_ID("01"));
  (void)bad_claim(engine);
  ff_close(engine);
  options.inbox_limit = options.batch_limit = 1;
  assert_int_equal(try_open("memory:bad_open", &options), FF_OK);
}

static void bad_environment(void **state) {
  (void)state;
  static const struct {
    const char *name, *value;
  } bad[] = {{"FF_FLOW_PARTITIONS", "0"},
             {"FF_FLOW_PARTITIONS", "65536"},
             {"FF_FLOW_PARTITIONS", "256x"},
             {"FF_FLOW_PARTITIONS", " 256"},
             {"FF_OUTBOX_RETENTION_MS", "-1"},
             {"FF_OUTBOX_RETENTION_MS", "1d"},
             {"FF_AUTO_RECLAIM_DELAY_MS", "never"},
             {"FF_AUTO_RECLAIM_DELAY_MS", "-1"},
             {"FF_LEASE_RENEWED_EVENTS", "maybe"},
             {"FF_LEASE_RENEWED_EVENTS", "ON"},
             {"FF_LANES", "a,b\tc"},
             {"FF_LANES", "l\xc3\xa4ne"}};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    setenv(bad[i].name, bad[i].value, 1);
    assert_int_equal(try_open("memory:bad_open", NULL), FF_CONFIG);
    assert_string_equal(error.field, bad[i].name);
    unsetenv(bad[i].name);
  }
}

static void nowhere_to_put_the_default_file(void **state) {
  (void)state;
  static const char *const names[] = {"FF_DATA_DIR", "XDG_STATE_HOME", "HOME"};
  char *saved[3];
  for (int i = 0; i < 3; i++) {
    const char *value = getenv(names[i]);
    saved[i] = value ? strdup(value) : NULL;
    unsetenv(names[i]);
  }
  refused(NULL, FF_CODE_config, "FF_DATA_DIR");
  refused("", FF_CODE_config, "FF_DATA_DIR");
  bad_write(&files, "file", "x", 1);
  setenv("FF_DATA_DIR", bad_path(&files, "file"), 1);
  refused(NULL, FF_CODE_transport, "/file");
  setenv("FF_DATA_DIR", bad_path(&files, "a/b"), 1);
  assert_int_equal(try_open(NULL, NULL), FF_OK);
  assert_true(bad_exists(&files, "a/b/flowfabric.db"));
  struct stat st;
  assert_int_equal(stat(bad_path(&files, "a/b"), &st), 0);
  assert_int_equal(st.st_mode & 0777, 0700);
  assert_int_equal(stat(bad_path(&files, "a/b/flowfabric.db"), &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  for (int i = 0; i < 3; i++) {
    if (saved[i])
      setenv(names[i], saved[i], 1);
    else
      unsetenv(names[i]);
    free(saved[i]);
  }
}

/* 01 PT-4 */
static void other_partition_counts(void **state) {
  (void)state;
  char url[PATH_MAX + 32];
  snprintf(url, sizeof url, "%s", bad_url(&files, "counts.db", ""));
  struct ff_open_options options = silent();
  options.flow_partitions = 128;
  assert_int_equal(try_open(url, &options), FF_OK);
  options.flow_partitions = 256;
  assert_int_equal(try_open(url, &options), FF_VALIDATION);
  assert_int_equal(error.code, FF_CODE_corruption);
  assert_non_null(strstr(error.detail, "partition_mismatch: num_flow_partitions"));
  assert_non_null(strstr(error.detail, "stored=128, config=256"));
  setenv("FF_FLOW_PARTITIONS", "64", 1);
  refused(url, FF_CODE_corruption, "stored=128, config=64");
  unsetenv("FF_FLOW_PARTITIONS");
  assert_int_equal(try_open(url, NULL), FF_OK); /* who asks for nothing gets what is stored */
  struct ff_engine *holder;
  assert_int_equal(ff_open(url, NULL, &holder, &error), FF_OK);
  assert_int_equal(try_open(url, &options), FF_VALIDATION); /* also while it is open */
  assert_non_null(strstr(error.detail, "stored=128, config=256"));
  ff_close(holder);
  assert_int_equal(try_open(bad_url(&files, "counts.db", "?mode=ro"), &options), FF_VALIDATION);
  assert_non_null(strstr(error.detail, "stored=128, config=256"));
}

/* ---- opening twice: 01 CP-9 ---- */

static bool exists(struct ff_engine *engine, const char *id) {
  struct ff_read_execution_state_args args = FF_ARGS(read_execution_state);
  struct ff_read_execution_state_result result;
  args.execution_id = ff_text(id);
  assert_int_equal(ff_read_execution_state(engine, &args, &result, &error), FF_OK);
  bool found = result.outcome == FF_outcome_ok;
  ff_clear(&result);
  return found;
}

static struct ff_engine *opened(const char *url) {
  struct ff_engine *engine = NULL;
  struct ff_open_options options = silent();
  options.dev_mode = true;
  if (ff_open(url, &options, &engine, &error) != FF_OK) fail_msg("%s: %s", url, error.detail);
  return engine;
}

static void assert_shared(const char *first, const char *second) {
  struct ff_engine *a = opened(first), *b = opened(second);
  bad_create(a, BAD_ID("01"));
  assert_true(exists(b, BAD_ID("01")));
  ff_close(a);
  assert_true(exists(b, BAD_ID("01"))); /* closing one never disturbs the other */
  bad_create(b, BAD_ID("02"));
  ff_close(b);
}

static void one_store_however_named(void **state) {
  (void)state;
  char url[PATH_MAX + 32], link_url[PATH_MAX + 32], other[PATH_MAX + 32];
  snprintf(url, sizeof url, "%s", bad_url(&files, "twice.db", ""));
  snprintf(other, sizeof other, "%s", bad_url(&files, "./twice.db", ""));
  assert_int_equal(symlink("twice.db", bad_path(&files, "link.db")), 0);
  snprintf(link_url, sizeof link_url, "%s", bad_url(&files, "link.db", ""));
  assert_shared(url, url);
  bad_remove(&files, "twice.db");
  assert_shared(url, other);
  bad_remove(&files, "twice.db");
  assert_shared(bad_file_url(&files, "twice.db", ""), url);
  bad_remove(&files, "twice.db");
  refused(link_url, FF_CODE_transport, "link.db"); /* a new file is not made behind a link */
  assert_int_equal(try_open(url, NULL), FF_OK);
  assert_shared(link_url, url);
  assert_shared("memory:", "memory:");
  assert_shared("memory:a", "memory:a");
  assert_shared("sqlite::memory:", "sqlite::memory:");
  assert_shared("sqlite::memory:", "sqlite:file::memory:?cache=shared");
}

static void other_names_are_other_stores(void **state) {
  (void)state;
  static const char *const pairs[][2] = {{"memory:a", "memory:b"},
                                         {"memory:", "memory:a"},
                                         {"sqlite::memory:", "memory:"},
                                         {"sqlite::memory:", "sqlite:file:other?mode=memory"}};
  for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
    struct ff_engine *a = opened(pairs[i][0]), *b = opened(pairs[i][1]);
    bad_create(a, BAD_ID("01"));
    if (exists(b, BAD_ID("01"))) fail_msg("%s is %s", pairs[i][0], pairs[i][1]);
    ff_close(a);
    a = opened(pairs[i][0]);
    assert_false(exists(a, BAD_ID("01"))); /* gone with its last holder */
    ff_close(a);
    ff_close(b);
  }
}

static void a_reader_beside_the_owner(void **state) {
  (void)state;
  char url[PATH_MAX + 32];
  snprintf(url, sizeof url, "%s", bad_url(&files, "twice.db", ""));
  struct ff_engine *owner = opened(url), *reader = opened(bad_url(&files, "twice.db", "?mode=ro"));
  bad_create(owner, BAD_ID("01"));
  assert_true(exists(reader, BAD_ID("01")));
  ff_close(owner);
  assert_true(exists(reader, BAD_ID("01")));
  ff_close(reader);
}

/* The parameter counts, not its letters somewhere in the path. */
static void a_path_that_looks_like_a_parameter(void **state) {
  (void)state;
  struct ff_engine *engine = opened(bad_url(&files, "mode=ro.db", ""));
  bad_create(engine, BAD_ID("01"));
  ff_close(engine);
  engine = opened(bad_url(&files, "mode=ro.db", "?mode=rw"));
  bad_create(engine, BAD_ID("02"));
  ff_close(engine);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {TEST(unknown_schemes),
                                     TEST(unknown_parameters),
                                     TEST(missing_places),
                                     TEST(not_a_database),
                                     TEST(cut_files),
                                     TEST(newer_schema),
                                     TEST(read_only_files),
                                     TEST(writes_to_a_reader),
                                     TEST(another_process_owns_it),
                                     TEST(only_exactly_1_is_consent),
                                     TEST(bad_options),
                                     TEST(largest_options),
                                     TEST(bad_environment),
                                     TEST(nowhere_to_put_the_default_file),
                                     TEST(other_partition_counts),
                                     TEST(one_store_however_named),
                                     TEST(other_names_are_other_stores),
                                     TEST(a_reader_beside_the_owner),
                                     TEST(a_path_that_looks_like_a_parameter)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
