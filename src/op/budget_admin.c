/*
 * Defining, changing, resetting and reading budgets: create_budget, update_budget_limits,
 * reset_budget, get_budget_status, read_budget_usage_and_limits, reconcile_budget_counters (06 A.2,
 * A.7, A.8, A.10).
 */
#include "op/budget.h"

#define RECONCILE_MAX 1000



enum ff_rc budget_prepare_id(const struct op_config *config, const void *args, void *prep,
                             struct arena *arena, struct ff_error *e) {
  const struct ff_reset_budget_args *a = args;
  struct uuid id;
  (void)arena;
  TRY(own_uuid_parse(a->budget_id, "budget_id", &id, e));
  *(struct budget *)prep = budget_key(config, id);
  return FF_OK;
}

void budget_declare_prepared(struct declare *d, const void *args, const void *prep) {
  (void)args;
  declare_get(d, RECORD_KIND_budget, prep);
}

BUDGET_TAKES_ID(create_budget);
BUDGET_TAKES_ID(update_budget_limits);
BUDGET_TAKES_ID(get_budget_status);
BUDGET_TAKES_ID(read_budget_usage_and_limits);

/* ---- limits as arguments ---- */

static enum ff_rc limits_check(struct ff_budget_limits limits, struct ff_error *e) {
  if (limits.count > BUDGET_DIMENSIONS_MAX)
    return error_field(e, FF_CODE_invalid_input, "limits", "too_many_dimensions: limit=%d, got=%zu",
                       BUDGET_DIMENSIONS_MAX, limits.count);
  for (size_t i = 0; i < limits.count; i++) {
    const struct ff_budget_limit *l = &limits.items[i];
    TRY(budget_name_check(l->dimension, "limits", e));
    if (l->hard_limit > INT64_MAX || l->soft_limit > INT64_MAX)
      return error_field(e, FF_CODE_invalid_input, "limits",
                         "a limit is at most %lld, that of " TEXT_FMT " is not",
                         (long long)INT64_MAX, TEXT_ARG(l->dimension));
    for (size_t j = 0; j < i; j++)
      if (text_equal(limits.items[j].dimension, l->dimension))
        return error_field(e, FF_CODE_invalid_input, "limits", "duplicate dimension: " TEXT_FMT,
                           TEXT_ARG(l->dimension));
  }
  return FF_OK;
}

static enum ff_rc limits_set(struct budget_dimensions *d, struct ff_budget_limits limits,
                             struct ff_error *e) {
  uint32_t limited = 0;
  for (size_t i = 0; i < limits.count; i++) {
    struct budget_dimension *at = budget_at(d, limits.items[i].dimension);
    if (!at)
      return error_field(e, FF_CODE_invalid_input, "limits",
                         "too_many_dimensions: limit=%d tracked", BUDGET_TRACKED_MAX);
    at->hard = limits.items[i].hard_limit;
    at->soft = limits.items[i].soft_limit;
    at->limited = true;
  }
  for (uint32_t i = 0; i < d->count; i++) limited += d->items[i].limited;
  if (limited <= BUDGET_DIMENSIONS_MAX) return FF_OK;
  return error_field(e, FF_CODE_invalid_input, "limits", "too_many_dimensions: limit=%d, got=%u",
                     BUDGET_DIMENSIONS_MAX, limited);
}

/* ---- create_budget ---- */

/* Members look for their flow by the one spelling of its id (BU-81). */
static bool flow_scope_valid(struct ff_str scope_id) {
  struct uuid id;
  char text[37];
  if (!uuid_parse(scope_id, &id) || uuid_is_nil(id)) return false;
  uuid_format(id, text);
  return text_equal_c(scope_id, text);
}

