/*
 * How the arguments and results of the operation of why.h are laid out.
 *
 * Every member but `size` and `memory` has its row; test/unit/test_fields.c finds a forgotten one.
 */
#include "op/fields.h"

#include "flowfabric/why.h"

#define S struct ff_blocker
STRUCT_TABLE(op_struct_blocker, ff_blocker,
             FIELD(S, TEXT, kind), FIELD(S, TEXT, id), FIELD(S, TEXT, detail),
             FIELD(S, U64, current), FIELD(S, U64, limit), FIELD(S, I64, until));
#undef S

#define S struct ff_why_args
STRUCT_TABLE(op_args_why, ff_why_args, FIELD(S, TEXT, execution_id));
#undef S

#define S struct ff_why_result
STRUCT_TABLE(op_result_why, ff_why_result,
             FIELD_WORD(S, outcome, outcome), FIELD_WORD(S, reason, why_reason),
             FIELD(S, TEXT, sentence), FIELD_WORD(S, public_state, public_state),
             FIELD(S, TEXT, lane_id), FIELD_WORD(S, lane_state, lane_state), FIELD(S, U32, ahead),
             FIELD(S, BOOL, ahead_or_more), FIELD(S, I64, until),
             FIELD_OF(S, LIST, blockers, op_struct_blocker));
#undef S
