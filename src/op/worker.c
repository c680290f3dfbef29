/*
 * The worker registry: register_worker, heartbeat_worker, mark_worker_dead, and the steps that sweep
 * it (06 E.2).
 *
 * Global records of their own: nothing here touches a lease, a grant or an execution (WR-7).
 */
#include "op/worker.h"

#include "flowfabric/worker.h"
#include "op/execution.h"

#include <stdlib.h>

enum { LANES_MAX = 256, REASON_MAX_BYTES = 256, TTL_MAX_MS = 86400000 };

/* ---- lanes ---- */

static int compare_texts(const void *a, const void *b) {
  return text_compare(*(const struct ff_str *)a, *(const struct ff_str *)b);
}

/* Sorted, each once, joined by newlines. */
static enum ff_rc lanes_join(struct ff_strs lanes, struct arena *arena, struct ff_str *out,
                             struct ff_error *e) {
  size_t bytes = 0;
  if (lanes.count > LANES_MAX)
    return error_field(e, FF_CODE_invalid_input, "lanes", "%zu lanes, limit %d", lanes.count,
                       LANES_MAX);
  for (size_t i = 0; i < lanes.count; i++) {
    TRY(lane_check(lanes.items[i], "lanes", e));
    bytes += lanes.items[i].len + 1;
  }
  *out = TEXT_LIT("");
  if (!lanes.count) return FF_OK;
  struct ff_str *sorted = arena_copy(arena, lanes.items, sizeof *sorted * lanes.count);
  qsort(sorted, lanes.count, sizeof *sorted, compare_texts);
  char *text = arena_alloc(arena, bytes), *p = text;
  for (size_t i = 0; i < lanes.count; i++) {
    if (i && text_equal(sorted[i - 1], sorted[i])) continue;
    memcpy(p, sorted[i].ptr, sorted[i].len);
    p += sorted[i].len;
    *p++ = '\n';
  }
  *out = text_of(text, (size_t)(p - text) - 1);
  return FF_OK;
}

bool worker_serves(const struct worker *w, struct ff_str lane_id) {
  struct ff_str rest = w->lanes;
  while (rest.len) {
    const char *end = memchr(rest.ptr, '\n', rest.len);
    size_t len = end ? (size_t)(end - rest.ptr) : rest.len;
    if (text_equal(text_of(rest.ptr, len), lane_id)) return true;
    len += end != NULL;
    rest = text_of(rest.ptr + len, rest.len - len);
  }
  return false;
}

bool worker_can_take(const struct worker *w, const struct execution *x) {
  return text_equal(w->namespace_, worker_namespace(x->namespace_)) &&
         worker_serves(w, x->lane_id) &&
         capabilities_cover(w->capabilities, x->required_capabilities);
}

/* ---- what the three have in common ---- */

static enum ff_rc check_key(struct ff_str namespace_, struct ff_str instance,
                            struct ff_error *e) {
  TRY(worker_id_check(instance, "worker_instance_id", e));
  return text_check(namespace_, "namespace", NAME_MAX_BYTES, e);
}

static struct worker worker_key(struct ff_str namespace_, struct ff_str instance) {
  return (struct worker){.namespace_ = worker_namespace(namespace_),
                         .worker_instance_id = instance};
}

/* WR-12. An event of no execution. */
static void audit(struct tx *tx, const struct worker *w, enum ff_worker_event kind,
                  struct ff_str reason) {
  struct event *event = tx_append_event(tx);
  event->at = tx_now(tx);
  event->namespace_ = w->namespace_;
  event->worker_id = w->worker_id;
  event->worker_instance_id = w->worker_instance_id;
  event->worker_event = (uint8_t)kind;
  event->reason = reason;
}

static void hear_of(struct tx *tx, struct worker *w) {
  w->last_heartbeat_ms = tx_now(tx);
  w->expires_at = add_saturating(tx_now(tx), w->liveness_ttl_ms);
}

/* ---- register_worker ---- */

struct register_prep {
  struct worker key;
  struct ff_str lanes, capabilities;
};

