/*
 * suspend and suspend_by_triple: the holder gives its lease back and waits for signals (03 §4).
 *
 * One core for both. Whatever pending waitpoints have kept is applied first, and may satisfy the
 * condition before anything is released (S-20 … S-24).
 */
#include "op/suspend.h"

#include "base/json.h"
#include "op/values.h"

#define PAST_TOLERANCE_MS 600000 /* V-10 */
#define REPLAY_MARGIN_MS 60000   /* S-25 */
#define REPLAY_MAX_MS INT64_C(604800000)

extern const struct ff_struct op_struct_suspend_details;

/* One call on its way. */
struct suspending {
  struct tx *tx;
  const struct suspend_prep *prep;
  const struct suspend_request *request;
  uint64_t ttl_ms; /* for the suspended handle */
  const struct suspension *before; /* closed */
  struct keystore keys;
  const struct waitpoint **pending; /* by binding, NULL for a new one */
  struct minted_token *tokens;      /* by binding */
  struct bindings bindings;
  const struct signal **buffered;
  enum ff_signal_effect *effects; /* of those that were applied */
  size_t buffered_count, applied;
  bool satisfied;
  int64_t timeout_at;
  struct ff_str timeout_behavior;
  struct ff_error *e;
};

/* ---- declaring ---- */

static struct suspend_replay replay_key(const struct suspend_prep *p) {
  return (struct suspend_replay){.partition = p->handle.execution.partition,
                                 .execution_id = p->handle.execution.uuid,
                                 .idempotency_key = p->request.idempotency_key};
}

static void suspend_declare(struct declare *d, const void *args, const void *prep) {
  const struct suspend_prep *p = prep;
  struct exec_id id = p->handle.execution;
  struct suspend_replay replay = replay_key(p);
  declare_prepared_execution(d, args, prep);
  declare_by_execution(d, RECORD_KIND_policy, id);
  declare_suspension(d, id);
  if (p->request.idempotency_key.len) declare_get(d, RECORD_KIND_suspend_replay, &replay);
  for (size_t i = 0; i < p->request.binding_count; i++)
    declare_waitpoint(d, id.partition, p->request.bindings[i].id);
  keystore_declare(d);
}

/* ---- S-3, S-25: the first answer again ---- */

static bool read_bound(const struct json *value, struct ff_bound_waitpoint *out) {
  const struct json *id = json_member(value, "waitpoint_id");
  const struct json *key = json_member(value, "waitpoint_key");
  const struct json *token = json_member(value, "waitpoint_token");
  if (!id || !key || !token || id->type != JSON_STRING || key->type != JSON_STRING ||
      token->type != JSON_STRING || id->text.len >= sizeof out->waitpoint_id.text)
    return false;
  snprintf(out->waitpoint_id.text, sizeof out->waitpoint_id.text, TEXT_FMT, TEXT_ARG(id->text));
  out->waitpoint_key = key->text;
  out->waitpoint_token = token->text;
  return true;
}

static bool read_details(struct ff_str text, struct arena *arena, struct ff_suspend_details *out) {
  struct ff_bound_waitpoint primary;
  struct json_error where;
  const struct json *object;
  if (!json_parse(text, arena, &object, &where) || !read_bound(object, &primary)) return false;
  const struct json *id = json_member(object, "suspension_id");
  const struct json *more = json_member(object, "additional_waitpoints");
  if (!id || id->type != JSON_STRING || id->text.len >= sizeof out->suspension_id.text ||
      (more && more->type != JSON_ARRAY))
    return false;
  snprintf(out->suspension_id.text, sizeof out->suspension_id.text, TEXT_FMT, TEXT_ARG(id->text));
  out->waitpoint_id = primary.waitpoint_id;
  out->waitpoint_key = primary.waitpoint_key;
  out->waitpoint_token = primary.waitpoint_token;
  size_t count = more ? more->count : 0;
  struct ff_bound_waitpoint *items = ARENA_ARRAY(arena, struct ff_bound_waitpoint, count + 1);
  size_t i = 0;
  for (const struct json *m = more ? more->first : NULL; m; m = m->next)
    if (!read_bound(m, &items[i++])) return false;
  out->additional_waitpoints = (struct ff_bound_waitpoints){items, count};
  return true;
}

