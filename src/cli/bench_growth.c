/*
 * `growth`: what a lifecycle costs when 1 k, 100 k, 1 M … executions are stored, with ordered and
 * with random client ids, and what a claim costs when as many wait.
 *
 * A large store grows from size to size; at each size its runs alternate with runs on a store of 1
 * k, so that the ratio is of the same minutes. Both are scratch stores, also when --url names one:
 * only its kind and place are used.
 */
#include "args.h"
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#define SMALL 1000
#define CLAIMS 1000 /* of one run of growth.claim */

struct figures {
  struct bench_series per_s, p50, p99, p999, cpu, ratio, cpu_ratio;
};
struct growth {
  struct bench *b;
  enum bench_ids ids;
  unsigned runs;
  uint64_t n; /* lifecycles of one run */
  char durability[64];
  struct bench_times claims, completes, creates; /* of the run under way */
  struct figures small, large;
};

static double per_s(uint64_t n, int64_t ns) { return ns > 0 ? (double)n * 1e9 / (double)ns : NAN; }

static struct bench_load load_of(struct growth *g, struct bench_store *store, const char *lane,
                                 bool timed) {
  struct bench_load load = {.engine = store->engine,
                            .lane = lane,
                            .n = g->n,
                            .callers = 1,
                            .bulk = (unsigned)g->b->bulk,
                            .payload_bytes = (size_t)g->b->payload_bytes,
                            .ids = g->ids};
  if (timed) load.creates = &g->creates, load.claims = &g->claims, load.completes = &g->completes;
  memset(&g->creates, 0, sizeof(g->creates));
  memset(&g->claims, 0, sizeof(g->claims));
  memset(&g->completes, 0, sizeof(g->completes));
  return load;
}

static void add(struct figures *f, uint64_t n, const struct bench_usage *used,
                const struct bench_times *times) {
  bench_series_add(&f->per_s, per_s(n, used->wall_ns));
  bench_series_add(&f->cpu, (double)used->cpu_ns / 1e3 / (double)n);
  bench_series_add(&f->p50, bench_times_ms(times, 0.5));
  bench_series_add(&f->p99, bench_times_ms(times, 0.99));
  bench_series_add(&f->p999, bench_times_ms(times, 0.999));
}

static double last(const struct bench_series *s) {
  return s->count ? s->values[s->count - 1] : NAN;
}

/* How much dearer the large store was in the runs just made. */
static void compare(struct growth *g) {
  bench_series_add(&g->large.ratio, last(&g->small.per_s) / last(&g->large.per_s));
  bench_series_add(&g->large.cpu_ratio, last(&g->large.cpu) / last(&g->small.cpu));
}

static void forget(struct growth *g) {
  memset(&g->small, 0, sizeof(g->small));
  memset(&g->large, 0, sizeof(g->large));
}

/* ---- lifecycles ---- */

/* Creates, claims and completes n on this store and adds the figures. */
static int measure(struct growth *g, struct bench_store *store, const char *lane,
                   struct figures *f) {
  struct bench_load load = load_of(g, store, lane, true);
  int code = bench_load_create(g->b, &load);
  if (code == CLI_OK) code = bench_load_drain(g->b, &load);
  if (code != CLI_OK) return code;
  struct bench_usage used = {load.create.used.wall_ns + load.drain.used.wall_ns,
                             load.create.used.cpu_ns + load.drain.used.cpu_ns, 0, 0};
  bench_times_merge(&g->creates, &g->claims);
  bench_times_merge(&g->creates, &g->completes);
  add(f, g->n, &used, &g->creates);
  return CLI_OK;
}

static int run_small(struct growth *g) {
  struct bench_store store;
  char lane[64];
  int code = bench_store_open(g->b, true, &store);
  if (code != CLI_OK) return code;
  bench_lane_name(g->b, lane);
  snprintf(g->durability, sizeof(g->durability), "%s", ff_durability(store.engine));
  struct bench_load load = load_of(g, &store, lane, false);
  code = bench_load_quietly(g->b, &load, SMALL, true);
  if (code == CLI_OK) code = measure(g, &store, lane, &g->small);
  bench_store_close(&store);
  return code;
}

static void print(struct growth *g, const char *work, const struct figures *f, uint64_t n,
                  uint64_t stored, uint64_t bytes) {
  struct bench_line line;
  char name[64];
  snprintf(name, sizeof(name), "growth.%s.%llu", work, (unsigned long long)stored);
  bench_line_init(&line, name, g->durability, n);
  line.per_s = bench_series_median(&f->per_s);
  line.p50_ms = bench_series_median(&f->p50);
  line.p99_ms = bench_series_median(&f->p99);
  line.p999_ms = bench_series_median(&f->p999);
  if (f->ratio.count)
    bench_line_note(&line, "%s %.2f of that with 1,000, run beside it; CPU %.2f",
                    strcmp(work, "claim") == 0 ? "claim p50" : "cost",
                    bench_series_median(&f->ratio), bench_series_median(&f->cpu_ratio));
  bench_line_note(&line, "%.1f us CPU each", bench_series_median(&f->cpu));
  if (bytes)
    bench_line_note(&line, "%.0f bytes on disk per execution", (double)bytes / (double)stored);
  bench_line_note(&line, "median of %u run%s", f->per_s.count, f->per_s.count == 1 ? "" : "s");
  bench_print(g->b, &line);
}

