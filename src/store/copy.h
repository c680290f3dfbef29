/*
 * Copies of whole stores, record by record: move, backup and restore stand on this.
 *
 * Knows kinds, keys and the log; the one kind it knows by name is that of settings, because the
 * marks of a copy under way (mark.h) live there and are never copied.
 */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include "store/store.h"

/* All records of a store, kind by kind, in the order of their keys. */
struct copy_walk {
  struct store_session *reader;
  struct arena arenas[2]; /* this batch and the one before, in turn */
  unsigned turn, next_kind;
  const void *last; /* the range goes on behind it; NULL = at its beginning */
  uint32_t limit;   /* records of the next batch: as many as fit some megabytes */
  enum record_kind kind; /* of the batch */
  const void **records;
  uint32_t count, at; /* at: taken by copy_walk_step */
};
void copy_walk_init(struct copy_walk *, struct store_session *reader);
void copy_walk_fini(struct copy_walk *);
/* Goes to the beginning of a kind. */
void copy_walk_begin(struct copy_walk *, enum record_kind);
/* The next records of the kind in `kind`, `records` and `count`; 0 = no more of it. They live until the
 * second call from here. A row that cannot be read fails it. */
enum ff_rc copy_walk_next(struct copy_walk *, struct ff_error *) MUST_USE;
/* One record of the kind; NULL = no more. */
enum ff_rc copy_walk_step(struct copy_walk *, const void **record, struct ff_error *) MUST_USE;

/* Inserts records as they are, events with their ids. All or nothing. */
enum ff_rc copy_insert(struct store_session *writer, enum record_kind kind,
                       const void *const *records, uint32_t count, struct ff_error *) MUST_USE;

/* Called now and then with how many records are done. False stops the copy: interrupted. */
typedef bool copy_progress_fn(void *user, enum record_kind kind, uint64_t done);
struct copy_job {
  struct store_session *source, *target; /* readers */
  struct store_session *writer;          /* of the target; NULL = compare only */
  const char *target_name;               /* for messages */
  copy_progress_fn *progress;            /* may be NULL */
  void *user;
  uint64_t counts[RECORD_KIND_COUNT]; /* out: records of the source */
  uint64_t inserted;                  /* out */
};
/* Compares the target with the source and inserts what it lacks. The target may hold the beginning
 * of each kind, nothing else: a copy that was cut off goes on. conflict/corruption errors name the
 * record that differs. */
enum ff_rc copy_run(struct copy_job *, struct ff_error *) MUST_USE;
/* How many records there are of each kind. */
enum ff_rc copy_count(struct store_session *reader, uint64_t counts[RECORD_KIND_COUNT],
                      struct ff_error *) MUST_USE;
/* The kind of some record that is there, RECORD_KIND_COUNT when nothing is. */
enum ff_rc copy_any(struct store_session *reader, unsigned *kind, struct ff_error *) MUST_USE;
/* The highest event id ever given. */
enum ff_rc copy_log_end(struct store_session *reader, uint64_t *end, struct ff_error *) MUST_USE;

#endif
