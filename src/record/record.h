/*
 * Records as data: the structs, the const tables that describe them, and every generic loop over
 * those tables.
 *
 * Knows fields, keys, indexes and logs; knows nothing of leases, lanes or any rule of the product.
 */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include "base/base.h"
#include "flowfabric/error.h"
#include "flowfabric/words.h"
#include "record/records.def"

enum field_type {
  FIELD_U8,
  FIELD_U16,
  FIELD_U32,
  FIELD_U64,
  FIELD_I32,
  FIELD_I64,
  FIELD_IDX,
  FIELD_UUID,
  FIELD_TEXT,
  FIELD_BYTES,
  FIELD_ENUM
};
enum field_flag {
  FIELD_KEY = 1,
  FIELD_FIXED = 2,
  FIELD_OPT = 4,
  FIELD_COLD = 8,
  FIELD_SECRET = 16
};

struct field {
  const char *name; /* the column name: a trailing underscore of the C name is dropped */
  enum field_type type;
  uint16_t offset;
  uint16_t flags;
  int16_t words; /* enum ff_word_enum of an ENUM field, else -1 */
};

/* Every record begins with this. version counts operations, 0 = not stored yet. store_row is the
 * store's own private locator of the row it was read from (0 = none): everybody else carries it
 * along and never looks at it. */
struct record_head {
  uint64_t version;
  uint64_t store_row;
};

enum record_kind {
#define X(kind, tag) RECORD_KIND_##kind,
  RECORD_KINDS(X)
#undef X
      RECORD_KIND_COUNT
};

#define RECORD_C_U8 uint8_t
#define RECORD_C_U16 uint16_t
#define RECORD_C_U32 uint32_t
#define RECORD_C_U64 uint64_t
#define RECORD_C_I32 int32_t
#define RECORD_C_I64 int64_t
#define RECORD_C_IDX int64_t
#define RECORD_C_UUID struct uuid
#define RECORD_C_TEXT struct ff_str
#define RECORD_C_BYTES struct ff_bytes
#define RECORD_C_ENUM uint8_t
#define RECORD_MEMBER(type, name, flags, words) RECORD_C_##type name;
#define X(kind, tag)             \
  struct kind {                  \
    struct record_head head;     \
    RECORD_##kind(RECORD_MEMBER) \
  };
RECORD_KINDS(X)
#undef X

/* LOG records go with the execution they are about. */
enum record_tag { RECORD_TAG_FP, RECORD_TAG_B, RECORD_TAG_Q, RECORD_TAG_G, RECORD_TAG_LOG };

struct record_info {
  const char *name;
  uint16_t size; /* of the struct */
  uint16_t field_count, key_count;
  enum record_tag tag;
  bool has_cold;
  const struct field *fields; /* keys first */
  uint16_t partition_offset;  /* of `partition`, for all but G records */
};
extern const struct record_info record_infos[RECORD_KIND_COUNT];

enum index_id {
#define X(name, kind, when, prefix_count, ...) INDEX_##name,
  RECORD_INDEXES(X)
#undef X
#define X(kind, tag) INDEX_walk_##kind,
      RECORD_KINDS(X)
#undef X
          INDEX_COUNT
};
/* All records of a kind in the order of their keys: for copies of whole stores. */
#define INDEX_WALK(kind) ((enum index_id)(INDEX_COUNT - RECORD_KIND_COUNT + (unsigned)(kind)))
enum index_when { INDEX_ALWAYS, INDEX_SET, INDEX_EQ, INDEX_PRIMARY };
struct index_part {
  const struct field *field;
  bool descending;
};
#define INDEX_PARTS_MAX 7
struct index_info {
  const char *name;
  enum record_kind kind;
  enum index_when when;
  const struct field *when_field;
  uint8_t when_value;
  uint8_t prefix_count, part_count; /* parts[0 … prefix_count) are the prefix, the rest the order */
  struct index_part parts[INDEX_PARTS_MAX];
};
extern const struct index_info index_infos[INDEX_COUNT];

/* Sets every field to its default (0, nil, absent, -1 for IDX). */
void record_init(enum record_kind kind, void *record);
bool field_is_default(const struct field *f, const void *record);
/* A deep copy into the arena, head included. */
void *record_copy(enum record_kind kind, const void *record, struct arena *arena);
/* A shallow copy: texts and bytes still point where they did. */
void *record_clone(enum record_kind kind, const void *record, struct arena *arena);
/* Field by field; the head is not compared. */
bool record_equal(enum record_kind kind, const void *a, const void *b);
const struct field *record_field(enum record_kind kind, struct ff_str name);
void record_copy_key(enum record_kind kind, const void *from, void *to);

/*
 * Memory-comparable keys: memcmp order of the encodings is the order of the declaration. Numbers
 * are big-endian (signed ones with the sign bit flipped), texts end in a 0 byte, descending parts
 * are complemented. The encoding is written to out and its length returned; out must hold
 * RECORD_KEY_MAX bytes plus the lengths of the texts: use record_key_size / index_key_size first
 * when texts are unbounded.
 */
#define RECORD_KEY_FIXED_MAX 96
size_t record_key_size(enum record_kind kind, const void *record);
size_t record_key_encode(enum record_kind kind, const void *record, uint8_t *out);
/* The first `parts` parts of an index key (prefix_count for a prefix, part_count for the whole). */
size_t index_key_size(enum index_id index, const void *record, unsigned parts);
size_t index_key_encode(enum index_id index, const void *record, unsigned parts, uint8_t *out);
bool index_matches(enum index_id index, const void *record);

/* True when no cold field is set: one comparison, the usual case. */
bool record_cold_is_default(enum record_kind kind, const void *record);
/* The cold fields that are not default as one JSON object, keys in declared order; absent text when
 * all are default. */
struct ff_str record_cold_encode(enum record_kind kind, const void *record, struct arena *arena);
/* Fills the cold fields from such a text; texts point into the arena. False with *bad_field set
 * when it does not parse. */
bool record_cold_decode(enum record_kind kind, struct ff_str cold, void *record,
                        struct arena *arena, const char **bad_field) MUST_USE;

/* One line `kind field=value …` of the fields that are not default, for dumps and scripts: uuids,
 * words and times as text, bytes as hex, no head but version. Stable: parity tests compare it byte
 * for byte. SECRET fields print as <redacted>. */
void record_dump(enum record_kind kind, const void *record, struct buffer *out);
/* The value of one field as that dump shows it. */
void field_print(const struct field *f, const void *record, struct buffer *out);

#endif
