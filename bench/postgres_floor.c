/*
 * The floor probe of PostgreSQL (doc/bench.md): what the server alone takes for the rows a lifecycle
 * must write, grouped as a run of `ff bench throughput` was grouped.
 *
 * One row per execution of twelve columns, inserted, updated at its claim and at its completion; one
 * event row at each step; the primary key, the eligible and the lease-expiry index. Each transaction
 * is one pipeline (BEGIN, at most four statements over unnest of arrays, COMMIT), so one round trip:
 * no reads, no locks, no checks, no wake-ups. As many connections as asked for work at the same time.
 *
 * usage: postgres_floor URL [--n N] [--create-group N] [--drain-group N] [--connections N] [--bulk]
 */
#include "base/base.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdlib.h>

#define SCHEMA "flowfabric_floor"
#define LEASE_MS 30000

enum { INSERT, CLAIM, COMPLETE, EVENT, BEGIN, COMMIT, STATEMENTS };
static const char *const texts[STATEMENTS] = {
    [INSERT] = "INSERT INTO execution(id,lane,priority,created_at,state,lease_epoch,payload) "
               "SELECT r.id,$2::text,0,r.at,1,0,$3::bytea FROM unnest($1::uuid[],$4::int8[]) "
               "AS r(id,at)",
    [CLAIM] = "UPDATE execution t SET state=2,lease_epoch=1,lease_id=r.lease,attempt_id=r.lease,"
              "worker=$2::text,lease_expires_at=r.at FROM unnest($1::uuid[],$3::uuid[],$4::int8[]) "
              "AS r(id,lease,at) WHERE t.id=r.id",
    [COMPLETE] = "UPDATE execution t SET state=3,lease_expires_at=NULL,ended_at=$2::int8 FROM "
                 "unnest($1::uuid[]) AS r(id) WHERE t.id=r.id",
    [EVENT] = "INSERT INTO event(at,execution,kind,lease_id,lease_epoch,worker) "
              "SELECT $2::int8,r.id,$3::int4,r.id,1,$4::text FROM unnest($1::uuid[]) AS r(id)",
    [BEGIN] = "BEGIN",
    [COMMIT] = "COMMIT",
};
static const char tables[] =
    "DROP SCHEMA IF EXISTS " SCHEMA " CASCADE;CREATE SCHEMA " SCHEMA ";"
    "CREATE TABLE " SCHEMA ".execution(id uuid PRIMARY KEY,lane text COLLATE \"C\",priority int4,"
    "created_at int8,state int2,lease_epoch int8,lease_id uuid,attempt_id uuid,worker text,"
    "lease_expires_at int8,ended_at int8,payload bytea);"
    "CREATE INDEX eligible ON " SCHEMA ".execution(lane,priority DESC,created_at) WHERE state=1;"
    "CREATE INDEX lease_expiry ON " SCHEMA ".execution(lease_expires_at) WHERE lease_expires_at IS "
    "NOT NULL;"
    "CREATE TABLE " SCHEMA ".event(event_id bigserial PRIMARY KEY,at int8,execution uuid,kind int4,"
    "lease_id uuid,lease_epoch int8,worker text)";

struct probe {
  const char *url;
  uint64_t n;
  unsigned create_group, drain_group, connections;
  bool bulk;
};
struct worker {
  struct probe *p;
  PGconn *conn;
  unsigned number;
  uint64_t created, claimed, completed; /* of its own executions, numbered */
  struct buffer ids, leases, times;
  bool failed;
};

static int64_t bigs(int64_t n) { return (int64_t)__builtin_bswap64((uint64_t)n); }
static void put32(struct buffer *b, uint32_t n) {
  n = __builtin_bswap32(n);
  buffer_append(b, &n, 4);
}
static void put_head(struct buffer *b, Oid type, unsigned count) {
  buffer_clear(b);
  put32(b, 1), put32(b, 0), put32(b, type), put32(b, count), put32(b, 1);
}

/* 16 bytes that ascend with the number, like a version 7 uuid. */
static void id_of(const struct worker *w, uint64_t number, uint8_t salt, uint8_t out[16]) {
  uint64_t high = (uint64_t)bigs((int64_t)number), random = hash_mix64(number);
  memcpy(out, &high, 8);
  memcpy(out + 8, &random, 8);
  out[14] = (uint8_t)w->number;
  out[15] = salt;
}

