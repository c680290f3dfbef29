/*
 * Reading the memory store: keys and index ranges, copied into the caller's arena under the shared
 * lock.
 */
#include "store/memory_impl.h"

#include "base/error.h"

static const void *row_read(const struct memory_row *row, struct arena *arena) {
  struct record_head *head = pack_read(row->kind, row->data, arena);
  head->store_row = row->number;
  return head;
}

/* What the fault hook says of it; the memory itself cannot spoil. */
static bool spoiled(const struct memory_store *m, enum record_kind kind, const void *record,
                    struct ff_error *why) {
  if (!m->faults.spoiled) return false;
  const char *field = m->faults.spoiled(m->faults.user, kind, record);
  if (!field) return false;
  (void)error_field(why, FF_CODE_corruption, field, "%s: %s: does not parse",
                    record_infos[kind].name, field);
  error_context(why, "row", "%llu",
                (unsigned long long)((const struct record_head *)record)->store_row);
  return true;
}

void memory_get(const struct memory_store *m, struct store_get *get, struct arena *arena) {
  struct ff_error why;
  get->record = NULL;
  get->unreadable = NULL;
  if (get->kind == RECORD_KIND_event) {
    get->record = memory_log_get(m->data, ((const struct event *)get->key)->event_id, arena);
    return;
  }
  const struct memory_row *row = memory_row_locate(m->data, get->kind, get->key);
  if (!row) return;
  const void *record = row_read(row, arena);
  if (spoiled(m, get->kind, record, &why)) get->unreadable = store_error_keep(&why, arena);
  else get->record = record;
}

static bool has_prefix(const struct btree_item *item, const struct memory_key *prefix) {
  return item->len >= prefix->len && memcmp(item->key, prefix->ptr, prefix->len) == 0;
}

static enum ff_rc scan_tree(const struct memory_store *m, const struct btree *tree,
                            struct store_scan *s, struct arena *arena, struct ff_error *e) {
  const struct index_info *info = &index_infos[s->index];
  struct memory_key prefix, start;
  struct btree_cursor cursor;
  struct ff_error why;
  enum ff_rc rc = FF_OK;
  memory_key_index(&prefix, s->index, s->from, info->prefix_count);
  if (s->after) {
    memory_key_index(&start, s->index, s->from, info->part_count);
    btree_seek(tree, start.ptr, start.len, true, &cursor);
    memory_key_fini(&start);
  } else {
    btree_seek(tree, prefix.ptr, prefix.len, false, &cursor);
  }
  const struct btree_item *item = btree_next(&cursor);
  for (; !rc && item && has_prefix(item, &prefix) && s->count < s->limit;
       item = btree_next(&cursor)) {
    const void *record = row_read(item->value, arena);
    if (spoiled(m, info->kind, record, &why)) rc = store_scan_step_over(s, &why, arena, e);
    else store_scan_push(s, record, arena);
  }
  s->complete = !item || !has_prefix(item, &prefix);
  memory_key_fini(&prefix);
  return rc;
}

enum ff_rc memory_scan(const struct memory_store *m, struct store_scan *s, struct arena *arena,
                       struct ff_error *e) {
  const struct index_info *info = &index_infos[s->index];
  store_scan_reset(s);
  if (info->kind == RECORD_KIND_event) {
    memory_log_scan(m->data, s, arena);
    return FF_OK;
  }
  const struct btree *tree = info->when == INDEX_PRIMARY ? &m->data->primaries[info->kind]
                                                         : &m->data->indexes[s->index];
  return scan_tree(m, tree, s, arena, e);
}