static enum ff_rc create_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_create_budget_args *a = args;
  TRY(budget_prepare_id(config, args, prep, arena, e));
  TRY(text_check(a->scope_type, "scope_type", BUDGET_TEXT_MAX_BYTES, e));
  TRY(text_check(a->scope_id, "scope_id", BUDGET_TEXT_MAX_BYTES, e));
  TRY(text_check(a->enforcement_mode, "enforcement_mode", BUDGET_TEXT_MAX_BYTES, e));
  TRY(text_check(a->on_hard_limit, "on_hard_limit", BUDGET_TEXT_MAX_BYTES, e));
  TRY(text_check(a->on_soft_limit, "on_soft_limit", BUDGET_TEXT_MAX_BYTES, e));
  if (a->reset_interval_ms > INT64_MAX)
    return error_field(e, FF_CODE_invalid_input, "reset_interval_ms", "must be at most %lld",
                       (long long)INT64_MAX);
  if (text_equal_c(a->scope_type, "flow") && !flow_scope_valid(a->scope_id))
    return error_field(e, FF_CODE_invalid_input, "scope_id",
                       "of a budget of a flow: the flow id, a uuid in lower case");
  return limits_check(a->limits, e);
}

static int64_t next_reset(const struct tx *tx, uint64_t interval_ms) {
  return interval_ms ? add_saturating(tx_now(tx), (int64_t)interval_ms) : 0;
}

static enum ff_rc create_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct ff_create_budget_args *a = args;
  const struct budget *key = prep, *stored = NULL;
  struct ff_create_budget_result *r = result;
  struct budget_dimensions d;
  TRY(tx_get_budget(tx, key, &stored));
  uuid_format_id(key->budget_id, &r->budget_id);
  r->outcome = FF_outcome_already_satisfied;
  if (stored && stored->created_at) return FF_OK;
  TRY(budget_decode(stored, tx_arena(tx), &d, e));
  TRY(limits_set(&d, a->limits, e));
  struct budget *b = stored ? tx_edit_budget(tx, stored) : tx_insert_budget(tx, key);
  b->scope_type = a->scope_type;
  b->scope_id = a->scope_id;
  b->enforcement_mode = a->enforcement_mode;
  b->on_hard_limit = a->on_hard_limit;
  b->on_soft_limit = a->on_soft_limit;
  b->reset_interval_ms = a->reset_interval_ms;
  b->created_at = tx_now(tx);
  b->next_reset_at = next_reset(tx, a->reset_interval_ms);
  budget_store(tx, b, &d, false);
  r->outcome = FF_outcome_created;
  return FF_OK;
}

const struct op_code op_code_create_budget = {sizeof(struct budget), create_prepare,
                                              budget_declare_prepared, create_run};

/* ---- update_budget_limits ---- */

static enum ff_rc update_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_update_budget_limits_args *a = args;
  TRY(budget_prepare_id(config, args, prep, arena, e));
  if (a->limits.count == 0)
    return error_field(e, FF_CODE_invalid_input, "limits", "at least one dimension");
  return limits_check(a->limits, e);
}

/* Whether the dimension of the latest breach gets more than it had (BU-23). */
static bool raises_breached(const struct budget *b, const struct budget_dimensions *before,
                            struct ff_budget_limits limits) {
  for (size_t i = 0; i < limits.count; i++) {
    if (!text_equal(limits.items[i].dimension, b->last_breach_dim)) continue;
    const struct budget_dimension *was = budget_find(before, b->last_breach_dim);
    uint64_t hard = limits.items[i].hard_limit;
    return hard == 0 || (was && was->hard && hard > was->hard);
  }
  return false;
}

static enum ff_rc update_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct ff_update_budget_limits_args *a = args;
  const struct budget *key = prep, *stored = NULL;
  struct ff_update_budget_limits_result *r = result;
  struct budget_dimensions d;
  TRY(budget_load(tx, key->budget_id, &stored, e));
  TRY(budget_decode(stored, tx_arena(tx), &d, e));
  bool raised = raises_breached(stored, &d, a->limits), stopped = budget_stops(stored, &d);
  TRY(limits_set(&d, a->limits, e));
  struct budget *b = tx_edit_budget(tx, stored);
  if (raised) b->exhausted_at = 0;
  budget_store(tx, b, &d, stopped);
  uuid_format_id(key->budget_id, &r->budget_id);
  r->outcome = FF_outcome_updated;
  return FF_OK;
}

