/*
 * What `ff run` asks of the store before its workers start: submit every line, and go on from an earlier run.
 *
 * A line already submitted answers duplicate. What an earlier run left is read once, lane by lane: ended lines are
 * counted, leases of the dead runner are taken away and their lines made claimable at once, lines no longer in the
 * file are put on hold so that nobody runs them by accident.
 */
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_ITEMS = 1000, CHUNK_BYTES = 6 * 1024 * 1024, HELPERS = 16, TIMEOUT_SLACK_MS = 15000 };

static const char hold_detail[] = "its line is no longer in the job file";

/* ---- submitting ---- */

/* The engine's own timer is a backstop: it must not be due before the lease of a dead runner is, or an interrupted
 * line would count as timed out. The runner itself ends a command in time. */
static void write_policy(FILE *out, const struct run *run, const struct run_job *job) {
  fprintf(out,
          "{\"retry_policy\":{\"max_retries\":%" PRId32 ",\"backoff\":{\"type\":\"exponential\","
          "\"initial_delay_ms\":1000,\"max_delay_ms\":60000,\"multiplier\":2.0}},"
          "\"dedup_window_ms\":%lld,"
          "\"stream_policy\":{\"retention_ttl_ms\":%lld,\"retention_maxlen\":%d},"
          "\"auto_reclaim_delay_ms\":0,\"max_reclaim_count\":1000000,\"max_replay_count\":1000000",
          job->retries >= 0 ? job->retries : run->retries, RUN_KEEP_MS, RUN_KEEP_MS,
          RUN_FRAMES_KEPT);
  if (job->timeout_ms)
    fprintf(out, ",\"timeout_policy\":{\"attempt_timeout_ms\":%" PRId64 "}",
            job->timeout_ms + run->lease_ms + RUN_GRACE_MS + TIMEOUT_SLACK_MS);
  if (job->capabilities.count) {
    fputs(",\"routing_requirements\":{\"required_capabilities\":[", out);
    for (size_t i = 0; i < job->capabilities.count; i++) {
      if (i) fputc(',', out);
      cli_json_text(out, job->capabilities.items[i].ptr, job->capabilities.items[i].len);
    }
    fputs("]}", out);
  }
  fputc('}', out);
}

static struct ff_str make_policy(const struct run *run, const struct run_job *job,
                                 struct cli_arena *arena) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out) return (struct ff_str){0};
  write_policy(out, run, job);
  fclose(out);
  char *copy = cli_arena_alloc(arena, size + 1);
  memcpy(copy, text, size);
  free(text);
  return (struct ff_str){copy, size};
}

/* Texts of one chunk; `policy` is shared by the lines that have nothing of their own. */
struct chunk {
  struct ff_create_execution_args *items;
  struct ff_pair *tags;
  size_t count, bytes, first; /* first: index of the line of items[0] */
  struct cli_arena arena;
  struct ff_str policy;
};

static void add_item(struct run *run, struct chunk *chunk, const struct run_job *job) {
  struct ff_create_execution_args *item = &chunk->items[chunk->count];
  char *key = cli_arena_alloc(&chunk->arena, 257), *number = cli_arena_alloc(&chunk->arena, 16);
  bool plain = job->retries < 0 && !job->timeout_ms && !job->capabilities.count;
  if (!chunk->policy.ptr)
    chunk->policy = make_policy(run, &(struct run_job){.retries = -1}, &chunk->arena);
  run_file_key(&run->file, job, key);
  snprintf(number, 16, "%" PRIu32, job->line);
  chunk->tags[chunk->count] = (struct ff_pair){ff_text("run.line"), ff_text(number)};
  *item = (struct ff_create_execution_args)FF_ARGS(create_execution);
  item->namespace_ = ff_text(run->cli->namespace_);
  item->lane_id = ff_text(run->file.lanes[job->lane]);
  item->execution_kind = ff_text("ff-run");
  item->input_payload = (struct ff_bytes){job->command.ptr, job->command.len};
  item->payload_encoding = ff_text("shell");
  item->priority = job->priority;
  item->creator_identity = ff_text("ff-run");
  item->idempotency_key = ff_text(key);
  item->tags = (struct ff_pairs){&chunk->tags[chunk->count], 1};
  item->policy = plain ? chunk->policy : make_policy(run, job, &chunk->arena);
  chunk->bytes += job->command.len + item->policy.len + 512;
  chunk->count++;
}

