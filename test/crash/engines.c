/*
 * Several engines, each a process of its own, on one store (issue 3.3): no lease is given twice, no
 * waiting claim is forgotten, work is spread, due rows are acted on once and by whoever is alive; a
 * process that is killed leaves its work to the others, one that is stopped beyond its leases writes
 * nothing with what it had read.
 *
 * usage: engines [--store NAME] [--rounds N] [--seed N]
 * All stores that live in servers unless one is named. FF_SOAK=1 runs 60 rounds.
 */
#define _GNU_SOURCE /* pipe2 */
#include "test/crash/crash.h"
#include "test/lib/stores.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANDOVERS 20
#define CLAIMERS 2 /* threads of a calm process */
#define SHARES 480 /* executions that are there before anybody claims */
#define SHARE_WORK_MS 10
#define LATE_MS 10000 /* a waiting claim that got nothing by then was forgotten; P5 says 2 s */

struct run {
  char url[600];
  struct ledger ledger;
  uint64_t seed, dice;
  uint32_t rounds, round;
  pid_t pids[PROCESSES];
  int pipe_in, pipe_out; /* all children write into one */
  uint32_t claims[PROCESSES]; /* of calm processes */
};

static uint32_t dice(struct run *r, uint32_t bound) {
  r->dice = hash_mix64(r->dice);
  return (uint32_t)((r->dice >> 32) * bound >> 32);
}

static bool wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool wrong(const char *format, ...) {
  va_list args;
  va_start(args, format);
  printf("VIOLATION: ");
  vprintf(format, args);
  putchar('\n');
  va_end(args);
  return false;
}

/* ---- a calm process: it claims, works, completes, and tells ---- */

struct claimer {
  struct ff_engine *engine;
  int pipe;
  uint32_t process, work_ms;
};

/* Where rivals are not kept waiting by locks, a call may lose its races (DESIGN 5.3): it is made
 * again. */
static bool lost_races(enum ff_rc rc, const struct ff_error *error) {
  if (rc == FF_OK || error->code != FF_CODE_retry_exhausted) return false;
  usleep(1000 + (useconds_t)(random_u64() % 4000));
  return true;
}

static bool claim_and_complete(struct claimer *c) {
  struct ff_str lane = TEXT_LIT(LANE);
  struct ff_error error;
  struct ff_claim_task_args args = FF_ARGS(claim_task);
  struct ff_claim_task_result claimed;
  args.lane_ids = (struct ff_strs){&lane, 1};
  args.worker_id = args.worker_instance_id = TEXT_LIT("calm");
  args.lease_ttl_ms = 5000; /* the last ones are killed with theirs */
  args.max_wait_ms = 30000;
  enum ff_rc rc;
  do rc = ff_claim_task(c->engine, &args, &claimed, &error);
  while (lost_races(rc, &error));
  bool ok = rc == FF_OK;
  if (!ok) {
    printf("claim: %s: %s\n", ff_code_name(error.code), error.detail);
    return false;
  }
  if (claimed.outcome == FF_outcome_claimed) {
    struct note note = {.kind = NOTE_DONE,
                        .op = NOTE_CLAIM,
                        .thread = c->process * THREADS,
                        .epoch = claimed.task.lease_epoch,
                        .outcome = claimed.outcome};
    snprintf(note.execution, sizeof note.execution, "%s", claimed.task.execution_id.text);
    ok = write(c->pipe, &note, sizeof note) == (ssize_t)sizeof note;
    if (c->work_ms) usleep(c->work_ms * 1000);
    struct ff_complete_args end = FF_ARGS(complete);
    struct ff_complete_result ended;
    end.handle = claimed.task.handle;
    do rc = ff_complete(c->engine, &end, &ended, &error);
    while (lost_races(rc, &error));
    if (rc == FF_OK) ff_clear(&ended);
    else printf("complete: %s: %s\n", ff_code_name(error.code), error.detail);
    ok = ok && rc == FF_OK;
  }
  ff_clear(&claimed);
  return ok;
}

