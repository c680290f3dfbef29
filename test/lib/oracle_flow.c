/*
 * The oracle's look at flows: their records against a recount and against the models of their
 * members (04 §2.1).
 */
#include "test/lib/oracle_impl.h"

#include <stdio.h>

struct seen_flow {
  const struct flow *flow;
  const struct flow_member *const *members;
  uint32_t member_count;
};

static struct store_scan scan(struct oracle *o, enum index_id index, const void *from) {
  struct store_scan found = {.index = index, .from = from, .limit = 100000};
  struct ff_error error;
  int64_t now;
  INVARIANT(store_fetch(o->session, &o->arena, NULL, 0, &found, 1, &now, &error) == FF_OK);
  return found;
}

static bool complain_flow(struct oracle *o, const struct flow *flow, const char *rule,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));
static bool complain_flow(struct oracle *o, const struct flow *flow, const char *rule,
                          const char *format, ...) {
  char id[37], text[400];
  va_list args;
  uuid_format(flow->flow_id, id);
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return complain(o, NULL, "flow %s: %s: %s", id, rule, text);
}

/* FI-7: members and how they ended against the counters; an end is the one the log tells. */
static bool members_fit(struct oracle *o, const struct seen_flow *f) {
  uint32_t ended[FF_terminal_outcome_COUNT] = {0}, lost = 0;
  for (uint32_t i = 0; i < f->member_count; i++) {
    const struct flow_member *member = f->members[i];
    struct model *m = model_find(o, (struct exec_id){member->partition, member->execution_id});
    ended[member->last_outcome]++;
    lost += member->lost_quorum;
    if (!m || !m->exists) continue;
    if (m->generation && uuid_is_nil(m->seen.flow_id)) continue; /* purged, and the id used again */
    uint8_t expected = m->ended ? m->outcome : FF_terminal_outcome_none;
    MUST(o, m, member->last_outcome == expected, "its member says it ended %s, the log %s",
         ff_word(FF_WORD_terminal_outcome, member->last_outcome),
         ff_word(FF_WORD_terminal_outcome, expected));
    MUST(o, m, uuid_equal(m->seen.flow_id, member->flow_id), "a member without a way back");
  }
  const struct flow *w = f->flow;
  if (w->node_count != f->member_count)
    return complain_flow(o, w, "FI-7", "node_count %u, %u members", w->node_count,
                         f->member_count);
  if (w->t_completed != ended[FF_terminal_outcome_success] ||
      w->t_failed != ended[FF_terminal_outcome_failed] ||
      w->t_cancelled != ended[FF_terminal_outcome_cancelled] ||
      w->t_expired != ended[FF_terminal_outcome_expired] ||
      w->t_skipped != ended[FF_terminal_outcome_skipped] || w->t_cancelled_quorum != lost)
    return complain_flow(o, w, "FI-7", "counters differ from a recount of the members");
  return true;
}

static bool flow_fits(struct oracle *o, const struct flow *flow) {
  struct flow_member from = {.partition = flow->partition, .flow_id = flow->flow_id};
  struct store_scan members = scan(o, INDEX_flow_member_by_flow, &from);
  struct seen_flow f = {.flow = flow,
                        .members = (const struct flow_member *const *)members.records,
                        .member_count = members.count};
  return members_fit(o, &f);
}

/* The back-pointer of an execution has its member. */
static bool member_fits(struct oracle *o, struct model *m) {
  struct flow_member key = {.partition = m->id.partition,
                            .flow_id = m->seen.flow_id,
                            .execution_id = m->id.uuid};
  struct store_get get = {RECORD_KIND_flow_member, &key, NULL};
  struct ff_error error;
  int64_t now;
  if (!m->exists || uuid_is_nil(m->seen.flow_id)) return true;
  INVARIANT(store_fetch(o->session, &o->arena, &get, 1, NULL, 0, &now, &error) == FF_OK);
  MUST(o, m, get.record, "points to a flow it is no member of");
  return true;
}

bool flows_fit(struct oracle *o) {
  struct flow from = {.partition = 0};
  struct store_scan flows = scan(o, INDEX_flow_all, &from);
  for (uint32_t i = 0; i < flows.count; i++)
    if (!flow_fits(o, flows.records[i])) return false;
  for (uint32_t i = 0; i < o->model_count; i++)
    if (!member_fits(o, &o->models[i])) return false;
  return true;
}
