/*
 * Cursors on any bytes, on both stores: query_executions, list_executions, list_lanes, list_events
 * and the store's event log.
 *
 * Only what we would have written ourselves is accepted; what is answered lies behind the cursor,
 * the next cursor is accepted and its pages end, and both stores answer alike. The world behind it
 * is built once and only read. Input: what to ask, a byte of choices, then the cursor.
 */
#include "fuzz.h"

#include "engine/engine.h"
#include "op/values.h"
#include "store/calls.h"

#define EXECUTIONS 9
#define PAGES_MAX 64 /* far more than there are rows */
#define START INT64_C(1700000000000)
#define ID "{fp:7}:00000000-0000-7000-8000-00000000000"

const struct ff_str fuzz_seeds[] = {
    SEED("\x00\x00" "1700000000010:" ID "1"),
    SEED("\x00\x13" "1700000000020:{fp:8}:00000000-0000-7000-8000-000000000002"),
    SEED("\x00\x05" "-1:" ID "1"),
    SEED("\x00\xff" "9223372036854775807:{fp:255}:ffffffff-ffff-ffff-ffff-ffffffffffff"),
    SEED("\x01\x10" ID "4"),
    SEED("\x01\x30" ID "1"),
    SEED("\x02\x20" "a"),
    SEED("\x02\x00" "default"),
    SEED("\x03\x21" "\x03\0\0\0\0\0\0\0"),
    SEED("\x03\xf0" "\xff\xff\xff\xff\xff\xff\xff\x7f"),
    SEED("\x03\x05" "\x09\0\0\0\0\0\0\x80"),
    SEED("\x04\x20" "\x04\0\0\0\0\0\0\0\x03"),
    SEED("\x04\x20" "\x04"),
    SEED("\x04\x40" "\x03\0\0\0\0\0\0\0\x07"),
    SEED("\x04\x10" "\x04\x7f\xff\xff\xff\xff\xff\xff\xff"),
    {NULL, 0}};

/* ---- the world ---- */

static const char *const urls[] = {"memory:fuzz_cursor", "sqlite::memory:"};
#define STORES ARRAY_LEN(urls)
static struct engine *engines[STORES];
static struct store_session *readers[STORES];
static int64_t clock_now;

static int64_t read_clock(void *user) {
  (void)user;
  return clock_now;
}

static void quiet(void *user, enum ff_log_level level, const char *message) {
  (void)user, (void)level, (void)message;
}

/* Answers a result to be released; the call must succeed. */
static void must(struct engine *e, enum op_id op, const void *args, void *result) {
  struct ff_error error;
  if (engine_call(e, op, args, result, &error) == FF_OK) return;
  fprintf(stderr, "%s: %s\n", op_infos[op].name, error.detail);
  INVARIANT(!"the world cannot be built");
}

static struct ff_str id_of(unsigned number, struct ff_id *out) {
  snprintf(out->text, sizeof out->text, "{fp:%u}:00000000-0000-7000-8000-%012u", 7 + number % 2,
           number);
  return ff_text(out->text);
}

static void create(struct engine *e, unsigned number) {
  static const char *const lanes[] = {"default", "a", "b c"};
  struct ff_id id;
  struct ff_create_execution_args args = FF_ARGS(create_execution);
  struct ff_create_execution_result made;
  args.execution_id = id_of(number, &id);
  args.lane_id = ff_text(lanes[number % 3]);
  args.priority = (int32_t)number;
  must(e, OP_create_execution, &args, &made);
  values_free(made.memory);
}

static void cancel(struct engine *e, unsigned number) {
  struct ff_id id;
  struct ff_cancel_execution_args args = FF_ARGS(cancel_execution);
  struct ff_cancel_execution_result cancelled;
  args.execution_id = id_of(number, &id);
  must(e, OP_cancel_execution, &args, &cancelled);
  values_free(cancelled.memory);
}

static void fill(struct engine *e) {
  for (unsigned i = 1; i <= EXECUTIONS; i++) {
    clock_now = START + 10 * (i - i % 2); /* pairs of one time */
    create(e, i);
    struct ff_id id;
    struct ff_change_priority_args args = FF_ARGS(change_priority);
    struct ff_change_priority_result changed;
    args.execution_id = id_of(i, &id);
    for (unsigned k = 0; k < i % 4; k++) {
      must(e, OP_change_priority, &args, &changed);
      values_free(changed.memory);
    }
  }
  cancel(e, 3);
}

