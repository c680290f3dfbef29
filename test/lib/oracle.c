/*
 * The oracle's models: one per execution, driven by the event log (02 §19 as the log shows it).
 */
#include "test/lib/oracle_impl.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- complaints ---- */

bool complain(struct oracle *o, const struct model *m, const char *format, ...) {
  struct ff_id id = {""};
  va_list args;
  if (o->complaint[0]) return false;
  if (m) exec_id_format(m->id, &id);
  int n = snprintf(o->complaint, sizeof o->complaint, "%s%s", id.text, m ? ": " : "");
  va_start(args, format);
  vsnprintf(o->complaint + n, sizeof o->complaint - (size_t)n, format, args);
  va_end(args);
  return false;
}

const char *oracle_complaint(const struct oracle *o) { return o->complaint; }
uint64_t oracle_hash(const struct oracle *o) { return o->hash; }
struct oracle_waits oracle_waits(const struct oracle *o) { return o->waits; }
uint64_t oracle_events(const struct oracle *o) { return o->events; }

void *grown(void *items, uint32_t count, uint32_t *capacity, size_t size) {
  if (count < *capacity) return items;
  *capacity = *capacity ? *capacity * 2 : 8;
  return heap_realloc(items, *capacity * size);
}

/* ---- models ---- */

static uint32_t *slot_of(struct oracle *o, struct exec_id id, uint32_t *scratch) {
  uint64_t h = 0;
  memcpy(&h, id.uuid.b + 8, 8);
  uint32_t i = (uint32_t)(hash_mix64(h ^ id.partition) % ARRAY_LEN(o->buckets));
  while (o->buckets[i] && !exec_id_equal(o->models[o->buckets[i] - 1].id, id))
    i = (i + 1) % ARRAY_LEN(o->buckets);
  *scratch = i;
  return scratch;
}

struct model *model_find(struct oracle *o, struct exec_id id) {
  uint32_t i = *slot_of(o, id, &i);
  return o->buckets[i] ? &o->models[o->buckets[i] - 1] : NULL;
}

struct model *model_of(struct oracle *o, struct exec_id id) {
  uint32_t i = *slot_of(o, id, &i);
  if (o->buckets[i]) return &o->models[o->buckets[i] - 1];
  INVARIANT(o->model_count < MODELS_MAX);
  struct model *m = &o->models[o->model_count++];
  o->buckets[i] = (uint16_t)o->model_count;
  m->id = id;
  return m;
}

void model_dirty(struct oracle *o, struct model *m) {
  if (m->dirty) return;
  m->dirty = true;
  o->dirty[o->dirty_count++] = (uint32_t)(m - o->models);
}

void oracle_touch(struct oracle *o, struct exec_id id) { model_dirty(o, model_of(o, id)); }

void model_restart(struct model *m, int64_t created_at) {
  struct model fresh = {.id = m->id,
                        .generation = m->generation + 1,
                        .dirty = m->dirty,
                        .created_at = created_at,
                        .facts = m->facts,
                        .fact_capacity = m->fact_capacity,
                        .completions = m->completions,
                        .completion_capacity = m->completion_capacity,
                        .accepted = m->accepted,
                        .accepted_capacity = m->accepted_capacity,
                        .record = m->record};
  *m = fresh;
}

struct fact *fact_of(struct model *m, uint64_t epoch) {
  return epoch >= 1 && epoch <= m->fact_count ? &m->facts[epoch - 1] : NULL;
}

bool model_has_completion(const struct model *m, uint64_t epoch, uint8_t outcome) {
  for (uint32_t i = 0; i < m->completion_count; i++)
    if (m->completions[i].outcome == outcome && (!epoch || m->completions[i].epoch == epoch))
      return true;
  return false;
}

/* ---- one event ---- */

static void copy_text(char *out, size_t size, struct ff_str t) {
  snprintf(out, size, TEXT_FMT, TEXT_ARG(t));
}

/* The lease an event speaks of must be the one that is current. */
static bool names_current(struct oracle *o, struct model *m, const struct event *v) {
  struct fact *f = fact_of(m, m->epoch);
  MUST(o, m, f && v->lease_epoch == m->epoch, "%s of epoch %llu while the current one is %llu",
       ff_word(FF_WORD_lease_event, v->lease_event), (unsigned long long)v->lease_epoch,
       (unsigned long long)m->epoch);
  MUST(o, m, uuid_equal(f->lease_id, v->lease_id), "%s names another lease than epoch %llu has",
       ff_word(FF_WORD_lease_event, v->lease_event), (unsigned long long)m->epoch);
  return true;
}

/* P2: what a holder does counts only while its lease lives, when it was decided and when it was
 * applied. */
