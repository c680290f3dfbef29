/*
 * Argument and result structs as text: one line for people and scripts, one JSON object for
 * programs.
 *
 * Both forms are stable: transcripts and parity tests compare them byte for byte.
 */
#include "op/values.h"

#include <math.h>
#include <stdio.h>

/* { const X *items; size_t count; } of any X. */
struct list {
  const char *items;
  size_t count;
};

static struct list list_at(const void *at) {
  struct list list;
  memcpy(&list.items, at, sizeof list.items);
  memcpy(&list.count, (const char *)at + sizeof list.items, sizeof list.count);
  return list;
}

static bool fields_zero(const struct ff_struct *s, const void *values);

static bool is_zero(const struct ff_field *f, const void *at) {
  switch (f->type) {
    case FF_FIELD_BOOL: return !*(const bool *)at;
    case FF_FIELD_I32: return *(const int32_t *)at == 0;
    case FF_FIELD_U32: return *(const uint32_t *)at == 0;
    case FF_FIELD_I64: return *(const int64_t *)at == 0;
    case FF_FIELD_U64: return *(const uint64_t *)at == 0;
    case FF_FIELD_TEXT: return ((const struct ff_str *)at)->ptr == NULL;
    case FF_FIELD_BYTES: return ((const struct ff_bytes *)at)->ptr == NULL;
    case FF_FIELD_WORD: return *(const uint8_t *)at == 0;
    case FF_FIELD_ID: return ((const struct ff_id *)at)->text[0] == '\0';
    case FF_FIELD_HANDLE: return ((const struct ff_handle *)at)->len == 0;
    case FF_FIELD_STRS: return ((const struct ff_strs *)at)->count == 0;
    case FF_FIELD_PAIRS: return ((const struct ff_pairs *)at)->count == 0;
    case FF_FIELD_STRUCT: return fields_zero(f->fields, at);
    case FF_FIELD_LIST: return list_at(at).count == 0;
    case FF_FIELD_ERROR: return ((const struct ff_error *)at)->rc == FF_OK;
    case FF_FIELD_F64: return *(const double *)at == 0;
  }
  return true;
}

static bool fields_zero(const struct ff_struct *s, const void *values) {
  for (uint32_t i = 0; i < s->field_count; i++)
    if (!is_zero(&s->fields[i], (const char *)values + s->fields[i].offset)) return false;
  return true;
}

static const char *word_of(const struct ff_field *f, const void *at) {
  const char *word = ff_word((enum ff_word_enum)f->words, *(const uint8_t *)at);
  return word ? word : "?";
}

static const char *kind_of(const struct ff_handle *h) {
  const char *word = ff_word(FF_WORD_handle_kind, h->kind);
  return word ? word : "?";
}

/* The decimal form of a number field. */
static void put_number(const struct ff_field *f, const void *at, struct buffer *out) {
  switch (f->type) {
    case FF_FIELD_I32: buffer_printf(out, "%d", *(const int32_t *)at); break;
    case FF_FIELD_U32: buffer_printf(out, "%u", *(const uint32_t *)at); break;
    case FF_FIELD_I64: buffer_printf(out, "%lld", (long long)*(const int64_t *)at); break;
    default: buffer_printf(out, "%llu", (unsigned long long)*(const uint64_t *)at); break;
  }
}

/* Every digit that counts, with a point whatever the locale; JSON has no word for what is no number. */
static void put_double(double number, struct buffer *out) {
  char text[40];
  if (!isfinite(number)) {
    buffer_append_c(out, "null");
    return;
  }
  snprintf(text, sizeof text, "%.17g", number);
  char *comma = strchr(text, ',');
  if (comma) *comma = '.';
  buffer_append_c(out, text);
}

/* ---- one line ---- */

static bool is_plain(struct ff_str t, const char *also_quoted) {
  for (size_t i = 0; i < t.len; i++) {
    unsigned char c = (unsigned char)t.ptr[i];
    if (c <= ' ' || c == 0x7f || c == '"' || c == '\\' || strchr(also_quoted, c)) return false;
  }
  return t.len > 0;
}

static void print_text(struct buffer *out, struct ff_str t, const char *also_quoted) {
  if (is_plain(t, also_quoted))
    buffer_append_text(out, t);
  else
    json_write_text(out, t);
}

static void print_bytes(struct buffer *out, struct ff_bytes bytes) {
  struct ff_str text = {bytes.ptr, bytes.len};
  const unsigned char *octets = bytes.ptr;
  bool readable = text_is_utf8(text);
  for (size_t i = 0; readable && i < bytes.len; i++) readable = octets[i] >= ' ' &&
      octets[i] != 0x7f;
  if (readable && bytes.len >= 4 && memcmp(bytes.ptr, "hex:", 4) == 0) {
    json_write_text(out, text); /* quoted: these are letters, not digits of octets */
  } else if (readable) {
    print_text(out, text, "");
  } else {
    buffer_append_c(out, "hex:");
    for (size_t i = 0; i < bytes.len; i++) buffer_printf(out, "%02x", octets[i]);
  }
}

