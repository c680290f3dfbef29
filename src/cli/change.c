/*
 * ff cancel and ff replay: one or several executions by id, or all that a filter names after asking.
 */
#include "args.h"
#include "out.h"
#include "select.h"

#include <stdlib.h>
#include <string.h>

enum { REASON = CLI_SELECT_OPTIONS };

static const struct cli_option cancel_options[] = {
    CLI_SELECT_ROWS,
    [REASON] = {"reason", 0, "TEXT", "why, kept with the execution"},
    {NULL, 0, NULL, NULL},
};
static const struct cli_option replay_options[] = {CLI_SELECT_ROWS, {NULL, 0, NULL, NULL}};

/* What is to be changed and how it went. */
struct change {
  struct cli *cli;
  const char *reason;
  enum ff_rc (*apply)(struct change *change, const char *execution_id, struct ff_error *error);
  char (*ids)[FF_ID_MAX];
  size_t count, capacity;
  int code; /* the first failure's */
  struct cli_list list;
};

static enum ff_rc apply_cancel(struct change *change, const char *execution_id,
                               struct ff_error *error) {
  struct ff_cancel_execution_args args = FF_ARGS(cancel_execution);
  struct ff_cancel_execution_result result;
  args.execution_id = ff_text(execution_id);
  args.reason = ff_text(change->reason);
  enum ff_rc rc = ff_cancel_execution(change->cli->engine, &args, &result, error);
  if (rc != FF_OK) return rc;
  if (change->cli->format == CLI_TABLE)
    printf("%s  %s\n", execution_id, ff_word(FF_WORD_public_state, result.public_state));
  else
    cli_list_item(&change->list, ff_operation_find(ff_text("cancel_execution"))->result, &result);
  ff_clear(&result);
  return rc;
}

static enum ff_rc apply_replay(struct change *change, const char *execution_id,
                               struct ff_error *error) {
  struct ff_replay_execution_args args = FF_ARGS(replay_execution);
  struct ff_replay_execution_result result;
  args.execution_id = ff_text(execution_id);
  enum ff_rc rc = ff_replay_execution(change->cli->engine, &args, &result, error);
  if (rc != FF_OK) return rc;
  if (change->cli->format == CLI_TABLE)
    printf("%s  %s\n", execution_id, ff_word(FF_WORD_public_state, result.public_state));
  else
    cli_list_item(&change->list, ff_operation_find(ff_text("replay_execution"))->result, &result);
  ff_clear(&result);
  return rc;
}

static void add_id(struct change *change, const char *id) {
  if (change->count == change->capacity) {
    change->capacity = change->capacity ? change->capacity * 2 : 64;
    change->ids = cli_grow(change->ids, change->capacity * sizeof(*change->ids));
  }
  snprintf(change->ids[change->count++], FF_ID_MAX, "%s", id);
}

static bool collect(void *user, const struct ff_execution *execution) {
  add_id(user, execution->execution_id.text);
  return true;
}

static void apply_all(struct change *change) {
  if (change->cli->format != CLI_TABLE) cli_list_begin(&change->list, change->cli);
  for (size_t i = 0; i < change->count; i++) {
    struct ff_error error = {0};
    if (change->apply(change, change->ids[i], &error) == FF_OK) continue;
    int code = cli_fail_about(change->cli, change->ids[i], &error);
    if (change->code == CLI_OK) change->code = code;
    if (code == CLI_UNREACHABLE) break; /* the others would only say the same */
  }
  if (change->cli->format != CLI_TABLE) cli_list_end(&change->list);
}

/* Ids as given, and what the filter finds; more than one thing is asked about first. */
static int change_selected(struct change *change, struct cli_args *args,
                           struct cli_selection *selection) {
  struct cli *cli = change->cli;
  const char *verb = cli->verb->name;
  if (!args->word_count && !selection->given)
    return cli_usage(cli, "%s expects execution ids, or a filter such as --lane", verb);
  if (args->word_count && selection->given)
    return cli_usage(cli, "%s expects either execution ids or a filter", verb);
  for (int i = 0; i < args->word_count; i++) add_id(change, args->words[i]);
  if (change->count > 1) {
    int code = cli_confirm(cli, "%s %zu executions", verb, change->count);
    if (code != CLI_OK) return code;
  }
  int code = cli_open(cli, CLI_WRITE);
  if (code != CLI_OK) return code;
  if (selection->given) {
    code = cli_select(cli, selection, INT64_MAX, collect, change, NULL);
    if (code != CLI_OK) return code;
    if (!change->count) {
      cli_note(cli, "ff: note: nothing matches");
      return CLI_OK;
    }
    code = cli_confirm(cli, "%s %zu executions", verb, change->count);
    if (code != CLI_OK) return code;
  }
  apply_all(change);
  return change->code;
}

static int run_change(struct change *change, struct cli_selection *selection, int argc,
                      char **argv) {
  struct cli_args args;
  cli_args_init(&args, change->cli, argc, argv);
  int option, code = CLI_OK;
  while (code == CLI_OK && (option = cli_args_next(&args)) >= 0) {
    if (option == REASON) change->reason = args.value;
    else code = cli_select_option(change->cli, selection, option, args.value);
  }
  if (code == CLI_OK)
    code =
        option == CLI_ARGS_END ? change_selected(change, &args, selection) : cli_args_stop(option);
  free(change->ids);
  return code;
}

static int run_cancel(struct cli *cli, int argc, char **argv) {
  struct cli_selection selection = {.args = FF_ARGS(query_executions)};
  struct change change = {.cli = cli, .apply = apply_cancel, .reason = "cancelled by ff"};
  selection.args.public_state =
      ff_text("waiting,delayed,rate_limited,waiting_children,active,suspended,resumable");
  return run_change(&change, &selection, argc, argv);
}

const struct cli_verb cli_verb_cancel = {
    .name = "cancel",
    .summary = "cancel executions that have not ended",
    .usage = "cancel EID... | FILTER [--reason TEXT]",
    .examples = "ff cancel {fp:7}:550e8400-e29b-41d4-a716-446655440000 --reason 'wrong input'\n"
                "ff cancel --lane images --yes",
    .notes = "More than one is asked about first; --yes does not ask. Cancelling twice is\n"
             "fine.",
    .options = cancel_options,
    .run = run_cancel,
};

static int run_replay(struct cli *cli, int argc, char **argv) {
  struct cli_selection selection = {.args = FF_ARGS(query_executions)};
  struct change change = {.cli = cli, .apply = apply_replay};
  selection.args.public_state = ff_text("failed,expired,cancelled,skipped");
  return run_change(&change, &selection, argc, argv);
}

const struct cli_verb cli_verb_replay = {
    .name = "replay",
    .summary = "run ended executions again",
    .usage = "replay EID... | FILTER",
    .examples = "ff replay {fp:7}:550e8400-e29b-41d4-a716-446655440000\n"
                "ff replay --lane images --state failed --yes",
    .notes = "A filter without --state means failed, expired, cancelled and skipped ones.\n"
             "They get fresh retries.",
    .options = replay_options,
    .run = run_replay,
};
