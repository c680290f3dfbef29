/*
 * Budgets as records: the text their dimensions are kept in, what exhausts one, argument checks.
 *
 * Charges nothing and decides nothing about claims: budget_charge.c and admission.c do.
 */
#include "op/budget.h"

#include "base/json.h"

enum { NAME_MAX = 128 }; /* BU-3 */

struct budget budget_key(const struct op_config *config, struct uuid id) {
  return (struct budget){.partition = partition_of_uuid(id, config->budget_partitions),
                         .budget_id = id};
}

/* ---- the text ---- */

static bool read_number(const struct json *object, const char *name, uint64_t *out, bool *there) {
  const struct json *value = json_member(object, name);
  *there = value != NULL;
  return !value || (json_u64(value, out) && *out <= INT64_MAX);
}

static bool read_dimension(const struct json *member, struct budget_dimension *d) {
  bool soft = false;
  d->name = member->key;
  return member->type == JSON_OBJECT && read_number(member, "usage", &d->usage, &d->used) &&
         read_number(member, "hard", &d->hard, &d->limited) &&
         read_number(member, "soft", &d->soft, &soft) && soft == d->limited;
}

static bool decode(struct ff_str text, struct arena *arena, struct budget_dimensions *out) {
  const struct json *object = NULL;
  struct json_error problem;
  if (!text_present(text)) {
    out->items = ARENA_ARRAY(arena, struct budget_dimension, BUDGET_DIMENSIONS_MAX);
    return true;
  }
  if (!json_parse(text, arena, &object, &problem) || object->type != JSON_OBJECT) return false;
  if (object->count > BUDGET_TRACKED_MAX) return false;
  out->items = ARENA_ARRAY(arena, struct budget_dimension, object->count + BUDGET_DIMENSIONS_MAX);
  for (const struct json *m = object->first; m; m = m->next) {
    if (!read_dimension(m, &out->items[out->count])) return false;
    if (out->count && text_compare(out->items[out->count - 1].name, m->key) >= 0) return false;
    out->count++;
  }
  return true;
}

enum ff_rc budget_decode(const struct budget *b, struct arena *arena, struct budget_dimensions *out,
                         struct ff_error *e) {
  *out = (struct budget_dimensions){0};
  if (decode(b ? b->dimensions : (struct ff_str){0}, arena, out)) return FF_OK;
  enum ff_rc rc = error_field(e, FF_CODE_corruption, "dimensions",
                              "budget: dimensions: no map of usage and limits in byte order");
  char id[37];
  uuid_format(b->budget_id, id);
  error_context(e, "budget_id", "%s", id);
  return rc;
}

enum ff_rc budget_ledger_decode(const struct budget_ledger *l, struct arena *arena,
                                struct budget_dimensions *out, struct ff_error *e) {
  *out = (struct budget_dimensions){0};
  if (decode(l ? l->amounts : (struct ff_str){0}, arena, out)) return FF_OK;
  return error_field(e, FF_CODE_corruption, "amounts",
                     "budget_ledger: amounts: no map of usage in byte order");
}

struct ff_str budget_encode(struct arena *arena, const struct budget_dimensions *d) {
  struct buffer out;
  if (d->count == 0) return (struct ff_str){0};
  buffer_init(&out);
  for (uint32_t i = 0; i < d->count; i++) {
    const struct budget_dimension *at = &d->items[i];
    buffer_append_char(&out, i ? ',' : '{');
    json_write_text(&out, at->name);
    buffer_append_c(&out, ":{");
    if (at->used) buffer_printf(&out, "\"usage\":%llu", (unsigned long long)at->usage);
    if (at->limited)
      buffer_printf(&out, "%s\"hard\":%llu,\"soft\":%llu", at->used ? "," : "",
                    (unsigned long long)at->hard, (unsigned long long)at->soft);
    buffer_append_char(&out, '}');
  }
  buffer_append_char(&out, '}');
  struct ff_str text = arena_text(arena, buffer_text(&out));
  buffer_fini(&out);
  return text;
}

void budget_schedule(struct budget *b) {
  b->next_due_at = b->next_reset_at;
  if (b->unblock_at && (!b->next_due_at || b->unblock_at < b->next_due_at))
    b->next_due_at = b->unblock_at;
}