static void fill(struct worker *w, uint64_t from, unsigned count, int64_t at) {
  put_head(&w->ids, 2950, count);
  put_head(&w->leases, 2950, count);
  put_head(&w->times, 20, count);
  for (uint64_t i = from; i < from + count; i++) {
    uint8_t id[16], lease[16];
    int64_t time = bigs(at + (int64_t)(i / 16));
    id_of(w, i, 0, id);
    id_of(w, i, 1, lease);
    put32(&w->ids, 16), buffer_append(&w->ids, id, 16);
    put32(&w->leases, 16), buffer_append(&w->leases, lease, 16);
    put32(&w->times, 8), buffer_append(&w->times, &time, 8);
  }
}

static void queue(struct worker *w, int statement, int count, const char *const *values,
                  const int *lengths) {
  static const int binary[] = {1, 1, 1, 1};
  char name[16];
  snprintf(name, sizeof name, "s%d", statement);
  if (!PQsendQueryPrepared(w->conn, name, count, values, lengths, binary, 1)) w->failed = true;
}

static void add_event(struct worker *w, int kind) {
  uint32_t big = __builtin_bswap32((uint32_t)kind);
  int64_t now = bigs(clock_wall_ms());
  const char *values[] = {w->ids.ptr, (char *)&now, (char *)&big, "bench-1"};
  queue(w, EVENT, 4, values, (int[]){(int)w->ids.len, 8, 4, 7});
}

static void steps(struct worker *w, unsigned creates, unsigned claims, unsigned completes) {
  static const char payload[100] = "x";
  int64_t wall = clock_wall_ms(), now = bigs(wall);
  if (creates) {
    fill(w, w->created, creates, wall);
    const char *values[] = {w->ids.ptr, "bench-lane", payload, w->times.ptr};
    queue(w, INSERT, 4, values, (int[]){(int)w->ids.len, 10, sizeof payload, (int)w->times.len});
    add_event(w, 1);
    w->created += creates;
  }
  if (claims) {
    fill(w, w->claimed, claims, wall + LEASE_MS);
    const char *values[] = {w->ids.ptr, "bench-1", w->leases.ptr, w->times.ptr};
    queue(w, CLAIM, 4, values,
          (int[]){(int)w->ids.len, 7, (int)w->leases.len, (int)w->times.len});
    add_event(w, 2);
  }
  if (completes) {
    fill(w, w->completed, completes, wall);
    const char *values[] = {w->ids.ptr, (char *)&now};
    queue(w, COMPLETE, 2, values, (int[]){(int)w->ids.len, 8});
    add_event(w, 3);
  }
  w->claimed += claims;
  w->completed += completes;
}

static void transaction(struct worker *w, unsigned creates, unsigned claims, unsigned completes) {
  queue(w, BEGIN, 0, NULL, NULL);
  steps(w, creates, claims, completes);
  queue(w, COMMIT, 0, NULL, NULL);
  if (!PQpipelineSync(w->conn)) w->failed = true;
  for (bool done = false; !done && !w->failed;) {
    PGresult *r = PQgetResult(w->conn);
    ExecStatusType status = r ? PQresultStatus(r) : PGRES_COMMAND_OK;
    done = status == PGRES_PIPELINE_SYNC;
    if (status == PGRES_FATAL_ERROR || status == PGRES_PIPELINE_ABORTED) {
      fprintf(stderr, "postgres_floor: %s", PQresultErrorMessage(r));
      w->failed = true;
    }
    if (PQstatus(w->conn) != CONNECTION_OK) w->failed = true;
    PQclear(r);
  }
}

static unsigned least(unsigned a, uint64_t b) { return b < a ? (unsigned)b : a; }

static void *create_all(void *user) {
  struct worker *w = user;
  uint64_t share = w->p->n / w->p->connections;
  while (w->created < share && !w->failed)
    transaction(w, least(w->p->create_group, share - w->created), 0, 0);
  return NULL;
}

/* Only what earlier transactions left is completed, as with callers that wait for the answer. */
static void *drain_all(void *user) {
  struct worker *w = user;
  unsigned group = w->p->drain_group < 2 ? 2 : w->p->drain_group;
  for (bool turn = true; w->completed < w->created && !w->failed; turn = !turn) {
    unsigned claims = w->p->bulk ? (turn ? group : 0) : group / 2;
    unsigned completes = w->p->bulk ? (turn ? 0 : group) : group - group / 2;
    transaction(w, 0, least(claims, w->created - w->claimed),
                least(completes, w->claimed - w->completed));
  }
  return NULL;
}

