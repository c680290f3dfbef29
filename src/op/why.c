/*
 * why: what an execution is waiting for (doc/operations.md, WY-1 … WY-9).
 *
 * Judges with the predicates of the claim path: the candidate walk for the place in the lane, the
 * lane's gate, the due times, the suspension's own bindings. Writes nothing.
 */
#include "op/candidates.h"
#include "op/read.h"
#include "op/suspension.h"
#include "op/worker.h"

#include "flowfabric/why.h"

enum { AHEAD_MAX = 1000, BLOCKERS_MAX = 512, CAPABLE_MAX = 16 };

READ_TAKES_ID(why);

struct inquiry {
  struct tx *tx;
  const struct execution *x;
  struct ff_why_result *r;
  struct ff_blocker *blockers;
  struct ff_error *e;
};

/* ---- the answer ---- */

static void say(struct inquiry *q, enum ff_why_reason reason, int64_t until,
                struct ff_str sentence) {
  q->r->reason = (uint8_t)reason;
  q->r->until = until;
  q->r->sentence = sentence;
}
#define SAY(q, reason, until, ...) \
  say(q, FF_why_reason_##reason, until, arena_printf(tx_arena((q)->tx), __VA_ARGS__))
/* For %.*s. */
#define TEXT(text) (int)(text).len, (text).len ? (text).ptr : ""

static struct ff_blocker *blocker(struct inquiry *q, const char *kind) {
  size_t at = q->r->blockers.count;
  if (!q->blockers) q->blockers = ARENA_ARRAY(tx_arena(q->tx), struct ff_blocker, BLOCKERS_MAX);
  if (at < BLOCKERS_MAX) q->r->blockers.count++;
  struct ff_blocker *b = &q->blockers[at < BLOCKERS_MAX ? at : BLOCKERS_MAX - 1];
  *b = (struct ff_blocker){.kind = ff_text(kind)};
  q->r->blockers.items = q->blockers;
  return b;
}

/* " in 2.5 s"; nothing for a time that has come. */
static struct ff_str in_time(const struct inquiry *q, int64_t at) {
  struct arena *arena = tx_arena(q->tx);
  int64_t ms = at - tx_now(q->tx), s = ms / 1000;
  if (ms <= 0) return TEXT_LIT(" now");
  if (s < 60)
    return arena_printf(arena, " in %lld.%lld s", (long long)s, (long long)(ms % 1000 / 100));
  if (s < 3600)
    return arena_printf(arena, " in %lld min %lld s", (long long)(s / 60), (long long)(s % 60));
  return arena_printf(arena, " in %lld h %lld min", (long long)(s / 3600),
                      (long long)(s / 60 % 60));
}

/* WY-7: the required capabilities, and the live workers that have them all. Says how many. */
static enum ff_rc list_capabilities(struct inquiry *q, struct ff_str *who) {
  struct ff_str rest = q->x->required_capabilities;
  while (rest.len) {
    const char *comma = memchr(rest.ptr, ',', rest.len);
    size_t len = comma ? (size_t)(comma - rest.ptr) : rest.len;
    blocker(q, "capability")->id = text_of(rest.ptr, len);
    size_t step = comma ? len + 1 : len;
    rest = text_of(rest.ptr + step, rest.len - step);
  }
  *who = TEXT_LIT("");
  if (!q->x->required_capabilities.len) return FF_OK;
  struct worker from = {.namespace_ = worker_namespace(q->x->namespace_)};
  struct tx_scan scan;
  uint32_t capable = 0;
  TRY(tx_scan_open(q->tx, INDEX_worker_by_namespace, &from, false, WORKERS_PAGE_MAX, &scan));
  for (uint32_t seen = 0; seen < WORKERS_EXAMINED_MAX; seen++) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    const struct worker *w = record;
    if (!w) break;
    if (!worker_is_live(w, tx_now(q->tx)) || !worker_can_take(w, q->x)) continue;
    if (++capable > CAPABLE_MAX) continue;
    struct ff_blocker *b = blocker(q, "worker");
    b->id = w->worker_instance_id;
    b->until = w->expires_at;
  }
  *who = capable ? arena_printf(tx_arena(q->tx), " (%u registered)", capable)
                 : TEXT_LIT(" (none is registered)");
  return FF_OK;
}

/* ---- not waiting, or in somebody's hands ---- */

static enum ff_rc why_ended(struct inquiry *q) {
  struct ff_str why = q->x->failure_reason.len ? q->x->failure_reason : q->x->cancellation_reason;
  SAY(q, ended, 0, "it has ended: %s%s%.*s", ff_word(FF_WORD_public_state, q->r->public_state),
      why.len ? ": " : "", TEXT(why));
  return FF_OK;
}

