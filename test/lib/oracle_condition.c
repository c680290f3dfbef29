/*
 * The conditions of 03 §5, declaratively: a leaf is met when some signal fits it, a Count when
 * enough different ones do. What a signal did is the difference it made to these answers.
 */
#include "test/lib/oracle_condition.h"

#include "base/ids.h"

/* ---- the shape ---- */

static struct ff_str text_at(const struct json *object, const char *name) {
  const struct json *value = json_member(object, name);
  return value && value->type == JSON_STRING ? value->text : (struct ff_str){NULL, 0};
}

static const struct json *single_of(const struct json *c) { return json_member(c, "Single"); }

static const struct json *count_of(const struct json *c) {
  const struct json *body = json_member(c, "Composite");
  return body && text_equal_c(text_at(body, "kind"), "Count") ? body : NULL;
}

/* The members of an AllOf or AnyOf, NULL of anything else. */
static const struct json *members_of(const struct json *c, bool *all) {
  const struct json *body = json_member(c, "Composite");
  if (!body || count_of(c)) return NULL;
  *all = text_equal_c(text_at(body, "kind"), "AllOf");
  const struct json *members = json_member(body, "members");
  return members ? members->first : NULL;
}

const struct json *condition_read(struct ff_str stored, struct arena *arena) {
  const struct json *root;
  struct json_error error;
  if (!json_parse(stored, arena, &root, &error)) return NULL;
  bool known = single_of(root) || json_member(root, "Composite") ||
               json_member(root, "OperatorOnly") || json_member(root, "TimeoutOnly");
  return known ? root : NULL;
}

/* ---- one signal and one leaf or Count ---- */

static bool names_key(const struct json *c, struct ff_str key) {
  if (single_of(c)) return text_equal(text_at(single_of(c), "waitpoint_key"), key);
  const struct json *keys = json_member(count_of(c), "waitpoints");
  for (const struct json *k = keys ? keys->first : NULL; k; k = k->next)
    if (text_equal(k->text, key)) return true;
  return false;
}

static bool matches(const struct json *c, const struct heard *h) {
  const struct json *matcher = json_member(single_of(c) ? single_of(c) : count_of(c), "matcher");
  if (!matcher || matcher->type == JSON_NULL || matcher->type == JSON_STRING) return true;
  if (json_member(matcher, "ByName"))
    return text_equal(text_at(matcher, "ByName"), h->signal->signal_name);
  return text_equal(text_at(matcher, "ByCorrelationId"), h->signal->correlation_id);
}

static bool fits(const struct json *c, const struct heard *h) {
  return names_key(c, h->key) && matches(c, h);
}

static bool same_element(const struct json *count, const struct heard *a, const struct heard *b) {
  struct ff_str kind = text_at(count, "count_kind");
  if (text_equal_c(kind, "DistinctWaitpoints"))
    return uuid_equal(a->signal->waitpoint_id, b->signal->waitpoint_id);
  if (text_equal_c(kind, "DistinctSignals"))
    return uuid_equal(a->signal->signal_id, b->signal->signal_id);
  return text_equal(a->signal->source_type, b->signal->source_type) &&
         text_equal(a->signal->source_identity, b->signal->source_identity);
}

/* How many different signals fit: of a leaf no more than one counts. */
static size_t gathered(const struct json *c, const struct heard *h, size_t count) {
  size_t different = 0;
  for (size_t i = 0; i < count; i++) {
    bool seen = !fits(c, &h[i]) || (single_of(c) && different);
    for (size_t k = 0; k < i && !seen; k++)
      seen = fits(c, &h[k]) && count_of(c) && same_element(count_of(c), &h[k], &h[i]);
    different += !seen;
  }
  return different;
}

static bool enough(const struct json *c, const struct heard *h, size_t count) {
  uint64_t n = 1;
  if (count_of(c) && !json_u64(json_member(count_of(c), "n"), &n)) return false;
  return gathered(c, h, count) >= n;
}

/* ---- the tree ---- */

bool condition_met(const struct json *c, const struct heard *h, size_t count) {
  bool all;
  if (single_of(c) || count_of(c)) return enough(c, h, count);
  const struct json *first = members_of(c, &all);
  for (const struct json *m = first; m; m = m->next)
    if (condition_met(m, h, count) != all) return !all;
  return first && all;
}

/* The sums over all leaves and Counts of the tree. */
struct sums {
  size_t named, matched, before, after;
};

static void sum_up(const struct json *c, const struct heard *h, size_t count, struct sums *sums) {
  bool all;
  for (const struct json *m = members_of(c, &all); m; m = m->next) sum_up(m, h, count, sums);
  if (!single_of(c) && !count_of(c)) return;
  sums->named += names_key(c, h[count - 1].key);
  sums->matched += fits(c, &h[count - 1]);
  sums->before += gathered(c, h, count - 1);
  sums->after += gathered(c, h, count);
}

enum ff_signal_effect condition_effect(const struct json *c, const struct heard *h, size_t count) {
  struct sums sums = {0};
  if (!json_member(c, "Composite"))
    return single_of(c) && fits(c, &h[count - 1]) ? FF_signal_effect_resume_condition_satisfied
                                                  : FF_signal_effect_no_op;
  sum_up(c, h, count, &sums);
  if (!sums.named) return FF_signal_effect_signal_ignored_not_in_condition;
  if (!sums.matched) return FF_signal_effect_signal_ignored_matcher_failed;
  if (sums.after == sums.before) return FF_signal_effect_appended_to_waitpoint_duplicate;
  return condition_met(c, h, count) ? FF_signal_effect_resume_condition_satisfied
                                    : FF_signal_effect_appended_to_waitpoint;
}

/* ---- what is missing ---- */

/* The first key that nothing fitting has come to, else the first. */
static struct ff_str silent_key(const struct json *c, const struct heard *h, size_t count) {
  const struct json *keys = json_member(count_of(c), "waitpoints");
  if (single_of(c)) return text_at(single_of(c), "waitpoint_key");
  for (const struct json *k = keys->first; k; k = k->next) {
    size_t i = 0;
    while (i < count && !(fits(c, &h[i]) && text_equal(h[i].key, k->text))) i++;
    if (i == count) return k->text;
  }
  return keys->first->text;
}

bool condition_wants(const struct json *c, const struct heard *h, size_t count, struct wanted *w) {
  bool all;
  if (condition_met(c, h, count)) return false;
  for (const struct json *m = members_of(c, &all); m; m = m->next)
    if (condition_wants(m, h, count, w)) return true;
  const struct json *body = single_of(c) ? single_of(c) : count_of(c);
  if (!body) return false;
  const struct json *matcher = json_member(body, "matcher");
  *w = (struct wanted){.key = silent_key(c, h, count),
                       .name = text_at(matcher, "ByName"),
                       .correlation_id = text_at(matcher, "ByCorrelationId")};
  return true;
}
