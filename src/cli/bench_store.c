/*
 * Where a benchmark works: the given store, or scratch files that are removed afterwards.
 *
 * Never leaves a file behind that it made, never removes one it did not make, and says so when the
 * place is in memory.
 */
#include "args.h"
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MAGIC_TMPFS 0x01021994
#define MAGIC_RAMFS 0x858458f6

/* ---- the place ---- */

static int cannot_make(const char *path) {
  return cli_error(CLI_UNREACHABLE, "cannot create the directory %s: %s", path, strerror(errno));
}

/* .flowfabric/bench-<pid> of the current directory. */
static int make_scratch_directory(struct bench *b) {
  static const char parent[] = ".flowfabric";
  if (mkdir(parent, 0700) == 0)
    b->made_parent = true;
  else if (errno != EEXIST)
    return cannot_make(parent);
  snprintf(b->directory, sizeof(b->directory), "%s/bench-%ld", parent, (long)getpid());
  if (mkdir(b->directory, 0700) != 0) return cannot_make(b->directory);
  b->made_directory = true;
  return CLI_OK;
}

/* The directory of the given file: the floor's file and growth's files go beside it. */
static int use_directory_of(struct bench *b, const char *path) {
  const char *slash = strrchr(path, '/');
  int len = slash ? (int)(slash - path) : 1;
  if (slash == path) len = 1;
  int written = snprintf(b->directory, sizeof(b->directory), "%.*s", len, slash ? path : ".");
  if (written < 0 || (size_t)written >= sizeof(b->directory))
    return cli_error(CLI_USAGE, "the path is too long");
  return CLI_OK;
}

static void look_at_medium(struct bench *b) {
  struct statfs about;
  if (statfs(b->directory, &about) != 0) return;
  b->in_memory = about.f_type == MAGIC_TMPFS || (unsigned long)about.f_type == MAGIC_RAMFS;
  if (b->in_memory)
    fprintf(stderr,
            "ff: warning: %s is in memory: syncing costs nothing there, figures of disks differ\n",
            b->directory);
}

int bench_place_init(struct bench *b) {
  char path[PATH_MAX];
  int code = CLI_OK;
  b->parameters = "";
  b->url = b->cli->url;
  /* A store named by the environment is somebody's real one: only --url makes us write into it. */
  if (b->url && b->url == getenv("FF_URL")) {
    cli_note(b->cli, "ff: note: $FF_URL is not used by bench; give --url to measure that store");
    b->url = NULL;
  }
  if (b->url && strncmp(b->url, "memory:", 7) == 0) {
    b->kind = BENCH_STORE_MEMORY;
  } else if (!b->url) {
    code = make_scratch_directory(b);
  } else {
    const char *question = strchr(b->url, '?');
    struct cli given = {.url = b->url};
    b->parameters = question ? question : "";
    b->kind = cli_store_path(&given, path, sizeof(path)) ? BENCH_STORE_FILE : BENCH_STORE_OTHER;
    if (b->kind == BENCH_STORE_FILE) code = use_directory_of(b, path);
  }
  if (code == CLI_OK && b->kind == BENCH_STORE_FILE) look_at_medium(b);
  return code;
}

void bench_place_fini(struct bench *b) {
  if (b->made_directory) rmdir(b->directory);
  if (b->made_parent) rmdir(".flowfabric"); /* fails when somebody else uses it by now: good */
}

void bench_scratch_path(struct bench *b, const char *stem, char out[PATH_MAX]) {
  int len = snprintf(out, PATH_MAX, "%.*s/%s-%ld-%u.db", PATH_MAX - 64, b->directory, stem,
                     (long)getpid(), ++b->serial);
  if (len < 0 || len >= PATH_MAX) out[0] = '\0';
}

void bench_remove_database(const char *path) {
  static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
  char name[PATH_MAX + 16];
  for (size_t i = 0; i < CLI_COUNT(suffixes); i++) {
    snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
    unlink(name);
  }
}

void bench_lane_name(struct bench *b, char out[64]) {
  snprintf(out, 64, "bench-%lld-%ld-%u", (long long)cli_now_ms(), (long)getpid(), ++b->serial);
}

/* ---- stores ---- */

static bool says_memory(const char *url) { return url && strncmp(url, "sqlite::memory:", 15) == 0; }

int bench_store_open(struct bench *b, bool scratch, struct bench_store *store) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct ff_error error = {0};
  char url[PATH_MAX + 256];
  *store = (struct bench_store){.scratch = b->kind == BENCH_STORE_FILE && (scratch || !b->url)};
  /* What is measured in memory is thrown away: nothing to consent to. A file with less than full
   * sync needs FF_DEV_MODE. */
  options.dev_mode = b->kind == BENCH_STORE_MEMORY || says_memory(b->url);
  options.max_stream_ops = BENCH_STREAM_OPS;
  if (store->scratch) {
    bench_scratch_path(b, "bench", store->path);
    snprintf(url, sizeof(url), "sqlite:%s%s", store->path, b->parameters);
  } else if (b->kind == BENCH_STORE_MEMORY && scratch) {
    snprintf(url, sizeof(url), "memory:bench-%ld-%u", (long)getpid(), ++b->serial);
  } else {
    struct cli given = {.url = b->url};
    snprintf(url, sizeof(url), "%s", b->url);
    if (!cli_store_path(&given, store->path, sizeof(store->path))) store->path[0] = '\0';
  }
  if (ff_open(url, &options, &store->engine, &error) == FF_OK) return CLI_OK;
  if (store->scratch) bench_remove_database(store->path);
  return cli_fail(b->cli, &error);
}

void bench_store_close(struct bench_store *store) {
  ff_close(store->engine);
  store->engine = NULL;
  if (store->scratch) bench_remove_database(store->path);
  store->scratch = false;
}

uint64_t bench_store_bytes(const struct bench_store *store) {
  struct stat about;
  char log[PATH_MAX + 8];
  uint64_t bytes = 0;
  if (!store->path[0]) return 0;
  if (stat(store->path, &about) == 0) bytes += (uint64_t)about.st_size;
  snprintf(log, sizeof(log), "%s-wal", store->path);
  if (stat(log, &about) == 0) bytes += (uint64_t)about.st_size;
  return bytes;
}

/* ---- counters ---- */

struct bench_counters bench_counters_of(struct ff_engine *engine) {
  struct bench_counters counters = {0};
  const struct {
    const char *name;
    uint64_t *value;
  } wanted[] = {{"batches", &counters.batches},
                {"operations", &counters.operations},
                {"rounds", &counters.rounds},
                {"reruns", &counters.reruns},
                {"reads", &counters.reads}};
  struct ff_engine_stats_args args = FF_ARGS(engine_stats);
  struct ff_engine_stats_result result;
  if (ff_engine_stats(engine, &args, &result, NULL) != FF_OK) return counters;
  for (size_t i = 0; i < result.stats.count; i++) {
    struct ff_str key = result.stats.items[i].key, value = result.stats.items[i].value;
    char digits[32];
    for (size_t k = 0; k < CLI_COUNT(wanted); k++)
      if (key.len == strlen(wanted[k].name) && memcmp(key.ptr, wanted[k].name, key.len) == 0) {
        snprintf(digits, sizeof(digits), "%.*s", (int)value.len, value.ptr);
        *wanted[k].value = strtoull(digits, NULL, 10);
      }
  }
  ff_clear(&result);
  return counters;
}
