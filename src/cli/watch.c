/*
 * ff wait and ff result: waiting for executions to end, and what they left.
 *
 * A waiter never owns a SQLite file, or nobody could work on what it waits for: it reads beside the owner. Changes
 * made by another process are found by asking again; the pause grows from 20 ms to 250 ms.
 */
#include "watch.h"

#include "args.h"
#include "out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PAUSE_FIRST_MS = 20, PAUSE_LAST_MS = 250, SLICE_MS = 1000 };

static bool is_ended(const struct ff_execution *execution) {
  return execution->lifecycle_phase == FF_lifecycle_phase_terminal;
}

/* One look, or in the process that owns the store one wait of at most a slice. */
static enum ff_rc look(struct cli *cli, const char *execution_id, int64_t slice_ms,
                       struct ff_describe_execution_result *out, struct ff_error *error) {
  if (cli->read_only) {
    struct ff_describe_execution_args args = FF_ARGS(describe_execution);
    args.execution_id = ff_text(execution_id);
    return ff_describe_execution(cli->engine, &args, out, error);
  }
  struct ff_wait_execution_args args = FF_ARGS(wait_execution);
  struct ff_wait_execution_result waited;
  args.execution_id = ff_text(execution_id);
  args.timeout_ms = (uint64_t)slice_ms;
  enum ff_rc rc = ff_wait_execution(cli->engine, &args, &waited, error);
  if (rc != FF_OK) return rc;
  if (waited.outcome == FF_outcome_timed_out) waited.outcome = FF_outcome_ok;
  *out = (struct ff_describe_execution_result){
      .memory = waited.memory, .outcome = waited.outcome, .execution = waited.execution};
  return FF_OK;
}

int cli_watch(struct cli *cli, const char *execution_id,
              struct ff_describe_execution_result *execution) {
  int64_t until = cli->timeout_ms < 0 ? INT64_MAX : cli_monotonic_ms() + cli->timeout_ms;
  for (int64_t pause = PAUSE_FIRST_MS;;) {
    struct ff_error error = {0};
    int64_t left = until - cli_monotonic_ms();
    int64_t slice = left < 1 ? 1 : left < SLICE_MS ? left : SLICE_MS;
    if (look(cli, execution_id, slice, execution, &error) != FF_OK)
      return cli_fail_about(cli, execution_id, &error);
    if (execution->outcome == FF_outcome_none) {
      ff_clear(execution);
      return cli_missing(cli, execution_id);
    }
    if (is_ended(&execution->execution)) return CLI_OK;
    left = until - cli_monotonic_ms();
    if (left <= 0) {
      cli_error(CLI_UNREACHABLE, "timeout: %s is still %s", execution_id,
                ff_word(FF_WORD_public_state, execution->execution.public_state));
      ff_clear(execution);
      return CLI_UNREACHABLE;
    }
    ff_clear(execution);
    if (!cli->read_only) continue;
    cli_sleep_ms(pause < left ? pause : left);
    pause = pause * 2 < PAUSE_LAST_MS ? pause * 2 : PAUSE_LAST_MS;
  }
}

static void print_payload_json(const char *execution_id,
                               const struct ff_get_execution_result_result *result) {
  char encoding[128];
  printf("{\"execution_id\":\"%s\",\"encoding\":", execution_id);
  cli_str(result->encoding, encoding, sizeof(encoding));
  if (result->encoding.ptr) cli_json_text(stdout, encoding, strlen(encoding));
  else fputs("null", stdout);
  printf(",\"size\":%zu,\"payload\":\"", result->payload.len);
  cli_base64(stdout, result->payload.ptr, result->payload.len);
  fputs("\",\"text\":", stdout);
  if (cli_is_text(result->payload.ptr, result->payload.len))
    cli_json_text(stdout, result->payload.ptr, result->payload.len);
  else fputs("null", stdout);
  fputs("}\n", stdout);
}

/* Why there is no result. */
static int no_result(struct cli *cli, const char *execution_id) {
  struct ff_error error = {0};
  struct ff_describe_execution_args args = FF_ARGS(describe_execution);
  struct ff_describe_execution_result found;
  args.execution_id = ff_text(execution_id);
  if (ff_describe_execution(cli->engine, &args, &found, &error) != FF_OK)
    return cli_fail_about(cli, execution_id, &error);
  int code = CLI_MISSING;
  if (found.outcome == FF_outcome_none) {
    cli_missing(cli, execution_id);
  } else {
    const char *state = ff_word(FF_WORD_public_state, found.execution.public_state);
    bool completed = found.execution.public_state == FF_public_state_completed;
    cli_error(code, "no result: %s is %s%s", execution_id, state,
              completed ? " and left none" : "");
    char reason[512];
    if (found.execution.failure_reason.len)
      cli_error(code, "its failure: %s",
                cli_line(found.execution.failure_reason, reason, sizeof(reason)));
  }
  ff_clear(&found);
  return code;
}

static int write_file(const char *path, const struct ff_bytes *bytes) {
  FILE *file = fopen(path, "wbe");
  bool ok = file && fwrite(bytes->ptr, 1, bytes->len, file) == bytes->len;
  if (file) ok = fclose(file) == 0 && ok;
  return ok ? CLI_OK : cli_error(CLI_UNREACHABLE, "cannot write %s: %s", path, strerror(errno));
}