static bool run_sql(PGconn *conn, const char *sql) {
  PGresult *r = PQexec(conn, sql);
  bool ok = PQresultStatus(r) == PGRES_COMMAND_OK;
  if (!ok) fprintf(stderr, "postgres_floor: %s", PQerrorMessage(conn));
  PQclear(r);
  return ok;
}

static bool prepare(struct worker *w) {
  w->conn = PQconnectdb(w->p->url);
  bool ok = run_sql(w->conn, "SET client_min_messages=error") &&
            (w->number || run_sql(w->conn, tables)) &&
            run_sql(w->conn, "SET search_path=" SCHEMA ";SET plan_cache_mode=force_generic_plan;"
                             "SET enable_seqscan=off;SET enable_hashjoin=off;"
                             "SET enable_mergejoin=off;SET enable_bitmapscan=off;SET jit=off");
  for (int i = 0; i < STATEMENTS && ok; i++) {
    char name[16];
    snprintf(name, sizeof name, "s%d", i);
    PGresult *r = PQprepare(w->conn, name, texts[i], 0, NULL);
    ok = PQresultStatus(r) == PGRES_COMMAND_OK;
    if (!ok) fprintf(stderr, "postgres_floor: %s", PQresultErrorMessage(r));
    PQclear(r);
  }
  return ok && PQenterPipelineMode(w->conn);
}

/* Runs all workers; the time until the last has ended, in µs. */
static int64_t run(struct worker *workers, unsigned count, void *(*work)(void *)) {
  pthread_t threads[16];
  int64_t start = clock_monotonic_us();
  for (unsigned i = 0; i < count; i++)
    INVARIANT(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
  for (unsigned i = 0; i < count; i++) pthread_join(threads[i], NULL);
  return clock_monotonic_us() - start;
}

static unsigned number(const char *text) { return text ? (unsigned)strtoul(text, NULL, 10) : 0; }

int main(int argc, char **argv) {
  struct probe p = {.url = argc > 1 ? argv[1] : "", .n = 50000, .create_group = 25,
                    .drain_group = 25, .connections = 2};
  struct worker workers[16] = {0};
  for (int i = 2; i < argc; i++) {
    if (strcmp(argv[i], "--n") == 0) p.n = number(argv[++i]);
    else if (strcmp(argv[i], "--create-group") == 0) p.create_group = number(argv[++i]);
    else if (strcmp(argv[i], "--drain-group") == 0) p.drain_group = number(argv[++i]);
    else if (strcmp(argv[i], "--connections") == 0) p.connections = number(argv[++i]);
    else if (strcmp(argv[i], "--bulk") == 0) p.bulk = true;
    else argc = 1;
  }
  if (argc < 2 || !p.create_group || !p.drain_group || !p.connections || p.connections > 16)
    return fprintf(stderr, "usage: postgres_floor URL [--n N] [--create-group N] [--drain-group N] "
                           "[--connections 1..16] [--bulk]\n"), 2;
  bool ok = true;
  for (unsigned i = 0; i < p.connections && ok; i++) {
    workers[i].p = &p;
    workers[i].number = i;
    ok = prepare(&workers[i]);
  }
  int64_t create = ok ? run(workers, p.connections, create_all) : 0;
  int64_t drain = ok ? run(workers, p.connections, drain_all) : 0;
  for (unsigned i = 0; i < p.connections; i++) {
    struct worker *w = &workers[i];
    ok &= !w->failed;
    if (i == 0 && w->conn && PQexitPipelineMode(w->conn))
      run_sql(w->conn, "DROP SCHEMA " SCHEMA " CASCADE");
    PQfinish(w->conn);
    buffer_fini(&w->ids), buffer_fini(&w->leases), buffer_fini(&w->times);
  }
  if (!ok) return 1;
  printf("floor %.0f lifecycles/s (enqueue %.0f, drain %.0f), %llu with %u connections, %u creates "
         "and %u claims and completions a commit\n",
         (double)p.n * 1e6 / (double)(create + drain), (double)p.n * 1e6 / (double)create,
         (double)p.n * 1e6 / (double)drain, (unsigned long long)p.n, p.connections, p.create_group,
         p.drain_group);
  return 0;
}
