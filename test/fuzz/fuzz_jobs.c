/*
 * Job files of `ff run` on any bytes: what is accepted is within its limits, and the JSON reader of the command line
 * accepts what the library's strict reader accepts, no more and no less but for its own tighter limits.
 *
 * The files under test are included, because the program exports nothing.
 */
#include "base/json.h"
#include "fuzz.h"

#include <stdio.h>

/* What they say to people goes nowhere. */
static FILE *silence(void) {
  static FILE *null;
  if (!null) null = fopen("/dev/null", "we");
  return null;
}
#undef stderr
#define stderr silence()

#include "src/cli/fail.c"
#include "src/cli/json.c"
#include "src/cli/out.c"
#include "src/cli/run_file.c"
#include "src/cli/values.c"

const struct ff_str fuzz_seeds[] = {
    SEED("# comment\n\necho hello\r\n  printf x"),
    SEED("{\"command\": \"true\", \"lane\": \"gpu\", \"priority\": 9000, \"retries\": 0}\n"),
    SEED("{\"command\": \"a\\u00e9\\ud83d\\ude00\\n\", \"timeout\": \"1.5h\"}"),
    SEED("{\"command\": \"x\", \"timeout\": 0.25, \"capabilities\": [\"a\", \"b\"]}"),
    SEED("{\"command\": \"x\", \"command\": \"y\"}"),
    SEED("{\"unknown\": [1, -2.5e+10, null, true, {\"a\": []}]}"),
    SEED("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
    SEED("\xef\xbb\xbf{\"command\": \"bom\"}"),
    SEED("true\0false\n"),
    SEED("\"\\ud800\\udc00\""),
    {NULL, 0}};

static void check_json(struct ff_str text) {
  struct cli_arena own = {0};
  struct arena theirs;
  struct cli_json_error error = {0};
  struct json_error refusal;
  const struct json *value;
  arena_init(&theirs);
  const struct cli_json *mine = cli_json_parse(&own, text.ptr, text.len, &error);
  bool strict = json_parse(text, &theirs, &value, &refusal);
  if (mine) INVARIANT(strict);
  else INVARIANT(error.message && error.offset <= text.len);
  if (strict && !mine)
    INVARIANT(strstr(error.message, "deeper") != NULL || strstr(error.message, "members") != NULL);
  cli_arena_fini(&own);
  arena_fini(&theirs);
}

static void check_job(const struct run_file *file, const struct run_job *job) {
  char key[257];
  INVARIANT(job->command.ptr && job->command.len > 0 && job->command.len <= RUN_LINE_MAX);
  INVARIANT(!memchr(job->command.ptr, 0, job->command.len));
  INVARIANT(job->lane < file->lane_count && strlen(file->lanes[job->lane]) <= 64);
  INVARIANT(job->priority >= 0 && job->priority <= 9000);
  INVARIANT(job->retries >= -1 && job->retries <= RUN_RETRIES_MAX && job->timeout_ms >= 0);
  INVARIANT(job->capabilities.count <= 256);
  run_file_key(file, job, key);
  INVARIANT(strlen(key) <= 256);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static char path[] = "/tmp/jobs.txt";
  struct ff_str text = {(const char *)data, size};
  if (!text.ptr) text.ptr = "";
  check_json(text);
  struct run_file file = {.name = "jobs.txt", .size = size};
  file.path = cli_copy(path, sizeof(path) - 1);
  file.data = cli_copy(text.ptr, size);
  file.lanes = cli_alloc(RUN_LANES_MAX * sizeof(*file.lanes));
  file.lane_count = 1;
  lane_of(file.path, file.lanes[0], sizeof(file.lanes[0]));
  (void)take_lines(&file);
  for (size_t i = 0; i < file.job_count; i++) check_job(&file, &file.jobs[i]);
  run_file_fini(&file);
  return 0;
}
