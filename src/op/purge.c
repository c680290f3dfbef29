/*
 * What retention and the due index need: purge_execution, drop_idempotency, list_due,
 * list_stale_idempotency (02 §18, DESIGN §10 time).
 *
 * A purge removes an execution and all that hangs on it, re-checking phase and time in its own
 * transaction, so that a replay in between wins (L-180). Published events stay (L-181).
 */
#include "op/execution.h"

/* ---- purge_execution ---- */

static enum ff_rc purge_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct purge_execution_args *a = args;
  (void)prep, (void)arena;
  if (a->execution.partition < config->flow_partitions) return FF_OK;
  return error_field(e, FF_CODE_invalid_input, "execution_id",
                     "partition index %u out of range (num_flow_partitions=%u)",
                     a->execution.partition, config->flow_partitions);
}

static void purge_declare(struct declare *d, const void *args, const void *prep) {
  (void)prep;
  declare_execution(d, ((const struct purge_execution_args *)args)->execution);
}

/* L-151: an override of the policy stands; without one the caller's retention, if any, decides. */
static bool purge_due(const struct tx *tx, const struct execution *x, int64_t retention_ms) {
  if (x->lifecycle_phase != FF_lifecycle_phase_terminal) return false;
  if (retention_ms < 0 || x->policy_retention_ms >= 0)
    return execution_purge_at(x, tx_config(tx)) <= tx_now(tx);
  return add_saturating(x->completed_at, retention_ms) <= tx_now(tx);
}

struct attachments {
  const struct payload *payload;
  const struct result *result;
  const struct policy *policy;
  const struct grant *grant;
};

static void note(enum ff_rc rc, enum ff_rc *worst) {
  if (rc != FF_OK && *worst != FF_MISS) *worst = rc;
}

/* Asks for everything before it answers FF_MISS: one round. */
static enum ff_rc load_attachments(struct tx *tx, const struct execution *x,
                                   struct attachments *at) {
  struct exec_id id = execution_id_of(x);
  enum ff_rc worst = FF_OK;
  if (execution_has_payload_record(x))
    note(tx_get_payload(tx, EXECUTION_KEY(payload, id), &at->payload), &worst);
  if (x->result_external)
    note(tx_get_result(tx, EXECUTION_KEY(result, id), &at->result), &worst);
  if (x->has_policy) note(tx_get_policy(tx, EXECUTION_KEY(policy, id), &at->policy), &worst);
  if (x->grant_expires_at) note(tx_get_grant(tx, EXECUTION_KEY(grant, id), &at->grant), &worst);
  return worst;
}

/* Rows exist for the attempts that a later one replaced: fewer than total_attempt_count. */
static enum ff_rc open_attempts(struct tx *tx, const struct execution *x, struct tx_scan *scan) {
  struct attempt from = {.partition = x->partition, .execution_id = x->id};
  return tx_scan_open(tx, INDEX_attempt_by_execution, &from, false, x->total_attempt_count, scan);
}

#define PURGE_FRAMES_AT_ONCE 1000 /* rows a load; more are asked for as they are needed */

static enum ff_rc delete_all_of(struct tx *tx, struct tx_scan *scan, enum record_kind kind) {
  for (;;) {
    const void *record = NULL;
    TRY(tx_scan_next(scan, &record));
    if (!record) return FF_OK;
    tx_delete(tx, kind, record);
  }
}

/* Streams, documents and frames, however many: all of an execution goes in one transaction. */
static enum ff_rc delete_streams(struct tx *tx, const struct execution *x) {
  struct stream stream_from = {.partition = x->partition, .execution_id = x->id};
  struct summary summary_from = {.partition = x->partition, .execution_id = x->id};
  struct frame frame_from = {.partition = x->partition, .execution_id = x->id};
  uint32_t attempts = x->total_attempt_count + 1;
  struct tx_scan streams, summaries, frames;
  enum ff_rc worst = FF_OK;
  note(tx_scan_open(tx, INDEX_stream_by_execution, &stream_from, false, attempts, &streams),
       &worst);
  note(tx_scan_open(tx, INDEX_summary_by_execution, &summary_from, false, attempts, &summaries),
       &worst);
  note(tx_scan_open(tx, INDEX_frame_by_execution, &frame_from, false, PURGE_FRAMES_AT_ONCE,
                    &frames),
       &worst);
  TRY(worst);
  TRY(delete_all_of(tx, &streams, RECORD_KIND_stream));
  TRY(delete_all_of(tx, &summaries, RECORD_KIND_summary));
  return delete_all_of(tx, &frames, RECORD_KIND_frame);
}

