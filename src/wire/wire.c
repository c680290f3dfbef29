/*
 * Arguments and answers as JSON: the objects of op/values with the outcome outside (07 T-10).
 */
#include "wire/wire.h"

#include "op/values.h"

/* ---- words ---- */

bool wire_pascal(const char *snake, char *out, size_t size) {
  size_t n = 0;
  bool upper = true;
  for (; *snake; snake++) {
    if (n + 1 >= size) return false;
    bool letter = *snake >= 'a' && *snake <= 'z';
    if (*snake != '_') out[n++] = upper && letter ? (char)(*snake - 32) : *snake;
    upper = *snake == '_';
  }
  out[n] = '\0';
  return n > 0;
}

bool wire_snake(struct ff_str pascal, char *out, size_t size) {
  size_t n = 0;
  for (size_t i = 0; i < pascal.len; i++) {
    char c = pascal.ptr[i];
    bool upper = c >= 'A' && c <= 'Z';
    if (n + 2 >= size || (i == 0 && !upper) || c == '_') return false;
    if (upper && i) out[n++] = '_';
    out[n++] = upper ? (char)(c + 32) : c;
  }
  out[n] = '\0';
  return n > 0;
}

/* ---- arguments ---- */

/* Structs that begin with their size are the argument structs. */
static bool has_size(const struct ff_struct *s) {
  size_t len = strlen(s->name);
  return len > 5 && strcmp(s->name + len - 5, "_args") == 0;
}

enum wire_fault wire_object_read(struct ff_str body, struct arena *arena,
                                 const struct json **object, struct ff_error *e) {
  struct json_error problem;
  if (!json_parse(body, arena, object, &problem)) {
    bool twice = text_present(problem.twice);
    (void)error_field(e, FF_CODE_invalid_input, arena_text(arena, problem.twice).ptr,
                      "line %zu, column %zu: %s", problem.line, problem.column, problem.message);
    return twice ? WIRE_SHAPE : WIRE_SYNTAX;
  }
  if ((*object)->type == JSON_OBJECT) return WIRE_FINE;
  (void)error_set(e, FF_CODE_invalid_input, "the arguments are no object");
  return WIRE_SHAPE;
}

enum wire_fault wire_args_read(const struct ff_struct *s, struct ff_str body, struct arena *arena,
                               void **args, struct ff_error *e) {
  const struct json *object;
  *args = NULL;
  enum wire_fault fault = wire_object_read(body, arena, &object, e);
  if (fault != WIRE_FINE) return fault;
  void *values = arena_zalloc(arena, s->size);
  if (has_size(s)) memcpy(values, &s->size, sizeof s->size);
  if (values_parse_json(s, values, object, arena, e) != FF_OK) return WIRE_SHAPE;
  *args = values;
  return WIRE_FINE;
}

bool wire_args_write(const struct ff_struct *s, const void *args, struct buffer *out,
                     struct ff_error *e) {
  size_t start = out->len;
  values_json(s, args, out);
  if (text_is_utf8(text_of(out->ptr + start, out->len - start))) return true;
  (void)error_set(e, FF_CODE_invalid_input, "a text of the arguments is not UTF-8");
  return false;
}

/* ---- answers ---- */

static const struct ff_field *outcome_field(const struct ff_struct *s) {
  const struct ff_field *f = values_field(s, TEXT_LIT("outcome"));
  return f && f->type == FF_FIELD_WORD && f->words == FF_WORD_outcome ? f : NULL;
}

/* The description of a struct without its first field `outcome`. */
static struct ff_struct rest_of(const struct ff_struct *s, const struct ff_field *outcome) {
  INVARIANT(outcome == s->fields);
  return (struct ff_struct){s->name, s->size, s->field_count - 1, s->fields + 1};
}

void wire_result_write(const struct ff_struct *s, const void *result, struct buffer *out) {
  const struct ff_field *f = outcome_field(s);
  int outcome = f ? *((const uint8_t *)result + f->offset) : FF_outcome_ok;
  char name[64];
  struct ff_struct rest = f ? rest_of(s, f) : *s;
  if (outcome == FF_outcome_ok) {
    values_json(&rest, result, out);
    return;
  }
  const char *word = ff_word(FF_WORD_outcome, outcome);
  (void)wire_pascal(word ? word : "none", name, sizeof name);
  size_t start = out->len;
  buffer_printf(out, "{\"%s\":", name);
  size_t members = out->len;
  values_json(&rest, result, out);
  if (out->len - members > 2) {
    buffer_append_char(out, '}');
    return;
  }
  out->len = start; /* {} */
  buffer_printf(out, "\"%s\"", name);
}

static int outcome_of(struct ff_str pascal) {
  char word[64];
  return wire_snake(pascal, word, sizeof word) ? ff_word_parse(FF_WORD_outcome, ff_text(word)) : -1;
}

bool wire_result_read(const struct ff_struct *s, struct ff_str body, struct arena *arena,
                      void *result) {
  const struct ff_field *f = outcome_field(s);
  const struct json *value;
  struct json_error problem;
  if (!json_parse(body, arena, &value, &problem)) return false;
  int outcome = FF_outcome_ok;
  const struct json *members = value;
  if (f && value->type == JSON_STRING) {
    outcome = outcome_of(value->text);
    members = NULL;
  } else if (f && value->type == JSON_OBJECT && value->count == 1) {
    int tagged = outcome_of(value->first->key);
    if (tagged >= 0) outcome = tagged, members = value->first;
  }
  if (outcome < 0 || (members && members->type != JSON_OBJECT)) return false;
  if (f) *((uint8_t *)result + f->offset) = (uint8_t)outcome;
  return !members || values_parse_json(s, result, members, arena, NULL) == FF_OK;
}

/* ---- credentials ---- */

static bool is_credential(const struct ff_field *f) {
  return f->type == FF_FIELD_HANDLE || f->words == FF_FIELD_SECRET ||
         (f->type == FF_FIELD_ID && strcmp(f->name, "lease_id") == 0);
}

static size_t size_of(enum ff_field_type type) {
  return type == FF_FIELD_HANDLE ? sizeof(struct ff_handle)
         : type == FF_FIELD_ID   ? sizeof(struct ff_id)
                                 : sizeof(struct ff_str);
}

void wire_hide_credentials(const struct ff_struct *s, void *result) {
  struct {
    uint8_t *items;
    size_t count;
  } list;
  for (uint32_t i = 0; i < s->field_count; i++) {
    const struct ff_field *f = &s->fields[i];
    uint8_t *at = (uint8_t *)result + f->offset;
    if (is_credential(f)) memset(at, 0, size_of(f->type));
    if (f->type == FF_FIELD_STRUCT) wire_hide_credentials(f->fields, at);
    if (f->type != FF_FIELD_LIST) continue;
    memcpy(&list, at, sizeof list);
    for (size_t k = 0; k < list.count; k++)
      wire_hide_credentials(f->fields, list.items + k * f->fields->size);
  }
}

bool wire_has_credentials(const struct ff_struct *s) {
  for (uint32_t i = 0; i < s->field_count; i++) {
    const struct ff_field *f = &s->fields[i];
    if (f->type == FF_FIELD_HANDLE || f->words == FF_FIELD_SECRET) return true;
    if (f->fields && wire_has_credentials(f->fields)) return true;
  }
  return false;
}
