/*
 * The candidate walk: requirement sets of a lane, their heads, and the merge in claim order.
 *
 * Decides order and visibility, and blocks who may not be claimed now; who takes a candidate
 * re-checks nothing because it runs in the same transaction. Rounds of loading stay few: all heads are asked for
 * together, and a head is never read further than the caller needs.
 */
#include "op/candidates.h"

#include "op/flow_cancel.h"

enum {
  SETS_EXPECTED = 1024, /* a limit, not a cost: a lane has a handful of distinct sets */
  SETS_MAX = 4096,      /* beyond that, sets in byte order are not looked at: bounds the rounds */
  PREFETCH_MAX = 256,   /* candidates per head */
  PASSED_MAX = 256,     /* granted candidates passed over per head and call (02 L-80, 06 S-46) */
  HELD_BACK_MAX = 256   /* blocked by a walk: bounds what one transaction writes (06 S-46) */
};

/* ---- heads ---- */

static struct execution head_key(struct ff_str lane_id, struct ff_str required) {
  return (struct execution){.lane_id = lane_id, .required_capabilities = required};
}

void candidates_declare(struct declare *d, struct ff_str lane_id, const struct ff_str *capabilities,
                        uint32_t expect) {
  if (capabilities) declare_get(d, RECORD_KIND_lane, &(struct lane){.lane_id = lane_id});
  if (!capabilities || text_nonempty(*capabilities))
    declare_scan(d, INDEX_requirement_set_by_lane, &(struct requirement_set){.lane_id = lane_id},
                 false, SETS_EXPECTED);
  struct execution from = head_key(lane_id, TEXT_LIT(""));
  declare_scan(d, INDEX_execution_eligible, &from, false, expect);
}

static struct candidate_head *head_new(struct candidates *c) {
  if (c->count == c->capacity) {
    uint32_t capacity = c->capacity ? c->capacity * 2 : 8;
    struct candidate_head *grown =
        ARENA_ARRAY(tx_arena(c->tx), struct candidate_head, capacity);
    if (c->count) memcpy(grown, c->heads, c->count * sizeof *grown);
    c->heads = grown;
    c->capacity = capacity;
  }
  return &c->heads[c->count++];
}

static enum ff_rc head_open(struct candidates *c, struct ff_str lane_id, struct ff_str required) {
  struct candidate_head *head = head_new(c);
  struct execution from = head_key(lane_id, required);
  enum ff_rc rc =
      tx_scan_open(c->tx, INDEX_execution_eligible, &from, false, c->expect, &head->scan);
  if (rc == FF_MISS) c->missing = true;
  return rc == FF_MISS ? FF_OK : rc;
}

/* capabilities NULL = every set. The empty set is not registered: it is always there. */
static enum ff_rc heads_open(struct candidates *c, struct ff_str lane_id,
                             const struct ff_str *capabilities) {
  TRY(head_open(c, lane_id, TEXT_LIT("")));
  if (capabilities && !text_nonempty(*capabilities)) return FF_OK;
  struct requirement_set from = {.lane_id = lane_id};
  struct tx_scan scan;
  TRY(tx_scan_open(c->tx, INDEX_requirement_set_by_lane, &from, false, SETS_EXPECTED, &scan));
  for (uint32_t seen = 0; seen < SETS_MAX; seen++) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    const struct requirement_set *set = record;
    if (capabilities && !capabilities_cover(*capabilities, set->required_capabilities)) continue;
    TRY(head_open(c, lane_id, set->required_capabilities));
  }
  return FF_OK;
}

bool lane_state_gives_work(enum ff_lane_state state) {
  return state == FF_lane_state_active || state == FF_lane_state_draining;
}

enum ff_rc candidates_open(struct tx *tx, struct ff_str lane_id, struct ff_str capabilities,
                           uint32_t expect, struct candidates *c) {
  *c = (struct candidates){.tx = tx, .expect = expect};
  const struct lane *lane = NULL;
  TRY(tx_get_lane(tx, &(struct lane){.lane_id = lane_id}, &lane));
  if (lane && !lane_state_gives_work((enum ff_lane_state)lane->lane_state)) return FF_OK;
  TRY(heads_open(c, lane_id, &capabilities));
  return c->missing ? FF_MISS : FF_OK;
}

enum ff_rc candidates_open_all(struct tx *tx, struct ff_str lane_id, uint32_t expect,
                               struct candidates *c) {
  *c = (struct candidates){.tx = tx, .expect = expect};
  TRY(heads_open(c, lane_id, NULL));
  return c->missing ? FF_MISS : FF_OK;
}

/* ---- the merge ---- */

/* 04 FX-15. What is not loaded yet counts as good: candidate_load asks for it. */
static bool refused(const struct candidates *c, const struct execution *x) {
  bool is = false;
  bool resumes = x->attempt_state == FF_attempt_state_attempt_interrupted;
  return flow_refuses(c->tx, x, resumes, &is) == FF_OK && is;
}

/* Makes head->next the first one that may be taken, or ends the head. */
static enum ff_rc head_fill(struct candidates *c, struct candidate_head *head) {
  int64_t now = tx_now(c->tx);
  while (!head->next && !head->ended) {
    const void *record = NULL;
    TRY(tx_scan_next(&head->scan, &record));
    const struct execution *x = record;
    if (!x)
      head->ended = true;
    else if (x->grant_expires_at <= now && !refused(c, x))
      head->next = x;
    else if (++head->passed >= PASSED_MAX)
      head->ended = true;
  }
  return FF_OK;
}

