/*
 * The oracle's look at the store: records against models, attempts, what hangs on an execution,
 * indexes against a recount.
 */
#include "test/lib/oracle_impl.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- life ---- */

struct oracle *oracle_new(struct store *store, const struct op_config *config, bool rivals) {
  struct oracle *o = heap_zalloc(sizeof *o);
  struct ff_error error;
  const struct event **events;
  uint32_t count;
  struct ff_bytes end;
  bool dropped;
  o->store = store;
  o->config = config;
  o->rivals = rivals;
  arena_init(&o->arena);
  INVARIANT(store_session_open(store, STORE_READER, &o->session, &error) == FF_OK);
  INVARIANT(store_read_log(o->session, &o->arena, (struct ff_bytes){NULL, 0}, 1, &events, &count,
                           &end, &dropped, &error) == FF_OK);
  INVARIANT(end.len <= sizeof o->cursor);
  memcpy(o->cursor, end.ptr, end.len);
  o->cursor_len = end.len;
  return o;
}

void oracle_free(struct oracle *o) {
  if (!o) return;
  for (uint32_t i = 0; i < o->model_count; i++) {
    free(o->models[i].facts);
    free(o->models[i].completions);
    free(o->models[i].accepted);
  }
  store_session_close(o->session);
  arena_fini(&o->arena);
  free(o->asked);
  free(o->keyed);
  free(o->sent);
  free(o);
}

static void mix(struct oracle *o, uint64_t value) { o->hash = hash_mix64(o->hash ^ value); }

/* ---- attempts (L-190, L-191) ---- */

static bool attempt_row_fits(struct oracle *o, struct model *m, const struct attempt *row,
                             uint32_t i) {
  MUST(o, m, row->attempt_index == i, "attempt row %u stands at place %u", row->attempt_index, i);
  MUST(o, m, row->attempt_lifecycle >= FF_attempt_lifecycle_ended_success && row->ended_at,
       "attempt %u was replaced and is %s", i,
       ff_word(FF_WORD_attempt_lifecycle, row->attempt_lifecycle));
  const struct fact *last = NULL;
  for (uint32_t k = 0; k < m->fact_count; k++)
    if (m->facts[k].attempt_index == i) last = &m->facts[k];
  MUST(o, m, last && uuid_equal(last->attempt_id, row->attempt_id), "attempt %u has another id", i);
  MUST(o, m, last->epoch == row->lease_epoch && uuid_equal(last->lease_id, row->lease_id),
       "attempt %u names epoch %llu, it ended under %llu", i, (unsigned long long)row->lease_epoch,
       (unsigned long long)last->epoch);
  return true;
}

static bool attempts_fit(struct oracle *o, struct model *m) {
  struct attempt from = {.partition = m->id.partition, .execution_id = m->id.uuid};
  struct store_scan scan = {.index = INDEX_attempt_by_execution, .from = &from, .limit = 1000};
  struct ff_error error;
  int64_t now;
  INVARIANT(store_fetch(o->session, &o->arena, NULL, 0, &scan, 1, &now, &error) == FF_OK);
  uint32_t expected = m->exists && m->attempts ? m->attempts - 1 : 0;
  MUST(o, m, scan.count == expected, "%u attempt rows, expected %u", scan.count, expected);
  for (uint32_t i = 0; i < scan.count; i++)
    if (!attempt_row_fits(o, m, scan.records[i], i)) return false;
  m->rows_checked = m->attempts;
  return true;
}

/* ---- one record ---- */

static bool counters_fit(struct oracle *o, struct model *m, const struct execution *x) {
#define SAME(field, counted)                                                                  \
  MUST(o, m, (uint64_t)x->field == (uint64_t)(counted), #field " is %llu, the log says %llu", \
       (unsigned long long)x->field, (unsigned long long)(counted))
  SAME(current_lease_epoch, m->epoch);
  SAME(total_attempt_count, m->attempts);
  SAME(retry_count, m->retries);
  SAME(lease_reclaim_count, m->reclaims);
  SAME(replay_count, m->replays);
  SAME(terminal_outcome, m->outcome);
#undef SAME
  MUST(o, m, m->completion_count == m->replays + m->ended,
       "%u completion events, %u replays, ended %d", m->completion_count, m->replays, m->ended);
  return true;
}

