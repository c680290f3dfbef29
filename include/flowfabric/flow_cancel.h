/*
 * Cancelling flows (spec 04 §14).
 *
 * The call seals the flow: members and edges can be added no more, and under cancel_all and
 * cancel_pending no new attempt of a member starts from that moment. Members are cancelled in the same
 * transaction when there are at most 256 of them; those of a larger flow are owed, and cancelled in
 * transactions of as many each, also after a crash.
 */
#ifndef FLOWFABRIC_FLOW_CANCEL_H
#define FLOWFABRIC_FLOW_CANCEL_H

#include "flowfabric/flow.h"
#include "flowfabric/schedule.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Cancels a flow. cancellation_policy: `flow_only` (members live on; `cancel_flow_only` means the same),
 * `cancel_pending` (what is not running: eligible, delayed, blocked, waiting for children, or running
 * under a lost lease; of a flow with owed members each is judged when its turn comes), `cancel_all`.
 * On a cancelled flow a stronger policy escalates; an equal or weaker one changes nothing and answers
 * the stored policy. wait says how long to wait for owed members.
 * outcome: cancelled; cancellation_scheduled (members are owed, and nobody waited);
 * partially_cancelled (what is left cannot be cancelled: failed_member_execution_ids).
 * member_execution_ids: all members in id order, ended and purged ones included; of a call that
 * changed nothing the first 1,000. Errors: invalid_input (policy, wait, reason), flow_not_found,
 * timeout (the flow is cancelled all the same). */
struct ff_cancel_flow_args {
  uint32_t size;
  struct ff_str flow_id, cancellation_policy;
  struct ff_str reason; /* at most 65,536 bytes, may be empty */
  uint8_t wait;         /* enum ff_flow_wait: no_wait, wait_timeout, wait_indefinite */
  uint64_t timeout_ms;  /* of wait_timeout, at most 300,000 */
};
struct ff_cancel_flow_result {
  struct ff_memory *memory;
  uint8_t outcome;
  uint8_t cancellation_policy; /* enum ff_flow_cancel_policy */
  uint32_t member_count;
  struct ff_execution_refs member_execution_ids, failed_member_execution_ids;
};
FF_OPERATION(cancel_flow);

/* The same without waiting (04 §14.3), for callers that cancel owed members themselves: each with
 * cancel_execution, then ack_cancel_member. outcome: cancelled; already_terminal (nothing changed: the
 * stored policy and reason). member_execution_ids: all members. Errors: invalid_input,
 * flow_not_found. */
struct ff_cancel_flow_header_args {
  uint32_t size;
  struct ff_str flow_id, reason, cancellation_policy;
};
struct ff_cancel_flow_header_result {
  struct ff_memory *memory;
  uint8_t outcome;
  uint8_t cancellation_policy;
  struct ff_str cancel_reason; /* of already_terminal */
  struct ff_execution_refs member_execution_ids;
};
FF_OPERATION(cancel_flow_header);

/* Says that an owed member has been seen to (04 FB-1, FB-2): it is owed no more if it has ended or is
 * gone; one that lives stays owed. outcome ok, always. Errors: invalid_input. */
struct ff_ack_cancel_member_args {
  uint32_t size;
  struct ff_str flow_id, execution_id;
};
struct ff_ack_cancel_member_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(ack_cancel_member);

/* Waits until a flow is gone, or cancelled with no member owed (04 FX-20). outcome: ok, timed_out. Errors:
 * invalid_input. */
struct ff_wait_for_flow_cancellation_args {
  uint32_t size;
  struct ff_str flow_id;
  uint64_t timeout_ms; /* at most 300,000; 0 = one look */
};
struct ff_wait_for_flow_cancellation_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(wait_for_flow_cancellation);

#ifdef __cplusplus
}
#endif
#endif
