/*
 * The small values of a command line: durations, numbers, times, key=value pairs and payloads; and the clock.
 *
 * Parsers answer false and say nothing: the caller knows the argument's name.
 */
#include "args.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void *cli_alloc(size_t size) {
  return cli_grow(NULL, size);
}

void *cli_grow(void *old, size_t size) {
  void *grown = realloc(old, size ? size : 1);
  if (grown) return grown;
  fputs("ff: no_memory: out of memory\n", stderr);
  exit(CLI_UNREACHABLE);
}

char *cli_copy(const char *text, size_t len) {
  char *copy = cli_alloc(len + 1);
  if (len) memcpy(copy, text, len);
  copy[len] = '\0';
  return copy;
}

static int64_t clock_ms(clockid_t which) {
  struct timespec now;
  clock_gettime(which, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t cli_now_ms(void) {
  return clock_ms(CLOCK_REALTIME);
}

int64_t cli_monotonic_ms(void) {
  return clock_ms(CLOCK_MONOTONIC);
}

void cli_sleep_ms(int64_t ms) {
  struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
}

/* The unit's length in ms, 0 when it is no unit. */
static int64_t unit_ms(const char *unit) {
  static const struct {
    const char *name;
    int64_t ms;
  } units[] = {{"", 1000},     {"ms", 1},      {"s", 1000},    {"m", 60000},
               {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
  for (size_t i = 0; i < CLI_COUNT(units); i++)
    if (strcmp(unit, units[i].name) == 0) return units[i].ms;
  return 0;
}

bool cli_parse_duration(const char *text, int64_t *out_ms) {
  const char *at = text;
  int64_t whole = 0, thousandths = 0;
  if (*at < '0' || *at > '9') return false;
  for (; *at >= '0' && *at <= '9'; at++) {
    if (whole > 1000000000000) return false;
    whole = whole * 10 + (*at - '0');
  }
  if (*at == '.') {
    at++;
    if (*at < '0' || *at > '9') return false;
    for (int64_t weight = 100; *at >= '0' && *at <= '9'; at++, weight /= 10)
      thousandths += weight * (*at - '0');
  }
  int64_t unit = unit_ms(at);
  if (!unit || whole > INT64_MAX / 4 / unit) return false;
  *out_ms = whole * unit + thousandths * unit / 1000;
  return true;
}

bool cli_parse_number(const char *text, int64_t low, int64_t high, int64_t *out) {
  if ((*text < '0' || *text > '9') && *text != '-') return false;
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  if (errno || end == text || *end || value < low || value > high) return false;
  *out = value;
  return true;
}

bool cli_parse_time(const char *text, int64_t *out_ms) {
  if (*text == '@') return cli_parse_number(text + 1, 1, INT64_MAX, out_ms);
  int64_t from_now;
  if (!cli_parse_duration(*text == '+' ? text + 1 : text, &from_now)) return false;
  *out_ms = cli_now_ms() + from_now;
  return true;
}

bool cli_pairs_add(struct cli_pairs *pairs, const char *text) {
  const char *equals = strchr(text, '=');
  if (!equals || equals == text) return false;
  if (pairs->count == pairs->capacity) {
    pairs->capacity = pairs->capacity ? pairs->capacity * 2 : 8;
    pairs->items = cli_grow(pairs->items, pairs->capacity * sizeof(*pairs->items));
  }
  pairs->items[pairs->count++] =
      (struct ff_pair){.key = {text, (size_t)(equals - text)}, .value = ff_text(equals + 1)};
  return true;
}

void cli_pairs_fini(struct cli_pairs *pairs) {
  free(pairs->items);
  *pairs = (struct cli_pairs){0};
}

static bool read_all(int fd, size_t limit, char **data, size_t *size) {
  size_t capacity = 64 * 1024, used = 0;
  struct stat about;
  if (fstat(fd, &about) == 0 && about.st_size > 0 && (size_t)about.st_size < limit)
    capacity = (size_t)about.st_size + 2;
  char *bytes = cli_alloc(capacity);
  for (;;) {
    if (used + 1 >= capacity) bytes = cli_grow(bytes, capacity *= 2);
    ssize_t got = read(fd, bytes + used, capacity - used - 1);
    if (got < 0 && errno == EINTR) continue;
    if (got > 0 && (used += (size_t)got) <= limit) continue;
    if (got == 0) break;
    int failed = got < 0 ? errno : EFBIG;
    free(bytes);
    errno = failed;
    return false;
  }
  bytes[used] = '\0';
  *data = bytes;
  *size = used;
  return true;
}

bool cli_read_file(const char *path, size_t limit, char **data, size_t *size) {
  if (strcmp(path, "-") == 0) return read_all(STDIN_FILENO, limit, data, size);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool ok = read_all(fd, limit, data, size);
  int failed = errno;
  close(fd);
  errno = failed;
  return ok;
}

int cli_read_value(const struct cli *cli, const char *what, const char *text, char **data,
                   size_t *size) {
  bool from_file = text[0] == '@';
  if (!from_file && strcmp(text, "-") != 0) {
    *size = strlen(text);
    *data = cli_copy(text, *size);
    return CLI_OK;
  }
  if (cli_read_file(from_file ? text + 1 : "-", 64u << 20, data, size)) return CLI_OK;
  return cli_usage(cli, "cannot read %s from %s: %s", what, from_file ? text + 1 : "standard input",
                   strerror(errno));
}
