/*
 * What signals make of a resume condition (03 §5), said a second time: no progress is kept, every
 * question is answered from all signals so far. Knows nothing of src/op/condition.c.
 */
#ifndef TEST_LIB_ORACLE_CONDITION_H
#define TEST_LIB_ORACLE_CONDITION_H

#include "base/json.h"
#include "record/record.h"

/* A signal and the key of the waitpoint it came to. */
struct heard {
  const struct signal *signal;
  struct ff_str key;
};
/* The stored form of a condition; NULL when it is no condition. */
const struct json *condition_read(struct ff_str stored, struct arena *);
/* Whether the first `count` signals meet it (E-8). */
bool condition_met(const struct json *condition, const struct heard *, size_t count);
/* What the last of the first `count` signals did (E-1 … E-9). */
enum ff_signal_effect condition_effect(const struct json *condition, const struct heard *,
                                       size_t count);
/* A signal that would bring it nearer, having heard these; false when none would. The texts are
 * those of the condition; correlation_id is absent when any will do. */
struct wanted {
  struct ff_str key, name, correlation_id;
};
bool condition_wants(const struct json *condition, const struct heard *, size_t count,
                     struct wanted *);

#endif
