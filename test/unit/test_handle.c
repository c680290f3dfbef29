/*
 * The worker handle codec: the vector of 01 HD-2, version 1 of HD-3, every cause of HD-4, the tags
 * of HD-5.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/ids.h"

static struct ff_error error;

/* Where the fields of the HD-2 vector start (version 2). */
enum {
  AT_TAG = 2,
  AT_EXECUTION = 3,
  AT_INDEX = 50,
  AT_ATTEMPT = 54,
  AT_LEASE = 94,
  AT_EPOCH = 134,
  AT_TTL = 142,
  AT_LANE = 150,
  AT_INSTANCE = 161,
  END = 170
};

static struct handle_body vector_body(void) {
  struct handle_body b = {.attempt_index = 0,
                          .lease_epoch = 1,
                          .lease_ttl_ms = 30000,
                          .lane_id = TEXT_LIT("default"),
                          .worker_instance_id = TEXT_LIT("w1-i1")};
  b.execution.partition = 7;
  assert_true(uuid_parse(TEXT_LIT("550e8400-e29b-41d4-a716-446655440000"), &b.execution.uuid));
  memset(b.attempt_id.b, 0x11, 16);
  memset(b.lease_id.b, 0x22, 16);
  return b;
}

static struct ff_handle vector_handle(enum ff_backend backend) {
  struct ff_handle h;
  struct handle_body b = vector_body();
  handle_encode(&b, backend, FF_handle_kind_fresh, &h);
  return h;
}

static void assert_same_body(const struct handle_body *a, const struct handle_body *b) {
  assert_true(exec_id_equal(a->execution, b->execution));
  assert_int_equal(a->attempt_index, b->attempt_index);
  assert_true(uuid_equal(a->attempt_id, b->attempt_id) && uuid_equal(a->lease_id, b->lease_id));
  assert_true(a->lease_epoch == b->lease_epoch && a->lease_ttl_ms == b->lease_ttl_ms);
  assert_true(text_equal(a->lane_id, b->lane_id));
  assert_true(text_equal(a->worker_instance_id, b->worker_instance_id));
}

static void vector_of_hd2(void **state) {
  (void)state;
  struct ff_handle h = vector_handle(FF_backend_sqlite);
  char hex[2 * FF_HANDLE_OPAQUE_MAX + 1];
  hex_encode(h.opaque, h.len, hex);
  assert_int_equal(h.len, END);
  assert_int_equal(h.backend, FF_backend_sqlite);
  assert_int_equal(h.kind, FF_handle_kind_fresh);
  assert_string_equal(
      hex,
      "0201032b000000"
      "7b66703a377d3a35353065383430302d653239622d343164342d613731362d343436363535343430303030"
      "00000000"
      "24000000" "31313131313131312d313131312d313131312d313131312d313131313131313131313131"
      "24000000" "32323232323232322d323232322d323232322d323232322d323232323232323232323232"
      "0100000000000000" "3075000000000000"
      "0700000064656661756c74" "0500000077312d6931");
  for (size_t i = h.len; i < FF_HANDLE_OPAQUE_MAX; i++) assert_int_equal(h.opaque[i], 0);
  struct handle_body wanted = vector_body(), got;
  assert_int_equal(handle_decode(&h, FF_backend_sqlite, 256, &got, &error), FF_OK);
  assert_same_body(&got, &wanted);
}

static void longest_handle_round_trips(void **state) {
  (void)state;
  char lane[64], instance[256];
  memset(lane, 'l', sizeof(lane));
  memset(instance, 'i', sizeof(instance));
  struct handle_body b = vector_body(), got;
  struct ff_handle h;
  b.execution.partition = 65535;
  b.attempt_index = UINT32_MAX;
  b.lease_epoch = b.lease_ttl_ms = UINT64_MAX;
  b.lane_id = text_of(lane, sizeof(lane));
  b.worker_instance_id = text_of(instance, sizeof(instance));
  for (int backend = FF_backend_valkey; backend < FF_backend_COUNT; backend++) {
    handle_encode(&b, (enum ff_backend)backend, FF_handle_kind_reclaimed, &h);
    assert_int_equal(handle_decode(&h, (enum ff_backend)backend, 65536, &got, &error), FF_OK);
    assert_same_body(&got, &b);
  }
}

/* Version 1 is one version byte and the same fields. */
static struct ff_handle vector_v1(enum ff_backend outer) {
  struct ff_handle h = vector_handle(outer);
  h.opaque[0] = 0x01;
  memmove(h.opaque + 1, h.opaque + 3, h.len - 3u);
  h.len = (uint16_t)(h.len - 2);
  return h;
}

