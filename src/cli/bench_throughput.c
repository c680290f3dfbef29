/*
 * `throughput` and `throughput.bulk`: S1 in runs that alternate with the floor, reported as
 * medians.
 *
 * Every run has a store of its own (the given one when --url names one), warmed up at a tenth of
 * the size; the floor gets the grouping that run had. Creation is inside the clock: the rate is n
 * over the sum of both phases.
 */
#include "args.h"
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum part { ALL, ENQUEUE, DRAIN, PARTS };
static const char *const suffixes[PARTS] = {"", ".enqueue", ".drain"};

/* The figures of one part over the runs. */
struct figures {
  struct bench_series per_s, p50, p99, p999, floor, ratio, pages, cpu, floor_pages, floor_cpu,
      group;
};
struct s1 {
  struct bench *b;
  const char *work;
  unsigned callers, bulk, runs;
  uint64_t n;
  struct figures parts[PARTS];
  struct bench_series claim_p50, claim_p99, complete_p50, complete_p99;
  char durability[64];
  /* of one run */
  struct bench_times creates, claims, completes, drains, all;
};

static double per_s(uint64_t n, int64_t ns) { return ns > 0 ? (double)n * 1e9 / (double)ns : NAN; }

static struct bench_usage sum(const struct bench_usage *a, const struct bench_usage *b) {
  return (struct bench_usage){a->wall_ns + b->wall_ns, a->cpu_ns + b->cpu_ns,
                              a->written_bytes + b->written_bytes, a->write_calls + b->write_calls};
}

static void add_ours(struct s1 *s, enum part part, const struct bench_usage *used,
                     const struct bench_times *times) {
  struct figures *f = &s->parts[part];
  bench_series_add(&f->per_s, per_s(s->n, used->wall_ns));
  bench_series_add(&f->p50, bench_times_ms(times, 0.5));
  bench_series_add(&f->p99, bench_times_ms(times, 0.99));
  bench_series_add(&f->p999, bench_times_ms(times, 0.999));
  bench_series_add(&f->pages, (double)used->written_bytes / 4096 / (double)s->n);
  bench_series_add(&f->cpu, (double)used->cpu_ns / 1e3 / (double)s->n);
}

static void add_floor(struct s1 *s, enum part part, const struct bench_usage *used) {
  struct figures *f = &s->parts[part];
  double floor = per_s(s->n, used->wall_ns);
  bench_series_add(&f->floor, floor);
  bench_series_add(&f->ratio, f->per_s.values[f->per_s.count - 1] / floor);
  bench_series_add(&f->floor_pages, (double)used->written_bytes / 4096 / (double)s->n);
  bench_series_add(&f->floor_cpu, (double)used->cpu_ns / 1e3 / (double)s->n);
}

static void forget_times(struct s1 *s) {
  memset(&s->creates, 0, sizeof(s->creates));
  memset(&s->claims, 0, sizeof(s->claims));
  memset(&s->completes, 0, sizeof(s->completes));
  memset(&s->drains, 0, sizeof(s->drains));
  memset(&s->all, 0, sizeof(s->all));
}

/* ---- one run ---- */

static void keep_ours(struct s1 *s, const struct bench_load *load) {
  struct bench_usage both = sum(&load->create.used, &load->drain.used);
  bench_times_merge(&s->drains, &s->claims);
  bench_times_merge(&s->drains, &s->completes);
  bench_times_merge(&s->all, &s->creates);
  bench_times_merge(&s->all, &s->drains);
  add_ours(s, ENQUEUE, &load->create.used, &s->creates);
  add_ours(s, DRAIN, &load->drain.used, &s->drains);
  add_ours(s, ALL, &both, &s->all);
  bench_series_add(&s->claim_p50, bench_times_ms(&s->claims, 0.5));
  bench_series_add(&s->claim_p99, bench_times_ms(&s->claims, 0.99));
  bench_series_add(&s->complete_p50, bench_times_ms(&s->completes, 0.5));
  bench_series_add(&s->complete_p99, bench_times_ms(&s->completes, 0.99));
  double creates = (double)load->create.batches, drains = (double)load->drain.batches;
  bench_series_add(&s->parts[ENQUEUE].group, (double)s->n / creates);
  bench_series_add(&s->parts[DRAIN].group, 2 * (double)s->n / drains);
  bench_series_add(&s->parts[ALL].group, 3 * (double)s->n / (creates + drains));
}

static int run_ours(struct s1 *s) {
  struct bench_store store;
  char lane[64];
  int code = bench_store_open(s->b, false, &store);
  if (code != CLI_OK) return code;
  snprintf(s->durability, sizeof(s->durability), "%s", ff_durability(store.engine));
  bench_lane_name(s->b, lane);
  forget_times(s);
  struct bench_load load = {.engine = store.engine,
                            .lane = lane,
                            .n = s->n,
                            .callers = s->callers,
                            .bulk = s->bulk,
                            .payload_bytes = (size_t)s->b->payload_bytes,
                            .creates = &s->creates,
                            .claims = &s->claims,
                            .completes = &s->completes};
  code = bench_load_quietly(s->b, &load, s->n / 10, true);
  if (code == CLI_OK) code = bench_load_create(s->b, &load);
  if (code == CLI_OK) code = bench_load_drain(s->b, &load);
  bench_store_close(&store);
  if (code == CLI_OK) keep_ours(s, &load);
  return code;
}

