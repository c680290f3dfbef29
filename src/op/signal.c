/*
 * deliver_signal and deliver_approval_signal: a message arrives at a waitpoint (03 §6).
 *
 * deliver_signal proves its right from its arguments alone before anything else is looked at. What
 * the signal does to the condition, the waitpoint and the execution happens in one transaction.
 */
#include "flowfabric/signal.h"
#include "op/suspend.h"

enum {
  IDENTITY_MAX_BYTES = 512,
  PAYLOAD_MAX_BYTES = 65536,
  TOKEN_MAX_BYTES = 512, /* longer than any token; what is longer is none */
  MAXLEN_DEFAULT = 1000,
  MAXLEN_MAX = 10000,
  SIGNALS_DEFAULT = 10000,
  STAMP_MS = 1000,
};
#define DEDUP_TTL_DEFAULT_MS UINT64_C(86400000)

/* A signal to be delivered; texts point into the arguments or the arena. */
struct delivery {
  struct exec_id execution; /* first: declare_prepared_execution */
  struct uuid waitpoint_id, signal_id; /* nil: one is minted */
  struct ff_str target_scope, signal_name, signal_category, source_type, source_identity;
  struct ff_str correlation_id, idempotency_key, payload_encoding;
  struct ff_bytes payload;
  int64_t created_at;
  uint64_t dedup_ttl_ms, resume_delay_ms, max_signals, maxlen;
  bool has_resume_delay;
};

/* What both operations answer. */
struct answer {
  uint8_t outcome, effect;
  struct ff_id signal_id, existing_signal_id;
};

/* ---- arguments ---- */

static enum ff_rc check_texts(const struct delivery *d, struct ff_error *e) {
  if (d->signal_name.len == 0)
    return error_field(e, FF_CODE_invalid_input, "signal_name", "must not be empty");
  TRY(text_check(d->signal_name, "signal_name", NAME_MAX_BYTES, e));
  TRY(text_check(d->signal_category, "signal_category", NAME_MAX_BYTES, e));
  TRY(text_check(d->source_type, "source_type", NAME_MAX_BYTES, e));
  TRY(text_check(d->source_identity, "source_identity", IDENTITY_MAX_BYTES, e));
  TRY(text_check(d->correlation_id, "correlation_id", IDENTITY_MAX_BYTES, e));
  TRY(text_check(d->payload_encoding, "payload_encoding", NAME_MAX_BYTES, e));
  return text_check(d->target_scope, "target_scope", NAME_MAX_BYTES, e);
}

static uint64_t clamp_maxlen(uint64_t given) {
  if (given == 0) return MAXLEN_DEFAULT;
  return given < MAXLEN_MAX ? given : MAXLEN_MAX;
}

static struct ff_str or_empty(struct ff_str t) { return text_present(t) ? t : TEXT_LIT(""); }

/* D-1 */
static enum ff_rc signal_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_deliver_signal_args *a = args;
  struct delivery *d = prep;
  (void)arena;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &d->execution, e));
  TRY(own_uuid_parse(a->waitpoint_id, "waitpoint_id", &d->waitpoint_id, e));
  TRY(own_uuid_parse(a->signal_id, "signal_id", &d->signal_id, e));
  d->signal_name = a->signal_name;
  d->signal_category = or_empty(a->signal_category);
  d->source_type = or_empty(a->source_type);
  d->source_identity = or_empty(a->source_identity);
  d->correlation_id = a->correlation_id;
  d->idempotency_key = a->idempotency_key;
  d->target_scope = text_nonempty(a->target_scope) ? a->target_scope : TEXT_LIT("waitpoint");
  d->payload_encoding = text_nonempty(a->payload_encoding) ? a->payload_encoding : TEXT_LIT("json");
  d->payload = a->payload;
  d->created_at = a->created_at;
  d->dedup_ttl_ms = a->has_dedup_ttl ? a->dedup_ttl_ms : DEDUP_TTL_DEFAULT_MS;
  d->has_resume_delay = a->has_resume_delay;
  d->resume_delay_ms = a->resume_delay_ms;
  d->max_signals = a->max_signals_per_execution;
  d->maxlen = clamp_maxlen(a->signal_maxlen);
  TRY(check_texts(d, e));
  TRY(text_check(d->idempotency_key, "idempotency_key", IDENTITY_MAX_BYTES, e));
  if (a->payload.len <= PAYLOAD_MAX_BYTES) return FF_OK;
  return error_field(e, FF_CODE_payload_too_large, "payload", "at most %d bytes, got %zu",
                     PAYLOAD_MAX_BYTES, a->payload.len);
}

