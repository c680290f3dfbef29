/*
 * read_exec_core_fields: single fields of an execution as text, by the names of 02 §1 and their
 * aliases (L-167).
 *
 * A field that is empty, unset or unknown is left out. Blobs, maps and the engine's own bookkeeping
 * (receipts, copies of policy members, due times) have no name here.
 */
#include "op/read.h"

struct core_field {
  const char *name;
  const char *stored; /* the record field behind it, NULL when derived */
  bool while_active;  /* describes the current lease: only in the active phase (SV-4) */
  struct ff_str (*derive)(const struct execution *, struct arena *);
};

static const struct ff_str absent = {NULL, 0};

static struct ff_str execution_id_text(const struct execution *x, struct arena *arena) {
  struct ff_id id;
  exec_id_format(execution_id_of(x), &id);
  return arena_text(arena, ff_text(id.text));
}

static struct ff_str public_state_text(const struct execution *x, struct arena *arena) {
  (void)arena;
  return ff_text(ff_word(FF_WORD_public_state, execution_public_state(x)));
}

static struct ff_str attempt_id_text(const struct execution *x, struct arena *arena) {
  struct ff_id id;
  if (!execution_has_current_attempt(x)) return absent;
  uuid_format_id(x->attempt_id, &id);
  return arena_text(arena, ff_text(id.text));
}

/* RC-1: absent before the first claim. */
static struct ff_str attempt_index_text(const struct execution *x, struct arena *arena) {
  return x->total_attempt_count ? arena_printf(arena, "%u", x->attempt_index) : absent;
}

/* L-20: advisory; two thirds of the ttl behind the last renewal. */
static struct ff_str renewal_deadline_text(const struct execution *x, struct arena *arena) {
  if (x->lease_expires_at == 0) return absent;
  int64_t ttl_ms = x->lease_expires_at - x->lease_last_renewed_at;
  int64_t two_thirds_ms = ttl_ms / 3 * 2 + ttl_ms % 3 * 2 / 3; /* a lease may be for ever */
  return arena_printf(arena, "%lld", (long long)(x->lease_last_renewed_at + two_thirds_ms));
}

#define STORED(name) {#name, #name, false, NULL}
#define ALIAS(name, field) {#name, #field, false, NULL}
#define LEASE(name, field) {#name, #field, true, NULL}
#define DERIVED(name, function) {#name, NULL, false, function}

/* In byte order: the answer is sorted. */
static const struct core_field core_fields[] = {
    DERIVED(attempt_index, attempt_index_text),
    STORED(attempt_state),
    STORED(attempt_timeout_at),
    STORED(attempt_timeout_remaining_ms),
    STORED(blocking_detail),
    STORED(blocking_reason),
    STORED(budget_ids),
    ALIAS(cancel_reason, cancellation_reason),
    STORED(cancellation_reason),
    STORED(cancelled_by),
    STORED(completed_at),
    STORED(created_at),
    ALIAS(created_at_ms, created_at),
    STORED(creator_identity),
    DERIVED(current_attempt_id, attempt_id_text),
    DERIVED(current_attempt_index, attempt_index_text),
    ALIAS(current_lane, lane_id),
    STORED(current_lease_epoch),
    LEASE(current_lease_id, lease_id),
    STORED(current_suspension_id),
    STORED(current_waitpoint_id),
    LEASE(current_worker_id, worker_id),
    LEASE(current_worker_instance_id, worker_instance_id),
    ALIAS(deadline_at_ms, execution_deadline_at),
    STORED(delay_until),
    STORED(eligibility_state),
    STORED(execution_deadline_at),
    DERIVED(execution_id, execution_id_text),
    STORED(execution_kind),
    STORED(failure_category),
    STORED(failure_reason),
    STORED(flow_id),
    STORED(held_reason),
    STORED(idempotency_key),
    STORED(lane_id),
    STORED(last_capability_mismatch_at),
    STORED(last_hmac_validation_failed_at),
    STORED(last_mutation_at),
    STORED(last_transition_at),
    LEASE(lease_acquired_at, lease_acquired_at),
    STORED(lease_expired_at),
    LEASE(lease_expires_at, lease_expires_at),
    LEASE(lease_last_renewed_at, lease_last_renewed_at),
    STORED(lease_reclaim_count),
    {"lease_renewal_deadline", NULL, true, renewal_deadline_text},
    STORED(lease_revoke_reason),
    STORED(lease_revoked_at),
    STORED(lifecycle_phase),
    {"namespace", "namespace", false, NULL},
    STORED(ownership_state),
    STORED(partition),
    ALIAS(partition_id, partition),
    STORED(payload_encoding),
    STORED(pending_previous_attempt_index),
    STORED(pending_reclaim_reason),
    STORED(pending_replay_reason),
    STORED(pending_replay_requested_by),
    STORED(pending_retry_reason),
    STORED(priority),
    STORED(progress_message),
    STORED(progress_pct),
    STORED(progress_updated_at),
    DERIVED(public_state, public_state_text),
    STORED(purge_at),
    STORED(quota_policy_id),
    STORED(replay_count),
    STORED(required_capabilities),
    STORED(result_encoding),
    STORED(retry_count),
    STORED(started_at),
    ALIAS(terminal_at_ms, completed_at),
    STORED(terminal_outcome),
    STORED(total_attempt_count),
};

