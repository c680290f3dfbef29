/*
 * Aligned tables and the small texts in them.
 *
 * What is printed may come from anybody's payload: control characters never reach the terminal.
 */
#include "out.h"

#include "args.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

size_t cli_utf8_length(const char *text, size_t len) {
  const unsigned char *at = (const unsigned char *)text;
  if (!len) return 0;
  if (at[0] < 0x80) return 1;
  size_t need = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
  if (at[0] < 0xc2 || at[0] > 0xf4 || need > len) return 0;
  for (size_t i = 1; i < need; i++)
    if ((at[i] & 0xc0) != 0x80) return 0;
  if (at[0] == 0xe0 && at[1] < 0xa0) return 0; /* overlong */
  if (at[0] == 0xed && at[1] > 0x9f) return 0; /* surrogate */
  if (at[0] == 0xf0 && at[1] < 0x90) return 0;
  if (at[0] == 0xf4 && at[1] > 0x8f) return 0;
  return need;
}

bool cli_is_text(const void *data, size_t size) {
  const char *text = data;
  for (size_t at = 0; at < size;) {
    unsigned char byte = (unsigned char)text[at];
    size_t len = cli_utf8_length(text + at, size - at);
    if (!len || (byte < 0x20 && byte != '\n' && byte != '\t' && byte != '\r') || byte == 0x7f)
      return false;
    at += len;
  }
  return true;
}

/* A copy without control characters and broken UTF-8. */
static char *clean_copy(const char *text) {
  size_t len = strlen(text);
  char *copy = cli_copy(text, len);
  for (size_t at = 0; at < len;) {
    size_t step = cli_utf8_length(copy + at, len - at);
    if (!step) copy[at] = '?';
    else if (step == 1 && ((unsigned char)copy[at] < 0x20 || copy[at] == 0x7f)) copy[at] = ' ';
    at += step ? step : 1;
  }
  return copy;
}

/* How many columns a text takes; a code point counts one. */
static size_t width_of(const char *text) {
  size_t width = 0;
  for (; *text; text++) width += ((unsigned char)*text & 0xc0) != 0x80;
  return width;
}

void cli_table_init(struct cli_table *table, const char *const *headings, size_t columns) {
  *table = (struct cli_table){.columns = columns};
  cli_table_add(table, headings);
}

void cli_table_add(struct cli_table *table, const char *const *cells) {
  if (table->count + table->columns > table->capacity) {
    table->capacity = table->capacity ? table->capacity * 2 : 64 * table->columns;
    table->cells = cli_grow(table->cells, table->capacity * sizeof(*table->cells));
  }
  for (size_t i = 0; i < table->columns; i++)
    table->cells[table->count++] = clean_copy(cells[i] && *cells[i] ? cells[i] : "-");
}

/* Columns of the terminal standard output is, 0 when it is none. */
static size_t terminal_width(FILE *out) {
  struct winsize size;
  int fd = fileno(out);
  if (fd < 0 || !isatty(fd) || ioctl(fd, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

/* Prints at most `room` columns of a text (0 = all of it). */
static void print_cut(FILE *out, const char *text, size_t room) {
  if (!room || width_of(text) <= room) {
    fputs(text, out);
    return;
  }
  for (size_t used = 0; *text; text++) {
    if (((unsigned char)*text & 0xc0) != 0x80 && ++used >= room) break;
    fputc(*text, out);
  }
  fputs("…", out);
}

void cli_table_print(struct cli_table *table, FILE *out) {
  size_t *widths = cli_alloc((table->columns + 1) * sizeof(*widths));
  memset(widths, 0, (table->columns + 1) * sizeof(*widths));
  for (size_t i = 0; i < table->count; i++) {
    size_t width = width_of(table->cells[i]), *widest = &widths[i % table->columns];
    if (width > *widest) *widest = width;
  }
  size_t terminal = terminal_width(out), before = 0;
  for (size_t i = 0; i + 1 < table->columns; i++) before += widths[i] + 2;
  size_t room = terminal > before + 10 ? terminal - before : 0;
  for (size_t i = 0; i < table->count; i++) {
    size_t column = i % table->columns;
    bool last = column + 1 == table->columns;
    print_cut(out, table->cells[i], last ? room : 0);
    if (last) fputc('\n', out);
    else fprintf(out, "%*s", (int)(widths[column] - width_of(table->cells[i]) + 2), "");
  }
  free(widths);
  cli_table_fini(table);
}

void cli_table_fini(struct cli_table *table) {
  for (size_t i = 0; i < table->count; i++) free(table->cells[i]);
  free(table->cells);
  *table = (struct cli_table){0};
}

void cli_show(FILE *out, const char *name, const char *value) {
  if (!value || !*value) return;
  char *clean = clean_copy(value);
  fprintf(out, "%-16s  %s\n", name, clean);
  free(clean);
}

const char *cli_time_text(int64_t ms, char out[32]) {
  time_t seconds = (time_t)(ms / 1000);
  struct tm parts;
  out[0] = '\0';
  if (ms && localtime_r(&seconds, &parts)) strftime(out, 32, "%Y-%m-%d %H:%M:%S", &parts);
  return out;
}

const char *cli_span_text(int64_t ms, char out[32]) {
  long long seconds = (ms + 500) / 1000;
  if (ms < 0) ms = seconds = 0;
  if (ms < 10000) snprintf(out, 32, "%lld.%llds", (long long)ms / 1000, (long long)ms % 1000 / 100);
  else if (seconds < 60) snprintf(out, 32, "%llds", seconds);
  else if (seconds < 3600) snprintf(out, 32, "%lldm%02llds", seconds / 60, seconds % 60);
  else snprintf(out, 32, "%lldh%02lldm", seconds / 3600, seconds % 3600 / 60);
  return out;
}

const char *cli_str(struct ff_str text, char *out, size_t out_size) {
  size_t len = text.len < out_size ? text.len : out_size - 1;
  if (len) memcpy(out, text.ptr, len);
  out[len] = '\0';
  return out;
}

const char *cli_line(struct ff_str text, char *out, size_t out_size) {
  cli_str(text, out, out_size);
  for (char *at = out; *at; at++)
    if ((unsigned char)*at < 0x20 || *at == 0x7f) *at = ' ';
  return out;
}
