/*
 * The fault checks of stores in servers: see faults.h.
 */
#include "test/store/faults.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct server server;
struct ff_error error;
struct arena arena;

void assert_fine(enum ff_rc rc) {
  if (rc != FF_OK) fail_msg("%s: %s", ff_code_name(error.code), error.detail);
}

void assert_refused(enum ff_rc rc, enum ff_code code, const char *cause) {
  if (rc == FF_OK || error.code != code || !strstr(error.detail, cause))
    fail_msg("wanted %s ~ %s, got %s: %s", ff_code_name(code), cause,
             rc ? ff_code_name(error.code) : "success", error.detail);
}

/* ---- places ---- */

void place_open(struct place *p, const char *url, const struct store_options *options) {
  bool applied;
  assert_fine(store_open(ff_text(url), options, &p->store, &error));
  assert_fine(store_migrate(p->store, &applied, &error));
  assert_fine(store_session_open(p->store, STORE_WRITER, &p->writer, &error));
  assert_fine(store_session_open(p->store, STORE_READER, &p->reader, &error));
}

void place_close(struct place *p) {
  store_session_close(p->writer);
  store_session_close(p->reader);
  store_close(p->store);
}

enum ff_rc try_open(const char *url) {
  struct store *store = NULL;
  bool applied;
  error = (struct ff_error){0};
  enum ff_rc rc = store_open(ff_text(url), NULL, &store, &error);
  if (rc == FF_OK) rc = store_migrate(store, &applied, &error);
  store_close(store);
  assert_null(strstr(error.detail, server.password));
  return rc;
}

/* ---- rows ---- */

struct execution *numbered(uint32_t n) {
  struct execution *x = arena_alloc(&arena, sizeof *x);
  record_init(RECORD_KIND_execution, x);
  x->head.version = 1;
  x->partition = (uint16_t)(n % 7);
  memcpy(x->id.b + 12, &n, 4);
  x->id.b[0] = 1;
  x->lane_id = TEXT_LIT("lane");
  x->required_capabilities = TEXT_LIT("");
  x->created_at = 1000 + n;
  x->eligibility_state = FF_eligibility_state_eligible_now;
  return x;
}

uint32_t number_of(const void *record) {
  uint32_t n;
  memcpy(&n, ((const struct execution *)record)->id.b + 12, 4);
  return n;
}

enum ff_rc load(struct store_session *session, const void *key, const void **record) {
  struct store_get get = {.kind = RECORD_KIND_execution, .key = key};
  int64_t now;
  enum ff_rc rc = store_fetch(session, &arena, &get, 1, NULL, 0, &now, &error);
  *record = get.record;
  if (rc || !get.unreadable) return rc;
  error = *get.unreadable;
  return error.rc;
}

bool is_there(struct place *p, const void *key) {
  const void *record;
  assert_fine(load(p->reader, key, &record));
  return record != NULL;
}

enum ff_rc write_one(struct store_session *writer, enum store_write_kind how, const void *record,
                     uint64_t base, enum store_outcome *outcome) {
  struct store_write write = {how, RECORD_KIND_execution, record, base};
  struct store_group group = {.writes = &write, .write_count = 1, .valid_until = INT64_MAX};
  enum ff_rc rc = store_apply(writer, &group, 1, &error);
  *outcome = group.outcome;
  return rc;
}

void insert_one(struct place *p, uint32_t n) {
  const void *none;
  enum store_outcome outcome;
  assert_fine(load(p->writer, numbered(n), &none));
  assert_fine(write_one(p->writer, STORE_INSERT, numbered(n), 0, &outcome));
  assert_int_equal(outcome, STORE_APPLIED);
}

/* ---- lost connections ---- */

/* One write through the proxy with one cut; what it said is compared with what is there. */
static enum store_outcome cut_write(struct cut_proxy *proxy, struct place *through,
                                    struct place *direct, enum cut_kind kind, uint32_t request,
                                    uint32_t n, bool *there) {
  const void *none;
  enum store_outcome outcome = STORE_CONFLICT;
  const struct execution *x = numbered(n);
  cut_proxy_arm(proxy, kind, request);
  enum ff_rc rc = load(through->writer, x, &none);
  if (rc == FF_OK) rc = write_one(through->writer, STORE_INSERT, x, 0, &outcome);
  cut_proxy_arm(proxy, kind, 0);
  *there = is_there(direct, x);
  if (rc != FF_OK || outcome == STORE_CONFLICT) assert_false(*there);
  else if (outcome == STORE_APPLIED) assert_true(*there);
  return outcome;
}

