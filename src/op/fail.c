/*
 * fail and fail_execution: the attempt ends with a failure, and the retry policy says whether
 * another one follows (02 §8).
 *
 * The two differ in where the policy comes from: the handle form uses the stored one, the other
 * form its argument.
 */
#include "op/execution.h"
#include "op/flow_cancel.h"

#include "flowfabric/lifecycle.h"

#define REASON_MAX_BYTES 65536      /* lifecycle.h */
#define CATEGORY_MAX_BYTES 256      /* 01 LM-34 */
#define SOURCE_MAX_BYTES 256
#define POLICY_JSON_MAX_BYTES 65536 /* what one HTTP body carries, 01 LM-1 */

struct failure {
  struct ff_str reason, category;
  enum ff_failure_class class_;
  const struct retry_policy *retry;
  struct ff_str next_attempt_policy_json;
  enum ff_revoked_by by;
};

/* L-114 … L-116, behind the checks. *answer is what a repeat will be told. */
static enum ff_rc fail_now(struct tx *tx, const struct execution *read, const struct failure *f,
                           struct receipt_answer *answer) {
  struct execution *x = tx_edit_execution(tx, read);
  attempt_end(tx, x, FF_attempt_lifecycle_ended_failure, f->reason, f->category);
  x->failure_reason = f->reason;
  x->failure_category = f->category;
  bool ends = !retry_decide(f->retry, f->class_, f->category, x->retry_count);
  if (!ends) TRY(flow_refuses(tx, x, false, &ends)); /* 04 FX-16 */
  if (!ends) {
    int64_t delay_ms = retry_backoff_ms(tx, f->retry, x->retry_count);
    execution_schedule_retry(tx, x, f->reason, delay_ms, f->next_attempt_policy_json,
                             TEXT_LIT("failed_retry_scheduled"), f->by);
    *answer = (struct receipt_answer){x->delay_until, x->total_attempt_count};
    receipt_store(x, FF_receipt_op_fail, answer->delay_until, answer->next_attempt_index);
    return FF_OK;
  }
  *answer = (struct receipt_answer){0, -1};
  struct event *event = lease_release(tx, x, TEXT_LIT("failed_terminal"), f->by);
  receipt_store(x, FF_receipt_op_fail, 0, -1);
  return execution_terminate(tx, x, FF_terminal_outcome_failed, FF_attempt_lifecycle_ended_failure,
                             event);
}

static uint8_t outcome_of(const struct receipt_answer *answer) {
  return answer->next_attempt_index >= 0 ? FF_outcome_retry_scheduled : FF_outcome_terminal_failed;
}

static uint32_t next_index_of(const struct receipt_answer *answer) {
  return answer->next_attempt_index >= 0 ? (uint32_t)answer->next_attempt_index : 0;
}

/* ---- fail ---- */

static enum ff_rc fail_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_fail_args *a = args;
  (void)arena;
  TRY(handle_check_tag(config, &a->handle, e));
  TRY(text_check(a->reason, "reason", REASON_MAX_BYTES, e));
  TRY(text_check(a->detail, "detail", CATEGORY_MAX_BYTES, e));
  if (a->failure_class >= FF_failure_class_COUNT)
    return error_field(e, FF_CODE_invalid_input, "failure_class", "%u is no failure class",
                       a->failure_class);
  return handle_decode(&a->handle, config->backend, config->flow_partitions, prep, e);
}

/* The policy is asked for at once: an execution without one costs a lookup, one with it saves a
 * round. */
static void fail_declare(struct declare *d, const void *args, const void *prep) {
  const struct handle_body *handle = prep;
  (void)args;
  declare_execution(d, handle->execution);
  declare_by_execution(d, RECORD_KIND_policy, handle->execution);
}

static enum ff_rc fail_run(struct tx *tx, const void *args, const void *prep, void *result_,
                           struct ff_error *e) {
  const struct ff_fail_args *a = args;
  const struct handle_body *handle = prep;
  struct ff_fail_result *result = result_;
  const struct execution *x;
  struct receipt_answer answer;
  struct fence fence = fence_of_handle(handle);
  TRY(execution_load(tx, handle->execution, &x, e));
  if (!receipt_match(x, &fence, FF_receipt_op_fail, &answer)) {
    struct retry_policy retry;
    TRY(fence_check(tx, x, &fence, FENCE_FULL, e));
    TRY(execution_retry_policy(tx, x, &retry, e));
    struct failure f = {.reason = a->reason,
                        .category = a->detail,
                        .class_ = (enum ff_failure_class)a->failure_class,
                        .retry = &retry,
                        .by = FF_revoked_by_backend};
    if (!f.category.len) f.category = ff_text(ff_word(FF_WORD_failure_class, a->failure_class));
    TRY(fail_now(tx, x, &f, &answer));
  }
  result->outcome = outcome_of(&answer);
  result->delay_until = answer.delay_until;
  result->next_attempt_index = next_index_of(&answer);
  return FF_OK;
}

const struct op_code op_code_fail = {sizeof(struct handle_body), fail_prepare, fail_declare,
                                     fail_run};

/* ---- fail_execution ---- */

struct fail_execution_prep {
  struct exec_id id;
  struct retry_policy retry;
};

static enum ff_rc fail_execution_prepare(const struct op_config *config, const void *args,
                                         void *prep, struct arena *arena, struct ff_error *e) {
  const struct ff_fail_execution_args *a = args;
  struct fail_execution_prep *p = prep;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  TRY(fence_check_syntax(&a->fence, e));
  TRY(text_check(a->source, "source", SOURCE_MAX_BYTES, e));
  TRY(text_check(a->failure_reason, "failure_reason", REASON_MAX_BYTES, e));
  TRY(text_check(a->failure_category, "failure_category", CATEGORY_MAX_BYTES, e));
  TRY(text_check(a->next_attempt_policy_json, "next_attempt_policy_json", POLICY_JSON_MAX_BYTES,
                 e));
  return retry_policy_parse(a->retry_policy_json, arena, &p->retry, e);
}

static enum ff_rc fail_execution_run(struct tx *tx, const void *args, const void *prep,
                                     void *result_, struct ff_error *e) {
  const struct ff_fail_execution_args *a = args;
  const struct fail_execution_prep *p = prep;
  struct ff_fail_execution_result *result = result_;
  const struct execution *x;
  struct receipt_answer answer;
  struct fence fence;
  bool override;
  TRY(execution_load(tx, p->id, &x, e));
  TRY(fence_from_arguments(&a->fence, true, a->source, &override, &fence, e));
  if (override) fence = fence_stored(x);
  fence.has_attempt_index = a->has_attempt_index;
  fence.attempt_index = a->attempt_index;
  if (override || !receipt_match(x, &fence, FF_receipt_op_fail, &answer)) {
    struct failure f = {.reason = a->failure_reason,
                        .category = a->failure_category,
                        .class_ = failure_class_of(a->failure_category),
                        .retry = &p->retry,
                        .next_attempt_policy_json = a->next_attempt_policy_json,
                        .by = released_by(a->source)};
    TRY(fence_check(tx, x, &fence, FENCE_FULL, e));
    TRY(fail_now(tx, x, &f, &answer));
  }
  result->outcome = outcome_of(&answer);
  result->delay_until = answer.delay_until;
  result->next_attempt_index = next_index_of(&answer);
  return FF_OK;
}

const struct op_code op_code_fail_execution = {sizeof(struct fail_execution_prep),
                                               fail_execution_prepare, declare_prepared_execution,
                                               fail_execution_run};
