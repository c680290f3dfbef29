/*
 * ff tail and ff summary: what an attempt puts out, and the document it builds.
 *
 * A follower never owns a SQLite file, or nobody could work on what it follows: it reads beside the owner.
 */
#include "args.h"
#include "out.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 500, SLICE_MS = 1000 };

enum { ATTEMPT, AFTER, FOLLOW };
static const struct cli_option tail_options[] = {
    [ATTEMPT] = {"attempt", 'a', "N", "of this attempt (default: the latest)"},
    [AFTER] = {"after", 0, "ID", "only what comes after this frame"},
    [FOLLOW] = {"follow", 'f', NULL, "go on until the execution ended"},
    {NULL, 0, NULL, NULL},
};

struct tail {
  struct cli *cli;
  const char *execution_id;
  char after[64];
  bool follow, one_attempt; /* one that was asked for: later ones are not followed */
  uint32_t attempt;
  int64_t until; /* monotonic ms */
  struct cli_list list;
};

/* What is known of the execution. */
struct about {
  bool started, ended, completed;
  uint32_t attempt;
  uint64_t version;
};

static int look(struct tail *t, struct about *about) {
  struct ff_error error = {0};
  struct ff_describe_execution_args args = FF_ARGS(describe_execution);
  struct ff_describe_execution_result found;
  args.execution_id = ff_text(t->execution_id);
  if (ff_describe_execution(t->cli->engine, &args, &found, &error) != FF_OK)
    return cli_fail_about(t->cli, t->execution_id, &error);
  const struct ff_execution *x = &found.execution;
  bool none = found.outcome == FF_outcome_none;
  *about = (struct about){.started = x->total_attempt_count > 0,
                          .ended = x->lifecycle_phase == FF_lifecycle_phase_terminal,
                          .completed = x->public_state == FF_public_state_completed,
                          .attempt = x->current_attempt_index,
                          .version = x->version};
  ff_clear(&found);
  return none ? cli_missing(t->cli, t->execution_id) : CLI_OK;
}

static int64_t slice(const struct tail *t) {
  int64_t left = t->until - cli_monotonic_ms();
  return left < 1 ? 0 : left < SLICE_MS ? left : SLICE_MS;
}

static int timed_out(const struct tail *t) {
  return cli_error(CLI_UNREACHABLE, "timeout: %s has not ended", t->execution_id);
}

static void print_frame(struct tail *t, const struct ff_frame *f) {
  if (t->cli->format != CLI_TABLE)
    cli_list_item(&t->list, cli_described("tail_stream", "frames"), f);
  else if (f->payload.len)
    fwrite(f->payload.ptr, 1, f->payload.len, stdout);
  cli_str(f->id, t->after, sizeof(t->after));
}

/* One page, waiting for it when there is none yet; *over: the attempt has no more. */
static int read_page(struct tail *t, bool *over) {
  struct ff_error error = {0};
  struct ff_tail_stream_args args = FF_ARGS(tail_stream);
  struct ff_tail_stream_result page;
  args.execution_id = ff_text(t->execution_id);
  args.attempt_index = t->attempt;
  args.after = ff_text(t->after);
  args.count_limit = PAGE;
  args.block_ms = t->follow ? (uint64_t)slice(t) : 0;
  if (ff_tail_stream(t->cli->engine, &args, &page, &error) != FF_OK)
    return cli_fail_about(t->cli, t->execution_id, &error);
  for (size_t i = 0; i < page.frames.count; i++) print_frame(t, &page.frames.items[i]);
  bool last = page.frames.count < PAGE;
  *over = last && (page.closed_at || !t->follow);
  bool late = last && page.frames.count == 0 && !*over && slice(t) == 0;
  ff_clear(&page);
  /* Nobody who reads it is left: no use in going on. */
  if (fflush(stdout) != 0) *over = t->one_attempt = true;
  return late ? timed_out(t) : CLI_OK;
}

static int read_attempt(struct tail *t) {
  bool over = false;
  int code = CLI_OK;
  while (!over && code == CLI_OK) code = read_page(t, &over);
  return code;
}

/* Until there is an attempt after this one, or the execution has ended without. */
static int await_attempt(struct tail *t, uint32_t next, struct about *about) {
  for (;;) {
    int code = look(t, about);
    if (code != CLI_OK || about->ended || (about->started && about->attempt >= next)) return code;
    if (slice(t) == 0) return timed_out(t);
    struct ff_error error = {0};
    struct ff_wait_execution_args args = FF_ARGS(wait_execution);
    struct ff_wait_execution_result waited;
    args.execution_id = ff_text(t->execution_id);
    args.timeout_ms = (uint64_t)slice(t);
    args.until_change = true;
    args.after_version = about->version;
    if (ff_wait_execution(t->cli->engine, &args, &waited, &error) != FF_OK)
      return cli_fail_about(t->cli, t->execution_id, &error);
    ff_clear(&waited);
  }
}

/* Every attempt from the latest on: a retry has a stream of its own. */
static int follow_all(struct tail *t, struct about about) {
  for (uint32_t next = about.attempt;; next = t->attempt + 1) {
    int code = await_attempt(t, next, &about);
    if (code != CLI_OK) return code;
    if (!about.started || about.attempt < next)
      return about.completed ? CLI_OK : CLI_NOT_COMPLETED;
    if (next != t->attempt) snprintf(t->after, sizeof(t->after), "0-0");
    t->attempt = next;
    code = read_attempt(t);
    if (code != CLI_OK || t->one_attempt) return code;
  }
}

