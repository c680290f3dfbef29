/*
 * Opening and closing an engine, entering and leaving calls, hand-driven steps.
 *
 * Owns the lists and the log. The work is in batch.c, call.c, read.c, wait.c, scan.c and service.c.
 */
#include "engine/impl.h"
#include "store/calls.h"
#include "store/mark.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- small things ---- */

int64_t engine_now(const struct engine *e) {
  return e->options.manual ? e->step_now : clock_monotonic_us() / 1000;
}

void engine_log(const struct engine *e, enum ff_log_level level, const char *format, ...) {
  char message[512];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  if (e->options.open.log)
    e->options.open.log(e->options.open.log_user, level, message);
  else if (level <= FF_LOG_WARN)
    fprintf(stderr, "flowfabric: %s: %s\n", level == FF_LOG_ERROR ? "error" : "warning", message);
}

void list_push(struct call_list *list, struct call *call) {
  call->next = NULL;
  call->previous = list->last;
  if (list->last)
    list->last->next = call;
  else
    list->first = call;
  list->last = call;
  list->count++;
}

void list_push_first(struct call_list *list, struct call *call) {
  call->previous = NULL;
  call->next = list->first;
  if (list->first)
    list->first->previous = call;
  else
    list->last = call;
  list->first = call;
  list->count++;
}

void list_remove(struct call_list *list, struct call *call) {
  if (call->previous)
    call->previous->next = call->next;
  else
    list->first = call->next;
  if (call->next)
    call->next->previous = call->previous;
  else
    list->last = call->previous;
  call->next = call->previous = NULL;
  list->count--;
}

const struct op_config *engine_config(const struct engine *e) { return &e->config; }
const struct store_traits *engine_traits(const struct engine *e) { return &e->store->traits; }
struct store *engine_store(struct engine *e) { return e->store; }

/* ---- opening ---- */

/* 01 PT-3, PT-4: how many partitions each family has. */
struct partition_count {
  const char *setting, *variable;
  size_t offset; /* in op_config */
  uint32_t usual;
};
static const struct partition_count partition_counts[] = {
    {"num_flow_partitions", "FF_FLOW_PARTITIONS", offsetof(struct op_config, flow_partitions), 256},
    {"num_budget_partitions", "FF_BUDGET_PARTITIONS", offsetof(struct op_config, budget_partitions),
     32},
    {"num_quota_partitions", "FF_QUOTA_PARTITIONS", offsetof(struct op_config, quota_partitions),
     32}};

static uint32_t *count_of(struct engine *e, const struct partition_count *c) {
  return (uint32_t *)(void *)((uint8_t *)&e->config + c->offset);
}

static enum ff_rc environment_number(const char *name, int64_t min, int64_t max, int64_t *value,
                                     struct ff_error *error) {
  const char *text = getenv(name);
  int64_t parsed;
  if (!text || !*text) return FF_OK;
  if (!parse_i64(ff_text(text), &parsed) || parsed < min || parsed > max)
    return error_field(error, FF_CODE_config, name, "must be %lld..%lld, got \"%.64s\"",
                       (long long)min, (long long)max, text);
  *value = parsed;
  return FF_OK;
}

static enum ff_rc reclaim_delay(const struct ff_open_options *o, int64_t *delay,
                                struct ff_error *error) {
  const char *text = getenv("FF_AUTO_RECLAIM_DELAY_MS");
  *delay = 5000;
  if (o->auto_reclaim_delay_ms == -1) {
    *delay = INT64_MAX;
  } else if (o->auto_reclaim_delay_ms < 0) {
    return error_field(error, FF_CODE_config, "auto_reclaim_delay_ms", "must be at least -1");
  } else if (o->auto_reclaim_delay_ms > 0) {
    *delay = o->auto_reclaim_delay_ms == 1 ? 0 : o->auto_reclaim_delay_ms;
  } else if (text && strcmp(text, "off") == 0) {
    *delay = INT64_MAX;
  } else {
    return environment_number("FF_AUTO_RECLAIM_DELAY_MS", 0, INT64_MAX / 2, delay, error);
  }
  return FF_OK;
}

static enum ff_rc renewed_events(bool *on, struct ff_error *error) {
  const char *text = getenv("FF_LEASE_RENEWED_EVENTS");
  *on = true;
  if (!text || !*text || strcmp(text, "on") == 0) return FF_OK;
  if (strcmp(text, "off") != 0)
    return error_field(error, FF_CODE_config, "FF_LEASE_RENEWED_EVENTS",
                       "must be on or off, got \"%.64s\"", text);
  *on = false;
  return FF_OK;
}

