/*
 * One command: started in its own process group, watched until it ends, killed when its time is over or its lease is
 * lost.
 *
 * What a command leaves running in its group is killed when the command itself ends. The parent-death signal belongs
 * to the thread that forked, so commands are started by the workers' own threads, which outlive them.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The kernel takes one argument of at most 128 KiB; longer commands go through a file in memory. */
enum { ARGUMENT_MAX = 120 * 1024, OWN_VARIABLES = 4, READS_MAX = 64 };

/* A command under way. */
struct child {
  struct run_worker *worker;
  pid_t pid;
  int out, pidfd;
  bool exited, output_over;
  bool killing;
  enum run_end end;
  int64_t timeout_at, kill_at; /* monotonic ms, INT64_MAX = never */
};

/* Everything the new process needs, made before the fork: after it only async-signal-safe calls are allowed. */
struct launch {
  char *argv[5];
  char **environment;
  char variables[OWN_VARIABLES][PATH_MAX + 64];
  char *command;
  int script, out, guard_fd;
  pid_t parent;
};

static void set_environment(struct launch *launch, const struct run_worker *worker,
                            const struct run_line *line, const struct ff_task *task) {
  size_t count = 0;
  while (environ[count]) count++;
  launch->environment = cli_alloc((count + OWN_VARIABLES + 1) * sizeof(char *));
  snprintf(launch->variables[0], sizeof(launch->variables[0]), "FF_RUN_FILE=%s",
           worker->run->file.path);
  snprintf(launch->variables[1], sizeof(launch->variables[1]), "FF_RUN_LINE=%" PRIu32,
           line->job->line);
  snprintf(launch->variables[2], sizeof(launch->variables[2]), "FF_EXECUTION_ID=%s",
           task->execution_id.text);
  snprintf(launch->variables[3], sizeof(launch->variables[3]), "FF_ATTEMPT=%" PRIu32,
           task->attempt_index);
  size_t used = 0;
  for (; used < OWN_VARIABLES; used++) launch->environment[used] = launch->variables[used];
  for (size_t i = 0; i < count; i++) {
    if (strncmp(environ[i], "FF_RUN_", 7) == 0 || strncmp(environ[i], "FF_ATTEMPT=", 11) == 0 ||
        strncmp(environ[i], "FF_EXECUTION_ID=", 16) == 0)
      continue;
    launch->environment[used++] = environ[i];
  }
  launch->environment[used] = NULL;
}

/* A file in memory with the command in it; -1 with errno. */
static int script_file(struct ff_str command) {
  int fd = memfd_create("ff-run-command", MFD_CLOEXEC);
  for (size_t at = 0; fd >= 0 && at < command.len;) {
    ssize_t put = write(fd, command.ptr + at, command.len - at);
    if (put < 0 && errno == EINTR) continue;
    if (put > 0) {
      at += (size_t)put;
      continue;
    }
    close(fd);
    fd = -1;
  }
  return fd;
}

static bool set_command(struct launch *launch, struct ff_str command) {
  static char sh[] = "sh", c[] = "-c", dashes[] = "--", file[] = "/dev/fd/3";
  launch->script = -1;
  launch->argv[0] = sh;
  if (command.len <= ARGUMENT_MAX) {
    launch->command = cli_copy(command.ptr, command.len);
    launch->argv[1] = c;
    launch->argv[2] = dashes; /* a command may begin with '-' */
    launch->argv[3] = launch->command;
    return true;
  }
  launch->script = script_file(command);
  launch->argv[1] = file;
  return launch->script >= 0;
}

/* In the new process, which shares our memory until it is the shell: it writes nothing but its own stack. */
static _Noreturn void become_shell(const struct launch *launch) {
  setpgid(0, 0);
  run_guard_add(launch->guard_fd, getpid());
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != launch->parent) _exit(127); /* the runner died before the line above */
  static const int ours[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGCHLD};
  struct sigaction usual = {.sa_handler = SIG_DFL};
  for (size_t i = 0; i < CLI_COUNT(ours); i++) sigaction(ours[i], &usual, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  int null = open("/dev/null", O_RDONLY);
  if (null < 0 || dup2(null, 0) < 0 || dup2(launch->out, 1) < 0 || dup2(launch->out, 2) < 0)
    _exit(127);
  if (null > 2) close(null);
  if (launch->script == 3) fcntl(3, F_SETFD, 0);
  else if (launch->script >= 0 && dup2(launch->script, 3) < 0) _exit(127);
  execve("/bin/sh", launch->argv, launch->environment);
  _exit(127);
}

static int open_pidfd(pid_t pid) {
#ifdef SYS_pidfd_open
  return (int)syscall(SYS_pidfd_open, pid, 0);
#else
  (void)pid;
  return -1;
#endif
}

/* False with errno when there is no process. */
static bool start(struct child *child, const struct run_line *line, const struct ff_task *task) {
  struct launch launch = {.guard_fd = child->worker->run->guard_fd, .parent = getpid()};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  fcntl(ends[1], F_SETFL, 0); /* the command's end blocks as usual */
  struct ff_str command = {task->input_payload.ptr, task->input_payload.len};
  bool ok = set_command(&launch, command);
  if (ok) {
    set_environment(&launch, child->worker, line, task);
    launch.out = ends[1];
    child->pid = vfork(); /* fork copies our page tables: that alone cost a third of the rate */
    if (child->pid == 0) become_shell(&launch);
    ok = child->pid > 0;
  }
  int failed = errno;
  if (launch.script >= 0) close(launch.script);
  free(launch.command);
  free(launch.environment);
  close(ends[1]);
  child->out = ends[0];
  if (!ok) {
    close(ends[0]);
  } else {
    setpgid(child->pid, child->pid); /* whoever is first; one of both may fail */
    child->pidfd = open_pidfd(child->pid);
  }
  errno = failed;
  return ok;
}