static bool lease_fits(struct oracle *o, struct model *m, const struct execution *x) {
  static const uint8_t owners[] = {FF_ownership_state_unowned, FF_ownership_state_leased,
                                   FF_ownership_state_lease_expired_reclaimable,
                                   FF_ownership_state_lease_revoked};
  MUST(o, m, x->ownership_state == owners[m->lease], "ownership is %s, the log says %s",
       ff_word(FF_WORD_ownership_state, x->ownership_state),
       ff_word(FF_WORD_ownership_state, owners[m->lease]));
  MUST(o, m, (x->lifecycle_phase == FF_lifecycle_phase_active) == (m->lease != LEASE_NONE),
       "phase %s with ownership %s", ff_word(FF_WORD_lifecycle_phase, x->lifecycle_phase),
       ff_word(FF_WORD_ownership_state, x->ownership_state));
  if (m->lease == LEASE_NONE) return true;
  struct fact *f = fact_of(m, m->epoch);
  MUST(o, m, uuid_equal(f->lease_id, x->lease_id) && uuid_equal(f->attempt_id, x->attempt_id),
       "holds another lease than was acquired");
  MUST(o, m, text_equal_c(x->worker_instance_id, f->instance), "held by " TEXT_FMT ", given to %s",
       TEXT_ARG(x->worker_instance_id), f->instance);
  if (m->lease_unknown) f->expires_at = m->expires_at = x->lease_expires_at;
  m->lease_unknown = false;
  MUST(o, m, x->lease_expires_at == m->expires_at, "lease expires at %lld, the log says %lld",
       (long long)x->lease_expires_at, (long long)m->expires_at);
  return true;
}

static bool attempt_fits(struct oracle *o, struct model *m, const struct execution *x) {
  bool open = x->attempt_lifecycle == FF_attempt_lifecycle_started ||
              x->attempt_lifecycle == FF_attempt_lifecycle_suspended;
  if (!m->attempts) {
    MUST(o, m, x->attempt_lifecycle == FF_attempt_lifecycle_none, "an attempt before any claim");
    return true;
  }
  MUST(o, m, x->attempt_index + 1 == m->attempts, "current attempt %u of %u", x->attempt_index,
       m->attempts);
  if (x->lifecycle_phase == FF_lifecycle_phase_active)
    MUST(o, m, x->attempt_lifecycle == FF_attempt_lifecycle_started, "active with attempt %s",
         ff_word(FF_WORD_attempt_lifecycle, x->attempt_lifecycle));
  else
    MUST(o, m,
         open == (x->attempt_state == FF_attempt_state_attempt_interrupted) &&
             x->attempt_lifecycle != FF_attempt_lifecycle_started,
         "attempt_state %s with attempt %s", ff_word(FF_WORD_attempt_state, x->attempt_state),
         ff_word(FF_WORD_attempt_lifecycle, x->attempt_lifecycle));
  MUST(o, m, open == (x->attempt_ended_at == 0), "attempt %s ended at %lld",
       ff_word(FF_WORD_attempt_lifecycle, x->attempt_lifecycle), (long long)x->attempt_ended_at);
  return true;
}

