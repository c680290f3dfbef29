/*
 * Under libFuzzer: puts the target's own seeds into the first corpus folder on the command line, so
 * that fuzzing begins where the replay driver begins.
 */
#include "fuzz.h"

#include <sys/stat.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);

static void put(const char *folder, size_t number, const struct ff_str *seed) {
  char path[4096];
  snprintf(path, sizeof path, "%s/seed-%zu", folder, number);
  FILE *f = fopen(path, "wb");
  if (f == NULL) return; /* a corpus that cannot be written to is fuzzed without them */
  fwrite(seed->ptr, 1, seed->len, f);
  fclose(f);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  for (int i = 1; i < *argc; i++) {
    struct stat st;
    const char *word = (*argv)[i];
    if (word[0] == '-' || stat(word, &st) != 0 || !S_ISDIR(st.st_mode)) continue;
    for (size_t n = 0; text_present(fuzz_seeds[n]); n++) put(word, n, &fuzz_seeds[n]);
    break;
  }
  return 0;
}
