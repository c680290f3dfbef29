/*
 * What the stream operations share: positions as text, frames on their way in, what is kept of a
 * stream, the rolling document.
 */
#ifndef OP_STREAM_H
#define OP_STREAM_H

#include "base/merge_patch.h"
#include "op/execution.h"

/* ---- positions (stream.c) ---- */
struct stream_position {
  uint64_t ms, n;
};
/* ST-80 … ST-82: `start`, `end`, `<ms>`, `<ms>-<n>`; a bare ms is its first position, or its last
 * when `upper` is set. invalid_input naming `field`. */
enum ff_rc stream_position_parse(struct ff_str text, const char *field, bool upper,
                                 struct stream_position *out, struct ff_error *e) MUST_USE;
struct ff_str stream_position_print(struct arena *, uint64_t ms, uint64_t n);

/* ---- what is kept (stream_keep.c, 05 A.5) ---- */
/* A frame of the append under way. */
struct stream_entry {
  const struct ff_frame_input *frame;
  const struct json *patch; /* of a summary */
  enum merge_patch_fault fault;
  int64_t ms;
  uint64_t n, summary_version;
  bool dropped; /* counted, but pushed out by later ones of the same append */
};
/* What a frame of its mode does to the stream: the smoothed rate and the cap that follows from it, the
 * expiry (ST-44 … ST-48). */
void stream_note_mode(struct tx *, struct stream *, const struct ff_frame_input *);
/* ST-49: its frames are not seen any more. */
bool stream_is_expired(const struct stream *, int64_t now);
/* Deletes all frames that are stored; what was counted stays. */
enum ff_rc stream_drop_frames(struct tx *, struct stream *) MUST_USE;
/* Deletes the oldest stored frames, and drops the oldest entries, that the caps do not keep beside
 * the new ones; counts what is kept. */
enum ff_rc stream_trim(struct tx *, struct stream *, struct stream_entry *, size_t count) MUST_USE;

/* ---- appends under a request id (append_request.c, 00 OP-8) ---- */
struct append_answer {
  struct ff_frame_slot *slots; /* NULL = no such append */
  size_t count;
};
void append_declare_request(struct declare *, const struct stream *key, struct ff_str request_id);
/* What the append of this request id answered; its last frame must still be kept. */
enum ff_rc append_recall(struct tx *, const struct stream *key, struct ff_str request_id,
                         struct append_answer *, struct ff_error *) MUST_USE;
/* Notes on the last frame of an append what it answers. */
void append_remember(struct tx *, struct frame *last, struct ff_str request_id,
                     const struct append_answer *);

/* ---- the rolling document (summary.c, 05 A.6) ---- */
struct summary_draft {
  const struct summary *stored; /* NULL = none yet */
  const struct json *document;
  uint64_t version;
};
enum ff_rc summary_load(struct tx *, const struct stream *, struct summary_draft *,
                        struct ff_error *) MUST_USE;
void summary_apply(struct tx *, struct summary_draft *, const struct json *patch);
/* retention_limit_exceeded beyond 1 MiB. */
enum ff_rc summary_store(struct tx *, const struct stream *, const struct summary_draft *,
                         struct ff_error *) MUST_USE;

#endif
