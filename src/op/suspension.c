/*
 * What operations share about suspensions: bindings as text, closing, resuming, and the signals
 * that arrived.
 *
 * Changes staged records; decides nothing about whether it may.
 */
#include "op/suspension.h"

#include "base/json.h"

#include <stdlib.h>

static const struct ff_str absent;

void declare_suspension(struct declare *d, struct exec_id id) {
  struct suspension key = {.partition = id.partition, .execution_id = id.uuid};
  declare_get(d, RECORD_KIND_suspension, &key);
}

enum ff_rc suspension_get(struct tx *tx, struct exec_id id, const struct suspension **out) {
  struct suspension key = {.partition = id.partition, .execution_id = id.uuid};
  return tx_get_suspension(tx, &key, out);
}

struct suspension *suspension_insert(struct tx *tx, struct exec_id id,
                                     const struct suspension *before) {
  struct suspension key = {.partition = id.partition, .execution_id = id.uuid};
  if (!before) return tx_insert_suspension(tx, &key);
  struct suspension *s = tx_edit_suspension(tx, before);
  struct record_head head = s->head;
  record_init(RECORD_KIND_suspension, s);
  s->head = head;
  record_copy_key(RECORD_KIND_suspension, &key, s);
  return s;
}

/* ---- bindings ---- */

struct ff_str bindings_encode(struct arena *arena, struct bindings bindings) {
  struct buffer out;
  buffer_init(&out);
  for (size_t i = 0; i < bindings.count; i++) {
    char id[37];
    uuid_format(bindings.items[i].waitpoint_id, id);
    buffer_printf(&out, "%c{\"waitpoint_id\":\"%s\",\"waitpoint_key\":", i ? ',' : '[', id);
    json_write_text(&out, bindings.items[i].waitpoint_key);
    buffer_append_char(&out, '}');
  }
  buffer_append_char(&out, ']');
  struct ff_str text = arena_text(arena, buffer_text(&out));
  buffer_fini(&out);
  return text;
}

static bool read_binding(const struct json *value, struct binding *out) {
  const struct json *id = json_member(value, "waitpoint_id");
  const struct json *key = json_member(value, "waitpoint_key");
  if (!id || id->type != JSON_STRING || !key || key->type != JSON_STRING) return false;
  out->waitpoint_key = key->text;
  return uuid_parse(id->text, &out->waitpoint_id);
}

enum ff_rc bindings_decode(struct arena *arena, const struct suspension *s, struct bindings *out,
                           struct ff_error *e) {
  const struct json *array;
  struct json_error where;
  *out = (struct bindings){0};
  bool ok = json_parse(s->bindings, arena, &array, &where) && array->type == JSON_ARRAY &&
            array->count > 0 && array->count <= BINDINGS_MAX;
  if (ok) out->items = ARENA_ARRAY(arena, struct binding, array->count);
  for (const struct json *item = ok ? array->first : NULL; item && ok; item = item->next)
    ok = read_binding(item, &out->items[out->count++]);
  if (ok) return FF_OK;
  return error_field(e, FF_CODE_corruption, "bindings", "suspension: bindings: does not parse");
}

/* ---- closing ---- */

static enum ff_rc load_waitpoints(struct tx *tx, uint16_t partition, struct bindings bindings,
                                  const struct waitpoint **out) {
  enum ff_rc worst = FF_OK;
  for (size_t i = 0; i < bindings.count; i++) {
    enum ff_rc rc = waitpoint_get(tx, partition, bindings.items[i].waitpoint_id, &out[i]);
    if (rc != FF_OK) worst = rc;
  }
  return worst;
}

enum ff_rc suspension_close(struct tx *tx, struct execution *x, const struct suspension *read,
                            const struct suspension_end *end, struct ff_error *e) {
  struct bindings bindings;
  TRY(bindings_decode(tx_arena(tx), read, &bindings, e));
  const struct waitpoint **waitpoints =
      ARENA_ARRAY(tx_arena(tx), const struct waitpoint *, bindings.count);
  TRY(load_waitpoints(tx, x->partition, bindings, waitpoints));
  for (size_t i = 0; i < bindings.count; i++)
    if (waitpoints[i])
      waitpoint_close(tx, tx_edit_waitpoint(tx, waitpoints[i]), end->reason, end->satisfied);
  struct suspension *s = tx_edit_suspension(tx, read);
  s->closed_at = tx_now(tx);
  if (end->satisfied) s->satisfied_at = tx_now(tx);
  s->close_reason = end->reason;
  s->resume_trigger = (uint8_t)end->trigger;
  s->score = 0;
  x->current_suspension_id = (struct uuid){{0}};
  x->current_waitpoint_id = (struct uuid){{0}};
  x->suspension_timeout_at = 0;
  return FF_OK;
}

enum ff_rc suspension_abandon(struct tx *tx, struct execution *x, struct ff_str reason) {
  const struct suspension *s = NULL;
  struct suspension_end end = {reason, FF_resume_trigger_none, false};
  if (x->lifecycle_phase != FF_lifecycle_phase_suspended) return FF_OK;
  TRY(suspension_get(tx, execution_id_of(x), &s));
  if (suspension_is_open(s)) {
    enum ff_rc rc = suspension_close(tx, x, s, &end, NULL);
    if (rc == FF_MISS) return rc; /* a record that does not parse must not keep it from ending */
  }
  x->current_suspension_id = (struct uuid){{0}};
  x->current_waitpoint_id = (struct uuid){{0}};
  x->suspension_timeout_at = 0;
  return FF_OK;
}

