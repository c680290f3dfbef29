/*
 * What `ff run` shows: a progress bar on a terminal, plain lines elsewhere, and the summary.
 *
 * Progress goes to standard error, the summary to standard output.
 */
#include "run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { FAILURES_SHOWN = 50, BAR_MAX = 30 };

static pthread_mutex_t screen = PTHREAD_MUTEX_INITIALIZER;

/* A consistent copy of the counters. */
static struct run_counts counts_now(struct run *run) {
  pthread_mutex_lock(&run->lock);
  struct run_counts counts = run->counts;
  pthread_mutex_unlock(&run->lock);
  return counts;
}

static double rate_of(const struct run *run, const struct run_counts *c) {
  int64_t elapsed = cli_monotonic_ms() - run->started;
  size_t ended = c->done + c->failed - c->done_before - c->failed_before;
  return elapsed > 0 ? (double)ended * 1000.0 / (double)elapsed : 0.0;
}

static void eta_text(const struct run_counts *c, double rate, char out[40]) {
  char span[32];
  out[0] = '\0';
  if (rate > 0 && c->left)
    snprintf(out, 40, ", ETA %s", cli_span_text((int64_t)((double)c->left * 1000.0 / rate), span));
}

static void show_bar(struct run *run, const struct run_counts *c, double rate) {
  struct winsize size;
  size_t ended = c->total - c->left - c->unmatched, total = c->total ? c->total : 1;
  size_t width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
  char eta[40], tail[160], bar[BAR_MAX + 1];
  eta_text(c, rate, eta);
  snprintf(tail, sizeof(tail), " %zu/%zu %3zu%%  %.1f/s%s  running %zu  failed %zu", ended,
           c->total, ended * 100 / total, rate, eta, c->running, c->failed);
  size_t room = width > strlen(tail) + 4 ? width - strlen(tail) - 4 : 0;
  if (room > BAR_MAX) room = BAR_MAX;
  for (size_t i = 0; i < room; i++) bar[i] = i < ended * room / total ? '#' : '-';
  bar[room] = '\0';
  fprintf(stderr, "\r[%s]%.*s\033[K", bar, (int)(width > room + 3 ? width - room - 3 : 0), tail);
  fflush(stderr);
  run->shown = true;
}

static void show_line(const struct run_counts *c, double rate) {
  char eta[40];
  eta_text(c, rate, eta);
  fprintf(stderr, "done %zu/%zu, running %zu, failed %zu, %.1f/s%s\n",
          c->total - c->left - c->unmatched, c->total, c->running, c->failed, rate, eta);
}

void run_show_progress(struct run *run, bool last) {
  if (run->cli->quiet) return;
  struct run_counts c = counts_now(run);
  bool terminal = isatty(STDERR_FILENO);
  pthread_mutex_lock(&screen);
  if (terminal) show_bar(run, &c, rate_of(run, &c));
  else show_line(&c, rate_of(run, &c));
  if (last && run->shown) fputc('\n', stderr);
  if (last) run->shown = false;
  pthread_mutex_unlock(&screen);
}

void run_show_event(struct run *run, const struct run_line *line, const char *format, ...) {
  char text[1024];
  if (run->cli->quiet) return;
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof(text), format, values);
  va_end(values);
  pthread_mutex_lock(&screen);
  if (run->shown) fputs("\r\033[K", stderr);
  run->shown = false;
  if (line) fprintf(stderr, "%s:%" PRIu32 ": %s\n", run->file.name, line->job->line, text);
  else fprintf(stderr, "ff: %s\n", text);
  pthread_mutex_unlock(&screen);
}

/* ---- the summary ---- */
static void text_or_null(const char *text) {
  if (text) cli_json_text(stdout, text, strlen(text));
  else fputs("null", stdout);
}

