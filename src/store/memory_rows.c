/*
 * Rows of the memory store: where they live, which indexes they are in, and groups of writes that
 * take effect whole or not at all.
 *
 * A group is first checked write by write (versions move at once, everything is undone on a
 * conflict), then carried out; nothing can fail in between. Runs under the exclusive lock.
 */
#include "store/memory_impl.h"

#include <stdlib.h>

/* ---- keys ---- */

static uint8_t *key_space(struct memory_key *k, size_t len) {
  k->len = len;
  k->ptr = len <= sizeof k->small ? k->small : heap_alloc(len);
  return k->ptr;
}

void memory_key_record(struct memory_key *k, enum record_kind kind, const void *record) {
  record_key_encode(kind, record, key_space(k, record_key_size(kind, record)));
}

void memory_key_index(struct memory_key *k, enum index_id index, const void *record,
                      unsigned parts) {
  index_key_encode(index, record, parts, key_space(k, index_key_size(index, record, parts)));
}

void memory_key_fini(struct memory_key *k) {
  if (k->ptr != k->small) free(k->ptr);
}

/* ---- layout ---- */

static bool can_change(const struct field *f) {
  return f && !(f->flags & (FIELD_KEY | FIELD_FIXED));
}

static void kind_add_index(struct memory_data *d, enum index_id index) {
  const struct index_info *info = &index_infos[index];
  if (info->kind == RECORD_KIND_event) return; /* memory_log.c */
  struct memory_kind *kind = &d->kinds[info->kind];
  if (info->when == INDEX_PRIMARY) { /* the scans below rely on this */
    INVARIANT(info->part_count == record_infos[info->kind].key_count);
    for (unsigned i = 0; i < info->part_count; i++)
      INVARIANT(info->parts[i].field == &record_infos[info->kind].fields[i] &&
                !info->parts[i].descending);
    return;
  }
  INVARIANT(kind->index_count < MEMORY_KIND_INDEXES_MAX);
  bool change = can_change(info->when_field);
  for (unsigned i = 0; i < info->part_count; i++)
    change = change || can_change(info->parts[i].field);
  kind->can_change[kind->index_count] = change;
  kind->indexes[kind->index_count++] = index;
  btree_init(&d->indexes[index], &d->slab);
}

void memory_rows_init(struct memory_data *d) {
  for (unsigned k = 0; k < RECORD_KIND_COUNT; k++)
    if (k != RECORD_KIND_event) btree_init(&d->primaries[k], &d->slab);
  for (unsigned i = 0; i < INDEX_COUNT; i++) kind_add_index(d, (enum index_id)i);
}

void memory_rows_fini(struct memory_data *d) {
  for (uint32_t i = 0; i < d->slot_chunks; i++) free(d->slots[i]);
  free(d->slots);
  free(d->free_numbers);
  free(d->stages);
}

/* ---- numbers: how store_row names a row ---- */

static struct memory_row **slot_of(const struct memory_data *d, uint32_t number) {
  return &d->slots[(number - 1) / MEMORY_SLOTS_PER_CHUNK][(number - 1) % MEMORY_SLOTS_PER_CHUNK];
}

static uint32_t number_take(struct memory_data *d) {
  if (d->free_count) return d->free_numbers[--d->free_count];
  INVARIANT(d->slot_count < UINT32_MAX);
  if (d->slot_count % MEMORY_SLOTS_PER_CHUNK == 0) {
    if ((d->slot_chunks & (d->slot_chunks - 1)) == 0)
      d->slots =
          heap_realloc(d->slots, (d->slot_chunks ? 2 * d->slot_chunks : 1) * sizeof *d->slots);
    d->slots[d->slot_chunks++] = heap_alloc(MEMORY_SLOTS_PER_CHUNK * sizeof **d->slots);
  }
  return ++d->slot_count;
}