int cli_print_result(struct cli *cli, const char *execution_id, const char *path) {
  struct ff_error error = {0};
  struct ff_get_execution_result_args args = FF_ARGS(get_execution_result);
  struct ff_get_execution_result_result result;
  args.execution_id = ff_text(execution_id);
  if (ff_get_execution_result(cli->engine, &args, &result, &error) != FF_OK)
    return cli_fail_about(cli, execution_id, &error);
  int code = CLI_OK;
  if (result.outcome == FF_outcome_none) code = no_result(cli, execution_id);
  else if (path) code = write_file(path, &result.payload);
  else if (cli->format != CLI_TABLE) print_payload_json(execution_id, &result);
  else if (result.payload.len) fwrite(result.payload.ptr, 1, result.payload.len, stdout);
  ff_clear(&result);
  return code;
}

int cli_watch_result(struct cli *cli, const char *execution_id) {
  int code = cli_open(cli, CLI_WATCH);
  if (code != CLI_OK) return code;
  struct ff_describe_execution_result found;
  code = cli_watch(cli, execution_id, &found);
  if (code != CLI_OK) return code;
  bool completed = found.execution.public_state == FF_public_state_completed;
  if (!completed) {
    char reason[512];
    cli_line(found.execution.failure_reason, reason, sizeof(reason));
    cli_error(CLI_NOT_COMPLETED, "%s ended %s%s%s", execution_id,
              ff_word(FF_WORD_public_state, found.execution.public_state), reason[0] ? ": " : "",
              reason);
  }
  ff_clear(&found);
  if (!completed) return CLI_NOT_COMPLETED;
  /* Completed without a result is fine here: there is nothing to print. */
  struct ff_error error = {0};
  struct ff_get_execution_result_args args = FF_ARGS(get_execution_result);
  struct ff_get_execution_result_result result;
  args.execution_id = ff_text(execution_id);
  if (ff_get_execution_result(cli->engine, &args, &result, &error) != FF_OK)
    return cli_fail_about(cli, execution_id, &error);
  bool some = result.outcome != FF_outcome_none;
  ff_clear(&result);
  return some ? cli_print_result(cli, execution_id, NULL) : CLI_OK;
}

static int wait_one(struct cli *cli, const char *execution_id) {
  struct ff_describe_execution_result found;
  int code = cli_watch(cli, execution_id, &found);
  if (code != CLI_OK) return code;
  if (cli->format == CLI_TABLE) {
    printf("%s  %s\n", execution_id, ff_word(FF_WORD_public_state, found.execution.public_state));
  } else {
    cli_json_struct(stdout, cli_described("describe_execution", "execution"), &found.execution);
    putchar('\n');
  }
  if (found.execution.public_state != FF_public_state_completed) code = CLI_NOT_COMPLETED;
  ff_clear(&found);
  return code;
}

static int run_wait(struct cli *cli, int argc, char **argv) {
  struct cli_args args;
  cli_args_init(&args, cli, argc, argv);
  int code = cli_args_next(&args);
  if (code != CLI_ARGS_END) return cli_args_stop(code);
  if (!args.word_count) return cli_usage(cli, "wait expects execution ids");
  code = cli_open(cli, CLI_WATCH);
  if (code != CLI_OK) return code;
  for (int i = 0; i < args.word_count; i++) {
    int one = wait_one(cli, args.words[i]);
    if (one != CLI_OK && code == CLI_OK) code = one;
  }
  return code;
}

const struct cli_verb cli_verb_wait = {
    .name = "wait",
    .summary = "wait until executions ended",
    .usage = "wait EID... [--timeout DURATION]",
    .examples =
        "ff wait {fp:7}:550e8400-e29b-41d4-a716-446655440000 --timeout 30s && echo completed",
    .notes = "Exit code 0: all completed. 6: one ended otherwise. 5: the time ran out.\n"
             "3: there is no such execution.",
    .run = run_wait,
};

static const struct cli_option result_options[] = {
    {"out", 0, "FILE", "write it there instead of standard output"},
    {NULL, 0, NULL, NULL},
};

static int run_result(struct cli *cli, int argc, char **argv) {
  struct cli_args args;
  const char *path = NULL;
  cli_args_init(&args, cli, argc, argv);
  int code;
  while ((code = cli_args_next(&args)) >= 0) path = args.value;
  if (code != CLI_ARGS_END) return cli_args_stop(code);
  if (args.word_count != 1) return cli_usage(cli, "result expects one execution id");
  code = cli_open(cli, CLI_READ);
  return code == CLI_OK ? cli_print_result(cli, args.words[0], path) : code;
}

const struct cli_verb cli_verb_result = {
    .name = "result",
    .summary = "print what an execution left, byte for byte",
    .usage = "result EID [--out FILE]",
    .examples = "ff result {fp:7}:550e8400-e29b-41d4-a716-446655440000 > result.bin",
    .notes = "With -o json: an object with the bytes as base64, and as text when they are\n"
             "text. Exit code 3 when there is none.",
    .options = result_options,
    .run = run_result,
};
