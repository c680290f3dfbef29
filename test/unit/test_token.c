/*
 * Waitpoint tokens: vectors of HMAC-SHA-256 and of 03 §11, the form of a kid and a token, binding
 * to both ids, redaction, and mutated tokens of which none may be accepted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "op/token.h"

#define UUID_A "0190a5c2-3f4e-4a6b-9c1d-2e3f40516273"
#define UUID_B "7c9e6679-7425-40de-944b-e07fc1f90ae7"
#define DIGEST_K1 "ee7bf628bca973744df300db378b963935d383307cba6b485042fb360fa984ce"

static const uint8_t zeros[32];
static const struct ff_bytes zero_secret = {zeros, sizeof zeros};

static struct exec_id execution_of(uint16_t partition, const char *text) {
  struct exec_id id = {.partition = partition};
  assert_true(uuid_parse(ff_text(text), &id.uuid));
  return id;
}

static struct uuid uuid_of(const char *text) {
  struct uuid u;
  assert_true(uuid_parse(ff_text(text), &u));
  return u;
}

static void assert_hmac(struct ff_bytes key, const char *message, const char *expected) {
  uint8_t out[HMAC_SIZE];
  char hex[2 * HMAC_SIZE + 1];
  struct ff_bytes bytes = {(const void *)message, strlen(message)};
  assert_true(hmac_sha256(key, bytes, out));
  hex_encode(out, sizeof out, hex);
  assert_string_equal(hex, expected);
}

/* RFC 4231, cases 2 and 6: a key shorter and one longer than the block. */
static void hmac_vectors(void **state) {
  (void)state;
  uint8_t key[131], out[HMAC_SIZE];
  memset(key, 0xaa, sizeof key);
  assert_hmac((struct ff_bytes){(const void *)"Jefe", 4}, "what do ya want for nothing?",
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  assert_hmac((struct ff_bytes){key, sizeof key},
              "Test Using Larger Than Block-Size Key - Hash Key First",
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  assert_false(hmac_sha256((struct ff_bytes){key, 0}, (struct ff_bytes){key, 1}, out));
  for (size_t i = 0; i < sizeof out; i++) assert_int_equal(out[i], 0);
}

static void comparing_and_hex(void **state) {
  (void)state;
  uint8_t a[HMAC_SIZE] = {0}, b[HMAC_SIZE] = {0}, out[4] = {0};
  assert_true(secret_equal(a, b, sizeof a));
  for (size_t bit = 0; bit < 8 * sizeof a; bit++) { /* H-8: every bit counts */
    b[bit / 8] ^= (uint8_t)(1U << bit % 8);
    assert_false(secret_equal(a, b, sizeof a));
    b[bit / 8] ^= (uint8_t)(1U << bit % 8);
  }
  assert_true(hex_decode(TEXT_LIT("cafeBABE"), out));
  assert_int_equal(out[0], 0xca);
  assert_int_equal(out[3], 0xbe);
  assert_false(hex_decode(TEXT_LIT("abc"), out));
  assert_false(hex_decode(TEXT_LIT("0g"), out));
  memset(a, 0x5a, sizeof a);
  secret_wipe(a, sizeof a);
  for (size_t i = 0; i < sizeof a; i++) assert_int_equal(a[i], 0);
}

static void assert_token(const char *kid, struct ff_bytes secret, struct exec_id execution,
                         const char *waitpoint, const char *digest) {
  struct token_text token, again;
  struct token_parts parts;
  struct uuid id = uuid_of(waitpoint);
  assert_true(token_mint(ff_text(kid), secret, execution, id, &token));
  assert_int_equal(token.len, strlen(kid) + 1 + strlen(digest));
  assert_memory_equal(token.text, kid, strlen(kid));
  assert_int_equal(token.text[strlen(kid)], ':');
  assert_string_equal(token.text + strlen(kid) + 1, digest);
  assert_true(token_mint(ff_text(kid), secret, execution, id, &again));
  assert_string_equal(again.text, token.text); /* H-1: no time, no randomness */
  assert_true(token_parse(ff_text(token.text), &parts));
  assert_int_equal(token_check(&parts, secret, execution, id), TOKEN_MATCH);
}

/* H-1: the three vectors of 03 §11. */
static void token_vectors(void **state) {
  (void)state;
  uint8_t test_secret[32], k2_secret[16];
  for (size_t i = 0; i < sizeof test_secret; i++)
    test_secret[i] = (const uint8_t[]){0xca, 0xfe, 0xba, 0xbe}[i % 4];
  memset(k2_secret, 0x0b, sizeof k2_secret);
  assert_token("kid-test", (struct ff_bytes){test_secret, sizeof test_secret},
               execution_of(0, "11111111-1111-4111-8111-111111111111"),
               "22222222-2222-4222-8222-222222222222",
               "e60e8e85b4627a8bba2d07d18dae7796ccb4ddf80a70bc6280be0bcf1e97c3b1");
  assert_token("k1", zero_secret, execution_of(7, UUID_A), UUID_B, DIGEST_K1);
  assert_token("k2", (struct ff_bytes){k2_secret, sizeof k2_secret},
               execution_of(7, UUID_A), UUID_B,
               "e6f1313e2b5ca9130d39f236a30f796d07dbb48f833960808c370f9c0133004f");
}

/* H-4: bound to the execution, its partition, the waitpoint, the kid and the secret. */
static void binding(void **state) {
  (void)state;
  static const uint8_t other[32] = {1};
  struct exec_id execution = execution_of(7, UUID_A);
  struct uuid waitpoint = uuid_of(UUID_B);
  struct token_parts p;
  assert_true(token_parse(TEXT_LIT("k1:" DIGEST_K1), &p));
  assert_int_equal(token_check(&p, zero_secret, execution, waitpoint), TOKEN_MATCH);
  assert_int_equal(token_check(&p, zero_secret, execution, execution.uuid), TOKEN_MISMATCH);
  assert_int_equal(token_check(&p, zero_secret, execution_of(8, UUID_A), waitpoint),
                   TOKEN_MISMATCH);
  assert_int_equal(token_check(&p, zero_secret, execution_of(7, UUID_B), waitpoint),
                   TOKEN_MISMATCH);
  assert_int_equal(token_check(&p, (struct ff_bytes){other, sizeof other}, execution, waitpoint),
                   TOKEN_MISMATCH);
  assert_int_equal(token_check(&p, (struct ff_bytes){zeros, 0}, execution, waitpoint),
                   TOKEN_BAD_SECRET);
  assert_true(token_parse(TEXT_LIT("k3:" DIGEST_K1), &p));
  assert_int_equal(token_check(&p, zero_secret, execution, waitpoint), TOKEN_MISMATCH);
}

/* H-5 */
static void kids(void **state) {
  (void)state;
  char kid[TOKEN_KID_MAX + 1];
  struct token_text token;
  memset(kid, 'k', sizeof kid);
  assert_true(token_kid_valid(text_of(kid, TOKEN_KID_MAX)));
  assert_false(token_kid_valid(text_of(kid, TOKEN_KID_MAX + 1)));
  assert_false(token_kid_valid(text_of(kid, 0)));
  for (int c = 0; c < 256; c++) {
    kid[1] = (char)c;
    assert_int_equal(token_kid_valid(text_of(kid, 3)), c >= 0x21 && c <= 0x7e && c != ':');
  }
  assert_false(token_mint(TEXT_LIT("a:b"), zero_secret, execution_of(7, UUID_A), uuid_of(UUID_B),
                          &token));
  assert_false(token_mint(TEXT_LIT("k1"), (struct ff_bytes){zeros, 0}, execution_of(7, UUID_A),
                          uuid_of(UUID_B), &token));
  assert_int_equal(token.len, 0);
}

/* H-3, H-18: what does not parse shows nothing of itself. */
static void malformed_and_shown(void **state) {
  (void)state;
  static const char *const bad[] = {
      "", ":", "k1", "k1:", ":" DIGEST_K1, DIGEST_K1, "k1:" DIGEST_K1 "0", "k 1:" DIGEST_K1,
      "k1::" DIGEST_K1, "a:k1:" DIGEST_K1, " k1:" DIGEST_K1, "k1:" DIGEST_K1 "\n",
      "k1:EE7bf628bca973744df300db378b963935d383307cba6b485042fb360fa984ce",
      "k1:ge7bf628bca973744df300db378b963935d383307cba6b485042fb360fa984ce",
      "k1:e7bf628bca973744df300db378b963935d383307cba6b485042fb360fa984ce"};
  struct token_parts parts;
  struct ff_str kid, fingerprint;
  struct arena arena;
  arena_init(&arena);
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    assert_false(token_parse(ff_text(bad[i]), &parts));
    token_fingerprint(ff_text(bad[i]), &kid, &fingerprint);
    assert_int_equal(kid.len + fingerprint.len, 0);
    assert_true(text_equal_c(token_redact(ff_text(bad[i]), &arena), "<REDACTED:malformed>"));
  }
  token_fingerprint(TEXT_LIT("k1:" DIGEST_K1), &kid, &fingerprint);
  assert_true(text_equal_c(kid, "k1") && text_equal_c(fingerprint, "ee7bf628bca97374"));
  assert_true(text_equal_c(token_redact(TEXT_LIT("k1:" DIGEST_K1), &arena),
                           "k1:<REDACTED:len=64>"));
  arena_fini(&arena);
}

static uint64_t dice = 0x9e3779b97f4a7c15;

static size_t roll(size_t below) {
  dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
  return (size_t)(dice % below);
}

/* One change of the kinds an attacker or a bad copy makes; returns the new length. */
static size_t mutate(char *text, size_t len) {
  static const char hex[] = "0123456789abcdef:k";
  size_t at = roll(len);
  switch (roll(5)) {
    case 0: text[at] = hex[roll(sizeof hex - 1)]; return len;
    case 1: text[at] = (char)roll(256); return len;
    case 2: text[at] ^= (char)(1 << roll(8)); return len;
    case 3: memmove(text + at, text + at + 1, len - at - 1); return len - 1;
    default:
      memmove(text + at + 1, text + at, len - at);
      text[at] = hex[roll(sizeof hex - 1)];
      return len + 1;
  }
}

/* A million. The token itself is accepted throughout, so that a check that refuses
 * everything fails as well. */
static void mutated_tokens(void **state) {
  (void)state;
  static const char token[] = "k1:" DIGEST_K1;
  struct exec_id execution = execution_of(7, UUID_A);
  struct uuid waitpoint = uuid_of(UUID_B);
  size_t wanted = 1000000, parsed = 0;
  for (size_t tried = 0; tried < wanted;) {
    char text[sizeof token + 8];
    size_t len = sizeof token - 1;
    struct token_parts parts;
    memcpy(text, token, len);
    for (size_t n = 1 + roll(4); n > 0; n--) len = mutate(text, len);
    bool same = text_equal_c(text_of(text, len), token);
    tried += !same;
    if (!token_parse(text_of(text, len), &parts)) {
      assert_false(same);
      continue;
    }
    parsed += !same;
    assert_int_equal(token_check(&parts, zero_secret, execution, waitpoint),
                     same ? TOKEN_MATCH : TOKEN_MISMATCH);
  }
  assert_true(parsed > wanted / 20); /* enough of them reach the comparison */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hmac_vectors), cmocka_unit_test(comparing_and_hex),
      cmocka_unit_test(token_vectors), cmocka_unit_test(binding),
      cmocka_unit_test(kids), cmocka_unit_test(malformed_and_shown),
      cmocka_unit_test(mutated_tokens)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
