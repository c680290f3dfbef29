/*
 * The cold column: the rarely set fields of a record as one JSON object of those that are not
 * default.
 *
 * Numbers are JSON numbers, uuids and words are text. Reading is strict: anything unexpected is
 * corruption, never a default.
 */
#include "base/json.h"
#include "record/record.h"

static void write_value(struct buffer *out, const struct field *f, const void *record) {
  const uint8_t *at = (const uint8_t *)record + f->offset;
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
      json_write_text(out, ff_text(text));
      return;
    }
    case FIELD_TEXT: json_write_text(out, *(const struct ff_str *)(const void *)at); return;
    case FIELD_ENUM:
      json_write_text(out, ff_text(ff_word((enum ff_word_enum)f->words, *at)));
      return;
    case FIELD_BYTES: break;
  }
  INVARIANT(!"bytes in a cold field");
}

struct ff_str record_cold_encode(enum record_kind kind, const void *record, struct arena *arena) {
  const struct record_info *info = &record_infos[kind];
  if (record_cold_is_default(kind, record)) return (struct ff_str){NULL, 0};
  struct buffer out;
  buffer_init(&out);
  for (unsigned i = 0; i < info->field_count; i++) {
    const struct field *f = &info->fields[i];
    if (!(f->flags & FIELD_COLD) || field_is_default(f, record)) continue;
    buffer_append_c(&out, out.len ? ",\"" : "{\"");
    buffer_append_c(&out, f->name);
    buffer_append_c(&out, "\":");
    write_value(&out, f, record);
  }
  struct ff_str text = {NULL, 0};
  if (out.len) {
    buffer_append_char(&out, '}');
    text = arena_text(arena, buffer_text(&out));
  }
  buffer_fini(&out);
  return text;
}

static bool read_unsigned(const struct json *value, uint64_t max, uint64_t *out) {
  return json_u64(value, out) && *out <= max;
}

static bool read_value(const struct field *f, const struct json *value, void *record,
                       struct arena *arena) {
  uint8_t *at = (uint8_t *)record + f->offset;
  uint64_t u = 0;
  int64_t i = 0;
  switch (f->type) {
    case FIELD_U8:
      if (!read_unsigned(value, UINT8_MAX, &u)) return false;
      *at = (uint8_t)u;
      return true;
    case FIELD_U16:
      if (!read_unsigned(value, UINT16_MAX, &u)) return false;
      *(uint16_t *)(void *)at = (uint16_t)u;
      return true;
    case FIELD_U32:
      if (!read_unsigned(value, UINT32_MAX, &u)) return false;
      *(uint32_t *)(void *)at = (uint32_t)u;
      return true;
    case FIELD_U64: return json_u64(value, (uint64_t *)(void *)at);
    case FIELD_I32:
      if (!json_i64(value, &i) || i < INT32_MIN || i > INT32_MAX) return false;
      *(int32_t *)(void *)at = (int32_t)i;
      return true;
    case FIELD_I64:
    case FIELD_IDX: return json_i64(value, (int64_t *)(void *)at);
    case FIELD_UUID:
      return value->type == JSON_STRING && uuid_parse(value->text, (struct uuid *)at);
    case FIELD_TEXT:
      if (value->type != JSON_STRING) return false;
      *(struct ff_str *)(void *)at = arena_text(arena, value->text);
      return true;
    case FIELD_ENUM: {
      if (value->type != JSON_STRING) return false;
      int word = ff_word_parse((enum ff_word_enum)f->words, value->text);
      if (word < 0) return false;
      *at = (uint8_t)word;
      return true;
    }
    case FIELD_BYTES: break;
  }
  return false;
}

bool record_cold_decode(enum record_kind kind, struct ff_str cold, void *record,
                        struct arena *arena, const char **bad_field) {
  const struct json *object;
  struct json_error error;
  *bad_field = "cold";
  if (!text_present(cold)) return true;
  if (!json_parse(cold, arena, &object, &error) || object->type != JSON_OBJECT) return false;
  for (const struct json *m = object->first; m; m = m->next) {
    const struct field *f = record_field(kind, m->key);
    if (!f || !(f->flags & FIELD_COLD)) return false;
    *bad_field = f->name;
    if (!read_value(f, m, record, arena)) return false;
    *bad_field = "cold";
  }
  return true;
}
