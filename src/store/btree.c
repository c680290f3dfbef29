/*
 * The B+tree of the memory store.
 *
 * A node keeps the bytes all its keys share once and, per key, the next eight bytes as a number: a
 * search touches a key's own memory only where those are equal. Inner nodes hold shortened copies
 * of keys as separators; child 0 has none. Nodes that run low join a neighbour, so that queues
 * which are filled at one end and emptied at the other leave nothing behind.
 */
#include "store/btree.h"

#define CAPACITY 64u
#define LOW (CAPACITY / 4)
#define JOIN_MAX (CAPACITY / 2)
#define PREFIX_MAX 40u
#define DEPTH_MAX 24u

struct btree_node {
  uint16_t count;
  uint16_t skip;  /* how many leading bytes all keys share (as far as kept) */
  uint16_t first; /* 0 in a leaf; 1 in an inner node, whose item 0 is NULL = below everything */
  struct btree_node *next; /* the leaf to the right */
  struct btree_node *previous;
  uint8_t prefix[PREFIX_MAX];
  uint64_t heads[CAPACITY]; /* the eight bytes behind the prefix, big-endian, padded with 0 */
  struct btree_item *items[CAPACITY];
};
struct inner {
  struct btree_node node;
  struct btree_node *children[CAPACITY];
};
struct path {
  struct btree_node *node[DEPTH_MAX];
  uint32_t position[DEPTH_MAX];
  uint32_t depth; /* of the leaf */
};

static inline struct inner *inner_of(struct btree_node *n) { return (struct inner *)n; }
static inline const struct inner *inner_of_const(const struct btree_node *n) {
  return (const struct inner *)n;
}

/* ---- keys ---- */

static inline uint64_t load_be(const uint8_t *p) {
  uint64_t value;
  memcpy(&value, p, 8);
  return __builtin_bswap64(value);
}

static inline uint64_t key_head(const uint8_t *key, size_t len, size_t skip) {
  if (len >= skip + 8) return load_be(key + skip);
  uint64_t head = 0;
  for (size_t i = skip; i < len; i++) head |= (uint64_t)key[i] << (56 - 8 * (i - skip));
  return head;
}

static int key_compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len) {
  int c = memcmp(a, b, a_len < b_len ? a_len : b_len);
  return c ? c : (a_len > b_len) - (a_len < b_len);
}

