/*
 * The world of one batch: slots by key, loading, and the net writes at the end.
 *
 * Knows records and tags, never what an operation means. Single-threaded: one executor owns it.
 */
#include "op/cascade.h"
#include "op/overlay_impl.h"

struct overlay *overlay_new(struct arena *arena, const struct op_config *config, bool one_domain) {
  struct overlay *o = ARENA_NEW(arena, struct overlay);
  o->arena = arena;
  o->config = config;
  o->one_domain = one_domain;
  o->table_size = 256;
  o->table = ARENA_ARRAY(arena, struct slot *, o->table_size);
  return o;
}

void overlay_watch(struct overlay *o, const struct overlay_watch *watch) { o->watch = watch; }

/* ---- slots ---- */

static uint64_t key_hash(enum record_kind kind, const uint8_t *key, size_t len) {
  uint64_t h = hash_mix64(kind + len);
  while (len >= 8) {
    uint64_t word;
    memcpy(&word, key, 8);
    h = hash_mix64(h ^ word);
    key += 8;
    len -= 8;
  }
  uint64_t rest = 0;
  if (len) memcpy(&rest, key, len);
  return hash_mix64(h ^ rest);
}

static void table_put(struct slot **table, uint32_t size, struct slot *slot) {
  uint32_t i = (uint32_t)slot->hash & (size - 1);
  while (table[i]) i = (i + 1) & (size - 1);
  table[i] = slot;
}

static void table_grow(struct overlay *o) {
  uint32_t size = o->table_size * 4;
  struct slot **table = ARENA_ARRAY(o->arena, struct slot *, size);
  for (uint32_t i = 0; i < o->table_size; i++)
    if (o->table[i]) table_put(table, size, o->table[i]);
  o->table = table;
  o->table_size = size;
}

static const void *key_record_new(struct overlay *o, enum record_kind kind, const void *from) {
  void *record = arena_alloc(o->arena, record_infos[kind].size);
  record_init(kind, record);
  record_copy_key(kind, from, record);
  return record;
}

struct slot *overlay_slot(struct overlay *o, enum record_kind kind, const void *key_record) {
  uint8_t scratch[RECORD_KEY_FIXED_MAX];
  size_t size = record_key_size(kind, key_record);
  uint8_t *key = size <= sizeof scratch ? scratch : arena_alloc(o->arena, size);
  record_key_encode(kind, key_record, key);
  uint64_t hash = key_hash(kind, key, size);
  for (uint32_t i = (uint32_t)hash & (o->table_size - 1); o->table[i];
       i = (i + 1) & (o->table_size - 1)) {
    struct slot *s = o->table[i];
    if (s->hash == hash && s->kind == kind && s->key_len == size && memcmp(s->key, key, size) == 0)
      return s;
  }
  if (o->slot_count * 2 >= o->table_size) table_grow(o);
  struct slot *s = ARENA_NEW(o->arena, struct slot);
  s->hash = hash;
  s->kind = kind;
  s->key_len = (uint32_t)size;
  s->key = key == scratch ? arena_copy(o->arena, key, size) : key;
  s->key_record = key_record_new(o, kind, key_record);
  table_put(o->table, o->table_size, s);
  o->slot_count++;
  return s;
}

void overlay_want(struct overlay *o, struct slot *s) {
  if (s->loaded || s->wanted) return;
  s->wanted = true;
  VEC_PUSH(o->arena, o->wanted, s);
}

/* ---- loading ---- */

bool overlay_wants_anything(const struct overlay *o) {
  if (o->wanted.count) return true;
  for (uint32_t i = 0; i < o->ranges.count; i++) {
    const struct range *r = o->ranges.items[i];
    if (!r->complete && r->wanted > r->loaded) return true;
  }
  return false;
}

static void wants_gets(struct overlay *o) {
  uint32_t n = o->wanted.count;
  o->gets = ARENA_ARRAY(o->arena, struct overlay_get, n + 1);
  o->get_slots = arena_alloc(o->arena, (n + 1) * sizeof *o->get_slots);
  o->get_count = 0;
  for (uint32_t i = 0; i < n; i++) {
    struct slot *s = o->wanted.items[i];
    s->wanted = false;
    if (s->loaded) continue; /* a scan brought it meanwhile */
    o->get_slots[o->get_count] = s;
    o->gets[o->get_count++] = (struct overlay_get){.kind = s->kind, .key = s->key_record};
  }
  o->wanted.count = 0;
}

static void wants_scans(struct overlay *o) {
  uint32_t n = o->ranges.count;
  o->scans = ARENA_ARRAY(o->arena, struct overlay_scan, n + 1);
  o->scan_ranges = arena_alloc(o->arena, (n + 1) * sizeof *o->scan_ranges);
  o->scan_count = 0;
  for (uint32_t i = 0; i < n; i++) {
    struct range *r = o->ranges.items[i];
    if (r->complete || r->wanted <= r->loaded) continue;
    o->scan_ranges[o->scan_count] = r;
    o->scans[o->scan_count++] = (struct overlay_scan){.index = r->index,
                                                      .from = r->last ? r->last : r->from,
                                                      .after = r->last ? true : r->after,
                                                      .limit = r->wanted - r->loaded};
  }
}

