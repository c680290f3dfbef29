/*
 * The cold column on any text: what decodes is encoded and decodes to the same record, with one
 * spelling; a refusal names a cold field or the column.
 *
 * Input: the text of the column.
 */
#include "fuzz.h"

#include "record/record.h"

#define UUID "550e8400-e29b-41d4-a716-446655440000"

const struct ff_str fuzz_seeds[] = {
    SEED("{\"payload_encoding\":\"json\",\"retry_count\":2,\"lease_reclaim_count\":4294967295}"),
    SEED("{\"receipt_lease_id\":\"" UUID "\",\"receipt_lease_epoch\":18446744073709551615,"
         "\"receipt_attempt_id\":\"" UUID "\",\"receipt_delay_until\":-9223372036854775808,"
         "\"receipt_next_attempt_index\":1}"),
    SEED("{\"progress_pct\":50,\"progress_message\":\"half \\u00e9 \\\"way\\\"\","
         "\"progress_updated_at\":1700000000000,\"failure_reason\":\"\","
         "\"pending_previous_attempt_index\":-1}"),
    SEED("{\"policy_auto_reclaim_delay_ms\":9223372036854775807,\"policy_retention_ms\":0,"
         "\"policy_max_reclaim_count\":3,\"policy_max_replay_count\":0,"
         "\"current_waitpoint_id\":\"" UUID "\","
         "\"budget_ids\":\"" UUID "," UUID "\",\"quota_policy_id\":"
         "\"00000000-0000-0000-0000-000000000000\"}"),
    SEED("{\"cold\":1,\"partition\":1,\"lifecycle_phase\":\"active\",\"version\":1}"),
    SEED("{}"),
    {NULL, 0}};

/* The template of a kind, large enough for each. */
union any_record {
#define X(kind, tag) struct kind kind;
  RECORD_KINDS(X)
#undef X
};

static void check_refusal(enum record_kind kind, const char *bad_field) {
  INVARIANT(bad_field != NULL);
  if (strcmp(bad_field, "cold") == 0) return;
  const struct field *f = record_field(kind, ff_text(bad_field));
  INVARIANT(f != NULL && (f->flags & FIELD_COLD));
}

static void check_kind(enum record_kind kind, struct ff_str cold, struct arena *arena) {
  union any_record first, second;
  const char *bad_field = NULL;
  record_init(kind, &first);
  record_init(kind, &second);
  if (!record_cold_decode(kind, cold, &first, arena, &bad_field)) {
    check_refusal(kind, bad_field);
    return;
  }
  struct ff_str encoded = record_cold_encode(kind, &first, arena);
  INVARIANT(text_present(encoded) != record_equal(kind, &first, &second));
  INVARIANT(text_is_utf8(encoded));
  INVARIANT(record_cold_decode(kind, encoded, &second, arena, &bad_field));
  INVARIANT(record_equal(kind, &first, &second));
  INVARIANT(text_equal(record_cold_encode(kind, &second, arena), encoded));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct arena arena;
  arena_init(&arena);
  for (int kind = 0; kind < RECORD_KIND_COUNT; kind++)
    if (record_infos[kind].has_cold)
      check_kind((enum record_kind)kind, text_of((const char *)data, size), &arena);
  arena_fini(&arena);
  return 0;
}
