/*
 * The B+tree of the memory store against a sorted array: random inserts, removals, finds and scans,
 * then the patterns a store makes (ascending, a queue, long shared prefixes, one key a prefix of
 * another).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/btree.h"

#define KEY_MAX 64
#define KEYS_MAX 4096

struct key {
  size_t len;
  uint8_t bytes[KEY_MAX];
};
struct oracle {
  struct key keys[KEYS_MAX];
  size_t count;
};
struct world {
  struct slab slab;
  struct btree tree;
  struct oracle oracle;
  uint64_t seed;
};

static uint64_t draw(struct world *w, uint64_t below) {
  return (w->seed = hash_mix64(w->seed)) % below;
}

static int compare(const struct key *a, const struct key *b) {
  int c = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);
  return c ? c : (a->len > b->len) - (a->len < b->len);
}

static size_t oracle_lower(const struct oracle *o, const struct key *k) {
  size_t low = 0, high = o->count;
  while (low < high) {
    size_t mid = (low + high) / 2;
    if (compare(&o->keys[mid], k) < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

static bool oracle_has(const struct oracle *o, const struct key *k, size_t *at) {
  *at = oracle_lower(o, k);
  return *at < o->count && compare(&o->keys[*at], k) == 0;
}

static void *value_of(const struct key *k) {
  return (void *)(uintptr_t)(hash_fnv1a64(k->bytes, k->len) | 1);
}

static void put(struct world *w, const struct key *k) {
  size_t at;
  bool created, had = oracle_has(&w->oracle, k, &at);
  struct btree_item *item = btree_put(&w->tree, k->bytes, k->len, &created);
  assert_int_equal(created, !had);
  if (had) {
    assert_ptr_equal(item->value, value_of(k));
    return;
  }
  assert_null(item->value);
  item->value = value_of(k);
  memmove(&w->oracle.keys[at + 1], &w->oracle.keys[at], (w->oracle.count++ - at) * sizeof *k);
  w->oracle.keys[at] = *k;
}

static void cut(struct world *w, const struct key *k) {
  size_t at;
  bool had = oracle_has(&w->oracle, k, &at);
  struct btree_item *item = btree_find(&w->tree, k->bytes, k->len);
  assert_int_equal(item != NULL, had);
  if (!had) return;
  assert_ptr_equal(item->value, value_of(k));
  btree_remove(&w->tree, item);
  memmove(&w->oracle.keys[at], &w->oracle.keys[at + 1], (--w->oracle.count - at) * sizeof *k);
}

static void scan(struct world *w, const struct key *from, bool after, size_t limit) {
  size_t at = oracle_lower(&w->oracle, from);
  if (after && at < w->oracle.count && compare(&w->oracle.keys[at], from) == 0) at++;
  struct btree_cursor c;
  btree_seek(&w->tree, from->bytes, from->len, after, &c);
  for (size_t i = 0; i < limit; i++, at++) {
    const struct btree_item *item = btree_next(&c);
    if (at >= w->oracle.count) {
      assert_null(item);
      return;
    }
    assert_non_null(item);
    assert_int_equal(item->len, w->oracle.keys[at].len);
    assert_memory_equal(item->key, w->oracle.keys[at].bytes, item->len);
  }
}

static void check_all(struct world *w) {
  struct key lowest = {0};
  btree_check(&w->tree);
  assert_int_equal(w->tree.count, w->oracle.count);
  scan(w, &lowest, false, w->oracle.count + 1);
}

static struct world *world_new(uint64_t seed) {
  struct world *w = heap_zalloc(sizeof *w);
  slab_init(&w->slab);
  btree_init(&w->tree, &w->slab);
  w->seed = seed;
  return w;
}

static void world_free(struct world *w) {
  slab_fini(&w->slab);
  free(w);
}

/* ---- random operations over key sets of several shapes ---- */

/* shape 0: short keys over few letters, many prefixes of each other; 1: a long shared head and 0
 * bytes; 2: random bytes. */
static struct key draw_key(struct world *w, unsigned shape) {
  struct key k = {0};
  if (shape == 1) {
    k.len = 44 + draw(w, 8);
    memset(k.bytes, 'p', 44);
    for (size_t i = 44; i < k.len; i++) k.bytes[i] = (uint8_t)draw(w, 3);
    return k;
  }
  k.len = draw(w, shape == 0 ? 7 : 24);
  for (size_t i = 0; i < k.len; i++) k.bytes[i] = (uint8_t)(shape == 0 ? draw(w, 4) : draw(w, 256));
  return k;
}

