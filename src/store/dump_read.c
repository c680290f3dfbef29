/*
 * Reading the portable format: see dump.h. Nothing in a file is trusted: lengths, numbers, names and
 * words are checked, and what is wrong is named with the offset of its block.
 */
#include "store/dump.h"

#include "base/crc.h"
#include "base/error.h"
#include "flowfabric/words.h"

#include <errno.h>
#include <stdlib.h>

static enum ff_rc damaged(const struct dump_reader *r, const char *how, struct ff_error *e) {
  enum ff_rc rc = error_set(e, FF_CODE_corruption, "%s is damaged at offset %llu: %s", r->path,
                            (unsigned long long)r->offset, how);
  error_context(e, "offset", "%llu", (unsigned long long)r->offset);
  return rc;
}

static uint64_t number(const char *at, unsigned bytes) {
  uint64_t n = 0;
  for (unsigned i = 0; i < bytes; i++) n |= (uint64_t)(uint8_t)at[i] << (8 * i);
  return n;
}

/* ---- blocks ---- */

static enum ff_rc take(struct dump_reader *r, void *out, size_t size, struct ff_error *e) {
  if (fread(out, 1, size, r->file) == size) return FF_OK;
  if (!ferror(r->file)) return damaged(r, "the file ends in the middle of a block", e);
  return error_set(e, FF_CODE_transport, "cannot read %s: %s", r->path, strerror(errno));
}

/* The next block: its letter, its content in r->block. */
static enum ff_rc take_block(struct dump_reader *r, char *letter, struct ff_error *e) {
  char head[5], sum[4];
  long at = ftell(r->file);
  r->offset = at < 0 ? 0 : (uint64_t)at;
  if (r->offset >= r->size) return damaged(r, "the end is missing", e);
  TRY(take(r, head, sizeof head, e));
  size_t size = number(head + 1, 4);
  if (size > r->size - r->offset) return damaged(r, "the file ends in the middle of a block", e);
  if (size > r->block_room || !r->block) {
    free(r->block);
    r->block = heap_alloc(size + 1);
    r->block_room = size;
  }
  TRY(take(r, r->block, size, e));
  TRY(take(r, sum, sizeof sum, e));
  if (crc32c(crc32c(0, head, sizeof head), r->block, size) != number(sum, 4))
    return damaged(r, "its checksum is wrong", e);
  r->block[size] = '\0';
  r->block_size = size;
  *letter = head[0];
  return FF_OK;
}

/* The value of a line `name=value` of the header in `out`. */
static bool line(const struct dump_reader *r, const char *name, char *out, size_t size) {
  size_t n = strlen(name);
  for (const char *p = r->block; *p; p += strcspn(p, "\n"), p += *p == '\n') {
    if (strncmp(p, name, n) != 0 || p[n] != '=') continue;
    snprintf(out, size, "%.*s", (int)strcspn(p + n + 1, "\n"), p + n + 1);
    return true;
  }
  return false;
}

enum ff_rc dump_open(struct dump_reader *r, FILE *file, const char *path, struct ff_error *e) {
  char magic[sizeof DUMP_MAGIC - 1], letter, text[32];
  uint64_t format = 0;
  *r = (struct dump_reader){.file = file, .path = path, .kind = RECORD_KIND_COUNT};
  arena_init(&r->arena);
  if (fseek(file, 0, SEEK_END) != 0 || ftell(file) < 0)
    return error_set(e, FF_CODE_config, "cannot read %s: %s", path, strerror(errno));
  r->size = (uint64_t)ftell(file);
  rewind(file);
  if (fread(magic, 1, sizeof magic, file) != sizeof magic ||
      memcmp(magic, DUMP_MAGIC, sizeof magic) != 0)
    return error_set(e, FF_CODE_config, "%s is no file that ff backup wrote", path);
  TRY(take_block(r, &letter, e));
  if (letter != 'H' || !line(r, "format", text, sizeof text) || !parse_u64(ff_text(text), &format))
    return damaged(r, "no header", e);
  if (format != DUMP_FORMAT)
    return error_set(e, FF_CODE_schema_too_new,
                     "%s has format %llu; this program reads format %d: use a newer one", path,
                     (unsigned long long)format, DUMP_FORMAT);
  if (!line(r, "source", r->source, sizeof r->source) ||
      !line(r, "made_by", r->made_by, sizeof r->made_by) ||
      !line(r, "log_end", text, sizeof text) || !parse_u64(ff_text(text), &r->log_end) ||
      r->log_end > INT64_MAX)
    return damaged(r, "the header lacks source, made_by or log_end", e);
  return FF_OK;
}

