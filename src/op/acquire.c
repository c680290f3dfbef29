/*
 * acquire: the one core of claim, claim_task, claim_tasks and complete_and_claim (02 §5.3, DESIGN
 * §10 scheduling). Takes up to `max` leases over the given lanes and answers them as tasks.
 *
 * Three passes in one run: choose (reads), load what the chosen still need, claim (writes). So a
 * missing record costs one round for all of them, and nothing is staged before everything is there.
 */
#include "op/candidates.h"

enum {
  LANES_MAX = 64,
  TASKS_MAX = 1000,
  REPEATS_PASSED_MAX = 256    /* foreign or dead leases under one request id */
};

struct chosen {
  const struct execution **items;
  uint32_t count;
  struct candidates *walks; /* those used, NULL for a repeat */
  size_t walk_count;
  bool cut; /* a walk ended early: there may be more */
};

static enum ff_rc acquire_prepare(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  const struct acquire_args *a = args;
  (void)config, (void)prep, (void)arena;
  if (a->lane_ids.count < 1 || a->lane_ids.count > LANES_MAX)
    return error_field(e, FF_CODE_invalid_input, "lane_ids", "1 to %d lanes", LANES_MAX);
  for (size_t i = 0; i < a->lane_ids.count; i++)
    TRY(lane_check(a->lane_ids.items[i], a->lane_ids.count == 1 ? "lane_id" : "lane_ids", e));
  TRY(worker_id_check(a->worker_id, "worker_id", e));
  TRY(worker_id_check(a->worker_instance_id, "worker_instance_id", e));
  if (a->lease_ttl_ms < 1 || a->lease_ttl_ms > UINT32_MAX)
    return error_field(e, FF_CODE_invalid_input, "lease_ttl_ms", "must be 1 to %u", UINT32_MAX);
  TRY(text_check(a->request_id, "request_id", REQUEST_ID_MAX_BYTES, e));
  if (a->max < 1 || a->max > TASKS_MAX)
    return error_field(e, FF_CODE_invalid_input, "max", "must be 1 to %d", TASKS_MAX);
  return FF_OK;
}

static struct execution request_key(const struct acquire_args *a) {
  return (struct execution){.claim_request_id = a->request_id};
}

static void acquire_declare(struct declare *d, const void *args, const void *prep) {
  const struct acquire_args *a = args;
  (void)prep;
  for (size_t i = 0; i < a->lane_ids.count; i++)
    candidates_declare(d, a->lane_ids.items[i], &a->capabilities, a->max);
  if (!text_nonempty(a->request_id)) return;
  struct execution from = request_key(a);
  declare_scan(d, INDEX_execution_claim_request, &from, false, a->max);
}

/* ---- choose ---- */

static size_t lane_place(const struct acquire_args *a, const struct execution *x) {
  size_t i = 0;
  while (i < a->lane_ids.count && !text_equal(a->lane_ids.items[i], x->lane_id)) i++;
  return i;
}

/* Puts x where the first answer had it: lanes as given, then in claim order. */
static void insert_claimed(const struct acquire_args *a, struct chosen *out,
                           const struct execution *x) {
  uint32_t at = out->count++;
  for (; at > 0; at--) {
    const struct execution *before = out->items[at - 1];
    size_t place = lane_place(a, x), its = lane_place(a, before);
    if (place > its || (place == its && !candidate_runs_before(x, before))) break;
    out->items[at] = before;
  }
  out->items[at] = x;
}

/* What this very request has claimed already (00 OP-8): leases that still live and are its own. */
static enum ff_rc choose_claimed(struct tx *tx, const struct acquire_args *a, struct chosen *out) {
  struct execution from = request_key(a);
  struct tx_scan scan;
  TRY(tx_scan_open(tx, INDEX_execution_claim_request, &from, false, a->max, &scan));
  for (uint32_t passed = 0; out->count < a->max && passed < REPEATS_PASSED_MAX;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    const struct execution *x = record;
    if (x->ownership_state == FF_ownership_state_leased && tx_now(tx) < x->lease_expires_at &&
        text_equal(x->worker_instance_id, a->worker_instance_id))
      insert_claimed(a, out, x);
    else
      passed++;
  }
  return FF_OK;
}

static bool lane_seen_before(const struct acquire_args *a, size_t index) {
  for (size_t i = 0; i < index; i++)
    if (text_equal(a->lane_ids.items[i], a->lane_ids.items[index])) return true;
  return false;
}

