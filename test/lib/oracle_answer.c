/*
 * What a client was told must be so: every acknowledged operation has left its trace, and no two
 * answers contradict each other.
 */
#include "test/lib/oracle_impl.h"

#include "base/ids.h"

#include <stdio.h>
#include <stdlib.h>

#define RESULT(name) ((const struct ff_##name##_result *)result)
#define ARGS(name) ((const struct ff_##name##_args *)call->args)

/* ---- finding what an answer speaks of ---- */

struct model *model_by_text(struct oracle *o, struct ff_str text) {
  struct exec_id id;
  struct ff_error error;
  if (exec_id_parse(text, "execution_id", o->config->flow_partitions, &id, &error) != FF_OK)
    return NULL;
  return model_find(o, id);
}

static bool handle_model(struct oracle *o, const struct ff_handle *handle, struct handle_body *body,
                         struct model **m) {
  struct ff_error error;
  enum ff_rc rc = handle_decode(handle, (enum ff_backend)handle->backend,
                                o->config->flow_partitions, body, &error);
  MUST(o, NULL, rc == FF_OK, "an accepted handle does not decode: %s", error.detail);
  *m = model_find(o, body->execution);
  MUST(o, NULL, *m != NULL, "an accepted handle names an unknown execution");
  return true;
}

/* The fact an answer rests on; NULL when the execution was purged meanwhile (a later one may have
 * the same epoch). */
static struct fact *fact_named(struct model *m, uint64_t epoch, struct uuid lease_id) {
  struct fact *f = fact_of(m, epoch);
  return f && uuid_equal(f->lease_id, lease_id) ? f : NULL;
}

/* ---- claims ---- */

/* 00 OP-8: while the lease of a request lives, the request is not given another one. */
static bool request_fits(struct oracle *o, struct model *m, const struct fact *f,
                         struct ff_str request_id) {
  for (uint32_t i = 0; i < o->asked_count; i++) {
    const struct asked *a = &o->asked[i];
    if (!text_equal_c(request_id, a->request_id) || strcmp(a->instance, f->instance) != 0) continue;
    struct model *other = &o->models[a->model];
    struct fact *g = other->generation == a->generation ? fact_of(other, a->epoch) : NULL;
    if (!g || g == f) continue;
    const struct fact *first = g->acquired_event < f->acquired_event ? g : f;
    const struct fact *second = first == g ? f : g;
    if (first->acquired_at == second->acquired_at) continue; /* of one answer to many */
    /* Two engines given copies of one request at the same time may each answer it: neither sees the
     * other's commit. */
    if (o->rivals && second->acquired_at <= first->applied_at) continue;
    bool over = (first->ended_event && first->ended_event < second->acquired_event) ||
                first->expires_at <= second->acquired_at || first->revoked;
    MUST(o, m, over, "request %s of %s got epoch %llu although an earlier lease of its own lived",
         a->request_id, a->instance, (unsigned long long)f->epoch);
  }
  o->asked = grown(o->asked, o->asked_count, &o->asked_capacity, sizeof *o->asked);
  struct asked *a = &o->asked[o->asked_count++];
  *a = (struct asked){
      .model = (uint32_t)(m - o->models), .generation = m->generation, .epoch = f->epoch};
  snprintf(a->request_id, sizeof a->request_id, TEXT_FMT, TEXT_ARG(request_id));
  snprintf(a->instance, sizeof a->instance, "%s", f->instance);
  return true;
}

/* How a claim is told apart from its repeat. */
enum claim_kind { CLAIM_NEW, CLAIM_REQUEST, CLAIM_OWN_IDS };

static bool claimed(struct oracle *o, const struct ff_handle *handle, enum claim_kind kind,
                    struct ff_str request_id) {
  struct handle_body body;
  struct model *m;
  if (!handle_model(o, handle, &body, &m)) return false;
  struct fact *f = fact_named(m, body.lease_epoch, body.lease_id);
  if (!f && m->generation) return true;
  MUST(o, m, f, "a claim answered epoch %llu with a lease that nobody took",
       (unsigned long long)body.lease_epoch);
  MUST(o, m, uuid_equal(f->attempt_id, body.attempt_id) && f->attempt_index == body.attempt_index,
       "a claim answered another attempt than epoch %llu has", (unsigned long long)f->epoch);
  MUST(o, m, text_equal_c(body.worker_instance_id, f->instance),
       "a lease of %s was given to " TEXT_FMT, f->instance, TEXT_ARG(body.worker_instance_id));
  MUST(o, m, kind != CLAIM_NEW || f->handed == 0, "epoch %llu was given out twice",
       (unsigned long long)f->epoch);
  if (kind == CLAIM_NEW) f->handed++;
  return kind != CLAIM_REQUEST || request_fits(o, m, f, request_id);
}

