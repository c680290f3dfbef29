/*
 * The one walk over what a lane offers, in claim order (06 D.1, D.5): every claim form and the
 * listing of eligible work go through it.
 *
 * It merges the heads of the lane's requirement sets, so that unmatchable work at the
 * head hides nothing, and passes over executions with a live grant (06 S-6).
 */
#ifndef OP_CANDIDATES_H
#define OP_CANDIDATES_H

#include "op/admission.h"

/* One requirement set's stretch of the eligible index. */
struct candidate_head {
  struct tx_scan scan;
  const struct execution *next; /* NULL = not read yet, or ended */
  uint32_t passed;              /* skipped because of a live grant */
  bool ended;
};

struct candidates {
  struct tx *tx;
  struct candidate_head *heads;
  uint32_t count, capacity;
  uint32_t expect;
  bool payloads; /* whoever takes one will read its payload */
  bool missing; /* a head is not loaded yet: the walk cannot start */
  struct admission admission;
  uint32_t held_back; /* blocked so far */
  bool cut;           /* it ended because it has blocked as many as it may: there may be more */
};

/* What a walk reads, as far as the arguments tell: the lane, its requirement sets unless the worker
 * offers nothing, and the head of work that requires nothing. capabilities NULL = a listing. */
void candidates_declare(struct declare *, struct ff_str lane_id, const struct ff_str *capabilities,
                        uint32_t expect);

/* Whether claims find anything in a lane of that state (06 E.1). */
bool lane_state_gives_work(enum ff_lane_state);
/* For a worker: a paused or disabled lane gives an empty walk (06 E.1). capabilities is sorted CSV.
 * FF_MISS only after everything the walk begins with has been asked for. */
enum ff_rc candidates_open(struct tx *, struct ff_str lane_id, struct ff_str capabilities,
                           uint32_t expect, struct candidates *) MUST_USE;
/* For a listing: every requirement set, whatever the lane's state. */
enum ff_rc candidates_open_all(struct tx *, struct ff_str lane_id, uint32_t expect,
                               struct candidates *) MUST_USE;

/* The claim order within a lane: priority, age, id (06 S-2). */
bool candidate_runs_before(const struct execution *, const struct execution *);
/* The next eligible, ungranted execution, NULL at the end. */
enum ff_rc candidates_next(struct candidates *, const struct execution **) MUST_USE;
/* The same, with the admission of 06 D.4: what a worker may get. Who may not be claimed now is
 * blocked on the way. Work whose payload or grant cannot be read is passed over; a budget that cannot
 * be read fails the walk (06 S-45). */
enum ff_rc candidates_next_admitted(struct candidates *, const struct execution **,
                                    struct ff_error *) MUST_USE;
/* Asks for more of every head. Before an operation over several walks hands up FF_MISS, so that all
 * of them grow in the same round. */
void candidates_expand(struct candidates *);
/* Loads what a claim of this candidate needs beside its row, as below. FF_UNREADABLE when that is
 * known to be spoiled. */
enum ff_rc candidate_load(struct tx *, const struct execution *, bool payload) MUST_USE;
/* Asks for what a claim of each loaded candidate needs beside its row: large payloads (when wanted)
 * and dead grants. Before an operation hands up FF_MISS over one of them: the other claims of its
 * batch will want the next candidates, and would otherwise cost a round each. Ends the walk. */
void candidates_prefetch(struct candidates *, bool payloads);

#endif
