/*
 * The portable format of a whole store in one file.
 *
 * A file is the eight bytes of DUMP_MAGIC and then blocks. A block is a letter, the length of its
 * content in four bytes (little-endian, as all numbers here), the content, and the CRC-32C of all
 * that:
 *
 *   H  lines `name=value`: format, made_by, source, created_at, log_end; the first block
 *   K  a kind of record: its name and a NUL, then for each field a byte for its type, its name, a NUL
 *   R  records of the kind of the last K: for each its length in four bytes, then its version in
 *      eight, a bit for each field of K (lowest first) that has a value, and the values in order:
 *      integers in as many bytes as their type has, a uuid in 16, texts and bytes with their length
 *      in four bytes in front
 *   E  lines `kind count`; the last block, behind which the file ends
 *
 * Fields are found by name, so that a later program reads earlier files; one that does not know a
 * field of the file refuses it. Whatever is read from a file is checked before it is used.
 */
#ifndef STORE_DUMP_H
#define STORE_DUMP_H

#include "record/record.h"

#include <stdio.h>

#define DUMP_MAGIC "ffdump\r\n"
#define DUMP_FORMAT 1
#define DUMP_BLOCK_BYTES ((size_t)1 << 20) /* about so much, and at least one record */

struct dump_writer {
  FILE *file;
  const char *path; /* for messages */
  struct buffer block;
  unsigned kind; /* of the block; RECORD_KIND_COUNT = none yet */
  uint64_t counts[RECORD_KIND_COUNT];
  uint64_t bytes;
};
/* Writes magic and header. */
enum ff_rc dump_begin(struct dump_writer *, FILE *, const char *path, const char *made_by,
                      const char *source, int64_t created_at, uint64_t log_end,
                      struct ff_error *) MUST_USE;
enum ff_rc dump_record(struct dump_writer *, enum record_kind, const void *record,
                       struct ff_error *) MUST_USE;
/* What is left, and the end. The file is still to be synced. */
enum ff_rc dump_end(struct dump_writer *, struct ff_error *) MUST_USE;
void dump_writer_fini(struct dump_writer *);

#define DUMP_FIELDS_MAX 256
struct dump_reader {
  FILE *file;
  const char *path;
  uint64_t size, offset; /* of the file; of the block being read */
  struct arena arena;    /* records of the last block */
  char *block;
  size_t block_size, block_room;
  char source[300], made_by[64];
  uint64_t log_end, last_event;
  unsigned kind; /* of the last K; RECORD_KIND_COUNT = none yet */
  uint16_t field_count;
  const struct field *fields[DUMP_FIELDS_MAX]; /* ours, by the file's number */
  uint64_t counts[RECORD_KIND_COUNT];          /* records read */
  bool ended;                                  /* E was read, and the counts are as it says */
};
/* Reads magic and header. corruption, schema_too_new; config when it is no such file. */
enum ff_rc dump_open(struct dump_reader *, FILE *, const char *path, struct ff_error *) MUST_USE;
/* The records of the next block, in the arena until the next call; count 0 = the end. */
enum ff_rc dump_next(struct dump_reader *, enum record_kind *, const void ***records,
                     uint32_t *count, struct ff_error *) MUST_USE;
void dump_reader_fini(struct dump_reader *);

#endif
