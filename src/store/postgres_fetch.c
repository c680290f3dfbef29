/*
 * Loading keys and ranges in one pipeline: one round trip whatever is asked for.
 *
 * A writer's first fetch opens its transaction; what can change is locked, in key order, and the
 * clock is read behind the locks, so that time never lies before what was loaded. A reader's fetch
 * is a transaction of its own with one snapshot. A connection that broke, or a deadlock, before
 * anything was handed out is tried again; later it dooms the transaction: its apply is a conflict.
 */
#include "store/postgres_impl.h"

#include <stdlib.h>

struct fetch {
  struct postgres_session *c;
  struct arena *arena;
  struct store_get *gets;
  struct store_scan *scans;
  uint32_t get_count, scan_count;
  uint32_t *order;                      /* gets by kind, then key */
  uint32_t kind_first[RECORD_KIND_COUNT + 1]; /* of order */
  uint32_t kind_entry[RECORD_KIND_COUNT], scan_entry, clock_entry;
  bool clock; /* the server's was asked */
  uint32_t *extra; /* per scan: rows asked for beyond its limit, in place of unreadable ones */
};

/* ---- keys ---- */

struct sorted_key {
  uint32_t get;
  enum record_kind kind;
  size_t len;
  const uint8_t *key;
};

static int compare_keys(const void *a, const void *b) {
  const struct sorted_key *x = a, *y = b;
  if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
  int d = memcmp(x->key, y->key, x->len < y->len ? x->len : y->len);
  return d ? d : (x->len > y->len) - (x->len < y->len);
}

static void sort_gets(struct fetch *f) {
  struct arena *scratch = &f->c->scratch;
  struct sorted_key *keys = ARENA_ARRAY(scratch, struct sorted_key, f->get_count + 1);
  for (uint32_t i = 0; i < f->get_count; i++) {
    const struct store_get *g = &f->gets[i];
    uint8_t *key = arena_alloc(scratch, record_key_size(g->kind, g->key) + RECORD_KEY_FIXED_MAX);
    keys[i] = (struct sorted_key){i, g->kind, record_key_encode(g->kind, g->key, key), key};
  }
  if (f->get_count > 1) qsort(keys, f->get_count, sizeof *keys, compare_keys);
  f->order = ARENA_ARRAY(scratch, uint32_t, f->get_count + 1);
  memset(f->kind_first, 0, sizeof f->kind_first);
  for (uint32_t i = 0; i < f->get_count; i++) {
    f->order[i] = keys[i].get;
    f->kind_first[keys[i].kind + 1] = i + 1;
  }
  for (unsigned k = 1; k <= RECORD_KIND_COUNT; k++)
    if (f->kind_first[k] < f->kind_first[k - 1]) f->kind_first[k] = f->kind_first[k - 1];
}

/* One statement for all keys of a kind: an array for each key column. */
static void add_gets(struct fetch *f, enum record_kind kind) {
  struct postgres_session *c = f->c;
  const struct record_info *info = &record_infos[kind];
  uint32_t first = f->kind_first[kind], count = f->kind_first[kind + 1] - first;
  struct postgres_param params[ARRAY_LEN(c->out)];
  INVARIANT(info->key_count <= ARRAY_LEN(params));
  for (unsigned k = 0; k < info->key_count; k++) {
    struct buffer *b = &c->out[k];
    buffer_clear(b);
    postgres_put_array(b, postgres_type_oid(&info->fields[k]), count);
    for (uint32_t i = 0; i < count; i++)
      postgres_put_field(b, &info->fields[k], f->gets[f->order[first + i]].key);
    params[k] = (struct postgres_param){b->ptr, b->len};
  }
  bool lock = c->writer && postgres_layout(kind)->locks;
  f->kind_entry[kind] = postgres_pipe_add(
      c, POSTGRES_ST_KIND(kind, lock ? POSTGRES_GET_LOCK : POSTGRES_GET), params, info->key_count);
}

static void read_gets(struct fetch *f, enum record_kind kind) {
  uint32_t first = f->kind_first[kind], count = f->kind_first[kind + 1] - first;
  const PGresult *r = postgres_pipe_result(f->c, f->kind_entry[kind]);
  for (int row = 0; row < PQntuples(r); row++) {
    int64_t ord = postgres_get_i64(PQgetvalue(r, row, 0));
    INVARIANT(ord >= 1 && ord <= count);
    struct store_get *g = &f->gets[f->order[first + (uint32_t)ord - 1]];
    struct ff_error why;
    if (postgres_row_load(r, row, 1, kind, f->arena, &g->record, &why))
      g->unreadable = store_error_keep(&why, f->arena);
  }
}