void overlay_wants(struct overlay *o, struct overlay_get **gets, uint32_t *get_count,
                   struct overlay_scan **scans, uint32_t *scan_count) {
  wants_gets(o);
  wants_scans(o);
  *gets = o->gets;
  *get_count = o->get_count;
  *scans = o->scans;
  *scan_count = o->scan_count;
}

void overlay_note_unreadable(struct overlay *o, const struct ff_error *why) {
  VEC_PUSH(o->arena, o->unreadable, why);
}

const struct ff_error *const *overlay_unreadable(struct overlay *o, uint32_t *count) {
  uint32_t told = o->unreadable_told;
  o->unreadable_told = o->unreadable.count;
  *count = o->unreadable.count - told;
  return *count ? o->unreadable.items + told : NULL;
}

/* Anything stored may have been edited by hand: it must never reach an invariant of sealing. */
static const struct ff_error *judge(struct overlay *o, enum record_kind kind, const void *record) {
  struct ff_error why;
  if (!record) return NULL;
  if (kind != RECORD_KIND_execution && kind != RECORD_KIND_edge_group) return NULL;
  enum ff_rc rc = kind == RECORD_KIND_execution ? execution_check_stored(record, &why)
                                                : edge_group_check(record, &why);
  if (rc == FF_OK) return NULL;
  return arena_copy(o->arena, &why, sizeof why);
}

void overlay_slot_load(struct overlay *o, struct slot *s, const void *record,
                       const struct ff_error *unreadable) {
  s->loaded = true;
  s->unreadable = unreadable ? unreadable : judge(o, s->kind, record);
  if (s->unreadable) overlay_note_unreadable(o, s->unreadable);
  else s->stored = s->current = record;
}

void overlay_loaded(struct overlay *o, int64_t now) {
  /* One time per batch: an operation that is run again after a further load must decide as before.
   */
  if (o->now == 0) o->now = now;
  for (uint32_t i = 0; i < o->get_count; i++) {
    struct slot *s = o->get_slots[i];
    if (!s->loaded) overlay_slot_load(o, s, o->gets[i].record, o->gets[i].unreadable);
  }
  for (uint32_t i = 0; i < o->scan_count; i++) range_load(o, o->scan_ranges[i], &o->scans[i]);
  o->get_count = o->scan_count = 0;
}

void overlay_declare(struct overlay *o, const struct op_code *code, const void *args,
                     const void *prep) {
  struct declare d = {o};
  if (code->declare) code->declare(&d, args, prep);
}

void declare_get(struct declare *d, enum record_kind kind, const void *key) {
  overlay_want(d->overlay, overlay_slot(d->overlay, kind, key));
}

void declare_scan(struct declare *d, enum index_id index, const void *from, bool after,
                  uint32_t expect) {
  range_find(d->overlay, index, from, after)->wanted += expect ? expect : 1;
}

/* ---- the net writes ---- */

static void push_write(struct overlay_writes *g, struct overlay_write w) {
  g->writes[g->write_count++] = w;
}

static void collect_slot(struct overlay_writes *g, const struct slot *s) {
  uint64_t base = s->stored ? ((const struct record_head *)s->stored)->version : 0;
  struct overlay_write w = {.record_kind = s->kind, .record = s->current, .base_version = base};
  if (s->stored && (!s->current || s->replaced)) {
    push_write(g, (struct overlay_write){.kind = OVERLAY_DELETE,
                                         .record_kind = s->kind,
                                         .record = s->stored,
                                         .base_version = base});
    if (!s->current) return;
    w.base_version = 0;
    w.kind = OVERLAY_INSERT;
  } else if (!s->current) {
    return; /* came and went within the batch */
  } else {
    w.kind = s->stored ? OVERLAY_UPDATE : OVERLAY_INSERT;
  }
  push_write(g, w);
}

void overlay_collect(struct overlay *o, struct overlay_writes **groups, uint32_t *count) {
  struct overlay_writes *g = ARENA_ARRAY(o->arena, struct overlay_writes, o->tags.count + 1);
  for (uint32_t t = 0; t < o->tags.count; t++) {
    g[t].tag = o->tags.items[t].tag;
    g[t].valid_until = o->tags.items[t].valid_until;
    g[t].writes = arena_alloc(o->arena, (2 * o->dirty.count + 1) * sizeof *g[t].writes);
    g[t].events = arena_alloc(o->arena, (o->events.count + 1) * sizeof *g[t].events);
  }
  for (uint32_t i = 0; i < o->dirty.count; i++)
    collect_slot(&g[o->dirty.items[i]->tag], o->dirty.items[i]);
  for (uint32_t i = 0; i < o->events.count; i++) {
    struct overlay_writes *group = &g[o->event_tags.items[i]];
    group->events[group->event_count++] = o->events.items[i];
  }
  *groups = g;
  *count = o->tags.count;
}
