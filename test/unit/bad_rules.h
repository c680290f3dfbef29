/*
 * What each argument may be: one rule per member name of the argument structs.
 */
#ifndef TEST_UNIT_BAD_RULES_H
#define TEST_UNIT_BAD_RULES_H

#include "test/unit/bad_world.h"

enum kind {
  ANY,          /* every value is taken or refused, nothing more is known */
  EXECUTION_ID, /* required */
  OWN_UUID,     /* required and not nil */
  ANY_UUID,     /* absent or a uuid */
  PARTITION,
  LANE,
  WORKER,
  TEXT,       /* at most `max` bytes */
  CHOICE,     /* one of a few words in a text */
  STATES,     /* of words in a text, or absent */
  LANES,      /* a list of 1 to 64 */
  TOKENS,     /* a list of capabilities */
  TOKENS_CSV, /* the same as text */
  AT_LEAST_1, /* numbers, up to `max` */
  AT_MOST,
  NOT_NEGATIVE,
  POSITIVE,
  WORD,
  PAYLOAD,
  HANDLE,
  TAG_KEY,
  TAGS,
  POLICY,
  CURSOR,
  ITEMS,
  BINDINGS, /* of waitpoints: suspend.ff */
  SPECS,    /* of the older form: suspend.ff */
  GRAPH,    /* members of a graph: flow_graph.ff */
  LIMITS,   /* of budgets: budget.ff */
  AMOUNTS,  /* charged: budget_charge.ff */
  TOKEN     /* a bad one is noted down (03 H-17): signal.ff */
};
struct rule {
  const char *name; /* a member, or operation.member, which comes first */
  enum kind kind;
  uint64_t max;     /* of TEXT and numbers */
  const char *good; /* a text, NULL = absent */
  uint64_t number;
};

/* The rule of a member of an operation's arguments or of a nested struct; the test fails when there
 * is none. */
const struct rule *rule_of(const char *owner, const char *member);

/* Arguments that pass every check: on BAD_LEASED and its lease where they name one. Lists point to
 * memory of this function, good until its next call. */
void bad_good_arguments(const struct bad_world *, const struct ff_operation *, void *args);
/* Of a member of any number, word or bool type; nothing for the others. */
void bad_set_number(const struct ff_field *, void *at, uint64_t n);

#endif
