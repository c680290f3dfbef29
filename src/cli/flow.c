/*
 * ff flow: the flows of a store, one of them with its members, and cancelling one.
 */
#include "args.h"
#include "out.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ALL, LIMIT, POLICY, REASON, WAIT };
static const struct cli_option options[] = {
    [ALL] = {"all", 'a', NULL, "every one, not only the first 50"},
    [LIMIT] = {"limit", 'n', "N", "at most so many (default 50)"},
    [POLICY] = {"policy", 'p', "POLICY", "cancel_all (default), cancel_pending or flow_only"},
    [REASON] = {"reason", 0, "TEXT", "why, kept with the flow and its members"},
    [WAIT] = {"wait", 'w', NULL, "until every member that is owed a cancel has ended"},
    {NULL, 0, NULL, NULL},
};

struct wishes {
  int64_t limit;
  const char *policy, *reason;
  bool wait;
};

/* ---- list ---- */

struct listing {
  struct cli *cli;
  struct cli_table table;
  struct cli_list list;
};

static void begin(struct listing *l, const char *const *headings, size_t count) {
  if (l->cli->format == CLI_TABLE) cli_table_init(&l->table, headings, count);
  else cli_list_begin(&l->list, l->cli);
}

static int end(struct listing *l, int code, bool more) {
  if (l->cli->format != CLI_TABLE) cli_list_end(&l->list);
  else if (code == CLI_OK) cli_table_print(&l->table, stdout);
  cli_table_fini(&l->table);
  if (code == CLI_OK && more) cli_note(l->cli, "ff: note: there are more: --all or --limit N");
  return code;
}

static void add_flow(struct listing *l, const struct ff_flow_entry *f) {
  char created[32];
  if (l->cli->format != CLI_TABLE) {
    cli_list_item(&l->list, cli_described("list_flows", "flows"), f);
    return;
  }
  const char *cells[] = {f->flow_id.text, ff_word(FF_WORD_flow_status, f->status),
                         cli_time_text(f->created_at, created)};
  cli_table_add(&l->table, cells);
}

static int list_flows(struct cli *cli, int64_t limit) {
  static const char *const headings[] = {"FLOW", "STATUS", "CREATED"};
  struct listing l = {.cli = cli};
  struct ff_error error = {0};
  struct ff_list_flows_args call = FF_ARGS(list_flows);
  struct ff_id cursor = {{0}};
  int code = CLI_OK;
  begin(&l, headings, CLI_COUNT(headings));
  do {
    struct ff_list_flows_result page;
    call.limit = limit < 1000 ? (uint32_t)limit : 1000;
    call.cursor = ff_text(cursor.text);
    if (ff_list_flows(cli->engine, &call, &page, &error) != FF_OK) {
      code = cli_fail(cli, &error);
      break;
    }
    for (size_t i = 0; i < page.flows.count; i++) add_flow(&l, &page.flows.items[i]);
    limit -= (int64_t)page.flows.count;
    cli_str(page.next_cursor, cursor.text, sizeof(cursor.text));
    ff_clear(&page);
  } while (cursor.text[0] && limit > 0);
  return end(&l, code, cursor.text[0] != '\0');
}

/* ---- describe ---- */

static void print_flow(const struct ff_flow *f) {
  char kind[300], namespace_[300], created[32], reason[300];
  printf("flow       %s\n", f->flow_id.text);
  printf("state      %s\n", ff_word(FF_WORD_flow_public_state, f->public_flow_state));
  printf("kind       %s\n", cli_line(f->flow_kind, kind, sizeof(kind)));
  printf("namespace  %s\n", cli_line(f->namespace_, namespace_, sizeof(namespace_)));
  printf("created    %s\n", cli_time_text(f->created_at, created));
  printf("members    %" PRIu32 ": %" PRIu32 " alive, %" PRIu32 " completed, %" PRIu32
         " failed, %" PRIu32 " cancelled, %" PRIu32 " expired, %" PRIu32 " skipped\n",
         f->node_count, f->members_alive, f->members_completed, f->members_failed,
         f->members_cancelled, f->members_expired, f->members_skipped);
  printf("edges      %" PRIu32 ", revision %" PRIu64 "\n", f->edge_count, f->graph_revision);
  if (f->cancelled_at)
    printf("cancelled  %s, %s%s%s\n", cli_time_text(f->cancelled_at, created),
           ff_word(FF_WORD_flow_cancel_policy, f->cancellation_policy),
           f->cancel_reason.len ? ": " : "", cli_line(f->cancel_reason, reason, sizeof(reason)));
  for (size_t i = 0; i < f->tags.count; i++) {
    char key[300], value[300];
    printf("tag        %s=%s\n", cli_line(f->tags.items[i].key, key, sizeof(key)),
           cli_line(f->tags.items[i].value, value, sizeof(value)));
  }
}

static int describe_flow(struct cli *cli, const char *id) {
  struct ff_error error = {0};
  struct ff_describe_flow_args call = FF_ARGS(describe_flow);
  struct ff_describe_flow_result found;
  call.flow_id = ff_text(id);
  if (ff_describe_flow(cli->engine, &call, &found, &error) != FF_OK)
    return cli_fail_about(cli, id, &error);
  int code = CLI_OK;
  if (found.outcome == FF_outcome_none)
    code = cli_error(CLI_MISSING, "%s: no such flow", id);
  else if (cli->format == CLI_TABLE)
    print_flow(&found.flow);
  else {
    cli_json_struct(stdout, cli_described("describe_flow", "flow"), &found.flow);
    putchar('\n');
  }
  ff_clear(&found);
  return code;
}

/* ---- members ---- */