static bool tasks_claimed(struct oracle *o, const struct ff_task *tasks, size_t count,
                          struct ff_str request_id) {
  enum claim_kind kind = request_id.len ? CLAIM_REQUEST : CLAIM_NEW;
  for (size_t i = 0; i < count; i++)
    if (!claimed(o, &tasks[i].handle, kind, request_id)) return false;
  return true;
}

static bool claim_answer(struct oracle *o, const struct history_call *call, const void *result) {
  static const struct ff_str none;
  switch (call->op) {
    case OP_claim:
      if (RESULT(claim)->outcome != FF_outcome_claimed) return true;
      return claimed(o, &RESULT(claim)->handle,
                     ARGS(claim)->request_id.len ? CLAIM_REQUEST : CLAIM_NEW,
                     ARGS(claim)->request_id);
    case OP_claim_task:
      return tasks_claimed(o, &RESULT(claim_task)->task,
                           RESULT(claim_task)->outcome == FF_outcome_claimed,
                           ARGS(claim_task)->request_id);
    case OP_complete_and_claim:
      return tasks_claimed(o, &RESULT(complete_and_claim)->task,
                           RESULT(complete_and_claim)->outcome == FF_outcome_claimed,
                           ARGS(complete_and_claim)->request_id);
    case OP_claim_tasks:
      MUST(o, NULL, RESULT(claim_tasks)->tasks.count <= ARGS(claim_tasks)->max,
           "more tasks than asked for");
      return tasks_claimed(o, RESULT(claim_tasks)->tasks.items, RESULT(claim_tasks)->tasks.count,
                           ARGS(claim_tasks)->request_id);
    case OP_claim_execution:
      return claimed(o, &RESULT(claim_execution)->claimed.handle, CLAIM_OWN_IDS, none);
    case OP_claim_resumed_execution:
      return claimed(o, &RESULT(claim_resumed_execution)->claimed.handle, CLAIM_OWN_IDS, none);
    case OP_claim_from_resume_grant:
      if (RESULT(claim_from_resume_grant)->outcome != FF_outcome_claimed) return true;
      return claimed(o, &RESULT(claim_from_resume_grant)->handle, CLAIM_NEW, none);
    case OP_claim_from_reclaim:
      if (RESULT(claim_from_reclaim)->outcome != FF_outcome_claimed) return true;
      return claimed(o, &RESULT(claim_from_reclaim)->handle, CLAIM_NEW, none);
    case OP_issue_grant_and_claim:
      return claimed(o, &RESULT(issue_grant_and_claim)->handle, CLAIM_NEW, none);
    case OP_reclaim_execution:
      if (RESULT(reclaim_execution)->outcome != FF_outcome_claimed) return true;
      return claimed(o, &RESULT(reclaim_execution)->claimed.handle, CLAIM_OWN_IDS, none);
    default: return true;
  }
}

/* ---- holding and ending ---- */

static bool renewed(struct oracle *o, struct model *m, uint64_t epoch, struct uuid lease_id,
                    int64_t until) {
  struct fact *f = fact_named(m, epoch, lease_id);
  if (!f && m->generation) return true;
  MUST(o, m, f, "renewed a lease that nobody took");
  uint32_t known =
      f->renewals < ARRAY_LEN(f->renewed_until) ? f->renewals : ARRAY_LEN(f->renewed_until);
  for (uint32_t i = 0; i < known; i++)
    if (f->renewed_until[i] == until) return true;
  MUST(o, m, f->renewals > known, "an acknowledged renewal until %lld is not in the log",
       (long long)until);
  return true;
}

static bool renew_by_handle(struct oracle *o, const struct ff_handle *handle, int64_t until) {
  struct handle_body body;
  struct model *m;
  return handle_model(o, handle, &body, &m) &&
         renewed(o, m, body.lease_epoch, body.lease_id, until);
}

/* reason NULL: only an outcome of that epoch counts. */
static bool ended(struct oracle *o, struct model *m, uint64_t epoch, const char *reason,
                  uint8_t outcome) {
  if (m->generation) return true;
  const struct fact *f = fact_of(m, epoch);
  if (reason && f && strcmp(f->reason, reason) == 0) return true;
  MUST(o, m, outcome && model_has_completion(m, epoch, outcome),
       "acknowledged (%s %s of epoch %llu) but not in the log", reason ? reason : "",
       ff_word(FF_WORD_terminal_outcome, outcome), (unsigned long long)epoch);
  return true;
}

