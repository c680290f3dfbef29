/*
 * Arguments of reads, tags and cancels of flows.
 */
#include "test/lib/history_impl.h"

#define DRAW_BY_FLOW(name)          \
  DRAW(name) {                      \
    UNUSED;                         \
    x->flow_id = history_flow_id(h); \
  }

DRAW_BY_FLOW(describe_flow)
DRAW_BY_FLOW(get_flow_tags)
DRAW_BY_ID(resolve_execution_flow_id, BELIEF_NONE)

DRAW(list_flows) {
  UNUSED;
  if (dice(h, 2)) x->partition = TEXT_LIT("{fp:7}");
  if (dice(h, 2)) x->cursor = history_flow_id(h);
  x->limit = dice(h, 4);
}

DRAW(list_flow_members) {
  UNUSED;
  x->flow_id = history_flow_id(h);
  if (chance(h, 40)) x->cursor = pick_execution(h, a);
  x->limit = dice(h, 4);
}

static struct ff_str pick_key(struct history *h, struct arena *a) {
  if (h->options.spoils && chance(h, 5)) return TEXT_LIT("Bad.key");
  return arena_printf(a, "app.tag%u", dice(h, 4));
}

DRAW(set_flow_tag) {
  UNUSED;
  x->flow_id = history_flow_id(h);
  x->key = pick_key(h, a);
  x->value = chance(h, 20) ? TEXT_LIT("") : arena_printf(a, "v%u", dice(h, 4));
}

DRAW(set_flow_tags) {
  UNUSED;
  size_t count = dice(h, 4);
  struct ff_pair *pairs = ARENA_ARRAY(a, struct ff_pair, count + 1);
  for (size_t i = 0; i < count; i++)
    pairs[i] = (struct ff_pair){pick_key(h, a), arena_printf(a, "v%u", dice(h, 4))};
  x->flow_id = history_flow_id(h);
  x->tags = (struct ff_pairs){pairs, count};
}

DRAW(get_flow_tag) {
  UNUSED;
  x->flow_id = history_flow_id(h);
  x->key = pick_key(h, a);
}

/* ---- cancelling ---- */

static struct ff_str pick_policy_word(struct history *h) {
  static const char *const words[] = {"flow_only", "cancel_pending", "cancel_all",
                                      "cancel_flow_only"};
  return ff_text(words[dice(h, ARRAY_LEN(words))]);
}

/* Rather the flow that the graphs are rarely of: a cancelled one never grows again. */
static struct ff_str pick_doomed(struct history *h) {
  return chance(h, 95) ? TEXT_LIT("0f100000-0000-7000-8000-000000000087") : history_flow_id(h);
}

DRAW(cancel_flow) {
  UNUSED;
  x->flow_id = pick_doomed(h);
  x->cancellation_policy = pick_policy_word(h);
  x->reason = pick_reason(h, a);
  x->wait = (uint8_t)dice(h, 3);
  x->timeout_ms = dice(h, 5000);
}

DRAW(cancel_flow_header) {
  UNUSED;
  x->flow_id = pick_doomed(h);
  x->cancellation_policy = pick_policy_word(h);
  x->reason = pick_reason(h, a);
}

DRAW(ack_cancel_member) {
  UNUSED;
  x->flow_id = history_flow_id(h);
  x->execution_id = pick_execution(h, a);
}

DRAW(wait_for_flow_cancellation) {
  UNUSED;
  x->flow_id = history_flow_id(h);
}

static const struct draw draws[] = {
    {OP_cancel_flow, 1, DRAW_ANY, draw_cancel_flow},
    {OP_cancel_flow_header, 4, DRAW_ANY, draw_cancel_flow_header},
    {OP_ack_cancel_member, 1, DRAW_ANY, draw_ack_cancel_member},
    {OP_wait_for_flow_cancellation, 1, DRAW_READ, draw_wait_for_flow_cancellation},
    {OP_describe_flow, 3, DRAW_READ, draw_describe_flow},
    {OP_list_flows, 2, DRAW_READ, draw_list_flows},
    {OP_list_flow_members, 2, DRAW_READ, draw_list_flow_members},
    {OP_resolve_execution_flow_id, 1, DRAW_READ, draw_resolve_execution_flow_id},
    {OP_set_flow_tag, 1, DRAW_ANY, draw_set_flow_tag},
    {OP_set_flow_tags, 1, DRAW_ANY, draw_set_flow_tags},
    {OP_get_flow_tag, 1, DRAW_READ, draw_get_flow_tag},
    {OP_get_flow_tags, 1, DRAW_READ, draw_get_flow_tags},
};
const struct draw_table history_flow_read_draws = {draws, ARRAY_LEN(draws)};
