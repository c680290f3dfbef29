/*
 * The insides of overlay and tx, shared by overlay.c, range.c and tx.c only.
 */
#ifndef OP_OVERLAY_IMPL_H
#define OP_OVERLAY_IMPL_H

#include "op/overlay.h"

enum staged_how { STAGED_NONE, STAGED_EDIT, STAGED_INSERT, STAGED_DELETE };

/* One key of the batch. */
struct slot {
  uint64_t hash;
  enum record_kind kind;
  uint32_t key_len;
  const uint8_t *key;
  const void *key_record; /* for the store: KEY fields set */
  const void *stored;     /* as the store gave it; NULL = absent or not loaded */
  const void *current;    /* after the operations so far; NULL = absent */
  void *staged;           /* by the run under way */
  const struct ff_error *unreadable; /* why the stored row counts for nothing here */
  uint8_t how;            /* enum staged_how of `staged` */
  bool loaded, wanted, dirty;
  bool replaced; /* deleted in this batch after it was stored: a later insert is a new row */
  uint16_t tag;  /* of a dirty slot */
};

struct range_entry {
  const uint8_t *key;
  uint32_t key_len;
  struct slot *slot;
  const void *record; /* live iff slot->current is still this */
};

/* One index range: store rows merged with what the batch changed, sorted by key; dead entries stay
 * until passed over. */
struct range {
  enum index_id index;
  uint64_t hash;
  const uint8_t *start; /* encoded prefix, or prefix and order when after */
  uint32_t start_len;
  bool after;
  const void *from;
  uint32_t wanted, loaded;
  bool complete, asked;
  const struct ff_error *unreadable; /* the first row in it that cannot be read */
  const void *last;        /* last store row, where the next load goes on */
  const uint8_t *last_key; /* its key: what lies behind is unknown while not complete */
  uint32_t last_key_len;
  struct range_entry *entries;
  uint32_t count, capacity;
  uint32_t first_live;
};

struct tag_state {
  struct overlay_tag tag;
  int64_t valid_until;
};

#define VEC(type)             \
  struct {                    \
    type *items;              \
    uint32_t count, capacity; \
  }
/* Grows in the arena: old space is left behind until the batch ends. */
#define VEC_PUSH(arena, vec, value)                                                    \
  do {                                                                                 \
    if ((vec).count == (vec).capacity) {                                               \
      uint32_t capacity_ = (vec).capacity ? (vec).capacity * 2 : 16;                   \
      void *grown_ = arena_alloc((arena), capacity_ * sizeof *(vec).items);            \
      if ((vec).count) memcpy(grown_, (vec).items, (vec).count * sizeof *(vec).items); \
      (vec).items = grown_;                                                            \
      (vec).capacity = capacity_;                                                      \
    }                                                                                  \
    (vec).items[(vec).count++] = (value);                                              \
  } while (0)

struct overlay {
  struct arena *arena;
  const struct op_config *config;
  bool one_domain;
  int64_t now;
  struct slot **table; /* open addressing */
  uint32_t table_size, slot_count;
  VEC(struct slot *) wanted;
  VEC(struct slot *) dirty;
  VEC(struct range *) ranges;
  VEC(struct tag_state) tags;
  VEC(const struct event *) events;
  VEC(uint16_t) event_tags;
  VEC(const struct ff_error *) unreadable;
  uint32_t unreadable_told;
  const struct overlay_watch *watch;
  struct overlay_get *gets;
  struct overlay_scan *scans;
  struct slot **get_slots;
  struct range **scan_ranges;
  uint32_t get_count, scan_count;
};

struct tx {
  struct overlay *overlay;
  const struct overlay_run *run;
  uint64_t draws;
  uint32_t minted;
  VEC(struct slot *) staged;
  VEC(struct event *) events;
  bool commit_on_error;
  int64_t valid_before;
  const struct ff_error *unreadable; /* of the read that answered FF_UNREADABLE */
};

struct declare {
  struct overlay *overlay;
};

struct slot *overlay_slot(struct overlay *, enum record_kind, const void *key_record);
void overlay_want(struct overlay *, struct slot *);
/* The range of these arguments, made when new. */
struct range *range_find(struct overlay *, enum index_id, const void *from, bool after);
/* Takes over what the store answered. */
void range_load(struct overlay *, struct range *, const struct overlay_scan *);
/* The slot's row as the store gave it, judged: what must not reach an operation is unreadable. */
void overlay_slot_load(struct overlay *, struct slot *, const void *record,
                       const struct ff_error *unreadable);
void overlay_note_unreadable(struct overlay *, const struct ff_error *);
/* Work of many in a row: claims and due work go on behind a row that cannot be read. Every other
 * range answers a question, which must not be answered as if the row were not there. */
bool index_is_queue(enum index_id);
/* A slot of the range's kind got a new current: makes it appear where it now belongs. */
void range_consider(struct overlay *, struct range *, struct slot *);

#endif
