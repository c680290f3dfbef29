/*
 * HMAC-SHA-256 and the comparison of secrets: the two things that must come from the crypto
 * library.
 */
#ifndef BASE_HMAC_H
#define BASE_HMAC_H

#include "base/base.h"

enum { HMAC_SIZE = 32 };

/* The 32-byte digest of message under key. False when the crypto library fails or key is empty;
 * out is then all zeros. */
bool hmac_sha256(struct ff_bytes key, struct ff_bytes message, uint8_t out[HMAC_SIZE]) MUST_USE;
/* Looks at every byte whatever they are (03 H-8). Secrets are compared by this and nothing else. */
bool secret_equal(const void *a, const void *b, size_t len) MUST_USE;
/* Overwrites a secret that is no longer needed; the compiler cannot leave it out. */
void secret_wipe(void *ptr, size_t len);
/* Bytes of hex text in either case; out holds text.len / 2. False for an odd length or another
 * character. */
bool hex_decode(struct ff_str text, uint8_t *out) MUST_USE;

#endif
