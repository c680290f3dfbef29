/*
 * What stores make the answer of a scan with. Part of every module too: must need nothing but base
 * and record.
 */
#include "store/store.h"

#include "base/error.h"

/* The capacity of a growing array is the power of two that holds its count: a limit may be far above
 * what there is. */
static void *grow(const void *items, uint32_t count, size_t size, struct arena *arena) {
  bool full = count == 0 || (count >= 8 && (count & (count - 1)) == 0);
  if (!full) return (void *)(uintptr_t)items;
  void *grown = arena_alloc(arena, (count ? 2 * (size_t)count : 8) * size);
  if (count) memcpy(grown, items, count * size);
  return grown;
}

void store_scan_reset(struct store_scan *s) {
  s->records = NULL;
  s->unreadable = NULL;
  s->count = s->unreadable_count = 0;
}

void store_scan_push(struct store_scan *s, const void *record, struct arena *arena) {
  s->records = grow(s->records, s->count, sizeof *s->records, arena);
  s->records[s->count++] = record;
}

const struct ff_error *store_error_keep(const struct ff_error *error, struct arena *arena) {
  return error ? arena_copy(arena, error, sizeof *error) : NULL;
}

enum ff_rc store_scan_step_over(struct store_scan *s, const struct ff_error *why,
                                struct arena *arena, struct ff_error *e) {
  if (s->unreadable_count == STORE_UNREADABLE_MAX) {
    if (e) *e = *why;
    return why->rc;
  }
  s->unreadable = grow(s->unreadable, s->unreadable_count, sizeof *s->unreadable, arena);
  s->unreadable[s->unreadable_count++] = store_error_keep(why, arena);
  return FF_OK;
}

enum ff_rc store_corrupt(enum record_kind kind, const void *record, const char *field,
                         const char *problem, struct ff_error *e) {
  const struct record_info *info = &record_infos[kind];
  enum ff_rc rc =
      error_field(e, FF_CODE_corruption, field, "%s: %s: %s", info->name, field, problem);
  struct buffer key;
  buffer_init(&key);
  for (unsigned i = 0; i < info->key_count; i++) {
    if (i) buffer_append_char(&key, '/');
    field_print(&info->fields[i], record, &key);
  }
  error_context(e, "row", "%.*s", (int)key.len, key.ptr);
  buffer_fini(&key);
  return rc;
}
