/*
 * A new file that gets its name when all of it is on the medium: readable by its owner only, never a
 * half one, never over another unless asked.
 */
#ifndef STORE_SAVE_FILE_H
#define STORE_SAVE_FILE_H

#include "base/base.h"
#include "flowfabric/error.h"

#include <stdio.h>

struct save_file {
  const char *path;
  char *temporary; /* heap; beside `path` */
  FILE *file;
  bool force;
};
/* config when the file exists already and force is not set. */
enum ff_rc save_file_begin(struct save_file *, const char *path, bool force,
                           struct ff_error *) MUST_USE;
/* Syncs it and gives it its name; *bytes is its size. */
enum ff_rc save_file_end(struct save_file *, uint64_t *bytes, struct ff_error *) MUST_USE;
/* Releases; removes what did not get its name. */
void save_file_fini(struct save_file *);

#endif
