/*
 * Reading the memory store: keys and index ranges, copied into the caller's arena under the shared
 * lock.
 */
#include "store/memory_impl.h"

static const void *row_read(const struct memory_row *row, struct arena *arena) {
  struct record_head *head = pack_read(row->kind, row->data, arena);
  head->store_row = row->number;
  return head;
}

const void *memory_get(struct memory_data *d, const struct store_get *get, struct arena *arena) {
  if (get->kind == RECORD_KIND_event)
    return memory_log_get(d, ((const struct event *)get->key)->event_id, arena);
  const struct memory_row *row = memory_row_locate(d, get->kind, get->key);
  return row ? row_read(row, arena) : NULL;
}

void memory_scan_push(struct store_scan *s, const void *record, uint32_t *capacity,
                      struct arena *arena) {
  if (s->count == *capacity) { /* a limit may be far above what there is */
    uint32_t larger = *capacity ? 2 * *capacity : s->limit < 32 ? s->limit : 32;
    const void **grown = arena_alloc(arena, larger * sizeof *grown);
    if (s->count) memcpy(grown, s->records, s->count * sizeof *grown);
    s->records = grown;
    *capacity = larger;
  }
  s->records[s->count++] = record;
}

static bool has_prefix(const struct btree_item *item, const struct memory_key *prefix) {
  return item->len >= prefix->len && memcmp(item->key, prefix->ptr, prefix->len) == 0;
}

static void scan_tree(const struct btree *tree, struct store_scan *s, struct arena *arena) {
  const struct index_info *info = &index_infos[s->index];
  struct memory_key prefix, start;
  struct btree_cursor cursor;
  memory_key_index(&prefix, s->index, s->from, info->prefix_count);
  if (s->after) {
    memory_key_index(&start, s->index, s->from, info->part_count);
    btree_seek(tree, start.ptr, start.len, true, &cursor);
    memory_key_fini(&start);
  } else {
    btree_seek(tree, prefix.ptr, prefix.len, false, &cursor);
  }
  uint32_t capacity = 0;
  const struct btree_item *item = btree_next(&cursor);
  for (; item && has_prefix(item, &prefix) && s->count < s->limit; item = btree_next(&cursor))
    memory_scan_push(s, row_read(item->value, arena), &capacity, arena);
  s->complete = !item || !has_prefix(item, &prefix);
  memory_key_fini(&prefix);
}

void memory_scan(struct memory_data *d, struct store_scan *s, struct arena *arena) {
  const struct index_info *info = &index_infos[s->index];
  s->records = NULL;
  s->count = 0;
  if (info->kind == RECORD_KIND_event)
    memory_log_scan(d, s, arena);
  else if (info->when == INDEX_PRIMARY)
    scan_tree(&d->primaries[info->kind], s, arena);
  else
    scan_tree(&d->indexes[s->index], s, arena);
}
