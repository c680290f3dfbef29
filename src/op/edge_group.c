/*
 * Edge groups: what a downstream waits for, and when that is decided (04 §7.2). Pure arithmetic.
 */
#include "op/cascade.h"

static struct edge_group key_of(struct flow_id id, struct uuid downstream) {
  return (struct edge_group){
      .partition = id.partition, .flow_id = id.uuid, .downstream_execution_id = downstream};
}

enum ff_rc edge_group_get(struct tx *tx, struct flow_id id, struct uuid downstream,
                          const struct edge_group **out) {
  struct edge_group key = key_of(id, downstream);
  return tx_get_edge_group(tx, &key, out);
}

void declare_edge_group(struct declare *d, struct flow_id id, struct uuid downstream) {
  struct edge_group key = key_of(id, downstream);
  declare_get(d, RECORD_KIND_edge_group, &key);
}

enum ff_edge_group_state edge_group_judge(const struct edge_group *g) {
  uint64_t lost = (uint64_t)g->failed + g->skipped;
  uint32_t k = g->policy == FF_edge_policy_any_of ? 1 : g->k;
  bool satisfied = g->succeeded >= k;
  bool impossible = g->n >= k && lost > g->n - k;
  if (g->policy == FF_edge_policy_all_of) {
    satisfied = g->n >= 1 && g->succeeded == g->n;
    impossible = lost >= 1;
  }
  if (satisfied) return FF_edge_group_state_satisfied; /* FP-7 */
  return impossible ? FF_edge_group_state_impossible : FF_edge_group_state_pending;
}

void edge_group_count(struct edge_group *g, enum ff_terminal_outcome upstream) {
  if (upstream == FF_terminal_outcome_success)
    g->succeeded++;
  else if (upstream == FF_terminal_outcome_skipped)
    g->skipped++;
  else
    g->failed++;
}

enum ff_rc edge_group_check(const struct edge_group *g, struct ff_error *e) {
  uint64_t resolved = (uint64_t)g->succeeded + g->failed + g->skipped;
  if (resolved <= g->applied && g->applied <= g->n) return FF_OK;
  enum ff_rc rc = error_field(e, FF_CODE_corruption, "applied",
                              "edge_group: applied: %u of %u staged, %llu resolved (FI-1)",
                              g->applied, g->n, (unsigned long long)resolved);
  struct ff_id id;
  exec_id_format((struct exec_id){g->partition, g->downstream_execution_id}, &id);
  error_context(e, "execution_id", "%s", id.text);
  return rc;
}
