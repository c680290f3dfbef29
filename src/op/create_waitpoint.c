/*
 * create_waitpoint, close_waitpoint, and what time does to waitpoints nobody has used:
 * expire_pending_waitpoint, expire_waitpoints (03 §3, §9.2).
 *
 * None of them touches a lease, an attempt or a state vector.
 */
#include "flowfabric/signal.h"
#include "op/waitpoint.h"

enum { CLOSE_REASON_MAX_BYTES = 256 };

/* ---- create_waitpoint ---- */

static enum ff_rc create_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_create_waitpoint_args *a = args;
  (void)arena;
  TRY(handle_check_tag(config, &a->handle, e));
  if (a->handle.kind == FF_handle_kind_suspended)
    return error_set(e, FF_CODE_already_suspended, NULL);
  TRY(waitpoint_key_check(a->waitpoint_key, "waitpoint_key", e));
  if (!a->expires_in_ms)
    return error_field(e, FF_CODE_invalid_input, "expires_in_ms", "must be greater than 0");
  TRY(text_check(a->request_id, "request_id", REQUEST_ID_MAX_BYTES, e));
  return handle_decode(&a->handle, config->backend, config->flow_partitions, prep, e);
}

static void create_declare(struct declare *d, const void *args, const void *prep) {
  declare_prepared_execution(d, args, prep);
  keystore_declare(d);
}

/* 00 OP-8: what this attempt was given under the same request id and has not closed since. */
static enum ff_rc find_request(struct tx *tx, const struct execution *x, struct ff_str request_id,
                               const struct waitpoint **found) {
  struct tx_scan scan;
  if (!text_nonempty(request_id) || !x->waitpoint_count) return FF_OK;
  TRY(waitpoints_open(tx, x, &scan));
  while (!*found) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) return FF_OK;
    const struct waitpoint *w = record;
    if (w->closed_at) return FF_OK;
    if (w->attempt_index == x->attempt_index && text_equal(w->request_id, request_id)) *found = w;
  }
  return FF_OK;
}

static enum ff_rc create_new(struct tx *tx, const struct ff_create_waitpoint_args *a,
                             const struct execution *read, const struct keystore *keys,
                             struct ff_create_waitpoint_result *r, struct ff_error *e) {
  struct uuid id = tx_mint_uuid(tx);
  struct minted_token token;
  int64_t lifetime_ms = a->expires_in_ms > INT64_MAX ? INT64_MAX : (int64_t)a->expires_in_ms;
  if (read->pending_waitpoints >= PENDING_WAITPOINTS_MAX)
    return error_field(e, FF_CODE_invalid_input, "waitpoint_key",
                       "too_many_waitpoints: %d wait already", PENDING_WAITPOINTS_MAX);
  TRY(keystore_mint(tx, keys, execution_id_of(read), id, &token, e));
  struct execution *x = tx_edit_execution(tx, read);
  struct waitpoint *w = waitpoint_insert(tx, x, id, a->waitpoint_key, &token);
  if (text_nonempty(a->request_id)) w->request_id = a->request_id;
  w->expires_at = add_saturating(tx_now(tx), lifetime_ms);
  waitpoint_count_pending(x, w);
  uuid_format_id(id, &r->waitpoint_id);
  r->waitpoint_key = a->waitpoint_key;
  r->waitpoint_token = token.token;
  return FF_OK;
}

static enum ff_rc answer_again(struct tx *tx, const struct waitpoint *w,
                               const struct keystore *keys, struct ff_create_waitpoint_result *r,
                               struct ff_error *e) {
  uuid_format_id(w->waitpoint_id, &r->waitpoint_id);
  r->waitpoint_key = w->waitpoint_key;
  return waitpoint_token(tx, keys, w, &r->waitpoint_token, e);
}

static enum ff_rc create_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct ff_create_waitpoint_args *a = args;
  const struct handle_body *handle = prep;
  const struct execution *x = NULL;
  const struct waitpoint *before = NULL;
  struct keystore keys;
  struct fence fence = fence_of_handle(handle);
  fence.has_attempt_index = true;
  fence.attempt_index = handle->attempt_index;
  TRY(execution_load(tx, handle->execution, &x, e));
  TRY(fence_check(tx, x, &fence, FENCE_LIGHT, e));
  TRY(keystore_load(tx, &keys));
  TRY(find_request(tx, x, a->request_id, &before));
  if (before) return answer_again(tx, before, &keys, result, e);
  return create_new(tx, a, x, &keys, result, e);
}

const struct op_code op_code_create_waitpoint = {sizeof(struct handle_body), create_prepare,
                                                 create_declare, create_run};

/* ---- close_waitpoint ---- */

struct pair_prep {
  struct exec_id execution; /* first: declare_prepared_execution */
  struct uuid waitpoint;
};

static enum ff_rc pair_parse(const struct op_config *config, struct ff_str execution_id,
                             struct ff_str waitpoint_id, struct pair_prep *p, struct ff_error *e) {
  TRY(exec_id_parse(execution_id, "execution_id", config->flow_partitions, &p->execution, e));
  return own_uuid_parse(waitpoint_id, "waitpoint_id", &p->waitpoint, e);
}

