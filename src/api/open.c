/*
 * ff_open and ff_close: URLs and defaults, and one engine per store in a process (01 CP-9).
 */
#include "api/api.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ff_engine *registry;

/* ---- the default file ---- */

static enum ff_rc make_directory(const char *path, struct ff_error *error) {
  char partial[PATH_MAX];
  size_t len = strlen(path);
  if (len >= sizeof partial)
    return error_set(error, FF_CODE_config, "path longer than %d bytes", PATH_MAX);
  for (size_t i = 1; i <= len; i++) {
    if (path[i] != '/' && path[i] != '\0') continue;
    memcpy(partial, path, i);
    partial[i] = '\0';
    if (mkdir(partial, 0700) != 0 && errno != EEXIST)
      return error_set(error, FF_CODE_transport, "cannot create the directory %.200s: %s", partial,
                       strerror(errno));
  }
  return FF_OK;
}

/* flowfabric.db in $FF_DATA_DIR, else in the XDG state directory (DESIGN §10). */
static enum ff_rc default_url(char *url, size_t size, struct ff_error *error) {
  const char *data = getenv("FF_DATA_DIR"), *state = getenv("XDG_STATE_HOME"),
             *home = getenv("HOME");
  char directory[PATH_MAX];
  int n;
  if (data && *data)
    n = snprintf(directory, sizeof directory, "%s", data);
  else if (state && *state)
    n = snprintf(directory, sizeof directory, "%s/flowfabric", state);
  else if (home && *home)
    n = snprintf(directory, sizeof directory, "%s/.local/state/flowfabric", home);
  else
    return error_set(error, FF_CODE_config,
                     "no store named and none of FF_DATA_DIR, XDG_STATE_HOME, HOME is set");
  if (n < 0 || (size_t)n >= sizeof directory)
    return error_set(error, FF_CODE_config, "path longer than %d bytes", PATH_MAX);
  TRY(make_directory(directory, error));
  n = snprintf(url, size, "sqlite:%s/flowfabric.db", directory);
  if (n < 0 || (size_t)n >= size)
    return error_set(error, FF_CODE_config, "path longer than %d bytes", PATH_MAX);
  return FF_OK;
}

/* ---- one engine per store ---- */

/* What two URLs of one store have in common: the canonical path when the file exists, else the URL
 * as it stands. */
static void canonical_key(const char *url, char *key, size_t size) {
  char path[PATH_MAX], real[PATH_MAX];
  if (strcmp(url, "sqlite:file::memory:?cache=shared") == 0) url = "sqlite::memory:";
  snprintf(key, size, "%s", url);
  if (strncmp(url, "sqlite:", 7) != 0 || strncmp(url, "sqlite::memory:", 15) == 0) return;
  const char *start = url + 7;
  if (strncmp(start, "file:", 5) == 0) start += strncmp(start + 5, "///", 3) == 0 ? 7 : 5;
  snprintf(path, sizeof path, "%s", start);
  char *query = strchr(path, '?');
  if (query) *query = '\0';
  bool reads = engine_url_says(ff_text(url), "mode=ro");
  bool memory = engine_url_says(ff_text(url), "mode=memory");
  if (!memory && realpath(path, real))
    snprintf(key, size, "sqlite:%s%s", real, reads ? "?mode=ro" : "");
}

static struct ff_engine *registry_find(const char *key) {
  struct ff_engine *e = registry;
  while (e && strcmp(e->key, key) != 0) e = e->next;
  return e;
}

static enum ff_rc open_new(const char *url, const struct ff_open_options *options,
                           struct ff_engine **out, struct ff_error *error) {
  struct ff_engine *e = heap_zalloc(sizeof *e);
  struct engine_options inner = {.open = *options};
  enum ff_rc rc = engine_open(ff_text(url), &inner, &e->engine, error);
  if (rc != FF_OK) {
    free(e);
    return rc;
  }
  /* After the open the file exists and has a canonical path. */
  canonical_key(url, e->key, sizeof e->key);
  e->holders = 1;
  e->next = registry;
  registry = e;
  *out = e;
  return FF_OK;
}

/* 01 PT-4 for an engine that is open already. Its other options are those of the first open. */
static enum ff_rc check_partitions(const struct ff_engine *held, uint32_t wanted,
                                   struct ff_error *error) {
  uint32_t count = engine_config(held->engine)->flow_partitions;
  if (!wanted || wanted == count) return FF_OK;
  return error_set(error, FF_CODE_corruption,
                   "partition_mismatch: num_flow_partitions: stored=%u, config=%u", count, wanted);
}

enum ff_rc ff_open(const char *url, const struct ff_open_options *options, struct ff_engine **out,
                   struct ff_error *error) {
  struct ff_open_options full = FF_OPEN_OPTIONS_INIT;
  char default_text[PATH_MAX + 16], key[PATH_MAX + 16];
  *out = NULL;
  if (options) TRY(api_sized_copy(&full, sizeof full, options, options->size, "options", error));
  if (!url || !*url) {
    TRY(default_url(default_text, sizeof default_text, error));
    url = default_text;
  }
  if (strlen(url) >= sizeof key)
    return error_set(error, FF_CODE_config, "URL longer than %d bytes", PATH_MAX);
  pthread_mutex_lock(&registry_lock);
  /* Under the lock: a racing open may be creating the file, and only then has it its real name. */
  canonical_key(url, key, sizeof key);
  enum ff_rc rc = FF_OK;
  struct ff_engine *held = registry_find(key);
  if (held)
    rc = check_partitions(held, full.flow_partitions, error);
  else
    rc = open_new(url, &full, out, error);
  if (held && rc == FF_OK) {
    held->holders++;
    *out = held;
  }
  pthread_mutex_unlock(&registry_lock);
  return rc;
}

void ff_close(struct ff_engine *engine) {
  if (!engine) return;
  pthread_mutex_lock(&registry_lock);
  bool last = --engine->holders == 0;
  if (last) {
    struct ff_engine **at = &registry;
    while (*at != engine) at = &(*at)->next;
    *at = engine->next;
    /* Closed under the lock: a racing open of the same file must not meet its lock still held. */
    engine_close(engine->engine);
    free(engine);
  }
  pthread_mutex_unlock(&registry_lock);
}

enum ff_rc ff_shutdown_prepare(struct ff_engine *engine, int64_t grace_ms, struct ff_error *error) {
  if (engine_quiesce(engine->engine, grace_ms)) return FF_OK;
  (void)error_set(error, FF_CODE_timeout, "calls were still under way after %lld ms",
                  (long long)grace_ms);
  error_context(error, "op", "shutdown_prepare");
  return FF_TIMEOUT;
}

const char *ff_backend_label(const struct ff_engine *engine) {
  return ff_word(FF_WORD_backend, (int)engine_traits(engine->engine)->backend);
}

const char *ff_durability(const struct ff_engine *engine) {
  return engine_traits(engine->engine)->durability;
}

const char *ff_version(void) { return "0.1.0"; }
