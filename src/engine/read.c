/*
 * Pure reads: on reader sessions of their own, in the caller's thread, never behind a write.
 */
#include "engine/impl.h"
#include "store/calls.h"

enum ff_rc reader_take(struct engine *e, struct store_session **out, struct ff_error *error) {
  enum ff_rc rc = FF_OK;
  pthread_mutex_lock(&e->reader_lock);
  while (e->reader_idle == 0 && e->reader_count == ARRAY_LEN(e->readers))
    pthread_cond_wait(&e->reader_free, &e->reader_lock);
  if (e->reader_idle) {
    *out = e->readers[--e->reader_idle];
  } else {
    e->reader_count++;
    pthread_mutex_unlock(&e->reader_lock);
    rc = e->store->vtable->session_open(e->store, STORE_READER, out, error);
    pthread_mutex_lock(&e->reader_lock);
    if (rc != FF_OK) e->reader_count--;
  }
  pthread_mutex_unlock(&e->reader_lock);
  return rc;
}

void reader_give(struct engine *e, struct store_session *session) {
  pthread_mutex_lock(&e->reader_lock);
  e->readers[e->reader_idle++] = session;
  pthread_cond_signal(&e->reader_free);
  pthread_mutex_unlock(&e->reader_lock);
}

enum ff_rc overlay_fetch(struct engine *e, struct store_session *session, struct overlay *o,
                         struct arena *arena, struct ff_error *error) {
  struct overlay_get *wanted_gets;
  struct overlay_scan *wanted_scans;
  uint32_t get_count, scan_count;
  int64_t now;
  overlay_wants(o, &wanted_gets, &get_count, &wanted_scans, &scan_count);
  struct store_get *gets = ARENA_ARRAY(arena, struct store_get, get_count + 1);
  struct store_scan *scans = ARENA_ARRAY(arena, struct store_scan, scan_count + 1);
  for (uint32_t i = 0; i < get_count; i++)
    gets[i] = (struct store_get){.kind = wanted_gets[i].kind, .key = wanted_gets[i].key};
  for (uint32_t i = 0; i < scan_count; i++)
    scans[i] = (struct store_scan){.index = wanted_scans[i].index,
                                   .from = wanted_scans[i].from,
                                   .after = wanted_scans[i].after,
                                   .limit = wanted_scans[i].limit};
  TRY(store_fetch(session, arena, gets, get_count, scans, scan_count, &now, error));
  for (uint32_t i = 0; i < get_count; i++) {
    wanted_gets[i].record = gets[i].record;
    wanted_gets[i].unreadable = gets[i].unreadable;
  }
  for (uint32_t i = 0; i < scan_count; i++) {
    wanted_scans[i].records = scans[i].records;
    wanted_scans[i].count = scans[i].count;
    wanted_scans[i].complete = scans[i].complete;
    wanted_scans[i].unreadable = scans[i].unreadable;
    wanted_scans[i].unreadable_count = scans[i].unreadable_count;
  }
  overlay_loaded(o, now);
  unreadable_report(e, o);
  return FF_OK;
}

#define READ_ROUNDS_MAX 64

static enum ff_rc run_read(struct engine *e, struct store_session *session,
                           const struct overlay_run *run, uint32_t result_size, struct arena *arena,
                           struct ff_error *error) {
  bool wrote;
  struct overlay *o = overlay_new(arena, &e->config, e->store->traits.one_domain);
  overlay_declare(o, run->code, run->args, run->prep);
  for (int round = 0; round < READ_ROUNDS_MAX; round++) {
    TRY(overlay_fetch(e, session, o, arena, error));
    enum ff_rc rc = overlay_run(o, run, result_size, NULL, &wrote, error);
    if (rc != FF_MISS) return rc;
  }
  return error_set(error, FF_CODE_resource_exhausted, "the read needed more than %d loads",
                   READ_ROUNDS_MAX);
}

enum ff_rc read_step(struct engine *e, enum op_id op, const void *args, void *result,
                     struct arena *arena, struct ff_error *error) {
  const struct op_info *info = &op_infos[op];
  void *prep = arena_zalloc(arena, info->code->prep_size + 1);
  if (info->code->prepare) TRY(info->code->prepare(&e->config, args, prep, arena, error));
  struct store_session *session;
  TRY(reader_take(e, &session, error));
  struct overlay_run run = {
      .code = info->code, .args = args, .prep = prep, .result = result, .read_only = true};
  enum ff_rc rc = run_read(e, session, &run, info->result_size, arena, error);
  reader_give(e, session);
  e->reads++;
  return rc;
}

enum ff_rc read_call(struct engine *e, enum op_id op, const void *args, void *result,
                     struct ff_error *error) {
  const struct op_info *info = &op_infos[op];
  struct arena arena;
  arena_init(&arena);
  void *view = arena_zalloc(&arena, info->result_size);
  enum ff_rc rc = read_step(e, op, args, view, &arena, error);
  if (rc == FF_OK) values_deep_copy(info->result, view, result, (struct ff_memory **)result);
  arena_fini(&arena);
  return rc;
}