/* ---- ranges ---- */

static void add_scan(struct fetch *f, const struct store_scan *s, uint32_t extra) {
  struct postgres_session *c = f->c;
  const struct index_info *info = &index_infos[s->index];
  struct postgres_param params[INDEX_PARTS_MAX + 1];
  struct buffer limit;
  unsigned bits = s->after ? POSTGRES_SCAN_AFTER : 0;
  unsigned used = s->after ? info->part_count : info->prefix_count;
  /* The heads of what can be claimed: rivals take different ones. */
  if (c->writer && s->index == INDEX_execution_eligible) bits |= POSTGRES_SCAN_LOCK;
  for (unsigned i = 0; i < used; i++)
    params[i] = postgres_param_of(&c->out[i], info->parts[i].field, s->from);
  buffer_init(&limit);
  postgres_put_i64(&limit, (int64_t)s->limit + extra);
  params[used] = (struct postgres_param){limit.ptr, limit.len};
  (void)postgres_pipe_add(c, POSTGRES_ST_SCAN(s->index, bits), params, (int)used + 1);
  buffer_fini(&limit);
}

/* ---- the pipeline ---- */

static bool needs_transaction(const struct fetch *f) {
  return !f->c->writer && f->get_count + f->scan_count > 1;
}

/* BEGIN … loads … clock … COMMIT, of ranges [from, to). */
static void fill(struct fetch *f, uint32_t from, uint32_t to, bool first, bool last) {
  struct postgres_session *c = f->c;
  struct postgres_store *s = c->store;
  postgres_pipe_begin(c);
  bool opens = c->writer && !c->in_transaction;
  if (opens) (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_BEGIN), NULL, 0);
  if (first && needs_transaction(f))
    (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_BEGIN_READ), NULL, 0);
  for (unsigned kind = 0; first && kind < RECORD_KIND_COUNT; kind++)
    if (f->kind_first[kind + 1] > f->kind_first[kind]) add_gets(f, (enum record_kind)kind);
  f->scan_entry = c->pipe.count;
  for (uint32_t i = from; i < to; i++) add_scan(f, &f->scans[i], f->extra[i]);
  f->clock = opens || (last && !s->clock_ms);
  f->clock_entry = UINT32_MAX;
  if (f->clock)
    f->clock_entry = postgres_pipe_add(
        c, POSTGRES_ST_FIXED(opens ? POSTGRES_CLOCK_CHECK : POSTGRES_CLOCK), NULL, 0);
  if (last && needs_transaction(f))
    (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_COMMIT), NULL, 0);
}

static enum ff_rc read_scan(struct fetch *f, struct store_scan *s, const PGresult *r,
                            uint32_t asked, struct ff_error *e) {
  int rows = PQntuples(r), row = 0;
  store_scan_reset(s);
  for (; row < rows && s->count < s->limit; row++) {
    const void *record = NULL;
    struct ff_error why;
    enum ff_rc rc = FF_OK;
    if (!postgres_row_load(r, row, 0, index_infos[s->index].kind, f->arena, &record, &why))
      store_scan_push(s, record, f->arena);
    else
      rc = store_scan_step_over(s, &why, f->arena, e);
    if (rc) return rc;
  }
  s->complete = row == rows && (uint32_t)rows < asked;
  return FF_OK;
}

static enum ff_rc read_scans(struct fetch *f, uint32_t from, uint32_t to, struct ff_error *e) {
  uint32_t entry = f->scan_entry;
  for (uint32_t i = from; i < to; i++, entry++) {
    while (f->c->pipe.entries[entry].prepare) entry++;
    struct store_scan *s = &f->scans[i];
    const PGresult *r = postgres_pipe_result(f->c, entry);
    enum ff_rc rc = read_scan(f, s, r, s->limit + f->extra[i], e);
    if (rc) return rc;
  }
  return FF_OK;
}

static enum ff_rc read_clock(struct fetch *f, int64_t *now, struct ff_error *e) {
  struct postgres_store *s = f->c->store;
  int64_t server = 0;
  if (f->clock) {
    const PGresult *r = postgres_pipe_result(f->c, f->clock_entry);
    if (PQntuples(r) != 1)
      return error_set(e, FF_CODE_corruption, "%s: the table meta has not one row",
                       s->target.shown);
    server = postgres_get_i64(PQgetvalue(r, 0, 0));
    if (PQnfields(r) == 3) {
      enum ff_rc rc =
          postgres_schema_compare(s, postgres_get_i64(PQgetvalue(r, 0, 1)),
                                  (uint64_t)postgres_get_i64(PQgetvalue(r, 0, 2)), e);
      if (rc) return rc;
    }
  }
  *now = postgres_now(s, server);
  return FF_OK;
}