static bool holder_lives(struct oracle *o, struct model *m, const struct event *v,
                         const char *what) {
  MUST(o, m, m->lease == LEASE_HELD, "%s without a live lease", what);
  MUST(o, m, v->at < m->expires_at, "%s decided at %lld, the lease ended at %lld", what,
       (long long)v->at, (long long)m->expires_at);
  MUST(o, m, o->now < m->expires_at, "%s applied at %lld, the lease ended at %lld", what,
       (long long)o->now, (long long)m->expires_at);
  return true;
}

static bool take_lease(struct oracle *o, struct model *m, const struct event *v, bool reclaimed) {
  MUST(o, m, !m->ended, "acquired although it has ended");
  MUST(o, m,
       reclaimed ? m->lease == LEASE_EXPIRED || m->lease == LEASE_REVOKED : m->lease == LEASE_NONE,
       "acquired epoch %llu while another lease stands", (unsigned long long)v->lease_epoch);
  MUST(o, m, v->lease_epoch == m->epoch + 1, "epoch went from %llu to %llu",
       (unsigned long long)m->epoch, (unsigned long long)v->lease_epoch);
  bool fresh = v->attempt_index == m->attempts;
  struct fact *last = fact_of(m, m->epoch);
  MUST(o, m,
       fresh || (!reclaimed && last && v->attempt_index + 1 == m->attempts &&
                 uuid_equal(last->attempt_id, v->attempt_id)),
       "attempt %u after %u attempts", v->attempt_index, m->attempts);
  MUST(o, m, !fresh || !m->waiting, "resumed in another attempt than it suspended in (G-11)");
  m->waiting = m->resumed = false;
  if (fresh) m->attempts++;
  if (reclaimed) m->reclaims++;
  m->facts = grown(m->facts, m->fact_count, &m->fact_capacity, sizeof *m->facts);
  struct fact *f = &m->facts[m->fact_count++];
  *f = (struct fact){.epoch = v->lease_epoch,
                     .lease_id = v->lease_id,
                     .attempt_id = v->attempt_id,
                     .attempt_index = v->attempt_index,
                     .acquired_event = v->event_id,
                     .acquired_at = v->at,
                     .applied_at = o->now,
                     .expires_at = v->expires_at};
  copy_text(f->instance, sizeof f->instance, v->worker_instance_id);
  m->epoch = v->lease_epoch;
  m->lease = LEASE_HELD;
  m->expires_at = v->expires_at; /* a reclaim's event does not say: taken from the record */
  m->lease_unknown = v->expires_at == 0;
  if (m->lease_unknown) m->expires_at = INT64_MAX;
  return true;
}

static bool renew_lease(struct oracle *o, struct model *m, const struct event *v) {
  if (!names_current(o, m, v) || !holder_lives(o, m, v, "renewed")) return false;
  struct fact *f = fact_of(m, m->epoch);
  f->renewed_until[f->renewals++ % ARRAY_LEN(f->renewed_until)] = v->expires_at;
  f->expires_at = m->expires_at = v->expires_at;
  m->lease_unknown = false;
  return true;
}

static bool lose_lease(struct oracle *o, struct model *m, const struct event *v) {
  bool expired = v->lease_event == FF_lease_event_expired;
  if (!names_current(o, m, v)) return false;
  MUST(o, m, m->lease == LEASE_HELD, "lost a lease that nobody held");
  MUST(o, m, !expired || m->lease_unknown || v->at >= m->expires_at,
       "marked expired at %lld, before %lld", (long long)v->at, (long long)m->expires_at);
  struct fact *f = fact_of(m, m->epoch);
  f->expired = expired;
  f->revoked = !expired;
  m->lease = expired ? LEASE_EXPIRED : LEASE_REVOKED;
  return true;
}

/* What each reason of a release means: whether the holder did it, and what it ends. */
static const struct release {
  const char *reason;
  bool by_holder, lost_only;
  uint8_t outcome; /* 0 = it goes on */
  bool retry;
  uint8_t receipt;
} releases[] = {
    {"completed", true, false, FF_terminal_outcome_success, false, FF_receipt_op_complete},
    {"failed_retry_scheduled", true, false, 0, true, FF_receipt_op_fail},
    {"failed_terminal", true, false, FF_terminal_outcome_failed, false, FF_receipt_op_fail},
    {"cancelled", false, false, FF_terminal_outcome_cancelled, false, FF_receipt_op_cancel},
    {"worker_delay", true, false, 0, false, FF_receipt_op_delay},
    {"waiting_children", true, false, 0, false, FF_receipt_op_wait_children},
    {"suspend", true, false, 0, false, FF_receipt_op_none},
    {"expired:attempt_timeout", false, false, FF_terminal_outcome_expired, true},
    {"expired:execution_deadline", false, false, FF_terminal_outcome_expired, false},
    {"max_reclaims_exceeded", false, true, FF_terminal_outcome_failed, false},
    {"dependency_impossible", false, false, FF_terminal_outcome_skipped, false},
    {"auto_reclaimed", false, true, 0, false}};

