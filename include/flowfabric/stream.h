/*
 * The output of a running attempt: its holder appends frames, anybody reads them (spec 05 part A).
 *
 * One stream per attempt, made by its first append; it ends with the attempt and lives until the
 * execution is purged.
 */
#ifndef FLOWFABRIC_STREAM_H
#define FLOWFABRIC_STREAM_H

#include "flowfabric/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Appends one frame under a live lease. Mode `durable` keeps it; `summary` takes its bytes as a JSON
 * merge patch (RFC 7396) of the attempt's rolling document (read_summary) and keeps the 64 newest such
 * frames; `best_effort` keeps as many of the newest such frames as come in twice ttl_ms at the smoothed
 * rate, from maxlen_floor to maxlen_ceiling, and a stream that never had another mode reads as empty
 * 2 * ttl_ms after its last. Of a stream the newest policy.stream_policy.retention_maxlen (10,000) are kept in all. A
 * repeat appends again (ST-34), unless it carries the request_id of an append of this attempt whose last frame is still
 * kept: that gives the first answer (00 OP-8). Neither extends nor marks the lease. Errors, first one
 * first: handle_from_other_backend, retention_limit_exceeded (bytes), invalid_input, corruption,
 * execution_not_found, stream_closed (the execution is not active), stale_owner_cannot_append (the
 * lease is lost or another's); of a summary: invalid_input (`patch payload is not valid JSON`, `patch
 * must be a JSON object`, `patch_depth_exceeded` beyond 16 objects or 32 levels),
 * retention_limit_exceeded (the document would exceed 1 MiB). */
struct ff_append_frame_args {
  uint32_t size;
  struct ff_handle handle;
  struct ff_bytes bytes;        /* anything, at most 65,536 bytes */
  uint8_t kind;                 /* enum ff_frame_kind; unknown values count as event */
  struct ff_str frame_type;     /* empty = the kind's word; at most 128 bytes, no control characters */
  struct ff_str correlation_id; /* at most 256 bytes */
  bool has_seq;
  uint64_t seq; /* the caller's own number, at most 2^63-1; neither ordered nor compared */
  uint8_t mode; /* enum ff_frame_mode */
  struct ff_str patch_kind; /* of a summary: empty or json-merge-patch */
  /* of a best effort; no value is refused (ST-11) */
  uint32_t ttl_ms;         /* 5,000 … 30,000 recommended; 0 = the stream does not expire */
  uint32_t maxlen_floor;   /* 0 = 64 */
  uint32_t maxlen_ceiling; /* 0 = 16,384; at least the floor */
  double ema_alpha;        /* weight of the present rate, above 0 up to 1; else 0.2 */
  struct ff_str request_id; /* at most 128 bytes; costs an index entry */
};
struct ff_append_frame_result {
  struct ff_memory *memory;
  struct ff_str stream_id;  /* the id of the frame, `<ms>-<n>` */
  uint64_t frame_count;     /* appended to this stream so far, also those not kept any more */
  uint64_t summary_version; /* deltas applied so far, this one included; 0 = not a summary */
};
FF_OPERATION(append_frame);

/* A frame to append: members as in append_frame. */
struct ff_frame_input {
  struct ff_bytes bytes;
  uint8_t kind;
  struct ff_str frame_type, correlation_id;
  bool has_seq;
  uint64_t seq;
  uint8_t mode;
  struct ff_str patch_kind;
  uint32_t ttl_ms, maxlen_floor, maxlen_ceiling;
  double ema_alpha;
};
struct ff_frame_inputs {
  const struct ff_frame_input *items;
  size_t count;
};
struct ff_frame_slot {
  struct ff_str stream_id;
  uint64_t frame_count, summary_version;
};
struct ff_frame_slots {
  const struct ff_frame_slot *items;
  size_t count;
};
/* Appends frames in their order, with ids that follow one another, all of them or none. At most 1,000
 * frames and 8 MiB a call. A repeat with the same request_id gives the first answer, as in append_frame.
 * Errors: those of append_frame; the context `index` counts from 0 to the frame at fault. */
struct ff_append_frames_args {
  uint32_t size;
  struct ff_handle handle;
  struct ff_frame_inputs frames;
  struct ff_str request_id; /* at most 128 bytes */
};
struct ff_append_frames_result {
  struct ff_memory *memory;
  struct ff_frame_slots slots;
};
FF_OPERATION(append_frames);

/* One frame of a stream (05 A.3). */
struct ff_frame {
  struct ff_str id; /* `<ms>-<n>`, ascending in a stream */
  struct ff_str frame_type;
  int64_t ts; /* when it was appended, ms */
  struct ff_bytes payload;
  struct ff_str encoding; /* utf8, or base64: how text forms show the payload */
  struct ff_str source;   /* worker */
  struct ff_str mode;     /* durable, summary, best_effort */
  struct ff_str correlation_id;
  bool has_seq;
  uint64_t seq;
  uint64_t summary_version; /* of a summary: after this delta, else 0 */
  uint32_t ttl_ms;          /* of a best effort, else 0 */
};
struct ff_frames {
  const struct ff_frame *items;
  size_t count;
};
/* The frames of an attempt with from <= id <= to, in order, at most count_limit (1 … 10,000). A
 * position is `start`, `end`, `<ms>` or `<ms>-<n>`; a bare `<ms>` takes in the whole millisecond. An
 * unknown execution or attempt reads as empty and open (ST-90). Fewer frames than count_limit with
 * closed_at set: there will be no more. Errors: invalid_input. */
struct ff_read_stream_args {
  uint32_t size;
  struct ff_str execution_id;
  uint32_t attempt_index;
  struct ff_str from, to;
  uint64_t count_limit;
};
struct ff_read_stream_result {
  struct ff_memory *memory;
  struct ff_frames frames;
  int64_t closed_at;           /* ms; 0 = open */
  struct ff_str closed_reason; /* 05 A.7; more may be added */
};
FF_OPERATION(read_stream);

/* The frames of an attempt behind `after`, in order, at most count_limit (1 … 10,000). When there are
 * none and the stream is open it waits up to block_ms (at most 30,000; 0 = not at all) for one, or for
 * the end of the attempt. No frames and no closed_at: the time is over. `after` is `<ms>` or
 * `<ms>-<n>`; 0-0 is before every frame. To follow a stream go on behind the id of the last frame until
 * closed_at is set with fewer than count_limit frames: nothing is missed (ST-110). A waiting tail holds
 * no connection and costs no polling; it counts against max_stream_ops. Errors: invalid_input;
 * resource_exhausted (context pool stream_ops). */
struct ff_tail_stream_args {
  uint32_t size;
  struct ff_str execution_id;
  uint32_t attempt_index;
  struct ff_str after;
  uint64_t block_ms;
  uint64_t count_limit;
  uint8_t visibility; /* enum ff_tail_visibility: exclude_best_effort passes over those, before counting */
};
struct ff_tail_stream_result {
  struct ff_memory *memory;
  struct ff_frames frames;
  int64_t closed_at; /* ms; 0 = open */
  struct ff_str closed_reason;
};
FF_OPERATION(tail_stream);

/* The document that an attempt's summary frames have made, whatever has been trimmed and whether or not
 * the attempt has ended, until the execution is purged. Keys in byte order; never contains the string
 * `__ff_null__`, which stored null. outcome none: no summary frame was ever appended. Errors:
 * invalid_input, corruption. */
struct ff_read_summary_args {
  uint32_t size;
  struct ff_str execution_id;
  uint32_t attempt_index;
};
struct ff_read_summary_result {
  struct ff_memory *memory;
  uint8_t outcome; /* ok, none */
  struct ff_bytes document_json;
  uint64_t version;         /* deltas applied, from 1 */
  struct ff_str patch_kind; /* json-merge-patch */
  int64_t first_applied_ms, last_updated_ms;
};
FF_OPERATION(read_summary);

#ifdef __cplusplus
}
#endif
#endif
