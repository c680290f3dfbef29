/*
 * The same random history on every store: identical answers after every call, identical dumps
 * (DESIGN §7, P9).
 *
 * usage: differential [--servers] [--seed N] [--count N] [--steps N] [--verbose]
 *
 * The reference is compared with the stores that need no server, or with --servers with those that
 * do.
 * Every store gets a manual engine, one injected clock, one seed and a history of its own; equal
 * answers keep the histories in step. SQLite runs with synchronous=off: this test compares what
 * operations do, and thousands of small commits would only measure the disk; what survives a crash
 * is the business of test/crash and the power-loss tests.
 */
#include "test/lib/history.h"

#include "op/values.h"
#include "test/lib/script.h"
#include "test/lib/stores.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static size_t chosen[TEST_STORES];
static int stores; /* how many of them */

struct side {
  struct engine *engine;
  struct history *history;
};

struct run {
  uint64_t seed;
  int64_t clock;
  uint32_t steps, step;
  struct side sides[TEST_STORES];
  bool verbose;
};

static uint64_t calls_of[OP_COUNT], successes_of[OP_COUNT];

static int64_t run_clock(void *user) { return ((struct run *)user)->clock; }
static void quiet(void *user, enum ff_log_level level, const char *message) {
  (void)user, (void)level, (void)message;
}

/* ---- opening ---- */

static void side_open(struct run *r, int i) {
  struct side *side = &r->sides[i];
  struct ff_error error;
  struct engine_options options = {.open = {.size = sizeof options.open,
                                            .no_scanners = r->seed % 2,
                                            .dev_mode = true,
                                            .batch_limit = 1 + (uint32_t)(r->seed % 5),
                                            .log = quiet,
                                            .clock_ms = run_clock,
                                            .clock_user = r,
                                            .seed = r->seed + 1},
                                   .manual = true};
  struct history_options history = {
      .seed = r->seed, .reads = true, .spoils = true, .strands = true};
  char url[640];
  test_store_place(chosen[i], "differential", "?synchronous=off", url, sizeof url);
  if (engine_open(ff_text(url), &options, &side->engine, &error) != FF_OK) {
    fprintf(stderr, "%s: %s: %s\n", url, ff_code_name(error.code), error.detail);
    exit(2);
  }
  side->history = history_new(&history);
}

static void side_close(struct run *r, int i) {
  engine_close(r->sides[i].engine);
  history_free(r->sides[i].history);
  test_store_remove(chosen[i], "differential");
}

/* ---- comparing ---- */

static bool same_as_first(struct run *r, const char *what, struct buffer *texts, size_t i) {
  if (text_equal(buffer_text(&texts[0]), buffer_text(&texts[i]))) return true;
  const char *p = buffer_text(&texts[0]).ptr, *q = buffer_text(&texts[i]).ptr;
  while (*p && *p == *q) p++, q++;
  while (p > buffer_text(&texts[0]).ptr && p[-1] != '\n') p--, q--;
  printf("DIFFERENCE seed %llu step %u: %s\n", (unsigned long long)r->seed, r->step, what);
  printf("  %s: %.*s\n  %s: %.*s\n", test_store(chosen[0]), (int)strcspn(p, "\n"), p,
         test_store(chosen[i]), (int)strcspn(q, "\n"), q);
  return false;
}

static bool same(struct run *r, const char *what, struct buffer *texts) {
  for (size_t i = 1; i < (size_t)stores; i++)
    if (!same_as_first(r, what, texts, i)) return false;
  return true;
}

static bool same_dumps(struct run *r) {
  struct buffer dumps[TEST_STORES];
  for (int i = 0; i < stores; i++) {
    buffer_init(&dumps[i]);
    engine_dump(r->sides[i].engine, &dumps[i]);
  }
  bool ok = same(r, "dump", dumps);
  for (int i = 0; i < stores; i++) buffer_fini(&dumps[i]);
  return ok;
}

/* ---- one step ---- */

static void call_side(struct run *r, int i, struct buffer *text, char *name, size_t name_size) {
  struct side *side = &r->sides[i];
  struct history_call *call = history_next(side->history, r->clock);
  const struct op_info *info = &op_infos[call->op];
  struct ff_error error = {.retry_after_ms = -1};
  void *result = heap_zalloc(info->result_size);
  enum ff_rc rc = engine_call(side->engine, call->op, call->args, result, &error);
  history_print_call(call, text);
  buffer_append_c(text, " -> ");
  history_print_answer(call->op, rc, result, &error, text);
  test_store_hide(text->ptr);
  history_learn(side->history, call, rc == FF_OK ? result : NULL);
  snprintf(name, name_size, "%s", info->name);
  if (i == 0) calls_of[call->op]++;
  if (i == 0 && rc == FF_OK) successes_of[call->op]++;
  values_free(*(struct ff_memory **)result);
  free(result);
  history_call_release(call);
}

