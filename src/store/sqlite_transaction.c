/*
 * Where the writer's transaction begins and ends, and what must be right at those two points.
 *
 * A commit that failed after the medium may have been written is unknown, and the store refuses all
 * further work, because nothing read or written after a failed fsync can be trusted. The cache
 * holds what the file holds: it is cleared whenever a transaction that changed it does not commit,
 * and whenever somebody else (an operator's shell) has written in between.
 */
#include "store/sqlite_impl.h"

static unsigned data_version(struct sqlite_session *c) {
  unsigned version = 0;
  sqlite3_file_control(c->db, "main", SQLITE_FCNTL_DATA_VERSION, &version);
  return version;
}

enum ff_rc sqlite_begin_write(struct sqlite_session *c, struct ff_error *e) {
  if (c->in_transaction) return FF_OK;
  /* Here and not behind the commit: what was committed is answered first, and a pause in between
   * leaves the step to idle(). */
  sqlite_checkpoint_if_long(c);
  enum ff_rc rc = sqlite_usable(c->store, e);
  if (rc) return rc;
  int code =
      sqlite_run_fixed(c, c->store->target.memory ? SQLITE_FIXED_BEGIN : SQLITE_FIXED_BEGIN_WRITE);
  if (code) return sqlite_error(c->store, c->db, code, "begin", e);
  c->in_transaction = true;
  c->wrote = false;
  if (data_version(c) != c->data_version) sqlite_cache_clear(c->cache);
  return FF_OK;
}

static void ended(struct sqlite_session *c, bool committed) {
  c->in_transaction = false;
  if (c->cache_ahead && !committed) sqlite_cache_clear(c->cache);
  c->cache_ahead = false;
  c->data_version = data_version(c);
}

void sqlite_rollback(struct sqlite_session *c) {
  if (!c->in_transaction) return;
  if (!sqlite3_get_autocommit(c->db)) sqlite_run_fixed(c, SQLITE_FIXED_ROLLBACK);
  ended(c, false);
}

bool sqlite_surely_not_committed(int code) {
  return (code & 0xff) == SQLITE_FULL || (code & 0xff) == SQLITE_BUSY ||
         (code & 0xff) == SQLITE_READONLY;
}

int sqlite_commit_or_poison(struct sqlite_session *c) {
  int code = sqlite_run_fixed(c, SQLITE_FIXED_COMMIT);
  if (code == SQLITE_OK) {
    ended(c, true);
    return code;
  }
  if (!sqlite_surely_not_committed(code)) sqlite_poison(c->store, sqlite3_extended_errcode(c->db));
  return code;
}

enum ff_rc sqlite_commit(struct sqlite_session *c, struct ff_error *e) {
  int code = sqlite_commit_or_poison(c);
  enum ff_rc rc = code ? sqlite_error(c->store, c->db, code, "commit", e) : FF_OK;
  sqlite_rollback(c);
  return rc;
}
