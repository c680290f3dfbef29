/*
 * The schema in the store: a text that lists the fields of each kind in the order of their numbers
 * and the indexes with their parts, and a mark, the hash of it, that every apply compares.
 *
 * Fields a newer program has are added at the ends of the lists, so that rows stay as they are;
 * fields this program does not know are refused. Indexes are not built from rows: a store that has
 * rows of a kind without an index this program needs is refused.
 */
#include "store/valkey_impl.h"

/* ---- as text ---- */

static void append_index(enum index_id index, struct buffer *out) {
  static const char *const whens[] = {"always", "set", "eq", "key"};
  const struct index_info *info = &index_infos[index];
  buffer_printf(out, "index %s %s %s", info->name, record_infos[info->kind].name,
                whens[info->when]);
  if (info->when == INDEX_SET || info->when == INDEX_EQ)
    buffer_printf(out, " %s=%u", info->when_field->name, info->when_value);
  for (unsigned i = 0; i < info->part_count; i++)
    buffer_printf(out, " %s%s", info->parts[i].descending ? "-" : "", info->parts[i].field->name);
  buffer_append_char(out, '\n');
}

static void append_schema(const struct valkey_layouts *layouts, struct buffer *out) {
  buffer_printf(out, "generation %d\n", VALKEY_SCHEMA_GENERATION);
  for (unsigned k = 0; k < RECORD_KIND_COUNT; k++) {
    const struct valkey_layout *l = &layouts->kinds[k];
    buffer_printf(out, "kind %s", record_infos[k].name);
    for (unsigned n = 0; n < l->field_count; n++)
      buffer_printf(out, " %s", record_infos[k].fields[l->field_of[n]].name);
    buffer_append_char(out, '\n');
  }
  for (unsigned i = 0; i < INDEX_COUNT; i++) append_index((enum index_id)i, out);
}

static void mark_of(struct ff_str schema, char out[17]) {
  snprintf(out, 17, "%016llx", (unsigned long long)hash_fnv1a64(schema.ptr, schema.len));
}

/* ---- layouts ---- */

static bool give_number(struct valkey_layout *l, unsigned position) {
  for (unsigned n = 0; n < l->field_count; n++)
    if (l->field_of[n] == position) return false;
  l->number_of[position] = (uint8_t)l->field_count;
  l->field_of[l->field_count++] = (uint8_t)position;
  return true;
}

/* Numbers for the fields that have none yet. */
static void complete(struct valkey_layouts *layouts) {
  for (unsigned k = 0; k < RECORD_KIND_COUNT; k++) {
    INVARIANT(record_infos[k].field_count <= VALKEY_FIELDS_MAX);
    for (unsigned i = 0; i < record_infos[k].field_count; i++)
      (void)give_number(&layouts->kinds[k], i);
  }
}

static struct ff_str next_word(struct ff_str *line) {
  const char *space = line->len ? memchr(line->ptr, ' ', line->len) : NULL;
  struct ff_str word = text_of(line->ptr, space ? (size_t)(space - line->ptr) : line->len);
  size_t taken = word.len + (space != NULL);
  *line = text_of(line->ptr + taken, line->len - taken);
  return word;
}

static enum ff_rc too_new(const struct valkey_store *s, struct ff_str what, struct ff_error *e) {
  return error_set(e, FF_CODE_schema_too_new,
                   "%s: what is stored below {%s} is of a newer program (%.*s); this one writes no "
                   "more: update it",
                   s->target.shown, s->target.prefix, what.len < 64 ? (int)what.len : 64, what.ptr);
}

static enum ff_rc read_kind(const struct valkey_store *s, struct ff_str line,
                            struct valkey_layouts *layouts, struct ff_error *e) {
  struct ff_str name = next_word(&line);
  unsigned k = 0;
  while (k < RECORD_KIND_COUNT && !text_equal_c(name, record_infos[k].name)) k++;
  if (k == RECORD_KIND_COUNT) return too_new(s, name, e);
  while (line.len) {
    struct ff_str word = next_word(&line);
    const struct field *f = record_field((enum record_kind)k, word);
    if (!f) return too_new(s, word, e);
    if (!give_number(&layouts->kinds[k], (unsigned)(f - record_infos[k].fields)))
      return error_set(e, FF_CODE_corruption, "%s: the schema below {%s} names %s twice",
                       s->target.shown, s->target.prefix, f->name);
  }
  return FF_OK;
}

