/*
 * Help: the overview, a verb's page (examples first), and the version. All of it comes from the verb table.
 */
#include "args.h"
#include "out.h"

#include <string.h>

static void print_options(FILE *out, const struct cli_option *options) {
  for (size_t i = 0; options && options[i].name; i++) {
    char left[64];
    const struct cli_option *o = &options[i];
    char letter[8] = "    ";
    if (o->letter) snprintf(letter, sizeof(letter), "-%c, ", o->letter);
    snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->value ? " " : "",
             o->value ? o->value : "");
    fprintf(out, "  %-30s %s\n", left, o->help);
  }
}

static void print_indented(FILE *out, const char *text) {
  while (*text) {
    size_t len = strcspn(text, "\n");
    fprintf(out, "  %.*s\n", (int)len, text);
    text += len + (text[len] == '\n');
  }
}

void cli_print_help(FILE *out, const struct cli_verb *verb) {
  fprintf(out, "ff %s: %s\n\n", verb->name, verb->summary);
  if (verb->examples) {
    fputs("Examples:\n", out);
    print_indented(out, verb->examples);
    fputc('\n', out);
  }
  fprintf(out, "Usage: ff %s\n", verb->usage);
  if (verb->options) {
    fputs("\nOptions:\n", out);
    print_options(out, verb->options);
  }
  if (verb->notes) {
    fputc('\n', out);
    print_indented(out, verb->notes);
  }
  fputs("\nOptions of every verb: ff help options.\n", out);
}

void cli_print_overview(FILE *out) {
  fputs("ff: durable execution from the command line\n\n"
        "Examples:\n"
        "  ff run jobs.txt -j 8      run every line of a file; killed, it goes on\n"
        "  ff submit resize -p @in   store work for a worker to claim\n"
        "  ff list --state failed    what failed\n"
        "  ff doctor                 is the store healthy\n\n"
        "Verbs (ff help VERB):\n",
        out);
  size_t count;
  const struct cli_verb *const *verbs = cli_verbs(&count);
  for (size_t i = 0; i < count; i++)
    fprintf(out, "  %-12s %s\n", verbs[i]->name, verbs[i]->summary);
  fputs("\nOptions of every verb:\n", out);
  print_options(out, cli_global_options);
  fputs("\nExit codes: 0 done, 1 refused, 2 wrong command line, 3 not found, 4 no right,\n"
        "5 store unreachable, busy or too slow, 6 what was waited for ended other than\n"
        "completed, 130 interrupted.\n",
        out);
}

static int run_help(struct cli *cli, int argc, char **argv) {
  if (argc < 2 || argv[1][0] == '-') {
    cli_print_overview(stdout);
    return CLI_OK;
  }
  if (strcmp(argv[1], "options") == 0) {
    fputs("Options of every verb:\n", stdout);
    print_options(stdout, cli_global_options);
    return CLI_OK;
  }
  const struct cli_verb *verb = cli_verb_find(argv[1]);
  if (!verb) return cli_usage(cli, "there is no verb '%s'", argv[1]);
  cli_print_help(stdout, verb);
  return CLI_OK;
}

const struct cli_verb cli_verb_help = {
    .name = "help",
    .summary = "show this, or the page of one verb",
    .usage = "help [VERB]",
    .examples = "ff help run\nff help options",
    .run = run_help,
};

static int run_version(struct cli *cli, int argc, char **argv) {
  (void)argc;
  (void)argv;
  if (cli->format == CLI_TABLE) printf("ff %s\n", ff_version());
  else printf("{\"version\":\"%s\"}\n", ff_version());
  return CLI_OK;
}

const struct cli_verb cli_verb_version = {
    .name = "version",
    .summary = "print the version",
    .usage = "version",
    .examples = "ff version",
    .run = run_version,
};
