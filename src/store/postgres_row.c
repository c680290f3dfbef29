/*
 * Records and the binary protocol: fields to parameters, rows of parameters to arrays of composite
 * values, result columns to records.
 *
 * Reading is strict (01 CV-8): a column of the wrong size, out of range or with an unknown word is
 * corruption that names the kind and the field, never a default. U64 keeps its two's complement.
 */
#include "store/postgres_impl.h"
#include "store/sql.h"

static struct postgres_layout layouts[RECORD_KIND_COUNT];
static pthread_once_t layouts_once = PTHREAD_ONCE_INIT;

#define OID_BYTEA 17
#define OID_INT8 20
#define OID_INT2 21
#define OID_INT4 23
#define OID_TEXT 25
#define OID_UUID 2950

/* Kept until the process ends. */
static void layout_make(enum record_kind kind, struct postgres_layout *l) {
  const struct record_info *info = &record_infos[kind];
  l->log = info->tag == RECORD_TAG_LOG;
  for (unsigned i = 0; i < info->field_count; i++) {
    const struct field *f = &info->fields[i];
    if (f->flags & FIELD_COLD) continue;
    INVARIANT(l->hot_count < POSTGRES_HOT_MAX);
    l->hot[l->hot_count++] = f;
    bool fixed = (f->flags & (FIELD_KEY | FIELD_FIXED)) == FIELD_FIXED;
    if (!fixed) l->change[l->change_count++] = f;
  }
  l->locks = info->tag == RECORD_TAG_FP && (info->has_cold || l->change_count > info->key_count);
  void *blank = heap_alloc(info->size);
  record_init(kind, blank);
  l->blank = blank;
  INVARIANT(!l->log || (info->key_count == 1 && l->hot[0]->type == FIELD_U64));
}

static void layouts_make(void) {
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
    layout_make((enum record_kind)kind, &layouts[kind]);
}

const struct postgres_layout *postgres_layout(enum record_kind kind) {
  pthread_once(&layouts_once, layouts_make);
  return &layouts[kind];
}

Oid postgres_type_oid(const struct field *f) {
  switch (f->type) {
    case FIELD_U8:
    case FIELD_ENUM: return OID_INT2;
    case FIELD_U16:
    case FIELD_I32: return OID_INT4;
    case FIELD_UUID: return OID_UUID;
    case FIELD_TEXT: return OID_TEXT;
    case FIELD_BYTES: return OID_BYTEA;
    default: return OID_INT8;
  }
}

/* ---- writing ---- */

void postgres_put_i16(struct buffer *b, int16_t n) {
  uint8_t out[2] = {(uint8_t)((uint16_t)n >> 8), (uint8_t)n};
  buffer_append(b, out, sizeof out);
}

void postgres_put_i32(struct buffer *b, int32_t n) {
  uint32_t u = __builtin_bswap32((uint32_t)n);
  buffer_append(b, &u, sizeof u);
}

void postgres_put_i64(struct buffer *b, int64_t n) {
  uint64_t u = __builtin_bswap64((uint64_t)n);
  buffer_append(b, &u, sizeof u);
}

/* The record's memory at a field; all of it is suitably aligned by construction of the struct. */
static const void *field_at(const struct field *f, const void *record) {
  return (const uint8_t *)record + f->offset;
}

static int64_t field_number(const struct field *f, const void *at) {
  switch (f->type) {
    case FIELD_U8:
    case FIELD_ENUM: return *(const uint8_t *)at;
    case FIELD_U16: return *(const uint16_t *)at;
    case FIELD_U32: return *(const uint32_t *)at;
    case FIELD_I32: return *(const int32_t *)at;
    default: return *(const int64_t *)at;
  }
}

/* Absent texts, and what is at its default in a column that may be NULL. An absent text of a key is
 * stored empty: NULLs would slip through the unique index. */
