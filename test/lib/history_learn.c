/*
 * What a client learns from answers: minted ids, leases it was given, grants, times that matter.
 */
#include "test/lib/history_impl.h"

#include "base/ids.h"

#include <stdio.h>

static void believe(struct history *h, const char *id, enum belief belief) {
  struct known *known = find_known(h, id);
  if (known) known->belief = belief;
}

static void learn_created_one(struct history *h, const char *id, struct ff_str lane, bool created) {
  if (!id[0]) return;
  struct known *known = find_known(h, id);
  if (!known) {
    known = &h->known[EXECUTIONS + h->minted_count++ % MINTED];
    *known = (struct known){0};
    snprintf(known->id, sizeof known->id, "%s", id);
  } else if (!created) {
    return;
  }
  snprintf(known->lane, sizeof known->lane, TEXT_FMT, TEXT_ARG(lane));
  known->belief = BELIEF_WAITING;
}

static void learn_handle(struct history *h, const struct ff_handle *handle, int64_t expires_at) {
  struct handle_body body;
  struct ff_error error;
  struct ff_id id;
  if (handle_decode(handle, (enum ff_backend)handle->backend, 65536, &body, &error) != FF_OK)
    return;
  struct held *held = &h->held[h->held_count++ % HELD];
  *held = (struct held){
      .handle = *handle, .epoch = body.lease_epoch, .attempt_index = body.attempt_index};
  exec_id_format(body.execution, &id);
  snprintf(held->execution, sizeof held->execution, "%s", id.text);
  snprintf(held->lane, sizeof held->lane, TEXT_FMT, TEXT_ARG(body.lane_id));
  snprintf(held->instance, sizeof held->instance, TEXT_FMT, TEXT_ARG(body.worker_instance_id));
  uuid_format(body.lease_id, held->lease_id);
  uuid_format(body.attempt_id, held->attempt_id);
  if (expires_at) note_time(h, expires_at);
  believe(h, held->execution, BELIEF_LEASED);
}

static void learn_tasks(struct history *h, struct ff_tasks tasks) {
  for (size_t i = 0; i < tasks.count; i++)
    learn_handle(h, &tasks.items[i].handle, tasks.items[i].lease_expires_at);
}

static void learn_token(struct history *h, const char *id, struct ff_str lane, struct ff_str key,
                        struct ff_str instance, int64_t expires_at) {
  struct token *t = &h->tokens[h->token_count++ % TOKENS];
  snprintf(t->execution, sizeof t->execution, "%s", id);
  snprintf(t->lane, sizeof t->lane, TEXT_FMT, TEXT_ARG(lane));
  snprintf(t->key, sizeof t->key, TEXT_FMT, TEXT_ARG(key));
  const struct known *known = find_known(h, id);
  bool interrupted = known && known->belief == BELIEF_INTERRUPTED;
  t->kind = strstr(t->key, "reclaim_grant") ? TOKEN_RECLAIM
            : interrupted                   ? TOKEN_RESUME
                                            : TOKEN_FRESH;
  t->worker = 0;
  for (uint32_t i = 0; i < HISTORY_WORKERS; i++)
    if (text_equal_c(instance, history_workers[i].instance)) t->worker = i;
  note_time(h, expires_at);
}

/* The client that ended its lease puts the handle away, mostly. */
static void learn_ended(struct history *h, const struct ff_handle *handle, enum belief belief) {
  for (int i = 0; i < HELD; i++)
    if (h->held[i].handle.len == handle->len &&
        memcmp(h->held[i].handle.opaque, handle->opaque, handle->len) == 0) {
      if (!h->held[i].ended) believe(h, h->held[i].execution, belief);
      h->held[i].ended = true;
    }
}

void history_forget_worker(struct history *h) {
  struct held *held = pick_held(h);
  for (int i = 0; held && i < HELD; i++)
    if (strcmp(h->held[i].instance, held->instance) == 0) h->held[i].ended = true;
}