void candidates_expand(struct candidates *c) {
  for (uint32_t i = 0; i < c->count; i++) {
    struct candidate_head *head = &c->heads[i];
    do head->next = NULL;
    while (head_fill(c, head) == FF_OK && !head->ended);
  }
}

/* The order of execution_eligible behind its prefix. */
bool candidate_runs_before(const struct execution *a, const struct execution *b) {
  if (a->priority != b->priority) return a->priority > b->priority;
  if (a->created_at != b->created_at) return a->created_at < b->created_at;
  if (a->partition != b->partition) return a->partition < b->partition;
  return uuid_compare(a->id, b->id) < 0;
}

enum ff_rc candidates_next(struct candidates *c, const struct execution **out) {
  struct candidate_head *best = NULL;
  *out = NULL;
  for (uint32_t i = 0; i < c->count; i++) {
    struct candidate_head *head = &c->heads[i];
    enum ff_rc rc = head_fill(c, head);
    if (rc == FF_MISS) candidates_expand(c);
    if (rc != FF_OK) return rc;
    if (head->next && (!best || candidate_runs_before(head->next, best->next))) best = head;
  }
  if (!best) return FF_OK;
  *out = best->next;
  best->next = NULL;
  return FF_OK;
}

/* ---- what a claim needs beside the row ---- */

enum ff_rc candidate_load(struct tx *tx, const struct execution *x, bool payload) {
  struct exec_id id = execution_id_of(x);
  const struct payload *ignored_payload = NULL;
  const struct grant *ignored_grant = NULL;
  enum ff_rc first = FF_OK, second = FF_OK;
  bool ignored_refusal = false;
  if (payload && execution_has_payload_record(x))
    first = tx_get_payload(tx, EXECUTION_KEY(payload, id), &ignored_payload);
  if (x->grant_expires_at) second = tx_get_grant(tx, EXECUTION_KEY(grant, id), &ignored_grant);
  enum ff_rc flow = flow_refuses(tx, x, false, &ignored_refusal);
  if (second == FF_OK || (second == FF_MISS && flow != FF_OK)) second = flow;
  return second == FF_UNREADABLE || first == FF_OK ? second : first;
}

void candidates_prefetch(struct candidates *c, bool payloads) {
  int64_t now = tx_now(c->tx);
  for (uint32_t i = 0; i < c->count; i++) {
    struct candidate_head *head = &c->heads[i];
    const struct execution *x = head->next ? head->next : tx_scan_next_loaded(&head->scan);
    for (uint32_t seen = 0; x && seen < PREFETCH_MAX; seen++) {
      if (x->grant_expires_at <= now) (void)!candidate_load(c->tx, x, payloads);
      x = tx_scan_next_loaded(&head->scan);
    }
  }
}

/* ---- admission ---- */

/* What is not loaded yet counts as good: the walk runs again once it is. */
static bool spoiled(const struct candidates *c, const struct execution *x) {
  return candidate_load(c->tx, x, c->payloads) == FF_UNREADABLE;
}

/* Before FF_MISS is handed up: what the judgement of those behind will read is asked for at once, and
 * more of them, so that the rounds do not grow with what is held back. */
static void want_more(struct candidates *c, bool rows) {
  int64_t now = tx_now(c->tx);
  for (uint32_t i = 0; i < c->count; i++) {
    struct candidate_head *head = &c->heads[i];
    struct tx_scan ahead = head->scan;
    const struct execution *x = head->next ? head->next : tx_scan_next_loaded(&ahead);
    for (uint32_t seen = 0; x && seen < PREFETCH_MAX; seen++) {
      if (x->grant_expires_at <= now) admission_want(&c->admission, x);
      x = tx_scan_next_loaded(&ahead);
    }
    if (rows && !head->ended) tx_scan_want(&ahead, HELD_BACK_MAX);
  }
}

/* 06 D.4, steps b and c: who may not be claimed now is blocked and stays out of sight until that is
 * over. A store spread over machines cannot write two of them in one operation: there they are only
 * passed over. */
static enum ff_rc hold_back(struct candidates *c, const struct execution *x,
                            const struct verdict *v) {
  c->held_back++;
  if (!tx_one_domain(c->tx)) return FF_OK;
  return execution_block(c->tx, x, v->reason, v->on, v->detail);
}

static enum ff_rc admit(struct candidates *c, const struct execution *x, bool *admitted,
                        struct ff_error *e) {
  struct verdict v;
  *admitted = true;
  if (admission_is_free(x)) return FF_OK;
  c->admission.tx = c->tx;
  enum ff_rc rc = admission_judge(&c->admission, x, &v, e);
  if (rc == FF_OK && !v.admitted) rc = hold_back(c, x, &v);
  if (rc == FF_MISS) want_more(c, false);
  *admitted = v.admitted;
  return rc;
}

enum ff_rc candidates_next_admitted(struct candidates *c, const struct execution **out,
                                    struct ff_error *e) {
  for (bool admitted = false; !admitted;) {
    *out = NULL;
    c->cut = c->held_back >= HELD_BACK_MAX;
    if (c->cut) return FF_OK;
    enum ff_rc rc = candidates_next(c, out);
    if (rc == FF_MISS && c->held_back) want_more(c, true);
    if (rc != FF_OK) return rc;
    if (!*out) return FF_OK;
    if (spoiled(c, *out)) continue;
    TRY(admit(c, *out, &admitted, e));
  }
  return FF_OK;
}