static void summary_json(struct run *run, const struct run_counts *c, int64_t elapsed) {
  fputs("{\"file\":", stdout);
  cli_json_text(stdout, run->file.path, strlen(run->file.path));
  printf(",\"lane\":\"%s\",\"url\":", run->file.lanes[0]);
  char url[4200];
  text_or_null(cli_url_shown(run->cli, url, sizeof(url)));
  bool interrupted = atomic_load(&run->stopping) && run->code == CLI_OK;
  printf(",\"lines\":%zu,\"completed\":%zu,\"failed\":%zu", c->total, c->done, c->failed);
  printf(",\"already_completed\":%zu,\"already_failed\":%zu", c->done_before, c->failed_before);
  printf(",\"forgotten\":%zu,\"retried\":%zu", c->forgotten, c->retried);
  printf(",\"not_ended\":%zu,\"interrupted\":%s", c->left + c->unmatched,
         interrupted ? "true" : "false");
  printf(",\"elapsed_ms\":%" PRId64 ",\"rate_per_s\":%.2f,\"failures\":[", elapsed,
         rate_of(run, c));
  bool first = true;
  for (size_t i = 0; i < run->file.job_count; i++) {
    const struct run_line *line = &run->lines[i];
    if (line->state != RUN_FAILED) continue;
    printf("%s{\"line\":%" PRIu32 ",\"execution_id\":\"%s\",\"exit\":", first ? "" : ",",
           line->job->line, line->id.text);
    text_or_null(line->how);
    printf(",\"attempts\":%" PRIu32 ",\"last_output\":", line->attempts);
    text_or_null(line->last);
    putchar('}');
    first = false;
  }
  fputs("]}\n", stdout);
}

static void show_failures(struct run *run, const struct run_counts *c) {
  static const char *const headings[] = {"LINE", "HOW", "ATTEMPTS", "LAST OUTPUT"};
  struct cli_table table;
  size_t shown = 0;
  if (!c->failed) return;
  puts("\nfailed lines:");
  cli_table_init(&table, headings, CLI_COUNT(headings));
  for (size_t i = 0; i < run->file.job_count && shown < FAILURES_SHOWN; i++) {
    const struct run_line *line = &run->lines[i];
    char number[16], attempts[16];
    if (line->state != RUN_FAILED) continue;
    snprintf(number, sizeof(number), "%" PRIu32, line->job->line);
    snprintf(attempts, sizeof(attempts), "%" PRIu32, line->attempts);
    const char *cells[] = {number, line->how, attempts, line->last};
    cli_table_add(&table, cells);
    shown++;
  }
  cli_table_print(&table, stdout);
  if (shown < c->failed) printf("… and %zu more\n", c->failed - shown);
  if (strcmp(ff_durability(run->cli->engine), "fsync") != 0) return; /* it may be gone by then */
  bool own = strcmp(run->cli->url, CLI_RUN_URL) == 0;
  char shown_url[4200];
  const char *option = own ? "" : " --url ";
  const char *url = own ? "" : cli_url_shown(run->cli, shown_url, sizeof(shown_url));
  printf("more of them: ff list --run %s --state failed%s%s\n", run->file.name, option, url);
  printf("run them again: ff run %s --retry-failed%s%s\n", run->file.name, option, url);
}

static void summary_text(struct run *run, const struct run_counts *c, int64_t elapsed) {
  char span[32];
  printf("%zu line%s: %zu completed, %zu failed", c->total, c->total == 1 ? "" : "s", c->done,
         c->failed);
  if (c->left + c->unmatched) printf(", %zu not ended", c->left + c->unmatched);
  if (c->retried) printf(", %zu retr%s", c->retried, c->retried == 1 ? "y" : "ies");
  if (c->done_before + c->failed_before)
    printf(", %zu had ended before", c->done_before + c->failed_before);
  printf("; %s, %.1f lines/s\n", cli_span_text(elapsed, span), rate_of(run, c));
  if (c->forgotten)
    printf("%zu lines ran before and their records are gone: they do not run again\n",
           c->forgotten);
  if (c->unmatched)
    printf("%zu lines need capabilities this run does not have (--capability): they wait\n",
           c->unmatched);
  if (run->leftovers)
    printf("%zu unfinished lines of an earlier version of the file were left alone\n",
           run->leftovers);
  show_failures(run, c);
}

int run_show_summary(struct run *run) {
  struct run_counts c = counts_now(run);
  int64_t elapsed = cli_monotonic_ms() - run->started;
  if (run->cli->format != CLI_TABLE) summary_json(run, &c, elapsed);
  else if (!run->cli->quiet || c.failed) summary_text(run, &c, elapsed);
  if (run->code != CLI_OK) return run->code;
  if (atomic_load(&run->stopping)) {
    cli_note(run->cli, "interrupted; the same command goes on from here");
    return CLI_INTERRUPTED;
  }
  return c.failed || c.unmatched || c.left ? CLI_REFUSED : CLI_OK;
}
