/*
 * Finding and loading a store's module.
 *
 * A module stays loaded until the process ends: client libraries do not survive being unloaded.
 */
#define _GNU_SOURCE /* dladdr, secure_getenv */
#include "store/module.h"

#include "base/error.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* Where modules are installed, and the way there from the folder of programs. */
#ifndef FF_MODULE_INSTALLED
#define FF_MODULE_INSTALLED "/usr/local/lib/flowfabric"
#endif
#ifndef FF_MODULE_FROM_BIN
#define FF_MODULE_FROM_BIN "../lib/flowfabric"
#endif

struct loaded {
  struct loaded *next;
  const char *name;
  const struct store_module *module;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct loaded *all;

/* ---- where to look ---- */

struct search {
  const char *name;
  char path[PATH_MAX + 128]; /* the file that is there */
  char looked[600];          /* the folders, for the error */
};

static bool look_in(struct search *s, const char *folder, const char *below) {
  size_t used = strlen(s->looked);
  snprintf(s->looked + used, sizeof s->looked - used, "%s%s%s%s", used ? ", " : "", folder,
           *below ? "/" : "", below);
  snprintf(s->path, sizeof s->path, "%s%s%s/flowfabric-%s.so", folder, *below ? "/" : "", below,
           s->name);
  return access(s->path, F_OK) == 0;
}

/* Beside a file of ours and where its package keeps modules. A relative name proves nothing. */
static bool look_beside(struct search *s, char *file) {
  char *slash = strrchr(file, '/');
  if (file[0] != '/' || !slash) return false;
  *slash = '\0';
  return look_in(s, file, "") || look_in(s, file, "flowfabric") ||
         look_in(s, file, FF_MODULE_FROM_BIN);
}

static bool find(struct search *s) {
  const char *chosen = secure_getenv("FF_MODULE_DIR");
  if (chosen && *chosen) return look_in(s, chosen, "");
  char file[PATH_MAX];
  Dl_info here;
  if (dladdr(&all, &here) && here.dli_fname) {
    snprintf(file, sizeof file, "%s", here.dli_fname);
    if (look_beside(s, file)) return true;
  }
  ssize_t n = readlink("/proc/self/exe", file, sizeof file - 1);
  if (n > 0) {
    file[n] = '\0';
    if (look_beside(s, file)) return true;
  }
  return look_in(s, FF_MODULE_INSTALLED, "");
}

/* ---- loading ---- */

static enum ff_rc load(const struct store_module_name *n, const struct store_module **out,
                       struct ff_error *e) {
  struct search s = {.name = n->module};
  if (!find(&s))
    return error_set(e, FF_CODE_unavailable,
                     "the %s store is not installed: no flowfabric-%s.so in %s; install it or set "
                     "FF_MODULE_DIR to its folder",
                     n->product, n->module, s.looked);
  void *handle = dlopen(s.path, RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return error_set(e, FF_CODE_unavailable,
                     "the %s store cannot be loaded (it needs %s): %s", n->product, n->library,
                     dlerror());
  const struct store_module *module = dlsym(handle, STORE_MODULE_SYMBOL);
  if (!module || module->fingerprint() != store_module_fingerprint())
    return error_set(e, FF_CODE_unavailable,
                     "%s is of another build of FlowFabric: install the one that came with this "
                     "library",
                     s.path);
  *out = module;
  return FF_OK;
}

static enum ff_rc module_of(const struct store_module_name *n, const struct store_module **out,
                            struct ff_error *e) {
  pthread_mutex_lock(&lock);
  struct loaded *l = all;
  while (l && strcmp(l->name, n->module) != 0) l = l->next;
  enum ff_rc rc = FF_OK;
  if (l) {
    *out = l->module;
  } else if ((rc = load(n, out, e)) == FF_OK) {
    l = heap_alloc(sizeof *l);
    *l = (struct loaded){all, n->module, *out};
    all = l;
  }
  pthread_mutex_unlock(&lock);
  return rc;
}

enum ff_rc store_module_open(const struct store_module_name *n, struct ff_str url,
                             const struct store_options *options, struct store **out,
                             struct ff_error *e) {
  const struct store_module *module;
  enum ff_rc rc = module_of(n, &module, e);
  return rc ? rc : module->open(url, options, out, e);
}
