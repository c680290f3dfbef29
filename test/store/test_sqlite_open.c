/*
 * SQLite store: what opening refuses and how, who owns a file, read-only opens, in-memory forms (01
 * CP-8, CP-9; DESIGN §10).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test/lib/sqlite_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture f;

static int setup(void **state) {
  (void)state;
  fixture_init(&f);
  return 0;
}
static int teardown(void **state) {
  (void)state;
  fixture_fini(&f);
  return 0;
}

static enum ff_rc open_url(const char *url, bool dev_mode, struct ff_error *e) {
  struct store_options options = {.dev_mode = dev_mode};
  struct store *store = NULL;
  memset(e, 0, sizeof *e);
  enum ff_rc rc = store_sqlite_open(ff_text(url), &options, &store, e);
  if (!rc) store->vtable->close(store);
  return rc;
}

static void expect_refused(const char *url, enum ff_code code, const char *detail) {
  struct ff_error e;
  if (open_url(url, false, &e) == FF_OK) fail_msg("%s was opened", url);
  assert_string_equal(ff_code_name(e.code), ff_code_name(code));
  if (!strstr(e.detail, detail)) fail_msg("%s: detail is `%s`", url, e.detail);
}

static void expect_missing(const char *path) {
  struct stat st;
  if (stat(path, &st) == 0) fail_msg("%s exists", path);
}

/* ---- what the text asks for ---- */

static void test_wrong_urls_are_named(void **state) {
  (void)state;
  expect_refused("", FF_CODE_config, "path is empty");
  expect_refused("?mode=ro", FF_CODE_config, "path is empty");
  expect_refused("x.db?colour=red", FF_CODE_config, "colour");
  expect_refused("x.db?mode=fast", FF_CODE_config, "mode=fast");
  expect_refused("x.db?synchronous=FULL", FF_CODE_config, "synchronous=FULL");
  expect_refused("x.db?pool=many", FF_CODE_config, "pool=many");
  expect_refused("x.db?mode=memory", FF_CODE_config, "mode=memory");
  expect_refused("file:x.db?mode=memory_extra", FF_CODE_config, "mode=memory_extra");
  expect_missing("x.db");
}

static void test_consent_comes_before_the_path_is_touched(void **state) {
  (void)state;
  static const char *const words[] = {"", "0", "true", "01", " 1", "1 "};
  char url[256];
  snprintf(url, sizeof url, "%s?synchronous=normal", f.path);
  unsetenv("FF_DEV_MODE");
  for (size_t i = 0; i <= ARRAY_LEN(words); i++) {
    expect_refused(url, FF_CODE_requires_dev_mode, "requires FF_DEV_MODE=1");
    expect_refused(":memory:", FF_CODE_requires_dev_mode, "requires FF_DEV_MODE=1");
    expect_refused("file::memory:?cache=shared", FF_CODE_requires_dev_mode, "dev-only");
    expect_refused("file:any?mode=memory", FF_CODE_requires_dev_mode, "dev-only");
    if (i < ARRAY_LEN(words)) setenv("FF_DEV_MODE", words[i], 1);
  }
  expect_missing(f.path);
  struct ff_error e;
  assert_int_equal(open_url(":memory:", true, &e), FF_OK);
  setenv("FF_DEV_MODE", "1", 1);
  assert_int_equal(open_url(":memory:", false, &e), FF_OK);
  assert_int_equal(open_url(url, false, &e), FF_OK);
  unsetenv("FF_DEV_MODE");
  expect_missing(":memory:");
  snprintf(url, sizeof url, "file:%s?mode=rwc", f.path);
  assert_int_equal(open_url(url, false, &e), FF_OK);
}

