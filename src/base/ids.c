/*
 * Execution ids, partitions, lane and worker ids, free text and tag keys: their grammar (01 §1, §2,
 * LM-34, RC-35).
 *
 * Pure parsing and formatting. It never asks whether an id exists and never accepts two spellings
 * of one id except uuid case.
 */
#include "base/ids.h"

#include "base/utf8.h"

/* PT-5. */
static enum ff_rc check_partition(uint16_t partition, const char *field, const char *family,
                                  uint32_t partitions, struct ff_error *e) {
  if (partition < partitions) return FF_OK;
  const char *name = family[0] == 'f' ? "flow" : family[0] == 'b' ? "budget" : "quota";
  return error_field(e, FF_CODE_invalid_input, field,
                     "partition index %u out of range (num_%s_partitions=%u)", (unsigned)partition,
                     name, (unsigned)partitions);
}

/* Digits of a u16 in their only spelling. */
static bool parse_u16(struct ff_str digits, uint16_t *out) {
  uint64_t value = 0;
  if (digits.len > 5 || !parse_u64(digits, &value) || value > UINT16_MAX) return false;
  *out = (uint16_t)value;
  return true;
}

/* ---- execution ids ---- */

/* The offset of the first `}:` at or behind `from`, SIZE_MAX when there is none. */
static size_t find_close(struct ff_str text, size_t from) {
  for (size_t i = from; i + 1 < text.len; i++)
    if (text.ptr[i] == '}' && text.ptr[i + 1] == ':') return i;
  return SIZE_MAX;
}

enum ff_rc exec_id_parse(struct ff_str text, const char *field, uint32_t partitions,
                         struct exec_id *out, struct ff_error *e) {
  struct exec_id id;
  size_t close = SIZE_MAX;
  if (text.len >= 4 && memcmp(text.ptr, "{fp:", 4) == 0) close = find_close(text, 4);
  if (close == SIZE_MAX)
    return error_field(e, FF_CODE_invalid_input, field,
                       "MissingTag: an execution id is {fp:N}:<uuid>");
  if (!parse_u16(text_of(text.ptr + 4, close - 4), &id.partition))
    return error_field(e, FF_CODE_invalid_input, field,
                       "InvalidPartitionIndex: N of {fp:N} is 0..65535");
  if (!uuid_parse(text_of(text.ptr + close + 2, text.len - close - 2), &id.uuid))
    return error_field(e, FF_CODE_invalid_input, field,
                       "InvalidUuid: a uuid has 36 characters, hyphenated");
  enum ff_rc rc = check_partition(id.partition, field, "fp", partitions, e);
  if (rc == FF_OK) *out = id;
  return rc;
}

static char *put_u16(char *out, uint16_t value) {
  char digits[5];
  size_t count = 0;
  do {
    digits[count++] = (char)('0' + value % 10);
    value = (uint16_t)(value / 10);
  } while (value != 0);
  while (count > 0) *out++ = digits[--count];
  return out;
}

void exec_id_format(struct exec_id id, struct ff_id *out) {
  /* The whole value is written: ids are copied and compared as plain memory. */
  memset(out, 0, sizeof(*out));
  memcpy(out->text, "{fp:", 4);
  char *p = put_u16(out->text + 4, id.partition);
  *p++ = '}';
  *p++ = ':';
  uuid_format(id.uuid, p);
}

void uuid_format_id(struct uuid u, struct ff_id *out) {
  memset(out, 0, sizeof(*out));
  if (!uuid_is_nil(u)) uuid_format(u, out->text);
}

enum ff_rc uuid_parse_field(struct ff_str text, const char *field, struct uuid *out,
                            struct ff_error *e) {
  if (uuid_parse(text, out)) return FF_OK;
  return error_field(e, FF_CODE_invalid_input, field,
                     "InvalidUuid: a uuid has 36 characters, hyphenated");
}

enum ff_rc own_uuid_parse(struct ff_str text, const char *field, struct uuid *out,
                          struct ff_error *e) {
  enum ff_rc rc = uuid_parse_field(text, field, out, e);
  if (rc != FF_OK || !uuid_is_nil(*out)) return rc;
  return error_field(e, FF_CODE_invalid_input, field, "must not be the nil uuid");
}

/* ---- partitions ---- */

static enum ff_rc bad_partition(const char *field, const char *problem, const char *family,
                                struct ff_error *e) {
  return error_field(e, FF_CODE_invalid_input, field, "%s: a partition key is {%s:N}", problem,
                     family);
}

