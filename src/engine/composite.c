/*
 * Composites and many-forms: how one public call becomes several operations, and one answer again
 * (00 §2.8, §3).
 *
 * A composite may share one commit where the store has one transaction domain: its requests ride in
 * one call, in order. Each step is repeatable, so a crash between steps leaves what the caller's
 * repeat completes.
 */
#include "engine/impl.h"
#include "op/admission.h"

#define MANY_MAX 1000
#define MANY_BYTES_MAX (8u << 20)

static enum ff_rc many_check(const char *field, size_t count, size_t bytes,
                             struct ff_error *error) {
  if (count > MANY_MAX)
    return error_field(error, FF_CODE_invalid_input, field, "at most %d items a call, got %zu",
                       MANY_MAX, count);
  if (bytes > MANY_BYTES_MAX)
    return error_field(error, FF_CODE_invalid_input, field, "at most %u bytes a call, got %zu",
                       MANY_BYTES_MAX, bytes);
  return FF_OK;
}

/* ---- creating (OC-1) ---- */

/* The registration of a lane or requirement set this process has not seen yet, as a step of its own
 * before the create. */
static enum ff_rc add_registration(struct engine *e, struct call *call, enum op_id op,
                                   const void *args, struct ff_error *error) {
  struct ff_str lane, requirement;
  TRY(op_create_needs(op, args, &call->arena, &lane, &requirement, error));
  if (lane_known(e, lane, requirement)) return FF_OK;
  struct ff_register_lane_args *step = ARENA_NEW(&call->arena, struct ff_register_lane_args);
  step->size = sizeof *step;
  step->lane_id = lane;
  step->required_capabilities = requirement;
  step->registered_by = TEXT_LIT("create_execution");
  struct request *r = call_request(e, call, OP_register_lane, step);
  if (r->refused && error) *error = r->error;
  return r->rc;
}

static void learn_registrations(struct engine *e, const struct call *call) {
  for (uint32_t i = 0; i < call->request_count; i++) {
    const struct request *r = &call->requests[i];
    const struct ff_register_lane_args *args = r->args;
    if (r->op == OP_register_lane && r->rc == FF_OK)
      lane_learn(
          e, args->lane_id,
          text_present(args->required_capabilities) ? args->required_capabilities : TEXT_LIT(""));
  }
}

/* For arguments that op_create_needs refuses. The create refuses them too, and only its prepare
 * checks in the order of the rules (02 L-50 … L-52): its answer counts. */
static const struct request *refuse_create(struct engine *e, struct call *call, enum op_id op,
                                           const void *args) {
  const struct request *r = call_request(e, call, op, args);
  INVARIANT(r->refused);
  return r;
}

static enum ff_rc build_create(struct engine *e, struct call *call, struct ff_error *error) {
  struct ff_str lane, requirement;
  if (op_create_needs(call->op, call->args, &call->arena, &lane, &requirement, error) != FF_OK) {
    call_reserve(call, 1);
    const struct request *refused = refuse_create(e, call, call->op, call->args);
    if (error) *error = refused->error;
    return refused->rc;
  }
  bool known = lane_known(e, lane, requirement);
  call_reserve(call, known ? 1 : 2);
  if (!known) TRY(add_registration(e, call, call->op, call->args, error));
  struct request *r = call_request(e, call, call->op, call->args);
  if (call->request_count > 1) r->needs = &call->requests[0];
  if (r->refused && error) *error = r->error;
  return r->rc;
}

static enum ff_rc finish_create(struct engine *e, struct call *call, void *view,
                                struct arena *arena, struct ff_error *error) {
  (void)arena;
  const struct request *last = &call->requests[call->request_count - 1];
  if (call->request_count > 1) learn_registrations(e, call);
  if (last->rc != FF_OK) *error = last->error;
  if (last->rc == FF_OK) memcpy(view, last->result, op_infos[last->op].result_size);
  return last->rc;
}

