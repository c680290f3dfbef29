/*
 * create_execution and submit: checks of 02 L-50 … L-54, effects L-55 … L-60.
 *
 * Writes the execution, its payload, policy and idempotency records, and one event per tag. It
 * never registers a lane or a requirement set: those are global records, a step of their own before
 * this one (00 OC-1), and op_create_needs says which.
 */
#include "op/create.h"

enum {
  TAGS_MAX_BYTES = 16 * 1024,    /* of one create, keys and values together */
  POLICY_MAX_BYTES = 256 * 1024, /* far above any policy the member limits allow */
  PRIORITY_MAX = 9000            /* 01 PO-9 */
};
#define DEDUP_WINDOW_DEFAULT_MS INT64_C(86400000)

/* ---- arguments ---- */

static struct ff_str lane_or_default(struct ff_str lane) {
  return text_present(lane) ? lane : TEXT_LIT("default");
}

static struct ff_create_execution_args submit_as_create(const struct ff_submit_args *a) {
  return (struct ff_create_execution_args){
      .size = sizeof(struct ff_create_execution_args),
      .namespace_ = a->namespace_,
      .lane_id = a->lane_id,
      .execution_kind = a->execution_kind,
      .input_payload = a->input_payload,
      .payload_encoding = a->payload_encoding,
      .priority = a->priority,
      .creator_identity = a->creator_identity,
      .idempotency_key = a->idempotency_key,
      .tags = a->tags,
      .policy = a->policy,
      .delay_until = a->delay_until,
      .deadline_at = a->deadline_at,
  };
}

static enum ff_rc check_tags(struct ff_pairs tags, struct ff_error *e) {
  size_t total = 0;
  for (size_t i = 0; i < tags.count; i++) {
    TRY(text_check(tags.items[i].key, "tags", NAME_MAX_BYTES, e));
    TRY(text_check(tags.items[i].value, "tags", TAG_VALUE_MAX_BYTES, e));
    total += tags.items[i].key.len + tags.items[i].value.len;
  }
  if (total > TAGS_MAX_BYTES)
    return error_field(e, FF_CODE_invalid_input, "tags", "%zu bytes, limit %d", total,
                       TAGS_MAX_BYTES);
  return FF_OK;
}

enum ff_rc create_check(const struct op_config *config, const struct ff_create_execution_args *a,
                        struct create_prep *p, struct arena *arena, struct ff_error *e) {
  p->lane = lane_or_default(a->lane_id);
  TRY(lane_check(p->lane, "lane_id", e));
  TRY(text_check(a->namespace_, "namespace", NAME_MAX_BYTES, e));
  TRY(text_check(a->execution_kind, "execution_kind", NAME_MAX_BYTES, e));
  TRY(text_check(a->payload_encoding, "payload_encoding", NAME_MAX_BYTES, e));
  TRY(text_check(a->creator_identity, "creator_identity", NAME_MAX_BYTES, e));
  TRY(text_check(a->idempotency_key, "idempotency_key", NAME_MAX_BYTES, e));
  TRY(check_tags(a->tags, e));
  if (a->input_payload.len > config->max_input_payload_bytes) {
    enum ff_rc rc = error_field(e, FF_CODE_payload_too_large, "input_payload", "%zu bytes",
                                a->input_payload.len);
    error_context(e, "limit_bytes", "%llu", (unsigned long long)config->max_input_payload_bytes);
    return rc;
  }
  if (a->policy.len > POLICY_MAX_BYTES)
    return error_field(e, FF_CODE_invalid_input, "policy", "%zu bytes, limit %d", a->policy.len,
                       POLICY_MAX_BYTES);
  return policy_parse(a->policy, arena, &p->policy, e);
}

static enum ff_rc create_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_create_execution_args *a = args;
  struct create_prep *p = prep;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  return create_check(config, a, p, arena, e);
}

static enum ff_rc submit_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  struct ff_create_execution_args a = submit_as_create(args);
  struct create_prep *p = prep;
  TRY(create_check(config, &a, p, arena, e));
  p->id.partition = partition_of_lane(p->lane, config->flow_partitions);
  return FF_OK;
}

enum ff_rc op_create_needs(enum op_id op, const void *args, struct arena *arena,
                           struct ff_str *lane, struct ff_str *requirement, struct ff_error *e) {
  INVARIANT(op == OP_create_execution || op == OP_submit);
  const struct ff_create_execution_args *create = args;
  const struct ff_submit_args *submit = args;
  *lane = lane_or_default(op == OP_submit ? submit->lane_id : create->lane_id);
  *requirement = TEXT_LIT("");
  struct exec_id id; /* judged first (L-6); its partition is the create's to check */
  if (op == OP_create_execution)
    TRY(exec_id_parse(create->execution_id, "execution_id", UINT16_MAX + 1, &id, e));
  TRY(lane_check(*lane, "lane_id", e));
  struct ff_str policy = op == OP_submit ? submit->policy : create->policy;
  if (policy.len == 0) return FF_OK;
  struct policy_facts facts = {0};
  TRY(policy_parse(policy, arena, &facts, e));
  if (text_nonempty(facts.required_capabilities)) *requirement = facts.required_capabilities;
  return FF_OK;
}