static void test_memory_look_alikes_are_files(void **state) {
  (void)state;
  char url[256], path[256];
  struct ff_error e;
  snprintf(url, sizeof url, "file:%s/my_mode=memory_db", f.directory);
  assert_int_equal(open_url(url, false, &e), FF_OK);
  snprintf(path, sizeof path, "%s/my_mode=memory_db", f.directory);
  assert_int_equal(access(path, F_OK), 0);
  snprintf(url, sizeof url, "file:%s/a%%20b.db", f.directory);
  assert_int_equal(open_url(url, false, &e), FF_OK);
  snprintf(path, sizeof path, "%s/a b.db", f.directory);
  assert_int_equal(access(path, F_OK), 0);
}

/* ---- what is found at the path ---- */

static void test_unusable_paths_are_named(void **state) {
  (void)state;
  char url[256];
  snprintf(url, sizeof url, "%s/missing/x.db", f.directory);
  expect_refused(url, FF_CODE_transport, "/missing");
  expect_refused(f.directory, FF_CODE_transport, "not a regular file");
  snprintf(url, sizeof url, "%s?mode=ro", f.path);
  expect_refused(url, FF_CODE_transport, f.path);
  expect_missing(f.path);
  snprintf(url, sizeof url, "%s/dangling.db", f.directory);
  assert_int_equal(symlink("nowhere", url), 0);
  expect_refused(url, FF_CODE_transport, "dangling.db");
}

static void write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  for (int i = 0; i < 100; i++) assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  close(fd);
}

static void test_other_files_are_left_alone(void **state) {
  (void)state;
  write_file(f.path, "This is a diary, not a database. ");
  expect_refused(f.path, FF_CODE_corruption, f.path);
  unlink(f.path);
  char mode[32];
  fixture_sql(&f, "CREATE TABLE theirs(a);PRAGMA application_id=77", NULL, 0);
  expect_refused(f.path, FF_CODE_config, "another program");
  fixture_sql(&f, "PRAGMA journal_mode", mode, sizeof mode);
  assert_string_equal(mode, "delete");
}

static void test_new_files_are_private(void **state) {
  (void)state;
  struct stat st;
  mode_t before = umask(0);
  assert_int_equal(fixture_open(&f, ""), FF_OK);
  umask(before);
  static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
  for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
    char path[256];
    snprintf(path, sizeof path, "%s%s", f.path, suffixes[i]);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
  }
}

/* Runs the checks of `body` in a child as nobody, whom permission bits bind; answers its exit code.
 */