static void print_strs(struct buffer *out, const struct ff_strs *list) {
  for (size_t i = 0; i < list->count; i++) {
    buffer_append_char(out, i ? ' ' : '[');
    print_text(out, list->items[i], "[]");
  }
  buffer_append_char(out, ']');
}

static void print_pairs(struct buffer *out, const struct ff_pairs *list) {
  for (size_t i = 0; i < list->count; i++) {
    buffer_append_char(out, i ? ' ' : '{');
    print_text(out, list->items[i].key, "={}");
    buffer_append_char(out, '=');
    print_text(out, list->items[i].value, "={}");
  }
  buffer_append_char(out, '}');
}

static void print_list(struct buffer *out, const struct ff_struct *s, struct list list) {
  for (size_t i = 0; i < list.count; i++) {
    buffer_append_c(out, i ? " {" : "[{");
    values_print(s, list.items + i * s->size, out);
    buffer_append_char(out, '}');
  }
  buffer_append_char(out, ']');
}

static void print_error(struct buffer *out, const struct ff_error *e) {
  buffer_printf(out, "{code=%s", ff_code_name(e->code));
  if (e->detail[0]) {
    buffer_append_c(out, " detail=");
    print_text(out, ff_text(e->detail), "");
  }
  if (e->field[0]) buffer_printf(out, " field=%s", e->field);
  buffer_append_char(out, '}');
}

static void print_any_text(const struct ff_field *f, struct ff_str t, struct buffer *out) {
  if (f->words == FF_FIELD_SECRET)
    secret_print(t, out);
  else
    print_text(out, t, "");
}

static void print_value(const struct ff_field *f, const void *at, struct buffer *out) {
  switch (f->type) {
    case FF_FIELD_BOOL: buffer_append_c(out, *(const bool *)at ? "true" : "false"); break;
    case FF_FIELD_I32:
    case FF_FIELD_U32:
    case FF_FIELD_I64:
    case FF_FIELD_U64: put_number(f, at, out); break;
    case FF_FIELD_F64: put_double(*(const double *)at, out); break;
    case FF_FIELD_TEXT: print_any_text(f, *(const struct ff_str *)at, out); break;
    case FF_FIELD_BYTES: print_bytes(out, *(const struct ff_bytes *)at); break;
    case FF_FIELD_WORD: buffer_append_c(out, word_of(f, at)); break;
    case FF_FIELD_ID: buffer_append_c(out, ((const struct ff_id *)at)->text); break;
    case FF_FIELD_HANDLE: buffer_printf(out, "handle(%s)", kind_of(at)); break;
    case FF_FIELD_STRS: print_strs(out, at); break;
    case FF_FIELD_PAIRS: print_pairs(out, at); break;
    case FF_FIELD_STRUCT:
      buffer_append_char(out, '{');
      values_print(f->fields, at, out);
      buffer_append_char(out, '}');
      break;
    case FF_FIELD_LIST: print_list(out, f->fields, list_at(at)); break;
    case FF_FIELD_ERROR: print_error(out, at); break;
  }
}

/* A word that is zero says something (waiting, active) unless it is `none`. */
static bool is_shown(const struct ff_field *f, const void *at) {
  if (f->type != FF_FIELD_WORD) return !is_zero(f, at);
  return f->words == FF_WORD_outcome || strcmp(word_of(f, at), "none") != 0;
}

void values_print(const struct ff_struct *s, const void *values, struct buffer *out) {
  const char *separator = "";
  for (uint32_t i = 0; i < s->field_count; i++) {
    const struct ff_field *f = &s->fields[i];
    const void *at = (const char *)values + f->offset;
    if (!is_shown(f, at)) continue;
    buffer_printf(out, "%s%s=", separator, f->name);
    print_value(f, at, out);
    separator = " ";
  }
}

/* ---- JSON ---- */

static void json_member_name(struct buffer *out, const char *name, char before) {
  buffer_append_char(out, before);
  json_write_text(out, ff_text(name));
  buffer_append_char(out, ':');
}

static void json_bytes(struct buffer *out, struct ff_bytes bytes) {
  buffer_append_char(out, '"');
  base64_append(out, bytes);
  buffer_append_char(out, '"');
}

static void json_handle(struct buffer *out, const struct ff_handle *h) {
  const char *backend = ff_word(FF_WORD_backend, h->backend);
  buffer_printf(out, "{\"backend\":\"%s\",\"kind\":\"%s\",\"opaque\":", backend ? backend : "?",
                kind_of(h));
  json_bytes(out, (struct ff_bytes){h->opaque, h->len});
  buffer_append_char(out, '}');
}