static bool ended_by_handle(struct oracle *o, const struct ff_handle *handle, const char *reason,
                            uint8_t outcome) {
  struct handle_body body;
  struct model *m;
  return handle_model(o, handle, &body, &m) && ended(o, m, body.lease_epoch, reason, outcome);
}

static bool failed_by_handle(struct oracle *o, const struct ff_handle *handle, uint8_t outcome) {
  return outcome == FF_outcome_retry_scheduled
             ? ended_by_handle(o, handle, "failed_retry_scheduled", 0)
             : ended_by_handle(o, handle, "failed_terminal", FF_terminal_outcome_failed);
}

static bool many_answer(struct oracle *o, const struct history_call *call, const void *result) {
  if (call->op == OP_renew_many) {
    struct ff_renew_slots slots = RESULT(renew_many)->slots;
    for (size_t i = 0; i < slots.count; i++)
      if (slots.items[i].error.rc == FF_OK &&
          !renew_by_handle(o, &ARGS(renew_many)->items.items[i].handle,
                           slots.items[i].expires_at_ms))
        return false;
  } else if (call->op == OP_complete_many) {
    struct ff_complete_slots slots = RESULT(complete_many)->slots;
    for (size_t i = 0; i < slots.count; i++)
      if (slots.items[i].error.rc == FF_OK &&
          !ended_by_handle(o, &ARGS(complete_many)->items.items[i].handle, "completed",
                           FF_terminal_outcome_success))
        return false;
  } else if (call->op == OP_fail_many) {
    struct ff_fail_slots slots = RESULT(fail_many)->slots;
    for (size_t i = 0; i < slots.count; i++)
      if (slots.items[i].error.rc == FF_OK &&
          !failed_by_handle(o, &ARGS(fail_many)->items.items[i].handle, slots.items[i].outcome))
        return false;
  }
  return true;
}

static bool holder_answer(struct oracle *o, const struct history_call *call, const void *result) {
  switch (call->op) {
    case OP_renew: return renew_by_handle(o, &ARGS(renew)->handle, RESULT(renew)->expires_at_ms);
    case OP_complete:
      return ended_by_handle(o, &ARGS(complete)->handle, "completed", FF_terminal_outcome_success);
    case OP_complete_and_claim:
      return ended_by_handle(o, &ARGS(complete_and_claim)->handle, "completed",
                             FF_terminal_outcome_success);
    case OP_fail: return failed_by_handle(o, &ARGS(fail)->handle, RESULT(fail)->outcome);
    case OP_cancel:
      return ended_by_handle(o, &ARGS(cancel)->handle, "cancelled", FF_terminal_outcome_cancelled);
    case OP_delay: return ended_by_handle(o, &ARGS(delay)->handle, "worker_delay", 0);
    case OP_wait_children:
      return ended_by_handle(o, &ARGS(wait_children)->handle, "waiting_children", 0);
    default: return many_answer(o, call, result);
  }
}

static bool fence_answer(struct oracle *o, const struct history_call *call, const void *result) {
  struct model *m;
  struct uuid lease_id;
  switch (call->op) {
    case OP_renew_lease:
      m = model_by_text(o, ARGS(renew_lease)->execution_id);
      MUST(o, NULL, m && uuid_parse(ARGS(renew_lease)->fence.lease_id, &lease_id),
           "renewed nothing");
      return renewed(o, m, ARGS(renew_lease)->fence.lease_epoch, lease_id,
                     RESULT(renew_lease)->expires_at_ms);
    case OP_complete_execution:
      m = model_by_text(o, ARGS(complete_execution)->execution_id);
      MUST(o, NULL, m, "completed nothing");
      return ended(o, m, ARGS(complete_execution)->fence.lease_epoch, "completed",
                   FF_terminal_outcome_success);
    case OP_fail_execution:
      m = model_by_text(o, ARGS(fail_execution)->execution_id);
      MUST(o, NULL, m, "failed nothing");
      if (RESULT(fail_execution)->outcome == FF_outcome_terminal_failed)
        return ended(o, m, ARGS(fail_execution)->fence.lease_epoch, "failed_terminal",
                     FF_terminal_outcome_failed);
      if (!ARGS(fail_execution)->fence.lease_epoch) return true;
      return ended(o, m, ARGS(fail_execution)->fence.lease_epoch, "failed_retry_scheduled", 0);
    default: return true;
  }
}