static void assert_corrupt(const struct ff_handle *h, enum ff_backend backend, const char *cause) {
  struct handle_body got;
  char detail[256];
  assert_int_equal(handle_decode(h, backend, 256, &got, &error), FF_VALIDATION);
  assert_int_equal(error.code, FF_CODE_corruption);
  snprintf(detail, sizeof(detail), "handle_codec: %s", cause);
  assert_string_equal(error.detail, detail);
}

static void version_1_is_read_for_valkey_only_hd3(void **state) {
  (void)state;
  struct ff_handle h = vector_v1(FF_backend_valkey);
  struct handle_body wanted = vector_body(), got;
  assert_int_equal(handle_decode(&h, FF_backend_valkey, 256, &got, &error), FF_OK);
  assert_same_body(&got, &wanted);
  h = vector_v1(FF_backend_sqlite);
  assert_corrupt(&h, FF_backend_sqlite, "BackendTagMismatch{outer=sqlite, embedded=valkey}");
}

static void every_cut_is_truncated_hd4(void **state) {
  (void)state;
  struct ff_handle whole = vector_handle(FF_backend_memory);
  for (uint16_t len = 0; len < whole.len; len++) {
    struct ff_handle h = whole;
    struct handle_body got;
    h.len = len;
    assert_int_equal(handle_decode(&h, FF_backend_memory, 256, &got, &error), FF_VALIDATION);
    assert_int_equal(error.code, FF_CODE_corruption);
    assert_int_equal(strncmp(error.detail, "handle_codec: Truncated{", 24), 0);
  }
  struct ff_handle h = whole;
  h.len = 0;
  assert_corrupt(&h, FF_backend_memory, "Truncated{needed=1, at=0, have=0}");
  h.len = 5;
  assert_corrupt(&h, FF_backend_memory, "Truncated{needed=4, at=3, have=2}");
  h.len = 10;
  assert_corrupt(&h, FF_backend_memory, "Truncated{needed=43, at=7, have=3}");
  h.len = UINT16_MAX; /* a length the struct cannot hold */
  assert_corrupt(&h, FF_backend_memory, "Truncated{needed=65535, at=0, have=508}");
}

/* Lengths are checked against what remains, whatever they claim. */
static void huge_lengths_are_truncated_hd4(void **state) {
  (void)state;
  static const int lengths[] = {AT_EXECUTION, AT_ATTEMPT, AT_LEASE, AT_LANE, AT_INSTANCE};
  for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
    struct ff_handle h = vector_handle(FF_backend_sqlite);
    char cause[100];
    memset(h.opaque + lengths[i], 0xff, 4);
    snprintf(cause, sizeof(cause), "Truncated{needed=4294967295, at=%d, have=%d}", lengths[i] + 4,
             END - lengths[i] - 4);
    assert_corrupt(&h, FF_backend_sqlite, cause);
  }
}

static void prefix_causes_hd4(void **state) {
  (void)state;
  struct ff_handle h = vector_handle(FF_backend_sqlite);
  h.opaque[0] = 3;
  assert_corrupt(&h, FF_backend_sqlite, "BadV1Version{found=3}");
  h.opaque[0] = 0;
  assert_corrupt(&h, FF_backend_sqlite, "BadV1Version{found=0}");
  h = vector_handle(FF_backend_sqlite);
  h.opaque[1] = 2;
  assert_corrupt(&h, FF_backend_sqlite, "BadWireVersion{found=2}");
  h = vector_handle(FF_backend_sqlite);
  h.opaque[AT_TAG] = 0;
  assert_corrupt(&h, FF_backend_sqlite, "BadBackendTag{found=0}");
  h.opaque[AT_TAG] = 5;
  assert_corrupt(&h, FF_backend_sqlite, "BadBackendTag{found=5}");
}

