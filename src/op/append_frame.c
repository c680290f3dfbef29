/*
 * append_frame, append_frames: the holder of a live lease adds frames to its attempt's stream (05 A.4).
 *
 * The lease is only looked at: a due one is not marked (ST-32). The execution is written once, by
 * the first append of all its attempts, so that its purge knows that there are streams.
 */
#include "op/stream.h"

#define FRAME_MAX_BYTES 65536 /* 01 LM-2 */
#define FRAME_TYPE_MAX_BYTES 128
#define CORRELATION_MAX_BYTES 256
#define RETENTION_MAXLEN 10000
#define FRAMES_MAX 1000
#define FRAMES_MAX_BYTES (8u << 20)

struct append_prep {
  struct handle_body handle;
  struct stream_entry *entries;
  size_t count;
  bool many;
  struct ff_str request_id;
  struct ff_frame_input one_frame; /* of append_frame */
  struct stream_entry one_entry;
};

/* ---- arguments: checks 1 … 3 of 05 A.4 ---- */

static enum ff_rc check_frame_type(struct ff_str type, struct ff_error *e) {
  TRY(text_check(type, "frame_type", FRAME_TYPE_MAX_BYTES, e));
  for (size_t i = 0; i < type.len; i++)
    if ((unsigned char)type.ptr[i] < ' ' || type.ptr[i] == 0x7f)
      return error_field(e, FF_CODE_invalid_input, "frame_type", "control character at %zu", i);
  return FF_OK;
}

static enum ff_rc check_size(const struct ff_frame_input *f, struct ff_error *e) {
  if (f->bytes.len <= FRAME_MAX_BYTES) return FF_OK;
  return error_field(e, FF_CODE_retention_limit_exceeded, "bytes", "at most %d bytes, got %zu",
                     FRAME_MAX_BYTES, f->bytes.len);
}

static enum ff_rc check_frame(const struct ff_frame_input *f, struct ff_error *e) {
  TRY(check_frame_type(f->frame_type, e));
  TRY(text_check(f->correlation_id, "correlation_id", CORRELATION_MAX_BYTES, e));
  if (f->has_seq && f->seq > INT64_MAX)
    return error_field(e, FF_CODE_invalid_input, "seq", "%llu is above 2^63-1",
                       (unsigned long long)f->seq);
  if (f->mode >= FF_frame_mode_COUNT)
    return error_field(e, FF_CODE_invalid_input, "mode", "unknown value %u", f->mode);
  return FF_OK;
}

/* Only of an append of several: names the frame at fault. */
static enum ff_rc at_entry(const struct append_prep *p, size_t i, enum ff_rc rc,
                           struct ff_error *e) {
  if (rc != FF_OK && p->many) error_context(e, "index", "%zu", i);
  return rc;
}

static enum ff_rc prepare_entries(const struct op_config *config, const struct ff_handle *handle,
                                  struct append_prep *p, struct arena *arena, struct ff_error *e) {
  for (size_t i = 0; i < p->count; i++)
    TRY(at_entry(p, i, check_size(p->entries[i].frame, e), e));
  for (size_t i = 0; i < p->count; i++)
    TRY(at_entry(p, i, check_frame(p->entries[i].frame, e), e));
  TRY(text_check(p->request_id, "request_id", REQUEST_ID_MAX_BYTES, e));
  for (size_t i = 0; i < p->count; i++) {
    struct stream_entry *entry = &p->entries[i];
    struct ff_str text = text_of(entry->frame->bytes.ptr, entry->frame->bytes.len);
    if (entry->frame->mode == FF_frame_mode_summary)
      entry->fault = merge_patch_read(text, arena, &entry->patch);
  }
  return handle_decode(handle, config->backend, config->flow_partitions, &p->handle, e);
}

static enum ff_rc append_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_append_frame_args *a = args;
  struct append_prep *p = prep;
  TRY(handle_check_tag(config, &a->handle, e));
  p->one_frame = (struct ff_frame_input){.bytes = a->bytes,
                                         .kind = a->kind,
                                         .frame_type = a->frame_type,
                                         .correlation_id = a->correlation_id,
                                         .has_seq = a->has_seq,
                                         .seq = a->seq,
                                         .mode = a->mode,
                                         .patch_kind = a->patch_kind,
                                         .ttl_ms = a->ttl_ms,
                                         .maxlen_floor = a->maxlen_floor,
                                         .maxlen_ceiling = a->maxlen_ceiling,
                                         .ema_alpha = a->ema_alpha};
  p->request_id = a->request_id;
  p->one_entry.frame = &p->one_frame;
  p->entries = &p->one_entry;
  p->count = 1;
  return prepare_entries(config, &a->handle, p, arena, e);
}