static void learn_grant(struct history *h, const struct history_call *call, const void *result) {
  if (call->op == OP_issue_claim_grant) {
    const struct ff_issue_claim_grant_args *a = call->args;
    const struct ff_issue_claim_grant_result *r = result;
    learn_token(h, r->execution_id.text, a->lane_id, r->grant_key, a->worker_instance_id,
                r->expires_at_ms);
  } else if (call->op == OP_issue_reclaim_grant) {
    const struct ff_issue_reclaim_grant_args *a = call->args;
    const struct ff_issue_reclaim_grant_result *r = result;
    if (r->outcome == FF_outcome_granted)
      learn_token(h, r->execution_id.text, a->lane_id, r->grant_key, a->worker_instance_id,
                  r->expires_at_ms);
  } else {
    const struct ff_claim_for_worker_args *a = call->args;
    const struct ff_claim_for_worker_result *r = result;
    if (r->outcome == FF_outcome_granted)
      learn_token(h, r->execution_id.text, a->lane_id, r->grant_key, a->worker_instance_id,
                  r->expires_at_ms);
  }
}

#define RESULT(name) ((const struct ff_##name##_result *)result)
#define ARGS(name) ((const struct ff_##name##_args *)call->args)

static void learn_claim(struct history *h, const struct history_call *call, const void *result) {
  switch (call->op) {
    case OP_claim: learn_handle(h, &RESULT(claim)->handle, 0); break;
    case OP_claim_task:
      learn_handle(h, &RESULT(claim_task)->task.handle, RESULT(claim_task)->task.lease_expires_at);
      break;
    case OP_claim_tasks: learn_tasks(h, RESULT(claim_tasks)->tasks); break;
    case OP_complete_and_claim:
      learn_ended(h, &ARGS(complete_and_claim)->handle, BELIEF_ENDED);
      learn_handle(h, &RESULT(complete_and_claim)->task.handle,
                   RESULT(complete_and_claim)->task.lease_expires_at);
      break;
    case OP_claim_execution:
      learn_handle(h, &RESULT(claim_execution)->claimed.handle,
                   RESULT(claim_execution)->claimed.lease_expires_at);
      break;
    case OP_claim_resumed_execution:
      learn_handle(h, &RESULT(claim_resumed_execution)->claimed.handle,
                   RESULT(claim_resumed_execution)->claimed.lease_expires_at);
      break;
    case OP_claim_from_resume_grant:
      learn_handle(h, &RESULT(claim_from_resume_grant)->handle, 0);
      break;
    case OP_claim_from_reclaim: learn_handle(h, &RESULT(claim_from_reclaim)->handle, 0); break;
    case OP_issue_grant_and_claim:
      learn_handle(h, &RESULT(issue_grant_and_claim)->handle, 0);
      break;
    case OP_reclaim_execution:
      learn_handle(h, &RESULT(reclaim_execution)->claimed.handle,
                   RESULT(reclaim_execution)->claimed.lease_expires_at);
      break;
    default: break;
  }
}

static void learn_point(struct history *h, const struct ff_handle *handle, const char *id,
                        struct ff_str key, struct ff_str token, int64_t expires_at) {
  struct handle_body body;
  struct ff_error error;
  struct ff_id execution;
  if (handle_decode(handle, (enum ff_backend)handle->backend, 65536, &body, &error) != FF_OK)
    return;
  struct point *p = &h->points[h->point_count++ % POINTS];
  exec_id_format(body.execution, &execution);
  snprintf(p->execution, sizeof p->execution, "%s", execution.text);
  snprintf(p->id, sizeof p->id, "%.36s", id);
  snprintf(p->key, sizeof p->key, TEXT_FMT, TEXT_ARG(key));
  snprintf(p->token, sizeof p->token, TEXT_FMT, TEXT_ARG(token));
  if (expires_at) note_time(h, expires_at);
}