/* ---- kinds ---- */

static enum ff_rc unknown(const struct dump_reader *r, const char *what, const char *name,
                          struct ff_error *e) {
  return error_set(e, FF_CODE_schema_too_new,
                   "%s (made by %s) holds the %s %.60s, which this program does not know: use a "
                   "newer one",
                   r->path, r->made_by, what, name);
}

static enum ff_rc take_fields(struct dump_reader *r, const char *p, const char *end,
                              struct ff_error *e) {
  const struct record_info *info = &record_infos[r->kind];
  unsigned keys = 0;
  for (r->field_count = 0; p < end; r->field_count++) {
    uint8_t type = (uint8_t)*p++;
    size_t len = strnlen(p, (size_t)(end - p));
    if (len == (size_t)(end - p) || r->field_count == DUMP_FIELDS_MAX)
      return damaged(r, "a list of fields without end", e);
    const struct field *f = record_field((enum record_kind)r->kind, text_of(p, len));
    if (!f) return unknown(r, "field", p, e);
    if (f->type != type) return damaged(r, "a field of another type", e);
    for (unsigned i = 0; i < r->field_count; i++)
      if (r->fields[i] == f) return damaged(r, "a field twice", e);
    r->fields[r->field_count] = f;
    keys += (f->flags & FIELD_KEY) != 0;
    p += len + 1;
  }
  return keys == info->key_count ? FF_OK : damaged(r, "a kind without its key", e);
}

static enum ff_rc take_kind(struct dump_reader *r, struct ff_error *e) {
  size_t len = strnlen(r->block, r->block_size);
  if (len == r->block_size) return damaged(r, "a kind without a name", e);
  unsigned before = r->kind;
  for (r->kind = 0; r->kind < RECORD_KIND_COUNT; r->kind++)
    if (strcmp(record_infos[r->kind].name, r->block) == 0) break;
  if (r->kind == RECORD_KIND_COUNT) return unknown(r, "kind of record", r->block, e);
  if (before == r->kind || r->counts[r->kind]) return damaged(r, "a kind twice", e);
  return take_fields(r, r->block + len + 1, r->block + r->block_size, e);
}

/* ---- records ---- */

struct span {
  const char *at, *end;
};

static bool take_number(struct span *s, unsigned bytes, uint64_t *out) {
  if ((size_t)(s->end - s->at) < bytes) return false;
  *out = number(s->at, bytes);
  s->at += bytes;
  return true;
}

static bool take_text(struct span *s, const struct field *f, void *at, struct arena *arena) {
  uint64_t len;
  if (!take_number(s, 4, &len) || len > (uint64_t)(s->end - s->at)) return false;
  if (f->type == FIELD_TEXT && !text_is_utf8(text_of(s->at, len))) return false;
  char *copy = arena_alloc(arena, len + 1);
  memcpy(copy, s->at, len);
  copy[len] = '\0';
  *(struct ff_bytes *)at = (struct ff_bytes){copy, len};
  s->at += len;
  return true;
}

static bool take_value(struct span *s, const struct field *f, void *record, struct arena *arena) {
  static const uint8_t sizes[] = {[FIELD_U8] = 1,  [FIELD_U16] = 2, [FIELD_U32] = 4,
                                  [FIELD_U64] = 8, [FIELD_I32] = 4, [FIELD_I64] = 8,
                                  [FIELD_IDX] = 8, [FIELD_ENUM] = 1};
  uint8_t *at = (uint8_t *)record + f->offset;
  uint64_t n;
  if (f->type == FIELD_TEXT || f->type == FIELD_BYTES) return take_text(s, f, at, arena);
  if (f->type == FIELD_UUID) {
    if (s->end - s->at < 16) return false;
    memcpy(at, s->at, 16);
    s->at += 16;
    return true;
  }
  if (!take_number(s, sizes[f->type], &n)) return false;
  if (f->type == FIELD_ENUM && (n > 255 || !ff_word((enum ff_word_enum)f->words, (int)n)))
    return false;
  if (f->type == FIELD_U64 && n > INT64_MAX) return false;
  uint8_t byte = (uint8_t)n;
  uint16_t two = (uint16_t)n;
  uint32_t four = (uint32_t)n;
  switch (sizes[f->type]) {
    case 1: memcpy(at, &byte, 1); break;
    case 2: memcpy(at, &two, 2); break;
    case 4: memcpy(at, &four, 4); break;
    default: memcpy(at, &n, 8); break;
  }
  return true;
}

