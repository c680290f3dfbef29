/*
 * HTTP/1.1 over blocking sockets: a pool of kept connections, one deadline for a whole exchange.
 *
 * A request is sent again by itself only on a connection that was kept idle and died, and only when
 * the caller says that repeating it is harmless.
 */
#include "base/hmac.h"
#include "client/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX (64u << 20) /* octets of an answer's body */

static int64_t now_ms(void) { return clock_monotonic_us() / 1000; }

/* ---- one socket ---- */

/* Waits until the socket is ready; false when the deadline is over. */
static bool ready(int fd, short events, int64_t until) {
  for (;;) {
    int64_t left = until - now_ms();
    struct pollfd p = {.fd = fd, .events = events};
    if (left <= 0) return false;
    int n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return false;
  }
}

static enum ff_rc no_answer(const struct client *c, const char *what, struct ff_error *e) {
  return error_set(e, FF_CODE_transport, "http://%s:%s: %s", c->host, c->port, what);
}

static enum ff_rc too_late(struct ff_error *e, int64_t timeout_ms) {
  (void)error_set(e, FF_CODE_timeout, "no answer within %lld ms", (long long)timeout_ms);
  error_context(e, "op", "http");
  return FF_TIMEOUT;
}

static int connect_one(const struct addrinfo *a, int64_t until) {
  int yes = 1, problem = 0;
  socklen_t size = sizeof problem;
  int fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
  if (fd < 0) return -1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) return fd;
  bool done = errno == EINPROGRESS && ready(fd, POLLOUT, until) &&
              getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) == 0 && problem == 0;
  if (done) return fd;
  close(fd);
  errno = problem ? problem : ETIMEDOUT;
  return -1;
}

static enum ff_rc connect_to(struct client *c, int64_t until, int *fd, struct ff_error *e) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
  struct addrinfo *found = NULL;
  int rc = getaddrinfo(c->host, c->port, &hints, &found);
  if (rc != 0) return no_answer(c, gai_strerror(rc), e);
  *fd = -1;
  for (const struct addrinfo *a = found; a && *fd < 0; a = a->ai_next) *fd = connect_one(a, until);
  int problem = errno;
  freeaddrinfo(found);
  return *fd >= 0 ? FF_OK : no_answer(c, strerror(problem), e);
}

/* ---- the pool ---- */

