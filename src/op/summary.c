/*
 * The rolling document of an attempt: applying summary frames, read_summary (05 A.6).
 *
 * Reads and writes the summary record only; knows nothing of leases or frames.
 */
#include "op/read.h"
#include "op/stream.h"

#define DOCUMENT_MAX_BYTES (1u << 20)
#define PATCH_KIND "json-merge-patch"

static enum ff_rc parse_stored(const char *op, const struct summary *stored, struct arena *arena,
                               const struct json **out, struct ff_error *e) {
  struct json_error error;
  if (json_parse(stored->document, arena, out, &error) && (*out)->type == JSON_OBJECT)
    return FF_OK;
  return error_field(e, FF_CODE_corruption, "document", "%s: summary: document: no JSON object",
                     op);
}

/* ---- appending ---- */

enum ff_rc summary_load(struct tx *tx, const struct stream *s, struct summary_draft *draft,
                        struct ff_error *e) {
  struct summary key = {.partition = s->partition,
                        .execution_id = s->execution_id,
                        .attempt_index = s->attempt_index};
  *draft = (struct summary_draft){0};
  TRY(tx_get_summary(tx, &key, &draft->stored));
  if (!draft->stored) return FF_OK;
  draft->version = draft->stored->summary_version;
  if (draft->version >= INT64_MAX)
    return error_field(e, FF_CODE_corruption, "summary_version",
                       "append_frame: summary: summary_version: impossible");
  return parse_stored("append_frame", draft->stored, tx_arena(tx), &draft->document, e);
}

void summary_apply(struct tx *tx, struct summary_draft *draft, const struct json *patch) {
  draft->document = merge_patch_apply(draft->document, patch, tx_arena(tx));
  draft->version++;
}

enum ff_rc summary_store(struct tx *tx, const struct stream *s, const struct summary_draft *draft,
                         struct ff_error *e) {
  struct summary key = {.partition = s->partition,
                        .execution_id = s->execution_id,
                        .attempt_index = s->attempt_index};
  struct buffer text;
  buffer_init(&text);
  json_write(&text, draft->document);
  struct ff_str document = arena_text(tx_arena(tx), text_of(text.ptr, text.len));
  buffer_fini(&text);
  if (document.len > DOCUMENT_MAX_BYTES)
    return error_field(e, FF_CODE_retention_limit_exceeded, "bytes",
                       "the summary document would have %zu bytes, at most %u", document.len,
                       DOCUMENT_MAX_BYTES);
  struct summary *edit = draft->stored ? tx_edit_summary(tx, draft->stored)
                                       : tx_insert_summary(tx, &key);
  if (!draft->stored) edit->first_applied_ms = tx_now(tx);
  edit->last_updated_ms = tx_now(tx);
  edit->document = document;
  edit->summary_version = draft->version;
  return FF_OK;
}

/* ---- read_summary ---- */

READ_TAKES_ID(read_summary);

static struct summary summary_key(const void *args, const void *prep) {
  const struct ff_read_summary_args *a = args;
  const struct exec_id *id = prep;
  return (struct summary){.partition = id->partition,
                          .execution_id = id->uuid,
                          .attempt_index = a->attempt_index};
}

static void summary_declare(struct declare *d, const void *args, const void *prep) {
  struct summary key = summary_key(args, prep);
  declare_get(d, RECORD_KIND_summary, &key);
}

static enum ff_rc summary_run(struct tx *tx, const void *args, const void *prep, void *result_,
                              struct ff_error *e) {
  struct summary key = summary_key(args, prep);
  struct ff_read_summary_result *result = result_;
  const struct summary *stored = NULL;
  const struct json *document = NULL;
  TRY(tx_get_summary(tx, &key, &stored));
  if (!stored) return FF_OK;
  TRY(parse_stored("read_summary", stored, tx_arena(tx), &document, e));
  result->outcome = FF_outcome_ok;
  result->document_json = (struct ff_bytes){stored->document.ptr, stored->document.len};
  result->version = stored->summary_version;
  result->patch_kind = TEXT_LIT(PATCH_KIND);
  result->first_applied_ms = stored->first_applied_ms;
  result->last_updated_ms = stored->last_updated_ms;
  return FF_OK;
}

const struct op_code op_code_read_summary = {sizeof(struct exec_id), read_prepare_id,
                                             summary_declare, summary_run};
