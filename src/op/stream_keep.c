/*
 * What is kept of a stream while it lives: the newest of each class, the newest of all (05 A.5).
 *
 * Frames go one by one as new ones come, so the work of an append is bounded by what it appends.
 * Never touches the document or what was counted (ST-42).
 */
#include "op/stream.h"

#define SUMMARIES_MAX 64

static struct frame first_of(const struct stream *s) {
  return (struct frame){.partition = s->partition,
                        .execution_id = s->execution_id,
                        .attempt_index = s->attempt_index};
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
    s->retained--;
    if (f->frame_mode == FF_frame_mode_summary && s->retained_summary) s->retained_summary--;
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
  TRY(trim(tx, s, INDEX_frame_by_stream, entries, count, FF_frame_mode_COUNT, s->retained,
           s->retention_maxlen));
  s->retained += kept_entries(entries, count, FF_frame_mode_COUNT);
  s->retained_summary += kept_entries(entries, count, FF_frame_mode_summary);
  return FF_OK;
}