static struct signal_dedup dedup_key(const struct delivery *d) {
  return (struct signal_dedup){.partition = d->execution.partition,
                               .execution_id = d->execution.uuid,
                               .waitpoint_id = d->waitpoint_id,
                               .idempotency_key = d->idempotency_key};
}

static struct signal signal_key(const struct delivery *d) {
  return (struct signal){.partition = d->execution.partition,
                         .execution_id = d->execution.uuid,
                         .waitpoint_id = d->waitpoint_id,
                         .signal_id = d->signal_id};
}

static bool dedups(const struct delivery *d) { return d->idempotency_key.len && d->dedup_ttl_ms; }

static void signal_declare(struct declare *declare, const void *args, const void *prep) {
  const struct delivery *d = prep;
  struct signal_dedup dedup = dedup_key(d);
  struct signal sent = signal_key(d);
  declare_prepared_execution(declare, args, prep);
  declare_by_execution(declare, RECORD_KIND_policy, d->execution);
  declare_suspension(declare, d->execution);
  declare_waitpoint(declare, d->execution.partition, d->waitpoint_id);
  if (dedups(d)) declare_get(declare, RECORD_KIND_signal_dedup, &dedup);
  if (!uuid_is_nil(d->signal_id)) declare_get(declare, RECORD_KIND_signal, &sent);
  keystore_declare(declare);
}

/* ---- events (SU-50 … SU-54) ---- */

static void append_event(struct tx *tx, const struct execution *x, const struct delivery *d,
                         enum ff_signal_delivery kind, enum ff_signal_effect effect,
                         struct uuid signal_id) {
  struct event *event = execution_event(tx, x);
  event->signal_delivery = (uint8_t)kind;
  event->observed_effect = (uint8_t)effect;
  event->signal_id = signal_id;
  event->waitpoint_id = d->waitpoint_id;
  if (d->source_identity.len) event->source_identity = d->source_identity;
}

/* ---- D-9 ---- */

static enum ff_rc find_duplicate(struct tx *tx, const struct delivery *d, struct uuid *existing) {
  struct signal_dedup key = dedup_key(d);
  struct signal same = signal_key(d);
  const struct signal_dedup *entry = NULL;
  const struct signal *sent = NULL;
  if (dedups(d)) TRY(tx_get_signal_dedup(tx, &key, &entry));
  if (!uuid_is_nil(d->signal_id)) TRY(tx_get_signal(tx, &same, &sent));
  if (entry && entry->expires_at > tx_now(tx))
    *existing = entry->signal_id;
  else if (sent)
    *existing = sent->signal_id;
  return FF_OK;
}

/* ---- D-10 … D-15 ---- */

static enum ff_rc check_cap(struct tx *tx, const struct execution *x, const struct delivery *d,
                            struct ff_error *e) {
  struct policy_facts policy;
  TRY(execution_policy(tx, x, &policy, e));
  uint64_t cap = policy.max_signals ? (uint64_t)policy.max_signals : SIGNALS_DEFAULT;
  if (d->max_signals && d->max_signals < cap) cap = d->max_signals;
  if (x->signal_count < cap) return FF_OK;
  return error_set(e, FF_CODE_signal_limit_exceeded, "%llu signals per execution",
                   (unsigned long long)cap);
}

static enum ff_rc check_state(struct tx *tx, const struct execution *x, const struct waitpoint *w,
                              const struct delivery *d, struct ff_error *e) {
  bool pending = w->state == FF_waitpoint_state_pending;
  if (x->lifecycle_phase == FF_lifecycle_phase_terminal)
    return error_set(e, FF_CODE_target_not_signalable, NULL);
  if (w->state == FF_waitpoint_state_closed) return error_set(e, FF_CODE_waitpoint_closed, NULL);
  if (pending && w->expires_at <= tx_now(tx))
    return error_set(e, FF_CODE_pending_waitpoint_expired, NULL);
  TRY(check_cap(tx, x, d, e));
  if (pending && w->signal_count >= d->maxlen)
    return error_set(e, FF_CODE_signal_limit_exceeded, "%llu signals wait already",
                     (unsigned long long)w->signal_count);
  if (pending) {
    tx_valid_before(tx, w->expires_at);
    return FF_OK;
  }
  if (x->lifecycle_phase != FF_lifecycle_phase_suspended ||
      !uuid_equal(x->current_suspension_id, w->suspension_id))
    return error_set(e, FF_CODE_target_not_signalable, NULL);
  return FF_OK;
}