/* A partition count stays 0 when nobody asks for one. */
static enum ff_rc config_make(struct engine *e, struct ff_error *error) {
  struct ff_open_options *o = &e->options.open;
  int64_t partitions = o->flow_partitions, events = 86400000;
  if (!o->flow_partitions)
    TRY(environment_number(partition_counts[0].variable, 1, 65535, &partitions, error));
  if (partitions > 65535)
    return error_field(error, FF_CODE_config, "flow_partitions", "must be 1..65535, got %lld",
                       (long long)partitions);
  int64_t counts[ARRAY_LEN(partition_counts)] = {partitions};
  for (size_t i = 1; i < ARRAY_LEN(partition_counts); i++)
    TRY(environment_number(partition_counts[i].variable, 1, 65535, &counts[i], error));
  TRY(environment_number("FF_OUTBOX_RETENTION_MS", 0, INT64_MAX / 2, &events, error));
  if (o->inbox_limit == 0) o->inbox_limit = 65536;
  if (o->batch_limit == 0) o->batch_limit = 1024;
  if (o->async_limit == 0) o->async_limit = 65536;
  if (o->async_bytes_limit == 0) o->async_bytes_limit = 256u << 20;
  if (o->event_retention_ms == 0) o->event_retention_ms = events;
  if (o->event_retention_ms < 0)
    return error_field(error, FF_CODE_config, "event_retention_ms", "must not be negative");
  if (o->retention_ms < 0)
    return error_field(error, FF_CODE_config, "retention_ms", "must not be negative");
  e->config = (struct op_config){.backend = e->store->traits.backend,
                                 .flow_partitions = (uint32_t)counts[0],
                                 .budget_partitions = (uint32_t)counts[1],
                                 .quota_partitions = (uint32_t)counts[2],
                                 .inline_bytes = 256,
                                 .retention_ms = o->retention_ms ? o->retention_ms : 86400000};
  e->config.max_input_payload_bytes = o->max_payload_bytes ? o->max_payload_bytes : 16u << 20;
  e->config.max_result_payload_bytes = e->config.max_input_payload_bytes;
  if (o->cascade_steps == 0) o->cascade_steps = 256;
  if (o->cascade_steps < 16 || o->cascade_steps > 4096)
    return error_field(error, FF_CODE_config, "cascade_steps", "must be 16..4096, got %u",
                       o->cascade_steps);
  e->config.cascade_steps = o->cascade_steps;
  TRY(gate_configure(e, error));
  TRY(reclaim_delay(o, &e->config.auto_reclaim_delay_ms, error));
  return renewed_events(&e->config.lease_renewed_events, error);
}

static enum ff_rc stored_partitions(struct engine *e, struct arena *arena, const char *setting,
                                    uint64_t *count, struct ff_error *error) {
  struct setting key = {.name = ff_text(setting)};
  struct store_get get = {RECORD_KIND_setting, &key, NULL};
  struct store_session *session;
  int64_t now;
  *count = 0;
  TRY(reader_take(e, &session, error));
  enum ff_rc rc = store_fetch(session, arena, &get, 1, NULL, 0, &now, error);
  reader_give(e, session);
  if (rc == FF_OK && get.unreadable) {
    if (error) *error = *get.unreadable;
    rc = get.unreadable->rc;
  }
  if (rc != FF_OK || !get.record) return rc;
  struct ff_str value = ((const struct setting *)get.record)->value;
  if (parse_u64(value, count) && *count >= 1 && *count <= 65535) return FF_OK;
  return error_field(error, FF_CODE_corruption, "value", "setting: value: no partition count");
}

/* Who asks for no count gets the stored one. A reader has nothing to store and compares here. */
static enum ff_rc settle_count(struct engine *e, const struct partition_count *c, bool reads_only,
                               struct ff_error *error) {
  struct arena arena;
  uint64_t stored;
  arena_init(&arena);
  enum ff_rc rc = stored_partitions(e, &arena, c->setting, &stored, error);
  arena_fini(&arena);
  if (rc != FF_OK) return rc;
  uint32_t *wanted = count_of(e, c);
  if (reads_only && *wanted && stored && *wanted != stored)
    return error_set(error, FF_CODE_corruption, "partition_mismatch: %s: stored=%u, config=%u",
                     c->setting, (unsigned)stored, *wanted);
  if (!*wanted) *wanted = stored ? (uint32_t)stored : c->usual;
  return FF_OK;
}