static void json_error_value(struct buffer *out, const struct ff_error *e) {
  json_member_name(out, "code", '{');
  json_write_text(out, ff_text(ff_code_name(e->code)));
  json_member_name(out, "detail", ',');
  json_write_text(out, ff_text(e->detail));
  json_member_name(out, "field", ',');
  json_write_text(out, ff_text(e->field));
  if (e->context_count) {
    json_member_name(out, "context", ',');
    values_json_context(e, out);
  }
  if (e->retry_after_ms > 0)
    buffer_printf(out, ",\"retry_after_ms\":%lld", (long long)e->retry_after_ms);
  buffer_append_char(out, '}');
}

void values_json_context(const struct ff_error *e, struct buffer *out) {
  buffer_append_char(out, '{');
  for (uint32_t i = 0; i < e->context_count; i++) {
    if (i) buffer_append_char(out, ',');
    json_write_text(out, ff_text(e->context[i].key));
    buffer_append_char(out, ':');
    json_write_text(out, ff_text(e->context[i].value));
  }
  buffer_append_char(out, '}');
}

static void json_strs(struct buffer *out, const struct ff_strs *list) {
  buffer_append_char(out, '[');
  for (size_t i = 0; i < list->count; i++) {
    if (i) buffer_append_char(out, ',');
    json_write_text(out, list->items[i]);
  }
  buffer_append_char(out, ']');
}

/* Maps of results ascend, so that nothing stands twice; those of a caller may be in any order. */
static bool ascends(const struct ff_pairs *list) {
  for (size_t i = 1; i < list->count; i++)
    if (text_compare(list->items[i - 1].key, list->items[i].key) >= 0) return false;
  return true;
}

static bool stands_again(const struct ff_pairs *list, size_t i) {
  for (size_t k = i + 1; k < list->count; k++)
    if (text_equal(list->items[i].key, list->items[k].key)) return true;
  return false;
}

/* Of a key that stands twice the last value counts, as for the engine. */
static void json_pairs(struct buffer *out, const struct ff_pairs *list) {
  bool ordered = ascends(list);
  char before = '{';
  for (size_t i = 0; i < list->count; i++) {
    if (!ordered && stands_again(list, i)) continue;
    buffer_append_char(out, before);
    before = ',';
    json_write_text(out, list->items[i].key);
    buffer_append_char(out, ':');
    json_write_text(out, list->items[i].value);
  }
  buffer_append_c(out, before == '{' ? "{}" : "}");
}

static void json_list(struct buffer *out, const struct ff_struct *s, struct list list) {
  buffer_append_char(out, '[');
  for (size_t i = 0; i < list.count; i++) {
    if (i) buffer_append_char(out, ',');
    values_json(s, list.items + i * s->size, out);
  }
  buffer_append_char(out, ']');
}

static void json_value(const struct ff_field *f, const void *at, struct buffer *out) {
  switch (f->type) {
    case FF_FIELD_BOOL: buffer_append_c(out, *(const bool *)at ? "true" : "false"); break;
    case FF_FIELD_I32:
    case FF_FIELD_U32:
    case FF_FIELD_I64:
    case FF_FIELD_U64: put_number(f, at, out); break;
    case FF_FIELD_F64: put_double(*(const double *)at, out); break;
    case FF_FIELD_TEXT: json_write_text(out, *(const struct ff_str *)at); break;
    case FF_FIELD_BYTES: json_bytes(out, *(const struct ff_bytes *)at); break;
    case FF_FIELD_WORD: json_write_text(out, ff_text(word_of(f, at))); break;
    case FF_FIELD_ID: json_write_text(out, ff_text(((const struct ff_id *)at)->text)); break;
    case FF_FIELD_HANDLE: json_handle(out, at); break;
    case FF_FIELD_STRS: json_strs(out, at); break;
    case FF_FIELD_PAIRS: json_pairs(out, at); break;
    case FF_FIELD_STRUCT: values_json(f->fields, at, out); break;
    case FF_FIELD_LIST: json_list(out, f->fields, list_at(at)); break;
    case FF_FIELD_ERROR: json_error_value(out, at); break;
  }
}

static bool may_be_absent(enum ff_field_type type) {
  return type == FF_FIELD_TEXT || type == FF_FIELD_BYTES || type == FF_FIELD_ID ||
         type == FF_FIELD_HANDLE || type == FF_FIELD_ERROR || type == FF_FIELD_STRUCT;
}

void values_json(const struct ff_struct *s, const void *values, struct buffer *out) {
  char before = '{';
  for (uint32_t i = 0; i < s->field_count; i++) {
    const struct ff_field *f = &s->fields[i];
    const void *at = (const char *)values + f->offset;
    if (may_be_absent(f->type) && is_zero(f, at)) continue;
    json_member_name(out, f->name, before);
    json_value(f, at, out);
    before = ',';
  }
  buffer_append_c(out, before == '{' ? "{}" : "}");
}

void base64_append(struct buffer *out, struct ff_bytes bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const uint8_t *p = bytes.ptr;
  for (size_t i = 0; i < bytes.len; i += 3) {
    size_t left = bytes.len - i;
    uint32_t v =
        (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
    char four[4] = {digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
                    left > 2 ? digits[v & 63] : '='};
    buffer_append(out, four, sizeof four);
  }
}