static enum ff_rc answer_again(struct suspending *s, const struct suspend_replay *stored,
                               struct ff_suspend_result *r) {
  r->outcome = stored->outcome;
  bool fits = stored->handle.len == sizeof r->handle || !stored->handle.ptr;
  if (!fits || !read_details(stored->details, tx_arena(s->tx), &r->details))
    return error_field(s->e, FF_CODE_corruption, "details",
                       "suspend_replay: details: does not parse");
  if (stored->handle.ptr) memcpy(&r->handle, stored->handle.ptr, sizeof r->handle);
  return FF_OK;
}

static enum ff_rc store_answer(struct suspending *s, const struct ff_suspend_result *r) {
  struct suspend_replay key = replay_key(s->prep);
  const struct suspend_replay *old = NULL;
  struct buffer out;
  int64_t now = tx_now(s->tx), ttl_ms = REPLAY_MAX_MS;
  if (!s->request->idempotency_key.len) return FF_OK;
  TRY(tx_get_suspend_replay(s->tx, &key, &old));
  struct suspend_replay *stored =
      old ? tx_edit_suspend_replay(s->tx, old) : tx_insert_suspend_replay(s->tx, &key);
  if (s->timeout_at) {
    int64_t wait_ms = s->timeout_at > now ? s->timeout_at - now : 0;
    ttl_ms = add_saturating(wait_ms, REPLAY_MARGIN_MS);
  }
  buffer_init(&out);
  values_json(&op_struct_suspend_details, &r->details, &out);
  stored->outcome = r->outcome;
  stored->details = arena_text(tx_arena(s->tx), buffer_text(&out));
  stored->handle = (struct ff_bytes){NULL, 0};
  if (r->handle.len)
    stored->handle = (struct ff_bytes){arena_copy(tx_arena(s->tx), &r->handle, sizeof r->handle),
                                       sizeof r->handle};
  stored->expires_at = add_saturating(now, ttl_ms < REPLAY_MAX_MS ? ttl_ms : REPLAY_MAX_MS);
  buffer_fini(&out);
  return FF_OK;
}

/* ---- checks ---- */

/* S-9 */
static enum ff_rc check_pending(struct suspending *s, const struct execution *x,
                                const struct waitpoint *w) {
  if (!w) return error_set(s->e, FF_CODE_waitpoint_not_found, NULL);
  if (w->state != FF_waitpoint_state_pending)
    return error_set(s->e, FF_CODE_waitpoint_not_pending, NULL);
  if (!uuid_equal(w->execution_id, x->id) || w->attempt_index != x->attempt_index)
    return error_set(s->e, FF_CODE_invalid_waitpoint_for_execution, NULL);
  if (w->expires_at <= tx_now(s->tx))
    return error_set(s->e, FF_CODE_pending_waitpoint_expired, NULL);
  if (!text_nonempty(w->token_kid))
    return error_set(s->e, FF_CODE_waitpoint_not_token_bound, NULL);
  tx_valid_before(s->tx, w->expires_at);
  return FF_OK;
}

/* S-9 … S-12: every binding with its waitpoint, key and token. */
static enum ff_rc resolve(struct suspending *s, const struct execution *x) {
  const struct suspend_request *r = s->request;
  struct arena *arena = tx_arena(s->tx);
  const struct waitpoint **found =
      ARENA_ARRAY(arena, const struct waitpoint *, r->binding_count);
  struct ff_str *keys = ARENA_ARRAY(arena, struct ff_str, r->binding_count);
  s->pending = ARENA_ARRAY(arena, const struct waitpoint *, r->binding_count);
  s->tokens = ARENA_ARRAY(arena, struct minted_token, r->binding_count);
  s->bindings =
      (struct bindings){ARENA_ARRAY(arena, struct binding, r->binding_count), r->binding_count};
  for (size_t i = 0; i < r->binding_count; i++)
    TRY(waitpoint_get(s->tx, x->partition, r->bindings[i].id, &found[i]));
  TRY(keystore_load(s->tx, &s->keys));
  for (size_t i = 0; i < r->binding_count; i++) {
    if (!r->bindings[i].pending) continue;
    TRY(check_pending(s, x, found[i]));
    s->pending[i] = found[i];
  }
  for (size_t i = 0; i < r->binding_count; i++) {
    keys[i] = s->pending[i] ? s->pending[i]->waitpoint_key : r->bindings[i].key;
    s->bindings.items[i] = (struct binding){r->bindings[i].id, keys[i]};
  }
  TRY(suspend_check_keys(r, keys, s->e));
  for (size_t i = 0; i < r->binding_count; i++)
    if (!r->bindings[i].pending && found[i])
      return error_set(s->e, FF_CODE_waitpoint_already_exists, NULL);
  for (size_t i = 0; i < r->binding_count; i++) {
    if (s->pending[i])
      TRY(waitpoint_token(s->tx, &s->keys, s->pending[i], &s->tokens[i].token, s->e));
    else
      TRY(keystore_mint(s->tx, &s->keys, execution_id_of(x), r->bindings[i].id, &s->tokens[i],
                        s->e));
  }
  return FF_OK;
}

