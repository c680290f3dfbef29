/*
 * Evaluation of resume conditions: which nodes a signal advances, and whether the root holds (03 §5).
 *
 * Progress only grows. Node kinds and matchers of a later version never match.
 */
#include "op/condition.h"

bool condition_is_composite(const struct condition *c) {
  return c->kind == CONDITION_COUNT || c->kind == CONDITION_ALL_OF || c->kind == CONDITION_ANY_OF;
}

static bool lists_key(const struct condition *c, struct ff_str key) {
  for (size_t i = 0; i < c->key_count; i++)
    if (text_equal(c->keys[i], key)) return true;
  return false;
}

bool condition_names_key(const struct condition *c, struct ff_str key) {
  if (lists_key(c, key)) return true;
  for (size_t i = 0; i < c->member_count; i++)
    if (condition_names_key(&c->members[i], key)) return true;
  return false;
}

struct ff_str condition_missing_key(const struct condition *c, const struct ff_str *known,
                                    size_t count) {
  for (size_t i = 0; i < c->key_count; i++) {
    size_t k = 0;
    while (k < count && !text_equal(known[k], c->keys[i])) k++;
    if (k == count) return c->keys[i];
  }
  for (size_t i = 0; i < c->member_count; i++) {
    struct ff_str missing = condition_missing_key(&c->members[i], known, count);
    if (text_present(missing)) return missing;
  }
  return (struct ff_str){NULL, 0};
}

bool condition_waits_for_time(const struct condition *c) {
  if (c->kind == CONDITION_TIMEOUT_ONLY) return true;
  for (size_t i = 0; i < c->member_count; i++)
    if (condition_waits_for_time(&c->members[i])) return true;
  return false;
}

/* ---- names for listings ---- */

struct names {
  struct ff_str *items;
  size_t count;
};

static void add_name(struct names *names, struct ff_str name) {
  for (size_t i = 0; i < names->count; i++)
    if (text_equal(names->items[i], name)) return;
  names->items[names->count++] = name;
}

static void collect_names(const struct condition *c, struct ff_str key, struct names *names) {
  if (c->kind == CONDITION_OPERATOR_ONLY) add_name(names, TEXT_LIT("__operator_only__"));
  if (c->kind == CONDITION_TIMEOUT_ONLY) add_name(names, TEXT_LIT("__timeout_only__"));
  if (c->matcher == MATCH_NAME && lists_key(c, key)) add_name(names, c->matched);
  for (size_t i = 0; i < c->member_count; i++) collect_names(&c->members[i], key, names);
}

struct ff_strs condition_signal_names(const struct condition *c, struct ff_str key,
                                      struct arena *arena) {
  struct names names = {ARENA_ARRAY(arena, struct ff_str, CONDITION_NODES_MAX), 0};
  collect_names(c, key, &names);
  return (struct ff_strs){names.items, names.count};
}

/* ---- evaluation ---- */

static bool accepts(const struct condition *c, const struct condition_signal *s) {
  switch (c->matcher) {
    case MATCH_ANYTHING: return true;
    case MATCH_NAME: return text_equal(c->matched, s->name);
    case MATCH_CORRELATION: return text_equal(c->matched, s->correlation_id);
    case MATCH_NOTHING: break;
  }
  return false;
}

static struct condition_element element_of(const struct condition *c,
                                           const struct condition_signal *s) {
  if (c->count_kind == COUNT_SOURCES)
    return (struct condition_element){.source_type = s->source_type,
                                      .source_identity = s->source_identity};
  return (struct condition_element){.id = c->count_kind == COUNT_WAITPOINTS ? s->waitpoint_id
                                                                            : s->signal_id};
}

static bool add_element(struct condition *c, const struct condition_signal *s,
                        struct arena *arena) {
  struct condition_element new = element_of(c, s);
  if (c->count_kind == COUNT_NOTHING) return false;
  for (size_t i = 0; i < c->element_count; i++)
    if (uuid_equal(c->elements[i].id, new.id) &&
        text_equal(c->elements[i].source_type, new.source_type) &&
        text_equal(c->elements[i].source_identity, new.source_identity))
      return false;
  if (c->element_count == c->element_capacity) {
    size_t capacity = c->element_capacity ? 2 * c->element_capacity : 4;
    struct condition_element *more = ARENA_ARRAY(arena, struct condition_element, capacity);
    if (c->element_count) memcpy(more, c->elements, c->element_count * sizeof *more);
    c->elements = more;
    c->element_capacity = capacity;
  }
  c->elements[c->element_count++] = new;
  return true;
}

struct pass {
  const struct condition_signal *signal;
  struct arena *arena;
  bool candidate, accepted, advanced;
};

/* E-3 … E-5 */
static void advance(struct condition *c, struct pass *pass) {
  for (size_t i = 0; i < c->member_count; i++) advance(&c->members[i], pass);
  if (c->kind != CONDITION_SINGLE && c->kind != CONDITION_COUNT) return;
  if (!lists_key(c, pass->signal->key)) return;
  pass->candidate = true;
  if (!accepts(c, pass->signal)) return;
  pass->accepted = true;
  if (c->kind == CONDITION_COUNT) {
    pass->advanced |= add_element(c, pass->signal, pass->arena);
  } else if (uuid_is_nil(c->hit)) {
    c->hit = pass->signal->signal_id;
    pass->advanced = true;
  }
}

/* E-8 */
static bool holds(const struct condition *c) {
  size_t met = 0;
  switch (c->kind) {
    case CONDITION_SINGLE: return !uuid_is_nil(c->hit);
    case CONDITION_COUNT: return c->element_count >= c->n;
    case CONDITION_ALL_OF:
    case CONDITION_ANY_OF: break;
    default: return false;
  }
  for (size_t i = 0; i < c->member_count; i++) met += holds(&c->members[i]);
  return c->kind == CONDITION_ALL_OF ? met == c->member_count : met > 0;
}

enum ff_signal_effect condition_apply(struct condition *c, const struct condition_signal *s,
                                      struct arena *arena) {
  struct pass pass = {.signal = s, .arena = arena};
  if (c->kind == CONDITION_SINGLE) { /* E-1 */
    if (!lists_key(c, s->key) || !accepts(c, s)) return FF_signal_effect_no_op;
    c->hit = s->signal_id;
    return FF_signal_effect_resume_condition_satisfied;
  }
  if (!condition_is_composite(c)) return FF_signal_effect_no_op; /* E-2 */
  advance(c, &pass);
  if (!pass.candidate) return FF_signal_effect_signal_ignored_not_in_condition;
  if (!pass.accepted) return FF_signal_effect_signal_ignored_matcher_failed;
  if (!pass.advanced) return FF_signal_effect_appended_to_waitpoint_duplicate;
  return holds(c) ? FF_signal_effect_resume_condition_satisfied
                  : FF_signal_effect_appended_to_waitpoint;
}