static bool step_call(struct run *r) {
  struct buffer texts[TEST_STORES];
  char name[64];
  for (int i = 0; i < stores; i++) {
    buffer_init(&texts[i]);
    call_side(r, i, &texts[i], name, sizeof name);
  }
  if (r->verbose)
    printf("%4u %lld %s\n", r->step, (long long)(r->clock - HISTORY_START),
           buffer_text(&texts[0]).ptr);
  bool ok = same(r, name, texts);
  for (int i = 0; i < stores; i++) buffer_fini(&texts[i]);
  return ok;
}

/* Time passes; sometimes the engines do what has fallen due. */
static void step_time(struct run *r) {
  int64_t later = r->clock;
  for (int i = 0; i < stores; i++) later = history_later(r->sides[i].history, r->clock);
  r->clock = later;
  bool due = false;
  for (int i = 0; i < stores; i++) due = history_dice(r->sides[i].history, 3) == 0;
  for (int i = 0; due && i < stores; i++)
    for (int n = 0; n < 100 && engine_step(r->sides[i].engine, r->clock); n++) {
    }
  if (r->verbose)
    printf("%4u time %lld%s\n", r->step, (long long)(r->clock - HISTORY_START), due ? " tick" : "");
}

static bool run_history(struct run *r) {
  bool ok = true;
  r->clock = HISTORY_START;
  for (int i = 0; i < stores; i++) side_open(r, i);
  for (r->step = 1; ok && r->step <= r->steps; r->step++) {
    bool time = false;
    for (int i = 0; i < stores; i++) time = history_dice(r->sides[i].history, 100) < 18;
    if (time)
      step_time(r);
    else
      ok = step_call(r);
    if (ok && r->step % 50 == 0) ok = same_dumps(r);
  }
  if (ok) ok = same_dumps(r);
  for (int i = 0; i < stores; i++) side_close(r, i);
  return ok;
}

/* ---- all of them ---- */

/* Not drawn: these answer what differs between stores by nature, or count an engine's own work (a
 * store that others may change is looked at more often); or they mend what only hands can break. */
static bool exempt(enum op_id op) {
  return op == OP_capabilities || op == OP_read_config || op == OP_engine_stats ||
         op == OP_list_scanners || op == OP_promote_blocked_to_eligible;
}

/* A generator that never gets an operation to succeed proves nothing about it. */
static int uncovered(void) {
  int missing = 0;
  for (int op = 0; op < OP_COUNT; op++) {
    if (exempt((enum op_id)op) || successes_of[op]) continue;
    printf("never succeeded: %s (%llu calls)\n", op_infos[op].name,
           (unsigned long long)calls_of[op]);
    missing++;
  }
  return missing;
}

static uint64_t number(const char *text) { return text ? strtoull(text, NULL, 10) : 0; }

int main(int argc, char **argv) {
  uint64_t seed = 1, count = 0, steps = 150, differences = 0, calls = 0;
  bool verbose = false, one = false, servers = false;
  int missing = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--seed") == 0)
      seed = number(argv[++i]), one = true;
    else if (strcmp(argv[i], "--count") == 0)
      count = number(argv[++i]);
    else if (strcmp(argv[i], "--steps") == 0)
      steps = number(argv[++i]);
    else if (strcmp(argv[i], "--verbose") == 0)
      verbose = true;
    else if (strcmp(argv[i], "--servers") == 0)
      servers = true;
    else
      return fprintf(stderr,
                     "usage: differential [--servers] [--seed N] [--count N] [--steps N] "
                     "[--verbose]\n"),
             2;
  }
  stores = (int)test_stores_choose(servers, chosen, &missing);
  if (missing && stores == 1) return missing;
  if (!count) count = one ? 1 : getenv("FF_SOAK") ? 10000 : 500;
  for (uint64_t i = 0; i < count && differences < 3; i++) {
    struct run r = {.seed = seed + i, .steps = (uint32_t)steps, .verbose = verbose};
    if (!run_history(&r)) {
      differences++;
      printf("again: differential%s --seed %llu --steps %llu --verbose\n",
             servers ? " --servers" : "", (unsigned long long)(seed + i),
             (unsigned long long)steps);
    }
  }
  for (int op = 0; op < OP_COUNT; op++) calls += calls_of[op];
  printf("differential: %llu histories, %llu calls, %llu differences\n", (unsigned long long)count,
         (unsigned long long)calls, (unsigned long long)differences);
  if (verbose && count > 1)
    for (int op = 0; op < OP_COUNT; op++)
      printf("%-32s %8llu calls %8llu succeeded\n", op_infos[op].name,
             (unsigned long long)calls_of[op], (unsigned long long)successes_of[op]);
  if (count >= 200 && uncovered()) return 1;
  return differences != 0 || missing == 1;
}
