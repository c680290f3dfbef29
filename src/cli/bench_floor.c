/*
 * The floor probe (doc/bench.md): what SQLite alone takes for the rows a lifecycle must write,
 * grouped as our run was grouped.
 *
 * One row per execution, inserted, updated at its claim and at its completion; one event row at
 * each step; the primary key, the eligible and the lease-expiry index. One thread, prepared
 * statements, no reads, no checks, no wake-ups. The connection is set as the store sets its own:
 * WAL, page 4096, a log recycled by passive checkpoints of at most a thousand frames.
 */
#include "args.h"
#include "bench.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define HARD_FRAMES 1000 /* as src/store/sqlite_impl.h */
#define LEASE_MS 30000

static const char pragmas[] =
    "PRAGMA page_size=4096;PRAGMA journal_mode=WAL;PRAGMA temp_store=MEMORY;PRAGMA mmap_size=0;"
    "PRAGMA cache_size=-4096;PRAGMA wal_autocheckpoint=0;PRAGMA journal_size_limit=33554432;";

enum { INSERT, CLAIM, COMPLETE, EVENT, FRAME, STREAM, BEGIN, COMMIT, STATEMENTS };
/* Tables and statements. INSERT id, lane, created_at, payload; CLAIM lease, attempt, worker,
 * expiry, id; COMPLETE time, id; EVENT time, id, kind, lease, epoch, worker; FRAME execution, number,
 * time, payload; STREAM execution, count, bytes. */
struct shape {
  const char *tables;
  const char *texts[STATEMENTS];
};

/* A stream's output: a row for each frame, found by stream and place, and what is known of the stream. */
#define FRAME_TABLES                                                                              \
  "CREATE TABLE frame(execution BLOB,number INTEGER,at INTEGER,type TEXT,payload BLOB,"           \
  "PRIMARY KEY(execution,number))WITHOUT ROWID;"                                                  \
  "CREATE TABLE stream(execution BLOB PRIMARY KEY,count INTEGER,bytes INTEGER)WITHOUT ROWID;"
#define FRAME_TEXT "INSERT INTO frame VALUES(?1,?2,?3,'event',?4)"
#define STREAM_TEXT "INSERT OR REPLACE INTO stream VALUES(?1,?2,?3)"

/* The least that can be queued, leased and ended: twelve columns, seven in the event. */
static const struct shape bare = {
    "CREATE TABLE execution(id BLOB PRIMARY KEY,lane TEXT,priority INTEGER,created_at INTEGER,"
    "state INTEGER,lease_epoch INTEGER,lease_id BLOB,attempt_id BLOB,worker TEXT,"
    "lease_expires_at INTEGER,ended_at INTEGER,payload BLOB)WITHOUT ROWID;"
    "CREATE INDEX eligible ON execution(lane,priority DESC,created_at)WHERE state=1;"
    "CREATE INDEX lease_expiry ON execution(lease_expires_at)WHERE lease_expires_at IS NOT NULL;"
    "CREATE TABLE event(event_id INTEGER PRIMARY KEY,at INTEGER,execution BLOB,kind INTEGER,"
    "lease_id BLOB,lease_epoch INTEGER,worker TEXT);" FRAME_TABLES,
    {[INSERT] = "INSERT INTO execution(id,lane,priority,created_at,state,lease_epoch,payload)"
                "VALUES(?1,?2,0,?3,1,0,?4)",
     [CLAIM] = "UPDATE execution SET state=2,lease_epoch=1,lease_id=?1,attempt_id=?2,worker=?3,"
               "lease_expires_at=?4 WHERE id=?5",
     [COMPLETE] = "UPDATE execution SET state=3,lease_expires_at=NULL,ended_at=?1 WHERE id=?2",
     [EVENT] = "INSERT INTO event(at,execution,kind,lease_id,lease_epoch,worker)"
               "VALUES(?1,?2,?3,?4,?5,?6)",
     [FRAME] = FRAME_TEXT,
     [STREAM] = STREAM_TEXT,
     [BEGIN] = "BEGIN IMMEDIATE",
     [COMMIT] = "COMMIT"},
};

/* The facts spec 01 wants of one successful lifecycle (RC-1 to RC-4, RC-20), each in a column; the
 * same rows and indexes. */
