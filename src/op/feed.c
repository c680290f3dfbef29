/*
 * Subscriptions as pure functions over events: see feed.h.
 */
#include "op/feed.h"

#include "op/execution.h"
#include "op/read.h"

enum {
  FEED_LIMIT_DEFAULT = 256, /* 05 SU-20 */
  FEED_LIMIT_MAX = 1024,    /* SU-21 */
  FEED_CURSOR_MAX = 16384,
  FEED_WAIT_MAX_MS = 3600000
};

/* ---- arguments ---- */

#define SAME_LAYOUT(name)                                                                    \
  static_assert(sizeof(struct feed_args) == sizeof(struct ff_subscribe_##name##_args) &&     \
                    offsetof(struct feed_args, filter) ==                                    \
                        offsetof(struct ff_subscribe_##name##_args, filter) &&               \
                    offsetof(struct feed_args, max_wait_ms) ==                               \
                        offsetof(struct ff_subscribe_##name##_args, max_wait_ms),            \
                "the arguments of all subscriptions are laid out alike");                    \
  static_assert(sizeof(struct feed_result) == sizeof(struct ff_subscribe_##name##_result) && \
                    offsetof(struct feed_result, next_cursor) ==                             \
                        offsetof(struct ff_subscribe_##name##_result, next_cursor) &&        \
                    offsetof(struct feed_result, dropped) ==                                 \
                        offsetof(struct ff_subscribe_##name##_result, dropped),              \
                "the answers of all subscriptions are laid out alike")
SAME_LAYOUT(lease_history);
SAME_LAYOUT(completion);
SAME_LAYOUT(signal_delivery);
SAME_LAYOUT(instance_tags);

static enum ff_rc filter_check(const struct ff_event_filter *f, struct ff_error *e) {
  TRY(text_check(f->namespace_, "namespace", NAME_MAX_BYTES, e));
  TRY(text_check(f->tag_key, "tag_key", TAG_KEY_MAX_BYTES, e));
  TRY(text_check(f->tag_value, "tag_value", TAG_VALUE_MAX_BYTES, e));
  if (text_present(f->tag_key) == text_present(f->tag_value)) return FF_OK;
  return error_field(e, FF_CODE_invalid_input,
                     text_present(f->tag_key) ? "tag_value" : "tag_key",
                     "tag_key and tag_value go together");
}

enum ff_rc feed_args_check(struct feed_args *a, struct ff_error *e) {
  if (a->limit > FEED_LIMIT_MAX)
    return error_field(e, FF_CODE_invalid_input, "limit", "must be at most %d, got %u",
                       FEED_LIMIT_MAX, a->limit);
  if (a->limit == 0) a->limit = FEED_LIMIT_DEFAULT;
  if (a->max_wait_ms > FEED_WAIT_MAX_MS)
    return error_field(e, FF_CODE_invalid_input, "max_wait_ms", "must be at most %d, got %llu",
                       FEED_WAIT_MAX_MS, (unsigned long long)a->max_wait_ms);
  if (a->cursor.len > FEED_CURSOR_MAX)
    return error_field(e, FF_CODE_invalid_input, "cursor", "%zu bytes, limit %d", a->cursor.len,
                       FEED_CURSOR_MAX);
  if (a->from_start && a->cursor.len)
    return error_field(e, FF_CODE_invalid_input, "from_start",
                       "a cursor says already where to start");
  return filter_check(&a->filter, e);
}

/* ---- the filter (SU-70 ... SU-75) ---- */

static bool passes(const struct ff_event_filter *f, const struct event *event,
                   struct arena *arena) {
  if (text_present(f->namespace_) &&
      !(text_present(event->namespace_) && text_equal(f->namespace_, event->namespace_)))
    return false;
  if (!text_present(f->tag_key)) return true;
  struct ff_pairs tags = tags_decode(arena, event->tags);
  for (size_t i = 0; i < tags.count; i++)
    if (text_equal(tags.items[i].key, f->tag_key))
      return text_equal(tags.items[i].value, f->tag_value);
  return false;
}

/* ---- views ---- */

/* The five kinds of the family: a release by the holder's own call is shown as revoked (SU-35),
 * the start of a replay is no change of ownership. */
static enum ff_lease_event public_kind(const struct event *event) {
  switch ((enum ff_lease_event)event->lease_event) {
    case FF_lease_event_released: return FF_lease_event_revoked;
    case FF_lease_event_replay_initiated: return FF_lease_event_none;
    default: return (enum ff_lease_event)event->lease_event;
  }
}

static void view_id(const struct event *event, struct ff_id *out) {
  exec_id_format((struct exec_id){event->partition, event->execution_id}, out);
}

static bool view_lease(const struct event *event, void *out) {
  struct ff_lease_history_event *item = out;
  enum ff_lease_event kind = public_kind(event);
  if (kind == FF_lease_event_none) return false;
  *item = (struct ff_lease_history_event){.at = event->at, .kind = (uint8_t)kind};
  view_id(event, &item->execution_id);
  uuid_format_id(event->lease_id,
                 kind == FF_lease_event_reclaimed ? &item->new_lease_id : &item->lease_id);
  if (kind == FF_lease_event_reclaimed)
    item->new_owner = event->worker_instance_id;
  else if (kind == FF_lease_event_expired)
    item->prev_owner = event->worker_instance_id;
  else if (kind != FF_lease_event_revoked)
    item->worker_instance_id = event->worker_instance_id;
  if (kind == FF_lease_event_revoked) {
    item->revoked_by = event->revoked_by;
    item->reason = event->reason;
  }
  return true;
}

static bool view_completion(const struct event *event, void *out) {
  struct ff_completion_event *item = out;
  if (event->completion == FF_terminal_outcome_none) return false;
  *item = (struct ff_completion_event){.at = event->at, .outcome = event->completion};
  view_id(event, &item->execution_id);
  if (!uuid_is_nil(event->flow_id)) uuid_format_id(event->flow_id, &item->flow_id);
  return true;
}

static bool view_signal(const struct event *event, void *out) {
  struct ff_signal_delivery_event *item = out;
  if (event->signal_delivery == FF_signal_delivery_none) return false;
  *item = (struct ff_signal_delivery_event){.at = event->at,
                                            .source_identity = event->source_identity,
                                            .effect = event->signal_delivery,
                                            .observed_effect = event->observed_effect};
  view_id(event, &item->execution_id);
  uuid_format_id(event->signal_id, &item->signal_id);
  uuid_format_id(event->waitpoint_id, &item->waitpoint_id);
  return true;
}

static bool view_tag(const struct event *event, void *out) {
  struct ff_instance_tag_event *item = out;
  if (!text_present(event->tag_key)) return false;
  *item = (struct ff_instance_tag_event){
      .at = event->at, .tag = event->tag_key, .value = event->tag_value};
  view_id(event, &item->execution_id);
  return true;
}

static const struct feed {
  enum op_id op;
  size_t item_size;
  bool (*view)(const struct event *, void *item);
} feeds[] = {{OP_subscribe_lease_history, sizeof(struct ff_lease_history_event), view_lease},
             {OP_subscribe_completion, sizeof(struct ff_completion_event), view_completion},
             {OP_subscribe_signal_delivery, sizeof(struct ff_signal_delivery_event), view_signal},
             {OP_subscribe_instance_tags, sizeof(struct ff_instance_tag_event), view_tag}};

static const struct feed *feed_of(enum op_id op) {
  for (size_t i = 0; i < ARRAY_LEN(feeds); i++)
    if (feeds[i].op == op) return &feeds[i];
  return NULL;
}

bool op_is_feed(enum op_id op) { return feed_of(op) != NULL; }
size_t feed_item_size(enum op_id op) { return feed_of(op)->item_size; }

bool feed_view(enum op_id op, const struct ff_event_filter *filter, const struct event *event,
               struct arena *arena, void *item) {
  return passes(filter, event, arena) && feed_of(op)->view(event, item);
}

bool feed_wakes(const struct event *event) {
  return event->completion != FF_terminal_outcome_none ||
         event->signal_delivery != FF_signal_delivery_none ||
         public_kind(event) != FF_lease_event_none || text_present(event->tag_key);
}
