/*
 * A deployment into a file and out of it: pages of a SQLite file, or the portable format.
 */
#include "engine/transfer.h"

#include "base/error.h"
#include "store/calls.h"
#include "store/dump.h"
#include "store/mark.h"
#include "store/save_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool begins(const char *text, const char *with) {
  return strncmp(text, with, strlen(with)) == 0;
}

static bool is_file(const char *url) {
  return begins(url, "sqlite:") && !begins(url, "sqlite::memory:") &&
         !begins(url, "sqlite:file::memory:");
}

/* The same store for reading only. */
static char *reading(const char *url) {
  size_t size = strlen(url) + sizeof "&mode=ro";
  char *out = heap_alloc(size);
  snprintf(out, size, "%s%s", url,
           begins(url, "memory:") ? "" : strchr(url, '?') ? "&mode=ro" : "?mode=ro");
  return out;
}

/* ---- into a file ---- */

static bool pages_progress(void *user, uint64_t done, uint64_t total) {
  const struct ff_transfer_options *o = user;
  struct ff_transfer_progress now = {sizeof now, "copy", NULL, done, total};
  return !o->progress || o->progress(o->progress_user, &now);
}

static enum ff_rc save_pages(const char *url, struct save_file *file,
                             const struct ff_transfer_options *o, struct ff_error *e) {
  struct store_options options = {.dev_mode = o->dev_mode, .visitor = true};
  struct store *store;
  TRY(store_open(ff_text(url), &options, &store, e));
  enum ff_rc rc =
      store_sqlite_backup(store, file->temporary, pages_progress, (void *)(uintptr_t)o, e);
  store_close(store);
  return rc;
}

static enum ff_rc write_kind(struct copy_walk *walk, enum record_kind kind, struct dump_writer *w,
                             struct transfer_phase *phase, struct ff_error *e) {
  copy_walk_begin(walk, kind);
  for (;;) {
    TRY(copy_walk_next(walk, e));
    if (!walk->count) return FF_OK;
    for (uint32_t i = 0; i < walk->count; i++) TRY(dump_record(w, kind, walk->records[i], e));
    if (!transfer_progress(phase, kind, walk->count))
      return error_set(e, FF_CODE_unavailable, "interrupted");
  }
}

static enum ff_rc write_all(struct transfer_side *side, struct dump_writer *w,
                            struct transfer_phase *phase, struct ff_error *e) {
  struct copy_walk walk;
  enum ff_rc rc = FF_OK;
  copy_walk_init(&walk, side->reader);
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT && !rc; kind++)
    rc = write_kind(&walk, (enum record_kind)kind, w, phase, e);
  copy_walk_fini(&walk);
  return rc ? rc : dump_end(w, e);
}

static enum ff_rc save_records(struct transfer_side *side, struct save_file *file,
                               const char *made_by, const struct ff_transfer_options *o,
                               struct ff_transfer_report *report, struct ff_error *e) {
  struct transfer_phase phase = {.options = o, .name = "count"};
  uint64_t counts[RECORD_KIND_COUNT], end = 0, after = 0;
  struct dump_writer w;
  TRY(transfer_alone(side, e));
  TRY(copy_count(side->reader, counts, e));
  TRY(copy_log_end(side->reader, &end, e));
  transfer_report_counts(report, counts);
  phase = (struct transfer_phase){o, "copy", 0, report->records};
  enum ff_rc rc = dump_begin(&w, file->file, file->path, made_by, side->shown, clock_wall_ms(),
                             end, e);
  if (!rc) rc = write_all(side, &w, &phase, e);
  if (!rc) rc = copy_log_end(side->reader, &after, e);
  if (!rc && (after != end || memcmp(w.counts, counts, sizeof counts) != 0))
    rc = error_set(e, FF_CODE_store_busy, "%s changes while it is saved", side->shown);
  dump_writer_fini(&w);
  return rc;
}

static enum ff_rc save_portable(const char *url, struct save_file *file, const char *made_by,
                                const struct ff_transfer_options *o,
                                struct ff_transfer_report *report, struct ff_error *e) {
  struct transfer_side side;
  TRY(transfer_open(&side, url, false, o, e));
  enum ff_rc rc = save_records(&side, file, made_by, o, report, e);
  transfer_close(&side);
  return rc;
}

