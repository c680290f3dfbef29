/*
 * The Valkey store as a module, for Valkey and Redis: opening, sessions, and its vtable.
 *
 * Opening connects once and looks at what the server is before anything is promised.
 */
#include "store/module.h"
#include "store/valkey_impl.h"

#include <stdlib.h>

/* The server's time when no clock was given. Never goes back, whatever the clock behind it does (02
 * L-3). */
int64_t valkey_now(struct valkey_store *s, int64_t server_ms) {
  int64_t now = s->clock_ms ? s->clock_ms(s->clock_user) : server_ms;
  int64_t last = atomic_load(&s->last_now);
  while (now > last)
    if (atomic_compare_exchange_weak(&s->last_now, &last, now)) return now;
  return last;
}

void valkey_warn(const struct valkey_store *s, const char *text) {
  if (s->warn) s->warn(s->warn_user, text);
}

void valkey_saw(struct valkey_store *s, uint64_t last_event) {
  uint64_t known = atomic_load(&s->last_event);
  while (known < last_event)
    if (atomic_compare_exchange_weak(&s->last_event, &known, last_event)) return;
}

static void words_init(struct valkey_words *w) {
  buffer_init(&w->text);
  w->count = 0;
}

static void session_close(struct store_session *session) {
  struct valkey_session *c = valkey_session_of(session);
  if (!c) return;
  valkey_session_drop(c);
  arena_fini(&c->replies);
  arena_fini(&c->scratch);
  valkey_rows_fini(&c->rows);
  struct buffer *buffers[] = {&c->request, &c->body, &c->low, &c->high, &c->words.text};
  for (size_t i = 0; i < ARRAY_LEN(buffers); i++) buffer_fini(buffers[i]);
  for (unsigned i = 0; i < INDEX_COUNT; i++) {
    buffer_fini(&c->adds[i].text);
    buffer_fini(&c->removes[i].text);
  }
  free(c);
}

static enum ff_rc session_open(struct store *store, enum store_session_kind kind,
                               struct store_session **out, struct ff_error *e) {
  struct valkey_store *s = valkey_store_of(store);
  if (kind == STORE_WRITER && s->target.read_only)
    return error_set(e, FF_CODE_store_read_only, "%s is open read-only (mode=ro)",
                     s->target.shown);
  struct valkey_session *c = heap_zalloc(sizeof *c);
  c->store = s;
  c->writer = kind == STORE_WRITER;
  arena_init(&c->replies);
  arena_init(&c->scratch);
  valkey_rows_init(&c->rows);
  struct buffer *buffers[] = {&c->request, &c->body, &c->low, &c->high};
  for (size_t i = 0; i < ARRAY_LEN(buffers); i++) buffer_init(buffers[i]);
  words_init(&c->words);
  for (unsigned i = 0; i < INDEX_COUNT; i++) {
    words_init(&c->adds[i]);
    words_init(&c->removes[i]);
  }
  enum ff_rc rc = valkey_session_ready(c, e);
  if (rc) session_close((struct store_session *)c);
  else *out = (struct store_session *)c;
  return rc;
}

static enum ff_rc migrate(struct store *store, bool *applied, struct ff_error *e) {
  struct valkey_store *s = valkey_store_of(store);
  struct valkey_wire *w;
  enum ff_rc rc = valkey_connect(s, &w, e);
  if (!rc) rc = valkey_schema_migrate(s, w, applied, e);
  valkey_wire_close(w);
  return rc;
}

static void idle(struct store_session *session, bool *more) {
  (void)session;
  *more = false;
}

static void close_store(struct store *store) {
  struct valkey_store *s = valkey_store_of(store);
  hints_free(s->hints);
  valkey_wire_close(s->guard);
  valkey_names_fini(&s->names);
  pthread_mutex_destroy(&s->schema_lock);
  pthread_mutex_destroy(&s->route.lock);
  memset(s->target.password, 0, sizeof s->target.password);
  free(s);
}

static const struct store_vtable vtable = {
    .close = close_store,
    .migrate = migrate,
    .session_open = session_open,
    .session_close = session_close,
    .fetch = valkey_fetch,
    .apply = valkey_apply,
    .read_log = valkey_read_log,
    .trim_log = valkey_trim_log,
    .restore_log = valkey_restore_log,
    .others = valkey_others,
    .idle = idle,
    .listen = valkey_listen,
    .unlisten = valkey_unlisten,
    .notify = valkey_notify,
};

static enum ff_rc look(struct valkey_store *s, struct ff_error *e) {
  struct valkey_wire *w;
  enum ff_rc rc = valkey_connect(s, &w, e);
  if (!rc) rc = valkey_look(s, w, e);
  if (!rc && s->cluster) { /* the URL may name any node of it */
    valkey_wire_close(w);
    rc = valkey_connect(s, &w, e);
    if (!rc) rc = valkey_look(s, w, e);
  }
  if (!rc) rc = valkey_library_load(s, w, e);
  valkey_wire_close(w);
  return rc;
}

static enum ff_rc open_store(struct ff_str url, const struct store_options *options,
                             struct store **out, struct ff_error *e) {
  struct valkey_target target;
  enum ff_rc rc = valkey_target_parse(url, &target, e);
  if (rc) return rc;
  struct valkey_store *s = heap_zalloc(sizeof *s);
  s->base.vtable = &vtable;
  s->base.traits = (struct store_traits){.backend = FF_backend_valkey,
                                         .writers = target.writers,
                                         .one_domain = true,
                                         .shared = true};
  s->target = target;
  s->clock_ms = options->clock_ms;
  s->clock_user = options->clock_user;
  s->visitor = options->visitor;
  s->token = random_u64();
  s->warn = options->warn;
  s->warn_user = options->warn_user;
  atomic_init(&s->last_now, INT64_MIN);
  pthread_mutex_init(&s->schema_lock, NULL);
  pthread_mutex_init(&s->route.lock, NULL);
  valkey_names_init(&s->names, s->target.prefix);
  s->hints = hints_new(&s->base, &valkey_hints_link, s->target.shown, s->target.prefix);
  rc = look(s, e);
  if (rc) close_store(&s->base);
  else *out = &s->base;
  return rc;
}

STORE_MODULE(open_store);
