/*
 * What backup, restore and move have in common: a side of a copy, and the copy itself.
 */
#include "engine/transfer.h"

#include "base/error.h"
#include "store/calls.h"

#include <stdio.h>
#include <string.h>

/* ---- names ---- */

static bool is_shown(const char *parameter, size_t len) {
  static const char *const names[] = {"schema=", "prefix="};
  for (size_t i = 0; i < ARRAY_LEN(names); i++)
    if (len > strlen(names[i]) && memcmp(parameter, names[i], strlen(names[i])) == 0) return true;
  return false;
}

void transfer_shown(const char *url, char *out, size_t size) {
  const char *authority = strstr(url, "://"), *query = strchr(url, '?');
  size_t end = query ? (size_t)(query - url) : strlen(url);
  size_t from = authority ? (size_t)(authority - url) + 3 : 0, rest = from;
  for (size_t i = from; authority && i < end && url[i] != '/'; i++)
    if (url[i] == '@') rest = i + 1;
  int n = snprintf(out, size, "%.*s%.*s", (int)from, url, (int)(end - rest), url + rest);
  char glue = '?';
  for (const char *p = query; p && n > 0 && (size_t)n < size; p = strchr(p + 1, '&')) {
    size_t len = strcspn(p + 1, "&");
    if (!is_shown(p + 1, len)) continue;
    n += snprintf(out + n, size - (size_t)n, "%c%.*s", glue, (int)len, p + 1);
    glue = '&';
  }
}

/* ---- sides ---- */

void transfer_close(struct transfer_side *s) {
  store_session_close(s->reader);
  store_session_close(s->writer);
  store_close(s->store);
  *s = (struct transfer_side){.store = NULL};
}

static enum ff_rc open_sessions(struct transfer_side *s, bool writes, struct ff_error *e) {
  bool applied;
  TRY(store_migrate(s->store, &applied, e));
  if (writes) TRY(store_session_open(s->store, STORE_WRITER, &s->writer, e));
  return store_session_open(s->store, STORE_READER, &s->reader, e);
}

enum ff_rc transfer_open(struct transfer_side *s, const char *url, bool writes,
                         const struct ff_transfer_options *o, struct ff_error *e) {
  struct store_options options = {.dev_mode = o->dev_mode, .visitor = true};
  *s = (struct transfer_side){.store = NULL};
  transfer_shown(url, s->shown, sizeof s->shown);
  TRY(store_open(ff_text(url), &options, &s->store, e));
  enum ff_rc rc = open_sessions(s, writes, e);
  if (!rc && !s->store->traits.one_domain)
    rc = error_set(e, FF_CODE_unavailable, "%s: a store without whole transactions", s->shown);
  if (rc) transfer_close(s);
  return rc;
}

enum ff_rc transfer_alone(struct transfer_side *s, struct ff_error *e) {
  bool any;
  TRY(store_others(s->store, &any, e));
  if (!any) return FF_OK;
  return error_set(e, FF_CODE_store_busy, "an engine is at work on %s: stop it first", s->shown);
}

enum ff_rc transfer_empty(struct transfer_side *s, struct ff_error *e) {
  unsigned kind;
  uint64_t end = 0;
  TRY(copy_any(s->reader, &kind, e));
  if (kind == RECORD_KIND_COUNT) TRY(copy_log_end(s->reader, &end, e));
  if (kind == RECORD_KIND_COUNT && !end) return FF_OK;
  return error_set(e, FF_CODE_config, "%s is not empty: it holds records of %s", s->shown,
                   kind == RECORD_KIND_COUNT ? "event" : record_infos[kind].name);
}

/* ---- copying ---- */

bool transfer_progress(void *user, enum record_kind kind, uint64_t more) {
  struct transfer_phase *p = user;
  p->done += more;
  struct ff_transfer_progress now = {sizeof now, p->name, record_infos[kind].name, p->done,
                                     p->total};
  return !p->options->progress || p->options->progress(p->options->progress_user, &now);
}

void transfer_report_counts(struct ff_transfer_report *report,
                            const uint64_t counts[RECORD_KIND_COUNT]) {
  report->records = 0;
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) report->records += counts[kind];
  report->events = counts[RECORD_KIND_event];
}

enum ff_rc transfer_copy(struct transfer_side *from, struct transfer_side *to,
                         const struct ff_transfer_options *o, struct ff_transfer_report *report,
                         struct ff_error *e) {
  struct transfer_phase phase = {.options = o, .name = "count"};
  uint64_t counts[RECORD_KIND_COUNT];
  if (!transfer_progress(&phase, (enum record_kind)0, 0))
    return error_set(e, FF_CODE_unavailable, "interrupted; run it again to go on");
  TRY(copy_count(from->reader, counts, e));
  transfer_report_counts(report, counts);
  for (int verify = 0; verify < 2; verify++) {
    phase = (struct transfer_phase){o, verify ? "verify" : "copy", 0, report->records};
    struct copy_job job = {.source = from->reader,
                           .target = to->reader,
                           .writer = verify ? NULL : to->writer,
                           .target_name = to->shown,
                           .progress = transfer_progress,
                           .user = &phase};
    TRY(copy_run(&job, e));
    if (memcmp(job.counts, counts, sizeof counts) != 0)
      return error_set(e, FF_CODE_store_busy, "%s changes while it is copied", from->shown);
  }
  return FF_OK;
}
