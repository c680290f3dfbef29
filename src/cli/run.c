/*
 * ff run: runs every line of a job file once, durably.
 *
 * The main thread opens the store, submits the lines, starts the workers, and then only waits for signals and shows
 * progress. Nothing is remembered outside the store: killed at any instant, the same command line goes on from there.
 */
#include "run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { JOBS, RETRY_FAILED, LEASE, RETRIES, CAPABILITY, CHECK };
enum { LEASE_DEFAULT_MS = 15000, TICK_MS = 100, LINE_EVERY_MS = 2000, QUIET_MS = 2000 };

static const struct cli_option options[] = {
    [JOBS] = {"jobs", 'j', "N", "so many lines at once (default: one per processor)"},
    [RETRY_FAILED] = {"retry-failed", 0, NULL, "run lines that failed in an earlier run again"},
    [LEASE] = {"lease", 0, "DURATION", "how long a line is ours without renewal (default 15s)"},
    [RETRIES] = {"retries", 0, "N", "retries of a line that does not say (default 2)"},
    [CAPABILITY] = {"capability", 'c', "NAMES",
                    "what this run can do, for lines with \"capabilities\""},
    [CHECK] = {"check", 0, NULL, "only check the job file"},
    {NULL, 0, NULL, NULL},
};

/* ---- lines and counters ---- */
void run_settle(struct run *run, struct run_line *line, enum run_state state, const char *how,
                const char *last) {
  struct run_counts *c = &run->counts;
  bool ended = state != RUN_WAITING && state != RUN_RUNNING;
  if (line->state != RUN_WAITING && line->state != RUN_RUNNING) return;
  if (line->state == RUN_RUNNING) c->running--;
  if (state == RUN_RUNNING) c->running++;
  line->state = (uint8_t)state;
  if (how) {
    free(line->how);
    line->how = cli_copy(how, strlen(how));
  }
  if (last) {
    free(line->last);
    line->last = cli_copy(last, strlen(last));
  }
  if (ended) {
    if (line->unmatched) c->unmatched--;
    else c->left--;
    line->unmatched = false;
  }
  if (state == RUN_DONE) c->done++, c->done_before += line->before;
  if (state == RUN_FAILED) c->failed++, c->failed_before += line->before;
  if (state == RUN_FORGOTTEN) c->forgotten++;
  pthread_cond_broadcast(&run->idle);
}

/* "exit 3\n…\nlast output" as a worker stored it. */
static void settle_by_reason(struct run *run, struct run_line *line, const struct ff_execution *e,
                             const char *word) {
  struct ff_str reason = e->failure_reason.len ? e->failure_reason : e->cancellation_reason;
  char how[128], last[512] = "", short_how[96];
  const char *newline = reason.len ? memchr(reason.ptr, '\n', reason.len) : NULL;
  size_t first = newline ? (size_t)(newline - reason.ptr) : reason.len;
  cli_line((struct ff_str){reason.ptr, first}, short_how, sizeof(short_how));
  bool ours = e->public_state == FF_public_state_failed && first > 0;
  if (ours) snprintf(how, sizeof(how), "%s", short_how);
  else snprintf(how, sizeof(how), "%s%s%s", word, first ? ": " : "", short_how);
  if (newline) {
    size_t start = reason.len;
    while (start > first + 1 && reason.ptr[start - 1] != '\n') start--;
    cli_line((struct ff_str){reason.ptr + start, reason.len - start}, last, sizeof(last));
  }
  run_settle(run, line, RUN_FAILED, how, last);
}

void run_settle_as(struct run *run, struct run_line *line, const struct ff_execution *e) {
  if (line->attempts < e->total_attempt_count) line->attempts = e->total_attempt_count;
  if (e->lifecycle_phase != FF_lifecycle_phase_terminal)
    run_settle(run, line, RUN_WAITING, NULL, NULL);
  else if (e->public_state == FF_public_state_completed)
    run_settle(run, line, RUN_DONE, NULL, NULL);
  else settle_by_reason(run, line, e, ff_word(FF_WORD_public_state, e->public_state));
}

void run_wake_all(struct run *run) {
  uint64_t one = 1;
  for (unsigned i = 0; i < run->worker_count; i++)
    if (write(run->workers[i].wake_fd, &one, sizeof(one)) < 0) continue; /* full: it will look */
  pthread_mutex_lock(&run->lock);
  pthread_cond_broadcast(&run->idle);
  pthread_mutex_unlock(&run->lock);
}