static void field_causes_hd4(void **state) {
  (void)state;
  static const struct {
    int at;
    uint8_t byte;
    const char *cause;
  } vectors[] = {
      {AT_EXECUTION + 4, 0xff, "InvalidUtf8{field=execution_id}"},
      {AT_EXECUTION + 4, 'x',
       "ParseField{field=execution_id, detail=MissingTag: an execution id is "
                              "{fp:N}:<uuid>}"},
      {AT_EXECUTION + 8, 'x',
       "ParseField{field=execution_id, detail=InvalidPartitionIndex: N of {fp:N} is "
                              "0..65535}"},
      {AT_EXECUTION + 11, 'x',
       "ParseField{field=execution_id, detail=InvalidUuid: a uuid has 36 characters, "
                               "hyphenated}"},
      {AT_ATTEMPT + 4, 0x80, "InvalidUtf8{field=attempt_id}"},
      {AT_ATTEMPT + 4, 'g', "ParseField{field=attempt_id, detail=InvalidUuid}"},
      {AT_LEASE + 4, 0, "InvalidUtf8{field=lease_id}"},
      {AT_LEASE + 4, 'g', "ParseField{field=lease_id, detail=InvalidUuid}"},
      {AT_LANE + 4, 0xff, "InvalidUtf8{field=lane_id}"},
      {AT_LANE + 5, '\t', "ParseField{field=lane_id, detail=NonPrintable(1)}"},
      {AT_INSTANCE + 4, 0xff, "InvalidUtf8{field=worker_instance_id}"},
  };
  for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
    struct ff_handle h = vector_handle(FF_backend_postgres);
    h.opaque[vectors[i].at] = vectors[i].byte;
    assert_corrupt(&h, FF_backend_postgres, vectors[i].cause);
  }
}

static void too_long_instance_hd4(void **state) {
  (void)state;
  struct ff_handle h = vector_handle(FF_backend_sqlite);
  h.opaque[AT_INSTANCE] = 0x01; /* 257 */
  h.opaque[AT_INSTANCE + 1] = 0x01;
  memset(h.opaque + AT_INSTANCE + 4, 'i', 257);
  h.len = AT_INSTANCE + 4 + 257;
  assert_corrupt(&h, FF_backend_sqlite,
                 "ParseField{field=worker_instance_id, detail=TooLong(257)}");
}

static void trailing_bytes_hd4(void **state) {
  (void)state;
  struct ff_handle h = vector_handle(FF_backend_sqlite);
  h.len = END + 3;
  assert_corrupt(&h, FF_backend_sqlite, "TrailingBytes{pos=170, len=173}");
}

static void other_backend_hd5_1(void **state) {
  (void)state;
  struct ff_handle h = vector_handle(FF_backend_valkey);
  struct handle_body got;
  h.len = 1; /* the outer tag is looked at before anything is decoded */
  assert_int_equal(handle_decode(&h, FF_backend_sqlite, 256, &got, &error), FF_VALIDATION);
  assert_int_equal(error.code, FF_CODE_handle_from_other_backend);
  assert_string_equal(error.detail, "expected=sqlite actual=valkey");
  h.backend = 99;
  assert_int_equal(handle_decode(&h, FF_backend_sqlite, 256, &got, &error), FF_VALIDATION);
  assert_string_equal(error.detail, "expected=sqlite actual=unknown");
  assert_int_equal(handle_decode(&h, FF_backend_sqlite, 256, &got, NULL), FF_VALIDATION);
}

static void embedded_tag_hd5_5(void **state) {
  (void)state;
  struct ff_handle h = vector_handle(FF_backend_sqlite);
  h.backend = FF_backend_postgres;
  assert_corrupt(&h, FF_backend_postgres, "BackendTagMismatch{outer=postgres, embedded=sqlite}");
  h.opaque[AT_ATTEMPT + 4] = 'g'; /* step 4, decoding, comes before step 5 */
  assert_corrupt(&h, FF_backend_postgres, "ParseField{field=attempt_id, detail=InvalidUuid}");
}

static void partition_out_of_range_pt5(void **state) {
  (void)state;
  struct ff_handle h = vector_handle(FF_backend_sqlite);
  struct handle_body got;
  assert_int_equal(handle_decode(&h, FF_backend_sqlite, 8, &got, &error), FF_OK);
  assert_int_equal(handle_decode(&h, FF_backend_sqlite, 7, &got, &error), FF_VALIDATION);
  assert_int_equal(error.code, FF_CODE_invalid_input);
  assert_string_equal(error.detail, "partition index 7 out of range (num_flow_partitions=7)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(vector_of_hd2),
      cmocka_unit_test(longest_handle_round_trips),
      cmocka_unit_test(version_1_is_read_for_valkey_only_hd3),
      cmocka_unit_test(every_cut_is_truncated_hd4),
      cmocka_unit_test(huge_lengths_are_truncated_hd4),
      cmocka_unit_test(prefix_causes_hd4),
      cmocka_unit_test(field_causes_hd4),
      cmocka_unit_test(too_long_instance_hd4),
      cmocka_unit_test(trailing_bytes_hd4),
      cmocka_unit_test(other_backend_hd5_1),
      cmocka_unit_test(embedded_tag_hd5_5),
      cmocka_unit_test(partition_out_of_range_pt5),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
