/*
 * The handle codec on any bytes: refusals are typed, and what decodes is encoded and decodes to
 * the same.
 *
 * Input: outer tag, then the opaque bytes.
 */
#include "fuzz.h"

#include "base/ids.h"

#define FIELDS                                                                                   \
  "\x2b\0\0\0{fp:7}:550e8400-e29b-41d4-a716-446655440000\0\0\0\0"                                \
  "\x24\0\0\0" "11111111-1111-1111-1111-111111111111"                                            \
  "\x24\0\0\0" "22222222-2222-2222-2222-222222222222"                                            \
  "\x01\0\0\0\0\0\0\0\x30\x75\0\0\0\0\0\0" "\x07\0\0\0default" "\x05\0\0\0w1-i1"

const struct ff_str fuzz_seeds[] = {SEED("\x03\x02\x01\x03" FIELDS),
                                    SEED("\x04\x02\x01\x04" FIELDS),
                                    SEED("\x01\x01" FIELDS), SEED("\x01\x02\x01\x01" FIELDS),
                                    {NULL, 0}};

static bool same_body(const struct handle_body *a, const struct handle_body *b) {
  return exec_id_equal(a->execution, b->execution) && a->attempt_index == b->attempt_index &&
         uuid_equal(a->attempt_id, b->attempt_id) && uuid_equal(a->lease_id, b->lease_id) &&
         a->lease_epoch == b->lease_epoch && a->lease_ttl_ms == b->lease_ttl_ms &&
         text_equal(a->lane_id, b->lane_id) && text_equal(a->worker_instance_id,
                                                          b->worker_instance_id);
}

static void check_refusal(const struct ff_error *e) {
  INVARIANT(e->rc == FF_VALIDATION && text_is_utf8(ff_text(e->detail)));
  INVARIANT(e->code == FF_CODE_corruption || e->code == FF_CODE_handle_from_other_backend);
  if (e->code == FF_CODE_corruption) INVARIANT(strncmp(e->detail, "handle_codec: ", 14) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ff_handle handle, again;
  struct handle_body first, second;
  struct ff_error error;
  if (size == 0) return 0;
  size_t len = size - 1;
  enum ff_backend backend = data[0] >= 1 &&
  data[0] <= 4 ? (enum ff_backend)data[0] : FF_backend_sqlite;
  memset(&handle, 0, sizeof(handle));
  handle.backend = data[0];
  handle.kind = FF_handle_kind_fresh;
  /* It may claim more than the struct holds. */
  handle.len = (uint16_t)(len < UINT16_MAX ? len : UINT16_MAX);
  memcpy(handle.opaque, data + 1, len < FF_HANDLE_OPAQUE_MAX ? len : FF_HANDLE_OPAQUE_MAX);
  if (handle_decode(&handle, backend, 65536, &first, &error) != FF_OK) {
    check_refusal(&error);
    return 0;
  }
  handle_encode(&first, backend, FF_handle_kind_fresh, &again);
  INVARIANT(handle_decode(&again, backend, 65536, &second, &error) == FF_OK);
  INVARIANT(same_body(&first, &second));
  handle_encode(&second, backend, FF_handle_kind_fresh, &handle);
  INVARIANT(memcmp(&handle, &again, sizeof(handle)) == 0);
  return 0;
}
