/*
 * The step `row` of scripts: what a stored record says, as dumps show it; and when a dump is needed.
 */
#include "test/lib/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether a dump's line has the word, or for a name without value any field of that name. */
static bool has_word(const char *line, size_t len, const char *word) {
  size_t n = strlen(word);
  bool whole = strchr(word, '=') != NULL;
  for (const char *p = line; p + n <= line + len; p++) {
    if ((p > line && p[-1] != ' ') || memcmp(p, word, n) != 0) continue;
    char next = p + n < line + len ? p[n] : ' ';
    if (whole || p == line ? next == ' ' : next == '=') return true;
  }
  return false;
}

static size_t split(char *text, char **words, size_t most) {
  size_t count = 0;
  char *rest = NULL;
  for (char *w = strtok_r(text, " ", &rest); w && count < most; w = strtok_r(NULL, " ", &rest))
    words[count++] = w;
  return count;
}

static bool fits(const char *line, size_t len, char **words, size_t count) {
  if (strncmp(line, words[0], strlen(words[0])) != 0 || line[strlen(words[0])] != ' ') return false;
  for (size_t i = 1; i < count; i++)
    if (!has_word(line, len, words[i])) return false;
  return true;
}

static bool judge(const char *line, size_t len, char **wanted, size_t count, char *error,
                  size_t error_size) {
  for (size_t i = 0; i < count; i++) {
    bool absent = wanted[i][0] == '-';
    if (has_word(line, len, wanted[i] + absent) != absent) continue;
    snprintf(error, error_size, "expected `%s` of `%.*s`", wanted[i], (int)len, line);
    return false;
  }
  return true;
}

bool script_row(struct engine *engine, char *which, char *wanted, char *error, size_t error_size) {
  char *words[32], *expected[32];
  size_t n = split(which, words, 32), m = split(wanted, expected, 32), found = 0, found_len = 0;
  const char *line = NULL;
  struct buffer dump;
  if (!n || !m) return snprintf(error, error_size, "row KIND … -> …"), false;
  buffer_init(&dump);
  engine_dump(engine, &dump);
  for (const char *p = buffer_text(&dump).ptr; *p;) {
    size_t len = strcspn(p, "\n");
    if (fits(p, len, words, n)) found++, line = p, found_len = len;
    p += len + (p[len] == '\n');
  }
  bool counts = strcmp(expected[0], "none") == 0 || (m == 1 && strspn(expected[0], "0123456789"));
  size_t many = strcmp(expected[0], "none") == 0 ? 0 : strtoul(expected[0], NULL, 10);
  bool ok = counts ? found == many : found == 1;
  if (!ok)
    snprintf(error, error_size, "%zu such rows", found);
  else if (!counts)
    ok = judge(line, found_len, expected, m, error, error_size);
  buffer_fini(&dump);
  return ok;
}

bool script_stays_next(FILE *f) {
  char *next = NULL;
  size_t capacity = 0;
  long here = ftell(f);
  bool stays = false;
  while (getline(&next, &capacity, f) >= 0) {
    const char *p = next + strspn(next, " \n");
    if (!*p || *p == '#' || strncmp(p, "tick", 4) == 0) continue; /* no calls */
    stays = strncmp(p, "stays", 5) == 0;
    break;
  }
  free(next);
  return fseek(f, here, SEEK_SET) == 0 && stays;
}
