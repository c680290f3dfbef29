/*
 * The arguments of a suspension, checked and parsed (03 §4.1, §4.3).
 */
#ifndef OP_SUSPEND_H
#define OP_SUSPEND_H

#include "flowfabric/signal.h"
#include "op/suspension.h"

/* One binding as the caller gave it. */
struct suspend_binding {
  struct uuid id;
  struct ff_str key; /* of a new waitpoint; absent for a pending one */
  bool pending;
};

/* What both forms share; texts point into the arguments or the arena. */
struct suspend_request {
  struct uuid suspension_id;
  struct suspend_binding *bindings;
  size_t binding_count;
  struct condition *condition;
  struct ff_str resume_condition, resume_policy; /* as they are stored */
  struct ff_str reason_code, requested_by, timeout_behavior; /* stored words; absent behavior */
  int64_t timeout_at;
  struct ff_str continuation_metadata_pointer, idempotency_key;
};

/* What all forms prepare. */
struct suspend_prep {
  struct handle_body handle; /* first: begins with the execution; of the triple only that */
  struct suspend_request request;
  struct fence fence;
};
/* From S-3 on. by_triple: attempt index and ttl are the execution's. */
enum ff_rc suspend_execute(struct tx *, const struct suspend_prep *, bool by_triple,
                           struct ff_suspend_result *, struct ff_error *) MUST_USE;

/* V-1 … V-9 and V-11. The by-triple form passes its arguments as those of suspend. */
enum ff_rc suspend_check(const struct ff_suspend_args *, struct arena *, struct suspend_request *,
                         struct ff_error *) MUST_USE;
/* V-5 … V-7 with the keys of all bindings known; keys in binding order. */
enum ff_rc suspend_check_keys(const struct suspend_request *, const struct ff_str *keys,
                              struct ff_error *) MUST_USE;
/* The stored word of a timeout behaviour, absent when it is none. */
struct ff_str suspend_behavior_word(struct ff_str);
/* The resume delay a stored policy asks for. */
uint64_t suspend_policy_delay(struct ff_str resume_policy, struct arena *);

#endif
