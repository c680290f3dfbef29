/*
 * Drawing calls: which operation comes next, repeats, spoilt arguments, the passing of time; and
 * how answers are shown.
 *
 * What the arguments of each operation are made of is in history_lifecycle.c, history_schedule.c,
 * history_signal.c, history_stream.c, history_events.c, history_flow*.c and history_worker.c, what is
 * picked from in history_pick.c, what is learned from answers in history_learn.c.
 */
#include "test/lib/history_impl.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- dice ---- */

uint64_t history_bits(struct history *h) {
  h->state += 0x9e3779b97f4a7c15u;
  return hash_mix64(h->state);
}

uint32_t history_dice(struct history *h, uint32_t bound) {
  return (uint32_t)((history_bits(h) >> 32) * bound >> 32);
}

/* ---- what can be drawn ---- */

static const struct draw_table *const tables[] = {&history_lifecycle_draws, &history_schedule_draws,
                                                  &history_stream_draws, &history_signal_draws,
                                                  &history_event_draws,     &history_worker_draws,
                                                  &history_flow_draws,      &history_budget_draws,
                                                  &history_flow_read_draws};

/* The draw that is i-th of all; NULL behind the last. */
static const struct draw *draw_at(uint32_t i) {
  for (uint32_t t = 0; t < ARRAY_LEN(tables); t++) {
    if (i < tables[t]->count) return &tables[t]->draws[i];
    i -= tables[t]->count;
  }
  return NULL;
}

static uint32_t weight(const struct history *h, const struct draw *d) {
  return d->kind == DRAW_READ && !h->options.reads ? 0 : d->weight;
}

static const struct draw *find_draw(enum op_id op) {
  uint32_t i = 0;
  const struct draw *d = draw_at(i);
  while (d && d->op != op) d = draw_at(++i);
  return d;
}

/* Of the operations on suspension and signals, and what they need: somebody at work. */
static const struct draw *roll_signal(struct history *h) {
  static const enum op_id claims[] = {OP_claim_task, OP_claim_tasks, OP_create_execution};
  const struct draw_table *t = &history_signal_draws;
  uint32_t total = 0, i = 0;
  if (dice(h, 3) == 0) return find_draw(claims[dice(h, ARRAY_LEN(claims))]);
  for (uint32_t k = 0; k < t->count; k++) total += weight(h, &t->draws[k]);
  uint32_t n = dice(h, total);
  while (n >= weight(h, &t->draws[i])) n -= weight(h, &t->draws[i++]);
  return &t->draws[i];
}

static const struct draw *roll(struct history *h) {
  if (h->options.signals && dice(h, 2)) return roll_signal(h);
  uint32_t n = dice(h, h->total_weight), i = 0;
  const struct draw *d = draw_at(i);
  while (d && n >= weight(h, d)) n -= weight(h, d), d = draw_at(++i);
  INVARIANT(d != NULL); /* the weights add up */
  return d;
}

/* ---- life ---- */

struct history *history_new(const struct history_options *options) {
  static const unsigned partitions[] = {7, 0, 255, 7};
  struct history *h = heap_zalloc(sizeof *h);
  h->options = *options;
  h->state = hash_mix64(options->seed);
  for (unsigned i = 0; i < EXECUTIONS; i++)
    snprintf(h->known[i].id, FF_ID_MAX, "{fp:%u}:01234567-89ab-7cde-8f00-%012u",
             partitions[i % ARRAY_LEN(partitions)], i + 1);
  uint32_t i = 0;
  for (const struct draw *d; (d = draw_at(i)) != NULL; i++) h->total_weight += weight(h, d);
  return h;
}

void history_free(struct history *h) {
  if (!h) return;
  for (int i = 0; i < REPEATS; i++)
    if (h->recent[i]) history_call_release(h->recent[i]);
  free(h);
}

struct history_call *history_call_keep(struct history_call *call) {
  call->references++;
  return call;
}

void history_call_release(struct history_call *call) {
  if (--call->references) return;
  arena_fini(&call->arena);
  free(call);
}

/* ---- spoiling one argument ---- */

static struct ff_str odd_text(struct history *h, struct arena *a) {
  static const char *const texts[] = {"",
                                      " ",
                                      "x",
                                      "\x01\x7f",
                                      "\xff\xfe",
                                      "{fp:7}:no",
                                      "{fp:256}:01234567-89ab-7cde-8f00-000000000001",
                                      "Ünïcode",
                                      "tag",
                                      "null"};
  uint32_t i = dice(h, ARRAY_LEN(texts) + 2);
  if (i < ARRAY_LEN(texts)) return ff_text(texts[i]);
  if (i == ARRAY_LEN(texts)) return (struct ff_str){NULL, 0};
  size_t len = 200 + dice(h, 200);
  char *text = arena_alloc(a, len);
  memset(text, 'a' + (int)dice(h, 26), len);
  return text_of(text, len);
}

