/*
 * The generic loops over the record tables: defaults, copies, comparison.
 *
 * Nothing here knows a kind by name. Keys are in key.c, the cold column in cold.c, dumps in dump.c.
 */
#include "record/record.h"

static const uint8_t type_sizes[] = {[FIELD_U8] = 1,
                                     [FIELD_U16] = 2,
                                     [FIELD_U32] = 4,
                                     [FIELD_U64] = 8,
                                     [FIELD_I32] = 4,
                                     [FIELD_I64] = 8,
                                     [FIELD_IDX] = 8,
                                     [FIELD_UUID] = 16,
                                     [FIELD_TEXT] = sizeof(struct ff_str),
                                     [FIELD_BYTES] = sizeof(struct ff_bytes),
                                     [FIELD_ENUM] = 1};

static inline const void *at(const void *record, const struct field *f) {
  return (const uint8_t *)record + f->offset;
}
static inline void *at_mut(void *record, const struct field *f) {
  return (uint8_t *)record + f->offset;
}

/* A record of defaults per kind: starting a record is one copy. Made once, before main. */
static union {
  uint64_t align;
#define X(kind, tag) uint8_t kind[sizeof(struct kind)];
  RECORD_KINDS(X)
#undef X
} templates[RECORD_KIND_COUNT];
static uint16_t
    cold_offsets[RECORD_KIND_COUNT]; /* where the cold fields begin: they are declared last */

static void __attribute__((constructor)) make_templates(void) {
  for (int kind = 0; kind < RECORD_KIND_COUNT; kind++) {
    const struct record_info *info = &record_infos[kind];
    for (unsigned i = 0; i < info->field_count; i++) {
      const struct field *f = &info->fields[i];
      if (f->type == FIELD_IDX) *(int64_t *)at_mut(&templates[kind], f) = -1;
      if ((f->flags & FIELD_COLD) && !cold_offsets[kind]) cold_offsets[kind] = f->offset;
    }
  }
}

void record_init(enum record_kind kind, void *record) {
  memcpy(record, &templates[kind], record_infos[kind].size);
}

bool record_cold_is_default(enum record_kind kind, const void *record) {
  const struct record_info *info = &record_infos[kind];
  if (!info->has_cold) return true;
  /* Texts compare by pointer here: an absent one is all zero, like the template's. */
  return memcmp((const uint8_t *)record + cold_offsets[kind],
                (const uint8_t *)&templates[kind] + cold_offsets[kind],
                info->size - cold_offsets[kind]) == 0;
}

bool field_is_default(const struct field *f, const void *record) {
  static const uint8_t zero[sizeof(struct ff_str)];
  switch (f->type) {
    case FIELD_IDX: return *(const int64_t *)at(record, f) == -1;
    case FIELD_TEXT: return ((const struct ff_str *)at(record, f))->ptr == NULL;
    case FIELD_BYTES: return ((const struct ff_bytes *)at(record, f))->ptr == NULL;
    default: return memcmp(at(record, f), zero, type_sizes[f->type]) == 0;
  }
}

void *record_clone(enum record_kind kind, const void *record, struct arena *arena) {
  return arena_copy(arena, record, record_infos[kind].size);
}

void *record_copy(enum record_kind kind, const void *record, struct arena *arena) {
  void *copy = record_clone(kind, record, arena);
  const struct record_info *info = &record_infos[kind];
  for (unsigned i = 0; i < info->field_count; i++) {
    const struct field *f = &info->fields[i];
    if (f->type == FIELD_TEXT) {
      struct ff_str *t = at_mut(copy, f);
      if (t->ptr) *t = arena_text(arena, *t);
    } else if (f->type == FIELD_BYTES) {
      struct ff_bytes *b = at_mut(copy, f);
      if (b->ptr) *b = arena_bytes(arena, *b);
    }
  }
  return copy;
}

bool record_equal(enum record_kind kind, const void *a, const void *b) {
  const struct record_info *info = &record_infos[kind];
  for (unsigned i = 0; i < info->field_count; i++) {
    const struct field *f = &info->fields[i];
    const void *x = at(a, f), *y = at(b, f);
    if (f->type == FIELD_TEXT || f->type == FIELD_BYTES) {
      struct ff_bytes s, t; /* the two structs have one layout: pointer, length */
      memcpy(&s, x, sizeof s);
      memcpy(&t, y, sizeof t);
      if (!bytes_equal(s, t)) return false;
    } else if (memcmp(x, y, type_sizes[f->type]) != 0) {
      return false;
    }
  }
  return true;
}

const struct field *record_field(enum record_kind kind, struct ff_str name) {
  const struct record_info *info = &record_infos[kind];
  for (unsigned i = 0; i < info->field_count; i++)
    if (text_equal_c(name, info->fields[i].name)) return &info->fields[i];
  return NULL;
}

void record_copy_key(enum record_kind kind, const void *from, void *to) {
  const struct record_info *info = &record_infos[kind];
  for (unsigned i = 0; i < info->key_count; i++)
    memcpy(at_mut(to, &info->fields[i]), at(from, &info->fields[i]),
           type_sizes[info->fields[i].type]);
}
