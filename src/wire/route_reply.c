/*
 * What a result is told as: the forms of routes.def.
 */
#include "base/json.h"
#include "op/values.h"
#include "wire/route.h"

/* Takes the next word before the end of the alternative. */
static bool take_word(const char **at, struct ff_str *word) {
  *at += strspn(*at, " ");
  *word = text_of(*at, strcspn(*at, " |"));
  *at += word->len;
  return word->len > 0;
}

/* The value of one member as values_json writes it, "" when it is absent. */
static void put_value(const struct ff_struct *s, const struct ff_field *f, const void *result,
                      bool quoted, struct buffer *out) {
  struct ff_struct one = {s->name, s->size, 1, f};
  struct buffer text;
  buffer_init(&text);
  values_json(&one, result, &text); /* {"name":VALUE} */
  size_t skip = strlen(f->name) + 4;
  if (text.len > skip) {
    if (quoted) buffer_append_char(out, '"');
    buffer_append(out, text.ptr + skip, text.len - skip - 1);
    if (quoted) buffer_append_char(out, '"');
  }
  buffer_fini(&text);
}

static void put_name(struct buffer *out, struct ff_str name) {
  if (out->ptr[out->len - 1] != '{') buffer_append_char(out, ',');
  json_write_text(out, name);
  buffer_append_char(out, ':');
}

/* `^field`: the members of a struct, among the others. */
static void put_members_of(const struct ff_struct *s, struct ff_str name, const void *result,
                           struct buffer *out) {
  const struct ff_field *f = values_field(s, name);
  INVARIANT(f && f->type == FF_FIELD_STRUCT);
  for (uint32_t i = 0; i < f->fields->field_count; i++) {
    const struct ff_field *inner = &f->fields->fields[i];
    size_t before = out->len;
    put_name(out, ff_text(inner->name));
    size_t start = out->len;
    put_value(f->fields, inner, (const char *)result + f->offset, false, out);
    if (out->len == start) out->len = before;
  }
}

/* `field`, `json:field`, `field!`, `field?`, `field~`. */
static void put_member(const struct ff_struct *s, struct ff_str word, const void *result,
                       struct buffer *out) {
  char mark = word.ptr[word.len - 1];
  if (mark == '!' || mark == '?' || mark == '~') word.len--;
  struct ff_str name = word;
  const char *colon = memchr(word.ptr, ':', word.len);
  if (colon) {
    name = text_of(word.ptr, (size_t)(colon - word.ptr));
    word = text_of(colon + 1, word.len - name.len - 1);
  }
  const struct ff_field *f = values_field(s, word);
  INVARIANT(f);
  size_t before = out->len;
  put_name(out, name);
  size_t start = out->len;
  put_value(s, f, result, mark == '!', out);
  bool zero = mark == '~' && out->len == start + 1 && out->ptr[start] == '0';
  if (out->len > start && !zero) return;
  if (mark == '?') buffer_append_c(out, "null");
  else out->len = before;
}

static void put_members(const struct ff_struct *s, const char *words, const void *result,
                        struct buffer *out) {
  struct ff_str word;
  while (take_word(&words, &word)) {
    if (word.ptr[0] == '^')
      put_members_of(s, text_of(word.ptr + 1, word.len - 1), result, out);
    else
      put_member(s, word, result, out);
  }
}

static bool has_members(const char *words) {
  struct ff_str word;
  return take_word(&words, &word);
}

static void put_error(struct ff_str code, struct buffer *out) {
  struct ff_error e;
  (void)error_set(&e, ff_code_parse(code), NULL);
  wire_error_write(&e, out);
}

/* {"Tag":{…}}, or "Tag". */
static void put_tagged(const struct ff_struct *s, struct ff_str tag, const char *words,
                       const void *result, struct buffer *out) {
  bool more = has_members(words);
  if (more) buffer_append_char(out, '{');
  json_write_text(out, tag);
  if (!more) return;
  buffer_append_c(out, ":{");
  put_members(s, words, result, out);
  buffer_append_c(out, "}}");
}

static void put_form(const struct ff_struct *s, struct ff_str form, const char *words,
                     const void *result, struct route_answer *a) {
  struct ff_str rest = text_of(form.ptr + 1, form.len - 1), word;
  struct buffer *out = a->body;
  switch (form.ptr[0]) {
    case '!': a->content_type = NULL; return;
    case '@': route_shape(rest, s, result, a); return;
    case '?': put_error(rest, out); return;
    case '.':
      INVARIANT(take_word(&words, &word));
      put_value(s, values_field(s, word), result, false, out);
      return;
    case '-':
    case '=':
      buffer_append_char(out, '{');
      if (rest.len) {
        put_name(out, TEXT_LIT("status"));
        json_write_text(out, rest);
      }
      put_members(s, words, result, out);
      buffer_append_char(out, '}');
      return;
    default: put_tagged(s, form, words, result, out); return;
  }
}

static const char *outcome_of(const struct ff_struct *s, const void *result) {
  const struct ff_field *f = values_field(s, TEXT_LIT("outcome"));
  const char *word =
      f ? ff_word(FF_WORD_outcome, *((const uint8_t *)result + f->offset)) : NULL;
  return word ? word : "ok";
}

void route_reply(const struct route *r, const struct ff_struct *s, const void *result,
                 struct route_answer *a) {
  const char *outcome = outcome_of(s, result);
  struct ff_str name, status, form;
  uint64_t number = 0;
  a->content_type = "application/json";
  a->headers[0] = '\0';
  for (const char *at = r->replies; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
    const char *words = at;
    bool read = take_word(&words, &name) && take_word(&words, &status) && take_word(&words, &form);
    INVARIANT(read && parse_u64(status, &number));
    if (!text_equal_c(name, "*") && !text_equal_c(name, outcome)) continue;
    a->status = (int)number;
    put_form(s, form, words, result, a);
    return;
  }
  a->status = 200; /* an outcome the table does not know yet is told as the generic route would */
  wire_result_write(s, result, a->body);
}