static void *claimer_main(void *user) {
  while (claim_and_complete(user)) {
  }
  return NULL;
}

/* Begins when its standard input ends, so that all begin together. */
static int calm_child(const struct crash_child *c) {
  pthread_t threads[CLAIMERS];
  struct claimer claimers[CLAIMERS];
  struct note opened = {.kind = NOTE_OPEN};
  char byte;
  struct ff_engine *engine = crash_open(c->url, true);
  if (!engine || write(c->pipe, &opened, sizeof opened) != (ssize_t)sizeof opened) return 4;
  (void)!read(0, &byte, 1);
  for (uint32_t i = 0; i < CLAIMERS; i++) {
    claimers[i] = (struct claimer){engine, c->pipe, c->process, c->work_ms};
    if (pthread_create(&threads[i], NULL, claimer_main, &claimers[i]) != 0) return 5;
  }
  pthread_join(threads[0], NULL); /* never, unless a call failed */
  return 6;
}

/* ---- processes ---- */

static bool start(struct run *r, uint32_t process, const char *mode, uint32_t work_ms, int begin) {
  char fd[16], seed[32], numbers[3][16];
  snprintf(fd, sizeof fd, "%d", r->pipe_out);
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)(r->seed * 1000 + r->round));
  snprintf(numbers[0], sizeof numbers[0], "%u", r->round);
  snprintf(numbers[1], sizeof numbers[1], "%u", process);
  snprintf(numbers[2], sizeof numbers[2], "%u", work_ms);
  fflush(stdout);
  r->pids[process] = fork();
  if (r->pids[process]) return r->pids[process] > 0;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || (begin >= 0 && dup2(begin, 0) < 0)) _exit(9);
  close(r->pipe_in);
  execl("/proc/self/exe", "engines", mode, r->url, fd, seed, numbers[0], numbers[1], numbers[2],
        (char *)NULL);
  _exit(9);
}

static bool kill_one(struct run *r, uint32_t process) {
  int status = 0;
  if (!r->pids[process]) return true;
  kill(r->pids[process], SIGKILL);
  waitpid(r->pids[process], &status, 0);
  r->pids[process] = 0;
  return (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
         wrong("process %u ended by itself, status %x", process, (unsigned)status);
}

static bool kill_all(struct run *r) {
  bool ok = true;
  for (uint32_t i = 0; i < PROCESSES; i++) ok &= kill_one(r, i);
  return ok;
}

/* Reads notes until `ms` have passed, or *count of what `counted` says have come. */
static bool read_notes(struct run *r, int64_t ms, enum note_kind counted, uint32_t *count) {
  int64_t until = clock_monotonic_us() + ms * 1000;
  while (!count || *count) {
    int64_t left = (until - clock_monotonic_us()) / 1000;
    struct pollfd p = {.fd = r->pipe_in, .events = POLLIN};
    struct note note;
    int n = left > 0 || !count ? poll(&p, 1, left > 0 ? (int)left : 0) : 0;
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return count == NULL;
    if (read(r->pipe_in, &note, sizeof note) != (ssize_t)sizeof note) return wrong("a torn note");
    if (note.kind != NOTE_OPEN) ledger_note(&r->ledger, &note, r->round);
    if (note.kind == NOTE_DONE && note.op == NOTE_CLAIM) r->claims[note.thread / THREADS]++;
    if (count) *count -= note.kind == counted;
  }
  return true;
}

static bool start_all(struct run *r, const char *mode, uint32_t work_ms, int begin) {
  uint32_t opening = PROCESSES;
  memset(r->claims, 0, sizeof r->claims);
  memset(r->ledger.killed, 0, sizeof r->ledger.killed);
  for (uint32_t i = 0; i < PROCESSES; i++)
    if (!start(r, i, mode, work_ms, begin)) return false;
  return read_notes(r, 60000, NOTE_OPEN, &opening) || wrong("a process did not open the store");
}

/* Calm processes that begin when the returned end of a pipe is closed. */
static int start_calm(struct run *r, uint32_t work_ms) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  bool ok = start_all(r, "--calm", work_ms, ends[0]);
  close(ends[0]);
  if (ok) return ends[1];
  close(ends[1]);
  return -1;
}

