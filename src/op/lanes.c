/*
 * The lane registry: list_lanes, describe_lane, set_lane_state, register_lane (06 E.1).
 *
 * Global records. Nothing here touches an execution: a paused lane keeps its work as it is (LN-10).
 */
#include "op/op.h"

#include "flowfabric/schedule.h"

enum { LANES_PAGE_MAX = 10000, REGISTERED_BY_MAX_BYTES = 256, CURSOR_MAX_BYTES = 256 };

static struct ff_lane view_lane(const struct lane *lane) {
  return (struct ff_lane){.lane_id = lane->lane_id,
                          .state = lane->lane_state,
                          .registered_at_ms = lane->registered_at,
                          .registered_by = lane->registered_by};
}

static void declare_lane(struct declare *d, struct ff_str lane_id) {
  declare_get(d, RECORD_KIND_lane, &(struct lane){.lane_id = lane_id});
}

/* ---- list_lanes ---- */

static uint32_t page_size(const struct ff_list_lanes_args *a) {
  return a->limit < LANES_PAGE_MAX ? a->limit : LANES_PAGE_MAX;
}

static enum ff_rc list_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_list_lanes_args *a = args;
  (void)config, (void)prep, (void)arena;
  return text_check(a->cursor, "cursor", CURSOR_MAX_BYTES, e);
}

static void list_declare(struct declare *d, const void *args, const void *prep) {
  const struct ff_list_lanes_args *a = args;
  (void)prep;
  if (a->limit == 0) return;
  struct lane from = {.lane_id = a->cursor};
  declare_scan(d, INDEX_lane_by_id, &from, text_nonempty(a->cursor), page_size(a) + 1);
}

static enum ff_rc list_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  const struct ff_list_lanes_args *a = args;
  struct ff_list_lanes_result *r = result;
  uint32_t limit = page_size(a);
  (void)prep, (void)e;
  if (limit == 0) return FF_OK;
  struct lane from = {.lane_id = a->cursor};
  struct tx_scan scan;
  TRY(tx_scan_open(tx, INDEX_lane_by_id, &from, text_nonempty(a->cursor), limit + 1, &scan));
  struct ff_lane *page = ARENA_ARRAY(tx_arena(tx), struct ff_lane, limit);
  size_t count = 0;
  for (;;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    if (count == limit) {
      r->next_cursor = page[count - 1].lane_id;
      break;
    }
    page[count++] = view_lane(record);
  }
  r->lanes = (struct ff_lanes){page, count};
  return FF_OK;
}

const struct op_code op_code_list_lanes = {0, list_prepare, list_declare, list_run};

/* ---- describe_lane ---- */

static enum ff_rc describe_prepare(const struct op_config *config, const void *args, void *prep,
                                   struct arena *arena, struct ff_error *e) {
  const struct ff_describe_lane_args *a = args;
  (void)config, (void)prep, (void)arena;
  return lane_check(a->lane_id, "lane_id", e);
}

static void describe_declare(struct declare *d, const void *args, const void *prep) {
  (void)prep;
  declare_lane(d, ((const struct ff_describe_lane_args *)args)->lane_id);
}

static enum ff_rc describe_run(struct tx *tx, const void *args, const void *prep, void *result,
                               struct ff_error *e) {
  const struct ff_describe_lane_args *a = args;
  struct ff_describe_lane_result *r = result;
  const struct lane *lane = NULL;
  (void)prep, (void)e;
  TRY(tx_get_lane(tx, &(struct lane){.lane_id = a->lane_id}, &lane));
  r->outcome = lane ? FF_outcome_ok : FF_outcome_none;
  if (lane) r->lane = view_lane(lane);
  return FF_OK;
}

const struct op_code op_code_describe_lane = {0, describe_prepare, describe_declare, describe_run};

/* ---- set_lane_state ---- */

struct set_prep {
  uint8_t state;
};

static enum ff_rc set_prepare(const struct op_config *config, const void *args, void *prep,
                              struct arena *arena, struct ff_error *e) {
  const struct ff_set_lane_state_args *a = args;
  (void)config, (void)arena;
  TRY(lane_check(a->lane_id, "lane_id", e));
  int state = ff_word_parse(FF_WORD_lane_state, a->state);
  if (state < 0)
    return error_field(e, FF_CODE_invalid_input, "state", "active, paused, draining or disabled");
  ((struct set_prep *)prep)->state = (uint8_t)state;
  return FF_OK;
}

