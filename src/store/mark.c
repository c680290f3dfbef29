/*
 * Marks of copies, as settings: see mark.h. Their value is `<state> <id> <other side>`.
 */
#include "store/mark.h"

#include "base/error.h"
#include "store/calls.h"

#define PREFIX "move."
static const char *const names[] = {PREFIX "source", PREFIX "target"};
static const char *const states[] = {"none", "moving", "moved", "filling", "restoring"};

bool mark_is(enum record_kind kind, const void *record) {
  if (kind != RECORD_KIND_setting) return false;
  struct ff_str name = ((const struct setting *)record)->name;
  return name.len >= strlen(PREFIX) && memcmp(name.ptr, PREFIX, strlen(PREFIX)) == 0;
}

static enum ff_rc load(struct store_session *session, enum mark_place place, struct arena *arena,
                       const struct setting **out, struct ff_error *e) {
  struct setting key;
  int64_t now;
  record_init(RECORD_KIND_setting, &key);
  key.name = ff_text(names[place]);
  struct store_get get = {.kind = RECORD_KIND_setting, .key = &key};
  TRY(store_fetch(session, arena, &get, 1, NULL, 0, &now, e));
  *out = get.record;
  if (!get.unreadable) return FF_OK;
  if (e) *e = *get.unreadable;
  return get.unreadable->rc;
}

static enum ff_rc parse(struct ff_str value, struct mark *out, struct ff_error *e) {
  char text[400], state[16] = "";
  snprintf(text, sizeof text, TEXT_FMT, TEXT_ARG(value));
  *out = (struct mark){.state = MARK_NONE};
  if (sscanf(text, "%15s %32s %299[^\n]", state, out->id, out->other) == 3)
    for (unsigned i = MARK_MOVING; i < ARRAY_LEN(states); i++)
      if (strcmp(state, states[i]) == 0) out->state = (enum mark_state)i;
  if (out->state != MARK_NONE) return FF_OK;
  return error_field(e, FF_CODE_corruption, "value", "setting: value: no mark of a move: %.60s",
                     text);
}

enum ff_rc mark_read(struct store_session *session, enum mark_place place, struct mark *out,
                     struct ff_error *e) {
  const struct setting *setting;
  struct arena arena;
  arena_init(&arena);
  enum ff_rc rc = load(session, place, &arena, &setting, e);
  *out = (struct mark){.state = MARK_NONE};
  if (!rc && setting) rc = parse(setting->value, out, e);
  arena_fini(&arena);
  return rc;
}

static enum ff_rc put(struct store_session *writer, enum mark_place place,
                      const struct setting *stored, const struct mark *mark, struct ff_error *e) {
  struct setting next;
  char value[400];
  record_init(RECORD_KIND_setting, &next);
  if (stored) next = *stored;
  uint64_t base = next.head.version;
  next.name = ff_text(names[place]);
  snprintf(value, sizeof value, "%s %s %s", states[mark->state], mark->id, mark->other);
  next.value = ff_text(value);
  next.head.version++;
  struct store_write write = {mark->state == MARK_NONE ? STORE_DELETE
                              : stored                 ? STORE_UPDATE
                                                       : STORE_INSERT,
                              RECORD_KIND_setting, &next, base};
  struct store_group group = {.writes = &write, .write_count = 1, .valid_until = INT64_MAX};
  bool nothing = mark->state == MARK_NONE && !stored;
  TRY(store_apply(writer, &group, nothing ? 0 : 1, e));
  if (nothing || group.outcome == STORE_APPLIED) return FF_OK;
  return error_set(e, FF_CODE_store_busy, "another move is at work on this store");
}

enum ff_rc mark_write(struct store_session *writer, enum mark_place place, const struct mark *mark,
                      struct ff_error *e) {
  const struct setting *stored;
  struct arena arena;
  arena_init(&arena);
  enum ff_rc rc = load(writer, place, &arena, &stored, e);
  if (!rc) rc = put(writer, place, stored, mark, e);
  enum ff_rc ended = rc ? store_apply(writer, NULL, 0, NULL) : FF_OK;
  (void)ended; /* what went wrong first is what is told */
  arena_fini(&arena);
  return rc;
}

enum ff_rc mark_check(struct store_session *session, struct ff_error *e) {
  struct mark source, target;
  TRY(mark_read(session, MARK_SOURCE, &source, e));
  TRY(mark_read(session, MARK_TARGET, &target, e));
  if (source.state == MARK_MOVED)
    return error_set(e, FF_CODE_config, "this deployment has moved: open %s instead", source.other);
  if (source.state == MARK_MOVING)
    return error_set(e, FF_CODE_unavailable,
                     "this deployment is being moved to %s: let `ff move` finish, or take it back "
                     "with `ff move --cancel`",
                     source.other);
  if (target.state == MARK_FILLING)
    return error_set(e, FF_CODE_unavailable,
                     "a move from %s into this store has not ended: run the same `ff move` again",
                     target.other);
  if (target.state == MARK_RESTORING)
    return error_set(e, FF_CODE_unavailable,
                     "restoring %s into this store has not ended: empty it and restore again",
                     target.other);
  return FF_OK;
}
