/*
 * The transactions of cancelling a flow: flip_flow, drain_flow, ack_cancel_member, and the reads of
 * what is owed (04 §14.2, §14.5).
 *
 * A flow of at most FLOW_STEPS_MAX members is cancelled with the flip. Of a larger one the flip writes
 * a backlog record; members behind its after_execution_id are owed, and drained in id order. Members
 * that cannot be read are remembered one by one and left to the next start of an engine.
 */
#include "op/flow_cancel.h"
#include "op/flow_state.h"

#include "base/json.h"
#include "flowfabric/flow_cancel.h"

enum {
  REASON_MAX_BYTES = 65536,
  GRACE_MS = 30000 /* before other processes look after a backlog (FB-4) */
};

/* ---- arguments ---- */

/* FX-1 */
static enum ff_rc parse_policy(struct ff_str text, uint8_t *policy, struct ff_error *e) {
  if (text_equal_c(text, "cancel_flow_only")) text = TEXT_LIT("flow_only");
  int word = ff_word_parse(FF_WORD_flow_cancel_policy, text);
  if (word > 0) {
    *policy = (uint8_t)word;
    return FF_OK;
  }
  return error_field(e, FF_CODE_invalid_input, "cancellation_policy",
                     "unknown cancellation_policy: " TEXT_FMT, TEXT_ARG(text));
}

struct flip_prep {
  struct flow_id flow; /* first */
  uint8_t policy;
};

static enum ff_rc flip_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct flip_flow_args *a = args;
  struct flip_prep *p = prep;
  (void)arena;
  TRY(flow_id_parse(a->flow_id, config, &p->flow, e));
  TRY(text_check(a->reason, "reason", REASON_MAX_BYTES, e));
  return parse_policy(a->cancellation_policy, &p->policy, e);
}

static struct flow_member members_behind(struct flow_id id, struct uuid after) {
  return (struct flow_member){
      .partition = id.partition, .flow_id = id.uuid, .execution_id = after};
}

static void flip_declare(struct declare *d, const void *args, const void *prep) {
  struct flow_id id = *(const struct flow_id *)prep;
  struct flow_member from = members_behind(id, (struct uuid){{0}});
  (void)args;
  declare_flow(d, id);
  declare_get(d, RECORD_KIND_cancel_backlog, FLOW_KEY(cancel_backlog, id));
  declare_scan(d, INDEX_flow_member_by_flow, &from, false, FLOW_STEPS_MAX + 1);
}

/* ---- cancelling a stretch of members ---- */

struct stretch {
  uint32_t looked_at, cancelled;
  struct uuid last; /* looked at */
  bool ended;       /* nothing lies behind it */
  uint32_t unreadable_count;
  struct uuid unreadable[FLOW_STEPS_MAX];
};

/* Looks at up to FLOW_STEPS_MAX members behind `after`. All of them ask for what they need before
 * FF_MISS is handed up: the rounds do not grow with their number. */
static enum ff_rc cancel_stretch(struct tx *tx, const struct flow *f, bool behind,
                                 struct uuid after, struct stretch *s) {
  struct flow_member from = members_behind(flow_id_of(f), after);
  struct tx_scan scan;
  bool missed = false;
  TRY(tx_scan_open(tx, INDEX_flow_member_by_flow, &from, behind, FLOW_STEPS_MAX + 1, &scan));
  while (s->looked_at < FLOW_STEPS_MAX) {
    const void *record = NULL;
    const struct execution *x = NULL;
    TRY(tx_scan_next(&scan, &record));
    s->ended = !record;
    if (!record) break;
    const struct flow_member *m = record;
    s->looked_at++;
    s->last = m->execution_id;
    if (m->last_outcome != FF_terminal_outcome_none) continue;
    struct execution key = {.partition = m->partition, .id = m->execution_id};
    enum ff_rc rc = tx_get_execution(tx, &key, &x);
    bool cancels = rc == FF_OK && x && flow_cancels(f, x);
    if (cancels) rc = flow_cancel_member(tx, f, x);
    if (cancels && rc == FF_OK) s->cancelled++;
    if (rc == FF_UNREADABLE)
      s->unreadable[s->unreadable_count++] = m->execution_id;
    else if (rc == FF_MISS)
      missed = true;
    else if (rc != FF_OK)
      return rc;
  }
  return missed ? FF_MISS : FF_OK;
}

