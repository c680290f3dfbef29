/*
 * The first secret of waitpoint tokens, at boot (03 §12.6): that of $FF_WAITPOINT_HMAC_SECRET, else
 * 32 bytes from the kernel.
 *
 * A secret that is stored is never replaced here, and none is ever logged.
 */
#include "base/hmac.h"
#include "engine/impl.h"

#include <stdlib.h>

#define SECRET_ENVIRONMENT "FF_WAITPOINT_HMAC_SECRET"
#define SECRET_MAX 256
#define SECRET_SIZE 32

/* Repeatable for engines that are to be: tests compare what stores answer. */
static void random_secret(const struct engine *e, uint8_t out[SECRET_SIZE]) {
  uint64_t state = e->options.open.seed;
  for (size_t i = 0; i < SECRET_SIZE; i += sizeof state) {
    uint64_t word = e->options.open.seed ? (state = hash_mix64(state)) : random_u64();
    memcpy(out + i, &word, sizeof word);
  }
}

static enum ff_rc environment_secret(uint8_t *out, size_t *len, struct ff_error *error) {
  struct ff_str hex = ff_text(getenv(SECRET_ENVIRONMENT));
  *len = 0;
  if (!text_nonempty(hex)) return FF_OK;
  if (hex.len > 2 * SECRET_MAX || !hex_decode(hex, out))
    return error_field(error, FF_CODE_config, SECRET_ENVIRONMENT,
                       "must be hex digits, an even number up to %d", 2 * SECRET_MAX);
  *len = hex.len / 2;
  return FF_OK;
}

static void report(const struct engine *e, const struct request *r, bool configured) {
  if (r->wrote)
    engine_log(e, FF_LOG_INFO, "waitpoint tokens: %s secret is now kid k1",
               configured ? "the configured" : "a random");
  else if (r->rc != FF_OK)
    engine_log(e, FF_LOG_WARN,
               SECRET_ENVIRONMENT " differs from the stored secret, which stays: rotate instead");
}

static enum ff_rc install(struct engine *e, struct ff_bytes secret, bool configured,
                          struct ff_error *error) {
  struct install_secret_args args = {sizeof args, secret, configured};
  struct call call = {.op = OP_prepare};
  arena_init(&call.arena);
  call.requests = &call.one;
  struct request *r = call_request(e, &call, OP_install_secret, &args);
  enum ff_rc rc = internal_run(e, &call, error);
  bool differs = rc == FF_OK && r->error.code == FF_CODE_invalid_secret;
  if (rc == FF_OK && r->rc != FF_OK && !differs) {
    if (error) *error = r->error;
    rc = r->rc;
  }
  if (rc == FF_OK) report(e, r, configured);
  arena_fini(&call.arena);
  return rc;
}

enum ff_rc secret_seed(struct engine *e, struct ff_error *error) {
  uint8_t bytes[SECRET_MAX];
  size_t len = 0;
  TRY(environment_secret(bytes, &len, error));
  bool configured = len > 0;
  if (!configured) random_secret(e, bytes);
  struct ff_bytes secret = {bytes, configured ? len : SECRET_SIZE};
  enum ff_rc rc = install(e, secret, configured, error);
  secret_wipe(bytes, sizeof bytes);
  return rc;
}