static void remember_id(struct run *run, uint32_t index) {
  const char *id = run->lines[index].id.text;
  size_t at = run_hash(id, strlen(id)) & (run->ids_size - 1);
  while (run->ids[at]) at = (at + 1) & (run->ids_size - 1);
  run->ids[at] = index + 1;
}

struct run_line *run_find(struct run *run, const char *execution_id) {
  size_t at = run_hash(execution_id, strlen(execution_id)) & (run->ids_size - 1);
  for (; run->ids[at]; at = (at + 1) & (run->ids_size - 1)) {
    struct run_line *line = &run->lines[run->ids[at] - 1];
    if (strcmp(line->id.text, execution_id) == 0) return line;
  }
  return NULL;
}

static int take_slots(struct run *run, const struct chunk *chunk,
                      const struct ff_create_slots *slots) {
  for (size_t i = 0; i < chunk->count && i < slots->count; i++) {
    const struct ff_create_slot *slot = &slots->items[i];
    struct run_line *line = &run->lines[chunk->first + i];
    if (slot->error.rc != FF_OK) {
      char where[PATH_MAX + 32];
      snprintf(where, sizeof(where), "%s:%" PRIu32, run->file.name, line->job->line);
      return cli_fail_about(run->cli, where, &slot->error);
    }
    line->id = slot->execution_id;
    line->duplicate = slot->outcome == FF_outcome_duplicate;
    remember_id(run, (uint32_t)(chunk->first + i));
  }
  return CLI_OK;
}

static int submit_chunk(struct run *run, struct chunk *chunk) {
  struct ff_create_executions_args args = FF_ARGS(create_executions);
  struct ff_create_executions_result result;
  struct ff_error error = {0};
  args.items = (struct ff_create_list){chunk->items, chunk->count};
  if (ff_create_executions(run->cli->engine, &args, &result, &error) != FF_OK)
    return cli_fail(run->cli, &error);
  int code = take_slots(run, chunk, &result.slots);
  ff_clear(&result);
  cli_arena_fini(&chunk->arena);
  chunk->policy = (struct ff_str){0};
  chunk->first += chunk->count;
  chunk->count = chunk->bytes = 0;
  return code;
}

/* The store's clock before the first line is submitted: what is older belongs to an earlier run. */
static int read_clock(struct run *run) {
  struct ff_server_time_ms_args args = FF_ARGS(server_time_ms);
  struct ff_server_time_ms_result result;
  struct ff_error error = {0};
  if (ff_server_time_ms(run->cli->engine, &args, &result, &error) != FF_OK)
    return cli_fail(run->cli, &error);
  run->since_ms = result.now_ms;
  ff_clear(&result);
  return CLI_OK;
}

int run_submit(struct run *run) {
  struct chunk chunk = {0};
  int code = read_clock(run);
  chunk.items = cli_alloc(CHUNK_ITEMS * sizeof(*chunk.items));
  chunk.tags = cli_alloc(CHUNK_ITEMS * sizeof(*chunk.tags));
  for (size_t i = 0; i < run->file.job_count && code == CLI_OK && !atomic_load(&run->stopping);
       i++) {
    const struct run_job *job = &run->file.jobs[i];
    bool full = chunk.count == CHUNK_ITEMS || chunk.bytes + job->command.len > CHUNK_BYTES;
    if (full && chunk.count) {
      code = submit_chunk(run, &chunk);
      run_poll_signals(run);
    }
    if (code == CLI_OK) add_item(run, &chunk, job);
  }
  if (code == CLI_OK && chunk.count) code = submit_chunk(run, &chunk);
  cli_arena_fini(&chunk.arena);
  free(chunk.items);
  free(chunk.tags);
  return code;
}

/* ---- going on ---- */

enum action { REVOKE, RECLAIM, RELEASE, REPLAY, HOLD };
struct todo {
  struct ff_id id;
  enum action action;
};
struct todos {
  struct run *run;
  struct todo *items;
  size_t count, capacity;
  atomic_size_t next;
};

static void add_todo(struct todos *todos, const struct ff_id *id, enum action action) {
  if (todos->count == todos->capacity) {
    todos->capacity = todos->capacity ? todos->capacity * 2 : 64;
    todos->items = cli_grow(todos->items, todos->capacity * sizeof(*todos->items));
  }
  todos->items[todos->count++] = (struct todo){*id, action};
}

static enum ff_rc do_revoke(struct ff_engine *engine, struct ff_str id, struct ff_error *error) {
  struct ff_revoke_lease_args args = FF_ARGS(revoke_lease);
  struct ff_revoke_lease_result result;
  args.execution_id = id;
  args.reason = ff_text("the ff run that held it is gone");
  enum ff_rc rc = ff_revoke_lease(engine, &args, &result, error);
  if (rc == FF_OK) ff_clear(&result);
  return rc;
}

