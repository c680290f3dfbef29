/*
 * Choosing a store by its URL, closing it, and the checks behind the checked calls (calls.h).
 *
 * Knows the schemes and nothing of what the stores do.
 */
#include "store/calls.h"
#include "store/module.h"

#include "base/error.h"

static const struct store_module_name postgres = {
    "postgres", "PostgreSQL", "PostgreSQL's client library libpq (Debian: libpq5)"};

static const struct store_module_name valkey = {
    "valkey", "Valkey", "hiredis and OpenSSL (Debian: libhiredis0.14, libssl3)"};

/* Stores that are compiled in have `open`, the others a module. */
static const struct {
  const char *scheme;
  enum ff_rc (*open)(struct ff_str rest, const struct store_options *, struct store **,
                     struct ff_error *);
  const struct store_module_name *module;
} schemes[] = {{"memory", store_memory_open, NULL},
               {"sqlite", store_sqlite_open, NULL},
               {"postgres", NULL, &postgres},
               {"postgresql", NULL, &postgres},
               {"valkey", NULL, &valkey},
               {"valkeys", NULL, &valkey},
               {"redis", NULL, &valkey},
               {"rediss", NULL, &valkey}};

#define SCHEMES_ACCEPTED                                                  \
  "memory:[<name>], sqlite:<path>, postgres://<user>@<host>/<database>, " \
  "valkey://<host>[:<port>], redis://<host>[:<port>] and http://<host>:<port>"

enum ff_rc store_open(struct ff_str url, const struct store_options *options, struct store **out,
                      struct ff_error *e) {
  static const struct store_options defaults;
  *out = NULL;
  if (!options) options = &defaults;
  const char *colon = url.len ? memchr(url.ptr, ':', url.len) : NULL;
  if (!colon)
    return error_field(e, FF_CODE_config, "url",
                       "a store URL needs a scheme; accepted are " SCHEMES_ACCEPTED);
  struct ff_str scheme = text_of(url.ptr, (size_t)(colon - url.ptr));
  struct ff_str rest = text_of(colon + 1, url.len - scheme.len - 1);
  for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
    if (!text_equal_c(scheme, schemes[i].scheme)) continue;
    return schemes[i].open ? schemes[i].open(rest, options, out, e)
                           : store_module_open(schemes[i].module, url, options, out, e);
  }
  int shown =
      scheme.len < 32 ? (int)scheme.len : 32; /* what follows may hold a password: never shown */
  return error_field(e, FF_CODE_config, "url",
                     "unknown store scheme `%.*s:`; accepted are " SCHEMES_ACCEPTED, shown,
                     scheme.ptr);
}

void store_close(struct store *s) {
  if (s) s->vtable->close(s);
}

/* ---- checks ---- */

static const struct ff_str *text_at(const struct field *f, const void *record) {
  return (const void *)((const uint8_t *)record + f->offset);
}

/* A text of a key must be sortable: no NUL. Nil uuids may be asked for, never stored. */
static void check_key_field(const struct field *f, const void *record) {
  INVARIANT(f->type != FIELD_BYTES);
  if (f->type != FIELD_TEXT) return;
  const struct ff_str *t = text_at(f, record);
  INVARIANT(t->len == 0 || (t->ptr && !memchr(t->ptr, 0, t->len)));
}

static void check_key(enum record_kind kind, const void *key) {
  INVARIANT((unsigned)kind < RECORD_KIND_COUNT && key);
  for (unsigned i = 0; i < record_infos[kind].key_count; i++)
    check_key_field(&record_infos[kind].fields[i], key);
}

static void check_words(enum record_kind kind, const void *record) {
  const struct record_info *info = &record_infos[kind];
  for (unsigned i = 0; i < info->field_count; i++) {
    const struct field *f = &info->fields[i];
    if (f->type == FIELD_ENUM)
      INVARIANT(ff_word((enum ff_word_enum)f->words, ((const uint8_t *)record)[f->offset]) != NULL);
    else if (f->type == FIELD_TEXT || f->type == FIELD_BYTES)
      INVARIANT(text_at(f, record)->ptr || text_at(f, record)->len == 0);
  }
}

void store_check_fetch(const struct store_get *gets, uint32_t get_count,
                       const struct store_scan *scans, uint32_t scan_count) {
  INVARIANT((gets || !get_count) && (scans || !scan_count));
  for (uint32_t i = 0; i < get_count; i++) check_key(gets[i].kind, gets[i].key);
  for (uint32_t i = 0; i < scan_count; i++) {
    const struct store_scan *s = &scans[i];
    INVARIANT((unsigned)s->index < INDEX_COUNT && s->from && s->limit > 0);
    const struct index_info *info = &index_infos[s->index];
    unsigned parts = s->after ? info->part_count : info->prefix_count;
    for (unsigned p = 0; p < parts; p++) check_key_field(info->parts[p].field, s->from);
  }
}

