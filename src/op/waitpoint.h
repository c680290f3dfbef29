/*
 * Waitpoints (03 §2.1): making, closing and counting them.
 *
 * An execution counts its pending waitpoints and knows a time before which none of them expires
 * (execution.waitpoint_due_at): they fall due through the one due index.
 */
#ifndef OP_WAITPOINT_H
#define OP_WAITPOINT_H

#include "op/keystore.h"

enum { WAITPOINT_KEY_MAX_BYTES = 256, PENDING_WAITPOINTS_MAX = 1024 };

/* 1..256 bytes of UTF-8 without control characters. */
enum ff_rc waitpoint_key_check(struct ff_str key, const char *field, struct ff_error *e) MUST_USE;
void declare_waitpoint(struct declare *, uint16_t partition, struct uuid);
/* NULL when there is none of that id in the partition. */
enum ff_rc waitpoint_get(struct tx *, uint16_t partition, struct uuid,
                         const struct waitpoint **) MUST_USE;
/* A new one of this execution's current attempt; its state is pending until the caller says more. */
struct waitpoint *waitpoint_insert(struct tx *, struct execution *, struct uuid, struct ff_str key,
                                   const struct minted_token *);
/* Counts it in or out; the due time of the execution follows. */
void waitpoint_count_pending(struct execution *, const struct waitpoint *);
void waitpoint_leave_pending(struct execution *);
/* The token of a waitpoint under its own kid while that verifies, else under the current one (L-7);
 * absent when neither has a secret. Errors: invalid_secret. */
enum ff_rc waitpoint_token(struct tx *, const struct keystore *, const struct waitpoint *,
                           struct ff_str *, struct ff_error *) MUST_USE;
/* while its kid is known, that must still make the token it was given. Errors: invalid_token. */
enum ff_rc waitpoint_check_token(struct tx *, const struct keystore *, const struct waitpoint *,
                                 struct ff_error *) MUST_USE;
void waitpoint_close(struct tx *, struct waitpoint *, struct ff_str reason, bool satisfied);
/* Asks for what closing them will read. */
enum ff_rc waitpoints_want_pending(struct tx *, const struct execution *) MUST_USE;
/* Closes every pending waitpoint (T-17). FF_MISS until they are loaded. */
enum ff_rc waitpoints_close_pending(struct tx *, struct execution *, struct ff_str reason) MUST_USE;
/* The waitpoints of an execution: those that are open first, by id. */
enum ff_rc waitpoints_open(struct tx *, const struct execution *, struct tx_scan *) MUST_USE;

#endif
