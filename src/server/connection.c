/*
 * The life of one connection: head, body, call, answer, and again.
 *
 * Everything here runs on the thread of its loop. Sockets are non-blocking and edge-triggered: what
 * is readable is read until there is no more.
 */
#include "server/impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_FIRST 2048
#define IN_KEEP 4096 /* a larger buffer is given back between requests */
#define OUT_KEEP 65536
#define LINGER_MS 2000
#define RESERVE_FROM 65536            /* smaller bodies are not counted */
#define BODY_OCTETS_MAX (256u << 20) /* of all bodies being read */

static bool is_local(const struct sockaddr_storage *peer) {
  const struct sockaddr_in *four = (const struct sockaddr_in *)peer;
  const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)peer;
  if (peer->ss_family == AF_INET) return ntohl(four->sin_addr.s_addr) >> 24 == 127;
  if (peer->ss_family != AF_INET6) return false;
  const uint8_t *b = six->sin6_addr.s6_addr;
  return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) ||
         (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) && b[12] == 127);
}

static void name_peer(const struct sockaddr_storage *peer, char *out, size_t size) {
  char address[INET6_ADDRSTRLEN] = "?";
  const struct sockaddr_in *four = (const struct sockaddr_in *)peer;
  const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)peer;
  bool v6 = peer->ss_family == AF_INET6;
  const void *from = v6 ? (const void *)&six->sin6_addr : (const void *)&four->sin_addr;
  (void)inet_ntop(peer->ss_family, from, address, sizeof address);
  snprintf(out, size, v6 ? "[%s]:%u" : "%s:%u", address,
           ntohs(v6 ? six->sin6_port : four->sin_port));
}

struct connection *connection_new(struct loop *loop, int fd, const struct sockaddr_storage *peer) {
  struct connection *c = heap_zalloc(sizeof *c);
  c->loop = loop;
  c->fd = fd;
  c->local = is_local(peer);
  name_peer(peer, c->peer, sizeof c->peer);
  c->readable = c->writable = true;
  buffer_init(&c->body);
  buffer_init(&c->target);
  buffer_init(&c->out);
  c->deadline_ms = loop->now_ms + loop->server->options.head_ms;
  c->next = loop->connections;
  if (c->next) c->next->prev = c;
  loop->connections = c;
  loop->count++;
  loop->server->connections++;
  return c;
}

static void release_body(struct connection *c) {
  c->loop->server->body_octets -= c->reserved;
  c->reserved = 0;
}

static void destroy(struct connection *c) {
  if (c->prev) c->prev->next = c->next;
  else c->loop->connections = c->next;
  if (c->next) c->next->prev = c->prev;
  c->loop->count--;
  c->loop->server->connections--;
  release_body(c);
  buffer_fini(&c->body);
  buffer_fini(&c->target);
  buffer_fini(&c->out);
  free(c->in);
  free(c);
}

/* While the engine is at work the struct stays: the exchange points to it. */
void connection_close(struct connection *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
  if (c->state != CONNECTION_CALL) destroy(c);
}

/* ---- reading ---- */

enum fill { FILL_MORE, FILL_NONE, FILL_END };

/* Room for `want` more octets; what was read is moved away first. */
static void make_room(struct connection *c, size_t want) {
  if (c->in_used) memmove(c->in, c->in + c->in_used, c->in_len - c->in_used);
  c->in_len -= c->in_used;
  c->in_used = 0;
  if (c->in_capacity - c->in_len >= want) return;
  size_t capacity = c->in_capacity ? c->in_capacity : IN_FIRST;
  while (capacity - c->in_len < want) capacity *= 2;
  c->in = heap_realloc(c->in, capacity);
  c->in_capacity = capacity;
}

static enum fill fill(struct connection *c) {
  if (!c->readable) return FILL_NONE;
  if (c->in_used == c->in_len) c->in_used = c->in_len = 0;
  if (c->in_len == c->in_capacity) make_room(c, c->in_len ? c->in_len - c->in_used : IN_FIRST);
  ssize_t n = read(c->fd, c->in + c->in_len, c->in_capacity - c->in_len);
  if (n > 0) {
    c->in_len += (size_t)n;
    return FILL_MORE;
  }
  if (n < 0 && errno == EINTR) return FILL_MORE;
  if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) return FILL_END;
  c->readable = false;
  return FILL_NONE;
}

