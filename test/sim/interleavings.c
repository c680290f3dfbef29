/*
 * Suspend, signal, expiry of the pending waitpoint, time-out, cancel and operator resume in every
 * order, with a crash at each step: the execution always ends resumed, timed out or cancelled, and is
 * never stuck (03 §14: X-3 X-4 X-5 X-6 X-7 X-8 X-14).
 *
 * A crash drops a manual engine with the call loaded but not applied, or applied but not answered;
 * the call is repeated on the next engine.
 */
#include "engine/engine.h"
#include "op/values.h"
#include "store/calls.h"

#include <stdio.h>
#include <stdlib.h>

#define URL "memory:interleavings"
#define START INT64_C(1700000000000)
#define WAITPOINT_MS 500
#define TIMEOUT_MS 1000
#define EXECUTION "{fp:7}:01234567-89ab-7cde-8f00-000000000001"

enum action { SUSPEND, SIGNAL, EXPIRE, TIMEOUT, CANCEL, RESUME, ACTIONS };
enum crash { CRASH_LOADED, CRASH_APPLIED, CRASH_KINDS };

static int64_t clock_now;
static struct engine *engine;
static struct store *keeper;
static struct ff_handle handle;
static char waitpoint[FF_ID_MAX], token[256];
static int order[ACTIONS], satisfied, suspended;
static uint64_t runs, boots;

static int64_t read_clock(void *user) {
  (void)user;
  return clock_now;
}

static void quiet(void *user, enum ff_log_level level, const char *message) {
  (void)user, (void)level, (void)message;
}

static void stop(const char *what, const struct ff_error *error) {
  printf("order");
  for (int i = 0; i < ACTIONS; i++) printf(" %d", order[i]);
  printf(": %s %s %s\n", what, error ? ff_code_name(error->code) : "", error ? error->detail : "");
  exit(1);
}

static void boot(void) {
  struct engine_options options = {.manual = true, .open = FF_OPEN_OPTIONS_INIT};
  struct ff_error error;
  options.open.clock_ms = read_clock;
  options.open.log = quiet;
  options.open.seed = ++boots; /* ids of a process of its own */
  options.open.dev_mode = true;
  options.open.no_scanners = true;
  if (engine_open(ff_text(URL), &options, &engine, &error) != FF_OK) stop("open", &error);
}

static void ignore(void *user, enum ff_rc rc, void *result, const struct ff_error *error) {
  (void)user, (void)rc, (void)result, (void)error;
}

/* Begins the call and drops the engine in the middle of it. */
static void crash_in(enum op_id op, const void *args, enum crash kind) {
  struct ff_error error;
  if (engine_call_async(engine, op, args, ignore, NULL, &error) == FF_OK)
    for (int i = 0; i <= (int)kind; i++) (void)engine_step(engine, clock_now);
  engine_close(engine);
  boot();
}

static union {
  struct ff_memory *memory;
  uint8_t bytes[4096];
} result;

static enum ff_rc call(enum op_id op, const void *args) {
  struct ff_error error;
  values_free(result.memory);
  memset(&result, 0, sizeof result);
  enum ff_rc rc = engine_call(engine, op, args, &result, &error);
  if (rc == FF_BUG || rc == FF_TRANSPORT || error.code == FF_CODE_corruption)
    if (rc != FF_OK) stop(op_infos[op].name, &error);
  return rc;
}

#define RESULT(op) ((const struct ff_##op##_result *)(const void *)&result)

static void must(enum op_id op, const void *args) {
  if (call(op, args) != FF_OK) stop(op_infos[op].name, NULL);
}

/* ---- the world: a running attempt with a pending waitpoint ---- */

static void begin(void) {
  struct store_options so = {.clock_ms = read_clock, .dev_mode = true};
  struct ff_error error;
  clock_now = START;
  satisfied = suspended = 0;
  if (store_open(ff_text(URL), &so, &keeper, &error) != FF_OK) stop("store", &error);
  boot();
  struct ff_create_execution_args create = FF_ARGS(create_execution);
  create.execution_id = ff_text(EXECUTION);
  create.lane_id = ff_text("l");
  must(OP_create_execution, &create);
  struct ff_claim_args claim = FF_ARGS(claim);
  claim.lane_id = ff_text("l");
  claim.worker_id = claim.worker_instance_id = ff_text("w");
  claim.lease_ttl_ms = 1000000;
  must(OP_claim, &claim);
  handle = RESULT(claim)->handle;
  struct ff_create_waitpoint_args point = FF_ARGS(create_waitpoint);
  point.handle = handle;
  point.waitpoint_key = ff_text("k");
  point.expires_in_ms = WAITPOINT_MS;
  must(OP_create_waitpoint, &point);
  snprintf(waitpoint, sizeof waitpoint, "%s", RESULT(create_waitpoint)->waitpoint_id.text);
  snprintf(token, sizeof token, TEXT_FMT, TEXT_ARG(RESULT(create_waitpoint)->waitpoint_token));
}

static void end(void) {
  values_free(result.memory);
  memset(&result, 0, sizeof result);
  engine_close(engine);
  store_close(keeper);
}

/* ---- the actions ---- */

static void later(int64_t ms) {
  if (clock_now < START + ms) clock_now = START + ms;
}

static union {
  struct ff_suspend_args suspend;
  struct ff_deliver_signal_args signal;
  struct ff_expire_pending_waitpoint_args expire;
  struct ff_expire_suspension_args timeout;
  struct ff_cancel_execution_args cancel;
  struct ff_resume_execution_args resume;
} args;

