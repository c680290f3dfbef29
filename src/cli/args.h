/*
 * Reading a command line and the small values on it: options, durations, numbers, key=value pairs, payloads.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "cli.h"

/* Walks the arguments of a verb; options and other arguments may come in any order, `--` ends the options. */
struct cli_args {
  struct cli *cli;
  const struct cli_option *options; /* the verb's own */
  int argc, at;
  char **argv;
  const char *bundle; /* the rest of -abc */
  const char *value;  /* of the option just read */
  char **words;       /* arguments that are no options, in order */
  int word_count;
  bool only_words; /* after -- */
};

enum { CLI_ARGS_END = -1, CLI_ARGS_BAD = -2, CLI_ARGS_HELP = -3 };

/* argv[0] is the verb. The words are collected in argv itself. */
void cli_args_init(struct cli_args *args, struct cli *cli, int argc, char **argv);
/* The index of the next option in the verb's table (args->value holds its value), or one of the codes above. Global
 * options are taken care of here. BAD was reported already; HELP was printed already. */
int cli_args_next(struct cli_args *args);
/* The exit code for an END, BAD or HELP that ends a verb's option loop: CLI_OK means go on after END. */
int cli_args_stop(int code);
/* Takes options of the global table before the verb; answers the index of the verb in argv, argc when there is none,
 * or -1 after an error. *help is set by --help, *version by --version. */
int cli_args_global(struct cli *cli, int argc, char **argv, bool *help, bool *version);

/* "250ms", "10s", "1.5h", "2d", or plain seconds, as ms. False when it is none or does not fit. */
bool cli_parse_duration(const char *text, int64_t *out_ms);
/* A whole decimal number within [low, high]. */
bool cli_parse_number(const char *text, int64_t low, int64_t high, int64_t *out);
/* A point in time: a duration from now ("+10s", "10s"), or ms since the epoch ("@1700000000000"). */
bool cli_parse_time(const char *text, int64_t *out_ms);

/* Grows an array of pairs by key=value; false when there is no '=' or no key. The texts point into `text`. */
struct cli_pairs {
  struct ff_pair *items;
  size_t count, capacity;
};
bool cli_pairs_add(struct cli_pairs *pairs, const char *text);
void cli_pairs_fini(struct cli_pairs *pairs);

/* Bytes read from an argument: literal text, @file, or - for standard input. Free with free(*data). */
int cli_read_value(const struct cli *cli, const char *what, const char *text, char **data,
                   size_t *size);
/* Everything of a file (or of standard input for "-"), at most `limit` bytes; NUL-terminated beyond its size. False
 * with errno set; EFBIG when it is larger. */
bool cli_read_file(const char *path, size_t limit, char **data, size_t *size);

/* Milliseconds of the wall clock, and of a clock that only goes forward. */
int64_t cli_now_ms(void);
int64_t cli_monotonic_ms(void);
void cli_sleep_ms(int64_t ms);

/* malloc that ends the program when memory runs out (the command line keeps nothing that could be lost by it). */
void *cli_alloc(size_t size);
void *cli_grow(void *old, size_t size);
char *cli_copy(const char *text, size_t len);

#endif
