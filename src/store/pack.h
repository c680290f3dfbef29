/*
 * A record as one compact block: only the eight-byte words that differ from the defaults, then its
 * texts.
 *
 * Works from the field tables; knows no kind by name. A packed block is immutable for readers;
 * whoever holds it knows its size.
 */
#ifndef STORE_PACK_H
#define STORE_PACK_H

#include "record/record.h"

#define PACK_WORDS_MAX 192u /* of eight bytes: the largest record struct */
#define PACK_MAPS_MAX (PACK_WORDS_MAX / 64)

struct packed {
  uint32_t size; /* of the whole block */
  uint32_t texts_size;
  uint64_t
      words[]; /* the bitmap of the kind, the words whose bit is set but for pointers, the texts */
};

/* What pack_measure found, for pack_write. */
struct pack_plan {
  uint64_t maps[PACK_MAPS_MAX];
  uint32_t size, texts_size;
};

/* The head's store_row is not kept. */
void pack_measure(enum record_kind kind, const void *record, struct pack_plan *plan);
/* out holds plan->size bytes, 8-byte aligned. */
void pack_write(enum record_kind kind, const void *record, const struct pack_plan *plan,
                struct packed *out);
/* The record in the arena, texts NUL-terminated, store_row 0. */
void *pack_read(enum record_kind kind, const struct packed *packed, struct arena *arena);

#endif
