/*
 * The row of `ff bench` in the verb table; src/cli/bench*.c brings the verb itself.
 */
#include "cli.h"

/* Until that file is there. */
__attribute__((weak)) int cli_bench(struct cli *cli, int argc, char **argv) {
  (void)cli;
  (void)argc;
  (void)argv;
  return cli_error(CLI_REFUSED, "unavailable: this build has no benchmarks");
}

const struct cli_verb cli_verb_bench = {
    .name = "bench",
    .summary = "measure the engine on a store",
    .usage = "bench [WORK...] --url URL [--n N]",
    .examples = "ff bench throughput latency --url sqlite:/tmp/bench.db",
    .run = cli_bench,
};
