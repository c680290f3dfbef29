/*
 * Charging budgets: report_usage, report_usage_admin, record_spend, and giving back: release_budget
 * (06 A.3 … A.6).
 *
 * One evaluation for the three, in the order of BU-21. It looks at no lease and at no execution.
 */
#include "op/budget.h"

#include "op/execution.h"

/* What all three have prepared. */
struct charge_prep {
  struct budget budget;        /* first: budget_declare_prepared; the key */
  struct ff_budget_amounts deltas;
  struct budget_dedup dedup;   /* key; dedup_key absent = none */
  struct budget_ledger ledger; /* key; execution_id nil = none */
};

struct charge_answer {
  uint8_t outcome;
  struct ff_str dimension;
  uint64_t current_usage, hard_limit, soft_limit;
};
#define CHARGE_ANSWER(r, a)                  \
  ((r)->outcome = (a).outcome,               \
   (r)->dimension = (a).dimension,           \
   (r)->current_usage = (a).current_usage,   \
   (r)->hard_limit = (a).hard_limit,         \
   (r)->soft_limit = (a).soft_limit)

static enum ff_rc prepare_charge(const struct op_config *config, struct charge_prep *p,
                                 struct ff_str budget_id, struct ff_budget_amounts deltas,
                                 const char *deltas_field, struct ff_str key,
                                 const char *key_field, struct arena *arena, struct ff_error *e) {
  struct uuid id;
  TRY(own_uuid_parse(budget_id, "budget_id", &id, e));
  TRY(budget_amounts_prepare(deltas, deltas_field, arena, &p->deltas, e));
  TRY(text_check(key, key_field, BUDGET_DEDUP_MAX_BYTES, e));
  p->budget = budget_key(config, id);
  if (!text_nonempty(key)) return FF_OK;
  p->dedup = (struct budget_dedup){
      .partition = p->budget.partition, .budget_id = id, .dedup_key = key};
  return FF_OK;
}

static void charge_declare(struct declare *d, const void *args, const void *prep) {
  const struct charge_prep *p = prep;
  (void)args;
  declare_get(d, RECORD_KIND_budget, &p->budget);
  if (text_present(p->dedup.dedup_key)) declare_get(d, RECORD_KIND_budget_dedup, &p->dedup);
  if (!uuid_is_nil(p->ledger.execution_id)) declare_get(d, RECORD_KIND_budget_ledger, &p->ledger);
}

/* ---- the checks ---- */

/* BU-22: the first in byte order that would go beyond its hard limit. */
static const struct budget_dimension *hard_breach(const struct budget_dimensions *d,
                                                  const struct ff_budget_amounts *deltas) {
  for (size_t i = 0; i < deltas->count; i++) {
    const struct budget_dimension *at = budget_find(d, deltas->items[i].dimension);
    if (at && at->hard && budget_add(at->usage, deltas->items[i].amount) > at->hard) return at;
  }
  return NULL;
}

/* BU-25, after the increments. */
static const struct budget_dimension *soft_breach(const struct budget_dimensions *d,
                                                  const struct ff_budget_amounts *deltas) {
  for (size_t i = 0; i < deltas->count; i++) {
    const struct budget_dimension *at = budget_find(d, deltas->items[i].dimension);
    if (at->soft && at->usage > at->soft) return at;
  }
  return NULL;
}

static bool records_breaches(const struct budget *b) { /* BU-83 */
  return b && (text_equal_c(b->on_hard_limit, "block") ||
               text_equal_c(b->on_hard_limit, "cancel_flow"));
}

/* ---- the effects ---- */

static enum ff_rc add(struct budget_dimensions *d, const struct ff_budget_amounts *deltas,
                      struct ff_error *e) {
  for (size_t i = 0; i < deltas->count; i++) {
    struct budget_dimension *at = budget_at(d, deltas->items[i].dimension);
    if (!at)
      return error_field(e, FF_CODE_invalid_input, "dimension",
                         "too_many_dimensions: limit=%d tracked by one budget", BUDGET_TRACKED_MAX);
    at->usage = budget_add(at->usage, deltas->items[i].amount);
    at->used = true;
  }
  return FF_OK;
}

static void stamp(struct tx *tx, const struct charge_prep *p, const struct budget_dedup *stored) {
  if (!text_present(p->dedup.dedup_key)) return;
  struct budget_dedup *stamped =
      stored ? tx_edit_budget_dedup(tx, stored) : tx_insert_budget_dedup(tx, &p->dedup);
  stamped->expires_at = add_saturating(tx_now(tx), BUDGET_DEDUP_MS);
}