static struct ff_str uuid_text(struct uuid u, struct arena *arena) {
  struct ff_id id;
  uuid_format_id(u, &id);
  return id.text[0] ? arena_text(arena, ff_text(id.text)) : absent;
}

/* Counters are text also when 0; times, which are unset when 0, are not. */
static struct ff_str stored_text(const struct field *f, const struct execution *x,
                                 struct arena *arena) {
  const void *at = (const char *)x + f->offset;
  switch (f->type) {
    case FIELD_U8: return arena_printf(arena, "%u", *(const uint8_t *)at);
    case FIELD_U16: return arena_printf(arena, "%u", *(const uint16_t *)at);
    case FIELD_U32: return arena_printf(arena, "%u", *(const uint32_t *)at);
    case FIELD_I32: return arena_printf(arena, "%d", *(const int32_t *)at);
    case FIELD_U64: return arena_printf(arena, "%llu", (unsigned long long)*(const uint64_t *)at);
    case FIELD_I64:
    case FIELD_IDX:
      if (field_is_default(f, x)) return absent;
      return arena_printf(arena, "%lld", (long long)*(const int64_t *)at);
    case FIELD_UUID: return uuid_text(*(const struct uuid *)at, arena);
    case FIELD_TEXT: return *(const struct ff_str *)at;
    case FIELD_ENUM: return ff_text(ff_word((enum ff_word_enum)f->words, *(const uint8_t *)at));
    case FIELD_BYTES: break;
  }
  return absent;
}

static struct ff_str core_text(const struct core_field *c, const struct execution *x,
                               struct arena *arena) {
  if (c->while_active && x->lifecycle_phase != FF_lifecycle_phase_active) return absent;
  if (c->derive) return c->derive(x, arena);
  const struct field *f = record_field(RECORD_KIND_execution, ff_text(c->stored));
  INVARIANT(f != NULL);
  return stored_text(f, x, arena);
}

/* ---- the operation ---- */

struct fields_prep {
  struct exec_id id;
  bool wanted[ARRAY_LEN(core_fields)];
};

static enum ff_rc fields_prepare(const struct op_config *config, const void *args, void *prep,
                                 struct arena *arena, struct ff_error *e) {
  const struct ff_read_exec_core_fields_args *a = args;
  struct fields_prep *p = prep;
  uint16_t partition = 0;
  (void)arena;
  TRY(partition_parse(a->partition, "partition", config->flow_partitions, &partition, e));
  TRY(exec_id_parse(a->execution_id, "execution_id", config->flow_partitions, &p->id, e));
  if (partition != p->id.partition)
    return error_field(e, FF_CODE_invalid_input, "partition", "partition mismatch");
  for (size_t i = 0; i < a->names.count; i++)
    for (size_t k = 0; k < ARRAY_LEN(core_fields); k++)
      if (text_equal_c(a->names.items[i], core_fields[k].name)) p->wanted[k] = true;
  return FF_OK;
}

static void fields_declare(struct declare *d, const void *args, const void *prep) {
  const struct ff_read_exec_core_fields_args *a = args;
  if (a->names.count) declare_prepared_execution(d, args, prep);
}

static enum ff_rc fields_run(struct tx *tx, const void *args, const void *prep, void *result,
                             struct ff_error *e) {
  const struct ff_read_exec_core_fields_args *a = args;
  const struct fields_prep *p = prep;
  struct ff_read_exec_core_fields_result *r = result;
  const struct execution *x = NULL;
  size_t count = 0;
  (void)e;
  if (a->names.count == 0) return FF_OK;
  TRY(read_execution(tx, prep, &x));
  if (!x) return FF_OK;
  struct ff_pair *fields = ARENA_ARRAY(tx_arena(tx), struct ff_pair, ARRAY_LEN(core_fields));
  for (size_t i = 0; i < ARRAY_LEN(core_fields); i++) {
    if (!p->wanted[i]) continue;
    struct ff_str value = core_text(&core_fields[i], x, tx_arena(tx));
    if (text_nonempty(value)) fields[count++] = (struct ff_pair){ff_text(core_fields[i].name),
                                                                 value};
  }
  r->fields = (struct ff_pairs){fields, count};
  return FF_OK;
}

const struct op_code op_code_read_exec_core_fields = {sizeof(struct fields_prep), fields_prepare,
                                                      fields_declare, fields_run};
