/*
 * The limits of arguments, as the public headers and 01 §11 state them, and arguments within them.
 *
 * A new member needs a row here: the test fails without one.
 */
#include "test/unit/bad_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test/unit/bad_world.h"

#define UUID(n) BAD_UUID(n)
#define ID(n) BAD_ID(n)
#define LEASED BAD_LEASED
#define FLOW BAD_FLOW
#define SECRET_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const struct rule rules[] = {
    /* where a name means something of its own */
    {"create_execution.execution_id", EXECUTION_ID, 0, ID("77"), 0},
    {"create_execution.lane_id", LANE, 0, "default", 0},
    {"submit.lane_id", LANE, 0, "default", 0},
    {"change_priority.lane_id", LANE, 0, "default", 0},
    {"claim_execution.lease_ttl_ms", AT_LEAST_1, UINT64_MAX, NULL, 1000},
    {"claim_resumed_execution.lease_ttl_ms", AT_LEAST_1, UINT64_MAX, NULL, 1000},
    {"claim_from_resume_grant.lease_ttl_ms", AT_LEAST_1, UINT64_MAX, NULL, 1000},
    {"claim_from_reclaim.lease_ttl_ms", AT_LEAST_1, UINT64_MAX, NULL, 1000},
    {"reclaim_execution.lease_ttl_ms", AT_LEAST_1, UINT64_MAX, NULL, 1000},
    {"renew_lease.lease_ttl_ms", AT_LEAST_1, UINT64_MAX, NULL, 1000},
    {"reclaim_execution.attempt_policy_json", TEXT, 65536, NULL, 0},
    {"revoke_lease.worker_instance_id", TEXT, 256, NULL, 0},
    {"revoke_lease.reason", TEXT, 4096, "r", 0},
    {"delay.delay_until", POSITIVE, 0, NULL, 1700000001000},
    {"place_hold.reason", CHOICE, 0, NULL, 0},
    {"block_execution_for_admission.reason", ANY, 0, "waiting_for_budget", 0},
    {"unblock_execution.expected_blocking_reason", CHOICE, 0, "waiting_for_budget", 0},
    {"query_executions.tag_key", TEXT, 256, "app.k", 0},
    {"query_executions.public_state", STATES, 0, "waiting", 0},
    {"query_executions.cursor", CURSOR, 0, NULL, 0},
    {"list_executions.cursor", EXECUTION_ID, 0, LEASED, 0},
    {"list_lanes.cursor", TEXT, 256, NULL, 0},
    {"list_workers.after", CHOICE, 0, "w-1 n", 0},
    {"register_worker.lanes", ANY, 0, NULL, 0}, /* worker.ff */
    {"liveness_ttl_ms", AT_LEAST_1, 86400000, NULL, 1000},
    {"mark_worker_dead.reason", ANY, 0, NULL, 0}, /* words of its own: worker.ff */
    {"cancellation_policy", CHOICE, 0, "cancel_pending", 0},
    {"wait", WORD, 0, NULL, 0},
    {"cancel_flow.timeout_ms", ANY, 0, NULL, 0}, /* of one kind of wait: cancel_flow.ff */
    {"wait_for_flow_cancellation.timeout_ms", AT_MOST, 300000, NULL, 0},
    {"list_flows.cursor", ANY_UUID, 0, NULL, 0},
    {"list_flow_members.cursor", EXECUTION_ID, 0, LEASED, 0},
    {"set_flow_tag.value", TEXT, 4096, "v", 0},
    {"trim_retention.retention_ms", NOT_NEGATIVE, 0, NULL, 0},
    {"run_scanner.name", CHOICE, 0, "dedup_sweep", 0},
    {"set_lane_state.state", CHOICE, 0, "active", 0},
    {"register_lane.required_capabilities", TOKENS_CSV, 0, "cuda,gpu", 0},
    {"set_execution_tag.value", TEXT, 4096, "v", 0},
    {"describe_lane.lane_id", LANE, 0, "default", 0},
    {"append_frame.bytes", ANY, 0, NULL, 0}, /* its own limit and code: stream.ff */
    {"append_frame.kind", ANY, 0, NULL, 0},  /* ST-10: unknown ones are events */
    {"frame_type", TEXT, 128, NULL, 0},
    {"correlation_id", TEXT, 256, NULL, 0},
    {"has_seq", ANY, 0, NULL, 1},
    {"seq", AT_MOST, INT64_MAX, NULL, 7},
    {"from", CHOICE, 0, "start", 0},
    {"to", CHOICE, 0, "end", 0},
    {"count_limit", AT_LEAST_1, 10000, NULL, 10},
    {"mode", WORD, 0, NULL, 0},
    {"ttl_ms", ANY, 0, NULL, 0}, /* ST-11: knobs are never an error */
    {"maxlen_floor", ANY, 0, NULL, 0},
    {"maxlen_ceiling", ANY, 0, NULL, 0},
    {"ema_alpha", ANY, 0, NULL, 0},
    {"visibility", WORD, 0, NULL, 0},
    {"tail_stream.after", CHOICE, 0, "0-0", 0},
    {"block_ms", AT_MOST, 30000, NULL, 0},
    {"patch_kind", ANY, 0, NULL, 0}, /* of summaries only: summary.ff */
    {"frames", ITEMS, 0, NULL, 0},
    {"suspend_waitpoints.waitpoints", SPECS, 0, NULL, 0},
    {"suspend_waitpoints.timeout_ms", ANY, 0, NULL, 1000},
    {"suspend.waitpoints", BINDINGS, 0, NULL, 0},
    {"suspend_by_triple.waitpoints", BINDINGS, 0, NULL, 0},
    {"suspension_id", OWN_UUID, 0, UUID("dd"), 0},
    {"resume_condition", CHOICE, 0,
     "{\"Single\":{\"waitpoint_key\":\"k\",\"matcher\":\"Wildcard\"}}", 0},
    {"resume_policy", CHOICE, 0, NULL, 0},
    {"suspend.reason_code", CHOICE, 0, "waiting_for_signal", 0},
    {"suspend_by_triple.reason_code", CHOICE, 0, "waiting_for_signal", 0},
    {"requested_by", CHOICE, 0, NULL, 0},
    {"timeout_at", NOT_NEGATIVE, 0, NULL, 0},
    {"timeout_behavior", CHOICE, 0, NULL, 0},
    {"continuation_metadata_pointer", TEXT, 4096, NULL, 0},
    {"suspend.idempotency_key", TEXT, 512, NULL, 0},
    {"suspend_by_triple.idempotency_key", TEXT, 512, NULL, 0},
    {"signal_id", OWN_UUID, 0, UUID("ee"), 0},
    {"signal_name", TEXT, 256, "go", 0},
    {"signal_category", TEXT, 256, NULL, 0},
    {"source_type", TEXT, 256, NULL, 0},
    {"source_identity", TEXT, 512, NULL, 0},
    {"deliver_signal.correlation_id", TEXT, 512, NULL, 0},
    {"deliver_signal.idempotency_key", TEXT, 512, NULL, 0},
    {"payload", ANY, 0, NULL, 0}, /* its own limit and code: signal.ff */
    {"target_scope", TEXT, 256, NULL, 0},
    {"created_at", ANY, 0, NULL, 0},
    {"has_dedup_ttl", ANY, 0, NULL, 0},
    {"dedup_ttl_ms", ANY, 0, NULL, 0},
    {"has_resume_delay", ANY, 0, NULL, 0},
    {"resume_delay_ms", ANY, 0, NULL, 0},
    {"max_signals_per_execution", ANY, 0, NULL, 0},
    {"signal_maxlen", ANY, 0, NULL, 0},
    {"waitpoint_token", TOKEN, 0, NULL, 0}, /* good ones are set by set_good */
    {"idempotency_suffix", TEXT, 480, "1", 0},
    {"signal_dedup_ttl_ms", ANY, 0, NULL, 0},
    {"trigger_type", CHOICE, 0, NULL, 0},
    {"list_suspended.cursor", EXECUTION_ID, 0, LEASED, 0},
    {"list_pending_waitpoints.after", ANY_UUID, 0, NULL, 0},
    {"close_waitpoint.reason", TEXT, 256, NULL, 0},
    {"waitpoint_key", TEXT, 256, "k", 0},
    {"expires_in_ms", AT_LEAST_1, UINT64_MAX, NULL, 1000},
    {"kid", ANY, 0, "k1", 0}, /* codes of their own: keystore.ff */
    {"new_kid", ANY, 0, "k2", 0},
    {"secret_hex", CHOICE, 0, SECRET_HEX, 0},
    {"new_secret_hex", CHOICE, 0, SECRET_HEX, 0},
    {"grace_ms", ANY, 0, NULL, 1000},
    {"waitpoint_id", OWN_UUID, 0, UUID("cc"), 0},
    {"subscribe_lease_history.max_wait_ms", AT_MOST, 3600000, NULL, 0},
    {"subscribe_completion.max_wait_ms", AT_MOST, 3600000, NULL, 0},
    {"subscribe_signal_delivery.max_wait_ms", AT_MOST, 3600000, NULL, 0},
    {"subscribe_signal_delivery.limit", AT_MOST, 1024, NULL, 10},
    {"subscribe_instance_tags.max_wait_ms", AT_MOST, 3600000, NULL, 0},
    {"subscribe_lease_history.limit", AT_MOST, 1024, NULL, 10},
    {"subscribe_completion.limit", AT_MOST, 1024, NULL, 10},
    {"subscribe_instance_tags.limit", AT_MOST, 1024, NULL, 10},
    {"cursor", ANY, 0, NULL, 0}, /* the store's own: subscribe.ff */
    {"from_start", ANY, 0, NULL, 0},
    {"filter.namespace", TEXT, 256, NULL, 0},
    {"filter.tag_key", TEXT, 256, "app.k", 0},
    {"filter.tag_value", TEXT, 4096, "v", 0},
    /* ids and names */
    {"execution_id", EXECUTION_ID, 0, LEASED, 0},
    {"lease_id", OWN_UUID, 0, UUID("aa"), 0},
    {"attempt_id", OWN_UUID, 0, UUID("bb"), 0},
    {"expected_lease_id", ANY_UUID, 0, NULL, 0},
    {"query_executions.flow_id", ANY_UUID, 0, NULL, 0},
    {"flow_id", OWN_UUID, 0, FLOW, 0},
    {"flow_kind", TEXT, 256, "dag", 0},
    {"create_flow_graph.flow_id", OWN_UUID, 0, UUID("fa"), 0},
    {"create_flow_graph.namespace", TEXT, 256, "n", 0},
    {"upstream_outcome", CHOICE, 0, "success", 0},
    {"members", GRAPH, 0, NULL, 0},
    {"edges", ANY, 0, NULL, 0},
    {"edge_id", OWN_UUID, 0, UUID("ed"), 0},
    {"upstream_execution_id", EXECUTION_ID, 0, BAD_WAITING, 0},
    {"downstream_execution_id", EXECUTION_ID, 0, LEASED, 0},
    {"stage_dependency_edge.dependency_kind", CHOICE, 0, NULL, 0},
    {"dependency_kind", TEXT, 256, NULL, 0},
    {"data_passing_ref", TEXT, 4096, NULL, 0},
    {"expected_graph_revision", ANY, 0, NULL, 0},
    {"graph_revision", ANY, 0, NULL, 0},
    {"set_edge_group_policy.policy", CHOICE, 0, "{\"kind\":\"all_of\"}", 0},
    {"create_flow.namespace", TEXT, 256, "n", 0},
    {"fence.lease_id", ANY_UUID, 0, NULL, 0},   /* good ones are set by fill_in */
    {"fence.attempt_id", ANY_UUID, 0, NULL, 0}, /* likewise */
    {"fence.lease_epoch", ANY, 0, NULL, 1},
    {"partition", PARTITION, 0, "{fp:7}", 0},
    {"lane_id", LANE, 0, "default", 0},
    {"lane_ids", LANES, 0, NULL, 0},
    {"worker_id", WORKER, 0, "w", 0},
    {"worker_instance_id", WORKER, 0, "w-1", 0},
    {"old_worker_instance_id", TEXT, 256, NULL, 0},
    {"capabilities", TOKENS, 0, NULL, 0},
    {"worker_capabilities", TOKENS, 0, NULL, 0},
    {"handle", HANDLE, 0, NULL, 0},
    {"names", ANY, 0, NULL, 0},
    {"key", TAG_KEY, 0, "app.k", 0},
    {"tags", TAGS, 0, NULL, 0},
    {"items", ITEMS, 0, NULL, 0},
    {"budget_id", OWN_UUID, 0, BAD_BUDGET, 0},
    {"scope_type", TEXT, 256, "team", 0},
    {"scope_id", TEXT, 256, "red", 0},
    {"enforcement_mode", TEXT, 256, NULL, 0},
    {"on_hard_limit", TEXT, 256, NULL, 0},
    {"on_soft_limit", TEXT, 256, NULL, 0},
    {"reset_interval_ms", AT_MOST, INT64_MAX, NULL, 1000},
    {"limits", LIMITS, 0, NULL, 0}, /* budget.ff */
    {"custom", AMOUNTS, 0, NULL, 0},
    {"deltas", AMOUNTS, 0, NULL, 0},
    {"input_tokens", AT_MOST, INT64_MAX, NULL, 1},
    {"output_tokens", AT_MOST, INT64_MAX, NULL, 1},
    {"wall_ms", AT_MOST, INT64_MAX, NULL, 1},
    {"dedup_key", TEXT, 512, NULL, 0},
    {"record_spend.idempotency_key", TEXT, 512, NULL, 0},
    {"reconcile_budget_counters.partition", CHOICE, 0, "{b:7}", 0},
    {"reconcile_budget_counters.cursor", CHOICE, 0, NULL, 0},
    /* texts */
    {"namespace", TEXT, 256, NULL, 0},
    {"execution_kind", TEXT, 256, NULL, 0},
    {"creator_identity", TEXT, 256, NULL, 0},
    {"idempotency_key", TEXT, 256, NULL, 0},
    {"payload_encoding", TEXT, 256, NULL, 0},
    {"result_encoding", TEXT, 256, NULL, 0},
    {"registered_by", TEXT, 256, NULL, 0},
    {"request_id", TEXT, 128, NULL, 0},
    {"grant_key", TEXT, 256, NULL, 0},
    {"capability_hash", TEXT, 256, NULL, 0},
    {"route_snapshot_json", TEXT, 65536, NULL, 0},
    {"admission_summary", TEXT, 65536, NULL, 0},
    {"attempt_policy_json", TEXT, 262144, NULL, 0},
    {"next_attempt_policy_json", TEXT, 65536, NULL, 0},
    {"policy", POLICY, 0, NULL, 0},
    {"retry_policy_json", POLICY, 0, NULL, 0},
    {"reason", TEXT, 65536, "r", 0},
    {"reason_code", ANY, 0, "waiting_for_capable_worker", 0},
    {"reason_detail", TEXT, 1024, NULL, 0},
    {"expected_blocking_reason", CHOICE, 0, NULL, 0},
    {"failure_reason", TEXT, 65536, "r", 0},
    {"failure_category", TEXT, 256, NULL, 0},
    {"detail", TEXT, 256, NULL, 0},
    {"message", TEXT, 65536, "m", 0},
    {"source", TEXT, 256, NULL, 0},
    {"tag_value", TEXT, 4096, NULL, 0},
    /* numbers */
    {"lease_ttl_ms", AT_LEAST_1, UINT32_MAX, NULL, 1000},
    {"lease_duration_ms", AT_LEAST_1, UINT64_MAX, NULL, 1000},
    {"grant_ttl_ms", AT_LEAST_1, 60000, NULL, 1000},
    {"max", AT_LEAST_1, 1000, NULL, 1},
    {"max_wait_ms", AT_MOST, 30000, NULL, 0},
    {"timeout_ms", AT_MOST, 3600000, NULL, 0},
    {"percent", AT_MOST, 100, NULL, 50},
    {"has_percent", ANY, 0, NULL, 1},
    {"batch_size", AT_MOST, 1000, NULL, 0},
    {"failure_class", WORD, 0, NULL, 0},
    {"phase", WORD, 0, NULL, 0},
    {"priority", ANY, 0, NULL, 0},
    {"new_priority", ANY, 0, NULL, 0},
    {"delay_until", ANY, 0, NULL, 0},
    {"deadline_at", ANY, 0, NULL, 0},
    {"execution_deadline_at", ANY, 0, NULL, 0},
    {"attempt_timeout_ms", ANY, 0, NULL, 0},
    {"remaining_attempt_timeout_ms", ANY, 0, NULL, 0},
    {"expected_attempt_index", ANY, 0, NULL, 0},
    {"current_attempt_index", ANY, 0, NULL, 0},
    {"has_attempt_index", ANY, 0, NULL, 0},
    {"attempt_index", ANY, 0, NULL, 0},
    {"has_max_reclaim_count", ANY, 0, NULL, 0},
    {"max_reclaim_count", ANY, 0, NULL, 0},
    {"until_change", ANY, 0, NULL, 0},
    {"after_version", ANY, 0, NULL, 0},
    {"after", ANY, 0, NULL, 0},
    {"limit", ANY, 0, NULL, 10},
    {"created_from", ANY, 0, NULL, 0},
    {"created_to", ANY, 0, NULL, 0},
    {"ended_from", ANY, 0, NULL, 0},
    {"ended_to", ANY, 0, NULL, 0},
    /* bytes */
    {"input_payload", PAYLOAD, 0, NULL, 0},
    {"result_payload", PAYLOAD, 0, NULL, 0},
};