static enum ff_rc owe_unreadable(struct tx *tx, struct flow_id id, const struct stretch *s) {
  for (uint32_t i = 0; i < s->unreadable_count; i++) {
    struct pending_cancel key = {
        .partition = id.partition, .flow_id = id.uuid, .execution_id = s->unreadable[i]};
    const struct pending_cancel *known = NULL;
    TRY(tx_get_pending_cancel(tx, &key, &known));
    if (!known) tx_insert_pending_cancel(tx, &key);
  }
  return FF_OK;
}

/* ---- flip_flow ---- */

static void request_event(struct tx *tx, const struct flow *f, uint8_t escalated_from) {
  struct buffer details;
  buffer_init(&details);
  buffer_append_c(&details, "{\"cancellation_policy\":\"");
  buffer_append_c(&details, ff_word(FF_WORD_flow_cancel_policy, f->cancellation_policy));
  buffer_printf(&details, "\",\"member_count\":%u", f->node_count);
  if (text_nonempty(f->cancel_reason)) {
    buffer_append_c(&details, ",\"reason\":");
    json_write_text(&details, f->cancel_reason);
  }
  if (escalated_from)
    buffer_printf(&details, ",\"escalated_from\":\"%s\"",
                  ff_word(FF_WORD_flow_cancel_policy, escalated_from));
  buffer_append_char(&details, '}');
  struct event *event = tx_append_event(tx);
  event->at = tx_now(tx);
  event->partition = f->partition;
  event->namespace_ = f->namespace_;
  event->flow_id = f->flow_id;
  event->operator_event = FF_operator_event_flow_cancel_requested;
  event->details = arena_text(tx_arena(tx), buffer_text(&details));
  buffer_fini(&details);
}

/* FX-2, and FX-9 of one that is cancelled already. */
static struct flow *seal(struct tx *tx, const struct flow *read, uint8_t policy,
                         struct ff_str reason) {
  struct flow *f = tx_edit_flow(tx, read);
  bool first = read->state == FF_flow_state_open;
  f->state = FF_flow_state_cancelled;
  f->cancellation_policy = policy;
  f->last_mutation_at = tx_now(tx);
  if (first) f->cancelled_at = tx_now(tx);
  if (text_nonempty(reason)) f->cancel_reason = reason;
  request_event(tx, f, first ? 0 : read->cancellation_policy);
  return f;
}

/* From the first member on, whatever an earlier, weaker cancel has looked at. */
static void owe_all(struct tx *tx, const struct cancel_backlog *backlog, struct flow_id id) {
  struct cancel_backlog *b = backlog ? tx_edit_cancel_backlog(tx, backlog)
                                     : tx_insert_cancel_backlog(tx, FLOW_KEY(cancel_backlog, id));
  b->due_at = add_saturating(tx_now(tx), GRACE_MS);
  b->after_execution_id = (struct uuid){{0}};
  b->only_unreadable = 0;
}

static enum ff_rc flip_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  const struct flip_flow_args *a = args;
  const struct flip_prep *p = prep;
  struct flip_flow_result *r = result;
  const struct flow *read = NULL;
  const struct cancel_backlog *backlog = NULL;
  TRY(flow_load(tx, p->flow, &read, e));
  TRY(tx_get_cancel_backlog(tx, FLOW_KEY(cancel_backlog, p->flow), &backlog));
  bool sealed = read->state == FF_flow_state_cancelled;
  if (sealed && read->cancellation_policy >= p->policy) {
    r->outcome = FF_outcome_already_terminal;
    r->cancellation_policy = read->cancellation_policy;
    r->cancel_reason = read->cancel_reason;
    r->owes = backlog && !backlog->only_unreadable;
    return FF_OK;
  }
  const struct flow *f = seal(tx, read, p->policy, a->reason);
  r->outcome = FF_outcome_cancelled;
  r->cancellation_policy = p->policy;
  if (p->policy == FF_flow_cancel_policy_flow_only) return FF_OK;
  if (f->node_count > FLOW_STEPS_MAX) {
    owe_all(tx, backlog, p->flow);
    r->owes = true;
    return FF_OK;
  }
  struct stretch s = {0};
  TRY(cancel_stretch(tx, f, false, (struct uuid){{0}}, &s));
  TRY(owe_unreadable(tx, p->flow, &s));
  if (!s.unreadable_count) return FF_OK;
  owe_all(tx, backlog, p->flow);
  r->owes = true;
  return FF_OK;
}