static void fill_suspend(void) {
  static struct ff_waitpoint_binding binding;
  binding = (struct ff_waitpoint_binding){.waitpoint_id = ff_text(waitpoint), .pending = true};
  args.suspend = (struct ff_suspend_args)FF_ARGS(suspend);
  args.suspend.handle = handle;
  args.suspend.suspension_id = ff_text("00000000-0000-7000-8000-0000000000aa");
  args.suspend.waitpoints = (struct ff_waitpoint_bindings){&binding, 1};
  args.suspend.resume_condition =
      ff_text("{\"Single\":{\"waitpoint_key\":\"k\",\"matcher\":\"Wildcard\"}}");
  args.suspend.reason_code = ff_text("waiting_for_signal");
  args.suspend.timeout_at = START + TIMEOUT_MS;
  args.suspend.idempotency_key = ff_text("once"); /* a repeat after a crash */
}

static void fill_signal(void) {
  args.signal = (struct ff_deliver_signal_args)FF_ARGS(deliver_signal);
  args.signal.execution_id = ff_text(EXECUTION);
  args.signal.waitpoint_id = ff_text(waitpoint);
  args.signal.waitpoint_token = ff_text(token);
  args.signal.signal_id = ff_text("00000000-0000-7000-8000-0000000000bb");
  args.signal.signal_name = ff_text("go");
}

static enum op_id fill(enum action action) {
  switch (action) {
    case SUSPEND: fill_suspend(); return OP_suspend;
    case SIGNAL: fill_signal(); return OP_deliver_signal;
    case EXPIRE:
      later(WAITPOINT_MS);
      args.expire = (struct ff_expire_pending_waitpoint_args)FF_ARGS(expire_pending_waitpoint);
      args.expire.execution_id = ff_text(EXECUTION);
      args.expire.waitpoint_id = ff_text(waitpoint);
      return OP_expire_pending_waitpoint;
    case TIMEOUT:
      later(TIMEOUT_MS);
      args.timeout = (struct ff_expire_suspension_args)FF_ARGS(expire_suspension);
      args.timeout.execution_id = ff_text(EXECUTION);
      return OP_expire_suspension;
    case CANCEL:
      args.cancel = (struct ff_cancel_execution_args)FF_ARGS(cancel_execution);
      args.cancel.execution_id = ff_text(EXECUTION);
      return OP_cancel_execution;
    default: break;
  }
  args.resume = (struct ff_resume_execution_args)FF_ARGS(resume_execution);
  args.resume.execution_id = ff_text(EXECUTION);
  return OP_resume_execution;
}

static void act(enum action action, bool crashes, enum crash kind) {
  enum op_id op = fill(action);
  if (crashes) crash_in(op, &args, kind);
  if (call(op, &args) != FF_OK) return;
  if (action == SUSPEND && RESULT(suspend)->outcome == FF_outcome_suspended) suspended++;
  if (action == SIGNAL &&
      RESULT(deliver_signal)->effect == FF_signal_effect_resume_condition_satisfied)
    satisfied++;
}

/* ---- what must be true at the end ---- */

static uint8_t phase_now(uint64_t *epoch) {
  struct ff_describe_execution_args describe = FF_ARGS(describe_execution);
  describe.execution_id = ff_text(EXECUTION);
  must(OP_describe_execution, &describe);
  *epoch = RESULT(describe_execution)->execution.current_lease_epoch;
  return RESULT(describe_execution)->execution.lifecycle_phase;
}

static void check_end(void) {
  struct ff_list_pending_waitpoints_args points = FF_ARGS(list_pending_waitpoints);
  struct ff_run_scanner_args scan = FF_ARGS(run_scanner);
  uint64_t epoch;
  later(TIMEOUT_MS + WAITPOINT_MS);
  must(OP_run_scanner, &scan);
  uint8_t phase = phase_now(&epoch);
  if (phase == FF_lifecycle_phase_suspended) stop("stuck", NULL);
  if (!suspended && satisfied) stop("satisfied what was not suspended", NULL);
  points.execution_id = ff_text(EXECUTION);
  must(OP_list_pending_waitpoints, &points);
  if (RESULT(list_pending_waitpoints)->entries.count) stop("a waitpoint is left open", NULL);
  if (phase != FF_lifecycle_phase_runnable) return;
  struct ff_claim_args claim = FF_ARGS(claim);
  claim.lane_id = ff_text("l");
  claim.worker_id = claim.worker_instance_id = ff_text("w");
  claim.lease_ttl_ms = 1000;
  must(OP_claim, &claim);
  if (RESULT(claim)->outcome != FF_outcome_claimed) stop("resumed and not claimable", NULL);
  uint64_t next;
  if (phase_now(&next) != FF_lifecycle_phase_active || next != epoch + 1)
    stop("claimed without a new epoch", NULL);
}

/* crash_at -1: none */
static void run_order(int count, int crash_at, enum crash kind) {
  begin();
  for (int i = 0; i < count; i++) act((enum action)order[i], i == crash_at, kind);
  check_end();
  end();
  runs++;
}

static void each_order(int count, int at) {
  if (at == count) {
    run_order(count, -1, CRASH_LOADED);
    for (int i = 0; i < count; i++)
      for (int k = 0; k < CRASH_KINDS; k++) run_order(count, i, (enum crash)k);
    return;
  }
  for (int i = at; i < count; i++) {
    int swap = order[at];
    order[at] = order[i];
    order[i] = swap;
    each_order(count, at + 1);
    order[i] = order[at];
    order[at] = swap;
  }
}

int main(void) {
  int count = ACTIONS;
  for (int i = 0; i < ACTIONS; i++) order[i] = i;
  each_order(count, 0);
  printf("interleavings: %llu runs, none stuck\n", (unsigned long long)runs);
  return 0;
}
