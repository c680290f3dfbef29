/*
 * Walking a command line by the option tables, the verb's own and the global ones.
 *
 * It owns no meaning: a verb decides what its options do. Every complaint names the argument and where help is.
 */
#include "args.h"

#include <stdlib.h>
#include <string.h>

const struct cli_option cli_global_options[] = {
    {"url", 0, "URL",
     "the store: sqlite:FILE, memory:, … (or $FF_URL; default: the durable default file)"},
    {"output", 'o', "FORMAT", "table (default), json (one document) or jsonl (one object a line)"},
    {"json", 0, NULL, "the same as -o json"},
    {"namespace", 0, "NAME", "only this namespace; of new work: its namespace"},
    {"timeout", 0, "DURATION", "how long to wait at most, for example 30s"},
    {"quiet", 'q', NULL, "no notes and no progress, only results and errors"},
    {"verbose", 'v', NULL, "say more"},
    {"yes", 'y', NULL, "do not ask before something bulk or destructive"},
    {"help", 'h', NULL, "help for this verb"},
    {NULL, 0, NULL, NULL},
};

static bool take_format(struct cli *cli, const char *value) {
  if (strcmp(value, "table") == 0) cli->format = CLI_TABLE;
  else if (strcmp(value, "json") == 0) cli->format = CLI_JSON;
  else if (strcmp(value, "jsonl") == 0) cli->format = CLI_JSONL;
  else return false;
  return true;
}

/* Applies a global option. CLI_ARGS_END = done, else BAD or HELP. */
static int take_global(struct cli *cli, const char *name, const char *value) {
  if (strcmp(name, "url") == 0) {
    cli->url = value;
  } else if (strcmp(name, "output") == 0) {
    if (!take_format(cli, value)) {
      cli_usage(cli, "-o expects table, json or jsonl, got '%s'", value);
      return CLI_ARGS_BAD;
    }
  } else if (strcmp(name, "json") == 0) {
    cli->format = CLI_JSON;
  } else if (strcmp(name, "namespace") == 0) {
    cli->namespace_ = value;
  } else if (strcmp(name, "timeout") == 0) {
    if (!cli_parse_duration(value, &cli->timeout_ms)) {
      cli_usage(cli, "--timeout expects a duration such as 500ms, 30s or 5m, got '%s'", value);
      return CLI_ARGS_BAD;
    }
  } else if (strcmp(name, "quiet") == 0) {
    cli->quiet = true;
  } else if (strcmp(name, "verbose") == 0) {
    cli->verbose = true;
  } else if (strcmp(name, "yes") == 0) {
    cli->yes = true;
  } else {
    return CLI_ARGS_HELP;
  }
  return CLI_ARGS_END;
}

static int find_long(const struct cli_option *options, const char *name, size_t len) {
  for (int i = 0; options && options[i].name; i++)
    if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0) return i;
  return -1;
}

static int find_letter(const struct cli_option *options, char letter) {
  for (int i = 0; options && options[i].name; i++)
    if (options[i].letter && options[i].letter == letter) return i;
  return -1;
}

void cli_args_init(struct cli_args *args, struct cli *cli, int argc, char **argv) {
  *args = (struct cli_args){.cli = cli,
                            .options = cli->verb ? cli->verb->options : NULL,
                            .argc = argc,
                            .at = 1,
                            .argv = argv,
                            .words = argv + 1};
}

/* The option's argument: what follows '=' or the letter, else the next word. */
static bool take_value(struct cli_args *args, const struct cli_option *option,
                       const char *attached) {
  if (!option->value) {
    args->value = NULL;
    if (!attached) return true;
    cli_usage(args->cli, "--%s takes no value", option->name);
    return false;
  }
  if (attached) {
    args->value = attached;
    return true;
  }
  if (args->at >= args->argc) {
    cli_usage(args->cli, "--%s expects %s", option->name, option->value);
    return false;
  }
  args->value = args->argv[args->at++];
  return true;
}

/* An option was found in the verb's table or the global one; answers as cli_args_next, or -4 when a global one was
 * applied. */
static int found(struct cli_args *args, int own, int global, const char *attached) {
  const struct cli_option *option = own >= 0 ? &args->options[own] : &cli_global_options[global];
  if (!take_value(args, option, attached)) return CLI_ARGS_BAD;
  if (own >= 0) return own;
  int taken = take_global(args->cli, option->name, args->value);
  if (taken == CLI_ARGS_HELP && args->cli->verb) cli_print_help(stdout, args->cli->verb);
  return taken == CLI_ARGS_END ? -4 : taken;
}

static int next_long(struct cli_args *args, const char *text) {
  const char *equals = strchr(text, '=');
  size_t len = equals ? (size_t)(equals - text) : strlen(text);
  int own = find_long(args->options, text, len);
  int global = own >= 0 ? -1 : find_long(cli_global_options, text, len);
  if (own < 0 && global < 0) {
    cli_usage(args->cli, "unknown option --%.*s", (int)len, text);
    return CLI_ARGS_BAD;
  }
  return found(args, own, global, equals ? equals + 1 : NULL);
}

static int next_letter(struct cli_args *args) {
  char letter = *args->bundle++;
  int own = find_letter(args->options, letter);
  int global = own >= 0 ? -1 : find_letter(cli_global_options, letter);
  if (own < 0 && global < 0) {
    cli_usage(args->cli, "unknown option -%c", letter);
    return CLI_ARGS_BAD;
  }
  const struct cli_option *option = own >= 0 ? &args->options[own] : &cli_global_options[global];
  const char *attached = NULL;
  if (option->value && *args->bundle) {
    attached = args->bundle + (*args->bundle == '=');
    args->bundle = NULL;
  } else if (!*args->bundle) {
    args->bundle = NULL;
  }
  return found(args, own, global, attached);
}

int cli_args_next(struct cli_args *args) {
  for (;;) {
    int code;
    if (args->bundle) {
      code = next_letter(args);
    } else if (args->at >= args->argc) {
      return CLI_ARGS_END;
    } else {
      char *word = args->argv[args->at++];
      if (args->only_words || word[0] != '-' || !word[1]) {
        args->words[args->word_count++] = word;
        continue;
      }
      if (strcmp(word, "--") == 0) {
        args->only_words = true;
        continue;
      }
      if (word[1] == '-') {
        code = next_long(args, word + 2);
      } else {
        args->bundle = word + 1;
        continue;
      }
    }
    if (code != -4) return code;
  }
}

int cli_args_stop(int code) {
  if (code == CLI_ARGS_BAD) return CLI_USAGE;
  return CLI_OK;
}

int cli_args_global(struct cli *cli, int argc, char **argv, bool *help, bool *version) {
  struct cli_args args = {.cli = cli, .argc = argc, .at = 1, .argv = argv};
  while (args.at < argc || args.bundle) {
    if (!args.bundle) {
      char *word = argv[args.at];
      if (word[0] != '-' || !word[1]) return args.at;
      args.at++;
      if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        *version = true;
        return argc;
      }
      if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        *help = true;
        return argc;
      }
      if (word[1] == '-') {
        if (next_long(&args, word + 2) == CLI_ARGS_BAD) return -1;
        continue;
      }
      args.bundle = word + 1;
    }
    int code = next_letter(&args);
    if (code == CLI_ARGS_BAD) return -1;
    if (code == CLI_ARGS_HELP) {
      *help = true;
      return argc;
    }
  }
  return args.at;
}
