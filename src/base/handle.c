/*
 * The worker handle codec (01 HD-1 … HD-5): version 2 written and read, version 1 only read.
 *
 * It believes nothing in a handle: every length is checked against what remains, every field
 * against its grammar. Whether the lease named still holds is not its business.
 */
#include "base/ids.h"

#define WIRE_MAGIC 0x02
#define WIRE_VERSION 0x01
#define V1_VERSION 0x01
#define WORKER_MAX_BYTES 256

/* Any execution id passes PT-5 of this count: grammar comes first, the deployment's count last. */
#define ANY_PARTITIONS 65536u

/* Lane of 64 and instance of 256 bytes, everything else at its longest. */
#define ENCODED_MAX \
  (3 + (4 + 47) + 4 + (4 + 36) + (4 + 36) + 8 + 8 + (4 + 64) + (4 + WORKER_MAX_BYTES))
_Static_assert(ENCODED_MAX <= FF_HANDLE_OPAQUE_MAX, "every valid handle fits");

/* ---- writing ---- */

static uint8_t *put_u32(uint8_t *p, uint32_t v) {
  for (unsigned i = 0; i < 4; i++) *p++ = (uint8_t)(v >> (8 * i));
  return p;
}

static uint8_t *put_u64(uint8_t *p, uint64_t v) {
  for (unsigned i = 0; i < 8; i++) *p++ = (uint8_t)(v >> (8 * i));
  return p;
}

static uint8_t *put_text(uint8_t *p, const char *text, size_t len) {
  p = put_u32(p, (uint32_t)len);
  if (len > 0) memcpy(p, text, len);
  return p + len;
}

static uint8_t *put_uuid(uint8_t *p, struct uuid u) {
  char text[37];
  uuid_format(u, text);
  return put_text(p, text, 36);
}

void handle_encode(const struct handle_body *body, enum ff_backend backend,
                   enum ff_handle_kind kind, struct ff_handle *out) {
  /* Callers have checked both (lane_check, worker_id_check): a handle that does not fit must not be
   * handed out. */
  INVARIANT(body->lane_id.len <= 64 && body->worker_instance_id.len <= WORKER_MAX_BYTES);
  INVARIANT(backend > FF_backend_none && backend < FF_backend_COUNT);
  struct ff_id execution;
  exec_id_format(body->execution, &execution);
  uint8_t *p = out->opaque;
  *p++ = WIRE_MAGIC;
  *p++ = WIRE_VERSION;
  *p++ = (uint8_t)backend;
  p = put_text(p, execution.text, strlen(execution.text));
  p = put_u32(p, body->attempt_index);
  p = put_uuid(p, body->attempt_id);
  p = put_uuid(p, body->lease_id);
  p = put_u64(p, body->lease_epoch);
  p = put_u64(p, body->lease_ttl_ms);
  p = put_text(p, body->lane_id.ptr, body->lane_id.len);
  p = put_text(p, body->worker_instance_id.ptr, body->worker_instance_id.len);
  out->backend = (uint8_t)backend;
  out->kind = (uint8_t)kind;
  out->len = (uint16_t)(p - out->opaque);
  /* The rest is zeroed: clients keep handles as plain memory. */
  memset(p, 0, FF_HANDLE_OPAQUE_MAX - (size_t)out->len);
}

/* ---- reading ---- */

struct cursor {
  const uint8_t *ptr;
  size_t len, pos;
  struct ff_error *error;
};

