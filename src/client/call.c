/*
 * The calls of a remote engine: arguments to JSON, answers and errors back; threads for the
 * asynchronous ones.
 */
#include "client/impl.h"

#include "op/values.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define WAIT_MAX_MS 300000 /* no operation waits longer */
#define STACK_BYTES (512u << 10)

static _Thread_local bool in_callback;

bool client_in_callback(void) { return in_callback; }

/* ---- calls under way ---- */

static enum ff_rc enter(struct client *c, struct ff_error *e) {
  pthread_mutex_lock(&c->lock);
  bool open = !c->closing;
  if (open) c->under_way++;
  pthread_mutex_unlock(&c->lock);
  return open ? FF_OK : error_set(e, FF_CODE_unavailable, "the engine is closing");
}

static void leave(struct client *c) {
  pthread_mutex_lock(&c->lock);
  if (--c->under_way == 0) pthread_cond_broadcast(&c->quiet);
  pthread_mutex_unlock(&c->lock);
}

bool client_quiesce(struct client *c, int64_t grace_ms) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += grace_ms / 1000;
  until.tv_nsec += grace_ms % 1000 * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  pthread_mutex_lock(&c->lock);
  c->closing = true;
  int rc = 0;
  while (c->under_way && rc != ETIMEDOUT)
    rc = pthread_cond_timedwait(&c->quiet, &c->lock, &until);
  bool quiet = c->under_way == 0;
  pthread_mutex_unlock(&c->lock);
  return quiet;
}

void client_close(struct client *c) {
  pthread_mutex_lock(&c->lock);
  c->closing = true;
  while (c->under_way) pthread_cond_wait(&c->quiet, &c->lock);
  transport_drop_idle(c);
  pthread_mutex_unlock(&c->lock);
  pthread_mutex_destroy(&c->lock);
  pthread_cond_destroy(&c->quiet);
  free(c->token);
  free(c);
}

/* ---- what a call needs ---- */

static bool is_wait(const struct ff_field *f) {
  return f->type == FF_FIELD_U64 && (strcmp(f->name, "max_wait_ms") == 0 ||
                                     strcmp(f->name, "block_ms") == 0);
}

/* The time an answer may take: the wait the caller asks for comes on top. */
static int64_t time_for(const struct client *c, const struct ff_struct *s, const void *args) {
  uint64_t wait = 0;
  for (uint32_t i = 0; i < s->field_count; i++)
    if (is_wait(&s->fields[i]))
      memcpy(&wait, (const char *)args + s->fields[i].offset, sizeof wait);
  return c->timeout_ms + (int64_t)(wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS);
}

/* Is a repeat harmless by the operation's own rules: it reads, or carries a fence or a request id? */
static bool may_repeat(enum op_id op) {
  const struct op_info *info = &op_infos[op];
  if (info->class_ == FF_OPERATION_READ || info->class_ == FF_OPERATION_WAIT) return true;
  for (uint32_t i = 0; i < info->args->field_count; i++)
    if (info->args->fields[i].type == FF_FIELD_HANDLE) return true;
  return values_field(info->args, TEXT_LIT("request_id")) != NULL;
}

/* A copy of the arguments with a request id, where the caller gave none (00 OP-8). */
static const void *with_request_id(struct client *c, const struct op_info *info, const void *args,
                                   struct arena *arena) {
  const struct ff_field *f = values_field(info->args, TEXT_LIT("request_id"));
  struct ff_str id;
  if (!f || !c->mints_ids) return args;
  memcpy(&id, (const char *)args + f->offset, sizeof id);
  if (id.len) return args;
  uint64_t seed = hash_mix64(atomic_fetch_add(&c->id_seed, 1));
  char text[37];
  uuid_format(uuid_v7(clock_wall_ms(), (uint16_t)(seed & 0xfff), seed), text);
  void *copy = arena_copy(arena, args, info->args_size);
  id = arena_text(arena, ff_text(text));
  memcpy((char *)copy + f->offset, &id, sizeof id);
  return copy;
}

/* ---- one call ---- */