const struct rule *rule_of(const char *owner, const char *member) {
  char both[96];
  snprintf(both, sizeof both, "%s.%s", owner, member);
  for (int pass = 0; pass < 2; pass++)
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
      if (strcmp(rules[i].name, pass ? member : both) == 0) return &rules[i];
  fail_msg("%s has no rule", both);
  return NULL;
}

/* ---- good arguments ---- */

void bad_set_number(const struct ff_field *f, void *at, uint64_t n) {
  switch (f->type) {
    case FF_FIELD_BOOL: *(bool *)at = n != 0; break;
    case FF_FIELD_WORD: *(uint8_t *)at = (uint8_t)n; break;
    case FF_FIELD_I32:
    case FF_FIELD_U32: *(uint32_t *)at = (uint32_t)n; break;
    case FF_FIELD_I64:
    case FF_FIELD_U64: *(uint64_t *)at = n; break;
    case FF_FIELD_F64: *(double *)at = (double)n; break;
    default: break;
  }
}

/* Lists of one. */
static struct ff_str good_lanes[] = {{"default", 7}};
static struct ff_pair good_tags[] = {{{"app.k", 5}, {"v", 1}}};
static struct ff_create_execution_args good_item;
static union { /* they all begin with the handle */
  struct ff_renew_item renew;
  struct ff_complete_item complete;
  struct ff_fail_item fail;
} good_handle_item;
static struct ff_frame_input good_frame;
static struct ff_deliver_signal_args good_signal;

