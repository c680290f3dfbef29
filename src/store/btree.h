/*
 * An ordered map from byte strings to pointers: a B+tree whose nodes compare eight bytes at a time.
 *
 * Order is memcmp order, shorter first. Not thread-safe. Items never move: a pointer to one stays
 * good until it is removed.
 */
#ifndef STORE_BTREE_H
#define STORE_BTREE_H

#include "store/slab.h"

struct btree_item {
  void *value;
  uint32_t len;
  uint8_t key[];
};

struct btree_node;
struct btree {
  struct slab *slab; /* of the items and nodes; slab_fini releases a tree */
  struct btree_node *root;
  struct btree_node *put_leaf,
      *remove_leaf; /* where the last change of each sort was; may be NULL */
  uint64_t count;
};

struct btree_cursor {
  const struct btree_node *node;
  uint32_t position;
};

void btree_init(struct btree *t, struct slab *slab);
/* The item of that key, NULL when there is none. */
struct btree_item *btree_find(const struct btree *t, const uint8_t *key, size_t len);
/* The same, made with value NULL when there is none. */
struct btree_item *btree_put(struct btree *t, const uint8_t *key, size_t len, bool *created);
void btree_remove(struct btree *t, struct btree_item *item);
/* Sets the cursor before the first item not below the key, or with `after` the first one above it.
 */
void btree_seek(const struct btree *t, const uint8_t *key, size_t len, bool after,
                struct btree_cursor *c);
/* The next item in order, NULL at the end. The tree must not change between seek and the last next.
 */
struct btree_item *btree_next(struct btree_cursor *c);
/* Stops the process when the tree is not in order or its nodes contradict each other (tests). */
void btree_check(const struct btree *t);

#endif
