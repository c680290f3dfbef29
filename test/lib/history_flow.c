/*
 * Arguments of operations on flows: a few flows in the partitions of the fixed executions.
 */
#include "test/lib/history_impl.h"

#include <stdio.h>

static const char *const flows[HISTORY_FLOWS] = {
    "0f100000-0000-7000-8000-000000000070", /* {fp:7}, as is the next */
    "0f100000-0000-7000-8000-000000000160",
    "0f100000-0000-7000-8000-000000000099",  /* {fp:0} */
    "0f100000-0000-7000-8000-000000000087"}; /* {fp:255} */
static const char *const prefixes[HISTORY_FLOWS] = {"{fp:7}", "{fp:7}", "{fp:0}", "{fp:255}"};

/* Mostly the first: graphs get somewhere when most members are of one. */
static uint32_t pick_flow(struct history *h) {
  return chance(h, 85) ? 0 : dice(h, HISTORY_FLOWS);
}

struct ff_str history_flow_id(struct history *h) { return ff_text(flows[pick_flow(h)]); }

DRAW(create_flow) {
  UNUSED;
  x->flow_id = ff_text(flows[pick_flow(h)]);
  x->flow_kind = dice(h, 2) ? TEXT_LIT("dag") : TEXT_LIT("pipeline");
  x->namespace_ = TEXT_LIT("ns");
}

static bool is_near(const struct history *h, uint32_t execution, uint32_t flow) {
  return strncmp(h->known[execution].id, prefixes[flow], strlen(prefixes[flow])) == 0;
}

/* Mostly one of the flow's partition that is no member yet, as far as this client knows. */
static struct ff_str pick_member(struct history *h, struct arena *a, uint32_t flow) {
  uint32_t n = dice(h, EXECUTIONS);
  if (chance(h, 5)) return pick_execution(h, a);
  for (uint32_t i = 0; i < EXECUTIONS; i++, n = (n + 1) % EXECUTIONS)
    if (is_near(h, n, flow) && h->known[n].belief != BELIEF_NONE && !(h->members[flow] >> n & 1))
      break;
  return arena_text(a, ff_text(h->known[n].id));
}

DRAW(add_execution_to_flow) {
  UNUSED;
  uint32_t flow = pick_flow(h);
  x->flow_id = ff_text(flows[flow]);
  x->execution_id = pick_member(h, a, flow);
}

/* Edges run between the fixed executions of a flow's partition, mostly from a lower number to a higher
 * one; an edge's id says which they are, so that others find it again. */
struct ends {
  const char *up, *down;
  struct ff_str edge_id;
};

static struct ends pick_ends(struct history *h, struct arena *a, uint32_t flow) {
  uint32_t up = 0, down = 0;
  for (int i = 0; i < 40; i++) {
    up = dice(h, EXECUTIONS);
    down = dice(h, EXECUTIONS);
    bool members = (h->members[flow] >> up & 1) && (h->members[flow] >> down & 1);
    if ((members || i > 30) && (up < down || chance(h, 3))) break;
  }
  struct ff_str id = arena_printf(a, "0ed9e000-0000-4000-8000-0000000%u%02u%02u", flow, up, down);
  return (struct ends){h->known[up].id, h->known[down].id, id};
}

DRAW(stage_dependency_edge) {
  UNUSED;
  uint32_t flow = pick_flow(h);
  struct ends ends = pick_ends(h, a, flow);
  x->flow_id = ff_text(flows[flow]);
  x->edge_id = chance(h, 95) ? ends.edge_id : pick_uuid(h, a);
  x->upstream_execution_id = ff_text(ends.up);
  x->downstream_execution_id = ff_text(ends.down);
  if (chance(h, 30)) x->data_passing_ref = TEXT_LIT("result");
  x->expected_graph_revision =
      chance(h, 85) ? h->revisions[flow] : h->revisions[flow] + dice(h, 3);
}

