/*
 * The `ff` program: global options, the verb, its exit code.
 *
 * It owns the table of verbs and nothing else.
 */
#include "args.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_verb *const verbs[] = {
    &cli_verb_run,        &cli_verb_submit,  &cli_verb_get,     &cli_verb_why,   &cli_verb_list,
    &cli_verb_events,     &cli_verb_attempts, &cli_verb_wait,   &cli_verb_result, &cli_verb_tail,
    &cli_verb_summary,    &cli_verb_cancel,  &cli_verb_replay,
    &cli_verb_suspended,  &cli_verb_signal,  &cli_verb_approve, &cli_verb_token, &cli_verb_secret,
    &cli_verb_lanes,      &cli_verb_workers, &cli_verb_flow,
    &cli_verb_doctor,  &cli_verb_bench,  &cli_verb_ops,
    &cli_verb_call,
    &cli_verb_backup,     &cli_verb_restore, &cli_verb_move,
    &cli_verb_completion, &cli_verb_version, &cli_verb_help,
};

const struct cli_verb *const *cli_verbs(size_t *count) {
  *count = CLI_COUNT(verbs);
  return verbs;
}

const struct cli_verb *cli_verb_find(const char *name) {
  for (size_t i = 0; i < CLI_COUNT(verbs); i++)
    if (strcmp(verbs[i]->name, name) == 0) return verbs[i];
  return NULL;
}

/* How many letters have to change to make b of a, up to a small bound: for "did you mean". */
static size_t distance(const char *a, const char *b) {
  size_t row[32], len = strlen(b);
  if (len + 1 > CLI_COUNT(row)) return SIZE_MAX;
  for (size_t j = 0; j <= len; j++) row[j] = j;
  for (size_t i = 0; a[i]; i++) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 1; j <= len; j++) {
      size_t change = diagonal + (a[i] != b[j - 1]);
      diagonal = row[j];
      size_t best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
      row[j] = best < change ? best : change;
    }
  }
  return row[len];
}

static int unknown_verb(const struct cli *cli, const char *name) {
  const char *near = NULL;
  size_t best = 3;
  for (size_t i = 0; i < CLI_COUNT(verbs); i++) {
    size_t far = distance(name, verbs[i]->name);
    if (far < best) {
      best = far;
      near = verbs[i]->name;
    }
  }
  if (near) return cli_usage(cli, "there is no verb '%s'; did you mean %s?", name, near);
  return cli_usage(cli, "there is no verb '%s'", name);
}

static int run_verb(struct cli *cli, int argc, char **argv) {
  cli->verb = cli_verb_find(argv[0]);
  if (!cli->verb) return unknown_verb(cli, argv[0]);
  int code = cli->verb->run(cli, argc, argv);
  cli_close(cli);
  if ((fflush(stdout) != 0 || ferror(stdout)) && code == CLI_OK && errno != EPIPE)
    code = cli_error(CLI_UNREACHABLE, "cannot write the result: %s", strerror(errno));
  return code;
}

/* Started with standard files closed, the next file opened would become one of them. */
static void open_standard_files(void) {
  int fd;
  do {
    fd = open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= 2);
  if (fd > 2) close(fd);
}

int main(int argc, char **argv) {
  struct cli cli = {.timeout_ms = -1};
  bool help = false, version = false;
  open_standard_files();
  signal(SIGPIPE, SIG_IGN);
  int verb = cli_args_global(&cli, argc, argv, &help, &version);
  if (verb < 0) return CLI_USAGE;
  if (!cli.url) {
    const char *url = getenv("FF_URL");
    if (url && *url) cli.url = url;
  }
  if (version) return cli_verb_version.run(&cli, 1, argv);
  if (help) {
    cli_print_overview(stdout);
    return CLI_OK;
  }
  if (verb >= argc) {
    cli_print_overview(stderr);
    return CLI_USAGE;
  }
  return run_verb(&cli, argc - verb, argv + verb);
}