enum ff_rc engine_backup(const char *url, const char *path, const char *made_by,
                         const struct ff_transfer_options *o, struct ff_transfer_report *report,
                         struct ff_error *e) {
  struct save_file file;
  char *source = reading(url);
  report->by_pages = is_file(url) && !o->portable;
  enum ff_rc rc = save_file_begin(&file, path, o->force, e);
  if (!rc && report->by_pages) rc = save_pages(source, &file, o, e);
  else if (!rc) rc = save_portable(source, &file, made_by, o, report, e);
  if (!rc) rc = save_file_end(&file, &report->bytes, e);
  save_file_fini(&file);
  free(source);
  return rc;
}

/* ---- out of a file ---- */

static enum ff_rc fill(struct transfer_side *to, struct dump_reader *r,
                       const struct ff_transfer_options *o, struct ff_transfer_report *report,
                       struct ff_error *e) {
  struct transfer_phase phase = {.options = o, .name = "copy"};
  uint64_t counts[RECORD_KIND_COUNT];
  for (;;) {
    enum record_kind kind;
    const void **records;
    uint32_t count;
    TRY(dump_next(r, &kind, &records, &count, e));
    if (!count) break;
    TRY(copy_insert(to->writer, kind, records, count, e));
    if (!transfer_progress(&phase, kind, count))
      return error_set(e, FF_CODE_unavailable, "interrupted: empty %s and restore again",
                       to->shown);
  }
  if (!r->counts[RECORD_KIND_event] && r->log_end)
    TRY(store_restore_log(to->writer, NULL, 0, r->log_end, e));
  TRY(copy_count(to->reader, counts, e));
  transfer_report_counts(report, counts);
  if (memcmp(counts, r->counts, sizeof counts) == 0) return FF_OK;
  return error_set(e, FF_CODE_corruption, "%s holds other counts than %s", to->shown, r->path);
}

static enum ff_rc restore_portable(struct transfer_side *to, FILE *file, const char *path,
                                   const struct ff_transfer_options *o,
                                   struct ff_transfer_report *report, struct ff_error *e) {
  struct dump_reader r;
  enum ff_rc rc = dump_open(&r, file, path, e);
  if (!rc) rc = fill(to, &r, o, report, e);
  report->bytes = r.size;
  dump_reader_fini(&r);
  return rc;
}

static enum ff_rc restore_pages(struct transfer_side *to, const char *path,
                                const struct ff_transfer_options *o,
                                struct ff_transfer_report *report, struct ff_error *e) {
  struct transfer_side from;
  size_t size = strlen(path) + sizeof "sqlite:?mode=ro";
  char *url = heap_alloc(size);
  snprintf(url, size, "sqlite:%s?mode=ro", path);
  enum ff_rc rc = transfer_open(&from, url, false, o, e);
  free(url);
  if (rc) return rc;
  rc = transfer_alone(&from, e);
  if (!rc) rc = transfer_copy(&from, to, o, report, e);
  transfer_close(&from);
  report->by_pages = true;
  return rc;
}

/* What is cut off anywhere leaves the mark, and engines refuse the store. A file that is none of
 * ours is found out before. */
static enum ff_rc restore_into(struct transfer_side *to, FILE *file, const char *path,
                               const struct ff_transfer_options *o,
                               struct ff_transfer_report *report, struct ff_error *e) {
  char head[16] = "";
  struct mark mark = {.state = MARK_RESTORING, .id = "-"};
  struct dump_reader probe;
  bool pages = fread(head, 1, sizeof head, file) == sizeof head &&
               memcmp(head, "SQLite format 3", sizeof head) == 0;
  rewind(file);
  if (!pages) {
    enum ff_rc rc = dump_open(&probe, file, path, e);
    dump_reader_fini(&probe);
    if (rc) return rc;
    rewind(file);
  }
  TRY(transfer_alone(to, e));
  TRY(mark_check(to->reader, e));
  TRY(transfer_empty(to, e));
  snprintf(mark.other, sizeof mark.other, "%s", path);
  TRY(mark_write(to->writer, MARK_TARGET, &mark, e));
  TRY(pages ? restore_pages(to, path, o, report, e)
            : restore_portable(to, file, path, o, report, e));
  mark.state = MARK_NONE;
  return mark_write(to->writer, MARK_TARGET, &mark, e);
}

enum ff_rc engine_restore(const char *path, const char *url, const struct ff_transfer_options *o,
                          struct ff_transfer_report *report, struct ff_error *e) {
  struct transfer_side to;
  FILE *file = fopen(path, "re");
  if (!file)
    return error_field(e, FF_CODE_config, "file", "cannot open %s: %s", path, strerror(errno));
  enum ff_rc rc = transfer_open(&to, url, true, o, e);
  if (!rc) {
    rc = restore_into(&to, file, path, o, report, e);
    transfer_close(&to);
  }
  fclose(file);
  return rc;
}
