/*
 * ff suspended, signal, approve, token and secret: what waits for the outside world, and the outside
 * world's part, by hand.
 *
 * Who can open the store is an operator: a waitpoint's token is read from it when none is given. No
 * secret is taken from or put on a command line.
 */
#include "args.h"
#include "out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- shared ---- */

static const struct ff_struct *result_of(const char *operation) {
  return ff_operation_find(ff_text(operation))->result;
}

/* The waitpoint named by the second word, else the one the execution waits on; with its lane. */
struct target {
  char waitpoint[FF_ID_MAX], lane[80];
};

static int find_target(struct cli *cli, const char *id, const char *waitpoint,
                       struct target *target) {
  struct ff_describe_execution_args args = FF_ARGS(describe_execution);
  struct ff_describe_execution_result found;
  struct ff_error error;
  args.execution_id = ff_text(id);
  if (ff_describe_execution(cli->engine, &args, &found, &error) != FF_OK)
    return cli_fail_about(cli, id, &error);
  int code = found.outcome == FF_outcome_none ? cli_missing(cli, id) : CLI_OK;
  const char *current = found.execution.current_waitpoint_id.text;
  snprintf(target->waitpoint, sizeof(target->waitpoint), "%s", waitpoint ? waitpoint : current);
  cli_str(found.execution.lane_id, target->lane, sizeof(target->lane));
  ff_clear(&found);
  if (code == CLI_OK && !target->waitpoint[0])
    code = cli_error(CLI_REFUSED, "%s is not suspended: name the waitpoint", id);
  return code;
}

/* `{fp:N}` of an execution id. */
static struct ff_str partition_of(const char *id) {
  const char *end = strchr(id, '}');
  return (struct ff_str){id, end ? (size_t)(end + 1 - id) : strlen(id)};
}

static int read_token(struct cli *cli, const char *id, const char *waitpoint, char out[512]) {
  struct ff_read_waitpoint_token_args args = FF_ARGS(read_waitpoint_token);
  struct ff_read_waitpoint_token_result found;
  struct ff_error error;
  args.partition = partition_of(id);
  args.waitpoint_id = ff_text(waitpoint);
  if (ff_read_waitpoint_token(cli->engine, &args, &found, &error) != FF_OK)
    return cli_fail_about(cli, waitpoint, &error);
  cli_str(found.token, out, 512);
  ff_clear(&found);
  if (out[0]) return CLI_OK;
  return cli_error(CLI_MISSING, "%s accepts no signals", waitpoint);
}

/* A first line of a file, of standard input for "-"; free it. */
static int read_line(const char *what, const char *path, char **out) {
  size_t size;
  if (!cli_read_file(path, 4096, out, &size))
    return cli_error(CLI_USAGE, "cannot read the %s from %s: %s", what, path, strerror(errno));
  (*out)[strcspn(*out, "\r\n")] = '\0';
  return CLI_OK;
}

/* ---- suspended ---- */

static bool show_suspended(struct cli *cli, struct cli_list *list, struct cli_table *table,
                           const struct ff_suspended_entry *entry) {
  char since[32], until[32], reason[64];
  if (cli->format != CLI_TABLE) {
    cli_list_item(list, cli_described("list_suspended", "entries"), entry);
    return true;
  }
  const char *cells[] = {entry->execution_id.text, cli_line(entry->reason, reason, sizeof(reason)),
                         cli_time_text(entry->suspended_since, since),
                         entry->timeout_at ? cli_time_text(entry->timeout_at, until) : NULL};
  cli_table_add(table, cells);
  return true;
}

