/*
 * From answers that are errors to typed errors that say what to do.
 *
 * Every error names the server. Never decides whether a write took effect: that is valkey_apply.c's.
 */
#include "store/valkey_impl.h"

static const struct {
  const char *begin;
  enum ff_code code;
  const char *advice;
} known[] = {
    {"WRONGPASS", FF_CODE_config, "check user and password"},
    {"NOAUTH", FF_CODE_config, "put user and password into the URL"},
    {"NOPERM", FF_CODE_config, "the user lacks a right: see doc/stores.md"},
    {"ERR AUTH", FF_CODE_config, "the server has no password: take it out of the URL"},
    {"ERR Client sent AUTH", FF_CODE_config, "the server has no password: take it out of the URL"},
    {"ERR invalid password", FF_CODE_config, "check user and password"},
    {"DENIED", FF_CODE_config, "the server is in protected mode: give it a password"},
    {"ERR DB index", FF_CODE_config, "the server has fewer databases"},
    {"ERR SELECT is not allowed", FF_CODE_config, "a cluster has database 0 only"},
    {"READONLY", FF_CODE_store_read_only,
     "the server is a replica: connect to the primary, or read with mode=ro"},
    {"OOM", FF_CODE_store_full, "the server is at its maxmemory"},
    {"MISCONF", FF_CODE_store_full, "the server cannot write its files and takes no more writes"},
    {"LOADING", FF_CODE_transport, "the server is starting"},
    {"BUSY", FF_CODE_transport, "the server is busy with a script"},
    {"MASTERDOWN", FF_CODE_transport, "the replica has lost its primary"},
    {"NOREPLICAS", FF_CODE_transport, "too few replicas are connected"},
    {"UNBLOCKED", FF_CODE_transport, "the server changed its role"},
    {"WRONGTYPE", FF_CODE_corruption, "a key with our prefix is somebody else's"},
    {"ERR max number of clients", FF_CODE_transport, "raise maxclients"},
    {"CLUSTERDOWN", FF_CODE_transport, "the cluster does not serve this slot"},
};

enum ff_rc valkey_error(const struct valkey_store *s, const struct valkey_reply *r,
                        const char *doing, struct ff_error *e) {
  enum ff_code code = FF_CODE_transport;
  const char *advice = NULL;
  for (size_t i = 0; i < ARRAY_LEN(known) && !advice; i++)
    if (valkey_error_is(r, known[i].begin)) code = known[i].code, advice = known[i].advice;
  int shown = (int)strcspn(r->text.ptr, "\r\n");
  return error_set(e, code, "%s: %s: %.*s%s%s%s", s->target.shown, doing, shown < 200 ? shown : 200,
                   r->text.ptr, advice ? " (" : "", advice ? advice : "", advice ? ")" : "");
}

enum ff_rc valkey_lost(const struct valkey_store *s, const struct valkey_wire *w, const char *doing,
                       struct ff_error *e) {
  const char *problem = w ? valkey_wire_problem(w) : "";
  return error_set(e, FF_CODE_transport, "%s: %s: %s", s->target.shown, doing,
                   *problem ? problem : "the connection was lost");
}

enum ff_rc valkey_strange(const struct valkey_store *s, const char *doing, struct ff_error *e) {
  return error_set(e, FF_CODE_transport, "%s: %s: an answer that is none", s->target.shown, doing);
}