void run_fatal(struct run *run, const struct ff_error *error) {
  pthread_mutex_lock(&run->lock);
  bool first = run->code == CLI_OK;
  if (first) run->code = cli_exit_of(error);
  pthread_mutex_unlock(&run->lock);
  if (!first) return;
  char text[512];
  ff_error_format(error, text, sizeof(text));
  int none = 0;
  atomic_compare_exchange_strong(&run->stopping, &none, 1);
  cli_fail(run->cli, error);
  run_wake_all(run);
}

/* ---- options ---- */
static int add_capabilities(struct run *run, const char *value) {
  for (const char *at = value; *at;) {
    size_t len = strcspn(at, ",");
    if (len) {
      run->capabilities =
          cli_grow(run->capabilities, (run->capability_count + 1) * sizeof(*run->capabilities));
      run->capabilities[run->capability_count++] = (struct ff_str){at, len};
    }
    at += len + (at[len] == ',');
  }
  return CLI_OK;
}

static int take_option(struct run *run, int option, const char *value) {
  int64_t number;
  switch (option) {
  case JOBS:
    if (!cli_parse_number(value, 1, RUN_WORKERS_MAX, &number))
      return cli_usage(run->cli, "-j expects 1 to %d, got '%s'", RUN_WORKERS_MAX, value);
    run->worker_count = (unsigned)number;
    return CLI_OK;
  case LEASE:
    if (!cli_parse_duration(value, &run->lease_ms) || run->lease_ms < 300 ||
        run->lease_ms > 86400000)
      return cli_usage(run->cli, "--lease expects 300ms to 1d, got '%s'", value);
    return CLI_OK;
  case RETRIES:
    if (!cli_parse_number(value, 0, RUN_RETRIES_MAX, &number))
      return cli_usage(run->cli, "--retries expects 0 to %d, got '%s'", RUN_RETRIES_MAX, value);
    run->retries = (int32_t)number;
    return CLI_OK;
  case RETRY_FAILED: run->retry_failed = true; return CLI_OK;
  case CAPABILITY: return add_capabilities(run, value);
  default: run->check_only = true; return CLI_OK;
  }
}

static bool has_capability(const struct run *run, struct ff_str token) {
  for (size_t i = 0; i < run->capability_count; i++)
    if (run->capabilities[i].len == token.len &&
        memcmp(run->capabilities[i].ptr, token.ptr, token.len) == 0)
      return true;
  return false;
}

/* ---- setting up ---- */
static void make_lines(struct run *run) {
  size_t count = run->file.job_count;
  run->lines = cli_alloc((count + 1) * sizeof(*run->lines));
  memset(run->lines, 0, (count + 1) * sizeof(*run->lines));
  run->ids_size = 64;
  while (run->ids_size < count * 2) run->ids_size *= 2;
  run->ids = cli_alloc(run->ids_size * sizeof(*run->ids));
  memset(run->ids, 0, run->ids_size * sizeof(*run->ids));
  run->counts.total = count;
  for (size_t i = 0; i < count; i++) {
    struct run_line *line = &run->lines[i];
    line->job = &run->file.jobs[i];
    for (size_t c = 0; c < line->job->capabilities.count && !line->unmatched; c++)
      line->unmatched = !has_capability(run, line->job->capabilities.items[c]);
    if (line->unmatched) run->counts.unmatched++;
    else run->counts.left++;
  }
}

static int make_workers(struct run *run) {
  run->workers = cli_alloc(run->worker_count * sizeof(*run->workers));
  memset(run->workers, 0, run->worker_count * sizeof(*run->workers));
  for (unsigned i = 0; i < run->worker_count; i++) {
    struct run_worker *worker = &run->workers[i];
    *worker = (struct run_worker){.run = run,
                                  .index = i,
                                  .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                  .output = cli_alloc(RUN_OUTPUT_MAX)};
    if (worker->wake_fd < 0)
      return cli_error(CLI_UNREACHABLE, "cannot start %u workers: %s", run->worker_count,
                       strerror(errno));
  }
  return CLI_OK;
}

static void init_locks(struct run *run) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&run->lock, NULL);
  pthread_cond_init(&run->idle, NULL);
  pthread_cond_init(&run->renewer, &monotonic);
  pthread_condattr_destroy(&monotonic);
}

static void name_instance(struct run *run) {
  char host[128] = "";
  if (gethostname(host, sizeof(host) - 1) != 0 || !host[0])
    snprintf(host, sizeof(host), "localhost");
  for (char *at = host; *at; at++)
    if (*at <= ' ' || *at == 0x7f) *at = '-';
  snprintf(run->instance, sizeof(run->instance), "%s:%ld", host, (long)getpid());
}

/* The signals the main thread waits for; every other thread inherits the mask and never sees them. */
static sigset_t own_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGUSR1);
  return set;
}

