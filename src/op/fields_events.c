/*
 * How the arguments and results of the operations of events.h are laid out, in its order.
 *
 * Every member but `size` and `memory` has its row; test/unit/test_fields.c finds a forgotten one.
 */
#include "op/fields.h"

extern const struct ff_struct op_struct_event_filter, op_struct_lease_history_event,
    op_struct_completion_event, op_struct_signal_delivery_event, op_struct_instance_tag_event;

#define S struct ff_event_filter
STRUCT_TABLE(op_struct_event_filter, ff_event_filter,
             FIELD_AS(S, TEXT, namespace_, "namespace"), FIELD(S, TEXT, tag_key),
             FIELD(S, TEXT, tag_value));
#undef S

#define S struct ff_lease_history_event
STRUCT_TABLE(op_struct_lease_history_event, ff_lease_history_event,
             FIELD(S, BYTES, cursor), FIELD(S, ID, execution_id), FIELD(S, I64, at),
             FIELD_WORD(S, kind, lease_event), FIELD(S, ID, lease_id),
             FIELD(S, TEXT, worker_instance_id), FIELD(S, TEXT, prev_owner),
             FIELD(S, ID, new_lease_id), FIELD(S, TEXT, new_owner),
             FIELD_WORD(S, revoked_by, revoked_by), FIELD(S, TEXT, reason));
#undef S

#define S struct ff_completion_event
STRUCT_TABLE(op_struct_completion_event, ff_completion_event,
             FIELD(S, BYTES, cursor), FIELD(S, ID, execution_id), FIELD(S, I64, at),
             FIELD_WORD(S, outcome, terminal_outcome), FIELD(S, ID, flow_id));
#undef S

#define S struct ff_signal_delivery_event
STRUCT_TABLE(op_struct_signal_delivery_event, ff_signal_delivery_event,
             FIELD(S, BYTES, cursor), FIELD(S, ID, execution_id), FIELD(S, I64, at),
             FIELD(S, ID, signal_id), FIELD(S, ID, waitpoint_id), FIELD(S, TEXT, source_identity),
             FIELD_WORD(S, effect, signal_delivery),
             FIELD_WORD(S, observed_effect, signal_effect));
#undef S

#define S struct ff_instance_tag_event
STRUCT_TABLE(op_struct_instance_tag_event, ff_instance_tag_event,
             FIELD(S, BYTES, cursor), FIELD(S, ID, execution_id), FIELD(S, I64, at),
             FIELD(S, TEXT, tag), FIELD(S, TEXT, value));
#undef S

#define SUBSCRIPTION(name, item)                                                              \
  STRUCT_TABLE(op_args_subscribe_##name, ff_subscribe_##name##_args,                          \
               FIELD(struct ff_subscribe_##name##_args, BYTES, cursor),                       \
               FIELD(struct ff_subscribe_##name##_args, BOOL, from_start),                    \
               FIELD_OF(struct ff_subscribe_##name##_args, STRUCT, filter,                    \
                        op_struct_event_filter),                                              \
               FIELD(struct ff_subscribe_##name##_args, U32, limit),                          \
               FIELD(struct ff_subscribe_##name##_args, U64, max_wait_ms));                   \
  STRUCT_TABLE(op_result_subscribe_##name, ff_subscribe_##name##_result,                      \
               FIELD_OF(struct ff_subscribe_##name##_result, LIST, events, item),             \
               FIELD(struct ff_subscribe_##name##_result, BYTES, next_cursor),                \
               FIELD(struct ff_subscribe_##name##_result, BOOL, dropped))

SUBSCRIPTION(lease_history, op_struct_lease_history_event);
SUBSCRIPTION(completion, op_struct_completion_event);
SUBSCRIPTION(signal_delivery, op_struct_signal_delivery_event);
SUBSCRIPTION(instance_tags, op_struct_instance_tag_event);
