/*
 * ff doctor: is the store healthy? One line a check; it changes nothing.
 */
#include "args.h"
#include "out.h"
#include "select.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum {
  SKEW_WARN_MS = 2000,
  LOST_LONG_MS = 60000,
  OVERDUE_MS = 10000,
  WAL_WARN_MIB = 64,
  DISK_FAIL_MIB = 64,
  DISK_WARN_MIB = 1024
};

enum verdict { PASS, WARN, FAIL };
static const char *const verdict_words[] = {"ok", "warn", "fail"};

struct doctor {
  struct cli *cli;
  size_t counts[3];
  struct cli_table table;
  size_t rows;
};

static void CLI_PRINTF(4, 5)
    say(struct doctor *d, enum verdict verdict, const char *check, const char *format, ...) {
  char text[1024];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof(text), format, values);
  va_end(values);
  d->counts[verdict]++;
  if (d->cli->format == CLI_TABLE) {
    const char *cells[] = {verdict_words[verdict], check, text};
    cli_table_add(&d->table, cells);
    return;
  }
  if (d->cli->format == CLI_JSON) fputs(d->rows++ ? ",\n" : "[\n", stdout);
  printf("{\"check\":\"%s\",\"verdict\":\"%s\",\"detail\":", check, verdict_words[verdict]);
  cli_json_text(stdout, text, strlen(text));
  fputs(d->cli->format == CLI_JSON ? "}" : "}\n", stdout);
}

static void say_error(struct doctor *d, const char *check, const struct ff_error *error) {
  char text[512];
  ff_error_format(error, text, sizeof(text));
  say(d, FAIL, check, "%s", text);
}

/* ---- what the file system says ---- */
static void check_mode(struct doctor *d, const char *check, const char *path, mode_t allowed) {
  struct stat about;
  if (stat(path, &about) != 0) return;
  mode_t mode = about.st_mode & 0777;
  if (mode & ~allowed)
    say(d, WARN, check, "%s has mode %04o; others can reach it, expected %04o", path,
        (unsigned)mode, (unsigned)allowed);
  else say(d, PASS, check, "%s has mode %04o", path, (unsigned)mode);
}

static int64_t file_size(const char *path, const char *suffix) {
  char name[4200];
  struct stat about;
  snprintf(name, sizeof(name), "%s%s", path, suffix);
  return stat(name, &about) == 0 ? (int64_t)about.st_size : -1;
}

static void check_sizes(struct doctor *d, const char *path) {
  int64_t file = file_size(path, ""), wal = file_size(path, "-wal");
  double file_mib = (double)file / 1048576.0, wal_mib = wal > 0 ? (double)wal / 1048576.0 : 0.0;
  say(d, wal_mib > WAL_WARN_MIB ? WARN : PASS, "size", "file %.1f MiB, write-ahead log %.1f MiB%s",
      file_mib, wal_mib,
      wal_mib > WAL_WARN_MIB ? "; it should stay small: is something holding a long read?" : "");
}

static void check_disk(struct doctor *d, const char *directory) {
  struct statvfs about;
  if (statvfs(directory, &about) != 0) {
    say(d, WARN, "disk", "cannot read the free space of %s: %s", directory, strerror(errno));
    return;
  }
  double free_mib = (double)about.f_bavail * (double)about.f_frsize / 1048576.0;
  enum verdict verdict = free_mib < DISK_FAIL_MIB ? FAIL : free_mib < DISK_WARN_MIB ? WARN : PASS;
  say(d, verdict, "disk", "%.0f MiB free in %s", free_mib, directory);
}

static void check_files(struct doctor *d) {
  char path[4096], directory[4096];
  if (!cli_store_path(d->cli, path, sizeof(path))) return;
  snprintf(directory, sizeof(directory), "%s", path);
  char *slash = strrchr(directory, '/');
  if (slash) *(slash == directory ? slash + 1 : slash) = '\0';
  else snprintf(directory, sizeof(directory), ".");
  check_mode(d, "file mode", path, 0600);
  check_sizes(d, path);
  check_disk(d, directory);
}

/* ---- what the engine says ---- */
static void check_ping(struct doctor *d) {
  struct ff_error error = {0};
  struct ff_ping_args args = FF_ARGS(ping);
  struct ff_ping_result result;
  int64_t before = cli_monotonic_ms();
  if (ff_ping(d->cli->engine, &args, &result, &error) != FF_OK) {
    say_error(d, "answers", &error);
    return;
  }
  ff_clear(&result);
  say(d, PASS, "answers", "in %" PRId64 " ms", cli_monotonic_ms() - before);
}

