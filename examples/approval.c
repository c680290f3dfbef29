/*
 * A job that asks people: it suspends until two of three approvers have said yes, each with the
 * signed token it gave out, or until time is up. The attempt that goes on reads who it was. Two jobs:
 * one is approved, the other waits in vain.
 *
 *   cc approval.c $(pkg-config --cflags --libs flowfabric) -o approval && ./approval
 */
#include <flowfabric/flowfabric.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>


/* Two different sources of the signal `approved` on the waitpoint `release`. */
static const char two_of_three[] =
    "{\"Composite\":{\"kind\":\"Count\",\"n\":2,\"count_kind\":\"DistinctSources\","
    "\"matcher\":{\"ByName\":\"approved\"},\"waitpoints\":[\"release\"]}}";

static struct ff_engine *engine;
static struct ff_error error;

static void check(enum ff_rc rc) {
  char text[512];
  if (rc == FF_OK) return;
  ff_error_format(&error, text, sizeof text);
  fprintf(stderr, "%s\n", text);
  exit(1);
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The next piece of work of the lane: a new attempt, or one that goes on. */
static struct ff_handle claim(void) {
  struct ff_claim_args args = FF_ARGS(claim);
  struct ff_claim_result result;
  args.lane_id = ff_text("release");
  args.worker_id = args.worker_instance_id = ff_text("worker-1");
  args.lease_ttl_ms = 30000;
  args.max_wait_ms = 10000; /* what a signal resumes arrives here at once */
  check(ff_claim(engine, &args, &result, &error));
  struct ff_handle handle = result.handle;
  ff_clear(&result);
  return handle;
}

/* What an approver is sent: which waitpoint, and the token that opens it. */
struct invitation {
  char execution[FF_ID_MAX], waitpoint[FF_ID_MAX], token[256];
};

/* A waitpoint made ahead of the suspension: its token can be sent before anybody waits. */
static void invite(const struct ff_handle *handle, struct invitation *out) {
  struct ff_create_waitpoint_args args = FF_ARGS(create_waitpoint);
  struct ff_create_waitpoint_result result;
  args.handle = *handle;
  args.waitpoint_key = ff_text("release");
  args.expires_in_ms = 60000;
  check(ff_create_waitpoint(engine, &args, &result, &error));
  snprintf(out->waitpoint, sizeof out->waitpoint, "%s", result.waitpoint_id.text);
  snprintf(out->token, sizeof out->token, "%.*s", (int)result.waitpoint_token.len,
           result.waitpoint_token.ptr);
  ff_clear(&result);
}

static void suspend(const struct ff_handle *handle, const struct invitation *invitation,
                    const char *suspension_id, int64_t patience_ms) {
  struct ff_waitpoint_binding binding = {.waitpoint_id = ff_text(invitation->waitpoint),
                                         .pending = true};
  struct ff_suspend_args args = FF_ARGS(suspend);
  struct ff_suspend_result result;
  args.handle = *handle;
  args.suspension_id = ff_text(suspension_id);
  args.waitpoints = (struct ff_waitpoint_bindings){&binding, 1};
  args.resume_condition = ff_text(two_of_three);
  args.reason_code = ff_text("waiting_for_approval");
  args.timeout_at = now_ms() + patience_ms;
  args.timeout_behavior = ff_text("auto_resume_with_timeout_signal");
  check(ff_suspend(engine, &args, &result, &error));
  printf("%s\n", ff_word(FF_WORD_outcome, result.outcome));
  ff_clear(&result);
}

/* What an approver does; anywhere, with nothing but the invitation. */
static void answer(const struct invitation *invitation, const char *who, const char *name,
                   const char *signal_id) {
  struct ff_deliver_signal_args args = FF_ARGS(deliver_signal);
  struct ff_deliver_signal_result result;
  args.execution_id = ff_text(invitation->execution);
  args.waitpoint_id = ff_text(invitation->waitpoint);
  args.waitpoint_token = ff_text(invitation->token);
  args.signal_id = ff_text(signal_id);
  args.signal_name = ff_text(name);
  args.source_type = ff_text("approver");
  args.source_identity = ff_text(who);
  check(ff_deliver_signal(engine, &args, &result, &error));
  printf("%s says %s: %s\n", who, name, ff_word(FF_WORD_signal_effect, result.effect));
  ff_clear(&result);
}

/* The attempt that goes on: who said yes, and was it in time? */
static void finish(const struct ff_handle *handle) {
  struct ff_observe_signals_args args = FF_ARGS(observe_signals);
  struct ff_observe_signals_result seen;
  struct ff_complete_args complete = FF_ARGS(complete);
  struct ff_complete_result completed;
  size_t approvals = 0;
  args.handle = complete.handle = *handle;
  check(ff_observe_signals(engine, &args, &seen, &error));
  for (size_t i = 0; i < seen.signals.count; i++) {
    const struct ff_resume_signal *s = &seen.signals.items[i];
    printf("  %.*s by %.*s\n", (int)s->signal_name.len, s->signal_name.ptr,
           (int)s->source_identity.len, s->source_identity.ptr);
    approvals += s->signal_name.len == 8 && memcmp(s->signal_name.ptr, "approved", 8) == 0;
  }
  const char *verdict = approvals >= 2 ? "released" : "not released: no quorum in time";
  printf("%s\n", verdict);
  complete.result_payload = (struct ff_bytes){verdict, strlen(verdict)};
  check(ff_complete(engine, &complete, &completed, &error));
  ff_clear(&completed);
  ff_clear(&seen);
}

static void submit(struct invitation *invitation) {
  struct ff_submit_args args = FF_ARGS(submit);
  struct ff_submit_result result;
  args.lane_id = ff_text("release");
  check(ff_submit(engine, &args, &result, &error));
  snprintf(invitation->execution, sizeof invitation->execution, "%s", result.execution_id.text);
  ff_clear(&result);
}

int main(void) {
  struct invitation invitation;
  struct ff_handle handle;
  check(ff_open("sqlite:approval.db", NULL, &engine, &error));

  submit(&invitation);
  handle = claim();
  invite(&handle, &invitation);
  answer(&invitation, "ann", "approved", "00000000-0000-4000-8000-000000000001"); /* kept */
  suspend(&handle, &invitation, "00000000-0000-4000-8000-0000000000a1", 60000);
  answer(&invitation, "ann", "approved", "00000000-0000-4000-8000-000000000002");
  answer(&invitation, "bob", "rejected", "00000000-0000-4000-8000-000000000003");
  answer(&invitation, "cid", "approved", "00000000-0000-4000-8000-000000000004");
  handle = claim();
  finish(&handle);

  submit(&invitation);
  handle = claim();
  invite(&handle, &invitation);
  suspend(&handle, &invitation, "00000000-0000-4000-8000-0000000000a2", 1000);
  answer(&invitation, "bob", "approved", "00000000-0000-4000-8000-000000000005");
  handle = claim(); /* time resumes it */
  finish(&handle);

  ff_close(engine);
  return 0;
}