/* The first budget of a flow says that there is one, before it (06 BU-81; op/admission.h). */
static enum ff_rc build_create_budget(struct engine *e, struct call *call,
                                      struct ff_error *error) {
  const struct ff_create_budget_args *a = call->args;
  static const struct check_setting_args flag = {
      sizeof flag, {ADMISSION_FLOW_SETTING, sizeof ADMISSION_FLOW_SETTING - 1}, {"1", 1}};
  bool of_flow = text_equal_c(a->scope_type, "flow");
  call_reserve(call, 2);
  if (of_flow) call_request(e, call, OP_check_setting, &flag);
  struct request *r = call_request(e, call, OP_create_budget, a);
  if (of_flow) r->needs = &call->requests[0];
  if (r->refused && error) *error = r->error;
  return r->rc;
}

static const struct ff_submit_args *submit_of_item(struct arena *arena,
                                                   const struct ff_create_execution_args *item) {
  struct ff_submit_args *s = ARENA_NEW(arena, struct ff_submit_args);
  *s = (struct ff_submit_args){.size = sizeof *s,
                               .namespace_ = item->namespace_,
                               .lane_id = item->lane_id,
                               .execution_kind = item->execution_kind,
                               .input_payload = item->input_payload,
                               .payload_encoding = item->payload_encoding,
                               .priority = item->priority,
                               .creator_identity = item->creator_identity,
                               .idempotency_key = item->idempotency_key,
                               .tags = item->tags,
                               .policy = item->policy,
                               .delay_until = item->delay_until,
                               .deadline_at = item->deadline_at};
  return s;
}

/* Marks the place of a refused item: its answer is the refusal, nothing of it runs. */
static void add_refused(struct call *call, const struct ff_error *error) {
  struct request *r = &call->requests[call->request_count++];
  *r = (struct request){
      .op = OP_submit, .rc = error->rc, .error = *error, .done = true, .refused = true};
}

/* An item and, before it, the registration it may need; false when it is refused: a refused item
 * registers nothing (02 L-6). *registration is the one of the item before, NULL = known already;
 * with may_register it becomes this item's. */
static bool add_create(struct engine *e, struct call *call, enum op_id op, const void *args,
                       bool may_register, const struct request **registration) {
  struct ff_error refused = {.retry_after_ms = -1};
  struct request *at = call_request(e, call, op, args);
  at->needs = *registration;
  if (at->refused || !may_register) return !at->refused;
  struct request create = *at;
  uint32_t before = --call->request_count;
  if (add_registration(e, call, op, args, &refused) != FF_OK) {
    call->request_count--; /* the refused registration stands for the item */
    add_refused(call, &refused);
    return false;
  }
  *registration = call->request_count > before ? &call->requests[before] : NULL;
  create.needs = *registration;
  call->requests[call->request_count++] = create;
  return true;
}

/* ---- a whole graph ---- */

static bool asked_already(const struct call *call, struct ff_str lane, struct ff_str requirement) {
  for (uint32_t i = 0; i < call->request_count; i++) {
    const struct ff_register_lane_args *args = call->requests[i].args;
    if (text_equal(args->lane_id, lane) && text_equal(args->required_capabilities, requirement))
      return true;
  }
  return false;
}

/* Lanes and requirement sets first, each once; what a member's arguments have wrong is the graph's to
 * say. */
static enum ff_rc build_graph(struct engine *e, struct call *call, struct ff_error *error) {
  const struct ff_create_flow_graph_args *args = call->args;
  size_t bytes = values_dynamic_size(op_infos[OP_create_flow_graph].args, args);
  TRY(many_check("members", args->members.count, bytes, error));
  call_reserve(call, (uint32_t)args->members.count + 1);
  call->chained = true;
  for (size_t i = 0; i < args->members.count; i++) {
    const struct ff_graph_member *m = &args->members.items[i];
    struct ff_submit_args *item = ARENA_NEW(&call->arena, struct ff_submit_args);
    *item = (struct ff_submit_args){
        .size = sizeof *item, .lane_id = m->lane_id, .policy = m->policy};
    struct ff_str lane, requirement;
    if (op_create_needs(OP_submit, item, &call->arena, &lane, &requirement, NULL) != FF_OK) break;
    if (asked_already(call, lane, requirement)) continue;
    TRY(add_registration(e, call, OP_submit, item, error));
  }
  uint32_t steps = call->request_count;
  struct request *r = call_request(e, call, OP_create_flow_graph, args);
  if (r->refused && error) *error = r->error;
  if (r->refused && steps) { /* a refused graph registers nothing */
    enum ff_rc rc = r->rc;
    call->request_count = 0;
    return rc;
  }
  return r->rc;
}

