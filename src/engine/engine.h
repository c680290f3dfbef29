/*
 * The embedded engine behind the public API: one store, its executor, waits and scanners.
 *
 * Knows operations only through the table (op/op.h) and stores only through the vtable
 * (store/store.h).
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "op/op.h"
#include "store/store.h"

struct engine;

struct engine_options {
  struct ff_open_options open;
  bool manual; /* no threads: everything happens in engine_step (simulation) */
  const struct store_faults *faults; /* memory store only */
};

/* Opens the store of the URL, migrates it, checks the deployment record, starts scanners. */
enum ff_rc engine_open(struct ff_str url, const struct engine_options *, struct engine **,
                       struct ff_error *) MUST_USE;
/* True when the URL carries exactly this parameter, for example mode=ro. */
bool engine_url_says(struct ff_str url, const char *parameter);
/* Stops taking calls, answers those under way, releases everything. */
void engine_close(struct engine *);
/* Is this the thread that calls back, in a callback? It must not wait for an engine to close. */
bool engine_in_callback(void);
/* Refuses new calls; false when calls are still under way after grace_ms. */
bool engine_quiesce(struct engine *, int64_t grace_ms);

/* One call to its end. result is zeroed on error. */
enum ff_rc engine_call(struct engine *, enum op_id, const void *args, void *result,
                       struct ff_error *) MUST_USE;
typedef void engine_done_fn(void *user, enum ff_rc, void *result, const struct ff_error *);
enum ff_rc engine_call_async(struct engine *, enum op_id, const void *args, engine_done_fn *,
                             void *user, struct ff_error *) MUST_USE;

/* Answers the async call of that user which waits, as if its time were over; false when none waits. */
bool engine_end_wait(struct engine *, const void *user);

/*
 * Manual engines only: does one thing that can be done at `now` and answers whether there was any.
 * A batch takes two steps, load and apply, so that rivals can act between them; then replies,
 * expired waits and due work have steps of their own.
 */
bool engine_step(struct engine *, int64_t now);

const struct op_config *engine_config(const struct engine *);
const struct store_traits *engine_traits(const struct engine *);
struct store *engine_store(struct engine *);

#endif
