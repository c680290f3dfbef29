/*
 * Records as stable text, for dumps, scripts and error messages. Secret fields never appear.
 */
#include "base/json.h"
#include "record/record.h"

static void print_bytes(struct ff_bytes b, struct buffer *out) {
  static const char digits[] = "0123456789abcdef";
  const uint8_t *p = b.ptr;
  buffer_append_c(out, "x'");
  for (size_t i = 0; i < b.len; i++) {
    buffer_append_char(out, digits[p[i] >> 4]);
    buffer_append_char(out, digits[p[i] & 15]);
  }
  buffer_append_char(out, '\'');
}

void field_print(const struct field *f, const void *record, struct buffer *out) {
  const uint8_t *at = (const uint8_t *)record + f->offset;
  if (f->flags & FIELD_SECRET) {
    buffer_append_c(out, "<redacted>");
    return;
  }
  switch (f->type) {
    case FIELD_U8: buffer_printf(out, "%u", (unsigned)*at); return;
    case FIELD_U16: buffer_printf(out, "%u", (unsigned)*(const uint16_t *)(const void *)at); return;
    case FIELD_U32: buffer_printf(out, "%u", *(const uint32_t *)(const void *)at); return;
    case FIELD_U64:
      buffer_printf(out, "%llu", (unsigned long long)*(const uint64_t *)(const void *)at);
      return;
    case FIELD_I32: buffer_printf(out, "%d", *(const int32_t *)(const void *)at); return;
    case FIELD_I64:
    case FIELD_IDX:
      buffer_printf(out, "%lld", (long long)*(const int64_t *)(const void *)at);
      return;
    case FIELD_UUID: {
      char text[37];
      uuid_format(*(const struct uuid *)at, text);
      buffer_append_c(out, text);
      return;
    }
    case FIELD_TEXT: json_write_text(out, *(const struct ff_str *)(const void *)at); return;
    case FIELD_BYTES: print_bytes(*(const struct ff_bytes *)(const void *)at, out); return;
    case FIELD_ENUM: {
      const char *word = ff_word((enum ff_word_enum)f->words, *at);
      buffer_append_c(out, word ? word : "?");
      return;
    }
  }
}

void record_dump(enum record_kind kind, const void *record, struct buffer *out) {
  const struct record_info *info = &record_infos[kind];
  const struct record_head *head = record;
  buffer_append_c(out, info->name);
  if (info->tag != RECORD_TAG_LOG)
    buffer_printf(out, " version=%llu", (unsigned long long)head->version);
  for (unsigned i = 0; i < info->field_count; i++) {
    const struct field *f = &info->fields[i];
    if (!(f->flags & FIELD_KEY) && field_is_default(f, record)) continue;
    buffer_append_char(out, ' ');
    buffer_append_c(out, f->name);
    buffer_append_char(out, '=');
    field_print(f, record, out);
  }
}
