/*
 * How the arguments and results of the operations of worker.h are laid out, in its order.
 *
 * Every member but `size` and `memory` has its row; test/unit/test_fields.c finds a forgotten one.
 */
#include "op/fields.h"

#define S struct ff_worker
STRUCT_TABLE(op_struct_worker, ff_worker,
             FIELD_AS(S, TEXT, namespace_, "namespace"), FIELD(S, TEXT, worker_instance_id),
             FIELD(S, TEXT, worker_id), FIELD(S, STRS, lanes), FIELD(S, STRS, capabilities),
             FIELD(S, I64, last_heartbeat_ms), FIELD(S, U64, liveness_ttl_ms),
             FIELD(S, I64, registered_at_ms));
#undef S

#define S struct ff_register_worker_args
STRUCT_TABLE(op_args_register_worker, ff_register_worker_args,
             FIELD(S, TEXT, worker_id), FIELD(S, TEXT, worker_instance_id), FIELD(S, STRS, lanes),
             FIELD(S, STRS, capabilities), FIELD(S, U64, liveness_ttl_ms),
             FIELD_AS(S, TEXT, namespace_, "namespace"));
#undef S

#define S struct ff_register_worker_result
STRUCT_TABLE(op_result_register_worker, ff_register_worker_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, I64, next_expiry_ms));
#undef S

#define S struct ff_heartbeat_worker_args
STRUCT_TABLE(op_args_heartbeat_worker, ff_heartbeat_worker_args,
             FIELD(S, TEXT, worker_instance_id), FIELD_AS(S, TEXT, namespace_, "namespace"));
#undef S

#define S struct ff_heartbeat_worker_result
STRUCT_TABLE(op_result_heartbeat_worker, ff_heartbeat_worker_result,
             FIELD_WORD(S, outcome, outcome), FIELD(S, I64, next_expiry_ms));
#undef S

#define S struct ff_mark_worker_dead_args
STRUCT_TABLE(op_args_mark_worker_dead, ff_mark_worker_dead_args,
             FIELD(S, TEXT, worker_instance_id), FIELD_AS(S, TEXT, namespace_, "namespace"),
             FIELD(S, TEXT, reason));
#undef S

#define S struct ff_mark_worker_dead_result
STRUCT_TABLE(op_result_mark_worker_dead, ff_mark_worker_dead_result,
             FIELD_WORD(S, outcome, outcome));
#undef S

#define S struct ff_list_workers_args
STRUCT_TABLE(op_args_list_workers, ff_list_workers_args,
             FIELD_AS(S, TEXT, namespace_, "namespace"), FIELD(S, TEXT, after),
             FIELD(S, U32, limit));
#undef S

#define S struct ff_list_workers_result
STRUCT_TABLE(op_result_list_workers, ff_list_workers_result,
             FIELD_OF(S, LIST, workers, op_struct_worker), FIELD(S, TEXT, cursor));
#undef S