static enum ff_rc why_active(struct inquiry *q) {
  const struct execution *x = q->x;
  struct ff_str worker = x->worker_instance_id;
  bool leased = x->ownership_state == FF_ownership_state_leased;
  if (leased && tx_now(q->tx) < x->lease_expires_at) {
    struct ff_blocker *b = blocker(q, "lease");
    b->id = worker;
    b->until = x->lease_expires_at;
    struct ff_str left = in_time(q, x->lease_expires_at);
    SAY(q, running, 0, "it is running on %.*s, whose lease ends%.*s unless renewed", TEXT(worker),
        TEXT(left));
    return FF_OK;
  }
  bool revoked = x->ownership_state == FF_ownership_state_lease_revoked;
  const char *lost = revoked ? "was revoked" : "has expired";
  int64_t at = leased ? x->lease_expires_at : execution_auto_reclaim_at(x, tx_config(q->tx));
  struct ff_str when = leased ? TEXT_LIT(" soon") : in_time(q, at);
  if (at == INT64_MAX)
    SAY(q, lease_lost, 0, "its lease %s and auto-reclaim is off: reclaim_execution takes it over",
        lost);
  else
    SAY(q, lease_lost, at, "its lease %s; it is offered again%.*s", lost, TEXT(when));
  return FF_OK;
}

/* ---- suspended ---- */

static enum ff_rc why_suspended(struct inquiry *q) {
  const struct suspension *s = NULL;
  struct bindings bindings;
  const struct signal **signals;
  size_t count = 0;
  struct exec_id id = execution_id_of(q->x);
  TRY(suspension_get(q->tx, id, &s));
  if (!suspension_is_open(s)) return read_corrupt("why", "current_suspension", "missing", q->e);
  TRY(bindings_decode(tx_arena(q->tx), s, &bindings, q->e));
  TRY(bindings_signals(q->tx, id, bindings, &signals, &count));
  for (size_t i = 0; i < bindings.count; i++) {
    struct ff_blocker *b = blocker(q, "waitpoint");
    char text[37];
    uuid_format(bindings.items[i].waitpoint_id, text);
    b->id = arena_text(tx_arena(q->tx), ff_text(text));
    b->detail = bindings.items[i].waitpoint_key;
    for (size_t n = 0; n < count; n++)
      b->current += uuid_equal(signals[n]->waitpoint_id, bindings.items[i].waitpoint_id);
  }
  struct ff_str first = bindings.count ? bindings.items[0].waitpoint_key : TEXT_LIT("");
  struct ff_str end = s->timeout_at ? in_time(q, s->timeout_at) : TEXT_LIT("");
  SAY(q, suspended, s->timeout_at,
      "it is suspended (%.*s) and waits for a signal at %zu waitpoint%s (%.*s%s); %zu came so "
      "far%s%.*s",
      TEXT(s->reason_code), bindings.count, bindings.count == 1 ? "" : "s", TEXT(first),
      bindings.count > 1 ? ", …" : "", count, s->timeout_at ? "; times out" : "",
      TEXT(end));
  return FF_OK;
}

/* ---- runnable ---- */

static enum ff_rc why_granted(struct inquiry *q) {
  const struct grant *grant = NULL;
  TRY(tx_get_grant(q->tx, EXECUTION_KEY(grant, execution_id_of(q->x)), &grant));
  struct ff_str worker = grant ? grant->worker_id : TEXT_LIT("a worker");
  struct ff_str when = in_time(q, q->x->grant_expires_at);
  struct ff_blocker *b = blocker(q, "grant");
  b->id = worker;
  b->until = q->x->grant_expires_at;
  SAY(q, granted, q->x->grant_expires_at,
      "it is granted to %.*s, who has not claimed it; offered again%.*s", TEXT(worker),
      TEXT(when));
  return FF_OK;
}

/* WY-3: by the very walk that claims make, over all requirement sets. */
static enum ff_rc count_ahead(struct inquiry *q) {
  struct candidates walk;
  const struct execution *next = NULL;
  TRY(candidates_open_all(q->tx, q->x->lane_id, AHEAD_MAX + 1, &walk));
  for (;;) {
    TRY(candidates_next(&walk, &next));
    if (!next || !candidate_runs_before(next, q->x)) return FF_OK;
    if (q->r->ahead == AHEAD_MAX) break;
    q->r->ahead++;
  }
  q->r->ahead_or_more = true;
  return FF_OK;
}

