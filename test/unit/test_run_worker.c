/*
 * A worker of `ff run` against an engine in this process: what no other process can do yet to a line that is running,
 * cancelling it and revoking its lease, must kill the command's whole group at once and leave nothing half told.
 *
 * The files under test are included, because the program exports nothing; what they need of the others is replaced
 * below.
 */
#include "src/cli/run_child.c"
#include "src/cli/run_frames.c"
#include "src/cli/run_guard.c"
#include "src/cli/run_renew.c"
#include "src/cli/run_worker.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>

#include <cmocka.h>

/* ---- what the other files of the command line do, as far as it matters here ---- */
void *cli_grow(void *old, size_t size) {
  return realloc(old, size ? size : 1);
}

void *cli_alloc(size_t size) {
  return cli_grow(NULL, size);
}

char *cli_copy(const char *text, size_t len) {
  char *copy = cli_alloc(len + 1);
  memcpy(copy, text, len);
  copy[len] = '\0';
  return copy;
}

static int64_t clock_ms(clockid_t which) {
  struct timespec now;
  clock_gettime(which, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t cli_now_ms(void) {
  return clock_ms(CLOCK_REALTIME);
}

int64_t cli_monotonic_ms(void) {
  return clock_ms(CLOCK_MONOTONIC);
}

void cli_sleep_ms(int64_t ms) {
  usleep((useconds_t)ms * 1000);
}

size_t cli_utf8_length(const char *text, size_t len) {
  return len && (unsigned char)text[0] < 0x80;
}

const char *cli_line(struct ff_str text, char *out, size_t out_size) {
  snprintf(out, out_size, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
  return out;
}

const char *cli_span_text(int64_t ms, char out[32]) {
  snprintf(out, 32, "%d ms", (int)ms);
  return out;
}

void run_show_event(struct run *run, const struct run_line *line, const char *format, ...) {
  (void)run;
  (void)line;
  (void)format;
}

struct run_line *run_find(struct run *run, const char *execution_id) {
  return strcmp(run->lines[0].id.text, execution_id) == 0 ? &run->lines[0] : NULL;
}

void run_settle(struct run *run, struct run_line *line, enum run_state state, const char *how,
                const char *last) {
  (void)last;
  line->state = (uint8_t)state;
  if (how) {
    free(line->how);
    line->how = cli_copy(how, strlen(how));
  }
  if (state == RUN_DONE || state == RUN_FAILED) run->counts.left = 0;
  pthread_cond_broadcast(&run->idle);
}

void run_settle_as(struct run *run, struct run_line *line, const struct ff_execution *e) {
  bool ended = e->lifecycle_phase == FF_lifecycle_phase_terminal;
  bool completed = e->public_state == FF_public_state_completed;
  run_settle(run, line,
             !ended      ? RUN_WAITING
             : completed ? RUN_DONE
                         : RUN_FAILED,
             ff_word(FF_WORD_public_state, e->public_state), NULL);
}

void run_fatal(struct run *run, const struct ff_error *error) {
  char text[512];
  ff_error_format(error, text, sizeof text);
  print_error("fatal: %s\n", text);
  run->code = CLI_UNREACHABLE;
  atomic_store(&run->stopping, 1);
}

void run_wake_all(struct run *run) {
  uint64_t one = 1;
  assert_int_equal(write(run->workers[0].wake_fd, &one, sizeof one), sizeof one);
}

/* ---- one line, one worker ---- */
struct fixture {
  struct cli cli;
  struct run run;
  struct run_line line;
  struct run_job job;
  struct run_worker worker;
  char lanes[1][80];
  pthread_t renewer;
  char marker[64]; /* a file the command makes when it runs */
};

static void submit(struct fixture *f, const char *command, const char *policy) {
  struct ff_submit_args args = FF_ARGS(submit);
  struct ff_submit_result result;
  args.lane_id = ff_text(f->lanes[0]);
  args.execution_kind = ff_text("ff-run");
  args.input_payload = (struct ff_bytes){command, strlen(command)};
  args.policy = ff_text(policy);
  assert_int_equal(ff_submit(f->cli.engine, &args, &result, NULL), FF_OK);
  f->line.id = result.execution_id;
  ff_clear(&result);
}

static void start_worker(struct fixture *f, int64_t lease_ms) {
  f->run.lease_ms = lease_ms;
  f->run.workers_left = 1;
  assert_int_equal(pthread_create(&f->renewer, NULL, run_renewer_main, &f->run), 0);
  assert_int_equal(pthread_create(&f->worker.thread, NULL, run_worker_main, &f->worker), 0);
}

static void finish(struct fixture *f) {
  pthread_join(f->worker.thread, NULL);
  pthread_mutex_lock(&f->run.lock);
  f->run.renewer_over = true;
  pthread_cond_broadcast(&f->run.renewer);
  pthread_mutex_unlock(&f->run.lock);
  pthread_join(f->renewer, NULL);
}

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  pthread_condattr_t monotonic;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  snprintf(f->lanes[0], sizeof f->lanes[0], "run-test");
  snprintf(f->marker, sizeof f->marker, "/tmp/ff-run-worker.%d", (int)getpid());
  unlink(f->marker);
  assert_true(run_guard_start(&f->run));
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  options.dev_mode = true;
  options.auto_reclaim_delay_ms = 1;
  assert_int_equal(ff_open("memory:", &options, &f->cli.engine, NULL), FF_OK);
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&f->run.lock, NULL);
  pthread_cond_init(&f->run.idle, NULL);
  pthread_cond_init(&f->run.renewer, &monotonic);
  f->job.line = 1;
  f->line.job = &f->job;
  f->run.cli = &f->cli;
  f->run.lines = &f->line;
  f->run.workers = &f->worker;
  f->run.worker_count = 1;
  f->run.file.lanes = f->lanes;
  f->run.file.lane_count = 1;
  f->run.file.path = f->marker;
  f->run.counts.left = 1;
  f->run.main_thread = pthread_self();
  snprintf(f->run.instance, sizeof f->run.instance, "test:%d", (int)getpid());
  f->worker.run = &f->run;
  f->worker.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  f->worker.output = cli_alloc(RUN_OUTPUT_MAX);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  ff_close(f->cli.engine);
  run_guard_stop(&f->run);
  close(f->worker.wake_fd);
  unlink(f->marker);
  free(f->worker.output);
  free(f->line.how);
  free(f);
  return 0;
}

/* The pids the command wrote into its file, once there are `count` of them. */
static void read_pids(const struct fixture *f, pid_t *pids, size_t count) {
  for (int tries = 0; tries < 400; tries++) {
    FILE *file = fopen(f->marker, "r");
    size_t got = 0;
    int pid;
    while (file && got < count && fscanf(file, "%d", &pid) == 1) pids[got++] = pid;
    if (file) fclose(file);
    if (got == count) return;
    usleep(10000);
  }
  fail_msg("the command did not start");
}

static bool is_gone(pid_t pid) {
  for (int tries = 0; tries < 300; tries++) {
    if (kill(pid, 0) != 0) return true;
    char path[64], state[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file && !fgets(state, sizeof state, file)) state[0] = '\0';
    if (file) fclose(file);
    if (strstr(state, ") Z ")) return true; /* only its parent has not looked yet */
    usleep(10000);
  }
  return false;
}

/* Says who it is and starts one more process of its group, both for ever. */
static void submit_endless(struct fixture *f, const char *policy) {
  char command[256];
  snprintf(command, sizeof command, "sleep 600 & echo $! $$ >>%s; wait", f->marker);
  submit(f, command, policy);
}

static void completes(void **state) {
  struct fixture *f = *state;
  submit(f, "echo out; echo err >&2", "");
  start_worker(f, 15000);
  finish(f);
  assert_int_equal(f->line.state, RUN_DONE);
  struct ff_get_execution_result_args args = FF_ARGS(get_execution_result);
  struct ff_get_execution_result_result result;
  args.execution_id = ff_text(f->line.id.text);
  assert_int_equal(ff_get_execution_result(f->cli.engine, &args, &result, NULL), FF_OK);
  assert_int_equal(result.payload.len, 8);
  assert_memory_equal(result.payload.ptr, "out\nerr\n", 8);
  ff_clear(&result);
}

static void cancel_kills_the_group(void **state) {
  struct fixture *f = *state;
  pid_t pids[2];
  submit_endless(f, "");
  start_worker(f, 900);
  read_pids(f, pids, 2);
  struct ff_cancel_execution_args args = FF_ARGS(cancel_execution);
  struct ff_cancel_execution_result result;
  args.execution_id = ff_text(f->line.id.text);
  args.reason = ff_text("enough");
  int64_t before = cli_monotonic_ms();
  assert_int_equal(ff_cancel_execution(f->cli.engine, &args, &result, NULL), FF_OK);
  ff_clear(&result);
  finish(f);
  assert_in_range(cli_monotonic_ms() - before, 0, 3000);
  assert_true(is_gone(pids[0]));
  assert_true(is_gone(pids[1]));
  assert_int_equal(f->line.state, RUN_FAILED);
  assert_string_equal(f->line.how, "cancelled");
}

static void revoked_lease_kills_and_runs_again(void **state) {
  struct fixture *f = *state;
  char command[256];
  pid_t pids[2];
  snprintf(command, sizeof command,
           "test $FF_ATTEMPT -gt 0 || { sleep 600 & echo $! $$ >>%s; wait; }", f->marker);
  submit(f, command, "{\"auto_reclaim_delay_ms\":0}");
  start_worker(f, 900);
  read_pids(f, pids, 2);
  struct ff_revoke_lease_args args = FF_ARGS(revoke_lease);
  struct ff_revoke_lease_result result;
  args.execution_id = ff_text(f->line.id.text);
  assert_int_equal(ff_revoke_lease(f->cli.engine, &args, &result, NULL), FF_OK);
  assert_int_equal(result.outcome, FF_outcome_revoked);
  ff_clear(&result);
  finish(f);
  assert_true(is_gone(pids[0]));
  assert_true(is_gone(pids[1]));
  assert_int_equal(f->line.state, RUN_DONE);
  assert_true(f->line.attempts >= 2);
}

static void stopping_gives_the_line_back(void **state) {
  struct fixture *f = *state;
  pid_t pids[2];
  submit_endless(f, "");
  start_worker(f, 15000);
  read_pids(f, pids, 2);
  atomic_store(&f->run.stopping, 1);
  run_wake_all(&f->run);
  finish(f);
  assert_true(is_gone(pids[0]));
  assert_int_equal(f->line.state, RUN_WAITING);
  struct ff_describe_execution_args args = FF_ARGS(describe_execution);
  struct ff_describe_execution_result result;
  args.execution_id = ff_text(f->line.id.text);
  assert_int_equal(ff_describe_execution(f->cli.engine, &args, &result, NULL), FF_OK);
  assert_int_equal(result.execution.lifecycle_phase, FF_lifecycle_phase_runnable);
  assert_int_equal(result.execution.retry_count, 0);
  ff_clear(&result);
}

/* Output is bounded and the verdicts are those of the table, without running anything. */
static void judges_ends(void **state) {
  struct fixture *f = *state;
  static const struct {
    int status;
    enum ff_failure_class class_;
  } ends[] = {{1, FF_failure_class_transient},   {63, FF_failure_class_transient},
              {64, FF_failure_class_permanent},  {74, FF_failure_class_permanent},
              {75, FF_failure_class_transient},  {76, FF_failure_class_permanent},
              {78, FF_failure_class_permanent},  {79, FF_failure_class_transient},
              {125, FF_failure_class_transient}, {126, FF_failure_class_permanent},
              {127, FF_failure_class_permanent}, {128, FF_failure_class_transient},
              {255, FF_failure_class_transient}};
  for (size_t i = 0; i < CLI_COUNT(ends); i++) {
    struct run_outcome outcome = {RUN_EXITED, ends[i].status << 8};
    assert_int_equal(judge(&f->line, outcome).class_, ends[i].class_);
  }
  assert_int_equal(judge(&f->line, (struct run_outcome){RUN_EXITED, SIGKILL}).class_,
                   FF_failure_class_transient);
  assert_int_equal(judge(&f->line, (struct run_outcome){RUN_TIMED_OUT, 0}).class_,
                   FF_failure_class_timeout);
}

static void keeps_the_end_of_the_output(void **state) {
  struct fixture *f = *state;
  char reason[RUN_REASON_MAX + 1], last[512];
  size_t size;
  for (size_t i = 0; i < RUN_OUTPUT_MAX; i++) f->worker.output[i] = (char)('a' + i % 26);
  f->worker.output_total = RUN_OUTPUT_MAX + 3;
  memcpy(f->worker.output, "XYZ", 3);
  char *output = run_output(&f->worker, &size);
  assert_true(size > RUN_OUTPUT_MAX && size < RUN_OUTPUT_MAX + 100);
  assert_memory_equal(output, "[ff run: the first 3 bytes", 26);
  assert_memory_equal(output + size - 3, "XYZ", 3);
  free(output);
  make_reason(&f->worker, "exit 1", reason, last);
  assert_int_equal(strlen(reason), RUN_REASON_MAX);
  assert_string_equal(reason + RUN_REASON_MAX - 3, "XYZ");
  memcpy(f->worker.output, "one\ntwo \377\n\n", 11);
  f->worker.output_total = 11;
  make_reason(&f->worker, "exit 1", reason, last);
  assert_string_equal(reason, "exit 1\none\ntwo ?");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(completes, setup, teardown),
      cmocka_unit_test_setup_teardown(cancel_kills_the_group, setup, teardown),
      cmocka_unit_test_setup_teardown(revoked_lease_kills_and_runs_again, setup, teardown),
      cmocka_unit_test_setup_teardown(stopping_gives_the_line_back, setup, teardown),
      cmocka_unit_test_setup_teardown(judges_ends, setup, teardown),
      cmocka_unit_test_setup_teardown(keeps_the_end_of_the_output, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
