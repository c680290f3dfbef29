/*
 * Memory-comparable encodings of primary and index keys, and index membership.
 *
 * memcmp order of the encodings is the declared order in every store: the one definition of
 * "sorted" in the project.
 */
#include "record/record.h"

static uint8_t *put_be(uint8_t *out, uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
  return out + bytes;
}

static uint8_t *put_bytes(uint8_t *out, const void *ptr, size_t len) {
  if (len) memcpy(out, ptr, len);
  return out + len;
}

/* A text ends in a 0 byte, which no text contains; bytes are not allowed in keys. */
static uint8_t *put_field(uint8_t *out, const struct field *f, const void *record) {
  const uint8_t *at = (const uint8_t *)record + f->offset;
  switch (f->type) {
    case FIELD_U8:
    case FIELD_ENUM: return put_be(out, *at, 1);
    case FIELD_U16: return put_be(out, *(const uint16_t *)(const void *)at, 2);
    case FIELD_U32: return put_be(out, *(const uint32_t *)(const void *)at, 4);
    case FIELD_U64: return put_be(out, *(const uint64_t *)(const void *)at, 8);
    case FIELD_I32:
      return put_be(out, (uint32_t) * (const int32_t *)(const void *)at ^ 0x80000000u, 4);
    case FIELD_I64:
    case FIELD_IDX:
      return put_be(out, (uint64_t) * (const int64_t *)(const void *)at ^ (1ull << 63), 8);
    case FIELD_UUID: return put_bytes(out, at, 16);
    case FIELD_TEXT: {
      const struct ff_str *t = (const void *)at;
      out = put_bytes(out, t->ptr, t->len);
      *out++ = 0;
      return out;
    }
    case FIELD_BYTES: break;
  }
  INVARIANT(!"bytes in a key");
  return out;
}

static size_t field_size(const struct field *f, const void *record) {
  static const uint8_t sizes[] = {
      [FIELD_U8] = 1,   [FIELD_U16] = 2,   [FIELD_U32] = 4, [FIELD_U64] = 8,
      [FIELD_I32] = 4,  [FIELD_I64] = 8,   [FIELD_IDX] = 8, [FIELD_UUID] = 16,
      [FIELD_TEXT] = 0, [FIELD_BYTES] = 0, [FIELD_ENUM] = 1};
  if (f->type == FIELD_TEXT)
    return ((const struct ff_str *)(const void *)((const uint8_t *)record + f->offset))->len + 1;
  return sizes[f->type];
}

size_t record_key_size(enum record_kind kind, const void *record) {
  const struct record_info *info = &record_infos[kind];
  size_t size = 0;
  for (unsigned i = 0; i < info->key_count; i++) size += field_size(&info->fields[i], record);
  return size;
}

size_t record_key_encode(enum record_kind kind, const void *record, uint8_t *out) {
  const struct record_info *info = &record_infos[kind];
  uint8_t *end = out;
  for (unsigned i = 0; i < info->key_count; i++) end = put_field(end, &info->fields[i], record);
  return (size_t)(end - out);
}

size_t index_key_size(enum index_id index, const void *record, unsigned parts) {
  const struct index_info *info = &index_infos[index];
  size_t size = 0;
  for (unsigned i = 0; i < parts; i++) size += field_size(info->parts[i].field, record);
  return size;
}

size_t index_key_encode(enum index_id index, const void *record, unsigned parts, uint8_t *out) {
  const struct index_info *info = &index_infos[index];
  uint8_t *end = out;
  for (unsigned i = 0; i < parts; i++) {
    uint8_t *start = end;
    end = put_field(end, info->parts[i].field, record);
    if (info->parts[i].descending)
      for (uint8_t *p = start; p < end; p++) *p = (uint8_t) ~*p;
  }
  return (size_t)(end - out);
}

bool index_matches(enum index_id index, const void *record) {
  const struct index_info *info = &index_infos[index];
  switch (info->when) {
    case INDEX_ALWAYS:
    case INDEX_PRIMARY: return true;
    case INDEX_SET: return !field_is_default(info->when_field, record);
    case INDEX_EQ: return ((const uint8_t *)record)[info->when_field->offset] == info->when_value;
  }
  return false;
}
