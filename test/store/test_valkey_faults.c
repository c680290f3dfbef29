/*
 * Valkey and Redis when things break: connections cut at every request, a killed and restarted
 * server, functions that are gone, lost writes, messages for what is set up wrongly.
 */
#include "test/store/faults.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

static void url_on(uint16_t port, const char *prefix, const char *more, char *out, size_t size) {
  snprintf(out, size, "valkey://default:%s@127.0.0.1:%u?prefix=%s%s", server.password, port, prefix,
           more);
}

/* A command of words separated by single spaces; behind a bar the rest is one word. */
static void run(const char *command) {
  const char *words[24];
  size_t sizes[24], count = 0;
  for (const char *p = command; *p; count++) {
    bool rest = *p == '|';
    assert_true(count < ARRAY_LEN(words));
    words[count] = p + rest;
    sizes[count] = rest ? strlen(p + 1) : strcspn(p, " ");
    p += rest + sizes[count];
    p += *p == ' ';
  }
  redisContext *c = redisConnect("127.0.0.1", server.port[0]);
  assert_false(c->err);
  freeReplyObject(redisCommand(c, "AUTH %s", server.password));
  redisReply *r = redisCommandArgv(c, (int)count, words, sizes);
  if (!r || r->type == REDIS_REPLY_ERROR) fail_msg("%s: %s", command, r ? r->str : c->errstr);
  freeReplyObject(r);
  redisFree(c);
}

/* ---- lost connections ---- */

static void cuts_at_every_request(void **state) {
  (void)state;
  char direct[256], through[256];
  uint16_t port;
  struct cut_proxy *proxy = cut_proxy_start(server.port[0], &port);
  assert_non_null(proxy);
  url_on(server.port[0], "cuts", "", direct, sizeof direct);
  url_on(port, "cuts", "", through, sizeof through);
  check_cuts(direct, through, proxy);
  cut_proxy_stop(proxy);
}

static void readers_survive_lost_connections(void **state) {
  (void)state;
  char url[256];
  uint16_t port;
  struct cut_proxy *proxy = cut_proxy_start(server.port[0], &port);
  url_on(port, "readers", "", url, sizeof url);
  check_lost_readers(url, proxy);
  cut_proxy_stop(proxy);
}

static void a_restarted_server_is_found_again(void **state) {
  (void)state;
  char url[256];
  url_on(server.port[0], "restart", "", url, sizeof url);
  check_restart(url);
}

static void hints_reach_other_processes(void **state) {
  (void)state;
  char url[256];
  url_on(server.port[0], "hints", "", url, sizeof url);
  check_hints(url);
}

/* ---- what the server loses ---- */

/* Of a row as it is stored. */
static void delete_row(const char *prefix, const struct execution *x) {
  char head[64];
  uint8_t key[128];
  int n = snprintf(head, sizeof head, "{%s}:execution:", prefix);
  memcpy(key, head, (size_t)n);
  size_t size = (size_t)n + record_key_encode(RECORD_KIND_execution, x, key + n);
  redisContext *c = redisConnect("127.0.0.1", server.port[0]);
  freeReplyObject(redisCommand(c, "AUTH %s", server.password));
  redisReply *r = redisCommand(c, "DEL %b", key, size);
  assert_int_equal(r->integer, 1);
  freeReplyObject(r);
  redisFree(c);
}

static uint32_t warnings;
static char warned[700];
static void warn(void *user, const char *text) {
  (void)user;
  warnings++;
  snprintf(warned, sizeof warned, "%s", text);
}

/* After a fail-over to a server that never had them, or somebody's FLUSH. */
static void functions_are_loaded_again(void **state) {
  (void)state;
  struct place p;
  char url[256];
  url_on(server.port[0], "functions", "", url, sizeof url);
  place_open(&p, url, NULL);
  for (uint32_t n = 1; n <= 3; n++) {
    run("FUNCTION FLUSH SYNC");
    insert_one(&p, n);
    run("FUNCTION FLUSH SYNC");
    struct store_scan s = {
        .index = INDEX_execution_created, .from = numbered(0), .limit = 10};
    int64_t now;
    assert_fine(store_fetch(p.reader, &arena, NULL, 0, &s, 1, &now, &error));
    assert_int_equal(s.count, n);
  }
  place_close(&p);
}

/* A user who may not load functions works with scripts, which a restart forgets. */
static void scripts_serve_where_functions_may_not(void **state) {
  (void)state;
  struct place p;
  char url[256];
  run("ACL SETUSER app on >app-secret ~{acl}* &ff_* +@read +@write +@connection +@pubsub "
      "+@scripting -function -fcall -fcall_ro +info +time +config|get +wait");
  snprintf(url, sizeof url, "redis://app:app-secret@127.0.0.1:%u?prefix=acl", server.port[0]);
  place_open(&p, url, NULL);
  insert_one(&p, 1);
  run("SCRIPT FLUSH");
  insert_one(&p, 2);
  assert_true(is_there(&p, numbered(1)));
  check_hints(url);
  place_close(&p);
  snprintf(url, sizeof url, "redis://app:app-secret@127.0.0.1:%u?prefix=other", server.port[0]);
  assert_refused(try_open(url), FF_CODE_config, "lacks a right");
}

