/*
 * create_flow, add_execution_to_flow (04 §3, §4), and what all operations on flows share.
 *
 * A flow, its members, their edges and their executions are of one tag.
 */
#include "op/flow.h"

#include "flowfabric/flow.h"

/* ---- shared ---- */

enum ff_rc flow_id_parse(struct ff_str text, const struct op_config *config, struct flow_id *out,
                         struct ff_error *e) {
  TRY(own_uuid_parse(text, "flow_id", &out->uuid, e));
  out->partition = partition_of_uuid(out->uuid, config->flow_partitions);
  return FF_OK;
}

enum ff_rc flow_load(struct tx *tx, struct flow_id id, const struct flow **out,
                     struct ff_error *e) {
  TRY(tx_get_flow(tx, FLOW_KEY(flow, id), out));
  if (*out) return FF_OK;
  return error_set(e, FF_CODE_flow_not_found, "not found: flow");
}

enum ff_rc flow_load_open(struct tx *tx, struct flow_id id, const struct flow **out,
                          struct ff_error *e) {
  TRY(flow_load(tx, id, out, e));
  if ((*out)->state == FF_flow_state_open) return FF_OK;
  return error_set(e, FF_CODE_flow_already_terminal, "the flow is cancelled");
}

static struct flow_member member_key(struct flow_id id, struct uuid execution_id) {
  return (struct flow_member){
      .partition = id.partition, .flow_id = id.uuid, .execution_id = execution_id};
}

enum ff_rc flow_member_get(struct tx *tx, struct flow_id id, struct uuid execution_id,
                           const struct flow_member **out) {
  struct flow_member key = member_key(id, execution_id);
  return tx_get_flow_member(tx, &key, out);
}

void declare_flow(struct declare *d, struct flow_id id) {
  declare_get(d, RECORD_KIND_flow, FLOW_KEY(flow, id));
}

void declare_flow_member(struct declare *d, struct flow_id id, struct uuid execution_id) {
  struct flow_member key = member_key(id, execution_id);
  declare_get(d, RECORD_KIND_flow_member, &key);
}

enum ff_rc flow_check_partition(struct flow_id flow, struct exec_id id, const char *field,
                                struct ff_error *e) {
  if (flow.partition == id.partition) return FF_OK;
  return error_field(e, FF_CODE_invalid_input, field,
                     "is of partition {fp:%u}, the flow is of {fp:%u}", id.partition,
                     flow.partition);
}

static uint32_t *counter_of(struct flow *flow, uint8_t outcome) {
  switch (outcome) {
    case FF_terminal_outcome_success: return &flow->t_completed;
    case FF_terminal_outcome_failed: return &flow->t_failed;
    case FF_terminal_outcome_cancelled: return &flow->t_cancelled;
    case FF_terminal_outcome_expired: return &flow->t_expired;
    case FF_terminal_outcome_skipped: return &flow->t_skipped;
    default: return NULL;
  }
}

/* Stored counters may have been edited by hand: they stop at 0, project_flow_summary corrects them. */
static void add(uint32_t *counter, int by) {
  if (counter && (by > 0 || *counter > 0)) *counter += (uint32_t)by;
}

void flow_member_count(struct tx *tx, struct flow *flow, struct flow_member *member,
                       enum ff_terminal_outcome outcome, bool lost_quorum) {
  add(counter_of(flow, member->last_outcome), -1);
  if (member->lost_quorum) add(&flow->t_cancelled_quorum, -1);
  member->last_outcome = (uint8_t)outcome;
  member->lost_quorum = lost_quorum;
  add(counter_of(flow, member->last_outcome), 1);
  if (member->lost_quorum) add(&flow->t_cancelled_quorum, 1);
  if (outcome != FF_terminal_outcome_none) flow->last_member_end_at = tx_now(tx);
}

/* ---- create_flow ---- */

static enum ff_rc label_check(struct ff_str text, const char *field, struct ff_error *e) {
  if (!text_nonempty(text)) return error_field(e, FF_CODE_invalid_input, field, "is empty");
  return text_check(text, field, NAME_MAX_BYTES, e);
}

enum ff_rc flow_check_labels(struct ff_str kind, struct ff_str namespace_, struct ff_error *e) {
  TRY(label_check(kind, "flow_kind", e));
  return label_check(namespace_, "namespace", e);
}

static enum ff_rc create_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_create_flow_args *a = args;
  (void)arena;
  TRY(flow_id_parse(a->flow_id, config, prep, e));
  return flow_check_labels(a->flow_kind, a->namespace_, e);
}