static enum ff_rc read_line(const struct valkey_store *s, struct ff_str line,
                            struct valkey_layouts *layouts, struct ff_error *e) {
  struct ff_str word = next_word(&line);
  uint64_t generation;
  if (text_equal_c(word, "kind")) return read_kind(s, line, layouts, e);
  if (!text_equal_c(word, "generation")) return FF_OK; /* an index: compared as a whole */
  if (!parse_u64(line, &generation) || generation == 0)
    return error_set(e, FF_CODE_corruption, "%s: the schema below {%s} does not parse",
                     s->target.shown, s->target.prefix);
  return generation > VALKEY_SCHEMA_GENERATION ? too_new(s, TEXT_LIT("generation"), e) : FF_OK;
}

static enum ff_rc read_layouts(const struct valkey_store *s, struct ff_str schema,
                               struct valkey_layouts *out, struct ff_error *e) {
  *out = (struct valkey_layouts){0};
  while (schema.len) {
    const char *end = memchr(schema.ptr, '\n', schema.len);
    struct ff_str line = text_of(schema.ptr, end ? (size_t)(end - schema.ptr) : schema.len);
    schema = text_of(line.ptr + line.len + (end != NULL), schema.len - line.len - (end != NULL));
    enum ff_rc rc = read_line(s, line, out, e);
    if (rc) return rc;
  }
  return FF_OK;
}

/* ---- what is stored ---- */

static enum ff_rc read_stored(struct valkey_store *s, struct valkey_wire *w, struct arena *arena,
                              struct ff_str *schema, struct ff_error *e) {
  struct buffer request;
  const struct valkey_reply *r;
  buffer_init(&request);
  valkey_command(&request, "GET", s->names.fixed[VALKEY_SCHEMA].ptr, NULL);
  enum ff_rc rc = valkey_ask(s, w, &request, arena, &r, 1, "read the schema", e);
  buffer_fini(&request);
  if (rc) return rc;
  *schema = valkey_is(r, VALKEY_STRING, 0) ? r->text : text_of("", 0);
  return FF_OK;
}

enum ff_rc valkey_schema_changed(const struct valkey_store *s, struct ff_error *e) {
  return error_set(e, FF_CODE_unavailable,
                   "%s: what is stored below {%s} is of another version of this program: open it "
                   "for writing once with this one, or update this one",
                   s->target.shown, s->target.prefix);
}

enum ff_rc valkey_schema_check(struct valkey_store *s, struct valkey_wire *w, struct ff_error *e) {
  struct arena arena;
  struct ff_str stored;
  char mark[17];
  arena_init(&arena);
  enum ff_rc rc = read_stored(s, w, &arena, &stored, e);
  if (!rc && !stored.len) {
    rc = error_set(e, FF_CODE_unavailable,
                   "%s: nothing is stored below {%s} yet: open it for writing once",
                   s->target.shown, s->target.prefix);
  } else if (!rc) {
    mark_of(stored, mark);
    pthread_mutex_lock(&s->schema_lock);
    struct valkey_layouts layouts;
    if (strcmp(mark, s->mark) != 0) rc = read_layouts(s, stored, &layouts, e);
    /* A store that was not migrated by this program is as it is found, if this program knows it. */
    if (!rc && !s->mark[0]) {
      struct buffer own;
      buffer_init(&own);
      append_schema(&layouts, &own);
      if (text_equal(buffer_text(&own), stored)) {
        s->layouts = layouts;
        memcpy(s->mark, mark, sizeof mark);
      }
      buffer_fini(&own);
    }
    if (!rc && strcmp(mark, s->mark) != 0) rc = valkey_schema_changed(s, e);
    pthread_mutex_unlock(&s->schema_lock);
  }
  arena_fini(&arena);
  return rc;
}

/* ---- migrating ---- */