static enum ff_rc do_reclaim(struct ff_engine *engine, struct ff_str id, struct ff_error *error) {
  struct ff_auto_reclaim_args args = FF_ARGS(auto_reclaim);
  struct ff_auto_reclaim_result result;
  args.execution_id = id;
  enum ff_rc rc = ff_auto_reclaim(engine, &args, &result, error);
  if (rc == FF_OK) ff_clear(&result);
  return rc;
}

static enum ff_rc do_release(struct ff_engine *engine, struct ff_str id, struct ff_error *error) {
  struct ff_release_hold_args args = FF_ARGS(release_hold);
  struct ff_release_hold_result result;
  args.execution_id = id;
  enum ff_rc rc = ff_release_hold(engine, &args, &result, error);
  if (rc == FF_OK) ff_clear(&result);
  return rc;
}

static enum ff_rc do_replay(struct ff_engine *engine, struct ff_str id, struct ff_error *error) {
  struct ff_replay_execution_args args = FF_ARGS(replay_execution);
  struct ff_replay_execution_result result;
  args.execution_id = id;
  enum ff_rc rc = ff_replay_execution(engine, &args, &result, error);
  if (rc == FF_OK) ff_clear(&result);
  return rc;
}

static enum ff_rc do_hold(struct ff_engine *engine, struct ff_str id, struct ff_error *error) {
  struct ff_place_hold_args args = FF_ARGS(place_hold);
  struct ff_place_hold_result result;
  args.execution_id = id;
  args.reason_detail = ff_text(hold_detail);
  enum ff_rc rc = ff_place_hold(engine, &args, &result, error);
  if (rc == FF_OK) ff_clear(&result);
  return rc;
}

static enum ff_rc do_todo(struct ff_engine *engine, const struct todo *todo,
                          struct ff_error *error) {
  struct ff_str id = ff_text(todo->id.text);
  enum ff_rc rc;
  switch (todo->action) {
  case REVOKE:
    rc = do_revoke(engine, id, error);
    return rc == FF_OK ? do_reclaim(engine, id, error) : rc;
  case RECLAIM: return do_reclaim(engine, id, error);
  case RELEASE: return do_release(engine, id, error);
  case REPLAY: return do_replay(engine, id, error);
  case HOLD: return do_hold(engine, id, error);
  }
  return FF_OK;
}

/* Several threads, because the engine commits what waits together. */
static void *do_todos(void *user) {
  struct todos *todos = user;
  for (;;) {
    size_t at = atomic_fetch_add(&todos->next, 1);
    if (at >= todos->count || atomic_load(&todos->run->stopping)) return NULL;
    struct ff_error error = {0};
    enum ff_rc rc = do_todo(todos->run->cli->engine, &todos->items[at], &error);
    /* Somebody else moved it meanwhile (a scanner): fine. A store that fails is not. */
    if (rc == FF_TRANSPORT || rc == FF_UNAVAILABLE || rc == FF_BUG) run_fatal(todos->run, &error);
    else if (rc != FF_OK && todos->run->cli->verbose)
      cli_fail_about(todos->run->cli, todos->items[at].id.text, &error);
  }
}

