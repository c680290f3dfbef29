/*
 * What is kept of a stream while it lives: the newest of each class, the newest of all (05 A.5).
 *
 * Frames go one by one as new ones come, so the work of an append is bounded by what it appends.
 * Never touches the document or what was counted (ST-42).
 */
#include "op/stream.h"

#include <math.h>

#define SUMMARIES_MAX 64
#define DROP_AT_ONCE 1000 /* rows a load */

/* ---- best-effort frames: the smoothed rate ---- */

#define FLOOR_DEFAULT 64
#define CEILING_DEFAULT 16384
#define ALPHA_DEFAULT 0.2

static double rate_of(const struct stream *s) {
  double rate;
  memcpy(&rate, &s->ema_rate_bits, sizeof rate);
  return rate >= 0 && rate <= 1e15 ? rate : 0; /* anything else was not written by us */
}

/* What comes in twice the time to live at this rate, within the bounds. */
static uint64_t cap_of(double rate, double ttl_s, uint64_t floor, uint64_t ceiling) {
  double wanted = ceil(rate * ttl_s * 2);
  if (wanted <= (double)floor) return floor;
  return wanted >= (double)ceiling ? ceiling : (uint64_t)wanted;
}

static void note_rate(struct stream *s, const struct ff_frame_input *f, int64_t now) {
  uint64_t floor = f->maxlen_floor ? f->maxlen_floor : FLOOR_DEFAULT;
  uint64_t ceiling = f->maxlen_ceiling ? f->maxlen_ceiling : CEILING_DEFAULT;
  double alpha = f->ema_alpha > 0 && f->ema_alpha <= 1 ? f->ema_alpha : ALPHA_DEFAULT;
  double ttl_s = (f->ttl_ms ? f->ttl_ms : 1) / 1000.0, rate;
  if (ceiling < floor) ceiling = floor;
  if (!s->last_append_ts_ms) {
    rate = (double)floor / (ttl_s * 2);
    s->maxlen_applied_last = floor;
  } else {
    int64_t since = now > s->last_append_ts_ms ? now - s->last_append_ts_ms : 1;
    rate = alpha * (1000.0 / (double)since) + (1 - alpha) * rate_of(s);
    s->maxlen_applied_last = cap_of(rate, ttl_s, floor, ceiling);
  }
  memcpy(&s->ema_rate_bits, &rate, sizeof rate);
  s->last_append_ts_ms = now;
}

void stream_note_mode(struct tx *tx, struct stream *s, const struct ff_frame_input *f) {
  int64_t now = tx_now(tx);
  if (f->mode != FF_frame_mode_best_effort) {
    s->has_durable_frame = true;
    s->expires_at = 0;
    return;
  }
  note_rate(s, f, now);
  if (!s->has_durable_frame && f->ttl_ms)
    s->expires_at = add_saturating(now, 2 * (int64_t)f->ttl_ms);
}

bool stream_is_expired(const struct stream *s, int64_t now) {
  return s->expires_at && s->expires_at <= now;
}

/* ---- room ---- */

static struct frame first_of(const struct stream *s) {
  return (struct frame){.partition = s->partition,
                        .execution_id = s->execution_id,
                        .attempt_index = s->attempt_index};
}

static void forget(struct stream *s, const struct frame *f) {
  if (s->retained) s->retained--;
  if (f->frame_mode == FF_frame_mode_summary && s->retained_summary) s->retained_summary--;
  if (f->frame_mode == FF_frame_mode_best_effort && s->retained_best_effort)
    s->retained_best_effort--;
}

static enum ff_rc evict_stored(struct tx *tx, struct stream *s, enum index_id index,
                               uint64_t count) {
  struct frame from = first_of(s);
  struct tx_scan scan;
  if (count == 0) return FF_OK;
  TRY(tx_scan_open(tx, index, &from, false, (uint32_t)count, &scan));
  for (; count; count--) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) return FF_OK;
    const struct frame *f = record;
    forget(s, f);
    tx_delete_frame(tx, f);
  }
  return FF_OK;
}

/* The oldest entries of one class (FF_frame_mode_COUNT: of any). */
static void drop_entries(struct stream_entry *entries, size_t count, enum ff_frame_mode mode,
                         uint64_t excess) {
  for (size_t i = 0; i < count && excess; i++) {
    struct stream_entry *entry = &entries[i];
    if (entry->dropped || (mode != FF_frame_mode_COUNT && entry->frame->mode != mode)) continue;
    entry->dropped = true;
    excess--;
  }
}

