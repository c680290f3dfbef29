/*
 * The argument and result descriptions: nothing outside its struct, nothing twice, nothing
 * forgotten.
 *
 * A member is found forgotten in two ways: by a hole that alignment does not explain, and by
 * reading the public headers.
 */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"
#include "op/op.h"

static size_t type_size(const struct ff_field *f) {
  switch (f->type) {
    case FF_FIELD_BOOL: return sizeof(bool);
    case FF_FIELD_I32: return sizeof(int32_t);
    case FF_FIELD_U32: return sizeof(uint32_t);
    case FF_FIELD_I64: return sizeof(int64_t);
    case FF_FIELD_U64: return sizeof(uint64_t);
    case FF_FIELD_F64: return sizeof(double);
    case FF_FIELD_TEXT: return sizeof(struct ff_str);
    case FF_FIELD_BYTES: return sizeof(struct ff_bytes);
    case FF_FIELD_WORD: return sizeof(uint8_t);
    case FF_FIELD_ID: return sizeof(struct ff_id);
    case FF_FIELD_HANDLE: return sizeof(struct ff_handle);
    case FF_FIELD_STRS: return sizeof(struct ff_strs);
    case FF_FIELD_PAIRS: return sizeof(struct ff_pairs);
    case FF_FIELD_STRUCT: return f->fields->size;
    case FF_FIELD_LIST: return sizeof(struct ff_strs); /* every list is { pointer, count } */
    case FF_FIELD_ERROR: return sizeof(struct ff_error);
  }
  return 0;
}

static size_t type_align(const struct ff_field *f);

static size_t struct_align(const struct ff_struct *s) {
  size_t most = 1;
  for (uint32_t i = 0; i < s->field_count; i++) {
    size_t align = type_align(&s->fields[i]);
    if (align > most) most = align;
  }
  return most;
}

static size_t type_align(const struct ff_field *f) {
  switch (f->type) {
    case FF_FIELD_BOOL:
    case FF_FIELD_WORD:
    case FF_FIELD_ID: return 1;
    case FF_FIELD_I32:
    case FF_FIELD_U32: return alignof(uint32_t);
    case FF_FIELD_HANDLE: return alignof(struct ff_handle);
    case FF_FIELD_ERROR: return alignof(struct ff_error);
    case FF_FIELD_STRUCT: return struct_align(f->fields);
    default: return alignof(uint64_t);
  }
}

static size_t align_up(size_t n, size_t align) { return (n + align - 1) / align * align; }

static bool ends_with(const char *name, const char *end) {
  size_t n = strlen(name), m = strlen(end);
  return n >= m && strcmp(name + n - m, end) == 0;
}

static const char *struct_names[512];
static const struct ff_struct *structs[512];
static size_t struct_count;

/* Every struct reachable from the operation table, once. */
static void collect(const struct ff_struct *s) {
  for (size_t i = 0; i < struct_count; i++)
    if (structs[i] == s) return;
  assert_true(struct_count < ARRAY_LEN(structs));
  struct_names[struct_count] = s->name;
  structs[struct_count++] = s;
  for (uint32_t i = 0; i < s->field_count; i++)
    if (s->fields[i].fields) collect(s->fields[i].fields);
}

static int collect_all(void **state) {
  (void)state;
  for (int op = 0; op < OP_COUNT; op++) {
    collect(op_infos[op].args);
    collect(op_infos[op].result);
  }
  return 0;
}

