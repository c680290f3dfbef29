/*
 * Names of keys, members of indexes and bounds of ranges.
 *
 * A member is the memory-comparable key of the index, then the key of the row unless it ends in that
 * anyway, then the length of the latter in two bytes: the server finds the row without knowing the
 * index. What follows the key of the index never decides the order, because that key is unique.
 */
#include "store/valkey_impl.h"

/* ---- names ---- */

static struct ff_str name(struct valkey_names *n, const char *prefix, const char *before,
                          const char *what, const char *behind) {
  return arena_printf(&n->arena, "{%s}%s%s%s", prefix, before, what, behind);
}

void valkey_names_init(struct valkey_names *n, const char *prefix) {
  static const char *const fixed[VALKEY_NAMES] = {"schema", "schema/mark",   "event/last",
                                                  "event",  "event/trimmed", "event/gaps"};
  arena_init(&n->arena);
  for (unsigned i = 0; i < VALKEY_NAMES; i++) n->fixed[i] = name(n, prefix, "/", fixed[i], "");
  for (unsigned k = 0; k < RECORD_KIND_COUNT; k++)
    n->kinds[k] = name(n, prefix, ":", record_infos[k].name, ":");
  for (unsigned i = 0; i < INDEX_COUNT; i++) {
    const struct index_info *info = &index_infos[i];
    n->indexes[i] = info->when == INDEX_PRIMARY
                        ? name(n, prefix, "/key/", record_infos[info->kind].name, "")
                        : name(n, prefix, "/index/", info->name, "");
  }
}

void valkey_names_fini(struct valkey_names *n) { arena_fini(&n->arena); }

struct ff_str valkey_row_key(const struct valkey_names *n, enum record_kind kind,
                             const void *record, struct arena *arena) {
  struct ff_str head = n->kinds[kind];
  size_t size = head.len + record_key_size(kind, record);
  char *key = arena_alloc(arena, size);
  memcpy(key, head.ptr, head.len);
  (void)record_key_encode(kind, record, (uint8_t *)key + head.len);
  return text_of(key, size);
}

uint32_t valkey_indexes_of(enum record_kind kind, enum index_id out[VALKEY_KIND_INDEXES_MAX]) {
  uint32_t count = 0;
  bool primary = false;
  for (unsigned i = 0; i < INDEX_COUNT; i++) {
    if (index_infos[i].kind != kind || record_infos[kind].tag == RECORD_TAG_LOG) continue;
    if (index_infos[i].when == INDEX_PRIMARY && primary) continue;
    primary |= index_infos[i].when == INDEX_PRIMARY;
    INVARIANT(count < VALKEY_KIND_INDEXES_MAX);
    out[count++] = (enum index_id)i;
  }
  return count;
}

/* ---- members ---- */

static bool ends_in_key(const struct index_info *info) {
  const struct record_info *record = &record_infos[info->kind];
  if (info->part_count < record->key_count) return false;
  const struct index_part *tail = &info->parts[info->part_count - record->key_count];
  for (unsigned i = 0; i < record->key_count; i++)
    if (tail[i].descending || tail[i].field != &record->fields[i]) return false;
  return true;
}

static uint8_t *room(struct buffer *b, size_t size) {
  static const uint8_t zeros[256];
  size_t at = b->len;
  for (size_t left = size; left;) {
    size_t n = left < sizeof zeros ? left : sizeof zeros;
    buffer_append(b, zeros, n);
    left -= n;
  }
  return (uint8_t *)b->ptr + at;
}

static void put_index_key(enum index_id index, const void *record, unsigned parts,
                          struct buffer *out) {
  size_t size = index_key_size(index, record, parts);
  (void)index_key_encode(index, record, parts, room(out, size));
}

void valkey_member(enum index_id index, const void *record, struct buffer *out) {
  const struct index_info *info = &index_infos[index];
  if (info->kind == RECORD_KIND_event) { /* the server adds the id it gives */
    put_index_key(index, record, info->prefix_count, out);
    return;
  }
  size_t size = record_key_size(info->kind, record);
  INVARIANT(size <= UINT16_MAX);
  put_index_key(index, record, info->part_count, out);
  if (!ends_in_key(info)) (void)record_key_encode(info->kind, record, room(out, size));
  buffer_append_char(out, (char)(size >> 8));
  buffer_append_char(out, (char)size);
}

/* ---- ranges ---- */

/* The least text that is greater than all that begin with what is behind `from`. */
static void put_successor(struct buffer *b, size_t from, char kind) {
  size_t end = b->len;
  while (end > from && (uint8_t)b->ptr[end - 1] == 0xff) end--;
  b->len = end;
  if (end == from) {
    b->len = from - 1;
    buffer_append_char(b, '+');
    return;
  }
  b->ptr[end - 1]++;
  b->ptr[from - 1] = kind;
}

void valkey_range(enum index_id index, const void *from, bool after, struct buffer *low,
                  struct buffer *high) {
  const struct index_info *info = &index_infos[index];
  unsigned parts = info->prefix_count;
  size_t at = high->len + 1;
  buffer_append_char(high, '(');
  put_index_key(index, from, parts, high);
  if (parts) put_successor(high, at, '(');
  else high->ptr[at - 1] = '+';
  at = low->len + 1;
  buffer_append_char(low, '[');
  if (after) {
    put_index_key(index, from, info->part_count, low);
    put_successor(low, at, '[');
  } else {
    put_index_key(index, from, parts, low);
    if (!parts) low->ptr[at - 1] = '-';
  }
}