static enum ff_rc append_many_prepare(const struct op_config *config, const void *args, void *prep,
                                      struct arena *arena, struct ff_error *e) {
  const struct ff_append_frames_args *a = args;
  struct append_prep *p = prep;
  size_t bytes = 0;
  TRY(handle_check_tag(config, &a->handle, e));
  if (a->frames.count > FRAMES_MAX)
    return error_field(e, FF_CODE_invalid_input, "frames", "at most %d items a call, got %zu",
                       FRAMES_MAX, a->frames.count);
  p->many = true;
  p->request_id = a->request_id;
  p->count = a->frames.count;
  p->entries = ARENA_ARRAY(arena, struct stream_entry, p->count + 1);
  for (size_t i = 0; i < p->count; i++) {
    p->entries[i].frame = &a->frames.items[i];
    bytes += a->frames.items[i].bytes.len;
  }
  if (bytes > FRAMES_MAX_BYTES)
    return error_field(e, FF_CODE_invalid_input, "frames", "at most %u bytes a call, got %zu",
                       FRAMES_MAX_BYTES, bytes);
  return prepare_entries(config, &a->handle, p, arena, e);
}

static struct stream stream_key(const struct handle_body *h) {
  return (struct stream){.partition = h->execution.partition,
                         .execution_id = h->execution.uuid,
                         .attempt_index = h->attempt_index};
}

static bool has_summary(const struct append_prep *p) {
  for (size_t i = 0; i < p->count; i++)
    if (p->entries[i].frame->mode == FF_frame_mode_summary) return true;
  return false;
}

static void append_declare(struct declare *d, const void *args, const void *prep) {
  const struct append_prep *p = prep;
  struct stream key = stream_key(&p->handle);
  declare_prepared_execution(d, args, prep);
  declare_get(d, RECORD_KIND_stream, &key);
  append_declare_request(d, &key, p->request_id);
  if (!has_summary(p)) return;
  struct summary summary_key = {.partition = key.partition,
                                .execution_id = key.execution_id,
                                .attempt_index = key.attempt_index};
  declare_get(d, RECORD_KIND_summary, &summary_key);
}

/* ---- the state: checks 5 … 14 ---- */

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

static enum ff_rc check_patch(const struct stream_entry *entry, struct ff_error *e) {
  struct ff_str kind = entry->frame->patch_kind;
  if (text_nonempty(kind) && !text_equal_c(kind, "json-merge-patch"))
    return error_field(e, FF_CODE_invalid_input, "patch_kind", "must be json-merge-patch");
  switch (entry->fault) {
    case MERGE_PATCH_NOT_JSON:
      return error_field(e, FF_CODE_invalid_input, "bytes", "patch payload is not valid JSON");
    case MERGE_PATCH_NOT_OBJECT:
      return error_field(e, FF_CODE_invalid_input, "bytes", "patch must be a JSON object");
    case MERGE_PATCH_TOO_DEEP:
      return error_field(e, FF_CODE_invalid_input, "bytes", "patch_depth_exceeded");
    default: return FF_OK;
  }
}

/* What no append of ours can have left behind; counting on from there would leave the range of
 * stored numbers. */
static enum ff_rc check_stored(const struct stream *s, struct ff_error *e) {
  const uint64_t max = INT64_MAX - FRAMES_MAX_BYTES;
  if (s->last_ms >= 0 && s->frame_count <= max && s->total_bytes <= max && s->last_n <= max &&
      s->retained <= s->frame_count && s->retained <= s->retention_maxlen &&
      s->retained_summary <= s->retained &&
      s->retained_best_effort <= s->retained - s->retained_summary && s->last_append_ts_ms >= 0)
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
    return stream_is_expired(stored, tx_now(tx)) ? stream_drop_frames(tx, *out) : FF_OK;
  }
  TRY(execution_policy(tx, x, &policy, e));
  *out = tx_insert_stream(tx, &key);
  (*out)->created_at = tx_now(tx);
  (*out)->retention_maxlen =
      policy.stream_maxlen > 0 ? (uint64_t)policy.stream_maxlen : RETENTION_MAXLEN;
  if (!x->has_stream) tx_edit_execution(tx, x)->has_stream = true;
  return FF_OK;
}

/* ---- appending ---- */

/* ST-20: ids grow even when the clock steps back. */
static void next_id(struct stream *s, int64_t now) {
  bool later = s->frame_count == 0 || now > s->last_ms;
  s->last_n = later ? 0 : s->last_n + 1;
  if (later) s->last_ms = now;
}

/* ST-10 */
static struct ff_str effective_type(const struct ff_frame_input *f) {
  if (text_nonempty(f->frame_type)) return f->frame_type;
  const char *word = ff_word(FF_WORD_frame_kind, f->kind);
  return word ? ff_text(word) : TEXT_LIT("event");
}

static struct frame *insert_frame(struct tx *tx, const struct stream *s,
                                  const struct stream_entry *entry) {
  struct frame key = {.partition = s->partition,
                      .execution_id = s->execution_id,
                      .attempt_index = s->attempt_index,
                      .ms = entry->ms,
                      .n = entry->n};
  const struct ff_frame_input *in = entry->frame;
  struct frame *f = tx_insert_new_frame(tx, &key);
  f->appended_at = tx_now(tx);
  f->frame_type = effective_type(in);
  if (in->bytes.len) f->payload = in->bytes;
  if (in->correlation_id.len) f->correlation_id = in->correlation_id;
  f->has_seq = in->has_seq;
  f->seq = in->has_seq ? in->seq : 0;
  f->frame_mode = in->mode;
  f->summary_version = entry->summary_version;
  f->ttl_ms = in->mode == FF_frame_mode_best_effort ? in->ttl_ms : 0;
  return f;
}

