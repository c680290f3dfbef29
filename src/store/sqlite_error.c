/*
 * From SQLite's result codes to typed errors, and the state after which a store is no longer
 * trusted.
 *
 * Every error names the file. Never decides whether a write took effect: that is sqlite_apply.c's.
 */
#include "store/sqlite_impl.h"

static enum ff_code code_of(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return FF_CODE_store_busy;
    case SQLITE_FULL: return FF_CODE_store_full;
    case SQLITE_READONLY: return FF_CODE_store_read_only;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return FF_CODE_corruption;
    case SQLITE_NOMEM: return FF_CODE_no_memory;
    default: return FF_CODE_transport;
  }
}

enum ff_rc sqlite_error(struct sqlite_store *s, sqlite3 *db, int code, const char *doing,
                        struct ff_error *e) {
  int extended = db ? sqlite3_extended_errcode(db) : code;
  if ((extended & 0xff) != (code & 0xff)) extended = code;
  const char *text = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  enum ff_rc rc = error_set(e, code_of(code), "%s: %s: %s", s->target.path, doing, text);
  error_context(e, "sqlite_code", "%d", extended);
  return rc;
}

void sqlite_poison(struct sqlite_store *s, int code) {
  int none = 0;
  atomic_compare_exchange_strong(&s->failed, &none, code);
}

enum ff_rc sqlite_usable(struct sqlite_store *s, struct ff_error *e) {
  int code = atomic_load_explicit(&s->failed, memory_order_relaxed);
  if (!code) return FF_OK;
  enum ff_rc rc = error_set(
      e, FF_CODE_transport,
      "%s: an earlier write failed (%s); nothing is written until the store is opened again",
      s->target.path, sqlite3_errstr(code));
  error_context(e, "sqlite_code", "%d", code);
  return rc;
}
