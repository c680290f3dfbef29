/*
 * A directory of a test's own: files to open, to spoil and to compare.
 */
#ifndef TEST_UNIT_BAD_FILES_H
#define TEST_UNIT_BAD_FILES_H

#include "base/base.h"

struct bad_files {
  char directory[256];
};
void bad_files_init(struct bad_files *);
void bad_files_fini(struct bad_files *); /* with everything in it */

/* Valid until two calls later. */
const char *bad_path(const struct bad_files *, const char *name);
/* `sqlite:<path><query>`, and `sqlite:file:<path><query>`. */
const char *bad_url(const struct bad_files *, const char *name, const char *query);
const char *bad_file_url(const struct bad_files *, const char *name, const char *query);

bool bad_exists(const struct bad_files *, const char *name);
void bad_write(const struct bad_files *, const char *name, const char *bytes, size_t size);
char *bad_read(const struct bad_files *, const char *name, size_t *size); /* free it */
void bad_assert_content(const struct bad_files *, const char *name, const char *bytes, size_t size);
/* The file and what SQLite and the lock put beside it. */
void bad_remove(const struct bad_files *, const char *name);
/* Runs statements on a file nobody has open; makes it when it is missing. */
void bad_sql(const struct bad_files *, const char *name, const char *sql);
/* A store with one leased and one waiting execution (BAD_LEASED, BAD_WAITING), closed again. */
void bad_template(const struct bad_files *, const char *name);

#endif