static enum ff_rc build_create_many(struct engine *e, struct call *call, struct ff_error *error) {
  const struct ff_create_executions_args *args = call->args;
  size_t bytes = 0;
  for (size_t i = 0; i < args->items.count && i < MANY_MAX; i++)
    bytes += args->items.items[i].input_payload.len;
  TRY(many_check("items", args->items.count, bytes, error));
  call->requests = ARENA_ARRAY(&call->arena, struct request, 2 * args->items.count + 1);
  struct ff_str lane = {NULL, 0}, requirement = {NULL, 0};
  const struct request *registration = NULL;
  for (size_t i = 0; i < args->items.count; i++) {
    const struct ff_create_execution_args *item = &args->items.items[i];
    bool named = text_nonempty(item->execution_id);
    enum op_id op = named ? OP_create_execution : OP_submit;
    const void *item_args = named ? (const void *)item : submit_of_item(&call->arena, item);
    struct ff_error refused = {.retry_after_ms = -1};
    struct ff_str item_lane, item_requirement;
    if (op_create_needs(op, item_args, &call->arena, &item_lane, &item_requirement, &refused) !=
        FF_OK) {
      (void)refuse_create(e, call, op, item_args);
      continue;
    }
    bool same = text_present(lane) && text_equal(lane, item_lane) &&
                text_equal(requirement, item_requirement);
    if (!add_create(e, call, op, item_args, !same, &registration)) continue;
    lane = item_lane;
    requirement = item_requirement;
  }
  return FF_OK;
}

static enum ff_rc finish_create_many(struct engine *e, struct call *call, void *view,
                                     struct arena *arena, struct ff_error *error) {
  (void)error;
  struct ff_create_executions_result *out = view;
  struct ff_create_slot *slots = ARENA_ARRAY(arena, struct ff_create_slot, call->request_count + 1);
  learn_registrations(e, call);
  for (uint32_t i = 0; i < call->request_count; i++) {
    const struct request *r = &call->requests[i];
    if (r->op == OP_register_lane) continue;
    struct ff_create_slot *slot = &slots[out->slots.count++];
    if (r->rc != FF_OK) {
      slot->error = r->error;
      continue;
    }
    /* create_execution and submit answer alike */
    const struct ff_submit_result *result = r->result;
    slot->outcome = result->outcome;
    slot->execution_id = result->execution_id;
    slot->public_state = result->public_state;
  }
  out->slots.items = slots;
  return FF_OK;
}

/* ---- claiming ---- */

#define WAIT_MAX_MS 30000

static enum ff_rc wait_check(struct engine *e, struct call *call, uint64_t max_wait_ms,
                             struct ff_error *error) {
  if (max_wait_ms > WAIT_MAX_MS)
    return error_field(error, FF_CODE_invalid_input, "max_wait_ms", "must be at most %d, got %llu",
                       WAIT_MAX_MS, (unsigned long long)max_wait_ms);
  call->deadline = max_wait_ms ? engine_now(e) + (int64_t)max_wait_ms : 0;
  return FF_OK;
}

static enum ff_rc add_acquire(struct engine *e, struct call *call, struct ff_strs lanes,
                              struct ff_strs capabilities, struct ff_error *error) {
  call->acquire.size = sizeof call->acquire;
  call->acquire.lane_ids = lanes;
  TRY(capabilities_csv(capabilities, "worker", &call->arena, &call->acquire.capabilities, error));
  struct request *r = call_request(e, call, OP_acquire, &call->acquire);
  if (r->refused && error) *error = r->error;
  return r->rc;
}

/* What every claim form hands on: their argument structs name these members alike. */
#define ACQUIRE_FOR(a, count)                                           \
  ((struct acquire_args){.worker_id = (a)->worker_id,                   \
                         .worker_instance_id = (a)->worker_instance_id, \
                         .lease_ttl_ms = (a)->lease_ttl_ms,             \
                         .request_id = (a)->request_id,                 \
                         .max = (count)})

