/*
 * The events of all executions: asks for page after page behind the cursor of the last one.
 *
 * Lines of -o jsonl carry the cursor of their event: whoever keeps the last one goes on with
 * --cursor and misses nothing.
 */
#include "feed.h"

#include "args.h"
#include "out.h"

#include <stdlib.h>
#include <string.h>

enum { WAIT_SLICE_MS = 1000, PAGE = 256 };

struct page {
  struct ff_memory *memory;
  const void *items;
  size_t count;
  struct ff_bytes next;
  bool dropped;
};

#define CALL(name)                                                                              \
  static enum ff_rc call_##name(struct cli *cli, const struct cli_feed *feed, uint64_t wait_ms, \
                                struct page *page, struct ff_error *error) {                    \
    struct ff_subscribe_##name##_args args = FF_ARGS(subscribe_##name);                         \
    struct ff_subscribe_##name##_result found;                                                  \
    args.cursor = feed->cursor;                                                                 \
    args.from_start = feed->from_start && !feed->cursor.len;                                    \
    args.filter = feed->filter;                                                                 \
    args.limit = feed->left < PAGE ? (uint32_t)feed->left : PAGE;                               \
    args.max_wait_ms = wait_ms;                                                                 \
    enum ff_rc rc = ff_subscribe_##name(cli->engine, &args, &found, error);                     \
    if (rc == FF_OK)                                                                            \
      *page = (struct page){found.memory, found.events.items, found.events.count,               \
                            found.next_cursor, found.dropped};                                  \
    return rc;                                                                                  \
  }
CALL(completion)
CALL(lease_history)
CALL(signal_delivery)
CALL(instance_tags)

/* ---- how they look in a table: WHEN WHAT EXECUTION WHO WHY ---- */
enum { CELL = 512 };
struct row {
  int64_t at;
  const char *what;
  struct ff_id execution;
  char who[CELL], why[CELL];
};

static void row_of_completion(const void *item, struct row *row) {
  const struct ff_completion_event *e = item;
  row->at = e->at;
  row->what = ff_word(FF_WORD_terminal_outcome, e->outcome);
  row->execution = e->execution_id;
}

static void row_of_lease(const void *item, struct row *row) {
  const struct ff_lease_history_event *e = item;
  row->at = e->at;
  row->what = ff_word(FF_WORD_lease_event, e->kind);
  row->execution = e->execution_id;
  struct ff_str who = e->worker_instance_id.len ? e->worker_instance_id
                      : e->prev_owner.len       ? e->prev_owner
                                                : e->new_owner;
  if (e->revoked_by) who = ff_text(ff_word(FF_WORD_revoked_by, e->revoked_by));
  cli_line(who, row->who, CELL);
  cli_line(e->reason, row->why, CELL);
}

static void row_of_signal(const void *item, struct row *row) {
  const struct ff_signal_delivery_event *e = item;
  row->at = e->at;
  row->what = ff_word(FF_WORD_signal_delivery, e->effect);
  row->execution = e->execution_id;
  cli_line(e->source_identity, row->who, CELL);
  snprintf(row->why, CELL, "%s", ff_word(FF_WORD_signal_effect, e->observed_effect));
}

static void row_of_tag(const void *item, struct row *row) {
  const struct ff_instance_tag_event *e = item;
  row->at = e->at;
  row->what = "tagged";
  row->execution = e->execution_id;
  cli_line(e->tag, row->who, CELL);
  cli_line(e->value, row->why, CELL);
}

static const struct family {
  const char *name, *operation;
  enum ff_rc (*call)(struct cli *, const struct cli_feed *, uint64_t wait_ms, struct page *,
                     struct ff_error *);
  void (*row)(const void *item, struct row *);
  const char *who, *why;
} families[] = {
    {"completion", "subscribe_completion", call_completion, row_of_completion, "", ""},
    {"lease", "subscribe_lease_history", call_lease_history, row_of_lease, "BY", "REASON"},
    {"signal", "subscribe_signal_delivery", call_signal_delivery, row_of_signal, "FROM", "EFFECT"},
    {"tag", "subscribe_instance_tags", call_instance_tags, row_of_tag, "TAG", "VALUE"}};

/* ---- options ---- */

int cli_feed_family(struct cli *cli, struct cli_feed *feed, const char *name) {
  for (size_t i = 0; i < CLI_COUNT(families); i++)
    if (strcmp(families[i].name, name) == 0) {
      feed->family = (int)i;
      return CLI_OK;
    }
  return cli_usage(cli, "--family expects completion, lease, signal or tag, got '%s'", name);
}