static const struct shape full = {
    "CREATE TABLE execution(row INTEGER PRIMARY KEY,partition INTEGER,id BLOB,lane TEXT,kind TEXT,"
    "creator TEXT,required TEXT,created_at INTEGER,payload BLOB,priority INTEGER,phase INTEGER,"
    "ownership INTEGER,eligibility INTEGER,blocking INTEGER,terminal INTEGER,attempt_state INTEGER,"
    "lease_epoch INTEGER,attempts INTEGER,attempt_index INTEGER,attempt_id BLOB,"
    "attempt_type INTEGER,attempt_lifecycle INTEGER,attempt_started_at INTEGER,"
    "attempt_ended_at INTEGER,lease_id BLOB,worker TEXT,worker_instance TEXT,"
    "lease_acquired_at INTEGER,lease_renewed_at INTEGER,lease_expires_at INTEGER,"
    "last_transition_at INTEGER,last_mutation_at INTEGER,started_at INTEGER,completed_at INTEGER,"
    "purge_at INTEGER,receipt INTEGER,version INTEGER);"
    "CREATE UNIQUE INDEX execution_key ON execution(partition,id);"
    "CREATE INDEX eligible ON execution(lane,required,priority DESC,created_at,partition,id)"
    "WHERE eligibility=1;"
    "CREATE INDEX lease_expiry ON execution(lease_expires_at,partition,id)"
    "WHERE lease_expires_at IS NOT NULL;"
    "CREATE TABLE event(event_id INTEGER PRIMARY KEY,at INTEGER,partition INTEGER,execution BLOB,"
    "kind INTEGER,completion INTEGER,lease_id BLOB,lease_epoch INTEGER,attempt_id BLOB,"
    "attempt_index INTEGER,worker TEXT,worker_instance TEXT,reason TEXT,expires_at INTEGER);"
    FRAME_TABLES,
    {[INSERT] = "INSERT INTO execution(partition,id,lane,kind,creator,required,created_at,payload,"
                "priority,phase,ownership,eligibility,blocking,terminal,attempt_state,lease_epoch,"
                "attempts,attempt_index,attempt_type,attempt_lifecycle,last_transition_at,"
                "last_mutation_at,receipt,version)VALUES(7,?1,?2,'bench','ff bench','',?3,?4,"
                "0,1,0,1,0,0,1,0,0,0,0,0,?3,?3,0,1)",
     [CLAIM] = "UPDATE execution SET phase=2,ownership=1,eligibility=2,attempt_state=3,"
               "lease_epoch=1,attempts=1,attempt_id=?2,attempt_type=1,attempt_lifecycle=1,"
               "attempt_started_at=?4,lease_id=?1,worker=?3,worker_instance=?3,"
               "lease_acquired_at=?4,lease_renewed_at=?4,lease_expires_at=?4,"
               "last_transition_at=?4,last_mutation_at=?4,started_at=?4,version=2 "
               "WHERE partition=7 AND id=?5",
     [COMPLETE] = "UPDATE execution SET phase=4,ownership=0,eligibility=0,terminal=1,"
                  "attempt_state=6,attempt_lifecycle=4,attempt_ended_at=?1,lease_acquired_at=NULL,"
                  "lease_renewed_at=NULL,lease_expires_at=NULL,last_transition_at=?1,"
                  "last_mutation_at=?1,completed_at=?1,purge_at=?1,receipt=1,version=3 "
                  "WHERE partition=7 AND id=?2",
     [EVENT] = "INSERT INTO event(at,partition,execution,kind,completion,lease_id,lease_epoch,"
               "attempt_id,attempt_index,worker,worker_instance,expires_at)"
               "VALUES(?1,7,?2,?3,0,?4,?5,?4,0,?6,?6,?1)",
     [FRAME] = FRAME_TEXT,
     [STREAM] = STREAM_TEXT,
     [BEGIN] = "BEGIN IMMEDIATE",
     [COMMIT] = "COMMIT"},
};

struct bench_floor {
  struct bench *b;
  sqlite3 *db;
  sqlite3_stmt *statements[STATEMENTS];
  char path[PATH_MAX];
  unsigned char *payload;
  size_t payload_bytes;
  int64_t started_ms;
  uint64_t created, claimed,
      completed; /* executions are numbered: those below have taken the step */
  uint64_t appended; /* frames */
  int frames, checkpointed;
  int code; /* the first failure */
};

/* ---- opening ---- */

/* The synchronous level that the store's statement of durability stands for; -1 = no file. */
static int level_of(const char *durability) {
  if (strcmp(durability, "fsync") == 0) return 2;
  if (strstr(durability, "normal")) return 1;
  if (strstr(durability, "synchronous=off")) return 0;
  return -1;
}

bool bench_floor_wanted(const struct bench *b, const char *durability) {
  return b->kind == BENCH_STORE_FILE && !b->no_floor && level_of(durability) >= 0;
}

static int committed(void *user, sqlite3 *db, const char *name, int frames) {
  struct bench_floor *f = user;
  (void)db, (void)name;
  if (frames < f->frames) f->checkpointed = 0;
  f->frames = frames;
  return SQLITE_OK;
}