/* ---- D-16 … D-22 ---- */

static struct signal *insert_signal(struct tx *tx, struct execution *x, const struct delivery *d,
                                    struct uuid id) {
  struct delivery minted = *d;
  minted.signal_id = id;
  struct signal key = signal_key(&minted);
  struct signal *s = tx_insert_new_signal(tx, &key);
  s->seq = ++x->signal_seq;
  s->target_scope = d->target_scope;
  s->signal_name = d->signal_name;
  s->signal_category = d->signal_category;
  s->source_type = d->source_type;
  s->source_identity = d->source_identity;
  if (d->correlation_id.len) s->correlation_id = d->correlation_id;
  if (d->idempotency_key.len) s->idempotency_key = d->idempotency_key;
  s->created_at = d->created_at ? d->created_at : tx_now(tx);
  s->accepted_at = tx_now(tx);
  if (d->payload.len) s->payload = d->payload;
  s->payload_encoding = d->payload_encoding;
  return s;
}

static enum ff_rc remember(struct tx *tx, const struct delivery *d, struct uuid id) {
  struct signal_dedup key = dedup_key(d);
  const struct signal_dedup *old = NULL;
  if (!dedups(d)) return FF_OK;
  TRY(tx_get_signal_dedup(tx, &key, &old));
  struct signal_dedup *entry =
      old ? tx_edit_signal_dedup(tx, old) : tx_insert_signal_dedup(tx, &key);
  entry->signal_id = id;
  entry->expires_at = add_saturating(
      tx_now(tx), d->dedup_ttl_ms > INT64_MAX ? INT64_MAX : (int64_t)d->dedup_ttl_ms);
  return FF_OK;
}

static bool is_satisfier(const struct signal *s) {
  return s->observed_effect == FF_signal_effect_appended_to_waitpoint ||
         s->observed_effect == FF_signal_effect_resume_condition_satisfied ||
         s->observed_effect == FF_signal_effect_timeout_auto_resume;
}

/* D-21: the oldest that did not help go; the new one stays. */
static enum ff_rc trim(struct tx *tx, struct waitpoint *w, uint64_t maxlen) {
  struct signal from = {
      .partition = w->partition, .execution_id = w->execution_id, .waitpoint_id = w->waitpoint_id};
  struct tx_scan scan;
  if (w->retained_signal_count <= maxlen) return FF_OK;
  uint64_t extra = w->retained_signal_count - maxlen;
  TRY(tx_scan_open(tx, INDEX_signal_by_waitpoint, &from, false,
                   extra < MAXLEN_MAX ? (uint32_t)extra + 8 : MAXLEN_MAX, &scan));
  while (w->retained_signal_count > maxlen) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) return FF_OK;
    if (is_satisfier(record)) continue;
    tx_delete_signal(tx, record);
    w->retained_signal_count--;
  }
  return FF_OK;
}

static void count_signal(struct tx *tx, struct waitpoint *w, enum ff_signal_effect effect) {
  w->signal_count++;
  w->retained_signal_count++;
  w->last_signal_at = tx_now(tx);
  if (effect == FF_signal_effect_appended_to_waitpoint ||
      effect == FF_signal_effect_appended_to_waitpoint_duplicate ||
      effect == FF_signal_effect_resume_condition_satisfied)
    w->matched_signal_count++;
}

/* D-18: the condition with what it has gathered, and the signal applied to it. */
static enum ff_rc evaluate(struct tx *tx, const struct waitpoint *w, const struct delivery *d,
                           struct uuid id, struct suspension *s, enum ff_signal_effect *effect,
                           struct ff_error *e) {
  struct condition *condition;
  struct condition_signal seen = {.signal_id = id,
                                  .waitpoint_id = d->waitpoint_id,
                                  .key = w->waitpoint_key,
                                  .name = d->signal_name,
                                  .correlation_id = d->correlation_id,
                                  .source_type = d->source_type,
                                  .source_identity = d->source_identity};
  TRY(condition_load(s->resume_condition, s->progress, tx_arena(tx), &condition, e));
  *effect = condition_apply(condition, &seen, tx_arena(tx));
  s->progress = condition_progress(condition, tx_arena(tx));
  s->last_signal_at = tx_now(tx);
  return FF_OK;
}

