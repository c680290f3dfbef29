/*
 * The cut-proxy against a private Valkey: each cut leaves server and client as it says, and a walk
 * of cuts over a run of increments loses nothing that was acknowledged.
 */
#include "test/lib/cut_proxy.h"
#include "test/lib/servers.h"

#include "base/base.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define STEPS 10
#define PIPELINE 20000

struct world {
  struct server server;
  struct cut_proxy *proxy;
  uint16_t port;
};

static void open_world(struct world *w) {
  if (!server_installed(SERVER_VALKEY)) {
    if (server_missing(SERVER_VALKEY) == SERVER_SKIP) skip();
    fail_msg("valkey is missing");
  }
  if (!server_start(&w->server, SERVER_VALKEY)) fail_msg("%s", w->server.reason);
  w->proxy = cut_proxy_start(w->server.port[0], &w->port);
}

static void close_world(struct world *w) {
  cut_proxy_stop(w->proxy);
  server_stop(&w->server);
}

static int dial(const struct world *w) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(w->port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
  return fd;
}

/* Sends a command and reads to the end of the first line, or of the connection; what came. */
static size_t ask(int fd, const char *command, char *answer, size_t size) {
  size_t got = 0;
  memset(answer, 0, size);
  if (send(fd, command, strlen(command), MSG_NOSIGNAL) < 0) return 0;
  while (got < size - 1 && !strchr(answer, '\n')) {
    ssize_t n = recv(fd, answer + got, size - 1 - got, 0);
    if (n <= 0) break;
    got += (size_t)n;
  }
  return got;
}

static int enter(const struct world *w) {
  char command[64], answer[64];
  int fd = dial(w);
  snprintf(command, sizeof command, "AUTH %s\r\n", w->server.password);
  assert_int_equal(ask(fd, command, answer, sizeof answer), 5);
  return fd;
}

static bool stored(const struct world *w, const char *key, long value) {
  char command[64], want[64], text[32];
  int n = snprintf(text, sizeof text, "%ld", value);
  snprintf(command, sizeof command, "GET %s\r\n", key);
  snprintf(want, sizeof want, "+OK\r\n$%d\r\n%s\r\n", n, text);
  return server_ask(&w->server, 0, command, want);
}

static void each_cut_leaves_what_it_says(void **state) {
  (void)state;
  struct world w;
  char answer[64];
  open_world(&w);
  long value = 100000;
  assert_true(server_ask(&w.server, 0, "SET k 100000\r\n", "+OK\r\n+OK"));
  for (int kind = 0; kind < CUT_KINDS; kind++) {
    int fd = enter(&w);
    cut_proxy_arm(w.proxy, (enum cut_kind)kind, 2);
    assert_true(ask(fd, "INCR k\r\n", answer, sizeof answer) == 9);
    assert_false(cut_proxy_fired(w.proxy));
    size_t got = ask(fd, "INCR k\r\n", answer, sizeof answer);
    assert_true(cut_proxy_fired(w.proxy));
    value += kind == CUT_BEFORE_SEND ? 1 : 2;
    assert_true(stored(&w, "k", value));
    assert_int_equal(got, kind == CUT_MID_REPLY ? 4 : 0); /* of the nine bytes ":100006\r\n" */
    assert_int_equal(cut_proxy_requests(w.proxy), 2);
    close(fd);
    fd = enter(&w); /* cut once only */
    assert_true(ask(fd, "INCR k\r\n", answer, sizeof answer) == 9);
    value++;
    close(fd);
  }
  close_world(&w);
}

static void a_walk_over_a_run_loses_nothing_acknowledged(void **state) {
  (void)state;
  struct world w;
  char answer[64], key[16], command[64];
  open_world(&w);
  for (int kind = 0; kind < CUT_KINDS; kind++) {
    for (uint32_t n = 1; n <= STEPS; n++) {
      long acknowledged = 0, unknown = 0;
      snprintf(key, sizeof key, "w%d-%u", kind, n);
      snprintf(command, sizeof command, "INCR %s\r\n", key);
      int fd = enter(&w);
      cut_proxy_arm(w.proxy, (enum cut_kind)kind, n);
      for (int i = 0; i < STEPS; i++) {
        ask(fd, command, answer, sizeof answer);
        if (strchr(answer, '\n')) {
          acknowledged++;
          continue;
        }
        unknown++;
        close(fd);
        fd = enter(&w);
      }
      close(fd);
      assert_true(cut_proxy_fired(w.proxy));
      assert_int_equal(acknowledged, STEPS - 1);
      assert_int_equal(unknown, 1);
      assert_true(stored(&w, key, kind == CUT_BEFORE_SEND ? STEPS - 1 : STEPS));
    }
  }
  close_world(&w);
}

/* Far more than both buffers hold, sent before anything is read. */
static void a_long_pipeline_passes_whole_and_is_one_request_or_more(void **state) {
  (void)state;
  struct world w;
  char answer[4096];
  open_world(&w);
  int fd = enter(&w);
  cut_proxy_arm(w.proxy, CUT_BEFORE_SEND, 0);
  for (int i = 0; i < PIPELINE; i++)
    assert_int_equal(send(fd, "PING\r\n", 6, MSG_NOSIGNAL), 6);
  for (size_t left = PIPELINE * strlen("+PONG\r\n"); left;) {
    ssize_t n = recv(fd, answer, left < sizeof answer ? left : sizeof answer, 0);
    assert_true(n > 0);
    left -= (size_t)n;
  }
  assert_in_range(cut_proxy_requests(w.proxy), 1, PIPELINE);
  assert_false(cut_proxy_fired(w.proxy));
  cut_proxy_drop(w.proxy);
  assert_true(recv(fd, answer, sizeof answer, 0) <= 0);
  close(fd);
  close_world(&w);
}

static void a_server_that_is_gone_hangs_up(void **state) {
  (void)state;
  struct world w;
  char answer[64];
  open_world(&w);
  server_signal(&w.server, 0, SIGKILL);
  int fd = dial(&w);
  assert_int_equal(ask(fd, "PING\r\n", answer, sizeof answer), 0);
  close(fd);
  assert_true(server_restart(&w.server, 0));
  close(enter(&w));
  close_world(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_cut_leaves_what_it_says),
      cmocka_unit_test(a_walk_over_a_run_loses_nothing_acknowledged),
      cmocka_unit_test(a_long_pipeline_passes_whole_and_is_one_request_or_more),
      cmocka_unit_test(a_server_that_is_gone_hangs_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