/* ---- what is read ---- */

static struct idempotency idempotency_key(const struct ff_create_execution_args *a,
                                          uint16_t partition) {
  return (struct idempotency){
      .partition = partition,
      .namespace_ = text_present(a->namespace_) ? a->namespace_ : TEXT_LIT(""),
      .idempotency_key = a->idempotency_key};
}

static void declare_common(struct declare *d, const struct ff_create_execution_args *a,
                           const struct create_prep *p) {
  declare_get(d, RECORD_KIND_lane, &(struct lane){.lane_id = p->lane});
  if (!text_nonempty(a->idempotency_key)) return;
  struct idempotency key = idempotency_key(a, p->id.partition);
  declare_get(d, RECORD_KIND_idempotency, &key);
}

static void create_declare(struct declare *d, const void *args, const void *prep) {
  const struct create_prep *p = prep;
  declare_execution(d, p->id);
  declare_common(d, args, p);
}

static void submit_declare(struct declare *d, const void *args, const void *prep) {
  struct ff_create_execution_args a = submit_as_create(args);
  declare_common(d, &a, prep);
}

/* L-54, second half: judged after the duplicate checks, so that a repeat of an accepted create
 * still answers duplicate. An absent lane counts as active: it is registered before a create. */
enum ff_rc create_check_lane(struct tx *tx, struct ff_str lane_id, struct ff_error *e) {
  const struct lane *lane = NULL;
  TRY(tx_get_lane(tx, &(struct lane){.lane_id = lane_id}, &lane));
  enum ff_lane_state state = lane ? lane->lane_state : FF_lane_state_active;
  if (state != FF_lane_state_draining && state != FF_lane_state_disabled) return FF_OK;
  enum ff_rc rc = error_field(e, FF_CODE_lane_not_accepting, "lane_id", "lane is %s",
                              ff_word(FF_WORD_lane_state, state));
  error_context(e, "lane_id", TEXT_FMT, TEXT_ARG(lane->lane_id));
  error_context(e, "state", "%s", ff_word(FF_WORD_lane_state, state));
  return rc;
}

/* ---- effects ---- */

static void set_policy_facts(struct tx *tx, struct execution *x, const struct policy_facts *f,
                             struct ff_str json) {
  if (!f->present) return;
  x->has_policy = 1;
  if (text_nonempty(f->required_capabilities)) x->required_capabilities = f->required_capabilities;
  x->policy_attempt_timeout_ms = f->attempt_timeout_ms;
  x->policy_auto_reclaim_delay_ms = f->auto_reclaim_delay_ms;
  x->policy_retention_ms = f->retention_ms;
  x->policy_max_reclaim_count = f->max_reclaim_count;
  x->policy_max_replay_count = f->max_replay_count;
  x->budget_ids = f->budget_ids;
  x->quota_policy_id = f->quota_policy_id;
  tx_insert_new_policy(tx, EXECUTION_KEY(policy, execution_id_of(x)))->json = json;
}

static void set_payload(struct tx *tx, struct execution *x, struct ff_bytes payload) {
  if (payload.len <= tx_config(tx)->inline_bytes) {
    x->payload = payload;
    return;
  }
  x->payload_external = 1;
  tx_insert_new_payload(tx, EXECUTION_KEY(payload, execution_id_of(x)))->data = payload;
}

/* L-57: the earlier of the two; a time already past is kept: the tick ends the execution. */
static int64_t deadline_of(const struct ff_create_execution_args *a, const struct policy_facts *f,
                           int64_t now) {
  int64_t of_policy =
      f->execution_deadline_ms > 0 ? add_saturating(now, f->execution_deadline_ms) : 0;
  if (a->deadline_at == 0 || of_policy == 0) return a->deadline_at ? a->deadline_at : of_policy;
  return a->deadline_at < of_policy ? a->deadline_at : of_policy;
}

/* L-56. */
static void enter_queue(struct tx *tx, struct execution *x, int64_t delay_until) {
  struct execution_vector v = {.phase = FF_lifecycle_phase_runnable,
                               .eligibility = FF_eligibility_state_eligible_now,
                               .blocking = FF_blocking_reason_waiting_for_worker,
                               .attempt = FF_attempt_state_pending_first_attempt};
  struct ff_str detail = {0};
  if (delay_until > tx_now(tx)) {
    x->delay_until = delay_until;
    v.eligibility = FF_eligibility_state_not_eligible_until_time;
    v.blocking = FF_blocking_reason_waiting_for_delay;
    detail = arena_printf(tx_arena(tx), "delayed until %lld", (long long)delay_until);
  }
  execution_move(tx, x, v, detail);
}

