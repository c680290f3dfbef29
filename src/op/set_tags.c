/*
 * set_execution_tag, set_execution_tags (02 L-170, L-171, L-173; 05 SU-61).
 *
 * Overwrites the named tags in any phase and leaves the others alone. Each tag that is new or has
 * another value appends one event; setting what is set only moves last_mutation_at.
 */
#include "op/read.h"

READ_TAKES_ID(set_execution_tag);
READ_TAKES_ID(set_execution_tags);

static bool is_unchanged(struct ff_pairs old, struct ff_pair tag) {
  for (size_t i = 0; i < old.count; i++)
    if (text_equal(old.items[i].key, tag.key)) return text_equal(old.items[i].value, tag.value);
  return false;
}

enum ff_rc tags_check_total(struct ff_pairs tags, struct ff_error *e) {
  size_t total = 0;
  for (size_t i = 0; i < tags.count; i++) total += tags.items[i].key.len + tags.items[i].value.len;
  if (total <= TAGS_TOTAL_MAX_BYTES) return FF_OK;
  return error_field(e, FF_CODE_invalid_input, "tags", "%zu bytes, limit %d", total,
                     TAGS_TOTAL_MAX_BYTES);
}

enum ff_rc tags_merge(struct arena *arena, struct ff_pairs old, struct ff_pairs set,
                      struct ff_str *encoded, struct ff_pairs *merged, struct ff_error *e) {
  struct ff_pair *both = ARENA_ARRAY(arena, struct ff_pair, old.count + set.count);
  if (old.count) memcpy(both, old.items, old.count * sizeof *both);
  memcpy(both + old.count, set.items, set.count * sizeof *both);
  *encoded = tags_encode(arena, (struct ff_pairs){both, old.count + set.count});
  *merged = tags_decode(arena, *encoded); /* unique and sorted */
  return tags_check_total(*merged, e);
}

static enum ff_rc apply_tags(struct tx *tx, const char *op, const struct execution *x,
                             struct ff_pairs set, struct ff_error *e) {
  struct ff_pairs old, merged;
  struct ff_str encoded;
  TRY(read_tags(op, x, tx_arena(tx), &old, e));
  TRY(tags_merge(tx_arena(tx), old, set, &encoded, &merged, e));

  struct execution *edit = tx_edit_execution(tx, x);
  edit->tags = encoded;
  execution_touch(tx, edit);
  for (size_t i = 0; i < merged.count; i++) {
    if (is_unchanged(old, merged.items[i])) continue;
    struct event *attached = execution_event(tx, edit);
    attached->tag_key = merged.items[i].key;
    attached->tag_value = merged.items[i].value;
  }
  return FF_OK;
}

/* ---- one ---- */

static enum ff_rc one_prepare(const struct op_config *config, const void *args, void *prep,
                              struct arena *arena, struct ff_error *e) {
  const struct ff_set_execution_tag_args *a = args;
  TRY(read_prepare_id(config, args, prep, arena, e));
  TRY(tag_key_check(a->key, e));
  return text_check(a->value, "value", TAG_VALUE_MAX_BYTES, e);
}

static enum ff_rc one_run(struct tx *tx, const void *args, const void *prep, void *result,
                          struct ff_error *e) {
  const struct ff_set_execution_tag_args *a = args;
  struct ff_set_execution_tag_result *r = result;
  struct ff_pair tag = {a->key, a->value};
  const struct execution *x = NULL;
  TRY(execution_load(tx, *(const struct exec_id *)prep, &x, e));
  TRY(apply_tags(tx, "set_execution_tag", x, (struct ff_pairs){&tag, 1}, e));
  r->outcome = FF_outcome_ok;
  return FF_OK;
}

const struct op_code op_code_set_execution_tag = {sizeof(struct exec_id), one_prepare,
                                                  declare_prepared_execution, one_run};

/* ---- many ---- */

/* The pattern of the keys is judged after existence (RC-35: empty, existence, keys); sizes are
 * arguments like any other. */
static enum ff_rc many_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_set_execution_tags_args *a = args;
  TRY(read_prepare_id(config, args, prep, arena, e));
  if (a->tags.count == 0) return error_field(e, FF_CODE_invalid_input, "tags", "no tags");
  for (size_t i = 0; i < a->tags.count; i++) {
    struct ff_pair tag = a->tags.items[i];
    TRY(text_check(tag.value, "tags", TAG_VALUE_MAX_BYTES, e));
    if (tag.key.len > TAG_KEY_MAX_BYTES)
      return error_field(e, FF_CODE_invalid_input, "tags", "key %zu: %zu bytes, limit %d", i,
                         tag.key.len, TAG_KEY_MAX_BYTES);
  }
  return FF_OK;
}

static enum ff_rc many_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  const struct ff_set_execution_tags_args *a = args;
  struct ff_set_execution_tags_result *r = result;
  const struct execution *x = NULL;
  char quoted[128];
  TRY(execution_load(tx, *(const struct exec_id *)prep, &x, e));
  for (size_t i = 0; i < a->tags.count; i++) {
    if (tag_key_valid(a->tags.items[i].key)) continue;
    tag_key_quote(a->tags.items[i].key, quoted);
    return error_field(e, FF_CODE_invalid_tag_key, "tags", "%s", quoted);
  }
  TRY(apply_tags(tx, "set_execution_tags", x, a->tags, e));
  r->count = (uint32_t)a->tags.count;
  return FF_OK;
}

const struct op_code op_code_set_execution_tags = {sizeof(struct exec_id), many_prepare,
                                                   declare_prepared_execution, many_run};