/* ---- creating ---- */

/* Two answers `created` under one key exclude each other within the window (L-53). */
static bool key_fits(struct oracle *o, struct model *m, struct ff_str namespace_, struct ff_str key,
                     struct ff_str policy) {
  bool brief = false;
  for (size_t i = 0; i + 22 <= policy.len && !brief; i++)
    brief = memcmp(policy.ptr + i, "\"dedup_window_ms\":2000", 22) == 0;
  for (uint32_t i = 0; i < o->keyed_count; i++) {
    const struct keyed *k = &o->keyed[i];
    if (k->partition != m->id.partition || !text_equal_c(namespace_, k->namespace_) ||
        !text_equal_c(key, k->key))
      continue;
    struct model *other = &o->models[k->model];
    if (other == m && k->generation == m->generation)
      return true; /* the same creation, answered again */
    int64_t apart = m->created_at - k->created_at;
    int64_t window = apart >= 0 ? k->window_ms : brief ? 2000 : 86400000;
    MUST(o, m, (apart < 0 ? -apart : apart) >= window,
         "key %s created two executions %lld ms apart", k->key, (long long)apart);
  }
  o->keyed = grown(o->keyed, o->keyed_count, &o->keyed_capacity, sizeof *o->keyed);
  struct keyed *k = &o->keyed[o->keyed_count++];
  *k = (struct keyed){.partition = m->id.partition,
                      .model = (uint32_t)(m - o->models),
                      .generation = m->generation,
                      .created_at = m->created_at,
                      .window_ms = brief ? 2000 : 86400000};
  snprintf(k->namespace_, sizeof k->namespace_, TEXT_FMT, TEXT_ARG(namespace_));
  snprintf(k->key, sizeof k->key, TEXT_FMT, TEXT_ARG(key));
  return true;
}

static bool created(struct oracle *o, const char *id, uint8_t outcome, struct ff_str namespace_,
                    struct ff_str key, struct ff_str policy) {
  struct model *m = model_by_text(o, ff_text(id));
  MUST(o, NULL, m, "%s %s, but nothing like it was ever stored", ff_word(FF_WORD_outcome, outcome),
       id);
  MUST(o, m, m->exists || m->generation, "%s, but it is not there",
       ff_word(FF_WORD_outcome, outcome));
  if (outcome != FF_outcome_created || !key.len || !m->exists) return true;
  return key_fits(o, m, namespace_, key, policy);
}

static bool create_answer(struct oracle *o, const struct history_call *call, const void *result) {
  if (call->op == OP_create_execution)
    return created(o, RESULT(create_execution)->execution_id.text,
                   RESULT(create_execution)->outcome, ARGS(create_execution)->namespace_,
                   ARGS(create_execution)->idempotency_key, ARGS(create_execution)->policy);
  if (call->op == OP_submit)
    return created(o, RESULT(submit)->execution_id.text, RESULT(submit)->outcome,
                   ARGS(submit)->namespace_, ARGS(submit)->idempotency_key, ARGS(submit)->policy);
  if (call->op != OP_create_executions) return true;
  struct ff_create_slots slots = RESULT(create_executions)->slots;
  MUST(o, NULL, slots.count == ARGS(create_executions)->items.count, "%zu answers for %zu items",
       slots.count, ARGS(create_executions)->items.count);
  for (size_t i = 0; i < slots.count; i++) {
    const struct ff_create_execution_args *item = &ARGS(create_executions)->items.items[i];
    if (slots.items[i].error.rc == FF_OK &&
        !created(o, slots.items[i].execution_id.text, slots.items[i].outcome, item->namespace_,
                 item->idempotency_key, item->policy))
      return false;
  }
  return true;
}

/* ---- operators ---- */

static bool has_tag(struct oracle *o, struct model *m, struct ff_str key) {
  struct execution at = {.partition = m->id.partition, .id = m->id.uuid};
  struct store_get get = {RECORD_KIND_execution, &at, NULL};
  struct ff_error error;
  int64_t now;
  arena_reset(&o->arena);
  INVARIANT(store_fetch(o->session, &o->arena, &get, 1, NULL, 0, &now, &error) == FF_OK);
  const struct execution *x = get.record;
  struct ff_pairs tags = x ? tags_decode(&o->arena, x->tags) : (struct ff_pairs){NULL, 0};
  for (size_t i = 0; i < tags.count; i++)
    if (text_equal(tags.items[i].key, key)) return true;
  return m->generation > 0 || !x;
}

