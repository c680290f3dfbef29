/*
 * JSON on standard output, made from the descriptions the library gives of its own structs (ff_operations).
 *
 * Integers are printed exactly; bytes are base64; absent texts, ids and times are null; maps keep the engine's order.
 */
#include "args.h"
#include "out.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void cli_json_text(FILE *out, const char *text, size_t len) {
  fputc('"', out);
  for (size_t at = 0; at < len;) {
    unsigned char byte = (unsigned char)text[at];
    size_t step = cli_utf8_length(text + at, len - at);
    if (!step) fputs("\\ufffd", out);
    else if (byte == '"' || byte == '\\') fprintf(out, "\\%c", byte);
    else if (byte == '\n') fputs("\\n", out);
    else if (byte < 0x20 || byte == 0x7f) fprintf(out, "\\u%04x", byte);
    else fwrite(text + at, 1, step, out);
    at += step ? step : 1;
  }
  fputc('"', out);
}

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void cli_base64(FILE *out, const void *data, size_t size) {
  const unsigned char *bytes = data;
  for (size_t at = 0; at < size; at += 3) {
    size_t left = size - at;
    uint32_t group = (uint32_t)bytes[at] << 16;
    if (left > 1) group |= (uint32_t)bytes[at + 1] << 8;
    if (left > 2) group |= bytes[at + 2];
    fputc(digits64[group >> 18], out);
    fputc(digits64[group >> 12 & 63], out);
    fputc(left > 1 ? digits64[group >> 6 & 63] : '=', out);
    fputc(left > 2 ? digits64[group & 63] : '=', out);
  }
}

bool cli_base64_decode(const char *text, size_t len, unsigned char **data, size_t *size) {
  while (len && text[len - 1] == '=') len--;
  unsigned char *bytes = cli_alloc(len);
  size_t used = 0;
  uint32_t group = 0;
  for (size_t i = 0; i < len; i++) {
    const char *digit = text[i] ? strchr(digits64, text[i]) : NULL;
    if (!digit) {
      free(bytes);
      return false;
    }
    group = group << 6 | (uint32_t)(digit - digits64);
    if (i % 4 != 0) bytes[used++] = (unsigned char)(group >> (6 - 2 * (i % 4)));
  }
  *data = bytes;
  *size = used;
  return len % 4 != 1;
}

/* Whether 0 in an i64 of this name means that there is no such time. */
static bool is_time(const char *name) {
  size_t len = strlen(name);
  return (len > 3 && strcmp(name + len - 3, "_at") == 0) ||
         (len > 6 && strcmp(name + len - 6, "_at_ms") == 0) || strcmp(name, "delay_until") == 0;
}

static void print_handle(FILE *out, const struct ff_handle *handle) {
  if (!handle->len) {
    fputs("null", out);
    return;
  }
  fprintf(out, "{\"backend\":\"%s\",\"kind\":\"%s\",\"opaque\":\"",
          ff_word(FF_WORD_backend, handle->backend), ff_word(FF_WORD_handle_kind, handle->kind));
  cli_base64(out, handle->opaque,
             handle->len <= FF_HANDLE_OPAQUE_MAX ? handle->len : FF_HANDLE_OPAQUE_MAX);
  fputs("\"}", out);
}

static void print_error(FILE *out, const struct ff_error *error) {
  if (error->rc == FF_OK) {
    fputs("null", out);
    return;
  }
  fprintf(out, "{\"code\":\"%s\",\"detail\":", ff_code_name(error->code));
  cli_json_text(out, error->detail, strlen(error->detail));
  fputs(",\"field\":", out);
  cli_json_text(out, error->field, strlen(error->field));
  fputc('}', out);
}

static void print_list(FILE *out, const struct ff_struct *description, const void *at) {
  struct any_list {
    const unsigned char *items;
    size_t count;
  } list;
  memcpy(&list, at, sizeof(list));
  fputc('[', out);
  for (size_t i = 0; i < list.count; i++) {
    if (i) fputc(',', out);
    cli_json_struct(out, description, list.items + i * description->size);
  }
  fputc(']', out);
}

static void print_str(FILE *out, const struct ff_str *text) {
  if (text->ptr) cli_json_text(out, text->ptr, text->len);
  else fputs("null", out);
}

