/*
 * Random graphs of 2 to 200 members run to their end and are compared with a graph oracle: what a
 * member becomes follows from what its upstreams become and from nothing else (04 FR-9 … FR-12,
 * FK-7). Small cascade steps, so that most of it goes over the backlog (FK-1, FK-3).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "op/op.h"
#include "op/values.h"

#include <stdio.h>

enum { MEMBERS_MAX = 200, EDGES_MAX = 4000, GRAPHS = 60 };

struct dag {
  uint64_t state;
  struct engine *engine;
  uint32_t n, edge_count;
  struct ff_graph_member members[MEMBERS_MAX];
  struct ff_graph_edge edges[EDGES_MAX];
  uint16_t up[EDGES_MAX], down[EDGES_MAX];
  uint32_t needs[MEMBERS_MAX]; /* upstreams that must succeed */
  bool fails[MEMBERS_MAX];     /* when it gets to run */
  char names[MEMBERS_MAX][16], policies[MEMBERS_MAX][80];
  struct ff_id ids[MEMBERS_MAX];
};

static uint32_t dice(struct dag *d, uint32_t bound) {
  d->state += 0x9e3779b97f4a7c15u;
  return (uint32_t)((hash_mix64(d->state) >> 32) * bound >> 32);
}

static struct ff_error error;
static void call(struct dag *d, enum op_id op, const void *args, void *result) {
  if (engine_call(d->engine, op, args, result, &error) != FF_OK)
    fail_msg("%s: %s: %s", op_infos[op].name, ff_code_name(error.code), error.detail);
}

/* A cascade never fails, whoever runs beside it: not even to be tried again (FK-6). */
static void no_warnings(void *user, enum ff_log_level level, const char *message) {
  (void)user;
  if (level <= FF_LOG_WARN) fail_msg("%s", message);
}

/* ---- the graph ---- */

static void draw_policy(struct dag *d, uint32_t i, uint32_t in) {
  uint32_t kind = in ? dice(d, 4) : 0;
  d->needs[i] = in;
  if (kind == 2) {
    d->needs[i] = 1;
    snprintf(d->policies[i], sizeof d->policies[i],
             "{\"kind\":\"any_of\",\"on_satisfied\":\"let_run\"}");
  } else if (kind == 3) {
    d->needs[i] = 1 + dice(d, in);
    snprintf(d->policies[i], sizeof d->policies[i],
             "{\"kind\":\"quorum\",\"k\":%u,\"on_satisfied\":\"let_run\"}", d->needs[i]);
  } else {
    d->policies[i][0] = '\0';
  }
  d->members[i].edge_policy = ff_text(d->policies[i]);
}

/* Edges go from lower to higher places; each member has a few, a join has many. */
static void draw_graph(struct dag *d) {
  d->n = 2 + dice(d, MEMBERS_MAX - 1);
  for (uint32_t i = 0; i < d->n; i++) {
    uint32_t most = dice(d, 10) ? 4 : 60, in = 0;
    snprintf(d->names[i], sizeof d->names[i], "m%u", i);
    d->members[i] = (struct ff_graph_member){.name = ff_text(d->names[i])};
    d->fails[i] = dice(d, 100) < 12;
    for (uint32_t k = 0; k < i && in < most && d->edge_count < EDGES_MAX; k++) {
      if (dice(d, i) >= most) continue;
      d->up[d->edge_count] = (uint16_t)k;
      d->down[d->edge_count] = (uint16_t)i;
      d->edges[d->edge_count++] =
          (struct ff_graph_edge){ff_text(d->names[k]), ff_text(d->names[i]), {NULL, 0}};
      in++;
    }
    draw_policy(d, i, in);
  }
}

static void create(struct dag *d) {
  struct ff_create_flow_graph_args args = {.size = sizeof args,
                                           .flow_id =
                                               TEXT_LIT("0f100000-0000-7000-8000-000000000070"),
                                           .flow_kind = TEXT_LIT("dag"),
                                           .namespace_ = TEXT_LIT("n"),
                                           .members = {d->members, d->n},
                                           .edges = {d->edges, d->edge_count}};
  struct ff_create_flow_graph_result made;
  call(d, OP_create_flow_graph, &args, &made);
  assert_int_equal(made.execution_ids.count, d->n);
  for (uint32_t i = 0; i < d->n; i++) d->ids[i] = made.execution_ids.items[i].id;
  values_free(made.memory);
}

/* ---- running it ---- */

static uint32_t place_of(const struct dag *d, const char *id) {
  for (uint32_t i = 0; i < d->n; i++)
    if (strcmp(d->ids[i].text, id) == 0) return i;
  fail_msg("%s is no member", id);
  return 0;
}