const struct op_code op_code_flip_flow = {sizeof(struct flip_prep), flip_prepare, flip_declare,
                                          flip_run};

/* ---- drain_flow ---- */

static enum ff_rc accept(const struct op_config *config, const void *args, void *prep,
                         struct arena *arena, struct ff_error *e) {
  (void)config, (void)args, (void)prep, (void)arena, (void)e;
  return FF_OK;
}

static struct flow_id drained(const struct drain_flow_args *a) {
  return (struct flow_id){a->partition, a->flow_id};
}

static void drain_declare(struct declare *d, const void *args, const void *prep) {
  const struct drain_flow_args *a = args;
  struct flow_id id = drained(a);
  struct flow_member from = members_behind(id, a->after);
  (void)prep;
  declare_flow(d, id);
  declare_get(d, RECORD_KIND_cancel_backlog, FLOW_KEY(cancel_backlog, id));
  declare_scan(d, INDEX_flow_member_by_flow, &from, !uuid_is_nil(a->after), FLOW_STEPS_MAX + 1);
}

/* Members that could not be read when their turn came. *left: some still cannot, or are too many for
 * one transaction. */
static enum ff_rc settle_pending(struct tx *tx, const struct flow *f, bool *left) {
  struct pending_cancel from = {.partition = f->partition, .flow_id = f->flow_id};
  struct tx_scan scan;
  bool missed = false;
  TRY(tx_scan_open(tx, INDEX_pending_cancel_by_flow, &from, false, FLOW_STEPS_MAX, &scan));
  for (uint32_t i = 0;; i++) {
    const void *record = NULL;
    const struct execution *x = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) return missed ? FF_MISS : FF_OK;
    const struct pending_cancel *p = record;
    struct execution key = {.partition = p->partition, .id = p->execution_id};
    enum ff_rc rc = tx_get_execution(tx, &key, &x);
    if (rc == FF_OK && x && flow_cancels(f, x)) rc = flow_cancel_member(tx, f, x);
    if (rc == FF_MISS) missed = true;
    if (rc == FF_UNREADABLE || i == FLOW_STEPS_MAX) *left = true;
    if (i == FLOW_STEPS_MAX) return missed ? FF_MISS : FF_OK;
    if (rc == FF_OK) tx_delete_pending_cancel(tx, p);
    else if (rc != FF_MISS && rc != FF_UNREADABLE) return rc;
  }
}

/* FB-5: what a flow that is gone still owes. */
static enum ff_rc forget_flow(struct tx *tx, struct flow_id id, const struct cancel_backlog *b) {
  struct pending_cancel from = {.partition = id.partition, .flow_id = id.uuid};
  struct tx_scan scan;
  TRY(tx_scan_open(tx, INDEX_pending_cancel_by_flow, &from, false, FLOW_STEPS_MAX, &scan));
  for (uint32_t i = 0; i < FLOW_STEPS_MAX; i++) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) {
      tx_delete_cancel_backlog(tx, b);
      return FF_OK;
    }
    tx_delete_pending_cancel(tx, record);
  }
  return FF_OK;
}

static enum ff_rc drain_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct drain_flow_args *a = args;
  struct drain_flow_result *r = result;
  struct flow_id id = drained(a);
  const struct flow *f = NULL;
  const struct cancel_backlog *backlog = NULL;
  (void)prep, (void)e;
  TRY(tx_get_cancel_backlog(tx, FLOW_KEY(cancel_backlog, id), &backlog));
  if (!backlog || (backlog->only_unreadable && !a->unreadable_too)) return FF_OK;
  TRY(tx_get_flow(tx, FLOW_KEY(flow, id), &f));
  if (!f) return forget_flow(tx, id, backlog);
  struct stretch s = {.last = backlog->after_execution_id};
  bool behind = !backlog->only_unreadable && !uuid_is_nil(backlog->after_execution_id);
  TRY(cancel_stretch(tx, f, behind, behind ? backlog->after_execution_id : (struct uuid){{0}},
                     &s));
  TRY(owe_unreadable(tx, id, &s));
  r->count = s.cancelled;
  r->more = !s.ended;
  r->last = s.last;
  bool left = s.unreadable_count > 0;
  if (s.ended && !left) TRY(settle_pending(tx, f, &left));
  if (s.ended && !left) {
    tx_delete_cancel_backlog(tx, backlog);
    return FF_OK;
  }
  struct cancel_backlog *b = tx_edit_cancel_backlog(tx, backlog);
  b->after_execution_id = s.last;
  b->only_unreadable = s.ended;
  b->due_at = add_saturating(tx_now(tx), GRACE_MS);
  return FF_OK;
}

