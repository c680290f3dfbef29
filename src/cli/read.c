/*
 * Reading executions: ff get and ff attempts.
 */
#include "args.h"
#include "out.h"

#include <inttypes.h>
#include <string.h>

/* What these verbs begin with: exactly one id, and the store opened for reading. *id stays NULL when
 * all is said already, as with --help. */
static int open_for_one(struct cli *cli, int argc, char **argv, const char **id) {
  struct cli_args args;
  *id = NULL;
  cli_args_init(&args, cli, argc, argv);
  int code = cli_args_next(&args);
  if (code != CLI_ARGS_END) return cli_args_stop(code);
  if (args.word_count != 1) return cli_usage(cli, "%s expects one execution id", cli->verb->name);
  *id = args.words[0];
  return cli_open(cli, CLI_READ);
}

static void show_number(const char *name, uint64_t value) {
  char text[32];
  if (!value) return;
  snprintf(text, sizeof(text), "%" PRIu64, value);
  cli_show(stdout, name, text);
}

static void show_str(const char *name, struct ff_str value) {
  char text[2048];
  cli_show(stdout, name, cli_line(value, text, sizeof(text)));
}

static void show_time(const char *name, int64_t ms) {
  char text[32];
  cli_show(stdout, name, cli_time_text(ms, text));
}

static void show_lease(const struct ff_execution *e) {
  if (!e->leased) return;
  show_str("worker", e->worker_id);
  show_str("instance", e->worker_instance_id);
  show_time("lease until", e->lease_expires_at);
  cli_show(stdout, "lease", e->lease_id.text);
  show_number("epoch", e->current_lease_epoch);
}

static void show_tags(const struct ff_pairs *tags) {
  for (size_t i = 0; i < tags->count; i++) {
    char key[300], value[2048], line[2400];
    cli_line(tags->items[i].key, key, sizeof(key));
    cli_line(tags->items[i].value, value, sizeof(value));
    snprintf(line, sizeof(line), "%s=%s", key, value);
    cli_show(stdout, "tag", line);
  }
}

static void show_execution(const struct ff_execution *e) {
  cli_show(stdout, "execution", e->execution_id.text);
  cli_show(stdout, "state", ff_word(FF_WORD_public_state, e->public_state));
  if (e->blocking_reason != FF_blocking_reason_none)
    cli_show(stdout, "why", ff_word(FF_WORD_blocking_reason, e->blocking_reason));
  show_str("detail", e->blocking_detail);
  show_str("kind", e->execution_kind);
  show_str("lane", e->lane_id);
  show_str("namespace", e->namespace_);
  show_str("created by", e->creator_identity);
  show_number("priority", e->priority > 0 ? (uint64_t)e->priority : 0);
  show_str("capabilities", e->required_capabilities);
  cli_show(stdout, "flow", e->flow_id.text);
  show_number("attempts", e->total_attempt_count);
  show_number("retries", e->retry_count);
  show_number("reclaims", e->lease_reclaim_count);
  show_number("replays", e->replay_count);
  show_lease(e);
  show_time("created", e->created_at);
  show_time("started", e->started_at);
  show_time("not before", e->delay_until);
  show_time("deadline", e->execution_deadline_at);
  show_time("ended", e->completed_at);
  show_str("failure", e->failure_reason);
  show_str("category", e->failure_category);
  show_str("cancelled for", e->cancellation_reason);
  show_str("cancelled by", e->cancelled_by);
  if (e->has_progress) {
    char text[16];
    snprintf(text, sizeof(text), "%u%%", (unsigned)e->progress_percent);
    cli_show(stdout, "progress", text);
    show_str("progress says", e->progress_message);
  }
  show_tags(&e->tags);
}

static int run_get(struct cli *cli, int argc, char **argv) {
  const char *id;
  int code = open_for_one(cli, argc, argv, &id);
  if (code != CLI_OK || !id) return code;
  struct ff_error error = {0};
  struct ff_describe_execution_args call = FF_ARGS(describe_execution);
  struct ff_describe_execution_result found;
  call.execution_id = ff_text(id);
  if (ff_describe_execution(cli->engine, &call, &found, &error) != FF_OK)
    return cli_fail_about(cli, id, &error);
  if (found.outcome == FF_outcome_none) {
    code = cli_missing(cli, id);
  } else if (cli->format == CLI_TABLE) {
    show_execution(&found.execution);
  } else {
    cli_json_struct(stdout, cli_described("describe_execution", "execution"), &found.execution);
    putchar('\n');
  }
  ff_clear(&found);
  return code;
}

const struct cli_verb cli_verb_get = {
    .name = "get",
    .summary = "show one execution",
    .usage = "get EID",
    .examples = "ff get {fp:7}:550e8400-e29b-41d4-a716-446655440000\n"
                "ff get EID -o json | jq .public_state",
    .run = run_get,
};

/* ---- why ---- */

