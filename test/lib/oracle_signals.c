/*
 * What senders of signals and suspended workers were told must be so (03 §4, §6): an accepted signal
 * is in the log, a duplicate was accepted before, a key keeps others out, and who was told that he
 * is suspended is.
 */
#include "base/ids.h"
#include "test/lib/oracle_impl.h"

#include <stdio.h>

#define RESULT(name) ((const struct ff_##name##_result *)result)
#define ARGS(name) ((const struct ff_##name##_args *)call->args)

/* ---- signals ---- */

/* D-9, D-16: within its time a key admits one signal. */
static bool key_fits(struct oracle *o, struct model *m, const struct accepted *a, const char *key,
                     uint64_t ttl_ms) {
  struct sent now = {.model = (uint32_t)(m - o->models),
                     .generation = m->generation,
                     .accepted = *a,
                     .ttl_ms = ttl_ms > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)ttl_ms};
  snprintf(now.key, sizeof now.key, "%s", key);
  for (uint32_t i = 0; i < o->sent_count; i++) {
    const struct sent *s = &o->sent[i];
    if (s->model != now.model || s->generation != now.generation || strcmp(s->key, key) != 0 ||
        !uuid_equal(s->accepted.waitpoint_id, a->waitpoint_id))
      continue;
    if (uuid_equal(s->accepted.signal_id, a->signal_id)) return true; /* answered again */
    const struct sent *first = s->accepted.at <= a->at ? s : &now;
    int64_t apart = first == s ? a->at - s->accepted.at : s->accepted.at - a->at;
    MUST(o, m, apart >= first->ttl_ms, "key %s admitted two signals %lld ms apart", key,
         (long long)apart);
  }
  o->sent = grown(o->sent, o->sent_count, &o->sent_capacity, sizeof *o->sent);
  o->sent[o->sent_count++] = now;
  return true;
}

static bool delivered(struct oracle *o, struct ff_str execution, struct ff_str waitpoint,
                      const struct ff_signal_slot *slot, const char *key, uint64_t ttl_ms) {
  bool accepted = slot->outcome == FF_outcome_accepted;
  struct model *m = model_by_text(o, execution);
  struct uuid point, signal;
  MUST(o, NULL, m && uuid_parse(waitpoint, &point), "a signal to nobody was accepted");
  const struct ff_id *id = accepted ? &slot->signal_id : &slot->existing_signal_id;
  MUST(o, m, uuid_parse(ff_text(id->text), &signal),
       "an accepted signal has no id");
  const struct accepted *a = model_accepted(m, point, signal);
  if (!a && m->generation) return true;
  MUST(o, m, a, "told %s of a signal that is not in the log",
       ff_word(FF_WORD_outcome, slot->outcome));
  if (!accepted) return true;
  MUST(o, m, a->effect == slot->effect, "told %s of a signal that was %s",
       ff_word(FF_WORD_signal_effect, slot->effect), ff_word(FF_WORD_signal_effect, a->effect));
  return !key[0] || !ttl_ms || key_fits(o, m, a, key, ttl_ms);
}

static bool delivered_one(struct oracle *o, const struct ff_deliver_signal_args *a,
                          const struct ff_signal_slot *slot) {
  char key[48];
  snprintf(key, sizeof key, TEXT_FMT, TEXT_ARG(a->idempotency_key));
  return delivered(o, a->execution_id, a->waitpoint_id, slot, key,
                   a->has_dedup_ttl ? a->dedup_ttl_ms : 86400000);
}

static bool approved(struct oracle *o, const struct ff_deliver_approval_signal_args *a,
                     const struct ff_signal_slot *slot) {
  char key[48];
  snprintf(key, sizeof key, "approval:" TEXT_FMT ":" TEXT_FMT, TEXT_ARG(a->signal_name),
           TEXT_ARG(a->idempotency_suffix));
  return delivered(o, a->execution_id, a->waitpoint_id, slot, key, a->signal_dedup_ttl_ms);
}

#define SLOT(r)                                                       \
  ((struct ff_signal_slot){.outcome = (r)->outcome,                    \
                           .signal_id = (r)->signal_id,                \
                           .effect = (r)->effect,                      \
                           .existing_signal_id = (r)->existing_signal_id})

