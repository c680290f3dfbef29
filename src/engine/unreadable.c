/*
 * Stored rows that cannot be read: counted and said once each, however often walks meet them.
 *
 * Remembers hashes in a fixed table; when a row finds no place in it, so much is spoiled that more
 * lines would say nothing.
 */
#include "engine/impl.h"

#define PROBES 64

/* Never 0, which means free. */
static uint64_t row_hash(const struct ff_error *why, uint64_t salt) {
  uint64_t hash = hash_mix64(salt ^ hash_fnv1a64(why->detail, strlen(why->detail)));
  for (uint32_t i = 0; i < why->context_count; i++)
    hash = hash_mix64(hash ^ hash_fnv1a64(why->context[i].value, strlen(why->context[i].value)));
  return hash ? hash : 1;
}

bool unreadable_first(struct engine *e, const struct ff_error *why, uint64_t salt) {
  uint64_t hash = row_hash(why, salt);
  for (uint32_t i = 0; i < PROBES; i++) {
    uint64_t held = 0;
    _Atomic uint64_t *place = &e->unreadable[(hash + i) % ARRAY_LEN(e->unreadable)];
    if (atomic_compare_exchange_strong(place, &held, hash)) return true;
    if (held == hash) return false;
  }
  return false;
}

void unreadable_report(struct engine *e, struct overlay *o) {
  uint32_t count;
  const struct ff_error *const *rows = overlay_unreadable(o, &count);
  for (uint32_t i = 0; i < count; i++) {
    const struct ff_error *why = rows[i];
    if (!unreadable_first(e, why, 0)) continue;
    e->unreadable_rows++;
    const struct ff_error_context *where = why->context_count ? &why->context[0] : NULL;
    engine_log(e, FF_LOG_WARN, "a stored row cannot be read: %s (%s %s)", why->detail,
               where ? where->key : "row", where ? where->value : "unknown");
  }
}
