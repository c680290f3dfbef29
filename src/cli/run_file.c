/*
 * Reading a job file: shell lines, JSON lines, and every way they can be wrong.
 *
 * Nothing is submitted from here, and no line is taken before all are right. A bad line is named as file:line:column,
 * columns counting bytes from 1, with what was expected there.
 */
#include "run_file.h"

#include "args.h"
#include "out.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { ERRORS_SHOWN = 20, TIMEOUT_MAX_DAYS = 365 };

/* The line under the reader. */
struct line {
  struct run_file *file;
  const char *text;
  size_t len;
  uint32_t number;
  size_t errors; /* of the whole file */
};

uint64_t run_hash(const void *data, size_t size) {
  const unsigned char *at = data;
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < size; i++) hash = (hash ^ at[i]) * 0x100000001b3u;
  return hash;
}

static bool CLI_PRINTF(3, 4) wrong(struct line *line, size_t offset, const char *format, ...) {
  if (++line->errors > ERRORS_SHOWN) return false;
  fprintf(stderr, "ff: invalid_input: %s:%" PRIu32 ":%zu: ", line->file->name, line->number,
          offset + 1);
  va_list values;
  va_start(values, format);
  vfprintf(stderr, format, values);
  va_end(values);
  fputc('\n', stderr);
  return false;
}

static bool wrong_type(struct line *line, const struct cli_json *member, const char *expected) {
  return wrong(line, member->offset, "\"%.*s\" expects %s, got %s", (int)member->key.len,
               member->key.ptr, expected, cli_json_type_name(member->type));
}

static bool take_command(struct line *line, struct run_job *job, const struct cli_json *member) {
  if (member->type != CLI_JSON_STRING)
    return wrong_type(line, member, "a string, the shell command");
  if (strspn(member->text.ptr, " \t\r\n") == member->text.len)
    return wrong(line, member->offset, "\"command\" expects a shell command, got only white space");
  job->command = member->text;
  return true;
}

/* The lane of that name, made on first sight; UINT32_MAX when there are too many. */
static uint32_t lane_index(struct run_file *file, const char *sublane, size_t len) {
  char name[80];
  snprintf(name, sizeof(name), "%s:%.*s", file->lanes[0], (int)len, sublane);
  for (uint32_t i = 0; i < file->lane_count; i++)
    if (strcmp(file->lanes[i], name) == 0) return i;
  if (file->lane_count == RUN_LANES_MAX) return UINT32_MAX;
  memcpy(file->lanes[file->lane_count], name, sizeof(name));
  return file->lane_count++;
}

static bool take_lane(struct line *line, struct run_job *job, const struct cli_json *member) {
  if (member->type != CLI_JSON_STRING) return wrong_type(line, member, "a string");
  bool ok = member->text.len > 0 && member->text.len <= RUN_SUBLANE_MAX;
  for (size_t i = 0; ok && i < member->text.len; i++)
    ok = member->text.ptr[i] >= 0x20 && member->text.ptr[i] <= 0x7e;
  if (!ok)
    return wrong(line, member->offset, "\"lane\" expects 1 to %d printable ASCII characters",
                 RUN_SUBLANE_MAX);
  job->lane = lane_index(line->file, member->text.ptr, member->text.len);
  if (job->lane == UINT32_MAX)
    return wrong(line, member->offset, "a job file may name at most %d different lanes",
                 RUN_LANES_MAX - 1);
  return true;
}

static bool take_integer(struct line *line, const struct cli_json *member, int64_t high,
                         int32_t *out) {
  int64_t number;
  if (member->type != CLI_JSON_NUMBER) return wrong_type(line, member, "a whole number");
  if (!cli_json_integer(member, &number) || number < 0 || number > high)
    return wrong(
        line, member->offset, "\"%.*s\" expects a whole number from 0 to %" PRId64 ", got %.*s",
        (int)member->key.len, member->key.ptr, high, (int)member->text.len, member->text.ptr);
  *out = (int32_t)number;
  return true;
}