static enum ff_rc read_answer(const struct op_info *info, const struct answer *a,
                              struct arena *arena, void *result, struct ff_error *e) {
  struct ff_error told;
  struct ff_str body = buffer_text(&a->body);
  if (a->status != 200) {
    wire_error_read(a->status, body, arena, &told);
    if (e) *e = told;
    return told.rc;
  }
  void *view = arena_zalloc(arena, info->result_size);
  if (!wire_result_read(info->result, body, arena, view))
    return error_set(e, FF_CODE_transport, "the server's answer is none of %s", info->name);
  values_deep_copy(info->result, view, result, (struct ff_memory **)result);
  return FF_OK;
}

static enum ff_rc run(struct client *c, enum op_id op, const void *args, void *result,
                      struct ff_error *e) {
  const struct op_info *info = &op_infos[op];
  char path[128];
  struct arena arena;
  struct buffer body;
  struct answer answer = {0};
  enum ff_rc rc = FF_VALIDATION;
  arena_init(&arena);
  buffer_init(&body);
  buffer_init(&answer.body);
  snprintf(path, sizeof path, "/v1/ops/%s", info->name);
  args = with_request_id(c, info, args, &arena);
  memset(result, 0, info->result_size);
  if (wire_args_write(info->args, args, &body, e))
    rc = transport_post(c, path, buffer_text(&body), time_for(c, info->args, args), may_repeat(op),
                        &answer, e);
  if (rc == FF_OK) rc = read_answer(info, &answer, &arena, result, e);
  buffer_fini(&answer.body);
  buffer_fini(&body);
  arena_fini(&arena);
  return rc;
}

enum ff_rc client_call(struct client *c, enum op_id op, const void *args, void *result,
                       struct ff_error *e) {
  enum ff_rc rc = enter(c, e);
  memset(result, 0, op_infos[op].result_size);
  if (rc != FF_OK) return rc;
  rc = run(c, op, args, result, e);
  leave(c);
  return rc;
}

/* ---- asynchronous calls ---- */

struct async {
  struct client *client;
  enum op_id op;
  void *args, *result;
  struct ff_memory *args_memory;
  client_done_fn *done;
  void *user;
};

static void async_free(struct async *a) {
  values_free(*(struct ff_memory **)a->result);
  values_free(a->args_memory);
  free(a->args);
  free(a->result);
  free(a);
}

static void *async_run(void *user) {
  struct async *a = user;
  struct client *c = a->client;
  struct ff_error e = {.retry_after_ms = -1};
  enum ff_rc rc = run(c, a->op, a->args, a->result, &e);
  in_callback = true;
  a->done(a->user, rc, a->result, &e);
  in_callback = false;
  async_free(a);
  pthread_mutex_lock(&c->lock);
  c->threads--;
  pthread_mutex_unlock(&c->lock);
  leave(c);
  return NULL;
}

static struct async *async_new(struct client *c, enum op_id op, const void *args,
                               client_done_fn *done, void *user) {
  const struct op_info *info = &op_infos[op];
  struct async *a = heap_zalloc(sizeof *a);
  *a = (struct async){.client = c, .op = op, .done = done, .user = user};
  a->args = heap_zalloc(info->args_size);
  a->result = heap_zalloc(info->result_size);
  memcpy(a->args, args, info->args_size);
  values_deep_copy(info->args, args, a->args, &a->args_memory);
  return a;
}

static bool start_thread(struct async *a) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  bool started = pthread_create(&thread, &attributes, async_run, a) == 0;
  pthread_attr_destroy(&attributes);
  return started;
}

enum ff_rc client_call_async(struct client *c, enum op_id op, const void *args,
                             client_done_fn *done, void *user, struct ff_error *e) {
  enum ff_rc rc = enter(c, e);
  if (rc != FF_OK) return rc;
  struct async *a = async_new(c, op, args, done, user);
  pthread_mutex_lock(&c->lock);
  bool room = c->threads < c->async_limit;
  if (room) c->threads++;
  pthread_mutex_unlock(&c->lock);
  if (room && start_thread(a)) return FF_OK;
  if (room) {
    pthread_mutex_lock(&c->lock);
    c->threads--;
    pthread_mutex_unlock(&c->lock);
  }
  async_free(a);
  leave(c);
  (void)error_set(e, FF_CODE_resource_exhausted, "%u asynchronous calls wait for their end already",
                  c->async_limit);
  error_context(e, "pool", "async");
  error_context(e, "max", "%u", c->async_limit);
  return FF_RESOURCE_EXHAUSTED;
}
