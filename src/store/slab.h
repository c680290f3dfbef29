/*
 * Blocks of a few sizes, recycled: what the memory store keeps its rows in.
 *
 * Not thread-safe: the store's lock guards it. Everything is released at once by slab_fini.
 */
#ifndef STORE_SLAB_H
#define STORE_SLAB_H

#include "base/base.h"

#define SLAB_STEP 16u
#define SLAB_SMALL_MAX 2048u /* larger blocks come from malloc */
#define SLAB_CLASSES (SLAB_SMALL_MAX / SLAB_STEP + 1)

struct slab_free {
  struct slab_free *next;
};
struct slab_large { /* in front of every malloc'd block, linked so that fini finds it */
  struct slab_large *next, *previous;
};
struct slab_chunk {
  struct slab_chunk *next;
};
struct slab {
  struct slab_free *free[SLAB_CLASSES];
  struct slab_chunk *chunks;
  uint8_t *next, *end; /* fresh space of the newest chunk */
  size_t chunk_size;
  struct slab_large large;
};

void slab_init(struct slab *s);
void slab_fini(struct slab *s);
/* 16-byte aligned, not zeroed. */
void *slab_alloc(struct slab *s, size_t size);
/* size is that of the allocation. NULL is fine. */
void slab_free(struct slab *s, void *block, size_t size);
/* How many bytes an allocation of this size really has: a rewrite within it needs no new block. */
static inline size_t slab_room(size_t size) {
  return size <= SLAB_SMALL_MAX ? (size + SLAB_STEP - 1) / SLAB_STEP * SLAB_STEP : size;
}

#endif