static int prepare(struct bench_floor *f, int level) {
  char sync[64];
  snprintf(sync, sizeof(sync), "PRAGMA synchronous=%d", level);
  const struct shape *shape = f->b->full_floor ? &full : &bare;
  int code = sqlite3_exec(f->db, pragmas, NULL, NULL, NULL);
  if (code == SQLITE_OK) code = sqlite3_exec(f->db, shape->tables, NULL, NULL, NULL);
  if (code == SQLITE_OK) code = sqlite3_exec(f->db, sync, NULL, NULL, NULL);
  for (int i = 0; i < STATEMENTS && code == SQLITE_OK; i++)
    code = sqlite3_prepare_v3(f->db, shape->texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                              &f->statements[i], NULL);
  sqlite3_wal_hook(f->db, committed, f);
  return code;
}

static int failed(struct bench_floor *f) {
  return cli_error(CLI_UNREACHABLE, "floor probe: %s: %s", f->path, sqlite3_errmsg(f->db));
}

struct bench_floor *bench_floor_open(struct bench *b, const char *durability) {
  struct bench_floor *f = cli_alloc(sizeof(*f));
  *f = (struct bench_floor){
      .b = b, .payload_bytes = (size_t)b->payload_bytes, .started_ms = cli_now_ms()};
  bench_scratch_path(b, "floor", f->path);
  f->payload = bench_payload_new(f->payload_bytes);
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  int code = sqlite3_open_v2(f->path, &f->db, flags, NULL);
  if (code == SQLITE_OK) code = prepare(f, level_of(durability));
  if (code == SQLITE_OK) return f;
  failed(f);
  bench_floor_close(f);
  return NULL;
}

void bench_floor_close(struct bench_floor *f) {
  if (!f) return;
  for (int i = 0; i < STATEMENTS; i++) sqlite3_finalize(f->statements[i]);
  sqlite3_close(f->db);
  bench_remove_database(f->path);
  free(f->payload);
  free(f);
}

/* ---- the steps ---- */

static void step(struct bench_floor *f, int which) {
  sqlite3_stmt *st = f->statements[which];
  if (f->code == SQLITE_OK && sqlite3_step(st) != SQLITE_DONE) f->code = sqlite3_errcode(f->db);
  sqlite3_reset(st);
}

/* 16 bytes that ascend with the number, like a version 7 uuid; `salt` tells lease from execution.
 */
static void id_of(uint64_t number, unsigned char salt, unsigned char out[16]) {
  uint64_t random = (number + 1) * 0x9e3779b97f4a7c15u;
  for (int i = 0; i < 8; i++) out[i] = (unsigned char)(number >> (56 - 8 * i));
  memcpy(out + 8, &random, 8);
  out[15] = salt;
}

static void add_event(struct bench_floor *f, const unsigned char id[16], int kind,
                      const unsigned char *lease) {
  sqlite3_stmt *st = f->statements[EVENT];
  sqlite3_bind_int64(st, 1, f->started_ms);
  sqlite3_bind_blob(st, 2, id, 16, SQLITE_STATIC);
  sqlite3_bind_int(st, 3, kind);
  if (lease) {
    sqlite3_bind_blob(st, 4, lease, 16, SQLITE_STATIC);
    sqlite3_bind_int(st, 5, 1);
    sqlite3_bind_text(st, 6, "bench-1", 7, SQLITE_STATIC);
  } else {
    for (int i = 4; i <= 6; i++) sqlite3_bind_null(st, i);
  }
  step(f, EVENT);
}

static void create_one(struct bench_floor *f) {
  unsigned char id[16];
  sqlite3_stmt *st = f->statements[INSERT];
  id_of(f->created, 0, id);
  sqlite3_bind_blob(st, 1, id, 16, SQLITE_STATIC);
  sqlite3_bind_text(st, 2, "bench-lane", 10, SQLITE_STATIC);
  sqlite3_bind_int64(st, 3, f->started_ms + (int64_t)(f->created / 16));
  sqlite3_bind_blob(st, 4, f->payload, (int)f->payload_bytes, SQLITE_STATIC);
  step(f, INSERT);
  add_event(f, id, 1, NULL);
  f->created++;
}