/* The tasks the call's acquire step found; no tasks when it failed, with *error filled. */
static enum ff_rc found_tasks(const struct call *call, struct ff_tasks *tasks,
                              struct ff_error *error) {
  const struct request *r = &call->requests[call->request_count - 1];
  *tasks = (struct ff_tasks){NULL, 0};
  if (r->rc != FF_OK)
    *error = r->error;
  else
    *tasks = ((const struct acquire_result *)r->result)->tasks;
  return r->rc;
}

static enum ff_rc build_claim(struct engine *e, struct call *call, struct ff_error *error) {
  const struct ff_claim_args *a = call->args;
  TRY(wait_check(e, call, a->max_wait_ms, error));
  struct ff_str *lane = arena_copy(&call->arena, &a->lane_id, sizeof a->lane_id);
  call->acquire = ACQUIRE_FOR(a, 1);
  call_reserve(call, 1);
  return add_acquire(e, call, (struct ff_strs){lane, 1}, a->capabilities, error);
}

static enum ff_rc finish_claim(struct engine *e, struct call *call, void *view, struct arena *arena,
                               struct ff_error *error) {
  (void)e, (void)arena;
  struct ff_claim_result *out = view;
  struct ff_tasks tasks;
  TRY(found_tasks(call, &tasks, error));
  if (tasks.count == 0) return FF_OK;
  out->outcome = FF_outcome_claimed;
  out->handle = tasks.items[0].handle;
  return FF_OK;
}

static enum ff_rc build_claim_task(struct engine *e, struct call *call, struct ff_error *error) {
  const struct ff_claim_task_args *a = call->args;
  TRY(wait_check(e, call, a->max_wait_ms, error));
  call->acquire = ACQUIRE_FOR(a, 1);
  call_reserve(call, 1);
  return add_acquire(e, call, a->lane_ids, a->capabilities, error);
}

static enum ff_rc finish_claim_task(struct engine *e, struct call *call, void *view,
                                    struct arena *arena, struct ff_error *error) {
  (void)e, (void)arena;
  struct ff_claim_task_result *out = view;
  struct ff_tasks tasks;
  TRY(found_tasks(call, &tasks, error));
  if (tasks.count == 0) return FF_OK;
  out->outcome = FF_outcome_claimed;
  out->task = tasks.items[0];
  return FF_OK;
}

static enum ff_rc build_claim_tasks(struct engine *e, struct call *call, struct ff_error *error) {
  const struct ff_claim_tasks_args *a = call->args;
  TRY(wait_check(e, call, a->max_wait_ms, error));
  if (a->max < 1 || a->max > MANY_MAX)
    return error_field(error, FF_CODE_invalid_input, "max", "must be 1..%d, got %u", MANY_MAX,
                       a->max);
  call->acquire = ACQUIRE_FOR(a, a->max);
  call_reserve(call, 1);
  return add_acquire(e, call, a->lane_ids, a->capabilities, error);
}

static enum ff_rc finish_claim_tasks(struct engine *e, struct call *call, void *view,
                                     struct arena *arena, struct ff_error *error) {
  (void)e, (void)arena;
  struct ff_claim_tasks_result *out = view;
  struct ff_tasks tasks;
  TRY(found_tasks(call, &tasks, error));
  if (tasks.count == 0) return FF_OK;
  out->outcome = FF_outcome_claimed;
  out->tasks = tasks;
  return FF_OK;
}

static enum ff_rc build_complete_and_claim(struct engine *e, struct call *call,
                                           struct ff_error *error) {
  const struct ff_complete_and_claim_args *a = call->args;
  struct ff_complete_args *complete = ARENA_NEW(&call->arena, struct ff_complete_args);
  *complete = (struct ff_complete_args){.size = sizeof *complete,
                                        .handle = a->handle,
                                        .result_payload = a->result_payload,
                                        .result_encoding = a->result_encoding};
  call->acquire = ACQUIRE_FOR(a, 1);
  call_reserve(call, 2);
  call->chained = true;
  struct request *r = call_request(e, call, OP_complete, complete);
  if (r->refused) {
    if (error) *error = r->error;
    return r->rc;
  }
  return add_acquire(e, call, a->lane_ids, a->capabilities, error);
}

/* ---- many-forms of handle operations ---- */