/* A request that is none: nothing after it can be trusted to be one. */
static void refuse_message(struct connection *c, int status, const char *problem) {
  c->request.keep_alive = false;
  answer_refuse(c, status, problem, "");
}

static void begin_body(struct connection *c, const struct http_head *h) {
  struct server *s = c->loop->server;
  c->length = h->content_length;
  c->chunked = h->chunked;
  c->chunks = (struct http_chunks){0};
  buffer_clear(&c->body);
  c->state = CONNECTION_BODY;
  c->deadline_ms = c->loop->now_ms + s->options.body_ms;
  size_t most = c->chunked ? c->request.body_max : (size_t)c->length;
  if (most > RESERVE_FROM) {
    c->reserved = most;
    size_t before = atomic_fetch_add(&s->body_octets, most);
    if (before && before + most > BODY_OCTETS_MAX) {
      struct ff_error e;
      (void)error_set(&e, FF_CODE_resource_exhausted, NULL);
      error_context(&e, "pool", "bodies");
      error_context(&e, "max", "%u", BODY_OCTETS_MAX);
      release_body(c);
      c->request.keep_alive = false;
      answer_error(c, &e);
      return;
    }
  }
  if (h->expects_continue && c->in_used == c->in_len)
    buffer_append_c(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
}

static void reset_request(struct connection *c) {
  memset(&c->request, 0, sizeof c->request);
  c->request.started_us = clock_monotonic_us();
  c->in_seen = 0;
}

/* True when the state has changed. */
static bool take_head(struct connection *c) {
  struct http_head h;
  const char *problem = "malformed request head";
  size_t len = c->in_len - c->in_used;
  const char *octets = c->in + c->in_used;
  if (len == 0) return false;
  if (!c->begun) {
    c->begun = true;
    c->deadline_ms = c->loop->now_ms + c->loop->server->options.head_ms;
  }
  long end = http_head_end(octets, c->in_seen, len);
  c->in_seen = len;
  if (end == 0) return false;
  reset_request(c);
  c->begun = false;
  int status = end < 0 ? (int)-end : http_request_read(octets, (size_t)end, &h, &problem);
  if (status != 0) {
    refuse_message(c, status, problem);
    return true;
  }
  c->in_used += (size_t)end;
  c->length = h.content_length;
  c->chunked = h.chunked;
  c->request.keep_alive = h.keep_alive;
  if (request_judge(c, &h)) {
    begin_body(c, &h);
    return true;
  }
  return true;
}

/* A body nobody will read, which is here already, is skipped. */
static bool skip_body(struct connection *c) {
  if (c->chunked || c->length > c->in_len - c->in_used) return false;
  c->in_used += (size_t)c->length;
  return true;
}

void connection_skip_or_close(struct connection *c) {
  if (!skip_body(c)) c->request.keep_alive = false;
}

static void whole_body(struct connection *c, struct ff_str body) {
  release_body(c);
  c->deadline_ms = 0;
  request_run(c, body);
  arena_reset(&c->loop->arena);
}

static bool take_chunks(struct connection *c) {
  size_t used;
  bool too_long;
  int rc = http_chunks_read(&c->chunks, c->in + c->in_used, c->in_len - c->in_used,
                            c->request.body_max, &c->body, &used, &too_long);
  c->in_used += used;
  if (rc == 0) return false;
  if (rc > 0) whole_body(c, buffer_text(&c->body));
  else if (too_long) answer_too_large(c);
  else refuse_message(c, 400, "malformed chunked body");
  return true;
}

static bool take_body(struct connection *c) {
  if (c->chunked) return take_chunks(c);
  size_t have = c->in_len - c->in_used;
  if (have < c->length) {
    if (c->in_capacity - c->in_used < c->length) make_room(c, (size_t)c->length - have);
    return false;
  }
  struct ff_str body = text_of(c->in ? c->in + c->in_used : "", (size_t)c->length);
  c->in_used += (size_t)c->length;
  whole_body(c, body);
  return true;
}

/* ---- writing ---- */

/* True when all is sent; false: wait, or it is over (then *gone). */
static bool flush(struct connection *c, bool *gone) {
  *gone = false;
  while (c->out_sent < c->out.len) {
    ssize_t n = send(c->fd, c->out.ptr + c->out_sent, c->out.len - c->out_sent, MSG_NOSIGNAL);
    if (n > 0) {
      c->out_sent += (size_t)n;
      c->deadline_ms = c->loop->now_ms + c->loop->server->options.write_ms;
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) c->writable = false;
    else *gone = true;
    return false;
  }
  c->out_sent = 0;
  buffer_clear(&c->out);
  return true;
}

static void give_back_buffers(struct connection *c) {
  if (c->in_used == c->in_len) {
    c->in_used = c->in_len = 0;
    if (c->in_capacity > IN_KEEP) {
      free(c->in);
      c->in = NULL;
      c->in_capacity = 0;
    }
  }
  if (c->out.capacity > OUT_KEEP) {
    buffer_fini(&c->out);
    buffer_init(&c->out);
  }
  if (c->body.capacity) {
    buffer_fini(&c->body);
    buffer_init(&c->body);
  }
  if (c->target.capacity > IN_KEEP) {
    buffer_fini(&c->target);
    buffer_init(&c->target);
  }
}

/* The answer has left: the next request, or the end. */
static void after_answer(struct connection *c) {
  if (c->closing) {
    shutdown(c->fd, SHUT_WR);
    c->state = CONNECTION_LINGER;
    c->deadline_ms = c->loop->now_ms + LINGER_MS;
    return;
  }
  give_back_buffers(c);
  c->state = CONNECTION_HEAD;
  c->in_seen = 0;
  c->deadline_ms = c->loop->now_ms + c->loop->server->options.idle_ms;
}

/* ---- all together ---- */

/* Waits for input: 0 go on, 1 wait, -1 the peer has gone. */
static int want_more(struct connection *c) {
  switch (fill(c)) {
    case FILL_MORE:
      if (c->state == CONNECTION_BODY)
        c->deadline_ms = c->loop->now_ms + c->loop->server->options.body_ms;
      return 0;
    case FILL_NONE: return 1;
    default: return -1;
  }
}

static bool linger_over(struct connection *c) {
  for (;;) {
    c->in_used = c->in_len = 0;
    enum fill got = fill(c);
    if (got != FILL_MORE) return got == FILL_END;
  }
}

/* Sends what is there to send. True to go on. */
static bool send_out(struct connection *c, bool *gone) {
  *gone = false;
  if (!c->out.len) return true;
  if (!c->writable) return false;
  return flush(c, gone);
}

void connection_advance(struct connection *c) {
  bool gone = false;
  while (c->state != CONNECTION_CALL && !gone) {
    if (!send_out(c, &gone)) {
      if (gone) break;
      return;
    }
    bool moved = true;
    if (c->state == CONNECTION_HEAD) moved = take_head(c);
    else if (c->state == CONNECTION_BODY) moved = take_body(c);
    else if (c->state == CONNECTION_ANSWER) after_answer(c);
    else if (linger_over(c)) gone = true;
    else return;
    if (moved) continue;
    if (c->state == CONNECTION_HEAD && !c->begun && c->loop->server->draining) break;
    int rc = want_more(c);
    if (rc > 0) return;
    gone = rc < 0;
  }
  if (c->state != CONNECTION_CALL) connection_close(c);
}

void connection_gone(struct connection *c) {
  const struct backend *b = &c->loop->server->options.backend;
  c->gone = true;
  if (c->state == CONNECTION_CALL && b->end_wait) (void)b->end_wait(b->user, c->exchange);
}

void connection_answered(struct connection *c, struct exchange *x) {
  c->state = CONNECTION_HEAD;
  c->exchange = NULL;
  if (c->fd < 0) {
    connection_close(c);
    return;
  }
  answer_result(c, x);
  connection_advance(c);
}

void connection_expired(struct connection *c) {
  bool begun = c->begun || c->state == CONNECTION_BODY;
  if (!begun || c->state == CONNECTION_ANSWER || c->state == CONNECTION_LINGER) {
    connection_close(c);
    return;
  }
  if (c->state == CONNECTION_HEAD) reset_request(c);
  c->begun = false;
  refuse_message(c, 408, "the request took too long to arrive");
  connection_advance(c);
}
