/*
 * What a cascade leaves for another transaction: backlog records, written in the transaction that
 * owes the work (04 FK-1, FS-5).
 */
#include "op/cascade_impl.h"

/* ---- lists of siblings ---- */

enum { ID_CHARS = 36 };

static struct ff_str siblings_encode(struct arena *arena, const struct uuid *ids, uint32_t count) {
  char *text = arena_alloc(arena, (size_t)count * (ID_CHARS + 1) + 1);
  for (uint32_t i = 0; i < count; i++) {
    uuid_format(ids[i], text + (size_t)i * (ID_CHARS + 1));
    text[(size_t)(i + 1) * (ID_CHARS + 1) - 1] = ',';
  }
  return text_of(text, (size_t)count * (ID_CHARS + 1) - 1);
}

bool siblings_decode(struct arena *arena, struct ff_str text, const struct uuid **ids,
                     uint32_t *count) {
  *count = (uint32_t)((text.len + 1) / (ID_CHARS + 1));
  struct uuid *out = ARENA_ARRAY(arena, struct uuid, *count + 1);
  *ids = out;
  if (text.len == 0) return true;
  if ((text.len + 1) % (ID_CHARS + 1)) return false;
  for (uint32_t i = 0; i < *count; i++)
    if (!uuid_parse(text_of(text.ptr + (size_t)i * (ID_CHARS + 1), ID_CHARS), &out[i]))
      return false;
  return true;
}

/* ---- what is left ---- */

bool cascade_done(const struct cascade *c, uint32_t n) {
  const struct cascade_work *w = &c->work[n];
  if (w->unknown) return false;
  if (w->kind == WORK_SIBLINGS) return w->next == w->count;
  for (uint32_t i = w->next; i < w->count; i++)
    if (edge_is_open(w->edges[i])) return false;
  return true;
}

static enum ff_rc get_backlog(struct cascade *c, const struct cascade_work *w,
                              const struct cascade_backlog **out) {
  struct cascade_backlog key = {
      .partition = c->id.partition, .flow_id = c->id.uuid, .execution_id = w->id};
  return tx_get_cascade_backlog(c->tx, &key, out);
}

static enum ff_rc get_pending(struct cascade *c, const struct cascade_work *w,
                              const struct pending_cancel_group **out) {
  struct pending_cancel_group key = {
      .partition = c->id.partition, .flow_id = c->id.uuid, .downstream_execution_id = w->id};
  return tx_get_pending_cancel_group(c->tx, &key, out);
}

static enum ff_rc leave_edges(struct cascade *c, const struct cascade_work *w) {
  const struct cascade_backlog *read = NULL;
  TRY(get_backlog(c, w, &read));
  struct cascade_backlog key = {
      .partition = c->id.partition, .flow_id = c->id.uuid, .execution_id = w->id};
  struct cascade_backlog *left =
      read ? tx_edit_cascade_backlog(c->tx, read) : tx_insert_cascade_backlog(c->tx, &key);
  left->due_at = tx_now(c->tx);
  if (w->next) left->after_edge_id = w->edges[w->next - 1]->edge_id;
  return FF_OK;
}

static enum ff_rc leave_siblings(struct cascade *c, const struct cascade_work *w) {
  const struct pending_cancel_group *read = NULL;
  const struct edge_group *group = NULL;
  TRY(get_pending(c, w, &read));
  TRY(edge_group_get(c->tx, c->id, w->id, &group));
  struct pending_cancel_group key = {
      .partition = c->id.partition, .flow_id = c->id.uuid, .downstream_execution_id = w->id};
  struct pending_cancel_group *left = read ? tx_edit_pending_cancel_group(c->tx, read)
                                           : tx_insert_pending_cancel_group(c->tx, &key);
  left->due_at = tx_now(c->tx);
  struct edge_group *g = tx_edit_edge_group(c->tx, group);
  g->sibling_cancel_pending = 1;
  g->sibling_cancel_reason = w->reason;
  g->sibling_cancel_members =
      siblings_encode(tx_arena(c->tx), w->siblings + w->next, w->count - w->next);
  return FF_OK;
}

enum ff_rc cascade_leave(struct cascade *c) {
  enum ff_rc worst = FF_OK;
  for (uint32_t i = 0; i < c->work_count; i++) {
    const struct cascade_backlog *backlog;
    const struct pending_cancel_group *pending;
    const struct cascade_work *w = &c->work[i];
    if (cascade_done(c, i)) continue;
    enum ff_rc rc =
        w->kind == WORK_EDGES ? get_backlog(c, w, &backlog) : get_pending(c, w, &pending);
    if (rc != FF_OK) worst = rc;
  }
  TRY(worst);
  for (uint32_t i = 0; i < c->work_count; i++) {
    const struct cascade_work *w = &c->work[i];
    if (cascade_done(c, i)) continue;
    TRY(w->kind == WORK_EDGES ? leave_edges(c, w) : leave_siblings(c, w));
  }
  return FF_OK;
}
