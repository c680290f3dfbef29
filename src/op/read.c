/*
 * What the read operations and the tag operations share.
 *
 * A missing execution is an answer here, never an error; stored data that breaks its own rules is.
 */
#include "op/read.h"

enum ff_rc read_prepare_id(const struct op_config *config, const void *args, void *prep,
                           struct arena *arena, struct ff_error *e) {
  const struct ff_str *id = (const void *)((const char *)args + READ_ID_OFFSET);
  (void)arena;
  return exec_id_parse(*id, "execution_id", config->flow_partitions, prep, e);
}

enum ff_rc read_execution(struct tx *tx, const void *prep, const struct execution **out) {
  const struct exec_id *id = prep;
  struct execution key = {.partition = id->partition, .id = id->uuid};
  return tx_get_execution(tx, &key, out);
}

enum ff_rc read_corrupt(const char *op, const char *field, const char *problem,
                        struct ff_error *e) {
  return error_field(e, FF_CODE_corruption, field, "%s: exec_core: %s: %s", op, field, problem);
}

/* An empty map is never stored, so an empty answer means text that is no map. */
enum ff_rc read_tags(const char *op, const struct execution *x, struct arena *arena,
                     struct ff_pairs *out, struct ff_error *e) {
  *out = tags_decode(arena, x->tags);
  if (text_present(x->tags) && out->count == 0) return read_corrupt(op, "tags", "not a map", e);
  return FF_OK;
}

enum ff_rc read_view(const char *op, const struct execution *x, struct arena *arena,
                     struct ff_execution *out, struct ff_error *e) {
  view_execution(x, arena, out);
  if (text_present(x->tags) && out->tags.count == 0)
    return read_corrupt(op, "tags", "not a map", e);
  return FF_OK;
}

struct read_page read_page_new(const char *op, uint32_t limit, struct arena *arena) {
  return (struct read_page){
      .op = op, .limit = limit, .rows = ARENA_ARRAY(arena, const struct execution *, limit)};
}

enum ff_rc read_page_view(const struct read_page *page, struct arena *arena,
                          struct ff_executions *out, struct ff_error *e) {
  struct ff_execution *items = ARENA_ARRAY(arena, struct ff_execution, page->count);
  for (uint32_t i = 0; i < page->count; i++)
    TRY(read_view(page->op, page->rows[i], arena, &items[i], e));
  *out = (struct ff_executions){items, page->count};
  return FF_OK;
}

/* ---- tag keys ---- */

void tag_key_quote(struct ff_str key, char out[128]) {
  size_t len = key.len < 127 ? key.len : 127;
  for (size_t i = 0; i < len; i++)
    out[i] = key.ptr[i] >= ' ' && key.ptr[i] <= '~' ? key.ptr[i] : '?';
  out[len] = '\0';
}

enum ff_rc tag_key_check(struct ff_str key, struct ff_error *e) {
  char quoted[128];
  if (!tag_key_valid(key)) {
    tag_key_quote(key, quoted);
    return error_field(e, FF_CODE_invalid_input, "key",
                       "invalid tag key: \"%s\" does not match "
                       "^[a-z][a-z0-9_]*\\.[a-z0-9_][a-z0-9_.]*$",
                       quoted);
  }
  return text_check(key, "key", TAG_KEY_MAX_BYTES, e);
}
