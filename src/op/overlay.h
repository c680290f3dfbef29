/*
 * The world of one batch: what was loaded, what its operations have changed so far, and what must
 * be loaded next.
 *
 * Driven by the executor (src/engine/batch.c); operations see it only through tx.h. Everything
 * lives in the batch arena.
 */
#ifndef OP_OVERLAY_H
#define OP_OVERLAY_H

#include "op/op.h"

struct overlay;
/* The unit of atomicity of a store without one domain: a partition of a family, or what is global. */
struct overlay_tag {
  enum record_tag family; /* FP, B, Q or G */
  uint16_t partition;     /* 0 for G */
};

struct overlay *overlay_new(struct arena *arena, const struct op_config *config, bool one_domain);

/* What is still to be loaded. The executor fetches these and hands the answers back. */
struct overlay_get {
  enum record_kind kind;
  const void *key;
  const void *record; /* filled by the executor, as the rest */
  const struct ff_error *unreadable;
};
struct overlay_scan {
  enum index_id index;
  const void *from;
  bool after;
  uint32_t limit;
  const void **records; /* filled by the executor, as the rest */
  uint32_t count;
  bool complete;
  const struct ff_error **unreadable;
  uint32_t unreadable_count;
};
void overlay_wants(struct overlay *, struct overlay_get **gets, uint32_t *get_count,
                   struct overlay_scan **scans, uint32_t *scan_count);
void overlay_loaded(struct overlay *, int64_t now);
/* What could not be read since this was last asked, for the log. */
const struct ff_error *const *overlay_unreadable(struct overlay *, uint32_t *count);
bool overlay_wants_anything(const struct overlay *);

/* Declares what `code` can read off its arguments. */
void overlay_declare(struct overlay *, const struct op_code *code, const void *args,
                     const void *prep);

/* Runs one operation to its end: FF_MISS (nothing staged stands; overlay_wants has grown), or its
 * answer with its edits taken over (success, tx_commit_on_error) or dropped. result is zeroed
 * first. tag (may be NULL) receives the tag it wrote. */
struct overlay_run {
  const struct op_code *code;
  const void *args, *prep;
  void *result;
  uint64_t seed;     /* the same for every run of this call */
  uint32_t sequence; /* orders what is minted within a ms */
  bool read_only;
  bool dry; /* only finds out what it reads: nothing is taken over, the answer is FF_MISS */
};
enum ff_rc overlay_run(struct overlay *, const struct overlay_run *, uint32_t result_size,
                       struct overlay_tag *tag, bool *wrote, struct ff_error *);

/* What changed, for the executor's wake-ups: called after each operation whose edits were taken
 * over. */
struct overlay_watch {
  void *user;
  void (*changed)(void *user, const struct execution *before,
                  const struct execution *after); /* either may be NULL */
  void (*left)(void *user); /* what remains to be done of a cascade was written down */
  void (*falls_due)(void *user, int64_t at);      /* a budget */
};
void overlay_watch(struct overlay *, const struct overlay_watch *);

/* The net writes and events of a tag (of everything with one domain). */
struct overlay_writes {
  struct overlay_tag tag;
  struct overlay_write {
    enum { OVERLAY_INSERT, OVERLAY_UPDATE, OVERLAY_DELETE } kind;
    enum record_kind record_kind;
    const void *record; /* head.version is the new version */
    uint64_t base_version;
  } *writes;
  uint32_t write_count;
  const struct event **events;
  uint32_t event_count;
  int64_t valid_until;
};
void overlay_collect(struct overlay *, struct overlay_writes **groups, uint32_t *count);

#endif
