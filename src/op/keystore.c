/*
 * The key store of waitpoint tokens: loading it, minting and verifying with it (03 §11, §12.2).
 *
 * Which operation may change it is keystore_admin.c's. No digest or secret reaches an error.
 */
#include "op/keystore.h"

#include "op/token.h"

#define KEYS_EXPECTED 8

#define CURRENT_SETTING "waitpoint_current_kid"
const struct setting keystore_current = {.name = {CURRENT_SETTING, sizeof CURRENT_SETTING - 1}};

void keystore_declare(struct declare *d) {
  declare_get(d, RECORD_KIND_setting, &keystore_current);
  declare_scan(d, INDEX_token_key_by_kid, &(struct token_key){0}, false, KEYS_EXPECTED);
}

enum ff_rc keystore_load(struct tx *tx, struct keystore *out) {
  const struct setting *current = NULL;
  struct tx_scan scan;
  size_t capacity = KEYS_EXPECTED;
  const struct token_key **keys = ARENA_ARRAY(tx_arena(tx), const struct token_key *, capacity);
  *out = (struct keystore){0};
  enum ff_rc opened =
      tx_scan_open(tx, INDEX_token_key_by_kid, &(struct token_key){0}, false, KEYS_EXPECTED, &scan);
  TRY(tx_get_setting(tx, &keystore_current, &current));
  TRY(opened);
  for (;;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    if (out->count == capacity) {
      const struct token_key **more =
          ARENA_ARRAY(tx_arena(tx), const struct token_key *, 2 * capacity);
      memcpy(more, keys, capacity * sizeof *keys);
      keys = more;
      capacity *= 2;
    }
    keys[out->count++] = record;
  }
  out->keys = keys;
  if (current) out->current_kid = current->value;
  return FF_OK;
}

const struct token_key *keystore_find(const struct keystore *store, struct ff_str kid) {
  for (size_t i = 0; i < store->count; i++)
    if (text_compare(store->keys[i]->kid, kid) == 0) return store->keys[i];
  return NULL;
}

bool keystore_verifies(const struct keystore *store, const struct token_key *key, int64_t now) {
  if (text_nonempty(store->current_kid) && text_compare(store->current_kid, key->kid) == 0)
    return true;
  return key->expires_at > 0 && key->expires_at >= now;
}

enum ff_rc keystore_mint(struct tx *tx, const struct keystore *store, struct exec_id execution,
                         struct uuid waitpoint, struct minted_token *out, struct ff_error *e) {
  struct token_text token;
  const struct token_key *key = keystore_find(store, store->current_kid);
  if (!text_nonempty(store->current_kid))
    return error_set(e, FF_CODE_hmac_secret_not_initialized, NULL);
  if (!key || !token_mint(key->kid, key->secret, execution, waitpoint, &token))
    return error_set(e, FF_CODE_invalid_secret, "the secret of kid " TEXT_FMT " is unusable",
                     TEXT_ARG(store->current_kid));
  struct ff_str text = arena_text(tx_arena(tx), text_of(token.text, token.len));
  *out = (struct minted_token){.token = text};
  token_fingerprint(text, &out->kid, &out->fingerprint);
  return FF_OK;
}

struct ff_str keystore_token(struct tx *tx, const struct token_key *key, struct exec_id execution,
                             struct uuid waitpoint) {
  struct token_text token;
  if (!token_mint(key->kid, key->secret, execution, waitpoint, &token))
    return (struct ff_str){NULL, 0};
  return arena_text(tx_arena(tx), text_of(token.text, token.len));
}

bool keystore_fits(struct tx *tx, const struct token_key *key, struct exec_id execution,
                   struct uuid waitpoint, struct ff_str fingerprint) {
  struct ff_str kid, made;
  token_fingerprint(keystore_token(tx, key, execution, waitpoint), &kid, &made);
  return made.len > 0 && text_compare(made, fingerprint) == 0;
}

enum ff_rc keystore_verify(struct tx *tx, const struct keystore *store, struct ff_str token,
                           struct exec_id execution, struct uuid waitpoint, struct ff_error *e) {
  struct token_parts parts;
  if (!text_nonempty(token)) return error_set(e, FF_CODE_missing_token, NULL);
  if (!token_parse(token, &parts)) return error_set(e, FF_CODE_invalid_token, NULL);
  if (!text_nonempty(store->current_kid))
    return error_set(e, FF_CODE_hmac_secret_not_initialized, NULL);
  const struct token_key *key = keystore_find(store, parts.kid);
  if (!key) return error_set(e, FF_CODE_invalid_token, NULL);
  if (!keystore_verifies(store, key, tx_now(tx)))
    return error_set(e, FF_CODE_token_expired, "kid " TEXT_FMT, TEXT_ARG(parts.kid));
  switch (token_check(&parts, key->secret, execution, waitpoint)) {
    case TOKEN_MATCH: break;
    case TOKEN_MISMATCH: return error_set(e, FF_CODE_invalid_token, NULL);
    case TOKEN_BAD_SECRET: return error_set(e, FF_CODE_invalid_secret, NULL);
  }
  if (key->expires_at) tx_valid_before(tx, add_saturating(key->expires_at, 1));
  return FF_OK;
}