static int tail(struct tail *t) {
  struct about about;
  int code = look(t, &about);
  if (code != CLI_OK) return code;
  if (!t->one_attempt) t->attempt = about.attempt;
  if (t->cli->format != CLI_TABLE) cli_list_begin(&t->list, t->cli);
  code = t->follow && !t->one_attempt ? follow_all(t, about) : read_attempt(t);
  if (t->cli->format != CLI_TABLE) cli_list_end(&t->list);
  return code;
}

static bool take_attempt(const char *text, uint32_t *attempt) {
  int64_t number;
  if (!cli_parse_number(text, 0, UINT32_MAX, &number)) return false;
  *attempt = (uint32_t)number;
  return true;
}

static int run_tail(struct cli *cli, int argc, char **argv) {
  struct tail t = {.cli = cli, .after = "0-0", .until = INT64_MAX};
  struct cli_args args;
  cli_args_init(&args, cli, argc, argv);
  int option;
  while ((option = cli_args_next(&args)) >= 0) {
    if (option == FOLLOW) t.follow = true;
    if (option == AFTER) snprintf(t.after, sizeof(t.after), "%s", args.value);
    if (option != ATTEMPT) continue;
    t.one_attempt = true;
    if (!take_attempt(args.value, &t.attempt))
      return cli_usage(cli, "--attempt expects a number, got '%s'", args.value);
  }
  if (option != CLI_ARGS_END) return cli_args_stop(option);
  if (args.word_count != 1) return cli_usage(cli, "tail expects one execution id");
  if (cli->timeout_ms >= 0) t.until = cli_monotonic_ms() + cli->timeout_ms;
  t.execution_id = args.words[0];
  int code = cli_open(cli, t.follow ? CLI_WATCH : CLI_READ);
  return code == CLI_OK ? tail(&t) : code;
}

const struct cli_verb cli_verb_tail = {
    .name = "tail",
    .summary = "print what an execution puts out",
    .usage = "tail EID [--attempt N] [--after ID] [--follow] [--timeout DURATION]",
    .examples = "ff tail {fp:7}:550e8400-e29b-41d4-a716-446655440000\n"
                "ff tail --follow EID --url sqlite:.flowfabric/flowfabric.db   a line of ff run",
    .notes = "Payloads as they are; with -o jsonl one frame a line. --follow goes on through\n"
             "retries until the execution ended: exit code 0 when it completed, 6 otherwise.",
    .options = tail_options,
    .run = run_tail,
};

/* ---- summary ---- */

static const struct cli_option summary_options[] = {
    [ATTEMPT] = {"attempt", 'a', "N", "of this attempt (default: the latest)"},
    {NULL, 0, NULL, NULL},
};

static void print_summary(const struct cli *cli, const struct ff_read_summary_result *summary,
                          uint32_t attempt) {
  if (cli->format == CLI_TABLE) {
    fwrite(summary->document_json.ptr, 1, summary->document_json.len, stdout);
    putchar('\n');
    return;
  }
  printf("{\"attempt_index\":%" PRIu32 ",\"version\":%" PRIu64
         ",\"patch_kind\":\"json-merge-patch\",\"first_applied_ms\":%" PRId64
         ",\"last_updated_ms\":%" PRId64 ",\"document\":%.*s}\n",
         attempt, summary->version, summary->first_applied_ms, summary->last_updated_ms,
         (int)summary->document_json.len, (const char *)summary->document_json.ptr);
}

static int show_summary(struct tail *t) {
  struct about about;
  int code = look(t, &about);
  if (code != CLI_OK) return code;
  struct ff_error error = {0};
  struct ff_read_summary_args args = FF_ARGS(read_summary);
  struct ff_read_summary_result summary;
  args.execution_id = ff_text(t->execution_id);
  args.attempt_index = t->one_attempt ? t->attempt : about.attempt;
  if (ff_read_summary(t->cli->engine, &args, &summary, &error) != FF_OK)
    return cli_fail_about(t->cli, t->execution_id, &error);
  if (summary.outcome == FF_outcome_none)
    code = cli_error(CLI_MISSING, "attempt %" PRIu32 " of %s has no summary", args.attempt_index,
                     t->execution_id);
  else
    print_summary(t->cli, &summary, args.attempt_index);
  ff_clear(&summary);
  return code;
}

static int run_summary(struct cli *cli, int argc, char **argv) {
  struct tail t = {.cli = cli};
  struct cli_args args;
  cli_args_init(&args, cli, argc, argv);
  int option;
  while ((option = cli_args_next(&args)) >= 0) {
    t.one_attempt = true;
    if (!take_attempt(args.value, &t.attempt))
      return cli_usage(cli, "--attempt expects a number, got '%s'", args.value);
  }
  if (option != CLI_ARGS_END) return cli_args_stop(option);
  if (args.word_count != 1) return cli_usage(cli, "summary expects one execution id");
  t.execution_id = args.words[0];
  int code = cli_open(cli, CLI_READ);
  return code == CLI_OK ? show_summary(&t) : code;
}

const struct cli_verb cli_verb_summary = {
    .name = "summary",
    .summary = "print the document an execution builds",
    .usage = "summary EID [--attempt N]",
    .examples = "ff summary {fp:7}:550e8400-e29b-41d4-a716-446655440000 | jq .",
    .notes = "Made of its summary frames, each a JSON merge patch. Exit code 3: there are none.",
    .options = summary_options,
    .run = run_summary,
};
