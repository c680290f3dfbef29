/*
 * Waiting for the outside world: waitpoints, suspensions, signals, and the keys their tokens are
 * made with (spec 03).
 *
 * A waitpoint token is a bearer credential: whoever has it may signal that waitpoint. It is answered
 * where it is minted and by read_waitpoint_token, and shown nowhere else.
 */
#ifndef FLOWFABRIC_SIGNAL_H
#define FLOWFABRIC_SIGNAL_H

#include "flowfabric/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- waitpoints */

/* Makes a waitpoint ahead of the suspension that will use it, so that its token can be handed out
 * first (03 §3). It accepts signals at once and keeps them; it closes by itself when it has not been
 * used within expires_in_ms. Only a request_id makes a repeat safe: without one a repeat makes
 * another waitpoint (W-9). Errors, first one first: handle_from_other_backend, already_suspended
 * (a suspended handle), invalid_input (also too_many_waitpoints: 1,024 wait already), corruption,
 * execution_not_found, execution_not_active, lease_revoked, lease_expired, stale_lease,
 * hmac_secret_not_initialized, invalid_secret. */
struct ff_create_waitpoint_args {
  uint32_t size;
  struct ff_handle handle;
  struct ff_str waitpoint_key; /* 1..256 bytes without control characters; need not be unique */
  uint64_t expires_in_ms;      /* at least 1; beyond the end of time means never */
  struct ff_str request_id;    /* at most 128 bytes; the same one again: the first answer */
};
struct ff_create_waitpoint_result {
  struct ff_memory *memory;
  struct ff_id waitpoint_id;
  struct ff_str waitpoint_key;
  struct ff_str waitpoint_token; /* secret */
};
FF_OPERATION(create_waitpoint);

/* Closes a waitpoint that no suspension uses; signals to it are refused from then on (03 T-14).
 * outcome: closed, already_closed. Errors: invalid_input, waitpoint_not_found,
 * invalid_waitpoint_for_execution (another's), waitpoint_not_pending (a suspension waits on it). */
struct ff_close_waitpoint_args {
  uint32_t size;
  struct ff_str execution_id, waitpoint_id;
  struct ff_str reason; /* at most 256 bytes; absent = proactive_close */
};
struct ff_close_waitpoint_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(close_waitpoint);

/* What time does to a waitpoint nobody has used (03 T-10 … T-13); engines apply it by themselves.
 * outcome: expired (closed as never_committed), not_yet_due, cleaned (missing, active or closed:
 * nothing to do). Errors: invalid_input. */
struct ff_expire_pending_waitpoint_args {
  uint32_t size;
  struct ff_str execution_id, waitpoint_id;
};
struct ff_expire_pending_waitpoint_result {
  struct ff_memory *memory;
  uint8_t outcome;
};
FF_OPERATION(expire_pending_waitpoint);

/* A waitpoint that accepts signals (01 RC-7). Never its token. */
struct ff_pending_waitpoint {
  struct ff_id waitpoint_id;
  struct ff_str waitpoint_key;
  uint8_t state;                         /* enum ff_waitpoint_state: pending or active */
  struct ff_strs required_signal_names;  /* empty = any; __operator_only__, __timeout_only__ (L-4) */
  int64_t created_at;
  int64_t activated_at; /* 0 while pending */
  int64_t expires_at;   /* 0 = never */
  struct ff_id execution_id;
  struct ff_str token_kid, token_fingerprint;
};
struct ff_pending_waitpoints {
  const struct ff_pending_waitpoint *items;
  size_t count;
};
/* The waitpoints of an execution that accept signals, by id (03 §7.2). Errors: invalid_input,
 * execution_not_found. */
struct ff_list_pending_waitpoints_args {
  uint32_t size;
  struct ff_str execution_id;
  struct ff_str after; /* exclusive: the next_cursor of the page before */
  uint32_t limit;      /* 0 = 100; at most 1,000 */
};
struct ff_list_pending_waitpoints_result {
  struct ff_memory *memory;
  struct ff_pending_waitpoints entries;
  struct ff_str next_cursor; /* absent on the last page */
};
FF_OPERATION(list_pending_waitpoints);

/* The token of a waitpoint that accepts signals, for operators: do not keep or log it (03 §7.3).
 * When the grace of its kid is over, one under the current kid. Absent: no such waitpoint in that
 * partition, closed, or expired. Errors: invalid_input, invalid_secret. */
struct ff_read_waitpoint_token_args {
  uint32_t size;
  struct ff_str partition; /* `{fp:N}` of the execution's id */
  struct ff_str waitpoint_id;
};
struct ff_read_waitpoint_token_result {
  struct ff_memory *memory;
  struct ff_str token; /* secret; absent = none */
};
FF_OPERATION(read_waitpoint_token);

/* ---------------------------------------------------------------- keys of tokens */

/* Installs the first secret, or finds it installed: safe at every start (03 §12.3). A new store
 * already has one of its own, kid k1. outcome: seeded, already_seeded (the kid is known; nothing
 * changes, also when the secret differs). Errors: invalid_kid, invalid_secret_hex, invalid_input
 * (another kid is current: rotate instead). */
struct ff_seed_waitpoint_hmac_secret_args {
  uint32_t size;
  struct ff_str kid;        /* 1..128 printable ASCII characters without blanks and ':' */
  struct ff_str secret_hex; /* secret; exactly 64 hex characters */
};
struct ff_seed_waitpoint_hmac_secret_result {
  struct ff_memory *memory;
  uint8_t outcome;
  struct ff_str kid;
  bool same_secret;
};
FF_OPERATION(seed_waitpoint_hmac_secret);

/* What one replica of the key store answered; error.rc FF_OK: outcome is rotated or noop. */
struct ff_rotation {
  struct ff_error error; /* rotation_conflict: the kid was used before, with context kid */
  uint32_t partition;
  uint8_t outcome;
  struct ff_str previous_kid; /* absent when there was none */
  struct ff_str new_kid;
  uint32_t gc_count; /* kids that were removed because their grace was over */
};
struct ff_rotations {
  const struct ff_rotation *items;
  size_t count;
};
/* Makes a new secret current; tokens of the former one verify for grace_ms more (03 §12.4). A repeat
 * answers noop. One entry per replica of the key store: one, of partition 0. Errors: invalid_kid,
 * invalid_secret_hex, invalid_grace_ms. */
struct ff_rotate_waitpoint_hmac_secret_all_args {
  uint32_t size;
  struct ff_str new_kid;
  struct ff_str new_secret_hex; /* secret; 2 to 512 hex characters, better 64 */
  uint64_t grace_ms;            /* at most 2^53-1 */
};
struct ff_rotate_waitpoint_hmac_secret_all_result {
  struct ff_memory *memory;
  struct ff_rotations entries;
  bool weak_secret; /* shorter than 64 hex characters */
};
FF_OPERATION(rotate_waitpoint_hmac_secret_all);

/* A former kid whose tokens still verify. */
struct ff_waitpoint_kid {
  struct ff_str kid;
  int64_t expires_at_ms;
};
struct ff_waitpoint_kids {
  const struct ff_waitpoint_kid *items;
  size_t count;
};
/* Which kids verify, without their secrets (03 §12.5). */
struct ff_list_waitpoint_hmac_kids_args {
  uint32_t size;
};
struct ff_list_waitpoint_hmac_kids_result {
  struct ff_memory *memory;
  struct ff_str current_kid; /* absent: none */
  struct ff_waitpoint_kids verifying; /* by expires_at_ms, then kid */
};
FF_OPERATION(list_waitpoint_hmac_kids);

#ifdef __cplusplus
}
#endif
#endif
