/*
 * The writer's memory of the records it has just read or written: most are wanted again within a
 * few batches.
 *
 * Holds only what is committed or being committed by the one connection that writes; whoever rolls
 * back, or finds that somebody else has changed the file, clears it. Two generations of fixed size:
 * when the younger is full the older is forgotten, so that nothing is ever freed one by one. Never
 * holds events.
 */
#include "store/sqlite_impl.h"

#include <stdlib.h>

#define GENERATION_BYTES ((size_t)2 << 20)
#define SLOTS 8192 /* a power of two; at most half are used */
#define UNIT 16    /* entries begin at multiples of it */

/* A record as one block: the struct (without its cold fields when none is set), then its texts. */
struct entry {
  uint64_t key_hash;
  uint8_t kind;
  bool dead;
  uint32_t struct_size, size;
  _Alignas(UNIT) uint8_t data[];
};

struct generation {
  uint8_t *bytes;
  size_t used;
  uint32_t count;
  uint32_t by_key[SLOTS], by_row[SLOTS]; /* entry offset / UNIT + 1, 0 = free; linear probing */
};

struct sqlite_cache {
  struct generation generations[2];
  unsigned young;
};

static struct entry *entry_at(const struct generation *g, uint32_t slot) {
  return (struct entry *)(void *)(g->bytes + (size_t)(slot - 1) * UNIT);
}

static const struct record_head *head_of(const struct entry *x) {
  return (const void *)x->data;
}

/* ---- hashing and comparing keys ---- */

static const void *field_at(const struct field *f, const void *record) {
  return (const uint8_t *)record + f->offset;
}

static size_t number_size(enum field_type type) {
  static const uint8_t sizes[] = {
      [FIELD_U8] = 1,  [FIELD_ENUM] = 1, [FIELD_U16] = 2, [FIELD_U32] = 4,  [FIELD_I32] = 4,
      [FIELD_U64] = 8, [FIELD_I64] = 8,  [FIELD_IDX] = 8, [FIELD_UUID] = 16};
  return sizes[type];
}

static uint64_t hash_field(const struct field *f, const void *at, uint64_t seed) {
  uint64_t words[2] = {0, 0};
  if (f->type == FIELD_TEXT) {
    const struct ff_str *t = at;
    words[0] = hash_fnv1a64(t->len ? t->ptr : "", t->len);
  } else {
    memcpy(words, at, number_size(f->type));
  }
  return hash_mix64(hash_mix64(seed ^ words[0]) ^ words[1]);
}

static uint64_t hash_key(enum record_kind kind, const void *record) {
  const struct record_info *info = &record_infos[kind];
  uint64_t hash = kind;
  for (unsigned i = 0; i < info->key_count; i++)
    hash = hash_field(&info->fields[i], field_at(&info->fields[i], record), hash);
  return hash;
}

static bool same_key(enum record_kind kind, const void *a, const void *b) {
  const struct record_info *info = &record_infos[kind];
  for (unsigned i = 0; i < info->key_count; i++) {
    const struct field *f = &info->fields[i];
    const void *x = field_at(f, a), *y = field_at(f, b);
    if (f->type == FIELD_TEXT) {
      const struct ff_str *s = x, *t = y;
      if (!text_equal(*s, *t)) return false;
    } else if (memcmp(x, y, number_size(f->type)) != 0) {
      return false;
    }
  }
  return true;
}

static uint64_t hash_row(enum record_kind kind, uint64_t row) {
  return hash_mix64(row ^ (uint64_t)kind << 56);
}

/* The slot of that key, or the free one where it would go. */
static uint32_t *key_slot(struct generation *g, enum record_kind kind, const void *key,
                          uint64_t hash) {
  uint32_t at = (uint32_t)hash & (SLOTS - 1);
  for (;; at = (at + 1) & (SLOTS - 1)) {
    uint32_t *slot = &g->by_key[at];
    if (!*slot) return slot;
    const struct entry *x = entry_at(g, *slot);
    if (x->key_hash == hash && x->kind == kind && same_key(kind, x->data, key)) return slot;
  }
}