/* What hangs on the execution, present or absent as its record says. */
static bool attachments_fit(struct oracle *o, struct model *m, const struct execution *x,
                            const struct result **result) {
  struct store_get gets[] = {{RECORD_KIND_grant, EXECUTION_KEY(grant, m->id), NULL},
                             {RECORD_KIND_result, EXECUTION_KEY(result, m->id), NULL},
                             {RECORD_KIND_payload, EXECUTION_KEY(payload, m->id), NULL},
                             {RECORD_KIND_policy, EXECUTION_KEY(policy, m->id), NULL}};
  struct ff_error error;
  int64_t now;
  INVARIANT(store_fetch(o->session, &o->arena, gets, ARRAY_LEN(gets), NULL, 0, &now, &error) ==
            FF_OK);
  const struct grant *grant = gets[0].record;
  MUST(o, m, (grant != NULL) == (x && x->grant_expires_at), "grant record and mirror differ");
  MUST(o, m, !grant || grant->expires_at == x->grant_expires_at,
       "grant expires at %lld, mirror %lld", (long long)grant->expires_at,
       (long long)x->grant_expires_at);
  if (grant)
    snprintf(m->grant_worker, sizeof m->grant_worker, TEXT_FMT, TEXT_ARG(grant->worker_id));
  MUST(o, m, !grant || !m->ended, "a grant on an ended execution (L-195)");
  MUST(o, m, (gets[1].record != NULL) == (x && x->result_external),
       "result record and flag differ");
  MUST(o, m, (gets[2].record != NULL) == (x && execution_has_payload_record(x)),
       "payload record and flag differ");
  MUST(o, m, (gets[3].record != NULL) == (x && x->has_policy), "policy record and flag differ");
  *result = gets[1].record;
  return true;
}

/* The result of a completion says whose it is, and never changes afterwards. */
static bool result_fits(struct oracle *o, struct model *m, const struct execution *x,
                        const struct result *external) {
  struct ff_bytes bytes = x->result_external ? external->data : x->result;
  struct ff_id id;
  char owner[120], operators[120];
  MUST(o, m, !bytes.ptr || x->terminal_outcome == FF_terminal_outcome_success,
       "a result without success");
  if (!m->ended || x->terminal_outcome != FF_terminal_outcome_success) return true;
  uint64_t hash = bytes.ptr ? hash_fnv1a64(bytes.ptr, bytes.len) + 1 : 1;
  MUST(o, m, m->result_of != m->epoch || m->result_hash == hash, "its result has changed");
  m->result_of = m->epoch;
  m->result_hash = hash;
  if (!bytes.ptr || !bytes.len || *(const char *)bytes.ptr == '?') return true;
  exec_id_format(m->id, &id);
  int n = snprintf(owner, sizeof owner, "%s#%llu#", id.text, (unsigned long long)m->epoch);
  int k = snprintf(operators, sizeof operators, "%s#0#", id.text);
  MUST(o, m,
       (bytes.len >= (size_t)n && memcmp(bytes.ptr, owner, (size_t)n) == 0) ||
           (bytes.len >= (size_t)k && memcmp(bytes.ptr, operators, (size_t)k) == 0),
       "holds the result of another lease: %.60s", (const char *)bytes.ptr);
  return true;
}

static bool times_fit(struct oracle *o, struct model *m, const struct execution *x) {
  int64_t due_at;
  enum due_kind kind = execution_due(x, o->config, &due_at);
  int64_t expected = kind == DUE_NONE ? 0 : due_at < 1 ? 1 : due_at;
  MUST(o, m, x->next_due_at == expected, "next_due_at is %lld, derived %lld",
       (long long)x->next_due_at, (long long)expected);
  MUST(o, m, (x->completed_at != 0) == m->ended, "completed_at %lld, ended %d",
       (long long)x->completed_at, m->ended);
  MUST(o, m,
       x->last_transition_at <= x->last_mutation_at && x->last_mutation_at <= o->now &&
           x->last_mutation_at >= x->created_at,
       "times out of order");
  MUST(o, m, x->head.version >= m->seen.head.version, "version fell from %llu to %llu",
       (unsigned long long)m->seen.head.version, (unsigned long long)x->head.version);
  MUST(o, m, x->last_mutation_at >= m->seen.last_mutation_at, "last_mutation_at went back");
  return true;
}

