/*
 * Lifting the blocks of admission: list_blocked, recheck_blocked (06 BG-60 … BG-67).
 *
 * The judgement is the one claims use. Unblocking only makes work claimable: it is judged again when
 * it is claimed (BG-64).
 */
#include "op/admission.h"

/* ---- list_blocked ---- */

static enum ff_rc list_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  (void)config, (void)args, (void)prep, (void)arena, (void)e;
  return FF_OK;
}

/* One index for both questions: those who wait for `on` begin behind the first place they can have. */
static struct execution first_place(const struct list_blocked_args *a) {
  if (a->after) return a->cursor;
  return (struct execution){
      .blocked_on = a->on, .priority = INT32_MAX, .created_at = INT64_MIN};
}

static bool starts_behind(const struct list_blocked_args *a) { return a->after || !a->all; }

static void list_declare(struct declare *d, const void *args, const void *prep) {
  const struct list_blocked_args *a = args;
  struct execution from = first_place(a);
  (void)prep;
  declare_scan(d, INDEX_execution_blocked, &from, starts_behind(a), a->limit);
}

/* True when a recheck would change something. Blocks of callers have a time of their own; a budget
 * that cannot be read lifts nothing (BG-61). */
static enum ff_rc changes(struct admission *admission, const struct execution *x, bool *out) {
  struct verdict v;
  struct ff_error ignored;
  enum ff_rc rc = admission_judge(admission, x, &v, &ignored);
  if (rc == FF_MISS) return rc;
  *out = rc == FF_OK && !execution_blocked_by_caller(x) &&
         (v.admitted || !uuid_equal(v.on, x->blocked_on));
  return FF_OK;
}

static void remember(const struct execution *x, struct execution *last) {
  *last = (struct execution){.blocked_on = x->blocked_on,
                             .priority = x->priority,
                             .created_at = x->created_at,
                             .partition = x->partition,
                             .id = x->id};
}

static enum ff_rc list_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  const struct list_blocked_args *a = args;
  struct list_blocked_result *r = result;
  struct execution from = first_place(a);
  struct admission admission = {.tx = tx};
  const struct execution **items = ARENA_ARRAY(tx_arena(tx), const struct execution *, a->limit);
  struct tx_scan scan;
  enum ff_rc worst = FF_OK;
  (void)prep, (void)e;
  r->items = items;
  TRY(tx_scan_open(tx, INDEX_execution_blocked, &from, starts_behind(a), a->limit, &scan));
  for (uint32_t seen = 0; seen < a->limit; seen++) {
    const void *record = NULL;
    bool changed = false;
    TRY(tx_scan_next(&scan, &record));
    const struct execution *x = record;
    if (!x || (!a->all && !uuid_equal(x->blocked_on, a->on))) return worst;
    enum ff_rc rc = changes(&admission, x, &changed);
    if (rc != FF_OK) worst = rc; /* the others ask for what they need in the same round */
    if (changed) items[r->count++] = x;
    remember(x, &r->last);
  }
  r->more = true;
  return worst;
}

const struct op_code op_code_list_blocked = {0, list_prepare, list_declare, list_run};

/* ---- recheck_blocked ---- */

static void recheck_declare(struct declare *d, const void *args, const void *prep) {
  const struct recheck_blocked_args *a = args;
  (void)prep;
  declare_execution(d, a->execution);
}

/* Who waits for something else now is listed under that (BG-61). */
static enum ff_rc recheck_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  const struct recheck_blocked_args *a = args;
  struct recheck_blocked_result *r = result;
  struct execution key = {.partition = a->execution.partition, .id = a->execution.uuid};
  const struct execution *x = NULL;
  struct admission admission = {.tx = tx};
  struct verdict v;
  (void)prep;
  TRY(tx_get_execution(tx, &key, &x));
  r->outcome = FF_outcome_not_found;
  if (!x || uuid_is_nil(x->blocked_on)) return FF_OK; /* BG-66 */
  TRY(admission_judge(&admission, x, &v, e));
  r->outcome = FF_outcome_blocked;
  if (v.admitted) {
    execution_unblock(tx, x);
    r->outcome = FF_outcome_unblocked;
  } else if (v.reason == x->blocking_reason && !uuid_equal(v.on, x->blocked_on)) {
    struct execution *edit = tx_edit_execution(tx, x);
    edit->blocked_on = v.on;
    edit->blocking_detail = v.detail;
    execution_touch(tx, edit);
  }
  return FF_OK;
}

const struct op_code op_code_recheck_blocked = {0, list_prepare, recheck_declare, recheck_run};
