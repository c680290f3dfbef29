/*
 * The cut-proxy: one poll loop over pairs of connections. See cut_proxy.h.
 *
 * Bytes are read only when all read before are written, so that neither side can fill memory, and
 * no write blocks, so that a client that sends a long pipeline without reading cannot stop the loop.
 */
#include "test/lib/cut_proxy.h"

#include "base/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS 128
#define CHUNK 16384

struct lane {
  char data[CHUNK];
  size_t start, end;
};

struct link {
  int client, server; /* client -1: a free place */
  struct lane up, down;
  bool asked;  /* the client spoke last */
  bool doomed; /* its answer is to be cut */
};

struct cut_proxy {
  pthread_t thread;
  pthread_mutex_t lock; /* of what follows up to fired */
  enum cut_kind kind;
  uint32_t at, requests;
  bool fired, stop, drop;
  int listener, wake[2];
  uint16_t target;
  struct link links[LINKS];
};

static void cut(struct link *l, bool reset) {
  struct linger now = {1, 0};
  if (reset) setsockopt(l->client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(l->client);
  close(l->server);
  l->client = l->server = -1;
}

static int listen_on(uint16_t *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  INVARIANT(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, LINKS) == 0);
  INVARIANT(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
  *port = ntohs(address.sin_port);
  return fd;
}

static void accept_one(struct cut_proxy *p) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(p->target),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int client = accept(p->listener, NULL, NULL);
  if (client < 0) return;
  int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  for (uint32_t i = 0; i < LINKS && server >= 0; i++) {
    struct link *l = &p->links[i];
    if (l->client >= 0) continue;
    if (connect(server, (struct sockaddr *)&address, sizeof address)) break; /* nobody there */
    memset(l, 0, sizeof *l);
    l->client = client;
    l->server = server;
    return;
  }
  close(client);
  if (server >= 0) close(server);
}

/* False: the connection is gone. */
static bool take(int fd, struct lane *lane) {
  ssize_t n = recv(fd, lane->data, sizeof lane->data, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (n <= 0) return false;
  lane->start = 0;
  lane->end = (size_t)n;
  return true;
}

static bool give(int fd, struct lane *lane) {
  size_t size = lane->end - lane->start;
  if (!size) return true;
  ssize_t n = send(fd, lane->data + lane->start, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  lane->start += (size_t)n;
  return true;
}

/* Counts a request; true when it must not reach the server. */
static bool request(struct cut_proxy *p, struct link *l) {
  if (l->asked) return false;
  l->asked = true;
  pthread_mutex_lock(&p->lock);
  bool hit = ++p->requests == p->at;
  bool now = hit && p->kind == CUT_BEFORE_SEND;
  l->doomed |= hit && !now;
  p->fired |= now;
  pthread_mutex_unlock(&p->lock);
  return now;
}

static void cut_answer(struct cut_proxy *p, struct link *l) {
  pthread_mutex_lock(&p->lock);
  bool half = p->kind == CUT_MID_REPLY;
  p->fired = true;
  pthread_mutex_unlock(&p->lock);
  l->down.end /= 2;
  if (half) give(l->client, &l->down);
  cut(l, !half); /* a reset would take back the half */
}

static void serve(struct cut_proxy *p, struct link *l, short client, short server) {
  const short readable = POLLIN | POLLHUP | POLLERR;
  bool more = l->up.start == l->up.end && (client & readable);
  if (more && !take(l->client, &l->up)) return cut(l, false);
  if (more && l->up.start < l->up.end && request(p, l)) return cut(l, true);
  more = l->down.start == l->down.end && (server & readable);
  if (more && !take(l->server, &l->down)) return cut(l, false);
  if (more && l->down.start < l->down.end) {
    l->asked = false;
    if (l->doomed) return cut_answer(p, l);
  }
  if (!give(l->server, &l->up) || !give(l->client, &l->down)) cut(l, false);
}

/* One side is read while nothing waits to go to the other, and written while something does. */
static struct pollfd watch(int fd, const struct lane *in, const struct lane *out) {
  short events = 0;
  if (in->start == in->end) events |= POLLIN;
  if (out->start < out->end) events |= POLLOUT;
  return (struct pollfd){events ? fd : -1, events, 0}; /* else a hang-up would spin */
}

/* What the owner wants; true: end. */
static bool orders(struct cut_proxy *p) {
  char byte;
  INVARIANT(read(p->wake[0], &byte, 1) == 1);
  pthread_mutex_lock(&p->lock);
  bool stop = p->stop, drop = p->drop;
  p->drop = false;
  pthread_mutex_unlock(&p->lock);
  for (uint32_t i = 0; i < LINKS && (stop || drop); i++)
    if (p->links[i].client >= 0) cut(&p->links[i], true);
  return stop;
}

static void *loop(void *argument) {
  struct cut_proxy *p = argument;
  for (;;) {
    struct pollfd fds[2 + 2 * LINKS] = {{p->wake[0], POLLIN, 0}, {p->listener, POLLIN, 0}};
    for (uint32_t i = 0; i < LINKS; i++) {
      struct link *l = &p->links[i];
      fds[2 + 2 * i] = watch(l->client, &l->up, &l->down);
      fds[3 + 2 * i] = watch(l->server, &l->down, &l->up);
    }
    if (poll(fds, ARRAY_LEN(fds), -1) < 0) continue;
    if (fds[0].revents && orders(p)) return NULL;
    for (uint32_t i = 0; i < LINKS; i++)
      if (p->links[i].client >= 0 && (fds[2 + 2 * i].revents || fds[3 + 2 * i].revents))
        serve(p, &p->links[i], fds[2 + 2 * i].revents, fds[3 + 2 * i].revents);
    if (fds[1].revents) accept_one(p);
  }
}

static void order(struct cut_proxy *p, bool *what) {
  pthread_mutex_lock(&p->lock);
  *what = true;
  pthread_mutex_unlock(&p->lock);
  INVARIANT(write(p->wake[1], "", 1) == 1);
}

struct cut_proxy *cut_proxy_start(uint16_t target, uint16_t *port) {
  struct cut_proxy *p = heap_zalloc(sizeof *p);
  for (uint32_t i = 0; i < LINKS; i++) p->links[i].client = p->links[i].server = -1;
  p->target = target;
  p->listener = listen_on(port);
  INVARIANT(pipe(p->wake) == 0 && pthread_mutex_init(&p->lock, NULL) == 0);
  INVARIANT(pthread_create(&p->thread, NULL, loop, p) == 0);
  return p;
}

void cut_proxy_stop(struct cut_proxy *p) {
  if (!p) return;
  order(p, &p->stop);
  pthread_join(p->thread, NULL);
  pthread_mutex_destroy(&p->lock);
  close(p->listener);
  close(p->wake[0]);
  close(p->wake[1]);
  free(p);
}

void cut_proxy_drop(struct cut_proxy *p) { order(p, &p->drop); }

void cut_proxy_arm(struct cut_proxy *p, enum cut_kind kind, uint32_t n) {
  pthread_mutex_lock(&p->lock);
  p->kind = kind;
  p->at = n;
  p->requests = 0;
  p->fired = false;
  pthread_mutex_unlock(&p->lock);
}

uint32_t cut_proxy_requests(struct cut_proxy *p) {
  pthread_mutex_lock(&p->lock);
  uint32_t n = p->requests;
  pthread_mutex_unlock(&p->lock);
  return n;
}

bool cut_proxy_fired(struct cut_proxy *p) {
  pthread_mutex_lock(&p->lock);
  bool fired = p->fired;
  pthread_mutex_unlock(&p->lock);
  return fired;
}
