/*
 * The counting and failing half of the test VFS: wraps every file SQLite opens, passes calls on,
 * fails the chosen one.
 *
 * What happened is told to vfs_power.c, which knows what a power cut leaves behind.
 */
#include "test/lib/vfs_fault.h"

#include "base/base.h"
#include "test/lib/vfs_power.h"

#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sqlite3_vfs *real;
static sqlite3_vfs shim;
static uint64_t counts[VFS_OP_COUNT];
static struct {
  bool armed, forever, hit;
  enum vfs_op op;
  uint64_t at; /* of counts[op] */
  int code;
} fault;

struct fault_file {
  sqlite3_file base;
  bool tracked;     /* a database or log file: its operations count */
  const char *path; /* SQLite keeps it as long as the file is open */
  sqlite3_file *below;
};

static struct fault_file *file_of(sqlite3_file *f) {
  return (struct fault_file *)f;
}
static sqlite3_file *below(sqlite3_file *f) {
  return file_of(f)->below;
}

/* Counts one operation; a code other than SQLITE_OK is to be answered instead of doing it. Lock
 * held. */
static int count(enum vfs_op op) {
  counts[op]++;
  if (!fault.armed || fault.op != op) return SQLITE_OK;
  if (counts[op] < fault.at || (counts[op] > fault.at && !fault.forever)) return SQLITE_OK;
  fault.hit = true;
  return fault.code;
}

/* ---- files ---- */

static int file_close(sqlite3_file *f) {
  return below(f)->pMethods->xClose(below(f));
}

static int file_read(sqlite3_file *f, void *out, int n, sqlite3_int64 at) {
  return below(f)->pMethods->xRead(below(f), out, n, at);
}

static int file_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at) {
  if (!file_of(f)->tracked) return below(f)->pMethods->xWrite(below(f), data, n, at);
  pthread_mutex_lock(&lock);
  int code = count(VFS_WRITE);
  if (!code) code = below(f)->pMethods->xWrite(below(f), data, n, at);
  if (!code) power_note_write(file_of(f)->path, data, (size_t)n, (uint64_t)at);
  pthread_mutex_unlock(&lock);
  return code;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size) {
  if (!file_of(f)->tracked) return below(f)->pMethods->xTruncate(below(f), size);
  pthread_mutex_lock(&lock);
  int code = count(VFS_TRUNCATE);
  if (!code) code = below(f)->pMethods->xTruncate(below(f), size);
  if (!code) power_note_truncate(file_of(f)->path, (uint64_t)size);
  pthread_mutex_unlock(&lock);
  return code;
}

static int file_sync(sqlite3_file *f, int flags) {
  if (!file_of(f)->tracked) return below(f)->pMethods->xSync(below(f), flags);
  pthread_mutex_lock(&lock);
  int code = count(VFS_SYNC);
  /* While recording, the medium is simulated: nothing needs to wait for the real one. */
  if (!code && !power_recording()) code = below(f)->pMethods->xSync(below(f), flags);
  if (code) power_note_failed_sync(file_of(f)->path);
  else power_note_sync(file_of(f)->path);
  pthread_mutex_unlock(&lock);
  return code;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size) {
  return below(f)->pMethods->xFileSize(below(f), size);
}
static int file_lock(sqlite3_file *f, int level) {
  return below(f)->pMethods->xLock(below(f), level);
}
static int file_unlock(sqlite3_file *f, int level) {
  return below(f)->pMethods->xUnlock(below(f), level);
}
static int file_check_lock(sqlite3_file *f, int *out) {
  return below(f)->pMethods->xCheckReservedLock(below(f), out);
}
static int file_control(sqlite3_file *f, int op, void *arg) {
  return below(f)->pMethods->xFileControl(below(f), op, arg);
}
static int file_sector_size(sqlite3_file *f) {
  return below(f)->pMethods->xSectorSize(below(f));
}
static int file_characteristics(sqlite3_file *f) {
  return below(f)->pMethods->xDeviceCharacteristics(below(f));
}
static int file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out) {
  return below(f)->pMethods->xShmMap(below(f), page, size, extend, out);
}
static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags) {
  return below(f)->pMethods->xShmLock(below(f), offset, n, flags);
}
static void file_shm_barrier(sqlite3_file *f) {
  below(f)->pMethods->xShmBarrier(below(f));
}
static int file_shm_unmap(sqlite3_file *f, int delete_it) {
  return below(f)->pMethods->xShmUnmap(below(f), delete_it);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* no memory maps: writes through them could not be seen */
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* ---- the VFS ---- */

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags,
                    int *out_flags) {
  (void)vfs;
  struct fault_file *file = file_of(f);
  *file = (struct fault_file){.path = path, .below = (sqlite3_file *)(file + 1)};
  file->tracked =
      path && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL));
  int code = real->xOpen(real, path, file->below, flags, out_flags);
  if (code) return code;
  file->base.pMethods = &methods;
  if (!file->tracked) return SQLITE_OK;
  pthread_mutex_lock(&lock);
  power_note_open(path);
  pthread_mutex_unlock(&lock);
  return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_directory) {
  (void)vfs;
  pthread_mutex_lock(&lock);
  int code = count(VFS_DELETE);
  if (!code) code = real->xDelete(real, path, sync_directory);
  if (!code) power_note_delete(path, sync_directory != 0);
  pthread_mutex_unlock(&lock);
  return code;
}

void vfs_fault_install(void) {
  real = sqlite3_vfs_find(NULL);
  INVARIANT(real && real != &shim);
  shim = *real;
  shim.zName = "fault";
  shim.pNext = NULL;
  shim.szOsFile = (int)sizeof(struct fault_file) + real->szOsFile;
  shim.xOpen = vfs_open;
  shim.xDelete = vfs_delete;
  INVARIANT(sqlite3_vfs_register(&shim, 1) == SQLITE_OK);
  vfs_fault_reset();
}

void vfs_fault_remove(void) {
  sqlite3_vfs_unregister(&shim);
  sqlite3_vfs_register(real, 1);
  vfs_fault_reset();
}

void vfs_fault_bypass(bool on) {
  sqlite3_vfs_register(on ? real : &shim, 1);
}

void vfs_fault_reset(void) {
  pthread_mutex_lock(&lock);
  memset(counts, 0, sizeof counts);
  memset(&fault, 0, sizeof fault);
  power_forget();
  pthread_mutex_unlock(&lock);
}

uint64_t vfs_fault_count(enum vfs_op op) {
  pthread_mutex_lock(&lock);
  uint64_t n = counts[op];
  pthread_mutex_unlock(&lock);
  return n;
}

void vfs_fault_fail(enum vfs_op op, uint64_t nth, bool forever, int code) {
  pthread_mutex_lock(&lock);
  fault.armed = true;
  fault.forever = forever;
  fault.hit = false;
  fault.op = op;
  fault.at = counts[op] + nth;
  fault.code = code;
  pthread_mutex_unlock(&lock);
}

void vfs_fault_disarm(void) {
  pthread_mutex_lock(&lock);
  fault.armed = false;
  pthread_mutex_unlock(&lock);
}

bool vfs_fault_hit(void) {
  pthread_mutex_lock(&lock);
  bool hit = fault.hit;
  pthread_mutex_unlock(&lock);
  return hit;
}

void vfs_power_record(void) {
  pthread_mutex_lock(&lock);
  power_start();
  pthread_mutex_unlock(&lock);
}