static size_t encoded_index_key(enum index_id index, const void *record, uint8_t *scratch,
                                size_t scratch_size) {
  unsigned parts = index_infos[index].part_count;
  size_t len = index_key_size(index, record, parts);
  return len <= scratch_size ? index_key_encode(index, record, parts, scratch) : 0;
}

static void check_unreadable(const struct ff_error *why) {
  INVARIANT(why->code == FF_CODE_corruption && why->field[0] && why->detail[0]);
  INVARIANT(ff_error_context_get(why, "row"));
}

/* What a store answers: right keys, right prefix, index order, no record twice. */
static void check_scanned(const struct store_scan *s) {
  uint8_t before[1024], key[1024], prefix[1024];
  size_t before_len = 0, prefix_len = 0;
  unsigned prefix_parts = index_infos[s->index].prefix_count;
  INVARIANT(s->count <= s->limit && (s->complete || s->count > 0));
  for (uint32_t i = 0; i < s->unreadable_count; i++) check_unreadable(s->unreadable[i]);
  if (index_key_size(s->index, s->from, prefix_parts) <= sizeof prefix)
    prefix_len = index_key_encode(s->index, s->from, prefix_parts, prefix);
  if (s->after) before_len = encoded_index_key(s->index, s->from, before, sizeof before);
  for (uint32_t i = 0; i < s->count; i++) {
    INVARIANT(s->records[i] && index_matches(s->index, s->records[i]));
    size_t len = encoded_index_key(s->index, s->records[i], key, sizeof key);
    if (len && prefix_len) INVARIANT(len >= prefix_len && memcmp(key, prefix, prefix_len) == 0);
    if (len && before_len) {
      int c = memcmp(before, key, before_len < len ? before_len : len);
      INVARIANT(c < 0 || (c == 0 && before_len < len));
    }
    memcpy(before, key, len);
    before_len = len;
  }
}

void store_check_fetched(const struct store_get *gets, uint32_t get_count,
                         const struct store_scan *scans, uint32_t scan_count) {
  for (uint32_t i = 0; i < get_count; i++) {
    if (gets[i].unreadable) check_unreadable(gets[i].unreadable);
    if (!gets[i].record) continue;
    INVARIANT(!gets[i].unreadable);
    const struct record_info *info = &record_infos[gets[i].kind];
    for (unsigned k = 0; k < info->key_count; k++) {
      const struct field *f = &info->fields[k];
      if (f->type == FIELD_TEXT)
        INVARIANT(text_equal(*text_at(f, gets[i].key), *text_at(f, gets[i].record)));
    }
    INVARIANT(info->tag == RECORD_TAG_LOG ||
              ((const struct record_head *)gets[i].record)->version > 0);
  }
  for (uint32_t i = 0; i < scan_count; i++) check_scanned(&scans[i]);
}

static void check_write(const struct store_write *w) {
  check_key(w->record_kind, w->record);
  const struct record_info *info = &record_infos[w->record_kind];
  const struct record_head *head = w->record;
  INVARIANT(info->tag != RECORD_TAG_LOG);
  switch (w->kind) {
    case STORE_INSERT: INVARIANT(w->base_version == 0 && head->version > 0); break;
    case STORE_UPDATE: INVARIANT(w->base_version > 0 && head->version > w->base_version); break;
    case STORE_DELETE: INVARIANT(w->base_version > 0); return;
  }
  check_words(w->record_kind, w->record);
}

static uint32_t tag_of(enum record_kind kind, const void *record) {
  const struct record_info *info = &record_infos[kind];
  uint16_t partition;
  if (info->tag == RECORD_TAG_G) return UINT32_MAX;
  memcpy(&partition, (const uint8_t *)record + info->partition_offset, sizeof partition);
  return partition;
}

void store_check_groups(const struct store *s, const struct store_group *groups,
                        uint32_t group_count) {
  for (uint32_t g = 0; g < group_count; g++) {
    const struct store_group *group = &groups[g];
    uint32_t tag =
        group->write_count ? tag_of(group->writes[0].record_kind, group->writes[0].record) : 0;
    for (uint32_t i = 0; i < group->write_count; i++) {
      check_write(&group->writes[i]);
      INVARIANT(s->traits.one_domain ||
                tag_of(group->writes[i].record_kind, group->writes[i].record) == tag);
    }
    for (uint32_t i = 0; i < group->event_count; i++) {
      const struct event *event = group->events[i];
      INVARIANT(!uuid_is_nil(event->execution_id) || !uuid_is_nil(event->flow_id) ||
                event->worker_event);
      check_words(RECORD_KIND_event, event);
    }
  }
}

void store_check_log(const struct event *const *events, uint32_t count, uint32_t limit) {
  INVARIANT(count <= limit);
  for (uint32_t i = 1; i < count; i++) INVARIANT(events[i]->event_id > events[i - 1]->event_id);
}