static int open_store(struct run *run) {
  struct ff_open_options open_options = FF_OPEN_OPTIONS_INIT;
  open_options.auto_reclaim_delay_ms = 1;
  open_options.retention_ms = RUN_KEEP_MS;
  if (!run->cli->url) {
    if (mkdir(CLI_RUN_DIRECTORY, 0700) != 0 && errno != EEXIST)
      return cli_error(CLI_UNREACHABLE, "transport: cannot make %s: %s", CLI_RUN_DIRECTORY,
                       strerror(errno));
    run->cli->url = CLI_RUN_URL;
  }
  return cli_open_worker(run->cli, &open_options);
}

/* ---- running ---- */
static void stop_renewer(struct run *run, pthread_t renewer) {
  pthread_mutex_lock(&run->lock);
  run->renewer_over = true;
  pthread_cond_broadcast(&run->renewer);
  pthread_mutex_unlock(&run->lock);
  pthread_join(renewer, NULL);
}

/* As many workers as the system lets us have; false when that is none. */
static bool start_workers(struct run *run, pthread_t *renewer) {
  unsigned started = 0;
  if (pthread_create(renewer, NULL, run_renewer_main, run) != 0) return false;
  run->workers_left = run->worker_count;
  for (; started < run->worker_count; started++) {
    struct run_worker *worker = &run->workers[started];
    worker->started = pthread_create(&worker->thread, NULL, run_worker_main, worker) == 0;
    if (!worker->started) break;
  }
  pthread_mutex_lock(&run->lock);
  run->workers_left -= run->worker_count - started;
  pthread_mutex_unlock(&run->lock);
  if (!started) stop_renewer(run, *renewer);
  return started > 0;
}

static void stop(struct run *run) {
  int level = atomic_fetch_add(&run->stopping, 1);
  if (level == 0)
    run_show_event(run, NULL, "stopping: commands get %d s to end (again: kill them)",
                   RUN_GRACE_MS / 1000);
  if (level >= 3) {
    if (run->shown) fputc('\n', stderr);
    _exit(CLI_INTERRUPTED); /* the guard kills what is left */
  }
  run_wake_all(run);
}

void run_poll_signals(struct run *run) {
  sigset_t set = own_signals();
  struct timespec now = {0};
  int number = sigtimedwait(&set, NULL, &now);
  if (number > 0 && number != SIGUSR1) stop(run);
}

/* Nothing runs although lines are left: somebody else ended, held or paused them, or they wait for their next try. */
static void look_around(struct run *run, int64_t *quiet_since, bool *said) {
  int64_t now = cli_monotonic_ms();
  pthread_mutex_lock(&run->lock);
  bool quiet = run->counts.running == 0 && run->counts.left > 0;
  pthread_mutex_unlock(&run->lock);
  if (!quiet || !*quiet_since) *quiet_since = now;
  if (!quiet) *said = false;
  if (!quiet || now - *quiet_since < QUIET_MS) return;
  *quiet_since = now;
  run_reconcile(run);
  if (*said || atomic_load(&run->stopping)) return;
  run_show_event(
      run, NULL,
      "nothing to do right now: lines wait for their next try, or are held, or their lane is "
      "paused");
  *said = true;
}

static void wait_for_workers(struct run *run) {
  sigset_t set = own_signals();
  bool terminal = isatty(STDERR_FILENO), said = false;
  int64_t next_line = run->started + LINE_EVERY_MS, quiet_since = 0;
  for (;;) {
    pthread_mutex_lock(&run->lock);
    bool over = run->workers_left == 0;
    pthread_mutex_unlock(&run->lock);
    if (over) return;
    struct timespec tick = {.tv_nsec = TICK_MS * 1000000};
    int number = sigtimedwait(&set, NULL, &tick);
    if (number > 0 && number != SIGUSR1) stop(run);
    if (terminal) run_show_progress(run, false);
    else if (cli_monotonic_ms() >= next_line) {
      run_show_progress(run, false);
      next_line += LINE_EVERY_MS;
    }
    look_around(run, &quiet_since, &said);
  }
}

static int run_lines(struct run *run) {
  pthread_t renewer;
  run->main_thread = pthread_self();
  run->started = cli_monotonic_ms();
  if (run->counts.left) {
    if (!start_workers(run, &renewer))
      return cli_error(CLI_UNREACHABLE, "cannot start threads: %s", strerror(errno));
    wait_for_workers(run);
    for (unsigned i = 0; i < run->worker_count; i++)
      if (run->workers[i].started) pthread_join(run->workers[i].thread, NULL);
    stop_renewer(run, renewer);
    run_show_progress(run, true);
  }
  return run_show_summary(run);
}

