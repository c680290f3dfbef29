/*
 * ping and server_time_ms: a real round trip to the store (01 CP-6), and what its clock says.
 *
 * Both load one key, so that the store is asked whatever the executor thinks of empty loads.
 */
#include "op/op.h"

static const struct setting ping_key = {.name = {"ping", 4}};

static void ping_declare(struct declare *d, const void *args, const void *prep) {
  (void)args, (void)prep;
  declare_get(d, RECORD_KIND_setting, &ping_key);
}

static enum ff_rc ping_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  struct ff_ping_result *r = result;
  const struct setting *found = NULL;
  (void)args, (void)prep, (void)e;
  TRY(tx_get_setting(tx, &ping_key, &found));
  r->outcome = FF_outcome_ok;
  return FF_OK;
}

const struct op_code op_code_ping = {0, NULL, ping_declare, ping_run};

static enum ff_rc time_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  struct ff_server_time_ms_result *r = result;
  const struct setting *found = NULL;
  (void)args, (void)prep, (void)e;
  TRY(tx_get_setting(tx, &ping_key, &found));
  r->now_ms = tx_now(tx);
  return FF_OK;
}

const struct op_code op_code_server_time_ms = {0, NULL, ping_declare, time_run};
