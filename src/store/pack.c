/*
 * Packing: bitmap, words, texts. The layouts are made from the field tables at first use.
 */
#include "store/pack.h"

#include <pthread.h>
#include <stddef.h>

struct layout {
  uint32_t words, maps;
  uint64_t text_map[PACK_MAPS_MAX]; /* words that are the pointer of a text or of bytes; the next
                                       word is the length */
  uint64_t key_text_map[PACK_MAPS_MAX]; /* of those, the keys: an absent key text is kept as an
                                           empty one, as SQL stores do */
  uint64_t defaults[PACK_WORDS_MAX];    /* the record with all defaults */
};
static struct layout layouts[RECORD_KIND_COUNT];
static pthread_once_t layouts_once = PTHREAD_ONCE_INIT;

_Static_assert(sizeof(struct ff_str) == 16 && sizeof(struct ff_bytes) == 16, "a text is two words");
_Static_assert(offsetof(struct ff_str, len) == 8 && offsetof(struct ff_bytes, len) == 8,
               "pointer, then length");
_Static_assert(offsetof(struct record_head, store_row) == 8, "store_row is word 1");
#define STORE_ROW_WORD 1u

static void layout_make(enum record_kind kind, struct layout *l) {
  const struct record_info *info = &record_infos[kind];
  l->words = info->size / 8;
  l->maps = (l->words + 63) / 64;
  INVARIANT(info->size % 8 == 0 && l->words <= PACK_WORDS_MAX);
  record_init(kind, l->defaults);
  for (unsigned i = 0; i < info->field_count; i++) {
    const struct field *f = &info->fields[i];
    if (f->type != FIELD_TEXT && f->type != FIELD_BYTES) continue;
    INVARIANT(f->offset % 8 == 0);
    uint64_t bit = (uint64_t)1 << (f->offset / 8 % 64);
    l->text_map[f->offset / 512] |= bit;
    if (f->flags & FIELD_KEY) l->key_text_map[f->offset / 512] |= bit;
  }
}

static void layouts_make(void) {
  for (unsigned k = 0; k < RECORD_KIND_COUNT; k++) layout_make((enum record_kind)k, &layouts[k]);
}

static const struct layout *layout_of(enum record_kind kind) {
  (void)pthread_once(&layouts_once, layouts_make);
  return &layouts[kind];
}

static inline uint64_t word_at(const void *record, uint32_t word) {
  uint64_t value;
  memcpy(&value, (const uint8_t *)record + 8 * (size_t)word, 8);
  return value;
}

/* Eight words at a time, spelled out: most eighths of a record are as they were born. */
static uint64_t differing(const uint8_t *record, const uint64_t *defaults, uint32_t count) {
  uint64_t map = 0;
  uint32_t i = 0;
#define X(j) uint64_t x##j = word_at(record, i + j) ^ defaults[i + j]
#define BIT(j) (uint64_t)(x##j != 0) << j
  for (; i + 8 <= count; i += 8) {
    X(0);
    X(1);
    X(2);
    X(3);
    X(4);
    X(5);
    X(6);
    X(7);
    if (!(x0 | x1 | x2 | x3 | x4 | x5 | x6 | x7)) continue;
    map |= (BIT(0) | BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7)) << i;
  }
#undef BIT
#undef X
  for (; i < count; i++) map |= (uint64_t)(word_at(record, i) != defaults[i]) << i;
  return map;
}

/* The instruction is not in the baseline, and the compiler's stand-in is a call. */
static inline uint32_t bits_set(uint64_t x) {
  x -= x >> 1 & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
  return (uint32_t)(((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
}

void pack_measure(enum record_kind kind, const void *record, struct pack_plan *plan) {
  const struct layout *l = layout_of(kind);
  uint32_t words = 0;
  uint64_t texts = 0;
  for (uint32_t m = 0; m < l->maps; m++) {
    uint32_t count = l->words - 64 * m < 64 ? l->words - 64 * m : 64;
    uint64_t map =
        differing((const uint8_t *)record + 512 * (size_t)m, &l->defaults[64 * m], count);
    map |= l->key_text_map[m];
    if (m == 0) map &= ~((uint64_t)1 << STORE_ROW_WORD);
    plan->maps[m] = map;
    words += bits_set(map & ~l->text_map[m]);
    for (uint64_t t = map & l->text_map[m]; t; t &= t - 1)
      texts += word_at(record, 64 * m + (uint32_t)__builtin_ctzll(t) + 1) + 1;
  }
  uint64_t size = sizeof(struct packed) + 8 * ((uint64_t)l->maps + words) + texts;
  INVARIANT(size <= UINT32_MAX);
  plan->size = (uint32_t)size;
  plan->texts_size = (uint32_t)texts;
}

static uint8_t *put_text(uint8_t *out, const void *record, uint32_t word) {
  struct ff_bytes text;
  memcpy(&text, (const uint8_t *)record + 8 * (size_t)word, sizeof text);
  if (text.len) memcpy(out, text.ptr, text.len);
  out[text.len] = 0;
  return out + text.len + 1;
}

void pack_write(enum record_kind kind, const void *record, const struct pack_plan *plan,
                struct packed *out) {
  const struct layout *l = layout_of(kind);
  out->size = plan->size;
  out->texts_size = plan->texts_size;
  uint64_t *word = out->words;
  uint8_t *text = (uint8_t *)out + (plan->size - plan->texts_size);
  for (uint32_t m = 0; m < l->maps; m++) *word++ = plan->maps[m];
  for (uint32_t m = 0; m < l->maps; m++) {
    for (uint64_t map = plan->maps[m] & ~l->text_map[m]; map; map &= map - 1)
      *word++ = word_at(record, 64 * m + (uint32_t)__builtin_ctzll(map));
    for (uint64_t map = plan->maps[m] & l->text_map[m]; map; map &= map - 1)
      text = put_text(text, record, 64 * m + (uint32_t)__builtin_ctzll(map));
  }
}

/* Pointers are not stored: texts lie one behind the other in the order of their fields. */
static void point_texts(const struct layout *l, const uint64_t *maps, uint8_t *record,
                        const uint8_t *text) {
  for (uint32_t m = 0; m < l->maps; m++)
    for (uint64_t map = maps[m] & l->text_map[m]; map; map &= map - 1) {
      uint32_t at = 64 * m + (uint32_t)__builtin_ctzll(map);
      memcpy(record + 8 * (size_t)at, &text, sizeof text);
      text += word_at(record, at + 1) + 1;
    }
}

void *pack_read(enum record_kind kind, const struct packed *packed, struct arena *arena) {
  const struct layout *l = layout_of(kind);
  size_t struct_size = 8 * (size_t)l->words;
  uint8_t *record = arena_alloc(arena, struct_size + packed->texts_size);
  memcpy(record, l->defaults, struct_size);
  uint8_t *texts = record + struct_size;
  memcpy(texts, (const uint8_t *)packed + (packed->size - packed->texts_size), packed->texts_size);
  const uint64_t *word = packed->words + l->maps;
  for (uint32_t m = 0; m < l->maps; m++)
    for (uint64_t map = packed->words[m] & ~l->text_map[m]; map; map &= map - 1)
      memcpy(record + 8 * (size_t)(64 * m + (uint32_t)__builtin_ctzll(map)), word++, 8);
  point_texts(l, packed->words, record, texts);
  return record;
}