const struct op_code op_code_update_budget_limits = {sizeof(struct budget), update_prepare,
                                                     budget_declare_prepared, update_run};

/* ---- reset_budget ---- */

/* BU-61 */
enum ff_rc budget_reset(struct tx *tx, const struct budget *stored, struct ff_error *e) {
  struct budget_dimensions d;
  TRY(budget_decode(stored, tx_arena(tx), &d, e));
  bool stopped = budget_stops(stored, &d);
  for (uint32_t i = 0; i < d.count; i++) d.items[i].usage = 0;
  struct budget *b = tx_edit_budget(tx, stored);
  b->reset_count++;
  b->last_reset_at = tx_now(tx);
  b->last_breach_at = b->exhausted_at = 0;
  b->last_breach_dim = (struct ff_str){0};
  b->next_reset_at = next_reset(tx, b->reset_interval_ms);
  budget_store(tx, b, &d, stopped);
  return FF_OK;
}

static enum ff_rc reset_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct budget *key = prep, *stored = NULL;
  struct ff_reset_budget_result *r = result;
  (void)args;
  TRY(budget_load(tx, key->budget_id, &stored, e));
  TRY(budget_reset(tx, stored, e));
  r->outcome = FF_outcome_reset;
  r->next_reset_at = next_reset(tx, stored->reset_interval_ms);
  return FF_OK;
}

const struct op_code op_code_reset_budget = {sizeof(struct budget), budget_prepare_id,
                                             budget_declare_prepared, reset_run};

/* ---- get_budget_status ---- */

static void view_dimensions(const struct budget_dimensions *d, struct arena *arena,
                            struct ff_get_budget_status_result *r) {
  struct ff_budget_amount *usage = ARENA_ARRAY(arena, struct ff_budget_amount, d->count + 1);
  struct ff_budget_limit *limits = ARENA_ARRAY(arena, struct ff_budget_limit, d->count + 1);
  r->usage.items = usage;
  r->limits.items = limits;
  for (uint32_t i = 0; i < d->count; i++) {
    const struct budget_dimension *at = &d->items[i];
    if (at->used) usage[r->usage.count++] = (struct ff_budget_amount){at->name, at->usage};
    if (at->limited)
      limits[r->limits.count++] = (struct ff_budget_limit){at->name, at->hard, at->soft};
  }
}

static enum ff_rc status_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct budget *key = prep, *b = NULL;
  struct ff_get_budget_status_result *r = result;
  struct budget_dimensions d;
  (void)args;
  TRY(budget_load(tx, key->budget_id, &b, e));
  TRY(budget_decode(b, tx_arena(tx), &d, e));
  *r = (struct ff_get_budget_status_result){.scope_type = b->scope_type,
                                            .scope_id = b->scope_id,
                                            .enforcement_mode = b->enforcement_mode,
                                            .on_hard_limit = b->on_hard_limit,
                                            .on_soft_limit = b->on_soft_limit,
                                            .reset_interval_ms = b->reset_interval_ms,
                                            .exhausted = budget_stops(b, &d),
                                            .breach_count = b->breach_count,
                                            .soft_breach_count = b->soft_breach_count,
                                            .reset_count = b->reset_count,
                                            .last_breach_at = b->last_breach_at,
                                            .last_breach_dim = b->last_breach_dim,
                                            .breached_at = b->breached_at,
                                            .last_reset_at = b->last_reset_at,
                                            .next_reset_at = b->next_reset_at,
                                            .created_at = b->created_at};
  uuid_format_id(b->budget_id, &r->budget_id);
  view_dimensions(&d, tx_arena(tx), r);
  return FF_OK;
}

const struct op_code op_code_get_budget_status = {sizeof(struct budget), budget_prepare_id,
                                                  budget_declare_prepared, status_run};

/* ---- read_budget_usage_and_limits ---- */