/* Grows the store to `size` finished executions and measures there. */
static int at_size(struct growth *g, struct bench_store *store, uint64_t *stored, uint64_t size) {
  static const char *const names[] = {"minted", "ordered", "random"};
  char lane[64];
  int code = CLI_OK;
  bench_lane_name(g->b, lane);
  struct bench_load load = load_of(g, store, lane, false);
  if (size > *stored) code = bench_load_quietly(g->b, &load, size - *stored, true);
  if (size > *stored) *stored = size;
  uint64_t bytes = bench_store_bytes(store);
  forget(g);
  for (unsigned run = 0; run < g->runs && code == CLI_OK; run++) {
    code = run_small(g);
    if (code == CLI_OK) code = measure(g, store, lane, &g->large);
    *stored += g->n;
    compare(g);
  }
  if (code == CLI_OK) print(g, names[g->ids], &g->large, g->n, size, bytes);
  return code;
}

static int with_ids(struct growth *g, enum bench_ids ids) {
  struct bench_store store;
  uint64_t stored = 0;
  g->ids = ids;
  int code = bench_store_open(g->b, true, &store);
  if (code != CLI_OK) return code;
  for (uint64_t size = SMALL; size <= (uint64_t)g->b->stored && code == CLI_OK;
       size *= size == SMALL ? 100 : 10)
    code = at_size(g, &store, &stored, size);
  bench_store_close(&store);
  return code;
}

/* ---- claims ---- */

/* Claims and completes some of what waits, one a call, and puts as many back behind. */
static int claim_some(struct growth *g, struct bench_store *store, const char *lane,
                      struct figures *f) {
  struct bench_load load = load_of(g, store, lane, true);
  load.n = CLAIMS;
  int code = bench_load_quietly(g->b, &load, load.n, false);
  load.bulk = 1;
  if (code == CLI_OK) code = bench_load_drain(g->b, &load);
  if (code != CLI_OK) return code;
  add(f, load.n, &load.drain.used, &g->claims);
  return CLI_OK;
}

static int fill(struct growth *g, struct bench_store *store, char lane[64], uint64_t waiting) {
  int code = bench_store_open(g->b, true, store);
  if (code != CLI_OK) return code;
  bench_lane_name(g->b, lane);
  struct bench_load load = load_of(g, store, lane, false);
  code = bench_load_quietly(g->b, &load, waiting, false);
  if (code != CLI_OK) bench_store_close(store);
  return code;
}

static int claims(struct growth *g) {
  struct bench_store small, large;
  char small_lane[64], large_lane[64];
  uint64_t waiting = g->b->stored < 1000000 ? (uint64_t)g->b->stored : 1000000;
  g->ids = BENCH_IDS_MINTED;
  int code = fill(g, &small, small_lane, SMALL);
  if (code != CLI_OK) return code;
  code = fill(g, &large, large_lane, waiting);
  if (code != CLI_OK) {
    bench_store_close(&small);
    return code;
  }
  forget(g);
  for (unsigned run = 0; run < g->runs && code == CLI_OK; run++) {
    code = claim_some(g, &small, small_lane, &g->small);
    if (code == CLI_OK) code = claim_some(g, &large, large_lane, &g->large);
    bench_series_add(&g->large.ratio, last(&g->large.p50) / last(&g->small.p50));
    bench_series_add(&g->large.cpu_ratio, last(&g->large.cpu) / last(&g->small.cpu));
  }
  if (code == CLI_OK) print(g, "claim", &g->small, CLAIMS, SMALL, 0);
  if (code == CLI_OK) print(g, "claim", &g->large, CLAIMS, waiting, bench_store_bytes(&large));
  bench_store_close(&large);
  bench_store_close(&small);
  return code;
}

int bench_growth(struct bench *b) {
  if (b->kind == BENCH_STORE_OTHER)
    return cli_error(CLI_USAGE, "growth needs scratch stores: a file or memory:");
  struct growth *g = cli_alloc(sizeof(*g));
  memset(g, 0, sizeof(*g));
  g->b = b;
  g->runs = b->runs ? (unsigned)b->runs : 5;
  g->n = b->n ? (uint64_t)b->n : 10000;
  int code = with_ids(g, BENCH_IDS_ORDERED);
  if (code == CLI_OK) code = with_ids(g, BENCH_IDS_RANDOM);
  if (code == CLI_OK) code = claims(g);
  free(g);
  return code;
}
