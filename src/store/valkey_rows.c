/*
 * What a writer session knows of rows: as they were loaded, and what the group under way makes of
 * them. A hash table in an arena that begins anew with every transaction.
 */
#include "store/valkey_impl.h"

#define BUCKETS_FIRST 256u

static uint64_t hash_of(struct ff_str key) {
  uint64_t h = hash_mix64(key.len);
  size_t i = 0;
  for (uint64_t word; i + 8 <= key.len; i += 8) {
    memcpy(&word, key.ptr + i, 8);
    h = hash_mix64(h ^ word);
  }
  uint64_t rest = 0;
  if (i < key.len) memcpy(&rest, key.ptr + i, key.len - i);
  return hash_mix64(h ^ rest);
}

void valkey_rows_init(struct valkey_rows *r) {
  *r = (struct valkey_rows){0};
  arena_init(&r->arena);
}

void valkey_rows_fini(struct valkey_rows *r) { arena_fini(&r->arena); }

void valkey_rows_reset(struct valkey_rows *r) {
  arena_reset(&r->arena);
  r->buckets = NULL;
  r->bucket_count = r->count = 0;
}

static void grow(struct valkey_rows *r) {
  uint32_t count = r->bucket_count ? 4 * r->bucket_count : BUCKETS_FIRST;
  struct valkey_row **buckets = ARENA_ARRAY(&r->arena, struct valkey_row *, count);
  for (uint32_t i = 0; i < r->bucket_count; i++)
    for (struct valkey_row *row = r->buckets[i], *next; row; row = next) {
      next = row->next;
      row->next = buckets[row->hash & (count - 1)];
      buckets[row->hash & (count - 1)] = row;
    }
  r->buckets = buckets;
  r->bucket_count = count;
}

struct valkey_row *valkey_rows_at(struct valkey_rows *r, enum record_kind kind,
                                  struct ff_str key) {
  uint64_t hash = hash_of(key);
  if (r->count >= r->bucket_count) grow(r);
  struct valkey_row **bucket = &r->buckets[hash & (r->bucket_count - 1)];
  for (struct valkey_row *row = *bucket; row; row = row->next)
    if (row->hash == hash && text_equal(row->key, key)) return row;
  struct valkey_row *row = ARENA_NEW(&r->arena, struct valkey_row);
  row->hash = hash;
  row->kind = kind;
  row->key = arena_text(&r->arena, key);
  row->next = *bucket;
  *bucket = row;
  r->count++;
  return row;
}
