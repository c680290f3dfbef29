/*
 * Files of the bad-input tests, made and spoiled without the library except for the template.
 */
#include "test/unit/bad_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/unit/bad_world.h"

#include <dirent.h>
#include <limits.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

void bad_files_init(struct bad_files *f) {
  const char *parent = getenv("TMPDIR");
  snprintf(f->directory, sizeof f->directory, "%s/ff-bad-XXXXXX", parent ? parent : "/tmp");
  assert_non_null(mkdtemp(f->directory));
}

static void remove_tree(const char *path) {
  DIR *directory = opendir(path);
  struct dirent *entry;
  char name[PATH_MAX];
  while (directory && (entry = readdir(directory))) {
    struct stat st;
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (lstat(name, &st) == 0 && S_ISDIR(st.st_mode))
      remove_tree(name);
    else
      unlink(name);
  }
  if (directory) closedir(directory);
  rmdir(path);
}

void bad_files_fini(struct bad_files *f) { remove_tree(f->directory); }

static char *next_text(void) {
  static char texts[4][PATH_MAX + 64];
  static unsigned turn;
  return texts[turn++ % ARRAY_LEN(texts)];
}

const char *bad_path(const struct bad_files *f, const char *name) {
  char *path = next_text();
  snprintf(path, PATH_MAX, "%s/%s", f->directory, name);
  return path;
}

const char *bad_url(const struct bad_files *f, const char *name, const char *query) {
  char *url = next_text();
  snprintf(url, PATH_MAX, "sqlite:%s/%s%s", f->directory, name, query);
  return url;
}

const char *bad_file_url(const struct bad_files *f, const char *name, const char *query) {
  char *url = next_text();
  snprintf(url, PATH_MAX, "sqlite:file:%s/%s%s", f->directory, name, query);
  return url;
}

bool bad_exists(const struct bad_files *f, const char *name) {
  return access(bad_path(f, name), F_OK) == 0;
}

void bad_write(const struct bad_files *f, const char *name, const char *bytes, size_t size) {
  FILE *file = fopen(bad_path(f, name), "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
}

char *bad_read(const struct bad_files *f, const char *name, size_t *size) {
  struct buffer b;
  char block[4096];
  FILE *file = fopen(bad_path(f, name), "rb");
  assert_non_null(file);
  buffer_init(&b);
  for (size_t got; (got = fread(block, 1, sizeof block, file)) > 0;) buffer_append(&b, block, got);
  fclose(file);
  *size = b.len;
  return b.ptr;
}

void bad_assert_content(const struct bad_files *f, const char *name, const char *bytes,
                        size_t size) {
  size_t now;
  char *content = bad_read(f, name, &now);
  assert_int_equal(now, size);
  assert_memory_equal(content, bytes, size);
  free(content);
}

void bad_remove(const struct bad_files *f, const char *name) {
  static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
  for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s%s", bad_path(f, name), suffixes[i]);
    unlink(path);
  }
}

void bad_sql(const struct bad_files *f, const char *name, const char *sql) {
  sqlite3 *db;
  char *problem = NULL;
  assert_int_equal(sqlite3_open(bad_path(f, name), &db), SQLITE_OK);
  (void)sqlite3_exec(db, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
  if (sqlite3_exec(db, sql, NULL, NULL, &problem) != SQLITE_OK) fail_msg("%s: %s", sql, problem);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

void bad_template(const struct bad_files *f, const char *name) {
  struct ff_engine *engine = bad_engine_open(bad_url(f, name, ""), 0);
  bad_create(engine, BAD_LEASED);
  (void)bad_claim(engine);
  bad_create(engine, BAD_WAITING);
  ff_close(engine);
}
