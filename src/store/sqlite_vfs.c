/*
 * The VFS of the connection that writes: neighbouring writes to the log go to the system's VFS as
 * one.
 *
 * SQLite writes the log a header and a page at a time; together they are a tenth of a commit.
 * Nothing is held back past a sync, a read, a truncation or a look at the size, and with
 * synchronous=FULL SQLite shows nobody what it has not synced of the log: so nobody can see the
 * difference. Never used below FULL, where commits do not sync. Only the log: a checkpoint that a
 * reader keeps from its end tells others how far it came without a sync, so what it writes to the
 * database file must be there at once.
 */
#include "store/sqlite_impl.h"

#include <stdlib.h>

#define PIECE_BYTES (64 * 1024) /* the system VFS writes less than 128 KiB at a time */

struct file {
  sqlite3_file base;
  sqlite3_file *below; /* heap */
  uint8_t *piece;      /* heap, PIECE_BYTES; NULL until the first write */
  sqlite3_int64 at;    /* where piece[0] goes */
  int len;
  bool gathers; /* is the write-ahead log */
};

static struct file *file_of(sqlite3_file *f) {
  return (struct file *)f;
}
static sqlite3_file *below_of(sqlite3_file *f) {
  return file_of(f)->below;
}
static const sqlite3_io_methods *methods_of(sqlite3_file *f) {
  return below_of(f)->pMethods;
}

/* A failed write is forgotten: SQLite takes what it wrote since the last sync for undefined. */
static int flush(struct file *f) {
  int len = f->len;
  f->len = 0;
  return len ? f->below->pMethods->xWrite(f->below, f->piece, len, f->at) : SQLITE_OK;
}

static int file_close(sqlite3_file *base) {
  struct file *f = file_of(base);
  int code = flush(f), closed = f->below->pMethods->xClose(f->below);
  free(f->piece);
  free(f->below);
  return code ? code : closed;
}

static int file_read(sqlite3_file *base, void *out, int n, sqlite3_int64 at) {
  int code = flush(file_of(base));
  return code ? code : methods_of(base)->xRead(below_of(base), out, n, at);
}

static int file_write(sqlite3_file *base, const void *data, int n, sqlite3_int64 at) {
  struct file *f = file_of(base);
  if (!f->gathers) return f->below->pMethods->xWrite(f->below, data, n, at);
  if (f->len && (at != f->at + f->len || n > PIECE_BYTES - f->len)) {
    int code = flush(f);
    if (code) return code;
  }
  if (n > PIECE_BYTES) return f->below->pMethods->xWrite(f->below, data, n, at);
  if (!f->piece) f->piece = heap_alloc(PIECE_BYTES);
  if (!f->len) f->at = at;
  memcpy(f->piece + f->len, data, (size_t)n);
  f->len += n;
  return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size) {
  int code = flush(file_of(base));
  return code ? code : methods_of(base)->xTruncate(below_of(base), size);
}

static int file_sync(sqlite3_file *base, int flags) {
  int code = flush(file_of(base));
  return code ? code : methods_of(base)->xSync(below_of(base), flags);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size) {
  int code = flush(file_of(base));
  return code ? code : methods_of(base)->xFileSize(below_of(base), size);
}

static int file_lock(sqlite3_file *f, int level) {
  return methods_of(f)->xLock(below_of(f), level);
}
static int file_unlock(sqlite3_file *f, int level) {
  return methods_of(f)->xUnlock(below_of(f), level);
}
static int file_reserved(sqlite3_file *f, int *out) {
  return methods_of(f)->xCheckReservedLock(below_of(f), out);
}
static int file_control(sqlite3_file *f, int op, void *arg) {
  return methods_of(f)->xFileControl(below_of(f), op, arg);
}
static int file_sector(sqlite3_file *f) {
  return methods_of(f)->xSectorSize(below_of(f));
}
static int file_traits(sqlite3_file *f) {
  return methods_of(f)->xDeviceCharacteristics(below_of(f));
}
static int file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out) {
  return methods_of(f)->xShmMap(below_of(f), page, size, extend, out);
}
static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags) {
  return methods_of(f)->xShmLock(below_of(f), offset, n, flags);
}
static void file_shm_barrier(sqlite3_file *f) {
  methods_of(f)->xShmBarrier(below_of(f));
}
static int file_shm_unmap(sqlite3_file *f, int delete_it) {
  return methods_of(f)->xShmUnmap(below_of(f), delete_it);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* no memory maps */
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* Whatever is the process's default VFS at the time of the call. */
static sqlite3_vfs *system_vfs(void) {
  return sqlite3_vfs_find(NULL);
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags,
                    int *out_flags) {
  (void)vfs;
  sqlite3_vfs *below = system_vfs();
  struct file *f = file_of(base);
  *f = (struct file){.below = heap_zalloc((size_t)below->szOsFile),
                     .gathers = flags & SQLITE_OPEN_WAL};
  int code = below->xOpen(below, path, f->below, flags, out_flags);
  if (code == SQLITE_OK) {
    f->base.pMethods = &methods;
  } else {
    if (f->below->pMethods) f->below->pMethods->xClose(f->below);
    free(f->below);
  }
  return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_directory) {
  (void)vfs;
  return system_vfs()->xDelete(system_vfs(), path, sync_directory);
}
static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *out) {
  (void)vfs;
  return system_vfs()->xAccess(system_vfs(), path, flags, out);
}
static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int size, char *out) {
  (void)vfs;
  return system_vfs()->xFullPathname(system_vfs(), path, size, out);
}
static int vfs_randomness(sqlite3_vfs *vfs, int size, char *out) {
  (void)vfs;
  return system_vfs()->xRandomness(system_vfs(), size, out);
}
static int vfs_sleep(sqlite3_vfs *vfs, int microseconds) {
  (void)vfs;
  return system_vfs()->xSleep(system_vfs(), microseconds);
}
static int vfs_time(sqlite3_vfs *vfs, sqlite3_int64 *out) {
  (void)vfs;
  return system_vfs()->xCurrentTimeInt64(system_vfs(), out);
}
static int vfs_last_error(sqlite3_vfs *vfs, int size, char *out) {
  (void)vfs;
  return system_vfs()->xGetLastError(system_vfs(), size, out);
}

const char *sqlite_gathering_vfs(void) {
  static sqlite3_vfs vfs = {
      .iVersion = 2,
      .szOsFile = sizeof(struct file),
      .mxPathname = 1024,
      .zName = "flowfabric",
      .xOpen = vfs_open,
      .xDelete = vfs_delete,
      .xAccess = vfs_access,
      .xFullPathname = vfs_full_path,
      .xRandomness = vfs_randomness,
      .xSleep = vfs_sleep,
      .xCurrentTimeInt64 = vfs_time,
      .xGetLastError = vfs_last_error,
  };
  return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? vfs.zName : NULL;
}