/* ---- suspending ---- */

/* The handle says under which lease: a repeat by key is answered the first one's (S-26). */
static bool suspended(struct oracle *o, const struct ff_handle *handle) {
  struct handle_body body;
  struct ff_error error;
  enum ff_rc rc = handle_decode(handle, (enum ff_backend)handle->backend,
                                o->config->flow_partitions, &body, &error);
  MUST(o, NULL, rc == FF_OK, "the handle of a suspended one does not decode: %s", error.detail);
  struct model *m = model_find(o, body.execution);
  MUST(o, NULL, m, "suspended an unknown execution");
  const struct fact *f = fact_of(m, body.lease_epoch);
  MUST(o, m, m->generation || (f && strcmp(f->reason, "suspend") == 0),
       "suspended under epoch %llu, by no event", (unsigned long long)body.lease_epoch);
  return true;
}

static bool expired(struct oracle *o, const struct ff_expire_suspension_args *a,
                    const struct ff_expire_suspension_result *r) {
  struct model *m = model_by_text(o, a->execution_id);
  MUST(o, NULL, m, "expired the suspension of an unknown execution");
  uint8_t outcome = text_equal_c(r->behavior_applied, "fail")     ? FF_terminal_outcome_failed
                    : text_equal_c(r->behavior_applied, "cancel") ? FF_terminal_outcome_cancelled
                    : text_equal_c(r->behavior_applied, "expire") ? FF_terminal_outcome_expired
                                                                  : 0;
  MUST(o, m, !outcome || m->generation || model_has_completion(m, 0, outcome),
       "told that time ended it (" TEXT_FMT "), it has not", TEXT_ARG(r->behavior_applied));
  return true;
}

bool signal_answer(struct oracle *o, const struct history_call *call, const void *result) {
  switch (call->op) {
    case OP_deliver_signal:
      return delivered_one(o, ARGS(deliver_signal), &SLOT(RESULT(deliver_signal)));
    case OP_deliver_signals:
      for (size_t i = 0; i < RESULT(deliver_signals)->slots.count; i++)
        if (RESULT(deliver_signals)->slots.items[i].error.rc == FF_OK &&
            !delivered_one(o, &ARGS(deliver_signals)->items.items[i],
                           &RESULT(deliver_signals)->slots.items[i]))
          return false;
      return true;
    case OP_deliver_approval_signal:
      return approved(o, ARGS(deliver_approval_signal), &SLOT(RESULT(deliver_approval_signal)));
    case OP_suspend:
      return RESULT(suspend)->outcome != FF_outcome_suspended ||
             suspended(o, &RESULT(suspend)->handle);
    case OP_suspend_by_triple:
      return RESULT(suspend_by_triple)->outcome != FF_outcome_suspended ||
             suspended(o, &RESULT(suspend_by_triple)->handle);
    case OP_suspend_waitpoints: return suspended(o, &RESULT(suspend_waitpoints)->handle);
    case OP_expire_suspension:
      return RESULT(expire_suspension)->outcome != FF_outcome_expired ||
             expired(o, ARGS(expire_suspension), RESULT(expire_suspension));
    default: return true;
  }
}

/* P7, D-9: the repeat of an accepted signal is a duplicate whatever has become of the waitpoint. A
 * closed one never opens again, so the refusal cannot have been decided before. */
bool signal_refused(struct oracle *o, const struct history_call *call,
                    const struct ff_error *error) {
  struct uuid point, signal;
  if (call->op != OP_deliver_signal || error->code != FF_CODE_waitpoint_closed) return true;
  struct model *m = model_by_text(o, ARGS(deliver_signal)->execution_id);
  if (!m || !uuid_parse(ARGS(deliver_signal)->waitpoint_id, &point) ||
      !uuid_parse(ARGS(deliver_signal)->signal_id, &signal))
    return true;
  const struct accepted *a = model_accepted(m, point, signal);
  MUST(o, m, !a || model_may_forget(m, a),
       "a signal was accepted, its repeat was told that its waitpoint is closed");
  return true;
}
