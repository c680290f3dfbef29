/*
 * The oracle on waiting for the outside world (spec 03): which signals the log has accepted, what
 * they should have made of the condition, and whether suspension, waitpoints and execution agree.
 *
 * Who is suspended must still have something to wait for: a condition that is not met, with its
 * waitpoints open, or a time that will come.
 */
#include "test/lib/oracle_condition.h"
#include "test/lib/oracle_impl.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- signals in the log ---- */

const struct accepted *model_accepted(const struct model *m, struct uuid waitpoint,
                                      struct uuid signal) {
  for (uint32_t i = m->accepted_count; i-- > 0;)
    if (uuid_equal(m->accepted[i].waitpoint_id, waitpoint) &&
        uuid_equal(m->accepted[i].signal_id, signal))
      return &m->accepted[i];
  return NULL;
}

bool model_may_forget(const struct model *m, const struct accepted *old) {
  for (const struct accepted *a = old + 1; a < m->accepted + m->accepted_count; a++)
    if (uuid_equal(a->waitpoint_id, old->waitpoint_id)) return true;
  return false;
}

bool model_signal(struct oracle *o, struct model *m, const struct event *v) {
  const struct accepted *before = model_accepted(m, v->waitpoint_id, v->signal_id);
  if (v->signal_delivery == FF_signal_delivery_deduped) {
    MUST(o, m, before, "a duplicate of a signal that was never accepted");
    return true;
  }
  MUST(o, m, !before || model_may_forget(m, before), "one signal was accepted twice");
  MUST(o, m, !m->ended, "a signal was accepted after the end (D-10)");
  bool met = v->observed_effect == FF_signal_effect_resume_condition_satisfied;
  MUST(o, m, met == (v->signal_delivery == FF_signal_delivery_satisfied), "a signal was %s, but %s",
       ff_word(FF_WORD_signal_delivery, v->signal_delivery),
       ff_word(FF_WORD_signal_effect, v->observed_effect));
  MUST(o, m,
       (m->waiting && !m->resumed) ||
           v->observed_effect == FF_signal_effect_buffered_for_pending_waitpoint,
       "a signal was %s although nothing was suspended",
       ff_word(FF_WORD_signal_effect, v->observed_effect));
  if (met) m->resumed = true;
  o->waits.signals++;
  o->waits.met += met;
  m->accepted = grown(m->accepted, m->accepted_count, &m->accepted_capacity, sizeof *m->accepted);
  m->accepted[m->accepted_count++] = (struct accepted){.waitpoint_id = v->waitpoint_id,
                                                       .signal_id = v->signal_id,
                                                       .effect = v->observed_effect,
                                                       .at = v->at};
  return true;
}

/* ---- what is stored ---- */

struct waits {
  const struct suspension *suspension; /* NULL = none yet */
  const struct waitpoint *const *points;
  const struct signal *const *signals;
  const struct json *bindings;         /* of the suspension, the first; NULL = none */
  struct heard *heard; /* of the suspension, in order; without the one time sent */
  size_t heard_count;
  uint32_t point_count, signal_count, dedup_count, replay_count;
};

static void load(struct oracle *o, struct exec_id id, struct waits *w) {
  struct waitpoint point = {.partition = id.partition, .execution_id = id.uuid};
  struct signal signal = {.partition = id.partition, .execution_id = id.uuid};
  struct signal_dedup dedup = {.partition = id.partition, .execution_id = id.uuid};
  struct suspend_replay replay = {.partition = id.partition, .execution_id = id.uuid};
  struct store_get get = {RECORD_KIND_suspension, EXECUTION_KEY(suspension, id), NULL};
  struct store_scan scans[] = {
      {.index = INDEX_waitpoint_by_execution, .from = &point, .limit = 100000},
      {.index = INDEX_signal_by_execution, .from = &signal, .limit = 100000},
      {.index = INDEX_signal_dedup_by_execution, .from = &dedup, .limit = 100000},
      {.index = INDEX_suspend_replay_by_execution, .from = &replay, .limit = 100000}};
  struct ff_error error;
  int64_t now;
  INVARIANT(store_fetch(o->session, &o->arena, &get, 1, scans, ARRAY_LEN(scans), &now, &error) ==
            FF_OK);
  *w = (struct waits){.suspension = get.record,
                      .points = (const struct waitpoint *const *)scans[0].records,
                      .signals = (const struct signal *const *)scans[1].records,
                      .point_count = scans[0].count,
                      .signal_count = scans[1].count,
                      .dedup_count = scans[2].count,
                      .replay_count = scans[3].count};
  const struct json *bindings;
  struct json_error where;
  if (w->suspension && json_parse(w->suspension->bindings, &o->arena, &bindings, &where))
    w->bindings = bindings->first;
}

