/*
 * Worker records as several files need them: liveness, keys, the form of their lanes (06 E.2).
 */
#ifndef OP_WORKER_H
#define OP_WORKER_H

#include "op/execution.h"

enum { WORKERS_PAGE_MAX = 1000, WORKERS_EXAMINED_MAX = 10000 };

/* A worker that is not live is absent to everybody, swept or not. */
static inline bool worker_is_live(const struct worker *w, int64_t now) {
  return w && w->expires_at > now;
}
/* A namespace as keys have it: absent is the empty one. */
static inline struct ff_str worker_namespace(struct ff_str namespace_) {
  return text_present(namespace_) ? namespace_ : TEXT_LIT("");
}
bool worker_serves(const struct worker *, struct ff_str lane_id);
/* One worker offers everything: its namespace, its lane, every capability (06 BG-63). */
bool worker_can_take(const struct worker *, const struct execution *);

#endif
