/*
 * What every file of the command line shares: the verb table's row, the options of one invocation, exit codes and
 * errors.
 *
 * The command line is built on the public API only. A verb prints results on standard output and everything else on
 * standard error, and answers an exit code; nothing but main() ends the process.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* pipe2, pidfd, POSIX names under -std=c17; include this header first */
#endif

#include "flowfabric/flowfabric.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_PRINTF(format_at, first) __attribute__((format(printf, format_at, first)))
#define CLI_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Exit codes (spec 07 §8, doc/cli.md). */
enum cli_exit {
  CLI_OK = 0,
  CLI_REFUSED = 1,       /* the engine refused the operation, or something did not succeed */
  CLI_USAGE = 2,         /* the command line is wrong */
  CLI_MISSING = 3,       /* what was asked for does not exist */
  CLI_AUTH = 4,          /* no right to it */
  CLI_UNREACHABLE = 5,   /* the store failed, is busy or did not answer in time */
  CLI_NOT_COMPLETED = 6, /* the execution waited for ended other than completed */
  CLI_INTERRUPTED = 130
};

enum cli_format { CLI_TABLE, CLI_JSON, CLI_JSONL };

/* One option of a verb: --name, and -letter when letter is not 0. value is what its argument is called, NULL for a
 * flag. */
struct cli_option {
  const char *name;
  char letter;
  const char *value;
  const char *help;
};

struct cli;

/* One verb. run gets argv[0] = the verb's name. */
struct cli_verb {
  const char *name;
  const char *summary;              /* one line, no full stop */
  const char *usage;                /* what follows `ff ` */
  const char *examples;             /* lines, the part of the help people read first */
  const char *notes;                /* more lines, may be NULL */
  const struct cli_option *options; /* ended by a row without a name; NULL = none */
  const char *words; /* fixed words its first argument may be, for completion; may be NULL */
  int (*run)(struct cli *cli, int argc, char **argv);
};

/* One invocation. */
struct cli {
  const struct cli_verb *verb;
  const char *url; /* NULL = the durable default file */
  enum cli_format format;
  bool quiet, verbose, yes;
  const char *namespace_; /* NULL = any, or none */
  int64_t timeout_ms;     /* -1 = not given */
  struct ff_engine *engine;
  bool read_only; /* the engine was opened with mode=ro */
};

/* The verbs in the order help shows them; *count receives how many. */
const struct cli_verb *const *cli_verbs(size_t *count);
const struct cli_verb *cli_verb_find(const char *name);
/* The options every verb takes, ended by a row without a name. */
extern const struct cli_option cli_global_options[];

extern const struct cli_verb cli_verb_submit, cli_verb_get, cli_verb_list, cli_verb_events,
    cli_verb_wait, cli_verb_result, cli_verb_attempts, cli_verb_cancel, cli_verb_replay,
    cli_verb_lanes, cli_verb_workers, cli_verb_flow, cli_verb_run, cli_verb_doctor, cli_verb_bench,
    cli_verb_ops,
    cli_verb_call,
    cli_verb_version, cli_verb_help, cli_verb_completion, cli_verb_suspended, cli_verb_signal,
    cli_verb_approve, cli_verb_token, cli_verb_secret, cli_verb_tail, cli_verb_summary,
    cli_verb_why, cli_verb_backup, cli_verb_restore, cli_verb_move;

/* `ff bench`; src/cli/bench*.c defines it. */
int cli_bench(struct cli *cli, int argc, char **argv);

/* ---- errors: each prints `ff: …` on standard error and answers the exit code ---- */

/* What the engine said: `ff: <code>: <detail>` with the field at fault and a hint. */
int cli_fail(const struct cli *cli, const struct ff_error *error);
/* The same with the subject (an id, a file) in front. */
int cli_fail_about(const struct cli *cli, const char *subject, const struct ff_error *error);
/* The exit code an error stands for. */
int cli_exit_of(const struct ff_error *error);
/* A wrong command line; names the help to read. */
int cli_usage(const struct cli *cli, const char *format, ...) CLI_PRINTF(2, 3);
/* There is no such execution. */
int cli_missing(const struct cli *cli, const char *execution_id);
/* Points at the store of `ff run` in this directory, when that may be what was meant. */
void cli_hint_run_store(const struct cli *cli);
/* Anything else; `code` is the exit code to answer. */
int cli_error(int code, const char *format, ...) CLI_PRINTF(2, 3);
/* A line for people on standard error, unless -q. */
void cli_note(const struct cli *cli, const char *format, ...) CLI_PRINTF(2, 3);
/* Asks before something destructive or bulk. CLI_OK = go on. Without a terminal and without --yes: CLI_USAGE. */
int cli_confirm(const struct cli *cli, const char *format, ...) CLI_PRINTF(2, 3);

/* ---- opening ---- */
/* Where `ff run` keeps its store unless --url says otherwise. */
#define CLI_RUN_DIRECTORY ".flowfabric"
#define CLI_RUN_PATH CLI_RUN_DIRECTORY "/flowfabric.db"
#define CLI_RUN_URL "sqlite:" CLI_RUN_PATH

enum cli_access {
  CLI_READ,  /* falls back to reading beside the process that owns the file */
  CLI_WATCH, /* never owns the file, so that others can work on what is watched */
  CLI_WRITE  /* waits a moment for another short command to let go of the file */
};
/* Opens cli->engine; CLI_OK or the exit code after the error was printed. */
int cli_open(struct cli *cli, enum cli_access access);
/* The same for a process that works: scanners run. options as ff_open's. */
int cli_open_worker(struct cli *cli, const struct ff_open_options *options);
void cli_close(struct cli *cli);
/* The URL as it may be shown: no password in it. "the default file" when none was given. */
const char *cli_url_shown(const struct cli *cli, char *out, size_t out_size);
/* The file behind cli->url in `out`: false when it is not a SQLite file. */
bool cli_store_path(const struct cli *cli, char *out, size_t out_size);

/* ---- help and completion (help.c, completion.c) ---- */
void cli_print_help(FILE *out, const struct cli_verb *verb);
void cli_print_overview(FILE *out);

#endif
