/*
 * Cursors of stores with one event log: see log_cursor.h.
 */
#include "store/log_cursor.h"

enum { CURSOR_SIZE = 9 };

struct ff_bytes log_cursor_mint(struct arena *arena, enum ff_backend backend, uint64_t event_id) {
  uint8_t *out = arena_alloc(arena, CURSOR_SIZE);
  out[0] = (uint8_t)backend;
  for (unsigned i = 0; i < 8; i++) out[1 + i] = (uint8_t)(event_id >> (56 - 8 * i));
  return (struct ff_bytes){out, CURSOR_SIZE};
}

enum ff_rc log_cursor_read(struct ff_bytes cursor, enum ff_backend backend, uint64_t *event_id,
                           bool *beginning, struct ff_error *e) {
  const uint8_t *p = cursor.ptr;
  *event_id = 0;
  *beginning = cursor.len == 1;
  bool good = cursor.len && p[0] == backend && (cursor.len == 1 || cursor.len == CURSOR_SIZE);
  for (size_t i = 1; good && i < cursor.len; i++) *event_id = *event_id << 8 | p[i];
  if (good && *event_id <= INT64_MAX) return FF_OK;
  return error_field(e, FF_CODE_invalid_input, "cursor", "cursor does not belong to this backend");
}
