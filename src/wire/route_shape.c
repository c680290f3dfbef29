/*
 * Answers whose shape no line of routes.def can say: those of 07 §1.3 that old clients know.
 */
#include "base/json.h"
#include "flowfabric/flowfabric.h"
#include "op/values.h"
#include "wire/route.h"

/* ---- pieces ---- */

static void put(struct buffer *out, const char *name, struct ff_str text) {
  if (out->ptr[out->len - 1] != '{') buffer_append_char(out, ',');
  buffer_printf(out, "\"%s\":", name);
  if (text.ptr) json_write_text(out, text);
  else buffer_append_c(out, "null");
}

/* Left out when absent. */
static void put_if(struct buffer *out, const char *name, struct ff_str text) {
  if (text_nonempty(text)) put(out, name, text);
}

static void put_word(struct buffer *out, const char *name, enum ff_word_enum words, int value) {
  const char *word = ff_word(words, value);
  put(out, name, ff_text(word ? word : "?"));
}

static void put_time_if(struct buffer *out, const char *name, int64_t ms) {
  if (ms) buffer_printf(out, ",\"%s\":%lld", name, (long long)ms);
}

static struct ff_str id_text(const struct ff_id *id) {
  return id->text[0] ? ff_text(id->text) : (struct ff_str){NULL, 0};
}

/* ---- 07, R-7 ---- */

static void shape_ids(const void *result, struct route_answer *a) {
  const struct ff_list_executions_result *r = result;
  buffer_append_c(a->body, "{\"executions\":[");
  for (size_t i = 0; i < r->executions.count; i++) {
    if (i) buffer_append_char(a->body, ',');
    json_write_text(a->body, ff_text(r->executions.items[i].execution_id.text));
  }
  buffer_append_char(a->body, ']');
  put(a->body, "next_cursor", r->next_cursor);
  buffer_append_char(a->body, '}');
}

static void put_vector(struct buffer *out, const struct ff_read_execution_info_result *r) {
  buffer_append_c(out, ",\"state_vector\":{");
  put_word(out, "lifecycle_phase", FF_WORD_lifecycle_phase, r->lifecycle_phase);
  put_word(out, "ownership_state", FF_WORD_ownership_state, r->ownership_state);
  put_word(out, "eligibility_state", FF_WORD_eligibility_state, r->eligibility_state);
  put_word(out, "blocking_reason", FF_WORD_blocking_reason, r->blocking_reason);
  put_word(out, "terminal_outcome", FF_WORD_terminal_outcome, r->terminal_outcome);
  put_word(out, "attempt_state", FF_WORD_attempt_state, r->attempt_state);
  put_word(out, "public_state", FF_WORD_public_state, r->public_state);
  buffer_append_char(out, '}');
}

static struct ff_str or_empty(struct ff_str text) { return text.ptr ? text : TEXT_LIT(""); }

static void shape_info(const void *result, struct route_answer *a) {
  const struct ff_read_execution_info_result *r = result;
  struct buffer *out = a->body;
  buffer_append_char(out, '{');
  put(out, "execution_id", id_text(&r->execution_id));
  put(out, "namespace", or_empty(r->namespace_));
  put(out, "lane_id", or_empty(r->lane_id));
  buffer_printf(out, ",\"priority\":%d", r->priority);
  put(out, "execution_kind", or_empty(r->execution_kind));
  put_vector(out, r);
  put_word(out, "public_state", FF_WORD_public_state, r->public_state);
  put(out, "created_at", or_empty(r->created_at));
  put_if(out, "started_at", r->started_at);
  put_if(out, "completed_at", r->completed_at);
  buffer_printf(out, ",\"current_attempt_index\":%u", r->current_attempt_index);
  put(out, "flow_id", id_text(&r->flow_id));
  put(out, "blocking_detail", or_empty(r->blocking_detail));
  buffer_append_char(out, '}');
}

static void put_waitpoint(struct buffer *out, const struct ff_pending_waitpoint *w) {
  buffer_append_char(out, '{');
  put(out, "waitpoint_id", id_text(&w->waitpoint_id));
  put(out, "waitpoint_key", or_empty(w->waitpoint_key));
  put_word(out, "state", FF_WORD_waitpoint_state, w->state);
  buffer_append_c(out, ",\"required_signal_names\":[");
  for (size_t i = 0; i < w->required_signal_names.count; i++) {
    if (i) buffer_append_char(out, ',');
    json_write_text(out, w->required_signal_names.items[i]);
  }
  buffer_printf(out, "],\"created_at\":%lld", (long long)w->created_at);
  put_time_if(out, "activated_at", w->activated_at);
  put_time_if(out, "expires_at", w->expires_at);
  put(out, "execution_id", id_text(&w->execution_id));
  put(out, "token_kid", or_empty(w->token_kid));
  put(out, "token_fingerprint", or_empty(w->token_fingerprint));
  buffer_append_char(out, '}');
}

static void shape_waitpoints(const void *result, struct route_answer *a) {
  const struct ff_list_pending_waitpoints_result *r = result;
  buffer_append_char(a->body, '[');
  for (size_t i = 0; i < r->entries.count; i++) {
    if (i) buffer_append_char(a->body, ',');
    put_waitpoint(a->body, &r->entries.items[i]);
  }
  buffer_append_char(a->body, ']');
  if (text_nonempty(r->next_cursor))
    snprintf(a->headers, sizeof a->headers, "X-Next-Cursor: " TEXT_FMT "\r\n",
             TEXT_ARG(r->next_cursor));
}