#define PURGE_SIGNALS_AT_ONCE 20000

static uint32_t at_once(uint64_t count) {
  return count < PURGE_SIGNALS_AT_ONCE ? (uint32_t)count + 1 : PURGE_SIGNALS_AT_ONCE;
}

/* Suspension, waitpoints, signals and what remembers them; how many there are is known. */
static enum ff_rc delete_waiting(struct tx *tx, const struct execution *x) {
  struct suspension key = {.partition = x->partition, .execution_id = x->id};
  struct waitpoint waitpoint = {.partition = x->partition, .execution_id = x->id};
  struct signal signal = {.partition = x->partition, .execution_id = x->id};
  struct signal_dedup dedup = {.partition = x->partition, .execution_id = x->id};
  struct suspend_replay replay = {.partition = x->partition, .execution_id = x->id};
  uint32_t count = at_once(x->waitpoint_count), sent = at_once(x->signal_seq);
  const struct suspension *suspension = NULL;
  struct tx_scan waitpoints, signals, dedups, replays;
  enum ff_rc worst = FF_OK;
  note(tx_get_suspension(tx, &key, &suspension), &worst);
  note(tx_scan_open(tx, INDEX_waitpoint_by_execution, &waitpoint, false, count, &waitpoints),
       &worst);
  note(tx_scan_open(tx, INDEX_signal_by_execution, &signal, false, sent, &signals), &worst);
  note(tx_scan_open(tx, INDEX_signal_dedup_by_execution, &dedup, false, sent, &dedups), &worst);
  note(tx_scan_open(tx, INDEX_suspend_replay_by_execution, &replay, false, count, &replays),
       &worst);
  TRY(worst);
  if (suspension) tx_delete_suspension(tx, suspension);
  TRY(delete_all_of(tx, &waitpoints, RECORD_KIND_waitpoint));
  TRY(delete_all_of(tx, &signals, RECORD_KIND_signal));
  TRY(delete_all_of(tx, &dedups, RECORD_KIND_signal_dedup));
  return delete_all_of(tx, &replays, RECORD_KIND_suspend_replay);
}

static enum ff_rc delete_all(struct tx *tx, const struct execution *x) {
  struct attachments at = {0};
  struct tx_scan scan;
  bool archived = x->total_attempt_count > 1;
  enum ff_rc worst = load_attachments(tx, x, &at);
  if (archived) note(open_attempts(tx, x, &scan), &worst);
  TRY(worst);
  if (archived) TRY(delete_all_of(tx, &scan, RECORD_KIND_attempt));
  if (x->has_stream) TRY(delete_streams(tx, x));
  if (x->waitpoint_count) TRY(delete_waiting(tx, x));
  if (at.payload) tx_delete_payload(tx, at.payload);
  if (at.result) tx_delete_result(tx, at.result);
  if (at.policy) tx_delete_policy(tx, at.policy);
  if (at.grant) tx_delete_grant(tx, at.grant);
  tx_delete_execution(tx, x);
  return FF_OK;
}

static enum ff_rc purge_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct purge_execution_args *a = args;
  struct purge_execution_result *r = result;
  const struct execution *x = NULL;
  (void)prep, (void)e;
  struct execution key = {.partition = a->execution.partition, .id = a->execution.uuid};
  TRY(tx_get_execution(tx, &key, &x));
  if (!x)
    r->outcome = FF_outcome_not_found;
  else if (!purge_due(tx, x, a->retention_ms))
    r->outcome = FF_outcome_not_due;
  else {
    TRY(delete_all(tx, x));
    r->outcome = FF_outcome_purged;
  }
  return FF_OK;
}

const struct op_code op_code_purge_execution = {0, purge_prepare, purge_declare, purge_run};

/* ---- drop_idempotency ---- */

static struct idempotency entry_key(const struct drop_idempotency_args *a) {
  return (struct idempotency){.partition = a->partition,
                              .namespace_ = a->namespace_,
                              .idempotency_key = a->idempotency_key};
}

static enum ff_rc drop_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  (void)config, (void)args, (void)prep, (void)arena, (void)e;
  return FF_OK;
}

static void drop_declare(struct declare *d, const void *args, const void *prep) {
  struct idempotency key = entry_key(args);
  (void)prep;
  declare_get(d, RECORD_KIND_idempotency, &key);
}

static enum ff_rc drop_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  struct drop_idempotency_result *r = result;
  struct idempotency key = entry_key(args);
  const struct idempotency *entry = NULL;
  (void)prep, (void)e;
  TRY(tx_get_idempotency(tx, &key, &entry));
  if (!entry)
    r->outcome = FF_outcome_not_found;
  else if (tx_now(tx) < entry->expires_at)
    r->outcome = FF_outcome_not_due;
  else {
    tx_delete_idempotency(tx, entry);
    r->outcome = FF_outcome_purged;
  }
  return FF_OK;
}

