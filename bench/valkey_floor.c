/*
 * The floor probe of Valkey and Redis (doc/bench.md): what the server alone takes for the rows a
 * lifecycle must write, grouped as a run of `ff bench throughput` was grouped.
 *
 * One string of 250 bytes per execution, set, set again at its claim and at its completion; one
 * stream entry at each step; a sorted set of what is eligible and one of lease expiries. Each group
 * is one call of one script: no reads, no checks, no wake-ups.
 *
 * usage: valkey_floor HOST PORT PASSWORD [--n N] [--create-group N] [--drain-group N]
 */
#include "base/base.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#define GROUP_MAX 1000u

static const char script[] =
    "local what, at = ARGV[1], ARGV[2] "
    "for i = 3, #ARGV, 2 do local id, row = ARGV[i], ARGV[i + 1] "
    "redis.call('SET', '{floor}:' .. id, row) "
    "if what == 'create' then redis.call('ZADD', '{floor}/eligible', 0, id) "
    "elseif what == 'claim' then redis.call('ZREM', '{floor}/eligible', id) "
    "redis.call('ZADD', '{floor}/leases', at, id) "
    "else redis.call('ZREM', '{floor}/leases', id) end "
    "redis.call('XADD', '{floor}/events', '*', 'k', what, 'e', id, 'w', 'worker-1') end return 1";

struct probe {
  redisContext *conn;
  char sha[41];
  uint64_t n;
  unsigned create_group, drain_group;
};

static redisReply *checked(redisReply *r, const redisContext *c) {
  if (r && r->type != REDIS_REPLY_ERROR) return r;
  fprintf(stderr, "valkey_floor: %s\n", r ? r->str : c->errstr);
  exit(1);
}

static void step(const struct probe *p, const char *what, uint64_t from, unsigned count) {
  static char ids[GROUP_MAX][32], row[250];
  const char *words[5 + 2 * GROUP_MAX] = {"EVALSHA", p->sha, "0", what, "1800000000000"};
  size_t sizes[5 + 2 * GROUP_MAX] = {7, 40, 1, strlen(what), 13};
  memset(row, 'x', sizeof row);
  for (unsigned i = 0; i < count; i++) {
    unsigned at = 5 + 2 * i;
    sizes[at] = (size_t)snprintf(ids[i], sizeof ids[i], "%016llx", (unsigned long long)(from + i));
    words[at] = ids[i];
    words[at + 1] = row;
    sizes[at + 1] = sizeof row;
  }
  freeReplyObject(
      checked(redisCommandArgv(p->conn, (int)(5 + 2 * count), words, sizes), p->conn));
}

static unsigned least(unsigned a, uint64_t b) { return b < a ? (unsigned)b : a; }

static int64_t create_all(const struct probe *p) {
  int64_t start = clock_monotonic_us();
  for (uint64_t at = 0; at < p->n; at += p->create_group)
    step(p, "create", at, least(p->create_group, p->n - at));
  return clock_monotonic_us() - start;
}

static int64_t drain_all(const struct probe *p) {
  int64_t start = clock_monotonic_us();
  for (uint64_t at = 0; at < p->n; at += p->drain_group) {
    step(p, "claim", at, least(p->drain_group, p->n - at));
    step(p, "complete", at, least(p->drain_group, p->n - at));
  }
  return clock_monotonic_us() - start;
}

static unsigned number(const char *text) { return text ? (unsigned)strtoul(text, NULL, 10) : 0; }

int main(int argc, char **argv) {
  struct probe p = {.n = 50000, .create_group = 100, .drain_group = 100};
  if (argc < 4) return fprintf(stderr, "usage: valkey_floor HOST PORT PASSWORD [...]\n"), 2;
  for (int i = 4; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--n") == 0) p.n = number(argv[i + 1]);
    if (strcmp(argv[i], "--create-group") == 0) p.create_group = number(argv[i + 1]);
    if (strcmp(argv[i], "--drain-group") == 0) p.drain_group = number(argv[i + 1]);
  }
  if (p.create_group - 1 >= GROUP_MAX || p.drain_group - 1 >= GROUP_MAX)
    return fprintf(stderr, "valkey_floor: groups are of 1..%u\n", GROUP_MAX), 2;
  p.conn = redisConnect(argv[1], (int)number(argv[2]));
  if (!p.conn || p.conn->err) return fprintf(stderr, "valkey_floor: cannot connect\n"), 1;
  if (*argv[3]) freeReplyObject(checked(redisCommand(p.conn, "AUTH %s", argv[3]), p.conn));
  freeReplyObject(checked(redisCommand(p.conn, "FLUSHDB"), p.conn));
  redisReply *sha = checked(redisCommand(p.conn, "SCRIPT LOAD %s", script), p.conn);
  snprintf(p.sha, sizeof p.sha, "%s", sha->str);
  freeReplyObject(sha);
  int64_t created = create_all(&p), drained = drain_all(&p);
  printf("floor: %.0f lifecycles/s (creation %.0f/s, drain %.0f/s; %u and %u to a call)\n",
         1e6 * (double)p.n / (double)(created + drained), 1e6 * (double)p.n / (double)created,
         1e6 * (double)p.n / (double)drained, p.create_group, p.drain_group);
  redisFree(p.conn);
  return 0;
}