/* memcmp, inline: most prefixes are a few bytes. */
static inline int prefix_compare(const uint8_t *a, const uint8_t *b, size_t len) {
  size_t i = 0;
  for (; i + 8 <= len; i += 8) {
    uint64_t x = load_be(a + i), y = load_be(b + i);
    if (x != y) return x < y ? -1 : 1;
  }
  if (len >= 8) {
    uint64_t x = load_be(a + len - 8), y = load_be(b + len - 8);
    return (x > y) - (x < y);
  }
  for (; i < len; i++)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

static size_t key_common(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len) {
  size_t max = a_len < b_len ? a_len : b_len, i = 0;
  while (i < max && a[i] == b[i]) i++;
  return i;
}

static inline size_t item_size(size_t len) {
  size_t size = offsetof(struct btree_item, key) + len;
  return size > sizeof(struct btree_item) ? size : sizeof(struct btree_item);
}

static struct btree_item *item_new(struct slab *slab, const uint8_t *key, size_t len) {
  struct btree_item *item = slab_alloc(slab, item_size(len));
  item->value = NULL;
  item->len = (uint32_t)len;
  if (len) memcpy(item->key, key, len);
  return item;
}

static void item_free(struct slab *slab, struct btree_item *item) {
  if (item) slab_free(slab, item, item_size(item->len));
}

/* ---- one node ---- */

static struct btree_node *node_new(struct btree *t, bool leaf) {
  struct btree_node *n =
      slab_alloc(t->slab, leaf ? sizeof(struct btree_node) : sizeof(struct inner));
  n->count = 0;
  n->skip = 0;
  n->first = leaf ? 0 : 1;
  n->next = n->previous = NULL;
  return n;
}

static void node_free(struct btree *t, struct btree_node *n) {
  if (t->put_leaf == n) t->put_leaf = NULL;
  if (t->remove_leaf == n) t->remove_leaf = NULL;
  slab_free(t->slab, n, n->first ? sizeof(struct inner) : sizeof(struct btree_node));
}

static void node_set_skip(struct btree_node *n, size_t skip, const uint8_t *key) {
  n->skip = (uint16_t)skip;
  memcpy(n->prefix, key, skip);
  for (uint32_t i = n->first; i < n->count; i++)
    n->heads[i] = key_head(n->items[i]->key, n->items[i]->len, skip);
}

/* After a split or a join: shares as much as the first and the last key do. */
static void node_reskip(struct btree_node *n) {
  if (n->count <= n->first) return;
  const struct btree_item *a = n->items[n->first], *b = n->items[n->count - 1];
  size_t common = key_common(a->key, a->len, b->key, b->len);
  node_set_skip(n, common < PREFIX_MAX ? common : PREFIX_MAX, a->key);
}

/* Where heads not below `head` start. No branch depends on the data: these would be guessed wrong
 * half the time. */
static inline uint32_t heads_lower(const struct btree_node *n, uint64_t head) {
  const uint64_t *base = &n->heads[n->first];
  for (uint32_t left = n->count - n->first; left > 1;) {
    uint32_t half = left / 2;
    base += half & -(uint32_t)(base[half - 1] < head);
    left -= half;
  }
  return (uint32_t)(base - n->heads) + (*base < head);
}

/* Where the key is or would be. */
static uint32_t node_lower(const struct btree_node *n, const uint8_t *key, size_t len,
                           bool *equal) {
  *equal = false;
  uint32_t low = n->first, high = n->count;
  if (low >= high) return low;
  size_t shared = len < n->skip ? len : n->skip;
  int c = prefix_compare(key, n->prefix, shared);
  if (c < 0 || (c == 0 && len < n->skip)) return low;
  if (c > 0) return high;
  uint64_t head = key_head(key, len, n->skip);
  low = heads_lower(n, head);
  high = low;
  while (high < n->count && n->heads[high] == head) high++;
  while (low < high) {
    uint32_t mid = (low + high) / 2;
    c = key_compare(n->items[mid]->key, n->items[mid]->len, key, len);
    if (c == 0) *equal = true;
    if (c < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

/* item may be NULL in an inner node's place 0 only. */
static void node_insert(struct btree_node *n, uint32_t at, struct btree_item *item,
                        struct btree_node *child) {
  if (item && n->count <= n->first) {
    node_set_skip(n, item->len < PREFIX_MAX ? item->len : PREFIX_MAX, item->key);
  } else if (item) {
    size_t common = key_common(item->key, item->len, n->prefix, n->skip);
    if (common < n->skip) node_set_skip(n, common, item->key);
  }
  uint32_t behind = n->count - at;
  memmove(&n->heads[at + 1], &n->heads[at], behind * sizeof n->heads[0]);
  memmove(&n->items[at + 1], &n->items[at], behind * sizeof n->items[0]);
  n->heads[at] = item ? key_head(item->key, item->len, n->skip) : 0;
  n->items[at] = item;
  if (child) {
    struct btree_node **children = inner_of(n)->children;
    memmove(&children[at + 1], &children[at], behind * sizeof children[0]);
    children[at] = child;
  }
  n->count++;
}

/* Frees nothing. */
static void node_cut(struct btree_node *n, uint32_t at) {
  uint32_t behind = n->count - at - 1;
  memmove(&n->heads[at], &n->heads[at + 1], behind * sizeof n->heads[0]);
  memmove(&n->items[at], &n->items[at + 1], behind * sizeof n->items[0]);
  if (n->first) {
    struct btree_node **children = inner_of(n)->children;
    memmove(&children[at], &children[at + 1], behind * sizeof children[0]);
  }
  n->count--;
}

/* Moves what is at and behind `from` to the end of `to`. */
static void node_move(struct btree_node *n, uint32_t from, struct btree_node *to) {
  uint32_t moved = n->count - from;
  memcpy(&to->items[to->count], &n->items[from], moved * sizeof n->items[0]);
  if (n->first)
    memcpy(&inner_of(to)->children[to->count], &inner_of(n)->children[from],
           moved * sizeof(void *));
  to->count = (uint16_t)(to->count + moved);
  n->count = (uint16_t)from;
}

/* ---- finding ---- */

void btree_init(struct btree *t, struct slab *slab) {
  t->slab = slab;
  t->count = 0;
  t->put_leaf = t->remove_leaf = NULL;
  t->root = node_new(t, true);
}

static uint32_t child_position(const struct btree_node *n, const uint8_t *key, size_t len) {
  bool equal;
  uint32_t at = node_lower(n, key, len, &equal);
  return equal ? at : at - 1;
}

static struct btree_node *descend(const struct btree *t, const uint8_t *key, size_t len) {
  struct btree_node *n = t->root;
  while (n->first) n = inner_of(n)->children[child_position(n, key, len)];
  return n;
}

static bool descend_path(const struct btree *t, const uint8_t *key, size_t len, struct path *p) {
  struct btree_node *n = t->root;
  p->depth = 0;
  while (n->first) {
    uint32_t at = child_position(n, key, len);
    p->node[p->depth] = n;
    p->position[p->depth++] = at;
    INVARIANT(p->depth < DEPTH_MAX);
    n = inner_of(n)->children[at];
  }
  bool equal;
  p->node[p->depth] = n;
  p->position[p->depth] = node_lower(n, key, len, &equal);
  return equal;
}

struct btree_item *btree_find(const struct btree *t, const uint8_t *key, size_t len) {
  const struct btree_node *n = descend(t, key, len);
  bool equal;
  uint32_t at = node_lower(n, key, len, &equal);
  return equal ? n->items[at] : NULL;
}

void btree_seek(const struct btree *t, const uint8_t *key, size_t len, bool after,
                struct btree_cursor *c) {
  bool equal;
  c->node = descend(t, key, len);
  c->position = node_lower(c->node, key, len, &equal);
  if (equal && after) c->position++;
}

struct btree_item *btree_next(struct btree_cursor *c) {
  if (!c->node) return NULL;
  if (c->position >= c->node->count) {
    c->node = c->node->next;
    c->position = 0;
    if (!c->node || c->node->count == 0) return NULL;
  }
  return c->node->items[c->position++];
}

/* ---- inserting ---- */

/* The shortest key that lies above `left` and not above `right`. */
static struct btree_item *separator_new(struct btree *t, const struct btree_item *left,
                                        const struct btree_item *right) {
  size_t common = key_common(left->key, left->len, right->key, right->len);
  return item_new(t->slab, right->key, common < right->len ? common + 1 : right->len);
}

/* Splits a full leaf for an insert at `at`; a leaf that only ever grows at its end stays full. */
static struct btree_node *leaf_split(struct btree *t, struct btree_node *n, uint32_t at) {
  struct btree_node *right = node_new(t, true);
  node_move(n, !n->next && at == n->count ? n->count : n->count / 2, right);
  right->next = n->next;
  right->previous = n;
  if (n->next) n->next->previous = right;
  n->next = right;
  node_reskip(n);
  node_reskip(right);
  return right;
}

/* Splits a full inner node; the separator in the middle moves up. */
static struct btree_node *inner_split(struct btree *t, struct btree_node *n, uint32_t at,
                                      struct btree_item **up) {
  struct btree_node *right = node_new(t, false);
  node_move(n, at == n->count ? n->count - 1u : n->count / 2u, right);
  *up = right->items[0];
  right->items[0] = NULL;
  node_reskip(n);
  node_reskip(right);
  return right;
}

static void root_grow(struct btree *t, struct btree_item *separator, struct btree_node *right) {
  struct btree_node *root = node_new(t, false);
  node_insert(root, 0, NULL, t->root);
  node_insert(root, 1, separator, right);
  t->root = root;
}

/* Enters `right` with its separator behind the node the path went through at `depth`. */
static void enter(struct btree *t, struct path *p, uint32_t depth, struct btree_item *separator,
                  struct btree_node *right) {
  while (depth > 0) {
    struct btree_node *n = p->node[--depth];
    uint32_t at = p->position[depth] + 1;
    if (n->count < CAPACITY) {
      node_insert(n, at, separator, right);
      return;
    }
    struct btree_item *up;
    struct btree_node *other = inner_split(t, n, at, &up);
    /* Both halves keep at least one child; a place equal to n's new count belongs behind n's last
     * child. */
    if (at <= n->count)
      node_insert(n, at, separator, right);
    else
      node_insert(other, at - n->count, separator, right);
    separator = up;
    right = other;
  }
  root_grow(t, separator, right);
}

/* The leaf of the last put again, when the key surely belongs there and it has room: changes come
 * in runs. */
static struct btree_item *put_again(struct btree *t, const uint8_t *key, size_t len,
                                    bool *created) {
  struct btree_node *leaf = t->put_leaf;
  if (!leaf || leaf->count == CAPACITY) return NULL;
  bool equal;
  uint32_t at = node_lower(leaf, key, len, &equal);
  *created = !equal;
  if (equal) return leaf->items[at];
  if (at == 0 || (at == leaf->count && leaf->next)) return NULL;
  struct btree_item *item = item_new(t->slab, key, len);
  t->count++;
  node_insert(leaf, at, item, NULL);
  return item;
}

struct btree_item *btree_put(struct btree *t, const uint8_t *key, size_t len, bool *created) {
  struct btree_item *again = put_again(t, key, len, created);
  if (again) return again;
  struct path p;
  *created = !descend_path(t, key, len, &p);
  struct btree_node *leaf = p.node[p.depth];
  uint32_t at = p.position[p.depth];
  t->put_leaf = leaf;
  if (!*created) return leaf->items[at];
  struct btree_item *item = item_new(t->slab, key, len);
  t->count++;
  if (leaf->count < CAPACITY) {
    node_insert(leaf, at, item, NULL);
    return item;
  }
  struct btree_node *right = leaf_split(t, leaf, at);
  if (at < leaf->count || (at == leaf->count && right->count > 0))
    node_insert(leaf, at, item, NULL);
  else
    node_insert(t->put_leaf = right, at - leaf->count, item, NULL);
  enter(t, &p, p.depth, separator_new(t, leaf->items[leaf->count - 1], right->items[0]), right);
  return item;
}

/* ---- removing ---- */

static void leaf_unlink(struct btree_node *n) {
  if (n->previous) n->previous->next = n->next;
  if (n->next) n->next->previous = n->previous;
}

/* Takes child `at` out of an inner node, with its separator. */
static void child_cut(struct btree *t, struct btree_node *n, uint32_t at) {
  item_free(t->slab, n->items[at]);
  node_cut(n, at);
  if (at == 0 && n->count > 0) { /* the new child 0 needs no separator */
    item_free(t->slab, n->items[0]);
    n->items[0] = NULL;
  }
}

/* Joins child at + 1 of an inner node into child `at`, when both fit. */
static bool children_join(struct btree *t, struct btree_node *parent, uint32_t at) {
  struct btree_node *left = inner_of(parent)->children[at],
                    *right = inner_of(parent)->children[at + 1];
  if (left->count + right->count > JOIN_MAX) return false;
  if (right->first) { /* the separator comes down */
    right->items[0] = parent->items[at + 1];
    parent->items[at + 1] = NULL;
  } else {
    leaf_unlink(right);
  }
  node_move(right, 0, left);
  node_reskip(left);
  child_cut(t, parent, at + 1);
  node_free(t, right);
  return true;
}

static void root_shrink(struct btree *t) {
  while (t->root->first && t->root->count <= 1) {
    struct btree_node *old = t->root;
    t->root = old->count ? inner_of(old)->children[0] : node_new(t, true);
    node_free(t, old);
  }
}

/* Restores the fill of the nodes on the path from the leaf up. */
static void refill(struct btree *t, struct path *p) {
  for (uint32_t depth = p->depth; depth > 0; depth--) {
    struct btree_node *n = p->node[depth], *parent = p->node[depth - 1];
    uint32_t at = p->position[depth - 1];
    if (n->count >= LOW) return;
    if (n->count == 0) {
      if (!n->first) leaf_unlink(n);
      child_cut(t, parent, at);
      node_free(t, n);
    } else if (!(at + 1 < parent->count && children_join(t, parent, at)) &&
               !(at > 0 && children_join(t, parent, at - 1))) {
      return;
    }
  }
  root_shrink(t);
}

/* The same for removing, when the leaf needs no refill afterwards. */
static bool remove_again(struct btree *t, struct btree_item *item) {
  struct btree_node *leaf = t->remove_leaf;
  if (!leaf || leaf->count <= LOW) return false;
  bool equal;
  uint32_t at = node_lower(leaf, item->key, item->len, &equal);
  if (!equal) return false;
  INVARIANT(leaf->items[at] == item);
  node_cut(leaf, at);
  item_free(t->slab, item);
  t->count--;
  return true;
}

void btree_remove(struct btree *t, struct btree_item *item) {
  if (remove_again(t, item)) return;
  struct path p;
  bool found = descend_path(t, item->key, item->len, &p);
  struct btree_node *leaf = p.node[p.depth];
  INVARIANT(found && leaf->items[p.position[p.depth]] == item);
  node_cut(leaf, p.position[p.depth]);
  item_free(t->slab, item);
  t->count--;
  t->remove_leaf = leaf;
  if (leaf->count < LOW) refill(t, &p);
}

/* ---- checking ---- */

static void node_check(const struct btree_node *n) {
  INVARIANT(n->count <= CAPACITY && n->skip <= PREFIX_MAX);
  for (uint32_t i = n->first; i < n->count; i++) {
    const struct btree_item *item = n->items[i];
    INVARIANT(item->len >= n->skip && memcmp(item->key, n->prefix, n->skip) == 0);
    INVARIANT(n->heads[i] == key_head(item->key, item->len, n->skip));
    if (i > n->first)
      INVARIANT(key_compare(n->items[i - 1]->key, n->items[i - 1]->len, item->key, item->len) < 0);
  }
}

static void subtree_check(const struct btree_node *n, const struct btree_item *low,
                          const struct btree_item *high, uint32_t depth) {
  INVARIANT(depth < DEPTH_MAX);
  node_check(n);
  if (!n->first) {
    if (n->count == 0) return;
    const struct btree_item *a = n->items[0], *b = n->items[n->count - 1];
    INVARIANT(!low || key_compare(low->key, low->len, a->key, a->len) <= 0);
    INVARIANT(!high || key_compare(b->key, b->len, high->key, high->len) < 0);
    return;
  }
  INVARIANT(n->count > 0 && n->items[0] == NULL);
  for (uint32_t i = 0; i < n->count; i++)
    subtree_check(inner_of_const(n)->children[i], i ? n->items[i] : low,
                  i + 1 < n->count ? n->items[i + 1] : high, depth + 1);
}

void btree_check(const struct btree *t) {
  subtree_check(t->root, NULL, NULL, 0);
  const struct btree_node *n = t->root;
  while (n->first) n = inner_of_const(n)->children[0];
  INVARIANT(n->previous == NULL);
  uint64_t count = 0;
  for (; n; n = n->next) {
    INVARIANT(n->count > 0 || n == t->root);
    INVARIANT(!n->next || n->next->previous == n);
    count += n->count;
  }
  INVARIANT(count == t->count);
}