static int list_partition(struct cli *cli, unsigned partition, struct cli_list *list,
                          struct cli_table *table) {
  struct ff_list_suspended_args args = FF_ARGS(list_suspended);
  struct ff_list_suspended_result page;
  struct ff_error error;
  char name[16], cursor[FF_ID_MAX] = "";
  snprintf(name, sizeof(name), "{fp:%u}", partition);
  args.partition = ff_text(name);
  args.limit = 1000;
  do {
    args.cursor = ff_text(cursor);
    if (ff_list_suspended(cli->engine, &args, &page, &error) != FF_OK) return cli_fail(cli, &error);
    for (size_t i = 0; i < page.entries.count; i++)
      show_suspended(cli, list, table, &page.entries.items[i]);
    cli_str(page.next_cursor, cursor, sizeof(cursor));
    ff_clear(&page);
  } while (cursor[0]);
  return CLI_OK;
}

static int count_partitions(struct cli *cli, unsigned *count) {
  struct ff_read_config_args args = FF_ARGS(read_config);
  struct ff_read_config_result config;
  struct ff_error error;
  char text[32];
  *count = 256;
  if (ff_read_config(cli->engine, &args, &config, &error) != FF_OK) return cli_fail(cli, &error);
  for (size_t i = 0; i < config.config.count; i++)
    if (!strcmp(cli_str(config.config.items[i].key, text, sizeof(text)), "num_flow_partitions")) {
      cli_str(config.config.items[i].value, text, sizeof(text));
      *count = (unsigned)strtoul(text, NULL, 10);
    }
  ff_clear(&config);
  return CLI_OK;
}

static int run_suspended(struct cli *cli, int argc, char **argv) {
  static const char *const headings[] = {"execution", "reason", "since", "until"};
  struct cli_list list;
  struct cli_table table;
  struct cli_args args;
  unsigned partitions;
  cli_args_init(&args, cli, argc, argv);
  int code = cli_args_stop(cli_args_next(&args));
  if (code == CLI_OK && args.word_count) code = cli_usage(cli, "suspended expects no arguments");
  if (code == CLI_OK) code = cli_open(cli, CLI_READ);
  if (code == CLI_OK) code = count_partitions(cli, &partitions);
  if (code != CLI_OK) return code;
  cli_table_init(&table, headings, CLI_COUNT(headings));
  if (cli->format != CLI_TABLE) cli_list_begin(&list, cli);
  for (unsigned p = 0; p < partitions && code == CLI_OK; p++)
    code = list_partition(cli, p, &list, &table);
  if (cli->format != CLI_TABLE) cli_list_end(&list);
  else cli_table_print(&table, stdout);
  return code;
}

const struct cli_verb cli_verb_suspended = {
    .name = "suspended",
    .summary = "list the executions that wait for a signal",
    .usage = "suspended",
    .examples = "ff suspended\nff suspended -o jsonl",
    .run = run_suspended,
};

/* ---- signal ---- */

enum { TOKEN_FILE, PAYLOAD, SOURCE, KEY, CORRELATION, WAITPOINT };

static const struct cli_option signal_options[] = {
    [TOKEN_FILE] = {"token-file", 0, "FILE", "the waitpoint's token, - for standard input"},
    [PAYLOAD] = {"payload", 0, "VALUE", "text, @file, or - for standard input"},
    [SOURCE] = {"source", 0, "TYPE:NAME", "who sends it"},
    [KEY] = {"key", 0, "TEXT", "idempotency key: the same again is a duplicate"},
    [CORRELATION] = {"correlation", 0, "TEXT", "correlation id"},
    [WAITPOINT] = {"waitpoint", 0, "UUID", "which one; without it the one it waits on"},
    {NULL, 0, NULL, NULL},
};

/* Random, of version 4: nobody needs its order. */
static bool random_uuid(char out[37]) {
  unsigned char b[16];
  if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b)) return false;
  b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
  b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
  for (size_t i = 0, at = 0; i < sizeof(b); i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out[at++] = '-';
    at += (size_t)snprintf(out + at, 3, "%02x", b[i]);
  }
  return true;
}

struct sending {
  const char *token_file, *payload, *source, *key, *correlation, *waitpoint;
};

static void split_source(const char *source, struct ff_deliver_signal_args *args) {
  const char *colon = source ? strchr(source, ':') : NULL;
  if (!source) return;
  args->source_type = (struct ff_str){source, colon ? (size_t)(colon - source) : strlen(source)};
  if (colon) args->source_identity = ff_text(colon + 1);
}

