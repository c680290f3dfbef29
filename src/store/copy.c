/*
 * Copies of whole stores: see copy.h.
 *
 * Two walks side by side in the order of keys: what both have must be equal, what only the source
 * has is inserted, what only the target has stops everything. So a copy needs no record of its
 * progress, and the second pass is the first one with nothing left to insert.
 */
#include "store/copy.h"

#include "base/error.h"
#include "store/calls.h"
#include "store/log_cursor.h"
#include "store/mark.h"
#include "store/pack.h"

#include <stdlib.h>

#define BATCH_BYTES ((size_t)4 << 20)
#define BATCH_FIRST 16
#define BATCH_MAX 512
#define BATCH_LARGE 8 /* of kinds whose records are there for the bytes they carry */

/* ---- walking ---- */

void copy_walk_init(struct copy_walk *w, struct store_session *reader) {
  *w = (struct copy_walk){.reader = reader};
  arena_init(&w->arenas[0]);
  arena_init(&w->arenas[1]);
}

void copy_walk_fini(struct copy_walk *w) {
  arena_fini(&w->arenas[0]);
  arena_fini(&w->arenas[1]);
}

void copy_walk_begin(struct copy_walk *w, enum record_kind kind) {
  w->kind = kind;
  w->last = NULL;
  w->limit = BATCH_FIRST;
  w->count = w->at = 0;
}

static bool is_large(enum record_kind kind) {
  const struct record_info *info = &record_infos[kind];
  for (unsigned i = 0; i < info->field_count; i++)
    if (info->fields[i].type == FIELD_BYTES && !(info->fields[i].flags & (FIELD_OPT | FIELD_COLD)))
      return true;
  return false;
}

/* So many that the largest of this batch, that often, make no more than a batch may hold. */
static void adapt(struct copy_walk *w) {
  size_t largest = 1;
  for (uint32_t i = 0; i < w->count; i++) {
    struct pack_plan plan;
    pack_measure(w->kind, w->records[i], &plan);
    if (plan.size > largest) largest = plan.size;
  }
  uint64_t fit = BATCH_BYTES / largest, max = is_large(w->kind) ? BATCH_LARGE : BATCH_MAX;
  if (fit > 2 * (uint64_t)w->limit) fit = 2 * (uint64_t)w->limit;
  w->limit = fit < 1 ? 1 : fit > max ? (uint32_t)max : (uint32_t)fit;
}

enum ff_rc copy_walk_next(struct copy_walk *w, struct ff_error *e) {
  const struct record_info *info = &record_infos[w->kind];
  w->count = w->at = 0;
  for (bool complete = false; !w->count && !complete;) {
    w->turn ^= 1;
    struct arena *arena = &w->arenas[w->turn];
    arena_reset(arena);
    void *from = arena_alloc(arena, info->size);
    record_init(w->kind, from);
    if (w->last) record_copy_key(w->kind, w->last, from);
    struct store_scan scan = {.index = INDEX_WALK(w->kind),
                              .from = from,
                              .after = w->last != NULL,
                              .limit = w->limit};
    int64_t now;
    TRY(store_fetch(w->reader, arena, NULL, 0, &scan, 1, &now, e));
    if (scan.unreadable_count) {
      if (e) *e = *scan.unreadable[0];
      return scan.unreadable[0]->rc;
    }
    if (scan.count) w->last = scan.records[scan.count - 1];
    complete = scan.complete;
    w->records = scan.records;
    for (uint32_t i = 0; i < scan.count; i++)
      if (!mark_is(w->kind, scan.records[i])) w->records[w->count++] = scan.records[i];
  }
  adapt(w);
  return FF_OK;
}

enum ff_rc copy_walk_step(struct copy_walk *w, const void **record, struct ff_error *e) {
  *record = NULL;
  if (w->at == w->count) TRY(copy_walk_next(w, e));
  if (w->at < w->count) *record = w->records[w->at++];
  return FF_OK;
}

/* ---- inserting ---- */

