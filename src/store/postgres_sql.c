/*
 * The SQL of every statement, made from the record and index tables.
 *
 * A statement takes whole batches as arrays, so there is one per kind and purpose, whatever a
 * batch's size. A count that is not what was expected divides by zero: the failure ends the pipeline
 * before its COMMIT, in the same round trip.
 */
#include "store/postgres_impl.h"

#define CLOCK_MS "floor(extract(epoch FROM clock_timestamp())*1000)::int8"

const char *postgres_type(const struct field *f) {
  switch (f->type) {
    case FIELD_U8:
    case FIELD_ENUM: return "int2";
    case FIELD_U16:
    case FIELD_I32: return "int4";
    case FIELD_UUID: return "uuid";
    case FIELD_TEXT: return "text";
    case FIELD_BYTES: return "bytea";
    default: return "int8";
  }
}

void postgres_name(struct buffer *out, const char *name) {
  buffer_append_char(out, '"');
  for (; *name; name++) {
    if (*name == '"') buffer_append_char(out, '"');
    buffer_append_char(out, *name);
  }
  buffer_append_char(out, '"');
}

void postgres_table(struct buffer *out, const char *schema, const char *name, const char *suffix) {
  postgres_name(out, schema);
  buffer_printf(out, ".\"%s%s\"", name, suffix);
}

int64_t postgres_lock_key(const char *schema, const char *what) {
  uint64_t of_what = hash_mix64(hash_fnv1a64(what, strlen(what)));
  return (int64_t)hash_mix64(of_what ^ hash_fnv1a64(schema, strlen(schema)));
}

static void column(struct buffer *out, const char *alias, const char *name) {
  buffer_printf(out, "%s.\"%s\"", alias, name);
}

void postgres_columns(struct buffer *out, enum record_kind kind, const char *alias) {
  const struct postgres_layout *l = postgres_layout(kind);
  const char *glue = "";
  if (!l->log) column(out, alias, "version"), glue = ",";
  for (unsigned i = 0; i < l->hot_count; i++, glue = ",") {
    buffer_append_c(out, glue);
    column(out, alias, l->hot[i]->name);
  }
  if (record_infos[kind].has_cold) buffer_append_char(out, ','), column(out, alias, "cold");
}

/* unnest($1::a[],$2::b[]…) of the key columns, and of a version behind them when asked. */
static void unnest_keys(struct buffer *out, enum record_kind kind, bool version) {
  const struct record_info *info = &record_infos[kind];
  buffer_append_c(out, "unnest(");
  for (unsigned i = 0; i < info->key_count; i++)
    buffer_printf(out, "%s$%u::%s[]", i ? "," : "", i + 1, postgres_type(&info->fields[i]));
  if (version) buffer_printf(out, ",$%u::int8[]", info->key_count + 1u);
  buffer_append_char(out, ')');
}

static void key_names(struct buffer *out, enum record_kind kind) {
  const struct record_info *info = &record_infos[kind];
  for (unsigned i = 0; i < info->key_count; i++)
    buffer_printf(out, "%s\"%s\"", i ? "," : "", info->fields[i].name);
}

static void key_join(struct buffer *out, enum record_kind kind, const char *a, const char *b) {
  const struct record_info *info = &record_infos[kind];
  for (unsigned i = 0; i < info->key_count; i++) {
    const char *name = info->fields[i].name;
    buffer_printf(out, "%s%s.\"%s\"=%s.\"%s\"", i ? " AND " : "", a, name, b, name);
  }
}

/* Keys come sorted, rows are locked in that order: two sessions that load the same rows never wait
 * for each other crosswise. */
static void get_sql(const char *schema, enum record_kind kind, bool lock, struct buffer *out) {
  buffer_append_c(out, "SELECT k.ord,");
  postgres_columns(out, kind, "t");
  buffer_append_c(out, " FROM ");
  unnest_keys(out, kind, false);
  buffer_append_c(out, " WITH ORDINALITY AS k(");
  key_names(out, kind);
  buffer_append_c(out, ",ord) JOIN ");
  postgres_table(out, schema, record_infos[kind].name, "");
  buffer_append_c(out, " AS t ON ");
  key_join(out, kind, "t", "k");
  buffer_append_c(out, " ORDER BY k.ord");
  if (lock) buffer_append_c(out, " FOR NO KEY UPDATE OF t");
}