static void claim_one(struct bench_floor *f) {
  unsigned char id[16], lease[16], attempt[16];
  sqlite3_stmt *st = f->statements[CLAIM];
  id_of(f->claimed, 0, id);
  id_of(f->claimed, 1, lease);
  id_of(f->claimed, 2, attempt);
  sqlite3_bind_blob(st, 1, lease, 16, SQLITE_STATIC);
  sqlite3_bind_blob(st, 2, attempt, 16, SQLITE_STATIC);
  sqlite3_bind_text(st, 3, "bench-1", 7, SQLITE_STATIC);
  sqlite3_bind_int64(st, 4, f->started_ms + LEASE_MS + (int64_t)(f->claimed / 16));
  sqlite3_bind_blob(st, 5, id, 16, SQLITE_STATIC);
  step(f, CLAIM);
  add_event(f, id, 2, lease);
  f->claimed++;
}

static void complete_one(struct bench_floor *f) {
  unsigned char id[16], lease[16];
  sqlite3_stmt *st = f->statements[COMPLETE];
  id_of(f->completed, 0, id);
  id_of(f->completed, 1, lease);
  sqlite3_bind_int64(st, 1, f->started_ms);
  sqlite3_bind_blob(st, 2, id, 16, SQLITE_STATIC);
  step(f, COMPLETE);
  add_event(f, id, 3, lease);
  f->completed++;
}

static unsigned at_most(unsigned wanted, uint64_t there) {
  return there < wanted ? (unsigned)there : wanted;
}

static bool commit(struct bench_floor *f) {
  step(f, COMMIT);
  if (f->code == SQLITE_OK && f->frames - f->checkpointed >= HARD_FRAMES) {
    int frames = 0, done = 0;
    f->code = sqlite3_wal_checkpoint_v2(f->db, "main", SQLITE_CHECKPOINT_PASSIVE, &frames, &done);
    f->checkpointed = done;
  }
  if (f->code != SQLITE_OK) failed(f);
  return f->code == SQLITE_OK;
}

bool bench_floor_commit(struct bench_floor *f, unsigned creates, unsigned claims,
                        unsigned completes) {
  /* Only what earlier transactions left is claimed or completed, as with callers that wait for the
   * answer. */
  claims = at_most(claims, f->created - f->claimed);
  completes = at_most(completes, f->claimed - f->completed);
  step(f, BEGIN);
  for (unsigned i = 0; i < creates; i++) create_one(f);
  for (unsigned i = 0; i < claims; i++) claim_one(f);
  for (unsigned i = 0; i < completes; i++) complete_one(f);
  return commit(f);
}

bool bench_floor_frames(struct bench_floor *f, unsigned streams, unsigned frames, unsigned bytes) {
  unsigned char id[16];
  step(f, BEGIN);
  for (unsigned i = 0; i < frames; i++) {
    sqlite3_stmt *st = f->statements[FRAME];
    id_of(i % streams, 0, id);
    sqlite3_bind_blob(st, 1, id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)++f->appended);
    sqlite3_bind_int64(st, 3, f->started_ms);
    sqlite3_bind_zeroblob(st, 4, (int)bytes);
    step(f, FRAME);
  }
  for (unsigned i = 0; i < streams; i++) {
    sqlite3_stmt *st = f->statements[STREAM];
    id_of(i, 0, id);
    sqlite3_bind_blob(st, 1, id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)f->appended);
    sqlite3_bind_int64(st, 3, (sqlite3_int64)(f->appended * bytes));
    step(f, STREAM);
  }
  return commit(f);
}

/* ---- the whole load ---- */

static void end_phase(const struct bench_usage *start, uint64_t commits,
                      struct bench_phase *phase) {
  phase->used = bench_usage_since(start);
  phase->batches = commits;
}

static bool drain_step(struct bench_floor *f, const struct bench_floor_load *load,
                       uint64_t commits) {
  unsigned group = load->drain_group;
  if (!load->bulk) return bench_floor_commit(f, 0, group / 2, group - group / 2);
  return commits % 2 == 0 ? bench_floor_commit(f, 0, group, 0) : bench_floor_commit(f, 0, 0, group);
}

int bench_floor_run(struct bench_floor *f, struct bench_floor_load *load) {
  uint64_t until = f->created + load->n, commits = 0;
  bool ok = true;
  if (load->create_group < 1) load->create_group = 1;
  if (load->drain_group < 2 && !load->bulk) load->drain_group = 2;
  struct bench_usage start = bench_usage_now();
  for (; ok && f->created < until && !bench_stopped(); commits++)
    ok = bench_floor_commit(f, at_most(load->create_group, until - f->created), 0, 0);
  end_phase(&start, commits, &load->create);
  start = bench_usage_now();
  for (commits = 0; ok && f->completed < until && !bench_stopped(); commits++)
    ok = drain_step(f, load, commits);
  end_phase(&start, commits, &load->drain);
  if (!ok) return CLI_UNREACHABLE;
  return bench_stopped() ? CLI_INTERRUPTED : CLI_OK;
}
