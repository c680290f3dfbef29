/*
 * ff events: what happened to one execution, or (feed.c) what happens to all of them.
 */
#include "args.h"
#include "feed.h"
#include "out.h"

#include <inttypes.h>
#include <string.h>

enum { AFTER, LIMIT, FOLLOW, FAMILY, CURSOR, FROM_START, NAMESPACE, TAG };
static const struct cli_option event_options[] = {
    [AFTER] = {"after", 0, "EVENT", "of one execution: only events after this number"},
    [LIMIT] = {"limit", 'n', "N", "at most so many (default: all)"},
    [FOLLOW] = {"follow", 'f', NULL, "go on: until the execution ended, or for ever"},
    [FAMILY] = {"family", 0, "NAME", "of all executions: completion (default), lease, signal, tag"},
    [CURSOR] = {"cursor", 0, "BASE64", "go on behind this `cursor` of an earlier line"},
    [FROM_START] = {"from-start", 0, NULL, "with -f: begin with the oldest event kept, not now"},
    [NAMESPACE] = {"namespace", 0, "TEXT", "only executions of this namespace"},
    [TAG] = {"tag", 't', "KEY=VALUE", "only executions that had this tag"},
    {NULL, 0, NULL, NULL},
};

struct event_query {
  const char *execution_id;
  uint64_t after;
  int64_t left;
  bool follow, ended;
  struct cli_table table;
  struct cli_list list;
};

static const char *event_name(const struct ff_event *e) {
  if (e->completion != FF_terminal_outcome_none)
    return ff_word(FF_WORD_terminal_outcome, e->completion);
  if (e->lease_event != FF_lease_event_none) return ff_word(FF_WORD_lease_event, e->lease_event);
  if (e->operator_event != FF_operator_event_none)
    return ff_word(FF_WORD_operator_event, e->operator_event);
  if (e->signal_delivery != FF_signal_delivery_none) return "signal";
  return e->tag_key.ptr ? "tagged" : "-";
}

static void print_event(struct cli *cli, struct event_query *query, const struct ff_event *e) {
  if (cli->format != CLI_TABLE) {
    cli_list_item(&query->list, cli_described("list_events", "events"), e);
    if (query->follow) fflush(stdout);
    return;
  }
  char number[32], at[32], attempt[16], worker[64], reason[512];
  snprintf(number, sizeof(number), "%" PRIu64, e->event_id);
  snprintf(attempt, sizeof(attempt), "%" PRIu32, e->attempt_index);
  cli_time_text(e->at, at);
  cli_line(e->worker_instance_id, worker, sizeof(worker));
  cli_line(e->reason.len ? e->reason : e->details, reason, sizeof(reason));
  if (e->signal_delivery != FF_signal_delivery_none)
    snprintf(reason, sizeof(reason), "%s", ff_word(FF_WORD_signal_effect, e->observed_effect));
  if (query->follow) {
    printf("%s  %s  %s  attempt %s  %s  %s\n", number, at, event_name(e), attempt, worker, reason);
    fflush(stdout);
    return;
  }
  const char *cells[] = {number, at,    event_name(e), e->attempt_id.text[0] ? attempt : NULL,
                         worker, reason};
  cli_table_add(&query->table, cells);
}

/* Reads what is there now. */
static int read_events(struct cli *cli, struct event_query *query) {
  for (bool more = true; more && query->left > 0;) {
    struct ff_error error = {0};
    struct ff_list_events_args call = FF_ARGS(list_events);
    struct ff_list_events_result found;
    call.execution_id = ff_text(query->execution_id);
    call.after = query->after;
    call.limit = query->left < 1000 ? (uint32_t)query->left : 1000;
    if (ff_list_events(cli->engine, &call, &found, &error) != FF_OK)
      return cli_fail_about(cli, query->execution_id, &error);
    bool none = found.outcome == FF_outcome_none;
    for (size_t i = 0; i < found.events.count; i++) {
      const struct ff_event *e = &found.events.items[i];
      print_event(cli, query, e);
      query->after = e->event_id;
      query->left--;
      query->ended = e->completion != FF_terminal_outcome_none;
    }
    more = found.more;
    ff_clear(&found);
    if (none) return cli_missing(cli, query->execution_id);
  }
  return CLI_OK;
}

static bool is_over(struct cli *cli, const char *execution_id) {
  struct ff_read_execution_state_args call = FF_ARGS(read_execution_state);
  struct ff_read_execution_state_result found;
  call.execution_id = ff_text(execution_id);
  if (ff_read_execution_state(cli->engine, &call, &found, NULL) != FF_OK) return true;
  bool over = found.outcome == FF_outcome_none || found.public_state >= FF_public_state_completed;
  ff_clear(&found);
  return over;
}