static void table_matches_op_def(void **state) {
  (void)state;
#define OP(op, class, run_by)                                       \
  assert_string_equal(op_infos[OP_##op].name, #op);                 \
  assert_int_equal(op_infos[OP_##op].class_, FF_OPERATION_##class); \
  assert_int_equal(op_infos[OP_##op].how, OP_HOW_##run_by);         \
  assert_string_equal(op_infos[OP_##op].args->name, "ff_" #op "_args");     \
  assert_string_equal(op_infos[OP_##op].result->name, "ff_" #op "_result"); \
  assert_int_equal(op_infos[OP_##op].args->size, op_infos[OP_##op].args_size); \
  assert_int_equal(op_infos[OP_##op].result->size, op_infos[OP_##op].result_size);
  OP_TABLE(OP)
#undef OP
  for (int op = 0; op < OP_ALL_COUNT; op++) {
    const struct op_info *info = &op_infos[op];
    assert_non_null(info->name);
    assert_true(info->args_size >= sizeof(uint32_t) && info->result_size >= sizeof(void *));
    assert_int_equal(info->code != NULL, info->how != OP_HOW_ENGINE);
    assert_int_equal(info->args == NULL, op >= OP_COUNT);
  }
}

static void fields_are_sound(void **state) {
  (void)state;
  for (size_t i = 0; i < struct_count; i++) {
    const struct ff_struct *s = structs[i];
    for (uint32_t k = 0; k < s->field_count; k++) {
      const struct ff_field *f = &s->fields[k];
      if (type_size(f) == 0 || f->offset + type_size(f) > s->size)
        fail_msg("%s.%s lies outside", s->name, f->name);
      if (f->offset % type_align(f) != 0) fail_msg("%s.%s: wrong type", s->name, f->name);
      if (ends_with(f->name, "_")) fail_msg("%s.%s: trailing underscore", s->name, f->name);
      bool word = f->type == FF_FIELD_WORD;
      bool nested = f->type == FF_FIELD_STRUCT || f->type == FF_FIELD_LIST;
      if (word != (f->words >= 0) || (word && !ff_word((enum ff_word_enum)f->words, 0)))
        fail_msg("%s.%s: bad enumeration", s->name, f->name);
      if (nested != (f->fields != NULL)) fail_msg("%s.%s: bad nesting", s->name, f->name);
      if (f->type == FF_FIELD_ID && ends_with(s->name, "_args"))
        fail_msg("%s.%s: ids are results only", s->name, f->name);
      for (uint32_t j = 0; j < k; j++)
        if (strcmp(f->name, s->fields[j].name) == 0)
          fail_msg("%s.%s stands twice", s->name, f->name);
    }
  }
}

/* Fields stand in the order of the struct and leave no hole but what the next one's alignment
 * explains. */
static void no_holes(void **state) {
  (void)state;
  for (size_t i = 0; i < struct_count; i++) {
    const struct ff_struct *s = structs[i];
    size_t end = 0, align = struct_align(s);
    if (ends_with(s->name, "_args")) end = sizeof(uint32_t);
    if (ends_with(s->name, "_result")) end = sizeof(struct ff_memory *), align = alignof(void *);
    for (uint32_t k = 0; k < s->field_count; k++) {
      const struct ff_field *f = &s->fields[k];
      if (align_up(end, type_align(f)) != f->offset)
        fail_msg("%s: a hole before %s", s->name, f->name);
      end = f->offset + type_size(f);
    }
    if (ends_with(s->name, "_args") && align < alignof(uint32_t)) align = alignof(uint32_t);
    if (align_up(end, align) != s->size) fail_msg("%s: a hole at the end", s->name);
  }
}

/* ---- the headers ---- */

static char *read_header(const char *name) {
  char path[1024];
  const char *root = getenv("SOURCE_DIR"); /* set by ctest; by hand: run at the top of the tree */
  snprintf(path, sizeof path, "%s/include/flowfabric/%s", root ? root : ".", name);
  FILE *file = fopen(path, "rb");
  if (!file) fail_msg("cannot read %s", path);
  char *text = heap_zalloc(1 << 20);
  assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
  fclose(file);
  for (char *c = strstr(text, "/*"); c; c = strstr(c, "/*")) { /* comments become blanks */
    char *end = strstr(c, "*/");
    assert_non_null(end);
    memset(c, ' ', (size_t)(end + 2 - c));
  }
  return text;
}

static bool described(const struct ff_struct *s, const char *member, size_t len) {
  if (member[len - 1] == '_') len--;
  for (uint32_t i = 0; i < s->field_count; i++)
    if (strlen(s->fields[i].name) == len && memcmp(s->fields[i].name, member, len) == 0)
      return true;
  return false;
}

/* Checks the members declared between { and }: the last word before each comma or semicolon. */
static void check_members(const struct ff_struct *s, const char *text, const char *end) {
  const char *blanks = " \n*";
  for (; text < end; text++) {
    if (*text != ',' && *text != ';') continue;
    const char *last = text;
    while (strchr(blanks, last[-1])) last--;
    const char *first = last;
    while (!strchr(blanks, first[-1]) && first[-1] != ',') first--;
    size_t len = (size_t)(last - first);
    if (len == 4 && memcmp(first, "size", 4) == 0) continue;
    if (len == 6 && memcmp(first, "memory", 6) == 0) continue;
    if (!described(s, first, len)) fail_msg("%s.%.*s is not described", s->name, (int)len, first);
  }
}

static void every_member_of_the_headers(void **state) {
  (void)state;
  static const char *const headers[] = {
      /* one a line, so that additions do not meet */
      "lifecycle.h",
      "read.h",
      "schedule.h",
      "stream.h",
      "signal.h",
      "events.h",
      "worker.h",
      "flow.h",
      "flow_read.h",
      "flow_cancel.h",
      "why.h",
      "budget.h",
  };
  size_t found = 0;
  for (size_t h = 0; h < ARRAY_LEN(headers); h++) {
    char *text = read_header(headers[h]);
    for (size_t i = 0; i < struct_count; i++) {
      char opening[128];
      snprintf(opening, sizeof opening, "struct %s {", struct_names[i]);
      const char *body = strstr(text, opening);
      if (!body) continue;
      body += strlen(opening);
      check_members(structs[i], body, strchr(body, '}'));
      found++;
    }
    free(text);
  }
  assert_int_equal(found, struct_count);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(table_matches_op_def),
      cmocka_unit_test(fields_are_sound),
      cmocka_unit_test(no_holes),
      cmocka_unit_test(every_member_of_the_headers),
  };
  return cmocka_run_group_tests(tests, collect_all, NULL);
}