static enum ff_rc build_renew_many(struct engine *e, struct call *call, struct ff_error *error) {
  const struct ff_renew_many_args *a = call->args;
  TRY(many_check("items", a->items.count, 0, error));
  struct ff_renew_args *each = ARENA_ARRAY(&call->arena, struct ff_renew_args, a->items.count + 1);
  call->requests = ARENA_ARRAY(&call->arena, struct request, a->items.count + 1);
  for (size_t i = 0; i < a->items.count; i++) {
    each[i] = (struct ff_renew_args){.size = sizeof each[i], .handle = a->items.items[i].handle};
    call_request(e, call, OP_renew, &each[i]);
  }
  return FF_OK;
}

static enum ff_rc finish_renew_many(struct engine *e, struct call *call, void *view,
                                    struct arena *arena, struct ff_error *error) {
  (void)e, (void)error;
  struct ff_renew_many_result *out = view;
  struct ff_renew_slot *slots = ARENA_ARRAY(arena, struct ff_renew_slot, call->request_count + 1);
  for (uint32_t i = 0; i < call->request_count; i++) {
    const struct request *r = &call->requests[i];
    const struct ff_renew_result *result = r->result;
    if (r->rc != FF_OK)
      slots[i].error = r->error;
    else
      slots[i] = (struct ff_renew_slot){.outcome = result->outcome,
                                        .expires_at_ms = result->expires_at_ms,
                                        .lease_epoch = result->lease_epoch};
  }
  out->slots.items = slots;
  out->slots.count = call->request_count;
  return FF_OK;
}

static enum ff_rc build_complete_many(struct engine *e, struct call *call, struct ff_error *error) {
  const struct ff_complete_many_args *a = call->args;
  size_t bytes = 0;
  for (size_t i = 0; i < a->items.count && i < MANY_MAX; i++)
    bytes += a->items.items[i].result_payload.len;
  TRY(many_check("items", a->items.count, bytes, error));
  struct ff_complete_args *each =
      ARENA_ARRAY(&call->arena, struct ff_complete_args, a->items.count + 1);
  call->requests = ARENA_ARRAY(&call->arena, struct request, a->items.count + 1);
  for (size_t i = 0; i < a->items.count; i++) {
    each[i] = (struct ff_complete_args){.size = sizeof each[i],
                                        .handle = a->items.items[i].handle,
                                        .result_payload = a->items.items[i].result_payload,
                                        .result_encoding = a->items.items[i].result_encoding};
    call_request(e, call, OP_complete, &each[i]);
  }
  return FF_OK;
}

static enum ff_rc finish_complete_many(struct engine *e, struct call *call, void *view,
                                       struct arena *arena, struct ff_error *error) {
  (void)e, (void)error;
  struct ff_complete_many_result *out = view;
  struct ff_complete_slot *slots =
      ARENA_ARRAY(arena, struct ff_complete_slot, call->request_count + 1);
  for (uint32_t i = 0; i < call->request_count; i++) {
    const struct request *r = &call->requests[i];
    const struct ff_complete_result *result = r->result;
    if (r->rc != FF_OK)
      slots[i].error = r->error;
    else
      slots[i] = (struct ff_complete_slot){.outcome = result->outcome,
                                           .execution_id = result->execution_id};
  }
  out->slots.items = slots;
  out->slots.count = call->request_count;
  return FF_OK;
}

static enum ff_rc build_fail_many(struct engine *e, struct call *call, struct ff_error *error) {
  const struct ff_fail_many_args *a = call->args;
  size_t bytes = 0;
  for (size_t i = 0; i < a->items.count && i < MANY_MAX; i++) bytes += a->items.items[i].reason.len;
  TRY(many_check("items", a->items.count, bytes, error));
  struct ff_fail_args *each = ARENA_ARRAY(&call->arena, struct ff_fail_args, a->items.count + 1);
  call->requests = ARENA_ARRAY(&call->arena, struct request, a->items.count + 1);
  for (size_t i = 0; i < a->items.count; i++) {
    const struct ff_fail_item *item = &a->items.items[i];
    each[i] = (struct ff_fail_args){.size = sizeof each[i],
                                    .handle = item->handle,
                                    .reason = item->reason,
                                    .detail = item->detail,
                                    .failure_class = item->failure_class};
    call_request(e, call, OP_fail, &each[i]);
  }
  return FF_OK;
}

