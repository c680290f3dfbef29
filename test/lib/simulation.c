/*
 * The loop of one simulated history: who acts next, time, crashes, and what is checked when.
 */
#include "test/lib/simulation_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- small things ---- */

uint64_t sim_bits(struct simulation *s) {
  s->state += 0x9e3779b97f4a7c15u;
  return hash_mix64(s->state);
}

uint32_t sim_dice(struct simulation *s, uint32_t bound) {
  return (uint32_t)((sim_bits(s) >> 32) * bound >> 32);
}

void sim_mix(struct simulation *s, uint64_t value) {
  s->result->hash = hash_mix64(s->result->hash ^ value);
}

void sim_trace(struct simulation *s, const char *format, ...) {
  va_list args;
  if (!s->options.trace) return;
  va_start(args, format);
  printf("%5u %8lld ", s->result->step, (long long)(s->now - HISTORY_START));
  vprintf(format, args);
  putchar('\n');
  va_end(args);
}

bool sim_fail(struct simulation *s, const char *format, ...) {
  if (s->stopped) return false;
  s->stopped = true;
  size_t size = sizeof s->result->complaint;
  if (format) {
    va_list args;
    va_start(args, format);
    vsnprintf(s->result->complaint, size, format, args);
    va_end(args);
  } else {
    snprintf(s->result->complaint, size, "%s", oracle_complaint(s->oracle));
  }
  sim_trace(s, "VIOLATION: %s", s->result->complaint);
  return false;
}

bool sim_follow(struct simulation *s) {
  if (s->stopped) return false;
  return oracle_follow(s->oracle) ? true : sim_fail(s, NULL);
}

static int64_t sim_clock(void *user) { return ((struct simulation *)user)->now; }

/* ---- opening and closing ---- */

static void open_world(struct simulation *s) {
  static const struct op_config config = {.backend = FF_backend_memory,
                                          .flow_partitions = 256,
                                          .budget_partitions = 32,
                                          .quota_partitions = 32,
                                          .inline_bytes = 256,
                                          .retention_ms = 86400000,
                                          .auto_reclaim_delay_ms = 5000,
                                          .lease_renewed_events = true};
  struct store_options options = {.clock_ms = sim_clock, .clock_user = s};
  struct history_options history = {.seed = sim_bits(s),
                                    .waits = true,
                                    .reads = sim_dice(s, 2),
                                    .signals = sim_dice(s, 2)};
  struct ff_error error;
  /* the process id keeps concurrent workers apart in nothing but this name: the store is private to
   * the process anyway */
  snprintf(s->url, sizeof s->url, "memory:sim-%llu", (unsigned long long)s->options.seed);
  INVARIANT(store_open(ff_text(s->url), &options, &s->store, &error) == FF_OK);
  s->history = history_new(&history);
  s->rival_count = 1 + sim_dice(s, RIVALS_MAX);
  s->oracle = oracle_new(s->store, &config, s->rival_count > 1);
  s->talk = 200 + sim_dice(s, 4) * 120; /* the more, the larger the batches */
  for (uint32_t i = 0; i < s->rival_count; i++) {
    s->rivals[i] = (struct rival){.sim = s, .skew_ms = sim_dice(s, 3) ? 0 : sim_dice(s, 500)};
    rival_open(&s->rivals[i]);
  }
}

static void close_world(struct simulation *s) {
  for (uint32_t i = 0; i < s->rival_count; i++) {
    if (s->rivals[i].engine) rival_count(&s->rivals[i]);
    if (s->rivals[i].engine) engine_close(s->rivals[i].engine);
    copies_lose(&s->rivals[i]);
  }
  for (int i = 0; i < CLIENTS; i++)
    if (s->clients[i].call) history_call_release(s->clients[i].call);
  history_free(s->history);
  oracle_free(s->oracle);
  store_close(s->store);
}

/* ---- one step ---- */

static void pass_time(struct simulation *s) {
  int64_t before = s->now;
  s->now = sim_dice(s, 2) ? s->now + sim_dice(s, 10) : history_later(s->history, s->now);
  sim_trace(s, "time +%lld", (long long)(s->now - before));
}

/* Engines that die, come back, or have their clock put forward. */
static void upset(struct simulation *s) {
  struct rival *r = &s->rivals[sim_dice(s, s->rival_count)];
  uint32_t n = sim_dice(s, 10);
  if (!r->engine) {
    rival_open(r);
    (void)sim_follow(s);
  } else if (n < 4) {
    rival_crash(r);
    if (sim_dice(s, 2)) rival_open(r);
  } else if (n < 6) {
    r->skew_ms += sim_dice(s, 2000);
    sim_trace(s, "the clock of engine %d jumps to +%lld", (int)(r - s->rivals),
              (long long)r->skew_ms);
  } else if (n < 8) {
    history_forget_worker(s->history);
  } else {
    weather_change(s);
  }
}

static bool step(struct simulation *s) {
  uint32_t n = sim_dice(s, 1000);
  s->result->step++;
  if (n < s->talk) {
    (void)client_act(s);
  } else if (n < 900) {
    struct rival *r = rival_any(s);
    if (r)
      rival_step(r);
    else
      upset(s);
  } else if (n < 980) {
    pass_time(s);
  } else {
    upset(s);
  }
  if (!s->stopped && s->result->step % 50 == 0 && !oracle_check_all(s->oracle)) sim_fail(s, NULL);
  return !s->stopped;
}

static bool calls_left(const struct simulation *s) {
  return s->result->operations < s->options.operations;
}

void simulation_run(const struct simulation_options *options, struct simulation_result *result) {
  struct simulation *s = heap_zalloc(sizeof *s);
  *result = (struct simulation_result){0};
  s->options = *options;
  s->result = result;
  s->state = hash_mix64(options->seed ^ 0x51e5u);
  s->now = HISTORY_START;
  open_world(s);
  uint32_t limit = options->operations * 60 +
                   1000; /* parked calls and crashes cost steps; this many means it hangs */
  while (calls_left(s) && step(s) && result->step < limit) {
  }
  if (!s->stopped && calls_left(s))
    sim_fail(s, "clients made only %llu calls in %u steps", (unsigned long long)result->operations,
             result->step);
  if (!s->stopped) (void)sim_drain(s);
  result->ok = !s->stopped;
  struct oracle_waits waits = oracle_waits(s->oracle);
  result->events = oracle_events(s->oracle);
  result->suspensions = waits.suspensions;
  result->signals = waits.signals;
  result->met = waits.met;
  sim_mix(s, oracle_hash(s->oracle));
  close_world(s);
  free(s);
}
