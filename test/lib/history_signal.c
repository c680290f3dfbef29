/*
 * Arguments of the operations on waitpoints, suspensions, signals and their keys.
 */
#include "test/lib/history_impl.h"

static const char *const keys[] = {"wpk:a", "wpk:b", "approval"};

static struct ff_str pick_key(struct history *h) { return ff_text(keys[dice(h, ARRAY_LEN(keys))]); }

static struct ff_handle pick_handle(struct history *h) {
  const struct held *held = pick_held(h);
  return held ? held->handle : (struct ff_handle){0};
}

/* Sets execution_id and waitpoint_id of x: mostly of one waitpoint. */
#define FILL_WAITPOINT(h, x)                                                                    \
  do {                                                                                          \
    const struct point *p_ = pick_point(h);                                                     \
    (x)->execution_id =                                                                         \
        p_ && chance(h, 92) ? arena_text(a, ff_text(p_->execution)) : pick_execution(h, a);     \
    (x)->waitpoint_id = p_ && chance(h, 95) ? arena_text(a, ff_text(p_->id)) : pick_uuid(h, a); \
  } while (0)

/* ---- waitpoints ---- */

DRAW(create_waitpoint) {
  UNUSED;
  x->handle = pick_handle(h);
  x->waitpoint_key = pick_key(h);
  x->expires_in_ms = 1 + dice(h, 6000);
  if (chance(h, 25)) x->request_id = pick_request_id(h);
}

DRAW(close_waitpoint) {
  UNUSED;
  FILL_WAITPOINT(h, x);
  if (chance(h, 30)) x->reason = pick_reason(h, a);
}

DRAW(expire_pending_waitpoint) {
  UNUSED;
  FILL_WAITPOINT(h, x);
}

DRAW(list_pending_waitpoints) {
  UNUSED;
  const struct point *p = pick_point(h);
  x->execution_id =
      p && chance(h, 80) ? arena_text(a, ff_text(p->execution)) : pick_execution(h, a);
  if (p && chance(h, 20)) x->after = arena_text(a, ff_text(p->id));
  x->limit = dice(h, 4);
}

DRAW(read_waitpoint_token) {
  UNUSED;
  static const char *const partitions[] = {"{fp:7}", "{fp:0}", "{fp:255}"};
  const struct point *p = pick_point(h);
  x->partition = ff_text(partitions[dice(h, ARRAY_LEN(partitions))]);
  if (p && chance(h, 90)) {
    const char *end = strchr(p->execution, '}');
    if (end) x->partition = arena_text(a, text_of(p->execution, (size_t)(end + 1 - p->execution)));
  }
  x->waitpoint_id = p ? arena_text(a, ff_text(p->id)) : pick_uuid(h, a);
}

/* ---- keys ---- */

static struct ff_str pick_secret(struct history *h, struct arena *a) {
  char hex[65];
  for (int i = 0; i < 64; i++) hex[i] = "0123456789abcdefABCDEF"[dice(h, 22)];
  hex[64] = '\0';
  return chance(h, 70) ? TEXT_LIT("000102030405060708090a0b0c0d0e0f"
                                  "101112131415161718191a1b1c1d1e1f")
                       : arena_text(a, ff_text(hex));
}

static struct ff_str pick_kid(struct history *h) {
  static const char *const kids[] = {"k1", "k2", "k3", "k4", "2026-11", "~"};
  return ff_text(kids[dice(h, ARRAY_LEN(kids))]);
}

DRAW(seed_waitpoint_hmac_secret) {
  UNUSED;
  x->kid = pick_kid(h);
  x->secret_hex = pick_secret(h, a);
}

DRAW(rotate_waitpoint_hmac_secret_all) {
  UNUSED;
  x->new_kid = pick_kid(h);
  x->new_secret_hex = pick_secret(h, a);
  x->grace_ms = dice(h, 4) * 4000;
}

DRAW(list_waitpoint_hmac_kids) { UNUSED; }

static const struct draw draws[] = {
    {OP_create_waitpoint, 5, DRAW_LEASE, draw_create_waitpoint},
    {OP_close_waitpoint, 2, DRAW_ANY, draw_close_waitpoint},
    {OP_expire_pending_waitpoint, 2, DRAW_ANY, draw_expire_pending_waitpoint},
    {OP_list_pending_waitpoints, 2, DRAW_READ, draw_list_pending_waitpoints},
    {OP_read_waitpoint_token, 2, DRAW_READ, draw_read_waitpoint_token},
    {OP_seed_waitpoint_hmac_secret, 1, DRAW_ANY, draw_seed_waitpoint_hmac_secret},
    {OP_rotate_waitpoint_hmac_secret_all, 1, DRAW_ANY, draw_rotate_waitpoint_hmac_secret_all},
    {OP_list_waitpoint_hmac_kids, 1, DRAW_READ, draw_list_waitpoint_hmac_kids},
};
const struct draw_table history_signal_draws = {draws, ARRAY_LEN(draws)};