static enum ff_rc finish_fail_many(struct engine *e, struct call *call, void *view,
                                   struct arena *arena, struct ff_error *error) {
  (void)e, (void)error;
  struct ff_fail_many_result *out = view;
  struct ff_fail_slot *slots = ARENA_ARRAY(arena, struct ff_fail_slot, call->request_count + 1);
  for (uint32_t i = 0; i < call->request_count; i++) {
    const struct request *r = &call->requests[i];
    const struct ff_fail_result *result = r->result;
    if (r->rc != FF_OK)
      slots[i].error = r->error;
    else
      slots[i] = (struct ff_fail_slot){.outcome = result->outcome,
                                       .delay_until = result->delay_until,
                                       .next_attempt_index = result->next_attempt_index};
  }
  out->slots.items = slots;
  out->slots.count = call->request_count;
  return FF_OK;
}

/* ---- signals ---- */

static enum ff_rc build_deliver_signals(struct engine *e, struct call *call,
                                        struct ff_error *error) {
  const struct ff_deliver_signals_args *a = call->args;
  size_t bytes = 0;
  for (size_t i = 0; i < a->items.count && i < MANY_MAX; i++)
    bytes += a->items.items[i].payload.len;
  TRY(many_check("items", a->items.count, bytes, error));
  call->requests = ARENA_ARRAY(&call->arena, struct request, a->items.count + 1);
  for (size_t i = 0; i < a->items.count; i++)
    call_request(e, call, OP_deliver_signal, &a->items.items[i]);
  return FF_OK;
}

static enum ff_rc finish_deliver_signals(struct engine *e, struct call *call, void *view,
                                         struct arena *arena, struct ff_error *error) {
  (void)e, (void)error;
  struct ff_deliver_signals_result *out = view;
  struct ff_signal_slot *slots = ARENA_ARRAY(arena, struct ff_signal_slot, call->request_count + 1);
  for (uint32_t i = 0; i < call->request_count; i++) {
    const struct request *r = &call->requests[i];
    const struct ff_deliver_signal_result *result = r->result;
    if (r->rc != FF_OK)
      slots[i].error = r->error;
    else
      slots[i] = (struct ff_signal_slot){.outcome = result->outcome,
                                         .signal_id = result->signal_id,
                                         .effect = result->effect,
                                         .existing_signal_id = result->existing_signal_id};
  }
  out->slots.items = slots;
  out->slots.count = call->request_count;
  return FF_OK;
}

const struct composite composites[OP_COUNT] = {
    [OP_create_execution] = {.build = build_create, .finish = finish_create},
    [OP_submit] = {.build = build_create, .finish = finish_create},
    [OP_create_flow_graph] = {.build = build_graph, .finish = finish_create},
    [OP_create_executions] = {.build = build_create_many, .finish = finish_create_many},
    [OP_create_budget] = {.build = build_create_budget, .finish = finish_create},
    [OP_claim] = {.build = build_claim, .finish = finish_claim},
    [OP_claim_task] = {.build = build_claim_task, .finish = finish_claim_task},
    [OP_claim_tasks] = {.build = build_claim_tasks, .finish = finish_claim_tasks},
    [OP_complete_and_claim] = {.build = build_complete_and_claim, .finish = finish_claim_task},
    [OP_renew_many] = {.build = build_renew_many, .finish = finish_renew_many},
    [OP_complete_many] = {.build = build_complete_many, .finish = finish_complete_many},
    [OP_fail_many] = {.build = build_fail_many, .finish = finish_fail_many},
    [OP_deliver_signals] = {.build = build_deliver_signals, .finish = finish_deliver_signals},
    [OP_trim_retention] = {.direct = trim_retention_run},
    [OP_cancel_flow] = {.direct = cancel_flow_run},
    [OP_cancel_flow_header] = {.direct = cancel_flow_header_run},
    [OP_capabilities] = {.direct = capabilities_run},
    [OP_prepare] = {.direct = prepare_run},
    [OP_read_config] = {.direct = read_config_run},
    [OP_list_scanners] = {.direct = list_scanners_run},
    [OP_run_scanner] = {.direct = run_scanner_run},
    [OP_engine_stats] = {.direct = engine_stats_run},
};