static int send_signal(struct cli *cli, const char *id, const char *name,
                       const struct sending *s, const struct target *target, const char *token,
                       struct ff_bytes payload) {
  struct ff_deliver_signal_args args = FF_ARGS(deliver_signal);
  struct ff_deliver_signal_result sent;
  struct ff_error error;
  char signal_id[37];
  if (!random_uuid(signal_id)) return cli_error(CLI_UNREACHABLE, "no random numbers");
  args.execution_id = ff_text(id);
  args.waitpoint_id = ff_text(target->waitpoint);
  args.signal_id = ff_text(signal_id);
  args.signal_name = ff_text(name);
  args.waitpoint_token = ff_text(token);
  args.payload = payload;
  args.idempotency_key = ff_text(s->key);
  args.correlation_id = ff_text(s->correlation);
  split_source(s->source, &args);
  if (ff_deliver_signal(cli->engine, &args, &sent, &error) != FF_OK)
    return cli_fail_about(cli, id, &error);
  if (cli->format != CLI_TABLE) cli_json_struct(stdout, result_of("deliver_signal"), &sent);
  else
    printf("%s  %s\n", ff_word(FF_WORD_outcome, sent.outcome),
           sent.outcome == FF_outcome_accepted ? ff_word(FF_WORD_signal_effect, sent.effect)
                                               : sent.existing_signal_id.text);
  ff_clear(&sent);
  return CLI_OK;
}

static int run_sending(struct cli *cli, const char *id, const char *name,
                       const struct sending *s) {
  struct target target;
  char token[512], *line = NULL, *payload = NULL;
  size_t size = 0;
  int code = find_target(cli, id, s->waitpoint, &target);
  if (code == CLI_OK && s->token_file) {
    code = read_line("token", s->token_file, &line);
    if (code == CLI_OK) snprintf(token, sizeof(token), "%s", line);
  } else if (code == CLI_OK) {
    code = read_token(cli, id, target.waitpoint, token);
  }
  if (code == CLI_OK && s->payload)
    code = cli_read_value(cli, "payload", s->payload, &payload, &size);
  if (code == CLI_OK)
    code = send_signal(cli, id, name, s, &target, token, (struct ff_bytes){payload, size});
  free(line);
  free(payload);
  return code;
}

static int run_signal(struct cli *cli, int argc, char **argv) {
  struct sending s = {0};
  struct cli_args args;
  cli_args_init(&args, cli, argc, argv);
  const char **values[] = {&s.token_file, &s.payload,     &s.source,
                           &s.key,        &s.correlation, &s.waitpoint};
  int option;
  while ((option = cli_args_next(&args)) >= 0) *values[option] = args.value;
  int code = cli_args_stop(option);
  if (code != CLI_OK || option != CLI_ARGS_END) return code;
  if (args.word_count != 2) return cli_usage(cli, "signal expects an execution id and a name");
  code = cli_open(cli, CLI_WRITE);
  return code == CLI_OK ? run_sending(cli, args.words[0], args.words[1], &s) : code;
}

const struct cli_verb cli_verb_signal = {
    .name = "signal",
    .summary = "deliver a signal to a suspended execution",
    .usage = "signal EID NAME [OPTIONS]",
    .examples =
        "ff signal {fp:7}:550e8400-e29b-41d4-a716-446655440000 paid --payload '{\"eur\":7}'\n"
        "ff signal {fp:7}:550e8400-e29b-41d4-a716-446655440000 ok --token-file - < token",
    .notes = "Without --token-file the token is read from the store: who can open it may.",
    .options = signal_options,
    .run = run_signal,
};

/* ---- approve ---- */

enum { BY, REJECT, AT };

static const struct cli_option approve_options[] = {
    [BY] = {"by", 0, "NAME", "who approves; the same one twice counts once ($USER)"},
    [REJECT] = {"reject", 0, NULL, "send `rejected` instead of `approved`"},
    [AT] = {"waitpoint", 0, "UUID", "which one; without it the one it waits on"},
    {NULL, 0, NULL, NULL},
};