static void count_entry(struct tx *tx, struct stream *s, struct stream_entry *entry) {
  next_id(s, tx_now(tx));
  entry->ms = s->last_ms;
  entry->n = s->last_n;
  s->frame_count++;
  s->total_bytes += entry->frame->bytes.len;
  s->last_frame_at = tx_now(tx);
  stream_note_mode(tx, s, entry->frame);
}

/* The entries that are kept; the caps always keep the newest. */
static void insert_entries(struct tx *tx, const struct stream *s, const struct append_prep *p,
                           const struct stream_entry *entries, const struct append_answer *answer) {
  struct frame *last = NULL;
  for (size_t i = 0; i < p->count; i++)
    if (!entries[i].dropped) last = insert_frame(tx, s, &entries[i]);
  bool newest = last && !entries[p->count - 1].dropped;
  if (newest && text_nonempty(p->request_id)) append_remember(tx, last, p->request_id, answer);
}

/* The entries in the transaction's arena, with their places; slots, one for each, say them. */
static enum ff_rc append_entries(struct tx *tx, struct stream *s, const struct append_prep *p,
                                 struct append_answer *answer, struct ff_error *e) {
  struct ff_frame_slot *slots = answer->slots;
  struct stream_entry *entries = arena_copy(tx_arena(tx), p->entries, p->count * sizeof *entries);
  struct summary_draft draft;
  bool summary = has_summary(p);
  if (summary) TRY(summary_load(tx, s, &draft, e));
  for (size_t i = 0; i < p->count; i++) {
    count_entry(tx, s, &entries[i]);
    if (entries[i].patch) {
      summary_apply(tx, &draft, entries[i].patch);
      entries[i].summary_version = draft.version;
    }
    slots[i].stream_id =
        stream_position_print(tx_arena(tx), (uint64_t)entries[i].ms, entries[i].n);
    slots[i].frame_count = s->frame_count;
    slots[i].summary_version = entries[i].summary_version;
  }
  if (summary) TRY(summary_store(tx, s, &draft, e));
  TRY(stream_trim(tx, s, entries, p->count));
  insert_entries(tx, s, p, entries, answer);
  return FF_OK;
}

/* An expired stream has forgotten its frames, though they are stored until they are swept (ST-49). */
static enum ff_rc recall(struct tx *tx, const struct append_prep *p, struct append_answer *answer,
                         struct ff_error *e) {
  const struct stream key = stream_key(&p->handle);
  const struct stream *stored = NULL;
  TRY(tx_get_stream(tx, &key, &stored));
  if (!stored || stream_is_expired(stored, tx_now(tx))) return FF_OK;
  return append_recall(tx, &key, p->request_id, answer, e);
}

static enum ff_rc append(struct tx *tx, const struct append_prep *p, struct append_answer *answer,
                         struct ff_error *e) {
  const struct execution *x = NULL;
  struct stream *s = NULL;
  TRY(execution_load(tx, p->handle.execution, &x, e));
  TRY(check_owner(tx, x, &p->handle, e));
  TRY(recall(tx, p, answer, e));
  if (answer->slots) return FF_OK;
  answer->slots = ARENA_ARRAY(tx_arena(tx), struct ff_frame_slot, p->count + 1);
  answer->count = p->count;
  for (size_t i = 0; i < p->count; i++) TRY(at_entry(p, i, check_patch(&p->entries[i], e), e));
  if (p->count == 0) return FF_OK;
  TRY(open_stream(tx, x, &p->handle, &s, e));
  return append_entries(tx, s, p, answer, e);
}

static enum ff_rc append_run(struct tx *tx, const void *args, const void *prep, void *result_,
                             struct ff_error *e) {
  struct ff_append_frame_result *result = result_;
  struct append_answer answer = {0};
  (void)args;
  TRY(append(tx, prep, &answer, e));
  result->stream_id = answer.slots[0].stream_id;
  result->frame_count = answer.slots[0].frame_count;
  result->summary_version = answer.slots[0].summary_version;
  return FF_OK;
}

static enum ff_rc append_many_run(struct tx *tx, const void *args, const void *prep, void *result_,
                                  struct ff_error *e) {
  struct ff_append_frames_result *result = result_;
  struct append_answer answer = {0};
  (void)args;
  TRY(append(tx, prep, &answer, e));
  result->slots = (struct ff_frame_slots){answer.slots, answer.count};
  return FF_OK;
}

const struct op_code op_code_append_frame = {sizeof(struct append_prep), append_prepare,
                                             append_declare, append_run};
const struct op_code op_code_append_frames = {sizeof(struct append_prep), append_many_prepare,
                                              append_declare, append_many_run};
