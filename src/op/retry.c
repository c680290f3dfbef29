/*
 * Whether a failed attempt is followed by another one, and when (02 L-112, L-113; 01 PO-3, PO-4).
 */
#include "op/execution.h"

/* What create accepted must parse again: anything else is broken data, not a bad argument (01
 * CV-8). */
enum ff_rc execution_policy(struct tx *tx, const struct execution *x, struct policy_facts *out,
                            struct ff_error *e) {
  const struct policy *stored;
  struct ff_error problem;
  *out = (struct policy_facts){0};
  if (!x->has_policy) return FF_OK;
  TRY(tx_get_policy(tx, EXECUTION_KEY(policy, execution_id_of(x)), &stored));
  if (!stored) return error_field(e, FF_CODE_corruption, "json", "policy: json: missing");
  if (policy_parse(stored->json, tx_arena(tx), out, &problem) != FF_OK)
    return error_field(e, FF_CODE_corruption, "json", "policy: json: %s", problem.detail);
  return FF_OK;
}

enum ff_rc execution_retry_policy(struct tx *tx, const struct execution *x,
                                  struct retry_policy *out, struct ff_error *e) {
  struct policy_facts facts;
  TRY(execution_policy(tx, x, &facts, e));
  *out = facts.retry;
  return FF_OK;
}

/* ---- decisions ---- */

enum ff_failure_class failure_class_of(struct ff_str category) {
  int word = ff_word_parse(FF_WORD_failure_class, category);
  if (word >= 0) return (enum ff_failure_class)word;
  return text_equal_c(category, "attempt_timeout") ? FF_failure_class_timeout
                                                   : FF_failure_class_transient;
}

bool retry_decide(const struct retry_policy *policy, enum ff_failure_class class_,
                  struct ff_str category, uint32_t retry_count) {
  if (!policy->present || retry_count >= policy->max_retries) return false;
  if (class_ == FF_failure_class_permanent || class_ == FF_failure_class_cancelled) return false;
  if (policy->retryable_category_count == 0) return true;
  for (size_t i = 0; i < policy->retryable_category_count; i++)
    if (text_equal(policy->retryable_categories[i], category)) return true;
  return false;
}

/* By squaring, so that the result does not depend on a machine's pow(). */
static double power(double base, uint32_t exponent) {
  double result = 1.0;
  for (; exponent; exponent >>= 1, base *= base)
    if (exponent & 1) result *= base;
  return result;
}

int64_t retry_backoff_ms(struct tx *tx, const struct retry_policy *policy, uint32_t retry_count) {
  if (!policy->exponential) return policy->delay_ms;
  double delay = (double)policy->initial_delay_ms * power(policy->multiplier, retry_count);
  int64_t delay_ms = policy->max_delay_ms;
  if (delay < (double)policy->max_delay_ms)
    delay_ms = (int64_t)delay; /* false for NaN and infinity */
  if (!policy->jitter) return delay_ms;
  double uniform = (double)(tx_random(tx) >> 11) * 0x1p-53; /* [0, 1) */
  double jittered = (double)delay_ms * (0.5 + 0.5 * uniform);
  return jittered < (double)delay_ms ? (int64_t)jittered : delay_ms;
}