static void insert_columns(struct buffer *out, enum record_kind kind) {
  const struct postgres_layout *l = postgres_layout(kind);
  for (unsigned i = l->log; i < l->hot_count; i++)
    buffer_printf(out, "%s\"%s\"", i > l->log ? "," : "", l->hot[i]->name);
  if (!l->log) buffer_append_c(out, ",\"version\"");
  if (record_infos[kind].has_cold) buffer_append_c(out, ",\"cold\"");
}

/* A name inside an SQL string. */
static void append_quoted(struct buffer *out, const struct buffer *name) {
  buffer_append_char(out, '\'');
  for (size_t i = 0; i < name->len; i++) {
    if (name->ptr[i] == '\'') buffer_append_char(out, '\'');
    buffer_append_char(out, name->ptr[i]);
  }
  buffer_append_char(out, '\'');
}

/* A function's argument that names the sequence of event ids. */
static void sequence_name(const char *schema, struct buffer *out) {
  struct buffer name;
  buffer_init(&name);
  postgres_table(&name, schema, "event", "_id");
  append_quoted(out, &name);
  buffer_append_c(out, "::regclass");
  buffer_fini(&name);
}

/* Ids are drawn under a lock held to the commit: who sees one has seen all lower ones. */
static void insert_sql(const char *schema, enum record_kind kind, struct buffer *out) {
  const struct postgres_layout *l = postgres_layout(kind);
  const char *name = record_infos[kind].name;
  if (l->log)
    buffer_printf(out, "WITH l AS MATERIALIZED (SELECT pg_advisory_xact_lock(%lld) AS got) ",
                  (long long)postgres_lock_key(schema, "events"));
  buffer_append_c(out, "INSERT INTO ");
  postgres_table(out, schema, name, "");
  buffer_append_char(out, '(');
  insert_columns(out, kind);
  if (l->log) {
    buffer_printf(out, ",\"%s\") SELECT r.*,nextval(", l->hot[0]->name);
    sequence_name(schema, out);
    buffer_append_c(out, ") FROM l,");
  } else {
    buffer_append_c(out, ") SELECT r.* FROM ");
  }
  buffer_append_c(out, "unnest($1::");
  postgres_table(out, schema, name, "_row");
  buffer_append_c(out, "[]) r");
}

static void expect_count(struct buffer *out, unsigned param) {
  buffer_printf(out, " RETURNING 1) SELECT 1/(count(*)=$%u::int8)::int4 FROM u", param);
}

static void update_sql(const char *schema, enum record_kind kind, struct buffer *out) {
  const struct postgres_layout *l = postgres_layout(kind);
  buffer_append_c(out, "WITH u AS (UPDATE ");
  postgres_table(out, schema, record_infos[kind].name, "");
  buffer_append_c(out, " AS t SET \"version\"=r.\"version\"");
  for (unsigned i = record_infos[kind].key_count; i < l->change_count; i++)
    buffer_printf(out, ",\"%s\"=r.\"%s\"", l->change[i]->name, l->change[i]->name);
  if (record_infos[kind].has_cold) buffer_append_c(out, ",\"cold\"=r.\"cold\"");
  buffer_append_c(out, " FROM unnest($1::");
  postgres_table(out, schema, record_infos[kind].name, "_change");
  buffer_append_c(out, "[]) r WHERE ");
  key_join(out, kind, "t", "r");
  buffer_append_c(out, " AND t.\"version\"=r.base_version");
  expect_count(out, 2);
}

static void delete_sql(const char *schema, enum record_kind kind, struct buffer *out) {
  buffer_append_c(out, "WITH u AS (DELETE FROM ");
  postgres_table(out, schema, record_infos[kind].name, "");
  buffer_append_c(out, " AS t USING ");
  unnest_keys(out, kind, true);
  buffer_append_c(out, " AS r(");
  key_names(out, kind);
  buffer_append_c(out, ",base_version) WHERE ");
  key_join(out, kind, "t", "r");
  buffer_append_c(out, " AND t.\"version\"=r.base_version");
  expect_count(out, record_infos[kind].key_count + 2u);
}

/* ---- scans ---- */

/* The condition that a part [first, end) of the order lies behind the parameters; all of one
 * direction, so a row comparison does it in one index condition. */
static void behind(struct buffer *out, const struct index_info *info, unsigned first,
                   unsigned end) {
  buffer_append_char(out, '(');
  for (unsigned i = first; i < end; i++)
    buffer_printf(out, "%st.\"%s\"", i > first ? "," : "", info->parts[i].field->name);
  buffer_printf(out, ")%c(", info->parts[first].descending ? '<' : '>');
  for (unsigned i = first; i < end; i++)
    buffer_printf(out, "%s$%u::%s", i > first ? "," : "", i + 1,
                  postgres_type(info->parts[i].field));
  buffer_append_char(out, ')');
}

