/*
 * A worker of `ff run`: claims a line, runs its command, tells the engine how it ended, again and again until no line
 * is left.
 *
 * The engine decides what an end means (retry or final); this file only says what happened. Idle workers queue up:
 * one of them waits for work in the engine, the others for their turn.
 */
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { TRIES = 8, PARK_MS = 60000, RESTART_MS = 1000 };

/* What one claim gave; `result` owns it. */
struct held_task {
  struct ff_complete_and_claim_result fused;
  struct ff_claim_task_result claimed;
  const struct ff_task *task; /* NULL = none */
};

static void drop(struct held_task *held) {
  ff_clear(&held->fused);
  ff_clear(&held->claimed);
  held->task = NULL;
}

static bool is_over(struct run *run) {
  return atomic_load(&run->stopping) || run->counts.left == 0;
}

/* Whether the same call may help: the store failed for now. Sleeps a little, longer each time. */
static bool again(const struct ff_error *error, int try) {
  bool passing = error->rc == FF_TRANSPORT || error->rc == FF_RESOURCE_EXHAUSTED ||
                 error->code == FF_CODE_retry_exhausted;
  if (!passing || try + 1 >= TRIES || ff_code_class(error->code) != FF_CLASS_RETRYABLE)
    return false;
  cli_sleep_ms(20 << try);
  return true;
}

/* The lease is not ours any more: nothing we say counts. */
static bool is_lost(const struct ff_error *error) {
  return error->rc == FF_STATE || error->rc == FF_NOT_FOUND ||
         error->code == FF_CODE_execution_not_active;
}

/* ---- claiming ---- */

/* Lanes are looked at in order; every worker begins at another one, so that no lane waits for all the others. */
static void order_lanes(const struct run_worker *worker, struct ff_str lanes[RUN_LANES_MAX]) {
  const struct run_file *file = &worker->run->file;
  for (uint32_t i = 0; i < file->lane_count; i++)
    lanes[i] = ff_text(file->lanes[(i + worker->index) % file->lane_count]);
}

static void show_held(struct run_worker *worker, const struct ff_task *task, int64_t since) {
  struct run *run = worker->run;
  pthread_mutex_lock(&run->lock);
  worker->held.active = task != NULL;
  worker->held.lost = false;
  worker->held.generation++;
  if (task) worker->held.handle = task->handle;
  worker->held.until = since + run->lease_ms;
  pthread_mutex_unlock(&run->lock);
}

static void claim(struct run_worker *worker, struct held_task *held) {
  struct run *run = worker->run;
  struct ff_str lanes[RUN_LANES_MAX];
  char request[256];
  struct ff_claim_task_args args = FF_ARGS(claim_task);
  order_lanes(worker, lanes);
  snprintf(request, sizeof(request), "%.64s/%u/%" PRIu64, run->instance, worker->index,
           ++worker->claims);
  args.lane_ids = (struct ff_strs){lanes, run->file.lane_count};
  args.capabilities = (struct ff_strs){run->capabilities, run->capability_count};
  args.worker_id = ff_text("ff-run");
  args.worker_instance_id = ff_text(run->instance);
  args.lease_ttl_ms = (uint64_t)run->lease_ms;
  args.max_wait_ms = RUN_SCOUT_MS;
  args.request_id = ff_text(request);
  for (int try = 0;; try++) {
    struct ff_error error = {0};
    int64_t since = cli_monotonic_ms();
    if (ff_claim_task(run->cli->engine, &args, &held->claimed, &error) == FF_OK) {
      if (held->claimed.outcome == FF_outcome_claimed) held->task = &held->claimed.task;
      show_held(worker, held->task, since);
      return;
    }
    if (again(&error, try)) continue;
    run_fatal(run, &error);
    return;
  }
}

/* Waits for its turn to look for work, then looks. */
static void claim_in_turn(struct run_worker *worker, struct held_task *held) {
  struct run *run = worker->run;
  pthread_mutex_lock(&run->lock);
  while (run->scouting && !is_over(run)) pthread_cond_wait(&run->idle, &run->lock);
  bool over = is_over(run);
  if (!over) run->scouting = true;
  pthread_mutex_unlock(&run->lock);
  if (over) return;
  claim(worker, held);
  pthread_mutex_lock(&run->lock);
  run->scouting = false;
  pthread_cond_broadcast(&run->idle);
  pthread_mutex_unlock(&run->lock);
}

