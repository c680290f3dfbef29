/*
 * What operations on flows share: reading a flow and its members, counting how members end.
 *
 * These functions read and change staged records of a flow; what waits for whom is in cascade.h.
 */
#ifndef OP_FLOW_H
#define OP_FLOW_H

#include "op/execution.h"

/* A flow by the id its caller gave: the partition follows from it (01 PT-2). */
struct flow_id {
  uint16_t partition;
  struct uuid uuid;
};
/* invalid_input unless text is a uuid other than nil. */
enum ff_rc flow_id_parse(struct ff_str text, const struct op_config *, struct flow_id *,
                         struct ff_error *) MUST_USE;
/* FC-2 */
enum ff_rc flow_check_labels(struct ff_str kind, struct ff_str namespace_,
                             struct ff_error *) MUST_USE;
/* A new flow, open and empty; it must have been read as absent. */
struct flow *flow_insert(struct tx *, struct flow_id, struct ff_str kind, struct ff_str namespace_);
/* The keys of a flow's records: flow, cancel_backlog; with a member or an edge: the others. */
#define FLOW_KEY(type, id) (&(struct type){.partition = (id).partition, .flow_id = (id).uuid})

/* FF_MISS, flow_not_found, or FF_OK. */
enum ff_rc flow_load(struct tx *, struct flow_id, const struct flow **, struct ff_error *) MUST_USE;
/* The same, and flow_already_terminal when it is cancelled. */
enum ff_rc flow_load_open(struct tx *, struct flow_id, const struct flow **,
                          struct ff_error *) MUST_USE;
enum ff_rc flow_member_get(struct tx *, struct flow_id, struct uuid execution_id,
                           const struct flow_member **) MUST_USE;
void declare_flow(struct declare *, struct flow_id);
void declare_flow_member(struct declare *, struct flow_id, struct uuid execution_id);

/* 04 §1, PT-7: an execution id given together with a flow carries the flow's partition. */
enum ff_rc flow_check_partition(struct flow_id, struct exec_id, const char *field,
                                struct ff_error *) MUST_USE;

/* Counts a member's end in its record and its flow's (04 §8.1 step 2), or takes that back: outcome
 * none. lost_quorum: cancelled because others were enough (FD-3). Both records are staged. */
void flow_member_count(struct tx *, struct flow *, struct flow_member *,
                       enum ff_terminal_outcome outcome, bool lost_quorum);
static inline struct flow_id flow_id_of(const struct flow *flow) {
  return (struct flow_id){flow->partition, flow->flow_id};
}

static inline struct flow_id flow_of_member(const struct execution *x) {
  return (struct flow_id){x->partition, x->flow_id};
}

#endif