/* A fail-over that lost writes: noticed once, and nothing that was lost is taken for new. */
static void lost_writes_are_noticed(void **state) {
  (void)state;
  struct place p;
  char url[256];
  uint16_t port;
  struct cut_proxy *proxy = cut_proxy_start(server.port[0], &port);
  struct store_options options = {.warn = warn};
  url_on(port, "losses", "", url, sizeof url);
  place_open(&p, url, &options);
  warnings = 0;
  struct event event, *events[] = {&event};
  record_init(RECORD_KIND_event, &event);
  event.execution_id = numbered(1)->id;
  struct store_write write = {STORE_INSERT, RECORD_KIND_execution, numbered(1), 0};
  struct store_group group = {.writes = &write,
                              .write_count = 1,
                              .events = (const struct event *const *)events,
                              .event_count = 1,
                              .valid_until = INT64_MAX};
  assert_fine(store_apply(p.writer, &group, 1, &error));
  assert_int_equal(group.outcome, STORE_APPLIED);
  const void *read;
  enum store_outcome outcome;
  assert_fine(load(p.writer, numbered(1), &read));
  run("DEL {losses}/event/last {losses}/event {losses}/index/event_by_execution "
      "{losses}/key/execution {losses}/index/execution_created {losses}/index/execution_by_lane "
      "{losses}/index/execution_eligible");
  const struct execution *x = numbered(1);
  delete_row("losses", x);
  cut_proxy_drop(proxy);
  struct execution *next = record_copy(RECORD_KIND_execution, read, &arena);
  next->head.version = 2;
  assert_fine(write_one(p.writer, STORE_UPDATE, next, 1, &outcome));
  assert_int_not_equal(outcome, STORE_APPLIED);
  assert_false(is_there(&p, numbered(1)));
  assert_int_equal(warnings, 1);
  assert_non_null(strstr(warned, "lost acknowledged writes"));
  assert_null(strstr(warned, server.password));
  insert_one(&p, 1);
  place_close(&p);
  cut_proxy_stop(proxy);
}

/* A row deleted and made anew repeats its version; who read the old one is refused all the same. */
static void a_row_made_anew_is_another(void **state) {
  (void)state;
  struct place a, b;
  char url[256];
  const void *old, *none;
  enum store_outcome outcome;
  url_on(server.port[0], "anew", "", url, sizeof url);
  place_open(&a, url, NULL);
  place_open(&b, url, NULL);
  insert_one(&a, 1);
  assert_fine(load(a.writer, numbered(1), &old));
  assert_fine(load(b.writer, numbered(1), &none));
  assert_fine(write_one(b.writer, STORE_DELETE, numbered(1), 1, &outcome));
  insert_one(&b, 1);
  struct execution *next = record_copy(RECORD_KIND_execution, old, &arena);
  next->head.version = 2;
  assert_fine(write_one(a.writer, STORE_UPDATE, next, 1, &outcome));
  assert_int_equal(outcome, STORE_CONFLICT);
  place_close(&a);
  place_close(&b);
}

/* ---- what is set up wrongly ---- */

static void wrong_settings_say_what_to_do(void **state) {
  (void)state;
  char url[320];
  uint16_t port = server.port[0];
  snprintf(url, sizeof url, "valkey://default:wrong-%s@127.0.0.1:%u", server.password, port);
  assert_refused(try_open(url), FF_CODE_config, "check user and password");
  snprintf(url, sizeof url, "valkey://127.0.0.1:%u", port);
  assert_refused(try_open(url), FF_CODE_config, "put user and password into the URL");
  snprintf(url, sizeof url, "valkey://:%s@127.0.0.1:1", server.password);
  assert_refused(try_open(url), FF_CODE_transport, "refused");
  snprintf(url, sizeof url, "valkey://:%s@host.invalid", server.password);
  assert_refused(try_open(url), FF_CODE_transport, "look up the host");
  snprintf(url, sizeof url, "valkey://:%s@127.0.0.1:%u/999", server.password, port);
  assert_refused(try_open(url), FF_CODE_config, "fewer databases");
  snprintf(url, sizeof url, "valkeys://:%s@127.0.0.1:%u", server.password, port);
  assert_refused(try_open(url), FF_CODE_config, "TLS");
  snprintf(url, sizeof url, "valkey://:%s@127.0.0.1:%u?mode=ro&prefix=nothing", server.password,
           port);
  assert_refused(try_open(url), FF_CODE_unavailable, "nothing is stored below {nothing}");
}