/* ---- telling the engine ---- */

static void give_back(struct run_worker *worker, const struct ff_task *task, int64_t until) {
  struct ff_delay_args args = FF_ARGS(delay);
  args.handle = task->handle;
  args.delay_until = until;
  for (int try = 0;; try++) {
    struct ff_error error = {0};
    struct ff_delay_result result;
    if (ff_delay(worker->run->cli->engine, &args, &result, &error) == FF_OK) {
      ff_clear(&result);
      return;
    }
    if (again(&error, try)) continue;
    if (!is_lost(&error)) run_fatal(worker->run, &error);
    return;
  }
}

/* What the engine says became of a line whose lease was lost. */
static void look_up(struct run_worker *worker, struct run_line *line) {
  struct run *run = worker->run;
  struct ff_describe_execution_args args = FF_ARGS(describe_execution);
  struct ff_describe_execution_result found;
  struct ff_error error = {0};
  args.execution_id = ff_text(line->id.text);
  enum ff_rc rc = ff_describe_execution(run->cli->engine, &args, &found, &error);
  pthread_mutex_lock(&run->lock);
  if (rc == FF_OK && found.outcome != FF_outcome_none) run_settle_as(run, line, &found.execution);
  else run_settle(run, line, RUN_WAITING, NULL, NULL);
  pthread_mutex_unlock(&run->lock);
  if (rc != FF_OK) run_fatal(run, &error);
  else ff_clear(&found);
}

static void settle_done(struct run *run, struct run_line *line) {
  pthread_mutex_lock(&run->lock);
  run_settle(run, line, RUN_DONE, NULL, NULL);
  pthread_mutex_unlock(&run->lock);
}

/* What the engine answered to the end of a command; nothing is held any more. */
static void not_reported(struct run_worker *worker, struct run_line *line,
                         const struct ff_error *error) {
  show_held(worker, NULL, 0);
  if (is_lost(error)) look_up(worker, line);
  else run_fatal(worker->run, error);
}

/* Completes and claims nothing: the run is being stopped. */
static void report_last(struct run_worker *worker, struct run_line *line, struct held_task *held) {
  struct ff_complete_args args = FF_ARGS(complete);
  struct ff_complete_result result;
  struct ff_error error = {0};
  enum ff_rc rc;
  size_t size;
  char *output = run_output(worker, &size);
  args.handle = held->task->handle;
  args.result_payload = (struct ff_bytes){output, size};
  args.result_encoding = ff_text("output");
  int try = 0;
  do {
    rc = ff_complete(worker->run->cli->engine, &args, &result, &error);
  } while (rc != FF_OK && again(&error, try++));
  free(output);
  drop(held);
  if (rc != FF_OK) {
    not_reported(worker, line, &error);
    return;
  }
  ff_clear(&result);
  show_held(worker, NULL, 0);
  settle_done(worker->run, line);
}

/* Completes; the next task comes in the same call. */
static void report_done(struct run_worker *worker, struct run_line *line, struct held_task *held) {
  struct run *run = worker->run;
  struct ff_str lanes[RUN_LANES_MAX];
  char request[256];
  size_t size;
  char *output = run_output(worker, &size);
  struct ff_complete_and_claim_args args = FF_ARGS(complete_and_claim);
  struct ff_complete_and_claim_result next;
  struct ff_error error = {0};
  enum ff_rc rc;
  int64_t since;
  order_lanes(worker, lanes);
  snprintf(request, sizeof(request), "%.64s/%u/%" PRIu64, run->instance, worker->index,
           ++worker->claims);
  args.handle = held->task->handle;
  args.result_payload = (struct ff_bytes){output, size};
  args.result_encoding = ff_text("output");
  args.lane_ids = (struct ff_strs){lanes, run->file.lane_count};
  args.capabilities = (struct ff_strs){run->capabilities, run->capability_count};
  args.worker_id = ff_text("ff-run");
  args.worker_instance_id = ff_text(run->instance);
  args.lease_ttl_ms = (uint64_t)run->lease_ms;
  args.request_id = ff_text(request);
  int try = 0;
  do {
    since = cli_monotonic_ms();
    rc = ff_complete_and_claim(run->cli->engine, &args, &next, &error);
  } while (rc != FF_OK && again(&error, try++));
  free(output);
  drop(held);
  if (rc != FF_OK) {
    not_reported(worker, line, &error);
    return;
  }
  held->fused = next;
  if (next.outcome == FF_outcome_claimed) held->task = &held->fused.task;
  show_held(worker, held->task, since);
  settle_done(run, line);
}