static void build(void) {
  for (size_t i = 0; i < STORES; i++) {
    struct ff_error error;
    struct engine_options options = {.manual = true, .open = FF_OPEN_OPTIONS_INIT};
    options.open.clock_ms = read_clock;
    options.open.seed = 7;
    options.open.dev_mode = true;
    options.open.log = quiet;
    clock_now = START; /* a store's clock never goes back */
    INVARIANT(engine_open(ff_text(urls[i]), &options, &engines[i], &error) == FF_OK);
    fill(engines[i]);
    INVARIANT(store_session_open(engine_store(engines[i]), STORE_READER, &readers[i], &error) ==
              FF_OK);
  }
}

/* ---- asking both stores ---- */

static void check_refusal(const struct ff_error *e) {
  INVARIANT(e->rc == FF_VALIDATION && e->code == FF_CODE_invalid_input);
  INVARIANT(strcmp(e->field, "cursor") == 0 && text_is_utf8(ff_text(e->detail)));
}

/* False when both refuse. The first store's answer is in *result and must be released. */
static bool ask(enum op_id op, const void *args, void *result) {
  struct ff_error first, second;
  uint8_t other[1024];
  struct buffer a, b;
  INVARIANT(op_infos[op].result_size <= sizeof other);
  enum ff_rc rc = engine_call(engines[0], op, args, result, &first);
  INVARIANT(engine_call(engines[1], op, args, other, &second) == rc);
  if (rc != FF_OK) {
    check_refusal(&first);
    INVARIANT(strcmp(first.detail, second.detail) == 0);
    return false;
  }
  buffer_init(&a);
  buffer_init(&b);
  values_print(op_infos[op].result, result, &a);
  values_print(op_infos[op].result, other, &b);
  INVARIANT(text_equal(buffer_text(&a), buffer_text(&b)));
  buffer_fini(&a);
  buffer_fini(&b);
  values_free(*(struct ff_memory **)(void *)other);
  return true;
}

/* ---- query_executions ---- */

struct place {
  int64_t created_at;
  struct exec_id id;
};

static int place_compare(const struct place *a, const struct place *b) {
  if (a->created_at != b->created_at) return a->created_at < b->created_at ? -1 : 1;
  if (a->id.partition != b->id.partition) return a->id.partition < b->id.partition ? -1 : 1;
  return uuid_compare(a->id.uuid, b->id.uuid);
}

static struct place place_of(const struct ff_execution *x) {
  struct place p = {.created_at = x->created_at};
  INVARIANT(exec_id_parse(ff_text(x->execution_id.text), "x", 256, &p.id, NULL) == FF_OK);
  return p;
}

/* Reads what was accepted: it must be spelled as we spell it. */
static struct place place_of_cursor(struct ff_str cursor) {
  struct place p;
  struct ff_id id;
  char again[96];
  const char *colon = memchr(cursor.ptr, ':', cursor.len);
  INVARIANT(colon != NULL);
  size_t at = (size_t)(colon - cursor.ptr);
  INVARIANT(parse_i64(text_of(cursor.ptr, at), &p.created_at));
  INVARIANT(exec_id_parse(text_of(colon + 1, cursor.len - at - 1), "x", 256, &p.id, NULL) == FF_OK);
  exec_id_format(p.id, &id);
  snprintf(again, sizeof again, "%lld:%s", (long long)p.created_at, id.text);
  INVARIANT(text_equal_c(cursor, again));
  return p;
}

static void check_query(struct ff_str cursor, uint8_t choice) {
  struct ff_query_executions_args args = FF_ARGS(query_executions);
  struct ff_query_executions_result page;
  struct arena arena;
  size_t seen = 0;
  arena_init(&arena);
  if (choice & 1) args.lane_id = ff_text("default");
  if (choice & 2) args.created_from = START + 30;
  if (choice & 4) args.public_state = ff_text("waiting");
  args.limit = 1 + choice / 16;
  args.cursor = cursor;
  for (unsigned pages = 0; ask(OP_query_executions, &args, &page); pages++) {
    struct place last = {.created_at = INT64_MIN};
    if (text_nonempty(args.cursor)) last = place_of_cursor(args.cursor);
    for (size_t i = 0; i < page.executions.count; i++, seen++) {
      struct place p = place_of(&page.executions.items[i]);
      INVARIANT(place_compare(&last, &p) < 0);
      last = p;
    }
    INVARIANT(page.executions.count <= args.limit && pages < PAGES_MAX && seen <= EXECUTIONS);
    args.cursor = arena_text(&arena, page.next_cursor);
    values_free(page.memory);
    if (!text_nonempty(args.cursor)) break;
  }
  arena_fini(&arena);
}

/* ---- list_executions, list_lanes ---- */

