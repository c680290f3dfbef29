/*
 * query_executions: executions by filter in creation order (00 §2.9).
 *
 * Walks one index, execution_by_lane when a lane is named, else execution_created, from the cursor
 * or the lower creation bound. A call looks at a bounded number of rows, so a selective filter
 * gives short pages with a cursor.
 */
#include "op/read.h"

enum {
  QUERY_PAGE_DEFAULT = 50,
  QUERY_PAGE_MAX = 1000,
  QUERY_ROWS_MAX = 10000, /* looked at per call */
  QUERY_CHUNK = 256       /* loaded at first when rows are filtered */
};

struct query_prep {
  uint32_t limit;
  uint32_t states; /* bit per public state; all when not filtered */
  bool by_flow;
  struct uuid flow_id;
  bool after; /* start strictly behind (start_at, start) */
  int64_t start_at;
  struct exec_id start;
};

/* ---- arguments ---- */

static enum ff_rc parse_states(struct ff_str words, uint32_t *states, struct ff_error *e) {
  *states = text_present(words) ? 0 : UINT32_MAX;
  for (size_t start = 0; text_present(words) && start <= words.len;) {
    size_t end = start;
    while (end < words.len && words.ptr[end] != ',') end++;
    int state = ff_word_parse(FF_WORD_public_state, text_of(words.ptr + start, end - start));
    if (state < 0) return error_field(e, FF_CODE_invalid_input, "public_state", "unknown state");
    *states |= UINT32_C(1) << state;
    start = end + 1;
  }
  return FF_OK;
}

static struct ff_str cursor_text(const struct execution *x, struct arena *arena) {
  struct ff_id id;
  exec_id_format(execution_id_of(x), &id);
  return arena_printf(arena, "%lld:%s", (long long)x->created_at, id.text);
}

/* `<created_at>:<execution id>`, exactly as cursor_text writes it. */
static bool parse_cursor(struct ff_str cursor, uint32_t partitions, struct query_prep *p) {
  const char *colon = memchr(cursor.ptr, ':', cursor.len);
  if (!colon) return false;
  size_t at = (size_t)(colon - cursor.ptr);
  struct ff_str id = text_of(colon + 1, cursor.len - at - 1);
  struct ff_id id_again;
  char again[FF_ID_MAX + 24];
  if (!parse_i64(text_of(cursor.ptr, at), &p->start_at)) return false;
  if (exec_id_parse(id, "cursor", partitions, &p->start, NULL) != FF_OK) return false;
  exec_id_format(p->start, &id_again);
  snprintf(again, sizeof again, "%lld:%s", (long long)p->start_at, id_again.text);
  return text_equal_c(cursor, again);
}

/* The later of the cursor and the lower creation bound; the bound is inclusive, a start is not. */
static enum ff_rc parse_start(const struct ff_query_executions_args *a, uint32_t partitions,
                              struct query_prep *p, struct ff_error *e) {
  p->after = text_nonempty(a->cursor);
  if (p->after && !parse_cursor(a->cursor, partitions, p))
    return error_field(e, FF_CODE_invalid_input, "cursor", "not a cursor of query_executions");
  if (a->created_from <= 0 || (p->after && p->start_at >= a->created_from)) return FF_OK;
  p->after = true;
  p->start_at = a->created_from - 1;
  p->start.partition = UINT16_MAX;
  memset(p->start.uuid.b, 0xff, sizeof p->start.uuid.b);
  return FF_OK;
}

static enum ff_rc query_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_query_executions_args *a = args;
  struct query_prep *p = prep;
  (void)arena;
  TRY(text_check(a->namespace_, "namespace", NAME_MAX_BYTES, e));
  if (text_present(a->lane_id)) TRY(lane_check(a->lane_id, "lane_id", e));
  TRY(text_check(a->execution_kind, "execution_kind", NAME_MAX_BYTES, e));
  TRY(parse_states(a->public_state, &p->states, e));
  TRY(text_check(a->tag_key, "tag_key", TAG_KEY_MAX_BYTES, e));
  TRY(text_check(a->tag_value, "tag_value", TAG_VALUE_MAX_BYTES, e));
  if (text_present(a->tag_value) && !text_present(a->tag_key))
    return error_field(e, FF_CODE_invalid_input, "tag_key", "tag_value needs a tag_key");
  p->by_flow = text_present(a->flow_id);
  if (p->by_flow) TRY(uuid_parse_field(a->flow_id, "flow_id", &p->flow_id, e));
  p->limit =
      a->limit == 0 ? QUERY_PAGE_DEFAULT : a->limit < QUERY_PAGE_MAX ? a->limit : QUERY_PAGE_MAX;
  return parse_start(a, config->flow_partitions, p, e);
}