static bool take_timeout(struct line *line, struct run_job *job, const struct cli_json *member) {
  char text[40];
  if (member->type != CLI_JSON_NUMBER && member->type != CLI_JSON_STRING)
    return wrong_type(line, member, "seconds or a duration such as \"10s\"");
  bool fits = member->text.len > 0 && member->text.len < sizeof(text) &&
              !memchr(member->text.ptr, 0, member->text.len);
  if (fits) cli_str(member->text, text, sizeof(text));
  if (!fits || !cli_parse_duration(text, &job->timeout_ms) || job->timeout_ms < 1 ||
      job->timeout_ms > TIMEOUT_MAX_DAYS * 86400000LL)
    return wrong(
        line, member->offset,
        "\"timeout\" expects seconds or a duration such as \"10s\", more than 0 and at most %d "
        "days",
        TIMEOUT_MAX_DAYS);
  return true;
}

static bool check_capability(struct line *line, const struct cli_json *token) {
  if (token->type != CLI_JSON_STRING)
    return wrong(line, token->offset, "\"capabilities\" expects strings, got %s",
                 cli_json_type_name(token->type));
  bool ok = token->text.len > 0 && token->text.len <= 256;
  for (size_t i = 0; ok && i < token->text.len; i++) {
    unsigned char byte = (unsigned char)token->text.ptr[i];
    ok = byte > 0x20 && byte != 0x7f && byte != ',';
  }
  return ok || wrong(line, token->offset,
                     "a capability expects 1 to 256 bytes without white space and commas");
}

static bool take_capabilities(struct line *line, struct run_job *job,
                              const struct cli_json *member) {
  if (member->type != CLI_JSON_ARRAY) return wrong_type(line, member, "an array of strings");
  if (member->count > 256)
    return wrong(line, member->offset, "\"capabilities\" expects at most 256 strings");
  struct ff_str *items = cli_arena_alloc(&line->file->arena, (member->count + 1) * sizeof(*items));
  size_t count = 0, bytes = 0;
  for (const struct cli_json *token = member->first; token; token = token->next) {
    if (!check_capability(line, token)) return false;
    items[count++] = token->text;
    bytes += token->text.len + 1;
  }
  if (bytes > 4096)
    return wrong(line, member->offset, "\"capabilities\" expects at most 4096 bytes together");
  job->capabilities = (struct ff_strs){items, count};
  return true;
}

static bool take_member(struct line *line, struct run_job *job, const struct cli_json *member) {
  static const char *const names[] = {"command", "lane",    "priority",
                                      "retries", "timeout", "capabilities"};
  size_t which = 0;
  while (which < CLI_COUNT(names) && (strlen(names[which]) != member->key.len ||
                                      memcmp(names[which], member->key.ptr, member->key.len) != 0))
    which++;
  switch (which) {
  case 0: return take_command(line, job, member);
  case 1: return take_lane(line, job, member);
  case 2: return take_integer(line, member, 9000, &job->priority);
  case 3: return take_integer(line, member, RUN_RETRIES_MAX, &job->retries);
  case 4: return take_timeout(line, job, member);
  case 5: return take_capabilities(line, job, member);
  default:
    return wrong(line, member->key_offset,
                 "unknown member \"%.*s\"; expected command, lane, priority, retries, timeout or "
                 "capabilities",
                 member->key.len > 64 ? 64 : (int)member->key.len, member->key.ptr);
  }
}

static bool take_json(struct line *line, struct run_job *job, size_t start) {
  struct cli_json_error error;
  struct cli_json *object = cli_json_parse(&line->file->arena, line->text, line->len, &error);
  if (!object) {
    const char *shell =
        error.offset > start + 2
            ? ""
            : "; a line that begins with { is a JSON object: write a shell group as ( ... )";
    return wrong(line, error.offset, "%s%s", error.message, shell);
  }
  for (const struct cli_json *member = object->first; member; member = member->next)
    if (!take_member(line, job, member)) return false;
  if (!job->command.ptr) return wrong(line, start, "the member \"command\" is missing");
  return true;
}

