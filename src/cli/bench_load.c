/*
 * The S1 load: callers that create executions, and callers that claim and complete them, one a call
 * or many.
 *
 * Measures each call and the phase; stops at the first error and prints it. Payloads are copied
 * nowhere but by the engine.
 */
#include "args.h"
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_MS 30000
#define PATIENCE_MS 1000 /* a claim that finds nothing for this long has lost an execution */
#define ID_PARTITION 7   /* of client ids; any would do */

/* One phase under way. */
struct drive {
  struct bench *b;
  struct bench_load *load;
  const unsigned char *payload;
  struct member *members;
  _Atomic uint64_t next; /* how many executions are spoken for */
  _Atomic bool failed;
  pthread_mutex_t lock; /* of error */
  struct ff_error error;
};
struct member {
  struct bench_times creates, claims, completes;
};

unsigned char *bench_payload_new(size_t size) {
  unsigned char *payload = cli_alloc(size ? size : 1);
  for (size_t i = 0; i < size; i++) payload[i] = (unsigned char)('a' + i % 26);
  return payload;
}

/* ---- client ids ---- */

static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/* Version 7 with a counter behind the time, so that they ascend; or version 4. */
void bench_client_id(enum bench_ids ids, char out[FF_ID_MAX]) {
  static _Atomic uint64_t made;
  static _Atomic uint64_t seed;
  if (!seed) seed = (uint64_t)bench_now_ns();
  uint64_t count = made++, random = mix(seed + count * 0x9e3779b97f4a7c15u),
           other = mix(random ^ seed);
  uint64_t high = (uint64_t)cli_now_ms() << 16 | 0x7000 | (count >> 14 & 0xfff);
  uint64_t low = (count & 0x3fff) << 48 | (random & 0xffffffffffff);
  if (ids == BENCH_IDS_RANDOM) {
    high = (random & ~0xf000ull) | 0x4000;
    low = other >> 2;
  }
  low = (low & ~(3ull << 62)) | 2ull << 62;
  snprintf(out, FF_ID_MAX, "{fp:%d}:%08x-%04x-%04x-%04x-%012llx", ID_PARTITION,
           (unsigned)(high >> 32), (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff),
           (unsigned)(low >> 48), (unsigned long long)(low & 0xffffffffffff));
}

/* ---- what goes wrong ---- */

static bool give_up(struct drive *d, const struct ff_error *error) {
  pthread_mutex_lock(&d->lock);
  if (!d->failed) d->error = *error;
  d->failed = true;
  pthread_mutex_unlock(&d->lock);
  return false;
}

static bool give_up_saying(struct drive *d, const char *detail) {
  struct ff_error error = {
      .rc = FF_STATE, .code = FF_CODE_execution_not_found, .retry_after_ms = -1};
  snprintf(error.detail, sizeof(error.detail), "%s", detail);
  return give_up(d, &error);
}

/* Takes up to `most` of what is left to do; 0 = over. */
static uint64_t take(struct drive *d, uint64_t most) {
  if (d->failed || bench_stopped()) return 0;
  uint64_t at = atomic_fetch_add(&d->next, most);
  if (at >= d->load->n) return 0;
  return d->load->n - at < most ? d->load->n - at : most;
}

/* ---- creating ---- */

static struct ff_create_execution_args create_args(const struct drive *d) {
  struct ff_create_execution_args args = FF_ARGS(create_execution);
  args.lane_id = ff_text(d->load->lane);
  args.execution_kind = ff_text("bench");
  args.creator_identity = ff_text("ff bench");
  args.input_payload = (struct ff_bytes){d->payload, d->load->payload_bytes};
  return args;
}

static bool create_with_id(struct drive *d, struct ff_error *error) {
  struct ff_create_execution_args args = create_args(d);
  struct ff_create_execution_result result;
  char id[FF_ID_MAX];
  bench_client_id(d->load->ids, id);
  args.execution_id = ff_text(id);
  if (ff_create_execution(d->load->engine, &args, &result, error) != FF_OK) return false;
  ff_clear(&result);
  return true;
}

static bool create_minted(struct drive *d, struct ff_error *error) {
  struct ff_create_execution_args of = create_args(d);
  struct ff_submit_args args = FF_ARGS(submit);
  struct ff_submit_result result;
  args.lane_id = of.lane_id;
  args.execution_kind = of.execution_kind;
  args.creator_identity = of.creator_identity;
  args.input_payload = of.input_payload;
  if (ff_submit(d->load->engine, &args, &result, error) != FF_OK) return false;
  ff_clear(&result);
  return true;
}