/* ---- the walk ---- */

static bool tag_matches(const struct ff_query_executions_args *a, const struct ff_pairs *tags) {
  for (size_t i = 0; i < tags->count; i++)
    if (text_equal(tags->items[i].key, a->tag_key))
      return !text_present(a->tag_value) || text_equal(tags->items[i].value, a->tag_value);
  return false;
}

static enum ff_rc row_matches(const struct ff_query_executions_args *a, const struct query_prep *p,
                              const struct execution *x, struct arena *arena, bool *match,
                              struct ff_error *e) {
  bool ended = a->ended_from || a->ended_to;
  *match = false;
  if (!(p->states >> execution_public_state(x) & 1)) return FF_OK;
  if (text_present(a->namespace_) && !text_equal(a->namespace_, x->namespace_)) return FF_OK;
  if (text_present(a->execution_kind) && !text_equal(a->execution_kind, x->execution_kind))
    return FF_OK;
  if (p->by_flow && !uuid_equal(p->flow_id, x->flow_id)) return FF_OK;
  if (ended && (x->completed_at == 0 || x->completed_at < a->ended_from)) return FF_OK;
  if (a->ended_to && x->completed_at >= a->ended_to) return FF_OK;
  *match = true;
  if (!text_present(a->tag_key)) return FF_OK;
  struct ff_pairs tags;
  TRY(read_tags("query_executions", x, arena, &tags, e));
  *match = tag_matches(a, &tags);
  return FF_OK;
}

/* Without a filter on the rows the first load is the page; with one a chunk, grown by itself. */
static uint32_t first_load(const struct ff_query_executions_args *a, const struct query_prep *p) {
  bool filtered = p->states != UINT32_MAX || p->by_flow || text_present(a->namespace_) ||
                  text_present(a->execution_kind) || text_present(a->tag_key) || a->ended_from ||
                  a->ended_to;
  return filtered && p->limit < QUERY_CHUNK ? QUERY_CHUNK : p->limit + 1;
}

static enum index_id walk_of(const struct ff_query_executions_args *a, const struct query_prep *p,
                             struct execution *from) {
  *from = (struct execution){.lane_id = a->lane_id,
                             .created_at = p->start_at,
                             .partition = p->start.partition,
                             .id = p->start.uuid};
  return text_present(a->lane_id) ? INDEX_execution_by_lane : INDEX_execution_created;
}

static void query_declare(struct declare *d, const void *args, const void *prep) {
  const struct query_prep *p = prep;
  struct execution from;
  enum index_id index = walk_of(args, p, &from);
  declare_scan(d, index, &from, p->after, first_load(args, p));
}

/* Fills the page; *last is the last row looked at when more lie behind it, else NULL. */
static enum ff_rc walk(struct tx_scan *scan, const struct ff_query_executions_args *a,
                       const struct query_prep *p, struct read_page *page,
                       const struct execution **last, struct ff_error *e) {
  const struct execution *looked_at = NULL;
  for (uint32_t rows = 0;; rows++) {
    const void *record = NULL;
    TRY(tx_scan_next(scan, &record));
    const struct execution *x = record;
    if (!x || (a->created_to && x->created_at >= a->created_to)) return FF_OK;
    if (page->count == page->limit || rows == QUERY_ROWS_MAX) {
      *last = looked_at;
      return FF_OK;
    }
    bool match = false;
    TRY(row_matches(a, p, x, tx_arena(scan->tx), &match, e));
    if (match) page->rows[page->count++] = x;
    looked_at = x;
  }
}

static enum ff_rc query_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct query_prep *p = prep;
  struct ff_query_executions_result *r = result;
  struct execution from;
  enum index_id index = walk_of(args, p, &from);
  const struct execution *last = NULL;
  struct tx_scan scan;
  TRY(tx_scan_open(tx, index, &from, p->after, first_load(args, p), &scan));
  struct read_page page = read_page_new("query_executions", p->limit, tx_arena(tx));
  TRY(walk(&scan, args, p, &page, &last, e));
  if (last) r->next_cursor = cursor_text(last, tx_arena(tx));
  return read_page_view(&page, tx_arena(tx), &r->executions, e);
}

const struct op_code op_code_query_executions = {sizeof(struct query_prep), query_prepare,
                                                 query_declare, query_run};