static uint64_t kept_entries(const struct stream_entry *entries, size_t count,
                             enum ff_frame_mode mode) {
  uint64_t kept = 0;
  for (size_t i = 0; i < count; i++)
    kept += !entries[i].dropped &&
            (mode == FF_frame_mode_COUNT || entries[i].frame->mode == mode);
  return kept;
}

/* Everything stored is older than every entry. */
static enum ff_rc trim(struct tx *tx, struct stream *s, enum index_id index,
                       struct stream_entry *entries, size_t count, enum ff_frame_mode mode,
                       uint64_t stored, uint64_t cap) {
  uint64_t all = stored + kept_entries(entries, count, mode);
  if (all <= cap) return FF_OK;
  uint64_t old = all - cap < stored ? all - cap : stored;
  drop_entries(entries, count, mode, all - cap - old);
  return evict_stored(tx, s, index, old);
}

enum ff_rc stream_trim(struct tx *tx, struct stream *s, struct stream_entry *entries,
                       size_t count) {
  if (kept_entries(entries, count, FF_frame_mode_summary))
    TRY(trim(tx, s, INDEX_frame_summaries, entries, count, FF_frame_mode_summary,
             s->retained_summary, SUMMARIES_MAX));
  if (kept_entries(entries, count, FF_frame_mode_best_effort))
    TRY(trim(tx, s, INDEX_frame_best_efforts, entries, count, FF_frame_mode_best_effort,
             s->retained_best_effort, s->maxlen_applied_last));
  TRY(trim(tx, s, INDEX_frame_by_stream, entries, count, FF_frame_mode_COUNT, s->retained,
           s->retention_maxlen));
  s->retained += kept_entries(entries, count, FF_frame_mode_COUNT);
  s->retained_summary += kept_entries(entries, count, FF_frame_mode_summary);
  s->retained_best_effort += kept_entries(entries, count, FF_frame_mode_best_effort);
  return FF_OK;
}

enum ff_rc stream_drop_frames(struct tx *tx, struct stream *s) {
  struct frame from = first_of(s);
  struct tx_scan scan;
  TRY(tx_scan_open(tx, INDEX_frame_by_stream, &from, false, DROP_AT_ONCE, &scan));
  for (;;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    tx_delete_frame(tx, record);
  }
  s->retained = s->retained_summary = s->retained_best_effort = 0;
  s->expires_at = 0;
  return FF_OK;
}

/* ---- the sweep of what has expired ---- */

static enum ff_rc sweep_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  (void)config, (void)args, (void)prep, (void)arena, (void)e;
  return FF_OK;
}

static void list_declare(struct declare *d, const void *args, const void *prep) {
  const struct list_expired_streams_args *a = args;
  (void)prep;
  declare_scan(d, INDEX_stream_expiry, &(struct stream){0}, false, a->limit);
}

static enum ff_rc list_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  const struct list_expired_streams_args *a = args;
  struct list_expired_streams_result *r = result;
  const struct stream **items = ARENA_ARRAY(tx_arena(tx), const struct stream *, a->limit);
  struct tx_scan scan;
  (void)prep, (void)e;
  TRY(tx_scan_open(tx, INDEX_stream_expiry, &(struct stream){0}, false, a->limit, &scan));
  while (r->count < a->limit) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record || !stream_is_expired(record, tx_now(tx))) break;
    items[r->count++] = record;
  }
  r->items = items;
  return FF_OK;
}

const struct op_code op_code_list_expired_streams = {0, sweep_prepare, list_declare, list_run};

static struct stream expired_key(const void *args) {
  const struct expire_stream_args *a = args;
  return (struct stream){.partition = a->execution.partition,
                         .execution_id = a->execution.uuid,
                         .attempt_index = a->attempt_index};
}

static void expire_declare(struct declare *d, const void *args, const void *prep) {
  struct stream key = expired_key(args);
  (void)prep;
  declare_get(d, RECORD_KIND_stream, &key);
}

static enum ff_rc expire_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  struct expire_stream_result *r = result;
  struct stream key = expired_key(args);
  const struct stream *s = NULL;
  (void)prep, (void)e;
  TRY(tx_get_stream(tx, &key, &s));
  r->outcome = !s                                   ? FF_outcome_not_found
               : !stream_is_expired(s, tx_now(tx)) ? FF_outcome_not_due
                                                    : FF_outcome_purged;
  return r->outcome == FF_outcome_purged ? stream_drop_frames(tx, tx_edit_stream(tx, s)) : FF_OK;
}

const struct op_code op_code_expire_stream = {0, sweep_prepare, expire_declare, expire_run};