static void shape_token(const void *result, struct route_answer *a) {
  const struct ff_read_waitpoint_token_result *r = result;
  snprintf(a->headers, sizeof a->headers, "Cache-Control: no-store\r\n");
  buffer_append_char(a->body, '{');
  if (!text_nonempty(r->token)) {
    a->status = 404;
    put(a->body, "error",
        TEXT_LIT("waitpoint token not found (consumed, expired, or unknown id)"));
  } else {
    put(a->body, "token", r->token);
  }
  buffer_append_char(a->body, '}');
}

static void shape_result(const void *result, struct route_answer *a) {
  const struct ff_get_execution_result_result *r = result;
  if (r->outcome == FF_outcome_ok && r->payload.ptr) {
    a->content_type = "application/octet-stream";
    buffer_append(a->body, r->payload.ptr, r->payload.len);
    return;
  }
  a->status = 404;
  buffer_append_c(a->body, "{\"error\":\"execution result not found\"}");
}

/* ---- 07 R-41: every value of a frame is text ---- */

static void put_number(struct buffer *out, const char *name, uint64_t n, bool present) {
  char text[24];
  snprintf(text, sizeof text, "%llu", (unsigned long long)n);
  if (present) put(out, name, ff_text(text));
}

static void put_payload(struct buffer *out, const struct ff_frame *f) {
  if (!text_equal_c(f->encoding, "base64")) {
    put(out, "payload", or_empty(text_of(f->payload.ptr, f->payload.len)));
    return;
  }
  buffer_append_c(out, ",\"payload\":\"");
  base64_append(out, f->payload);
  buffer_append_char(out, '"');
}

static void put_frame(struct buffer *out, const struct ff_frame *f) {
  buffer_append_char(out, '{');
  put(out, "id", f->id);
  buffer_append_c(out, ",\"fields\":{");
  put_if(out, "correlation_id", f->correlation_id);
  put(out, "encoding", or_empty(f->encoding));
  put(out, "frame_type", or_empty(f->frame_type));
  put_if(out, "mode", f->mode);
  put_payload(out, f);
  put_number(out, "seq", f->seq, f->has_seq);
  put(out, "source", or_empty(f->source));
  put_number(out, "summary_version", f->summary_version, f->summary_version > 0);
  put_number(out, "ts", (uint64_t)f->ts, true);
  put_number(out, "ttl_ms", f->ttl_ms, f->ttl_ms > 0);
  buffer_append_c(out, "}}");
}

/* read_stream and tail_stream answer the same struct but for its name. */
static void shape_frames(const void *result, struct route_answer *a) {
  const struct ff_read_stream_result *r = result;
  buffer_append_c(a->body, "{\"frames\":[");
  for (size_t i = 0; i < r->frames.count; i++) {
    if (i) buffer_append_char(a->body, ',');
    put_frame(a->body, &r->frames.items[i]);
  }
  buffer_printf(a->body, "],\"count\":%zu", r->frames.count);
  put_time_if(a->body, "closed_at", r->closed_at);
  if (r->closed_at) put_if(a->body, "closed_reason", r->closed_reason);
  buffer_append_char(a->body, '}');
}

_Static_assert(sizeof(struct ff_read_stream_result) == sizeof(struct ff_tail_stream_result) &&
                   offsetof(struct ff_read_stream_result, closed_reason) ==
                       offsetof(struct ff_tail_stream_result, closed_reason),
               "one shape for both");

/* ---- ours ---- */

static void shape_ok(const void *result, struct route_answer *a) {
  (void)result;
  buffer_append_c(a->body, "{\"ok\":true}");
}

/* 07 U-71 */
static void shape_capabilities(const void *result, struct route_answer *a) {
  const struct ff_capabilities_result *r = result;
  struct buffer *out = a->body;
  unsigned major = 0, minor = 0, patch = 0;
  char version[40];
  snprintf(version, sizeof version, TEXT_FMT, TEXT_ARG(r->version));
  (void)sscanf(version, "%u.%u.%u", &major, &minor, &patch);
  buffer_append_c(out, "{\"identity\":{");
  put(out, "family", r->family);
  buffer_printf(out, ",\"version\":{\"major\":%u,\"minor\":%u,\"patch\":%u}", major, minor, patch);
  put(out, "stage", r->stage);
  buffer_append_c(out, "},\"supports\":{");
  for (size_t i = 0; i < r->supports.count; i++) {
    if (i) buffer_append_char(out, ',');
    json_write_text(out, r->supports.items[i].key);
    buffer_append_char(out, ':');
    buffer_append_text(out, r->supports.items[i].value);
  }
  buffer_append_c(out, "}}");
}

static const struct {
  const char *name;
  void (*write)(const void *result, struct route_answer *);
} shapes[] = {{"ids", shape_ids},       {"info", shape_info},     {"waitpoints", shape_waitpoints},
              {"token", shape_token},   {"result", shape_result}, {"frames", shape_frames},
              {"ok", shape_ok},         {"capabilities", shape_capabilities}};

void route_shape(struct ff_str name, const struct ff_struct *s, const void *result,
                 struct route_answer *a) {
  (void)s;
  for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
    if (text_equal_c(name, shapes[i].name)) {
      shapes[i].write(result, a);
      return;
    }
  INVARIANT(false);
}