static enum ff_rc store_schema(struct valkey_store *s, struct valkey_wire *w, const char *old,
                               struct ff_str schema, const char *mark, bool *applied,
                               struct ff_error *e) {
  struct valkey_words words = {.count = 0};
  struct buffer request;
  struct arena arena;
  const struct valkey_reply *r;
  buffer_init(&words.text);
  buffer_init(&request);
  arena_init(&arena);
  valkey_call(s, VALKEY_MIGRATE, 2, &words);
  valkey_word(&words, s->names.fixed[VALKEY_SCHEMA].ptr, s->names.fixed[VALKEY_SCHEMA].len);
  valkey_word(&words, s->names.fixed[VALKEY_MARK].ptr, s->names.fixed[VALKEY_MARK].len);
  valkey_word_c(&words, old);
  valkey_word(&words, schema.ptr, schema.len);
  valkey_word_c(&words, mark);
  valkey_words_flush(&words, &request);
  enum ff_rc rc = valkey_ask(s, w, &request, &arena, &r, 1, "store the schema", e);
  if (!rc && !valkey_is(r, VALKEY_INTEGER, 0)) rc = valkey_strange(s, "store the schema", e);
  if (!rc) *applied = r->integer == 1;
  buffer_fini(&words.text);
  buffer_fini(&request);
  arena_fini(&arena);
  return rc;
}

static bool has_line(struct ff_str text, struct ff_str line) {
  for (size_t at = 0; at + line.len <= text.len; at++)
    if (memcmp(text.ptr + at, line.ptr, line.len) == 0) return true;
  return false;
}

/* Rows that were stored without an index would be missing from it: every answer that walks it would
 * be wrong. Kinds that the stored schema does not know have no rows. */
static enum ff_rc check_indexes(const struct valkey_store *s, struct ff_str stored,
                                struct ff_error *e) {
  struct buffer line;
  enum ff_rc rc = FF_OK;
  buffer_init(&line);
  for (unsigned i = 0; i < INDEX_COUNT && !rc && stored.len; i++) {
    if (index_infos[i].when == INDEX_PRIMARY) continue;
    buffer_clear(&line);
    buffer_printf(&line, "kind %s ", record_infos[index_infos[i].kind].name);
    if (!has_line(stored, buffer_text(&line))) continue;
    buffer_clear(&line);
    append_index((enum index_id)i, &line);
    if (!has_line(stored, buffer_text(&line)))
      rc = error_set(e, FF_CODE_unavailable,
                     "%s: what is stored below {%s} lacks the index %s, which is not built from "
                     "rows: `ff backup` it with the program that wrote it, `ff restore` it with "
                     "this one under another prefix",
                     s->target.shown, s->target.prefix, index_infos[i].name);
  }
  buffer_fini(&line);
  return rc;
}

/* One step; *again when another program was quicker. */
static enum ff_rc bring_up(struct valkey_store *s, struct valkey_wire *w, bool *applied,
                           bool *again, struct ff_error *e) {
  struct arena arena;
  struct buffer own;
  struct ff_str stored;
  struct valkey_layouts layouts;
  char old[17] = "", mark[17];
  arena_init(&arena);
  buffer_init(&own);
  *again = false;
  enum ff_rc rc = read_stored(s, w, &arena, &stored, e);
  if (!rc) rc = read_layouts(s, stored, &layouts, e);
  if (!rc) rc = check_indexes(s, stored, e);
  if (!rc) {
    complete(&layouts);
    append_schema(&layouts, &own);
    mark_of(buffer_text(&own), mark);
    if (stored.len) mark_of(stored, old);
    if (!text_equal(buffer_text(&own), stored)) {
      rc = store_schema(s, w, old, buffer_text(&own), mark, applied, e);
      *again = !rc && !*applied;
    }
  }
  if (!rc && !*again) {
    s->layouts = layouts;
    memcpy(s->mark, mark, sizeof mark);
  }
  arena_fini(&arena);
  buffer_fini(&own);
  return rc;
}

enum ff_rc valkey_schema_migrate(struct valkey_store *s, struct valkey_wire *w, bool *applied,
                                 struct ff_error *e) {
  *applied = false;
  if (s->target.read_only) return valkey_schema_check(s, w, e);
  enum ff_rc rc;
  bool again;
  pthread_mutex_lock(&s->schema_lock);
  do rc = bring_up(s, w, applied, &again, e);
  while (!rc && again);
  pthread_mutex_unlock(&s->schema_lock);
  return rc;
}
