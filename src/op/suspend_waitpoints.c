/*
 * suspend_waitpoints: the older form of suspend, a list of waitpoints any of which resumes (03 S-29
 * … S-33).
 *
 * Only translates: which waitpoint a token names, the condition that goes with the list. What
 * suspending means is suspend.c's.
 */
#include "base/hmac.h"
#include "base/json.h"
#include "op/suspend.h"

enum { MATCHER_MAX_BYTES = 512, OLD_TOKEN_MAX_BYTES = 512 };

static enum ff_rc check_spec(const struct ff_waitpoint_spec *spec, struct ff_error *e) {
  struct ff_str matcher = text_of(spec->matcher.ptr, spec->matcher.len);
  if (spec->kind >= FF_waitpoint_kind_COUNT)
    return error_field(e, FF_CODE_invalid_input, "waitpoints", "%u is no kind", spec->kind);
  if (spec->kind != FF_waitpoint_kind_external)
    TRY(text_check(matcher, "waitpoints", MATCHER_MAX_BYTES, e));
  return text_check(spec->waitpoint_token, "waitpoints", OLD_TOKEN_MAX_BYTES, e);
}

static enum ff_rc older_prepare(const struct op_config *config, const void *args, void *prep,
                                struct arena *arena, struct ff_error *e) {
  const struct ff_suspend_waitpoints_args *a = args;
  (void)arena;
  TRY(handle_check_tag(config, &a->handle, e));
  if (a->handle.kind == FF_handle_kind_suspended)
    return error_set(e, FF_CODE_already_suspended, NULL);
  if (a->waitpoints.count == 0)
    return error_field(e, FF_CODE_invalid_input, "waitpoints", "waitpoints_empty");
  if (a->waitpoints.count > BINDINGS_MAX)
    return error_field(e, FF_CODE_invalid_input, "waitpoints", "at most %d bindings, got %zu",
                       BINDINGS_MAX, a->waitpoints.count);
  for (size_t i = 0; i < a->waitpoints.count; i++) TRY(check_spec(&a->waitpoints.items[i], e));
  return handle_decode(&a->handle, config->backend, config->flow_partitions, prep, e);
}

static void older_declare(struct declare *d, const void *args, const void *prep) {
  declare_prepared_execution(d, args, prep);
  declare_by_execution(d, RECORD_KIND_policy, *(const struct exec_id *)prep);
  declare_suspension(d, *(const struct exec_id *)prep);
  keystore_declare(d);
}

/* S-30: the pending waitpoint with that token. */
static enum ff_rc find_pending(struct tx *tx, const struct execution *x,
                               const struct keystore *keys, struct ff_str token,
                               const struct waitpoint **found, struct ff_error *e) {
  struct tx_scan scan;
  TRY(waitpoints_open(tx, x, &scan));
  while (!*found) {
    const void *record = NULL;
    struct ff_str own;
    TRY(tx_scan_next(&scan, &record));
    const struct waitpoint *w = record;
    if (!w || w->closed_at) return error_set(e, FF_CODE_invalid_token, NULL);
    if (w->state != FF_waitpoint_state_pending) continue;
    TRY(waitpoint_token(tx, keys, w, &own, e));
    if (own.len == token.len && secret_equal(own.ptr, token.ptr, own.len)) *found = w;
  }
  return FF_OK;
}

/* S-31 */
static void write_single(struct buffer *out, struct ff_str key,
                         const struct ff_waitpoint_spec *spec) {
  struct ff_str matcher = text_of(spec->matcher.ptr, spec->matcher.len);
  bool named = spec->kind == FF_waitpoint_kind_signal_name && matcher.len;
  bool correlated = spec->kind == FF_waitpoint_kind_correlation_id;
  buffer_append_c(out, "{\"Single\":{\"waitpoint_key\":");
  json_write_text(out, key);
  buffer_append_c(out, ",\"matcher\":");
  if (named || correlated) {
    buffer_append_c(out, named ? "{\"ByName\":" : "{\"ByCorrelationId\":");
    json_write_text(out, matcher);
    buffer_append_char(out, '}');
  } else {
    buffer_append_c(out, "\"Wildcard\"");
  }
  buffer_append_c(out, "}}");
}

