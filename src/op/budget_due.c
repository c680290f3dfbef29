/*
 * What time does to budgets: resets that fall due, dedup keys and ledgers that are over (06 BU-33,
 * BU-62 … BU-64, BG-26; dedup_sweep).
 *
 * Steps of the engine's own. Each re-checks its condition, so that doing it twice or late is
 * harmless.
 */
#include "op/budget.h"

static enum ff_rc prepare_nothing(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  (void)config, (void)args, (void)prep, (void)arena, (void)e;
  return FF_OK;
}

/* ---- list_budgets_due, reset_budget_due ---- */

static void due_declare(struct declare *d, const void *args, const void *prep) {
  const struct list_budgets_due_args *a = args;
  (void)prep;
  declare_scan(d, INDEX_budget_due, &(struct budget){0}, false, a->limit + 1);
}

static enum ff_rc due_run(struct tx *tx, const void *args, const void *prep, void *result,
                          struct ff_error *e) {
  const struct list_budgets_due_args *a = args;
  struct list_budgets_due_result *r = result;
  const struct budget **items = ARENA_ARRAY(tx_arena(tx), const struct budget *, a->limit);
  struct tx_scan scan;
  (void)prep, (void)e;
  r->next_due_at = INT64_MAX;
  r->items = items;
  TRY(tx_scan_open(tx, INDEX_budget_due, &(struct budget){0}, false, a->limit + 1, &scan));
  while (r->count < a->limit) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    const struct budget *b = record;
    if (b->next_due_at > tx_now(tx)) {
      r->next_due_at = b->next_due_at;
      break;
    }
    items[r->count++] = b;
  }
  return FF_OK;
}

const struct op_code op_code_list_budgets_due = {0, prepare_nothing, due_declare, due_run};

static enum ff_rc reset_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct reset_budget_due_args *a = args;
  (void)arena, (void)e;
  *(struct budget *)prep = budget_key(config, a->budget_id);
  return FF_OK;
}

/* BU-64 */
static enum ff_rc reset_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  struct reset_budget_due_result *r = result;
  const struct budget *b = NULL;
  (void)args;
  TRY(tx_get_budget(tx, prep, &b));
  r->outcome = FF_outcome_not_found;
  if (!b) return FF_OK;
  r->outcome = FF_outcome_not_due;
  if (!b->next_reset_at || b->next_reset_at > tx_now(tx)) return FF_OK;
  r->outcome = FF_outcome_reset;
  return budget_reset(tx, b, e);
}

const struct op_code op_code_reset_budget_due = {sizeof(struct budget), reset_prepare,
                                                 budget_declare_prepared, reset_run};

/* ---- end_unblocking ---- */

static enum ff_rc end_prepare(const struct op_config *config, const void *args, void *prep,
                              struct arena *arena, struct ff_error *e) {
  const struct end_unblocking_args *a = args;
  (void)arena, (void)e;
  *(struct budget *)prep = budget_key(config, a->budget_id);
  return FF_OK;
}

static enum ff_rc end_run(struct tx *tx, const void *args, const void *prep, void *result,
                          struct ff_error *e) {
  const struct end_unblocking_args *a = args;
  struct end_unblocking_result *r = result;
  const struct budget *stored = NULL;
  (void)e;
  TRY(tx_get_budget(tx, prep, &stored));
  r->outcome = FF_outcome_not_due;
  if (!stored || stored->unblock_at != a->unblock_at) return FF_OK;
  struct budget *b = tx_edit_budget(tx, stored);
  b->unblock_at = 0;
  budget_schedule(b);
  r->outcome = FF_outcome_updated;
  return FF_OK;
}

const struct op_code op_code_end_unblocking = {sizeof(struct budget), end_prepare,
                                               budget_declare_prepared, end_run};

/* ---- list_stale_budget ---- */

static void stale_declare(struct declare *d, const void *args, const void *prep) {
  const struct list_stale_budget_args *a = args;
  (void)prep;
  declare_scan(d, INDEX_budget_dedup_expiry, &(struct budget_dedup){0}, false, a->limit / 2);
  declare_scan(d, INDEX_budget_ledger_expiry, &(struct budget_ledger){0}, false, a->limit / 2);
}

