/*
 * The whole life of one execution inside a program: submit, claim, complete.
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

static int submit(struct ff_engine *engine, struct ff_error *error) {
  struct ff_submit_args args = FF_ARGS(submit);
  args.lane_id = ff_text("resize");
  args.input_payload = (struct ff_bytes){"photo-7.jpg", 11};
  args.idempotency_key = ff_text("photo-7"); /* a repeat answers `duplicate` */
  struct ff_submit_result result;
  if (ff_submit(engine, &args, &result, error)) return failed(error);
  printf("%s %s\n", result.execution_id.text, ff_word(FF_WORD_outcome, result.outcome));
  ff_clear(&result);
  return 0;
}

static int complete(struct ff_engine *engine, const struct ff_task *task, struct ff_error *error) {
  struct ff_complete_args args = FF_ARGS(complete);
  args.handle = task->handle; /* the proof that the lease is ours */
  args.result_payload = (struct ff_bytes){"640x480", 7};
  struct ff_complete_result result;
  if (ff_complete(engine, &args, &result, error)) return failed(error);
  printf("%s\n", ff_word(FF_WORD_public_state, result.public_state));
  ff_clear(&result);
  return 0;
}

static int work(struct ff_engine *engine, struct ff_error *error) {
  struct ff_str lanes[] = {ff_text("resize")};
  struct ff_claim_task_args args = FF_ARGS(claim_task);
  args.lane_ids = (struct ff_strs){lanes, 1};
  args.worker_id = args.worker_instance_id = ff_text("worker-1");
  args.lease_ttl_ms = 30000;
  struct ff_claim_task_result result;
  if (ff_claim_task(engine, &args, &result, error)) return failed(error);
  int rc = 0;
  if (result.outcome == FF_outcome_claimed) {
    struct ff_bytes input = result.task.input_payload;
    printf("working on %.*s\n", (int)input.len, (const char *)input.ptr);
    rc = complete(engine, &result.task, error);
  }
  ff_clear(&result);
  return rc;
}

int main(void) {
  struct ff_engine *engine;
  struct ff_error error;
  if (ff_open("sqlite:app.db", NULL, &engine, &error)) return failed(&error);
  int rc = submit(engine, &error);
  if (!rc) rc = work(engine, &error);
  ff_close(engine);
  return rc;
}