static enum ff_rc why_eligible(struct inquiry *q) {
  const struct execution *x = q->x;
  struct ff_why_result *r = q->r;
  if (x->grant_expires_at > tx_now(q->tx)) return why_granted(q);
  struct ff_str who;
  TRY(count_ahead(q));
  TRY(list_capabilities(q, &who));
  if (!lane_state_gives_work((enum ff_lane_state)r->lane_state)) {
    SAY(q, lane_closed, 0, "its lane %.*s is %s: set_lane_state opens it", TEXT(x->lane_id),
        ff_word(FF_WORD_lane_state, r->lane_state));
    return FF_OK;
  }
  struct ff_str needs = x->required_capabilities;
  if (r->ahead)
    SAY(q, behind_others, 0, "%u%s of lane %.*s go first; it needs a worker there%s%.*s%.*s",
        r->ahead, r->ahead_or_more ? " or more" : "", TEXT(x->lane_id),
        needs.len ? " that has " : "", TEXT(needs), TEXT(who));
  else
    SAY(q, claimable, 0, "it is next in lane %.*s: no worker%s%.*s has asked for work there%.*s",
        TEXT(x->lane_id), needs.len ? " that has " : "", TEXT(needs), TEXT(who));
  return FF_OK;
}

static enum ff_rc why_not_yet(struct inquiry *q) {
  const struct execution *x = q->x;
  struct ff_str when = in_time(q, x->delay_until);
  if (x->blocking_reason == FF_blocking_reason_waiting_for_retry_backoff) {
    struct ff_blocker *b = blocker(q, "attempt");
    b->current = x->total_attempt_count;
    b->detail = x->failure_reason;
    SAY(q, retry_backoff, x->delay_until, "attempt %u failed (%.*s); it is tried again%.*s",
        x->attempt_index, TEXT(x->failure_reason), TEXT(when));
  } else {
    SAY(q, delayed, x->delay_until, "it is delayed: eligible%.*s", TEXT(when));
  }
  return FF_OK;
}

/* What somebody has to lift, with the words of who blocked it. */
static enum ff_rc why_blocked(struct inquiry *q) {
  const struct execution *x = q->x;
  struct ff_str detail = x->blocking_detail;
  const char *colon = detail.len ? ": " : "";
  struct ff_str who;
  switch ((enum ff_eligibility_state)x->eligibility_state) {
    case FF_eligibility_state_blocked_by_dependencies:
      SAY(q, dependencies, 0, "it waits for what it depends on%s%.*s", colon, TEXT(detail));
      break;
    case FF_eligibility_state_blocked_by_budget:
      SAY(q, budget, 0, "a budget it draws on is exhausted%s%.*s", colon, TEXT(detail));
      break;
    case FF_eligibility_state_blocked_by_quota:
      SAY(q, quota, 0, "its quota is used up%s%.*s", colon, TEXT(detail));
      break;
    case FF_eligibility_state_blocked_by_route:
      TRY(list_capabilities(q, &who));
      SAY(q, capability, 0, "no worker had what it needs: %.*s%.*s", TEXT(x->required_capabilities),
          TEXT(who));
      break;
    default:
      SAY(q, held, 0, "it is held (%s)%s%.*s: release_hold lets it go",
          ff_word(FF_WORD_blocking_reason, x->blocking_reason), colon, TEXT(detail));
      break;
  }
  return FF_OK;
}

static enum ff_rc judge(struct inquiry *q) {
  switch ((enum ff_lifecycle_phase)q->x->lifecycle_phase) {
    case FF_lifecycle_phase_terminal: return why_ended(q);
    case FF_lifecycle_phase_active: return why_active(q);
    case FF_lifecycle_phase_suspended: return why_suspended(q);
    default: break;
  }
  switch ((enum ff_eligibility_state)q->x->eligibility_state) {
    case FF_eligibility_state_eligible_now: return why_eligible(q);
    case FF_eligibility_state_not_eligible_until_time: return why_not_yet(q);
    default: return why_blocked(q);
  }
}

static enum ff_rc why_run(struct tx *tx, const void *args, const void *prep, void *result,
                          struct ff_error *e) {
  struct ff_why_result *r = result;
  struct inquiry q = {.tx = tx, .r = r, .e = e};
  const struct lane *lane = NULL;
  (void)args;
  TRY(read_execution(tx, prep, &q.x));
  if (!q.x) return FF_OK;
  TRY(tx_get_lane(tx, &(struct lane){.lane_id = q.x->lane_id}, &lane));
  r->outcome = FF_outcome_ok;
  r->public_state = (uint8_t)execution_public_state(q.x);
  r->lane_id = q.x->lane_id;
  r->lane_state = lane ? lane->lane_state : FF_lane_state_active;
  return judge(&q);
}

const struct op_code op_code_why = {sizeof(struct exec_id), read_prepare_id,
                                    declare_prepared_execution, why_run};