/* Byte 2 names the store and would differ between them; everything else may be anything. */
static void forge(struct history *h, struct ff_handle *handle) {
  if (dice(h, 4) == 0) handle->len = (uint16_t)dice(h, FF_HANDLE_OPAQUE_MAX + 2);
  uint32_t at = dice(h, handle->len && handle->len < FF_HANDLE_OPAQUE_MAX ? handle->len : 1);
  if (at != 2) handle->opaque[at] = (uint8_t)dice(h, 256);
}

static void spoil_field(struct history *h, struct arena *a, const struct ff_field *f, void *at) {
  static const int64_t numbers[] = {0, 1, -1, 101, INT64_MAX, INT64_MIN, UINT32_MAX, 60001};
  int64_t number = numbers[dice(h, ARRAY_LEN(numbers))];
  uint32_t small = (uint32_t)number;
  uint8_t word = (uint8_t)dice(h, 8);
  struct ff_str text;
  switch (f->type) {
    case FF_FIELD_BOOL: *(bool *)at = dice(h, 2); break;
    case FF_FIELD_I32:
    case FF_FIELD_U32: memcpy(at, &small, sizeof small); break;
    case FF_FIELD_I64:
    case FF_FIELD_U64: memcpy(at, &number, sizeof number); break;
    case FF_FIELD_F64: *(double *)at = (double)number; break;
    case FF_FIELD_TEXT:
      text = odd_text(h, a);
      memcpy(at, &text, sizeof text);
      break;
    case FF_FIELD_WORD: memcpy(at, &word, 1); break;
    case FF_FIELD_HANDLE: forge(h, at); break;
    case FF_FIELD_STRUCT:
      f = &f->fields->fields[dice(h, f->fields->field_count)];
      spoil_field(h, a, f, (char *)at + f->offset);
      break;
    default: break;
  }
}

/* Waits would block a driver that has one thread. */
static void spoil(struct history *h, struct history_call *call) {
  const struct ff_struct *st = op_infos[call->op].args;
  if (st->field_count == 0) return;
  const struct ff_field *f = &st->fields[dice(h, st->field_count)];
  static const char *const waits[] = {"max_wait_ms", "timeout_ms", "block_ms"};
  for (size_t i = 0; i < ARRAY_LEN(waits); i++)
    if (strcmp(f->name, waits[i]) == 0) return;
  spoil_field(h, &call->arena, f, (char *)call->args + f->offset);
}

/* ---- drawing ---- */

static struct history_call *make(struct history *h, const struct draw *d, int64_t now) {
  struct history_call *call = heap_zalloc(sizeof *call);
  uint32_t size = op_infos[d->op].args_size;
  call->op = d->op;
  call->number = ++h->drawn;
  call->references = 1;
  arena_init(&call->arena);
  call->args = arena_zalloc(&call->arena, size);
  memcpy(call->args, &size, sizeof size);
  d->fill(h, &call->arena, now, call->args);
  return call;
}

struct history_call *history_draw(struct history *h, enum op_id op, int64_t now) {
  const struct draw *d = find_draw(op);
  INVARIANT(d != NULL);
  return make(h, d, now);
}

struct history_call *history_next(struct history *h, int64_t now) {
  struct history_call **slot = &h->recent[dice(h, REPEATS)];
  if (*slot && chance(h, 4)) return history_call_keep(*slot);
  const struct draw *d =
      h->drawn < 5 ? find_draw(dice(h, 2) ? OP_submit : OP_create_execution) : roll(h);
  while (d->kind == DRAW_LEASE && !h->held_count) d = roll(h);
  struct history_call *call = make(h, d, now);
  if (h->options.spoils && chance(h, 5)) spoil(h, call);
  if (*slot) history_call_release(*slot);
  *slot = history_call_keep(call);
  return call;
}

/* ---- time ---- */

int64_t history_later(struct history *h, int64_t now) {
  uint32_t n = dice(h, 100);
  if (n < 55) return now + dice(h, 40);
  if (n < 75) return now + dice(h, 1500);
  if (n == 99) return now + dice(h, 90000000);
  uint32_t known = h->time_count < TIMES ? h->time_count : TIMES;
  if (!known) return now + 1;
  int64_t at = h->times[dice(h, known)], step = (int64_t)dice(h, 3) - 1;
  if (at < INT64_MAX) at += step;
  return at > now && at < now + 100000000 ? at : now + dice(h, 6000);
}

/* ---- showing ---- */

void history_print_call(const struct history_call *call, struct buffer *out) {
  buffer_printf(out, "%s ", op_infos[call->op].name);
  values_print(op_infos[call->op].args, call->args, out);
}

void history_print_answer(enum op_id op, enum ff_rc rc, const void *result,
                          const struct ff_error *error, struct buffer *out) {
  if (rc == FF_OK) {
    values_print(op_infos[op].result, result, out);
    return;
  }
  buffer_printf(out, "!%s", ff_code_name(error->code));
  if (error->field[0]) buffer_printf(out, " [%s]", error->field);
  if (error->detail[0]) buffer_printf(out, " %s", error->detail);
  for (uint32_t i = 0; i < error->context_count; i++)
    buffer_printf(out, " %s=%s", error->context[i].key, error->context[i].value);
}
