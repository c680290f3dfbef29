/*
 * Capability sets: token rules, their sorted comma-joined form, and matching (01 PO-8, 06 part C).
 *
 * Both sides of a match are the form made here. Matching never uses the capability hash.
 */
#include "base/ids.h"

#include <stdlib.h>

#define TOKENS_MAX 256
#define BYTES_MAX 4096

/* The problem of one token, NULL when it is good; in the order of PO-8. */
static const char *token_problem(struct ff_str token) {
  if (token.len == 0) return "empty_token";
  if (memchr(token.ptr, ',', token.len) != NULL) return "comma_in_token";
  for (size_t i = 0; i < token.len; i++) {
    unsigned char b = (unsigned char)token.ptr[i];
    if (b <= 0x20 || b == 0x7f) return "control_or_whitespace";
  }
  return text_is_utf8(token) ? NULL : "non_string_token";
}

static int compare_tokens(const void *a, const void *b) {
  return text_compare(*(const struct ff_str *)a, *(const struct ff_str *)b);
}

static enum ff_rc refuse(struct ff_error *e, const char *prefix, const char *problem) {
  return error_set(e, FF_CODE_invalid_capabilities, "%s:%s", prefix, problem);
}

static struct ff_str join(const struct ff_str *tokens, size_t count, struct arena *arena) {
  size_t bytes = count; /* a comma each, the last one's place taken by the NUL */
  for (size_t i = 0; i < count; i++) bytes += tokens[i].len;
  if (count == 0) return TEXT_LIT("");
  char *text = arena_alloc(arena, bytes), *p = text;
  for (size_t i = 0; i < count; i++) {
    memcpy(p, tokens[i].ptr, tokens[i].len);
    p += tokens[i].len;
    *p++ = ',';
  }
  *--p = '\0';
  return text_of(text, (size_t)(p - text));
}

enum ff_rc capabilities_csv(struct ff_strs tokens, const char *prefix, struct arena *arena,
                            struct ff_str *csv, struct ff_error *e) {
  for (size_t i = 0; i < tokens.count; i++) {
    const char *problem = token_problem(tokens.items[i]);
    if (problem != NULL) return refuse(e, prefix, problem);
  }
  if (tokens.count == 0) {
    *csv = TEXT_LIT("");
    return FF_OK;
  }
  struct ff_str *sorted = arena_copy(arena, tokens.items, sizeof(*sorted) * tokens.count);
  qsort(sorted, tokens.count, sizeof(*sorted), compare_tokens);
  size_t count = 0, bytes = 0;
  for (size_t i = 0; i < tokens.count; i++) {
    if (count > 0 && text_equal(sorted[count - 1], sorted[i])) continue;
    bytes += sorted[i].len + (count > 0 ? 1 : 0);
    sorted[count++] = sorted[i];
  }
  /* The limits are those of the set, after duplicates collapsed (CA-2). */
  if (count > TOKENS_MAX) return refuse(e, prefix, "too_many_tokens");
  if (bytes > BYTES_MAX) return refuse(e, prefix, "too_many_bytes");
  *csv = join(sorted, count, arena);
  return FF_OK;
}

/* Cuts the next token off the front; false at the end. */
static bool next_token(struct ff_str *rest, struct ff_str *token) {
  if (rest->len == 0) return false;
  const char *comma = memchr(rest->ptr, ',', rest->len);
  size_t len = comma == NULL ? rest->len : (size_t)(comma - rest->ptr);
  *token = text_of(rest->ptr, len);
  size_t gone = comma == NULL ? len : len + 1;
  *rest = text_of(rest->ptr + gone, rest->len - gone);
  return true;
}

/* Cuts the next token of required that offered lacks; both are walked once. */
static bool next_missing(struct ff_str *offered, struct ff_str *required, struct ff_str *missing) {
  struct ff_str have;
  while (next_token(required, missing)) {
    struct ff_str ahead = *offered;
    int order = -1;
    while (order < 0 && next_token(&ahead, &have)) {
      order = text_compare(have, *missing);
      if (order <= 0) *offered = ahead; /* a larger token stays: it may be the next one asked for */
    }
    if (order != 0) return true;
  }
  return false;
}

bool capabilities_cover(struct ff_str offered, struct ff_str required) {
  struct ff_str missing;
  return !next_missing(&offered, &required, &missing);
}

struct ff_str capabilities_missing(struct ff_str offered, struct ff_str required,
                                   struct arena *arena) {
  /* One token more than commas; the text is at most that of required. */
  struct ff_str missing;
  char *text = arena_alloc(arena, required.len + 2), *p = text;
  while (next_missing(&offered, &required, &missing)) {
    memcpy(p, missing.ptr, missing.len);
    p += missing.len;
    *p++ = ',';
  }
  if (p > text) p--;
  *p = '\0';
  return text_of(text, (size_t)(p - text));
}