static void learn_suspended(struct history *h, const struct ff_handle *old, uint8_t outcome,
                            const struct ff_suspend_details *d, const struct ff_handle *suspended) {
  const struct ff_handle *of = outcome == FF_outcome_suspended ? suspended : old;
  if (of && of->len)
    learn_point(h, of, d->waitpoint_id.text, d->waitpoint_key, d->waitpoint_token, 0);
  if (old && outcome == FF_outcome_suspended) learn_ended(h, old, BELIEF_INTERRUPTED);
}

static void learn_many(struct history *h, const struct history_call *call, const void *result) {
  if (call->op == OP_create_executions) {
    struct ff_create_slots slots = RESULT(create_executions)->slots;
    for (size_t i = 0; i < slots.count; i++)
      if (slots.items[i].error.rc == FF_OK)
        learn_created_one(h, slots.items[i].execution_id.text,
                          ARGS(create_executions)->items.items[i].lane_id,
                          slots.items[i].outcome == FF_outcome_created);
  } else if (call->op == OP_complete_many) {
    for (size_t i = 0; i < ARGS(complete_many)->items.count; i++)
      learn_ended(h, &ARGS(complete_many)->items.items[i].handle, BELIEF_ENDED);
  }
}

static void learn_release(struct history *h, const struct history_call *call, const void *result) {
  switch (call->op) {
    case OP_complete: learn_ended(h, &ARGS(complete)->handle, BELIEF_ENDED); break;
    case OP_cancel: learn_ended(h, &ARGS(cancel)->handle, BELIEF_ENDED); break;
    case OP_delay: learn_ended(h, &ARGS(delay)->handle, BELIEF_INTERRUPTED); break;
    case OP_wait_children: learn_ended(h, &ARGS(wait_children)->handle, BELIEF_INTERRUPTED); break;
    case OP_fail:
      learn_ended(h, &ARGS(fail)->handle,
                  RESULT(fail)->delay_until ? BELIEF_WAITING : BELIEF_ENDED);
      if (RESULT(fail)->delay_until) note_time(h, RESULT(fail)->delay_until);
      break;
    case OP_fail_execution:
      if (RESULT(fail_execution)->delay_until) note_time(h, RESULT(fail_execution)->delay_until);
      break;
    default: break;
  }
}

static void learn_block(struct history *h, struct ff_str id, struct ff_str reason) {
  char text[FF_ID_MAX];
  snprintf(text, sizeof text, TEXT_FMT, TEXT_ARG(id));
  struct known *known = find_known(h, text);
  if (!known) return;
  known->belief = reason.len ? BELIEF_BLOCKED : BELIEF_WAITING;
  snprintf(known->reason, sizeof known->reason, TEXT_FMT, TEXT_ARG(reason));
}

static void believe_id(struct history *h, struct ff_str id, enum belief belief) {
  char text[FF_ID_MAX];
  snprintf(text, sizeof text, TEXT_FMT, TEXT_ARG(id));
  believe(h, text, belief);
}

static void learn_operator(struct history *h, const struct history_call *call, const void *result) {
  static const struct ff_str unblocked;
  switch (call->op) {
    case OP_block_execution_for_admission:
      if (RESULT(block_execution_for_admission)->outcome == FF_outcome_blocked)
        learn_block(h, ARGS(block_execution_for_admission)->execution_id,
                    ARGS(block_execution_for_admission)->reason);
      break;
    case OP_block_route:
      if (RESULT(block_route)->outcome == FF_outcome_blocked)
        learn_block(h, ARGS(block_route)->execution_id, ARGS(block_route)->reason_code);
      break;
    case OP_place_hold:
      learn_block(h, ARGS(place_hold)->execution_id, RESULT(place_hold)->reason);
      break;
    case OP_unblock_execution:
      learn_block(h, ARGS(unblock_execution)->execution_id, unblocked);
      break;
    case OP_release_hold: learn_block(h, ARGS(release_hold)->execution_id, unblocked); break;
    case OP_cancel_execution:
      believe_id(h, ARGS(cancel_execution)->execution_id, BELIEF_ENDED);
      break;
    case OP_replay_execution:
      believe_id(h, ARGS(replay_execution)->execution_id, BELIEF_WAITING);
      break;
    case OP_revoke_lease:
      if (RESULT(revoke_lease)->outcome == FF_outcome_revoked)
        believe_id(h, ARGS(revoke_lease)->execution_id, BELIEF_LOST);
      break;
    case OP_mark_lease_expired_if_due:
      if (RESULT(mark_lease_expired_if_due)->outcome == FF_outcome_marked_expired)
        believe_id(h, ARGS(mark_lease_expired_if_due)->execution_id, BELIEF_LOST);
      break;
    case OP_auto_reclaim:
      if (RESULT(auto_reclaim)->outcome == FF_outcome_reclaimed)
        believe_id(h, ARGS(auto_reclaim)->execution_id, BELIEF_WAITING);
      break;
    default: break;
  }
}

