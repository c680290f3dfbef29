/*
 * Running one operation over the overlay: reads, staged edits, taking over or dropping them.
 *
 * In debug builds (FF_DEBUG_PURITY) every operation runs twice and the write sets are compared:
 * "pure", made executable.
 */
#include "op/execution.h"
#include "op/overlay_impl.h"

int64_t tx_now(const struct tx *tx) { return tx->overlay->now; }
const struct op_config *tx_config(const struct tx *tx) { return tx->overlay->config; }
bool tx_one_domain(const struct tx *tx) { return tx->overlay->one_domain; }
struct arena *tx_arena(struct tx *tx) { return tx->overlay->arena; }
void tx_commit_on_error(struct tx *tx) { tx->commit_on_error = true; }
void tx_valid_before(struct tx *tx, int64_t time) {
  if (time < tx->valid_before) tx->valid_before = time;
}

uint64_t tx_random(struct tx *tx) {
  return hash_mix64(tx->run->seed + ++tx->draws * 0x9e3779b97f4a7c15u);
}

/* The first 26 bits behind the time count what this process has minted, so that ids of one ms keep
 * the order of minting. */
struct uuid tx_mint_uuid(struct tx *tx) {
  uint32_t counter = (tx->run->sequence + tx->minted++) & 0x3ffffff;
  uint64_t random = tx_random(tx) & (((uint64_t)1 << 48) - 1);
  return uuid_v7(tx_now(tx), (uint16_t)(counter >> 14),
                 ((uint64_t)(counter & 0x3fff) << 48) | random);
}

/* ---- reads ---- */

enum ff_rc tx_get(struct tx *tx, enum record_kind kind, const void *key, const void **out) {
  struct slot *s = overlay_slot(tx->overlay, kind, key);
  *out = NULL;
  if (!s->loaded) {
    overlay_want(tx->overlay, s);
    return FF_MISS;
  }
  if (s->unreadable && !s->current && s->how == STAGED_NONE) {
    tx->unreadable = s->unreadable;
    return FF_UNREADABLE;
  }
  *out = s->how == STAGED_NONE ? s->current : s->how == STAGED_DELETE ? NULL : s->staged;
  return FF_OK;
}

/* A list with a row missing would be a wrong answer. */
static enum ff_rc range_check(struct tx *tx, const struct range *r) {
  if (!r->unreadable || index_is_queue(r->index)) return FF_OK;
  tx->unreadable = r->unreadable;
  return FF_UNREADABLE;
}

enum ff_rc tx_scan_open(struct tx *tx, enum index_id index, const void *from, bool after,
                        uint32_t expect, struct tx_scan *scan) {
  struct range *r = range_find(tx->overlay, index, from, after);
  *scan = (struct tx_scan){.tx = tx, .range = r, .position = r->first_live};
  if (r->asked) return range_check(tx, r);
  r->wanted += expect ? expect : 1; /* every operation of the batch wants its own share */
  return FF_MISS;
}

#define SCAN_GROWTH 64

const void *tx_scan_next_loaded(struct tx_scan *scan) {
  struct range *r = scan->range;
  while (scan->position < r->count) {
    struct range_entry *e = &r->entries[scan->position];
    bool live = e->slot->current == e->record;
    if (!live && scan->position == r->first_live) r->first_live++;
    scan->position++;
    if (!live || e->slot->how != STAGED_NONE) continue;
    scan->served++;
    return e->record;
  }
  return NULL;
}

enum ff_rc tx_scan_next(struct tx_scan *scan, const void **record) {
  struct range *r = scan->range;
  TRY(range_check(scan->tx, r));
  *record = tx_scan_next_loaded(scan);
  if (*record || r->complete) return FF_OK;
  uint32_t more = r->loaded / 2 > SCAN_GROWTH ? r->loaded / 2 : SCAN_GROWTH;
  if (r->wanted < r->loaded + more) r->wanted = r->loaded + more;
  return FF_MISS;
}

void tx_scan_want(struct tx_scan *scan, uint32_t more) {
  struct range *r = scan->range;
  if (!r->complete && r->wanted < r->loaded + more) r->wanted = r->loaded + more;
}

/* ---- staging ---- */

static struct slot *stage(struct tx *tx, enum record_kind kind, const void *record,
                          enum staged_how how) {
  struct slot *s = overlay_slot(tx->overlay, kind, record);
  if (s->how == STAGED_NONE) VEC_PUSH(tx->overlay->arena, tx->staged, s);
  s->how = (uint8_t)how;
  return s;
}

