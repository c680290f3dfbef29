/*
 * The suspension of an execution (03 §2.2, §8): its bindings, how it closes, and what a resumption
 * does to the execution.
 */
#ifndef OP_SUSPENSION_H
#define OP_SUSPENSION_H

#include "op/condition.h"
#include "op/waitpoint.h"

#define SUSPENSION_NO_TIMEOUT INT64_C(9999999999999) /* its score in list_suspended */
enum { BINDINGS_MAX = 256 };

struct binding {
  struct uuid waitpoint_id;
  struct ff_str waitpoint_key;
};
struct bindings {
  struct binding *items; /* the first is primary */
  size_t count;
};

void declare_suspension(struct declare *, struct exec_id);
/* The current one, open or closed; NULL when there never was one. */
enum ff_rc suspension_get(struct tx *, struct exec_id, const struct suspension **) MUST_USE;
static inline bool suspension_is_open(const struct suspension *s) { return s && !s->closed_at; }
struct ff_str bindings_encode(struct arena *, struct bindings);
enum ff_rc bindings_decode(struct arena *, const struct suspension *, struct bindings *,
                           struct ff_error *) MUST_USE;
/* The record of a new suspension of this execution: the closed one before it, as new, if any. */
struct suspension *suspension_insert(struct tx *, struct exec_id, const struct suspension *before);

/* How a suspension ends. */
struct suspension_end {
  struct ff_str reason;
  enum ff_resume_trigger trigger; /* none when the execution ends with it */
  bool satisfied;                 /* by a signal or an operator */
};
/* Closes it with all its waitpoints and clears what the execution knows of it. FF_MISS until they
 * are loaded. */
enum ff_rc suspension_close(struct tx *, struct execution *, const struct suspension *,
                            const struct suspension_end *, struct ff_error *) MUST_USE;
/* Asks for what abandoning it will read. */
enum ff_rc suspension_want(struct tx *, const struct execution *) MUST_USE;
/* The suspension of an execution that ends in its phase suspended (T-15, T-16). FF_MISS likewise. */
enum ff_rc suspension_abandon(struct tx *, struct execution *, struct ff_str reason) MUST_USE;
/* RESUME (R-1 … R-3): closes it and makes the execution runnable after delay_ms. signal_name may be
 * absent. */
enum ff_rc suspension_resume(struct tx *, struct execution *, const struct suspension *,
                             const struct suspension_end *, uint64_t delay_ms,
                             struct ff_str signal_name, struct ff_error *) MUST_USE;
/* EN-2 for a stored reason code; unknown ones wait for a signal. */
enum ff_blocking_reason suspension_blocking(struct ff_str reason_code);

/* What a signal record says, for conditions. */
struct condition_signal suspension_signal(const struct signal *, struct ff_str key);
/* The signals of all bindings, in order of arrival. FF_MISS until they are loaded. */
enum ff_rc bindings_signals(struct tx *, struct exec_id, struct bindings, const struct signal ***,
                            size_t *count) MUST_USE;

#endif