/* The last output line that is not empty, without control characters. */
static void last_line(const char *output, size_t size, char out[512]) {
  while (size && strchr(" \t\r\n", output[size - 1]) && output[size - 1]) size--;
  size_t start = size;
  while (start && output[start - 1] != '\n') start--;
  cli_line((struct ff_str){output + start, size - start}, out, 512);
}

/* "exit 3" and the end of the output, as UTF-8 of at most RUN_REASON_MAX bytes. */
static void make_reason(const struct run_worker *worker, const char *how,
                        char reason[RUN_REASON_MAX + 1], char last[512]) {
  size_t size, used = (size_t)snprintf(reason, RUN_REASON_MAX + 1, "%s\n", how);
  char *output = run_output(worker, &size);
  size_t room = RUN_REASON_MAX - used, at = size > room ? size - room : 0;
  last_line(output, size, last);
  while (at < size && ((unsigned char)output[at] & 0xc0) == 0x80) at++;
  while (at < size) {
    size_t step = cli_utf8_length(output + at, size - at);
    bool plain = step > 0 && output[at] != '\0';
    if (plain) memcpy(reason + used, output + at, step);
    else reason[used] = '?';
    used += plain ? step : 1;
    at += step ? step : 1;
  }
  while (used && reason[used - 1] == '\n') used--;
  reason[used] = '\0';
  free(output);
}

/* How a command ended, for people, for the engine's category, and as a failure class. */
struct verdict {
  char how[64], category[32];
  enum ff_failure_class class_;
};

static bool is_permanent(int status) {
  return (status >= 64 && status <= 78 && status != 75) || status == 126 || status == 127;
}

static struct verdict judge(const struct run_line *line, struct run_outcome outcome) {
  struct verdict v = {.class_ = FF_failure_class_transient};
  if (outcome.end == RUN_TIMED_OUT) {
    char span[32];
    snprintf(v.how, sizeof(v.how), "timed out after %s",
             cli_span_text(line->job->timeout_ms, span));
    snprintf(v.category, sizeof(v.category), "timeout");
    v.class_ = FF_failure_class_timeout;
  } else if (WIFSIGNALED(outcome.status)) {
    int number = WTERMSIG(outcome.status);
    const char *name = sigabbrev_np(number);
    snprintf(v.how, sizeof(v.how), "signal %d%s%s", number, name ? " SIG" : "", name ? name : "");
    snprintf(v.category, sizeof(v.category), "signal_%d", number);
  } else {
    int status = WEXITSTATUS(outcome.status);
    snprintf(v.how, sizeof(v.how), "exit %d", status);
    snprintf(v.category, sizeof(v.category), "exit_%d", status);
    if (is_permanent(status)) v.class_ = FF_failure_class_permanent;
  }
  return v;
}

static void settle_failed(struct run *run, struct run_line *line,
                          const struct ff_fail_result *result, const struct verdict *v,
                          const char *last) {
  bool retried = result->outcome == FF_outcome_retry_scheduled;
  pthread_mutex_lock(&run->lock);
  if (retried) run->counts.retried++;
  run_settle(run, line, retried ? RUN_WAITING : RUN_FAILED, v->how, last);
  pthread_mutex_unlock(&run->lock);
  if (!retried) run_show_event(run, line, "failed: %s%s%s", v->how, last[0] ? ": " : "", last);
  else if (run->cli->verbose)
    run_show_event(run, line, "will be retried: %s%s%s", v->how, last[0] ? ": " : "", last);
}