/* S-32 */
static struct ff_str condition_of(struct arena *arena, const struct ff_str *keys,
                                  struct ff_waitpoint_specs specs) {
  struct buffer out;
  buffer_init(&out);
  if (specs.count > 1)
    buffer_append_c(&out, "{\"Composite\":{\"kind\":\"AnyOf\",\"members\":[");
  for (size_t i = 0; i < specs.count; i++) {
    if (i) buffer_append_char(&out, ',');
    write_single(&out, keys[i], &specs.items[i]);
  }
  if (specs.count > 1) buffer_append_c(&out, "]}}");
  struct ff_str text = arena_text(arena, buffer_text(&out));
  buffer_fini(&out);
  return text;
}

static enum ff_rc bind_specs(struct tx *tx, const struct execution *x,
                             struct ff_waitpoint_specs specs,
                             struct ff_waitpoint_binding *bindings, struct ff_str *keys,
                             struct ff_error *e) {
  struct keystore keystore;
  struct ff_id id;
  TRY(keystore_load(tx, &keystore));
  for (size_t i = 0; i < specs.count; i++) {
    const struct waitpoint *pending = NULL;
    struct ff_str token = specs.items[i].waitpoint_token;
    if (token.len) TRY(find_pending(tx, x, &keystore, token, &pending, e));
    uuid_format_id(pending ? pending->waitpoint_id : tx_mint_uuid(tx), &id);
    bindings[i].pending = pending != NULL;
    bindings[i].waitpoint_id = arena_text(tx_arena(tx), ff_text(id.text));
    keys[i] = pending ? pending->waitpoint_key : arena_printf(tx_arena(tx), "wpk:%s", id.text);
    bindings[i].waitpoint_key = keys[i];
  }
  return FF_OK;
}

static enum ff_rc older_run(struct tx *tx, const void *args, const void *prep, void *result,
                            struct ff_error *e) {
  const struct ff_suspend_waitpoints_args *a = args;
  struct ff_suspend_waitpoints_result *r = result;
  struct suspend_prep p = {.handle = *(const struct handle_body *)prep};
  struct ff_suspend_result suspended = {0};
  const struct execution *x = NULL;
  size_t count = a->waitpoints.count;
  struct ff_waitpoint_binding *bindings =
      ARENA_ARRAY(tx_arena(tx), struct ff_waitpoint_binding, count);
  struct ff_str *keys = ARENA_ARRAY(tx_arena(tx), struct ff_str, count);
  struct ff_id id;
  TRY(execution_load(tx, p.handle.execution, &x, e));
  p.fence = fence_of_handle(&p.handle);
  p.fence.has_attempt_index = true;
  p.fence.attempt_index = p.handle.attempt_index;
  if (x->lifecycle_phase == FF_lifecycle_phase_suspended)
    return error_set(e, FF_CODE_already_suspended, NULL);
  TRY(fence_check(tx, x, &p.fence, FENCE_FULL, e));
  TRY(bind_specs(tx, x, a->waitpoints, bindings, keys, e));
  uuid_format_id(tx_mint_uuid(tx), &id);
  struct ff_suspend_args same = {
      .size = sizeof same,
      .suspension_id = ff_text(id.text),
      .waitpoints = {bindings, count},
      .resume_condition = condition_of(tx_arena(tx), keys, a->waitpoints),
      .reason_code = TEXT_LIT("waiting_for_signal")};
  if (a->timeout_ms)
    same.timeout_at = add_saturating(
        tx_now(tx), a->timeout_ms > INT64_MAX ? INT64_MAX : (int64_t)a->timeout_ms);
  TRY(suspend_check(&same, tx_arena(tx), &p.request, e));
  TRY(suspend_execute(tx, &p, false, &suspended, e));
  if (suspended.outcome == FF_outcome_already_satisfied) { /* S-33 */
    tx_commit_on_error(tx);
    return error_set(e, FF_CODE_already_satisfied, NULL);
  }
  r->outcome = suspended.outcome;
  r->handle = suspended.handle;
  return FF_OK;
}

const struct op_code op_code_suspend_waitpoints = {sizeof(struct handle_body), older_prepare,
                                                   older_declare, older_run};
