/*
 * What operations share about waitpoints: reading, inserting, counting and closing them.
 *
 * Changes staged records; decides nothing about whether it may.
 */
#include "op/waitpoint.h"

enum ff_rc waitpoint_key_check(struct ff_str key, const char *field, struct ff_error *e) {
  if (!text_nonempty(key)) return error_field(e, FF_CODE_invalid_input, field, "must not be empty");
  TRY(text_check(key, field, WAITPOINT_KEY_MAX_BYTES, e));
  for (size_t i = 0; i < key.len; i++)
    if ((unsigned char)key.ptr[i] < ' ' || key.ptr[i] == 0x7f)
      return error_field(e, FF_CODE_invalid_input, field, "control character at %zu", i);
  return FF_OK;
}

static struct waitpoint key_of(uint16_t partition, struct uuid id) {
  return (struct waitpoint){.partition = partition, .waitpoint_id = id};
}

void declare_waitpoint(struct declare *d, uint16_t partition, struct uuid id) {
  struct waitpoint key = key_of(partition, id);
  declare_get(d, RECORD_KIND_waitpoint, &key);
}

enum ff_rc waitpoint_get(struct tx *tx, uint16_t partition, struct uuid id,
                         const struct waitpoint **out) {
  struct waitpoint key = key_of(partition, id);
  return tx_get_waitpoint(tx, &key, out);
}

struct waitpoint *waitpoint_insert(struct tx *tx, struct execution *x, struct uuid id,
                                   struct ff_str key, const struct minted_token *token) {
  struct waitpoint record_key = key_of(x->partition, id);
  struct waitpoint *w = tx_insert_new_waitpoint(tx, &record_key);
  w->execution_id = x->id;
  w->attempt_index = x->attempt_index;
  w->waitpoint_key = key;
  w->state = FF_waitpoint_state_pending;
  w->token_kid = token->kid;
  w->token_fingerprint = token->fingerprint;
  w->created_at = tx_now(tx);
  x->waitpoint_count++;
  return w;
}

void waitpoint_count_pending(struct execution *x, const struct waitpoint *w) {
  if (!x->pending_waitpoints || w->expires_at < x->waitpoint_due_at)
    x->waitpoint_due_at = w->expires_at;
  x->pending_waitpoints++;
}

/* Of the others one may fall due later than waitpoint_due_at says: found out when it comes. */
void waitpoint_leave_pending(struct execution *x) {
  if (x->pending_waitpoints) x->pending_waitpoints--;
  if (!x->pending_waitpoints) x->waitpoint_due_at = 0;
}

enum ff_rc waitpoint_token(struct tx *tx, const struct keystore *keys, const struct waitpoint *w,
                           struct ff_str *out, struct ff_error *e) {
  const struct token_key *own = keystore_find(keys, w->token_kid);
  const struct token_key *current = keystore_find(keys, keys->current_kid);
  const struct token_key *key =
      own && (keystore_verifies(keys, own, tx_now(tx)) || !current) ? own : current;
  *out = (struct ff_str){NULL, 0};
  if (!key) return FF_OK;
  *out = keystore_token(tx, key, (struct exec_id){w->partition, w->execution_id}, w->waitpoint_id);
  if (text_present(*out)) return FF_OK;
  return error_set(e, FF_CODE_invalid_secret, "the secret of kid " TEXT_FMT " is unusable",
                   TEXT_ARG(key->kid));
}

enum ff_rc waitpoint_check_token(struct tx *tx, const struct keystore *keys,
                                 const struct waitpoint *w, struct ff_error *e) {
  const struct token_key *own = keystore_find(keys, w->token_kid);
  struct exec_id id = {w->partition, w->execution_id};
  if (!own || keystore_fits(tx, own, id, w->waitpoint_id, w->token_fingerprint)) return FF_OK;
  return error_set(e, FF_CODE_invalid_token, "the secret of kid " TEXT_FMT " has changed",
                   TEXT_ARG(w->token_kid));
}

void waitpoint_close(struct tx *tx, struct waitpoint *w, struct ff_str reason, bool satisfied) {
  w->state = FF_waitpoint_state_closed;
  w->closed_at = tx_now(tx);
  if (satisfied) w->satisfied_at = tx_now(tx);
  w->close_reason = reason;
}

enum ff_rc waitpoints_open(struct tx *tx, const struct execution *x, struct tx_scan *scan) {
  struct waitpoint from = {.partition = x->partition, .execution_id = x->id};
  uint32_t expect =
      1 + (x->pending_waitpoints < PENDING_WAITPOINTS_MAX ? x->pending_waitpoints
                                                          : PENDING_WAITPOINTS_MAX);
  return tx_scan_open(tx, INDEX_waitpoint_by_execution, &from, false, expect, scan);
}

enum ff_rc waitpoints_want_pending(struct tx *tx, const struct execution *x) {
  struct tx_scan scan;
  const void *record = NULL;
  if (!x->pending_waitpoints) return FF_OK;
  TRY(waitpoints_open(tx, x, &scan));
  do TRY(tx_scan_next(&scan, &record));
  while (record && !((const struct waitpoint *)record)->closed_at);
  return FF_OK;
}

enum ff_rc waitpoints_close_pending(struct tx *tx, struct execution *x, struct ff_str reason) {
  struct tx_scan scan;
  if (!x->pending_waitpoints) return FF_OK;
  TRY(waitpoints_open(tx, x, &scan));
  for (;;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    const struct waitpoint *w = record;
    if (w->closed_at) break;
    if (w->state == FF_waitpoint_state_pending)
      waitpoint_close(tx, tx_edit_waitpoint(tx, w), reason, false);
  }
  x->pending_waitpoints = 0;
  x->waitpoint_due_at = 0;
  return FF_OK;
}
