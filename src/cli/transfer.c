/*
 * ff backup, ff restore and ff move: a whole deployment into a file, out of one, and to another store.
 */
#include "args.h"
#include "out.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR_MAX = 30, BAR_PAUSE_MS = 100, LINE_PAUSE_MS = 5000 };

static volatile sig_atomic_t interrupted;
static void interrupt(int signal) {
  (void)signal;
  interrupted = 1;
}

/* ---- progress ---- */

struct show {
  const struct cli *cli;
  const char *phase;
  int64_t began, last;
  bool bar, shown;
};

static void show_bar(const struct ff_transfer_progress *p, double rate) {
  struct winsize size;
  size_t width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
  char tail[160], bar[BAR_MAX + 1];
  uint64_t total = p->total ? p->total : 1, done = p->done < total ? p->done : total;
  snprintf(tail, sizeof(tail), " %s %" PRIu64 "/%" PRIu64 " %3" PRIu64 "%%  %.0f/s  %s", p->phase,
           p->done, p->total, done * 100 / total, rate, p->kind ? p->kind : "pages");
  size_t room = width > strlen(tail) + 4 ? width - strlen(tail) - 4 : 0;
  if (room > BAR_MAX) room = BAR_MAX;
  for (size_t i = 0; i < room; i++) bar[i] = i < done * room / total ? '#' : '-';
  bar[room] = '\0';
  fprintf(stderr, "\r[%s]%.*s\033[K", bar, (int)(width > room + 3 ? width - room - 3 : 0), tail);
  fflush(stderr);
}

static bool show_progress(void *user, const struct ff_transfer_progress *p) {
  struct show *show = user;
  int64_t now = cli_monotonic_ms();
  bool fresh = !show->phase || strcmp(show->phase, p->phase) != 0;
  if (interrupted || show->cli->quiet) return !interrupted;
  if (fresh) show->began = now;
  show->phase = p->phase;
  if (!fresh && now - show->last < (show->bar ? BAR_PAUSE_MS : LINE_PAUSE_MS)) return true;
  show->last = now;
  double rate = now > show->began ? (double)p->done * 1000.0 / (double)(now - show->began) : 0.0;
  if (show->bar) show_bar(p, rate);
  else if (p->total)
    fprintf(stderr, "ff: %s %" PRIu64 " of %" PRIu64 ", %.0f/s\n", p->phase, p->done, p->total,
            rate);
  else fprintf(stderr, "ff: %s\n", p->phase);
  show->shown = show->bar;
  return true;
}

static void begin(struct cli *cli, struct show *show, struct ff_transfer_options *options) {
  struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESETHAND};
  *show = (struct show){.cli = cli, .bar = isatty(STDERR_FILENO)};
  options->progress = show_progress;
  options->progress_user = show;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

static int end(struct cli *cli, const struct show *show, enum ff_rc rc,
               const struct ff_error *error) {
  if (show->shown) fputs("\r\033[K", stderr);
  if (rc == FF_OK) return CLI_OK;
  int code = cli_fail(cli, error);
  return interrupted ? CLI_INTERRUPTED : code;
}

/* ---- results ---- */

/* URLs may hold passwords: only files are named. */
static void report(struct cli *cli, const char *what, const char *file, const char *checked,
                   const struct ff_transfer_report *r) {
  if (cli->format != CLI_TABLE) {
    printf("{\"%s\":", what);
    cli_json_text(stdout, file, strlen(file));
    printf(",\"records\":%" PRIu64 ",\"events\":%" PRIu64 ",\"bytes\":%" PRIu64
           ",\"by_pages\":%s}\n",
           r->records, r->events, r->bytes, r->by_pages ? "true" : "false");
  } else if (r->by_pages && !r->records) {
    printf("%s %s: a SQLite database of %.1f MiB\n", what, file, (double)r->bytes / 1048576.0);
  } else {
    printf("%s %s: %" PRIu64 " records, %" PRIu64 " of them events%s\n", what, file, r->records,
           r->events, checked);
  }
}

/* The words of a verb with flags of its own: flags[i] is set for option i. */
static int read_words(struct cli *cli, struct cli_args *args, int argc, char **argv, bool *flags,
                      int words, const char *expected) {
  int option;
  cli_args_init(args, cli, argc, argv);
  while ((option = cli_args_next(args)) >= 0) flags[option] = true;
  int code = cli_args_stop(option);
  if (code != CLI_OK || option != CLI_ARGS_END) return code == CLI_OK ? -1 : code;
  if (args->word_count == words) return CLI_OK;
  return cli_usage(cli, "%s expects %s", cli->verb->name, expected);
}

/* ---- the verbs ---- */