static bool take_record(struct dump_reader *r, struct span *s, const void **out) {
  const struct record_info *info = &record_infos[r->kind];
  struct record_head *record = arena_alloc(&r->arena, info->size);
  size_t map_size = (r->field_count + 7u) / 8;
  record_init((enum record_kind)r->kind, record);
  if (!take_number(s, 8, &record->version) || (size_t)(s->end - s->at) < map_size) return false;
  const char *map = s->at;
  s->at += map_size;
  for (unsigned i = 0; i < r->field_count; i++)
    if ((map[i / 8] >> i % 8 & 1) && !take_value(s, r->fields[i], record, &r->arena)) return false;
  bool log = info->tag == RECORD_TAG_LOG;
  if (record->version > INT64_MAX || (!log && !record->version)) return false;
  if (log) { /* ids ascend */
    uint64_t id = ((const struct event *)(const void *)record)->event_id;
    if (id <= r->last_event) return false;
    r->last_event = id;
  }
  *out = record;
  return s->at == s->end;
}

static enum ff_rc take_records(struct dump_reader *r, const void ***out, uint32_t *count,
                               struct ff_error *e) {
  const char *p = r->block, *end = r->block + r->block_size;
  uint32_t room = 64;
  const void **records = ARENA_ARRAY(&r->arena, const void *, room);
  if (r->kind == RECORD_KIND_COUNT) return damaged(r, "records of no kind", e);
  for (*count = 0; p < end; ++*count) {
    if (end - p < 4 || number(p, 4) > (uint64_t)(end - p - 4))
      return damaged(r, "a record without end", e);
    struct span s = {p + 4, p + 4 + number(p, 4)};
    if (*count == room) {
      const void **more = ARENA_ARRAY(&r->arena, const void *, 2 * room);
      memcpy(more, records, room * sizeof *more);
      records = more;
      room *= 2;
    }
    p = s.end;
    if (!take_record(r, &s, &records[*count])) return damaged(r, "a record that is none", e);
  }
  r->counts[r->kind] += *count;
  *out = records;
  return FF_OK;
}

static enum ff_rc take_end(struct dump_reader *r, struct ff_error *e) {
  unsigned lines = 0;
  for (const char *p = r->block; *p; p += strcspn(p, "\n"), p += *p == '\n', lines++) {
    char name[64];
    unsigned long long count;
    unsigned kind = 0;
    if (sscanf(p, "%63s %llu", name, &count) != 2) return damaged(r, "no counts", e);
    while (kind < RECORD_KIND_COUNT && strcmp(record_infos[kind].name, name) != 0) kind++;
    if (kind == RECORD_KIND_COUNT && count) return unknown(r, "kind of record", name, e);
    if (kind < RECORD_KIND_COUNT && r->counts[kind] != count)
      return damaged(r, "the counts at the end are not those of the records", e);
  }
  if (!lines) return damaged(r, "no counts", e);
  if ((uint64_t)ftell(r->file) != r->size) return damaged(r, "something lies behind the end", e);
  r->ended = true;
  return FF_OK;
}

enum ff_rc dump_next(struct dump_reader *r, enum record_kind *kind, const void ***records,
                     uint32_t *count, struct ff_error *e) {
  *count = 0;
  arena_reset(&r->arena);
  while (!r->ended && !*count) {
    char letter;
    TRY(take_block(r, &letter, e));
    switch (letter) {
      case 'K': TRY(take_kind(r, e)); break;
      case 'R': TRY(take_records(r, records, count, e)); break;
      case 'E': TRY(take_end(r, e)); break;
      default: return damaged(r, "a block of an unknown sort", e);
    }
  }
  *kind = (enum record_kind)(r->ended ? 0 : r->kind);
  return FF_OK;
}

void dump_reader_fini(struct dump_reader *r) {
  arena_fini(&r->arena);
  free(r->block);
}