/* BU-41, BU-62 */
static enum ff_rc enter_ledger(struct tx *tx, const struct charge_prep *p, const struct budget *b,
                               struct ff_error *e) {
  const struct budget_ledger *stored = NULL;
  struct budget_dimensions d;
  if (uuid_is_nil(p->ledger.execution_id) || p->deltas.count == 0) return FF_OK;
  TRY(tx_get_budget_ledger(tx, &p->ledger, &stored));
  bool current = stored && stored->epoch == b->reset_count;
  TRY(budget_ledger_decode(current ? stored : NULL, tx_arena(tx), &d, e));
  TRY(add(&d, &p->deltas, e));
  struct budget_ledger *l =
      stored ? tx_edit_budget_ledger(tx, stored) : tx_insert_budget_ledger(tx, &p->ledger);
  l->epoch = b->reset_count;
  l->amounts = budget_encode(tx_arena(tx), &d);
  l->expires_at = b->next_reset_at;
  return FF_OK;
}

static void note_breach(struct tx *tx, struct budget *b, const struct budget_dimension *at) {
  b->breach_count++;
  b->last_breach_at = tx_now(tx);
  b->last_breach_dim = at->name;
  if (!b->exhausted_at) b->exhausted_at = tx_now(tx);
}

/* A charge that takes effect, with or without a breach. */
static enum ff_rc record(struct tx *tx, const struct charge_prep *p, const struct budget *stored,
                         struct budget_dimensions *d, struct budget **edited,
                         struct ff_error *e) {
  *edited = NULL;
  if (p->deltas.count == 0) return FF_OK;
  TRY(add(d, &p->deltas, e));
  struct budget *b = stored ? tx_edit_budget(tx, stored) : tx_insert_budget(tx, &p->budget);
  budget_store(tx, b, d, false);
  *edited = b;
  return enter_ledger(tx, p, b, e);
}

static enum ff_rc refuse(struct tx *tx, const struct charge_prep *p, const struct budget *stored,
                         const struct budget_dedup *dedup, struct budget_dimensions *d,
                         const struct budget_dimension *at, struct charge_answer *answer,
                         struct ff_error *e) {
  struct budget_dimension breach = *at;
  struct budget *b = tx_edit_budget(tx, stored);
  *answer = (struct charge_answer){.outcome = FF_outcome_hard_breach,
                                   .dimension = breach.name,
                                   .current_usage = breach.usage,
                                   .hard_limit = breach.hard};
  note_breach(tx, b, &breach);
  b->last_updated_at = tx_now(tx);
  if (!records_breaches(stored)) return FF_OK;
  stamp(tx, p, dedup);
  return record(tx, p, stored, d, &b, e);
}

static enum ff_rc charge(struct tx *tx, const struct charge_prep *p, struct charge_answer *answer,
                         struct ff_error *e) {
  const struct budget *stored = NULL;
  const struct budget_dedup *dedup = NULL;
  struct budget_dimensions d;
  struct budget *b;
  TRY(tx_get_budget(tx, &p->budget, &stored));
  if (text_present(p->dedup.dedup_key)) TRY(tx_get_budget_dedup(tx, &p->dedup, &dedup));
  *answer = (struct charge_answer){.outcome = FF_outcome_already_applied};
  if (dedup && tx_now(tx) < dedup->expires_at) return FF_OK;
  TRY(budget_decode(stored, tx_arena(tx), &d, e));
  const struct budget_dimension *breach = hard_breach(&d, &p->deltas);
  if (breach) return refuse(tx, p, stored, dedup, &d, breach, answer, e);
  TRY(record(tx, p, stored, &d, &b, e));
  stamp(tx, p, dedup);
  answer->outcome = FF_outcome_ok;
  const struct budget_dimension *soft = soft_breach(&d, &p->deltas);
  if (!soft) return FF_OK;
  b->soft_breach_count++;
  *answer = (struct charge_answer){.outcome = FF_outcome_soft_breach,
                                   .dimension = soft->name,
                                   .current_usage = soft->usage,
                                   .soft_limit = soft->soft};
  return FF_OK;
}

/* ---- report_usage ---- */

static void fold(struct ff_budget_amount *items, size_t custom, size_t *count, const char *name,
                 uint64_t amount) {
  struct ff_str text = ff_text(name);
  if (amount == 0) return;
  for (size_t i = 0; i < custom; i++)
    if (text_equal(items[i].dimension, text)) return;
  items[(*count)++] = (struct ff_budget_amount){text, amount};
}

static enum ff_rc check_number(uint64_t amount, const char *field, struct ff_error *e) {
  if (amount <= INT64_MAX) return FF_OK;
  return error_field(e, FF_CODE_invalid_input, field, "must be at most %lld, got %llu",
                     (long long)INT64_MAX, (unsigned long long)amount);
}

