/*
 * The guard: a small process that kills every command still running when the runner is gone, however it went.
 *
 * The parent-death signal reaches only the shell a worker started, not what that shell started. The guard reads the
 * groups from a pipe; when the runner dies the pipe ends and the guard kills them all. A command enters itself before
 * it becomes the shell, so no instant is left uncovered; it is taken out while its process id is still held by the
 * zombie, so no other process can be hit.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* One message of the pipe; smaller than PIPE_BUF, so writes do not mix. */
struct message {
  int32_t group;
  int32_t add;
};

static void send_message(int fd, pid_t group, bool add) {
  struct message message = {(int32_t)group, add};
  int before = errno;
  while (write(fd, &message, sizeof(message)) < 0 && errno == EINTR) {}
  errno = before;
}

void run_guard_add(int guard_fd, pid_t group) {
  send_message(guard_fd, group, true);
}

void run_guard_remove(int guard_fd, pid_t group) {
  send_message(guard_fd, group, false);
}

static void note(int32_t *groups, const struct message *message) {
  for (size_t i = 0; i < RUN_WORKERS_MAX; i++) {
    if (groups[i] != (message->add ? 0 : message->group)) continue;
    groups[i] = message->add ? message->group : 0;
    return;
  }
}

/* Away from the runner's terminal and output: whoever waits for the end of its pipe must not wait for the guard. */
static void detach(void) {
  setsid();
  prctl(PR_SET_NAME, "ff-run-guard");
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; null >= 0 && fd <= 2; fd++) dup2(null, fd);
  if (null > 2) close(null);
}

static void guard(int fd) {
  static int32_t groups[RUN_WORKERS_MAX];
  struct message message;
  detach();
  for (;;) {
    ssize_t got = read(fd, &message, sizeof(message));
    if (got == (ssize_t)sizeof(message)) note(groups, &message);
    else if (got >= 0 || errno != EINTR) break;
  }
  for (size_t i = 0; i < RUN_WORKERS_MAX; i++)
    if (groups[i] > 1) kill(-groups[i], SIGKILL);
  _exit(0);
}

bool run_guard_start(struct run *run) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  fflush(NULL);
  run->guard_pid = fork();
  if (run->guard_pid == 0) {
    close(ends[1]);
    guard(ends[0]);
  }
  close(ends[0]);
  run->guard_fd = ends[1];
  return run->guard_pid > 0;
}

void run_guard_stop(struct run *run) {
  if (run->guard_fd >= 0) close(run->guard_fd);
  run->guard_fd = -1;
  if (run->guard_pid > 0)
    while (waitpid(run->guard_pid, NULL, 0) < 0 && errno == EINTR) {}
  run->guard_pid = 0;
}