static void set_list(const struct bad_world *world, const struct ff_operation *op,
                     const struct ff_field *f, void *at) {
  struct ff_create_list list = {NULL, 1};
  good_item = (struct ff_create_execution_args)FF_ARGS(create_execution);
  good_item.execution_id = ff_text(ID("78"));
  memset(&good_handle_item, 0, sizeof good_handle_item);
  good_handle_item.renew.handle = world->task.handle;
  bool creates = strcmp(op->name, "create_executions") == 0;
  bool appends = strcmp(op->name, "append_frames") == 0;
  bool signals = strcmp(op->name, "deliver_signals") == 0;
  assert_true(creates || appends || signals || f->fields->size <= sizeof good_handle_item);
  list.items = creates   ? &good_item
               : appends ? (const void *)&good_frame
               : signals ? (const void *)&good_signal
                         : (const void *)&good_handle_item;
  memcpy(at, &list, sizeof list);
}

static const struct ff_waitpoint_binding good_binding = {
    {UUID("cf"), 36}, {"k", 1}, false};
static const struct ff_waitpoint_bindings good_bindings = {&good_binding, 1};

static const struct ff_waitpoint_spec good_spec = {.matcher = {"go", 2}};
static const struct ff_waitpoint_specs good_specs = {&good_spec, 1};

