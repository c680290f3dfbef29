/*
 * Who may be claimed: the budgets an execution is bound to (06 D.4, A.9).
 *
 * Reads records of another tag as they are: a charge landing between the judgement and the claim is
 * not seen (06 S-41).
 */
#include "op/admission.h"

#include "op/budget.h"

enum { FLOW_BUDGETS_EXPECTED = 8, FLOW_BUDGETS_MAX = 64 };

static void note(enum ff_rc rc, enum ff_rc *worst) {
  if (rc != FF_OK && *worst != FF_MISS) *worst = rc;
}

/* ---- one budget ---- */

static struct admission_budget *slot_for(struct admission *a) {
  if (a->count == a->capacity) {
    uint32_t capacity = a->capacity ? a->capacity * 2 : 8;
    struct admission_budget *grown =
        ARENA_ARRAY(tx_arena(a->tx), struct admission_budget, capacity);
    if (a->count) memcpy(grown, a->budgets, a->count * sizeof *grown);
    a->budgets = grown;
    a->capacity = capacity;
  }
  return &a->budgets[a->count++];
}

static struct ff_str exhaustion(struct tx *tx, const struct budget *b,
                                const struct budget_dimensions *d,
                                const struct budget_dimension *at) {
  char id[37];
  uuid_format(b->budget_id, id);
  if (!at) at = budget_find(d, b->last_breach_dim);
  if (!at) return arena_printf(tx_arena(tx), "budget %s: exhausted", id);
  return arena_printf(tx_arena(tx), "budget %s: " TEXT_FMT " %llu/%llu", id, TEXT_ARG(at->name),
                      (unsigned long long)at->usage, (unsigned long long)at->hard);
}

/* A budget that is not there, or not defined, holds nobody back (BU-80). */
static enum ff_rc look_at(struct admission *a, const struct budget *b, struct uuid id,
                          const struct admission_budget **out, struct ff_error *e) {
  const struct budget_dimension *at = NULL;
  struct budget_dimensions d;
  TRY(budget_decode(b, tx_arena(a->tx), &d, e));
  struct admission_budget *seen = slot_for(a);
  *seen = (struct admission_budget){.id = id};
  if (b && budget_is_exhausted(b, &d, &at)) {
    seen->exhausted = true;
    seen->detail = exhaustion(a->tx, b, &d, at);
  }
  *out = seen;
  return FF_OK;
}

static enum ff_rc budget_of(struct admission *a, struct uuid id,
                            const struct admission_budget **out, struct ff_error *e) {
  const struct budget *b = NULL;
  for (uint32_t i = 0; i < a->count; i++)
    if (uuid_equal(a->budgets[i].id, id)) {
      *out = &a->budgets[i];
      return FF_OK;
    }
  struct budget key = budget_key(tx_config(a->tx), id);
  TRY(tx_get_budget(a->tx, &key, &b));
  return look_at(a, b, id, out, e);
}

/* ---- those of an execution ---- */

/* The next of a list of uuids with commas between them. */
static bool next_id(struct ff_str *list, struct uuid *id) {
  enum { LENGTH = 36 };
  if (list->len < LENGTH || !uuid_parse(text_of(list->ptr, LENGTH), id)) return false;
  size_t step = list->len > LENGTH ? LENGTH + 1 : LENGTH;
  *list = text_of(list->ptr + step, list->len - step);
  return true;
}

static enum ff_rc load_listed(struct admission *a, const struct execution *x) {
  struct ff_str list = x->budget_ids;
  enum ff_rc worst = FF_OK;
  for (struct uuid id; next_id(&list, &id);) {
    const struct budget *ignored = NULL;
    struct budget key = budget_key(tx_config(a->tx), id);
    note(tx_get_budget(a->tx, &key, &ignored), &worst);
  }
  return worst;
}

/* BU-81. *open false: the execution is in no flow, or no flow has a budget. */
static enum ff_rc open_flow(struct admission *a, const struct execution *x, struct tx_scan *scan,
                            bool *open) {
  const struct setting *set = NULL;
  struct ff_id id;
  *open = false;
  if (uuid_is_nil(x->flow_id)) return FF_OK;
  TRY(tx_get_setting(a->tx, &(struct setting){.name = TEXT_LIT(ADMISSION_FLOW_SETTING)}, &set));
  if (!set) return FF_OK;
  uuid_format_id(x->flow_id, &id);
  struct budget from = {.scope_type = TEXT_LIT("flow"),
                        .scope_id = arena_text(tx_arena(a->tx), ff_text(id.text))};
  TRY(tx_scan_open(a->tx, INDEX_budget_by_scope, &from, false, FLOW_BUDGETS_EXPECTED, scan));
  *open = true;
  return FF_OK;
}

void admission_want(struct admission *a, const struct execution *x) {
  struct tx_scan scan;
  bool open;
  if (admission_is_free(x)) return;
  (void)!load_listed(a, x);
  (void)!open_flow(a, x, &scan, &open);
}

static bool blocks(const struct admission_budget *b, struct verdict *v) {
  if (!b->exhausted) return false;
  *v = (struct verdict){.reason = FF_blocking_reason_waiting_for_budget,
                        .on = b->id,
                        .detail = b->detail};
  return true;
}

enum ff_rc admission_judge(struct admission *a, const struct execution *x, struct verdict *v,
                           struct ff_error *e) {
  const struct admission_budget *b = NULL;
  struct tx_scan scan;
  bool open = false;
  *v = (struct verdict){.admitted = true};
  if (admission_is_free(x)) return FF_OK;
  enum ff_rc worst = load_listed(a, x);
  note(open_flow(a, x, &scan, &open), &worst);
  TRY(worst);
  struct ff_str list = x->budget_ids;
  for (struct uuid id; next_id(&list, &id);) {
    TRY(budget_of(a, id, &b, e));
    if (blocks(b, v)) return FF_OK;
  }
  for (uint32_t i = 0; open && i < FLOW_BUDGETS_MAX; i++) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    TRY(budget_of(a, ((const struct budget *)record)->budget_id, &b, e));
    if (blocks(b, v)) return FF_OK;
  }
  return FF_OK;
}