/* S-5 … S-8 */
static enum ff_rc check_holder(struct suspending *s, const struct execution *x,
                               const struct fence *fence) {
  bool open = suspension_is_open(s->before);
  if (x->lifecycle_phase == FF_lifecycle_phase_suspended && open)
    return error_set(s->e, FF_CODE_already_suspended, NULL);
  TRY(fence_check(s->tx, x, fence, FENCE_FULL, s->e));
  return open ? error_set(s->e, FF_CODE_already_suspended, NULL) : FF_OK;
}

/* S-19 */
static enum ff_rc settle_timeout(struct suspending *s, const struct execution *x) {
  struct policy_facts policy;
  s->timeout_at = s->request->timeout_at;
  s->timeout_behavior = s->request->timeout_behavior;
  if (!s->timeout_at) {
    TRY(execution_policy(s->tx, x, &policy, s->e));
    if (policy.suspension_timeout_ms > 0) {
      s->timeout_at = add_saturating(tx_now(s->tx), policy.suspension_timeout_ms);
      s->timeout_behavior = suspend_behavior_word(policy.suspension_behavior);
    }
  }
  if (!text_present(s->timeout_behavior)) s->timeout_behavior = TEXT_LIT("fail");
  return FF_OK;
}

/* ---- S-16: what pending waitpoints have kept ---- */

static struct ff_str key_of(const struct bindings *bindings, struct uuid waitpoint_id) {
  for (size_t i = 0; i < bindings->count; i++)
    if (uuid_equal(bindings->items[i].waitpoint_id, waitpoint_id))
      return bindings->items[i].waitpoint_key;
  return (struct ff_str){NULL, 0};
}

/* Only looks; what came of it is written once nothing can be missing any more. */
static enum ff_rc replay_buffered(struct suspending *s, const struct execution *x) {
  struct bindings kept = {
      ARENA_ARRAY(tx_arena(s->tx), struct binding, s->bindings.count), 0};
  for (size_t i = 0; i < s->bindings.count; i++)
    if (s->pending[i] && s->pending[i]->signal_count)
      kept.items[kept.count++] = s->bindings.items[i];
  TRY(bindings_signals(s->tx, execution_id_of(x), kept, &s->buffered, &s->buffered_count));
  s->effects = ARENA_ARRAY(tx_arena(s->tx), enum ff_signal_effect, s->buffered_count + 1);
  while (s->applied < s->buffered_count && !s->satisfied) {
    const struct signal *sent = s->buffered[s->applied];
    struct condition_signal seen =
        suspension_signal(sent, key_of(&s->bindings, sent->waitpoint_id));
    s->effects[s->applied] = condition_apply(s->request->condition, &seen, tx_arena(s->tx));
    s->satisfied = s->effects[s->applied++] == FF_signal_effect_resume_condition_satisfied;
  }
  return FF_OK;
}

static bool counts_as_matched(enum ff_signal_effect effect) {
  return effect == FF_signal_effect_appended_to_waitpoint ||
         effect == FF_signal_effect_appended_to_waitpoint_duplicate ||
         effect == FF_signal_effect_resume_condition_satisfied;
}

static void write_replayed(struct suspending *s) {
  for (size_t i = 0; i < s->applied; i++) {
    struct signal *sent = tx_edit_signal(s->tx, s->buffered[i]);
    sent->observed_effect = (uint8_t)s->effects[i];
    if (!counts_as_matched(s->effects[i])) continue;
    for (size_t k = 0; k < s->bindings.count; k++)
      if (s->pending[k] && uuid_equal(s->bindings.items[k].waitpoint_id, sent->waitpoint_id))
        tx_edit_waitpoint(s->tx, s->pending[k])->matched_signal_count++;
  }
}

/* ---- effects ---- */

/* S-14, S-15, S-22 */
static void bind_waitpoint(struct suspending *s, struct execution *x, size_t i) {
  struct waitpoint *w;
  if (s->pending[i]) {
    w = tx_edit_waitpoint(s->tx, s->pending[i]);
    waitpoint_leave_pending(x);
  } else {
    w = waitpoint_insert(s->tx, x, s->request->bindings[i].id, s->request->bindings[i].key,
                         &s->tokens[i]);
  }
  w->suspension_id = s->request->suspension_id;
  w->activated_at = tx_now(s->tx);
  w->expires_at = s->timeout_at;
  w->state = FF_waitpoint_state_active;
  if (s->satisfied) waitpoint_close(s->tx, w, TEXT_LIT("resumed"), true);
}