static enum ff_rc settle_partitions(struct engine *e, bool reads_only, struct ff_error *error) {
  for (size_t i = 0; i < ARRAY_LEN(partition_counts); i++)
    TRY(settle_count(e, &partition_counts[i], reads_only, error));
  return FF_OK;
}

/* Stored at first boot, compared at every boot. */
static enum ff_rc check_deployment(struct engine *e, struct ff_error *error) {
  char values[ARRAY_LEN(partition_counts)][16];
  struct check_setting_args args[ARRAY_LEN(partition_counts)];
  struct call call = {.op = OP_prepare};
  arena_init(&call.arena);
  call_reserve(&call, ARRAY_LEN(partition_counts));
  for (size_t i = 0; i < ARRAY_LEN(partition_counts); i++) {
    const struct partition_count *c = &partition_counts[i];
    snprintf(values[i], sizeof values[i], "%u", *count_of(e, c));
    args[i] = (struct check_setting_args){sizeof args[i], ff_text(c->setting), ff_text(values[i])};
    call_request(e, &call, OP_check_setting, &args[i]);
  }
  enum ff_rc rc = internal_run(e, &call, error);
  for (size_t i = 0; i < ARRAY_LEN(partition_counts) && rc == FF_OK; i++) {
    const struct request *r = &call.requests[i];
    if (r->rc != FF_OK && error) *error = r->error;
    rc = r->rc;
  }
  arena_fini(&call.arena);
  return rc;
}

/* A store that is being moved, has moved or is not whole yet takes no engine. Looked at behind the
 * opening of the writer sessions: a move that begins later finds them. */
static enum ff_rc check_marks(struct engine *e, struct ff_error *error) {
  struct store_session *session;
  TRY(reader_take(e, &session, error));
  enum ff_rc rc = mark_check(session, error);
  reader_give(e, session);
  return rc;
}

static void hinted(void *user, const struct store_hint *hint) {
  struct engine *e = user;
  (void)hint;
  /* Only calls that wait care; everything due is found by its time. */
  bool waiting = e->parked_claims.count || e->watch_count;
  if (!atomic_exchange(&e->hinted, true) && waiting && e->service_started)
    park_wake(&e->service_park, WAKE_LEAD);
}

bool engine_url_says(struct ff_str url, const char *parameter) {
  const char *query = url.len ? memchr(url.ptr, '?', url.len) : NULL;
  while (query) {
    struct ff_str rest = text_of(query + 1, url.len - (size_t)(query + 1 - url.ptr));
    const char *end = rest.len ? memchr(rest.ptr, '&', rest.len) : NULL;
    if (text_equal_c(text_of(rest.ptr, end ? (size_t)(end - rest.ptr) : rest.len), parameter))
      return true;
    query = end;
  }
  return false;
}

/* A manual engine has one seat: what it does must not depend on which is free. */
static enum ff_rc seats_open(struct engine *e, struct ff_error *error) {
  uint32_t wanted = e->options.manual ? 1 : e->store->traits.writers;
  for (uint32_t i = 0; i < wanted && i < SEATS_MAX; i++) {
    TRY(e->store->vtable->session_open(e->store, STORE_WRITER, &e->seats[i].writer, error));
    e->seat_count++;
    e->free_seats |= 1u << i;
  }
  return FF_OK;
}

static void warn(void *user, const char *text) {
  engine_log(user, FF_LOG_WARN, "%s", text);
}

static enum ff_rc engine_boot(struct engine *e, struct ff_str url, struct ff_error *error) {
  bool applied, reads_only = engine_url_says(url, "mode=ro");
  struct store_options so = {.clock_ms = e->options.open.clock_ms,
                             .clock_user = e->options.open.clock_user,
                             .faults = e->options.faults,
                             .dev_mode = e->options.open.dev_mode,
                             .warn = warn,
                             .warn_user = e};
  TRY(store_open(url, &so, &e->store, error));
  TRY(config_make(e, error));
  TRY(e->store->vtable->migrate(e->store, &applied, error));
  TRY(settle_partitions(e, reads_only, error));
  if (reads_only) {
    TRY(check_marks(e, error));
    e->options.open.no_scanners = true;
    return e->options.manual ? FF_OK : service_start(e, error);
  }
  TRY(seats_open(e, error));
  TRY(check_marks(e, error));
  TRY(check_deployment(e, error));
  TRY(secret_seed(e, error));
  TRY(lanes_seed(e, error));
  TRY(e->store->vtable->listen(e->store, hinted, e, error));
  e->listening = true;
  /* Whatever fell due while nobody looked is found by the first cycle. */
  atomic_store(&e->next_due, 0);
  atomic_store(&e->next_unblock, 0);
  atomic_store(&e->flow_work, !e->options.open.no_scanners);
  atomic_store(&e->next_cancel, 0);
  e->next_sweep = store_now(e) + 60000;
  return e->options.manual ? FF_OK : service_start(e, error);
}