/* Room in one pipeline for the fixed statements and a preparation of each. */
#define SCANS_AT_ONCE ((POSTGRES_PIPE_MAX - 16) / 2 - 2 * RECORD_KIND_COUNT)

enum step { STEP_DONE, STEP_FAILED, STEP_AGAIN };

static enum step run_part(struct fetch *f, uint32_t from, uint32_t to, int64_t *now,
                          struct ff_error *e) {
  struct postgres_session *c = f->c;
  bool first = from == 0, last = to == f->scan_count;
  fill(f, from, to, first, last);
  if (c->writer) c->in_transaction = true;
  if (!postgres_pipe_run(c)) {
    const PGresult *bad = c->pipe.failed < c->pipe.count
                              ? postgres_pipe_result(c, c->pipe.failed)
                              : NULL;
    (void)postgres_error(c->store, c->conn, bad, "read", e);
    return c->pipe.lost || postgres_is_conflict(bad) ? STEP_AGAIN : STEP_FAILED;
  }
  enum ff_rc rc = FF_OK;
  for (unsigned kind = 0; first && kind < RECORD_KIND_COUNT; kind++)
    if (f->kind_first[kind + 1] > f->kind_first[kind]) read_gets(f, (enum record_kind)kind);
  if (!rc) rc = read_scans(f, from, to, e);
  if (!rc) rc = read_clock(f, now, e);
  return rc ? STEP_FAILED : STEP_DONE;
}

/* A range that unreadable rows left short of its limit: everything is read again with a larger one,
 * so that it stays one snapshot. */
static bool widen(struct fetch *f) {
  bool any = false;
  for (uint32_t i = 0; i < f->scan_count; i++) {
    const struct store_scan *s = &f->scans[i];
    if (s->complete || s->count == s->limit) continue;
    f->extra[i] = 2 * s->unreadable_count;
    any = true;
  }
  return any;
}

static enum step run_once(struct fetch *f, int64_t *now, struct ff_error *e) {
  enum step step = STEP_DONE;
  uint32_t from = 0, to;
  for (uint32_t i = 0; i < f->get_count; i++) {
    f->gets[i].record = NULL;
    f->gets[i].unreadable = NULL;
  }
  do {
    to = f->scan_count - from > SCANS_AT_ONCE ? from + SCANS_AT_ONCE : f->scan_count;
    step = run_part(f, from, to, now, e);
    from = to;
  } while (step == STEP_DONE && to < f->scan_count);
  return step;
}

/* A reader's transaction that failed is still open, as is a writer's. */
static void end_transaction(struct postgres_session *c) {
  if (!c->conn) return;
  if (c->writer) postgres_rollback(c);
  else if (PQtransactionStatus(c->conn) != PQTRANS_IDLE) {
    postgres_pipe_begin(c);
    (void)postgres_pipe_add(c, POSTGRES_ST_FIXED(POSTGRES_ROLLBACK), NULL, 0);
    if (!postgres_pipe_run(c)) postgres_session_drop(c);
  }
}

#define TRIES 3
enum ff_rc postgres_fetch(struct store_session *session, struct arena *arena,
                          struct store_get *gets, uint32_t get_count, struct store_scan *scans,
                          uint32_t scan_count, int64_t *now, struct ff_error *e) {
  struct postgres_session *c = postgres_session_of(session);
  if (!c->writer && get_count + scan_count == 0 && c->store->clock_ms) {
    *now = postgres_now(c->store, 0);
    return FF_OK;
  }
  struct fetch f = {.c = c, .arena = arena, .gets = gets, .get_count = get_count,
                    .scans = scans, .scan_count = scan_count};
  bool handed_out = c->in_transaction;
  if (!handed_out) c->doomed = false;
  arena_reset(&c->scratch);
  sort_gets(&f);
  f.extra = ARENA_ARRAY(&c->scratch, uint32_t, scan_count + 1);
  enum ff_rc rc = FF_OK;
  for (int i = 0; i < TRIES; i++) {
    rc = postgres_session_ready(c, e);
    if (rc) break;
    enum step step = run_once(&f, now, e);
    while (step == STEP_DONE && widen(&f)) {
      postgres_pipe_clear(c);
      step = run_once(&f, now, e);
    }
    bool lost = c->pipe.lost;
    postgres_pipe_clear(c);
    if (step == STEP_DONE) return FF_OK;
    rc = e ? e->rc : FF_TRANSPORT;
    if (lost) postgres_session_drop(c);
    end_transaction(c);
    if (step == STEP_FAILED) break;
    if (handed_out) c->doomed = true;
  }
  return rc;
}