static const struct waitpoint *point_of(const struct waits *w, struct uuid id) {
  for (uint32_t i = 0; i < w->point_count; i++)
    if (uuid_equal(w->points[i]->waitpoint_id, id)) return w->points[i];
  return NULL;
}

static bool is_open(const struct suspension *s) { return s && !s->closed_at; }

/* By its bindings: a caller may give two suspensions one id. */
static bool of_suspension(const struct waitpoint *p, const struct waits *w) {
  struct uuid id;
  for (const struct json *b = p ? w->bindings : NULL; b; b = b->next) {
    const struct json *text = json_member(b, "waitpoint_id");
    if (text && uuid_parse(text->text, &id) && uuid_equal(id, p->waitpoint_id)) return true;
  }
  return false;
}

/* ---- one waitpoint ---- */

static bool counts_fit(struct oracle *o, struct model *m, const struct waits *w,
                       const struct waitpoint *p) {
  uint64_t accepted = 0, stored = 0, matched = 0;
  for (uint32_t i = 0; i < m->accepted_count; i++)
    accepted += uuid_equal(m->accepted[i].waitpoint_id, p->waitpoint_id);
  for (uint32_t i = 0; i < w->signal_count; i++) {
    const struct signal *s = w->signals[i];
    if (!uuid_equal(s->waitpoint_id, p->waitpoint_id) ||
        s->observed_effect == FF_signal_effect_timeout_auto_resume)
      continue;
    stored++;
    matched += s->observed_effect == FF_signal_effect_appended_to_waitpoint ||
               s->observed_effect == FF_signal_effect_appended_to_waitpoint_duplicate ||
               s->observed_effect == FF_signal_effect_resume_condition_satisfied;
  }
  MUST(o, m, p->signal_count == accepted, "a waitpoint counts %llu signals, the log %llu",
       (unsigned long long)p->signal_count, (unsigned long long)accepted);
  MUST(o, m, p->retained_signal_count == stored, "a waitpoint keeps %llu signals, says %llu",
       (unsigned long long)stored, (unsigned long long)p->retained_signal_count);
  MUST(o, m, stored == accepted ? p->matched_signal_count == matched
                                : stored < accepted && p->matched_signal_count >= matched,
       "%llu of %llu signals matched, it says %llu", (unsigned long long)matched,
       (unsigned long long)stored, (unsigned long long)p->matched_signal_count);
  return true;
}

static bool point_fits(struct oracle *o, struct model *m, const struct execution *x,
                       const struct waits *w, const struct waitpoint *p) {
  bool bound = of_suspension(p, w);
  MUST(o, m, uuid_equal(p->execution_id, m->id.uuid) && p->attempt_index < m->attempts,
       "a waitpoint of attempt %u of %u", p->attempt_index, m->attempts);
  MUST(o, m, (p->state == FF_waitpoint_state_closed) == (p->closed_at != 0), "closed at %lld, %s",
       (long long)p->closed_at, ff_word(FF_WORD_waitpoint_state, p->state));
  MUST(o, m, p->state != FF_waitpoint_state_pending || uuid_is_nil(p->suspension_id),
       "pending, but of a suspension");
  MUST(o, m, (p->state == FF_waitpoint_state_active) == (bound && is_open(w->suspension)),
       "a waitpoint is %s, its suspension is %s", ff_word(FF_WORD_waitpoint_state, p->state),
       !bound ? "another" : is_open(w->suspension) ? "open" : "closed");
  MUST(o, m, !m->ended || p->state == FF_waitpoint_state_closed,
       "ended with a waitpoint %s (T-15 … T-17)", ff_word(FF_WORD_waitpoint_state, p->state));
  MUST(o, m, !bound || !p->closed_at || text_equal(p->close_reason, w->suspension->close_reason),
       "closed with its suspension for another reason");
  MUST(o, m,
       p->state != FF_waitpoint_state_pending ||
           (x->next_due_at && x->next_due_at <= p->expires_at) || p->expires_at == INT64_MAX,
       "nothing will expire a waitpoint at %lld", (long long)p->expires_at);
  return counts_fit(o, m, w, p);
}

/* ---- the signals of the suspension ---- */

static int by_seq(const void *a, const void *b) {
  const struct heard *x = a, *y = b;
  return (x->signal->seq > y->signal->seq) - (x->signal->seq < y->signal->seq);
}

static void hear(struct oracle *o, struct waits *w) {
  w->heard = ARENA_ARRAY(&o->arena, struct heard, w->signal_count + 1);
  for (uint32_t i = 0; i < w->signal_count; i++) {
    const struct waitpoint *p = point_of(w, w->signals[i]->waitpoint_id);
    if (of_suspension(p, w) &&
        w->signals[i]->observed_effect != FF_signal_effect_timeout_auto_resume)
      w->heard[w->heard_count++] = (struct heard){w->signals[i], p->waitpoint_key};
  }
  if (w->heard_count) qsort(w->heard, w->heard_count, sizeof *w->heard, by_seq);
}

