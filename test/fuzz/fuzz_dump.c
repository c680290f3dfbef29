/*
 * The portable format of backups: any blocks, their sums right, are read to an error or to records
 * that can be written again.
 *
 * Input: blocks of a letter, a length in two bytes (little-endian) and the content, behind a header
 * that is right.
 */
#include "fuzz.h"

#include "base/crc.h"
#include "base/error.h"
#include "store/dump.h"

#define LANE_FIELDS "\x08lane_id\0\x0alane_state\0\x05registered_at\0\x08registered_by\0"
#define LANE "K\x36\0lane\0" LANE_FIELDS

const struct ff_str fuzz_seeds[] = {
    SEED(LANE "R\x12\0\x0e\0\0\0\x01\0\0\0\0\0\0\0\x01\x01\0\0\0x"),
    SEED("E\x07\0lane 0\n"),
    SEED(LANE "E\x07\0lane 0\n"),
    SEED("K\x2b\0setting\0\x08name\0\x08value\0"),
    {NULL, 0}};

static void put_block(struct buffer *b, char letter, const void *content, size_t size) {
  size_t at = b->len;
  char head[5] = {letter, (char)size, (char)(size >> 8), 0, 0}, sum[4];
  buffer_append(b, head, sizeof head);
  if (size) buffer_append(b, content, size);
  uint32_t crc = crc32c(0, b->ptr + at, b->len - at);
  for (unsigned i = 0; i < 4; i++) sum[i] = (char)(crc >> (8 * i));
  buffer_append(b, sum, sizeof sum);
}

static void make_file(struct buffer *b, const uint8_t *data, size_t size) {
  static const char header[] = "format=1\nmade_by=fuzz\nsource=x\nlog_end=3\n";
  buffer_append(b, DUMP_MAGIC, strlen(DUMP_MAGIC));
  put_block(b, 'H', header, sizeof header - 1);
  for (size_t at = 0; at + 3 <= size;) {
    size_t len = data[at + 1] | (size_t)data[at + 2] << 8;
    if (len > size - at - 3) len = size - at - 3;
    put_block(b, (char)data[at], data + at + 3, len);
    at += 3 + len;
  }
}

/* What was read is a record: it has a text, and it can be written. */
static void check_record(enum record_kind kind, const void *record) {
  struct buffer text;
  struct dump_writer w = {.file = NULL, .kind = kind};
  struct ff_error error;
  buffer_init(&text);
  buffer_init(&w.block);
  record_dump(kind, record, &text);
  INVARIANT(text_is_utf8(buffer_text(&text)));
  w.block.len = 0;
  INVARIANT(dump_record(&w, kind, record, &error) == FF_OK && w.block.len > 12);
  buffer_fini(&w.block);
  buffer_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct buffer b;
  struct dump_reader r;
  struct ff_error error;
  uint32_t count = 1;
  if (size > 4096) return 0;
  buffer_init(&b);
  make_file(&b, data, size);
  FILE *file = fmemopen(b.ptr, b.len, "rb");
  INVARIANT(file && dump_open(&r, file, "fuzz", &error) == FF_OK);
  while (count) {
    enum record_kind kind;
    const void **records;
    if (dump_next(&r, &kind, &records, &count, &error) != FF_OK) {
      INVARIANT(error.code == FF_CODE_corruption || error.code == FF_CODE_schema_too_new);
      break;
    }
    for (uint32_t i = 0; i < count; i++) check_record(kind, records[i]);
  }
  dump_reader_fini(&r);
  fclose(file);
  buffer_fini(&b);
  return 0;
}
