/*
 * Marks of a copy under way or done, kept in the store itself as settings: a source that is being
 * moved or has moved, a target that is not whole yet. Engines refuse such stores. Marks are never
 * copied.
 */
#ifndef STORE_MARK_H
#define STORE_MARK_H

#include "store/store.h"

enum mark_place { MARK_SOURCE, MARK_TARGET };
enum mark_state {
  MARK_NONE,
  MARK_MOVING,  /* source: a move has begun and not ended */
  MARK_MOVED,   /* source: all of it is at `other` now */
  MARK_FILLING, /* target: a move into it has begun and not ended */
  MARK_RESTORING
};
struct mark {
  enum mark_state state;
  char id[33];     /* of the move: hex digits, the same on both sides */
  char other[300]; /* the other side, without credentials */
};

bool mark_is(enum record_kind kind, const void *record);
enum ff_rc mark_read(struct store_session *, enum mark_place, struct mark *out,
                     struct ff_error *) MUST_USE;
/* Writes or, with MARK_NONE, removes it. */
enum ff_rc mark_write(struct store_session *writer, enum mark_place, const struct mark *,
                      struct ff_error *) MUST_USE;
/* The error of an engine that would work here; FF_OK without marks. */
enum ff_rc mark_check(struct store_session *, struct ff_error *) MUST_USE;

#endif
