/*
 * Appends under a request id (00 OP-8): the last frame of the append keeps the id and what was
 * answered, so that a repeat whose first answer was lost adds nothing.
 *
 * Only the answer is kept, never the arguments: a repeat is not compared with its first call. What
 * a trimmed frame knew is forgotten with it.
 */
#include "op/stream.h"

/* The answer as it is stored, numbers big-endian: the frame_count of the first frame, how many
 * frames, the summary version before them, and a bit for each frame that is a summary. Their ids
 * end with the one of the frame that keeps this (05 ST-20: one millisecond, consecutive). */
enum { AT_COUNT = 8, AT_VERSION = 12, AT_SUMMARIES = 20 };

static void put(uint8_t *at, size_t size, uint64_t value) {
  for (size_t i = 0; i < size; i++) at[i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

static uint64_t get(const uint8_t *at, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++) value = value << 8 | at[i];
  return value;
}

void append_remember(struct tx *tx, struct frame *last, struct ff_str request_id,
                     const struct append_answer *answer) {
  size_t size = AT_SUMMARIES + (answer->count + 7) / 8;
  uint8_t *bytes = arena_zalloc(tx_arena(tx), size);
  uint64_t version = 0;
  for (size_t i = answer->count; i-- > 0;) {
    if (!answer->slots[i].summary_version) continue;
    version = answer->slots[i].summary_version - 1;
    bytes[AT_SUMMARIES + i / 8] |= (uint8_t)(1u << i % 8);
  }
  put(bytes, 8, answer->slots[0].frame_count);
  put(bytes + AT_COUNT, 4, answer->count);
  put(bytes + AT_VERSION, 8, version);
  last->request_id = request_id;
  last->request_answer = (struct ff_bytes){bytes, size};
}

static struct frame request_key(const struct stream *key, struct ff_str request_id) {
  return (struct frame){.partition = key->partition,
                        .execution_id = key->execution_id,
                        .attempt_index = key->attempt_index,
                        .request_id = request_id};
}

void append_declare_request(struct declare *d, const struct stream *key, struct ff_str request_id) {
  struct frame from = request_key(key, request_id);
  if (text_nonempty(request_id)) declare_scan(d, INDEX_frame_by_request, &from, false, 1);
}

static enum ff_rc read_answer(struct tx *tx, const struct frame *last, struct append_answer *answer,
                              struct ff_error *e) {
  const uint8_t *bytes = last->request_answer.ptr;
  size_t size = last->request_answer.len;
  uint64_t count = size > AT_SUMMARIES ? get(bytes + AT_COUNT, 4) : 0;
  if (!count || size != AT_SUMMARIES + (count + 7) / 8 || last->n + 1 < count)
    return error_field(e, FF_CODE_corruption, "frame", "append_frame: frame: impossible answer");
  uint64_t frames = get(bytes, 8), version = get(bytes + AT_VERSION, 8);
  answer->count = count;
  answer->slots = ARENA_ARRAY(tx_arena(tx), struct ff_frame_slot, count);
  for (size_t i = 0; i < count; i++) {
    bool summary = bytes[AT_SUMMARIES + i / 8] >> i % 8 & 1;
    uint64_t n = last->n + 1 - count + i;
    answer->slots[i] = (struct ff_frame_slot){
        .stream_id = stream_position_print(tx_arena(tx), (uint64_t)last->ms, n),
        .frame_count = frames + i,
        .summary_version = summary ? ++version : 0};
  }
  return FF_OK;
}

enum ff_rc append_recall(struct tx *tx, const struct stream *key, struct ff_str request_id,
                         struct append_answer *answer, struct ff_error *e) {
  struct frame from = request_key(key, request_id);
  struct tx_scan scan;
  const void *last = NULL;
  if (!text_nonempty(request_id)) return FF_OK;
  TRY(tx_scan_open(tx, INDEX_frame_by_request, &from, false, 1, &scan));
  TRY(tx_scan_next(&scan, &last));
  return last ? read_answer(tx, last, answer, e) : FF_OK;
}
