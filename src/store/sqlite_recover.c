/*
 * Making sure that the write-ahead log a former owner left is really on the medium before SQLite
 * trusts it.
 *
 * After a failed fsync the kernel may hold pages that it takes for written and that are not: what
 * such a log says can vanish at a power cut, even below commits that were acknowledged later.
 * Writing the same bytes again makes them count once more. Runs only at open, under the owner's
 * lock, and only when a log is there: a clean close leaves none.
 */
#include "store/sqlite_impl.h"

#include <stdlib.h>

#define PIECE_BYTES (64 * 1024) /* the system VFS writes less than 128 KiB at a time */

static int rewrite(sqlite3_file *f) {
  sqlite3_int64 size = 0;
  int code = f->pMethods->xFileSize(f, &size);
  uint8_t *piece = heap_alloc(PIECE_BYTES);
  for (sqlite3_int64 at = 0; !code && at < size; at += PIECE_BYTES) {
    int n = size - at < PIECE_BYTES ? (int)(size - at) : PIECE_BYTES;
    code = f->pMethods->xRead(f, piece, n, at);
    if (!code) code = f->pMethods->xWrite(f, piece, n, at);
  }
  if (!code && size) code = f->pMethods->xSync(f, SQLITE_SYNC_NORMAL);
  free(piece);
  return code;
}

static int rewrite_log(sqlite3_vfs *vfs, const char *log) {
  int exists = 0;
  int code = vfs->xAccess(vfs, log, SQLITE_ACCESS_EXISTS, &exists);
  if (code || !exists) return code;
  sqlite3_file *f = heap_zalloc((size_t)vfs->szOsFile);
  code = vfs->xOpen(vfs, log, f, SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL, NULL);
  if (!code) code = rewrite(f);
  if (f->pMethods) f->pMethods->xClose(f);
  free(f);
  return code;
}

enum ff_rc sqlite_harden_log(struct sqlite_store *s, struct ff_error *e) {
  sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
  struct buffer log;
  buffer_init(&log);
  buffer_printf(&log, "%s-wal", s->name);
  /* File names a VFS sees carry their parameters behind them. */
  sqlite3_filename name = sqlite3_create_filename(s->name, "", log.ptr, 0, NULL);
  int code = name ? rewrite_log(vfs, sqlite3_filename_wal(name)) : SQLITE_NOMEM;
  sqlite3_free_filename(name);
  buffer_fini(&log);
  return code ? sqlite_error(s, NULL, code, "secure the write-ahead log", e) : FF_OK;
}