const struct op_code op_code_drain_flow = {0, accept, drain_declare, drain_run};

/* ---- ack_cancel_member ---- */

struct ack_prep {
  struct flow_id flow;
  struct exec_id execution;
};

static enum ff_rc ack_prepare(const struct op_config *config, const void *args, void *prep,
                              struct arena *arena, struct ff_error *e) {
  const struct ff_ack_cancel_member_args *a = args;
  struct ack_prep *p = prep;
  (void)arena;
  TRY(flow_id_parse(a->flow_id, config, &p->flow, e));
  return exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->execution, e);
}

static struct pending_cancel pending_key(const struct ack_prep *p) {
  return (struct pending_cancel){.partition = p->flow.partition,
                                 .flow_id = p->flow.uuid,
                                 .execution_id = p->execution.uuid};
}

static void ack_declare(struct declare *d, const void *args, const void *prep) {
  const struct ack_prep *p = prep;
  struct pending_cancel key = pending_key(p);
  (void)args;
  declare_flow(d, p->flow);
  declare_get(d, RECORD_KIND_cancel_backlog, FLOW_KEY(cancel_backlog, p->flow));
  declare_get(d, RECORD_KIND_pending_cancel, &key);
  declare_execution(d, p->execution);
}

/* Whether the backlog holds nothing any more: every member has ended, or only what could not be read
 * was left and this was the last of it. */
static enum ff_rc nothing_owed(struct tx *tx, struct flow_id id, const struct flow *f,
                               const struct cancel_backlog *backlog, bool *nothing) {
  struct pending_cancel from = {.partition = id.partition, .flow_id = id.uuid};
  const void *record = NULL;
  struct tx_scan scan;
  TRY(tx_scan_open(tx, INDEX_pending_cancel_by_flow, &from, false, 2, &scan));
  TRY(tx_scan_next(&scan, &record));
  *nothing = !record && (backlog->only_unreadable || !f || flow_alive(f) == 0);
  return FF_OK;
}

/* FB-1, FB-2 */
static enum ff_rc ack_run(struct tx *tx, const void *args, const void *prep, void *result,
                          struct ff_error *e) {
  const struct ack_prep *p = prep;
  struct ff_ack_cancel_member_result *r = result;
  struct pending_cancel key = pending_key(p);
  struct execution execution = {.partition = p->execution.partition, .id = p->execution.uuid};
  const struct cancel_backlog *backlog = NULL;
  const struct pending_cancel *pending = NULL;
  const struct execution *x = NULL;
  const struct flow *f = NULL;
  bool nothing = false;
  (void)args, (void)e;
  r->outcome = FF_outcome_ok;
  TRY(tx_get_cancel_backlog(tx, FLOW_KEY(cancel_backlog, p->flow), &backlog));
  if (!backlog) return FF_OK;
  TRY(tx_get_flow(tx, FLOW_KEY(flow, p->flow), &f));
  TRY(tx_get_pending_cancel(tx, &key, &pending));
  enum ff_rc rc = tx_get_execution(tx, &execution, &x);
  if (rc != FF_OK && rc != FF_UNREADABLE) return rc;
  if (x && x->lifecycle_phase != FF_lifecycle_phase_terminal) return FF_OK;
  if (pending) tx_delete_pending_cancel(tx, pending);
  TRY(nothing_owed(tx, p->flow, f, backlog, &nothing));
  if (nothing) tx_delete_cancel_backlog(tx, backlog);
  return FF_OK;
}

const struct op_code op_code_ack_cancel_member = {sizeof(struct ack_prep), ack_prepare,
                                                  ack_declare, ack_run};
