/*
 * The thin wrapper of the crypto library: HMAC-SHA-256, constant-time comparison, wiping.
 *
 * No other file includes OpenSSL. Nothing here keeps, logs or formats a secret.
 */
#include "base/hmac.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

bool hmac_sha256(struct ff_bytes key, struct ff_bytes message, uint8_t out[HMAC_SIZE]) {
  memset(out, 0, HMAC_SIZE);
  if (key.len == 0 || key.len > INT_MAX) return false;
  unsigned len = 0;
  if (!HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)message.ptr, message.len,
            out, &len)) {
    memset(out, 0, HMAC_SIZE);
    return false;
  }
  INVARIANT(len == HMAC_SIZE);
  return true;
}

bool secret_equal(const void *a, const void *b, size_t len) {
  return CRYPTO_memcmp(a, b, len) == 0;
}

void secret_wipe(void *ptr, size_t len) { OPENSSL_cleanse(ptr, len); }

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_decode(struct ff_str text, uint8_t *out) {
  if (text.len % 2 != 0) return false;
  for (size_t i = 0; i < text.len; i += 2) {
    int high = hex_digit(text.ptr[i]), low = hex_digit(text.ptr[i + 1]);
    if (high < 0 || low < 0) return false;
    out[i / 2] = (uint8_t)(high << 4 | low);
  }
  return true;
}