static int as_nobody(int (*body)(void)) {
  pid_t pid = fork();
  if (pid == 0) {
    if (getuid() == 0 && (setgid(65534) || setuid(65534))) _exit(90);
    _exit(body());
  }
  int status;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static int open_as_nobody(void) {
  struct ff_error e;
  enum ff_rc rc = open_url(f.path, false, &e);
  return rc == FF_OK                         ? 1
         : e.code != FF_CODE_store_read_only ? 2
         : !strstr(e.detail, f.path)         ? 3
                                             : 0;
}

static int read_as_nobody(void) {
  struct execution from = {.partition = 0};
  struct store_scan scan = {.index = INDEX_execution_created, .from = &from, .limit = 10};
  int64_t now;
  if (fixture_open(&f, "?mode=ro")) return 1;
  if (f.store->vtable->fetch(f.reader, &f.arena, NULL, 0, &scan, 1, &now, &f.error)) return 2;
  return scan.count == 1 ? 0 : 3;
}

static void test_read_only_places(void **state) {
  (void)state;
  assert_int_equal(fixture_open(&f, ""), FF_OK);
  fixture_insert(&f, RECORD_KIND_execution, fixture_execution(&f, 1, 1000));
  fixture_close(&f);
  assert_int_equal(chmod(f.path, 0444), 0);
  assert_int_equal(chmod(f.directory, 0777), 0);
  char lock[256];
  snprintf(lock, sizeof lock, "%s.lock", f.path);
  assert_int_equal(chmod(lock, 0666), 0);
  assert_int_equal(as_nobody(open_as_nobody), 0); /* a file that may not be written */
  assert_int_equal(chmod(f.directory, 0555), 0);
  assert_int_equal(unlink(lock), 0);
  assert_int_equal(as_nobody(open_as_nobody), 0); /* a directory where no lock file can be made */
  assert_int_equal(as_nobody(read_as_nobody), 0); /* reading needs neither */
  assert_int_equal(unlink(f.path), 0);
  assert_int_equal(as_nobody(open_as_nobody), 0); /* a directory where no file can be made */
  assert_int_equal(chmod(f.directory, 0700), 0);
}

/* ---- one owner ---- */

/* Opens in a child: 0 opened, 1 busy and the owner's pid named, else something else. */
static int open_in_child(bool exit_cleanly) {
  long owner = (long)getpid();
  pid_t pid = fork();
  if (pid == 0) {
    struct store *store;
    struct ff_error e = {0};
    char expected[32];
    snprintf(expected, sizeof expected, "process %ld ", owner);
    enum ff_rc rc = store_sqlite_open(ff_text(f.path), NULL, &store, &e);
    if (rc == FF_OK && exit_cleanly) store->vtable->close(store);
    if (rc == FF_OK && !exit_cleanly) kill(getpid(), SIGKILL);
    const char *context = ff_error_context_get(&e, "owner_pid");
    bool named = context && strtol(context, NULL, 10) == owner && strstr(e.detail, expected);
    _exit(rc == FF_OK ? 0 : e.code == FF_CODE_store_busy && named ? 1 : 2);
  }
  int status;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 9;
}

static void test_one_process_owns_a_file(void **state) {
  (void)state;
  struct ff_error e;
  char link[256];
  assert_int_equal(open_in_child(true), 0);
  assert_int_equal(fixture_open(&f, ""), FF_OK);
  assert_int_equal(open_in_child(true), 1);
  assert_int_equal(open_url(f.path, false, &e), FF_TRANSPORT);
  assert_int_equal(e.code, FF_CODE_store_busy);
  assert_non_null(strstr(e.detail, "already open in this process"));
  snprintf(link, sizeof link, "%s/other-name.db", f.directory);
  assert_int_equal(symlink("test.db", link), 0);
  assert_int_equal(open_url(link, false, &e), FF_TRANSPORT);
  assert_int_equal(e.code, FF_CODE_store_busy);
  fixture_close(&f);
  assert_int_equal(open_in_child(false), 9); /* killed while it owns the file */
  assert_int_equal(fixture_open(&f, ""), FF_OK);
}

static void test_one_writer_session(void **state) {
  (void)state;
  struct store_session *second;
  assert_int_equal(fixture_open(&f, ""), FF_OK);
  assert_int_equal(f.store->vtable->session_open(f.store, STORE_WRITER, &second, &f.error),
                   FF_TRANSPORT);
  assert_int_equal(f.error.code, FF_CODE_store_busy);
}

static void test_a_shell_in_the_way_is_busy(void **state) {
  (void)state;
  sqlite3 *shell;
  enum ff_rc rc;
  assert_int_equal(fixture_open(&f, ""), FF_OK);
  assert_int_equal(sqlite3_open(f.path, &shell), SQLITE_OK);
  assert_int_equal(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  struct store_write write = {STORE_INSERT, RECORD_KIND_execution, fixture_execution(&f, 1, 1), 0};
  fixture_apply(&f, &write, 1, NULL, 0, &rc);
  assert_int_equal(rc, FF_TRANSPORT);
  assert_int_equal(f.error.code, FF_CODE_store_busy);
  sqlite3_close(shell);
  assert_int_equal(fixture_apply(&f, &write, 1, NULL, 0, &rc), STORE_APPLIED);
}

/* In a process of its own: SQLite does not outlive a fork. */
static int read_while_owned(const char *path) {
  struct store_session *writer;
  fixture_init(&f);
  rmdir(f.directory);
  snprintf(f.path, sizeof f.path, "%s", path);
  if (fixture_open(&f, "?mode=ro")) return 1;
  if (!fixture_get(&f, RECORD_KIND_execution, fixture_execution(&f, 1, 1000))) return 2;
  if (!f.store->vtable->session_open(f.store, STORE_WRITER, &writer, &f.error)) return 3;
  if (f.error.code != FF_CODE_store_read_only) return 4;
  fixture_close(&f);
  arena_fini(&f.arena);
  return 0;
}

static void test_others_may_read(void **state) {
  (void)state;
  assert_int_equal(fixture_open(&f, ""), FF_OK);
  fixture_insert(&f, RECORD_KIND_execution, fixture_execution(&f, 1, 1000));
  pid_t pid = fork();
  if (pid == 0) _exit(execl("/proc/self/exe", "test", f.path, (char *)NULL));
  int status;
  waitpid(pid, &status, 0);
  assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : 99, 0);
  assert_int_equal(open_in_child(true), 1); /* the reader took no lock and broke none */
  fixture_insert(&f, RECORD_KIND_execution, fixture_execution(&f, 2, 1001));
}

static void test_reading_needs_a_schema(void **state) {
  (void)state;
  write_file(f.path, "");
  assert_int_equal(fixture_open(&f, "?mode=ro"), FF_UNAVAILABLE);
  assert_non_null(strstr(f.error.detail, "schema generation 0"));
}

/* ---- memory ---- */

static void open_memory(struct store **store, struct store_session **writer,
                        struct store_session **reader) {
  struct store_options options = {.dev_mode = true};
  bool applied;
  assert_int_equal(store_sqlite_open(TEXT_LIT(":memory:"), &options, store, &f.error), FF_OK);
  assert_int_equal((*store)->vtable->migrate(*store, &applied, &f.error), FF_OK);
  assert_true(applied && !(*store)->traits.durable);
  assert_int_equal((*store)->vtable->session_open(*store, STORE_WRITER, writer, &f.error), FF_OK);
  assert_int_equal((*store)->vtable->session_open(*store, STORE_READER, reader, &f.error), FF_OK);
}

static void test_memory_stores_are_apart(void **state) {
  (void)state;
  struct fixture one = f, two = f;
  arena_init(&one.arena);
  arena_init(&two.arena);
  open_memory(&one.store, &one.writer, &one.reader);
  open_memory(&two.store, &two.writer, &two.reader);
  const struct execution *x = fixture_execution(&f, 1, 1000);
  struct store_get get = {RECORD_KIND_execution, x, NULL};
  int64_t now;
  /* A writer with an open view keeps nobody from reading, and readers do not see what is not
   * applied. */
  assert_int_equal(one.store->vtable->fetch(one.writer, &f.arena, &get, 1, NULL, 0, &now, &f.error),
                   FF_OK);
  assert_null(fixture_get(&one, RECORD_KIND_execution, x));
  fixture_insert(&one, RECORD_KIND_execution, x);
  assert_non_null(fixture_get(&one, RECORD_KIND_execution, x));
  assert_null(fixture_get(&two, RECORD_KIND_execution, x));
  fixture_close(&two);
  assert_non_null(fixture_get(&one, RECORD_KIND_execution, x));
  fixture_close(&one);
  arena_fini(&one.arena);
  arena_fini(&two.arena);
}

int main(int argc, char **argv) {
  if (argc == 2 && argv[1][0] == '/') return read_while_owned(argv[1]);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_wrong_urls_are_named),
      TEST(test_consent_comes_before_the_path_is_touched),
      TEST(test_memory_look_alikes_are_files),
      TEST(test_unusable_paths_are_named),
      TEST(test_other_files_are_left_alone),
      TEST(test_new_files_are_private),
      TEST(test_read_only_places),
      TEST(test_one_process_owns_a_file),
      TEST(test_one_writer_session),
      TEST(test_a_shell_in_the_way_is_busy),
      TEST(test_others_may_read),
      TEST(test_reading_needs_a_schema),
      TEST(test_memory_stores_are_apart),
  };
  return cmocka_run_group_tests_name("sqlite open", tests, NULL, NULL);
}
