/*
 * What the server is and promises: its version, its role, whether it may drop keys, how durable it
 * is. Looked at once, when a store is opened.
 */
#include "store/valkey_impl.h"

#define VALKEY_MIN "7.2"
#define REDIS_MIN "7.0"

/* The value of `name:` in the text of INFO. */
static struct ff_str info(struct ff_str text, const char *name) {
  size_t n = strlen(name);
  while (text.len) {
    const char *end = memchr(text.ptr, '\n', text.len);
    struct ff_str line = text_of(text.ptr, end ? (size_t)(end - text.ptr) : text.len);
    text = text_of(line.ptr + line.len + (end != NULL), text.len - line.len - (end != NULL));
    if (line.len && line.ptr[line.len - 1] == '\r') line.len--;
    if (line.len > n && memcmp(line.ptr, name, n) == 0 && line.ptr[n] == ':')
      return text_of(line.ptr + n + 1, line.len - n - 1);
  }
  return text_of(NULL, 0);
}

/* major.minor as one number; -1 when it is none. */
static int version_number(struct ff_str version) {
  const char *dot = version.len ? memchr(version.ptr, '.', version.len) : NULL;
  uint64_t major, minor;
  if (!dot) return -1;
  struct ff_str rest = text_of(dot + 1, version.len - (size_t)(dot + 1 - version.ptr));
  size_t digits = 0;
  while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '9') digits++;
  if (!parse_u64(text_of(version.ptr, (size_t)(dot - version.ptr)), &major) ||
      !parse_u64(text_of(rest.ptr, digits), &minor) || major > 1000 || minor > 99)
    return -1;
  return (int)(major * 100 + minor);
}

static enum ff_rc look_at_version(struct valkey_store *s, struct ff_str text, struct ff_error *e) {
  struct ff_str version = info(text, "valkey_version");
  const char *product = "Valkey", *least = VALKEY_MIN;
  if (!version.ptr) {
    bool valkey = text_equal_c(info(text, "server_name"), "valkey");
    version = info(text, "redis_version");
    if (!valkey) product = "Redis", least = REDIS_MIN;
  }
  snprintf(s->base.traits.version, sizeof s->base.traits.version, "%s %.*s", product,
           version.len < 40 ? (int)version.len : 40, version.ptr ? version.ptr : "");
  if (version_number(version) >= version_number(ff_text(least))) return FF_OK;
  return error_set(e, FF_CODE_config, "%s: the server is %s; at least %s %s is needed",
                   s->target.shown, s->base.traits.version, product, least);
}

static enum ff_rc look_at_role(struct valkey_store *s, struct ff_str text, struct ff_error *e) {
  if (!text_equal_c(info(text, "role"), "slave") || s->target.read_only) return FF_OK;
  return error_set(e, FF_CODE_store_read_only,
                   "%s: the server is a replica; connect to the primary, or read with mode=ro",
                   s->target.shown);
}

static enum ff_rc look_at_memory(struct valkey_store *s, struct ff_str text, struct ff_error *e) {
  struct ff_str policy = info(text, "maxmemory_policy");
  if (policy.len < 7 || memcmp(policy.ptr, "allkeys", 7) != 0) return FF_OK;
  return error_set(e, FF_CODE_config,
                   "%s: maxmemory-policy %.*s lets the server drop our keys; set it to noeviction",
                   s->target.shown, (int)policy.len, policy.ptr);
}

/* ---- durability ---- */

static struct ff_str setting(const struct valkey_reply *r, uint32_t at) {
  const struct valkey_reply *value = valkey_item(r, at);
  return valkey_is(value, VALKEY_STRING, 0) ? value->text : text_of(NULL, 0);
}