static void write_suspension(struct suspending *s, const struct execution *x) {
  const struct suspend_request *r = s->request;
  struct arena *arena = tx_arena(s->tx);
  struct suspension *new = suspension_insert(s->tx, execution_id_of(x), s->before);
  new->suspension_id = r->suspension_id;
  new->attempt_index = x->attempt_index;
  new->bindings = bindings_encode(arena, s->bindings);
  new->reason_code = r->reason_code;
  new->requested_by = r->requested_by;
  new->created_at = tx_now(s->tx);
  new->timeout_at = s->timeout_at;
  new->timeout_behavior = s->timeout_behavior;
  new->resume_condition = r->resume_condition;
  new->resume_policy = r->resume_policy;
  if (r->continuation_metadata_pointer.len)
    new->continuation_metadata_pointer = r->continuation_metadata_pointer;
  new->progress = condition_progress(r->condition, arena);
  new->score = s->timeout_at ? s->timeout_at : SUSPENSION_NO_TIMEOUT;
  if (s->applied) new->last_signal_at = s->buffered[s->applied - 1]->accepted_at;
  if (!s->satisfied) return;
  new->score = 0;
  new->closer_signal_id = s->buffered[s->applied - 1]->signal_id;
  new->satisfied_at = new->closed_at = tx_now(s->tx);
  new->close_reason = TEXT_LIT("resumed");
  new->resume_trigger = FF_resume_trigger_signal;
}

/* S-17, S-18 */
static void release_lease(struct suspending *s, struct execution *x) {
  struct arena *arena = tx_arena(s->tx);
  char suspension[37], primary[37];
  struct execution_vector to = {FF_lifecycle_phase_suspended,
                                FF_ownership_state_unowned,
                                FF_eligibility_state_not_applicable,
                                suspension_blocking(s->request->reason_code),
                                FF_terminal_outcome_none,
                                FF_attempt_state_attempt_interrupted};
  uuid_format(s->request->suspension_id, suspension);
  uuid_format(s->bindings.items[0].waitpoint_id, primary);
  attempt_pause(s->tx, x, arena_text(arena, ff_text(suspension)));
  lease_release(s->tx, x, TEXT_LIT("suspend"), FF_revoked_by_backend);
  x->current_suspension_id = s->request->suspension_id;
  x->current_waitpoint_id = s->bindings.items[0].waitpoint_id;
  x->suspension_timeout_at = s->timeout_at;
  execution_move(s->tx, x, to,
                 arena_printf(arena, "suspended: waitpoint %s awaiting " TEXT_FMT, primary,
                              TEXT_ARG(s->request->reason_code)));
}

static void view_details(const struct suspending *s, struct ff_suspend_details *out) {
  size_t count = s->bindings.count - 1;
  struct ff_bound_waitpoint *more =
      ARENA_ARRAY(tx_arena(s->tx), struct ff_bound_waitpoint, count + 1);
  uuid_format_id(s->request->suspension_id, &out->suspension_id);
  uuid_format_id(s->bindings.items[0].waitpoint_id, &out->waitpoint_id);
  out->waitpoint_key = s->bindings.items[0].waitpoint_key;
  out->waitpoint_token = s->tokens[0].token;
  for (size_t i = 0; i < count; i++) {
    uuid_format_id(s->bindings.items[i + 1].waitpoint_id, &more[i].waitpoint_id);
    more[i].waitpoint_key = s->bindings.items[i + 1].waitpoint_key;
    more[i].waitpoint_token = s->tokens[i + 1].token;
  }
  out->additional_waitpoints = (struct ff_bound_waitpoints){more, count};
}

static enum ff_rc effects(struct suspending *s, const struct execution *read,
                          struct ff_suspend_result *r) {
  struct execution *x = tx_edit_execution(s->tx, read);
  for (size_t i = 0; i < s->bindings.count; i++) bind_waitpoint(s, x, i);
  write_replayed(s);
  write_suspension(s, x);
  view_details(s, &r->details);
  r->outcome = FF_outcome_already_satisfied;
  if (!s->satisfied) {
    r->outcome = FF_outcome_suspended;
    release_lease(s, x);
    view_handle(x, tx_config(s->tx)->backend, FF_handle_kind_suspended, s->ttl_ms, &r->handle);
  }
  return store_answer(s, r);
}

