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
             FIELD(S, U64, seq), FIELD_WORD(S, mode, frame_mode), FIELD(S, TEXT, patch_kind),
             FIELD(S, U32, ttl_ms), FIELD(S, U32, maxlen_floor), FIELD(S, U32, maxlen_ceiling),
             FIELD(S, F64, ema_alpha), FIELD(S, TEXT, request_id));
#undef S

#define S struct ff_append_frame_result
STRUCT_TABLE(op_result_append_frame, ff_append_frame_result,
             FIELD(S, TEXT, stream_id), FIELD(S, U64, frame_count),
             FIELD(S, U64, summary_version));
#undef S

extern const struct ff_struct op_struct_frame_input;
#define S struct ff_frame_input
STRUCT_TABLE(op_struct_frame_input, ff_frame_input,
             FIELD(S, BYTES, bytes), FIELD_WORD(S, kind, frame_kind), FIELD(S, TEXT, frame_type),
             FIELD(S, TEXT, correlation_id), FIELD(S, BOOL, has_seq), FIELD(S, U64, seq),
             FIELD_WORD(S, mode, frame_mode), FIELD(S, TEXT, patch_kind),
             FIELD(S, U32, ttl_ms), FIELD(S, U32, maxlen_floor), FIELD(S, U32, maxlen_ceiling),
             FIELD(S, F64, ema_alpha));
#undef S

extern const struct ff_struct op_struct_frame_slot;
#define S struct ff_frame_slot
STRUCT_TABLE(op_struct_frame_slot, ff_frame_slot,
             FIELD(S, TEXT, stream_id), FIELD(S, U64, frame_count),
             FIELD(S, U64, summary_version));
#undef S

#define S struct ff_append_frames_args
STRUCT_TABLE(op_args_append_frames, ff_append_frames_args,
             FIELD(S, HANDLE, handle), FIELD_OF(S, LIST, frames, op_struct_frame_input),
             FIELD(S, TEXT, request_id));
#undef S

#define S struct ff_append_frames_result
STRUCT_TABLE(op_result_append_frames, ff_append_frames_result,
             FIELD_OF(S, LIST, slots, op_struct_frame_slot));
#undef S

extern const struct ff_struct op_struct_frame;
#define S struct ff_frame
STRUCT_TABLE(op_struct_frame, ff_frame,
             FIELD(S, TEXT, id), FIELD(S, TEXT, frame_type), FIELD(S, I64, ts),
             FIELD(S, BYTES, payload), FIELD(S, TEXT, encoding), FIELD(S, TEXT, source),
             FIELD(S, TEXT, mode), FIELD(S, TEXT, correlation_id),
             FIELD(S, BOOL, has_seq), FIELD(S, U64, seq), FIELD(S, U64, summary_version),
             FIELD(S, U32, ttl_ms));
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

#define S struct ff_tail_stream_args
STRUCT_TABLE(op_args_tail_stream, ff_tail_stream_args,
             FIELD(S, TEXT, execution_id), FIELD(S, U32, attempt_index), FIELD(S, TEXT, after),
             FIELD(S, U64, block_ms), FIELD(S, U64, count_limit),
             FIELD_WORD(S, visibility, tail_visibility));
#undef S

#define S struct ff_tail_stream_result
STRUCT_TABLE(op_result_tail_stream, ff_tail_stream_result,
             FIELD_OF(S, LIST, frames, op_struct_frame), FIELD(S, I64, closed_at),
             FIELD(S, TEXT, closed_reason));
#undef S

#define S struct ff_read_summary_args
STRUCT_TABLE(op_args_read_summary, ff_read_summary_args,
             FIELD(S, TEXT, execution_id), FIELD(S, U32, attempt_index));
#undef S

#define S struct ff_read_summary_result
STRUCT_TABLE(op_result_read_summary, ff_read_summary_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, BYTES, document_json),
             FIELD(S, U64, version), FIELD(S, TEXT, patch_kind), FIELD(S, I64, first_applied_ms),
             FIELD(S, I64, last_updated_ms));
#undef S