static int approve(struct cli *cli, const char *id, const char *by, bool reject,
                   const char *waitpoint) {
  struct ff_deliver_approval_signal_args args = FF_ARGS(deliver_approval_signal);
  struct ff_deliver_approval_signal_result sent;
  struct ff_error error;
  struct target target;
  int code = find_target(cli, id, waitpoint, &target);
  if (code != CLI_OK) return code;
  args.execution_id = ff_text(id);
  args.lane_id = ff_text(target.lane);
  args.waitpoint_id = ff_text(target.waitpoint);
  args.signal_name = ff_text(reject ? "rejected" : "approved");
  args.idempotency_suffix = args.source_identity = ff_text(by);
  args.signal_dedup_ttl_ms = 86400000;
  if (ff_deliver_approval_signal(cli->engine, &args, &sent, &error) != FF_OK)
    return cli_fail_about(cli, id, &error);
  if (cli->format != CLI_TABLE)
    cli_json_struct(stdout, result_of("deliver_approval_signal"), &sent);
  else
    printf("%s  %s\n", ff_word(FF_WORD_outcome, sent.outcome),
           sent.outcome == FF_outcome_accepted ? ff_word(FF_WORD_signal_effect, sent.effect)
                                               : sent.existing_signal_id.text);
  ff_clear(&sent);
  return CLI_OK;
}

static int run_approve(struct cli *cli, int argc, char **argv) {
  const char *by = getenv("USER"), *waitpoint = NULL;
  struct cli_args args;
  bool reject = false;
  int option;
  cli_args_init(&args, cli, argc, argv);
  while ((option = cli_args_next(&args)) >= 0) {
    if (option == BY) by = args.value;
    else if (option == AT) waitpoint = args.value;
    else reject = true;
  }
  int code = cli_args_stop(option);
  if (code != CLI_OK || option != CLI_ARGS_END) return code;
  if (args.word_count != 1) return cli_usage(cli, "approve expects an execution id");
  if (!by || !*by) return cli_usage(cli, "approve does not know who you are: --by NAME");
  code = cli_open(cli, CLI_WRITE);
  return code == CLI_OK ? approve(cli, args.words[0], by, reject, waitpoint) : code;
}

const struct cli_verb cli_verb_approve = {
    .name = "approve",
    .summary = "approve or reject what a suspended execution asks for",
    .usage = "approve EID [--by NAME] [--reject]",
    .examples = "ff approve {fp:7}:550e8400-e29b-41d4-a716-446655440000\n"
                "ff approve {fp:7}:550e8400-e29b-41d4-a716-446655440000 --by ann --reject",
    .notes = "Sends the signal `approved` or `rejected`, of the source operator and that name.",
    .options = approve_options,
    .run = run_approve,
};

/* ---- token ---- */

static int list_waitpoints(struct cli *cli, const char *id) {
  static const char *const headings[] = {"waitpoint", "key", "state", "kid", "fingerprint"};
  struct ff_list_pending_waitpoints_args args = FF_ARGS(list_pending_waitpoints);
  struct ff_list_pending_waitpoints_result found;
  struct ff_error error;
  struct cli_table table;
  char key[300], kid[140], print[40];
  args.execution_id = ff_text(id);
  args.limit = 1000;
  if (ff_list_pending_waitpoints(cli->engine, &args, &found, &error) != FF_OK)
    return cli_fail_about(cli, id, &error);
  cli_table_init(&table, headings, CLI_COUNT(headings));
  for (size_t i = 0; i < found.entries.count; i++) {
    const struct ff_pending_waitpoint *w = &found.entries.items[i];
    const char *cells[] = {w->waitpoint_id.text, cli_line(w->waitpoint_key, key, sizeof(key)),
                           ff_word(FF_WORD_waitpoint_state, w->state),
                           cli_line(w->token_kid, kid, sizeof(kid)),
                           cli_line(w->token_fingerprint, print, sizeof(print))};
    cli_table_add(&table, cells);
  }
  if (cli->format == CLI_TABLE) {
    cli_table_print(&table, stdout);
  } else {
    cli_table_fini(&table);
    cli_json_struct(stdout, result_of("list_pending_waitpoints"), &found);
  }
  ff_clear(&found);
  return CLI_OK;
}

