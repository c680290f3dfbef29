/*
 * ff_open and ff_close: URLs and defaults, and one engine per store in a process (01 CP-9).
 */
#include "api/api.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Guards the registry, never held while an engine is opened or closed: both may take long, and a
 * closing engine calls back programs that may open and close others. */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t registry_changed = PTHREAD_COND_INITIALIZER;
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
enum ff_rc api_default_url(char *url, size_t size, struct ff_error *error) {
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

/* The canonical path of a file, also of one that is not there yet, in a directory that is. */
static bool real_path(const char *path, char real[PATH_MAX]) {
  char directory[PATH_MAX];
  if (realpath(path, real)) return true;
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  if (errno != ENOENT || !*name) return false;
  snprintf(directory, sizeof directory, "%.*s", slash ? (int)(name - path) : 1, slash ? path : ".");
  if (!realpath(directory, real)) return false;
  size_t len = strlen(real);
  if (real[len - 1] != '/') real[len++] = '/';
  if (len + strlen(name) >= PATH_MAX) return false;
  memcpy(real + len, name, strlen(name) + 1);
  return true;
}

/* What two URLs of one store have in common: the canonical path, else the URL as it stands. */
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
  if (!memory && real_path(path, real))
    snprintf(key, size, "sqlite:%s%s", real, reads ? "?mode=ro" : "");
}

static bool in_callback(void) { return engine_in_callback() || client_in_callback(); }

static struct ff_engine *registry_find(const char *key) {
  struct ff_engine *e = registry;
  while (e && strcmp(e->key, key) != 0) e = e->next;
  return e;
}

static void registry_remove(struct ff_engine *e) {
  struct ff_engine **at = &registry;
  while (*at != e) at = &(*at)->next;
  *at = e->next;
  pthread_cond_broadcast(&registry_changed);
}

/* Registry lock held; given up while it opens. Who opens the same store meanwhile waits. */
static enum ff_rc open_new(const char *url, const char *key, const struct ff_open_options *options,
                           struct ff_engine **out, struct ff_error *error) {
  struct ff_engine *e = heap_zalloc(sizeof *e);
  struct engine_options inner = {.open = *options};
  snprintf(e->key, sizeof e->key, "%s", key);
  e->state = API_OPENING;
  e->next = registry;
  registry = e;
  pthread_mutex_unlock(&registry_lock);
  enum ff_rc rc = client_takes(ff_text(url))
                      ? client_open(ff_text(url), options, &e->client, error)
                      : engine_open(ff_text(url), &inner, &e->engine, error);
  pthread_mutex_lock(&registry_lock);
  if (rc != FF_OK) {
    registry_remove(e);
    free(e);
    return rc;
  }
  /* The file exists now: what was a dangling link has its canonical path. */
  canonical_key(url, e->key, sizeof e->key);
  e->state = API_OPEN;
  e->holders = 1;
  pthread_cond_broadcast(&registry_changed);
  *out = e;
  return FF_OK;
}

/* Registry lock held. The engine of the key once it is open, NULL in *held when there is none. */
static enum ff_rc await_open(const char *url, char *key, size_t size, struct ff_engine **held,
                             struct ff_error *error) {
  for (;;) {
    canonical_key(url, key, size);
    *held = registry_find(key);
    if (!*held || (*held)->state == API_OPEN) return FF_OK;
    /* The close may be waiting for this very callback. */
    if ((*held)->state == API_CLOSING && in_callback())
      return error_set(error, FF_CODE_store_busy,
                       "this process is closing the store; a callback cannot wait for that");
    pthread_cond_wait(&registry_changed, &registry_lock);
  }
}

/* 01 PT-4 for an engine that is open already. Its other options are those of the first open. */
static enum ff_rc check_partitions(const struct ff_engine *held, uint32_t wanted,
                                   struct ff_error *error) {
  if (held->client) return FF_OK; /* the server's affair */
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
    TRY(api_default_url(default_text, sizeof default_text, error));
    url = default_text;
  }
  if (strlen(url) >= sizeof key)
    return error_set(error, FF_CODE_config, "URL longer than %d bytes", PATH_MAX);
  struct ff_engine *held;
  pthread_mutex_lock(&registry_lock);
  enum ff_rc rc = await_open(url, key, sizeof key, &held, error);
  if (rc == FF_OK && !held)
    rc = open_new(url, key, &full, out, error);
  else if (rc == FF_OK)
    rc = check_partitions(held, full.flow_partitions, error);
  if (rc == FF_OK && held) {
    held->holders++;
    *out = held;
  }
  pthread_mutex_unlock(&registry_lock);
  return rc;
}

/* Unlinked only now: a racing open of the same file must not meet its lock still held. */
static void *close_last(void *user) {
  struct ff_engine *e = user;
  if (e->client) client_close(e->client);
  else engine_close(e->engine);
  pthread_mutex_lock(&registry_lock);
  registry_remove(e);
  pthread_mutex_unlock(&registry_lock);
  free(e);
  return NULL;
}

/* The thread of a callback cannot wait: its engine, or one that waits for its engine, may be the one
 * to close. Should there be no other thread to be had, the engine stays for the next open of its
 * store. */
static void close_behind(struct ff_engine *e) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, close_last, e) == 0) {
    pthread_detach(thread);
    return;
  }
  pthread_mutex_lock(&registry_lock);
  e->state = API_OPEN;
  pthread_cond_broadcast(&registry_changed);
  pthread_mutex_unlock(&registry_lock);
}

void ff_close(struct ff_engine *engine) {
  if (!engine) return;
  pthread_mutex_lock(&registry_lock);
  bool last = --engine->holders == 0;
  if (last) engine->state = API_CLOSING;
  pthread_mutex_unlock(&registry_lock);
  if (!last) return;
  if (in_callback())
    close_behind(engine);
  else
    (void)close_last(engine);
}

enum ff_rc ff_shutdown_prepare(struct ff_engine *engine, int64_t grace_ms, struct ff_error *error) {
  if (engine->client ? client_quiesce(engine->client, grace_ms)
                     : engine_quiesce(engine->engine, grace_ms))
    return FF_OK;
  (void)error_set(error, FF_CODE_timeout, "calls were still under way after %lld ms",
                  (long long)grace_ms);
  error_context(error, "op", "shutdown_prepare");
  return FF_TIMEOUT;
}

const char *ff_backend_label(const struct ff_engine *engine) {
  if (engine->client) return client_label(engine->client);
  return ff_word(FF_WORD_backend, (int)engine_traits(engine->engine)->backend);
}

const char *ff_durability(const struct ff_engine *engine) {
  return engine->client ? "the server's" : engine_traits(engine->engine)->durability;
}

const char *ff_version(void) { return "0.1.0"; }
