/*
 * Tags as the execution record keeps them: one JSON object, keys in byte order, absent when there
 * are none.
 *
 * Pure conversion. It checks neither key patterns nor sizes (02 L-58: a create stores its tags as
 * given); callers do.
 */
#include "op/execution.h"

#include "base/json.h"

/* Stable: among equal keys the later one stays behind, so that it wins. Tags are a handful. */
static void sort_by_key(struct ff_pair *pairs, size_t count) {
  for (size_t i = 1; i < count; i++) {
    struct ff_pair moving = pairs[i];
    size_t at = i;
    for (; at > 0 && text_compare(pairs[at - 1].key, moving.key) > 0; at--)
      pairs[at] = pairs[at - 1];
    pairs[at] = moving;
  }
}

static size_t drop_overridden(struct ff_pair *pairs, size_t count) {
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    bool overridden = i + 1 < count && text_equal(pairs[i].key, pairs[i + 1].key);
    if (!overridden) pairs[kept++] = pairs[i];
  }
  return kept;
}

struct ff_str tags_encode(struct arena *arena, struct ff_pairs tags) {
  if (tags.count == 0) return (struct ff_str){0};
  struct ff_pair *pairs = arena_copy(arena, tags.items, sizeof(*pairs) * tags.count);
  sort_by_key(pairs, tags.count);
  size_t count = drop_overridden(pairs, tags.count);

  struct buffer out;
  buffer_init(&out);
  for (size_t i = 0; i < count; i++) {
    buffer_append_char(&out, i == 0 ? '{' : ',');
    json_write_text(&out, pairs[i].key);
    buffer_append_char(&out, ':');
    json_write_text(&out, pairs[i].value);
  }
  buffer_append_char(&out, '}');
  struct ff_str text = arena_text(arena, buffer_text(&out));
  buffer_fini(&out);
  return text;
}

struct ff_pairs tags_decode(struct arena *arena, struct ff_str text) {
  struct ff_pairs none = {NULL, 0};
  const struct json *object = NULL;
  struct json_error problem;
  if (!text_nonempty(text)) return none;
  if (!json_parse(text, arena, &object, &problem)) return none;
  if (object->type != JSON_OBJECT || object->count == 0) return none;

  struct ff_pair *pairs = ARENA_ARRAY(arena, struct ff_pair, object->count);
  size_t count = 0;
  for (const struct json *member = object->first; member != NULL; member = member->next)
    pairs[count++] = (struct ff_pair){member->key, member->text};
  return (struct ff_pairs){pairs, count};
}
