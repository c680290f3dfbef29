/*
 * JSON merge patch (RFC 7396) between objects: check a patch, make the next document.
 *
 * Depth is bounded before anything recurses and every object is joined by sorting: no patch costs
 * more than its length and the length of the objects it touches (times their logarithm). It never
 * interprets a number.
 */
#include "base/merge_patch.h"

#include <stdlib.h>

/* objects and levels are open around the value. */
static bool shallow_enough(const struct json *value, unsigned objects, unsigned levels) {
  if (value->type != JSON_OBJECT && value->type != JSON_ARRAY) return true;
  if (value->type == JSON_OBJECT) objects++;
  levels++;
  if (objects > MERGE_PATCH_OBJECTS_MAX || levels > MERGE_PATCH_NESTING_MAX) return false;
  for (const struct json *child = value->first; child != NULL; child = child->next)
    if (!shallow_enough(child, objects, levels)) return false;
  return true;
}

enum merge_patch_fault merge_patch_read(struct ff_str text, struct arena *arena,
                                        const struct json **out) {
  const struct json *value = NULL;
  struct json_error error = {0};
  if (!json_parse_last_wins(text, arena, &value, &error))
    return error.too_deep ? MERGE_PATCH_TOO_DEEP : MERGE_PATCH_NOT_JSON;
  if (value->type != JSON_OBJECT) return MERGE_PATCH_NOT_OBJECT;
  if (!shallow_enough(value, 0, 0)) return MERGE_PATCH_TOO_DEEP;
  *out = value;
  return MERGE_PATCH_OK;
}

/* ---- members in order ---- */

struct members {
  const struct json **at;
  size_t count;
};

/* By key; of one key by place, so that the last one written stands last. */
static int compare_members(const void *a, const void *b) {
  const struct json *left = *(const struct json *const *)a, *right = *(const struct json *const *)b;
  int order = text_compare(left->key, right->key);
  if (order != 0) return order;
  return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/* Sorted, of equal keys the last only. */
static struct members members_of(const struct json *object, struct arena *arena) {
  struct members m = {NULL, 0};
  if (object == NULL || object->type != JSON_OBJECT || object->count == 0) return m;
  m.at = ARENA_ARRAY(arena, const struct json *, object->count);
  for (const struct json *child = object->first; child != NULL; child = child->next)
    m.at[m.count++] = child;
  qsort(m.at, m.count, sizeof(m.at[0]), compare_members);
  size_t kept = 0;
  for (size_t i = 0; i < m.count; i++) {
    if (kept > 0 && text_equal(m.at[kept - 1]->key, m.at[i]->key)) kept--;
    m.at[kept++] = m.at[i];
  }
  m.count = kept;
  return m;
}

/* ---- making the document ---- */

/* A node without its place: the document is written later and has no offsets yet. */
static struct json *node(const struct json *like, struct ff_str key, struct arena *arena) {
  struct json *copy = ARENA_NEW(arena, struct json);
  *copy = *like;
  copy->key = key;
  copy->next = NULL;
  copy->offset = 0;
  return copy;
}

static void add(struct json *parent, const struct json ***link, struct json *child) {
  **link = child;
  *link = &child->next;
  parent->count++;
}

static struct json *empty_like(enum json_type type, struct ff_str key, struct arena *arena) {
  struct json *value = ARENA_NEW(arena, struct json);
  value->type = type;
  value->key = key;
  return value;
}

/* What stands in the document for a value that replaces: nulls inside it stay (only a member of the
 * patch itself removes), the word for null is resolved at any depth, keys are sorted. */
static struct json *replacement(const struct json *value, struct arena *arena) {
  if (value->type == JSON_STRING && text_equal_c(value->text, MERGE_PATCH_NULL))
    return empty_like(JSON_NULL, value->key, arena);
  if (value->type != JSON_ARRAY && value->type != JSON_OBJECT)
    return node(value, value->key, arena);
  struct json *copy = empty_like(value->type, value->key, arena);
  const struct json **link = &copy->first;
  if (value->type == JSON_ARRAY) {
    for (const struct json *child = value->first; child != NULL; child = child->next)
      add(copy, &link, replacement(child, arena));
    return copy;
  }
  struct members m = members_of(value, arena);
  for (size_t i = 0; i < m.count; i++) add(copy, &link, replacement(m.at[i], arena));
  return copy;
}

static struct json *merge(const struct json *target, const struct json *patch,
                          struct arena *arena) {
  struct members old = members_of(target, arena), new = members_of(patch, arena);
  struct json *merged = empty_like(JSON_OBJECT, patch->key, arena);
  const struct json **link = &merged->first;
  size_t i = 0, j = 0;
  while (i < old.count || j < new.count) {
    int order = i == old.count   ? 1
                : j == new.count ? -1
                                 : text_compare(old.at[i]->key, new.at[j]->key);
    const struct json *before = order <= 0 ? old.at[i++] : NULL;
    if (order < 0) {
      add(merged, &link, node(before, before->key, arena));
      continue;
    }
    const struct json *change = new.at[j++];
    if (change->type == JSON_NULL) continue;
    if (change->type == JSON_OBJECT)
      add(merged, &link, merge(before, change, arena));
    else
      add(merged, &link, replacement(change, arena));
  }
  return merged;
}

const struct json *merge_patch_apply(const struct json *target, const struct json *patch,
                                     struct arena *arena) {
  INVARIANT(patch->type == JSON_OBJECT);
  return merge(target, patch, arena);
}