/* With appendfsync no the server waits for a sync that never comes. */
static enum ff_rc look_at_wait(struct valkey_store *s, struct ff_str text, struct ff_str fsync,
                               struct ff_error *e) {
  if (!s->target.wait_aof) return FF_OK;
  const char *missing = NULL;
  if (version_number(info(text, "redis_version")) < 702) missing = "Redis 7.2 or Valkey";
  else if (!text_equal_c(info(text, "aof_enabled"), "1")) missing = "appendonly yes on the server";
  else if (text_equal_c(fsync, "no")) missing = "appendfsync everysec or always on the server";
  if (!missing) return FF_OK;
  return error_set(e, FF_CODE_config, "%s: wait=aof needs %s", s->target.shown, missing);
}

static const char *durability(const struct valkey_store *s, struct ff_str text,
                              struct ff_str fsync, struct ff_str save) {
  if (s->base.traits.durable) return "fsync (AOF)";
  if (!text_equal_c(info(text, "aof_enabled"), "1"))
    return save.len ? "none (snapshots alone)" : "none (no persistence)";
  if (text_equal_c(fsync, "everysec")) return "AOF synced every second";
  /* CONFIG may be closed to us: nobody says then how the log is synced. */
  return fsync.ptr ? "AOF synced by the system" : "AOF, sync unknown";
}

static void look_at_durability(struct valkey_store *s, struct ff_str text,
                               const struct valkey_reply *fsync, const struct valkey_reply *save) {
  struct store_traits *t = &s->base.traits;
  char replicas[32] = "", warning[700];
  bool aof = text_equal_c(info(text, "aof_enabled"), "1");
  t->durable = aof && (text_equal_c(setting(fsync, 1), "always") || s->target.wait_aof);
  if (s->target.wait_replicas)
    snprintf(replicas, sizeof replicas, " and %u replicas", s->target.wait_replicas);
  snprintf(t->durability, sizeof t->durability, "%s%s",
           durability(s, text, setting(fsync, 1), setting(save, 1)), replicas);
  if (t->durable || s->target.read_only) return;
  snprintf(warning, sizeof warning,
           "%s: durability is \"%s\": a crash of the server can lose acknowledged work; set "
           "appendonly yes and appendfsync always, or wait=aof in the URL",
           s->target.shown, t->durability);
  valkey_warn(s, warning);
}

static enum ff_rc look_closely(struct valkey_store *s, struct ff_str text,
                               const struct valkey_reply *const *replies, struct ff_error *e) {
  enum ff_rc rc = look_at_role(s, text, e);
  if (!rc) rc = look_at_memory(s, text, e);
  if (!rc) rc = look_at_wait(s, text, setting(replies[1], 1), e);
  if (!rc) look_at_durability(s, text, replies[1], replies[2]);
  return rc;
}

enum ff_rc valkey_look(struct valkey_store *s, struct valkey_wire *w, struct ff_error *e) {
  struct buffer request;
  struct arena arena;
  const struct valkey_reply *replies[3];
  buffer_init(&request);
  arena_init(&arena);
  valkey_command(&request, "INFO", NULL);
  valkey_command(&request, "CONFIG", "GET", "appendfsync", NULL);
  valkey_command(&request, "CONFIG", "GET", "save", NULL);
  enum ff_rc rc = FF_OK;
  bool lost = !valkey_wire_send(w, request.ptr, request.len);
  for (int i = 0; i < 3 && !lost; i++) lost = !(replies[i] = valkey_wire_receive(w, &arena));
  if (lost) rc = valkey_lost(s, w, "look at the server", e);
  else if (replies[0]->type == VALKEY_ERROR)
    rc = valkey_error(s, replies[0], "look at the server", e);
  struct ff_str text = rc ? text_of("", 0) : replies[0]->text;
  if (!rc) rc = look_at_version(s, text, e);
  if (!rc && !s->cluster && text_equal_c(info(text, "cluster_enabled"), "1")) {
    s->cluster = true; /* what else there is to see is at the node that serves the slot */
  } else if (!rc) {
    rc = look_closely(s, text, replies, e);
  }
  buffer_fini(&request);
  arena_fini(&arena);
  return rc;
}
