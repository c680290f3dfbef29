/*
 * check_setting: a fact of the deployment, stored at first boot and compared ever after (01 PT-4).
 *
 * Two processes booting a fresh store agree on one record: the loser of the insert runs again and
 * compares.
 */
#include "op/op.h"

static struct setting key_of(const struct check_setting_args *a) {
  return (struct setting){.name = a->name};
}

static enum ff_rc setting_prepare(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  const struct check_setting_args *a = args;
  (void)config, (void)prep, (void)arena;
  if (!text_nonempty(a->name))
    return error_field(e, FF_CODE_invalid_input, "name", "must not be empty");
  TRY(text_check(a->name, "name", 256, e));
  return text_check(a->value, "value", 4096, e);
}

static void setting_declare(struct declare *d, const void *args, const void *prep) {
  struct setting key = key_of(args);
  (void)prep;
  declare_get(d, RECORD_KIND_setting, &key);
}

static enum ff_rc setting_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  const struct check_setting_args *a = args;
  struct check_setting_result *r = result;
  struct setting key = key_of(a);
  const struct setting *stored = NULL;
  (void)prep;
  TRY(tx_get_setting(tx, &key, &stored));
  if (!stored) {
    tx_insert_setting(tx, &key)->value = a->value;
    r->outcome = FF_outcome_set;
    return FF_OK;
  }
  if (text_equal(stored->value, a->value)) {
    r->outcome = FF_outcome_already_set;
    return FF_OK;
  }
  return error_set(e, FF_CODE_corruption,
                   "partition_mismatch: " TEXT_FMT ": stored=" TEXT_FMT ", config=" TEXT_FMT,
                   TEXT_ARG(a->name), TEXT_ARG(stored->value), TEXT_ARG(a->value));
}

const struct op_code op_code_check_setting = {0, setting_prepare, setting_declare, setting_run};
