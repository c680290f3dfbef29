/*
 * The text forms of 01 §1 and §7: execution ids, partitions, lane and worker ids, tag keys, worker
 * handles.
 *
 * Pure parsing and formatting; every refusal names its cause. Nothing here knows whether an id
 * exists.
 */
#ifndef BASE_IDS_H
#define BASE_IDS_H

#include "base/base.h"
#include "base/error.h"
#include "flowfabric/handle.h"
#include "flowfabric/words.h"

/* The identity of an execution: the partition it carries and its uuid. */
struct exec_id {
  uint16_t partition;
  struct uuid uuid;
};
static inline bool exec_id_equal(struct exec_id a, struct exec_id b) {
  return a.partition == b.partition && uuid_equal(a.uuid, b.uuid);
}
/* ID-4, causes MissingTag, InvalidPartitionIndex, InvalidUuid in the detail; then PT-5 against
 * `partitions`. field names the argument. All refusals are validation/invalid_input. */
enum ff_rc exec_id_parse(struct ff_str text, const char *field, uint32_t partitions,
                         struct exec_id *out, struct ff_error *e) MUST_USE;
void exec_id_format(struct exec_id id, struct ff_id *out);
void uuid_format_id(struct uuid u, struct ff_id *out); /* nil gives "" */
enum ff_rc uuid_parse_field(struct ff_str text, const char *field, struct uuid *out,
                            struct ff_error *e) MUST_USE;
/* The same, and nil is refused: records say absent by it. */
enum ff_rc own_uuid_parse(struct ff_str text, const char *field, struct uuid *out,
                          struct ff_error *e) MUST_USE;
/* `{fp:N}` of PT-9: only the flow family is accepted here; causes in the detail. */
enum ff_rc partition_parse(struct ff_str text, const char *field, uint32_t partitions,
                           uint16_t *out, struct ff_error *e) MUST_USE;
/* The same for a family of its own: `fp`, `b` or `q`. */
enum ff_rc partition_parse_family(struct ff_str text, const char *field, const char *family,
                                  uint32_t partitions, uint16_t *out,
                                  struct ff_error *e) MUST_USE;
/* ID-8: CRC16 of the lane mod count. */
uint16_t partition_of_lane(struct ff_str lane, uint32_t partitions);
uint16_t partition_of_uuid(struct uuid u, uint32_t partitions);

/* ID-9: Empty, TooLong(n), NonPrintable(i). */
enum ff_rc lane_check(struct ff_str lane, const char *field, struct ff_error *e) MUST_USE;
/* ID-11: 1..256 bytes, no white space, no control characters. */
enum ff_rc worker_id_check(struct ff_str id, const char *field, struct ff_error *e) MUST_USE;
/* Text of at most max bytes, well-formed UTF-8 without NUL; absent is fine (LM-34). */
enum ff_rc text_check(struct ff_str text, const char *field, size_t max,
                      struct ff_error *e) MUST_USE;
/* RC-35: ^[a-z][a-z0-9_]*\.[a-z0-9_][a-z0-9_.]*$ */
bool tag_key_valid(struct ff_str key);

/* HD-1 … HD-5. What a handle says: who holds which attempt under which lease. Texts point into the
 * handle. */
struct handle_body {
  struct exec_id execution;
  uint32_t attempt_index;
  struct uuid attempt_id, lease_id;
  uint64_t lease_epoch, lease_ttl_ms;
  struct ff_str lane_id, worker_instance_id;
};
void handle_encode(const struct handle_body *body, enum ff_backend backend,
                   enum ff_handle_kind kind, struct ff_handle *out);
/* Checks the outer tag against `backend` first (handle_from_other_backend), then decodes:
 * validation/corruption with detail `handle_codec: <cause>`, causes of HD-4; then the partition
 * against `partitions`. */
enum ff_rc handle_decode(const struct ff_handle *handle, enum ff_backend backend,
                         uint32_t partitions, struct handle_body *out, struct ff_error *e) MUST_USE;

/* Capability sets (01 PO-8, 06 part C). Sorts, drops duplicates, joins with commas. prefix is
 * "required" or "worker" and starts the detail. An empty set gives empty text. */
enum ff_rc capabilities_csv(struct ff_strs tokens, const char *prefix, struct arena *arena,
                            struct ff_str *csv, struct ff_error *e) MUST_USE;
/* True when every token of required is in offered (both sorted CSV). */
bool capabilities_cover(struct ff_str offered, struct ff_str required);
/* The sorted CSV of required tokens that are not offered. */
struct ff_str capabilities_missing(struct ff_str offered, struct ff_str required,
                                   struct arena *arena);

#endif