enum ff_rc engine_open(struct ff_str url, const struct engine_options *options, struct engine **out,
                       struct ff_error *error) {
  struct engine *e = heap_zalloc(sizeof *e);
  e->options = *options;
  pthread_mutex_init(&e->lock, NULL);
  pthread_mutex_init(&e->lane_lock, NULL);
  pthread_mutex_init(&e->reader_lock, NULL);
  pthread_cond_init(&e->reader_free, NULL);
  pthread_mutex_init(&e->inbox_lock, NULL);
  for (uint32_t i = 0; i < SEATS_MAX; i++) {
    e->seats[i].engine = e;
    arena_init(&e->seats[i].arena);
  }
  e->seed = options->open.seed ? options->open.seed : random_u64();
  atomic_store(&e->next_due, INT64_MAX);
  enum ff_rc rc = engine_boot(e, url, error);
  *out = rc == FF_OK ? e : NULL;
  if (rc != FF_OK) engine_close(e);
  return rc;
}

/* ---- closing ---- */

static void answer_parked(struct engine *e) {
  parked_wake_all(e);
  watches_look_again(e);
}

/* Calls or threads inside, or a seat taken by the service thread. */
static bool busy(const struct engine *e) {
  return e->under_way || e->free_seats != (1u << e->seat_count) - 1;
}

bool engine_quiesce(struct engine *e, int64_t grace_ms) {
  int64_t until = clock_monotonic_us() / 1000 + grace_ms;
  struct park pause = {0};
  pthread_mutex_lock(&e->lock);
  e->closing = true;
  answer_parked(e);
  /* Who leads may have been answered already and still be at work. */
  while (busy(e) && clock_monotonic_us() / 1000 < until) {
    pthread_mutex_unlock(&e->lock);
    if (e->service_started) park_wake(&e->service_park, WAKE_LEAD);
    (void)park_wait(&pause, 1000);
    pthread_mutex_lock(&e->lock);
    answer_parked(e);
  }
  bool done = !busy(e);
  pthread_mutex_unlock(&e->lock);
  return done;
}

/* Of a manual engine, which may be dropped in the middle like a process that dies: nothing is
 * applied, nobody is answered. */
static void drop_calls(struct call_list *list) {
  while (list->first) {
    struct call *c = list->first;
    list_remove(list, c);
    call_drop_kept(c);
    call_free_async(c);
  }
}

void engine_close(struct engine *e) {
  if (!e) return;
  if (e->service_started) (void)engine_quiesce(e, INT64_MAX / 4096);
  service_stop(e);
  if (e->store) {
    if (e->listening) e->store->vtable->unlisten(e->store, e);
    for (uint32_t i = 0; i < e->reader_idle; i++) e->store->vtable->session_close(e->readers[i]);
    for (uint32_t i = 0; i < e->seat_count; i++)
      e->store->vtable->session_close(e->seats[i].writer);
    store_close(e->store);
  }
  struct call_list *lists[] = {&e->deferred,          &e->inbox,         &e->seats[0].calls,
                               &e->seats[0].watchers, &e->parked_claims, &e->answered};
  inbox_settle(e);
  for (size_t i = 0; i < ARRAY_LEN(lists); i++) drop_calls(lists[i]);
  watches_drop(e, drop_calls);
  lanes_fini(e);
  for (uint32_t i = 0; i < SEATS_MAX; i++) arena_fini(&e->seats[i].arena);
  pthread_mutex_destroy(&e->inbox_lock);
  pthread_mutex_destroy(&e->lock);
  pthread_mutex_destroy(&e->lane_lock);
  pthread_mutex_destroy(&e->reader_lock);
  pthread_cond_destroy(&e->reader_free);
  free(e);
}

/* ---- calls ---- */

static enum ff_rc writable(const struct engine *e, struct ff_error *error) {
  if (e->seat_count) return FF_OK;
  return error_set(error, FF_CODE_store_read_only, "the store was opened with mode=ro");
}

