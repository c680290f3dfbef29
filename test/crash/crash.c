/*
 * kill -9 of a real process on a real store at random instants; then the store is opened again and
 * audited, and the next process goes on with it (DESIGN §7; promises P1, P2, P3, P7). Of a store in
 * a server, the server is killed too, every third round while the process still works.
 *
 * usage: crash [--store sqlite|postgres] [--rounds N] [--seed N] [--keep]
 * FF_SOAK=1 runs 400 rounds.
 *
 * SIGKILL loses nothing the kernel has: what a power cut loses is test/store/test_power_loss.c's
 * business. Here every instant between two instructions of a busy engine counts, with the default
 * durability.
 */
#include "test/crash/crash.h"
#include "test/lib/servers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct run {
  char directory[64], path[128], url[400];
  struct server server; /* of a store in a server */
  bool in_server;
  struct ledger ledger;
  uint64_t seed, dice;
  uint32_t rounds, early, server_kills; /* early: killed before the store was open */
  bool keep, opened; /* opened: by some child, so the store is there */
};

static uint32_t dice(struct run *r, uint32_t bound) {
  r->dice = hash_mix64(r->dice);
  return (uint32_t)((r->dice >> 32) * bound >> 32);
}

static pid_t start_child(struct run *r, uint32_t round, int *pipe_out) {
  int ends[2];
  char fd[16], seed[32], number[16];
  if (pipe(ends) != 0) return -1;
  fflush(stdout);
  pid_t pid = fork();
  if (pid != 0) {
    close(ends[1]);
    *pipe_out = ends[0];
    return pid;
  }
  close(ends[0]);
  snprintf(fd, sizeof fd, "%d", ends[1]);
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)(r->seed * 1000 + round));
  snprintf(number, sizeof number, "%u", round);
  execl("/proc/self/exe", "crash", "--child", r->url, fd, seed, number, (char *)NULL);
  _exit(9);
}

/* Reads notes until the time is up or the child is gone; ms < 0: until the end. */
static bool read_notes(struct run *r, int pipe, uint32_t round, int64_t ms, bool *opened) {
  int64_t until = clock_monotonic_us() / 1000 + ms;
  for (;;) {
    int64_t left = ms < 0 ? 10000 : until - clock_monotonic_us() / 1000;
    if (left <= 0) return true;
    struct pollfd p = {.fd = pipe, .events = POLLIN};
    int n = poll(&p, 1, (int)left);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return true;
    struct note note;
    ssize_t got = read(pipe, &note, sizeof note);
    if (got == 0) return false;
    if (got != (ssize_t)sizeof note) {
      printf("VIOLATION: a torn note of %zd bytes\n", got);
      return false;
    }
    if (note.kind == NOTE_OPEN) {
      *opened = true;
      if (ms >= 0) return true;
    } else {
      ledger_note(&r->ledger, &note, round);
    }
  }
}

/* One life and death. Every sixth is short: it dies while opening and recovering. */
static bool live_and_die(struct run *r, uint32_t round) {
  int pipe = -1, status = 0;
  bool opened = false, hasty = dice(r, 6) == 0;
  pid_t pid = start_child(r, round, &pipe);
  if (pid < 0) return false;
  bool alive = read_notes(r, pipe, round, hasty ? dice(r, 60) : 20000, &opened);
  if (alive && opened) {
    bool again = false;
    alive = read_notes(r, pipe, round, 5 + dice(r, 146), &again);
    if (r->in_server && dice(r, 3) == 0) {
      server_signal(&r->server, 0, SIGKILL);
      r->server_kills++;
      (void)read_notes(r, pipe, round, 1 + dice(r, 100), &again);
    }
  }
  kill(pid, SIGKILL);
  (void)read_notes(r, pipe, round, -1, &opened);
  close(pipe);
  waitpid(pid, &status, 0);
  r->early += !opened;
  r->opened |= opened;
  if (r->in_server && !r->server.pid[0] && !server_restart(&r->server, 0)) {
    printf("the server does not start again\n");
    return false;
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return true;
  printf("VIOLATION round %u: the child ended by itself, status %x\n", round, (unsigned)status);
  return false;
}

static bool run_rounds(struct run *r) {
  bool ok = true;
  for (uint32_t round = 1; round <= r->rounds && ok; round++) {
    ok = live_and_die(r, round);
    struct stat st;
    if (!ok || (r->in_server ? !r->opened : stat(r->path, &st) != 0)) continue;
    /* sometimes what was under way is sent again first, sometimes the audit sees the file as it was
     * left */
    if (dice(r, 2)) ok = audit(&r->ledger, r->url, round, false);
    if (ok) ok = audit_repeat(&r->ledger, r->url, round);
    if (ok) ok = audit(&r->ledger, r->url, round, round % 25 == 0);
    if (!ok)
      printf("round %u, again: crash --seed %llu --rounds %u --keep\n", round,
             (unsigned long long)r->seed, r->rounds);
  }
  if (ok) ok = audit_drain(&r->ledger, r->url);
  if (ok) ok = audit(&r->ledger, r->url, r->rounds + 1, true);
  return ok && (r->in_server || audit_file(r->path));
}

static void clean(struct run *r) {
  static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
  char name[200];
  if (r->keep) {
    printf("kept: %s\n", r->path);
    return;
  }
  for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
    snprintf(name, sizeof name, "%s%s", r->path, suffixes[i]);
    unlink(name);
  }
  rmdir(r->directory);
}

