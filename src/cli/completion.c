/*
 * Shell completion, made from the verb table: nothing here knows a verb by name.
 */
#include "args.h"

#include <string.h>

static void print_options_of(const struct cli_option *options) {
  for (size_t i = 0; options && options[i].name; i++) printf("--%s ", options[i].name);
}

static void bash(void) {
  size_t count;
  const struct cli_verb *const *verbs = cli_verbs(&count);
  fputs("# bash completion for ff; put `eval \"$(ff completion bash)\"` into ~/.bashrc\n"
        "_ff() {\n"
        "  local word=${COMP_WORDS[COMP_CWORD]} verb= i options words\n"
        "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "    case ${COMP_WORDS[i]} in --url|-o|--output|--namespace|--timeout) ((i++)) ;; -*) ;; "
        "*) verb=${COMP_WORDS[i]}; break ;; esac\n"
        "  done\n"
        "  case ${COMP_WORDS[COMP_CWORD-1]} in\n"
        "    -o|--output) COMPREPLY=($(compgen -W 'table json jsonl' -- \"$word\")); return ;;\n"
        "  esac\n"
        "  options='",
        stdout);
  print_options_of(cli_global_options);
  fputs("'\n  words=\n  case $verb in\n    '') words='", stdout);
  for (size_t i = 0; i < count; i++) printf("%s ", verbs[i]->name);
  fputs("' ;;\n", stdout);
  for (size_t i = 0; i < count; i++) {
    if (!verbs[i]->options && !verbs[i]->words) continue;
    printf("    %s) words='%s' options+='", verbs[i]->name, verbs[i]->words ? verbs[i]->words : "");
    print_options_of(verbs[i]->options);
    fputs("' ;;\n", stdout);
  }
  fputs("  esac\n"
        "  case $word in\n"
        "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
        "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")); "
        "[[ $verb && ${#COMPREPLY[@]} -eq 0 ]] && COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
        "  esac\n"
        "}\n"
        "complete -o filenames -F _ff ff\n",
        stdout);
}

/* Text inside zsh's 'single quotes' and [brackets]. */
static void zsh_text(const char *text) {
  for (; *text; text++) {
    if (*text == '\'') fputs("'\\''", stdout);
    else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\') printf("\\%c", *text);
    else putchar(*text);
  }
}

static void zsh_options(const struct cli_option *options) {
  for (size_t i = 0; options && options[i].name; i++) {
    printf(" \\\n      '--%s[", options[i].name);
    zsh_text(options[i].help);
    putchar(']');
    if (options[i].value) printf(":%s:_files", options[i].value);
    putchar('\'');
  }
}

static void zsh(void) {
  size_t count;
  const struct cli_verb *const *verbs = cli_verbs(&count);
  fputs(
      "#compdef ff\n"
      "# zsh completion for ff; put `eval \"$(ff completion zsh)\"` into ~/.zshrc after compinit\n"
      "_ff() {\n"
      "  local verb=${words[2]}\n"
      "  if (( CURRENT == 2 )); then\n"
      "    local -a verbs=(",
      stdout);
  for (size_t i = 0; i < count; i++) {
    printf("\n      '%s:", verbs[i]->name);
    zsh_text(verbs[i]->summary);
    putchar('\'');
  }
  fputs("\n    )\n    _describe verb verbs\n    return\n  fi\n  shift words\n"
        "  (( CURRENT-- ))\n  case $verb in\n",
        stdout);
  for (size_t i = 0; i < count; i++) {
    printf("    %s) _arguments", verbs[i]->name);
    zsh_options(verbs[i]->options);
    zsh_options(cli_global_options);
    if (verbs[i]->words) printf(" \\\n      '1:word:(%s)'", verbs[i]->words);
    fputs(" \\\n      '*:file:_files' ;;\n", stdout);
  }
  fputs("  esac\n}\ncompdef _ff ff\n", stdout);
}

static void fish_text(const char *text) {
  for (; *text; text++) {
    if (*text == '\'' || *text == '\\') putchar('\\');
    putchar(*text);
  }
}

static void fish_options(const char *condition, const struct cli_option *options) {
  for (size_t i = 0; options && options[i].name; i++) {
    printf("complete -c ff %s -l %s", condition, options[i].name);
    if (options[i].letter) printf(" -s %c", options[i].letter);
    if (options[i].value) fputs(" -r", stdout);
    fputs(" -d '", stdout);
    fish_text(options[i].help);
    fputs("'\n", stdout);
  }
}

static void fish(void) {
  size_t count;
  const struct cli_verb *const *verbs = cli_verbs(&count);
  fputs("# fish completion for ff; put `ff completion fish | source` into config.fish\n", stdout);
  for (size_t i = 0; i < count; i++) {
    printf("complete -c ff -n __fish_use_subcommand -f -a %s -d '", verbs[i]->name);
    fish_text(verbs[i]->summary);
    fputs("'\n", stdout);
  }
  fish_options("", cli_global_options);
  for (size_t i = 0; i < count; i++) {
    char condition[96];
    snprintf(condition, sizeof(condition), "-n '__fish_seen_subcommand_from %s'", verbs[i]->name);
    fish_options(condition, verbs[i]->options);
    if (verbs[i]->words) printf("complete -c ff %s -f -a '%s'\n", condition, verbs[i]->words);
  }
}

static int run_completion(struct cli *cli, int argc, char **argv) {
  struct cli_args args;
  cli_args_init(&args, cli, argc, argv);
  int code = cli_args_next(&args);
  if (code != CLI_ARGS_END) return cli_args_stop(code);
  if (args.word_count != 1) return cli_usage(cli, "completion expects bash, zsh or fish");
  if (strcmp(args.words[0], "bash") == 0) bash();
  else if (strcmp(args.words[0], "zsh") == 0) zsh();
  else if (strcmp(args.words[0], "fish") == 0) fish();
  else return cli_usage(cli, "completion expects bash, zsh or fish, got '%s'", args.words[0]);
  return CLI_OK;
}

const struct cli_verb cli_verb_completion = {
    .name = "completion",
    .summary = "print a completion script for a shell",
    .usage = "completion bash|zsh|fish",
    .examples = "eval \"$(ff completion bash)\"\nff completion fish | source",
    .words = "bash zsh fish",
    .run = run_completion,
};