static void set_declare(struct declare *d, const void *args, const void *prep) {
  (void)prep;
  declare_lane(d, ((const struct ff_set_lane_state_args *)args)->lane_id);
}

static enum ff_rc set_run(struct tx *tx, const void *args, const void *prep, void *result,
                          struct ff_error *e) {
  const struct ff_set_lane_state_args *a = args;
  struct ff_set_lane_state_result *r = result;
  uint8_t state = ((const struct set_prep *)prep)->state;
  const struct lane *lane = NULL;
  TRY(tx_get_lane(tx, &(struct lane){.lane_id = a->lane_id}, &lane));
  if (!lane) return error_field(e, FF_CODE_lane_not_found, "lane_id", "lane");
  r->lane_id = a->lane_id;
  r->state = state;
  r->previous_state = lane->lane_state;
  r->outcome = lane->lane_state == state ? FF_outcome_already_set : FF_outcome_set;
  if (lane->lane_state != state) tx_edit_lane(tx, lane)->lane_state = state;
  return FF_OK;
}

const struct op_code op_code_set_lane_state = {sizeof(struct set_prep), set_prepare, set_declare,
                                               set_run};

/* ---- register_lane ---- */

struct register_prep {
  struct ff_str required; /* sorted CSV, empty = none */
};

static enum ff_rc parse_csv(struct ff_str csv, struct arena *arena, struct ff_str *out,
                            struct ff_error *e) {
  *out = TEXT_LIT("");
  if (!text_nonempty(csv)) return FF_OK;
  size_t count = 1;
  for (size_t i = 0; i < csv.len; i++) count += csv.ptr[i] == ',';
  struct ff_str *tokens = ARENA_ARRAY(arena, struct ff_str, count);
  size_t start = 0, n = 0;
  for (size_t i = 0; i <= csv.len; i++) {
    if (i < csv.len && csv.ptr[i] != ',') continue;
    tokens[n++] = text_of(csv.ptr + start, i - start);
    start = i + 1;
  }
  return capabilities_csv((struct ff_strs){tokens, n}, "required", arena, out, e);
}

static enum ff_rc register_prepare(const struct op_config *config, const void *args, void *prep,
                                   struct arena *arena, struct ff_error *e) {
  const struct ff_register_lane_args *a = args;
  (void)config;
  TRY(lane_check(a->lane_id, "lane_id", e));
  TRY(text_check(a->registered_by, "registered_by", REGISTERED_BY_MAX_BYTES, e));
  return parse_csv(a->required_capabilities, arena, &((struct register_prep *)prep)->required, e);
}

static struct requirement_set set_key(const struct ff_register_lane_args *a,
                                      const struct register_prep *p) {
  return (struct requirement_set){.lane_id = a->lane_id, .required_capabilities = p->required};
}

static void register_declare(struct declare *d, const void *args, const void *prep) {
  const struct ff_register_lane_args *a = args;
  const struct register_prep *p = prep;
  declare_lane(d, a->lane_id);
  if (!text_nonempty(p->required)) return;
  struct requirement_set key = set_key(a, p);
  declare_get(d, RECORD_KIND_requirement_set, &key);
}

/* First writer wins (01 RC-16): an entry that exists is left as it is. */
static enum ff_rc register_run(struct tx *tx, const void *args, const void *prep, void *result,
                               struct ff_error *e) {
  const struct ff_register_lane_args *a = args;
  const struct register_prep *p = prep;
  struct ff_register_lane_result *r = result;
  struct requirement_set set_at = set_key(a, p);
  const struct requirement_set *set = NULL;
  const struct lane *lane = NULL;
  bool with_set = text_nonempty(p->required);
  (void)e;
  TRY(tx_get_lane(tx, &(struct lane){.lane_id = a->lane_id}, &lane));
  if (with_set) TRY(tx_get_requirement_set(tx, &set_at, &set));

  r->outcome = FF_outcome_already_registered;
  if (!lane) {
    struct lane *added = tx_insert_lane(tx, &(struct lane){.lane_id = a->lane_id});
    added->registered_at = tx_now(tx);
    added->registered_by = a->registered_by;
    r->outcome = FF_outcome_registered;
  }
  if (with_set && !set) {
    tx_insert_requirement_set(tx, &set_at)->registered_at = tx_now(tx);
    r->outcome = FF_outcome_registered;
  }
  return FF_OK;
}

const struct op_code op_code_register_lane = {sizeof(struct register_prep), register_prepare,
                                              register_declare, register_run};
