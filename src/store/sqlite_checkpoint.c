/*
 * Moving the write-ahead log into the database file, in bounded steps on the one connection that
 * writes.
 *
 * The log is kept short enough that a step is short, and complete steps let SQLite write the log
 * from its start again instead of appending to a growing file. Readers never checkpoint. A writer
 * at rest also gives its memory back.
 */
#include "store/sqlite_impl.h"

static int committed(void *user, sqlite3 *db, const char *name, int frames) {
  (void)db;
  (void)name;
  struct sqlite_session *c = user;
  if ((uint32_t)frames < c->wal_frames)
    c->wal_checkpointed = 0, c->wal_tried = 0; /* started over */
  c->wal_frames = (uint32_t)frames;
  return SQLITE_OK;
}

void sqlite_checkpoint_watch(struct sqlite_session *c) {
  sqlite3_wal_hook(c->db, committed, c);
}

/* Whatever goes wrong costs only log space, except for a medium that fails to write. */
static void checkpoint(struct sqlite_session *c) {
  int frames = 0, done = 0;
  int code = sqlite3_wal_checkpoint_v2(c->db, "main", SQLITE_CHECKPOINT_PASSIVE, &frames, &done);
  c->wal_tried = c->wal_frames;
  if (code == SQLITE_OK && frames >= 0) c->wal_checkpointed = (uint32_t)done;
  if ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CORRUPT)
    sqlite_poison(c->store, sqlite3_extended_errcode(c->db));
}

void sqlite_checkpoint_if_long(struct sqlite_session *c) {
  if (c->wal_frames - c->wal_checkpointed < c->store->hard_frames) return;
  /* A reader in the way: wait for some more frames before trying again. */
  if (c->wal_tried && c->wal_frames - c->wal_tried < c->store->hard_frames / 4) return;
  checkpoint(c);
}

/* What only makes busy times faster; SQLite's pages and our records come back with use. */
static void release_memory(struct sqlite_session *c) {
  sqlite_cache_trim(c->cache);
  sqlite3_db_release_memory(c->db);
}

void sqlite_idle(struct store_session *session, bool *more) {
  struct sqlite_session *c = sqlite_session_of(session);
  *more = false;
  if (!c->writer || c->in_transaction ||
      atomic_load_explicit(&c->store->failed, memory_order_relaxed))
    return;
  if (c->wal_frames - c->wal_checkpointed >= c->store->idle_frames && c->wal_tried != c->wal_frames)
    checkpoint(c);
  if (c->rests == SQLITE_RELEASE_AFTER_RESTS) return;
  if (++c->rests == SQLITE_RELEASE_AFTER_RESTS) release_memory(c);
  else *more = true;
}