static void show_blocker(const struct ff_blocker *b) {
  char id[160], detail[1024], until[32] = "", count[48] = "", line[1400];
  if (b->limit) snprintf(count, sizeof(count), " %" PRIu64 "/%" PRIu64, b->current, b->limit);
  else if (b->current) snprintf(count, sizeof(count), " %" PRIu64, b->current);
  cli_line(b->id, id, sizeof(id));
  cli_line(b->detail, detail, sizeof(detail));
  if (b->until) cli_time_text(b->until, until);
  snprintf(line, sizeof(line), "%s%s%s%s%s%s", id, b->id.len && b->detail.len ? " " : "", detail,
           count, b->until ? " until " : "", until);
  char kind[32];
  cli_show(stdout, cli_line(b->kind, kind, sizeof(kind)), line);
}

static void show_why(const struct ff_why_result *found) {
  char sentence[4096];
  puts(cli_line(found->sentence, sentence, sizeof(sentence)));
  cli_show(stdout, "state", ff_word(FF_WORD_public_state, found->public_state));
  cli_show(stdout, "reason", ff_word(FF_WORD_why_reason, found->reason));
  show_time("until", found->until);
  for (size_t i = 0; i < found->blockers.count; i++) show_blocker(&found->blockers.items[i]);
}

static int run_why(struct cli *cli, int argc, char **argv) {
  const char *id;
  int code = open_for_one(cli, argc, argv, &id);
  if (code != CLI_OK || !id) return code;
  struct ff_error error = {0};
  struct ff_why_args call = FF_ARGS(why);
  struct ff_why_result found;
  call.execution_id = ff_text(id);
  if (ff_why(cli->engine, &call, &found, &error) != FF_OK)
    return cli_fail_about(cli, id, &error);
  if (found.outcome == FF_outcome_none) {
    code = cli_missing(cli, id);
  } else if (cli->format == CLI_TABLE) {
    show_why(&found);
  } else {
    cli_json_struct(stdout, ff_operation_find(ff_text("why"))->result, &found);
    putchar('\n');
  }
  ff_clear(&found);
  return code;
}

const struct cli_verb cli_verb_why = {
    .name = "why",
    .summary = "say why an execution is not running",
    .usage = "why EID",
    .examples = "ff why {fp:7}:550e8400-e29b-41d4-a716-446655440000\n"
                "ff why EID -o json | jq -r .sentence",
    .notes = "Judged by the code that decides claims: its place in the lane, who holds it,\n"
             "what it waits for and until when.",
    .run = run_why,
};

static void add_attempt(struct cli_table *table, const struct ff_attempt *a) {
  char index[16], started[32], took[32] = "", worker[64], why[512];
  snprintf(index, sizeof(index), "%" PRIu32, a->attempt_index);
  if (a->ended_at && a->started_at) cli_span_text(a->ended_at - a->started_at, took);
  struct ff_str reason = a->failure_reason.len ? a->failure_reason : a->suspension_id;
  const char *cells[] = {index,
                         ff_word(FF_WORD_attempt_type, a->attempt_type),
                         ff_word(FF_WORD_attempt_lifecycle, a->attempt_state),
                         cli_time_text(a->started_at, started),
                         took,
                         cli_line(a->worker_instance_id, worker, sizeof(worker)),
                         cli_line(reason, why, sizeof(why))};
  cli_table_add(table, cells);
}

static void print_attempts(struct cli *cli, const struct ff_attempts *attempts) {
  static const char *const headings[] = {"ATTEMPT", "TYPE",     "STATE", "STARTED",
                                         "TOOK",    "INSTANCE", "REASON"};
  if (cli->format == CLI_TABLE) {
    struct cli_table table;
    cli_table_init(&table, headings, CLI_COUNT(headings));
    for (size_t i = 0; i < attempts->count; i++) add_attempt(&table, &attempts->items[i]);
    cli_table_print(&table, stdout);
    return;
  }
  struct cli_list list;
  cli_list_begin(&list, cli);
  const struct ff_struct *described = cli_described("list_attempts", "attempts");
  for (size_t i = 0; i < attempts->count; i++) cli_list_item(&list, described, &attempts->items[i]);
  cli_list_end(&list);
}

static int run_attempts(struct cli *cli, int argc, char **argv) {
  const char *id;
  int code = open_for_one(cli, argc, argv, &id);
  if (code != CLI_OK || !id) return code;
  struct ff_error error = {0};
  struct ff_list_attempts_args call = FF_ARGS(list_attempts);
  struct ff_list_attempts_result found;
  call.execution_id = ff_text(id);
  if (ff_list_attempts(cli->engine, &call, &found, &error) != FF_OK)
    return cli_fail_about(cli, id, &error);
  if (found.outcome == FF_outcome_none) code = cli_missing(cli, id);
  else print_attempts(cli, &found.attempts);
  ff_clear(&found);
  return code;
}

const struct cli_verb cli_verb_attempts = {
    .name = "attempts",
    .summary = "list the attempts of one execution",
    .usage = "attempts EID",
    .examples = "ff attempts {fp:7}:550e8400-e29b-41d4-a716-446655440000",
    .run = run_attempts,
};
