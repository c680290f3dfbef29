/*
 * Rival engines on one store, and its weather: errors, conflicts, commits whose outcome nobody
 * knows.
 */
#include "test/lib/simulation_impl.h"

#include "op/execution.h"

/* ---- the store's faults ---- */

static int64_t rival_clock(void *user) {
  struct rival *r = user;
  return r->sim->now + r->skew_ms;
}

static enum ff_rc fail_with(struct simulation *s, uint8_t percent, struct ff_error *error) {
  if (!percent || sim_dice(s, 100) >= percent) return FF_OK;
  s->result->faults++;
  return error_set(error, FF_CODE_transport, "injected");
}

static enum ff_rc before_fetch(void *user, struct ff_error *error) {
  struct rival *r = user;
  return fail_with(r->sim, r->sim->weather.fetch, error);
}

static enum ff_rc before_apply(void *user, struct ff_error *error) {
  struct rival *r = user;
  return fail_with(r->sim, r->sim->weather.apply, error);
}

static void touch(struct simulation *s, const struct store_write *w) {
  const struct execution *x = w->record;
  const struct attempt *a = w->record;
  const struct grant *g = w->record; /* payload, result and policy begin alike */
  switch (w->record_kind) {
    case RECORD_KIND_execution: oracle_touch(s->oracle, execution_id_of(x)); break;
    case RECORD_KIND_attempt:
      oracle_touch(s->oracle, (struct exec_id){a->partition, a->execution_id});
      break;
    case RECORD_KIND_grant:
    case RECORD_KIND_payload:
    case RECORD_KIND_result:
    case RECORD_KIND_policy:
      oracle_touch(s->oracle, (struct exec_id){g->partition, g->execution_id});
      break;
    default: break;
  }
}

static enum store_outcome group(void *user, const struct store_group *g, bool *really_apply) {
  struct rival *r = user;
  struct simulation *s = r->sim;
  for (uint32_t i = 0; i < g->write_count; i++) touch(s, &g->writes[i]);
  uint32_t n = sim_dice(s, 100);
  if (n < s->weather.conflict) {
    s->result->faults++;
    return STORE_CONFLICT;
  }
  if (n < (uint32_t)s->weather.conflict + s->weather.unknown) {
    s->result->faults++;
    *really_apply = sim_dice(s, 2);
    sim_trace(s, "  unknown commit, %s", *really_apply ? "applied" : "not applied");
    return STORE_UNKNOWN;
  }
  return STORE_APPLIED;
}

void weather_change(struct simulation *s) {
  static const struct weather kinds[] = {{0, 0, 0, 0},  {0, 0, 0, 0},  {1, 1, 2, 2},  {2, 0, 20, 0},
                                         {0, 10, 0, 0}, {0, 0, 0, 15}, {5, 5, 10, 10}};
  s->weather = kinds[sim_dice(s, ARRAY_LEN(kinds))];
}

/* ---- rivals ---- */

static void quiet(void *user, enum ff_log_level level, const char *message) {
  (void)user, (void)level, (void)message;
}

/* May fail in bad weather: somebody tries again later. */
void rival_open(struct rival *r) {
  struct simulation *s = r->sim;
  struct store_faults faults = {.user = r,
                                .now_ms = rival_clock,
                                .before_fetch = before_fetch,
                                .before_apply = before_apply,
                                .group = group};
  struct engine_options options = {.open = {.size = sizeof options.open,
                                            .log = quiet,
                                            .clock_ms = rival_clock,
                                            .clock_user = r,
                                            .no_scanners = !s->draining && sim_dice(s, 4) == 0,
                                            .batch_limit = sim_dice(s, 2) ? 1 + sim_dice(s, 6) : 0,
                                            .inbox_limit = sim_dice(s, 4) ? 0 : 2 + sim_dice(s, 5),
                                            .seed = sim_bits(s) | 1},
                                   .manual = true,
                                   .faults = &faults};
  struct ff_error error;
  enum ff_rc rc = engine_open(ff_text(s->url), &options, &r->engine, &error);
  r->incarnation++;
  sim_trace(s, "engine %d opens: %s", (int)(r - s->rivals), rc == FF_OK ? "ok" : error.detail);
}

/* What its executor has counted, before it goes. */
void rival_count(struct rival *r) {
  struct ff_engine_stats_args args = {.size = sizeof args};
  struct ff_engine_stats_result found;
  struct ff_error error;
  if (engine_call(r->engine, OP_engine_stats, &args, &found, &error) != FF_OK) return;
  for (size_t i = 0; i < found.stats.count; i++) {
    uint64_t n = 0;
    if (!parse_u64(found.stats.items[i].value, &n)) continue;
    if (text_equal_c(found.stats.items[i].key, "conflicts")) r->sim->result->conflicts += n;
    if (text_equal_c(found.stats.items[i].key, "batches")) r->sim->result->batches += n;
  }
  values_free(found.memory);
}

void rival_crash(struct rival *r) {
  sim_trace(r->sim, "engine %d dies", (int)(r - r->sim->rivals));
  r->sim->result->crashes++;
  rival_count(r);
  engine_close(r->engine);
  r->engine = NULL;
  copies_lose(r);
  (void)sim_follow(r->sim);
}

bool rival_step(struct rival *r) {
  bool did = engine_step(r->engine, r->sim->now + r->skew_ms);
  r->sim->result->steps++;
  (void)sim_follow(r->sim);
  return did;
}

struct rival *rival_any(struct simulation *s) {
  uint32_t first = sim_dice(s, s->rival_count);
  for (uint32_t i = 0; i < s->rival_count; i++) {
    struct rival *r = &s->rivals[(first + i) % s->rival_count];
    if (r->engine) return r;
  }
  return NULL;
}