static uint32_t *row_slot(struct generation *g, enum record_kind kind, uint64_t row) {
  uint32_t at = (uint32_t)hash_row(kind, row) & (SLOTS - 1);
  for (;; at = (at + 1) & (SLOTS - 1)) {
    uint32_t *slot = &g->by_row[at];
    if (!*slot) return slot;
    const struct entry *x = entry_at(g, *slot);
    if (x->kind == kind && head_of(x)->store_row == row) return slot;
  }
}

/* ---- generations ---- */

static void generation_clear(struct generation *g) {
  g->used = g->count = 0;
  memset(g->by_key, 0, sizeof g->by_key);
  memset(g->by_row, 0, sizeof g->by_row);
}

struct sqlite_cache *sqlite_cache_new(void) {
  return heap_zalloc(sizeof(struct sqlite_cache));
}

void sqlite_cache_free(struct sqlite_cache *c) {
  if (!c) return;
  free(c->generations[0].bytes);
  free(c->generations[1].bytes);
  free(c);
}

void sqlite_cache_clear(struct sqlite_cache *c) {
  for (int i = 0; i < 2; i++)
    if (c->generations[i].count) generation_clear(&c->generations[i]);
}

void sqlite_cache_trim(struct sqlite_cache *c) {
  sqlite_cache_clear(c);
  for (int i = 0; i < 2; i++) {
    free(c->generations[i].bytes);
    c->generations[i].bytes = NULL;
  }
}

/* Room for an entry in the younger generation. */
static struct entry *entry_new(struct sqlite_cache *c, size_t size, uint32_t *slot_value) {
  struct generation *g = &c->generations[c->young];
  size_t bytes = (sizeof(struct entry) + size + UNIT - 1) / UNIT * UNIT;
  if (g->count == SLOTS / 2 || g->used + bytes > GENERATION_BYTES) {
    c->young ^= 1;
    g = &c->generations[c->young];
    generation_clear(g);
  }
  if (!g->bytes) g->bytes = heap_alloc(GENERATION_BYTES);
  *slot_value = (uint32_t)(g->used / UNIT) + 1;
  struct entry *x = (struct entry *)(void *)(g->bytes + g->used);
  g->used += bytes;
  g->count++;
  return x;
}

/* ---- records in and out ---- */

/* Moves the texts of a block that was copied from `from` to `to`. */
static void relocate(const struct sqlite_layout *layout, unsigned texts, void *to,
                     const void *from) {
  for (unsigned i = 0; i < texts; i++) {
    struct ff_str *t = (struct ff_str *)(void *)((uint8_t *)to + layout->texts[i]->offset);
    if (t->ptr) t->ptr = (const char *)to + (t->ptr - (const char *)from);
  }
}

static const void *copy_out(const struct entry *x, struct arena *arena) {
  enum record_kind kind = (enum record_kind)x->kind;
  const struct sqlite_layout *layout = sqlite_layout(kind);
  size_t full = record_infos[kind].size;
  if (x->struct_size == full) {
    void *record = arena_copy(arena, x->data, x->size);
    relocate(layout, layout->text_count, record, x->data);
    return record;
  }
  /* struct, blank cold fields, texts: the texts keep their distance from a base that is shifted by
   * the cold part */
  size_t cold = full - x->struct_size;
  uint8_t *record = arena_alloc(arena, x->size + cold);
  memcpy(record, x->data, x->struct_size);
  memcpy(record + x->struct_size, (const uint8_t *)layout->blank + x->struct_size, cold);
  memcpy(record + full, x->data + x->struct_size, x->size - x->struct_size);
  for (unsigned i = 0; i < layout->hot_text_count; i++) {
    struct ff_str *t = (struct ff_str *)(void *)(record + layout->texts[i]->offset);
    if (t->ptr) t->ptr = (const char *)record + cold + (t->ptr - (const char *)x->data);
  }
  return record;
}

