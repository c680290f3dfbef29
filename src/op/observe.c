/*
 * observe_signals and list_suspended: what a resumed worker and an operator read of suspensions (03
 * §7.1, §7.4). Nothing here writes.
 */
#include "flowfabric/signal.h"
#include "op/read.h"
#include "op/suspension.h"

/* ---- observe_signals ---- */

static enum ff_rc observe_prepare(const struct op_config *config, const void *args, void *prep,
                                  struct arena *arena, struct ff_error *e) {
  const struct ff_observe_signals_args *a = args;
  (void)arena;
  return handle_decode(&a->handle, config->backend, config->flow_partitions, prep, e);
}

static void observe_declare(struct declare *d, const void *args, const void *prep) {
  (void)args;
  declare_suspension(d, ((const struct handle_body *)prep)->execution);
}

/* O-2 */
static bool is_observable(const struct suspension *s, const struct handle_body *h) {
  return s && s->closed_at && s->attempt_index == h->attempt_index &&
         (s->resume_trigger == FF_resume_trigger_signal ||
          s->resume_trigger == FF_resume_trigger_timeout);
}

static bool is_satisfier(const struct signal *s) {
  return s->observed_effect == FF_signal_effect_appended_to_waitpoint ||
         s->observed_effect == FF_signal_effect_resume_condition_satisfied ||
         s->observed_effect == FF_signal_effect_timeout_auto_resume;
}

static void view_signal(const struct signal *s, struct ff_resume_signal *out) {
  *out = (struct ff_resume_signal){.signal_name = s->signal_name,
                                   .signal_category = s->signal_category,
                                   .source_type = s->source_type,
                                   .source_identity = s->source_identity,
                                   .correlation_id = s->correlation_id,
                                   .accepted_at = s->accepted_at,
                                   .payload = s->payload};
  if (!text_present(out->correlation_id)) out->correlation_id = TEXT_LIT("");
  uuid_format_id(s->signal_id, &out->signal_id);
}

static enum ff_rc observe_run(struct tx *tx, const void *args, const void *prep, void *result,
                              struct ff_error *e) {
  const struct handle_body *h = prep;
  struct ff_observe_signals_result *r = result;
  const struct suspension *s = NULL;
  const struct signal **sent;
  struct bindings bindings;
  size_t total, count = 0;
  (void)args;
  TRY(suspension_get(tx, h->execution, &s));
  if (!is_observable(s, h)) return FF_OK;
  TRY(bindings_decode(tx_arena(tx), s, &bindings, e));
  TRY(bindings_signals(tx, h->execution, bindings, &sent, &total));
  struct ff_resume_signal *items = ARENA_ARRAY(tx_arena(tx), struct ff_resume_signal, total + 1);
  for (size_t i = 0; i < total; i++)
    if (is_satisfier(sent[i])) view_signal(sent[i], &items[count++]);
  r->signals = (struct ff_resume_signals){items, count};
  return FF_OK;
}

const struct op_code op_code_observe_signals = {sizeof(struct handle_body), observe_prepare,
                                                observe_declare, observe_run};

/* ---- list_suspended ---- */

static enum ff_rc list_prepare(const struct op_config *config, const void *args, void *prep,
                               struct arena *arena, struct ff_error *e) {
  const struct ff_list_suspended_args *a = args;
  (void)arena;
  return read_prepare_page(config, a->partition, a->cursor, a->limit, prep, e);
}

static void list_declare(struct declare *d, const void *args, const void *prep) {
  const struct page_request *p = prep;
  struct suspension from = {.partition = p->partition};
  (void)args;
  if (p->after)
    declare_suspension(d, p->cursor);
  else if (p->limit)
    declare_scan(d, INDEX_suspension_open, &from, false, p->limit + 1);
}

static struct exec_id suspended_id(const struct suspension *s) {
  return (struct exec_id){s->partition, s->execution_id};
}

static void view_entry(const struct suspension *s, struct ff_suspended_entry *out) {
  exec_id_format(suspended_id(s), &out->execution_id);
  out->suspended_at_ms = s->score;
  out->reason = s->reason_code;
  out->timeout_at = s->timeout_at;
  out->suspended_since = s->created_at;
}

/* L-11: behind the place the cursor has or had; without a trace of it, behind its id. */
static enum ff_rc open_list(struct tx *tx, const struct page_request *p, struct tx_scan *scan,
                            bool *by_id) {
  struct suspension from = {.partition = p->partition};
  const struct suspension *last = NULL;
  if (p->after) TRY(suspension_get(tx, p->cursor, &last));
  *by_id = p->after && !last;
  if (last) {
    from.execution_id = p->cursor.uuid;
    from.score = last->score             ? last->score
                 : last->timeout_at ? last->timeout_at
                                         : SUSPENSION_NO_TIMEOUT;
  }
  return tx_scan_open(tx, INDEX_suspension_open, &from, last != NULL, p->limit + 1, scan);
}

static enum ff_rc list_run(struct tx *tx, const void *args, const void *prep, void *result,
                           struct ff_error *e) {
  const struct page_request *p = prep;
  struct ff_list_suspended_result *r = result;
  struct tx_scan scan;
  size_t count = 0;
  bool by_id = false;
  (void)args, (void)e;
  if (p->limit == 0) return FF_OK;
  TRY(open_list(tx, p, &scan, &by_id));
  struct ff_suspended_entry *items =
      ARENA_ARRAY(tx_arena(tx), struct ff_suspended_entry, p->limit);
  for (;;) {
    const void *record = NULL;
    TRY(tx_scan_next(&scan, &record));
    if (!record) break;
    const struct suspension *s = record;
    if (by_id && uuid_compare(s->execution_id, p->cursor.uuid) <= 0) continue;
    if (count == p->limit) {
      r->next_cursor = arena_text(tx_arena(tx), ff_text(items[count - 1].execution_id.text));
      break;
    }
    view_entry(s, &items[count++]);
  }
  r->entries = (struct ff_suspended_entries){items, count};
  return FF_OK;
}

const struct op_code op_code_list_suspended = {sizeof(struct page_request), list_prepare,
                                               list_declare, list_run};