static struct ff_str number(struct arena *arena, uint64_t value) {
  return arena_printf(arena, "%llu", (unsigned long long)value);
}

/* In byte order of the keys: all hard ones, then all soft ones. */
static enum ff_rc limits_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct budget *stored = NULL;
  struct ff_read_budget_usage_and_limits_result *r = result;
  struct arena *arena = tx_arena(tx);
  struct budget_dimensions d;
  (void)args;
  TRY(tx_get_budget(tx, prep, &stored));
  TRY(budget_decode(stored, arena, &d, e));
  struct ff_pair *limits = ARENA_ARRAY(arena, struct ff_pair, 2 * d.count + 1);
  struct ff_pair *usage = ARENA_ARRAY(arena, struct ff_pair, d.count + 1);
  for (int soft = 0; soft < 2; soft++)
    for (uint32_t i = 0; i < d.count; i++) {
      if (!d.items[i].limited) continue;
      uint64_t limit = soft ? d.items[i].soft : d.items[i].hard;
      limits[r->limits.count++] =
          (struct ff_pair){arena_printf(arena, "%s:" TEXT_FMT, soft ? "soft" : "hard",
                                        TEXT_ARG(d.items[i].name)),
                           number(arena, limit)};
    }
  for (uint32_t i = 0; i < d.count; i++)
    if (d.items[i].hard)
      usage[r->usage.count++] =
          (struct ff_pair){d.items[i].name, number(arena, d.items[i].usage)};
  r->limits.items = limits;
  r->usage.items = usage;
  return FF_OK;
}

const struct op_code op_code_read_budget_usage_and_limits = {
    sizeof(struct budget), budget_prepare_id, budget_declare_prepared, limits_run};

/* ---- reconcile_budget_counters ---- */

static enum ff_rc reconcile_prepare(const struct op_config *config, const void *args, void *prep,
                                    struct arena *arena, struct ff_error *e) {
  const struct ff_reconcile_budget_counters_args *a = args;
  struct budget *from = prep;
  (void)arena;
  TRY(partition_parse_family(a->partition, "partition", "b", config->budget_partitions,
                             &from->partition, e));
  if (!text_nonempty(a->cursor)) return FF_OK;
  return own_uuid_parse(a->cursor, "cursor", &from->budget_id, e);
}

static void reconcile_declare(struct declare *d, const void *args, const void *prep) {
  const struct budget *from = prep;
  (void)args;
  declare_scan(d, INDEX_budget_by_id, from, !uuid_is_nil(from->budget_id), RECONCILE_MAX + 1);
}

static enum ff_rc reconcile_run(struct tx *tx, const void *args, const void *prep, void *result,
                                struct ff_error *e) {
  const struct budget *from = prep, *last = NULL;
  struct ff_reconcile_budget_counters_result *r = result;
  struct tx_scan scan;
  (void)args, (void)e;
  TRY(tx_scan_open(tx, INDEX_budget_by_id, from, !uuid_is_nil(from->budget_id), RECONCILE_MAX + 1,
                   &scan));
  for (uint32_t seen = 0;; seen++) {
    const void *record = NULL;
    struct budget_dimensions d;
    TRY(tx_scan_next(&scan, &record));
    if (!record) return FF_OK;
    if (seen == RECONCILE_MAX) break;
    last = record;
    if (last->reset_interval_ms) continue;
    if (budget_decode(last, tx_arena(tx), &d, NULL) != FF_OK) {
      r->errors++;
      continue;
    }
    bool breached = false;
    for (uint32_t i = 0; i < d.count; i++)
      breached |= d.items[i].hard && d.items[i].usage > d.items[i].hard;
    if (breached != (last->breached_at != 0)) budget_store(tx, tx_edit_budget(tx, last), &d, false);
    r->processed++;
  }
  uuid_format_id(last->budget_id, &r->next_cursor);
  return FF_OK;
}

const struct op_code op_code_reconcile_budget_counters = {
    sizeof(struct budget), reconcile_prepare, reconcile_declare, reconcile_run};
