/*
 * ff submit: stores one execution.
 */
#include "args.h"
#include "out.h"
#include "watch.h"

#include <stdlib.h>
#include <string.h>

enum { LANE, PAYLOAD, ENCODING, PRIORITY, TAG, KEY, DELAY, DEADLINE, POLICY, ID, WAIT };

static const struct cli_option options[] = {
    [LANE] = {"lane", 'l', "LANE", "the queue it waits in (default: default)"},
    [PAYLOAD] = {"payload", 'p', "DATA",
                 "input for the worker: text, @file, or - for standard input"},
    [ENCODING] = {"encoding", 0, "NAME", "what the payload is, kept with it"},
    [PRIORITY] = {"priority", 0, "N", "0 to 9000, larger runs first"},
    [TAG] = {"tag", 't', "KEY=VALUE", "a tag; may be repeated"},
    [KEY] = {"key", 'k', "KEY", "idempotency key: the same key again answers the first execution"},
    [DELAY] = {"delay", 0, "WHEN", "not before: 10s from now, or @MS since the epoch"},
    [DEADLINE] = {"deadline", 0, "WHEN", "ends expired when it is still alive then"},
    [POLICY] = {"policy", 0, "JSON", "the policy, as text or @file"},
    [ID] = {"id", 0, "EID", "the execution id instead of a new one"},
    [WAIT] = {"wait", 'w', NULL, "wait until it ended and print its result"},
    {NULL, 0, NULL, NULL},
};

struct submission {
  struct ff_create_execution_args args;
  struct cli_pairs tags;
  char *payload, *policy;
  bool wait;
};

static int take_option(struct cli *cli, struct submission *s, int option, const char *value) {
  struct ff_create_execution_args *a = &s->args;
  int64_t number;
  size_t size = 0;
  int code = CLI_OK;
  switch (option) {
  case LANE: a->lane_id = ff_text(value); break;
  case PAYLOAD:
    free(s->payload);
    s->payload = NULL;
    code = cli_read_value(cli, "the payload", value, &s->payload, &size);
    a->input_payload = (struct ff_bytes){s->payload, size};
    break;
  case ENCODING: a->payload_encoding = ff_text(value); break;
  case PRIORITY:
    if (!cli_parse_number(value, 0, 9000, &number))
      return cli_usage(cli, "--priority expects 0 to 9000, got '%s'", value);
    a->priority = (int32_t)number;
    break;
  case TAG:
    if (!cli_pairs_add(&s->tags, value))
      return cli_usage(cli, "--tag expects KEY=VALUE, got '%s'", value);
    break;
  case KEY: a->idempotency_key = ff_text(value); break;
  case DELAY:
    if (!cli_parse_time(value, &a->delay_until))
      return cli_usage(cli, "--delay expects 10s or @MS, got '%s'", value);
    break;
  case DEADLINE:
    if (!cli_parse_time(value, &a->deadline_at))
      return cli_usage(cli, "--deadline expects 10s or @MS, got '%s'", value);
    break;
  case POLICY:
    free(s->policy);
    s->policy = NULL;
    code = cli_read_value(cli, "the policy", value, &s->policy, &size);
    a->policy = (struct ff_str){s->policy, size};
    break;
  case ID: a->execution_id = ff_text(value); break;
  case WAIT: s->wait = true; break;
  default: break;
  }
  return code;
}

/* submit mints an id, create_execution takes one: the same answer either way. */
static enum ff_rc store(struct cli *cli, const struct ff_create_execution_args *a,
                        struct ff_submit_result *result, struct ff_error *error) {
  if (a->execution_id.ptr) {
    struct ff_create_execution_result created;
    enum ff_rc rc = ff_create_execution(cli->engine, a, &created, error);
    if (rc == FF_OK) {
      *result = (struct ff_submit_result){.outcome = created.outcome,
                                          .execution_id = created.execution_id,
                                          .public_state = created.public_state};
      ff_clear(&created);
    }
    return rc;
  }
  struct ff_submit_args args = FF_ARGS(submit);
  args.namespace_ = a->namespace_;
  args.lane_id = a->lane_id;
  args.execution_kind = a->execution_kind;
  args.input_payload = a->input_payload;
  args.payload_encoding = a->payload_encoding;
  args.priority = a->priority;
  args.creator_identity = a->creator_identity;
  args.idempotency_key = a->idempotency_key;
  args.tags = a->tags;
  args.policy = a->policy;
  args.delay_until = a->delay_until;
  args.deadline_at = a->deadline_at;
  return ff_submit(cli->engine, &args, result, error);
}

static int submit(struct cli *cli, struct submission *s) {
  struct ff_error error = {0};
  struct ff_submit_result result = {0};
  int code = cli_open(cli, CLI_WRITE);
  if (code != CLI_OK) return code;
  s->args.tags = (struct ff_pairs){s->tags.items, s->tags.count};
  if (store(cli, &s->args, &result, &error) != FF_OK) return cli_fail(cli, &error);
  struct ff_id id = result.execution_id;
  if (result.outcome == FF_outcome_duplicate) cli_note(cli, "ff: note: it was submitted before");
  if (s->wait) {
    cli_note(cli, "%s", id.text);
  } else if (cli->format == CLI_TABLE) {
    puts(id.text);
  } else {
    cli_json_struct(stdout, ff_operation_find(ff_text("submit"))->result, &result);
    putchar('\n');
  }
  ff_clear(&result);
  if (!s->wait) return CLI_OK;
  cli_close(cli); /* a worker needs the file more than we do */
  return cli_watch_result(cli, id.text);
}

static int run(struct cli *cli, int argc, char **argv) {
  struct submission s = {.args = FF_ARGS(create_execution)};
  struct cli_args args;
  cli_args_init(&args, cli, argc, argv);
  int option, code = CLI_OK;
  while (code == CLI_OK && (option = cli_args_next(&args)) >= 0)
    code = take_option(cli, &s, option, args.value);
  if (code == CLI_OK && option == CLI_ARGS_END) {
    s.args.execution_kind = ff_text(args.word_count ? args.words[0] : NULL);
    s.args.namespace_ = ff_text(cli->namespace_);
    s.args.creator_identity = ff_text("ff");
    code = args.word_count == 1 ? submit(cli, &s) : cli_usage(cli, "submit expects one KIND");
  } else if (code == CLI_OK) {
    code = cli_args_stop(option);
  }
  cli_pairs_fini(&s.tags);
  free(s.payload);
  free(s.policy);
  return code;
}

const struct cli_verb cli_verb_submit = {
    .name = "submit",
    .summary = "store work for a worker to claim; prints its id",
    .usage = "submit KIND [OPTIONS]",
    .examples = "ff submit resize --payload '{\"id\":7}' --lane images\n"
                "ff submit import --payload @rows.csv --key import-2025-11-21\n"
                "ff submit report --delay 10m --policy '{\"retry_policy\":{\"max_retries\":5}}'",
    .notes = "With --key the same submission may be repeated safely: the first one's id is\n"
             "printed again.",
    .options = options,
    .run = run,
};