static void check_durability(struct doctor *d) {
  const char *durability = ff_durability(d->cli->engine);
  bool strong = strncmp(durability, "fsync", 5) == 0;
  say(d, strong ? PASS : WARN, "durability", "%s on %s%s", durability,
      ff_backend_label(d->cli->engine), strong ? "" : ": acknowledged work can be lost");
}

static void check_config(struct doctor *d) {
  struct ff_error error = {0};
  struct ff_read_config_args args = FF_ARGS(read_config);
  struct ff_read_config_result result;
  if (ff_read_config(d->cli->engine, &args, &result, &error) != FF_OK) {
    say_error(d, "schema", &error);
    return;
  }
  char text[512] = "";
  size_t used = 0;
  for (size_t i = 0; i < result.config.count; i++) {
    char key[64], value[128];
    cli_line(result.config.items[i].key, key, sizeof(key));
    cli_line(result.config.items[i].value, value, sizeof(value));
    bool shown = d->cli->verbose || strstr(key, "version") || strstr(key, "schema") ||
                 strstr(key, "partitions");
    if (shown && used < sizeof(text))
      used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %s", used ? ", " : "", key,
                               value);
  }
  ff_clear(&result);
  say(d, PASS, "schema", "%s", text[0] ? text : "readable");
}

static void check_clock(struct doctor *d) {
  struct ff_error error = {0};
  struct ff_server_time_ms_args args = FF_ARGS(server_time_ms);
  struct ff_server_time_ms_result result;
  if (ff_server_time_ms(d->cli->engine, &args, &result, &error) != FF_OK) {
    say_error(d, "clock", &error);
    return;
  }
  int64_t ahead = result.now_ms - cli_now_ms();
  ff_clear(&result);
  bool skewed = ahead > SKEW_WARN_MS || ahead < -SKEW_WARN_MS;
  bool insane = cli_now_ms() < 1577836800000; /* 2020 */
  if (insane) say(d, FAIL, "clock", "this machine's clock says a time before 2020");
  else
    say(d, skewed ? WARN : PASS, "clock", "the store is %" PRId64 " ms %s this machine",
        ahead < 0 ? -ahead : ahead, ahead < 0 ? "behind" : "ahead of");
}

struct overdue {
  int64_t now;
  size_t count;
  struct ff_id example;
};

static bool count_overdue(void *user, const struct ff_execution *e) {
  struct overdue *overdue = user;
  if (!e->delay_until || e->delay_until > overdue->now - OVERDUE_MS) return true;
  if (!overdue->count++) overdue->example = e->execution_id;
  return true;
}

/* Scanners are seen by their work: what is due does not stay due. */
static void check_scanners(struct doctor *d) {
  struct cli_selection selection = {.args = FF_ARGS(query_executions)};
  struct overdue overdue = {.now = cli_now_ms()};
  const char *owner =
      d->cli->read_only ? "the process that owns the file" : "no process (none is open)";
  selection.args.public_state = ff_text("delayed");
  if (cli_select(d->cli, &selection, 100000, count_overdue, &overdue, NULL) != CLI_OK) {
    say(d, FAIL, "scanners", "due work cannot be read");
    return;
  }
  if (!overdue.count) say(d, PASS, "scanners", "nothing is overdue; %s runs them", owner);
  else
    say(d, d->cli->read_only ? FAIL : WARN, "scanners",
        "%zu delayed executions are overdue, for example %s; %s runs the scanners", overdue.count,
        overdue.example.text, owner);
}

static void check_lanes(struct doctor *d) {
  struct ff_error error = {0};
  struct ff_list_lanes_args args = FF_ARGS(list_lanes);
  struct ff_list_lanes_result result;
  size_t states[FF_lane_state_COUNT] = {0};
  args.limit = 10000;
  if (ff_list_lanes(d->cli->engine, &args, &result, &error) != FF_OK) {
    say_error(d, "lanes", &error);
    return;
  }
  for (size_t i = 0; i < result.lanes.count; i++)
    if (result.lanes.items[i].state < FF_lane_state_COUNT) states[result.lanes.items[i].state]++;
  size_t stopped = result.lanes.count - states[FF_lane_state_active];
  say(d, stopped ? WARN : PASS, "lanes", "%zu lanes, %zu paused, %zu draining, %zu disabled",
      result.lanes.count, states[FF_lane_state_paused], states[FF_lane_state_draining],
      states[FF_lane_state_disabled]);
  ff_clear(&result);
}