DRAW(set_edge_group_policy) {
  static const char *const policies[] = {
      "{\"kind\":\"all_of\"}",
      "{\"kind\":\"any_of\",\"on_satisfied\":\"let_run\"}",
      "{\"kind\":\"any_of\",\"on_satisfied\":\"cancel_remaining\"}",
      "{\"kind\":\"quorum\",\"k\":2,\"on_satisfied\":\"cancel_remaining\"}",
      "{\"kind\":\"quorum\",\"k\":2,\"on_satisfied\":\"let_run\"}",
      "{\"kind\":\"quorum\",\"k\":0,\"on_satisfied\":\"let_run\"}"};
  UNUSED;
  uint32_t flow = pick_flow(h);
  x->flow_id = ff_text(flows[flow]);
  x->downstream_execution_id = ff_text(pick_ends(h, a, flow).down);
  x->policy = ff_text(policies[dice(h, h->options.spoils ? 6 : 5)]);
}

DRAW(apply_dependency_to_child) {
  UNUSED;
  uint32_t flow = pick_flow(h), count = h->staged_count < STAGED ? h->staged_count : STAGED;
  struct ends ends = pick_ends(h, a, flow);
  x->flow_id = ff_text(flows[flow]);
  if (count && chance(h, 90)) {
    const struct staged *staged = &h->staged[dice(h, count)];
    x->flow_id = arena_text(a, ff_text(staged->flow_id));
    ends = (struct ends){staged->up, staged->down, ff_text(staged->edge_id)};
  }
  x->edge_id = arena_text(a, ends.edge_id);
  x->upstream_execution_id = arena_text(a, ff_text(ends.up));
  x->downstream_execution_id = arena_text(a, ff_text(ends.down));
  if (chance(h, 10)) x->data_passing_ref = TEXT_LIT("result");
}

DRAW(resolve_dependency) {
  static const char *const outcomes[] = {"success", "failed", "cancelled", "expired", "skipped"};
  UNUSED;
  uint32_t count = h->staged_count < STAGED ? h->staged_count : STAGED;
  x->flow_id = ff_text(flows[0]);
  x->edge_id = pick_uuid(h, a);
  x->upstream_execution_id = pick_execution(h, a);
  x->downstream_execution_id = pick_execution(h, a);
  x->upstream_outcome = ff_text(outcomes[dice(h, 5)]);
  if (!count) return;
  const struct staged *staged = &h->staged[dice(h, count)];
  x->flow_id = arena_text(a, ff_text(staged->flow_id));
  x->edge_id = arena_text(a, ff_text(staged->edge_id));
  x->upstream_execution_id = arena_text(a, ff_text(staged->up));
  x->downstream_execution_id = arena_text(a, ff_text(staged->down));
}

DRAW_BY_ID(evaluate_flow_eligibility, BELIEF_NONE)
DRAW_BY_ID(promote_blocked_to_eligible, BELIEF_NONE)

/* A small graph at once: edges from lower to higher places, so that it has no cycle. */
DRAW(create_flow_graph) {
  static const char *const policies[] = {
      "", "", "{\"kind\":\"any_of\",\"on_satisfied\":\"let_run\"}",
      "{\"kind\":\"any_of\",\"on_satisfied\":\"cancel_remaining\"}"};
  UNUSED;
  uint32_t n = 1 + dice(h, 5), edges = 0;
  struct ff_graph_member *members = ARENA_ARRAY(a, struct ff_graph_member, n);
  struct ff_graph_edge *list = ARENA_ARRAY(a, struct ff_graph_edge, n * n + 1);
  for (uint32_t i = 0; i < n; i++) {
    uint32_t in = 0;
    members[i].name = arena_printf(a, "n%u", i);
    members[i].lane_id = pick_lane(h);
    members[i].input_payload = pick_payload(h, a);
    members[i].policy = pick_policy(h, a, now);
    for (uint32_t k = 0; k < i; k++) {
      if (!chance(h, 45)) continue;
      list[edges] = (struct ff_graph_edge){.upstream = members[k].name,
                                           .downstream = members[i].name};
      if (chance(h, 30)) list[edges].data_passing_ref = TEXT_LIT("result");
      edges++, in++;
    }
    if (in) members[i].edge_policy = ff_text(policies[dice(h, ARRAY_LEN(policies))]);
  }
  x->flow_id = arena_printf(a, "0f200000-0000-7000-8000-%012u", 1 + dice(h, 6));
  x->flow_kind = TEXT_LIT("graph");
  x->namespace_ = TEXT_LIT("ns");
  x->members = (struct ff_graph_members){members, n};
  x->edges = (struct ff_graph_edges){list, edges};
}