static bool is_null(const struct field *f, const void *at) {
  switch (f->type) {
    case FIELD_TEXT:
    case FIELD_BYTES: return !((const struct ff_bytes *)at)->ptr && !(f->flags & FIELD_KEY);
    case FIELD_UUID: return (f->flags & FIELD_OPT) && uuid_is_nil(*(const struct uuid *)at);
    default:
      return (f->flags & FIELD_OPT) && field_number(f, at) == (f->type == FIELD_IDX ? -1 : 0);
  }
}

static void put_octets(struct buffer *b, const void *ptr, size_t len) {
  postgres_put_i32(b, (int32_t)len);
  if (len) buffer_append(b, ptr, len);
}

static void put_number(struct buffer *b, const struct field *f, int64_t n) {
  switch (postgres_type_oid(f)) {
    case OID_INT2:
      postgres_put_i32(b, 2);
      postgres_put_i16(b, (int16_t)n);
      return;
    case OID_INT4:
      postgres_put_i32(b, 4);
      postgres_put_i32(b, (int32_t)n);
      return;
    default:
      postgres_put_i32(b, 8);
      postgres_put_i64(b, n);
      return;
  }
}

void postgres_put_field(struct buffer *b, const struct field *f, const void *record) {
  const void *at = field_at(f, record);
  const struct ff_bytes *octets = at; /* a text has the same layout */
  if (is_null(f, at)) postgres_put_i32(b, -1);
  else if (f->type == FIELD_UUID) put_octets(b, at, 16);
  else if (f->type == FIELD_TEXT || f->type == FIELD_BYTES) put_octets(b, octets->ptr, octets->len);
  else put_number(b, f, field_number(f, at));
}

struct postgres_param postgres_param_of(struct buffer *b, const struct field *f,
                                        const void *record) {
  buffer_clear(b);
  postgres_put_field(b, f, record);
  bool null = b->len == 4 && (uint8_t)b->ptr[0] == 0xff;
  return (struct postgres_param){null ? NULL : b->ptr + 4, b->len - 4};
}

void postgres_put_array(struct buffer *b, Oid element, uint32_t count) {
  postgres_put_i32(b, count ? 1 : 0);
  postgres_put_i32(b, 0);
  postgres_put_i32(b, (int32_t)element);
  if (!count) return;
  postgres_put_i32(b, (int32_t)count);
  postgres_put_i32(b, 1);
}

/* ---- rows of arrays ---- */

static size_t row_open(struct buffer *b, unsigned columns) {
  size_t start = b->len;
  postgres_put_i32(b, 0); /* its length, known at the end */
  postgres_put_i32(b, (int32_t)columns);
  return start;
}

static void row_close(struct buffer *b, size_t start) {
  uint32_t len = __builtin_bswap32((uint32_t)(b->len - start - 4));
  memcpy(b->ptr + start, &len, sizeof len);
}

static void put_column(struct buffer *b, const struct field *f, const void *record) {
  postgres_put_i32(b, (int32_t)postgres_type_oid(f));
  postgres_put_field(b, f, record);
}

static void put_big(struct buffer *b, uint64_t n) {
  postgres_put_i32(b, OID_INT8);
  postgres_put_i32(b, 8);
  postgres_put_i64(b, (int64_t)n);
}

static void put_cold(struct postgres_session *c, struct buffer *b, enum record_kind kind,
                     const void *record) {
  postgres_put_i32(b, OID_TEXT);
  struct ff_str cold = {NULL, 0};
  if (!record_cold_is_default(kind, record)) cold = record_cold_encode(kind, record, &c->scratch);
  if (cold.ptr) put_octets(b, cold.ptr, cold.len);
  else postgres_put_i32(b, -1);
}

void postgres_put_row(struct postgres_session *c, struct buffer *b, enum record_kind kind,
                      const void *record) {
  const struct postgres_layout *l = postgres_layout(kind);
  bool cold = record_infos[kind].has_cold;
  unsigned first = l->log ? 1 : 0;
  size_t start = row_open(b, l->hot_count - first + !l->log + cold);
  for (unsigned i = first; i < l->hot_count; i++) put_column(b, l->hot[i], record);
  if (!l->log) put_big(b, ((const struct record_head *)record)->version);
  if (cold) put_cold(c, b, kind, record);
  row_close(b, start);
}