/* Every cause of HD-4 goes through here. */
static bool corrupt(struct ff_error *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool corrupt(struct ff_error *e, const char *format, ...) {
  char cause[200];
  va_list args;
  va_start(args, format);
  vsnprintf(cause, sizeof(cause), format, args);
  va_end(args);
  error_field(e, FF_CODE_corruption, "handle", "handle_codec: %s", cause);
  return false;
}

static const uint8_t *take(struct cursor *c, size_t needed) {
  size_t have = c->len - c->pos;
  if (needed > have) {
    corrupt(c->error, "Truncated{needed=%zu, at=%zu, have=%zu}", needed, c->pos, have);
    return NULL;
  }
  const uint8_t *p = c->ptr + c->pos;
  c->pos += needed;
  return p;
}

static bool take_u32(struct cursor *c, uint32_t *out) {
  const uint8_t *p = take(c, 4);
  if (p == NULL) return false;
  *out = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
  return true;
}

static bool take_u64(struct cursor *c, uint64_t *out) {
  const uint8_t *p = take(c, 8);
  if (p == NULL) return false;
  uint64_t value = 0;
  for (unsigned i = 0; i < 8; i++) value |= (uint64_t)p[i] << (8 * i);
  *out = value;
  return true;
}

static bool take_text(struct cursor *c, const char *field, struct ff_str *out) {
  uint32_t len = 0;
  if (!take_u32(c, &len)) return false;
  const uint8_t *p = take(c, len);
  if (p == NULL) return false;
  *out = text_of((const char *)p, len);
  return text_is_utf8(*out) || corrupt(c->error, "InvalidUtf8{field=%s}", field);
}

static bool bad_field(struct cursor *c, const char *field, const char *detail) {
  return corrupt(c->error, "ParseField{field=%s, detail=%s}", field, detail);
}

static bool take_execution(struct cursor *c, struct exec_id *out) {
  struct ff_str text;
  struct ff_error cause;
  if (!take_text(c, "execution_id", &text)) return false;
  if (exec_id_parse(text, "execution_id", ANY_PARTITIONS, out, &cause) == FF_OK) return true;
  return bad_field(c, "execution_id", cause.detail);
}

static bool take_uuid(struct cursor *c, const char *field, struct uuid *out) {
  struct ff_str text;
  if (!take_text(c, field, &text)) return false;
  return uuid_parse(text, out) || bad_field(c, field, "InvalidUuid");
}

static bool take_lane(struct cursor *c, struct ff_str *out) {
  struct ff_error cause;
  if (!take_text(c, "lane_id", out)) return false;
  return lane_check(*out, "lane_id", &cause) == FF_OK || bad_field(c, "lane_id", cause.detail);
}

/* Only the length: older handles may carry an instance id this engine would not register. */
static bool take_instance(struct cursor *c, struct ff_str *out) {
  if (!take_text(c, "worker_instance_id", out)) return false;
  if (out->len <= WORKER_MAX_BYTES) return true;
  return corrupt(c->error, "ParseField{field=worker_instance_id, detail=TooLong(%zu)}", out->len);
}

/* The bytes before the fields: `02 01 <tag>`, or `01` of version 1, which is valkey's (HD-3). */
static bool take_prefix(struct cursor *c, uint8_t *backend) {
  const uint8_t *p = take(c, 1);
  if (p == NULL) return false;
  if (*p == V1_VERSION) {
    *backend = FF_backend_valkey;
    return true;
  }
  if (*p != WIRE_MAGIC) return corrupt(c->error, "BadV1Version{found=%u}", (unsigned)*p);
  if ((p = take(c, 1)) == NULL) return false;
  if (*p != WIRE_VERSION) return corrupt(c->error, "BadWireVersion{found=%u}", (unsigned)*p);
  if ((p = take(c, 1)) == NULL) return false;
  if (*p == FF_backend_none || *p >= FF_backend_COUNT)
    return corrupt(c->error, "BadBackendTag{found=%u}", (unsigned)*p);
  *backend = *p;
  return true;
}

static bool take_body(struct cursor *c, struct handle_body *out) {
  bool ok = take_execution(c, &out->execution) && take_u32(c, &out->attempt_index) &&
            take_uuid(c, "attempt_id", &out->attempt_id) &&
            take_uuid(c, "lease_id", &out->lease_id) && take_u64(c, &out->lease_epoch) &&
            take_u64(c, &out->lease_ttl_ms) && take_lane(c, &out->lane_id) &&
            take_instance(c, &out->worker_instance_id);
  if (!ok || c->pos == c->len) return ok;
  return corrupt(c->error, "TrailingBytes{pos=%zu, len=%zu}", c->pos, c->len);
}

static const char *backend_label(uint8_t backend) {
  const char *label = ff_word(FF_WORD_backend, backend);
  return label != NULL ? label : "unknown";
}

enum ff_rc handle_decode(const struct ff_handle *handle, enum ff_backend backend,
                         uint32_t partitions, struct handle_body *out, struct ff_error *e) {
  if (handle->backend != (uint8_t)backend)
    return error_field(e, FF_CODE_handle_from_other_backend, "handle", "expected=%s actual=%s",
                       backend_label((uint8_t)backend), backend_label(handle->backend));
  struct cursor c = {.ptr = handle->opaque, .len = handle->len, .error = e};
  if (handle->len > FF_HANDLE_OPAQUE_MAX) {
    corrupt(e, "Truncated{needed=%u, at=0, have=%u}", (unsigned)handle->len,
            (unsigned)FF_HANDLE_OPAQUE_MAX);
    return FF_VALIDATION;
  }
  struct handle_body body;
  uint8_t embedded = 0;
  if (!take_prefix(&c, &embedded) || !take_body(&c, &body)) return FF_VALIDATION;
  if (embedded != handle->backend) { /* HD-5 (5) */
    corrupt(e, "BackendTagMismatch{outer=%s, embedded=%s}", backend_label(handle->backend),
            backend_label(embedded));
    return FF_VALIDATION;
  }
  if (body.execution.partition >= partitions) /* PT-5 */
    return error_field(e, FF_CODE_invalid_input, "handle",
                       "partition index %u out of range (num_flow_partitions=%u)",
                       (unsigned)body.execution.partition, (unsigned)partitions);
  *out = body;
  return FF_OK;
}
