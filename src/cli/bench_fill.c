/*
 * A store full of executions that wait for a signal, made by many calls at once; and what they cost
 * in memory.
 */
#include "bench.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 1000
#define LEASE_MS 600000

static const char condition[] = "{\"Single\":{\"waitpoint_key\":\"k\",\"matcher\":\"Wildcard\"}}";

/* The suspends under way; all of them are answered before the next lot. */
struct fill {
  struct ff_engine *engine;
  struct ff_str lane;
  struct ff_error *error;
  pthread_mutex_t lock;
  pthread_cond_t said;
  uint32_t waiting;
  enum ff_rc rc;
};

static bool create(struct fill *f, uint32_t count) {
  static struct ff_create_execution_args items[AT_ONCE];
  struct ff_create_executions_args args = FF_ARGS(create_executions);
  struct ff_create_executions_result result;
  for (uint32_t i = 0; i < count; i++) {
    items[i] = (struct ff_create_execution_args)FF_ARGS(create_execution);
    items[i].lane_id = f->lane;
  }
  args.items = (struct ff_create_list){items, count};
  if (ff_create_executions(f->engine, &args, &result, f->error) != FF_OK) return false;
  ff_clear(&result);
  return true;
}

static void suspended(void *user, enum ff_rc rc, struct ff_suspend_result *result,
                      const struct ff_error *error) {
  struct fill *f = user;
  (void)result;
  pthread_mutex_lock(&f->lock);
  if (rc != FF_OK && f->rc == FF_OK) f->rc = rc, *f->error = *error;
  if (--f->waiting == 0) pthread_cond_signal(&f->said);
  pthread_mutex_unlock(&f->lock);
}

/* One waitpoint each; its uuid is the suspension's too. The call copies what it is given. */
static bool suspend(struct fill *f, const struct ff_handle *handle, uint64_t serial) {
  char id[37];
  struct ff_waitpoint_binding binding = {.waitpoint_key = ff_text("k")};
  struct ff_suspend_args args = FF_ARGS(suspend);
  snprintf(id, sizeof(id), "00000000-0000-4000-8001-%012llx", (unsigned long long)serial);
  binding.waitpoint_id = args.suspension_id = ff_text(id);
  args.handle = *handle;
  args.waitpoints = (struct ff_waitpoint_bindings){&binding, 1};
  args.resume_condition = ff_text(condition);
  args.reason_code = ff_text("waiting_for_signal");
  pthread_mutex_lock(&f->lock);
  f->waiting++;
  pthread_mutex_unlock(&f->lock);
  if (ff_suspend_async(f->engine, &args, suspended, f, f->error) == FF_OK) return true;
  pthread_mutex_lock(&f->lock);
  f->waiting--;
  pthread_mutex_unlock(&f->lock);
  return false;
}

static bool claim_and_suspend(struct fill *f, uint32_t count, uint64_t *serial) {
  struct ff_claim_tasks_args args = FF_ARGS(claim_tasks);
  struct ff_claim_tasks_result result;
  args.lane_ids = (struct ff_strs){&f->lane, 1};
  args.worker_id = args.worker_instance_id = ff_text("bench-fill");
  args.lease_ttl_ms = LEASE_MS;
  args.max = count;
  if (ff_claim_tasks(f->engine, &args, &result, f->error) != FF_OK) return false;
  bool ok = true;
  for (size_t i = 0; ok && i < result.tasks.count; i++)
    ok = suspend(f, &result.tasks.items[i].handle, (*serial)++);
  pthread_mutex_lock(&f->lock);
  while (f->waiting) pthread_cond_wait(&f->said, &f->lock);
  pthread_mutex_unlock(&f->lock);
  ff_clear(&result);
  return ok && f->rc == FF_OK;
}

bool bench_fill_suspended(struct ff_engine *engine, uint64_t count, uint64_t *serial,
                          struct ff_error *error) {
  struct fill f = {.engine = engine, .lane = ff_text("bench-suspended"), .error = error};
  pthread_mutex_init(&f.lock, NULL);
  pthread_cond_init(&f.said, NULL);
  bool ok = true;
  while (ok && count && !bench_stopped()) {
    uint32_t lot = count < AT_ONCE ? (uint32_t)count : AT_ONCE;
    ok = create(&f, lot) && claim_and_suspend(&f, lot, serial);
    count -= lot;
  }
  pthread_mutex_destroy(&f.lock);
  pthread_cond_destroy(&f.said);
  return ok;
}

uint64_t bench_trimmed_bytes(void) {
  malloc_trim(0);
  return bench_resident_bytes();
}