static unsigned last_group(const struct figures *f) {
  double group = f->group.values[f->group.count - 1];
  return group < 1 ? 1 : (unsigned)lround(group);
}

static int run_floor(struct s1 *s) {
  struct bench_floor *floor = bench_floor_open(s->b, s->durability);
  if (!floor) return CLI_UNREACHABLE;
  struct bench_floor_load load = {.n = s->n / 10,
                                  .create_group = last_group(&s->parts[ENQUEUE]),
                                  .drain_group = last_group(&s->parts[DRAIN]),
                                  .bulk = s->bulk > 1};
  int code = load.n ? bench_floor_run(floor, &load) : CLI_OK;
  load.n = s->n;
  if (code == CLI_OK) code = bench_floor_run(floor, &load);
  bench_floor_close(floor);
  if (code != CLI_OK) return code;
  struct bench_usage both = sum(&load.create.used, &load.drain.used);
  add_floor(s, ENQUEUE, &load.create.used);
  add_floor(s, DRAIN, &load.drain.used);
  add_floor(s, ALL, &both);
  return CLI_OK;
}

/* ---- lines ---- */

static void note_cost(const struct s1 *s, enum part part, struct bench_line *line) {
  const struct figures *f = &s->parts[part];
  const char *what = part == ENQUEUE ? "creates"
                     : part == DRAIN ? "claims and completions"
                                     : "steps";
  bench_line_note(line, "%.1f %s a commit", bench_series_median(&f->group), what);
  bench_line_note(line, "%.2f pages and %.1f us CPU each", bench_series_median(&f->pages),
                  bench_series_median(&f->cpu));
  if (!f->floor.count) return;
  bench_line_note(line, "%sfloor %.2f pages, %.1f us", s->b->full_floor ? "full " : "",
                  bench_series_median(&f->floor_pages), bench_series_median(&f->floor_cpu));
  bench_line_note(line, "%.2f of the floor", bench_series_median(&f->ratio));
}

static void print_part(const struct s1 *s, enum part part) {
  const struct figures *f = &s->parts[part];
  struct bench_line line;
  char work[64];
  snprintf(work, sizeof(work), "%s%s", s->work, suffixes[part]);
  bench_line_init(&line, work, s->durability, s->n);
  line.per_s = bench_series_median(&f->per_s);
  line.p50_ms = bench_series_median(&f->p50);
  line.p99_ms = bench_series_median(&f->p99);
  line.p999_ms = bench_series_median(&f->p999);
  line.floor_per_s = bench_series_median(&f->floor);
  note_cost(s, part, &line);
  if (part == ALL) {
    bench_line_note(
        &line, "%u caller%s, %u a call, payload %lld B, minted ids, no idempotency keys, no quotas",
        s->callers, s->callers == 1 ? "" : "s", s->bulk, (long long)s->b->payload_bytes);
    bench_line_note(&line, "median of %u run%s", s->runs, s->runs == 1 ? "" : "s");
  }
  if (part == DRAIN)
    bench_line_note(&line, "claim p50 %.3f p99 %.3f ms, complete p50 %.3f p99 %.3f ms",
                    bench_series_median(&s->claim_p50), bench_series_median(&s->claim_p99),
                    bench_series_median(&s->complete_p50), bench_series_median(&s->complete_p99));
  bench_print(s->b, &line);
}

static int measure(struct s1 *s) {
  int code = CLI_OK;
  for (unsigned run = 0; run < s->runs && code == CLI_OK; run++) {
    code = run_ours(s);
    if (code == CLI_OK && bench_floor_wanted(s->b, s->durability)) code = run_floor(s);
  }
  for (int part = 0; part < PARTS && code == CLI_OK; part++) print_part(s, (enum part)part);
  return code;
}

static int run_s1(struct bench *b, const char *work, unsigned callers, unsigned bulk) {
  struct s1 *s = cli_alloc(sizeof(*s));
  memset(s, 0, sizeof(*s));
  s->b = b;
  s->work = work;
  s->callers = callers;
  s->bulk = bulk;
  s->runs = b->runs ? (unsigned)b->runs : 5;
  s->n = b->n ? (uint64_t)b->n : 100000;
  int code = measure(s);
  if (code == CLI_OK && bulk == 1) b->measured_per_s = bench_series_median(&s->parts[ALL].per_s);
  free(s);
  return code;
}

int bench_throughput(struct bench *b) {
  return run_s1(b, "throughput", b->callers ? (unsigned)b->callers : 64, 1);
}

int bench_bulk(struct bench *b) {
  return run_s1(b, "throughput.bulk", b->callers ? (unsigned)b->callers : 1, (unsigned)b->bulk);
}