static int run_token(struct cli *cli, int argc, char **argv) {
  struct cli_args args;
  char token[512];
  cli_args_init(&args, cli, argc, argv);
  int option = cli_args_next(&args), code = cli_args_stop(option);
  if (code != CLI_OK || option != CLI_ARGS_END) return code;
  if (args.word_count < 1 || args.word_count > 2)
    return cli_usage(cli, "token expects an execution id, and a waitpoint to read its token");
  code = cli_open(cli, CLI_READ);
  if (code != CLI_OK) return code;
  if (args.word_count == 1) return list_waitpoints(cli, args.words[0]);
  code = read_token(cli, args.words[0], args.words[1], token);
  if (code == CLI_OK) puts(token);
  return code;
}

const struct cli_verb cli_verb_token = {
    .name = "token",
    .summary = "list the waitpoints of an execution, or read one's token",
    .usage = "token EID [WAITPOINT]",
    .examples = "ff token {fp:7}:550e8400-e29b-41d4-a716-446655440000",
    .notes = "Whoever has the token may signal that waitpoint: hand it out, do not log it.",
    .run = run_token,
};

/* ---- secret ---- */

enum { SECRET_FILE, GRACE };

static const struct cli_option secret_options[] = {
    [SECRET_FILE] = {"secret-file", 0, "FILE",
                     "the secret in hex, - for standard input; rotate: a random one"},
    [GRACE] = {"grace", 0, "TIME", "how long tokens of the old secret stay good (24h)"},
    {NULL, 0, NULL, NULL},
};

static int random_secret(char out[65]) {
  unsigned char b[32];
  if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
    return cli_error(CLI_UNREACHABLE, "no random numbers");
  for (size_t i = 0; i < sizeof(b); i++) snprintf(out + 2 * i, 3, "%02x", b[i]);
  explicit_bzero(b, sizeof(b));
  return CLI_OK;
}

static int list_kids(struct cli *cli) {
  struct ff_list_waitpoint_hmac_kids_args args = FF_ARGS(list_waitpoint_hmac_kids);
  struct ff_list_waitpoint_hmac_kids_result kids;
  struct ff_error error;
  char kid[140], until[32];
  if (ff_list_waitpoint_hmac_kids(cli->engine, &args, &kids, &error) != FF_OK)
    return cli_fail(cli, &error);
  if (cli->format != CLI_TABLE) {
    cli_json_struct(stdout, result_of("list_waitpoint_hmac_kids"), &kids);
  } else {
    printf("%s  current\n", cli_line(kids.current_kid, kid, sizeof(kid)));
    for (size_t i = 0; i < kids.verifying.count; i++)
      printf("%s  until %s\n", cli_line(kids.verifying.items[i].kid, kid, sizeof(kid)),
             cli_time_text(kids.verifying.items[i].expires_at_ms, until));
  }
  ff_clear(&kids);
  return CLI_OK;
}

static int rotate(struct cli *cli, const char *kid, const char *secret, int64_t grace_ms) {
  struct ff_rotate_waitpoint_hmac_secret_all_args args = FF_ARGS(rotate_waitpoint_hmac_secret_all);
  struct ff_rotate_waitpoint_hmac_secret_all_result rotated;
  struct ff_error error;
  int code = CLI_OK;
  args.new_kid = ff_text(kid);
  args.new_secret_hex = ff_text(secret);
  args.grace_ms = (uint64_t)grace_ms;
  if (ff_rotate_waitpoint_hmac_secret_all(cli->engine, &args, &rotated, &error) != FF_OK)
    return cli_fail(cli, &error);
  if (rotated.weak_secret) cli_note(cli, "ff: note: a secret of less than 64 hex digits is weak");
  const struct ff_rotation *entry = &rotated.entries.items[0];
  if (entry->error.rc != FF_OK) code = cli_fail_about(cli, kid, &entry->error);
  else if (cli->format != CLI_TABLE)
    cli_json_struct(stdout, result_of("rotate_waitpoint_hmac_secret_all"), &rotated);
  else printf("%s  %s\n", kid, ff_word(FF_WORD_outcome, entry->outcome));
  ff_clear(&rotated);
  return code;
}