static bool release_lease(struct oracle *o, struct model *m, const struct event *v) {
  const struct release *r = NULL;
  for (size_t i = 0; i < ARRAY_LEN(releases) && !r; i++)
    if (text_equal_c(v->reason, releases[i].reason)) r = &releases[i];
  MUST(o, m, r != NULL, "released for an unknown reason " TEXT_FMT, TEXT_ARG(v->reason));
  if (!names_current(o, m, v)) return false;
  MUST(o, m, m->lease != LEASE_NONE, "released (%s) a lease that nobody had", r->reason);
  MUST(o, m, !r->lost_only || m->lease != LEASE_HELD, "%s of a lease that was not lost", r->reason);
  bool worker = r->by_holder || (v->revoked_by == FF_revoked_by_backend && r->outcome);
  if (worker && !holder_lives(o, m, v, r->reason)) return false;
  MUST(o, m, r->retry || v->completion == r->outcome, "%s came with outcome %s", r->reason,
       ff_word(FF_WORD_terminal_outcome, v->completion));
  MUST(o, m, v->completion == 0 || v->completion == r->outcome, "%s came with outcome %s",
       r->reason, ff_word(FF_WORD_terminal_outcome, v->completion));
  if (r->retry && !v->completion) m->retries++;
  if (strcmp(r->reason, "auto_reclaimed") == 0) m->reclaims++, m->auto_reclaims++;
  struct fact *f = fact_of(m, m->epoch);
  f->ended_event = v->event_id;
  copy_text(f->reason, sizeof f->reason, v->reason);
  m->lease = LEASE_NONE;
  m->waiting = strcmp(r->reason, "suspend") == 0;
  o->waits.suspensions += m->waiting;
  m->resumed = false;
  m->receipt = r->receipt;
  m->receipt_epoch = v->lease_epoch;
  return true;
}

static bool complete_model(struct oracle *o, struct model *m, const struct event *v) {
  MUST(o, m, !m->ended, "a second completion event: %s after %s",
       ff_word(FF_WORD_terminal_outcome, v->completion),
       ff_word(FF_WORD_terminal_outcome, m->outcome));
  MUST(o, m, m->lease == LEASE_NONE, "ended with its lease still held");
  m->ended = true;
  m->waiting = false;
  if (v->completion == FF_terminal_outcome_expired) m->receipt = FF_receipt_op_none;
  m->outcome = v->completion;
  m->completions =
      grown(m->completions, m->completion_count, &m->completion_capacity, sizeof *m->completions);
  m->completions[m->completion_count++] = (struct completion){m->epoch, v->completion};
  return true;
}

static bool replay_model(struct oracle *o, struct model *m) {
  MUST(o, m, m->ended, "replayed although it had not ended");
  m->ended = false;
  m->receipt = FF_receipt_op_none;
  m->outcome = 0;
  m->replays++;
  m->retries = m->reclaims = 0;
  return true;
}

bool model_event(struct oracle *o, struct model *m, const struct event *v) {
  bool lasting = v->lease_event || v->completion || v->signal_delivery;
  bool reborn =
      m->regenerated && m->ended && lasting && v->lease_event != FF_lease_event_replay_initiated;
  if (m->created_at && (v->execution_created_at != m->created_at || reborn)) {
    MUST(o, m, m->ended, "purged although it had not ended");
    model_restart(m, v->execution_created_at);
  }
  if (!m->created_at) m->created_at = v->execution_created_at;
  bool ok = true;
  switch (v->lease_event) {
    case FF_lease_event_acquired: ok = take_lease(o, m, v, false); break;
    case FF_lease_event_reclaimed: ok = take_lease(o, m, v, true); break;
    case FF_lease_event_renewed: ok = renew_lease(o, m, v); break;
    case FF_lease_event_expired:
    case FF_lease_event_revoked: ok = lose_lease(o, m, v); break;
    case FF_lease_event_released: ok = release_lease(o, m, v); break;
    case FF_lease_event_replay_initiated: ok = replay_model(o, m); break;
    default: break;
  }
  if (ok && v->signal_delivery) ok = model_signal(o, m, v);
  if (ok && v->completion) ok = complete_model(o, m, v);
  if (v->operator_event == FF_operator_event_priority_changed) m->priority_changes++;
  return ok;
}
