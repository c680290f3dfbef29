/*
 * Who owns a SQLite file: finding the file, creating it, and the lock on `<file>.lock`.
 *
 * The lock lives as long as its descriptor: a killed owner leaves none. The file itself is never
 * opened here once it exists, because closing any descriptor of it would drop the locks SQLite
 * holds on it in this process.
 */
#define _GNU_SOURCE /* realpath, flock, program_invocation_short_name */
#include "store/sqlite_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names the first thing that is wrong with the directory a new file would go to. */
static enum ff_rc directory_check(const char *path, struct ff_error *e) {
  const char *slash = strrchr(path, '/');
  struct ff_str part = !slash          ? TEXT_LIT(".")
                       : slash == path ? TEXT_LIT("/")
                                       : text_of(path, (size_t)(slash - path));
  char *directory = heap_zalloc(part.len + 1);
  memcpy(directory, part.ptr, part.len);
  struct stat st;
  enum ff_rc rc = FF_OK;
  if (stat(directory, &st) != 0)
    rc = error_set(e, FF_CODE_transport, "cannot open %s: directory %s: %s", path, directory,
                   strerror(errno));
  else if (!S_ISDIR(st.st_mode))
    rc = error_set(e, FF_CODE_transport, "cannot open %s: %s is not a directory", path, directory);
  free(directory);
  return rc;
}

static enum ff_rc create_empty(const char *path, struct ff_error *e) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    close(fd);
    return FF_OK;
  }
  if (errno == EEXIST)
    return FF_OK; /* another process was faster; a dangling link is found by the next step */
  if (errno == EACCES || errno == EROFS || errno == EPERM)
    return error_set(e, FF_CODE_store_read_only, "cannot create %s: %s", path, strerror(errno));
  if (errno == ENOSPC || errno == EDQUOT)
    return error_set(e, FF_CODE_store_full, "cannot create %s: %s", path, strerror(errno));
  return error_set(e, FF_CODE_transport, "cannot create %s: %s", path, strerror(errno));
}

enum ff_rc sqlite_file_locate(const char *path, bool create, char **canonical, struct ff_error *e) {
  enum ff_rc rc = directory_check(path, e);
  if (rc) return rc;
  *canonical = realpath(path, NULL);
  if (!*canonical && errno == ENOENT && create) {
    rc = create_empty(path, e);
    if (rc) return rc;
    *canonical = realpath(path, NULL);
  }
  if (!*canonical)
    return error_set(e, FF_CODE_transport, "cannot open %s: %s", path, strerror(errno));
  struct stat st;
  if (stat(*canonical, &st) == 0 && S_ISREG(st.st_mode)) return FF_OK;
  free(*canonical);
  *canonical = NULL;
  return error_set(e, FF_CODE_transport, "cannot open %s: not a regular file", path);
}

/* The text `pid command` of the owner, as far as it can be read. */
static enum ff_rc busy(const char *canonical, int fd, struct ff_error *e) {
  char owner[128] = "";
  ssize_t n = pread(fd, owner, sizeof owner - 1, 0);
  while (n > 0 && owner[n - 1] == '\n') owner[--n] = 0;
  close(fd);
  char *space = strchr(owner, ' ');
  if (space) *space = 0;
  uint64_t pid = 0;
  enum ff_rc rc;
  if (parse_u64(ff_text(owner), &pid) && pid == (uint64_t)getpid())
    rc = error_set(e, FF_CODE_store_busy, "%s is already open in this process (pid %s)", canonical,
                   owner);
  else
    rc = error_set(
        e, FF_CODE_store_busy,
        "%s is open in process %s (%s), which alone may write; stop it, or read with ?mode=ro",
        canonical, owner[0] ? owner : "?", space ? space + 1 : "?");
  error_context(e, "owner_pid", "%s", owner);
  return rc;
}

enum ff_rc sqlite_lock_take(const char *canonical, int *fd_out, struct ff_error *e) {
  size_t len = strlen(canonical);
  char *name = heap_alloc(len + sizeof ".lock");
  memcpy(name, canonical, len);
  memcpy(name + len, ".lock", sizeof ".lock");
  int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  int problem = errno;
  if (fd < 0) {
    enum ff_code code = problem == EACCES || problem == EROFS || problem == EPERM
                            ? FF_CODE_store_read_only
                        : problem == ENOSPC || problem == EDQUOT ? FF_CODE_store_full
                                                                 : FF_CODE_transport;
    enum ff_rc rc = error_set(e, code, "cannot open the lock file %s: %s", name, strerror(problem));
    free(name);
    return rc;
  }
  free(name);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return busy(canonical, fd, e);
    problem = errno;
    close(fd);
    return error_set(e, FF_CODE_transport, "cannot lock %s.lock: %s", canonical, strerror(problem));
  }
  char owner[96];
  int n = snprintf(owner, sizeof owner, "%ld %s\n", (long)getpid(), program_invocation_short_name);
  if (n > (int)sizeof owner - 1) n = (int)sizeof owner - 1;
  /* Only for people who are refused: a full disk must not keep the owner out. */
  if (ftruncate(fd, 0) != 0 || pwrite(fd, owner, (size_t)n, 0) != n) {
  }
  *fd_out = fd;
  return FF_OK;
}

void sqlite_lock_drop(int fd) {
  if (fd < 0) return;
  if (ftruncate(fd, 0) != 0) {
  }
  close(fd);
}
