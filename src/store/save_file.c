/*
 * Files that appear whole: see save_file.h.
 */
#define _GNU_SOURCE /* mkostemp */
#include "store/save_file.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum ff_rc failed(const struct save_file *s, const char *doing, int problem,
                         struct ff_error *e) {
  enum ff_code code = problem == ENOSPC || problem == EDQUOT ? FF_CODE_store_full
                      : problem == EACCES || problem == ENOENT || problem == EROFS ||
                              problem == ENOTDIR || problem == EISDIR
                          ? FF_CODE_config
                          : FF_CODE_transport;
  return error_set(e, code, "cannot %s %s: %s", doing, s->path, strerror(problem));
}

static enum ff_rc exists(const struct save_file *s, struct ff_error *e) {
  return error_field(e, FF_CODE_config, "file", "%s exists already; --force replaces it", s->path);
}

enum ff_rc save_file_begin(struct save_file *s, const char *path, bool force, struct ff_error *e) {
  struct stat st;
  *s = (struct save_file){.path = path, .force = force};
  if (lstat(path, &st) == 0) {
    if (!force) return exists(s, e);
    if (!S_ISREG(st.st_mode))
      return error_field(e, FF_CODE_config, "file", "%s is no ordinary file", path);
  }
  size_t size = strlen(path) + sizeof ".XXXXXX";
  s->temporary = heap_alloc(size);
  snprintf(s->temporary, size, "%s.XXXXXX", path);
  int fd = mkostemp(s->temporary, O_CLOEXEC); /* 0600 */
  if (fd >= 0 && (s->file = fdopen(fd, "w+"))) return FF_OK;
  int problem = errno;
  if (fd >= 0) close(fd);
  else free(s->temporary), s->temporary = NULL;
  return failed(s, "make", problem, e);
}

/* The name's own entry must reach the medium too. */
static int sync_directory(const char *path) {
  const char *slash = strrchr(path, '/');
  char *directory = heap_alloc(strlen(path) + 2);
  size_t len = slash ? (size_t)(slash - path) : 0;
  memcpy(directory, path, len);
  snprintf(directory + len, 2, "%s", slash ? (len ? "" : "/") : ".");
  int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), problem = fd < 0 ? errno : 0;
  if (fd >= 0 && fsync(fd) != 0) problem = errno == EINVAL ? 0 : errno;
  if (fd >= 0) close(fd);
  free(directory);
  return problem;
}

/* A link never replaces anything, whoever came first; where there are none, a look must do. */
static int give_name(const struct save_file *s) {
  if (s->force) return rename(s->temporary, s->path) ? errno : 0;
  if (link(s->temporary, s->path) == 0) {
    (void)unlink(s->temporary);
    return 0;
  }
  if (errno != EPERM && errno != ENOTSUP && errno != ENOSYS) return errno;
  if (access(s->path, F_OK) == 0) return EEXIST;
  return rename(s->temporary, s->path) ? errno : 0;
}

enum ff_rc save_file_end(struct save_file *s, uint64_t *bytes, struct ff_error *e) {
  struct stat st;
  if (fflush(s->file) != 0 || fsync(fileno(s->file)) != 0 || fstat(fileno(s->file), &st) != 0)
    return failed(s, "write", errno, e);
  int problem = give_name(s);
  if (problem == EEXIST) return exists(s, e);
  if (problem) return failed(s, "name", problem, e);
  free(s->temporary);
  s->temporary = NULL;
  problem = sync_directory(s->path);
  if (problem) return failed(s, "sync the directory of", problem, e);
  *bytes = (uint64_t)st.st_size;
  return FF_OK;
}

void save_file_fini(struct save_file *s) {
  if (s->file) fclose(s->file);
  if (s->temporary) (void)unlink(s->temporary);
  free(s->temporary);
}