static bool absent_fits(struct oracle *o, struct model *m) {
  const struct result *result;
  if (m->exists || m->created_at) { /* created_at: it came and went in one step */
    MUST(o, m, m->ended, "gone although it had not ended");
    MUST(o, m, o->trimmed || m->seen.purge_at <= o->now || m->seen.completed_at == 0,
         "purged at %lld, due at %lld", (long long)o->now, (long long)m->seen.purge_at);
    m->exists = false;
    if (!attachments_fit(o, m, NULL, &result) || !attempts_fit(o, m) || !waits_gone(o, m))
      return false;
    model_restart(m, 0);
  }
  return true;
}

/* 06 S-6: while a grant lives nobody but its worker gets the execution. Sure only when one
 * operation did it all. */
static bool grant_respected(struct oracle *o, struct model *m, const struct execution *x) {
  bool claimed = x->head.version == m->seen.head.version + 1 &&
                 x->current_lease_epoch == m->seen.current_lease_epoch + 1;
  if (!claimed || !m->exists || x->lease_acquired_at >= m->seen.grant_expires_at) return true;
  MUST(o, m, text_equal_c(x->worker_id, m->grant_worker), "granted to %s, claimed by " TEXT_FMT,
       m->grant_worker, TEXT_ARG(x->worker_id));
  return true;
}

bool model_check(struct oracle *o, struct model *m, const struct execution *x) {
  const struct result *result = NULL;
  if (!x) return absent_fits(o, m);
  if (m->regenerated && m->created_at && m->seen.head.version && m->ended &&
      x->head.version < m->seen.head.version)
    model_restart(m, x->created_at);
  if (!m->created_at) m->created_at = x->created_at;
  MUST(o, m, x->created_at == m->created_at, "created_at is %lld, the log says %lld",
       (long long)x->created_at, (long long)m->created_at);
  bool changed = !m->exists || x->head.version != m->seen.head.version;
  MUST(o, m, execution_vector_legal(x), "an illegal state vector");
  if (!grant_respected(o, m, x)) return false;
  m->exists = true;
  if (!counters_fit(o, m, x) || !lease_fits(o, m, x) || !attempt_fits(o, m, x) ||
      !times_fit(o, m, x))
    return false;
  if (changed && (!attachments_fit(o, m, x, &result) || !result_fits(o, m, x, result)))
    return false;
  if (m->rows_checked != m->attempts && !attempts_fit(o, m)) return false;
  if (!waits_fit(o, m, x)) return false;
  m->seen = *x;
  snprintf(m->lane, sizeof m->lane, TEXT_FMT, TEXT_ARG(x->lane_id));
  mix(o, x->head.version ^ (uint64_t)x->last_mutation_at << 20 ^ m->epoch << 50);
  return true;
}

/* ---- following the log ---- */

#define EVENTS_A_TIME 256

static bool read_events(struct oracle *o, const struct event ***all, uint32_t *count) {
  uint32_t capacity = 0;
  *all = NULL;
  *count = 0;
  for (;;) {
    const struct event **events;
    struct ff_bytes next;
    struct ff_error error;
    uint32_t n;
    bool dropped;
    struct ff_bytes cursor = {o->cursor, o->cursor_len};
    INVARIANT(store_read_log(o->session, &o->arena, cursor, EVENTS_A_TIME, &events, &n, &next,
                             &dropped, &error) == FF_OK);
    MUST(o, NULL, !dropped, "the log dropped events that were not read");
    memcpy(o->cursor, next.ptr, next.len);
    if (n == 0) return true;
    if (*count + n > capacity) {
      const struct event **wider = arena_alloc(&o->arena, 2 * (*count + n) * sizeof *wider);
      if (*count) memcpy(wider, *all, *count * sizeof *wider);
      capacity = 2 * (*count + n);
      *all = wider;
    }
    memcpy(*all + *count, events, n * sizeof **all);
    *count += n;
  }
}