/* Each had the effect it must have had, and the first that met the condition ended the suspension.
 */
static bool effects_fit(struct oracle *o, struct model *m, const struct waits *w) {
  const struct suspension *s = w->suspension;
  const struct json *condition = condition_read(s->resume_condition, &o->arena);
  bool met = false, again = s->created_at == m->judged_at;
  MUST(o, m, condition, "a stored condition is none: " TEXT_FMT, TEXT_ARG(s->resume_condition));
  for (size_t i = 0; i < w->heard_count; i++) {
    const struct signal *sent = w->heard[i].signal;
    if (again && sent->seq <= m->judged_seq && !met) continue;
    enum ff_signal_effect effect = met ? FF_signal_effect_buffered_for_pending_waitpoint
                                       : condition_effect(condition, w->heard, i + 1);
    MUST(o, m, sent->observed_effect == effect,
         "signal %llu of condition " TEXT_FMT " was %s, not %s", (unsigned long long)sent->seq,
         TEXT_ARG(s->resume_condition),
         ff_word(FF_WORD_signal_effect, sent->observed_effect),
         ff_word(FF_WORD_signal_effect, effect));
    bool closes = effect == FF_signal_effect_resume_condition_satisfied;
    MUST(o, m, !closes || uuid_equal(s->closer_signal_id, sent->signal_id),
         "another signal closed it than the one that met its condition");
    met |= closes;
    m->judged_seq = sent->seq;
  }
  m->judged_at = s->created_at;
  met = condition_met(condition, w->heard, w->heard_count);
  MUST(o, m, is_open(s) ? !met : met == (s->resume_trigger == FF_resume_trigger_signal),
       "condition " TEXT_FMT " is %s, its suspension is %s by %s", TEXT_ARG(s->resume_condition),
       met ? "met" : "not met", is_open(s) ? "open" : "closed",
       ff_word(FF_WORD_resume_trigger, s->resume_trigger));
  if (!is_open(s)) m->judged_at = 0; /* nothing more can come: look at all, always */
  return true;
}

/* ---- the suspension ---- */

static bool reason_fits(const struct suspension *s) {
  static const struct {
    enum ff_resume_trigger trigger;
    const char *reason;
    bool timed;
  } ends[] = {{FF_resume_trigger_signal, "resumed", false},
              {FF_resume_trigger_operator, "resumed", false},
              {FF_resume_trigger_auto_resume, "resumed", false},
              {FF_resume_trigger_auto_resume, "timed_out_auto_resume", true},
              {FF_resume_trigger_timeout, "timed_out_auto_resume", true},
              {FF_resume_trigger_none, "timed_out_fail", true},
              {FF_resume_trigger_none, "timed_out_cancel", true},
              {FF_resume_trigger_none, "timed_out_expire", true},
              {FF_resume_trigger_none, "cancelled", false},
              {FF_resume_trigger_none, "execution_terminal", false}, /* skipped, 04 FR-10 */
              {FF_resume_trigger_none, "expired:execution_deadline", false}};
  for (size_t i = 0; i < ARRAY_LEN(ends); i++)
    if (s->resume_trigger == ends[i].trigger && text_equal_c(s->close_reason, ends[i].reason))
      return !ends[i].timed || (s->timeout_at && s->timeout_at <= s->closed_at);
  return false;
}

static bool open_fits(struct oracle *o, struct model *m, const struct execution *x,
                      const struct waits *w) {
  const struct suspension *s = w->suspension;
  uint32_t active = 0;
  for (uint32_t i = 0; i < w->point_count; i++)
    active += w->points[i]->state == FF_waitpoint_state_active;
  MUST(o, m, m->waiting && x->lifecycle_phase == FF_lifecycle_phase_suspended,
       "an open suspension, %s, suspended by the log: %d",
       ff_word(FF_WORD_lifecycle_phase, x->lifecycle_phase), m->waiting);
  MUST(o, m, uuid_equal(x->current_suspension_id, s->suspension_id), "another suspension is open");
  MUST(o, m, active, "suspended without a waitpoint");
  MUST(o, m, s->attempt_index == x->attempt_index, "suspended in attempt %u, now %u",
       s->attempt_index, x->attempt_index);
  int64_t due_at = s->timeout_at < 1 ? 1 : s->timeout_at;
  MUST(o, m, !s->timeout_at || (x->next_due_at && x->next_due_at <= due_at),
       "nothing will end the suspension at %lld", (long long)s->timeout_at);
  MUST(o, m, s->score == (s->timeout_at ? s->timeout_at : INT64_C(9999999999999)),
       "listed at %lld, times out at %lld", (long long)s->score, (long long)s->timeout_at);
  return true;
}