static void create_singly(void *shared, unsigned index) {
  struct drive *d = shared;
  struct bench_times *times = &d->members[index].creates;
  struct ff_error error;
  while (take(d, 1)) {
    int64_t start = bench_now_ns();
    bool ok =
        d->load->ids == BENCH_IDS_MINTED ? create_minted(d, &error) : create_with_id(d, &error);
    if (!ok) {
      give_up(d, &error);
      return;
    }
    bench_times_add(times, bench_now_ns() - start);
  }
}

static bool create_batch(struct drive *d, struct ff_create_execution_args *items,
                         char (*ids)[FF_ID_MAX], uint64_t count, struct bench_times *times) {
  struct ff_create_executions_args args = FF_ARGS(create_executions);
  struct ff_create_executions_result result;
  struct ff_error error;
  for (uint64_t i = 0; i < count; i++) {
    items[i] = create_args(d);
    if (d->load->ids == BENCH_IDS_MINTED) continue;
    bench_client_id(d->load->ids, ids[i]);
    items[i].execution_id = ff_text(ids[i]);
  }
  args.items = (struct ff_create_list){items, count};
  int64_t start = bench_now_ns();
  if (ff_create_executions(d->load->engine, &args, &result, &error) != FF_OK)
    return give_up(d, &error);
  bench_times_add(times, bench_now_ns() - start);
  bool ok = true;
  for (size_t i = 0; ok && i < result.slots.count; i++)
    if (result.slots.items[i].error.rc != FF_OK) ok = give_up(d, &result.slots.items[i].error);
  ff_clear(&result);
  return ok;
}

static void create_in_bulk(void *shared, unsigned index) {
  struct drive *d = shared;
  unsigned bulk = d->load->bulk;
  struct ff_create_execution_args *items = cli_alloc(bulk * sizeof(*items));
  char(*ids)[FF_ID_MAX] = cli_alloc(bulk * sizeof(*ids));
  uint64_t count = take(d, bulk);
  while (count && create_batch(d, items, ids, count, &d->members[index].creates))
    count = take(d, bulk);
  free(items);
  free(ids);
}

/* ---- claiming and completing ---- */

static bool claim_and_complete(struct drive *d, const struct ff_claim_task_args *claim,
                               struct member *m) {
  struct ff_complete_args complete = FF_ARGS(complete);
  struct ff_claim_task_result claimed;
  struct ff_complete_result completed;
  struct ff_error error;
  int64_t start = bench_now_ns();
  if (ff_claim_task(d->load->engine, claim, &claimed, &error) != FF_OK) return give_up(d, &error);
  int64_t between = bench_now_ns();
  complete.handle = claimed.task.handle;
  bool found = claimed.outcome == FF_outcome_claimed;
  ff_clear(&claimed);
  if (!found) return give_up_saying(d, "a claim found nothing although executions were left");
  if (ff_complete(d->load->engine, &complete, &completed, &error) != FF_OK)
    return give_up(d, &error);
  bench_times_add(&m->claims, between - start);
  bench_times_add(&m->completes, bench_now_ns() - between);
  ff_clear(&completed);
  return true;
}

static void worker_name(unsigned index, char out[32]) { snprintf(out, 32, "bench-%u", index); }

static void drain_singly(void *shared, unsigned index) {
  struct drive *d = shared;
  char worker[32];
  struct ff_str lane = ff_text(d->load->lane);
  struct ff_claim_task_args claim = FF_ARGS(claim_task);
  worker_name(index, worker);
  claim.lane_ids = (struct ff_strs){&lane, 1};
  claim.worker_id = claim.worker_instance_id = ff_text(worker);
  claim.lease_ttl_ms = LEASE_MS;
  claim.max_wait_ms = PATIENCE_MS;
  while (take(d, 1) && claim_and_complete(d, &claim, &d->members[index])) {
  }
}

