/*
 * ff list and ff lanes.
 */
#include "args.h"
#include "out.h"
#include "select.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ALL = CLI_SELECT_OPTIONS, LIMIT, CURSOR };
static const struct cli_option options[] = {
    CLI_SELECT_ROWS,
    [ALL] = {"all", 'a', NULL, "every one, not only the first 50"},
    [LIMIT] = {"limit", 'n', "N", "at most so many (default 50)"},
    [CURSOR] = {"cursor", 0, "CURSOR", "go on after the page that named it"},
    {NULL, 0, NULL, NULL},
};

struct listing {
  struct cli *cli;
  struct cli_table table;
  struct cli_list list;
};

static void add_row(struct cli_table *table, const struct ff_execution *e) {
  char lane[80], kind[80], created[32], attempts[16], why[1024];
  snprintf(attempts, sizeof(attempts), "%" PRIu32, e->total_attempt_count);
  struct ff_str detail = e->failure_reason.len        ? e->failure_reason
                         : e->cancellation_reason.len ? e->cancellation_reason
                                                      : e->blocking_detail;
  const char *cells[] = {e->execution_id.text,
                         ff_word(FF_WORD_public_state, e->public_state),
                         cli_line(e->lane_id, lane, sizeof(lane)),
                         cli_line(e->execution_kind, kind, sizeof(kind)),
                         attempts,
                         cli_time_text(e->created_at, created),
                         cli_line(detail, why, sizeof(why))};
  cli_table_add(table, cells);
}

static bool list_one(void *user, const struct ff_execution *e) {
  struct listing *listing = user;
  if (listing->cli->format == CLI_TABLE) add_row(&listing->table, e);
  else cli_list_item(&listing->list, cli_described("query_executions", "executions"), e);
  return true;
}

static int list_executions(struct cli *cli, struct cli_selection *selection, int64_t limit) {
  static const char *const headings[] = {"EXECUTION", "STATE",   "LANE",  "KIND",
                                         "ATTEMPTS",  "CREATED", "DETAIL"};
  struct listing listing = {.cli = cli};
  char *next = NULL;
  if (cli->format == CLI_TABLE) cli_table_init(&listing.table, headings, CLI_COUNT(headings));
  else cli_list_begin(&listing.list, cli);
  int code = cli_select(cli, selection, limit, list_one, &listing, &next);
  if (cli->format != CLI_TABLE) cli_list_end(&listing.list);
  else if (code == CLI_OK) cli_table_print(&listing.table, stdout);
  cli_table_fini(&listing.table);
  if (code == CLI_OK && next)
    cli_note(cli, "ff: note: there are more: --all, --limit N, or --cursor %s", next);
  free(next);
  return code;
}

static int run_list(struct cli *cli, int argc, char **argv) {
  struct cli_selection selection = {.args = FF_ARGS(query_executions)};
  struct cli_args args;
  int64_t limit = 50;
  cli_args_init(&args, cli, argc, argv);
  int option, code = CLI_OK;
  while (code == CLI_OK && (option = cli_args_next(&args)) >= 0) {
    if (option == ALL) limit = INT64_MAX;
    else if (option == CURSOR) selection.args.cursor = ff_text(args.value);
    else if (option != LIMIT) code = cli_select_option(cli, &selection, option, args.value);
    else if (!cli_parse_number(args.value, 0, INT64_MAX, &limit))
      code = cli_usage(cli, "--limit expects a number, got '%s'", args.value);
  }
  if (code == CLI_OK && option != CLI_ARGS_END) return cli_args_stop(option);
  if (code == CLI_OK && args.word_count)
    code = cli_usage(cli, "list expects no '%s'", args.words[0]);
  if (code == CLI_OK) code = cli_open(cli, CLI_READ);
  if (code == CLI_OK) code = list_executions(cli, &selection, limit);
  cli_select_fini(&selection);
  return code;
}

const struct cli_verb cli_verb_list = {
    .name = "list",
    .summary = "list executions",
    .usage = "list [--lane L] [--state S] [--kind K] [--tag KEY=VALUE] [--all]",
    .examples =
        "ff list --state failed\n"
        "ff list --run jobs.txt                  the lines of a job file that `ff run` ran\n"
        "ff list --lane images --state waiting,delayed --all -o jsonl | wc -l",
    .notes = "States: waiting delayed rate_limited waiting_children active suspended\n"
             "resumable completed failed cancelled expired skipped.\n"
             "Executions come in the order they were made.",
    .options = options,
    .run = run_list,
};

