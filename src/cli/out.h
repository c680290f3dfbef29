/*
 * Results on standard output: aligned tables, and JSON made from the library's own description of each struct.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include "cli.h"

/* ---- tables: plain text, aligned columns, two spaces between them ---- */
struct cli_table {
  size_t columns, count, capacity; /* count and capacity in cells */
  char **cells;                    /* the first row is the headings */
};
void cli_table_init(struct cli_table *table, const char *const *headings, size_t columns);
/* Adds a row; NULL cells show as "-". Control characters become spaces. */
void cli_table_add(struct cli_table *table, const char *const *cells);
/* Prints and releases. The last column is cut at the terminal's width, never elsewhere. */
void cli_table_print(struct cli_table *table, FILE *out);
/* Releases without printing. */
void cli_table_fini(struct cli_table *table);

/* Two-column output of one thing: `name  value` lines. NULL and "" are left out. */
void cli_show(FILE *out, const char *name, const char *value);

/* ---- JSON ---- */
void cli_json_text(FILE *out, const char *text, size_t len);
/* One struct as an object on one line. Absent text, ids and times are null; bytes are base64; words are text. */
void cli_json_struct(FILE *out, const struct ff_struct *description, const void *value);
/* A list as -o asks: an array for json, one object a line for jsonl. Call begin, item for each, end. */
struct cli_list {
  FILE *out;
  bool array;
  size_t count;
};
void cli_list_begin(struct cli_list *list, const struct cli *cli);
void cli_list_item(struct cli_list *list, const struct ff_struct *description, const void *value);
void cli_list_end(struct cli_list *list);
/* The description of a member of an operation's result, NULL when there is none. */
const struct ff_struct *cli_described(const char *operation, const char *member);

/* ---- texts ---- */
void cli_base64(FILE *out, const void *data, size_t size);
/* Decodes base64 (padding optional); false when it is none. Free *data. */
bool cli_base64_decode(const char *text, size_t len, unsigned char **data, size_t *size);
/* "2025-11-21 11:03:04" local time; "" for 0. */
const char *cli_time_text(int64_t ms, char out[32]);
/* "1.5s", "2m03s", "1h05m". */
const char *cli_span_text(int64_t ms, char out[32]);
/* An ff_str as a C string cut to the buffer. */
const char *cli_str(struct ff_str text, char *out, size_t out_size);
/* The same without control characters: safe in a message. */
const char *cli_line(struct ff_str text, char *out, size_t out_size);
/* Whether bytes are UTF-8 without control characters other than tab and line ends. */
bool cli_is_text(const void *data, size_t size);
/* Length of the UTF-8 sequence at text[0..len), 0 when it is none. */
size_t cli_utf8_length(const char *text, size_t len);

#endif