static enum ff_rc stale_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct list_stale_budget_args *a = args;
  struct list_stale_budget_result *r = result;
  const struct budget_dedup **dedups =
      ARENA_ARRAY(tx_arena(tx), const struct budget_dedup *, a->limit / 2);
  const struct budget_ledger **ledgers =
      ARENA_ARRAY(tx_arena(tx), const struct budget_ledger *, a->limit / 2);
  struct tx_scan keys, entries;
  const void *record;
  (void)prep, (void)e;
  TRY(tx_scan_open(tx, INDEX_budget_dedup_expiry, &(struct budget_dedup){0}, false, a->limit / 2,
                   &keys));
  TRY(tx_scan_open(tx, INDEX_budget_ledger_expiry, &(struct budget_ledger){0}, false, a->limit / 2,
                   &entries));
  while (r->dedup_count < a->limit / 2) {
    TRY(tx_scan_next(&keys, &record));
    const struct budget_dedup *key = record;
    if (!key || key->expires_at > tx_now(tx)) break;
    dedups[r->dedup_count++] = key;
  }
  while (r->ledger_count < a->limit / 2) {
    TRY(tx_scan_next(&entries, &record));
    const struct budget_ledger *ledger = record;
    if (!ledger || ledger->expires_at > tx_now(tx)) break;
    ledgers[r->ledger_count++] = ledger;
  }
  r->dedups = dedups;
  r->ledgers = ledgers;
  return FF_OK;
}

const struct op_code op_code_list_stale_budget = {0, prepare_nothing, stale_declare, stale_run};

/* ---- drop_budget_dedup ---- */

static enum ff_rc dedup_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct drop_budget_dedup_args *a = args;
  (void)arena, (void)e;
  *(struct budget_dedup *)prep =
      (struct budget_dedup){.partition = budget_key(config, a->budget_id).partition,
                            .budget_id = a->budget_id,
                            .dedup_key = a->dedup_key};
  return FF_OK;
}

static void dedup_declare(struct declare *d, const void *args, const void *prep) {
  (void)args;
  declare_get(d, RECORD_KIND_budget_dedup, prep);
}

static enum ff_rc dedup_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  struct drop_budget_dedup_result *r = result;
  const struct budget_dedup *key = NULL;
  (void)args, (void)e;
  TRY(tx_get_budget_dedup(tx, prep, &key));
  r->outcome = FF_outcome_not_found;
  if (!key) return FF_OK;
  r->outcome = FF_outcome_not_due;
  if (key->expires_at > tx_now(tx)) return FF_OK;
  tx_delete_budget_dedup(tx, key);
  r->outcome = FF_outcome_purged;
  return FF_OK;
}

const struct op_code op_code_drop_budget_dedup = {sizeof(struct budget_dedup), dedup_prepare,
                                                  dedup_declare, dedup_run};

/* ---- drop_budget_ledger ---- */

struct ledger_prep {
  struct budget budget; /* first: its key */
  struct budget_ledger ledger;
};

static enum ff_rc ledger_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct drop_budget_ledger_args *a = args;
  struct ledger_prep *p = prep;
  (void)arena, (void)e;
  p->budget = budget_key(config, a->budget_id);
  p->ledger = (struct budget_ledger){.partition = p->budget.partition,
                                     .budget_id = a->budget_id,
                                     .execution_partition = a->execution.partition,
                                     .execution_id = a->execution.uuid};
  return FF_OK;
}

static void ledger_declare(struct declare *d, const void *args, const void *prep) {
  const struct ledger_prep *p = prep;
  const struct drop_budget_ledger_args *a = args;
  struct execution x = {.partition = a->execution.partition, .id = a->execution.uuid};
  declare_get(d, RECORD_KIND_budget, &p->budget);
  declare_get(d, RECORD_KIND_budget_ledger, &p->ledger);
  declare_get(d, RECORD_KIND_execution, &x);
}

/* Over are the ledgers of an earlier epoch, and those whose execution was purged. One that is due but
 * still counts (its reset is late) is due again with the next reset. */
static enum ff_rc ledger_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct ledger_prep *p = prep;
  const struct drop_budget_ledger_args *a = args;
  struct drop_budget_ledger_result *r = result;
  struct execution key = {.partition = a->execution.partition, .id = a->execution.uuid};
  const struct budget *b = NULL;
  const struct budget_ledger *ledger = NULL;
  const struct execution *x = NULL;
  (void)e;
  TRY(tx_get_budget(tx, &p->budget, &b));
  TRY(tx_get_budget_ledger(tx, &p->ledger, &ledger));
  TRY(tx_get_execution(tx, &key, &x));
  r->outcome = FF_outcome_not_found;
  if (!ledger) return FF_OK;
  r->outcome = FF_outcome_purged;
  bool expired = ledger->expires_at && ledger->expires_at <= tx_now(tx);
  if (!expired && !x) return tx_delete_budget_ledger(tx, ledger), FF_OK;
  if (!b || ledger->epoch != b->reset_count) return tx_delete_budget_ledger(tx, ledger), FF_OK;
  r->outcome = FF_outcome_not_due;
  if (expired) tx_edit_budget_ledger(tx, ledger)->expires_at = b->next_reset_at;
  return FF_OK;
}

const struct op_code op_code_drop_budget_ledger = {sizeof(struct ledger_prep), ledger_prepare,
                                                   ledger_declare, ledger_run};