/* Nothing to read and not closed: an idle connection has nothing to say. */
static bool is_alive(int fd) {
  char octet;
  ssize_t n = recv(fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* A kept connection, -1 when there is none. */
static int take_idle(struct client *c) {
  int fd = -1;
  int64_t oldest = now_ms() - POOL_IDLE_MS;
  pthread_mutex_lock(&c->lock);
  while (fd < 0 && c->idle_count) {
    struct idle idle = c->idle[--c->idle_count];
    if (idle.since_ms >= oldest && is_alive(idle.fd)) fd = idle.fd;
    else close(idle.fd);
  }
  pthread_mutex_unlock(&c->lock);
  return fd;
}

static void keep(struct client *c, int fd) {
  pthread_mutex_lock(&c->lock);
  bool room = c->idle_count < POOL_MAX && !c->closing;
  if (room) c->idle[c->idle_count++] = (struct idle){fd, now_ms()};
  pthread_mutex_unlock(&c->lock);
  if (!room) close(fd);
}

void transport_drop_idle(struct client *c) {
  while (c->idle_count) close(c->idle[--c->idle_count].fd);
}

/* ---- one exchange ---- */

enum outcome {
  DONE,
  DEAD, /* the connection ended before an octet of the answer */
  LATE,
  BROKEN
};

static enum outcome send_all(int fd, struct ff_str octets, int64_t until) {
  while (octets.len) {
    ssize_t n = send(fd, octets.ptr, octets.len, MSG_NOSIGNAL);
    if (n > 0) {
      octets = text_of(octets.ptr + n, octets.len - (size_t)n);
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (!ready(fd, POLLOUT, until)) return LATE;
    } else {
      return DEAD;
    }
  }
  return DONE;
}

static enum outcome receive(int fd, struct buffer *in, int64_t until) {
  char octets[16384];
  for (;;) {
    ssize_t n = recv(fd, octets, sizeof octets, 0);
    if (n > 0) {
      buffer_append(in, octets, (size_t)n);
      return DONE;
    }
    if (n < 0 && errno == EINTR) continue;
    bool again = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (!again) return DEAD;
    if (!ready(fd, POLLIN, until)) return LATE;
  }
}

/* The head of the answer, 100 Continue left out. */
static enum outcome receive_head(int fd, struct buffer *in, struct http_head *h, int64_t until) {
  size_t seen = 0;
  for (;;) {
    long end = in->len ? http_head_end(in->ptr, seen, in->len) : 0;
    if (end < 0) return BROKEN;
    seen = in->len;
    if (end > 0) {
      if (http_answer_read(in->ptr, (size_t)end, h) != 0) return BROKEN;
      memmove(in->ptr, in->ptr + end, in->len - (size_t)end);
      in->len -= (size_t)end;
      seen = 0;
      if (h->status != 100) return DONE;
      continue;
    }
    enum outcome got = receive(fd, in, until);
    if (got != DONE) return got == DEAD && in->len ? BROKEN : got;
  }
}

static enum outcome receive_chunks(int fd, struct buffer *in, struct buffer *out, int64_t until) {
  struct http_chunks chunks = {0};
  for (;;) {
    size_t used;
    bool too_long;
    int rc = http_chunks_read(&chunks, in->ptr, in->len, ANSWER_MAX, out, &used, &too_long);
    if (rc != 0) return rc > 0 && used == in->len ? DONE : BROKEN;
    buffer_clear(in);
    enum outcome got = receive(fd, in, until);
    if (got != DONE) return got == LATE ? LATE : BROKEN;
  }
}

/* Octets behind the answer make the connection unusable: nobody asked for them. */
static enum outcome receive_body(int fd, struct buffer *in, const struct http_head *h,
                                 struct buffer *out, int64_t until) {
  if (h->chunked) return receive_chunks(fd, in, out, until);
  if (h->content_length > ANSWER_MAX || (!h->has_length && h->status != 204)) return BROKEN;
  while (in->len < h->content_length) {
    enum outcome got = receive(fd, in, until);
    if (got != DONE) return got == LATE ? LATE : BROKEN;
  }
  if (in->len != h->content_length) return BROKEN;
  buffer_append(out, in->ptr, in->len);
  return DONE;
}

static enum outcome exchange(struct client *c, int fd, struct ff_str request, struct answer *out,
                             int64_t until) {
  struct http_head h = {0};
  struct buffer in;
  buffer_init(&in);
  enum outcome got = send_all(fd, request, until);
  /* A server that refuses may answer before it has read everything. */
  if (got == DONE || got == DEAD) got = receive_head(fd, &in, &h, until);
  buffer_clear(&out->body);
  if (got == DONE) got = receive_body(fd, &in, &h, &out->body, until);
  out->status = h.status;
  buffer_fini(&in);
  if (got == DONE && h.keep_alive) keep(c, fd);
  else close(fd);
  return got;
}

static void write_request(const struct client *c, const char *path, struct ff_str body,
                          struct buffer *out) {
  bool v6 = strchr(c->host, ':') != NULL;
  buffer_printf(out, "POST %s HTTP/1.1\r\nHost: %s%s%s:%s\r\n", path, v6 ? "[" : "", c->host,
                v6 ? "]" : "", c->port);
  if (c->token) buffer_printf(out, "Authorization: Bearer %s\r\n", c->token);
  buffer_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body.len);
  buffer_append_text(out, body);
}

static enum ff_rc outcome_rc(const struct client *c, enum outcome got, int64_t timeout_ms,
                             struct ff_error *e) {
  switch (got) {
    case DONE: return FF_OK;
    case LATE: return too_late(e, timeout_ms);
    case DEAD: return no_answer(c, "the connection ended before the answer", e);
    default: return no_answer(c, "the answer is malformed or cut short", e);
  }
}

enum ff_rc transport_post(struct client *c, const char *path, struct ff_str body,
                          int64_t timeout_ms, bool again, struct answer *out, struct ff_error *e) {
  int64_t until = now_ms() + timeout_ms;
  struct buffer request;
  enum outcome got = DEAD;
  enum ff_rc rc = FF_OK;
  buffer_init(&request);
  write_request(c, path, body, &request);
  int fd = take_idle(c);
  bool kept = fd >= 0;
  if (kept) got = exchange(c, fd, buffer_text(&request), out, until);
  if (!kept || (got == DEAD && again)) {
    rc = connect_to(c, until, &fd, e);
    if (rc == FF_OK) got = exchange(c, fd, buffer_text(&request), out, until);
  }
  secret_wipe(request.ptr, request.len);
  buffer_fini(&request);
  return rc == FF_OK ? outcome_rc(c, got, timeout_ms, e) : rc;
}
