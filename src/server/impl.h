/*
 * The inside of the server: loops, connections, requests.
 *
 * A connection belongs to one loop and is touched by its thread alone. A call in the engine is an
 * exchange; its callback comes on another thread and does no more than hand the exchange back.
 */
#ifndef SERVER_IMPL_H
#define SERVER_IMPL_H

#include "server/server.h"
#include "wire/http.h"
#include "wire/route.h"
#include "wire/wire.h"

#include <pthread.h>
#include <stdatomic.h>

struct server;
struct loop;

/* One call under way. */
struct exchange {
  struct exchange *next; /* of those answered */
  struct connection *connection;
  const struct ff_operation *op;
  enum ff_rc rc;
  struct ff_error error;
  union {
    struct ff_memory *memory;
    max_align_t align;
  } result[]; /* op->result->size bytes */
};

enum route_kind {
  ROUTE_NONE,
  ROUTE_HEALTH,
  ROUTE_READY,
  ROUTE_METRICS,
  ROUTE_OPERATION, /* POST /v1/ops/… */
  ROUTE_NAMED,
  ROUTE_PREFLIGHT
};

/* What a request asks for, read off its head; lives until it is answered. */
struct request {
  enum route_kind route;
  const struct ff_operation *op;
  const struct route *named;
  const char *path;         /* the template */
  const char *content_type; /* of the answer; NULL = JSON when it has a body */
  size_t path_len;          /* of connection.target */
  char allow[48];           /* the methods of a path, when this one is not among them */
  char method[12];
  char id[132]; /* X-Request-Id */
  char origin[256]; /* Access-Control-Allow-Origin, "" for none */
  bool head_only, keep_alive, takes_body;
  bool by_token; /* nobody has shown a bearer token: the waitpoint token must do */
  unsigned scopes;
  size_t body_max;
  int64_t started_us;
};

enum connection_state {
  CONNECTION_HEAD,    /* waits for a head, or for its rest */
  CONNECTION_BODY,
  CONNECTION_CALL,    /* the engine is at work */
  CONNECTION_ANSWER,  /* the answer is being sent */
  CONNECTION_LINGER   /* closed for writing: reads what still comes, so that the answer arrives */
};

struct connection {
  struct connection *next, *prev; /* of the loop */
  struct loop *loop;
  int fd;
  enum connection_state state;
  bool local; /* the peer is on this machine */
  bool readable, writable, closing, begun; /* begun: the head's first octet has come */
  bool gone;                               /* the peer will send nothing more */
  struct exchange *exchange;               /* of CONNECTION_CALL */
  int64_t deadline_ms;                     /* 0: none */
  char peer[64];
  char *in;
  size_t in_used, in_len, in_capacity, in_seen; /* octets [in_used, in_len) are unread */
  uint64_t length; /* of the body */
  bool chunked;
  struct http_chunks chunks;
  struct buffer body;   /* a chunked one */
  struct buffer target; /* of a named route: its path and query are read when the body is here */
  size_t reserved;    /* of server.body_octets */
  struct buffer out;
  size_t out_sent;
  struct request request;
};

struct loop {
  struct server *server;
  pthread_t thread;
  int epoll, wake;
  bool accepting;
  struct connection *connections;
  uint32_t count;
  _Atomic(struct exchange *) answered;
  struct arena arena;   /* of the request being looked at */
  struct buffer scratch; /* the body being written */
  char date[40];
  int64_t date_s, now_ms;
  uint64_t id_seed;
};

struct metrics;

struct server {
  struct metrics *metrics; /* NULL: not served */
  struct server_options options;
  int listener;
  struct loop *loops;
  _Atomic uint32_t connections;
  _Atomic size_t body_octets; /* of bodies being read */
  _Atomic bool draining, stopping;
};

/* ---- server.c ---- */
/* Any thread: the loop takes it from there. */
void loop_give_back(struct loop *, struct exchange *);

/* ---- connection.c ---- */
struct connection *connection_new(struct loop *, int fd, const struct sockaddr_storage *peer);
/* What can be done, until something has to be waited for. The connection may be gone afterwards. */
void connection_advance(struct connection *);
/* The peer has gone: nobody is to wait for it (07 H-17). */
void connection_gone(struct connection *);
void connection_answered(struct connection *, struct exchange *);
/* The time set for what it waits for is over. */
void connection_expired(struct connection *);
/* Before a refusal: skips the request's body when it is here, else the answer closes. */
void connection_skip_or_close(struct connection *);
/* Closes it; what is in the engine is answered into the void. */
void connection_close(struct connection *);

/* ---- metrics.c ---- */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *);
/* Any thread. method and path are texts of the program. */
void metrics_count(struct metrics *, const char *method, const char *path, int status, uint64_t us);
void metrics_write(const struct metrics *, const char *backend, uint32_t connections,
                   struct buffer *out);

/* ---- answer.c ---- */
/* Begins an answer; `extra` is whole header lines or "". Sent by connection_advance. */
void answer_begin(struct connection *, int status, struct ff_str body, const char *extra);
/* {"error":"…"}; closes the connection when the request's body cannot be skipped. */
void answer_refuse(struct connection *, int status, const char *text, const char *extra);
void answer_error(struct connection *, const struct ff_error *);
void answer_fault(struct connection *, enum wire_fault, const struct ff_error *);
void answer_too_large(struct connection *);
/* An argument of the path or the query: {"error","code","context"} without a kind (07 E-2). */
void answer_bad_argument(struct connection *, const struct ff_error *);
void answer_result(struct connection *, struct exchange *);

/* ---- request.c ---- */
/* Judges a request by its head: true when it may go on, else it is answered. */
bool request_judge(struct connection *, const struct http_head *);
/* The whole body is here: calls, or answers. */
void request_run(struct connection *, struct ff_str body);

#endif