static int follow_events(struct cli *cli, struct event_query *query) {
  int64_t until = cli->timeout_ms < 0 ? INT64_MAX : cli_monotonic_ms() + cli->timeout_ms;
  for (;;) {
    bool over = is_over(cli, query->execution_id); /* before reading: what ended it is read then */
    int code = read_events(cli, query);
    if (code != CLI_OK || over || query->left <= 0) return code;
    if (cli_monotonic_ms() >= until)
      return cli_error(CLI_UNREACHABLE, "timeout: %s has not ended", query->execution_id);
    cli_sleep_ms(250);
  }
}

static int list_events(struct cli *cli, struct event_query *query) {
  static const char *const headings[] = {"EVENT", "AT", "WHAT", "ATTEMPT", "INSTANCE", "REASON"};
  if (cli->format == CLI_TABLE && !query->follow)
    cli_table_init(&query->table, headings, CLI_COUNT(headings));
  if (cli->format != CLI_TABLE) cli_list_begin(&query->list, cli);
  int code = query->follow ? follow_events(cli, query) : read_events(cli, query);
  if (cli->format != CLI_TABLE) cli_list_end(&query->list);
  else if (!query->follow && code == CLI_OK) cli_table_print(&query->table, stdout);
  cli_table_fini(&query->table);
  return code;
}

/* The options of one kind make no sense for the other. */
static int check_options(struct cli *cli, const struct cli_args *args, bool after,
                         const char *of_feed) {
  if (args->word_count > 1) return cli_usage(cli, "events expects at most one execution id");
  if (args->word_count == 1 && of_feed)
    return cli_usage(cli, "--%s is for the events of all executions; leave the id out", of_feed);
  if (args->word_count == 0 && after)
    return cli_usage(cli, "--after needs an execution id; --cursor goes on with all executions");
  return CLI_OK;
}

static int run_events(struct cli *cli, int argc, char **argv) {
  struct event_query query = {.left = INT64_MAX};
  struct cli_feed feed = {.left = INT64_MAX};
  struct cli_args args;
  const char *of_feed = NULL;
  bool after = false;
  cli_args_init(&args, cli, argc, argv);
  int option, code = CLI_OK;
  while (code == CLI_OK && (option = cli_args_next(&args)) >= 0) {
    int64_t number = 0;
    if (option >= FAMILY) of_feed = event_options[option].name;
    if ((option == AFTER || option == LIMIT) &&
        !cli_parse_number(args.value, 0, INT64_MAX, &number))
      code = cli_usage(cli, "--%s expects a number, got '%s'", event_options[option].name,
                       args.value);
    switch (option) {
    case AFTER: query.after = (uint64_t)number, after = true; break;
    case LIMIT: query.left = feed.left = number; break;
    case FOLLOW: query.follow = feed.follow = true; break;
    case FAMILY: code = cli_feed_family(cli, &feed, args.value); break;
    case CURSOR: code = cli_feed_cursor(cli, &feed, args.value); break;
    case FROM_START: feed.from_start = true; break;
    case NAMESPACE: feed.filter.namespace_ = ff_text(args.value); break;
    default: code = cli_feed_tag(cli, &feed, args.value); break;
    }
  }
  if (code == CLI_OK && option != CLI_ARGS_END) code = cli_args_stop(option);
  else if (code == CLI_OK) code = check_options(cli, &args, after, of_feed);
  if (code == CLI_OK && option == CLI_ARGS_END)
    code = cli_open(cli, query.follow ? CLI_WATCH : CLI_READ);
  query.execution_id = args.word_count ? args.words[0] : NULL;
  if (code == CLI_OK && option == CLI_ARGS_END)
    code = query.execution_id ? list_events(cli, &query) : cli_feed_show(cli, &feed);
  cli_feed_fini(&feed);
  return code;
}

const struct cli_verb cli_verb_events = {
    .name = "events",
    .summary = "list what happened to one execution, or follow what happens to all",
    .usage = "events [EID [--after EVENT]] [--family NAME] [--follow]",
    .examples = "ff events {fp:7}:550e8400-e29b-41d4-a716-446655440000\n"
                "ff events EID --follow -o jsonl\n"
                "ff events --family completion --follow -o jsonl --cursor BAAAAAAAAAAP",
    .options = event_options,
    .run = run_events,
};