const struct op_code op_code_drop_idempotency = {0, drop_prepare, drop_declare, drop_run};

/* ---- list_due ---- */

/* Stored due times rest on the configuration of the process that wrote them. What is not due by ours
 * is listed as stale, so that refresh_due can put it where it belongs. */

static enum ff_rc list_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  (void)config, (void)args, (void)prep, (void)arena, (void)e;
  return FF_OK;
}

static struct execution due_start(const struct list_due_args *a) {
  if (!a->after) return (struct execution){0};
  return (struct execution){.next_due_at = a->after->stored_at,
                            .partition = a->after->execution.partition,
                            .id = a->after->execution.uuid};
}

static void due_declare(struct declare *d, const void *args, const void *prep) {
  const struct list_due_args *a = args;
  struct execution from = due_start(a);
  (void)prep;
  declare_scan(d, INDEX_execution_due, &from, a->after, a->limit + 1);
}

static void see_next_due(struct list_due_result *r, int64_t due_at) {
  if (due_at < r->next_due_at) r->next_due_at = due_at;
}

static enum ff_rc due_run(struct tx *tx, const void *args, const void *prep, void *result,
                          struct ff_error *e) {
  const struct list_due_args *a = args;
  struct list_due_result *r = result;
  struct due_item *items = ARENA_ARRAY(tx_arena(tx), struct due_item, a->limit);
  struct execution from = due_start(a);
  struct tx_scan scan;
  (void)prep, (void)e;
  r->now = tx_now(tx);
  r->next_due_at = INT64_MAX;
  TRY(tx_scan_open(tx, INDEX_execution_due, &from, a->after, a->limit + 1, &scan));
  while (r->count < a->limit) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    const struct execution *x = record;
    if (x->next_due_at > r->now) {
      see_next_due(r, x->next_due_at);
      break;
    }
    int64_t due_at = INT64_MAX;
    enum due_kind kind = execution_due(x, tx_config(tx), &due_at);
    if (due_at > r->now) {
      kind = DUE_STALE;
      see_next_due(r, due_at);
    }
    items[r->count++] = (struct due_item){execution_id_of(x), kind, due_at, x->next_due_at};
  }
  r->items = items;
  return FF_OK;
}

const struct op_code op_code_list_due = {0, list_prepare, due_declare, due_run};

/* ---- refresh_due ---- */

static void refresh_declare(struct declare *d, const void *args, const void *prep) {
  const struct refresh_due_args *a = args;
  (void)prep;
  declare_execution(d, a->execution);
}

static enum ff_rc refresh_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  const struct refresh_due_args *a = args;
  struct refresh_due_result *r = result;
  const struct execution *x = NULL;
  struct execution key = {.partition = a->execution.partition, .id = a->execution.uuid};
  (void)prep, (void)e;
  TRY(tx_get_execution(tx, &key, &x));
  r->outcome = x ? FF_outcome_updated : FF_outcome_not_found;
  if (!x) return FF_OK;
  struct execution *edit = tx_edit_execution(tx, x); /* sealing derives next_due_at */
  if (edit->purge_at) edit->purge_at = execution_purge_at(edit, tx_config(tx));
  return FF_OK;
}

const struct op_code op_code_refresh_due = {0, list_prepare, refresh_declare, refresh_run};

/* ---- list_stale_idempotency ---- */

static void stale_declare(struct declare *d, const void *args, const void *prep) {
  const struct list_stale_idempotency_args *a = args;
  (void)prep;
  declare_scan(d, INDEX_idempotency_expiry, &(struct idempotency){0}, false, a->limit);
}

static enum ff_rc stale_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct list_stale_idempotency_args *a = args;
  struct list_stale_idempotency_result *r = result;
  const struct idempotency **items =
      ARENA_ARRAY(tx_arena(tx), const struct idempotency *, a->limit);
  struct tx_scan scan;
  (void)prep, (void)e;
  TRY(tx_scan_open(tx, INDEX_idempotency_expiry, &(struct idempotency){0}, false, a->limit,
                   &scan));
  while (r->count < a->limit) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    const struct idempotency *entry = record;
    if (!entry || entry->expires_at > tx_now(tx)) break;
    items[r->count++] = entry;
  }
  r->items = items;
  return FF_OK;
}

const struct op_code op_code_list_stale_idempotency = {0, list_prepare, stale_declare, stale_run};
