/*
 * `ff bench`: which workloads, with which options, and the lines they print.
 *
 * Lines have the shape of the peers' (`peer`, `work`, `mode`, `n`, …), so that one tool compares
 * both. Measures nothing itself.
 */
#include "args.h"
#include "bench.h"
#include "out.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { N, PAYLOAD, CALLERS, SECONDS, RUNS, BULK, STORED, RATE, FLOOR };

static const struct cli_option options[] = {
    [N] = {"n", 'n', "N", "executions measured (default 100,000; latency 1,000; growth 10,000)"},
    [PAYLOAD] = {"payload", 'p', "BYTES", "size of each input (default 100)"},
    [CALLERS] = {"callers", 'c', "N",
                 "threads calling at the same time (default 64; throughput.bulk 1)"},
    [SECONDS] = {"seconds", 's', "N", "how long tail and idle take (default 60)"},
    [RUNS] =
        {"runs", 'r', "N",
         "runs, each beside a run of the floor; medians are printed (default 5; tail and idle 1)"},
    [BULK] = {"bulk", 0, "N",
              "executions a call of throughput.bulk and growth, frames of frames.bulk (default "
              "100, at most 1,000)"},
    [STORED] = {"stored", 0, "N",
                "the most executions growth stores before it measures (default 1,000,000), and "
                "that signal leaves suspended (at most 100,000)"},
    [RATE] = {"rate", 0, "N",
              "lifecycles a second of tail (default: half of what throughput reaches)"},
    [FLOOR] = {"floor", 0, "KIND",
               "the bare SQLite probe: bare (default), full (its row has the columns spec 01 asks "
               "for) or none"},
    {NULL, 0, NULL, NULL},
};

static const struct work {
  const char *name;
  int (*run)(struct bench *b);
} works[BENCH_WORKS] = {
    [BENCH_IDLE] = {"idle", bench_idle},
    [BENCH_THROUGHPUT] = {"throughput", bench_throughput},
    [BENCH_BULK] = {"throughput.bulk", bench_bulk},
    [BENCH_LATENCY] = {"latency", bench_latency},
    [BENCH_SIGNAL] = {"signal", bench_signal},
    [BENCH_TAIL] = {"tail", bench_tail},
    [BENCH_GROWTH] = {"growth", bench_growth},
    [BENCH_FRAMES] = {"frames", bench_frames},
};

/* ---- stopping ---- */

static volatile sig_atomic_t stop;
static void on_signal(int number) {
  (void)number;
  stop = 1;
}
bool bench_stopped(void) { return stop != 0; }

static void catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal};
  action.sa_flags = (int)SA_RESETHAND; /* the second one ends the program */
  stop = 0;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

/* ---- lines ---- */

void bench_line_init(struct bench_line *line, const char *work, const char *durability,
                     uint64_t n) {
  *line = (struct bench_line){.work = work,
                              .durability = durability,
                              .n = n,
                              .per_s = NAN,
                              .p50_ms = NAN,
                              .p99_ms = NAN,
                              .p999_ms = NAN,
                              .floor_per_s = NAN};
}

void bench_line_note(struct bench_line *line, const char *format, ...) {
  size_t len = strlen(line->note);
  if (len) len += (size_t)snprintf(line->note + len, sizeof(line->note) - len, "; ");
  if (len >= sizeof(line->note)) return;
  va_list values;
  va_start(values, format);
  vsnprintf(line->note + len, sizeof(line->note) - len, format, values);
  va_end(values);
}

static void print_number(const char *name, double value, int digits) {
  if (isnan(value))
    printf(",\"%s\":null", name);
  else
    printf(",\"%s\":%.*f", name, digits, value);
}

static void print_text(const char *name, const char *value) {
  printf("%s\"%s\":", strcmp(name, "peer") == 0 ? "{" : ",", name);
  cli_json_text(stdout, value, strlen(value));
}

