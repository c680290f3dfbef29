/*
 * list_pending_waitpoints and read_waitpoint_token: what an operator sees of waitpoints (03 §7.2,
 * §7.3).
 *
 * Only read_waitpoint_token answers a token. Nothing here writes.
 */
#include "flowfabric/signal.h"
#include "op/read.h"
#include "op/suspension.h"

enum { PAGE_DEFAULT = 100, PAGE_MAX = 1000 };

/* ---- list_pending_waitpoints ---- */

struct list_prep {
  struct exec_id id; /* first: declare_prepared_execution */
  struct uuid after;
  bool has_after;
  uint32_t limit;
};

static enum ff_rc list_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_list_pending_waitpoints_args *a = args;
  struct list_prep *p = prep;
  (void)arena;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  p->has_after = text_nonempty(a->after);
  if (p->has_after) TRY(uuid_parse_field(a->after, "after", &p->after, e));
  p->limit = a->limit == 0 ? PAGE_DEFAULT : a->limit < PAGE_MAX ? a->limit : PAGE_MAX;
  return FF_OK;
}

static struct waitpoint list_from(const struct list_prep *p) {
  return (struct waitpoint){
      .partition = p->id.partition, .execution_id = p->id.uuid, .waitpoint_id = p->after};
}

static void list_declare(struct declare *d, const void *args, const void *prep) {
  const struct list_prep *p = prep;
  struct waitpoint from = list_from(p);
  declare_prepared_execution(d, args, prep);
  declare_suspension(d, p->id);
  declare_scan(d, INDEX_waitpoint_by_execution, &from, p->has_after, p->limit + 1);
}

/* L-4: what an active one still waits for. NULL when nothing says so. */
static enum ff_rc load_condition(struct tx *tx, const struct execution *x,
                                 struct condition **condition, struct ff_error *e) {
  const struct suspension *s = NULL;
  if (x->lifecycle_phase != FF_lifecycle_phase_suspended) return FF_OK;
  TRY(suspension_get(tx, execution_id_of(x), &s));
  if (!suspension_is_open(s)) return FF_OK;
  return condition_load(s->resume_condition, (struct ff_str){NULL, 0}, tx_arena(tx), condition, e);
}

static void view(const struct execution *x, const struct waitpoint *w,
                 const struct condition *condition, struct arena *arena,
                 struct ff_pending_waitpoint *out) {
  *out = (struct ff_pending_waitpoint){.waitpoint_key = w->waitpoint_key,
                                       .state = w->state,
                                       .created_at = w->created_at,
                                       .activated_at = w->activated_at,
                                       .expires_at = w->expires_at,
                                       .token_kid = w->token_kid,
                                       .token_fingerprint = w->token_fingerprint};
  uuid_format_id(w->waitpoint_id, &out->waitpoint_id);
  exec_id_format(execution_id_of(x), &out->execution_id);
  if (condition && w->state == FF_waitpoint_state_active)
    out->required_signal_names = condition_signal_names(condition, w->waitpoint_key, arena);
}

/* L-3: filtered before paging; those that are closed come last. */
static enum ff_rc list_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  struct ff_list_pending_waitpoints_result *r = result;
  const struct list_prep *p = prep;
  const struct execution *x = NULL;
  struct waitpoint from = list_from(p);
  struct condition *condition = NULL;
  struct tx_scan scan;
  size_t count = 0;
  (void)args;
  TRY(execution_load(tx, p->id, &x, e));
  TRY(load_condition(tx, x, &condition, e));
  TRY(tx_scan_open(tx, INDEX_waitpoint_by_execution, &from, p->has_after, p->limit + 1, &scan));
  struct ff_pending_waitpoint *items =
      ARENA_ARRAY(tx_arena(tx), struct ff_pending_waitpoint, p->limit);
  for (;;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    const struct waitpoint *w = record;
    if (w->closed_at) break;
    if (count == p->limit) {
      r->next_cursor = arena_text(tx_arena(tx), ff_text(items[count - 1].waitpoint_id.text));
      break;
    }
    view(x, w, condition, tx_arena(tx), &items[count++]);
  }
  r->entries = (struct ff_pending_waitpoints){items, count};
  return FF_OK;
}

const struct op_code op_code_list_pending_waitpoints = {sizeof(struct list_prep), list_prepare,
                                                        list_declare, list_run};

/* ---- read_waitpoint_token ---- */

struct token_prep {
  uint16_t partition;
  struct uuid waitpoint;
};

static enum ff_rc token_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_read_waitpoint_token_args *a = args;
  struct token_prep *p = prep;
  (void)arena;
  TRY(partition_parse(a->partition, "partition", config->flow_partitions, &p->partition, e));
  return own_uuid_parse(a->waitpoint_id, "waitpoint_id", &p->waitpoint, e);
}

static void token_declare(struct declare *d, const void *args, const void *prep) {
  const struct token_prep *p = prep;
  (void)args;
  declare_waitpoint(d, p->partition, p->waitpoint);
  keystore_declare(d);
}

/* L-6 */
static bool has_token(const struct waitpoint *w, int64_t now) {
  if (!w || w->state == FF_waitpoint_state_closed) return false;
  return w->state == FF_waitpoint_state_active || w->expires_at > now;
}

static enum ff_rc token_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  struct ff_read_waitpoint_token_result *r = result;
  const struct token_prep *p = prep;
  const struct waitpoint *w = NULL;
  struct keystore keys;
  (void)args;
  TRY(waitpoint_get(tx, p->partition, p->waitpoint, &w));
  if (!has_token(w, tx_now(tx))) return FF_OK;
  TRY(keystore_load(tx, &keys));
  return waitpoint_token(tx, &keys, w, &r->token, e);
}

const struct op_code op_code_read_waitpoint_token = {sizeof(struct token_prep), token_prepare,
                                                     token_declare, token_run};