static void report_failed(struct run_worker *worker, struct run_line *line,
                          const struct ff_task *task, struct run_outcome outcome) {
  struct verdict v = judge(line, outcome);
  char reason[RUN_REASON_MAX + 1], last[512];
  make_reason(worker, v.how, reason, last);
  struct ff_fail_args args = FF_ARGS(fail);
  args.handle = task->handle;
  args.reason = ff_text(reason);
  args.detail = ff_text(v.category);
  args.failure_class = (uint8_t)v.class_;
  for (int try = 0;; try++) {
    struct ff_error error = {0};
    struct ff_fail_result result;
    if (ff_fail(worker->run->cli->engine, &args, &result, &error) == FF_OK) {
      settle_failed(worker->run, line, &result, &v, last);
      ff_clear(&result);
      return;
    }
    if (again(&error, try)) continue;
    if (is_lost(&error)) look_up(worker, line);
    else run_fatal(worker->run, &error);
    return;
  }
}

static void back_to_waiting(struct run_worker *worker, struct run_line *line) {
  pthread_mutex_lock(&worker->run->lock);
  run_settle(worker->run, line, RUN_WAITING, NULL, NULL);
  pthread_mutex_unlock(&worker->run->lock);
}

/* Says how the command ended; held is empty afterwards or has the next task. */
static void report(struct run_worker *worker, struct run_line *line, struct held_task *held,
                   struct run_outcome outcome) {
  switch (outcome.end) {
  case RUN_LOST:
    run_show_event(worker->run, line, "lost its lease and was killed");
    look_up(worker, line);
    break;
  case RUN_STOPPED:
    give_back(worker, held->task, cli_now_ms());
    back_to_waiting(worker, line);
    break;
  case RUN_NOT_STARTED:
    run_show_event(worker->run, line, "cannot be started now: %s", strerror(outcome.status));
    give_back(worker, held->task, cli_now_ms() + RESTART_MS);
    back_to_waiting(worker, line);
    break;
  default:
    if (outcome.end == RUN_EXITED && WIFEXITED(outcome.status) &&
        WEXITSTATUS(outcome.status) == 0) {
      if (atomic_load(&worker->run->stopping)) report_last(worker, line, held);
      else report_done(worker, line, held);
      return;
    }
    report_failed(worker, line, held->task, outcome);
    break;
  }
  show_held(worker, NULL, 0);
  drop(held);
}

/* A line whose command another worker is still killing waits until that is over: two of one line never run at once
 * here. */
static bool begin(struct run *run, struct run_line *line, uint32_t attempt) {
  pthread_mutex_lock(&run->lock);
  while (line->state == RUN_RUNNING && !atomic_load(&run->stopping))
    pthread_cond_wait(&run->idle, &run->lock);
  bool ok = line->state != RUN_RUNNING;
  if (ok) run_settle(run, line, RUN_RUNNING, NULL, NULL);
  if (line->attempts < attempt + 1) line->attempts = attempt + 1;
  pthread_mutex_unlock(&run->lock);
  return ok;
}

static void work(struct run_worker *worker, struct held_task *held) {
  struct run *run = worker->run;
  struct run_line *line = run_find(run, held->task->execution_id.text);
  bool stopping = atomic_load(&run->stopping);
  if (!line || stopping || !begin(run, line, held->task->attempt_index)) {
    /* Of a line that is no longer in the file: it is left alone. */
    give_back(worker, held->task, cli_now_ms() + (line ? 0 : PARK_MS));
    show_held(worker, NULL, 0);
    drop(held);
    return;
  }
  struct run_outcome outcome = run_command(worker, line, held->task);
  report(worker, line, held, outcome);
}

void *run_worker_main(void *user) {
  struct run_worker *worker = user;
  struct run *run = worker->run;
  struct held_task held = {0};
  for (;;) {
    if (!held.task) {
      pthread_mutex_lock(&run->lock);
      bool over = is_over(run);
      pthread_mutex_unlock(&run->lock);
      if (over) break;
      drop(&held);
      claim_in_turn(worker, &held);
    }
    if (held.task) work(worker, &held);
  }
  drop(&held);
  pthread_mutex_lock(&run->lock);
  bool last = --run->workers_left == 0;
  pthread_mutex_unlock(&run->lock);
  if (last) pthread_kill(run->main_thread, SIGUSR1);
  return NULL;
}
