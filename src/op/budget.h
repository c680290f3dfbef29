/*
 * Budgets as records: their dimensions, what exhausts them, and the one way anything is charged (06
 * part A).
 */
#ifndef OP_BUDGET_H
#define OP_BUDGET_H

#include "flowfabric/budget.h"
#include "op/op.h"

enum {
  BUDGET_DIMENSIONS_MAX = 64, /* BU-5, BU-14 */
  BUDGET_TRACKED_MAX = 256,   /* of one budget, with those nobody has listed */
  BUDGET_TEXT_MAX_BYTES = 256,
  BUDGET_DEDUP_MAX_BYTES = 512,
  BUDGET_DEDUP_MS = 86400000
};

struct budget_dimension {
  struct ff_str name;
  uint64_t usage, hard, soft;
  bool used;    /* something was reported, or reset */
  bool limited; /* it is listed, be it without a limit */
};
/* In byte order. */
struct budget_dimensions {
  struct budget_dimension *items;
  uint32_t count;
};

static inline uint64_t budget_add(uint64_t a, uint64_t b) { /* BU-4 */
  return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* ---- budget.c ---- */
struct budget budget_key(const struct op_config *, struct uuid id);
/* What is stored, nothing for NULL, with room for BUDGET_DIMENSIONS_MAX more. corruption (BU-73). */
enum ff_rc budget_decode(const struct budget *, struct arena *, struct budget_dimensions *,
                         struct ff_error *) MUST_USE;
/* The same of a ledger, which knows usage only. */
enum ff_rc budget_ledger_decode(const struct budget_ledger *, struct arena *,
                                struct budget_dimensions *, struct ff_error *) MUST_USE;
struct ff_str budget_encode(struct arena *, const struct budget_dimensions *);
/* Stores the dimensions, and what hangs on them: breached_at (BU-15, BU-54); unblock_at, when the
 * budget was_exhausted and is no more; the next due time. */
void budget_store(struct tx *, struct budget *, const struct budget_dimensions *,
                  bool was_exhausted);
struct budget_dimension *budget_find(const struct budget_dimensions *, struct ff_str name);
/* The same, made when new; NULL when the budget tracks as many as it may. */
struct budget_dimension *budget_at(struct budget_dimensions *, struct ff_str name);
/* The budget is defined, or budget_not_found. */
enum ff_rc budget_load(struct tx *, struct uuid id, const struct budget **,
                       struct ff_error *) MUST_USE;
/* BU-82. *dimension is the first at its limit, NULL when only a breach has exhausted it. */
bool budget_is_exhausted(const struct budget *, const struct budget_dimensions *,
                         const struct budget_dimension **dimension);
static inline bool budget_stops(const struct budget *b, const struct budget_dimensions *d) {
  const struct budget_dimension *ignored;
  return budget_is_exhausted(b, d, &ignored);
}
void budget_schedule(struct budget *); /* next_due_at, after either of its two times changed */

/* ---- budget_admin.c ---- */
/* BU-61 */
enum ff_rc budget_reset(struct tx *, const struct budget *, struct ff_error *) MUST_USE;

/* ---- arguments ---- */
enum ff_rc budget_name_check(struct ff_str name, const char *field, struct ff_error *) MUST_USE;
/* BU-3 … BU-5; sorted, amounts of one name summed. */
enum ff_rc budget_amounts_prepare(struct ff_budget_amounts, const char *field, struct arena *,
                                  struct ff_budget_amounts *, struct ff_error *) MUST_USE;

/* prepare and declare of operations whose arguments begin with `size, budget_id`; prep begins with a
 * budget's key. BUDGET_TAKES_ID proves the shape. */
enum ff_rc budget_prepare_id(const struct op_config *, const void *args, void *prep, struct arena *,
                             struct ff_error *) MUST_USE;
void budget_declare_prepared(struct declare *, const void *args, const void *prep);
#define BUDGET_TAKES_ID(op)                                                            \
  static_assert(offsetof(struct ff_##op##_args, budget_id) ==                          \
                    offsetof(struct ff_reset_budget_args, budget_id),                  \
                "budget_id comes first")

#endif
