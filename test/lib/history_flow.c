/*
 * Arguments of operations on flows: a few flows in the partitions of the fixed executions.
 */
#include "test/lib/history_impl.h"

static const char *const flows[HISTORY_FLOWS] = {
    "0f100000-0000-7000-8000-000000000070", /* {fp:7}, as is the next */
    "0f100000-0000-7000-8000-000000000160",
    "0f100000-0000-7000-8000-000000000099",  /* {fp:0} */
    "0f100000-0000-7000-8000-000000000087"}; /* {fp:255} */
static const char *const prefixes[HISTORY_FLOWS] = {"{fp:7}", "{fp:7}", "{fp:0}", "{fp:255}"};

/* Rather the first: graphs get somewhere when most members are of one. */
static uint32_t pick_flow(struct history *h) {
  return chance(h, 60) ? 0 : dice(h, HISTORY_FLOWS);
}

DRAW(create_flow) {
  UNUSED;
  x->flow_id = ff_text(flows[pick_flow(h)]);
  x->flow_kind = dice(h, 2) ? TEXT_LIT("dag") : TEXT_LIT("pipeline");
  x->namespace_ = TEXT_LIT("ns");
}

/* Mostly one of the flow's partition. */
static struct ff_str pick_member(struct history *h, struct arena *a, uint32_t flow) {
  const struct known *known = pick_known(h, BELIEF_NONE);
  for (int i = 0; i < 8 && chance(h, 95); i++) {
    if (strncmp(known->id, prefixes[flow], strlen(prefixes[flow])) == 0) break;
    known = pick_known(h, BELIEF_NONE);
  }
  return arena_text(a, ff_text(known->id));
}

DRAW(add_execution_to_flow) {
  UNUSED;
  uint32_t flow = pick_flow(h);
  x->flow_id = ff_text(flows[flow]);
  x->execution_id = pick_member(h, a, flow);
}

static const struct draw draws[] = {
    {OP_create_flow, 2, DRAW_ANY, draw_create_flow},
    {OP_add_execution_to_flow, 4, DRAW_ANY, draw_add_execution_to_flow},
};
const struct draw_table history_flow_draws = {draws, ARRAY_LEN(draws)};