void check_cuts(const char *direct_url, const char *proxy_url, struct cut_proxy *proxy) {
  struct place through, direct;
  uint32_t n = 1, unknown = 0, unknown_there = 0, unknown_absent = 0, applied = 0;
  place_open(&direct, direct_url, NULL);
  place_open(&through, proxy_url, NULL);
  for (int round = 0; round < 2; round++)
    for (int kind = 0; kind < CUT_KINDS; kind++)
      for (uint32_t request = 1; request <= 4; request++, n++) {
        bool there;
        enum store_outcome o =
            cut_write(proxy, &through, &direct, (enum cut_kind)kind, request, n, &there);
        unknown += o == STORE_UNKNOWN;
        applied += o == STORE_APPLIED;
        unknown_there += o == STORE_UNKNOWN && there;
        unknown_absent += o == STORE_UNKNOWN && !there;
        insert_one(&through, 100000 + n); /* and all is well again */
      }
  assert_true(unknown > 0 && applied > 0);
  assert_true(unknown_there > 0 && unknown_absent > 0);
  place_close(&through);
  place_close(&direct);
}

void check_lost_readers(const char *proxy_url, struct cut_proxy *proxy) {
  struct place p;
  place_open(&p, proxy_url, NULL);
  insert_one(&p, 1);
  for (int i = 0; i < 3; i++) {
    cut_proxy_drop(proxy);
    assert_true(is_there(&p, numbered(1)));
    const struct event **events;
    uint32_t count;
    struct ff_bytes next;
    bool dropped;
    cut_proxy_drop(proxy);
    assert_fine(store_read_log(p.reader, &arena, (struct ff_bytes){NULL, 0}, 10, &events, &count,
                               &next, &dropped, &error));
  }
  /* in the middle of a transaction: the batch runs again, nothing is unknown */
  const void *none;
  enum store_outcome outcome;
  assert_fine(load(p.writer, numbered(2), &none));
  cut_proxy_drop(proxy);
  assert_fine(write_one(p.writer, STORE_INSERT, numbered(2), 0, &outcome));
  assert_int_not_equal(outcome, STORE_APPLIED);
  insert_one(&p, 3);
  place_close(&p);
}

void check_restart(const char *url) {
  struct place p;
  const void *record;
  place_open(&p, url, NULL);
  insert_one(&p, 1);
  server_signal(&server, 0, SIGKILL);
  assert_refused(load(p.reader, numbered(1), &record), FF_CODE_transport, "127.0.0.1");
  assert_refused(load(p.writer, numbered(1), &record), FF_CODE_transport, "127.0.0.1");
  assert_true(server_restart(&server, 0));
  assert_true(is_there(&p, numbered(1)));
  insert_one(&p, 2);
  place_close(&p);
}

/* ---- hints ---- */

static _Atomic uint32_t heard;
static void hear(void *user, const struct store_hint *hint) {
  (void)user;
  if (text_equal_c(hint->lane_id, "lane") && hint->partition == 7) heard++;
}

void check_hints(const char *url) {
  struct place p;
  heard = 0;
  place_open(&p, url, NULL);
  assert_fine(store_listen(p.store, hear, &p, &error));
  usleep(500000); /* until it listens; a hint before that is lost by contract */
  for (int i = 0; i < 20 && !heard; i++) {
    pid_t child = fork();
    if (child == 0) {
      struct place c;
      place_open(&c, url, NULL);
      store_notify(c.store, &c, &(struct store_hint){7, TEXT_LIT("lane")}, 1);
      place_close(&c); /* sends what is noted */
      _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    for (int k = 0; k < 20 && !heard; k++) usleep(50000);
  }
  assert_true(heard > 0);
  place_close(&p);
}