static void do_all(struct todos *todos) {
  pthread_t threads[HELPERS];
  size_t started = 0, wanted = todos->count < HELPERS ? todos->count : HELPERS;
  while (started < wanted && pthread_create(&threads[started], NULL, do_todos, todos) == 0)
    started++;
  if (wanted && !started) do_todos(todos);
  for (size_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
}

/* Whether the worker instance "host:pid" can still hold anything. One process owns a SQLite file, and that is us. */
static bool is_dead(const struct run *run, struct ff_str instance) {
  const char *backend = ff_backend_label(run->cli->engine);
  if (strcmp(backend, "sqlite") == 0 || strcmp(backend, "memory") == 0) return true;
  char text[256];
  cli_str(instance, text, sizeof(text));
  const char *own = strrchr(run->instance, ':'), *pid = strrchr(text, ':');
  int64_t number;
  if (!own || !pid || pid - text != own - run->instance ||
      memcmp(text, run->instance, (size_t)(pid - text)) != 0)
    return false;
  return cli_parse_number(pid + 1, 2, INT32_MAX, &number) && kill((pid_t)number, 0) != 0 &&
         errno == ESRCH;
}

static bool is_our_hold(const struct ff_execution *e) {
  return e->eligibility_state == FF_eligibility_state_blocked_by_operator &&
         e->blocking_detail.len == sizeof(hold_detail) - 1 &&
         memcmp(e->blocking_detail.ptr, hold_detail, sizeof(hold_detail) - 1) == 0;
}

/* An execution of one of our lanes whose line is not in the file. */
static void leave_alone(struct todos *todos, const struct ff_execution *e) {
  if (e->lifecycle_phase == FF_lifecycle_phase_terminal) return;
  todos->run->leftovers++;
  if (e->lifecycle_phase == FF_lifecycle_phase_runnable &&
      e->eligibility_state == FF_eligibility_state_eligible_now)
    add_todo(todos, &e->execution_id, HOLD);
}

static void go_on_with(struct todos *todos, struct run_line *line, const struct ff_execution *e) {
  struct run *run = todos->run;
  line->duplicate = false; /* found */
  bool failed = e->lifecycle_phase == FF_lifecycle_phase_terminal &&
                e->public_state != FF_public_state_completed;
  if (failed && run->retry_failed) {
    add_todo(todos, &e->execution_id, REPLAY);
  } else if (e->lifecycle_phase == FF_lifecycle_phase_terminal) {
    line->before = true;
    pthread_mutex_lock(&run->lock);
    run_settle_as(run, line, e);
    pthread_mutex_unlock(&run->lock);
  } else if (e->lifecycle_phase == FF_lifecycle_phase_active) {
    if (!e->leased) add_todo(todos, &e->execution_id, RECLAIM);
    else if (is_dead(run, e->worker_instance_id)) add_todo(todos, &e->execution_id, REVOKE);
  } else if (is_our_hold(e)) {
    add_todo(todos, &e->execution_id, RELEASE);
  }
}

/* Calls each for the executions of our lanes that the filter names. */
static int walk(struct run *run, struct ff_query_executions_args *args,
                void (*each)(struct todos *todos, const struct ff_execution *e),
                struct todos *todos) {
  for (uint32_t lane = 0; lane < run->file.lane_count; lane++) {
    char *cursor = NULL;
    args->lane_id = ff_text(run->file.lanes[lane]);
    for (bool more = true; more;) {
      struct ff_error error = {0};
      struct ff_query_executions_result page;
      args->limit = 1000;
      args->cursor = ff_text(cursor);
      enum ff_rc rc = ff_query_executions(run->cli->engine, args, &page, &error);
      free(cursor);
      cursor = NULL;
      if (rc != FF_OK) return cli_fail(run->cli, &error);
      for (size_t i = 0; i < page.executions.count; i++) each(todos, &page.executions.items[i]);
      more = page.next_cursor.len > 0;
      if (more) cursor = cli_copy(page.next_cursor.ptr, page.next_cursor.len);
      ff_clear(&page);
    }
    free(cursor);
  }
  return CLI_OK;
}

static void each_found(struct todos *todos, const struct ff_execution *e) {
  struct run_line *line = run_find(todos->run, e->execution_id.text);
  if (!line) leave_alone(todos, e);
  else if (line->duplicate) go_on_with(todos, line, e);
}

int run_resume(struct run *run) {
  struct todos todos = {.run = run};
  struct ff_query_executions_args args = FF_ARGS(query_executions);
  args.created_to = run->since_ms;
  int code = walk(run, &args, each_found, &todos);
  pthread_mutex_lock(&run->lock);
  for (size_t i = 0; i < run->file.job_count && code == CLI_OK; i++) {
    struct run_line *line = &run->lines[i];
    if (line->duplicate && line->state == RUN_WAITING)
      run_settle(run, line, RUN_FORGOTTEN, NULL, NULL);
  }
  pthread_mutex_unlock(&run->lock);
  if (code == CLI_OK) do_all(&todos);
  free(todos.items);
  return code != CLI_OK ? code : run->code;
}

static void each_ended(struct todos *todos, const struct ff_execution *e) {
  struct run_line *line = run_find(todos->run, e->execution_id.text);
  if (!line) return;
  pthread_mutex_lock(&todos->run->lock);
  if (line->state == RUN_WAITING) run_settle_as(todos->run, line, e);
  pthread_mutex_unlock(&todos->run->lock);
}

void run_reconcile(struct run *run) {
  struct todos todos = {.run = run};
  struct ff_query_executions_args args = FF_ARGS(query_executions);
  args.public_state = ff_text("completed,failed,cancelled,expired,skipped");
  walk(run, &args, each_ended, &todos);
}
