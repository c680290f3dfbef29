/*
 * The memory store: opening and sharing by name, the clock, sessions, faults and hints. Rows are in
 * memory_rows.c, reads in memory_read.c, the event log in memory_log.c.
 *
 * Nothing survives the last close. No lock is held between a fetch and its apply: rivals may act in
 * between, and versions decide.
 */
#include "store/memory_impl.h"

#include "base/error.h"

#include <stdlib.h>

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct memory_data *registry;

/* ---- shared data ---- */

/* Readers that never pause must not keep the writer out, as they may by default. */
static void lock_init(pthread_rwlock_t *lock) {
  pthread_rwlockattr_t fair;
  pthread_rwlockattr_init(&fair);
  pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  INVARIANT(pthread_rwlock_init(lock, &fair) == 0);
  pthread_rwlockattr_destroy(&fair);
}

static struct memory_data *data_new(struct ff_str name) {
  struct memory_data *d = heap_zalloc(sizeof *d);
  d->name = heap_alloc(name.len + 1);
  if (name.len) memcpy(d->name, name.ptr, name.len);
  d->name_len = name.len;
  atomic_init(&d->last_now, INT64_MIN);
  lock_init(&d->lock);
  INVARIANT(pthread_mutex_init(&d->listener_lock, NULL) == 0);
  slab_init(&d->slab);
  memory_rows_init(d);
  memory_log_init(d);
  return d;
}

static void data_free(struct memory_data *d) {
  memory_log_fini(d);
  memory_rows_fini(d);
  slab_fini(&d->slab);
  pthread_rwlock_destroy(&d->lock);
  pthread_mutex_destroy(&d->listener_lock);
  free(d->listeners);
  free(d->name);
  free(d);
}

static struct memory_data *data_take(struct ff_str name, bool visitor) {
  pthread_mutex_lock(&registry_lock);
  struct memory_data *d = registry;
  while (d && !text_equal(name, text_of(d->name, d->name_len))) d = d->next;
  if (!d) {
    d = data_new(name);
    d->next = registry;
    registry = d;
  }
  d->openers++;
  d->engines += !visitor;
  pthread_mutex_unlock(&registry_lock);
  return d;
}

static void data_give(struct memory_data *d, bool visitor) {
  pthread_mutex_lock(&registry_lock);
  d->engines -= !visitor;
  bool last = --d->openers == 0;
  if (last) {
    struct memory_data **at = &registry;
    while (*at != d) at = &(*at)->next;
    *at = d->next;
  }
  pthread_mutex_unlock(&registry_lock);
  if (last) data_free(d);
}

static struct memory_store *memory_of(struct store *s) { return (struct memory_store *)s; }
static struct memory_session *session_of(struct store_session *s) {
  return (struct memory_session *)s;
}

/* The store's clock never goes back, whatever the clock behind it does. */
static int64_t store_now(const struct memory_store *m) {
  int64_t now = m->faults.now_ms ? m->faults.now_ms(m->faults.user)
                : m->clock_ms    ? m->clock_ms(m->clock_user)
                                 : clock_wall_ms();
  int64_t last = atomic_load(&m->data->last_now);
  while (now > last)
    if (atomic_compare_exchange_weak(&m->data->last_now, &last, now)) return now;
  return last;
}

/* ---- the vtable ---- */

static void memory_unlisten_all(struct memory_store *m);

static void memory_close(struct store *s) {
  struct memory_store *m = memory_of(s);
  INVARIANT(atomic_load(&m->sessions) == 0);
  memory_unlisten_all(m);
  data_give(m->data, m->visitor);
  free(m);
}

static enum ff_rc memory_migrate(struct store *s, bool *applied, struct ff_error *e) {
  (void)s;
  (void)e;
  *applied = false;
  return FF_OK;
}

static enum ff_rc memory_session_open(struct store *s, enum store_session_kind kind,
                                      struct store_session **out, struct ff_error *e) {
  (void)e;
  struct memory_session *session = heap_alloc(sizeof *session);
  *session = (struct memory_session){.store = memory_of(s), .kind = kind};
  atomic_fetch_add(&session->store->sessions, 1);
  *out = (struct store_session *)session;
  return FF_OK;
}

static void memory_session_close(struct store_session *s) {
  atomic_fetch_sub(&session_of(s)->store->sessions, 1);
  free(s);
}

static enum ff_rc memory_fetch(struct store_session *session, struct arena *arena,
                               struct store_get *gets, uint32_t get_count, struct store_scan *scans,
                               uint32_t scan_count, int64_t *now, struct ff_error *e) {
  struct memory_store *m = session_of(session)->store;
  struct memory_data *d = m->data;
  if (m->faults.before_fetch) {
    enum ff_rc rc = m->faults.before_fetch(m->faults.user, e);
    if (rc != FF_OK) return rc;
  }
  pthread_rwlock_rdlock(&d->lock);
  *now = store_now(m);
  enum ff_rc rc = FF_OK;
  for (uint32_t i = 0; i < get_count; i++) memory_get(m, &gets[i], arena);
  for (uint32_t i = 0; i < scan_count && !rc; i++) rc = memory_scan(m, &scans[i], arena, e);
  pthread_rwlock_unlock(&d->lock);
  return rc;
}

static bool apply_one(struct memory_store *m, const struct store_group *g) {
  if (g->valid_until != INT64_MAX && store_now(m) >= g->valid_until) return false;
  return memory_group_apply(m->data, g);
}