/* Rows whose parts before `equal` are those of the parameters and whose parts [equal, end), if any,
 * lie behind them. The limit is the last parameter. */
static void scan_arm(const char *schema, const struct index_info *info, unsigned equal,
                     unsigned end, bool lock, struct buffer *out) {
  const char *glue = " WHERE ";
  buffer_append_c(out, "SELECT ");
  postgres_columns(out, info->kind, "t");
  buffer_append_c(out, " FROM ");
  postgres_table(out, schema, record_infos[info->kind].name, "");
  buffer_append_c(out, " AS t");
  for (unsigned i = 0; i < equal; i++, glue = " AND ")
    buffer_printf(out, "%st.\"%s\"=$%u::%s", glue, info->parts[i].field->name, i + 1,
                  postgres_type(info->parts[i].field));
  if (end > equal) buffer_append_c(out, glue), behind(out, info, equal, end), glue = " AND ";
  if (info->when == INDEX_SET)
    buffer_printf(out, "%st.\"%s\" IS NOT NULL", glue, info->when_field->name);
  if (info->when == INDEX_EQ)
    buffer_printf(out, "%st.\"%s\"=%u", glue, info->when_field->name, info->when_value);
  buffer_append_c(out, " ORDER BY ");
  for (unsigned i = info->prefix_count; i < info->part_count; i++)
    buffer_printf(out, "%st.\"%s\"%s", i > info->prefix_count ? "," : "",
                  info->parts[i].field->name, info->parts[i].descending ? " DESC" : "");
  buffer_printf(out, " LIMIT $%u::int8", (end > equal ? info->part_count : equal) + 1u);
  /* What a rival has locked is about to be claimed: nobody waits for it. */
  if (lock) buffer_append_c(out, " FOR NO KEY UPDATE OF t SKIP LOCKED");
}

/* Behind a record: the longest run of equal direction at the end of the order first, then the run
 * before it with one part less in common, and so on. */
static void scan_sql(const char *schema, enum index_id index, unsigned bits, struct buffer *out) {
  const struct index_info *info = &index_infos[index];
  bool lock = (bits & POSTGRES_SCAN_LOCK) != 0;
  if (!(bits & POSTGRES_SCAN_AFTER)) {
    scan_arm(schema, info, info->prefix_count, info->prefix_count, lock, out);
    return;
  }
  unsigned end = info->part_count;
  const char *glue = "SELECT * FROM (";
  while (end > info->prefix_count) {
    unsigned first = end - 1;
    while (first > info->prefix_count &&
           info->parts[first - 1].descending == info->parts[end - 1].descending)
      first--;
    buffer_printf(out, "%sSELECT * FROM (", glue);
    scan_arm(schema, info, first, end, lock, out);
    buffer_append_c(out, ") a");
    glue = " UNION ALL ";
    end = first;
  }
  buffer_printf(out, ") u LIMIT $%u::int8", info->part_count + 1u);
}

/* ---- everything else ---- */

static void trim_sql(const char *schema, struct buffer *out) {
  /* $1 before, $2 keep, $3 limit. The newest `keep` are those behind the last id minus keep at the
   * latest: ids that were never used only keep more. */
  struct buffer event, mark;
  buffer_init(&event);
  buffer_init(&mark);
  postgres_table(&event, schema, "event", "");
  postgres_table(&mark, schema, "event_mark", "");
  buffer_printf(
      out,
      "WITH bound AS (SELECT event_id FROM %s ORDER BY event_id DESC OFFSET $2::int8 LIMIT 1),"
      "w AS MATERIALIZED (SELECT event_id,at FROM %s WHERE event_id<=(SELECT event_id FROM bound) "
      "ORDER BY event_id LIMIT $3::int8),"
      "stop AS (SELECT min(event_id) AS id FROM w WHERE at>=$1::int8),"
      "d AS (DELETE FROM %s AS e USING w,stop WHERE e.event_id=w.event_id AND "
      "(stop.id IS NULL OR w.event_id<stop.id) RETURNING e.event_id),"
      "m AS (UPDATE %s SET trimmed=greatest(trimmed,(SELECT max(event_id) FROM d)) "
      "WHERE EXISTS (SELECT 1 FROM d))"
      "SELECT count(*) FROM d",
      event.ptr, event.ptr, event.ptr, mark.ptr);
  buffer_fini(&event);
  buffer_fini(&mark);
}

