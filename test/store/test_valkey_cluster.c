/*
 * A cluster of six nodes: any node as the URL, a slot that moves to another node under load, a
 * primary that dies under load. Outcomes are counted: nothing happens twice, nothing acknowledged is
 * lost (wait=1: a replica has it).
 */
#include "test/store/faults.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static void url_on(uint32_t node, const char *prefix, const char *more, char *out, size_t size) {
  snprintf(out, size, "valkey://default:%s@127.0.0.1:%u?prefix=%s%s", server.password,
           server.port[node], prefix, more);
}

static redisContext *dial(uint32_t node) {
  redisContext *c = redisConnect("127.0.0.1", server.port[node]);
  if (!c || c->err) {
    redisFree(c);
    return NULL;
  }
  freeReplyObject(redisCommand(c, "AUTH %s", server.password));
  return c;
}

static uint32_t slot_of(const char *prefix) {
  return hash_crc16_xmodem(prefix, strlen(prefix)) % 16384;
}

/* The node that serves the slot, as it says itself; SERVER_NODES when none does. */
static uint32_t owner_of(const char *prefix) {
  uint32_t owner = SERVER_NODES;
  for (uint32_t i = 0; i < SERVER_NODES && owner == SERVER_NODES; i++) {
    redisContext *c = server.pid[i] ? dial(i) : NULL;
    if (!c) continue;
    redisReply *r = redisCommand(c, "GET {%s}/schema", prefix);
    if (r && r->type != REDIS_REPLY_ERROR) owner = i;
    freeReplyObject(r);
    redisFree(c);
  }
  return owner;
}

static void any_node_will_do(void **state) {
  (void)state;
  for (uint32_t i = 0; i < SERVER_NODES; i++) {
    struct place p;
    char url[256];
    url_on(i, "nodes", "", url, sizeof url);
    place_open(&p, url, NULL);
    insert_one(&p, i);
    assert_true(is_there(&p, numbered(0)));
    place_close(&p);
  }
  assert_int_not_equal(owner_of("nodes"), SERVER_NODES);
}

/* ---- load: one row that counts ---- */

struct load {
  struct place place;
  struct arena arena;
  pthread_t thread;
  atomic_bool stop;
  atomic_uint applied, unknown, errors;
};

static void count_once(struct load *l) {
  struct store_get get = {.kind = RECORD_KIND_execution, .key = NULL};
  struct execution key;
  struct ff_error e;
  int64_t now;
  record_init(RECORD_KIND_execution, &key);
  key.id.b[0] = 1;
  get.key = &key;
  if (store_fetch(l->place.writer, &l->arena, &get, 1, NULL, 0, &now, &e) || !get.record) {
    atomic_fetch_add(&l->errors, 1);
    return;
  }
  struct execution *x = record_copy(RECORD_KIND_execution, get.record, &l->arena);
  uint64_t base = x->head.version++;
  x->total_attempt_count++;
  x->next_due_at = (int64_t)x->head.version;
  struct store_write write = {STORE_UPDATE, RECORD_KIND_execution, x, base};
  struct store_group group = {.writes = &write, .write_count = 1, .valid_until = INT64_MAX};
  if (store_apply(l->place.writer, &group, 1, &e)) atomic_fetch_add(&l->errors, 1);
  else if (group.outcome == STORE_APPLIED) atomic_fetch_add(&l->applied, 1);
  else if (group.outcome == STORE_UNKNOWN) atomic_fetch_add(&l->unknown, 1);
}

static void *count(void *user) {
  struct load *l = user;
  while (!atomic_load(&l->stop)) {
    count_once(l);
    arena_reset(&l->arena);
  }
  return NULL;
}

static void load_start(struct load *l, const char *url) {
  memset(l, 0, sizeof *l);
  arena_init(&l->arena);
  place_open(&l->place, url, NULL);
  insert_one(&l->place, 0);
  assert_int_equal(pthread_create(&l->thread, NULL, count, l), 0);
}

/* Until so many more have been acknowledged; a minute at most. */
static void load_goes_on(struct load *l, uint32_t more) {
  uint32_t from = atomic_load(&l->applied);
  for (int i = 0; i < 1200 && atomic_load(&l->applied) < from + more; i++) usleep(50000);
  assert_true(atomic_load(&l->applied) >= from + more);
}