enum ff_rc copy_insert(struct store_session *writer, enum record_kind kind,
                       const void *const *records, uint32_t count, struct ff_error *e) {
  if (record_infos[kind].tag == RECORD_TAG_LOG) {
    const struct event **events = heap_alloc((count + 1) * sizeof *events);
    for (uint32_t i = 0; i < count; i++) events[i] = records[i];
    enum ff_rc rc = count ? store_restore_log(writer, events, count, 0, e) : FF_OK;
    free(events);
    return rc;
  }
  struct store_write *writes = heap_zalloc((count + 1) * sizeof *writes);
  for (uint32_t i = 0; i < count; i++)
    writes[i] = (struct store_write){STORE_INSERT, kind, records[i], 0};
  struct store_group group = {.writes = writes, .write_count = count, .valid_until = INT64_MAX};
  enum ff_rc rc = count ? store_apply(writer, &group, 1, e) : FF_OK;
  free(writes);
  if (rc || !count || group.outcome == STORE_APPLIED) return rc;
  if (group.outcome == STORE_UNKNOWN)
    return error_set(e, FF_CODE_transport,
                     "the connection was lost while records of %s were written; run it again",
                     record_infos[kind].name);
  return error_set(e, FF_CODE_store_busy,
                   "somebody else writes the target: records of %s are there",
                   record_infos[kind].name);
}

/* ---- comparing ---- */

static enum ff_rc differs(const struct copy_job *job, enum record_kind kind, const void *record,
                          const char *how, struct ff_error *e) {
  struct buffer key;
  buffer_init(&key);
  for (unsigned i = 0; i < record_infos[kind].key_count; i++) {
    const struct field *f = &record_infos[kind].fields[i];
    buffer_printf(&key, "%s%s=", i ? " " : "", f->name);
    field_print(f, record, &key);
  }
  enum ff_rc rc = error_set(e, FF_CODE_corruption, "%s: %s %.200s: %s", job->target_name,
                            record_infos[kind].name, key.ptr, how);
  error_context(e, "row", "%s %.200s", record_infos[kind].name, key.ptr);
  buffer_fini(&key);
  return rc;
}

static bool same_key(enum record_kind kind, const void *a, const void *b) {
  uint8_t small[2][256];
  size_t size = record_key_size(kind, a);
  if (size != record_key_size(kind, b)) return false;
  bool fits = size <= sizeof small[0];
  uint8_t *x = fits ? small[0] : heap_alloc(size), *y = fits ? small[1] : heap_alloc(size);
  (void)record_key_encode(kind, a, x);
  (void)record_key_encode(kind, b, y);
  bool same = memcmp(x, y, size) == 0;
  if (!fits) free(x), free(y);
  return same;
}

static bool same_version(enum record_kind kind, const void *a, const void *b) {
  const struct record_head *x = a, *y = b;
  return record_infos[kind].tag == RECORD_TAG_LOG || x->version == y->version;
}

static enum ff_rc tell(struct copy_job *job, enum record_kind kind, uint64_t more,
                       struct ff_error *e) {
  if (!job->progress || job->progress(job->user, kind, more)) return FF_OK;
  return error_set(e, FF_CODE_unavailable, "interrupted; run it again to go on");
}

/* The part that both have. *left: the first record that only the source has, NULL = none. */
static enum ff_rc compare_kind(struct copy_job *job, struct copy_walk *source,
                               struct copy_walk *target, const void **left, struct ff_error *e) {
  for (;;) {
    const void *theirs;
    TRY(copy_walk_step(source, left, e));
    TRY(copy_walk_step(target, &theirs, e));
    if (!theirs) return tell(job, source->kind, job->counts[source->kind] % BATCH_MAX, e);
    if (!*left || !same_key(source->kind, *left, theirs))
      return differs(job, source->kind, theirs, "the source has no such record at this place", e);
    if (!record_equal(source->kind, *left, theirs) || !same_version(source->kind, *left, theirs))
      return differs(job, source->kind, theirs, "is not as in the source", e);
    if (++job->counts[source->kind] % BATCH_MAX == 0) TRY(tell(job, source->kind, BATCH_MAX, e));
  }
}

