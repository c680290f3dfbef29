/*
 * Who changes the key store of waitpoint tokens: seed_waitpoint_hmac_secret,
 * rotate_waitpoint_hmac_secret_all, the first secret of a new store; and
 * list_waitpoint_hmac_kids (03 §12.3 … §12.6).
 *
 * Secrets come in and go into records; none is answered, logged or put into an error.
 */
#include "op/keystore.h"

#include "flowfabric/signal.h"
#include "op/token.h"

enum {
  SEED_HEX_LEN = 64,
  ROTATE_HEX_MAX = 512,
  STRONG_HEX_LEN = 64,
};
#define GRACE_MS_MAX UINT64_C(9007199254740991)

struct key_prep {
  struct ff_bytes secret;
};

/* ---- arguments ---- */

static enum ff_rc check_kid(struct ff_str kid, const char *field, struct ff_error *e) {
  if (token_kid_valid(kid)) return FF_OK;
  return error_field(e, FF_CODE_invalid_kid, field,
                     "1 to %d printable ASCII characters without blanks and ':'", TOKEN_KID_MAX);
}

static enum ff_rc parse_secret(struct ff_str hex, const char *field, const char *rule,
                               bool length_fits, struct arena *arena, struct ff_bytes *out,
                               struct ff_error *e) {
  uint8_t bytes[ROTATE_HEX_MAX / 2];
  if (!length_fits || !hex_decode(hex, bytes))
    return error_field(e, FF_CODE_invalid_secret_hex, field, "%s", rule);
  *out = (struct ff_bytes){arena_copy(arena, bytes, hex.len / 2), hex.len / 2};
  secret_wipe(bytes, sizeof bytes);
  return FF_OK;
}

static void declare_keystore(struct declare *d, const void *args, const void *prep) {
  (void)args, (void)prep;
  keystore_declare(d);
}

/* ---- installing ---- */

static bool same_secret(const struct token_key *key, struct ff_bytes secret) {
  return key->secret.len == secret.len && secret_equal(key->secret.ptr, secret.ptr, secret.len);
}

/* Makes kid the current one. Every installer writes the setting: of two at a time one loses. */
static enum ff_rc make_current(struct tx *tx, struct ff_str kid, struct ff_bytes secret) {
  const struct setting *current = NULL;
  const struct token_key *unused = NULL;
  struct token_key key = {.kid = kid};
  TRY(tx_get_setting(tx, &keystore_current, &current));
  TRY(tx_get_token_key(tx, &key, &unused));
  struct token_key *installed = tx_insert_token_key(tx, &key);
  installed->secret = secret;
  installed->installed_at = tx_now(tx);
  struct setting *pointer =
      current ? tx_edit_setting(tx, current) : tx_insert_setting(tx, &keystore_current);
  pointer->value = kid;
  return FF_OK;
}

/* ---- seed_waitpoint_hmac_secret ---- */

static enum ff_rc seed_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_seed_waitpoint_hmac_secret_args *a = args;
  struct key_prep *p = prep;
  (void)config;
  TRY(check_kid(a->kid, "kid", e));
  return parse_secret(a->secret_hex, "secret_hex", "exactly 64 hex characters",
                      a->secret_hex.len == SEED_HEX_LEN, arena, &p->secret, e);
}

/* H-12 … H-15 */
static enum ff_rc seed(struct tx *tx, struct ff_str kid, struct ff_bytes secret, uint8_t *outcome,
                       bool *same, struct ff_error *e) {
  struct keystore store;
  TRY(keystore_load(tx, &store));
  const struct token_key *known = keystore_find(&store, kid);
  bool current = text_nonempty(store.current_kid) && text_compare(store.current_kid, kid) == 0;
  *outcome = FF_outcome_already_seeded;
  *same = known && same_secret(known, secret);
  if (known || current) return FF_OK;
  if (text_nonempty(store.current_kid))
    return error_field(e, FF_CODE_invalid_input, "kid",
                       "kid " TEXT_FMT " is current; rotate_waitpoint_hmac_secret_all replaces it",
                       TEXT_ARG(store.current_kid));
  *outcome = FF_outcome_seeded;
  *same = true;
  return make_current(tx, kid, secret);
}

static enum ff_rc seed_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  const struct ff_seed_waitpoint_hmac_secret_args *a = args;
  struct ff_seed_waitpoint_hmac_secret_result *r = result;
  const struct key_prep *p = prep;
  r->kid = a->kid;
  return seed(tx, a->kid, p->secret, &r->outcome, &r->same_secret, e);
}

const struct op_code op_code_seed_waitpoint_hmac_secret = {sizeof(struct key_prep), seed_prepare,
                                                           declare_keystore, seed_run};

/* ---- install_secret: the first one of a store, at boot (K-10, K-11) ---- */

static enum ff_rc nothing_to_check(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  (void)config, (void)args, (void)prep, (void)arena, (void)e;
  return FF_OK;
}

static enum ff_rc install_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  const struct install_secret_args *a = args;
  struct install_secret_result *r = result;
  struct keystore store;
  (void)prep;
  TRY(keystore_load(tx, &store));
  const struct token_key *current = keystore_find(&store, store.current_kid);
  r->outcome = FF_outcome_already_seeded;
  if (text_nonempty(store.current_kid) || store.count) {
    if (!a->configured || (current && same_secret(current, a->secret))) return FF_OK;
    return error_set(e, FF_CODE_invalid_secret, "another secret is stored");
  }
  r->outcome = FF_outcome_seeded;
  return make_current(tx, TEXT_LIT("k1"), a->secret);
}