static void an_evicting_server_is_refused(void **state) {
  (void)state;
  char url[256];
  url_on(server.port[0], "policy", "", url, sizeof url);
  run("CONFIG SET maxmemory-policy allkeys-lru");
  assert_refused(try_open(url), FF_CODE_config, "set it to noeviction");
  run("CONFIG SET maxmemory-policy noeviction");
  assert_fine(try_open(url));
}

static void a_full_server_says_so(void **state) {
  (void)state;
  struct place p;
  char url[256];
  const void *none;
  enum store_outcome outcome;
  url_on(server.port[0], "full", "", url, sizeof url);
  place_open(&p, url, NULL);
  run("CONFIG SET maxmemory 1000");
  assert_fine(load(p.writer, numbered(1), &none));
  assert_refused(write_one(p.writer, STORE_INSERT, numbered(1), 0, &outcome), FF_CODE_store_full,
                 "maxmemory");
  run("CONFIG SET maxmemory 0");
  assert_false(is_there(&p, numbered(1)));
  insert_one(&p, 1);
  place_close(&p);
}

static void a_replica_only_reads(void **state) {
  (void)state;
  struct place p;
  char url[256], more[300];
  const void *none;
  enum store_outcome outcome;
  url_on(server.port[0], "replica", "", url, sizeof url);
  snprintf(more, sizeof more, "%s&mode=ro", url);
  place_open(&p, url, NULL);
  insert_one(&p, 1);
  run("CONFIG SET replica-serve-stale-data yes");
  run("REPLICAOF 127.0.0.1 1");
  assert_refused(try_open(url), FF_CODE_store_read_only, "connect to the primary");
  assert_fine(load(p.writer, numbered(2), &none));
  assert_refused(write_one(p.writer, STORE_INSERT, numbered(2), 0, &outcome),
                 FF_CODE_store_read_only, "connect to the primary");
  assert_fine(try_open(more));
  assert_true(is_there(&p, numbered(1)));
  run("REPLICAOF NO ONE");
  insert_one(&p, 2);
  place_close(&p);
}

/* What the server does not promise is warned of; what it does is told. */
static void durability_is_what_the_server_says(void **state) {
  (void)state;
  static const struct {
    const char *set, *said;
    bool durable;
  } levels[] = {{"CONFIG SET appendfsync everysec", "AOF synced every second", false},
                {"CONFIG SET appendfsync no", "AOF synced by the system", false},
                {"CONFIG SET appendonly no", "none (no persistence)", false},
                {"CONFIG SET save |900 1", "none (snapshots alone)", false},
                {"CONFIG SET appendonly yes", "AOF synced by the system", false},
                {"CONFIG SET appendfsync always", "fsync (AOF)", true}};
  char url[256];
  struct store_options options = {.warn = warn};
  url_on(server.port[0], "levels", "", url, sizeof url);
  for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
    struct store *store;
    warnings = 0;
    run(levels[i].set);
    assert_fine(store_open(ff_text(url), &options, &store, &error));
    if (strncmp(store->traits.durability, levels[i].said, strlen(levels[i].said)) != 0)
      fail_msg("%s: %s", levels[i].set, store->traits.durability);
    assert_int_equal(store->traits.durable, levels[i].durable);
    assert_int_equal(warnings, !levels[i].durable);
    store_close(store);
  }
}

/* wait=…: acknowledged is what the file or so many replicas have; else nobody knows. */
static void waiting_for_durability(void **state) {
  (void)state;
  struct place p;
  char url[256];
  const void *none;
  enum store_outcome outcome;
  url_on(server.port[0], "waits", "&wait=1&timeout_ms=300", url, sizeof url);
  place_open(&p, url, NULL);
  assert_fine(load(p.writer, numbered(1), &none));
  assert_fine(write_one(p.writer, STORE_INSERT, numbered(1), 0, &outcome));
  assert_int_equal(outcome, STORE_UNKNOWN); /* there is no replica */
  place_close(&p);
  url_on(server.port[0], "waits", "&wait=aof", url, sizeof url);
  if (server.kind == SERVER_REDIS) { /* Debian's is 7.0 */
    assert_refused(try_open(url), FF_CODE_config, "Redis 7.2");
    return;
  }
  run("CONFIG SET appendfsync no");
  assert_refused(try_open(url), FF_CODE_config, "appendfsync everysec or always");
  run("CONFIG SET appendfsync everysec");
  place_open(&p, url, NULL);
  assert_true(p.store->traits.durable);
  insert_one(&p, 2);
  place_close(&p);
  run("CONFIG SET appendonly no");
  assert_refused(try_open(url), FF_CODE_config, "appendonly yes");
  run("CONFIG SET appendonly yes");
  run("CONFIG SET appendfsync always");
}