void *tx_edit(struct tx *tx, enum record_kind kind, const void *read) {
  struct slot *s = overlay_slot(tx->overlay, kind, read);
  INVARIANT(s->loaded && s->how != STAGED_DELETE);
  if (s->how != STAGED_NONE) return s->staged;
  INVARIANT(s->current != NULL);
  s = stage(tx, kind, read, STAGED_EDIT);
  s->staged = record_clone(kind, s->current, tx->overlay->arena);
  return s->staged;
}

static void *insert(struct tx *tx, enum record_kind kind, const void *key) {
  struct slot *s = overlay_slot(tx->overlay, kind, key);
  INVARIANT(s->how == STAGED_NONE ? s->current == NULL : s->how == STAGED_DELETE);
  s = stage(tx, kind, key, STAGED_INSERT);
  s->staged = arena_alloc(tx->overlay->arena, record_infos[kind].size);
  record_init(kind, s->staged);
  record_copy_key(kind, key, s->staged);
  return s->staged;
}

void *tx_insert(struct tx *tx, enum record_kind kind, const void *key) {
  INVARIANT(overlay_slot(tx->overlay, kind, key)->loaded);
  return insert(tx, kind, key);
}

void *tx_insert_new(struct tx *tx, enum record_kind kind, const void *key) {
  return insert(tx, kind,
                key); /* an unread key counts as absent: a wrong claim is a conflict in the store */
}

void tx_delete(struct tx *tx, enum record_kind kind, const void *read) {
  struct slot *s = stage(tx, kind, read, STAGED_DELETE);
  INVARIANT(s->loaded);
  s->staged = NULL;
}

struct event *tx_append_event(struct tx *tx) {
  struct event *e = arena_alloc(tx->overlay->arena, sizeof *e);
  record_init(RECORD_KIND_event, e);
  VEC_PUSH(tx->overlay->arena, tx->events, e);
  return e;
}

/* ---- taking over ---- */

static uint16_t tag_find(struct overlay *o, struct overlay_tag tag) {
  if (o->one_domain) tag = (struct overlay_tag){.family = RECORD_TAG_FP};
  for (uint32_t i = 0; i < o->tags.count; i++)
    if (o->tags.items[i].tag.family == tag.family &&
        o->tags.items[i].tag.partition == tag.partition)
      return (uint16_t)i;
  struct tag_state state = {tag, INT64_MAX};
  VEC_PUSH(o->arena, o->tags, state);
  return (uint16_t)(o->tags.count - 1);
}

static struct overlay_tag tag_of(enum record_kind kind, const void *record) {
  const struct record_info *info = &record_infos[kind];
  if (info->tag == RECORD_TAG_G) return (struct overlay_tag){.family = RECORD_TAG_G};
  uint16_t partition;
  memcpy(&partition, (const uint8_t *)record + info->partition_offset, sizeof partition);
  enum record_tag family = info->tag == RECORD_TAG_LOG ? RECORD_TAG_FP : info->tag;
  return (struct overlay_tag){family, partition};
}

static void take_slot(struct tx *tx, struct slot *s, uint16_t tag) {
  struct overlay *o = tx->overlay;
  const void *before = s->current;
  void *after = s->how == STAGED_DELETE ? NULL : s->staged;
  if (after) {
    struct record_head *head = after;
    if (s->kind == RECORD_KIND_execution) execution_seal(before, after, o->config);
    /* A row that replaces a deleted one is a new row and starts again. */
    bool same_row = before && s->how != STAGED_INSERT;
    head->version = same_row ? ((const struct record_head *)before)->version + 1 : 1;
    head->store_row = same_row ? ((const struct record_head *)before)->store_row : 0;
  }
  if (before && s->stored && s->how != STAGED_EDIT) s->replaced = true;
  s->current = after;
  s->loaded = true;
  s->tag = tag;
  if (!s->dirty) VEC_PUSH(o->arena, o->dirty, s);
  s->dirty = true;
  for (uint32_t i = 0; i < o->ranges.count; i++)
    if (index_infos[o->ranges.items[i]->index].kind == s->kind)
      range_consider(o, o->ranges.items[i], s);
  if (s->kind == RECORD_KIND_execution && o->watch)
    o->watch->changed(o->watch->user, before, after);
  bool backlog =
      s->kind == RECORD_KIND_cascade_backlog || s->kind == RECORD_KIND_pending_cancel_group;
  if (backlog && after && o->watch) o->watch->left(o->watch->user);
  if (s->kind == RECORD_KIND_budget && o->watch && after)
    o->watch->falls_due(o->watch->user, ((const struct budget *)after)->next_due_at);
}

