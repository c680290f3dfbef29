/*
 * What the arguments of random calls are picked from: ids, lanes, workers, leases, grants,
 * policies, payloads, times.
 *
 * Mostly sensible, often repeated, sometimes stale: collisions are the point.
 */
#include "test/lib/history_impl.h"

static const char *const lanes[HISTORY_LANES] = {"alpha", "beta", "gamma lane"};
static const struct ff_str caps_gpu[] = {TEXT_LIT("gpu")};
static const struct ff_str caps_both[] = {TEXT_LIT("linux"), TEXT_LIT("gpu")};
static const struct ff_str caps_linux[] = {TEXT_LIT("linux")};

const struct history_worker history_workers[HISTORY_WORKERS] = {{"w0", "w0-a", {NULL, 0}},
                                                        {"w1", "w1-a", {caps_gpu, 1}},
                                                        {"w1", "w1-b", {caps_gpu, 1}},
                                                        {"w2", "w2-a", {caps_both, 2}},
                                                        {"w3", "w3-a", {caps_linux, 1}}};

const char *history_lane(uint32_t index) { return lanes[index]; }
struct ff_strs history_all_capabilities(void) {
  return (struct ff_strs){caps_both, 2};
}

/* ---- names ---- */

static uint32_t known_count(const struct history *h) {
  return EXECUTIONS + (h->minted_count < MINTED ? h->minted_count : MINTED);
}

const struct known *pick_known(struct history *h, enum belief belief) {
  uint32_t count = known_count(h), n = dice(h, count);
  if (belief == BELIEF_NONE || chance(h, 25)) return &h->known[n];
  for (uint32_t i = 0; i < count; i++)
    if (h->known[(n + i) % count].belief == belief) return &h->known[(n + i) % count];
  return &h->known[n];
}

struct known *find_known(struct history *h, const char *id) {
  for (uint32_t i = 0; i < known_count(h); i++)
    if (strcmp(h->known[i].id, id) == 0) return &h->known[i];
  return NULL;
}

/* A copy: the place of a minted one may be given to another. */
struct ff_str pick_execution(struct history *h, struct arena *a) {
  return arena_text(a, ff_text(pick_known(h, BELIEF_NONE)->id));
}

struct ff_str pick_lane(struct history *h) {
  if (h->options.spoils && chance(h, 2)) return TEXT_LIT("ghost");
  return ff_text(lanes[dice(h, 4) % HISTORY_LANES]);
}

uint32_t pick_worker(struct history *h) { return dice(h, HISTORY_WORKERS); }

const struct point *pick_point(struct history *h) {
  uint32_t known = h->point_count < POINTS ? h->point_count : POINTS;
  return known ? &h->points[dice(h, known)] : NULL;
}

struct ff_str pick_uuid(struct history *h, struct arena *a) {
  /* few enough that they repeat */
  return arena_printf(a, "0f0f0f0f-0000-4000-8000-%012u", 1 + dice(h, 400));
}

struct ff_str pick_idempotency_key(struct history *h) {
  static const char *const keys[] = {"k1", "k2", "k3", "k4"};
  return chance(h, 75) ? (struct ff_str){NULL, 0} : ff_text(keys[dice(h, ARRAY_LEN(keys))]);
}

struct ff_str pick_request_id(struct history *h) {
  static const char *const ids[] = {"r1", "r2", "r3", "r4", "r5", "r6"};
  return chance(h, 65) ? (struct ff_str){NULL, 0} : ff_text(ids[dice(h, ARRAY_LEN(ids))]);
}

struct ff_str pick_reason(struct history *h, struct arena *a) {
  if (chance(h, 30)) return (struct ff_str){NULL, 0};
  return arena_printf(a, "because %u", dice(h, 5));
}

/* ---- leases and grants ---- */

struct held *pick_held(struct history *h) {
  uint32_t known = h->held_count < HELD ? h->held_count : HELD;
  if (!known) return NULL;
  struct held *any = &h->held[(h->held_count - 1) % HELD];
  if (!any->ended && chance(h, 30)) return any;
  any = &h->held[dice(h, known)];
  if (!any->ended || chance(h, 15)) return any;
  for (uint32_t i = 0; i < 6 && any->ended; i++) any = &h->held[dice(h, known)];
  return any;
}

struct token *pick_token(struct history *h, enum token_kind kind) {
  uint32_t known = h->token_count < TOKENS ? h->token_count : TOKENS;
  if (!known) return NULL;
  for (uint32_t i = 0; i < known && kind != TOKEN_ANY; i++) {
    struct token *t = &h->tokens[(h->token_count - 1 - i) % TOKENS];
    if (t->kind == kind && chance(h, 60)) return t;
  }
  return &h->tokens[dice(h, known)];
}

/* ---- times ---- */

void note_time(struct history *h, int64_t at) { h->times[h->time_count++ % TIMES] = at; }

uint64_t pick_ttl(struct history *h) {
  static const uint64_t ttls[] = {1, 200, 3000, 8000, 8000, 30000};
  return ttls[dice(h, ARRAY_LEN(ttls))];
}

int64_t pick_time(struct history *h, int64_t now) {
  uint32_t n = dice(h, 10);
  int64_t at = n < 2 ? now - (int64_t)dice(h, 5000) : n == 2 ? now : now + dice(h, 8000);
  note_time(h, at);
  return at;
}

/* ---- payloads: inline up to 256 bytes, a record of their own above ---- */

static struct ff_bytes filled(struct history *h, struct arena *a, struct ff_str head) {
  size_t len = head.len;
  if (chance(h, 25)) len += 200 + dice(h, 400);
  uint8_t *bytes = arena_alloc(a, len + 1);
  if (head.len) memcpy(bytes, head.ptr, head.len);
  for (size_t i = head.len; i < len; i++) bytes[i] = (uint8_t)dice(h, 256);
  return (struct ff_bytes){bytes, len};
}