/* The hook runs outside the lock: it may look at the store. */
static enum store_outcome apply_faulty(struct memory_store *m, const struct store_group *g) {
  bool really_apply = false;
  enum store_outcome outcome = m->faults.group(m->faults.user, g, &really_apply);
  if (outcome == STORE_CONFLICT || (outcome == STORE_UNKNOWN && !really_apply)) return outcome;
  pthread_rwlock_wrlock(&m->data->lock);
  bool applied = apply_one(m, g);
  pthread_rwlock_unlock(&m->data->lock);
  return outcome == STORE_UNKNOWN ? STORE_UNKNOWN : applied ? STORE_APPLIED : STORE_CONFLICT;
}

static enum ff_rc memory_apply(struct store_session *session, struct store_group *groups,
                               uint32_t group_count, struct ff_error *e) {
  struct memory_store *m = session_of(session)->store;
  INVARIANT(session_of(session)->kind == STORE_WRITER);
  if (group_count == 0) return FF_OK;
  if (m->faults.before_apply) {
    enum ff_rc rc = m->faults.before_apply(m->faults.user, e);
    if (rc != FF_OK) return rc;
  }
  if (m->faults.group) {
    for (uint32_t i = 0; i < group_count; i++) groups[i].outcome = apply_faulty(m, &groups[i]);
    return FF_OK;
  }
  pthread_rwlock_wrlock(&m->data->lock);
  for (uint32_t i = 0; i < group_count; i++)
    groups[i].outcome = apply_one(m, &groups[i]) ? STORE_APPLIED : STORE_CONFLICT;
  pthread_rwlock_unlock(&m->data->lock);
  return FF_OK;
}

static enum ff_rc memory_others(struct store *s, bool *any, struct ff_error *e) {
  (void)e;
  struct memory_store *m = memory_of(s);
  pthread_mutex_lock(&registry_lock);
  *any = m->data->engines > !m->visitor;
  pthread_mutex_unlock(&registry_lock);
  return FF_OK;
}

static void memory_idle(struct store_session *s, bool *more) {
  (void)s;
  *more = false;
}

/* ---- hints ---- */

static enum ff_rc memory_listen(struct store *s, store_hint_fn fn, void *user, struct ff_error *e) {
  (void)e;
  struct memory_data *d = memory_of(s)->data;
  pthread_mutex_lock(&d->listener_lock);
  d->listeners = heap_realloc(d->listeners, (d->listener_count + 1) * sizeof *d->listeners);
  d->listeners[d->listener_count++] = (struct memory_listener){s, fn, user};
  pthread_mutex_unlock(&d->listener_lock);
  return FF_OK;
}

/* After it returns no hint is under way to that listener. */
static void listeners_drop(struct memory_data *d, const struct store *s, const void *user,
                           bool all) {
  pthread_mutex_lock(&d->listener_lock);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < d->listener_count; i++)
    if (d->listeners[i].store != s || !(all || d->listeners[i].user == user))
      d->listeners[kept++] = d->listeners[i];
  d->listener_count = kept;
  pthread_mutex_unlock(&d->listener_lock);
}

static void memory_unlisten(struct store *s, void *user) {
  listeners_drop(memory_of(s)->data, s, user, false);
}
static void memory_unlisten_all(struct memory_store *m) {
  listeners_drop(m->data, &m->store, NULL, true);
}

static void memory_notify(struct store *s, const void *sender_user, const struct store_hint *hints,
                          uint32_t count) {
  struct memory_data *d = memory_of(s)->data;
  pthread_mutex_lock(&d->listener_lock);
  for (uint32_t i = 0; i < d->listener_count; i++)
    for (uint32_t h = 0; h < count && d->listeners[i].user != sender_user; h++)
      d->listeners[i].fn(d->listeners[i].user, &hints[h]);
  pthread_mutex_unlock(&d->listener_lock);
}

static const struct store_vtable memory_vtable = {
    .close = memory_close,
    .migrate = memory_migrate,
    .session_open = memory_session_open,
    .session_close = memory_session_close,
    .fetch = memory_fetch,
    .apply = memory_apply,
    .read_log = memory_read_log,
    .trim_log = memory_trim_log,
    .restore_log = memory_restore_log,
    .others = memory_others,
    .idle = memory_idle,
    .listen = memory_listen,
    .unlisten = memory_unlisten,
    .notify = memory_notify,
};

enum ff_rc store_memory_open(struct ff_str name, const struct store_options *options,
                             struct store **out, struct ff_error *e) {
  const char *question = name.len ? memchr(name.ptr, '?', name.len) : NULL;
  *out = NULL;
  if (question)
    return error_field(e, FF_CODE_config, "url", "a memory: URL takes no parameters (got `%.*s`)",
                       (int)(name.len - (size_t)(question - name.ptr)) < 64
                           ? (int)(name.len - (size_t)(question - name.ptr))
                           : 64,
                       question);
  struct memory_store *m = heap_zalloc(sizeof *m);
  m->store.vtable = &memory_vtable;
  m->store.traits = (struct store_traits){.backend = FF_backend_memory,
                                          .writers = 1,
                                          .shared = true, /* by name */
                                          .durable = false,
                                          .durability = "none (memory)",
                                          .version = "built in"};
  m->clock_ms = options->clock_ms;
  m->clock_user = options->clock_user;
  if (options->faults) m->faults = *options->faults;
  m->store.traits.one_domain = !m->faults.tag_groups;
  m->store.traits.shared = !m->faults.one_owner;
  m->visitor = options->visitor;
  m->data = data_take(name, m->visitor);
  *out = &m->store;
  return FF_OK;
}