/* ---- lanes ---- */
static int list_lanes(struct cli *cli) {
  static const char *const headings[] = {"LANE", "STATE", "REGISTERED", "BY"};
  struct ff_error error = {0};
  struct ff_list_lanes_args call = FF_ARGS(list_lanes);
  struct ff_list_lanes_result found;
  struct cli_table table;
  struct cli_list list;
  call.limit = 10000;
  if (ff_list_lanes(cli->engine, &call, &found, &error) != FF_OK) return cli_fail(cli, &error);
  if (cli->format == CLI_TABLE) cli_table_init(&table, headings, CLI_COUNT(headings));
  else cli_list_begin(&list, cli);
  for (size_t i = 0; i < found.lanes.count; i++) {
    const struct ff_lane *lane = &found.lanes.items[i];
    char name[80], since[32], by[80];
    const char *cells[] = {cli_line(lane->lane_id, name, sizeof(name)),
                           ff_word(FF_WORD_lane_state, lane->state),
                           cli_time_text(lane->registered_at_ms, since),
                           cli_line(lane->registered_by, by, sizeof(by))};
    if (cli->format == CLI_TABLE) cli_table_add(&table, cells);
    else cli_list_item(&list, cli_described("list_lanes", "lanes"), lane);
  }
  if (cli->format == CLI_TABLE) cli_table_print(&table, stdout);
  else cli_list_end(&list);
  if (found.next_cursor.len) cli_note(cli, "ff: note: only the first 10,000 lanes");
  ff_clear(&found);
  return CLI_OK;
}

static int set_lane(struct cli *cli, const char *lane, const char *state) {
  struct ff_error error = {0};
  struct ff_set_lane_state_args call = FF_ARGS(set_lane_state);
  struct ff_set_lane_state_result result;
  call.lane_id = ff_text(lane);
  call.state = ff_text(state);
  if (ff_set_lane_state(cli->engine, &call, &result, &error) != FF_OK)
    return cli_fail_about(cli, lane, &error);
  if (cli->format != CLI_TABLE) {
    cli_json_struct(stdout, ff_operation_find(ff_text("set_lane_state"))->result, &result);
    putchar('\n');
  } else {
    printf("%s  %s%s\n", lane, state, result.outcome == FF_outcome_already_set ? " already" : "");
  }
  ff_clear(&result);
  return CLI_OK;
}

static int run_lanes(struct cli *cli, int argc, char **argv) {
  static const struct {
    const char *word, *state;
  } changes[] = {
      {"pause", "paused"}, {"resume", "active"}, {"drain", "draining"}, {"disable", "disabled"}};
  struct cli_args args;
  cli_args_init(&args, cli, argc, argv);
  int code = cli_args_next(&args);
  if (code != CLI_ARGS_END) return cli_args_stop(code);
  if (args.word_count == 0) {
    code = cli_open(cli, CLI_READ);
    return code == CLI_OK ? list_lanes(cli) : code;
  }
  for (size_t i = 0; i < CLI_COUNT(changes); i++) {
    if (strcmp(args.words[0], changes[i].word) != 0) continue;
    if (args.word_count != 2) return cli_usage(cli, "lanes %s expects one LANE", changes[i].word);
    code = cli_open(cli, CLI_WRITE);
    return code == CLI_OK ? set_lane(cli, args.words[1], changes[i].state) : code;
  }
  return cli_usage(cli, "lanes expects pause, resume, drain or disable, got '%s'", args.words[0]);
}

const struct cli_verb cli_verb_lanes = {
    .name = "lanes",
    .summary = "list lanes; pause, resume, drain or disable one",
    .usage = "lanes [pause|resume|drain|disable LANE]",
    .examples = "ff lanes\nff lanes pause images",
    .notes = "paused: nothing is claimed. draining: no new work is accepted. disabled:\n"
             "neither.",
    .words = "pause resume drain disable",
    .run = run_lanes,
};
