/*
 * Claim and reclaim grants as records and as the text clients echo (06 D.2, 01 RC-5, ID-23).
 */
#ifndef OP_GRANT_H
#define OP_GRANT_H

#include "op/execution.h"

enum { GRANT_TTL_MAX_MS = 60000 }; /* 01 LM-11 */

/* What a grant says beside its times. Texts may be absent. */
struct grant_terms {
  enum ff_grant_kind kind;
  struct ff_str worker_id, worker_instance_id, lane_id;
  struct ff_str capability_hash; /* absent = that of worker_capabilities (06 CA-9) */
  struct ff_str worker_capabilities, route_snapshot_json, admission_summary;
  uint64_t ttl_ms;
};

/* Argument checks every issuer shares: worker ids, lane, ttl, and the bounds of the free texts. */
enum ff_rc grant_check_terms(const struct grant_terms *, struct ff_error *) MUST_USE;
/* True while a grant lives; a dead one counts as absent everywhere (06 S-14). */
static inline bool grant_is_live(const struct execution *x, int64_t now) {
  return now < x->grant_expires_at;
}
/* Stores the grant and its mirror grant_expires_at; a dead grant is replaced (FF_MISS until it is
 * loaded). The caller has found that none lives. */
enum ff_rc grant_store(struct tx *, struct execution *, const struct grant_terms *) MUST_USE;

struct ff_str grant_key(struct arena *, struct exec_id, enum ff_grant_kind);
struct ff_str grant_partition_key(struct arena *, struct exec_id); /* `{fp:N}` */

#endif
