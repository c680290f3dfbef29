/*
 * Clusters: all keys of a deployment share one slot, so one node serves it. Who that is the cluster
 * is asked when it is not known, and by its redirections.
 *
 * While a slot moves from node to node the server refuses commands whose keys are on both: they are
 * sent again until it has moved. Nothing of a redirected command was done.
 */
#include "store/valkey_impl.h"

#define SLOTS 16384u
#define PAUSE_MS 50

static uint32_t slot_of(const struct valkey_store *s) {
  return hash_crc16_xmodem(s->target.prefix, strlen(s->target.prefix)) % SLOTS;
}

static bool take_node(const struct valkey_reply *r, const struct valkey_node *asked,
                      struct valkey_node *out) {
  const struct valkey_reply *host = valkey_item(r, 0), *port = valkey_item(r, 1);
  if (!valkey_is(port, VALKEY_INTEGER, 0) || port->integer < 1 || port->integer > 65535)
    return false;
  *out = (struct valkey_node){.port = (uint16_t)port->integer};
  /* A node that does not know its own name means the one it was asked by. */
  bool named = valkey_is(host, VALKEY_STRING, 0) && host->text.len &&
               !text_equal_c(host->text, "?") && host->text.len < sizeof out->host;
  if (named) memcpy(out->host, host->text.ptr, host->text.len);
  else memcpy(out->host, asked->host, sizeof out->host);
  return true;
}

static void remember_node(struct valkey_route *r, const struct valkey_node *node) {
  for (uint32_t i = 0; i < r->count; i++)
    if (r->nodes[i].port == node->port && strcmp(r->nodes[i].host, node->host) == 0) return;
  if (r->count < VALKEY_NODES_MAX) r->nodes[r->count++] = *node;
}

/* Entries of CLUSTER SLOTS: first slot, last slot, the primary, its replicas. */
static bool take_slots(struct valkey_store *s, const struct valkey_reply *slots,
                       const struct valkey_node *asked) {
  struct valkey_route *r = &s->route;
  uint32_t slot = slot_of(s);
  r->count = 0;
  for (uint32_t i = 0; valkey_is(slots, VALKEY_ARRAY, i + 1); i++) {
    const struct valkey_reply *entry = slots->items[i], *first = valkey_item(entry, 0),
                              *last = valkey_item(entry, 1);
    struct valkey_node node;
    if (!valkey_is(first, VALKEY_INTEGER, 0) || !valkey_is(last, VALKEY_INTEGER, 0)) continue;
    for (uint32_t k = 2; k < entry->count; k++) {
      if (!take_node(entry->items[k], asked, &node)) continue;
      remember_node(r, &node);
      if (k > 2 || slot < first->integer || slot > last->integer) continue;
      r->node = node;
      r->known = true;
    }
  }
  return r->known;
}

static enum ff_rc ask_node(struct valkey_store *s, const struct valkey_node *node,
                           struct ff_error *e) {
  struct valkey_wire *w;
  struct buffer request;
  struct arena arena;
  const struct valkey_reply *slots;
  enum ff_rc rc = valkey_connect_to(s, node, &w, e);
  if (rc) return rc;
  buffer_init(&request);
  arena_init(&arena);
  valkey_command(&request, "CLUSTER", "SLOTS", NULL);
  rc = valkey_ask(s, w, &request, &arena, &slots, 1, "look at the cluster", e);
  if (!rc && !take_slots(s, slots, node))
    rc = error_set(e, FF_CODE_transport, "%s: no node of the cluster serves slot %u of {%s}",
                   s->target.shown, slot_of(s), s->target.prefix);
  buffer_fini(&request);
  arena_fini(&arena);
  valkey_wire_close(w);
  return rc;
}

enum ff_rc valkey_route_find(struct valkey_store *s, struct valkey_node *out,
                             struct ff_error *e) {
  struct valkey_route *r = &s->route;
  struct valkey_node node = {.port = s->target.port}, nodes[VALKEY_NODES_MAX];
  enum ff_rc rc = FF_OK;
  memcpy(node.host, s->target.host, sizeof node.host);
  pthread_mutex_lock(&r->lock);
  if (!r->known) {
    uint32_t count = r->count;
    memcpy(nodes, r->nodes, sizeof nodes);
    rc = ask_node(s, &node, e);
    for (uint32_t i = 0; rc && i < count; i++) rc = ask_node(s, &nodes[i], e);
    if (rc) { /* nobody answered: the same are asked next time */
      memcpy(r->nodes, nodes, sizeof nodes);
      r->count = count;
    }
  }
  *out = r->node;
  pthread_mutex_unlock(&r->lock);
  return rc;
}

void valkey_route_lost(struct valkey_store *s) {
  pthread_mutex_lock(&s->route.lock);
  s->route.known = false;
  pthread_mutex_unlock(&s->route.lock);
}

bool valkey_route_redirected(struct valkey_store *s, const struct valkey_reply *r, bool *reconnect,
                             uint32_t *pause_ms) {
  *reconnect = valkey_error_is(r, "MOVED ");
  *pause_ms = *reconnect ? 0 : PAUSE_MS;
  if (*reconnect) valkey_route_lost(s); /* the map may have changed elsewhere too */
  /* The slot is on its way: this node has some of the keys, or none any more. */
  return *reconnect || valkey_error_is(r, "ASK ") || valkey_error_is(r, "TRYAGAIN") ||
         valkey_error_is(r, "CLUSTERDOWN");
}