/* Takes what there is; the ring keeps the last RUN_OUTPUT_MAX bytes. Endless output must not keep us from looking at
 * the clock. */
static void take_output(struct child *child) {
  struct run_worker *worker = child->worker;
  for (int reads = 0; reads < READS_MAX; reads++) {
    size_t at = worker->output_total % RUN_OUTPUT_MAX;
    ssize_t got = read(child->out, worker->output + at, RUN_OUTPUT_MAX - at);
    if (got > 0) {
      worker->output_total += (size_t)got;
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got == 0 || errno != EAGAIN) child->output_over = true;
    return;
  }
}

static void begin_kill(struct child *child, enum run_end end) {
  if (!child->killing) {
    child->killing = true;
    child->end = end;
    child->kill_at = cli_monotonic_ms() + RUN_GRACE_MS;
    kill(-child->pid, SIGTERM);
    kill(-child->pid, SIGCONT); /* a stopped command must hear of it */
  }
}

/* Reasons from outside: a lost lease, the end of the run. */
static void hear(struct child *child) {
  struct run_worker *worker = child->worker;
  uint64_t count;
  while (read(worker->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR) {}
  pthread_mutex_lock(&worker->run->lock);
  bool lost = worker->held.lost;
  pthread_mutex_unlock(&worker->run->lock);
  if (lost) begin_kill(child, RUN_LOST);
  int stopping = atomic_load(&worker->run->stopping);
  if (stopping) begin_kill(child, RUN_STOPPED);
  if (stopping > 1) child->kill_at = 0;
}

static bool has_exited(const struct child *child) {
  siginfo_t info = {0};
  return waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == child->pid;
}

/* ms until something has to be done though nothing happens; -1 = never. */
static int poll_timeout(const struct child *child) {
  int64_t now = cli_monotonic_ms();
  int64_t next = child->killing ? child->kill_at : child->timeout_at;
  int64_t frame = run_frames_due(child->worker);
  if (frame < next) next = frame;
  if (child->pidfd < 0 && next > now + 20) next = now + 20; /* no pidfd: look every 20 ms */
  if (next == INT64_MAX) return -1;
  return next <= now ? 0 : next - now > 3600000 ? 3600000 : (int)(next - now);
}

/* A killed group is waited for until it closed its output: its members may need their grace too. */
static bool is_finished(const struct child *child) {
  return child->exited &&
         (!child->killing || child->output_over || cli_monotonic_ms() >= child->kill_at);
}

static void watch(struct child *child) {
  hear(child); /* the run may be over already */
  while (!is_finished(child)) {
    struct pollfd fds[] = {{child->worker->wake_fd, POLLIN, 0},
                           {child->output_over ? -1 : child->out, POLLIN, 0},
                           {child->exited ? -1 : child->pidfd, POLLIN, 0}};
    if (poll(fds, CLI_COUNT(fds), poll_timeout(child)) < 0 && errno != EINTR) break;
    if (fds[1].revents) take_output(child);
    if (!child->exited) child->exited = has_exited(child);
    if (child->exited && !child->killing) break; /* it was first: its own end counts */
    if (fds[0].revents) hear(child);
    int64_t now = cli_monotonic_ms();
    if (now >= run_frames_due(child->worker)) run_frames_send(child->worker, false);
    if (now >= child->timeout_at) begin_kill(child, RUN_TIMED_OUT);
    if (child->killing && now >= child->kill_at && !child->exited) {
      kill(-child->pid, SIGKILL);
      child->kill_at = now + 200;
    }
  }
}

/* Kills what is left of the group and reaps the command. The zombie keeps the id from being used again until then. */
static int reap(struct child *child) {
  int status = 0;
  kill(-child->pid, SIGKILL);
  take_output(child);
  run_guard_remove(child->worker->run->guard_fd, child->pid);
  while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {}
  close(child->out);
  if (child->pidfd >= 0) close(child->pidfd);
  return status;
}

struct run_outcome run_command(struct run_worker *worker, const struct run_line *line,
                               const struct ff_task *task) {
  struct child child = {.worker = worker,
                        .out = -1,
                        .pidfd = -1,
                        .end = RUN_EXITED,
                        .timeout_at = INT64_MAX,
                        .kill_at = INT64_MAX};
  worker->output_total = 0;
  run_frames_begin(worker, task);
  if (!start(&child, line, task)) return (struct run_outcome){RUN_NOT_STARTED, errno};
  if (line->job->timeout_ms) child.timeout_at = cli_monotonic_ms() + line->job->timeout_ms;
  watch(&child);
  int status = reap(&child);
  if (child.end != RUN_LOST) run_frames_send(worker, true);
  return (struct run_outcome){child.end, status};
}

char *run_output(const struct run_worker *worker, size_t *size) {
  size_t total = worker->output_total, kept = total < RUN_OUTPUT_MAX ? total : RUN_OUTPUT_MAX;
  char marker[80] = "";
  if (total > kept)
    snprintf(marker, sizeof(marker), "[ff run: the first %zu bytes of the output were cut]\n",
             total - kept);
  size_t before = strlen(marker), start = total > kept ? total % RUN_OUTPUT_MAX : 0;
  char *out = cli_alloc(before + kept + 1);
  memcpy(out, marker, before);
  memcpy(out + before, worker->output + start, kept - start);
  memcpy(out + before + kept - start, worker->output, start);
  out[before + kept] = '\0';
  *size = before + kept;
  return out;
}