/* D-19 */
static enum ff_rc resume(struct tx *tx, struct execution *x, struct suspension *s,
                         const struct delivery *d, struct uuid id, struct ff_error *e) {
  struct suspension_end end = {TEXT_LIT("resumed"), FF_resume_trigger_signal, true};
  uint64_t delay_ms = d->has_resume_delay ? d->resume_delay_ms
                                          : suspend_policy_delay(s->resume_policy, tx_arena(tx));
  s->closer_signal_id = id;
  return suspension_resume(tx, x, s, &end, delay_ms, d->signal_name, e);
}

static enum ff_rc accept(struct tx *tx, const struct execution *read, const struct waitpoint *seen,
                         const struct delivery *d, struct answer *r, struct ff_error *e) {
  struct uuid id = uuid_is_nil(d->signal_id) ? tx_mint_uuid(tx) : d->signal_id;
  enum ff_signal_effect effect = FF_signal_effect_buffered_for_pending_waitpoint;
  const struct suspension *open = NULL;
  bool active = seen->state == FF_waitpoint_state_active;
  if (active) TRY(suspension_get(tx, d->execution, &open));
  if (active && !suspension_is_open(open))
    return error_set(e, FF_CODE_target_not_signalable, NULL);
  struct execution *x = tx_edit_execution(tx, read);
  struct waitpoint *w = tx_edit_waitpoint(tx, seen);
  struct suspension *s = active ? tx_edit_suspension(tx, open) : NULL;
  if (active) TRY(evaluate(tx, w, d, id, s, &effect, e));
  count_signal(tx, w, effect);
  if (active) TRY(trim(tx, w, d->maxlen));
  x->signal_count++;
  insert_signal(tx, x, d, id)->observed_effect = (uint8_t)effect;
  TRY(remember(tx, d, id));
  bool satisfied = effect == FF_signal_effect_resume_condition_satisfied;
  if (satisfied) TRY(resume(tx, x, s, d, id, e));
  append_event(tx, x, d, satisfied ? FF_signal_delivery_satisfied : FF_signal_delivery_buffered,
               effect, id);
  r->outcome = FF_outcome_accepted;
  r->effect = (uint8_t)effect;
  uuid_format_id(id, &r->signal_id);
  return FF_OK;
}

/* From D-9 on. */
static enum ff_rc deliver(struct tx *tx, const struct execution *x, const struct waitpoint *w,
                          const struct delivery *d, struct answer *r, struct ff_error *e) {
  struct uuid existing = {{0}};
  TRY(find_duplicate(tx, d, &existing));
  if (!uuid_is_nil(existing)) {
    append_event(tx, x, d, FF_signal_delivery_deduped, FF_signal_effect_duplicate, existing);
    r->outcome = FF_outcome_duplicate;
    uuid_format_id(existing, &r->existing_signal_id);
    return FF_OK;
  }
  TRY(check_state(tx, x, w, d, e));
  return accept(tx, x, w, d, r, e);
}

/* ---- deliver_signal ---- */

/* H-17: stands although the call fails; at most once a second. */
static enum ff_rc stamp_failure(struct tx *tx, const struct delivery *d, enum ff_rc rc) {
  struct execution key = {.partition = d->execution.partition, .id = d->execution.uuid};
  const struct execution *x = NULL;
  TRY(tx_get_execution(tx, &key, &x));
  if (!x || tx_now(tx) - x->last_hmac_validation_failed_at < STAMP_MS) return rc;
  tx_edit_execution(tx, x)->last_hmac_validation_failed_at = tx_now(tx);
  tx_commit_on_error(tx);
  return rc;
}