static void pair_declare(struct declare *d, const void *args, const void *prep) {
  const struct pair_prep *p = prep;
  declare_prepared_execution(d, args, prep);
  declare_waitpoint(d, p->execution.partition, p->waitpoint);
}

static enum ff_rc close_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_close_waitpoint_args *a = args;
  (void)arena;
  TRY(pair_parse(config, a->execution_id, a->waitpoint_id, prep, e));
  return text_check(a->reason, "reason", CLOSE_REASON_MAX_BYTES, e);
}

/* A pending waitpoint and its execution, which counts it. */
static enum ff_rc close_pending(struct tx *tx, const struct pair_prep *p,
                                const struct waitpoint *w, struct ff_str reason,
                                struct ff_error *e) {
  const struct execution *x = NULL;
  TRY(execution_load(tx, p->execution, &x, e));
  waitpoint_close(tx, tx_edit_waitpoint(tx, w), reason, false);
  waitpoint_leave_pending(tx_edit_execution(tx, x));
  return FF_OK;
}

/* T-14 */
static enum ff_rc close_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct ff_close_waitpoint_args *a = args;
  const struct pair_prep *p = prep;
  struct ff_close_waitpoint_result *r = result;
  const struct waitpoint *w = NULL;
  TRY(waitpoint_get(tx, p->execution.partition, p->waitpoint, &w));
  if (!w) return error_set(e, FF_CODE_waitpoint_not_found, NULL);
  if (!uuid_equal(w->execution_id, p->execution.uuid))
    return error_set(e, FF_CODE_invalid_waitpoint_for_execution, NULL);
  if (w->state == FF_waitpoint_state_active)
    return error_set(e, FF_CODE_waitpoint_not_pending, "a suspension waits on it");
  r->outcome = FF_outcome_already_closed;
  if (w->state == FF_waitpoint_state_closed) return FF_OK;
  r->outcome = FF_outcome_closed;
  struct ff_str reason = text_nonempty(a->reason) ? a->reason : TEXT_LIT("proactive_close");
  return close_pending(tx, p, w, reason, e);
}

const struct op_code op_code_close_waitpoint = {sizeof(struct pair_prep), close_prepare,
                                                pair_declare, close_run};

/* ---- expire_pending_waitpoint ---- */

static enum ff_rc expire_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_expire_pending_waitpoint_args *a = args;
  (void)arena;
  return pair_parse(config, a->execution_id, a->waitpoint_id, prep, e);
}

static enum ff_rc expire_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct pair_prep *p = prep;
  struct ff_expire_pending_waitpoint_result *r = result;
  const struct waitpoint *w = NULL;
  (void)args;
  TRY(waitpoint_get(tx, p->execution.partition, p->waitpoint, &w));
  r->outcome = FF_outcome_cleaned;
  if (!w || !uuid_equal(w->execution_id, p->execution.uuid) ||
      w->state != FF_waitpoint_state_pending)
    return FF_OK;
  r->outcome = FF_outcome_not_yet_due;
  if (w->expires_at > tx_now(tx)) return FF_OK;
  r->outcome = FF_outcome_expired;
  return close_pending(tx, p, w, TEXT_LIT("never_committed"), e);
}

const struct op_code op_code_expire_pending_waitpoint = {sizeof(struct pair_prep), expire_prepare,
                                                         pair_declare, expire_run};

/* ---- expire_waitpoints: all of an execution that are due, as the due index finds it ---- */

static enum ff_rc sweep_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  (void)config, (void)args, (void)prep, (void)arena, (void)e;
  return FF_OK;
}

static void sweep_declare(struct declare *d, const void *args, const void *prep) {
  (void)prep;
  declare_execution(d, ((const struct expire_waitpoints_args *)args)->execution);
}

static enum ff_rc sweep_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct expire_waitpoints_args *a = args;
  struct expire_waitpoints_result *r = result;
  const struct execution *read = NULL;
  struct tx_scan scan;
  struct execution key = {.partition = a->execution.partition, .id = a->execution.uuid};
  (void)prep, (void)e;
  TRY(tx_get_execution(tx, &key, &read));
  if (!read || !read->pending_waitpoints || read->waitpoint_due_at > tx_now(tx)) return FF_OK;
  TRY(waitpoints_open(tx, read, &scan));
  struct execution *x = tx_edit_execution(tx, read);
  x->pending_waitpoints = 0;
  x->waitpoint_due_at = 0;
  for (;;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) return FF_OK;
    const struct waitpoint *w = record;
    if (w->closed_at) return FF_OK;
    if (w->state != FF_waitpoint_state_pending) continue;
    if (w->expires_at > tx_now(tx)) {
      waitpoint_count_pending(x, w);
      continue;
    }
    waitpoint_close(tx, tx_edit_waitpoint(tx, w), TEXT_LIT("never_committed"), false);
    r->count++;
  }
}

const struct op_code op_code_expire_waitpoints = {0, sweep_prepare, sweep_declare, sweep_run};
