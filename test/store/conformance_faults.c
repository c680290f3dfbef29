/*
 * The faults a memory store injects for simulation: each hook does exactly what store.h says
 * (struct store_faults).
 */
#include "base/error.h"
#include "test/store/conformance.h"

struct script {
  enum ff_rc fetch, apply;
  enum store_outcome group;
  bool really_apply;
  uint32_t fetches, applies, groups;
  int64_t now;
};

static enum ff_rc before_fetch(void *user, struct ff_error *e) {
  struct script *s = user;
  s->fetches++;
  return s->fetch ? error_set(e, FF_CODE_transport, "fetch failed") : FF_OK;
}
static enum ff_rc before_apply(void *user, struct ff_error *e) {
  struct script *s = user;
  s->applies++;
  return s->apply ? error_set(e, FF_CODE_transport, "apply failed") : FF_OK;
}
static enum store_outcome on_group(void *user, const struct store_group *group,
                                   bool *really_apply) {
  struct script *s = user;
  s->groups += group->write_count > 0;
  *really_apply = s->really_apply;
  return s->group;
}
static int64_t fault_now(void *user) { return ((struct script *)user)->now; }

static void with_faults(struct world *w, struct script *s) {
  *s = (struct script){.group = STORE_APPLIED, .now = 1234567};
  world_close(w);
  w->faults = (struct store_faults){.user = s,
                                    .now_ms = fault_now,
                                    .before_fetch = before_fetch,
                                    .before_apply = before_apply,
                                    .group = on_group};
  world_open(w);
  w->faults = (struct store_faults){0}; /* the store keeps a copy */
}

static void hooks_that_allow_change_nothing(struct world *w) {
  struct script s;
  with_faults(w, &s);
  struct execution *x = execution_new(w, 1);
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_CONFLICT); /* a real one */
  assert_non_null(get(w, RECORD_KIND_execution, x));
  assert_int_equal(store_time(w, w->reader), 1234567);
  assert_int_equal(s.groups, 2);
  assert_int_equal(s.applies, 2);
  assert_int_equal(s.fetches, 4);
  s.now = 1000;
  assert_int_equal(store_time(w, w->reader), 1234567);
}

static void failing_calls_do_nothing(struct world *w) {
  struct script s;
  with_faults(w, &s);
  struct execution *x = execution_new(w, 1);
  struct store_write one = write_of(STORE_INSERT, RECORD_KIND_execution, x, 0);
  struct store_group group = {.writes = &one, .write_count = 1, .valid_until = INT64_MAX};
  struct store_get key = {.kind = RECORD_KIND_execution, .key = x};
  int64_t now;
  s.apply = s.fetch = FF_TRANSPORT;
  assert_code(store_apply(w->writer, &group, 1, &w->error), &w->error, FF_CODE_transport);
  assert_string_equal(w->error.detail, "apply failed");
  assert_code(store_fetch(w->reader, &w->arena, &key, 1, NULL, 0, &now, &w->error), &w->error,
              FF_CODE_transport);
  s.apply = s.fetch = FF_OK;
  assert_null(get(w, RECORD_KIND_execution, x));
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_APPLIED);
}

static void refused_groups(struct world *w) {
  struct script s;
  with_faults(w, &s);
  struct execution *x = execution_new(w, 1);
  s.group = STORE_CONFLICT;
  s.really_apply = true; /* means nothing here */
  assert_int_equal(insert(w, RECORD_KIND_execution, x), STORE_CONFLICT);
  assert_null(get(w, RECORD_KIND_execution, x));
}

/* The connection is lost in commit: the caller cannot know; a repeat finds out (DESIGN §5.2). */
static void unknown_outcomes(struct world *w) {
  struct script s;
  with_faults(w, &s);
  struct execution *lost = execution_new(w, 1), *kept = execution_new(w, 2);
  s.group = STORE_UNKNOWN;
  assert_int_equal(insert(w, RECORD_KIND_execution, lost), STORE_UNKNOWN);
  s.really_apply = true;
  assert_int_equal(insert(w, RECORD_KIND_execution, kept), STORE_UNKNOWN);
  assert_int_equal(insert(w, RECORD_KIND_execution, kept),
                   STORE_UNKNOWN); /* really a conflict, and as unknown */
  assert_int_equal(append(w, event_new(w, kept, CLOCK_START)), STORE_UNKNOWN);
  s.group = STORE_APPLIED;
  assert_null(get(w, RECORD_KIND_execution, lost));
  assert_same(RECORD_KIND_execution, get(w, RECORD_KIND_execution, kept), kept, 1);
  assert_int_equal(read_log(w, log_beginning(w), 9).count, 1);
  assert_int_equal(insert(w, RECORD_KIND_execution, lost), STORE_APPLIED);
  assert_int_equal(insert(w, RECORD_KIND_execution, kept), STORE_CONFLICT);
}

/* Faults belong to the opener, not to the data: a rival on the same data has none. */
static void faults_are_the_openers_own(struct world *w) {
  struct script s;
  with_faults(w, &s);
  struct store *second = world_second(w);
  struct world rival = *w;
  rival.store = second;
  OK(store_session_open(second, STORE_WRITER, &rival.writer, &w->error));
  s.apply = FF_TRANSPORT;
  assert_int_equal(insert(&rival, RECORD_KIND_execution, execution_new(&rival, 1)), STORE_APPLIED);
  store_session_close(rival.writer);
  store_close(second);
  w->arena = rival.arena;
}

const struct conformance_check checks_faults[] = {
    {"hooks that allow change nothing", hooks_that_allow_change_nothing, ON_MEMORY},
    {"failing calls do nothing", failing_calls_do_nothing, ON_MEMORY},
    {"refused groups", refused_groups, ON_MEMORY},
    {"unknown outcomes (DESIGN 5.2)", unknown_outcomes, ON_MEMORY},
    {"faults are the opener's own", faults_are_the_openers_own, ON_MEMORY},
    {0},
};
