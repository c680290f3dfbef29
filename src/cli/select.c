/*
 * The filters of list, cancel and replay.
 */
#include "select.h"

#include "args.h"
#include "run_file.h"

#include <stdlib.h>
#include <string.h>

/* The states must be words: the engine would refuse them too, but not say which there are. */
static int check_states(struct cli *cli, const char *value) {
  for (const char *at = value; *at;) {
    size_t len = strcspn(at, ",");
    if (ff_word_parse(FF_WORD_public_state, (struct ff_str){at, len}) < 0)
      return cli_usage(
          cli,
          "--state: '%.*s' is no state (waiting delayed rate_limited waiting_children active "
          "suspended resumable "
          "completed failed cancelled expired skipped)",
          (int)len, at);
    at += len + (at[len] == ',');
  }
  return CLI_OK;
}

/* The store and lane of a job file. */
static int select_run(struct cli *cli, struct cli_selection *selection, const char *path) {
  int code = cli_run_lane(cli, path, selection->run, sizeof(selection->run));
  if (code != CLI_OK) return code;
  if (!cli->url) cli->url = CLI_RUN_URL;
  return CLI_OK;
}

int cli_select_option(struct cli *cli, struct cli_selection *selection, int option,
                      const char *value) {
  selection->given = true;
  switch (option) {
  case CLI_SELECT_LANE: selection->args.lane_id = ff_text(value); return CLI_OK;
  case CLI_SELECT_STATE:
    selection->args.public_state = ff_text(value);
    return check_states(cli, value);
  case CLI_SELECT_KIND: selection->args.execution_kind = ff_text(value); return CLI_OK;
  case CLI_SELECT_RUN: return select_run(cli, selection, value);
  default: break;
  }
  const char *equals = strchr(value, '=');
  if (!equals || equals == value || (size_t)(equals - value) >= sizeof(selection->key))
    return cli_usage(cli, "--tag expects KEY=VALUE, got '%s'", value);
  memcpy(selection->key, value, (size_t)(equals - value));
  selection->args.tag_key = (struct ff_str){selection->key, (size_t)(equals - value)};
  selection->args.tag_value = ff_text(equals + 1);
  return CLI_OK;
}

void cli_select_fini(struct cli_selection *selection) {
  *selection = (struct cli_selection){0};
}

/* A walk under way. */
struct walk {
  struct cli *cli;
  struct ff_query_executions_args *args;
  bool (*each)(void *user, const struct ff_execution *execution);
  void *user;
  int64_t left;
  char *cursor;
};

/* Walks what args->lane_id and the other filters name. */
static int walk_pages(struct walk *walk) {
  for (bool more = true; more && walk->left > 0;) {
    struct ff_error error = {0};
    struct ff_query_executions_result page;
    walk->args->limit = walk->left < 1000 ? (uint32_t)walk->left : 1000;
    if (ff_query_executions(walk->cli->engine, walk->args, &page, &error) != FF_OK)
      return cli_fail(walk->cli, &error);
    for (size_t i = 0; i < page.executions.count && more; i++, walk->left--)
      more = walk->each(walk->user, &page.executions.items[i]);
    more = more && page.next_cursor.len > 0;
    free(walk->cursor);
    walk->cursor =
        page.next_cursor.len ? cli_copy(page.next_cursor.ptr, page.next_cursor.len) : NULL;
    walk->args->cursor = ff_text(walk->cursor);
    ff_clear(&page);
  }
  return CLI_OK;
}

static bool is_of_run(const struct ff_str *lane, const char *run) {
  size_t len = strlen(run);
  return lane->len >= len && memcmp(lane->ptr, run, len) == 0 &&
         (lane->len == len || lane->ptr[len] == ':');
}

/* One walk for every lane of a job file. */
static int walk_run(struct walk *walk, const char *run) {
  struct ff_error error = {0};
  struct ff_list_lanes_args args = FF_ARGS(list_lanes);
  struct ff_list_lanes_result found;
  args.limit = 10000;
  if (ff_list_lanes(walk->cli->engine, &args, &found, &error) != FF_OK)
    return cli_fail(walk->cli, &error);
  int code = CLI_OK;
  for (size_t i = 0; i < found.lanes.count && code == CLI_OK && walk->left > 0; i++) {
    if (!is_of_run(&found.lanes.items[i].lane_id, run)) continue;
    free(walk->cursor);
    walk->cursor = NULL;
    walk->args->cursor = (struct ff_str){0};
    walk->args->lane_id = found.lanes.items[i].lane_id;
    code = walk_pages(walk);
  }
  walk->args->lane_id = (struct ff_str){0};
  ff_clear(&found);
  return code;
}

int cli_select(struct cli *cli, struct cli_selection *selection, int64_t limit,
               bool (*each)(void *user, const struct ff_execution *execution), void *user,
               char **next) {
  struct walk walk = {
      .cli = cli, .args = &selection->args, .each = each, .user = user, .left = limit};
  if (cli->namespace_) selection->args.namespace_ = ff_text(cli->namespace_);
  int code = selection->run[0] ? walk_run(&walk, selection->run) : walk_pages(&walk);
  selection->args.cursor = (struct ff_str){0};
  if (next && code == CLI_OK) *next = walk.cursor;
  else free(walk.cursor);
  return code;
}
