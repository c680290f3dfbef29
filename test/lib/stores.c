/*
 * The table of stores and their places. Files are below $TMPDIR or /tmp.
 */
#include "test/lib/stores.h"

#include "base/base.h"

#include <stdlib.h>
#include <unistd.h>

static const struct {
  const char *name;
  bool files;
} stores[TEST_STORES] = {{"memory", false}, {"sqlite", true}};

const char *test_store(size_t index) { return index < TEST_STORES ? stores[index].name : NULL; }

static void file_of(const char *label, const char *suffix, char *out, size_t size) {
  const char *tmp = getenv("TMPDIR");
  snprintf(out, size, "%s/ff-%s-%ld.db%s", tmp ? tmp : "/tmp", label, (long)getpid(), suffix);
}

void test_store_remove(size_t index, const char *label) {
  static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
  char file[512];
  for (size_t i = 0; stores[index].files && i < ARRAY_LEN(suffixes); i++) {
    file_of(label, suffixes[i], file, sizeof file);
    (void)unlink(file);
  }
}

void test_store_place(size_t index, const char *label, const char *query, char *url, size_t size) {
  char file[512];
  test_store_remove(index, label);
  file_of(label, query, file, sizeof file);
  if (stores[index].files)
    snprintf(url, size, "%s:%s", stores[index].name, file);
  else
    snprintf(url, size, "%s:%s-%ld", stores[index].name, label, (long)getpid());
}
