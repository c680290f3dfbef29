/*
 * Size-class free lists over chunks that double up to a megabyte; larger blocks are malloc's, in
 * one list.
 *
 * Under AddressSanitizer every block is malloc's own, so that a use after free is seen.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* madvise */
#endif
#include "store/slab.h"

#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_SMALL_LIMIT 0u
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_SMALL_LIMIT 0u
#endif
#endif
#ifndef SLAB_SMALL_LIMIT
#define SLAB_SMALL_LIMIT SLAB_SMALL_MAX
#endif
#define CHUNK_MIN 16384u
#define CHUNK_MAX 4194304u
#define HUGE_PAGE 2097152u

void slab_init(struct slab *s) {
  memset(s, 0, sizeof *s);
  s->chunk_size = CHUNK_MIN;
  s->large.next = s->large.previous = &s->large;
}

void slab_fini(struct slab *s) {
  for (struct slab_chunk *c = s->chunks, *next; c; c = next) {
    next = c->next;
    free(c);
  }
  for (struct slab_large *l = s->large.next, *next; l != &s->large; l = next) {
    next = l->next;
    free(l);
  }
  slab_init(s);
}

static void *large_alloc(struct slab *s, size_t size) {
  struct slab_large *l = heap_alloc(sizeof *l + size);
  l->previous = &s->large;
  l->next = s->large.next;
  l->next->previous = s->large.next = l;
  return l + 1;
}

static void large_free(void *block) {
  struct slab_large *l = (struct slab_large *)block - 1;
  l->next->previous = l->previous;
  l->previous->next = l->next;
  free(l);
}

/* Large chunks ask for huge pages: faulting in small ones costs a filling store a fifth of its
 * time. */
static struct slab_chunk *chunk_new(size_t size) {
  if (size < HUGE_PAGE) return heap_alloc(size);
  void *chunk = aligned_alloc(HUGE_PAGE, size);
  if (!chunk) return heap_alloc(size);
  (void)madvise(chunk, size, MADV_HUGEPAGE);
  return chunk;
}

/* What is left of the old chunk is lost: less than one small block of at most 64 to 1024 chunks'
 * worth. */
static void *fresh(struct slab *s, size_t room) {
  if ((size_t)(s->end - s->next) < room) {
    struct slab_chunk *chunk = chunk_new(s->chunk_size);
    chunk->next = s->chunks;
    s->chunks = chunk;
    s->next = (uint8_t *)chunk + SLAB_STEP;
    s->end = (uint8_t *)chunk + s->chunk_size;
    if (s->chunk_size < CHUNK_MAX) s->chunk_size *= 2;
  }
  void *block = s->next;
  s->next += room;
  return block;
}

void *slab_alloc(struct slab *s, size_t size) {
  if (size > SLAB_SMALL_LIMIT) return large_alloc(s, slab_room(size)); /* as slab_room promises */
  size_t room = slab_room(size ? size : 1);
  struct slab_free **list = &s->free[room / SLAB_STEP];
  struct slab_free *block = *list;
  if (!block) return fresh(s, room);
  *list = block->next;
  return block;
}

void slab_free(struct slab *s, void *block, size_t size) {
  if (!block) return;
  if (size > SLAB_SMALL_LIMIT) {
    large_free(block);
    return;
  }
  struct slab_free **list = &s->free[slab_room(size ? size : 1) / SLAB_STEP];
  struct slab_free *f = block;
  f->next = *list;
  *list = f;
}
