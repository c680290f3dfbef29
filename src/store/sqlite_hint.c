/*
 * Hints between the stores that one process has open on one file.
 *
 * Other processes hear nothing: they find changes by scanning. Listeners are called under the
 * registry lock and only set flags.
 */
#include "store/sqlite_impl.h"

#include <stdlib.h>

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sqlite_store *registry;

void sqlite_registry_add(struct sqlite_store *s) {
  pthread_mutex_lock(&registry_lock);
  s->next_open = registry;
  registry = s;
  pthread_mutex_unlock(&registry_lock);
}

void sqlite_registry_remove(struct sqlite_store *s) {
  pthread_mutex_lock(&registry_lock);
  for (struct sqlite_store **p = &registry; *p; p = &(*p)->next_open)
    if (*p == s) {
      *p = s->next_open;
      break;
    }
  while (s->listeners) {
    struct sqlite_listener *l = s->listeners;
    s->listeners = l->next;
    free(l);
  }
  pthread_mutex_unlock(&registry_lock);
}

enum ff_rc sqlite_listen(struct store *store, store_hint_fn fn, void *user, struct ff_error *e) {
  (void)e;
  struct sqlite_store *s = sqlite_store_of(store);
  struct sqlite_listener *l = heap_alloc(sizeof *l);
  pthread_mutex_lock(&registry_lock);
  *l = (struct sqlite_listener){s->listeners, fn, user};
  s->listeners = l;
  pthread_mutex_unlock(&registry_lock);
  return FF_OK;
}

void sqlite_unlisten(struct store *store, void *user) {
  struct sqlite_store *s = sqlite_store_of(store);
  pthread_mutex_lock(&registry_lock);
  for (struct sqlite_listener **p = &s->listeners; *p;) {
    struct sqlite_listener *l = *p;
    if (l->user == user) {
      *p = l->next;
      free(l);
    } else {
      p = &l->next;
    }
  }
  pthread_mutex_unlock(&registry_lock);
}

void sqlite_notify(struct store *store, const void *sender_user, const struct store_hint *hints,
                   uint32_t count) {
  struct sqlite_store *sender = sqlite_store_of(store);
  pthread_mutex_lock(&registry_lock);
  for (struct sqlite_store *s = registry; s; s = s->next_open) {
    if (s != sender && strcmp(s->name, sender->name) != 0) continue;
    for (struct sqlite_listener *l = s->listeners; l; l = l->next)
      for (uint32_t i = 0; l->user != sender_user && i < count; i++) l->fn(l->user, &hints[i]);
  }
  pthread_mutex_unlock(&registry_lock);
}