static void append_tag_events(struct tx *tx, const struct execution *x) {
  struct ff_pairs tags = tags_decode(tx_arena(tx), x->tags); /* unique and sorted (05 SU-60) */
  for (size_t i = 0; i < tags.count; i++) {
    struct event *event = execution_event(tx, x);
    event->tag_key = tags.items[i].key;
    event->tag_value = tags.items[i].value;
  }
}

void create_fill(struct tx *tx, struct execution *x, const struct ff_create_execution_args *a,
                 const struct create_prep *p) {
  int64_t now = tx_now(tx);
  x->namespace_ = a->namespace_;
  x->lane_id = p->lane;
  x->execution_kind = a->execution_kind;
  x->creator_identity = a->creator_identity;
  x->required_capabilities = TEXT_LIT("");
  x->created_at = now;
  x->payload_encoding = a->payload_encoding;
  x->priority = a->priority < 0 ? 0 : a->priority > PRIORITY_MAX ? PRIORITY_MAX : a->priority;
  x->execution_deadline_at = deadline_of(a, &p->policy, now);
  if (text_nonempty(a->idempotency_key)) x->idempotency_key = a->idempotency_key;
  set_payload(tx, x, a->input_payload);
  set_policy_facts(tx, x, &p->policy, a->policy);
  enter_queue(tx, x, a->delay_until ? a->delay_until : p->policy.delay_until);
  if (a->tags.count == 0) return;
  x->tags = tags_encode(tx_arena(tx), a->tags);
  append_tag_events(tx, x);
}

/* L-59. A dead entry is taken over, so that its row is never removed and inserted in one step. */
static void remember(struct tx *tx, const struct execution *x, const struct idempotency *key,
                     const struct idempotency *found, int64_t window_ms) {
  struct idempotency *entry =
      found ? tx_edit_idempotency(tx, found) : tx_insert_idempotency(tx, key);
  entry->execution_id = x->id;
  entry->expires_at =
      add_saturating(tx_now(tx), window_ms > 0 ? window_ms : DEDUP_WINDOW_DEFAULT_MS);
}

static void answer(struct ff_create_execution_result *r, enum ff_outcome outcome,
                   struct exec_id id) {
  r->outcome = (uint8_t)outcome;
  exec_id_format(id, &r->execution_id);
}

/* fresh_id: the uuid was minted in this run, no record can have it. */
static enum ff_rc create(struct tx *tx, const struct ff_create_execution_args *a,
                         const struct create_prep *p, struct exec_id id, bool fresh_id,
                         struct ff_create_execution_result *r, struct ff_error *e) {
  bool with_key = text_nonempty(a->idempotency_key);
  struct idempotency key = idempotency_key(a, id.partition);
  const struct idempotency *earlier = NULL;
  const struct execution *existing = NULL;
  if (with_key) TRY(tx_get_idempotency(tx, &key, &earlier));
  if (earlier && tx_now(tx) < earlier->expires_at) {
    answer(r, FF_outcome_duplicate, (struct exec_id){id.partition, earlier->execution_id});
    return FF_OK;
  }
  struct execution at = {.partition = id.partition, .id = id.uuid};
  if (!fresh_id) TRY(tx_get_execution(tx, &at, &existing));
  if (existing) {
    answer(r, FF_outcome_duplicate, id);
    return FF_OK;
  }
  TRY(create_check_lane(tx, p->lane, e));

  struct execution *x = fresh_id ? tx_insert_new_execution(tx, &at) : tx_insert_execution(tx, &at);
  create_fill(tx, x, a, p);
  if (with_key) remember(tx, x, &key, earlier, p->policy.dedup_window_ms);
  answer(r, FF_outcome_created, id);
  r->public_state = (uint8_t)execution_public_state(x);
  return FF_OK;
}

static enum ff_rc create_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct create_prep *p = prep;
  return create(tx, args, p, p->id, false, result, e);
}

static enum ff_rc submit_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct create_prep *p = prep;
  struct ff_create_execution_args a = submit_as_create(args);
  struct ff_create_execution_result created = {0};
  struct exec_id id = {p->id.partition, tx_mint_uuid(tx)};
  TRY(create(tx, &a, p, id, true, &created, e));
  struct ff_submit_result *r = result;
  r->outcome = created.outcome;
  r->execution_id = created.execution_id;
  r->public_state = created.public_state;
  return FF_OK;
}

const struct op_code op_code_create_execution = {
    sizeof(struct create_prep), create_prepare, create_declare, create_run};
const struct op_code op_code_submit = {
    sizeof(struct create_prep), submit_prepare, submit_declare, submit_run};
