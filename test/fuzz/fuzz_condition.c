/*
 * Resume conditions and their progress are text from outside and from the store: whatever they say,
 * they are refused or evaluate, and what was stored reads back the same.
 */
#include "fuzz.h"

#include "op/condition.h"

#define SINGLE "{\"Single\":{\"waitpoint_key\":\"a\",\"matcher\":{\"ByName\":\"go\"}}}"
#define COUNT                                                                                  \
  "{\"Composite\":{\"kind\":\"Count\",\"n\":2,\"count_kind\":\"DistinctSources\",\"matcher\":" \
  "\"Wildcard\",\"waitpoints\":[\"a\",\"b\"]}}"

const struct ff_str fuzz_seeds[] = {
    SEED(SINGLE),
    SEED(COUNT),
    SEED("\"OperatorOnly\""),
    SEED("{\"Composite\":{\"kind\":\"AllOf\",\"members\":[" SINGLE "," COUNT ",\"TimeoutOnly\"]}}"),
    SEED("{\"v\":1,\"Composite\":{\"kind\":\"AnyOf\",\"members\":[{\"Single\":{\"waitpoint_key\":"
         "\"b\",\"matcher\":{\"ByCorrelationId\":\"c\"}}}]}}"),
    SEED("{\"v\":1,\"Later\":{}}"),
    {NULL, 0}};

static void apply_some(struct condition *c, struct arena *arena) {
  static const char *const names[] = {"go", "approved", ""};
  for (uint8_t i = 0; i < 6; i++) {
    struct condition_signal s = {.key = ff_text(i % 2 ? "a" : "b"),
                                 .name = ff_text(names[i % ARRAY_LEN(names)]),
                                 .correlation_id = ff_text("c"),
                                 .source_type = ff_text("u"),
                                 .source_identity = ff_text(names[i % 2])};
    s.signal_id.b[0] = (uint8_t)(i + 1);
    s.waitpoint_id.b[0] = (uint8_t)(i % 2 + 1);
    INVARIANT(condition_apply(c, &s, arena) != FF_signal_effect_none);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ff_str text = text_of((const char *)data, size);
  struct condition *c, *again;
  struct ff_error error;
  struct arena arena;
  arena_init(&arena);
  if (condition_parse(text, &arena, &c, &error) == FF_OK) {
    bool sound = condition_check_structure(c, &error) == FF_OK;
    sound &= condition_check_names(c, &error) == FF_OK;
    INVARIANT(sound || error.code == FF_CODE_invalid_input);
    (void)condition_signal_names(c, ff_text("a"), &arena);
    apply_some(c, &arena);
    struct ff_str stored = condition_store(text, &arena);
    struct ff_str progress = condition_progress(c, &arena);
    INVARIANT(condition_load(stored, progress, &arena, &again, &error) == FF_OK);
    INVARIANT(text_equal(condition_progress(again, &arena), progress));
  } else {
    INVARIANT(error.code == FF_CODE_invalid_input);
  }
  if (condition_load(text, text, &arena, &again, &error) == FF_OK) apply_some(again, &arena);
  arena_fini(&arena);
  return 0;
}