/* Counted before it looks, and closing is said before it is counted: one of the two sees the
 * other. */
static enum ff_rc enter(struct engine *e, struct ff_error *error) {
  e->under_way++;
  if (!e->closing) return FF_OK;
  e->under_way--;
  return error_set(error, FF_CODE_unavailable, "the engine is closing");
}

static void leave(struct engine *e) { e->under_way--; }

static enum ff_rc run_direct(struct engine *e, enum op_id op, const void *args, void *result,
                             struct ff_error *error) {
  TRY(enter(e, error));
  enum ff_rc rc;
  if (op_infos[op].how == OP_HOW_READER)
    rc = read_call(e, op, args, result, error);
  else
    rc = composites[op].direct(e, args, result, error);
  leave(e);
  return rc;
}

static enum ff_rc run_wait(struct engine *e, enum op_id op, const void *args, void *result,
                           struct ff_error *error) {
  struct call call = {.op = op, .args = args, .out = result, .blocking = true};
  TRY(enter(e, error));
  enum ff_rc rc = wait_blocking(e, &call, error);
  subscribe_end(&call);
  leave(e);
  return rc;
}

static enum ff_rc run_queued(struct engine *e, enum op_id op, const void *args, void *result,
                             struct ff_error *error) {
  struct call call = {.op = op, .args = args, .out = result, .blocking = true};
  TRY(writable(e, error));
  arena_init(&call.arena);
  call.error.retry_after_ms = -1;
  enum ff_rc rc = call_prepare(e, &call, error);
  if (rc == FF_OK && call.request_count) {
    struct ff_error taken = {.retry_after_ms = -1};
    rc = executor_run(e, &call, &taken);
    if (rc != FF_OK && error) *error = call.error.rc != FF_OK ? call.error : taken;
  }
  arena_fini(&call.arena);
  return rc;
}

static bool runs_direct(enum op_id op) {
  return op_infos[op].how == OP_HOW_READER || composites[op].direct;
}

enum ff_rc engine_call(struct engine *e, enum op_id op, const void *args, void *result,
                       struct ff_error *error) {
  memset(result, 0, op_infos[op].result_size);
  TRY(gate_enter(e, op, error));
  enum ff_rc rc = op_watches(op)    ? run_wait(e, op, args, result, error)
                  : runs_direct(op) ? run_direct(e, op, args, result, error)
                                    : run_queued(e, op, args, result, error);
  gate_leave(e, op);
  if (rc != FF_OK) {
    values_free(*(struct ff_memory **)result);
    memset(result, 0, op_infos[op].result_size);
  }
  return rc;
}

/* ---- async calls ---- */

/* An empty engine takes any call: a larger one than the limit would be refused for ever. */
static enum ff_rc enter_async(struct engine *e, struct call *c, struct ff_error *error) {
  const struct ff_open_options *o = &e->options.open;
  uint32_t calls = e->async_calls++;
  uint64_t bytes = atomic_fetch_add(&e->async_bytes, c->async_bytes);
  bool few = calls < o->async_limit;
  bool small = !bytes || bytes + c->async_bytes <= o->async_bytes_limit;
  if (few && small) return FF_OK;
  (void)error_set(error, FF_CODE_resource_exhausted,
                  few ? "the arguments of asynchronous calls occupy %llu bytes already"
                      : "%llu asynchronous calls wait for their end already",
                  (unsigned long long)(few ? bytes : calls));
  error_context(error, "pool", few ? "async_bytes" : "async");
  error_context(error, "max", "%llu",
                (unsigned long long)(few ? o->async_bytes_limit : o->async_limit));
  return FF_RESOURCE_EXHAUSTED;
}

void call_leave_async(struct engine *e, const struct call *c) {
  e->async_calls--;
  e->async_bytes -= c->async_bytes;
}

void call_free_async(struct call *c) {
  subscribe_end(c);
  values_free(*(struct ff_memory **)c->out);
  values_free(c->args_memory);
  arena_fini(&c->arena);
  free(c->out);
  free((void *)(uintptr_t)c->args);
  free(c);
}

void call_defer(struct engine *e, struct call *c) {
  pthread_mutex_lock(&e->lock);
  list_push(&e->deferred, c);
  pthread_mutex_unlock(&e->lock);
  if (e->service_started) park_wake(&e->service_park, WAKE_LEAD);
}