static void add_member(struct listing *l, const struct ff_flow_member *m) {
  char seq[16];
  if (l->cli->format != CLI_TABLE) {
    cli_list_item(&l->list, cli_described("list_flow_members", "members"), m);
    return;
  }
  snprintf(seq, sizeof(seq), "%" PRIu32, m->seq);
  const char *outcome = m->last_outcome == FF_terminal_outcome_none
                            ? "alive"
                            : ff_word(FF_WORD_terminal_outcome, m->last_outcome);
  const char *cells[] = {m->execution_id.text, seq, outcome};
  cli_table_add(&l->table, cells);
}

static int list_members(struct cli *cli, const char *id, int64_t limit) {
  static const char *const headings[] = {"EXECUTION", "SEQ", "OUTCOME"};
  struct listing l = {.cli = cli};
  struct ff_error error = {0};
  struct ff_list_flow_members_args call = FF_ARGS(list_flow_members);
  struct ff_id cursor = {{0}};
  int code = CLI_OK;
  call.flow_id = ff_text(id);
  begin(&l, headings, CLI_COUNT(headings));
  do {
    struct ff_list_flow_members_result page;
    call.limit = limit < 1000 ? (uint32_t)limit : 1000;
    call.cursor = ff_text(cursor.text);
    if (ff_list_flow_members(cli->engine, &call, &page, &error) != FF_OK) {
      code = cli_fail_about(cli, id, &error);
      break;
    }
    for (size_t i = 0; i < page.members.count; i++) add_member(&l, &page.members.items[i]);
    limit -= (int64_t)page.members.count;
    cli_str(page.next_cursor, cursor.text, sizeof(cursor.text));
    ff_clear(&page);
  } while (cursor.text[0] && limit > 0);
  return end(&l, code, cursor.text[0] != '\0');
}

/* ---- cancel ---- */

static int cancel_flow(struct cli *cli, const char *id, const struct wishes *w) {
  struct ff_error error = {0};
  struct ff_cancel_flow_args call = FF_ARGS(cancel_flow);
  struct ff_cancel_flow_result result;
  call.flow_id = ff_text(id);
  call.cancellation_policy = ff_text(w->policy);
  call.reason = ff_text(w->reason);
  call.wait = w->wait ? FF_flow_wait_wait_indefinite : FF_flow_wait_no_wait;
  if (ff_cancel_flow(cli->engine, &call, &result, &error) != FF_OK)
    return cli_fail_about(cli, id, &error);
  if (cli->format != CLI_TABLE) {
    cli_json_struct(stdout, ff_operation_find(ff_text("cancel_flow"))->result, &result);
    putchar('\n');
  } else {
    printf("%s  %s, %s\n", id, ff_word(FF_WORD_outcome, result.outcome),
           ff_word(FF_WORD_flow_cancel_policy, result.cancellation_policy));
    for (size_t i = 0; i < result.failed_member_execution_ids.count; i++)
      printf("%s  cannot be cancelled: its record is damaged\n",
             result.failed_member_execution_ids.items[i].execution_id.text);
  }
  ff_clear(&result);
  return CLI_OK;
}

static int run_words(struct cli *cli, const struct cli_args *args, const struct wishes *w) {
  if (args->word_count == 0)
    return cli_usage(cli, "flow expects list, describe, members or cancel");
  const char *what = args->words[0];
  bool list = strcmp(what, "list") == 0, cancel = strcmp(what, "cancel") == 0;
  bool describe = strcmp(what, "describe") == 0, members = strcmp(what, "members") == 0;
  if (!list && !cancel && !describe && !members)
    return cli_usage(cli, "flow expects list, describe, members or cancel, got '%s'", what);
  if (list && args->word_count != 1) return cli_usage(cli, "flow list expects nothing more");
  if (!list && args->word_count != 2) return cli_usage(cli, "flow %s expects one FLOW", what);
  int code = cli_open(cli, cancel ? CLI_WRITE : CLI_READ);
  if (code != CLI_OK) return code;
  if (list) return list_flows(cli, w->limit);
  if (cancel) return cancel_flow(cli, args->words[1], w);
  return describe ? describe_flow(cli, args->words[1])
                  : list_members(cli, args->words[1], w->limit);
}

static int run_flow(struct cli *cli, int argc, char **argv) {
  struct wishes wishes = {.limit = 50, .policy = "cancel_all", .reason = ""};
  struct cli_args args;
  int option;
  cli_args_init(&args, cli, argc, argv);
  while ((option = cli_args_next(&args)) >= 0) {
    if (option == ALL) wishes.limit = INT64_MAX;
    else if (option == POLICY) wishes.policy = args.value;
    else if (option == REASON) wishes.reason = args.value;
    else if (option == WAIT) wishes.wait = true;
    else if (!cli_parse_number(args.value, 1, INT64_MAX, &wishes.limit))
      return cli_usage(cli, "--limit expects a number, got '%s'", args.value);
  }
  return option == CLI_ARGS_END ? run_words(cli, &args, &wishes) : cli_args_stop(option);
}

const struct cli_verb cli_verb_flow = {
    .name = "flow",
    .summary = "list flows; show one and its members; cancel one",
    .usage = "flow list | describe FLOW | members FLOW | cancel FLOW [--policy P] [--wait]",
    .examples = "ff flow list --all\nff flow describe 018bcfe5-7b88-7000-800f-34e65c2b3150\n"
                "ff flow cancel 018bcfe5-7b88-7000-800f-34e65c2b3150 --policy cancel_pending\n"
                "ff flow cancel 018bcfe5-7b88-7000-800f-34e65c2b3150 --wait",
    .notes = "cancel_all ends every member, cancel_pending those that are not running, flow_only\n"
             "none: it seals the flow.",
    .options = options,
    .words = "list describe members cancel",
    .run = run_flow,
};
