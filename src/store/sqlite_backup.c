/*
 * A copy of a SQLite file while its owner works: SQLite's own backup in bounded steps, within one
 * read transaction, so that all of it is of one instant.
 *
 * The reader holds no lock that a writer would meet; until it has ended, checkpoints of the owner
 * stop where it began to read and the log grows. Writes nothing but the new file.
 */
#include "store/sqlite_impl.h"

#define PAGES_A_STEP 1024 /* 4 MiB */

static int copy_pages(sqlite3 *to, sqlite3 *from, store_backup_progress_fn *progress, void *user,
                      bool *stopped) {
  sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
  if (!backup) return sqlite3_errcode(to);
  int code = SQLITE_OK;
  while (code == SQLITE_OK) {
    code = sqlite3_backup_step(backup, PAGES_A_STEP);
    uint64_t total = (uint64_t)sqlite3_backup_pagecount(backup),
             left = (uint64_t)sqlite3_backup_remaining(backup);
    *stopped = progress && !progress(user, total - left, total);
    if (*stopped) break;
  }
  int end = sqlite3_backup_finish(backup);
  return code == SQLITE_DONE || code == SQLITE_OK ? end : code;
}

static enum ff_rc open_target(struct sqlite_store *s, const char *file, sqlite3 **out,
                              struct ff_error *e) {
  int code = sqlite3_open_v2(file, out, SQLITE_OPEN_READWRITE, NULL);
  if (!code)
    code = sqlite3_exec(*out, "PRAGMA journal_mode=OFF;PRAGMA synchronous=OFF", NULL, NULL, NULL);
  if (!code) return FF_OK;
  enum ff_rc rc = sqlite_error(s, *out, code, "open the new file", e);
  sqlite3_close(*out);
  *out = NULL;
  return rc;
}

/* The snapshot is taken by the first read of the transaction. */
static enum ff_rc snapshot(struct sqlite_store *s, sqlite3 *db, struct ff_error *e) {
  int code = sqlite3_exec(db, "BEGIN;SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
  return code ? sqlite_error(s, db, code, "begin to read", e) : FF_OK;
}

enum ff_rc store_sqlite_backup(struct store *store, const char *file,
                               store_backup_progress_fn *progress, void *user,
                               struct ff_error *e) {
  struct sqlite_store *s = sqlite_store_of(store);
  sqlite3 *from, *to = NULL;
  bool stopped = false;
  enum ff_rc rc = sqlite_connect(s, false, &from, e);
  if (rc) return rc;
  rc = snapshot(s, from, e);
  if (!rc) rc = open_target(s, file, &to, e);
  if (!rc) {
    int code = copy_pages(to, from, progress, user, &stopped);
    if (code) rc = sqlite_error(s, to, code, "write the copy", e);
    else if (stopped) rc = error_set(e, FF_CODE_unavailable, "interrupted");
  }
  sqlite3_close(to);
  sqlite3_close(from);
  return rc;
}