static bool suspension_fits(struct oracle *o, struct model *m, const struct execution *x,
                            const struct waits *w) {
  const struct suspension *s = w->suspension;
  MUST(o, m, s || !m->waiting, "suspended by the log, without a suspension");
  if (!s) return true;
  if (is_open(s)) return open_fits(o, m, x, w) && effects_fit(o, m, w);
  MUST(o, m, x->lifecycle_phase != FF_lifecycle_phase_suspended, "stuck: its suspension is over");
  MUST(o, m, !s->score && reason_fits(s), "closed by %s: " TEXT_FMT,
       ff_word(FF_WORD_resume_trigger, s->resume_trigger), TEXT_ARG(s->close_reason));
  MUST(o, m, !m->waiting || (s->resume_trigger != FF_resume_trigger_none),
       "resumed although its suspension ended with it: " TEXT_FMT, TEXT_ARG(s->close_reason));
  return effects_fit(o, m, w);
}

/* ---- together ---- */

static bool signals_fit(struct oracle *o, struct model *m, const struct execution *x,
                        const struct waits *w) {
  MUST(o, m, x->signal_count == m->accepted_count, "counts %llu signals, the log says %u",
       (unsigned long long)x->signal_count, m->accepted_count);
  for (uint32_t i = 0; i < w->signal_count; i++) {
    const struct signal *s = w->signals[i];
    const struct accepted *a = model_accepted(m, s->waitpoint_id, s->signal_id);
    bool timed = s->observed_effect == FF_signal_effect_timeout_auto_resume;
    MUST(o, m, timed || a, "a signal that no event speaks of");
    MUST(o, m, s->seq && s->seq <= x->signal_seq, "signal %llu of %llu", (unsigned long long)s->seq,
         (unsigned long long)x->signal_seq);
    MUST(o, m,
         timed || a->effect == s->observed_effect ||
             a->effect == FF_signal_effect_buffered_for_pending_waitpoint,
         "a signal was %s and became %s", ff_word(FF_WORD_signal_effect, a->effect),
         ff_word(FF_WORD_signal_effect, s->observed_effect));
  }
  return true;
}

bool waits_fit(struct oracle *o, struct model *m, const struct execution *x) {
  struct waits w;
  if (!x->waitpoint_count && !m->accepted_count && !m->waiting) return true;
  load(o, m->id, &w);
  MUST(o, m, w.point_count == x->waitpoint_count, "%u waitpoints are stored, it counts %u",
       w.point_count, x->waitpoint_count);
  uint32_t pending = 0;
  for (uint32_t i = 0; i < w.point_count; i++) {
    if (!point_fits(o, m, x, &w, w.points[i])) return false;
    pending += w.points[i]->state == FF_waitpoint_state_pending;
  }
  MUST(o, m, pending == x->pending_waitpoints, "%u waitpoints are pending, it counts %u", pending,
       x->pending_waitpoints);
  hear(o, &w);
  return signals_fit(o, m, x, &w) && suspension_fits(o, m, x, &w);
}

bool oracle_wants(struct oracle *o, struct exec_id id, struct oracle_wanted *out) {
  struct waits w;
  struct wanted wanted;
  arena_reset(&o->arena);
  load(o, id, &w);
  if (!is_open(w.suspension)) return false;
  hear(o, &w);
  const struct json *condition = condition_read(w.suspension->resume_condition, &o->arena);
  if (!condition || !condition_wants(condition, w.heard, w.heard_count, &wanted)) return false;
  if (!text_present(wanted.name)) wanted.name = TEXT_LIT("anything");
  snprintf(out->name, sizeof out->name, TEXT_FMT, TEXT_ARG(wanted.name));
  snprintf(out->correlation_id, sizeof out->correlation_id, TEXT_FMT,
           TEXT_ARG(wanted.correlation_id));
  for (uint32_t i = 0; i < w.point_count; i++)
    if (of_suspension(w.points[i], &w) &&
        text_equal(w.points[i]->waitpoint_key, wanted.key))
      out->waitpoint_id = w.points[i]->waitpoint_id;
  return true;
}

bool waits_gone(struct oracle *o, struct model *m) {
  struct waits w;
  load(o, m->id, &w);
  MUST(o, m,
       !w.suspension && !w.point_count && !w.signal_count && !w.dedup_count && !w.replay_count,
       "purged, but %u waitpoints, %u signals, %u dedup and %u replay entries are left",
       w.point_count, w.signal_count, w.dedup_count, w.replay_count);
  return true;
}
