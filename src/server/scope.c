/*
 * The scope an operation needs: derived where the table says it, closed where nobody has said
 * anything.
 */
#include "server/server.h"
#include "wire/http.h"
#include "wire/wire.h"

static const struct {
  const char *name;
  enum scope scope;
} scopes[] = {{"read", SCOPE_READ}, {"submit", SCOPE_SUBMIT}, {"work", SCOPE_WORK},
              {"admin", SCOPE_ADMIN}};

const char *scope_name(enum scope scope) {
  for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
    if (scopes[i].scope == scope) return scopes[i].name;
  return "none";
}

unsigned scope_named(struct ff_str name) {
  for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
    if (http_same(name, scopes[i].name)) return scopes[i].scope;
  return 0;
}

/* ---- operations ---- */

static bool begins_with(const char *name, const char *prefix) {
  return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool begins_with_any(const char *name, const char *const *prefixes, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (begins_with(name, prefixes[i])) return true;
  return false;
}

/* What makes and steers work, and what does it. Everything that is neither, nor reads, is for
 * administrators: an operation nobody has thought of here is closed, not open. */
static const char *const submitting[] = {
    "create_execution",  "create_flow",           "submit",         "deliver_signal",
    "cancel_execution",  "cancel_flow",           "set_execution_tag", "set_flow_tag",
    "add_execution_to_flow", "stage_dependency_edge", "apply_dependency_to_child",
    "set_edge_group_policy", "change_priority"};
static const char *const working[] = {
    "claim",      "renew",       "progress",        "complete",       "fail",
    "delay",      "wait_children", "suspend",       "append_frame",   "create_waitpoint",
    "observe_signals", "register_worker", "heartbeat_worker", "mark_worker_dead",
    "report_usage", "record_spend", "reclaim_execution"};

/* Of the administrative ones, those that tell and change nothing. */
static const char *const telling[] = {"capabilities", "engine_stats", "list_scanners",
                                      "list_waitpoint_hmac_kids"};

enum scope scope_of(const struct ff_operation *op) {
  if (strcmp(op->name, "cancel") == 0) return SCOPE_WORK; /* of one's own attempt */
  if (begins_with_any(op->name, submitting, ARRAY_LEN(submitting))) return SCOPE_SUBMIT;
  if (begins_with_any(op->name, working, ARRAY_LEN(working))) return SCOPE_WORK;
  bool reads = op->class_ == FF_OPERATION_READ || op->class_ == FF_OPERATION_WAIT ||
               begins_with_any(op->name, telling, ARRAY_LEN(telling));
  if (!reads) return SCOPE_ADMIN;
  return wire_has_credentials(op->result) ? SCOPE_WORK : SCOPE_READ;
}
