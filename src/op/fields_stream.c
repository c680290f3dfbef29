/*
 * How the arguments and results of the operations of stream.h are laid out, in its order.
 *
 * Every member but `size` and `memory` has its row; test/unit/test_fields.c finds a forgotten one.
 */
#include "op/fields.h"

#define S struct ff_append_frame_args
STRUCT_TABLE(op_args_append_frame, ff_append_frame_args,
             FIELD(S, HANDLE, handle), FIELD(S, BYTES, bytes), FIELD_WORD(S, kind, frame_kind),
             FIELD(S, TEXT, frame_type), FIELD(S, TEXT, correlation_id), FIELD(S, BOOL, has_seq),
             FIELD(S, U64, seq));
#undef S

#define S struct ff_append_frame_result
STRUCT_TABLE(op_result_append_frame, ff_append_frame_result,
             FIELD(S, TEXT, stream_id), FIELD(S, U64, frame_count));
#undef S

extern const struct ff_struct op_struct_frame;
#define S struct ff_frame
STRUCT_TABLE(op_struct_frame, ff_frame,
             FIELD(S, TEXT, id), FIELD(S, TEXT, frame_type), FIELD(S, I64, ts),
             FIELD(S, BYTES, payload), FIELD(S, TEXT, encoding), FIELD(S, TEXT, source),
             FIELD(S, TEXT, mode), FIELD(S, TEXT, correlation_id),
             FIELD(S, BOOL, has_seq), FIELD(S, U64, seq));
#undef S

#define S struct ff_read_stream_args
STRUCT_TABLE(op_args_read_stream, ff_read_stream_args,
             FIELD(S, TEXT, execution_id), FIELD(S, U32, attempt_index), FIELD(S, TEXT, from),
             FIELD(S, TEXT, to), FIELD(S, U64, count_limit));
#undef S

#define S struct ff_read_stream_result
STRUCT_TABLE(op_result_read_stream, ff_read_stream_result,
             FIELD_OF(S, LIST, frames, op_struct_frame), FIELD(S, I64, closed_at),
             FIELD(S, TEXT, closed_reason));
#undef S