static void clear_staged(struct tx *tx) {
  for (uint32_t i = 0; i < tx->staged.count; i++) {
    tx->staged.items[i]->how = STAGED_NONE;
    tx->staged.items[i]->staged = NULL;
  }
  tx->staged.count = 0;
  tx->events.count = 0;
}

static void take_over(struct tx *tx, struct overlay_tag *tag_out, bool *wrote) {
  struct overlay *o = tx->overlay;
  *wrote = tx->staged.count || tx->events.count;
  if (!*wrote) return;
  INVARIANT(!tx->run->read_only);
  struct overlay_tag tag = tx->staged.count
                               ? tag_of(tx->staged.items[0]->kind, tx->staged.items[0]->key_record)
                               : tag_of(RECORD_KIND_event, tx->events.items[0]);
  uint16_t index = tag_find(o, tag);
  if (tx->valid_before < o->tags.items[index].valid_until)
    o->tags.items[index].valid_until = tx->valid_before;
  for (uint32_t i = 0; i < tx->staged.count; i++) {
    struct slot *s = tx->staged.items[i];
    /* PT-6: one operation writes one tag, also where the store would not mind */
    INVARIANT(o->one_domain || tag_find(o, tag_of(s->kind, s->key_record)) == index);
    take_slot(tx, s, index);
  }
  for (uint32_t i = 0; i < tx->events.count; i++) {
    const struct event *e = tx->events.items[i];
    VEC_PUSH(o->arena, o->events, e);
    VEC_PUSH(o->arena, o->event_tags, index);
  }
  if (tag_out) *tag_out = tag;
}

/* ---- running ---- */

static enum ff_rc run_once(struct tx *tx, void *result, uint32_t result_size, struct ff_error *e) {
  tx->draws = 0;
  tx->minted = 0;
  tx->commit_on_error = false;
  tx->valid_before = INT64_MAX;
  tx->unreadable = NULL;
  memset(result, 0, result_size);
  return tx->run->code->run(tx, tx->run->args, tx->run->prep, result, e);
}

#ifdef FF_DEBUG_PURITY
struct staged_copy {
  struct slot *slot;
  uint8_t how;
  void *staged;
};

static void purity_check(struct tx *tx, void *result, uint32_t result_size, struct ff_error *e,
                         enum ff_rc first_rc) {
  struct arena *arena = tx->overlay->arena;
  uint32_t n = tx->staged.count, m = tx->events.count;
  struct staged_copy *copies = ARENA_ARRAY(arena, struct staged_copy, n + 1);
  for (uint32_t i = 0; i < n; i++)
    copies[i] = (struct staged_copy){tx->staged.items[i], tx->staged.items[i]->how,
                                     tx->staged.items[i]->staged};
  struct event **events = arena_copy(arena, tx->events.items, m * sizeof *events);
  clear_staged(tx);
  enum ff_rc rc = run_once(tx, result, result_size, e);
  INVARIANT(rc == first_rc && tx->staged.count == n && tx->events.count == m);
  for (uint32_t i = 0; i < n; i++) {
    struct slot *s = tx->staged.items[i];
    INVARIANT(s == copies[i].slot && s->how == copies[i].how);
    INVARIANT(!s->staged || record_equal(s->kind, s->staged, copies[i].staged));
  }
  for (uint32_t i = 0; i < m; i++)
    INVARIANT(record_equal(RECORD_KIND_event, events[i], tx->events.items[i]));
}
#endif

enum ff_rc overlay_run(struct overlay *o, const struct overlay_run *run, uint32_t result_size,
                       struct overlay_tag *tag, bool *wrote, struct ff_error *e) {
  struct tx tx = {.overlay = o, .run = run};
  *wrote = false;
  enum ff_rc rc = run_once(&tx, run->result, result_size, e);
#ifdef FF_DEBUG_PURITY
  if (rc != FF_MISS) purity_check(&tx, run->result, result_size, e, rc);
#endif
  if (run->dry) rc = FF_MISS;
  if (rc == FF_UNREADABLE) {
    INVARIANT(tx.unreadable);
    if (e) *e = *tx.unreadable;
    rc = tx.unreadable->rc;
    tx.commit_on_error = false;
  }
  if (rc == FF_OK || (rc != FF_MISS && tx.commit_on_error)) take_over(&tx, tag, wrote);
  clear_staged(&tx);
  return rc;
}
