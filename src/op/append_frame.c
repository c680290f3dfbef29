/*
 * append_frame: the holder of a live lease adds a frame to its attempt's stream (05 A.4).
 *
 * The lease is only looked at: a due one is not marked (ST-32). The execution is written once, by
 * the first append of all its attempts, so that its purge knows that there are streams.
 */
#include "op/stream.h"

#define FRAME_MAX_BYTES 65536 /* 01 LM-2 */
#define FRAME_TYPE_MAX_BYTES 128
#define CORRELATION_MAX_BYTES 256
#define RETENTION_MAXLEN 10000

static enum ff_rc check_frame_type(struct ff_str type, struct ff_error *e) {
  TRY(text_check(type, "frame_type", FRAME_TYPE_MAX_BYTES, e));
  for (size_t i = 0; i < type.len; i++)
    if ((unsigned char)type.ptr[i] < ' ' || type.ptr[i] == 0x7f)
      return error_field(e, FF_CODE_invalid_input, "frame_type", "control character at %zu", i);
  return FF_OK;
}

static enum ff_rc append_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_append_frame_args *a = args;
  (void)arena;
  TRY(handle_check_tag(config, &a->handle, e));
  if (a->bytes.len > FRAME_MAX_BYTES)
    return error_field(e, FF_CODE_retention_limit_exceeded, "bytes", "at most %d bytes, got %zu",
                       FRAME_MAX_BYTES, a->bytes.len);
  TRY(check_frame_type(a->frame_type, e));
  TRY(text_check(a->correlation_id, "correlation_id", CORRELATION_MAX_BYTES, e));
  if (a->has_seq && a->seq > INT64_MAX)
    return error_field(e, FF_CODE_invalid_input, "seq", "%llu is above 2^63-1",
                       (unsigned long long)a->seq);
  return handle_decode(&a->handle, config->backend, config->flow_partitions, prep, e);
}

static struct stream stream_key(const struct handle_body *h) {
  return (struct stream){.partition = h->execution.partition,
                         .execution_id = h->execution.uuid,
                         .attempt_index = h->attempt_index};
}

static void append_declare(struct declare *d, const void *args, const void *prep) {
  struct stream key = stream_key(prep);
  declare_prepared_execution(d, args, prep);
  declare_get(d, RECORD_KIND_stream, &key);
}

/* Checks 5 … 9 of 05 A.4. What is active and leased has an open stream: check 10. */
static enum ff_rc check_owner(struct tx *tx, const struct execution *x,
                              const struct handle_body *h, struct ff_error *e) {
  if (x->lifecycle_phase != FF_lifecycle_phase_active)
    return error_set(e, FF_CODE_stream_closed, NULL);
  if (x->ownership_state != FF_ownership_state_leased || tx_now(tx) >= x->lease_expires_at ||
      h->attempt_index != x->attempt_index || !uuid_equal(h->lease_id, x->lease_id) ||
      h->lease_epoch != x->current_lease_epoch || !uuid_equal(h->attempt_id, x->attempt_id))
    return error_set(e, FF_CODE_stale_owner_cannot_append, NULL);
  tx_valid_before(tx, x->lease_expires_at);
  return FF_OK;
}

/* What no append of ours can have left behind; counting on from there would leave the range of
 * stored numbers. */
static enum ff_rc check_stored(const struct stream *s, struct ff_error *e) {
  const uint64_t max = INT64_MAX - FRAME_MAX_BYTES;
  if (s->last_ms >= 0 && s->frame_count <= max && s->total_bytes <= max && s->last_n <= max &&
      s->retained <= s->frame_count && s->retained <= s->retention_maxlen)
    return FF_OK;
  return error_field(e, FF_CODE_corruption, "stream", "append_frame: stream: impossible counts");
}

static enum ff_rc open_stream(struct tx *tx, const struct execution *x,
                              const struct handle_body *h, struct stream **out,
                              struct ff_error *e) {
  struct stream key = stream_key(h);
  const struct stream *stored = NULL;
  struct policy_facts policy;
  TRY(tx_get_stream(tx, &key, &stored));
  if (stored) {
    TRY(check_stored(stored, e));
    *out = tx_edit_stream(tx, stored);
    return FF_OK;
  }
  TRY(execution_policy(tx, x, &policy, e));
  *out = tx_insert_stream(tx, &key);
  (*out)->created_at = tx_now(tx);
  (*out)->retention_maxlen =
      policy.stream_maxlen > 0 ? (uint64_t)policy.stream_maxlen : RETENTION_MAXLEN;
  if (!x->has_stream) tx_edit_execution(tx, x)->has_stream = true;
  return FF_OK;
}

/* Room for one more: the total cap of 05 A.5. */
static enum ff_rc trim_oldest(struct tx *tx, struct stream *s) {
  if (s->retained < s->retention_maxlen) {
    s->retained++;
    return FF_OK;
  }
  struct frame from = {.partition = s->partition,
                       .execution_id = s->execution_id,
                       .attempt_index = s->attempt_index};
  struct tx_scan scan;
  const void *oldest = NULL;
  TRY(tx_scan_open(tx, INDEX_frame_by_stream, &from, false, 1, &scan));
  TRY(tx_scan_next(&scan, &oldest));
  if (oldest) tx_delete_frame(tx, oldest);
  return FF_OK;
}

/* ST-20: ids grow even when the clock steps back. */
static void next_id(struct stream *s, int64_t now) {
  bool later = s->frame_count == 0 || now > s->last_ms;
  s->last_n = later ? 0 : s->last_n + 1;
  if (later) s->last_ms = now;
}

/* ST-10 */
static struct ff_str effective_type(const struct ff_append_frame_args *a) {
  if (text_nonempty(a->frame_type)) return a->frame_type;
  const char *word = ff_word(FF_WORD_frame_kind, a->kind);
  return word ? ff_text(word) : TEXT_LIT("event");
}

static void insert_frame(struct tx *tx, const struct stream *s,
                         const struct ff_append_frame_args *a) {
  struct frame key = {.partition = s->partition,
                      .execution_id = s->execution_id,
                      .attempt_index = s->attempt_index,
                      .ms = s->last_ms,
                      .n = s->last_n};
  struct frame *f = tx_insert_new_frame(tx, &key);
  f->appended_at = tx_now(tx);
  f->frame_type = effective_type(a);
  if (a->bytes.len) f->payload = a->bytes;
  if (a->correlation_id.len) f->correlation_id = a->correlation_id;
  f->has_seq = a->has_seq;
  f->seq = a->has_seq ? a->seq : 0;
}

static enum ff_rc append_run(struct tx *tx, const void *args, const void *prep, void *result_,
                             struct ff_error *e) {
  const struct ff_append_frame_args *a = args;
  const struct handle_body *h = prep;
  struct ff_append_frame_result *result = result_;
  const struct execution *x = NULL;
  struct stream *s = NULL;
  TRY(execution_load(tx, h->execution, &x, e));
  TRY(check_owner(tx, x, h, e));
  TRY(open_stream(tx, x, h, &s, e));
  TRY(trim_oldest(tx, s));
  next_id(s, tx_now(tx));
  insert_frame(tx, s, a);
  s->frame_count++;
  s->total_bytes += a->bytes.len;
  s->last_frame_at = tx_now(tx);
  result->stream_id = stream_position_print(tx_arena(tx), (uint64_t)s->last_ms, s->last_n);
  result->frame_count = s->frame_count;
  return FF_OK;
}

const struct op_code op_code_append_frame = {sizeof(struct handle_body), append_prepare,
                                             append_declare, append_run};