struct lease_count {
  int64_t now;
  size_t active, lost_long;
  struct ff_id example;
};

static bool count_lease(void *user, const struct ff_execution *e) {
  struct lease_count *count = user;
  count->active++;
  int64_t over = e->leased ? e->lease_expires_at : e->last_transition_at;
  if (count->now - over < LOST_LONG_MS || (e->leased && e->lease_expires_at > count->now))
    return true;
  if (!count->lost_long++) count->example = e->execution_id;
  return true;
}

static void check_leases(struct doctor *d) {
  struct cli_selection selection = {.args = FF_ARGS(query_executions)};
  struct lease_count count = {.now = cli_now_ms()};
  selection.args.public_state = ff_text("active");
  if (cli_select(d->cli, &selection, 100000, count_lease, &count, NULL) != CLI_OK) {
    say(d, FAIL, "leases", "cannot be read");
    return;
  }
  if (count.lost_long)
    say(d, WARN, "leases",
        "%zu of %zu active executions lost their worker more than a minute ago, for example %s",
        count.lost_long, count.active, count.example.text);
  else say(d, PASS, "leases", "%zu active executions, none lost its worker for long", count.active);
}

/* Of the rows the checks before this one, and the scanners of this process, came upon. */
static void check_rows(struct doctor *d) {
  struct ff_error error = {0};
  struct ff_engine_stats_args args = FF_ARGS(engine_stats);
  struct ff_engine_stats_result result;
  char count[32] = "0";
  if (ff_engine_stats(d->cli->engine, &args, &result, &error) != FF_OK) {
    say_error(d, "rows", &error);
    return;
  }
  for (size_t i = 0; i < result.stats.count; i++) {
    char key[64];
    cli_line(result.stats.items[i].key, key, sizeof(key));
    if (strcmp(key, "unreadable_rows") == 0)
      cli_line(result.stats.items[i].value, count, sizeof(count));
  }
  ff_clear(&result);
  bool good = strcmp(count, "0") == 0;
  if (good) say(d, PASS, "rows", "every row read here parses");
  else
    say(d, FAIL, "rows", "%s stored rows cannot be read; the log names each with its field", count);
}

static void check_all(struct doctor *d) {
  char url[900];
  say(d, PASS, "opens", "%s%s", cli_url_shown(d->cli, url, sizeof(url)),
      d->cli->read_only ? ", read-only beside its owner" : "");
  check_ping(d);
  check_durability(d);
  check_config(d);
  check_clock(d);
  check_scanners(d);
  check_lanes(d);
  check_leases(d);
  check_rows(d);
  check_files(d);
}

static int run_doctor(struct cli *cli, int argc, char **argv) {
  static const char *const headings[] = {"RESULT", "CHECK", "DETAIL"};
  struct cli_args args;
  struct doctor doctor = {.cli = cli};
  cli_args_init(&args, cli, argc, argv);
  int code = cli_args_next(&args);
  if (code != CLI_ARGS_END) return cli_args_stop(code);
  if (args.word_count) return cli_usage(cli, "doctor expects no '%s'", args.words[0]);
  code = cli_open(cli, CLI_READ);
  if (code != CLI_OK) return code;
  if (cli->format == CLI_TABLE) cli_table_init(&doctor.table, headings, CLI_COUNT(headings));
  check_all(&doctor);
  if (cli->format == CLI_TABLE) cli_table_print(&doctor.table, stdout);
  if (cli->format == CLI_JSON) puts("\n]");
  cli_note(cli, "%zu ok, %zu warn, %zu fail", doctor.counts[PASS], doctor.counts[WARN],
           doctor.counts[FAIL]);
  return doctor.counts[FAIL] ? CLI_REFUSED : CLI_OK;
}

const struct cli_verb cli_verb_doctor = {
    .name = "doctor",
    .summary = "check that the store is healthy",
    .usage = "doctor",
    .examples = "ff doctor\nff doctor --url sqlite:.flowfabric/flowfabric.db",
    .notes = "One line a check: ok, warn or fail. Exit code 1 when one fails, 5 when the\n"
             "store does not open. It changes nothing.",
    .run = run_doctor,
};
