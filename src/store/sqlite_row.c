/*
 * Records and rows: binding fields to parameters, reading columns into records.
 *
 * Reading is strict (01 CV-8): a column of the wrong type, out of range or with an unknown word is
 * corruption that names the kind and the field, never a default.
 */
#include "store/sql.h"
#include "store/sqlite_impl.h"

static struct sqlite_layout layouts[RECORD_KIND_COUNT];
static pthread_once_t layouts_once = PTHREAD_ONCE_INIT;

static bool is_text(const struct field *f) {
  return f->type == FIELD_TEXT || f->type == FIELD_BYTES;
}

/* Kept until the process ends. */
static void layout_make(enum record_kind kind, struct sqlite_layout *layout) {
  const struct record_info *info = &record_infos[kind];
  layout->log = info->tag == RECORD_TAG_LOG;
  layout->hot_size = info->size;
  layout->texts = heap_alloc(sizeof *layout->texts * info->field_count);
  for (unsigned i = 0; i < info->field_count; i++) {
    const struct field *f = &info->fields[i];
    bool cold = (f->flags & FIELD_COLD) != 0;
    if (cold && f->offset < layout->hot_size) layout->hot_size = f->offset;
    INVARIANT(cold || (f->offset < layout->hot_size && layout->hot_count < SQLITE_HOT_MAX));
    if (!cold) layout->hot[layout->hot_count++] = f;
    if (is_text(f)) layout->texts[layout->text_count++] = f;
    if (is_text(f) && !cold) layout->hot_text_count++;
  }
  void *blank = heap_alloc(info->size);
  record_init(kind, blank);
  layout->blank = blank;
  INVARIANT(!layout->log || (info->key_count == 1 && layout->hot[0]->type == FIELD_U64));
}

static void layouts_make(void) {
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
    layout_make((enum record_kind)kind, &layouts[kind]);
  }
}

const struct sqlite_layout *sqlite_layout(enum record_kind kind) {
  pthread_once(&layouts_once, layouts_make);
  return &layouts[kind];
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
    default: return *(const int64_t *)at; /* U64 keeps its two's complement */
  }
}

static void bind_null(struct sqlite_prepared *p, int at) {
  if (p->bound[at] == SQLITE_BOUND_NULL) return;
  sqlite3_bind_null(p->st, at);
  p->bound[at] = SQLITE_BOUND_NULL;
}

static void bind_octets(struct sqlite_prepared *p, int at, const struct field *f,
                        const void *where) {
  sqlite3_stmt *st = p->st;
  const struct ff_bytes *octets = where; /* a text has the same layout */
  if (!octets->ptr && !(f->flags & FIELD_KEY)) {
    bind_null(p, at);
    return;
  }
  p->bound[at] = SQLITE_BOUND_OTHER;
  /* An absent key text is stored empty: NULLs would slip through the unique index. */
  if (f->type == FIELD_TEXT)
    sqlite3_bind_text(st, at, octets->ptr ? octets->ptr : "", (int)octets->len, SQLITE_STATIC);
  else if (octets->len == 0) sqlite3_bind_zeroblob(st, at, 0);
  else sqlite3_bind_blob(st, at, octets->ptr, (int)octets->len, SQLITE_STATIC);
}

static void bind_number(struct sqlite_prepared *p, int at, const struct field *f,
                        const void *where) {
  int64_t n = field_number(f, where);
  if ((f->flags & FIELD_OPT) && n == (f->type == FIELD_IDX ? -1 : 0)) {
    bind_null(p, at);
    return;
  }
  if (n == 0 && p->bound[at] == SQLITE_BOUND_ZERO) return;
  sqlite3_bind_int64(p->st, at, n);
  p->bound[at] = n == 0 ? SQLITE_BOUND_ZERO : SQLITE_BOUND_OTHER;
}

void sqlite_bind_field(struct sqlite_prepared *p, int at, const struct field *f,
                       const void *record) {
  const void *where = field_at(f, record);
  if (is_text(f)) {
    bind_octets(p, at, f, where);
  } else if (f->type != FIELD_UUID) {
    bind_number(p, at, f, where);
  } else if ((f->flags & FIELD_OPT) && uuid_is_nil(*(const struct uuid *)where)) {
    bind_null(p, at);
  } else {
    sqlite3_bind_blob(p->st, at, where, 16, SQLITE_STATIC);
    p->bound[at] = SQLITE_BOUND_OTHER;
  }
}

