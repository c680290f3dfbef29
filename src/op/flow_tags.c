/*
 * Tags of flows: set_flow_tag, set_flow_tags, get_flow_tag, get_flow_tags (04 §16).
 *
 * A flow keeps them as an execution does: one JSON object. Keys are judged before anything is read.
 */
#include "op/flow_state.h"

#include "flowfabric/flow_read.h"
#include "op/read.h"

static void declare_prepared_flow(struct declare *d, const void *args, const void *prep) {
  (void)args;
  declare_flow(d, *(const struct flow_id *)prep);
}

static enum ff_rc check_pair(struct ff_pair tag, struct ff_error *e) {
  TRY(tag_key_check(tag.key, e));
  return text_check(tag.value, "value", TAG_VALUE_MAX_BYTES, e);
}

/* FT-3: in any state of the flow; last_mutation_at moves, the revision does not. */
static enum ff_rc apply_tags(struct tx *tx, const char *op, struct flow_id id, struct ff_pairs set,
                             struct ff_error *e) {
  const struct flow *read = NULL;
  struct ff_pairs old, merged;
  struct ff_str encoded;
  TRY(flow_load(tx, id, &read, e));
  TRY(flow_tags(op, read, tx_arena(tx), &old, e));
  TRY(tags_merge(tx_arena(tx), old, set, &encoded, &merged, e));
  struct flow *f = tx_edit_flow(tx, read);
  f->tags = encoded;
  f->last_mutation_at = tx_now(tx);
  return FF_OK;
}

/* ---- one ---- */

static enum ff_rc set_prepare(const struct op_config *config, const void *args, void *prep,
                              struct arena *arena, struct ff_error *e) {
  const struct ff_set_flow_tag_args *a = args;
  (void)arena;
  TRY(flow_id_parse(a->flow_id, config, prep, e));
  return check_pair((struct ff_pair){a->key, a->value}, e);
}

static enum ff_rc set_run(struct tx *tx, const void *args, const void *prep, void *result,
                          struct ff_error *e) {
  const struct ff_set_flow_tag_args *a = args;
  struct ff_set_flow_tag_result *r = result;
  struct ff_pair tag = {a->key, a->value};
  r->outcome = FF_outcome_ok;
  return apply_tags(tx, "set_flow_tag", *(const struct flow_id *)prep, (struct ff_pairs){&tag, 1},
                    e);
}

const struct op_code op_code_set_flow_tag = {sizeof(struct flow_id), set_prepare,
                                             declare_prepared_flow, set_run};

/* ---- many ---- */

static enum ff_rc many_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_set_flow_tags_args *a = args;
  (void)arena;
  TRY(flow_id_parse(a->flow_id, config, prep, e));
  if (a->tags.count == 0) return error_field(e, FF_CODE_invalid_input, "tags", "no tags");
  for (size_t i = 0; i < a->tags.count; i++) {
    enum ff_rc rc = check_pair(a->tags.items[i], e);
    if (rc != FF_OK && e) snprintf(e->field, sizeof e->field, "tags");
    if (rc != FF_OK) return rc;
  }
  return tags_check_total(a->tags, e);
}

static enum ff_rc many_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  const struct ff_set_flow_tags_args *a = args;
  struct ff_set_flow_tags_result *r = result;
  r->count = (uint32_t)a->tags.count;
  return apply_tags(tx, "set_flow_tags", *(const struct flow_id *)prep, a->tags, e);
}

const struct op_code op_code_set_flow_tags = {sizeof(struct flow_id), many_prepare,
                                              declare_prepared_flow, many_run};

/* ---- reading ---- */

static enum ff_rc get_prepare(const struct op_config *config, const void *args, void *prep,
                              struct arena *arena, struct ff_error *e) {
  const struct ff_get_flow_tag_args *a = args;
  (void)arena;
  TRY(flow_id_parse(a->flow_id, config, prep, e));
  return tag_key_check(a->key, e);
}

static enum ff_rc get_run(struct tx *tx, const void *args, const void *prep, void *result,
                          struct ff_error *e) {
  const struct ff_get_flow_tag_args *a = args;
  struct ff_get_flow_tag_result *r = result;
  struct flow_id id = *(const struct flow_id *)prep;
  const struct flow *f = NULL;
  struct ff_pairs tags;
  TRY(tx_get_flow(tx, FLOW_KEY(flow, id), &f));
  if (!f) return FF_OK;
  TRY(flow_tags("get_flow_tag", f, tx_arena(tx), &tags, e));
  for (size_t i = 0; i < tags.count; i++) {
    if (!text_equal(tags.items[i].key, a->key)) continue;
    r->outcome = FF_outcome_ok;
    r->value = tags.items[i].value;
  }
  return FF_OK;
}

const struct op_code op_code_get_flow_tag = {sizeof(struct flow_id), get_prepare,
                                             declare_prepared_flow, get_run};

static enum ff_rc all_prepare(const struct op_config *config, const void *args, void *prep,
                              struct arena *arena, struct ff_error *e) {
  const struct ff_get_flow_tags_args *a = args;
  (void)arena;
  return flow_id_parse(a->flow_id, config, prep, e);
}

static enum ff_rc all_run(struct tx *tx, const void *args, const void *prep, void *result,
                          struct ff_error *e) {
  struct ff_get_flow_tags_result *r = result;
  struct flow_id id = *(const struct flow_id *)prep;
  const struct flow *f = NULL;
  (void)args;
  TRY(tx_get_flow(tx, FLOW_KEY(flow, id), &f));
  if (!f) return FF_OK;
  r->outcome = FF_outcome_ok;
  return flow_tags("get_flow_tags", f, tx_arena(tx), &r->tags, e);
}

const struct op_code op_code_get_flow_tags = {sizeof(struct flow_id), all_prepare,
                                              declare_prepared_flow, all_run};
