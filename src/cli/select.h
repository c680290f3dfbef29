/*
 * Which executions a verb means: the filters shared by list, cancel and replay, and the walk over their pages.
 */
#ifndef CLI_SELECT_H
#define CLI_SELECT_H

#include "cli.h"

enum {
  CLI_SELECT_LANE,
  CLI_SELECT_STATE,
  CLI_SELECT_KIND,
  CLI_SELECT_TAG,
  CLI_SELECT_RUN,
  CLI_SELECT_OPTIONS
};
#define CLI_SELECT_ROWS                                                                \
  [CLI_SELECT_LANE] = {"lane", 'l', "LANE", "only this lane"},                         \
  [CLI_SELECT_STATE] = {"state", 's', "STATES", "only these states, comma-separated"}, \
  [CLI_SELECT_KIND] = {"kind", 'k', "KIND", "only this kind"},                         \
  [CLI_SELECT_TAG] = {"tag", 't', "KEY=VALUE", "only with this tag"},                  \
  [CLI_SELECT_RUN] = {"run", 'r', "FILE",                                              \
                      "only the lines of this job file, in the store of `ff run`"}

/* Zero it with .args = FF_ARGS(query_executions). */
struct cli_selection {
  struct ff_query_executions_args args;
  bool given;   /* some filter was given */
  char run[80]; /* the lane of a job file; its lines' own lanes begin with it and ':' */
  char key[260];
};

int cli_select_option(struct cli *cli, struct cli_selection *selection, int option,
                      const char *value);
void cli_select_fini(struct cli_selection *selection);
/* Calls each for up to `limit` executions, page by page, until it answers false. *next (may be NULL) receives the
 * cursor when there are more; free it. CLI_OK or the exit code after the error was printed. */
int cli_select(struct cli *cli, struct cli_selection *selection, int64_t limit,
               bool (*each)(void *user, const struct ff_execution *execution), void *user,
               char **next);

#endif
