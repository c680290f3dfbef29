/*
 * The cold column: the rarely set fields of a record as one JSON object of those that are not
 * default.
 *
 * Numbers are JSON numbers, uuids and words are text. Reading is strict: anything unexpected is
 * corruption, never a default.
 */
#include "base/json.h"
#include "record/record.h"

/* As a dump prints it, in quotes where JSON wants them. A secret has no place in a readable column.
 */
static void write_value(struct buffer *out, const struct field *f, const void *record) {
  bool quoted = f->type == FIELD_UUID || f->type == FIELD_ENUM;
  INVARIANT(f->type != FIELD_BYTES && !(f->flags & FIELD_SECRET));
  if (quoted) buffer_append_char(out, '"');
  field_print(f, record, out);
  if (quoted) buffer_append_char(out, '"');
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