enum ff_rc suspension_want(struct tx *tx, const struct execution *x) {
  const struct suspension *s = NULL;
  struct bindings bindings;
  if (x->lifecycle_phase != FF_lifecycle_phase_suspended) return FF_OK;
  TRY(suspension_get(tx, execution_id_of(x), &s));
  if (!suspension_is_open(s)) return FF_OK;
  if (bindings_decode(tx_arena(tx), s, &bindings, NULL) != FF_OK) return FF_OK;
  const struct waitpoint **ignored =
      ARENA_ARRAY(tx_arena(tx), const struct waitpoint *, bindings.count);
  return load_waitpoints(tx, x->partition, bindings, ignored);
}

/* ---- resuming ---- */

static struct ff_str delay_detail(struct arena *arena, uint64_t delay_ms, struct ff_str name) {
  if (!text_present(name))
    return arena_printf(arena, "resume delay %llums", (unsigned long long)delay_ms);
  return arena_printf(arena, "resume delay %llums after signal " TEXT_FMT,
                      (unsigned long long)delay_ms, TEXT_ARG(name));
}

enum ff_rc suspension_resume(struct tx *tx, struct execution *x, const struct suspension *s,
                             const struct suspension_end *end, uint64_t delay_ms,
                             struct ff_str signal_name, struct ff_error *e) {
  TRY(suspension_close(tx, x, s, end, e));
  struct execution_vector to = {FF_lifecycle_phase_runnable,
                                FF_ownership_state_unowned,
                                FF_eligibility_state_eligible_now,
                                FF_blocking_reason_waiting_for_worker,
                                FF_terminal_outcome_none,
                                FF_attempt_state_attempt_interrupted};
  struct ff_str detail = absent;
  if (delay_ms) {
    to.eligibility = FF_eligibility_state_not_eligible_until_time;
    to.blocking = FF_blocking_reason_waiting_for_resume_delay;
    detail = delay_detail(tx_arena(tx), delay_ms, signal_name);
    x->delay_until =
        add_saturating(tx_now(tx), delay_ms > INT64_MAX ? INT64_MAX : (int64_t)delay_ms);
  }
  execution_move(tx, x, to, detail);
  return FF_OK;
}

enum ff_blocking_reason suspension_blocking(struct ff_str code) {
  static const struct {
    const char *code;
    enum ff_blocking_reason blocking;
  } rows[] = {{"waiting_for_approval", FF_blocking_reason_waiting_for_approval},
              {"waiting_for_callback", FF_blocking_reason_waiting_for_callback},
              {"waiting_for_tool_result", FF_blocking_reason_waiting_for_tool_result},
              {"waiting_for_operator_review", FF_blocking_reason_paused_by_operator},
              {"paused_by_policy", FF_blocking_reason_paused_by_policy},
              {"paused_by_budget", FF_blocking_reason_waiting_for_budget},
              {"manual_pause", FF_blocking_reason_paused_by_operator}};
  for (size_t i = 0; i < ARRAY_LEN(rows); i++)
    if (text_equal_c(code, rows[i].code)) return rows[i].blocking;
  return FF_blocking_reason_waiting_for_signal;
}

/* ---- signals ---- */

struct condition_signal suspension_signal(const struct signal *s, struct ff_str key) {
  return (struct condition_signal){.signal_id = s->signal_id,
                                   .waitpoint_id = s->waitpoint_id,
                                   .key = key,
                                   .name = s->signal_name,
                                   .correlation_id = s->correlation_id,
                                   .source_type = s->source_type,
                                   .source_identity = s->source_identity};
}

static int by_arrival(const void *a, const void *b) {
  const struct signal *x = *(const struct signal *const *)a, *y = *(const struct signal *const *)b;
  return (x->seq > y->seq) - (x->seq < y->seq);
}

struct signal_list {
  const struct signal **items;
  size_t count, capacity;
};

static void push_signal(struct arena *arena, struct signal_list *list, const struct signal *s) {
  if (list->count == list->capacity) {
    size_t capacity = list->capacity ? 2 * list->capacity : 16;
    const struct signal **more = ARENA_ARRAY(arena, const struct signal *, capacity);
    if (list->count) memcpy(more, list->items, list->count * sizeof *more);
    list->items = more;
    list->capacity = capacity;
  }
  list->items[list->count++] = s;
}

#define SIGNALS_AT_ONCE 256

enum ff_rc bindings_signals(struct tx *tx, struct exec_id id, struct bindings bindings,
                            const struct signal ***out, size_t *count) {
  struct tx_scan *scans = ARENA_ARRAY(tx_arena(tx), struct tx_scan, bindings.count + 1);
  struct signal_list list = {0};
  enum ff_rc worst = FF_OK;
  for (size_t i = 0; i < bindings.count; i++) {
    struct signal from = {.partition = id.partition,
                          .execution_id = id.uuid,
                          .waitpoint_id = bindings.items[i].waitpoint_id};
    enum ff_rc rc =
        tx_scan_open(tx, INDEX_signal_by_waitpoint, &from, false, SIGNALS_AT_ONCE, &scans[i]);
    if (rc != FF_OK) worst = rc;
  }
  TRY(worst);
  for (size_t i = 0; i < bindings.count; i++)
    for (;;) {
      const void *record = NULL;
      TRY(tx_scan_next(&scans[i], &record));
      if (!record) break;
      push_signal(tx_arena(tx), &list, record);
    }
  if (list.count) qsort(list.items, list.count, sizeof *list.items, by_arrival);
  *out = list.items;
  *count = list.count;
  return FF_OK;
}