static void learn_cursor(struct history *h, struct ff_bytes cursor) {
  if (cursor.len == CURSOR_BYTES)
    memcpy(h->cursors[h->cursor_count++ % CURSORS], cursor.ptr, CURSOR_BYTES);
}

/* Those of a graph: whoever waits is found out by trying. */
static void learn_graph(struct history *h, const struct ff_create_flow_graph_args *args,
                        const struct ff_create_flow_graph_result *r) {
  for (size_t i = 0; i < r->execution_ids.count && i < args->members.count; i++)
    learn_created_one(h, r->execution_ids.items[i].id.text, args->members.items[i].lane_id,
                      r->outcome == FF_outcome_created);
}

void history_learn(struct history *h, const struct history_call *call, const void *result) {
  if (!result) return;
  learn_claim(h, call, result);
  learn_many(h, call, result);
  learn_release(h, call, result);
  learn_operator(h, call, result);
  history_learn_flow(h, call, result);
  if (call->op == OP_create_flow_graph) learn_graph(h, call->args, result);
  switch (call->op) {
    case OP_create_execution:
      learn_created_one(h, RESULT(create_execution)->execution_id.text,
                        ARGS(create_execution)->lane_id,
                        RESULT(create_execution)->outcome == FF_outcome_created);
      break;
    case OP_submit:
      learn_created_one(h, RESULT(submit)->execution_id.text, ARGS(submit)->lane_id,
                        RESULT(submit)->outcome == FF_outcome_created);
      break;
    case OP_suspend:
      learn_suspended(h, &ARGS(suspend)->handle, RESULT(suspend)->outcome,
                      &RESULT(suspend)->details, &RESULT(suspend)->handle);
      break;
    case OP_suspend_waitpoints:
      learn_ended(h, &ARGS(suspend_waitpoints)->handle, BELIEF_INTERRUPTED);
      break;
    case OP_suspend_by_triple:
      learn_suspended(h, NULL, RESULT(suspend_by_triple)->outcome,
                      &RESULT(suspend_by_triple)->details, &RESULT(suspend_by_triple)->handle);
      break;
    case OP_create_waitpoint:
      learn_point(h, &ARGS(create_waitpoint)->handle, RESULT(create_waitpoint)->waitpoint_id.text,
                  RESULT(create_waitpoint)->waitpoint_key,
                  RESULT(create_waitpoint)->waitpoint_token, 0);
      break;
    case OP_renew: note_time(h, RESULT(renew)->expires_at_ms); break;
    case OP_renew_lease: note_time(h, RESULT(renew_lease)->expires_at_ms); break;
    case OP_issue_claim_grant:
    case OP_issue_reclaim_grant:
    case OP_claim_for_worker: learn_grant(h, call, result); break;
    case OP_subscribe_lease_history:
      learn_cursor(h, RESULT(subscribe_lease_history)->next_cursor);
      break;
    case OP_subscribe_completion:
      learn_cursor(h, RESULT(subscribe_completion)->next_cursor);
      break;
    default: break;
  }
}
