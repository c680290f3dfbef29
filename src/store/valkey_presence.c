/*
 * Who is at work on a deployment: connections carry names, and the server lists them.
 *
 * An engine's writers are named after the deployment and their store, and look for a guard; a guard
 * is named first and looks for engines then. Whoever comes second sees the other, and a name is gone
 * with its connection.
 */
#include "store/valkey_impl.h"

#include <unistd.h>

enum role { ROLE_ENGINE, ROLE_GUARD };

static void name_of(const struct valkey_store *s, enum role role, char out[64]) {
  static const char *const roles[] = {"engine", "guard"};
  char place[VALKEY_PREFIX_MAX + 16];
  int n = snprintf(place, sizeof place, "%u/%s", s->target.database, s->target.prefix);
  snprintf(out, 64, "ff_%s_%016llx_", roles[role],
           (unsigned long long)hash_fnv1a64(place, (size_t)n));
}

/* Is a connection of that role there that is not this store's own? */
static bool is_there(const struct valkey_store *s, enum role role, struct ff_str list) {
  char name[64], own[32], wanted[96];
  name_of(s, role, name);
  snprintf(wanted, sizeof wanted, " name=%s", name);
  snprintf(own, sizeof own, "%016llx ", (unsigned long long)s->token);
  for (const char *p = list.ptr; (p = strstr(p, wanted)) != NULL;) {
    p += strlen(wanted);
    if (strncmp(p, own, strlen(own)) != 0) return true;
  }
  return false;
}

/* Names the connection, then looks who of the other role is there. */
static enum ff_rc enter(struct valkey_store *s, struct valkey_wire *w, enum role role, bool *other,
                        struct ff_error *e) {
  char name[64], full[96];
  struct buffer request;
  struct arena arena;
  const struct valkey_reply *replies[2];
  name_of(s, role, name);
  snprintf(full, sizeof full, "%s%016llx", name, (unsigned long long)s->token);
  buffer_init(&request);
  arena_init(&arena);
  valkey_command(&request, "CLIENT", "SETNAME", full, NULL);
  valkey_command(&request, "CLIENT", "LIST", "TYPE", "normal", NULL);
  enum ff_rc rc = valkey_ask(s, w, &request, &arena, replies, 2, "look who is at work", e);
  if (!rc && replies[1]->type != VALKEY_STRING) rc = valkey_strange(s, "look who is at work", e);
  if (!rc) *other = is_there(s, role == ROLE_ENGINE ? ROLE_GUARD : ROLE_ENGINE, replies[1]->text);
  buffer_fini(&request);
  arena_fini(&arena);
  return rc;
}

enum ff_rc valkey_enter(struct valkey_store *s, struct valkey_wire *w, struct ff_error *e) {
  bool guarded = false;
  if (s->visitor) return FF_OK;
  enum ff_rc rc = enter(s, w, ROLE_ENGINE, &guarded, e);
  if (rc || !guarded) return rc;
  return error_set(e, FF_CODE_store_busy,
                   "%s: the store is being moved, saved or restored; wait until that has ended",
                   s->target.shown);
}

/* A connection that was just closed may still be there for a moment. */
enum ff_rc valkey_others(struct store *store, bool *any, struct ff_error *e) {
  struct valkey_store *s = valkey_store_of(store);
  enum ff_rc rc = FF_OK;
  *any = true;
  if (s->guard && !valkey_wire_alive(s->guard)) {
    valkey_wire_close(s->guard);
    s->guard = NULL;
  }
  if (!s->guard) rc = valkey_connect(s, &s->guard, e);
  for (int i = 0; i < 20 && !rc && *any; i++) {
    if (i) usleep(25000);
    rc = enter(s, s->guard, ROLE_GUARD, any, e);
  }
  if (!rc && !*any) return FF_OK;
  valkey_wire_close(s->guard); /* who is at work may connect again */
  s->guard = NULL;
  return rc;
}
