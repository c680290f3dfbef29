/*
 * Arguments of budgets: few of them, few dimensions, small limits, keys that repeat.
 */
#include "test/lib/history_impl.h"

static const char *const ids[] = {"11111111-1111-4111-8111-111111111111",
                                  "22222222-2222-4222-8222-222222222222",
                                  "33333333-3333-4333-8333-333333333333"};
static const char *const dimensions[] = {"tokens", "cost", "wall_ms", "input_tokens"};

static struct ff_str pick_budget(struct history *h) {
  return ff_text(ids[dice(h, ARRAY_LEN(ids))]);
}
static struct ff_str pick_dimension(struct history *h) {
  return ff_text(dimensions[dice(h, ARRAY_LEN(dimensions))]);
}
static struct ff_str pick_key(struct history *h) {
  static const char *const keys[] = {"", "k1", "k2", "k3", "k4", "k5"};
  return chance(h, 50) ? (struct ff_str){NULL, 0} : ff_text(keys[dice(h, ARRAY_LEN(keys))]);
}

static struct ff_budget_limits pick_limits(struct history *h, struct arena *a, size_t least) {
  size_t count = least + dice(h, 3);
  struct ff_budget_limit *items = ARENA_ARRAY(a, struct ff_budget_limit, count + 1);
  uint32_t first = dice(h, ARRAY_LEN(dimensions));
  for (size_t i = 0; i < count; i++)
    items[i] = (struct ff_budget_limit){
        .dimension = ff_text(dimensions[(first + i) % ARRAY_LEN(dimensions)]),
        .hard_limit = chance(h, 80) ? 10 + dice(h, 90) : 0,
        .soft_limit = chance(h, 50) ? 5 + dice(h, 60) : 0};
  return (struct ff_budget_limits){items, count};
}

static struct ff_budget_amounts pick_amounts(struct history *h, struct arena *a) {
  size_t count = dice(h, 4);
  struct ff_budget_amount *items = ARENA_ARRAY(a, struct ff_budget_amount, count + 1);
  for (size_t i = 0; i < count; i++)
    items[i] = (struct ff_budget_amount){pick_dimension(h), dice(h, 15)};
  return (struct ff_budget_amounts){items, count};
}

DRAW(create_budget) {
  static const char *const modes[] = {"reject", "block", "cancel_flow", "fail", ""};
  UNUSED;
  x->budget_id = pick_budget(h);
  x->scope_type = TEXT_LIT("team");
  x->scope_id = TEXT_LIT("red");
  x->on_hard_limit = ff_text(modes[dice(h, ARRAY_LEN(modes))]);
  x->reset_interval_ms = chance(h, 40) ? 0 : 500 + dice(h, 4000);
  if (x->reset_interval_ms) note_time(h, now + (int64_t)x->reset_interval_ms);
  x->limits = pick_limits(h, a, 0);
}

DRAW(update_budget_limits) {
  UNUSED;
  x->budget_id = pick_budget(h);
  x->limits = pick_limits(h, a, 1);
}

DRAW(reset_budget) {
  UNUSED;
  x->budget_id = pick_budget(h);
}

DRAW(get_budget_status) {
  UNUSED;
  x->budget_id = pick_budget(h);
}

DRAW(read_budget_usage_and_limits) {
  UNUSED;
  x->budget_id = pick_budget(h);
}

DRAW(report_usage) {
  UNUSED;
  const struct held *held = pick_held(h);
  if (held) x->handle = held->handle;
  x->budget_id = pick_budget(h);
  x->input_tokens = dice(h, 12);
  x->output_tokens = dice(h, 5);
  x->wall_ms = dice(h, 9);
  x->custom = pick_amounts(h, a);
  x->dedup_key = pick_key(h);
}

DRAW(report_usage_admin) {
  UNUSED;
  x->budget_id = pick_budget(h);
  x->deltas = pick_amounts(h, a);
  x->dedup_key = pick_key(h);
}

DRAW(record_spend) {
  UNUSED;
  x->budget_id = pick_budget(h);
  x->execution_id = pick_execution(h, a);
  x->deltas = pick_amounts(h, a);
  x->idempotency_key = pick_key(h);
}

DRAW(release_budget) {
  UNUSED;
  x->budget_id = pick_budget(h);
  x->execution_id = pick_execution(h, a);
}

DRAW(reconcile_budget_counters) {
  UNUSED;
  x->partition = arena_printf(a, "{b:%u}", dice(h, 32));
}

static const struct draw draws[] = {
    {OP_create_budget, 2, DRAW_ANY, draw_create_budget},
    {OP_update_budget_limits, 2, DRAW_ANY, draw_update_budget_limits},
    {OP_reset_budget, 2, DRAW_ANY, draw_reset_budget},
    {OP_report_usage, 3, DRAW_LEASE, draw_report_usage},
    {OP_report_usage_admin, 3, DRAW_ANY, draw_report_usage_admin},
    {OP_record_spend, 4, DRAW_ANY, draw_record_spend},
    {OP_release_budget, 2, DRAW_ANY, draw_release_budget},
    {OP_reconcile_budget_counters, 1, DRAW_ANY, draw_reconcile_budget_counters},
    {OP_get_budget_status, 2, DRAW_READ, draw_get_budget_status},
    {OP_read_budget_usage_and_limits, 1, DRAW_READ, draw_read_budget_usage_and_limits},
};
const struct draw_table history_budget_draws = {draws, ARRAY_LEN(draws)};