struct flow *flow_insert(struct tx *tx, struct flow_id id, struct ff_str kind,
                         struct ff_str namespace_) {
  struct flow *flow = tx_insert_flow(tx, FLOW_KEY(flow, id));
  flow->flow_kind = kind;
  flow->namespace_ = namespace_;
  flow->created_at = flow->last_mutation_at = tx_now(tx);
  flow->next_seq = 1;
  flow->forward_only = 1;
  return flow;
}

static void create_declare(struct declare *d, const void *args, const void *prep) {
  (void)args;
  declare_flow(d, *(const struct flow_id *)prep);
}

static enum ff_rc create_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct ff_create_flow_args *a = args;
  struct ff_create_flow_result *r = result;
  struct flow_id id = *(const struct flow_id *)prep;
  const struct flow *existing = NULL;
  (void)e;
  TRY(tx_get_flow(tx, FLOW_KEY(flow, id), &existing));
  uuid_format_id(id.uuid, &r->flow_id);
  r->outcome = existing ? FF_outcome_already_satisfied : FF_outcome_created;
  if (existing) return FF_OK; /* FC-4 */
  flow_insert(tx, id, a->flow_kind, a->namespace_);
  return FF_OK;
}

const struct op_code op_code_create_flow = {sizeof(struct flow_id), create_prepare, create_declare,
                                            create_run};

/* ---- add_execution_to_flow ---- */

struct add_prep {
  struct flow_id flow;
  struct exec_id execution;
};

static enum ff_rc add_prepare(const struct op_config *config, const void *args, void *prep,
                              struct arena *arena, struct ff_error *e) {
  const struct ff_add_execution_to_flow_args *a = args;
  struct add_prep *p = prep;
  (void)arena;
  TRY(flow_id_parse(a->flow_id, config, &p->flow, e));
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->execution, e));
  return flow_check_partition(p->flow, p->execution, "execution_id", e);
}

static void add_declare(struct declare *d, const void *args, const void *prep) {
  const struct add_prep *p = prep;
  (void)args;
  declare_flow(d, p->flow);
  declare_execution(d, p->execution);
  declare_flow_member(d, p->flow, p->execution.uuid);
}

static enum ff_rc check_free(const struct execution *x, struct flow_id flow, struct ff_error *e) {
  struct ff_id other;
  if (uuid_is_nil(x->flow_id) || uuid_equal(x->flow_id, flow.uuid)) return FF_OK;
  uuid_format_id(x->flow_id, &other);
  enum ff_rc rc = error_field(e, FF_CODE_execution_already_in_flow, "execution_id",
                              "already_member_of_different_flow:%s", other.text);
  error_context(e, "flow_id", "%s", other.text);
  return rc;
}

static bool is_ended(const struct execution *x) {
  return x->lifecycle_phase == FF_lifecycle_phase_terminal;
}

/* FM-1, FM-2. A member whose execution was purged and whose id somebody has used again keeps its
 * place: there is one member per id. */
static void join(struct tx *tx, struct flow *flow, const struct flow_member *known,
                 struct execution *x) {
  struct flow_member *member = known ? tx_edit_flow_member(tx, known) : NULL;
  if (!member) {
    struct flow_member key = member_key(flow_id_of(flow), x->id);
    member = tx_insert_flow_member(tx, &key);
    member->seq = flow->next_seq++;
    flow->node_count++;
    flow->graph_revision++;
  }
  flow->last_mutation_at = tx_now(tx);
  x->flow_id = flow->flow_id;
  execution_touch(tx, x);
  flow_member_count(tx, flow, member,
                    is_ended(x) ? (enum ff_terminal_outcome)x->terminal_outcome
                                : FF_terminal_outcome_none,
                    false);
}

static enum ff_rc add_run(struct tx *tx, const void *args, const void *prep, void *result,
                          struct ff_error *e) {
  const struct add_prep *p = prep;
  struct ff_add_execution_to_flow_result *r = result;
  const struct flow *flow = NULL;
  const struct execution *x = NULL;
  const struct flow_member *member = NULL;
  (void)args;
  TRY(flow_load_open(tx, p->flow, &flow, e));
  TRY(execution_load(tx, p->execution, &x, e));
  TRY(check_free(x, p->flow, e));
  TRY(flow_member_get(tx, p->flow, p->execution.uuid, &member));
  exec_id_format(p->execution, &r->execution_id);
  r->outcome = member ? FF_outcome_already_member : FF_outcome_added;
  r->node_count = flow->node_count + !member;
  if (!uuid_is_nil(x->flow_id)) return FF_OK;
  join(tx, tx_edit_flow(tx, flow), member, tx_edit_execution(tx, x));
  return FF_OK;
}

const struct op_code op_code_add_execution_to_flow = {sizeof(struct add_prep), add_prepare,
                                                      add_declare, add_run};