static void number_give(struct memory_data *d, uint32_t number) {
  *slot_of(d, number) = NULL;
  if (d->free_count == d->free_capacity) {
    d->free_capacity = d->free_capacity ? 2 * d->free_capacity : 64;
    d->free_numbers = heap_realloc(d->free_numbers, d->free_capacity * sizeof *d->free_numbers);
  }
  d->free_numbers[d->free_count++] = number;
}

/* ---- rows ---- */

static size_t row_size(const struct memory_data *d, enum record_kind kind) {
  return sizeof(struct memory_row) + d->kinds[kind].index_count * sizeof(struct btree_item *);
}

static struct memory_row *row_new(struct memory_data *d, enum record_kind kind) {
  struct memory_row *row = slab_alloc(&d->slab, row_size(d, kind));
  memset(row, 0, row_size(d, kind));
  row->kind = kind;
  row->number = number_take(d);
  *slot_of(d, row->number) = row;
  return row;
}

static void row_free(struct memory_data *d, struct memory_row *row) {
  btree_remove(&d->primaries[row->kind], row->primary);
  number_give(d, row->number);
  slab_free(&d->slab, row, row_size(d, row->kind));
}

static void entry_move(struct memory_data *d, struct memory_row *row, uint32_t i,
                       const void *record) {
  enum index_id index = d->kinds[row->kind].indexes[i];
  struct btree *tree = &d->indexes[index];
  struct btree_item *entry = row->entries[i];
  if (!index_matches(index, record)) {
    if (entry) btree_remove(tree, entry);
    row->entries[i] = NULL;
    return;
  }
  struct memory_key key;
  memory_key_index(&key, index, record, index_infos[index].part_count);
  if (!entry || entry->len != key.len || memcmp(entry->key, key.ptr, key.len) != 0) {
    bool created;
    if (entry) btree_remove(tree, entry);
    row->entries[i] = btree_put(tree, key.ptr, key.len, &created);
    row->entries[i]->value = row;
    INVARIANT(created);
  }
  memory_key_fini(&key);
}

#ifdef FF_DEBUG_PURITY
/* SQL stores leave FIXED fields out of updates: a change of one would be kept here and lost there.
 */
static void check_fixed(const struct memory_row *row, const void *record) {
  struct arena arena;
  arena_init(&arena);
  uint8_t *merged = pack_read(row->kind, row->data, &arena);
  uint8_t *copy = arena_copy(&arena, merged, record_infos[row->kind].size);
  for (unsigned i = 0; i < record_infos[row->kind].field_count; i++) {
    const struct field *f = &record_infos[row->kind].fields[i];
    size_t end =
        i + 1 < record_infos[row->kind].field_count ? f[1].offset : record_infos[row->kind].size;
    if (f->flags & (FIELD_KEY | FIELD_FIXED))
      memcpy(copy + f->offset, (const uint8_t *)record + f->offset, end - f->offset);
  }
  INVARIANT(record_equal(row->kind, copy, merged));
  arena_fini(&arena);
}
#else
static void check_fixed(const struct memory_row *row, const void *record) {
  (void)row;
  (void)record;
}
#endif

static void row_store(struct memory_data *d, struct memory_row *row, const void *record) {
  const struct memory_kind *kind = &d->kinds[row->kind];
  if (row->data) check_fixed(row, record);
  for (uint32_t i = 0; i < kind->index_count; i++)
    if (!row->data || kind->can_change[i]) entry_move(d, row, i, record);
  struct pack_plan plan;
  pack_measure(row->kind, record, &plan);
  if (!row->data || slab_room(row->data->size) != slab_room(plan.size)) {
    if (row->data) slab_free(&d->slab, row->data, row->data->size);
    row->data = slab_alloc(&d->slab, plan.size);
  }
  pack_write(row->kind, record, &plan, row->data);
}

