/*
 * Positions in streams on any bytes, through read_stream and tail_stream on both stores.
 *
 * Only `start`, `end`, `<ms>` and `<ms>-<n>` of 64-bit numbers are accepted; what is answered is exactly
 * what lies in the range, and both stores answer alike. The world is built once and only read. Input: a byte of
 * choices, then from, a NUL, to; or what a tail is behind.
 */
#include "fuzz.h"

#include "engine/engine.h"
#include "op/values.h"

#define FRAMES 9
#define START INT64_C(1700000000000)
#define ID "{fp:7}:00000000-0000-7000-8000-000000000001"

const struct ff_str fuzz_seeds[] = {
    SEED("\x09" "start\0end"),
    SEED("\x09" "1700000000000\0001700000000000"),
    SEED("\x03" "1700000000000-1\0001700000000004-0"),
    SEED("\x09" "0-0\00018446744073709551615-18446744073709551615"),
    SEED("\x02" "9223372036854775807-9223372036854775808\000end"),
    SEED("\x05" "end\0start"),
    SEED("\x8f" "1700000000002"),
    SEED("\x82" "0-0"),
    SEED("\x8f" "1700000000004-18446744073709551615"),
    SEED("\x8f" "18446744073709551616"),
    SEED("\x05" "-\0+"),
    SEED("\x05" "1-\0-1"),
    {NULL, 0}};

static const char *const urls[] = {"memory:fuzz_position", "sqlite::memory:"};
#define STORES ARRAY_LEN(urls)
static struct engine *engines[STORES];
static int64_t clock_now;

static int64_t read_clock(void *user) {
  (void)user;
  return clock_now;
}

static void quiet(void *user, enum ff_log_level level, const char *message) {
  (void)user, (void)level, (void)message;
}

/* ---- the world: two frames each second millisecond ---- */

static void must(struct engine *e, enum op_id op, const void *args, void *result) {
  struct ff_error error;
  if (engine_call(e, op, args, result, &error) == FF_OK) return;
  fprintf(stderr, "%s: %s\n", op_infos[op].name, error.detail);
  INVARIANT(!"the world cannot be built");
}

static int64_t time_of(unsigned frame) { return START + 2 * (frame / 2); }

static void fill(struct engine *e) {
  struct ff_create_execution_args create = FF_ARGS(create_execution);
  struct ff_create_execution_result created;
  struct ff_claim_args claim = FF_ARGS(claim);
  struct ff_claim_result claimed;
  struct ff_append_frame_args append = FF_ARGS(append_frame);
  struct ff_append_frame_result appended;
  create.execution_id = ff_text(ID);
  create.lane_id = claim.lane_id = ff_text("a");
  claim.worker_id = claim.worker_instance_id = ff_text("w");
  claim.lease_ttl_ms = 1000000;
  must(e, OP_create_execution, &create, &created);
  values_free(created.memory);
  must(e, OP_claim, &claim, &claimed);
  append.handle = claimed.handle;
  values_free(claimed.memory);
  for (unsigned i = 0; i < FRAMES; i++) {
    clock_now = time_of(i);
    append.has_seq = true;
    append.seq = i;
    must(e, OP_append_frame, &append, &appended);
    values_free(appended.memory);
  }
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
  }
}

/* ---- what a position means, written another way ---- */

struct place {
  bool valid, word;
  unsigned __int128 at; /* ms * 2^64 + n */
};

static bool number(struct ff_str text, uint64_t *out) {
  unsigned __int128 value = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
    value = value * 10 + (unsigned)(text.ptr[i] - '0');
    if (value > UINT64_MAX) return false;
  }
  *out = (uint64_t)value;
  return text.len > 0;
}

static struct place place_of(struct ff_str text, bool upper) {
  struct place p = {0};
  uint64_t ms = 0, n = upper ? UINT64_MAX : 0;
  if (text_equal_c(text, "start")) return (struct place){true, true, 0};
  if (text_equal_c(text, "end")) return (struct place){true, true, ~(unsigned __int128)0};
  const char *dash = text.len ? memchr(text.ptr, '-', text.len) : NULL;
  size_t head = dash ? (size_t)(dash - text.ptr) : text.len;
  p.valid = number(text_of(text.ptr, head), &ms) &&
            (!dash || number(text_of(dash + 1, text.len - head - 1), &n));
  p.at = (unsigned __int128)ms << 64 | n;
  return p;
}

static unsigned __int128 place_of_frame(unsigned i) {
  return (unsigned __int128)(uint64_t)time_of(i) << 64 | i % 2;
}

static void check_frames(const struct ff_frames *frames, unsigned __int128 low,
                         unsigned __int128 high, size_t limit) {
  size_t count = 0;
  for (unsigned i = 0; i < FRAMES; i++) {
    if (place_of_frame(i) < low || place_of_frame(i) > high || count == limit) continue;
    INVARIANT(count < frames->count && frames->items[count].seq == i);
    count++;
  }
  INVARIANT(count == frames->count);
}

static void check_refusal(const struct ff_error *e) {
  INVARIANT(e->rc == FF_VALIDATION && e->code == FF_CODE_invalid_input);
  INVARIANT(text_is_utf8(ff_text(e->detail)));
}

static void check_read(struct engine *e, struct ff_str from, struct ff_str to, size_t limit) {
  struct ff_read_stream_args args = FF_ARGS(read_stream);
  struct ff_read_stream_result page;
  struct ff_error error;
  struct place low = place_of(from, false), high = place_of(to, true);
  args.execution_id = ff_text(ID);
  args.from = from;
  args.to = to;
  args.count_limit = limit;
  enum ff_rc rc = engine_call(e, OP_read_stream, &args, &page, &error);
  INVARIANT((rc == FF_OK) == (low.valid && high.valid));
  if (rc != FF_OK) {
    check_refusal(&error);
    INVARIANT(strcmp(error.field, low.valid ? "to" : "from") == 0);
    return;
  }
  check_frames(&page.frames, low.at, high.at, limit);
  values_free(page.memory);
}

static void check_tail(struct engine *e, struct ff_str after, size_t limit) {
  struct ff_tail_stream_args args = FF_ARGS(tail_stream);
  struct ff_tail_stream_result page;
  struct ff_error error;
  struct place place = place_of(after, false);
  args.execution_id = ff_text(ID);
  args.after = after;
  args.count_limit = limit;
  enum ff_rc rc = engine_call(e, OP_tail_stream, &args, &page, &error);
  INVARIANT((rc == FF_OK) == (place.valid && !place.word));
  if (rc != FF_OK) {
    check_refusal(&error);
    INVARIANT(strcmp(error.field, "after") == 0);
    return;
  }
  bool last = place.at == ~(unsigned __int128)0;
  check_frames(&page.frames, last ? place.at : place.at + 1, ~(unsigned __int128)0, limit);
  values_free(page.memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!engines[0]) build();
  if (size < 1 || size > 512) return 0;
  struct ff_str rest = text_of((const char *)data + 1, size - 1);
  size_t limit = 1 + (data[0] & 15);
  const char *nul = rest.len ? memchr(rest.ptr, 0, rest.len) : NULL;
  size_t head = nul ? (size_t)(nul - rest.ptr) : rest.len;
  struct ff_str from = text_of(rest.ptr, head);
  struct ff_str to = nul ? text_of(nul + 1, rest.len - head - 1) : text_of(rest.ptr, 0);
  for (size_t i = 0; i < STORES; i++)
    if (data[0] & 128)
      check_tail(engines[i], rest, limit);
    else
      check_read(engines[i], from, to, limit);
  return 0;
}