static int prepare(struct run *run) {
  int code = open_store(run);
  if (code != CLI_OK) return code;
  make_lines(run);
  code = make_workers(run);
  if (code != CLI_OK) return code;
  code = run_submit(run);
  if (code == CLI_OK) code = run_resume(run);
  if (code != CLI_OK) return code;
  size_t before = run->counts.done_before + run->counts.failed_before;
  char url[4200];
  cli_note(run->cli, "%zu line%s%s, %u at once, in %s lane %s", run->file.job_count,
           run->file.job_count == 1 ? "" : "s", before ? " (some ended in an earlier run)" : "",
           run->worker_count, cli_url_shown(run->cli, url, sizeof(url)), run->file.lanes[0]);
  return CLI_OK;
}

static void run_fini(struct run *run) {
  run_guard_stop(run);
  for (unsigned i = 0; run->workers && i < run->worker_count; i++) {
    if (run->workers[i].wake_fd >= 0) close(run->workers[i].wake_fd);
    free(run->workers[i].output);
  }
  for (size_t i = 0; run->lines && i < run->file.job_count; i++) {
    free(run->lines[i].how);
    free(run->lines[i].last);
  }
  free(run->workers);
  free(run->lines);
  free(run->ids);
  free(run->capabilities);
  run_file_fini(&run->file);
}

static int run_job_file(struct run *run, const char *name) {
  int code = run_file_load(run->cli, name, &run->file);
  if (code != CLI_OK) return code;
  if (run->check_only) {
    printf("%s: %zu lines with work, all right\n", name, run->file.job_count);
    return CLI_OK;
  }
  sigset_t set = own_signals();
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (!run_guard_start(run))
    return cli_error(CLI_UNREACHABLE, "cannot start a process: %s", strerror(errno));
  init_locks(run);
  name_instance(run);
  code = prepare(run);
  return code == CLI_OK ? run_lines(run) : code;
}

static int run_run(struct cli *cli, int argc, char **argv) {
  struct run run = {
      .cli = cli, .lease_ms = LEASE_DEFAULT_MS, .retries = RUN_RETRIES, .guard_fd = -1};
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  run.worker_count = processors < 1                 ? 1
                     : processors > RUN_WORKERS_MAX ? RUN_WORKERS_MAX
                                                    : (unsigned)processors;
  struct cli_args args;
  cli_args_init(&args, cli, argc, argv);
  int option, code = CLI_OK;
  while (code == CLI_OK && (option = cli_args_next(&args)) >= 0)
    code = take_option(&run, option, args.value);
  if (code == CLI_OK && option != CLI_ARGS_END) code = cli_args_stop(option);
  else if (code == CLI_OK && args.word_count != 1)
    code = cli_usage(cli, "run expects one job file");
  else if (code == CLI_OK) code = run_job_file(&run, args.words[0]);
  cli_close(cli);
  run_fini(&run);
  return code;
}

const struct cli_verb cli_verb_run = {
    .name = "run",
    .summary = "run every line of a job file once, durably",
    .usage = "run FILE [-j N] [--retry-failed]",
    .examples = "ff run jobs.txt -j 8              killed whenever you like, the same goes on\n"
                "ff run jobs.txt --retry-failed    run what failed again\n"
                "ff list --run jobs.txt            the lines and their states",
    .notes = "A line is a shell command, or a JSON object with \"command\" and, if wanted,\n"
             "  \"priority\": 5           0 to 9000, larger runs first\n"
             "  \"retries\": 3            0 to 1000\n"
             "  \"timeout\": \"10s\"        or seconds; the command is killed then\n"
             "  \"lane\": \"gpu\"           a lane of its own, to pause with ff lanes\n"
             "  \"capabilities\": [\"gpu\"] runs only where --capability gpu is given\n"
             "Blank lines and lines that begin with # are skipped.\n"
             "\n"
             "How a command ends: exit 0 completes the line. Exit 64 to 78 (but not 75),\n"
             "126 and 127 fail it for good. Any other exit, a timeout and death by a signal\n"
             "are retried while retries are left. The last 64 KiB of output are kept: see\n"
             "ff result EID, or the failure in ff get EID.\n"
             "\n"
             "Ctrl-C gives the lines under way back; again kills their commands at once.\n"
             "A line is known by the file's path, its number and its text: add lines at the\n"
             "end; a changed line is a new one. The store is .flowfabric/flowfabric.db in\n"
             "this directory unless --url says otherwise.",
    .options = options,
    .run = run_run,
};
