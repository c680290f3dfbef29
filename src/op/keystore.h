/*
 * The key store of waitpoint tokens (03 §12): which kid is current, which still verify, making and
 * checking tokens with them.
 *
 * Global records: one token_key a kid, and the setting that names the current one, so that two
 * installers always meet in one row.
 */
#ifndef OP_KEYSTORE_H
#define OP_KEYSTORE_H

#include "op/execution.h"

struct keystore {
  struct ff_str current_kid; /* absent: no secret yet */
  const struct token_key *const *keys;
  size_t count;
};

/* What a new waitpoint keeps of its token, and the token itself, once. */
struct minted_token {
  struct ff_str kid, fingerprint, token;
};

/* The key of the setting that names the current kid. */
extern const struct setting keystore_current;

void keystore_declare(struct declare *);
enum ff_rc keystore_load(struct tx *, struct keystore *) MUST_USE;
/* NULL when the kid is not known. */
const struct token_key *keystore_find(const struct keystore *, struct ff_str kid);
/* Current, or in its own grace (H-9). */
bool keystore_verifies(const struct keystore *, const struct token_key *, int64_t now);
/* H-1, H-2: under the current kid; texts live in the arena of the transaction. Errors:
 * hmac_secret_not_initialized, invalid_secret. */
enum ff_rc keystore_mint(struct tx *, const struct keystore *, struct exec_id,
                         struct uuid waitpoint, struct minted_token *, struct ff_error *) MUST_USE;
/* The same under a known kid, absent when its secret is unusable. */
struct ff_str keystore_token(struct tx *, const struct token_key *, struct exec_id,
                             struct uuid waitpoint);
/* the token this key makes has that fingerprint. */
bool keystore_fits(struct tx *, const struct token_key *, struct exec_id, struct uuid waitpoint,
                   struct ff_str fingerprint);
/* D-2 … D-6: looks at the arguments and the key store, at nothing else. Errors: missing_token,
 * invalid_token, hmac_secret_not_initialized, token_expired, invalid_secret. */
enum ff_rc keystore_verify(struct tx *, const struct keystore *, struct ff_str token,
                           struct exec_id, struct uuid waitpoint, struct ff_error *) MUST_USE;

#endif