void budget_store(struct tx *tx, struct budget *b, const struct budget_dimensions *d,
                  bool was_exhausted) {
  bool breached = false;
  for (uint32_t i = 0; i < d->count; i++)
    breached |= d->items[i].hard && d->items[i].usage > d->items[i].hard;
  b->dimensions = budget_encode(tx_arena(tx), d);
  if (!breached) b->breached_at = 0;
  else if (!b->breached_at) b->breached_at = tx_now(tx);
  if (was_exhausted && !budget_stops(b, d)) b->unblock_at = tx_now(tx);
  budget_schedule(b);
  b->last_updated_at = tx_now(tx);
}

/* ---- dimensions ---- */

/* The first that does not come before name. */
static uint32_t place_of(const struct budget_dimensions *d, struct ff_str name) {
  uint32_t low = 0, high = d->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (text_compare(d->items[middle].name, name) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

struct budget_dimension *budget_find(const struct budget_dimensions *d, struct ff_str name) {
  uint32_t at = place_of(d, name);
  return at < d->count && text_equal(d->items[at].name, name) ? &d->items[at] : NULL;
}

struct budget_dimension *budget_at(struct budget_dimensions *d, struct ff_str name) {
  uint32_t at = place_of(d, name);
  if (at < d->count && text_equal(d->items[at].name, name)) return &d->items[at];
  if (d->count == BUDGET_TRACKED_MAX) return NULL;
  memmove(&d->items[at + 1], &d->items[at], (d->count - at) * sizeof *d->items);
  d->items[at] = (struct budget_dimension){.name = name};
  d->count++;
  return &d->items[at];
}

enum ff_rc budget_load(struct tx *tx, struct uuid id, const struct budget **out,
                       struct ff_error *e) {
  struct budget key = budget_key(tx_config(tx), id);
  TRY(tx_get_budget(tx, &key, out));
  if (*out && (*out)->created_at) return FF_OK;
  return error_set(e, FF_CODE_budget_not_found, "not found: budget");
}

bool budget_is_exhausted(const struct budget *b, const struct budget_dimensions *d,
                         const struct budget_dimension **dimension) {
  *dimension = NULL;
  for (uint32_t i = 0; i < d->count && !*dimension; i++)
    if (d->items[i].hard && d->items[i].usage >= d->items[i].hard) *dimension = &d->items[i];
  return *dimension || b->exhausted_at;
}

/* ---- arguments ---- */

enum ff_rc budget_name_check(struct ff_str name, const char *field, struct ff_error *e) {
  TRY(text_check(name, field, NAME_MAX, e));
  bool plain = name.len > 0;
  for (size_t i = 0; i < name.len; i++)
    plain &= (uint8_t)name.ptr[i] >= 0x20 && (uint8_t)name.ptr[i] != 0x7f;
  if (plain) return FF_OK;
  return error_field(e, FF_CODE_invalid_input, field,
                     "a dimension is 1 to %d bytes without control characters", NAME_MAX);
}

static void sort_and_sum(struct ff_budget_amount *items, size_t *count) {
  size_t kept = 0;
  for (size_t i = 1; i < *count; i++) {
    struct ff_budget_amount moving = items[i];
    size_t at = i;
    for (; at > 0 && text_compare(items[at - 1].dimension, moving.dimension) > 0; at--)
      items[at] = items[at - 1];
    items[at] = moving;
  }
  for (size_t i = 0; i < *count; i++) {
    if (kept && text_equal(items[kept - 1].dimension, items[i].dimension))
      items[kept - 1].amount = budget_add(items[kept - 1].amount, items[i].amount);
    else
      items[kept++] = items[i];
  }
  *count = kept;
}

enum ff_rc budget_amounts_prepare(struct ff_budget_amounts in, const char *field,
                                  struct arena *arena, struct ff_budget_amounts *out,
                                  struct ff_error *e) {
  if (in.count > BUDGET_DIMENSIONS_MAX)
    return error_field(e, FF_CODE_invalid_input, field, "too_many_dimensions: limit=%d, got=%zu",
                       BUDGET_DIMENSIONS_MAX, in.count);
  for (size_t i = 0; i < in.count; i++) {
    TRY(budget_name_check(in.items[i].dimension, field, e));
    if (in.items[i].amount > INT64_MAX)
      return error_field(e, FF_CODE_invalid_input, field,
                         "an amount is at most %lld, got %llu for " TEXT_FMT, (long long)INT64_MAX,
                         (unsigned long long)in.items[i].amount, TEXT_ARG(in.items[i].dimension));
  }
  struct ff_budget_amount *items =
      in.count ? arena_copy(arena, in.items, in.count * sizeof *items) : NULL;
  size_t count = in.count;
  sort_and_sum(items, &count);
  *out = (struct ff_budget_amounts){items, count};
  return FF_OK;
}