/* ---- what is asked of calm processes ---- */

static bool submit(struct run *r, struct ff_engine *engine, uint32_t number) {
  struct ff_submit_args args = FF_ARGS(submit);
  struct ff_submit_result result;
  struct ff_error error;
  char key[40];
  snprintf(key, sizeof key, "calm-%u-%u", r->round, number);
  args.lane_id = TEXT_LIT(LANE);
  args.idempotency_key = ff_text(key);
  args.input_payload = (struct ff_bytes){key, strlen(key)};
  if (ff_submit(engine, &args, &result, &error) != FF_OK)
    return wrong("submit: %s", error.detail);
  ff_clear(&result);
  return true;
}

/* Work that this process submits is claimed by others, which wait. Each claim would find it when it
 * looks by itself, once a second; the whole must be faster than that. */
static bool hand_over(struct run *r, struct ff_engine *engine) {
  int64_t slowest = 0, begun = clock_monotonic_us();
  for (uint32_t i = 0; i < HANDOVERS; i++) {
    int64_t at = clock_monotonic_us();
    uint32_t claims = 1;
    if (!submit(r, engine, i)) return false;
    if (!read_notes(r, LATE_MS, NOTE_DONE, &claims))
      return wrong("hand-over %u: no waiting claim got it in %d s", i, LATE_MS / 1000);
    int64_t took = clock_monotonic_us() - at;
    if (took > slowest) slowest = took;
  }
  int64_t all = clock_monotonic_us() - begun;
  printf("hand-overs between processes: %d in %.2f s, slowest %.0f ms\n", HANDOVERS,
         (double)all / 1e6, (double)slowest / 1e3);
  return all < HANDOVERS * INT64_C(500000) || wrong("claims wait for their own look, no hint came");
}

/* Every process has at least a quarter of its even share. */
static bool spread(struct run *r) {
  uint32_t left = SHARES;
  if (!read_notes(r, 120000, NOTE_DONE, &left)) return wrong("%u executions got no worker", left);
  bool ok = true;
  printf("spread of %u executions:", SHARES);
  for (uint32_t i = 0; i < PROCESSES; i++) {
    printf(" %u", r->claims[i]);
    ok &= r->claims[i] >= SHARES / PROCESSES / 4;
  }
  putchar('\n');
  return ok || wrong("a process starved while there was work");
}

static bool calm(struct run *r) {
  struct ff_engine *engine = crash_open(r->url, false);
  int begin = engine ? start_calm(r, 0) : -1;
  bool ok = begin >= 0;
  close(begin);
  ok = ok && hand_over(r, engine);
  ok = kill_all(r) && ok;
  for (uint32_t i = 0; i < SHARES && ok; i++) ok = submit(r, engine, HANDOVERS + i);
  begin = ok ? start_calm(r, SHARE_WORK_MS) : -1;
  ok = ok && begin >= 0;
  close(begin);
  ok = ok && spread(r);
  ok = kill_all(r) && ok;
  ff_close(engine);
  return ok;
}

/* ---- and of those that are killed and stopped ---- */

static bool round_of(struct run *r) {
  uint32_t stopped = dice(r, PROCESSES), victim = (stopped + 1 + dice(r, 3)) % PROCESSES;
  bool ok = start_all(r, "--hands", LEASE_MS / 4, -1);
  ok = ok && read_notes(r, 100 + dice(r, 300), 0, NULL);
  if (ok) kill(r->pids[stopped], SIGSTOP);
  ok = ok && read_notes(r, dice(r, 200), 0, NULL);
  r->ledger.killed[victim] = true;
  ok = ok && kill_one(r, victim);
  ok = ok && read_notes(r, 3 * LEASE_MS, 0, NULL);
  if (ok) kill(r->pids[stopped], SIGCONT);
  ok = ok && read_notes(r, LEASE_MS + dice(r, 300), 0, NULL);
  ok = kill_all(r) && ok;
  ok = read_notes(r, 0, 0, NULL) && ok;
  if (ok && dice(r, 2)) ok = audit(&r->ledger, r->url, r->round, false);
  if (ok) ok = audit_repeat(&r->ledger, r->url, r->round);
  return ok && audit(&r->ledger, r->url, r->round, false);
}