static void print_texts(FILE *out, const struct ff_field *field, const void *at) {
  if (field->type == FF_FIELD_STRS) {
    const struct ff_strs *list = at;
    fputc('[', out);
    for (size_t i = 0; i < list->count; i++) {
      if (i) fputc(',', out);
      print_str(out, &list->items[i]);
    }
    fputc(']', out);
    return;
  }
  const struct ff_pairs *pairs = at;
  fputc('{', out);
  for (size_t i = 0; i < pairs->count; i++) {
    if (i) fputc(',', out);
    cli_json_text(out, pairs->items[i].key.ptr, pairs->items[i].key.len);
    fputc(':', out);
    cli_json_text(out, pairs->items[i].value.ptr, pairs->items[i].value.len);
  }
  fputc('}', out);
}

static void print_bytes(FILE *out, const struct ff_bytes *bytes) {
  if (!bytes->ptr) {
    fputs("null", out);
    return;
  }
  fputc('"', out);
  cli_base64(out, bytes->ptr, bytes->len);
  fputc('"', out);
}

static void print_word(FILE *out, int words, int value) {
  const char *text = ff_word((enum ff_word_enum)words, value);
  if (text) fprintf(out, "\"%s\"", text);
  else fprintf(out, "%d", value);
}

static void print_field(FILE *out, const struct ff_field *field, const void *value) {
  const void *at = (const unsigned char *)value + field->offset;
  switch (field->type) {
  case FF_FIELD_BOOL: fputs(*(const bool *)at ? "true" : "false", out); return;
  case FF_FIELD_I32: fprintf(out, "%" PRId32, *(const int32_t *)at); return;
  case FF_FIELD_U32: fprintf(out, "%" PRIu32, *(const uint32_t *)at); return;
  case FF_FIELD_I64:
    if (*(const int64_t *)at == 0 && is_time(field->name)) fputs("null", out);
    else fprintf(out, "%" PRId64, *(const int64_t *)at);
    return;
  case FF_FIELD_U64: fprintf(out, "%" PRIu64, *(const uint64_t *)at); return;
  case FF_FIELD_F64: fprintf(out, "%.17g", *(const double *)at); return;
  case FF_FIELD_TEXT: print_str(out, at); return;
  case FF_FIELD_BYTES: print_bytes(out, at); return;
  case FF_FIELD_WORD: print_word(out, field->words, *(const uint8_t *)at); return;
  case FF_FIELD_ID: {
    const struct ff_id *id = at;
    if (id->text[0]) cli_json_text(out, id->text, strnlen(id->text, FF_ID_MAX));
    else fputs("null", out);
    return;
  }
  case FF_FIELD_HANDLE: print_handle(out, at); return;
  case FF_FIELD_STRS:
  case FF_FIELD_PAIRS: print_texts(out, field, at); return;
  case FF_FIELD_STRUCT: cli_json_struct(out, field->fields, at); return;
  case FF_FIELD_LIST: print_list(out, field->fields, at); return;
  case FF_FIELD_ERROR: print_error(out, at); return;
  }
}

void cli_json_struct(FILE *out, const struct ff_struct *description, const void *value) {
  fputc('{', out);
  for (uint32_t i = 0; i < description->field_count; i++) {
    if (i) fputc(',', out);
    fprintf(out, "\"%s\":", description->fields[i].name);
    print_field(out, &description->fields[i], value);
  }
  fputc('}', out);
}

const struct ff_struct *cli_described(const char *operation, const char *member) {
  const struct ff_operation *op = ff_operation_find(ff_text(operation));
  for (uint32_t i = 0; op && i < op->result->field_count; i++)
    if (strcmp(op->result->fields[i].name, member) == 0) return op->result->fields[i].fields;
  return NULL;
}

void cli_list_begin(struct cli_list *list, const struct cli *cli) {
  *list = (struct cli_list){.out = stdout, .array = cli->format == CLI_JSON};
  if (list->array) fputc('[', list->out);
}

void cli_list_item(struct cli_list *list, const struct ff_struct *description, const void *value) {
  if (list->array && list->count) fputc(',', list->out);
  if (list->array) fputc('\n', list->out);
  cli_json_struct(list->out, description, value);
  if (!list->array) fputc('\n', list->out);
  list->count++;
}

void cli_list_end(struct cli_list *list) {
  if (list->array) fputs(list->count ? "\n]\n" : "]\n", list->out);
}
