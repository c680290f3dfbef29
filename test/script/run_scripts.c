/*
 * Runs every script of a folder on every store and compares answers and dumps: one script, one
 * expected result (DESIGN §7, P9).
 *
 * Once more the reference runs over HTTP: answers and records must be the same there too.
 *
 * usage: run_scripts [--servers [K/N]] [--show] FOLDER|FILE.ff …    Ends with `N passed, N failed`. The
 * reference is compared with the stores that need no server; with --servers, with those that do:
 * they start once for all scripts. --show prints transcripts and dumps.
 */
#include "test/lib/script.h"
#include "test/lib/servers.h"
#include "test/lib/stores.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

struct outcome {
  bool ok;
  struct buffer transcript, dump;
};

static bool show;

static void run_one(size_t store, bool over_http, const char *path, struct outcome *out) {
  char url[600];
  buffer_init(&out->transcript);
  buffer_init(&out->dump);
  test_store_place(store, "script", "", url, sizeof url);
  struct script *s = script_open(url, test_store_backend(store));
  out->ok = s && (!over_http || script_over_http(s)) && script_run_file(s, path);
  if (s) {
    struct ff_str text = buffer_text(script_transcript(s));
    buffer_append_text(&out->transcript, text);
    script_dump(s, &out->dump);
    if (show) printf("%s%s", buffer_text(&out->transcript).ptr, buffer_text(&out->dump).ptr);
  }
  script_close(s);
  test_store_remove(store, "script");
}

/* Shows the first line in which two texts differ. */
static bool same(const char *what, const char *path, const char *store, const struct buffer *a,
                 const struct buffer *b) {
  const char *p = buffer_text(a).ptr, *q = buffer_text(b).ptr;
  while (*p || *q) {
    size_t n = strcspn(p, "\n"), m = strcspn(q, "\n");
    if (n != m || memcmp(p, q, n) != 0) {
      fprintf(stderr, "%s: the %ss differ:\n  %s: %.*s\n  %s: %.*s\n", path, what,
              test_store(0), (int)n, p, store, (int)m, q);
      return false;
    }
    p += n + (p[n] == '\n');
    q += m + (q[m] == '\n');
  }
  return true;
}

static size_t chosen[TEST_STORES], chosen_count;

static bool run_file(const char *path) {
  struct outcome outcomes[TEST_STORES + 1];
  bool ok = true;
  for (size_t i = 0; i <= chosen_count; i++) {
    bool over_http = i == chosen_count;
    run_one(over_http ? 0 : chosen[i], over_http, path, &outcomes[i]);
    if (!outcomes[i].ok && over_http) fprintf(stderr, "%s: that was over HTTP\n", path);
    ok &= outcomes[i].ok;
  }
  for (size_t i = 1; i <= chosen_count && ok; i++) {
    const char *name = i == chosen_count ? "http" : test_store(chosen[i]);
    ok = same("transcript", path, name, &outcomes[0].transcript, &outcomes[i].transcript) &&
         same("dump", path, name, &outcomes[0].dump, &outcomes[i].dump);
  }
  for (size_t i = 0; i <= chosen_count; i++) {
    buffer_fini(&outcomes[i].transcript);
    buffer_fini(&outcomes[i].dump);
  }
  return ok;
}

static int is_script(const struct dirent *d) {
  size_t n = strlen(d->d_name);
  return n > 3 && strcmp(d->d_name + n - 3, ".ff") == 0;
}

int main(int argc, char **argv) {
  int passed = 0, failed = 0, missing = 0;
  bool servers = argc > 1 && strcmp(argv[1], "--servers") == 0;
  int part = 0, parts = 1, seen = 0; /* --servers K/N: every N-th script of a folder, from the K-th */
  if (servers && argc > 2 && sscanf(argv[2], "%d/%d", &part, &parts) == 2) argv++, argc--;
  show = argc > 1 + servers && strcmp(argv[1 + servers], "--show") == 0;
  chosen_count = test_stores_choose(servers, chosen, &missing);
  if (missing && chosen_count == 1) return missing;
  for (int i = 1 + servers + show; i < argc; i++) {
    struct dirent **names;
    int n = scandir(argv[i], &names, is_script, alphasort);
    if (n < 0) {
      run_file(argv[i]) ? passed++ : failed++;
      continue;
    }
    for (int k = 0; k < n; k++) {
      char path[1024];
      snprintf(path, sizeof path, "%s/%s", argv[i], names[k]->d_name);
      /* What is large is so to cross limits of ours, not of a store. */
      bool large = servers && strstr(names[k]->d_name, "_large.ff");
      if (!large && seen++ % parts == part) run_file(path) ? passed++ : failed++;
      free(names[k]);
    }
    free(names);
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed || !passed ? 1 : missing == SERVER_SKIP ? 0 : missing;
}