static void random_round(uint64_t seed, unsigned shape, unsigned steps) {
  struct world *w = world_new(seed);
  unsigned grow = 60;
  for (unsigned i = 0; i < steps; i++) {
    if (i % 1500 == 0)
      grow = 25 + (unsigned)draw(w, 55); /* the tree grows for a while, then shrinks */
    struct key k = draw_key(w, shape);
    uint64_t what = draw(w, 100);
    if (what < grow && w->oracle.count + 1 < KEYS_MAX)
      put(w, &k);
    else if (what < 90) { /* something that is there, mostly */
      if (w->oracle.count && draw(w, 4)) k = w->oracle.keys[draw(w, w->oracle.count)];
      cut(w, &k);
    } else
      scan(w, &k, draw(w, 2), 1 + draw(w, 100));
    if (i % 512 == 0) check_all(w);
  }
  check_all(w);
  world_free(w);
}

static void random_operations_match_a_sorted_array(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 4; seed++)
    for (unsigned shape = 0; shape < 3; shape++) random_round(seed * 1000 + shape, shape, 8000);
}

/* ---- the patterns a store makes ---- */

static struct key number_key(uint64_t n, uint8_t tail) {
  struct key k = {.len = 9};
  for (unsigned i = 0; i < 8; i++) k.bytes[i] = (uint8_t)(n >> (56 - 8 * i));
  k.bytes[8] = tail;
  return k;
}

static void a_queue_leaves_nothing_behind(void **state) {
  (void)state;
  struct world *w = world_new(7);
  uint64_t in = 0, out = 0;
  for (unsigned round = 0; round < 300; round++) {
    for (unsigned i = 0; i < 100; i++) {
      struct key k = number_key(in / 3, (uint8_t)(in % 3));
      put(w, &k);
      in++;
    }
    for (unsigned i = 0; i < (round % 3 ? 100 : 90); i++) {
      struct key k = number_key(out / 3, (uint8_t)(out % 3));
      cut(w, &k);
      out++;
    }
  }
  check_all(w);
  while (w->oracle.count) {
    struct key k = w->oracle.keys[0];
    cut(w, &k);
  }
  check_all(w);
  world_free(w);
}

static void removing_from_the_end_and_the_middle(void **state) {
  (void)state;
  struct world *w = world_new(9);
  for (uint64_t n = 0; n < 4000; n++) {
    struct key k = number_key(n * 7919 % 4000, 0);
    put(w, &k);
  }
  check_all(w);
  for (unsigned i = 0; i < 1500; i++) {
    struct key k = w->oracle.keys[w->oracle.count - 1];
    cut(w, &k);
  }
  for (unsigned i = 0; i < 2400; i++) {
    struct key k = w->oracle.keys[w->oracle.count / 2];
    cut(w, &k);
  }
  check_all(w);
  world_free(w);
}

/* A run of puts, all of it removed again, and a put where it was: the shortcut to the last leaf
 * must notice. */
static void runs_that_come_and_go(void **state) {
  (void)state;
  struct world *w = world_new(11);
  for (unsigned round = 0; round < 60; round++) {
    uint64_t base = draw(w, 1000) * 1000;
    unsigned length = 1 + (unsigned)draw(w, 300);
    bool backwards = draw(w, 2);
    for (unsigned i = 0; i < length; i++) {
      struct key k = number_key(base + i, 1);
      put(w, &k);
    }
    for (unsigned i = 0; i < length; i++) {
      struct key k = number_key(base + (backwards ? length - 1 - i : i), 1);
      cut(w, &k);
    }
    struct key again = number_key(base + draw(w, length), 2);
    put(w, &again);
    btree_check(&w->tree);
  }
  check_all(w);
  world_free(w);
}

static void an_empty_tree_answers(void **state) {
  (void)state;
  struct world *w = world_new(1);
  struct key empty = {0}, some = number_key(5, 5);
  scan(w, &empty, false, 1);
  scan(w, &some, true, 1);
  assert_null(btree_find(&w->tree, some.bytes, some.len));
  put(w, &empty); /* the empty key is a key */
  put(w, &some);
  scan(w, &empty, true, 3);
  check_all(w);
  world_free(w);
}

static void keys_of_any_length(void **state) {
  (void)state;
  struct slab slab;
  struct btree tree;
  bool created;
  slab_init(&slab);
  btree_init(&tree, &slab);
  uint8_t *key = heap_alloc(100000);
  memset(key, 'k', 100000);
  for (size_t len = 1; len < 100000; len = len * 3 / 2 + 1)
    (void)btree_put(&tree, key, len, &created);
  btree_check(&tree);
  assert_non_null(btree_find(&tree, key, 1));
  assert_null(btree_find(&tree, key, 99999));
  for (size_t len = 1; len < 100000; len = len * 3 / 2 + 1)
    btree_remove(&tree, btree_find(&tree, key, len));
  assert_int_equal(tree.count, 0);
  free(key);
  slab_fini(&slab);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_operations_match_a_sorted_array),
      cmocka_unit_test(a_queue_leaves_nothing_behind),
      cmocka_unit_test(removing_from_the_end_and_the_middle),
      cmocka_unit_test(runs_that_come_and_go),
      cmocka_unit_test(an_empty_tree_answers),
      cmocka_unit_test(keys_of_any_length),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