static void end_one(struct dag *d, const struct ff_task *task) {
  if (!d->fails[place_of(d, task->execution_id.text)]) {
    struct ff_complete_args args = {.size = sizeof args, .handle = task->handle};
    struct ff_complete_result done;
    call(d, OP_complete, &args, &done);
    values_free(done.memory);
    return;
  }
  struct ff_fail_args args = {.size = sizeof args,
                              .handle = task->handle,
                              .reason = TEXT_LIT("drawn"),
                              .failure_class = FF_failure_class_permanent};
  struct ff_fail_result failed;
  call(d, OP_fail, &args, &failed);
  values_free(failed.memory);
}

/* Several are held at a time and end in any order, the engine's own work comes in between. */
static void run(struct dag *d) {
  static const struct ff_str lane = {"default", 7};
  for (int idle = 0; idle < 2;) {
    struct ff_claim_tasks_args args = {.size = sizeof args,
                                       .lane_ids = {&lane, 1},
                                       .worker_id = TEXT_LIT("w"),
                                       .worker_instance_id = TEXT_LIT("w-1"),
                                       .lease_ttl_ms = 600000,
                                       .max = 1 + dice(d, 20)};
    struct ff_claim_tasks_result found;
    call(d, OP_claim_tasks, &args, &found);
    for (size_t first = dice(d, 20), i = 0; i < found.tasks.count; i++)
      end_one(d, &found.tasks.items[(first + i) % found.tasks.count]);
    idle = found.tasks.count ? 0 : idle + 1;
    values_free(found.memory);
    for (int i = 0; (idle || dice(d, 2)) && i < 1000 && engine_step(d->engine, clock_wall_ms());)
      i++;
  }
}

/* ---- the oracle ---- */

static void check(struct dag *d, uint64_t seed) {
  uint8_t expected[MEMBERS_MAX];
  for (uint32_t i = 0; i < d->n; i++) {
    uint32_t succeeded = 0;
    for (uint32_t k = 0; k < d->edge_count; k++)
      succeeded += d->down[k] == i && expected[d->up[k]] == FF_public_state_completed;
    expected[i] = succeeded < d->needs[i] ? FF_public_state_skipped
                  : d->fails[i]           ? FF_public_state_failed
                                          : FF_public_state_completed;
    struct ff_read_execution_state_args args = {.size = sizeof args,
                                                .execution_id = ff_text(d->ids[i].text)};
    struct ff_read_execution_state_result state;
    call(d, OP_read_execution_state, &args, &state);
    if (state.public_state != expected[i])
      fail_msg("seed %llu: member %u of %u is %s, expected %s", (unsigned long long)seed, i, d->n,
               ff_word(FF_WORD_public_state, state.public_state),
               ff_word(FF_WORD_public_state, expected[i]));
    values_free(state.memory);
  }
}

static void random_graphs(void **state) {
  (void)state;
  uint32_t graphs = getenv("FF_SOAK") ? 2000 : GRAPHS;
  struct dag *d = heap_zalloc(sizeof *d);
  for (uint64_t seed = 1; seed <= graphs; seed++) {
    struct engine_options options = {.manual = true, .open = FF_OPEN_OPTIONS_INIT};
    memset(d, 0, sizeof *d);
    d->state = hash_mix64(seed);
    options.open.dev_mode = true;
    options.open.seed = seed;
    options.open.log = no_warnings;
    options.open.cascade_steps = seed % 2 ? 16 : 256;
    if (engine_open(TEXT_LIT("memory:"), &options, &d->engine, &error) != FF_OK)
      fail_msg("%s", error.detail);
    draw_graph(d);
    create(d);
    run(d);
    check(d, seed);
    engine_close(d->engine);
  }
  free(d);
}

/* FK-7: a chain of skips of any length, over many transactions. */
static void a_long_chain(void **state) {
  (void)state;
  struct dag *d = heap_zalloc(sizeof *d);
  struct engine_options options = {.manual = true, .open = FF_OPEN_OPTIONS_INIT};
  options.open.dev_mode = true;
  options.open.cascade_steps = 16;
  options.open.log = no_warnings;
  if (engine_open(TEXT_LIT("memory:"), &options, &d->engine, &error) != FF_OK)
    fail_msg("%s", error.detail);
  d->n = MEMBERS_MAX;
  for (uint32_t i = 0; i < d->n; i++) {
    snprintf(d->names[i], sizeof d->names[i], "m%u", i);
    d->members[i] = (struct ff_graph_member){.name = ff_text(d->names[i])};
    d->needs[i] = i > 0;
    if (!i) continue;
    d->up[d->edge_count] = (uint16_t)(i - 1);
    d->down[d->edge_count] = (uint16_t)i;
    d->edges[d->edge_count++] =
        (struct ff_graph_edge){ff_text(d->names[i - 1]), ff_text(d->names[i]), {NULL, 0}};
  }
  d->fails[0] = true;
  create(d);
  run(d);
  check(d, 0);
  engine_close(d->engine);
  free(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(random_graphs),
                                     cmocka_unit_test(a_long_chain)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