static enum ff_rc register_prepare(const struct op_config *config, const void *args, void *prep,
                                   struct arena *arena, struct ff_error *e) {
  const struct ff_register_worker_args *a = args;
  struct register_prep *p = prep;
  (void)config;
  TRY(worker_id_check(a->worker_id, "worker_id", e));
  TRY(check_key(a->namespace_, a->worker_instance_id, e));
  TRY(lanes_join(a->lanes, arena, &p->lanes, e));
  TRY(capabilities_csv(a->capabilities, "worker", arena, &p->capabilities, e));
  p->key = worker_key(a->namespace_, a->worker_instance_id);
  if (a->liveness_ttl_ms >= 1 && a->liveness_ttl_ms <= TTL_MAX_MS) return FF_OK;
  return error_field(e, FF_CODE_invalid_input, "liveness_ttl_ms", "must be 1 to %d, got %llu",
                     TTL_MAX_MS, (unsigned long long)a->liveness_ttl_ms);
}

static void register_declare(struct declare *d, const void *args, const void *prep) {
  (void)args;
  declare_get(d, RECORD_KIND_worker, &((const struct register_prep *)prep)->key);
}

static enum ff_rc register_run(struct tx *tx, const void *args, const void *prep, void *result,
                               struct ff_error *e) {
  const struct ff_register_worker_args *a = args;
  const struct register_prep *p = prep;
  struct ff_register_worker_result *r = result;
  const struct worker *read = NULL;
  TRY(tx_get_worker(tx, &p->key, &read));
  bool live = worker_is_live(read, tx_now(tx));
  if (live && !text_equal(read->worker_id, a->worker_id))
    return error_field(e, FF_CODE_invalid_input, "worker_instance_id", "instance_id reassigned");
  struct worker *w = read ? tx_edit_worker(tx, read) : tx_insert_worker(tx, &p->key);
  w->worker_id = a->worker_id;
  w->lanes = p->lanes;
  w->capabilities = p->capabilities;
  w->liveness_ttl_ms = (int64_t)a->liveness_ttl_ms;
  hear_of(tx, w);
  if (!live) {
    w->registered_at_ms = tx_now(tx);
    audit(tx, w, FF_worker_event_registered, (struct ff_str){0});
  }
  r->outcome = live ? FF_outcome_refreshed : FF_outcome_registered;
  r->next_expiry_ms = w->expires_at;
  return FF_OK;
}

const struct op_code op_code_register_worker = {sizeof(struct register_prep), register_prepare,
                                                register_declare, register_run};

/* ---- heartbeat_worker ---- */

static enum ff_rc heartbeat_prepare(const struct op_config *config, const void *args, void *prep,
                                    struct arena *arena, struct ff_error *e) {
  const struct ff_heartbeat_worker_args *a = args;
  (void)config, (void)arena;
  *(struct worker *)prep = worker_key(a->namespace_, a->worker_instance_id);
  return check_key(a->namespace_, a->worker_instance_id, e);
}

static void declare_worker(struct declare *d, const void *args, const void *prep) {
  (void)args;
  declare_get(d, RECORD_KIND_worker, prep);
}

static enum ff_rc heartbeat_run(struct tx *tx, const void *args, const void *prep, void *result,
                                struct ff_error *e) {
  struct ff_heartbeat_worker_result *r = result;
  const struct worker *read = NULL;
  (void)args, (void)e;
  TRY(tx_get_worker(tx, prep, &read));
  r->outcome = FF_outcome_not_registered;
  if (!worker_is_live(read, tx_now(tx))) return FF_OK;
  struct worker *w = tx_edit_worker(tx, read);
  hear_of(tx, w);
  r->outcome = FF_outcome_refreshed;
  r->next_expiry_ms = w->expires_at;
  return FF_OK;
}

const struct op_code op_code_heartbeat_worker = {sizeof(struct worker), heartbeat_prepare,
                                                 declare_worker, heartbeat_run};

/* ---- mark_worker_dead ---- */