enum { BACKUP_FORCE, BACKUP_PORTABLE };
static const struct cli_option backup_options[] = {
    {"force", 'f', NULL, "replace the file if it exists"},
    {"portable", 0, NULL, "the portable format, also of a SQLite file"},
    {0},
};

static int run_backup(struct cli *cli, int argc, char **argv) {
  struct ff_transfer_options options = FF_TRANSFER_OPTIONS_INIT;
  struct ff_transfer_report done = {.size = sizeof(done)};
  struct ff_error error = {0};
  struct cli_args args;
  struct show show;
  bool flags[2] = {false};
  int code = read_words(cli, &args, argc, argv, flags, 1, "a file to write");
  if (code != CLI_OK) return code < 0 ? CLI_OK : code;
  options.force = flags[BACKUP_FORCE];
  options.portable = flags[BACKUP_PORTABLE];
  begin(cli, &show, &options);
  enum ff_rc rc = ff_backup(cli->url, args.words[0], &options, &done, &error);
  code = end(cli, &show, rc, &error);
  if (code == CLI_OK) report(cli, "saved", args.words[0], "", &done);
  return code;
}

static int run_restore(struct cli *cli, int argc, char **argv) {
  struct ff_transfer_options options = FF_TRANSFER_OPTIONS_INIT;
  struct ff_transfer_report done = {.size = sizeof(done)};
  struct ff_error error = {0};
  struct cli_args args;
  struct show show;
  int code = read_words(cli, &args, argc, argv, NULL, 1, "a file that ff backup wrote");
  if (code != CLI_OK) return code < 0 ? CLI_OK : code;
  begin(cli, &show, &options);
  enum ff_rc rc = ff_restore(args.words[0], cli->url, &options, &done, &error);
  code = end(cli, &show, rc, &error);
  if (code == CLI_OK) report(cli, "restored", args.words[0], "; all there", &done);
  return code;
}

static const struct cli_option move_options[] = {
    {"cancel", 0, NULL, "take back a move that has not ended: FROM can be used again"},
    {0},
};

static int run_move(struct cli *cli, int argc, char **argv) {
  struct ff_transfer_options options = FF_TRANSFER_OPTIONS_INIT;
  struct ff_transfer_report done = {.size = sizeof(done)};
  struct ff_error error = {0};
  struct cli_args args;
  struct show show;
  bool flags[1] = {false};
  int code = read_words(cli, &args, argc, argv, flags, 2, "FROM and TO, both URLs");
  if (code != CLI_OK) return code < 0 ? CLI_OK : code;
  options.cancel = flags[0];
  if (!options.cancel)
    code = cli_confirm(cli, "Move everything? Engines will refuse the old store from now on.");
  if (code != CLI_OK) return code;
  begin(cli, &show, &options);
  enum ff_rc rc = ff_move(args.words[0], args.words[1], &options, &done, &error);
  code = end(cli, &show, rc, &error);
  if (code == CLI_OK && options.cancel) cli_note(cli, "ff: the old store can be used again");
  else if (code == CLI_OK) report(cli, "moved", "everything", "; each compared", &done);
  return code;
}

const struct cli_verb cli_verb_backup = {
    .name = "backup",
    .summary = "save the whole deployment into a file",
    .usage = "backup FILE [--force] [--portable]",
    .examples = "ff backup monday.db\nff backup --url postgres://ff@db/ff monday.ffdump",
    .notes = "A SQLite file gives a SQLite database, of one instant, while its owner works on.\n"
             "Other stores give a portable file; stop the engines first. Either holds the\n"
             "secrets of waitpoint tokens: keep it as you keep the store.",
    .options = backup_options,
    .run = run_backup,
};

const struct cli_verb cli_verb_restore = {
    .name = "restore",
    .summary = "fill an empty store from a backup",
    .usage = "restore FILE",
    .examples = "ff restore monday.db --url sqlite:new.db\n"
                "ff restore monday.ffdump --url postgres://ff@db/ff",
    .notes = "Takes both formats into any store. A file that is damaged or cut off is refused\n"
             "with the offset; engines refuse the store until all of it is there.",
    .run = run_restore,
};

const struct cli_verb cli_verb_move = {
    .name = "move",
    .summary = "move the whole deployment to another store",
    .usage = "move FROM TO [--cancel]",
    .examples = "ff move sqlite:app.db postgres://ff@db/ff\n"
                "ff move --cancel sqlite:app.db postgres://ff@db/ff",
    .notes = "FROM and TO are URLs; no engine may be at work on either, and TO must be empty.\n"
             "Every record is compared at the end. Stopped or killed, the same command goes on.\n"
             "Afterwards engines refuse FROM and name TO. Handles and cursors that workers and\n"
             "readers still hold are refused by a store of another kind.",
    .options = move_options,
    .run = run_move,
};