static bool operator_answer(struct oracle *o, const struct history_call *call, const void *result) {
  struct model *m;
  switch (call->op) {
    case OP_cancel_execution:
      m = model_by_text(o, ARGS(cancel_execution)->execution_id);
      MUST(o, NULL, m, "cancelled nothing");
      return ended(o, m, 0, NULL, FF_terminal_outcome_cancelled);
    case OP_replay_execution:
      m = model_by_text(o, ARGS(replay_execution)->execution_id);
      MUST(o, NULL, m && (m->replays || m->generation), "replayed, but the log has no replay");
      return true;
    case OP_change_priority:
      m = model_by_text(o, ARGS(change_priority)->execution_id);
      MUST(o, NULL, m && (m->priority_changes || m->generation),
           "changed a priority without an event");
      return true;
    case OP_auto_reclaim:
      if (RESULT(auto_reclaim)->outcome != FF_outcome_reclaimed) return true;
      m = model_by_text(o, ARGS(auto_reclaim)->execution_id);
      MUST(o, NULL, m && (m->auto_reclaims || m->generation), "auto-reclaimed without an event");
      return true;
    case OP_revoke_lease:
      if (RESULT(revoke_lease)->outcome != FF_outcome_revoked) return true;
      m = model_by_text(o, ARGS(revoke_lease)->execution_id);
      MUST(o, NULL, m, "revoked nothing");
      struct fact *f = fact_of(m, RESULT(revoke_lease)->lease_epoch);
      MUST(o, m, (f && f->revoked) || m->generation, "a revoke of epoch %llu is not in the log",
           (unsigned long long)RESULT(revoke_lease)->lease_epoch);
      return true;
    case OP_set_execution_tag:
      m = model_by_text(o, ARGS(set_execution_tag)->execution_id);
      MUST(o, NULL, m && has_tag(o, m, ARGS(set_execution_tag)->key),
           "an acknowledged tag is not there");
      return true;
    default: return true;
  }
}

/* ---- refusals ---- */

static const struct ff_handle *released_handle(const struct history_call *call,
                                               enum ff_receipt_op *op) {
  switch (call->op) {
    case OP_complete: *op = FF_receipt_op_complete; return &ARGS(complete)->handle;
    case OP_complete_and_claim:
      *op = FF_receipt_op_complete;
      return &ARGS(complete_and_claim)->handle;
    case OP_fail: *op = FF_receipt_op_fail; return &ARGS(fail)->handle;
    case OP_cancel: *op = FF_receipt_op_cancel; return &ARGS(cancel)->handle;
    case OP_delay: *op = FF_receipt_op_delay; return &ARGS(delay)->handle;
    case OP_wait_children: *op = FF_receipt_op_wait_children; return &ARGS(wait_children)->handle;
    default: return NULL;
  }
}

/* P7, L-41: the repeat of a release that is the latest one answers its success, whoever holds a
 * lease by now. Leases only ever get worse, so that an answer that was decided before the release
 * cannot be a refusal. */
bool oracle_refused(struct oracle *o, const struct history_call *call,
                    const struct ff_error *error) {
  enum ff_receipt_op op;
  struct handle_body body;
  struct model *m;
  const struct ff_handle *handle = released_handle(call, &op);
  if (!signal_refused(o, call, error)) return false;
  if (!handle || !handle->len || (error->rc != FF_STATE && error->rc != FF_CONTENTION)) return true;
  if (error->code == FF_CODE_retry_exhausted) return true;
  if (!handle_model(o, handle, &body, &m) || m->receipt != op ||
      m->receipt_epoch != body.lease_epoch)
    return !o->complaint[0];
  const struct fact *f = fact_named(m, body.lease_epoch, body.lease_id);
  if (f && (f->expired || f->revoked))
    return true; /* refused first, cancelled by an operator then */
  MUST(o, m, !f, "%s of epoch %llu has happened, its repeat was told %s", op_infos[call->op].name,
       (unsigned long long)body.lease_epoch, ff_code_name(error->code));
  return true;
}

/* From then on retention is what the call says, not what was stored. */
void oracle_sent(struct oracle *o, const struct history_call *call) {
  if (call->op == OP_trim_retention) o->trimmed = true;
}

bool oracle_answer(struct oracle *o, const struct history_call *call, const void *result) {
  return claim_answer(o, call, result) && holder_answer(o, call, result) &&
         fence_answer(o, call, result) && create_answer(o, call, result) &&
         operator_answer(o, call, result) && signal_answer(o, call, result);
}