static const struct ff_graph_member good_member = {.name = {"a", 1}};
static const struct ff_graph_members good_members = {&good_member, 1};
static const struct ff_budget_limit good_limit = {{"tokens", 6}, 100, 50};
static const struct ff_budget_limits good_limits = {&good_limit, 1};
static const struct ff_budget_amount good_amount = {{"tokens", 6}, 1};
static const struct ff_budget_amounts good_amounts = {&good_amount, 1};

static void set_good(const struct bad_world *world, const struct ff_operation *op,
                     const struct ff_field *f, const struct rule *rule, void *at) {
  switch (rule->kind) {
    case HANDLE: *(struct ff_handle *)at = world->task.handle; return;
    case LANES: *(struct ff_strs *)at = (struct ff_strs){good_lanes, 1}; return;
    case TAGS: *(struct ff_pairs *)at = (struct ff_pairs){good_tags, 1}; return;
    case ITEMS: set_list(world, op, f, at); return;
    case BINDINGS: *(struct ff_waitpoint_bindings *)at = good_bindings; return;
    case LIMITS: *(struct ff_budget_limits *)at = good_limits; return;
    case AMOUNTS: *(struct ff_budget_amounts *)at = good_amounts; return;
    case SPECS: *(struct ff_waitpoint_specs *)at = good_specs; return;
    case GRAPH: *(struct ff_graph_members *)at = good_members; return;
    default: break;
  }
  if (f->type == FF_FIELD_TEXT) *(struct ff_str *)at = ff_text(rule->good);
  if (strcmp(f->name, "waitpoint_id") == 0) *(struct ff_str *)at = ff_text(world->waitpoint_id);
  if (strcmp(f->name, "waitpoint_token") == 0)
    *(struct ff_str *)at = ff_text(world->waitpoint_token);
  bad_set_number(f, at, rule->number);
}

static void fill_in(const struct bad_world *world, const struct ff_operation *op, const char *owner,
                    const struct ff_struct *s, void *values) {
  for (uint32_t i = 0; i < s->field_count; i++) {
    const struct ff_field *f = &s->fields[i];
    void *at = (uint8_t *)values + f->offset;
    if (f->type == FF_FIELD_STRUCT && strcmp(f->name, "fence") != 0) {
      fill_in(world, op, f->name, f->fields, at);
    } else if (f->type == FF_FIELD_STRUCT) {
      *(struct ff_fence *)at =
          (struct ff_fence){ff_text(world->task.lease_id.text), world->task.lease_epoch,
                            ff_text(world->task.attempt_id.text)};
    } else {
      set_good(world, op, f, rule_of(owner, f->name), at);
    }
  }
}

void bad_good_arguments(const struct bad_world *world, const struct ff_operation *op, void *args) {
  memset(args, 0, op->args->size);
  memcpy(args, &op->args->size, sizeof op->args->size);
  fill_in(world, op, op->name, op->args, args);
}
