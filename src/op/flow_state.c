/*
 * The state a flow shows, derived and never stored by clients (04 §13).
 *
 * Rows 1 to 3 come from counters that change in the very transition of a member (FD-1); only a flow
 * with members alive is judged by these.
 */
#include "op/flow_state.h"

uint32_t flow_alive(const struct flow *f) {
  uint64_t ended = (uint64_t)f->t_completed + f->t_failed + f->t_cancelled + f->t_expired +
                   f->t_skipped;
  return ended < f->node_count ? f->node_count - (uint32_t)ended : 0;
}

/* FD-3: who lost a race that was won does not fail the flow. */
static bool has_failed(const struct flow *f) {
  return f->t_failed || f->t_expired || f->t_cancelled > f->t_cancelled_quorum;
}

enum ff_flow_public_state flow_settled_state(const struct flow *f) {
  if (f->state == FF_flow_state_cancelled) return FF_flow_public_state_cancelled;
  if (!f->node_count) return FF_flow_public_state_open;
  if (flow_alive(f)) return FF_flow_public_state_none;
  return has_failed(f) ? FF_flow_public_state_failed : FF_flow_public_state_completed;
}

enum ff_flow_public_state flow_state_with(enum ff_flow_public_state so_far,
                                          const struct execution *x) {
  if (so_far == FF_flow_public_state_running) return so_far;
  switch (execution_public_state(x)) {
    case FF_public_state_active: return FF_flow_public_state_running;
    case FF_public_state_suspended:
    case FF_public_state_delayed:
    case FF_public_state_rate_limited:
    case FF_public_state_waiting_children: return FF_flow_public_state_blocked;
    default: return so_far; /* FD-6: resumable counts as waiting */
  }
}

enum ff_rc flow_corrupt(const char *op, const char *record, const char *field, const char *problem,
                        struct ff_error *e) {
  return error_field(e, FF_CODE_corruption, field, "%s: %s: %s: %s", op, record, field, problem);
}

/* An empty map is never stored, so an empty answer means text that is no map. */
enum ff_rc flow_tags(const char *op, const struct flow *f, struct arena *arena,
                     struct ff_pairs *out, struct ff_error *e) {
  *out = tags_decode(arena, f->tags);
  if (text_present(f->tags) && out->count == 0)
    return flow_corrupt(op, "flow", "tags", "not a map", e);
  return FF_OK;
}