const struct op_code op_code_install_secret = {0, nothing_to_check, declare_keystore, install_run};

/* ---- rotate_waitpoint_hmac_secret_all ---- */

static enum ff_rc rotate_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_rotate_waitpoint_hmac_secret_all_args *a = args;
  struct key_prep *p = prep;
  (void)config;
  TRY(check_kid(a->new_kid, "new_kid", e));
  TRY(parse_secret(a->new_secret_hex, "new_secret_hex", "2 to 512 hex characters, an even number",
                   a->new_secret_hex.len > 0 && a->new_secret_hex.len <= ROTATE_HEX_MAX, arena,
                   &p->secret, e));
  if (a->grace_ms > GRACE_MS_MAX)
    return error_field(e, FF_CODE_invalid_grace_ms, "grace_ms", "0 to %llu",
                       (unsigned long long)GRACE_MS_MAX);
  return FF_OK;
}

/* K-4. The current kid never has an expiry (K-9). */
static uint32_t reap(struct tx *tx, const struct keystore *store) {
  uint32_t count = 0;
  for (size_t i = 0; i < store->count; i++) {
    if (keystore_verifies(store, store->keys[i], tx_now(tx))) continue;
    tx_delete_token_key(tx, store->keys[i]);
    count++;
  }
  return count;
}

/* K-6. An expired kid of the new name is gone by now and starts again. */
static enum ff_rc replace_current(struct tx *tx, const struct keystore *store,
                                  const struct ff_rotate_waitpoint_hmac_secret_all_args *a,
                                  struct ff_bytes secret, struct ff_rotation *entry) {
  const struct token_key *old = keystore_find(store, store->current_kid);
  entry->gc_count = reap(tx, store);
  if (old)
    tx_edit_token_key(tx, old)->expires_at = add_saturating(tx_now(tx), (int64_t)a->grace_ms);
  entry->outcome = FF_outcome_rotated;
  entry->previous_kid = store->current_kid;
  return make_current(tx, a->new_kid, secret);
}

/* K-1 … K-6 of the one replica. */
static enum ff_rc rotate_replica(struct tx *tx,
                                 const struct ff_rotate_waitpoint_hmac_secret_all_args *a,
                                 struct ff_bytes secret, struct ff_rotation *entry) {
  struct keystore store;
  TRY(keystore_load(tx, &store));
  const struct token_key *known = keystore_find(&store, a->new_kid);
  bool current =
      text_nonempty(store.current_kid) && text_compare(store.current_kid, a->new_kid) == 0;
  entry->outcome = FF_outcome_noop;
  if (current && !known) return make_current(tx, a->new_kid, secret);
  if (current && known->secret.len == 0) {
    tx_edit_token_key(tx, known)->secret = secret;
    return FF_OK;
  }
  if (current && same_secret(known, secret)) return FF_OK;
  if (!known || !keystore_verifies(&store, known, tx_now(tx)))
    return replace_current(tx, &store, a, secret, entry);
  entry->outcome = FF_outcome_none;
  (void)error_set(&entry->error, FF_CODE_rotation_conflict, "kid " TEXT_FMT " was used before",
                  TEXT_ARG(a->new_kid));
  error_context(&entry->error, "kid", TEXT_FMT, TEXT_ARG(a->new_kid));
  return FF_OK;
}

static enum ff_rc rotate_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct ff_rotate_waitpoint_hmac_secret_all_args *a = args;
  struct ff_rotate_waitpoint_hmac_secret_all_result *r = result;
  const struct key_prep *p = prep;
  struct ff_rotation *entry = ARENA_NEW(tx_arena(tx), struct ff_rotation);
  (void)e;
  entry->new_kid = a->new_kid;
  TRY(rotate_replica(tx, a, p->secret, entry));
  r->entries = (struct ff_rotations){entry, 1};
  r->weak_secret = a->new_secret_hex.len < STRONG_HEX_LEN;
  return FF_OK;
}

const struct op_code op_code_rotate_waitpoint_hmac_secret_all = {
    sizeof(struct key_prep), rotate_prepare, declare_keystore, rotate_run};

/* ---- list_waitpoint_hmac_kids ---- */

static bool expires_before(const struct ff_waitpoint_kid *a, const struct ff_waitpoint_kid *b) {
  if (a->expires_at_ms != b->expires_at_ms) return a->expires_at_ms < b->expires_at_ms;
  return text_compare(a->kid, b->kid) < 0;
}

static enum ff_rc list_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  struct ff_list_waitpoint_hmac_kids_result *r = result;
  struct keystore store;
  size_t count = 0;
  (void)args, (void)prep, (void)e;
  TRY(keystore_load(tx, &store));
  struct ff_waitpoint_kid *items =
      ARENA_ARRAY(tx_arena(tx), struct ff_waitpoint_kid, store.count + 1);
  for (size_t i = 0; i < store.count; i++) {
    const struct token_key *key = store.keys[i];
    struct ff_waitpoint_kid item = {key->kid, key->expires_at};
    if (!key->expires_at || key->expires_at < tx_now(tx)) continue;
    size_t at = count++;
    for (; at > 0 && expires_before(&item, &items[at - 1]); at--) items[at] = items[at - 1];
    items[at] = item;
  }
  r->current_kid = store.current_kid;
  r->verifying = (struct ff_waitpoint_kids){items, count};
  return FF_OK;
}

const struct op_code op_code_list_waitpoint_hmac_kids = {0, nothing_to_check, declare_keystore,
                                                         list_run};