/* All walks are opened before any is used, so that what they begin with loads in one round. */
static enum ff_rc open_walks(struct tx *tx, const struct acquire_args *a, struct candidates *walks,
                             size_t *count) {
  bool missing = false;
  for (size_t i = 0; i < a->lane_ids.count; i++) {
    if (lane_seen_before(a, i)) continue;
    struct ff_str lane = a->lane_ids.items[i];
    struct candidates *walk = &walks[(*count)++];
    enum ff_rc rc = candidates_open(tx, lane, a->capabilities, a->max, walk);
    walk->payloads = true;
    if (rc == FF_UNREADABLE && a->lane_ids.count > 1) continue; /* the other lanes give work */
    if (rc == FF_MISS)
      missing = true;
    else if (rc != FF_OK)
      return rc;
  }
  return missing ? FF_MISS : FF_OK;
}

static enum ff_rc choose_eligible(struct tx *tx, const struct acquire_args *a, struct chosen *out,
                                  struct ff_error *e) {
  struct candidates *walks = ARENA_ARRAY(tx_arena(tx), struct candidates, a->lane_ids.count);
  size_t count = 0;
  TRY(open_walks(tx, a, walks, &count));
  out->walks = walks;
  for (size_t i = 0; i < count && out->count < a->max; i++) {
    out->walk_count = i + 1;
    while (out->count < a->max) {
      const struct execution *x = NULL;
      enum ff_rc rc = candidates_next_admitted(&walks[i], &x, e);
      if (rc == FF_MISS)
        for (size_t later = i + 1; later < count; later++) candidates_expand(&walks[later]);
      if (rc != FF_OK) return rc;
      if (!x) break;
      out->items[out->count++] = x;
    }
    out->cut |= walks[i].cut;
  }
  return FF_OK;
}

/* ---- load ---- */

static enum ff_rc load(struct tx *tx, const struct chosen *chosen) {
  enum ff_rc worst = FF_OK;
  for (uint32_t i = 0; i < chosen->count; i++) {
    enum ff_rc rc = candidate_load(tx, chosen->items[i], true);
    if (rc != FF_OK && worst != FF_MISS) worst = rc;
  }
  if (worst == FF_MISS)
    for (size_t i = 0; i < chosen->walk_count; i++) candidates_prefetch(&chosen->walks[i], true);
  return worst;
}

/* ---- claim ---- */

static enum ff_rc claim_one(struct tx *tx, const struct acquire_args *a,
                            const struct execution *read, struct ff_task *task) {
  struct execution *x = tx_edit_execution(tx, read);
  if (x->grant_expires_at) TRY(grant_drop(tx, x));
  struct lease_grant lease = {
      .lease_id = tx_mint_uuid(tx),
      .worker_id = a->worker_id,
      .worker_instance_id = a->worker_instance_id,
      .request_id = text_nonempty(a->request_id) ? a->request_id : (struct ff_str){0},
      .ttl_ms = a->lease_ttl_ms};
  if (x->attempt_state == FF_attempt_state_attempt_interrupted) {
    lease_claim_resumed(tx, x, &(struct resumed_claim){.lease = lease});
    return view_task(tx, x, FF_handle_kind_resumed, a->lease_ttl_ms, task);
  }
  lease_claim_fresh(tx, x, &(struct fresh_claim){.lease = lease, .attempt_id = tx_mint_uuid(tx)});
  return view_task(tx, x, FF_handle_kind_fresh, a->lease_ttl_ms, task);
}

/* An attempt keeps resumed_at from its latest resumption until another attempt replaces it. */
static enum ff_rc show_again(struct tx *tx, const struct acquire_args *a, const struct execution *x,
                             struct ff_task *task) {
  bool resumed = x->attempt_resumed_at != 0;
  return view_task(tx, x, resumed ? FF_handle_kind_resumed : FF_handle_kind_fresh,
                   a->lease_ttl_ms, task);
}

static enum ff_rc acquire_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  const struct acquire_args *a = args;
  struct acquire_result *r = result;
  (void)prep;
  struct chosen chosen = {
      .items = ARENA_ARRAY(tx_arena(tx), const struct execution *, a->max)};
  if (text_nonempty(a->request_id)) TRY(choose_claimed(tx, a, &chosen));
  bool repeated = chosen.count > 0;
  if (!repeated) TRY(choose_eligible(tx, a, &chosen, e));
  r->more = chosen.cut;
  if (chosen.count == 0) return FF_OK;
  TRY(load(tx, &chosen));

  struct ff_task *tasks = arena_alloc(tx_arena(tx), sizeof *tasks * chosen.count);
  for (uint32_t i = 0; i < chosen.count; i++) {
    if (repeated)
      TRY(show_again(tx, a, chosen.items[i], &tasks[i]));
    else
      TRY(claim_one(tx, a, chosen.items[i], &tasks[i]));
  }
  r->tasks = (struct ff_tasks){tasks, chosen.count};
  return FF_OK;
}

const struct op_code op_code_acquire = {0, acquire_prepare, acquire_declare, acquire_run};
