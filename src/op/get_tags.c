/*
 * get_execution_tag, get_execution_tags (02 L-170, L-172). A missing tag and a missing execution
 * are the same answer: none.
 */
#include "op/read.h"

READ_TAKES_ID(get_execution_tag);
READ_TAKES_ID(get_execution_tags);

static enum ff_rc one_prepare(const struct op_config *config, const void *args, void *prep,
                              struct arena *arena, struct ff_error *e) {
  const struct ff_get_execution_tag_args *a = args;
  TRY(read_prepare_id(config, args, prep, arena, e));
  return tag_key_check(a->key, e);
}

static enum ff_rc one_run(struct tx *tx, const void *args, const void *prep, void *result,
                          struct ff_error *e) {
  const struct ff_get_execution_tag_args *a = args;
  struct ff_get_execution_tag_result *r = result;
  const struct execution *x = NULL;
  struct ff_pairs tags;
  TRY(read_execution(tx, prep, &x));
  if (!x) return FF_OK;
  TRY(read_tags("get_execution_tag", x, tx_arena(tx), &tags, e));
  for (size_t i = 0; i < tags.count; i++) {
    if (!text_equal(tags.items[i].key, a->key)) continue;
    r->outcome = FF_outcome_ok;
    r->value = tags.items[i].value;
  }
  return FF_OK;
}

const struct op_code op_code_get_execution_tag = {sizeof(struct exec_id), one_prepare,
                                                  declare_prepared_execution, one_run};

static enum ff_rc all_run(struct tx *tx, const void *args, const void *prep, void *result,
                          struct ff_error *e) {
  struct ff_get_execution_tags_result *r = result;
  const struct execution *x = NULL;
  (void)args;
  TRY(read_execution(tx, prep, &x));
  if (!x) return FF_OK;
  r->outcome = FF_outcome_ok;
  return read_tags("get_execution_tags", x, tx_arena(tx), &r->tags, e);
}

const struct op_code op_code_get_execution_tags = {sizeof(struct exec_id), read_prepare_id,
                                                   declare_prepared_execution, all_run};