/* ---- the operation ---- */

enum ff_rc suspend_execute(struct tx *tx, const struct suspend_prep *p, bool by_triple,
                           struct ff_suspend_result *r, struct ff_error *e) {
  struct suspending s = {.tx = tx, .prep = p, .request = &p->request, .e = e};
  struct suspend_replay key = replay_key(p);
  const struct suspend_replay *stored = NULL;
  const struct execution *x = NULL;
  struct fence fence = p->fence;
  int64_t timeout_at = p->request.timeout_at;
  if (timeout_at && add_saturating(timeout_at, PAST_TOLERANCE_MS) < tx_now(tx))
    return error_field(e, FF_CODE_invalid_input, "timeout_at", "timeout_at_in_past");
  if (p->request.idempotency_key.len) TRY(tx_get_suspend_replay(tx, &key, &stored));
  if (stored && stored->expires_at > tx_now(tx)) return answer_again(&s, stored, r);
  TRY(execution_load(tx, p->handle.execution, &x, e));
  TRY(suspension_get(tx, p->handle.execution, &s.before));
  if (by_triple) fence.attempt_index = x->attempt_index;
  TRY(check_holder(&s, x, &fence));
  s.ttl_ms = by_triple ? (uint64_t)(x->lease_expires_at - x->lease_last_renewed_at)
                       : p->handle.lease_ttl_ms;
  TRY(settle_timeout(&s, x));
  TRY(resolve(&s, x));
  /* A condition gathers progress: each run of the operation needs one of its own. */
  struct suspend_request request = p->request;
  TRY(condition_load(request.resume_condition, (struct ff_str){NULL, 0}, tx_arena(tx),
                     &request.condition, e));
  s.request = &request;
  TRY(replay_buffered(&s, x));
  return effects(&s, x, r);
}

static enum ff_rc suspend_prepare(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  const struct ff_suspend_args *a = args;
  struct suspend_prep *p = prep;
  TRY(handle_check_tag(config, &a->handle, e));
  if (a->handle.kind == FF_handle_kind_suspended)
    return error_set(e, FF_CODE_already_suspended, NULL);
  TRY(suspend_check(a, arena, &p->request, e));
  TRY(handle_decode(&a->handle, config->backend, config->flow_partitions, &p->handle, e));
  p->fence = fence_of_handle(&p->handle);
  p->fence.has_attempt_index = true;
  p->fence.attempt_index = p->handle.attempt_index;
  return FF_OK;
}

static enum ff_rc suspend_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  (void)args;
  return suspend_execute(tx, prep, false, result, e);
}

const struct op_code op_code_suspend = {sizeof(struct suspend_prep), suspend_prepare,
                                        suspend_declare, suspend_run};

/* ---- suspend_by_triple ---- */

static struct ff_suspend_args as_suspend(const struct ff_suspend_by_triple_args *a) {
  return (struct ff_suspend_args){.size = sizeof(struct ff_suspend_args),
                                  .suspension_id = a->suspension_id,
                                  .waitpoints = a->waitpoints,
                                  .resume_condition = a->resume_condition,
                                  .resume_policy = a->resume_policy,
                                  .reason_code = a->reason_code,
                                  .requested_by = a->requested_by,
                                  .timeout_at = a->timeout_at,
                                  .timeout_behavior = a->timeout_behavior,
                                  .continuation_metadata_pointer =
                                      a->continuation_metadata_pointer,
                                  .idempotency_key = a->idempotency_key};
}

static enum ff_rc triple_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_suspend_by_triple_args *a = args;
  struct suspend_prep *p = prep;
  struct ff_suspend_args same = as_suspend(a);
  bool absent;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions,
                    &p->handle.execution, e));
  TRY(fence_check_syntax(&a->fence, e));
  TRY(suspend_check(&same, arena, &p->request, e));
  return fence_from_arguments(&a->fence, false, (struct ff_str){NULL, 0}, &absent, &p->fence, e);
}

static_assert(sizeof(struct ff_suspend_by_triple_result) == sizeof(struct ff_suspend_result) &&
                  offsetof(struct ff_suspend_by_triple_result, handle) ==
                      offsetof(struct ff_suspend_result, handle),
              "one answer for both forms");

static enum ff_rc triple_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  (void)args;
  return suspend_execute(tx, prep, true, result, e);
}

const struct op_code op_code_suspend_by_triple = {sizeof(struct suspend_prep), triple_prepare,
                                                  suspend_declare, triple_run};