static const char *load_text(sqlite3_value *v, const struct field *f, void *at,
                             struct arena *arena) {
  if (sqlite3_value_type(v) != SQLITE_TEXT) return "not a text";
  const char *text = (const char *)sqlite3_value_text(v);
  size_t len = (size_t)sqlite3_value_bytes(v);
  if (len && memchr(text, 0, len)) return "holds a NUL byte";
  if (f->flags & FIELD_KEY && len == 0) *(struct ff_str *)at = TEXT_LIT("");
  else *(struct ff_str *)at = arena_text(arena, text_of(len ? text : "", len));
  return NULL;
}

static const char *load_blob(sqlite3_value *v, const struct field *f, void *at,
                             struct arena *arena) {
  if (sqlite3_value_type(v) != SQLITE_BLOB) return "not a blob";
  const void *blob = sqlite3_value_blob(v);
  size_t len = (size_t)sqlite3_value_bytes(v);
  if (f->type == FIELD_UUID) {
    if (len != 16) return "not 16 bytes";
    memcpy(at, blob, 16);
    return NULL;
  }
  *(struct ff_bytes *)at = arena_bytes(arena, (struct ff_bytes){len ? blob : "", len});
  return NULL;
}

/* NULL when the column was good, else what is wrong with it. The record holds the field's default.
 */
static const char *load_field(sqlite3_value *v, const struct field *f, void *record,
                              struct arena *arena) {
  void *at = (uint8_t *)record + f->offset;
  int type = sqlite3_value_type(v);
  if (type == SQLITE_NULL) {
    if ((f->flags & FIELD_OPT) ||
        ((f->type == FIELD_TEXT || f->type == FIELD_BYTES) && !(f->flags & FIELD_KEY)))
      return NULL;
    return "is NULL";
  }
  if (f->type == FIELD_TEXT) return load_text(v, f, at, arena);
  if (f->type == FIELD_UUID || f->type == FIELD_BYTES) return load_blob(v, f, at, arena);
  if (type != SQLITE_INTEGER) return "not an integer";
  return sql_load_number(f, sqlite3_value_int64(v), at);
}

/* `row` is where an operator finds it: SELECT * FROM <kind> WHERE rowid=<row>. */
static enum ff_rc corrupt(enum record_kind kind, int64_t row, const char *field,
                          const char *problem, struct ff_error *e) {
  enum ff_rc rc = error_field(e, FF_CODE_corruption, field, "%s: %s: %s", record_infos[kind].name,
                              field, problem);
  error_context(e, "row", "%lld", (long long)row);
  return rc;
}

enum ff_rc sqlite_row_load(sqlite3_stmt *st, enum record_kind kind, struct arena *arena,
                           const void **out, struct ff_error *e) {
  const struct sqlite_layout *layout = sqlite_layout(kind);
  void *record = arena_copy(arena, layout->blank, record_infos[kind].size);
  struct record_head *head = record;
  int64_t row = sqlite3_column_int64(st, 0), version = sqlite3_column_int64(st, 1);
  head->store_row = (uint64_t)row;
  if (version <= 0 && !layout->log) return corrupt(kind, row, "version", "out of range", e);
  head->version = (uint64_t)version;
  for (int i = 0; i < layout->hot_count; i++) {
    const char *problem =
        load_field(sqlite3_column_value(st, i + 2), layout->hot[i], record, arena);
    if (problem) return corrupt(kind, row, layout->hot[i]->name, problem, e);
  }
  if (record_infos[kind].has_cold) {
    sqlite3_value *v = sqlite3_column_value(st, layout->hot_count + 2);
    int type = sqlite3_value_type(v);
    if (type != SQLITE_NULL && type != SQLITE_TEXT)
      return corrupt(kind, row, "cold", "not a text", e);
    if (type == SQLITE_TEXT) {
      struct ff_str cold =
          text_of((const char *)sqlite3_value_text(v), (size_t)sqlite3_value_bytes(v));
      const char *bad = "cold";
      if (!record_cold_decode(kind, cold, record, arena, &bad))
        return corrupt(kind, row, bad, "does not parse", e);
    }
  }
  *out = record;
  return FF_OK;
}
