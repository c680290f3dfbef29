/*
 * Waitpoint tokens (03 §11, §12.1, H-18): `<kid>:<64 hex>`, a bearer credential for one waitpoint
 * of one execution.
 *
 * A token is never stored: it is made again from the kid and the secret. Its text may appear only
 * where 03 §12.7 lists it; everything else shows token_redact.
 */
#ifndef OP_TOKEN_H
#define OP_TOKEN_H

#include "base/hmac.h"
#include "base/ids.h"

enum {
  TOKEN_KID_MAX = 128,
  TOKEN_DIGEST_LEN = 2 * HMAC_SIZE,
  TOKEN_MAX = TOKEN_KID_MAX + 1 + TOKEN_DIGEST_LEN,
  TOKEN_FINGERPRINT_LEN = 16
};

struct token_text {
  char text[TOKEN_MAX + 1]; /* NUL-terminated */
  size_t len;
};

/* The halves of a presented token; they point into it. */
struct token_parts {
  struct ff_str kid;    /* 1..128 bytes */
  struct ff_str digest; /* 64 lower-case hex digits */
};

/* H-5: 1..128 bytes of printable ASCII without ':' and space. */
bool token_kid_valid(struct ff_str kid) MUST_USE;
/* H-1. False when the secret is unusable (H-10) or the kid breaks H-5: then nothing is minted. */
bool token_mint(struct ff_str kid, struct ff_bytes secret, struct exec_id execution,
                struct uuid waitpoint, struct token_text *out) MUST_USE;
/* D-3: split at the first ':'. False for anything that is not of the form. */
bool token_parse(struct ff_str token, struct token_parts *out) MUST_USE;

enum token_match { TOKEN_MATCH, TOKEN_MISMATCH, TOKEN_BAD_SECRET };
/* D-6: computes the digest over the ids of the call and compares 32 bytes in constant time. */
enum token_match token_check(const struct token_parts *parts, struct ff_bytes secret,
                             struct exec_id execution, struct uuid waitpoint) MUST_USE;

/* H-3: the first 16 digits of the digest. Empty texts for a token that does not parse. */
void token_fingerprint(struct ff_str token, struct ff_str *kid, struct ff_str *fingerprint);
/* H-18: `<kid>:<REDACTED:len=64>` or `<REDACTED:malformed>`; the text lives in the arena. */
struct ff_str token_redact(struct ff_str token, struct arena *arena);

#endif