/* A hit in the older generation moves to the younger one. */
static void keep(struct sqlite_cache *c, const struct entry *old) {
  uint32_t value;
  /* The older generation may be the one that makes room. */
  if (c->generations[c->young].count == SLOTS / 2 ||
      c->generations[c->young].used + sizeof *old + old->size + UNIT > GENERATION_BYTES)
    return;
  struct entry *x = entry_new(c, old->size, &value);
  memcpy(x, old, sizeof *old + old->size);
  const struct sqlite_layout *layout = sqlite_layout((enum record_kind)old->kind);
  bool full = x->struct_size == record_infos[x->kind].size;
  relocate(layout, full ? layout->text_count : layout->hot_text_count, x->data, old->data);
  struct generation *g = &c->generations[c->young];
  *key_slot(g, (enum record_kind)x->kind, x->data, x->key_hash) = value;
  if (head_of(x)->store_row) *row_slot(g, (enum record_kind)x->kind, head_of(x)->store_row) = value;
}

static const void *found(struct sqlite_cache *c, unsigned generation, uint32_t slot,
                         struct arena *arena) {
  const struct entry *x = entry_at(&c->generations[generation], slot);
  if (x->dead) return NULL;
  const void *record = copy_out(x, arena);
  if (generation != c->young) keep(c, x);
  return record;
}

const void *sqlite_cache_get(struct sqlite_cache *c, enum record_kind kind, const void *key,
                             struct arena *arena) {
  uint64_t hash = hash_key(kind, key);
  for (unsigned i = 0; i < 2; i++) {
    struct generation *g = &c->generations[c->young ^ i];
    uint32_t slot = g->count ? *key_slot(g, kind, key, hash) : 0;
    if (slot) return found(c, c->young ^ i, slot, arena);
  }
  return NULL;
}

const void *sqlite_cache_get_row(struct sqlite_cache *c, enum record_kind kind, uint64_t row,
                                 struct arena *arena) {
  for (unsigned i = 0; i < 2; i++) {
    struct generation *g = &c->generations[c->young ^ i];
    uint32_t slot = g->count ? *row_slot(g, kind, row) : 0;
    if (slot) return found(c, c->young ^ i, slot, arena);
  }
  return NULL;
}

void sqlite_cache_drop(struct sqlite_cache *c, enum record_kind kind, const void *key) {
  uint64_t hash = hash_key(kind, key);
  for (unsigned i = 0; i < 2; i++) {
    struct generation *g = &c->generations[i];
    uint32_t slot = g->count ? *key_slot(g, kind, key, hash) : 0;
    if (slot) entry_at(g, slot)->dead = true;
  }
}

static bool cold_is_blank(enum record_kind kind, const void *record) {
  const struct sqlite_layout *layout = sqlite_layout(kind);
  return memcmp((const uint8_t *)record + layout->hot_size,
                (const uint8_t *)layout->blank + layout->hot_size,
                record_infos[kind].size - layout->hot_size) == 0;
}

void sqlite_cache_put(struct sqlite_cache *c, enum record_kind kind, const void *record,
                      uint64_t row) {
  const struct sqlite_layout *layout = sqlite_layout(kind);
  bool blank = cold_is_blank(kind, record);
  size_t struct_size = blank ? layout->hot_size : record_infos[kind].size, size = struct_size;
  unsigned texts = blank ? layout->hot_text_count : layout->text_count;
  for (unsigned i = 0; i < texts; i++)
    size += ((const struct ff_str *)field_at(layout->texts[i], record))->len;
  if (size > SQLITE_CACHE_RECORD_MAX) {
    sqlite_cache_drop(c, kind, record);
    return;
  }
  if (!row) sqlite_cache_drop(c, kind, record); /* an older entry may be found by its row */
  uint32_t value;
  struct entry *x = entry_new(c, size, &value);
  *x = (struct entry){.key_hash = hash_key(kind, record),
                      .kind = (uint8_t)kind,
                      .struct_size = (uint32_t)struct_size,
                      .size = (uint32_t)size};
  memcpy(x->data, record, struct_size);
  ((struct record_head *)(void *)x->data)->store_row = row;
  uint8_t *end = x->data + struct_size;
  for (unsigned i = 0; i < texts; i++) {
    struct ff_str *t = (struct ff_str *)(void *)(x->data + layout->texts[i]->offset);
    if (!t->ptr) continue;
    if (t->len) memcpy(end, t->ptr, t->len);
    t->ptr = (const char *)end;
    end += t->len;
  }
  struct generation *g = &c->generations[c->young];
  *key_slot(g, kind, x->data, x->key_hash) = value;
  if (row) *row_slot(g, kind, row) = value;
}