static enum ff_rc insert_rest(struct copy_job *job, struct copy_walk *source, struct ff_error *e) {
  source->at--; /* the record that was found missing */
  while (source->at < source->count) {
    uint32_t count = source->count - source->at;
    TRY(copy_insert(job->writer, source->kind, source->records + source->at, count, e));
    job->counts[source->kind] += count;
    job->inserted += count;
    TRY(tell(job, source->kind, count, e));
    TRY(copy_walk_next(source, e));
  }
  return FF_OK;
}

static enum ff_rc run_kind(struct copy_job *job, enum record_kind kind, struct copy_walk *source,
                           struct copy_walk *target, struct ff_error *e) {
  const void *left;
  copy_walk_begin(source, kind);
  copy_walk_begin(target, kind);
  TRY(compare_kind(job, source, target, &left, e));
  if (!left) return FF_OK;
  if (!job->writer) return differs(job, kind, left, "is missing", e);
  return insert_rest(job, source, e);
}

/* A log that was trimmed empty has only its end to be copied. */
static enum ff_rc run_log_end(struct copy_job *job, struct ff_error *e) {
  uint64_t source, target;
  TRY(copy_log_end(job->source, &source, e));
  TRY(copy_log_end(job->target, &target, e));
  if (source == target) return FF_OK;
  if (job->writer && job->counts[RECORD_KIND_event] == 0)
    return store_restore_log(job->writer, NULL, 0, source, e);
  return error_set(e, FF_CODE_corruption, "%s: its log ends at %llu, the source's at %llu",
                   job->target_name, (unsigned long long)target, (unsigned long long)source);
}

enum ff_rc copy_run(struct copy_job *job, struct ff_error *e) {
  struct copy_walk source, target;
  enum ff_rc rc = FF_OK;
  copy_walk_init(&source, job->source);
  copy_walk_init(&target, job->target);
  memset(job->counts, 0, sizeof job->counts);
  job->inserted = 0;
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT && !rc; kind++)
    rc = run_kind(job, (enum record_kind)kind, &source, &target, e);
  copy_walk_fini(&source);
  copy_walk_fini(&target);
  return rc ? rc : run_log_end(job, e);
}

/* ---- looking ---- */

enum ff_rc copy_count(struct store_session *reader, uint64_t counts[RECORD_KIND_COUNT],
                      struct ff_error *e) {
  struct copy_walk walk;
  enum ff_rc rc = FF_OK;
  copy_walk_init(&walk, reader);
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT && !rc; kind++) {
    counts[kind] = 0;
    copy_walk_begin(&walk, (enum record_kind)kind);
    do {
      rc = copy_walk_next(&walk, e);
      counts[kind] += rc ? 0 : walk.count;
    } while (!rc && walk.count);
  }
  copy_walk_fini(&walk);
  return rc;
}

enum ff_rc copy_any(struct store_session *reader, unsigned *kind, struct ff_error *e) {
  struct copy_walk walk;
  enum ff_rc rc = FF_OK;
  copy_walk_init(&walk, reader);
  for (*kind = 0; *kind < RECORD_KIND_COUNT; ++*kind) {
    copy_walk_begin(&walk, (enum record_kind)*kind);
    rc = copy_walk_next(&walk, e);
    if (rc || walk.count) break;
  }
  copy_walk_fini(&walk);
  return rc;
}

enum ff_rc copy_log_end(struct store_session *reader, uint64_t *end, struct ff_error *e) {
  const struct event **events;
  struct ff_bytes none = {NULL, 0}, next;
  struct arena arena;
  uint32_t count;
  bool dropped, beginning;
  arena_init(&arena);
  enum ff_rc rc = store_read_log(reader, &arena, none, 1, &events, &count, &next, &dropped, e);
  if (!rc)
    rc = log_cursor_read(next, store_of(reader)->traits.backend, end, &beginning, e);
  arena_fini(&arena);
  return rc;
}
