/*
 * The checked calls: how everybody above the stores calls a store.
 *
 * In debug builds (FF_DEBUG_PURITY) the arguments are verified against the contract of store.h and
 * a breach stops the process; in release builds a call is one jump through the vtable. Nothing here
 * knows a store by name.
 */
#ifndef STORE_CALLS_H
#define STORE_CALLS_H

#include "store/store.h"

#ifdef FF_DEBUG_PURITY
#define STORE_CHECKED 1
#else
#define STORE_CHECKED 0
#endif

/* Stop the process when a caller or a store breaks the contract. */
void store_check_fetch(const struct store_get *gets, uint32_t get_count,
                       const struct store_scan *scans, uint32_t scan_count);
void store_check_fetched(const struct store_get *gets, uint32_t get_count,
                         const struct store_scan *scans, uint32_t scan_count);
void store_check_groups(const struct store *, const struct store_group *groups,
                        uint32_t group_count);
void store_check_log(const struct event *const *events, uint32_t count, uint32_t limit);

/* The first member of every store's session is the pointer to its store. */
static inline struct store *store_of(const struct store_session *session) {
  struct store *store;
  memcpy(&store, session, sizeof store);
  return store;
}

MUST_USE static inline enum ff_rc store_migrate(struct store *s, bool *applied,
                                                struct ff_error *e) {
  return s->vtable->migrate(s, applied, e);
}

MUST_USE static inline enum ff_rc store_session_open(struct store *s, enum store_session_kind kind,
                                                     struct store_session **out,
                                                     struct ff_error *e) {
  enum ff_rc rc = s->vtable->session_open(s, kind, out, e);
  if (STORE_CHECKED && rc == FF_OK) INVARIANT(store_of(*out) == s);
  return rc;
}

/* NULL is fine. */
static inline void store_session_close(struct store_session *session) {
  if (session) store_of(session)->vtable->session_close(session);
}

MUST_USE static inline enum ff_rc store_fetch(struct store_session *session, struct arena *arena,
                                              struct store_get *gets, uint32_t get_count,
                                              struct store_scan *scans, uint32_t scan_count,
                                              int64_t *now, struct ff_error *e) {
  if (STORE_CHECKED) store_check_fetch(gets, get_count, scans, scan_count);
  enum ff_rc rc =
      store_of(session)->vtable->fetch(session, arena, gets, get_count, scans, scan_count, now, e);
  if (STORE_CHECKED && rc == FF_OK) store_check_fetched(gets, get_count, scans, scan_count);
  return rc;
}

MUST_USE static inline enum ff_rc store_apply(struct store_session *session,
                                              struct store_group *groups, uint32_t group_count,
                                              struct ff_error *e) {
  if (STORE_CHECKED) store_check_groups(store_of(session), groups, group_count);
  return store_of(session)->vtable->apply(session, groups, group_count, e);
}

MUST_USE static inline enum ff_rc store_read_log(struct store_session *session, struct arena *arena,
                                                 struct ff_bytes cursor, uint32_t limit,
                                                 const struct event ***events, uint32_t *count,
                                                 struct ff_bytes *next, bool *dropped,
                                                 struct ff_error *e) {
  if (STORE_CHECKED) INVARIANT(limit > 0);
  enum ff_rc rc = store_of(session)->vtable->read_log(session, arena, cursor, limit, events, count,
                                                      next, dropped, e);
  if (STORE_CHECKED && rc == FF_OK) store_check_log(*events, *count, limit);
  return rc;
}

MUST_USE static inline enum ff_rc store_trim_log(struct store_session *session, int64_t before,
                                                 uint64_t keep, uint32_t limit, uint32_t *removed,
                                                 struct ff_error *e) {
  if (STORE_CHECKED) INVARIANT(limit > 0);
  return store_of(session)->vtable->trim_log(session, before, keep, limit, removed, e);
}

MUST_USE static inline enum ff_rc store_restore_log(struct store_session *session,
                                                    const struct event *const *events,
                                                    uint32_t count, uint64_t end,
                                                    struct ff_error *e) {
  if (STORE_CHECKED) store_check_log(events, count, UINT32_MAX);
  return store_of(session)->vtable->restore_log(session, events, count, end, e);
}

MUST_USE static inline enum ff_rc store_others(struct store *s, bool *any, struct ff_error *e) {
  return s->vtable->others(s, any, e);
}

static inline void store_idle(struct store_session *session, bool *more) {
  store_of(session)->vtable->idle(session, more);
}

MUST_USE static inline enum ff_rc store_listen(struct store *s, store_hint_fn fn, void *user,
                                               struct ff_error *e) {
  return s->vtable->listen(s, fn, user, e);
}
static inline void store_unlisten(struct store *s, void *user) { s->vtable->unlisten(s, user); }
static inline void store_notify(struct store *s, const void *sender_user,
                                const struct store_hint *hints, uint32_t count) {
  if (count) s->vtable->notify(s, sender_user, hints, count);
}

#endif