static enum ff_rc signal_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct ff_deliver_signal_args *a = args;
  struct ff_deliver_signal_result *r = result;
  const struct delivery *d = prep;
  const struct execution *x = NULL;
  const struct waitpoint *w = NULL;
  struct keystore keys;
  struct answer answer = {0};
  struct ff_str token = a->waitpoint_token;
  if (token.len > TOKEN_MAX_BYTES) token = TEXT_LIT("?");
  TRY(keystore_load(tx, &keys));
  enum ff_rc verified = keystore_verify(tx, &keys, token, d->execution, d->waitpoint_id, e);
  if (verified != FF_OK) return stamp_failure(tx, d, verified);
  TRY(execution_load(tx, d->execution, &x, e));
  TRY(waitpoint_get(tx, d->execution.partition, d->waitpoint_id, &w));
  if (!w || !uuid_equal(w->execution_id, x->id))
    return error_set(e, FF_CODE_waitpoint_closed, NULL);
  TRY(deliver(tx, x, w, d, &answer, e));
  r->outcome = answer.outcome;
  r->effect = answer.effect;
  r->signal_id = answer.signal_id;
  r->existing_signal_id = answer.existing_signal_id;
  return FF_OK;
}

const struct op_code op_code_deliver_signal = {sizeof(struct delivery), signal_prepare,
                                               signal_declare, signal_run};

/* ---- deliver_approval_signal ---- */

enum { SUFFIX_MAX_BYTES = 480 };

static enum ff_rc approval_prepare(const struct op_config *config, const void *args, void *prep,
                                   struct arena *arena, struct ff_error *e) {
  const struct ff_deliver_approval_signal_args *a = args;
  struct delivery *d = prep;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &d->execution, e));
  TRY(own_uuid_parse(a->waitpoint_id, "waitpoint_id", &d->waitpoint_id, e));
  TRY(lane_check(a->lane_id, "lane_id", e));
  d->signal_name = a->signal_name;
  d->signal_category = TEXT_LIT("approval");
  d->source_type = TEXT_LIT("operator");
  d->source_identity = or_empty(a->source_identity);
  d->target_scope = TEXT_LIT("execution");
  d->payload_encoding = TEXT_LIT("json");
  d->dedup_ttl_ms = a->signal_dedup_ttl_ms;
  d->max_signals = a->max_signals_per_execution;
  d->maxlen = clamp_maxlen(a->signal_maxlen);
  TRY(check_texts(d, e));
  TRY(text_check(a->idempotency_suffix, "idempotency_suffix", SUFFIX_MAX_BYTES, e));
  if (a->signal_name.len + a->idempotency_suffix.len > SUFFIX_MAX_BYTES)
    return error_field(e, FF_CODE_invalid_input, "idempotency_suffix",
                       "with the name at most %d bytes", SUFFIX_MAX_BYTES);
  d->idempotency_key = arena_printf(arena, "approval:" TEXT_FMT ":" TEXT_FMT,
                                    TEXT_ARG(a->signal_name), TEXT_ARG(a->idempotency_suffix));
  return FF_OK;
}

static enum ff_rc approval_run(struct tx *tx, const void *args, const void *prep, void *result,
                               struct ff_error *e) {
  const struct ff_deliver_approval_signal_args *a = args;
  struct ff_deliver_approval_signal_result *r = result;
  const struct delivery *d = prep;
  const struct execution *x = NULL;
  const struct waitpoint *w = NULL;
  struct keystore keys;
  struct answer answer = {0};
  TRY(execution_load(tx, d->execution, &x, e));
  if (!text_equal(x->lane_id, a->lane_id))
    return error_field(e, FF_CODE_invalid_input, "lane_id",
                       "lane_mismatch: args.lane_id=" TEXT_FMT " execution.lane_id=" TEXT_FMT,
                       TEXT_ARG(a->lane_id), TEXT_ARG(x->lane_id));
  TRY(waitpoint_get(tx, d->execution.partition, d->waitpoint_id, &w));
  if (!w || !uuid_equal(w->execution_id, x->id))
    return error_set(e, FF_CODE_waitpoint_not_found, NULL);
  TRY(keystore_load(tx, &keys));
  TRY(waitpoint_check_token(tx, &keys, w, e));
  TRY(deliver(tx, x, w, d, &answer, e));
  r->outcome = answer.outcome;
  r->effect = answer.effect;
  r->signal_id = answer.signal_id;
  r->existing_signal_id = answer.existing_signal_id;
  return FF_OK;
}

const struct op_code op_code_deliver_approval_signal = {sizeof(struct delivery), approval_prepare,
                                                        signal_declare, approval_run};
