/*
 * ff_backup, ff_restore, ff_move: options as callers give them, the default file, stores that this
 * process has open itself.
 */
#include "api/api.h"
#include "engine/transfer.h"
#include "flowfabric/engine.h"

struct transfer_call {
  struct ff_transfer_options options;
  struct ff_transfer_report report;
};

static enum ff_rc begin(struct transfer_call *c, const struct ff_transfer_options *options,
                        struct ff_error *error) {
  c->options = (struct ff_transfer_options)FF_TRANSFER_OPTIONS_INIT;
  c->report = (struct ff_transfer_report){.size = sizeof c->report};
  if (!options) return FF_OK;
  return api_sized_copy(&c->options, sizeof c->options, options, options->size, "options", error);
}

static void end(const struct transfer_call *c, struct ff_transfer_report *report) {
  if (!report || report->size < sizeof report->size) return;
  uint32_t size = report->size;
  memcpy(report, &c->report, size < sizeof *report ? size : sizeof *report);
  report->size = size;
}

static enum ff_rc given(const char *text, const char *field, struct ff_error *error) {
  if (text && *text) return FF_OK;
  return error_field(error, FF_CODE_config, field, "must be given");
}

enum ff_rc ff_move(const char *from, const char *to, const struct ff_transfer_options *options,
                   struct ff_transfer_report *report, struct ff_error *error) {
  struct transfer_call c;
  TRY(begin(&c, options, error));
  TRY(given(from, "from", error));
  if (!c.options.cancel) TRY(given(to, "to", error));
  enum ff_rc rc = engine_move(from, to, &c.options, &c.report, error);
  if (rc == FF_OK) end(&c, report);
  return rc;
}

enum ff_rc ff_backup(const char *url, const char *file, const struct ff_transfer_options *options,
                     struct ff_transfer_report *report, struct ff_error *error) {
  char default_text[PATH_MAX + 16];
  struct transfer_call c;
  TRY(begin(&c, options, error));
  TRY(given(file, "file", error));
  if (!url || !*url) {
    TRY(api_default_url(default_text, sizeof default_text, error));
    url = default_text;
  }
  enum ff_rc rc = engine_backup(url, file, ff_version(), &c.options, &c.report, error);
  if (rc == FF_OK) end(&c, report);
  return rc;
}

enum ff_rc ff_restore(const char *file, const char *url, const struct ff_transfer_options *options,
                      struct ff_transfer_report *report, struct ff_error *error) {
  char default_text[PATH_MAX + 16];
  struct transfer_call c;
  TRY(begin(&c, options, error));
  TRY(given(file, "file", error));
  if (!url || !*url) {
    TRY(api_default_url(default_text, sizeof default_text, error));
    url = default_text;
  }
  enum ff_rc rc = engine_restore(file, url, &c.options, &c.report, error);
  if (rc == FF_OK) end(&c, report);
  return rc;
}
