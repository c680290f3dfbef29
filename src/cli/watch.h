/*
 * Waiting for executions to end, shared by `ff wait` and `ff submit --wait`.
 */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "cli.h"

/* Opens the store without owning it, waits until the execution ended (cli->timeout_ms at most) and prints its result
 * bytes. CLI_OK only when it completed; CLI_NOT_COMPLETED after another end, CLI_UNREACHABLE when the time ran out.
 * */
int cli_watch_result(struct cli *cli, const char *execution_id);
/* Waits for one execution with cli->engine open; *execution must be released with ff_clear after CLI_OK, and only
 * then. */
int cli_watch(struct cli *cli, const char *execution_id,
              struct ff_describe_execution_result *execution);
/* Prints the stored result of an ended execution: its bytes, unchanged, or an object with -o json. */
int cli_print_result(struct cli *cli, const char *execution_id, const char *path);

#endif
