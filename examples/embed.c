/*
 * The whole life of one execution inside a program: submit, claim, renew, complete, wait, read the
 * result. Run it twice: the second time nothing is left to do, and the result is still there.
 *
 *   cc embed.c $(pkg-config --cflags --libs flowfabric) -o embed && ./embed
 */
#include <flowfabric/flowfabric.h>
#include <stdio.h>

static int failed(const struct ff_error *error) {
  char text[512];
  ff_error_format(error, text, sizeof text);
  fprintf(stderr, "%s\n", text);
  return 1;
}

static int submit(struct ff_engine *engine, struct ff_id *id) {
  struct ff_error error;
  struct ff_submit_args args = FF_ARGS(submit);
  args.lane_id = ff_text("resize");
  args.input_payload = (struct ff_bytes){"photo-7.jpg", 11};
  args.idempotency_key = ff_text("photo-7"); /* a repeat answers `duplicate` */
  struct ff_submit_result result;
  if (ff_submit(engine, &args, &result, &error)) return failed(&error);
  printf("%s %s\n", ff_word(FF_WORD_outcome, result.outcome), result.execution_id.text);
  *id = result.execution_id;
  ff_clear(&result); /* every result is cleared when it is no longer needed */
  return 0;
}

/* Long work renews its lease every third of its time, from any thread. */
static int renew(struct ff_engine *engine, const struct ff_task *task) {
  struct ff_error error;
  struct ff_renew_args args = FF_ARGS(renew);
  args.handle = task->handle; /* the proof that the lease is ours: a plain value */
  struct ff_renew_result result;
  if (ff_renew(engine, &args, &result, &error)) return failed(&error);
  printf("renewed, lease epoch %llu\n", (unsigned long long)result.lease_epoch);
  ff_clear(&result);
  return 0;
}

static int complete(struct ff_engine *engine, const struct ff_task *task) {
  struct ff_error error;
  struct ff_complete_args args = FF_ARGS(complete);
  args.handle = task->handle;
  args.result_payload = (struct ff_bytes){"640x480", 7};
  struct ff_complete_result result;
  if (ff_complete(engine, &args, &result, &error)) return failed(&error);
  printf("%s\n", ff_word(FF_WORD_public_state, result.public_state));
  ff_clear(&result);
  return 0;
}

/* What a worker does in a loop. */
static int work(struct ff_engine *engine) {
  struct ff_error error;
  struct ff_str lanes[] = {ff_text("resize")};
  struct ff_claim_task_args args = FF_ARGS(claim_task);
  args.lane_ids = (struct ff_strs){lanes, 1};
  args.worker_id = args.worker_instance_id = ff_text("worker-1");
  args.lease_ttl_ms = 30000; /* and max_wait_ms to wait for work */
  struct ff_claim_task_result result;
  if (ff_claim_task(engine, &args, &result, &error)) return failed(&error);
  int rc = 0;
  if (result.outcome == FF_outcome_claimed) {
    struct ff_bytes input = result.task.input_payload;
    printf("working on %.*s\n", (int)input.len, (const char *)input.ptr);
    rc = renew(engine, &result.task);
    if (!rc) rc = complete(engine, &result.task);
  }
  ff_clear(&result);
  return rc;
}

static int wait_for(struct ff_engine *engine, struct ff_id id) {
  struct ff_error error;
  struct ff_wait_execution_args args = FF_ARGS(wait_execution);
  args.execution_id = ff_text(id.text);
  args.timeout_ms = 10000; /* it has ended already: answers at once */
  struct ff_wait_execution_result result;
  if (ff_wait_execution(engine, &args, &result, &error)) return failed(&error);
  printf("%s after %u attempt\n", ff_word(FF_WORD_public_state, result.execution.public_state),
         result.execution.total_attempt_count);
  ff_clear(&result);
  return 0;
}

static int read_result(struct ff_engine *engine, struct ff_id id) {
  struct ff_error error;
  struct ff_get_execution_result_args args = FF_ARGS(get_execution_result);
  args.execution_id = ff_text(id.text);
  struct ff_get_execution_result_result result;
  if (ff_get_execution_result(engine, &args, &result, &error)) return failed(&error);
  printf("result: %.*s\n", (int)result.payload.len, (const char *)result.payload.ptr);
  ff_clear(&result);
  return 0;
}

int main(void) {
  struct ff_engine *engine;
  struct ff_error error;
  struct ff_id id;
  if (ff_open("sqlite:app.db", NULL, &engine, &error)) return failed(&error);
  int rc = submit(engine, &id);
  if (!rc) rc = work(engine);
  if (!rc) rc = wait_for(engine, id);
  if (!rc) rc = read_result(engine, id);
  ff_close(engine);
  return rc;
}
