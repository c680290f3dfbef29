/*
 * Writing the portable format: see dump.h.
 */
#include "store/dump.h"

#include "base/crc.h"
#include "base/error.h"

#include <errno.h>

/* ---- numbers ---- */

static void put_number(struct buffer *b, uint64_t n, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++) buffer_append_char(b, (char)(n >> (8 * i)));
}

static void put_value(struct buffer *b, const struct field *f, const void *record) {
  const uint8_t *at = (const uint8_t *)record + f->offset;
  const struct ff_bytes *bytes = (const void *)at;
  uint64_t n = 0;
  switch (f->type) {
    case FIELD_U8:
    case FIELD_ENUM: put_number(b, *at, 1); return;
    case FIELD_U16: put_number(b, *(const uint16_t *)(const void *)at, 2); return;
    case FIELD_U32:
    case FIELD_I32: put_number(b, *(const uint32_t *)(const void *)at, 4); return;
    case FIELD_U64:
    case FIELD_I64:
    case FIELD_IDX:
      memcpy(&n, at, 8);
      put_number(b, n, 8);
      return;
    case FIELD_UUID: buffer_append(b, at, 16); return;
    case FIELD_TEXT:
    case FIELD_BYTES:
      put_number(b, bytes->len, 4);
      if (bytes->len) buffer_append(b, bytes->ptr, bytes->len);
      return;
  }
}

/* ---- blocks ---- */

static enum ff_rc failed(const struct dump_writer *w, struct ff_error *e) {
  int problem = errno;
  bool full = problem == ENOSPC || problem == EDQUOT;
  return error_set(e, full ? FF_CODE_store_full : FF_CODE_transport, "cannot write %s: %s", w->path,
                   strerror(problem));
}

static enum ff_rc put(struct dump_writer *w, const void *data, size_t size, struct ff_error *e) {
  if (size && fwrite(data, 1, size, w->file) != size) return failed(w, e);
  w->bytes += size;
  return FF_OK;
}

static enum ff_rc put_block(struct dump_writer *w, char letter, const struct buffer *content,
                            struct ff_error *e) {
  struct buffer head;
  if (content->len > UINT32_MAX)
    return error_set(e, FF_CODE_payload_too_large, "%s: a record of %zu bytes", w->path,
                     content->len);
  buffer_init(&head);
  buffer_append_char(&head, letter);
  put_number(&head, content->len, 4);
  uint32_t crc = crc32c(crc32c(0, head.ptr, head.len), content->ptr, content->len);
  enum ff_rc rc = put(w, head.ptr, head.len, e);
  if (!rc) rc = put(w, content->ptr, content->len, e);
  buffer_clear(&head);
  put_number(&head, crc, 4);
  if (!rc) rc = put(w, head.ptr, head.len, e);
  buffer_fini(&head);
  return rc;
}

static enum ff_rc flush(struct dump_writer *w, struct ff_error *e) {
  if (!w->block.len) return FF_OK;
  enum ff_rc rc = put_block(w, 'R', &w->block, e);
  buffer_clear(&w->block);
  return rc;
}

static enum ff_rc put_kind(struct dump_writer *w, enum record_kind kind, struct ff_error *e) {
  const struct record_info *info = &record_infos[kind];
  struct buffer b;
  TRY(flush(w, e));
  buffer_init(&b);
  buffer_append(&b, info->name, strlen(info->name) + 1);
  for (unsigned i = 0; i < info->field_count; i++) {
    buffer_append_char(&b, (char)info->fields[i].type);
    buffer_append(&b, info->fields[i].name, strlen(info->fields[i].name) + 1);
  }
  enum ff_rc rc = put_block(w, 'K', &b, e);
  buffer_fini(&b);
  w->kind = kind;
  return rc;
}

/* ---- the file ---- */

enum ff_rc dump_begin(struct dump_writer *w, FILE *file, const char *path, const char *made_by,
                      const char *source, int64_t created_at, uint64_t log_end,
                      struct ff_error *e) {
  struct buffer b;
  *w = (struct dump_writer){.file = file, .path = path, .kind = RECORD_KIND_COUNT};
  buffer_init(&w->block);
  TRY(put(w, DUMP_MAGIC, strlen(DUMP_MAGIC), e));
  buffer_init(&b);
  buffer_printf(&b, "format=%d\nmade_by=%s\nsource=%s\ncreated_at=%lld\nlog_end=%llu\n",
                DUMP_FORMAT, made_by, source, (long long)created_at, (unsigned long long)log_end);
  enum ff_rc rc = put_block(w, 'H', &b, e);
  buffer_fini(&b);
  return rc;
}

enum ff_rc dump_record(struct dump_writer *w, enum record_kind kind, const void *record,
                       struct ff_error *e) {
  const struct record_info *info = &record_infos[kind];
  const struct record_head *head = record;
  uint8_t map[DUMP_FIELDS_MAX / 8] = {0};
  INVARIANT(info->field_count <= DUMP_FIELDS_MAX);
  if (w->kind != kind) TRY(put_kind(w, kind, e));
  struct buffer *b = &w->block;
  size_t at = b->len;
  put_number(b, 0, 4);
  put_number(b, head->version, 8);
  for (unsigned i = 0; i < info->field_count; i++)
    if (!field_is_default(&info->fields[i], record)) map[i / 8] |= (uint8_t)(1u << i % 8);
  buffer_append(b, map, (info->field_count + 7u) / 8);
  for (unsigned i = 0; i < info->field_count; i++)
    if (map[i / 8] & 1u << i % 8) put_value(b, &info->fields[i], record);
  size_t size = b->len - at - 4;
  for (unsigned i = 0; i < 4; i++) b->ptr[at + i] = (char)(size >> (8 * i));
  w->counts[kind]++;
  return b->len >= DUMP_BLOCK_BYTES ? flush(w, e) : FF_OK;
}

enum ff_rc dump_end(struct dump_writer *w, struct ff_error *e) {
  struct buffer b;
  TRY(flush(w, e));
  buffer_init(&b);
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
    buffer_printf(&b, "%s %llu\n", record_infos[kind].name, (unsigned long long)w->counts[kind]);
  enum ff_rc rc = put_block(w, 'E', &b, e);
  buffer_fini(&b);
  if (!rc && fflush(w->file) != 0) rc = failed(w, e);
  return rc;
}

void dump_writer_fini(struct dump_writer *w) { buffer_fini(&w->block); }
