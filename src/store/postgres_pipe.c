/*
 * Pipelines: many statements sent together, one wait for all their results.
 *
 * The connection is non-blocking: results are taken in while statements still go out, so that
 * neither side waits for the other with full buffers. A server that says nothing for longer than its
 * own time-out allows is given up. Knows nothing of what the statements mean.
 */
#include "store/postgres_impl.h"

#include <errno.h>
#include <poll.h>

/* Beyond the server's own statement time-out: it would have answered by now. */
#define GRACE_MS 5000

void postgres_pipe_clear(struct postgres_session *c) {
  struct postgres_pipe *p = &c->pipe;
  for (uint32_t i = 0; i < p->count; i++) PQclear(p->entries[i].result);
  p->count = p->failed = 0;
  p->sent = p->lost = p->too_large = false;
}

void postgres_pipe_begin(struct postgres_session *c) {
  postgres_pipe_clear(c);
  if (!c->conn || !PQenterPipelineMode(c->conn)) c->pipe.lost = true;
}

static struct postgres_entry *entry_new(struct postgres_pipe *p, unsigned statement, bool prepare) {
  INVARIANT(p->count < POSTGRES_PIPE_MAX);
  p->entries[p->count] = (struct postgres_entry){(uint16_t)statement, prepare, NULL};
  return &p->entries[p->count++];
}

static void prepare(struct postgres_session *c, unsigned statement, const char *name) {
  struct buffer sql;
  buffer_init(&sql);
  postgres_sql(c->store->target.schema, statement, &sql);
  (void)entry_new(&c->pipe, statement, true);
  c->prepared[statement] = true; /* taken back when its result says otherwise */
  if (!PQsendPrepare(c->conn, name, sql.ptr, 0, NULL)) c->pipe.lost = true;
  buffer_fini(&sql);
}

#define PARAMS_MAX 16
uint32_t postgres_pipe_add(struct postgres_session *c, unsigned statement,
                           const struct postgres_param *params, int param_count) {
  static const int binary[PARAMS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const char *values[PARAMS_MAX];
  int lengths[PARAMS_MAX];
  char name[16];
  INVARIANT(param_count <= PARAMS_MAX);
  snprintf(name, sizeof name, "ff%u", statement);
  if (!c->pipe.lost && !c->prepared[statement]) prepare(c, statement, name);
  for (int i = 0; i < param_count; i++) {
    if (params[i].len > POSTGRES_VALUE_MAX) c->pipe.lost = c->pipe.too_large = true;
    values[i] = params[i].data;
    lengths[i] = (int)params[i].len;
  }
  uint32_t number = c->pipe.count;
  (void)entry_new(&c->pipe, statement, false);
  if (!c->pipe.lost &&
      !PQsendQueryPrepared(c->conn, name, param_count, values, lengths, binary, 1))
    c->pipe.lost = true;
  return number;
}

const PGresult *postgres_pipe_result(const struct postgres_session *c, uint32_t entry) {
  return c->pipe.entries[entry].result;
}

/* ---- running ---- */

bool postgres_alive(PGconn *conn) {
  if (!conn || PQstatus(conn) != CONNECTION_OK) return false;
  struct pollfd ready = {PQsocket(conn), POLLIN, 0};
  /* Whatever the server said unasked is read: a farewell, and then the end of the stream. */
  for (int i = 0; i < 8 && poll(&ready, 1, 0) == 1; i++)
    if (!PQconsumeInput(conn)) return false;
  return PQstatus(conn) == CONNECTION_OK;
}

static bool is_good(const PGresult *r) {
  ExecStatusType status = PQresultStatus(r);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* One result; true when it was the end of the pipeline. */
static bool take_result(struct postgres_session *c, PGresult *r, uint32_t *at) {
  struct postgres_pipe *p = &c->pipe;
  if (!r) { /* the end of one statement's results */
    if (*at < p->count && p->entries[*at].result) ++*at;
    return false;
  }
  if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
    PQclear(r);
    return true;
  }
  if (*at >= p->count) {
    PQclear(r);
    return false;
  }
  struct postgres_entry *entry = &p->entries[*at];
  if (entry->result) PQclear(entry->result);
  entry->result = r;
  if (is_good(r)) return false;
  if (entry->prepare) c->prepared[entry->statement] = false;
  if (*at < p->failed) p->failed = *at;
  return false;
}

/* Waits until the socket can be used; false when that takes longer than any statement may. */
static bool await(struct postgres_session *c, bool writing) {
  struct pollfd ready = {PQsocket(c->conn), (short)(POLLIN | (writing ? POLLOUT : 0)), 0};
  int64_t until =
      clock_monotonic_us() / 1000 + c->store->target.statement_timeout_ms + GRACE_MS;
  for (;;) {
    int64_t left = until - clock_monotonic_us() / 1000;
    int n = left > 0 ? poll(&ready, 1, (int)left) : 0;
    if (n > 0) break;
    if (n == 0 || errno != EINTR) return false;
  }
  return !(ready.revents & (POLLIN | POLLERR | POLLHUP)) || PQconsumeInput(c->conn);
}

static bool gather(struct postgres_session *c) {
  uint32_t at = 0;
  for (int writing = 1;;) {
    if (writing) writing = PQflush(c->conn);
    if (writing < 0) writing = 0; /* what the server said before it left is still to be read */
    while (!PQisBusy(c->conn)) {
      PGresult *r = PQgetResult(c->conn);
      if (!r && PQstatus(c->conn) != CONNECTION_OK) return false;
      if (take_result(c, r, &at)) return true;
    }
    if (!await(c, writing != 0)) {
      /* Results that had come before the end. */
      while (PQstatus(c->conn) == CONNECTION_OK && !PQisBusy(c->conn)) {
        PGresult *r = PQgetResult(c->conn);
        if (!r && at >= c->pipe.count) break;
        if (take_result(c, r, &at)) return true;
      }
      return false;
    }
  }
}

/* Statements whose preparation was skipped behind a failure are not prepared. */
static void settle_prepared(struct postgres_session *c) {
  struct postgres_pipe *p = &c->pipe;
  for (uint32_t i = 0; i < p->count; i++)
    if (p->entries[i].prepare && (!p->entries[i].result || !is_good(p->entries[i].result)))
      c->prepared[p->entries[i].statement] = false;
}

bool postgres_pipe_run(struct postgres_session *c) {
  struct postgres_pipe *p = &c->pipe;
  p->failed = p->count;
  if (p->lost) return false;
  p->sent = true;
  p->lost = !PQpipelineSync(c->conn) || !gather(c) || !PQexitPipelineMode(c->conn);
  settle_prepared(c);
  return !p->lost && p->failed == p->count;
}
