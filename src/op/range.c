/*
 * Index ranges of a batch: what the store gave, merged with what the batch changed, in declared
 * order.
 *
 * Predicate and comparator come from the one index declaration (record/key.c). A range never
 * forgets: entries of records that left it stay as dead entries (their record is no longer the
 * slot's current) and are passed over.
 */
#include "op/overlay_impl.h"

static int key_compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len) {
  int c = memcmp(a, b, a_len < b_len ? a_len : b_len);
  return c ? c : (a_len > b_len) - (a_len < b_len);
}

struct range *range_find(struct overlay *o, enum index_id index, const void *from, bool after) {
  const struct index_info *info = &index_infos[index];
  unsigned parts = after ? info->part_count : info->prefix_count;
  size_t len = index_key_size(index, from, parts);
  uint8_t *start = arena_alloc(o->arena, len + 1);
  index_key_encode(index, from, parts, start);
  uint64_t hash = hash_fnv1a64(start, len) ^ ((uint64_t)index << 1) ^ after;
  for (uint32_t i = 0; i < o->ranges.count; i++) {
    struct range *r = o->ranges.items[i];
    if (r->hash == hash && r->index == index && r->after == after && r->start_len == len &&
        memcmp(r->start, start, len) == 0)
      return r;
  }
  struct range *r = ARENA_NEW(o->arena, struct range);
  r->index = index;
  r->hash = hash;
  r->start = start;
  r->start_len = (uint32_t)len;
  r->after = after;
  r->from = record_clone(info->kind, from, o->arena);
  VEC_PUSH(o->arena, o->ranges, r);
  return r;
}

/* The first entry whose key is not below `key`. */
static uint32_t lower_bound(const struct range *r, const uint8_t *key, size_t len) {
  uint32_t low = 0, high = r->count;
  if (high && key_compare(r->entries[high - 1].key, r->entries[high - 1].key_len, key, len) < 0)
    return high;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    if (key_compare(r->entries[mid].key, r->entries[mid].key_len, key, len) < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

static void entry_insert(struct overlay *o, struct range *r, const uint8_t *key, size_t len,
                         struct slot *slot) {
  uint32_t i = lower_bound(r, key, len);
  if (i < r->first_live) r->first_live = i;
  if (i < r->count && r->entries[i].slot == slot &&
      key_compare(r->entries[i].key, r->entries[i].key_len, key, len) == 0) {
    r->entries[i].record = slot->current;
    return;
  }
  if (r->count == r->capacity) {
    r->capacity = r->capacity ? r->capacity * 2 : 16;
    struct range_entry *grown = arena_alloc(o->arena, r->capacity * sizeof *grown);
    if (r->count) memcpy(grown, r->entries, r->count * sizeof *grown);
    r->entries = grown;
  }
  memmove(&r->entries[i + 1], &r->entries[i], (r->count - i) * sizeof *r->entries);
  r->entries[i] = (struct range_entry){.key = arena_copy(o->arena, key, len),
                                       .key_len = (uint32_t)len,
                                       .slot = slot,
                                       .record = slot->current};
  r->count++;
}

/* Starts where the range starts: behind `start` when exclusive, within the prefix in any case. */
static bool key_in_range(const struct range *r, const uint8_t *key, size_t len) {
  if (!r->after) return len >= r->start_len && memcmp(key, r->start, r->start_len) == 0;
  size_t prefix = index_key_size(r->index, r->from, index_infos[r->index].prefix_count);
  return len >= prefix && memcmp(key, r->start, prefix) == 0 &&
         key_compare(key, len, r->start, r->start_len) > 0;
}

void range_consider(struct overlay *o, struct range *r, struct slot *slot) {
  if (!r->asked || !slot->current || !index_matches(r->index, slot->current)) return;
  unsigned parts = index_infos[r->index].part_count;
  uint8_t scratch[512];
  size_t len = index_key_size(r->index, slot->current, parts);
  uint8_t *key = len <= sizeof scratch ? scratch : arena_alloc(o->arena, len);
  index_key_encode(r->index, slot->current, parts, key);
  if (!key_in_range(r, key, len)) return;
  /* Behind the last loaded row the store may hold rows that come first. */
  if (!r->complete && (!r->last_key || key_compare(key, len, r->last_key, r->last_key_len) > 0))
    return;
  entry_insert(o, r, key, len, slot);
}

bool index_is_queue(enum index_id index) {
  return index == INDEX_execution_eligible || index == INDEX_execution_due ||
         index == INDEX_idempotency_expiry || index == INDEX_requirement_set_by_lane ||
         index == INDEX_worker_expiry || index == INDEX_execution_blocked_by_route ||
         index == INDEX_budget_due || index == INDEX_budget_dedup_expiry ||
         index == INDEX_budget_ledger_expiry || index == INDEX_execution_blocked;
}

static void row_unreadable(struct range *r, const struct ff_error *why) {
  if (!r->unreadable) r->unreadable = why;
}

static struct slot *slot_of_row(struct overlay *o, struct range *r, const void *record) {
  struct slot *s = overlay_slot(o, index_infos[r->index].kind, record);
  if (!s->loaded) overlay_slot_load(o, s, record, NULL);
  if (s->unreadable) row_unreadable(r, s->unreadable);
  return s;
}

void range_load(struct overlay *o, struct range *r, const struct overlay_scan *scan) {
  enum record_kind kind = index_infos[r->index].kind;
  const void *const *records = scan->records;
  uint32_t count = scan->count;
  r->asked = true;
  r->complete = scan->complete;
  r->loaded += count;
  for (uint32_t i = 0; i < scan->unreadable_count; i++) {
    overlay_note_unreadable(o, scan->unreadable[i]);
    row_unreadable(r, scan->unreadable[i]);
  }
  if (count) {
    unsigned parts = index_infos[r->index].part_count;
    r->last = records[count - 1];
    size_t len = index_key_size(r->index, r->last, parts);
    uint8_t *key = arena_alloc(o->arena, len);
    index_key_encode(r->index, r->last, parts, key);
    r->last_key = key;
    r->last_key_len = (uint32_t)len;
  }
  /* A row this batch has already changed is judged by its present state, wherever that puts it. */
  for (uint32_t i = 0; i < count; i++) range_consider(o, r, slot_of_row(o, r, records[i]));
  for (uint32_t i = 0; i < o->dirty.count; i++)
    if (o->dirty.items[i]->kind == kind) range_consider(o, r, o->dirty.items[i]);
}