static const char *store_name(const struct bench *b) {
  static const char *const names[] = {"sqlite", "memory", "other"};
  if (b->kind == BENCH_STORE_OTHER && b->url && strncmp(b->url, "sqlite:", 7) == 0) return "sqlite";
  if (b->kind == BENCH_STORE_OTHER && b->url && strncmp(b->url, "postgres", 8) == 0)
    return "postgres";
  return names[b->kind];
}

static const char *mode_of(const struct bench_line *line) {
  return strcmp(line->durability, "fsync") == 0 ? "durable" : "relaxed";
}

static void print_json(const struct bench *b, const struct bench_line *line) {
  if (b->cli->format == CLI_JSON) fputs(b->lines ? ",\n " : "[", stdout);
  print_text("peer", "flowfabric");
  print_text("version", ff_version());
  print_text("work", line->work);
  print_text("mode", mode_of(line));
  printf(",\"n\":%llu", (unsigned long long)line->n);
  print_number("throughput_per_s", line->per_s, 1);
  print_number("p50_ms", line->p50_ms, 4);
  print_number("p99_ms", line->p99_ms, 4);
  print_text("note", line->note);
  print_text("store", store_name(b));
  print_number("p999_ms", line->p999_ms, 4);
  print_number("floor_per_s", line->floor_per_s, 1);
  putchar('}');
  if (b->cli->format == CLI_JSONL) putchar('\n');
}

static const char *cell(double value, int digits, char out[32]) {
  if (isnan(value)) return "-";
  snprintf(out, 32, "%.*f", digits, value);
  return out;
}

/* The note under its row, folded at the separators. */
static void print_note(const char *note) {
  int column = 0;
  while (*note) {
    const char *end = strstr(note, "; ");
    int len = end ? (int)(end - note) : (int)strlen(note);
    if (column && column + len > 96) column = 0, putchar('\n');
    if (!column)
      column = printf("    %.*s", len, note);
    else
      column += printf("; %.*s", len, note);
    note += len + (end ? 2 : 0);
  }
  putchar('\n');
}

static void print_row(const struct bench *b, const struct bench_line *line) {
  char per_s[32], p50[32], p99[32], p999[32], floor[32], ratio[32];
  if (!b->lines)
    printf("%-26s %-8s %-8s %9s %10s %9s %9s %9s %10s %6s\n", "WORK", "STORE", "MODE", "N", "PER S",
           "P50 MS", "P99 MS", "P99.9 MS", "FLOOR/S", "RATIO");
  printf("%-26s %-8s %-8s %9llu %10s %9s %9s %9s %10s %6s\n", line->work, store_name(b),
         mode_of(line), (unsigned long long)line->n, cell(line->per_s, 0, per_s),
         cell(line->p50_ms, 3, p50), cell(line->p99_ms, 3, p99), cell(line->p999_ms, 3, p999),
         cell(line->floor_per_s, 0, floor), cell(line->per_s / line->floor_per_s, 2, ratio));
  if (line->note[0] && !b->cli->quiet) print_note(line->note);
}

void bench_print(struct bench *b, const struct bench_line *line) {
  struct bench_line said = *line;
  if (b->in_memory) bench_line_note(&said, "ON A FILE SYSTEM IN MEMORY");
  if (b->cli->format == CLI_TABLE)
    print_row(b, &said);
  else
    print_json(b, &said);
  b->lines++;
  fflush(stdout);
}

/* ---- the verb ---- */

/* Where an option's number goes and what it may be. */
static int64_t *number_of(struct bench *b, int option, int64_t *low, int64_t *high) {
  *low = 1;
  *high = 1000000000;
  switch (option) {
    case N: return &b->n;
    case PAYLOAD: *low = 0, *high = 8 << 20; return &b->payload_bytes;
    case CALLERS: *high = 4096; return &b->callers;
    case SECONDS: *high = 86400; return &b->seconds;
    case RUNS: *high = BENCH_RUNS_MAX; return &b->runs;
    case BULK: *low = 2, *high = 1000; return &b->bulk;
    case STORED: *low = 1000; return &b->stored;
    default: return &b->rate_per_s;
  }
}