/* $1 rows, $2 their ids; $1 the id to go on behind. */
static void restore_sql(const char *schema, bool resume, struct buffer *out) {
  if (!resume) {
    buffer_append_c(out, "INSERT INTO ");
    postgres_table(out, schema, "event", "");
    buffer_append_char(out, '(');
    insert_columns(out, RECORD_KIND_event);
    buffer_append_c(out, ",\"event_id\") SELECT * FROM unnest($1::");
    postgres_table(out, schema, "event", "_row");
    buffer_append_c(out, "[],$2::int8[])");
    return;
  }
  buffer_append_c(out, "WITH s AS MATERIALIZED (SELECT setval(");
  sequence_name(schema, out);
  buffer_append_c(out, ",$1::int8)) UPDATE ");
  postgres_table(out, schema, "event_mark", "");
  buffer_append_c(out, " SET trimmed=greatest(trimmed,coalesce((SELECT min(event_id)-1 FROM ");
  postgres_table(out, schema, "event", "");
  buffer_append_c(out, "),$1::int8)) FROM s");
}

static void log_sql(const char *schema, bool state, struct buffer *out) {
  if (state) {
    buffer_append_c(out, "SELECT coalesce((SELECT max(event_id) FROM ");
    postgres_table(out, schema, "event", "");
    buffer_append_c(out, "),0),trimmed FROM ");
    postgres_table(out, schema, "event_mark", "");
    return;
  }
  buffer_append_c(out, "SELECT ");
  postgres_columns(out, RECORD_KIND_event, "t");
  buffer_append_c(out, " FROM ");
  postgres_table(out, schema, "event", "");
  buffer_append_c(out, " AS t WHERE t.event_id>$1::int8 ORDER BY t.event_id LIMIT $2::int8");
}

static void fixed_sql(const char *schema, unsigned which, struct buffer *out) {
  static const char *const texts[POSTGRES_FIXED_STATEMENTS] = {
      [POSTGRES_BEGIN] = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
      [POSTGRES_BEGIN_READ] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
      [POSTGRES_COMMIT] = "COMMIT",
      [POSTGRES_ROLLBACK] = "ROLLBACK",
      [POSTGRES_SAVEPOINT] = "SAVEPOINT g",
      [POSTGRES_ROLLBACK_TO] = "ROLLBACK TO SAVEPOINT g",
      [POSTGRES_CLOCK] = "SELECT " CLOCK_MS,
      [POSTGRES_VALID_UNTIL] = "SELECT 1/(" CLOCK_MS "<$1::int8)::int4",
  };
  if (texts[which]) {
    buffer_append_c(out, texts[which]);
  } else if (which == POSTGRES_CLOCK_CHECK) {
    buffer_append_c(out, "SELECT " CLOCK_MS ",generation,fingerprint FROM ");
    postgres_table(out, schema, "meta", "");
  } else if (which == POSTGRES_LOG_TRIM) {
    trim_sql(schema, out);
  } else if (which == POSTGRES_LOG_RESTORE || which == POSTGRES_LOG_RESUME) {
    restore_sql(schema, which == POSTGRES_LOG_RESUME, out);
  } else {
    log_sql(schema, which == POSTGRES_LOG_STATE, out);
  }
}

void postgres_sql(const char *schema, unsigned statement, struct buffer *out) {
  if (statement >= POSTGRES_ST_FIXED0) {
    fixed_sql(schema, statement - POSTGRES_ST_FIXED0, out);
    return;
  }
  if (statement >= POSTGRES_ST_SCANS) {
    unsigned scan = statement - POSTGRES_ST_SCANS;
    scan_sql(schema, (enum index_id)(scan / POSTGRES_SCAN_STATEMENTS),
             scan % POSTGRES_SCAN_STATEMENTS, out);
    return;
  }
  enum record_kind kind = (enum record_kind)(statement / POSTGRES_KIND_STATEMENTS);
  switch (statement % POSTGRES_KIND_STATEMENTS) {
    case POSTGRES_GET: get_sql(schema, kind, false, out); return;
    case POSTGRES_GET_LOCK: get_sql(schema, kind, true, out); return;
    case POSTGRES_INSERT: insert_sql(schema, kind, out); return;
    case POSTGRES_UPDATE: update_sql(schema, kind, out); return;
    default: delete_sql(schema, kind, out); return;
  }
}