static void check_list(struct ff_str cursor, uint8_t choice) {
  struct ff_list_executions_args args = FF_ARGS(list_executions);
  struct ff_list_executions_result page;
  struct ff_id after = {""};
  args.partition = ff_text("{fp:7}");
  args.limit = choice / 16;
  args.cursor = cursor;
  for (unsigned pages = 0; ask(OP_list_executions, &args, &page); pages++) {
    struct exec_id last, next;
    bool behind = text_nonempty(args.cursor);
    if (behind) INVARIANT(exec_id_parse(args.cursor, "x", 256, &last, NULL) == FF_OK);
    for (size_t i = 0; i < page.executions.count; i++, behind = true, last = next) {
      struct ff_str text = ff_text(page.executions.items[i].execution_id.text);
      INVARIANT(exec_id_parse(text, "x", 256, &next, NULL) == FF_OK && next.partition == 7);
      INVARIANT(!behind || uuid_compare(last.uuid, next.uuid) < 0);
    }
    INVARIANT(page.executions.count <= args.limit && pages < PAGES_MAX);
    INVARIANT(page.next_cursor.len < sizeof after.text);
    if (page.next_cursor.len) memcpy(after.text, page.next_cursor.ptr, page.next_cursor.len);
    after.text[page.next_cursor.len] = '\0';
    args.cursor = ff_text(after.text);
    values_free(page.memory);
    if (!args.cursor.len) return;
  }
}

static void check_lanes(struct ff_str cursor, uint8_t choice) {
  struct ff_list_lanes_args args = FF_ARGS(list_lanes);
  struct ff_list_lanes_result page;
  args.cursor = cursor;
  args.limit = choice / 16;
  if (!ask(OP_list_lanes, &args, &page)) return;
  INVARIANT(text_is_utf8(cursor) && cursor.len <= 256 && page.lanes.count <= args.limit);
  struct ff_str last = cursor;
  for (size_t i = 0; i < page.lanes.count; i++) {
    INVARIANT(text_compare(last, page.lanes.items[i].lane_id) < 0);
    last = page.lanes.items[i].lane_id;
  }
  values_free(page.memory);
}

/* ---- events ---- */

static void check_events(struct ff_str cursor, uint8_t choice) {
  struct ff_list_events_args args = FF_ARGS(list_events);
  struct ff_list_events_result page;
  struct ff_id id;
  args.execution_id = id_of(1 + choice % EXECUTIONS, &id);
  args.limit = 1 + choice / 32;
  memcpy(&args.after, cursor.ptr, cursor.len < 8 ? cursor.len : 8);
  for (unsigned pages = 0;; pages++) {
    INVARIANT(pages < PAGES_MAX && ask(OP_list_events, &args, &page));
    INVARIANT(page.events.count <= args.limit && (!page.more || page.events.count > 0));
    for (size_t i = 0; i < page.events.count; i++) {
      INVARIANT(page.events.items[i].event_id > args.after);
      INVARIANT(strcmp(page.events.items[i].execution_id.text, id.text) == 0);
      args.after = page.events.items[i].event_id;
    }
    bool more = page.more;
    values_free(page.memory);
    if (!more) return;
  }
}

/* Every store by itself: a cursor is the store's own. True when it was accepted. */
static bool check_log(size_t which, struct ff_bytes cursor, uint32_t limit) {
  struct arena arena;
  struct ff_error error;
  const struct event **events;
  uint32_t count = 0, all = 0;
  bool dropped, accepted = false;
  struct ff_bytes next;
  arena_init(&arena);
  while (store_read_log(readers[which], &arena, cursor, limit, &events, &count, &next, &dropped,
                        &error) == FF_OK) {
    const uint8_t *tag = cursor.ptr;
    INVARIANT(cursor.len == 0 || tag[0] == engine_traits(engines[which])->backend);
    INVARIANT(cursor.len <= 1 || cursor.len == next.len); /* empty, the beginning, or one of ours */
    INVARIANT(cursor.len || count == 0);
    INVARIANT(count <= limit && next.len && !dropped);
    accepted = true;
    all += count;
    cursor = next;
    if (count == 0) break;
    INVARIANT(all < 1000);
  }
  if (!accepted) check_refusal(&error);
  arena_fini(&arena);
  return accepted;
}

static void check_logs(struct ff_str cursor, uint8_t choice) {
  struct ff_bytes bytes = {cursor.ptr, cursor.len};
  bool first = check_log(0, bytes, 1 + choice / 16);
  bool second = check_log(1, bytes, 1 + choice / 16);
  INVARIANT(cursor.len == 0 ? first && second : !(first && second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const checks[])(struct ff_str, uint8_t) = {check_query, check_list, check_lanes,
                                                          check_events, check_logs};
  if (size < 2) return 0;
  if (!engines[0]) build();
  struct ff_str cursor = text_of((const char *)data + 2, size - 2);
  checks[data[0] % ARRAY_LEN(checks)](cursor, data[1]);
  return 0;
}
