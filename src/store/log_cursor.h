/*
 * Cursors of stores that keep one event log: the tag byte of the store family and the big-endian id
 * of the last event seen; the tag byte alone is the beginning (01 ID-20, 05 B.2).
 */
#ifndef STORE_LOG_CURSOR_H
#define STORE_LOG_CURSOR_H

#include "base/base.h"
#include "base/error.h"
#include "flowfabric/words.h"

struct ff_bytes log_cursor_mint(struct arena *, enum ff_backend, uint64_t event_id);

/* The position a cursor stands at; *beginning: the tag byte alone, at 0. A cursor this family never
 * mints: invalid_input (SU-13). */
enum ff_rc log_cursor_read(struct ff_bytes cursor, enum ff_backend, uint64_t *event_id,
                           bool *beginning, struct ff_error *) MUST_USE;

#endif