static enum ff_rc report_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_report_usage_args *a = args;
  struct handle_body handle;
  TRY(handle_check_tag(config, &a->handle, e));
  TRY(handle_decode(&a->handle, config->backend, config->flow_partitions, &handle, e));
  if (a->custom.count > BUDGET_DIMENSIONS_MAX)
    return error_field(e, FF_CODE_invalid_input, "custom", "too_many_dimensions: limit=%d, got=%zu",
                       BUDGET_DIMENSIONS_MAX, a->custom.count);
  TRY(check_number(a->input_tokens, "input_tokens", e));
  TRY(check_number(a->output_tokens, "output_tokens", e));
  TRY(check_number(a->wall_ms, "wall_ms", e));
  struct ff_budget_amount *items =
      ARENA_ARRAY(arena, struct ff_budget_amount, a->custom.count + 3);
  size_t count = a->custom.count;
  if (count) memcpy(items, a->custom.items, count * sizeof *items);
  fold(items, a->custom.count, &count, "input_tokens", a->input_tokens);
  fold(items, a->custom.count, &count, "output_tokens", a->output_tokens);
  fold(items, a->custom.count, &count, "wall_ms", a->wall_ms);
  return prepare_charge(config, prep, a->budget_id, (struct ff_budget_amounts){items, count},
                        "custom", a->dedup_key, "dedup_key", arena, e);
}

static enum ff_rc report_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  struct ff_report_usage_result *r = result;
  struct charge_answer answer;
  (void)args;
  TRY(charge(tx, prep, &answer, e));
  CHARGE_ANSWER(r, answer);
  return FF_OK;
}

const struct op_code op_code_report_usage = {sizeof(struct charge_prep), report_prepare,
                                             charge_declare, report_run};

/* ---- report_usage_admin ---- */

static enum ff_rc admin_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_report_usage_admin_args *a = args;
  return prepare_charge(config, prep, a->budget_id, a->deltas, "deltas", a->dedup_key, "dedup_key",
                        arena, e);
}

static enum ff_rc admin_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  struct ff_report_usage_admin_result *r = result;
  struct charge_answer answer;
  (void)args;
  TRY(charge(tx, prep, &answer, e));
  CHARGE_ANSWER(r, answer);
  return FF_OK;
}

const struct op_code op_code_report_usage_admin = {sizeof(struct charge_prep), admin_prepare,
                                                   charge_declare, admin_run};

/* ---- record_spend ---- */

static struct budget_ledger ledger_key(const struct budget *b, struct exec_id execution) {
  return (struct budget_ledger){.partition = b->partition,
                                .budget_id = b->budget_id,
                                .execution_partition = execution.partition,
                                .execution_id = execution.uuid};
}

static enum ff_rc spend_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_record_spend_args *a = args;
  struct charge_prep *p = prep;
  struct exec_id execution;
  TRY(prepare_charge(config, p, a->budget_id, a->deltas, "deltas", a->idempotency_key,
                     "idempotency_key", arena, e));
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &execution, e));
  p->ledger = ledger_key(&p->budget, execution);
  return FF_OK;
}

static enum ff_rc spend_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  struct ff_record_spend_result *r = result;
  struct charge_answer answer;
  (void)args;
  TRY(charge(tx, prep, &answer, e));
  CHARGE_ANSWER(r, answer);
  return FF_OK;
}

const struct op_code op_code_record_spend = {sizeof(struct charge_prep), spend_prepare,
                                             charge_declare, spend_run};

/* ---- release_budget ---- */

static enum ff_rc release_prepare(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  const struct ff_release_budget_args *a = args;
  struct charge_prep *p = prep;
  struct exec_id execution;
  TRY(prepare_charge(config, p, a->budget_id, (struct ff_budget_amounts){0}, "", (struct ff_str){0},
                     "", arena, e));
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &execution, e));
  p->ledger = ledger_key(&p->budget, execution);
  return FF_OK;
}

/* BU-50 … BU-54 */
static enum ff_rc give_back(struct tx *tx, const struct budget *stored,
                            const struct budget_ledger *ledger, struct ff_error *e) {
  struct budget_dimensions d, given;
  TRY(budget_decode(stored, tx_arena(tx), &d, e));
  TRY(budget_ledger_decode(ledger, tx_arena(tx), &given, e));
  bool stopped = budget_stops(stored, &d);
  for (uint32_t i = 0; i < given.count; i++) {
    struct budget_dimension *at = budget_find(&d, given.items[i].name);
    if (at) at->usage -= at->usage < given.items[i].usage ? at->usage : given.items[i].usage;
  }
  budget_store(tx, tx_edit_budget(tx, stored), &d, stopped);
  return FF_OK;
}

static enum ff_rc release_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  const struct charge_prep *p = prep;
  struct ff_release_budget_result *r = result;
  const struct budget *stored = NULL;
  const struct budget_ledger *ledger = NULL;
  (void)args;
  TRY(tx_get_budget(tx, &p->budget, &stored));
  TRY(tx_get_budget_ledger(tx, &p->ledger, &ledger));
  r->outcome = FF_outcome_ok;
  if (!ledger) return FF_OK;
  if (stored && ledger->epoch == stored->reset_count) TRY(give_back(tx, stored, ledger, e));
  tx_delete_budget_ledger(tx, ledger);
  return FF_OK;
}

const struct op_code op_code_release_budget = {sizeof(struct charge_prep), release_prepare,
                                               charge_declare, release_run};