int cli_feed_cursor(struct cli *cli, struct cli_feed *feed, const char *base64) {
  size_t size;
  free(feed->owned);
  feed->owned = NULL;
  feed->cursor = (struct ff_bytes){0};
  if (!cli_base64_decode(base64, strlen(base64), &feed->owned, &size) || size == 0)
    return cli_usage(cli, "--cursor expects the cursor of an earlier line, got '%s'", base64);
  feed->cursor = (struct ff_bytes){feed->owned, size};
  return CLI_OK;
}

int cli_feed_tag(struct cli *cli, struct cli_feed *feed, const char *tag) {
  const char *equals = strchr(tag, '=');
  if (!equals || equals == tag) return cli_usage(cli, "--tag expects KEY=VALUE, got '%s'", tag);
  feed->filter.tag_key = (struct ff_str){tag, (size_t)(equals - tag)};
  feed->filter.tag_value = ff_text(equals + 1);
  return CLI_OK;
}

void cli_feed_fini(struct cli_feed *feed) { free(feed->owned); }

/* ---- showing ---- */

struct show {
  struct cli *cli;
  struct cli_feed *feed;
  const struct family *family;
  const struct ff_struct *item;
  struct cli_table table;
  struct cli_list list;
};

static void show_item(struct show *s, const void *item) {
  if (s->cli->format != CLI_TABLE) {
    cli_list_item(&s->list, s->item, item);
    return;
  }
  struct row row = {0};
  char at[32];
  s->family->row(item, &row);
  cli_time_text(row.at, at);
  if (s->feed->follow) {
    printf("%s  %-9s  %s", at, row.what, row.execution.text);
    if (row.who[0]) printf("  %s", row.who);
    if (row.why[0]) printf("  %s", row.why);
    putchar('\n');
    return;
  }
  const char *cells[] = {at, row.what, row.execution.text, row.who, row.why};
  cli_table_add(&s->table, cells);
}

/* The page goes, its cursor stays. */
static void move_on(struct cli_feed *feed, struct page *page) {
  unsigned char *next = cli_alloc(page->next.len);
  memcpy(next, page->next.ptr, page->next.len);
  free(feed->owned);
  feed->owned = next;
  feed->cursor = (struct ff_bytes){next, page->next.len};
}

static void show_page(struct show *s, struct page *page) {
  if (page->dropped)
    fprintf(stderr, "ff: retention has removed events before this point; read state anew\n");
  for (size_t i = 0; i < page->count && s->feed->left > 0; i++, s->feed->left--)
    show_item(s, (const char *)page->items + i * s->item->size);
  if (s->feed->follow) fflush(stdout);
  move_on(s->feed, page);
}

static int show_all(struct show *s) {
  struct cli_feed *feed = s->feed;
  int64_t until =
      s->cli->timeout_ms < 0 ? INT64_MAX : cli_monotonic_ms() + s->cli->timeout_ms;
  if (!feed->follow && !feed->cursor.len) feed->from_start = true;
  while (feed->left > 0) {
    struct ff_error error = {0};
    struct page page;
    int64_t wait_ms = until - cli_monotonic_ms();
    if (wait_ms < 0) wait_ms = 0;
    if (wait_ms > WAIT_SLICE_MS) wait_ms = WAIT_SLICE_MS;
    if (s->family->call(s->cli, feed, feed->follow ? (uint64_t)wait_ms : 0, &page, &error) != FF_OK)
      return cli_fail(s->cli, &error);
    bool none = !page.count && !page.dropped;
    show_page(s, &page);
    ff_clear(&page);
    if (none && (!feed->follow || cli_monotonic_ms() >= until)) return CLI_OK;
  }
  return CLI_OK;
}

int cli_feed_show(struct cli *cli, struct cli_feed *feed) {
  const struct family *family = &families[feed->family];
  struct show s = {.cli = cli,
                   .feed = feed,
                   .family = family,
                   .item = cli_described(family->operation, "events")};
  const char *headings[] = {"AT", "WHAT", "EXECUTION", family->who, family->why};
  bool table = cli->format == CLI_TABLE && !feed->follow;
  if (table) cli_table_init(&s.table, headings, CLI_COUNT(headings) - (feed->family == 0 ? 2 : 0));
  if (cli->format != CLI_TABLE) cli_list_begin(&s.list, cli);
  int code = show_all(&s);
  if (cli->format != CLI_TABLE) cli_list_end(&s.list);
  if (table && code == CLI_OK) cli_table_print(&s.table, stdout);
  cli_table_fini(&s.table);
  return code;
}
