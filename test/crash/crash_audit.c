/*
 * What must be true of the file after a kill: everything acknowledged, nothing twice, leases of the
 * dead come back.
 */
#include "test/crash/crash.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the ledger ---- */

void ledger_init(struct ledger *l) {
  *l = (struct ledger){.bucket_count = 1u << 18};
  l->buckets = heap_zalloc(l->bucket_count * sizeof *l->buckets);
  l->claims = heap_zalloc(l->bucket_count * sizeof *l->claims);
}

void ledger_fini(struct ledger *l) {
  free(l->items);
  free(l->buckets);
  free(l->claims);
}

/* P2: one lease, one holder. Notes of several processes arrive in any order. */
static void note_claim(struct ledger *l, struct known *k, const struct note *n) {
  uint32_t process = n->thread / THREADS;
  uint64_t hash = hash_mix64(hash_fnv1a64(k->id, strlen(k->id)) ^ hash_mix64(n->epoch)) | 1;
  uint32_t i = (uint32_t)(hash >> 32) & (l->bucket_count - 1);
  while (l->claims[i] && l->claims[i] != hash) i = (i + 1) & (l->bucket_count - 1);
  if (l->claims[i]) {
    printf("VIOLATION %s: epoch %llu was given to processes %u and %u\n", k->id,
           (unsigned long long)n->epoch, k->holder, process);
    l->claimed_twice++;
  }
  l->claims[i] = hash;
  if (k->held_epoch && n->epoch > k->held_epoch && k->holder != process && l->killed[k->holder])
    l->taken_over++;
  if (n->epoch > k->held_epoch) {
    k->held_epoch = n->epoch;
    k->holder = process;
  }
}

struct known *ledger_find(struct ledger *l, const char *id) {
  uint32_t i = (uint32_t)hash_fnv1a64(id, strlen(id)) & (l->bucket_count - 1);
  while (l->buckets[i] && strcmp(l->items[l->buckets[i] - 1].id, id) != 0)
    i = (i + 1) & (l->bucket_count - 1);
  if (l->buckets[i]) return &l->items[l->buckets[i] - 1];
  INVARIANT(l->count < l->bucket_count / 2);
  if (l->count == l->capacity) {
    l->capacity = l->capacity ? l->capacity * 2 : 1024;
    l->items = heap_realloc(l->items, l->capacity * sizeof *l->items);
  }
  struct known *k = &l->items[l->count++];
  *k = (struct known){.round = 0};
  snprintf(k->id, sizeof k->id, "%s", id);
  l->buckets[i] = l->count;
  return k;
}

static void note_done(struct ledger *l, const struct note *n, uint32_t round) {
  l->acknowledged[n->op]++;
  if (!n->execution[0]) return;
  struct known *k = ledger_find(l, n->execution);
  k->round = round;
  if (n->op == NOTE_SUBMIT) {
    k->created = true;
    snprintf(k->key, sizeof k->key, "%s", n->key);
  }
  if (n->op == NOTE_CLAIM && n->outcome == FF_outcome_claimed) note_claim(l, k, n);
  if (n->op == NOTE_COMPLETE) k->completed_epoch = n->epoch;
  if (n->op == NOTE_DELAY) k->delays++;
  if (n->op == NOTE_FAIL && n->outcome == FF_outcome_terminal_failed) k->failed_epoch = n->epoch;
  if (n->op == NOTE_FAIL && n->outcome == FF_outcome_retry_scheduled) k->retries++;
}

void ledger_note(struct ledger *l, const struct note *n, uint32_t round) {
  struct note *open = &l->open[n->thread];
  if (n->kind == NOTE_ABOUT) *open = *n;
  l->refused += n->kind == NOTE_REFUSED;
  if (n->kind != NOTE_DONE) return;
  if (open->serial == n->serial) open->kind = 0;
  note_done(l, n, round);
}

/* ---- one execution ---- */