struct ff_bytes pick_payload(struct history *h, struct arena *a) {
  if (chance(h, 20)) return (struct ff_bytes){NULL, 0};
  if (chance(h, 10)) return (struct ff_bytes){arena_alloc(a, 1), 0};
  return filled(h, a, arena_printf(a, "input %u", dice(h, 1000)));
}

struct ff_bytes pick_result(struct history *h, struct arena *a, const struct held *held,
                            struct ff_str id) {
  if (chance(h, 10)) return (struct ff_bytes){NULL, 0};
  struct ff_str whose = held ? ff_text(held->execution) : id;
  unsigned long long epoch = held ? held->epoch : 0;
  return filled(h, a, arena_printf(a, TEXT_FMT "#%llu#%u#", TEXT_ARG(whose), epoch, dice(h, 100)));
}

/* ---- policies ---- */

static void append(struct arena *a, struct ff_str *text, const char *member) {
  *text = arena_printf(a, TEXT_FMT "%s%s", TEXT_ARG(*text), text->len > 1 ? "," : "", member);
}

struct ff_str pick_retry_policy(struct history *h, struct arena *a) {
  uint32_t n = dice(h, 10);
  if (n == 0) return TEXT_LIT("{}");
  if (n == 1) return (struct ff_str){NULL, 0};
  if (n == 2 && h->options.spoils) return TEXT_LIT("{\"max_retries\":-1}");
  if (n < 6)
    return arena_printf(a, "{\"max_retries\":%u,\"backoff\":{\"type\":\"fixed\",\"delay_ms\":%u}}",
                        dice(h, 4), dice(h, 3) * 700);
  const char *categories =
      n == 9 ? ",\"retryable_categories\":[\"transient\",\"attempt_timeout\"]" : "";
  return arena_printf(a,
                      "{\"max_retries\":%u,\"backoff\":{\"type\":\"exponential\",\"initial_delay_"
                      "ms\":%u,\"max_delay_ms\":4000,\"multiplier\":1.5,\"jitter\":%s}%s}",
                      dice(h, 4), 100 + dice(h, 900), dice(h, 2) ? "true" : "false", categories);
}

static void append_times(struct history *h, struct arena *a, struct ff_str *out) {
  static const char *const timeouts[] = {
      "\"timeout_policy\":{\"attempt_timeout_ms\":1500}",
      "\"timeout_policy\":{\"attempt_timeout_ms\":4000,\"max_reclaim_count\":1}",
      "\"timeout_policy\":{\"execution_deadline_ms\":9000}",
      "\"timeout_policy\":{\"attempt_timeout_ms\":300,\"execution_deadline_ms\":20000}"};
  static const char *const delays[] = {"\"auto_reclaim_delay_ms\":0",
                                       "\"auto_reclaim_delay_ms\":700",
                                       "\"auto_reclaim_delay_ms\":\"off\""};
  static const char *const retentions[] = {"\"stream_policy\":{\"retention_ttl_ms\":0}",
                                           "\"stream_policy\":{\"retention_ttl_ms\":3000}",
                                           "\"stream_policy\":{\"retention_ttl_ms\":600000}",
                                           "\"stream_policy\":{\"retention_maxlen\":2}"};
  if (chance(h, 30)) append(a, out, timeouts[dice(h, ARRAY_LEN(timeouts))]);
  if (chance(h, 30)) append(a, out, delays[dice(h, h->options.strands ? 3 : 2)]);
  if (chance(h, 25)) append(a, out, retentions[dice(h, ARRAY_LEN(retentions))]);
}

static void append_limits(struct history *h, struct arena *a, struct ff_str *out) {
  static const char *const limits[] = {"\"max_reclaim_count\":0",  "\"max_reclaim_count\":2",
                                       "\"max_replay_count\":0",   "\"max_replay_count\":2",
                                       "\"dedup_window_ms\":2000", "\"priority\":3"};
  static const char *const needs[] = {
      "\"routing_requirements\":{\"required_capabilities\":[\"gpu\"]}",
      "\"routing_requirements\":{\"required_capabilities\":[\"linux\",\"gpu\",\"linux\"]}",
      "\"routing_requirements\":{\"required_capabilities\":[\"tpu\"]}"};
  if (chance(h, 35)) append(a, out, limits[dice(h, ARRAY_LEN(limits))]);
  if (chance(h, 25)) append(a, out, needs[dice(h, h->options.strands ? 3 : 2)]);
}

struct ff_str pick_policy(struct history *h, struct arena *a, int64_t now) {
  static const char *const bad[] = {
      "{", "[]", "{\"retry_policy\":7}",
      "{\"routing_requirements\":{\"required_capabilities\":[\"a b\"]}}"};
  if (chance(h, 35)) return (struct ff_str){NULL, 0};
  if (h->options.spoils && chance(h, 4)) return ff_text(bad[dice(h, ARRAY_LEN(bad))]);
  struct ff_str out = TEXT_LIT("{");
  struct ff_str retry = chance(h, 55) ? pick_retry_policy(h, a) : (struct ff_str){NULL, 0};
  if (retry.len)
    append(a, &out, arena_printf(a, "\"retry_policy\":" TEXT_FMT, TEXT_ARG(retry)).ptr);
  append_times(h, a, &out);
  append_limits(h, a, &out);
  if (chance(h, 8)) {
    long long delay = pick_time(h, now);
    append(a, &out, arena_printf(a, "\"delay_until\":%lld", delay).ptr);
  }
  return arena_printf(a, TEXT_FMT "}", TEXT_ARG(out));
}
