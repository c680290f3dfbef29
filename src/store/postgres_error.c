/*
 * From SQLSTATEs to typed errors that say what to do.
 *
 * Every error names the server and database. Never decides whether a write took effect: that is
 * postgres_apply.c's.
 */
#include "store/postgres_impl.h"

bool postgres_state_is(const PGresult *r, const char *sqlstate) {
  const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
  return state && strncmp(state, sqlstate, strlen(sqlstate)) == 0;
}

bool postgres_is_conflict(const PGresult *r) {
  static const char *const states[] = {"22012", /* division by zero: a count was not right */
                                       "23505", /* the key exists */
                                       "40"};   /* serialisation, deadlock */
  for (size_t i = 0; i < ARRAY_LEN(states); i++)
    if (postgres_state_is(r, states[i])) return true;
  return false;
}

/* A SQLSTATE or its beginning, longer ones first. */
static const struct {
  const char *state;
  enum ff_code code;
  const char *advice;
} known[] = {
    {"25006", FF_CODE_store_read_only,
     "the server or role only reads; connect to the primary (target_session_attrs=read-write)"},
    {"42501", FF_CODE_config,
     "the role lacks a privilege: see doc/stores.md; a role that has it may open the store once"},
    {"28", FF_CODE_config, "check user, password and pg_hba.conf"},
    {"3D000", FF_CODE_config, "create the database first"},
    {"53100", FF_CODE_store_full, "the server's disk is full"},
    {"53200", FF_CODE_transport, "the server is out of memory"},
    {"53300", FF_CODE_transport, "raise max_connections, or lower writers and readers"},
    {"53", FF_CODE_store_full, "the server is out of a resource"},
    {"57014", FF_CODE_transport, "the statement took longer than statement_timeout_ms"},
    {"57P0", FF_CODE_transport, "the server is stopping or starting"},
    {"25P03", FF_CODE_transport,
     "the transaction was idle for longer than idle_in_transaction_timeout_ms"},
    {"22021", FF_CODE_invalid_input, "a text is not valid UTF-8"},
    {"54", FF_CODE_payload_too_large, "larger than the server takes"},
    {"58", FF_CODE_transport, "the server failed to read or write its files"},
    {"XX001", FF_CODE_corruption, "the server found damaged data"},
    {"XX002", FF_CODE_corruption, "the server found a damaged index"},
};

/* Without a newline; libpq ends its messages with one. */
static int message_length(const char *text) { return (int)strcspn(text, "\n"); }

/* libpq has no SQLSTATE for what fails before the server answers; its words are all there is. */
static enum ff_rc connection_error(const struct postgres_store *s, const char *text,
                                   const char *doing, struct ff_error *e) {
  static const struct {
    const char *words;
    enum ff_code code;
    const char *advice;
  } causes[] = {
      {"certificate", FF_CODE_config, "check sslrootcert, sslcert and the host name"},
      {"password authentication failed", FF_CODE_config, "check user and password"},
      {"no password supplied", FF_CODE_config, "put a password into the URL or PGPASSWORD"},
      {"no pg_hba.conf entry", FF_CODE_config, "the server does not let this host or user in"},
      {"does not exist", FF_CODE_config, "create the database or role first"},
      {"permission denied for database", FF_CODE_config, "GRANT CONNECT ON DATABASE"},
      {"server does not support SSL", FF_CODE_config, "set sslmode=prefer or enable TLS there"},
      {"could not translate host name", FF_CODE_config, "check the host name"},
      {"session is read-only", FF_CODE_store_read_only, "no host of the URL can be written"},
      {"hot standby mode", FF_CODE_store_read_only, "no host of the URL can be written"},
  };
  for (size_t i = 0; i < ARRAY_LEN(causes); i++)
    if (strstr(text, causes[i].words))
      return error_set(e, causes[i].code, "%s: %s: %.*s (%s)", s->target.shown, doing,
                       message_length(text), text, causes[i].advice);
  return error_set(e, FF_CODE_transport, "%s: %s: %.*s", s->target.shown, doing,
                   message_length(text), *text ? text : "the connection was lost");
}

enum ff_rc postgres_error(const struct postgres_store *s, const PGconn *conn, const PGresult *r,
                          const char *doing, struct ff_error *e) {
  const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
  if (!state) return connection_error(s, conn ? PQerrorMessage(conn) : "", doing, e);
  const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
  enum ff_code code = FF_CODE_transport;
  const char *advice = NULL;
  for (size_t i = 0; i < ARRAY_LEN(known) && !advice; i++)
    if (postgres_state_is(r, known[i].state)) code = known[i].code, advice = known[i].advice;
  if (!text) text = "";
  enum ff_rc rc = error_set(e, code, "%s: %s: %.*s%s%s%s", s->target.shown, doing,
                            message_length(text), text, advice ? " (" : "", advice ? advice : "",
                            advice ? ")" : "");
  error_context(e, "sqlstate", "%s", state);
  return rc;
}
