/*
 * Connections: let in, looked at, made again when lost.
 */
#include "store/valkey_impl.h"

#include <stdlib.h>
#include <unistd.h>

#define BACKOFF_MAX_MS 1000

enum ff_rc valkey_ask(struct valkey_store *s, struct valkey_wire *w, const struct buffer *request,
                      struct arena *arena, const struct valkey_reply **replies, uint32_t count,
                      const char *doing, struct ff_error *e) {
  if (!valkey_wire_send(w, request->ptr, request->len)) return valkey_lost(s, w, doing, e);
  enum ff_rc rc = FF_OK;
  for (uint32_t i = 0; i < count; i++) {
    replies[i] = valkey_wire_receive(w, arena);
    if (!replies[i]) return valkey_lost(s, w, doing, e);
    if (!rc && replies[i]->type == VALKEY_ERROR) rc = valkey_error(s, replies[i], doing, e);
  }
  return rc;
}

enum ff_rc valkey_connect_to(struct valkey_store *s, const struct valkey_node *node,
                             struct valkey_wire **out, struct ff_error *e) {
  const struct valkey_target *t = &s->target;
  struct buffer request;
  struct arena arena;
  const struct valkey_reply *replies[3];
  uint32_t count = 0;
  char database[16];
  snprintf(database, sizeof database, "%u", t->database);
  *out = NULL;
  enum ff_rc rc = valkey_wire_open(t, node, out, e);
  if (rc) return rc;
  buffer_init(&request);
  arena_init(&arena);
  if (t->password[0] && t->user[0]) {
    valkey_command(&request, "AUTH", t->user, t->password, NULL);
    count++;
  } else if (t->password[0]) {
    valkey_command(&request, "AUTH", t->password, NULL);
    count++;
  }
  if (t->database) {
    valkey_command(&request, "SELECT", database, NULL);
    count++;
  }
  valkey_command(&request, "PING", NULL);
  rc = valkey_ask(s, *out, &request, &arena, replies, count + 1, "connect", e);
  memset(request.ptr, 0, request.len); /* it held the password */
  buffer_fini(&request);
  arena_fini(&arena);
  if (!rc) return FF_OK;
  valkey_wire_close(*out);
  *out = NULL;
  return rc;
}

/* In a cluster the node may have gone: others know who has its place. */
enum ff_rc valkey_connect(struct valkey_store *s, struct valkey_wire **out, struct ff_error *e) {
  struct valkey_node node = {.port = s->target.port};
  *out = NULL;
  memcpy(node.host, s->target.host, sizeof node.host);
  if (!s->cluster) return valkey_connect_to(s, &node, out, e);
  enum ff_rc rc = FF_OK;
  for (int i = 0; i < 2; i++) {
    rc = valkey_route_find(s, &node, e);
    if (!rc) rc = valkey_connect_to(s, &node, out, e);
    if (!rc) return FF_OK;
    valkey_route_lost(s);
  }
  return rc;
}

/* ---- sessions ---- */

void valkey_session_drop(struct valkey_session *c) {
  valkey_wire_close(c->wire);
  c->wire = NULL;
}

/* A fail-over, or a restart, that lost writes: the log ends before what was acknowledged. Leases are
 * compared by their ids, so that nothing old is taken for new; an operator must know all the same. */
static enum ff_rc look_for_losses(struct valkey_store *s, struct valkey_wire *w,
                                  struct ff_error *e) {
  struct buffer request;
  struct arena arena;
  const struct valkey_reply *r;
  uint64_t last = 0, before = atomic_load(&s->last_event);
  char text[700];
  buffer_init(&request);
  arena_init(&arena);
  valkey_command(&request, "GET", s->names.fixed[VALKEY_LAST].ptr, NULL);
  enum ff_rc rc = valkey_ask(s, w, &request, &arena, &r, 1, "connect", e);
  if (!rc && valkey_is(r, VALKEY_STRING, 0) && !parse_u64(r->text, &last)) last = 0;
  buffer_fini(&request);
  arena_fini(&arena);
  if (rc || last >= before) return rc;
  snprintf(text, sizeof text,
           "%s: the server has lost acknowledged writes (its event log ends at %llu, this process "
           "has seen %llu): a fail-over or restart without the newest data",
           s->target.shown, (unsigned long long)last, (unsigned long long)before);
  if (atomic_compare_exchange_strong(&s->last_event, &before, last)) valkey_warn(s, text);
  return rc;
}

static enum ff_rc connect_session(struct valkey_session *c, struct ff_error *e) {
  enum ff_rc rc = valkey_connect(c->store, &c->wire, e);
  if (!rc) rc = look_for_losses(c->store, c->wire, e);
  if (!rc) rc = valkey_schema_check(c->store, c->wire, e);
  if (!rc && c->writer) rc = valkey_enter(c->store, c->wire, e);
  if (rc) valkey_session_drop(c);
  return rc;
}

enum ff_rc valkey_session_ready(struct valkey_session *c, struct ff_error *e) {
  if (c->wire) return FF_OK;
  int64_t wait = c->retry_at_us - clock_monotonic_us();
  if (wait > 0) usleep((useconds_t)wait);
  enum ff_rc rc = connect_session(c, e);
  if (!rc) {
    c->failures = 0;
    return rc;
  }
  int64_t pause = c->failures < 7 ? 10 << c->failures : BACKOFF_MAX_MS;
  c->failures++;
  c->retry_at_us = clock_monotonic_us() + pause * 1000;
  return rc;
}

static bool exchange(struct valkey_session *c, struct arena *arena,
                     const struct valkey_reply **replies, uint32_t count) {
  if (!valkey_wire_send(c->wire, c->request.ptr, c->request.len)) return false;
  for (uint32_t i = 0; i < count; i++) {
    replies[i] = valkey_wire_receive(c->wire, arena);
    if (!replies[i]) return false;
  }
  return true;
}

static const struct valkey_reply *first_error(const struct valkey_reply *const *replies,
                                              uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (replies[i]->type == VALKEY_ERROR) return replies[i];
  return NULL;
}

/* True: nothing was done, everything is to be sent again. */
static enum ff_rc mend(struct valkey_session *c, const struct valkey_reply *problem, bool *again,
                       struct ff_error *e) {
  bool reconnect;
  uint32_t pause_ms;
  *again = true;
  /* A server that lost or never had the functions has done nothing. */
  if (valkey_is_unloaded(problem)) return valkey_library_load(c->store, c->wire, e);
  *again = c->store->cluster &&
           valkey_route_redirected(c->store, problem, &reconnect, &pause_ms);
  if (!*again) return FF_OK;
  usleep(pause_ms * 1000);
  if (!reconnect) return FF_OK;
  valkey_session_drop(c);
  return valkey_session_ready(c, e);
}

#define MENDS_MAX 40
enum ff_rc valkey_session_call(struct valkey_session *c, struct arena *arena,
                               const struct valkey_reply **replies, uint32_t count, bool *sent,
                               bool *lost, struct ff_error *e) {
  for (int i = 0; i < MENDS_MAX; i++) {
    bool again = false;
    *sent = true;
    *lost = !exchange(c, arena, replies, count);
    const struct valkey_reply *problem = *lost ? NULL : first_error(replies, count);
    if (!problem) return FF_OK;
    enum ff_rc rc = mend(c, problem, &again, e);
    if (rc || !again) return rc;
  }
  return FF_OK; /* the error is the answer */
}