static void fetch_dirty(struct oracle *o) {
  struct store_get *gets = ARENA_ARRAY(&o->arena, struct store_get, o->dirty_count + 1);
  struct execution *keys = ARENA_ARRAY(&o->arena, struct execution, o->dirty_count + 1);
  struct ff_error error;
  for (uint32_t i = 0; i < o->dirty_count; i++) {
    const struct model *m = &o->models[o->dirty[i]];
    keys[i] = (struct execution){.partition = m->id.partition, .id = m->id.uuid};
    gets[i] = (struct store_get){RECORD_KIND_execution, &keys[i], NULL};
  }
  INVARIANT(store_fetch(o->session, &o->arena, gets, o->dirty_count, NULL, 0, &o->now, &error) ==
            FF_OK);
  for (uint32_t i = 0; i < o->dirty_count; i++) {
    struct model *m = &o->models[o->dirty[i]];
    m->record = gets[i].record;
    m->regenerated =
        m->exists && m->record &&
        (m->record->created_at != m->created_at || m->record->head.version < m->seen.head.version);
  }
}

bool oracle_follow(struct oracle *o) {
  const struct event **events;
  uint32_t count;
  arena_reset(&o->arena);
  if (!read_events(o, &events, &count)) return false;
  for (uint32_t i = 0; i < count; i++)
    model_dirty(o, model_of(o, (struct exec_id){events[i]->partition, events[i]->execution_id}));
  if (!o->dirty_count) return true;
  fetch_dirty(o);
  o->events += count;
  bool ok = true;
  for (uint32_t i = 0; i < count && ok; i++) {
    mix(o, events[i]->event_id ^ (uint64_t)events[i]->at << 16 ^
               (uint64_t)events[i]->lease_event << 60);
    ok = model_event(
        o, model_of(o, (struct exec_id){events[i]->partition, events[i]->execution_id}), events[i]);
  }
  for (uint32_t i = 0; i < o->dirty_count; i++) {
    struct model *m = &o->models[o->dirty[i]];
    if (ok) ok = model_check(o, m, m->record);
    m->dirty = false;
    m->record = NULL;
  }
  o->dirty_count = 0;
  return ok;
}

/* ---- everything against a recount ---- */

struct entry {
  const struct execution *record;
  uint8_t *key;
  size_t len, prefix_len;
};

static int compare_entries(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  int c = memcmp(x->key, y->key, x->len < y->len ? x->len : y->len);
  return c ? c : (x->len > y->len) - (x->len < y->len);
}

static bool range_fits(struct oracle *o, enum index_id index, const struct execution *from,
                       const struct entry *entries, uint32_t count) {
  struct store_scan scan = {.index = index, .from = from, .limit = 100000};
  struct ff_error error;
  int64_t now;
  INVARIANT(store_fetch(o->session, &o->arena, NULL, 0, &scan, 1, &now, &error) == FF_OK);
  MUST(o, NULL, scan.count == count, "index %s of lane " TEXT_FMT " has %u entries, a recount %u",
       index_infos[index].name, TEXT_ARG(from->lane_id), scan.count, count);
  for (uint32_t i = 0; i < count; i++) {
    const struct execution *x = scan.records[i];
    MUST(o, NULL,
         exec_id_equal(execution_id_of(x), execution_id_of(entries[i].record)) &&
             x->head.version == entries[i].record->head.version,
         "index %s: entry %u differs from a recount", index_infos[index].name, i);
  }
  return true;
}

/* Members first, in index order; what does not match behind them, so that its prefix is asked for
 * too. */
static bool index_fits(struct oracle *o, enum index_id index, const void *const *records,
                       uint32_t count) {
  struct entry *all = ARENA_ARRAY(&o->arena, struct entry, count + 1);
  const struct index_info *info = &index_infos[index];
  for (uint32_t i = 0; i < count; i++) {
    size_t len = index_key_size(index, records[i], info->part_count);
    all[i] = (struct entry){.record = records[i], .key = arena_alloc(&o->arena, len), .len = len};
    index_key_encode(index, records[i], info->part_count, all[i].key);
    all[i].prefix_len = index_key_size(index, records[i], info->prefix_count);
  }
  qsort(all, count, sizeof *all, compare_entries);
  for (uint32_t i = 0; i < count;) {
    struct entry *members = ARENA_ARRAY(&o->arena, struct entry, count + 1);
    uint32_t member_count = 0, first = i;
    for (; i < count && all[i].prefix_len == all[first].prefix_len &&
           memcmp(all[i].key, all[first].key, all[first].prefix_len) == 0;
         i++)
      if (index_matches(index, all[i].record)) members[member_count++] = all[i];
    if (!range_fits(o, index, all[first].record, members, member_count)) return false;
  }
  return true;
}

