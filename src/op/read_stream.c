/*
 * read_stream, tail_stream: frames of one attempt, and whether more can come (05 A.9, A.10). One look
 * of a tail; the waiting is the engine's.
 *
 * The attempt is read before the frames: what is closed then gets no frame any more, so a short
 * page with closed markers is final (ST-93).
 */
#include "op/read.h"
#include "op/stream.h"

#define COUNT_MAX 10000

/* What is asked for, and the answer of both operations. */
struct read_prep {
  struct exec_id id;
  uint32_t attempt_index, limit;
  struct stream_position from, to;
  bool behind; /* from itself is left out */
  uint8_t visibility;
};
struct page {
  struct ff_frames frames;
  int64_t closed_at;
  struct ff_str closed_reason;
};

static enum ff_rc check_count(uint64_t count, struct read_prep *p, struct ff_error *e) {
  if (count < 1)
    return error_field(e, FF_CODE_invalid_input, "count_limit", "count_limit must be >= 1");
  if (count > COUNT_MAX)
    return error_field(e, FF_CODE_invalid_input, "count_limit",
                       "count_limit_exceeds_hard_cap: at most %d, got %llu", COUNT_MAX,
                       (unsigned long long)count);
  p->limit = (uint32_t)count;
  return FF_OK;
}

static enum ff_rc read_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_read_stream_args *a = args;
  struct read_prep *p = prep;
  (void)arena;
  p->attempt_index = a->attempt_index;
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  TRY(check_count(a->count_limit, p, e));
  TRY(stream_position_parse(a->from, "from", false, &p->from, e));
  return stream_position_parse(a->to, "to", true, &p->to, e);
}

static enum ff_rc tail_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_tail_stream_args *a = args;
  struct read_prep *p = prep;
  (void)arena;
  p->attempt_index = a->attempt_index;
  p->to = (struct stream_position){UINT64_MAX, UINT64_MAX};
  p->behind = true;
  p->visibility = a->visibility;
  if (a->visibility >= FF_tail_visibility_COUNT)
    return error_field(e, FF_CODE_invalid_input, "visibility", "unknown value %u", a->visibility);
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  TRY(check_count(a->count_limit, p, e));
  if (text_equal_c(a->after, "start") || text_equal_c(a->after, "end"))
    return error_field(e, FF_CODE_invalid_input, "after", "a tail starts behind <ms> or <ms>-<n>");
  return stream_position_parse(a->after, "after", false, &p->from, e);
}

/* ---- closed markers (ST-72: taken from the attempt) ---- */

struct ending {
  uint8_t lifecycle, close;
  int64_t ended_at, closed_at;
};

static enum ff_stream_close close_of(const struct ending *end) {
  if (end->close) return (enum ff_stream_close)end->close;
  switch (end->lifecycle) {
    case FF_attempt_lifecycle_ended_success: return FF_stream_close_attempt_success;
    case FF_attempt_lifecycle_ended_failure: return FF_stream_close_attempt_failure;
    case FF_attempt_lifecycle_ended_cancelled: return FF_stream_close_attempt_cancelled;
    case FF_attempt_lifecycle_interrupted_reclaimed: return FF_stream_close_reclaimed;
    default: return FF_stream_close_none;
  }
}

static struct ending latest_ending(const struct execution *x) {
  struct ending end = {x->attempt_lifecycle, x->attempt_close, x->attempt_ended_at,
                       x->attempt_closed_at};
  if (!attempt_is_open(x)) return end;
  if (x->ownership_state == FF_ownership_state_lease_expired_reclaimable)
    return (struct ending){0, FF_stream_close_lease_expired, 0, x->lease_expired_at};
  if (x->ownership_state == FF_ownership_state_lease_revoked)
    return (struct ending){0, FF_stream_close_lease_revoked, 0, x->lease_revoked_at};
  return end;
}

static enum ff_rc read_ending(struct tx *tx, const struct execution *x, uint32_t attempt_index,
                              struct page *page) {
  struct ending end = {0};
  if (x->total_attempt_count && attempt_index == x->attempt_index) {
    end = latest_ending(x);
  } else if (attempt_index < x->attempt_index) {
    struct attempt key = {
        .partition = x->partition, .execution_id = x->id, .attempt_index = attempt_index};
    const struct attempt *row = NULL;
    TRY(tx_get_attempt(tx, &key, &row));
    if (row)
      end = (struct ending){row->attempt_lifecycle, row->close, row->ended_at, row->closed_at};
  }
  enum ff_stream_close close = close_of(&end);
  if (close == FF_stream_close_none) return FF_OK;
  page->closed_at = end.closed_at ? end.closed_at : end.ended_at;
  page->closed_reason = ff_text(ff_word(FF_WORD_stream_close, close));
  return FF_OK;
}

/* ---- frames ---- */