static bool run_all(struct run *r) {
  bool ok = calm(r);
  for (r->round = 1; r->round <= r->rounds && ok; r->round++) ok = round_of(r);
  if (ok) ok = audit_drain(&r->ledger, r->url) && audit(&r->ledger, r->url, r->round, true);
  const struct ledger *l = &r->ledger;
  if (ok && !l->taken_over) ok = wrong("nothing of the killed was taken over while others lived");
  if (ok && !l->refused) ok = wrong("no stopped process came back too late");
  return ok && !l->claimed_twice;
}

static bool run_store(size_t index, uint64_t seed, uint32_t rounds) {
  struct run r = {.seed = seed, .dice = hash_mix64(seed), .rounds = rounds};
  int ends[2];
  INVARIANT(pipe(ends) == 0);
  r.pipe_in = ends[0];
  r.pipe_out = ends[1];
  test_store_place(index, "engines", "", r.url, sizeof r.url);
  ledger_init(&r.ledger);
  int64_t begun = clock_monotonic_us();
  bool ok = run_all(&r);
  const struct ledger *l = &r.ledger;
  printf("engines on %s: %u processes, %u rounds, %u executions, %llu claims, %llu completions; "
         "%llu leases of the killed taken over, %llu late writes refused, %.1f s: %s\n",
         test_store(index), PROCESSES, rounds, l->count,
         (unsigned long long)l->acknowledged[NOTE_CLAIM],
         (unsigned long long)l->acknowledged[NOTE_COMPLETE], (unsigned long long)l->taken_over,
         (unsigned long long)l->refused, (double)(clock_monotonic_us() - begun) / 1e6,
         ok ? "no lease twice, nothing lost" : "VIOLATIONS");
  if (!ok) printf("again: engines --store %s --seed %llu --rounds %u\n", test_store(index),
                  (unsigned long long)seed, rounds);
  (void)kill_all(&r);
  close(ends[0]);
  close(ends[1]);
  ledger_fini(&r.ledger);
  test_store_remove(index, "engines");
  return ok;
}

static uint64_t number(const char *text) { return text ? strtoull(text, NULL, 10) : 0; }

static int child(char **argv) {
  struct crash_child c = {.url = argv[2],
                          .pipe = (int)number(argv[3]),
                          .seed = number(argv[4]),
                          .round = (uint32_t)number(argv[5]),
                          .process = (uint32_t)number(argv[6]),
                          .work_ms = (uint32_t)number(argv[7])};
  return strcmp(argv[1], "--calm") == 0 ? calm_child(&c) : crash_child(&c);
}

int main(int argc, char **argv) {
  uint64_t seed = (uint64_t)clock_wall_ms();
  uint32_t rounds = getenv("FF_SOAK") ? 60 : 4;
  const char *only = NULL;
  int status = 0;
  bool any = false, ok = true;
  if (argc == 8) return child(argv);
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--rounds") == 0) rounds = (uint32_t)number(argv[i + 1]);
    else if (strcmp(argv[i], "--seed") == 0) seed = number(argv[i + 1]);
    else if (strcmp(argv[i], "--store") == 0) only = argv[i + 1];
  }
  for (size_t i = 0; i < TEST_STORES && ok; i++) {
    if (!test_store_is_server(i) || (only && strcmp(only, test_store(i)) != 0)) continue;
    if (!test_store_available(i, &status)) continue;
    any = true;
    ok = run_store(i, seed, rounds);
  }
  if (ok && !any && !status) return fprintf(stderr, "engines: no such store: %s\n", only), 2;
  return ok ? status : 1;
}
