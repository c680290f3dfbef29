/*
 * Errors: the table of codes, made from FF_ERROR_CODES, and the makers that fill a struct ff_error.
 *
 * It never allocates. Whatever a caller formats, the texts it stores are well-formed UTF-8 without
 * control characters, so that they can be logged and put into JSON as they are. A long run of hex
 * digits is not stored: somebody may have put a token or a secret where something else belongs, and
 * details quote what they refuse (03 H-18).
 */
#include "base/error.h"

#include "base/utf8.h"

struct code_row {
  struct ff_str name;
  enum ff_rc family;
  enum ff_error_class class_;
};

static const struct code_row codes[] = {
    [FF_CODE_none] = {{"none", 4}, FF_OK, FF_CLASS_INFORMATIONAL},
#define CODE_ROW(name, family, class_)                                                           \
  [FF_CODE_##name] = {{#name, sizeof(#name) - 1}, family, class_},
    FF_ERROR_CODES(CODE_ROW)
#undef CODE_ROW
};
_Static_assert(ARRAY_LEN(codes) == FF_CODE_COUNT, "every code has its row");

static const struct code_row *row_of(enum ff_code code) {
  return (unsigned)code < FF_CODE_COUNT ? &codes[code] : &codes[FF_CODE_none];
}

const char *ff_code_name(enum ff_code code) { return row_of(code)->name.ptr; }
enum ff_rc ff_code_family(enum ff_code code) { return row_of(code)->family; }
enum ff_error_class ff_code_class(enum ff_code code) { return row_of(code)->class_; }

enum ff_code ff_code_parse(struct ff_str text) {
  for (size_t i = 0; i < ARRAY_LEN(codes); i++)
    if (text_equal(codes[i].name, text)) return (enum ff_code)i;
  return FF_CODE_none;
}

const char *ff_error_context_get(const struct ff_error *error, const char *key) {
  if (error == NULL || key == NULL) return NULL;
  for (uint32_t i = 0; i < error->context_count && i < FF_ERROR_CONTEXT_MAX; i++)
    if (strcmp(error->context[i].key, key) == 0) return error->context[i].value;
  return NULL;
}

/* Copies at most room - 1 bytes, cut at a character; ill-formed bytes and controls become '?'. */
static void store_text(char *out, size_t room, const char *text, size_t len) {
  size_t keep = utf8_cut(text, len, room - 1);
  for (size_t i = 0; i < keep;) {
    uint32_t code_point = 0;
    size_t step = utf8_step(text + i, keep - i, &code_point);
    bool plain = step > 0 && code_point >= 0x20 && (code_point < 0x7f || code_point > 0x9f);
    if (step == 0) step = 1;
    for (size_t k = 0; k < step; k++) out[i + k] = plain ? text[i + k] : '?';
    i += step;
  }
  out[keep] = '\0';
}

#define HEX_RUN_MAX 32 /* a uuid without its hyphens */
#define HEX_RUN_CUT 12 /* of one that goes on behind the end of what was formatted */

static bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Shortens the text in place; answers its new length. */
static size_t redact(char *text, size_t len, bool cut) {
  size_t out = 0;
  for (size_t i = 0; i < len;) {
    size_t run = 0;
    while (i + run < len && is_hex_digit(text[i + run])) run++;
    bool at_cut = cut && i + run == len && run > HEX_RUN_CUT;
    if (run > HEX_RUN_MAX || at_cut) {
      char mark[32];
      int n = run > HEX_RUN_MAX ? snprintf(mark, sizeof(mark), "<REDACTED:len=%zu>", run)
                                : snprintf(mark, sizeof(mark), "<REDACTED>");
      memcpy(text + out, mark, (size_t)n);
      out += (size_t)n;
      i += run;
      continue;
    }
    size_t step = run ? run : 1;
    memmove(text + out, text + i, step);
    out += step;
    i += step;
  }
  text[out] = '\0';
  return out;
}

/* A little more than fits is formatted, so that store_text sees the character it cuts. The
 * arguments may point into the error being filled. */
static void format_text(char *out, size_t room, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
static void format_text(char *out, size_t room, const char *format, va_list args) {
  char text[sizeof(((struct ff_error *)0)->detail) + 4] = "";
  INVARIANT(room + 4 <= sizeof(text));
  int len = format == NULL ? 0 : vsnprintf(text, room + 4, format, args);
  INVARIANT(len >= 0);
  bool cut = (size_t)len >= room + 4;
  size_t have = redact(text, cut ? room + 3 : (size_t)len, cut);
  store_text(out, room, text, have);
}

static enum ff_rc fill(struct ff_error *e, enum ff_code code, const char *field, const char *format,
                       va_list args) __attribute__((format(printf, 4, 0)));
static enum ff_rc fill(struct ff_error *e, enum ff_code code, const char *field, const char *format,
                       va_list args) {
  enum ff_rc rc = ff_code_family(code);
  if (e == NULL) return rc;
  char detail[sizeof(e->detail)], field_copy[sizeof(e->field)];
  format_text(detail, sizeof(detail), format, args);
  store_text(field_copy, sizeof(field_copy), field ? field : "", field ? strlen(field) : 0);
  memset(e, 0, sizeof(*e));
  e->rc = rc;
  e->code = code;
  e->retry_after_ms = -1;
  memcpy(e->detail, detail, strlen(detail));
  memcpy(e->field, field_copy, strlen(field_copy));
  return rc;
}

enum ff_rc error_set(struct ff_error *e, enum ff_code code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  enum ff_rc rc = fill(e, code, NULL, format, args);
  va_end(args);
  return rc;
}

enum ff_rc error_field(struct ff_error *e, enum ff_code code, const char *field,
                       const char *format, ...) {
  va_list args;
  va_start(args, format);
  enum ff_rc rc = fill(e, code, field, format, args);
  va_end(args);
  return rc;
}

void error_context(struct ff_error *e, const char *key, const char *format, ...) {
  if (e == NULL) return;
  INVARIANT(e->context_count < FF_ERROR_CONTEXT_MAX);
  struct ff_error_context *c = &e->context[e->context_count++];
  store_text(c->key, sizeof(c->key), key, strlen(key));
  va_list args;
  va_start(args, format);
  format_text(c->value, sizeof(c->value), format, args);
  va_end(args);
}

void ff_error_format(const struct ff_error *error, char *out, size_t out_size) {
  if (out == NULL || out_size == 0) return;
  char text[sizeof(error->detail) + 128] = "";
  if (error != NULL) {
    const struct ff_str name = row_of(error->code)->name;
    const struct ff_str suffix = TEXT_LIT("_not_found");
    const char *colon = error->detail[0] != '\0' ? ": " : "";
    if (ff_code_family(error->code) == FF_NOT_FOUND && name.len > suffix.len)
      snprintf(text, sizeof(text), "not found: %.*s%s%s", (int)(name.len - suffix.len), name.ptr,
               colon, error->detail);
    else
      snprintf(text, sizeof(text), "%s%s%s", name.ptr, colon, error->detail);
  }
  store_text(out, out_size, text, strlen(text));
}