/* ---- learning ---- */

static uint32_t flow_number(struct ff_str flow_id) {
  for (uint32_t i = 0; i < HISTORY_FLOWS; i++)
    if (text_equal_c(flow_id, flows[i])) return i;
  return 0;
}

static void learn_staged(struct history *h, struct ff_str flow_id, struct ff_str edge_id,
                         struct ff_str up, struct ff_str down) {
  struct staged *staged = &h->staged[h->staged_count++ % STAGED];
  snprintf(staged->flow_id, sizeof staged->flow_id, TEXT_FMT, TEXT_ARG(flow_id));
  snprintf(staged->edge_id, sizeof staged->edge_id, TEXT_FMT, TEXT_ARG(edge_id));
  snprintf(staged->up, sizeof staged->up, TEXT_FMT, TEXT_ARG(up));
  snprintf(staged->down, sizeof staged->down, TEXT_FMT, TEXT_ARG(down));
}

/* The name of a member is its place. */
static struct ff_str id_of(const struct ff_create_flow_graph_result *r, struct ff_str name) {
  size_t place = (size_t)(name.ptr[1] - '0');
  return place < r->execution_ids.count ? ff_text(r->execution_ids.items[place].id.text)
                                        : (struct ff_str){"", 0};
}

static void learn_graph_edges(struct history *h, const struct ff_create_flow_graph_args *args,
                              const struct ff_create_flow_graph_result *r) {
  for (size_t i = 0; i < r->edge_ids.count; i++)
    learn_staged(h, args->flow_id, ff_text(r->edge_ids.items[i].id.text),
                 id_of(r, args->edges.items[i].upstream),
                 id_of(r, args->edges.items[i].downstream));
}

void history_learn_flow(struct history *h, const struct history_call *call, const void *result) {
  if (call->op == OP_create_flow) {
    const struct ff_create_flow_args *args = call->args;
    const struct ff_create_flow_result *r = result;
    if (r->outcome == FF_outcome_created) h->revisions[flow_number(args->flow_id)] = 0;
  } else if (call->op == OP_add_execution_to_flow) {
    const struct ff_add_execution_to_flow_args *args = call->args;
    const struct ff_add_execution_to_flow_result *r = result;
    uint32_t flow = flow_number(args->flow_id);
    if (r->outcome == FF_outcome_added) h->revisions[flow]++;
    for (uint32_t i = 0; i < EXECUTIONS; i++)
      if (text_equal_c(args->execution_id, h->known[i].id)) h->members[flow] |= 1u << i;
  } else if (call->op == OP_stage_dependency_edge) {
    const struct ff_stage_dependency_edge_args *args = call->args;
    const struct ff_stage_dependency_edge_result *r = result;
    h->revisions[flow_number(args->flow_id)] = r->new_graph_revision;
    learn_staged(h, args->flow_id, args->edge_id, args->upstream_execution_id,
                 args->downstream_execution_id);
  } else if (call->op == OP_create_flow_graph) {
    learn_graph_edges(h, call->args, result);
  }
}

static const struct draw draws[] = {
    {OP_create_flow, 5, DRAW_ANY, draw_create_flow},
    {OP_add_execution_to_flow, 9, DRAW_ANY, draw_add_execution_to_flow},
    {OP_stage_dependency_edge, 8, DRAW_ANY, draw_stage_dependency_edge},
    {OP_set_edge_group_policy, 4, DRAW_ANY, draw_set_edge_group_policy},
    {OP_resolve_dependency, 2, DRAW_ANY, draw_resolve_dependency},
    {OP_evaluate_flow_eligibility, 1, DRAW_READ, draw_evaluate_flow_eligibility},
    {OP_promote_blocked_to_eligible, 1, DRAW_ANY, draw_promote_blocked_to_eligible},
    {OP_create_flow_graph, 3, DRAW_ANY, draw_create_flow_graph},
    {OP_apply_dependency_to_child, 8, DRAW_ANY, draw_apply_dependency_to_child},
};
const struct draw_table history_flow_draws = {draws, ARRAY_LEN(draws)};
