/*
 * Rows as bytes: the fields that are not default, each its number and its value.
 *
 * Numbers of fields are the schema's in the store (valkey_schema.c), so that rows outlive changes of
 * the tables. Reading is strict and bounded: anything unexpected is corruption, never a default.
 */
#include "store/valkey_impl.h"

/* ---- writing ---- */

static void put_varint(struct buffer *b, uint64_t n) {
  uint8_t bytes[10];
  size_t len = 0;
  for (; n >= 0x80; n >>= 7) bytes[len++] = (uint8_t)(n | 0x80);
  bytes[len++] = (uint8_t)n;
  buffer_append(b, bytes, len);
}

static uint64_t zigzag(int64_t n) { return (uint64_t)n << 1 ^ (uint64_t)(n >> 63); }

static void put_value(struct buffer *b, const struct field *f, const void *at) {
  switch (f->type) {
    case FIELD_U8:
    case FIELD_ENUM: put_varint(b, *(const uint8_t *)at); return;
    case FIELD_U16: put_varint(b, *(const uint16_t *)at); return;
    case FIELD_U32: put_varint(b, *(const uint32_t *)at); return;
    case FIELD_U64: put_varint(b, *(const uint64_t *)at); return;
    case FIELD_I32: put_varint(b, zigzag(*(const int32_t *)at)); return;
    case FIELD_I64:
    case FIELD_IDX: put_varint(b, zigzag(*(const int64_t *)at)); return;
    case FIELD_UUID: buffer_append(b, at, sizeof(struct uuid)); return;
    case FIELD_TEXT:
    case FIELD_BYTES: {
      struct ff_bytes bytes; /* texts and bytes have one layout: pointer, length */
      memcpy(&bytes, at, sizeof bytes);
      put_varint(b, bytes.len);
      if (bytes.len) buffer_append(b, bytes.ptr, bytes.len);
      return;
    }
  }
}

void valkey_row_encode(const struct valkey_layouts *layouts, enum record_kind kind,
                       const void *record, struct buffer *out) {
  const struct record_info *info = &record_infos[kind];
  const struct valkey_layout *l = &layouts->kinds[kind];
  bool cold = !record_cold_is_default(kind, record);
  for (unsigned i = 0; i < info->field_count; i++) {
    const struct field *f = &info->fields[i];
    if ((f->flags & FIELD_COLD) && !cold) continue;
    /* An absent text of a key is kept as an empty one, as SQL stores do. */
    if (!(f->flags & FIELD_KEY) && field_is_default(f, record)) continue;
    put_varint(out, l->number_of[i]);
    put_value(out, f, (const uint8_t *)record + f->offset);
  }
}

/* ---- reading ---- */

struct reader {
  const uint8_t *next, *end;
  struct arena *arena;
};

static bool get_varint(struct reader *r, uint64_t *out) {
  uint64_t n = 0;
  for (unsigned shift = 0; shift < 64 && r->next < r->end; shift += 7) {
    uint8_t byte = *r->next++;
    if (shift == 63 && byte > 1) return false;
    n |= (uint64_t)(byte & 0x7f) << shift;
    if (byte & 0x80) continue;
    *out = n;
    return byte != 0 || shift == 0; /* one spelling of each number */
  }
  return false;
}

static bool get_unsigned(struct reader *r, uint64_t max, uint64_t *out) {
  return get_varint(r, out) && *out <= max;
}

static bool get_signed(struct reader *r, int64_t min, int64_t max, int64_t *out) {
  uint64_t n;
  if (!get_varint(r, &n)) return false;
  *out = (int64_t)(n >> 1 ^ (0 - (n & 1)));
  return *out >= min && *out <= max;
}

static bool get_octets(struct reader *r, bool text, void *at) {
  uint64_t len;
  if (!get_unsigned(r, (uint64_t)(r->end - r->next), &len) ||
      len > (uint64_t)(r->end - r->next))
    return false;
  struct ff_bytes bytes = {r->next, (size_t)len};
  r->next += len;
  if (text) *(struct ff_str *)at = arena_text(r->arena, text_of(bytes.ptr, bytes.len));
  else *(struct ff_bytes *)at = arena_bytes(r->arena, bytes);
  return true;
}

/* NULL, or what is wrong with it. */
static const char *get_value(struct reader *r, const struct field *f, void *at) {
  static const char bad[] = "does not parse";
  uint64_t u;
  int64_t i;
  switch (f->type) {
    case FIELD_U8:
      if (!get_unsigned(r, UINT8_MAX, &u)) return bad;
      *(uint8_t *)at = (uint8_t)u;
      return NULL;
    case FIELD_ENUM:
      if (!get_unsigned(r, UINT8_MAX, &u)) return bad;
      *(uint8_t *)at = (uint8_t)u;
      return ff_word((enum ff_word_enum)f->words, (int)u) ? NULL : "unknown value";
    case FIELD_U16:
      if (!get_unsigned(r, UINT16_MAX, &u)) return bad;
      *(uint16_t *)at = (uint16_t)u;
      return NULL;
    case FIELD_U32:
      if (!get_unsigned(r, UINT32_MAX, &u)) return bad;
      *(uint32_t *)at = (uint32_t)u;
      return NULL;
    case FIELD_U64: return get_varint(r, at) ? NULL : bad;
    case FIELD_I32:
      if (!get_signed(r, INT32_MIN, INT32_MAX, &i)) return bad;
      *(int32_t *)at = (int32_t)i;
      return NULL;
    case FIELD_I64:
    case FIELD_IDX: return get_signed(r, INT64_MIN, INT64_MAX, at) ? NULL : bad;
    case FIELD_UUID:
      if (r->end - r->next < (ptrdiff_t)sizeof(struct uuid)) return bad;
      memcpy(at, r->next, sizeof(struct uuid));
      r->next += sizeof(struct uuid);
      return NULL;
    case FIELD_TEXT: return get_octets(r, true, at) ? NULL : bad;
    case FIELD_BYTES: return get_octets(r, false, at) ? NULL : bad;
  }
  return bad;
}

enum ff_rc valkey_row_decode(const struct valkey_layouts *layouts, enum record_kind kind,
                             uint64_t version, struct ff_str body, struct arena *arena,
                             const void **out, struct ff_error *e) {
  const struct record_info *info = &record_infos[kind];
  const struct valkey_layout *l = &layouts->kinds[kind];
  struct record_head *record = arena_alloc(arena, info->size);
  struct reader r = {(const uint8_t *)body.ptr, (const uint8_t *)body.ptr + body.len, arena};
  unsigned keys = 0;
  record_init(kind, record);
  if (info->tag != RECORD_TAG_LOG && (version == 0 || version > INT64_MAX))
    return store_corrupt(kind, record, "version", "out of range", e);
  record->version = version;
  while (r.next < r.end) {
    uint64_t number;
    if (!get_varint(&r, &number) || number >= l->field_count)
      return store_corrupt(kind, record, "row", "a field that is not there", e);
    const struct field *f = &info->fields[l->field_of[number]];
    const char *problem = get_value(&r, f, (uint8_t *)record + f->offset);
    if (problem) return store_corrupt(kind, record, f->name, problem, e);
    keys += (f->flags & FIELD_KEY) != 0;
  }
  if (info->tag != RECORD_TAG_LOG && keys != info->key_count)
    return store_corrupt(kind, record, "row", "no whole key", e);
  *out = record;
  return FF_OK;
}
