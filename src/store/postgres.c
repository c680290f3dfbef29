/*
 * The PostgreSQL store as a module: opening, sessions, and its vtable.
 *
 * Opening connects once and looks at what the server is before anything is promised; that connection
 * serves the migration and then the first session.
 */
#include "store/module.h"
#include "store/postgres_impl.h"

#include <stdlib.h>

/* The server's time when no clock was given. Never goes back, whatever the clock behind it does (02
 * L-3). */
int64_t postgres_now(struct postgres_store *s, int64_t server_ms) {
  int64_t now = s->clock_ms ? s->clock_ms(s->clock_user) : server_ms;
  int64_t last = atomic_load(&s->last_now);
  while (now > last)
    if (atomic_compare_exchange_weak(&s->last_now, &last, now)) return now;
  return last;
}

static void session_close(struct store_session *session) {
  struct postgres_session *c = postgres_session_of(session);
  if (!c) return;
  postgres_session_drop(c); /* the server ends what was open */
  for (size_t i = 0; i < ARRAY_LEN(c->out); i++) buffer_fini(&c->out[i]);
  arena_fini(&c->scratch);
  free(c);
}

static enum ff_rc session_open(struct store *store, enum store_session_kind kind,
                               struct store_session **out, struct ff_error *e) {
  struct postgres_store *s = postgres_store_of(store);
  if (kind == STORE_WRITER && s->target.read_only)
    return error_set(e, FF_CODE_store_read_only, "%s is open read-only (mode=ro)",
                     s->target.shown);
  struct postgres_session *c = heap_zalloc(sizeof *c);
  c->store = s;
  c->writer = kind == STORE_WRITER;
  arena_init(&c->scratch);
  for (size_t i = 0; i < ARRAY_LEN(c->out); i++) buffer_init(&c->out[i]);
  enum ff_rc rc = postgres_session_ready(c, e);
  if (rc) session_close((struct store_session *)c);
  else *out = (struct store_session *)c;
  return rc;
}

static enum ff_rc migrate(struct store *store, bool *applied, struct ff_error *e) {
  struct postgres_store *s = postgres_store_of(store);
  pthread_mutex_lock(&s->spare_lock);
  enum ff_rc rc = FF_OK;
  if (!s->spare || !postgres_alive(s->spare)) {
    PQfinish(s->spare);
    rc = postgres_connect(s, &s->spare, e);
  }
  if (!rc) rc = postgres_schema_migrate(s, s->spare, applied, e);
  pthread_mutex_unlock(&s->spare_lock);
  return rc;
}

static void idle(struct store_session *session, bool *more) {
  (void)session;
  *more = false;
}

static void close_store(struct store *store) {
  struct postgres_store *s = postgres_store_of(store);
  hints_free(s->hints);
  PQfinish(s->spare);
  PQfinish(s->guard);
  pthread_mutex_destroy(&s->spare_lock);
  postgres_target_fini(&s->target);
  free(s);
}

static const struct store_vtable vtable = {
    .close = close_store,
    .migrate = migrate,
    .session_open = session_open,
    .session_close = session_close,
    .fetch = postgres_fetch,
    .apply = postgres_apply,
    .read_log = postgres_read_log,
    .trim_log = postgres_trim_log,
    .restore_log = postgres_restore_log,
    .others = postgres_others,
    .idle = idle,
    .listen = postgres_listen,
    .unlisten = postgres_unlisten,
    .notify = postgres_notify,
};

static enum ff_rc open_store(struct ff_str url, const struct store_options *options,
                             struct store **out, struct ff_error *e) {
  struct postgres_target target;
  enum ff_rc rc = postgres_target_parse(url, &target, e);
  if (rc) return rc;
  struct postgres_store *s = heap_zalloc(sizeof *s);
  s->base.vtable = &vtable;
  s->base.traits = (struct store_traits){.backend = FF_backend_postgres,
                                         .writers = target.writers,
                                         .one_domain = true,
                                         .shared = true};
  s->target = target;
  s->clock_ms = options->clock_ms;
  s->clock_user = options->clock_user;
  s->dev_mode = options->dev_mode;
  s->visitor = options->visitor;
  s->fingerprint = postgres_schema_fingerprint(s->target.schema);
  pthread_mutex_init(&s->spare_lock, NULL);
  s->hints = hints_new(&s->base, &postgres_hints_link, s->target.shown, s->target.schema);
  rc = postgres_connect(s, &s->spare, e);
  if (!rc) rc = postgres_look(s, s->spare, e);
  if (rc) close_store(&s->base);
  else *out = &s->base;
  return rc;
}

STORE_MODULE(open_store);
