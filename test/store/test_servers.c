/*
 * The private servers of the tests: they answer, keep their data through SIGKILL, and end with whoever started them.
 */
#include "test/lib/servers.h"

#include "base/base.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void start(struct server *s, enum server_kind kind) {
  if (!server_installed(kind)) {
    if (server_missing(kind) == SERVER_SKIP) skip();
    fail_msg("%s is missing", server_name(kind));
  }
  if (!server_start(s, kind)) fail_msg("%s", s->reason);
}

/* The first column psql prints for a statement must be `want`. */
static void sql(const struct server *s, const char *statement, const char *want) {
  char command[1024], line[128] = "";
  snprintf(command, sizeof command, "psql '%s' -v ON_ERROR_STOP=1 -qAtc '%s'", s->url, statement);
  FILE *out = popen(command, "r");
  assert_non_null(out);
  if (fgets(line, sizeof line, out)) line[strcspn(line, "\n")] = 0;
  assert_int_equal(pclose(out), 0);
  assert_string_equal(line, want);
}

static void postgres_answers_and_survives_sigkill(void **state) {
  (void)state;
  struct server s;
  struct stat st;
  char directory[512];
  start(&s, SERVER_POSTGRES);
  memcpy(directory, s.directory, sizeof directory);
  sql(&s, "create table t (v int); insert into t values (7) returning v", "7");
  server_signal(&s, 0, SIGKILL);
  assert_true(server_restart(&s, 0));
  sql(&s, "select v from t", "7");
  sql(&s, "show fsync", "off");
  sql(&s, "show synchronous_commit", "on");
  server_stop(&s);
  assert_int_equal(stat(directory, &st), -1);
}

static void valkey_keeps(enum server_kind kind) {
  struct server s;
  start(&s, kind);
  assert_true(server_ask(&s, 0, "SET k v\r\n", "+OK\r\n+OK"));
  server_signal(&s, 0, SIGKILL);
  assert_false(server_ask(&s, 0, "GET k\r\n", "$1\r\nv"));
  assert_true(server_restart(&s, 0));
  assert_true(server_ask(&s, 0, "GET k\r\n", "$1\r\nv"));
  server_stop(&s);
}

static void valkey_answers_and_survives_sigkill(void **state) {
  (void)state;
  valkey_keeps(SERVER_VALKEY);
}

static void redis_answers_and_survives_sigkill(void **state) {
  (void)state;
  valkey_keeps(SERVER_REDIS);
}

static void a_cluster_has_three_masters_and_serves_all_slots(void **state) {
  (void)state;
  struct server s;
  uint32_t masters = 0;
  start(&s, SERVER_CLUSTER);
  for (uint32_t i = 0; i < s.node_count; i++) {
    assert_true(server_ask(&s, i, "CLUSTER INFO\r\n", "cluster_slots_ok:16384"));
    masters += server_ask(&s, i, "ROLE\r\n", "$6\r\nmaster");
  }
  assert_int_equal(masters, 3);
  server_stop(&s);
}

static void a_server_ends_with_the_process_that_started_it(void **state) {
  (void)state;
  for (int kind = 0; kind < SERVER_CLUSTER; kind++) {
    int pipe_fd[2];
    struct server s;
    if (!server_installed(kind)) continue;
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t child = fork();
    if (child == 0) {
      bool ok = server_start(&s, kind);
      if (write(pipe_fd[1], &s, sizeof s) != sizeof s || !ok) _exit(1);
      raise(SIGKILL);
    }
    assert_int_equal(read(pipe_fd[0], &s, sizeof s), sizeof s);
    waitpid(child, NULL, 0);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    int64_t until = clock_monotonic_us() + 60000000;
    while (kill(s.pid[0], 0) == 0 && clock_monotonic_us() < until) usleep(10000);
    assert_int_equal(kill(s.pid[0], 0), -1);
    assert_int_equal(errno, ESRCH);
    s.pid[0] = 0;
    server_stop(&s); /* its data */
  }
}

static void a_missing_server_fails_in_ci_only(void **state) {
  (void)state;
  const char *ci = getenv("CI");
  char *old = ci ? strdup(ci) : NULL;
  setenv("CI", "true", 1);
  assert_int_equal(server_missing(SERVER_VALKEY), 1);
  unsetenv("CI");
  assert_int_equal(server_missing(SERVER_VALKEY), SERVER_SKIP);
  if (old) setenv("CI", old, 1);
  free(old);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_missing_server_fails_in_ci_only),
      cmocka_unit_test(postgres_answers_and_survives_sigkill),
      cmocka_unit_test(valkey_answers_and_survives_sigkill),
      cmocka_unit_test(redis_answers_and_survives_sigkill),
      cmocka_unit_test(a_cluster_has_three_masters_and_serves_all_slots),
      cmocka_unit_test(a_server_ends_with_the_process_that_started_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