/* WR-6 gives the words of both refusals. */
static enum ff_rc check_reason(struct ff_str reason, struct ff_error *e) {
  if (reason.len > REASON_MAX_BYTES)
    return error_field(e, FF_CODE_invalid_input, "reason", "reason: exceeds %d bytes (got %zu)",
                       REASON_MAX_BYTES, reason.len);
  for (size_t i = 0; i < reason.len; i++) {
    unsigned char b = (unsigned char)reason.ptr[i];
    if (b < 0x20 || b == 0x7f)
      return error_field(e, FF_CODE_invalid_input, "reason",
                         "reason: must not contain control characters");
  }
  return text_check(reason, "reason", REASON_MAX_BYTES, e);
}

static enum ff_rc dead_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_mark_worker_dead_args *a = args;
  (void)config, (void)arena;
  *(struct worker *)prep = worker_key(a->namespace_, a->worker_instance_id);
  TRY(check_key(a->namespace_, a->worker_instance_id, e));
  return check_reason(a->reason, e);
}

static enum ff_rc dead_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  const struct ff_mark_worker_dead_args *a = args;
  struct ff_mark_worker_dead_result *r = result;
  const struct worker *w = NULL;
  (void)e;
  TRY(tx_get_worker(tx, prep, &w));
  r->outcome = FF_outcome_not_registered;
  if (!worker_is_live(w, tx_now(tx))) return FF_OK;
  audit(tx, w, FF_worker_event_marked_dead, a->reason);
  tx_delete_worker(tx, w);
  r->outcome = FF_outcome_marked;
  return FF_OK;
}

const struct op_code op_code_mark_worker_dead = {sizeof(struct worker), dead_prepare,
                                                 declare_worker, dead_run};

/* ---- the sweep ---- */

static enum ff_rc accept(const struct op_config *config, const void *args, void *prep,
                         struct arena *arena, struct ff_error *e) {
  (void)config, (void)args, (void)prep, (void)arena, (void)e;
  return FF_OK;
}

static void stale_declare(struct declare *d, const void *args, const void *prep) {
  const struct list_expired_workers_args *a = args;
  (void)prep;
  declare_scan(d, INDEX_worker_expiry, &(struct worker){0}, false, a->limit);
}

static enum ff_rc stale_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct list_expired_workers_args *a = args;
  struct list_expired_workers_result *r = result;
  const struct worker **items = ARENA_ARRAY(tx_arena(tx), const struct worker *, a->limit);
  struct tx_scan scan;
  (void)prep, (void)e;
  TRY(tx_scan_open(tx, INDEX_worker_expiry, &(struct worker){0}, false, a->limit, &scan));
  while (r->count < a->limit) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record || worker_is_live(record, tx_now(tx))) break;
    items[r->count++] = record;
  }
  r->items = items;
  return FF_OK;
}

const struct op_code op_code_list_expired_workers = {0, accept, stale_declare, stale_run};

static struct worker expired_key(const struct expire_worker_args *a) {
  return worker_key(a->namespace_, a->worker_instance_id);
}

static void expire_declare(struct declare *d, const void *args, const void *prep) {
  struct worker key = expired_key(args);
  (void)prep;
  declare_get(d, RECORD_KIND_worker, &key);
}

/* It may have registered again, or been marked dead, since it was listed. */
static enum ff_rc expire_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  struct expire_worker_result *r = result;
  struct worker key = expired_key(args);
  const struct worker *w = NULL;
  (void)prep, (void)e;
  TRY(tx_get_worker(tx, &key, &w));
  r->outcome = !w ? FF_outcome_not_found : FF_outcome_not_due;
  if (!w || worker_is_live(w, tx_now(tx))) return FF_OK;
  audit(tx, w, FF_worker_event_ttl_swept, (struct ff_str){0});
  tx_delete_worker(tx, w);
  r->outcome = FF_outcome_purged;
  return FF_OK;
}

const struct op_code op_code_expire_worker = {0, accept, expire_declare, expire_run};
