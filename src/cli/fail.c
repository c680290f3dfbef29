/*
 * Everything said on standard error, and the exit code each error stands for.
 *
 * Errors are never silenced by -q; texts that came from a store, a file or the command line are shown without control
 * characters and without what could be a token or a secret: a long run of hex digits (03 H-18).
 */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int cli_exit_of(const struct ff_error *error) {
  switch (error->rc) {
  case FF_OK: return CLI_OK;
  case FF_NOT_FOUND: return CLI_MISSING;
  case FF_CONFIG: return CLI_USAGE;
  case FF_TRANSPORT:
  case FF_UNAVAILABLE:
  case FF_RESOURCE_EXHAUSTED:
  case FF_TIMEOUT:
  case FF_DISCONNECTED:
  case FF_NO_MEMORY: return CLI_UNREACHABLE;
  default: return CLI_REFUSED;
  }
}

/* What a person can do about it; NULL when the detail says all. */
static const char *hint_of(enum ff_code code) {
  switch (code) {
  case FF_CODE_store_busy:
    return "one process owns a SQLite file: stop it, or only read (get, list, events, result, "
           "wait do), or use another --url";
  case FF_CODE_store_read_only:
    return "the file can only be read here; check its permissions and ?mode=ro in --url";
  case FF_CODE_store_full: return "free some disk space; nothing that was acknowledged is lost";
  case FF_CODE_schema_too_new: return "a newer ff wrote this file: use that version";
  case FF_CODE_requires_dev_mode:
    return "set FF_DEV_MODE=1 to consent to a store that can lose acknowledged work";
  case FF_CODE_execution_not_found:
    return "an id looks like {fp:7}:550e8400-e29b-41d4-a716-446655440000; is --url the store it "
           "was made in?";
  case FF_CODE_execution_not_terminal: return "only ended executions can be replayed; see ff get";
  case FF_CODE_lane_not_accepting: return "ff lanes resume LANE lets it accept work again";
  case FF_CODE_config: return "see ff help for --url and the options of this verb";
  default: return NULL;
  }
}

#define HEX_RUN_MAX 32 /* a uuid without its hyphens */

static void print_clean(const char *text) {
  while (*text) {
    size_t run = strspn(text, "0123456789abcdefABCDEF");
    if (run > HEX_RUN_MAX) {
      fprintf(stderr, "<REDACTED:len=%zu>", run);
      text += run;
      continue;
    }
    for (size_t step = run ? run : 1; step; step--, text++)
      fputc((unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text, stderr);
  }
}

static void print_formatted(const char *format, va_list values)
    __attribute__((format(printf, 1, 0)));
static void print_formatted(const char *format, va_list values) {
  char text[4096];
  vsnprintf(text, sizeof text, format, values);
  print_clean(text);
}

int cli_fail_about(const struct cli *cli, const char *subject, const struct ff_error *error) {
  (void)cli;
  fflush(stdout);
  fprintf(stderr, "ff: %s", ff_code_name(error->code));
  if (error->detail[0]) {
    fputs(": ", stderr);
    print_clean(error->detail);
  }
  if (subject) {
    fputs(" (", stderr);
    print_clean(subject);
    fputc(')', stderr);
  }
  if (error->field[0]) fprintf(stderr, " [field %s]", error->field);
  for (uint32_t i = 0; i < error->context_count && i < FF_ERROR_CONTEXT_MAX; i++)
    if (error->context[i].value[0])
      fprintf(stderr, " [%s %s]", error->context[i].key, error->context[i].value);
  fputc('\n', stderr);
  const char *hint = hint_of(error->code);
  if (hint) fprintf(stderr, "    hint: %s\n", hint);
  return cli_exit_of(error);
}

int cli_fail(const struct cli *cli, const struct ff_error *error) {
  return cli_fail_about(cli, NULL, error);
}

int cli_usage(const struct cli *cli, const char *format, ...) {
  fflush(stdout);
  fputs("ff: usage: ", stderr);
  va_list values;
  va_start(values, format);
  print_formatted(format, values);
  va_end(values);
  bool own = cli->verb && strcmp(cli->verb->name, "help") != 0;
  fprintf(stderr, "\n    hint: ff help%s%s shows how\n", own ? " " : "",
          own ? cli->verb->name : "");
  return CLI_USAGE;
}

void cli_hint_run_store(const struct cli *cli) {
  if (cli->url || access(CLI_RUN_PATH, F_OK) != 0) return;
  fprintf(stderr, "    hint: the store of ff run here is --url sqlite:%s\n", CLI_RUN_PATH);
}

int cli_missing(const struct cli *cli, const char *execution_id) {
  cli_error(CLI_MISSING, "execution_not_found: there is no execution %s", execution_id);
  cli_hint_run_store(cli);
  return CLI_MISSING;
}

int cli_error(int code, const char *format, ...) {
  fflush(stdout);
  fputs("ff: ", stderr);
  va_list values;
  va_start(values, format);
  print_formatted(format, values);
  va_end(values);
  fputc('\n', stderr);
  return code;
}

void cli_note(const struct cli *cli, const char *format, ...) {
  if (cli->quiet) return;
  fflush(stdout);
  va_list values;
  va_start(values, format);
  vfprintf(stderr, format, values);
  va_end(values);
  fputc('\n', stderr);
}

int cli_confirm(const struct cli *cli, const char *format, ...) {
  if (cli->yes) return CLI_OK;
  char question[512];
  va_list values;
  va_start(values, format);
  vsnprintf(question, sizeof(question), format, values);
  va_end(values);
  if (!isatty(STDIN_FILENO))
    return cli_usage(cli, "%s: give --yes (there is no terminal to ask on)", question);
  fprintf(stderr, "%s? [y/N] ", question);
  char answer[16];
  if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y')) return CLI_OK;
  return cli_error(CLI_REFUSED, "not confirmed, nothing was changed");
}
