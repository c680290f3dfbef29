/*
 * Waitpoint tokens on any bytes: what parses is two halves of the input and nothing more, only the
 * minted text is accepted, and no digest is ever shown.
 */
#include "fuzz.h"

#include "op/token.h"

#define DIGEST "ee7bf628bca973744df300db378b963935d383307cba6b485042fb360fa984ce"

const struct ff_str fuzz_seeds[] = {SEED("k1:" DIGEST),
                                    SEED("kid-test:" DIGEST),
                                    SEED("k1:k1:" DIGEST),
                                    SEED(":" DIGEST),
                                    SEED("k1:"),
                                    {NULL, 0}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t secret[32] = {7};
  struct ff_bytes key = {secret, sizeof secret};
  struct exec_id execution = {.partition = 7};
  struct uuid waitpoint = {{1}};
  struct ff_str text = text_of((const char *)data, size);
  struct token_parts parts;
  struct token_text minted;
  struct arena arena;
  arena_init(&arena);
  struct ff_str shown = token_redact(text, &arena);
  if (token_parse(text, &parts)) {
    INVARIANT(size <= TOKEN_MAX && parts.kid.len + 1 + TOKEN_DIGEST_LEN == size);
    INVARIANT(shown.len == parts.kid.len + strlen(":<REDACTED:len=64>"));
    INVARIANT(token_mint(parts.kid, key, execution, waitpoint, &minted));
    bool accepted = token_check(&parts, key, execution, waitpoint) == TOKEN_MATCH;
    INVARIANT(accepted == text_equal_c(text, minted.text));
    INVARIANT(token_parse(ff_text(minted.text), &parts));
    INVARIANT(token_check(&parts, key, execution, waitpoint) == TOKEN_MATCH);
  } else {
    INVARIANT(text_equal_c(shown, "<REDACTED:malformed>"));
  }
  arena_fini(&arena);
  return 0;
}