static int take_option(struct bench *b, int option, const char *value) {
  int64_t low, high;
  if (option == FLOOR) {
    b->no_floor = strcmp(value, "none") == 0;
    b->full_floor = strcmp(value, "full") == 0;
    if (b->no_floor || b->full_floor || strcmp(value, "bare") == 0) return CLI_OK;
    return cli_usage(b->cli, "--floor expects bare, full or none, got '%s'", value);
  }
  int64_t *number = number_of(b, option, &low, &high);
  if (cli_parse_number(value, low, high, number)) return CLI_OK;
  return cli_usage(b->cli, "--%s expects a number from %lld to %lld, got '%s'",
                   options[option].name, (long long)low, (long long)high, value);
}

static int choose(struct bench *b, char **words, int count, bool chosen[BENCH_WORKS]) {
  for (int w = 0; w < BENCH_WORKS; w++) chosen[w] = count == 0;
  for (int i = 0; i < count; i++) {
    int w = 0;
    while (w < BENCH_WORKS && strcmp(works[w].name, words[i]) != 0) w++;
    if (w == BENCH_WORKS) return cli_usage(b->cli, "there is no workload '%s'", words[i]);
    chosen[w] = true;
  }
  if ((chosen[BENCH_BULK] || chosen[BENCH_GROWTH]) && b->payload_bytes * b->bulk > 8 << 20)
    return cli_usage(b->cli, "--payload times --bulk is at most 8 MiB: one call carries no more");
  return CLI_OK;
}

static int run_chosen(struct bench *b, const bool chosen[BENCH_WORKS]) {
  int code = bench_place_init(b);
  for (int w = 0; w < BENCH_WORKS && code == CLI_OK; w++) {
    if (!chosen[w]) continue;
    cli_note(b->cli, "ff: bench: %s …", works[w].name);
    code = bench_stopped() ? CLI_INTERRUPTED : works[w].run(b);
  }
  bench_place_fini(b);
  if (b->cli->format == CLI_JSON) puts(b->lines ? "]" : "[]");
  return bench_stopped() ? CLI_INTERRUPTED : code;
}

static const struct cli_verb row = {
    .name = "bench",
    .summary =
        "measure the store: throughput, latency, tail, growth, frames, idle cost, beside a bare "
        "SQLite probe",
    .usage = "bench [WORK…] [OPTIONS]",
    .examples =
        "ff bench throughput -n 20000 --runs 1\n"
        "ff bench throughput throughput.bulk latency -o jsonl > ours.jsonl\n"
        "ff bench throughput.bulk --url memory:\n"
        "ff bench growth --stored 10000000",
    .notes =
        "WORK is throughput, throughput.bulk, latency, signal, tail, growth, frames or idle; "
        "without any all of them run,\n"
        "for about twenty minutes. Without --url each run has a fresh file under .flowfabric/ of "
        "the current directory,\n"
        "removed afterwards; $FF_URL is not used. With --url the executions stay in that store. "
        "doc/bench.md says\n"
        "what each figure means.",
    .options = options,
    .words = "throughput throughput.bulk latency signal tail growth frames idle",
    .run = cli_bench,
};

/* Weak only because verb_bench.c still holds a stand-in: its row wins at the link until that file
 * is deleted, and cli_bench puts this one in its place. */
extern const struct cli_verb cli_verb_bench __attribute__((weak, alias("row")));

int cli_bench(struct cli *cli, int argc, char **argv) {
  struct bench *b = cli_alloc(sizeof(*b));
  *b = (struct bench){.cli = cli, .payload_bytes = 100, .bulk = 100, .stored = 1000000};
  struct cli_args args;
  bool chosen[BENCH_WORKS];
  cli->verb = &row;
  cli_args_init(&args, cli, argc, argv);
  int option, code = CLI_OK;
  while (code == CLI_OK && (option = cli_args_next(&args)) >= 0)
    code = take_option(b, option, args.value);
  if (code == CLI_OK && option != CLI_ARGS_END) {
    free(b);
    return cli_args_stop(option);
  }
  if (code == CLI_OK) code = choose(b, args.words, args.word_count, chosen);
  catch_signals();
  if (code == CLI_OK) code = run_chosen(b, chosen);
  free(b);
  return code;
}
