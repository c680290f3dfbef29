/*
 * Resume conditions (03 §4.1 … §4.4, §5): parsing, checking, and what signals make of them.
 *
 * Pure: no store, no clock. A parsed condition carries its progress: every Single its hit, every
 * Count a set of its own.
 */
#ifndef OP_CONDITION_H
#define OP_CONDITION_H

#include "base/error.h"
#include "base/ids.h"
#include "base/json.h"

enum { CONDITION_BYTES_MAX = 256 * 1024, CONDITION_NODES_MAX = 1024, CONDITION_DEPTH_MAX = 4 };

enum condition_kind {
  CONDITION_SINGLE,
  CONDITION_COUNT,
  CONDITION_ALL_OF,
  CONDITION_ANY_OF,
  CONDITION_OPERATOR_ONLY,
  CONDITION_TIMEOUT_ONLY,
  CONDITION_UNKNOWN /* stored by a later version: never satisfied */
};
enum matcher_kind { MATCH_ANYTHING, MATCH_NAME, MATCH_CORRELATION, MATCH_NOTHING };
enum count_kind { COUNT_WAITPOINTS, COUNT_SIGNALS, COUNT_SOURCES, COUNT_NOTHING };

/* What a Count has seen: an id, or a pair of texts for sources. */
struct condition_element {
  struct uuid id;
  struct ff_str source_type, source_identity;
};
struct condition {
  enum condition_kind kind;
  enum matcher_kind matcher;
  struct ff_str matched;     /* the name or correlation id wanted */
  const struct ff_str *keys; /* of waitpoints: one of a Single, any number of a Count */
  size_t key_count;
  uint64_t n;
  enum count_kind count_kind;
  struct condition *members; /* of AllOf and AnyOf */
  size_t member_count;
  /* progress */
  struct uuid hit; /* of a Single, nil = none */
  struct condition_element *elements;
  size_t element_count, element_capacity;
};

/* A condition as a client writes it. Errors: invalid_input of field resume_condition. */
enum ff_rc condition_parse(struct ff_str json, struct arena *, struct condition **,
                           struct ff_error *) MUST_USE;
/* As it was stored, with its progress. Unknown kinds are kept. Errors: invalid_input
 * (invalid_resume_condition: another version), corruption. */
enum ff_rc condition_load(struct ff_str stored, struct ff_str progress, struct arena *,
                          struct condition **, struct ff_error *) MUST_USE;
/* The text to store: the client's with "v":1. */
struct ff_str condition_store(struct ff_str json, struct arena *);
struct ff_str condition_progress(const struct condition *, struct arena *);

/* V-4: depths, empty members, impossible counts. */
enum ff_rc condition_check_structure(const struct condition *, struct ff_error *) MUST_USE;
/* V-9 */
enum ff_rc condition_check_names(const struct condition *, struct ff_error *) MUST_USE;
bool condition_waits_for_time(const struct condition *); /* a TimeoutOnly anywhere */
bool condition_is_composite(const struct condition *);
bool condition_names_key(const struct condition *, struct ff_str key);
/* The first key that `known` does not list, absent when it lists all. */
struct ff_str condition_missing_key(const struct condition *, const struct ff_str *known,
                                    size_t count);
/* L-4: the names that would help on this key, first seen first. */
struct ff_strs condition_signal_names(const struct condition *, struct ff_str key, struct arena *);

/* A signal as the matchers see it. */
struct condition_signal {
  struct uuid signal_id, waitpoint_id;
  struct ff_str key; /* of its waitpoint */
  struct ff_str name, correlation_id, source_type, source_identity;
};
/* E-1 … E-9; the texts of the signal must outlive the condition. */
enum ff_signal_effect condition_apply(struct condition *, const struct condition_signal *,
                                      struct arena *);

#endif