static struct ff_frame view_frame(struct arena *arena, const struct frame *f) {
  struct ff_str text = text_of(f->payload.ptr, f->payload.len);
  const char *mode = ff_word(FF_WORD_frame_mode, f->frame_mode);
  return (struct ff_frame){
      .id = stream_position_print(arena, (uint64_t)f->ms, f->n),
      .frame_type = f->frame_type,
      .ts = f->appended_at,
      .payload = f->payload.ptr ? f->payload : (struct ff_bytes){"", 0},
      .encoding = text_is_utf8(text) ? TEXT_LIT("utf8") : TEXT_LIT("base64"),
      .source = TEXT_LIT("worker"),
      .mode = mode ? ff_text(mode) : TEXT_LIT("durable"),
      .correlation_id = f->correlation_id,
      .has_seq = f->has_seq,
      .seq = f->seq,
      .summary_version = f->summary_version,
      .ttl_ms = f->ttl_ms,
  };
}

/* Scans start strictly behind a position: the one before `from`, unless that is left out itself.
 * Stored numbers end at 2^63-1. */
static enum ff_rc open_range(struct tx *tx, const struct read_prep *p, struct tx_scan *scan) {
  struct frame key = {.partition = p->id.partition,
                      .execution_id = p->id.uuid,
                      .attempt_index = p->attempt_index,
                      .ms = (int64_t)p->from.ms,
                      .n = p->from.n};
  bool after = p->from.ms || p->from.n;
  if (p->behind) {
    after = true;
  } else if (p->from.n) {
    key.n--;
  } else if (after) {
    key.ms--;
    key.n = INT64_MAX;
  }
  if (key.n > INT64_MAX) key.n = INT64_MAX;
  return tx_scan_open(tx, INDEX_frame_by_stream, &key, after, p->limit, scan);
}

static bool is_past(const struct frame *f, struct stream_position to) {
  return (uint64_t)f->ms > to.ms || ((uint64_t)f->ms == to.ms && f->n > to.n);
}

/* ST-49. Only best-effort frames expire, and only where nothing else ever was: who has seen another
 * need not ask. */
static enum ff_rc hide_expired(struct tx *tx, const struct read_prep *p, bool all_best_effort,
                               size_t *count) {
  struct stream key = {.partition = p->id.partition,
                       .execution_id = p->id.uuid,
                       .attempt_index = p->attempt_index};
  const struct stream *s = NULL;
  if (*count == 0 || !all_best_effort) return FF_OK;
  TRY(tx_get_stream(tx, &key, &s));
  if (s && stream_is_expired(s, tx_now(tx))) *count = 0;
  return FF_OK;
}

static bool is_hidden(const struct frame *f, uint8_t visibility) {
  return visibility == FF_tail_visibility_exclude_best_effort &&
         f->frame_mode == FF_frame_mode_best_effort;
}

static enum ff_rc read_frames(struct tx *tx, const struct read_prep *p, struct ff_frames *frames) {
  struct tx_scan scan;
  size_t count = 0;
  bool all_best_effort = true;
  TRY(open_range(tx, p, &scan));
  struct ff_frame *items = ARENA_ARRAY(tx_arena(tx), struct ff_frame, p->limit);
  while (count < p->limit) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    const struct frame *f = record;
    if (!f || is_past(f, p->to)) break;
    if (is_hidden(f, p->visibility)) continue;
    all_best_effort &= f->frame_mode == FF_frame_mode_best_effort;
    items[count++] = view_frame(tx_arena(tx), f);
  }
  TRY(hide_expired(tx, p, all_best_effort, &count));
  *frames = (struct ff_frames){items, count};
  return FF_OK;
}

static enum ff_rc read_page(struct tx *tx, const struct read_prep *p, struct page *page) {
  const struct execution *x = NULL;
  *page = (struct page){0};
  TRY(read_execution(tx, p, &x));
  if (!x) return FF_OK;
  TRY(read_ending(tx, x, p->attempt_index, page));
  if (!x->has_stream || p->from.ms > INT64_MAX) return FF_OK;
  return read_frames(tx, p, &page->frames);
}

static enum ff_rc read_run(struct tx *tx, const void *args, const void *prep, void *result_,
                           struct ff_error *e) {
  struct ff_read_stream_result *result = result_;
  struct page page;
  (void)args, (void)e;
  TRY(read_page(tx, prep, &page));
  result->frames = page.frames;
  result->closed_at = page.closed_at;
  result->closed_reason = page.closed_reason;
  return FF_OK;
}

static enum ff_rc tail_run(struct tx *tx, const void *args, const void *prep, void *result_,
                           struct ff_error *e) {
  struct ff_tail_stream_result *result = result_;
  struct page page;
  (void)args, (void)e;
  TRY(read_page(tx, prep, &page));
  result->frames = page.frames;
  result->closed_at = page.closed_at;
  result->closed_reason = page.closed_reason;
  return FF_OK;
}

const struct op_code op_code_read_stream = {sizeof(struct read_prep), read_prepare,
                                            declare_prepared_execution, read_run};
const struct op_code op_code_tail_stream = {sizeof(struct read_prep), tail_prepare,
                                            declare_prepared_execution, tail_run};