static void row_clear(struct memory_data *d, struct memory_row *row) {
  const struct memory_kind *kind = &d->kinds[row->kind];
  for (uint32_t i = 0; i < kind->index_count; i++) {
    if (row->entries[i]) btree_remove(&d->indexes[kind->indexes[i]], row->entries[i]);
    row->entries[i] = NULL;
  }
  if (row->data) slab_free(&d->slab, row->data, row->data->size);
  row->data = NULL;
}

static bool row_has_key(const struct memory_row *row, const struct memory_key *key) {
  return row->primary->len == key->len && memcmp(row->primary->key, key->ptr, key->len) == 0;
}

struct memory_row *memory_row_locate(struct memory_data *d, enum record_kind kind,
                                     const void *record) {
  const struct record_head *head = record;
  struct memory_row *row = NULL;
  struct memory_key key;
  memory_key_record(&key, kind, record);
  if (head->store_row > 0 && head->store_row <= d->slot_count)
    row = *slot_of(d, (uint32_t)head->store_row);
  if (!row || row->kind != kind || !row_has_key(row, &key)) {
    const struct btree_item *item = btree_find(&d->primaries[kind], key.ptr, key.len);
    row = item ? item->value : NULL;
  }
  memory_key_fini(&key);
  return row;
}

/* ---- groups ---- */

static bool stage_insert(struct memory_data *d, const struct store_write *w,
                         struct memory_stage *s) {
  struct memory_key key;
  memory_key_record(&key, w->record_kind, w->record);
  struct btree_item *item = btree_put(&d->primaries[w->record_kind], key.ptr, key.len, &s->created);
  memory_key_fini(&key);
  if (s->created) {
    item->value = s->row = row_new(d, w->record_kind);
    s->row->primary = item;
  } else {
    s->row = item->value;
  }
  return s->row->version ==
         0; /* else it is there, or an earlier write of this group has just deleted it */
}

static bool stage_write(struct memory_data *d, const struct store_write *w,
                        struct memory_stage *s) {
  *s = (struct memory_stage){.write = w};
  if (w->kind == STORE_INSERT) {
    if (!stage_insert(d, w, s)) return false;
  } else {
    s->row = memory_row_locate(d, w->record_kind, w->record);
    if (!s->row || s->row->version == 0 || s->row->version != w->base_version) return false;
  }
  s->former_version = s->row->version;
  s->row->version = w->kind == STORE_DELETE ? 0 : ((const struct record_head *)w->record)->version;
  return true;
}

static void unstage(struct memory_data *d, uint32_t count) {
  while (count-- > 0) {
    struct memory_stage *s = &d->stages[count];
    s->row->version = s->former_version;
    if (s->created) row_free(d, s->row);
  }
}

static bool stage_group(struct memory_data *d, const struct store_group *group) {
  if (group->write_count > d->stage_capacity) {
    d->stage_capacity = 2 * group->write_count;
    d->stages = heap_realloc(d->stages, d->stage_capacity * sizeof *d->stages);
  }
  for (uint32_t i = 0; i < group->write_count; i++)
    if (!stage_write(d, &group->writes[i], &d->stages[i])) {
      unstage(d, i);
      return false;
    }
  return true;
}

bool memory_group_apply(struct memory_data *d, const struct store_group *group) {
  if (!stage_group(d, group)) return false;
  bool deletes = false;
  for (uint32_t i = 0; i < group->write_count; i++) {
    struct memory_row *row = d->stages[i].row;
    const struct store_write *w = d->stages[i].write;
    row->stage = i;
    if (w->kind == STORE_DELETE) {
      deletes = true;
      row_clear(d, row);
    } else {
      row_store(d, row, w->record);
    }
  }
  for (uint32_t i = 0; deletes && i < group->write_count; i++) {
    struct memory_row *row = d->stages[i].row;
    if (d->stages[i].write->kind == STORE_DELETE && row->stage == i) row_free(d, row);
  }
  for (uint32_t i = 0; i < group->event_count; i++) memory_log_append(d, group->events[i]);
  return true;
}