void postgres_put_change(struct postgres_session *c, struct buffer *b, enum record_kind kind,
                         const void *record, uint64_t base_version) {
  const struct postgres_layout *l = postgres_layout(kind);
  bool cold = record_infos[kind].has_cold;
  size_t start = row_open(b, l->change_count + 2u + cold);
  for (unsigned i = 0; i < l->change_count; i++) put_column(b, l->change[i], record);
  put_big(b, ((const struct record_head *)record)->version);
  if (cold) put_cold(c, b, kind, record);
  put_big(b, base_version);
  row_close(b, start);
}

/* ---- reading ---- */

int64_t postgres_get_i64(const char *at) {
  uint64_t u;
  memcpy(&u, at, sizeof u);
  return (int64_t)__builtin_bswap64(u);
}

static bool get_number(const char *at, int len, Oid type, int64_t *out) {
  uint32_t u;
  if (type == OID_INT2 && len == 2) {
    *out = (int16_t)((uint8_t)at[0] << 8 | (uint8_t)at[1]);
  } else if (type == OID_INT4 && len == 4) {
    memcpy(&u, at, sizeof u);
    *out = (int32_t)__builtin_bswap32(u);
  } else if (type == OID_INT8 && len == 8) {
    *out = postgres_get_i64(at);
  } else {
    return false;
  }
  return true;
}

/* NULL when the column was good, else what is wrong with it. */
static const char *load_field(const PGresult *r, int row, int column, const struct field *f,
                              void *record, struct arena *arena) {
  void *at = (uint8_t *)record + f->offset;
  const char *value = PQgetvalue(r, row, column);
  int len = PQgetlength(r, row, column);
  bool text = f->type == FIELD_TEXT || f->type == FIELD_BYTES;
  if (PQgetisnull(r, row, column))
    return (f->flags & FIELD_OPT) || (text && !(f->flags & FIELD_KEY)) ? NULL : "is NULL";
  if (f->type == FIELD_TEXT) {
    *(struct ff_str *)at = arena_text(arena, text_of(value, (size_t)len));
    return NULL;
  }
  if (f->type == FIELD_BYTES) {
    *(struct ff_bytes *)at = arena_bytes(arena, (struct ff_bytes){value, (size_t)len});
    return NULL;
  }
  if (f->type == FIELD_UUID) {
    if (len != 16) return "not 16 bytes";
    memcpy(at, value, 16);
    return NULL;
  }
  int64_t n;
  if (!get_number(value, len, postgres_type_oid(f), &n)) return "wrong type";
  return sql_load_number(f, n, at);
}

enum ff_rc postgres_row_load(const PGresult *r, int row, int column, enum record_kind kind,
                             struct arena *arena, const void **out, struct ff_error *e) {
  const struct postgres_layout *l = postgres_layout(kind);
  void *record = arena_copy(arena, l->blank, record_infos[kind].size);
  struct record_head *head = record;
  if (!l->log) {
    int64_t version = 0;
    if (!PQgetisnull(r, row, column)) version = postgres_get_i64(PQgetvalue(r, row, column));
    if (version <= 0) return store_corrupt(kind, record, "version", "out of range", e);
    head->version = (uint64_t)version;
    column++;
  }
  for (unsigned i = 0; i < l->hot_count; i++, column++) {
    const char *problem = load_field(r, row, column, l->hot[i], record, arena);
    if (problem) return store_corrupt(kind, record, l->hot[i]->name, problem, e);
  }
  if (record_infos[kind].has_cold && !PQgetisnull(r, row, column)) {
    struct ff_str cold =
        text_of(PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column));
    const char *bad = "cold";
    if (!record_cold_decode(kind, cold, record, arena, &bad))
      return store_corrupt(kind, record, bad, "does not parse", e);
  }
  *out = record;
  return FF_OK;
}
