/*
 * Bearer tokens, kept as digests.
 */
#include "base/hmac.h"
#include "server/server.h"
#include "wire/http.h"

#include <openssl/evp.h>
#include <stdlib.h>

void token_digest(struct ff_str token, uint8_t out[32]) {
  unsigned size = 0;
  INVARIANT(EVP_Digest(token.ptr, token.len, out, &size, EVP_sha256(), NULL) == 1 && size == 32);
}

static void add(struct auth *a, const uint8_t digest[32], unsigned granted) {
  a->tokens = heap_realloc(a->tokens, (a->count + 1) * sizeof *a->tokens);
  a->tokens[a->count].scopes = granted;
  memcpy(a->tokens[a->count++].digest, digest, 32);
}

void auth_add_token(struct auth *a, struct ff_str token) {
  uint8_t digest[32];
  token_digest(token, digest);
  add(a, digest, SCOPE_ALL);
}

bool auth_add_digest(struct auth *a, struct ff_str line) {
  const char *colon = line.len ? memchr(line.ptr, ':', line.len) : NULL;
  uint8_t digest[32];
  unsigned granted = 0;
  if (!colon) return false;
  struct ff_str names = text_of(line.ptr, (size_t)(colon - line.ptr));
  struct ff_str digits = text_of(colon + 1, line.len - names.len - 1);
  while (names.len) {
    const char *plus = memchr(names.ptr, '+', names.len);
    struct ff_str name = text_of(names.ptr, plus ? (size_t)(plus - names.ptr) : names.len);
    unsigned scope = scope_named(name);
    if (!scope) return false;
    granted |= scope;
    names = text_of(names.ptr + name.len + (plus != NULL), names.len - name.len - (plus != NULL));
  }
  if (!granted || digits.len != 64 || !hex_decode(digits, digest)) return false;
  add(a, digest, granted);
  return true;
}

void auth_fini(struct auth *a) {
  if (a->tokens) secret_wipe(a->tokens, a->count * sizeof *a->tokens);
  free(a->tokens);
  *a = (struct auth){0};
}

/* Every token is compared, whatever the others said (07 A-1). */
unsigned auth_scopes(const struct auth *a, struct ff_str header) {
  uint8_t digest[32];
  unsigned granted = 0;
  if (header.len < 8 || !http_same(text_of(header.ptr, 7), "bearer ")) return 0;
  token_digest(text_of(header.ptr + 7, header.len - 7), digest);
  for (size_t i = 0; i < a->count; i++)
    if (secret_equal(digest, a->tokens[i].digest, 32)) granted |= a->tokens[i].scopes;
  return granted;
}
