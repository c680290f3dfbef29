/*
 * describe_flow: a flow, its groups and the state it shows (04 §15, §13).
 *
 * The flow and its groups come with the first load, which is one moment of the store (FQ-2); members
 * that are alive are looked at only when the counters do not decide the state.
 */
#include "op/flow_state.h"

#include "flowfabric/flow_read.h"

enum {
  GROUPS_EXPECTED = 20000, /* a limit, not a cost */
  MEMBERS_MAX = 10000,     /* looked at for rows 4 to 6 of §13 */
};

static enum ff_rc describe_prepare(const struct op_config *config, const void *args, void *prep,
                                   struct arena *arena, struct ff_error *e) {
  const struct ff_describe_flow_args *a = args;
  (void)arena;
  return flow_id_parse(a->flow_id, config, prep, e);
}

static struct edge_group groups_of(struct flow_id id) {
  return (struct edge_group){.partition = id.partition, .flow_id = id.uuid};
}

static void describe_declare(struct declare *d, const void *args, const void *prep) {
  struct flow_id id = *(const struct flow_id *)prep;
  struct edge_group from = groups_of(id);
  (void)args;
  declare_flow(d, id);
  declare_scan(d, INDEX_edge_group_by_flow, &from, false, GROUPS_EXPECTED);
}

static void id_in(uint16_t partition, struct uuid uuid, struct ff_id *out) {
  exec_id_format((struct exec_id){partition, uuid}, out);
}

/* FI-1. */
static bool adds_up(const struct edge_group *g) {
  return (uint64_t)g->succeeded + g->failed + g->skipped <= g->applied && g->applied <= g->n;
}

static enum ff_rc view_group(const struct edge_group *g, struct ff_edge_group *out,
                             struct ff_error *e) {
  if (!adds_up(g))
    return flow_corrupt("describe_flow", "edge_group", "applied", "counters do not add up", e);
  *out = (struct ff_edge_group){.policy = g->policy,
                                .k = g->k,
                                .on_satisfied = g->on_satisfied,
                                .total_deps = g->n,
                                .satisfied_count = g->succeeded,
                                .failed_count = g->failed,
                                .skipped_count = g->skipped,
                                .running_count = g->n - g->succeeded - g->failed - g->skipped,
                                .group_state = g->group_state};
  id_in(g->partition, g->downstream_execution_id, &out->downstream_execution_id);
  return FF_OK;
}

static enum ff_rc view_groups(struct tx *tx, struct flow_id id, struct ff_edge_groups *out,
                              struct ff_error *e) {
  struct edge_group from = groups_of(id);
  struct tx_scan scan;
  TRY(tx_scan_open(tx, INDEX_edge_group_by_flow, &from, false, GROUPS_EXPECTED, &scan));
  size_t capacity = 64, count = 0;
  struct ff_edge_group *groups = ARENA_ARRAY(tx_arena(tx), struct ff_edge_group, capacity);
  for (;;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    if (!((const struct edge_group *)record)->n) continue; /* a policy without an edge yet */
    if (count == capacity) {
      struct ff_edge_group *grown =
          ARENA_ARRAY(tx_arena(tx), struct ff_edge_group, capacity * 2);
      memcpy(grown, groups, sizeof *groups * count);
      groups = grown;
      capacity *= 2;
    }
    TRY(view_group(record, &groups[count++], e));
  }
  *out = (struct ff_edge_groups){groups, count};
  return FF_OK;
}

/* Rows 4 to 6. All executions are asked for before the first FF_MISS is handed up: one round. */
static enum ff_rc live_state(struct tx *tx, struct flow_id id, uint8_t *state) {
  struct flow_member from = {.partition = id.partition, .flow_id = id.uuid};
  enum ff_flow_public_state found = FF_flow_public_state_open;
  enum ff_rc worst = FF_OK;
  struct tx_scan scan;
  TRY(tx_scan_open(tx, INDEX_flow_member_by_flow, &from, false, MEMBERS_MAX, &scan));
  for (uint32_t alive = 0; alive < MEMBERS_MAX && found != FF_flow_public_state_running;) {
    const void *record = NULL;
    const struct execution *x = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    const struct flow_member *m = record;
    if (m->last_outcome != FF_terminal_outcome_none) continue;
    alive++;
    struct execution key = {.partition = m->partition, .id = m->execution_id};
    enum ff_rc rc = tx_get_execution(tx, &key, &x);
    if (rc != FF_OK && worst != FF_MISS) worst = rc;
    if (x) found = flow_state_with(found, x);
  }
  *state = (uint8_t)found;
  return found == FF_flow_public_state_running ? FF_OK : worst;
}

static enum ff_rc describe_run(struct tx *tx, const void *args, const void *prep, void *result,
                               struct ff_error *e) {
  struct ff_describe_flow_result *r = result;
  struct flow_id id = *(const struct flow_id *)prep;
  struct ff_flow *out = &r->flow;
  const struct flow *f = NULL;
  (void)args;
  TRY(tx_get_flow(tx, FLOW_KEY(flow, id), &f));
  if (!f) return FF_OK;
  *out = (struct ff_flow){.flow_kind = f->flow_kind,
                          .namespace_ = f->namespace_,
                          .public_flow_state = (uint8_t)flow_settled_state(f),
                          .graph_revision = f->graph_revision,
                          .node_count = f->node_count,
                          .edge_count = f->edge_count,
                          .created_at = f->created_at,
                          .last_mutation_at = f->last_mutation_at,
                          .cancelled_at = f->cancelled_at,
                          .cancel_reason = f->cancel_reason,
                          .cancellation_policy = f->cancellation_policy,
                          .members_alive = flow_alive(f),
                          .members_completed = f->t_completed,
                          .members_failed = f->t_failed,
                          .members_cancelled = f->t_cancelled,
                          .members_expired = f->t_expired,
                          .members_skipped = f->t_skipped,
                          .members_cancelled_quorum = f->t_cancelled_quorum};
  uuid_format_id(id.uuid, &out->flow_id);
  TRY(flow_tags("describe_flow", f, tx_arena(tx), &out->tags, e));
  TRY(view_groups(tx, id, &out->edge_groups, e));
  if (out->public_flow_state == FF_flow_public_state_none)
    TRY(live_state(tx, id, &out->public_flow_state));
  r->outcome = FF_outcome_ok;
  return FF_OK;
}

const struct op_code op_code_describe_flow = {sizeof(struct flow_id), describe_prepare,
                                              describe_declare, describe_run};

/* ---- resolve_execution_flow_id ---- */

static enum ff_rc resolve_prepare(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  const struct ff_resolve_execution_flow_id_args *a = args;
  (void)arena;
  return exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, prep, e);
}

static enum ff_rc resolve_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  struct ff_resolve_execution_flow_id_result *r = result;
  const struct exec_id *id = prep;
  struct execution key = {.partition = id->partition, .id = id->uuid};
  const struct execution *x = NULL;
  (void)args, (void)e;
  TRY(tx_get_execution(tx, &key, &x));
  if (!x || uuid_is_nil(x->flow_id)) return FF_OK;
  r->outcome = FF_outcome_ok;
  uuid_format_id(x->flow_id, &r->flow_id);
  return FF_OK;
}

const struct op_code op_code_resolve_execution_flow_id = {
    sizeof(struct exec_id), resolve_prepare, declare_prepared_execution, resolve_run};