static bool wrong(const char *id, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(const char *id, const char *format, ...) {
  va_list args;
  va_start(args, format);
  printf("VIOLATION %s: ", id);
  vprintf(format, args);
  putchar('\n');
  va_end(args);
  return false;
}

/* The log as a whole: epochs one by one, each expired once at most, one completion at most, retries
 * and delays that were acknowledged. */
static bool events_fit(struct ff_engine *e, const struct known *k, const struct ff_execution *x) {
  struct ff_list_events_args args = FF_ARGS(list_events);
  struct ff_list_events_result found;
  struct ff_error error;
  args.execution_id = ff_text(k->id);
  args.limit = 1000;
  if (ff_list_events(e, &args, &found, &error) != FF_OK)
    return wrong(k->id, "list_events: %s", error.detail);
  uint32_t completions = 0, retries = 0, delays = 0;
  uint64_t epoch = 0, expired = 0;
  bool ok = true;
  for (size_t i = 0; i < found.events.count && ok; i++) {
    const struct ff_event *v = &found.events.items[i];
    if (v->lease_event == FF_lease_event_expired && v->lease_epoch <= expired)
      ok = wrong(k->id, "epoch %llu expired twice", (unsigned long long)v->lease_epoch);
    if (v->lease_event == FF_lease_event_expired) expired = v->lease_epoch;
    completions += v->completion != FF_terminal_outcome_none;
    retries += text_equal_c(v->reason, "failed_retry_scheduled");
    delays += text_equal_c(v->reason, "worker_delay");
    if (v->lease_event != FF_lease_event_acquired) continue;
    if (v->lease_epoch != epoch + 1)
      ok = wrong(k->id, "epoch %llu after %llu", (unsigned long long)v->lease_epoch,
                 (unsigned long long)epoch);
    epoch = v->lease_epoch;
  }
  bool ended = x->lifecycle_phase == FF_lifecycle_phase_terminal;
  if (ok && completions != ended)
    ok = wrong(k->id, "%u completion events, ended %d", completions, ended);
  if (ok && epoch != x->current_lease_epoch)
    ok = wrong(k->id, "the log ends at epoch %llu, the record at %llu", (unsigned long long)epoch,
               (unsigned long long)x->current_lease_epoch);
  if (ok && (retries < k->retries || delays < k->delays))
    ok = wrong(k->id, "%u retries and %u delays, acknowledged %u and %u", retries, delays,
               k->retries, k->delays);
  ff_clear(&found);
  return ok;
}

static bool attempts_fit(struct ff_engine *e, const struct known *k, const struct ff_execution *x) {
  struct ff_list_attempts_args args = FF_ARGS(list_attempts);
  struct ff_list_attempts_result found;
  struct ff_error error;
  args.execution_id = ff_text(k->id);
  if (ff_list_attempts(e, &args, &found, &error) != FF_OK)
    return wrong(k->id, "list_attempts: %s", error.detail);
  uint32_t started = 0;
  bool ok = found.attempts.count == x->total_attempt_count;
  for (size_t i = 0; i < found.attempts.count && ok; i++) {
    started += found.attempts.items[i].attempt_state == FF_attempt_lifecycle_started;
    ok = found.attempts.items[i].attempt_index == i;
  }
  if (!ok) wrong(k->id, "its attempts are not dense");
  if (ok && started > 1) ok = wrong(k->id, "%u attempts are started", started);
  ff_clear(&found);
  return ok;
}

static bool result_fits(struct ff_engine *e, const struct known *k) {
  struct ff_get_execution_result_args args = FF_ARGS(get_execution_result);
  struct ff_get_execution_result_result found;
  struct ff_error error;
  char expected[120];
  args.execution_id = ff_text(k->id);
  if (ff_get_execution_result(e, &args, &found, &error) != FF_OK)
    return wrong(k->id, "result: %s", error.detail);
  int len =
      snprintf(expected, sizeof expected, "%s#%llu", k->id, (unsigned long long)k->completed_epoch);
  bool ok = found.outcome == FF_outcome_ok && found.payload.len == (size_t)len &&
            memcmp(found.payload.ptr, expected, (size_t)len) == 0;
  if (!ok) wrong(k->id, "the acknowledged result is not there");
  ff_clear(&found);
  return ok;
}

static bool one_fits(struct ff_engine *e, struct known *k) {
  struct ff_describe_execution_args args = FF_ARGS(describe_execution);
  struct ff_describe_execution_result found;
  struct ff_error error;
  args.execution_id = ff_text(k->id);
  if (ff_describe_execution(e, &args, &found, &error) != FF_OK)
    return wrong(k->id, "describe: %s", error.detail);
  const struct ff_execution *x = &found.execution;
  bool ok = true;
  if (found.outcome != FF_outcome_ok) ok = wrong(k->id, "acknowledged, but it is not there");
  bool ended = x->lifecycle_phase == FF_lifecycle_phase_terminal;
  if (ok && k->completed_epoch && x->terminal_outcome != FF_terminal_outcome_success)
    ok = wrong(k->id, "an acknowledged completion is gone");
  if (ok && k->failed_epoch && x->terminal_outcome != FF_terminal_outcome_failed)
    ok = wrong(k->id, "an acknowledged failure is gone");
  if (ok && k->ended && !ended) ok = wrong(k->id, "had ended before the crash and runs again");
  if (ok) ok = events_fit(e, k, x) && attempts_fit(e, k, x);
  if (ok && k->completed_epoch) ok = result_fits(e, k);
  k->ended = ended;
  ff_clear(&found);
  return ok;
}

/* ---- all of them ---- */

/* Executions nobody was told of exist too: a commit whose acknowledgement died with the process. */
static bool learn_all(struct ledger *l, struct ff_engine *e, uint32_t round) {
  struct ff_query_executions_args args = FF_ARGS(query_executions);
  char cursor[512] = "";
  args.limit = 1000;
  for (bool more = true; more;) {
    struct ff_query_executions_result page;
    struct ff_error error;
    args.cursor = cursor[0] ? ff_text(cursor) : (struct ff_str){NULL, 0};
    if (ff_query_executions(e, &args, &page, &error) != FF_OK)
      return wrong("query", "%s", error.detail);
    for (size_t i = 0; i < page.executions.count; i++) {
      struct known *k = ledger_find(l, page.executions.items[i].execution_id.text);
      if (!k->round) k->round = round;
    }
    snprintf(cursor, sizeof cursor, TEXT_FMT, TEXT_ARG(page.next_cursor));
    more = cursor[0];
    ff_clear(&page);
  }
  return true;
}

static int compare_keys(const void *a, const void *b) {
  return strcmp((*(struct known *const *)a)->key, (*(struct known *const *)b)->key);
}

/* P7: one request, one execution, also when it was sent twice over a crash. The payload begins with
 * the request's key. */
static bool keys_are_unique(struct ledger *l, struct ff_engine *e) {
  struct known **all = heap_alloc((l->count + 1) * sizeof *all);
  bool ok = true;
  for (uint32_t i = 0; i < l->count && ok; i++) {
    struct ff_read_execution_context_args args = FF_ARGS(read_execution_context);
    struct ff_read_execution_context_result found;
    struct ff_error error;
    all[i] = &l->items[i];
    args.execution_id = ff_text(all[i]->id);
    if (ff_read_execution_context(e, &args, &found, &error) != FF_OK) {
      ok = wrong(all[i]->id, "its payload: %s", error.detail);
      break;
    }
    const char *text = found.input_payload.ptr;
    int len = (int)strnlen(text, found.input_payload.len);
    if (!all[i]->key[0]) snprintf(all[i]->key, sizeof all[i]->key, "%.*s", len, text);
    if (strncmp(all[i]->key, text, (size_t)len) != 0)
      ok = wrong(all[i]->id, "its payload is another's");
    ff_clear(&found);
  }
  if (ok) qsort(all, l->count, sizeof *all, compare_keys);
  for (uint32_t i = 1; i < l->count && ok; i++)
    if (strcmp(all[i]->key, all[i - 1]->key) == 0)
      ok = wrong(all[i]->id, "request %s made %s too", all[i]->key, all[i - 1]->id);
  free(all);
  return ok;
}

bool audit(struct ledger *l, const char *url, uint32_t round, bool full) {
  struct ff_engine *e = crash_open(url, false);
  bool ok = e && learn_all(l, e, round);
  for (uint32_t i = 0; i < l->count && ok; i++) {
    struct known *k = &l->items[i];
    if (full || k->round == round || !k->ended) ok = one_fits(e, k);
  }
  if (ok && full) ok = keys_are_unique(l, e);
  ff_close(e);
  return ok;
}

/* ---- what was under way ---- */

static bool repeat_submit(struct ledger *l, struct ff_engine *e, const struct note *n,
                          uint32_t round) {
  struct ff_submit_args args = FF_ARGS(submit);
  struct ff_submit_result first, second;
  struct ff_error error;
  args.lane_id = TEXT_LIT(LANE);
  args.idempotency_key = ff_text(n->key);
  args.input_payload = (struct ff_bytes){n->key, strlen(n->key)};
  if (ff_submit(e, &args, &first, &error) != FF_OK || ff_submit(e, &args, &second, &error) != FF_OK)
    return wrong(n->key, "submitting again: %s", error.detail);
  bool ok = strcmp(first.execution_id.text, second.execution_id.text) == 0 &&
            second.outcome == FF_outcome_duplicate;
  if (!ok)
    wrong(n->key, "sent again it made %s and %s", first.execution_id.text,
          second.execution_id.text);
  struct known *k = ledger_find(l, first.execution_id.text);
  k->created = true;
  k->round = round;
  snprintf(k->key, sizeof k->key, "%s", n->key);
  ff_clear(&first);
  ff_clear(&second);
  return ok;
}

/* The completion was applied or not; either answer is right, but it must fit what is stored. */
static bool repeat_complete(struct ledger *l, struct ff_engine *e, const struct note *n,
                            uint32_t round) {
  char payload[120];
  struct ff_complete_args args = FF_ARGS(complete);
  struct ff_complete_result result;
  struct ff_describe_execution_args describe = FF_ARGS(describe_execution);
  struct ff_describe_execution_result before;
  struct ff_error error;
  int len =
      snprintf(payload, sizeof payload, "%s#%llu", n->execution, (unsigned long long)n->epoch);
  args.handle = n->handle;
  args.result_payload = (struct ff_bytes){payload, (size_t)len};
  describe.execution_id = ff_text(n->execution);
  if (ff_describe_execution(e, &describe, &before, &error) != FF_OK)
    return wrong(n->execution, "describe: %s", error.detail);
  bool was = before.execution.terminal_outcome == FF_terminal_outcome_success &&
             before.execution.current_lease_epoch == n->epoch;
  ff_clear(&before);
  if (ff_complete(e, &args, &result, &error) == FF_OK) {
    struct known *k = ledger_find(l, n->execution);
    k->completed_epoch = n->epoch;
    k->round = round;
    ff_clear(&result);
    return true;
  }
  if (was)
    return wrong(n->execution, "a completion that was stored answers %s when sent again",
                 ff_code_name(error.code));
  if (error.code == FF_CODE_lease_expired || error.code == FF_CODE_stale_lease ||
      error.code == FF_CODE_execution_not_active)
    return true;
  return wrong(n->execution, "completing again: %s: %s", ff_code_name(error.code), error.detail);
}

bool audit_repeat(struct ledger *l, const char *url, uint32_t round) {
  struct ff_engine *e = crash_open(url, false);
  bool ok = e != NULL;
  for (uint32_t i = 0; i < ARRAY_LEN(l->open) && ok; i++) {
    struct note *n = &l->open[i];
    if (n->kind == NOTE_ABOUT && n->op == NOTE_SUBMIT) {
      ok = repeat_submit(l, e, n, round);
      l->repeated++;
    } else if (n->kind == NOTE_ABOUT && n->op == NOTE_COMPLETE) {
      ok = repeat_complete(l, e, n, round);
      l->repeated++;
    }
    n->kind = 0;
  }
  ff_close(e);
  return ok;
}

/* ---- the end ---- */

/* Completes what one claim found; *count = how many that were. */
static bool complete_some(struct ff_engine *e, size_t *count) {
  struct ff_str lane = TEXT_LIT(LANE);
  struct ff_claim_tasks_args args = FF_ARGS(claim_tasks);
  struct ff_claim_tasks_result found;
  struct ff_error error;
  args.lane_ids = (struct ff_strs){&lane, 1};
  args.worker_id = args.worker_instance_id = TEXT_LIT("last");
  args.lease_ttl_ms = 60000;
  args.max = 500;
  if (ff_claim_tasks(e, &args, &found, &error) != FF_OK)
    return wrong("drain", "claim: %s", error.detail);
  struct ff_complete_item *items = heap_zalloc((found.tasks.count + 1) * sizeof *items);
  for (size_t i = 0; i < found.tasks.count; i++) items[i].handle = found.tasks.items[i].handle;
  struct ff_complete_many_args many = FF_ARGS(complete_many);
  struct ff_complete_many_result done;
  many.items = (struct ff_complete_items){items, found.tasks.count};
  *count = found.tasks.count;
  bool ok = ff_complete_many(e, &many, &done, &error) == FF_OK;
  for (size_t i = 0; ok && i < done.slots.count; i++)
    if (done.slots.items[i].error.rc != FF_OK)
      ok = wrong("drain", "complete: %s", done.slots.items[i].error.detail);
  if (ok) ff_clear(&done);
  free(items);
  ff_clear(&found);
  return ok;
}

/* A page may be empty and have a cursor: it looked at many that have ended. */
static bool anything_left(struct ff_engine *e, char *example, size_t size) {
  struct ff_query_executions_args args = FF_ARGS(query_executions);
  char cursor[512] = "";
  bool left = false;
  args.public_state = TEXT_LIT("waiting,delayed,active");
  args.limit = 1;
  do {
    struct ff_query_executions_result page;
    struct ff_error error;
    args.cursor = cursor[0] ? ff_text(cursor) : (struct ff_str){NULL, 0};
    if (ff_query_executions(e, &args, &page, &error) != FF_OK) {
      snprintf(example, size, "%s", error.detail);
      return true;
    }
    left = page.executions.count > 0;
    const struct ff_execution *x = page.executions.items;
    if (left)
      snprintf(example, size, "%s is %s, %s; delay %lld, lease %lld, now %lld",
               x->execution_id.text, ff_word(FF_WORD_public_state, x->public_state),
               ff_word(FF_WORD_blocking_reason, x->blocking_reason), (long long)x->delay_until,
               (long long)x->lease_expires_at, (long long)clock_wall_ms());
    snprintf(cursor, sizeof cursor, TEXT_FMT, TEXT_ARG(page.next_cursor));
    ff_clear(&page);
  } while (!left && cursor[0]);
  return left;
}

bool audit_drain(struct ledger *l, const char *url) {
  struct ff_engine *e = crash_open(url, true);
  int64_t until = clock_monotonic_us() + 20000000;
  bool ok = e != NULL;
  char example[300] = "";
  (void)l;
  while (ok) {
    size_t count = 0;
    ok = complete_some(e, &count);
    if (!ok || count) continue;
    if (!anything_left(e, example, sizeof example)) break;
    if (clock_monotonic_us() > until)
      ok = wrong("drain", "work is left that no worker gets: %s", example);
    usleep(20000);
  }
  ff_close(e);
  return ok;
}

bool audit_file(const char *path) {
  sqlite3 *db = NULL;
  sqlite3_stmt *s = NULL;
  bool ok = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
            sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL) == SQLITE_OK &&
            sqlite3_step(s) == SQLITE_ROW &&
            strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0;
  if (!ok)
    wrong(path, "integrity_check: %s",
          s ? (const char *)sqlite3_column_text(s, 0) : sqlite3_errmsg(db));
  sqlite3_finalize(s);
  sqlite3_close(db);
  return ok;
}
