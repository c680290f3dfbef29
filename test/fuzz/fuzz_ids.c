/*
 * The text forms of ids on any bytes: what parses is formatted and parses to the same; capability
 * sets are stable.
 */
#include "fuzz.h"

#include "base/ids.h"

#define UUID "550e8400-e29b-41d4-a716-446655440000"

const struct ff_str fuzz_seeds[] = {SEED("{fp:7}:" UUID),
                                    SEED("{fp:65535}:550E8400-E29B-41D4-A716-446655440000"),
                                    SEED(UUID),
                                    SEED("{fp:42}"),
                                    SEED("{b:3}"),
                                    SEED("default"),
                                    SEED("cairn.session_id"),
                                    SEED("gpu\ncuda\ngpu\nmem"),
                                    SEED("a\nc\nd|b\nc"),
                                    SEED("18446744073709551615"),
                                    SEED("-9223372036854775808"),
                                    {NULL, 0}};

static void check_execution_id(struct ff_str text) {
  struct exec_id id, again;
  struct ff_id out;
  struct ff_error error;
  if (exec_id_parse(text, "x", 65536, &id, &error) != FF_OK) {
    INVARIANT(error.code == FF_CODE_invalid_input && text_is_utf8(ff_text(error.detail)));
    return;
  }
  exec_id_format(id, &out);
  INVARIANT(strlen(out.text) == text.len); /* one spelling but for the case of the uuid */
  INVARIANT(exec_id_parse(ff_text(out.text), "x", 65536, &again, &error) == FF_OK);
  INVARIANT(exec_id_equal(id, again));
  enum ff_rc in_range = exec_id_parse(text, "x", 256, &again, &error);
  INVARIANT((in_range == FF_OK) == (id.partition < 256));
}

static void check_uuid(struct ff_str text) {
  struct uuid u, again;
  char out[37];
  if (!uuid_parse(text, &u)) return;
  uuid_format(u, out);
  INVARIANT(uuid_parse(ff_text(out), &again) && uuid_equal(u, again));
}

static void check_partition_key(struct ff_str text) {
  uint16_t n = 0;
  struct ff_error error;
  char out[16];
  if (partition_parse(text, "x", 65536, &n, &error) == FF_OK) {
    snprintf(out, sizeof(out), "{fp:%u}", (unsigned)n);
    INVARIANT(text_equal_c(text, out));
  } else {
    INVARIANT(text_is_utf8(ff_text(error.detail)) && error.detail[0] != '\0');
  }
}

static void check_numbers(struct ff_str text) {
  uint64_t u = 0;
  int64_t i = 0;
  char out[32];
  if (parse_u64(text, &u)) {
    snprintf(out, sizeof(out), "%llu", (unsigned long long)u);
    INVARIANT(text_equal_c(text, out));
  }
  if (parse_i64(text, &i)) {
    snprintf(out, sizeof(out), "%lld", (long long)i);
    INVARIANT(text_equal_c(text, out) || text_equal_c(text, "-0"));
  }
}

static void check_names(struct ff_str text) {
  struct ff_error error;
  if (lane_check(text, "x", &error) == FF_OK) INVARIANT(text.len <= 64 && text_is_utf8(text));
  if (worker_id_check(text, "x", &error) == FF_OK) INVARIANT(text.len <= 256 && text_is_utf8(text));
  if (tag_key_valid(text))
    INVARIANT(text.len >= 3 && lane_check(text_of(text.ptr, 3), "x", &error) == FF_OK);
  INVARIANT((text_check(text, "x", SIZE_MAX, &error) == FF_OK) == text_is_utf8(text));
}

static size_t split(struct ff_str text, char separator, struct ff_str *items, size_t max) {
  size_t count = 0, from = 0;
  for (size_t i = 0; i <= text.len && count < max; i++) {
    if (i < text.len && text.ptr[i] != separator) continue;
    items[count++] = text_of(text.ptr + from, i - from);
    from = i + 1;
  }
  return count;
}

/* A canonical set of newline separated tokens; false when it is refused. */
static bool make_set(struct ff_str text, struct arena *arena, struct ff_str *csv) {
  struct ff_str items[400];
  struct ff_error error;
  struct ff_strs set = {items, split(text, '\n', items, ARRAY_LEN(items))};
  if (text.len == 0) set.count = 0;
  return capabilities_csv(set, "worker", arena, csv, &error) == FF_OK;
}

static void check_capabilities(struct ff_str text, struct arena *arena) {
  struct ff_str offered, required, again, items[257];
  struct ff_error error;
  const char *bar = text.len == 0 ? NULL : memchr(text.ptr, '|', text.len);
  size_t left = bar == NULL ? text.len : (size_t)(bar - text.ptr);
  size_t right = bar == NULL ? 0 : text.len - left - 1;
  if (!make_set(text_of(text.ptr, left), arena, &offered)) return;
  if (!make_set(bar == NULL ? TEXT_LIT("") : text_of(bar + 1, right), arena, &required)) return;
  struct ff_strs tokens = {items, offered.len == 0 ? 0 : split(offered, ',', items,
                                                               ARRAY_LEN(items))};
  INVARIANT(tokens.count <= 256 && offered.len <= 4096);
  INVARIANT(capabilities_csv(tokens, "worker", arena, &again, &error) == FF_OK);
  INVARIANT(text_equal(again, offered));
  INVARIANT(capabilities_cover(offered, offered));
  struct ff_str missing = capabilities_missing(offered, required, arena);
  INVARIANT(capabilities_cover(offered, required) == (missing.len == 0));
  INVARIANT(capabilities_cover(required, missing));
  tokens.count = missing.len == 0 ? 0 : split(missing, ',', items, ARRAY_LEN(items));
  for (size_t i = 0; i < tokens.count; i++) INVARIANT(!capabilities_cover(offered, items[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ff_str text = text_of((const char *)data, size);
  struct arena arena;
  arena_init(&arena);
  check_execution_id(text);
  check_uuid(text);
  check_partition_key(text);
  check_numbers(text);
  check_names(text);
  check_capabilities(text, &arena);
  arena_fini(&arena);
  return 0;
}