static void load_stop(struct load *l) {
  const void *record;
  atomic_store(&l->stop, true);
  pthread_join(l->thread, NULL);
  assert_fine(load(l->place.reader, numbered(0), &record));
  assert_non_null(record);
  uint32_t counted = ((const struct execution *)record)->total_attempt_count;
  uint32_t applied = atomic_load(&l->applied), unknown = atomic_load(&l->unknown);
  if (counted < applied || counted > applied + unknown)
    fail_msg("%u acknowledged and %u unknown, but %u counted", applied, unknown, counted);
  struct store_scan s = {.index = INDEX_execution_due, .from = numbered(0), .limit = 9};
  int64_t now;
  assert_fine(store_fetch(l->place.reader, &arena, NULL, 0, &s, 1, &now, &error));
  assert_int_equal(s.count, 1); /* the index followed every time */
  place_close(&l->place);
  arena_fini(&l->arena);
}

/* ---- resharding ---- */

static void command(redisContext *c, const char *format, ...) {
  va_list args;
  va_start(args, format);
  redisReply *r = redisvCommand(c, format, args);
  va_end(args);
  if (!r || r->type == REDIS_REPLY_ERROR) fail_msg("%s: %s", format, r ? r->str : c->errstr);
  freeReplyObject(r);
}

static void node_id(redisContext *c, char out[64]) {
  redisReply *r = redisCommand(c, "CLUSTER MYID");
  snprintf(out, 64, "%s", r->str);
  freeReplyObject(r);
}

static void migrate_keys(redisContext *from, uint32_t slot, uint16_t to_port) {
  for (;;) {
    redisReply *keys = redisCommand(from, "CLUSTER GETKEYSINSLOT %u 1", slot);
    assert_int_equal(keys->type, REDIS_REPLY_ARRAY);
    if (keys->elements == 0) {
      freeReplyObject(keys);
      return;
    }
    command(from, "MIGRATE 127.0.0.1 %u %s 0 5000 AUTH %s KEYS %b", to_port, "", server.password,
            keys->element[0]->str, (size_t)keys->element[0]->len);
    freeReplyObject(keys);
    usleep(20000); /* the load meets every state in between */
  }
}

static void move_slot(uint32_t slot, uint32_t from, uint32_t to) {
  char source[64], target[64];
  redisContext *a = dial(from), *b = dial(to);
  node_id(a, source);
  node_id(b, target);
  command(b, "CLUSTER SETSLOT %u IMPORTING %s", slot, source);
  command(a, "CLUSTER SETSLOT %u MIGRATING %s", slot, target);
  migrate_keys(a, slot, server.port[to]);
  command(b, "CLUSTER SETSLOT %u NODE %s", slot, target);
  command(a, "CLUSTER SETSLOT %u NODE %s", slot, target);
  redisFree(a);
  redisFree(b);
}

static bool is_primary(uint32_t node) {
  return server_ask(&server, node, "ROLE\r\n", "$6\r\nmaster");
}

static void a_slot_moves_under_load(void **state) {
  (void)state;
  struct load l;
  char url[256];
  url_on(0, "moves", "", url, sizeof url);
  load_start(&l, url);
  load_goes_on(&l, 20);
  uint32_t from = owner_of("moves"), to = 0;
  while (to == from || !is_primary(to)) to++;
  assert_true(to < SERVER_NODES);
  move_slot(slot_of("moves"), from, to);
  load_goes_on(&l, 20);
  assert_int_equal(owner_of("moves"), to);
  load_stop(&l);
}

/* ---- a primary dies ---- */

static void a_primary_dies_under_load(void **state) {
  (void)state;
  struct load l;
  char url[256];
  url_on(5, "dies", "&wait=1&timeout_ms=2000", url, sizeof url);
  load_start(&l, url);
  load_goes_on(&l, 20);
  uint32_t dead = owner_of("dies");
  assert_int_not_equal(dead, SERVER_NODES);
  server_signal(&server, dead, SIGKILL);
  for (int i = 0; i < 600 && (owner_of("dies") == SERVER_NODES || owner_of("dies") == dead); i++)
    usleep(100000);
  assert_int_not_equal(owner_of("dies"), SERVER_NODES);
  assert_true(server_restart(&server, dead)); /* comes back as a replica: wait=1 has somebody */
  load_goes_on(&l, 20);
  load_stop(&l);
}

int main(void) {
  if (!server_installed(SERVER_CLUSTER)) return server_missing(SERVER_CLUSTER);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(any_node_will_do),
      cmocka_unit_test(a_slot_moves_under_load),
      cmocka_unit_test(a_primary_dies_under_load),
  };
  arena_init(&arena);
  if (!server_start(&server, SERVER_CLUSTER)) {
    fprintf(stderr, "%s\n", server.reason);
    return 1;
  }
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  server_stop(&server);
  arena_fini(&arena);
  return failed != 0;
}
