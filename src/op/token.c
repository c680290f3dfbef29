/*
 * Waitpoint tokens: minting, parsing, checking and showing them (03 §11, §12.1, H-18).
 *
 * Pure: no store, no clock. Which kid verifies at what time is the key store's to say. No digest
 * or secret ever reaches an error or a log from here.
 */
#include "op/token.h"

#include "op/values.h"

bool token_kid_valid(struct ff_str kid) {
  if (kid.len == 0 || kid.len > TOKEN_KID_MAX) return false;
  for (size_t i = 0; i < kid.len; i++)
    if (kid.ptr[i] < 0x21 || kid.ptr[i] > 0x7e || kid.ptr[i] == ':') return false;
  return true;
}

/* HMAC over kid ‖ ':' ‖ execution id ‖ ':' ‖ waitpoint id. The ids in between have a fixed
 * alphabet and the kid has no ':', so no two triples give the same message. */
static bool digest_of(struct ff_str kid, struct ff_bytes secret, struct exec_id execution,
                      struct uuid waitpoint, uint8_t out[HMAC_SIZE]) {
  struct ff_id execution_text;
  char waitpoint_text[37], message[TOKEN_KID_MAX + sizeof(execution_text) + sizeof waitpoint_text];
  exec_id_format(execution, &execution_text);
  uuid_format(waitpoint, waitpoint_text);
  int len = snprintf(message, sizeof message, TEXT_FMT ":%s:%s", TEXT_ARG(kid),
                     execution_text.text, waitpoint_text);
  INVARIANT(len > 0 && (size_t)len < sizeof message);
  return hmac_sha256(secret, (struct ff_bytes){(const void *)message, (size_t)len}, out);
}

bool token_mint(struct ff_str kid, struct ff_bytes secret, struct exec_id execution,
                struct uuid waitpoint, struct token_text *out) {
  uint8_t digest[HMAC_SIZE];
  *out = (struct token_text){0};
  if (!token_kid_valid(kid) || !digest_of(kid, secret, execution, waitpoint, digest)) return false;
  memcpy(out->text, kid.ptr, kid.len);
  out->text[kid.len] = ':';
  hex_encode(digest, HMAC_SIZE, out->text + kid.len + 1);
  out->len = kid.len + 1 + TOKEN_DIGEST_LEN;
  secret_wipe(digest, sizeof digest);
  return true;
}

bool token_parse(struct ff_str token, struct token_parts *out) {
  *out = (struct token_parts){0};
  if (token.len > TOKEN_MAX || token.len < 1 + 1 + TOKEN_DIGEST_LEN) return false;
  const char *colon = memchr(token.ptr, ':', token.len);
  if (!colon) return false;
  struct ff_str kid = text_of(token.ptr, (size_t)(colon - token.ptr));
  struct ff_str digest = text_of(colon + 1, token.len - kid.len - 1);
  if (!token_kid_valid(kid) || digest.len != TOKEN_DIGEST_LEN) return false;
  for (size_t i = 0; i < digest.len; i++) {
    char c = digest.ptr[i];
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  *out = (struct token_parts){kid, digest};
  return true;
}

enum token_match token_check(const struct token_parts *parts, struct ff_bytes secret,
                             struct exec_id execution, struct uuid waitpoint) {
  uint8_t expected[HMAC_SIZE], presented[HMAC_SIZE];
  INVARIANT(parts->digest.len == TOKEN_DIGEST_LEN);
  if (!digest_of(parts->kid, secret, execution, waitpoint, expected)) return TOKEN_BAD_SECRET;
  bool equal = hex_decode(parts->digest, presented) && secret_equal(expected, presented, HMAC_SIZE);
  secret_wipe(expected, sizeof expected);
  return equal ? TOKEN_MATCH : TOKEN_MISMATCH;
}

void token_fingerprint(struct ff_str token, struct ff_str *kid, struct ff_str *fingerprint) {
  struct token_parts parts;
  *kid = *fingerprint = text_of("", 0);
  if (!token_parse(token, &parts)) return;
  *kid = parts.kid;
  *fingerprint = text_of(parts.digest.ptr, TOKEN_FINGERPRINT_LEN);
}

struct ff_str token_redact(struct ff_str token, struct arena *arena) {
  struct token_parts parts;
  if (!token_parse(token, &parts)) return TEXT_LIT("<REDACTED:malformed>");
  return arena_printf(arena, TEXT_FMT ":<REDACTED:len=%zu>", TEXT_ARG(parts.kid), parts.digest.len);
}

void secret_print(struct ff_str secret, struct buffer *out) {
  struct token_parts parts;
  if (token_parse(secret, &parts))
    buffer_printf(out, TEXT_FMT ":<REDACTED:len=%zu>", TEXT_ARG(parts.kid), parts.digest.len);
  else
    buffer_append_c(out, "<REDACTED:malformed>");
}