static int report(const struct run *r, bool ok, int64_t us) {
  const struct ledger *l = &r->ledger;
  printf(
      "acknowledged: %llu submits, %llu claims, %llu completions, %llu failures, %llu delays; sent "
      "again after a kill: %llu\n",
      (unsigned long long)l->acknowledged[NOTE_SUBMIT],
      (unsigned long long)l->acknowledged[NOTE_CLAIM],
      (unsigned long long)l->acknowledged[NOTE_COMPLETE],
      (unsigned long long)l->acknowledged[NOTE_FAIL],
      (unsigned long long)l->acknowledged[NOTE_DELAY], (unsigned long long)l->repeated);
  printf("crash: %u kills (%u while opening, %u of the server too), %u executions, %.1f s: %s\n",
         r->rounds, r->early, r->server_kills, l->count, (double)us / 1e6,
         ok ? "nothing acknowledged was lost, nothing ended twice" : "VIOLATIONS");
  return !ok;
}

/* It runs without fsync: a killed process loses nothing that it wrote. */
static bool use_server(struct run *r) {
  setenv("FF_DEV_MODE", "1", 1);
  if (!server_start(&r->server, SERVER_POSTGRES)) {
    fprintf(stderr, "%s\n", r->server.reason);
    return false;
  }
  snprintf(r->url, sizeof r->url, "%s", r->server.url);
  return true;
}

static uint64_t number(const char *text) { return text ? strtoull(text, NULL, 10) : 0; }

int main(int argc, char **argv) {
  if (argc == 6 && strcmp(argv[1], "--child") == 0)
    return crash_child(&(struct crash_child){.url = argv[2],
                                             .pipe = (int)number(argv[3]),
                                             .seed = number(argv[4]),
                                             .round = (uint32_t)number(argv[5])});
  struct run r = {.seed = (uint64_t)clock_wall_ms(), .rounds = getenv("FF_SOAK") ? 400 : 50};
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--rounds") == 0)
      r.rounds = (uint32_t)number(argv[++i]);
    else if (strcmp(argv[i], "--seed") == 0)
      r.seed = number(argv[++i]);
    else if (strcmp(argv[i], "--keep") == 0)
      r.keep = true;
    else if (strcmp(argv[i], "--store") == 0 && i + 1 < argc)
      r.in_server = strcmp(argv[++i], "postgres") == 0;
    else
      return fprintf(stderr,
                     "usage: crash [--store sqlite|postgres] [--rounds N] [--seed N] [--keep]\n"),
             2;
  }
  if (r.in_server && !server_installed(SERVER_POSTGRES)) return server_missing(SERVER_POSTGRES);
  int64_t start = clock_monotonic_us();
  r.dice = hash_mix64(r.seed);
  snprintf(r.directory, sizeof r.directory, "crash-XXXXXX");
  if (!mkdtemp(r.directory)) return perror("crash-XXXXXX"), 2;
  snprintf(r.path, sizeof r.path, "%s/crash.db", r.directory);
  snprintf(r.url, sizeof r.url, "sqlite:%s", r.path);
  if (r.in_server && !use_server(&r)) return 2;
  ledger_init(&r.ledger);
  bool ok = run_rounds(&r);
  int status = report(&r, ok, clock_monotonic_us() - start);
  clean(&r);
  if (r.in_server) server_stop(&r.server);
  ledger_fini(&r.ledger);
  return status;
}
