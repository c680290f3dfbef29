/*
 * Hints (hints.h) by pub/sub: one connection that hears, one that tells, because who subscribes may
 * say nothing else. In a cluster by sharded pub/sub, in the slot of the deployment.
 */
#include "store/valkey_impl.h"

#include <stdlib.h>

struct link {
  struct valkey_store *store;
  struct valkey_wire *hears, *tells;
  struct arena arena; /* of the message under way */
};

static void disconnect(void *connection) {
  struct link *l = connection;
  valkey_wire_close(l->hears);
  valkey_wire_close(l->tells);
  arena_fini(&l->arena);
  free(l);
}

static void put(const struct valkey_store *s, struct buffer *request, const char *command,
                const char *channel, const char *payload) {
  char sharded[VALKEY_PREFIX_MAX + 64], verb[16];
  snprintf(sharded, sizeof sharded, "{%s}%s", s->target.prefix, channel);
  snprintf(verb, sizeof verb, "%s%s", s->cluster ? "S" : "", command);
  valkey_command(request, verb, s->cluster ? sharded : channel, payload, NULL);
}

static void *connect_hints(struct store *store, const char *channel) {
  struct valkey_store *s = valkey_store_of(store);
  struct link *l = heap_zalloc(sizeof *l);
  struct buffer request;
  const struct valkey_reply *r;
  struct ff_error ignored;
  l->store = s;
  arena_init(&l->arena);
  buffer_init(&request);
  put(s, &request, "SUBSCRIBE", channel, NULL);
  bool ok = valkey_connect(s, &l->hears, &ignored) == FF_OK &&
            valkey_ask(s, l->hears, &request, &l->arena, &r, 1, "listen", &ignored) == FF_OK;
  buffer_fini(&request);
  arena_reset(&l->arena);
  if (ok) return l;
  disconnect(l);
  return NULL;
}

static bool tell(void *connection, const char *channel, const char *payload) {
  struct link *l = connection;
  struct buffer request;
  struct arena arena;
  const struct valkey_reply *r;
  struct ff_error ignored;
  if (!l->tells && valkey_connect(l->store, &l->tells, &ignored) != FF_OK) return false;
  buffer_init(&request);
  arena_init(&arena);
  put(l->store, &request, "PUBLISH", channel, payload);
  bool ok = valkey_ask(l->store, l->tells, &request, &arena, &r, 1, "notify", &ignored) == FF_OK;
  buffer_fini(&request);
  arena_fini(&arena);
  return ok;
}

static bool receive(void *connection, void (*take)(void *user, const char *payload), void *user) {
  struct link *l = connection;
  for (;;) {
    const struct valkey_reply *r;
    if (!valkey_wire_poll(l->hears, &l->arena, &r)) return false;
    if (!r) return true;
    const struct valkey_reply *what = valkey_item(r, 0), *payload = valkey_item(r, 2);
    bool told = valkey_is(what, VALKEY_STRING, 0) &&
                (text_equal_c(what->text, "message") || text_equal_c(what->text, "smessage"));
    if (told && valkey_is(payload, VALKEY_STRING, 0)) take(user, payload->text.ptr);
    arena_reset(&l->arena);
  }
}

static int socket_of(void *connection) {
  return valkey_wire_socket(((struct link *)connection)->hears);
}

const struct hints_link valkey_hints_link = {connect_hints, tell, receive, socket_of, disconnect};

enum ff_rc valkey_listen(struct store *store, store_hint_fn fn, void *user, struct ff_error *e) {
  (void)e;
  hints_listen(valkey_store_of(store)->hints, fn, user);
  return FF_OK;
}

void valkey_unlisten(struct store *store, void *user) {
  hints_unlisten(valkey_store_of(store)->hints, user);
}

void valkey_notify(struct store *store, const void *sender_user, const struct store_hint *hints,
                   uint32_t count) {
  hints_notify(valkey_store_of(store)->hints, sender_user, hints, count);
}