static void deferred_wait(struct engine *e, struct call *c) {
  bool over = false;
  pthread_mutex_lock(&e->lock);
  bool closing = e->closing;
  if (!closing) watch_park(e, c);
  pthread_mutex_unlock(&e->lock);
  c->rc = wait_look(e, c, &over, &c->error);
  pthread_mutex_lock(&e->lock);
  bool more = c->rc == FF_OK && !over && c->look_again;
  bool answer = !more && (c->rc != FF_OK || over || c->deadline <= engine_now(e));
  bool again = more && !closing && c->state == CALL_PARKED;
  if (!closing && c->state == CALL_PARKED && (answer || again)) watch_leave(e, c);
  else answer = closing;
  if (again) list_push(&e->deferred, c);
  else if (answer) call_answered(e, c);
  pthread_mutex_unlock(&e->lock);
}

void call_run_deferred(struct engine *e, struct call *c) {
  if (op_watches(c->op)) {
    deferred_wait(e, c);
    return;
  }
  if (op_infos[c->op].how == OP_HOW_READER)
    c->rc = read_call(e, c->op, c->args, c->out, &c->error);
  else
    c->rc = composites[c->op].direct(e, c->args, c->out, &c->error);
  pthread_mutex_lock(&e->lock);
  call_answered(e, c);
  pthread_mutex_unlock(&e->lock);
}

static struct call *call_new_async(enum op_id op, const void *args, engine_done_fn *done,
                                   void *user) {
  const struct op_info *info = &op_infos[op];
  struct call *c = heap_zalloc(sizeof *c);
  void *copy = heap_zalloc(info->args_size);
  memcpy(copy, args, info->args_size);
  values_deep_copy(info->args, args, copy, &c->args_memory);
  c->async_bytes = info->args_size + values_dynamic_size(info->args, args);
  c->op = op;
  c->args = copy;
  c->out = heap_zalloc(info->result_size);
  c->done = done;
  c->user = user;
  c->error.retry_after_ms = -1;
  arena_init(&c->arena);
  return c;
}

static enum ff_rc submit_async(struct engine *e, struct call *c, struct ff_error *error) {
  if (op_watches(c->op)) TRY(wait_arguments(e, c, error));
  if (op_watches(c->op) || runs_direct(c->op)) {
    TRY(enter(e, error));
    call_defer(e, c);
    return FF_OK;
  }
  TRY(writable(e, error));
  TRY(call_prepare(e, c, error));
  if (c->request_count) return executor_submit(e, c, error);
  TRY(enter(e, error));
  pthread_mutex_lock(&e->lock);
  call_answered(e, c);
  pthread_mutex_unlock(&e->lock);
  return FF_OK;
}

enum ff_rc engine_call_async(struct engine *e, enum op_id op, const void *args,
                             engine_done_fn *done, void *user, struct ff_error *error) {
  TRY(gate_enter(e, op, error));
  struct call *c = call_new_async(op, args, done, user);
  enum ff_rc rc = enter_async(e, c, error);
  if (rc == FF_OK) rc = submit_async(e, c, error);
  if (rc == FF_OK) return rc;
  call_leave_async(e, c);
  gate_leave(e, op);
  call_free_async(c);
  return rc;
}

/* ---- hand-driven ---- */

bool engine_step(struct engine *e, int64_t now) {
  uint32_t errors = 0;
  INVARIANT(e->options.manual);
  e->step_now = now;
  if (e->seats[0].phase == BATCH_LOADED) {
    batch_end(&e->seats[0]);
    wake_answered(&e->seats[0]);
    return true;
  }
  if (service_answer(e)) return true;
  if (e->seat_count && batch_begin(&e->seats[0])) return true;
  uint32_t parked = e->parked_claims.count + e->watch_count;
  parked_expire(e, now);
  if (e->parked_claims.count + e->watch_count != parked) return true;
  if (atomic_exchange(&e->hinted, false) && e->parked_claims.count + e->watch_count) {
    parked_poll(e);
    watches_look_again(e);
    return true;
  }
  if (e->options.open.no_scanners)
    return atomic_load(&e->flow_work) && scan_flow_work(e, store_now(e), &errors) > 0;
  if (scan_next(e) <= now && scan_due(e, now, &errors)) return true;
  if (atomic_load(&e->next_cancel) <= now &&
      (scan_cancels(e, now, &errors) || atomic_load(&e->next_cancel) <= now))
    return true;
  return atomic_load(&e->next_unblock) <= now && scan_unblock(e, now, &errors) > 0;
}