static bool lane_fits(struct oracle *o, const struct execution *x) {
  struct lane lane = {.lane_id = x->lane_id};
  struct requirement_set set = {.lane_id = x->lane_id,
                                .required_capabilities = x->required_capabilities};
  struct store_get gets[] = {{RECORD_KIND_lane, &lane, NULL},
                             {RECORD_KIND_requirement_set, &set, NULL}};
  struct ff_error error;
  int64_t now;
  uint32_t count = x->required_capabilities.len ? 2 : 1;
  INVARIANT(store_fetch(o->session, &o->arena, gets, count, NULL, 0, &now, &error) == FF_OK);
  MUST(o, NULL, gets[0].record, "lane " TEXT_FMT " is not registered", TEXT_ARG(x->lane_id));
  MUST(o, NULL, count == 1 || gets[1].record, "requirement set " TEXT_FMT " is not registered",
       TEXT_ARG(x->required_capabilities));
  return true;
}

bool oracle_check_all(struct oracle *o) {
  static const enum index_id indexes[] = {INDEX_execution_eligible,      INDEX_execution_due,
                                          INDEX_execution_created,       INDEX_execution_by_lane,
                                          INDEX_execution_claim_request, INDEX_execution_by_id};
  struct execution from;
  struct ff_error error;
  uint32_t existing = 0;
  if (!oracle_follow(o)) return false;
  arena_reset(&o->arena);
  record_init(RECORD_KIND_execution, &from);
  struct store_scan scan = {.index = INDEX_execution_created, .from = &from, .limit = 100000};
  INVARIANT(store_fetch(o->session, &o->arena, NULL, 0, &scan, 1, &o->now, &error) == FF_OK);
  for (uint32_t i = 0; i < scan.count; i++) {
    const struct execution *x = scan.records[i];
    struct model *m = model_find(o, execution_id_of(x));
    MUST(o, NULL, m && m->exists, "the store has an execution that nobody created");
    m->seen.head.version = 0; /* look at what hangs on it again */
    m->judged_at = 0;
    m->rows_checked = UINT32_MAX;
    if (!model_check(o, m, x) || !lane_fits(o, x)) return false;
  }
  for (uint32_t i = 0; i < o->model_count; i++) existing += o->models[i].exists;
  MUST(o, NULL, existing == scan.count, "%u executions are stored, %u should be", scan.count,
       existing);
  for (size_t i = 0; i < ARRAY_LEN(indexes); i++)
    if (!index_fits(o, indexes[i], scan.records, scan.count)) return false;
  return flows_fit(o);
}

/* ---- what is left ---- */

struct oracle_left oracle_left(const struct oracle *o) {
  struct oracle_left left = {.next_due_at = INT64_MAX};
  for (uint32_t i = 0; i < o->model_count; i++) {
    const struct model *m = &o->models[i];
    if (!m->exists || m->ended) continue;
    left.alive++;
    left.held += m->seen.eligibility_state >= FF_eligibility_state_blocked_by_dependencies;
    left.lost += m->lease == LEASE_EXPIRED || m->lease == LEASE_REVOKED;
    if (m->seen.next_due_at && m->seen.next_due_at < left.next_due_at)
      left.next_due_at = m->seen.next_due_at;
  }
  return left;
}

const struct execution *oracle_alive(const struct oracle *o, uint32_t n) {
  for (uint32_t i = 0; i < o->model_count; i++)
    if (o->models[i].exists && !o->models[i].ended && n-- == 0) {
      struct model *m = (struct model *)(uintptr_t)&o->models[i];
      m->seen.lane_id = ff_text(m->lane);
      return &m->seen;
    }
  return NULL;
}
