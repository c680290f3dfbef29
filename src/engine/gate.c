/*
 * The gate of 05 A.11: so many reads and tails of streams at the same time, waiting ones included.
 *
 * Never queues: who finds it full is refused at once. A place is held until the call is answered.
 */
#include "engine/impl.h"

#include <stdlib.h>

#define PLACES 64
#define PLACES_MAX 1000000

static bool is_gated(enum op_id op) { return op == OP_read_stream || op == OP_tail_stream; }

/* The older name counts when the newer is not set (ST-120). */
enum ff_rc gate_configure(struct engine *e, struct ff_error *error) {
  uint32_t *places = &e->options.open.max_stream_ops;
  const char *name = "FF_MAX_CONCURRENT_STREAM_OPS";
  const char *text = getenv(name);
  int64_t parsed;
  if (*places > PLACES_MAX)
    return error_field(error, FF_CODE_config, "max_stream_ops", "must be at most %d, got %u",
                       PLACES_MAX, *places);
  if (*places) return FF_OK;
  if (!text || !*text) text = getenv(name = "FF_MAX_CONCURRENT_TAIL");
  *places = PLACES;
  if (!text || !*text) return FF_OK;
  if (!parse_i64(ff_text(text), &parsed) || parsed < 1 || parsed > PLACES_MAX)
    return error_field(error, FF_CODE_config, name, "must be 1..%d, got \"%.64s\"", PLACES_MAX,
                       text);
  *places = (uint32_t)parsed;
  return FF_OK;
}

/* ST-121, ST-122 */
enum ff_rc gate_enter(struct engine *e, enum op_id op, struct ff_error *error) {
  if (!is_gated(op)) return FF_OK;
  uint32_t max = e->options.open.max_stream_ops;
  if (e->closing) {
    (void)error_set(error, FF_CODE_unavailable, "the engine is closing");
    error_context(error, "op", "stream_ops");
    return FF_UNAVAILABLE;
  }
  if (atomic_fetch_add(&e->stream_ops, 1) < max) return FF_OK;
  e->stream_ops--;
  (void)error_set(error, FF_CODE_resource_exhausted, "%u stream reads are under way already", max);
  error_context(error, "pool", "stream_ops");
  error_context(error, "max", "%u", max);
  if (error) error->retry_after_ms = 25 * (int64_t)max;
  return FF_RESOURCE_EXHAUSTED;
}

void gate_leave(struct engine *e, enum op_id op) {
  if (is_gated(op)) e->stream_ops--;
}
