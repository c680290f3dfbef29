/*
 * Macros for the tables that describe argument and result structs (ff_field, ff_struct). A name
 * drops its trailing underscore.
 */
#ifndef OP_FIELDS_H
#define OP_FIELDS_H

#include "op/op.h"

#define FIELD(type, kind, member)                              \
  {                                                            \
#member, FF_FIELD_##kind, offsetof(type, member), -1, NULL \
  }
#define FIELD_AS(type, kind, member, shown) \
  { shown, FF_FIELD_##kind, offsetof(type, member), -1, NULL }
#define FIELD_WORD(type, member, words)                                   \
  {                                                                       \
#member, FF_FIELD_WORD, offsetof(type, member), FF_WORD_##words, NULL \
  }
#define FIELD_SECRET(type, member)                                              \
  {                                                                             \
#member, FF_FIELD_TEXT, offsetof(type, member), FF_FIELD_SECRET, NULL       \
  }
#define FIELD_OF(type, kind, member, struct_)                        \
  {                                                                  \
#member, FF_FIELD_##kind, offsetof(type, member), -1, &(struct_) \
  }
#define STRUCT_TABLE(symbol, c_type, ...)                                                      \
  static const struct ff_field symbol##_fields[] = {__VA_ARGS__};                              \
  const struct ff_struct symbol = {#c_type, sizeof(struct c_type), ARRAY_LEN(symbol##_fields), \
                                   symbol##_fields}
#define STRUCT_EMPTY(symbol, c_type) \
  const struct ff_struct symbol = {#c_type, sizeof(struct c_type), 0, NULL}

/* Shared structs, defined in fields_shared.c. */
extern const struct ff_struct op_struct_task, op_struct_claimed, op_struct_execution,
    op_struct_attempt, op_struct_event, op_struct_fence, op_struct_lane, op_struct_scanner,
    op_struct_execution_ref;

#endif