enum ff_rc partition_parse_family(struct ff_str text, const char *field, const char *wanted,
                                  uint32_t partitions, uint16_t *out, struct ff_error *e) {
  if (text.len < 2 || text.ptr[0] != '{' || text.ptr[text.len - 1] != '}')
    return bad_partition(field, "MissingBraces", wanted, e);
  struct ff_str body = text_of(text.ptr + 1, text.len - 2);
  const char *colon = memchr(body.ptr, ':', body.len);
  size_t at = colon == NULL ? 0 : (size_t)(colon - body.ptr);
  if (colon == NULL || memchr(colon + 1, ':', body.len - at - 1) != NULL)
    return bad_partition(field, "MalformedBody", wanted, e);
  struct ff_str family = text_of(body.ptr, at), index = text_of(colon + 1, body.len - at - 1);
  /* Precision 64: the detail names what was sent, it does not format megabytes. */
  if (!text_equal_c(family, "fp") && !text_equal_c(family, "b") && !text_equal_c(family, "q"))
    return error_field(e, FF_CODE_invalid_input, field, "UnknownFamilyPrefix(%.*s)",
                       (int)(at < 64 ? at : 64), family.ptr);
  uint16_t partition = 0;
  if (!parse_u16(index, &partition))
    return error_field(e, FF_CODE_invalid_input, field, "InvalidIndex(%.*s)",
                       (int)(index.len < 64 ? index.len : 64), index.ptr);
  if (!text_equal_c(family, wanted))
    return error_field(e, FF_CODE_invalid_input, field,
                       "UnexpectedFamily(%.*s): only {%s:N} is accepted here", (int)at, family.ptr,
                       wanted);
  enum ff_rc rc = check_partition(partition, field, wanted, partitions, e);
  if (rc == FF_OK) *out = partition;
  return rc;
}

enum ff_rc partition_parse(struct ff_str text, const char *field, uint32_t partitions,
                           uint16_t *out, struct ff_error *e) {
  return partition_parse_family(text, field, "fp", partitions, out, e);
}

uint16_t partition_of_lane(struct ff_str lane, uint32_t partitions) {
  INVARIANT(partitions > 0);
  return (uint16_t)(hash_crc16_xmodem(lane.ptr, lane.len) % partitions);
}

uint16_t partition_of_uuid(struct uuid u, uint32_t partitions) {
  INVARIANT(partitions > 0);
  return (uint16_t)(hash_crc16_xmodem(u.b, sizeof(u.b)) % partitions);
}

/* ---- names and free text ---- */

#define LANE_MAX_BYTES 64
#define WORKER_MAX_BYTES 256

enum ff_rc lane_check(struct ff_str lane, const char *field, struct ff_error *e) {
  if (lane.len == 0) return error_field(e, FF_CODE_invalid_input, field, "Empty");
  if (lane.len > LANE_MAX_BYTES)
    return error_field(e, FF_CODE_invalid_input, field, "TooLong(%zu)", lane.len);
  for (size_t i = 0; i < lane.len; i++)
    if (lane.ptr[i] < 0x20 || lane.ptr[i] > 0x7e)
      return error_field(e, FF_CODE_invalid_input, field, "NonPrintable(%zu)", i);
  return FF_OK;
}

/* The White_Space property of Unicode beyond ASCII, and ASCII space. */
static bool is_white_space(uint32_t c) {
  if (c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0) return true;
  if (c == 0x1680 || (c >= 0x2000 && c <= 0x200a)) return true;
  return c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

enum ff_rc worker_id_check(struct ff_str id, const char *field, struct ff_error *e) {
  if (id.len == 0) return error_field(e, FF_CODE_invalid_input, field, "Empty");
  if (id.len > WORKER_MAX_BYTES)
    return error_field(e, FF_CODE_invalid_input, field, "TooLong(%zu)", id.len);
  for (size_t i = 0; i < id.len;) {
    uint32_t c = 0;
    size_t step = utf8_step(id.ptr + i, id.len - i, &c);
    if (step == 0) return error_field(e, FF_CODE_invalid_input, field, "InvalidUtf8(%zu)", i);
    if (is_white_space(c))
      return error_field(e, FF_CODE_invalid_input, field, "WhiteSpace(%zu)", i);
    if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
      return error_field(e, FF_CODE_invalid_input, field, "ControlCharacter(%zu)", i);
    i += step;
  }
  return FF_OK;
}

enum ff_rc text_check(struct ff_str text, const char *field, size_t max, struct ff_error *e) {
  if (text.len > max)
    return error_field(e, FF_CODE_invalid_input, field,
                       "TooLong(%zu): at most %zu bytes", text.len, max);
  if (!text_is_utf8(text))
    return error_field(e, FF_CODE_invalid_input, field, "InvalidUtf8: text is UTF-8 without NUL");
  return FF_OK;
}

static bool is_key_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool tag_key_valid(struct ff_str key) {
  if (key.len == 0 || key.ptr[0] < 'a' || key.ptr[0] > 'z') return false;
  size_t i = 1;
  while (i < key.len && is_key_char(key.ptr[i])) i++;
  if (i + 1 >= key.len || key.ptr[i] != '.' || !is_key_char(key.ptr[i + 1])) return false;
  for (i += 2; i < key.len; i++)
    if (!is_key_char(key.ptr[i]) && key.ptr[i] != '.') return false;
  return true;
}