/* Answers how many were done, 0 after an error. */
static uint64_t drain_batch(struct drive *d, const struct ff_claim_tasks_args *claim,
                            struct ff_complete_item *items, struct member *m) {
  struct ff_complete_many_args complete = FF_ARGS(complete_many);
  struct ff_claim_tasks_result claimed;
  struct ff_complete_many_result completed;
  struct ff_error error;
  int64_t start = bench_now_ns();
  if (ff_claim_tasks(d->load->engine, claim, &claimed, &error) != FF_OK) return give_up(d, &error);
  int64_t between = bench_now_ns();
  size_t count = claimed.tasks.count;
  for (size_t i = 0; i < count; i++)
    items[i] = (struct ff_complete_item){.handle = claimed.tasks.items[i].handle};
  ff_clear(&claimed);
  if (!count) return give_up_saying(d, "a claim found nothing although executions were left");
  complete.items = (struct ff_complete_items){items, count};
  int64_t again = bench_now_ns();
  if (ff_complete_many(d->load->engine, &complete, &completed, &error) != FF_OK)
    return give_up(d, &error);
  bench_times_add(&m->claims, between - start);
  bench_times_add(&m->completes, bench_now_ns() - again);
  for (size_t i = 0; count && i < completed.slots.count; i++)
    if (completed.slots.items[i].error.rc != FF_OK)
      count = give_up(d, &completed.slots.items[i].error);
  ff_clear(&completed);
  return count;
}

static void drain_in_bulk(void *shared, unsigned index) {
  struct drive *d = shared;
  char worker[32];
  struct ff_str lane = ff_text(d->load->lane);
  struct ff_claim_tasks_args claim = FF_ARGS(claim_tasks);
  struct ff_complete_item *items = cli_alloc(d->load->bulk * sizeof(*items));
  worker_name(index, worker);
  claim.lane_ids = (struct ff_strs){&lane, 1};
  claim.worker_id = claim.worker_instance_id = ff_text(worker);
  claim.lease_ttl_ms = LEASE_MS;
  claim.max_wait_ms = PATIENCE_MS;
  for (uint64_t left; (left = take(d, d->load->bulk)) != 0 && !d->failed;)
    while (left && !d->failed) {
      claim.max = (uint32_t)left;
      left -= drain_batch(d, &claim, items, &d->members[index]);
    }
  free(items);
}

/* ---- phases ---- */

static void add_times(struct bench_times *into, const struct bench_times *from) {
  if (into) bench_times_merge(into, from);
}

static int run_phase(struct bench *b, struct bench_load *load, void (*work)(void *, unsigned),
                     struct bench_phase *phase) {
  unsigned char *payload = bench_payload_new(load->payload_bytes);
  struct drive d = {.b = b, .load = load, .payload = payload, .lock = PTHREAD_MUTEX_INITIALIZER};
  d.members = cli_alloc(load->callers * sizeof(*d.members));
  memset(d.members, 0, load->callers * sizeof(*d.members));
  struct bench_counters before = bench_counters_of(load->engine);
  struct bench_usage start = bench_usage_now();
  int64_t taken = bench_crew_run(load->callers, work, &d);
  phase->used = bench_usage_since(&start);
  phase->used.wall_ns = taken;
  struct bench_counters after = bench_counters_of(load->engine);
  phase->batches = after.batches - before.batches;
  phase->rounds = after.rounds - before.rounds;
  phase->reruns = after.reruns - before.reruns;
  for (unsigned i = 0; i < load->callers; i++) {
    add_times(load->creates, &d.members[i].creates);
    add_times(load->claims, &d.members[i].claims);
    add_times(load->completes, &d.members[i].completes);
  }
  free(d.members);
  free(payload);
  if (taken < 0) return CLI_UNREACHABLE;
  if (d.failed) return cli_fail(b->cli, &d.error);
  return bench_stopped() ? CLI_INTERRUPTED : CLI_OK;
}

int bench_load_create(struct bench *b, struct bench_load *load) {
  return run_phase(b, load, load->bulk > 1 ? create_in_bulk : create_singly, &load->create);
}

int bench_load_drain(struct bench *b, struct bench_load *load) {
  return run_phase(b, load, load->bulk > 1 ? drain_in_bulk : drain_singly, &load->drain);
}

int bench_load_quietly(struct bench *b, const struct bench_load *load, uint64_t n, bool drain) {
  struct bench_load quiet = *load;
  quiet.n = n;
  quiet.creates = quiet.claims = quiet.completes = NULL;
  int code = n ? bench_load_create(b, &quiet) : CLI_OK;
  return code == CLI_OK && n && drain ? bench_load_drain(b, &quiet) : code;
}
