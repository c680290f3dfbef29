/*
 * The life of one API call: preparing its requests, making its answer, handing it back.
 *
 * Argument checks run here, in the caller's thread, before anything is loaded. Answers are made by
 * the leader after the commit.
 */
#include "engine/impl.h"

void call_reserve(struct call *call, uint32_t count) {
  call->requests = count == 1 ? &call->one : ARENA_ARRAY(&call->arena, struct request, count);
}

static uint64_t next_seed(struct engine *e) {
  uint64_t n = __atomic_add_fetch(&e->seed_count, 1, __ATOMIC_RELAXED);
  return hash_mix64(e->seed + n * 0x9e3779b97f4a7c15u);
}

struct request *call_request(struct engine *e, struct call *call, enum op_id op, const void *args) {
  struct request *r = &call->requests[call->request_count++];
  const struct op_code *code = op_infos[op].code;
  *r = (struct request){.op = op, .args = args, .seed = next_seed(e)};
  r->sequence = __atomic_fetch_add(&e->sequence, 1, __ATOMIC_RELAXED);
  bool fits = r == &call->one && code->prep_size <= sizeof call->one_prep;
  r->prep = fits ? memset(call->one_prep, 0, code->prep_size)
                 : arena_zalloc(&call->arena, code->prep_size + 1);
  r->error.retry_after_ms = -1;
  if (code->prepare) r->rc = code->prepare(&e->config, args, r->prep, &call->arena, &r->error);
  r->refused = r->done = r->rc != FF_OK;
  return r;
}

enum ff_rc call_prepare(struct engine *e, struct call *call, struct ff_error *error) {
  enum ff_rc (*build)(struct engine *, struct call *, struct ff_error *) =
      composites[call->op].build;
  if (build) return build(e, call, error);
  call_reserve(call, 1);
  struct request *r = call_request(e, call, call->op, call->args);
  if (r->refused && error) *error = r->error;
  return r->rc;
}

void call_answered(struct engine *e, struct call *call) {
  call->state = CALL_DONE;
  e->under_way--;
  gate_leave(e, call->op);
  list_push(&e->answered, call);
  if (!e->options.manual) park_wake(&e->service_park, WAKE_LEAD);
}

static void copy_out(struct call *call, const void *view) {
  values_deep_copy(op_infos[call->op].result, view, call->out, (struct ff_memory **)call->out);
}

/* True when a claim found nothing and may go on waiting. */
static bool may_park(struct engine *e, const struct call *call) {
  if (call->rc != FF_OK || call->deadline == 0 || e->closing) return false;
  const struct acquire_result *found = call->requests[0].result;
  return found->tasks.count == 0 && engine_now(e) < call->deadline;
}

/* Only reads what the batch holds: answers may point into the arguments of any call of the batch, so
 * that nobody may be let go before all of them are made. */
void call_conclude(struct engine *e, struct call *call, struct arena *arena) {
  const struct composite *c = &composites[call->op];
  struct request *last = &call->requests[call->request_count - 1];
  if (call->internal) {
    if (call->out && last->rc == FF_OK)
      memcpy(call->out, last->result, op_infos[last->op].result_size);
    return;
  }
  void *view = last->result;
  call->rc = FF_OK;
  if (c->finish) {
    view = arena_zalloc(arena, op_infos[call->op].result_size);
    call->rc = c->finish(e, call, view, arena, &call->error);
  } else {
    call->rc = last->rc;
    call->error = last->error;
  }
  call->parks = may_park(e, call);
  if (!call->parks && call->rc == FF_OK) copy_out(call, view);
}