static int seed(struct cli *cli, const char *kid, const char *secret) {
  struct ff_seed_waitpoint_hmac_secret_args args = FF_ARGS(seed_waitpoint_hmac_secret);
  struct ff_seed_waitpoint_hmac_secret_result seeded;
  struct ff_error error;
  args.kid = ff_text(kid);
  args.secret_hex = ff_text(secret);
  if (ff_seed_waitpoint_hmac_secret(cli->engine, &args, &seeded, &error) != FF_OK)
    return cli_fail_about(cli, kid, &error);
  if (cli->format != CLI_TABLE)
    cli_json_struct(stdout, result_of("seed_waitpoint_hmac_secret"), &seeded);
  else
    printf("%s  %s%s\n", kid, ff_word(FF_WORD_outcome, seeded.outcome),
           seeded.same_secret ? "" : ", another secret");
  ff_clear(&seeded);
  return CLI_OK;
}

static int change_secret(struct cli *cli, const struct cli_args *args, const char *file,
                         int64_t grace_ms) {
  bool rotates = strcmp(args->words[0], "rotate") == 0;
  char *given = NULL, made[65];
  if (args->word_count != 2) return cli_usage(cli, "secret %s expects a kid", args->words[0]);
  if (!rotates && !file) return cli_usage(cli, "secret seed expects --secret-file");
  int code = file ? read_line("secret", file, &given) : random_secret(made);
  if (code == CLI_OK) code = cli_open(cli, CLI_WRITE);
  const char *secret = given ? given : made;
  if (code == CLI_OK)
    code = rotates ? rotate(cli, args->words[1], secret, grace_ms)
                   : seed(cli, args->words[1], secret);
  if (given) explicit_bzero(given, strlen(given));
  explicit_bzero(made, sizeof(made));
  free(given);
  return code;
}

static int run_secret(struct cli *cli, int argc, char **argv) {
  const char *file = NULL;
  int64_t grace_ms = 86400000;
  struct cli_args args;
  int option;
  cli_args_init(&args, cli, argc, argv);
  while ((option = cli_args_next(&args)) >= 0) {
    if (option == SECRET_FILE) file = args.value;
    else if (!cli_parse_duration(args.value, &grace_ms))
      return cli_usage(cli, "--grace expects a duration, got '%s'", args.value);
  }
  int code = cli_args_stop(option);
  if (code != CLI_OK || option != CLI_ARGS_END) return code;
  if (!args.word_count) return cli_usage(cli, "secret expects kids, rotate or seed");
  if (strcmp(args.words[0], "rotate") == 0 || strcmp(args.words[0], "seed") == 0)
    return change_secret(cli, &args, file, grace_ms);
  if (strcmp(args.words[0], "kids") != 0)
    return cli_usage(cli, "secret expects kids, rotate or seed, got '%s'", args.words[0]);
  code = cli_open(cli, CLI_READ);
  return code == CLI_OK ? list_kids(cli) : code;
}

const struct cli_verb cli_verb_secret = {
    .name = "secret",
    .summary = "the keys of waitpoint tokens: list, rotate, seed",
    .usage = "secret kids | rotate KID [--grace TIME] | seed KID --secret-file FILE",
    .examples = "ff secret kids\nff secret rotate 2026-11 --grace 2d\n"
                "ff secret seed k1 --secret-file -  < secret.hex",
    .notes = "rotate without --secret-file makes a random secret. Secrets are never shown.",
    .options = secret_options,
    .words = "kids rotate seed",
    .run = run_secret,
};