static void wrong_urls_say_what_is_wrong(void **state) {
  (void)state;
  static const struct {
    const char *url, *cause;
  } wrong[] = {
      {"valkey:host", "reads valkey://"},
      {"valkey://h?colour=blue", "unknown parameter `colour`"},
      {"valkey://h?writers=0", "writers must be 1..8"},
      {"valkey://h?writers=9", "writers must be 1..8"},
      {"valkey://h?timeout_ms=x", "timeout_ms must be"},
      {"valkey://h?mode=rx", "mode must be ro or rw"},
      {"valkey://h?prefix=", "prefix must be"},
      {"valkey://h?prefix=a{b", "prefix must be"},
      {"valkey://h?prefix=a%zz", "prefix must be"},
      {"valkey://h?wait=disk", "wait must be"},
      {"valkey://h?wait=17", "wait must be"},
      {"valkey://h?tls=yes", "tls must be 0 or 1"},
      {"valkey://h?tls_ca=", "tls_ca must be"},
      {"valkey://h:0", "the port must be"},
      {"valkey://h:65536", "the port must be"},
      {"valkey://h:6379/x", "the database behind the host"},
      {"valkey://u:secret%zz@h", "percent-encode"},
      {"valkey://[::1/0", "an IPv6 address"},
      {"valkey://[::1]x/0", "an IPv6 address"},
  };
  for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
    assert_refused(try_open(wrong[i].url), FF_CODE_config, wrong[i].cause);
    assert_null(strstr(error.detail, "secret"));
  }
}

/* 01 CP-7: an engine older than the schema stops writing, also in the middle of its work. */
static void a_newer_schema_stops_writers(void **state) {
  (void)state;
  struct place p;
  char url[256];
  const void *none;
  enum store_outcome outcome;
  url_on(server.port[0], "newer", "", url, sizeof url);
  place_open(&p, url, NULL);
  insert_one(&p, 1);
  run("APPEND {newer}/schema |kind extra field\n");
  run("SET {newer}/schema/mark another");
  assert_fine(load(p.writer, numbered(2), &none));
  assert_refused(write_one(p.writer, STORE_INSERT, numbered(2), 0, &outcome), FF_CODE_unavailable,
                 "another version");
  assert_refused(try_open(url), FF_CODE_schema_too_new, "extra");
  place_close(&p);
}

/* CP-7: rows without an index that this program needs are refused, not half seen. */
static void a_missing_index_is_refused(void **state) {
  (void)state;
  char url[256];
  struct place p;
  url_on(server.port[0], "unindexed", "", url, sizeof url);
  place_open(&p, url, NULL);
  insert_one(&p, 1);
  place_close(&p);
  run("EVAL return{redis.call('set',KEYS[1],(string.gsub(redis.call('get',KEYS[1]),"
      "'index%sexecution_due[^\\n]*\\n','')))} 1 {unindexed}/schema");
  assert_refused(try_open(url), FF_CODE_unavailable, "execution_due");
  assert_refused(try_open(url), FF_CODE_unavailable, "ff restore"); /* nothing was changed */
}

/* ---- one server after the other ---- */

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_restarted_server_is_found_again),
    cmocka_unit_test(wrong_urls_say_what_is_wrong),
    cmocka_unit_test(wrong_settings_say_what_to_do),
    cmocka_unit_test(an_evicting_server_is_refused),
    cmocka_unit_test(a_full_server_says_so),
    cmocka_unit_test(a_replica_only_reads),
    cmocka_unit_test(waiting_for_durability),
    cmocka_unit_test(durability_is_what_the_server_says),
    cmocka_unit_test(cuts_at_every_request),
    cmocka_unit_test(readers_survive_lost_connections),
    cmocka_unit_test(functions_are_loaded_again),
    cmocka_unit_test(scripts_serve_where_functions_may_not),
    cmocka_unit_test(lost_writes_are_noticed),
    cmocka_unit_test(a_row_made_anew_is_another),
    cmocka_unit_test(hints_reach_other_processes),
    cmocka_unit_test(a_newer_schema_stops_writers),
    cmocka_unit_test(a_missing_index_is_refused),
};

static int test_on(enum server_kind kind) {
  if (!server_installed(kind)) return server_missing(kind);
  if (!server_start(&server, kind)) {
    fprintf(stderr, "%s\n", server.reason);
    return 1;
  }
  int failed = _cmocka_run_group_tests(server_name(kind), tests, ARRAY_LEN(tests), NULL, NULL);
  server_stop(&server);
  return failed != 0;
}

int main(void) {
  arena_init(&arena);
  int valkey = test_on(SERVER_VALKEY), redis = test_on(SERVER_REDIS);
  arena_fini(&arena);
  return valkey == 1 || redis == 1 ? 1 : valkey ? valkey : redis;
}