static void add_job(struct run_file *file, const struct run_job *job) {
  if (file->job_count == file->job_capacity) {
    file->job_capacity = file->job_capacity ? file->job_capacity * 2 : 256;
    file->jobs = cli_grow(file->jobs, file->job_capacity * sizeof(*file->jobs));
  }
  file->jobs[file->job_count++] = *job;
}

static void take_line(struct line *line) {
  if (line->len && line->text[line->len - 1] == '\r') line->len--;
  size_t start = 0;
  while (start < line->len && (line->text[start] == ' ' || line->text[start] == '\t')) start++;
  if (start == line->len || line->text[start] == '#') return;
  const char *nul = memchr(line->text, 0, line->len);
  struct run_job job = {
      .line = line->number, .retries = -1, .hash = run_hash(line->text, line->len)};
  bool ok;
  if (line->len > RUN_LINE_MAX) {
    ok = wrong(line, RUN_LINE_MAX, "the line is longer than 1 MiB");
  } else if (nul) {
    ok = wrong(line, (size_t)(nul - line->text), "a NUL byte; expected text");
  } else if (line->text[start] == '{') {
    ok = take_json(line, &job, start);
  } else {
    job.command = (struct ff_str){line->text + start, line->len - start};
    ok = true;
  }
  if (ok) add_job(line->file, &job);
}

static int take_lines(struct run_file *file) {
  struct line line = {.file = file};
  const char *at = file->data, *end = file->data + file->size;
  if (file->size >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) at += 3;
  while (at < end) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    if (!stop) stop = end;
    line.number++;
    line.text = at;
    line.len = (size_t)(stop - at);
    take_line(&line);
    at = stop + 1;
  }
  if (line.errors > ERRORS_SHOWN)
    cli_error(CLI_USAGE, "… and %zu more", line.errors - ERRORS_SHOWN);
  if (line.errors) return cli_error(CLI_USAGE, "%s: nothing was submitted", file->name);
  return CLI_OK;
}

static int resolve(struct cli *cli, const char *name, char **path) {
  if (strcmp(name, "-") == 0)
    return cli_usage(cli, "the job file must be a file: its name is what a later run goes on from");
  *path = realpath(name, NULL);
  return *path ? CLI_OK
               : cli_error(CLI_USAGE, "config: cannot read the job file %s: %s", name,
                           strerror(errno));
}

static void lane_of(const char *path, char *out, size_t out_size) {
  snprintf(out, out_size, "run-%016" PRIx64, run_hash(path, strlen(path)));
}

int cli_run_lane(struct cli *cli, const char *name, char *out, size_t out_size) {
  char *path;
  int code = resolve(cli, name, &path);
  if (code != CLI_OK) return code;
  lane_of(path, out, out_size);
  free(path);
  return CLI_OK;
}

int run_file_load(struct cli *cli, const char *name, struct run_file *file) {
  *file = (struct run_file){.name = name};
  int code = resolve(cli, name, &file->path);
  if (code != CLI_OK) return code;
  if (!cli_read_file(file->path, RUN_FILE_MAX, &file->data, &file->size))
    return cli_error(CLI_USAGE, "config: cannot read the job file %s: %s", name,
                     errno == EFBIG ? "it is larger than 1 GiB" : strerror(errno));
  file->lanes = cli_alloc(RUN_LANES_MAX * sizeof(*file->lanes));
  file->lane_count = 1;
  lane_of(file->path, file->lanes[0], sizeof(file->lanes[0]));
  return take_lines(file);
}

void run_file_fini(struct run_file *file) {
  free(file->path);
  free(file->data);
  free(file->jobs);
  free(file->lanes);
  cli_arena_fini(&file->arena);
  *file = (struct run_file){0};
}

void run_file_key(const struct run_file *file, const struct run_job *job, char out[257]) {
  size_t len = strlen(file->path);
  char hashed[40];
  snprintf(hashed, sizeof(hashed), "path-%016" PRIx64, run_hash(file->path, len));
  const char *path = len <= 220 && cli_is_text(file->path, len) ? file->path : hashed;
  snprintf(out, 257, "%s:%" PRIu32 ":%016" PRIx64, path, job->line, job->hash);
}
