/*
 * ff workers: who is registered and live, and removing one that is not coming back.
 */
#include "args.h"
#include "out.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NAMESPACE, REASON };
static const struct cli_option options[] = {
    [NAMESPACE] = {"namespace", 0, "NAME", "of this namespace only; of the worker to be removed"},
    [REASON] = {"reason", 0, "TEXT", "why it is removed, kept with the event"},
    {NULL, 0, NULL, NULL},
};

struct listing {
  struct cli *cli;
  struct cli_table table;
  struct cli_list list;
};

/* a, b, c */
static const char *words_line(struct ff_strs words, char *line, size_t size) {
  size_t len = 0;
  line[0] = '\0';
  for (size_t i = 0; i < words.count && len < size; i++) {
    char word[80];
    int n = snprintf(line + len, size - len, "%s%s", i ? ", " : "",
                     cli_line(words.items[i], word, sizeof(word)));
    len += n > 0 ? (size_t)n : 0;
  }
  return line;
}

static void add(struct listing *listing, const struct ff_worker *w) {
  char instance[272], id[272], namespace_[272], lanes[512], capabilities[512], heard[32];
  if (listing->cli->format != CLI_TABLE) {
    cli_list_item(&listing->list, cli_described("list_workers", "workers"), w);
    return;
  }
  const char *cells[] = {cli_line(w->worker_instance_id, instance, sizeof(instance)),
                         cli_line(w->worker_id, id, sizeof(id)),
                         cli_line(w->namespace_, namespace_, sizeof(namespace_)),
                         words_line(w->lanes, lanes, sizeof(lanes)),
                         words_line(w->capabilities, capabilities, sizeof(capabilities)),
                         cli_time_text(w->last_heartbeat_ms, heard)};
  cli_table_add(&listing->table, cells);
}

static int list_pages(struct listing *listing, struct ff_str namespace_) {
  struct ff_error error = {0};
  struct ff_list_workers_args call = FF_ARGS(list_workers);
  char *after = NULL;
  int code = CLI_OK;
  call.namespace_ = namespace_;
  call.limit = 1000;
  do {
    struct ff_list_workers_result page;
    if (ff_list_workers(listing->cli->engine, &call, &page, &error) != FF_OK) {
      code = cli_fail(listing->cli, &error);
      break;
    }
    for (size_t i = 0; i < page.workers.count; i++) add(listing, &page.workers.items[i]);
    free(after);
    after = page.cursor.len ? cli_copy(page.cursor.ptr, page.cursor.len) : NULL;
    call.after = ff_text(after);
    ff_clear(&page);
  } while (after);
  free(after);
  return code;
}

static int list_workers(struct cli *cli, const char *namespace_) {
  static const char *const headings[] = {"INSTANCE", "WORKER",       "NAMESPACE",
                                         "LANES",    "CAPABILITIES", "HEARD"};
  struct listing listing = {.cli = cli};
  if (cli->format == CLI_TABLE) cli_table_init(&listing.table, headings, CLI_COUNT(headings));
  else cli_list_begin(&listing.list, cli);
  int code = list_pages(&listing, ff_text(namespace_));
  if (cli->format != CLI_TABLE) cli_list_end(&listing.list);
  else if (code == CLI_OK) cli_table_print(&listing.table, stdout);
  cli_table_fini(&listing.table);
  return code;
}

static int mark_dead(struct cli *cli, const char *instance, const char *namespace_,
                     const char *reason) {
  struct ff_error error = {0};
  struct ff_mark_worker_dead_args call = FF_ARGS(mark_worker_dead);
  struct ff_mark_worker_dead_result result;
  call.worker_instance_id = ff_text(instance);
  call.namespace_ = ff_text(namespace_);
  call.reason = ff_text(reason);
  if (ff_mark_worker_dead(cli->engine, &call, &result, &error) != FF_OK)
    return cli_fail_about(cli, instance, &error);
  if (cli->format != CLI_TABLE) {
    cli_json_struct(stdout, ff_operation_find(ff_text("mark_worker_dead"))->result, &result);
    putchar('\n');
  } else {
    printf("%s  %s\n", instance,
           result.outcome == FF_outcome_marked ? "removed; its leases end by their own time"
                                               : "not registered");
  }
  ff_clear(&result);
  return CLI_OK;
}

static int run_workers(struct cli *cli, int argc, char **argv) {
  const char *namespace_ = NULL, *reason = NULL;
  struct cli_args args;
  int option;
  cli_args_init(&args, cli, argc, argv);
  while ((option = cli_args_next(&args)) >= 0) {
    if (option == NAMESPACE) namespace_ = args.value;
    else reason = args.value;
  }
  if (option != CLI_ARGS_END) return cli_args_stop(option);
  if (args.word_count == 0) {
    if (reason) return cli_usage(cli, "--reason goes with workers dead INSTANCE");
    int code = cli_open(cli, CLI_READ);
    return code == CLI_OK ? list_workers(cli, namespace_) : code;
  }
  if (strcmp(args.words[0], "dead") != 0)
    return cli_usage(cli, "workers expects dead INSTANCE, got '%s'", args.words[0]);
  if (args.word_count != 2) return cli_usage(cli, "workers dead expects one INSTANCE");
  int code = cli_open(cli, CLI_WRITE);
  return code == CLI_OK ? mark_dead(cli, args.words[1], namespace_, reason) : code;
}

const struct cli_verb cli_verb_workers = {
    .name = "workers",
    .summary = "list the live workers; remove one from the registry",
    .usage = "workers [dead INSTANCE] [--namespace N] [--reason TEXT]",
    .examples = "ff workers\nff workers dead host7-4711 --reason 'disk failed'",
    .notes = "Workers are those that registered and are still heard of; `ff run` does not\n"
             "register. Removing one leaves its leases alone: they end by their own time.",
    .options = options,
    .words = "dead",
    .run = run_workers,
};
